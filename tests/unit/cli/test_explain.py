"""`healer explain`, and how conditions and gates are shown."""

from __future__ import annotations

import json

import pytest

EXPLAINED = {
    "event": {
        "id": "e-12", "kind": "event", "source": "healer.api", "received_at": "2026-03-01T02:07:12.000000Z",
        "event": {"alert": {"name": "DiskFull", "status": "firing"}},
    },
    "rules": [
        {"rule": "disk/disk/other", "fired": False, "reason": "taken", "taken_by": "disk is full", "conditions": [], "gates": []},
        {
            "rule": "disk/disk/missing", "fired": False, "reason": "no-match", "gates": [], "conditions": [
                {"text": "event.alert.depth > 3", "negated": True, "holds": False,
                 "seen": [{"path": "event.alert.depth", "missing": True}]},
            ],
        },
        {
            "rule": "disk/disk/disk is full", "fired": True, "run": "r-7f3k2m", "state": "deferred",
            "conditions": [
                {"text": 'event.alert.name == "DiskFull"', "place": "rulebooks/disk.yml:8:18", "negated": False, "holds": True,
                 "seen": [{"path": "event.alert.name", "missing": False, "value": "DiskFull"}]},
            ],
            "gates": [
                {"gate": "kill switch", "ok": True, "saw": {"enabled": True}},
                {"gate": "cooldown", "ok": False, "code": "cooldown",
                 "sentence": "clean_disk ran on host:web1 40 s ago; again after 9 min.", "next_step": "cooldown:", "saw": {}},
            ],
        },
        {"rule": "disk/disk/window", "fired": False, "reason": "throttled", "throttle": "once_within: 5 minutes", "conditions": [], "gates": []},
        {
            "rule": "disk/disk/went on", "fired": True, "run": "r-9zzzzz", "state": "running", "since": None,
            "conditions": [
                {"text": "event.a == 1", "holds": False, "seen": [{"path": "event.a", "missing": False, "value": 2}]},
                {"text": "event.b != 1", "holds": False, "seen": [{"path": "event.b", "missing": True}]},
                {"text": "event.c is defined", "holds": True, "seen": [{"path": "event.c", "missing": False, "value": None}]},
            ],
            "gates": [{"gate": "cooldown", "ok": True, "saw": {}}], "looked_at": "2026-03-01T02:17:12.000000Z",
            "waited": [{"code": "cooldown", "sentence": "clean_disk ran on host:web1 40 s ago; again after 9 min.",
                        "since": "2026-03-01T02:07:12.000000Z", "until": "2026-03-01T02:16:12.000000Z"}],
        },
    ],
}  # fmt: skip

GOLDEN = """\
e-12  event of healer.api, 2026-03-01 03:07:12 +01:00
  {"alert": {"name": "DiskFull", "status": "firing"}}

disk/disk/disk is full: fired
  conditions
    ✓ event.alert.name == "DiskFull"                  event.alert.name = "DiskFull"
  gates
    yes  kill switch
    no   cooldown      clean_disk ran on host:web1 40 s ago; again after 9 min.
                       next  cooldown:
  run  r-7f3k2m deferred

disk/disk/went on: fired
  conditions (not all of them have to hold)
    ✗ event.a == 1                                    event.a = 2
    ✗ event.b != 1                                    event.b is missing: no test of it holds
    ✓ event.c is defined                              event.c = null
  waited  9 min from 2026-03-01 03:07:12 +01:00 on: clean_disk ran on host:web1 40 s ago; again after 9 min.
  gates (looked at again 2026-03-01 03:17:12 +01:00)
    yes  cooldown
  run  r-9zzzzz running

disk/disk/other: did not fire: the event went to an earlier rule (disk is full)

disk/disk/missing: did not fire: its condition does not hold
  conditions
    ✗ not (event.alert.depth > 3)                     event.alert.depth is missing: no test of it holds

disk/disk/window: did not fire: its throttle was closed (once_within: 5 minutes)
"""


def test_golden(ask, daemon):
    daemon["GET /api/v1/explain/e-12"] = EXPLAINED
    assert ask("explain", "e-12").stdout == GOLDEN


def test_commands_that_are_advised_ask_the_same_daemon(ask, daemon):
    gate = {
        "gate": "lock",
        "ok": False,
        "code": "target_busy",
        "sentence": "s",
        "next_step": "healer runs show r-7f3k2m",
    }
    rules = [{"rule": "a", "fired": True, "gates": [gate]}, {"rule": "b", "fired": False, "reason": "ended"}]
    daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": rules}
    told = ask("explain", "e-1").stdout
    options = f"--data-dir {daemon.data_dir}"
    assert f"next  healer runs show r-7f3k2m {options}\n" in told
    assert f"a rule had ended its rulebook (shutdown); healer reload {options} brings it back\n" in told


