"""People and senders at a real daemon over HTTP, in any order: a model says what each request is answered and what becomes of each run.

The daemon is one for all examples, each of which has alerts and runs of its own and leaves nothing behind that holds the next. What runs
does so until the test says how it ends (`steered.py`); what is right is in `foreseen.py`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Container
from typing import Any, Final

import foreseen
import hypothesis
import talking
from foreseen import ADMINS, ATTEMPTS, NAMES, NEW, OPERATORS, PAUSERS, QUORUM, REVIEWERS, SCOPES, WAITS, Ramp, Run
from hypothesis import stateful
from hypothesis import strategies as st

FEW: Final = 2
EXAMPLES: Final = int(os.environ.get("MACHINE", str(FEW)))
"""Of each story; `MACHINE=30 pytest tests/acceptance/test_api_machine.py` looks further (7 minutes)."""
STEPS: Final = 25
PHASES: Final = [one for one in hypothesis.Phase if EXAMPLES > FEW or one is not hypothesis.Phase.shrink]
"""Where few examples are tried what one of them finds is told at once, and not made shorter: that takes minutes."""
STRANGERS: Final = 5
"""In so many examples somebody comes without a key."""
NOWHERE: Final = {
    "runs/r-zzz/cancel": {},
    "runs/r-zzz/start": {"break_glass": True, "reason": "x"},
    "runs/r-zzz/resolve": {"state": "failed", "reason": "x"},
    "approvals/a-zzz/approve": {},
    "approvals/a-zzz/reject": {},
    "pause": {"scope": "rule:nothing"},
    "resume": {"scope": "rule:nothing"},
}
STORIES: Final = (
    "fire agree fail fire agree fail fire", "ask own agree", "free fire agree pause resume", "fire agree lose", "fire pause agree edit resume",
    "free fire force pause resume fail", "fire agree fail pause fire resume", "ask pause agree edit", "fire edit fire agree", "fire force lose",
    "ask stop free stop", "fire pause over resume",
)  # fmt: skip
"""What happens before anything may: each is how one of the others begins."""
WORDS = st.sampled_from([*NAMES, "asker", "author"])
BOSSES = st.sampled_from(["olga", "cy", "dora", "ana"])
SOME = st.integers(0, 31)


class Machine(talking.Talks, stateful.RuleBasedStateMachine):
    """Every rule is a request; `look` after each of them compares everything that can be read with the model."""

    def __init__(self, files: foreseen.Project, story: str) -> None:
        stateful.RuleBasedStateMachine.__init__(self)
        talking.Talks.__init__(self, files)
        self.story = story
        self.edits = 0

    @stateful.invariant()
    def looks(self) -> None:
        """After each step."""
        self.look()

    def teardown(self) -> None:
        """Nothing of this example holds the next."""
        self.leave()

    # --- senders -----------------------------------------------------------------------------------------------------------

    @stateful.initialize()
    def begins(self) -> None:
        """The story."""
        told = {
            "fire": lambda: self.fires("gated", "h1"),
            "free": lambda: self.fires("free", "h1"),
            "ask": lambda: self.asks("gated", "cy"),
            "own": lambda: self.reviews(1, "asker", "approve"),
            "agree": lambda: self.agree(1),
            "fail": lambda: self.ends_as(1, "failed"),
            "lose": lambda: self.ends_as(1, "unknown"),
            "pause": lambda: self.pauses("all", "ana"),
            "resume": lambda: self.resumes(0, "cy"),
            "force": lambda: self.breaks_glass(1, "cy", "it burns"),
            "over": lambda: self.is_over(0),
            "stop": lambda: self.cancels(self.one(0, WAITS), "cy"),
            "edit": lambda: self.edits_and_reloads("cy", foreseen.CATALOG, "bo"),
        }
        for word in self.story.split():
            told[word]()
            self.look()

    @stateful.rule(action=st.sampled_from(["gated", "gated", "free"]), host=st.sampled_from(["h1", "h2"]))
    def fire(self, action: str, host: str) -> None:
        """An alert, or what is said of it again."""
        self.fires(action, host)

    def fires(self, action: str, host: str) -> None:
        """The cycle of an alert begins, or goes on."""
        key = f"{action} on {host} in {self.name}"
        if key in self.firing:
            self.again(self.firing[key])
        else:
            self.firing[key] = self.made(self.send(key, action, host, "firing"), action, host, alert=key)

    @stateful.precondition(lambda self: self.firing)
    @stateful.rule(number=SOME)
    def is_said_again(self, number: int) -> None:
        """What fires."""
        run = self.one(number, {"failed", "void"})
        self.again(self.firing.get(run.alert) or list(self.firing.values())[-1])

    def again(self, run: Run) -> None:
        """What was not done, or did not help, is decided again, so often."""
        (decision,) = self.send(run.alert, run.action, run.host, "firing")
        over = run.state in ("failed", "void")
        assert decision["run"] == run.id
        if over and run.tries < ATTEMPTS:
            run.decided_again()
        else:
            assert decision["reason"] == ("attempts" if over else "duplicate"), decision

    @stateful.precondition(lambda self: self.firing)
    @stateful.rule(number=SOME)
    def is_over(self, number: int) -> None:
        """An alert: what has not begun for it need not, and another one of its key is a new one."""
        run = list(self.firing.values())[-1 - number % len(self.firing)]
        assert self.send(run.alert, run.action, run.host, "resolved") == []
        self.firing.pop(run.alert).over = True
        self.closed.add(run.alert)

    @stateful.rule(
        action=st.sampled_from(["gated", "gated", "free", "none of ours"]),
        key=st.sampled_from(["cy", "cy", "dora", "ana"]),
    )
    def asks(self, action: str, key: str) -> None:
        """By name, at `/webhook`."""
        wanted = 403 if key not in ADMINS else 202 if action in ("gated", "free") else 404
        answer = self.say(key, "/webhook", {"event_type": action, "target": "h3"}, wanted)
        if wanted == 202:
            run = self.made(self.decided(answer["ids"][0]), action, "h3", asker=key)
            (decision,) = [one for one in self.records() if one["kind"] == "decision"]
            assert (decision["run"], decision["actor"]) == (run.id, foreseen.actor(key))

    # --- people ------------------------------------------------------------------------------------------------------------

    def one(self, number: int, states: Container[str]) -> Run:
        """A run, 0: the last one; three times of four one in such a state, where there is any."""
        runs = list(self.runs.values())
        fit = [run for run in runs if run.state in states] if number % 4 else []
        return (fit or runs)[-1 - number // 4 % len(fit or runs)]

    @stateful.rule(number=SOME, key=WORDS, word=st.sampled_from(["approve", "approve", "approve", "reject"]))
    def reviews(self, number: int, key: str, word: str) -> None:
        """A word on the request of a run's last decision that had one."""
        run = self.one(number, {"awaiting_approval"})
        key = {"asker": run.asker or "cy", "author": self.files.author_of(run)}.get(key, key)
        who = foreseen.person(key)
        path = f"/approvals/{self.timeline.last.get(run.id, run.id)}/{word}"
        if who not in REVIEWERS:
            self.say(key, path, {}, 403)
        elif run.id not in self.timeline.last:
            self.say(key, path, {}, 404)
        elif run.state != "awaiting_approval":
            self.say(key, path, {}, 409)
        elif word == "approve" and who in (run.asker, self.files.author_of(run)):
            self.say(key, path, {}, 403)
        elif who in run.said:
            assert self.say(key, path, {}, 200)["stood"] is True
        else:
            self.says(run, key, word)

    def says(self, run: Run, key: str, word: str) -> None:
        """A word that counts."""
        path = f"/approvals/{self.timeline.request[run.id]}/{word}"
        assert self.say(key, path, {"reason": "seen"}, 200, "review")["stood"] is False
        run.said[foreseen.person(key)] = word
        if word == "reject":
            run.state = "rejected"
        elif len(run.said) == QUORUM:
            run.approved, run.state = True, NEW

    @stateful.rule(number=SOME)
    def agree(self, number: int) -> None:
        """As many as it takes say yes to what waits for it."""
        run = self.one(number, {"awaiting_approval"})
        for key in ("ana", "bo", "cy", "dora"):
            if run.state == "awaiting_approval" and key not in (*run.said, run.asker, self.files.author_of(run)):
                self.says(run, key, "approve")
                self.look()

    def cancels(self, run: Run, key: str) -> None:
        """What has not ended ends, unless nobody knows whether it has."""
        wanted = 403 if foreseen.person(key) not in OPERATORS else 200 if run.state in WAITS | {"running"} else 409
        self.say(key, f"/runs/{run.id}/cancel", {}, wanted, "cancel" if wanted == 200 else "")
        if wanted == 200:
            self.ended(run, "cancelled")

    @stateful.rule(
        number=SOME,
        key=BOSSES,
        word=st.sampled_from(["cancel", "cancel", "succeeded", "failed", "queued", "queued"]),
        far=st.sampled_from(["", "", "succeeded", "running"]),
    )
    def sees_to_it(self, number: int, key: str, word: str, far: str) -> None:
        """Somebody says that a run is to end, or how it has."""
        run = self.one(number, WAITS if word == "cancel" else {"unknown"})
        if word == "cancel":
            self.cancels(run, key)
        else:
            self.resolves(run, key, word, far)

    def resolves(self, run: Run, key: str, state: str, far: str) -> None:
        """What nobody knows; `far`: what its controller says now."""
        unknown = run.state == "unknown"
        if unknown and far:
            (self.daemon.base / "far/far" / self.token(run)).write_text(far)
        wanted = 403 if foreseen.person(key) not in OPERATORS else 200 if unknown and far != "running" else 409
        kind = "resolved" if wanted == 200 else ""
        answer = self.say(key, f"/runs/{run.id}/resolve", {"state": state, "reason": "looked"}, wanted, kind)
        if wanted == 200:
            assert answer["state"] == (far or state)
            run.state = far or state
        elif unknown:
            (self.daemon.base / "far/far" / self.token(run)).unlink(missing_ok=True)

    @stateful.rule(number=SOME, key=BOSSES, why=st.sampled_from(["it burns"] * 4 + [""]))
    def breaks_glass(self, number: int, key: str, why: str) -> None:
        """What waits begins past its gates: an admin says so, and why."""
        run = self.one(number, WAITS)
        before = run.forced and run.state == "queued"
        may = run.state in WAITS and (before or not run.over)
        wanted = 403 if foreseen.person(key) not in ADMINS else 400 if not why else 200 if may else 409
        kind = "break_glass" if wanted == 200 and not before else ""
        self.say(key, f"/runs/{run.id}/start", {"break_glass": True, "reason": why}, wanted, kind)
        if kind:
            run.forced, run.past_pause = True, bool(run.covered(self.paused))
            if run.state == "awaiting_approval":
                run.bound, run.said = None, {}
            run.state = "queued"

    @stateful.rule(scope=st.sampled_from(SCOPES), key=st.sampled_from(["olga", "ana", "bo", "cy", "vi"]))
    def pauses(self, scope: str, key: str) -> None:
        """Nothing new that it covers begins, whoever has forced it before."""
        if foreseen.person(key) not in PAUSERS:
            self.say(key, "/pause", {"scope": scope}, 403)
            return
        self.say(key, "/pause", {"scope": scope}, 200, "pause")
        self.paused.add(scope)
        self.ramps.pop(scope, None)
        for run in [one for one in self.runs.values() if one.covered([scope])]:
            run.forced = run.past_pause = False

    @stateful.precondition(lambda self: self.paused)
    @stateful.rule(number=SOME, key=BOSSES)
    def resumes(self, number: int, key: str) -> None:
        """What it held comes back, one, then two …"""
        scope = sorted(self.paused)[number % len(self.paused)]
        if foreseen.person(key) not in OPERATORS:
            self.say(key, "/resume", {"scope": scope}, 403)
            return
        self.say(key, "/resume", {"scope": scope}, 200, "resume")
        self.paused.discard(scope)
        if any(run.covered([scope]) and run.state in ("deferred", "queued") for run in self.runs.values()):
            self.ramps[scope] = Ramp()

    @stateful.precondition(lambda self: self.edits < 2 and any(map(self.is_bound, self.runs.values())))
    @stateful.rule(
        key=BOSSES, file=st.sampled_from([foreseen.CATALOG, foreseen.RULEBOOK]), who=st.sampled_from(["bo", "dora"])
    )
    def edits_and_reloads(self, key: str, file: str, who: str) -> None:
        """What was asked for or approved, and is something else now, is void."""
        if foreseen.person(key) not in OPERATORS:
            self.say(key, "/reload", {}, 403)
            return
        self.edits += 1
        files = self.files
        files.edit(file, who)
        self.say(key, "/reload", {}, 200, "revision")
        for run in self.runs.values():
            if self.is_bound(run) and run.bound != files.bound(run):
                run.state = "void"

    @stateful.rule(what=st.sampled_from([*NOWHERE]))
    def asks_for_nothing(self, what: str) -> None:
        """What is not there. In a few examples also with no key: whoever has none hears it the later the more of them there are."""
        self.say("cy", f"/{what}", NOWHERE[what], 404)
        if self.name <= STRANGERS and self.runs:
            path = f"/{what.replace('r-zzz', self.one(0, WAITS).id)}"
            assert self.daemon.ask("POST", path, NOWHERE[what], key="no key")[0] == 401
            assert [one for one in self.records() if one["kind"] not in foreseen.ASIDE] == []

    # --- the world ---------------------------------------------------------------------------------------------------------

    @stateful.rule(number=SOME)
    def fails(self, number: int) -> None:
        """What runs may often."""
        self.ends_as(number, "failed")

    @stateful.rule(number=SOME, state=st.sampled_from(["succeeded", "unknown"]))
    def ends(self, number: int, state: str) -> None:
        """Or otherwise."""
        self.ends_as(number, state)

    def ends_as(self, number: int, state: str) -> None:
        """What runs does."""
        run = self.one(number or 1, {"running"})
        if run.state == "running":
            token = self.token(run)
            (self.daemon.base / "far/ends" / token).write_text(state)
            self.ended(run, state)
            self.settle()
            assert token in self.effects_of_all()


def test_any_order_of_requests(daemon: Any) -> None:
    files = foreseen.Project(daemon)
    daemon.key = foreseen.KEYS["cy"]
    daemon.start("--mode", "active")
    daemon.ready()
    settings = hypothesis.settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None,
        phases=PHASES, suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    for number, story in enumerate(STORIES):
        machine: Any = functools.partial(Machine, files, story)
        hypothesis.seed(number)(stateful.get_state_machine_test(machine, settings=settings))()
    daemon.verified()
