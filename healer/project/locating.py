"""What the name of a source or filter stands for: a native plugin, a push source, or a file of event-driven Ansible.

`sources` asks when it checks, `supervise` when it starts them: one function, so that both find the same. Nothing of
ansible_rulebook is imported: its engine would bring a JVM along. A file is read (never run) to tell a plugin of ours from one
of theirs.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from healer import errors, plugins

_OURS: Final = "healer."
_BUILTIN: Final = ("eda.builtin.", "ansible.eda.")
_PACKAGE: Final = "ansible_rulebook"
_EXTRA: Final = "pip install 'auto-healer[eda]'"
COLLECTIONS: Final = ("~/.ansible/collections", "/usr/share/ansible/collections")
"""Where installed collections lie, beside `collections/` of the project, which goes first."""
_FOLDERS: Final[Mapping[str, tuple[str, ...]]] = {
    what: tuple(f"{base}/{name}" for base in ("extensions/eda/plugins", "plugins") for name in (what, what + "s"))
    for what in ("event_source", "event_filter")
}
MAIN_ENDINGS: Final = (".yml", ".yaml", ".json", "")
"""Those of `main` in a role's folders: Ansible takes the first that is there."""
ROLE_FILES: Final = tuple(f"/{part}/main{ending}" for part in ("tasks", "meta") for ending in MAIN_ENDINGS)
"""One of these in it makes a folder a role."""
_FILE_MAX: Final = 4 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Located:
    """`native` and `push`: `plugin` is the class. `eda`: `path` is the file with `async def main(queue, args)`."""

    kind: Literal["native", "eda", "push"]
    name: str
    plugin: Any = None
    path: pathlib.Path | None = None
    sys_path: tuple[str, ...] = ()


def locate(type_name: str, project_dir: pathlib.Path, collections: Sequence[str] | None = None) -> Located:
    """The source behind a name. `collections`: folders of collections, else those of the project and of this machine.

    `healer.x` is ours; a bare name is the project's own file, then a native one that is no push source, then one that
    comes with ansible_rulebook; `eda.builtin.x` and `ansible.eda.x` come with it, other dotted names from a collection.
    Raises `plugins.UnknownPlugin` (with the nearest name), `plugins.BrokenPlugin`, `errors.MissingExtra`.
    """
    if type_name.startswith(_OURS):
        return _native(type_name.removeprefix(_OURS), type_name, project_dir)
    dotted = "." in type_name
    folders = _folders(project_dir, collections)
    found = _of_eda(type_name, "event_source", folders) if dotted else _bare(type_name, project_dir)
    if found is None:
        _told_missing("source", type_name)
        near = _nearest(type_name, names(project_dir))
        lacks = "" if _installed() else f"those of event-driven Ansible need {_EXTRA}"
        collection = type_name.rpartition(".")[0]
        if not near and collection.count(".") == 1 and not type_name.startswith(_BUILTIN[0]):
            near = f"is the collection there? ansible-galaxy collection install {collection}"
        raise plugins.UnknownPlugin(what="source", name=type_name, try_="; ".join(one for one in (near, lacks) if one))
    return found


def _nearest(name: str, known: Sequence[str]) -> str:
    """The name that may be meant: of a collection that is known, one of its own, since its names are alike at their beginning."""
    space, dot, last = name.rpartition(".")
    beside = [one.rpartition(".")[2] for one in known if dot and one.rpartition(".")[0] == space]
    return errors.nearest(last, beside).replace("'", f"'{space}.", 1) if beside else errors.nearest(name, known)


def _folders(project_dir: pathlib.Path, given: Sequence[str] | None) -> Sequence[str]:
    return (str(project_dir / "collections"), *COLLECTIONS) if given is None else given


def _installed() -> bool:
    return importlib.util.find_spec(_PACKAGE) is not None


def _told_missing(what: str, name: str) -> None:
    """Raise `errors.MissingExtra` for a name that only ansible-rulebook, which is not there, could bring."""
    if name.startswith(_BUILTIN) and not _installed():
        raise errors.MissingExtra(_EXTRA, what=f"the {what} {name!r}", package="ansible-rulebook")


def locate_filter(name: str, project_dir: pathlib.Path, collections: Sequence[str] | None = None) -> pathlib.Path:
    """The file of a filter: the project's own in `filters/`, a collection's, or one that ansible_rulebook brings.

    Raises as `locate`.
    """
    own = project_dir / "filters" / f"{name}.py"
    if "." not in name and name.isidentifier() and own.is_file():
        return own
    full = name if "." in name else _BUILTIN[0] + name
    found = _of_eda(full, "event_filter", _folders(project_dir, collections))
    if found is None or found.path is None:
        _told_missing("filter", full)
        known = [prefix + one for one in _bundled("event_filter") for prefix in ("", *_BUILTIN)]
        raise plugins.UnknownPlugin(what="filter", name=name, try_=errors.nearest(name, known))
    return found.path


def locate_rulebook(name: str, project_dir: pathlib.Path) -> pathlib.Path | None:
    """The file of a rulebook of an installed collection (`cisco.ios.links`); None where there is none."""
    return _of_collection(name, project_dir, "extensions/eda/rulebooks")


def locate_playbook(name: str, project_dir: pathlib.Path) -> pathlib.Path | None:
    """The file of a playbook of an installed collection (`cisco.ios.fix`), which Ansible takes by that name; None where there is none."""
    return _of_collection(name, project_dir, "playbooks")


def locate_role(name: str, project_dir: pathlib.Path) -> pathlib.Path | None:
    """A file that makes a folder of an installed collection a role (`cisco.ios.fix`); None where there is none."""
    return _of_collection(name, project_dir, "roles", ROLE_FILES)


