"""The play of the crash matrix: one daemon, all that it does, step by step, and what there is in the end.

`conftest.py` loads this; `test_crash_matrix.py` plays it. Every start is one of `crashing.py`, which counts the places where it could
be killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from healer.child import jobs

DEADLINE_S: Final = 60
HELPER: Final = pathlib.Path(__file__).with_name("effect.py")
ASKER, APPROVER = "asker-of-the-crash-matrix", "approver-of-the-crash-matrix"

SETTINGS = """\
environment: test
mode: active
drain: 60 seconds
keys: {file: keys}
retention: {journal: 1 hour, output: 1 hour}
storm: none
defaults: {run_action: {rate_limit: none, breaker: none, blast_radius: none, flapping: none, verify: none, cooldown: none,
  approval: 'off'}}
"""
ACTIONS = """\
actions:
  heal: {command: [COMMAND, heal], impact: low}
  flaky: {command: [COMMAND, flaky], impact: low, retries: {times: 1, delay: 0 seconds}}
  risky: {command: [COMMAND, risky], impact: high, blast_radius: {targets: 1, or: 1, within: 1 hour}}
  mend: {command: [COMMAND, mend], impact: low, verify: {action: check, within: 1 minute}}
  check: {command: [COMMAND, check], impact: low, idempotent: true}
"""
RULES = """\
- name: matrix
  hosts: all
  sources: [{healer.api: {}}]
  default_events_ttl: 30 minutes
  rules:
    - name: heal
      condition: event.heal is defined
      action: {run_action: {name: heal, target: "{{ event.heal }}"}}
    - name: flaky
      condition: event.flaky is defined
      action: {run_action: {name: flaky, target: "{{ event.flaky }}"}}
    - name: risky
      condition: event.risky is defined
      action: {run_action: {name: risky, target: "{{ event.risky }}"}}
    - name: mend
      condition: event.alert.name == "Broken" and event.alert.status == "firing"
      action: {run_action: {name: mend, target: "{{ event.alert.target }}"}}
    - name: both
      condition:
        all:
          - events.one << event.first is defined
          - events.two << event.second is defined
      action: {run_action: {name: heal, target: "{{ events.two.second }}"}}
"""
LATER = """\
    - name: later
      condition: event.later is defined
      action: {run_action: {name: heal, target: "{{ event.later }}"}}
