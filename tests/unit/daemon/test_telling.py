"""What channels are given by the daemon: signed links by which one person decides one request."""

from __future__ import annotations

import asyncio
import types
from typing import Any

import pytest

from healer import access, plugins, project, store, tickets
from healer.daemon import telling
from healer.store import ticketing
from healer.web import approvals

S = 1_000_000
ASKED = plugins.Asked("a-1", "r-1", ("host:web1",), "0" * 16, expires_us=1_790_000_900 * S)


DIRECTORY = access.Directory(
    {}, {"ana": access.Person("ana", ("approver",), slack="T02AB/U7ANA"), "cy": access.Person("cy", ("readonly",))}
)


@pytest.mark.parametrize(("url", "person", "wanted"), [
    ("https://ops.example.org/healer", "ana", "https://ops.example.org/healer/ui/decide/"),
    ("https://ops.example.org/", "ana", "https://ops.example.org/ui/decide/"), (None, "ana", ""), ("https://ops.example.org", "nobody", ""),
    ("https://ops.example.org", "cy", ""),
])  # fmt: skip
async def test_a_link_is_for_one_person_who_has_a_say_and_one_request(
    url: str | None, person: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = project.Settings.model_validate({"server": {"public_url": url} if url else {}})
    opened = store.Store.open(None, lambda: 1_790_000_000 * S, loop=None)
    gate = types.SimpleNamespace(keys=types.SimpleNamespace(directory=DIRECTORY))
    daemon: Any = types.SimpleNamespace(
        store=opened, clock=lambda: 1_790_000_000 * S, revision=types.SimpleNamespace(settings=settings),
        services=types.SimpleNamespace(gate=gate),
    )  # fmt: skip

    async def has_a_say(_services: Any, caller: access.Principal, approval: str) -> bool:
        return approval == "a-1" and access.allows(caller, "approvals.decide")

    monkeypatch.setattr(approvals, "has_a_say", has_a_say, raising=False)
    made = await telling.Telling(daemon).link("slack", ASKED, person, "T02AB/U7ANA")
    assert made.startswith(wanted)
    assert bool(made) is bool(wanted)
    if made:
        key = await ticketing.known_key(opened.reader)
        assert key is not None
        read = tickets.read(key, made.rpartition("/")[2], 1_790_000_000 * S)
        assert (read.approval, read.person, read.expires_us) == ("a-1", "ana", ASKED.expires_us)
        assert read.to == tickets.address("slack", "T02AB/U7ANA")
    await opened.close()


def test_the_standing_of_a_person_is_another_one_with_their_roles() -> None:
    """Only where there are links that would come or go with it."""

    def standing(person: str, roles: tuple[str, ...], url: str | None = "https://ops.example.org") -> str:
        directory = access.Directory({}, {"bo": access.Person("bo", roles)})
        settings = project.Settings.model_validate({"server": {"public_url": url} if url else {}})
        gate = types.SimpleNamespace(keys=types.SimpleNamespace(directory=directory))
        daemon: Any = types.SimpleNamespace(
            revision=types.SimpleNamespace(settings=settings), services=types.SimpleNamespace(gate=gate),
            store=types.SimpleNamespace(writer=types.SimpleNamespace()), clock=None,
        )  # fmt: skip
        return telling.Telling(daemon).standing(person)

    assert standing("bo", ("approver", "readonly")) == standing("bo", ("readonly", "approver"))
    assert len({standing("bo", ("approver",)), standing("bo", ("readonly",)), standing("bo", ())}) == 3
    assert standing("nobody", ("approver",)) == standing("bo", ())
    assert standing("bo", ("approver",), None) == ""


async def test_a_channel_is_closed_once_nothing_goes_by_it() -> None:
    """What a reload cut off might have been posted, and would be once more."""
    opened = store.Store.open(None, lambda: 1_790_000_000 * S, loop=None)
    made = telling.Telling(types.SimpleNamespace(store=opened, clock=lambda: 0))  # type: ignore[arg-type]
    ends, order = asyncio.Event(), list[str]()

    class Channel:
        async def close(self) -> None:
            order.append("closed")

    async def done_with(channel: Any) -> None:
        assert isinstance(channel, Channel)
        await ends.wait()
        order.append("ended")

    made.deliverer.done_with = done_with  # type: ignore[method-assign]
    made._channels["slack"] = None, Channel()  # type: ignore[assignment]
    closing = asyncio.create_task(made.close())
    await asyncio.sleep(0)
    assert order == []
    ends.set()
    await closing
    assert order == ["ended", "closed"]
    await opened.close()
