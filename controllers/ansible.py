"""`ansible`: playbooks, modules and roles, by a real ansible-playbook under the shim.

ansible-runner makes the command and its callback tells of events; the child itself is ours, so that the daemon may die
meanwhile. Everything runs from the revision's folder with its own inventory, and nothing of this machine's Ansible
settings is taken. What is written for Ansible stands in `_playbook`; what it leaves behind is read in `_events` and judged in
`_outcome`.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import shlex
import shutil
import tempfile
import types
from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple

import pydantic

from healer import errors, model, plugins, quoting
from healer.child import jobs
from healer.controllers import _ansible_command, _events, _outcome, _run_on, _shimmed, _ssh_pool, _tied

CHECK_LIMIT_S: Final = 30.0
TAIL_BYTES: Final = 64 << 10
LINE_MAX: Final = 4_096
_OF_PROGRAM: Final = "Standard error from inventory script:"
"""What ansible-core 2.19 writes above that; older ones have it in the line that says what failed."""


class AnsibleOptions(plugins.Options):
    """Where the inventory lies, and how playbooks are run."""

    inventory: str = pydantic.Field("inventory", min_length=1, description="a file or folder, relative to the project")
    vault_password: plugins.SecretRef | None = pydantic.Field(None, description="what ansible-vault files open with")
    forks: Annotated[int, pydantic.Field(ge=1, le=500)] | None = pydantic.Field(None, description="hosts at a time")
    collections: str | None = pydantic.Field(None, description="a folder of collections, relative to the project")
    run_on: (
        Annotated[str, pydantic.StringConstraints(pattern=r"^[^:]+:.+$"), plugins.Wanted("CONTROLLER:HOST")] | None
    ) = pydantic.Field(
        None, description="the machine that playbooks run on, as CONTROLLER:HOST: that of a controller `ssh`"
    )


class Unlisted(errors.HealerError):
    """{reason}"""

    code = "unlisted-hosts"


class _Dry(NamedTuple):
    """A run that changed nothing: its command for people, what it printed, its end, whether Ansible says that it went well, and whether
    it came as far as a task."""

    command: str
    text: str
    end: model.Outcome
    went_well: bool
    began: bool

    @property
    def fails(self) -> str:
        """Why the run itself would be refused or fail, where that is sure: a task may fail in check mode alone, and what Ansible broke
        off with before any is not of check mode."""
        end = self.end
        stats = (end.result or {}).get("stats")
        unreached = any(counts["unreachable"] for counts in (stats or {}).values())
        broke = stats is None and not self.began and end.summary.startswith(_outcome.ERRORS)
        sure = end.refused or unreached or broke or self.went_well
        return end.summary if sure and (end.refused or unreached or end.state == "failed") else ""


class Ansible(plugins.Controller):
    """Runs playbooks, modules and roles on the targets alone (`--limit`)."""

    Options = AnsibleOptions
    kinds = frozenset({"playbook", "module", "role"})
    needs_inventory = True
    lists_hosts = True
    machines = ("run_on",)
    packages = types.MappingProxyType({"ansible_runner": "ansible"})

    def __init__(self, options: AnsibleOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.commands = _ansible_command.Commands(options, context)
        secret_files = _ansible_command.SECRET_FILES
        self.away: _run_on.Away | None = None
        if (named := options.run_on) is not None:
            self.away = _run_on.Away(
                lambda: context.reach(named), self.commands.away, self.judge, _through, secret_files
            )
        self.children = self.away or _shimmed.Children(self.prepare, self.judge, _through, secret_files)

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Run it and follow it; cancelling the task ends the playbook."""
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
        """Take up a playbook that still runs."""
        outcome: model.Outcome = await self.children.follow(job, output)
        return outcome

    async def check(self) -> model.Health:
        """Whether ansible-playbook starts, there or here, and the project's inventory can be read, as far as it is read here."""
        inventory = self.context.project_dir / self.options.inventory
        if not inventory.exists():
            return model.Health(False, f"there is no inventory {self.options.inventory!r} in the project")
        if self.away:
            return await self._there(self.away)
        try:
            program = _ansible_command.executable("ansible-playbook")
        except errors.MissingExtra as error:
            return model.Health(False, f"{error.message}; {error.try_}")
        code, said = await _ask(program, "--version")
        if code != 0:
            return model.Health(False, _shimmed.one_line(f"ansible-playbook --version: {said}"))
        with tempfile.TemporaryDirectory(prefix="healer-ansible-") as folder:
            try:
                await self.list_hosts(self.options.inventory, pathlib.Path(folder, "hosts"))
            except errors.HealerError as error:
                why = "; ".join(filter(None, (error.message, error.try_)))
                return model.Health(False, _shimmed.one_line(f"the inventory cannot be read: {why}"))
        return model.Health(True, f"{said.splitlines()[0]}, inventory {self.options.inventory}")

    async def _there(self, away: _run_on.Away) -> model.Health:
        try:
            _ansible_command.runner_config()
            return model.Health(True, f"{await away.check()}, inventory {self.options.inventory}")
        except errors.HealerError as error:
            return model.Health(False, _shimmed.one_line("; ".join(filter(None, (error.message, error.try_)))))
        except (_run_on.Refused, _ssh_pool.Unreachable) as error:
            return model.Health(False, _shimmed.one_line(str(error)))

    async def plan(self, job: model.Job) -> model.Plan:
        """The hosts that Ansible would act on, and what its own check mode says would change on them."""
        pathlib.Path(job.work_dir).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        base = pathlib.Path(tempfile.mkdtemp(prefix="plan-", dir=pathlib.Path(job.work_dir).parent))
        try:
            listing = await self._dry(job, base / "hosts", ("--list-hosts",))
            if not listing.went_well:
                why = listing.end.summary
                fails = why if listing.end.state == "failed" else ""
                steps = (listing.command, f"its hosts cannot be listed: {why}")
                return model.Plan((), steps, listing.text, fails=fails)
            checking = await self._dry(job, base / "check", ("--check", "--diff"))
        finally:
            await asyncio.to_thread(shutil.rmtree, base, ignore_errors=True)
        steps = (listing.command, f"check mode: {checking.end.summary}")
        return model.Plan(_hosts(listing.text), steps, checking.text, exact=checking.went_well, fails=checking.fails)

    async def _dry(self, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...]) -> _Dry:
        """A run that changes nothing. It ends with the daemon, and leaves nothing at work where it is cut off."""
        if self.away:
            return await self._dry_there(self.away, job, folder, flags)
        heard = bytearray()
        spec, status = await _tied.run(
            folder, lambda: self.prepare(job, folder, flags), lambda _stream, piece: heard.extend(piece)
        )
        command = _for_people(spec.argv, flags, folder, job.revision_dir)
        began = bool(_events.begun(folder / _outcome.EVENTS))
        outcome = self.judge(job, folder, _shimmed.ended(status, folder))
        text = _events.unmarked(bytes(heard)).decode("utf-8", "replace")
        return _Dry(command, text, outcome, status.exit_code == 0, began)

    async def _dry_there(
        self, away: _run_on.Away, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...]
    ) -> _Dry:
        await asyncio.to_thread(jobs.make, folder)
        parcel = await asyncio.to_thread(self.commands.away, job, folder, flags)
        ended, said = await away.dry(job, folder, parcel)
        argv = [one.replace(f"{_run_on.WORK}/", "").replace(f"{_run_on.REVISION}/", "") for one in parcel.argv]
        command = f"on {self.options.run_on}: {shlex.join([one for one in argv if one not in flags])}"
        began = bool(await asyncio.to_thread(_events.begun, folder / _outcome.EVENTS))
        outcome = await asyncio.to_thread(self.judge, job, folder, ended)
        text = _events.unmarked(said).decode("utf-8", "replace")
        return _Dry(command, text, outcome, ended.status.exit_code == 0, began)

    async def list_hosts(self, inventory: str, folder: pathlib.Path) -> pathlib.Path:
        """By ansible-inventory on this machine, which ends with the daemon."""
        root = self.context.project_dir
        spec, status = await _tied.run(
            folder, lambda: self.commands.listing(inventory, root, folder), lambda _stream, _piece: None
        )
        if status.timed_out:
            raise Unlisted(reason=f"ansible-inventory took longer than {spec.timeout_s:g} s")
        if status.truncated:
            raise Unlisted(reason=f"ansible-inventory printed more than {spec.output_max_bytes >> 20} MiB")
        if status.exit_code != 0:
            raise Unlisted(reason=f"ansible-inventory: {await asyncio.to_thread(_said, status, folder)}")
        return folder / "stdout"

    def prepare(self, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...] = ()) -> jobs.Spec:
        """What runs on this machine."""
        spec: jobs.Spec = self.commands.here(job, folder, flags)
        return spec

    def judge(self, job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended) -> model.Outcome:
        """The end by host."""
        for name in ("home", "tmp"):  # first, since that gives space
            shutil.rmtree(folder / name, ignore_errors=True)
        made = _outcome.of(job, folder, ended)
        return model.Outcome(
            exit_code=ended.status.exit_code, truncated=ended.status.truncated, seconds=ended.status.seconds, **made
        )


