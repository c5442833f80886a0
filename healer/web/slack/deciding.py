"""A person's word on requests, said in Slack: the same unit and permissions as that of the API. Callers: `desk`, `naming`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from healer import access, errors
from healer.notify.channels import _slack_values as values
from healer.store import reviewing, transaction
from healer.web import approvals, shapes, within
from healer.web.services import Services
from healer.web.slack import forms, payloads
from healer.web.slack.telling import Said

TOLD_MAX: Final = 5
_NAMING: Final = frozenset({errors.Forbidden.code, reviewing.MayNotApprove.code, within.NobodyKnown.code})
"""Errors that begin with somebody's name."""
_WORDS: Final[Mapping[str, reviewing.Word]] = {values.APPROVE: "approve", values.REJECT: "reject"}


def meant(value: str) -> tuple[values.Meant, ...]:
    """The requests of a button. Raises `payloads.Unreadable`."""
    try:
        return values.read(value)
    except ValueError:
        raise payloads.Unreadable(what="the value of a button of ours") from None


async def say(
    services: Services, who: access.Principal, action: str, asks: Iterable[values.Meant], reason: str, *, private: bool = False
) -> Said:  # fmt: skip
    """What there is to tell them; nothing where the message shows what came of it, which one that only they see (`private`) does not.

    Raises `errors.Forbidden`.
    """
    digests = {one.request: one.digest for one in asks}
    made = await approvals.say_many(services, who, [*digests], _WORDS[action], reason, digests)
    return Said("\n".join([*(_became(made) if private else ()), *_told(made)]))


def _became(made: Mapping[str, Any]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for item in made["items"]:
        if not item["stood"] and item["state"] != "void":
            alike.setdefault(now(item), []).append(item["id"])
    return [f"{', '.join(ids)}: {words}" for words, ids in alike.items()]


def now(item: Mapping[str, Any]) -> str:
    """What a word on a request came to."""
    return "your word counts, more are wanted" if item["state"] == "open" else str(item["state"])


def _told(made: Mapping[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    for item in made["items"]:
        if item["stood"]:
            found[f"You said something on {item['id']} before, and that stands."] = None
        elif item["state"] == "void":
            found[f"{item['id']} is void: what was asked for is something else now."] = None
    for item in made["refused"]:
        found[f"{sentence(item['code'], item['detail'])}."] = None
    lines = [*found]
    return lines[:TOLD_MAX] + ([f"… and {len(lines) - TOLD_MAX} more"] if len(lines) > TOLD_MAX else [])


def sentence(code: str, text: str) -> str:
    """What an error says, as a sentence. One that begins with who it is leaves the name as it is."""
    return text if code in _NAMING else f"{text[:1].upper()}{text[1:]}"


async def choices(services: Services, asks: Sequence[values.Meant]) -> list[forms.Choice]:
    """The requests as a form shows them, with what their runs are about now."""
    made = []
    for one in asks:
        rows = await services.store.reader.all("approval_shown", one.request)
        if rows:
            names = await services.store.reader.all("run_targets_in", rows[0]["run"])
            about = ", ".join(name["target"].removeprefix("host:") for name in names) or rows[0]["action"]
            given = transaction.loads(rows[0]["parameters"])
            made.append(forms.Choice(one.request, about, rows[0]["run"][: shapes.SHORT], given))
    if not made:
        raise errors.NotFound("healer approvals", what="what the button is for")
    return made
