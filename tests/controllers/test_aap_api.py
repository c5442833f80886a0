"""The HTTP side of the controller `aap`: credentials, TLS, redirects, bounds."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import ipaddress
import pathlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import fake_aap  # conftest.py has put it where it is found
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from healer import errors, model
from healer.controllers import _aap_api

WaitAsync = Callable[..., Awaitable[None]]


# --- credentials ------------------------------------------------------------------------------------------------------


async def test_username_and_password_are_a_way_in(aap_site: Any) -> None:
    controller = aap_site.made(username=fake_aap.USER, password={"secret": "env:AAP_PASSWORD"})
    assert (await controller.run(aap_site.job(), aap_site.hear)).state == "succeeded"
    assert aap_site.fake.strangers == 0


async def test_token_that_is_replaced_is_taken_at_the_next_request(aap_site: Any) -> None:
    aap_site.secrets["env:AAP_TOKEN"] = "of-yesterday"
    health = await aap_site.controller.check()
    assert (health.ok, "401 Unauthorized: Authentication credentials were not provided." in health.detail) == (
        False,
        True,
    )
    assert "right, and not run out?" in health.detail
    aap_site.secrets["env:AAP_TOKEN"] = fake_aap.TOKEN
    assert (await aap_site.controller.check()).ok


@pytest.mark.parametrize("token", ["", "two words", "a\r\nHost: elsewhere", "ünï", "a\0b"])
async def test_token_that_is_none_is_sent_nowhere(aap_site: Any, token: str) -> None:
    aap_site.secrets["env:AAP_TOKEN"] = token
    outcome = await aap_site.run()
    assert (outcome.state, aap_site.fake.strangers, aap_site.fake.calls) == ("failed", 0, [])
    assert "env:AAP_TOKEN has characters that no token has" in outcome.summary


async def test_secret_that_is_not_there_fails_before_and_is_borne_after_the_launch(aap_site: Any) -> None:
    def resolve(_reference: Any) -> model.Secret:
        raise errors.SecretUnavailable(reference="env:AAP_TOKEN", reason="the variable is not set")

    known = aap_site.controller.api._context.resolve
    broken = aap_site.made()
    broken.api._context = type("Context", (), {"resolve": staticmethod(resolve)})
    outcome = await broken.run(aap_site.job(work_dir=str(aap_site.work / "0")), aap_site.hear)
    assert (outcome.state, "the variable is not set" in outcome.summary) == ("failed", True)

    looks = 0

    def sometimes(reference: Any) -> model.Secret:
        nonlocal looks
        if aap_site.fake.jobs and (looks := looks + 1) < 4:
            raise errors.SecretUnavailable(reference="env:AAP_TOKEN", reason="the variable is not set")
        return known(reference)

    broken.api._context = type("Context", (), {"resolve": staticmethod(sometimes)})
    assert (await broken.run(aap_site.job(), aap_site.hear)).state == "succeeded"


async def test_credentials_stand_in_nothing_that_is_told(aap_site: Any) -> None:
    aap_site.fake.fault("GET", ".*", fake_aap.status(500), times=2)
    aap_site.fake.fault("POST", ".*", fake_aap.status(403))
    outcome = await aap_site.run()
    told = repr(outcome) + aap_site.said() + repr(aap_site.controller.options) + repr(vars(aap_site.controller.api))
    assert fake_aap.TOKEN not in told


# --- where it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "/"])
async def test_gateway_is_asked_below_its_path(aap_site: Any, end: str) -> None:
    gateway = fake_aap.Fake("/api/controller/v2/")
    gateway.template("Restart", "limit", "variables")
    async with gateway.serving():
        controller = aap_site.made(url=f"{gateway.url}/api/controller{end}")
        outcome = await controller.run(aap_site.job(), aap_site.hear)
    assert outcome.state == "succeeded"
    assert outcome.result["url"].startswith(f"{gateway.url}/#/jobs/")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(aap_site: Any, code: int) -> None:
    other = fake_aap.Fake()
    async with other.serving():
        aap_site.fake.fault("GET", "config/", fake_aap.status(code, Location=f"{other.url}/api/v2/config/?token=x"))
        health = await aap_site.controller.check()
        assert (health.ok, f"a redirect to '{other.url}/api/v2/config/', which is not followed" in health.detail) == (
            False,
            True,
        )
        assert (other.calls, other.strangers) == ([], 0)


async def test_what_is_not_there_asks_whether_the_url_is_right(aap_site: Any) -> None:
    health = await aap_site.made(url=f"{aap_site.fake.url}/elsewhere").check()
    assert (health.ok, f"its API is looked for at {aap_site.fake.url}/elsewhere/v2/" in health.detail) == (False, True)


async def test_nobody_listens(aap_site: Any) -> None:
    health = await aap_site.made(url="http://127.0.0.1:1").check()
    assert (health.ok, health.detail.startswith("http://127.0.0.1:1 cannot be reached: ")) == (False, True)


def certificate(folder: pathlib.Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 that only `ca.pem` in the folder vouches for."""
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
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


