"""What would happen, in the shape of `explain`: shares of groups, targets, and rules that stay silent."""

from __future__ import annotations

from typing import Any

import pytest

from healer import engine, testing
from healer.explain import ahead


@pytest.mark.parametrize(
    ("groups", "sizes", "told"),
    [
        ([], {}, []),
        (
            [("all", "web"), ("web", "blue")],
            {"web": 12, "blue": 4, "all": 99},
            [("blue", 1, 4, 25.0), ("web", 2, 12, 16.7)],
        ),
        ([("all", "ungrouped"), ()], {}, [(None, 2, None, None)]),
        ([("web",), ()], {"web": 3}, [("web", 1, 3, 33.3), (None, 1, None, None)]),
    ],
)
def test_shares_of_groups(groups: Any, sizes: Any, told: Any) -> None:
    assert [tuple(one.values()) for one in ahead.shares(groups, sizes)] == told


RULE: engine.Rule = testing.load(
    [
        {
            "name": "s", "hosts": "all", "sources": [],
            "rules": [{"name": "r", "condition": "event.a == 1", "action": {"none": None}, "throttle": {"once_within": "5 minutes", "group_by_attributes": ["h"]}}],
        }
    ]
)[0].rules[0]  # fmt: skip


def test_a_rule_that_stays_silent_says_why_in_the_words_of_its_rulebook() -> None:
    told = ahead.silent("a/s/r", RULE, {"reason": "throttled", "taken_by": None}, [])
    assert (told["fired"], told["reason"], told["throttle"]) == (False, "throttled", "once_within: 5 minutes")
    taken = ahead.silent("a/s/r", RULE, {"reason": "taken", "taken_by": "other"}, [])
    assert (taken["taken_by"], "throttle" in taken) == ("other", False)


def test_a_rule_whose_ruleset_failed_says_that() -> None:
    told = ahead.silent("a/s/r", RULE, {"reason": "no-match", "taken_by": None}, [], "RuntimeError: boom")
    assert (told["reason"], told["error"]) == (ahead.FAILED, "RuntimeError: boom")


def decision(**more: Any) -> dict[str, Any]:
    return {
        "rule": "a/s/r", "action": "clean", "run": "r-1", "outcome": "queued", "reason": "", "revision": 1, "explanation": "{}",
        "state": "queued", "run_seq": 7, "run_reason": "", "run_detail": "{}", "run_explanation": '{"gates":[{"gate":"age","ok":true,"saw":{}}]}',
        "deferred_us": None, **more,
    }  # fmt: skip


RUN = {"controller": "here", "kind": "script", "subject": '"x.sh"', "parameters": '{"n":1}', "dry_run": 1}


def target(name: str, state: str, *groups: str, reason: str = "") -> dict[str, Any]:
    value = f'{{"groups":[{",".join(f"{chr(34)}{one}{chr(34)}" for one in groups)}]}}'
    return {"target": name, "state": state, "reason": reason, "detail": "{}", "value": value}


def test_what_fires_is_told_with_what_it_reaches_but_for_targets_that_are_left_out() -> None:
    targets = [target("host:a", "queued", "web"), target("host:b", "left_out", "web", reason="cooldown")]
    told = ahead.fired(decision(), 7, RUN, targets, {"web": 4})
    assert (told["queued"], told["controller"], told["subject"], told["parameters"]) == (True, "here", "x.sh", {"n": 1})
    assert told["dry_run"] is True
    assert told["gates"][0]["gate"] == "age"
    assert [(one["target"], one["state"], bool(one["sentence"])) for one in told["targets"]] == [
        ("host:a", "queued", False), ("host:b", "left_out", True),
    ]  # fmt: skip
    assert told["groups"] == [{"group": "web", "targets": 1, "size": 4, "percent": 25.0}]


def test_a_repeat_of_what_is_queued_would_queue_nothing() -> None:
    told = ahead.fired(decision(outcome="suppressed", reason="duplicate"), 7, RUN, [], {})
    assert (told["queued"], told["outcome"], told["reason"]) == (False, "suppressed", "duplicate")


def test_an_internal_action_has_no_run() -> None:
    told = ahead.fired(decision(run=None, state=None, run_seq=None, outcome="done"), 7, None, [], {})
    assert (told["outcome"], told["queued"], told["targets"], "controller" in told) == ("done", False, [], False)
