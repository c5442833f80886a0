"""Slack over HTTP: nothing is read before its signature is right, nothing is done twice, and it is answered within 3 s."""

from __future__ import annotations

import asyncio
import io
import pathlib
import time
from typing import Any

import fake_slack
import pytest

from healer import access, errors
from healer.notify.channels import _slack_values as values
from healer.web.slack import signed

PUBLISHED_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
PUBLISHED_AT_S = 1531420618
PUBLISHED = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


async def post(site: Any, body: bytes, headers: dict[str, str], path: str = "/slack/interactions") -> tuple[int, str]:
    data = io.BytesIO(body) if len(body) > 1 << 19 else body
    async with site.room.session.post(site.room.url(path), data=data, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_the_published_vector(site: Any, shared: pathlib.Path) -> None:
    body = shared.joinpath("payloads/slack/slash_command_published_vector.txt").read_bytes()
    site.room.services.wall = lambda: (PUBLISHED_AT_S - 60) * 1_000_000
    await site.restart()
    site.room.services.wall = lambda: PUBLISHED_AT_S * 1_000_000
    headers = {
        "X-Slack-Signature": PUBLISHED, "X-Slack-Request-Timestamp": str(PUBLISHED_AT_S), "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    assert await post(site, body, headers, "/slack/commands") == (200, "")
    await site.done()
    site.room.services.wall = lambda: (PUBLISHED_AT_S + 301) * 1_000_000
    assert (await post(site, body, headers, "/slack/commands"))[0] == 401


async def test_a_forged_click_decides_nothing(site: Any) -> None:
    """Each bit of the signature flipped, cut at each length, an old time, another secret, another body, another time."""
    posted = await site.ask("a-1")
    body = site.fake.body(site.fake.click(posted, values.APPROVE))
    right = site.fake.signed(body)
    signature, at = right["X-Slack-Signature"], right["X-Slack-Request-Timestamp"]
    wrong: list[dict[str, str]] = [{"X-Slack-Signature": signature[:length]} for length in range(len(signature))]
    flipped = [
        signature[:n] + chr(ord(signature[n]) ^ 1 << bit) + signature[n + 1 :]
        for n in range(3, len(signature))
        for bit in range(3)
    ]
    wrong += [{"X-Slack-Signature": one} for one in flipped]
    wrong += [
        {"X-Slack-Signature": signature + "0"},
        {"X-Slack-Signature": signature.upper()},
        {"X-Slack-Signature": "v1" + signature[2:]},
    ]
    wrong += [
        {"X-Slack-Request-Timestamp": one} for one in (str(int(at) - 1), str(int(at) + 1), f"{at}.0", "", "٣", "9" * 40)
    ]
    answers = set()
    for one in wrong:
        answers.add((await post(site, body, right | one))[0])
    for headers in (
        site.fake.signed(body, int(time.time()) - 400), site.fake.signed(body, int(time.time()) + 400), site.fake.signed(body, secret="other"),
        site.fake.signed(body, secret=""), site.fake.signed(body + b"&x=1"), site.fake.signed(b""),
        {"Content-Type": "application/x-www-form-urlencoded"},
    ):  # fmt: skip
        answers.add((await post(site, body, headers))[0])
    assert answers == {401}
    assert await site.states() == {"a-1": "open"}
    assert site.fake.asked("users.info") == []
    assert (await post(site, body, right))[0] == 200
    await site.done()
    assert await site.states() == {"a-1": "approved"}


async def test_headers_that_are_there_twice(site: Any) -> None:
    posted = await site.ask("a-1")
    body = site.fake.body(site.fake.click(posted, values.APPROVE))
    right = site.fake.signed(body)
    for name in ("X-Slack-Signature", "X-Slack-Request-Timestamp"):
        assert (await post(site, body, [*right.items(), (name, right[name])]))[0] in (400, 401)  # type: ignore[arg-type]
    assert await site.states() == {"a-1": "open"}


async def test_a_request_that_comes_again_does_nothing(site: Any) -> None:
    """Not even where the first one led to nothing."""
    posted = await site.ask("a-1", want=2)
    body = site.fake.body(site.fake.click(posted, values.APPROVE))
    headers = site.fake.signed(body)
    for _ in range(20):
        assert await post(site, body, headers) == (200, "")
    await site.done()
    assert len(site.fake.asked("users.info")) == 1
    assert site.fake.responses == []


async def test_a_request_that_was_taken_before_a_restart_does_nothing(site: Any) -> None:
    """What came is remembered in memory alone: what may be older than that is refused, and said to be so."""
    now_s = int(time.time())
    site.room.services.wall = lambda: now_s * 1_000_000
    body = site.fake.body(site.fake.command("resume all"))
    headers = site.fake.signed(body, now_s)
    assert await post(site, body, headers, "/slack/commands") == (200, "")
    await site.done()
    asked = len(site.fake.asked("users.info"))
    await site.restart()
    for at_s, wanted in (
        (now_s, 503),
        (now_s - 200, 503),
        (now_s + signed.START_S - 1, 503),
        (now_s + signed.START_S, 200),
    ):
        status, text = await post(site, body, site.fake.signed(body, at_s), "/slack/commands")
        assert status == wanted, at_s
        assert ("signed-before-start" in text) == (wanted == 503)
    await site.done()
    assert len(site.fake.asked("users.info")) == asked + 1
    assert site.room.slept == [], "who has the secret is not slowed"


async def test_guessing_is_slowed(site: Any) -> None:
    body = site.fake.body(site.fake.command("status"))
    for _ in range(3):
        assert (await post(site, body, site.fake.signed(body, secret="other"), "/slack/commands"))[0] == 401
    assert site.room.slept == [1.0] * 3


async def test_it_is_answered_at_once_however_slow_slack_is(site: Any) -> None:
    posted = await site.ask("a-1")
    site.fake.fault("users.info", fake_slack.hang, times=50)
    far = site.desk._app.api  # who waits for Slack is late by far, and does not go on after a few seconds
    far._timeout_s = 600.0
    assert far._session is None
    clicks = [site.fake.click(posted, values.APPROVE) for _ in range(50)]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(site.fake.deliver(site.room.session, site.room.url(""), one) for one in clicks)
        )
    assert {status for status, _ in answers} == {200}
    assert site.fake.late == []
    await site.fake.until(lambda: site.fake.faults[0].times < 50)  # somebody does wait for it
    site.fake.release.set()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"payload=", 400), (b"payload={}", 400), (b"payload=%5B%5D", 400), (b"payload=1", 400), (b"payload=%7B", 400),
        (b"payload=%7B%22type%22%3A%22block_actions%22%7D", 400), (b"a=1&a=2", 400), (b"\xff\xfe", 400), (b"&" * 5_000, 400),
        (b"payload=" + b"%5B" * 100_000, 400), (b"x" * ((1 << 20) + 1), 413),
    ],
)  # fmt: skip
async def test_what_is_no_interaction(site: Any, body: bytes, status: int) -> None:
    assert (await post(site, body, site.fake.signed(body)))[0] == status


