"""`healer send`: gives events to a running daemon the way their source would. It is the command that acts on the world."""

from __future__ import annotations

import dataclasses
import http
import json
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from healer import errors
from healer.cli import client, location, progressing, terminal, usage

BYTES_MAX: Final = 256 << 20
BATCH_BYTES: Final = 1 << 20
BATCH_LINES: Final = 1000
EVENTS: Final = "/events"
WEBHOOK: Final = "/webhook"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
FRAMING: Final = ("host", "content-length", "transfer-encoding", "connection")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NotEvents(errors.HealerError):
    """{name} {detail}"""

    code = "not-json"
    exit_code = errors.EXIT_USAGE


class NotConfirmed(errors.HealerError):
    """the mode is active, so that {what} {does}, and there is no terminal to ask on"""

    code = "not-confirmed"
    exit_code = errors.EXIT_USAGE


@dataclasses.dataclass(frozen=True, slots=True)
class Events:
    """What a file holds: one JSON document, or a document a line (`lines` empty for the former)."""

    document: bytes
    count: int
    lines: tuple[bytes, ...] = ()
    elements: tuple[bytes, ...] = ()
    """The elements of an array, each as JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class Listener:
    """A source that takes what is sent, and the path of its requests."""

    name: str
    path: str
    hook: str = ""
    """Of a webhook: the path that its source has."""


@click.command(cls=usage.Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=pathlib.Path))
@location.options
@click.option("--hook", metavar="PATH", help="POST /hooks/PATH: the body in the form of that source")
@click.option("--source", metavar="NAME", help="To the source of this name")
@click.option("--token", metavar="TOKEN", envvar="HEALER_HOOK_TOKEN",
              help="The secret of a webhook, for its kind of auth [default: HEALER_HOOK_TOKEN, else that of the project]")  # fmt: skip
@click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True, callback=lambda _ctx, _param, given: dict(map(_header, given)),
              help="To a webhook: what its sender sets beside the proof, like 'X-GitHub-Event: push'; may be given again")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask")
@location.JSON
def command(
    file: pathlib.Path,
    where: location.Where,
    hook: str | None,
    source: str | None,
    token: str | None,
    headers: dict[str, str],
    yes: bool,
    as_json: bool,
) -> None:
    """Send the events of FILE (- is standard input): one JSON object, an array, or an object a line.

    They may start actions: asks on a terminal when the daemon's mode is active.
    """
    if hook and source:
        raise usage.WrongUse(detail="either --hook or --source is wanted, got both")
    events = read(bytes_of(file), "standard input" if str(file) == "-" else str(file))
    asked = client.Client(where)
    status = asked.get(f"{client.API}/status") if not (hook and yes) else {}
    status = status if isinstance(status, dict) else {}
    to = _webhook(hook, hook) if hook else listener(status, source)
    prover = None
    if headers and not to.hook:
        raise usage.WrongUse(detail=f"--header: it is for webhooks, and {to.name} is none")
    if to.hook:
        from healer.cli import proof  # which needs more than most commands do

        prover = proof.of(where, to.hook, token)
        prover.leaves(headers)
    if not yes:
        confirm(status, f"{events.count} event{'' if events.count == 1 else 's'} to {to.name}", "Send")
    with progressing.of(events.count, "events", as_json=as_json) as tell:
        told = _sum(_deliver(asked, events, to, prover, headers, tell))
    if as_json:
        terminal.echo_json(told)
        return
    terminal.echo(_said(told))
    if told["ids"]:
        first = terminal.clean(told["ids"][0])
        terminal.note(f"  why and what then:  {location.again(f'healer explain {first}')}")
    if told.get("quarantined"):
        terminal.note(f"  what could not be read:  {location.again('healer events quarantine')}")


def _said(told: dict[str, Any]) -> str:
    """What became of the events, in a line."""
    said = f"accepted {told['accepted']} event{'' if told['accepted'] == 1 else 's'}"
    said += f", {told['duplicates']} known already" if told["duplicates"] else ""
    said += f", {told['quarantined']} in quarantine" if told.get("quarantined") else ""
    ids = [terminal.clean(one) for one in told["ids"]]
    more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
    return f"{said}: {', '.join(ids[:10])}{more}" if ids else said


def _deliver(
    asked: client.Client, events: Events, to: Listener, prover: Any, headers: dict[str, str], tell: progressing.Tell
) -> list[dict[str, Any]]:  # fmt: skip
    """The answers of all requests. Where one is refused, what was taken before it is said, since it will not be taken back."""
    answers: list[dict[str, Any]] = []
    try:
        for body, kind in bodies(events, to):
            path, proved = prover.request(body) if prover else (to.path, None)
            answer = asked.ask("POST", path, body=body, content_type=kind, proof=proved, headers=headers)
            answers.append(answer if isinstance(answer, dict) else {})
            tell(BATCH_LINES * len(answers) if kind == NDJSON else len(answers))
    except errors.HealerError as error:
        if isinstance(error, client.NotAllowed) and error.http_status == http.HTTPStatus.UNAUTHORIZED and prover:
            error.try_ = prover.advice()
        if answers:
            terminal.note(f"{_sum(answers)['accepted']} events were accepted before this")
        raise
    return answers


def _header(text: str) -> tuple[str, str]:
    """The name and the value of `NAME: VALUE`; what says how the request is framed is not for others to say."""
    name, colon, value = text.partition(":")
    name, value = name.title() if name.lower() == "content-type" else name, value.strip(" ")
    sound = colon and _NAME.fullmatch(name) and value and value.isascii() and value.isprintable()
    if not sound or name.lower() in FRAMING:
        wanted = "--header: a text like 'X-GitHub-Event: push' is wanted"
        raise usage.WrongUse(detail=f"{wanted}, and no {', '.join(FRAMING)}; got {usage.got(text)}")
    return name, value


def bytes_of(file: pathlib.Path) -> bytes:
    """What a file holds, `-` for standard input. Raises `NotEvents` for too much."""
    if str(file) == "-":
        data = sys.stdin.buffer.read(BYTES_MAX + 1)
    else:
        with file.open("rb") as opened:
            data = opened.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise NotEvents("send it in pieces", name=file, detail=f"is larger than {BYTES_MAX} bytes")
    return data


def read(data: bytes, name: str) -> Events:
    """What the bytes hold. The daemon checks strictly; here only what they are. Raises `NotEvents`."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise NotEvents("a JSON object, an array, or an object a line", name=name, detail="is empty")
    try:
        value = json.loads(data)
    except RecursionError:
        raise NotEvents(name=name, detail="is nested too deep") from None
    except ValueError as error:
        return _lines(data, name, error)
    elements = tuple(json.dumps(one).encode() for one in value) if isinstance(value, list) else ()
    return Events(data, len(value) if isinstance(value, list) else 1, elements=elements)


