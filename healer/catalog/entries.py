"""One action of the catalog, and all of them: frozen, picklable. Made by `building`."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from healer import config, errors, model
from healer.catalog import schemas

Kind = Literal["script", "playbook", "module", "role", "command", "oc", "http", "check"]

KINDS: Final[tuple[Kind, ...]] = ("playbook", "script", "module", "role", "command", "oc", "http", "check")
FOLDERS: Final[Mapping[Kind, str]] = {"playbook": "playbooks", "script": "scripts"}
"""Where the files of a kind lie, each with its metadata beside it."""
ROLES: Final = "roles"
PROBLEMS_MAX: Final = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One action. `subject`: its file relative to the project, the module's name, a role's folder (`roles/x`) or the
    name that a collection has it by, the argument list of a command, or of `oc`, `http` and `check` the mapping, in which parameters
    have their places (`filling`).

    `controller` is '' for the default one. `parameters` are JSON
    Schemas by name. `impact_declared` is false where it is high because nothing was said.
    """

    name: str
    kind: Kind
    subject: str | tuple[str, ...] | Mapping[str, Any]
    place: errors.Place
    description: str = ""
    controller: str = ""
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    required: tuple[str, ...] = ()
    payload_parameters: tuple[str, ...] = ()
    target: Literal["required", "none"] = "required"
    idempotent: bool = False
    dry_run: bool = False
    """It is only ever simulated, whoever asks for it."""
    impact: model.Impact = "high"
    impact_declared: bool = False
    tags: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    gates: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What it says of the gates, as a layer of `policy` has it; `concurrency` is by itself, since it is about its controller."""
    concurrency: int | None = None
    verify: Mapping[str, Any] | None = None
    """`action` (or `check` beside it; neither: the alert has to be resolved), `parameters`, `within` seconds; None: the defaults say,
    empty: nothing is asked."""
    escalate: tuple[Mapping[str, Any], ...] = ()
    """What is tried next: `action`, `parameters`, `after` seconds."""
    retries: Mapping[str, Any] | None = None
    """`times`, `delay` (seconds), `backoff`."""
    ramp: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"first": 1, "limit": 10})
    max_errors: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all that the entry means; where it stands does not count."""
        meaning = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "place"}
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()

    def parameters_of(self, given: Mapping[str, Any]) -> dict[str, Any] | list[str]:
        """The parameters with defaults filled in, or all problems with them, each naming its path."""
        problems = [self._undeclared(name) for name in given if name not in self.parameters]
        made: dict[str, Any] = {}
        for name, schema in self.parameters.items():
            if name in given:
                made[name] = given[name]
                problems += [f"{name}{path}: {message}" for path, message in schemas.mistakes(schema, given[name])]
            elif isinstance(schema, Mapping) and "default" in schema:
                made[name] = copy.deepcopy(schema["default"])
            elif name in self.required:
                problems.append(f"{name}: is required")
        return problems[:PROBLEMS_MAX] if problems else made

    @property
    def lacking(self) -> tuple[str, ...]:
        """The parameters without which it cannot go."""
        return tuple(
            name for name in self.required
            if not (isinstance(schema := self.parameters.get(name), Mapping) and "default" in schema)
        )  # fmt: skip

    def always(self, name: str) -> bool:
        """Whether a run has this parameter, whoever asks for it."""
        schema = self.parameters.get(name)
        return name in self.required or (isinstance(schema, Mapping) and "default" in schema)

    def payload_of(self, given: Mapping[str, Any]) -> dict[str, Any] | list[str]:
        """As `parameters_of`, for what an event brings: only `payload_parameters` may be set."""
        kept = [name for name in given if name in self.parameters and name not in self.payload_parameters]
        problems = [f"{name}: may not be set by an event" for name in kept]
        made = self.parameters_of(given)
        return (problems + (made if isinstance(made, list) else []))[:PROBLEMS_MAX] if problems else made

    def unwanted_target(self, given: object) -> str:
        """What is wrong with a target that is given to an action that works on none; '' where none is given, or it works on some."""
        if self.target == "required" or given is None or given in ("", []):
            return ""
        return f"target: the action works on none (target: none), got {config.shown(given)}"

    def _undeclared(self, name: object) -> str:
        near = errors.nearest(str(name), self.parameters)
        return f"{schemas.short(str(name))}: is not declared{', ' + near if near else ''}"


@dataclasses.dataclass(frozen=True, slots=True)
class Catalog:
    """All actions by name, and the action of each event type."""

    entries: Mapping[str, Entry] = dataclasses.field(default_factory=dict)
    by_event: Mapping[str, str] = dataclasses.field(default_factory=dict)
