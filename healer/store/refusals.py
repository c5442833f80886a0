"""Deliveries that were refused though their sender had proved who it is: on record, since what was in them is lost unless it comes again.

Caller: `web`, at most once in a while for each source and reason; the counters have them all.
"""

from __future__ import annotations

from healer import telemetry
from healer.store.transaction import Transaction


class Refused:
    """A record of it, which people are told of (`audit.notices`)."""

    weight = 1

    def __init__(self, source: str, code: str, detail: str, count: int) -> None:
        self.source = source
        self.code = code
        self.detail = detail
        self.count = count

    def apply(self, tx: Transaction) -> None:
        """`count`: how many since the last record of the same source and code."""
        tx.audit(
            "delivery_refused", actor=f"source:{self.source}", source=self.source, code=self.code, detail=self.detail, count=self.count
        )  # fmt: skip
        telemetry.count("deliveries_refused_told")
