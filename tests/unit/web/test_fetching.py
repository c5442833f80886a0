"""One GET: what its host means is asked once, nothing is followed, and little is read."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from healer.web import fetching
from tests.fakes import ending

NAME = "sns.eu-west-1.amazonaws.com"
URL = f"https://{NAME}/a.pem"

Behave = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status(code: int, body: bytes = b"", **headers: str) -> Behave:
    async def behave(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, body=body, headers=headers)

    return behave


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A certificate for the name, which is its own authority, and its key."""
    mine = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(mine.public_key()).serial_number(1)
    made = made.not_valid_before(now - day).not_valid_after(now + day)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = mine.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.sign(mine, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + key)
    return path


class Far:
    """The far side on loopback, and how a fetcher finds it."""

    def __init__(self, certified: pathlib.Path) -> None:
        self.certified = certified
        self.got: list[web.Request] = []
        self.names: list[str] = []
        self.behave: Behave = status(200, b"pem")
        self.port = 0
        self.release = asyncio.Event()

    async def resolve(self, host: str) -> list[str]:
        self.names.append(host)
        return ["127.0.0.1"]

    def fetcher(self, **more: Any) -> fetching.Fetcher:
        trust = ssl.create_default_context(cafile=str(self.certified))
        given: dict[str, Any] = {"names": self.resolve, "port": self.port, "may": lambda _: True, "trust": trust}
        return fetching.Fetcher(**{**given, **more})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append(request)
        return await self.behave(request)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Far]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certified)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self.release.set()
            await ending.cleanup(runner)


@pytest.fixture
async def far(certified: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Far]:
    monkeypatch.setattr(fetching, "LIMIT_S", 60.0)
    async with Far(certified).serving() as made:
        yield made


def test_the_limit_is_short() -> None:
    assert fetching.LIMIT_S == 5


async def refused(fetch: fetching.Fetch, url: str = URL) -> fetching.NotFetched:
    with pytest.raises(fetching.NotFetched) as raised:
        await fetch(url)
    assert raised.value.message == "not now: an address of the sender could not be asked"
    return raised.value


async def test_it_is_asked_once_by_its_name_and_nothing_is_sent_beside(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    far.behave = status(200, b"x" * fetching.BYTES_MAX, Set_Cookie="a=b")
    fetch = far.fetcher()
    for _ in range(2):
        assert await fetch(URL) == b"x" * fetching.BYTES_MAX
    assert far.names == [NAME] * 2
    assert [(one.method, one.path, one.host) for one in far.got] == [("GET", "/a.pem", NAME)] * 2
    assert not {"Authorization", "Cookie"} & {*far.got[1].headers}


@pytest.mark.parametrize(("behave", "reason", "final"), [
    (status(302, Location="https://169.254.169.254/"), "it answered 302", True),
    (status(404), "it answered 404", True),
    (status(403), "it answered 403", True),
    (status(429), "it answered 429", False),
    (status(408), "it answered 408", False),
    (status(500), "it answered 500", False),
    (status(204), "it answered 204", False),
    (status(200, b"x" * (fetching.BYTES_MAX + 1)), "its answer has more than 16 KiB", True),
])  # fmt: skip
async def test_an_answer_that_will_not_do(far: Far, behave: Behave, reason: str, final: bool) -> None:
    far.behave = behave
    error = await refused(far.fetcher())
    assert (error.reason, error.final) == (reason, final)
    assert len(far.got) == 1


async def test_an_answer_that_never_ends_is_cut_off(far: Far) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            while not far.release.is_set():
                await answer.write(b"x" * 4096)
        return answer

    far.behave = endless
    assert (await refused(far.fetcher())).reason == "its answer has more than 16 KiB"


async def test_nobody_waits_for_long(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await far.release.wait()
        return web.Response()

    monkeypatch.setattr(fetching, "LIMIT_S", 0.2)
    far.behave = hang
    assert (await refused(far.fetcher())).reason == "no whole answer came within 0.2 s"

    async def never(_host: str) -> list[str]:
        await far.release.wait()
        return []

    assert (await refused(far.fetcher(names=never))).reason == "no whole answer came within 0.2 s"


async def test_the_far_side_has_to_be_who_it_is(far: Far) -> None:
    """A name that leads elsewhere is no danger: nobody there has a certificate for it."""
    assert "Certificate" in (await refused(far.fetcher(trust=ssl.create_default_context()))).reason
    assert "Certificate" in (await refused(far.fetcher(), URL.replace("eu-west-1", "us-east-1"))).reason
    assert far.got == []


async def test_a_name_that_means_nothing_or_what_is_not_asked(far: Far) -> None:
    async def fails(_host: str) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    async def nothing(_host: str) -> list[str]:
        return []

    assert (await refused(far.fetcher(names=fails))).reason == "it cannot be reached (gaierror)"
    assert (await refused(far.fetcher(names=nothing))).reason == f"{NAME} means no address, which is not asked"
    assert (
        await refused(far.fetcher(may=fetching.is_of_a_host))
    ).reason == f"{NAME} means 127.0.0.1, which is not asked"
    both = far.fetcher(names=functools.partial(answer, ["52.94.0.1", "169.254.169.254"]), may=fetching.is_of_a_host)
    assert "169.254.169.254, which is not asked" in (await refused(both)).reason
    far.port = 1
    assert (await refused(far.fetcher())).reason.startswith("it cannot be reached (ClientConnector")
    assert far.got == []


async def answer(addresses: list[str], _host: str) -> list[str]:
    return addresses


async def test_the_machines_own_resolver_and_certificates() -> None:
    assert "127.0.0.1" in await fetching.resolve("127.0.0.1")
    assert (
        await refused(fetching.Fetcher(), "https://127.0.0.1/")
    ).reason == "127.0.0.1 means 127.0.0.1, which is not asked"


@pytest.mark.parametrize(("address", "may"), [
    ("52.94.5.6", True),
    ("10.0.0.5", True),  # an endpoint of SNS inside a VPC
    ("2600:1f18::1", True),
    ("64:ff9b::345e:506", True),
    ("::ffff:52.94.5.6", True),
    ("127.0.0.1", False),
    ("::1", False),
    ("::ffff:127.0.0.1", False),
    ("64:ff9b::a9fe:a9fe", False),
    ("169.254.169.254", False),
    ("::ffff:169.254.169.254", False),
    ("fe80::1%eth0", False),
    ("0.0.0.0", False),
    ("::", False),
    ("224.0.0.1", False),
    ("ff02::1", False),
    ("255.255.255.255", False),
])  # fmt: skip
def test_addresses_that_may_be_of_a_service(address: str, may: bool) -> None:
    assert fetching.is_of_a_host(address) is may
