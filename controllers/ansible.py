"""`ansible`: playbooks and modules, by a real ansible-playbook under the shim.

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
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

import pydantic

from healer import errors, model, plugins
from healer.child import jobs
from healer.controllers import _events, _outcome, _playbook, _shimmed, _tied

CHECK_LIMIT_S: Final = 30.0
VERBOSITY_MAX: Final = 5

# What ansible-runner adds to the environment. The rest of what it gives is the daemon's own, and is not taken.
_OF_RUNNER: Final = (
    "ANSIBLE_CACHE_PLUGIN", "ANSIBLE_CACHE_PLUGIN_CONNECTION", "ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_RETRY_FILES_ENABLED",
    "ANSIBLE_STDOUT_CALLBACK", "AWX_ISOLATED_DATA_DIR", "RUNNER_OMIT_EVENTS", "RUNNER_ONLY_FAILED_EVENTS",
)  # fmt: skip
_VARIABLES: Final = "vars.yml"
_VAULT: Final = "vault"
_TASK: Final = "task.yml"
_DISPLAY: Final = pathlib.Path(__file__).parent / "_display"
_SECRET_FILES: Final = (_VARIABLES, _VAULT, _TASK)


class AnsibleOptions(plugins.Options):
    """Where the inventory lies, and how playbooks are run."""

    inventory: str = pydantic.Field("inventory", min_length=1, description="a file or folder, relative to the project")
    vault_password: plugins.SecretRef | None = pydantic.Field(None, description="what ansible-vault files open with")
    forks: Annotated[int, pydantic.Field(ge=1, le=500)] | None = pydantic.Field(None, description="hosts at a time")
    collections: str | None = pydantic.Field(None, description="a folder of collections, relative to the project")
    run_on: str | None = pydantic.Field(None, description="another machine to run on; not supported yet")

    @pydantic.field_validator("run_on")
    @classmethod
    def _not_yet(cls, value: str | None) -> str | None:
        if value is not None:
            raise ValueError("running on another machine is not supported yet; playbooks run here")
        return value


class _Dry(NamedTuple):
    """A run that changed nothing: its command for people, what it printed, its end in a line, whether it went well."""

    command: str
    text: str
    summary: str
    went_well: bool


class Ansible(plugins.Controller):
    """Runs playbooks and modules on the targets alone (`--limit`)."""

    Options = AnsibleOptions
    kinds = frozenset({"playbook", "module"})
    needs_inventory = True
    packages = types.MappingProxyType({"ansible_runner": "ansible"})

    def __init__(self, options: AnsibleOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.children = _shimmed.Children(self.prepare, self.judge, _through, _SECRET_FILES)

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
        """Whether ansible-playbook starts and the project's inventory can be read."""
        try:
            program = executable("ansible-playbook")
        except errors.MissingExtra as error:
            return model.Health(False, f"{error.message}; {error.try_}")
        code, said = await _ask([program, "--version"], {})
        if code != 0:
            return model.Health(False, _shimmed.one_line(f"ansible-playbook --version: {said}"))
        inventory = self.context.project_dir / self.options.inventory
        if not inventory.exists():
            return model.Health(False, f"there is no inventory {self.options.inventory!r} in the project")
        strict = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True"}
        code, read = await _ask([executable("ansible-inventory"), "-i", str(inventory), "--list"], strict)
        if code != 0:
            return model.Health(False, _shimmed.one_line(f"the inventory cannot be read: {read}"))
        return model.Health(True, f"{said.splitlines()[0]}, inventory {self.options.inventory}")

    async def plan(self, job: model.Job) -> model.Plan:
        """The hosts that Ansible would act on, and what its own check mode says would change on them."""
        pathlib.Path(job.work_dir).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        base = pathlib.Path(tempfile.mkdtemp(prefix="plan-", dir=pathlib.Path(job.work_dir).parent))
        try:
            listing = await self._dry(job, base / "hosts", ("--list-hosts",))
            if not listing.went_well:
                return model.Plan((), (listing.command, f"its hosts cannot be listed: {listing.summary}"), listing.text)
            checking = await self._dry(job, base / "check", ("--check", "--diff"))
        finally:
            await asyncio.to_thread(shutil.rmtree, base, ignore_errors=True)
        steps = (listing.command, f"check mode: {checking.summary}")
        return model.Plan(_hosts(listing.text), steps, checking.text, exact=checking.went_well)

    async def _dry(self, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...]) -> _Dry:
        """A run that changes nothing. It ends with the daemon, and leaves nothing at work where it is cut off."""
        heard = bytearray()
        spec, status = await _tied.run(
            folder, lambda: self.prepare(job, folder, flags), lambda _stream, piece: heard.extend(piece)
        )
        command = _for_people(spec.argv, flags, folder, job.revision_dir)
        outcome = self.judge(job, folder, _shimmed.ended(status, folder))
        text = _events.unmarked(bytes(heard)).decode("utf-8", "replace")
        return _Dry(command, text, outcome.summary, status.exit_code == 0)

    def prepare(self, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...] = ()) -> jobs.Spec:
        """The command as ansible-runner makes it, with a private home, our variables in a file, and the limit."""
        root = pathlib.Path(job.revision_dir).resolve()
        limit: str = _playbook.limit_of(job)
        playbook = self._playbook(job, folder, hosts="all" if limit else "localhost")
        texts = [_shimmed.reveal(job.extra.get("extra_vars") or {})]
        if job.kind == "playbook":
            texts.append(_shimmed.reveal(job.parameters))
        if "ansible_eda" in job.extra:
            texts.append({"ansible_eda": job.extra["ansible_eda"]})
        jobs.write_private(folder / _VARIABLES, _playbook.variables(*texts).encode())
        env = _shimmed.environment(job) | self._environment(root, folder)
        runner = _runner_config()(
            private_data_dir=str(folder / "ansible"), project_dir=str(root), ident="run", playbook=str(playbook),
            inventory=str(self._inventory(root, job) if limit else _nothing(folder)), limit=limit or None,
            extravars=str(folder / _VARIABLES), verbosity=_verbosity(job), forks=self.options.forks, envvars=dict(env),
        )  # fmt: skip
        runner.prepare()
        command = [executable(runner.command[0]), *_flags(job), *flags, *runner.command[1:]]
        env = {**{name: runner.env[name] for name in _OF_RUNNER if name in runner.env}, **env}
        env["ANSIBLE_CALLBACK_PLUGINS"] = _paths(runner.env["ANSIBLE_CALLBACK_PLUGINS"], _DISPLAY)
        return jobs.Spec(command, env, str(root), job.deadline_s, remove=_SECRET_FILES)

    def _playbook(self, job: model.Job, folder: pathlib.Path, hosts: str) -> pathlib.Path | str:
        """The file to run, or the name of a collection's playbook, which Ansible looks up itself."""
        if not isinstance(job.subject, str):
            raise _shimmed.RefusedJob(reason=f"a {job.kind} is named by a text, got {job.subject!r}")
        if job.kind == "playbook" and _playbook.OF_COLLECTION.fullmatch(job.subject):
            return job.subject
        if job.kind == "playbook":
            found: pathlib.Path = _shimmed.inside(job.revision_dir, job.subject, ["playbooks"])
            return found
        text = _playbook.one_task(job.subject, _shimmed.reveal(job.parameters), hosts)
        jobs.write_private(folder / _TASK, text.encode())
        return folder / _TASK

    def _inventory(self, root: pathlib.Path, job: model.Job) -> pathlib.Path:
        """Its own, or that of the activation."""
        wanted = str(job.extra.get("inventory") or self.options.inventory)
        path: pathlib.Path = (root / wanted).resolve()
        if not path.exists() or not path.is_relative_to(root):
            raise _shimmed.RefusedJob(reason=f"the revision has no inventory {wanted!r}")
        return path

    def _environment(self, root: pathlib.Path, folder: pathlib.Path) -> dict[str, str]:
        made = _private(folder) | {"MAX_EVENT_RES": "65536", "AWX_LIB_DIRECTORY": ""}
        home = pathlib.Path(os.environ.get("HOME") or "/nonexistent")
        if self.options.vault_password is not None:
            secret = self.context.resolve(self.options.vault_password)
            jobs.write_private(folder / _VAULT, secret.reveal().encode())
            made["ANSIBLE_VAULT_PASSWORD_FILE"] = str(folder / _VAULT)
        if home.is_dir():  # sockets of ssh are shared between jobs, and their paths have to be short
            made["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(home / ".ansible" / "cp")
        if (root / "ansible.cfg").is_file():
            made["ANSIBLE_CONFIG"] = str(root / "ansible.cfg")
        else:
            (folder / "ansible.cfg").touch()
            made["ANSIBLE_CONFIG"] = str(folder / "ansible.cfg")
            made["ANSIBLE_ROLES_PATH"] = _paths(root / "roles", home / ".ansible/roles", "/usr/share/ansible/roles")
        own = root / (self.options.collections or "collections")
        if self.options.collections or not (root / "ansible.cfg").is_file():
            made["ANSIBLE_COLLECTIONS_PATH"] = _paths(
                own, home / ".ansible/collections", "/usr/share/ansible/collections"
            )
        return made

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


# --- what the command is made of ----------------------------------------------------------------------------------------


def executable(name: str) -> str:
    """The program beside our Python, or on the path. Raises `errors.MissingExtra`."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if not found:
        raise errors.MissingExtra(
            what="the controller ansible", package=name, try_="pip install 'auto-healer[ansible]'"
        )
    return found


def _runner_config() -> Any:
    """Imported when it is first needed: it costs a start 60 ms."""
    try:
        from ansible_runner import runner_config
    except ImportError as error:
        package = error.name or "ansible-runner"
        raise errors.MissingExtra(
            what="the controller ansible", package=package, try_="pip install 'auto-healer[ansible]'"
        ) from error
    return runner_config.RunnerConfig


def _flags(job: model.Job) -> list[str]:
    check = job.dry_run or job.extra.get("check") is True
    diff = job.dry_run or job.extra.get("diff") is True
    return [flag for flag, wanted in (("--check", check), ("--diff", diff)) if wanted]


def _verbosity(job: model.Job) -> int:
    given = job.extra.get("verbosity")
    return min(max(given, 0), VERBOSITY_MAX) if isinstance(given, int) else 0


def _for_people(argv: Sequence[str], flags: Sequence[str], folder: pathlib.Path, revision_dir: str) -> str:
    """The command as it would run, without the flags of the plan and with paths as in the project."""
    root = pathlib.Path(revision_dir).resolve()
    shown = [one for one in argv if one not in flags]
    return shlex.join([one.replace(f"{folder}/", "").replace(f"{root}/", "") for one in shown])


def _nothing(folder: pathlib.Path) -> pathlib.Path:
    """An inventory of nobody: `localhost` alone is there of itself."""
    path = folder / "no-hosts.ini"
    path.touch()
    return path


def _private(folder: pathlib.Path) -> dict[str, str]:
    """A home of its own, a UTF-8 locale (Ansible refuses any other), and none of the daemon's settings."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    utf8 = {} if "utf-8" in locale.lower() or "utf8" in locale.lower() else {"LC_ALL": "C.UTF-8"}
    for name in ("home", "tmp"):
        (folder / name).mkdir(mode=0o700)
    return utf8 | {
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_CALLBACK_PLUGINS": "",
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
    }


def _paths(*paths: pathlib.Path | str) -> str:
    return os.pathsep.join(str(path) for path in paths)


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


async def _ask(argv: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and output of a short question to Ansible."""
    with tempfile.TemporaryDirectory(prefix="healer-ansible-") as folder:
        base = {name: os.environ[name] for name in _shimmed.ENVIRONMENT_TAKEN if name in os.environ}
        own = _private(pathlib.Path(folder))
        del own["ANSIBLE_STDOUT_CALLBACK"]
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**base, **own, **env},
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), CHECK_LIMIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            return -1, f"no answer within {CHECK_LIMIT_S:g} s"
        return process.returncode or 0, said.decode("utf-8", "replace").strip()


CONTROLLER = Ansible