"""

AFTER_A_WAIT: Final = ("queued", "running", "succeeded")


class Play:
    """One play. `kills`: at which place the first start is killed, the second and so on; without one a start is not killed."""

    def __init__(self, daemon: Any, wait_for: Callable[..., None], kills: Sequence[int]) -> None:
        self.daemon = daemon
        self.wait_for = wait_for
        self.kills = list(kills)
        self.fell: list[str] = []
        """The places at which it was killed."""
        self.passed = 0
        """How many the last start passed."""
        self.answered: dict[str, str] = {}
        """What was answered 2xx is never asked again: name of the event → its id."""
        self.done: set[str] = set()
        """The same of what people wish, and what else is not done again."""
        self.holds = daemon.base / "holds"
        self.holds.mkdir()
        self._prepare()

    def _prepare(self) -> None:
        daemon, found = self.daemon, self.daemon.data / "healer.db"
        command = ", ".join(
            json.dumps(str(word)) for word in (sys.executable, "-I", "-S", HELPER, daemon.effects, found, self.holds)
        )
        daemon.write("healer.yaml", SETTINGS)
        daemon.write("actions.yaml", ACTIONS.replace("COMMAND", command))
        daemon.write("rulebooks/healing.yml", RULES)
        keys = [
            f"{name} {role} {hashlib.sha256(key.encode()).hexdigest()}\n"
            for name, role, key in (("asker", "admin", ASKER), ("approver", "approver", APPROVER))
        ]
        daemon.write("keys", "".join(keys))
        daemon.key = ASKER

    # --- the daemon -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and again if it is killed at that."""
        while True:
            self.daemon.start(crash=("numbered", self.kills.pop(0) if self.kills else 0))
            if self.daemon.came_up():
                return
            self.was_killed()

    def was_killed(self) -> None:
        """Note where. Nothing else ends it."""
        assert self.daemon.ended() == -signal.SIGKILL, self.daemon.said()
        self.fell.append(re.findall("^crashing: (.*)$", self.daemon.said(), re.MULTILINE)[-1])

    def stop(self) -> None:
        """SIGTERM, until it has ended by itself."""
        while self.daemon.stop() != 0:
            self.was_killed()
            self.start()

    def run(self) -> None:
        """All steps and the stop."""
        self.start()
        for step in STEPS:
            while True:
                try:
                    step(self)
                except (OSError, http.client.HTTPException, json.JSONDecodeError):
                    self.was_killed()
                    self.start()
                else:
                    break
        self.stop()
        self.passed = int(re.findall(r"^crashing: (\d+) places were passed$", self.daemon.said(), re.MULTILINE)[-1])

    # --- asking it --------------------------------------------------------------------------------------------------------

    def send(self, name: str, **event: Any) -> str:
        """Send an event under an id of its own, unless that was answered; its id."""
        if name not in self.answered:
            status, answer = self.daemon.ask("POST", "/events", event, delivery=name)
            assert (status, len(answer["ids"])) == (202, 1), answer
            assert answer["ids"][0] not in self.answered.values()
            self.answered[name] = answer["ids"][0]
        return self.answered[name]

    def wish(self, path: str, body: Any, *done: str, key: str = ASKER) -> None:
        """Ask for something, unless that was answered. `done`: codes of errors that say that it has been done."""
        if path not in self.done:
            status, answer = self.daemon.ask("POST", path, body, key=key)
            assert status == 200 or answer.get("code") in done, answer
            self.done.add(path)

    def run_on(self, host: str) -> dict[str, Any]:
        """The run that a host has; {} as long as it has none."""
        status, page = self.daemon.get(f"/runs?target={host}")
        assert status == 200, page
        assert len(page["items"]) <= 1, page
        return dict(page["items"][0]) if page["items"] else {}

    def reaches(self, host: str, *states: str) -> str:
        """Wait until the run on a host has one of these states; its id."""
        self.wait_for(lambda: self.run_on(host).get("state") in states, DEADLINE_S, f"{host} to be {states[0]}, {self}")
        return str(self.run_on(host)["id"])

    def effects(self, *of: str) -> list[list[str]]:
        """[action, token, target, state of its attempt then, records then that announced it], of these targets or all."""
        lines = self.daemon.effects.read_text().splitlines() if self.daemon.effects.exists() else []
        return [line.split() for line in lines if not of or line.split()[2] in of]

    def begins(self, host: str, name: str) -> str:
        """Send an event whose effect goes on until it is ended; its token."""
        (self.holds / host).touch()
        self.send(name, heal=host)

        def seen() -> bool:
            self.daemon.get("/livez")  # raises where there is no daemon any more
            return bool(self.effects(host))

        self.wait_for(seen, DEADLINE_S, f"the effect on {host}, {self}")
        return self.effects(host)[-1][1]

    def __str__(self) -> str:
        return f"killed at {self.fell}"

    # --- what there is in the end -----------------------------------------------------------------------------------------

    def outline(self) -> dict[str, Any]:
        """What has to be the same whatever was killed."""
        rows = self.daemon.rows
        effects = sorted((action, target) for action, _, target, *_ in self.effects())
        return {
            "runs": rows("SELECT rule, t.target, r.state, r.reason, t.state FROM run r JOIN run_target t ON t.run = r.id ORDER BY rule, t.target"),
            "effects": effects,
            "open attempts": rows("SELECT token, state FROM attempt WHERE state IN ('queued', 'running', 'unknown', 'verifying')"),
            "alerts": rows("SELECT key, status, closed_by, times FROM alert"),
            "approvals": rows("SELECT state FROM approval ORDER BY id"),
            "reviews": rows("SELECT person, approves FROM review"),
            "quarantine": rows("SELECT ruleset, state, tries FROM quarantine"),
            "locks": rows("SELECT target FROM lock"), "pauses": rows("SELECT scope FROM pause"),
            "undecided": rows("SELECT max(seq) - (SELECT seq FROM position) FROM journal"),
        }  # fmt: skip

    def judge(self) -> None:
        """Nothing was lost, nothing happened twice, nothing began unannounced; everything is as it was in a play without a kill."""
        effects = self.effects()
        assert len({token for _, token, *_ in effects}) == len(effects), (self, effects)
        assert {(state, intents) for *_, state, intents in effects} == {("running", "1")}, (self, effects)
        assert self.outline() == WANTED, str(self)
        self.daemon.verified()


# --- the steps ------------------------------------------------------------------------------------------------------------


def heal(play: Play) -> None:
    """Accept, decide, claim, effect, finish; and the first of two events that one rule needs."""
    play.send("heal", heal="h1")
    play.reaches("h1", "succeeded")
    play.send("first", first="x")


def verify(play: Play) -> None:
    """An alert opens; its run is verified by another action."""
    play.send("broken", alert={"name": "Broken", "target": "h2", "key": "k2", "status": "firing"})
    play.reaches("h2", "succeeded")


def retry(play: Play) -> None:
    """What fails at first is tried again."""
    play.send("flaky", flaky="h3")
    play.reaches("h3", "succeeded")


def approve(play: Play) -> None:
    """The second target within an hour is for a person to decide."""
    play.send("risky 1", risky="h4")
    play.reaches("h4", "succeeded")
    play.send("risky 2", risky="h5")
    run = play.reaches("h5", "awaiting_approval", *AFTER_A_WAIT)
    play.wish(f"/approvals/{run}/approve", {"reason": "seen"}, "approval-ended", key=APPROVER)
    play.reaches("h5", "succeeded")


def cancel(play: Play) -> None:
    """A person ends what runs."""
    play.begins("h6", "to be cancelled")
    play.wish(f"/runs/{play.run_on('h6')['id']}/cancel", {"reason": "the wrong host"}, "run-ended")
    play.reaches("h6", "cancelled")


