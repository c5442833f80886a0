"""T4's afterwards: a failed attempt is tried again as often as its action says, and what an attempt gives reaches the journal."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from healer import model, policy
from healer.store import finishing, people

S = 1_000_000
FREE = policy.Limits(timeout_s=10, lock_targets=False)
TWICE = {"retries": {"times": 2, "delay_ms": 5000}}


def facts(kinds: list[str], depth_max: int | None = 5) -> dict[str, Any]:
    made = {
        "sources": ["ruleset:a/b"],
        "kinds": kinds,
        "action": "run_playbook",
        "depth_max": depth_max,
        "by_host": False,
    }
    return {"facts": made}


def only(kit: Any) -> Any:
    (claimed,) = kit.claim().claimed
    return claimed


def state(kit: Any) -> Any:
    return kit.rows("SELECT state, detail FROM run")[0]


def test_a_failed_one_is_tried_again_after_its_delay(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=FREE, extra=TWICE))
    kit.finish(only(kit), "failed")
    assert state(kit)[0] == "queued"
    assert orjson.loads(state(kit)[1]) == {"summary": "failed; retry 1 of 2 after 5 s", "retry": 1, "of": 2}
    assert kit.claim().claimed == []
    assert kit.claim().next_us == kit.now_us + 5 * S
    kit.now_us += 5 * S
    kit.finish(only(kit), "failed")
    kit.now_us += 5 * S
    kit.finish(only(kit), "failed")
    assert state(kit)[0] == "failed"
    assert kit.rows("SELECT number, state FROM attempt ORDER BY number") == [
        (1, "failed"),
        (2, "failed"),
        (3, "failed"),
    ]
    assert [one["detail"] for one in kit.audit() if one["kind"] == "transition"] == ["retry 1 of 2", "retry 2 of 2"]
    assert kit.verify().ok


COOL = policy.Limits(timeout_s=10, cooldown_s=600, attempts=3)


def test_a_cooldown_is_between_decisions_and_holds_no_retry_of_one(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=COOL, extra=TWICE))
    for _ in range(3):
        kit.finish(only(kit), "failed")
        kit.now_us += 5 * S
    assert state(kit)[0] == "failed"
    kit.decide(kit.asked("k", limits=COOL, extra=TWICE))
    assert kit.rows("SELECT state, reason FROM run") == [("deferred", "cooldown")]
    kit.now_us += 595 * S
    kit.decide(look=True)
    assert only(kit).number == 4


def test_a_retry_waits_for_the_cooldown_of_what_another_run_did_meanwhile(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=COOL, extra=TWICE))
    kit.finish(only(kit), "failed")
    kit.decide(kit.asked("other", limits=policy.Limits(timeout_s=10)))
    kit.finish(only(kit), "succeeded")
    kit.now_us += 5 * S
    assert kit.claim().claimed == []
    assert kit.rows("SELECT state, reason FROM run ORDER BY seq LIMIT 1") == [("deferred", "cooldown")]


def test_what_a_person_wants_once_more_does_not_wait_for_its_own_cooldown(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=COOL))
    claimed = only(kit)
    kit.finish(claimed, "unknown")
    kit.now_us += 60 * S
    kit.do(people.Resolve(claimed.run["id"], "queued", actor="key:ana", reason="it died half way"))
    assert only(kit).number == 2


@pytest.mark.parametrize("end", ["succeeded", "timed_out", "cancelled", "unknown"])
def test_any_other_end_is_not_tried_again(kit: Any, end: Any) -> None:
    kit.decide(kit.asked("k", limits=FREE, extra=TWICE))
    kit.finish(only(kit), end)
    assert kit.rows("SELECT count(*) FROM attempt") == [(1,)]


def test_what_was_refused_is_not_tried_again(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=FREE, extra=TWICE))
    kit.finish(only(kit), "failed", refused=True)
    assert kit.rows("SELECT count(*) FROM attempt") == [(1,)]
    assert kit.rows("SELECT state FROM run") == [("failed",)]


def test_the_next_of_a_list_waits_for_the_last_try(kit: Any) -> None:
    first = kit.asked("1", limits=FREE, extra={"retries": {"times": 1, "delay_ms": 0}}, upstream=True)
    kit.decide(first, kit.asked("2", limits=FREE, after=first.candidate.run, upstream=True))
    kit.finish(only(kit), "failed")
    kit.decide(look=True)
    again = only(kit)
    assert (again.run["id"], again.number) == (first.candidate.run, 2)
    kit.finish(again, "failed")
    kit.decide(look=True)
    assert only(kit).run["after"] == first.candidate.run


def test_while_a_lock_waits_to_be_tried_again_nobody_else_has_it(kit: Any) -> None:
    kit.decide(*(kit.asked(k, limits=FREE, lane="lock:a/b/x", extra=TWICE) for k in "ab"))
    kit.finish(only(kit), "failed")
    assert kit.claim().claimed == []
    kit.now_us += 5 * S
    assert only(kit).number == 2


def test_what_it_gives_becomes_facts_and_events(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=FREE, extra=facts(["fact", "event"])))
    kit.finish(only(kit), "succeeded", facts={"free": 12.5})
    rows = kit.rows(
        "SELECT kind, source, body, meta, depth, actor FROM journal WHERE source = 'ruleset:a/b' ORDER BY seq"
    )
    assert [(kind, source, orjson.loads(body), depth) for kind, source, body, _, depth, _ in rows] == [
        ("fact", "ruleset:a/b", {"free": 12.5}, 1), ("event", "ruleset:a/b", {"free": 12.5}, 1),
    ]  # fmt: skip
    assert {orjson.loads(row[3])["source"]["name"] for row in rows} == {"run_playbook"}


def test_nothing_is_given_where_nobody_asks_or_nothing_came(kit: Any) -> None:
    kit.decide(kit.asked("1", limits=FREE), kit.asked("2", "host:b", limits=FREE, extra=facts(["fact"])))
    for one in kit.claim().claimed:
        kit.finish(one, "succeeded", facts={"a": 1} if "facts" not in one.run["extra"] else None)
    assert kit.rows("SELECT count(*) FROM journal WHERE kind = 'fact'") == [(0,)]


def test_what_feeds_itself_ends_at_the_limit(kit: Any) -> None:
    kit.decide(kit.asked("k", limits=FREE, extra=facts(["event"], depth_max=3), depth=3))
    kit.finish(only(kit), "succeeded", facts={"a": 1})
    assert kit.rows("SELECT count(*) FROM journal WHERE depth > 0") == [(0,)]
    assert [one["reason"] for one in kit.audit() if one["kind"] == "facts_refused"] == ["chain_depth"]


GATHERS = {
    "facts": {
        "sources": ["ruleset:a/b", "ruleset:a/c"],
        "kinds": ["fact"],
        "action": "run_module",
        "depth_max": 5,
        "by_host": True,
    }
}


def gathered(kit: Any, source: str) -> list[Any]:
    rows = kit.rows("SELECT kind, body, meta FROM journal WHERE source = ? ORDER BY seq", source)
    return [(kind, orjson.loads(body), orjson.loads(meta)["hosts"] if meta else None) for kind, body, meta in rows]


def test_what_is_gathered_is_a_fact_for_each_host_and_replaces_the_last_one(kit: Any) -> None:
    found = [
        {"h1": {"os": "a"}, "h2": {"os": "b"}, "h3": None},
        {"h1": {"os": "a"}, "h2": {"os": "c"}},
        {"h2": {"os": "d"}},
    ]
    for number, facts_ in enumerate(found):
        kit.decide(kit.asked(str(number), limits=FREE, extra=GATHERS))
        kit.finish(only(kit), "succeeded", facts=facts_)
    wanted = [
        ("fact", {"os": "a"}, "h1"), ("fact", {"os": "b"}, "h2"),
        ("retract", {"retract": {"os": "b"}, "partial": False, "exclude_keys": ["meta"], "silent": True}, None), ("fact", {"os": "c"}, "h2"),
        ("retract", {"retract": {"os": "c"}, "partial": False, "exclude_keys": ["meta"], "silent": True}, None), ("fact", {"os": "d"}, "h2"),
    ]  # fmt: skip
    assert gathered(kit, "ruleset:a/b") == gathered(kit, "ruleset:a/c") == wanted


def test_one_that_failed_though_each_target_is_said_to_be_well_is_tried_again_on_all_of_them(kit: Any) -> None:
    """Else the next attempt would act on no target at all."""
    kit.decide(kit.asked("k", "host:web1", "host:web2", limits=FREE, extra=TWICE))
    claimed = only(kit)
    well = {"host:web1": "succeeded", "host:web2": "succeeded"}
    kept = finishing.Kept(kit.store.blobs.keep(b""), kit.store.blobs.keep(b""))
    outcome = model.Outcome("failed", "exit 1", 1, per_target=well)
    kit.do(finishing.Finish(claimed.token, claimed.run["id"], claimed.number, outcome, kept))
    kit.now_us += 5 * S
    assert only(kit).targets == ["host:web1", "host:web2"]
