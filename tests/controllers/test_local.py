"""The controller `local` with real scripts and commands."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _shimmed, local
from tests import processes

WaitAsync = Callable[..., Awaitable[None]]

TELL = """#!/usr/bin/env python3
import json, os, sys
print("working")
print(json.dumps({"stdin": json.load(sys.stdin), "argv": sys.argv[1:], "cwd": os.getcwd(),
    "env": {name: value for name, value in os.environ.items() if name.startswith("HEALER")}}))
"""


class Site:
    """A revision with scripts, and a controller."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.revision = tmp_path / "revision"
        self.work = tmp_path / "work"
        (self.revision / "scripts").mkdir(parents=True)
        self.controller = local.Local(local.LocalOptions(), plugins.ControllerContext("here", _no_secret, _no_log))
        self.heard: list[tuple[str, bytes]] = []

    def script(self, name: str, text: str, mode: int = 0o755) -> None:
        path = self.revision / "scripts" / name
        path.write_text(text)
        path.chmod(mode)

    def job(self, subject: str | tuple[str, ...], **given: Any) -> model.Job:
        job = model.Job(
            token="r-1-1", run_id="r-1", action="a", kind="script" if isinstance(subject, str) else "command",
            subject=subject, parameters={}, targets=(), deadline_s=60.0, revision_dir=str(self.revision),
            work_dir=str(self.work / "r-1-1"),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    async def run(self, subject: str | tuple[str, ...], **given: Any) -> model.Outcome:
        return await self.controller.run(self.job(subject, **given), self.hear)

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard.append((stream, piece))

    def stdout(self) -> bytes:
        return b"".join(piece for stream, piece in self.heard if stream == "stdout")


def _no_secret(_reference: plugins.SecretRef) -> model.Secret:
    raise AssertionError


def _no_log(_level: str, _message: str) -> None:
    raise AssertionError


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


WEB = model.Target("host", "web01.example.org", "web01")
DB = model.Target("host", "db01")


async def test_script_gets_its_parameters_and_gives_its_result(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALER_KEYS", "of the daemon")
    site.script("tell.py", TELL)
    parameters = {"service": "nginx", "wait_s": 3, "list": ["a", 1], "none": None}
    outcome = await site.run("scripts/tell.py", parameters=parameters, targets=(WEB, DB))
    assert (outcome.state, outcome.exit_code) == ("succeeded", 0)
    assert outcome.result == {
        "stdin": parameters,
        "argv": [],
        "cwd": str(site.revision),
        "env": {
            "HEALER_RUN_ID": "r-1",
            "HEALER_TOKEN": "r-1-1",
            "HEALER_TARGET": "web01,db01",
            "HEALER_TARGETS_JSON": '["web01", "db01"]',
            "HEALER_PARAM_SERVICE": "nginx",
            "HEALER_PARAM_WAIT_S": "3",
            "HEALER_PARAM_LIST": '["a", 1]',
            "HEALER_PARAM_NONE": "null",
        },
    }
    assert outcome.per_target == {"host:web01.example.org": "succeeded", "host:db01": "succeeded"}
    assert site.stdout().startswith(b"working\n{")


async def test_environment_is_allowed_by_list(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_DAEMON", "x")
    monkeypatch.setenv("TZ", "Europe/Vienna")
    await site.run(("/usr/bin/env",), environment={"REGION": "eu"}, dry_run=False)
    names = {line.partition("=")[0] for line in site.stdout().decode().splitlines()}
    assert names - {"LANG", "LC_ALL", "HOME"} == {
        "PATH", "TZ", "REGION", "HEALER_RUN_ID", "HEALER_TOKEN", "PYTHONDONTWRITEBYTECODE"
    }  # fmt: skip


async def test_dry_run_is_told_to_a_script_and_refused_for_a_command(site: Site) -> None:
    site.script("tell.py", TELL)
    assert (await site.run("tell.py", dry_run=True)).result["env"]["HEALER_DRY_RUN"] == "1"
    refused = await site.run(("/bin/true",), dry_run=True, work_dir=str(site.work / "2"))
    assert (refused.state, "dry" in refused.summary) == ("failed", True)


HOSTILE = ["$(touch x)", "`id`", "; id #", "-oProxyCommand=id", "a\nb\r\n", "'\"\\", "", "{{ 7*7 }}", "\N{PILE OF POO}"]


async def test_hostile_arguments_reach_a_command_as_they_are(site: Site) -> None:
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    assert (await site.run((sys.executable, "-c", program, *HOSTILE))).result == HOSTILE


async def test_hostile_parameters_reach_a_script_as_they_are(site: Site) -> None:
    site.script("tell.py", TELL)
    outcome = await site.run(
        "tell.py", parameters={"words": HOSTILE, **{f"p{n}": word for n, word in enumerate(HOSTILE)}}
    )
    assert outcome.result["stdin"]["words"] == HOSTILE
    assert [outcome.result["env"][f"HEALER_PARAM_P{n}"] for n in range(len(HOSTILE))] == HOSTILE


@pytest.mark.parametrize(
    ("name", "text", "mode"),
    [
        ("a.sh", "echo '\"ran\"'", 0o644),
        ("a.py", "print('\"ran\"')", 0o644),
        ("a.txt", "#!/bin/sh\necho '\"ran\"'", 0o644),
        ("a", "#! /usr/bin/env  -S sh -e \necho '\"ran\"'", 0o755),
        ("b.sh", "echo '\"ran\"'", 0o755),
    ],
)
async def test_how_a_script_is_run(site: Site, name: str, text: str, mode: int) -> None:
    site.script(name, text, mode)
    outcome = await site.run(f"scripts/{name}")
    assert (outcome.state, outcome.result) == ("succeeded", "ran")


@pytest.mark.parametrize(
    "subject", ["../outside.sh", "scripts/../../outside.sh", "link.sh", "missing.sh", "/bin/true", "scripts", "a\0b"]
)
async def test_scripts_lie_in_their_folder(site: Site, subject: str) -> None:
    (site.revision.parent / "outside.sh").write_text("#!/bin/sh\ntouch effect")
    (site.revision / "scripts" / "link.sh").symlink_to(site.revision.parent / "outside.sh")
    outcome = await site.run(subject)
    assert outcome.state == "failed"
    assert "cannot be started" in outcome.summary
    assert not (site.revision / "effect").exists()


async def test_what_nothing_can_run_is_said(site: Site) -> None:
    site.script("data", "\x00\x01")
    assert "first line" in (await site.run("data")).summary


@pytest.mark.parametrize("subject", [(), ("",), "text"])
def test_command_is_an_argument_list(site: Site, subject: Any) -> None:
    with pytest.raises(_shimmed.RefusedJob):
        local.argv_of(site.job(subject, kind="command"))


async def test_failure_says_what_the_script_said(site: Site) -> None:
    site.script("fail.sh", "#!/bin/sh\necho out\nprintf 'no \\033[31mspace left\\n\\n' >&2\nexit 3")
    outcome = await site.run("fail.sh")
    assert (outcome.state, outcome.exit_code, outcome.summary) == ("failed", 3, "exit 3: no \\x1b[31mspace left")


async def test_deadline(site: Site) -> None:
    site.script("slow.sh", "#!/bin/sh\nexec sleep 60")
    outcome = await site.run("slow.sh", deadline_s=0.3)
    assert (outcome.state, outcome.exit_code) == ("timed_out", None)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1]\\n\\n", [1]),
        ("not json", None),
        ('{"a": NaN}', None),
        ('{"a": 1e999}', None),
        ("[" * 200 + "]" * 200, None),
        ("123456789012345678901", None),
        ('"\\\\ud800"', None),
        ('"\\\\u0000"', None),
    ],
)
async def test_result_is_the_last_line_where_it_is_sound_json(site: Site, line: str, result: Any) -> None:
    site.script("say.sh", f"#!/bin/sh\necho first\nprintf '{line}\\n'")
    assert (await site.run("say.sh")).result == result


