"""The worker: batches in order, rules that change with their row, positions, snapshots, ticks, and a row that cannot be committed."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from healer import decide, errors, policy, store, testing
from healer.decide import acting, alerts, evaluating, recovery
from healer.store import deciding, journal, notes

S = 1_000_000
RULE = "- name: rs\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n    - {name: %s, condition: event.a == 1, action: {none: {}}}\n"
VARIANTS = {name: testing.load(RULE % name) for name in ("old", "new")}
VARIANTS["timed"] = testing.load("""
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: stop, condition: event.stop == 1, action: {shutdown: {}}}
    - name: later
      condition: event.a == 1
      throttle: {once_after: 5 seconds, group_by_attributes: [event.h]}
      action: {none: {}}
""")
REVISION = types.SimpleNamespace(
    activations=(),
    settings=types.SimpleNamespace(defaults=types.SimpleNamespace(upstream=types.SimpleNamespace(chain_depth=3))),
)
STANDING = types.SimpleNamespace(paused=lambda rule: None)
ACTIVE = policy.Standing(True, "active")


class Box:
    """A decider over a store in memory. `now_us` is turned by hand, unless it follows the loop's virtual time."""

    def __init__(self, memory: Any = None, *, virtual: bool = False) -> None:
        self.now_us = 1_000 * S
        self.decided: list[deciding.Decided] = []
        self.ticks = 0
        self.gone: set[str] = set()
        self.virtual = virtual
        self.decider: decide.Decider | None = None
        self.store = store.Store.open(None, self.clock, loop=None, memory=memory, on_rows=self.fed)
        (row,) = self.rows("SELECT seq FROM position")
        self.decider = decide.Decider(
            self.store, self.fresh(""), 0, lambda row: ACTIVE, position=row[0], on_decided=self.decided.append, tick=self.tick,
            clock=self.clock, use=self.use, monotonic=lambda: self.clock() / S,
        )  # fmt: skip
        (last,) = self.rows("SELECT coalesce(max(seq), 0) FROM journal")
        self.decider.tail.committed = last[0]
        self.task: asyncio.Task[None] | None = None

    def clock(self) -> int:
        return self.now_us + (round(asyncio.get_running_loop().time() * S) if self.virtual else 0)

    def fed(self, rows: list[journal.Row]) -> None:
        if self.decider is not None:
            self.decider.tail.feed(rows)

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql, parameters))

    def fresh(self, name: str, known: alerts.Alerts | None = None) -> evaluating.Evaluator:
        running = [evaluating.Running("act", one) for one in VARIANTS.get(name, [])]
        actor = acting.Actor(REVISION, STANDING, lambda *told: None)  # type: ignore[arg-type]
        return evaluating.Evaluator(
            self.store.uid,
            running,
            {"healer.api": ["act/rs"]},
            known or alerts.Alerts(),
            actor,
            {"healer.api": 60 * S},
            {},
        )

    async def use(self, name: str, old: evaluating.Evaluator) -> decide.Used | None:
        await asyncio.sleep(0)
        if name in self.gone:
            return None
        number = await self.store.submit(notes.RevisionNumber(name))
        new = await recovery.carry_over(self.store, old, self.fresh(name, old.alerts))
        return decide.Used(new, number, lambda row: ACTIVE) if new else None

    async def tick(self) -> None:
        self.ticks += 1
        await self.store.submit(journal.Append([journal.Row("tick", "healer", b"{}")]))

    async def post(self, *bodies: Any) -> None:
        await self.store.submit(
            journal.Append([journal.Row("event", "healer.api", orjson.dumps(one)) for one in bodies])
        )

    def start(self) -> None:
        assert self.decider is not None
        self.task = asyncio.create_task(self.decider.run())

    async def stop(self) -> None:
        assert self.decider is not None
        assert self.task is not None
        await self.decider.stop()
        await self.task
        await self.decider.drain_snapshot()

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop turn until the condition holds; everything is inline, so that a few turns are enough."""
        for _ in range(2_000):
            if condition():
                return
            assert self.task is not None
            if self.task.done():
                self.task.result()
            await asyncio.sleep(0)
        pytest.fail("waited in vain")

    async def decided_to(self, seq: int) -> None:
        await self.until(lambda: self.decider is not None and self.decider.position >= seq)

    def firings(self) -> list[tuple[int, str]]:
        return self.rows("SELECT seq, rule FROM decision ORDER BY seq, n")


@pytest.fixture
async def box() -> Any:
    made = Box()
    made.store.writer.now(deciding.UseRevision("old", "", "d", {}))
    made.start()
    yield made
    if made.task is not None and not made.task.done():
        made.task.cancel()
    made.store.writer.close()


@pytest.fixture
def virtual() -> Iterator[Callable[[], Box]]:
    """Makes boxes whose time is the loop's, for tests with `looptime`."""
    boxes = []

    def made() -> Box:
        boxes.append(Box(virtual=True))
        return boxes[-1]

    yield made
    for one in boxes:
        one.store.writer.close()


