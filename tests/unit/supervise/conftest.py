"""A sender whose alerts are corrected: a real store, intake and rules, and the Alertmanager beside this file, importable by its name.

pytest loads it.
"""

from __future__ import annotations

import datetime
import importlib.util
import json
import pathlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from healer import decide, intake, project, redacting, secrets, store
from healer.daemon import rules, standing
from healer.decide import alerts
from healer.formats import alertmanager
from healer.sources import webhook
from healer.store import deciding
from healer.supervise import reconciling

_spec = importlib.util.spec_from_file_location(
    "fake_alertmanager", pathlib.Path(__file__).with_name("fake_alertmanager.py")
)
assert _spec is not None
assert _spec.loader is not None
fakes = sys.modules["fake_alertmanager"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)

S = 1_000_000
NOW_US = round(datetime.datetime(2026, 11, 26, 20, 0, tzinfo=datetime.UTC).timestamp()) * S
FILES = {
    "healer.yaml": "sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: none, alert_ttl: 1 hour}}}\n"
    "defaults: {run_action: {cooldown: none, rate_limit: none, blast_radius: none}}\n",
    "controllers.yaml": "controllers: {here: {type: local, inventory: hosts}}\n",
    "hosts": "[web]\nweb[01:99]\n",
    "actions.yaml": "actions:\n  heal: {command: ['true'], impact: low}\n",
    "rulebooks/r.yml": """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules:
    - name: down
      condition: event.alert.labels.alertname == "ServiceDown" and event.alert.status == "firing" and event.group.receiver == "healer"
      action: {run_action: {name: heal, target: "{{ event.alert.target }}"}}
""",
}


class Kit:
    """A decider that decides when it is told to, and the sender of one source."""

    def __init__(self, folder: pathlib.Path, fake: Any) -> None:
        for name, text in FILES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        self.fake = fake
        self.now_us = NOW_US
        fake.wall = lambda: datetime.datetime.fromtimestamp(self.now_us / S, datetime.UTC)
        self.folder = folder
        self.said: list[str] = []
        self.late = False
        self.redact: list[str] = []
        self.store = store.Store.open(None, lambda: self.now_us, loop=None, on_rows=self._fed)
        self.decider: decide.Decider | None = None
        self.options = {"url": fake.url, "bearer": {"secret": "env:T"}, "timeout": "5 seconds"}

    async def begin(self) -> None:
        loaded = project.load(self.folder, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        held = standing.Standing(loaded.revision, standing.PauseFile(self.folder), "active")
        evaluator = await rules.evaluator(self.store, loaded.revision, held, alerts.Alerts())
        (row, number) = await self.store.submit(deciding.UseRevision("f" * 64, "", "daemon", {}))
        self.decider = decide.Decider(
            self.store, evaluator, number, held.of_run, position=0, on_decided=lambda _: None, tick=self._tick, clock=lambda: self.now_us
        )  # fmt: skip
        self.decider.tail.committed = row.seq
        self.intake = intake.Intake(self.store, lambda: self.now_us, lambda: 0, heard=evaluator.alerts.heard)
        self.world = reconciling.World(
            self.store, self.intake, secrets.Secrets(self.folder, {"T": fakes.TOKEN}), lambda: self.now_us, lambda: self.now_us,
            self.decided, evaluator.alerts.heard, self.decider.look_at, lambda level, text: self.said.append(f"{level} {text}"), self.folder,
        )  # fmt: skip
        self.sender = self.asking()
        await self.decided(1)

    def asking(self, **more: Any) -> reconciling.Sender:
        options = webhook.Reconcile.model_validate(self.options | more)
        assert alertmanager.FORMAT.inquiry is not None
        hides = redacting.paths(self.redact)
        return reconciling.Sender("am", "am", options, alertmanager.FORMAT.inquiry, self.world, hides)

    def _fed(self, rows: Any) -> None:
        if self.decider is not None:
            self.decider.tail.feed(rows)

    async def _tick(self) -> None:
        await self.intake.tick()

    async def decided(self, limit_s: float) -> bool:
        while self.decider is not None and not self.late and await self.decider.next_rows():
            continue
        return not self.late

    async def deliver(self, *names: str, **more: Any) -> intake.Accepted:
        """As the webhook takes it; decided at once."""
        body = fakes.delivered(*names, **more)
        elements, _ = redacting.read(alertmanager.FORMAT.read, body, {}, redacting.paths(self.redact))
        taken = await self.intake.take(
            "am", [(one.event, None) for one in elements], actor="source:am", repeats=[one.repeat for one in elements]
        )
        await self.decided(1)
        return taken

    async def look(self, sender: Any = None) -> reconciling.Looked:
        sender = sender or self.sender
        await sender.look()
        await self.decided(1)
        assert sender.last is not None
        return sender.last

    def later(self, seconds: float) -> None:
        self.now_us += round(seconds * S)

    def rows(self, sql: str) -> list[Any]:
        return list(self.store.writer.tx.connection.execute(sql))

    def open(self) -> list[str]:
        return [key for (key,) in self.rows("SELECT key FROM alert WHERE status = 'firing' ORDER BY key")]

    def events(self, actor: str = "reconcile:am") -> list[dict[str, Any]]:
        found = self.rows(f"SELECT body FROM journal WHERE kind = 'event' AND actor = '{actor}' ORDER BY seq")
        return [json.loads(body) for (body,) in found]

    def runs(self) -> list[Any]:
        sql = "SELECT t.target, r.state FROM run r JOIN run_target t ON t.run = r.id ORDER BY r.seq"
        return self.rows(sql)


@pytest_asyncio.fixture
async def kit(tmp_path: pathlib.Path) -> AsyncIterator[Kit]:
    async with fakes.serving() as fake:
        made = Kit(tmp_path, fake)
        await made.begin()
        yield made
        made.store.writer.close()
