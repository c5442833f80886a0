"""The gates' values as they are written, in `defaults`, policies, the catalog and rulebooks: what is read, and the words for what is wrong."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import catalog, config, measures, plugins, rulebook
from healer.project import settings

DAY = 86_400


def read(gate: str) -> tuple[dict[str, Any], list[tuple[int, int, str]]]:
    """(layer, (line, column, message) of each mistake) of one gate of a policy."""
    document = config.read_text(f"policies:\n- name: x\n  {gate}\n", "healer.yaml")
    found = settings.read(document, {}, {})
    told = [(one.place.line, one.place.column, one.message) for one in (*document.diagnostics, *found.diagnostics)]
    return found.settings.policies[0].layer() if found.settings.policies else {}, told


@pytest.mark.parametrize(("gate", "layer"), [
    ("cooldown: 5 minutes", {"cooldown": 300}), ("max_age: 1h", {"max_age": 3600}), ("defer_for: 0s", {"defer_for": 0}), ("settle: 60 seconds", {"settle": 60}),
    ("attempts: 1", {"attempts": 1}), ("timeout: 1.5s", {"timeout": 1.5}), ("concurrency: 2", {"concurrency": 2}), ("cooldown:", {}),
    ("rate_limit: 30 per hour", {"rate_limit": {"count": 30, "within": 3600}}), ("rate_limit: 1 per second", {"rate_limit": {"count": 1, "within": 1}}),
    ("rate_limit: 2 per 10 minutes", {"rate_limit": {"count": 2, "within": 600}}), ("rate_limit: 2 per 10m", {"rate_limit": {"count": 2, "within": 600}}),
    ("rate_limit: 5 per days", {"rate_limit": {"count": 5, "within": DAY}}), ("rate_limit: 9 per 31 days", {"rate_limit": {"count": 9, "within": 31 * DAY}}),
    ("breaker: {failures: 3, within: 30 minutes, retry_after: 0s}", {"breaker": {"failures": 3, "within": 1800, "retry_after": 0}}),
    ("flapping: {cycles: 4, within: 1h}", {"flapping": {"cycles": 4, "within": 3600}}),
    ("blast_radius: {targets: 20%, within: 1h}", {"blast_radius": {"count": None, "percent": 20, "at_least": 1, "or": 5, "of": "", "within": 3600}}),
    ("blast_radius: {targets: '12.5 %', within: 1h, at_least: 0, or: 0, of: 'group:web'}",
     {"blast_radius": {"count": None, "percent": 12.5, "at_least": 0, "or": 0, "of": "web", "within": 3600}}),
    ("blast_radius: {targets: 0, within: 1h}", {"blast_radius": {"count": 0, "percent": None, "at_least": 1, "or": 5, "of": "", "within": 3600}}),
    ("windows: {}", {"windows": {"allow": [], "block": []}}),
    ("windows: {allow: [{}]}", {"windows": {"allow": [{"days": (), "start_min": 0, "end_min": 1440, "timezone": "UTC", "first_day": "", "last_day": ""}], "block": []}}),
    ("windows: {block: [{days: 'Mon-fri, sun', hours: '22:00-06:30', timezone: Europe/Vienna, dates: 2026-12-24}]}",
     {"windows": {"allow": [], "block": [{"days": (0, 1, 2, 3, 4, 6), "start_min": 1320, "end_min": 390, "timezone": "Europe/Vienna",
                                          "first_day": "2026-12-24", "last_day": "2026-12-24"}]}}),
    ("windows: {block: [{days: sat-mon, dates: 2026-12-24 .. 2027-01-06}]}",
     {"windows": {"allow": [], "block": [{"days": (0, 5, 6), "start_min": 0, "end_min": 1440, "timezone": "UTC", "first_day": "2026-12-24",
                                          "last_day": "2027-01-06"}]}}),
])  # fmt: skip
def test_what_is_written_becomes_a_layer(gate: str, layer: dict[str, Any]) -> None:
    assert read(gate) == (layer, [])


RATE = "a rate like '30 per hour' or '2 per 10 minutes' is wanted, got "
SHARE = "a share like '20%' or a number of targets is wanted, got "
HOURS = "a time of the day like 07:00-19:00 or 22:00-06:00 is wanted, got "
DATES = "a day like 2026-12-24, or two like 2026-12-24..2026-12-31, is wanted, got "
DAYS = "days like mon-fri or sat,sun are wanted, got "


@pytest.mark.parametrize(("gate", "column", "said"), [
    ("cooldown: soon", 13, "cooldown: a duration like '5 minutes' or '5m' is wanted, got 'soon'"), ("cooldown: 5", 13, "got 5"), ("settle: -1s", 11, "a duration"),
    ("attempts: 0", 13, "attempts: at least 1 is wanted, got 0"), ("attempts: 1.5", 13, "a whole number is wanted, got 1.5"), ("concurrency: {}", 3, "a whole number"),
    ("timeout: 0s", 12, "timeout: more than 0 seconds is wanted, got '0s'"),
    ("rate_limit: 5", 15, RATE + "5"), ("rate_limit: 5 per parsec", 15, RATE + "'5 per parsec'"), ("rate_limit: 5 per 32 days", 15, "a rate within at most 31 days is wanted, got '5 per 32 days'"),
    ("rate_limit: 5 per 0 seconds", 15, RATE + "'5 per 0 seconds'"), ("rate_limit: 5/h", 15, RATE + "'5/h'"), ("rate_limit: [5]", 3, RATE[:-6]),
    ("rate_limit: 0 per hour", 15, "at least 1 is wanted, got 0"), ("rate_limit: 9999999 per hour", 15, "at most 1000000 is wanted, got 9999999"),
    ("breaker: 3", 12, "breaker: a mapping with failures, within, retry_after is wanted, got 3"), ("breaker: {failures: 3, within: 1m}", 12, "the key 'retry_after' is missing"),
    ("breaker: {failures: 0, within: 1m, retry_after: 1m}", 23, "breaker.failures: at least 1 is wanted, got 0"),
    ("breaker: {failures: 101, within: 1m, retry_after: 1m}", 23, "at most 100"), ("breaker: {failures: 3, within: 0s, retry_after: 1m}", 34, "more than 0 seconds"),
    ("breaker: {failures: 3, within: 32 days, retry_after: 1m}", 34, "at most 31 days is wanted, got '32 days'"),
    ("flapping: {cycles: 1, within: 1h}", 22, "flapping.cycles: at least 2 is wanted, got 1"), ("flapping: {cycles: 4, within: 1h, x: 1}", 37, "not known here"),
    ("blast_radius: {targets: 20%}", 17, "the key 'within' is missing"), ("blast_radius: {targets: true, within: 1h}", 27, SHARE + "true"),
    ("blast_radius: {targets: 2.5, within: 1h}", 27, SHARE + "2.5"), ("blast_radius: {targets: 101%, within: 1h}", 27, SHARE + "'101%'"),
    ("blast_radius: {targets: -1, within: 1h}", 27, SHARE + "-1"), ("blast_radius: {targets: '3', within: 1h}", 27, SHARE + "'3'"),
    ("blast_radius: {targets: 1, within: 1h, or: -1}", 46, "blast_radius.or: at least 0"), ("blast_radius: {targets: 1, within: 1h, or_: 1}", 42, "the key 'or_'"),
    ("blast_radius: {targets: 1, within: 1h, of: web}", 46, "blast_radius.of: group:NAME is wanted, got 'web'"),
    ("windows: {allow: {}}", 13, "windows.allow: a list is wanted"), ("windows: {allow: [{day: mon}]}", 22, "the key 'day' is not known here"),
    ("windows: {allow: [{days: mon-fry}]}", 28, DAYS + "'mon-fry'"), ("windows: {allow: [{days: ''}]}", 28, DAYS + "''"), ("windows: {allow: [{days: 'mon,'}]}", 28, DAYS),
    ("windows: {allow: [{hours: 7-19}]}", 29, HOURS + "'7-19'"), ("windows: {allow: [{hours: '24:00-06:00'}]}", 29, HOURS), ("windows: {allow: [{hours: '07:00-24:01'}]}", 29, HOURS),
    ("windows: {allow: [{hours: '07:00-07:00'}]}", 29, HOURS + "'07:00-07:00'"), ("windows: {allow: [{hours: '07:60-08:00'}]}", 29, HOURS),
    ("windows: {allow: [{dates: 24.12.}]}", 29, DATES + "'24.12.'"), ("windows: {allow: [{dates: '2026-02-30'}]}", 29, DATES), ("windows: {allow: [{dates: '2026-12-31..2026-12-24'}]}", 29, DATES),
    ("windows: {allow: [{timezone: Europe/Wien}]}", 32, "a time zone like Europe/Vienna is wanted, got 'Europe/Wien'"), ("windows: {allow: [{timezone: ../etc}]}", 32, "a time zone"),
    ("windows: {allow: [{timezone: Europe}]}", 32, "a time zone"),
])  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(gate: str, column: int, said: str) -> None:
    ((line, at, message),) = read(gate)[1]
    assert (line, at) == (3, column), message
    assert said in message


def test_the_catalog_reads_the_same_gates() -> None:
    text = "a: {command: [x], impact: low, target: none, rate_limit: 5 per hour, settle: 60s, concurrency: 2, timeout: 5s}\nb: {command: [x], rate_limit: 5}\n"
    document = config.read_text(text, "actions.yaml")
    value: Any = document.value
    found = catalog.build([catalog.Written(name, document, value[name], value.keys_at[name]) for name in value])
    entry = found.entries["a"]
    assert (entry.gates, entry.concurrency) == (
        {"rate_limit": {"count": 5, "within": 3600}, "settle": 60, "timeout": 5}, 2,
    )  # fmt: skip
    assert [(str(one.place), one.message) for one in document.diagnostics if one.severity == "error"] == [
        ("actions.yaml:2:31", "the action 'b': rate_limit: " + RATE + "5"),
    ]  # fmt: skip


def test_a_rulebook_reads_the_same_gates() -> None:
    text = """\
