"""One seed: a world, a crowd and a daemon that dies now and then, until nothing changes any more; then what was seen is judged.

`python simulating.py FIRST COUNT` runs seeds and prints a line of JSON each; tests start it so on every core.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import crowd
import life
import reviewers
import virtual
import world
from loguru import logger

from healer import engine, project
from healer.daemon import watching
from healer.dispatch import attempts
from healer.store import connection

US: Final = virtual.US
FAULTS_S: Final = 110.0
CALM_S: Final = 165.0
LOG: Final = """
CREATE TEMP TABLE change (n INTEGER PRIMARY KEY, unit INTEGER, world_us INTEGER, at_us INTEGER, what TEXT, id TEXT, old TEXT, new TEXT, audit INTEGER);
CREATE TEMP TRIGGER run_made AFTER INSERT ON main.run BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, old, new) VALUES (unit(), world_us(), journal_us(), 'run', new.id, '', new.state); END;
CREATE TEMP TRIGGER run_moved AFTER UPDATE OF state ON main.run WHEN old.state <> new.state BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, old, new) VALUES (unit(), world_us(), journal_us(), 'run', new.id, old.state, new.state); END;
CREATE TEMP TRIGGER attempt_moved AFTER UPDATE OF state ON main.attempt WHEN old.state <> new.state BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, old, new) VALUES (unit(), world_us(), journal_us(), 'attempt', new.token, old.state, new.state); END;
CREATE TEMP TRIGGER ramp_begun AFTER INSERT ON main.ramp BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, new) VALUES (unit(), world_us(), journal_us(), 'ramp', new.scope, new.since_us); END;
CREATE TEMP TRIGGER ramp_begun_anew AFTER UPDATE ON main.ramp BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, new) VALUES (unit(), world_us(), journal_us(), 'ramp', new.scope, new.since_us); END;
CREATE TEMP TRIGGER ramp_over AFTER DELETE ON main.ramp BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, new) VALUES (unit(), world_us(), journal_us(), 'ramp', old.scope, ''); END;
CREATE TEMP TRIGGER alert_made AFTER INSERT ON main.alert BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, old, new) VALUES (unit(), world_us(), journal_us(), 'alert', new.key, new.source, new.seen_us); END;
CREATE TEMP TRIGGER alert_spoken_of AFTER UPDATE OF seen_us ON main.alert BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, old, new) VALUES (unit(), world_us(), journal_us(), 'alert', new.key, new.source, new.seen_us); END;
CREATE TEMP TRIGGER audit_made AFTER INSERT ON main.audit BEGIN
  INSERT INTO change (unit, world_us, at_us, what, id, new, audit) VALUES (unit(), world_us(), journal_us(), 'audit', '', '', new.seq); END;
"""
"""Every change of a state with the unit of work that made it, and every audit record."""
ASKED: Final = """
CREATE TEMP TABLE asked (n INTEGER, world_us INTEGER, at_us INTEGER, id TEXT, run TEXT, state TEXT, rule TEXT, action TEXT, labels TEXT,
                         requester TEXT, revision INTEGER, turn INTEGER, what TEXT, targets TEXT);
CREATE TEMP TRIGGER approval_asked AFTER INSERT ON main.approval BEGIN
  INSERT INTO asked SELECT (SELECT max(n) FROM change), world_us(), new.asked_us, new.id, r.id, new.state, r.rule, r.action, r.labels, new.requester,
    r.revision, r.turn, json_array(r.action, r.kind, r.subject, r.controller, r.parameters, r.dry_run),
    (SELECT json_group_array(t.target) FROM main.run_target t WHERE t.run = r.id AND t.state <> 'left_out') FROM main.run r WHERE r.id = new.run;
END;
CREATE TEMP TRIGGER approval_moved AFTER UPDATE OF state ON main.approval WHEN old.state <> new.state BEGIN
  INSERT INTO asked (n, world_us, at_us, id, run, state)
  VALUES ((SELECT max(n) FROM change), world_us(), journal_us(), new.id, new.run, new.state); END;
"""
"""Every request for a person's word, with what was asked for, and each change of its state. `n`: the change that came last before."""


@dataclasses.dataclass(slots=True)
class Seen:
    """All that is judged."""

    seed: int
    raw: sqlite3.Connection
    known: Mapping[str, project.Revision]
    world: world.World
    crowd: crowd.Crowd
    calm_us: int
    crashes: int
    steps: int
    jumped: bool
    errors: list[str]
    files: list[tuple[int, bool]]
    """When the file PAUSE came (True) and went."""
    said: list[reviewers.Said]

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """What is committed."""
        return self.raw.execute(sql, parameters).fetchall()


