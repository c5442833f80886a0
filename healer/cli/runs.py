"""`healer runs`: list, and one of them in full with its output; ending one, and saying how one ended of which nobody knows."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

import click

from healer import cli, errors
from healer.cli import client, confirming, explanation, location, tables, terminal, usage, watching

STATES = (
    "planned", "deferred", "awaiting_approval", "queued", "running", "verifying", "succeeded", "failed", "timed_out", "cancelled",
    "unknown", "refused", "suppressed", "withdrawn", "rejected", "expired", "void", "simulated",
)  # fmt: skip

RESOLVED_AS = ("succeeded", "failed", "queued")


def _as_states(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """The callback of `--state`: states with commas between them, as the API takes them."""
    if text is None:
        return None
    named = [one.strip() for one in text.split(",")]
    for one in named:
        if one not in STATES:
            near = errors.nearest(one, STATES) or f"one of: {', '.join(STATES)}"
            raise usage.WrongUse(near, detail=f"--state: no state is named {usage.got(one)}")
    return ",".join(named)


@click.group(cls=cli.Lists)
def command() -> None:
    """The actions that ran, wait, or were refused, and why. `list` may be left out."""


@command.command("list")
@location.options
@click.option("--state", callback=_as_states, metavar="STATE[,STATE…]", help="Of these: " + ", ".join(STATES))
@click.option("--failed", is_flag=True, help="Those that failed or took too long")
@click.option("--unknown", is_flag=True, help="Those of which nobody knows how they ended")
@click.option("--rule", help="activation/ruleset/rule")
@click.option("--action")
@click.option("--target")
@click.option("--since", metavar="TIME", callback=terminal.as_moment, help="Not before: a span ('2h') or a time")
@click.option("--until", metavar="TIME", callback=terminal.as_moment, help="Not after")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@watching.OPTION
@location.JSON
def list_(
    where: location.Where, state: str | None, failed: bool, unknown: bool, rule: str | None, action: str | None, target: str | None,
    since: str | None, until: str | None, limit: int, watch: float | None, as_json: bool,
) -> None:  # fmt: skip
    """The runs, newest first."""
    chosen = {"--state": state, "--failed": failed, "--unknown": unknown}
    if len(named := [name for name, value in chosen.items() if value]) > 1:
        raise usage.WrongUse(
            "--state failed,timed_out,unknown",
            detail=f"one of --state, --failed and --unknown is wanted, got {' and '.join(named)}",
        )
    query: dict[str, str | int | None] = {
        "state": "unknown" if unknown else state, "failed": 1 if failed else None, "rule": rule, "action": action, "target": target,
        "since": since, "until": until,
    }  # fmt: skip
    head = ("run", "state", "when", "rule", "action", "on", "why")

    def look() -> None:
        found = client.Client(where).pages(f"{client.API}/runs", query, limit)
        tables.show(found, head, map(_row, found["items"]), as_json=as_json, none="no runs", limit=limit)

    watching.repeat(watch, look, as_json=as_json)


def _row(item: dict[str, Any]) -> list[tables.Cell]:
    return [
        str(item.get("short") or item.get("id") or "?"), (explanation.state(item), terminal.COLOURS.get(str(item.get("state")))),
        terminal.when(item.get("created")), str(item.get("rule") or ""), str(item.get("action") or ""), _targets(item), _why(item),
    ]  # fmt: skip


def _why(item: dict[str, Any]) -> str:
    """Why it is in its state: the reason's sentence, else what the last attempt said. A code alone is no sentence."""
    last = item.get("last")
    said = last.get("summary") if isinstance(last, dict) else ""
    sentence = explanation.why(item)
    return terminal.clean(said or "") if sentence == item.get("reason") == "unverified" or not sentence else sentence


def _targets(item: dict[str, Any]) -> str:
    """Those that it acts on; the ones left out stand below, each with its reason."""
    targets = item["targets"] if isinstance(item.get("targets"), list) else []
    left_in = [one for one in targets if not isinstance(one, dict) or one.get("state") != "left_out"]
    return ", ".join(str(one.get("target", "?") if isinstance(one, dict) else one) for one in left_in)


def _left_out(item: dict[str, Any]) -> Iterator[str]:
    targets = item["targets"] if isinstance(item.get("targets"), list) else []
    for one in targets:
        if isinstance(one, dict) and one.get("state") == "left_out":
            yield f"  {'left out':<10}  {terminal.clean(one.get('target') or '?')}: {explanation.why(one)}"


