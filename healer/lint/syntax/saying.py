"""What Ansible's syntax check said, as what it is: a mistake at a place, a collection that is missing, or nothing that can be judged here.

Its form is that of people: ansible-core 2.19 and later have `Origin: FILE:LINE:COLUMN` below the sentence, those before have `The error
appears to be in 'FILE': line L, column C`. What is understood can be kept, and is read back strictly.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable, Collection
from typing import Any, Final, Literal

from healer import quoting

Kind = Literal["error", "collection", "unjudged"]
KINDS: Final = ("error", "collection", "unjudged")
MESSAGE_MAX: Final = 300
NUMBER_MAX: Final = 10_000_000
LINES_MAX: Final = 4_000
UNEXPECTED: Final = 250
"""The exit code of Ansible where it is Ansible itself that failed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `code`: None where it was ended; then `why` says what for. `text`: what it wrote to standard error."""

    code: int | None
    text: str
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that was said. `file`: of the project, '' where none is named; line and column from 1, 0 where they are not.

    `name`: of the collection that is missing. `passing`: it is about this moment, and is not kept.
    """

    kind: Kind
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    name: str = ""
    passing: bool = False


_FIRST: Final = re.compile(r"^(?:\[ERROR\]:|ERROR!)\s*(.*)$")
_ORIGIN: Final = re.compile(r"^Origin: (.+?)(?::(\d+))?(?::(\d+))?$", re.MULTILINE)
_APPEARS: Final = re.compile(r"The error appears to (?:be|have been) in '(.+?)':\s+line\s+(\d+),\s+column\s+(\d+)")
_ENDS: Final = ("Origin: ", "The error appears", "<<< caused by >>>", "The offending line", "[WARNING]", "[DEPRECATION")
_OFTEN: Final = re.compile(
    r"\.\s+(?:This often indicates|If you are using a module and expect)\b.*|(?<=' was not found) in .*"
)
_LOCKED: Final = re.compile(r"no vault secrets|Decryption failed|vault password|Vault password|vault-id", re.IGNORECASE)
_UNKNOWN: Final = re.compile(r"'[^']*' is undefined|has no attribute '")
_MISSING: Final = re.compile(
    r"(?:couldn't resolve module/action|the role|the playbook|could not find or access) '(?:\S*/)?([\w.]+)'",
    re.IGNORECASE,
)
_UNRESOLVED: Final = re.compile(r"couldn't resolve module/action|the role '.*' was not found")


def understood(
    ended: Ended, root: pathlib.Path, files: Collection[str], lacks: Callable[[str], str], *, elsewhere: bool
) -> Complaint | None:
    """What the check of one playbook says; None: it is sound. `lacks(name)`: the collection of a full name, where it is not installed.

    `root`: the folder that its paths lie in. `elsewhere`: playbooks run on another machine, which may have what is missing here.
    """
    if ended.code is None:
        return unjudged(ended.why)
    if ended.code == 0:
        return None
    text = ended.text.replace(f"{root}/", "").replace(str(root), ".")
    sentence = _sentence(text)
    file, line, column = _place(text, files)
    if not sentence or ended.code == UNEXPECTED:
        return unjudged(f"it ended with {ended.code}: {sentence or _last(text)}")
    if _LOCKED.search(sentence):
        return dataclasses.replace(unjudged(f"{sentence} (its vault password is needed)"), file=file)
    if _UNKNOWN.search(sentence):
        return Complaint("unjudged", f"{sentence}, which a run may be given", file, line, column)
    named = _MISSING.search(sentence)
    missing = lacks(named[1]) if named else ""
    if elsewhere and _UNRESOLVED.search(sentence):
        return Complaint("unjudged", f"{sentence}; playbooks run on another machine", file, line, column)
    return Complaint("collection" if missing else "error", sentence, file, line, column, missing)


def unjudged(why: str) -> Complaint:
    """That nothing can be said, just now."""
    return Complaint("unjudged", _short(why), passing=True)


def _sentence(text: str) -> str:
    """What it says first of an error, on one line; '' where it marks none."""
    lines = iter(text.splitlines()[:LINES_MAX])
    found = next(filter(None, map(_FIRST.match, lines)), None)
    said = [found[1]] if found else []
    for line in lines:
        if not line.strip() or line.startswith(_ENDS):
            break
        said.append(line)
    return _short(" ".join(said))


def _last(text: str) -> str:
    """The last line that is no warning."""
    said = [line for line in text.splitlines()[-LINES_MAX:] if line.strip() and not line.startswith(_ENDS)]
    return _short(said[-1]) if said else "it said nothing"


def _short(text: str) -> str:
    """On one line, without secrets and what Ansible says in general."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    plain = _OFTEN.sub("", " ".join(plain.split()))
    said = quoting.said(quoting.printed(plain)).rstrip(". ")
    return said if len(said) <= MESSAGE_MAX else said[: MESSAGE_MAX - 1] + "…"


def _place(text: str, files: Collection[str]) -> tuple[str, int, int]:
    """The last place that it names in the project: of an error that is caused by another that is where the other is."""
    found = ("", 0, 0)
    for one in (*_ORIGIN.finditer(text), *_APPEARS.finditer(text)):
        numbers = [min(int(number or 0), NUMBER_MAX) if len(number or "") < 9 else 0 for number in one.groups()[1:]]
        if one[1] in files and (numbers[0] or not found[1]):
            found = (one[1], numbers[0], numbers[1])
    return found


# --- as it is kept ----------------------------------------------------------------------------------------------------------


def to_keep(said: Complaint | None) -> list[object]:
    """As JSON; empty: it is sound."""
    return [] if said is None else [said.kind, said.message, said.file, said.line, said.column, said.name]


def of_kept(value: Any, files: Collection[str]) -> tuple[Complaint, ...] | None:
    """What was kept, none where it is sound; None where it is nothing that `to_keep` made of a project with these files."""
    if not isinstance(value, list):
        return None
    if not value:
        return ()
    if len(value) != 6 or not all(isinstance(one, str) for one in (*value[:3], value[5])):
        return None
    kind, message, file, line, column, name = value
    numbers = all(type(one) is int and 0 <= one <= NUMBER_MAX for one in (line, column))
    shown = message.isprintable() and 0 < len(message) <= MESSAGE_MAX and message == quoting.said(message)
    named = re.fullmatch(r"[a-z0-9_]{1,100}\.[a-z0-9_]{1,100}", name) if kind == "collection" else name == ""
    if kind not in KINDS or not numbers or not shown or not named or (file and file not in files):
        return None
    return (Complaint(kind, message, file, line, column, name),)
