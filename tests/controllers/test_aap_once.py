"""The controller `aap`: a launch takes place at most once, whatever becomes of its answer, of the daemon or of the API."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import pathlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import fake_aap  # conftest.py has put it where it is found
import pytest

from healer.controllers import _aap_api, _aap_attempt, _aap_following, _aap_record

WaitAsync = Callable[..., Awaitable[None]]
LAUNCH = r".*/launch/"
TOKEN = "r-0123456789abcdefghjkmnpqrs-1"

DOUBTS = {
    "dropped": fake_aap.drop, "500": fake_aap.status(500), "502": fake_aap.status(502), "503": fake_aap.status(503), "504": fake_aap.status(504),
    "408": fake_aap.status(408), "cut": fake_aap.cut, "no JSON": fake_aap.status(201, "<html>"), "nothing": fake_aap.status(201),
    "no id": fake_aap.status(201, {"job": "42"}), "id of a path": fake_aap.status(201, {"id": "../../users/1"}), "list": fake_aap.status(201, []),
}  # fmt: skip
REFUSALS = {
    "400": fake_aap.status(400, {"variables_needed_to_start": ["'size' value missing"]}), "401": fake_aap.status(401), "402": fake_aap.status(402),
    "403": fake_aap.status(403, {"detail": "You do not have permission"}), "404": fake_aap.status(404), "405": fake_aap.status(405),
    "409": fake_aap.status(409), "413": fake_aap.status(413), "301": fake_aap.status(301, Location="https://elsewhere.invalid/"),
}  # fmt: skip


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that does not appear at once never will."""
    monkeypatch.setattr(_aap_attempt, "SEEK_S", 0.0)


@pytest.fixture(params=["variables", "labels"])
def marked(request: pytest.FixtureRequest, aap_site: Any) -> str:
    """The name of a template whose jobs carry the token in one way or the other."""
    aap_site.fake.template("Marked", "limit", request.param)
    return "Marked"


# --- the answer to the launch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("doubt", DOUBTS)
async def test_lost_answer_of_a_launch_that_took_place_is_made_good(aap_site: Any, marked: str, doubt: str) -> None:
    others = [template["id"] for template in aap_site.fake.templates.values() if template["name"] == marked]
    aap_site.fake.job(others[0], {"healer_token": "r-of-another-1"})
    aap_site.fake.on_launch = lambda _job: aap_site.fake.job(
        others[0], {"ansible_eda": {"event": {"healer_token": TOKEN}}}
    )
    aap_site.fake.fault("POST", LAUNCH, DOUBTS[doubt], after=True)
    outcome = await aap_site.run(subject=marked)
    assert (outcome.state, len(aap_site.launches()), len(aap_site.fake.jobs)) == ("succeeded", 1, 3)
    job = aap_site.fake.jobs[outcome.result["id"]]
    assert job.extra_vars.get("healer_token") == TOKEN or job.labels
    assert (await aap_site.controller.find(aap_site.job(subject=marked))).state == "ended"


@pytest.mark.parametrize("doubt", DOUBTS)
async def test_lost_answer_of_a_launch_that_is_not_seen_is_unknown(
    aap_site: Any, marked: str, doubt: str, soon: None
) -> None:
    aap_site.fake.fault("POST", LAUNCH, DOUBTS[doubt])
    outcome = await aap_site.run(subject=marked)
    assert (outcome.state, len(aap_site.launches()), aap_site.fake.jobs) == ("unknown", 1, {})
    assert "no job that carries its token is seen" in outcome.summary
    assert (await aap_site.controller.find(aap_site.job(subject=marked))).state == "unknown"


async def test_answer_that_does_not_come_is_looked_for(aap_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_aap_api, "REQUEST_S", 0.1)
    aap_site.fake.fault("POST", LAUNCH, fake_aap.hang, after=True)
    assert (await aap_site.run()).state == "succeeded"
    assert (len(aap_site.launches()), len(aap_site.fake.jobs)) == (1, 1)


async def test_job_that_appears_late_is_found(aap_site: Any) -> None:
    (template,) = aap_site.fake.templates
    appeared: list[Any] = []

    async def late(fake: Any, _request: Any) -> Any:
        if len(fake.asked("GET", r"job_templates/\d+/jobs/")) == 4:
            appeared.append(fake.job(template, {"healer_token": TOKEN}))
        return fake_aap.web.json_response({"count": 0, "next": None, "results": []})

    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(504))
    aap_site.fake.fault("GET", r"job_templates/\d+/jobs/", late, times=4)
    outcome = await aap_site.run()
    assert (outcome.state, outcome.result["id"], len(aap_site.launches())) == ("succeeded", appeared[0].id, 1)