- name: a
  hosts: all
  policy: {concurrency: 2, windows: {block: [{days: sat}]}}
  sources: [{range: {limit: 1}}]
  rules:
    - {name: r, condition: event.i == 1, policy: {blast_radius: {targets: 2%, within: 1h}, flapping: 5}, action: {debug: {}}}
"""
    document = config.read_text(text, "r.yml")
    (ruleset,) = rulebook.parse(document, {})
    (told,) = [one for one in document.diagnostics if one.severity == "error"]
    assert (told.place.line, told.place.column) == (6, 102)
    assert told.message == "policy: flapping: a mapping with cycles, within is wanted, got 5"
    assert ruleset.policy["concurrency"] == 2
    assert ruleset.policy["windows"]["block"][0]["days"] == (5,)


@hypothesis.given(st.text(max_size=30))
def test_no_text_raises_anything_but_what_is_told(text: str) -> None:
    for read_ in (plugins.rate_of, measures.targets_of):
        try:
            read_(text)
        except ValueError as told:
            assert " is wanted, got " in str(told)


@hypothesis.given(st.sampled_from(["days", "hours", "dates", "timezone"]), st.text(max_size=20))
def test_no_text_of_a_window_raises_anything_else(key: str, text: str) -> None:
    document = config.read_text("{}", "x")
    made = plugins.check_options(document, measures.When, {key: text}, (1, 1, 1), "x")
    assert (made is None) == bool(document.diagnostics)
    assert made is None or made.plain()["end_min"] >= 0
