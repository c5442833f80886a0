"""The dispatcher with a controller that does as the test says: outcomes, errors, output, stopping, and what a crash left."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from healer import dispatch, errors, model, plugins, policy, store
from healer.dispatch import output
from healer.store import asking, claiming, deciding, journal

S = 1_000_000
STANDING = policy.Standing(enabled=True, mode="active")
LIMITS = policy.Limits(timeout_s=30)
Act = Callable[[model.Job, plugins.Output], Awaitable[model.Outcome]]


class Double(plugins.Controller):
    """Runs what the test gives it."""

    Options = plugins.Options
    kinds = frozenset({"script"})

    def __init__(self) -> None:
        super().__init__(None, plugins.ControllerContext("here", lambda _: model.Secret("", ""), lambda *_: None))
        self.act: Act = self.succeed
        self.found: model.Found | Exception = model.Found("absent")
        self.jobs: list[tuple[str, model.Job]] = []

    async def succeed(self, job: model.Job, put: plugins.Output) -> model.Outcome:
        return model.Outcome("succeeded", "done", 0)

    async def check(self) -> model.Health:
        return model.Health(True, "")

    async def plan(self, job: model.Job) -> model.Plan:
        return model.Plan((), ())

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        self.jobs.append(("run", job))
        return await self.act(job, output)

    async def find(self, job: model.Job) -> model.Found:
        self.jobs.append(("find", job))
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        self.jobs.append(("follow", job))
        return await self.act(job, output)


class Box:
    """A dispatcher over a store in memory."""

    def __init__(self, folder: pathlib.Path, memory: Any = None) -> None:
        self.folder = folder
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None, memory=memory)
        self.controller = Double()
        self.controllers: dict[str, plugins.Controller] = {"here": self.controller}
        self.secrets: list[str] = []
        self.changed: list[tuple[dict[str, str], int | None]] = []
        self.standing = STANDING
        self.dispatcher = dispatch.Dispatcher(
            self.store, lambda row: self.standing, controllers=lambda: self.controllers, revision_dir=self.revision_dir,
            work_dir=folder / "work", clock=lambda: self.now_us, secret_values=lambda: self.secrets,
            on_changed=lambda *told: self.changed.append(told),
        )  # fmt: skip
        self.task: asyncio.Task[None] | None = None
        self.position = 0

    async def revision_dir(self, number: int) -> pathlib.Path:
        return self.folder / f"revision-{number}"

    def rows(self, sql: str) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def ask(self, key: str = "k", *targets: str, limits: policy.Limits = LIMITS, controller: str = "here") -> str:
        """Queue a run; its id."""
        run = model.run_id("a", "b", "c", key, 0, 0)
        if not self.position:
            row, _ = self.store.writer.now(deciding.UseRevision("f" * 64, "", "d", {}))
            self.store.writer.now(deciding.Decide(0, row.seq, self.now_us, 1, [], lambda _: STANDING))
            self.position = row.seq
        (row,) = self.store.writer.now(journal.Append([journal.Row("event", "s", b"{}")]))
        names = targets or (f"host:{key}",)
        candidate = policy.Candidate(run, "a/b/c", "clean", controller, names, self.now_us, limits)
        hosts = [model.Target("host", name[5:], name[5:].upper(), "10.0.0.1", ("web",), True) for name in names]
        ask = asking.Ask(
            candidate, STANDING, 0, "script", "scripts/x.sh", {"n": 1}, {"verbosity": 2}, True, 4, "rule:a/b/c", hosts, [], []
        )
        outcome = deciding.Outcome(row.seq, self.now_us, results=[ask])
        self.store.writer.now(deciding.Decide(self.position, row.seq, self.now_us, 1, [outcome], lambda _: STANDING))
        self.position = row.seq
        return run

    def start(self) -> None:
        self.task = asyncio.create_task(self.dispatcher.run())

    def states(self) -> list[str]:
        return [state for (state,) in self.rows("SELECT state FROM attempt ORDER BY token")]

    def outcome(self) -> dict[str, Any]:
        """The outcome of the only attempt."""
        ((text,),) = self.rows("SELECT outcome FROM attempt WHERE outcome IS NOT NULL")
        made: dict[str, Any] = orjson.loads(text)
        return made

    async def printed(self) -> tuple[bytes | None, bytes | None]:
        """What the only attempt put out."""
        ((out, err),) = self.rows("SELECT stdout_hash, stderr_hash FROM attempt")
        return await self.store.blob(out), await self.store.blob(err)


@pytest.fixture
async def box(tmp_path: pathlib.Path) -> Any:
    made = Box(tmp_path)
    yield made
    await made.dispatcher.stop(0)
    if made.task is not None:
        await asyncio.wait_for(made.task, 30)
    made.store.writer.close()


async def test_a_job_has_all_that_the_run_says(box: Box, wait_for_async: Any) -> None:
    run = box.ask("web1")
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    ((_, job),) = box.controller.jobs
    assert (job.token, job.run_id, job.action, job.kind, job.subject) == (f"{run}-1", run, "clean", "script", "scripts/x.sh")
    assert (job.parameters, job.extra, job.idempotent, job.deadline_s) == ({"n": 1}, {"verbosity": 2}, True, 30)
    assert job.targets == (model.Target("host", "web1", "WEB1", "10.0.0.1", ("web",), True),)
    assert (job.revision_dir, job.work_dir) == (str(box.folder / "revision-1"), str(box.folder / "work" / job.token))
    assert box.rows("SELECT state, reason FROM run") == [("succeeded", "unverified")]
    assert box.rows("SELECT * FROM lock") == []


@pytest.mark.parametrize("state", ["succeeded", "failed", "timed_out", "cancelled", "unknown"])
async def test_an_outcome_is_written_as_it_is(box: Box, state: Any, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        return model.Outcome(state, "as told", 3, {"removed": 5}, {"host:k": "failed"}, seconds=1.5)

    box.controller.act = act
    box.ask()
    work = box.folder / "work" / f"{box.ask()}-1"
    work.mkdir(parents=True)
    box.start()
    await wait_for_async(lambda: box.states() == [state])
    await wait_for_async(lambda: not box.dispatcher.running)
    assert box.outcome() == {
        "state": state, "summary": "as told", "exit_code": 3, "result": {"removed": 5}, "per_target": {"host:k": "failed"},
        "truncated": False, "seconds": 1.5,
    }  # fmt: skip
    assert len(box.rows("SELECT * FROM lock")) == (state == "unknown")
    assert work.exists() == (state == "unknown")  # somebody may want to look


@pytest.mark.parametrize(("error", "said"), [
    (ValueError("boom"), "ValueError: boom"), (errors.StartError(reason="no tool"), "no tool"), (OSError(2, "No such file"), "No such file"),
    (RecursionError("x" * 9000), "RecursionError"),
])  # fmt: skip
async def test_what_a_controller_raises_is_a_failed_attempt(box: Box, error: Exception, said: str, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        raise error

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["failed"])
    summary = box.outcome()["summary"]
    assert said in summary
    assert len(summary) <= 2000
    box.controller.act = box.controller.succeed
    box.ask("other")
    box.dispatcher.wake()
    await wait_for_async(lambda: "succeeded" in box.states())


async def test_a_controller_that_is_gone_is_a_failed_attempt(box: Box, wait_for_async: Any) -> None:
    box.ask(controller="gone")
    box.start()
    await wait_for_async(lambda: box.states() == ["failed"])
    assert "no controller is named 'gone'" in box.outcome()["summary"]
    assert box.rows("SELECT * FROM lock") == []


async def test_output_is_kept_masked_also_across_pieces(box: Box, wait_for_async: Any) -> None:
    box.secrets = ["hunter2hunter2"]

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        put("stdout", b"the key is hunter2")
        put("stdout", b"hunter2, yes")
        put("stderr", b"hunter2hunter2\n\xff")
        return model.Outcome("failed", "it said hunter2hunter2", 1, {"k": ["hunter2hunter2"]})

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["failed"])
    out, err = await box.printed()
    assert out is not None
    assert out.startswith(b"the key is ")
    assert out.endswith(b", yes")
    everything = b"".join(row[0].encode() for row in box.rows("SELECT record FROM audit UNION ALL SELECT outcome FROM attempt"))
    assert b"hunter2" not in out + (err or b"") + everything
    assert box.outcome()["result"]["k"] != ["hunter2hunter2"]


async def test_output_is_capped_and_says_so(box: Box, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        for _ in range(3):
            put("stdout", b"x" * (output.OUTPUT_MAX // 2))
        put("stderr", b"x" * output.OUTPUT_MAX)
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    out, err = await box.printed()
    assert (out or b"").endswith(output.CUT)
    assert len(out or b"") == output.OUTPUT_MAX + len(output.CUT)
    assert box.outcome()["truncated"] is True
    assert len(err or b"") >= output.OUTPUT_MAX


@pytest.mark.parametrize("result", [2**70, {1: 2}, object(), float("nan"), {"x": {1, 2}}, b"\xff", "\ud800"])
async def test_a_result_that_is_no_json_does_not_lose_the_outcome(box: Box, result: Any, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        return model.Outcome("succeeded", "odd \ud800", 0, result)

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    assert box.outcome()["summary"] == "odd ?"


async def test_output_can_be_read_while_it_comes(box: Box, wait_for_async: Any) -> None:
    go = asyncio.Event()

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        put("stdout", b"so far")
        await go.wait()
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    token = f"{box.ask()}-1"
    box.start()
    await wait_for_async(lambda: box.dispatcher.live_output(token, "stdout") == b"so far")
    assert (box.dispatcher.tokens, box.dispatcher.running) == ({token}, 1)
    assert box.dispatcher.live_output("other", "stdout") is None
    go.set()
    await wait_for_async(lambda: box.dispatcher.live_output(token, "stdout") is None)


async def test_what_may_not_start_is_told_and_does_not_start(box: Box, wait_for_async: Any) -> None:
    box.standing = policy.Standing(True, "active", {"scope": "--all", "who": "a", "since": "n", "reason": "r"})
    run = box.ask()
    box.start()
    await wait_for_async(lambda: box.changed)
    assert (box.changed[0][0], box.controller.jobs) == ({run: "deferred"}, [])


async def test_the_next_one_goes_when_a_place_is_free(box: Box, wait_for_async: Any) -> None:
    gates = {key: asyncio.Event() for key in "ab"}

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await gates[job.targets[0].name].wait()
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    one = policy.Limits(concurrency_daemon=1)
    for key in "ab":
        box.ask(key, limits=one)
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    for gate in gates.values():
        gate.set()
    await wait_for_async(lambda: box.states() == ["succeeded", "succeeded"])


async def test_what_is_due_later_starts_then(box: Box, wait_for_async: Any) -> None:
    box.ask()
    box.store.writer.tx.connection.execute("UPDATE attempt SET not_before_us = ?", (box.now_us + 20_000,))
    box.start()
    await wait_for_async(lambda: box.dispatcher._next_us == box.now_us + 20_000)
    assert box.states() == ["queued"]
    box.now_us += 20_000
    await wait_for_async(lambda: box.states() == ["succeeded"])


# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_a_stop_waits_for_what_runs(box: Box, wait_for_async: Any) -> None:
    go = asyncio.Event()

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await go.wait()
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    stopping = asyncio.create_task(box.dispatcher.stop(60))
    await asyncio.sleep(0)
    box.ask("late")
    box.dispatcher.wake()
    go.set()
    assert await stopping == 0
    assert sorted(box.states()) == ["queued", "succeeded"]


@pytest.mark.parametrize(("found", "state"), [
    (model.Found("unknown"), "cancelled"), (ValueError("x"), "cancelled"),
    (model.Found("ended", model.Outcome("succeeded", "just before", 0)), "succeeded"),
])  # fmt: skip
async def test_a_stop_ends_what_takes_too_long(box: Box, found: Any, state: str, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    box.controller.act, box.controller.found = act, found
    box.ask()
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    assert await box.dispatcher.stop(0) == 1
    assert box.states() == [state]


async def test_what_a_claim_on_its_way_brings_is_waited_for(box: Box) -> None:
    submit, held, go = box.store.submit, asyncio.Event(), asyncio.Event()

    async def slow(unit: Any) -> Any:
        if isinstance(unit, claiming.Claim):
            held.set()
            await go.wait()
        return await submit(unit)

    box.store.submit = slow  # type: ignore[method-assign]
    box.ask()
    box.start()
    await held.wait()
    stopping = asyncio.create_task(box.dispatcher.stop(60))
    await asyncio.sleep(0)
    assert not stopping.done()
    go.set()
    assert await stopping == 0
    assert (box.states(), box.dispatcher.running) == (["succeeded"], 0)


# --- after a crash ----------------------------------------------------------------------------------------------------


def crashed(box: Box, *keys: str) -> Box:
    """Attempts claimed by a daemon that is no more, seen by the next one."""
    for key in keys:
        box.ask(key)
    box.store.writer.now(claiming.Claim(20, lambda row: STANDING))
    return Box(box.folder, memory=box.store.writer.tx.connection)


async def test_what_runs_on_is_followed(box: Box, wait_for_async: Any) -> None:
    after = crashed(box, "k")
    after.controller.found = model.Found("running")
    assert await after.dispatcher.recover() == {"running": 1}
    await wait_for_async(lambda: after.states() == ["succeeded"])
    assert [what for what, _ in after.controller.jobs] == ["find", "follow"]
    assert after.controller.jobs[1][1].deadline_s == 30


async def test_what_ended_meanwhile_is_read(box: Box, wait_for_async: Any) -> None:
    after = crashed(box, "k")
    after.controller.found = model.Found("ended")
    assert await after.dispatcher.recover() == {"ended": 1}
    await wait_for_async(lambda: after.states() == ["succeeded"])


async def test_what_never_began_is_queued_anew(box: Box, wait_for_async: Any) -> None:
    after = crashed(box, "k")
    work = after.folder / "work" / after.rows("SELECT token FROM attempt")[0][0]
    work.mkdir(parents=True)
    assert await after.dispatcher.recover() == {"absent": 1}
    assert (after.states(), work.exists()) == (["withdrawn", "queued"], False)
    after.start()
    await wait_for_async(lambda: after.states() == ["withdrawn", "succeeded"])
    await after.dispatcher.stop(1)


@pytest.mark.parametrize("found", [model.Found("unknown", None, "the host is gone"), OSError("the host is gone")])
async def test_what_cannot_be_known_is_unknown_and_is_not_repeated(box: Box, found: Any) -> None:
    after = crashed(box, "k")
    after.controller.found = found
    assert await after.dispatcher.recover() == {"unknown": 1}
    assert (after.states(), len(after.rows("SELECT * FROM lock"))) == (["unknown"], 1)
    assert "the host is gone" in after.outcome()["summary"]
    assert after.rows("SELECT state FROM run") == [("unknown",)]


async def test_a_controller_that_went_with_a_reload_is_a_failed_attempt(box: Box) -> None:
    after = crashed(box, "k")
    after.controllers.clear()
    assert await after.dispatcher.recover() == {"failed": 1}
    assert (after.states(), after.rows("SELECT * FROM lock")) == (["failed"], [])


async def test_each_is_asked_for_by_itself(box: Box, wait_for_async: Any) -> None:
    after = crashed(box, "a", "b", "c")

    async def find(job: model.Job) -> model.Found:
        if job.targets[0].name == "b":
            raise ValueError("x")
        return model.Found("running")

    after.controller.find = find  # type: ignore[method-assign]
    assert await after.dispatcher.recover() == {"running": 2, "unknown": 1}
    await wait_for_async(lambda: sorted(after.states()) == ["succeeded", "succeeded", "unknown"])
