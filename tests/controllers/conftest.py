"""What tests of `aap`, `http`, `ssh` and `oc` share: fakes of APIs, a real sshd, controllers that ask them. pytest loads it."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import pathlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from healer import model, plugins
from healer.controllers import _aap_api, _aap_attempt, _http_door, _ssh_far, _ssh_pool, _ssh_worker, aap


def _beside(name: str) -> Any:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


fake_aap = _beside("fake_aap")
ssh_site = _beside("ssh_site")
http_site = _beside("http_site")
away_site = _beside("away_site")
fake_kube, kube_site = _beside("fake_kube"), _beside("kube_site")

SECRETS = {"env:AAP_TOKEN": fake_aap.TOKEN, "env:AAP_PASSWORD": fake_aap.PASSWORD}
TOKEN_OF_JOB = "r-0123456789abcdefghjkmnpqrs-1"
LATER_S = 1e6
WaitAsync = Callable[..., Awaitable[None]]


@pytest.fixture
def time_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """`time_passes()`: every limit that is running is over now. For the last request of a test: connections that are idle end too."""

    def pass_() -> None:
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + LATER_S)

    return pass_


class Site:
    """A controller at the fake, and what its jobs said."""

    def __init__(self, fake: Any, tmp_path: pathlib.Path) -> None:
        self.fake = fake
        self.work = tmp_path / "work"
        self.project = tmp_path
        self.secrets = dict(SECRETS)
        self.pauses: list[float] = []
        self.heard = {"stdout": b"", "stderr": b""}
        self.over: Callable[[], object] = lambda: False
        """From when on the deadline of its jobs is over."""
        self.paused: Callable[[], None] = lambda: None
        """Called at each pause."""
        self.controller = self.made()

    def made(self, **given: Any) -> aap.Aap:
        """A controller with other options."""
        known = {} if "username" in given else {"token": {"secret": "env:AAP_TOKEN"}}
        options = aap.AapOptions.model_validate({"url": self.fake.url, **known, **given})
        return aap.Aap(options, plugins.ControllerContext("aap", self.resolve, self.log, self.project))

    def resolve(self, reference: plugins.SecretRef) -> model.Secret:
        return model.Secret(reference.secret, self.secrets[reference.secret])

    def now(self) -> float:
        return asyncio.get_running_loop().time() + (LATER_S if self.over() else 0.0)

    def log(self, level: str, message: str) -> None:
        raise AssertionError(message)

    def job(self, subject: str = "Restart", **given: Any) -> model.Job:
        extra = {
            "organization": "Default", "job_args": {"limit": "web01", "extra_vars": {"service": "nginx"}}, "event_uuid": "u-1",
            "ansible_eda": {"ruleset": "web", "rule": "down", "event": {"alert": "Down"}}, **given.pop("extra", {}),
        }  # fmt: skip
        job = model.Job(
            token=TOKEN_OF_JOB, run_id=TOKEN_OF_JOB[:-2], action="run_job_template Restart", kind="job_template", subject=subject,
            parameters={}, targets=(model.Target("aap", f"Default/{subject}"),), deadline_s=300.0, revision_dir="/nowhere",
            work_dir=str(self.work / TOKEN_OF_JOB), extra=extra,
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard[stream] += piece

    def said(self) -> str:
        return self.heard["stderr"].decode()

    async def run(self, **given: Any) -> model.Outcome:
        return await self.controller.run(self.job(**given), self.hear)

    def launches(self) -> list[Any]:
        return list(self.fake.asked("POST", r".*/launch/"))


@pytest.fixture
async def aap_site(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A served fake with one template, and a controller."""
    fake = fake_aap.Fake()
    async with fake.serving():
        site = Site(fake, tmp_path)

        async def pause(seconds: float) -> None:
            site.pauses.append(seconds)
            site.paused()
            await asyncio.sleep(0)

        monkeypatch.setattr(_aap_api, "pause", pause)
        monkeypatch.setattr(_aap_attempt, "_now", site.now)
        fake.template("Restart", "limit", "variables", "labels")
        yield site


@pytest.fixture
async def http_one(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A served far side, and a controller that reaches it (`http_site.Site`); pauses are none, and kept in `pauses`."""
    async with http_site.Server().serving() as server:
        site = http_site.Site(server, tmp_path)
        site.pauses = []

        async def pause(seconds: float) -> None:
            site.pauses.append(seconds)
            await asyncio.sleep(0)

        monkeypatch.setattr(_http_door, "pause", pause)
        yield site


@pytest.fixture(params=["python", "shell"])
def far_sides(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A far side where jobs are begun by the worker, and one that lacks Python."""
    monkeypatch.setattr(_ssh_pool, "SHELLS_FIRST", 0)
    monkeypatch.setattr(_ssh_worker, "START_S", 60.0)
    if request.param == "shell":
        without = _ssh_far.PROBE.replace("command -v python3", "false")
        assert without != _ssh_far.PROBE
        monkeypatch.setattr(_ssh_far, "PROBE", without)
    return str(request.param)


@pytest.fixture
async def ssh_one(tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> AsyncIterator[Any]:
    """A served sshd, and a controller that reaches it; nothing may be left running or lying there."""
    site = ssh_site.Site(tmp_path)
    try:
        yield site
    finally:
        await site.close()
        await wait_for_async(lambda: not site.marked(), what="the end of what ran there")
        await wait_for_async(lambda: not site.workers(), what="the end of what waited for jobs")


@pytest.fixture
def work(ssh_one: Any, tmp_path: pathlib.Path) -> Any:
    """Scripts that wait on that sshd for a word of the test (`ssh_site.Work`)."""
    return ssh_site.Work(ssh_one, tmp_path)


@pytest.fixture
async def away(ssh_one: Any, wait_for_async: WaitAsync) -> AsyncIterator[Any]:
    """A machine that playbooks run on (`away_site.Site`); nothing may be left running there."""
    site = away_site.Site(ssh_one)
    yield site
    await wait_for_async(lambda: not site.marked(), what="the end of what ran there")


@pytest.fixture
async def cluster(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """A served fake with one deployment, a node, and a controller that reaches it (`kube_site.Site`)."""
    monkeypatch.setenv("HOME", str(tmp_path))  # where kubectl keeps what it learned of a cluster
    fake = fake_kube.Fake()
    async with fake.serving(tmp_path):
        site = kube_site.Site(fake, tmp_path, fake_kube.TOKEN)
        site.deployment()
        fake.put("Node", "n1")
        fake.put("Namespace", "shop")
        yield site
