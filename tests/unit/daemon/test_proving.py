"""The daily look at the audit: a break is told of once, whatever else goes wrong is a line of the log."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sqlite3
import types
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loguru import logger

from healer import store
from healer.daemon import proving
from healer.store import notes


@pytest.fixture
async def opened(tmp_path: pathlib.Path) -> AsyncIterator[store.Store]:
    """A store on disk with three records."""
    made = store.Store.open(tmp_path, lambda: 1_790_000_000_000_000, loop=asyncio.get_running_loop())
    for n in range(3):
        await made.submit(notes.Note("clock", "daemon", n=n))
    yield made
    await made.close()


def look(opened: store.Store) -> Any:
    """Look once."""
    return proving.Proving(types.SimpleNamespace(store=opened)).look()  # type: ignore[arg-type]


async def broken(opened: store.Store) -> list[dict[str, Any]]:
    """The records that tell of a break."""
    rows = await opened.reader.select("SELECT record FROM audit WHERE kind = 'audit_broken' ORDER BY seq", [])
    return [json.loads(row["record"]) for row in rows]


def tamper(opened: store.Store, seq: int) -> None:
    """Somebody else writes into the database."""
    assert opened.path is not None
    other = sqlite3.connect(opened.path)
    with other:
        other.execute("DROP TRIGGER IF EXISTS audit_no_update")
        other.execute("UPDATE audit SET record = replace(record, '\"n\":', '\"m\":') WHERE seq = ?", (seq,))
    other.close()


async def test_a_break_is_told_of_once(opened: store.Store) -> None:
    await look(opened)
    assert await broken(opened) == []
    tamper(opened, 1)
    await look(opened)
    await look(opened)
    (told,) = await broken(opened)
    assert told["first_bad"] == 1
    assert told["actor"] == "daemon"
    tamper(opened, 2)
    await look(opened)
    assert len(await broken(opened)) == 2, "another break is news"


@pytest.mark.parametrize(("answer", "line"), [
    ((2, b""), "healer audit verify ended with 2"), ((1, b"no JSON"), "healer audit verify ended with 1"),
    ((1, b'{"findings": []}'), "healer audit verify ended with 1"), (OSError("no process free"), "no process free"), (TimeoutError(), "it took too long"),
])  # fmt: skip
async def test_what_cannot_be_looked_at(
    opened: store.Store, monkeypatch: pytest.MonkeyPatch, answer: Any, line: str
) -> None:
    async def verified(path: str) -> Any:
        assert path == str(opened.path)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(proving, "_verified", verified)
    told: list[str] = []
    number = logger.add(told.append, format="{message}")
    await look(opened)
    logger.remove(number)
    assert line in "".join(told)
    assert await broken(opened) == []


async def test_a_look_ends_with_the_daemon(opened: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "_CODE", "import signal; signal.pause()")
    made: list[Any] = []
    start = asyncio.create_subprocess_exec

    async def started(*arguments: Any, **more: Any) -> Any:
        made.append(await start(*arguments, **more))
        return made[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
    task = asyncio.ensure_future(look(opened))
    async with asyncio.timeout(20):
        while not made:
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert made[0].returncode == -9


async def test_a_store_in_memory_has_nothing_to_look_at() -> None:
    made = store.Store.open(None, lambda: 1, loop=None)
    await look(made)
    await made.close()
