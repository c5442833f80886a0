"""Checks of mappings that an operator wrote: known keys, required keys, types; with place, near name, and all at once.

Callers: the other modules of this room.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from healer import config, errors, model

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float), "object": (dict,),
    "list": (list,), "null": (type(None),),
}  # fmt: skip
_SHOWN: Final = {
    "string": "a text", "boolean": "true or false", "integer": "a whole number", "number": "a number",
    "object": "a mapping", "list": "a list", "null": "nothing",
}  # fmt: skip


def keys(
    document: config.Document, found: config.Map, known: Iterable[str], required: Iterable[str], what: str
) -> bool:
    """Whether the mapping has only known keys and all required ones; says what is wrong."""
    known, good = tuple(known), True
    for key in found:
        if key not in known:
            near = errors.nearest(str(key), known) or "known: " + ", ".join(known)
            document.error("unknown-key", f"{what} has no key {key!r}", found.keys_at.get(key), near)
            good = False
    for key in required:
        if key not in found:
            document.error("missing-key", f"{what} needs the key {key!r}", found.mark, f"add {key}: …")
            good = False
    return good


def is_a(value: Any, kind: str) -> bool:
    """Whether a value is of one of the types in `kind` (`string|object`); true is no number."""
    for one in kind.split("|"):
        if isinstance(value, bool):
            if one == "boolean":
                return True
        elif isinstance(value, _TYPES[one]) or (one == "integer" and isinstance(value, float) and value.is_integer()):
            return True
    return False


def typed(document: config.Document, found: config.Map, key: str, kind: str, what: str = "") -> bool:
    """Whether `found[key]` is of a type; true where the key is not there."""
    if key not in found or is_a(found[key], kind):
        return True
    wanted = " or ".join(_SHOWN[one] for one in kind.split("|"))
    wrong_type(document, found.values_at.get(key), what or str(key), found[key], wanted)
    return False


def wrong_type(document: config.Document, mark: config.Mark | None, what: str, got: Any, wanted: str) -> None:
    """Say that a value has the wrong type."""
    quotes = "a text" in wanted and isinstance(got, bool | int | float)  # YAML reads off, no, 1.0 as no texts
    try_ = "put quotes around it" if quotes else ""
    document.error("wrong-type", f"{what} has to be {wanted}, got {shown(got)}", mark, try_)


def shown(value: Any) -> str:
    """A value in a message: short, and by its type where it is large."""
    if isinstance(value, model.Reference):
        return "a vaulted text"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = config.shown(value) if isinstance(value, str) else f"the number {value}"
    return text if len(text) <= 60 else text[:57] + "…"
