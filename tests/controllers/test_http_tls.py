"""The controller `http` over TLS: whose certificates it trusts, and its own."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
import ssl
from typing import Any

import http_site  # conftest.py has put it where it is found
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from healer import model


@pytest.fixture
def ca(tmp_path: pathlib.Path) -> Any:
    return http_site.Authority(tmp_path)


def site(server: Any, tmp_path: pathlib.Path, **given: Any) -> Any:
    made = http_site.Site(server, tmp_path, "https")
    made.made(**given)
    return made


async def test_a_ca_of_its_own_is_trusted(ca: Any, tmp_path: pathlib.Path) -> None:
    async with http_site.Server().serving(ca.context(http_site.NAME)) as server:
        one = site(server, tmp_path, ca="ca.pem")
        assert (await one.run(method="POST")).state == "succeeded"
        assert server.got[0].headers["host"] == f"api.test:{server.port}".encode()
        health = await one.controller.check()
        assert (health.ok, "encrypted" in health.detail) == (True, False)


async def test_an_address_is_held_against_the_certificate_too(ca: Any, tmp_path: pathlib.Path) -> None:
    async with http_site.Server().serving(ca.context("127.0.0.1")) as server:
        base = f"https://127.0.0.1:{server.port}"
        one = site(server, tmp_path, ca="ca.pem", allow=[base])
        assert (await one.run(said={"url": [base]})).state == "succeeded"


@pytest.mark.parametrize(("name", "trusted"), [("other.test", True), (http_site.NAME, False)])
async def test_who_is_not_trusted_gets_nothing(ca: Any, tmp_path: pathlib.Path, name: str, trusted: bool) -> None:
    async with http_site.Server().serving(ca.context(name)) as server:
        one = site(server, tmp_path, **({"ca": "ca.pem"} if trusted else {}))
        outcome = await one.run(method="POST")
        assert (outcome.state, server.got) == ("failed", [])
        assert "there is no trust between" in outcome.summary
        found = await one.found(method="POST")
        assert (found.state, found.outcome.state) == ("ended", "failed")
        assert (await one.controller.check()).ok is False


async def test_what_speaks_no_tls_is_told(ca: Any, tmp_path: pathlib.Path) -> None:
    async with http_site.Server().serving() as server:
        outcome = await site(server, tmp_path, ca="ca.pem").run(method="POST")
        assert (outcome.state, "is it https there?" in outcome.summary, server.got) == ("failed", True, [])


async def test_our_certificate_says_who_we_are(ca: Any, tmp_path: pathlib.Path) -> None:
    clients = http_site.Authority(tmp_path, "clients")
    _, key = clients.issue("healer")
    async with http_site.Server().serving(ca.context(http_site.NAME, clients)) as server:
        one = http_site.Site(server, tmp_path, "https")
        one.secrets["env:KEY"] = key
        one.made(ca="ca.pem", certificate="healer.pem", key={"secret": "env:KEY"})
        assert (await one.run(method="POST")).state == "succeeded"
        assert (await one.controller.check()).ok is True


def refuse(listening: socket.socket, context: ssl.SSLContext) -> None:
    """Say in TLS that the certificate will not do, as servers do; asyncio's own only hangs up."""
    connection, _ = listening.accept()
    with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as talking:
        with contextlib.suppress(ssl.SSLError):
            talking.do_handshake()
        talking.shutdown(socket.SHUT_WR)
        while talking.recv(1 << 16):
            pass


@pytest.mark.parametrize("strange", [True, False])
async def test_who_does_not_want_our_certificate_has_done_nothing(
    ca: Any, tmp_path: pathlib.Path, strange: bool
) -> None:
    """With TLS 1.3 that is told after the handshake is over for us; it is no answer that is lost."""
    clients = http_site.Authority(tmp_path, "clients")
    _, key = http_site.Authority(tmp_path, "strangers").issue("healer")
    fake = http_site.Server()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fake.port = listening.getsockname()[1]
        serving = asyncio.create_task(asyncio.to_thread(refuse, listening, ca.context(http_site.NAME, clients)))
        one = http_site.Site(fake, tmp_path, "https")
        one.secrets["env:KEY"] = key
        one.made(ca="ca.pem", **({"certificate": "healer.pem", "key": {"secret": "env:KEY"}} if strange else {}))
        outcome = await one.run(method="POST")
        await serving
        assert outcome.state == "failed", outcome.summary
        assert "look at `certificate` and `key`" in outcome.summary


async def test_who_hangs_up_after_the_handshake_may_have_done_it(ca: Any, tmp_path: pathlib.Path) -> None:
    clients = http_site.Authority(tmp_path, "clients")
    async with http_site.Server().serving(ca.context(http_site.NAME, clients)) as server:
        assert (await site(server, tmp_path, ca="ca.pem").run(method="POST")).state == "unknown"


async def test_certificates_that_cannot_be_used_are_told_and_no_key_is(ca: Any, tmp_path: pathlib.Path) -> None:
    _, other = ca.issue("other")
    ca.issue("healer")
    locked = http_site.pem_of(ec.generate_private_key(ec.SECP256R1()), b"passphrase")
    async with http_site.Server().serving(ca.context(http_site.NAME)) as server:
        for number, (key, file) in enumerate(
            [
                (other, "healer.pem"),
                (locked, "healer.pem"),
                ("no key", "healer.pem"),
                (other, "none.pem"),
                (None, "healer.pem"),
            ]
        ):
            one = http_site.Site(server, tmp_path, "https")
            one.secrets |= {"env:KEY": key} if key else {}
            one.made(ca="ca.pem", certificate=file, key={"secret": "env:KEY"})
            outcome = await one.run(method="POST", token=f"r-{number}", work_dir=str(tmp_path / "work" / str(number)))
            health = await one.controller.check()
            assert (outcome.state, health.ok, server.got) == ("failed", False, [])
            assert not any(line in outcome.summary + health.detail for line in (key or "env:NONE").splitlines()[1:])
    (tmp_path / "ca.pem").write_text("no certificate")
    outcome = await site(server, tmp_path, ca="ca.pem").run(method="POST")
    assert (outcome.state, "`ca` names 'ca.pem'" in outcome.summary) == ("failed", True)


async def test_the_key_is_on_no_disk(ca: Any, tmp_path: pathlib.Path) -> None:
    _, key = ca.issue("healer")
    async with http_site.Server().serving(ca.context(http_site.NAME)) as server:
        one = http_site.Site(server, tmp_path / "project", "https")
        (tmp_path / "project").mkdir()
        one.secrets["env:KEY"] = key
        one.made(ca=str(tmp_path / "ca.pem"), certificate=str(tmp_path / "healer.pem"), key={"secret": "env:KEY"})
        assert (await one.run()).state == "succeeded"
    body = key.splitlines()[1]
    assert [path for path in (tmp_path / "project").rglob("*") if path.is_file() and body in path.read_text()] == []


async def test_a_connection_that_is_cut_in_the_handshake_has_begun_nothing(ca: Any, tmp_path: pathlib.Path) -> None:
    async def serve(_reader: Any, writer: Any) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake = http_site.Server()
    fake.port = server.sockets[0].getsockname()[1]
    with pytest.raises(model.NotBegunError, match="cannot be reached"):
        await site(fake, tmp_path, ca="ca.pem").run(method="POST")
    server.close()
    await server.wait_closed()
