"""`http` against a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import aiohttp.web
import pytest

from healer import plugins

Make = Callable[..., plugins.Check]


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[str]:
    async def health(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=int(request.query.get("status", "200")), text="all is well")

    async def away(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=302, headers={"Location": request.query["to"]})

    async def slow(request: aiohttp.web.Request) -> aiohttp.web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = aiohttp.web.Application()
    app.add_routes([aiohttp.web.get("/health", health), aiohttp.web.get("/away", away), aiohttp.web.get("/slow", slow)])
    runner = aiohttp.web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_status_text_time_and_redirects_are_looked_at(made: Make) -> None:
    async def look(url: str, **more: object) -> plugins.Reading:
        return await made("http", url=url, **more).look()

    async with server() as url:
        assert (await look(f"{url}/health")).ok
        assert not (await look(f"{url}/health?status=503")).ok
        assert (await look(f"{url}/health?status=404", status=404)).ok
        assert (await look(f"{url}/health", status=200, contains="is well")).ok
        assert not (await look(f"{url}/health", status=200, contains="is ill")).ok
        assert (await look(f"{url}/away?to=/health", contains="well")).ok
        assert (await look(f"{url}/away?to=http://elsewhere.invalid/", status=302)).ok
        elsewhere = await look(f"{url}/away?to=http://elsewhere.invalid/")
        assert not elsewhere.ok
        assert "another host" in elsewhere.detail
        assert not (await look(f"{url}/away?to=/away?to=/away")).ok
        late = await look(f"{url}/slow", timeout="100 milliseconds")
        assert "did not answer within 0.1 s" in late.detail
    assert not (await look(url)).ok


def test_what_it_is_called(made: Make) -> None:
    check = made("http", url="https://shop/health")
    assert (check.subject(), check.alert, check.clear_below) == ("https://shop/health", "HttpDown", None)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://", "http:// x", "shop/health"])
def test_what_is_no_url_is_told(made: Make, url: str) -> None:
    with pytest.raises(ValueError, match="a URL like https://host/path is wanted"):
        made("http", url=url)


async def test_a_wrong_address_is_told_in_words(made: Make) -> None:
    for url in ("http://127.0.0.1:99999/", "http://h:0/", "http://h:x/", "http://[::1/"):
        with pytest.raises(ValueError, match=r"an address with a port from 1 to 65535 is wanted|is no address"):
            made("http", url=url)
    async with server() as url:
        reading = await made("http", url=f"{url}/away?to=http://127.0.0.1:99999/").look()
    assert not reading.ok
    assert (
        reading.detail
        == f"{url}/away?to=http://127.0.0.1:99999/: http://127.0.0.1:99999/ is no address that can be asked"
    )