def _lines(data: bytes, name: str, whole: ValueError) -> Events:
    lines = [(number, line.strip()) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    for number, line in lines:
        try:
            json.loads(line)
        except (ValueError, RecursionError) as error:
            first = number == lines[0][0]
            place, said = (name, whole) if first else (f"{name}:{number}", error)
            raise NotEvents(name=place, detail=f"is no JSON: {terminal.clean(said)}") from None
    return Events(data, len(lines), lines=tuple(line for _, line in lines))


def bodies(events: Events, to: Listener) -> Iterator[tuple[bytes, str]]:
    """The requests: (body, content type). A hook and event types take one a request; `POST /events` takes many events in one."""
    if to.path != EVENTS:
        for one in events.lines or events.elements or (events.document,):
            yield one, JSON
    elif not events.lines:
        yield events.document, JSON
    else:
        yield from ((body, NDJSON) for body in _batches(events.lines))


def _batches(lines: tuple[bytes, ...]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and (size + len(line) > BATCH_BYTES or len(held) >= BATCH_LINES):
            yield b"\n".join(held) + b"\n"
            held, size = [], 0
        held.append(line)
        size += len(line) + 1
    yield b"\n".join(held) + b"\n"


def listener(status: dict[str, Any], wanted: str | None) -> Listener:
    """Who takes the events: the source that is named, else the only one. Raises `usage.WrongUse` with those that there are."""
    there = list(dict.fromkeys(_listeners(status)))
    if wanted is not None:
        found = [one for one in there if one.name == wanted]
        if not found:
            names = [one.name for one in there]
            near = errors.nearest(wanted, names) or _named(names)
            raise usage.WrongUse(near, detail=f"--source: no source {usage.got(wanted)} takes what is sent")
        return found[0]
    if not there or any(one.path == EVENTS for one in there):
        return Listener("healer.api", EVENTS)  # where nobody listens the daemon says so, and what to do
    there = [one for one in there if one.path != WEBHOOK] or there  # an event that a rule reads has no event type
    if len(there) == 1:
        return there[0]
    if terminal.can_ask():
        names = [one.name for one in there]
        chosen = click.prompt("To which source", type=click.Choice(names), err=True)
        return there[names.index(chosen)]
    named = _named([one.name for one in there])
    raise usage.WrongUse(f"--source NAME, {named}", detail="several sources take what is sent, and none is named")


def _listeners(status: dict[str, Any]) -> Iterator[Listener]:
    sources = status.get("sources")
    for source in sources if isinstance(sources, list) else ():
        if not isinstance(source, dict):
            continue
        name = terminal.clean(source.get("name") or "?")
        if source.get("type") == "healer.api":
            yield Listener(name, EVENTS)
        elif source.get("type") == "healer.events":
            yield Listener(name, WEBHOOK)
        elif source.get("type") == "healer.webhook" and isinstance(source.get("path"), str):
            yield _webhook(name, source["path"])


def _named(names: list[str]) -> str:
    return f"there are: {', '.join(names)}" if names else "there is none"


def _webhook(name: str, path: str) -> Listener:
    """The hook of a path, which is quoted; one that climbs would be another route."""
    parts = path.strip("/").split("/")
    if not set(parts).isdisjoint({"", ".", ".."}):
        raise usage.WrongUse(detail=f"--hook: a path like alertmanager or team/alerts is wanted, got {usage.got(path)}")
    return Listener(name, f"/hooks/{'/'.join(map(client.segment, parts))}", "/".join(parts))


def confirm(status: dict[str, Any], what: str, verb: str, does: str = "may start actions") -> None:
    """Ask before something may act. Without a terminal there is nobody to ask, and --yes has to say it."""
    if status.get("mode", "active") != "active":
        return
    if not terminal.can_ask():
        raise NotConfirmed("--yes", what=what, does=does)
    click.confirm(f"The mode is ACTIVE: {what} {does}. {verb}?", abort=True, err=True)


def _sum(answers: list[dict[str, Any]]) -> dict[str, Any]:
    ids: list[Any] = []
    for answer in answers:
        ids += answer["ids"] if isinstance(answer.get("ids"), list) else []
    totals = {
        name: sum(answer[name] for answer in answers if isinstance(answer.get(name), int))
        for name in ("accepted", "duplicates", "quarantined")
    }
    quarantined = totals.pop("quarantined")  # named where there is some, as of the daemon
    return {**totals, "ids": ids} | ({"quarantined": quarantined} if quarantined else {})
