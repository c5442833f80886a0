"""`docs/testing.md`: its files make a project, its commands print what is shown, and it names every key that a file of tests may have."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from healer.harness import shapes

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHAPES = (
    shapes.File, shapes.Test, shapes.Settings, shapes.Step, shapes.Answer, shapes.Review, shapes.Silence, shapes.Pause, shapes.Expectation,
    shapes.Fired, shapes.Run, shapes.Decision, shapes.Approval,
)  # fmt: skip


@pytest.fixture(scope="module")
def page(repository: pathlib.Path) -> str:
    return (repository / "docs" / "testing.md").read_text("utf-8")


def there(line: str, printed: list[str]) -> bool:
    """Whether a shown line was printed; `…` stands for anything."""
    pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
    return any(re.fullmatch(rf"\s*{pattern}\s*", one) for one in printed)


def test_its_commands_print_what_it_shows(page: str, tmp_path: pathlib.Path) -> None:
    environment = {
        "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
    }
    count = 0
    for kind, block in BLOCK.findall(page):
        if kind == "yaml" and block.startswith("# rulebooks/"):
            name = block.partition("\n")[0]
            (tmp_path / name.removeprefix("# ")).write_text(block, "utf-8")
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] if kind == "console" else ():
            command, *shown = part.splitlines()
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            printed = (done.stdout + done.stderr).splitlines()
            lost = [line for line in shown if line.strip() and not there(line, printed)]
            assert (lost, done.returncode) == ([], 0), (command, done.stdout + done.stderr)
            count += 1
    assert count == 7


def test_it_names_every_key(page: str) -> None:
    text = page.split("## The file")[1].split("## Coverage", maxsplit=1)[0]
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", text))))
    keys = {field.alias or name for shape in SHAPES for name, field in shape.model_fields.items()}
    assert keys <= named


def test_it_says_when_a_test_begins(page: str) -> None:
    assert shapes.START_US == 1_780_315_200_000_000
    assert "like `2026-06-01T12:00:00Z`" in page
