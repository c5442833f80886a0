"""Outcomes that no controller gave in words of its own, and secrets masked in those that one gave. Pure. Caller: the dispatcher."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import orjson

from healer import model, plugins, quoting, secrets
from healer.dispatch import attempts

RESULT_TEXT_MAX: Final = 4_000
_SUMMARY_MAX: Final = 2_000
_UNSAID: Final = "it cannot be said how it ended"


def unknown(detail: str) -> model.Outcome:
    """Of one whose end nobody knows."""
    return model.Outcome("unknown", detail or _UNSAID)


def of(found: model.Found) -> model.Outcome:
    """Of one that its controller was asked for, and that does not run."""
    return found.outcome or unknown(found.detail)


def asked_for(found: model.Found, ender: attempts.Ender) -> model.Outcome:
    """Of one whose end was asked for. One that may go on all the same is unknown: nothing follows on it by itself."""
    if found.state == "ended" and found.outcome is not None:
        if ender != "stop" or found.outcome.state != "cancelled":
            return found.outcome
        return dataclasses.replace(found.outcome, summary=f"ended by the daemon's stop: {found.outcome.summary}")
    if ender == "silence":
        said = "its controller said nothing until after its deadline"
        return model.Outcome(
            "timed_out" if found.state == "absent" else "unknown", f"{said}: {found.detail or found.state}"
        )
    if found.state == "absent":
        return model.Outcome("cancelled", "ended by the daemon's stop" if ender == "stop" else "it was not begun")
    asked = "the daemon's stop asked for its end" if ender == "stop" else "its end was asked for"
    return model.Outcome("unknown", f"{asked}, and it may go on: {found.detail or found.state}")


def raised(error: Exception) -> model.Outcome:
    """Of one whose controller failed."""
    if isinstance(error, model.NotBegunError):
        return model.Outcome("failed", f"nothing was begun: {error}"[:_SUMMARY_MAX])
    return model.Outcome("failed", f"the controller failed: {plugins.raised(error)}"[:_SUMMARY_MAX])


def masked(outcome: model.Outcome, masker: secrets.Masker, *, truncated: bool) -> model.Outcome:
    """The outcome as it may be kept. `truncated`: not all of the output is."""
    return dataclasses.replace(
        outcome, truncated=outcome.truncated or truncated, summary=quoting.printed(_text(masker, outcome.summary)),
        result=_result(masker, outcome.result), facts=_facts(masker, outcome.facts),
    )  # fmt: skip


def _text(masker: secrets.Masker, text: str) -> str:
    return masker.whole(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _result(masker: secrets.Masker, result: Any) -> Any:
    """A result with secrets masked; as a text where it is no JSON (a controller is a stranger's code)."""
    try:
        return orjson.loads(masker.whole(orjson.dumps(result, default=str)))
    except (TypeError, ValueError):
        return _text(masker, repr(result)[:RESULT_TEXT_MAX])


def _facts(masker: secrets.Masker, facts: Any) -> dict[str, Any] | None:
    """What an attempt gives to rules, with secrets masked; nothing where it is no mapping."""
    made = _result(masker, dict(facts)) if isinstance(facts, Mapping) else None
    return made if isinstance(made, dict) else None
