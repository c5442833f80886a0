"""The kill switch as people use it: what they pause and resume, what goes on meanwhile, what a resume would let go.

Caller: `web` through `services`; `watching` asks it what ends by itself. The rows are `store.pausing`'s; a pause is answered once nothing
that was claimed before it can begin any more (`decisions.md`, A13).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from healer import dispatch, errors, project, store
from healer.daemon import meanings, standing
from healer.decide import evaluating
from healer.dispatch import wishes
from healer.store import candidates, deciding, pausing

if TYPE_CHECKING:
    from healer.daemon import running

KINDS: Final = ("all", "activation", "ruleset", "rule", "controller")
REMIND_US: Final = 4 * 3600 * 1_000_000
SHOWN_MAX: Final = 50
NEAR_MAX: Final = 10
_LAST: Final = 1 << 62


class Switch:
    """One a daemon."""

    def __init__(
        self, opened: store.Store, dispatcher: dispatch.Dispatcher, people: wishes.Wishes, held: standing.PauseFile, *,
        revision: Callable[[], project.Revision], evaluator: Callable[[], evaluating.Evaluator], standing_of: candidates.StandingOf,
        clock: Callable[[], int], look_again: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._store = opened
        self._dispatcher = dispatcher
        self._people = people
        self._held = held
        self._revision = revision
        self._evaluator = evaluator
        self._standing_of = standing_of
        self._clock = clock
        self._look_again = look_again
        self._reminded_us: dict[str, int] = {}
        self._compared = 0
        """The journal row of the rules with which pauses were compared last."""

    async def load(self) -> None:
        """At the start, before anything is decided: know what is paused, and what the file has held until nobody was here."""
        await take_up(self._store, self._held())
        await self._read()

    async def _read(self) -> None:
        self._held.rows = await self._store.reader.all("pauses")

    # --- scopes -------------------------------------------------------------------------------------------------------

    def known(self) -> list[str]:
        """All scopes that there are, `all` first."""
        found: dict[str, None] = {"all": None}
        for activation, ruleset in self._revision().rulesets():
            found[f"activation:{activation.name}"] = None
            found[f"ruleset:{activation.name}/{ruleset.name}"] = None
            found |= dict.fromkeys(f"rule:{activation.name}/{ruleset.name}/{rule.name}" for rule in ruleset.rules)
        return [*found, *(f"controller:{name}" for name in self._revision().controllers)]

    def _scope(self, scope: str, known: Iterable[str]) -> str:
        """The one that is meant: a rule also by its name alone where only one has it. Raises `errors.InvalidField`, `errors.NotFound`."""
        known = list(known)
        if scope in known:
            return scope
        kind, _, name = scope.partition(":")
        if scope != "all" and (kind not in KINDS[1:] or not name):
            wanted = ", ".join(["all", *(f"{one}:NAME" for one in KINDS[1:])])
            detail = f"{wanted} is wanted, got {scope[:200]!r}"
            raise errors.InvalidField(errors.nearest(scope, known), field="scope", detail=detail)
        alike = [one for one in known if one.partition(":")[0] == kind]
        meant = [one for one in alike if one.endswith(f"/{name}")]
        if len(meant) == 1:
            return meant[0]
        what = f"one {kind} named {name[:200]!r}" if meant else f"the {kind} {name[:200]!r}"
        near = [one.partition(":")[2] for one in meant or alike][:NEAR_MAX]
        raise errors.NotFound(errors.nearest(scope, alike) if not meant else "", what=what, near=near)

    def meant(self, scope: str) -> str:
        """The scope that a text means. Raises `errors.InvalidField`, `errors.NotFound`."""
        return self._scope(scope, self.known())

    def held(self, scope: str) -> str:
        """The one that is paused. Raises `errors.InvalidField`, `errors.NotFound`."""
        held = [row["scope"] for row in self._held.rows]
        try:
            return self._scope(scope, held)
        except errors.NotFound:
            try_ = "remove the file PAUSE from the data directory" if self._held() is not None else "healer status"
            raise errors.NotFound(
                try_, what=f"a pause of {pausing.in_words(scope)[:300]}", near=held[:NEAR_MAX]
            ) from None

    # --- what people do -----------------------------------------------------------------------------------------------

    async def pause(
        self, scope: str, *, actor: str, reason: str, for_s: float | None = None, until_changed: bool = False, cancel: bool = False
    ) -> dict[str, Any]:  # fmt: skip
        """Nothing new that the scope covers takes effect from the answer on. Raises `errors.InvalidField`, `errors.NotFound`."""
        scope = self.meant(scope)
        until_us = None if for_s is None else self._wall_us() + round(for_s * 1_000_000)
        digest = self._meaning(scope) if until_changed else None
        running, waiting = await self._store.submit(pausing.Pause(scope, actor, reason, until_us, digest))
        since_us = self._clock()
        self._reminded_us.pop(scope, None)
        await self._read()
        withheld = await self._dispatcher.barrier({one.token for one in running})
        self._dispatcher.wake()
        logger.bind(actor=actor, scope=scope).warning(
            "paused: {} by {}: {}", pausing.in_words(scope), actor, reason or "no reason given"
        )
        going = [one for one in running if one.token not in withheld]
        cancelled = []
        for one in going if cancel else ():
            try:
                cancelled.append(await self._people.cancel(one.run, actor=actor, reason=reason or "paused"))
            except errors.HealerError as error:
                logger.info("{} is not cancelled: {}", one.run, error.message)
        shown = [
            {"run": one.run, "action": one.action, "targets": one.targets, "seconds": max(0, self._clock() - one.started_us) // 1_000_000}
            for one in going[:SHOWN_MAX]
        ]  # fmt: skip
        return {
            "scope": scope, "who": actor, "reason": reason, "since_us": since_us, "until_us": until_us, "until_changed": until_changed,
            "running": shown, "running_count": len(going), "waiting": waiting + len(withheld),
            "cancelled": [one["id"] for one in cancelled],
        }  # fmt: skip

    async def preview(self, scope: str) -> dict[str, Any]:
        """What would become of what waits if the pause of this scope ended. Raises `errors.InvalidField`, `errors.NotFound`."""
        scope = self.held(scope)
        ahead = pausing.Ahead()
        while await self._store.submit(pausing.Preview(scope, self._standing_of, ahead)):
            pass
        return {
            "scope": scope, "looked_at": ahead.seen, "states": ahead.states, "starting": ahead.starting, **self._left(but=scope),
        }  # fmt: skip

    async def resume(self, scope: str, *, actor: str) -> dict[str, Any]:
        """The pause of exactly this scope ends. Raises `errors.InvalidField`, `errors.NotFound` where it is not paused."""
        scope = self.held(scope)
        ended = await self._store.submit(pausing.Resume(scope, actor))
        await self._read()
        if not ended:
            self.held(scope)
        logger.bind(actor=actor, scope=scope).warning("resumed: {} by {}", pausing.in_words(scope), actor)
        await self._look_again()
        return {"scope": scope, **self._left()}

    def _left(self, but: str = "") -> dict[str, Any]:
        """What is paused all the same."""
        scopes = [row["scope"] for row in self._held.rows if row["scope"] != but]
        return {"still_paused": scopes, "file": self._held() is not None}

    async def pauses(self) -> list[dict[str, Any]]:
        """What is paused, the longest first; the file among them."""
        await self._read()
        made = [pausing.row_of(row) for row in sorted(self._held.rows, key=lambda row: row["since_us"])]
        if (file := self._held()) is not None:
            made.insert(0, {**file, "scope": "all", "by": "file"})
        return made

    # --- what happens by itself ---------------------------------------------------------------------------------------

    async def look(self) -> None:
        """End what was to end by itself; remind of what has no end."""
        rows = self._held.rows
        if not rows:
            return
        await self._compare()  # first: what has changed is no matter of time
        if any(row["until_us"] is not None and row["until_us"] <= self._wall_us() for row in self._held.rows):
            await self._end(pausing.EndOfThemselves(self._wall_us()))
        now_us = self._clock()
        for row in self._held.rows:
            since_us = self._reminded_us.get(row["scope"], row["since_us"])
            if row["until_us"] is None and now_us - since_us >= REMIND_US:
                self._reminded_us[row["scope"]] = now_us
                logger.warning(
                    "still paused: {} by {}: {}",
                    pausing.in_words(row["scope"]),
                    row["who"],
                    row["reason"] or "no reason given",
                )

    async def _compare(self) -> None:
        """Once other rules hold, by a reload or a start: pauses end that were for the ones before."""
        scopes = [row["scope"] for row in self._held.rows if row["digest"] is not None]
        if not scopes:
            return
        last = await self._store.reader.all("journal_last_revision", _LAST)
        (decided,) = await self._store.reader.all("position_find", 0)
        if last and self._compared != last[0]["seq"] <= decided["seq"]:
            self._compared = last[0]["seq"]
            digests = {scope: self._meaning(scope) for scope in scopes}
            await self._end(
                pausing.EndOfThemselves(self._wall_us(), digests, deciding.revision_number_of(last[0]["body"]))
            )

    async def _end(self, unit: pausing.EndOfThemselves) -> None:
        ended = await self._store.insist(unit)
        for scope in ended:
            logger.warning("resumed by itself: {}", pausing.in_words(scope))
        await self._read()
        if ended:
            await self._look_again()

    def _meaning(self, scope: str) -> str:
        return meanings.of(scope, self._revision(), self._evaluator())

    def _wall_us(self) -> int:
        return self._clock() + self._held.ahead_us()


async def take_up(opened: store.Store, now: dict[str, Any] | None) -> bool:
    """The file PAUSE as it is now (None: it is not there): whether that is new, which is in the audit and the log then."""
    new: bool = await opened.insist(pausing.FileSeen(now))
    if new and now is not None:
        logger.warning("paused: {}", now["reason"])
    elif new:
        logger.warning("resumed")
    return new


def of(daemon: running.Daemon) -> Switch:
    """That of a daemon."""
    return Switch(
        daemon.store, daemon.dispatcher, daemon.people, daemon.pause, revision=lambda: daemon.revision,
        evaluator=lambda: daemon.decider.evaluator, standing_of=daemon.of_run, clock=daemon.clock, look_again=daemon.look_again,
    )  # fmt: skip
