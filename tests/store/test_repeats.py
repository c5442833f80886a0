"""What a repeat of an alert does in each state of the run that its first firing led to: the table `states.ON_REPEAT`, on real rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from healer import model, policy, store
from healer.policy import states
from healer.store import asking, claiming, deciding, finishing, journal

S = 1_000_000
KEY = "broken web1"
ACTIVE = policy.Standing(enabled=True, mode="active")
OBSERVE = policy.Standing(enabled=True, mode="observe")
PAUSED = policy.Standing(enabled=True, mode="active", paused={"scope": "--all", "who": "ana", "reason": "look first"})
WRONG = (policy.Problem("invalid_parameters", {"action": "clean", "detail": "keep_days: is required"}),)
LIMITS = policy.Limits(max_age_s=900, attempts=3, timeout_s=10, concurrency_daemon=20)


class Firing:
    """One alert in one cycle, told again and again; each telling is a journal row of its own."""

    def __init__(self) -> None:
        self.now_us = 1000 * S
        self.opened = store.Store.open(None, lambda: self.now_us, loop=None)
        self.run = model.run_id("act", "rules", "clean", KEY, 0, 0)
        self.position = 0
        self._standing = ACTIVE
        _, self.revision = self.opened.writer.now(deciding.UseRevision("f" * 64, "", "daemon", {}))

    def told(
        self,
        standing: policy.Standing = ACTIVE,
        *,
        limits: policy.Limits = LIMITS,
        problems: tuple[policy.Problem, ...] = (),
        old_s: int = 0,
    ) -> deciding.Decided:
        """The alert fires (again)."""
        self.now_us += S
        self._standing = dataclasses.replace(standing, problems=problems)
        (row,) = self.opened.writer.now(journal.Append([journal.Row("event", "s", b"{}")]))
        outcome = deciding.Outcome(row.seq, row.at_us, results=[self._ask(limits, row.at_us - old_s * S)])
        unit = deciding.Decide(self.position, row.seq, row.at_us, self.revision, [outcome], lambda _: self._standing)
        self.position = row.seq
        decided: deciding.Decided = self.opened.writer.now(unit)
        return decided

    def _ask(self, limits: policy.Limits, event_us: int) -> asking.Ask:
        standing = self._standing
        candidate = policy.Candidate(
            self.run, "act/rules/clean", "clean", "here", ("host:web1",), event_us, limits, mode=standing.mode, problems=standing.problems,
        )  # fmt: skip
        host = model.Target("host", "web1", "web1")
        return asking.Ask(
            candidate,
            standing,
            0,
            "script",
            "scripts/clean.sh",
            {},
            {},
            False,
            4,
            "rule:act/rules/clean",
            [host],
            [],
            [],
        )

    def tried(self, how: model.EndState) -> None:
        """The queued attempt runs and ends so."""
        (claimed,) = self.opened.writer.now(claiming.Claim(5, lambda _: self._standing)).claimed
        nothing = self.opened.blobs.keep(b"")
        outcome = model.Outcome(how, "as the test wants it", 0)
        finish = finishing.Finish(claimed.token, self.run, claimed.number, outcome, finishing.Kept(nothing, nothing))
        assert self.opened.writer.now(finish)

    def be(self, state: model.RunState) -> None:
        """Put the run there by hand: some states have no way to them yet, so the trigger that guards the ways is taken out."""
        connection = self.opened.writer.tx.connection
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            if trigger.startswith(("run_", "attempt_")):
                connection.execute(f"DROP TRIGGER {trigger}")
        effect = {"queued": "queued", "running": "running", "failed": "failed", "timed_out": "timed_out"}.get(
            state, "withdrawn"
        )
        connection.execute("UPDATE run SET state = ?", (state,))
        connection.execute("UPDATE attempt SET state = ?", (effect,))

    @property
    def state(self) -> str:
        """The run's state."""
        ((state,),) = self.opened.writer.tx.connection.execute("SELECT state FROM run").fetchall()
        return str(state)

    @property
    def attempts(self) -> list[str]:
        """The states of its attempts, in their order."""
        return [
            state for (state,) in self.opened.writer.tx.connection.execute("SELECT state FROM attempt ORDER BY number")
        ]

    @property
    def reason(self) -> str:
        """Why the last decision went as it did."""
        (reason,) = self.opened.writer.tx.connection.execute("SELECT reason FROM decision ORDER BY seq DESC").fetchone()
        return str(reason)


@pytest.fixture
def firing() -> Iterator[Firing]:
    """A store with no run in it yet."""
    made = Firing()
    yield made
    made.opened.writer.close()


def test_the_table_has_each_state_of_a_run() -> None:
    assert set(states.ON_REPEAT) == set(states.RUN)


