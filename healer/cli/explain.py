"""`healer explain`: why something that happened did, or did not, lead to an action."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from healer.cli import client, explanation, location, terminal


@click.command()
@click.argument("what", metavar="ID", required=False)
@location.options
@click.option("--latest", is_flag=True, help="The newest event")
@click.option("--rule", help="Only this rule: activation/ruleset/rule")
@location.JSON
def command(where: location.Where, what: str | None, latest: bool, rule: str | None, as_json: bool) -> None:
    """For each rule: the conditions with the values they saw, the gates, the run.

    ID is an event (e-12) or a run (r-7f3k2m).
    """
    if (what is None) == (not latest):
        raise click.UsageError("what is to be explained: the ID of an event or a run, or --latest")
    found = client.Client(where).get(f"{client.API}/explain/{client.segment(what or 'latest')}", {"rule": rule})
    if as_json:
        terminal.echo_json(found)
        return
    for line in in_full(found if isinstance(found, dict) else {}):
        terminal.echo(line)


def in_full(found: dict[str, Any]) -> Iterator[str]:
    """The explanation as lines; rules that fired stand first."""
    event = found.get("event")
    if isinstance(event, dict):
        yield from explanation.event_lines(event)
    elif event:
        yield terminal.clean(event)
    rules = [rule for rule in found.get("rules") or () if isinstance(rule, dict)]
    if not rules:
        yield "  no rule listens to its source"
    for rule in sorted(rules, key=lambda rule: not rule.get("fired")):
        yield ""
        yield from explanation.rule_lines(rule)
