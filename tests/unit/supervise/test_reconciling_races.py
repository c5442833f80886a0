"""The sender is asked while it delivers: who spoke since is left alone, and the same word counts once."""

from __future__ import annotations

from typing import Any

import pytest

from healer import errors

Kit = Any


async def test_what_is_delivered_while_the_answer_is_under_way_is_left_alone(kit: Kit) -> None:
    await kit.deliver("web01", "web02")
    kit.fake.fire("web02", "web03", "web04")

    async def meanwhile() -> None:
        kit.later(1)
        await kit.deliver("web02", status="resolved")  # the answer says that it fires
        await kit.deliver("web03")
        await kit.deliver("web05")  # the answer does not have it

    kit.fake.before = meanwhile
    kit.later(300)
    looked = await kit.look()
    assert (looked.closed, looked.opened) == (1, 1)
    assert kit.open() == ["fp-web03", "fp-web04", "fp-web05"]
    assert [(one["alert"]["fingerprint"], one["alert"]["status"]) for one in kit.events()] == [
        ("fp-web01", "resolved"), ("fp-web04", "firing"),
    ]  # fmt: skip


async def test_what_was_delivered_and_is_not_decided_yet_is_waited_for(kit: Kit) -> None:
    kit.fake.fire("web01")
    kit.late = True
    await kit.deliver("web01")
    kit.later(300)
    assert (await kit.look()).why == "events of before wait to be decided"
    assert kit.fake.asked == []
    kit.late = False
    assert ((await kit.look()).opened, kit.open(), kit.events()) == (0, ["fp-web01"], [])


async def test_the_same_word_by_both_ways_counts_once(kit: Kit) -> None:
    kit.fake.fire("web01")
    sender = kit.asking(receivers=["healer"])
    assert (await kit.look(sender)).opened == 1
    kit.later(10)
    taken = await kit.deliver("web01")  # with nanoseconds, as the webhook has them
    assert (taken.accepted, taken.duplicates) == (0, 1)
    assert kit.rows("SELECT times, cycle, seen_us FROM alert") == [(1, 1, kit.now_us)]
    assert len(kit.runs()) == 1
    kit.fake.end("web01")
    kit.later(300)
    assert (await kit.look(sender)).closed == 1
    await kit.deliver("web01", status="resolved")  # later than the look: it says what is known
    assert (kit.rows("SELECT times, cycle, status FROM alert"), len(kit.runs())) == ([(1, 1, "resolved")], 1)


async def test_what_the_sender_holds_back_for_a_while_is_not_opened_before_it(kit: Kit) -> None:
    kit.fake.fire("web01", starts="2026-11-26T19:59:00.000Z")
    sender = kit.asking(receivers=["healer"])
    assert (await kit.look(sender)).opened == 0
    kit.later(60)
    assert (await kit.look(sender)).opened == 1


@pytest.mark.parametrize("error", [errors.BacklogFull(backlog=2, limit=1), errors.Unavailable(reason="x")])
async def test_what_is_not_taken_is_tried_again(kit: Kit, error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kit.fake.fire("web01")
    sender = kit.asking(receivers=["healer"])

    async def refuse(*_: Any, **__: Any) -> Any:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(kit.intake, "take", refuse)
        assert (await kit.look(sender)).why == error.message
    assert ((await kit.look(sender)).opened, kit.open()) == (1, ["fp-web01"])
