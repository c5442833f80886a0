"""The controller `http`: a request that changes something is sent once, whatever becomes of its answer, of the daemon or of the disk."""

from __future__ import annotations

import asyncio
import os
import pathlib
import socket
from typing import Any

import http_site  # conftest.py has put it where it is found
import pytest

from healer import model
from healer.controllers import _http_record, _shimmed

SAFE, CHANGING = ("GET", "HEAD", "OPTIONS"), ("POST", "PUT", "PATCH", "DELETE")
SILENT = {"dropped": http_site.drop, "cut": http_site.cut}
KEYED = {"retries": 2, "idempotency_key": "Idempotency-Key"}


# --- an answer that does not come -------------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", SILENT)
@pytest.mark.parametrize("method", CHANGING)
async def test_what_changes_something_and_gets_no_answer_is_unknown(http_one: Any, method: str, silence: str) -> None:
    http_one.server.plan = [SILENT[silence]]
    outcome = await http_one.run(method=method)
    assert (outcome.state, len(http_one.server.got)) == ("unknown", 1)
    assert "it was sent, and its answer is not known" in outcome.summary
    assert (await http_one.found(method=method)).state == "unknown"


@pytest.mark.parametrize("silence", SILENT)
@pytest.mark.parametrize("method", SAFE)
async def test_what_changes_nothing_and_gets_no_answer_has_failed(http_one: Any, method: str, silence: str) -> None:
    if (method, silence) == ("HEAD", "cut"):
        silence = "dropped"  # it has no body to be cut
    http_one.server.plan = [SILENT[silence]]
    outcome = await http_one.run(method=method)
    assert (outcome.state, "no whole answer came" in outcome.summary, len(http_one.server.got)) == ("failed", True, 1)
    assert (await http_one.found(method=method)).state == "ended"


@pytest.mark.parametrize(("method", "state"), [("POST", "unknown"), ("DELETE", "unknown"), ("GET", "failed")])
async def test_an_answer_that_takes_too_long(http_one: Any, method: str, state: str) -> None:
    http_one.made(timeout="1.5s")
    http_one.server.usual = http_site.hang
    outcome = await http_one.run(method=method)
    assert (outcome.state, "none within 1." in outcome.summary, len(http_one.server.got)) == (state, True, 1)


@pytest.mark.parametrize(("method", "state"), [("POST", "unknown"), ("GET", "timed_out")])
async def test_the_deadline_of_the_job_holds(http_one: Any, time_passes: Any, method: str, state: str) -> None:
    async def hang(server: Any, request: Any) -> Any:
        time_passes()
        return await http_site.hang(server, request)

    http_one.server.usual = hang
    outcome = await http_one.run(method=method)
    assert (outcome.state, len(http_one.server.got)) == (state, 1)


async def test_what_stands_between_does_not_know_what_was_done(http_one: Any) -> None:
    for code, method, state in (
        (502, "POST", "unknown"),
        (504, "PUT", "unknown"),
        (502, "GET", "failed"),
        (500, "POST", "failed"),
        (503, "POST", "failed"),
    ):
        http_one.server.plan = [http_site.status(code)]
        token = f"{http_site.TOKEN}-{code}{method}"
        outcome = await http_one.run(method=method, token=token, work_dir=str(http_one.work / token))
        assert outcome.state == state, (code, method)


# --- retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        http_site.drop,
        http_site.cut,
        http_site.status(429),
        http_site.status(502),
        http_site.status(503),
        http_site.status(504),
    ],
)
@pytest.mark.parametrize(
    ("method", "said"), [("GET", {"retries": 2}), ("PUT", {"retries": 2}), ("DELETE", {"retries": 2}), ("POST", KEYED)]
)
async def test_it_is_sent_again_where_that_does_no_harm(http_one: Any, method: str, said: Any, bad: Any) -> None:
    http_one.server.plan = [bad, bad]
    outcome = await http_one.run(method=method, said=said)
    assert (outcome.state, len(http_one.server.got), http_one.pauses) == ("succeeded", 3, [1.0, 2.0])
    assert http_one.heard["stderr"].count(b"again in") == 2
    if method == "POST":
        assert {got.headers["idempotency-key"] for got in http_one.server.got} == {http_site.TOKEN.encode()}


async def test_it_waits_as_long_as_it_is_told(http_one: Any) -> None:
    http_one.server.plan = [http_site.status(429, Retry_After="7"), http_site.status(503, Retry_After="soon")]
    assert (await http_one.run(said={"retries": 5})).state == "succeeded"
    assert http_one.pauses == [7.0, 2.0]


@pytest.mark.parametrize("code", [400, 401, 404, 409, 422, 500, 501, 301])
async def test_an_answer_that_stays_is_not_asked_for_again(http_one: Any, code: int) -> None:
    http_one.server.usual = http_site.status(code)
    assert (await http_one.run(said={"retries": 5})).state == "failed"
    assert len(http_one.server.got) == 1


async def test_nothing_is_sent_again_that_nobody_asked_for(http_one: Any) -> None:
    http_one.server.usual = http_site.status(503)
    assert (await http_one.run(method="POST")).state == "failed"
    assert len(http_one.server.got) == 1


async def test_the_last_answer_counts(http_one: Any) -> None:
    http_one.server.plan = [http_site.drop, http_site.status(404)]
    outcome = await http_one.run(method="DELETE", said={"retries": 2})
    assert (outcome.state, outcome.result["status"]) == ("failed", 404)


async def test_a_busy_answer_behind_one_that_is_lost_is_unknown(http_one: Any) -> None:
    http_one.server.plan = [http_site.drop, http_site.status(503)]
    outcome = await http_one.run(method="PUT", said={"retries": 1})
    assert (outcome.state, len(http_one.server.got)) == ("unknown", 2)


