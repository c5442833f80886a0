"""The daemon itself: whether it is alive, how it does, reading the project again, and its API keys."""

from __future__ import annotations

from typing import Annotated, Final

import pydantic
from aiohttp import web

import healer
from healer import access, errors
from healer.store import keys as stored
from healer.web import answers, bodies, minting, queries
from healer.web.services import Services


async def health(_request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """Always 200 while the process answers; a paused daemon says so, and one whose disk is full."""
    return answers.json({"status": services.state(), "version": healer.__version__})


async def alive(_request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """200 as long as the loop turns: for whoever restarts what hangs."""
    ready, reason = services.ready()
    return answers.json({"ready": ready, "reason": reason})


async def ready(_request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """200 or 503: whether events are taken."""
    is_ready, reason = services.ready()
    return answers.json({"ready": is_ready, "reason": reason}, 200 if is_ready else 503)


async def status(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """What `healer status` shows."""
    queries.Query(request)
    return answers.json(await services.status())


async def reload(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """Read the project again: 200 with what changed, 422 with every mistake, 503 on a full disk, and then nothing has changed.

    With `preview` what would change, and nothing does.
    """
    queries.Query(request)
    asked = await bodies.document_or_none(request, Reloading)
    return answers.json(await services.reload(caller.actor, asked.preview))


class Reloading(pydantic.BaseModel):
    """The body of `POST /reload`, where there is one."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    preview: bool = False


KEY_ID_MAX: Final = 64


class NewKey(pydantic.BaseModel):
    """The body of `POST /keys`. `principal`: whose it is; without a `role` it has theirs."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)]
    role: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)] = ""
    principal: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)] = ""


async def create_key(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """201 with the key, which is shown this once."""
    asked = await bodies.document(request, NewKey)
    key_id, key = minting.make_key()
    unit = stored.CreateKey(
        key_id, minting.digest(key), asked.name, asked.role, actor=caller.actor, principal=asked.principal,
        directory=services.gate.keys.directory,
    )  # fmt: skip
    made = await services.store.submit(unit)
    await services.gate.keys.load()
    return answers.json(minting.shown(made) | {"key": key}, 201)


async def list_keys(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """All keys, revoked ones too, without their hashes; those of files come first and have no id."""
    queries.Query(request)
    files = [
        {
            "id": None,
            "name": one.name,
            "role": one.role or None,
            "principal": one.principal or None,
            "created": None,
            "created_by": "file",
            "revoked": None,
        }
        for one in services.gate.keys.files
    ]
    rows = await stored.list_keys(services.store.reader)
    return answers.page(files + [minting.shown(row) for row in rows], None)


async def revoke_key(request: web.Request, services: Services, caller: access.Principal) -> web.StreamResponse:
    """200; the key is refused from the answer on. A second time changes nothing."""
    key_id = request.match_info["id"]
    if not (key_id.isascii() and key_id.isalnum() and len(key_id) <= KEY_ID_MAX):
        raise errors.NotFound("healer keys list", what=f"the key {key_id[:80]!r}")
    revoked = await services.store.submit(stored.RevokeKey(key_id, actor=caller.actor))
    await services.gate.keys.load()
    return answers.json({"id": key_id, "revoked": revoked})
