"""Ports for real servers that have to be told theirs: none that the system gives to whoever asks for any, so nobody else comes first."""

import os
import pathlib
import random
import socket
from typing import Final

FIRST: Final = 20_000
_worker: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_given: Final[set[int]] = set()


def free() -> int:
    """A port of 127.0.0.1 that nobody has and that is given once, whatever other processes of the tests run beside this one."""
    ours = _ours()
    while True:
        port = random.choice(ours)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def _ours() -> range:
    """Each worker has every sixteenth."""
    given_by_system = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    last = given_by_system if given_by_system > FIRST + 4096 else 0xFFFF
    return range(FIRST + _worker % 16, last, 16)
