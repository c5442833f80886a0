"""The worker and what cannot be digested: what was decided before is committed, what was decided behind is decided anew."""

from __future__ import annotations

import types
from typing import Any

import orjson
import pytest
from loguru import logger

from healer import decide, engine, policy, store, testing
from healer.decide import acting, alerts, evaluating, recovery
from healer.store import deciding, journal, letters, notes

S = 1_000_000
RULES = testing.load("""
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: once, condition: event.a == 1, throttle: {once_within: 9 seconds, group_by_attributes: [event.h]}, action: {none: {}}}
    - {name: end, condition: event.a == 2, action: {shutdown: {}}}
""")
REVISION = types.SimpleNamespace(
    activations=(),
    settings=types.SimpleNamespace(defaults=types.SimpleNamespace(upstream=types.SimpleNamespace(chain_depth=3))),
)
STANDING = types.SimpleNamespace(paused=lambda rule: None)


class Box:
    """A decider over a store in memory, its rows decided by hand. Rows of `bad` cannot be committed."""

    def __init__(self) -> None:
        self.store = store.Store.open(None, lambda: 1_000 * S, loop=None)
        self.store.writer.now(deciding.UseRevision("r", "", "d", {}))
        self.heard: list[int] = []
        self.bad: set[int] = set()
        self.told: list[deciding.Decided] = []
        self.evaluator = self.rules()
        self.decider = decide.Decider(
            self.store, self.evaluator, 0, lambda row: policy.Standing(True, "active"), position=0, on_decided=self.told.append,
            tick=lambda: None, clock=lambda: 0, use=self.use,
        )  # fmt: skip

    def rules(self) -> evaluating.Evaluator:
        actor = acting.Actor(REVISION, STANDING, lambda *told: None)  # type: ignore[arg-type]
        running = [evaluating.Running("act", one) for one in RULES]
        routes = {"healer.api": ["act/rs"]}
        made = evaluating.Evaluator(self.store.uid, running, routes, alerts.Alerts(), actor, {"healer.api": 60 * S}, {})
        evaluate = made.evaluate

        def noting(row: journal.Row, **more: Any) -> Any:
            self.heard.append(row.seq)
            outcome = evaluate(row, **more)
            if row.seq in self.bad:
                assert outcome is not None
                outcome.results.append(deciding.Internal("a/b/c", 0, "none", outcome=None))  # type: ignore[arg-type]
            return outcome

        made.evaluate = noting  # type: ignore[method-assign]
        return made

    async def use(self, name: str, old: evaluating.Evaluator) -> decide.Used:
        number = await self.store.submit(notes.RevisionNumber(name))
        return decide.Used(old, number, lambda row: policy.Standing(True, "active"))

    async def post(self, *bodies: Any) -> None:
        """Decide these in one batch, behind what is there."""
        rows = [journal.Row("event", "healer.api", orjson.dumps(one)) for one in bodies]
        self.store.writer.now(journal.Append(rows))
        self.decider.tail.committed = rows[-1].seq
        while self.decider.backlog:
            await self.decider.next_rows()
        await self.decider._commit([], self.decider.position, 0)

    def rows(self, sql: str) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def aside(self) -> list[Any]:
        return self.rows("SELECT seq, ruleset, tries FROM quarantine ORDER BY seq")

    def fired(self) -> list[int]:
        return [seq for (seq,) in self.rows("SELECT seq FROM decision ORDER BY seq")]


@pytest.fixture
async def box() -> Any:
    made = Box()
    await made.post({"b": 1})
    made.heard.clear()
    yield made
    made.store.writer.close()


