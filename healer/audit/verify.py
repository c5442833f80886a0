"""Verify a stored audit: pure, over rows that someone else reads. The first bad record is named.

What it can show without anchors: every record is as it was chained, none is missing in the middle, the head fits. What it
cannot: that the tail was not cut together with the head; the report says how many records rest on this store alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import orjson

from healer.audit import records, tree


@dataclasses.dataclass(slots=True)
class Report:
    """What was found. `findings` are sentences, in the order of the records; empty means intact."""

    records: int = 0
    root: str = ""
    first_us: int | None = None
    last_us: int | None = None
    first_bad: int | None = None
    findings: list[str] = dataclasses.field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was tampered with, as far as can be seen."""
        return not self.findings

    def add(self, seq: int, sentence: str) -> None:
        """Note a finding; only the first of a chain of consequences matters, so at most 20 are kept."""
        if self.first_bad is None:
            self.first_bad = seq
        if len(self.findings) < 20:
            self.findings.append(f"record {seq}: {sentence}")


class Verifier:
    """Feed it rows in order, then ask for the report."""

    def __init__(self) -> None:
        self.report = Report()
        self._frontier = tree.Frontier()
        self._chain = tree.CHAIN_START

    def feed(self, rows: Iterable[tuple[int, str, bytes]]) -> None:
        """Rows are (seq, record text, chain), ordered by seq."""
        for seq, text, chain in rows:
            expected = self.report.records
            if seq != expected:
                self.report.add(min(seq, expected), f"the sequence goes from {expected - 1} to {seq}")
                self.report.records = seq
            data = text.encode("utf-8", "surrogatepass")
            leaf = tree.leaf_hash(data)
            self._chain = tree.chain_hash(self._chain, leaf)
            if self._chain != chain:
                self.report.add(seq, "its text, or a record before it, is not what was chained")
                self._chain = chain
            self._frontier.append(leaf)
            self._look_inside(seq, data)
            self.report.records += 1

    def _look_inside(self, seq: int, data: bytes) -> None:
        report = self.report
        try:
            record: Any = orjson.loads(data)
            canonical = records.canonical(record)
            if not isinstance(record, dict):
                raise TypeError
        except (ValueError, TypeError):
            report.add(seq, "it is no canonical JSON")
            return
        if canonical != data:
            report.add(seq, "it is not in canonical form")
        if record.get("seq") != seq:
            report.add(seq, f"it says that it is record {record.get('seq')}")
        at_us = record.get("at_us")
        if not isinstance(at_us, int):
            report.add(seq, "it has no time")
            return
        if report.last_us is not None and at_us < report.last_us:
            report.add(seq, "its time is before that of the record before it")
        report.first_us = report.first_us if report.first_us is not None else at_us
        report.last_us = at_us

    def finish(self, size: int, root: bytes, chain: bytes, frontier: bytes) -> Report:
        """Compare with the stored head (`frontier`: the packed right edge that the next records grow from) and give the report."""
        report = self.report
        if report.records != size:
            report.add(min(report.records, size), f"the head says {size} records, there are {report.records}")
        elif self._frontier.root() != root:
            report.add(
                report.first_bad if report.first_bad is not None else 0,
                "the tree over the records has another root than the head",
            )
        elif self._frontier.to_bytes() != frontier:
            report.add(max(size - 1, 0), "the head's right edge of the tree is not that of the records")
        if self._chain != chain and not report.findings:
            report.add(max(size - 1, 0), "the chain ends elsewhere than the head says")
        report.root = self._frontier.root().hex()
        return report
