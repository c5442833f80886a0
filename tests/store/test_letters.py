"""Dead letters and events that go in once more: each a compare-and-set with its record, each new row at the tail."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from healer import errors
from healer.store import deciding, journal, letters, trimming

FIRING = {"alert": {"key": "k", "status": "firing"}}


def row_at(kit: Any, seq: int) -> journal.Row:
    """A row as the store gives it."""
    columns = (
        "seq",
        "kind",
        "source",
        "at_us",
        "depth",
        "cause",
        "ordinal",
        "body",
        "body_hash",
        "raw_hash",
        "meta",
        "actor",
    )
    ((found),) = kit.rows(f"SELECT {', '.join(columns)} FROM journal WHERE seq = ?", seq)
    got = dict(zip(columns, found, strict=True))
    row = journal.Row(
        got["kind"], got["source"], got["body"], actor=got["actor"], meta=got["meta"], depth=got["depth"], cause=got["cause"],
        ordinal=got["ordinal"], body_hash=got["body_hash"], raw_hash=got["raw_hash"],
    )  # fmt: skip
    row.seq, row.at_us = got["seq"], got["at_us"]
    return row


def held(kit: Any, *rulesets: str, body: Any = None, **more: Any) -> journal.Row:
    """A row that these could not digest."""
    if not kit.revision:
        kit.use("f" * 64)
    kind, source = more.pop("kind", "event"), more.pop("source", "am")
    alerts = more.pop("alerts", [])
    (row,) = kit.append(journal.Row(kind, source, orjson.dumps(body or {"a": 1}), **more))
    aside = [(name, "ValueError: x") for name in rulesets]
    outcome = deciding.Outcome(row.seq, kit.now_us, alerts=alerts, quarantined=aside)
    kit.do(deciding.Decide(kit.position, row.seq, kit.now_us, kit.revision, [outcome], lambda _: kit.standing))
    kit.position = row.seq
    return row_at(kit, row.seq)


def release(kit: Any, row: journal.Row, ruleset: str = "", **more: str) -> list[tuple[str, int]]:
    told: list[tuple[str, int]] = kit.do(letters.Release(row, ruleset, **({"actor": "os:ana", "reason": ""} | more)))
    return told


def states(kit: Any) -> list[Any]:
    return list(kit.rows("SELECT ruleset, state, released FROM quarantine ORDER BY seq, ruleset"))


def records(kit: Any, kind: str) -> list[dict[str, Any]]:
    kept = ("actor", "event", "ruleset", "made", "reason", "source")
    return [{name: one[name] for name in kept if name in one} for one in kit.audit() if one["kind"] == kind]


def test_it_goes_in_again_at_the_tail_for_the_one_that_could_not(kit: Any) -> None:
    row = held(kit, "a/b", meta='{"endpoint":"am"}', actor="source:am", depth=2)
    assert release(kit, row, reason="mended") == [("a/b", 3)]
    new = row_at(kit, 3)
    assert (new.kind, new.source, new.body, new.depth, new.cause, new.actor) == (
        "event",
        "am",
        row.body,
        2,
        2,
        "os:ana",
    )
    assert letters.released(new) == letters.Released("a/b", None)
    assert letters.brought(new.meta) == {"endpoint": "am"}
    assert states(kit) == [("a/b", "released", 3)]
    assert records(kit, "quarantine_released") == [
        {"actor": "os:ana", "event": 2, "ruleset": "a/b", "made": 3, "reason": "mended"}
    ]
    assert kit.verify().ok


def test_an_ordinary_row_is_none_of_these(kit: Any) -> None:
    (row,) = kit.append(journal.Row("event", "s", b"{}", meta='{"healer":{"only":"a/b"}}', cause=1, ordinal=0))
    assert letters.released(row) is None
    assert letters.noted(None, row.meta) is None


def test_all_that_hold_it_get_a_row_each(kit: Any) -> None:
    row = held(kit, "a/c", "a/b")
    assert release(kit, row) == [("a/b", 3), ("a/c", 4)]
    assert [row_at(kit, seq).ordinal for seq in (3, 4)] == [-1, -2]
    assert states(kit) == [("a/b", "released", 3), ("a/c", "released", 4)]


def test_one_of_several_is_chosen(kit: Any) -> None:
    row = held(kit, "a/c", "a/b")
    assert release(kit, row, "a/c") == [("a/c", 3)]
    assert states(kit) == [("a/b", "held", None), ("a/c", "released", 3)]


def test_the_alert_of_then_comes_with_it(kit: Any) -> None:
    word = deciding.AlertWord("am", "k", 1, True, True, 60, "n", "t", "unknown", "")
    first = held(kit, "a/b", body=FIRING, alerts=[word])
    held(kit, alerts=[deciding.AlertWord("am", "k", 1, False, False, 60, "n", "t", "unknown", "")])
    held(kit, alerts=[deciding.AlertWord("am", "k", 2, True, True, 60, "n", "t", "unknown", "")])
    ((_, seq),) = release(kit, first)
    assert letters.released(row_at(kit, seq)) == letters.Released("a/b", 1)


def test_what_fails_again_keeps_the_alert_of_then_and_gives_up_the_first(kit: Any) -> None:
    word = deciding.AlertWord("am", "k", 3, True, True, 60, "n", "t", "unknown", "")
    row = held(kit, "a/b", body=FIRING, alerts=[word])
    ((_, seq),) = release(kit, row)
    outcome = deciding.Outcome(seq, kit.now_us, quarantined=[("a/b", "ValueError: x")])
    kit.do(deciding.Decide(kit.position, seq, kit.now_us, kit.revision, [outcome], lambda _: kit.standing))
    kit.position = seq
    kit.do(
        deciding.Decide(
            seq, seq, kit.now_us, kit.revision,
            [deciding.Outcome(seq, kit.now_us, alerts=[deciding.AlertWord("am", "k", 4, True, True, 60, "n", "t", "unknown", "")])],
            lambda _: kit.standing,
        )
    )  # fmt: skip
    ((_, again),) = release(kit, row_at(kit, seq))
    assert (letters.released(row_at(kit, again)), row_at(kit, again).cause) == (letters.Released("a/b", 3), seq)
    assert states(kit) == [("a/b", "released", seq), ("a/b", "released", again)]


def test_what_nobody_heard_says_its_word_of_the_alert_itself(kit: Any) -> None:
    row = held(kit, letters.EVERY_RULESET, body=FIRING)
    ((_, seq),) = release(kit, row)
    again = letters.released(row_at(kit, seq))
    assert again == letters.Released("*", None)
    assert not again.alone


@pytest.mark.parametrize("ruleset", ["", "a/b", "a/x"])
def test_what_is_not_held_is_not_released(kit: Any, ruleset: str) -> None:
    row = held(kit, "a/b")
    release(kit, row)
    with pytest.raises(letters.NotHeld, match="e-2 is not in quarantine"):
        release(kit, row, ruleset)
    assert len(kit.rows("SELECT seq FROM journal")) == 3


def test_the_name_of_one_that_holds_it_is_said(kit: Any) -> None:
    row = held(kit, "a/b")
    with pytest.raises(letters.NotHeld) as told:
        release(kit, row, "a/x")
    assert (told.value.message, told.value.try_) == ("e-2 is not in quarantine for 'a/x'", "--ruleset a/b")


def test_a_tick_is_only_dropped(kit: Any) -> None:
    row = held(kit, "a/b", kind="tick", source="healer")
    with pytest.raises(letters.NotTriedAgain):
        release(kit, row)
    assert kit.do(letters.Drop(row.seq, "", actor="os:ana", reason="")) == ["a/b"]


def test_what_was_trimmed_does_not_go_in_again(kit: Any) -> None:
    row = held(kit, "a/b")
    row.body, row.body_hash = None, "f" * 64
    for unit in (letters.Release(row, "", actor="a", reason=""), letters.Resend(row, "a")):
        with pytest.raises(letters.BodyGone):
            kit.do(unit)
    row.seq, row.body = 99, b"{}"
    with pytest.raises(errors.NotFound):
        kit.do(letters.Resend(row, "a"))
    assert states(kit) == [("a/b", "held", None)]


def test_what_is_given_up_stays_given_up(kit: Any) -> None:
    row = held(kit, "a/c", "a/b")
    assert kit.do(letters.Drop(row.seq, "a/b", actor="os:ana", reason="old")) == ["a/b"]
    assert states(kit) == [("a/b", "dropped", None), ("a/c", "held", None)]
    assert records(kit, "quarantine_dropped") == [{"actor": "os:ana", "event": 2, "ruleset": "a/b", "reason": "old"}]
    with pytest.raises(letters.NotHeld):
        kit.do(letters.Drop(row.seq, "a/b", actor="os:ana", reason=""))
    assert len(kit.rows("SELECT seq FROM journal")) == 2


def test_an_event_goes_in_once_more_as_it_came(kit: Any) -> None:
    row = held(kit, meta='{"endpoint":"am"}', actor="source:am", depth=2, cause=1, ordinal=0)
    seq = kit.do(letters.Resend(row, "os:ana"))
    new = row_at(kit, seq)
    assert (new.kind, new.source, new.body, new.meta) == ("event", "am", row.body, row.meta)
    assert (new.depth, new.cause, new.ordinal, new.actor) == (0, None, None, "os:ana")
    assert records(kit, "resent") == [{"actor": "os:ana", "event": 2, "made": 3, "source": "am"}]


def test_one_that_a_single_ruleset_heard_goes_to_all(kit: Any) -> None:
    ((_, seq),) = release(kit, held(kit, "a/b"))
    again = row_at(kit, kit.do(letters.Resend(row_at(kit, seq), "os:ana")))
    assert (again.meta, letters.released(again)) == (None, None)


@pytest.mark.parametrize("kind", ["fact", "retract", "tick", "revision"])
def test_only_events_go_in_once_more(kit: Any, kind: str) -> None:
    (row,) = kit.append(journal.Row(kind, "s", b"{}"))
    with pytest.raises(letters.NotAnEvent, match=f"e-1 is a row of the kind {kind}, and only events"):
        kit.do(letters.Resend(row, "os:ana"))
    assert len(kit.rows("SELECT seq FROM journal")) == 1


def test_a_large_body_is_kept_once_and_shown_to_who_decides(kit: Any) -> None:
    kit.use("f" * 64)
    blob = kit.store.blobs.keep(b'{"a":"' + b"x" * 10_000 + b'"}')
    kit.do(journal.Append([journal.Row("event", "s", None, body_hash=blob.hash, raw_hash=blob.hash)], [blob]))
    row = row_at(kit, 2)
    row.body = kit.store.blobs.read(blob.hash, blob.data)
    appended = kit.store.writer.tx
    kit.store.writer._on_rows = (fed := list[journal.Row]()).extend
    kit.do(letters.Resend(row, "os:ana"))
    assert [(one.seq, one.body, one.data["a"][:3]) for one in fed] == [(3, None, "xxx")]
    assert kit.rows("SELECT body, body_hash, raw_hash FROM journal WHERE seq = 3") == [(None, blob.hash, blob.hash)]
    assert appended.last_seq == 3


def test_what_is_held_is_kept_and_what_is_around_it_goes(kit: Any) -> None:
    kit.use("f" * 64)
    held(kit)
    row = held(kit, "a/b")
    for _ in range(3):
        held(kit)
    kit.do(trimming.TrimJournal(kit.now_us + 1))
    assert [seq for (seq,) in kit.rows("SELECT seq FROM journal WHERE kind = 'event'")] == [row.seq, kit.position]
    kit.do(letters.Drop(row.seq, "", actor="os:ana", reason=""))
    kit.do(trimming.TrimJournal(kit.now_us + 1))
    assert [seq for (seq,) in kit.rows("SELECT seq FROM journal WHERE kind = 'event'")] == [kit.position]
    assert states(kit) == []


def test_what_a_replay_may_come_to_is_known_as_set_aside_also_when_nobody_holds_it(kit: Any) -> None:
    kit.use("f" * 64)
    row = held(kit, "a/b")
    kit.do(letters.Drop(row.seq, "", actor="os:ana", reason=""))
    kit.decide(snapshot=deciding.Snapshot(row.seq, "{}"))
    kit.decide()
    kit.do(trimming.TrimJournal(kit.now_us + 1))
    assert states(kit) == [("a/b", "dropped", None)]


def test_a_part_that_could_not_be_read_is_given_to_nobody_ever(kit: Any) -> None:
    row = held(kit, letters.EVERY_RULESET, meta=letters.meta_of_unread("no object", {"endpoint": "am"}))
    with pytest.raises(letters.Unread):
        release(kit, row)
    with pytest.raises(letters.Unread):
        kit.do(letters.Resend(row, "os:ana"))
    assert kit.rows("SELECT max(seq) FROM journal") == [(row.seq,)]
    assert kit.do(letters.Drop(row.seq, "", actor="os:ana", reason="")) == [letters.EVERY_RULESET]


@pytest.mark.parametrize(
    "meta", [None, "{}", '{"endpoint":"am"}', '{"headers":{"x":"{\\"healer\\":{\\"unread\\":1}}"}}']
)
def test_no_event_is_taken_for_a_part_that_could_not_be_read(meta: str | None) -> None:
    assert letters.unread(meta) == ""
