"""The contract of controllers, tried with controllers that do nothing but keep or break it."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from healer import errors, model, plugins
from healer.testing import contracts

PASSWORD = "a-password\nof-the-contract"
TOKEN = "the-token-of-the-far-side"


class FarSide:
    """What controllers act on."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.moved = asyncio.Event()
        self.known: dict[str, model.Found] = {}

    def take(self, effect: str) -> None:
        self.effects.append(effect)
        self.moved.set()

    async def began(self) -> None:
        while "endless" not in self.effects:
            self.moved.clear()
            await self.moved.wait()

    async def gone(self) -> None:
        return


class Options(plugins.Options):
    token: plugins.SecretRef


class Sound(plugins.Controller):
    """Keeps it."""

    Options = Options
    kinds = frozenset({"script"})
    far: FarSide

    async def check(self) -> model.Health:
        self.context.resolve(self.options.token)
        return model.Health(True, "it is there")

    async def plan(self, job: model.Job) -> model.Plan:
        return model.Plan((), (f"do {job.action}",))

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        if job.token in self.far.known:
            raise errors.NotFound(what="another token")
        self.far.take(job.action)
        output("stdout", b"done\n")
        if job.action == "endless":
            self.far.known[job.token] = model.Found("running")
            try:
                await asyncio.Event().wait()
            finally:
                self.far.known[job.token] = model.Found("ended", model.Outcome("cancelled", "ended"))
        self.far.known[job.token] = model.Found("ended", model.Outcome("succeeded", "done"))
        return model.Outcome("succeeded", "done", result={"hosts": ["web01"]})

    async def find(self, job: model.Job) -> model.Found:
        return self.far.known.get(job.token, model.Found("absent"))

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        return (await self.find(job)).outcome or model.Outcome("unknown", "gone")


def job(action: str) -> model.Job:
    return model.Job(
        token=f"r-{action}-1", run_id=f"r-{action}", action=action, kind="script", subject=action,
        parameters={"password": model.Secret("env:PASSWORD", PASSWORD)}, targets=(), deadline_s=60.0, revision_dir="/", work_dir=f"/{action}",
    )  # fmt: skip


async def at_once(is_so: Callable[[], bool]) -> None:
    return


async def found(plugin: type[Sound], far: FarSide, **given: Any) -> list[str]:
    plugin.far = far
    case = contracts.Case(
        '{type: mine, token: {secret: "env:TOKEN"}}', job("quick"), job("endless"), lambda: tuple(far.effects), far.began, far.gone,
        secrets={"env:TOKEN": TOKEN}, stops_within_s=60, holds_loop_s=60, late=at_once,
    )  # fmt: skip
    return await contracts.controller(plugin, dataclasses.replace(case, **given))


async def test_one_that_keeps_it() -> None:
    assert await found(Sound, FarSide()) == []


def test_the_contract_in_a_plain_test() -> None:
    assert asyncio.run(found(Sound, FarSide())) == []


MINE = """\
from healer import model, plugins

class Options(plugins.Options):
    pass

class Mine(plugins.Controller):
    Options = Options
    kinds = frozenset({"script"})

    async def check(self):
        return model.Health(False, "nobody is there")

    async def plan(self, job):
        return model.Plan((), ("nothing",))

    async def run(self, job, output):
        return model.Outcome("failed", "nobody is there")

    async def find(self, job):
        return model.Found("absent")

    follow = run

CONTROLLER = Mine
"""


def test_a_file_of_a_project_is_tried_as_the_docs_say(tmp_path: pathlib.Path) -> None:
    (tmp_path / "controllers").mkdir()
    (tmp_path / "controllers/mine.py").write_text(MINE)
    mine = plugins.find("controllers", "mine", tmp_path)
    far = FarSide()
    case = contracts.Case("{type: mine}", job("quick"), job("endless"), lambda: 0, far.began, far.gone, late=at_once)
    told = asyncio.run(contracts.controller(mine.CONTROLLER, case))
    assert told == [
        "it is not usable: nobody is there",
        "the job has failed (nobody is there), its effects went from 0 to 0",
        "what has failed is found as absent ()",
        told[-1],
    ]
    assert told[-1].startswith("the endless job has ended by itself: Outcome(")


