"""The page of the codes: its sample is as it says. That its tables are those of the source is tested in tests/unit/lint/test_codes.py."""

from __future__ import annotations

import pathlib
import re

from healer import lint, project

ACTIONS = "actions: {show_disk: {command: [df], target: none, impact: low}}\n"


def told(folder: pathlib.Path, text: str) -> list[tuple[str, int]]:
    (folder / "rulebooks").mkdir(exist_ok=True)
    (folder / "actions.yaml").write_text(ACTIONS)
    (folder / "rulebooks/web.yml").write_text(text)
    return [(one.code, one.place.line) for one in lint.lint(project.draft_of(folder, {}))]


def test_the_sample_ignores_what_it_says(repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    page = (repository / "docs/diagnostics.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n# rulebooks/web.yml\n(.*?)```", page, re.DOTALL)
    assert told(tmp_path, block) == [("no-brake", 6)]
    without = re.sub(r" # healer: .*", "", block)
    assert told(tmp_path, without) == [("no-brake", 6), ("no-brake", 9), ("shadowed", 9)]
