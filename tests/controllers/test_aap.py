"""The controller `aap` at a fake of its API: what is launched, how it is followed, how it ends."""

from __future__ import annotations

import asyncio
import json
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import fake_aap  # conftest.py has put it where it is found
import pytest

from healer.controllers import _aap_api, _aap_following, _shimmed

WaitAsync = Callable[..., Awaitable[None]]
EDA = {"ruleset": "web", "rule": "down", "event": {"alert": "Down"}}
TOKEN = "r-0123456789abcdefghjkmnpqrs-1"
HOSTILE = ["../../users/1", "a&page=2?x#y", "%2e%2e%2f", "'; DROP TABLE", "a\nb: c", "{{ 7*7 }}", "ünï \N{PILE OF POO}"]


# --- what is launched -------------------------------------------------------------------------------------------------


async def test_job_template_is_launched_as_given_and_followed_to_its_end(aap_site: Any) -> None:
    aap_site.fake.artifacts = {"restarted": ["web01"]}
    outcome = await aap_site.run()
    assert aap_site.launches() == [
        {"limit": "web01", "extra_vars": {"service": "nginx", "ansible_eda": EDA, "healer_token": TOKEN}}
    ]
    (job,) = aap_site.fake.jobs.values()
    web = f"{aap_site.fake.url}/#/jobs/{job.id}/details"
    assert (outcome.state, outcome.summary) == ("succeeded", f"job {job.id} successful: {web}")
    assert outcome.result == {
        "id": job.id, "type": "job", "status": "successful", "url": web, "explanation": "", "elapsed": 12.5,
        "created": "2026-03-01T10:00:00.000000Z", "started": "2026-03-01T10:00:00.000000Z", "finished": "2026-03-01T10:00:00.000000Z",
    }  # fmt: skip
    assert (outcome.facts, outcome.seconds, outcome.truncated) == ({"restarted": ["web01"]}, 12.5, False)
    assert outcome.per_target == {"aap:Default/Restart": "succeeded"}
    assert aap_site.heard["stdout"] == job.stdout
    assert aap_site.said() == f"healer: launched: job {job.id}, {web}\n"
    assert aap_site.pauses == [10.0, 10.0]


async def test_workflow_template_that_takes_no_limit_gets_none(aap_site: Any) -> None:
    aap_site.fake.template("Flow", "variables", type_="workflow_job_template")
    outcome = await aap_site.run(subject="Flow", kind="workflow_template")
    (body,) = aap_site.launches()
    assert set(body) == {"extra_vars"}
    assert "does not prompt for a limit: 'web01' is left out" in aap_site.said()
    (job,) = aap_site.fake.jobs.values()
    assert outcome.summary == f"workflow job {job.id} successful: {aap_site.fake.url}/#/jobs/workflow/{job.id}/details"
    assert (outcome.facts, outcome.result["type"], aap_site.heard["stdout"]) == (None, "workflow_job", b"")


async def test_workflow_template_that_takes_a_limit_gets_it(aap_site: Any) -> None:
    aap_site.fake.template("Flow", "variables", "limit", type_="workflow_job_template")
    await aap_site.run(subject="Flow", kind="workflow_template")
    assert aap_site.launches()[0]["limit"] == "web01"


async def test_what_the_template_does_not_prompt_for_is_said_to_be_ignored(aap_site: Any) -> None:
    aap_site.fake.template("Mute")
    outcome = await aap_site.run(subject="Mute", extra={"labels": ["red"]})
    assert aap_site.launches() == [{"limit": "web01", "extra_vars": {"service": "nginx", "ansible_eda": EDA}}]
    assert outcome.state == "succeeded"
    assert "the API ignored: extra_vars (service, ansible_eda), limit" in aap_site.said()
    assert "does not prompt for labels" in aap_site.said()


async def test_events_stay_here_where_they_are_not_to_be_included(aap_site: Any) -> None:
    await aap_site.run(extra={"include_events": False})
    assert aap_site.launches()[0]["extra_vars"] == {"service": "nginx", "healer_token": TOKEN}


