"""`healer status`: the golden picture, what is left out, watching."""

from __future__ import annotations

import json
import re

import pytest

from healer.cli import status as command
from healer.cli import terminal, watching

STATUS = {
    "version": "0.1.0", "environment": "prod", "mode": "active", "state": "paused", "revision": "3f2a9c1",
    "now": "2026-03-01T02:07:12.000000Z", "uptime_s": 12 * 86400 + 4 * 3600, "window_s": 600,
    "paused": [
        {"scope": "rule:web/restart", "who": "os:ana", "since": "2026-03-01T02:05:00Z", "reason": "restarts healthy nodes", "until_changed": True},
    ],
    "storm": {"since": "2026-03-01T02:00:41Z", "matches": 2114, "limit": 200, "within_s": 60.0, "calm_s": 300.0, "next_look": "2026-03-01T02:10:00Z"},
    "alerts": {"firing": 2041, "opened": 1988, "resolved": 1959},
    "runs": {"running": 6, "awaiting_approval": 3, "deferred": 312, "unknown": 1, "succeeded": 5000},
    "backlog": 1200,
    "quarantine": 2,
    "rules": [
        {"rule": "web/restart", "fired": 1204, "acted": 41, "healed": 9, "failed": 32, "why_not": {"cooldown": 988, "target_busy": 175}},
        {"rule": "disk/disk full", "fired": 38, "acted": 38, "healed": 37, "failed": 1, "why_not": {}},
        {"rule": "pods/crashloop", "fired": 872, "acted": 0, "healed": 0, "failed": 0, "why_not": {"paused": 872}},
    ],
    "rule_counters": {"disk/disk": {"matches_cut": 1}, "web/alerts": {"events_evicted": 1200, "comparisons_broken": 3}},
    "sources": [
        {"name": "alertmanager", "type": "healer.webhook", "state": "running", "last_event": "2026-03-01T02:07:11.800000Z"},
        {"name": "watchdog", "type": "check", "state": "running", "last_event": None},
        {"name": "sqs", "type": "x", "state": "running", "silent": True, "last_event": "2026-03-01T00:00:00Z", "max_quiet_s": 1800},
        {"name": "range", "type": "range", "state": "failed", "error": "no such host"},
    ],
    "audit": {"size": 88161, "anchored": None},
}  # fmt: skip

GOLDEN = """\
healer 0.1.0 · prod · ACTIVE · revision 3f2a9c1 · up 12 d 4 h                        03:07:12 +01:00
PAUSED   rule web/restart by ana since 03:05:00 "restarts healthy nodes" · until the rule changes
STORM    since 03:00:41 · 2,114 matches in a minute (limit 200) · calm needed 5 min · next look 03:10:00
alerts   2,041 firing (+1,988 in 10 min) · 1,959 resolved in 10 min
runs     6 running · 3 waiting for a person · 312 deferred · 1 unknown → healer runs --unknown --data-dir DIR
backlog  1,200 events wait to be decided
events   2 in quarantine → healer events quarantine list
last 10 min       fired  acted  healed  failed  why not
  web/restart     1,204     41       9      32  cooldown 988, target_busy 175
  disk/disk full     38     38      37       1
  pods/crashloop    872      0                  paused 872
counted  web/alerts: events_evicted 1,200, comparisons_broken 3 · disk/disk: matches_cut 1
sources  sqs SILENT for 2 h 7 min (max 30 min) · range failed: no such host · alertmanager 0.2 s ago · watchdog nothing yet
audit    88,161 records, none anchored
"""


def test_golden(ask, daemon):
    daemon["GET /api/v1/status"] = STATUS
    assert ask("status").stdout == GOLDEN.replace("DIR", str(daemon.data_dir))


