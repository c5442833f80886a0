"""Hosts that Ansible finds itself, where a program or plugin of the project makes an inventory: what it listed becomes one of ours.

The daemon has it listed (`daemon.hosts`). It is read in a child, as a project is: tens of thousands of hosts would hold the loop. Both
sides stand here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import pathlib
import sys
import time
from itertools import islice
from typing import Final

from healer import inventory
from healer.project import child, pieces
from healer.project.found import Said

READ_S: Final = 60.0
HOSTS_A_SLICE: Final = 500
_CODE: Final = "import os; os.nice(19); from healer.project import listing; listing.main()"


async def read(listed: pathlib.Path, known: inventory.Inventory, said: Said) -> tuple[Said, inventory.Inventory | None]:
    """What a file that Ansible's list is in comes to, over what is `known` from files and was `said` before. Never raises for what
    stands in it; without an inventory nothing has changed, or `error` says why not."""
    wanted = b"\n".join([json.dumps([str(listed), said.mark]).encode(), *await _known(known)])
    joined, words = await child.pieces_of(_CODE, wanted, READ_S)
    if not joined.complete:
        return dataclasses.replace(said, error=f"what Ansible listed cannot be read: {words}"), None
    made, told, mark = joined.lone()
    if not mark:
        return dataclasses.replace(said, error=f"what Ansible listed cannot be read: {told[0]}"), None
    if made is None:
        return dataclasses.replace(said, error=""), None
    beside = sum(1 for name in made.hosts if name not in known.hosts)
    return dataclasses.replace(said, hosts=len(made.hosts), beside=beside, left_out=told, error="", mark=mark), made


async def _known(known: inventory.Inventory) -> list[bytes]:
    """What the files say of hosts, a line each some; a piece of the loop's time at a time."""
    lines: list[bytes] = []
    hosts = iter(known.hosts.values())
    started = time.monotonic()
    while some := list(islice(hosts, HOSTS_A_SLICE)):
        lines.append(json.dumps({one.name: [one.aliases, one.connection] for one in some}).encode())
        if time.monotonic() - started > child.SLICE_S:
            await asyncio.sleep(0)
            started = time.monotonic()
    return lines


# --- the child's side -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Read the list that the first line of standard input names, with what the other lines know of hosts."""
    first, *rest = sys.stdin.buffer.read().split(b"\n")
    path, before = json.loads(first)
    raw = pathlib.Path(path).read_bytes()
    mark = hashlib.sha256(b"\n".join([*rest, raw])).hexdigest()
    if mark == before:
        child.answer(pieces.cut_inventory(None, (), mark))
        return
    known: dict[str, tuple[tuple[str, ...], str]] = {}
    for line in rest:
        known |= {name: (tuple(aliases), connection) for name, (aliases, connection) in json.loads(line).items()}
    try:
        child.answer(pieces.cut_inventory(*inventory.read_found(raw, known), mark))
    except inventory.Unreadable as error:
        child.answer(pieces.cut_inventory(None, (str(error),), ""))
