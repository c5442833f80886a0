"""One attempt as the dispatcher holds it: the job that its controller gets, made of the run's row, and what comes of it.

Caller: the dispatcher. Nothing here is not on disk too, but for the output that has come so far.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import pathlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, get_args

from healer import catalog, errors, model, plugins, secrets
from healer.catalog import looks
from healer.dispatch import output
from healer.store import asking, candidates, transaction

Ender = Literal["", "stop", "person", "pause", "silence"]
"""Who asked for an attempt's end: nobody, the daemon's stop, a person, a pause that it did not begin before, its own deadline."""

How = Callable[[model.Job, plugins.Output], Awaitable[model.Outcome]]
"""`run` or `follow` of a controller."""

PAUSED: Final = "paused before it began"
NOT_BEGUN: Final[Mapping[Ender, str]] = {
    "person": "a person asked for its end before it began", "pause": PAUSED, "stop": "the daemon's stop came before it began",
}  # fmt: skip
"""Whose word takes back what had not begun, and what is said then."""
DEADLINE_MIN_S: Final = 1.0
WITHHOLD_S: Final = 10.0
"""So long a controller has for saying whether a job has begun; then it counts as begun."""
AGAIN_S: Final = (1.0, 5.0, 15.0, 30.0)
"""So long what could not begin waits for its next attempt, which may find a host that was only being restarted."""
SILENCE_S = 60.0
"""So long after its deadline a controller, which has to hold it, may still say how an attempt ended; then it is not waited for any more."""


def again_s(number: int, why: str) -> float:
    """After so many seconds the next attempt is made of one that could not begin; of one that a pause held at once."""
    return 0.0 if why == PAUSED else AGAIN_S[min(number, len(AGAIN_S)) - 1]


Lost = Callable[[str, model.Job], None]
"""Told of the controller by its name and of the job that did not find its targets, or not reach them, where the inventory has them."""


def _to_nobody(_controller: str, _job: model.Job) -> None:
    """Of what nobody looks after."""


class Hindered(Exception):
    """why the attempt cannot be given to its controller"""


@dataclasses.dataclass(slots=True)
class Attempt:
    """One that is under way. `settles`: it was called unknown before, and its end is to be found out after all."""

    token: str
    run: str
    number: int
    job: model.Job
    controller: plugins.Controller
    live: output.Live
    row: asking.RunRow
    """Of its run, as the action that it is of."""
    ender: Ender = ""
    settles: bool = False
    fresh: bool = False
    """Its controller is to run it: it may not have begun yet."""
    lost: Lost = _to_nobody
    _withheld: asyncio.Task[bool] | None = dataclasses.field(default=None, init=False)
    _acting: asyncio.Task[model.Outcome] | None = dataclasses.field(default=None, init=False)

    async def act(self, how: How) -> model.Outcome:
        """Let its controller do it. Raises CancelledError where its end was asked for, also before it came to this."""
        if self.ender and how == self.controller.run:
            raise asyncio.CancelledError
        self._acting = asyncio.create_task(_of(how, self.job, self.live.write), name=f"acting {self.token}")
        if self.ender:
            await asyncio.sleep(
                0
            )  # a task that is cancelled before its first step takes none, and nothing would be stopped
            self._acting.cancel()
        done, _ = await asyncio.wait([self._acting], timeout=self.job.deadline_s + SILENCE_S)
        if not done:
            self.end("silence")
            await asyncio.wait([self._acting], timeout=SILENCE_S)
            raise asyncio.CancelledError
        try:
            outcome = await self._acting
        except model.NotBegunError:
            self.lost(self.row["controller"], self.job)
            raise
        if outcome.lost:
            self.lost(self.row["controller"], self.job)
        return outcome

    def end(self, ender: Ender) -> None:
        """Ask for its end. A second time changes nothing: what ends it must not be cut off."""
        if not self.ender:
            self.ender = ender
            if self._acting is not None:
                self._acting.cancel()

    async def withhold(self) -> bool:
        """A pause: where it has not begun, it never will. Whether it is so."""
        if self._withheld is None and self.fresh and not self.ender:
            self._withheld = asyncio.create_task(self._withhold(), name=f"withholding {self.token}")
        return await self.withheld()

    async def withheld(self) -> bool:
        """Whether a pause kept it from beginning."""
        return self._withheld is not None and await asyncio.shield(self._withheld)

    async def _withhold(self) -> bool:
        try:
            async with asyncio.timeout(WITHHOLD_S):
                never = await plugins.within(self.controller.withhold, self.job)
        except Exception:  # noqa: BLE001 - a controller is a plugin: what cannot be said counts as begun
            return False
        if never:
            self.end("pause")
        return never


@dataclasses.dataclass(frozen=True, slots=True)
class Looked:
    """An attempt that was called unknown, and what its controller says of it now. `attempt`: None where it cannot be asked."""

    token: str
    number: int
    attempt: Attempt | None
    found: model.Found


async def found(attempt: Attempt) -> model.Found:
    """What its controller knows of it."""
    answer: Any = await plugins.within(attempt.controller.find, attempt.job)
    if not isinstance(answer, model.Found) or answer.state not in get_args(model.FoundState):
        raise TypeError(f"a model.Found is wanted, got {_shown(answer, model.Found)}")
    return answer


def _shown(answer: Any, wanted: type) -> str:
    """What a controller gave, short: the state where it is of the right shape otherwise."""
    return repr(getattr(answer, "state", None))[:100] if isinstance(answer, wanted) else type(answer).__name__


async def _of(how: How, job: model.Job, put: plugins.Output) -> model.Outcome:
    outcome: Any = await plugins.within(how, job, put)
    if not isinstance(outcome, model.Outcome) or outcome.state not in get_args(model.EndState):
        said = f"a model.Outcome is wanted, got {_shown(outcome, model.Outcome)}"
        return model.Outcome("unknown", f"its controller gave no outcome that is one ({said})")
    return outcome


class Maker:
    """Makes attempts. The arguments are the dispatcher's."""

    def __init__(
        self, controllers: Callable[[], Mapping[str, plugins.Controller]], revision_dir: Callable[[int], Awaitable[pathlib.Path]],
        work_dir: pathlib.Path, secret_values: Callable[[], list[str]], environment_of: Callable[[str], Mapping[str, str]],
        resolve: Callable[[str], model.Secret], instance: str,
    ) -> None:  # fmt: skip
        self._controllers = controllers
        self._revision_dir = revision_dir
        self._work_dir = work_dir
        self._secret_values = secret_values
        self._environment_of = environment_of
        self._resolve = resolve
        self._instance = instance
        self.lost: Lost = _to_nobody

    async def make(
        self,
        row: asking.RunRow,
        number: int,
        token: str,
        targets: list[str],
        values: Mapping[str, Any],
        deadline_s: float,
    ) -> Attempt:
        """The attempt with its job. Raises `Hindered`: no such controller any more, a secret that cannot be read."""
        controller = self._controllers().get(row["controller"])
        if controller is None:
            raise Hindered(f"no controller is named {row['controller']!r} any more")
        try:
            environment = self._environment_of(row["rule"])
            given = self._given(transaction.loads(row["parameters"]), transaction.loads(row["extra"]))
        except errors.SecretUnavailable as error:
            raise Hindered(error.message) from error
        folder = await self._revision_dir(row["revision"])
        job = model.Job(
            token=token, run_id=row["id"], action=row["action"], kind=row["kind"],
            subject=_subject(row["kind"], transaction.loads(row["subject"]), given["parameters"], folder),
            parameters=given["parameters"], targets=tuple(_target(name, values[name]) for name in targets),
            deadline_s=deadline_s,
            revision_dir=str(folder), work_dir=str(self._work_dir / token),
            dry_run=bool(row["dry_run"]), idempotent=bool(row["idempotent"]), extra={**given["extra"], "instance": self._instance},
            environment=environment,
        )  # fmt: skip
        return Attempt(token, row["id"], number, job, controller, self.live(), row, lost=self.lost)

    def live(self) -> output.Live:
        """Output from its beginning, with what is secret masked, also what becomes known meanwhile."""
        maskers = {stream: secrets.LiveMasker(self._secret_values) for stream in output.STREAMS}
        return output.Live(
            {name: m.feed for name, m in maskers.items()}, {name: m.flush for name, m in maskers.items()}
        )

    def _given(self, parameters: Any, extra: Any) -> dict[str, Any]:
        """Parameters and the rest with the secrets that were taken out of them. Raises `errors.SecretUnavailable`."""
        for ours in candidates.NOT_GIVEN:
            extra.pop(ours, None)
        given: dict[str, Any] = {"parameters": parameters, "extra": extra}
        for path, reference in extra.pop("secrets", ()):
            at: Any = given
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = self._resolve(reference)
        return given


