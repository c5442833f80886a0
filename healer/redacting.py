"""What of a body is never kept: values at paths that a source names (`redact`). Pure.

Callers: `web.hooks`, `web.heavy_child` for large bodies, `supervise.reconciling`, and `simulate`. It is done as soon as a body is parsed:
neither events nor parts in quarantine, nor the kept body, have the values, and rules do not see them.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from healer import errors, model

REDACTED: Final = "[redacted]"
ANY: Final = None
"""In a path: every element of a list, or every value of an object."""
PATH_MAX: Final = 512

_STEP: Final = re.compile(r'([\w@$:-]+|\*)|"((?:[^"\\]|\\["\\])*)"|\[(0|[1-9][0-9]{0,5}|\*)\]')

Step = str | int | None
Path = tuple[Step, ...]


def parse(text: str) -> Path:
    """`alerts[*].labels."my.key"`: as paths of a mapping, and `*` for all elements of a list or all values of an object. `/` before it
    says nothing more: all are from the body on.

    Raises ValueError, which says what is wrong at which character (from 1).
    """
    if len(text) > PATH_MAX:
        raise ValueError(f"no path: it has {len(text)} characters, more than {PATH_MAX}")
    steps: list[Step] = []
    at = int(text.startswith("/"))
    while at < len(text) or not steps:
        dotted = bool(steps) and text[at] == "."
        at += dotted
        found = _STEP.match(text, at)
        if found is None or (steps and (found[3] is None) != dotted):
            wanted = 'keys between dots, others than letters, digits and _-@$: in double quotes, like a.*."b.c"[0]'
            raise ValueError(f"no path at character {at + 1}: {wanted}")
        steps.append(_step(*found.groups()))
        at = found.end()
    return tuple(steps)


def _step(bare: str | None, quoted: str | None, index: str | None) -> Step:
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted)
    if "*" in (bare, index):
        return ANY
    return bare if index is None else int(index)


def paths(written: Iterable[str]) -> tuple[Path, ...]:
    """Each of them read."""
    return tuple(map(parse, written))


def redact(value: Any, wanted: Sequence[Path]) -> bool:
    """Put `REDACTED` in the place of what stands at the paths, in the value itself; whether anything did. A body that is a list is looked
    at element by element too."""
    found = False
    for body in (value, *(value if isinstance(value, list) else ())):
        for path in wanted:
            found |= _within(body, path)
    return found


def _within(value: Any, path: Path) -> bool:
    step, rest = path[0], path[1:]
    found = False
    for key in _keys(value, step):
        if rest:
            found |= _within(value[key], rest)
        elif value[key] is not None and value[key] != REDACTED:
            value[key] = REDACTED
            found = True
    return found


def _keys(value: Any, step: Step) -> Iterable[Any]:
    """The keys of a value that a step means. A position may also be written as a key, `a.0`."""
    if isinstance(value, dict):
        return list(value) if step is ANY else [key for key in (str(step),) if key in value]
    if not isinstance(value, list):
        return ()
    if isinstance(step, str) and step.isascii() and step.isdigit() and len(step) < 7:
        step = int(step)
    return range(len(value)) if step is ANY else [at for at in (step,) if isinstance(at, int) and at < len(value)]


# --- what is read of it ---------------------------------------------------------------------------------------------------

Read = Callable[[Any, Mapping[str, str]], Iterable[Any]]


def read(reader: Read, value: Any, headers: Mapping[str, str], wanted: Sequence[Path]) -> tuple[list[Any], bool]:
    """(what a format makes of a body, whether anything was redacted). The value is changed.

    By what names a delivery or an alert nothing may be taken for another: where that was redacted, a hash of it stands there.
    """
    whole = copy.deepcopy(value) if wanted else None
    if not redact(value, wanted):
        return list(reader(value, headers)), False
    made = list(reader(value, headers))
    try:
        before = list(reader(whole, headers))
    except errors.RequestError:  # it is worded by what is not to be told
        before = []
    return list(_named(made, before)), True


def _named(made: list[Any], before: list[Any]) -> Iterator[Any]:
    for at, one in enumerate(made):
        same = before[at] if len(before) == len(made) else None
        yield as_named(one, same) if isinstance(one, model.Element) else one


def as_named(one: model.Element, before: Any) -> model.Element:
    """What was read of a redacted body, under the names that the whole one gives; of those that are gone a hash."""
    known = before if isinstance(before, model.Element) else model.Element({}, REDACTED, REDACTED)
    said, alert = known.event.get("alert"), one.event.get("alert")
    event = one.event
    if isinstance(alert, dict) and "key" in alert:
        key = said.get("key") if isinstance(said, Mapping) else None
        event = {**event, "alert": {**alert, "key": _instead(alert["key"], key)}}
    return model.Element(event, _instead(one.repeat, known.repeat), _instead(one.delivery, known.delivery))


def _instead(name: Any, before: Any) -> Any:
    """A name; a hash of what it was where that is gone."""
    return name if name == before or not isinstance(before, str) else hashed(before)


def hashed(name: str) -> str:
    """In the place of a name that is not kept."""
    return f"redacted-{model.short_hash(name)}"


def fires(said: model.Fires, wanted: Sequence[Path]) -> model.Fires:
    """An alert as its sender says it when it is asked, without what is not kept."""
    alert = copy.deepcopy(dict(said.alert))
    return dataclasses.replace(said, alert=alert) if redact({"alerts": [alert]}, wanted) else said


def known_as(said: model.Fires) -> model.Fires:
    """The same, known also as it is where its key is not kept."""
    return dataclasses.replace(said, keys=(*said.keys, *map(hashed, said.keys)))
