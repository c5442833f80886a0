"""A project with two actions, and what is to be expected of its runs: for `test_api_machine.py`.

Nothing here asks the product what is right: who may do what, the steps of a run and what lets one begin are written down from what is
promised (`safety.md`, `decisions.md` A6).
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import itertools
import pathlib
import subprocess
from collections.abc import Iterable
from typing import Any, Final

SETTINGS = """\
environment: test
mode: active
keys: {file: keys}
storm: none
defaults:
  run_action: {attempts: 2, rate_limit: none, breaker: none, blast_radius: none, flapping: none, verify: none, cooldown: none,
    settle: none, approval: 'off'}
principals:
  ana: {roles: [approver]}
  bo: {roles: [approver], git: bo@example.org}
  cy: {roles: [admin]}
  dora: {roles: [admin], git: dora@example.org}
  olga: {roles: [operator]}
  vi: {roles: [readonly]}
"""
ACTIONS = """\
actions:
  free: {command: [free], impact: low, events: [free]}
  gated:
    command: [gated, 'COMMAND']
    impact: low
    events: [gated]
    approval: {any: [{name: two of us, roles: [approver, admin], approve: 2, reject: 1}], exclude: [requester, author]}
"""
RULES = """\
- name: machine
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: free
      condition: event.alert.name == "free" and event.alert.status == "firing"
      action: {run_action: {name: free, target: "{{ event.alert.target }}"}}
    - name: gated
      condition: event.alert.name == "gated" and event.alert.status == "firing"
      action: {run_action: {name: gated, target: "{{ event.alert.target }}"}}
"""
CATALOG: Final = "actions.yaml"
RULEBOOK: Final = "rulebooks/healing.yml"
REMARKS = itertools.count(1)
NAMES: Final = ("ana", "ana2", "bo", "cy", "dora", "olga", "vi")
KEYS: Final = {name: f"key-of-the-machine-{name}" for name in NAMES}
REVIEWERS: Final = {"ana", "bo", "cy", "dora"}
OPERATORS: Final = {"cy", "dora", "olga"}
ADMINS: Final = {"cy", "dora"}
PAUSERS: Final = OPERATORS | {"ana", "bo"}
QUORUM: Final = 2
ATTEMPTS: Final = 2
SCOPES: Final = (
    "all", "controller:here", "rule:healing/machine/gated", "rule:healing/machine/free", "ruleset:healer/events",
)  # fmt: skip
WAITS: Final = {"deferred", "awaiting_approval", "queued"}
OPEN: Final = WAITS | {"running", "unknown"}
NEW: Final = "decided"
"""Of the model: all gates have been asked at once; nobody has looked yet what they said."""
DECIDED: Final = {"suppressed", "refused", "deferred", "awaiting_approval", "queued"}
EDGES: Final = {
    "": DECIDED,
    "deferred": {"queued", "withdrawn", "suppressed", "awaiting_approval", "cancelled", "void"},
    "awaiting_approval": {"queued", "rejected", "expired", "void", "withdrawn", "cancelled"},
    "queued": {"running", "withdrawn", "cancelled", "deferred", "awaiting_approval", "void"},
    "running": {"succeeded", "failed", "timed_out", "cancelled", "unknown"},
    "unknown": {"succeeded", "failed", "queued"},
    "failed": DECIDED,
    "void": DECIDED,
}
"""`safety.md` and `decisions.md` A6, as far as this machine comes; `planned` is no moment of its own."""
MOVES: Final = {"decision", "transition", "outcome", "resolved", "cancel", "break_glass"}
"""Kinds of records that say the state of a run; `intent` is `running`."""
PEOPLES: Final = {"review", "cancel", "resolved", "pause", "resume", "break_glass", "revision", "override"}
"""Kinds of records that say what somebody did."""
ASIDE: Final = {"plan"}
"""What comes at a time of its own."""


def person(key: str) -> str:
    """Whose key it is."""
    return key.rstrip("2")


def actor(key: str) -> str:
    """As the audit names who uses it."""
    return f"key:{key} = {person(key)}"


class Project:
    """The files. `command`: that of `gated`; `authors`: file → who has changed it last."""

    def __init__(self, daemon: Any) -> None:
        self.daemon = daemon
        self.command = "first"
        self.authors = dict.fromkeys((CATALOG, RULEBOOK), "dora")
        daemon.write("healer.yaml", SETTINGS)
        daemon.write("controllers/steered.py", pathlib.Path(__file__).with_name("steered.py").read_text())
        told = f"{{type: steered, folder: '{daemon.base}/far', inventory: inventory/}}"
        daemon.write("controllers.yaml", f"controllers:\n  here: {told}\ndefault: here\n")
        for name in ("ends", "far"):
            (daemon.base / "far" / name).mkdir(parents=True)
        lines = [f"{name} - {hashlib.sha256(key.encode()).hexdigest()} {person(name)}\n" for name, key in KEYS.items()]
        daemon.write("keys", "".join(lines))
        daemon.write(CATALOG, ACTIONS.replace("COMMAND", self.command))
        daemon.write(RULEBOOK, RULES)
        self._git("dora", "init", "-q")
        self._commit("dora")

    def edit(self, file: str, who: str) -> None:
        """Somebody commits a change of a file: the command of `gated`, or a remark in the rulebook."""
        self._write(file, who, "second" if self.command == "first" else "first")

    def restore(self) -> bool:
        """Make them as they were at first; whether they were not."""
        changed = [
            file for file, who in self.authors.items() if who != "dora" or (file == CATALOG and self.command != "first")
        ]
        for file in changed:
            self._write(file, "dora", "first")
        return bool(changed)

    def _write(self, file: str, who: str, command: str) -> None:
        remark = f"# {next(REMARKS)}\n"
        if file == CATALOG:
            self.command = command
            self.daemon.write(CATALOG, remark + ACTIONS.replace("COMMAND", command))
        else:
            self.daemon.write(RULEBOOK, remark + RULES)
        self.authors[file] = who
        self._commit(who)

    def _commit(self, who: str) -> None:
        self._git(who, "add", ".")
        self._git(who, "commit", "-qm", "all")

    def _git(self, who: str, *words: str) -> None:
        known = ["-c", f"user.name={who}", "-c", f"user.email={who}@example.org"]
        subprocess.run(["git", "-C", str(self.daemon.project), *known, *words], check=True)

    def bound(self, run: Run) -> tuple[str, str]:
        """What an approval of a run's is bound to now."""
        return self.command, self.author_of(run)

    def author_of(self, run: Run) -> str:
        """Who may not approve it, for what they wrote: the catalog says which events of `/webhook` it takes."""
        return self.authors[RULEBOOK if run.alert else CATALOG]


