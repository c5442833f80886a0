"""`healer breakers`: the list, and closing one."""

from __future__ import annotations

import json

import pytest

OPEN = {
    "action": "restart_service", "controller": "local", "state": "open", "failures": ["2026-03-01T02:00:00Z", "2026-03-01T02:05:00Z"],
    "succeeded_since": 0, "trial": "2026-03-01T02:35:00Z",
}  # fmt: skip
CLOSED = {
    "action": "clean",
    "controller": "there",
    "state": "closed",
    "failures": ["2026-03-01T02:00:00Z"],
    "succeeded_since": 0,
    "trial": None,
}


@pytest.mark.parametrize("args", [["breakers"], ["breakers", "list"]])
def test_table(ask, daemon, args):
    daemon["GET /api/v1/breakers"] = {"items": [OPEN, CLOSED], "next": None}
    assert ask(*args).stdout.splitlines() == [
        "action           controller  breaker  failures  last                        trial",
        "restart_service  local       open            2  2026-03-01 03:05:00 +01:00  2026-03-01 03:35:00 +01:00",
        "clean            there       closed          1  2026-03-01 03:00:00 +01:00",
    ]


def test_none_and_for_programs(ask, daemon):
    daemon["GET /api/v1/breakers"] = {"items": [], "next": None}
    done = ask("breakers")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no action has failed\n")
    assert json.loads(ask("breakers", "--json").stdout) == {"items": [], "next": None}


def test_one_is_closed(ask, daemon):
    answer = {"action": "restart_service", "controller": "local", "closed": True}
    daemon["POST /api/v1/breakers/close"] = answer
    done = ask("breakers", "close", "--yes", "restart_service", "--controller", "local", "--reason", "mended")
    assert (done.exit_code, done.stdout) == (0, "closed: restart_service on local\n")
    assert json.loads(daemon.requests[0].body) == {
        "action": "restart_service",
        "controller": "local",
        "reason": "mended",
    }
    args = ("--controller", "local", "--reason", "mended", "--json")
    assert json.loads(ask("breakers", "close", "--yes", "restart_service", *args).stdout) == answer


def test_one_that_has_not_failed(ask, daemon):
    problem = {
        "code": "not-found",
        "detail": "a failure of clean on local is not known",
        "near": ["clean on there"],
        "try": "healer breakers",
    }
    daemon["POST /api/v1/breakers/close"] = (404, problem)
    done = ask("breakers", "close", "--yes", "clean", "--controller", "local", "--reason", "x")
    assert (done.exit_code, done.stderr.splitlines()) == (
        1, ["error[not-found]: a failure of clean on local is not known", "  near clean on there",
            f"  try  healer breakers --data-dir {daemon.data_dir}"],
    )  # fmt: skip


@pytest.mark.parametrize("args", [
    ["close"], ["close", "clean"], ["close", "clean", "--controller", "x"], ["close", "clean", "--reason", "x"], ["close", "--controller", "x", "--reason", "x"],
])  # fmt: skip
def test_wrong_use(ask, daemon, args):
    assert ask("breakers", *args).exit_code == 2
    assert daemon.requests == []


def test_not_allowed_and_not_reachable(ask, healer, daemon, tmp_path):
    daemon["POST /api/v1/breakers/close"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("breakers", "close", "--yes", "a", "--controller", "b", "--reason", "c").exit_code == 4
    assert healer("breakers", "--data-dir", tmp_path / "none").exit_code == 3
