"""`healer approvals`: who is asked, how many of them are there, and who may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

ONE = {"approval": 1, "name": "on call", "roles": ["oncall"], "have": 0, "want": 1, "reject": 1}
TWO = {"approval": 1, "name": "two of us", "roles": ["approver", "admin"], "have": 1, "want": 2, "reject": 1}
MORE = {"approval": 2, "name": "the owner", "roles": ["owner"], "have": 0, "want": 1, "reject": 1}


@pytest.mark.parametrize(("needs", "short", "full"), [
    ([ONE], "0 of 1 on call", "0 of 1 on call (oncall)"),
    ([ONE, TWO], "0 of 1 on call or 1 of 2 two of us", "0 of 1 on call (oncall) or 1 of 2 two of us (approver, admin)"),
    ([ONE, TWO, MORE], "0 of 1 on call or 1 of 2 two of us, and 0 of 1 the owner",
     "0 of 1 on call (oncall) or 1 of 2 two of us (approver, admin), and 0 of 1 the owner (owner)"),
])  # fmt: skip
def test_what_is_missing_with_whose_word_counts(ask: Any, daemon: Any, needs: Any, short: str, full: str) -> None:
    item = {
        "id": "a-1",
        "run": "r-1",
        "state": "open",
        "action": "heal",
        "needs": needs,
        "exclude": ["author", "requester"],
    }
    daemon["GET /api/v1/approvals"] = {"items": [item], "next": None}
    daemon["GET /api/v1/approvals/a-1"] = item
    assert short in ask("approvals").stdout
    told = ask("approvals", "show", "a-1").stdout.splitlines()
    assert f"  needs       {full}" in told
    assert "  but not     author, requester" in told


def test_where_nobody_is_left_out_nothing_is_said_of_it(ask: Any, daemon: Any) -> None:
    daemon["GET /api/v1/approvals/a-1"] = {"id": "a-1", "state": "open", "needs": [ONE], "exclude": []}
    assert "but not" not in ask("approvals", "show", "a-1").stdout


def alike(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"a-{number}", "bundle": "b-7f3k2m", "run": f"r-{number}" + "x" * 24, "state": "open", "reason": "approval", "action": "heal",
        "rule": "web/down", "targets": [f"host:web{number}"], "parameters": {"service": "nginx"}, "needs": [ONE], "expires": None,
    } | more  # fmt: skip


MANY = [alike(1), alike(2), alike(3), alike(4), alike(9, bundle="b-other", action="reboot")]


def test_what_is_alike_is_one_line(ask: Any, daemon: Any) -> None:
    daemon["GET /api/v1/approvals"] = {"items": MANY, "next": None}
    lines = ask("approvals").stdout.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:4] == ["b-7f3k2m", "4", "runs", "heal"]
    assert "host:web1, host:web2, host:web3 and 1 more" in lines[1]
    assert lines[2].split()[:3] == ["a-9", "r-9xxxxx", "reboot"]


@pytest.mark.parametrize(("words", "chosen"), [
    (("b-7f3k2m",), ["a-1", "a-2", "a-3", "a-4"]), (("b-7f3k2m", "--on", "web2", "--on", "host:web4"), ["a-2", "a-4"]),
    (("b-7f3k2m", "a-9"), ["a-1", "a-2", "a-3", "a-4", "a-9"]),
])  # fmt: skip
def test_all_of_them_are_approved_or_some(ask: Any, daemon: Any, words: tuple[str, ...], chosen: list[str]) -> None:
    daemon["GET /api/v1/approvals"] = {"items": MANY[:4], "next": None}
    daemon["GET /api/v1/approvals/a-9"] = MANY[4]
    said = [{"id": one, "run": f"r-{one}", "state": "approved", "stood": False} for one in chosen[1:]]
    refused = [{"id": chosen[0], "code": "approval-ended", "detail": "nothing waits for a word", "try": ""}]
    daemon["POST /api/v1/approvals/approve"] = {"items": said, "refused": refused}
    done = ask("approvals", "approve", *words, "--reason", "seen", "--yes")
    assert json.loads(daemon.requests[-1].body) == {"requests": chosen, "reason": "seen"}
    assert done.stdout.splitlines() == [f"r-{one}: approved" for one in chosen[1:]]
    assert (done.exit_code, done.stderr) == (1, f"{chosen[0]}: nothing waits for a word\n")
    assert daemon.requests[0].query.get("bundle") == "b-7f3k2m"


def test_many_are_not_decided_without_having_been_shown(ask: Any, daemon: Any) -> None:
    daemon["GET /api/v1/approvals"] = {"items": MANY[:4], "next": None}
    done = ask("approvals", "reject", "b-7f3k2m")
    assert done.exit_code == 2
    assert "error[not-confirmed]" in done.stderr
    assert all(f"host:web{n}" in done.stderr for n in range(1, 5))
    assert {one.method for one in daemon.requests} == {"GET"}


def test_of_what_is_decided_every_target_is_shown(ask: Any, daemon: Any) -> None:
    targets = [f"host:web{n}" for n in range(100, 160)]
    daemon["GET /api/v1/approvals"] = {"items": [alike(1, targets=targets)], "next": None}
    done = ask("approvals", "approve", "b-7f3k2m")
    assert all(one in done.stderr for one in targets)


def test_where_none_of_them_is_meant_that_is_said(ask: Any, daemon: Any) -> None:
    daemon["GET /api/v1/approvals"] = {"items": MANY[:4], "next": None}
    done = ask("approvals", "approve", "b-7f3k2m", "--on", "db1", "--yes")
    assert "an open request of b-7f3k2m on db1" in done.stderr
    assert {one.method for one in daemon.requests} == {"GET"}


STEPS = [{"run": "r-x", "action": "reboot", "targets": ["host:web1", "host:web2"], "parameters": {"how": "hard"}},
    {"run": "r-y", "action": "tell", "targets": [], "parameters": {}}]  # fmt: skip


def test_what_follows_in_its_list_is_shown_with_it(ask: Any, daemon: Any) -> None:
    chain = alike(1, bundle="b-1", steps=STEPS)
    daemon["GET /api/v1/approvals/a-1"] = chain
    shown = ask("approvals", "show", "a-1").stdout.splitlines()
    assert [line.split(None, 1)[1] for line in shown if line.split()[0] == "then"] == [
        'reboot on host:web1, host:web2  {"how": "hard"}', "tell on no target",
    ]  # fmt: skip
    daemon["GET /api/v1/approvals"] = {"items": [chain], "next": None}
    assert "heal, then reboot, then tell" in ask("approvals").stdout
    asked = ask("approvals", "approve", "b-1")
    assert asked.exit_code == 2
    assert (
        'heal on host:web1  {"service": "nginx"}, then reboot on host:web1, host:web2  {"how": "hard"}' in asked.stderr
    )


def test_those_that_are_alike_are_shown_one_by_one(ask: Any, daemon: Any) -> None:
    """By a beginning of their name too: the daemon says which they are."""
    daemon["GET /api/v1/approvals"] = {"items": MANY[:2], "next": None}
    for number in (1, 2):
        daemon[f"GET /api/v1/approvals/a-{number}"] = MANY[number - 1]
    lines = ask("approvals", "show", "b-7f").stdout.splitlines()
    assert [line.split()[0] for line in lines if line and not line.startswith(" ")] == ["a-1", "a-2"]
    assert daemon.requests[0].query.get("bundle") == "b-7f"
    told = json.loads(ask("approvals", "show", "b-7f", "--json").stdout)
    assert [one["id"] for one in told["items"]] == ["a-1", "a-2"]
    daemon["GET /api/v1/approvals"] = {"items": [], "next": None}
    assert "an open request of b-7f" in ask("approvals", "show", "b-7f").stderr


@pytest.mark.parametrize("words", [("show", ""), ("approve", ""), ("reject", "", "a-1")])
def test_an_empty_name_is_none(ask: Any, daemon: Any, words: tuple[str, ...]) -> None:
    done = ask("approvals", *words)
    assert done.exit_code == 2
    assert "an id is wanted" in done.stderr
    assert "/api/" not in done.stderr
    assert not daemon.requests
