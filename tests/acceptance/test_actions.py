"""Actions by hand and controllers at a real daemon: through the same gates as any event, with the person as the run's actor."""

from __future__ import annotations

import json
from typing import Any

import pytest

ACTIONS = """\
actions:
  heal: {script: heal.sh, cooldown: 0 seconds, impact: low}
  tidy:
    script: heal.sh
    description: No event starts it
    cooldown: 1 hour
    parameters: {days: {type: integer, minimum: 1}, folder: {type: string, default: /var/tmp}}
    required: [days]
    payload_parameters: [days]
    impact: low
  look: {script: heal.sh, target: none, impact: low, controller: there, cooldown: 0 seconds}
  ghost: {command: [no-such-program], target: none, impact: low, cooldown: 0 seconds}
  fetch:
    http: {method: POST, url: "https://api.example.org/v1/{{ parameters.name }}"}
    controller: web
    target: none
    parameters: {name: {type: string}}
    required: [name]
    impact: low
  push: {http: {method: POST}, controller: web, target: required, impact: low}
"""
SICK = """\
from healer import model, plugins


class Sick(plugins.Controller):
    kinds = frozenset({"command"})

    class Options(plugins.Options):
        password: plugins.SecretRef

    async def check(self):
        raise ConnectionError("nobody answers to " + self.context.resolve(self.options.password).reveal())

    async def plan(self, job):
        raise NotImplementedError

    run = find = follow = plan


CONTROLLER = Sick
"""
CONTROLLERS = """\
controllers:
  here: {type: local, inventory: inventory/}
  there: {type: local, inventory: inventory/, tags: [spare]}
  sick: {type: sick, password: {secret: "env:SICK_PASSWORD"}}
  web: {type: http, allow: [https://api.example.org/v1]}
default: here
"""
INVENTORY = "all:\n  children:\n    web: {hosts: {h0: {ansible_connection: local}, h1: {ansible_connection: local}}}\n"


@pytest.fixture(scope="module")
def at_work(shared_daemon: Any) -> Any:
    """A daemon with actions that no event starts, and a controller that is not well."""
    shared_daemon.write("actions.yaml", ACTIONS)
    shared_daemon.write("controllers/sick.py", SICK)
    shared_daemon.write("controllers.yaml", CONTROLLERS)
    shared_daemon.write("inventory/web.yml", INVENTORY)
    (shared_daemon.project / "rulebooks/healing.yml").unlink()
    return shared_daemon


@pytest.fixture
def taken(at_work: Any) -> Any:
    """The same with its files taken, and nothing done yet."""
    told = at_work.healer("reload", "--json")
    assert told.returncode == 0, told.stderr
    at_work.effects.unlink(missing_ok=True)
    return at_work


