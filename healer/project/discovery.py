"""Actions as they are written: in `actions.yaml`, and in metadata beside a playbook or a script. Caller: `loading`.

Only a file with metadata is an action: a role's `main.yml` or a library beside it is none. An entry of `actions.yaml` wins
over metadata of its name, with a note.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Collection, Iterator
from typing import Final

from healer import catalog, config, errors, wording
from healer.project.tree import FOLDERS, Tree

META: Final = (".meta.yml", ".meta.yaml")
_PLAYBOOK: Final = (".yml", ".yaml")
PLAYS_BYTES_MAX: Final = 64 << 10
_PLAY: Final = re.compile(rb"^(?:-| ) +(?:hosts|(?:ansible\.builtin\.)?import_playbook)[ \t]*:", re.MULTILINE)
_OF_ANSIBLE: Final = frozenset((*FOLDERS, "defaults", "meta")) - {"playbooks"}
"""Folders of what playbooks use."""
_NO_SCRIPT: Final = re.compile(r"[._].*|README.*|.*\.(md|txt|rst|json|ya?ml|cfg|ini|j2)", re.DOTALL)


def is_metadata(path: str) -> bool:
    """Whether a path of the project is metadata beside an action."""
    return path.startswith(("playbooks/", "scripts/")) and path.endswith(META)


def written(tree: Tree, actions: config.Document | None) -> tuple[list[catalog.Written], list[config.Document]]:
    """Every action as written, those of `actions.yaml` first, and the documents of the metadata."""
    found = list(_listed(actions)) if actions is not None else []
    names = {one.name for one in found}
    documents = []
    for kind, folder in catalog.FOLDERS.items():
        for path in tree.names(folder):
            if is_metadata(path):
                document = tree.document(path)
                documents.append(document)
                one = _beside(tree, document, kind)
                if one is not None and one.name in names:
                    _taken(document, one, next(known for known in found if known.name == one.name))
                elif one is not None:
                    names.add(one.name)
                    found.append(one)
    return found, documents


def names(
    tree: Tree, actions: config.Document | None, found: Collection[catalog.Written], metadata: Collection[config.Document]
) -> frozenset[str] | None:  # fmt: skip
    """The names of all actions, right or wrong. None: `actions.yaml` could not be read, so that there may be others."""
    broken = {one.place.file for one in tree.diagnostics}
    if broken & {"actions.yaml", "actions.yml"} or not _could_be_read(actions):
        return None
    beside = (path for path in (*broken, *(one.file for one in metadata)) if is_metadata(path))
    return frozenset({*(one.name for one in found), *map(_name, beside)})


def _could_be_read(actions: config.Document | None) -> bool:
    """Whether all that `actions.yaml` names is known: not of one that is no YAML, that is there twice, whose `actions` may be misspelt."""
    if actions is None:
        return True
    if any(one.code == "both-endings" for one in actions.diagnostics):
        return False
    if not isinstance(actions.value, config.Map):
        return actions.value is None and actions.ok
    listed = actions.value.get("actions")
    return isinstance(listed, config.Map) or (listed is None and not set(actions.value) - {"actions"})


def _name(path: str) -> str:
    return pathlib.PurePosixPath(path).name.removesuffix(META[0]).removesuffix(META[1])


def _listed(document: config.Document) -> Iterator[catalog.Written]:
    value = document.value
    if value is None:
        return
    if not isinstance(value, config.Map):
        document.error("wrong-type", "actions.yaml has to be a mapping", getattr(value, "mark", (1, 1, 1)))
        return
    for key in value:
        if key != "actions":
            try_ = wording.about_key(key, ("actions",))
            document.error("unknown-key", f"actions.yaml has no key {wording.shown(key)}", value.keys_at[key], try_)
    actions = value.get("actions")
    if actions is not None and not isinstance(actions, config.Map):
        document.error("wrong-type", "actions has to be a mapping of names", value.keys_at.get("actions"))
    elif actions is not None:
        for name, at in actions.keys_at.items():
            if isinstance(name, bool):
                document.error("name", f"{wording.shown(name)} is no name of an action", at, wording.OF_TRUTH)
            elif not isinstance(name, str) and str(name) in actions:
                message = f"the action {str(name)!r} is there already ({document.place(actions.keys_at[str(name)])})"
                document.error("duplicate-name", message, at, "another name")
            yield catalog.Written(str(name), document, actions[name], at)


def _beside(tree: Tree, document: config.Document, kind: catalog.Kind) -> catalog.Written | None:
    path = pathlib.PurePosixPath(document.file)
    name = _name(document.file)
    other = str(path.parent / (name + META[1]))
    if path.name.endswith(META[0]) and other in tree.files:
        document.error("both-endings", f"{other} is there too", None, "one of the two has to go")
        return None
    mark = document.value.mark if isinstance(document.value, config.Map) else (1, 1, 1)
    files = [one for one in _files(tree, path.parent, name) if kind != "playbook" or one.endswith(_PLAYBOOK)]
    names_kind = isinstance(document.value, config.Map) and any(
        document.value.get(key) is not None for key in catalog.KINDS
    )
    if len(files) != 1 and not names_kind:
        message = f"there is no {kind} {name} beside it" if not files else f"it may be of {' or '.join(files)}"
        try_ = f"give it the name of the {kind}, or name it inside: {kind}: …"
        document.error("no-action-file" if not files else "ambiguous-file", message, mark, try_)
        if not isinstance(document.value, config.Map):
            return None
    _another(document, files)
    if document.value is None and document.ok:
        document.value = config.Map((1, 1, 1))
    return catalog.Written(name, document, document.value, mark, kind, files[0] if len(files) == 1 else "")


def _another(document: config.Document, files: list[str]) -> None:
    """Metadata that names another file than the one beside it: whoever reads it takes that one for what runs."""
    value = document.value
    for kind, folder in catalog.FOLDERS.items() if files and isinstance(value, config.Map) else ():
        said = value.get(kind)
        if isinstance(said, str) and f"{folder}/{said.removeprefix(folder + '/')}" not in files:
            message = f"it stands beside {files[0]}, and names another {kind}: {wording.shown(said)}"
            try_ = f"leave out {kind}, or describe that action in actions.yaml"
            document.error("another-file", message, value.values_at.get(kind), try_)


def _files(tree: Tree, folder: pathlib.PurePosixPath, name: str) -> list[str]:
    """The files of a folder that have a name, whatever their one ending."""
    found = []
    for path in tree.names(str(folder)):
        other = pathlib.PurePosixPath(path)
        if other.parent == folder and name in (other.name, other.stem) and not is_metadata(path):
            found.append(path)
    return found


def _taken(document: config.Document, one: catalog.Written, first: catalog.Written) -> None:
    where = first.document.place(first.mark)
    if is_metadata(first.document.file):
        document.error(
            "duplicate-name", f"the action {one.name!r} is there already ({where})", one.mark, "another name"
        )
    else:
        message = f"the action {one.name!r} of {where} counts, not this one"
        document.diagnostic("hint", "shadowed", message, one.mark, "take one of the two out")


def without_metadata(tree: Tree, found: catalog.Catalog, run_by_rules: Collection[str]) -> Iterator[errors.Diagnostic]:
    """A hint for each playbook and script that no action names. `run_by_rules`: playbooks that a `run_playbook` names."""
    used = {*run_by_rules, *(entry.subject for entry in found.entries.values() if isinstance(entry.subject, str))}
    for kind, folder in catalog.FOLDERS.items():
        for path in tree.names(folder):
            name = path.removeprefix(folder + "/")
            looks = name.endswith(_PLAYBOOK) if kind == "playbook" else not _NO_SCRIPT.fullmatch(name)
            looks = looks and ("/" not in name or (kind == "playbook" and _has_plays(tree, path)))
            if looks and not is_metadata(path) and path not in used:
                stem = path.rpartition(".")[0] or path
                message = f"no action runs this {kind}"
                try_ = f"describe it in actions.yaml or {stem}.meta.yml if rules should run it"
                yield errors.Diagnostic("no-metadata", message, errors.Place(path), "hint", try_=try_)


def _has_plays(tree: Tree, path: str) -> bool:
    """Whether a file in a sub-folder is a playbook: tasks, variables and parts of roles lie there too."""
    if not _OF_ANSIBLE.isdisjoint(path.split("/")[1:-1]):
        return False
    try:
        with (tree.root / path).open("rb") as file:
            return bool(_PLAY.search(file.read(PLAYS_BYTES_MAX)))
    except OSError:
        return False
