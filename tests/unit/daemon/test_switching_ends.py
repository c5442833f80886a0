"""Pauses that end by themselves, those that a start finds, and what is not to be forgotten."""

from __future__ import annotations

from typing import Any

import pytest

S = 1_000_000
HOUR = 3600 * S
RULE = "rule:web/alerts/restart"

# --- what ends by itself ----------------------------------------------------------------------------------------------------


async def test_it_ends_by_itself_at_its_time(world: Any, heard: list[str]) -> None:
    await world.paused("all", for_s=60)
    await world.paused(RULE)
    world.now_us += 60 * S - 1
    await world.switch.look()
    assert world.scopes() == ["all", RULE]
    world.now_us += 1
    await world.switch.look()
    assert world.scopes() == [RULE]
    assert [row["scope"] for row in world.pause.rows] == [RULE]
    assert world.looked == 1
    assert heard[-1] == "WARNING resumed by itself: everything\n"


@pytest.mark.parametrize(("step_us", "ends"), [(60 * S, True), (59 * S, False), (-HOUR, False)])
async def test_its_time_is_the_wall_clocks(world: Any, step_us: int, ends: bool) -> None:
    world.ahead_us = 5 * S
    await world.paused("all", for_s=60)
    world.ahead_us += step_us
    await world.switch.look()
    assert (world.scopes() == []) is ends
    world.now_us += 60 * S - min(step_us, 60 * S)
    await world.switch.look()
    assert world.scopes() == []


async def test_a_clock_that_was_set_back_makes_it_longer(world: Any) -> None:
    await world.paused("all", for_s=60)
    world.ahead_us -= HOUR
    world.now_us += HOUR + 59 * S
    await world.switch.look()
    assert world.scopes() == ["all"]


