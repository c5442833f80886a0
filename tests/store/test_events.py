"""Lists of stored events and of the quarantine: newest first, filtered, page by page, in short statements."""

from __future__ import annotations

from typing import Any

import pytest

from healer.store import deciding, events, journal

S = 1_000_000


@pytest.fixture
def filled(make_kit: Any) -> Any:
    """Ten rows, one a second from 101 s on, of two sources; every fifth is a fact."""
    kit = make_kit(None)
    for n in range(1, 11):
        kit.now_us += S
        kind = "fact" if n % 5 == 0 else "event"
        kit.append(journal.Row(kind, "am" if n % 2 else "api", b'{"n":%d}' % n, actor="key:ci"))
    yield kit
    kit.close()


async def seqs(kit: Any, before: int | None = None, limit: int = 50, **wanted: Any) -> tuple[list[int], int | None]:
    page = await events.events(kit.store.reader, events.EventFilter(**wanted), before, limit)
    return [row["seq"] for row in page.rows], page.before


async def test_newest_first(filled: Any) -> None:
    assert await seqs(filled) == (list(range(10, 0, -1)), None)


async def test_pages_follow_each_other_and_miss_nothing(filled: Any) -> None:
    found: list[int] = []
    before = None
    while True:
        page, before = await seqs(filled, before, 3)
        found += page
        if before is None:
            break
    assert found == list(range(10, 0, -1))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"source": "am"}, [9, 7, 5, 3, 1]),
        ({"kinds": ("fact",)}, [10, 5]),
        ({"kinds": ("fact", "event"), "source": "api"}, [10, 8, 6, 4, 2]),
        ({"since_us": 108 * S}, [10, 9, 8]),
        ({"until_us": 103 * S}, [2, 1]),
        ({"since_us": 103 * S, "until_us": 105 * S}, [4, 3]),
        ({"since_us": 500 * S}, []),
        ({"until_us": 1}, []),
        ({"source": "nobody"}, []),
    ],
)
async def test_filters(filled: Any, wanted: dict[str, Any], found: list[int]) -> None:
    assert await seqs(filled, **wanted) == (found, None)


async def test_so_many_rows_are_looked_through_and_the_next_page_goes_on(
    filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOKED_THROUGH", 2)
    monkeypatch.setattr(events, "STATEMENTS_MAX", 2)
    found, before = await seqs(filled, kinds=("fact",))
    assert (found, before) == ([10], 7)
    found, before = await seqs(filled, before, kinds=("fact",))
    assert (found, before) == ([5], 3)
    assert await seqs(filled, before, kinds=("fact",)) == ([], None)


async def test_what_each_led_to_is_counted(make_kit: Any) -> None:
    kit = make_kit(None)
    kit.decide(deciding.Internal("a/b/c", 0, "none"), kit.asked("k"), quarantined=[("a/b", "x"), ("a/c", "x")])
    kit.append(journal.Row("event", "s", b"[" + b"1," * 200 + b"1]"))
    new, old, first = (await events.events(kit.store.reader, events.EventFilter(), None, 9)).rows
    assert (old["decisions"], old["runs"], old["held"]) == (2, 1, 2)
    assert (new["decisions"], new["runs"], new["held"], new["bytes"]) == (0, 0, 0, 403)
    assert (len(new["begins"]), first["kind"]) == (events.BEGINNING, "revision")
    kit.close()


async def test_of_a_large_one_the_size_is_known(make_kit: Any) -> None:
    kit = make_kit(None)
    blob = kit.store.blobs.keep(b"x" * 9_000)
    kit.do(journal.Append([journal.Row("event", "s", None, body_hash=blob.hash)], [blob]))
    (row,) = (await events.events(kit.store.reader, events.EventFilter(), None, 9)).rows
    assert (row["bytes"], row["begins"]) == (9_000, None)
    kit.close()


async def quarantine(kit: Any, source: str = "", ruleset: str = "", after: Any = None, limit: int = 50) -> Any:
    page = await events.quarantine(kit.store.reader, source, ruleset, after, limit)
    return [(row["seq"], row["ruleset"]) for row in page.rows], page.more


async def test_what_is_held(make_kit: Any) -> None:
    kit = make_kit(None)
    kit.decide(quarantined=[("a/b", "x"), ("a/c", "x")])
    kit.decide(quarantined=[("*", "y")])
    kit.store.writer.tx.run("quarantine_end", "dropped", 1, None, 2, "a/c")
    assert await quarantine(kit) == ([(3, "*"), (2, "a/b")], False)
    assert await quarantine(kit, limit=1) == ([(3, "*")], True)
    assert await quarantine(kit, after=(3, "*"), limit=1) == ([(2, "a/b")], False)
    assert await quarantine(kit, ruleset="a/b") == ([(2, "a/b")], False)
    assert await quarantine(kit, source="s", ruleset="*") == ([(3, "*")], False)
    assert await quarantine(kit, source="t") == ([], False)
    kit.close()
