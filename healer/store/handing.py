"""What an attempt gives to rules, in the transaction that ends it: `set_facts`, `post_events`, and the facts that were gathered of hosts.

Caller: `finishing`. The rows go to the tail of the journal; rules see them as any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from loguru import logger

from healer import telemetry
from healer.store import asking, journal
from healer.store.transaction import Transaction, dumps, loads

GATHERED: Final = "gather_facts"
"""The name of the source of gathered facts."""


def on(tx: Transaction, row: asking.RunRow, given: Mapping[str, Any]) -> None:
    """Append what the run's action asked for, unless it is fed by itself too deep."""
    wanted = loads(row["extra"]).get("facts")
    if wanted is None:
        return
    depth = row["depth"] + 1
    if wanted["depth_max"] is not None and depth > wanted["depth_max"]:
        tx.audit(
            "facts_refused", actor=row["actor"], run=row["id"], rule=row["rule"], reason="chain_depth", depth=depth,
            limit=wanted["depth_max"],
        )  # fmt: skip
        telemetry.count("decisions_chain_depth")
        logger.bind(run=row["id"], rule=row["rule"]).warning(
            "{} feeds itself: what it gave is not taken, depth {}", row["rule"], depth
        )
        return
    rows = list(_gathered(tx, row, wanted, given, depth) if wanted["by_host"] else _rows(row, wanted, given, depth))
    if rows:
        journal.append_all(tx, [journal.Append(rows)])


def _rows(row: asking.RunRow, wanted: Mapping[str, Any], given: Mapping[str, Any], depth: int) -> Iterator[journal.Row]:
    body, meta = dumps(dict(given)).encode(), dumps({"source": {"name": wanted["action"], "type": "internal"}})
    for source in wanted["sources"]:
        for kind in wanted["kinds"]:
            yield journal.Row(kind, source, body, actor=row["actor"], meta=meta, depth=depth)


def _gathered(
    tx: Transaction, row: asking.RunRow, wanted: Mapping[str, Any], given: Mapping[str, Any], depth: int
) -> Iterator[journal.Row]:
    """A fact for each host, in the place of the one that was gathered before: that one goes without a rule hearing of it."""
    for source in wanted["sources"]:
        known = {
            host: body for meta, body in tx.all("facts_of", source) if (host := _host_of(meta)) and body is not None
        }
        for host, facts in given.items():
            body = dumps(facts).encode()
            if known.get(host) == body or not isinstance(facts, dict):
                continue
            if host in known:
                old = {"retract": loads(known[host]), "partial": False, "exclude_keys": ["meta"], "silent": True}
                yield journal.Row("retract", source, dumps(old).encode(), actor=row["actor"], depth=depth)
            meta = dumps({"hosts": host, "source": {"name": GATHERED, "type": "internal"}})
            yield journal.Row("fact", source, body, actor=row["actor"], meta=meta, depth=depth)


def _host_of(meta: str | None) -> str:
    """The host of a gathered fact; '' for any other fact."""
    found = loads(meta) if meta else {}
    return str(found.get("hosts", "")) if found.get("source", {}).get("name") == GATHERED else ""
