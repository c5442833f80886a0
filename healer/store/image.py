"""A database in memory that begins again as often as it is wanted, with all that it holds now.

Caller: `harness`, whose cases each begin on a store that has just started. Everything that one of them commits lies in a transaction
around it that is taken back at its end, so that the statements of the connection stay prepared: to prepare them takes longer than a case.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from healer.store import connection

_BEGIN: Final = "BEGIN IMMEDIATE"


def fresh() -> sqlite3.Connection:
    """A database in memory as `connection.open_writer` makes it, for `Store.open(memory=…)`."""
    made = connection.blank()
    made.execute("PRAGMA foreign_keys = ON")
    made.execute("PRAGMA temp_store = MEMORY")
    return made


class Nested:
    """A connection for `Store.open(memory=…)` whose transactions lie in another one."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._inside = False
        raw.execute("BEGIN")

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """As `sqlite3.Connection.execute`."""
        if sql == _BEGIN:
            self._inside = True
            return self._raw.execute("SAVEPOINT nested")
        if sql == "COMMIT":
            self._inside = False
            return self._raw.execute("RELEASE nested")
        if sql == "ROLLBACK":
            self._inside = False
            self._raw.execute("ROLLBACK TO nested")
            return self._raw.execute("RELEASE nested")
        return self._raw.execute(sql, parameters)

    @property
    def in_transaction(self) -> bool:
        """Whether one is open, of its own."""
        return self._inside

    def close(self) -> None:
        """A store is done with it; whoever begins anew goes on with the connection below."""

    def begin_anew(self) -> None:
        """All that came since it was made is gone."""
        self._raw.execute("ROLLBACK")
        self._raw.execute("BEGIN")
        self._inside = False
