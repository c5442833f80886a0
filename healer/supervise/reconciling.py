"""Asks senders of alerts which of them fire, and corrects ours: deliveries get lost, are cut short, or are refused while we are full.

The supervisor hands it its sources; one task each that has `reconcile`. What it finds becomes events like any other, through the intake:
`resolved` of what fires no more, `firing` of what was missed; what fires on both sides was heard of. An answer that is broken, or of a
sender that has just started, closes nothing. What is decided here from an answer stands in `comparing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from healer import errors, model, plugins, redacting, secrets, store, telemetry
from healer.project import locating
from healer.store import outside, transaction
from healer.supervise import comparing, outgoing, worker

BODY_MAX: Final = 16 << 20
STATUS_MAX: Final = 4 << 20
"""It has the sender's whole configuration."""
PIECE: Final = 100
"""So many events go into the journal at once."""
DECIDED_S: Final = 10.0
STOP_MAX_S: Final = 10.0
SLICE_S: Final = 0.002


class Takes(Protocol):
    """The intake."""

    def hearing(self, source: str) -> contextlib.AbstractContextManager[set[str]]:
        """The keys of alerts that are spoken of from now on."""

    async def take(self, source: str, data: Any, *, actor: str, meta: Any, repeats: Sequence[str]) -> Any:
        """Journal events."""


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """What a look needs of the daemon. `decided(s)`: whether all that is journaled by now is decided within so many seconds; `heard`: for
    the memory of `decide`; `look_at`: when a run is to be looked at; `clock` is journal time, `wall` people's, in microseconds."""

    store: store.Store
    intake: Takes
    secrets: secrets.Secrets
    clock: Callable[[], int]
    wall: Callable[[], int]
    decided: Callable[[float], Awaitable[bool]]
    heard: Callable[[str, str, int], None]
    look_at: Callable[[int | None], None]
    log: Callable[[str, str], None]
    project_dir: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True)
class Looked:
    """What came of the last look, for `status`. `why`: why it came to nothing ('': it was well); `note`: what is left open, and why."""

    at_us: int
    why: str = ""
    note: str = ""
    theirs: int = 0
    closed: int = 0
    opened: int = 0


