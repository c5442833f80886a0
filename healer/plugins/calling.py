"""Calling a plugin, whose code may be a stranger's: what it raises ends that call alone.

Callers: whoever has a plugin do something (`dispatch`, `daemon`, `supervise`, `testing`, `readings`); formats are called so by
themselves (`contracts.Format`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

from healer import errors

P = ParamSpec("P")
T = TypeVar("T")


_OURS: Final = __name__.partition(".")[0]


class Quit(Exception):
    """A plugin raised what is no `Exception`. Its text says what."""


async def within(how: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
    """What a plugin does, such that `sys.exit()` in it is a mistake of its own and not the end of the daemon: a task hands that on to the
    loop, whoever waits for it. Anything else that is no `Exception` would end whoever waits, without a word.

    Raises `Quit` in their place, and all else that the plugin raises.
    """
    try:
        return await how(*args, **named)
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        if _is_closing(error):
            raise
        raise _quit(error) from error


def called(how: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """As `within`, of what a plugin does at once."""
    try:
        return how(*args, **named)
    except Exception:
        raise
    except BaseException as error:
        raise _quit(error) from error


def raised(error: BaseException) -> str:
    """What a plugin raised, for people. What one of our own classes says is said in its words alone: nobody knows these classes."""
    if isinstance(error, errors.HealerError):
        return error.message
    said, kind = str(error), type(error)
    if said and kind.__module__.partition(".")[0] == _OURS:
        return said
    return f"{kind.__name__}: {said}".removesuffix(": ")


def _is_closing(error: BaseException) -> bool:
    """Whether nobody waits any more and Python closes the call itself: then it comes from no code below."""
    return isinstance(error, GeneratorExit) and (error.__traceback__ is None or error.__traceback__.tb_next is None)


def _quit(error: BaseException) -> Quit:
    # A real Ctrl-C is a signal, and comes to nobody's code.
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return Quit(f"it wanted to end the process: {type(error).__name__}({error})")
    return Quit(f"it raised {type(error).__name__}: {error}".removesuffix(": "))
