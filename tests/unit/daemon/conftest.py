"""A switch over a real project, real rules and a store in memory, with two clocks to turn. pytest loads it."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from typing import Any

import pytest
from loguru import logger

from healer import model, policy, project, store
from healer.daemon import rules, standing, switching
from healer.decide import alerts
from healer.store import asking, claiming, deciding, journal, people

S = 1_000_000
HOUR = 3600 * S
FILES = {
    "healer.yaml": "mode: active\n",
    "controllers.yaml": "controllers:\n  here: {type: local, tags: [a, b, c]}\n  there: {type: local}\ndefault: here\n",
    "actions.yaml": "actions: {note: {command: [logger], impact: low, target: none, events: [noted]}, other: {command: [logger], impact: low, target: none}}\n",
    "rulebooks/web.yml": """\
- name: alerts
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: restart, condition: event.a == 1, action: {run_action: {name: note}}}
    - {name: clean, condition: event.a == 2, action: {run_action: {name: note}}}
    - {name: later, condition: event.a == 3, enabled: false, action: {run_action: {name: note}}}
- name: disks
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: clean, condition: event.b == 1, action: {run_action: {name: note}}}
""",
}


class Dispatcher:
    """What a switch asks of one."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.withheld: set[str] = set()
        self.woken = 0

    async def barrier(self, tokens: Collection[str]) -> set[str]:
        self.asked.append({*tokens})
        return {*tokens} & self.withheld

    def wake(self) -> None:
        self.woken += 1


class People:
    """Who cancels; what has ended is refused."""

    def __init__(self) -> None:
        self.cancelled: list[tuple[str, str, str]] = []
        self.ended: set[str] = set()

    async def cancel(self, run: str, *, actor: str, reason: str = "") -> dict[str, Any]:
        if run in self.ended:
            raise people.RunEnded(run=run, state="succeeded")
        self.cancelled.append((run, actor, reason))
        return {"id": run}


class World:
    """A switch over a real project, real rules and a store in memory, with two clocks to turn."""

    def __init__(self, root: pathlib.Path, memory: Any = None) -> None:
        self.root = root
        self.now_us = 1_000 * HOUR
        self.ahead_us = 0
        self.looked = 0
        self.position = 0
        self.store = store.Store.open(None, lambda: self.now_us, loop=None, memory=memory)
        self.dispatcher: Any = Dispatcher()
        self.people: Any = People()
        self.pause = standing.PauseFile(root, lambda: self.ahead_us)
        self.revision: Any = None
        self.evaluator: Any = None
        self.switch = switching.Switch(
            self.store, self.dispatcher, self.people, self.pause, revision=lambda: self.revision, evaluator=lambda: self.evaluator,
            standing_of=lambda _row: policy.Standing(True, "active"), clock=lambda: self.now_us, look_again=self.look_again,
        )  # fmt: skip

    async def look_again(self) -> None:
        self.looked += 1

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    async def use(self, *, decided: bool = True) -> None:
        """A reload or a start with the files of now."""
        loaded = project.load(self.root, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        self.revision = loaded.revision
        row, number = self.store.writer.now(deciding.UseRevision(loaded.revision.id, "", "test", {}))
        if decided:
            await self.decided(row.seq, number)

    async def decided(self, seq: int, number: int) -> None:
        """The rules of the revision hold."""
        held = standing.Standing(self.revision, self.pause, "active")
        self.evaluator = await rules.evaluator(self.store, self.revision, held, alerts.Alerts())
        self.store.writer.now(
            deciding.Decide(self.position, seq, self.now_us, number, [], lambda _: policy.Standing(True, "active"))
        )
        self.position = seq

    def ask(self, key: str, rule: str = "web/alerts/restart", controller: str = "here") -> str:
        """A run; its id."""
        (row,) = self.store.writer.now(journal.Append([journal.Row("event", "s", b"{}")]))
        run = model.run_id("a", "b", "c", key, 0, 0)
        limits = policy.Limits(timeout_s=30)
        candidate = policy.Candidate(run, rule, "note", controller, (f"host:{key}",), self.now_us, limits)
        on = [model.Target("host", key, key)]
        asked = asking.Ask(
            candidate, policy.Standing(True, "active"), 0, "command", ["true"], {}, {}, True, 4, f"rule:{rule}", on, [], []
        )  # fmt: skip
        outcome = deciding.Outcome(row.seq, self.now_us, results=[asked])
        self.store.writer.now(
            deciding.Decide(
                self.position, row.seq, self.now_us, 1, [outcome], lambda _: policy.Standing(True, "active")
            )
        )
        self.position = row.seq
        return run

    def claim(self) -> list[str]:
        """Who starts; their tokens."""
        claims = self.store.writer.now(claiming.Claim(20, lambda _: policy.Standing(True, "active")))
        return [one.token for one in claims.claimed]

    def rows(self, sql: str) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def scopes(self) -> list[str]:
        return [scope for (scope,) in self.rows("SELECT scope FROM pause ORDER BY scope")]

    async def paused(self, scope: str = "all", **more: Any) -> dict[str, Any]:
        return await self.switch.pause(scope, actor="os:ana", reason="it hurts", **more)


@pytest.fixture
async def world(tmp_path: pathlib.Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    for name, text in FILES.items():
        made.write(name, text)
    await made.use()
    yield made
    made.store.writer.close()


@pytest.fixture
def next_world(world: World) -> Callable[..., Any]:
    """`await next_world(changed=…)`: a daemon that starts on the rows that the other one left."""

    async def start(*, changed: bool = False) -> World:
        made = World(world.root, memory=world.store.writer.tx.connection)
        made.position, made.now_us = world.position, world.now_us + S
        if changed:
            made.change("rulebooks/web.yml", "event.a == 1", "event.a == 9")
        await made.use()
        await made.switch.load()
        return made

    return start


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Lines of the log."""
    found: list[str] = []
    number = logger.add(found.append, format="{level} {message}", level="WARNING")
    yield found
    logger.remove(number)