class Unfollowed(Sound):
    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        raise RuntimeError("no")


class Follows(Sound):
    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        self.far.take("again")
        return model.Outcome("failed", "no")


@pytest.mark.parametrize(("plugin", "said"), [
    (Unfollowed, ["the follow of quick raises RuntimeError: no"]),
    (Follows, ["what has succeeded is followed to failed (no)", "the follow of quick takes effect"]),
])  # fmt: skip
async def test_what_has_ended_is_followed_after_a_crash(plugin: type[Sound], said: list[str]) -> None:
    assert await found(plugin, FarSide()) == said


async def test_a_secret_that_is_printed_is_heard() -> None:
    class Speaks(Sound):
        async def check(self) -> model.Health:
            sys.stdout.write(f"with {self.context.resolve(self.options.token).reveal()}\n")
            return await super().check()

    assert await found(Speaks, FarSide()) == ["env:TOKEN is told in standard output"]


METHODS = {
    "check": ["check"], "plan": ["the plan of quick", "the plan of endless"], "run": ["the run of quick"],
    "find": ["find of what never began", "find of quick", "find of endless"],
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
async def test_what_never_ends_is_a_line_for_each_question(method: str) -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    broken = type("Broken", (Sound,), {method: never})
    told = await found(broken, FarSide(), answers_within_s=0.1)
    assert [line for line in told if line.endswith("does not end within 0.1 s")] == [
        f"{what} does not end within 0.1 s" for what in METHODS[method]
    ]
    assert ("the endless job takes no effect: none within 0.1 s" in told) == (method == "run")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), asyncio.CancelledError()])
@pytest.mark.parametrize("later", [True, False])
async def test_what_raises_is_a_line_for_each_question(method: str, error: BaseException, later: bool) -> None:
    def at_once(*_: Any) -> None:
        raise error

    async def raises(*_: Any) -> None:
        raise error

    told = await found(type("Broken", (Sound,), {method: raises if later else at_once}), FarSide())
    said = {
        ValueError: "raises ValueError: no", SystemExit: "raises SystemExit: 3",
        asyncio.CancelledError: "ends as if somebody had cancelled it",
    }[type(error)]  # fmt: skip
    for what in METHODS[method]:
        assert f"{what} {said}" in told
    assert any(line.startswith("the endless job has ended by itself: ") for line in told) == (method == "run")


@pytest.mark.parametrize(
    ("method", "wanted"), [("check", "Health"), ("plan", "Plan"), ("run", "Outcome"), ("find", "Found")]
)
async def test_an_answer_of_another_shape_is_a_line(method: str, wanted: str) -> None:
    async def nothing(*_: Any) -> None:
        return None

    told = await found(type("Broken", (Sound,), {method: nothing}), FarSide())
    for what in METHODS[method]:
        assert f"{what} gives NoneType, no {wanted}" in told


class Odd(Sound):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        return dataclasses.replace(await super().run(job, output), state="great")  # type: ignore[arg-type]


class Again(Sound):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        self.far.known.pop(job.token, None)
        return await super().run(job, output)


class Forgets(Sound):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        try:
            return await super().run(job, output)
        finally:
            if job.action == "endless":
                del self.far.known[job.token]


class Unmakable(Sound):
    def __init__(self, options: Any, context: plugins.ControllerContext) -> None:
        raise KeyError("colour")


class GivesNothingInTheEnd(Sound):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        try:
            return await super().run(job, output)
        except asyncio.CancelledError:
            return None  # type: ignore[return-value]


@pytest.mark.parametrize(("broken", "told"), [
    (Odd, "the job has great (done)"), (Again, "a second run under the same token takes effect"), (Unmakable, "it cannot be made: KeyError:"),
    (Forgets, "what has begun and was cancelled is absent"), (GivesNothingInTheEnd, "the end of endless is NoneType, no Outcome"),
])  # fmt: skip
async def test_what_breaks_it_is_told(broken: type[Sound], told: str) -> None:
    lines = await found(broken, FarSide())
    assert [line for line in lines if line.startswith(told)], lines


