"""`healer keys`: API keys, made by the daemon where one runs, else written into its store under the lock of the data directory.

A key is printed once, alone on standard output, so that `healer keys create ci --role ci > key` keeps it; what people
should know goes to standard error. Only hashes are stored.
"""

from __future__ import annotations

import json
from typing import Any

import click

from healer import cli, errors
from healer.cli import client, location, tables, terminal


@click.group(cls=cli.Lists)
def command() -> None:
    """API keys for others than the shell of this host. `list` may be left out."""


@command.command("create")
@click.argument("name")
@click.option("--role", required=True, metavar="ROLE", help="admin, operator, approver, readonly, auditor or ci")
@location.options
@location.JSON
def create(name: str, role: str, where: location.Where, as_json: bool) -> None:
    """Make a key for NAME and print it, this once."""
    try:
        made = client.Client(where).ask(
            "POST", f"{client.API}/keys", body=json.dumps({"name": name, "role": role}).encode()
        )
    except errors.NotRunning as error:
        made = _offline(where, error, makes=True).create(name, role)
        terminal.note(f"no daemon runs; written into {terminal.clean(where.data_dir)}")
    if as_json:
        terminal.echo_json(made)
        return
    key = made.get("key") if isinstance(made, dict) else None
    if not isinstance(key, str):
        raise client.Refused({"code": "answer", "detail": "the answer holds no key"}, 200)
    terminal.note(
        f"key {terminal.clean(made.get('id') or '')} for {terminal.clean(name)}, role {terminal.clean(role)}; it is shown this once"
    )
    terminal.echo(terminal.clean(key))


@command.command("list")
@location.options
@location.JSON
def list_(where: location.Where, as_json: bool) -> None:
    """The keys: who has them, never the keys themselves."""
    try:
        found = client.page(client.Client(where).get(f"{client.API}/keys"))
    except errors.NotRunning as error:
        found = {"items": _offline(where, error).list(), "next": None}
    if as_json:
        terminal.echo_json(found)
        return
    items = found["items"]
    if not items:
        terminal.note(f"no keys:  {location.again('healer keys create NAME --role ROLE')}")
        return
    for line in tables.lines(
        ("id", "name", "role", "made", "by", "revoked"), [_row(item) for item in items], width=terminal.width()
    ):
        terminal.echo(line)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    who = (str(item.get(name) or "") for name in ("id", "name", "role"))
    return [
        *who,
        terminal.when(item.get("created")),
        str(item.get("created_by") or ""),
        terminal.when(item.get("revoked")),
    ]


@command.command("revoke")
@click.argument("key_id", metavar="ID")
@location.options
@location.JSON
def revoke(key_id: str, where: location.Where, as_json: bool) -> None:
    """Withdraw a key; it is refused from now on. ID is its middle part (hlr_ID_…)."""
    try:
        done = client.Client(where).ask("DELETE", f"{client.API}/keys/{client.segment(key_id)}")
    except errors.NotRunning as error:
        done = {"id": key_id, "revoked": _offline(where, error, makes=True).revoke(key_id)}
    if as_json:
        terminal.echo_json(done)
        return
    before = isinstance(done, dict) and done.get("revoked") is False
    terminal.echo(f"revoked {terminal.clean(key_id)}" + (" before; nothing changed" if before else ""))


def _offline(where: location.Where, error: errors.NotRunning, *, makes: bool = False) -> Any:
    """The store itself, where no daemon runs here; a daemon elsewhere that does not answer is not replaced by a local store.

    `makes`: it would be made if it is not there, which in a folder that is no project helps nobody.
    """
    if where.url:
        raise error
    if makes and not where.known:
        advice = "--project DIR or --data-dir DIR, or go to the folder of the project"
        raise errors.NotRunning(advice, where=f"{where}, and this folder is no project") from error
    from healer.cli import keystore

    return keystore.Keystore(where.data_dir)
