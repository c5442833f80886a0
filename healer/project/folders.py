"""Files in the wrong folder, and plugins that would take the place of a built-in one. Caller: `loading`."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Final

from healer import errors, plugins
from healer.project.tree import Tree

_YAML: Final = (".yml", ".yaml")
_LISTED: Final[Mapping[plugins.Kind, str]] = {
    "controllers": "controllers are listed in controllers.yaml",
    "sources": "sources are listed in rulebooks and, shared, in healer.yaml",
}


def mistakes(tree: Tree) -> Iterator[errors.Diagnostic]:
    """Each file that lies where it will never be read, and each plugin named as a built-in one."""
    for kind, listed in _LISTED.items():
        builtin = plugins.builtin_names(kind)
        for path in tree.names(kind):
            name = pathlib.PurePosixPath(path)
            if name.suffix in _YAML and len(name.parts) == 2:
                yield _error("wrong-folder", path, f"this folder holds Python plugins; {listed}")
            elif name.suffix == ".py" and len(name.parts) == 2 and name.stem in builtin:
                message = f"healer has a {kind[:-1]} {name.stem!r} of its own, which this would take the place of"
                yield _error("plugin-shadows", path, message, "give the file another name")
    for path in tree.names("rulebooks"):
        if path.endswith(".py"):
            message = "this folder holds rulebooks; Python plugins lie in sources/ and controllers/"
            yield _error("wrong-folder", path, message)


def _error(code: str, path: str, message: str, try_: str = "") -> errors.Diagnostic:
    return errors.Diagnostic(code, message, errors.Place(path), try_=try_)
