"""API keys while no daemon runs: writes them into the store itself, under the lock of the data directory.

Caller: `healer keys`. With the lock held no daemon can start, so that there are never two writers.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

from healer import access, errors, store
from healer.cli import location
from healer.store import connection, keys, names, ownership
from healer.web import minting


class WrongKey(errors.InvalidField):
    """{field}: {detail}"""

    exit_code = errors.EXIT_USAGE


class Keystore:
    """The keys of one data directory. `root`: the project's folder, whose `healer.yaml` says which roles and people there are."""

    def __init__(self, data_dir: pathlib.Path, root: pathlib.Path | None = None) -> None:
        self._data_dir = data_dir
        self._root = root

    def create(self, name: str, role: str, principal: str = "") -> dict[str, Any]:
        """Make a key; as the API answers, with the key itself, which is kept nowhere. Raises `WrongKey`, `errors.AlreadyRunning`."""
        key_id, key = minting.make_key()
        unit = keys.CreateKey(
            key_id,
            minting.digest(key),
            name,
            role,
            actor=_actor(),
            principal=principal,
            directory=_directory(self._root),
        )
        with self._open() as opened:
            try:
                row = opened.writer.now(unit)
            except errors.InvalidField as error:
                raise WrongKey(error.try_, **error.fields) from error
        return {**minting.shown(row), "key": key}

    def list(self) -> list[dict[str, Any]]:
        """The keys as the API lists them. Only reads: a data directory that is not there is not made. Raises `errors.StoreError`."""
        path = self._data_dir / store.DATABASE
        if not path.is_file():
            return []
        with contextlib.closing(connection.open_reader(path)) as opened:
            try:
                cursor = opened.execute(names.load()["keys_all"], (keys.LISTED_MAX,))
            except sqlite3.Error as error:
                raise errors.StoreError(reason=f"{path}: {error}") from error
            columns = [column[0] for column in cursor.description]
            rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        return [minting.shown(row) for row in rows]

    def revoke(self, key_id: str) -> bool:
        """Withdraw a key; whether it was valid until now. Raises `errors.NotFound`."""
        with self._open() as opened:
            return bool(opened.writer.now(keys.RevokeKey(key_id, actor=_actor())))

    @contextlib.contextmanager
    def _open(self) -> Iterator[store.Store]:
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = ownership.Ownership(self._data_dir)
        owner.take()
        try:
            opened = store.Store.open(self._data_dir, lambda: time.time_ns() // 1000, loop=None)
            try:
                yield opened
            finally:
                opened.writer.close()
        except sqlite3.Error as error:
            raise connection.failed(error, self._data_dir / store.DATABASE) from error
        finally:
            owner.release()


def _directory(root: pathlib.Path | None) -> access.Directory:
    """Which roles and people a project names, as far as its file is right."""
    for name in location.SETTINGS if root is not None else ():
        if root is not None and (root / name).is_file():
            from healer import config
            from healer.project import people, settings

            found = settings.read(config.read_file(root / name, name), {}, {}).settings
            return people.directory(found.roles, found.principals)
    return access.Directory()


def _actor() -> str:
    """Who asks, by user id: `LOGNAME` is what a user may set, so it is not asked."""
    try:
        return f"os:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"os:{os.getuid()}"