async def test_two_jobs_with_the_token_are_not_chosen_between(aap_site: Any, soon: None) -> None:
    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(504), after=True)
    aap_site.fake.on_launch = lambda job: aap_site.fake.job(job.template, job.extra_vars)
    assert (await aap_site.run()).state == "unknown"


async def test_template_in_slices_is_found_as_a_workflow(aap_site: Any) -> None:
    aap_site.fake.template("Sliced", "variables", job_slice_count=3)
    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(504), after=True)
    outcome = await aap_site.run(subject="Sliced")
    assert (outcome.state, outcome.result["type"]) == ("succeeded", "workflow_job")


async def test_job_that_cannot_be_told_from_others_is_unknown(aap_site: Any) -> None:
    aap_site.fake.template("Mute", "limit")
    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(504), after=True)
    outcome = await aap_site.run(subject="Mute")
    assert (outcome.state, "cannot be told from others" in outcome.summary) == ("unknown", True)
    assert len(aap_site.fake.asked("GET", r"job_templates/\d+/jobs/")) == 1
    assert (await aap_site.controller.find(aap_site.job(subject="Mute"))).state == "unknown"


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_refused_launch_has_failed_and_is_not_sent_again(aap_site: Any, refusal: str) -> None:
    aap_site.fake.fault("POST", LAUNCH, REFUSALS[refusal], times=9)
    outcome = await aap_site.run()
    assert (outcome.state, refusal in outcome.summary, len(aap_site.launches())) == ("failed", True, 1)
    assert (await aap_site.controller.find(aap_site.job())).state == "absent"


async def test_refusal_says_why(aap_site: Any) -> None:
    (template,) = aap_site.fake.templates.values()
    template["survey_needs"] = "size"
    assert "'size' value missing" in (await aap_site.run()).summary


async def test_launch_is_sent_again_after_429(aap_site: Any) -> None:
    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(429, Retry_After="7"), times=2)
    outcome = await aap_site.run()
    assert (outcome.state, len(aap_site.launches()), len(aap_site.fake.jobs)) == ("succeeded", 3, 1)
    assert aap_site.pauses[:2] == [7.0, 7.0]