def _of_collection(
    name: str, project_dir: pathlib.Path, folder: str, endings: Sequence[str] = (".yml", ".yaml")
) -> pathlib.Path | None:
    parts = name.split(".")
    if len(parts) != 3 or not all(part.isidentifier() and part.isascii() for part in parts):
        return None
    for root in _folders(project_dir, None):
        for ending in endings:
            path = (
                pathlib.Path(root)
                .expanduser()
                .joinpath("ansible_collections", *parts[:2], folder, f"{parts[2]}{ending}")
            )
            if path.is_file():
                return path
    return None


def names(project_dir: pathlib.Path) -> list[str]:
    """Every name that `locate` surely knows (collections are not searched), for near names and help."""
    native = plugins.names("sources", project_dir)
    pushed = {name for name in plugins.builtin_names("sources") if _is_push(name, project_dir)}
    bundled = [prefix + name for name in _bundled("event_source") for prefix in ("", *_BUILTIN)]
    return sorted({*(_OURS + name for name in native), *(set(native) - pushed), *bundled})


def _is_push(name: str, project_dir: pathlib.Path) -> bool:
    return _native(name, name, project_dir).kind == "push"


def _bare(name: str, project_dir: pathlib.Path) -> Located | None:
    own = plugins.project_names("sources", project_dir).get(name)
    if own and _defines_main(own):
        return Located("eda", name, path=own)
    if name in plugins.names("sources", project_dir):
        found = _native(name, name, project_dir)
        if found.kind == "native":
            return found
    bundled = _of_eda(_BUILTIN[0] + name, "event_source", ())
    return dataclasses.replace(bundled, name=name) if bundled else None


def _native(name: str, shown: str, project_dir: pathlib.Path) -> Located:
    own = plugins.project_names("sources", project_dir).get(name)
    if own and _defines_main(own):
        raise plugins.UnknownPlugin(what="source", name=shown, try_=f"did you mean '{name}'?")
    try:
        module = plugins.find("sources", name, project_dir)
    except plugins.UnknownPlugin:
        known = names(project_dir) if shown != name else []
        raise plugins.UnknownPlugin(what="source", name=shown, try_=errors.nearest(shown, known)) from None
    plugin = getattr(module, "SOURCE", module)
    if isinstance(plugin, type) and issubclass(plugin, plugins.Push):
        return Located("push", shown, plugin)
    if isinstance(plugin, type) and issubclass(plugin, plugins.Source):
        return Located("native", shown, plugin)
    where = str(getattr(module, "__file__", name))
    raise plugins.BrokenPlugin(what="source", name=shown, where=where, reason="SOURCE is no Source and no Push class")


def _of_eda(name: str, what: str, collections: Sequence[str]) -> Located | None:
    """A dotted name: of a collection where it is installed, else of what comes with ansible_rulebook."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    if len(parts) == 3:
        for root in collections:
            base = pathlib.Path(root).expanduser()
            for folder in _FOLDERS[what]:
                path = base.joinpath("ansible_collections", *parts[:2], folder, f"{parts[2]}.py")
                if path.is_file():
                    return Located("eda", name, path=path, sys_path=(str(base),))
    if name.startswith(_BUILTIN):
        bundled = _bundled(what).get(parts[-1])
        return Located("eda", name, path=bundled) if bundled is not None else None
    return None


@functools.cache
def _bundled(what: str) -> dict[str, pathlib.Path]:
    """The plugins that come with ansible_rulebook (found without importing it), by name; none without it."""
    return {path.stem: path for path in _files(what) if not path.stem.startswith("_")}


def _files(what: str) -> Iterator[pathlib.Path]:
    spec = importlib.util.find_spec(_PACKAGE)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(pathlib.Path(root, what).glob("*.py"))


def _defines_main(path: pathlib.Path) -> bool:
    """Whether a file has `async def main` at its top, as sources of event-driven Ansible do. The file is not run."""
    try:
        with path.open("rb") as file:
            tree = ast.parse(file.read(_FILE_MAX))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    return any(isinstance(node, ast.AsyncFunctionDef) and node.name == "main" for node in tree.body)


# --- what only checking needs ---------------------------------------------------------------------------------------------


def options(name: str) -> type[plugins.Options]:
    """The options of one of our own sources, by its full name (`healer.source`)."""
    found: type[plugins.Options] = plugins.find("sources", name.removeprefix(_OURS)).SOURCE.Options
    return found


def options_for(located: Located, written: Any, project_dir: pathlib.Path) -> type[plugins.Options]:
    """The shape of what is written for one of our sources or the project's own. Raises `plugins.BrokenPlugin`."""
    plugin = located.plugin
    found: type[plugins.Options] = (
        plugin.options_for(written, project_dir) if located.kind == "native" else plugin.Options
    )
    return found


def format_of(name: str) -> plugins.Format:
    """A format of webhooks. Raises `plugins.UnknownPlugin` or `plugins.BrokenPlugin`."""
    module = plugins.find("formats", name)
    found = getattr(module, "FORMAT", module)
    if isinstance(found, plugins.Format):
        return found
    where = str(getattr(module, "__file__", name))
    raise plugins.BrokenPlugin(what="format", name=name, where=where, reason="FORMAT is no Format")


def is_builtin(plugin: Any) -> bool:
    """Whether a plugin's class ships with healer, so that any process can import it by its name."""
    return str(getattr(plugin, "__module__", "")).startswith("healer.")


def file_of(plugin: Any) -> pathlib.Path | None:
    """The file that a plugin's class comes from."""
    file = getattr(sys.modules.get(str(getattr(plugin, "__module__", ""))), "__file__", None)
    return pathlib.Path(file) if file else None
