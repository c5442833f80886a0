"""What ansible-runner's callback leaves behind, read: the end of a playbook by host, its first failure, its data.

The callback writes one file an event, and a mark for each into the output, which people should not see. The files hold
what tasks returned, so they are removed once they are read.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any, Final

EVENTS_MAX: Final = 100_000
FAILURES_MAX: Final = 1_000
FILE_BYTES_MAX: Final = 4 << 20
HELD_BYTES_MAX: Final = 8192

_MARK: Final = re.compile(rb"\x1b\[K(?:[A-Za-z0-9+/=]+\x1b\[\d+D)+\x1b\[K")
_MARK_BEGUN: Final = re.compile(
    rb"\x1b(?:\[(?:K(?:[A-Za-z0-9+/=]+\x1b\[\d+D)*(?:[A-Za-z0-9+/=]+(?:\x1b(?:\[\d*)?)?|\x1b\[?)?)?)?\Z"
)
_COUNTS: Final = {"ok": "ok", "changed": "changed", "failures": "failures", "dark": "unreachable", "skipped": "skipped",
                  "rescued": "rescued", "ignored": "ignored"}  # fmt: skip
_FAILED: Final = ("runner_on_failed", "runner_on_unreachable")
_RETURNED: Final = ("runner_on_ok", *_FAILED)
_OF_NOBODY: Final = frozenset((
    "debug", "set_fact", "set_stats", "assert", "fail", "pause", "meta", "add_host", "group_by", "include", "include_tasks", "include_role",
    "include_vars", "import_tasks", "import_role", "validate_argument_spec",
))  # fmt: skip
"""Actions that are done without a connection to their host."""


class Unmarked:
    """Takes the callback's marks out of a stream, wherever it is cut."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What can be shown of the stream so far."""
        text = _MARK.sub(b"", self._held + piece)
        begun = _MARK_BEGUN.search(text)
        if begun is None or len(text) - begun.start() > HELD_BYTES_MAX:
            self._held = b""
            return text
        self._held = text[begun.start() :]
        return text[: begun.start()]


def unmarked(text: bytes) -> bytes:
    """The whole of a text without marks."""
    return _MARK.sub(b"", text)


@dataclasses.dataclass(slots=True)
class Report:
    """The end of a playbook. `stats` is None where it did not get to its end."""

    stats: dict[str, dict[str, int]] | None = None
    data: Any = None
    failures: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    """(host, task, message) in the order they came."""
    returned: dict[str, Any] = dataclasses.field(default_factory=dict)
    artifacts: Any = None
    """What the last `set_fact` or `set_stats` set, of any host."""

    def failed_hosts(self) -> set[str]:
        """The hosts on which something failed, or that could not be reached."""
        return {host for host, counts in (self.stats or {}).items() if counts["failures"] or counts["unreachable"]}

    def first_failure(self) -> str:
        """One line about the first failure and how many more there are; empty where there is none."""
        if not self.failures:
            return ""
        host, task, message = self.failures[0]
        more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
        return f"{host}: {task}: {message}{more}"


def read(folder: pathlib.Path, *, failures: bool, returned: bool, artifacts: bool = False) -> Report:
    """Read the events in `folder`; what tasks failed, what they returned and what they set, only where it is asked for."""
    report = Report()
    for kind, event in _events(
        folder, ("playbook_on_stats", *(_RETURNED if failures or returned or artifacts else ()))
    ):
        data = event.get("event_data")
        if not isinstance(data, dict):
            continue
        if kind == "playbook_on_stats":
            report.stats, report.data = _stats(data), data.get("artifact_data")
            continue
        host, result = str(data.get("host")), data.get("res")
        if artifacts and kind == "runner_on_ok" and isinstance(result, dict):
            action = str(data.get("task_action")).removeprefix("ansible.builtin.")
            if action == "set_fact":
                report.artifacts = result.get("ansible_facts")
            elif action == "set_stats":
                stats = result.get("ansible_stats")
                report.artifacts = stats.get("data") if isinstance(stats, dict) else None
        if returned and isinstance(result, dict):
            report.returned[host] = {key: value for key, value in result.items() if key != "invocation"}
        if kind in _FAILED and not _ended_nothing(data) and len(report.failures) < FAILURES_MAX:
            report.failures.append((host, str(data.get("task") or "?"), _message(result)))
    return report


