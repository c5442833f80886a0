"""The read side against a plain model: filters and pages give what going through all rows by hand gives."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import errors, store
from healer.store import reads

STATES = ("failed", "succeeded", "refused")
run_rows = st.lists(
    st.fixed_dictionaries({
        "id": st.text("ab", min_size=1, max_size=4).map(lambda text: "r-" + text),
        "state": st.sampled_from(STATES),
        "rule": st.sampled_from(["a/b/c", "a/b/bc", "x/c/c"]),
        "created_us": st.integers(0, 4),
        "targets": st.lists(st.sampled_from(["host:web1", "host:web1:80", "pod:web1"]), max_size=2, unique=True),
    }),
    max_size=12,
    unique_by=lambda row: row["id"],
)  # fmt: skip


def open_store(rows: list[dict[str, Any]]) -> store.Store:
    kept = store.Store.open(None, lambda: 5_000_000, loop=None)
    kept.writer.now(Do(lambda tx: seed(tx, rows)))
    return kept


class Do:
    weight = 1

    def __init__(self, apply: Any) -> None:
        self.apply = apply


def seed(tx: Any, rows: list[dict[str, Any]]) -> None:
    tx.run("revision_insert", "f" * 64, 0, "")
    for row in rows:
        tx.run(
            "run_insert", row["id"], row["state"], "", "{}", 1, row["rule"], "note", 0, "catalog", "command", "[]", "local", "{}", "{}",
            0, 0, "{}", 4, 0, "x", 1, 0, row["created_us"], row["created_us"], None, None, None, "{}", "", "", 0, "{}",
        )  # fmt: skip
        for target in row["targets"]:
            tx.run("run_target_put", row["id"], target, "{}", "note", row["state"], "", "{}")


@hypothesis.given(
    run_rows,
    st.lists(st.sampled_from(STATES), max_size=2),
    st.sampled_from(["", "c", "b/c", "a/b/c", "bc"]),
    st.sampled_from(["", "web1", "host:web1", "web1:80", "80"]),
    st.one_of(st.none(), st.integers(0, 4)),
    st.one_of(st.none(), st.integers(0, 4)),
    st.integers(1, 4),
)
def test_filters_and_pages_give_what_a_model_gives(
    rows: list[dict[str, Any]],
    states: list[str],
    rule: str,
    target: str,
    since: int | None,
    until: int | None,
    limit: int,
) -> None:
    kept = open_store(rows)
    wanted = reads.RunFilter(states, rule, "", target, since, until)

    async def pages() -> list[str]:
        seen: list[str] = []
        after = None
        while True:
            page = await reads.runs(kept.reader, wanted, after, limit)
            seen += [row["id"] for row in page.rows]
            assert len(page.rows) <= limit
            if not page.more:
                return seen
            assert len(page.rows) == limit
            after = (page.rows[-1]["created_us"], page.rows[-1]["id"])

    expected = [
        row["id"]
        for row in sorted(rows, key=lambda row: (-row["created_us"], row["id"]))
        if (not states or row["state"] in states)
        and (not rule or row["rule"] == rule or row["rule"].endswith("/" + rule))
        and (not target or any(one == target or one.partition(":")[2] == target for one in row["targets"]))
        and (since is None or row["created_us"] >= since)
        and (until is None or row["created_us"] < until)
    ]
    assert asyncio.run(pages()) == expected
    whole = asyncio.run(reads.runs(kept.reader, wanted, None, max(1, len(expected))))
    assert ([row["id"] for row in whole.rows], whole.more) == (expected, False)
    kept.writer.close()


@hypothesis.given(run_rows, st.text("ab", min_size=1, max_size=5))
def test_a_beginning_finds_what_a_model_finds(rows: list[dict[str, Any]], prefix: str) -> None:
    kept = open_store(rows)
    ids = sorted(row["id"] for row in rows if row["id"].startswith("r-" + prefix))
    if "r-" + prefix in ids or len(ids) == 1:
        assert asyncio.run(reads.find_run(kept.reader, prefix)) == ids[0]
    else:
        with pytest.raises(errors.Ambiguous if ids else errors.NotFound) as caught:
            asyncio.run(reads.find_run(kept.reader, prefix))
        if ids:
            assert caught.value.fields["near"] == ids[: reads.CANDIDATES_MAX]
    kept.writer.close()


@hypothesis.given(st.lists(st.integers(0, 3), max_size=20), st.integers(-1, 60), st.integers(-1, 60))
def test_the_audit_by_time_is_what_going_through_it_gives(steps: list[int], low: int, high: int) -> None:
    now = [1]
    kept = store.Store.open(None, lambda: now[0], loop=None)
    for step in steps:
        now[0] += step
        kept.writer.now(Do(lambda tx: tx.audit("start", actor="daemon")))
    times = [at for (at,) in kept.writer.tx.connection.execute("SELECT at_us FROM audit ORDER BY seq")]
    found = asyncio.run(reads.audit(kept.reader, reads.AuditFilter(from_us=low, to_us=high), None, 100))
    assert [row["seq"] for row in found.rows] == [seq for seq, at in enumerate(times) if low <= at < high]
    kept.writer.close()


ACTORS = (
    "key:laptop = ana",
    "key:laptop",
    "key:laptop2 = ana",
    "os:ana",
    "os:ana = ana",
    "slack:U1 = bo",
    "rule:a/b/x = ana",
    "daemon",
    "key:l = ana2",
)


def means(actor: str, asked: str) -> bool:
    """Whether an actor is the one asked for: all of it, or of a person's what stands before ` = ` or behind it."""
    parts = actor.split(" = ") if actor.startswith(("key:", "os:", "slack:")) else []
    return asked == actor or asked in parts


