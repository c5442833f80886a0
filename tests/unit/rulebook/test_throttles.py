"""The key `throttle`, by the numbers of the measured semantics (8.1, 8.2, 8.4)."""

from __future__ import annotations

from typing import Any

import pytest

from healer import config, engine, rulebook
from healer.rulebook import throttles


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10 seconds", (10_000_000, "10 SECONDS")), ("1 second", (1_000_000, "1 SECONDS")),
        ("5 milliseconds", (5_000, "5 MILLISECONDS")), ("2 minutes", (120_000_000, "2 MINUTES")),
        ("0 seconds", (0, "0 SECONDS")), ("1 day", (86_400_000_000, "1 DAYS")), ("10s", None), ("1.5 seconds", None),
        ("3 weeks", None), ("3  hours", None), ("3 Hours", None), (5, None), ("٣ hours", (10_800_000_000, "3 HOURS")),
        ("3 hours\n", (10_800_000_000, "3 HOURS")), ("3 hours\n\n", None),
    ],
)  # fmt: skip
def test_8_1_durations(text: Any, wanted: Any) -> None:
    assert throttles.window(text) == wanted


def read(condition: str, throttle: str) -> tuple[list[str], list[engine.Ruleset]]:
    text = f"""
- name: s
  hosts: all
  sources: []
  rules:
    - name: r
      condition: {condition}
      throttle: {throttle}
      action: {{none: }}
"""
    document = config.read_text(text, "x")
    found = rulebook.parse(document, {})
    return [one.code for one in document.diagnostics], found


def test_8_2_only_on_a_single_event() -> None:
    window = "{once_within: 10 seconds, group_by_attributes: [a]}"
    assert "throttle-condition" in read("{any: [event.a == 1, event.b == 1]}", window)[0]
    assert "throttle-condition" in read("event.a is not defined", window)[0]
    assert read("{any: [event.a == 1]}", window)[0] == []


@pytest.mark.parametrize(
    ("throttle", "kind", "threshold"),
    [
        ("once_within: 10 seconds, threshold: 2", "once_within", 1),
        ("once_within: 10 seconds, accumulate_within: 5 seconds", "once_within", 1),
        ("accumulate_within: 5 seconds, once_after: 10 seconds", "once_after", 1),
    ],
)
def test_what_upstream_takes_no_notice_of_is_a_warning(throttle: str, kind: str, threshold: int) -> None:
    codes, (made,) = read("event.i == 1", f"{{{throttle}, group_by_attributes: [a]}}")
    assert codes == ["throttle-unused"]
    found = made.rules[0].throttle
    assert found is not None
    assert (found.kind, found.window_us, found.threshold) == (kind, 10_000_000, threshold)


def test_8_4_the_prefix_is_optional() -> None:
    codes, (made,) = read(
        "event.i == 1", '{once_within: 10 seconds, group_by_attributes: [a.b, event.a.b, fact.a, "a[0]"]}'
    )
    assert codes == []
    assert made.rules[0].throttle is not None
    assert made.rules[0].throttle.groups == (("a", "b"), ("a", "b"), ("a",), ("a", 0))


def test_an_attribute_that_is_never_found_is_a_trap() -> None:
    codes, (made,) = read("event.i == 1", "{once_within: 10 seconds, group_by_attributes: [event.h-x]}")
    assert codes == ["trap-group-attribute"]
    session = engine.Session(made)
    assert [len(session.post({"i": 1, "h-x": 1}, 0)) for _ in range(2)] == [1, 1]


def test_an_empty_attribute_is_refused() -> None:
    assert read("event.i == 1", "{once_within: 10 seconds, group_by_attributes: ['']}")[0] == ["wrong-type"]


def test_two_kinds_are_told_beside_a_key_that_is_missing() -> None:
    rule = "{name: r, condition: event.a == 1, throttle: {once_within: 5 minutes, once_after: 3 seconds}, action: {none: {}}}"
    document = config.read_text(f"- {{name: a, hosts: all, sources: [], rules: [{rule}]}}\n", "a.yml")
    rulebook.parse(document, {})
    assert [one.code for one in document.diagnostics] == ["missing-key", "throttle-kind"]
