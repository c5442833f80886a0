"""What is written together in few statements is what one by one would have made."""

from __future__ import annotations

from typing import Any

import hypothesis
from hypothesis import strategies as st

from healer import store
from healer.store import deciding, journal

S = 1_000_000
TABLES = ("alert", "opening", "inhibitor", "journal", "delivery", "blob", "audit")
steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["fires", "ends", "refused", "nothing", "expires"])), max_size=8
)


def opened() -> store.Store:
    made = store.Store.open(None, lambda: 100 * S, loop=None)
    made.writer.now(journal.Append([journal.Row("event", "am", b"{}") for _ in range(8)]))
    return made


def tables(of: store.Store) -> dict[str, list[Any]]:
    read = of.writer.tx.connection.execute
    return {name: read(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall() for name in TABLES}


def outcomes(wanted: list[tuple[str, str]]) -> list[deciding.Outcome]:
    """A row each; cycles are counted as `decide` does."""
    made: list[deciding.Outcome] = []
    cycles, firing = dict.fromkeys("ab", 0), dict.fromkeys("ab", False)
    for seq, (key, what) in enumerate(wanted, 1):
        outcome = deciding.Outcome(seq, seq * S)
        if what in ("fires", "ends", "refused"):
            fires = what != "ends"
            opens = fires and not firing[key]
            cycles[key] += opens and what != "refused"
            full = 1 if what == "refused" and opens else 0
            firing[key] = (fires and not full) or (firing[key] and fires)
            outcome.alerts.append(
                deciding.AlertWord(
                    "am", key, cycles[key], fires, opens, 10 * S, "n", "t", "critical", f"{seq}", {"a": str(seq)}, [("rule", key)], full
                )
            )  # fmt: skip
        elif what == "expires":
            outcome.expired.append(("am", key))
            firing[key] = False
        made.append(outcome)
    return made


@hypothesis.given(steps)
def test_alerts_of_a_unit(wanted: list[tuple[str, str]]) -> None:
    """Openings are put off until something else happens, and no longer."""
    together, apart = opened(), opened()
    for one in (together, apart):
        one.writer.now(deciding.UseRevision("f" * 64, "", "d", {}))
    all_of_it = outcomes(wanted)
    together.writer.now(deciding.Decide(0, len(wanted), 8 * S, 1, all_of_it, lambda _: None))  # type: ignore[arg-type,return-value]
    for at, outcome in enumerate(all_of_it):
        apart.writer.now(deciding.Decide(at, at + 1, 8 * S, 1, [outcome], lambda _: None))  # type: ignore[arg-type,return-value]
    assert tables(together) == tables(apart)


parts = st.lists(
    st.lists(st.tuples(st.sampled_from(["", "d1", "d2", "d3"]), st.sampled_from("xy")), min_size=1, max_size=3), max_size=5
)  # fmt: skip


def kept(rows: list[tuple[str, str]]) -> dict[str, Any]:
    """The request of these rows: that of several lies aside."""
    return {"raw": b"r"} if len(rows) == 1 else {"raw_hash": rows[0][1]} if rows[-1][1] == "x" else {}


def appends(wanted: list[list[tuple[str, str]]]) -> list[journal.Append]:
    return [
        journal.Append(
            [
                journal.Row("event", "s", b"{}", **kept(rows), delivery=delivery, digest=digest)
                for delivery, digest in rows
            ],
            [journal.Blob(digest, 1, b"b") for _, digest in rows],
        )
        for rows in wanted
    ]


@hypothesis.given(parts, parts)
def test_deliveries_of_a_batch(before: list[list[tuple[str, str]]], wanted: list[list[tuple[str, str]]]) -> None:
    """Also an id that comes twice in the same batch."""
    together, apart = opened(), opened()
    for one in (together, apart):
        for unit in appends(before):
            one.writer.now(unit)
    told = []
    for one, batches in ((together, [appends(wanted)]), (apart, [[unit] for unit in appends(wanted)])):
        rows = []
        for batch in batches:
            one.writer._batch(batch)
            one.writer.tx.take_appended()
            rows += [row for unit in batch for row in unit.rows]
        told.append([(row.seq, row.at_us, row.duplicate, row.conflict) for row in rows])
    assert told[0] == told[1]
    assert tables(together) == tables(apart)
