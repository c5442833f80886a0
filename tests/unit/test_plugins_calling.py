"""Calling a plugin: what it raises is a mistake of its own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from healer import errors, plugins


class Own(BaseException):
    """As libraries for time limits have it, so that no `except Exception` swallows it."""


ENDS: list[tuple[BaseException, str]] = [
    (SystemExit(3), "it wanted to end the process: SystemExit(3)"),
    (KeyboardInterrupt("x"), "it wanted to end the process: KeyboardInterrupt(x)"),
    (Own("late"), "it raised Own: late"), (GeneratorExit(), "it raised GeneratorExit"),
    (BaseExceptionGroup("two", [Own("late")]), "it raised BaseExceptionGroup: two (1 sub-exception)"),
]  # fmt: skip


@pytest.mark.parametrize(("ends", "said"), ENDS, ids=lambda one: type(one).__name__)
async def test_what_is_no_exception_is_a_failure_of_the_plugin(ends: BaseException, said: str) -> None:
    async def later() -> int:
        await asyncio.sleep(0)
        raise ends

    def at_once() -> Any:
        raise ends

    for how in (later, at_once):
        with pytest.raises(plugins.Quit) as told:
            await plugins.within(how)
        assert str(told.value) == said
    with pytest.raises(plugins.Quit) as told:
        plugins.called(at_once)
    assert str(told.value) == said


class Strange(Exception):
    """A plugin's own."""


@pytest.mark.parametrize(("error", "said"), [
    (plugins.Quit("it raised Own: late"), "it raised Own: late"), (plugins.Blind("no such file"), "no such file"),
    (errors.NotFound("mend it", what="it"), "it is not known"), (Strange("x: y"), "Strange: x: y"), (Strange(), "Strange"),
    (KeyError("a"), "KeyError: 'a'"), (ValueError("no: "), "ValueError: no"), (plugins.Blind(), "Blind"), (Own("late"), "Own: late"),
])  # fmt: skip
def test_what_is_raised_is_told_without_the_names_of_our_own_classes(error: BaseException, said: str) -> None:
    assert plugins.raised(error) == said


async def test_what_a_plugin_ends_with_is_told_in_its_words() -> None:
    def leaves() -> None:
        raise Own("late")

    with pytest.raises(plugins.Quit) as told:
        plugins.called(leaves)
    assert plugins.raised(told.value) == "it raised Own: late"


async def test_all_else_comes_through_as_it_is() -> None:
    async def work(error: BaseException | None, *, gives: int = 7) -> int:
        if error:
            raise error
        return gives

    assert (await plugins.within(work, None), await plugins.within(work, None, gives=8)) == (7, 8)
    for error in (OSError(28, "full"), asyncio.CancelledError()):
        with pytest.raises(type(error)) as told:
            await plugins.within(work, error)
        assert told.value is error


def test_a_call_that_nobody_waits_for_any_more_is_closed_as_any_other() -> None:
    """At the loop's end: a mistake there would be told as one that nobody could catch."""

    class Never:
        def __await__(self) -> Iterator[None]:
            yield None

    async def work() -> None:
        await Never()

    waiting = plugins.within(work)
    waiting.send(None)
    waiting.close()
    del waiting
    gc.collect()


@pytest.mark.parametrize(("ends", "said"), ENDS, ids=lambda one: type(one).__name__)
def test_a_format_that_quits_is_a_failure_of_its_own(ends: BaseException, said: str) -> None:
    def fails(*_given: Any) -> Any:
        raise ends

    def begins(*_given: Any) -> Iterator[Any]:
        yield plugins.Element({})
        raise ends

    faulty = plugins.Format("x", resolves=False, read=fails, greeting=fails, remark=fails)
    lazy: Any = plugins.Format("x", resolves=False, read=begins)  # type: ignore[arg-type]
    calls: list[Callable[[], Any]] = [
        lambda: faulty.read({}, {}), lambda: faulty.greeting({}, {}), lambda: faulty.remark({}), lambda: lazy.read({}, {}),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(plugins.Quit) as told:
            call()
        assert str(told.value) == said


def test_a_format_s_own_refusal_comes_through() -> None:
    def read(_body: Any, _headers: Any) -> Any:
        raise errors.InvalidField(field="a", detail="none")

    with pytest.raises(errors.InvalidField):
        plugins.Format("x", resolves=False, read=read).read({}, {})
