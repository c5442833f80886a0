"""The samples' own tests (`healer test`): each rulebook that ships has its file of them, all pass, and nothing of a rule is left unseen."""

from __future__ import annotations

import pathlib

import pytest

from healer import harness, project
from healer.cli import init
from healer.harness import telling

PROJECTS = (".", "examples/cluster", "healer init")


def root(repository: pathlib.Path, folder: str, tmp_path: pathlib.Path) -> pathlib.Path:
    """The project's folder; that of `healer init` is written."""
    if folder != "healer init":
        return repository / folder
    init.write(tmp_path)
    return tmp_path


@pytest.mark.parametrize("folder", PROJECTS)
def test_they_pass_and_see_everything(repository: pathlib.Path, tmp_path: pathlib.Path, folder: str) -> None:
    where = root(repository, folder, tmp_path)
    revision = project.load(where, {}).revision
    assert revision is not None
    files = [*harness.suite.files(where)]
    report = harness.run(where, revision, files, covered=True)
    said = [str(one) for run in report.runs for one in run.suite.diagnostics]
    assert report.ok, "\n".join([*said, *(line for one in report.results for line in telling.lines(one))])
    assert report.coverage is not None
    assert report.coverage.missing() == []
    books = {one.file for one in revision.activations if not one.hidden}
    assert {path.removesuffix("_test.yml") + ".yml" for path in files} >= books, "a file of tests for each"


@pytest.mark.parametrize("folder", PROJECTS[:2])
def test_each_action_of_the_catalog_is_seen_running(repository: pathlib.Path, folder: str) -> None:
    where = repository / folder
    revision = project.load(where, {}).revision
    assert revision is not None
    report = harness.run(where, revision, harness.suite.files(where), covered=True)
    ran = {run["action"] for one in report.results if one.seen is not None for run in one.seen.runs if run["begun"]}
    assert ran == {*revision.catalog.entries}
