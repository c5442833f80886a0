"""One open transaction as the units see it: statements by name, the time, the audit.

The audit's head (size, chain, right edge of the tree) lives in memory between transactions, is written once a batch, and is put
back when a unit or the batch fails.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import orjson

from healer import errors
from healer.audit import notices, records, tree
from healer.store import journal, names, scopes

_VALUES: Final = re.compile(r"VALUES\s*(\([^()]*\))")
Mark = tuple[int, bytes, list[bytes], int, int, int]


class Transaction:
    """The writer's connection inside BEGIN … COMMIT. One object lives as long as its writer."""

    def __init__(self, connection: sqlite3.Connection, epoch: int, environment: str) -> None:
        self.connection = connection
        self.epoch = epoch
        self.environment = environment
        self.part = 0
        self.now_us = 0
        self.last_seq = 0
        self.appended: list[journal.Row] = []
        self.told: list[tuple[dict[str, Any], str]] = []
        """Audit records of this batch that people should hear of, each with its line."""
        self.rules = scopes.Rules()
        self._sql = names.load()
        self._frontier = tree.Frontier()
        self._chain = tree.CHAIN_START
        self._head_size = 0
        self.reload()

    def reload(self) -> None:
        """Take what is committed as the truth: after opening, and after a batch that failed."""
        size, frontier, chain = self.connection.execute("SELECT size, frontier, chain FROM audit_head").fetchone()
        self._frontier = tree.Frontier.from_bytes(size, frontier)
        self._chain = chain
        self._head_size = size
        self.last_seq, last_us = self.connection.execute(self._sql["journal_last"]).fetchone()
        audit_us = self.connection.execute(self._sql["audit_last_time"]).fetchone()[0]
        self.now_us = max(self.now_us, last_us, audit_us)
        self.appended, self.told = [], []

    @property
    def records(self) -> int:
        """How many records the audit has."""
        return self._frontier.size

    def one(self, name: str, *parameters: Any) -> Any:
        """The first row of a named statement, or None."""
        return self.connection.execute(self._sql[name], parameters).fetchone()

    def all(self, name: str, *parameters: Any) -> list[Any]:
        """All rows of a named statement."""
        return self.connection.execute(self._sql[name], parameters).fetchall()

    def named(self, name: str, *parameters: Any) -> list[dict[str, Any]]:
        """All rows by column name, as readers give them."""
        cursor = self.connection.execute(self._sql[name], parameters)
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def run(self, name: str, *parameters: Any) -> int:
        """Execute a named statement; the number of rows it touched."""
        return self.connection.execute(self._sql[name], parameters).rowcount

    def all_many(self, name: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """All rows of a named statement with `VALUES (…)` for many: few statements, since the GIL is taken again after each."""
        found: list[Any] = []
        for at in range(0, len(rows), journal.ROWS_PER_STATEMENT):
            piece = rows[at : at + journal.ROWS_PER_STATEMENT]
            statement = _for_many(self._sql[name], len(piece))
            found += self.connection.execute(statement, [value for row in piece for value in row]).fetchall()
        return found

    def run_many(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a named INSERT of one row for many."""
        self.all_many(name, rows)

    def must(self, name: str, *parameters: Any, what: str, old: str, new: str) -> None:
        """Execute a compare-and-set: no row touched means that somebody else was first. Raises `errors.IllegalTransition`."""
        if self.run(name, *parameters) == 0:
            raise errors.IllegalTransition(what=what, old=old, new=new)

    def audit(self, kind: str, *, actor: str, **fields: Any) -> int:
        """Append one audit record; its number. `fields` are JSON values without floats (`records.embed` for foreign ones)."""
        seq = self._frontier.size
        record = {
            "seq": seq, "at_us": self.now_us, "kind": kind, "actor": actor, "environment": self.environment,
            **{name: value for name, value in fields.items() if value is not None},
        }  # fmt: skip
        text = records.canonical(record)
        leaf = tree.leaf_hash(text)
        self._chain = tree.chain_hash(self._chain, leaf)
        self._frontier.append(leaf)
        self.run("audit_insert", seq, text.decode(), self._chain)
        if (line := notices.of(record)) is not None:
            self.told.append((record, line))
        return seq

    def mark(self) -> Mark:
        """Where the memory stands, to come back to when a unit fails."""
        return (
            self._frontier.size,
            self._chain,
            self._frontier.hashes.copy(),
            self.last_seq,
            len(self.appended),
            len(self.told),
        )

    def back_to(self, mark: Mark) -> None:
        """Forget what a failed unit did."""
        size, self._chain, hashes, self.last_seq, appended, told = mark
        self._frontier = tree.Frontier(size, hashes)
        del self.appended[appended:], self.told[told:]

    def write_head(self) -> None:
        """Once a batch, before the commit."""
        size = self._frontier.size
        if size != self._head_size:
            self.run("audit_head_set", size, self._frontier.root(), self._chain, self._frontier.to_bytes())
            self._head_size = size

    def take_appended(self) -> list[journal.Row]:
        """The rows that this batch added to the journal, in order."""
        rows, self.appended = self.appended, []
        return rows


@functools.lru_cache(4_000)
def _for_many(statement: str, rows: int) -> str:
    """A statement with its row of values so many times."""
    return _VALUES.sub(lambda found: f"VALUES {','.join([found[1]] * rows)}", statement, count=1)


def dumps(value: Any) -> str:
    """JSON for a column, keys sorted so that equal values give equal texts."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def loads(text: str | bytes) -> Any:
    """Back from a column."""
    return orjson.loads(text)


def placeholders(values: Sequence[Any]) -> str:
    """`?,?,?` for a list of values."""
    return ",".join("?" * len(values))
