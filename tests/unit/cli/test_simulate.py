"""`healer simulate`, and how plans are shown wherever there is one."""

from __future__ import annotations

import json

import pytest

PLAN = {
    "state": "made", "sentence": "", "seconds": 12.4, "targets": ["web01", "web07"], "steps": ["ansible-playbook x.yml", "check mode: 2 hosts, 2 changed"],
    "diff": "TASK [write]\n+new\x1b[31m\n", "exact": True, "cut": False,
}  # fmt: skip
PLANNED = """\
  plan   on web01, web07 (12 s)
         ansible-playbook x.yml
         check mode: 2 hosts, 2 changed
       | TASK [write]
       | +new
"""
GATES = [
    {"gate": "kill switch", "ok": True, "saw": {}},
    {"gate": "cooldown", "ok": False, "code": "cooldown", "sentence": "restart ran on host:web01 40 s ago; again after 9 min.",
     "next_step": "cooldown:", "saw": {}},
]  # fmt: skip
FOUND = {
    "items": [
        {
            "event": {"id": None, "kind": "event", "source": "healer.api", "received_at": "2026-03-01T02:07:12.000000Z", "event": {"a": 1}},
            "revision": "3f2a9c1", "mode": "active", "listening": 2, "others": 1, "cut": True, "appends": [{"kind": "fact", "to": "ruleset:web/alerts"}],
            "alert": {"key": "k1", "cycle": 3, "firing": True, "opens": True, "full": False},
            "rules": [
                {
                    "rule": "web/alerts/down", "fired": True, "action": "restart", "outcome": "deferred", "reason": "cooldown",
                    "sentence": "restart ran on host:web01 40 s ago; again after 9 min.", "next_step": "cooldown:", "gates": GATES,
                    "conditions": [{"text": "event.a == 1", "holds": True, "negated": False, "seen": [{"path": "event.a", "missing": False, "value": 1}]}],
                    "run": "r-7f3k2m", "state": "deferred", "queued": False, "controller": "site", "parameters": {"service": "nginx"}, "dry_run": False,
                    "targets": [
                        {"target": "host:web01", "state": "deferred", "reason": "", "sentence": ""},
                        {"target": "host:web99", "state": "left_out", "reason": "unknown_target", "sentence": "No target web99 in inventory."},
                    ],
                    "groups": [{"group": "web", "targets": 1, "size": 12, "percent": 8.3}, {"group": None, "targets": 1, "size": None, "percent": None}],
                    "plan": PLAN,
                },
                {"rule": "web/alerts/quiet", "fired": False, "reason": "throttled", "throttle": "once_within: 1 minute", "conditions": [], "gates": []},
                {"rule": "odd/rs/r", "fired": False, "reason": "undigested", "error": "RuntimeError: boom", "conditions": [], "gates": []},
            ],
        }
    ],
    "more": 2,
    "unread": ["alerts[1].status: text is wanted"],
}  # fmt: skip

GOLDEN = f"""\
simulated  event of healer.api, 2026-03-01 03:07:12 +01:00
  {{"a": 1}}
  nothing is started or written · mode active · revision 3f2a9c1
  alert k1: would open, for the third time

web/alerts/down: would fire
  action restart on host:web01 by site
         {{"service": "nginx"}}
         without host:web99: No target web99 in inventory.
  share  1 of 12 in web (8.3 %)
  share  1 in no group
  gates
    no   cooldown      restart ran on host:web01 40 s ago; again after 9 min.
                       next  cooldown:
  then   it would wait: restart ran on host:web01 40 s ago; again after 9 min.
{PLANNED}
web/alerts/quiet: would not fire: its throttle was closed (once_within: 1 minute)

odd/rs/r: would not fire: its ruleset could not digest the event
  RuntimeError: boom
  then a row (fact) for ruleset:web/alerts, whose rules are not looked at

1 other rule listens, and would not fire: --why says why
There is more: not all that the event would lead to was looked at
2 more events of the body were not looked at
a part of the body cannot be read and would be held in quarantine: alerts[1].status: text is wanted
"""


@pytest.fixture
def event(healer, tmp_path):
    path = tmp_path / "here" / "event.json"
    path.write_text('{"a": 1}')
    return path


def test_in_full(ask, daemon, event):
    daemon["POST /api/v1/simulate"] = FOUND
    assert ask("simulate", event).stdout == GOLDEN
    assert json.loads(daemon.requests[0].body) == {"event": {"a": 1}}


def test_why_shows_conditions_and_every_gate(ask, daemon, event):
    daemon["POST /api/v1/simulate"] = FOUND
    shown = ask("simulate", event, "--why").stdout
    assert "    ✓ event.a == 1 " in shown
    assert "    yes  kill switch" in shown
    assert json.loads(daemon.requests[0].body)["why"] is True


