"""`/sources`: what delivers events, how each does, and what has to be entered at its sender's side. What is shown has references to
secrets, never one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from healer import access, errors, plugins
from healer.web import answers, hiding, hooks, queries, senders
from healer.web.services import Revision, Services

RULESETS_MAX: Final = 20
"""Of those that hear a source, so many are named."""
WORDS: Final = (
    "name", "target", "status", "severity", "severity_raw", "key", "started_at", "summary", "link", "labels.*",
)  # fmt: skip
"""What every format gives below `event.alert`."""
UNNAMED: Final = ("auto", "generic")
"""Formats of senders that are not named: what their deliveries look like is told."""


async def index(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """All sources by name, each with how it does."""
    queries.Query(request)
    revision, how = services.revision(), services.sources()
    return answers.page([_shown(services, revision, name, how) for name in sorted(revision.sources)], None)


async def show(request: web.Request, services: Services, _caller: access.Principal) -> web.StreamResponse:
    """One with its options, what its events have, and what is entered at its sender's side."""
    queries.Query(request)
    revision, name = services.revision(), request.match_info["name"]
    if name not in revision.sources:
        near = errors.nearest(name, revision.sources)
        raise errors.NotFound(near or "healer sources", what=f"the source {name[:200]!r}")
    shown = _shown(services, revision, name, services.sources())
    return answers.json(shown | _in_full(services, name, revision.sources[name], shown["error"]))


def _shown(services: Services, revision: Revision, name: str, how: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A source as lists show it. `state` and what stands beside it are null where nobody runs or hears it."""
    spec, does, tally = revision.sources[name], how.get(name, {}), services.tally
    options = spec.options
    rulesets = ["/".join(one) for one in spec.subscribers]
    auth, form = getattr(options, "auth", None), _format(options)
    return {
        "name": name, "type": spec.type, "kind": spec.kind, "place": str(dataclasses.replace(spec.place, column=0)),
        "shared": spec.shared, "path": getattr(options, "path", None), "format": form, "auth": auth and auth.kind,
        "resolves": spec.resolves, "max_quiet_s": spec.max_quiet_s, "alert_ttl_s": spec.alert_ttl_s,
        "rate_limit": _rate(getattr(options, "rate_limit", None)),
        "rulesets": rulesets[:RULESETS_MAX], "more_rulesets": max(0, len(rulesets) - RULESETS_MAX),
        **{word: does.get(word) for word in ("state", "events", "last_event", "silent", "error")},
        "refused": _once(tally.last.get(name), "why"), "greeted": _once(tally.greeted.get(name), "what"),
        "suggested": (tally.suggested.get(name) or None) if form in UNNAMED else None,
    }  # fmt: skip


def _in_full(services: Services, name: str, spec: Any, error: str | None) -> dict[str, Any]:
    """What lists leave out. `url_said`: whether `server.public_url` has the address, which is the daemon's own else."""
    at, said = senders.base(services)
    address = senders.url(at, spec.type, spec.options)
    made: dict[str, Any] = {
        "options": hiding.hidden(spec.args), "url": address, "url_said": said, "secrets": [], "proof": None, "proofs": [],
        "fields": [], "setup": "", "visit": [*services.tally.to_visit.get(name, {}).values()],
    }  # fmt: skip
    if address is None or spec.type != hooks.TYPE:
        return made
    auth = spec.options.auth
    made |= {"secrets": [one.secret for one in auth.secrets], "proof": senders.proof(auth)}
    try:
        form = hooks.reader_of(spec.options)
    except errors.HealerError as broken:  # the hook is not answered then
        return made | {"error": error or broken.message}
    return made | {
        "proofs": list(form.auth), "fields": _fields(form), "setup": senders.setup(form, address, auth),
    }  # fmt: skip


def _format(options: Any) -> str | None:
    """The name of a webhook's format, `mapping` for one that the source itself has."""
    if getattr(options, "mapping", None) is not None:
        return "mapping"
    found: str | None = getattr(options, "format", None)
    return found


def _fields(form: plugins.Format) -> list[str]:
    """What the events of a format have, below `event`."""
    return list(dict.fromkeys((*(f"alert.{word}" for word in WORDS), *form.fields)))


def _rate(rate: plugins.RateShape | None) -> dict[str, Any] | None:
    return None if rate is None else {"count": rate.count, "within_s": rate.within}


def _once(last: tuple[int, str] | None, word: str) -> dict[str, Any] | None:
    return None if last is None else {"at": queries.iso(last[0]), word: last[1]}