def pause(play: Play) -> None:
    """Nothing starts until a person says so; what waits is cancelled or goes on."""
    play.wish("/pause", {"scope": "all", "reason": "wait"})
    play.send("paused 1", heal="h7")
    play.send("paused 2", heal="h8")
    play.reaches("h7", "deferred", *AFTER_A_WAIT)
    run = play.reaches("h8", "deferred", "cancelled")
    play.wish(f"/runs/{run}/cancel", {"reason": "not needed"}, "run-ended")
    assert play.run_on("h8")["state"] == "cancelled"
    play.wish("/resume", {"scope": "all"}, "not-found")
    play.reaches("h7", "succeeded")


def resolve(play: Play) -> None:
    """The shim of an attempt is killed too: nobody knows how it ended, until a person says so."""
    token = play.begins("h9", "to be lost")
    for pid in jobs.pids_with("HEALER_TOKEN", token):
        kill(pid)
    claim = jobs.read_claim(play.daemon.data / "work" / token)
    if claim is not None and claim.alive():
        kill(claim.pid)
    run = play.reaches("h9", "unknown", "failed")
    play.wish(f"/runs/{run}/resolve", {"state": "failed", "reason": "looked"}, "not-unknown")
    assert play.run_on("h9")["state"] == "failed"


def kill(pid: int) -> None:
    """kill -9 of one that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def quarantine(play: Play) -> None:
    """A ruleset cannot digest an event; a person gives it up."""
    event = play.send("poison", poison="x")
    play.wait_for(lambda: play.daemon.get(f"/events/{event}")[1]["quarantined"], DEADLINE_S, f"the quarantine, {play}")
    play.wish("/quarantine/drop", {"event": event, "reason": "never"}, "not-in-quarantine")


def reload(play: Play) -> None:
    """A rule is added."""
    play.daemon.write("rulebooks/healing.yml", RULES + LATER)
    play.wish("/reload", {})
    play.send("later", later="h10")
    play.reaches("h10", "succeeded")


def sweep(play: Play) -> None:
    """All that was answered is there; then what is an hour old goes, and what is needed stays."""

    def status(name: str) -> int:
        return int(play.daemon.get(f"/events/{play.answered[name]}")[0])

    if "look" not in play.done:
        assert {name: status(name) for name in play.answered} == dict.fromkeys(play.answered, 200), play
        play.done.add("look")

    def swept() -> bool:
        play.daemon.process.send_signal(signal.SIGUSR1)
        return status("heal") == 404

    play.wait_for(swept, DEADLINE_S, f"the sweep, {play}")
    assert status("first") == 200


def remember(play: Play) -> None:
    """The second of two events comes; the alert ends."""
    play.send("second", second="h11")
    play.reaches("h11", "succeeded")
    play.send("over", alert={"name": "Broken", "target": "h2", "key": "k2", "status": "resolved"})

    def ended() -> bool:
        return [one["status"] for one in play.daemon.get("/alerts")[1]["items"]] == ["resolved"]

    play.wait_for(ended, DEADLINE_S, f"the alert to end, {play}")


STEPS: Final = (heal, verify, retry, approve, cancel, pause, resolve, quarantine, reload, sweep, remember)


WANTED: Final[dict[str, Any]] = {
    "runs": [
        ("healing/matrix/both", "host:h11", "succeeded", "unverified", "succeeded"),
        ("healing/matrix/flaky", "host:h3", "succeeded", "unverified", "succeeded"),
        ("healing/matrix/heal", "host:h1", "succeeded", "unverified", "succeeded"),
        ("healing/matrix/heal", "host:h6", "cancelled", "", "cancelled"),
        ("healing/matrix/heal", "host:h7", "succeeded", "unverified", "succeeded"),
        ("healing/matrix/heal", "host:h8", "cancelled", "", "cancelled"),
        ("healing/matrix/heal", "host:h9", "failed", "", "failed"),
        ("healing/matrix/later", "host:h10", "succeeded", "unverified", "succeeded"),
        ("healing/matrix/mend", "host:h2", "succeeded", "verified", "succeeded"),
        ("healing/matrix/risky", "host:h4", "succeeded", "unverified", "succeeded"),
        ("healing/matrix/risky", "host:h5", "succeeded", "unverified", "succeeded"),
    ],
    "effects": [
        ("check", "h2"), ("flaky", "h3"), ("flaky", "h3"), ("heal", "h1"), ("heal", "h10"), ("heal", "h11"), ("heal", "h6"),
        ("heal", "h7"), ("heal", "h9"), ("mend", "h2"), ("risky", "h4"), ("risky", "h5"),
    ],
    "open attempts": [],
    "alerts": [("k2", "resolved", "resolved", 1)],
    "approvals": [("approved",)],
    "reviews": [("key:approver", 1)],
    "quarantine": [("healing/matrix", "dropped", 3)],
    "locks": [], "pauses": [], "undecided": [(0,)],
}  # fmt: skip
"""What there is when the play is over, whatever was killed."""