async def test_cut_output_has_no_result(site: Site) -> None:
    site.script("flood.py", "#!/usr/bin/env python3\nprint('\"x\"\\n' * 400_000)")
    outcome = await site.run("flood.py")
    assert (outcome.state, outcome.truncated, outcome.result) == ("succeeded", True, None)


async def test_secret_is_seen_by_the_child_alone(site: Site, wait_for_async: WaitAsync) -> None:
    site.script("use.py", "#!/usr/bin/env python3\nimport json, os, sys, time\ngiven = json.load(sys.stdin)\n"
        "print(len(given['nested']['token']), len(os.environ['HEALER_PARAM_TOKEN']), flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n")  # fmt: skip
    secret = model.Secret("env:T", "pl4nted-0f-it5")
    running = asyncio.ensure_future(site.run("use.py", parameters={"token": secret, "nested": {"token": secret}}))
    await wait_for_async(lambda: site.heard)
    shown = processes.with_words(b"pl4nted-0f-it5")
    (site.revision / "go").touch()
    outcome = await running
    assert outcome.state == "succeeded", outcome
    assert site.stdout() == b"14 14\n"
    assert shown == []
    assert [path for path in site.work.rglob("*") if path.is_file() and b"pl4nted" in path.read_bytes()] == []


async def test_plan_shows_no_secret_and_runs_nothing(site: Site) -> None:
    site.script("touch.sh", "#!/bin/sh\ntouch effect")
    job = site.job("touch.sh", parameters={"token": model.Secret("env:T", "pl4nted")}, targets=(WEB,))
    plan = await site.controller.plan(job)
    assert plan.targets == ("host:web01.example.org",)
    assert plan.steps[0] == str(site.revision / "scripts/touch.sh")
    assert "HEALER_PARAM_TOKEN" in plan.steps[1]
    assert "Secret('env:T')" in plan.steps[2]
    assert "pl4nted" not in str(plan)
    assert not (site.revision / "effect").exists()
    assert not site.work.exists()


