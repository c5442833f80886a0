"""Each code that the source tells stands in the table and in docs/diagnostics.md, and nothing else does."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

from healer import errors, plugins, project
from healer.lint import codes
from healer.project import folders, machines, publishing

LOOKED_AT = ("catalog", "daemon", "harness", "inventory", "lint", "plugins", "project", "rulebook", "web")
PLACES = {
    "error": 0, "warning": 0, "_error": 0, "_warning": 0, "diagnostic": 1, "Diagnostic": 0, "Wrong": 0, "_wrong": 0, "trap": 0, "tell": 1, "_of": 1,
}  # fmt: skip
"""Function → which argument is the code."""
FROM_ERRORS = {
    errors.MissingExtra.code, errors.SecretUnavailable.code, errors.TemplateError.code, plugins.UnknownPlugin.code, plugins.BrokenPlugin.code,
    plugins.ProjectCode.code, machines.UnknownMachine.code, publishing.Changed.code, publishing.Tampered.code,
}  # fmt: skip
"""Errors that become diagnostics under their own code."""
BY_NAME = {
    "unknown-format",
    "duplicate-key",
    "dynamic-inventory",
    "parameters",
    "no-action-file",
    "ambiguous-file",
    "unknown-principal",
    "unreachable-value",
    *(code for code, *_ in folders._WRITTEN.values()),
}
"""Codes that stand behind a name in the source."""
NO_CODES = {"field", "condition", "message"}


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else node.func.id
                if isinstance(node.func, ast.Name)
                else ""
            )
            at = 0 if name == "tell" and isinstance(node.func, ast.Name) else PLACES.get(name, 99)
            if len(node.args) > at and isinstance(code := getattr(node.args[at], "value", None), str):
                yield code
        elif (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and isinstance(node.value.value, ast.Tuple)
        ):
            first = getattr(node.value.value.elts[0], "value", None)
            if isinstance(first, str) and first.startswith("trap-"):
                yield first


def in_source(repository: pathlib.Path) -> set[str]:
    files = [path for room in LOOKED_AT for path in (repository / "healer" / room).rglob("*.py")] + [
        repository / "healer/config.py"
    ]
    found = {code for path in files for code in calls(ast.parse(path.read_text("utf-8")))}
    return {code for code in found if code.replace("-", "").replace("_", "").isalpha() and code.islower()}


def test_each_code_of_the_source_is_in_the_table(repository: pathlib.Path) -> None:
    found = in_source(repository) | FROM_ERRORS | BY_NAME
    # What is said by other functions of these names, and is no diagnostic:
    found -= {code for code in found - set(codes.TABLE) if "-" not in code and "_" not in code}
    assert sorted(found - set(codes.TABLE)) == []


def test_each_code_of_the_table_is_in_the_source(repository: pathlib.Path) -> None:
    assert sorted(set(codes.TABLE) - in_source(repository) - FROM_ERRORS - BY_NAME) == []


def test_the_page_is_the_table(repository: pathlib.Path) -> None:
    page = (repository / "docs/diagnostics.md").read_text("utf-8")
    area, rows = "", {}
    for line in page.splitlines():
        area = line.removeprefix("## ") if line.startswith("## ") else area
        if line.startswith("| `") and line.count(" | ") == 3:
            name, severity, what, do = (cell.strip() for cell in line.strip("|").split(" | "))
            rows[name.strip("`")] = (severity, what, do, area)
    table = {
        one.name: (one.severity + (f"; {one.also}" if one.also else ""), one.what, one.do, one.area)
        for one in codes.TABLE.values()
    }
    assert rows == table


def test_each_code_that_the_page_names_is_there(repository: pathlib.Path) -> None:
    page = (repository / "docs/diagnostics.md").read_text("utf-8")
    rows = page.partition("## The traps, row by row")[2]
    named = {
        word for line in rows.splitlines() if line.startswith("| ") for word in line.split("|")[2].split("`")[1::2]
    }
    others = {"match_multiple_rules", "facts.x", "event.alert.…", "healer explain"}
    assert sorted(named - set(codes.TABLE) - others) == []
    traps = {name for name in codes.TABLE if name.startswith("trap-")}
    assert sorted(traps - named) == []


def test_the_texts_are_short_and_no_sentences() -> None:
    for one in codes.TABLE.values():
        assert one.what
        assert one.do
        assert not one.what.endswith("."), one.name
        assert "|" not in one.what + one.do, one.name


def test_what_a_project_tells_has_a_code_of_the_table(repository: pathlib.Path) -> None:
    draft = project.draft_of(repository, {})
    assert {one.code for one in draft.diagnostics} <= set(codes.TABLE)
