"""Somebody looks after what a message tells. Caller: `notify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import errors
from healer.store import outbox
from healer.store.transaction import Transaction, loads


class NothingToAnswer(errors.RequestError):
    """nothing that n-{message} tells needs somebody any more"""

    code = "nothing-to-answer"
    status = 409


class Answer:
    """Somebody looks after what a message tells: it goes to nobody else. The result: who does, which the first who said so stays."""

    weight = 1

    def __init__(self, message: int, actor: str) -> None:
        self.message = message
        self.actor = actor

    def apply(self, tx: Transaction) -> str:
        """Raises `errors.NotFound`, `NothingToAnswer`."""
        rows = tx.named("outbox_one", self.message)
        if not rows:
            raise errors.NotFound("healer notify outbox", what=f"the message n-{self.message}")
        if rows[0]["answered_us"] is None:
            if not _is_wanted(tx, rows[0]):
                raise NothingToAnswer("healer notify outbox", message=self.message)
            tx.run("outbox_answer", self.actor, tx.now_us, tx.now_us, tx.now_us, self.message)
            return self.actor
        return str(rows[0]["answered_by"])


def _is_wanted(tx: Transaction, row: Mapping[str, Any]) -> bool:
    """Of a list that is too long to be told whole nobody can say that it needs nobody."""
    is_whole = len(loads(row["members"])) == row["count"]
    return row["news"] in outbox.ANSWERED and (not is_whole or bool(outbox.wanting(tx, row)))
