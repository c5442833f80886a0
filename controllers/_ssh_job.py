"""What a job of `ssh` is on each host: arguments, variables, standard input, the script's bytes. Nothing is sent here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Final

from healer import model
from healer.controllers import _local_bounds, _shimmed, _ssh_pool, local

SCRIPT_BYTES_MAX: Final = 16 << 20
INTERPRETERS: Final[Mapping[str, str]] = {".py": "python3", ".sh": "/bin/sh"}
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+$\\-]{0,199}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,254}", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """The same for all hosts but for the target's name. `argv` lacks the script's own path, which only the host knows."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: str
    script: bytes | None
    binary: bool

    def of(self, target: model.Target) -> dict[str, str]:
        """The variables on one host."""
        return {**self.environment, "HEALER_TARGET": target.inventory_name or target.name}


def order_of(job: model.Job, interpreters: Mapping[str, str]) -> Order:
    """Raises `RefusedJob` where it cannot be run."""
    if not job.targets:
        raise _shimmed.RefusedJob(reason="the controller ssh needs a target: a host to connect to")
    environment = _environment(job)
    if job.kind == "command":
        if job.dry_run:
            raise _shimmed.RefusedJob(reason="a command cannot be run dry: it is not told that nothing may happen")
        argv = local.argv_of(job)
        if any("\0" in word for word in argv):
            raise _shimmed.RefusedJob(reason="an argument has a NUL, which no program can be given")
        if not all(map(_sound, argv)):
            raise _shimmed.RefusedJob(reason="an argument has half of a surrogate pair, which is no text")
        return Order(tuple(argv), environment, "", None, binary=False)
    if job.kind != "script" or not isinstance(job.subject, str):
        raise _shimmed.RefusedJob(reason=f"the controller ssh cannot do {job.kind} {job.subject!r}")
    path = _shimmed.inside(job.revision_dir, job.subject, ["scripts"])
    argv, script, binary = _script(path, {**INTERPRETERS, **interpreters})
    return Order(argv, environment, json.dumps(_shimmed.reveal(job.parameters)), script, binary)


def _environment(job: model.Job) -> dict[str, str]:
    made = {**job.environment, "HEALER_RUN_ID": job.run_id, "HEALER_TOKEN": job.token}
    if job.dry_run:
        made["HEALER_DRY_RUN"] = "1"
    for name, value in made.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value or not _sound(value):
            raise _shimmed.RefusedJob(reason=f"{name!r} cannot be a variable of the environment")
    return made


def _sound(text: str) -> bool:
    """Whether it can be sent; bytes that are no UTF-8 came as `surrogateescape` has them, and go so."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _script(path: pathlib.Path, interpreters: Mapping[str, str]) -> tuple[tuple[str, ...], bytes, bool]:
    """What runs it, its bytes, whether it is a program of its own."""
    try:
        if path.stat().st_size > SCRIPT_BYTES_MAX:
            raise _shimmed.RefusedJob(reason=f"{path.name} is larger than {SCRIPT_BYTES_MAX >> 20} MiB")
        script = path.read_bytes()
    except OSError as error:
        raise _shimmed.RefusedJob(reason=f"{path.name} cannot be read: {error.strerror}") from error
    if not script:
        raise _shimmed.RefusedJob(reason=f"{path.name} is empty")
    if script.startswith(b"\x7fELF"):
        return (), script, True
    shebang = _local_bounds.shebang(script[: _local_bounds.HEAD_BYTES])
    if shebang:
        return tuple(shebang), script, False
    if path.suffix in interpreters:
        return (interpreters[path.suffix],), script, False
    hint = f"give it a first line like #!/bin/sh, or one of the suffixes {', '.join(sorted(interpreters))}"
    raise _shimmed.RefusedJob(reason=f"nothing says what runs {path.name}: {hint}")


def name_of(job: model.Job, target: model.Target) -> str:
    """What the far side knows an attempt by. Two targets may be one machine, and two daemons may have a token in common."""
    whose = f"{job.extra.get('instance', '')}\0{target}"
    return f"{job.token}-{hashlib.sha256(whose.encode()).hexdigest()[:12]}"


def address_of(target: model.Target, port: int | None, user: str | None) -> _ssh_pool.Address:
    """Where a target is: what the inventory says of its port and its user counts more than the controller's own.

    Raises `Unreachable` for what is no name of a machine or a user, and what is not known here.
    """
    host = target.address or target.inventory_name or target.name
    if target.kind != "host" or not _HOST.fullmatch(host):
        raise _ssh_pool.Unreachable(
            f"{host!r} is neither a name nor an address of a machine; mend ansible_host in the inventory"
        )
    if target.port == 0:
        raise _ssh_pool.Unreachable(
            f"the port of {host!r} is not known here; mend ansible_port in the inventory: a number"
        )
    if target.user and not _USER.fullmatch(target.user):
        raise _ssh_pool.Unreachable(
            f"{target.user!r} is no name of a user; mend ansible_user of {host!r} in the inventory"
        )
    return _ssh_pool.Address(host, target.port or port or 0, target.user or user or "")


def steps_of(job: model.Job, order: Order, addresses: Mapping[str, Any]) -> tuple[str, ...]:
    """What a plan says, secrets as their references."""
    argv = [*order.argv, *([f"<{job.subject}>"] if order.script is not None else [])]
    steps = [f"on {name}: connect to {where}" for name, where in addresses.items()]
    steps += [f"arguments: {json.dumps(argv, ensure_ascii=False)}"]
    steps += [f"environment: {' '.join(sorted({*order.environment, 'HEALER_TARGET'}))}"]
    if order.script is not None:
        steps.append(f"standard input: {json.dumps(_shimmed.hide(job.parameters), ensure_ascii=False)}")
    return tuple(steps)
