"""The supervisor on virtual time (looptime): starting again, reloading, silence, stopping."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from healer import plugins, supervise
from healer.supervise import worker

pytestmark = pytest.mark.looptime


class Scripted:
    """A source that does what the test says each time it runs."""

    def __init__(self, act: Callable[[plugins.Emit], Any]) -> None:
        self.act = act

    async def run(self, emit: plugins.Emit) -> None:
        await self.act(emit)


class Bench:
    """A supervisor whose sources are scripted by type."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.acts: dict[str, Callable[[plugins.Emit], Any]] = {"idle": self.idle}
        self.starts: list[tuple[str, float]] = []
        self.emitted: list[tuple[str, Mapping[str, Any]]] = []
        self.said: list[str] = []
        self.supervisor = supervise.Supervisor(
            self.build, self.emit_for, self.loop.time, lambda level, text: self.said.append(f"{level} {text}")
        )

    def build(self, spec: supervise.Running) -> Scripted:
        self.starts.append((spec.key, self.loop.time()))
        return Scripted(self.acts[spec.type])

    def emit_for(self, key: str) -> plugins.Emit:
        async def emit(events: Sequence[Mapping[str, Any]]) -> Sequence[int]:
            self.emitted += [(key, event) for event in events]
            return [1] * len(events)

        return emit

    async def idle(self, emit: plugins.Emit) -> None:
        await asyncio.Event().wait()

    def one(self) -> supervise.Status:
        [status] = self.supervisor.status()
        return status


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_a_source_runs_and_its_events_are_counted(bench: Bench) -> None:
    async def act(emit: plugins.Emit) -> None:
        await emit([{"a": 1}, {"a": 2}])
        await bench.idle(emit)

    bench.acts["mine"] = act
    await bench.supervisor.replace([supervise.Running("a/b/c", "mine")])
    await asyncio.sleep(1)
    assert (bench.one().state, bench.one().events) == ("running", 2)
    assert bench.emitted == [("a/b/c", {"a": 1}), ("a/b/c", {"a": 2})]
    await bench.supervisor.stop()
    assert bench.supervisor.status() == []


async def test_a_source_that_ended_is_not_started_again(bench: Bench) -> None:
    async def act(emit: plugins.Emit) -> None:
        return None

    bench.acts["range"] = act
    spec = supervise.Running("k", "range", {"limit": 3})
    await bench.supervisor.replace([spec])
    await asyncio.sleep(1000)
    await bench.supervisor.replace([spec])
    await asyncio.sleep(1)
    assert bench.one().state == "ended"
    assert len(bench.starts) == 1


async def test_a_source_is_started_again_as_its_activation_says(bench: Bench) -> None:
    async def ends(emit: plugins.Emit) -> None:
        await asyncio.sleep(61)

    async def fails(emit: plugins.Emit) -> None:
        raise OSError("no broker")

    bench.acts |= {"ends": ends, "fails": fails}
    specs = [
        supervise.Running(f"{kind} {again}", kind, again=again)
        for kind in ("ends", "fails")
        for again in ("never", "on_failure", "always")
    ]
    await bench.supervisor.replace(specs)
    await asyncio.sleep(200)
    started = {key: sum(one == key for one, _ in bench.starts) for key, _ in bench.starts}
    assert (started["ends never"], started["ends on_failure"], started["fails never"]) == (1, 1, 1)
    assert started["ends always"] == 4
    assert min(started["fails on_failure"], started["fails always"]) > 5
    states = {one.key: one.state for one in bench.supervisor.status()}
    assert (states["ends never"], states["fails never"]) == ("ended", "failed")
    assert any("fails never failed, and is not started again: no broker" in line for line in bench.said)
    await bench.supervisor.stop()


async def test_pauses_grow_to_a_minute_and_begin_anew_after_a_well_run(bench: Bench) -> None:
    runs_s = [0.0] * 9 + [61.0, 0.0]

    async def act(emit: plugins.Emit) -> None:
        await asyncio.sleep(runs_s.pop(0))
        raise OSError("no broker")

    bench.acts["kafka"] = act
    await bench.supervisor.replace([supervise.Running("k", "kafka")])
    while runs_s:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0)
    times = [at for _, at in bench.starts]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    wanted = [1, 2, 4, 8, 16, 32, 60, 60, 60, 61 + 1]
    assert all(0.75 * most <= gap <= most + 0.01 for gap, most in zip(gaps, wanted, strict=True)), gaps
    assert bench.one().last_error == "no broker"
    assert bench.one().restarts == 10
    assert "no broker" in bench.said[0]
    await bench.supervisor.stop()


def test_pauses_are_the_same_each_time_and_differ_between_sources() -> None:
    assert worker.pause("a", 3) == worker.pause("a", 3)
    assert len({worker.pause(key, 5) for key in "abcdefgh"}) > 4


async def test_what_cannot_be_built_is_a_failure_of_that_source_alone(bench: Bench) -> None:
    await bench.supervisor.replace([supervise.Running("bad", "nothing"), supervise.Running("good", "idle")])
    await asyncio.sleep(0.5)
    assert {status.key: status.state for status in bench.supervisor.status()} == {"bad": "failed", "good": "running"}
    await bench.supervisor.stop()


