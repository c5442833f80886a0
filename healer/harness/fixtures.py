"""What a test keeps in a file of its own: `{$file: PATH}` in the place of an event, a body, a fact. Caller: `suite`.

Only JSON, and only of files in the project: a test must not be a way to read anything else of a machine.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any, Final

from healer import config, errors, quoting
from healer.intake import strict

BYTES_MAX: Final = 16 << 20
KEY: Final = "$file"
NEAR_MAX: Final = 1_000


class Unreadable(Exception):
    """why a file gives nothing"""

    def __init__(self, said: str, try_: str = "") -> None:
        super().__init__(said)
        self.try_ = try_


class Fixtures:
    """Those of one file of tests, which lies in `folder` of the project `root`. Each is read once."""

    def __init__(self, root: pathlib.Path, folder: str) -> None:
        self._root = root.resolve()
        self._folder = self._root / folder
        self._known: dict[str, Any] = {}

    def read(self, value: Any, *, whole: bool = False) -> Any:
        """The value, or what stands in the file that it names. `whole`: an object is wanted. Raises `Unreadable`."""
        if not isinstance(value, Mapping) or KEY not in value:
            return _checked(plain(value))
        if len(value) > 1 or not isinstance(value[KEY], str):
            raise Unreadable(f"{KEY} stands alone, with the path of a JSON file: {{{KEY}: fixtures/full.json}}")
        name = value[KEY]
        if name not in self._known:
            self._known[name] = self._read(name)
        found = self._known[name]
        if whole and not isinstance(found, Mapping):
            got = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(
                type(found), "a number"
            )
            raise Unreadable(
                f"{config.shown(name)} holds {got}, and an object is wanted",
                "event: {...}, or body: for what a sender sends",
            )
        return found

    def _read(self, name: str) -> Any:
        try:
            path = (self._folder / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise Unreadable(f"{config.shown(name)} cannot be read: {error}") from error
        if not path.is_relative_to(self._root):
            raise Unreadable(
                f"{config.shown(name)} lies outside of the project", "a file of the project, from the test's file on"
            )
        try:
            with path.open("rb") as file:
                raw = file.read(BYTES_MAX + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if path.is_dir():
                raise Unreadable(f"{config.shown(name)} is a folder", "a JSON file of it") from error
            raise Unreadable(f"{config.shown(name)} cannot be read: {reason}", self._near(path)) from error
        if len(raw) > BYTES_MAX:
            raise Unreadable(f"{config.shown(name)} is larger than {BYTES_MAX} bytes")
        try:
            return strict.parse(raw)
        except errors.HealerError as error:
            raise Unreadable(f"{config.shown(name)}: {quoting.said(error.message)}") from error

    def _near(self, path: pathlib.Path) -> str:
        try:
            names = sorted(one.name for one in path.parent.iterdir())[:NEAR_MAX]
        except OSError:
            return "from the test's file on"
        return errors.nearest(path.name, names) or "from the test's file on"


def _checked(value: Any) -> Any:
    """A value that JSON can have, as an event's body has to be one. Raises `Unreadable`."""
    try:
        return strict.parse(json.dumps(value, allow_nan=False).encode("utf-8", "surrogatepass"))
    except errors.HealerError as error:
        raise Unreadable(quoting.said(error.message), "a value that JSON can have") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise Unreadable(
            "this holds what JSON cannot have: bytes, a set, .nan or .inf", "a text, or a number"
        ) from error


def plain(value: Any) -> Any:
    """The same without places, as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
