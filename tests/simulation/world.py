"""The world around a daemon: hosts with effects on them, controllers that reach these, and what was seen of all of it.

An effect goes on when the daemon dies, as under the shim, and its end is remembered: `find` tells. What an effect does is drawn from the
seed and its token, so that it is the same whatever happened around it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import random
from collections.abc import Callable
from typing import Any, Final

import virtual

from healer import model, plugins

US: Final = virtual.US
GRACE_US: Final = 2 * US
"""From the wish that an effect ends to its end."""


@dataclasses.dataclass(slots=True)
class Effect:
    """One effect, as it took place. `journal_us`: journal time at its begin; `row`, `intents`: what was committed then."""

    token: str
    job: model.Job
    controller: str
    begin_us: int
    journal_us: int
    life: int
    row: dict[str, Any] | None
    run: dict[str, Any] | None
    intents: int
    in_transaction: bool
    end_us: int | None = None
    state: str = ""
    begins: int = 1
    forgotten: bool = False
    """The far side does not know any more."""
    disowned_us: int | None = None
    """When a person let go of it, not knowing that it goes on."""
    ended: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    @property
    def targets(self) -> list[str]:
        return [str(target) for target in self.job.targets]


@dataclasses.dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an attempt: when it begins and how it ends."""

    delay_s: float
    length_s: float
    end: str
    """succeeded | failed | hangs | raises | unknown | silent"""
    raises_before: bool
    bends: bool
    """Whether it ends when asked to."""
    forgets: bool
    find_fails: int


