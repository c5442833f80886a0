"""Forms that a button opens: which of the requests, and why. Pure; caller: `desk`. What comes back is read by `payloads`."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from healer import inline
from healer.notify.channels import _slack_values as values
from healer.notify.channels import _visible as visible
from healer.web.slack import payloads

OPTION_MAX: Final = 75
END_SHOWN: Final = 20
"""Characters of the end of what is too long: two that begin alike are told apart by it."""
OPTIONS_MAX: Final = 10
"""Boxes of one block."""


class Choice(NamedTuple):
    """A request as it is shown: what it is about, its run, and what its run is given."""

    request: str
    about: str
    run: str
    parameters: Mapping[str, Any] = types.MappingProxyType({})


def deciding(action: str, choices: Sequence[Choice], metadata: str, reason: str = "") -> dict[str, Any]:
    """`action`: `values.APPROVE` (none is chosen yet, a reason may be given) or `values.REJECT` (all are, a reason is a must).

    `reason`: what they said already.
    """
    rejects = action == values.REJECT
    choices = _told_apart(choices)
    made = [*_boxes(choices, ticked=rejects)] if len(choices) > 1 else [_shown(choice) for choice in choices]
    field = {
        "type": "plain_text_input",
        "action_id": payloads.REASON,
        "multiline": True,
        "max_length": payloads.REASON_MAX,
        **({"initial_value": reason[: payloads.REASON_MAX]} if reason else {}),
    }
    made.append({
        "type": "input", "block_id": payloads.REASON, "optional": not rejects, "label": _text("Why"), "element": field,
        "hint": _text("Kept with the request and in the audit"),
    })  # fmt: skip
    word = "Reject" if rejects else "Approve"
    return {
        "type": "modal", "callback_id": action, "title": _text(word), "submit": _text(word), "close": _text("Not now"),
        "private_metadata": metadata, "blocks": made,
    }  # fmt: skip


def _told_apart(choices: Sequence[Choice]) -> list[Choice]:
    """With those parameters beside the run that are not the same for all."""
    texts = [{key: inline.value(value) for key, value in one.parameters.items()} for one in choices]
    keys = dict.fromkeys(key for one in texts for key in one)
    apart = [key for key in keys if len({one.get(key) for one in texts}) > 1]
    return [
        choice._replace(run="  ".join([choice.run, *(f"{key}={text[key]}" for key in apart if key in text)]))
        for choice, text in zip(choices, texts, strict=True)
    ]


def _boxes(choices: Sequence[Choice], *, ticked: bool) -> list[dict[str, Any]]:
    made = []
    for start in range(0, len(choices), OPTIONS_MAX):
        options = [_option(choice) for choice in choices[start : start + OPTIONS_MAX]]
        element = {"type": "checkboxes", "action_id": payloads.WHICH, "options": options}
        made.append({
            "type": "input", "block_id": f"{payloads.WHICH}{start}", "optional": True, "label": _text("Which" if not start else "And"),
            "element": element | ({"initial_options": options} if ticked else {}),
        })  # fmt: skip
    return made


def _option(choice: Choice) -> dict[str, Any]:
    return {"text": _text(_short(choice.about)), "description": _text(_short(choice.run)), "value": choice.request}


def _shown(choice: Choice) -> dict[str, Any]:
    text = {"type": "text", "text": visible.cut(visible.line(f"{choice.about}  {choice.run}"), 1_000)}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [text]}]}


def _short(text: str) -> str:
    shown = visible.line(text).strip() or "–"
    return shown if len(shown) <= OPTION_MAX else f"{shown[: OPTION_MAX - END_SHOWN - 1]}…{shown[-END_SHOWN:]}"


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def wrong(form: payloads.Form) -> dict[str, Any] | None:
    """What Slack is to show beside the fields of a form that cannot be taken; None: it can."""
    found = {}
    if not form.meant:
        found[f"{payloads.WHICH}0"] = "Choose at least one"
    if form.action == values.REJECT and not form.reason:
        found[payloads.REASON] = "Say why"
    return {"response_action": "errors", "errors": found} if found else None
