"""`docs/mutation-report.md` is what a run of `make mutate` wrote: of all that is to be changed, and with enough of it noticed."""

from __future__ import annotations

import ast
import pathlib
import re
from typing import Any

import pytest
import yaml

WANTED, WANTED_OF_FILE = 90.0, 80.0
ROW = re.compile(r"^\| (\S+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+)% \|$", re.MULTILINE)


@pytest.fixture
def table(repository: pathlib.Path) -> dict[str, list[float]]:
    """File (or `all`) → mutants, killed, timed out, survived, of them accepted, score."""
    page = (repository / "docs" / "mutation-report.md").read_text("utf-8")
    return {name: [float(one) for one in cells] for name, *cells in ROW.findall(page)}


def changed(repository: pathlib.Path) -> set[str]:
    """The files of `AREAS` in bench/mutate.py that have a function."""
    tree = ast.parse((repository / "bench" / "mutate.py").read_text("utf-8"))
    (areas,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and node.value is not None and ast.unparse(node.target) == "AREAS"
    )
    files = {f"healer/{name}.py" for names, _ in areas.values() for name in names.split()}
    return {file for file in files if re.search(r"^ *def ", (repository / file).read_text("utf-8"), re.MULTILINE)}


def test_every_gate_approval_and_record_is_changed(repository: pathlib.Path, table: dict[str, Any]) -> None:
    assert set(table) == changed(repository) | {"all"}
    rooms = [*(repository / "healer" / "policy").glob("*.py"), *(repository / "healer" / "audit").glob("*.py")]
    functions = {one for one in rooms if "def " in one.read_text("utf-8")}
    assert {path.relative_to(repository).as_posix() for path in functions} <= set(table)


def test_enough_was_noticed(table: dict[str, list[float]]) -> None:
    assert table["all"][-1] >= WANTED
    assert [name for name, row in table.items() if row[-1] < WANTED_OF_FILE] == []
    for mutants, killed, timed_out, survived, accepted, score in table.values():
        assert killed + timed_out + survived == mutants
        assert accepted <= survived
        assert score == pytest.approx(100 * (killed + timed_out) / mutants, abs=0.06)


def test_what_may_survive_has_a_reason_and_is_in_a_file_that_is_there(repository: pathlib.Path) -> None:
    for one in yaml.safe_load((repository / "bench" / "survivors.yaml").read_text("utf-8")):
        assert len(one["why"]) > 20
        assert "*" in one["file"] or (repository / one["file"]).is_file()
        assert all(len(change) == 2 for change in one["changes"])
