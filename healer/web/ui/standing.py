"""How the daemon does: what `healer status` says, as a page. What the daemon does not tell is left out."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from healer.web.ui import forms, texts, views

FELL_SHOWN: Final = datetime.timedelta(days=1)
RUN_WORDS: Final = {
    "running": "running", "verifying": "verifying", "queued": "queued", "awaiting_approval": "waiting for a person",
    "deferred": "deferred", "unknown": "unknown",
}  # fmt: skip
BAD: Final = "bad"
"""Somebody has to look at it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """`tone`: '' or `BAD`; `href`: the page with more."""

    label: str
    text: str
    tone: str = ""
    href: str = ""


async def page(view: views.View, _form: forms.Form) -> web.StreamResponse:
    """The page."""
    view.query()
    status = await view.told("GET /status")
    now = texts.moment(status.get("now")) or view.now
    return view.page(
        "status.html", "Status", facts=[*_facts(status)], trouble=[*_trouble(status, now)], counts=[*_counts(status)],
        rules=texts.mappings(status.get("rules")), window=texts.span(_window_s(status)),
        sources=sorted((_source(one, now) for one in texts.mappings(status.get("sources"))), key=lambda one: not one.tone),
        rest=[*_rest(status, now)],
    )  # fmt: skip


def _window_s(status: Mapping[str, Any]) -> float:
    found = status.get("window_s")
    return float(found) if isinstance(found, int | float) else 600.0


def _facts(status: Mapping[str, Any]) -> Iterator[Line]:
    for label, text in (
        ("Version", status.get("version")), ("Environment", status.get("environment")), ("Mode", status.get("mode")),
        ("State", status.get("state")), ("Revision", status.get("revision")), ("Up for", texts.span(status.get("uptime_s"))),
    ):  # fmt: skip
        if text:
            yield Line(label, str(text))


def _trouble(status: Mapping[str, Any], now: datetime.datetime) -> Iterator[Line]:
    """What keeps all of it from going on."""
    if status.get("state") == "disk-full":
        yield Line("Disk full", "nothing new is taken until there is space; what was answered is safe", BAD)
    for one in texts.mappings(status.get("paused")):
        scope = str(one.get("scope") or "all")
        text = f"{'everything' if scope == 'all' else scope.replace(':', ' ', 1)} by {texts.who(one.get('who'))}"
        text += f" since {texts.when(one.get('since'))}"
        text += f", “{one['reason']}”" if one.get("reason") else ""
        text += f", until {texts.when(one['until'])}" if one.get("until") else ""
        if one.get("until_changed"):
            text += f", until the {'revision' if scope == 'all' else scope.partition(':')[0]} changes"
        yield Line("Paused", text, BAD)
    storm = status.get("storm")
    if isinstance(storm, Mapping):
        yield Line(
            "Storm",
            f"since {texts.when(storm.get('since'))}: {_number(storm.get('matches'))} matches in "
            f"{texts.span(storm.get('within_s'))} (limit {_number(storm.get('limit'))}); calm needed "
            f"{texts.span(storm.get('calm_s'))}; next look {texts.ago(storm.get('next_look'), now)}",
            BAD,
        )  # fmt: skip
    if status.get("ended"):
        yield Line(
            "Ended", f"{', '.join(map(str, status['ended']))}: a rule shut it down; healer reload brings it back", BAD
        )


def _counts(status: Mapping[str, Any]) -> Iterator[Line]:
    window = texts.span(_window_s(status))
    alerts, runs = status.get("alerts"), status.get("runs")
    if isinstance(alerts, Mapping):
        text = f"{_number(alerts.get('firing'))} firing (+{_number(alerts.get('opened'))} in {window})"
        yield Line("Alerts", f"{text}, {_number(alerts.get('resolved'))} resolved in {window}", href="/ui/alerts")
    if isinstance(runs, Mapping):
        waiting = [f"{_number(runs[word])} {text}" for word, text in RUN_WORDS.items() if runs.get(word)]
        yield Line("Runs", ", ".join(waiting) or "none running, none waiting", href="/ui/runs")
        if runs.get("awaiting_approval"):
            yield Line("Approvals", f"{_number(runs['awaiting_approval'])} waiting for a person", href="/ui/approvals")
        if runs.get("unknown"):
            yield Line(
                "Unknown",
                f"{_number(runs['unknown'])} runs of which nobody knows how they ended",
                BAD,
                "/ui/runs?state=unknown",
            )
    if status.get("backlog"):
        yield Line("Backlog", f"{_number(status['backlog'])} events wait to be decided")
    if status.get("quarantine"):
        yield Line("Events", f"{_number(status['quarantine'])} in quarantine: healer events quarantine list", BAD)


