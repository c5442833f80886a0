"""Answers that were asked for after somebody wanted them."""

from __future__ import annotations

import asyncio

import pytest

from healer.web.slack import fresh


class Asked:
    """Answers with the number of the question, once it is let."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.let = asyncio.Event()
        self.wrong: Exception | None = None

    async def __call__(self, key: str) -> int:
        self.questions.append(key)
        number = len(self.questions)
        await self.let.wait()
        if self.wrong is not None:
            raise self.wrong
        return number


async def breathe(times: int = 5) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def test_who_comes_while_it_is_asked_shares_the_next_question() -> None:
    asked = Asked()
    made = fresh.Fresh(asked)
    first = asyncio.create_task(made.get("ana", now_s()))
    await breathe()
    later = [asyncio.create_task(made.get("ana", now_s())) for _ in range(100)]
    await breathe()
    assert asked.questions == ["ana"]
    asked.let.set()
    assert await first == 1
    assert {await one for one in later} == {2}


async def test_an_answer_of_before_is_none() -> None:
    asked = Asked()
    asked.let.set()
    made = fresh.Fresh(asked)
    came_s = now_s()
    assert await made.get("ana", came_s) == 1
    assert await made.get("ana", came_s) == 1, "it was asked for after they came"
    assert await made.get("ana", now_s() + 1e-9) == 2
    assert await made.get("bo", came_s) == 3


async def test_a_failure_is_that_of_all_who_waited_and_of_nobody_else() -> None:
    asked = Asked()
    made = fresh.Fresh(asked)
    asked.wrong = ValueError("no")
    waiting = [asyncio.create_task(made.get("ana", now_s())) for _ in range(3)]
    await breathe()
    asked.let.set()
    for one in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(one, ValueError)
    asked.wrong = None
    assert await made.get("ana", now_s()) == 2


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    asked = Asked()
    made = fresh.Fresh(asked)
    one, other = (asyncio.create_task(made.get("ana", now_s())) for _ in range(2))
    await breathe()
    one.cancel()
    await breathe()
    asked.let.set()
    assert await other == 1
    assert asked.questions == ["ana"]


async def test_it_ends_while_it_is_asked() -> None:
    made = fresh.Fresh(Asked())
    waiting = [asyncio.create_task(made.get("ana", now_s())) for _ in range(2)]
    await breathe()
    await made.close()
    for one in waiting:
        with pytest.raises(asyncio.CancelledError):
            await one


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "KEPT_MAX", 3)
    asked = Asked()
    asked.let.set()
    made = fresh.Fresh(asked)
    for number in range(10):
        await made.get(str(number), now_s())
    assert len(made._kept) == 3
