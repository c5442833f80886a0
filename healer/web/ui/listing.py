"""The lists of alerts and of runs: the API's own filters and cursors, as forms and links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from healer.web import lookups
from healer.web import runs as of_api
from healer.web.ui import forms, running, texts, views

LIMIT: Final = "50"
ALERTS: Final = ("status", "source", "name", "after")
RUNS: Final = ("state", "rule", "target", "action", "after")


async def alerts(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """Those that fire, and below them those that were resolved; or only those of a status."""
    asked = view.query(*ALERTS)
    shown = []
    for status in (asked["status"],) if asked["status"] or asked["after"] else lookups.ALERT_STATUSES:
        wanted = asked | {"status": status}
        found = await view.told("GET /alerts", wanted | {"limit": LIMIT})
        items = texts.mappings(found.get("items"))
        shown.append({"status": status, "items": items, "following": _following("/ui/alerts", wanted, found)})
    return view.page("alerts.html", "Alerts", parts_shown=shown, asked=asked, statuses=lookups.ALERT_STATUSES)


async def runs(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """The runs, of a state, a rule, a target, an action."""
    asked = view.query(*RUNS)
    found = await view.told("GET /runs", asked | {"limit": LIMIT})
    rows = [
        {"run": one, "state": running.state(one), "why": running.why(one)} for one in texts.mappings(found.get("items"))
    ]
    return view.page(
        "runs.html", "Runs", rows=rows, asked=asked, states=of_api.STATES, following=_following("/ui/runs", asked, found),
    )  # fmt: skip


def _following(path: str, asked: Mapping[str, str], found: Mapping[str, Any]) -> str:
    """The address of the next page; '' where there is none."""
    return views.address(path, **{**asked, "after": str(found["next"])}) if found.get("next") else ""
