"""The controller `http` sends to what is allowed and to nothing else, whatever names mean, answers say and the environment has."""

from __future__ import annotations

import asyncio
from typing import Any

import http_site  # conftest.py has put it where it is found
import pytest

from healer import model, urls
from healer.controllers import _http_networks


def entry(url: str, *, private: bool = False) -> urls.Allowed:
    return urls.Allowed(urls.parse(url), private)


INTERNET = ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808")
PRIVATE = (
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "fd12:3456::1",
    "fc00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
)
HERE = ("127.0.0.1", "127.0.1.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::7f00:1")
NEVER_BY_NAME = (
    "169.254.0.1", "fe80::1", "fe80::1%eth0", "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "169.254.170.2", "100.100.100.200",
    "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "192.0.2.1", "198.51.100.1", "2001:db8::1", "240.0.0.1",
)  # fmt: skip
NEVER = ("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255")


@pytest.mark.parametrize("address", INTERNET)
def test_a_name_may_mean_an_address_of_the_internet(address: str) -> None:
    assert _http_networks.refusal(address, entry("https://api.test")) == ""


@pytest.mark.parametrize("address", [*PRIVATE, *HERE])
def test_a_name_may_mean_what_is_private_where_that_is_said(address: str) -> None:
    plain = entry("https://api.test/v1")
    assert _http_networks.refusal(address, plain).startswith(f"api.test means {address}, an address of")
    assert "{url: https://api.test/v1, private: true}" in _http_networks.mend(address, plain)
    assert _http_networks.refusal(address, entry("https://api.test", private=True)) == ""


@pytest.mark.parametrize("address", NEVER_BY_NAME)
def test_no_name_means_what_only_an_address_may(address: str) -> None:
    for private in (False, True):
        assert _http_networks.refusal(address, entry("https://api.test", private=private))
    assert "name the address itself" in _http_networks.mend(address, entry("https://api.test"))


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "192.0.2.1", "240.0.0.1"])
def test_an_address_that_is_named_is_meant(address: str) -> None:
    assert _http_networks.refusal(address, entry(f"http://{address}")) == ""
    assert _http_networks.refusal(address, entry("http://10.9.9.9")) != ""


@pytest.mark.parametrize("address", NEVER)
def test_what_no_machine_has_is_never_sent_to(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for one in ("https://api.test", f"http://{host}"):
        assert _http_networks.refusal(address, entry(one, private=True))


@pytest.mark.parametrize("host", ["localhost", "api.localhost"])
def test_localhost_is_this_machine_and_nothing_else(host: str) -> None:
    assert (
        _http_networks.refusal("127.0.0.1", entry(f"http://{host}"))
        == _http_networks.refusal("::1", entry(f"http://{host}"))
        == ""
    )
    assert _http_networks.refusal("10.0.0.1", entry(f"http://{host}"))


# --- over the wire ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("allow", "sent"), [
    ([{"url": "http://api.test:PORT", "private": True}], True), ([{"url": "http://api.test:PORT"}], False), (["http://api.test:PORT"], False),
    (["http://127.0.0.1:PORT"], False), (["http://localhost:PORT"], False), ([{"url": "http://api.test", "private": True}], False),
    ([{"url": "https://api.test:PORT", "private": True}], False), ([{"url": "http://api.test:PORT/v1/thing", "private": True}], False),
    ([{"url": "http://api.test:PORT/v1/things/", "private": True}], True), ([{"url": "http://API.test:PORT/v1", "private": True}], True),
    (["http://api.test:PORT", {"url": "http://api.test:PORT/v1", "private": True}], True),
    ([{"url": "http://x.api.test:PORT", "private": True}], False), ([{"url": "http://pi.test:PORT", "private": True}], False),
])  # fmt: skip
async def test_only_what_is_allowed_gets_a_request(http_one: Any, allow: Any, sent: bool) -> None:
    port = str(http_one.server.port)
    http_one.made(
        allow=[
            {**one, "url": one["url"].replace("PORT", port)} if isinstance(one, dict) else one.replace("PORT", port)
            for one in allow
        ]
    )
    outcome = await http_one.run(method="POST")
    assert (outcome.state == "succeeded", len(http_one.server.got)) == (sent, int(sent)), outcome.summary


@pytest.mark.parametrize("listed", ["127.0.0.1", "localhost"])
async def test_an_address_of_its_own_needs_no_word(http_one: Any, listed: str) -> None:
    base = f"http://{listed}:{http_one.server.port}"
    http_one.names["localhost"] = ["127.0.0.1"]
    http_one.made(allow=[base])
    assert (await http_one.run(said={"url": [f"{base}/x"]})).state == "succeeded"
    assert http_one.resolved == ([] if listed == "127.0.0.1" else ["localhost"])


