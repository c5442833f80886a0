"""Keeps a full disk from ending a playbook halfway. ansible-playbook loads it, as `ansible` names its folder among the callbacks.

ansible-runner's callback writes a file for each event and for each line that Ansible shows, and where that fails it raises in the
middle of whatever Ansible was about. Here an event that finds no space is left out; the last, which has the end of each host, has
its space from the beginning.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any, Final

from ansible.plugins.callback import CallbackBase

REPORT_BYTES: Final = 256 << 10
"""For some thousand hosts."""
REPORT: Final = "playbook_on_stats"
THEIRS: Final = "ansible.plugins.callback.awx_display"


class Room:
    """Stands before ansible-runner's writer of events, which raises OSError."""

    def __init__(self, theirs: Any) -> None:
        self._theirs = theirs
        self._folder = pathlib.Path(theirs.private_data_dir)
        self._reserved = self._folder / "report.reserved"
        with contextlib.suppress(OSError):
            self._reserve()

    def __getattr__(self, name: str) -> Any:
        """Another of ours may stand before this one, and ask for what is the writer's."""
        return getattr(self._theirs, name)

    def set(self, key: str, event: Mapping[str, Any]) -> None:
        """Write an event, if there is space for it."""
        try:
            self._theirs.set(key, event)
        except OSError:
            if event.get("event") == REPORT:
                with contextlib.suppress(OSError):
                    self._report(json.dumps(event, default=str).encode())

    def _reserve(self) -> None:
        descriptor = os.open(self._reserved, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, REPORT_BYTES)
        except OSError:
            self._reserved.unlink()
        finally:
            os.close(descriptor)

    def _report(self, text: bytes) -> None:
        if len(text) > REPORT_BYTES:
            return
        descriptor = os.open(self._reserved, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        finally:
            os.close(descriptor)
        self._reserved.replace(self._folder / "job_events" / "report-partial.json")


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """Listens to nothing: it is loaded after ansible-runner's, and before anything is run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "healer_room"

    def __init__(self) -> None:
        super().__init__()
        module: Any = sys.modules.get(THEIRS)
        context: Any = getattr(module, "event_context", None)
        if (writer := getattr(context, "cache", None)) is not None:
            context.cache = Room(writer)
