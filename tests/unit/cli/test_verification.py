"""The audit of a real store, tampered with in each way: found, and the first bad record named."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import sqlite3
from collections.abc import Callable

import pytest

from healer import store
from healer.audit import records, tree
from healer.cli import verification

COUNT = 23


class Note:
    """One audit record."""

    weight = 1

    def __init__(self, number: int) -> None:
        self.number = number

    def apply(self, tx):
        return tx.audit("stop", actor="daemon", number=self.number)


def fill(folder: pathlib.Path, count: int = COUNT) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    now = iter(range(1_000_000, 10**9))
    opened = store.Store.open(folder, lambda: next(now), loop=None)
    for number in range(count):
        opened.writer.now(Note(number))
    opened.writer.close()
    return folder / store.DATABASE


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> pathlib.Path:
    return fill(tmp_path_factory.mktemp("audit"))


@pytest.fixture
def database(intact, tmp_path) -> pathlib.Path:
    return pathlib.Path(shutil.copy(intact, tmp_path / "copy.db"))


@contextlib.contextmanager
def opened(database: pathlib.Path):
    """The forger's connection: triggers are dropped while it works, and put back afterwards."""
    connection = sqlite3.connect(database)
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()


def record_of(connection: sqlite3.Connection, seq: int) -> str:
    return connection.execute("SELECT record FROM audit WHERE seq = ?", (seq,)).fetchone()[0]


def edit(connection):
    connection.execute("UPDATE audit SET record = replace(record, 'daemon', 'nobody') WHERE seq = 7")


def edit_number(connection):
    connection.execute("UPDATE audit SET record = replace(record, '\"number\":7', '\"number\":8') WHERE seq = 7")


def white_space(connection):
    connection.execute("UPDATE audit SET record = record || ' ' WHERE seq = 7")


def delete(connection):
    connection.execute("DELETE FROM audit WHERE seq = 7")


def delete_first(connection):
    connection.execute("DELETE FROM audit WHERE seq = 0")


def delete_last(connection):
    connection.execute("DELETE FROM audit WHERE seq = ?", (COUNT - 1,))


def delete_all(connection):
    connection.execute("DELETE FROM audit")


def delete_and_close_the_gap(connection):
    connection.execute("DELETE FROM audit WHERE seq = 7")
    connection.execute("UPDATE audit SET seq = seq - 1 WHERE seq > 7")


def swap(connection):
    seven, eight = record_of(connection, 7), record_of(connection, 8)
    connection.execute("UPDATE audit SET record = ? WHERE seq = 7", (eight,))
    connection.execute("UPDATE audit SET record = ? WHERE seq = 8", (seven,))


def repeat(connection):
    connection.execute("UPDATE audit SET record = (SELECT record FROM audit WHERE seq = 6) WHERE seq = 7")


def chain_changed(connection):
    connection.execute("UPDATE audit SET chain = zeroblob(32) WHERE seq = 7")


def chain_of_another_type(connection):
    connection.execute("UPDATE audit SET chain = 'text' WHERE seq = 7")


def record_of_another_type(connection):
    connection.execute("UPDATE audit SET record = CAST(record AS BLOB) WHERE seq = 7")


def record_that_is_a_list(connection):
    connection.execute("UPDATE audit SET record = '[]' WHERE seq = 7")


def head_root(connection):
    connection.execute("UPDATE audit_head SET root = zeroblob(32)")


def head_chain(connection):
    connection.execute("UPDATE audit_head SET chain = zeroblob(32)")


def head_smaller(connection):
    connection.execute("UPDATE audit_head SET size = 20")


def head_larger(connection):
    connection.execute("UPDATE audit_head SET size = 99")


def one_more(connection):
    connection.execute("INSERT INTO audit (seq, record, chain) VALUES (?, '{}', zeroblob(32))", (COUNT,))


def before_the_first(connection):
    """Forged without touching a record or a trigger."""
    connection.execute(
        "INSERT INTO audit SELECT -1, replace(record, 'daemon', 'nobody'), chain FROM audit WHERE seq = 0"
    )


