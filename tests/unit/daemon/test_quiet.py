"""What only a look can tell: sources that are silent, a storm that is over."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator
from typing import Any

import pytest

from healer import project, store
from healer.daemon import quiet

S = 1_000_000


@pytest.fixture
async def desk() -> AsyncIterator[Any]:
    """A look over a store in memory; `sources` and `now_us` are turned by hand."""
    made = types.SimpleNamespace(now_us=1_790_000_000 * S, sources=[], settings=project.Settings())
    made.store = store.Store.open(None, lambda: made.now_us, loop=None)
    daemon: Any = types.SimpleNamespace(
        store=made.store, clock=lambda: made.now_us, supervisor=types.SimpleNamespace(status=lambda: made.sources), revision=made
    )  # fmt: skip
    made.look = quiet.Quiet(daemon).look
    made.kinds = lambda: [
        kind for (kind,) in made.store.writer.tx.connection.execute("SELECT kind FROM audit ORDER BY seq")
    ]
    yield made
    await made.store.close()


async def test_a_source_is_silent_and_heard_again(desk: Any) -> None:
    for silent in (False, True, True, False, False):
        desk.sources = [types.SimpleNamespace(key="am", silent=silent, last_event_us=1)]
        await desk.look()
    assert desk.kinds() == ["source_silent", "source_heard"]


async def test_a_storm_is_over(desk: Any) -> None:
    await desk.look()
    tx = desk.store.writer.tx
    tx.run("storm_put", desk.now_us, desk.now_us, 300)
    desk.store.writer.now(types.SimpleNamespace(weight=1, apply=lambda tx: tx.audit("storm", actor="daemon")))
    desk.now_us += 299 * S
    await desk.look()
    assert desk.kinds() == ["storm"]
    desk.now_us += S
    for _ in range(3):
        await desk.look()
    assert desk.kinds() == ["storm", "storm_over"]


async def test_where_nothing_is_a_storm(desk: Any) -> None:
    desk.settings = project.Settings.model_validate({"storm": None})
    desk.store.writer.tx.run("storm_put", 1, 1, 300)
    await desk.look()
    assert desk.kinds() == []
