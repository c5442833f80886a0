"""The command of `ansible`, as ansible-runner makes it: with a private home, our variables in a file, and the limit; here or elsewhere."""

from __future__ import annotations

import configparser
import hashlib
import os
import pathlib
import shutil
import sys
from typing import Any, Final, NamedTuple

from healer import errors, model, plugins
from healer.child import jobs
from healer.controllers import _playbook, _run_on, _shimmed

VERBOSITY_MAX: Final = 5
LISTING_S: Final = 60.0
LISTING_KILL_S: Final = 2.0
LISTING_BYTES: Final = 16 << 20
# What ansible-runner adds to the environment. The rest of what it gives is the daemon's own, and is not taken.
_OF_RUNNER: Final = (
    "ANSIBLE_CACHE_PLUGIN", "ANSIBLE_CACHE_PLUGIN_CONNECTION", "ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_RETRY_FILES_ENABLED",
    "ANSIBLE_STDOUT_CALLBACK", "AWX_ISOLATED_DATA_DIR", "RUNNER_OMIT_EVENTS", "RUNNER_ONLY_FAILED_EVENTS",
)  # fmt: skip
_VARIABLES: Final = "vars.yml"
_VAULT: Final = "vault"
_TASK: Final = "task.yml"
_DISPLAY: Final = pathlib.Path(__file__).parent / "_display"
SECRET_FILES: Final = (_VARIABLES, _VAULT, _TASK)
_CONFIG: Final = "ansible.cfg"
_LOCALHOST: Final = "localhost"
_ALONE: Final = "HEALER_ALONE"
"""Whom `--limit` names has to be whom it takes: `_display.healer_alone`."""
_OF_PLANS: Final = "healer_plan"
_NO_HOSTS: Final = "no-hosts.ini"
_NOWHERE: Final = "/nonexistent"
_ENDING: Final = {"ansible_ssh_pipelining": False, "ansible_ssh_use_tty": True}
"""What a task does on a host behind Ansible's own ssh has to end with the run. sshd ends what has a terminal, and of what has none it only
closes the pipes; a module that comes by pipelining has none. Extra variables go before those of hosts, ansible.cfg and the environment."""


class _Made(NamedTuple):
    """`theirs`: variables of ansible-runner, which the job's own may replace; `own`: those that nothing replaces."""

    root: pathlib.Path
    argv: list[str]
    theirs: dict[str, str]
    own: dict[str, str]


