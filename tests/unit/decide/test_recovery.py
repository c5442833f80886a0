"""A start goes on exactly where the daemon was stopped: at any position, with any snapshot, also across changes of the rules."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import types
from collections.abc import Coroutine
from typing import Any

import hypothesis
import loguru
import orjson
import pytest
from hypothesis import strategies as st

from healer import store, testing
from healer.decide import acting, alerts, evaluating, recovery, texts
from healer.engine import slices
from healer.store import asking, deciding, journal, notes

S = 1_000_000
RULES = """
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: cycle, condition: event.alert.cycle == 2 and event.a == 1, throttle: {once_within: 9 seconds, group_by_attributes: [event.h]}, action: {debug: {}}}
    - {name: each, condition: event.a == 3, throttle: {once_within: 9 seconds, group_by_attributes: [event.alert.cycle]}, action: {none: {}}}
    - {name: slow, condition: event.a == 1, throttle: {once_within: %s seconds, group_by_attributes: [event.h]}, action: {debug: {}}}
    - {name: named, condition: event.a == 2, throttle: {once_within: 7 seconds, group_by_attributes: [event.alert.key]}, action: {set_fact: {fact: {f: "{{ event.h }}"}}}}
    - {name: chained, condition: event.f is defined, action: {post_event: {event: {a: 1, h: "{{ event.f }}"}}}}
    - {name: absent, condition: event.q is not defined, action: {none: {}}}
    - {name: gone, condition: event.a == 4, action: {retract_fact: {fact: {f: x}, partial: true}}}
    - {name: meta, condition: event.meta.source.name == "healer.api" and event.a == 5, action: {none: {}}}
    - {name: enough, condition: event.a == 6, action: {shutdown: {}}}
"""
VARIANTS = {
    "r10": RULES % 10,
    "r20": RULES % 20,
    "more": RULES % 10
    + "- {name: other, hosts: all, sources: [{healer.api: {}}], rules: [{name: o, condition: event.a == 1, action: {none: {}}}]}\n",
}
REVISION = types.SimpleNamespace(
    activations=(),
    settings=types.SimpleNamespace(defaults=types.SimpleNamespace(upstream=types.SimpleNamespace(chain_depth=3))),
)
STANDING = types.SimpleNamespace(paused=lambda rule: None)
compiled = {name: testing.load(text) for name, text in VARIANTS.items()}


class Box:
    """A store in memory with the evaluator that is never stopped."""

    def __init__(self) -> None:
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.position = 0
        self.revision = 1

    def use(self, name: str) -> None:
        """A row `revision`."""
        self.store.writer.now(deciding.UseRevision(name, "", "d", {}))

    def fresh(self, name: str, known: alerts.Alerts | None = None) -> evaluating.Evaluator:
        """A variant's rules, empty."""
        running = [evaluating.Running("act", one) for one in compiled[name]]
        routes = {"healer.api": [one.name for one in running]}
        actor = acting.Actor(REVISION, STANDING, lambda *told: None)  # type: ignore[arg-type]
        return evaluating.Evaluator(
            self.store.uid, running, routes, known or alerts.Alerts(), actor, {"healer.api": 30 * S}, {}
        )

    async def known(self) -> alerts.Alerts:
        """The alerts as the rows have them."""
        return alerts.Alerts(await self.store.reader.all("alerts_state"))

    async def restarted(self) -> evaluating.Evaluator | None:
        """What a start would work with now."""
        known = await self.known()

        async def rules_of(name: str) -> evaluating.Evaluator | None:
            return self.fresh(name, known) if name in VARIANTS else None

        return await recovery.recover(self.store, self.position, rules_of)

    async def next_row(self) -> journal.Row | None:
        """The row behind the position, read anew."""
        rows = await self.store.rows_after(self.position, 1)
        return rows[0] if rows else None

    def commit(
        self, row: journal.Row, outcome: deciding.Outcome | None, snapshot: deciding.Snapshot | None = None
    ) -> None:
        """T2 of one row."""
        none = lambda _: None  # noqa: E731
        if row.kind == "revision":
            self.revision = self.store.writer.now(notes.RevisionNumber(deciding.revision_of(row.body or b"")))
        unit = deciding.Decide(
            self.position, row.seq, row.at_us, self.revision, [outcome] if outcome else [], none, snapshot
        )  # type: ignore[arg-type]
        self.store.writer.now(unit)
        self.position = row.seq