def by_hand(daemon: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    """`healer actions run … --json`: (its exit code, the run)."""
    told = daemon.healer("actions", "run", *arguments, "--wait", "60s", "--json")
    assert told.stdout, told.stderr
    (run,) = json.loads(told.stdout)["results"]
    return told.returncode, run


def decision(daemon: Any, run: str) -> dict[str, Any]:
    """The audit's record of its decision."""
    _, found = daemon.get(f"/audit?run={run}&kind=decision")
    return dict(found["items"][0])


def test_a_person_starts_an_action_that_no_event_starts(taken: Any) -> None:
    told = taken.healer(
        "actions",
        "run",
        "tidy",
        "--target",
        "h1",
        "--param",
        "days=3",
        "--reason",
        "it is full",
        "--wait",
        "60s",
        "--yes",
    )
    assert (told.returncode, " succeeded (unverified) on host:h1 by here" in told.stdout) == (0, True), told
    (line,) = taken.lines()
    run = taken.get(f"/runs/{line[0]}")[1]
    assert (run["rule"], run["state"], run["parameters"]) == (
        "healer/actions/tidy",
        "succeeded",
        {"days": 3, "folder": "/var/tmp"},
    )
    assert run["actor"].startswith("os:")
    assert run["explanation"]["chosen"] == {"controller": "here", "by": "default"}
    assert run["explanation"]["asked_for"] == "it is full"
    event = taken.get(f"/events/{run['event']}")[1]
    assert (event["source"], event["actor"], event["event"]["action"]) == ("healer.actions", run["actor"], "tidy")
    record = decision(taken, run["id"])
    assert (record["actor"], record["controller"]) == (run["actor"], "here")
    assert "it is full" in json.dumps(record["explanation"])
    shown = taken.healer("runs", "show", run["id"]).stdout
    assert "  controller  here (the default one)\n" in shown
    assert "  reason      it is full\n" in shown
    assert "by here (the default one)" in taken.said()


def test_the_gates_are_asked(taken: Any) -> None:
    assert by_hand(taken, "tidy", "--target", "h2", "--param", "days=3", "--yes")[1]["state"] == "succeeded"
    told = taken.healer("actions", "run", "tidy", "--target", "h2", "--param", "days=3", "--yes")
    assert (told.returncode, "deferred on host:h2 by here: tidy ran on host:h2" in told.stdout) == (0, True), told
    taken.healer("pause", "--all", "--reason", "not now")
    told = taken.healer("actions", "run", "look", "--yes")
    taken.healer("resume", "--all", "--yes")
    assert "deferred by there: Paused by" in told.stdout
    assert by_hand(taken, "heal", "--target", "nowhere", "--yes")[1]["reason"] == "unknown_target"


def test_a_dry_run_touches_nothing_and_asks_nobody(taken: Any) -> None:
    code, run = by_hand(taken, "heal", "--target", "h3", "--dry-run")
    assert (code, run["state"], run["dry_run"]) == (0, "simulated", True)
    assert taken.lines() == []


@pytest.mark.parametrize(("arguments", "would", "says"), [
    (["heal", "--target", "nowhere"], "unknown_target", "No target nowhere"),
    (["fetch", "--param", "name=.."], "invalid_parameters", "is . or .., which leads elsewhere"),
    (["push", "--target", "https://elsewhere.example.org/"], "unknown_target", "https://elsewhere.example.org"),
    (["ghost"], None, "it would fail: it cannot be run: no-such-program is not on the PATH"),
])  # fmt: skip
def test_a_dry_run_of_what_would_come_to_nothing_says_so(
    taken: Any, arguments: list[str], would: str | None, says: str
) -> None:
    told = taken.healer("actions", "run", *arguments, "--dry-run", "--wait", "60s")
    assert told.returncode == 1, told.stdout
    assert says in told.stdout
    assert "Would have run" not in told.stdout
    code, run = by_hand(taken, *arguments, "--dry-run")
    assert (code, run["state"], run["would"]) == (1, "simulated", would)
    code, run = by_hand(taken, *arguments, "--yes")
    assert (code, run["state"]) == (1, "refused" if would else "failed")


def test_without_a_word_nothing_is_started_in_the_active_mode(taken: Any) -> None:
    told = taken.healer("actions", "run", "heal", "--target", "h4")
    assert told.returncode == 2
    assert told.stderr.startswith("error[not-confirmed]: the mode is active")
    assert taken.lines() == []


def test_a_group_is_its_hosts(taken: Any) -> None:
    _, run = by_hand(taken, "heal", "--target", "group:web", "--yes")
    assert sorted(run["targets"]) == ["host:h0", "host:h1"]
    assert sorted(target for _, target in taken.lines()) in (["h0", "h1"], ["h0,h1"])


def test_another_controller_is_chosen_by_somebody(taken: Any) -> None:
    key = taken.make_key("operator")
    status, refused = taken.ask("POST", "/actions/heal/run", {"target": "h5", "controller_override": "there"}, key=key)
    assert (status, refused["code"]) == (403, "forbidden")
    _, run = by_hand(taken, "heal", "--target", "h5", "--controller", "there", "--yes")
    assert (run["controller"], run["state"]) == ("there", "succeeded")
    chosen = taken.get(f"/runs/{run['id']}")[1]["explanation"]["chosen"]
    assert chosen == {"controller": "there", "by": "override", "who": run["actor"]}
    assert f"by there (chosen by {run['actor']} in the place of its own)" in taken.said()
    assert "sends heal to there in the place of its own controller" in taken.said()
    assert taken.get("/audit?kind=override")[1]["items"][-1]["controller"] == "there"
    _, own = by_hand(taken, "look", "--yes")
    assert taken.get(f"/runs/{own['id']}")[1]["explanation"]["chosen"] == {"controller": "there", "by": "action"}


def test_the_same_request_starts_it_once(taken: Any) -> None:
    first = taken.ask("POST", "/actions/heal/run?wait=60s", {"target": "h6"}, delivery="once")[1]
    again = taken.ask("POST", "/actions/heal/run?wait=60s", {"target": "h6"}, delivery="once")[1]
    assert (first["accepted"], again["accepted"]) == (1, 0)
    assert first["results"][0]["id"] == again["results"][0]["id"]
    assert len(taken.lines()) == 1


def test_it_is_simulated_as_its_source_delivers_it(taken: Any, tmp_path: Any) -> None:
    (tmp_path / "order.json").write_text('{"action": "heal", "target": "h7", "parameters": {}}')
    told = taken.healer("simulate", str(tmp_path / "order.json"), "--source", "healer.actions")
    assert "healer/actions/heal: would fire" in told.stdout, told
    assert taken.lines() == []


def test_what_there_is_is_listed(taken: Any) -> None:
    told = taken.healer("actions")
    assert [line.split()[:2] for line in told.stdout.splitlines()[1:]] == [
        ["fetch", "http"],
        ["ghost", "command"],
        ["heal", "script"],
        ["look", "script"],
        ["push", "http"],
        ["tidy", "script"],
    ]
    shown = taken.healer("actions", "show", "tidy").stdout
    assert "  parameter   folder (not by events): " in shown
    assert "    cooldown " in shown
    assert "actions.yaml:3" in shown


def test_controllers_say_whether_they_work(taken: Any) -> None:
    assert "not asked yet" in taken.healer("controllers").stdout
    told = taken.healer("controllers", "check")
    assert told.returncode == 1
    lines = {line.split()[0]: line for line in told.stdout.splitlines()}
    assert (" ok " in lines["here"], " ok " in lines["there"]) == (True, True)
    assert "not usable" in lines["sick"]
    assert taken.healer("controllers", "check", "here").returncode == 0
    shown = taken.healer("controllers", "show", "sick").stdout
    assert '  option      password: {"secret": "env:SICK_PASSWORD"}' in shown
    assert "cannot be read: the variable is not set" in taken.healer("controllers").stdout
    taken.verified()