def test_sources_that_are_left_out_can_be_seen(ask, daemon):
    many = [{"name": f"s{n}", "state": "running"} for n in range(8)] + STATUS["sources"]
    daemon["GET /api/v1/status"] = STATUS | {"sources": many}
    (line,) = [line for line in ask("status").stdout.splitlines() if line.startswith("sources")]
    assert line.endswith(f" · s3 nothing yet · and 6 more → healer status --all --data-dir {daemon.data_dir}")
    shown = ask("status", "--all").stdout.split("sources  ")[1].split("audit")[0].splitlines()
    assert [line.split()[0] for line in shown] == [
        "sqs",
        "range",
        *(f"s{n}" for n in range(8)),
        "alertmanager",
        "watchdog",
    ]
    assert shown[1] == "         range failed: no such host"


def test_where_rulesets_let_nothing_go_nothing_is_said_of_it(ask, daemon):
    daemon["GET /api/v1/status"] = STATUS | {"rule_counters": {}}
    assert ask("status").stdout == re.sub("counted .*\n", "", GOLDEN.replace("DIR", str(daemon.data_dir)))


def test_of_many_rulesets_those_that_let_most_go_are_named(ask, daemon):
    counters = {f"a/r{n}": {"facts_refused": n} for n in range(1, 10)}
    daemon["GET /api/v1/status"] = {"rule_counters": counters}
    (line,) = [line for line in ask("status").stdout.splitlines() if line.startswith("counted")]
    named = " · ".join(f"a/r{n}: facts_refused {n}" for n in (9, 8, 7, 6, 5, 4))
    assert line == f"counted  {named} · and 3 more → healer status --json --data-dir {daemon.data_dir}"


def test_json(ask, daemon):
    daemon["GET /api/v1/status"] = STATUS
    assert json.loads(ask("status", "--json").stdout) == STATUS


def test_what_the_daemon_does_not_tell_is_left_out(ask, daemon):
    daemon["GET /api/v1/status"] = {"version": "0.1.0", "mode": "observe", "now": "2026-03-01T02:07:12Z"}
    (line,) = ask("status").stdout.splitlines()
    assert line.startswith("healer 0.1.0 · OBSERVE ")
    assert line.endswith("03:07:12 +01:00")


def test_nothing_runs(ask, daemon):
    daemon["GET /api/v1/status"] = {"runs": {"running": 0, "succeeded": 3}, "alerts": {"firing": 0}}
    shown = ask("status").stdout
    assert "runs     none running, none waiting" in shown
    assert "alerts   0 firing" in shown


def test_fits_a_terminal():
    wide = STATUS | {"rules": [{"rule": "r" * 300, "fired": 1, "acted": 1, "why_not": {"c" * 50: 1}}]}
    table = [line for line in command.in_full(wide, 80) if "rrr" in line]
    assert len(table) == 1
    assert terminal.columns(table[0]) <= 80


@pytest.mark.parametrize("evil", ["\x1b[2J", "\u202e", 5, None, [], {"a": 1}, -1.5, True])
def test_no_value_raises_or_steers(evil):
    def put(value: object) -> object:
        if isinstance(value, dict):
            return {key: put(inner) for key, inner in value.items()}
        return [put(inner) for inner in value] if isinstance(value, list) else evil

    for found in (put(STATUS), dict.fromkeys(STATUS, evil)):
        assert isinstance(found, dict)
        for line in command.in_full(found, 100):
            plain = line.replace("\x1b[31m", "").replace("\x1b[0m", "")
            assert not {"\x1b", "\u202e"} & set(plain)


def test_watch_looks_again_until_it_is_stopped(ask, daemon, monkeypatch):
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", sleep)
    daemon["GET /api/v1/status"] = STATUS
    done = ask("status", "--watch", "5")
    assert done.exit_code == 130
    assert slept == [5.0, 5.0, 5.0]
    looks = re.split(r"── \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0\d:00\n", done.stdout)
    assert looks == ["", *[GOLDEN.replace("DIR", str(daemon.data_dir))] * 3]
    assert "\x1b" not in done.stdout