async def stepped(box: Box, one: evaluating.Evaluator, row: journal.Row) -> tuple[evaluating.Evaluator, bytes]:
    """One row on an evaluator: its rules now, and the bytes of what it led to."""
    if row.kind == "revision":
        carried = await recovery.carry_over(
            box.store, one, box.fresh(deciding.revision_of(row.body or b""), one.alerts)
        )
        assert carried is not None
        return carried, b""
    outcome = one.evaluate(row)
    return one, b"" if outcome is None else told(outcome)


def told(outcome: deciding.Outcome) -> bytes:
    return orjson.dumps({
        "results": [dataclasses.asdict(one) for one in outcome.results if not isinstance(one, asking.Ask)],
        "appends": [(row.kind, row.source, row.body.decode() if row.body else "", row.depth) for row in outcome.appends],
        "alerts": [dataclasses.asdict(one) for one in outcome.alerts], "expired": outcome.expired,
        "quarantined": outcome.quarantined,
    })  # fmt: skip


async def copy_of(row: journal.Row, box: Box) -> journal.Row:
    (made,) = await box.store.rows_at([row.seq])
    return made


events = st.builds(
    lambda a, h, key, status: {"a": a, "h": h} | ({"alert": {"key": key, "status": status}} if key else {}),
    st.sampled_from([1, 1, 1, 2, 2, 3, 4, 5]), st.sampled_from("xy"), st.sampled_from(["", "k", "l"]),
    st.sampled_from(["firing", "resolved"]),
)  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), events), st.tuples(st.just("wait"), st.sampled_from([1, 3, 6, 7, 10, 31])),
        st.tuples(st.just("tick"), st.none()), st.tuples(st.just("snapshot"), st.none()),
        st.tuples(st.just("revision"), st.sampled_from(sorted(VARIANTS))), st.tuples(st.just("event"), st.just({"a": 6})),
    ),
    min_size=1, max_size=22,
)  # fmt: skip


async def decide_all(box: Box, ones: list[evaluating.Evaluator], snapshot: bool) -> None:
    """Decide what waits; whoever was started meanwhile must say the same, and starts anew behind each row."""
    while (row := await box.next_row()) is not None:
        said = []
        outcome = None
        for n, one in enumerate(ones):
            mine = await copy_of(row, box)
            if n == 0 and row.kind != "revision":
                outcome = one.evaluate(mine)
                said.append(told(outcome) if outcome else b"")
            else:
                ones[n], made = await stepped(box, one, mine)
                said.append(made)
        assert set(said) == {said[0]}, (row.seq, row.kind, row.body, said)
        box.commit(row, outcome, await recovery.take(ones[0], row.seq) if snapshot else None)
        again = await box.restarted()
        assert again is not None
        ones.append(again)
        assert await recovery.take(again, row.seq) == await recovery.take(ones[0], row.seq)


@hypothesis.given(steps)
@hypothesis.settings(max_examples=60)
async def test_a_stop_at_any_position_changes_nothing_of_the_rest(given: list[Any]) -> None:
    box = Box()
    box.use("r10")
    row = await box.next_row()
    assert row is not None
    box.commit(row, None)
    ones, snapshot = [box.fresh("r10")], False
    for kind, value in given:
        if kind == "wait":
            box.now_us += value * S
        elif kind == "snapshot":
            snapshot = True
        elif kind == "revision":
            box.use(value)
        elif kind == "tick":
            box.store.writer.now(journal.Append([journal.Row("tick", "healer", b"{}")]))
        else:
            box.store.writer.now(journal.Append([journal.Row("event", "healer.api", orjson.dumps(value))]))
        if kind in ("event", "tick", "revision"):
            await decide_all(box, ones, snapshot)
            snapshot = False
    box.store.writer.close()