def _through(output: plugins.Output) -> jobs.Output:
    streams: dict[Literal["stdout", "stderr"], _events.Unmarked] = {
        "stdout": _events.Unmarked(),
        "stderr": _events.Unmarked(),
    }

    def hand_on(stream: Literal["stdout", "stderr"], piece: bytes) -> None:
        if shown := streams[stream].feed(piece):
            output(stream, shown)

    return hand_on


def _said(status: jobs.Status, folder: pathlib.Path) -> str:
    """How ansible-inventory ended, with the first that it said of what it could not read (what follows is what else it tried), and the
    last that a program of the inventory said then. It is one line, and not cut short: the daemon masks the secrets that it knows first."""
    words = _shimmed.tail(folder / "stderr", TAIL_BYTES).decode("utf-8", "replace").splitlines()
    why = next((line.removeprefix("[WARNING]: ") for line in words if "Failed to parse" in line), "")
    if not why:
        return str(_shimmed.ended(status, folder).summary)
    last = ""
    for line in words[words.index(_OF_PROGRAM) + 1 :] if _OF_PROGRAM in words else ():
        if line.startswith(("[WARNING]", "[ERROR]")):
            break
        last = line[:LINE_MAX] if line.strip() else last
    told = f"exit {status.exit_code}: {why[:LINE_MAX]}" + (f" It said: {last}" if last else "")
    return quoting.printed_line(told)