class Simulation:
    """Of a seed. `endings`: how many lives end by a crash."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draw = random.Random(f"{seed}/simulation")
        self.clock = virtual.Clock()
        self.world = world.World(seed, self.clock)
        self.raw = connection.open_writer(connection.MEMORY)
        self.raw.execute(
            "INSERT INTO instance (one, uid, epoch, created_us, pid, started_us) VALUES (1, ?, 0, 0, 0, 0)",
            (f"{seed:032x}",),
        )
        self.unit = 0
        self.raw.create_function("unit", 0, lambda: self.unit)
        self.raw.create_function("world_us", 0, lambda: self.clock.now_us)
        self.raw.create_function("journal_us", 0, lambda: self.life.store.writer.tx.now_us if self.life else 0)
        self.raw.executescript(LOG + ASKED)
        self.life: life.Life | None = None
        self.crowd = crowd.Crowd(self.world, self._ask)
        self.world.look = self._look
        self.known = life.revisions()
        self.reviewers = reviewers.Reviewers(self.crowd, self.rows, self.known)
        self.revision = "base"
        self.crashes_left = self.draw.choice((0, 1, 2, 3, 4, 5))
        self.over = False
        self.stopping = False
        self.crashes = self.steps = 0
        self.jumped = False
        self.errors: list[str] = []

    def rows(self, sql: str) -> list[Any]:
        """What is committed now."""
        return self.raw.execute(sql).fetchall()

    def plan(self) -> None:
        """What is to happen."""
        draw, people = self.draw, self.crowd
        people.plan_problems(draw.choice((3, 8, 14, 20)), FAULTS_S)
        people.plan_events(draw.choice((0, 5, 15)), FAULTS_S)
        if draw.random() < 0.2:
            people.plan_burst(draw.random() * FAULTS_S, 25)
        more = {"reload": self._reload, "stop": self._stop, "jump": self._jump, "full": self._fill}
        people.mend = self._mend
        self.reviewers.plan(draw.choice((0, 1, 3)), FAULTS_S)
        people.plan_people(draw.choice((0, 4, 10, 16)), FAULTS_S, self.rows, more)
        self.clock.after(FAULTS_S, self._calm)
        for at in (6, 14, 22, 30, 45, 60, 80):
            self.clock.after(FAULTS_S + at, self._help)
        self.clock.after(FAULTS_S + 70, self._last_words)
        self.clock.after(FAULTS_S + CALM_S, self._end)

    def run(self) -> Seen:
        """To the end."""
        self.plan()
        while not self.over:
            ending = self._ending()
            self.life = life.Life(
                self.world, self.raw, self.known, self.revision, lambda: self.crowd.paused_by_file, ending
            )  # fmt: skip
            self._count_units(self.life.wire)
            self.world.say(f"life {self.world.life} begins")
            self.stopping = False
            try:
                self.life.run()
                if self.life.failed:
                    self.errors.append(self.life.failed)
            except virtual.Crashed as crash:
                self.crashes += 1
                self.world.say(f"life {self.world.life} ends: {crash}")
            self.steps += self.life.loop.steps
            self.life.die()
            self.life = None
            if self.errors:
                break
            if not self.over:
                self.clock.turn(self.clock.now_us)
                self._sleep(self.draw.choice((0.0, 0.1, 2.0, 8.0)) * self.draw.random())
        return Seen(
            self.seed, self.raw, self.known, self.world, self.crowd, round(FAULTS_S * US), self.crashes, self.steps, self.jumped, self.errors, self.crowd.files,
            self.reviewers.said,
        )  # fmt: skip

    def _ending(self) -> life.Ending:
        if self.world.calm or self.crashes_left <= 0:
            return life.Ending()
        self.crashes_left -= 1
        kind = self.draw.random()
        if kind < 0.25:
            return life.Ending(steps=self.draw.randint(1, 120))
        if kind < 0.65:
            return life.Ending(steps=self.draw.randint(100, 2500))
        return life.Ending(statements=self.draw.choice((self.draw.randint(1, 150), self.draw.randint(100, 6000))))

    def _sleep(self, seconds: float) -> None:
        """Nobody lives for a while, and the world goes on."""
        until_us = self.clock.now_us + round(seconds * US)
        while not self.over and self.clock.turn(until_us):
            pass

    def _count_units(self, wire: virtual.Wire) -> None:
        execute = wire.execute

        def counting(sql: str, parameters: Any = ()) -> Any:
            if sql == "BEGIN IMMEDIATE":
                self.unit += 1
            return execute(sql, parameters)

        wire.execute = counting  # type: ignore[method-assign]

    def _look(self, token: str) -> Any:
        """What is committed of an attempt at this moment."""

        def one(sql: str, *parameters: Any) -> dict[str, Any] | None:
            cursor = self.raw.execute(sql, parameters)
            row = cursor.fetchone()
            return None if row is None else dict(zip([column[0] for column in cursor.description], row, strict=True))

        attempt = one("SELECT * FROM attempt WHERE token = ?", token)
        run = one("SELECT * FROM run WHERE id = ?", attempt["run"]) if attempt else None
        (intents,) = self.raw.execute(
            "SELECT count(*) FROM audit WHERE kind = 'intent' AND run = ? AND json_extract(record, '$.token') = ?",
            (token.rpartition("-")[0], token),
        ).fetchone()  # fmt: skip
        assert self.life is not None
        return attempt, run, intents, self.raw.in_transaction, self.life.clock()

    def _ask(self, work: Callable[[Any], Any]) -> bool:
        if self.life is None or not self.life.ready or self.stopping or self.life.intake.stopped:
            return False
        self.life.do(work(self.life))
        return True

    # --- what happens -------------------------------------------------------------------------------------------------------

    def _reload(self) -> None:
        name = self.draw.choice(("base", "tight", "tight", "watching"))
        self._reload_to(name)

    def _reload_to(self, name: str) -> None:
        self.revision = name
        self.crowd.person("reload", name, lambda daemon: daemon.reload(self.known[name], "ana"))

    def _mend(self) -> None:
        if not self.world.calm:
            self._reload_to("base" if self.revision == "tight" else "tight")

    def _stop(self) -> None:
        drain = self.draw.choice((0.0, 3.0, 30.0))

        async def work(daemon: Any) -> None:
            self.stopping = True
            await daemon.stop(drain)
            daemon.loop.stop()

        if not self.world.calm:
            self.crowd.person("stop", str(drain), work)

    def _jump(self) -> None:
        seconds = self.draw.choice((-3600, -30, 30, 3600))
        self.clock.wall_ahead_us += seconds * US
        self.jumped = True
        self.world.say(f"the wall clock jumps by {seconds} s")

    def _fill(self) -> None:
        if self.life is not None:
            self.life.wire.full_at = self.draw.randint(1, 60)

    def _calm(self) -> None:
        """Faults stop, people put back what they did, alerts do not change by themselves any more."""
        self.world.say("calm")
        self.world.calm = True
        self.crowd.turn_file("")
        self._help()

    def _help(self) -> None:
        """People look after what waits for them."""
        if self.life is not None:
            self.life.loop._ready.left = self.life.wire.left = -1
        if self.revision != "base":
            self._reload_to("base")
        for (scope,) in self.rows("SELECT scope FROM pause ORDER BY scope"):
            self.crowd.person("resume", scope, lambda daemon, one=scope: daemon.switch.resume(one, actor="ana"))
        for (run,) in self.rows("SELECT id FROM run WHERE state = 'unknown' ORDER BY id"):
            word = self.draw.choice(("succeeded", "failed", "queued"))
            self.crowd.person(
                "resolve", run, lambda daemon, one=run, as_=word: daemon.people.resolve(one, as_, actor="ana", reason="c")
            )  # fmt: skip

    def _last_words(self) -> None:
        self.crowd.still = True

    def _end(self) -> None:
        self.over = True
        self.world.say("the end")
        if self.life is not None:
            self.life.loop.stop()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No log; compiled rules are kept; the watch looks less often, which moves nothing but time."""
    logger.disable("healer")
    before, engine.compile_in_slices = engine.compile_in_slices, life.compile_once
    look_s, watching.LOOK_S = watching.LOOK_S, 2.0  # type: ignore[misc]
    silence_s, attempts.SILENCE_S = attempts.SILENCE_S, 4.0
    try:
        yield
    finally:
        engine.compile_in_slices = before
        watching.LOOK_S = look_s  # type: ignore[misc]
        attempts.SILENCE_S = silence_s
        logger.enable("healer")


