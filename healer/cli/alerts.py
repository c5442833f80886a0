"""`healer alerts`: what fires and what was resolved, with the runs that it led to."""

from __future__ import annotations

from typing import Any

import click

from healer.cli import client, location, tables, terminal, usage, watching


@click.command(cls=usage.Command)
@location.options
@click.option("--status", type=click.Choice(["firing", "resolved"]))
@click.option("--source", help="Of this source")
@click.option("--name", help="Of this name")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@watching.OPTION
@location.JSON
def command(
    where: location.Where, status: str | None, source: str | None, name: str | None, limit: int, watch: float | None, as_json: bool
) -> None:  # fmt: skip
    """What fires, what was resolved, and what was done about it."""
    query = {"status": status, "source": source, "name": name}
    head = ("status", "alert", "target", "severity", "since", "seen", "runs")

    def look() -> None:
        found = client.Client(where).pages(f"{client.API}/alerts", query, limit)
        tables.show(found, head, map(_row, found["items"]), as_json=as_json, none="no alerts", limit=limit, right=(5,))

    watching.repeat(watch, look, as_json=as_json)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    opened = item.get("closed") if item.get("status") == "resolved" and item.get("closed") else item.get("opened")
    runs = [
        f"{terminal.short(run.get('id') or '?')} {run.get('state', '')}".strip()
        for run in item.get("runs") or ()
        if isinstance(run, dict)
    ]
    return [
        tables.state(item.get("status", "?")), str(item.get("name") or item.get("key") or "?"), str(item.get("target") or ""),
        str(item.get("severity") or ""), terminal.when(opened), f"{item.get('times') or 1}×", ", ".join(runs) or "none",
    ]  # fmt: skip
