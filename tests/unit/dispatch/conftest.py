"""A controller that does as a test says, and a dispatcher over a store in memory."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from healer import dispatch, errors, model, plugins, policy, store
from healer.dispatch import wishes
from healer.store import asking, deciding, journal

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
        self.found: model.Found | BaseException = model.Found("absent")
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
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        self.jobs.append(("follow", job))
        return await self.act(job, output)


class Work:
    """A job that goes on until it is cancelled, or `go` is set; then `find` knows that it has ended, as `ended` says."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.cancelled = 0
        self.ended = model.Found("ended", model.Outcome("cancelled", "ended by TERM", seconds=1.0))
        box.controller.act = self.act

    async def act(self, job: model.Job, put: plugins.Output) -> model.Outcome:
        self.begun.set()
        put("stdout", b"at work\n")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.box.controller.found = self.ended
            raise
        return model.Outcome("succeeded", "done", 0)


class Box:
    """A dispatcher over a store in memory."""

    def __init__(self, folder: pathlib.Path, memory: Any = None) -> None:
        self.folder = folder
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None, memory=memory)
        self.controller = Double()
        self.controllers: dict[str, plugins.Controller] = {"here": self.controller}
        self.secrets: list[str] = []
        self.broken = False
        self.changed: list[tuple[dict[str, str], int | None]] = []
        self.standing = STANDING
        self.dispatcher = dispatch.Dispatcher(
            self.store, lambda row: self.standing, controllers=lambda: self.controllers, revision_dir=self.revision_dir,
            work_dir=folder / "work", clock=lambda: self.now_us, secret_values=lambda: self.secrets,
            on_changed=lambda *told: self.changed.append(told), environment_of=self.environment, resolve=self.resolve,
        )  # fmt: skip
        self.task: asyncio.Task[None] | None = None
        self.position = 0

    def environment(self, rule: str) -> dict[str, str]:
        self.resolve("env:A")
        return {"RULE": rule}

    def resolve(self, reference: str) -> model.Secret:
        if self.broken:
            raise errors.SecretUnavailable(reference=reference, reason="the variable is not set")
        return model.Secret(reference, f"value of {reference}")

    async def revision_dir(self, number: int) -> pathlib.Path:
        return self.folder / f"revision-{number}"

    def rows(self, sql: str) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def ask(
        self, key: str = "k", *targets: str, limits: policy.Limits = LIMITS, controller: str = "here", extra: Any = None
    ) -> str:
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
            candidate,
            STANDING,
            0,
            "script",
            "scripts/x.sh",
            {"n": 1},
            extra or {"verbosity": 2},
            True,
            4,
            "rule:a/b/c",
            hosts,
            [],
            [],
        )
        outcome = deciding.Outcome(row.seq, self.now_us, results=[ask])
        self.store.writer.now(deciding.Decide(self.position, row.seq, self.now_us, 1, [outcome], lambda _: STANDING))
        self.position = row.seq
        return run

    def start(self) -> None:
        self.task = asyncio.create_task(self.dispatcher.run())

    def work(self) -> Work:
        """What its controller does from now on."""
        return Work(self)

    def said(self, run: str) -> tuple[str, str]:
        """(a run's state, what is said of it)"""
        ((state, detail),) = self.rows(f"SELECT state, detail FROM run WHERE id = '{run}'")
        return state, orjson.loads(detail).get("summary", "")

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


@pytest.fixture
def next_daemon(tmp_path: pathlib.Path) -> Callable[[Box], Box]:
    """`next_daemon(box)`: the dispatcher of a daemon that starts on what another one left."""
    return lambda before: Box(tmp_path, memory=before.store.writer.tx.connection)


@pytest.fixture
def wish(box: Box) -> wishes.Wishes:
    return wishes.Wishes(box.store, box.dispatcher)


@pytest.fixture
async def at_work(box: Box) -> tuple[Box, Work, str]:
    """`(box, work, run)` with an attempt under way."""
    work = box.work()
    run = box.ask()
    box.start()
    await asyncio.wait_for(work.begun.wait(), 30)
    return box, work, run
