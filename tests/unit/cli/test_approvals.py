"""`healer approvals`: who is asked, how many of them are there, and who may not."""

from __future__ import annotations

from typing import Any

import pytest

ONE = {"approval": 1, "name": "on call", "roles": ["oncall"], "have": 0, "want": 1, "reject": 1}
TWO = {"approval": 1, "name": "two of us", "roles": ["approver", "admin"], "have": 1, "want": 2, "reject": 1}
MORE = {"approval": 2, "name": "the owner", "roles": ["owner"], "have": 0, "want": 1, "reject": 1}


@pytest.mark.parametrize(("needs", "short", "full"), [
    ([ONE], "0 of 1 on call", "0 of 1 on call (oncall)"),
    ([ONE, TWO], "0 of 1 on call or 1 of 2 two of us", "0 of 1 on call (oncall) or 1 of 2 two of us (approver, admin)"),
    ([ONE, TWO, MORE], "0 of 1 on call or 1 of 2 two of us, and 0 of 1 the owner",
     "0 of 1 on call (oncall) or 1 of 2 two of us (approver, admin), and 0 of 1 the owner (owner)"),
])  # fmt: skip
def test_what_is_missing_with_whose_word_counts(ask: Any, daemon: Any, needs: Any, short: str, full: str) -> None:
    item = {
        "id": "a-1",
        "run": "r-1",
        "state": "open",
        "action": "heal",
        "needs": needs,
        "exclude": ["author", "requester"],
    }
    daemon["GET /api/v1/approvals"] = {"items": [item], "next": None}
    daemon["GET /api/v1/approvals/a-1"] = item
    assert short in ask("approvals").stdout
    told = ask("approvals", "show", "a-1").stdout.splitlines()
    assert f"  needs       {full}" in told
    assert "  but not     author, requester" in told


def test_where_nobody_is_left_out_nothing_is_said_of_it(ask: Any, daemon: Any) -> None:
    daemon["GET /api/v1/approvals/a-1"] = {"id": "a-1", "state": "open", "needs": [ONE], "exclude": []}
    assert "but not" not in ask("approvals", "show", "a-1").stdout
