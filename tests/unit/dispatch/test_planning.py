"""Plans are made behind the decisions: few at once, within their time, so many a minute; and none has an effect."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from healer import errors, model, policy
from healer.child import jobs, starting
from healer.controllers import _shimmed
from healer.dispatch import planning
from healer.store import asking, deciding, journal

S = 1_000_000
LIMITS = policy.Limits(timeout_s=30)


class Desk:
    """A planner over a box whose controller plans as a test says."""

    def __init__(self, box: Any) -> None:
        self.box = box
        self.now_s = 0.0
        self.per_minute = 30
        self.jobs: list[model.Job] = []
        self.most = self.at_once = 0
        self.go = asyncio.Event()
        self.go.set()
        self.made: Callable[[model.Job], model.Plan] = lambda job: model.Plan(
            ("host:k",), ("do it",), "+new", exact=True
        )
        box.controller.plan = self.plan
        self.planner = planning.Planner(
            box.store, box.dispatcher.maker, box.folder / "work", lambda: box.secrets, lambda: self.per_minute, lambda: self.now_s
        )  # fmt: skip
        self.task: asyncio.Task[None] | None = None
        self.position = 0

    async def plan(self, job: model.Job) -> model.Plan:
        self.jobs.append(job)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.go.wait()
            return self.made(job)
        finally:
            self.at_once -= 1

    def observed(self, key: str, **more: Any) -> str:
        """A run that is only simulated; its id."""
        box = self.box
        if not self.position:
            row, _ = box.store.writer.now(deciding.UseRevision("f" * 64, "", "d", {}))
            box.store.writer.now(deciding.Decide(0, row.seq, box.now_us, 1, [], lambda _: box.standing))
            self.position = row.seq
        (row,) = box.store.writer.now(journal.Append([journal.Row("event", "s", b"{}")]))
        run = model.run_id("a", "b", "c", key, 0, 0)
        given = {"mode": "observe", "limits": LIMITS} | more
        candidate = policy.Candidate(run, "a/b/c", "clean", "here", (f"host:{key}",), box.now_us, **given)
        hosts = [model.Target("host", key, key.upper(), "10.0.0.1", ("web",))]
        ask = asking.Ask(
            candidate, box.standing, 0, "script", "scripts/x.sh", {"n": 1}, {}, False, 4, "rule:a/b/c", hosts, [], []
        )
        outcome = deciding.Outcome(row.seq, box.now_us, results=[ask])
        decided = box.store.writer.now(
            deciding.Decide(self.position, row.seq, box.now_us, 1, [outcome], lambda _: box.standing)
        )
        self.position = row.seq
        self.planner.decided(decided.runs)
        return run

    def start(self) -> None:
        self.task = asyncio.create_task(self.planner.run())

    def states(self) -> dict[str, str]:
        return dict(self.box.rows("SELECT run, state FROM plan"))

    async def said(self, run: str) -> dict[str, Any]:
        """What is kept of a plan."""
        ((name,),) = self.box.rows(f"SELECT hash FROM plan WHERE run = '{run}'")
        found: dict[str, Any] = orjson.loads(await self.box.store.blob(name))
        return found

    def detail(self, run: str) -> str:
        ((detail,),) = self.box.rows(f"SELECT detail FROM plan WHERE run = '{run}'")
        return str(detail)


@pytest.fixture
async def desk(box: Any) -> AsyncIterator[Desk]:
    made = Desk(box)
    yield made
    await made.planner.stop()
    if made.task is not None:
        await asyncio.wait_for(made.task, 30)


async def test_a_plan_is_made_of_what_would_run_and_kept(desk: Desk, wait_for_async: Any) -> None:
    run = desk.observed("k1", dry_run=True)
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "made"})
    assert await desk.said(run) == {
        "targets": ["host:k"],
        "steps": ["do it"],
        "diff": "+new",
        "exact": True,
        "fails": "",
        "cut": False,
    }
    (job,) = desk.jobs
    assert (job.kind, job.subject, job.parameters, job.run_id) == ("script", "scripts/x.sh", {"n": 1}, run)
    assert [str(one) for one in job.targets] == ["host:k1"]
    assert not job.dry_run, "a plan is of the run itself"
    assert job.deadline_s == 30.0
    assert desk.box.controller.jobs == [], "nothing was run"


async def test_why_a_run_would_fail_is_kept_masked_and_bounded(desk: Desk, wait_for_async: Any) -> None:
    desk.box.secrets.append("pl4nted")
    desk.made = lambda _: model.Plan((), ("do it",), fails="no pl4nted\nhere " + "x" * 10_000)
    run = desk.observed("k1", dry_run=True)
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "made"})
    fails = (await desk.said(run))["fails"]
    assert fails.startswith("no *** here xx")
    assert len(fails) == planning.STEP_MAX


async def test_the_time_of_a_plan_is_its_actions_and_two_minutes_at_most(desk: Desk, wait_for_async: Any) -> None:
    desk.observed("k1", limits=policy.Limits(timeout_s=3600))
    desk.start()
    await wait_for_async(lambda: len(desk.jobs) == 1)
    assert desk.jobs[0].deadline_s == planning.LIMIT_S


async def test_no_more_than_two_are_made_at_once_and_the_others_follow(desk: Desk, wait_for_async: Any) -> None:
    desk.go.clear()
    runs = [desk.observed(f"k{number}") for number in range(5)]
    desk.start()
    await wait_for_async(lambda: len(desk.jobs) == 2)
    desk.go.set()
    await wait_for_async(lambda: desk.states() == dict.fromkeys(runs, "made"))
    assert desk.most == planning.AT_ONCE


async def test_of_a_storm_so_many_a_minute_are_made_and_the_others_say_why_not(desk: Desk, wait_for_async: Any) -> None:
    desk.per_minute = 2
    runs = [desk.observed(f"k{number}") for number in range(4)]
    desk.start()
    await wait_for_async(lambda: sorted(desk.states().values()) == ["made", "made", "skipped", "skipped"])
    assert (
        desk.detail(next(run for run in runs if desk.states()[run] == "skipped"))
        == "too many at once: 2 are made a minute"
    )
    desk.now_s += planning.MINUTE_S - 1
    late = desk.observed("late")
    await wait_for_async(lambda: desk.states()[late] == "skipped")
    desk.now_s += 1
    again = desk.observed("again")
    await wait_for_async(lambda: desk.states()[again] == "made")


async def test_none_is_made_where_an_operator_wants_none(desk: Desk, wait_for_async: Any) -> None:
    desk.per_minute = 0
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "skipped"})
    assert (desk.detail(run), desk.jobs) == ("none is made (plans_per_minute: 0)", [])


async def test_that_one_cannot_be_made_is_what_came_of_it(desk: Desk, wait_for_async: Any) -> None:
    def fail(job: model.Job) -> model.Plan:
        raise ValueError(f"no such thing as {job.subject}")

    def end(job: model.Job) -> model.Plan:
        raise GeneratorExit

    desk.made = fail
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "failed"})
    assert desk.detail(run) == "ValueError: no such thing as scripts/x.sh"
    desk.made = end
    again = desk.observed("k2")
    await wait_for_async(lambda: desk.states()[again] == "failed")
    assert desk.detail(again) == "it raised GeneratorExit"


@pytest.mark.parametrize(("error", "fails"), [
    (_shimmed.RefusedJob(reason="this machine has no user 'x', password=pa55"), "the job cannot be started: this machine has no user 'x', password=***"),
    (errors.SecretUnavailable("mend it", reference="env:K", reason="it is not set"), "the secret env:K cannot be read: it is not set; mend it"),
])  # fmt: skip
async def test_what_a_controller_refuses_would_fail(
    desk: Desk, wait_for_async: Any, error: Exception, fails: str
) -> None:
    def refuse(job: model.Job) -> model.Plan:
        raise error

    desk.made = refuse
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "made"})
    assert (await desk.said(run))["fails"] == fails


async def test_a_controller_that_is_gone_makes_none(desk: Desk, wait_for_async: Any) -> None:
    desk.box.controllers.clear()
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "failed"})
    assert desk.detail(run) == "no controller is named 'here' any more"


async def test_one_that_takes_too_long_is_told_to_end(desk: Desk, wait_for_async: Any) -> None:
    desk.go.clear()
    run = desk.observed("k1", limits=policy.Limits(timeout_s=0.05))
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "failed"})
    assert (desk.detail(run), desk.at_once) == ("it took longer than 0.05 s", 0)


async def test_secrets_are_masked_wherever_they_stand(desk: Desk, wait_for_async: Any) -> None:
    desk.box.secrets = ["s3cret-value"]
    desk.made = lambda job: model.Plan(("host:s3cret-value",), ("--password s3cret-value",), "+pw=s3cret-value")
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "made"})
    assert "s3cret-value" not in str(await desk.said(run))
    assert (await desk.said(run))["diff"] == "+pw=***"


async def test_of_what_a_child_said_what_looks_like_a_secret_is_left_out(desk: Desk, wait_for_async: Any) -> None:
    said = "at https://u:pa55@a.org, password=pa55"
    desk.made = lambda job: model.Plan((), (f"check mode: {said}",), said, fails=said)
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "made"})
    found = await desk.said(run)
    assert found["steps"] == ["check mode: at https://***@a.org, password=***"]
    assert "pa55" not in str(found)

    def fail(job: model.Job) -> model.Plan:
        raise OSError(said)

    desk.made = fail
    again = desk.observed("k2")
    await wait_for_async(lambda: desk.states()[again] == "failed")
    assert desk.detail(again) == "OSError: at https://***@a.org, password=***"


@pytest.mark.parametrize("known", [False, True])
async def test_nothing_of_a_private_key_is_kept_also_where_another_one_is_known(
    desk: Desk, wait_for_async: Any, known: bool
) -> None:
    begin, end = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
    mine = [begin, "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", "QyNTUxOQAAACAbCdEfGh1jKlMnOpQrStUvWxYz01", end]
    other = [
        begin,
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEpa55",
        "pa55xOQAAACAZyXwVuTsRqPoNmLkJiHgFeDcBa98",
        "pa55Xw==",
        end,
    ]
    desk.box.secrets = ["\n".join(mine)] if known else []
    diff = "\n".join(["--- before", "+++ after", " key: |", *(f"+    {line}" for line in other), " port: 5"])
    desk.made = lambda job: model.Plan((), (f"patch: {json.dumps(diff)}",), diff, fails=diff)
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "made"})
    found = await desk.said(run)
    assert "pa55" not in str(found)
    assert found["diff"].startswith("--- before\n+++ after\n key: |\n+    ")
    assert found["diff"].endswith("\n port: 5")


async def test_what_says_too_much_is_cut_and_says_so(desk: Desk, wait_for_async: Any) -> None:
    desk.made = lambda job: model.Plan((), (), "ü" * planning.BYTES_MAX)
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: desk.states() == {run: "made"})
    said = await desk.said(run)
    assert (len(said["diff"].encode()), said["cut"]) == (planning.BYTES_MAX, True)


async def test_what_a_stop_cut_off_the_next_daemon_makes(desk: Desk, wait_for_async: Any) -> None:
    desk.go.clear()
    run = desk.observed("k1")
    desk.start()
    await wait_for_async(lambda: len(desk.jobs) == 1)
    await desk.planner.stop()
    assert (desk.states(), desk.at_once) == ({run: "wanted"}, 0)
    following = Desk(desk.box)
    following.start()
    await wait_for_async(lambda: following.states() == {run: "made"})
    await following.planner.stop()


async def test_asked_for_what_is_not_in_the_store_it_gives_the_plan_and_writes_nothing(desk: Desk) -> None:
    run = desk.observed("k1")
    (row,) = await desk.box.store.reader.select("SELECT * FROM run WHERE id = ?", [run])
    targets = await desk.box.store.reader.all("targets_of_run", run)
    made = await desk.planner.made(row, targets)
    assert (made.state, made.content is not None and made.content["steps"]) == ("made", ["do it"])
    assert desk.states() == {run: "wanted"}


async def test_targets_that_are_left_out_are_in_no_plan(desk: Desk) -> None:
    run = desk.observed("k1")
    (row,) = await desk.box.store.reader.select("SELECT * FROM run WHERE id = ?", [run])
    targets = await desk.box.store.reader.all("targets_of_run", run)
    await desk.planner.made(row, [*targets, targets[0] | {"target": "host:out", "state": "left_out"}])
    assert [str(one) for one in desk.jobs[0].targets] == ["host:k1"]


async def test_a_start_ends_what_plans_left_and_removes_it(
    desk: Desk, tmp_path: pathlib.Path, wait_for_async: Any
) -> None:
    work = desk.box.folder / "work"
    at_work, never = work / "plan-abc" / "check", work / "plan-xyz" / "hosts"
    for folder in (at_work, never):
        jobs.make(folder)
        argv = (sys.executable, "-c", "import time; time.sleep(3600)")
        jobs.write(folder, jobs.Spec(argv, {"PATH": "/usr/bin:/bin", "HEALER_TOKEN": "plan-left"}, "/", 3600.0))
    (work / "r-1-1").mkdir()
    (work / "plan-link").symlink_to(tmp_path)
    await asyncio.to_thread(starting.start, at_work)
    await wait_for_async(lambda: jobs.pids_with("HEALER_TOKEN", "plan-left"))
    assert await desk.planner.clear() == 2
    assert jobs.pids_with("HEALER_TOKEN", "plan-left") == []
    assert sorted(path.name for path in work.iterdir()) == ["plan-link", "r-1-1"]
