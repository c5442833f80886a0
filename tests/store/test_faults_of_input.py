"""Faults 4 to 6 of `docs/faults.md` as the store answers them: the clock, deliveries, poison. Each holds, and does not without its
protection.
"""

from __future__ import annotations

import pathlib
from typing import Any, Final

import faults

from healer import errors
from healer.intake import strict
from healer.store import journal, letters, notes, stumbling, transaction, writer

S: Final = 1_000_000


# --- 4: the clock -----------------------------------------------------------------------------------------------------


def clock_goes_back(make_kit: Any, folder: pathlib.Path) -> None:
    """An hour back, also between two starts: journal time stands still, and a cooldown that was over does not begin anew."""
    kit = make_kit(folder)
    kit.append()
    kit.now_us -= 3600 * S
    kit.append()
    kit.connection.close()
    later = make_kit(folder)
    later.now_us -= 3600 * S
    later.append()
    times = [at for (at,) in later.rows("SELECT at_us FROM journal ORDER BY seq")]
    faults.hold(times == sorted(times), "journal time goes back")
    later.close()


def time_goes_back(patch: faults.Patch) -> None:
    """Journal time is the clock's."""
    patch.setattr(writer, "max", lambda _, now: now, raising=False)
    patch.setattr(transaction, "max", lambda before, *_: before, raising=False)


# --- 5: deliveries ----------------------------------------------------------------------------------------------------


def delivered_twice(make_kit: Any, folder: pathlib.Path) -> None:
    """The same again gets the place of the first, also after a start."""
    kit = make_kit(folder)
    kit.append(faults.delivery())
    kit.connection.close()
    later = make_kit(folder)
    (again,) = later.append(faults.delivery())
    faults.hold(
        (again.seq, again.duplicate) == (1, True) and later.rows("SELECT count(*) FROM journal") == [(1,)],
        "a second row",
    )
    later.close()


def not_known(patch: faults.Patch) -> None:
    """Ids are not looked up, and not kept."""
    patch.setattr(journal, "_known_delivery", lambda *_: False)
    faults.statement("delivery_insert", "SELECT ?, ?, ?, ?, ?")(patch)


def other_content(make_kit: Any, folder: pathlib.Path) -> None:
    """Other bytes under the same id are not taken, and not taken for the first."""
    kit = make_kit(folder)
    kit.append(faults.delivery())
    (other,) = kit.append(faults.delivery("y"))
    faults.hold(
        other.conflict and kit.rows("SELECT count(*) FROM journal") == [(1,)], "they pass for the first delivery"
    )
    faults.hold([one["kind"] for one in kit.audit()] == ["delivery_conflict"], "there is no record of it")
    kit.close()


# --- 6: poison --------------------------------------------------------------------------------------------------------


def bad_among_good(make_kit: Any, folder: pathlib.Path) -> None:
    """One unit of a batch fails: nothing of it is there, and all of its neighbours."""
    kit = make_kit(folder)
    good = journal.Append([journal.Row("event", "s", b"{}")])
    results = kit.store.writer._batch([notes.Note("start", "a"), Failing(), notes.Note("stop", "a"), good])
    faults.hold([error is None for _, error in results] == [True, False, True, True], results)
    faults.hold(kit.rows("SELECT count(*) FROM journal") == [(1,)], "a part of what failed is there")
    faults.hold([one["kind"] for one in kit.audit()] == ["start", "stop"], kit.audit())
    faults.hold(kit.verify().ok, "the audit is damaged")
    kit.close()


class Failing:
    """A unit that writes, and then fails."""

    weight = 1

    def apply(self, tx: Any) -> None:
        """A row, a record, a mistake."""
        journal.append_all(tx, [journal.Append([journal.Row("event", "poison", b"{}")])])
        tx.audit("clock", actor="nobody")
        raise ValueError("poison")


def dies_of_a_row(make_kit: Any, folder: pathlib.Path) -> None:
    """A row of which each process dies is set aside by the fourth: it dies no more."""
    for _ in range(letters.TRIES):
        kit = make_kit(folder)
        if not kit.rows("SELECT 1 FROM journal"):
            kit.append()
        begun = kit.do(stumbling.Begin())
        if begun.deaths >= stumbling.CAREFUL_DEATHS:
            kit.do(stumbling.Try(1))
        kit.connection.close()
    last = make_kit(folder)
    faults.hold(last.do(stumbling.Begin()).poison == 1, "it ends each start for ever")
    last.close()


def deep(_make_kit: Any, _folder: pathlib.Path) -> None:
    """JSON that is nested without end, and NUL: refused before anything is kept."""
    for body in (b"[" * 65 + b"]" * 65, b'{"a": "\\u0000"}'):
        try:
            strict.parse(body)
        except errors.HealerError:
            continue
        raise faults.Broken(body)


CASES: Final[faults.Cases] = {
    "4 the clock goes back": (clock_goes_back, time_goes_back),
    "5 delivered twice": (delivered_twice, not_known),
    "5 other content": (other_content, faults.statement("delivery_find", "SELECT source, id, 1, 'y', 0, NULL FROM delivery CROSS JOIN (VALUES (?, ?))")),
    "6 a bad one among good ones": (bad_among_good, faults.without_transactions),
    "6 a row of which processes die": (dies_of_a_row, lambda patch: patch.setattr(stumbling, "CAREFUL_DEATHS", 1 << 30)),
    "6 nested without end": (deep, lambda patch: patch.setattr(strict, "DEPTH_MAX", 1 << 30)),
}  # fmt: skip


test_it_holds: faults.Test = faults.holds(CASES)
test_it_does_not_hold_without_its_protection: faults.Test = faults.does_not_hold_without(CASES)