async def test_launch_is_sent_again_where_the_api_was_not_reached(
    aap_site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, refused = aap_site.controller.api.post, 3

    async def away(path: str, *given: Any) -> Any:
        nonlocal refused
        refused -= 1
        base = aap_site.controller.api.base
        with monkeypatch.context() as patch:
            patch.setattr(aap_site.controller.api, "base", "http://127.0.0.1:1/" if refused > 0 else base)
            return await post(path, *given)

    monkeypatch.setattr(aap_site.controller.api, "post", away)
    outcome = await aap_site.run()
    assert (outcome.state, len(aap_site.launches()), aap_site.pauses[:2]) == ("succeeded", 1, [1.0, 2.0])


async def test_between_two_launches_nothing_is_in_doubt(aap_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    async def pause(_seconds: float) -> None:
        found.append((await aap_site.controller.find(aap_site.job())).state)

    monkeypatch.setattr(_aap_api, "pause", pause)
    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(429))
    await aap_site.run()
    assert found[0] == "absent"


@pytest.mark.parametrize("path", [LAUNCH, "unified_job_templates/", r"job_templates/\d+/jobs/"])
async def test_what_could_not_be_launched_in_time_is_timed_out(aap_site: Any, time_passes: Any, path: str) -> None:
    aap_site.paused, aap_site.over = time_passes, aap_site.launches
    aap_site.fake.fault("POST" if path == LAUNCH else "GET", path, fake_aap.status(429), times=10_000)
    outcome = await aap_site.run()
    assert (outcome.state, "could not be launched" in outcome.summary, aap_site.fake.jobs) == ("timed_out", True, {})
    assert "429" in outcome.summary
    assert (await aap_site.controller.find(aap_site.job())).state == "absent"


# --- the disk ---------------------------------------------------------------------------------------------------------


def full(*_arguments: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["begin", "intend"])
async def test_no_room_for_the_intent_launches_nothing(
    aap_site: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(_aap_record, step, full)
    with pytest.raises(OSError, match="No space left"):
        await aap_site.run()
    assert aap_site.launches() == []
    assert (await aap_site.controller.find(aap_site.job())).state == "absent"


async def test_no_room_for_the_job_does_not_lose_it(aap_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_aap_record, "launched", full)
    assert (await aap_site.run()).state == "succeeded"
    assert "could not be written down" in aap_site.said()
    assert (await aap_site.controller.find(aap_site.job())).state == "ended"


@pytest.mark.parametrize("text", ["", "[1]", "{}", "{", '{"api": 1}'])
@pytest.mark.parametrize("file", ["intent.json", "launched.json"])
async def test_what_cannot_be_read_is_unknown(aap_site: Any, file: str, text: str) -> None:
    await aap_site.run()
    (pathlib.Path(aap_site.job().work_dir) / file).write_text(text)
    assert (await aap_site.controller.find(aap_site.job())).state == "unknown"
    assert (await aap_site.controller.follow(aap_site.job(), aap_site.hear)).state == "unknown"
    assert len(aap_site.launches()) == 1


# --- after a crash ----------------------------------------------------------------------------------------------------


async def crash(site: Any, wait: WaitAsync, place: str) -> None:
    """Run until `place` is asked for and hangs, then be gone without a word, as a daemon that was killed."""
    running = asyncio.ensure_future(site.run())
    await wait(lambda: site.fake.hanging)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((_aap_attempt.Attempt, "_abandon"), (_aap_following.Following, "stop")):
            patch.setattr(owner, name, nothing)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    site.fake.faults.clear()


async def nothing(*_arguments: Any) -> None:
    """In place of what a killed daemon does not do."""


async def test_never_launched_is_absent(aap_site: Any, wait_for_async: WaitAsync) -> None:
    assert (await aap_site.controller.find(aap_site.job())).state == "absent"
    aap_site.fake.fault("GET", "unified_job_templates/", fake_aap.hang)
    await crash(aap_site, wait_for_async, "before")
    assert (await aap_site.controller.find(aap_site.job())).state == "absent"
    assert (await aap_site.controller.follow(aap_site.job(), aap_site.hear)).state == "failed"
    assert aap_site.launches() == []


async def test_running_job_is_found_and_followed(aap_site: Any, wait_for_async: WaitAsync) -> None:
    aap_site.fake.fault("GET", r"jobs/\d+/", fake_aap.hang)
    await crash(aap_site, wait_for_async, "poll")
    assert (await aap_site.controller.find(aap_site.job())).state == "running"
    outcome = await aap_site.controller.follow(aap_site.job(), aap_site.hear)
    assert (outcome.state, len(aap_site.launches())) == ("succeeded", 1)
    found = await aap_site.controller.find(aap_site.job())
    assert (found.state, found.outcome.state, found.outcome.result) == ("ended", "succeeded", outcome.result)
    assert (await aap_site.controller.follow(aap_site.job(), aap_site.hear)).state == "succeeded"


async def test_launch_whose_answer_nobody_heard_is_found(aap_site: Any, wait_for_async: WaitAsync) -> None:
    aap_site.fake.fault("POST", LAUNCH, fake_aap.hang, after=True)
    await crash(aap_site, wait_for_async, "launch")
    assert (await aap_site.controller.find(aap_site.job())).state == "running"
    outcome = await aap_site.controller.follow(aap_site.job(), aap_site.hear)
    assert (outcome.state, len(aap_site.launches())) == ("succeeded", 1)


async def test_launch_that_may_yet_appear_is_waited_for(
    aap_site: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    aap_site.fake.fault("POST", LAUNCH, fake_aap.hang)
    await crash(aap_site, wait_for_async, "launch")
    assert (await aap_site.controller.find(aap_site.job())).state == "running"
    monkeypatch.setattr(_aap_attempt, "SEEK_S", 0.0)
    assert (await aap_site.controller.find(aap_site.job())).state == "unknown"
    outcome = await aap_site.controller.follow(aap_site.job(), aap_site.hear)
    assert (outcome.state, len(aap_site.launches())) == ("unknown", 1)


@pytest.mark.parametrize("launched", [True, False])
@pytest.mark.parametrize("behave", [fake_aap.status(503), fake_aap.status(401), fake_aap.drop])
async def test_api_that_cannot_be_asked_after_a_start_says_nothing_yet(
    aap_site: Any, wait_for_async: WaitAsync, launched: bool, behave: Any, soon: None
) -> None:
    aap_site.fake.fault(*(("GET", r"jobs/\d+/") if launched else ("POST", LAUNCH)), fake_aap.hang, after=True)
    await crash(aap_site, wait_for_async, "launch")
    aap_site.fake.fault("GET", r".*jobs/.*", behave)
    assert (await aap_site.controller.find(aap_site.job())).state == "running"
    assert (await aap_site.controller.follow(aap_site.job(), aap_site.hear)).state == "succeeded"


async def test_api_that_hangs_after_a_start_does_not_hold_it_up(aap_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await aap_site.run()
    monkeypatch.setattr(_aap_attempt, "FIND_S", 0.05)
    aap_site.fake.fault("GET", r"jobs/\d+/", fake_aap.hang)
    assert (await aap_site.controller.find(aap_site.job())).state == "running"


async def test_controller_that_is_at_another_api_asks_nothing(aap_site: Any) -> None:
    await aap_site.run()
    other = fake_aap.Fake()
    async with other.serving():
        moved = aap_site.made(url=other.url)
        found = await moved.find(aap_site.job())
        assert (found.state, "is now at" in found.detail) == ("unknown", True)
        assert (await moved.follow(aap_site.job(), aap_site.hear)).state == "unknown"
        assert other.calls == []


async def test_deadline_goes_on_while_the_daemon_is_away(aap_site: Any, wait_for_async: WaitAsync) -> None:
    aap_site.fake.statuses = ["running"]
    aap_site.fake.fault("GET", r"jobs/\d+/", fake_aap.hang)
    await crash(aap_site, wait_for_async, "poll")
    intent = pathlib.Path(aap_site.job().work_dir) / "intent.json"
    intent.write_text(json.dumps(json.loads(intent.read_text()) | {"started": time.time() - 1000}))
    outcome = await aap_site.controller.follow(aap_site.job(), aap_site.hear)
    (job,) = aap_site.fake.jobs.values()
    assert (outcome.state, job.status) == ("timed_out", "canceled")


async def test_job_that_ended_well_while_the_daemon_was_away_has_succeeded(aap_site: Any) -> None:
    await aap_site.run()
    intent = pathlib.Path(aap_site.job().work_dir) / "intent.json"
    intent.write_text(json.dumps(json.loads(intent.read_text()) | {"started": time.time() - 1000}))
    assert (await aap_site.controller.follow(aap_site.job(), aap_site.hear)).state == "succeeded"


# --- cancelling while it is launched ----------------------------------------------------------------------------------


async def cancelled(running: asyncio.Future[Any], site: Any) -> None:
    running.cancel()
    await asyncio.sleep(0)
    site.fake.release.set()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("after", [True, False])
async def test_cancelling_during_the_launch_cancels_what_came_of_it(
    aap_site: Any, wait_for_async: WaitAsync, after: bool
) -> None:
    aap_site.fake.statuses = ["running"]
    aap_site.fake.fault("POST", LAUNCH, fake_aap.hang, after=after)
    running = asyncio.ensure_future(aap_site.run())
    await wait_for_async(lambda: aap_site.fake.hanging)
    await cancelled(running, aap_site)
    assert [job.statuses[-1] for job in aap_site.fake.jobs.values()] == (["canceled"] if after else [])
    assert len(aap_site.launches()) == 1


async def test_cancelling_while_a_launch_is_looked_for_cancels_what_came_of_it(
    aap_site: Any, wait_for_async: WaitAsync
) -> None:
    aap_site.fake.statuses = ["running"]
    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(502), after=True)
    aap_site.fake.on_launch = lambda _job: aap_site.fake.fault("GET", r"job_templates/\d+/jobs/", fake_aap.hang)
    running = asyncio.ensure_future(aap_site.run())
    await wait_for_async(lambda: aap_site.fake.hanging)
    await cancelled(running, aap_site)
    (job,) = aap_site.fake.jobs.values()
    assert job.statuses[-1] == "canceled"


async def test_cancelling_a_look_never_takes_the_intent_back(
    aap_site: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the API is not reached for a look says nothing of the launch."""
    aap_site.fake.fault("POST", LAUNCH, fake_aap.status(502), after=True)
    looks = 0

    async def away(_self: Any, _intent: Any) -> Any:
        nonlocal looks
        looks += 1
        raise _aap_api.NotReached(url="x", reason="refused")

    monkeypatch.setattr(_aap_attempt.Attempt, "_look", away)
    running = asyncio.ensure_future(aap_site.run())
    await wait_for_async(lambda: looks)
    await cancelled(running, aap_site)
    monkeypatch.undo()
    assert (await aap_site.controller.find(aap_site.job())).state != "absent"


async def test_refused_launch_that_is_cancelled_is_absent(aap_site: Any, wait_for_async: WaitAsync) -> None:
    async def no(fake: Any, _request: Any) -> Any:
        fake.hanging += 1
        await fake.release.wait()
        return fake_aap.web.json_response({"detail": "no"}, status=400)

    aap_site.fake.fault("POST", LAUNCH, no)
    running = asyncio.ensure_future(aap_site.run())
    await wait_for_async(lambda: aap_site.fake.hanging)
    await cancelled(running, aap_site)
    assert (await aap_site.controller.find(aap_site.job())).state == "absent"


async def test_another_daemons_job_of_the_same_token_is_not_ours(aap_site: Any) -> None:
    job = aap_site.job(extra={"instance": "0123abcd"})
    await aap_site.controller.run(job, aap_site.hear)
    (launched,) = aap_site.launches()
    assert launched["extra_vars"]["healer_token"] == f"{TOKEN}-0123abcd"
