"""Holds a playbook to its targets: each has to be, in what Ansible has listed for this very run, a host of that name and no group of
others (`group_by` may have made one of it alone), and `--limit` has to take no other host. ansible-playbook loads it, as `ansible`
names its folder among the callbacks.

What an inventory lists may have changed since its targets were looked up in it, and `--limit NAME` means all hosts of a group of that name
where there is no such host. It is looked at before anything is begun, and again before each play, as a playbook may have its inventory read
anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, Final

from ansible.plugins.callback import CallbackBase

ASKED_FOR: Final = "HEALER_ALONE"
EXIT_OTHERS: Final = 86
NOTHING: Final = "nothing was begun: "
ENDED: Final = "it was ended: "
SHOWN: Final = 5


def _wrong(play: Any) -> Iterator[str]:
    """What hinders it; nothing where the targets are what is taken."""
    from ansible import constants, context

    inventory = play.get_variable_manager()._inventory
    names = context.CLIARGS["subset"].split(",")
    for name in names:
        members = [host.name for host in inventory.groups[name].get_hosts()] if name in inventory.groups else []
        if set(members) - set(names) or (members and name not in inventory.hosts):
            yield f"Ansible lists {name!r} as a group now ({_shown(members)})"
        elif name not in inventory.hosts and name not in constants.LOCALHOST:
            yield f"Ansible lists no host {name!r} now"
    taken = {host.name for host in inventory.get_hosts("all", ignore_restrictions=True)}
    if others := sorted(taken.difference(names)):
        yield f"--limit takes {_shown(others)} too"


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """Ends it where it would act on others. What this version of Ansible does not let it know is a reason, too."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "healer_alone"

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Before anything is begun."""
        for play in playbook.get_plays()[:1]:
            self._hold(play, NOTHING)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Before each play, and each batch of one."""
        self._hold(play, ENDED)

    def _hold(self, play: Any, says: str) -> None:
        if not os.environ.get(ASKED_FOR):
            return
        try:
            why = next(_wrong(play), "")
        except Exception as error:  # noqa: BLE001 - Ansible would take it for a warning, and go on
            why = f"this version of Ansible does not say which hosts it takes: {type(error).__name__}: {error}"
        if why:
            sys.stdout.flush()
            os.write(2, f"{says}{why}\n".encode("utf-8", "backslashreplace"))
            raise SystemExit(EXIT_OTHERS)
