"""A snapshot as text: JSON in lines that can be read one by one, written and read in small steps, and looked at whether it is one.

Caller: `recovery`. A step takes well under a millisecond: the text of much memory is megabytes, and the loop has to go on meanwhile.
A line is what opens or closes an object or list, a key, or whole values of the list or key before it. Text in one line (of a release
before) is read at once.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Final, Protocol

import orjson
import pydantic

from healer import config
from healer.engine import slices

SHORT: Final = 60
"""A list of no more numbers is written at once: a row of a join has at most as many as its rule has conditions."""
VERSION: Final = 1
TIME_MAX_US: Final = 253_402_300_799_000_000
"""The end of the year 9999: a later one is no time that could be shown."""

# --- writing --------------------------------------------------------------------------------------------------------------


def written(value: Any, pieces: list[bytes]) -> slices.Steps[None]:
    """Its lines: what is long in a snapshot are lists of numbers, and of short lists of numbers."""
    if isinstance(value, dict):
        pieces.append(b"{\n")
        for number, (key, item) in enumerate(value.items()):
            pieces.append((b"," if number else b"") + orjson.dumps(key) + b":\n")
            yield from written(item, pieces)
        pieces.append(b"}\n")
    elif _is_short(value):
        pieces.append(orjson.dumps(value) + b"\n")
    else:
        pieces.append(b"[\n")
        for start in range(0, len(value), slices.CHUNK):
            part = value[start : start + slices.CHUNK]
            if all(map(_is_short, part)):
                pieces.append((b"," if start else b"") + orjson.dumps(part)[1:-1] + b"\n")
            else:
                for number, item in enumerate(part, start):
                    if number:
                        pieces.append(b",")
                    yield from written(item, pieces)
            yield
        pieces.append(b"]\n")


def _is_short(value: Any) -> bool:
    return not isinstance(value, list | dict) or (
        len(value) <= SHORT and isinstance(value, list) and not any(isinstance(item, list | dict) for item in value)
    )


# --- reading --------------------------------------------------------------------------------------------------------------


def read(text: Any) -> slices.Steps[Any]:
    """What was written. Raises ValueError for what is no JSON, or not in such lines."""
    if not isinstance(text, str) or "\n" not in text:
        return orjson.loads(text)
    whole: list[Any] = []
    opened: list[tuple[Any, str]] = [(whole, "")]  # what is open, and the line that closes it
    key: str | None = None
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)]
        at = end + 1 if end >= 0 else len(text)
        inside, closes = opened[-1]
        line = line.removeprefix(",") if key is None else line
        if key is None and closes and line == closes:
            opened.pop()
        elif isinstance(inside, dict) and key is None:
            key = _key(line)
        else:
            fresh: Any = {} if line == "{" else [] if line == "[" else None
            values = orjson.loads(f"[{line}]") if fresh is None else [fresh]
            if isinstance(inside, list):
                inside += values
            else:
                (inside[key],) = values
                key = None
            if fresh is not None:
                opened.append((fresh, "}" if line == "{" else "]"))
        yield
    if len(opened) > 1 or len(whole) != 1:
        raise ValueError("the text of the snapshot is cut off, or more than one")
    return whole[0]


def _key(line: str) -> str:
    found = orjson.loads(line.removesuffix(":")) if line.endswith(":") else None
    if not isinstance(found, str):
        raise ValueError(f"a key of the snapshot is wanted, got {config.shown(line)}")  # noqa: TRY004 - junk is one error
    return found


# --- its shape ------------------------------------------------------------------------------------------------------------

_Text = Annotated[str, pydantic.Strict()]
_Number = Annotated[int, pydantic.Strict(), pydantic.Field(ge=-(2**63), lt=2**63)]
_Row = Annotated[int, pydantic.Strict(), pydantic.Field(ge=0, lt=2**63)]
_Time = Annotated[int, pydantic.Strict(), pydantic.Field(ge=0, le=TIME_MAX_US)]
_Flag = Annotated[int, pydantic.Strict(), pydantic.Field(ge=0, le=1)]


class _Counters(pydantic.BaseModel):
    windows_evicted: _Number
    events_evicted: _Number
    matches_cut: _Number
    facts_refused: _Number
    comparisons_broken: _Number


class _Shape(Protocol):
    def steps(self, value: Any, where: str) -> slices.Steps[None]:
        """Raises ValueError for what is no such thing."""
        ...


class _Of:
    """A small thing of a type."""

    def __init__(self, kind: Any) -> None:
        self._adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(kind)

    def steps(self, value: Any, where: str) -> slices.Steps[None]:
        self.check(value, where)
        yield from ()

    def check(self, value: Any, where: str) -> None:
        try:
            self._adapter.validate_python(value)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            below = ".".join(map(str, (where, *first["loc"])))
            raise ValueError(f"{config.shown(below)}: {first['msg']}, got {config.shown(first['input'])}") from None


class _Many:
    """A list of small things, as long as it may be."""

    def __init__(self, kind: Any) -> None:
        self._part = _Of(list[kind])

    def steps(self, value: Any, where: str) -> slices.Steps[None]:
        if not isinstance(value, list) or len(value) <= slices.CHUNK:
            self._part.check(value, where)
            return
        for start in range(0, len(value), slices.CHUNK):
            self._part.check(value[start : start + slices.CHUNK], where)
            yield


@dataclasses.dataclass(frozen=True, slots=True)
class _Each:
    """A list of things that may be long themselves."""

    part: _Shape

    def steps(self, value: Any, where: str) -> slices.Steps[None]:
        for item in _list(value, where):
            yield from self.part.steps(item, where)
            yield


@dataclasses.dataclass(frozen=True, slots=True)
class _Parts:
    """A list of one thing of each shape; of several the one with as many."""

    shapes: tuple[tuple[_Shape, ...], ...]

    def steps(self, value: Any, where: str) -> slices.Steps[None]:
        found = _list(value, where)
        shape = next((one for one in self.shapes if len(one) == len(found)), None)
        if shape is None:
            wanted = " or ".join(str(len(one)) for one in self.shapes)
            raise ValueError(f"{config.shown(where)}: a list of {wanted} is wanted, got {config.shown(value)}")
        for number, (one, item) in enumerate(zip(shape, found, strict=True)):
            yield from one.steps(item, f"{where}.{number}")


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{config.shown(where)}: a list is wanted, got {config.shown(value)}")  # noqa: TRY004 - junk is one error
    return value


_NAME = _Of(_Text)
_NUMBER = _Of(_Number)
_PLACES = _Many(_Row)
_BRANCH = _Parts(((_NUMBER, _Many(list[_Row]), _Many(tuple[_Number, _Row]), _PLACES),))
_CHAIN = _Parts(((_PLACES, _Each(_BRANCH), _PLACES),))
_STANDS = _Many(tuple[_Row, _Row, _Time])
_TIMER = _Parts((
    (_Of(_Time), _Many(tuple[_Row, _Row])), (_STANDS, _STANDS, _Many(_Time), _Many(list[_Row]), _PLACES, _Of(_Row)),
))  # fmt: skip
_SESSION: Final[dict[str, _Shape]] = {
    "format": _NUMBER,
    "now_us": _Of(_Time),
    "ready": _Many(tuple[_Text, _Text]),
    "entries": _Many(tuple[_Row, _Time, _Flag]),
    "facts": _PLACES,
    "chains": _Each(_Parts(((_NAME, _NAME, _CHAIN),))),
    "timers": _Each(_Parts(((_NAME, _NAME, _TIMER),))),
    "windows": _Each(_Parts(((_NAME, _NAME, _Many(tuple[_Row, _Time, _Row])),))),
    "counters": _Of(_Counters),
}
"""What `engine.Session.snapshot` gives."""
_ENDED: Final = _Of(dict[_Text, _Row])


def checked(held: Any) -> slices.Steps[dict[str, Any]]:
    """The snapshot, if it has the shape of one: half of it put back would fail much later, at each event. Raises ValueError."""
    if not isinstance(held, dict):
        raise ValueError(f"the snapshot is no object but {config.shown(held)}")  # noqa: TRY004 - junk is one error, whatever it is
    if held.get("version") != VERSION:
        raise ValueError(f"the snapshot has version {config.shown(held.get('version'))}, this program reads {VERSION}")
    _ENDED.check(held.get("ended"), "ended")
    sessions = held.get("sessions")
    if not isinstance(sessions, dict):
        raise ValueError(f"sessions: an object is wanted, got {config.shown(sessions)}")  # noqa: TRY004 - junk is one error
    for name, session in sessions.items():
        if not isinstance(session, dict):
            raise ValueError(f"{config.shown(name)}: an object is wanted, got {config.shown(session)}")  # noqa: TRY004 - as above
        for key, shape in _SESSION.items():
            yield from shape.steps(session.get(key), f"sessions.{name}.{key}")
    return held