class Sender:
    """One source whose sender is asked. `options` are those of its `reconcile`."""

    def __init__(
        self, source: str, path: str, options: Any, inquiry: model.Inquiry, world: World,
        redact: Sequence[redacting.Path] = (),
    ) -> None:  # fmt: skip
        self.source = source
        self._redact = redact
        self._path = path
        self._options = options
        self._inquiry = inquiry
        self._world = world
        self._before = comparing.Before()
        self.last: Looked | None = None
        self.well_us: int | None = None
        """When a look was well the last time."""

    async def run(self) -> None:
        """Look every so often, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._options.every)

    async def look(self) -> None:
        """Ask once, and correct. Nothing is raised: what fails is told, and looked at again."""
        at_us = self._world.clock()
        telemetry.count("reconcile_looks")
        try:
            looked = await plugins.within(self._corrected, at_us)
        except Exception as error:  # noqa: BLE001 - a format is a plugin: no mistake of one ends the looking
            self._fails(at_us, plugins.raised(error))
        else:
            if self.last is not None and self.last.why:
                self._world.log("INFO", f"reconcile {self.source}: the sender can be asked again")
            self.last, self.well_us = looked, at_us

    def _fails(self, at_us: int, why: str) -> None:
        telemetry.count("reconcile_failed")
        self._before = comparing.Before()  # what is believed once it is seen twice has to be seen twice in a row
        if self.last is None or self.last.why != why:
            again = f"asked again every {self._options.every:g} s; until then only deliveries count"
            self._world.log("WARNING", f"reconcile {self.source}: {why}; {again}")
        self.last = Looked(at_us, why)

    async def _corrected(self, at_us: int) -> Looked:
        world = self._world
        with world.intake.hearing(self.source) as spoken:
            if not await world.decided(DECIDED_S):
                raise outgoing.Failed(reason="events of before wait to be decided")
            theirs, sure, unsure = await self._asked()
            rows = {
                row["key"]: row
                for row in await world.store.reader.all("alerts_of_source", self.source, at_us, self.source)
            }
            ours = {
                key: comparing.Ours(row["status"] == "firing", row["touched_us"], row["last_seq"])
                for key, row in rows.items()
            }
            receivers, nobody = await self._receivers()
            asked = comparing.Asked(at_us, world.wall(), round(self._options.every * 1_000_000), sure, receivers)
            found = comparing.compare(theirs, ours, asked, self._before)
            closed = await self._close(found.gone, rows, spoken)
            opened = await self._open(found.missing, spoken)
            await self._touch(found.heard, at_us)
        self._before = found.before
        notes = [unsure, nobody]
        if found.doubted:
            notes.append(
                f"{found.doubted} of {len(ours)} open alerts are gone at once: closed when they are gone at the next look too"
            )
        return Looked(at_us, "", "; ".join(filter(None, notes)), len(theirs), closed, opened)

    # --- asking ---------------------------------------------------------------------------------------------------------

    async def _asked(self) -> tuple[list[model.Fires], bool, str]:
        """What fires there; whether what is not there has ended, else why that is not sure."""
        theirs = await self._read((await self._get(self._inquiry.path, BODY_MAX))[0])
        # After the alerts: one that starts anew between the two answers knows few of them.
        status, date_us = await self._get(self._inquiry.status_path, STATUS_MAX)
        since_us = self._inquiry.up_since_us(status)
        if since_us is None:
            return theirs, False, "the sender is not ready, so nothing is closed"
        up_s = ((self._world.wall() if date_us is None else date_us) - since_us) / 1_000_000
        if up_s < self._options.uptime_min:
            return theirs, False, f"the sender started {max(0.0, up_s):.0f} s ago, so nothing is closed"
        return theirs, True, ""

    async def _read(self, answer: Any) -> list[model.Fires]:
        """The alerts of an answer; others go on between them."""
        made, started = [], time.monotonic()
        for fires in self._inquiry.read(answer):
            made.append(redacting.known_as(fires) if self._redact else fires)
            if time.monotonic() - started > SLICE_S:
                await asyncio.sleep(0)
                started = time.monotonic()
        return made

    async def _get(self, path: str, bytes_max: int) -> tuple[Any, int | None]:
        options = self._options
        token = self._world.secrets.resolve(options.bearer.secret).reveal() if options.bearer is not None else ""
        ca = str(self._world.project_dir / options.ca) if options.ca else ""
        url = options.url.rstrip("/") + path
        answer = await outgoing.request("GET", url, timeout_s=options.timeout, bytes_max=bytes_max, token=token, ca=ca)
        try:
            # Of an answer texts alone are kept; one with a NUL could not be.
            return orjson.loads(b"" if b"\\u0000" in answer.body else answer.body), answer.date_us
        except orjson.JSONDecodeError as error:
            where = urllib.parse.urlsplit(path).path
            raise outgoing.Failed(reason=f"its answer to {where} is no JSON that can be kept: {error}") from error

    async def _receivers(self) -> tuple[Sequence[str], str]:
        """Those there that deliver to us; and what is to be told where nobody knows any."""
        if self._options.receivers:
            return self._options.receivers, ""
        read = self._world.store
        (row,) = await read.reader.all("alert_told_last", self.source)
        for found in await read.rows_at([row["seq"]] if row["seq"] else []):
            event = transaction.loads(found.body or b"null")
            if isinstance(event, Mapping) and (name := self._inquiry.receiver(event)):
                return [name], ""
        return [], "nothing was delivered yet, so nobody knows which receiver there is ours: name it in receivers"

    # --- correcting -----------------------------------------------------------------------------------------------------

    async def _close(self, keys: Sequence[str], rows: Mapping[str, Mapping[str, Any]], spoken: set[str]) -> int:
        """Journal the end of alerts; how many."""
        count = 0
        for piece in _pieces(keys):
            found = await self._world.store.rows_at([rows[key]["last_seq"] for key in piece])
            events = {row.seq: transaction.loads(row.body or b"null") for row in found}
            at = model.iso(self._world.wall())[:23] + "Z"
            ended = {
                key: self._inquiry.resolved(_last(rows[key], events.get(rows[key]["last_seq"])), at)
                for key in piece
                if key not in spoken
            }
            count += await self._take(list(ended.values()))
        if count:
            telemetry.count("reconcile_closed", count)
            self._world.log(
                "WARNING", f"reconcile {self.source}: {count} alerts fire no more at the sender and are closed"
            )
        return count

    async def _open(self, missing: Sequence[tuple[model.Fires, str]], spoken: set[str]) -> int:
        """Journal alerts that were missed; how many."""
        count = 0
        for piece in _pieces(missing):
            elements = []
            for fires, receiver in piece:
                if not spoken.isdisjoint(fires.keys):
                    continue
                try:
                    elements.append(self._firing(fires, receiver))
                except errors.InvalidField as error:  # no delivery of it would be taken either
                    name = fires.keys[-1 if self._redact else 0]
                    self._world.log("WARNING", f"reconcile {self.source}: {name} is left out: {error.message}")
            count += await self._take(elements)
        if count:
            telemetry.count("reconcile_opened", count)
            self._world.log(
                "WARNING", f"reconcile {self.source}: {count} alerts fire at the sender that were not delivered"
            )
        return count

    def _firing(self, fires: model.Fires, receiver: str) -> model.Element:
        """The event, as a delivery of it would be kept."""
        kept = redacting.fires(fires, self._redact)
        made = self._inquiry.firing(kept, receiver)
        return made if kept is fires else redacting.as_named(made, self._inquiry.firing(fires, receiver))

    async def _take(self, elements: Sequence[model.Element]) -> int:
        if not elements:
            return 0
        taken = await self._world.intake.take(
            self.source, [(one.event, None) for one in elements], actor=f"reconcile:{self.source}",
            meta={"endpoint": self._path, "headers": {}}, repeats=[one.repeat for one in elements],
        )  # fmt: skip
        return int(taken.accepted)

    async def _touch(self, keys: Sequence[str], at_us: int) -> None:
        """They fire there too: each was heard of when the sender was asked."""
        if keys:
            self._world.look_at(await self._world.store.submit(outside.Heard(self.source, keys, at_us)))
            for key in keys:
                self._world.heard(self.source, key, at_us)


def _last(row: Mapping[str, Any], event: Any) -> Mapping[str, Any]:
    """The last event of an alert; where it is not kept any more, what is known of it."""
    if (
        isinstance(event, Mapping)
        and isinstance(event.get("alert"), Mapping)
        and event["alert"].get("key") == row["key"]
    ):
        return event
    known = {word: row[word] for word in ("key", "name", "target", "severity", "summary")}
    return {"alert": known | {"labels": json.loads(row["labels"])}}


def _pieces(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[at : at + PIECE] for at in range(0, len(values), PIECE))


class Reconciling:
    """All senders that are asked; the supervisor hands it the sources of each revision."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: dict[str, tuple[str, Sender, asyncio.Task[None]]] = {}

    async def replace(self, specs: Iterable[worker.Running]) -> None:
        """Ask exactly the senders of these; who did not change is asked on."""
        wanted = {spec.key: spec for spec in specs if spec.push and spec.args and spec.args.get("reconcile")}
        await self._end(
            [key for key, kept in self._tasks.items() if key not in wanted or wanted[key].digest != kept[0]]
        )
        for key, spec in wanted.items():
            if key not in self._tasks:
                sender = self._sender(spec)
                self._tasks[key] = spec.digest, sender, asyncio.create_task(sender.run(), name=f"reconcile {key}")

    def _sender(self, spec: worker.Running) -> Sender:
        options: Any = locating.locate(spec.type, self._world.project_dir).plugin.Options.model_validate(spec.args)
        inquiry = plugins.find("formats", options.format).FORMAT.inquiry
        hides = redacting.paths(options.redact)
        return Sender(spec.key, options.path, options.reconcile, inquiry, self._world, hides)

    async def stop(self) -> None:
        """Ask nobody any more."""
        await self._end(list(self._tasks))

    async def _end(self, keys: Sequence[str]) -> None:
        tasks = [self._tasks.pop(key)[2] for key in keys]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_MAX_S)

    def status(self, source: str) -> tuple[Looked | None, int | None] | None:
        """(the last look, when one was well) of a source whose sender is asked; None of any other."""
        kept = self._tasks.get(source)
        return None if kept is None else (kept[1].last, kept[1].well_us)
