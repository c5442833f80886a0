"""Opening: created and migrated from nothing, refused where a newer version wrote or the file system is not to be trusted."""

from __future__ import annotations

import pathlib
import sqlite3

import pytest

from healer import errors
from healer.store import connection, names

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/x /mnt/nfs nfs4 rw 0 0
server:/y /mnt/nfs/local\\040disk xfs rw 0 0
ana@host: /home/ana/far fuse.sshfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
overlay /mnt/nfsother overlay rw 0 0
broken
"""


def pragma(opened: sqlite3.Connection, name: str) -> object:
    return opened.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_database_is_made_the_one_way(tmp_path: pathlib.Path) -> None:
    opened = connection.open_writer(str(tmp_path / "x.db"))
    found = {
        name: pragma(opened, name)
        for name in (
            "page_size",
            "auto_vacuum",
            "journal_mode",
            "synchronous",
            "wal_autocheckpoint",
            "foreign_keys",
            "user_version",
        )
    }
    assert found == {
        "page_size": 8192, "auto_vacuum": 2, "journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "foreign_keys": 1,
        "user_version": names.schema()[-1][0],
    }  # fmt: skip
    opened.close()


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert [number for number, _ in names.schema()] == list(range(1, len(names.schema()) + 1))


def test_the_twin_in_memory_has_the_same_schema(tmp_path: pathlib.Path) -> None:
    schemas = []
    for path in (str(tmp_path / "x.db"), connection.MEMORY):
        opened = connection.open_writer(path)
        schemas.append(opened.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall())
        opened.close()
    assert schemas[0] == schemas[1]
    assert len(schemas[0]) > 20


def test_opening_again_changes_nothing(tmp_path: pathlib.Path) -> None:
    for _ in range(2):
        opened = connection.open_writer(str(tmp_path / "x.db"))
        assert opened.execute("SELECT count(*) FROM position").fetchone() == (1,)
        opened.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.db"
    opened = connection.open_writer(str(path))
    opened.execute("PRAGMA user_version = 99")
    opened.close()
    with pytest.raises(errors.NewerSchema) as caught:
        connection.open_writer(str(path))
    assert (caught.value.exit_code, "99" in caught.value.message) == (errors.EXIT_USAGE, True)


def test_a_migration_that_fails_is_taken_back_whole(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = names.schema()
    broken = [*known, (len(known) + 1, "CREATE TABLE more (x INTEGER);\nCREATE TABLE run (x INTEGER);\n")]
    path = str(tmp_path / "x.db")
    connection.open_writer(path).close()
    monkeypatch.setattr(names, "schema", lambda: broken)
    with pytest.raises(errors.StoreError):
        connection.open_writer(path)
    monkeypatch.undo()
    opened = connection.open_writer(path)
    assert opened.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)
    opened.close()


def test_a_later_migration_is_applied_to_what_is_there(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "x.db")
    connection.open_writer(path).close()
    later = [*names.schema(), (len(names.schema()) + 1, "CREATE TABLE more (x INTEGER);\n")]
    monkeypatch.setattr(names, "schema", lambda: later)
    opened = connection.open_writer(path)
    assert (pragma(opened, "user_version"), opened.execute("SELECT count(*) FROM more").fetchone()) == (
        len(later),
        (0,),
    )
    opened.close()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\xff" * 2000])
def test_a_file_that_is_no_database_is_told(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(errors.StoreError, match=r"x\.db") as caught:
        connection.open_writer(str(path))
    assert caught.value.try_.startswith(f"healer audit verify --db {path} says more; ")
    with pytest.raises(errors.StoreError, match=r"x\.db"):
        connection.open_reader(path)


def test_a_reader_cannot_write_nor_create(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.StoreError):
        connection.open_reader(tmp_path / "x.db")
    assert list(tmp_path.iterdir()) == []
    writing = connection.open_writer(str(tmp_path / "x.db"))
    reading = connection.open_reader(tmp_path / "x.db")
    with pytest.raises(sqlite3.OperationalError, match=r"readonly|read-only"):
        reading.execute("DELETE FROM position")
    reading.close()
    writing.close()


def test_a_path_with_signs_of_a_uri_is_a_path(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "a?mode=rwc&x#%20 ü"
    folder.mkdir()
    connection.open_writer(str(folder / "x.db")).close()
    reading = connection.open_reader(folder / "x.db")
    assert reading.execute("SELECT seq FROM position").fetchone() == (0,)
    reading.close()


@pytest.mark.parametrize(("folder", "kind"), [
    ("/var/lib/healer", "ext4"), ("/mnt/nfs", "nfs4"), ("/mnt/nfs/a/b", "nfs4"), ("/mnt/nfs/local disk/a", "xfs"),
    ("/mnt/nfsother/a", "overlay"), ("/home/ana/far/x", "fuse.sshfs"), ("/mnt", "ext4"),
])  # fmt: skip
def test_the_file_system_of_a_folder(tmp_path: pathlib.Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert connection.filesystem_of(pathlib.Path(folder), mounts) == kind


def test_where_nothing_is_known_nothing_is_refused(tmp_path: pathlib.Path) -> None:
    assert connection.filesystem_of(tmp_path, tmp_path / "missing") == ""
    (tmp_path / "empty").write_text("")
    assert connection.filesystem_of(tmp_path, tmp_path / "empty") == ""


@pytest.mark.parametrize(("kind", "refused"), [
    ("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("fuse", True), ("ceph", True), ("ext4", False), ("xfs", False),
    ("overlay", False), ("tmpfs", False), ("", False),
])  # fmt: skip
def test_unsafe_file_systems_are_refused(
    kind: str, refused: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "filesystem_of", lambda folder, mounts: kind)
    if not refused:
        connection.refuse_unsafe_filesystem(tmp_path)
        return
    with pytest.raises(errors.UnsafeFilesystem) as caught:
        connection.refuse_unsafe_filesystem(tmp_path)
    assert kind in caught.value.message
    assert "--unsafe-fs" in caught.value.try_