async def post(
    box: Box, one: evaluating.Evaluator, at_s: float, snapshot: bool = False, rule: str = "slow", **more: Any
) -> bool:
    """Whether an event of a throttled rule fires it at a second."""
    box.now_us = round((1_000 + at_s) * S)
    body = orjson.dumps({"a": 1, "h": "x"} | more)
    box.store.writer.now(journal.Append([journal.Row("event", "healer.api", body)]))
    row = await box.next_row()
    assert row is not None
    outcome = one.evaluate(row)
    box.commit(row, outcome, await recovery.take(one, row.seq) if snapshot else None)
    return any(result.rule == f"act/rs/{rule}" for result in (outcome.results if outcome else []))


@pytest.fixture
async def box() -> Any:
    made = Box()
    made.use("r10")
    row = await made.next_row()
    assert row is not None
    made.commit(row, None)
    yield made
    made.store.writer.close()


@pytest.mark.parametrize("snapshot_at", [None, 0, 6, 12])
async def test_nothing_is_healed_twice_because_of_a_restart(box: Box, snapshot_at: int | None) -> None:
    one = box.fresh("r10")
    fired = [await post(box, one, at, at == snapshot_at) for at in (0, 6, 12)]
    again = await box.restarted()
    assert again is not None
    fired += [await post(box, again, at) for at in (17, 21.999, 22)]
    assert fired == [True, False, True, False, False, True]


@pytest.mark.parametrize("snapshot_at", [None, 0, 1, 8])
async def test_a_replay_shows_the_cycle_of_then(box: Box, snapshot_at: int | None) -> None:
    one = box.fresh("r10")
    fired = []
    for at, status in ((0, "firing"), (1, "resolved"), (8, "firing")):
        alert = {"key": "k", "status": status}
        fired.append(await post(box, one, at, at == snapshot_at, "cycle", alert=alert))
    again = await box.restarted()
    assert again is not None
    for at in (10, 16.999, 17):
        fired.append(await post(box, again, at, False, "cycle", alert={"key": "k", "status": "firing"}))
    assert fired == [False, False, True, False, False, True]


async def test_a_rule_that_means_the_same_keeps_its_window_and_another_starts_anew(box: Box) -> None:
    one = box.fresh("r10")
    assert await post(box, one, 0)
    same = await recovery.carry_over(box.store, one, box.fresh("more"))
    assert same is not None
    assert not await post(box, same, 1)
    other = await recovery.carry_over(box.store, same, box.fresh("r20"))
    assert other is not None
    assert await post(box, other, 2)


async def test_a_new_data_directory_has_nothing_to_recover() -> None:
    box = Box()
    assert await box.restarted() is None
    box.store.writer.close()


async def test_where_the_files_of_a_revision_are_gone_the_rules_before_it_stay(box: Box) -> None:
    one = box.fresh("r10")
    assert await post(box, one, 0)
    box.use("of which nobody knows")
    row = await box.next_row()
    assert row is not None
    box.commit(row, None)
    again = await box.restarted()
    assert again is not None
    assert not await post(box, again, 5)


async def test_a_snapshot_of_another_version_is_told(box: Box) -> None:
    with pytest.raises(ValueError, match="version 99"):
        await recovery.restore(box.store, box.fresh("r10"), '{"version": 99}')


@pytest.mark.parametrize("junk", [
    '{"version":1,"ended":{},"sessions":[]}', '{"version":1,"ended":[1],"sessions":{}}', '{"version":1,"ended":{},"sessions":{"act/rs":5}}',
    '{"version":1,"ended":{},"sessions":{"act/rs":{}}}', '[]', "null", "5", '"x"', "{", "",
    '{"version":1,"ended":{},"sessions":{"act/rs":{"facts":"x","windows":[[1]]}}}',
])  # fmt: skip
async def test_a_snapshot_with_junk_in_it_is_passed_over(box: Box, junk: str) -> None:
    one = box.fresh("r10")
    assert await post(box, one, 0, snapshot=True)
    box.store.writer.tx.connection.execute("UPDATE snapshot SET data = ?", (junk,))
    again = await box.restarted()
    assert again is not None
    assert not await post(box, again, 9)


