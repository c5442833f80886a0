"""A database that begins again: what a store commits in it is gone, and its transactions are the same as on any other."""

from __future__ import annotations

import sqlite3
from typing import cast

import pytest

from healer import store
from healer.store import connection, image, journal


def opened(memory: image.Nested) -> store.Store:
    return store.Store.open(None, lambda: 1_000_000, loop=None, memory=cast(sqlite3.Connection, memory))


def test_a_fresh_one_is_what_open_writer_makes():
    made, other = image.fresh(), connection.open_writer(connection.MEMORY)
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    assert made.execute(schema).fetchall() == other.execute(schema).fetchall()
    for pragma in ("user_version", "foreign_keys", "temp_store"):
        assert made.execute(f"PRAGMA {pragma}").fetchall() == other.execute(f"PRAGMA {pragma}").fetchall()


def test_each_store_begins_where_the_first_one_did():
    raw = image.fresh()
    first = store.Store.open(None, lambda: 0, loop=None, memory=raw)
    first.writer.now(journal.Append([journal.Row("event", "s", b"{}")]))
    nested = image.Nested(raw)
    for _ in range(3):
        again = opened(nested)
        assert (again.uid, again.epoch, again.writer.tx.last_seq) == (first.uid, 2, 1)
        again.writer.now(journal.Append([journal.Row("event", "s", b"[1]"), journal.Row("event", "s", b"[2]")]))
        assert nested.execute("SELECT count(*) FROM journal").fetchone() == (3,)
        again.writer.close()
        nested.begin_anew()
        assert nested.execute("SELECT count(*) FROM journal").fetchone() == (1,)


def test_a_transaction_is_taken_back_alone():
    nested = image.Nested(image.fresh())
    insert = "INSERT INTO revision (id, first_us) VALUES (?, 0)"
    for word, end in (("a", "COMMIT"), ("b", "ROLLBACK"), ("c", "COMMIT")):
        nested.execute("BEGIN IMMEDIATE")
        assert nested.in_transaction
        nested.execute(insert, (word,))
        nested.execute(end)
        assert not nested.in_transaction
    assert nested.execute("SELECT id FROM revision ORDER BY id").fetchall() == [("a",), ("c",)]
    with pytest.raises(sqlite3.IntegrityError):
        nested.execute(insert, ("a",))
