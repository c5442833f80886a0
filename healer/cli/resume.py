"""`healer resume`: shows what a pause's end would let go, asks, and ends it; what comes back starts 1, 2, 4 …"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from healer import errors
from healer.cli import client, confirming, location, pause, terminal, usage

STATES: Final = {
    "withdrawn": "withdrawn, resolved since",
    "awaiting_approval": "waiting for a person",
    "deferred": "deferred, other gates",
    "suppressed": "suppressed",
    "refused": "refused",
    "simulated": "simulated",
    "queued": "start, first 1, then 2, 4 …",
}
RULES_SHOWN: Final = 5


@click.command(cls=usage.Command)
@pause.scoped
@confirming.YES
@location.options
@location.JSON
def command(
    where: location.Where, all_: bool, activation: str | None, ruleset: str | None, rule: str | None, controller: str | None, yes: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """End the pause of exactly this scope; others stay. What it held comes back slowly: 1 run, then 2, 4 …"""
    asked = client.Client(where)

    def held() -> list[str]:
        try:
            items = client.page(asked.get(f"{client.API}/pauses"))["items"]
        except errors.HealerError:
            return []
        return [str(one.get("scope")) for one in items if one.get("by") != "file"]

    scope = pause.scope_of(
        "resume", all_, held, activation=activation, ruleset=ruleset, rule=rule, controller=controller
    )
    if not yes:
        body = json.dumps({"scope": scope, "preview": True}).encode()
        preview = asked.ask("POST", f"{client.API}/resume", body=body)
        for line in preview_lines(preview if isinstance(preview, dict) else {}):
            click.echo(line, err=as_json)
        confirming.ask("Resume?", "what is paused would go on", yes=yes)
    done = asked.ask("POST", f"{client.API}/resume", body=json.dumps({"scope": scope}).encode())
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    terminal.echo(f"Resumed: {terminal.clean(pause.in_words(str(answer.get('scope') or scope)))}.")
    for line in still(answer):
        terminal.echo(line)


def preview_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What would become of what waits."""
    states = found.get("states") if isinstance(found.get("states"), dict) else {}
    yield f"  {'would be looked at again':<27} {found.get('looked_at') or 0:>6,}"
    for state, words in STATES.items():
        by_reason = states.get(state) if isinstance(states, dict) else None
        if not by_reason:
            continue
        if state == "queued":
            said = _most(found.get("starting") or {}, " · ")
        else:
            said = _most(
                {
                    code: count
                    for code, count in by_reason.items()
                    if code and (state, code) != ("withdrawn", "resolved")
                },
                ", ",
            )
        yield f"    {words:<27} {sum(by_reason.values()):>4,}" + (f"     {said}" if said else "")
    yield from still(found)


def _most(counts: Mapping[str, int], between: str) -> str:
    """The most frequent ones."""
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    more = f"{between}…" if len(most) > RULES_SHOWN else ""
    return between.join(f"{terminal.clean(name)} {count:,}" for name, count in most[:RULES_SHOWN]) + more


def still(found: Mapping[str, Any]) -> Iterator[str]:
    """What stays paused."""
    scopes = [str(scope) for scope in found.get("still_paused") or ()]
    if "all" in scopes:
        yield "  everything is still paused by itself"
    for kind in pause.KINDS:
        names = [terminal.clean(name) for one, _, name in (scope.partition(":") for scope in scopes) if one == kind]
        if names:
            more = " …" if len(names) > RULES_SHOWN else ""
            are = f"1 {kind} is" if len(names) == 1 else f"{len(names)} {kind}s are"
            yield f"  {are} still paused by {'itself' if len(names) == 1 else 'themselves'}: {', '.join(names[:RULES_SHOWN])}{more}"
    if found.get("file"):
        yield "  the file PAUSE in the data directory still pauses everything: remove it"
