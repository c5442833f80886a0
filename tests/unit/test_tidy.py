"""The habits of this repository that no linter knows: sizes, names, docstrings, and where a test lies.

Each check is a function from files to complaints, so that every check is itself shown to fail on a bad file.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Callable, Iterator

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NOT_LOOKED_AT = {"build", "dist", "logs", "__pycache__"}
PRODUCT = ("checks", "controllers", "healer", "sources")
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
NAMES_FORBIDDEN = {"common", "core", "helper", "helpers", "manager", "util", "utils"}
TEST_KINDS = {
    "acceptance", "bad", "checks", "controllers", "docs", "rulebooks", "simulation", "sources", "store", "threats", "unit",
}  # fmt: skip

# Written so that this file does not find itself.
UNFINISHED = re.compile(r"\b(T[O]DO|FIX[M]E|XX[X])\b")
MACHINE_PATHS = re.compile(r"(?<![\w.>-])/(work/(?:main|shared|\.library)|root/|tmp/(?:h|bash_jobs)\b)")

NOT_MIRRORED: dict[str, str] = {
    "test_imports.py": "the rules of importing, of all modules",
    "test_packaging.py": "the package as pip sees it",
    "test_skips.py": "the rule about skipped tests in tests/conftest.py",
    "test_tidy.py": "this file",
}
"""Unit test files that belong to no single module, with the reason."""

SLEEPS_ALLOWED = {"tests/conftest.py": "the one place that waits for real processes"}


@dataclasses.dataclass(frozen=True)
class File:
    """A file of the repository: its path (relative, with slashes) and its text."""

    path: str
    text: str

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py") or self.text.startswith("#!/usr/bin/env python")

    def tree(self) -> ast.Module:
        return parsed(self.text, self.path)


@functools.lru_cache(maxsize=4096)
def parsed(text: str, path: str) -> ast.Module:
    """A module, which nobody changes."""
    return ast.parse(text, path)


def files(root: pathlib.Path = REPOSITORY) -> Iterator[File]:
    """Every text file of the repository, in a fixed order."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if looked_at(name))
        for path in (pathlib.Path(folder, name) for name in sorted(names)):
            with contextlib.suppress(UnicodeDecodeError):  # not a text file
                yield File(path.relative_to(root).as_posix(), path.read_text("utf-8"))


def looked_at(folder: str) -> bool:
    """Whether a folder of this name holds what people write, not what tools make."""
    hidden = folder.startswith(".") and folder not in (".ci", ".github")
    return not hidden and folder not in NOT_LOOKED_AT and not folder.endswith(".egg-info")


def size(file: File) -> Iterator[str]:
    """A file of code over the limit, a function over the limit."""
    if not file.is_python and not file.path.endswith((".sql", ".sh")):
        return
    lines = file.text.count("\n")
    if lines > LINES_MAX:
        yield f"{file.path}: {lines} lines, limit {LINES_MAX}: split it along a noun"
    if not file.is_python:
        return
    for node in ast.walk(file.tree()):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{file.path}:{node.lineno}: {node.name} has {length} lines, limit {FUNCTION_LINES_MAX}"


def name(file: File) -> Iterator[str]:
    """A file or folder that could hold anything."""
    if file.path.split("/")[0] not in (*PRODUCT, "bench", "tests"):
        return
    for part in pathlib.PurePosixPath(file.path).with_suffix("").parts:
        if part.removeprefix("test_") in NAMES_FORBIDDEN:
            yield f"{file.path}: {part!r} says nothing; name it for what it holds, or put it beside its only user"


def docstring(file: File) -> Iterator[str]:
    """A module that does not say what it is."""
    if file.is_python and file.text.strip() and not ast.get_docstring(file.tree()):
        yield f"{file.path}:1: no docstring: what it is, who calls it, why it is so"


def unfinished(file: File) -> Iterator[str]:
    """A note to oneself: it belongs into an issue."""
    for number, line in enumerate(file.text.splitlines(), 1):
        if found := UNFINISHED.search(line):
            yield f"{file.path}:{number}: {found.group()}: file an issue"


def machine_path(file: File) -> Iterator[str]:
    """A path that exists on one machine only."""
    for number, line in enumerate(file.text.splitlines(), 1):
        if found := MACHINE_PATHS.search(line):
            yield f"{file.path}:{number}: {found.group()} is a path of one machine"


def shell(file: File) -> Iterator[str]:
    """A command given to a shell: hostile values reach it sooner or later."""
    if not file.is_python or file.path.split("/")[0] not in PRODUCT:
        return
    for node in ast.walk(file.tree()):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = any(
            k.arg == "shell" and not (isinstance(k.value, ast.Constant) and not k.value.value) for k in node.keywords
        )
        if given or called in {"os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput"}:
            yield f"{file.path}:{node.lineno}: {called} through a shell: give an argument list"