def test_a_full_disk_is_told(ask, daemon):
    daemon["GET /api/v1/status"] = STATUS | {"state": "disk-full"}
    first, second, third = ask("status").stdout.splitlines()[:3]
    assert "DISK" not in first
    assert second == "DISK FULL nothing new is taken until there is space; what was answered is safe"
    assert third.startswith("PAUSED")


def test_a_source_that_is_not_up_yet_says_so(ask, daemon):
    sources = [{"name": "hook", "state": "starting"}, {"name": "am", "state": "running"}]
    daemon["GET /api/v1/status"] = {"sources": sources}
    assert next(line for line in ask("status").stdout.splitlines() if line.startswith("sources")) == (
        "sources  hook starting · am nothing yet"
    )


def test_a_webhook_whose_sender_was_refused_says_why(ask, daemon):
    refused = {"at": "2026-03-01T02:07:09.000000Z", "why": "the secret env:AMT cannot be read: the variable is not set"}
    sources = [
        {"name": "well", "state": "running", "last_event": "2026-03-01T02:07:11.000000Z", "refused": refused},
        {"name": "am", "state": "running", "last_event": None, "refused": refused},
        {"name": "fine", "state": "running", "last_event": None, "refused": None},
    ]
    daemon["GET /api/v1/status"] = {"now": "2026-03-01T02:07:12.000000Z", "sources": sources}
    line = next(line for line in ask("status").stdout.splitlines() if line.startswith("sources"))
    assert line == (
        "sources  am nothing yet, refused 3 s ago: the secret env:AMT cannot be read: the variable is not set"
        " · well 1 s ago · fine nothing yet"
    )


@pytest.mark.parametrize(("told", "shown"), [
    ({"heartbeat": {"every_s": 60.0, "last": "2026-03-01T02:07:00Z", "why": None}}, "beat     12 s ago"),
    ({"heartbeat": {"every_s": 60.0, "last": None, "why": None}}, "beat     none yet"),
    ({"heartbeat": {"every_s": 60.0, "last": "2026-03-01T02:05:12Z", "why": "none is sent: the disk is full"}},
     "beat     2 min ago, none is sent: the disk is full"),
    ({"caps": {"alerts": {"used": 2, "limit": 2, "refused": 1200}, "approvals": {"used": 3, "limit": 3, "refused": 0},
               "backlog": {"used": 5, "limit": 9, "refused": 0}, "facts": {"used": 9, "limit": 9, "refused": 9}}},
     "caps     alerts 2 of 2, 1,200 beyond · approvals 3 of 3"),
    ({"inventories": [{"path": "inv", "hosts": 3, "heard": "2026-03-01T02:00:00Z", "error": "no cloud"}, {"path": "x", "error": None}]},
     "hosts    Ansible could not list those of inv, what it listed at 03:00:00 holds (3 hosts): no cloud"),
    ({"inventories": [{"path": "inv", "hosts": 1, "heard": "2026-03-01T02:00:00Z", "error": None,
                       "fell": {"from": 1200, "at": "2026-03-01T02:00:00Z"}}]},
     "hosts    Ansible lists 1 of inv since 03:00:00, 1,200 before"),
    ({"inventories": [{"path": "inv", "hosts": 1, "heard": "2026-03-01T02:00:00Z", "error": None,
                       "fell": {"from": 1200, "at": "2026-03-01T02:00:00Z"}, "dried": {"from": 1199, "at": "2026-03-01T02:00:00Z"}}]},
     "hosts    Ansible lists no host of inv but those of files since 03:00:00, 1,199 beside them before"),
    ({"inventories": [{"path": "inv", "hosts": 0, "heard": None, "error": "no cloud"}]},
     "hosts    Ansible could not list those of inv, those that stand in files hold: no cloud"),
])  # fmt: skip
def test_what_is_beside_the_rules_has_a_line_of_its_own(ask, daemon, told, shown):
    daemon["GET /api/v1/status"] = STATUS | told
    assert shown in ask("status").stdout.splitlines()


