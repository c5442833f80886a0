"""`healer locks`: the list, and letting go of one."""

from __future__ import annotations

import json

import pytest

LOCK = {
    "target": "host:web1", "run": "r-7f3k2mabcdefghjkmnpqrstvwx", "short": "r-7f3k2m", "attempt": 1, "state": "unknown", "rule": "a/b/c",
    "action": "clean", "since": "2026-03-01T02:07:12Z", "until": None,
}  # fmt: skip
BUSY = LOCK | {"target": "lock:db", "state": "running", "attempt": 12, "until": "2026-03-01T02:17:12Z"}


@pytest.mark.parametrize("args", [["locks"], ["locks", "list"]])
def test_table(ask, daemon, args):
    daemon["GET /api/v1/locks"] = {"items": [LOCK, BUSY], "next": None}
    assert ask(*args).stdout.splitlines() == [
        "lock       run       attempt  state    since                       until",
        "host:web1  r-7f3k2m        1  unknown  2026-03-01 03:07:12 +01:00  a person resolves it",
        "lock:db    r-7f3k2m       12  running  2026-03-01 03:07:12 +01:00  2026-03-01 03:17:12 +01:00",
    ]


def test_one_that_is_done_again_by_itself_waits_for_nobody(ask, daemon):
    daemon["GET /api/v1/locks"] = {"items": [LOCK | {"again": "2026-03-01T02:17:12Z"}], "next": None}
    assert ask("locks").stdout.splitlines()[1].endswith("  done again at 2026-03-01 03:17:12 +01:00")


def test_for_programs(ask, daemon):
    daemon["GET /api/v1/locks"] = {"items": [LOCK], "next": None}
    assert json.loads(ask("locks", "--json").stdout) == {"items": [LOCK], "next": None}


def test_none(ask, daemon):
    daemon["GET /api/v1/locks"] = {"items": [], "next": None}
    done = ask("locks")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no locks\n")


def test_more_than_are_shown(ask, daemon):
    daemon["GET /api/v1/locks"] = {"items": [LOCK], "next": "x"}
    done = ask("locks", "--limit", "1")
    assert done.stderr == "there are more:  --limit 4\n"
    assert daemon.requests[0].query == {"limit": "1"}


def test_release(ask, daemon):
    answer = {"target": "host:web1", "run": LOCK["run"], "state": "unknown"}
    daemon["POST /api/v1/locks/release"] = answer
    done = ask("locks", "release", "--yes", "web1", "--reason", "it is gone")
    assert (done.exit_code, done.stdout) == (0, "released host:web1, which r-7f3k2m (unknown) had\n")
    assert json.loads(daemon.requests[0].body) == {"target": "web1", "reason": "it is gone"}
    assert json.loads(ask("locks", "release", "--yes", "web1", "--reason", "x", "--json").stdout) == answer


def test_one_in_use(ask, daemon):
    daemon["POST /api/v1/locks/release"] = (
        409, {"code": "lock-in-use", "detail": "host:web1 stays locked", "try": "healer runs cancel r-7f3k2m"},
    )  # fmt: skip
    done = ask("locks", "release", "--yes", "web1", "--reason", "x")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "error[lock-in-use]: host:web1 stays locked", f"  try  healer runs cancel r-7f3k2m --data-dir {daemon.data_dir}",
    ]  # fmt: skip


@pytest.mark.parametrize("args", [["release"], ["release", "web1"], ["release", "--reason", "x"], ["--limit", "0"]])
def test_wrong_use(ask, args):
    assert ask("locks", *args).exit_code == 2


def test_not_allowed_and_not_reachable(ask, healer, daemon, tmp_path):
    daemon["POST /api/v1/locks/release"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("locks", "release", "--yes", "web1", "--reason", "x").exit_code == 4
    assert healer("locks", "--data-dir", tmp_path / "none").exit_code == 3
