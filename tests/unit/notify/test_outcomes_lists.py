"""Lists: each run once, and of what waits only what still does."""

from __future__ import annotations

from typing import Any

from healer.notify import looking, making
from healer.store import transaction


async def listed(desk: Any, news: str, runs: list[str], count: int = 0) -> Any:
    """The message of a list with these members."""
    row = {
        "id": 7, "news": news, "subject": f"digest/{news}", "count": count or len(runs), "answered_us": None, "answered_by": None, "open": 1,
        "members": transaction.dumps([{"seq": 1, "run": run} for run in runs]),
    }  # fmt: skip
    return await making.made(desk.store.reader, desk.around(), row, desk.now_us)


def defer(desk: Any, *runs: str) -> None:
    """They wait for a gate."""
    for run in runs:
        desk.store.writer.tx.connection.execute(
            "UPDATE run SET state = 'deferred', reason = 'storm' WHERE id = ?", (run,)
        )


async def test_each_run_once(desk: Any, shown: Any) -> None:
    runs = [desk.ask("h1"), desk.ask("h2")]
    defer(desk, *runs)
    message = await listed(desk, "deferred", [runs[0], runs[1], runs[0]])
    assert shown(message)[0] == "2 runs wait – prod"
    assert shown(message)[1].startswith("web/alerts/down: restart on h1  h2")


async def test_only_what_still_waits(desk: Any, shown: Any) -> None:
    runs = [desk.ask("h1"), desk.ask("h2")]
    defer(desk, runs[1])
    message = await listed(desk, "deferred", runs)
    assert shown(message)[0] == "1 run waits – prod"
    assert "h1" not in " ".join(shown(message))


async def test_nothing_is_told_where_none_waits(desk: Any, shown: Any) -> None:
    runs = [desk.ask("h1"), desk.ask("h2")]
    assert await listed(desk, "deferred", runs) is None
    assert shown(await listed(desk, "deferred", runs, 30))[0] == "up to 28 runs wait – prod", (
        "nobody knows of those that are not listed"
    )


async def test_a_list_of_successes(desk: Any, shown: Any) -> None:
    run = desk.ask("h1")
    desk.end("succeeded")
    assert shown(await listed(desk, "succeeded", [run, run]))[0] == "1 run succeeded – prod"
    assert shown(await listed(desk, "succeeded", [run], 30))[0] == "30 runs succeeded – prod"


async def test_times_in_sentences_are_moments(desk: Any, shown: Any) -> None:
    """What a channel shows in its reader's zone; a time in what would run stays as it is."""
    run = desk.ask("h1", parameters={"since": "2026-09-21T14:13:20Z"})
    detail = transaction.dumps({"who": "ana", "until": "2026-09-21T14:14:20Z", "comment": "at 2026-99-99T00:00:00Z"})
    connection = desk.store.writer.tx.connection
    connection.execute("UPDATE run SET state = 'deferred', reason = 'silenced', detail = ?", (detail,))
    message = await listed(desk, "deferred", [run])
    said = "Silenced by ana until @60: at 2026-99-99T00:00:00Z."
    assert shown(message)[1] == f"web/alerts/down: restart on h1: {said}"
    row = {
        "id": 7, "news": "not_done", "subject": "x", "count": 1, "answered_us": None, "answered_by": None, "open": 0,
        "members": transaction.dumps([{"seq": 1, "run": run}]),
    }  # fmt: skip
    one = shown(await making.made(desk.store.reader, desk.around(), row, desk.now_us))
    assert f"why: {said}" in one
    assert any("since=2026-09-21T14:13:20Z" in line for line in one)
    found = (await looking.runs(desk.store.reader, [run]))[run]
    assert looking.sentence(found) == "Silenced by ana until 2026-09-21 14:14:20 UTC: at 2026-99-99T00:00:00Z."


async def test_a_list_of_failures_names_the_command_by_which_it_is_answered(desk: Any) -> None:
    runs = [desk.ask("h1"), desk.ask("h2")]
    desk.end("failed")
    (row,) = (await listed(desk, "failed", runs)).ways
    assert (row.label, row.text) == ("answer", ("healer notify answer n-7",))
    assert (await listed(desk, "succeeded", runs)).ways == ()
