"""Whether a controller `ssh` is usable: its own files, and whether hosts let it in. Caller: `ssh`.

A host is connected to, its key compared, and it is logged in to, anew each time. No command is run there.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from healer import model
from healer.controllers import _shimmed, _ssh_config, _ssh_door, _ssh_pool

WITHIN_S: Final = 15.0
"""For all hosts together: the daemon waits 20 seconds for a controller's answer."""
_UNTRIED: Final = "no host was tried, as its inventory has none that is known here and connected to"


async def health(
    door: _ssh_door.Door,
    pool: _ssh_pool.Pool,
    targets: Sequence[model.Target],
    address: Callable[[model.Target], _ssh_pool.Address],
) -> model.Health:
    """What there is to say. Raises `_ssh_door.Unusable`, `_ssh_pool.Unreachable`."""
    here = _ssh_pool.Address("localhost", door.options.port or 0, door.options.user or "")
    passed = await asyncio.to_thread(_configuration, door)
    await door.settings(here)
    way = door.way(here)
    if way and not targets:
        async with pool.passage(way):
            pass
    files = ", ".join(map(str, door.known_hosts_files()))
    over = f", over {', '.join(map(str, way))}" if way else ""
    with_ = f"asyncssh {_ssh_door.library().__version__}, hosts known by {files}{over}"
    said = await tried(door, pool, targets, address)
    missed = {name: why for name, why in said.items() if why is not None}
    changed = {name: why for name, why in missed.items() if why.another_key}
    if not said:
        return model.Health(True, "; ".join(filter(None, (with_, _UNTRIED, passed))))
    first = next((f", {name} does not: {_shimmed.one_line(str(why))}" for name, why in (changed or missed).items()), "")
    answers = f"{len(said) - len(missed)} of {len(said)} hosts answer{first}"
    parts = (with_, answers, passed) if not missed else (answers, with_, passed)
    return model.Health(len(missed) < len(said) and not changed, "; ".join(filter(None, parts)))


async def tried(
    door: _ssh_door.Door,
    pool: _ssh_pool.Pool,
    targets: Sequence[model.Target],
    address: Callable[[model.Target], _ssh_pool.Address],
) -> Mapping[str, _ssh_pool.Unreachable | None]:
    """Of each host, in this order, why it does not let us in; None where it does. All are tried at the same time."""

    async def one(target: model.Target) -> _ssh_pool.Unreachable | None:
        try:
            where = address(target)
            way = door.way(where)
            async with contextlib.AsyncExitStack() as stack:
                through = await stack.enter_async_context(pool.passage(way)) if way else None
                raw = await door.dial(where, through)
                raw.close()
                await raw.wait_closed()
        except _ssh_pool.Unreachable as error:
            return error
        return None

    tasks = {target.inventory_name or target.name: asyncio.ensure_future(one(target)) for target in targets}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=WITHIN_S)
        late = _ssh_pool.Unreachable(f"it did not answer within {WITHIN_S:g} s")
        return {name: task.result() if task.done() else late for name, task in tasks.items()}
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _configuration(door: _ssh_door.Door) -> str:
    """What of the configuration file is passed over. Raises `_ssh_pool.Unreachable` where a part of it cannot be read."""
    for path in map(pathlib.Path, door.config()):
        try:
            text = path.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise _ssh_door.Unusable(f"{door.options.config} cannot be read: {error}") from error
        for host in _ssh_config.hosts(text):
            door.way(_ssh_pool.Address(host, door.options.port or 0, door.options.user or ""), read=True)
        passed = [*_ssh_config.unknown(text)]
        if passed:
            first = f"{passed[0].word!r} is no keyword of ssh_config(5) and is passed over"
            more = f" (and {len(passed) - 1} more)" if passed[1:] else ""
            return f"{door.options.config}:{passed[0].line}: {'; '.join(filter(None, (first, passed[0].try_)))}{more}"
    return ""
