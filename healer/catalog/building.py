"""Actions as written → the catalog, or what is wrong with them and where. Caller: `project`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import config, errors, measures, model, plugins, templates, wording
from healer.catalog import clusters, filling, handing, requests, schemas
from healer.catalog.entries import FOLDERS, KINDS, ROLES, Catalog, Entry, Kind

ENTRIES_MAX: Final = 10_000
PARAMETERS_MAX: Final = 200
DECLARE: Final = "declare it below parameters:"
NOT_YET: Final = ("job_template", "storm", "policy")

FILLED: Final = ("oc", "http", "check")
"""Kinds whose subject is a mapping, in which parameters have their places."""

ITSELF: Final = {
    "verify": "name one that only looks, or leave action out: then the alert has to be resolved", "escalate": "retries tries it again",
}  # fmt: skip
"""What to do where an action is to follow on itself."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
PARAMETER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OF_COLLECTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){2}")
"""A role by its full name: `namespace.collection.role`."""

Text = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]+$"),
    plugins.Wanted("a text without NUL"),
]
EventType = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$"),
    plugins.Wanted("an event type of letters, digits and _ . : / - (at most 128, at first a letter or digit)"),
]
Count = Annotated[int, pydantic.Field(ge=1, le=10_000)]


class EntryShape(measures.Gates):
    """One action as it is written in `actions.yaml` or beside its file."""

    playbook: Text | None = pydantic.Field(None, description="a file below playbooks/")
    script: Text | None = pydantic.Field(None, description="a file below scripts/")
    module: Text | None = pydantic.Field(None, description="an Ansible module by its full name")
    role: Text | None = pydantic.Field(None, description="a folder of roles/, or a collection's role by its full name")
    command: list[Text] | None = pydantic.Field(None, description="a program and its arguments; no shell", min_length=1)
    oc: clusters.ClusterShape | None = pydantic.Field(None, description="a verb on objects of a Kubernetes cluster")
    http: requests.RequestShape | None = pydantic.Field(None, description="one request, and which answer is success")
    check: measures.Look | None = pydantic.Field(None, description="one check with its options; it only looks")
    description: str = pydantic.Field("", description="one sentence for people", max_length=2000)
    controller: Text | None = pydantic.Field(None, description="of controllers.yaml; else the default one")
    parameters: dict[str, Any] = pydantic.Field({}, description="JSON Schema of each; what is not here is refused")
    required: list[str] = pydantic.Field([], description="parameters that have to be given")
    payload_parameters: list[str] | None = pydantic.Field(None, description="what an event may set; else all")
    target: Literal["required", "none"] = pydantic.Field("required", description="whether it works on hosts")
    idempotent: bool = pydantic.Field(False, description="may run again when it is unknown how it ended")
    dry_run: bool = pydantic.Field(False, description="is only simulated, whoever asks for it")
    impact: model.Impact | None = pydantic.Field(None, description="low, medium or high; absent: high")
    tags: list[Text] = pydantic.Field([], description="words that policies select by")
    events: list[EventType] = pydantic.Field([], description="event types of POST /webhook that start it")
    concurrency: Count | None = pydantic.Field(None, description="starts only below so many runs on its controller")
    verify: measures.Verify | Literal["none", "off"] | None = pydantic.Field(
        None, description="how it is known that it helped; `none`: it is not asked"
    )
    escalate: Annotated[list[measures.Escalate], pydantic.Field(max_length=10)] = pydantic.Field(
        default=[], description="what is tried next where it does not help"
    )
    retries: measures.Retries | None = pydantic.Field(None, description="how often a failed attempt is tried again")
    ramp: measures.Ramp | None = pydantic.Field(None, description="how many targets at once, 1 2 4 … up to 10")
    max_errors: Annotated[int, pydantic.Field(ge=0, le=10_000)] = pydantic.Field(
        0, description="more targets that fail than these stop the ramp"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """One action as written: its mapping and where it stands. `kind` and `subject` where the file beside it implies them."""

    name: str
    document: config.Document
    value: Any
    mark: config.Mark | None
    kind: Kind | None = None
    subject: str = ""


def build(written: Sequence[Written], names: Collection[str] | None = ()) -> Catalog:
    """The catalog of these actions; mistakes become diagnostics of their documents. `names`: of others; None: of any."""
    entries: dict[str, Entry] = {}
    by_event: dict[str, str] = {}
    listed: dict[str, tuple[str, errors.Place]] = {}
    for one in written[:ENTRIES_MAX]:
        entry = _entry(one)
        _events(one, listed)
        if entry is not None and one.name not in entries:
            entries[one.name] = entry
            for event in entry.events:
                by_event.setdefault(event, one.name)
    known = None if names is None else {*(one.name for one in written), *names}
    for one in written[:ENTRIES_MAX]:
        _named_actions(one, entries, known)
    if len(written) > ENTRIES_MAX:
        last = written[ENTRIES_MAX]
        last.document.error("too-many", f"more than {ENTRIES_MAX} actions", last.mark, "fewer")
    return Catalog(entries, by_event)


def _entry(one: Written) -> Entry | None:
    document, value = one.document, one.value
    before = len(document.diagnostics)
    if not NAME.fullmatch(one.name):
        document.error("name", f"{one.name!r} is no name of an action", one.mark, "letters, digits, _ . - (at most 64)")
    if not isinstance(value, config.Map):
        if document.ok or document.value is not None:  # else it could not be read, which is told
            document.error("wrong-type", f"the action {one.name!r} has to be a mapping", one.mark)
        return None
    for key in NOT_YET:
        if key in value:
            document.error("not-yet", f"{key} is not there yet", value.keys_at.get(key), "leave it out")
    shape = plugins.check_options(document, EntryShape, without(value, NOT_YET), one.mark, f"the action {one.name!r}")
    kind = _kind(one, value)
    if isinstance(value.get("parameters"), config.Map):
        _parameters(document, value["parameters"])
    _lists(document, value)
    _arguments(document, value.get("command"))
    for key in FILLED:
        _places(document, value, value.get(key), value.keys_at.get(key))
    if isinstance(verify := value.get("verify"), config.Map):
        _places(document, value, verify.get("check"), verify.keys_at.get("check"))
    if shape is not None and kind == "http" and (said := shape.http.unfit(shape.target)):
        at = mark_at(value, ("target",) if "target" in value else ("http", "url"), one.mark)
        document.error("target", said, at, f"target: {'none' if shape.target == 'required' else 'required'}")
    if kind == "check" and value.get("idempotent") is False:
        message = f"the action {one.name!r}: idempotent: a check has no effect, so that it always is, got false"
        document.error("options", message, value.values_at.get("idempotent"), "leave it out")
    if shape is None or kind is None or any(d.severity == "error" for d in document.diagnostics[before:]):
        return None
    return _made(one, kind, shape)


def _named_actions(one: Written, entries: Mapping[str, Entry], known: Collection[str] | None) -> None:
    """Say which actions of `verify` and `escalate` there are not, and what is wrong with the parameters that they are given."""
    entry = entries.get(one.name)
    if entry is None or not isinstance(one.value, config.Map):
        return
    said = [("verify", (), entry.verify)] if entry.verify and entry.verify["action"] else []
    asked: list[tuple[str, tuple[int, ...], Mapping[str, Any]]] = [
        *((key, path, value) for key, path, value in said if value),
        *(("escalate", (at,), value) for at, value in enumerate(entry.escalate)),
    ]
    for key, path, value in asked:
        found, at = entries.get(value["action"]), mark_at(one.value, (key, *path, "action"), one.mark)
        if found is None:
            if known is not None and value["action"] not in known:
                message = f"{key}: no action is named {config.shown(value['action'])}"
                near = errors.nearest(value["action"], known) or "the name of an action of this project"
                one.document.error("unknown-action", message, at, near)
            continue
        if found.name == one.name:
            message = f"{key}: {found.name} is this action itself"
            one.document.error("itself", message, at, ITSELF[key])
            continue
        if found.dry_run:
            message = f"{key}: {found.name} is only ever simulated (dry_run: true), so it would not help"
            one.document.error("dry-run", message, at, "leave out dry_run, or name another action")
        for wrong in handing.mistakes(entry, found, value["parameters"]):
            where = mark_at(one.value, (key, *path, "parameters", *wrong.steps), at)
            tell = one.document.error if wrong.certain else one.document.warning
            tell(wrong.code, f"{key}: {wrong.message}", where, wrong.try_)


def runs(one: Written) -> tuple[Kind, str] | None:
    """What an action runs, also where the rest of it is wrong: its kind, and its file, module or role ('' of a command)."""
    kind = _named(one.value, one.kind) if isinstance(one.value, config.Map) else None
    if kind is None:
        return None
    subject = one.value.get(kind) or one.subject
    return kind, _in_folder(kind, subject) if isinstance(subject, str) and subject else ""


def _in_folder(kind: Kind, subject: str) -> str:
    if kind == "role":
        folder = "" if _OF_COLLECTION.fullmatch(subject) else f"{ROLES}/"
    else:
        folder = FOLDERS[kind] + "/" if kind in FOLDERS else ""
    return subject if subject.startswith(folder) else folder + subject


def _made(one: Written, kind: Kind, shape: EntryShape) -> Entry:
    subject, looks = getattr(shape, kind) or one.subject, kind == "check"  # which has no effect
    return Entry(
        name=one.name,
        kind=kind,
        subject=_subject(kind, subject),
        place=one.document.place(one.mark),
        description=shape.description,
        controller=shape.controller or "",
        parameters=plain(shape.parameters),
        required=tuple(shape.required),
        payload_parameters=tuple(shape.parameters if shape.payload_parameters is None else shape.payload_parameters),
        target="none" if looks and "target" not in shape.model_fields_set else shape.target,
        idempotent=shape.idempotent or looks,
        dry_run=shape.dry_run,
        impact=shape.impact or ("low" if looks else "high"),
        impact_declared=shape.impact is not None or looks,
        tags=tuple(shape.tags),
        events=tuple(shape.events),
        gates={key: value for key, value in shape.layer().items() if key != "concurrency"},
        concurrency=shape.concurrency,
        verify=_verify(shape.verify),
        escalate=tuple(one.model_dump() for one in shape.escalate),
        retries=None if shape.retries is None else shape.retries.model_dump(),
        ramp=(shape.ramp or measures.Ramp()).model_dump(),
        max_errors=shape.max_errors,
    )


def _subject(kind: Kind, written: Any) -> str | tuple[str, ...] | Mapping[str, Any]:
    if kind == "command":
        return tuple(written)
    if kind in FILLED:
        return plain(written if kind == "check" else written.plain())  # type: ignore[no-any-return]
    return _in_folder(kind, written)


def _verify(written: measures.Verify | str | None) -> Mapping[str, Any] | None:
    """What is written; nothing at all is None, and empty where it says that nothing is asked."""
    if written is None:
        return None
    return written.plain() if isinstance(written, measures.Verify) else {}


def _named(value: config.Map, beside: Kind | None) -> Kind | None:
    """The one kind that is written, else that of the file beside it."""
    given = [kind for kind in KINDS if value.get(kind) is not None]
    return given[0] if len(given) == 1 else None if given else beside


def _kind(one: Written, value: config.Map) -> Kind | None:
    if kind := _named(value, one.kind):
        return kind
    given = [known for known in KINDS if value.get(known) is not None]
    if not any(key in value for key in NOT_YET):
        mark = value.keys_at.get(given[1]) if given else one.mark
        message = f"the action {one.name!r} needs exactly one of {', '.join(KINDS)}, got {', '.join(given) or 'none'}"
        try_ = f"make an action of each, or leave {given[1]} out" if given else "add one, like playbook: NAME.yml"
        one.document.error("action-kind", message, mark, try_)
    return None


def _lists(document: config.Document, value: config.Map) -> None:
    declared = value.get("parameters")
    declared = declared if isinstance(declared, config.Map) else {}
    for key in ("required", "payload_parameters"):
        names = value.get(key)
        if not isinstance(names, config.Seq):
            continue
        for index, name in enumerate(names):
            if isinstance(name, str) and name not in declared:
                near = errors.nearest(name, (known for known in declared if isinstance(known, str)))
                message = f"{key}: the parameter {name!r} is not declared"
                document.error("unknown-parameter", message, names.items_at[index], near or DECLARE)


def _arguments(document: config.Document, command: Any) -> None:
    """Say which arguments of a command look like a template: they are none."""
    for argument, at in zip(command, command.items_at, strict=True) if isinstance(command, config.Seq) else ():
        if isinstance(argument, str) and templates.is_template(argument):
            message = "the arguments of a command are no templates: the program gets this as it stands"
            document.warning("not-rendered", message, at, "a script of scripts/ gets its parameters")


def _places(document: config.Document, entry: config.Map, part: Any, at: config.Mark | None) -> None:
    """Say which parameters stand in a part of an entry that cannot be filled in, each at its place."""
    if isinstance(part, config.Map):
        for key, inner in part.items():
            if isinstance(key, str) and templates.is_template(key):
                document.error("template", f"a key is no template, got {config.shown(key)}", part.keys_at.get(key))
            _places(document, entry, inner, part.values_at.get(key, at))
    elif isinstance(part, config.Seq):
        for inner, where in zip(part, part.items_at, strict=True):
            _places(document, entry, inner, where)
    elif isinstance(part, str):
        try:
            for name in filling.names(part):
                _fillable(document, entry, name, at)
        except ValueError as error:
            document.error("template", str(error), at)


def _fillable(document: config.Document, entry: config.Map, name: str, at: config.Mark | None) -> None:
    declared, required = entry.get("parameters"), entry.get("required")
    schema = declared.get(name) if isinstance(declared, config.Map) else None
    if schema is None:
        known = [one for one in declared if isinstance(one, str)] if isinstance(declared, config.Map) else []
        near = errors.nearest(name, known) or DECLARE
        document.error("unknown-parameter", f"the parameter {name!r} is not declared", at, near)
    elif not (isinstance(schema, Mapping) and "default" in schema) and name not in (required or ()):
        message = f"the parameter {name!r} may be missing, and is used here"
        document.error("template", message, at, "list it in required, or give it a default")


def _events(one: Written, listed: dict[str, tuple[str, errors.Place]]) -> None:
    """Say which event types start another action already (`listed`: its name, and where it stands), and list the others."""
    items = one.value.get("events") if isinstance(one.value, config.Map) else None
    if not isinstance(items, config.Seq):
        return
    for event, at in zip(items, items.items_at, strict=True):
        if isinstance(event, str) and event in listed:
            name, first = listed[event]
            message = f"the event type {config.shown(event)} starts {name!r} already ({first})"
            one.document.error("duplicate-event-type", message, at, "leave it out at one of the two")
        elif isinstance(event, str):
            listed[event] = (one.name, one.document.place(one.mark))


def _parameters(document: config.Document, parameters: config.Map) -> None:
    if len(parameters) > PARAMETERS_MAX:
        document.error("too-many", f"more than {PARAMETERS_MAX} parameters", parameters.mark, "fewer, or one object")
        return
    for name, schema in parameters.items():
        at = parameters.keys_at.get(name)
        if not isinstance(name, str):
            continue  # which is told with the options
        if not PARAMETER.fullmatch(name):
            document.error("name", f"{name!r} is no name of a parameter", at, "letters, digits and _ (at most 64)")
        elif not isinstance(schema, config.Map):
            wanted = "a JSON Schema is wanted, like {type: string}"
            document.error("schema", f"the parameter {name!r}: {wanted}", parameters.values_at.get(name))
        else:
            _schema(document, name, schema, at)


def _schema(document: config.Document, name: str, schema: config.Map, mark: config.Mark | None) -> None:
    unfit = schemas.unfit(schema, schema, ())
    found = [(steps, said, wording.OF_TRUTH if isinstance(steps[-1], bool) else "") for steps, said in unfit]
    found = found or list(schemas.schema_mistakes(json.dumps(plain(schema), sort_keys=True)))
    for steps, message, try_ in schemas.unknown(schema):
        document.error("schema", f"the parameter {name!r}: {message}", key_at(schema, steps, mark), try_)
    for steps, message, try_ in found:
        given, at = schema.get("required"), mark_at(schema, steps, mark)
        if steps == ("required",) and isinstance(given, bool):
            said = f"required stands beside parameters: as a list of names, got {wording.shown(given)}"
            document.error(
                "schema", f"the parameter {name!r}: {said}", at, f"required: [{name}]" if given else "leave it out"
            )
        else:
            document.error("schema", f"the parameter {name!r}: {message}", at, try_)
    if not found and "default" in schema:
        for path, message in schemas.mistakes(plain(schema), plain(schema["default"])):
            said = f"the parameter {name!r}: its default is wrong{path and ' at ' + path}: {message}"
            document.error("schema", said, schema.values_at.get("default"))


def without(value: config.Map, keys: Sequence[str]) -> config.Map:
    """The mapping without some keys, its marks kept."""
    made = config.Map(value.mark)
    made.update({key: inner for key, inner in value.items() if key not in keys})
    made.keys_at, made.values_at = value.keys_at, value.values_at
    return made


def mark_at(value: Any, path: Sequence[Any], mark: config.Mark | None) -> config.Mark | None:
    """Where the value at a path stands, or as near to it as the file goes."""
    for part in path:
        if isinstance(value, config.Map) and part in value:
            mark, value = value.values_at.get(part, mark), value[part]
        elif isinstance(value, config.Seq) and isinstance(part, int) and part < len(value):
            mark, value = value.items_at[part], value[part]
        else:
            break
    return mark


def key_at(value: Any, path: Sequence[Any], mark: config.Mark | None) -> config.Mark | None:
    """Where the last key of a path stands."""
    for part in path[:-1]:
        value = value[part]
    return value.keys_at.get(path[-1], mark) if isinstance(value, config.Map) else mark


def plain(value: Any) -> Any:
    """The value without marks: dictionaries with texts as keys, and lists."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