@pytest.mark.parametrize("state", states.RUN)
def test_a_repeat_does_what_the_table_says(firing: Firing, state: model.RunState) -> None:
    firing.told()
    firing.be(state)
    attempts = firing.attempts
    queued = firing.told().queued
    if states.ON_REPEAT[state] == "duplicate":
        assert (queued, firing.state, firing.reason) == (0, state, "duplicate")
        assert firing.attempts == attempts
    else:
        assert (queued, firing.state, firing.reason) == (1, "queued", "")
        assert firing.attempts == [*attempts, "queued"]


@pytest.mark.parametrize("how", ["failed", "timed_out"])
def test_a_failure_is_tried_again_until_its_attempts_are_used_up(firing: Firing, how: model.EndState) -> None:
    for _ in range(3):
        assert firing.told().queued == 1
        firing.tried(how)
    assert firing.told().queued == 0
    assert (firing.state, firing.reason) == (how, "attempts")
    assert firing.attempts == [how] * 3


def test_a_failure_that_is_mended_by_the_second_attempt_is_not_tried_again(firing: Firing) -> None:
    firing.told()
    firing.tried("failed")
    firing.told()
    firing.tried("succeeded")
    assert firing.told().queued == 0
    assert (firing.state, firing.reason) == ("succeeded", "duplicate")
    assert firing.attempts == ["failed", "succeeded"]


def test_an_attempt_that_never_began_is_none_of_those_that_are_left(firing: Firing) -> None:
    firing.told()
    (claimed,) = firing.opened.writer.now(claiming.Claim(5, lambda _: ACTIVE)).claimed
    firing.opened.writer.now(finishing.TakeBack(claimed.token, firing.run, claimed.number, "absent"))
    for _ in range(3):
        firing.tried("failed")
        firing.told()
    assert firing.attempts == ["withdrawn", "failed", "failed", "failed"]


def test_a_failure_within_the_cooldown_waits_for_its_end(firing: Firing) -> None:
    slow = dataclasses.replace(LIMITS, cooldown_s=600)
    firing.told(limits=slow)
    firing.tried("failed")
    decided = firing.told(limits=slow)
    assert (decided.queued, firing.state, firing.reason) == (0, "deferred", "cooldown")
    assert decided.next_look_us == firing.now_us - S + 600 * S


def test_an_unknown_outcome_is_for_a_person(firing: Firing) -> None:
    firing.told()
    firing.tried("unknown")
    assert firing.told().queued == 0
    assert (firing.state, firing.reason) == ("unknown", "duplicate")


def test_what_was_refused_is_decided_again_and_may_have_been_mended(firing: Firing) -> None:
    assert firing.told(problems=WRONG).queued == 0
    assert firing.state == "refused"
    assert firing.told(problems=WRONG).queued == 0
    assert (firing.state, firing.reason) == ("refused", "invalid_parameters")
    assert firing.told().queued == 1
    assert firing.state == "queued"


def test_what_was_too_old_is_decided_again(firing: Firing) -> None:
    firing.told(old_s=3600)
    assert (firing.state, firing.reason) == ("suppressed", "stale")
    assert firing.told().queued == 1


def test_what_was_simulated_is_decided_again_once_the_mode_is_active(firing: Firing) -> None:
    firing.told(OBSERVE)
    assert firing.state == "simulated"
    firing.told(OBSERVE)
    assert (firing.state, firing.reason) == ("simulated", "duplicate")
    assert firing.attempts == []
    assert firing.told().queued == 1


@pytest.mark.parametrize("held", ["deferred", "queued", "running", "succeeded", "unknown"])
@pytest.mark.parametrize("by", ["a pause", "its age", "observing", "a mistake"])
def test_a_run_that_is_there_stays_what_it_is_whatever_a_gate_says_of_the_repeat(
    firing: Firing, held: str, by: str
) -> None:
    firing.told(PAUSED if held == "deferred" else ACTIVE)
    if held == "running":
        firing.opened.writer.now(claiming.Claim(5, lambda _: ACTIVE))
    elif held in ("succeeded", "unknown"):
        firing.tried("succeeded" if held == "succeeded" else "unknown")
    attempts = firing.attempts
    match by:
        case "a pause":
            firing.told(PAUSED)
        case "its age":
            firing.told(old_s=3600)
        case "observing":
            firing.told(OBSERVE)
        case _:
            firing.told(problems=WRONG)
    assert (firing.state, firing.reason) == (held, "duplicate")
    assert firing.attempts == attempts


@pytest.mark.parametrize("how", ["failed", "timed_out"])
def test_a_failure_that_is_told_again_while_paused_waits_and_is_then_tried(firing: Firing, how: model.EndState) -> None:
    firing.told()
    firing.tried(how)
    firing.told(PAUSED)
    assert (firing.state, firing.attempts) == ("deferred", [how])
    firing.told(PAUSED)
    assert (firing.state, firing.attempts) == ("deferred", [how])