def head_frontier(connection):
    connection.execute("UPDATE audit_head SET frontier = zeroblob(length(frontier))")


def chained_again_from_there(connection):
    """An edit with the chain made new behind it, but not the head."""
    connection.execute("UPDATE audit SET record = replace(record, '\"number\":7', '\"number\":9') WHERE seq = 7")
    chain = connection.execute("SELECT chain FROM audit WHERE seq = 6").fetchone()[0]
    for seq, record in connection.execute("SELECT seq, record FROM audit WHERE seq >= 7 ORDER BY seq").fetchall():
        chain = tree.chain_hash(chain, tree.leaf_hash(record.encode()))
        connection.execute("UPDATE audit SET chain = ? WHERE seq = ?", (chain, seq))


# What was done, the first bad record, a part of what is said.
TAMPERED: list[tuple[Callable[[sqlite3.Connection], None], int, str]] = [
    (edit, 7, "is not what was chained"),
    (edit_number, 7, "is not what was chained"),
    (white_space, 7, "is not in canonical form"),
    (delete, 7, "the sequence goes from 6 to 8"),
    (delete_first, 0, "the sequence goes"),
    (delete_last, COUNT - 1, f"the head says {COUNT} records, there are {COUNT - 1}"),
    (delete_all, 0, f"the head says {COUNT} records, there are 0"),
    (delete_and_close_the_gap, 7, "it says that it is record 8"),
    (swap, 7, "it says that it is record 8"),
    (repeat, 7, "it says that it is record 6"),
    (chain_changed, 7, "is not what was chained"),
    (chain_of_another_type, 7, "another type"),
    (record_of_another_type, 7, "another type"),
    (record_that_is_a_list, 7, "another type"),
    (head_root, 0, "another root than the head"),
    (head_chain, COUNT - 1, "the chain ends elsewhere"),
    (head_smaller, 20, "3 records lie beyond the head"),
    (head_larger, COUNT, f"the head says 99 records, there are {COUNT}"),
    (one_more, COUNT, "1 records lie beyond the head"),
    (before_the_first, COUNT, "1 records lie before the first one"),
    (head_frontier, COUNT - 1, "right edge"),
    (chained_again_from_there, 0, "another root than the head"),
]


def test_intact(database):
    result = verification.read(database)
    assert result.ok
    assert (result.report.records, result.unanchored) == (COUNT, COUNT)
    assert (result.report.first_us, result.report.last_us) == (1_000_001, 1_000_000 + COUNT)


def test_empty(tmp_path):
    result = verification.read(fill(tmp_path / "empty", 0))
    assert result.ok
    assert result.report.root == tree.EMPTY_ROOT.hex()


@pytest.mark.parametrize("rows", [1, 4, 5_000])
@pytest.mark.parametrize(("tamper", "first_bad", "said"), TAMPERED, ids=lambda value: getattr(value, "__name__", ""))
def test_tampered(database, monkeypatch, tamper, first_bad, said, rows):
    monkeypatch.setattr(verification, "ROWS", rows)
    with opened(database) as connection:
        tamper(connection)
    report = verification.read(database).report
    assert report.first_bad == first_bad
    assert any(said in finding for finding in report.findings), report.findings


def test_trigger_that_was_dropped(database):
    connection = sqlite3.connect(database)
    connection.execute("DROP TRIGGER audit_no_delete")
    connection.close()
    (finding,) = verification.read(database).report.findings
    assert "audit_no_delete, which guards the audit, was dropped" in finding


def test_trigger_that_was_weakened(database):
    connection = sqlite3.connect(database)
    connection.execute("DROP TRIGGER audit_no_update")
    connection.execute("CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT 1; END")
    connection.close()
    (finding,) = verification.read(database).report.findings
    assert "audit_no_update is not as the schema makes it" in finding


def in_file(database: pathlib.Path, old: bytes, new: bytes) -> None:
    """Overwrite bytes of the file, behind the back of SQLite, which checks generated columns with each statement."""
    whole = database.read_bytes()
    assert whole.count(old) == 1
    assert len(old) == len(new)
    database.write_bytes(whole.replace(old, new))


