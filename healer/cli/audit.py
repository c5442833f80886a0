"""`healer audit verify`: offline, with no daemon and no trust in one. 0 intact, 1 tampered with, 2 unreadable."""

from __future__ import annotations

import pathlib
import sqlite3
import sys

import click

from healer import errors, store
from healer.audit import verify as verifying
from healer.store import connection, names

CHUNK = 20_000


@click.group()
def command() -> None:
    """Look at the audit and verify it."""


@command.command("verify")
@click.option("--data-dir", type=click.Path(path_type=pathlib.Path), default=pathlib.Path(".healer"), show_default=True)
@click.option("--db", "database", type=click.Path(path_type=pathlib.Path), help="The database itself.")
def verify(data_dir: pathlib.Path, database: pathlib.Path | None) -> None:
    """Check every record, the chain, the tree and the database."""
    path = database or data_dir / store.DATABASE
    try:
        report = read(path)
    except (errors.StoreError, sqlite3.Error) as error:
        click.echo(str(error), err=True)
        sys.exit(errors.EXIT_USAGE)
    click.echo(f"records {report.records} · root {report.root}")
    for finding in report.findings:
        click.echo(f"  {finding}")
    click.echo(
        "ok: intact, none anchored outside this store yet" if report.ok else f"TAMPERED from record {report.first_bad}"
    )
    sys.exit(errors.EXIT_OK if report.ok else errors.EXIT_FOUND)


def read(path: pathlib.Path) -> verifying.Report:
    """Verify the audit of one database. Raises `errors.StoreError` or `sqlite3.Error` when it cannot be read."""
    opened = connection.open_reader(path)
    try:
        sql = names.load()
        verifier = verifying.Verifier()
        after = 0
        while rows := opened.execute(sql["audit_chunk"], (after, CHUNK)).fetchall():
            verifier.feed(rows)
            after = rows[-1][0] + 1
        size, root, chain = opened.execute(sql["audit_head"]).fetchone()
        report = verifier.finish(size, root, chain)
        (sound,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":
            report.add(0, f"the database is damaged: {sound}")
        return report
    finally:
        opened.close()
