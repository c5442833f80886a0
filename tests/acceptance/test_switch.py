"""Brakes that people work, on a real daemon with real scripts: pausing and resuming, silences, breakers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

WaitFor = Callable[..., None]
SETTINGS = """\
environment: test
mode: active
drain: 60 seconds
defaults: {run_action: {rate_limit: none, blast_radius: none, breaker: none, verify: none, flapping: none}}
"""
FAILING = """\
#!/bin/sh
echo "$HEALER_RUN_ID $HEALER_TARGET" >> '{effects}'
[ ! -e '{bad}' ]
"""


@pytest.fixture
def ready(daemon: Any) -> Any:
    """A daemon that is ready; no budget is in the way."""
    daemon.write("healer.yaml", SETTINGS)
    daemon.start()
    return daemon.ready()


def state_of(daemon: Any, host: str) -> tuple[str, str | None]:
    """(state, reason) of the run on a host; nothing where there is none yet."""
    return next(
        ((one["state"], one["reason"]) for one in daemon.runs() if one["targets"] == [f"host:{host}"]), ("", None)
    )


def records(daemon: Any, *kinds: str) -> list[dict[str, Any]]:
    """Audit records of these kinds, in their order."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        status, page = daemon.get(f"/audit?limit=500{after}")
        assert status == 200, page
        found += [one for one in page["items"] if one["kind"] in kinds]
        if not page["next"]:
            return found
        after = f"&after={page['next']}"


def begun(daemon: Any, wait_for: WaitFor, *hosts: str) -> None:
    """Runs that go on for as long as `hold` is there."""
    daemon.hold.touch()
    for host in hosts:
        daemon.break_host(host)
    wait_for(lambda: {target for _, target in daemon.lines()} >= {*hosts}, 60, "the effects to begin")


