"""`healer explain`: why something that happened did, or did not, lead to an action."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, Final

import click

from healer import errors
from healer.cli import client, explanation, forms, location, markdown, terminal, usage

NEAR_MAX: Final = 3


class NoSuchRule(errors.HealerError):
    """no rule is named {rule!r} among those that could have seen it"""

    code = "not-found"


@click.command(cls=usage.Command)
@click.argument("what", metavar="ID", required=False)
@location.options
@click.option("--latest", is_flag=True, help="The newest event")
@click.option("--rule", help="Only this rule: activation/ruleset/rule, or its last part")
@forms.options
def command(where: location.Where, what: str | None, latest: bool, rule: str | None, form: str) -> None:
    """For each rule: the conditions with the values they saw, the gates, the run.

    ID is an event (e-12) or a run (r-7f3k2m). In markdown all that came from outside stands in code, where it means nothing.
    """
    if (what is None) == (not latest):
        given = "none was given" if what is None else "got both"
        raise usage.WrongUse(" or ".join(map(location.again, ("healer explain e-12", "healer explain --latest"))),
                             detail=f"the ID of an event or a run, or --latest is wanted, {given}")  # fmt: skip
    found = _ask(where, what or "latest", rule)
    if rule is not None and not _rules(found):
        raise NoSuchRule(_near(rule, _others(where, what, found)), rule=rule)
    if form == forms.JSON:
        terminal.echo_json(found)
        return
    for line in as_markdown(found) if form == forms.MARKDOWN else in_full(found):
        terminal.echo(line)


def _ask(where: location.Where, what: str, rule: str | None) -> dict[str, Any]:
    found = client.Client(where).get(f"{client.API}/explain/{client.segment(what)}", {"rule": rule})
    return found if isinstance(found, dict) else {}


def _rules(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in found.get("rules") or () if isinstance(rule, dict)]


def _others(where: location.Where, what: str | None, found: dict[str, Any]) -> list[str]:
    """The names of the rules of the same explanation; `latest` may be another event by now."""
    event = found.get("event")
    same = what or (str(event.get("id")) if isinstance(event, dict) else "latest")
    return list(dict.fromkeys(str(rule.get("rule")) for rule in _rules(_ask(where, same, None))))


def _near(rule: str, names: list[str]) -> str:
    """The names that are like it, else some of all."""
    if not names:
        return "no rule listens to its source"
    whole = {name if "/" in rule else name.rpartition("/")[2]: name for name in names}
    near = [whole[one] for one in difflib.get_close_matches(rule, whole, n=NEAR_MAX)]
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    return "one of: " + ", ".join(names[:NEAR_MAX]) + (", …" if len(names) > NEAR_MAX else "")


def in_full(found: dict[str, Any]) -> Iterator[str]:
    """The explanation as lines."""
    yield from _head(found)
    for rule in _in_order(found):
        yield ""
        yield from explanation.rule_lines(rule)


def as_markdown(found: dict[str, Any]) -> Iterator[str]:
    """The explanation for a comment."""
    yield from markdown.document("Why, by healer", _head(found), _parts(found))


def _head(found: dict[str, Any]) -> Iterator[str]:
    event = found.get("event")
    if isinstance(event, dict):
        yield from explanation.event_lines(event)
    elif event:
        yield terminal.clean(event)
    if not _rules(found):
        yield "  no rule listens to its source"


def _in_order(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that fired stand first."""
    return sorted(_rules(found), key=lambda rule: not rule.get("fired"))


def _parts(found: dict[str, Any]) -> Iterator[markdown.Part]:
    """What each rule made of it."""
    for rule in _in_order(found):
        lines = list(explanation.rule_lines(rule, conditions=False))
        yield markdown.Part(lines, bool(rule.get("fired")), explanation.branches(rule))
