"""A batch that cannot be committed goes row by row; what the store itself says goes up."""

from __future__ import annotations

from typing import Any

import pytest

from healer import errors, policy, store
from healer.decide import poison
from healer.store import deciding, journal, letters

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


@pytest.mark.parametrize(("bad", "first"), [({2}, 2), ({3}, 3), ({6}, 6), ({3, 6}, 3)])
async def test_the_first_that_poisons_it_is_set_aside_and_what_comes_behind_is_void(
    kept: store.Store, bad: set[int], first: int
) -> None:
    snapshot = deciding.Snapshot(1, "{}")
    outcomes = [internal(seq, bad=seq in bad) for seq in (2, 3, 6)]
    committed = await poison.submit(kept, unit(outcomes, snapshot=snapshot))
    assert committed.aside is not None
    assert committed.aside.seq == first
    assert [seq for (seq,) in rows(kept, "SELECT seq FROM decision")] == [seq for seq in (2, 3, 6) if seq < first]
    assert rows(kept, "SELECT seq, ruleset, tries, state FROM quarantine") == [(first, "*", letters.TRIES, "held")]
    assert rows(kept, "SELECT seq FROM position") == [(first,)]
    assert rows(kept, "SELECT seq FROM snapshot") == []


async def test_a_row_is_tried_three_times_before_it_is_set_aside(
    kept: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: list[list[int]] = []
    apply = deciding.Decide.apply

    def counted(self: deciding.Decide, tx: Any) -> Any:
        applied.append([one.seq for one in self.outcomes if not one.quarantined])
        return apply(self, tx)

    monkeypatch.setattr(deciding.Decide, "apply", counted)
    await poison.submit(kept, unit([internal(2), internal(3, bad=True)]))
    assert applied == [[2, 3], [2], [3], [3], []]


async def test_what_fails_in_company_and_not_alone_is_committed(
    kept: store.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = deciding.Decide.apply

    def in_company(self: deciding.Decide, tx: Any) -> Any:
        if len(self.outcomes) > 1:
            raise ValueError("too many")
        return apply(self, tx)

    monkeypatch.setattr(deciding.Decide, "apply", in_company)
    committed = await poison.submit(kept, unit([internal(2), internal(3)], snapshot=deciding.Snapshot(1, "{}")))
    assert committed.aside is None
    assert rows(kept, "SELECT seq FROM decision") == [(2,), (3,)]
    assert (rows(kept, "SELECT seq FROM position"), rows(kept, "SELECT seq FROM snapshot")) == ([(7,)], [(7,)])


async def test_what_fails_without_any_row_goes_up(kept: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: deciding.Decide, tx: Any) -> Any:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(deciding.Decide, "apply", failing)
    with pytest.raises(ValueError, match="a mistake of ours"):
        await poison.submit(kept, unit([]))


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
