"""`healer notify`: the outbox, and what people do with a message."""

from __future__ import annotations

import json

SENT = {
    "id": "n-3", "receiver": "ops", "news": "failed", "subject": "failed/web/alerts/down", "state": "sent", "count": 1,
    "runs": ["r-7f3k2mzzzz"], "due": None, "tries": 0, "error": None, "made": "2026-03-01T02:00:00Z", "answered_by": "slack:T/U = ana",
}  # fmt: skip
LATE = SENT | {
    "id": "n-2", "news": "succeeded", "subject": "digest/succeeded", "state": "waiting", "count": 12, "tries": 3, "error": "no answer",
    "due": "2026-03-01T02:05:00Z", "answered_by": None,
}  # fmt: skip
LOST = LATE | {"id": "n-1", "state": "failed", "error": "no channel C1", "tries": 0}


def test_the_outbox(ask, daemon):
    daemon["GET /api/v1/notifications"] = {"items": [SENT, LATE, LOST], "next": None}
    assert [line.split("  ")[0] for line in ask("notify", "outbox").stdout.splitlines()] == [
        "message",
        "n-3",
        "n-2",
        "n-1",
    ]
    out = ask("notify", "outbox", "list", "--undelivered", "--receiver", "ops").stdout
    assert "tried 3 times: no answer; again 2026-03-01 03:05:00 +01:00" in out
    assert "failed: no channel C1" in out
    assert "12 of digest/succeeded" in out
    assert daemon.requests[-1].query.items() >= {"undelivered": "1", "receiver": "ops"}.items()


def test_nothing_and_for_programs(ask, daemon):
    daemon["GET /api/v1/notifications"] = {"items": [], "next": None}
    assert ask("notify", "outbox").stderr == "nobody was told anything\n"
    assert ask("notify", "outbox", "--undelivered").stderr == "nothing waits to be delivered\n"
    assert json.loads(ask("notify", "outbox", "--json").stdout) == {"items": [], "next": None}


def test_what_is_done_with_one(ask, daemon):
    daemon["POST /api/v1/notifications/n-1/retry"] = {"id": "n-1", "state": "waiting"}
    daemon["POST /api/v1/notifications/n-1/drop"] = {"id": "n-1", "state": "dropped"}
    daemon["POST /api/v1/notifications/n-3/answer"] = {"id": "n-3", "answered_by": "os:ana"}
    daemon["POST /api/v1/receivers/ops/test"] = {"receiver": "ops", "sent": True}
    assert ask("notify", "outbox", "retry", "n-1").stdout == "n-1 is tried again now\n"
    assert ask("notify", "outbox", "drop", "n-1", "--yes").stdout == "n-1 is given up\n"
    assert ask("notify", "answer", "n-3").stdout == "os:ana looks after n-3\n"
    assert ask("notify", "test", "ops").stdout == "sent to ops\n"
    assert json.loads(ask("notify", "answer", "n-3", "--json").stdout) == {"id": "n-3", "answered_by": "os:ana"}


def test_a_receiver_that_cannot_be_reached(ask, daemon):
    problem = {"code": "undelivered", "detail": "a message cannot be delivered: no channel C1", "try": "invite the app"}
    daemon["POST /api/v1/receivers/ops/test"] = (502, problem)
    done = ask("notify", "test", "ops")
    assert done.exit_code == 1
    assert "error[undelivered]: a message cannot be delivered: no channel C1\n  try  invite the app" in done.stderr


def test_whether_receivers_can_be_reached(ask, daemon):
    good = {"receiver": "ops", "channel": "slack", "ok": True, "detail": "healer in Acme, #ops"}
    bad = {"receiver": "night", "channel": "slack", "ok": False, "detail": "the token is\x1b[2J no longer valid"}
    daemon["POST /api/v1/receivers/check"] = {"items": [bad, good]}
    done = ask("notify", "check")
    lines = "night (slack)  cannot be reached: the token is no longer valid\nops (slack)  ok: healer in Acme, #ops\n"
    assert (done.exit_code, done.stdout) == (1, lines)
    assert daemon.requests[-1].query == {}
    daemon["POST /api/v1/receivers/check"] = {"items": [good]}
    done = ask("notify", "check", "ops", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"items": [good]})
    assert daemon.requests[-1].query == {"receiver": "ops"}
    daemon["POST /api/v1/receivers/check"] = {"items": []}
    done = ask("notify", "check")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "healer.yaml has no notifications.receivers" in done.stderr
