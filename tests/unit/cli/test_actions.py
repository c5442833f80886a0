"""`healer actions`: the list, one in full, and starting one by hand."""

from __future__ import annotations

import json

import pytest

from healer.cli import terminal

CLEAN = {
    "name": "clean", "kind": "script", "subject": "scripts/clean.sh", "description": "Remove old files", "place": "scripts/clean.meta.yml",
    "target": "required", "controller": "here", "chosen": "default", "impact": "low", "impact_declared": True, "idempotent": True,
    "dry_run": False, "timeout_s": 300.0, "tags": ["disk"], "events": ["disk_full"],
}  # fmt: skip
NOTE = CLEAN | {
    "name": "note", "kind": "command", "subject": ["logger", "x"], "description": "", "place": "actions.yaml:3", "target": "none",
    "chosen": "action", "impact": "high", "impact_declared": False, "idempotent": False, "tags": [], "events": [],
}  # fmt: skip
IN_FULL = CLEAN | {
    "parameters": {
        "folder": {"type": "string"}, "days": {"type": "integer", "default": 7}, "deep": {"type": "boolean"}, "names": {"type": "array"},
    },
    "required": ["folder"], "payload_parameters": ["days", "deep", "names"], "verify": {"action": "look", "within": 60}, "escalate": [],
    "retries": None, "ramp": {"first": 1, "limit": 10}, "max_errors": 0,
    "gates": [{"gate": "cooldown", "value": 600, "written": "10 minutes", "from": "defaults (shipped)", "place": None}],
}  # fmt: skip
RUN = {
    "id": "r-7f3k2maaaaaaaaaaaaaaaaaaaa", "short": "r-7f3k2m", "state": "queued", "reason": "", "sentence": "", "next_step": "",
    "controller": "here", "targets": ["host:web01"],
}  # fmt: skip


def told(*runs, **more):
    return {"accepted": 1, "duplicates": 0, "ids": ["e-41"], "action": "clean", "results": list(runs)} | more


@pytest.fixture
def active(daemon):
    daemon["GET /api/v1/status"] = {"mode": "active"}
    daemon["GET /api/v1/actions/clean"] = IN_FULL
    daemon["POST /api/v1/actions/clean/run"] = told(RUN, pending=True)
    return daemon


def sent(daemon):
    return [json.loads(one.body) for one in daemon.requests if one.method == "POST"]


@pytest.mark.parametrize("args", [["actions"], ["actions", "list"]])
def test_table(ask, daemon, args):
    daemon["GET /api/v1/actions"] = {"items": [CLEAN, NOTE], "next": None}
    assert ask(*args).stdout.splitlines() == [
        "action  kind     target       by    impact             events     where                   what",
        "clean   script   one or more  here  low                disk_full  scripts/clean.meta.yml  Remove old files",
        "note    command               here  high (undeclared)             actions.yaml:3",
    ]


def test_none_and_for_programs(ask, daemon):
    daemon["GET /api/v1/actions"] = {"items": [], "next": None}
    done = ask("actions")
    assert (done.exit_code, done.stdout, done.stderr.startswith("no action is declared: see actions.yaml")) == (
        0,
        "",
        True,
    )
    assert json.loads(ask("actions", "--json").stdout) == {"items": [], "next": None}
    daemon["GET /api/v1/actions/clean"] = IN_FULL
    assert json.loads(ask("actions", "show", "clean", "--json").stdout) == IN_FULL


def test_one_in_full(ask, daemon):
    daemon["GET /api/v1/actions/clean"] = IN_FULL
    assert ask("actions", "show", "clean").stdout.splitlines() == [
        "clean  Remove old files",
        "  where       scripts/clean.meta.yml",
        "  runs        script scripts/clean.sh",
        "  target      one or more",
        "  by          here (the default one)",
        "  impact      low",
        "  idempotent  yes",
        "  tags        disk",
        "  events      disk_full",
        '  parameter   folder (required, not by events): {"type": "string"}',
        '  parameter   days: {"type": "integer", "default": 7}',
        '  parameter   deep: {"type": "boolean"}',
        '  parameter   names: {"type": "array"}',
        '  verify      {"action": "look", "within": 60}',
        "  gates",
        "    cooldown  10 minutes  defaults (shipped)",
    ]


