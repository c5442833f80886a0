"""`check:` under the controller `local`: real checks, and one of a project that does as the test says."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import errors, model, plugins
from healer.controllers import _local_looks, local

WaitAsync = Callable[..., Awaitable[None]]

OWN = """
import asyncio, pathlib
from healer import plugins

class Late(BaseException):
    pass

class OwnOptions(plugins.Options):
    does: str
    seen: str = ""
    password: plugins.SecretRef | None = None

class Own(plugins.Check):
    Options = OwnOptions

    def __init__(self, options, context):
        super().__init__(options, context)
        if options.does in ("cannot be made", "makes an end"):
            raise KeyError("lamp") if options.does == "cannot be made" else Late("x")

    def subject(self):
        return "it"

    async def look(self):
        does = self.options.does
        if self.options.seen:
            pathlib.Path(self.options.seen).write_text(does)
        if does == "blind":
            raise plugins.Blind("it is dark")
        if does == "breaks":
            raise KeyError("lamp")
        if does == "ends itself":
            raise asyncio.CancelledError
        if does == "nothing":
            return None
        if does == "quits":
            raise SystemExit(3)
        if does == "is late":
            raise Late("x")
        if does == "closes":
            raise GeneratorExit
        if does == "speaks":
            return plugins.Reading("false", 1.0, "it is")
        if does == "goes on and on":
            return plugins.Reading(True, 1.0, "x" * 50_000)
        if does == "cleans up badly":
            try:
                await asyncio.Event().wait()
            finally:
                raise OSError("no place")
        if does == "stubborn":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                does = "endless"
        if does == "endless":
            await asyncio.Event().wait()
        return plugins.Reading(does == "well", 1.0, f"it is {does}\\nindeed")

CHECK = Own
"""


class Site:
    """A revision with a check `own`, and a controller."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.revision = folder / "revision"
        (self.revision / "checks").mkdir(parents=True)
        (self.revision / "checks" / "own.py").write_text(OWN)
        self.seen = folder / "seen"
        context = plugins.ControllerContext("here", lambda one: model.Secret(one.secret, "x"), lambda *_: None)
        self.controller = local.Local(local.LocalOptions(), context)
        self.heard = b""

    def job(self, subject: Any, **given: Any) -> model.Job:
        job = model.Job(
            token="r-1-1", run_id="r-1", action="check own", kind="check", subject=subject, parameters={},
            targets=(model.Target("host", "web01"),), deadline_s=60.0, revision_dir=str(self.revision), work_dir=str(self.seen.parent / "work"),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def look(self, does: Any, **given: Any) -> model.Outcome:
        return await self.controller.run(self.job({"own": {"does": does}}, **given), self.hear)

    def hear(self, _stream: str, piece: bytes) -> None:
        self.heard += piece


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(("does", "state", "summary", "result"), [
    ("well", "succeeded", "it is well indeed", {"ok": True, "value": 1.0, "detail": "it is well\nindeed"}),
    ("ill", "failed", "it is ill indeed", {"ok": False, "value": 1.0, "detail": "it is ill\nindeed"}),
    ("blind", "failed", "it cannot look: it is dark", None),
])  # fmt: skip
async def test_what_it_sees_is_the_outcome(site: Site, does: str, state: str, summary: str, result: Any) -> None:
    outcome = await site.look(does)
    assert (outcome.state, outcome.summary, outcome.result) == (state, summary, result)
    assert outcome.per_target == {"host:web01": state}
    assert site.heard == (b"" if result is None else f"it is {does}\nindeed\n".encode())


async def test_checks_that_ship_look(site: Site, tmp_path: pathlib.Path) -> None:
    pidfile = tmp_path / "pid"
    job = site.job({"process": {"pidfile": str(pidfile)}})
    assert (await site.controller.run(job, site.hear)).state == "failed"
    pidfile.write_text("1\n")
    assert (await site.controller.run(job, site.hear)).state == "succeeded"
    blind = await site.controller.run(site.job({"disk": {"path": str(tmp_path / "none")}}), site.hear)
    assert (blind.state, "cannot look: " in blind.summary) == ("failed", True)


@pytest.mark.parametrize(("does", "raised"), [
    ("breaks", "KeyError: 'lamp'"), ("nothing", "TypeError: a check gives a plugins.Reading, got NoneType"),
    ("ends itself", "CancelledError"), ("quits", "it wanted to end the process: SystemExit(3)"),
    ("is late", "it raised Late: x"), ("closes", "it raised GeneratorExit"),
    ("speaks", "TypeError: ok of a reading is true or false, got 'false'"),
])  # fmt: skip
async def test_a_faulty_check_is_named(site: Site, does: str, raised: str) -> None:
    """What it raises is a failure, whatever it is, and no time that ran out; who wrote it sees where."""
    outcome = await site.look(does)
    assert (outcome.state, outcome.summary) == ("failed", f"the check 'own' is faulty: {raised}")
    assert outcome.per_target == {"host:web01": "failed"}
    assert (b"checks/own.py" in site.heard) == (does in ("breaks", "ends itself"))


@pytest.mark.parametrize(
    ("does", "raised"), [("cannot be made", "KeyError: 'lamp'"), ("makes an end", "it raised Late: x")]
)
async def test_one_that_cannot_be_made_is_named(site: Site, does: str, raised: str) -> None:
    outcome = await site.look(does)
    assert (outcome.state, outcome.summary) == (
        "failed",
        f"the job cannot be started: the check 'own' is faulty: {raised}",
    )


async def test_what_is_said_at_length_is_cut(site: Site) -> None:
    outcome = await site.look("goes on and on")
    assert (outcome.state, len(outcome.result["detail"]), len(site.heard)) == ("succeeded", 4094, 4097)


@pytest.mark.parametrize("does", ["endless", "stubborn", "cleans up badly"])
async def test_it_has_until_its_deadline(site: Site, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_local_looks, "ENDS_WITHIN_S", 0.01 if does == "stubborn" else 10.0)
    outcome = await site.look(does, deadline_s=0.05)
    assert (outcome.state, outcome.summary) == ("timed_out", "it saw nothing within 0.05 s")


@pytest.mark.parametrize("does", ["endless", "stubborn"])
async def test_cancelled_it_ends(
    site: Site, does: str, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_local_looks, "ENDS_WITHIN_S", 0.01)
    job = site.job({"own": {"does": does, "seen": str(site.seen)}})
    running = asyncio.create_task(site.controller.run(job, site.hear))
    await wait_for_async(site.seen.exists)
    assert await site.controller.withhold(job)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await site.controller.find(job)).state == "absent"