async def test_no_pause_goes_beyond_the_deadline(http_one: Any) -> None:
    http_one.server.plan = [http_site.status(503, Retry_After="200")]
    outcome = await http_one.run(said={"retries": 5})
    assert (outcome.state, outcome.result["status"], http_one.pauses) == ("failed", 503, [])


# --- nothing was sent -------------------------------------------------------------------------------------------------


async def test_a_refused_connection_has_begun_nothing(http_one: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        http_one.made(allow=[url])
        with pytest.raises(model.NotBegunError, match="cannot be reached"):
            await http_one.run(method="POST", said={"url": [f"{url}/x"]})
    assert (http_one.noted(), (await http_one.found(method="POST")).state) == (set(), "absent")


async def test_a_name_that_means_nothing_has_begun_nothing(http_one: Any) -> None:
    http_one.names.clear()
    with pytest.raises(model.NotBegunError, match="its name cannot be resolved"):
        await http_one.run(method="POST")
    http_one.names[http_site.NAME] = []
    other = {"token": "r-other-1", "work_dir": str(http_one.work / "other")}
    with pytest.raises(model.NotBegunError, match="means no address"):
        await http_one.run(method="POST", **other)
    assert (http_one.server.got, (await http_one.found(method="POST")).state) == ([], "absent")


async def test_a_name_that_comes_back_is_reached_again(http_one: Any) -> None:
    once = [OSError(-3, "Temporary failure in name resolution"), OSError(-3, "Temporary failure")]

    async def resolve(_host: str, _port: int) -> list[str]:
        if once:
            raise once.pop()
        return ["127.0.0.1"]

    http_one.controller.door.resolve = resolve
    assert (await http_one.run(method="PUT", said={"retries": 3})).state == "succeeded"
    assert len(http_one.server.got) == 1


async def test_of_several_targets_one_that_is_away_is_told(http_one: Any) -> None:
    http_one.made(allow=[{"url": http_one.base, "private": True}, "http://gone.test"])
    to = ["http://gone.test/x", f"{http_one.base}/x"]
    outcome = await http_one.run(method="POST", to=to)
    assert (outcome.state, [*outcome.per_target.values()], len(http_one.server.got)) == (
        "failed",
        ["failed", "succeeded"],
        1,
    )
    found = await http_one.found(method="POST", to=to)
    assert (found.state, found.outcome.per_target) == ("ended", outcome.per_target)


async def test_a_deadline_before_anything_was_sent(http_one: Any) -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    http_one.controller.door.resolve = never
    outcome = await http_one.run(method="POST", deadline_s=0.1)
    assert (outcome.state, "it was not sent" in outcome.summary) == ("timed_out", True)


# --- under its token --------------------------------------------------------------------------------------------------


async def test_a_token_is_good_for_one(http_one: Any) -> None:
    assert (await http_one.run(method="POST")).state == "succeeded"
    with pytest.raises(_shimmed.TokenUsed):
        await http_one.run(method="POST")
    assert len(http_one.server.got) == 1


async def test_what_is_about_to_be_sent_is_on_the_disk_before(http_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (seen.append("fsync"), fsync(descriptor))[1])

    async def look(_server: Any, _request: Any) -> Any:
        seen.append(sorted(http_one.noted()))
        return await http_site.status(200)(_server, _request)

    http_one.server.usual = look
    await http_one.run(method="POST")
    at = seen.index(["sent-0.json"])
    assert seen[:at].count("fsync") >= 2  # the file and its folder
    assert http_one.noted() == {"sent-0.json", "ended-0.json"}


async def test_found_after_a_crash(http_one: Any) -> None:
    """Each state of the folder that a kill can leave."""
    folder = http_one.work / http_site.TOKEN
    post, get = http_one.job(method="POST"), http_one.job()
    find = http_one.controller.find
    assert (await find(post)).state == (await find(get)).state == "absent"
    _http_record.begin(folder)
    assert (await find(post)).state == (await find(get)).state == "absent"
    (folder / "sent-0.new").write_text("{")
    assert (await find(post)).state == "absent"
    _http_record.intend(folder, 0)
    assert ((await find(post)).state, (await find(get)).state) == ("unknown", "absent")
    assert (await http_one.controller.follow(post, http_one.hear)).state == "unknown"
    _http_record.ended(folder, 0, _http_record.End("failed", "500", {"status": 500}))
    for job in (post, get):
        found = await find(job)
        assert (found.state, found.outcome and found.outcome.result) == ("ended", {"status": 500})
        assert (await http_one.controller.follow(job, http_one.hear)).state == "failed"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "succeeded"}', '{"colour": 1}'])
async def test_what_cannot_be_read_is_unknown(http_one: Any, text: str) -> None:
    folder = http_one.work / http_site.TOKEN
    _http_record.begin(folder)
    _http_record.intend(folder, 0)
    (folder / "ended-0.json").write_text(text)
    assert (await http_one.found(method="POST")).state == "unknown"


async def test_of_several_targets_a_crash_leaves_what_was_not_sent(http_one: Any) -> None:
    to = [f"{http_one.base}/v1/{one}" for one in "abc"]
    job = http_one.job(method="POST", to=to)
    folder = pathlib.Path(job.work_dir)
    _http_record.begin(folder)
    _http_record.intend(folder, 0)
    _http_record.ended(folder, 0, _http_record.End("succeeded", "200"))
    found = await http_one.controller.find(job)
    assert (found.state, [*found.outcome.per_target.values()]) == ("ended", ["succeeded", "failed", "failed"])
    _http_record.intend(folder, 1)
    found = await http_one.controller.find(job)
    assert (found.state, to[1] in found.detail, to[0] in found.detail) == ("unknown", True, False)
