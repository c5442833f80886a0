"""What `explain` and `simulate` say, as Markdown for a comment on a pull request: the same lines as on a terminal, in blocks of
code, and conditions as lists.

Everything in them came from outside, and whoever sends an event must not be able to write a link, an image, HTML or an @mention into
somebody's review. So all of it stands in code, where no Markdown, no HTML, no mention, reference or formula is read (GFM 4.5, 6.3; GitHub
and GitLab leave `<code>` alone in what they add to that), and no text of it can end its code: the fence is longer than any run of
backticks in it, and hidden characters are written out before (`terminal.clean`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import click

from healer.cli import terminal

CHARACTERS_MAX: Final = 60_000
"""GitHub takes 65,536 in a comment."""
LINES_MAX: Final = 200
LINE_MAX: Final = 400
DEPTH_MAX: Final = 20
"""Of a list in lists; what is deeper stands at this depth."""
PLAIN: Final = " ,.:;/()-="
_TICKS: Final = re.compile("`+")


class Branch(NamedTuple):
    """A line of a condition. `mark` is ours and says whether it held, `seen` what it saw."""

    depth: int
    mark: str
    text: str
    seen: str


class Part(NamedTuple):
    """What is said of one rule: its first line is its title. `shown`: else it is folded away; `tree`: its condition."""

    lines: list[str]
    shown: bool
    tree: Sequence[Branch] = ()


def document(title: str, head: Iterable[str], parts: Iterable[Part], tail: Iterable[str] = ()) -> Iterator[str]:
    """The lines of a document: a heading, what holds for all, a block for each part. `title` is ours, all else is not."""
    yield f"### {title}"
    size = 0
    yield from _block(list(head))
    left_out = 0
    for part in parts:
        made = list(_part(part))
        size += sum(len(line) + 1 for line in made)
        if size > CHARACTERS_MAX:
            left_out += 1
        else:
            yield from made
    if left_out:
        yield f"\n… and {left_out} more, which would not fit a comment: `--json` has all of it"
    yield from _block(list(tail))


def code(text: object) -> str:
    """A text as a code span that it cannot end."""
    cleaned = terminal.cut(terminal.clean(click.unstyle(str(text))), LINE_MAX)
    ticks = "`" * (_longest(cleaned) + 1)
    space = " " if not cleaned.strip() or cleaned[0] in "` " or cleaned[-1] in "` " else ""
    return f"{ticks}{space}{cleaned or '–'}{space}{ticks}"


def _part(part: Part) -> Iterator[str]:
    """A rule: its verdict, and what led to it."""
    first, *rest = part.lines or ["?"]
    if part.shown or not (rest or part.tree):
        yield f"\n#### {code(first)}"
        yield from _list(part.tree)
        yield from _block(rest)
        return
    yield f"\n<details><summary><code>{_entities(first)}</code></summary>"
    yield from _list(part.tree)
    yield from _block(rest)
    yield "\n</details>"


def _list(tree: Sequence[Branch]) -> Iterator[str]:
    """A condition as a list in lists; its texts and values are spans of code."""
    if not tree:
        return
    yield ""
    for branch in tree[:LINES_MAX]:
        seen = f" {code(branch.seen)}" if branch.seen else ""
        yield f"{'  ' * min(branch.depth, DEPTH_MAX)}- {branch.mark} {code(branch.text)}{seen}"
    if len(tree) > LINES_MAX:
        yield f"- … and {len(tree) - LINES_MAX} more lines"


def _entities(text: str) -> str:
    """A text within HTML: all but letters, digits and plain punctuation as character references, which no reader takes for anything."""
    cleaned = terminal.cut(terminal.clean(click.unstyle(text)), LINE_MAX)
    return "".join(char if char.isalnum() or char in PLAIN else f"&#{ord(char)};" for char in cleaned)


def _block(texts: list[str]) -> Iterator[str]:
    """Lines as a block of code."""
    lines = [line for text in texts for line in click.unstyle(text).split("\n")]
    if not any(line.strip() for line in lines):
        return
    if len(lines) > LINES_MAX:
        lines = [*lines[:LINES_MAX], f"… and {len(lines) - LINES_MAX} more lines"]
    lines = [terminal.cut(terminal.clean(line), LINE_MAX) for line in lines]
    fence = "`" * max(3, max(map(_longest, lines)) + 1)
    yield f"\n{fence}text"
    yield from lines
    yield fence


def _longest(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
