"""The filters that ansible-rulebook gives to templates beyond Jinja's own (1.3.2), with bounds. Caller: `templates`.

A pattern is an operator's, the text most often an event's: both run in linear time.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

RESULT_MAX: Final = 1 << 20
PATTERN_MAX: Final = 1000
_GROUP: Final = re.compile(r"\\(?:g<(\w+)>|([0-9]{1,2})|(.))", re.DOTALL)
_TRUE: Final = frozenset({"true", "yes", "1", "on", "t", "y"})
_FALSE: Final = frozenset({"false", "no", "0", "off", "f", "n", ""})


def regex_replace(
    value: Any, pattern: str, replacement: str, count: int = 0, ignore_case: bool = False, multiline: bool = False,
    mandatory_count: int = 0,
) -> str:  # fmt: skip
    """The text with what the pattern finds replaced; a null is ''. ValueError for fewer than `mandatory_count`, and beyond a bound."""
    if value is None:
        return ""
    if len(pattern) > PATTERN_MAX:
        raise ValueError(f"a pattern has at most {PATTERN_MAX} characters")
    options = re2.Options()
    options.case_sensitive, options.log_errors = not ignore_case, False
    try:
        found = re2.compile(f"(?m){pattern}" if multiline else pattern, options=options)
    except re2.error as error:
        raise ValueError(f"the pattern {pattern!r} cannot be used: {error}") from None
    text, made, at, times, length = str(value), [], 0, 0, 0
    for match in found.finditer(text):
        if count and times >= count:
            break
        times += 1
        made += [text[at : match.start()], _filled(replacement, match)]
        length += len(made[-1])
        if length > RESULT_MAX:
            raise ValueError(f"the result is longer than {RESULT_MAX}")
        at = match.end()
    if times < mandatory_count:
        raise ValueError(f"{mandatory_count} replacements are wanted, {times} were found")
    return "".join(made) + text[at:]


def _filled(replacement: str, match: Any) -> str:
    r"""The replacement with `\\1` and `\\g<name>` filled in."""

    def one(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name is None:
            return {"n": "\n", "t": "\t", "r": "\r"}.get(found[3], found[3] if not found[3].isalpha() else found[0])
        return match.group(int(name) if name.isdigit() else name) or ""

    return _GROUP.sub(one, replacement)


def basename(value: Any) -> str:
    """The last name of a path."""
    return "" if value is None else os.path.basename(str(value))  # noqa: PTH119 - a text of any system


def dirname(value: Any) -> str:
    """All but the last name of a path."""
    return "" if value is None else os.path.dirname(str(value))  # noqa: PTH120


def normpath(value: Any) -> str:
    """A path without what says nothing."""
    return "" if value is None else os.path.normpath(str(value))


def boolean(value: Any) -> bool:
    """`yes`, `on`, `1` … and `no`, `off`, `0` … as truth values; ValueError for another text."""
    if not isinstance(value, str):
        return bool(value)
    word = value.lower().strip()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{value[:80]!r} is no boolean: true/false, yes/no, 1/0, on/off, t/f, y/n")
    return word in _TRUE


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "regex_replace": regex_replace, "basename": basename, "dirname": dirname, "normpath": normpath, "bool": boolean,
}  # fmt: skip
