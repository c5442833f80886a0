"""Keys, the header they come in, the brake on guessing, and the peers of the control socket."""

from __future__ import annotations

import asyncio
import os
import pathlib
import pwd
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from healer import access, errors
from healer.store import ownership
from healer.web import auth, control, minting


async def raw(room: Any, text: bytes) -> bytes:
    """The answer to bytes as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(text)
    answer = await asyncio.wait_for(reader.read(65536), 20)
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        [b"Authorization: "],
        [b"Authorization: Bearer"],
        [b"Authorization: Bearer "],
        [b"Authorization: Bearer  KEY"],
        [b"Authorization: Basic KEY"],
        [b"Authorization: KEY"],
        [b"Authorization: Bearer KEY", b"Authorization: Bearer KEY"],
        [b"Authorization: Bearer KEY", b"authorization: Bearer other"],
        [b"Authorization: Bearer KEY,KEY"],
        [b"Authorization: Bearer KEY x"],
        [b"Authorization: Bearer \xc3\xa4\xff"],
        [b"Authorization: Bearer " + b"a" * 5000],
        [b"X-Api-Key: KEY"],
    ],
)
async def test_any_other_form_of_the_header_is_refused(room: Any, headers: list[bytes]) -> None:
    key = room.keys["admin"].encode()
    lines = b"\r\n".join(header.replace(b"KEY", key) for header in headers)
    answer = await raw(room, b"GET /runs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines + b"\r\n\r\n")
    assert answer.split(b" ", 2)[1] in (b"401", b"400"), answer


async def test_the_scheme_is_taken_in_any_case(room: Any) -> None:
    async with room.session.get(room.url("/runs"), headers={"authorization": f"bearer {room.keys['admin']}"}) as answer:
        assert answer.status == 200


async def test_a_key_cut_anywhere_is_refused(room: Any) -> None:
    key = room.keys["admin"]
    for length in range(1, len(key), 7):
        assert (await room.ask("GET", "/runs", key[:length]))[0] == 401
    assert (await room.ask("GET", "/runs", key + "a"))[0] == 401
    assert (await room.ask("GET", "/runs", key.upper()))[0] == 401
    assert (await room.ask("GET", "/runs", key))[0] == 200


async def test_a_refusal_says_how_to_authenticate(room: Any) -> None:
    async with room.session.get(room.url("/runs")) as answer:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.content_type == "application/problem+json"


async def test_wrong_keys_wait_until_somebody_there_is_right(room: Any) -> None:
    for _ in range(3):
        assert (await room.ask("GET", "/runs", "wrong"))[0] == 401
    assert room.slept == [auth.DELAY_S] * 3
    assert (await room.ask("GET", "/runs"))[0] == 200
    assert (await room.ask("GET", "/runs", "wrong"))[0] == 401
    assert len(room.slept) == 3


class Held:
    """A sleep that ends when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.go.wait()


