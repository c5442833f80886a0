"""Java's regular expressions on google-re2, which matches in linear time whatever the text is.

Callers: `leaves` and `gates` (to compile) and `healer.rulebook` (to refuse a pattern where it stands). How a pattern is written in re2's
dialect is in `dialect`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

from healer.engine import dialect
from healer.engine.classes import Bad, Unsupported

__all__ = ["Bad", "SearchSet", "Unsupported", "finder", "options", "translate"]

LENGTH_MAX: Final = 10_000
MEMORY_MAX: Final = 64 << 20

Finder = Callable[[str], bool]
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z-]+\)")
_START: Final = re.compile(r"(?:\^|\\A)(?![*?{])|\.\*")
_OPENED: Final = re.compile(r"\((?:\?(?:[a-zA-Z-]*:|<[a-zA-Z][a-zA-Z0-9]*>|>))?(?!\?)")
_PLAIN: Final = re.compile(r"[^\\^$.|?*+()\[\]{}]*")


def translate(pattern: str, *, anchored: bool = False, ignorecase: bool = False, multiline: bool = False) -> str:
    """The pattern in re2's dialect. Raises `Bad` or `Unsupported` with a reason.

    `anchored`: as the peer does it, with a `^` before it, so that of alternatives only the first has to be at the start (measured).
    """
    if len(pattern) > LENGTH_MAX:
        raise Unsupported(f"the pattern has {len(pattern)} characters, at most {LENGTH_MAX} are taken")
    flags = ("i" if ignorecase else "") + ("m" if multiline else "")
    return dialect.Translation("^" + pattern if anchored else pattern, flags).all()


def loose(pattern: str) -> bool:
    """Whether `match` finds one of the alternatives of a pattern elsewhere than at the start: any but the first that does not say `^`."""
    found = dialect.groups(pattern)
    return not all(_at_start(pattern, found, bar + 1) for bar in found[-1].bars)


def _at_start(pattern: str, found: Mapping[int, dialect.Group], at: int) -> bool:
    """Whether what stands there begins at the start of a text, or with anything at all."""
    while flags := _FLAGS.match(pattern, at):
        at = flags.end()
    if _START.match(pattern, at):
        return True
    group, opened = found.get(at), _OPENED.match(pattern, at)
    if group is None or opened is None or pattern[group.close + 1 : group.close + 2] in ("*", "?", "{"):
        return False
    return all(_at_start(pattern, found, one) for one in (opened.end(), *(bar + 1 for bar in group.bars)))


def options(memory: int = MEMORY_MAX) -> Any:
    """Options of re2: no lines on standard error, a bound on memory (bytes)."""
    made = re2.Options()
    made.log_errors = False
    made.max_mem = memory
    return made


def finder(
    pattern: str, *, anchored: bool, ignorecase: bool = False, multiline: bool = False, memory: int = MEMORY_MAX
) -> Finder:
    """A function that says whether the pattern is in a text: at its start where `anchored` (see `translate`), else anywhere.

    Raises `Bad` or `Unsupported`. A pattern without special characters is looked for without an expression.
    """
    if not ignorecase and not (anchored and multiline) and (plain := _PLAIN.fullmatch(pattern)):
        return _plain(plain[0], anchored)
    translated = translate(pattern, anchored=anchored, ignorecase=ignorecase, multiline=multiline)
    try:
        re2.compile(translated, options(memory))
    except re2.error as error:
        text = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        kind = Unsupported if "repetition size" in text or "too large" in text else Bad
        raise kind(text) from None
    looked_for = SearchSet(options(memory), [translated])
    return lambda text: bool(looked_for.match(text))


class SearchSet:
    """Several translated patterns looked for at once. Also for one: re2's set is the quickest way in from Python."""

    __slots__ = ("_set",)

    def __init__(self, options_: Any, translated: list[str]) -> None:
        self._set = re2.Set.SearchSet(options_)
        for pattern in translated:
            self._set.Add(pattern)
        self._set.Compile()

    def match(self, text: str) -> list[int]:
        """The numbers of the patterns found. Half a surrogate pair in the text is looked at as a question mark."""
        try:
            return self._set.Match(text) or []
        except UnicodeEncodeError:
            return self._set.Match(text.encode("utf-8", "replace")) or []


def _plain(needle: str, anchored: bool) -> Finder:
    if anchored:
        return lambda text: text.startswith(needle)
    return lambda text: needle in text
