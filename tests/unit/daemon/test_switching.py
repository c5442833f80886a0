"""The kill switch as people use it: scopes by their names, what it answers, what it also covers."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from healer import errors
from healer.daemon import clock, standing, switching
from healer.store import pausing

S = 1_000_000
RULE = "rule:web/alerts/restart"

# --- scopes -----------------------------------------------------------------------------------------------------------------


def test_all_scopes_that_there_are(world: Any) -> None:
    known = world.switch.known()
    assert known[0] == "all"
    assert [one for one in known if ":healer" not in one] == [
        "all", "activation:web", "ruleset:web/alerts", "rule:web/alerts/restart", "rule:web/alerts/clean", "rule:web/alerts/later",
        "ruleset:web/disks", "rule:web/disks/clean", "controller:here", "controller:there",
    ]  # fmt: skip
    assert [one for one in known if one.startswith("rule:healer/")]


@pytest.mark.parametrize(("asked", "scope"), [
    ("all", "all"), ("activation:web", "activation:web"), ("ruleset:web/alerts", "ruleset:web/alerts"), ("ruleset:disks", "ruleset:web/disks"),
    (RULE, RULE), ("rule:restart", RULE), ("rule:alerts/restart", RULE), ("rule:disks/clean", "rule:web/disks/clean"),
    ("rule:later", "rule:web/alerts/later"), ("controller:there", "controller:there"),
])  # fmt: skip
async def test_a_scope_by_its_name_or_the_end_of_it(world: Any, asked: str, scope: str) -> None:
    assert (await world.paused(asked))["scope"] == scope
    assert world.scopes() == [scope]
    assert (await world.switch.resume(asked, actor="os:ana"))["scope"] == scope
    assert world.scopes() == []


@pytest.mark.parametrize(("asked", "try_", "near"), [
    ("rule:restrat", "", ["web/alerts/restart"]), ("rule:web/alerts/restrat", "did you mean 'rule:web/alerts/restart'?", None),
    ("controller:thre", "did you mean 'controller:there'?", ["here", "there"]),
    ("rule:clean", "", ["web/alerts/clean", "web/disks/clean"]), ("activation:alerts", "", ["web"]), ("ruleset:web", "", None),
])  # fmt: skip
async def test_a_scope_that_there_is_not(world: Any, asked: str, try_: str, near: Any) -> None:
    with pytest.raises(errors.NotFound) as raised:
        await world.paused(asked)
    assert asked.partition(":")[2] in raised.value.message
    assert not try_ or raised.value.try_ == try_
    told = raised.value.fields["near"]
    assert isinstance(told, list)
    assert set(near or ()) <= set(told)
    assert world.scopes() == []


@pytest.mark.parametrize(
    "asked",
    ["", "everything", "all:", "all:web", "rules:restart", "rule", "rule:", "Rule:restart", "host:web1", "x" * 900],
)
async def test_what_is_no_scope(world: Any, asked: str) -> None:
    for act in (world.paused, functools.partial(world.switch.resume, actor="os:ana"), world.switch.preview):
        with pytest.raises(errors.InvalidField) as raised:
            await act(asked)
        assert "all, activation:NAME, ruleset:NAME, rule:NAME, controller:NAME is wanted" in raised.value.message
    assert world.scopes() == []


@pytest.mark.parametrize("asked", ["all", "rule:web/alerts/clean", "rule:gone", "controller:here"])
async def test_only_what_is_paused_is_resumed(world: Any, asked: str) -> None:
    await world.paused(RULE)
    for act in (world.switch.preview, functools.partial(world.switch.resume, actor="os:ana")):
        with pytest.raises(errors.NotFound) as raised:
            await act(asked)
        assert (raised.value.try_, raised.value.fields["near"]) == ("healer status", [RULE])
    (world.root / "PAUSE").touch()
    with pytest.raises(errors.NotFound) as raised:
        await world.switch.resume(asked, actor="os:ana")
    assert raised.value.try_ == "remove the file PAUSE from the data directory"


async def test_what_is_paused_and_not_there_any_more_can_be_resumed(world: Any) -> None:
    await world.paused(RULE)
    world.change("rulebooks/web.yml", "name: restart", "name: restart_all")
    await world.use()
    with pytest.raises(errors.NotFound):
        await world.paused(RULE)
    assert (await world.switch.resume("rule:restart", actor="os:ana"))["scope"] == RULE


# --- the answer -------------------------------------------------------------------------------------------------------------


async def test_its_answer_says_what_goes_on_and_what_waits(world: Any) -> None:
    going, kept = world.ask("one"), world.ask("two")
    tokens = world.claim()
    waiting = world.ask("three")
    world.ask("other", rule="web/disks/clean")
    world.dispatcher.withheld = {f"{kept}-1"}
    world.now_us += 14 * S
    answer = await world.paused(RULE, for_s=60.5)
    assert answer == {
        "scope": RULE, "who": "os:ana", "reason": "it hurts", "since_us": world.now_us, "until_us": world.now_us + 60_500_000,
        "until_changed": False, "running": [{"run": going, "action": "note", "targets": ["host:one"], "seconds": 14}],
        "running_count": 1, "waiting": 2, "cancelled": [],
    }  # fmt: skip
    assert world.dispatcher.asked == [{*tokens}]
    assert world.dispatcher.woken
    assert waiting


async def test_it_may_end_what_runs(world: Any) -> None:
    runs = [world.ask(key) for key in ("one", "two", "three")]
    world.claim()
    world.people.ended = {runs[1]}
    world.dispatcher.withheld = {f"{runs[2]}-1"}
    answer = await world.paused(cancel=True)
    assert answer["cancelled"] == [runs[0]]
    assert world.people.cancelled == [(runs[0], "os:ana", "it hurts")]
    await world.switch.pause("all", actor="os:ana", reason="", cancel=True)
    assert world.people.cancelled[-1][2] == "paused"


async def test_what_is_paused_is_told_with_the_file_among_it(world: Any) -> None:
    await world.paused(RULE, until_changed=True)
    world.now_us += S
    await world.paused("all", for_s=60)
    (world.root / "PAUSE").write_text("by hand")
    file, *rows = await world.switch.pauses()
    assert (file["scope"], file["by"], file["reason"]) == ("all", "file", "by hand")
    assert [(row["scope"], row["who"], row["until_changed"], row["until_us"]) for row in rows] == [
        (RULE, "os:ana", True, None), ("all", "os:ana", False, world.now_us + 60 * S),
    ]  # fmt: skip


async def test_a_resume_says_what_stays(world: Any) -> None:
    await world.paused("all")
    await world.paused(RULE)
    run = world.ask("one")
    for scope in ("all", RULE):
        previewed = await world.switch.preview(scope)
        assert (previewed["looked_at"], previewed["states"]) == (1, {"deferred": {"paused": 1}})
        assert previewed["still_paused"] == [one for one in ("all", RULE) if one != scope]
    assert world.looked == 0
    (world.root / "PAUSE").touch()
    assert await world.switch.resume("all", actor="os:ana") == {"scope": "all", "still_paused": [RULE], "file": True}
    assert world.looked == 1
    (world.root / "PAUSE").unlink()
    previewed = await world.switch.preview(RULE)
    assert (previewed["states"], previewed["starting"]) == ({"queued": {"": 1}}, {"web/alerts/restart": 1})
    assert (previewed["still_paused"], previewed["file"]) == ([], False)
    assert run


async def test_a_preview_goes_through_all_of_them(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pausing, "PREVIEWED", 3)
    await world.paused("all")
    for number in range(8):
        world.ask(f"n{number}")
    assert (await world.switch.preview("all"))["looked_at"] == 8


async def test_a_start_takes_up_the_file_that_came_or_went_while_nobody_was_here(
    world: Any, next_world: Any, heard: list[str]
) -> None:
    (world.root / "PAUSE").write_text("by hand")
    await world.switch.load()
    (world.root / "PAUSE").unlink()
    later = await next_world()
    await later.switch.load()
    kinds = later.store.writer.tx.connection.execute(
        "SELECT kind FROM audit WHERE kind IN ('pause', 'resume') ORDER BY seq"
    )
    assert [kind for (kind,) in kinds] == ["pause", "resume"]
    assert [line.strip() for line in heard] == ["WARNING paused: by hand", "WARNING resumed"]


# --- beside the file --------------------------------------------------------------------------------------------------------


def test_that_of_a_daemon(world: Any) -> None:
    daemon = type("Daemon", (), {
        "store": world.store, "dispatcher": world.dispatcher, "people": world.people, "pause": world.pause, "revision": world.revision,
        "of_run": None, "clock": clock.JournalClock(), "look_again": world.look_again,
    })()  # fmt: skip
    assert switching.of(daemon).known() == world.switch.known()


@pytest.mark.parametrize(("scope", "rule", "covers"), [
    ("all", "web/alerts/restart", True), (RULE, "web/alerts/restart", True), (RULE, "web/alerts/clean", False),
    ("activation:web", "web/disks/clean", True), ("controller:here", "web/alerts/restart", False),
])  # fmt: skip
async def test_it_also_covers_what_rules_do_without_a_run(world: Any, scope: str, rule: str, covers: bool) -> None:
    """`set_fact` and the like pass gate 1 (`decisions.md`, A9)."""
    await world.paused(scope)
    held = standing.Standing(world.revision, world.pause, "active").paused(rule)
    assert (held is not None) is covers
    if held is not None:
        kind, _, name = scope.partition(":")
        assert held["resume"] == f"healer resume --{kind}" + (f" {name}" if name else "")
        assert (held["who"], held["reason"]) == ("os:ana", "it hurts")
    await world.switch.resume(scope, actor="os:ana")
    assert standing.Standing(world.revision, world.pause, "active").paused(rule) is None


def test_a_row_as_it_is_told(world: Any) -> None:
    row = {"scope": "all", "who": "a", "reason": "b", "since_us": 1, "until_us": None, "digest": "d"}
    assert pausing.row_of(row) == {key: row[key] for key in row if key != "digest"} | {"until_changed": True}
