"""`docs/controllers.md` on controllers of one's own: its files are a project that loads, its test passes, and finds what is broken."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import sys

import pytest

from healer import model, plugins, project
from healer.daemon import rules

KEPT = {
    "a token is good once": ('.open("x")', '.open("w")'),
    "cancelled it ends": ("            self._take_out(job)\n            raise", "            raise"),
    "it is found": ('        if spooled.exists():\n            return model.Found("running")\n', '        return model.Found("absent")\n'),
    "it says what it is asked for": ("        return model.Health(", "        model.Health("),
}  # fmt: skip
"""What the contract holds → how the example breaks it."""


@pytest.fixture
def section(repository: pathlib.Path) -> str:
    page = (repository / "docs" / "controllers.md").read_text("utf-8")
    return page.split("\n## Controllers of your own\n")[1].split("\n## ", maxsplit=1)[0]


@pytest.fixture
def written(section: str, tmp_path: pathlib.Path) -> pathlib.Path:
    """The project of the page."""
    blocks = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in blocks] == [
        "controllers/spool.py",
        "controllers.yaml",
        "actions.yaml",
        "tests/test_spool.py",
    ]
    for name, text in blocks:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def tried(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_its_files_are_a_project(written: pathlib.Path) -> None:
    loaded = project.load(written, {})
    assert [str(one) for one in loaded.diagnostics] == []
    assert loaded.revision is not None
    made = rules.controllers(loaded.revision, written, lambda reference: model.Secret(reference.secret, ""))
    assert isinstance(made["printer"], plugins.Controller)


def test_its_test_passes(written: pathlib.Path) -> None:
    done = tried(written)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("what", KEPT)
def test_its_test_finds_what_is_broken(written: pathlib.Path, what: str) -> None:
    path, (right, wrong) = written / "controllers" / "spool.py", KEPT[what]
    text = path.read_text("utf-8")
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    done = tried(written)
    assert (done.returncode, "assert [" in done.stdout) == (1, True), done.stdout + done.stderr


def test_the_tables_are_those_of_the_code(section: str) -> None:
    def first(heading: str) -> list[str]:
        table = section.split(f"| {heading} |")[1].split("\n\n", maxsplit=1)[0]
        return [word for line in table.splitlines()[2:] for word in re.findall(r"`(\w+)", line.split("|")[1])]

    assert first("of `job`") == [field.name for field in dataclasses.fields(model.Job)]
    abstract = getattr(plugins.Controller, "__abstractmethods__", frozenset())
    assert {*first("method")} == abstract
