"""Lists: each run once, and of what waits only what still does."""

from __future__ import annotations

from typing import Any

from healer.notify import making
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
