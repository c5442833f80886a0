"""`healer audit`: `list` asks the daemon; `verify` reads the database itself, with no daemon and no trust in one."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any, Final

import click

from healer import cli, errors, model
from healer.cli import client, location, tables, terminal, usage

DATABASE: Final = "healer.db"
SHOWN: Final = frozenset({"seq", "at", "at_us", "kind", "actor", "environment", "action", "run", "state", "reason"})


@click.group(cls=usage.Group)
def command() -> None:
    """The append-only record of who did what, when, why, and how it ended."""


@command.command("list")
@location.options
@click.option(
    "--from", "from_", metavar="TIME", callback=terminal.as_moment, help="Not before: a span ('2h') or a time"
)
@click.option("--to", metavar="TIME", callback=terminal.as_moment, help="Before this")
@click.option(
    "--actor", metavar="WHO", help="Of it; of 'key:laptop = ana' also key:laptop, or ana whichever way she came"
)
@click.option("--action")
@click.option("--kind", help="decision, intent, outcome, …")
@click.option("--run", help="Of this run")
@click.option("--oldest-first", is_flag=True)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@location.JSON
def list_(
    where: location.Where, from_: str | None, to: str | None, actor: str | None, action: str | None, kind: str | None,
    run: str | None, oldest_first: bool, limit: int, as_json: bool,
) -> None:  # fmt: skip
    """The records, newest first."""
    query: client.Query = {
        "from": from_, "to": to, "actor": actor, "action": action, "kind": kind, "run": run,
        "order": "asc" if oldest_first else "desc",
    }  # fmt: skip
    found = client.Client(where).pages(f"{client.API}/audit", query, limit)
    head = ("no", "when", "kind", "actor", "action", "run", "what")
    tables.show(found, head, map(_row, found["items"]), as_json=as_json, none="no records", limit=limit, right=(0,))


def _row(record: dict[str, Any]) -> list[tables.Cell]:
    outcome = " ".join(str(record[name]) for name in ("state", "reason") if record.get(name))
    rest = {
        name: value
        for name, value in record.items()
        if name not in SHOWN and name not in ("explanation", "gates", "hash")
    }
    what = f"{outcome} {terminal.one_line_json(rest)}" if rest else outcome
    return [
        str(record.get("seq", "?")), terminal.when_us(record.get("at_us")), str(record.get("kind", "?")), str(record.get("actor", "")),
        str(record.get("action", "")), terminal.short(record.get("run")), what.strip(),
    ]  # fmt: skip


@command.command("verify")
@location.PROJECT
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=pathlib.Path), metavar="DIR", help="The data directory"
)
@click.option(
    "--db",
    "database",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    metavar="FILE",
    help="The database itself",
)
@location.JSON
def verify(
    project: pathlib.Path | None, data_dir: pathlib.Path | None, database: pathlib.Path | None, as_json: bool
) -> int:
    """Check every record, the chain, the tree and the database, offline.

    Exits with 0: intact, 1: tampered with, 2: it cannot be read.
    """
    from healer.cli import verification

    path = database or location.data_dir_of(project, data_dir, cli.environment()) / DATABASE
    result = verification.read(path, quiet=as_json)
    if as_json:
        terminal.echo_json(_as_json(result, path))
    else:
        for line in _in_full(result, path):
            terminal.echo(line)
    return errors.EXIT_OK if result.ok else errors.EXIT_FOUND


def _as_json(result: Any, path: pathlib.Path) -> dict[str, Any]:
    report = result.report
    return {
        "ok": result.ok, "database": str(path), "records": report.records, "first_us": report.first_us, "last_us": report.last_us,
        "first": _iso(report.first_us), "last": _iso(report.last_us),
        "root": report.root, "first_bad": report.first_bad, "findings": report.findings, "unanchored": result.unanchored,
    }  # fmt: skip


def _iso(at_us: int | None) -> str | None:
    """As the API gives times. None where there is none, or no year that could be."""
    try:
        return None if at_us is None else model.iso(at_us)
    except OverflowError:  # a tampered record may say anything
        return None


def _in_full(result: Any, path: pathlib.Path) -> Iterator[str]:
    report = result.report
    yield f"{terminal.clean(path)}: {report.records:,} records"
    if report.first_us is not None:
        yield f"  from   {terminal.when_us(report.first_us)}"
        yield f"  to     {terminal.when_us(report.last_us)}"
    yield f"  root   {report.root}"
    if result.ok:
        yield f"ok: intact. {result.unanchored:,} records are not anchored: that none was cut from the end rests on this store alone"
        return
    yield terminal.paint(f"TAMPERED: the first bad record is {report.first_bad}", "red")
    for finding in report.findings:
        yield f"  {terminal.clean(finding)}"
