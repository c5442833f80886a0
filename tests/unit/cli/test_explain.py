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
    ],
}  # fmt: skip

GOLDEN = """\
e-12  event of healer.api, 2026-03-01 03:07:12 +01:00
  {"alert": {"name": "DiskFull", "status": "firing"}}

disk/disk/disk is full: fired
  conditions
    yes  event.alert.name == "DiskFull"                  event.alert.name = "DiskFull"
  gates
    yes  kill switch
    no   cooldown      clean_disk ran on host:web1 40 s ago; again after 9 min.
                       next  cooldown:
  run  r-7f3k2m deferred

disk/disk/other: did not fire: the event went to an earlier rule (disk is full)

disk/disk/missing: did not fire: its condition does not hold
  conditions
    no   not (event.alert.depth > 3)                     event.alert.depth is missing
"""


def test_golden(ask, daemon):
    daemon["GET /api/v1/explain/e-12"] = EXPLAINED
    assert ask("explain", "e-12").stdout == GOLDEN


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


def test_values_of_events_steer_no_terminal(ask, daemon):
    evil = "\x1b[2J\u202e\x07\n"
    test = {"text": evil, "holds": True, "seen": [{"path": evil, "missing": False, "value": evil}]}
    gate = {"gate": evil, "ok": False, "code": evil, "sentence": evil, "next_step": evil}
    rule = {"rule": evil, "fired": True, "conditions": [test, evil], "gates": [gate], "run": evil, "state": evil}
    refused = {"rule": evil, "fired": False, "reason": evil, "taken_by": evil}
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
