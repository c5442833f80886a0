"""What Slack takes as Block Kit: kinds, keys and lengths, as docs.slack.dev ("Block Kit", "Views") states them. Whoever breaks them is
answered `invalid_blocks` there, after the fact; here it is known at once. Caller: `fake_slack`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

RICH_MAX = 4_000
_DATE_TOKENS = re.compile(r"\{([a-z_]+)\}")
_DATES = {
    "date_num", "date_slash", "date", "date_long", "date_long_full", "date_long_pretty", "date_pretty", "date_short", "date_short_pretty",
    "day_divider_pretty", "time", "time_secs", "ago",
}  # fmt: skip


class Invalid(Exception):
    """Slack would not take it."""


def want(condition: object, what: str) -> None:
    if not condition:
        raise Invalid(what)


def keys(value: Any, what: str, needed: str, others: str = "") -> None:
    """An object with these keys and no other."""
    want(isinstance(value, dict), f"{what} is no object")
    must, may = set(needed.split()), set(others.split())
    want(must <= value.keys(), f"{what} lacks {', '.join(must - value.keys())}")
    want(value.keys() <= must | may, f"{what} has unknown keys {', '.join(value.keys() - must - may)}")


def text(value: Any, what: str, most: int, kinds: tuple[str, ...] = ("plain_text",)) -> None:
    keys(value, what, "type text", "emoji verbatim")
    want(value["type"] in kinds, f"{what} is {value['type']}")
    want(
        isinstance(value["text"], str) and 1 <= len(value["text"]) <= most,
        f"{what} has {len(value['text'])} characters",
    )
    want("verbatim" not in value or value["type"] == "mrkdwn", f"{what}: verbatim is of mrkdwn")
    want("emoji" not in value or value["type"] == "plain_text", f"{what}: emoji is of plain_text")


def blocks(
    found: Any,
    most: int = 50,
    kinds: tuple[str, ...] = ("section", "header", "context", "actions", "rich_text", "divider"),
) -> None:
    """The blocks of a message."""
    want(isinstance(found, list) and 1 <= len(found) <= most, "so many blocks")
    ids = [one.get("block_id") for one in found if one.get("block_id")]
    want(len(ids) == len({*ids}), "block_id is there twice")
    for one in found:
        want(len(one.get("block_id", "")) <= 255, "block_id is too long")
        want(one.get("type") in kinds, f"a block {one.get('type')}")
        _BLOCKS[one["type"]](one)


def view(found: Any) -> None:
    """A modal."""
    keys(found, "view", "type title blocks", "submit close private_metadata callback_id notify_on_close clear_on_close")
    want(found["type"] == "modal", "a view that is no modal")
    for part in ("title", "submit", "close"):
        if part in found:
            text(found[part], part, 24)
    want(len(found.get("private_metadata", "")) <= 3_000, "private_metadata is too long")
    want(len(found.get("callback_id", "")) <= 255, "callback_id is too long")
    blocks(found["blocks"], 100, ("section", "header", "context", "actions", "rich_text", "divider", "input"))
    want("submit" in found or all(one["type"] != "input" for one in found["blocks"]), "inputs without submit")


def _section(one: Any) -> None:
    keys(one, "section", "type", "text fields block_id")
    want("text" in one or "fields" in one, "an empty section")
    if "text" in one:
        text(one["text"], "section.text", 3_000, ("plain_text", "mrkdwn"))
    want(len(one.get("fields", [])) <= 10, "more than 10 fields")
    for field in one.get("fields", []):
        text(field, "field", 2_000, ("plain_text", "mrkdwn"))


def _header(one: Any) -> None:
    keys(one, "header", "type text", "block_id")
    text(one["text"], "header", 150)


def _context(one: Any) -> None:
    keys(one, "context", "type elements", "block_id")
    want(1 <= len(one["elements"]) <= 10, "context has so many elements")
    for element in one["elements"]:
        text(element, "context", 2_000, ("plain_text", "mrkdwn"))


def _actions(one: Any) -> None:
    keys(one, "actions", "type elements", "block_id")
    want(1 <= len(one["elements"]) <= 25, "actions has so many elements")
    ids = [element.get("action_id") for element in one["elements"]]
    want(len(ids) == len({*ids}), "action_id is there twice")
    for element in one["elements"]:
        keys(element, "button", "type text action_id", "value url style confirm accessibility_label")
        want(element["type"] == "button", "only buttons are known here")
        text(element["text"], "button", 75)
        want(len(element["action_id"]) <= 255, "action_id is too long")
        want(1 <= len(element.get("value", "v")) <= 2_000, "value of a button")
        want(1 <= len(element.get("url", "u")) <= 3_000, "url of a button")
        want(element.get("style", "primary") in ("primary", "danger"), "style of a button")


def _rich_text(one: Any) -> None:
    keys(one, "rich_text", "type elements", "block_id")
    want(one["elements"], "an empty rich_text")
    size = 0
    for section in one["elements"]:
        keys(section, "rich_text element", "type elements", "border language")
        want(section["type"] in ("rich_text_section", "rich_text_preformatted", "rich_text_quote"), section["type"])
        want(section["elements"], f"an empty {section['type']}")
        for element in section["elements"]:
            size += _rich_element(element, section["type"])
    want(size <= RICH_MAX, f"rich_text has {size} characters")


def _rich_element(element: Any, where: str) -> int:
    kind = element.get("type")
    if kind == "text":
        keys(element, "text", "type text", "style")
        want(isinstance(element["text"], str) and element["text"], "an empty text")
        want(set(element.get("style", {})) <= {"bold", "italic", "strike", "code"}, "a style")
        return len(element["text"])
    want(where == "rich_text_section" or kind == "link", f"{kind} in {where}")
    if kind == "emoji":
        keys(element, "emoji", "type name")
        want(re.fullmatch(r"[a-z0-9_+-]+", element["name"]), "the name of an emoji")
    elif kind == "date":
        keys(element, "date", "type timestamp format", "fallback url style")
        want(isinstance(element["timestamp"], int) and 0 <= element["timestamp"] < 1 << 36, "the time of a date")
        tokens = _DATE_TOKENS.findall(element["format"])
        want(tokens and {*tokens} <= _DATES, "the format of a date")
    elif kind == "link":
        keys(element, "link", "type url", "text style")
    else:
        raise Invalid(f"{kind} is nothing that healer may write: it would notify somebody")
    return 20


def _input(one: Any) -> None:
    keys(one, "input", "type label element", "block_id optional hint dispatch_action")
    text(one["label"], "label", 2_000)
    if "hint" in one:
        text(one["hint"], "hint", 2_000)
    element = one["element"]
    want(len(element.get("action_id", "")) <= 255, "action_id is too long")
    if element.get("type") == "plain_text_input":
        keys(element, "input", "type action_id", "multiline min_length max_length placeholder initial_value")
        want(
            0 <= element.get("min_length", 0) <= 3_000 and 1 <= element.get("max_length", 1) <= 3_000,
            "lengths of an input",
        )
    elif element.get("type") == "checkboxes":
        keys(element, "checkboxes", "type action_id options", "initial_options")
        want(1 <= len(element["options"]) <= 10, "checkboxes has so many options")
        values = [_option(option) for option in element["options"]]
        want(len(values) == len({*values}), "options with one value")
        want(all(option in element["options"] for option in element.get("initial_options", [])), "initial_options")
        want(element.get("initial_options", [0]), "initial_options is empty")
    else:
        raise Invalid(f"an input {element.get('type')}")


def _option(option: Any) -> str:
    keys(option, "option", "text value", "description")
    text(option["text"], "option", 75, ("plain_text", "mrkdwn"))
    if "description" in option:
        text(option["description"], "description", 75, ("plain_text", "mrkdwn"))
    want(1 <= len(option["value"]) <= 150, "the value of an option")
    return str(option["value"])


_BLOCKS: dict[str, Callable[[Any], None]] = {
    "section": _section, "header": _header, "context": _context, "actions": _actions, "rich_text": _rich_text, "input": _input,
    "divider": lambda one: keys(one, "divider", "type", "block_id"),
}  # fmt: skip
