"""The shipped values as they may be written."""

from __future__ import annotations

import pydantic
import pytest

from healer.project import shipped


def test_a_gate_that_is_written_as_nothing_does_not_apply() -> None:
    made = shipped.RunAction.model_validate({"cooldown": None, "max_age": None, "attempts": None, "chain_depth": None})
    assert (made.cooldown, made.max_age, made.attempts, made.chain_depth) == (None, None, None, None)
    with pytest.raises(pydantic.ValidationError):
        shipped.RunAction.model_validate({"timeout": None})


def test_one_run_at_a_time_on_a_target() -> None:
    assert shipped.Concurrency.model_validate({"target": 1}) == shipped.Concurrency()
    with pytest.raises(pydantic.ValidationError):
        shipped.Concurrency.model_validate({"target": 2})