@dataclasses.dataclass
class Run:
    """What the model knows of a run. `state`: the one it has; `NEW` where it has to be seen what the gates said."""

    id: str
    action: str
    host: str
    asker: str
    alert: str
    state: str = NEW
    over: bool = False
    """Its alert is."""
    bound: tuple[str, str] | None = None
    """What its request is bound to; None: there is none of this decision."""
    said: dict[str, str] = dataclasses.field(default_factory=dict)
    """Person → their first word on that request."""
    approved: bool = False
    forced: bool = False
    past_pause: bool = False
    began: bool = False
    """An attempt of this decision has."""
    tries: int = 0
    """Decisions of which one had begun."""

    @property
    def rule(self) -> str:
        """Its whole name."""
        return f"healing/machine/{self.action}" if self.alert else f"healer/events/{self.action}"

    def covered(self, scopes: Iterable[str]) -> list[str]:
        """Those of some scopes that it lies in."""
        names = ("all", "controller:here", f"rule:{self.rule}", f"ruleset:{self.rule.rpartition('/')[0]}")
        return [scope for scope in scopes if scope in names]

    def decided_again(self) -> None:
        """A repeat of its alert: nothing of what was said before counts."""
        self.state, self.bound, self.said, self.approved = NEW, None, {}, False
        self.forced = self.past_pause = self.began = False


@dataclasses.dataclass
class Ramp:
    """What comes back after a pause: each attempt that ends makes room for two. `forced`: somebody has passed it."""

    running: set[str] = dataclasses.field(default_factory=set)
    ended: int = 0
    forced: bool = False

    @property
    def full(self) -> bool:
        """Nothing begins now."""
        return len(self.running) >= 1 + self.ended


class Timeline:
    """What the audit says of each run, read from it alone. `request`: of its last decision; `last`: of any."""

    def __init__(self) -> None:
        self.now: collections.defaultdict[str, str] = collections.defaultdict(str)
        self.asked: dict[str, str] = {}
        self.request: dict[str, str] = {}
        self.last: dict[str, str] = {}
        self.words: collections.defaultdict[str, dict[str, str]] = collections.defaultdict(dict)
        self.author: dict[str, str] = {}
        self.glass: set[str] = set()
        self.began: set[str] = set()

    def add(self, record: dict[str, Any], runs: dict[str, Run]) -> None:
        """One more record: it is an allowed step, and what begins is free, approved by as many as it takes, or forced."""
        kind, run = record["kind"], runs.get(record.get("run") or "")
        if kind == "pause":  # it came later, and holds what has not begun
            self.glass -= {one.id for one in runs.values() if one.covered([record["scope"]])}
        if run is None:
            return
        if kind == "approval_asked":
            self.asked[run.id], self.author[record["approval"]] = record["approval"], record.get("author") or ""
        elif kind == "review":
            assert record["approval"] == self.request[run.id], record
            who = record["actor"].rpartition(" = ")[2]
            assert who not in self.words[record["approval"]], record
            self.words[record["approval"]][who] = record["word"]
        elif kind == "break_glass":
            assert record["actor"].rpartition(" = ")[2] in ADMINS
            assert record["detail"]
            self.glass.add(run.id)
        elif kind == "intent":
            assert run.action == "free" or run.id in self.glass or self._is_approved(run), record
            self.glass.discard(run.id)
            self.began.add(record["token"])
        if kind in MOVES or kind == "intent":
            self._move(run.id, record, "running" if kind == "intent" else record["state"])

    def _is_approved(self, run: Run) -> bool:
        words = self.words[self.request.get(run.id, "")]
        excluded = {run.asker, self.author.get(self.request.get(run.id, ""), "")}
        yes = {who for who, word in words.items() if word == "approve"} & REVIEWERS - excluded
        return len(yes) >= QUORUM and "reject" not in words.values()

    def _move(self, run: str, record: dict[str, Any], new: str) -> None:
        old, kind = self.now[run], record["kind"]
        assert record.get("old") in (None, old), (old, record)
        if kind == "decision":
            self.request.pop(run, None)
            self.glass.discard(run)
        if new == "awaiting_approval":
            self.request[run] = self.last[run] = self.asked.pop(run)
        assert new == old or new in EDGES[old], (run, old, record)
        assert new != old or kind in ("cancel", "break_glass"), record
        self.now[run] = new