async def test_after_a_crash_it_is_made_again(site: Site) -> None:
    job = site.job({"own": {"does": "well"}})
    for _ in range(2):
        found = await site.controller.find(job)
        assert (found.state, found.detail) == ("absent", "a check changes nothing, so that it may be made again")
        assert (await site.controller.follow(job, site.hear)).state == "succeeded"
    assert not (site.seen.parent / "work").exists()


async def test_a_plan_says_what_it_would_look_at_and_no_secret(site: Site) -> None:
    job = site.job({"own": {"does": model.Secret("env:WORD", "well"), "seen": str(site.seen)}})
    plan = await site.controller.plan(job)
    assert plan.targets == ("host:web01",)
    said = f'look once, and change nothing: own {{"does": "Secret(\'env:WORD\')", "seen": "{site.seen}"}}'
    assert plan.steps == (said,)
    assert not site.seen.exists()
    assert (await site.controller.run(job, site.hear)).state == "succeeded"


@pytest.mark.parametrize(("subject", "says"), [
    ({"own": {"does": 5}}, "the check 'own': does: a text is wanted, got 5"), ({"own": None}, "the check 'own': the key 'does' is missing"),
    ({"http": {"url": "x"}}, "the check 'http': url: a URL like https://host/path is wanted, got 'x'"), ({}, "a check is a mapping of one name, got {}"),
    ({"own": {}, "http": {}}, "a check is a mapping of one name"), ("own", "a check is a mapping of one name, got 'own'"),
    ({"onw": {}}, "no check is named 'onw'"),
])  # fmt: skip
async def test_what_cannot_be_made_has_failed(site: Site, subject: Any, says: str) -> None:
    """What parameters fill in is known only now."""
    outcome = await site.controller.run(site.job(subject), site.hear)
    assert (outcome.state, says in outcome.summary) == ("failed", True), outcome.summary
    with pytest.raises(errors.HealerError) as caught:
        await site.controller.plan(site.job(subject))
    assert says in caught.value.message


async def test_a_run_looks_with_the_check_of_its_own_revision(site: Site, tmp_path: pathlib.Path) -> None:
    newer = tmp_path / "newer"
    (newer / "checks").mkdir(parents=True)
    (newer / "checks" / "own.py").write_text(OWN.replace("it is {does}", "now it is {does}"))
    assert (await site.look("well")).summary == "it is well indeed"
    assert (await site.look("well", revision_dir=str(newer))).summary == "now it is well indeed"
    assert (await site.look("well")).summary == "it is well indeed"
