"""`docs/controllers.md` on `oc`: its files are a project that loads, and its tables name every option, verb and argument."""

from __future__ import annotations

import pathlib
import re

import pytest

from healer import project
from healer.catalog import clusters
from healer.controllers import _oc_objects, oc


@pytest.fixture
def section(repository: pathlib.Path) -> str:
    page = (repository / "docs" / "controllers.md").read_text("utf-8")
    return page.split("\n## oc\n")[1].split("\n## ", maxsplit=1)[0]


def rows(section: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading."""
    table = section.split(f"| {first} |")[1].split("\n\n", maxsplit=1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_files_of_the_section_are_a_project(section: str, tmp_path: pathlib.Path) -> None:
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == section.count("```yaml") == 3
    for name, text in [
        *blocks,
        ("manifests/settings.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}\n"),
    ]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    loaded = project.load(tmp_path, {})
    assert [str(one) for one in loaded.diagnostics if one.severity == "error"] == []
    assert loaded.revision is not None
    assert {one.kind for one in loaded.revision.catalog.entries.values()} == {"oc"}


def test_the_options_are_those_of_the_code(section: str) -> None:
    assert [row[0].strip("`") for row in rows(section, "option")] == [*oc.OcOptions.model_fields]


def test_the_verbs_are_those_of_the_code(section: str) -> None:
    told = {verb: row for row in rows(section, "verb") for verb in re.findall(r"`([^`]+)`", row[0])}
    assert {*told} == {*clusters.TAKES}
    for verb, taken in clusters.TAKES.items():
        assert {*re.findall(r"`([^`]+)`", told[verb][2])} == {*taken}
        assert told[verb][1] == ", ".join(_oc_objects.ON.get(verb, ["whatever lies in a namespace"]))
