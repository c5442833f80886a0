"""Values of a body are asked for by name: what decides is read strictly and told with its path, what adorns as far as it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from healer import errors
from healer.formats import _part

BODY = {
    "none": None,
    "empty": "",
    "text": "a",
    "whole": 7,
    "part": {"x": 1},
    "list": [{"x": 1}, 5],
    "yes": True,
    "half": 0.5,
}


def whole() -> _part.Part:
    return _part.whole(BODY)


def test_the_first_value_that_says_something_counts() -> None:
    assert whole().word("nothing", "none", "empty", "whole", "text") == "7"
    assert whole().word("none") == ""
    assert whole().line("yes", "half", "list", "text") == "a"
    assert whole().when("yes", "none", "empty", "part", "half") == 0.5
    assert whole().when("none", "yes") == ""


def test_what_is_too_long_to_be_a_time_is_none() -> None:
    assert _part.Part("", {"a": "x" * 1025, "b": 1}).when("a", "b") == 1


def test_paths_lead_to_what_is_wrong() -> None:
    assert whole().part("part").at("x") == "part.x"
    assert whole().part("none").values == whole().part("nothing").values == {}
    assert [one.at("x") for one in whole().objects("list")] == ["list[0].x"]
    assert whole().objects("text") == []


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda body: body.part("text"), "text"),
        (lambda body: body.wanted("none"), "none"),
        (lambda body: body.wanted("list"), "list"),
        (lambda body: body.needed("empty"), "empty"),
        (lambda body: body.word("empty", "yes", "text"), "yes"),
        (lambda body: body.word("half"), "half"),
        (lambda body: body.part("part").text("x"), "part.x"),
    ],
)
def test_what_decides_is_read_strictly(ask: Callable[[_part.Part], Any], field: str) -> None:
    with pytest.raises(errors.InvalidField) as raised:
        ask(whole())
    assert raised.value.fields["field"] == field


def test_an_alert_has_all_its_words_and_a_long_key_is_hashed() -> None:
    found = _part.alert("k" * 2000, name="n")
    assert set(found) == {
        "name", "target", "status", "severity", "severity_raw", "key", "started_at", "summary", "link", "labels",
    }  # fmt: skip
    assert (found["name"], found["status"], found["severity"], len(found["key"])) == ("n", "event", "unknown", 26)


@pytest.mark.parametrize(("parts", "made"), [(("a", "b"), "a#b"), (("a",), "a"), (("a", ""), ""), (("",), "")])
def test_the_id_of_a_delivery_needs_all_its_parts(parts: tuple[str, ...], made: str) -> None:
    assert _part.delivery(*parts) == made


@pytest.mark.parametrize("part", ["é", "a\nb", "x" * 257])
def test_what_cannot_be_an_id_is_hashed(part: str) -> None:
    assert len(_part.delivery(part)) == 26
    assert _part.delivery(part) == _part.delivery(part)
