"""One request outside: over TLS that is held against certificates, without redirects, within its bounds, and silent of its address."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import pathlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from healer.supervise import outgoing
from tests.fakes import ending

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def well(request: web.Request) -> web.StreamResponse:
    said = [
        request.method,
        request.headers.get("Authorization"),
        request.headers["Accept-Encoding"],
        request.headers.get("Cookie"),
    ]
    response = web.json_response(said, headers={"Date": "Thu, 26 Nov 2026 19:42:54 GMT"})
    response.set_cookie("a", "b")
    return response


@contextlib.asynccontextmanager
async def site(handler: Handler = well, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Its address."""
    app = web.Application()
    app.router.add_route("*", "/x", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/x"
    finally:
        await ending.cleanup(runner)


def certificate(folder: pathlib.Path) -> ssl.SSLContext:
    """A site with a certificate of its own, which lies in the folder as ca.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a site's own")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


async def test_what_comes_back() -> None:
    async with site() as url:
        answer = await outgoing.request("GET", url, timeout_s=5, bytes_max=1000, token="t0ken")
        assert answer.body == b'["GET", "Bearer t0ken", "identity", null]'
        assert (
            answer.date_us
            == round(datetime.datetime(2026, 11, 26, 19, 42, 54, tzinfo=datetime.UTC).timestamp()) * 1_000_000
        )
        posted = await outgoing.request("POST", url, timeout_s=5, bytes_max=1000)
        assert posted.body == b'["POST", null, "identity", null]'  # no cookie comes back either
        assert (await outgoing.request("GET", url, timeout_s=5)).body == b""


async def test_certificates_are_held_against_those_of_the_system_or_a_file(tmp_path: pathlib.Path) -> None:
    async with site(tls=certificate(tmp_path)) as url:
        with pytest.raises(outgoing.Failed, match="its certificate is not trusted"):
            await outgoing.request("GET", url, timeout_s=5)
        await outgoing.request("GET", url, timeout_s=5, ca=str(tmp_path / "ca.pem"))
        with pytest.raises(outgoing.Failed, match="its certificate is not trusted"):
            await outgoing.request(
                "GET", url.replace("127.0.0.1", "localhost"), timeout_s=5, ca=str(tmp_path / "ca.pem")
            )


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        raise web.HTTPFound("/x?there")

    async with site(elsewhere) as url:
        with pytest.raises(outgoing.Failed, match="it answers 302, a redirect, which is not followed"):
            await outgoing.request("GET", url, timeout_s=5)
    assert asked == ["/x"]


@pytest.mark.parametrize("size", [1000, 1001])
async def test_an_answer_is_bounded(size: int) -> None:
    async def large(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * size)

    async with site(large) as url:
        if size <= 1000:
            assert len((await outgoing.request("GET", url, timeout_s=5, bytes_max=1000)).body) == size
        else:
            with pytest.raises(outgoing.Failed, match="more than"):
                await outgoing.request("GET", url, timeout_s=5, bytes_max=1000)


@pytest.mark.parametrize(("date", "date_us"), [("nonsense", None), ("Thu, 01 Jan 1970 00:00:07 GMT", 7_000_000)])
async def test_a_date_that_is_none(date: str, date_us: int | None) -> None:
    async def dated(_request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Date": date})

    async with site(dated) as url:
        assert (await outgoing.request("GET", url, timeout_s=5)).date_us == date_us


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:1/s3cret", "https://127.0.0.1:1/s3cret", "http://no-such-host.invalid/s3cret", "s3cret", "file:///s3cret",
    "http://[s3cret", "http://127.0.0.1:99999/s3cret",
])  # fmt: skip
async def test_what_fails_is_told_without_the_address(url: str) -> None:
    with pytest.raises(outgoing.Failed) as caught:
        await outgoing.request("GET", url, timeout_s=5)
    assert caught.value.message
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a\nb", "ä", "a\r\nX-Evil: 1"])
async def test_a_token_is_one(token: str) -> None:
    with pytest.raises(outgoing.Failed, match="characters that no token has"):
        await outgoing.request("GET", "http://127.0.0.1:1", timeout_s=5, token=token)
