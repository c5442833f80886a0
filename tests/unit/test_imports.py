"""The rules of importing that import-linter cannot see, since they are about the mapped folders or about names.

The layers themselves are contracts in pyproject.toml (`make check`).
"""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PLUGIN_MAY_IMPORT = (
    "healer.child",
    "healer.child.jobs",
    "healer.errors",
    "healer.model",
    "healer.plugins",
    "healer.quoting",
    "healer.redacting",
    "healer.urls",
)
NEVER_IMPORTED = ("drools", "jpy", "psycopg")

# Runs in a process of its own: imports whatever is there, as `healer version` and every plugin would, then looks.
IMPORT_ALL = f"""
import contextlib, importlib, io, pkgutil, runpy, sys
import healer

def walk(package):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith(".__main__"):
            yield found.name  # sources/formats is seen twice in an editable install: once as healer.sources.formats

names = list(walk(healer))
for plugins in ("healer.sources", "healer.formats", "healer.checks", "healer.controllers"):
    names += [plugins, *walk(importlib.import_module(plugins))]
for name in names:
    importlib.import_module(name)

sys.argv = ["healer", "version"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    runpy.run_module("healer", run_name="__main__")

print(len(names), *(name for name in {NEVER_IMPORTED!r} if name in sys.modules))
"""


def imports(text: str, path: str = "x.py") -> Iterator[tuple[int, str]]:
    """(line, module) of every import in `text`; `from a import b` counts as `a.b`, a relative one starts with a dot."""
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def under(module: str, roots: tuple[str, ...]) -> bool:
    """Whether `module` is one of `roots` or lies below one."""
    return any(module == root or module.startswith(root + ".") for root in roots)


def python_files(folder: str) -> list[pathlib.Path]:
    """The Python files below a folder of the repository, sorted."""
    return sorted((REPOSITORY / folder).rglob("*.py"))


def foreign_to_plugin(text: str, folder: str) -> list[str]:
    """What a plugin imports of healer beyond the plugin contract and its own neighbours."""
    allowed = (*PLUGIN_MAY_IMPORT, f"healer.{folder}", "healer.formats")
    return [
        f"line {line}: {name}"
        for line, name in imports(text)
        if under(name, ("healer", "")) and not under(name, allowed)
    ]


def names_a_plugin(text: str) -> list[str]:
    """Where the core imports a plugin by name."""
    return [
        f"line {n}: {name}"
        for n, name in imports(text)
        if under(name, ("healer.sources", "healer.formats", "healer.checks", "healer.controllers"))
    ]


def outside_stdlib(text: str) -> list[str]:
    """What is not of the standard library, nor of `healer.child` itself (which a child runs without site-packages)."""
    own = {*sys.stdlib_module_names, "__future__"}
    found = [
        (n, name) for n, name in imports(text) if name.split(".")[0] not in own and not under(name, ("healer.child",))
    ]
    return [f"line {n}: {name}" for n, name in found]


def names_not_modules(text: str, room: str = "") -> list[str]:
    """Names imported out of another room, where the module should be (`from healer import errors`)."""
    wrong = []
    for line, name in imports(text):
        parts = name.split(".")
        path = REPOSITORY.joinpath(*parts)
        if (
            parts[0] == "healer"
            and len(parts) > 2
            and parts[1] != room
            and not path.is_dir()
            and not path.with_suffix(".py").is_file()
        ):
            wrong.append(f"line {line}: {name}")
    return wrong


@pytest.mark.parametrize("folder", ["sources", "checks", "controllers"])
def test_plugins_import_the_plugin_contract_alone(folder: str) -> None:
    assert {
        str(path): bad for path in python_files(folder) if (bad := foreign_to_plugin(path.read_text(), folder))
    } == {}


def test_core_never_imports_a_plugin_by_name() -> None:
    assert {str(path): bad for path in python_files("healer") if (bad := names_a_plugin(path.read_text()))} == {}


def test_child_is_standard_library_alone() -> None:
    assert {str(path): bad for path in python_files("healer/child") if (bad := outside_stdlib(path.read_text()))} == {}


def test_modules_are_imported_not_names() -> None:
    """So that a call shows where things live. Within its own room a module may take names."""
    rooms = {path: path.relative_to(REPOSITORY).with_suffix("").parts[1] for path in python_files("healer")}
    assert {str(path): bad for path, room in rooms.items() if (bad := names_not_modules(path.read_text(), room))} == {}


def test_every_room_is_a_package() -> None:
    """A folder without `__init__.py` is invisible to import-linter."""
    folders = {path.parent for path in python_files("healer")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_jvm_and_postgresql_are_never_imported() -> None:
    """ansible-rulebook brings them along; importing every module of ours in one process brings in none of them."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, *found = done.stdout.split()
    assert int(count) > 10
    assert found == []


def test_rules_find_what_they_forbid() -> None:
    assert foreign_to_plugin("from healer import store", "sources") == ["line 1: healer.store"]
    assert foreign_to_plugin("from . import x", "sources") == ["line 1: ..x"]
    assert foreign_to_plugin("from healer.controllers import ssh", "sources") == ["line 1: healer.controllers.ssh"]
    assert foreign_to_plugin("import asyncio\nfrom healer import plugins, errors", "sources") == []
    assert names_a_plugin("def f():\n    import healer.sources.check") == ["line 2: healer.sources.check"]
    assert outside_stdlib("import os, yaml\nfrom healer.child import x") == ["line 1: yaml"]
    assert outside_stdlib("from healer import errors") == ["line 1: healer.errors"]
    assert names_not_modules("from healer.errors import Place") == ["line 1: healer.errors.Place"]
    assert names_not_modules("from healer.errors import Place", "errors") == []
    assert names_not_modules("from healer import errors\nfrom healer import __version__") == []
