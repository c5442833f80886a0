"""`healer validate` over 5,000 rules in 200 rulebooks, as CI runs it: a process, from its start to its end.

The rules are as rules are: three tests each, a throttle, a catalog action with templates, on one shared webhook of a closed format, so that
every check of the linter has something to look at and nothing to tell.
"""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess
import sys
import time
from typing import Final

import bars

BOOKS: Final = 200
RULES: Final = 25
TIMES: Final = 5
HEALER: Final = """\
environment: prod
sources:
  am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:HEALER_HOOK_TOKEN"}}}}
"""
ACTIONS: Final = """\
actions:
  clean: {command: [df], impact: medium, parameters: {folder: {type: string}}, verify: {resolved_within: 10 minutes}}
"""
RULE: Final = """\
    - name: rule {rule}
      condition: event.alert.name == "Alert{book}x{rule}" and event.alert.status == "firing" and event.alert.labels.zone == "z{rule}"
      throttle: {{once_within: 5 minutes, group_by_attributes: [event.alert.labels.instance]}}
      action:
        run_action:
          name: clean
          target: "{{{{ event.alert.target }}}}"
          parameters: {{folder: "{{{{ event.alert.labels.folder }}}}"}}
"""


def measure(folder: pathlib.Path, scale: float) -> list[bars.Result]:
    """The time of the whole process, a few times. Raises RuntimeError where something is told."""
    books = BOOKS if scale >= 1 else BOOKS // 10
    _project(folder, books)
    samples, used_s = [], 0.0
    for _ in range(TIMES if scale >= 1 else 2):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "healer", "validate", "--strict", str(folder)], capture_output=True, text=True, check=False,
            env={**os.environ, "HEALER_HOOK_TOKEN": "x" * 32},
        )  # fmt: skip
        samples.append((time.perf_counter() - started) * BOOKS / books)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if done.returncode != 0 or not done.stdout.startswith(f"ok: {books} rulebooks, {books * RULES} rules"):
            raise RuntimeError(f"healer validate: {done.returncode} {(done.stderr + done.stdout)[-500:]}")
    return [bars.Result("validate-5000", samples, f"{used_s:.2f} s of one core")]


def _project(folder: pathlib.Path, books: int) -> None:
    (folder / "rulebooks").mkdir(parents=True)
    (folder / "healer.yaml").write_text(HEALER)
    (folder / "actions.yaml").write_text(ACTIONS)
    for book in range(books):
        head = f"- name: set {book}\n  hosts: all\n  sources:\n    - healer.source: {{name: am}}\n  rules:\n"
        rules = (RULE.format(book=book, rule=rule) for rule in range(RULES))
        (folder / f"rulebooks/book{book}.yml").write_text(head + "".join(rules))
