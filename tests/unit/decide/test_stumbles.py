"""A row of which the process dies: counted at each start, found row by row, set aside whole, and nothing else is."""

from __future__ import annotations

import types
from typing import Any

import orjson
import pytest

from healer import decide, policy, store, testing
from healer.decide import acting, alerts, evaluating, stumbles
from healer.store import deciding, journal, letters, notes

S = 1_000_000
RULES = testing.load(
    "- name: rs\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n    - {name: r, condition: event.a == 1, action: {none: {}}}\n"
)
REVISION = types.SimpleNamespace(
    activations=(),
    settings=types.SimpleNamespace(defaults=types.SimpleNamespace(upstream=types.SimpleNamespace(chain_depth=3))),
)
STANDING = types.SimpleNamespace(paused=lambda rule: None)


class Died(BaseException):
    """The process is gone."""


class Host:
    """One data directory in memory, and the processes that run on it one after the other. An event with `kill` ends its process."""

    def __init__(self) -> None:
        self.memory: Any = None
        self.kills = True
        self.heard: list[int] = []
        self.decider: decide.Decider
        self.store: store.Store
        self.begin()
        self.store.writer.now(deciding.UseRevision("r", "", "d", {}))
        self.decider.tail.committed = 1

    def begin(self) -> None:
        """A process starts."""
        self.begun = False
        self.store = store.Store.open(None, lambda: 1_000 * S, loop=None, memory=self.memory)
        self.memory = self.store.writer.tx.connection
        ((position,),) = self.rows("SELECT seq FROM position")
        self.decider = decide.Decider(
            self.store, self.rules(), 1 if position else 0, lambda row: policy.Standing(True, "active"), position=position,
            on_decided=lambda _: None, tick=lambda: None, clock=lambda: 0, use=self.use,
        )  # fmt: skip
        ((self.decider.tail.committed,),) = self.rows("SELECT coalesce(max(seq), 0) FROM journal")

    def rules(self) -> evaluating.Evaluator:
        actor = acting.Actor(REVISION, STANDING, lambda *told: None)  # type: ignore[arg-type]
        running = [evaluating.Running("act", one) for one in RULES]
        made = evaluating.Evaluator(self.store.uid, running, {"healer.api": ["act/rs"]}, alerts.Alerts(), actor, {}, {})
        evaluate = made.evaluate

        def dying(row: journal.Row, **more: Any) -> Any:
            self.heard.append(row.seq)
            if self.kills and b"kill" in (row.body or b""):
                raise Died
            return evaluate(row, **more)

        made.evaluate = dying  # type: ignore[method-assign]
        return made

    async def use(self, name: str, old: evaluating.Evaluator) -> decide.Used:
        number = await self.store.submit(notes.RevisionNumber(name))
        return decide.Used(old, number, lambda row: policy.Standing(True, "active"))

    def rows(self, sql: str) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def post(self, *bodies: Any, kind: Any = "event") -> None:
        rows = [journal.Row(kind, "healer.api", orjson.dumps(one)) for one in bodies]
        self.store.writer.now(journal.Append(rows))
        self.decider.tail.committed = rows[-1].seq

    async def live(self) -> bool:
        """Decide all that waits as `run` does; whether the process lives on."""
        decider = self.decider
        self.heard.clear()
        try:
            if not self.begun:
                self.begun = True
                await decider._begin()
            while decider.backlog:
                await decider.next_rows()
        except Died:
            return False
        await decider._commit([], decider.position, 0)
        return True

    async def die(self, times: int = 1) -> None:
        """So many processes die one after the other, and another begins."""
        for _ in range(times):
            assert not await self.live()
            self.begin()

    def aside(self) -> list[Any]:
        return self.rows("SELECT seq, ruleset, error, tries FROM quarantine ORDER BY seq")


@pytest.fixture
async def host() -> Any:
    made = Host()
    assert await made.live()
    yield made
    made.store.writer.close()


KILLS = {"kill": 1}
FINE = {"a": 1}


async def test_after_three_deaths_the_row_is_set_aside_before_anybody_hears_of_it(host: Host) -> None:
    host.post(KILLS, FINE)
    await host.die(3)
    assert await host.live()
    assert host.aside() == [(2, "*", stumbles.SAID, letters.TRIES)]
    assert host.heard == [3]
    assert host.rows("SELECT seq FROM decision") == [(3,)]


async def test_the_rows_before_it_are_decided_and_it_alone_goes(host: Host) -> None:
    """They led to nothing, so that no position was committed behind them: in batches it never stands before the one that kills."""
    host.post({"b": 1}, FINE, {"b": 1}, KILLS, FINE)
    await host.die(3)
    assert host.rows("SELECT seq FROM position") == [(4,)]
    assert await host.live()
    assert [seq for seq, *_ in host.aside()] == [5]
    assert host.rows("SELECT seq FROM decision") == [(3,), (6,)]


async def test_two_deaths_are_not_enough(host: Host) -> None:
    host.post(KILLS)
    await host.die(2)
    host.kills = False
    assert await host.live()
    assert host.aside() == []


async def test_a_clean_stop_ends_the_count(host: Host) -> None:
    host.post(KILLS)
    await host.die(2)
    await host.decider._begin()
    await host.decider.drain_snapshot()  # asked to stop before it decided anything
    host.begin()
    await host.die(2)
    host.kills = False
    assert await host.live()
    assert host.aside() == []


async def test_what_died_at_different_places_is_not_counted_together(host: Host) -> None:
    host.post(KILLS)
    await host.die(2)
    host.kills = False
    assert await host.live()
    host.begin()
    assert await host.live()
    host.kills = True
    host.post(KILLS)
    await host.die(2)
    assert host.aside() == []
    await host.die(1)
    assert await host.live()
    assert [seq for seq, *_ in host.aside()] == [3]


async def test_two_rows_that_kill_are_each_tried_three_times(host: Host) -> None:
    host.post(KILLS, FINE, KILLS, FINE)
    await host.die(3)
    await host.die(3)
    assert await host.live()
    assert [seq for seq, *_ in host.aside()] == [2, 4]
    assert host.rows("SELECT seq FROM decision") == [(3,), (5,)]


async def test_a_start_that_dies_elsewhere_counts_for_no_row(host: Host) -> None:
    """It begins, goes row by row, and is gone before it decided anything, for whatever reason."""
    host.post(FINE)
    for _ in range(5):
        await host.decider._begin()
        host.begin()
    assert await host.live()
    assert host.aside() == []
    assert host.rows("SELECT seq FROM decision") == [(2,)]


async def test_starts_that_find_nothing_to_decide_count_nothing(host: Host) -> None:
    for _ in range(5):
        host.begin()
        await host.decider._begin()
    assert host.rows("SELECT deaths FROM stumble") == [(0,)]


async def test_a_row_that_changes_the_rules_is_never_passed_over(host: Host) -> None:
    host.store.writer.now(deciding.UseRevision("kill", "", "d", {}))
    host.decider.tail.committed = 2
    await host.die(5)
    assert host.aside() == []
    host.kills = False
    assert await host.live()
    assert host.rows("SELECT seq FROM position") == [(2,)]


async def test_row_by_row_ends_where_all_is_decided(host: Host) -> None:
    host.post(KILLS, FINE)
    await host.die(2)
    host.kills = False
    assert await host.live()
    assert host.rows("SELECT deaths, trying FROM stumble") == [(0, 0)]
    assert not host.decider._stumbles.careful(host.decider.position)
