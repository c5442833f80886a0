"""Finding a plugin by its name: built in, in the project's own folder, or an entry point; imported only when something names it.

A format that ships may be a mapping instead of a module (`NAME.yml`): it is read when something names it, and then it looks like one.
"""

from __future__ import annotations

import contextlib
import contextvars
import filecmp
import functools
import importlib
import importlib.metadata
import importlib.util
import pathlib
import re
import sys
import types
from collections.abc import Iterator
from typing import Any, Final, Literal

from healer import config, errors, interruption
from healer.plugins import calling
from healer.plugins.contracts import Check, Format
from healer.plugins.options import check_options

Kind = Literal["sources", "formats", "checks", "controllers", "notifiers"]
OWN_KINDS: Final[frozenset[Kind]] = frozenset({"sources", "checks", "controllers"})
"""Those that a project may have a folder of. Formats read what strangers send, inside the daemon: they are installed."""

_PACKAGES: Final[dict[Kind, str]] = {"notifiers": "healer.notify.channels"}
"""Where those that ship lie, where that is not `healer.KIND`."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class UnknownPlugin(errors.HealerError):
    """no {what} is named {name!r}"""

    code = "unknown-plugin"


class BrokenPlugin(errors.HealerError):
    """the {what} {name!r} ({where}) cannot be used: {reason}"""

    code = "broken-plugin"


class ProjectCode(BrokenPlugin):
    """the {what} {name!r} is code of the project, which is not run here (--no-project-plugins)"""

    code = "project-code"


_runs_own: contextvars.ContextVar[bool] = contextvars.ContextVar("runs_own", default=True)


@contextlib.contextmanager
def without_project_code() -> Iterator[None]:
    """Nothing of a project's own folders is imported meanwhile: who names it is given `ProjectCode`."""
    token = _runs_own.set(False)
    try:
        yield
    finally:
        _runs_own.reset(token)


def builtin_names(kind: Kind) -> list[str]:
    """The names of the plugins that ship with healer, sorted."""
    return sorted(_shipped(kind))


def _package(kind: Kind) -> str:
    return _PACKAGES.get(kind, f"healer.{kind}")


def _shipped(kind: Kind) -> dict[str, pathlib.Path]:
    """The files of the plugins that ship, by name; where there are two of a name, the module."""
    folders = tuple(importlib.import_module(_package(kind)).__path__)
    changed = tuple(pathlib.Path(folder).stat().st_mtime_ns for folder in folders)
    return _files(folders, changed, ("*.yml", "*.py") if kind == "formats" else ("*.py",))


@functools.lru_cache(maxsize=32)
def _files(folders: tuple[str, ...], _changed: tuple[int, ...], patterns: tuple[str, ...]) -> dict[str, pathlib.Path]:
    return {
        path.stem: path
        for pattern in patterns
        for folder in folders
        for path in pathlib.Path(folder).glob(pattern)
        if _NAME.fullmatch(path.stem)
    }


def project_names(kind: Kind, project_dir: pathlib.Path) -> dict[str, pathlib.Path]:
    """The plugins in the project's own folder, by name; a file that is the built-in one, or a copy of it, is left out.

    None of a kind that projects have no folder of.
    """
    if kind not in OWN_KINDS:
        return {}
    shipped = _shipped(kind)
    builtin = {path.resolve() for path in shipped.values()}
    folder = project_dir / kind
    found = (
        {path.stem: path for path in sorted(folder.glob("*.py")) if _NAME.fullmatch(path.stem)}
        if folder.is_dir()
        else {}
    )
    return {
        name: path
        for name, path in found.items()
        if path.resolve() not in builtin and not (name in shipped and _are_same(path, shipped[name]))
    }


def is_copy(kind: Kind, folder: pathlib.Path) -> bool:
    """Whether a folder is the one that plugins of a kind ship in, or has nothing but copies of them: healer's own repository is a project
    too, whichever healer reads it."""
    homes = [pathlib.Path(one) for one in importlib.import_module(_package(kind)).__path__]
    if any(home.is_dir() and home.samefile(folder) for home in homes):
        return True
    files = [*folder.glob("*.py")]
    return bool(files) and all(any(_are_same(path, home / path.name) for home in homes) for path in files)


