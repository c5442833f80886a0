"""Names for the shell's completion: runs, events, actions, controllers, sources … of the daemon that the line means, else of the files.

Caller: `healer.cli` while a shell completes a line (`healer completion`). It is quick and silent: a daemon that does not answer within a
second, or says no, has no names. What is proposed goes into somebody's command line unquoted, so that only plain names are.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from healer import cli, errors

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from healer.cli import location

TIMEOUT_S: Final = 1.0
ITEMS_MAX: Final = 200
PAGED: Final = frozenset({"runs", "events", "quarantine", "approvals", "locks"})
"""Lists that come in pages. The others are given whole, and refuse a `limit`."""
PLAIN: Final = re.compile(r"[A-Za-z0-9_./@][A-Za-z0-9_./@+:-]*")
_DECLARED: Final = {"actions": "actions.y*ml", "controllers": "controllers.y*ml", "sources": "healer.y*ml"}
"""The file in which a key lists what has this name, for where no daemon answers."""

Found = tuple[str, str]
"""A name, and a few words about it."""
Names = Callable[["location.Where"], Iterator[Found]]


def _listed(path: str, name: str, about: str = "", **query: str) -> Names:
    """The names in a list of the API."""

    def ask(where: location.Where) -> Iterator[Found]:
        for item in _items(where, path, query):
            yield str(item.get(name) or ""), str(item.get(about) or "")

    return ask


def _items(where: location.Where, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    from healer.cli import client

    asked: dict[str, str | int | None] = {**(query or {})}
    if path in PAGED:
        asked["limit"] = ITEMS_MAX
    answer = client.Client(where, TIMEOUT_S).get(f"{client.API}/{path}", asked)
    found: list[dict[str, Any]] = client.page(answer)["items"]
    return found


def _declared(what: str, about: str) -> Names:
    """Names that the daemon knows, else those that the project's files declare."""
    ask = _listed(what, "name", about)

    def names(where: location.Where) -> Iterator[Found]:
        try:
            yield from list(ask(where))
        except errors.NotRunning:
            if where.root is not None and not where.url:
                yield from _in_files(where.root, what)

    return names


def _in_files(root: pathlib.Path, what: str) -> Iterator[Found]:
    from healer import config

    for file in root.glob(_DECLARED[what]):
        value = config.read_file(file, file.name).value
        listed = value.get(what) if isinstance(value, dict) else None
        yield from ((str(name), "") for name in (listed if isinstance(listed, dict) else ()))
    if what == "actions":
        found = (path for folder in ("playbooks", "scripts") for path in (root / folder).rglob("*.meta.y*ml"))
        yield from ((path.name.partition(".")[0], "") for path in found)


def _approvals(where: location.Where) -> Iterator[Found]:
    for item in _items(where, "approvals"):
        yield str(item.get("id") or ""), str(item.get("action") or "")
        if item.get("bundle"):
            yield str(item["bundle"]), "all that are alike"


def _scopes(kind: str) -> Names:
    def ask(where: location.Where) -> Iterator[Found]:
        for item in _items(where, "scopes"):
            found, _, name = str(item.get("scope") or "").partition(":")
            if found == kind:
                yield name, ""

    return ask


def _locks(where: location.Where) -> Iterator[Found]:
    """By the last part of their names: shells part words at a colon."""
    for item in _items(where, "locks"):
        yield str(item.get("target") or "").rpartition(":")[2], str(item.get("state") or "")


def _happened(where: location.Where) -> Iterator[Found]:
    yield from RUNS(where)
    yield from EVENTS(where)


RUNS: Final = _listed("runs", "short", "state")
UNKNOWN: Final = _listed("runs", "short", "action", state="unknown")
EVENTS: Final = _listed("events", "id", "source")
QUARANTINE: Final = _listed("quarantine", "event", "ruleset")
ACTIONS: Final = _declared("actions", "description")
CONTROLLERS: Final = _declared("controllers", "type")
SOURCES: Final = _declared("sources", "type")

NAMES: Final[Mapping[str, Mapping[str, Names]]] = {
    "runs list": {"--action": ACTIONS, "--rule": _scopes("rule")},
    "runs show": {"ID": RUNS}, "runs cancel": {"RUN…": RUNS}, "runs start": {"RUN": RUNS}, "runs resolve": {"RUN": UNKNOWN},
    "events list": {"--source": SOURCES}, "events show": {"ID": EVENTS}, "events resend": {"ID…": EVENTS},
    "events quarantine release": {"EVENT": QUARANTINE}, "events quarantine drop": {"EVENT": QUARANTINE},
    "explain": {"ID": _happened, "--rule": _scopes("rule")}, "simulate": {"--source": SOURCES, "--rule": _scopes("rule")},
    "alerts": {"--source": SOURCES}, "audit list": {"--action": ACTIONS, "--run": RUNS},
    "actions show": {"NAME": ACTIONS}, "actions run": {"NAME": ACTIONS, "--controller": CONTROLLERS},
    "controllers show": {"NAME": CONTROLLERS}, "controllers check": {"[NAME]": CONTROLLERS}, "sources show": {"NAME": SOURCES},
    "send": {"--source": SOURCES}, "breakers close": {"ACTION": ACTIONS, "--controller": CONTROLLERS},
    "approvals show": {"REQUEST": _approvals}, "approvals approve": {"REQUEST…": _approvals}, "approvals reject": {"REQUEST…": _approvals},
    "silence end": {"ID": _listed("silences", "id", "state")}, "locks release": {"TARGET": _locks},
    "keys revoke": {"ID": _listed("keys", "id", "name")}, "policy show": {"--for": ACTIONS},
    **{one: {f"--{kind}": _scopes(kind) for kind in ("activation", "ruleset", "rule", "controller")} for one in ("pause", "resume")},
}  # fmt: skip
"""Of each command what its arguments (as its help names them) and options take."""


def attach(words: str, command: click.Command) -> click.Command:
    """Have a command, and those below it, complete names. Returns it."""
    for param in command.params:
        names = NAMES.get(words, {}).get(named(param))
        if names is not None:
            param.shell_complete = _completer(names)  # type: ignore[method-assign, assignment]
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            attach(f"{words} {name}", one)
    return command


def named(param: click.Parameter) -> str:
    """A parameter as its help names it."""
    return (
        (param.metavar or param.human_readable_name) if isinstance(param, click.Argument) else max(param.opts, key=len)
    )


def _completer(names: Names) -> Callable[[click.Context, str], list[CompletionItem[Any]]]:
    def complete(ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        from click.shell_completion import CompletionItem

        from healer.cli import terminal

        found = {
            name: about for name, about in _asked(names, ctx) if name.startswith(incomplete) and PLAIN.fullmatch(name)
        }
        return [CompletionItem(name, help=terminal.cut(terminal.clean(about), 60)) for name, about in found.items()]

    return complete


def _asked(names: Names, ctx: click.Context) -> list[Found]:
    """What there is, of the daemon that the line names so far; nothing where that cannot be told."""
    from healer.cli import location

    given = {key: ctx.params.get(key) for key in ("project", "data_dir", "url", "key")}
    if (
        "folder" in ctx.params and given["project"] is None
    ):  # a command that reads files alone has its project as an argument
        given["project"] = ctx.params["folder"]
    try:
        return list(names(location.find(**given, environ=cli.environment())))
    except (errors.HealerError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return []  # an answer of another shape is none
