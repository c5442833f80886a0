"""What a ruleset cannot digest is tried three times on the memory of before, and is then as if the ruleset had not heard of it."""

from __future__ import annotations

import types
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from healer import engine, store, testing
from healer.decide import acting, alerts, evaluating, recovery, tries
from healer.store import asking, cycles, deciding, journal, letters, notes

S = 1_000_000
RULES = """
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: once, condition: event.a == 1, throttle: {once_within: 9 seconds, group_by_attributes: [event.h]}, action: {none: {}}}
    - {name: late, condition: event.a == 2, throttle: {once_after: 5 seconds, group_by_attributes: [event.h]}, action: {none: {}}}
    - {name: later, condition: event.a == 5, throttle: {once_after: 5 seconds, group_by_attributes: [event.h]}, action: {none: {}}}
    - {name: pair, condition: {all: [event.a == 3, event.a == 4]}, action: {none: {}}}
    - {name: fact, condition: event.f is defined, action: {none: {}}}
    - {name: cycle, condition: event.alert.cycle == 2, action: {none: {}}}
- name: plain
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: any, condition: event.a is defined, action: {none: {}}}
"""
OTHER = RULES.replace("9 seconds", "8 seconds")
VARIANTS = {"r": testing.load(RULES), "other": testing.load(OTHER)}
REVISION = types.SimpleNamespace(
    activations=(),
    settings=types.SimpleNamespace(defaults=types.SimpleNamespace(upstream=types.SimpleNamespace(chain_depth=3))),
)
STANDING = types.SimpleNamespace(paused=lambda rule: None)


class Poisoned(acting.Actor):
    """Fails on firings that hold an event with `bad`, in the ruleset that it names."""

    def act(self, fired: Any, outcome: deciding.Outcome) -> None:
        super().act(fired, outcome)
        events = fired.match.matches.values()
        if any(event.get("bad") == fired.ruleset.name for event in events):
            raise ValueError("bad")


class Box:
    """A store in memory, rules at work, and rows decided one by one as the decider does."""

    def __init__(self) -> None:
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.position = 0
        self.revision = 1
        self.held = "r"
        self.tries = tries.Tries(self.store, self.rules_of)
        self.evaluator = self.fresh("r", alerts.Alerts())
        self.fired: list[tuple[int, str]] = []
        self.asked: list[str] = []

    def fresh(self, name: str, known: alerts.Alerts) -> evaluating.Evaluator:
        running = [evaluating.Running("act", one) for one in VARIANTS[name]]
        actor = Poisoned(REVISION, STANDING, lambda *told: None)  # type: ignore[arg-type]
        routes = {"healer.api": [one.name for one in running]}
        return evaluating.Evaluator(self.store.uid, running, routes, known, actor, {"healer.api": 30 * S}, {})

    async def rules_of(self, name: str) -> evaluating.Evaluator | None:
        self.asked.append(name)
        return self.fresh(name, alerts.Alerts(await self.store.reader.all("alerts_state")))

    def append(self, kind: Any, body: Any, source: str = "healer.api") -> None:
        self.store.writer.now(journal.Append([journal.Row(kind, source, orjson.dumps(body))]))

    async def decide(self, *, snapshot: bool = False) -> None:
        """All that waits."""
        while rows := await self.store.rows_after(self.position, 1):
            (row,) = rows
            if row.kind == "revision":
                name = deciding.revision_of(row.body or b"")
                if self.position:
                    new = await recovery.carry_over(self.store, self.evaluator, self.fresh(name, self.evaluator.alerts))
                    assert new is not None
                    self.evaluator = new
                self.revision = self.store.writer.now(notes.RevisionNumber(name))
            outcome = self.evaluator.evaluate(row)
            if outcome is not None and outcome.quarantined:
                await self.tries.again(self.evaluator, row, outcome)
            taken = await recovery.take(self.evaluator, row.seq) if snapshot else None
            none: Any = lambda _: None  # noqa: E731
            unit = deciding.Decide(
                self.position, row.seq, row.at_us, self.revision, [outcome] if outcome else [], none, taken
            )
            self.store.writer.now(unit)
            self.position = row.seq
            for one in outcome.results if outcome else []:
                assert not isinstance(one, asking.Ask)
                self.fired.append((row.seq, one.rule))

    async def restarted(self) -> evaluating.Evaluator:
        made = await recovery.recover(self.store, self.position, self.rules_of)
        assert made is not None
        return made

    def aside(self) -> list[tuple[Any, ...]]:
        sql = "SELECT seq, ruleset, error, tries FROM quarantine ORDER BY seq, ruleset"
        return list(self.store.writer.tx.connection.execute(sql))


@pytest.fixture
async def box() -> Any:
    made = Box()
    made.store.writer.now(deciding.UseRevision("r", "", "d", {}))
    await made.decide()
    yield made
    made.store.writer.close()


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    """The calls of a method of sessions."""
    calls: list[Any] = []
    inner = getattr(engine.Session, name)

    def call(self: engine.Session, *of: Any, **more: Any) -> Any:
        calls.append((self.compiled.ruleset.name, of[0]))
        return inner(self, *of, **more)

    monkeypatch.setattr(engine.Session, name, call)
    return calls


