"""`local`: scripts and commands on the machine that the daemon runs on.

One job is one child, also with several targets: a token stands for one effect. The child runs under the shim, so the
daemon may die meanwhile. How a script gets its parameters is told in docs/controllers.md.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any, Final

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _shimmed

VALUE_BYTES_MAX: Final = 32 << 10
VALUES_BYTES_MAX: Final = 512 << 10
TARGETS_BYTES_MAX: Final = 100 << 10
"""The kernel takes 128 KiB a variable."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_BY_SUFFIX: Final[dict[str, list[str]]] = {".py": [sys.executable], ".sh": ["/bin/sh"]}


class LocalOptions(plugins.Options):
    """A local controller has no options."""


class Local(plugins.Controller):
    """Runs scripts of the project, and commands given as argument lists, never through a shell."""

    Options = LocalOptions
    kinds = frozenset({"script", "command"})

    def __init__(self, options: LocalOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.children = _shimmed.Children(self.prepare, self.judge)

    async def check(self) -> model.Health:
        """Usable wherever /proc is, since that is how a child is found again."""
        if not os.access("/proc/self/stat", os.R_OK):
            return model.Health(False, "/proc is not mounted; children could not be found again after a crash")
        return model.Health(True, "scripts and commands run on this machine")

    async def plan(self, job: model.Job) -> model.Plan:
        """The argument list and the names of the variables; nothing is run."""
        argv = argv_of(job)
        names = sorted({*_shimmed.environment(job), *parameter_variables(job.parameters), *target_variables(job)})
        steps = [shlex.join(argv), f"environment: {' '.join(names)}"]
        if job.kind == "script":
            steps.append(f"standard input: {json.dumps(_shimmed.hide(job.parameters), ensure_ascii=False)}")
        return model.Plan(tuple(str(target) for target in job.targets), tuple(steps))

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Run it and follow it; cancelling the task ends the child."""
        outcome: model.Outcome = await self.children.run(job, output)
        return outcome

    async def find(self, job: model.Job) -> model.Found:
        """What became of it after a crash."""
        found: model.Found = await self.children.find(job)
        return found

    async def withhold(self, job: model.Job) -> bool:
        """Keep it from starting where it has not."""
        never: bool = await self.children.withhold(job)
        return never

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Take up a child that still runs."""
        outcome: model.Outcome = await self.children.follow(job, output)
        return outcome

    def prepare(self, job: model.Job, folder: pathlib.Path) -> jobs.Spec:
        """The child: parameters on standard input and, as far as they fit, in the environment."""
        if job.kind == "command" and job.dry_run:
            raise _shimmed.RefusedJob(reason="a command cannot be run dry: it is not told that nothing may happen")
        env = _shimmed.environment(job) | target_variables(job)
        if job.kind == "script":
            env |= parameter_variables(job.parameters)
            stdin = json.dumps(_shimmed.reveal(job.parameters), ensure_ascii=False).encode()
        else:
            stdin = b""
        return jobs.Spec(argv_of(job), env, job.revision_dir, job.deadline_s, stdin)

    def judge(self, job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended) -> model.Outcome:
        """Exit 0 is success; a last line that is JSON is the result."""
        status = ended.status
        stdout = folder / "stdout"
        cut = status.truncated and stdout.exists() and stdout.stat().st_size >= jobs.OUTPUT_BYTES
        return model.Outcome(
            ended.state,
            ended.summary,
            status.exit_code,
            None if cut else _shimmed.result_of(stdout),
            {str(target): ended.state for target in job.targets},
            status.truncated,
            status.seconds,
        )


def argv_of(job: model.Job) -> list[str]:
    """What is executed. Raises `RefusedJob`: no such script, outside of scripts/, nothing that could run it."""
    if job.kind == "command":
        if not isinstance(job.subject, tuple) or not job.subject or not job.subject[0]:
            raise _shimmed.RefusedJob(reason=f"a command is a list of arguments, got {job.subject!r}")
        return list(job.subject)
    if job.kind != "script" or not isinstance(job.subject, str):
        raise _shimmed.RefusedJob(reason=f"the controller local cannot do {job.kind} {job.subject!r}")
    return _script_argv(_shimmed.inside(job.revision_dir, job.subject, ["scripts"]))


def _script_argv(path: pathlib.Path) -> list[str]:
    with path.open("rb") as file:
        head = file.read(256)
    interpreter = shebang(head)
    if os.access(path, os.X_OK) and (interpreter or head.startswith(b"\x7fELF")):
        return [str(path)]
    found = interpreter or _BY_SUFFIX.get(path.suffix)
    if not found:
        hint = "give it a first line like #!/bin/sh, or the suffix .py or .sh"
        raise _shimmed.RefusedJob(reason=f"nothing says what runs {path.name}: {hint}")
    return [*found, str(path)]


def shebang(head: bytes) -> list[str]:
    """The interpreter and its one argument, as the kernel splits them (execve(2)); empty where there is none."""
    line, end, _ = head.partition(b"\n")
    if not line.startswith(b"#!") or (not end and len(head) == 256):
        return []
    interpreter, _, argument = line[2:].decode("utf-8", "surrogateescape").strip(" \t\r").partition(" ")
    return [interpreter, *([argument.strip()] if argument.strip() else [])] if interpreter else []


def target_variables(job: model.Job) -> dict[str, str]:
    """`HEALER_TARGET` (names joined by commas) and `HEALER_TARGETS_JSON`. Raises `RefusedJob` where they do not fit."""
    if not job.targets:
        return {}
    names = [target.inventory_name or target.name for target in job.targets]
    made = {"HEALER_TARGET": ",".join(names), "HEALER_TARGETS_JSON": json.dumps(names, ensure_ascii=False)}
    if len(made["HEALER_TARGETS_JSON"].encode()) > TARGETS_BYTES_MAX:
        raise _shimmed.RefusedJob(reason=f"{len(names)} targets are more than one script can be told of")
    return made


def parameter_variables(parameters: Mapping[str, Any]) -> dict[str, str]:
    """`HEALER_PARAM_<NAME>` for each parameter that fits: no NUL, 32 KiB each, 512 KiB together, a name that is one.

    Two parameters whose names differ in case alone get none: the script could not tell which it sees.
    """
    made: dict[str, str] = {}
    seen: set[str] = set()
    bytes_left = VALUES_BYTES_MAX
    for name in sorted(parameters):
        variable = f"HEALER_PARAM_{name.upper()}"
        value = _shimmed.reveal(parameters[name])
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        size = len(text.encode("utf-8", "surrogateescape"))
        if variable in seen:
            made.pop(variable, None)
        elif _NAME.fullmatch(name) and "\0" not in text and size <= min(VALUE_BYTES_MAX, bytes_left):
            made[variable] = text
            bytes_left -= size
        seen.add(variable)
    return made


CONTROLLER = Local
