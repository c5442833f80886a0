"""Answers: one shape of problems, and headers that no answer can change for the next."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from healer import errors
from healer.web import answers


def body(answer: Any) -> Any:
    return orjson.loads(answer.body)


def test_a_problem_has_what_the_rfc_wants_and_no_empty_members() -> None:
    answer = answers.problem_of(errors.NotFound(what="the run 'x'"))
    assert answer.content_type == "application/problem+json"
    assert body(answer) == {
        "type": "urn:healer:error:not-found", "title": "not found", "status": 404, "detail": "the run 'x' is not known",
        "code": "not-found",
    }  # fmt: skip


def test_what_a_program_can_use_is_beside_it() -> None:
    answer = answers.problem_of(errors.UnknownEventType("did you mean 'a'?", event_type="b", near=["a"]))
    assert body(answer)["near"] == ["a"]
    assert body(answer)["try"] == "did you mean 'a'?"


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (errors.Unauthorized(), "WWW-Authenticate"),
        (errors.BacklogFull(backlog=1, limit=1), "Retry-After"),
        (errors.MethodNotAllowed(method="PUT", wanted="GET"), "Allow"),
    ],
)
def test_a_header_of_one_answer_is_not_on_the_next(error: errors.HealerError, header: str) -> None:
    assert header in answers.problem_of(error).headers
    assert header not in answers.problem_of(errors.NotFound(what="x")).headers
    assert header not in answers.json({}).headers


def test_text_that_is_no_text_can_be_answered() -> None:
    assert "?" in body(answers.problem_of(errors.NotFound(what="\udcff")))["detail"]


def test_two_problems_of_a_code_have_one_title() -> None:
    assert (
        body(answers.problem_of(errors.NotFound(what="a")))["title"]
        == body(answers.problem_of(errors.NotFound(what="b")))["title"]
    )
