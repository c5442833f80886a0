"""`healer pause`: from its answer on nothing new in a scope takes effect. What goes on is shown, and goes on unless it is asked to end."""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from healer import errors
from healer.cli import client, location, terminal, usage

KINDS: Final = ("activation", "ruleset", "rule", "controller")
SCOPES: Final = (
    "--all", "--activation NAME", "--ruleset ACTIVATION/RULESET", "--rule ACTIVATION/RULESET/RULE", "--controller NAME",
)  # fmt: skip
NAMES_SHOWN: Final = 20


def scoped(command: Any) -> Any:
    """The options that name a scope, of `pause` and `resume`."""
    for option in (
        click.option("--controller", metavar="NAME", help="Of this controller"),
        click.option(
            "--rule", metavar="RULE", help="Of this rule: activation/ruleset/rule, or its name where only one has it"
        ),
        click.option("--ruleset", metavar="RULESET", help="Of this ruleset: activation/ruleset"),
        click.option("--activation", metavar="NAME", help="Of this activation"),
        click.option("--all", "all_", is_flag=True, help="Everything"),
    ):
        command = option(command)
    return command


def scope_of(verb: str, all_: bool, known: Callable[[], Sequence[str]], **named: str | None) -> str:
    """The one scope that is named, as the API takes it; `known` those that there are, told to who names none.

    Raises `usage.WrongUse`.
    """
    if empty := [kind for kind, name in named.items() if name == ""]:
        raise usage.WrongUse(detail=f"--{empty[0]}: a name is wanted, got ''")
    given = [f"{kind}:{name}" for kind, name in named.items() if name] + (["all"] if all_ else [])
    if len(given) == 1:
        return given[0]
    if not given:
        for line in listed(known()):
            terminal.note(line)
    what = f"name one scope, got {len(given)}" if given else f"say what to {verb}"
    raise usage.WrongUse("one of: " + ", ".join(f"healer {verb} {one}" for one in SCOPES), detail=what)


def listed(scopes: Sequence[str]) -> Iterator[str]:
    """Scopes by their kind, as options take them."""
    for kind in ("all", *KINDS):
        names = [name for one, _, name in (scope.partition(":") for scope in scopes) if one == kind]
        shown = [terminal.clean(shlex.quote(name)) for name in names[:NAMES_SHOWN]] if kind != "all" else ["everything"]
        left = len(names) - NAMES_SHOWN
        if names:
            yield f"  {'--' + kind:<14}{', '.join(shown)}" + (f" … and {left:,} more" if left > 0 else "")


def known_of(where: location.Where) -> Callable[[], list[str]]:
    """The scopes that the daemon knows; none where it does not answer."""

    def ask() -> list[str]:
        try:
            found = client.page(client.Client(where).get(f"{client.API}/scopes"))
        except errors.HealerError:
            return []
        return [str(one.get("scope")) for one in found["items"]]

    return ask


def in_words(scope: str) -> str:
    """A scope for people."""
    kind, _, name = scope.partition(":")
    return "everything" if kind == "all" else f"{kind} {name}"


def flag(scope: str) -> str:
    """A scope as an option."""
    kind, _, name = scope.partition(":")
    return f"--{kind}" + (f" {shlex.quote(name)}" if name else "")


@click.command(cls=usage.Command)
@scoped
@click.option("--reason", metavar="TEXT", default="", help="Shown to everyone who asks why nothing happens")
@click.option(
    "--for",
    "for_",
    metavar="SPAN",
    callback=terminal.as_span,
    help="Ends by itself after that, like 2h; else a person ends it",
)
@click.option("--until-revision-changes", is_flag=True, help="Ends by itself once a reload changes what it covers")
@click.option("--cancel-running", is_flag=True, help="Also end what runs")
@location.options
@location.JSON
def command(
    where: location.Where, all_: bool, activation: str | None, ruleset: str | None, rule: str | None, controller: str | None, reason: str,
    for_: float | None, until_revision_changes: bool, cancel_running: bool, as_json: bool,
) -> None:  # fmt: skip
    """Stop that anything new takes effect. Events are still taken and decided; what runs goes on, unless --cancel-running."""
    named = {"activation": activation, "ruleset": ruleset, "rule": rule, "controller": controller}
    asked: dict[str, Any] = {
        "scope": scope_of("pause", all_, known_of(where), **named),
        "reason": reason,
        "until_revision_changes": until_revision_changes,
        "cancel_running": cancel_running,
    }
    if for_ is not None:
        asked["for_s"] = for_
    done = client.Client(where).ask("POST", f"{client.API}/pause", body=json.dumps(asked).encode())
    if as_json:
        terminal.echo_json(done)
        return
    for line in lines(done if isinstance(done, dict) else {}):
        terminal.echo(line)


def lines(done: Mapping[str, Any]) -> Iterator[str]:
    """What `pause` says."""
    scope, now = str(done.get("scope") or "?"), datetime.datetime.now(datetime.UTC)
    name, way = terminal.who(done.get("who"))
    by = f"by {name} ({way})" if way else f"by {name}"
    since = terminal.at(done.get("since"), now)
    yield (
        f"Paused: {terminal.clean(in_words(scope))}, {by}{', ' + since if since else ''}. "
        "No new effect starts from now on. Events are still taken and decided."
    )
    yield from _going(done, scope)
    waiting = done.get("waiting") or 0
    ends = [f"at {terminal.at(done['until'], now)}"] if done.get("until") else []
    ends += ["once a reload changes it"] if done.get("until_changed") else []
    end = (
        f"It ends by itself {' or '.join(ends)}."
        if ends
        else "Nothing resumes by itself; the log reminds of it every 4 hours."
    )
    yield f"  {waiting:,} {'waits' if waiting == 1 else 'wait'}. {end}"


def _going(done: Mapping[str, Any], scope: str) -> Iterator[str]:
    """What goes on, or was asked to end."""
    running, count, cancelled = done.get("running") or [], done.get("running_count") or 0, done.get("cancelled") or []
    if cancelled:
        are = "run was" if len(cancelled) == 1 else "runs were"
        yield f"  {len(cancelled):,} {are} asked to end:  {', '.join(terminal.short(one) for one in cancelled[:NAMES_SHOWN])}"
    if left := count - len(cancelled):
        shown = [one for one in running if one.get("run") not in cancelled]
        told = ", ".join(
            f"{terminal.short(one.get('run'))} {terminal.clean(','.join(_bare(name) for name in one.get('targets') or []))}"
            f" {terminal.clean(one.get('action'))} {terminal.span(one.get('seconds') or 0)}".replace("  ", " ")
            for one in shown[:5]
        )
        are = "run is" if left == 1 else "runs are"
        stop = (
            ""
            if cancelled
            else f" (stop {'it' if left == 1 else 'them'} too: {location.again(f'healer pause {flag(scope)} --cancel-running')})"
        )
        yield f"  {left:,} {are} going on and will end:  {told}{' …' if left > 5 else ''}{stop}"


def _bare(target: str) -> str:
    """A host by its name."""
    return target.removeprefix("host:")