def test_a_run_is_told_with_its_state(ask, active):
    done = ask("actions", "run", "clean", "--target", "web01", "--yes")
    assert (done.exit_code, done.stdout) == (0, "r-7f3k2m  queued on host:web01 by here\n")
    assert done.stderr == f"  how it goes on:  healer runs show r-7f3k2m --data-dir {active.data_dir}\n"
    assert sent(active) == [{"parameters": {}, "dry_run": False, "target": "web01"}]
    assert active.requests[-1].query == {"wait": "10s", "until": "decided"}


def test_all_that_may_be_said(ask, active):
    ask(
        "actions", "run", "clean", "--target", "web01", "--target", "group:db", "--param", "folder=7", "--param", "days=3", "--param",
        'names=["a"]', "--param", "deep=maybe", "--controller", "there", "--reason", "it is full", "--dry-run", "--wait", "1m",
    )  # fmt: skip
    assert sent(active) == [{
        "parameters": {"folder": "7", "days": 3, "names": ["a"], "deep": "maybe"}, "dry_run": True, "target": ["web01", "group:db"],
        "controller_override": "there", "reason": "it is full",
    }]  # fmt: skip
    assert active.requests[-1].query == {"wait": "60s"}


def test_parameters_as_one_object(ask, active):
    ask("actions", "run", "clean", "--params", '{"folder": "x", "days": 3}', "--yes")
    assert sent(active)[0]["parameters"] == {"folder": "x", "days": 3}


@pytest.mark.parametrize(("state", "code"), [
    ("succeeded", 0), ("simulated", 0), ("deferred", 0), ("awaiting_approval", 0), ("refused", 1), ("suppressed", 1), ("failed", 1),
    ("timed_out", 1), ("unknown", 1), ("cancelled", 1), ("new", 1),
])  # fmt: skip
def test_what_went_wrong_is_found(ask, active, state, code):
    active["POST /api/v1/actions/clean/run"] = told(
        RUN | {"state": state, "sentence": "So it is.", "next_step": "healer runs"}
    )
    done = ask("actions", "run", "clean", "--yes")
    assert done.exit_code == code
    assert done.stdout.splitlines() == [
        f"r-7f3k2m  {state} on host:web01 by here: So it is.", f"  next  healer runs --data-dir {active.data_dir}",
    ]  # fmt: skip


@pytest.mark.parametrize(("plan", "code", "said"), [
    ({"state": "made", "sentence": ""}, 0, "Would have run."), ({"state": "wanted", "sentence": "it is being made"}, 0, "Would have run."),
    ({"state": "failed", "sentence": "plan failed: no such manifest"}, 1,
     "Its gates would have let it run, and its controller not: plan failed: no such manifest"),
    ({"state": "made", "sentence": "", "fails": ""}, 0, "Would have run."),
    ({"state": "made", "sentence": "", "fails": "x is not on the PATH"}, 1,
     "Its gates would have let it run, and it would fail: x is not on the PATH"),
])  # fmt: skip
def test_a_dry_run_says_what_its_controller_would_refuse(ask, active, plan, code, said):
    active["POST /api/v1/actions/clean/run"] = told(
        RUN | {"state": "simulated", "sentence": "Would have run.", "plan": plan}
    )
    done = ask("actions", "run", "clean", "--dry-run")
    assert (done.exit_code, done.stdout) == (code, f"r-7f3k2m  simulated on host:web01 by here: {said}\n")
    assert active.requests[-1].query == {"wait": "10s", "until": "planned"}


@pytest.mark.parametrize(("would", "code"), [
    (None, 0), ("cooldown", 0), ("needs_approval", 0), ("concurrency", 0), ("of_tomorrow", 0), ("invalid_parameters", 1), ("unknown_target", 1),
    ("controller_forbidden", 1), ("disabled", 1), ("chain_depth", 1),
])  # fmt: skip
def test_a_dry_run_that_a_gate_would_have_held_ends_as_the_run_would(ask, active, would, code):
    active["POST /api/v1/actions/clean/run"] = told(
        RUN | {"state": "simulated", "reason": "dry_run", "sentence": "It would not have run.", "would": would}
    )
    assert ask("actions", "run", "clean", "--dry-run").exit_code == code


