"""A batch that cannot be committed goes row by row; what the store itself says goes up."""

from __future__ import annotations

from typing import Any

import pytest

from healer import errors, policy, store
from healer.decide import poison
from healer.store import deciding, journal

S = 1_000_000


def internal(seq: int, *, bad: bool = False) -> deciding.Outcome:
    one = deciding.Internal("a/b/c", 0, "none")
    if bad:
        one.outcome = None  # type: ignore[assignment]  # a column that must not be empty
    return deciding.Outcome(seq, 100 * S, results=[one])


@pytest.fixture
def kept() -> Any:
    made = store.Store.open(None, lambda: 100 * S, loop=None)
    made.writer.now(deciding.UseRevision("f" * 64, "", "d", {}))
    made.writer.now(journal.Append([journal.Row("event", "s", b"{}") for _ in range(6)]))
    yield made
    made.writer.close()


def unit(outcomes: list[deciding.Outcome], to: int = 7, snapshot: deciding.Snapshot | None = None) -> deciding.Decide:
    return deciding.Decide(0, to, 100 * S, 1, outcomes, lambda _: policy.Standing(True, "active"), snapshot)


def rows(kept: store.Store, sql: str) -> list[Any]:
    return list(kept.writer.tx.connection.execute(sql))


async def test_a_sound_batch_is_one_transaction(kept: store.Store) -> None:
    await poison.submit(kept, unit([internal(seq) for seq in (2, 3)]))
    assert rows(kept, "SELECT seq FROM decision") == [(2,), (3,)]
    assert [text for (text,) in rows(kept, "SELECT kind FROM audit")].count("decisions") == 1


@pytest.mark.parametrize("bad", [{2}, {3}, {6}, {2, 3, 6}])
async def test_only_what_poisons_it_is_set_aside(kept: store.Store, bad: set[int]) -> None:
    snapshot = deciding.Snapshot(1, "{}")
    await poison.submit(kept, unit([internal(seq, bad=seq in bad) for seq in (2, 3, 6)], snapshot=snapshot))
    assert {seq for (seq,) in rows(kept, "SELECT seq FROM decision")} == {2, 3, 6} - bad
    assert {(seq, name) for seq, name in rows(kept, "SELECT seq, ruleset FROM quarantine")} == {
        (seq, "*") for seq in bad
    }
    assert rows(kept, "SELECT seq FROM position") == [(7,)]
    assert rows(kept, "SELECT seq FROM snapshot") == [(7,)]


@pytest.mark.parametrize("error", [errors.StoreFull(), errors.Fenced(got=2, ours=1), errors.StoreError(reason="x")])
async def test_what_the_store_says_is_no_poison(
    kept: store.Store, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = []

    async def failing(one: Any) -> Any:
        submitted.append(one)
        raise error

    monkeypatch.setattr(kept, "insist", failing)
    with pytest.raises(type(error)):
        await poison.submit(kept, unit([internal(2)]))
    assert len(submitted) == 1
    assert rows(kept, "SELECT * FROM quarantine") == []