async def test_one_that_does_not_hear_its_end_is_left_alone() -> None:
    class Deaf(Sound):
        async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
            try:
                return await super().run(job, output)
            except asyncio.CancelledError:
                await over.wait()
                raise

    over = asyncio.Event()
    lines = await found(Deaf, FarSide(), stops_within_s=0.05, answers_within_s=0.5)
    over.set()
    assert [line for line in lines if line.startswith("cancelled, it goes on for more than ")], lines


async def test_an_effect_that_comes_after_the_end_is_noticed() -> None:
    class Late(Sound):
        async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
            try:
                return await super().run(job, output)
            finally:
                if job.action == "endless":
                    later.append(asyncio.ensure_future(self.afterwards()))

        async def afterwards(self) -> None:
            await looked.wait()
            self.far.take("late")

    async def late(is_so: Callable[[], bool]) -> None:
        looked.set()
        await asyncio.gather(*later)
        assert is_so()

    looked = asyncio.Event()
    later: list[asyncio.Future[None]] = []
    (line,) = await found(Late, FarSide(), late=late)
    assert line.startswith("a cancelled run takes effect once it has ended: they went from ('quick', 'endless') to (")
    looked.clear()

    async def gone() -> None:
        looked.set()

    (again,) = await found(Late, FarSide(), gone=gone, late=contracts.for_a_while)
    assert again == line


async def test_what_is_left_of_a_cancelled_run_is_told() -> None:
    async def gone() -> None:
        raise TimeoutError("it is still there")

    assert await found(Sound, FarSide(), gone=gone) == [
        "cancelled, something of it is left: TimeoutError: it is still there"
    ]


async def test_a_case_whose_endless_job_is_never_seen_says_why() -> None:
    async def began() -> None:
        raise AssertionError("nothing came")

    assert await found(Sound, FarSide(), began=began) == [
        "the endless job takes no effect: AssertionError: nothing came"
    ]


class InPieces(Sound):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        for at in range(len(PASSWORD)):
            output("stderr", PASSWORD[at : at + 1].encode())
        return await super().run(job, output)


class InDetail(Sound):
    async def find(self, job: model.Job) -> model.Found:
        return dataclasses.replace(await super().find(job), detail=f"with {PASSWORD}")


class InResult(Sound):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        return dataclasses.replace(await super().run(job, output), result={"a": [{"b": PASSWORD}]})


class InTheEnd(Sound):
    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        try:
            return await super().run(job, output)
        except asyncio.CancelledError:
            return model.Outcome("cancelled", f"with {TOKEN}")


class InPlan(Sound):
    async def plan(self, job: model.Job) -> model.Plan:
        return model.Plan((), ("do it",), diff=f"+ {PASSWORD}")


class InErrors(Sound):
    async def check(self) -> model.Health:
        raise ValueError(f"{self.context.resolve(self.options.token).reveal()} is wrong")


class InLog(Sound):
    async def check(self) -> model.Health:
        self.context.log("INFO", TOKEN)
        return await super().check()


@pytest.mark.parametrize(("broken", "told"), [
    (InPieces, [f"password is told in stderr of {job}" for job in ("quick", "quick again", "endless")]),
    (InDetail, ["password is told in find of what never began", "password is told in find of quick", "password is told in find of endless"]),
    (InResult, ["password is told in the run of quick"]), (InTheEnd, ["env:TOKEN is told in the end of endless"]),
    (InPlan, ["password is told in the plan of quick", "password is told in the plan of endless"]),
    (InErrors, ["env:TOKEN is told in what check raises"]), (InLog, ["env:TOKEN is told in the log"]),
])  # fmt: skip
async def test_a_secret_is_found_wherever_it_is_told(broken: type[Sound], told: list[str]) -> None:
    lines = await found(broken, FarSide())
    assert [line for line in lines if " is told in " in line] == told


async def test_options_that_are_refused_are_told() -> None:
    (line,) = await found(Sound, FarSide(), options="{type: mine}")
    assert line.startswith("its documented options are refused: ")
    assert "token" in line