async def test_certificate_has_to_be_trusted(aap_site: Any, tmp_path: pathlib.Path) -> None:
    secure = fake_aap.Fake()
    secure.template("Restart", "variables")
    async with secure.serving(certificate(tmp_path)):
        health = await aap_site.made(url=secure.url).check()
        assert (health.ok, "is not trusted" in health.detail, "`ca`" in health.detail) == (False, True, True)
        outcome = await aap_site.made(url=secure.url).run(aap_site.job(), aap_site.hear)
        assert (outcome.state, aap_site.pauses, secure.calls) == ("failed", [], [])
        trusted = await aap_site.made(url=secure.url, ca="ca.pem").check()
        assert (trusted.ok, trusted.detail) == (True, f"{secure.url}/api/v2/: version 4.6.2, as healer")
        unverified = await aap_site.made(url=secure.url, verify_tls=False).check()
        assert (unverified.ok, "its certificate is not verified" in unverified.detail) == (True, True)


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_file_of_certificates_that_is_none_is_told(
    aap_site: Any, tmp_path: pathlib.Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
    health = await aap_site.made(url="https://127.0.0.1:1", ca="ca.pem").check()
    assert (health.ok, "`ca` names" in health.detail, "ca.pem" in health.detail) == (False, True, True)


# --- bounds -----------------------------------------------------------------------------------------------------------


async def test_bodies_are_bounded(aap_site: Any) -> None:
    aap_site.fake.fault("GET", "config/", fake_aap.status(200, b'"' + b"x" * (5 << 20) + b'"'))
    health = await aap_site.controller.check()
    assert (health.ok, "it has more than 4 MiB" in health.detail) == (False, True)
    aap_site.fake.fault("GET", "config/", fake_aap.status(500, b"x" * (5 << 20)))
    assert len((await aap_site.controller.check()).detail) < 500


async def test_pages_are_bounded(aap_site: Any) -> None:
    async def more(_fake: Any, _request: Any) -> Any:
        return fake_aap.web.json_response(
            {"count": 9, "next": "/api/v2/x/?page=2", "results": [{"name": "other"}, 3, None]}
        )

    aap_site.fake.fault("GET", "unified_job_templates/", more, times=10_000)
    with pytest.raises(_aap_api.BadAnswer, match="more than 50 pages"):
        await aap_site.controller.plan(aap_site.job())
    assert len(aap_site.fake.calls) == _aap_api.PAGES_MAX


async def test_list_that_became_shorter_has_ended(aap_site: Any) -> None:
    aap_site.fake.page_max = 1
    aap_site.fake.template("Twice", organization=2)
    aap_site.fake.template("Twice", organization=2)

    async def shorter(fake: Any, request: Any) -> Any:
        fake.templates.clear()
        return fake_aap.web.json_response({"detail": "Invalid page."}, status=404)

    found = [one async for one in aap_site.controller.api.pages("unified_job_templates/", {"name": "Twice"})]
    assert len(found) == 2
    pages = aap_site.controller.api.pages("unified_job_templates/", {"name": "Twice"})
    assert (await anext(pages))["name"] == "Twice"
    aap_site.fake.fault("GET", "unified_job_templates/", shorter)
    assert [one async for one in pages] == []


@pytest.mark.parametrize("results", [None, {}, "x"])
async def test_page_without_results_is_no_page(aap_site: Any, results: Any) -> None:
    aap_site.fake.fault("GET", "unified_job_templates/", fake_aap.status(200, {"count": 1, "results": results}))
    with pytest.raises(_aap_api.BadAnswer, match="no list of results"):
        await aap_site.controller.plan(aap_site.job())


async def test_no_more_requests_at_a_time_than_connections(aap_site: Any, wait_for_async: WaitAsync) -> None:
    controller = aap_site.made(connections=2)
    aap_site.fake.fault("GET", "config/", fake_aap.hang, times=5)
    asking = [asyncio.ensure_future(controller.api.get("config/")) for _ in range(5)]
    await wait_for_async(lambda: aap_site.fake.hanging == 2)
    _, waiting = await asyncio.wait(asking, timeout=0.05)
    assert (len(waiting), aap_site.fake.hanging) == (5, 2)
    aap_site.fake.release.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(one) for one in answers} == {_aap_api.Refused}


