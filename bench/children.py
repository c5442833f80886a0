"""What the shim costs: a command and a playbook through their controllers, above the same without us."""

from __future__ import annotations

import asyncio
import pathlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import bars
import daemons

from healer import model, plugins

COMMANDS: Final = 20
PLAYBOOKS: Final = 5
NOW: Final = ("/bin/date", "+%s%N")
NOTHING: Final = ("/bin/true",)
PLAYBOOK: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: one}
    - ansible.builtin.command: /bin/true
    - ansible.builtin.debug: {msg: two}
"""


def measure_shim(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Pairs of bare and shimmed commands."""
    folder.mkdir(parents=True)
    return asyncio.run(_shim(folder, COMMANDS if scale >= 1 else 5))


async def _shim(folder: pathlib.Path, rounds: int) -> list[bars.Result]:
    controller = _controller("local", folder)
    exec_ms, whole_ms = [], []
    for number in range(-1, rounds):  # the first warms up
        bare_exec, _ = await _ran(_bare(NOW))
        exec_, _ = await _ran(_through(controller, "command", NOW, folder, f"date-{number}"))
        _, bare_whole = await _ran(_bare(NOTHING))
        _, whole = await _ran(_through(controller, "command", NOTHING, folder, f"true-{number}"))
        if number >= 0:
            exec_ms.append(exec_ - bare_exec)
            whole_ms.append(whole - bare_whole)
    return [bars.Result("shim-exec", exec_ms), bars.Result("shim-whole", whole_ms)]


def measure_ansible(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """Pairs of bare and shimmed playbooks."""
    (folder / "playbooks").mkdir(parents=True)
    (folder / "playbooks" / "nothing.yml").write_text(PLAYBOOK)
    (folder / "inventory").write_text(
        f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    )
    return asyncio.run(_ansible(folder, PLAYBOOKS if scale >= 1 else 1))


async def _ansible(folder: pathlib.Path, rounds: int) -> list[bars.Result]:
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    bare = (str(program), "-i", str(folder / "inventory"), str(folder / "playbooks" / "nothing.yml"))
    controller = _controller("ansible", folder)
    above_ms, bare_ms = [], []
    for number in range(-1, rounds):  # the first warms up
        _, without = await _ran(_bare(bare))
        _, whole = await _ran(_through(controller, "playbook", "nothing.yml", folder, f"playbook-{number}"))
        if number >= 0:
            above_ms.append(whole - without)
            bare_ms.append(without)
    note = f"bare: {sorted(bare_ms)[len(bare_ms) // 2]:.0f} ms"
    return [bars.Result("ansible", above_ms, note)]


async def _ran(run: Callable[[], Awaitable[str]]) -> tuple[float, float]:
    """(ms from the call to the time that the child printed, ms until it had ended)."""
    called_ns, started = time.time_ns(), time.perf_counter()
    printed = (await run()).strip()
    whole_ms = (time.perf_counter() - started) * 1e3
    return (int(printed) - called_ns) / 1e6 if printed.isdigit() else 0.0, whole_ms


def _bare(argv: Sequence[str]) -> Callable[[], Awaitable[str]]:
    async def run() -> str:
        done = subprocess.run(argv, check=True, capture_output=True, text=True)  # noqa: ASYNC221 - nothing else runs
        return done.stdout

    return run


def _through(
    controller: plugins.Controller, kind: Any, subject: Any, folder: pathlib.Path, token: str
) -> Callable[[], Awaitable[str]]:
    heard: list[bytes] = []
    targets = (model.Target("host", "localhost", "localhost", local=True),)
    job = model.Job(
        token=token, run_id=token, action="measured", kind=kind, subject=subject, parameters={},
        targets=targets if kind == "playbook" else (), deadline_s=120.0, revision_dir=str(folder), work_dir=str(folder / token),
    )  # fmt: skip

    async def run() -> str:
        outcome = await controller.run(job, lambda stream, piece: heard.append(piece) if stream == "stdout" else None)
        if outcome.state != "succeeded":
            raise daemons.MeasureFailedError(f"{kind} {subject}: {outcome.state}, {outcome.summary}")
        return b"".join(heard).decode()

    return run


def _controller(kind: str, folder: pathlib.Path) -> plugins.Controller:
    found: Any = plugins.find("controllers", kind, folder)
    plugin = getattr(found, "CONTROLLER", found)

    def no_secret(reference: plugins.SecretRef) -> model.Secret:
        raise daemons.MeasureFailedError(f"nothing here asks for the secret {reference.secret}")

    context = plugins.ControllerContext(name=kind, resolve=no_secret, log=lambda *_: None, project_dir=folder)
    made: plugins.Controller = plugin(plugin.Options(), context)
    return made