def test_an_action_that_is_none_is_told_before_anybody_is_asked(ask, active):
    active["GET /api/v1/actions/claen"] = (
        404,
        {"code": "unknown_action", "detail": "no action is named 'claen'", "try": "did you mean 'clean'?"},
    )
    done = ask("actions", "run", "claen", "--target", "web01")
    assert (done.exit_code, sent(active)) == (1, [])
    assert done.stderr.startswith("error[unknown_action]: no action is named 'claen'")
    active["GET /api/v1/actions/clean"] = 403, {"code": "forbidden", "detail": "no"}
    assert ask("actions", "run", "clean").stderr.startswith("error[not-confirmed]: ")


def test_a_success_that_nobody_verified_says_so(ask, active):
    active["POST /api/v1/actions/clean/run"] = told(
        RUN | {"state": "succeeded", "reason": "unverified", "sentence": "exit 0"}
    )
    done = ask("actions", "run", "clean", "--yes")
    assert (done.exit_code, done.stdout) == (0, "r-7f3k2m  succeeded (unverified) on host:web01 by here: exit 0\n")


def test_what_is_not_decided_yet_and_what_is_known_already(ask, active):
    active["POST /api/v1/actions/clean/run"] = told(pending=True)
    assert ask("actions", "run", "clean", "--yes").stdout == "e-41  accepted; it is not decided yet\n"
    active["POST /api/v1/actions/clean/run"] = told(duplicates=1, accepted=0)
    done = ask("actions", "run", "clean", "--yes")
    assert done.stdout == "e-41  accepted; nothing came of it\n"
    assert done.stderr.startswith("known already, as e-41: nothing was started anew\n")
    assert done.stderr.endswith(f"healer explain e-41 --data-dir {active.data_dir}\n")


@pytest.mark.parametrize(("said", "code", "count"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_active_asks_on_a_terminal(ask, active, monkeypatch, said, code, count):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    done = ask("actions", "run", "clean", "--target", "web01", stdin=said)
    assert (done.exit_code, len(sent(active))) == (code, count)
    assert "The mode is ACTIVE: clean on web01 takes effect if its gates say yes. Run it?" in done.stderr


def test_active_without_a_terminal_wants_yes(ask, active):
    done = ask("actions", "run", "clean")
    assert (done.exit_code, sent(active)) == (2, [])
    assert done.stderr.startswith(
        "error[not-confirmed]: the mode is active, so that clean takes effect if its gates say yes, and there is"
    )


def test_observing_and_dry_runs_ask_nobody(ask, active):
    assert ask("actions", "run", "clean", "--dry-run").exit_code == 0
    active["GET /api/v1/status"] = {"mode": "observe"}
    assert ask("actions", "run", "clean").exit_code == 0


def test_for_programs_the_answer_is_printed(ask, active):
    assert json.loads(ask("actions", "run", "clean", "--yes", "--json").stdout) == told(RUN, pending=True)


@pytest.mark.parametrize(("args", "detail"), [
    (["--param", "folder"], "--param: NAME=VALUE is wanted, got 'folder'"),
    (["--param", "=x"], "--param: NAME=VALUE is wanted, got '=x'"),
    (["--params", "[1]"], "--params: a JSON object is wanted, got '[1]'"),
    (["--params", "{"], "--params: a JSON object is wanted, got '{'"),
    (["--params", "{}", "--param", "a=b"], "one of --param and --params is wanted, got both"),
    (["--params", '{"v": 1, "w": {"a": 1, "a": 2}}'], "the JSON has the key 'a' twice in one object"),
    (["--param", 'names={"a": 1, "a": 2}'], "the JSON has the key 'a' twice in one object"),
    (["--wait", "soon"], "--wait: "),
])  # fmt: skip
def test_wrong_use(ask, active, args, detail):
    done = ask("actions", "run", "clean", "--yes", *args)
    assert (done.exit_code, sent(active)) == (2, [])
    assert done.stderr.startswith(f"error[usage]: {detail}")


def test_not_allowed_and_not_reachable(ask, healer, active, tmp_path):
    active["POST /api/v1/actions/clean/run"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("actions", "run", "clean", "--yes").exit_code == 4
    assert healer("actions", "run", "clean", "--yes", "--data-dir", tmp_path / "none").exit_code == 3