CHANGES = [
    ("rulebooks/web.yml", "event.a == 1", "event.a == 9", {RULE, "ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "{name: restart, condition: event.a == 1, action: {run_action: {name: note}}}",
     "{name: restart, condition: event.a == 1, action: {run_action: {name: other}}}", {RULE, "ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "{name: restart, condition", "{name: restart, policy: {cooldown: 1h}, condition",
     {RULE, "ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "{name: restart, condition", "{name: restart, enabled: false, condition",
     {RULE, "ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "name: restart,", "name: restarted,", {RULE, "ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "event.a == 2", "event.a == 9", {"ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "event.a == 3, enabled: false", "event.a == 3", {"rule:web/alerts/later", "ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "- name: alerts\n", "- name: alerts\n  policy: {cooldown: 1h}\n", {"ruleset:web/alerts", "activation:web"}),
    ("rulebooks/web.yml", "event.b == 1", "event.b == 2", {"activation:web"}),
    ("rulebooks/web.yml", "- name: alerts\n", "# a note\n\n- name: alerts\n", set()),
    ("controllers.yaml", "here: {type: local, tags", "here: {type: local, concurrency: 3, tags", {"controller:here"}),
    ("controllers.yaml", "controllers:\n", "# a note\ncontrollers:\n", set()),
    ("controllers.yaml", "there: {type: local}", "there: {type: local, concurrency: 3}", set()),
    ("actions.yaml", "impact: low", "impact: medium", set()),
]  # fmt: skip
SCOPES = {"all", "activation:web", "ruleset:web/alerts", RULE, "rule:web/alerts/later", "controller:here"}


@pytest.mark.parametrize(("file", "old", "new", "ends"), CHANGES)
async def test_it_ends_by_a_reload_that_changes_what_it_covers_and_by_no_other(
    world: Any, file: str, old: str, new: str, ends: set[str]
) -> None:
    for scope in sorted(SCOPES):
        await world.paused(scope, until_changed=True)
    await world.paused("controller:there")
    await world.switch.look()
    world.change(file, old, new)
    await world.use()
    await world.switch.look()
    assert {*world.scopes()} == SCOPES - ends - {"all"} | {"controller:there"}
    await world.switch.look()
    assert {*world.scopes()} == SCOPES - ends - {"all"} | {"controller:there"}


async def test_a_reload_that_changes_nothing_ends_nothing(world: Any) -> None:
    for scope in sorted(SCOPES):
        await world.paused(scope, until_changed=True)
    await world.use()
    await world.switch.look()
    assert {*world.scopes()} == SCOPES


async def test_it_is_compared_once_the_new_rules_hold(world: Any) -> None:
    await world.paused(RULE, until_changed=True)
    await world.switch.look()
    world.change("rulebooks/web.yml", "event.a == 1", "event.a == 9")
    await world.use(decided=False)
    await world.switch.look()
    assert world.scopes() == [RULE]
    ((seq, number),) = world.rows("SELECT max(seq), (SELECT max(n) FROM revision) FROM journal")
    await world.decided(seq, number)
    await world.switch.look()
    assert world.scopes() == []


async def test_what_it_held_before_the_change_is_a_persons(world: Any) -> None:
    await world.paused(RULE, until_changed=True)
    run = world.ask("one")
    assert world.claim() == []
    world.change("rulebooks/web.yml", "event.a == 1", "event.a == 9")
    await world.use()
    await world.switch.look()
    world.rows(f"UPDATE run SET look_at_us = 0 WHERE id = '{run}' RETURNING id")
    assert world.rows(f"SELECT json_extract(extra, '$.rule_changed') FROM run WHERE id = '{run}'") == [
        ('{"revision":2,"scope":"rule web/alerts/restart"}',)
    ]


@pytest.mark.parametrize("changed", [True, False])
async def test_a_change_is_no_matter_of_time(world: Any, changed: bool) -> None:
    """Both come between two looks."""
    await world.paused(RULE, until_changed=True, for_s=60)
    world.ask("one")
    await world.switch.look()
    if changed:
        world.change("rulebooks/web.yml", "event.a == 1", "event.a == 9")
        await world.use()
    world.now_us += 61 * S
    await world.switch.look()
    why = "what it covers has changed" if changed else "its time is over"
    assert world.rows("SELECT json_extract(record, '$.reason') FROM audit WHERE kind = 'resume'") == [(why,)]
    assert world.rows("SELECT count(*) FROM run WHERE json_extract(extra, '$.rule_changed') IS NOT NULL") == [
        (changed,)
    ]


# --- after a start ----------------------------------------------------------------------------------------------------------


async def test_what_was_paused_is_paused_after_a_start(world: Any, next_world: Any) -> None:
    await world.paused("all", for_s=60)
    await world.paused(RULE, until_changed=True)
    after = await next_world()
    await after.switch.look()
    assert (after.scopes(), after.pause.everything()) == (["all", RULE], True)
    run = after.ask("one")
    assert after.claim() == []
    assert after.rows(f"SELECT state, reason FROM run WHERE id = '{run}'") == [("deferred", "paused")]
    after.now_us += 60 * S
    await after.switch.look()
    assert (after.scopes(), after.pause.everything()) == ([RULE], False)


async def test_a_start_with_other_rules_ends_what_was_for_the_ones_before(world: Any, next_world: Any) -> None:
    await world.paused(RULE, until_changed=True)
    await world.paused("controller:here", until_changed=True)
    after = await next_world(changed=True)
    await after.switch.look()
    assert after.scopes() == ["controller:here"]


# --- what it does not let be forgotten --------------------------------------------------------------------------------------


async def test_who_has_no_end_is_reminded_of_every_four_hours(world: Any, heard: list[str]) -> None:
    await world.paused("all", for_s=100 * 3600)
    world.now_us += HOUR
    await world.switch.pause(RULE, actor="os:ana", reason="")
    heard.clear()
    for hours in (3, 1, 1, 3):
        world.now_us += hours * HOUR - 1
        await world.switch.look()
        world.now_us += 1
        await world.switch.look()
    reminder = "WARNING still paused: rule web/alerts/restart by os:ana: no reason given\n"
    assert heard == [reminder, reminder]
    await world.paused(RULE)
    heard.clear()
    world.now_us += 4 * HOUR - 1
    await world.switch.look()
    assert heard == []


async def test_a_start_reminds_at_once_of_what_is_long_paused(world: Any, next_world: Any, heard: list[str]) -> None:
    await world.paused("controller:there")
    world.now_us += 5 * HOUR
    after = await next_world()
    await after.switch.look()
    assert heard[-1] == "WARNING still paused: controller there by os:ana: it hurts\n"