@command.command("show")
@click.argument("run", metavar="ID")
@location.options
@click.option("--output", is_flag=True, help="Only what it printed")
@click.option("--follow", is_flag=True, help="What it prints, for as long as it runs")
@click.option("--stderr", is_flag=True, help="With --output or --follow: what it printed to standard error")
@click.option("--attempt", type=click.IntRange(1), help="With --output: which attempt [default: the last]")
@location.JSON
def show(
    where: location.Where, run: str, output: bool, follow: bool, stderr: bool, attempt: int | None, as_json: bool
) -> None:
    """One run in full; ID may be the beginning of its id."""
    if as_json and (output or follow):
        raise usage.WrongUse(
            detail="--json shows the run, --output and --follow what it printed as it is: one of them is wanted"
        )
    if (stderr or attempt is not None) and not (output or follow):
        raise usage.WrongUse(
            detail="--stderr and --attempt choose what --output and --follow print, and neither stands here"
        )
    asked = client.Client(where)
    path = f"{client.API}/runs/{client.segment(run)}"
    if output or follow:
        query = {"stream": "stderr" if stderr else None, "attempt": attempt, "follow": 1 if follow else None}
        for line in lines_of(asked.stream(f"{path}/output", query, endless=follow)):
            click.echo(terminal.clean_lines(line), nl=False)
        return
    found = asked.get(path)
    if as_json:
        terminal.echo_json(found)
        return
    for line in _in_full(found if isinstance(found, dict) else {}):
        terminal.echo(line)


