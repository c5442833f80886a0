"""A small project under test: its rules at work, rows posted one after the other, all without a daemon."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from healer import project, store
from healer.daemon import rules, standing
from healer.decide import alerts, evaluating
from healer.store import asking, deciding, journal

S = 1_000_000
FILES = {
    "healer.yaml": "mode: active\n",
    "controllers.yaml": """\
controllers:
  here: {type: local, inventory: inventory}
  site: {type: ansible, inventory: inventory}
default: here
""",
    "inventory/hosts": "[web]\nweb[01:03]\n[db]\ndb01\n",
    "playbooks/fix.yml": "[]\n",
    "actions.yaml": """\
actions:
  note:
    command: [logger, x]
    impact: low
    parameters: {text: {type: string}, n: {type: integer, default: 7}}
    required: [text]
  plain: {command: ["true"], impact: low, target: none}
""",
}


class Kit:
    """The rules of one rulebook (`name: act`, file rulebooks/act.yml) over a store in memory."""

    def __init__(self, folder: pathlib.Path, book: str, files: dict[str, str]) -> None:
        for name, text in {**FILES, "rulebooks/act.yml": book, **files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        loaded = project.load(folder, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        self.folder = folder
        self.revision = loaded.revision
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.said: list[tuple[str, str]] = []
        self.seq = 0
        self.standing = standing.Standing(self.revision, standing.PauseFile(folder), self.revision.settings.mode)
        self.evaluator: evaluating.Evaluator = asyncio.run(
            rules.evaluator(self.store, self.revision, self.standing, alerts.Alerts())
        )
        self.evaluator.acting._say = lambda level, message, fields: self.said.append((level, message))

    def row(self, body: Any, **more: Any) -> journal.Row:
        """The next journal row, not in the store."""
        self.seq += 1
        row = journal.Row(
            more.pop("kind", "event"),
            more.pop("source", "healer.api"),
            orjson.dumps(body),
            data=body,
            **({"actor": "key:ci"} | more),
        )
        row.seq, row.at_us = self.seq, self.now_us
        return row

    def post(self, body: Any, **more: Any) -> deciding.Outcome:
        """What one event leads to."""
        return self.evaluator.evaluate(self.row(body, **more)) or deciding.Outcome(self.seq, self.now_us)

    def asks(self, body: Any, **more: Any) -> list[asking.Ask]:
        """The questions for the gates that one event leads to."""
        return [one for one in self.post(body, **more).results if isinstance(one, asking.Ask)]


def book(*rules: str, sources: str = "[{healer.api: {}}]", name: str = "rs", more: str = "") -> str:
    """A rulebook of one ruleset; each rule is `name | condition | rest of its YAML in braces`."""
    lines = [f"- name: {name}", "  hosts: all", f"  sources: {sources}", *([f"  {more}"] if more else []), "  rules:"]
    for rule in rules:
        called, condition, rest = (part.strip() for part in rule.split("|", 2))
        lines.append(f"    - {{name: {called}, condition: '{condition}', {rest}}}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def make(tmp_path: pathlib.Path) -> Iterator[Callable[..., Kit]]:
    """`make(*rules, files={…}, **as for a rulebook)`."""
    kits = []

    def made(*rules: str, files: dict[str, str] | None = None, text: str = "", **more: str) -> Kit:
        kits.append(Kit(tmp_path, text or book(*rules, **more), files or {}))
        return kits[-1]

    yield made
    for kit in kits:
        kit.store.writer.close()


@pytest.fixture
def write_book() -> Callable[..., str]:
    """The text of a rulebook."""
    return book
