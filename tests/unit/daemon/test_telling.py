"""What channels are given by the daemon: signed links by which one person decides one request."""

from __future__ import annotations

import types
from typing import Any

import pytest

from healer import plugins, project, store, tickets
from healer.daemon import telling
from healer.store import ticketing

S = 1_000_000
ASKED = plugins.Asked("a-1", "r-1", ("host:web1",), "0" * 16, expires_us=1_790_000_900 * S)


@pytest.mark.parametrize(("url", "person", "wanted"), [
    ("https://ops.example.org/healer", "ana", "https://ops.example.org/healer/ui/decide/"),
    ("https://ops.example.org/", "ana", "https://ops.example.org/ui/decide/"), (None, "ana", ""), ("https://ops.example.org", "nobody", ""),
])  # fmt: skip
async def test_a_link_is_for_one_person_and_one_request(url: str | None, person: str, wanted: str) -> None:
    settings = project.Settings.model_validate(
        {"principals": {"ana": {"roles": ["approver"]}}, "server": {"public_url": url} if url else {}}
    )
    opened = store.Store.open(None, lambda: 1_790_000_000 * S, loop=None)
    daemon: Any = types.SimpleNamespace(
        store=opened, clock=lambda: 1_790_000_000 * S, revision=types.SimpleNamespace(settings=settings)
    )
    made = await telling.Telling(daemon).link(ASKED, person)
    assert made.startswith(wanted)
    assert bool(made) is bool(wanted)
    if made:
        key = await ticketing.known_key(opened.reader)
        assert key is not None
        read = tickets.read(key, made.rpartition("/")[2], 1_790_000_000 * S)
        assert (read.approval, read.person, read.expires_us) == ("a-1", "ana", ASKED.expires_us)
    await opened.close()