def _source(source: Mapping[str, Any], now: datetime.datetime) -> Line:
    """How it does; first what somebody has to look at."""
    name, state, last = str(source.get("name") or "?"), str(source.get("state") or ""), source.get("last_event")
    asked, refused = source.get("reconcile"), source.get("refused")
    heard = texts.ago(last, now) or ("starting" if state == "starting" else "nothing yet")
    if source.get("silent"):
        most = f" (at most {texts.span(source.get('max_quiet_s'))})" if source.get("max_quiet_s") else ""
        return Line(name, f"silent: {heard}{most}", BAD)
    if state in ("failed", "ended"):
        return Line(name, state + _more(": ", source.get("error")), BAD if state == "failed" else "")
    if isinstance(asked, Mapping) and asked.get("why"):
        return Line(name, f"{heard}; its sender cannot be asked: {asked['why']}", BAD)
    if isinstance(refused, Mapping) and str(refused.get("at") or "") > str(last or ""):
        return Line(name, f"{heard}; refused {texts.ago(refused.get('at'), now)}: {refused.get('why') or '?'}", BAD)
    return Line(name, heard + _more("; ", asked.get("note") if isinstance(asked, Mapping) else ""))


def _rest(status: Mapping[str, Any], now: datetime.datetime) -> Iterator[Line]:
    counters = status.get("rule_counters")
    for name, counted in (counters if isinstance(counters, Mapping) else {}).items():
        if isinstance(counted, Mapping) and counted:
            yield Line(
                f"Counted in {name}",
                ", ".join(f"{word.replace('_', ' ')} {_number(count)}" for word, count in counted.items()),
            )
    caps = status.get("caps")
    for name, cap in (caps if isinstance(caps, Mapping) else {}).items():
        if (
            isinstance(cap, Mapping)
            and name != "facts"
            and (cap.get("refused") or cap.get("used", 0) >= cap.get("limit", 1))
        ):
            beyond = f", {_number(cap['refused'])} beyond" if cap.get("refused") else ""
            yield Line(f"Limit of {name}", f"{_number(cap.get('used'))} of {_number(cap.get('limit'))}{beyond}", BAD)
    for one in texts.mappings(status.get("inventories")):
        yield from _inventory(one, now)
    beat = status.get("heartbeat")
    if isinstance(beat, Mapping):
        why = str(beat.get("why") or "")
        yield Line(
            "Sign of life", (texts.ago(beat.get("last"), now) or "none yet") + _more(", ", why), BAD if why else ""
        )
    audit = status.get("audit")
    if isinstance(audit, Mapping) and isinstance(audit.get("size"), int):
        anchored = audit.get("anchored")
        yield Line(
            "Audit",
            f"{_number(audit['size'])} records, "
            + (f"anchored to {_number(anchored)}" if anchored else "none anchored"),
        )


def _inventory(one: Mapping[str, Any], now: datetime.datetime) -> Iterator[Line]:
    """One of which Ansible could not list the hosts, or listed far fewer than before within a day."""
    label = f"Hosts of {one.get('path') or '?'}"
    for word, text in (
        ("dried", "Ansible lists none but those of files"),
        ("fell", f"Ansible lists {_number(one.get('hosts'))}"),
    ):
        found = one.get(word)
        since = texts.moment(found.get("at")) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and since is not None and now - since < FELL_SHOWN:
            yield Line(label, f"{text} since {texts.when(found['at'])}, {_number(found.get('from'))} before", BAD)
            break
    if one.get("error"):
        held = (
            f"what it listed at {texts.when(one['heard'])} holds"
            if one.get("heard")
            else "those that stand in files hold"
        )
        yield Line(label, f"Ansible could not list them, {held}: {one['error']}", BAD)


def _more(before: str, text: Any) -> str:
    return f"{before}{text}" if text else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value or 0)