async def test_rows_are_decided_in_order_and_told(box: Box) -> None:
    await box.post({"a": 1}, {"a": 2}, {"a": 1})
    await box.decided_to(4)
    assert box.firings() == [(2, "act/rs/old"), (4, "act/rs/old")]
    assert box.rows("SELECT seq FROM position") == [(4,)]
    assert len(box.decided) == 1
    assert box.decider is not None
    assert box.decider.backlog == 0


async def test_what_waits_at_the_start_is_decided(box: Box) -> None:
    await box.stop()
    await box.post({"a": 1})
    again = Box(memory=box.store.writer.tx.connection)
    assert again.decider is not None
    assert again.decider.backlog == 1
    again.decider.evaluator, again.decider._revision = again.fresh("old"), 1
    again.start()
    await again.decided_to(2)
    assert again.firings() == [(2, "act/rs/old")]
    await again.stop()


async def test_rules_change_with_their_row_and_not_before(box: Box) -> None:
    await box.post({"a": 1})
    await box.store.submit(deciding.UseRevision("new", "", "d", {}))
    await box.post({"a": 1})
    await box.decided_to(4)
    assert box.firings() == [(2, "act/rs/old"), (4, "act/rs/new")]
    assert box.rows("SELECT seq, revision FROM decision ORDER BY seq") == [(2, 1), (4, 2)]


async def test_rules_change_while_nothing_else_happens(box: Box) -> None:
    await box.decided_to(1)
    await asyncio.sleep(0)
    await box.store.submit(deciding.UseRevision("new", "", "d", {}))
    await box.decided_to(2)
    await box.post({"a": 1})
    await box.decided_to(3)
    assert box.firings() == [(3, "act/rs/new")]


async def test_a_change_of_rules_that_a_crash_left_undecided_is_made_by_the_next_start() -> None:
    box = Box()
    box.store.writer.now(deciding.UseRevision("new", "", "d", {}))
    again = Box(memory=box.store.writer.tx.connection)
    again.start()
    await again.post({"a": 1})
    await again.decided_to(2)
    assert again.firings() == [(2, "act/rs/new")]
    await again.stop()
    box.store.writer.close()


async def test_where_the_files_are_gone_the_rules_stay(box: Box) -> None:
    await box.decided_to(1)
    box.gone.add("new")
    await box.store.submit(deciding.UseRevision("new", "", "d", {}))
    await box.post({"a": 1})
    await box.decided_to(3)
    assert box.firings() == [(3, "act/rs/old")]
    assert box.rows("SELECT revision FROM decision") == [(1,)]


