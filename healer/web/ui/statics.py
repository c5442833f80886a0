"""The style sheet and the icon: the only files that pages name."""

from __future__ import annotations

import hashlib
import pathlib
from typing import Final

from aiohttp import web

from healer import errors
from healer.web.ui import forms, views

_TYPES: Final = {"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
_FOLDER: Final = pathlib.Path(__file__).with_name("static")
_FILES: Final = {name: (_FOLDER / name).read_bytes() for name in _TYPES}


async def file(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """The file; a browser asks each time whether it is still the same."""
    name = view.request.match_info["name"]
    if name not in _FILES:
        raise errors.NotFound(what=f"the file {name[:80]!r}")
    tag = f'"{hashlib.sha256(_FILES[name]).hexdigest()[:16]}"'
    headers = {**views.HEADERS, "Content-Type": _TYPES[name], "Cache-Control": "no-cache", "ETag": tag}
    if view.request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=_FILES[name], headers=headers)