class Commands:
    """Those of one controller, by its options."""

    def __init__(self, options: Any, context: plugins.ControllerContext) -> None:
        self.options = options
        self._resolve = context.resolve
        self._name = context.name

    def here(self, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...] = ()) -> jobs.Spec:
        """For the shim of this machine. Raises `RefusedJob`, `errors.MissingExtra`."""
        home = pathlib.Path(os.environ.get("HOME") or "/nonexistent")
        made = self._made(job, folder, flags, str(home) if home.is_dir() else "")
        places = _callbacks(made.root) if not flags else []
        made.own["ANSIBLE_CALLBACK_PLUGINS"] = _paths(made.theirs["ANSIBLE_CALLBACK_PLUGINS"], _DISPLAY, *places)
        env = {**made.theirs, **_shimmed.environment(job), **made.own}
        return jobs.Spec(
            [executable(made.argv[0]), *made.argv[1:]], env, str(made.root), job.deadline_s, remove=SECRET_FILES
        )

    def listing(self, inventory: str, root: pathlib.Path, folder: pathlib.Path) -> jobs.Spec:
        """What lists the hosts of an inventory as playbooks of the project see them. One source that cannot be read fails all of it."""
        root = root.resolve()
        home = pathlib.Path(os.environ.get("HOME") or _NOWHERE)
        own = self._environment(root, folder, str(home) if home.is_dir() else "")
        del own["ANSIBLE_STDOUT_CALLBACK"]  # of playbooks, from a folder of ansible-runner's
        own["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "True"
        argv = [executable("ansible-inventory"), "-i", str(inside(root, inventory)), "--list"]
        if (root / "playbooks").is_dir():
            argv += ["--playbook-dir", str(root / "playbooks")]
        env = _shimmed.taken() | own
        return jobs.Spec(
            argv, env, str(root), LISTING_S, output_max_bytes=LISTING_BYTES, kill_after_s=LISTING_KILL_S, remove=SECRET_FILES
        )  # fmt: skip

    def away(self, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...] = ()) -> _run_on.Parcel:
        """For another machine: its files are taken out of the folder. Raises as `here`."""
        folder = folder.resolve()
        try:
            made = self._made(job, folder, flags, _run_on.HOME)
            own = (*SECRET_FILES, _CONFIG, _NO_HOSTS)
            files = {name: _text(folder / name) for name in own if (folder / name).exists()}
        finally:
            jobs.scrub(folder, SECRET_FILES)
        of_project = _callbacks(made.root) if not flags else []
        made.own["ANSIBLE_CALLBACK_PLUGINS"] = _paths(f"{folder}/callbacks", *of_project)
        made.own.pop("LC_ALL", None)  # that machine has its own
        places = made.theirs["ANSIBLE_CALLBACK_PLUGINS"].split(os.pathsep)
        for place in [*filter(None, places), str(_DISPLAY)]:
            files |= {f"callbacks/{one.name}": _text(one) for one in pathlib.Path(place).glob("[!_]*.py")}

        def there(text: str) -> str:
            return text.replace(str(folder), _run_on.WORK).replace(str(made.root), _run_on.REVISION)

        env = {name: there(text) for name, text in made.theirs.items()} | _shimmed.variables(job)
        env |= {name: there(text) for name, text in made.own.items()}
        return _run_on.Parcel([there(one) for one in made.argv], env, files)

    def _made(self, job: model.Job, folder: pathlib.Path, flags: tuple[str, ...], home: str) -> _Made:
        root = pathlib.Path(job.revision_dir).resolve()
        limit: str = _playbook.limit_of(job)
        here = limit in ("", _LOCALHOST)  # which is not of `all` where Ansible has it of itself
        playbook = self._playbook(job, folder, hosts=_LOCALHOST if here else "all")
        texts = [_shimmed.reveal(job.extra.get("extra_vars") or {})]
        if job.kind in ("playbook", "role"):
            texts.append(_shimmed.reveal(job.parameters))
        if "ansible_eda" in job.extra:
            texts.append({"ansible_eda": job.extra["ansible_eda"]})
        texts.append(_ENDING)
        jobs.write_private(folder / _VARIABLES, _playbook.variables(*texts).encode())
        own = self._environment(root, folder, home)
        if job.targets:
            own[_ALONE] = "1"
        if (
            flags
        ):  # of a plan: else Ansible would look for what the project's ansible.cfg names, and warn that it is not there
            own["ANSIBLE_CALLBACKS_ENABLED"] = _OF_PLANS
        runner = runner_config()(
            private_data_dir=str(folder / "ansible"), project_dir=str(root), ident="run", playbook=str(playbook),
            inventory=str(self._inventory(root, job) if limit else _nothing(folder)), limit=limit or None,
            extravars=str(folder / _VARIABLES), verbosity=_verbosity(job), forks=self.options.forks, envvars=_shimmed.variables(job) | own,
        )  # fmt: skip
        runner.prepare()
        command = [runner.command[0], *_flags(job), *flags, *runner.command[1:]]
        return _Made(root, command, {name: runner.env[name] for name in _OF_RUNNER if name in runner.env}, own)

    def _playbook(self, job: model.Job, folder: pathlib.Path, hosts: str) -> pathlib.Path | str:
        """The file to run, or the name of a collection's playbook, which Ansible looks up itself."""
        if not isinstance(job.subject, str):
            raise _shimmed.RefusedJob(reason=f"a {job.kind} is named by a text, got {job.subject!r}")
        if job.kind == "playbook" and _playbook.OF_COLLECTION.fullmatch(job.subject):
            return job.subject
        if job.kind == "playbook":
            found: pathlib.Path = _shimmed.inside(job.revision_dir, job.subject, ["playbooks"])
            return found
        if job.kind == "role":
            text = _playbook.one_role(job.subject, hosts)
        else:
            text = _playbook.one_task(job.subject, _shimmed.reveal(job.parameters), hosts)
        jobs.write_private(folder / _TASK, text.encode())
        return folder / _TASK

    def _inventory(self, root: pathlib.Path, job: model.Job) -> pathlib.Path:
        """Its own, or that of the activation."""
        return inside(root, str(job.extra.get("inventory") or self.options.inventory))

    def _environment(self, root: pathlib.Path, folder: pathlib.Path, home: str) -> dict[str, str]:
        made = private(folder) | {"MAX_EVENT_RES": "65536", "AWX_LIB_DIRECTORY": ""}
        if self.options.vault_password is not None:
            secret = self._resolve(self.options.vault_password)
            jobs.write_private(folder / _VAULT, secret.reveal().encode())
            made["ANSIBLE_VAULT_PASSWORD_FILE"] = str(folder / _VAULT)
        if home:  # sockets of ssh are shared between the jobs of a controller (another one's has its own keys), and their paths are short
            whose = hashlib.sha256(f"{root.parent}\0{self._name}\0{self.options.inventory}".encode()).hexdigest()[:10]
            made["ANSIBLE_SSH_CONTROL_PATH_DIR"] = f"{home}/.ansible/cp/{whose}"
        if (root / "ansible.cfg").is_file():
            made["ANSIBLE_CONFIG"] = str(root / "ansible.cfg")
            if _said(root, "log_path"):  # it would lie in the revision, unmasked and for ever; '' would be a folder
                made["ANSIBLE_LOG_PATH"] = os.devnull
        else:
            made |= no_config(folder)
            made["ANSIBLE_ROLES_PATH"] = _paths(
                root / "roles", f"{home or _NOWHERE}/.ansible/roles", "/usr/share/ansible/roles"
            )
        own = root / (self.options.collections or "collections")
        if self.options.collections or not (root / "ansible.cfg").is_file():
            made["ANSIBLE_COLLECTIONS_PATH"] = _paths(
                own, f"{home or _NOWHERE}/.ansible/collections", "/usr/share/ansible/collections"
            )
        return made