@pytest.mark.parametrize(
    ("args", "stdin", "body"),
    [
        (["-"], b'{"a": 2}', {"event": {"a": 2}}),
        (["-"], b'[{"a": 2}]', {"event": {"a": 2}}),
        (["-"], b'{"a": 2}\n', {"event": {"a": 2}}),
        (["e-12"], None, {"id": "e-12"}),
        (["--latest", "--rule", "down", "--plan"], None, {"id": "latest", "rule": "down", "plan": True}),
        (["event.json", "--source", "am"], None, {"event": {"a": 1}, "source": "am"}),
    ],
)
def test_what_is_asked(ask, daemon, event, args, stdin, body):
    daemon["POST /api/v1/simulate"] = {"items": [], "more": 0}
    assert ask("simulate", *args, stdin=stdin).exit_code == 0
    assert json.loads(daemon.requests[0].body) == body


def test_the_bytes_of_a_file_go_as_they_are(ask, daemon, event):
    event.write_bytes(b'{"a": 1, "a": 2}')
    daemon["POST /api/v1/simulate"] = (
        400,
        {"code": "duplicate-key", "detail": "the JSON has the key 'a' twice", "status": 400},
    )
    assert ask("simulate", event).exit_code == 2
    assert daemon.requests[0].body == b'{"event":{"a": 1, "a": 2}}'


@pytest.mark.parametrize(
    ("args", "stdin", "says"),
    [
        ([], None, "a file, the ID of an event, or --latest is wanted, none was given"),
        (["e-1", "--latest"], None, "got both"),
        (["gone.json"], None, "there is no file 'gone.json'"),
        (["-"], b'{"a": 1}\n{"a": 2}\n', "one event is simulated at a time, standard input has 2"),
        (["-"], b"", "is empty"),
        (["-"], b"{", "is no JSON"),
    ],
)
def test_wrong_use(ask, args, stdin, says):
    done = ask("simulate", *args, stdin=stdin)
    assert done.exit_code == 2
    assert says in done.stderr


def test_for_programs(ask, daemon, event):
    daemon["POST /api/v1/simulate"] = FOUND
    assert json.loads(ask("simulate", event, "--json").stdout) == FOUND


def test_where_nothing_would_happen_it_says_so(ask, daemon, event):
    item = FOUND["items"][0] | {"rules": [], "alert": None, "others": 0, "cut": False, "appends": []}
    daemon["POST /api/v1/simulate"] = {"items": [item | {"listening": 0}], "more": 0}
    assert ask("simulate", event).stdout.endswith("  no rule listens to its source\n")
    daemon["POST /api/v1/simulate"] = {"items": [item], "more": 0}
    assert ask("simulate", event).stdout.endswith("  no rule would fire\n")


@pytest.mark.parametrize(
    ("alert", "says"),
    [
        ({"key": "k", "cycle": 1, "firing": True, "opens": False}, "alert k: fires already (cycle 1)"),
        ({"key": "k", "cycle": 1, "firing": False, "opens": False}, "alert k: would be resolved (cycle 1)"),
        ({"key": "k", "cycle": 4, "firing": True, "opens": True}, "alert k: would open, for the 4th time"),
        (
            {"key": "k", "cycle": 0, "firing": True, "opens": False, "full": True},
            "alert k: not followed, since too many are open",
        ),
    ],
)
def test_what_it_says_of_its_alert(ask, daemon, event, alert, says):
    daemon["POST /api/v1/simulate"] = {"items": [FOUND["items"][0] | {"alert": alert}], "more": 0}
    assert says in ask("simulate", event).stdout


def test_without_a_daemon(healer, event, tmp_path):
    done = healer("simulate", event, "--data-dir", tmp_path / "nothing")
    assert done.exit_code == 3
    assert "healer run" in done.stderr


# --- plans elsewhere ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "shown"),
    [
        (PLAN, PLANNED),
        (PLAN | {"exact": False, "targets": [], "steps": [], "diff": "", "cut": True, "seconds": None},
         "  plan   on no target; what it would change there is not known\n         the plan was cut: it says more than is kept\n"),
        (PLAN | {"steps": ["a"], "diff": "", "fails": "x is not on\x1b[31m the PATH", "seconds": None},
         "  plan   on web01, web07\n         it would fail: x is not on the PATH\n         a\n"),
        (PLAN | {"state": "skipped", "sentence": "no plan: too many at once", "seconds": None, "targets": [], "steps": [], "diff": ""},
         "  plan   no plan: too many at once\n"),
    ],
)  # fmt: skip
def test_a_run_a_request_and_an_explanation_show_their_plan(ask, daemon, plan, shown):
    run = {"id": "r-7f3k2m", "state": "simulated", "targets": [], "plan": plan}
    daemon["GET /api/v1/runs/r-7f3k2m"] = run
    daemon["GET /api/v1/approvals/a-1"] = {"id": "a-1", "state": "open", "plan": plan}
    daemon["GET /api/v1/explain/r-7f3k2m"] = {
        "rules": [{"rule": "a/b/c", "fired": True, "run": "r-7f3k2m", "state": "simulated", "plan": plan}]
    }
    assert shown in ask("runs", "show", "r-7f3k2m").stdout
    assert shown in ask("approvals", "show", "a-1").stdout
    assert shown in ask("explain", "r-7f3k2m").stdout
