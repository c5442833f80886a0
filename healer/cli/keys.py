"""`healer keys`: API keys, made by the daemon where one runs, else written into its store under the lock of the data directory.

A key is printed once, alone on standard output, so that `healer keys create ci --role ci > key` keeps it; what people
should know goes to standard error. Only hashes are stored.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from typing import Any, Final

import click

from healer import cli, errors
from healer.cli import client, confirming, location, tables, terminal, usage

WAIT_S: Final = 10.0
LOOK_S: Final = 0.2


class NotReady(errors.NotRunning):
    """the daemon that owns {data_dir} (pid {pid}, since {since}) does not answer: it starts, or stops"""

    code = "not-ready"


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
    body = json.dumps(asked).encode()

    def offline() -> Any:
        made = _offline(where).create(name, role or "", principal or "")
        terminal.note(f"no daemon runs; written into {terminal.clean(where.data_dir)}")
        return made

    made = _changed(where, lambda: client.Client(where).ask("POST", f"{client.API}/keys", body=body), offline)
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
        if where.url or not client.is_absent(error):
            raise
        found = {"items": _offline(where).list(), "next": None}
    head = ("id", "name", "role", "whose", "made", "by", "revoked")
    none = f"no keys:  {location.again('healer keys create NAME --role ROLE')}"
    tables.show(found, head, map(_row, found["items"]), as_json=as_json, none=none)


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
@confirming.YES
@location.options
@location.JSON
def revoke(key_id: str, where: location.Where, yes: bool, as_json: bool) -> None:
    """Withdraw a key; it is refused from now on. ID is its middle part (hlr_ID_…)."""
    confirming.ask(
        f"Withdraw the key {key_id}? Nothing brings it back.", f"the key {key_id} would be withdrawn for good", yes=yes
    )
    path = f"{client.API}/keys/{client.segment(key_id)}"
    done = _changed(
        where,
        lambda: client.Client(where).ask("DELETE", path),
        lambda: {"id": key_id, "revoked": _offline(where).revoke(key_id)},
    )
    if as_json:
        terminal.echo_json(done)
        return
    before = isinstance(done, dict) and done.get("revoked") is False
    terminal.echo(f"revoked {terminal.clean(key_id)}" + (" before; nothing changed" if before else ""))


def _changed(where: location.Where, ask: Callable[[], Any], offline: Callable[[], Any]) -> Any:
    """What a change made: of the daemon, else of the store itself where none runs here. One that begins or ends owns the store and does
    not answer: it is waited for. A daemon elsewhere that does not answer is not replaced by a local store.

    Raises `NotReady`, `errors.NotRunning`.
    """
    end = None
    while True:
        try:
            return ask()
        except errors.NotRunning as error:
            if where.url or not client.is_absent(error):
                raise
            if not where.known:  # a store that is made in a folder that is no project helps nobody
                advice = "--project DIR or --data-dir DIR, or go to the folder of the project"
                raise errors.NotRunning(advice, where=f"{where}, and this folder is no project") from error
        try:
            return offline()
        except errors.AlreadyRunning as error:
            if end is None:
                end = time.monotonic() + WAIT_S
                owned = terminal.clean(where.data_dir)
                terminal.note(f"a daemon that does not answer yet owns {owned}: waiting for it")
            if time.monotonic() >= end:
                owner = error.fields | {"since": terminal.when(error.fields.get("since"))}
                raise NotReady("again once its log says ready", **owner) from error
            time.sleep(LOOK_S)


def _offline(where: location.Where) -> Any:
    """The keys in the store itself."""
    from healer.cli import keystore

    return keystore.Keystore(where.data_dir, where.root)