async def test_a_snapshot_names_the_oldest_row_that_it_needs(box: Box) -> None:
    one = box.fresh("r10")
    assert (await recovery.take(one, 7)).oldest == 7
    await post(box, one, 0)
    await post(box, one, 1)
    taken = await recovery.take(one, box.position)
    assert taken.oldest == 2
    assert b'"h":"x"' not in taken.data.encode()


async def turns_of(work: Coroutine[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    """What comes of it, and how often others had the loop meanwhile. Each look at the clock counts as a millisecond: it is looked at after
    each small step, and the loop is let go every third."""
    monkeypatch.setattr(recovery, "time", types.SimpleNamespace(monotonic=itertools.count(0, 0.001).__next__))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    made = await work
    beside.cancel()
    return made, turns


async def test_a_snapshot_of_much_leaves_the_loop_free_in_between(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 10)
    one = box.fresh("r10")
    (session,) = (running.session for running in one.running.values())
    for number in range(1_000):
        session.assert_fact({"f": number}, 0, number + 1)
    taken, turns = await turns_of(recovery.take(one, 2_000), monkeypatch)
    assert turns > 6 * 1_000 / 10 / 3  # collected, put in order, given places, shown, as facts, written
    assert taken.oldest == 1
    data = {"version": texts.VERSION, "ended": {}, "sessions": {"act/rs": session.snapshot(bodies=False)}}
    assert orjson.loads(taken.data) == data


async def test_a_snapshot_of_much_is_put_back_with_the_loop_free_in_between(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "CHUNK", 10)
    one, again = box.fresh("r10"), box.fresh("r10")
    for number in range(500):
        await post(box, one, number / 100, h=str(number))
    taken = await recovery.take(one, box.position)
    lines = taken.data.count("\n")
    _, turns = await turns_of(recovery.restore(box.store, again, taken.data), monkeypatch)
    assert lines > 500 / 10
    assert turns > (lines + 500 / 10) / 3  # read line by line, looked at, put back
    assert await recovery.take(again, box.position) == taken


async def test_a_ruleset_whose_memory_cannot_be_carried_over_begins_empty(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = box.fresh("r10")
    assert await post(box, one, 0)
    told: list[str] = []
    number = loguru.logger.add(told.append, format="{level} {message}")
    monkeypatch.setattr(recovery, "_put_back", _mistaken)
    for noted in (False, True):
        other = await recovery.carry_over(box.store, one, box.fresh("r20"), noted=noted)
        assert other is not None
        assert other.running["act/rs"].session.snapshot()["windows"] == []
        assert await post(box, other, 0)
    loguru.logger.remove(number)
    assert (
        told
        == ["ERROR what rs remembered cannot be carried over to its new rules, which begin empty: KeyError: 'ours'\n"]
        * 2
    )
    kept = await box.store.reader.select("SELECT record FROM audit WHERE kind = 'memory_lost'", [])
    (record,) = [orjson.loads(row["record"]) for row in kept]
    assert (record["ruleset"], record["error"]) == ("rs", "KeyError: 'ours'")


async def _mistaken(opened: Any, evaluator: Any, one: evaluating.Running, state: Any) -> None:
    one.session.post({"a": 1, "h": "x"}, 0)  # half of it is done
    raise KeyError("ours")


async def test_what_ended_stays_ended(box: Box) -> None:
    one = box.fresh("r10")
    for _ in range(2):  # the first one meets the rule about absence
        box.store.writer.now(journal.Append([journal.Row("event", "healer.api", b'{"a":6}')]))
        row = await box.next_row()
        assert row is not None
        box.commit(row, one.evaluate(row))
    again = await box.restarted()
    assert again is not None
    assert again.ended == one.ended == {"act": box.position}
