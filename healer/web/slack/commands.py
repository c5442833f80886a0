"""`/heal …`: the words of the command line and what they do, by the functions of the API. Caller: `desk`.

Who may what is asked as for a request; what a command says is theirs alone to see.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from healer import access, errors, units
from healer.notify.channels import _slack_blocks as blocks
from healer.notify.channels import _slack_values as values
from healer.store import reads
from healer.web import bodies, pauses, runs, shapes, silences, within
from healer.web.services import Services
from healer.web.slack import naming, standing
from healer.web.slack.telling import Said

RUNS_SHOWN: Final = 15
SCOPES_SHOWN: Final = 15
REASON_MAX: Final = 500
HELP: Final = """\
/heal status                        how the daemon is
/heal runs [failed|STATE…]          the last runs
/heal stop RUN [REASON]             end a run, or keep it from starting
/heal pause SCOPE [for 2h] [cancel-running] [REASON]
                                    nothing new in it takes effect: all, activation:A, ruleset:A/R, rule:A/R/X, controller:C
/heal resume SCOPE                  shows what that would start, and asks
/heal approve REQUEST [REASON]      a request (a-…, a run's id, or b-… for many alike: shows them, and asks)
/heal reject REQUEST REASON
/heal silence MATCHER… for 2h WHY   alertname=NodeDown, env=~"prod|stage", target=web01
/heal whoami                        who you are here, and what you may
/heal help"""
LOOKS: Final = frozenset({"", "help", "status", "runs", "whoami"})
"""Commands that only show something."""
_SPAN: Final = r"[0-9]+(?:\.[0-9]+)?\s*(?:ms|milliseconds?|s|seconds?|m|minutes?|h|hours?|d|days?)"
_FOR: Final = re.compile(rf"(?:for\s+)?({_SPAN})(?=\s|$)\s*")
_PAUSED_FOR: Final = re.compile(rf"(?:--)?for\s+({_SPAN})(?=\s|$)\s*")
_MATCHER: Final = re.compile(
    r"""([A-Za-z_][A-Za-z0-9_.:-]{0,99}\s?(?:=~|!~|!=|=)\s?(?:"[^"]*"|'[^']*'|[^\s"']\S*))(?=\s|$)\s*"""
)
_WORD: Final = re.compile(r"""(?:"([^"]*)"|'([^']*)'|(\S+))\s*""")
_FLAGS: Final = {"cancel-running": "cancel_running", "until-revision-changes": "until_revision_changes"}


class WrongCommand(errors.RequestError):
    """{what}"""

    code = "wrong-command"


async def run(services: Services, who: access.Principal, text: str) -> Said:
    """What a command says. Raises `errors.HealerError`."""
    word, rest = first(text)
    handler = _COMMANDS.get(word.lower() or "help")
    if handler is None:
        near = errors.nearest(word, _COMMANDS)
        raise WrongCommand("/heal help", what=f"/heal knows no {word[:80]!r}" + (f": {near}" if near else ""))
    return await handler(services, who, rest)


def looks(text: str) -> bool:
    """Whether a command only shows something."""
    return first(text)[0].lower() in LOOKS


def first(text: str) -> tuple[str, str]:
    """The first word, in quotes where it has spaces, and the rest."""
    found = _WORD.match(text)
    return (next(filter(None, found.groups()), ""), text[found.end() :]) if found else ("", text)


def _seconds(text: str) -> float:
    try:
        return units.duration_s(text)
    except ValueError as error:
        raise WrongCommand(what=str(error)) from None


async def _help(_services: Services, _who: access.Principal, _rest: str) -> Said:
    return Said(table=HELP)


async def _status(services: Services, who: access.Principal, _rest: str) -> Said:
    access.demand(who, "status.read")
    return Said(table=standing.status(await services.status()))


async def _runs(services: Services, who: access.Principal, rest: str) -> Said:
    access.demand(who, "runs.read")
    states: tuple[str, ...] = ()
    for word in rest.replace(",", " ").split():
        if word not in ("failed", *runs.STATES):
            raise WrongCommand(
                errors.nearest(word, runs.STATES), what=f"runs have no state {word[:80]!r}: {', '.join(runs.STATES)}"
            )
        states += reads.FAILED_STATES if word == "failed" else (word,)
    found = await reads.runs(services.store.reader, reads.RunFilter(states=states), None, RUNS_SHOWN)
    return Said(table=standing.runs([shapes.run(row) for row in found.rows]))


async def _stop(services: Services, who: access.Principal, rest: str) -> Said:
    name, reason = first(rest)
    if not name:
        raise WrongCommand("/heal runs", what="which run? /heal stop RUN [REASON]")
    run_id = await reads.find_run(services.store.reader, name)
    await within.run(services, who, "runs.cancel", run_id)
    made = await services.people.cancel(run_id, actor=who.actor, reason=reason[:REASON_MAX])
    ending = " · it is told to end" if made.get("ending") else ""
    return Said(f"{run_id[: shapes.SHORT]}: {made['state']}{ending}")


async def _pause(services: Services, who: access.Principal, rest: str) -> Said:
    scope, rest = first(rest)
    if not scope:
        return _which(services, "pause")
    options: dict[str, object] = {"scope": scope}
    while rest:
        span, (word, behind) = _PAUSED_FOR.match(rest), first(rest)
        if span is not None and "for_s" not in options:
            options["for_s"], rest = _seconds(span[1]), rest[span.end() :]
        elif (flag := _FLAGS.get(word.removeprefix("--"))) and flag not in options:
            options[flag], rest = True, behind
        else:
            break
    made = await pauses.make(services, who, bodies.shaped({**options, "reason": rest}, pauses.Pausing))
    until = f", until {standing.when(made['until'])}" if made.get("until") else ""
    going = "\n".join(
        f"{one['run'][: shapes.SHORT]}  {one['action']}  {', '.join(one['targets'])}  {one['seconds']} s" for one in made["running"]
    )  # fmt: skip
    ends = f"{len(made['cancelled'])} of them are told to end" if options.get("cancel_running") else "they will end"
    return Said(
        f"Paused: {standing.scope(made['scope'])}, by {who.actor}{until}. No new effect starts from now on. Events are still taken and "
        f"decided.\n{made['running_count']} runs are going on, and {ends}. {made['waiting']} wait.", going,
    )  # fmt: skip


async def _resume(services: Services, who: access.Principal, rest: str) -> Said:
    scope, _ = first(rest)
    if not scope:
        held = "\n".join(str(one["scope"]) for one in await services.switch.pauses())
        return Said("Say what to resume: /heal resume SCOPE", held or "nothing is paused")
    return await _resume_asked(services, who, scope, "Resume?")


async def _resume_asked(services: Services, who: access.Principal, scope: str, question: str) -> Said:
    """What the end of a pause would start, with a button for the end of this pause and no later one."""
    found = await pauses.end(services, who, bodies.shaped({"scope": scope, "preview": True}, pauses.Resuming))
    label, since = f"Resume {standing.scope(found['scope'])}", await _since(services, found["scope"])
    value = f"{since} {found['scope']}"[:2_000]
    return Said(question, standing.preview(found), (blocks.button(values.RESUME, label, value, "danger"),))


async def _since(services: Services, scope: str) -> str:
    """Since when a scope is paused by itself, as buttons have it: a pause of the same that was made later is another."""
    made = (one for one in await services.switch.pauses() if one["scope"] == scope and one.get("by") != "file")
    return next((str(one["since_us"]) for one in made), "0")


async def resume(services: Services, who: access.Principal, value: str) -> Said:
    """The button of `/heal resume`, asked anew where another pause took the place of the one that was shown.

    Raises `errors.HealerError`.
    """
    shown, _, scope = value.partition(" ")
    if shown != await _since(services, scope):
        return await _resume_asked(
            services, who, scope or value, "What is paused has changed since this was asked. Resume?"
        )
    made = await pauses.end(services, who, bodies.shaped({"scope": scope}, pauses.Resuming))
    return Said("\n".join([f"Resumed: {standing.scope(made['scope'])}, by {who.actor}.", *standing.still(made)]))


async def _approve(services: Services, who: access.Principal, rest: str) -> Said:
    name, reason = first(rest)
    if not name:
        raise WrongCommand("healer approvals", what="which request? /heal approve REQUEST [REASON]")
    return await naming.by_name(services, who, "approve", name, reason[:REASON_MAX])


async def _reject(services: Services, who: access.Principal, rest: str) -> Said:
    name, reason = first(rest)
    if not name or not reason:
        raise WrongCommand("healer approvals", what="which request, and why? /heal reject REQUEST REASON")
    return await naming.by_name(services, who, "reject", name, reason[:REASON_MAX])


async def _silence(services: Services, who: access.Principal, rest: str) -> Said:
    matchers = []
    while found := _MATCHER.match(rest):
        matchers.append(found[1])
        rest = rest[found.end() :]
    span = _FOR.match(rest)
    if not matchers or span is None or not rest[span.end() :]:
        example = '/heal silence alertname=NodeDown env=~"prod|stage" for 2h the switch is replaced'
        raise WrongCommand(example, what="what, for how long and why? /heal silence MATCHER… for SPAN WHY")
    asked = {"matchers": matchers, "for_s": _seconds(span[1]), "comment": rest[span.end() :]}
    made = await silences.make(services, who, bodies.shaped(asked, silences.NewSilence))
    return Said(
        f"{made['id']}: silenced {', '.join(matchers)} until {standing.when(made['until'])} (healer silence end {made['id']})"
    )


async def _whoami(_services: Services, who: access.Principal, _rest: str) -> Said:
    roles = ", ".join(role.name if not role.scope.limited else f"{role.name} ({role.scope})" for role in who.roles)
    return Said(
        f"You are {who.actor}.\nroles  {roles or 'none'}\nmay  {', '.join(sorted(who.permissions)) or 'nothing'}"
    )


def _which(services: Services, verb: str) -> Said:
    known = services.switch.known()
    more = f"\n… and {len(known) - SCOPES_SHOWN} more" if len(known) > SCOPES_SHOWN else ""
    return Said(f"Say what to {verb}: /heal {verb} SCOPE, one of", "\n".join(known[:SCOPES_SHOWN]) + more)


_COMMANDS: Final[Mapping[str, Callable[[Services, access.Principal, str], Awaitable[Said]]]] = {
    "help": _help, "status": _status, "runs": _runs, "stop": _stop, "pause": _pause, "resume": _resume, "approve": _approve,
    "reject": _reject, "silence": _silence, "whoami": _whoami,
}  # fmt: skip