def test_latest_and_rule_are_asked_for(ask, daemon):
    daemon["GET /api/v1/explain/latest"] = EXPLAINED
    assert json.loads(ask("explain", "--latest", "--rule", "disk/disk/other", "--json").stdout) == EXPLAINED
    assert daemon.requests[0].query == {"rule": "disk/disk/other"}


@pytest.mark.parametrize("args", [[], ["e-1", "--latest"]])
def test_what_is_to_be_explained_has_to_be_said(ask, args):
    assert ask("explain", *args).exit_code == 2


def test_a_code_without_its_sentence_gets_one(ask, daemon):
    gate = {
        "gate": "cooldown",
        "ok": False,
        "code": "cooldown",
        "fields": {"action": "a", "target": "t", "ago": "1 s", "left": "2 s"},
    }
    daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": [{"rule": "r", "fired": True, "gates": [gate]}]}
    assert "a ran on t 1 s ago; again after 2 s." in ask("explain", "e-1").stdout


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("absence", "it fires for a field that is missing, and the event has it"),
        ("absence-over", "it was asked already, and is again once something that has the field has come and gone"),
        (
            "not-heard",
            "its condition holds today; then it did not hear of the event, or what the rules remembered kept the event from it",
        ),
        ("throttled", "its throttle was closed"),
        ("uncounted", "its throttle does not count an event without what it groups by"),
        ("of-tomorrow", "of-tomorrow"),
    ],
)
def test_why_a_rule_did_not_fire(ask, daemon, reason, says):
    daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": [{"rule": "r", "fired": False, "reason": reason}]}
    assert f"r: did not fire: {says}\n" in ask("explain", "e-1").stdout


def test_what_came_of_an_event_later(ask, daemon):
    later = [
        {"event": "e-9", "at": "2026-03-01T02:07:22.000000Z", "action": "clean_disk", "outcome": "queued", "run": "r-7f3k2m"},
        {"event": "e-9", "at": "2026-03-01T02:07:22.000000Z", "action": "debug", "outcome": "done", "run": None},
    ]  # fmt: skip
    rules = [
        {"rule": "a", "fired": False, "reason": "gathered", "throttle": "once_after: 3 seconds", "later": later},
        {"rule": "b", "fired": False, "reason": "alone", "within": "10 s"},
    ]
    daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": rules}
    assert (
        ask("explain", "e-1").stdout.partition("\n\n")[2]
        == """\
a: did not fire at once: its throttle gathers it, and fires when its time is over (once_after: 3 seconds)
  later  2026-03-01 03:07:22 +01:00: clean_disk, run r-7f3k2m
  later  2026-03-01 03:07:22 +01:00: debug, done

b: did not fire: the event meets a condition of it: it fires when time is over and the others did not come, and is silent where all came (within 10 s)
"""
    )


def test_when_the_last_look_was_is_said_where_it_waited(ask, daemon):
    rule = {
        "rule": "r",
        "fired": True,
        "gates": [{"gate": "age", "ok": True}],
        "looked_at": "2026-03-01T02:17:12Z",
        "waited": [],
    }
    for since, says in (
        (None, "  gates"),
        ("2026-03-01T02:07:12Z", "  gates (looked at again 2026-03-01 03:17:12 +01:00)"),
    ):
        daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": [rule | {"since": since}]}
        assert says in ask("explain", "e-1").stdout.splitlines()


def test_what_never_holds_says_what_to_write(ask, daemon):
    test = {
        "text": "event.a  is defined",
        "negated": True,
        "holds": False,
        "seen": [{"path": "event.a", "missing": True}],
    }
    rule = {"rule": "r", "fired": False, "reason": "no-match", "conditions": [test]}
    daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": [rule]}
    line = ask("explain", "e-1").stdout.splitlines()[-1]
    assert line.split("  ")[-1].strip() == "never holds: write event.a is not defined"