def _ended_nothing(failure: dict[str, Any]) -> bool:
    """Whether it was ignored or rescued (`_display.healer_excused`)."""
    return bool(failure.get("ignore_errors") or failure.get("excused"))


def begun(folder: pathlib.Path) -> set[str]:
    """The hosts on which some task began; for a playbook that left no report."""
    found = set()
    for _, event in _events(folder, ("runner_on_start", *_RETURNED)):
        data = event.get("event_data")
        if isinstance(data, dict) and isinstance(data.get("host"), str):
            found.add(data["host"])
    return found


def unreached(folder: pathlib.Path) -> set[str]:
    """The hosts that could not be reached, and on which nothing came to its end after that. Where that is ignored, as
    `ignore_unreachable` has it, Ansible counts it as well done."""
    found: set[str] = set()
    for kind, event in _events(folder, _RETURNED):
        data = event.get("event_data")
        if not isinstance(data, dict):
            continue
        if kind == "runner_on_unreachable":
            found.add(str(data.get("host")))
        elif str(data.get("task_action")).rpartition(".")[2] not in _OF_NOBODY and not _is_delegated(data.get("res")):
            found.discard(str(data.get("host")))
    return found


def _is_delegated(result: Any) -> bool:
    """Whether another host did it. Ansible does not say so of a task that loops."""
    return isinstance(result, dict) and bool(result.get("_ansible_delegated_vars"))


def _events(folder: pathlib.Path, kinds: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of these kinds, oldest first. A file says its kind in its first bytes, so most are not parsed."""
    try:
        found = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder) if entry.name.endswith(".json")]
    except OSError:
        return
    heads = {f'{{"event": "{kind}"'.encode(): kind for kind in kinds}
    for _, path in sorted(found)[-EVENTS_MAX:]:
        with open(path, "rb") as file:  # noqa: PTH123 - thousands of them
            begin = file.read(64)
            kind = next((kind for head, kind in heads.items() if begin.startswith(head)), "")
            rest = file.read(FILE_BYTES_MAX) if kind else b""
        if kind:
            text = begin + rest
            try:
                event = json.loads(text)
            except ValueError:
                event = _without_data(text)
            if event is not None:
                yield kind, event


def _without_data(text: bytes) -> dict[str, Any] | None:
    """The counts of an end whose data (`set_stats`, which Ansible writes behind them) is too large to be read; None of any other."""
    counts, found, _ = text.partition(b', "artifact_data": {')
    try:
        made = json.loads(counts + b"}}") if found else None
    except ValueError:
        return None
    return made if isinstance(made, dict) else None


def _stats(data: dict[str, Any]) -> dict[str, dict[str, int]]:
    processed = data.get("processed")
    hosts = sorted(processed) if isinstance(processed, dict) else []
    return {host: {ours: _count(data, theirs, host) for theirs, ours in _COUNTS.items()} for host in hosts}


def _count(data: dict[str, Any], name: str, host: str) -> int:
    counts = data.get(name)
    count = counts.get(host, 0) if isinstance(counts, dict) else 0
    return count if isinstance(count, int) else 0


def _message(result: Any) -> str:
    """What failed and, where the program or the module said more than Ansible does, its own words: `non-zero return code` says nothing."""
    if not isinstance(result, dict):
        return "failed"
    said = str(result.get("msg") or result.get("reason") or result.get("censored") or "").strip()
    looped = result.get("results")
    items = (
        [item for item in looped if isinstance(item, dict) and item.get("failed")] if isinstance(looped, list) else []
    )
    cause = (
        _message(items[0] | {"results": None})
        if items
        else _telling(result, ("stderr", "module_stderr", "module_stdout"))
    )
    if not said:
        return cause or _telling(result, ("stdout",)) or "failed"
    return said if cause in said else f"{said}: {cause}"


def _telling(result: dict[str, Any], names: tuple[str, ...]) -> str:
    """The line that tells most: the first one, of a traceback the last."""
    for name in names:
        lines = str(result.get(name) or "").strip().splitlines()
        if lines:
            return lines[-1 if lines[0].startswith("Traceback") else 0].strip()
    return ""
