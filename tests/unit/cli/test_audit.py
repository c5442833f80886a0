"""`healer audit list` and `healer audit verify`: output and exit codes. What is found stands in test_verification.py."""

from __future__ import annotations

import json
import pathlib
import sqlite3

import pytest

from healer import store

RECORD = {
    "at": "2026-03-01T02:07:12.000000Z", "seq": 7, "at_us": 1_772_330_832_000_000, "kind": "outcome", "actor": "rule:a/b/c", "environment": "prod", "action": "clean_disk",
    "run": "r-7f3k2m", "state": "failed", "ms": 40, "summary": "exit 4\x1b[2J", "explanation": {"long": "x"},
    "gates": [{"gate": "age"}],
}  # fmt: skip


def test_list(ask, daemon):
    daemon["GET /api/v1/audit"] = {"items": [RECORD], "next": None}
    head, line = ask("audit", "list").stdout.splitlines()
    assert head.split() == ["no", "when", "kind", "actor", "action", "run", "what"]
    assert line.startswith(" 7  2026-03-01 03:07:12 +01:00  outcome  rule:a/b/c  clean_disk  r-7f3k2m  failed {")
    assert "\x1b" not in line
    assert not any(name in line for name in ('"at"', "age", "long"))
    assert daemon.requests[0].query == {"order": "desc", "limit": "50"}


def test_list_filters_and_json(ask, daemon):
    daemon["GET /api/v1/audit"] = {"items": [RECORD], "next": None}
    args = ["--from", "2026-03-01T03:00", "--to", "2026-03-02T03:00", "--actor", "os:ana", "--action", "a", "--kind", "outcome",
            "--run", "r-7", "--oldest-first", "--json"]  # fmt: skip
    assert json.loads(ask("audit", "list", *args).stdout) == {"items": [RECORD], "next": None}
    assert daemon.requests[0].query == {
        "from": "2026-03-01T02:00:00.000000Z", "to": "2026-03-02T02:00:00.000000Z", "actor": "os:ana", "action": "a", "kind": "outcome",
        "run": "r-7", "order": "asc", "limit": "50",
    }  # fmt: skip


def test_list_of_nothing(ask, daemon):
    daemon["GET /api/v1/audit"] = {"items": [], "next": None}
    assert ask("audit", "list").stderr == "no records\n"


class Note:
    """One audit record."""

    weight = 1

    def apply(self, tx):
        return tx.audit("stop", actor="daemon")


@pytest.fixture
def data_dir(tmp_path) -> pathlib.Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    times = iter(range(1_772_330_832_000_000, 1_772_330_900_000_000, 1_000_000))
    opened = store.Store.open(folder, lambda: next(times), loop=None)
    for _ in range(3):
        opened.writer.now(Note())
    opened.writer.close()
    return folder


def test_verify_intact(healer, data_dir):
    done = healer("audit", "verify", "--data-dir", data_dir)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"{data_dir / store.DATABASE}: 3 records"
    assert lines[1] == "  from   2026-03-01 03:07:13 +01:00"
    assert lines[2] == "  to     2026-03-01 03:07:15 +01:00"
    assert lines[4].startswith("ok: intact. 3 records are not anchored")


def test_verify_as_json(healer, data_dir):
    told = json.loads(healer("audit", "verify", "--db", data_dir / store.DATABASE, "--json").stdout)
    assert list(told) == [
        "ok",
        "database",
        "records",
        "first_us",
        "last_us",
        "first",
        "last",
        "root",
        "first_bad",
        "findings",
        "unanchored",
    ]
    assert told["ok"] is True
    assert (told["records"], told["unanchored"], told["first_bad"], told["findings"]) == (3, 3, None, [])
    assert len(told["root"]) == 64
    assert (told["first"], told["last"]) == ("2026-03-01T02:07:13.000000Z", "2026-03-01T02:07:15.000000Z")


def test_verify_finds_the_database_of_the_project(healer, data_dir, tmp_path):
    (tmp_path / "healer.yaml").write_text("data_dir: kept\n")
    assert healer("audit", "verify", "--project", tmp_path).exit_code == 0
    assert healer("audit", "verify", env={"HEALER_DATA_DIR": str(data_dir)}).exit_code == 0


def test_verify_tampered(healer, data_dir):
    with sqlite3.connect(data_dir / store.DATABASE) as opened:
        opened.execute("DROP TRIGGER audit_no_update")
        opened.execute("UPDATE audit SET record = replace(record, 'daemon', 'nobody') WHERE seq = 1")
    opened.close()
    done = healer("audit", "verify", "--data-dir", data_dir)
    assert done.exit_code == 1
    assert "TAMPERED: the first bad record is 1" in done.stdout
    assert "audit_no_update, which guards the audit, was dropped" in done.stdout
    assert json.loads(healer("audit", "verify", "--data-dir", data_dir, "--json").stdout)["first_bad"] == 1


def test_verify_what_is_not_there(healer, tmp_path):
    done = healer("audit", "verify", "--data-dir", tmp_path / "nothing")
    assert done.exit_code == 2
    assert "error[unreadable]" in done.stderr
    assert "there is no such file" in done.stderr
    told = healer("audit", "verify", "--db", tmp_path / "a\nerror[x]: y").stderr
    assert "a\\nerror[x]: y cannot be verified" in told
