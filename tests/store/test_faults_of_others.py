"""Faults 7 and 8 of `docs/faults.md` as the store answers them: files that others touch, workers and people. Each holds, and does
not without its protection.
"""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import shutil
import sqlite3
from typing import Any, Final

import faults

from healer import access, errors, policy, store
from healer.audit import tree, verify
from healer.policy import limits
from healer.store import approving, names, ownership, reviewing, witness

S: Final = 1_000_000


# --- 7: the files -----------------------------------------------------------------------------------------------------


def two_processes(_make_kit: Any, folder: pathlib.Path) -> None:
    """A second one on the data directory is refused."""
    first, second = ownership.Ownership(folder), ownership.Ownership(folder)
    first.take()
    with contextlib.suppress(errors.AlreadyRunning):
        second.take()
    both = second.held
    first.release()
    second.release()
    faults.hold(not both, "both have it")


AUDIT: Final = {
    "edited": "UPDATE audit SET record = replace(record, 'web1', 'web2') WHERE seq = 2",
    "removed": "DELETE FROM audit WHERE seq = 2",
    "removed, and the others moved up": "DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq > 2",
    "reordered": "UPDATE audit SET seq = -1 WHERE seq = 1; UPDATE audit SET seq = 1 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = -1",
    "removed at the end": "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
}


def audit_row(how: str) -> faults.Scene:
    """The guards of the audit are out of the way, and one record is not as it was: it is found, and named."""

    def scene(make_kit: Any, folder: pathlib.Path) -> None:
        kit = make_kit(folder)
        kit.finish(faults.claimed_one(kit))
        kit.queue("k2")
        faults.hold(kit.verify().ok, "it was whole")
        kit.connection.executescript(f"DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; {AUDIT[how]}")
        found: verify.Report = kit.verify()
        faults.hold(not found.ok and found.first_bad is not None, f"a record that was {how} is not found")
        kit.connection.close()

    return scene


def nothing_chained(patch: faults.Patch) -> None:
    """Neither a chain nor a tree."""
    patch.setattr(tree, "chain_hash", lambda *_: b"\0" * 32)
    patch.setattr(tree, "leaf_hash", lambda _: b"\0" * 32)


def nothing_numbered(patch: faults.Patch) -> None:
    """Nor are numbers compared."""
    nothing_chained(patch)
    patch.setattr(verify.Report, "add", lambda *_: None)


def appended_only(make_kit: Any, folder: pathlib.Path) -> None:
    """The store itself lets nobody change or remove a record."""
    kit = make_kit(folder)
    faults.claimed_one(kit)
    for change in (AUDIT["edited"], AUDIT["removed"]):
        try:
            kit.connection.execute(change)
        except sqlite3.IntegrityError:
            continue
        raise faults.Broken(change)
    kit.close()


def no_guards(patch: faults.Patch) -> None:
    """The schema without its triggers."""
    begin = store._begin

    def unguarded(opened: sqlite3.Connection, now_us: int) -> tuple[str, int]:
        opened.executescript("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete")
        return begin(opened, now_us)

    patch.setattr(store, "_begin", unguarded)


def starts_older(make_kit: Any, folder: pathlib.Path) -> None:
    """A start on it is refused: an effect that is missing there would be had again."""
    try:
        make_kit(folder).connection.close()
    except witness.Older:
        return
    raise faults.Broken("it goes on as if nothing were missing")


def old_copy(make_kit: Any, folder: pathlib.Path) -> None:
    """A copy of another day is put back, which is whole in itself."""
    kit = make_kit(folder)
    kit.close()
    before = (folder / store.DATABASE).read_bytes()
    later = make_kit(folder)
    later.finish(faults.claimed_one(later))
    later.close()
    (folder / store.DATABASE).write_bytes(before)
    starts_older(make_kit, folder)


def log_removed(make_kit: Any, folder: pathlib.Path) -> None:
    """The log of a database, without which this one knows nothing of an effect, is removed after a kill."""
    make_kit(folder).close()
    kit = make_kit(folder)
    kit.finish(faults.claimed_one(kit))
    killed = shutil.copytree(folder, folder / "killed")
    kit.close()
    for name in ("-wal", "-shm"):
        (killed / f"{store.DATABASE}{name}").unlink()
    starts_older(make_kit, killed)


