"""Verification finds each way to tamper with what is stored, names the first bad record, and says what it cannot find."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.audit import records, tree, verify

Row = tuple[int, str, bytes]
Head = tuple[int, bytes, bytes, bytes]
COUNT = 7


def audit(count: int = COUNT) -> tuple[list[Row], Head]:
    """A sound audit of some records."""
    texts = [records.canonical({"seq": n, "at_us": 100 + n, "kind": "start", "actor": "daemon"}) for n in range(count)]
    return chained([text.decode() for text in texts])


def chained(texts: list[str]) -> tuple[list[Row], Head]:
    """Rows and a head as whoever owns the store could write them."""
    frontier, chain, rows = tree.Frontier(), tree.CHAIN_START, []
    for seq, text in enumerate(texts):
        leaf = tree.leaf_hash(text.encode())
        chain = tree.chain_hash(chain, leaf)
        frontier.append(leaf)
        rows.append((seq, text, chain))
    return rows, (len(rows), frontier.root(), chain, frontier.to_bytes())


def look(rows: list[Row], head: Head) -> verify.Report:
    verifier = verify.Verifier()
    for at in range(0, len(rows), 3):  # as they are read: in pieces
        verifier.feed(rows[at : at + 3])
    return verifier.finish(*head)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8])
def test_a_sound_audit_is_sound(count: int) -> None:
    rows, head = audit(count)
    report = look(rows, head)
    assert (report.ok, report.records, report.root, report.first_bad) == (True, count, head[1].hex(), None)
    assert (report.first_us, report.last_us) == ((100, 99 + count) if count else (None, None))


@hypothesis.given(st.integers(0, COUNT - 1), st.data())
def test_any_flipped_bit_of_a_text_or_a_link_is_found_there(seq: int, data: st.DataObject) -> None:
    rows, head = audit()
    _, text, chain = rows[seq]
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text) - 1))
        rows[seq] = (seq, text[:at] + chr(ord(text[at]) ^ (1 << data.draw(st.integers(0, 6)))) + text[at + 1 :], chain)
    else:
        flipped = bytearray(chain)
        flipped[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
        rows[seq] = (seq, text, bytes(flipped))
    assert look(rows, head).first_bad == seq


def swapped(rows: list[Row]) -> list[Row]:
    rows[2], rows[4] = (2, *rows[4][1:]), (4, *rows[2][1:])
    return rows


def renumbered(rows: list[Row], gone: int) -> list[Row]:
    left = rows[:gone] + rows[gone + 1 :]
    return [(seq, text, chain) for seq, (_, text, chain) in enumerate(left)]


TAMPERING: dict[str, tuple[Callable[[list[Row]], list[Row]], int]] = {
    "first deleted": (lambda rows: rows[1:], 0),
    "middle deleted": (lambda rows: rows[:3] + rows[4:], 3),
    "last deleted": (lambda rows: rows[:-1], COUNT - 1),
    "all deleted": (lambda rows: [], 0),
    "middle deleted, renumbered": (lambda rows: renumbered(rows, 3), 3),
    "two swapped": (swapped, 2),
    "turned round": (lambda rows: [(seq, *rows[-1 - seq][1:]) for seq in range(COUNT)], 0),
    "one repeated": (lambda rows: [*rows[:3], (3, *rows[2][1:]), *rows[3:]], 3),
    "one added": (lambda rows: [*rows, (COUNT, *audit(COUNT + 1)[0][-1][1:])], COUNT),
    "another audit's record": (
        lambda rows: [*rows[:2], (2, rows[2][1].replace("daemon", "nobody"), rows[2][2]), *rows[3:]],
        2,
    ),
}


SAID = {
    "first deleted": "record 0: the sequence goes from -1 to 1",
    "middle deleted": "record 3: the sequence goes from 2 to 4",
    "last deleted": f"record {COUNT - 1}: the head says {COUNT} records, there are {COUNT - 1}",
    "all deleted": f"record 0: the head says {COUNT} records, there are 0",
    "one added": f"record {COUNT}: the head says {COUNT} records, there are {COUNT + 1}",
}
"""Tampering → the sentence that an auditor reads first, where it has numbers."""


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_where_it_is(name: str) -> None:
    rows, head = audit()
    tamper, first_bad = TAMPERING[name]
    report = look(tamper(rows), head)
    assert not report.ok
    assert report.first_bad == first_bad
    assert report.findings[0] == SAID.get(name, report.findings[0])


@pytest.mark.parametrize(
    ("change", "at", "said"),
    [
        ("size", COUNT, "head says"), ("root", 0, "another root"), ("chain", COUNT - 1, "chain ends elsewhere"),
        ("frontier", COUNT - 1, "right edge"), ("frontier_cut", COUNT - 1, "right edge"),
    ],
)  # fmt: skip
def test_a_head_that_does_not_fit_is_found(change: str, at: int, said: str) -> None:
    rows, (size, root, chain, frontier) = audit()
    head = {
        "size": (size + 1, root, chain, frontier), "root": (size, bytes(32), chain, frontier),
        "chain": (size, root, bytes(32), frontier), "frontier": (size, root, chain, bytes(len(frontier))),
        "frontier_cut": (size, root, chain, frontier[:-1]),
    }[change]  # fmt: skip
    (finding,) = (report := look(rows, head)).findings
    assert finding.startswith(f"record {at}: ")
    assert said in finding
    assert (report.first_bad, report.root) == (at, root.hex())


@pytest.mark.parametrize("count", [0, 1])
def test_where_there_is_hardly_a_record_it_is_the_first_that_is_named(count: int) -> None:
    rows, (size, root, chain, frontier) = audit(count)
    for head in ((size, root, bytes([1] * 32), frontier), (size, root, chain, bytes(64))):
        assert look(rows, head).first_bad == 0


def test_another_root_is_laid_to_the_first_record_that_is_bad() -> None:
    rows, head = audit()
    seq, text, _ = rows[2]
    rows[2] = (seq, text.replace("daemon", "nobody"), rows[2][2])
    report = look(rows, head)
    assert (report.first_bad, [finding.partition(":")[0] for finding in report.findings][-1]) == (2, "record 2")


@pytest.mark.parametrize(("text", "said"), [
    ("no json", "no canonical JSON"), ("[1]", "no canonical JSON"), ("null", "no canonical JSON"), ('{"seq": 2}', "not in canonical form"),
    ('{"at_us":102,"kind":"start","seq":2.0}', "no canonical JSON"), ('{"seq":2,"seq":2,"at_us":102}', "not in canonical form"),
    ('{"seq":2}', "it has no time"), ('{"at_us":102,"seq":3}', "says that it is record 3"), ('{"at_us":"102","seq":2}', "it has no time"),
    ('{"at_us":1,"seq":2}', "its time is before"), ('{"at_us":102,"é":1,"seq":2}', "no canonical JSON"),
])  # fmt: skip
def test_a_record_that_never_was_one_is_found_however_well_it_is_chained(text: str, said: str) -> None:
    texts = [row[1] for row in audit()[0]]
    texts[2] = text
    report = look(*chained(texts))
    assert (report.ok, report.first_bad) == (False, 2)
    assert said in report.findings[0]


def test_a_text_that_is_no_unicode_is_a_finding_and_no_crash() -> None:
    rows, head = audit()
    rows[2] = (2, rows[2][1] + "\udcff", rows[2][2])
    report = look(rows, head)
    assert report.first_bad == 2
    assert [finding for finding in report.findings if "not what was chained" in finding] == [report.findings[0]]


def test_records_of_one_moment_are_sound() -> None:
    texts = [records.canonical({"seq": seq, "at_us": 100}).decode() for seq in range(3)]
    assert look(*chained(texts)).ok


def test_what_is_beyond_it_a_tail_cut_together_with_the_head_and_a_store_written_anew() -> None:
    rows, _ = audit()
    assert look(*chained([row[1] for row in rows[:-2]])).ok
    assert look(*chained([row[1].replace("daemon", "nobody") for row in rows])).ok


def test_findings_are_few_however_much_is_wrong() -> None:
    rows, head = audit(200)
    report = look([(seq, "x", bytes(32)) for seq, _, _ in rows], head)
    assert (report.first_bad, len(report.findings)) == (0, 20)