def simulate(seed: int, made: Callable[[int], Simulation] = Simulation) -> Seen:
    """What a seed leads to."""
    with quiet():
        one = made(seed)
        with virtual.no_real_time(one.clock):
            return one.run()


def judged(seed: int) -> dict[str, Any]:
    """What a seed shows: `broken` invariants, `errors` of the daemon, the `digest` of its trace."""
    import invariants

    try:
        seen = simulate(seed)
        found = {"seed": seed, "broken": invariants.broken(seen), "errors": seen.errors, "digest": seen.world.digest()}
        found |= {
            "steps": seen.steps,
            "crashes": seen.crashes,
            "effects": len(seen.world.effects),
            "trace": seen.world.trace,
        }
        seen.raw.close()
    except Exception:  # noqa: BLE001 - a checker or a world that fails is told with its seed
        found = {"seed": seed, "broken": [], "errors": [traceback.format_exc()], "digest": "", "trace": []}
    return found


def main() -> None:
    """Seeds FIRST … FIRST + COUNT - 1, every STEP-th of them; a line of JSON each."""
    first, count, step = (int(word) for word in sys.argv[1:4])
    for seed in range(first, first + count, step):
        found = judged(seed)
        found["trace"] = found["trace"][-TRACE_LINES:] if found["broken"] or found["errors"] else []
        print(json.dumps(found), flush=True)  # noqa: T201 - read by the test


TRACE_LINES: Final = 120

if __name__ == "__main__":
    sys.modules["simulating"] = sys.modules["__main__"]
    main()
