"""The end of a server that a test has started."""

from __future__ import annotations

import asyncio

from aiohttp import web


async def cleanup(runner: web.AppRunner) -> None:
    """As `runner.cleanup()`, and no connection of it is left open.

    One over TLS waits for the client's goodbye, which a client that was killed never says: it would be closed by the garbage collector,
    with a warning, in the midst of another test.
    """
    connections = list(runner.server.connections) if runner.server is not None else []
    transports = [one.transport for one in connections if one.transport is not None]
    await runner.cleanup()
    for transport in transports:
        transport.abort()
    for _ in range(3):  # which is done when the loop comes round
        await asyncio.sleep(0)