async def test_empty_limit_does_not_take_the_templates_own_away(aap_site: Any) -> None:
    await aap_site.run(extra={"job_args": {"limit": "", "job_tags": "x"}})
    assert "limit" not in aap_site.launches()[0]


@pytest.mark.parametrize(
    "given", [{"job_args": [1]}, {"job_args": {"extra_vars": "a: b"}}, {"job_args": {"verbosity": float("nan")}}]
)
async def test_what_is_no_json_to_launch_with_is_refused(aap_site: Any, given: Any) -> None:
    outcome = await aap_site.run(extra=given)
    assert (outcome.state, aap_site.launches()) == ("failed", [])


async def test_more_than_the_api_takes_is_refused_before(aap_site: Any) -> None:
    outcome = await aap_site.run(extra={"ansible_eda": {"event": "x" * (3 << 20)}})
    assert (outcome.state, "include_events" in outcome.summary, aap_site.launches()) == ("failed", True, [])


async def test_template_is_told_from_others_of_its_name(aap_site: Any) -> None:
    fake = aap_site.fake
    fake.page_max = 2
    fake.template("Clean", type_="workflow_job_template")
    fake.template("Clean", organization=2)
    fake.template("Clean", type_="project")
    wanted = fake.template("Clean")
    assert (await aap_site.run(subject="Clean")).state == "succeeded"
    assert [job.template for job in fake.jobs.values()] == [wanted["id"]]
    assert len(fake.asked("GET", "unified_job_templates/")) == 2


@pytest.mark.parametrize(("subject", "kind"), [("Restart", "workflow_template"), ("restart", "job_template")])
async def test_template_that_is_not_there_fails(aap_site: Any, subject: str, kind: str) -> None:
    outcome = await aap_site.run(subject=subject, kind=kind)
    assert outcome.state == "failed"
    assert f"{subject!r} in the organization 'Default'" in outcome.summary
    assert (await aap_site.controller.find(aap_site.job())).state == "absent"


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_texts_are_names_and_values_only(aap_site: Any, hostile: str) -> None:
    aap_site.fake.template(hostile, "limit", "variables", "labels")
    given = {"job_args": {"limit": hostile, "extra_vars": {hostile: hostile}}, "labels": [hostile]}
    assert (await aap_site.run(subject=hostile, extra=given)).state == "succeeded"
    (body,) = aap_site.launches()
    assert (body["limit"], body["extra_vars"][hostile]) == (hostile, hostile)
    assert [one["name"] for one in aap_site.fake.labels.values()] == [hostile]
    assert {path.split("/")[0] for _, path, _, _ in aap_site.fake.calls} == {
        "unified_job_templates", "organizations", "labels", "job_templates", "jobs",
    }  # fmt: skip


async def test_template_in_slices_is_followed_as_a_workflow(aap_site: Any) -> None:
    aap_site.fake.template("Sliced", "variables", job_slice_count=3)
    outcome = await aap_site.run(subject="Sliced")
    assert (outcome.state, outcome.result["type"]) == ("succeeded", "workflow_job")


async def test_dry_run_is_check_mode_or_nothing(aap_site: Any) -> None:
    outcome = await aap_site.run(dry_run=True)
    assert (outcome.state, "dry" in outcome.summary, aap_site.launches()) == ("failed", True, [])
    aap_site.fake.template("Dry", "job_type")
    await aap_site.run(subject="Dry", dry_run=True, work_dir=str(aap_site.work / "2"))
    assert aap_site.launches()[0]["job_type"] == "check"


# --- labels -----------------------------------------------------------------------------------------------------------


async def test_labels_are_found_or_made_in_the_organization(aap_site: Any) -> None:
    aap_site.fake.labels = {
        5: {"id": 5, "name": "red", "organization": 2},
        6: {"id": 6, "name": "red", "organization": 1},
    }
    await aap_site.run(extra={"labels": ["red", "blue", "red", "", 3], "add_event_uuid_label": True})
    (body,) = aap_site.launches()
    names = {one["id"]: (one["name"], one["organization"]) for one in aap_site.fake.labels.values()}
    assert [names[one] for one in body["labels"]] == [("red", 1), ("blue", 1), ("eda-event-uuid-u-1", 1)]