@pytest.mark.parametrize(
    "body", [b"", b"team_id=T02AB", b"team_id=T02AB&user_id=", b"team_id=t&user_id=u", b"payload=%5B%5D"]
)
async def test_what_is_no_command(site: Any, body: bytes) -> None:
    assert (await post(site, body, site.fake.signed(body), "/slack/commands"))[0] == 400


async def test_another_content_type_is_not_taken(site: Any) -> None:
    body = site.fake.body(site.fake.command("status"))
    for kind in ("application/json", "multipart/form-data", "text/plain", ""):
        assert (await post(site, body, site.fake.signed(body) | {"Content-Type": kind}, "/slack/commands"))[0] in (
            400,
            415,
        )


async def test_slacks_question_whether_we_are_there(site: Any) -> None:
    body = b"ssl_check=1&token=x"
    assert await post(site, body, site.fake.signed(body), "/slack/commands") == (200, "")
    assert (await post(site, body, {"Content-Type": "application/x-www-form-urlencoded"}, "/slack/commands"))[0] == 401


async def test_recorded_payloads_are_read(site: Any, shared: pathlib.Path) -> None:
    """Slack's own samples, of other workspaces: taken, and refused to their people."""
    for name in ("block_actions_approval_in_channel", "block_actions_ephemeral_button"):
        body = shared.joinpath(f"payloads/slack/{name}.txt").read_bytes()
        assert await post(site, body, site.fake.signed(body)) == (200, "")
    body = shared.joinpath("payloads/slack/slash_command_hello.txt").read_bytes()
    assert await post(site, body, site.fake.signed(body), "/slack/commands") == (200, "")
    await site.done()
    assert site.fake.asked("users.info") == []


async def test_a_secret_that_cannot_be_read_refuses_all(site: Any) -> None:
    posted = await site.ask("a-1")

    def resolve(reference: str) -> Any:
        raise errors.SecretUnavailable(reference=reference, reason="no such file")

    site.room.services.secrets.resolve = resolve
    body = site.fake.body(site.fake.click(posted, values.APPROVE))
    assert (await post(site, body, site.fake.signed(body)))[0] == 401


async def test_without_a_signing_secret_there_is_no_such_path(site: Any) -> None:
    body = site.fake.body(site.fake.command("status"))
    site.account = site.account.model_copy(update={"signing_secret": None})
    await site.desk.refresh()
    for path in ("/slack/commands", "/slack/interactions"):
        assert (await post(site, body, site.fake.signed(body), path))[0] == 404
    assert (await post(site, body, site.fake.signed(body), "/api/v1/slack/commands"))[0] == 404


def test_what_was_taken_is_remembered_as_long_as_it_could_come_again() -> None:
    seen = signed.Seen(most=2)
    assert not seen.holds(b"a", 0.0)
    seen.add(b"a", 0.0)
    seen.add(b"b", 10.0)
    assert seen.holds(b"a", 599.0)
    with pytest.raises(signed.SeenFull):
        seen.holds(b"c", 599.0)
    assert not seen.holds(b"a", 600.0)
    assert seen.holds(b"b", 600.0)


def test_nobody_is_anybody_before_their_signature() -> None:
    assert access.NOBODY.permissions == frozenset()
