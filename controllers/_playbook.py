"""What `ansible` writes for ansible-playbook: variables, a playbook of one task or one role, and the limit.

Whatever an event had a say in is text to Ansible and never a template: it is tagged `!unsafe`. Pure functions.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from healer import model
from healer.controllers import _shimmed

VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MODULE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
OF_COLLECTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){2}", re.ASCII)
"""A playbook or role of a collection: `namespace.collection.name`. One of the project has a folder in front."""
_ROLE: Final = re.compile(r"roles(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
_HOST: Final = re.compile(r"(?![-@!&~])[^\s,:*?\[\]{}\"'\\\x00-\x1f\x7f]{1,255}")
_NOT_A_HOST: Final = frozenset({"all", "ungrouped", "*"})
THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""What Ansible takes for this machine without an inventory."""
KEY_MAX: Final = 1000
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]")  # printable ASCII but for " and \
_EXPANDS: Final = frozenset({"command", "ansible.builtin.command", "ansible.legacy.command"})
_AS_IT_IS: Final = (
    '"module_defaults": {"ansible.builtin.command": {"expand_argument_vars": '
    "\"{{ (ansible_version.full is version('2.16', '>=')) | ternary(false, omit) }}\"}}, "
)
"""`command` puts the target's environment in the place of `$NAME`; where it can be told not to, a text of an event stays one."""
_WITH_CMD: Final = frozenset({"command", "shell", "script", "win_command", "win_shell"})


def yaml_of(value: Any) -> str:
    """JSON as YAML of one line, all of it tagged `!unsafe`. Raises `RefusedJob` for what is no JSON.

    The tag stands at the whole: at a text of its own ansible-core 2.19 reads that again as if it had no quotes, and makes a number of it.
    """
    return f"!unsafe {_plain(value)}" if isinstance(value, str | Mapping | list | tuple) else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _shimmed.RefusedJob(reason=f"{value!r} is no JSON number")
        return f'!!float "{value!r}"'  # YAML 1.1 takes 1e+300 for a text
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))}: {_plain(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    raise _shimmed.RefusedJob(reason=f"{type(value).__name__} is no JSON")


def _key(text: str) -> str:
    """YAML reads a key of more than 1,024 characters after a question mark alone."""
    made = quoted(text)
    return made if len(made) <= KEY_MAX else f"? {made} "


def quoted(text: str) -> str:
    """The text between YAML's double quotes, all but plain ASCII escaped (YAML folds some Unicode line ends)."""
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise _shimmed.RefusedJob(reason="a text has half of a surrogate pair")
    return '"' + "".join(c if _PLAIN.fullmatch(c) else f"\\U{ord(c):08x}" for c in text) + '"'


def variables(*layers: Mapping[str, Any]) -> str:
    """The file for `-e @file`; later layers win. Raises `RefusedJob` for a name that is no variable."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
    for name in merged:
        if not VARIABLE.fullmatch(name):
            raise _shimmed.RefusedJob(reason=f"{name!r} cannot be a variable of Ansible")
    return yaml_of(merged) + "\n"


def one_task(module: str, arguments: Mapping[str, Any], hosts: str) -> str:
    """A playbook that calls one module. Raises `RefusedJob` for what is no module's name."""
    if not _MODULE.fullmatch(module):
        raise _shimmed.RefusedJob(reason=f"{module!r} is no name of a module")
    given = dict(arguments)
    if "_raw_params" in given:
        raw = given.pop("_raw_params")
        if module.rpartition(".")[2] not in _WITH_CMD:
            # The module has free form alone; what else was given stands in `args`.
            return _task(hosts, module, f'{quoted(module)}: {yaml_of(raw)}, "args": {yaml_of(given)}')
        given["cmd"] = raw  # free form would look for key=value in it
    if module in _EXPANDS and "expand_argument_vars" not in given:
        return _play(hosts, module, f"{_AS_IT_IS}{_tasks(module, f'{quoted(module)}: {yaml_of(given)}')}")
    return _task(hosts, module, f"{quoted(module)}: {yaml_of(given)}")


def one_role(role: str, hosts: str) -> str:
    """A playbook of one role: a folder of the revision (`roles/x`), in which Ansible starts, or one of a collection. Raises `RefusedJob`
    for any other name: it goes through Ansible's templates, and `~` and `$` through its paths."""
    if not _ROLE.fullmatch(role) and not OF_COLLECTION.fullmatch(role):
        raise _shimmed.RefusedJob(reason=f"{role!r} is no name of a role")
    return _play(hosts, role.removeprefix("roles/"), f'"gather_facts": true, "roles": [{quoted(role)}]')


def _task(hosts: str, module: str, call: str) -> str:
    return _play(hosts, module, _tasks(module, call))


def _tasks(module: str, call: str) -> str:
    return f'"gather_facts": false, "tasks": [{{"name": {quoted(module)}, {call}}}]'


def _play(hosts: str, name: str, does: str) -> str:
    return f'[{{"name": {quoted(name)}, "hosts": {quoted(hosts)}, {does}}}]\n'


def limit_of(job: model.Job) -> str:
    """The value of --limit for a job: its targets, else what the rulebook's author gave; empty for neither."""
    if job.targets:
        return limit(job.targets)
    given = job.extra.get("limit")
    return authored_limit(given) if given else ""


def limit(targets: Iterable[model.Target]) -> str:
    """The value of --limit: the targets by their names, each a plain name. Raises `RefusedJob` for any other."""
    return ",".join(host_name(target.inventory_name or target.name) for target in targets)


def host_name(name: str) -> str:
    """The name, if Ansible can take it for a host's name alone: no pattern, no option, no file. Raises `RefusedJob`."""
    if name not in _NOT_A_HOST and (_is_address(name) or _HOST.fullmatch(name)):
        return name
    raise _shimmed.RefusedJob(reason=f"{name!r} cannot be the name of one host in --limit")


def authored_limit(pattern: Any) -> str:
    """A pattern that a rulebook's author wrote; no option and no file. Raises `RefusedJob`."""
    parts = pattern if isinstance(pattern, list | tuple) else [pattern]
    joined = ",".join(part.strip() for part in parts if isinstance(part, str))
    pieces = joined.split(",")
    if not joined or not joined.isprintable() or any(piece.strip().startswith(("-", "@")) for piece in pieces):
        raise _shimmed.RefusedJob(reason=f"{pattern!r} cannot be a limit")
    return joined


def _is_address(name: str) -> bool:
    try:
        return "%" not in name and ipaddress.ip_address(name).version in (4, 6)
    except ValueError:
        return False