def test_every_byte_of_a_record_counts(database):
    text = b'{"actor":"daemon","at_us":1000004,"environment":"","kind":"stop","number":3,"seq":3}'
    for at in range(len(text)):
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        in_file(database, text, changed)
        assert verification.read(database).report.first_bad == 3, changed
        in_file(database, changed, text)
    assert verification.read(database).ok


@pytest.mark.parametrize("head", [b"{{actor", b"\xff\xfe\x00\x01abc", b'{"a\xfftor', b'{\x00act"r'])
def test_a_record_that_is_no_json(database, head):
    in_file(database, b'{"actor":"daemon","at_us":1000008', head + b'":"daemon","at_us":1000008')
    assert verification.read(database).report.first_bad == 7


def test_bytes_flipped_in_the_file(database):
    """Wherever in the records' pages a byte is flipped: found, or the file cannot be read."""
    whole = database.read_bytes()
    at = whole.index(b'"number":9')
    for offset in (at, at + 9, at - 40):
        database.write_bytes(whole[:offset] + bytes([whole[offset] ^ 4]) + whole[offset + 1 :])
        with contextlib.suppress(verification.Unreadable):
            assert not verification.read(database).ok
    database.write_bytes(whole)
    assert verification.read(database).ok


def test_a_file_cut_short(database):
    database.write_bytes(database.read_bytes()[:-9000])
    with contextlib.suppress(verification.Unreadable):
        assert not verification.read(database).ok


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, b"SQLite format 3\x00" + bytes(4096)])
def test_no_database(tmp_path, content):
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(verification.Unreadable) as caught:
        verification.read(path)
    assert caught.value.exit_code == 2


def test_another_database(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(verification.Unreadable, match="schema has the number 0"):
        verification.read(tmp_path / "x.db")


def test_a_newer_schema(database):
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(verification.Unreadable, match="999"):
        verification.read(database)


def test_a_head_that_is_gone(database):
    connection = sqlite3.connect(database)
    connection.execute("DELETE FROM audit_head")
    connection.commit()
    connection.close()
    with pytest.raises(verification.Unreadable, match="no head"):
        verification.read(database)


def test_nothing_is_written(database):
    before = database.read_bytes()
    verification.read(database)
    assert database.read_bytes() == before


def test_a_daemon_that_writes_meanwhile_is_no_forger(tmp_path, monkeypatch):
    """Records that come between two reads lie beyond the head that was read, and are left for the next time."""
    database = fill(tmp_path / "live")
    now = iter(range(2_000_000, 10**9))
    live = store.Store.open(database.parent, lambda: next(now), loop=None)
    monkeypatch.setattr(verification, "ROWS", 5)
    read_rows = verification._rows

    def rows(*args):
        live.writer.now(Note(99))
        return read_rows(*args)

    monkeypatch.setattr(verification, "_rows", rows)
    result = verification.read(database)
    monkeypatch.undo()
    live.writer.close()
    assert result.report.findings == []
    assert result.report.records == COUNT
    assert verification.read(database).report.records > COUNT


def test_what_a_forger_who_makes_everything_anew_leaves(database):
    """Not found without anchors, and therefore said: nothing outside vouches for these records."""
    with opened(database) as connection:
        frontier, chain = tree.Frontier(), tree.CHAIN_START
        for seq, text in connection.execute("SELECT seq, record FROM audit ORDER BY seq").fetchall():
            record = json.loads(text) | {"actor": "nobody"}
            data = records.canonical(record)
            leaf = tree.leaf_hash(data)
            chain = tree.chain_hash(chain, leaf)
            frontier.append(leaf)
            connection.execute("UPDATE audit SET record = ?, chain = ? WHERE seq = ?", (data.decode(), chain, seq))
        connection.execute(
            "UPDATE audit_head SET root = ?, chain = ?, frontier = ?", (frontier.root(), chain, frontier.to_bytes())
        )
    result = verification.read(database)
    assert result.ok
    assert result.unanchored == COUNT
