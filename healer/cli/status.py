"""`healer status`: how the daemon is, what waits, and what each rule did in the last minutes and why not more."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from healer.cli import client, location, tables, terminal, usage, watching
from healer.cli import pause as words

NAMES_SHOWN: Final = 6
FELL_SHOWN: Final = datetime.timedelta(days=1)
RUN_WORDS: Final = {
    "running": "running", "verifying": "verifying", "queued": "queued", "awaiting_approval": "waiting for a person",
    "deferred": "deferred", "unknown": "unknown",
}  # fmt: skip


@click.command(cls=usage.Command)
@location.options
@watching.OPTION
@click.option("--all", "every", is_flag=True, help="Every source, each on its line")
@location.JSON
def command(where: location.Where, watch: float | None, every: bool, as_json: bool) -> None:
    """How the daemon is, and what it did in the last minutes."""
    asked = client.Client(where)

    def look() -> None:
        found = asked.get(f"{client.API}/status")
        terminal.in_full(found, lambda status: in_full(status, terminal.width(), every=every), as_json=as_json)

    watching.repeat(watch, look, as_json=as_json)


def in_full(status: Mapping[str, Any], width: int | None, *, every: bool = False) -> Iterator[str]:
    """The status as lines; `every`: all sources. What the daemon does not tell is left out."""
    yield _title(status, width)
    if status.get("state") == "disk-full":
        yield (
            terminal.paint("DISK FULL", "red") + " nothing new is taken until there is space; what was answered is safe"
        )
    now = terminal.moment(status.get("now")) or datetime.datetime.now(datetime.UTC)
    yield from _paused(status.get("paused"), now)
    yield from _storm(status.get("storm"), now)
    if status.get("ended"):
        names = ", ".join(map(terminal.clean, status["ended"]))
        back = f"{location.again('healer reload')} brings it back"
        yield terminal.paint("ENDED", "red") + f"    {names}: a rule shut it down; {back}"
    yield from _counts(status)
    yield from _rules(status, width)
    yield from _let_go(status.get("rule_counters"))
    yield from _caps(status.get("caps"))
    yield from _sources(status, every)
    yield from _outbox(status.get("outbox"))
    yield from _slack(status.get("slack"), now)
    yield from _inventories(status.get("inventories"), now)
    yield from _heartbeat(status)
    yield from _audit(status.get("audit"))


def _title(status: Mapping[str, Any], width: int | None) -> str:
    state = str(status.get("state") or "ok")
    parts = [
        f"healer {status.get('version') or '?'}", status.get("environment"), str(status.get("mode") or "").upper(),
        state.upper() if state not in ("ok", "paused", "disk-full") else "",
        f"revision {status['revision']}" if status.get("revision") else "",
        f"up {terminal.span(status['uptime_s'])}" if _is_number(status.get("uptime_s")) else "",
    ]  # fmt: skip
    left = " · ".join(terminal.clean(part) for part in parts if part)
    now = terminal.moment(status.get("now")) or datetime.datetime.now(datetime.UTC)
    right = terminal.local(now).partition(" ")[2]
    space = (width or 100) - terminal.columns(left) - len(right)
    return left + " " * max(2, space) + right


def _paused(pauses: Any, now: datetime.datetime) -> Iterator[str]:
    for pause in _mappings(pauses):
        scope = str(pause.get("scope") or "all")
        reason = f' "{terminal.clean(pause["reason"])}"' if pause.get("reason") else ""
        until = f" · until {terminal.at(pause['until'], now)}" if pause.get("until") else ""
        if pause.get("until_changed"):
            until += f" · until the {'revision' if scope == 'all' else terminal.clean(scope.partition(':')[0])} changes"
        yield terminal.paint("PAUSED", "red") + (
            f"   {terminal.clean(words.in_words(scope))} by {terminal.who(pause.get('who'))[0]}"
            f" since {terminal.at(pause.get('since'), now)}{reason}{until}"
        )


def _storm(storm: Any, now: datetime.datetime) -> Iterator[str]:
    if isinstance(storm, Mapping):
        within_s, calm_s = (
            float(storm[name]) if _is_number(storm.get(name)) else 0.0 for name in ("within_s", "calm_s")
        )
        within, calm = (
            {60.0: "a minute", 3600.0: "an hour"}.get(within_s) or terminal.span(within_s),
            terminal.span(calm_s),
        )
        yield terminal.paint("STORM", "red") + (
            f"    since {terminal.at(storm.get('since'), now)} · {_number(storm.get('matches') or 0)} matches in {within}"
            f" (limit {_number(storm.get('limit') or 0)}) · calm needed {calm} · next look {terminal.at(storm.get('next_look'), now)}"
        )


def _counts(status: Mapping[str, Any]) -> Iterator[str]:
    alerts, window = status.get("alerts"), terminal.span(_window_s(status))
    if isinstance(alerts, Mapping):
        opened = f" (+{_number(alerts['opened'])} in {window})" if alerts.get("opened") else ""
        resolved = (
            f" · {_number(alerts['resolved'])} resolved in {window}" if alerts.get("resolved") is not None else ""
        )
        yield f"alerts   {_number(alerts.get('firing', 0))} firing{opened}{resolved}"
    runs = status.get("runs")
    if isinstance(runs, Mapping):
        waiting = [f"{_number(runs[word])} {text}" for word, text in RUN_WORDS.items() if runs.get(word)]
        if runs.get("unknown"):
            waiting[-1] += f" → {location.again('healer runs --unknown')}"
        yield "runs     " + (" · ".join(waiting) or "none running, none waiting")
    if status.get("backlog"):
        yield f"backlog  {_number(status['backlog'])} events wait to be decided"
    if status.get("quarantine"):
        held = terminal.paint(f"{_number(status['quarantine'])} in quarantine", "red")
        yield f"events   {held} → {location.again('healer events quarantine list')}"


def _rules(status: Mapping[str, Any], width: int | None) -> Iterator[str]:
    rows: list[list[tables.Cell]] = []
    for rule in _mappings(status.get("rules")):
        why_not = rule.get("why_not")
        reasons = (
            [f"{code} {_number(count)}" for code, count in why_not.items()] if isinstance(why_not, Mapping) else []
        )
        numbers = [_number(rule.get(name) or 0) if rule.get(name) or name in ("fired", "acted") else ""
                   for name in ("fired", "acted", "healed", "failed")]  # fmt: skip
        rows.append([f"  {terminal.clean(rule.get('rule') or '?')}", *numbers, ", ".join(reasons)])
    if rows:
        head = (f"last {terminal.span(_window_s(status))}", "fired", "acted", "healed", "failed", "why not")
        yield from tables.lines(head, rows, width=width, right=(1, 2, 3, 4))


def _let_go(counters: Any) -> Iterator[str]:
    """What rulesets let go, refused or counted as false since they began; those with the most first."""
    if not isinstance(counters, Mapping):
        return
    found: list[tuple[int, str]] = []
    for name, counted in counters.items():
        if isinstance(counted, Mapping):
            numbers = {word: count for word, count in counted.items() if isinstance(count, int) and count > 0}
            said = ", ".join(f"{terminal.clean(word)} {_number(count)}" for word, count in numbers.items())
            found.append((sum(numbers.values()), f"{terminal.clean(name)}: {said}"))
    shown = [text for count, text in sorted(found, key=lambda pair: -pair[0]) if count]
    if shown:
        yield _some("counted", shown, "healer status --json")


def _some(label: str, texts: Sequence[str], rest: str) -> str:
    """Some of them in one line, and the command that shows all."""
    left = len(texts) - NAMES_SHOWN
    more = f" · and {left} more → {location.again(rest)}" if left > 0 else ""
    return f"{label:<9}{' · '.join(texts[:NAMES_SHOWN])}{more}"


def _sources(status: Mapping[str, Any], every: bool) -> Iterator[str]:
    now = terminal.moment(status.get("now")) or datetime.datetime.now(datetime.UTC)
    shown = [_source(source, now) for source in _mappings(status.get("sources"))]
    trouble_first = [text for _, text in sorted(shown, key=lambda pair: not pair[0])]
    if every:
        yield from (f"{'' if at else 'sources':<9}{text}" for at, text in enumerate(trouble_first))
    elif shown:
        yield _some("sources", trouble_first, "healer status --all")


def _outbox(listed: Any) -> Iterator[str]:
    """Receivers; what does not arrive there has a colour."""
    told = []
    for one in _mappings(listed):
        name, waits, lost = terminal.clean(one.get("receiver") or "?"), one.get("retried") or 0, one.get("failed") or 0
        parts = [f"{_number(waits)} tried again" if waits else "", f"{_number(lost)} given up" if lost else ""]
        said = ", ".join(part for part in parts if part)
        why = f" ({terminal.clean(one['error'])})" if said and one.get("error") else ""
        told.append((bool(said), terminal.paint(f"{name} {said}{why}", "yellow") if said else f"{name} ok"))
    if told:
        yield _some(
            "outbox",
            [text for _, text in sorted(told, key=lambda pair: not pair[0])],
            "healer notify outbox --undelivered",
        )


def _slack(slack: Any, now: datetime.datetime) -> Iterator[str]:
    """The connection over which clicks come; of signed requests there is nothing to tell."""
    if not isinstance(slack, Mapping) or not slack.get("socket"):
        return
    since = f"since {terminal.at(slack.get('since'), now)}"
    if slack.get("connected"):
        yield f"slack    connected {since}"
    else:
        why = f" ({terminal.clean(slack['error'])})" if slack.get("error") else ""
        yield f"slack    {terminal.paint('NOT CONNECTED', 'red')} {since}{why}: clicks do nothing"


def _caps(caps: Any) -> Iterator[str]:
    """The caps that are used up, or beyond which something was; facts stand with their rulesets."""
    found = []
    for name, cap in (caps if isinstance(caps, Mapping) else {}).items():
        told: list[Any] = [cap.get(word) for word in ("used", "limit", "refused")] if isinstance(cap, Mapping) else []
        used, limit, refused = told if told and all(map(_is_count, told)) else (0, 1, 0)
        if name != "facts" and (refused or used >= limit):
            beyond = f", {_number(refused)} beyond" if refused else ""
            found.append(f"{terminal.clean(name)} {_number(used)} of {_number(limit)}{beyond}")
    if found:
        yield f"caps     {terminal.paint(' · '.join(found), 'yellow')}"


def _inventories(listed: Any, now: datetime.datetime) -> Iterator[str]:
    """Those of which Ansible could not list the hosts, or listed far fewer than before within a day."""
    for one in _mappings(listed):
        path, count = terminal.clean(one.get("path") or "?"), one.get("hosts") or 0
        fell, dried = (one[word] if isinstance(one.get(word), Mapping) else {} for word in ("fell", "dried"))
        if (since := terminal.moment(dried.get("at"))) and now - since < FELL_SHOWN:
            text = f"Ansible lists no host of {path} but those of files since {terminal.at(dried['at'], now)}"
            yield f"hosts    {terminal.paint(text, 'yellow')}, {_number(dried.get('from') or 0)} beside them before"
        elif (since := terminal.moment(fell.get("at"))) and now - since < FELL_SHOWN:
            text = f"Ansible lists {_number(count)} of {path} since {terminal.at(fell['at'], now)}"
            yield f"hosts    {terminal.paint(text, 'yellow')}, {_number(fell.get('from') or 0)} before"
        if one.get("error"):
            held = "those that stand in files hold"
            if one.get("heard"):
                many = f"{_number(count)} host{'' if count == 1 else 's'}"
                held = f"what it listed at {terminal.at(one['heard'], now)} holds ({many})"
            yield f"hosts    {terminal.paint(f'Ansible could not list those of {path}', 'red')}, {held}: {terminal.clean(one['error'])}"


def _heartbeat(status: Mapping[str, Any]) -> Iterator[str]:
    beat = status.get("heartbeat")
    if not isinstance(beat, Mapping):
        return
    now = terminal.moment(status.get("now")) or datetime.datetime.now(datetime.UTC)
    last = terminal.moment(beat.get("last"))
    sent = f"{terminal.span(max(0.0, (now - last).total_seconds()))} ago" if last else "none yet"
    why = f", {terminal.clean(beat['why'])}" if beat.get("why") else ""
    yield f"beat     {terminal.paint(sent + why, 'red') if why else sent}"


def _source(source: Mapping[str, Any], now: datetime.datetime) -> tuple[bool, str]:
    """(whether it needs somebody, its text)"""
    trouble, text = _heard(source, now)
    asked = source.get("reconcile")
    if not isinstance(asked, Mapping):
        return trouble, text
    if asked.get("why"):
        why = f"its sender cannot be asked: {terminal.clean(asked['why'])}"
        return True, f"{text}, {terminal.paint(why, 'red')}"
    return trouble, f"{text} ({terminal.clean(asked['note'])})" if asked.get("note") else text


def _heard(source: Mapping[str, Any], now: datetime.datetime) -> tuple[bool, str]:
    name, state = terminal.clean(source.get("name") or "?"), str(source.get("state") or "")
    last = terminal.moment(source.get("last_event"))
    ago = terminal.span(max(0.0, (now - last).total_seconds())) if last else ""
    if source.get("silent"):
        limit = source.get("max_quiet_s")
        at_most = f" (max {terminal.span(float(limit))})" if _is_number(limit) and limit is not None else ""
        return True, terminal.paint(f"{name} SILENT" + (f" for {ago}" if ago else "") + at_most, "red")
    if state in ("failed", "ended"):
        detail = f": {terminal.clean(source['error'])}" if source.get("error") else ""
        return state == "failed", terminal.paint(f"{name} {state}{detail}", "red" if state == "failed" else None)
    if state == "starting":
        return False, f"{name} starting"
    heard = f"{name} {ago} ago" if ago else f"{name} nothing yet"
    refused = source.get("refused")
    at = terminal.moment(refused.get("at")) if isinstance(refused, Mapping) else None
    if not isinstance(refused, Mapping) or at is None or (last and last >= at):
        return False, heard
    since = terminal.span(max(0.0, (now - at).total_seconds()))
    return True, f"{heard}, refused {since} ago: {terminal.clean(refused.get('why') or '?')}"


def _audit(audit: Any) -> Iterator[str]:
    if isinstance(audit, Mapping) and isinstance(audit.get("size"), int):
        anchored = audit.get("anchored")
        yield f"audit    {_number(audit['size'])} records" + (
            f", anchored to {_number(anchored)}" if isinstance(anchored, int) else ", none anchored"
        )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _window_s(status: Mapping[str, Any]) -> float:
    return float(status["window_s"]) if _is_number(status.get("window_s")) else 600.0


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else terminal.clean(value)
