"""A storm: 4,000 alerts in a minute, half of which end by themselves, while a rule is paused and the daemon is killed twice.

The project has a host for each alert and four rules on one action; its limits are written here once more for the checkers.
"""

from __future__ import annotations

import collections
import functools
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any, Final

import crowd
import life
import orjson
import simulating
import virtual
import world

from healer import project

US: Final = virtual.US
ALERTS: Final = 4_000 if int(os.environ.get("SEEDS") or 0) >= 1_000 else 1_000
"""Fewer where few seeds are simulated too."""
PLACES: Final = 60
RULES: Final = ("one", "two", "three", "four")
PAUSED: Final = "rule:storm/alerts/two"
PAUSE_S, RESUME_S, END_S = 20.0, 400.0, 1_500.0
WATCHED_S, EFFECT_S = 100.0, 120.0
FILES: Final = {
    "healer.yaml": f"""\
environment: sim
sources:
  am: {{healer.webhook: {{path: am, format: alertmanager, auth: none}}}}
storm: {{matches: 200 per minute, calm: 1 minute}}
defaults:
  run_action:
    max_age: 1 hour
    cooldown: 1 minute
    rate_limit: 100000 per hour
    blast_radius: none
    breaker: none
    concurrency: {{daemon: {PLACES}, controller: {PLACES}}}
    verify: {{resolved_within: 1 minute}}
""",
    "controllers.yaml": "controllers:\n  a: {type: local, inventory: inventory}\ndefault: a\n",
    "inventory/hosts": f"[all_of_them]\nh[0001:{ALERTS}]\n",
    "actions.yaml": 'actions:\n  heal: {command: ["true"], impact: low}\n',
    "rulebooks/storm.yml": "- name: alerts\n  hosts: all\n  sources: [{healer.source: {name: am}}]\n  rules:\n" + "".join(
        f"    - name: {name}\n      condition: event.alert.name == \"{name}\" and event.alert.status == \"firing\"\n"
        "      action: {run_action: {name: heal, target: \"{{ event.alert.target }}\"}}\n" for name in RULES
    ),
}  # fmt: skip


@functools.cache
def revisions(mode: str = "active") -> dict[str, project.Revision]:
    """The only one."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (FILES | {"healer.yaml": FILES["healer.yaml"] + f"mode: {mode}\n"}).items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        loaded = project.load(pathlib.Path(folder), {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return {"base": loaded.revision}


class Storm(simulating.Simulation):
    """As told above. Nothing hangs here: what is looked at is how many there are."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.known = revisions()
        self.world.calm = True
        self.crashes_left = 2

    def plan(self) -> None:
        """What is to happen."""
        people, draw = self.crowd, self.draw
        for number in range(1, ALERTS + 1):
            problem = crowd.Problem(draw.choice(RULES), f"h{number:04d}", draw.choice(("critical", "warning")), "am")
            people.problems[f"{problem.name}-{problem.host}"] = problem
            at_s = draw.random() * 60
            self.clock.after(at_s, lambda one=problem: people._turn(one, True))
            if number % 2:
                self.clock.after(at_s + draw.random() * 30, lambda one=problem: people._turn(one, False))
        self.clock.after(
            PAUSE_S,
            lambda: people.person("pause", PAUSED, lambda daemon: daemon.switch.pause(PAUSED, actor="ana", reason="r")),
        )
        self.clock.after(
            RESUME_S, lambda: people.person("resume", PAUSED, lambda daemon: daemon.switch.resume(PAUSED, actor="ana"))
        )
        self.clock.after(END_S, self._end)

    def _ending(self) -> life.Ending:
        if self.crashes_left <= 0:
            return life.Ending()
        self.crashes_left -= 1
        return life.Ending(steps=self.draw.randint(3_000, 9_000))


class Watched(Storm):
    """The same, which nothing kills, until all alerts have come: each effect takes longer than that, so that no outcome has a part in what
    is decided."""

    mode = "active"

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.known = revisions(self.mode)
        self.crashes_left = 0
        self.world.fate = lambda _: world.Fate(0.0, EFFECT_S, "succeeded", False, True, False, 0)  # type: ignore[method-assign]

    def plan(self) -> None:
        """As `Storm`, and then no more."""
        super().plan()
        self.clock.after(WATCHED_S, self._end)


class Observed(Watched):
    """By a daemon that only observes."""

    mode = "observe"


def verdicts(seen: simulating.Seen) -> list[tuple[str, str, str]]:
    """Of each match in its order: (rule, run, the reason of the gate that said no, or '' for none)."""
    rows = seen.rows("SELECT rule, run, outcome, reason, explanation FROM decision ORDER BY seq, n")
    return [
        (rule, run, orjson.loads(text)["would"] if outcome == "simulated" else reason)
        for rule, run, outcome, reason, text in rows
    ]


def healed_once(seen: simulating.Seen) -> Iterator[str]:
    """Every alert that still fires is healed, refused, or with a person; none is healed twice."""
    helped: collections.Counter[str] = collections.Counter()
    for effect in seen.world.effects.values():
        if effect.state == "succeeded":
            helped.update(effect.targets)
    yield from (f"{target} was healed {count} times" for target, count in helped.items() if count > 1)
    for source, key, target in seen.rows("SELECT source, key, target FROM alert WHERE status = 'firing'"):
        states = {
            state
            for (state,) in seen.rows(
                "SELECT r.state FROM run r JOIN run_alert a ON a.run = r.id WHERE a.source = ? AND a.key = ?",
                source,
                key,
            )
        }
        if not states & {"succeeded", "refused", "awaiting_approval", "unknown", "failed"}:
            yield f"{key} of {target} fires, and its runs are {sorted(states)}"


def places_hold(seen: simulating.Seen) -> Iterator[str]:
    """No limit is broken at any instant: the places of the daemon."""
    moments = sorted(
        (at_us, step)
        for one in seen.world.effects.values()
        if one.end_us != one.begin_us
        for at_us, step in ((one.begin_us, 1), (one.end_us or 1 << 62, -1))
    )
    under = 0
    for at_us, step in moments:
        under += step
        if under > PLACES:
            yield f"{under} effects at once at {at_us}"


def summed_up(seen: simulating.Seen) -> dict[str, Any]:
    """How it went, in figures."""
    states = dict(seen.rows("SELECT state || ':' || reason, count(*) FROM run GROUP BY 1"))
    storms = [orjson.loads(text) for (text,) in seen.rows("SELECT record FROM audit WHERE kind = 'storm'")]
    return {"states": states, "storms": len(storms), "effects": len(seen.world.effects), "crashes": seen.crashes}
