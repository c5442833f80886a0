"""Orders: what a request may wait for, and the record of a controller that somebody chose."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from healer import errors
from healer.web import orders


@pytest.mark.parametrize(("query", "wait"), [
    ("", orders.Wait(None)), ("?wait=30s", orders.Wait(30.0)), ("?wait=5m&until=ended", orders.Wait(300.0)),
    ("?wait=0s&until=decided", orders.Wait(0.0, "decided")), ("?wait=9s&until=planned", orders.Wait(9.0, "planned")),
])  # fmt: skip
def test_what_is_waited_for(query: str, wait: orders.Wait) -> None:
    assert orders.wait_of(make_mocked_request("POST", f"/webhook{query}")) == wait


@pytest.mark.parametrize(("query", "says"), [
    ("?wait=301s", "at most 5 minutes are wanted, got '301s'"), ("?wait=soon", "wait"), ("?until=decided", "it says what ?wait waits for"),
    ("?wait=1s&until=done", "one of decided, planned, ended is wanted, got 'done'"), ("?wiat=1s", "wiat"),
    ("?wait=", "wait: a duration like '5 minutes' or '5m' is wanted, got ''"), ("?wait", "wait: a duration"),
    ("?wait=&until=decided", "wait: a duration"), ("?wait=1s&until=", "one of decided, planned, ended is wanted, got ''"),
    ("?until=", "it says what ?wait waits for"),
])  # fmt: skip
def test_what_is_no_wait(query: str, says: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        orders.wait_of(make_mocked_request("POST", f"/webhook{query}"))
    assert says in caught.value.message


class Tx:
    """Keeps what is audited."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def audit(self, kind: str, **fields: Any) -> None:
        self.kept = {name: value for name, value in fields.items() if value is not None} | {"kind": kind}


@pytest.mark.parametrize(("more", "told"), [
    ({"event_type": "down", "targets": ("web1",)}, {"event_type": "down", "target": "web1"}),
    ({"targets": ("web1", "web2"), "reason": "full", "dry_run": True}, {"targets": ["web1", "web2"], "detail": "full", "dry_run": True}),
    ({}, {}),
])  # fmt: skip
def test_the_record_says_all_that_is_known(more: Any, told: Any) -> None:
    tx: Any = Tx()
    orders.Override("key:ci", orders.Order("healer.actions", {}, "clean", controller_override="there", **more)).apply(
        tx
    )
    assert tx.kept == {"kind": "override", "actor": "key:ci", "action": "clean", "controller": "there"} | told
