"""A session of `ssh` that stays for the next job, where the far side has Python: the near side of `_away/worker`.

A job of a session of its own costs the far side a process of sshd, a login shell, a shell and the tools that `_ssh_far.RUN` needs, which
together take longer than most scripts. One that stays starts the script alone.
"""

from __future__ import annotations

import asyncio
import math
import pathlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from healer.controllers import _ssh_far, _ssh_talk

START_S: Final = 5.0
"""So long a Python that does not say that it is there is waited for; then jobs are begun without."""
_AWAY: Final = pathlib.Path(__file__).parent / "_away"
BEGIN: Final = (
    'exec python3 -IS -c \'import os;t=b"";exec("while len(t)<{size}: t+=os.read(0,{size}-len(t)) or os._exit(64)");'
    "exec(t)' {nonce} healer"
)
"""Its last word is for whoever lists the processes there."""


def _text() -> bytes:
    """The program in one piece: in the place of what imports the other file stands that file."""
    program, tools = ((_AWAY / name).read_text("utf-8") for name in ("worker.py", "around.py"))
    before, _, after = program.partition("from healer.controllers._away.around import (\n")
    tools = tools.partition("from __future__ import annotations\n")[2]
    return "".join([before, tools, after.partition("\n)\n")[2], "\nmain()\n"]).encode()


TEXT: Final = _text()


async def start(raw: Any, spare: Callable[[], bool], pauses_s: Sequence[float]) -> _ssh_talk.Talk | None:
    """A session with a worker that waits for an order; None where the Python there does not do. Raises as `open_talk` does."""
    nonce = secrets.token_hex(16)
    sieve = _ssh_talk.Sieve(nonce)
    ready = asyncio.get_running_loop().create_future()

    def hear(of_stderr: bool, data: bytes) -> None:
        if not of_stderr and "ready" in sieve.feed(data)[1] and not ready.done():
            ready.set_result(None)

    talk = await _ssh_talk.open_talk(raw, BEGIN.format(size=len(TEXT), nonce=nonce), hear, spare, pauses_s)
    try:
        talk.send(TEXT)
        await asyncio.wait([ready, talk.closed], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        talk.channel.abort()
        raise
    if ready.done() and not talk.closed.done():
        return talk
    talk.channel.abort()
    return None


def order(
    place: _ssh_far.Place, name: str, nonce: str, limit_s: float, argv: Sequence[str], environment: Mapping[str, str], stdin: str,
    script: bytes | None, *, binary: bool = False,
) -> bytes:  # fmt: skip
    """What the worker reads. Raises ValueError for a NUL, or a name that is none: they could not be sent."""
    if not _ssh_far.NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an attempt")
    texts = [place.folder, stdin, *(f"{key}={value}" for key, value in environment.items()), *argv]
    if any("\0" in text for text in texts):
        raise ValueError("an argument or a variable has a NUL")
    values = [text.encode("utf-8", "surrogateescape") for text in texts]
    values.insert(2, script or b"")
    head = f"{name} {nonce} {max(1, math.ceil(limit_s))} {int(binary)} {len(environment)} {place.id}"
    lengths = " ".join(str(len(value)) for value in values)
    return b"".join([f"{head} {lengths}\n".encode(), *values])
