"""Who talks to the daemon: senders of alerts and events, and people who pause, cancel, resolve, silence at random moments.

Each asks as `web` would, hears an answer or none (the daemon died meanwhile), and remembers both.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import orjson
import virtual
import world

from healer import errors, plugins
from healer.policy import labels
from healer.store import breaking, silencing

US: Final = virtual.US
REPEAT_S: Final = 25.0
HOSTS: Final = (*(f"web0{n}" for n in range(1, 9)), "db01", "db02", "db03", "edge01")
ALERTS: Final = ("Disk", "Disk", "Disk", "Down", "Down", "Flap", "Many", "Odd", "Rack")


@dataclasses.dataclass(slots=True)
class Sent:
    """One attempt at a delivery. `answer`: accepted | duplicate | refused | none."""

    number: int
    source: str
    body: bytes
    delivery: str
    at_us: int
    answer: str = "none"
    positions: tuple[int, ...] = ()
    error: str = ""


@dataclasses.dataclass(slots=True)
class Act:
    """What a person asked for. `answered_us`: None where no answer came."""

    kind: str
    what: str
    asked_us: int
    life: int
    answered_us: int | None = None
    result: Any = None
    error: str = ""


@dataclasses.dataclass(slots=True)
class Problem:
    """Something on a host that a sender tells of while it is there."""

    name: str
    host: str
    severity: str
    source: str
    fires: bool = False
    since: int = 0
    openings: int = 0
    more: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.name}-{self.host}"


class Crowd:
    """One a seed. `ask(work)` gives a request to the daemon that lives, False where none does."""

    def __init__(self, scene: world.World, ask: Callable[[Callable[[Any], Coroutine[Any, Any, None]]], bool]) -> None:
        self.world = scene
        self.clock = scene.clock
        self.ask = ask
        self.draw = random.Random(f"{scene.seed}/crowd")
        self.sent: list[Sent] = []
        self.acts: list[Act] = []
        self.problems: dict[str, Problem] = {}
        self.silences: list[str] = []
        self.paused_by_file = ""
        self.mend: Callable[[], None] = lambda: None
        """A reload that changes what rules there are."""
        self.files: list[tuple[int, bool]] = []
        """When the file PAUSE came (True) and went."""
        self.still = False
        """Alerts do not change any more."""
        self.format: plugins.Format = plugins.find("formats", "alertmanager").FORMAT
        scene.on_healed = self._healed
        scene.on_beginning = self._between

    # --- senders ----------------------------------------------------------------------------------------------------------

    def plan_problems(self, count: int, until_s: float) -> None:
        """Problems that begin and end."""
        draw = self.draw
        for _ in range(count):
            name, host = draw.choice(ALERTS), draw.choice((*HOSTS, *HOSTS, "ghost"))
            problem = Problem(
                name, host, draw.choice(("critical", "warning", "info")), draw.choice(("am", "am", "healer.api"))
            )
            if problem.key in self.problems:
                continue
            problem.more = {"rack": draw.choice("12")} | ({"when": "night"} if draw.random() < 0.15 else {})
            problem.more |= {"care": "yes"} if draw.random() < 0.25 else {}
            self.problems[problem.key] = problem
            at_s = draw.random() * until_s * 0.8
            for _ in range(draw.randint(3, 5) if name == "Flap" else draw.choice((1, 1, 2))):
                self.clock.after(at_s, lambda one=problem: self._turn(one, True))
                at_s += draw.choice((1.0, 5.0, 15.0, 60.0)) * (0.3 + draw.random())
                if draw.random() < 0.7:
                    self.clock.after(at_s, lambda one=problem: self._turn(one, False))
                    at_s += draw.random() * 10
            self.clock.after(draw.random() * REPEAT_S, lambda one=problem: self._repeat(one))

    def plan_events(self, count: int, until_s: float) -> None:
        """Events that are no alerts."""
        draw = self.draw
        for number in range(count):
            host = draw.choice(HOSTS)
            event = draw.choice(
                ({"ping": host}, {"left": number % 3}, {"right": number % 3}, {"begun": number}, {"done": number - 1})
            )
            self.clock.after(draw.random() * until_s, lambda one=dict(event): self.send("healer.api", one))

    def plan_burst(self, at_s: float, count: int) -> None:
        """Many at once."""
        for number in range(count):
            host = HOSTS[number % len(HOSTS)]
            problem = self.problems.setdefault(f"Disk-{host}", Problem("Disk", host, "warning", "am"))
            self.clock.after(at_s + self.draw.random() * 3, lambda one=problem: self._turn(one, True))

    def _turn(self, problem: Problem, fires: bool) -> None:
        if self.still or problem.fires == fires:
            return
        problem.fires = fires
        if fires:
            problem.openings += 1
        problem.since = self.clock.now_us
        self.tell(problem)

    def _repeat(self, problem: Problem) -> None:
        if self.still:
            return
        if problem.fires or self.draw.random() < 0.3:
            self.tell(problem, lose=0.1)
        self.clock.after(REPEAT_S, lambda: self._repeat(problem))

    def _healed(self, effect: world.Effect) -> None:
        wanted = {"clean": ("Disk",), "reboot": ("Disk", "Flap"), "restart": ("Down", "Flap"), "failover": ("Many",)}
        for target in effect.targets:
            host = target.partition(":")[2]
            for name in wanted.get(effect.job.action, ("one", "two", "three", "four")):
                problem = self.problems.get(f"{name}-{host}")
                if (
                    problem is not None
                    and problem.fires
                    and random.Random(f"{self.world.seed}/{effect.token}/{host}").random() < 0.75
                ):
                    self.clock.after(0.5, lambda one=problem: self._turn(one, False))

    def tell(self, problem: Problem, lose: float = 0.05) -> None:
        """Its sender says how it is now."""
        status = "firing" if problem.fires else "resolved"
        names = {"alertname": problem.name, "severity": problem.severity, "instance": problem.host, **problem.more}
        alert = {
            "status": status, "labels": names, "annotations": {}, "fingerprint": problem.key, "startsAt": f"t{problem.openings}",
            "endsAt": "" if problem.fires else f"t{problem.since}",
        }  # fmt: skip
        (element,) = self.format.read({"alerts": [alert], "status": status})
        event = dict(element.event)
        if problem.name == "Many":
            event["hosts"] = [problem.host, *HOSTS[:5]] if problem.host != "ghost" else [*HOSTS[:3], "ghost"]
        if problem.name == "Odd":
            event["n"] = "no number" if problem.host < "web05" else 5
        if self.draw.random() < lose:
            return
        self.send(problem.source, event, repeat=element.repeat if problem.source == "am" else "")

    def send(self, source: str, event: dict[str, Any], *, repeat: str = "", actor: str = "key:sender") -> None:
        """With an id where the sender gives one; again until it is answered, and now and then once more."""
        number = len(self.sent)
        delivery = f"d{number}" if source == "healer.api" else ""
        body = orjson.dumps(event)
        again = self.draw.random() < 0.15
        self._send(source, body, delivery, repeat, 8, again, actor)

    def _send(self, source: str, body: bytes, delivery: str, repeat: str, left: int, again: bool, actor: str) -> None:
        one = Sent(len(self.sent), source, body, delivery, self.clock.now_us)
        self.sent.append(one)

        def later(seconds: float, tries: int, more: bool) -> None:
            if tries:
                self.clock.after(seconds, lambda: self._send(source, body, delivery, repeat, tries, more, actor))

        async def deliver(daemon: Any) -> None:
            given = {"repeats": [repeat]} if repeat else {}
            try:
                taken = await daemon.intake.take(
                    source, [(orjson.loads(body), body)], actor=actor, delivery=delivery, **given
                )
            except errors.HealerError as error:
                one.answer, one.error = "refused", error.code
                return
            one.answer = "duplicate" if taken.duplicates else "accepted"
            one.positions = tuple(taken.positions)

        asked = self.ask(deliver)
        wait = 1.0 + self.draw.random() * 2

        def heard() -> None:
            if one.answer in ("none", "refused"):
                later(wait, left - 1, again)
            elif again:
                later(self.draw.random() * 20, 1, False)

        self.clock.after(0.5 if asked else 0.0, heard)

    # --- people -------------------------------------------------------------------------------------------------------------

    def person(self, kind: str, what: str, work: Callable[[Any], Awaitable[Any]]) -> Act:
        """A person asks for something."""
        act = Act(kind, what, self.clock.now_us, self.world.life)
        self.acts.append(act)
        self.world.say(f"person: {kind} {what}")

        async def asking(daemon: Any) -> None:
            try:
                act.result = await work(daemon)
            except (errors.HealerError, silencing.TooMany) as error:
                act.error = getattr(error, "code", "too-many")
            act.answered_us = self.clock.now_us
            self.world.say(f"answered: {kind} {what} {act.error or 'done'}")

        if not self.ask(asking):
            act.error = "nobody"
        return act

    def plan_people(
        self, count: int, until_s: float, rows: Callable[[str], list[Any]], more: dict[str, Callable[[], None]]
    ) -> None:
        """`more`: other things that may happen at a random moment, by name."""
        acts: dict[str, Callable[[], Any]] = {
            "pause": self._pause, "resume": self._resume, "file": self._file, "silence": self._silence, "unsilence": self._unsilence,
            "cancel": lambda: self._cancel(rows), "resolve": lambda: self._resolve(rows), "release": lambda: self._release(rows),
            "breaker": lambda: self._close(rows),
        } | more  # fmt: skip
        names = [*acts, "pause", "resume", "cancel", "cancel", "resolve", "resolve", "resume"]
        for _ in range(count):
            name = self.draw.choice(names)
            self.clock.after(self.draw.random() * until_s, lambda one=name: acts[one]())

    def _between(self, job: Any, delay_s: float) -> None:
        """Now and then a person comes between a claim and its effect."""
        draw = random.Random(f"{self.world.seed}/{job.token}/between")
        if delay_s < 0.1 or self.world.calm or draw.random() > 0.12:
            return
        if draw.random() < 0.5:
            self.clock.after(delay_s * 0.7, self._pause)
        else:
            run = job.run_id
            work = functools.partial(
                self.person, "cancel", run, lambda daemon: daemon.people.cancel(run, actor="ana", reason="c")
            )
            self.clock.after(delay_s * 0.7, work)

    def _scope(self) -> str:
        return self.draw.choice(SCOPES)

    def _pause(self) -> None:
        scope, cancel = self._scope(), self.draw.random() < 0.2
        for_s, changed = self.draw.choice(((None, False), (None, True), (20.0, False)))
        if changed:
            self.clock.after(2 + self.draw.random() * 15, self.mend)
        self.person(
            "pause",
            scope,
            lambda daemon: daemon.switch.pause(
                scope, actor="ana", reason="r", for_s=for_s, until_changed=changed, cancel=cancel
            ),
        )

    def _resume(self) -> None:
        held = [act.what for act in self.acts if act.kind == "pause"]
        scope = self.draw.choice(held) if held else "all"
        self.person("resume", scope, lambda daemon: daemon.switch.resume(scope, actor="ana"))

    def _file(self) -> None:
        self.turn_file("" if self.paused_by_file else "by hand")

    def turn_file(self, text: str) -> None:
        """The file PAUSE comes or goes."""
        if text != self.paused_by_file:
            self.paused_by_file = text
            self.files.append((self.clock.now_us, bool(text)))
            self.world.say(f"the file PAUSE: {text or 'gone'}")

    def _silence(self) -> None:
        text = self.draw.choice(("alertname=Disk", 'instance=~"web.*"', "action=restart", "severity=critical"))
        length_us = self.draw.choice((5, 20, 60)) * US

        async def work(daemon: Any) -> None:
            now_us = daemon.clock() + daemon.clock.ahead_us()
            unit = silencing.Silence([labels.parse(text)], now_us, now_us + length_us, "ana", "c")
            self.silences.append(await daemon.store.submit(unit))

        self.person("silence", text, work)

    def _unsilence(self) -> None:
        if self.silences:
            one = self.draw.choice(self.silences)

            async def work(daemon: Any) -> None:
                if await daemon.store.submit(silencing.EndSilence(one, "ana")):
                    await daemon._look_again()

            self.person("unsilence", one, work)

    def _cancel(self, rows: Callable[[str], list[Any]]) -> None:
        open_ = "'queued', 'running', 'deferred', 'verifying', 'unknown', 'awaiting_approval'"
        found = rows(f"SELECT id FROM run WHERE state IN ({open_}) ORDER BY id")
        if found:
            run = self.draw.choice(found)[0]
            self.person("cancel", run, lambda daemon: daemon.people.cancel(run, actor="ana", reason="c"))

    def _resolve(self, rows: Callable[[str], list[Any]], word: str = "") -> None:
        found = rows("SELECT id FROM run WHERE state = 'unknown' ORDER BY id")
        if found:
            run, state = self.draw.choice(found)[0], word or self.draw.choice(("succeeded", "failed", "queued"))
            self.person("resolve", run, lambda daemon: daemon.people.resolve(run, state, actor="ana", reason="c"))

    def _release(self, rows: Callable[[str], list[Any]]) -> None:
        found = rows("SELECT target FROM lock ORDER BY target")
        if found:
            target = self.draw.choice(found)[0]
            self.person("release", target, lambda daemon: daemon.people.release(target, actor="ana", reason="c"))

    def _close(self, rows: Callable[[str], list[Any]]) -> None:
        found = rows("SELECT action, controller FROM breaker ORDER BY action, controller")
        if found:
            action, controller = self.draw.choice(found)
            self.person(
                "breaker",
                f"{action} {controller}",
                lambda daemon: daemon.store.submit(breaking.Close(action, controller, "ana", "")),
            )


SCOPES: Final = (
    "all", "controller:a", "controller:b", "ruleset:ops/alerts", "rule:ops/alerts/disk", "rule:ops/alerts/down", "activation:ops",
)  # fmt: skip
