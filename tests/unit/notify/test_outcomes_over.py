"""What failed and fires no more needs nobody: its message says so, and asks for no answer."""

from __future__ import annotations

from typing import Any

import pytest

from healer.notify import making
from healer.store import deciding, journal, outbox


def alert(desk: Any, run: str, key: str = "k") -> None:
    """A run is for an alert that fires."""
    connection = desk.store.writer.tx.connection
    connection.execute(
        "INSERT INTO alert (source, key, cycle, status, opened_us, seen_us, ttl_us, first_seq, last_seq, times, name, target, severity, summary)"
        " VALUES ('am', ?, 1, 'firing', ?, 0, 0, 1, 1, 1, 'Down', 'host:web01', '', '') ON CONFLICT DO NOTHING", (key, desk.now_us),
    )  # fmt: skip
    connection.execute("INSERT INTO run_alert VALUES (?, 'am', ?, 1, 1)", (run, key))


def over(desk: Any, ends: str = "resolved", key: str = "k") -> bool:
    """It fires no more. Whether whoever tells people is woken."""
    (row,) = desk.do(journal.Append([journal.Row("event", "am", b"{}")]))
    word = deciding.AlertWord("am", key, 1, False, False, 10**12, "Down", "web01", "", "")
    is_word = ends == "resolved"
    outcome = deciding.Outcome(
        row.seq, desk.now_us, alerts=[word] if is_word else [], expired=[] if is_word else [("am", key)]
    )
    unit = deciding.Decide(desk.position, row.seq, desk.now_us, desk.revision, [outcome], lambda _: desk.standing, None)
    desk.position = row.seq
    return bool(desk.do(unit).tells)


@pytest.mark.parametrize("ends", ["resolved", "expired"])
async def test_a_failure_is_over_with_its_alert(desk: Any, shown: Any, ends: str) -> None:
    alert(desk, desk.ask("web01"))
    desk.end("failed")
    (message,) = await desk.told()
    assert (message.answerable, len(message.ways)) == (True, 1)
    assert over(desk, ends) is True
    (message,) = await desk.told()
    assert (message.answerable, message.ways) == (False, ())
    assert shown(message)[-1] == "= It fires no more: nobody has to look after it."
    assert desk.rows("form", "due_us") == [("-", None)]
    assert over(desk) is False
    assert await desk.told() == []


async def test_so_is_one_of_what_was_asked_for(desk: Any, shown: Any) -> None:
    runs = [desk.ask(name, asks=True) for name in ("h1", "h2")]
    for run in runs:
        alert(desk, run, run)
    await desk.told()
    desk.say("approve")
    desk.end("failed")
    assert [message.answerable for message in await desk.told()] == [True]
    over(desk, key=runs[0])
    assert [message.answerable for message in await desk.told()] == [True], "the other one fires still"
    over(desk, key=runs[1])
    (message,) = await desk.told()
    assert not message.answerable
    assert shown(message)[-1].endswith(" · what failed fires no more: nobody has to look after it")


async def test_who_looks_after_it_is_still_named(desk: Any, shown: Any) -> None:
    alert(desk, desk.ask("web01"))
    desk.end("failed")
    await desk.told()
    await desk.deliverer.answer("n-1", "key:bo")
    await desk.told()
    assert over(desk) is False
    ((members, news),) = desk.rows("members", "news")
    assert (news, len(members) > 0) == ("failed", True)
    assert await desk.told() == []


@pytest.mark.parametrize("state", ["failed", "timed_out", "unknown", "not_done"])
async def test_what_is_shown_and_what_is_wanted_are_one(desk: Any, state: Any) -> None:
    run = desk.ask("web01", asks=state == "not_done")
    alert(desk, run)
    if state == "not_done":
        tx = desk.store.writer.tx
        tx.connection.execute("UPDATE run SET state = 'expired', reason = 'expired' WHERE id = ?", (run,))
    else:
        desk.end(state)
    await desk.told()
    for is_over in (False, True):
        if is_over:
            over(desk)
        (row,) = desk.store.writer.tx.named("outbox_one", 1)
        message = await making.made(
            desk.store.reader, desk.around(), {**row, "news": state if state == "not_done" else row["news"]}, 0
        )
        assert message is not None
        assert message.answerable is not is_over
        assert bool(outbox.wanting(desk.store.writer.tx, {**row, "news": "not_done"})) is not is_over