async def test_request_is_bounded_in_time(aap_site: Any) -> None:
    aap_site.fake.fault("POST", ".*", fake_aap.hang)
    with pytest.raises(_aap_api.NoAnswer) as caught:
        await aap_site.controller.api.post("labels/", {}, 2.0)
    assert caught.value.sent


async def test_waiting_grows_and_ends_with_what_does_not_pass(aap_site: Any) -> None:
    asked = 0
    told: list[Any] = []

    async def ask() -> None:
        nonlocal asked
        asked += 1
        raise _aap_api.Refused(503 if asked < 8 else 403, 0.0, method="GET", url="x", answered="no")

    with pytest.raises(_aap_api.Refused):
        await _aap_api.insist(ask, told.append)
    assert aap_site.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert len(told) == 7


@pytest.mark.parametrize(("text", "seconds"), [
    ("3", 3.0), (" 120 ", 120.0), ("99999", 600.0), ("9" * 5000, 600.0), ("", 0.0), ("-1", 0.0), ("soon", 0.0), ("1.5", 0.0), ("²", 0.0),
    ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 99 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 2015 07:28:00", 0.0),
])  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert _aap_api._retry_after_s(text) == seconds


def test_retry_after_is_a_date_to_come() -> None:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    assert 90 < _aap_api._retry_after_s(email.utils.format_datetime(at, usegmt=True)) <= 100


@pytest.mark.parametrize("id_", [0, -1, True, None, "7", 7.0, 1 << 70, {"x": 1}])
def test_only_whole_numbers_become_paths(id_: Any) -> None:
    with pytest.raises(_aap_api.BadAnswer, match="an id is wanted"):
        _aap_api.id_of({"id": id_}, "http://x/")
    assert _aap_api.id_of({"id": 7}, "http://x/") == 7


# --- what an error says -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("behave", "says"), [
    (fake_aap.status(403, {"detail": "You do not have permission."}), "403 Forbidden: You do not have permission.; the account lacks a role"),
    (fake_aap.status(400, {"limit": ["wrong"]}), '400 Bad Request: {"limit": ["wrong"]}'),
    (fake_aap.status(502, "<html><h1>Bad Gateway</h1>", Content_Type="text/html"), "502 Bad Gateway"),
    (fake_aap.status(500, b"\xff\x00\n\x1b[31mred"), "500 Internal Server Error: \N{REPLACEMENT CHARACTER}\\x00 \\x1b[31mred"),
    (fake_aap.status(200, "{"), "it is no JSON"), (fake_aap.status(200, "[]"), "a JSON object is wanted, got list"),
    (fake_aap.drop, "got no whole answer: "), (fake_aap.cut, "got no whole answer: "),
])  # fmt: skip
async def test_check_says_what_the_api_said(aap_site: Any, behave: Any, says: str) -> None:
    aap_site.fake.fault("GET", "config/", behave, times=2)  # aiohttp asks once more where it lost the connection
    health = await aap_site.controller.check()
    assert not health.ok
    assert says in health.detail
    assert health.detail.isprintable()
    if "html" in says or says.startswith("502"):
        assert "<h1>" not in health.detail


async def test_check_says_version_and_who(aap_site: Any) -> None:
    health = await aap_site.controller.check()
    url = aap_site.fake.url
    assert (health.ok, health.detail) == (
        True,
        f"{url}/api/v2/: version 4.6.2, as healer; the way there is not encrypted",
    )


@pytest.mark.parametrize("people", [{"results": []}, {"results": [3]}, {"results": [{"username": None}]}, {}])
async def test_check_wants_to_know_who(aap_site: Any, people: Any) -> None:
    aap_site.fake.fault("GET", "me/", fake_aap.status(200, people))
    health = await aap_site.controller.check()
    assert (health.ok, "whose the credentials are" in health.detail) == (False, True)