def sleep(file: File) -> Iterator[str]:
    """A test that sleeps. `asyncio.sleep(0)` only yields, and under looptime every sleep is virtual."""
    if not file.is_python or not file.path.startswith("tests/") or file.path in SLEEPS_ALLOWED:
        return
    virtual = "looptime" in file.text
    for node in ast.walk(file.tree()):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        zero = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if called == "time.sleep" or (called == "asyncio.sleep" and not zero and not virtual):
            yield f"{file.path}:{node.lineno}: {called}: wait for a condition (wait_for), or use virtual time"


def mirror(file: File, root: pathlib.Path = REPOSITORY) -> Iterator[str]:
    """A unit test that lies elsewhere than its module: tests/unit/x/test_y.py is for healer/x/y.py (or sources/…).

    Several files for one module are test_y.py, test_y_limits.py …; test_x.py beside or in x/ is for the package x.
    """
    parts = pathlib.PurePosixPath(file.path).parts
    if parts[0] != "tests" or not parts[-1].startswith("test_") or not parts[-1].endswith(".py"):
        return
    if len(parts) < 3 or parts[1] not in TEST_KINDS:
        yield f"{file.path}: tests lie in tests/<kind>/, a kind being one of {', '.join(sorted(TEST_KINDS))}"
        return
    inner = parts[2:]
    if parts[1] != "unit" or "/".join(inner) in NOT_MIRRORED:
        return
    base = root if inner[0] in ("sources", "checks", "controllers") else root / "healer"
    folder = base.joinpath(*inner[:-1])
    words = parts[-1].removeprefix("test_").removesuffix(".py").split("_")
    names = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
    modules = {path.stem.lstrip("_") for path in folder.glob("*.py")}
    packages = {path.name for path in folder.glob("*/") if any(path.glob("*.py"))} | {folder.name}
    if not names & (modules | packages):
        yield f"{file.path}: no module {folder.relative_to(root)}/{'_'.join(words)}.py that it could be the test of"


CHECKS: list[Callable[[File], Iterator[str]]] = [size, name, docstring, unfinished, machine_path, shell, sleep, mirror]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_repository_is_tidy(check: Callable[[File], Iterator[str]]) -> None:
    complaints = [complaint for file in files() for complaint in check(file)]
    assert not complaints, "\n" + "\n".join(complaints)


def test_files_are_found() -> None:
    found = {file.path for file in files()}
    assert {"README.md", "healer/errors.py", "tests/unit/test_tidy.py", ".ci/run"} <= found


def test_every_exception_to_the_mirror_exists() -> None:
    assert [path for path in NOT_MIRRORED if not (REPOSITORY / "tests/unit" / path).is_file()] == []


BAD = [
    (size, "healer/a.py", "x = 1\n" * 401),
    (size, "healer/a.py", "def f():\n" + "    x = 1\n" * 60),
    (size, "healer/store/a.sql", "\n" * 401),
    (name, "healer/utils.py", ""),
    (name, "healer/core/x.py", ""),
    (name, "tests/unit/test_helpers.py", ""),
    (docstring, "healer/a.py", "x = 1\n"),
    (unfinished, "docs/a.md", "TO" + "DO later"),
    (machine_path, "docs/a.md", "see /wor" + "k/main/x"),
    (shell, "healer/a.py", "subprocess.run('x', shell=True)"),
    (shell, "sources/a.py", "os.system('x')"),
    (sleep, "tests/unit/test_a.py", "time.sleep(1)"),
    (sleep, "tests/unit/test_a.py", "await asyncio.sleep(0.1)"),
    (mirror, "tests/unit/test_nothing_of_that_name.py", ""),
    (mirror, "tests/unit/nowhere/test_errors.py", ""),
    (mirror, "tests/test_errors.py", ""),
]
GOOD = [
    (size, "healer/a.py", "def f():\n" + "    x = 1\n" * 59 + "\n" * 340),
    (size, "docs/a.md", "\n" * 1000),
    (name, "healer/dispatch/claim.py", ""),
    (docstring, "healer/__init__.py", ""),
    (machine_path, "docs/a.md", ".healer/work/main/ and <data_dir>/work/main"),
    (shell, "healer/a.py", "subprocess.run(['x'], shell=False)"),
    (sleep, "tests/unit/test_a.py", "await asyncio.sleep(0)"),
    (sleep, "tests/unit/test_a.py", "script = 'time.sleep(60)'"),
    (mirror, "tests/unit/test_errors.py", ""),
    (mirror, "tests/unit/test_errors_limits.py", ""),
    (mirror, "tests/acceptance/test_first_light.py", ""),
]


@pytest.mark.parametrize(("check", "path", "text"), BAD)
def test_check_finds(check: Callable[[File], Iterator[str]], path: str, text: str) -> None:
    assert list(check(File(path, text)))


@pytest.mark.parametrize(("check", "path", "text"), GOOD)
def test_check_lets_pass(check: Callable[[File], Iterator[str]], path: str, text: str) -> None:
    assert list(check(File(path, text))) == []
