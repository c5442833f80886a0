"""The projects that are measured: files of rules, and the 300-byte events that meet them. Callers: every measure.

What fires is the action `none`, so that the figures are those of the pipeline, not of an effect.
"""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Final

KEY: Final = "hlr_bench_0123456789abcdef0123456789abcdef"
KEY_FILE: Final = "admin.key"
BODY_BYTES: Final = 300
COMPACT: Final = (",", ":")
"""Without spaces, as senders written in Go and JavaScript have it."""
QUIET: Final = ['event.kind == "never"']
TEN: Final = [
    'event.kind == "hot" and event.number == 1',
    'event.kind == "hot" and event.number == 2',
    'event.kind == "lukewarm"',
    'event.check == "cpu" and event.value > 90',
    'event.check == "memory" and event.value >= 95',
    'event.check == "disk" and event.value > 99',
    "event.value > 1000",
    'event.host == "web-9999"',
    'event.labels.team == "none" or event.labels.team == "nobody"',
    "event.silence is defined",
]
CONTROLLERS: Final = """\
default: here
controllers:
  here: {type: local}
  site: {type: ansible}
"""
INVENTORY: Final = """\
[all]
localhost ansible_connection=local
"""


def event(kind: str, number: int = 1) -> dict[str, object]:
    """An event; only those of the kind `hot` and number 1 meet a rule of `TEN`."""
    made: dict[str, object] = {
        "kind": kind, "number": number, "check": "disk", "value": 42.5, "host": f"web-{number:04}",
        "labels": {"team": "shop", "zone": "eu-1"}, "text": "",
    }  # fmt: skip
    made["text"] = "x" * (BODY_BYTES - len(json.dumps(made, separators=COMPACT)))
    return made


def body(kind: str, number: int = 1) -> bytes:
    """Its 300 bytes."""
    return json.dumps(event(kind, number), separators=COMPACT).encode()


def many(count: int, threshold: int = 0) -> list[str]:
    """Conditions on `count` hosts; other thresholds make other rules."""
    return [
        f'event.host == "web-{number:04}" and event.value > {50 + threshold + number % 40}' for number in range(count)
    ]


def rulebook(conditions: list[str]) -> str:
    """One ruleset on `healer.api`, a rule a condition, each with the action `none`."""
    head = "- name: measured\n  hosts: all\n  sources:\n    - healer.api: {}\n  rules:\n"
    rules = (
        f"    - name: rule {number}\n      condition: {condition}\n      action: {{none: {{}}}}\n"
        for number, condition in enumerate(conditions)
    )
    return head + "".join(rules)


def write(folder: pathlib.Path, conditions: list[str], *, controllers: bool = False) -> pathlib.Path:
    """A project directory; its `mode` observes where a controller could reach beyond this machine."""
    (folder / "rulebooks").mkdir(parents=True)
    (folder / "healer.yaml").write_text(f"environment: bench\nmode: {'observe' if controllers else 'active'}\n")
    key = folder / KEY_FILE
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    if controllers:
        (folder / "controllers.yaml").write_text(CONTROLLERS)
        (folder / "inventory").write_text(INVENTORY)
    put(folder, conditions)
    return folder


def put(folder: pathlib.Path, conditions: list[str]) -> None:
    """Replace the rules."""
    fresh = folder / "rulebooks" / "measured.yml.new"
    fresh.write_text(rulebook(conditions))
    fresh.rename(folder / "rulebooks" / "measured.yml")


def prepare(folder: pathlib.Path, conditions: list[str], number: int) -> pathlib.Path:
    """Rules ready to be taken, outside of the project's rulebooks."""
    path = folder / f"prepared-{number}"
    path.write_text(rulebook(conditions))
    return path


def take(folder: pathlib.Path, prepared: pathlib.Path) -> None:
    """Replace the rules by prepared ones."""
    fresh = folder / "rulebooks" / "measured.yml.new"
    shutil.copyfile(prepared, fresh)
    fresh.rename(folder / "rulebooks" / "measured.yml")
