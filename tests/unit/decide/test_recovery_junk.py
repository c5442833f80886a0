"""A snapshot of any shape stops neither the start nor the events after it: it is told, and an older one or the rows take its place."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable
from typing import Any

import hypothesis
import loguru
import orjson
import pytest
from hypothesis import strategies as st

from healer import engine, errors, store, testing
from healer.decide import acting, alerts, evaluating, recovery
from healer.store import deciding, journal

S = 1_000_000
(RULES,) = testing.load("""
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: slow, condition: event.a == 1, throttle: {once_within: 10 seconds, group_by_attributes: [event.h]}, action: {debug: {}}}
    - {name: absent, condition: event.q is not defined, action: {none: {}}}
    - {name: fact, condition: event.f is defined, action: {none: {}}}
    - {name: enough, condition: event.a == 6, action: {shutdown: {}}}
""")
REVISION = types.SimpleNamespace(
    activations=(),
    settings=types.SimpleNamespace(defaults=types.SimpleNamespace(upstream=types.SimpleNamespace(chain_depth=3))),
)
STANDING = types.SimpleNamespace(paused=lambda rule: None)
SESSION = ("sessions", "act/rs")


class Box:
    """A store in memory with three decided rows: the revision, a fact, an event that opened a window; a snapshot after each."""

    def __init__(self) -> None:
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.position = 0
        self.store.writer.now(deciding.UseRevision("r", "", "d", {}))

    def fresh(self) -> evaluating.Evaluator:
        actor = acting.Actor(REVISION, STANDING, lambda *told: None)  # type: ignore[arg-type]
        running = [evaluating.Running("act", RULES)]
        return evaluating.Evaluator(
            self.store.uid, running, {"healer.api": ["act/rs"]}, alerts.Alerts(), actor, {"healer.api": 30 * S}, {}
        )

    async def step(self, one: evaluating.Evaluator, kind: str = "", body: bytes = b"") -> deciding.Outcome | None:
        """Keep a row (none: one waits), evaluate and decide it, with a snapshot behind it."""
        if kind:
            self.store.writer.now(journal.Append([journal.Row(kind, "healer.api", body)]))
        (row,) = await self.store.rows_after(self.position, 1)
        outcome = one.evaluate(row)
        unit = deciding.Decide(
            self.position, row.seq, row.at_us, 1, [outcome] if outcome else [], lambda _: None,  # type: ignore[arg-type]
            await recovery.take(one, row.seq),
        )  # fmt: skip
        self.store.writer.now(unit)
        self.position = row.seq
        return outcome

    async def restarted(self) -> tuple[evaluating.Evaluator, list[str]]:
        """What a start works with, and what it told."""
        told: list[str] = []

        async def rules_of(name: str) -> evaluating.Evaluator:
            return self.fresh()

        number = loguru.logger.add(told.append, format="{level} {message}")
        try:
            again = await recovery.recover(self.store, self.position, rules_of)
        finally:
            loguru.logger.remove(number)
        assert again is not None
        return again, told


async def restarted_from(junk_of: Callable[[Any], object], *, all_of_them: bool = False) -> list[str]:
    """Change the newest snapshot (or all), start, and let another event in. Returns what the start told."""
    box = Box()
    with contextlib.closing(box.store.writer):
        return await _restarted_from(box, junk_of, all_of_them=all_of_them)


async def _restarted_from(box: Box, junk_of: Callable[[Any], object], *, all_of_them: bool) -> list[str]:
    one = box.fresh()
    await box.step(one)
    await box.step(one, "fact", b'{"f":1}')
    await box.step(one, "event", b'{"a":1,"h":"x"}')
    newest = (await box.store.reader.all("snapshot_newest", 0, box.position, 0, box.position))[0]
    only = "" if all_of_them else " WHERE seq = (SELECT max(seq) FROM snapshot)"
    data = junk_of(orjson.loads(newest["data"]))
    box.store.writer.tx.connection.execute("UPDATE snapshot SET data = ?" + only, (data,))
    again, told = await box.restarted()
    if told:  # then it stands as if nobody had stopped it
        assert await recovery.take(again, box.position) == await recovery.take(one, box.position)
    box.now_us += S
    outcome = await box.step(again, "event", b'{"a":1,"h":"x"}')
    assert outcome is None or not outcome.quarantined
    return told


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=8,
)  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in paths(one, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """The value with another one at a path."""
    if not path:
        return by
    made = value.copy()
    made[path[0]] = replaced(value[path[0]] if len(path) > 1 else None, path[1:], by)
    return made


async def test_a_sound_snapshot_is_taken() -> None:
    assert await restarted_from(lambda good: orjson.dumps(good).decode()) == []


@hypothesis.given(values, st.booleans())
async def test_a_snapshot_that_is_any_json_is_told_and_passed_over(value: Any, all_of_them: bool) -> None:
    told = await restarted_from(lambda _: orjson.dumps(value).decode(), all_of_them=all_of_them)
    assert [one.split(" cannot be read")[0] for one in told] == [
        f"ERROR the snapshot at {seq}" for seq in ((3, 2) if all_of_them else (3,))
    ]
    assert all(len(one) < 400 for one in told)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=200)
async def test_any_json_anywhere_in_a_snapshot_stops_neither_the_start_nor_the_events(data: st.DataObject) -> None:
    def junk_of(good: Any) -> str:
        path = data.draw(st.sampled_from(paths(good)))
        return orjson.dumps(replaced(good, path, data.draw(values))).decode()

    await restarted_from(junk_of)


@pytest.mark.parametrize(("path", "value"), [
    (("sessions",), []), (("ended",), {"act": "x"}), (("ended",), [1]), ((*SESSION, "entries"), [[2**63, 0, 1]]),
    ((*SESSION, "entries"), [[99, 0, 1]]), ((*SESSION, "entries"), [[True, 0, 1]]), ((*SESSION, "entries"), {"1": 2}), ((*SESSION, "entries"), "23"),
    ((*SESSION, "entries"), [[2, 0, 2]]), ((*SESSION, "entries"), [2]), ((*SESSION, "chains"), [["a", "b", [[], []]]]), ((*SESSION, "chains"), [2]),
    ((*SESSION, "windows", 0, 2), [[3, "x"]]), ((*SESSION, "windows", 0, 2), [[3, 2**63]]), ((*SESSION, "windows", 0, 2), [[3, 4]]),
    ((*SESSION, "timers"), [["a", "b", [None, []]]]), ((*SESSION, "timers"), [["a", "b", [1, [[1]]]]]),
    ((*SESSION, "now_us"), 2**63 - 1), ((*SESSION, "now_us"), 1e300), ((*SESSION, "now_us"), "7"), ((*SESSION, "format"), 1),
    ((*SESSION, "counters", "facts_refused"), "x"), ((*SESSION, "counters"), {}), ((*SESSION, "ready"), ["ab"]),
    (("sessions", "of no ruleset"), 5),
])  # fmt: skip
async def test_what_no_snapshot_of_ours_holds_is_told(path: tuple[Any, ...], value: Any) -> None:
    assert len(await restarted_from(lambda good: orjson.dumps(replaced(good, path, value)).decode())) == 1


@pytest.mark.parametrize("data", [b"\xff", b"", 7, 1.5, "{", "[" * 5000])
async def test_a_snapshot_that_is_no_json_is_told(data: object) -> None:
    assert len(await restarted_from(lambda _: data)) == 1


async def test_a_row_that_is_no_event_is_told() -> None:
    box = Box()
    one = box.fresh()
    await box.step(one)
    await box.step(one, "event", b"[1]")
    held = orjson.loads((await recovery.take(one, box.position)).data)
    held["sessions"]["act/rs"]["entries"] = [[box.position, 0, 1]]
    with pytest.raises(ValueError, match="row 2 is no event"):
        await recovery.restore(box.store, box.fresh(), orjson.dumps(held).decode())
    box.store.writer.close()


async def test_a_mistake_of_ours_ends_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would do so again at each: no snapshot is put back then, and the rows are replayed."""

    def mistake(*_: Any) -> None:
        raise AttributeError("ours")

    monkeypatch.setattr(engine.Session, "restore_steps", mistake)
    told = await restarted_from(lambda good: orjson.dumps(good).decode())
    assert len(told) == 2  # the first row is the one that brought the rules
    assert all("cannot be read, an older one is tried: AttributeError: ours" in one for one in told)


async def test_what_the_store_says_is_no_junk(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fenced(*_: Any) -> None:
        raise errors.StoreFull

    monkeypatch.setattr(recovery, "restore", fenced)
    with pytest.raises(errors.StoreFull):
        await restarted_from(lambda good: orjson.dumps(good).decode())