def _for_people(argv: Sequence[str], flags: Sequence[str], folder: pathlib.Path, revision_dir: str) -> str:
    """The command as it would run, without the flags of the plan and with paths as in the project."""
    root = pathlib.Path(revision_dir).resolve()
    shown = [one for one in argv if one not in flags]
    return shlex.join([one.replace(f"{folder}/", "").replace(f"{root}/", "") for one in shown])


def _hosts(listing: str) -> tuple[str, ...]:
    """The hosts of `--list-hosts`: below each `hosts (N):`, indented further."""
    found: list[str] = []
    inside = 0
    for line in listing.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip().startswith("hosts ("):
            inside = indent
        elif inside and indent > inside and line.strip():
            found.append(line.strip())
        else:
            inside = 0
    return tuple(sorted(set(found)))


async def _ask(*argv: str) -> tuple[int, str]:
    """Exit code and output of a short question to Ansible, with none of this machine's settings."""
    with tempfile.TemporaryDirectory(prefix="healer-ansible-") as folder:
        base = {name: os.environ[name] for name in _shimmed.ENVIRONMENT_TAKEN if name in os.environ}
        own = _ansible_command.private(pathlib.Path(folder)) | _ansible_command.no_config(pathlib.Path(folder))
        del own["ANSIBLE_STDOUT_CALLBACK"]
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**base, **own},
        )  # fmt: skip
        try:
            async with asyncio.timeout(CHECK_LIMIT_S):
                said, _ = await process.communicate()
        except TimeoutError:
            return -1, f"no answer within {CHECK_LIMIT_S:g} s"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, said.decode("utf-8", "replace").strip()


CONTROLLER = Ansible
