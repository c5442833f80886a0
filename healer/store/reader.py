"""The read side: named statements on read-only connections, off the loop (aiosqlite), or on the one connection in memory.

A reader takes a few rows at a time and holds no transaction between two calls, so that the log can always be checkpointed.
"""

from __future__ import annotations

import asyncio
import pathlib
import sqlite3
from typing import Any, Protocol

import aiosqlite

from healer.store import connection, names


class Reader(Protocol):
    """What `web`, `explain` and the workers read with."""

    async def all(self, name: str, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of a named statement, by column name."""
        ...

    async def select(self, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
        """The rows of a statement that was put together from fixed parts (filters)."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


class DiskReader:
    """One read-only connection with a thread of its own, opened at the first use."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._sql = names.load()
        self._opening = asyncio.Lock()

    async def all(self, name: str, *parameters: Any) -> list[dict[str, Any]]:
        """As `Reader.all`."""
        return await self.select(self._sql[name], list(parameters))

    async def select(self, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
        """As `Reader.select`."""
        opened = await self._open()
        async with opened.execute(sql, parameters) as cursor:
            rows = await cursor.fetchall()
            columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in rows]

    async def _open(self) -> aiosqlite.Connection:
        async with self._opening:
            return self._connection or await self._connect()

    async def _connect(self) -> aiosqlite.Connection:
        if self._connection is None:
            opened = await aiosqlite.connect(connection.reader_uri(self._path), uri=True, isolation_level=None)
            await opened.execute("PRAGMA query_only = ON")
            self._connection = opened
        return self._connection

    async def close(self) -> None:
        """As `Reader.close`."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


class MemoryReader:
    """Reads on the writer's own connection: the in-memory twin, where everything runs inline."""

    def __init__(self, opened: sqlite3.Connection) -> None:
        self._connection = opened
        self._sql = names.load()

    async def all(self, name: str, *parameters: Any) -> list[dict[str, Any]]:
        """As `Reader.all`."""
        return await self.select(self._sql[name], list(parameters))

    async def select(self, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
        """As `Reader.select`."""
        cursor = self._connection.execute(sql, parameters)
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    async def close(self) -> None:
        """Nothing to close: the connection is the writer's."""
