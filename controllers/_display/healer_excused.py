"""Marks failures that ended nothing: those that were rescued (`rescue`), or ignored (`ignore_errors`, `ignore_unreachable`).
ansible-playbook loads it, as `ansible` names its folder among the callbacks.

Ansible counts each failure by what it led to, and then tells the callbacks of it without that; what ansible-runner's callback writes of
one gets it here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from ansible.executor import stats
from ansible.plugins.callback import CallbackBase

FAILED: Final = ("runner_on_failed", "runner_on_unreachable")
EXCUSED: Final = ("rescued", "ignored")
COUNTED: Final = ("failures", "dark", *EXCUSED)
THEIRS: Final = "ansible.plugins.callback.awx_display"


class Marking:
    """Stands before a writer of events. `last`: what the last failure of each host was counted as."""

    def __init__(self, theirs: Any, last: Mapping[str, str]) -> None:
        self._theirs = theirs
        self._last = last

    def __getattr__(self, name: str) -> Any:
        """Another of ours may stand before this one, and ask for what is the writer's."""
        return getattr(self._theirs, name)

    def set(self, key: str, event: dict[str, Any]) -> None:
        """Write an event, marked where it is an excused failure."""
        data = event.get("event_data")
        if event.get("event") in FAILED and isinstance(data, dict) and self._last.get(data.get("host", "")) in EXCUSED:
            data["excused"] = True
        self._theirs.set(key, event)


def listen() -> Mapping[str, str]:
    """By host, what its last failure was counted as, from here on."""
    last: dict[str, str] = {}
    count = stats.AggregateStats.increment

    def counted(counts: Any, what: str, host: str) -> None:
        if what in COUNTED:
            last[host] = what
        count(counts, what, host)

    stats.AggregateStats.increment = counted
    return last


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """Listens to nothing: it is loaded after ansible-runner's, and before anything is run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "healer_excused"

    def __init__(self) -> None:
        super().__init__()
        module: Any = sys.modules.get(THEIRS)
        context: Any = getattr(module, "event_context", None)
        if (writer := getattr(context, "cache", None)) is not None:
            context.cache = Marking(writer, listen())