class World:
    """One a seed. `look(token)` reads what is committed of an attempt."""

    def __init__(self, seed: int, clock: virtual.Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.effects: dict[str, Effect] = {}
        self.calm = False
        """Faults have stopped."""
        self.trace: list[str] = []
        self.look: Callable[[str], tuple[dict[str, Any] | None, dict[str, Any] | None, int, bool, int]] = lambda _: (
            None,
            None,
            0,
            False,
            0,
        )
        self.life = 0
        self.on_healed: Callable[[Effect], None] = lambda _: None
        self.on_beginning: Callable[[model.Job, float], None] = lambda *_: None
        """Somebody may do something between a claim and its effect."""
        self.slowness = random.Random(f"{seed}/slowness").choice((0.3, 1.0, 1.0, 3.0))

    def say(self, what: str) -> None:
        """Into the trace."""
        self.trace.append(f"{self.clock.now_us / US:11.6f} {what}")

    def digest(self) -> str:
        """Of all that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def fate(self, token: str) -> Fate:
        """What an attempt comes to."""
        draw = random.Random(f"{self.seed}/{token}")
        length = draw.choice((0.0, 0.4, 1.5, 4.0, 9.0)) * self.slowness * (0.5 + draw.random())
        worst = ("succeeded",) * 11 + ("failed",) * 5 + ("hangs", "raises", "unknown", "silent")
        end = draw.choice(("succeeded", "succeeded", "succeeded", "failed") if self.calm else worst)
        delay = draw.choice((0.0, 0.0, 0.2, 1.0, 3.0)) * draw.random()
        forgets, fails = draw.random() < 0.03, draw.choice((0, 0, 0, 0, 0, 1, 2))
        bends, before = draw.random() < 0.8, draw.random() < 0.3
        if self.calm:
            return Fate(delay, min(length, 5.0), end, False, True, False, 0)
        return Fate(delay, length, end, before, bends, forgets, fails)

    # --- effects --------------------------------------------------------------------------------------------------------

    def begin(self, job: model.Job, controller: str, fate: Fate) -> Effect:
        """An effect takes place from now on."""
        known = self.effects.get(job.token)
        if known is not None:
            known.begins += 1
            self.say(f"effect {job.token} begins AGAIN")
            return known
        row, run, intents, in_transaction, journal_us = self.look(job.token)
        made = Effect(
            job.token, job, controller, self.clock.now_us, journal_us, self.life, row, run, intents, in_transaction
        )
        self.effects[job.token] = made
        self.say(
            f"effect {job.token} begins: {job.action} by {controller} on {' '.join(made.targets)}, will be {fate.end}"
        )
        length_s, state = fate.length_s, fate.end
        if state in ("hangs", "silent") or length_s >= job.deadline_s:
            length_s, state = job.deadline_s, "timed_out"
        state = {"raises": "failed", "unknown": "succeeded"}.get(state, state)
        self.clock.after(length_s, lambda: self.end(made, state))
        return made

    def end(self, effect: Effect, state: str) -> None:
        """It is over."""
        if effect.end_us is not None:
            return
        effect.end_us, effect.state = self.clock.now_us, state
        self.say(f"effect {effect.token} ends: {state}")
        if state == "succeeded":
            self.on_healed(effect)
        for tell in effect.ended:
            tell()
        effect.ended.clear()

    def stop(self, effect: Effect) -> None:
        """Somebody wants its end: TERM, and a while later it is over."""
        self.clock.after(
            random.Random(f"{self.seed}/{effect.token}/stop").random() * GRACE_US / US,
            lambda: self.end(effect, "cancelled"),
        )


class Options(plugins.Options):
    """None."""


class Controller(plugins.Controller):
    """Reaches the hosts of the world, for as long as the daemon lives whose it is."""

    Options = Options
    kinds = frozenset({"command", "script"})

    def __init__(self, name: str, world: World, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(Options(), plugins.ControllerContext(name, lambda _: model.Secret("", ""), lambda *_: None))
        self.name = name
        self.world = world
        self.loop = loop
        self.life = world.life
        self._asked: dict[str, int] = {}

    async def check(self) -> model.Health:
        return model.Health(True, "")

    async def plan(self, job: model.Job) -> model.Plan:
        return model.Plan((), ())

    async def _passes(self, seconds: float) -> None:
        """Some time of the world."""
        if seconds > 0:
            await self._told(lambda tell: self.world.clock.after(seconds, tell))

    async def _told(self, ask: Callable[[Callable[[], None]], None]) -> None:
        """Wait for a word of the world, which a dead daemon does not hear."""
        future = self.loop.create_future()

        def tell() -> None:
            if self.world.life == self.life and not future.done():
                future.set_result(None)

        ask(tell)
        await future

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        fate = self.world.fate(job.token)
        self.world.on_beginning(job, fate.delay_s)
        await self._passes(fate.delay_s)
        if fate.end == "raises" and fate.raises_before:
            raise ConnectionError("it was not reached")
        effect = self.world.begin(job, self.name, fate)
        output("stdout", b"begun\n")
        return await self._follow(effect, fate)

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        output("stdout", b"begun\n")
        return await self._follow(self.world.effects[job.token], self.world.fate(job.token))

    async def _follow(self, effect: Effect, fate: Fate) -> model.Outcome:
        if fate.end == "unknown" and effect.end_us is None:
            await self._passes(min(1.0, fate.length_s))
            if effect.end_us is None:
                return model.Outcome("unknown", "the connection was lost")
        try:
            if fate.end == "silent" and not self.world.calm:
                await self._told(lambda _: None)  # nobody ever says a word
            if effect.end_us is None:
                await self._told(effect.ended.append)
        except asyncio.CancelledError:
            if self.world.life == self.life and fate.bends and effect.end_us is None:
                self.world.stop(effect)
                await self._told(effect.ended.append)
            raise
        if fate.end == "raises":
            raise ConnectionError("the controller gave up")
        return self._outcome(effect)

    async def find(self, job: model.Job) -> model.Found:
        fate, effect = self.world.fate(job.token), self.world.effects.get(job.token)
        asked = self._asked[job.token] = self._asked.get(job.token, 0) + 1
        if asked <= fate.find_fails and not self.world.calm:
            raise TimeoutError("it does not answer")
        if fate.end == "silent" and asked == 1 and not self.world.calm:
            await self._told(lambda _: None)
        if effect is None:
            return model.Found("absent")
        if effect.forgotten or (fate.forgets and effect.end_us is not None):
            effect.forgotten = True
            return model.Found("unknown", detail="nothing is known of it")
        if effect.end_us is None:
            return model.Found("running")
        return model.Found("ended", self._outcome(effect))

    async def withhold(self, job: model.Job) -> bool:
        """Nothing of it has begun; it is cancelled then."""
        return job.token not in self.world.effects

    def _outcome(self, effect: Effect) -> model.Outcome:
        draw = random.Random(f"{self.world.seed}/{effect.token}/each")
        state: Any = effect.state
        each = {name: state if state != "failed" or draw.random() < 0.7 else "succeeded" for name in effect.targets}
        seconds = ((effect.end_us or 0) - effect.begin_us) / US
        return model.Outcome(state, f"it {state}", 0 if state == "succeeded" else 1, per_target=each, seconds=seconds)
