"""What Ctrl-C is behind, and what it is not."""

from __future__ import annotations

import signal

import pydantic_core
import pytest

from healer import errors, interruption


def after(error: BaseException, cause: BaseException) -> BaseException:
    error.__context__ = cause
    return error


def raised() -> KeyboardInterrupt:
    with pytest.raises(KeyboardInterrupt) as caught:
        raise KeyboardInterrupt
    return caught.value


def signalled() -> KeyboardInterrupt:
    with pytest.raises(KeyboardInterrupt) as caught:
        signal.raise_signal(signal.SIGINT)
    return caught.value


def test_a_signals_is_behind_whatever_came_of_it():
    assert not interruption.is_raised(signalled())
    for error in (ValueError("x"), errors.UnknownAction(action="x")):
        error.__cause__ = RuntimeError("made of it")
        error.__cause__.__cause__ = signalled()
        assert interruption.behind(error)


def test_of_a_schema_pydantic_says_it_in_words_alone():
    words = (
        'Error building "literal" validator:\n  SchemaError: Error building "default" validator:\n  KeyboardInterrupt: '
    )
    assert interruption.behind(after(ValueError("x"), pydantic_core.SchemaError(words)))
    assert not interruption.behind(pydantic_core.SchemaError("Error building: TypeError: x"))
    assert not interruption.behind(ValueError(words))


def test_one_that_somebodys_code_raised_is_what_an_error_tells():
    assert interruption.is_raised(raised())
    assert interruption.behind(after(RuntimeError("x"), raised()))
    assert not interruption.behind(after(errors.UnknownAction(action="x"), raised()))


def test_no_other_error_and_no_ring_of_them():
    assert not interruption.behind(after(ValueError("x"), OSError("y")))
    one, other = ValueError("x"), OSError("y")
    one.__cause__, other.__context__ = other, one
    assert not interruption.behind(one)