@pytest.mark.parametrize(
    "means", [["169.254.169.254"], ["127.0.0.1", "169.254.169.254"], ["::ffff:169.254.169.254"], ["fe80::1%lo"]]
)
async def test_a_name_that_turns_out_to_mean_something_else_is_refused(http_one: Any, means: list[str]) -> None:
    http_one.names[http_site.NAME] = means
    outcome = await http_one.run(method="POST")
    assert (outcome.state, http_one.server.got) == ("failed", [])
    assert "nothing is sent there: api.test means" in outcome.summary
    found = await http_one.found(method="POST")
    assert (found.state, found.outcome.state) == ("ended", "failed")


async def test_a_name_that_changes_between_the_look_and_the_connection(http_one: Any) -> None:
    """DNS rebinding: the first answer would do, the second is this machine. There is no second question."""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    async with http_site.Server().serving() as other:
        http_one.made(allow=[{"url": f"http://api.test:{other.port}", "private": True}])
        http_one.controller.door.resolve = rebinding
        # 127.0.0.2 is where it goes, since that was looked at; the server listens on 127.0.0.1, which the second answer would be.
        with pytest.raises(model.NotBegunError, match="cannot be reached"):
            await http_one.run(method="POST", said={"url": [f"http://api.test:{other.port}/x"]})
        assert (asked, other.got) == (["api.test"], [])


async def test_each_time_it_is_sent_its_name_is_looked_at_anew(http_one: Any) -> None:
    means = [["169.254.169.254"], ["127.0.0.1"]]

    async def resolve(_host: str, _port: int) -> list[str]:
        return means.pop()

    http_one.controller.door.resolve = resolve
    http_one.server.usual = http_site.status(503)
    outcome = await http_one.run(said={"retries": 5})
    assert (outcome.state, len(http_one.server.got), "where a cloud keeps" in outcome.summary) == ("failed", 1, True)


async def test_where_one_address_is_away_the_next_is_taken(http_one: Any) -> None:
    http_one.names[http_site.NAME] = ["127.0.0.2", "127.0.0.1"]
    assert (await http_one.run()).state == "succeeded"


async def test_a_redirect_reaches_nobody(http_one: Any) -> None:
    async with http_site.Server().serving() as other:
        http_one.server.usual = http_site.status(307, Location=f"http://127.0.0.1:{other.port}/steal")
        http_one.made(auth={"bearer": {"secret": "env:API_TOKEN"}})
        assert (
            await http_one.run(method="POST", said={"json": {"a": 1}, "idempotency_key": "X-Key", "retries": 2})
        ).state == "failed"
        assert (len(http_one.server.got), other.got) == (1, [])


async def test_proxies_and_netrc_of_the_environment_do_not_count(
    http_one: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    async with http_site.Server().serving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        netrc = tmp_path / "netrc"
        netrc.write_text("machine api.test login a password b\n")
        monkeypatch.setenv("NETRC", str(netrc))
        assert (await http_one.run()).state == "succeeded"
        assert (len(http_one.server.got), proxy.got) == (1, [])
        assert "authorization" not in http_one.server.got[0].headers


async def test_cookies_are_not_kept(http_one: Any) -> None:
    http_one.server.usual = http_site.status(503, Set_Cookie="session=1")
    await http_one.run(said={"retries": 1})
    assert ["cookie" in got.headers for got in http_one.server.got] == [False, False]


async def test_a_far_side_that_speaks_no_http(http_one: Any) -> None:
    answers = [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
    ]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    http_one.made(allow=[base])
    for number in range(3):
        outcome = await http_one.run(
            method="POST", said={"url": [base]}, token=f"r-{number}", work_dir=str(http_one.work / str(number))
        )
        assert (outcome.state, "no whole answer came" in outcome.summary) == ("unknown", True), outcome.summary
    server.close()
    await server.wait_closed()


# --- check ------------------------------------------------------------------------------------------------------------


async def test_check_reaches_each_host_once_and_asks_nothing(http_one: Any) -> None:
    http_one.made(
        allow=[{"url": f"{http_one.base}/{one}", "private": True} for one in "ab"],
        auth={"bearer": {"secret": "env:API_TOKEN"}},
    )
    health = await http_one.controller.check()
    assert (health.ok, http_one.server.got, http_one.resolved) == (True, [], [http_site.NAME])
    assert health.detail == f"{http_one.base} is there (127.0.0.1); the way there is not encrypted"


@pytest.mark.parametrize(("given", "names", "says"), [
    ({"auth": {"bearer": {"secret": "env:GONE"}}}, {}, "GONE"), ({"headers": {"X-A": {"secret": "env:GONE"}}}, {}, "GONE"),
    ({}, {"api.test": ["169.254.169.254"]}, "where a cloud keeps"), ({}, {}, "cannot be resolved"), ({}, {"api.test": ["127.0.0.2"]}, "cannot be reached"),
    ({"ca": "none.pem"}, {"api.test": ["127.0.0.1"]}, "`ca` names 'none.pem'"),
])  # fmt: skip
async def test_check_says_what_is_wrong(http_one: Any, given: Any, names: Any, says: str) -> None:
    http_one.names = names
    http_one.made(**given)
    health = await http_one.controller.check()
    assert (health.ok, says in health.detail) == (False, True), health.detail