def healer(daemon: Any, *arguments: str, code: int = 0) -> str:
    """What a command prints."""
    done = daemon.healer(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return str(done.stdout)


# --- pausing ------------------------------------------------------------------------------------------------------------------


def test_a_pause_lets_what_runs_end_and_nothing_begin(ready: Any, wait_for: WaitFor) -> None:
    begun(ready, wait_for, "h1", "h2")
    first, second, third = healer(ready, "pause", "--all", "--reason", "it hits healthy nodes").splitlines()
    assert first.startswith("Paused: everything, by ")
    assert " (os user), " in first
    assert second.startswith("  2 runs are going on and will end:  r-")
    assert third == "  0 wait. Nothing resumes by itself; the log reminds of it every 4 hours."
    ready.break_host("h3")
    wait_for(lambda: state_of(ready, "h3") == ("deferred", "paused"), 60, "the event to be decided")
    assert ready.get("/health")[1]["status"] == "paused"
    assert ready.get("/readyz")[0] == 200
    assert "PAUSED   everything by " in healer(ready, "status")
    ready.hold.unlink()
    wait_for(lambda: ready.states() == ["deferred", "succeeded", "succeeded"], 60, "what runs to end")
    assert sorted(target for _, target in ready.lines()) == ["h1", "h2"]
    healer(ready, "resume", "--all", "--yes")
    wait_for(lambda: ready.states() == ["succeeded"] * 3, 60, "what waited to go on")
    ready.verified()


def test_after_the_answer_no_effect_begins(ready: Any, wait_for: WaitFor) -> None:
    """`decisions.md`, A13: whatever is on its way when it comes has begun, or never does; nothing fails by it."""
    alerts = [{"alert": {"name": "Broken", "target": f"h{n}", "key": f"k{n}", "status": "firing"}} for n in range(40)]
    ready.hold.touch()
    assert ready.post("/events", alerts)[0] == 202
    wait_for(lambda: "running" in ready.states(), 60, "the first attempts to be claimed")
    status, answer = ready.post("/pause", {"scope": "all"})
    assert status == 200
    known = {one["run"] for one in answer["running"]}
    ready.hold.unlink()
    wait_for(lambda: {*ready.states()} <= {"succeeded", "deferred"}, 120, "all to end or wait")
    assert {run for run, _ in ready.lines()} == known
    assert len(ready.lines()) == len(known)
    kinds = [one["kind"] for one in records(ready, "pause", "intent")]
    assert "intent" not in kinds[kinds.index("pause") :]
    ready.verified()


def test_what_runs_may_be_ended_too(ready: Any, wait_for: WaitFor) -> None:
    begun(ready, wait_for, "h1", "h2")
    assert ready.children()
    said = healer(ready, "pause", "--all", "--cancel-running", "--reason", "enough").splitlines()[1]
    assert said.startswith("  2 runs were asked to end:  r-")
    wait_for(lambda: ready.states() == ["cancelled", "cancelled"], 60, "both to be ended")
    wait_for(lambda: ready.children() == [], 60, "their processes to be gone")
    assert ready.rows("SELECT * FROM lock") == []


def test_a_rule_a_ruleset_a_controller(ready: Any, wait_for: WaitFor) -> None:
    for scope in (
        ("--rule", "broken"),
        ("--ruleset", "healing/healing"),
        ("--controller", "here"),
        ("--activation", "healing"),
    ):
        healer(ready, "pause", *scope)
        ready.break_host("h1", f"{scope[1]}")
        wait_for(lambda: ready.states()[:1] == ["deferred"], 60, "it to be held")
        assert "is known" not in healer(ready, "resume", *scope, "--yes")
        wait_for(lambda: {*ready.states()} == {"succeeded"}, 60, "it to go on")
    done = ready.healer("pause", "--rule", "healing/healing/brokn")
    assert (done.returncode, "did you mean 'rule:healing/healing/broken'?" in done.stderr) == (1, True)
    done = ready.healer("pause")
    assert (done.returncode, "  --controller  here, there" in done.stderr) == (2, True)


def test_one_that_ends_by_itself(ready: Any, wait_for: WaitFor) -> None:
    healer(ready, "pause", "--all", "--for", "2 seconds")
    ready.break_host("h1")
    wait_for(lambda: state_of(ready, "h1")[0] == "succeeded", 60, "the pause to end by itself")
    kinds = [(one["kind"], one.get("reason")) for one in records(ready, "pause", "resume", "intent")]
    assert kinds[:3] == [("pause", None), ("resume", "its time is over"), ("intent", None)]


def test_one_until_the_rule_changes(ready: Any, wait_for: WaitFor) -> None:
    healer(ready, "pause", "--rule", "broken", "--until-revision-changes")
    ready.break_host("h1")
    wait_for(lambda: state_of(ready, "h1") == ("deferred", "paused"), 60, "it to be held")
    rules = (ready.project / "rulebooks/healing.yml").read_text()
    ready.write(
        "rulebooks/healing.yml", rules.replace("event.level is defined", "event.level is defined and event.level > 0")
    )
    healer(ready, "reload")
    assert "PAUSED   rule healing/healing/broken by " in healer(ready, "status")
    ready.write(
        "rulebooks/healing.yml", rules.replace('event.alert.status == "firing"', 'event.alert.status != "resolved"')
    )
    healer(ready, "reload")
    wait_for(lambda: state_of(ready, "h1")[0] == "awaiting_approval", 60, "the pause to end by itself")
    assert records(ready, "resume")[-1]["reason"] == "what it covers has changed"


def test_what_a_rule_did_before_it_was_mended_is_not_done_unasked(ready: Any, wait_for: WaitFor) -> None:
    """It restarts healthy nodes: somebody pauses it, mends it and reloads. What it held was for nodes that nothing is wrong with."""
    name = "healing/healing/asked"
    healer(ready, "pause", "--rule", "asked", "--until-revision-changes", "--reason", "it hits healthy nodes")
    for host in ("h1", "h2", "h3"):
        ready.event({"heal": host})
    wait_for(lambda: ready.states() == ["deferred"] * 3, 60, "all to be held")
    rules = (ready.project / "rulebooks/healing.yml").read_text()
    ready.write("rulebooks/healing.yml", rules.replace("event.heal is defined", "event.heal is defined and event.sick"))
    healer(ready, "reload")
    wait_for(lambda: ready.states() == ["awaiting_approval"] * 3, 60, "all to go to a person")
    told = healer(ready, "explain", ready.runs()[0]["id"])
    assert f"Decided before rule {name} was changed; the rule of today may not want it." in told
    ready.event({"heal": "h4", "sick": True})
    ready.event({"heal": "h5", "sick": False})
    wait_for(lambda: state_of(ready, "h4")[0] == "succeeded", 60, "the rule of today to act")
    ready.kill()
    ready.start()
    ready.ready()
    (alike,) = healer(ready, "approvals").splitlines()[1:]
    assert "3 runs" in alike
    assert "rule_changed" in alike
    key = ready.make_key("approver")
    wanted = next(one["id"] for one in ready.runs() if one["targets"] == ["host:h2"])
    status, answer = ready.ask("POST", f"/approvals/{wanted}/approve", {"reason": "it is sick"}, key=key)
    assert (status, answer["state"]) == (200, "approved")
    wait_for(lambda: state_of(ready, "h2")[0] == "succeeded", 60, "the one that a person wants")
    assert [state_of(ready, host)[0] for host in ("h1", "h3", "h5")] == ["awaiting_approval", "awaiting_approval", ""]
    assert sorted(host for _, host in ready.lines()) == ["h2", "h4"]
    ready.verified()


def test_an_activation_is_another_than_one_whose_name_begins_with_its_own(daemon: Any, wait_for: WaitFor) -> None:
    on = "activations: [{name: team, rulebook: rulebooks/healing.yml}, {name: team/web, rulebook: rulebooks/healing.yml}]\n"
    daemon.write("healer.yaml", SETTINGS + on)
    daemon.start()
    daemon.ready()
    healer(daemon, "pause", "--activation", "team")
    daemon.event({"heal": "h1"})

    def seen() -> list[tuple[str, str]]:
        return sorted((one["rule"], one["state"]) for one in daemon.runs())

    wait_for(
        lambda: seen() == [("team/healing/asked", "deferred"), ("team/web/healing/asked", "succeeded")],
        60,
        "one of two to run",
    )
    healer(daemon, "resume", "--activation", "team", "--yes")
    wait_for(lambda: {state for _, state in seen()} == {"succeeded"}, 60, "the other to follow")


def test_without_storms_a_reload_lets_go_what_one_held(daemon: Any, wait_for: WaitFor) -> None:
    storms = SETTINGS + "storm: {matches: 2 per minute, calm: 1 hour}\n"
    daemon.write("healer.yaml", storms)
    daemon.start()
    daemon.ready()
    for number in range(6):
        daemon.event({"heal": f"h{number}"})
    # What came before and had not begun yet is held too.
    wait_for(
        lambda: daemon.states().count("deferred") >= 4 and len(daemon.states()) == 6, 60, "the storm to hold what comes"
    )
    daemon.write("healer.yaml", SETTINGS + "storm: none\n")
    healer(daemon, "reload")
    wait_for(lambda: daemon.states() == ["succeeded"] * 6, 60, "all to go on")
    assert daemon.rows("SELECT * FROM storm") == daemon.rows("SELECT * FROM ramp") == []


def test_it_holds_after_a_kill(ready: Any, wait_for: WaitFor) -> None:
    healer(ready, "pause", "--all", "--reason", "by ana")
    ready.break_host("h1")
    wait_for(lambda: state_of(ready, "h1") == ("deferred", "paused"), 60, "it to be held")
    ready.kill()
    ready.start()
    ready.ready()
    assert ready.get("/health")[1]["status"] == "paused"
    ready.break_host("h2")
    wait_for(lambda: state_of(ready, "h2") == ("deferred", "paused"), 60, "the next to be held")
    assert (state_of(ready, "h1"), ready.lines()) == (("deferred", "paused"), [])
    healer(ready, "resume", "--all", "--yes")
    wait_for(lambda: ready.states() == ["succeeded", "succeeded"], 60, "both to go on")
    ready.verified()


def test_the_file_beside_commands(ready: Any, wait_for: WaitFor) -> None:
    file = ready.data / "PAUSE"
    healer(ready, "pause", "--rule", "broken")
    file.write_text("by hand")
    ready.break_host("h1")
    ready.event({"heal": "h2"})
    wait_for(lambda: ready.states() == ["deferred", "deferred"], 60, "both to be held")
    shown = healer(ready, "status")
    assert (
        "PAUSED   everything by the file PAUSE since " in shown,
        "PAUSED   rule healing/healing/broken by " in shown,
    ) == (True, True)
    assert "the file PAUSE in the data directory still pauses everything" in healer(
        ready, "resume", "--rule", "broken", "--yes"
    )
    healer(ready, "pause", "--rule", "broken")
    file.unlink()
    wait_for(lambda: state_of(ready, "h2")[0] == "succeeded", 60, "what nothing holds any more to go on")
    assert state_of(ready, "h1") == ("deferred", "paused")
    healer(ready, "resume", "--rule", "broken", "--yes")
    wait_for(lambda: state_of(ready, "h1")[0] == "succeeded", 60, "the other to go on")


# --- resuming -----------------------------------------------------------------------------------------------------------------


def test_a_resume_says_what_it_does_and_does_it_slowly(ready: Any, wait_for: WaitFor) -> None:
    healer(ready, "pause", "--all")
    for number in range(12):
        ready.break_host(f"h{number}")
    for number in range(3):
        ready.event(
            {"alert": {"name": "Broken", "target": f"h{number}", "key": f"broken-h{number}", "status": "resolved"}}
        )
    ready.event({"heal": "h20"})
    wait_for(lambda: len(ready.runs()) == 13, 60, "all to be decided")
    healer(ready, "pause", "--rule", "by level")
    asked = ready.healer("resume", "--all")
    assert asked.returncode == 2
    shown = {line.strip().rsplit("  ", 1)[0].strip(): line for line in asked.stdout.splitlines()}
    assert asked.stdout.splitlines() == [
        "  would be looked at again        13", "    withdrawn, resolved since      3",
        "    start, first 1, then 2, 4 …   10     healing/healing/broken 9 · healing/healing/asked 1",
        "  1 rule is still paused by itself: healing/healing/by level",
    ], shown  # fmt: skip
    assert ready.lines() == []
    healer(ready, "resume", "--all", "--yes")
    wait_for(lambda: sorted({*ready.states()}) == ["succeeded", "withdrawn"], 120, "all to be over")
    assert (ready.states().count("succeeded"), len(ready.lines())) == (10, 10)
    going, ended, most = 0, 0, []
    for record in records(ready, "intent", "outcome"):
        going += 1 if record["kind"] == "intent" else -1
        ended += record["kind"] == "outcome"
        assert going <= 1 + ended
        most.append(going)
    assert max(most) >= 2
    ready.verified()


# --- silences -----------------------------------------------------------------------------------------------------------------


def test_a_silence_holds_and_its_end_lets_go(ready: Any, wait_for: WaitFor) -> None:
    made = healer(ready, "silence", "add", "target=h1", "--for", "1h", "--comment", "works")
    silence = made.partition(": ")[2].split()[0]
    ready.break_host("h1")
    ready.break_host("h2")
    wait_for(lambda: state_of(ready, "h2")[0] == "succeeded", 60, "the other to run")
    assert state_of(ready, "h1") == ("deferred", "silenced")
    assert "h1" in healer(ready, "silence")
    assert healer(ready, "silence", "end", "--yes", silence) == f"ended {silence}\n"
    wait_for(lambda: state_of(ready, "h1")[0] == "succeeded", 60, "it to go on")
    assert healer(ready, "silence", "end", "--yes", silence) == f"{silence} had ended already\n"
    healer(ready, "silence", "add", "target=h3", "--for", "2 seconds", "--comment", "works")
    ready.break_host("h3")
    wait_for(lambda: state_of(ready, "h3")[0] == "succeeded", 60, "the silence to be over")
    assert silence in [one["silence"] for one in records(ready, "silence_ended")]
    ready.verified()


# --- breakers -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def failing(daemon: Any) -> Any:
    """A daemon whose script fails for as long as the file `bad` is there; a trial is let go a second later."""
    daemon.bad = daemon.base / "bad"
    daemon.bad.touch()
    daemon.write(
        "healer.yaml",
        SETTINGS.replace("breaker: none", "breaker: {failures: 3, within: 30 minutes, retry_after: 1 second}"),
    )
    daemon.write("scripts/heal.sh", FAILING.format(effects=daemon.effects, bad=daemon.bad)).chmod(0o755)
    daemon.start()
    return daemon.ready()


def fails(daemon: Any, wait_for: WaitFor, count: int) -> None:
    for number in range(count):
        daemon.event({"heal": f"h{number}"})
        wait_for(lambda: daemon.states().count("failed") == number + 1, 60, "it to fail")  # noqa: B023 - it is waited for here


def test_a_breaker_opens_tries_and_closes(failing: Any, wait_for: WaitFor) -> None:
    fails(failing, wait_for, 3)
    assert [one["kind"] for one in records(failing, "breaker_opened")] == ["breaker_opened"]
    assert "open" in healer(failing, "breakers")
    for number in range(10, 14):
        failing.event({"heal": f"h{number}"})
    wait_for(lambda: failing.states().count("failed") >= 5, 60, "two trials to fail, one after the other")
    failing.bad.unlink()
    wait_for(lambda: len(failing.runs()) == 7 and {*failing.states()} == {"failed", "succeeded"}, 60, "it to close")
    closed = records(failing, "breaker_closed")
    assert [one["actor"] for one in closed] == ["daemon"]
    trials = records(failing, "intent", "outcome")[6:10]
    assert [one["kind"] for one in trials] == ["intent", "outcome"] * 2
    failing.verified()


def test_a_breaker_is_closed_by_hand(failing: Any, wait_for: WaitFor) -> None:
    failing.write(
        "healer.yaml",
        SETTINGS.replace("breaker: none", "breaker: {failures: 2, within: 30 minutes, retry_after: 1 hour}"),
    )
    healer(failing, "reload")
    fails(failing, wait_for, 2)
    failing.event({"heal": "h10"})
    wait_for(lambda: state_of(failing, "h10") == ("deferred", "breaker_open"), 60, "it to be held")
    failing.bad.unlink()
    done = failing.healer("breakers", "close", "--yes", "hea", "--controller", "here", "--reason", "x")
    assert (done.returncode, "did you mean 'heal on here'?" in done.stderr) == (1, True)
    assert (
        healer(failing, "breakers", "close", "--yes", "heal", "--controller", "here", "--reason", "mended")
        == "closed: heal on here\n"
    )
    wait_for(lambda: state_of(failing, "h10")[0] == "succeeded", 60, "it to go on")
    assert records(failing, "breaker_closed")[-1]["reason"] == "mended"
    failing.verified()
