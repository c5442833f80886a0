"""The shipped values as they may be written, and as they are shown."""

from __future__ import annotations

import json

import pydantic
import pytest

from healer.project import shipped


@pytest.mark.parametrize(("text", "rate"), [
    ("30 per hour", (30, 3600)), ("1 per 5 minutes", (1, 300)), (" 200  per  minute ", (200, 60)), ("2 per 2 days", (2, 172_800)),
    ("5 per second", (5, 1)),
])  # fmt: skip
def test_rates(text: str, rate: tuple[int, int]) -> None:
    made = shipped.RunAction.model_validate({"rate_limit": text}).rate_limit
    assert made == shipped.Rate(*rate)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "30 hour",
        "0 per hour",
        "-1 per hour",
        "1 per 0 hours",
        "1 per fortnight",
        "1e3 per hour",
        30,
        ["30 per hour"],
        "٣ per hour x",
    ],
)
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(pydantic.ValidationError, match="rate"):
        shipped.RunAction.model_validate({"rate_limit": text})


@pytest.mark.parametrize(("value", "right"), [
    ("20%", True), ("100%", True), ("1%", True), (5, True), ("0%", False), ("101%", False), (0, False), (-1, False), (True, False),
    ("5", False), ("20 %", False), (0.5, False),
])  # fmt: skip
def test_shares(value: object, right: bool) -> None:
    if right:
        assert shipped.BlastRadius.model_validate({"targets": value}).targets == value
        return
    with pytest.raises(pydantic.ValidationError):
        shipped.BlastRadius.model_validate({"targets": value})


def test_what_is_shown_is_plain() -> None:
    shown = shipped.as_written(shipped.Defaults())
    assert json.loads(json.dumps(shown)) == shown
    assert shown["run_action"]["rate_limit"] == "30 per 3600 seconds"
    assert shown["run_action"]["blast_radius"]["or"] == 5
    assert shipped.Storm.model_validate({"matches": shipped.as_written(shipped.Storm())["matches"]}) == shipped.Storm()


def test_a_gate_that_is_written_as_nothing_does_not_apply() -> None:
    made = shipped.RunAction.model_validate({"cooldown": None, "max_age": None, "attempts": None, "chain_depth": None})
    assert (made.cooldown, made.max_age, made.attempts, made.chain_depth) == (None, None, None, None)
    with pytest.raises(pydantic.ValidationError):
        shipped.RunAction.model_validate({"timeout": None})
