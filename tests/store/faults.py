"""What the tests of faults share: what befalls a store, what has to hold then, and taking a protection away.

A case is (scene, how to take its protection away). The scene has to hold, and to be `Broken` without the protection: so a test that
would pass without what it tests is found. `conftest.py` loads this.
"""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from healer import store
from healer.store import claiming, connection, journal, names, transaction

Patch = pytest.MonkeyPatch
Scene = Callable[[Any, pathlib.Path], None]
"""`scene(make_kit, folder)`"""
Case = tuple[Scene, Callable[[Patch], None]]
Cases = Mapping[str, Case]
Test = Callable[..., None]


class Broken(Exception):
    """What had to hold does not."""


def hold(condition: object, what: object) -> None:
    """As `assert`, and not to be taken for another failure."""
    if not condition:
        raise Broken(what)


def dump(folder: pathlib.Path) -> dict[str, list[Any]]:
    """All that is committed but for who owns it."""
    with contextlib.closing(connection.open_reader(folder / store.DATABASE)) as reading:
        tables = [name for (name,) in reading.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: reading.execute(f"SELECT * FROM {name}").fetchall() for name in tables if name != "instance"}


def statement(name: str, text: str) -> Callable[[Patch], None]:
    """A statement of the store is another one."""
    return lambda patch: patch.setitem(names.load(), name, text)


class Through:
    """The writing connection, with some statements done otherwise."""

    def __init__(self, inner: sqlite3.Connection, otherwise: Callable[[str], str | Exception]) -> None:
        self._inner = inner
        self._otherwise = otherwise

    def execute(self, sql: str, *more: Any) -> Any:
        """What `otherwise` makes of the statement."""
        made = self._otherwise(sql)
        if isinstance(made, Exception):
            raise made
        return self._inner.execute(made, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def failing(code: int, when: str = "COMMIT") -> Callable[[str], str | Exception]:
    """A disk on which commits fail."""

    def otherwise(sql: str) -> str | Exception:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        return error if sql.startswith(when) or "WHERE (SELECT epoch" in sql else sql

    return otherwise


def autocommit(sql: str) -> str:
    """No transactions."""
    return "SELECT 1" if sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")) else sql


def without_transactions(patch: Patch) -> None:
    """Each statement is on its own."""
    made = transaction.Transaction.__init__

    def init(self: Any, opened: Any, *more: Any) -> None:
        made(self, Through(opened, autocommit), *more)  # type: ignore[arg-type]

    patch.setattr(transaction.Transaction, "__init__", init)


def claimed_one(kit: Any) -> claiming.Claimed:
    """An attempt that is under way."""
    kit.queue()
    claimed: claiming.Claimed = kit.only()
    return claimed


def delivery(digest: str = "x") -> journal.Row:
    """One of an id."""
    return journal.Row("event", "s", b"{}", delivery="d", digest=digest)


# --- the tests of cases --------------------------------------------------------------------------------------------------------


def holds(cases: Cases) -> Test:
    """The test that each scene holds."""

    @pytest.mark.parametrize("name", cases)
    def test(name: str, make_kit: Any, tmp_path: pathlib.Path) -> None:
        scene, _ = cases[name]
        scene(make_kit, tmp_path)

    return test


def does_not_hold_without(cases: Cases) -> Test:
    """The test that each scene is `Broken` without its protection."""

    @pytest.mark.parametrize("name", cases)
    def test(name: str, make_kit: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        scene, take_away = cases[name]
        take_away(monkeypatch)
        with pytest.raises(Broken):
            scene(make_kit, tmp_path)

    return test
