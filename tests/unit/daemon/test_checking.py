"""Asking controllers whether they are usable: whatever they do, there is an answer, and soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from healer import errors, model
from healer.daemon import checking


class Controller:
    """Answers as a test wants."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer
        self.asked = 0

    async def check(self) -> Any:
        self.asked += 1
        found = self.answer()
        return await found if asyncio.iscoroutine(found) else found


@pytest.fixture
def make() -> Callable[..., Any]:
    def made(**controllers: Any) -> Any:
        found = checking.Checks(lambda: controllers, lambda text: text.replace("s3cret", "***"), lambda: 7)
        found.theirs = controllers  # type: ignore[attr-defined]
        return found

    return made


def fails(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def sound() -> model.Health:
    return model.Health(True, "ssh 9.2\n 3 hosts, token s3cret")


async def test_its_answer_is_one_line_without_secrets_and_is_remembered(make: Any) -> None:
    checks = make(here=Controller(sound))
    assert checks.last("here") is None
    said = await checks.check("here")
    assert (said.ok, said.detail, said.at_us) == (True, "ssh 9.2 3 hosts, token ***", 7)
    assert checks.last("here") is said


@pytest.mark.parametrize(("answer", "detail", "try_"), [
    (fails(ValueError("no s3cret")), "ValueError: no ***", ""),
    (fails(errors.NotFound("make one", what="the key")), "the key is not known", "make one"),
    (fails(GeneratorExit()), "it raised GeneratorExit", ""),
    (fails(TimeoutError("of its own")), "TimeoutError: of its own", ""),
    (lambda: model.Health(False, "there is no inventory 'https://u:pa ss@a.org/?token=x'"), "there is no inventory 'https://***@a.org/?token=***'", ""),
    (lambda: model.Health(False, "It said: password=pa55 Authorization: Bearer pa55"), "It said: password=*** Authorization: ***", ""),
    (lambda: None, "AttributeError: 'NoneType' object has no attribute 'ok'", ""),
    (lambda: model.Health(False, "x" * 9000), "x" * checking.DETAIL_MAX, ""),
])  # fmt: skip
async def test_whatever_it_does_is_an_answer(make: Any, answer: Any, detail: str, try_: str) -> None:
    said = await make(here=Controller(answer)).check("here")
    assert (said.ok, said.detail, said.try_) == (False, detail, try_)


@pytest.mark.parametrize("stubborn", [False, True])
async def test_one_that_does_not_answer_is_not_waited_for(
    make: Any, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    monkeypatch.setattr(checking, "LIMIT_S", 0.01)
    monkeypatch.setattr(checking, "GRACE_S", 0.01)
    let_go = asyncio.Event()

    async def hangs() -> model.Health:
        while True:
            try:
                await let_go.wait()
                return model.Health(True, "late")
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    checks = make(here=Controller(hangs))
    said = await checks.check("here")
    assert (said.ok, said.detail) == (False, "it did not answer within 0.01 s")
    let_go.set()
    await checks.stop()


async def test_who_asks_meanwhile_gets_the_same_answer(make: Any) -> None:
    let_go = asyncio.Event()

    async def slowly() -> model.Health:
        await let_go.wait()
        return sound()

    checks = make(here=Controller(slowly), there=Controller(sound))
    asked = [asyncio.ensure_future(checks.check("here")) for _ in range(3)]
    assert (await checks.check("there")).ok
    asked[0].cancel()
    let_go.set()
    first, second = await asyncio.gather(*asked[1:])
    assert first is second
    assert checks.theirs["here"].asked == 1
    await checks.check("here")
    assert checks.theirs["here"].asked == 2


async def test_what_a_reload_has_replaced_was_not_asked(make: Any) -> None:
    checks = make(here=Controller(sound))
    await checks.check("here")
    checks.theirs["here"] = Controller(sound)
    assert checks.last("here") is None
    del checks.theirs["here"]
    assert checks.last("here") is None
    with pytest.raises(errors.NotFound):
        await checks.check("here")


async def test_a_stop_ends_what_is_asked(make: Any) -> None:
    never = asyncio.Event()
    began = asyncio.Event()

    async def hangs() -> model.Health:
        began.set()
        await never.wait()
        return sound()

    checks = make(here=Controller(hangs))
    asked = asyncio.ensure_future(checks.check("here"))
    await began.wait()
    await checks.stop()
    with pytest.raises(asyncio.CancelledError):
        await asked
