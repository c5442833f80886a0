"""`activations:` of healer.yaml: which rulebooks are on, under which name, and what each is given. Caller: `loading`.

Without the key every file of rulebooks/ is on once, under its own path. The same rulebook may be on several times: its rules
then stand under several names, with variables, inventory, environment, mode and sources of their own.
"""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import config, errors, model, plugins, vault
from healer.project import tree
from healer.project.revision import HIDDEN_ACTIVATION

ACTIVATIONS_MAX: Final = 10_000
RESERVED: Final = frozenset({"event", "events", "fact", "facts", "vars"})
"""Names that a rule's own templates have."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,127}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

_NONE: Final = "?"
"""Stands for a rulebook that is not named."""

Restart = Literal["never", "on_failure", "always"]


def _off(value: Any) -> Any:
    """`off` without quotes is YAML's false."""
    return "off" if value is False else value


class Shape(plugins.Options):
    """One activation as written."""

    name: str = pydantic.Field(description="its own name: the first part of its rules' names")
    rulebook: str = pydantic.Field(
        min_length=1, max_length=1000, description="a file of rulebooks/, or one of a collection"
    )
    vars: dict[str, Any] = pydantic.Field(
        {}, description="variables: `vars.x` in conditions, `{{ x }}` in names and actions"
    )
    vars_files: list[str] = pydantic.Field(
        [], max_length=100, description="files of variables; a later one wins, `vars` over all"
    )
    env: dict[str, str | plugins.SecretRef | model.Reference] = pydantic.Field(
        {}, description="environment of its sources and actions"
    )
    inventory: str | None = pydantic.Field(None, description="in the place of the controllers' own")
    mode: Annotated[Literal["active", "observe", "off"] | None, pydantic.BeforeValidator(_off)] = pydantic.Field(
        None, description="the daemon's own where absent"
    )
    sources: dict[str, str] = pydantic.Field({}, description="source of the file → shared source in its place")
    restart: Restart = pydantic.Field("on_failure", description="what follows a `shutdown`, and a source that fails")
    compat: Literal["upstream"] | None = pydantic.Field(
        None, description="its upstream actions are meant to pass no gates"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Spec:
    """One activation, as far as it is right: what else is wrong with it is told as well. `name` and `rulebook` may be ''.

    `known`: whether all its variables could be read.
    """

    document: config.Document
    written: config.Map
    shape: Shape
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    origins: dict[str, errors.Place] = dataclasses.field(default_factory=dict)
    """Variable → where the value that counts stands."""
    known: bool = True

    def at(self, key: str, inner: str | None = None, *, value: bool = False) -> config.Mark | None:
        """Where the value of a key stands, else the activation; of a key in it (`inner`) where that stands, or its value."""
        found = self.written.get(key)
        if inner is not None and isinstance(found, config.Map):
            return (found.values_at if value else found.keys_at).get(inner) or found.mark
        return self.written.values_at.get(key) or self.written.mark


def read(
    document: config.Document | None, files: tree.Tree, keep: Callable[[str], object], opened: vault.Vault | None
) -> list[Spec] | None:
    """The activations, those that are wrong too; None where none are listed. Mistakes become diagnostics of the document.
    `keep(path)`: it will be parsed. `opened` opens files that are vaulted as a whole; None: it is not known with what."""
    listed = document.value.get("activations") if document and isinstance(document.value, config.Map) else None
    if document is None or not isinstance(listed, config.Seq):
        return None
    made: list[Spec] = []
    names: dict[str, errors.Place] = {}
    for item, mark in zip(listed[:ACTIVATIONS_MAX], listed.items_at, strict=False):
        if not isinstance(item, config.Map):
            document.error("wrong-type", "an activation is a mapping: {name: …, rulebook: …}", mark)
            continue
        shape = plugins.check_options(document, Shape, item, mark, "an activation")
        known = all(_is_right(key, item[key]) for key in ("vars", "vars_files") if key in item)
        spec = Spec(document, item, shape or _right_of(item), known=known)
        _name(spec, names)
        for key, value in _mapping(item, "env").items():
            if isinstance(key, str) and (not _VARIABLE.fullmatch(key) or (isinstance(value, str) and "\0" in value)):
                document.error(
                    "name", f"{key!r} is no variable of an environment", spec.at("env", key), "letters, digits and _"
                )
        before = _errors(document)
        variables = _variables(spec, files, keep, opened)
        made.append(dataclasses.replace(spec, variables=variables, known=spec.known and _errors(document) == before))
    if len(listed) > ACTIVATIONS_MAX:
        document.error("wrong-type", f"activations: at most {ACTIVATIONS_MAX}, got {len(listed)}", listed.mark)
    return made


def _errors(document: config.Document) -> int:
    return sum(one.severity == "error" for one in document.diagnostics)


def _mapping(item: config.Map, key: str) -> Mapping[Any, Any]:
    found = item.get(key)
    return found if isinstance(found, config.Map) else {}


def _right_of(item: config.Map) -> Shape:
    """What is right in an activation that is not."""
    parts = {key: _parts(key, value) for key, value in item.items()}
    right = {key: value for key, value in parts.items() if _is_right(key, value)}
    return Shape.model_validate({"name": "", "rulebook": _NONE, **right})


def _parts(key: Any, value: Any) -> Any:
    """What is right in the value of a key."""
    if isinstance(value, config.Map):
        return {name: inner for name, inner in value.items() if _is_right(key, {name: inner})}
    return [inner for inner in value if _is_right(key, [inner])] if isinstance(value, config.Seq) else value


def _is_right(key: Any, value: Any) -> bool:
    try:
        Shape.model_validate({"name": "", "rulebook": _NONE, key: value})
    except pydantic.ValidationError:
        return False
    return True


def named(document: config.Document | None) -> set[str]:
    """The rulebooks that are listed, also by what is wrong otherwise."""
    listed = document.value.get("activations") if document and isinstance(document.value, config.Map) else None
    found = (item.get("rulebook") for item in listed or () if isinstance(item, config.Map))
    return {one for one in found if isinstance(one, str)}


def forget_unknown(document: config.Document, spec: Spec | None) -> None:
    """Where not all variables of an activation are known: leave out of its rulebook what may come of that alone."""
    if spec is not None and not spec.known:
        document.diagnostics = [one for one in document.diagnostics if not _is_of_variables(one)]


def _is_of_variables(one: errors.Diagnostic) -> bool:
    if one.code == "template":
        return one.message.endswith("is undefined") or "has no attribute" in one.message
    return one.code in ("vars-missing", "vars-type")


def _name(spec: Spec, names: dict[str, errors.Place]) -> None:
    document, name, at = spec.document, spec.shape.name, spec.at("name")
    if not isinstance(spec.written.get("name"), str):  # that was told
        return
    if not _NAME.fullmatch(name):
        document.error("name", f"{name!r} is no name of an activation", at, "letters, digits, _ . / - (at most 128)")
    elif {"", ".", ".."} & set(name.split("/")):
        message = f"{name!r} is no name of an activation: each part between its slashes has to be a name of its own"
        document.error("name", message, at, "a name like site/web")
    elif name == HIDDEN_ACTIVATION:
        document.error(
            "reserved-name", f"{name!r} is the name of the rules that events: of actions.yaml make", at, "another name"
        )
    elif name in names:
        document.error(
            "duplicate-name", f"the activation {name!r} is there twice, first at {names[name]}", at, "another name"
        )
    names.setdefault(name, document.place(at))


# --- variables ------------------------------------------------------------------------------------------------------------


def _variables(
    spec: Spec, files: tree.Tree, keep: Callable[[str], object], opened: vault.Vault | None
) -> dict[str, Any]:
    """Those of the files in their order, then its own."""
    made: dict[str, Any] = {}
    listed = spec.written.get("vars_files")
    for path, at in zip(listed, listed.items_at, strict=True) if isinstance(listed, config.Seq) else ():
        if isinstance(path, str):
            made |= _file(spec, files, keep, path, at, opened)
    own = spec.written.get("vars")
    if isinstance(own, config.Map):
        _checked(spec.document, own, texts=True)
        _note(spec, spec.document, own)
        made |= model.sealed(own)
    return made


def _file(
    spec: Spec,
    files: tree.Tree,
    keep: Callable[[str], object],
    path: str,
    at: config.Mark | None,
    opened: vault.Vault | None,
) -> dict[str, Any]:
    document = spec.document
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        document.error(
            "path-escapes",
            f"the file {path!r} has to lie in the project",
            at,
            "copy it into the project, like vars/eu.yml",
        )
        return {}
    keep(path)
    if path not in files.files:
        document.error("no-file", f"there is no file {path!r}", at, errors.nearest(path, files.names("vars")))
        return {}
    raw = (files.content(path) or b"").decode("utf-8", "replace")
    whole = vault.is_vaulted(raw)
    if whole:
        try:
            read = config.read_text((opened or vault.Vault([])).decrypt(raw), path, vaulted=model.Reference.of)
        except vault.VaultError as error:
            document.error(error.code, f"{path}: {error.message}", at, error.try_)
            return {}
        read.diagnostics = [
            dataclasses.replace(one, text="") for one in read.diagnostics
        ]  # a line of it may be a secret
    else:
        read = files.document(path, vaulted=model.Reference.of)
    if read.ok and read.value is not None and not isinstance(read.value, config.Map):
        read.error("wrong-type", "a file of variables is a mapping: name: value", (1, 1, 1))
    elif isinstance(read.value, config.Map):
        _checked(read, read.value)
    document.diagnostics += [one for one in read.diagnostics if one not in document.diagnostics]
    if not read.ok or not isinstance(read.value, config.Map):
        return {}
    _note(spec, read, read.value)
    made: dict[str, Any] = model.sealed(read.value)
    return {key: _within(path, value, f"/{key}") for key, value in made.items()} if whole else made


def _note(spec: Spec, document: config.Document, found: config.Map) -> None:
    spec.origins.update({str(name): document.place(at) for name, at in found.keys_at.items()})


def _checked(document: config.Document, found: config.Map, *, texts: bool = False) -> None:
    """Names of variables. `texts`: of those that are no text it was told already."""
    for name, at in found.keys_at.items():
        if texts and not isinstance(name, str):
            continue
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name) or keyword.iskeyword(name):
            document.error("name", f"{name!r} is no name of a variable", at, "letters, digits and _, at first no digit")
        elif name in RESERVED:
            document.error(
                "reserved-name", f"{name!r} is what a rule's templates have of its event", at, "another name"
            )


def _within(path: str, value: Any, pointer: str) -> Any:
    """The value of a file that is vaulted as a whole: each text and number in it is a secret of its own, found by its place in the file."""
    if isinstance(value, dict):
        return {key: _within(path, inner, f"{pointer}/{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_within(path, inner, f"{pointer}/{number}") for number, inner in enumerate(value)]
    secret = isinstance(value, str | int | float) and not isinstance(value, bool)
    return model.Reference(f"ansible-vault:file:{path}#{pointer}") if secret else value