def deadline_of(row: Mapping[str, Any]) -> float:
    """How long an attempt that was started may take, of its row."""
    return float(max((row["deadline_us"] - row["started_us"]) / 1_000_000, DEADLINE_MIN_S))


def _subject(
    kind: str, value: Any, parameters: Mapping[str, Any], folder: pathlib.Path
) -> str | tuple[str, ...] | Mapping[str, Any]:
    """What is run, with parameters filled in where it is a mapping. Raises `Hindered` where one has no place there."""
    if isinstance(value, Mapping):
        try:
            if kind == "check" and len(value) == 1:
                return looks.filled(value, parameters, lambda name: _addresses(name, folder))  # type: ignore[no-any-return]
            return catalog.fill(value, parameters)  # type: ignore[no-any-return]
        except catalog.Unfillable as error:
            raise Hindered(str(error)) from error
        except errors.HealerError as error:
            raise Hindered(error.message) from error
    return tuple(value) if isinstance(value, list) else str(value)


@functools.lru_cache(maxsize=1000)
def _addresses(check: str, folder: pathlib.Path) -> tuple[str, ...]:
    """Which options of a check are addresses, by its plugin of a revision. Raises `errors.HealerError` where there is none."""
    return plugins.check(check, folder).addresses


def _target(name: str, value: Mapping[str, Any]) -> model.Target:
    kind, _, rest = name.partition(":")
    return model.Target(
        kind,
        rest,
        value["inventory_name"],
        value["address"],
        tuple(value["groups"]),
        value["local"],
        value.get("port"),
        value.get("user", ""),
    )
