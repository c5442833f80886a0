"""`healer events`: the list, one in full, sending once more, and the quarantine."""

from __future__ import annotations

import json

import pytest

from healer.cli import send, terminal

ITEMS = [
    {"id": "e-9", "kind": "event", "source": "am", "received_at": "2026-03-01T02:07:12Z", "actor": "source:am", "depth": 0,
     "cause": None, "bytes": 20, "begins": '{"alert":{"name":"\x1b[31mX\u202e"', "decided": True, "decisions": 2, "runs": 1, "quarantined": 0},
    {"id": "e-8", "kind": "event", "source": "am", "received_at": "2026-03-01T02:07:11Z", "bytes": 9000, "begins": None,
     "decided": True, "decisions": 0, "runs": 0, "quarantined": 1},
    {"id": "e-7", "kind": "fact", "source": "ruleset:a/b", "received_at": "2026-03-01T02:07:10Z", "bytes": 2, "begins": "{}",
     "decided": False, "decisions": 0, "runs": 0, "quarantined": 0},
    {"id": "e-6", "kind": "event", "source": "am", "received_at": "2026-03-01T02:07:09Z", "bytes": 2, "begins": "{}", "decided": True,
     "decisions": 1, "runs": 0, "quarantined": 0},
]  # fmt: skip
HELD = {"event": "e-8", "ruleset": "a/b", "source": "am", "kind": "event", "error": "ValueError: x", "tries": 3,
        "since": "2026-03-01T02:07:12Z", "received_at": "2026-03-01T02:07:11Z", "cause": None}  # fmt: skip
ACTIVE, OBSERVE = {"mode": "active"}, {"mode": "observe"}


def posted(daemon):
    return [(one.path.removeprefix("/api/v1"), one.body) for one in daemon.requests if one.method == "POST"]


def test_table(ask, daemon):
    daemon["GET /api/v1/events"] = {"items": ITEMS, "next": None}
    assert ask("events").stdout == (
        "event  when                        kind   source       led to           what\n"
        'e-9    2026-03-01 03:07:12 +01:00  event  am           1 run            {"alert":{"name":"X\\u202e"\n'
        "e-8    2026-03-01 03:07:11 +01:00  event  am           quarantine       (9000 bytes)\n"
        "e-7    2026-03-01 03:07:10 +01:00  fact   ruleset:a/b  not decided yet  {}\n"
        "e-6    2026-03-01 03:07:09 +01:00  event  am           1 decision       {}\n"
    )


def test_filters_and_json(ask, daemon):
    daemon["GET /api/v1/events"] = {"items": ITEMS, "next": None}
    args = (
        "--source",
        "am",
        "--kind",
        "event, tick",
        "--since",
        "2026-03-01T03:00",
        "--until",
        "2026-03-01T04:00",
        "--limit",
        "9",
    )
    assert json.loads(ask("events", "list", *args, "--json").stdout) == {"items": ITEMS, "next": None}
    assert daemon.requests[0].query == {
        "source": "am", "kind": "event,tick", "since": "2026-03-01T02:00:00.000000Z", "until": "2026-03-01T03:00:00.000000Z",
        "limit": "9",
    }  # fmt: skip


def test_none_and_more(ask, daemon):
    daemon["GET /api/v1/events"] = {"items": [], "next": None}
    assert ask("events").stderr == "no events\n"
    daemon["GET /api/v1/events"] = {"items": [], "next": "c"}
    assert ask("events", "--source", "x").stderr == "no events so far back; say when:  --since TIME --until TIME\n"
    daemon["GET /api/v1/events"] = {"items": ITEMS, "next": "c"}
    assert ask("events", "--limit", "4").stderr == "there are more:  --limit 16\n"


def test_a_kind_that_is_none(ask):
    done = ask("events", "--kind", "evnet")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error[usage]: --kind: no kind is named 'evnet'\n  try  event\n" in done.stderr.replace(
        "did you mean 'event'?", "event"
    )


def test_one_in_full(ask, daemon):
    daemon["GET /api/v1/events/e-8"] = {
        "id": "e-8", "kind": "event", "source": "am", "received_at": "2026-03-01T02:07:11Z", "actor": "source:am", "depth": 0,
        "cause": "e-3", "only": "a/b", "event": {"a": "\x1b[2J"}, "meta": {"endpoint": "am"}, "decided": True,
        "decisions": [
            {"rule": "a/c/r", "action": "fix", "outcome": "deferred", "run": "r-7f3k2maaaa", "reason": "cooldown", "sentence": "It ran."},
            {"rule": "a/c/s", "action": "none", "outcome": "done", "run": None, "reason": "", "sentence": ""},
        ],
        "quarantined": [
            {"ruleset": "a/b", "error": "ValueError: x", "tries": 3, "at": "2026-03-01T02:07:12Z", "state": "held", "released": None},
            {"ruleset": "*", "error": "killed", "tries": 3, "at": "2026-03-01T02:07:12Z", "state": "released", "released": "e-9"},
        ],
    }  # fmt: skip
    shown = ask("events", "show", "e-8").stdout
    assert shown.splitlines()[0] == "e-8  event of am"
    for line in (
        "  received    2026-03-01 03:07:11 +01:00", "  cause       e-3", "  only        a/b", '      "a": "\\u001b[2J"',
        '      "endpoint": "am"', "  decided     a/c/r: fix deferred  r-7f3k2m: It ran.", "  decided     a/c/s: none done",
        "  in quarantine: a/b could not digest it in 3 tries, 2026-03-01 03:07:12 +01:00", "    ValueError: x",
        "  was in quarantine: no ruleset could digest it in 3 tries, 2026-03-01 03:07:12 +01:00", "    tried again as e-9",
    ):  # fmt: skip
        assert line in shown.splitlines(), shown
    assert "healer events quarantine release e-8" in shown


