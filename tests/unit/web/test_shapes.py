"""Rows as the API shows them."""

from __future__ import annotations

from typing import Any

import pytest

from healer.policy import reasons
from healer.web import shapes

RUN: dict[str, Any] = {
    "id": "r-" + "a" * 26, "state": "succeeded", "reason": "", "detail": '{"summary":"3 services restarted"}', "seq": 7,
    "rule": "a/b/c", "action": "x", "controller": "local", "targets": [], "parameters": '{"password":"env:PASSWORD"}', "dry_run": 0,
    "actor": "rule:a/b/c", "created_us": 1, "changed_us": 2, "ended_us": None, "attempts": 0, "last": None,
}  # fmt: skip


def test_without_a_reason_the_sentence_is_the_summary() -> None:
    shown = shapes.run(RUN)
    assert (shown["sentence"], shown["next_step"], shown["ended"], shown["dry_run"]) == (
        "3 services restarted",
        "",
        None,
        False,
    )


def test_secrets_stay_references() -> None:
    assert shapes.run(RUN)["parameters"] == {"password": "env:PASSWORD"}


def test_a_code_of_another_version_is_shown_bare() -> None:
    assert shapes.run(RUN | {"reason": "of_tomorrow", "detail": "{}"})["sentence"] == "of_tomorrow"


def test_a_field_that_is_missing_is_no_failure() -> None:
    assert "?" in shapes.run(RUN | {"reason": "cooldown", "detail": "{}"})["sentence"]
    assert "?" in shapes.decision({
        "rule": "r", "action": "a", "action_index": 0, "run": None, "outcome": "refused", "reason": "cooldown", "at_us": 1,
        "explanation": None,
    })["sentence"]  # fmt: skip


def test_what_would_have_held_a_simulated_run_is_told() -> None:
    simulated = RUN | {"state": "simulated", "reason": "dry_run", "detail": '{"would":"stale","why":"Too old."}'}
    assert shapes.run(simulated)["would"] == "stale"
    assert shapes.run(simulated | {"detail": "{}"})["would"] is None
    assert shapes.run(RUN)["would"] is None


ATTEMPT: dict[str, Any] = {
    "number": 1, "token": "t", "state": "queued", "targets": "[]", "controller": "local", "held": "target_busy", "not_before_us": 1,
    "started_us": None, "deadline_us": None, "ended_us": None, "outcome": None, "stdout_hash": None, "stderr_hash": None, "cancel_by": None,
}  # fmt: skip


@pytest.mark.parametrize("code", [code for code, one in reasons.REASONS.items() if one.outcome is None])
def test_what_holds_an_attempt_is_said_without_unfilled_places(code: str) -> None:
    said = shapes.attempt(ATTEMPT | {"held": code}, {})["held_sentence"]
    assert said.endswith(".")
    assert "?" not in said


@pytest.mark.parametrize(("state", "held"), [("queued", ""), ("withdrawn", "target_busy"), ("running", "target_busy")])
def test_what_does_not_wait_is_held_by_nothing(state: str, held: str) -> None:
    assert shapes.attempt(ATTEMPT | {"state": state, "held": held}, {})["held_sentence"] == ""
