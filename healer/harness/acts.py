"""The steps of a test, done as the daemon would have them done: events through intake, people's words as their own transactions.

Caller: `playing`. What cannot be done as the step says is `Undone`, which fails the test.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from healer import access, errors
from healer.decide import firing
from healer.harness import checking, fakes, hearing, rig, sending, shapes, suite, virtual
from healer.policy import labels
from healer.store import reviewing, silencing, transaction
from healer.web import hooks, services, within

APPROVALS_MAX: Final = 1_000
NOBODY: Final = "key:test"
"""Who sends and acts where a test does not say it."""


class Undone(Exception):
    """why a step cannot be done"""


async def do(on: rig.Rig, happening: suite.Happening) -> None:
    """Do a step. Raises `Undone`."""
    kind = next(name for name in shapes.ACTS if getattr(happening.step, name) is not None)
    try:
        await _ACTS[kind](on, happening, getattr(happening.step, kind))
    except errors.HealerError as error:
        raise Undone(f"{error.message}{f' ({error.try_})' if error.try_ else ''}") from error


async def _event(on: rig.Rig, happening: suite.Happening, _given: Any) -> None:
    name, spec = _source(on, happening.step)
    await _take(on, happening.step, name, spec, sending.Read([happening.data], [""]))


async def _body(on: rig.Rig, happening: suite.Happening, _given: Any) -> None:
    name, spec = _source(on, happening.step)
    await _take(on, happening.step, name, spec, sending.read(spec, happening.data))


def _source(on: rig.Rig, step: shapes.Step) -> tuple[str, Any]:
    known = on.stage.sources
    name = known[step.source] if step.source is not None else hearing.default(known) or ""
    return name, on.revision.sources[name]


async def _take(on: rig.Rig, step: shapes.Step, name: str, spec: Any, read: sending.Read) -> None:
    actor = f"source:{name}" if spec.type == hooks.TYPE or spec.kind != "push" else NOBODY
    if step.by is not None:
        actor = _person(on, step.by).actor
    # Each event is read anew: what rules put into one is no part of the next.
    data = [(transaction.loads(transaction.dumps(dict(one))), None) for one in read.events]
    await on.intake.take(
        name, data, actor=actor, meta=sending.meta(spec), repeats=read.repeats if any(read.repeats) else (), unread=read.unread
    )  # fmt: skip


async def _fact(on: rig.Rig, happening: suite.Happening, _given: Any) -> None:
    for source in _rulesets(on, happening.step):
        body = transaction.loads(transaction.dumps(happening.data))
        meta = {"source": {"name": "set_fact", "type": "internal"}}
        await on.intake.take(source, [(body, None)], actor=NOBODY, meta=meta, kind="fact")


async def _retract(on: rig.Rig, happening: suite.Happening, _given: Any) -> None:
    partial = True if happening.step.partial is None else happening.step.partial
    for source in _rulesets(on, happening.step):
        body = {"retract": happening.data, "partial": partial, "exclude_keys": ["meta"]}
        await on.intake.take(source, [(body, None)], actor=NOBODY, kind="retract")


def _rulesets(on: rig.Rig, step: shapes.Step) -> list[str]:
    names = on.decider.evaluator.running
    return [firing.inner_source(name) for name in names if step.ruleset is None or checking.meant(name, step.ruleset)]


async def _outcome(on: rig.Rig, _: suite.Happening, wanted: shapes.Answer) -> None:
    on.script.say(fakes.Answer(
        wanted.action, wanted.target or "", wanted.status, wanted.after, wanted.per_target, wanted.summary or "", wanted.result,
        wanted.facts,
    ))  # fmt: skip


async def _approve(on: rig.Rig, _: suite.Happening, wanted: shapes.Review) -> None:
    await _review(on, wanted, "approve")


async def _reject(on: rig.Rig, _: suite.Happening, wanted: shapes.Review) -> None:
    await _review(on, wanted, "reject")


async def _review(on: rig.Rig, wanted: shapes.Review, word: reviewing.Word) -> None:
    rows = [
        row for row in await on.store.reader.all("approvals_open", "", APPROVALS_MAX)
        if (wanted.action is None or row["action"] == wanted.action)
        and (wanted.rule is None or checking.meant(row["rule"], wanted.rule))
    ]  # fmt: skip
    if not rows:
        named = " of ".join(one for one in (wanted.action, wanted.rule) if one)
        raise Undone(f"no run of {named} waits for a person's word")
    who = _person(on, wanted.by)
    for row in rows:
        try:
            await on.store.submit(await _unit(on, who, row, word, wanted.reason or ""))
        except (reviewing.MayNotApprove, errors.Forbidden) as error:
            if wanted.refused:
                continue
            raise Undone(error.message) from error
        if wanted.refused:
            raise Undone(f"the word of {wanted.by} is taken, and was to be refused")
    await on.look_again()


async def _unit(on: rig.Rig, who: access.Principal, row: Any, word: reviewing.Word, reason: str) -> reviewing.Review:
    """As `web.approvals` makes it: with the roles that they have for the run and all steps behind it."""
    asked = cast(services.Services, types.SimpleNamespace(store=on.store, revision=lambda: on.revision))
    roles: list[str] | None = None
    for run in (row["run"], *(step["run"] for step in transaction.loads(row["steps"]))):
        about = await within.of_run(asked, run)
        access.demand(who, "approvals.decide", about)
        here = access.roles_for(who, about)
        roles = [role for role in here if roles is None or role in roles]
    return reviewing.Review(
        row["id"], word, who=who, roles=roles or [], reason=reason, standing_of=on.stage.standing.of_run
    )


async def _silence(on: rig.Rig, _: suite.Happening, wanted: shapes.Silence) -> None:
    found = [labels.parse(text) for text in wanted.matchers]
    from_us = on.clock()
    until_us = from_us + round(wanted.for_ * virtual.US)
    await on.store.submit(
        silencing.Silence(found, from_us, until_us, _actor(on, wanted.by), wanted.comment or "in a test")
    )


async def _pause(on: rig.Rig, _: suite.Happening, wanted: shapes.Pause) -> None:
    await on.switch.pause(
        wanted.scope, actor=_actor(on, wanted.by), reason=wanted.reason or "in a test", for_s=wanted.for_
    )
    on.decider.tail.wake()


async def _resume(on: rig.Rig, _: suite.Happening, wanted: shapes.Resume) -> None:
    await on.switch.resume(wanted.scope, actor=_actor(on, wanted.by))


def _actor(on: rig.Rig, by: str | None) -> str:
    return NOBODY if by is None else _person(on, by).actor


def _person(on: rig.Rig, name: str) -> access.Principal:
    """Somebody of healer.yaml, who comes with a key of their own."""
    return on.revision.directory.of_key("test", "", name)


_ACTS: Final[dict[str, Callable[[rig.Rig, suite.Happening, Any], Awaitable[None]]]] = {
    "event": _event, "body": _body, "fact": _fact, "retract": _retract, "outcome": _outcome, "approve": _approve, "reject": _reject,
    "silence": _silence, "pause": _pause, "resume": _resume,
}  # fmt: skip