def half(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Events of the host `bad` end half way through the engine, behind the window that they open; the rows that did."""
    take, calls = engine.Session._take, list[int]()

    def failing(self: engine.Session, entry: Any, *of: Any) -> None:
        if entry.body.get("h") == "bad":
            calls.append(entry.ref)
            raise MemoryError("no more")
        take(self, entry, *of)

    monkeypatch.setattr(engine.Session, "_take", failing)
    return calls


FIRING = {"alert": {"key": "k", "status": "firing"}}


async def test_what_was_decided_behind_a_row_that_cannot_be_committed_is_decided_anew(box: Box) -> None:
    """It opened an alert and a window, and what came behind had seen both: none of it counts."""
    box.bad = {4}
    await box.post({"a": 1, "h": "x"}, {"a": 1, "h": "y"} | FIRING, {"a": 1, "h": "y"} | FIRING, {"a": 1, "h": "x"})
    assert box.heard == [3, 4, 5, 6, 5, 6]
    assert box.aside() == [(4, "*", 3)]
    assert box.rows("SELECT cycle, first_seq, times FROM alert") == [(1, 5, 1)]
    assert box.fired() == [3, 5]


async def test_two_of_a_batch_are_each_set_aside(box: Box) -> None:
    box.bad = {3, 5}
    await box.post(*[{"a": 1, "h": name} for name in "xyz"])
    assert (box.aside(), box.fired()) == ([(3, "*", 3), (5, "*", 3)], [4])
    assert box.rows("SELECT seq FROM position") == [(5,)]


async def test_an_activation_that_a_row_ended_goes_on_where_that_is_set_aside(box: Box) -> None:
    box.bad = {3}
    await box.post({"a": 2}, {"a": 1, "h": "x"})
    assert (box.decider.evaluator.ended, box.decider.ended) == ({}, frozenset())
    assert box.fired() == [4]


async def test_what_a_ruleset_cannot_digest_is_tried_on_what_it_remembered(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = half(monkeypatch)
    await box.post(*[{"a": 1, "h": name} for name in ("x", "bad", "x", "y")])
    assert calls == [4, 4, 4]
    assert box.aside() == [(4, "act/rs", 3)]
    assert box.fired() == [3, 6]


async def test_what_a_ruleset_remembers_is_the_same_after_a_start(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    half(monkeypatch)
    box.bad = {6}
    await box.post(*[{"a": 1, "h": name} for name in ("x", "bad", "y", "z", "q")])
    assert box.aside() == [(4, "act/rs", 3), (6, "*", 3)]

    async def rules_of(_: str) -> evaluating.Evaluator:
        return box.evaluator.alone(["act/rs"])

    again = await recovery.recover(box.store, 7, rules_of)
    assert again is not None
    assert await recovery.take(again, 7) == await recovery.take(box.evaluator, 7)


async def test_a_snapshot_is_never_of_a_memory_that_has_heard_more(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came before a failed row is committed first, and by then others have heard the row: a snapshot that is due waits."""
    half(monkeypatch)
    monkeypatch.setattr(decide, "SNAPSHOT_ROWS", 1)
    await box.post({"a": 1, "h": "x"}, {"a": 1, "h": "bad"})
    assert 3 not in [seq for (seq,) in box.rows("SELECT seq FROM snapshot")]
    assert box.rows("SELECT max(seq) FROM snapshot") == [(4,)]


async def test_a_clean_stop_says_so(box: Box) -> None:
    await box.decider.drain_snapshot()
    assert box.rows("SELECT count(*) FROM stumble") == [(0,)]  # it never began: this one was decided by hand
    await box.decider._begin()
    await box.decider.drain_snapshot()
    assert box.rows("SELECT stopped FROM stumble") == [(1,)]


async def test_the_log_says_which_row_of_which_source_is_held_for_whom(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    half(monkeypatch)
    box.bad = {4}
    said: list[Any] = []
    sink = logger.add(
        said.append, level="ERROR", format="{message}", filter=lambda one: "quarantined" in one["message"]
    )
    try:
        await box.post({"a": 1, "h": "bad"}, {"a": 1, "h": "x"})
        part = journal.Row("event", "healer.api", b"{}", meta=letters.meta_of_unread("alerts[1]: no object", {}))
        box.store.writer.now(journal.Append([part]))
        box.decider.tail.committed = part.seq
        await box.decider.next_rows()
    finally:
        logger.remove(sink)
    assert sorted(str(one).strip() for one in said) == [
        "e-3 of healer.api is quarantined for act/rs: MemoryError: no more",
        "e-4 of healer.api is quarantined: IntegrityError: NOT NULL constraint failed: decision.outcome",
        "e-5 of healer.api is quarantined: alerts[1]: no object",
    ]
    assert {(one.record["extra"]["event"], one.record["extra"]["source"]) for one in said} == {
        (3, "healer.api"), (4, "healer.api"), (5, "healer.api"),
    }  # fmt: skip
