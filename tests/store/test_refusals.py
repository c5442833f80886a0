"""Deliveries that were refused are on record, and people are told."""

from __future__ import annotations

from typing import Any

from healer.audit import notices
from healer.store import refusals


def test_a_refusal_is_a_record_of_its_source(kit: Any) -> None:
    kit.do(refusals.Refused("am", "too-large", "the body is larger than 9 bytes", 3))
    [record] = [one for one in kit.audit() if one["kind"] == "delivery_refused"]
    told = {name: record[name] for name in ("actor", "source", "code", "detail", "count")}
    assert told == {
        "actor": "source:am", "source": "am", "code": "too-large", "detail": "the body is larger than 9 bytes", "count": 3
    }  # fmt: skip
    assert notices.of(record) == "3 deliveries of am were refused (too-large): the body is larger than 9 bytes"
