"""How many files the daemon may have open: each connection is one, and each child takes some. Caller: `daemon.main`, first of all.

What a shell or systemd allows at first (mostly 1,024, of which more can be had for the asking) is less than the connections alone may be.
"""

from __future__ import annotations

import resource
from typing import Final

from healer.web import serving

WANTED: Final = 2 * serving.CONNECTIONS_MAX
"""As many for all else as for connections."""


def allow() -> None:
    """Let this process, and what it starts, have so many open, as far as it may say so; what is allowed already is never made less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