@pytest.mark.parametrize(("decided", "said"), [(True, "nothing came of it"), (False, "not yet")])
def test_one_that_led_to_nothing(ask, daemon, decided, said):
    daemon["GET /api/v1/events/e-1"] = {"id": "e-1", "event": None, "decided": decided, "decisions": []}
    shown = ask("events", "show", "e-1").stdout
    assert f"  decided     {said}\n" in shown
    assert "  event       its content was trimmed\n" in shown


def test_one_as_json(ask, daemon):
    daemon["GET /api/v1/events/e-1"] = {"id": "e-1"}
    assert json.loads(ask("events", "show", "e-1", "--json").stdout) == {"id": "e-1"}


# --- once more ------------------------------------------------------------------------------------------------------------------


def test_once_more(ask, daemon):
    daemon["GET /api/v1/status"] = OBSERVE
    daemon["POST /api/v1/events/e-1/resend"] = 202, {"event": "e-1", "id": "e-20"}
    daemon["POST /api/v1/events/e-2/resend"] = 202, {"event": "e-2", "id": "e-21"}
    assert (
        ask("events", "resend", "e-1", "e-2").stdout == "e-1 went in once more as e-20\ne-2 went in once more as e-21\n"
    )
    assert posted(daemon) == [("/events/e-1/resend", b""), ("/events/e-2/resend", b"")]


def test_what_went_in_before_one_was_refused_is_said(ask, daemon):
    daemon["POST /api/v1/events/e-1/resend"] = 202, {"event": "e-1", "id": "e-20"}
    done = ask("events", "resend", "e-1", "e-2", "--yes")
    assert (done.exit_code, done.stdout) == (1, "e-1 went in once more as e-20\n")
    done = ask("events", "resend", "e-1", "e-2", "--yes", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"items": [{"event": "e-1", "id": "e-20"}]})


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["events", "resend", "e-1"], "e-1 once more"),
        (["events", "resend", "e-1", "e-2"], "2 events once more"),
        (["events", "quarantine", "release", "e-1"], "e-1 out of quarantine"),
    ],
)
def test_an_active_daemon_is_not_acted_on_without_being_asked(ask, daemon, args, what):
    daemon["GET /api/v1/status"] = ACTIVE
    done = ask(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"error[not-confirmed]: the mode is active, so that {what} may start actions, and there is no terminal"
    )
    assert posted(daemon) == []


@pytest.mark.parametrize(("said", "sent"), [("y\n", 1), ("n\n", 0)])
def test_a_person_is_asked(ask, daemon, monkeypatch, said, sent):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    daemon["GET /api/v1/status"] = ACTIVE
    daemon["POST /api/v1/events/e-1/resend"] = 202, {"event": "e-1", "id": "e-20"}
    done = ask("events", "resend", "e-1", stdin=said)
    assert "The mode is ACTIVE: e-1 once more may start actions. Send? [y/N]" in done.stderr
    assert len(posted(daemon)) == sent
    assert send.NotConfirmed.code == "not-confirmed"


# --- the quarantine -------------------------------------------------------------------------------------------------------------


def test_what_is_held(ask, daemon):
    daemon["GET /api/v1/quarantine"] = {"items": [HELD], "next": None}
    assert ask("events", "quarantine").stdout == (
        "event  ruleset  source  tries  since                       error\n"
        "e-8    a/b      am          3  2026-03-01 03:07:12 +01:00  ValueError: x\n"
    )
    done = ask("events", "quarantine", "list", "--source", "am", "--ruleset", "a/b", "--limit", "3", "--json")
    assert json.loads(done.stdout) == {"items": [HELD], "next": None}
    assert daemon.requests[-1].query == {"source": "am", "ruleset": "a/b", "limit": "3"}


def test_nothing_is_held_and_more_is(ask, daemon):
    daemon["GET /api/v1/quarantine"] = {"items": [], "next": None}
    assert ask("events", "quarantine").stderr == "nothing is in quarantine\n"
    daemon["GET /api/v1/quarantine"] = {"items": [HELD], "next": "c"}
    assert ask("events", "quarantine", "--limit", "1").stderr == "there are more:  --limit 4\n"


def test_it_is_released(ask, daemon):
    told = {"event": "e-8", "released": [{"ruleset": "a/b", "id": "e-20"}, {"ruleset": "*", "id": "e-21"}]}
    daemon["POST /api/v1/quarantine/release"] = 202, told
    done = ask("events", "quarantine", "release", "e-8", "--ruleset", "a/b", "--reason", "mended", "--yes")
    assert done.stdout == "e-8 is tried again as e-20, by a/b\ne-8 is tried again as e-21, by all\n"
    assert "healer explain e-20" in done.stderr
    ((_, body),) = posted(daemon)
    assert json.loads(body) == {"event": "e-8", "ruleset": "a/b", "reason": "mended"}
    assert json.loads(ask("events", "quarantine", "release", "e-8", "--yes", "--json").stdout) == told


def test_it_is_given_up(ask, daemon):
    told = {"event": "e-8", "dropped": ["*", "a/b"]}
    daemon["POST /api/v1/quarantine/drop"] = told
    assert ask("events", "quarantine", "drop", "e-8", "--yes").stdout == "e-8 is given up, for all, a/b\n"
    assert json.loads(posted(daemon)[0][1]) == {"event": "e-8", "ruleset": "", "reason": ""}
    assert json.loads(ask("events", "quarantine", "drop", "e-8", "--yes", "--json").stdout) == told
