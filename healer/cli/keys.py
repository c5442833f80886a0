"""`healer keys`: API keys, made by the daemon where one runs, else written into its store under the lock of the data directory.

A key is printed once, alone on standard output, so that `healer keys create ci --role ci > key` keeps it; what people
should know goes to standard error. Only hashes are stored.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from healer import cli, errors
from healer.cli import client, location, tables, terminal, usage


@click.group(cls=cli.Lists)
def command() -> None:
    """API keys for others than the shell of this host. `list` may be left out."""


@command.command("create")
@click.argument("name")
@click.option("--role", metavar="ROLE", help="admin, operator, approver, readonly, auditor, ci, or one of healer.yaml")
@click.option(
    "--principal",
    metavar="WHO",
    help="Whose key it is, by principals of healer.yaml; without --role it has their roles",
)
@location.options
@location.JSON
def create(name: str, role: str | None, principal: str | None, where: location.Where, as_json: bool) -> None:
    """Make a key for NAME and print it, this once. It needs --role, --principal, or both."""
    if role is None and principal is None:
        advice = location.again(f"healer keys create {shlex.quote(name)} --role ROLE")
        raise usage.WrongUse(advice, detail="healer keys create wants --role ROLE or --principal WHO, none was given")
    asked = {
        key: value for key, value in (("name", name), ("role", role), ("principal", principal)) if value is not None
    }
    try:
        made = client.Client(where).ask("POST", f"{client.API}/keys", body=json.dumps(asked).encode())
    except errors.NotRunning as error:
        made = _offline(where, error, makes=True).create(name, role or "", principal or "")
        terminal.note(f"no daemon runs; written into {terminal.clean(where.data_dir)}")
    if as_json:
        terminal.echo_json(made)
        return
    key = made.get("key") if isinstance(made, dict) else None
    if not isinstance(key, str):
        raise client.Refused({"code": "answer", "detail": "the answer holds no key"}, 200)
    has = f"role {role}" if role is not None else f"with the roles of {principal}"
    whose = f" ({principal}'s)" if role is not None and principal is not None else ""
    said = f"key {made.get('id') or ''} for {name}{whose}, {has}; it is shown this once"
    terminal.note(terminal.clean(said))
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
        ("id", "name", "role", "whose", "made", "by", "revoked"), [_row(item) for item in items], width=terminal.width()
    ):
        terminal.echo(line)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    who = (str(item.get(name) or "") for name in ("id", "name"))
    return [
        *who,
        str(item.get("role") or "theirs"),
        str(item.get("principal") or ""),
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

    return keystore.Keystore(where.data_dir, where.root)