async def test_token_is_good_for_one_attempt(site: Site) -> None:
    assert (await site.run(("/bin/true",))).state == "succeeded"
    with pytest.raises(_shimmed.TokenUsed):
        await site.run(("/bin/true",))


async def test_cancelling_the_task_ends_the_child(site: Site, wait_for_async: WaitAsync) -> None:
    site.script("slow.sh", "#!/bin/sh\necho $$\nexec sleep 120")
    job = site.job("slow.sh")
    running = asyncio.ensure_future(site.controller.run(job, site.hear))
    await wait_for_async(lambda: site.heard)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    found = await site.controller.find(job)
    assert found.outcome
    assert (found.state, found.outcome.state) == ("ended", "cancelled")
    with pytest.raises(ProcessLookupError):
        os.kill(int(site.stdout()), 0)


DAEMON = """
import asyncio, pickle, sys
from healer import plugins
from healer.controllers import local
job = pickle.load(sys.stdin.buffer)
controller = local.Local(local.LocalOptions(), plugins.ControllerContext("here", None, None))
asyncio.run(controller.run(job, lambda stream, piece: None))
"""


async def test_child_outlives_the_daemon(site: Site, wait_for_async: WaitAsync) -> None:
    """kill -9 while it runs: the next daemon finds it running, follows it, and it ends succeeded."""
    import pickle

    site.script("work.sh", "#!/bin/sh\necho begun\nuntil [ -e go ]; do sleep 0.05; done\necho '{\"done\": true}'")
    job = site.job("work.sh", targets=(WEB,))
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON], stdin=subprocess.PIPE, start_new_session=True)
    assert daemon.stdin
    with daemon.stdin:
        daemon.stdin.write(pickle.dumps(job))
    stdout = pathlib.Path(job.work_dir) / "stdout"
    await wait_for_async(lambda: stdout.exists() and stdout.read_bytes())
    os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait(60)
    assert (await site.controller.find(job)).state == "running"
    following = asyncio.ensure_future(site.controller.follow(job, site.hear))
    (site.revision / "go").touch()
    outcome = await following
    assert (outcome.state, outcome.result) == ("succeeded", {"done": True})
    assert site.stdout() == b'begun\n{"done": true}\n'
    assert (await site.controller.find(job)) == model.Found("ended", outcome)


