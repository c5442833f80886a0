"""Rules at work over a store in memory, and what is said of them."""

from __future__ import annotations

import pathlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import orjson
import pytest

from healer import explain, model, project, store
from healer.daemon import rules, standing
from healer.decide import alerts
from healer.store import claiming, deciding, finishing, journal, notes

S = 1_000_000
FILES = {
    "healer.yaml": "sources: {am: {healer.webhook: {path: am, auth: {none: true}}}}\n",
    "controllers.yaml": "controllers: {here: {type: local}}\ndefault: here\n",
    "actions.yaml": "actions: {note: {command: [logger], impact: low}}\n",
    "rulebooks/act.yml": """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: disabled, condition: event.a == 1, enabled: false, action: {none: {}}}
    - {name: other, condition: event.a == 2 and event.h == "x", action: {none: {}}}
    - {name: quiet, condition: event.a == 1 and event.meta.source.name == "healer.api", throttle: {once_within: 1 minute, group_by_attributes: [event.a]}, action: {run_action: {name: note, target: localhost}}}
    - {name: late, condition: event.a == 1, action: {none: {}}}
- name: cycles
  hosts: all
  sources: [{healer.api: {}}]
  rules: [{name: again, condition: event.alert.cycle > 1, action: {none: {}}}]
- name: elsewhere
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules: [{name: r, condition: event.a == 1, action: {none: {}}}]
""",
}


class Box:
    """Rules at work over a store in memory."""

    def __init__(self, folder: pathlib.Path, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        loaded = project.load(folder, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        self.revision: project.Revision | None = loaded.revision
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.standing = standing.Standing(loaded.revision, standing.PauseFile(folder), "active")
        self.evaluator: Any = None
        self.store.writer.now(deciding.UseRevision(loaded.revision.id, "", "d", {}))
        self.position = 0

    async def start(self) -> Box:
        """Compile the rules."""
        assert self.revision is not None
        self.evaluator = await rules.evaluator(self.store, self.revision, self.standing, alerts.Alerts())
        return self

    def post(self, body: Any, *, decided: bool = True, **more: Any) -> deciding.Outcome | None:
        row = journal.Row(
            more.pop("kind", "event"), more.pop("source", "healer.api"), orjson.dumps(body), actor="key:ci", **more
        )
        self.store.writer.now(journal.Append([row]))
        if not decided:
            return None
        outcome = self.evaluator.evaluate(row) or deciding.Outcome(row.seq, row.at_us)
        unit = deciding.Decide(self.position, row.seq, row.at_us, 1, [outcome], self.standing.of_run)
        self.store.writer.now(unit)
        self.position = row.seq
        return outcome

    async def reload(self) -> None:
        """The same rules again, from a journal row of their own on; what they had ended goes on."""
        assert self.revision is not None
        self.store.writer.now(deciding.UseRevision(self.revision.id, "", "d", {}))
        await self.start()

    def look(self, after_s: int) -> None:
        """So much later, whatever waits is looked at."""
        self.now_us += after_s * S
        self.store.writer.now(notes.Wake("paused"))
        self.post({}, kind="tick", source="healer")

    def claim(self, after_s: int) -> list[claiming.Claimed]:
        """So much later, what is queued is claimed."""
        self.now_us += after_s * S
        claims: claiming.Claims = self.store.writer.now(claiming.Claim(9, self.standing.of_run))
        return claims.claimed

    def finish(self, claimed: claiming.Claimed, state: model.EndState) -> None:
        kept = self.store.blobs.keep(b"")
        outcome = model.Outcome(state, state)
        unit = finishing.Finish(claimed.token, claimed.run["id"], claimed.number, outcome, finishing.Kept(kept, kept))
        self.store.writer.now(unit)

    async def why(self, asked: str = "latest", rule: str | None = None, memory: Any = None) -> dict[str, Any]:
        async def revision_of(number: int) -> project.Revision | None:
            return self.revision

        async def decided_to() -> int:
            return self.position

        return await explain.explain(self.store, revision_of, decided_to, asked, rule, self.evaluator.ended, memory)


@pytest.fixture
def make_box(tmp_path: pathlib.Path) -> Iterator[Callable[..., Awaitable[Box]]]:
    """`await make_box(files)`: a project of these files; without any, that of `FILES`."""
    made: list[Box] = []

    async def make(files: Mapping[str, str] = FILES) -> Box:
        made.append(Box(tmp_path, files))
        return await made[-1].start()

    yield make
    for one in made:
        one.store.writer.close()


@pytest.fixture
async def box(make_box: Callable[..., Awaitable[Box]]) -> Box:
    """That of `FILES`."""
    return await make_box()