async def test_label_that_another_makes_meanwhile_is_taken(aap_site: Any) -> None:
    said = {"__all__": ["Label with this Name and Organization already exists."]}
    aap_site.fake.fault("POST", "labels/", fake_aap.status(400, said), after=True)
    await aap_site.run(extra={"labels": ["red"]})
    (label,) = aap_site.fake.labels
    assert aap_site.launches()[0]["labels"] == [label]


@pytest.mark.parametrize(("given", "says"), [
    ({"labels": ["red"]}, "the label 'red' is left out"), ({"labels": ["x" * 600]}, "at most 512 characters"),
])  # fmt: skip
async def test_label_that_cannot_be_had_is_left_out(aap_site: Any, given: Any, says: str) -> None:
    aap_site.fake.fault("POST", "labels/", fake_aap.status(403, {"detail": "You do not have permission"}))
    assert (await aap_site.run(extra=given)).state == "succeeded"
    assert "labels" not in aap_site.launches()[0]
    assert says in aap_site.said()


async def test_labels_need_the_organization(aap_site: Any) -> None:
    aap_site.fake.organizations = {}
    await aap_site.run(extra={"labels": ["red"]})
    assert "the account sees no organization 'Default'" in aap_site.said()
    assert "labels" not in aap_site.launches()[0]


# --- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "state"), [("failed", "failed"), ("error", "failed"), ("canceled", "cancelled")])
async def test_end_of_the_job_is_the_end_of_the_attempt(aap_site: Any, status: str, state: str) -> None:
    aap_site.fake.statuses = ["running", status]
    aap_site.fake.on_launch = lambda job: setattr(job, "explanation", "the project\nis gone")
    outcome = await aap_site.run()
    assert (outcome.state, outcome.result["status"], outcome.per_target) == (
        state,
        status,
        {"aap:Default/Restart": state},
    )
    assert outcome.summary.endswith("(the project is gone)")


@pytest.mark.parametrize("artifacts", [{"x": "a" * (300 << 10)}, {"x": 2**70}, {"x": "\0"}])
async def test_artifacts_that_cannot_be_kept_are_no_facts(aap_site: Any, artifacts: Any) -> None:
    aap_site.fake.artifacts = artifacts
    outcome = await aap_site.run()
    assert (outcome.state, outcome.facts) == ("succeeded", None)
    assert "artifacts are no facts" in aap_site.said()


async def test_output_is_bounded(aap_site: Any) -> None:
    aap_site.fake.on_launch = lambda job: setattr(job, "stdout", b"0123456789abcdef" * (70 << 10))
    outcome = await aap_site.run()
    assert (outcome.state, outcome.truncated, len(aap_site.heard["stdout"])) == ("succeeded", True, 1 << 20)


async def test_output_is_asked_for_once_it_is_whole(aap_site: Any) -> None:
    aap_site.fake.on_launch = lambda job: setattr(job, "unfinished_looks", 2)
    await aap_site.run()
    assert len(aap_site.fake.asked("GET", r"jobs/\d+/")) == 5
    assert aap_site.heard["stdout"] != b""


async def test_output_comes_once_though_it_is_asked_for_twice(aap_site: Any) -> None:
    async def half(_fake: Any, request: Any) -> Any:
        answer = fake_aap.web.StreamResponse(headers={"Content-Length": "16"})
        await answer.prepare(request)
        await answer.write(b"PLAY [al")
        while not aap_site.heard["stdout"]:
            await asyncio.sleep(0)
        request.transport.close()
        return answer

    aap_site.fake.fault("GET", r"jobs/\d+/stdout/", half)
    outcome = await aap_site.run()
    assert (outcome.truncated, aap_site.heard["stdout"]) == (False, b"PLAY [all] ****\n")