async def test_where_too_many_wait_the_rest_hears_so_at_once() -> None:
    held = Held()
    brake = auth.Throttle(waiting_max=2, sleep=held)
    waiters = [asyncio.ensure_future(brake.wait(f"192.0.2.{number}")) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(auth.TooManyFailures):
        await brake.wait("192.0.2.9")
    held.go.set()
    await asyncio.gather(*waiters)
    assert brake.waiting == 0
    await brake.wait("192.0.2.9")


async def test_one_address_does_not_take_all_places() -> None:
    held = Held()
    brake = auth.Throttle(of_address_max=2, sleep=held)
    waiters = [asyncio.ensure_future(brake.wait("192.0.2.1")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(auth.TooManyFailures):
        await brake.wait("192.0.2.1")
    waiters.append(asyncio.ensure_future(brake.wait("192.0.2.2")))
    await asyncio.sleep(0)
    assert held.slept == [auth.DELAY_S] * 3
    held.go.set()
    await asyncio.gather(*waiters)
    assert brake._of_address == {}


@pytest.mark.parametrize(("one", "other", "same"), [
    ("10.0.0.1", "10.0.0.2", False), ("2001:db8::1", "2001:db8:0:0:ffff::9", True), ("2001:db8::1", "2001:db8:0:1::1", False),
    ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False), ("fe80::1%eth0", "fe80::2%eth0", True), ("odd", "odd", True),
])  # fmt: skip
def test_a_machine_has_a_net_of_ipv6_to_itself(one: str, other: str, same: bool) -> None:
    assert (auth.machine(one) == auth.machine(other)) is same


async def test_addresses_of_one_net_of_ipv6_share_its_places() -> None:
    held = Held()
    brake = auth.Throttle(of_address_max=2, sleep=held)
    waiters = [asyncio.ensure_future(brake.wait(f"2001:db8::{number}")) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(auth.TooManyFailures):
        await brake.wait("2001:db8::ffff")
    assert [brake.full(one) for one in ("2001:db8::99", "2001:db8:0:1::1")] == [True, False]
    held.go.set()
    await asyncio.gather(*waiters)
    assert brake._of_address == {}


async def test_an_address_that_was_right_does_not_wait() -> None:
    held = Held()
    brake = auth.Throttle(sleep=held)
    brake.right("192.0.2.1")
    for _ in range(100):
        await brake.wait("192.0.2.1")
    assert held.slept == []


@pytest.mark.parametrize(("passed_s", "waits"), [(auth.KNOWN_S - 60, False), (auth.KNOWN_S, True)])
async def test_what_was_right_counts_for_ten_minutes(passed_s: float, waits: bool) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    brake = auth.Throttle(sleep=sleep)
    brake.right("192.0.2.1")
    brake._right["192.0.2.1"] -= passed_s
    await brake.wait("192.0.2.1")
    assert bool(slept) == waits


async def test_addresses_that_were_right_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KNOWN_MAX", 3)
    brake = auth.Throttle()
    for number in range(5):
        brake.right(f"192.0.2.{number}")
    assert list(brake._right) == ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    brake.right(None)
    assert len(brake._right) == 3


async def test_too_many_failures_are_429_and_close_the_connection(room: Any) -> None:
    room.services.gate.throttle = auth.Throttle(waiting_max=0)
    async with room.session.get(room.url("/runs")) as answer:
        assert answer.status == 429
        assert "Retry-After" in answer.headers
        assert answer.headers["Connection"] == "close"
    assert (await room.ask("GET", "/runs"))[0] == 200
    assert (await room.ask("GET", "/runs", "wrong"))[0] == 401  # this address has just been right


async def test_a_file_key_is_valid_beside_the_stored_ones(room: Any) -> None:
    keys = room.services.gate.keys
    keys.use(keys.directory, [file_key("x" * 20, "readonly")])
    assert (await room.ask("GET", "/runs", "x" * 20))[0] == 200
    assert (await room.ask("GET", "/runs"))[0] == 200
    await keys.load()
    assert (await room.ask("GET", "/runs", "x" * 20))[0] == 200
    keys.use(keys.directory, [])
    assert (await room.ask("GET", "/runs", "x" * 20))[0] == 401


def file_key(key: str, role: str, principal: str = "", name: str = "file") -> auth.FileKey:
    return auth.FileKey(minting.digest(key), name, role, principal, errors.Place("keys", 3))


async def over_socket(path: pathlib.Path, method: str, url: str, **more: Any) -> tuple[int, Any]:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        connector = aiohttp.UnixConnector(control.reach(folder, path.name))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, "http://healer" + url, **more) as answer,
        ):
            return answer.status, await answer.json()
    finally:
        os.close(folder)


async def test_the_local_shell_needs_no_key(room: Any, tmp_path: pathlib.Path) -> None:
    owned = ownership.Ownership(tmp_path)
    owned.take()
    bound = control.ControlSocket(tmp_path / "control.sock", owned)
    await room.listening.unix(bound.socket)
    status, made = await over_socket(bound.path, "POST", "/keys", json={"name": "ci", "role": "ci"})
    assert status == 201
    assert made["created_by"] == f"os:{pwd.getpwuid(os.getuid()).pw_name}"
    assert (await over_socket(bound.path, "GET", "/runs", headers={"Authorization": "Bearer wrong"}))[0] == 401
    room.services.gate._local_uids = frozenset({os.getuid() + 1})
    status, body = await over_socket(bound.path, "GET", "/runs")
    assert (status, body["code"]) == (403, "forbidden")
    key = room.keys["readonly"]
    assert (await over_socket(bound.path, "GET", "/runs", headers={"Authorization": f"Bearer {key}"}))[0] == 200
    await room.listening.stop_accepting()
    bound.close()
    owned.release()


def test_the_peer_is_known_on_uvloop_too(open_room: Callable[..., Any], tmp_path: pathlib.Path) -> None:
    import uvloop

    async def check() -> tuple[int, Any]:
        async with open_room() as room:
            owned = ownership.Ownership(tmp_path)
            owned.take()
            bound = control.ControlSocket(tmp_path / "control.sock", owned)
            await room.listening.unix(bound.socket)
            answer = await over_socket(bound.path, "GET", "/keys")
            assert (await room.ask("GET", "/keys", None))[0] == 401
            await room.listening.stop_accepting()
            bound.close()
            owned.release()
            return answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status, body = runner.run(check())
    assert status == 200
    assert {one["role"] for one in body["items"]} == set(access.ROLES)


async def test_a_connection_of_the_port_is_no_local_shell(room: Any) -> None:
    assert (await room.ask("GET", "/status", None))[0] == 401


PEOPLE = access.Directory(
    {"oncall": access.Role("oncall", frozenset({"pause"}))}, {"ana": access.Person("ana", ("oncall",))}
)


async def test_whom_a_key_acts_as_is_made_once(room: Any) -> None:
    """Each request asks; nothing is made for it."""
    keys = room.services.gate.keys
    keys.use(PEOPLE, [file_key("x" * 20, "", "ana")])
    assert keys.find("x" * 20) is keys.find("x" * 20)
    assert keys.user("root", local=True) is keys.user("root", local=True)
    assert keys.user("mallory", local=False) is None


async def test_other_roles_hold_at_once_and_for_stored_keys_too(room: Any) -> None:
    keys = room.services.gate.keys
    made = await room.ask("POST", "/keys", json={"name": "laptop", "role": "readonly"})
    keys.use(PEOPLE, [file_key("x" * 20, "oncall", "ana")])
    _, own = await room.ask("POST", "/keys", json={"name": "phone", "principal": "ana"})
    assert (own["role"], own["principal"]) == (None, "ana")
    for key in ("x" * 20, own["key"]):
        assert (await room.ask("POST", "/pause", key, json={"scope": "all"}))[0] == 200
    keys.use(access.Directory({}, PEOPLE.people), keys.files)
    for key in ("x" * 20, own["key"]):
        assert (await room.ask("POST", "/pause", key, json={"scope": "all"}))[0] == 403
    assert (await room.ask("GET", "/runs", made[1]["key"]))[0] == 200


async def test_keys_that_grant_nothing_are_told(room: Any) -> None:
    keys = room.services.gate.keys
    assert list(keys.idle()) == []
    keys.use(
        PEOPLE, [file_key("x" * 20, "oncal"), file_key("y" * 20, "ci", "bo", "tablet"), file_key("z" * 20, "", "ana")]
    )
    _, made = await room.ask("POST", "/keys", json={"name": "phone", "role": "oncall", "principal": "ana"})
    assert [(one.message, str(one.place), one.severity, one.try_) for one in keys.idle()] == [
        ("the key of file has the role 'oncal', which is not there: it grants nothing", "keys:3", "warning", "did you mean 'oncall'?"),
        ("the key of tablet has the principal 'bo', which is not there: it grants nothing", "keys:3", "warning", "another word in its line"),
    ]  # fmt: skip
    keys.use(access.Directory(), [])
    assert [(one.message, one.code, one.try_) for one in keys.idle()] == [
        (f"the key {made['id']} (phone) has the {kind} {word!r}, which is not there: it grants nothing", "idle-key", f"healer keys revoke {made['id']}")
        for kind, word in (("role", "oncall"), ("principal", "ana"))
    ]  # fmt: skip
    await room.ask("DELETE", f"/keys/{made['id']}")
    assert list(keys.idle()) == []


@pytest.mark.parametrize(("name", "shown"), [
    ("ana", "ana"), ("CORP\\ana", "CORP\\ana"), ("ana@corp.example", "ana@corp.example"), ("host$", "host$"), ("7ana", "7ana"),
    ("1000", "4321"), ("root = ana", "4321"), ("a b", "4321"), ("", "4321"),
])  # fmt: skip
def test_a_user_whose_name_could_be_another_actor_is_its_number(
    monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    monkeypatch.setattr(
        auth.pwd, "getpwuid", lambda _uid: pwd.struct_passwd((name, "x", 4321, 4321, "", "/", "/bin/sh"))
    )
    auth._user.cache_clear()
    assert auth._user(4321) == shown
    auth._user.cache_clear()


async def test_an_address_is_full_while_nobody_more_can_wait_there() -> None:
    held = Held()
    brake = auth.Throttle(waiting_max=3, of_address_max=2, sleep=held)
    waiters = [asyncio.ensure_future(brake.wait("192.0.2.1")) for _ in range(2)]
    await asyncio.sleep(0)
    assert [brake.full(one) for one in ("192.0.2.1", "192.0.2.2", None)] == [True, False, False]
    waiters.append(asyncio.ensure_future(brake.wait("192.0.2.2")))
    await asyncio.sleep(0)
    assert [brake.full(one) for one in ("192.0.2.1", "192.0.2.2", "192.0.2.3")] == [True, True, False]
    brake.right("192.0.2.2")
    assert not brake.full("192.0.2.2")
    held.go.set()
    await asyncio.gather(*waiters)
    assert not brake.full("192.0.2.1")