def no_witness(patch: faults.Patch) -> None:
    """Nothing beside the store is asked."""
    patch.setattr(witness.Witness, "refuse_older", lambda *_: None)


# --- 8: workers and people --------------------------------------------------------------------------------------------


def worker_lost(make_kit: Any, folder: pathlib.Path) -> None:
    """The worker died, what it began may go on: unknown, never again by itself, and nobody else gets its target."""
    kit = make_kit(folder)
    unknown = kit.unknown("k", "host:web1")
    kit.queue("other", "host:web1")
    faults.hold(not kit.claim().claimed and kit.locks() == ["host:web1"], "another effect begins beside it")
    faults.hold(kit.states(unknown.run["id"]) == ("unknown", ["unknown"]), "it is tried again")
    kit.close()


APPROVED: Final = policy.Limits(
    timeout_s=10, cooldown_s=0, defer_for_s=7200, approval_expires_s=60,
    approvals=(limits.Approval((limits.Threshold("ops", ("ops",), 1, 1),), ("requester",)),),
)  # fmt: skip


def asked_for(make_kit: Any, folder: pathlib.Path) -> tuple[Any, str]:
    """A run that waits for one person."""
    kit = make_kit(folder)
    kit.decide(kit.asked("k", limits=APPROVED))
    return kit, str(kit.rows("SELECT id FROM approval")[0][0])


def says(kit: Any, approval: str, actor: str) -> bool:
    """One approves; whether that was taken."""
    unit = reviewing.Review(
        approval, "approve", who=access.Principal(actor), roles=("ops",), reason="", standing_of=lambda _: kit.standing
    )
    with contextlib.suppress(errors.HealerError):
        kit.do(unit)
        return True
    return False


def approved_twice(make_kit: Any, folder: pathlib.Path) -> None:
    """Two people say yes at the same moment, and one is enough: one effect."""
    kit, approval = asked_for(make_kit, folder)
    says(kit, approval, "key:ana")
    says(kit, approval, "key:bo")
    faults.hold(kit.rows("SELECT count(*) FROM attempt") == [(1,)], "two effects of one request")
    kit.close()


def any_state(patch: faults.Patch) -> None:
    """A word counts whatever state request and run are in."""
    faults.statement("approval_find", names.load()["approval_find"].replace("state,", "'open' AS state,"))(patch)
    for name in ("run_move", "run_decide_again"):
        faults.statement(name, names.load()[name].replace("AND state = ?", "AND ? <> ''"))(patch)


def approved_late(make_kit: Any, folder: pathlib.Path) -> None:
    """A yes after its time is none."""
    kit, approval = asked_for(make_kit, folder)
    kit.now_us += 61 * S
    faults.hold(
        not says(kit, approval, "key:ana") and kit.rows("SELECT count(*) FROM attempt") == [(0,)],
        "it acts after its time",
    )
    kit.close()


def approved_by_who_asked(make_kit: Any, folder: pathlib.Path) -> None:
    """Who asked for it does not approve it."""
    kit, approval = asked_for(make_kit, folder)
    (asker,) = kit.rows("SELECT requester FROM approval")[0]
    faults.hold(not says(kit, approval, asker), "one pair of eyes is enough")
    kit.close()


CASES: Final[faults.Cases] = {
    "7 two processes": (two_processes, lambda patch: patch.setattr(fcntl, "flock", lambda *_: None)),
    **{f"7 an audit record {how}": (audit_row(how), nothing_chained if how == "edited" else nothing_numbered) for how in AUDIT},
    "7 an audit record changed through the store": (appended_only, no_guards),
    "7 an old copy put back": (old_copy, no_witness),
    "7 the log removed": (log_removed, no_witness),
    "8 a worker that is lost": (worker_lost, faults.statement("lane_release", names.load()["lock_release"])),
    "8 approved twice": (approved_twice, any_state),
    "8 approved late": (approved_late, faults.statement("approval_find", names.load()["approval_find"].replace("expires_us", "NULL"))),
    "8 approved by who asked": (approved_by_who_asked, lambda patch: patch.setattr(approving.approvals, "excluded", lambda *_: False)),
}  # fmt: skip


test_it_holds: faults.Test = faults.holds(CASES)
test_it_does_not_hold_without_its_protection: faults.Test = faults.does_not_hold_without(CASES)