async def test_three_tries_and_the_others_go_on(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    posts = counted(monkeypatch, "post")
    box.append("event", {"a": 1, "h": "x", "bad": "rs"})
    await box.decide()
    assert [name for name, _ in posts] == ["rs", "plain", "rs", "rs"]
    assert box.aside() == [(2, "act/rs", "ValueError: bad", letters.TRIES)]
    assert box.fired == [(2, "act/plain/any")]


async def test_a_window_that_a_failed_event_opened_is_closed_again(box: Box) -> None:
    box.append("event", {"a": 1, "h": "x", "bad": "rs"})
    box.append("event", {"a": 1, "h": "x"})
    await box.decide()
    assert (3, "act/rs/once") in box.fired


async def test_what_came_before_is_still_remembered(box: Box) -> None:
    box.append("event", {"a": 1, "h": "x"})
    box.append("event", {"a": 3})
    box.append("event", {"a": 1, "h": "y", "bad": "rs"})
    box.append("event", {"a": 1, "h": "x"})
    box.append("event", {"a": 4})
    await box.decide()
    assert [one for one in box.fired if "/rs/" in one[1]] == [(2, "act/rs/once"), (6, "act/rs/pair")]


async def test_half_of_a_change_is_taken_back(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine itself fails, behind what it has opened."""
    take = engine.Session._take

    def failing(self: engine.Session, entry: Any, *of: Any) -> None:
        if entry.body.get("half"):
            raise MemoryError("no more")
        take(self, entry, *of)

    monkeypatch.setattr(engine.Session, "_take", failing)
    box.append("event", {"a": 3})
    box.append("event", {"a": 4, "half": True})
    box.append("event", {"a": 4})
    await box.decide()
    assert box.aside() == [(3, "act/rs", "MemoryError: no more", 3)]
    assert [one for one in box.fired if "/rs/" in one[1]] == [(4, "act/rs/pair")]


async def test_what_passes_at_the_second_try_is_no_letter(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [1]
    act = acting.Actor.act

    def once(self: acting.Actor, fired: Any, outcome: deciding.Outcome) -> None:
        if fired.ruleset.name == "rs" and left and left.pop():
            raise MemoryError("just now")
        act(self, fired, outcome)

    monkeypatch.setattr(acting.Actor, "act", once)
    box.append("event", {"a": 1, "h": "x"})
    box.append("event", {"a": 1, "h": "x"})
    await box.decide()
    assert box.aside() == []
    assert [one for one in box.fired if "/rs/" in one[1]] == [(2, "act/rs/once")]


async def test_a_deadline_that_fails_is_over_and_does_not_hold_the_ruleset(box: Box) -> None:
    box.append("event", {"a": 2, "h": "x", "bad": "rs"})
    await box.decide()
    box.now_us += 6 * S
    box.append("tick", {}, "healer")
    box.append("event", {"a": 1, "h": "x"})
    await box.decide()
    assert box.aside() == [(3, "act/rs", "ValueError: bad", 3)]
    assert (4, "act/rs/once") in box.fired


async def test_a_deadline_that_fails_in_the_wake_of_an_event_keeps_that_out_once(box: Box) -> None:
    box.append("event", {"a": 2, "h": "x", "bad": "rs"})
    await box.decide()
    box.now_us += 6 * S
    for _ in range(2):
        box.append("event", {"a": 1, "h": "x"})
    await box.decide()
    assert box.aside() == [(3, "act/rs", "ValueError: bad", 3)]
    assert (4, "act/rs/once") in box.fired


async def test_what_else_is_due_still_fires(box: Box) -> None:
    box.append("event", {"a": 2, "h": "x", "bad": "rs"})
    box.append("event", {"a": 5, "h": "x"})
    await box.decide()
    box.now_us += 6 * S
    box.append("tick", {}, "healer")
    await box.decide()
    assert [one for one in box.fired if "/rs/" in one[1]] == [(4, "act/rs/later")]


async def test_where_time_cannot_pass_the_ruleset_begins_anew(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.append("event", {"a": 2, "h": "x"})
    await box.decide()

    def failing(self: Any, now_us: int) -> Any:
        raise IndexError("broken")

    box.now_us += 6 * S
    box.append("tick", {}, "healer")
    with monkeypatch.context() as broken:
        broken.setattr(type(box.evaluator.running["act/rs"].session.timers), "due", failing)
        await box.decide()
    assert box.aside() == [(3, "act/rs", "IndexError: broken", 3)]
    box.append("event", {"a": 1, "h": "x"})
    await box.decide()
    assert (4, "act/rs/once") in box.fired


async def test_a_fact_that_failed_is_not_kept(box: Box) -> None:
    inner = "ruleset:act/rs"
    box.append("fact", {"f": 1, "bad": "rs"}, inner)
    await box.decide()
    assert box.aside() == [(2, "act/rs", "ValueError: bad", 3)]
    assert list(box.evaluator.running["act/rs"].session.facts.stored) == []


async def test_a_failed_event_shows_the_cycle_of_then_at_each_try(box: Box) -> None:
    seen: list[int] = []

    class Seeing(Poisoned):
        def act(self, fired: Any, outcome: deciding.Outcome) -> None:
            if fired.ruleset.name == "rs":
                seen.append(fired.match.matches["m"]["alert"]["cycle"])
            super().act(fired, outcome)

    box.evaluator.acting.__class__ = Seeing
    for status in ("firing", "resolved", "firing"):
        box.append("event", {"alert": {"key": "k", "status": status}, "bad": "rs"})
    await box.decide()
    assert seen == [2, 2, 2]
    assert list(box.store.writer.tx.connection.execute("SELECT cycle, status, times FROM alert")) == [(2, "firing", 1)]


async def test_rules_that_held_before_since_the_last_snapshot_are_asked_for(box: Box) -> None:
    box.append("event", {"a": 3})
    await box.decide()
    box.store.writer.now(deciding.UseRevision("other", "", "d", {}))
    box.append("event", {"a": 1, "h": "x", "bad": "rs"})
    box.append("event", {"a": 4})
    await box.decide()
    assert box.asked == ["r"]
    assert (5, "act/rs/pair") in box.fired


async def test_without_them_a_ruleset_begins_anew_from_what_is_known(box: Box) -> None:
    box.tries = tries.Tries(box.store, None)
    box.append("event", {"a": 3})
    box.store.writer.now(deciding.UseRevision("other", "", "d", {}))
    box.append("event", {"a": 1, "h": "x", "bad": "rs"})
    box.append("event", {"a": 4})
    await box.decide()
    assert [one for one in box.fired if one[1] == "act/rs/pair"] == []
    assert box.aside() == [(4, "act/rs", "ValueError: bad", 3)]


async def test_one_poison_after_the_other_reads_little_of_the_journal(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(200):
        box.append("event", {"a": 1, "h": "x"})
    await box.decide()
    replayed: list[int] = []
    evaluate = evaluating.Evaluator.evaluate

    def noting(self: Any, row: journal.Row, **more: Any) -> Any:
        if more.get("replay") is not None:
            replayed.append(row.seq)
        return evaluate(self, row, **more)

    monkeypatch.setattr(evaluating.Evaluator, "evaluate", noting)
    for _ in range(5):
        box.append("event", {"a": 1, "h": "y", "bad": "rs"})
    await box.decide()
    assert len(box.aside()) == 5
    assert len(replayed) == 200


async def test_a_replay_that_fails_where_nothing_failed_before_goes_on(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.append("event", {"a": 1, "h": "x"})
    await box.decide()

    def failing(self: Any, *of: Any) -> Any:
        raise MemoryError("no more")

    with monkeypatch.context() as broken:
        broken.setattr(engine.Session, "_take", failing)
        made = await box.restarted()
    assert made.evaluate(journal.Row("tick", "healer", b"{}"), replay=cycles.Openings()) is None


bodies = st.builds(
    lambda a, h, key, status, bad: {"a": a, "h": h}
    | ({"alert": {"key": key, "status": status}} if key else {})
    | ({"bad": bad} if bad else {}),
    st.sampled_from([1, 1, 2, 2, 3, 4, 5]), st.sampled_from("xy"), st.sampled_from(["", "", "k"]),
    st.sampled_from(["firing", "resolved"]), st.sampled_from(["", "", "rs", "plain"]),
)  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), bodies), st.tuples(st.just("wait"), st.sampled_from([1, 4, 6, 10])),
        st.tuples(st.just("tick"), st.none()), st.tuples(st.just("snapshot"), st.none()),
        st.tuples(st.just("revision"), st.sampled_from(sorted(VARIANTS))),
    ),
    min_size=1, max_size=15,
)  # fmt: skip


@hypothesis.given(steps)
@hypothesis.settings(max_examples=60)
async def test_a_start_remembers_what_the_daemon_did_whatever_was_set_aside(given: list[Any]) -> None:
    box = Box()
    box.store.writer.now(deciding.UseRevision("r", "", "d", {}))
    await box.decide()
    snapshot = False
    for kind, value in given:
        if kind == "wait":
            box.now_us += value * S
        elif kind == "snapshot":
            snapshot = True
        elif kind == "revision":
            box.store.writer.now(deciding.UseRevision(value, "", "d", {}))
        else:
            box.append(kind, value or {}, "healer.api" if kind == "event" else "healer")
        await box.decide(snapshot=snapshot)
        snapshot = snapshot and kind not in ("event", "tick", "revision")
        again = await box.restarted()
        assert await recovery.take(again, box.position) == await recovery.take(box.evaluator, box.position)
    box.store.writer.close()
