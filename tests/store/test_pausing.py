"""The kill switch in rows: what a pause covers, who is woken by its end, and how slowly it comes back."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from healer import policy
from healer.store import pausing, seeing

S = 1_000_000
WIDE = policy.Limits(timeout_s=10)
COVERING = ["all", "activation:a", "ruleset:a/b", "rule:a/b/c", "controller:here"]
OTHERS = [
    "activation:aa",
    "activation:b",
    "ruleset:b",
    "ruleset:a/bb",
    "rule:a/b",
    "rule:c",
    "rule:a/b/cc",
    "controller:her",
    "rule:here",
]


def asked(kit: Any, key: str, *targets: str, rule: str = "a/b/c", **more: Any) -> Any:
    """As `kit.asked`, of any rule; it works on a host of its own."""
    made = kit.asked(key, *(targets or (f"host:{key}",)), limits=more.pop("limits", WIDE), **more)
    return dataclasses.replace(made, candidate=dataclasses.replace(made.candidate, rule=rule))


def only(decided: Any) -> str:
    (run,) = decided.runs
    return str(run)


def states(kit: Any) -> dict[str, tuple[str, str]]:
    """Run → (state, reason)."""
    return {run: (state, reason) for run, state, reason in kit.rows("SELECT id, state, reason FROM run")}


def last_record(kit: Any) -> dict[str, Any]:
    record = kit.audit()[-1]
    return {name: value for name, value in record.items() if name not in ("seq", "at_us", "environment")}


def look(kit: Any) -> None:
    """The tick that looks at what is due."""
    kit.now_us += 1
    kit.decide(look=True)


# --- pausing ----------------------------------------------------------------------------------------------------------------


def test_a_pause_says_what_is_under_way_and_how_many_wait(kit: Any) -> None:
    running = only(kit.decide(asked(kit, "one")))
    kit.claim()
    kit.decide(asked(kit, "two"), asked(kit, "three"), asked(kit, "other", rule="a/b/d"))
    under_way, waiting = kit.do(pausing.Pause("rule:a/b/c", "os:ana", "it hurts", 7, "digest"))
    assert under_way == [pausing.UnderWay(running, f"{running}-1", "clean", ["host:one"], kit.now_us)]
    assert waiting == 2
    assert last_record(kit) == {
        "kind": "pause", "actor": "os:ana", "scope": "rule:a/b/c", "reason": "it hurts", "until_us": 7, "until_changed": True,
    }  # fmt: skip
    assert kit.rows("SELECT * FROM pause") == [("rule:a/b/c", "os:ana", "it hurts", kit.now_us, 7, "digest")]
    kit.claim()
    assert Counter(states(kit).values()) == {("running", ""): 2, ("deferred", "paused"): 2}
    assert kit.do(pausing.Pause("all", "os:ana", ""))[1] == 2
    assert last_record(kit) == {"kind": "pause", "actor": "os:ana", "scope": "all"}


def test_a_second_pause_of_a_scope_takes_the_place_of_the_first(kit: Any) -> None:
    kit.do(pausing.Pause("all", "os:ana", "first", 7, "digest"))
    kit.now_us += S
    kit.do(pausing.Pause("all", "key:bob", "second"))
    assert kit.rows("SELECT * FROM pause") == [("all", "key:bob", "second", kit.now_us, None, None)]
    assert [record["reason"] for record in kit.audit() if record["kind"] == "pause"] == ["first", "second"]


@pytest.mark.parametrize("scope", COVERING)
def test_what_it_covers_is_decided_and_does_not_start(kit: Any, scope: str) -> None:
    before = only(kit.decide(asked(kit, "before")))
    kit.do(pausing.Pause(scope, "os:ana", "it hurts"))
    after = only(kit.decide(asked(kit, "after")))
    assert kit.claim().claimed == []
    assert states(kit) == dict.fromkeys((before, after), ("deferred", "paused"))
    ((detail,),) = kit.rows("SELECT detail FROM run WHERE id = ?", after)
    told = json.loads(detail)
    name = scope.partition(":")[2]
    assert (told["who"], told["reason"], told["resume"]) == (
        "os:ana", "it hurts", f"healer resume --{scope.partition(':')[0]}" + (f" {name}" if name else ""),
    )  # fmt: skip
    assert kit.verify().ok


@pytest.mark.parametrize("scope", OTHERS)
def test_what_it_does_not_cover_starts(kit: Any, scope: str) -> None:
    kit.do(pausing.Pause(scope, "os:ana", ""))
    run = only(kit.decide(asked(kit, "k")))
    assert [claimed.run["id"] for claimed in kit.claim().claimed] == [run]


@pytest.mark.parametrize("scope", [*COVERING, *OTHERS])
async def test_who_waits_for_the_end_of_no_row_is_known(make_kit: Callable[..., Any], scope: str) -> None:
    """The file had held it."""
    kit = make_kit(None)
    file = {"scope": "everything", "who": "the file", "since": "", "reason": ""}
    kit.standing = dataclasses.replace(kit.standing, paused=file)
    kit.decide(asked(kit, "k"))
    kit.do(pausing.Pause(scope, "os:ana", ""))
    rows, rules = kit.store.reader, kit.store.writer.tx.rules
    assert await pausing.held_by_none(rows, rules) is (scope not in COVERING)
    rules.use({"a/b/c": ("a/b", "c", "")})
    assert await pausing.held_by_none(rows, rules) is (scope not in ("all", "controller:here"))
    kit.close()


def test_the_pause_that_lasts_longest_is_told(kit: Any) -> None:
    for scope, until_us in (("all", 5 * S), ("rule:a/b/c", None), ("controller:here", 9 * S)):
        kit.do(pausing.Pause(scope, f"os:{scope[:3]}", "", until_us))
    kit.decide(asked(kit, "k"))
    ((detail,),) = kit.rows("SELECT detail FROM run")
    assert json.loads(detail)["who"] == "os:rul"


# --- its end ----------------------------------------------------------------------------------------------------------------


def test_a_resume_wakes_what_it_held_and_nothing_else(kit: Any) -> None:
    for scope in ("rule:a/b/c", "rule:a/b/d"):
        kit.do(pausing.Pause(scope, "os:ana", ""))
    mine, other = only(kit.decide(asked(kit, "c"))), only(kit.decide(asked(kit, "d", rule="a/b/d")))
    look(kit)
    assert {reason for _, reason in states(kit).values()} == {"paused"}
    assert kit.do(pausing.Resume("rule:a/b/c", "key:bob")) is True
    assert last_record(kit) == {"kind": "resume", "actor": "key:bob", "scope": "rule:a/b/c"}
    assert kit.rows("SELECT id FROM run WHERE look_at_us IS NOT NULL") == [(mine,)]
    look(kit)
    assert states(kit) == {mine: ("queued", ""), other: ("deferred", "paused")}
    assert kit.verify().ok


def test_only_what_is_paused_is_resumed(kit: Any) -> None:
    kit.do(pausing.Pause("rule:a/b/c", "os:ana", ""))
    size = len(kit.audit())
    for scope in ("all", "rule:a/b/cc", "ruleset:a/b", "rule:a/b/c "):
        assert kit.do(pausing.Resume(scope, "key:bob")) is False
    assert len(kit.audit()) == size
    assert kit.do(pausing.Resume("rule:a/b/c", "key:bob")) is True
    assert kit.do(pausing.Resume("rule:a/b/c", "key:bob")) is False


def test_what_another_pause_covers_too_stays(kit: Any) -> None:
    kit.do(pausing.Pause("all", "os:ana", ""))
    kit.do(pausing.Pause("rule:a/b/c", "os:bob", ""))
    run = only(kit.decide(asked(kit, "k")))
    kit.do(pausing.Resume("all", "os:ana"))
    look(kit)
    assert states(kit) == {run: ("deferred", "paused")}
    assert kit.claim().claimed == []


def test_it_ends_by_itself_at_its_time_and_not_before(kit: Any) -> None:
    kit.do(pausing.Pause("all", "os:ana", "", 500 * S))
    kit.do(pausing.Pause("rule:a/b/c", "os:ana", "", 501 * S))
    run = only(kit.decide(asked(kit, "k", rule="a/b/d")))
    assert kit.do(pausing.EndOfThemselves(500 * S - 1)) == []
    assert kit.do(pausing.EndOfThemselves(500 * S)) == ["all"]
    assert last_record(kit) == {"kind": "resume", "actor": "daemon", "scope": "all", "reason": "its time is over"}
    look(kit)
    assert states(kit) == {run: ("queued", "")}


def test_it_holds_until_its_row_is_gone_also_beyond_its_time(kit: Any) -> None:
    """Else what it held would start at once and all together, before anybody had ended it."""
    kit.do(pausing.Pause("all", "os:ana", "", kit.now_us + S))
    run = only(kit.decide(asked(kit, "k")))
    kit.now_us += 60 * S
    look(kit)
    assert states(kit) == {run: ("deferred", "paused")}
    assert kit.rows("SELECT look_at_us FROM run") == [(None,)]
    assert kit.claim().claimed == []


@pytest.mark.parametrize(("digests", "ends"), [
    (None, []), ({"all": "d", "rule:a/b/c": "d"}, []), ({"all": "other", "rule:a/b/c": "d"}, ["all"]), ({"rule:a/b/c": "d"}, ["all"]),
])  # fmt: skip
def test_it_ends_by_itself_once_what_it_covers_has_changed(kit: Any, digests: Any, ends: list[str]) -> None:
    for scope, digest in (("all", "d"), ("rule:a/b/c", "d"), ("controller:here", None)):
        kit.do(pausing.Pause(scope, "os:ana", "", None, digest))
    assert kit.do(pausing.EndOfThemselves(1, digests)) == ends
    if ends:
        assert last_record(kit)["reason"] == "what it covers has changed"


def test_what_has_no_meaning_yet_ends_once_it_has_one(kit: Any) -> None:
    """A scope whose rules are all switched off means nothing: that is a digest too."""
    kit.do(pausing.Pause("rule:a/b/c", "os:ana", "", None, ""))
    assert last_record(kit)["until_changed"] is True
    assert kit.do(pausing.EndOfThemselves(1, {})) == []
    assert kit.do(pausing.EndOfThemselves(1, {"rule:a/b/c": "d"})) == ["rule:a/b/c"]


def test_the_end_of_the_file_wakes_what_it_held_and_comes_back_slowly(kit: Any) -> None:
    kit.do(pausing.Pause("rule:a/b/d", "os:ana", ""))
    kit.standing = dataclasses.replace(
        kit.standing, paused={"scope": "everything", "who": "the file", "since": "", "reason": ""}
    )
    runs = [only(kit.decide(asked(kit, key))) for key in ("one", "two")]
    other = only(kit.decide(asked(kit, "d", rule="a/b/d")))
    kit.standing = dataclasses.replace(kit.standing, paused=None)
    assert kit.do(pausing.Lifted({"scope": "everything"})) == 3
    assert last_record(kit) == {"kind": "resume", "actor": "daemon", "detail": {"scope": "everything"}}
    look(kit)
    assert states(kit) == dict.fromkeys(runs, ("queued", "")) | {other: ("deferred", "paused")}
    assert len(kit.claim().claimed) == 1
    size = len(kit.audit())
    kit.do(pausing.Lifted())
    assert len(kit.audit()) == size


# --- the ramp ---------------------------------------------------------------------------------------------------------------


def paused_and_resumed(kit: Any, count: int, scope: str = "all") -> None:
    """So many runs that were held, and may go on."""
    kit.do(pausing.Pause(scope, "os:ana", ""))
    kit.decide(*(asked(kit, f"n{number}") for number in range(count)))
    kit.now_us += S
    kit.do(pausing.Resume(scope, "os:ana"))
    look(kit)


@pytest.mark.parametrize("scope", COVERING)
def test_what_comes_back_starts_one_two_four(kit: Any, scope: str) -> None:
    paused_and_resumed(kit, 20, scope)
    waves = []
    while claimed := kit.claim().claimed:
        waves.append(len(claimed))
        kit.now_us += S
        for one in claimed:
            kit.finish(one)
    assert waves == [1, 2, 4, 8, 5]


def test_each_end_makes_room_for_two(kit: Any) -> None:
    paused_and_resumed(kit, 20)
    going = kit.claim().claimed
    for ended in range(1, 8):
        kit.now_us += S
        kit.finish(going.pop(0), "failed" if ended % 2 else "succeeded")
        going += kit.claim().claimed
        assert len(going) == 1 + ended


def test_what_was_under_way_all_the_time_says_nothing_of_what_comes_back(kit: Any) -> None:
    kit.decide(*(asked(kit, f"before{number}") for number in range(5)))
    before = kit.claim().claimed
    paused_and_resumed(kit, 10)
    (first,) = kit.claim().claimed
    for one in before:
        kit.finish(one)
    assert kit.claim().claimed == []
    assert {reason for state, reason in states(kit).values() if state == "queued"} == {"concurrency"}
    ((detail,), *_) = kit.rows("SELECT detail FROM run WHERE state = 'queued'")
    assert json.loads(detail)["place"] == "the ramp after the pause of everything"
    kit.finish(first)
    assert len(kit.claim().claimed) == 2


def test_others_do_not_wait_for_a_ramp(kit: Any) -> None:
    paused_and_resumed(kit, 5, "rule:a/b/c")
    kit.decide(*(asked(kit, f"d{number}", rule="a/b/d") for number in range(5)))
    assert Counter(claimed.run["rule"] for claimed in kit.claim().claimed) == {"a/b/c": 1, "a/b/d": 5}


def test_no_ramp_where_nothing_comes_back(kit: Any) -> None:
    paused_and_resumed(kit, 0)
    assert kit.rows("SELECT * FROM ramp") == []


def test_a_pause_ends_its_ramp(kit: Any) -> None:
    paused_and_resumed(kit, 3)
    assert kit.rows("SELECT scope, what FROM ramp") == [("all", "the pause of everything")]
    kit.do(pausing.Pause("all", "os:ana", ""))
    assert kit.rows("SELECT * FROM ramp") == []


def test_it_ends_once_enough_have_ended(kit: Any) -> None:
    paused_and_resumed(kit, seeing.RAMP_MAX + 30)
    ended = 0
    while ended < seeing.RAMP_MAX:
        assert kit.rows("SELECT scope FROM ramp") == [("all",)]
        kit.now_us += S
        for one in kit.claim(seeing.RAMP_MAX - ended).claimed:
            kit.finish(one)
            ended += 1
    assert len(kit.claim(100).claimed) == 30
    assert kit.rows("SELECT * FROM ramp") == []


def test_it_ends_after_an_hour_where_nothing_waits(kit: Any) -> None:
    paused_and_resumed(kit, 3)
    for _ in range(2):
        for one in kit.claim().claimed:
            kit.finish(one)
    kit.now_us += seeing.RAMP_US - 10 * S
    kit.claim()
    assert kit.rows("SELECT scope FROM ramp") == [("all",)]
    kit.now_us += 10 * S
    kit.claim()
    assert kit.rows("SELECT * FROM ramp") == []


def test_it_stays_while_something_waits_for_it(kit: Any) -> None:
    paused_and_resumed(kit, 3)
    kit.claim()
    kit.now_us += seeing.RAMP_US
    assert kit.claim().claimed == []
    assert kit.rows("SELECT scope FROM ramp") == [("all",)]


# --- words ----------------------------------------------------------------------------------------------------------------------


def test_the_words_for_scopes() -> None:
    assert [pausing.in_words(scope) for scope in ("all", "rule:a/b/c", "controller:here")] == [
        "everything", "rule a/b/c", "controller here",
    ]  # fmt: skip
