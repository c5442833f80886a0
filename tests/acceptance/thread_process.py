"""The thin thread as a process: journal → decide → claim → script under the shim → outcome. `test_thread.py` kills it.

Arguments: data directory, project directory, how many events to post. It prints the run's state once that has ended.
"""

from __future__ import annotations

import asyncio
import pathlib
import sys
import time
import types
from typing import Any

from healer import decide, dispatch, intake, model, plugins, policy, store, testing
from healer.decide import acting, alerts, evaluating, recovery
from healer.store import deciding

RULEBOOK = """
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: full
      condition: event.alert.name == "Disk"
      action: {run_action: {name: clean, target: "{{ event.alert.target }}"}}
"""
STANDING = policy.Standing(enabled=True, mode="active")
ENTRY = types.SimpleNamespace(
    controller="here",
    kind="script",
    subject="scripts/clean.sh",
    target="required",
    idempotent=False,
    parameters_of=dict,
)


class Standing:
    """Everything is allowed."""

    mode: model.Mode = "active"

    def paused(self, rule: str) -> None:
        """Nothing is paused."""

    def forbidden(self, *asked: Any) -> list[policy.Problem]:
        """Nothing is forbidden."""
        return []

    def limits(self, entry: Any, controller: Any) -> policy.Limits:
        """Wide ones."""
        return policy.Limits(max_age_s=900, attempts=3, timeout_s=120)

    def upstream_limits(self, controller: str) -> policy.Limits:
        """None."""
        return policy.Limits()

    def at_decision(self, rule: str, controller: str, problems: tuple[policy.Problem, ...]) -> policy.Standing:
        """As always."""
        return STANDING


class Revision:
    """One action, one controller, any host."""

    settings = types.SimpleNamespace(defaults=types.SimpleNamespace(upstream=types.SimpleNamespace(chain_depth=10)))
    catalog = types.SimpleNamespace(entries={"clean": ENTRY})
    controllers: dict[str, Any] = {"here": None}  # noqa: RUF012
    default_controller = "here"
    ansible_controller = ""

    def resolve_target(self, controller: str, text: str) -> model.Target:
        """Any name is a local host."""
        return model.Target("host", text, text, local=True)

    def inventory_name(self, controller: str) -> str:
        """There is none."""
        return "no inventory"

    def expand_hosts(self, controller: str, hosts: Any) -> tuple[list[model.Target], list[str]]:
        """As they are."""
        return [self.resolve_target(controller, host) for host in hosts], []

    def playbook(self, name: str) -> None:
        """There is none."""


def clock() -> int:
    """Wall clock in µs."""
    return time.time_ns() // 1000


def evaluator(opened: store.Store, known: alerts.Alerts) -> evaluating.Evaluator:
    """The rulebook's rules, empty."""
    running = [evaluating.Running("act", compiled) for compiled in testing.load(RULEBOOK)]
    actor = acting.Actor(Revision(), Standing(), lambda level, message, fields: None)
    return evaluating.Evaluator(
        opened.uid, running, {"healer.api": ["act/rs"]}, known, actor, {}, {"healer.api": "healer.api"}
    )


async def main(data_dir: pathlib.Path, project: pathlib.Path, events: int) -> None:
    """Start, post, run until every run has ended."""
    box: dict[str, Any] = {}
    opened = store.Store.open(
        data_dir,
        clock,
        loop=asyncio.get_running_loop(),
        on_rows=lambda rows: box["decider"].tail.feed(rows) if box else None,
    )
    known = alerts.Alerts(await opened.reader.all("alerts_state"))
    ((at),) = [row["seq"] for row in await opened.reader.all("position_find", 0)]
    recovered = await recovery.recover(opened, at, lambda _: _made(opened, known)) or evaluator(opened, known)
    standing_of = lambda row: STANDING  # noqa: E731

    async def files(number: int) -> pathlib.Path:
        return project

    controller = plugins.find("controllers", "local").CONTROLLER
    here = controller(
        controller.Options(), plugins.ControllerContext("here", lambda _: model.Secret("", ""), lambda *_: None)
    )
    dispatcher = dispatch.Dispatcher(
        opened, standing_of, controllers=lambda: {"here": here}, revision_dir=files, work_dir=data_dir / "work", clock=clock,
        secret_values=list, on_changed=lambda changed, look_us: None,
    )  # fmt: skip
    _, number = await opened.submit(deciding.UseRevision("e" * 64, "", "daemon", {}))
    decider = decide.Decider(
        opened,
        recovered,
        number,
        standing_of,
        position=at,
        on_decided=lambda _: dispatcher.wake(),
        tick=asyncio.Event().wait,
        clock=clock,
    )
    ((last),) = [row["seq"] for row in await opened.reader.select("SELECT max(seq) AS seq FROM journal", [])]
    decider.tail.committed = last
    box["decider"] = decider
    print("found", await dispatcher.recover(), flush=True)
    tasks = [asyncio.create_task(decider.run()), asyncio.create_task(dispatcher.run())]
    taking = intake.Intake(opened, clock, lambda: 0)
    for n in range(events):
        alert = {"name": "Disk", "target": f"web{n}", "key": f"k{n}", "status": "firing"}
        await taking.take("healer.api", [({"alert": alert}, None)], actor="key:test")
        print("accepted", n, flush=True)
    while True:
        runs = await opened.reader.select("SELECT state FROM run", [])
        if runs and all(run["state"] in ("succeeded", "failed", "unknown") for run in runs):
            break
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.wait(tasks, timeout=0.02)
    print("ended", sorted(run["state"] for run in runs), flush=True)
    await decider.stop()
    await dispatcher.stop(10)
    await asyncio.gather(*tasks)
    await opened.close()


async def _made(opened: store.Store, known: alerts.Alerts) -> evaluating.Evaluator:
    return evaluator(opened, known)


if __name__ == "__main__":
    asyncio.run(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])))
