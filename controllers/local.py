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
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _local_bounds, _local_looks, _shimmed

VALUE_BYTES_MAX: Final = 32 << 10
VALUES_BYTES_MAX: Final = 512 << 10
TARGETS_BYTES_MAX: Final = 100 << 10
"""The kernel takes 128 KiB a variable."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_BY_SUFFIX: Final[dict[str, list[str]]] = {".py": [sys.executable], ".sh": ["/bin/sh"]}


Folder = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[^\x00-\x1f]+$", max_length=1000),
    plugins.Wanted("a folder of the project, or a path from the root"),
]
User = Annotated[
    str, pydantic.StringConstraints(pattern=r"^[a-z_][a-z0-9_.-]{0,31}$"), plugins.Wanted("the name of a user")
]


class LocalOptions(plugins.Options):
    """Where, as whom and within which limits children run."""

    cwd: Folder | None = pydantic.Field(
        None, description="where they start: relative to the project, or a path from the root; default the project"
    )
    user: User | None = pydantic.Field(
        None, description="who they run as; only root's daemon can; default the daemon's own"
    )
    limits: _local_bounds.Limits = pydantic.Field(
        default_factory=_local_bounds.Limits, description="what they may take at most"
    )

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        cwd = given.get("cwd")
        if not isinstance(cwd, str):
            return
        if ".." in cwd.split("/"):
            yield "cwd has to be a folder of the project, or a path from the root, without .."
        if given.get("user") is not None and not cwd.startswith("/"):
            yield "another user cannot go to the project's folder: cwd has to begin at the root, with user"


class Local(plugins.Controller):
    """Runs scripts of the project, and commands given as argument lists, never through a shell; makes checks, in the daemon itself."""

    Options = LocalOptions
    kinds = frozenset({"script", "command", _local_looks.KIND})

    def __init__(self, options: LocalOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.children = _shimmed.Children(self.prepare, self.judge)
        self.looks = _local_looks.Looks(context)

    async def check(self) -> model.Health:
        """Usable wherever /proc is, since that is how a child is found again."""
        if not os.access("/proc/self/stat", os.R_OK):
            return model.Health(False, "/proc is not mounted; children could not be found again after a crash")
        try:
            who = _local_bounds.account(self.options.user)
            if (cwd := self.options.cwd) is not None:
                await plugins.apart(cwd, lambda: _local_bounds.enter(cwd, who, self.context.project_dir))
        except (_local_bounds.Unusable, plugins.Blind) as error:
            return model.Health(False, str(error))
        as_whom = f" as {self.options.user}" if who is not None else ""
        return model.Health(True, f"scripts and commands run on this machine{as_whom}")

    async def plan(self, job: model.Job) -> model.Plan:
        """The argument list and the names of the variables, or what is looked at; nothing is run. Raises `RefusedJob`."""
        if job.kind == _local_looks.KIND:
            looked: model.Plan = self.looks.plan(job)
            return looked
        argv = argv_of(job)
        who = _who(self.options)
        env = {**_shimmed.environment(job), **(who.env if who else {}), **target_variables(job)}
        names = sorted({*env, *(parameter_variables(job.parameters) if job.kind == "script" else ())})
        steps = [shlex.join(argv), f"environment: {' '.join(names)}"]
        cwd = _local_bounds.folder(self.options.cwd, who, job.revision_dir)
        fails = ""
        try:
            await plugins.apart(cwd, lambda: _local_bounds.startable(argv, env, cwd))
        except (_local_bounds.Unusable, plugins.Blind) as error:
            fails = f"it cannot be run: {error}"
        if self.options.user or self.options.cwd:
            steps.append(f"as {self.options.user or 'the daemon'}, in {cwd}")
        if job.kind == "script":
            steps.append(f"standard input: {json.dumps(_shimmed.hide(job.parameters), ensure_ascii=False)}")
        return model.Plan(tuple(str(target) for target in job.targets), tuple(steps), fails=fails)

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Run it and follow it; cancelling the task ends the child, or the look."""
        looks = job.kind == _local_looks.KIND
        outcome: model.Outcome = await (self.looks if looks else self.children).run(job, output)
        return outcome

    async def find(self, job: model.Job) -> model.Found:
        """What became of it after a crash."""
        looks = job.kind == _local_looks.KIND
        found: model.Found = _local_looks.ABSENT if looks else await self.children.find(job)
        return found

    async def withhold(self, job: model.Job) -> bool:
        """Keep it from starting where it has not."""
        never: bool = job.kind == _local_looks.KIND or await self.children.withhold(job)
        return never

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Take up a child that still runs; a check is made again."""
        looks = job.kind == _local_looks.KIND
        outcome: model.Outcome = await (self.looks.run if looks else self.children.follow)(job, output)
        return outcome

    def prepare(self, job: model.Job, folder: pathlib.Path) -> jobs.Spec:
        """The child: parameters on standard input and, as far as they fit, in the environment."""
        if job.kind == "command" and job.dry_run:
            raise _shimmed.RefusedJob(reason="a command cannot be run dry: it is not told that nothing may happen")
        who = _who(self.options)
        env = _shimmed.environment(job) | (who.env if who else {}) | target_variables(job)
        if job.kind == "script":
            env |= parameter_variables(job.parameters)
            stdin = json.dumps(_shimmed.reveal(job.parameters), ensure_ascii=False).encode()
        else:
            stdin = b""
        cwd = _local_bounds.folder(self.options.cwd, who, job.revision_dir)
        return jobs.Spec(
            argv_of(job), env, cwd, job.deadline_s, stdin, limits=self.options.limits.plain(),
            account=who.numbers if who else (), script=job.kind == "script",
        )  # fmt: skip

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


def _who(options: LocalOptions) -> _local_bounds.Account | None:
    """Whom a child runs as; None: as the daemon. Raises `RefusedJob`."""
    try:
        return _local_bounds.account(options.user)
    except _local_bounds.Unusable as error:
        raise _shimmed.RefusedJob(reason=str(error)) from error


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
        head = file.read(_local_bounds.HEAD_BYTES)
    interpreter = _local_bounds.shebang(head)
    if os.access(path, os.X_OK) and (interpreter or head.startswith(b"\x7fELF")):
        return [str(path)]
    found = interpreter or _BY_SUFFIX.get(path.suffix)
    if not found:
        hint = "give it a first line like #!/bin/sh, or the suffix .py or .sh"
        raise _shimmed.RefusedJob(reason=f"nothing says what runs {path.name}: {hint}")
    return [*found, str(path)]


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