def lines_of(pieces: Iterable[bytes]) -> Iterator[str]:
    """Whole lines out of pieces of bytes, so that no escape sequence is cut in two; a line of 64 KiB goes as it is."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held = ""
    for piece in pieces:
        held += decoder.decode(piece)
        *whole, held = held.split("\n")
        yield from (line + "\n" for line in whole)
        if len(held) > 1 << 16:
            yield held
            held = ""
    held += decoder.decode(b"", final=True)
    if held:
        yield held


def _in_full(run: dict[str, Any]) -> Iterator[str]:
    state = explanation.state(run)
    dry = " · dry run" if run.get("dry_run") else ""
    shown = terminal.paint(terminal.clean(state), terminal.COLOURS.get(str(run.get("state"))))
    yield f"{terminal.clean(run.get('id') or '?')}  {shown}{dry}"
    if sentence := _why(run):
        yield f"  {'why':<10}  {sentence}"
    if step := explanation.next_step(run):
        yield f"  {'next':<10}  {step}"
    told = run.get("explanation")
    for name in ("rule", "action", "controller", "actor", "event"):
        if run.get(name):
            by = explanation.chosen(told) if name == "controller" and isinstance(told, dict) else ""
            yield f"  {name:<10}  {terminal.clean(run[name])}{f' ({terminal.clean(by)})' if by else ''}"
    if isinstance(told, dict) and told.get("asked_for"):
        yield f"  {'reason':<10}  {terminal.clean(told['asked_for'])}"
    yield f"  {'on':<10}  {terminal.clean(_targets(run)) or '(no target)'}"
    yield from _left_out(run)
    if run.get("parameters"):
        yield f"  {'parameters':<10}  {terminal.one_line_json(run['parameters'])}"
    yield f"  {'made':<10}  {terminal.when(run.get('created'))}"
    if run.get("ended"):
        yield f"  {'ended':<10}  {terminal.when(run['ended'])}"
    yield from _attempts(run)
    yield from explanation.plan_lines(run.get("plan"))
    if isinstance(told, dict):
        yield from explanation.condition_lines(told.get("conditions"), fired=True)
        yield from explanation.look_lines(told | {"state": run.get("state")})


@command.command("cancel")
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", help="Why; kept in the audit")
@confirming.YES
@location.options
@location.JSON
def cancel(where: location.Where, runs: tuple[str, ...], reason: str | None, yes: bool, as_json: bool) -> int:
    """End runs: what waits never starts, what is at work is stopped. RUN may be the beginning of an id."""
    named = runs[0] if len(runs) == 1 else f"{len(runs)} runs"
    confirming.ask(f"End {named}? What is at work is stopped where it is.", f"{named} would be ended", yes=yes)
    asked, body = client.Client(where), json.dumps({"reason": reason} if reason else {}).encode()
    done: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for run in runs:
        try:
            answer = asked.ask("POST", f"{client.API}/runs/{client.segment(run)}/cancel", body=body)
        except client.Refused as error:
            if error.exit_code != errors.EXIT_FOUND:
                raise
            refused.append({"run": run, **error.problem})
            for line in str(error).splitlines():
                terminal.note(terminal.clean(line))
            continue
        done.append(answer if isinstance(answer, dict) else {})
        if not as_json:
            terminal.echo(_cancelled(done[-1]))
    if as_json:
        terminal.echo_json({"items": done, "refused": refused})
    return errors.EXIT_FOUND if refused else errors.EXIT_OK


def _cancelled(run: dict[str, Any]) -> str:
    """What became of the wish that a run ends, in a line."""
    text = f"{terminal.short(run.get('id'))}  {terminal.clean(run.get('state') or '?')}"
    if not run.get("ending"):
        return text
    before = f" before, by {terminal.clean(run['asked_before'])}" if run.get("asked_before") else ""
    see = location.again(f"healer runs show {terminal.short(run.get('id'))}")
    return f"{text}: its end was asked for{before}; how it goes on:  {see}"


@command.command("start")
@click.argument("run", metavar="RUN")
@click.option(
    "--break-glass",
    is_flag=True,
    required=True,
    help="Past its gates: all but validity, mode, and the locks of its targets",
)
@click.option(
    "--reason", metavar="TEXT", required=True, help="Why it cannot wait; kept in the audit, and told to everyone"
)
@confirming.YES
@location.options
@location.JSON
def start(where: location.Where, run: str, break_glass: bool, reason: str, yes: bool, as_json: bool) -> None:
    """Have a run that waits start now, past its gates. Needs runs.break_glass, which the role admin has."""
    confirming.ask(f"Start {run} past its gates? Everyone is told.", f"{run} would start past its gates", yes=yes)
    body = json.dumps({"break_glass": break_glass, "reason": reason}).encode()
    done = client.Client(where).ask("POST", f"{client.API}/runs/{client.segment(run)}/start", body=body)
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    text = f"{terminal.short(answer.get('id'))}  {terminal.clean(answer.get('state') or '?')}"
    if answer.get("asked_before"):
        text += f": {terminal.clean(answer['asked_before'])} had it start so before"
    if answer.get("waits"):
        text += f": {terminal.local_times(terminal.clean(answer['waits']))}"
    terminal.echo(text)
    for one in answer.get("past") or ():
        terminal.echo(f"  past  {terminal.local_times(terminal.clean(one))}")


@command.command("resolve")
@click.argument("run", metavar="RUN")
@click.option(
    "--as",
    "state",
    type=click.Choice(RESOLVED_AS),
    metavar="|".join(RESOLVED_AS),
    required=True,
    help="How it ended; queued: it is tried again",
)
@click.option("--reason", metavar="TEXT", required=True, help="How that is known; kept in the audit")
@confirming.YES
@location.options
@location.JSON
def resolve(where: location.Where, run: str, state: str, reason: str, yes: bool, as_json: bool) -> None:
    """Say how a run ended of which nobody knows (state unknown). If its controller knows by now, that counts."""
    then = "it is tried again" if state == "queued" else "its locks are let go of"
    confirming.ask(f"Resolve {run} as {state}? Then {then}.", f"{run} would be resolved as {state}: {then}", yes=yes)
    body = json.dumps({"state": state, "reason": reason}).encode()
    done = client.Client(where).ask("POST", f"{client.API}/runs/{client.segment(run)}/resolve", body=body)
    if as_json:
        terminal.echo_json(done)
        return
    answer = done if isinstance(done, dict) else {}
    text = f"{terminal.short(answer.get('id') or run)}  {terminal.clean(answer.get('state') or '?')}"
    if isinstance(found := answer.get("found"), dict):
        text += (
            f": its controller knows by now how it ended ({terminal.clean(found.get('summary') or '?')}); that counts"
        )
    terminal.echo(text)


def _attempts(run: dict[str, Any]) -> Iterator[str]:
    attempts = run.get("attempts")
    for attempt in attempts if isinstance(attempts, list) else ():
        if not isinstance(attempt, dict):
            continue
        outcome = attempt.get("outcome")
        said = outcome.get("summary") if isinstance(outcome, dict) else attempt.get("summary")
        took = outcome.get("seconds") if isinstance(outcome, dict) else attempt.get("seconds")
        span = f" in {terminal.span(took)}" if isinstance(took, int | float) else ""
        state = terminal.clean(attempt.get("state") or "?")
        text = said or attempt.get("held_sentence") or _asked_to_end(attempt)
        yield f"  attempt {attempt.get('number') or '?'}   {state}{span}: {terminal.clean(text)}".rstrip(": ")
        if attempt.get("truncated"):
            yield from _cut(attempt, terminal.short(run.get("id")))


def _asked_to_end(attempt: dict[str, Any]) -> str:
    """Who wants that an attempt ends, of one that has not yet."""
    asked = attempt.get("cancel")
    if not isinstance(asked, dict) or attempt.get("state") != "running":
        return ""
    return f"its end was asked for by {asked.get('by') or '?'}" + (
        f": {asked['reason']}" if asked.get("reason") else ""
    )


def _cut(attempt: dict[str, Any], run: str) -> Iterator[str]:
    """That not all is kept of what it printed: how much is, and how to see that."""
    kept = attempt["kept"] if isinstance(attempt.get("kept"), dict) else {}
    sizes = {stream: size for stream, size in kept.items() if isinstance(size, int) and size}
    parts = " and ".join(f"{_bytes(size)} of {terminal.clean(stream)}" for stream, size in sizes.items())
    there = f"kept are {parts}" if parts else "nothing of it is kept any more"
    yield f"{'':<14}its output was cut: {there}; what went beyond 1 MiB of a stream is gone"
    for stream in sizes:
        more = " --stderr" if stream == "stderr" else ""
        see = location.again(f"healer runs show {run} --output --attempt {attempt.get('number')}{more}")
        yield f"{'':<14}see it      {see}"


def _bytes(size: int) -> str:
    if size < 1 << 10:
        return f"{size} B"
    return f"{size / (1 << 10):.1f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MiB"