async def test_output_goes_on_where_it_was_cut(aap_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[b"PLAY"], [b"PL", b"AY", b" [all]"]]

    async def text(_path: str, _params: Any, hear: Callable[[bytes], None], _bytes_max: int) -> bool:
        for piece in answers.pop(0):
            hear(piece)
        if answers:
            raise _aap_api.NoAnswer(method="GET", url="x", reason="cut")
        return False

    monkeypatch.setattr(aap_site.controller.api, "text", text)
    await aap_site.run()
    assert aap_site.heard["stdout"] == b"PLAY [all]"


async def test_output_that_cannot_be_read_changes_nothing_of_the_end(aap_site: Any) -> None:
    aap_site.fake.fault("GET", r"jobs/\d+/stdout/", fake_aap.status(403, {"detail": "no"}))
    outcome = await aap_site.run()
    assert (outcome.state, outcome.truncated) == ("succeeded", True)
    assert "its output cannot be read" in aap_site.said()


# --- following --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behave", [
    fake_aap.status(429, Retry_After="77"), fake_aap.status(500), fake_aap.status(502, "<html>", Content_Type="text/html"),
    fake_aap.status(503), fake_aap.status(504), fake_aap.status(401, {"detail": "x"}), fake_aap.status(403), fake_aap.status(404),
    fake_aap.status(200, "no JSON"), fake_aap.status(200, []), fake_aap.status(200, "[" * 100_000), fake_aap.drop, fake_aap.cut,
    fake_aap.status(302, Location="http://127.0.0.1:1/"), fake_aap.status(200, b" " * (5 << 20)),
])  # fmt: skip
async def test_what_hinders_polling_is_borne(aap_site: Any, behave: Any) -> None:
    aap_site.fake.fault("GET", r"jobs/\d+/", behave, times=3)
    outcome = await aap_site.run()
    assert (outcome.state, len(aap_site.launches())) == ("succeeded", 1)
    assert aap_site.pauses[0] in (77.0, 10.0)
    assert aap_site.said().count("\n") == 2  # what hinders is said once, not at each poll


async def test_polling_waits_as_long_as_the_api_asks(aap_site: Any) -> None:
    aap_site.fake.fault("GET", r"jobs/\d+/", fake_aap.status(429, Retry_After="77"))
    await aap_site.run()
    assert aap_site.pauses[0] == 77.0


async def test_polling_bears_that_the_api_is_away(
    aap_site: Any, monkeypatch: pytest.MonkeyPatch, wait_for_async: WaitAsync
) -> None:
    monkeypatch.setattr(aap_site.controller.api, "base", "http://127.0.0.1:1/api/v2/")
    monkeypatch.setattr(aap_site.controller.api, "root", "http://127.0.0.1:1")
    running = asyncio.ensure_future(aap_site.run())
    await wait_for_async(lambda: len(aap_site.pauses) > 3)
    monkeypatch.undo()
    monkeypatch.setattr(_aap_api, "pause", lambda _seconds: asyncio.sleep(0))
    assert (await running).state == "succeeded"
    assert "http://127.0.0.1:1 cannot be reached" in aap_site.said()
    assert aap_site.pauses[:3] == [1.0, 2.0, 4.0]


async def test_job_that_the_api_has_forgotten_is_unknown(aap_site: Any) -> None:
    aap_site.fake.on_launch = lambda job: aap_site.fake.jobs.clear()
    outcome = await aap_site.run()
    assert (outcome.state, "does not know the job" in outcome.summary) == ("unknown", True)
    assert len(aap_site.fake.asked("GET", r"jobs/\d+/")) == _aap_following.GONE_MAX


async def test_past_its_deadline_a_job_is_cancelled(aap_site: Any) -> None:
    aap_site.fake.statuses = ["running"]
    aap_site.over = lambda: aap_site.fake.jobs
    outcome = await aap_site.run()
    (job,) = aap_site.fake.jobs.values()
    assert (outcome.state, job.status) == ("timed_out", "canceled")
    assert outcome.summary.startswith(f"the job {job.id} was past its deadline of 300 s and is cancelled: http")
    assert (outcome.per_target, outcome.result["status"]) == ({"aap:Default/Restart": "timed_out"}, "canceled")
    assert aap_site.heard["stdout"] != b""