@hypothesis.given(
    st.lists(st.sampled_from(ACTORS), max_size=12),
    st.sampled_from([*ACTORS, "ana", "key:", "os:", " = ", "an", "na", "rule:a/b/x", "bo", "slack:U1", "%", "_na"]),
    st.sampled_from(["", "start", "stop"]),
    st.booleans(),
    st.integers(1, 3),
)
def test_the_audit_of_somebody_is_what_going_through_it_gives(
    actors: list[str], asked: str, kind: str, newest_first: bool, limit: int
) -> None:
    kept = open_store([])
    first = asyncio.run(reads.audit_head(kept.reader))["size"]
    for number, actor in enumerate(actors):
        kept.writer.now(Do(lambda tx, n=number, a=actor: tx.audit("stop" if n % 2 else "start", actor=a)))
    wanted = [
        first + number for number, actor in enumerate(actors)
        if means(actor, asked) and kind in ("", "stop" if number % 2 else "start")
    ]  # fmt: skip
    seen: list[int] = []
    after, more = None, True
    while more:
        found = asyncio.run(
            reads.audit(
                kept.reader,
                reads.AuditFilter(actor=asked, kind=kind, from_us=1),
                after,
                limit,
                newest_first=newest_first,
            )
        )
        rows, more = [row["seq"] for row in found.rows], found.more
        assert len(rows) == limit or not more
        seen, after = seen + rows, rows[-1] if rows else None
    assert [seq for seq in seen if seq >= first] == sorted(wanted, reverse=newest_first)
    kept.writer.close()


async def test_the_audit_of_somebody_is_found_by_the_index() -> None:
    """However much others did: no statement goes through the table."""
    kept = open_store([])
    for actor in ACTORS:
        kept.writer.now(Do(lambda tx, a=actor: tx.audit("start", actor=a)))
    plans: list[str] = []
    select = kept.reader.select

    async def watched(sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
        plans.extend(str(row["detail"]) for row in await select("EXPLAIN QUERY PLAN " + sql, parameters))
        return await select(sql, parameters)

    kept.reader.select = watched  # type: ignore[method-assign]
    assert len((await reads.audit(kept.reader, reads.AuditFilter(actor="ana", kind="start"), None, 10)).rows) == 3
    assert "SEARCH audit USING INDEX audit_actor (actor=?)" in plans
    assert "SEARCH a USING INDEX audit_actor (actor>? AND actor<?)" in plans
    assert {one for one in plans if one.startswith("SCAN")} == {
        "SCAN 3 CONSTANT ROWS", "SCAN p", "SCAN f", "SCAN found", "SCAN name VIRTUAL TABLE INDEX 1:",
    }  # fmt: skip
    kept.writer.close()


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(("limit", "shown", "more"), [(2, 2, True), (3, 3, False), (4, 3, False)])
async def test_a_page_of_the_audit_says_whether_there_are_more(
    limit: int, shown: int, more: bool, newest_first: bool
) -> None:
    kept = open_store([])
    for _ in range(3 - (await reads.audit_head(kept.reader))["size"]):
        kept.writer.now(Do(lambda tx: tx.audit("start", actor="daemon")))
    found = await reads.audit(kept.reader, reads.AuditFilter(), None, limit, newest_first=newest_first)
    assert (len(found.rows), found.more) == (shown, more)
    kept.writer.close()


@pytest.mark.parametrize("given", ["e-1", "e-0", "e-999999999999999999"])
def test_an_event_id_is_a_position(given: str) -> None:
    assert reads.event_position(given) == int(given[2:])


@pytest.mark.parametrize("given", ["", "e-", "1", "E-1", "e-1 ", "e-" + "9" * 19, "e-١", "r-a"])
def test_what_is_no_event_id(given: str) -> None:
    with pytest.raises(errors.NotFound):
        reads.event_position(given)


async def test_many_alerts_get_their_runs_in_pieces() -> None:
    kept = open_store([{"id": "r-a", "state": "failed", "rule": "a/b/c", "created_us": 1, "targets": []}])

    def apply(tx: Any) -> None:
        for number in range(250):
            tx.run("alert_open", "am", f"k{number:03}", 2, 7, 7, 1, 1, 1, "n", "t", "critical", "s", "{}")
            tx.run("run_alert_insert", "r-a", "am", f"k{number:03}", 2 if number % 2 else 1, 1)

    kept.writer.now(Do(apply))
    found = await reads.alerts(kept.reader, reads.AlertFilter(), None, 250)
    assert [row["key"] for row in found.rows] == [f"k{number:03}" for number in range(250)]
    assert [bool(row["runs"]) for row in found.rows] == [
        bool(number % 2) for number in range(250)
    ]  # only those of the present cycle
    assert not found.more
    fewer = await reads.alerts(kept.reader, reads.AlertFilter(), None, 249)
    assert (len(fewer.rows), fewer.more) == (249, True)
    kept.writer.close()


async def test_a_run_that_is_not_there_and_an_attempt_that_is_not_there() -> None:
    kept = open_store([{"id": "r-a", "state": "failed", "rule": "a/b/c", "created_us": 1, "targets": ["host:web1"]}])
    with pytest.raises(errors.NotFound):
        await reads.run(kept.reader, "r-b")
    assert (await reads.run(kept.reader, "r-a"))["targets"] == ["host:web1"]
    assert await reads.attempt(kept.reader, "r-a", None) is None
    assert await reads.attempt(kept.reader, "r-a", 1) is None
    assert await reads.runs_by_id(kept.reader, []) == []
    assert await reads.decided_to(kept.reader) == 0
    kept.writer.close()