async def test_what_was_never_started_is_absent_for_ever(site: Site) -> None:
    job = site.job(("/bin/true",))
    assert (await site.controller.find(job)).state == "absent"
    with pytest.raises(_shimmed.TokenUsed):
        await site.controller.run(job, site.hear)


async def test_a_pause_keeps_from_starting_what_has_not(site: Site) -> None:
    job = site.job(("/bin/sh", "-c", f"echo x >> {site.work}/effect"))
    assert await site.controller.withhold(job)
    assert await site.controller.withhold(job)
    with pytest.raises(_shimmed.TokenUsed):
        await site.controller.run(job, site.hear)
    assert not (site.work / "effect").exists()
    assert (await site.controller.find(job)).state == "absent"


async def test_a_pause_leaves_alone_what_runs_and_what_has_ended(site: Site, wait_for_async: WaitAsync) -> None:
    site.script("work.sh", "#!/bin/sh\necho begun\nuntil [ -e go ]; do sleep 0.05; done")
    job = site.job("work.sh")
    running = asyncio.ensure_future(site.controller.run(job, site.hear))
    await wait_for_async(lambda: site.heard)
    assert not await site.controller.withhold(job)
    (site.revision / "go").touch()
    assert (await running).state == "succeeded"
    assert not await site.controller.withhold(job)


async def test_lost_shim_is_unknown(site: Site, wait_for_async: WaitAsync) -> None:
    site.script("slow.sh", "#!/bin/sh\necho $$\nexec sleep 120")
    job = site.job("slow.sh")
    running = asyncio.ensure_future(site.controller.run(job, site.hear))
    await wait_for_async(lambda: site.heard)
    claim = json.loads((pathlib.Path(job.work_dir) / "started").read_text())
    os.kill(claim["pid"], signal.SIGKILL)
    child = int(site.stdout())
    try:
        await wait_for_async(lambda: jobs.look(pathlib.Path(job.work_dir)) == "unknown")
        assert (await site.controller.find(job)).state == "running"
        os.kill(child, 0)  # nothing is killed by looking
    finally:
        os.kill(child, signal.SIGKILL)
    assert (await running).state == "unknown"
    assert (await site.controller.find(job)).state == "unknown"


def test_parameters_that_do_not_fit_stay_out_of_the_environment() -> None:
    made = local.parameter_variables(
        {"big": "x" * 40_000, "nul": "a\0b", "a-b": "x", "Name": "1", "name": "2", "NAME": "3", "ok": True}
    )
    assert made == {"HEALER_PARAM_OK": "true"}
    many = local.parameter_variables({f"p{n:02}": "x" * 30_000 for n in range(40)})
    assert sum(map(len, many.values())) <= local.VALUES_BYTES_MAX


def test_too_many_targets_are_refused_not_cut(site: Site) -> None:
    targets = tuple(model.Target("host", f"host-{n:060}") for n in range(3000))
    with pytest.raises(_shimmed.RefusedJob, match="3000 targets"):
        local.target_variables(site.job("x", targets=targets))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@hypothesis.given(JSON)
def test_sound_json_is_what_every_store_takes(value: Any) -> None:
    import orjson

    found = _shimmed.sound_json(json.dumps(value).encode())
    if found is not None:
        assert orjson.loads(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS)) == found == value


async def test_check(site: Site) -> None:
    assert (await site.controller.check()).ok