@pytest.mark.parametrize(
    "ends", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), BaseExceptionGroup("x", [GeneratorExit()])]
)
async def test_even_sys_exit_of_a_source_stops_nothing_else(bench: Bench, ends: BaseException) -> None:
    async def act(emit: plugins.Emit) -> None:
        raise ends

    bench.acts["bad"] = act
    await bench.supervisor.replace([supervise.Running("bad", "bad")])
    await asyncio.sleep(0.5)
    assert (bench.one().state, type(ends).__name__ in bench.one().last_error) == ("failed", True)
    await asyncio.sleep(1)
    assert len(bench.starts) == 2
    await bench.supervisor.stop()


async def test_why_it_failed_is_kept_without_what_looks_like_a_secret(bench: Bench) -> None:
    async def act(emit: plugins.Emit) -> None:
        raise OSError("no answer of https://u:pa55@a.org, password=pa55")

    bench.acts["bad"] = act
    await bench.supervisor.replace([supervise.Running("bad", "bad")])
    await asyncio.sleep(0.5)
    assert bench.one().last_error == "no answer of https://***@a.org, password=***"
    await bench.supervisor.stop()


async def test_reload_leaves_what_is_alike_restarts_what_changed_and_stops_what_is_gone(bench: Bench) -> None:
    def specs(limit: int, *keys: str) -> list[supervise.Running]:
        return [supervise.Running(key, "idle", {"limit": limit if key == "b" else 1, "x": 0}) for key in keys]

    await bench.supervisor.replace(specs(1, "a", "b", "c"))
    await asyncio.sleep(10)
    await bench.supervisor.replace(specs(2, "a", "b", "d"))
    await asyncio.sleep(1)
    assert bench.starts == [("a", 0), ("b", 0), ("c", 0), ("b", 10), ("d", 10)]
    assert [status.key for status in bench.supervisor.status()] == ["a", "b", "d"]
    await bench.supervisor.stop()


def test_digest_is_of_the_meaning() -> None:
    one = supervise.Running("a", "t", {"x": 1, "y": 2})
    assert one.digest == supervise.Running("b", "t", {"y": 2, "x": 1}, max_quiet_s=5).digest
    others = [
        {"type": "u"},
        {"args": {}},
        {"filters": (("f", {}),)},
        {"env": {"A": "1"}},
        {"code": "1"},
        {"push": True},
    ]
    given: dict[str, Any] = {"key": "a", "type": "t", "args": {"x": 1, "y": 2}}
    assert all(supervise.Running(**{**given, **other}).digest != one.digest for other in others)


class Slow(Scripted):
    """One that says itself when it runs."""

    def on_running(self) -> None:
        """The supervisor puts its own here."""


async def test_one_that_says_when_it_runs_is_starting_until_then(bench: Bench) -> None:
    made: list[Slow] = []
    bench.supervisor.build = lambda spec: made.append(Slow(bench.idle)) or made[-1]
    await bench.supervisor.replace([supervise.Running("hook", "idle", listens=True)])
    await asyncio.sleep(1)
    assert bench.one().state == "starting"
    waiting = asyncio.create_task(bench.supervisor.listening())
    await asyncio.sleep(1)
    assert not waiting.done()
    made[0].on_running()
    await waiting
    assert bench.one().state == "running"


async def test_a_start_waits_so_long_for_a_listener_and_for_nothing_else(bench: Bench) -> None:
    bench.supervisor.build = lambda spec: Slow(bench.idle)
    await bench.supervisor.replace([supervise.Running("other", "idle")])
    started = bench.loop.time()
    await bench.supervisor.listening()
    assert bench.loop.time() == started
    await bench.supervisor.replace([supervise.Running("hook", "idle", listens=True)])
    await bench.supervisor.listening()
    assert bench.loop.time() == started + worker.LISTENING_S


async def test_a_listener_that_failed_is_not_waited_for(bench: Bench) -> None:
    async def fail(emit: plugins.Emit) -> None:
        raise OSError("address in use")

    bench.supervisor.build = lambda spec: Slow(fail)
    await bench.supervisor.replace([supervise.Running("hook", "idle", listens=True)])
    started = bench.loop.time()
    await bench.supervisor.listening()
    assert (bench.loop.time(), bench.one().state) == (started, "failed")


async def test_silence_is_seen_for_pull_and_push_sources(bench: Bench) -> None:
    await bench.supervisor.replace([supervise.Running("hook", "healer.webhook", push=True, max_quiet_s=600)])
    await asyncio.sleep(599)
    assert not bench.one().silent
    await asyncio.sleep(2)
    assert bench.one().silent
    bench.supervisor.heard("hook", 3)
    assert (bench.one().silent, bench.one().events, bench.one().last_event_us) == (False, 3, 601_000_000)
    await asyncio.sleep(601)
    assert bench.one().silent
    assert bench.starts == []


async def test_a_source_that_will_not_stop_holds_nobody_up_for_ever(bench: Bench) -> None:
    release = asyncio.Event()

    async def act(emit: plugins.Emit) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    bench.acts["stubborn"] = act
    await bench.supervisor.replace([supervise.Running("k", "stubborn")])
    await asyncio.sleep(1)
    await bench.supervisor.stop()
    assert bench.loop.time() == 1 + worker.STOP_MAX_S
    assert "does not stop" in bench.said[-1]
    release.set()
    await asyncio.sleep(0.1)
