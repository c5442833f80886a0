"""`healer reload`: the daemon takes all files of the project again, or none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from healer.cli import client, confirming, location, terminal, usage

TIMEOUT_S = 300.0


@click.command(cls=usage.Command)
@click.option("--preview", is_flag=True, help="Say what it would change, and change nothing")
@confirming.YES
@location.options
@location.JSON
def command(where: location.Where, preview: bool, yes: bool, as_json: bool) -> None:
    """Take the files of the project again: all of them, or (with every mistake named) none.

    Where that makes requests for approval void it asks on a terminal first; elsewhere --yes has to say it.
    """
    asked = client.Client(where, TIMEOUT_S)
    if preview or not yes:
        ahead = _ask(asked, b'{"preview": true}')
        void = _void(ahead)
        if preview and as_json:
            terminal.echo_json(ahead)
            return
        if preview or void:
            _tell(ahead, "would reload", as_json)
        if preview:
            return
        if void:
            what = f"{_approvals(void)} would become void"
            confirming.ask(f"Reload, and make {_approvals(void)} void?", what, yes=yes)
    done = _ask(asked, b"")
    if as_json:
        terminal.echo_json(done)
        return
    _tell(done, "reloaded", as_json)


def _ask(asked: client.Client, body: bytes) -> dict[str, Any]:
    done = asked.ask("POST", f"{client.API}/reload", body=body)
    return done if isinstance(done, dict) else {}


def _void(answer: Mapping[str, Any]) -> list[Any]:
    """The approvals that it ends."""
    changed = answer.get("changed")
    void = changed.get("approvals") if isinstance(changed, Mapping) else None
    found = void.get("void") if isinstance(void, Mapping) else None
    return found if isinstance(found, list) else []


def _approvals(void: list[Any]) -> str:
    return "1 approval" if len(void) == 1 else f"{len(void)} approvals"


def _tell(answer: Mapping[str, Any], word: str, as_json: bool) -> None:
    for line in _lines(answer, word):
        click.echo(line, err=as_json)


def _lines(answer: Mapping[str, Any], word: str) -> Iterator[str]:
    yield f"{word}: revision {terminal.clean(answer.get('short') or answer.get('revision') or '?')}"
    for line in changes(answer.get("changed")):
        yield f"  {line}"
    yield from warnings(answer.get("diagnostics"))


def warnings(diagnostics: Any) -> Iterator[str]:
    """A line for each thing that was not a mistake and is to be known."""
    for one in diagnostics if isinstance(diagnostics, list) else ():
        if isinstance(one, Mapping):
            place = ":".join(str(one[part]) for part in ("file", "line", "column") if one.get(part))
            told = f"{place}: {one.get('severity', 'warning')}[{one.get('code', '?')}]: {one.get('message', '')}"
            yield terminal.clean(told)


def changes(changed: Any) -> Iterator[str]:
    """A line for each kind of thing that changed."""
    if not isinstance(changed, Mapping):
        return
    for what, which in changed.items():
        if what == "access" and isinstance(which, Mapping):
            yield from _access(which)
            continue
        if what == "settings" and isinstance(which, Mapping):
            yield from (terminal.clean(_setting(name, how)) for name, how in which.items())
            continue
        if isinstance(which, Mapping):
            text = " · ".join(f"{_named(names)} {how}" for how, names in which.items() if names)
        else:
            text = _named(which)
        if text:
            yield f"{terminal.clean(what)}: {text}"


def _access(difference: Mapping[str, Any]) -> Iterator[str]:
    """A line for each role that is another, and for each person who was given or lost something."""
    for kind, changed in difference.items():
        for name, how in changed.items() if isinstance(changed, Mapping) else ():
            said = [_step(word, value) for word, value in how.items()] if isinstance(how, Mapping) else []
            yield terminal.clean(f"{str(kind).removesuffix('s')} {name}: {', '.join(said)}")


def _setting(name: str, how: Any) -> str:
    if not isinstance(how, Mapping):
        return f"and {how} more settings"
    before, after = ("nothing" if how.get(side) is None else how[side] for side in ("before", "after"))
    return f"{name}: {before} → {after}"


def _step(word: str, value: Any) -> str:
    if isinstance(value, Mapping):  # before and after
        before, after = (_named(value.get(side)) or "nothing" for side in ("before", "after"))
        return f"{word} {before} → {after}"
    return word if value is True else f"{word} {_named(value)}"


def _named(which: Any) -> str:
    if isinstance(which, list):
        shown = ", ".join(terminal.clean(one) for one in which[:10])
        return shown + (f" and {len(which) - 10} more" if len(which) > 10 else "")
    return terminal.clean(which) if which else ""