class Model:
    """Which runs there are, what holds them, and in which states each may stay. `firing`: alert → the run of it."""

    def __init__(self, files: Project) -> None:
        self.files = files
        self.runs: dict[str, Run] = {}
        self.firing: dict[str, Run] = {}
        self.closed: set[str] = set()
        self.paused: set[str] = set()
        self.ramps: dict[str, Ramp] = {}

    def may(self, run: Run, locked: dict[str, str]) -> set[str]:
        """The states in which a run may stay. `locked`: host → the run that has it now."""
        if run.state not in WAITS | {NEW}:
            return {run.state}
        paused = bool(run.covered(self.paused)) and not run.past_pause
        if run.state == "awaiting_approval":
            return {"withdrawn"} if run.over else {"awaiting_approval"}
        busy = locked.get(run.host, run.id) != run.id
        full = not run.forced and any(self.ramps[scope].full for scope in run.covered(self.ramps))
        turn = {"queued"} if run.state == "queued" and (busy or full) else set()  # nobody has looked again
        if paused:
            return {"deferred"} | (turn if busy else set())
        if run.over:
            return {"withdrawn"} | turn
        if run.action == "gated" and not run.forced:
            if run.approved and run.bound != self.files.bound(run):
                return {"void"} | turn
            if not run.approved:
                return {"awaiting_approval"} | turn
        return {"queued"} if busy or full else {"running"}

    def wrong(self, listed: dict[str, dict[str, Any]]) -> list[Any]:
        """Runs that are what they may not stay, each with what it may be; where there is none the model takes over what is."""
        assert {*listed} == {*self.runs}
        states = {one: item["state"] for one, item in listed.items()}
        working = [self.runs[one] for one, state in states.items() if state in ("running", "unknown")]
        locked = {run.host: run.id for run in working}
        assert len(locked) == len(working), "two runs have one host"
        kept = {scope: dataclasses.replace(ramp, running={*ramp.running}) for scope, ramp in self.ramps.items()}
        began = [self.runs[one] for one, state in states.items() if state == "running" != self.runs[one].state]
        for run in began:
            for ramp in [self.ramps[scope] for scope in run.covered(self.ramps)]:
                ramp.running.add(run.id)
                ramp.forced |= run.forced
        # What has begun is asked as if it had not: whether it might have.
        wrong: list[Any] = [
            (run, states[run.id], may) for run in self.runs.values()
            if states[run.id] not in (may := {"running"} if run in began and self.might(run) else self.may(run, locked))
        ]  # fmt: skip
        wrong += [ramp for ramp in self.ramps.values() if len(ramp.running) > 1 + ramp.ended and not ramp.forced]
        if wrong:
            self.ramps = kept
            return wrong
        for run in self.runs.values():
            self.take_over(run, states[run.id])
        return []

    def might(self, run: Run) -> bool:
        """Whether nothing but a busy host and the others of a ramp could have kept it from beginning."""
        before, self.ramps = self.ramps, {}
        try:
            return self.may(run, {}) == {"running"}
        finally:
            self.ramps = before

    def take_over(self, run: Run, state: str) -> None:
        """A run has gone on to a state, or has the one it had."""
        if state == "running" and run.state != "running":
            run.forced = run.past_pause = False
            run.tries += not run.began
            run.began = True
        if state == "awaiting_approval" != run.state:
            run.bound, run.said, run.approved = self.files.bound(run), {}, False
        run.state = state

    def ended(self, run: Run, state: str) -> None:
        """Its attempt has."""
        for ramp in self.ramps.values():
            if run.id in ramp.running:
                ramp.running.discard(run.id)
                ramp.ended += 1
        run.state = state

    def is_bound(self, run: Run) -> bool:
        """Whether somebody is asked for it, or has said yes to what has not begun."""
        return run.state == "awaiting_approval" or (run.approved and run.state in WAITS)
