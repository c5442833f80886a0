"""An event of the past is explained in the memory that its rules had then, whatever has happened since."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from healer import engine, project
from healer.decide import alerts, evaluating, recovery
from healer.store import deciding

S = 1_000_000
RULES = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: once, condition: event.a == 1, throttle: {once_within: 10 seconds, group_by_attributes: [event.h]}, action: {none: {}}}
    - {name: third, condition: event.a == 2, throttle: {accumulate_within: 30 seconds, threshold: 3, group_by_attributes: [event.h]}, action: {none: {}}}
    - {name: both, condition: {all: [event.b == 1, event.c == 1], timeout: 20 seconds}, action: {none: {}}}
    - {name: later, condition: event.d == 1, throttle: {once_after: 15 seconds, group_by_attributes: [event.h]}, action: {none: {}}}
    - {name: plain, condition: event.e == 1, action: {none: {}}}
- name: forgetful
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: any, condition: event.h == "x", action: {none: {}}}
"""
FIELDS = ({"a": 1}, {"a": 2}, {"b": 1}, {"c": 1}, {"d": 1}, {"e": 1}, {"a": 1, "b": 1})


def as_then(box: Any) -> Any:
    """As the daemon has it."""

    async def memory(seq: int, _: project.Revision, names: Collection[str]) -> Mapping[str, engine.Session]:
        known = alerts.Alerts(await box.store.reader.all("alerts_state"))

        async def rules_of(_: str) -> evaluating.Evaluator | None:
            return box.evaluator  # type: ignore[no-any-return]

        past = await recovery.past(box.store, names, seq - 1, rules_of, known)
        return {} if past is None else {name: one.session for name, one in past.running.items()}

    return memory


def told(entries: Any) -> dict[str, Any]:
    return {one["rule"]: one["reason"] for one in entries if not one["fires"]}


@pytest.mark.parametrize("seed", range(5))
async def test_it_is_what_was_so_then(make_box: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "PAST_ROWS", 7)
    box = await make_box({"rulebooks/act.yml": RULES})
    chance, expected = random.Random(seed), {}
    for _ in range(60):
        box.now_us += chance.choice((0, 1, 3, 8)) * S
        body = {"h": chance.choice("xy"), **chance.choice(FIELDS)}
        now = box.now_us / S
        before: dict[str, Any] = {}
        for name, one in box.evaluator.running.items():
            if one.timed:
                box.post({}, kind="tick", source="healer")
            before |= {f"{name}/{rule}": reason for rule, reason in told(one.session.explain(body, now)).items()}
        box.post(body)
        expected[box.position] = before
        if chance.random() < 0.3:
            taken = await recovery.take(box.evaluator, box.position)
            unit = deciding.Decide(box.position, box.position, box.now_us, 1, [], box.standing.of_run, taken)
            box.store.writer.now(unit)
    box.now_us += 1_000 * S
    box.post({}, kind="tick", source="healer")
    assert len(box.store.writer.tx.connection.execute("SELECT seq FROM past").fetchall()) > 2
    for seq, before in expected.items():
        found = await box.why(f"e-{seq}", memory=as_then(box))
        silent = {one["rule"]: one["reason"] for one in found["rules"] if not one["fired"]}
        assert silent == before, seq
        assert all(one["exact"] for one in found["rules"] if not one["fired"])


async def test_what_is_too_far_behind_a_snapshot_is_told_without_its_memory(
    make_box: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PAST_REPLAY_MAX", 3)
    box = await make_box({"rulebooks/act.yml": RULES})
    for _ in range(9):
        box.post({"a": 1, "h": "x"})
    (once,) = (await box.why(rule="once", memory=as_then(box)))["rules"]
    assert (once["exact"], once["reason"]) == (False, "throttled")


JOINS = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: pair
      condition: {all: [events.s << event.k == 1, event.k == 2 and event.host == events.s.host], timeout: 20 seconds}
      action: {none: {}}
"""


async def test_a_join_that_fired_shows_the_fields_of_its_partner_or_that_they_are_not_known(make_box: Any) -> None:
    box = await make_box({"rulebooks/act.yml": JOINS})
    box.post({"k": 1, "host": "h"})
    box.post({"k": 2, "host": "h"})
    wanted = {"path": "events.s.host", "missing": False, "value": "h"}
    for memory, partner in ((as_then(box), wanted), (None, {"path": "events.s.host", "unknown": True})):
        (one,) = (await box.why(memory=memory))["rules"]
        assert one["fired"]
        assert [seen for test in one["conditions"] for seen in test["seen"]][-1] == partner