async def test_a_stop_writes_the_position_and_a_snapshot(box: Box) -> None:
    await box.post({"a": 2})
    await box.decided_to(2)
    await box.stop()
    assert box.rows("SELECT seq FROM position") == [(2,)]
    assert box.rows("SELECT seq, revision, oldest FROM snapshot") == [(2, 1, 2)]
    await box.decider.drain_snapshot()  # type: ignore[union-attr]
    assert box.rows("SELECT seq FROM snapshot") == [(2,)]


async def test_a_snapshot_comes_with_many_rows(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "SNAPSHOT_ROWS", 10)
    for _ in range(35):
        await box.post({"a": 1})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await box.decided_to(36)
    kept = [seq for (seq,) in box.rows("SELECT seq FROM snapshot ORDER BY seq")]
    assert len(kept) == 2
    assert kept[1] - kept[0] >= 10


async def test_a_snapshot_that_takes_long_is_not_taken_often(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the loop: at most one part in a hundred of the time is spent on it."""
    monkeypatch.setattr(decide, "SNAPSHOT_ROWS", 10)
    take = decide.recovery.take

    def slow(*of: Any) -> Any:
        box.now_us += S // 2
        return take(*of)

    monkeypatch.setattr(decide.recovery, "take", slow)
    for wanted, pause_s in ((1, 0), (1, 0), (1, 40), (2, 20)):
        box.now_us += pause_s * S
        for _ in range(15):
            await box.post({"a": 1})
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await box.until(lambda: box.decider is not None and box.decider.backlog == 0)
        assert len(box.rows("SELECT seq FROM snapshot")) == wanted


async def test_a_snapshot_that_cannot_be_made_stops_nothing(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the rows nor the end: it is told, in the audit at most once an hour, and a start goes on from the one before."""
    monkeypatch.setattr(decide, "SNAPSHOT_ROWS", 1)

    async def mistaken(*_: Any) -> Any:
        raise KeyError("ours")

    monkeypatch.setattr(decide.recovery, "take", mistaken)
    for hour in range(3):
        box.now_us = 1_000 * S + hour * 1_900 * S
        await box.post({"a": 1})
        await box.until(lambda: box.decider is not None and box.decider.backlog == 0)
    await box.stop()
    assert len(box.firings()) == 3
    assert box.rows("SELECT count(*) FROM snapshot") == [(0,)]
    noted = [
        orjson.loads(body)
        for (body,) in box.rows("SELECT record FROM audit WHERE kind = 'snapshot_failed' ORDER BY seq")
    ]
    assert [one["error"] for one in noted] == ["KeyError: 'ours'"] * 2


async def test_many_rows_that_lead_to_nothing_move_the_position(box: Box) -> None:
    await box.post(*[{"a": 2}] * (decide.LAG_ROWS + 1))
    await box.until(lambda: box.rows("SELECT seq FROM position")[0][0] >= decide.LAG_ROWS)


@pytest.mark.looptime
async def test_a_few_rows_that_lead_to_nothing_move_it_after_a_while(virtual: Callable[[], Box]) -> None:
    box = virtual()
    box.start()
    await box.post({"a": 2}, {"a": 2})
    await asyncio.sleep(0.5)
    assert (box.rows("SELECT seq FROM position"), box.decider.position) == ([(0,)], 2)  # type: ignore[union-attr]
    await asyncio.sleep(0.6)
    assert box.rows("SELECT seq FROM position") == [(2,)]
    box.task.cancel()  # type: ignore[union-attr]


async def test_a_row_that_cannot_be_committed_is_set_aside_and_the_others_are_not(box: Box) -> None:
    await box.decided_to(1)
    evaluate = box.decider.evaluator.evaluate  # type: ignore[union-attr]

    def poisoned(row: journal.Row, **more: Any) -> Any:
        outcome = evaluate(row, **more)
        if outcome is not None and row.seq == 3:
            outcome.results[0].outcome = None  # a column that must not be empty
        return outcome

    box.decider.evaluator.evaluate = poisoned  # type: ignore[union-attr,method-assign]
    await box.post({"a": 1}, {"a": 1}, {"a": 1})
    await box.until(lambda: box.decider is not None and box.decider.committed_position >= 4)
    assert box.firings() == [(2, "act/rs/old"), (4, "act/rs/old")]
    ((seq, ruleset, error),) = box.rows("SELECT seq, ruleset, error FROM quarantine")
    assert (seq, ruleset) == (3, "*")
    assert "NOT NULL" in error


async def test_a_store_that_was_taken_over_ends_it(box: Box) -> None:
    await box.decided_to(1)
    box.store.writer.tx.connection.execute("UPDATE instance SET epoch = epoch + 1")
    row = journal.Row("event", "healer.api", b'{"a":1}')
    row.seq, row.at_us = 2, box.now_us
    box.fed([row])
    with pytest.raises(errors.StoreError):
        await asyncio.wait_for(box.task, 30)  # type: ignore[arg-type]


@pytest.mark.looptime
async def test_an_alert_that_falls_silent_is_closed_by_a_tick(virtual: Callable[[], Box]) -> None:
    box = virtual()
    box.store.writer.now(deciding.UseRevision("old", "", "d", {}))
    box.start()
    await box.post({"alert": {"key": "k", "status": "firing"}})
    await asyncio.sleep(59)
    assert (box.ticks, box.rows("SELECT status FROM alert")) == (0, [("firing",)])
    await asyncio.sleep(2)
    assert (box.ticks, box.rows("SELECT status, closed_by FROM alert")) == (1, [("resolved", "ttl")])
    await asyncio.sleep(600)
    assert box.ticks == 1  # a quiet daemon writes none
    box.task.cancel()  # type: ignore[union-attr]


@pytest.mark.looptime
async def test_rules_that_begin_to_forget_are_recorded(virtual: Callable[[], Box]) -> None:
    box = virtual()
    box.store.writer.now(deciding.UseRevision("old", "", "d", {}))
    box.start()
    await box.post({"a": 1})
    await asyncio.sleep(2)
    assert box.decider is not None
    (running,) = box.decider.evaluator.running.values()
    running.session.memory.evicted = 4
    await asyncio.sleep(30)
    records = [orjson.loads(text) for (text,) in box.rows("SELECT record FROM audit WHERE kind = 'memory_full'")]
    assert [(one["ruleset"], one["events_evicted"]) for one in records] == [("act/rs", 4)]
    box.task.cancel()  # type: ignore[union-attr]


@pytest.mark.looptime
async def test_what_a_rule_has_ended_asks_for_no_ticks(virtual: Callable[[], Box]) -> None:
    box = virtual()
    box.store.writer.now(deciding.UseRevision("timed", "", "d", {}))
    box.start()
    await box.post({"a": 1})
    await box.post({"stop": 1})
    await asyncio.sleep(60)
    assert box.ticks == 0
    box.task.cancel()  # type: ignore[union-attr]


@pytest.mark.looptime
async def test_a_look_of_anothers_making_is_a_tick_at_its_time(virtual: Callable[[], Box]) -> None:
    box = virtual()
    box.start()
    assert box.decider is not None
    box.decider.look_at(box.clock() + 5 * S)
    box.decider.look_at(box.clock() + 50 * S)
    box.decider.look_at(None)
    await asyncio.sleep(4.9)
    assert box.ticks == 0
    await asyncio.sleep(1.2)
    assert box.ticks == 1
    box.task.cancel()  # type: ignore[union-attr]


@pytest.mark.looptime
async def test_a_tick_that_fails_ends_the_worker_and_is_not_lost(virtual: Callable[[], Box]) -> None:
    box = virtual()

    async def full() -> None:
        raise errors.StoreFull

    assert box.decider is not None
    box.decider._tick = full
    box.start()
    box.decider.look_at(box.clock())
    with pytest.raises(errors.StoreFull):
        await asyncio.wait_for(box.task, 10)  # type: ignore[arg-type]