@pytest.mark.parametrize(
    "caps", [None, {}, {"alerts": {"used": 1, "limit": 2, "refused": 0}}, {"alerts": None}, {"alerts": {"used": "x"}}]
)
def test_caps_that_nothing_has_reached_are_left_out(ask, daemon, caps):
    daemon["GET /api/v1/status"] = STATUS | {"caps": caps}
    assert not [line for line in ask("status").stdout.splitlines() if line.startswith("caps")]


@pytest.mark.parametrize(("reconcile", "shown"), [
    ({"at": "x", "why": None, "note": None}, "am 12 s ago"),
    ({"why": None, "note": "4 of 6 open alerts are gone"}, "am 12 s ago (4 of 6 open alerts are gone)"),
    ({"why": "it answers 500", "note": None}, "am 12 s ago, its sender cannot be asked: it answers 500"),
    (None, "am 12 s ago"),
])  # fmt: skip
def test_a_sender_that_is_asked_is_shown_with_its_source(ask, daemon, reconcile, shown):
    source = {"name": "am", "state": "running", "last_event": "2026-03-01T02:07:00Z", "reconcile": reconcile}
    daemon["GET /api/v1/status"] = STATUS | {"sources": [source]}
    assert f"sources  {shown}" in ask("status").stdout.splitlines()


@pytest.mark.parametrize(("pause", "said"), [
    ({"scope": "all", "who": "the file PAUSE", "since": "2026-02-28T02:05:00Z", "reason": "release"},
     'everything by the file PAUSE since 2026-02-28 03:05:00 +01:00 "release"'),
    ({"scope": "all", "who": "key:ci", "since": "2026-03-01T02:05:00Z", "until_changed": True},
     "everything by ci since 03:05:00 · until the revision changes"),
    ({"scope": "controller:here", "who": "os:ana", "since": "2026-03-01T02:05:00Z", "until": "2026-03-01T04:00:00Z"},
     "controller here by ana since 03:05:00 · until 05:00:00"),
    ({"scope": "ruleset:a/b", "who": "os:ana", "since": "2026-03-01T02:05:00Z", "until": "2026-03-02T04:00:00Z", "until_changed": True},
     "ruleset a/b by ana since 03:05:00 · until 2026-03-02 05:00:00 +01:00 · until the ruleset changes"),
])  # fmt: skip
def test_what_is_paused(ask, daemon, pause, said):
    daemon["GET /api/v1/status"] = {"now": STATUS["now"], "paused": [pause, pause]}
    assert ask("status").stdout.splitlines()[1:3] == [f"PAUSED   {said}"] * 2


@pytest.mark.parametrize(("within_s", "said"), [(60, "a minute"), (3600, "an hour"), (10, "10 s"), (300.0, "5 min")])
def test_a_storm(ask, daemon, within_s, said):
    daemon["GET /api/v1/status"] = {"now": STATUS["now"], "storm": STATUS["storm"] | {"within_s": within_s}}
    assert f" matches in {said} (limit 200) " in ask("status").stdout.splitlines()[1]


@pytest.mark.parametrize(("slack", "shown"), [
    ({"socket": True, "connected": True, "since": "2026-03-01T02:00:00Z", "error": None}, "slack    connected since 03:00:00"),
    (
        {"socket": True, "connected": False, "since": "2026-03-01T02:00:00Z", "error": "Slack says invalid_auth\x1b"},
        "slack    NOT CONNECTED since 03:00:00 (Slack says invalid_auth",
    ),
    ({"socket": False, "http": True, "connected": None, "since": None, "error": None}, ""), (None, ""), ([], ""),
])  # fmt: skip
def test_the_connection_to_slack(ask, daemon, slack, shown):
    daemon["GET /api/v1/status"] = STATUS | {"slack": slack}
    (line,) = [line for line in ask("status").stdout.splitlines() if line.startswith("slack")] or [""]
    assert line.startswith(shown)
    assert bool(line) is bool(shown)
    assert "\x1b" not in line