# --- what it is made of ---------------------------------------------------------------------------------------------------


def executable(name: str) -> str:
    """The program beside our Python, or on the path. Raises `errors.MissingExtra`."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if not found:
        raise errors.MissingExtra(
            what="the controller ansible", package=name, try_="pip install 'auto-healer[ansible]'"
        )
    return found


def runner_config() -> Any:
    """Imported when it is first needed: it costs a start 60 ms."""
    try:
        from ansible_runner import runner_config
    except ImportError as error:
        package = error.name or "ansible-runner"
        raise errors.MissingExtra(
            what="the controller ansible", package=package, try_="pip install 'auto-healer[ansible]'"
        ) from error
    return runner_config.RunnerConfig


def inside(root: pathlib.Path, inventory: str) -> pathlib.Path:
    """Where an inventory of the project lies. Raises `RefusedJob`."""
    path = (root / inventory).resolve()
    if not path.exists() or not path.is_relative_to(root):
        raise _shimmed.RefusedJob(reason=f"the revision has no inventory {inventory!r}")
    return path


def _callbacks(root: pathlib.Path) -> list[str]:
    """Where the project's ansible.cfg has callbacks, as it says it: what we name in the environment takes the place of that. A path there
    is relative to its folder, in which Ansible starts. Ours come before them, so that none takes the name of one of ours."""
    found = _said(root, "callback_plugins")
    return [found] if found else []


def _said(root: pathlib.Path, key: str) -> str:
    """What the project's ansible.cfg says in its main section; '' where it cannot be read, as Ansible says what is wrong with it."""
    read = configparser.ConfigParser(inline_comment_prefixes=(";",))
    try:
        read.read_string((root / _CONFIG).read_text("utf-8"))
        return read.get("defaults", key, raw=True, fallback="")
    except (OSError, ValueError, configparser.Error):
        return ""


def _flags(job: model.Job) -> list[str]:
    check = job.dry_run or job.extra.get("check") is True
    diff = job.dry_run or job.extra.get("diff") is True
    return [flag for flag, wanted in (("--check", check), ("--diff", diff)) if wanted]


def _verbosity(job: model.Job) -> int:
    given = job.extra.get("verbosity")
    return min(max(given, 0), VERBOSITY_MAX) if isinstance(given, int) else 0


def _text(path: pathlib.Path) -> str:
    """Each byte as it is: a password may have any."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _nothing(folder: pathlib.Path) -> pathlib.Path:
    """An inventory of nobody: `localhost` alone is there of itself."""
    path = folder / _NO_HOSTS
    path.touch()
    return path


def private(folder: pathlib.Path) -> dict[str, str]:
    """A home of its own, a UTF-8 locale (Ansible refuses any other), and none of the daemon's settings."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    utf8 = {} if "utf-8" in locale.lower() or "utf8" in locale.lower() else {"LC_ALL": "C.UTF-8"}
    for name in ("home", "tmp"):
        (folder / name).mkdir(mode=0o700)
    made: dict[str, str] = {
        **utf8,
        **_shimmed.NO_BYTECODE,
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PARAMIKO_PTY": "True",  # as `_ENDING`: it has no variable
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_CALLBACK_PLUGINS": "",
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
    }
    return made


def no_config(folder: pathlib.Path) -> dict[str, str]:
    """An empty ansible.cfg in the place of this machine's."""
    (folder / _CONFIG).touch()
    return {"ANSIBLE_CONFIG": str(folder / _CONFIG)}


def _paths(*paths: pathlib.Path | str) -> str:
    return os.pathsep.join(str(path) for path in paths)
