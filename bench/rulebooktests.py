"""`healer test` over a thousand cases, as an operator runs it: a process, from its start to its end, by the time of its one core.

Twenty rulebooks of five rules with fifty cases each. Of ten cases two have an alert that concerns no rule, and expect that nothing
fires; eight one that fires, and expect what ran with its parameters; four of these its repeat a minute later, and expect what was decided.
One has an inventory of its own, one fails and waits for its second attempt.
"""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess
import sys
from typing import Final

import bars

BOOKS: Final = 20
RULES: Final = 5
CASES: Final = 50
TIMES: Final = 3
ACTIONS: Final = """\
actions:
  heal: {command: [/bin/true], parameters: {number: {type: integer}}, target: required, impact: low, idempotent: true, verify: none}
"""


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """The bar `tests-1000`, in seconds."""
    cases = max(1, round(CASES * scale))
    _project(folder, cases)
    samples = []
    for _ in range(TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "healer", "test", "--project", str(folder)], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if done.returncode != 0 or f"{BOOKS * cases} passed" not in done.stdout:
            raise RuntimeError(f"healer test: {done.returncode} {(done.stderr + done.stdout)[-500:]}")
        samples.append(took_s * CASES / cases)
    return [bars.Result("tests-1000", samples, f"{BOOKS * cases} cases of {BOOKS} files, a process each time")]


def _project(folder: pathlib.Path, cases: int) -> None:
    (folder / "rulebooks").mkdir(parents=True)
    (folder / "inventory").mkdir()
    hosts = ", ".join(f"h{number:02}: " for number in range(cases))
    (folder / "inventory" / "hosts.yml").write_text(f"all: {{hosts: {{{hosts}}}}}\n", "utf-8")
    (folder / "actions.yaml").write_text(ACTIONS, "utf-8")
    (folder / "controllers.yaml").write_text("controllers: {here: {type: local, inventory: inventory/}}\n", "utf-8")
    for book in range(BOOKS):
        (folder / "rulebooks" / f"b{book:02}.yml").write_text(_rulebook(book), "utf-8")
        (folder / "rulebooks" / f"b{book:02}_test.yml").write_text(_tests(book, cases), "utf-8")


def _rulebook(book: int) -> str:
    lines = [f"- name: b{book:02}", "  hosts: all", "  sources: [{healer.api: {}}]", "  rules:"]
    for rule in range(RULES):
        condition = f'event.alert.name == "A{rule}" and event.alert.key is defined and event.alert.status == "firing"'
        lines += [
            f"    - name: rule {rule}", f"      condition: {condition}",
            f'      action: {{run_action: {{name: heal, target: "{{{{ event.alert.target }}}}", parameters: {{number: {rule}}}}}}}',
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _tests(book: int, cases: int) -> str:
    lines = [f"rulebook: b{book:02}.yml", "tests:"]
    for case in range(cases):
        rule, kind = case % RULES, case % 10
        name = f"A{rule}" if kind < 8 else "Other"
        event = f"{{alert: {{name: {name}, target: h{case:02}, key: k{case}, status: firing}}}}"
        runs = f"{{rule: rule {rule}, action: heal, target: h{case:02}, parameters: {{number: {rule}}}"
        lines.append(f"  - name: case {case}")
        lines += [f"    inventory: {{web: [h{case:02}, other]}}"] if kind == 7 else []
        lines.append("    steps:")
        lines += ["      - {outcome: {action: heal, status: failed}}"] if kind == 3 else []
        lines.append(f"      - {{at: 0s, event: {event}}}")
        lines += [f"      - {{at: 60s, event: {event}}}"] if kind < 4 else []
        lines.append("    expect:")
        if kind >= 8:
            lines.append("      - {at: 5m, fired: [], runs: []}")
            continue
        lines.append(f"      - {{at: 0s, runs: [{runs}, status: {'failed' if kind == 3 else 'succeeded'}}}]}}")
        lines += (
            [f"      - {{at: 5m, decisions: [{{reason: {'cooldown' if kind == 3 else 'duplicate'}, count: 1}}]}}"]
            if kind < 4
            else []
        )
    return "\n".join(lines) + "\n"