def _are_same(path: pathlib.Path, shipped: pathlib.Path) -> bool:
    """Whether a file is another one, or has the same content."""
    try:
        return filecmp.cmp(path, shipped, shallow=False)
    except OSError:
        return False


def entry_points(kind: Kind) -> dict[str, importlib.metadata.EntryPoint]:
    """The plugins that installed packages offer, by name."""
    return {point.name: point for point in importlib.metadata.entry_points(group=f"healer.{kind}")}


def names(kind: Kind, project_dir: pathlib.Path | None = None) -> list[str]:
    """All names that `find` knows."""
    own = project_names(kind, project_dir) if project_dir else {}
    return sorted({*builtin_names(kind), *own, *entry_points(kind)})


def find(kind: Kind, name: str, project_dir: pathlib.Path | None = None) -> types.ModuleType | Any:
    """The module (or the object of an entry point) of a plugin. Raises `UnknownPlugin` or `BrokenPlugin`."""
    what = kind[:-1]
    where = name
    try:
        shipped = _shipped(kind).get(name)
        if shipped is not None and shipped.suffix == ".yml":
            where = str(shipped)
            return _mapped(shipped)
        if shipped is not None:
            return importlib.import_module(f"{_package(kind)}.{name}")
        own = project_names(kind, project_dir) if project_dir else {}
        if name in own and not _runs_own.get():
            raise ProjectCode(what=what, name=name, where=str(own[name]), reason="it is not run")
        if name in own:
            where = str(own[name])
            return _import_file(f"healer_project_{kind}.{name}", own[name])
        points = entry_points(kind)
        if name in points:
            where = points[name].value
            return _checked(kind, points[name].load())
    except ProjectCode:
        raise
    except ImportError as error:
        raise BrokenPlugin(what=what, name=name, where=where, reason=str(error)) from error
    except BaseException as error:  # a stranger's code: whatever it raises at import (`sys.exit()`) is its mistake
        if isinstance(error, KeyboardInterrupt) and not interruption.is_raised(error):
            raise  # the operator's
        raise BrokenPlugin(what=what, name=name, where=where, reason=calling.raised(error)) from error
    raise UnknownPlugin(what=what, name=name, try_=errors.nearest(name, names(kind, project_dir)))


def check(name: str, project_dir: pathlib.Path | None = None) -> type[Check]:
    """The class of a check. Raises `UnknownPlugin` or `BrokenPlugin`."""
    module = find("checks", name, project_dir)
    plugin = getattr(module, "CHECK", module)
    if isinstance(plugin, type) and issubclass(plugin, Check) and isinstance(getattr(plugin, "Options", None), type):
        return plugin
    where = str(getattr(module, "__file__", name))
    raise BrokenPlugin(what="check", name=name, where=where, reason="CHECK is no Check class with Options")


def _checked(kind: Kind, found: Any) -> Any:
    """Whoever asks for a format reads its `FORMAT`: what has none must be known before a delivery comes."""
    if kind == "formats" and not isinstance(getattr(found, "FORMAT", None), Format):
        raise ImportError("a module with FORMAT = plugins.Format(…) is wanted")
    return found


@functools.cache
def _mapped(path: pathlib.Path) -> types.ModuleType:
    """A mapping that ships, as the module of a format. Raises ImportError with all that is wrong with it, each where it stands."""
    language = importlib.import_module("healer.formats._mapping")
    document = config.read_file(path, path.name)
    made = check_options(document, language.Mapping, document.value, None, path.stem) if document.ok else None
    if made is None:
        raise ImportError("; ".join(f"{found.place}: {found.message}" for found in document.diagnostics))
    module = types.ModuleType(f"healer.formats.{path.stem}")
    module.__file__ = str(path)
    module.__dict__["FORMAT"] = language.format_of(path.stem, made)
    return module


def _import_file(module_name: str, path: pathlib.Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(module_name)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # a half of a module is none; the one from before a reload stays
        sys.modules.pop(module_name, None)
        if before is not None:
            sys.modules[module_name] = before
        raise
    return module
