"""Ending and not ending: a graceful stop with attempts under way, the kill switch, a reload by signal, a standby, a lost ownership."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

WaitFor = Callable[..., None]


def state_of(daemon: Any, run: str) -> str:
    """The state of a run."""
    return str(daemon.get(f"/runs/{run}")[1]["state"])


def begun(daemon: Any, host: str, wait_for: WaitFor) -> str:
    """Let an attempt begin on a host; its run."""
    daemon.break_host(host)
    wait_for(lambda: [target for _, target in daemon.lines()].count(host) == 1, 60, "the attempt to begin")
    return next(run for run, target in daemon.lines() if target == host)


def stored(daemon: Any) -> list[str]:
    """The states of all runs, as the store holds them."""
    return sorted(state for (state,) in daemon.rows("SELECT state FROM run"))


# --- stopping ------------------------------------------------------------------------------------------------------------------


def test_a_stop_waits_for_what_runs(daemon: Any, wait_for: WaitFor) -> None:
    daemon.hold.touch()
    daemon.start()
    daemon.ready()
    begun(daemon, "h1", wait_for)
    daemon.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in daemon.said(), 60, "the stop to begin")
    daemon.hold.unlink()
    assert daemon.ended() == 0
    assert stored(daemon) == ["succeeded"]
    wait_for(lambda: daemon.children() == [], what="its shim to end")
    daemon.verified()


def test_a_stop_ends_what_runs_for_too_long(daemon: Any, wait_for: WaitFor) -> None:
    daemon.write("healer.yaml", "mode: active\ndrain: 1 second\n")
    daemon.hold.touch()
    daemon.start()
    daemon.ready()
    begun(daemon, "h1", wait_for)
    begun(daemon, "h2", wait_for)
    assert daemon.stop() == 0
    assert stored(daemon) == ["failed", "failed"]
    wait_for(lambda: daemon.children() == [], what="their shims to end")
    assert daemon.rows("SELECT * FROM lock") == []
    daemon.verified()
    daemon.hold.unlink()
    daemon.start()
    daemon.ready()
    assert daemon.states() == ["failed", "failed"]
    assert len(daemon.lines()) == 2


def test_what_waits_is_kept_for_the_next_start(daemon: Any, wait_for: WaitFor) -> None:
    daemon.write("healer.yaml", "mode: active\ndrain: 60 seconds\n")
    daemon.hold.touch()
    daemon.start()
    daemon.ready()
    first = begun(daemon, "h1", wait_for)
    daemon.break_host("h1", "another alert")
    wait_for(lambda: daemon.states() == ["queued", "running"], 60, "the second run to wait for the target")
    daemon.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in daemon.said(), 60, "the stop to begin")
    daemon.hold.unlink()
    assert daemon.ended() == 0
    assert stored(daemon) == ["queued", "succeeded"]
    assert [run for run, _ in daemon.lines()] == [first]
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], 60, "the second run to end")
    assert len(daemon.lines()) == 2


def test_a_stop_lets_rules_keep_what_they_remember(daemon: Any, wait_for: WaitFor) -> None:
    rules = (daemon.project / "rulebooks/healing.yml").read_text()
    throttle = "\n      throttle: {once_within: 1 hour, group_by_attributes: [event.heal]}\n    - name: by level"
    daemon.write("rulebooks/healing.yml", rules.replace("\n    - name: by level", throttle))
    daemon.start()
    daemon.ready()
    daemon.event({"heal": "h1"})
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the run to end")
    assert daemon.stop() == 0
    daemon.start()
    daemon.ready()
    daemon.event({"heal": "h1"})
    daemon.event({"heal": "h2"})
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], 60, "the run on another host to end")
    assert [target for _, target in daemon.lines()] == ["h1", "h2"]


def test_after_a_crash_a_child_ends_by_its_own_deadline_and_is_found(daemon: Any, wait_for: WaitFor) -> None:
    actions = (daemon.project / "actions.yaml").read_text()
    daemon.write("actions.yaml", actions.replace("timeout: 5 minutes", "timeout: 6 seconds"))
    daemon.hold.touch()
    daemon.start()
    daemon.ready()
    run = begun(daemon, "h1", wait_for)
    daemon.kill()
    assert stored(daemon) == ["running"]
    wait_for(lambda: not daemon.children(), 60, "the deadline to end the child, with no daemon there")
    daemon.start()
    daemon.ready()
    wait_for(lambda: state_of(daemon, run) == "timed_out", 60, "the outcome to be found")
    assert len(daemon.lines()) == 1
    daemon.verified()


# --- reading the project again ---------------------------------------------------------------------------------------------------


def test_sighup_reads_the_project_again(daemon: Any, wait_for: WaitFor) -> None:
    daemon.start()
    daemon.ready()
    before = daemon.status()["revision"]
    book = daemon.project / "rulebooks/healing.yml"
    book.write_text(book.read_text().replace("Broken", "Torn"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.status()["revision"] != before, 60, "the new revision")
    daemon.break_host("h1")
    event = daemon.event({"alert": {"name": "Torn", "target": "h2", "key": "torn", "status": "firing"}})
    wait_for(lambda: daemon.get(f"/events/{event}")[1]["decided"], 60, "the new rules to decide")
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the run to end")
    assert [target for _, target in daemon.lines()] == ["h2"]


def test_sighup_with_a_mistake_is_told_in_the_log(daemon: Any, wait_for: WaitFor) -> None:
    daemon.start()
    daemon.ready()
    before = daemon.status()["revision"]
    daemon.write("rulebooks/healing.yml", "- name: [\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload refused" in daemon.said(), 60, "the refusal")
    assert daemon.status()["revision"] == before
    assert "Traceback" not in daemon.said()


# --- the kill switch --------------------------------------------------------------------------------------------------------------


def paused_run(daemon: Any, host: str, wait_for: WaitFor) -> str:
    """An alert while the switch is thrown; its run, which waits."""
    event = daemon.break_host(host)
    wait_for(lambda: daemon.get(f"/events/{event}")[1]["decisions"], 60, "the decision")
    (decision,) = daemon.get(f"/events/{event}")[1]["decisions"]
    assert (decision["outcome"], decision["reason"]) == ("deferred", "paused")
    assert "a good reason" in decision["sentence"]
    return str(decision["run"])


@pytest.fixture
def switch(daemon: Any) -> Any:
    """The file `PAUSE` of the data directory, not there yet."""
    return daemon.data / "PAUSE"


def test_while_the_pause_file_is_there_nothing_starts(daemon: Any, switch: Any, wait_for: WaitFor) -> None:
    daemon.start()
    daemon.ready()
    switch.write_text("a good reason\n")
    run = paused_run(daemon, "h1", wait_for)
    assert daemon.get("/health")[1]["status"] == "paused"
    wait_for(lambda: daemon.get("/audit?kind=pause")[1]["items"], 60, "the pause in the audit")
    assert daemon.lines() == []
    switch.unlink()
    wait_for(lambda: state_of(daemon, run) == "succeeded", 60, "the run to go on")
    assert [target for _, target in daemon.lines()] == ["h1"]
    assert daemon.get("/audit?kind=resume")[1]["items"]


def test_a_pause_that_is_a_link_to_nothing_pauses_too(daemon: Any, switch: Any, wait_for: WaitFor) -> None:
    daemon.start()
    daemon.ready()
    switch.symlink_to(daemon.base / "gone")
    event = daemon.break_host("h1")
    wait_for(lambda: daemon.get(f"/events/{event}")[1]["decisions"], 60, "the decision")
    assert daemon.get(f"/events/{event}")[1]["decisions"][0]["reason"] == "paused"
    assert "PAUSED   everything by the file PAUSE since " in daemon.healer("status").stdout
    assert daemon.lines() == []
    switch.unlink()
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the run to go on")


def test_what_waited_too_long_says_so(daemon: Any, switch: Any, wait_for: WaitFor) -> None:
    actions = (daemon.project / "actions.yaml").read_text()
    daemon.write(
        "actions.yaml", actions.replace("heal: {script: heal.sh", "heal: {script: heal.sh, defer_for: 0 seconds", 1)
    )
    daemon.start()
    daemon.ready()
    switch.write_text("a good reason\n")
    run = paused_run(daemon, "h1", wait_for)
    switch.unlink()
    wait_for(lambda: state_of(daemon, run) == "suppressed", 60, "the limit to hold")
    told = daemon.get(f"/runs/{run}")[1]
    assert told["reason"] == "stale"
    assert told["sentence"].startswith("It waited ")
    assert told["sentence"].endswith(", in the end for the gate kill switch; limit defer_for 0.0 s.")


def test_a_rule_that_is_removed_while_its_run_waits(daemon: Any, switch: Any, wait_for: WaitFor) -> None:
    daemon.start()
    daemon.ready()
    switch.write_text("a good reason\n")
    run = paused_run(daemon, "h1", wait_for)
    book = daemon.project / "rulebooks/healing.yml"
    book.write_text(book.read_text().replace("name: broken", "name: renamed"))
    assert daemon.healer("reload").returncode == 0
    switch.unlink()
    wait_for(lambda: state_of(daemon, run) == "suppressed", 60, "the decision")
    told = daemon.get(f"/runs/{run}")[1]
    assert (told["reason"], told["sentence"]) == (
        "disabled", "The rule healing/healing/broken is not in the rulebooks any more.",
    )  # fmt: skip
    assert daemon.lines() == []


def test_what_runs_goes_on_and_what_is_queued_does_not(daemon: Any, switch: Any, wait_for: WaitFor) -> None:
    daemon.hold.touch()
    daemon.start()
    daemon.ready()
    first = begun(daemon, "h1", wait_for)
    daemon.break_host("h1", "another alert")
    wait_for(lambda: daemon.states() == ["queued", "running"], 60, "the second run to wait for the target")
    switch.write_text("a good reason\n")
    daemon.hold.unlink()
    wait_for(lambda: daemon.states() == ["deferred", "succeeded"], 60, "the first to end, the second to be held")
    assert [run for run, _ in daemon.lines()] == [first]
    switch.unlink()
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], 60, "the second to go on")


def test_a_repeat_of_what_is_healed_is_a_duplicate_also_while_paused(
    daemon: Any, switch: Any, wait_for: WaitFor
) -> None:
    daemon.start()
    daemon.ready()
    begun(daemon, "h1", wait_for)
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the run to end")
    switch.write_text("a good reason\n")
    event = daemon.break_host("h1")
    wait_for(lambda: daemon.get(f"/events/{event}")[1]["decided"], 60, "the decision")
    answer = daemon.get(f"/events/{event}")[1]
    assert [decision["reason"] for decision in answer["decisions"]] == ["duplicate"]
    assert answer["quarantined"] == []
    assert daemon.states() == ["succeeded"]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_pause_outlives_the_daemon_and_its_end_is_seen_later(
    daemon: Any, switch: Any, wait_for: WaitFor, how: str
) -> None:
    daemon.start()
    daemon.ready()
    switch.write_text("a good reason\n")
    first = paused_run(daemon, "h1", wait_for)
    getattr(daemon, how)()
    daemon.start()
    daemon.ready()
    paused_run(daemon, "h2", wait_for)
    assert state_of(daemon, first) == "deferred"
    getattr(daemon, how)()
    assert daemon.lines() == []
    switch.unlink()
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], 60, "both to go on")


# --- one owner -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def standby(daemon: Any, another: Callable[[str], Any], wait_for: WaitFor) -> Any:
    """One that stands by for `daemon`, which runs."""
    daemon.start()
    daemon.ready()
    made = another("standby")
    made.data, made.project, made.key = daemon.data, daemon.project, daemon.key
    made.start("--standby")
    wait_for(lambda: "standing by" in made.said(), 60, "the standby")
    return made


def observed(daemon: Any) -> str:
    """Reload with `mode: observe`; the revision."""
    daemon.write("healer.yaml", "environment: test\nmode: observe\n")
    told = daemon.healer("reload")
    assert told.returncode == 0, told.stderr
    return str(daemon.status()["revision_id"])


def test_a_standby_takes_over_with_what_was_reloaded_while_it_waited(
    daemon: Any, standby: Any, wait_for: WaitFor
) -> None:
    revision = observed(daemon)
    named = daemon.rows("SELECT seq FROM journal WHERE kind = 'revision'")
    daemon.kill()
    standby.ready()
    assert (standby.status()["mode"], standby.status()["revision_id"]) == ("observe", revision)
    standby.break_host("h1")
    wait_for(lambda: standby.states() == ["simulated"], 60, "the decision")
    assert daemon.lines() == []
    assert daemon.rows("SELECT seq FROM journal WHERE kind = 'revision'") == named


def test_a_standby_takes_over_with_what_was_edited_while_it_waited_as_a_start_would(daemon: Any, standby: Any) -> None:
    daemon.write("healer.yaml", "environment: edited\nmode: observe\n")
    daemon.stop()
    standby.ready()
    assert (standby.status()["mode"], standby.status()["environment"]) == ("observe", "edited")


def test_a_standby_goes_on_with_the_last_revision_where_the_files_are_wrong(
    daemon: Any, standby: Any, wait_for: WaitFor
) -> None:
    revision = observed(daemon)
    book = daemon.project / "rulebooks/healing.yml"
    rules = book.read_text()
    book.write_text("- name: [\n")
    daemon.kill()
    standby.ready()
    assert (standby.status()["mode"], standby.status()["revision_id"]) == ("observe", revision)
    assert "rulebooks/healing.yml:" in standby.said()
    assert "warning[last-revision]" in standby.said()
    standby.break_host("h1")
    wait_for(lambda: standby.states() == ["simulated"], 60, "the rules to decide")
    book.write_text(rules.replace("Broken", "Torn"))
    assert standby.healer("reload").returncode == 0
    assert standby.status()["revision_id"] != revision
    standby.verified()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_standby_takes_over(daemon: Any, another: Callable[[str], Any], wait_for: WaitFor, how: str) -> None:
    daemon.hold.touch()
    daemon.start()
    daemon.ready()
    standby = another("standby")
    standby.data, standby.project, standby.key = daemon.data, daemon.project, daemon.key
    standby.start("--standby")
    wait_for(lambda: "standing by" in standby.said(), 60, "the standby")
    run = begun(daemon, "h1", wait_for)
    if how == "stop":
        daemon.hold.unlink()
    getattr(daemon, how)()
    standby.ready()
    daemon.hold.unlink(missing_ok=True)
    wait_for(lambda: state_of(standby, run) == "succeeded", 60, "the run to end")
    assert len(daemon.lines()) == 1
    assert standby.stop() == 0
    standby.verified()


def test_a_daemon_that_lost_its_data_directory_ends(daemon: Any, wait_for: WaitFor) -> None:
    daemon.hold.touch()
    daemon.start()
    daemon.ready()
    begun(daemon, "h1", wait_for)
    ((before,),) = daemon.rows("SELECT max(seq) FROM journal")
    with contextlib.closing(sqlite3.connect(daemon.data / "healer.db", timeout=30)) as writing:
        writing.execute("UPDATE instance SET epoch = epoch + 1")
        writing.commit()
    with contextlib.suppress(
        OSError, http.client.HTTPException, json.JSONDecodeError
    ):  # it may be gone before it can answer
        status, answer = daemon.post("/events", {"heal": "h2"})
        assert (status, answer["code"]) in ((503, "store"), (503, "fenced"))
    assert daemon.ended() == 1
    assert "another process owns the data directory now" in daemon.said()
    assert daemon.rows("SELECT max(seq) FROM journal") == [(before,)]
    daemon.hold.unlink()
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "what ran to be found")
    assert len(daemon.lines()) == 1
    daemon.verified()
