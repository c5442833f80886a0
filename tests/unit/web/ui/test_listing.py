"""The lists: the API's filters and cursors, and why each is as it is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from healer.web.ui import listing


@pytest.fixture
async def alerts(room: Any, seed: Any) -> None:
    """Three that fire, two that were resolved."""

    def apply(tx: Any) -> None:
        columns = {row[1]: row for row in tx.connection.execute("PRAGMA table_info(alert)")}
        for number, status in enumerate(("firing", "resolved", "firing", "resolved", "firing"), 1):
            values = {
                "source": "am", "key": f"k{number}", "cycle": 1, "status": status, "name": f"Alert{number}", "target": f"host:web{number}",
                "severity": "critical", "summary": f"it is <b>{number}</b>", "opened_us": number * 1_000_000, "seen_us": number * 1_000_000,
                "closed_us": 9_000_000 if status == "resolved" else None, "closed_by": "resolved" if status == "resolved" else None,
                "times": number,
            }  # fmt: skip
            rest = {
                name: (0 if row[2] == "INTEGER" else "")
                for name, row in columns.items()
                if row[3] and row[4] is None and name not in values
            }
            given = {name: value for name, value in (rest | values).items() if name in columns}
            marks = ", ".join("?" * len(given))
            tx.connection.execute(f"INSERT INTO alert ({', '.join(given)}) VALUES ({marks})", [*given.values()])

    await seed.do(room, apply)


def names(page: Any) -> list[str]:
    return re.findall(r"Alert[0-9]", page.said)


async def test_alerts_that_fire_come_first(room: Any, browser: Any, alerts: None) -> None:
    page = await (await browser("readonly")).get("/ui/alerts")
    assert names(page) == ["Alert5", "Alert3", "Alert1", "Alert4", "Alert2"]
    assert "it is <b>5</b>" in page.said
    assert "closed 1970-01-01 00:00:09 UTC" in page.said


async def test_alerts_that_are_asked_for(room: Any, browser: Any, alerts: None) -> None:
    made = await browser("readonly")
    assert names(await made.get("/ui/alerts?status=resolved")) == ["Alert4", "Alert2"]
    assert names(await made.get("/ui/alerts?name=Alert3&source=am&status=")) == ["Alert3"]
    page = await made.get("/ui/alerts?name=%22%3E%3Cscript%3E")
    assert (page.status, "<script" in page.text) == (200, False)
    assert 'value="&#34;&gt;&lt;script&gt;"' in page.text
    assert (await made.get("/ui/alerts?status=open")).status == 400


async def through(made: Any, path: str, what: str) -> list[str]:
    """What all pages of a list have."""
    found: list[str] = []
    while path:
        page = await made.get(path)
        assert page.status == 200
        found += re.findall(what, page.said)
        path = next((page.led(one) for one in re.findall(r'href="([^"]*after[^"]*)">Further', page.text)), "")
    return found


async def test_pages_of_alerts(room: Any, browser: Any, alerts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "LIMIT", "2")
    made = await browser("readonly")
    assert await through(made, "/ui/alerts?status=firing", r"Alert[0-9]") == ["Alert5", "Alert3", "Alert1"]
    first = await made.get("/ui/alerts")
    assert len(re.findall(r">Further", first.text)) == 1  # of those that fire; two were resolved
    assert "status=firing&amp;after=" in first.text


async def test_runs_with_state_and_reason(room: Any, browser: Any, seed: Any) -> None:
    await seed(
        room, "r-" + "b" * 26, "succeeded", reason="unverified", attempts=[("succeeded", '{"summary": "rc 0"}', None)]
    )
    await seed(
        room,
        "r-" + "c" * 26,
        "deferred",
        reason="cooldown",
        detail='{"action": "restart_service", "target": "web1", "ago": "2 min", "left": "8 min"}',
    )
    page = await (await browser("readonly")).get("/ui/runs")
    assert "succeeded (unverified)" in page.said
    assert "rc 0" in page.said
    assert "restart_service ran on web1 2 min ago; again after 8 min." in page.said
    assert f"/ui/runs/r-{'b' * 26}" in page.links


async def test_runs_that_are_asked_for(room: Any, browser: Any, seed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, letter in enumerate("bcdefg"):
        await seed(
            room,
            "r-" + letter * 26,
            "failed" if number % 2 else "refused",
            rule=f"web/alerts/{letter}",
            created_us=1000 + number,
        )
    made = await browser("readonly")
    monkeypatch.setattr(listing, "LIMIT", "2")
    assert await through(made, "/ui/runs", r"\br-[b-g]{6}\b") == [f"r-{one * 6}" for one in "gfedcb"]
    assert await through(made, "/ui/runs?state=failed", r"\br-[b-g]{6}\b") == [f"r-{one * 6}" for one in "gec"]
    assert await through(made, "/ui/runs?rule=d&target=web1&action=restart_service", r"\br-[b-g]{6}\b") == ["r-dddddd"]
    page = await made.get("/ui/runs?target=nothing")
    assert "No runs." in page.said