async def test_job_that_does_not_obey_is_timed_out_and_said(aap_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_aap_following, "OVERDUE_S", 0.1)
    aap_site.fake.statuses = ["running"]
    aap_site.fake.on_launch = lambda job: setattr(job, "cancellable", False)
    aap_site.over = lambda: aap_site.fake.jobs
    outcome = await aap_site.run()
    assert (outcome.state, "told to end, which it has not yet" in outcome.summary) == ("timed_out", True)


async def test_job_that_cannot_be_cancelled_is_unknown(aap_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_aap_following, "STOP_S", 0.2)
    aap_site.fake.statuses = ["running"]
    aap_site.fake.fault("POST", r".*/cancel/", fake_aap.status(403, {"detail": "You do not have permission"}), times=99)
    aap_site.over = lambda: aap_site.fake.jobs
    outcome = await aap_site.run()
    assert (outcome.state, "it may still run" in outcome.summary) == ("unknown", True)


async def test_job_that_ends_while_it_is_cancelled_has_ended_as_it_says(aap_site: Any) -> None:
    async def ended(fake: Any, _request: Any) -> Any:
        for job in fake.jobs.values():
            job.statuses = ["failed"]
        return fake_aap.web.json_response({"detail": "Method not allowed."}, status=405)

    aap_site.fake.statuses = ["running"]
    aap_site.fake.fault("POST", r".*/cancel/", ended)
    aap_site.over = lambda: aap_site.fake.jobs
    outcome = await aap_site.run()
    assert (outcome.state, outcome.result["status"]) == ("failed", "failed")


async def test_cancelling_the_task_cancels_the_job(aap_site: Any, wait_for_async: WaitAsync) -> None:
    aap_site.fake.statuses = ["running"]
    aap_site.fake.fault("POST", r".*/cancel/", fake_aap.status(502))
    running = asyncio.ensure_future(aap_site.run())
    await wait_for_async(lambda: aap_site.fake.asked("GET", r"jobs/\d+/"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (job,) = aap_site.fake.jobs.values()
    assert job.statuses[-1] == "canceled"


async def test_cancelling_the_task_takes_no_longer_than_it_may(
    aap_site: Any, time_passes: Callable[[], None], wait_for_async: WaitAsync
) -> None:
    async def hang(fake: Any, request: Any) -> Any:
        time_passes()
        return await fake_aap.hang(fake, request)

    aap_site.fake.statuses = ["running"]
    aap_site.fake.fault("POST", r".*/cancel/", hang)
    running = asyncio.ensure_future(aap_site.run())
    await wait_for_async(lambda: aap_site.fake.asked("GET", r"jobs/\d+/"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert aap_site.fake.hanging == 1


# --- the folder -------------------------------------------------------------------------------------------------------


async def test_intent_is_on_the_disk_before_the_launch_and_holds_no_secret(aap_site: Any) -> None:
    folder = pathlib.Path(aap_site.job().work_dir)
    seen: list[str] = []
    aap_site.fake.on_launch = lambda _job: seen.extend(path.name for path in folder.iterdir())
    await aap_site.run()
    assert sorted(seen) == ["intent.json", "made"]
    (job,) = aap_site.fake.jobs.values()
    assert json.loads((folder / "launched.json").read_text()) == {"kind": "jobs", "id": job.id}
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert "nginx" not in path.read_text()
        assert aap_site.secrets["env:AAP_TOKEN"] not in path.read_text()


async def test_token_serves_once(aap_site: Any) -> None:
    await aap_site.run()
    with pytest.raises(_shimmed.TokenUsed):
        await aap_site.run()
    assert len(aap_site.launches()) == 1


async def test_a_pause_finds_what_was_not_launched(aap_site: Any) -> None:
    assert await aap_site.controller.withhold(aap_site.job())
    await aap_site.controller.run(aap_site.job(), aap_site.hear)
    assert not await aap_site.controller.withhold(aap_site.job())