def test_a_run_says_since_when_it_waits_and_who_decided_it_again(ask, daemon):
    waits = {
        "rule": "a",
        "fired": True,
        "run": "r-1",
        "state": "deferred",
        "sentence": "Paused.",
        "since": "2026-03-01T02:07:12Z",
    }
    again = {"rule": "b", "fired": True, "run": "r-2", "state": "succeeded", "decided_again": "e-15"}
    gone = {
        "rule": "c", "fired": True, "run": "r-3", "state": "void", "sentence": "it is not what was asked for any more",
        "approved": {"request": "a-1", "by": ["ana", "bo"], "at": "2026-03-01T02:07:12Z"},
        "gates": [{"gate": "approval", "ok": False, "code": "needs_approval", "sentence": "Waiting.", "next_step": "healer approvals"}],
    }  # fmt: skip
    daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": [waits, again, gone]}
    shown = ask("explain", "e-1").stdout
    assert "run  r-3 void: it is not what was asked for any more\n" in shown
    assert "approved  by ana, bo 2026-03-01 03:07:12 +01:00 (a-1)\n" in shown
    assert "healer approvals" not in shown
    assert "run  r-1 deferred since 2026-03-01 03:07:12 +01:00: Paused.\n" in shown
    assert "run  r-2 succeeded (decided again with e-15)\n" in shown


def test_values_of_events_steer_no_terminal(ask, daemon):
    evil = "\x1b[2J\u202e\x07\n"
    test = {"text": evil, "holds": True, "seen": [{"path": evil, "missing": False, "value": evil}]}
    gate = {"gate": evil, "ok": False, "code": evil, "sentence": evil, "next_step": evil}
    waited = [{"code": evil, "sentence": evil, "since": evil, "until": evil}, evil]
    rule = {"rule": evil, "fired": True, "conditions": [test, evil], "gates": [gate], "run": evil, "state": evil, "since": evil,
            "looked_at": evil, "waited": waited, "decided_again": evil}  # fmt: skip
    refused = {"rule": evil, "fired": False, "reason": "throttled", "throttle": evil, "taken_by": evil}
    daemon["GET /api/v1/explain/e-1"] = {"event": {"id": evil, "source": evil, "event": evil}, "rules": [rule, refused]}
    shown = ask("explain", "e-1").stdout
    assert not {"\x1b", "\u202e", "\x07"} & set(shown)


def by_rule(request):
    """As the daemon answers: only the rule that is asked for, where one is."""
    rule = request.query.get("rule")
    shown = [one for one in EXPLAINED["rules"] if rule in (None, one["rule"], one["rule"].rpartition("/")[2])]
    return EXPLAINED | {"rules": shown}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("misssing", "did you mean 'disk/disk/missing'?"),
        ("disk/disk/othr", "did you mean 'disk/disk/other'"),
        ("nope", "one of: disk/disk/other, disk/disk/missing, disk/disk/disk is full"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_rule_that_there_is_not(ask, daemon, rule, says, more):
    daemon["GET /api/v1/explain/e-12"] = by_rule
    done = ask("explain", "e-12", "--rule", rule, *more)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"no rule is named {rule!r}" in done.stderr
    assert says in done.stderr


def test_names_of_the_latest_are_those_of_the_same_event(ask, daemon):
    daemon["GET /api/v1/explain/latest"] = daemon["GET /api/v1/explain/e-12"] = by_rule
    assert "missing" in ask("explain", "--latest", "--rule", "misssing").stderr
    assert [request.path.rpartition("/")[2] for request in daemon.requests] == ["latest", "e-12"]


def test_no_rule_listens_to_name_one(ask, daemon):
    daemon["GET /api/v1/explain/e-1"] = {"event": {"id": "e-1"}, "rules": []}
    done = ask("explain", "e-1", "--rule", "nope")
    assert done.exit_code == 1
    assert "no rule listens to its source" in done.stderr


def test_no_rule_listens(ask, daemon):
    daemon["GET /api/v1/explain/e-1"] = {"event": {"id": "e-1"}, "rules": []}
    assert "no rule listens" in ask("explain", "e-1").stdout


def test_what_chose_the_controller_and_why_a_person_wants_it(ask, daemon):
    chosen = {"controller": "site\x1b[2J", "by": "override", "who": "key:laptop = ana"}
    rule = {
        "rule": "healer/actions/clean",
        "fired": True,
        "run": "r-1",
        "chosen": chosen,
        "asked_for": "it is full\x1b[2J",
    }
    daemon["GET /api/v1/explain/e-1"] = {"event": {}, "rules": [rule]}
    shown = ask("explain", "e-1").stdout.splitlines()
    assert "  by     site (chosen by key:laptop = ana in the place of its own)" in shown
    assert "  asked for: it is full" in shown
