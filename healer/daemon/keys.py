"""Who may ask: keys that stand in files beside those of the store, and the roles and people of the project. Caller: the daemon, at its
start and at each reload.
"""

from __future__ import annotations

import asyncio
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from loguru import logger

from healer import access, project, store
from healer.daemon import holding
from healer.store import granting
from healer.web import auth, keyfiles

TOLD_MAX: Final = 100
_SHOWN: Final = 12
"""Of a key's hash, so that two keys of one name are two."""


def of_files(base: pathlib.Path, revision: project.Revision, environ: Mapping[str, str]) -> list[auth.FileKey]:
    """The keys that stand in files: the settings', and `HEALER_ADMIN_KEY_FILE`. Raises `errors.ConfigurationError`."""
    admin, named = environ.get("HEALER_ADMIN_KEY_FILE"), revision.settings.keys.file
    return keyfiles.read(pathlib.Path(admin) if admin else None, base / named if named else None)


def holds(directory: access.Directory, files: Sequence[auth.FileKey]) -> dict[str, Any]:
    """Who may what by files, as the audit has it."""
    return directory.as_json() | {"keys": {f"{one.name} {one.digest[:_SHOWN]}": one.as_json() for one in files}}


def changed(known: auth.Keys, revision: project.Revision, files: Sequence[auth.FileKey]) -> dict[str, Any]:
    """`access`: who is given and who loses what by a revision and by these keys; nothing where nobody is."""
    found = access.difference(holds(known.directory, known.files), holds(revision.directory, files))
    return {"access": found} if found else {}


def use(known: auth.Keys, revision: project.Revision, files: Sequence[auth.FileKey]) -> list[dict[str, object]]:
    """From now on the roles and people of a revision hold, and these keys, of which the audit knows already. What is to be told of keys
    that grant nothing by that."""
    known.use(revision.directory, files)
    told = list(itertools.islice(known.idle(), TOLD_MAX))
    for one in told:
        logger.warning("{}", one.message)
    return [one.as_json() for one in told]


async def take(
    opened: store.Store, known: auth.Keys, revision: project.Revision, files: Sequence[auth.FileKey], actor: str
) -> list[dict[str, object]]:
    """The same, with the record of what changed; of whatever else holds too, which variables and flags may have changed."""
    more = await asyncio.to_thread(holding.of, revision)
    await opened.submit(granting.Hold(actor, holds(revision.directory, files) | more))
    return use(known, revision, files)
