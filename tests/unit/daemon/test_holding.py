"""What holds, as the audit compares it: each thing that a file can say is in it, and no secret."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from healer import project
from healer.daemon import holding
from healer.store import granting

SETTINGS = """\
mode: active
heartbeat: {url: "https://h.example/s3cret-path"}
policies: [{name: night, cooldown: 1h, select: {impact: [low]}}]
activations: [{name: act, rulebook: rulebooks/act.yml, env: {PASSWORD: s3cret}, vars: {host: s3cret}}]
sources: {am: {healer.webhook: {path: am, auth: {bearer: {secret: "env:TOKEN"}}}}}
"""
FILES = {
    "healer.yaml": SETTINGS,
    "controllers.yaml": "controllers: {here: {type: local}}\ndefault: here\n",
    "actions.yaml": "actions: {note: {command: [logger], impact: low, target: none}}\n",
    "rulebooks/act.yml": """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: am}}, {range: {limit: 3, password: s3cret}}]
  rules: [{name: r, condition: event.a == 1, action: {run_action: {name: note}}}]
""",
}


def held(root: pathlib.Path, overrides: dict[str, Any] | None = None, **changed: str) -> dict[str, Any]:
    for name, text in {**FILES, **changed}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    loaded = project.load(root, {}, overrides)
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return holding.of(loaded.revision)


def test_it_is_flat_by_name_and_shows_no_secret(tmp_path: pathlib.Path) -> None:
    found = held(tmp_path)
    assert found["settings"]["mode"] == "active"
    assert found["settings"]["server.port"] == 8080
    assert found["settings"]["defaults.run_action.cooldown"] == 600
    assert json.loads(found["settings"]["policies.night"])["cooldown"] == 3600
    assert found["entries"].keys() >= {
        "heartbeat.url",
        "sources.am",
        "controllers.here",
        "actions.note",
        "activations.act",
    }
    assert "s3cret" not in json.dumps(found)
    assert held(tmp_path) == found


@pytest.mark.parametrize(("file", "old", "new", "told"), [
    ("healer.yaml", "mode: active", "mode: observe", {"mode": {"before": "active", "after": "observe"}}),
    ("healer.yaml", "mode: active", "mode: active\ndrain: 1m", {"drain": {"before": 30, "after": 60}}),
    ("healer.yaml", "mode: active", "mode: active\ndefaults: {run_action: {windows: {allow: [{hours: '08:00-18:00'}]}}}", [f"defaults.run_action.windows{part}" for part in (".allow", ".block")]),
    ("healer.yaml", "cooldown: 1h", "cooldown: 2h", ["policies.night"]), ("healer.yaml", "name: night", "name: day", ["policies.day", "policies.night"]),
    ("healer.yaml", "s3cret-path", "another", {"heartbeat.url": {"changed": True}}),
    ("healer.yaml", "PASSWORD: s3cret", "PASSWORD: other", ["activations.act", "sources.act/rs/range"]),
    ("healer.yaml", "env:TOKEN", "env:OTHER", {"sources.am": {"changed": True}}),
    ("rulebooks/act.yml", "limit: 3", "limit: 4", ["sources.act/rs/range"]),
    ("controllers.yaml", "type: local", "type: local, concurrency: 2", {"controllers.here": {"changed": True}}),
    ("controllers.yaml", "{here:", "{there: {type: local}, here:", {"controllers.there": {"added": True}}),
    ("actions.yaml", "impact: low", "impact: high", {"actions.note": {"changed": True}}),
    ("actions.yaml", "{note:", "{more: {command: [logger], impact: low, target: none}, note:", {"actions.more": {"added": True}}),
])  # fmt: skip
def test_each_change_of_a_file_is_told(tmp_path: pathlib.Path, file: str, old: str, new: str, told: Any) -> None:
    before = held(tmp_path)
    assert old in FILES[file]
    found = granting.difference(before, held(tmp_path, **{file: FILES[file].replace(old, new)}))
    assert (found if isinstance(told, dict) else [*found]) == told
    assert "s3cret" not in json.dumps(found)


def test_a_flag_that_goes_before_the_file_is_told(tmp_path: pathlib.Path) -> None:
    found = granting.difference(held(tmp_path), held(tmp_path, {"mode": "observe"}))
    assert found == {"mode": {"before": "active", "after": "observe"}}


def test_a_long_text_is_told_by_its_digest(tmp_path: pathlib.Path) -> None:
    names = ", ".join(f"a{number}" for number in range(400))
    long = SETTINGS.replace("impact: [low]", f"targets: [{names}]")
    found = held(tmp_path, **{"healer.yaml": long})
    assert "policies.night" in found["entries"]
    assert "policies.night" not in found["settings"]
