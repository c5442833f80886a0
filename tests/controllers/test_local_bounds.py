"""The controller `local`: where its children start, as whom, and what they may take."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import pwd
import resource
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from healer import model, plugins
from healer.child import shim
from healer.controllers import _local_bounds, local

NOBODY = pwd.getpwnam("nobody")
ROOT = os.geteuid() == 0
TELL = """#!/bin/sh
printf '{"cwd": "%s", "uid": %s, "groups": "%s", "home": "%s", "stdin": %s, "nofile": "%s", "cpu": "%s", "as": "%s", "fsize": "%s"}\\n' \
  "$(pwd)" "$(id -u)" "$(id -G)" "$HOME" "$(cat)" "$(ulimit -n)" "$(ulimit -t)" "$(ulimit -v)" "$(ulimit -f)"
"""


class Site:
    """A revision that nobody but its owner can reach, and controllers."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.tmp_path = tmp_path
        self.revision = tmp_path / "private" / "revision"
        (self.revision / "scripts").mkdir(parents=True)
        self.revision.parent.chmod(0o700)
        self.script("tell.sh", TELL)
        self.count = 0

    def script(self, name: str, text: str, mode: int = 0o700) -> None:
        path = self.revision / "scripts" / name
        path.write_text(text)
        path.chmod(mode)

    def controller(self, **options: Any) -> local.Local:
        context = plugins.ControllerContext("here", lambda _: model.Secret("", ""), lambda *_: None, self.revision)
        return local.Local(local.LocalOptions(**options), context)

    def job(self, subject: str | tuple[str, ...] = "tell.sh", **given: Any) -> model.Job:
        self.count += 1
        return model.Job(
            token=f"b-{self.count}-1", run_id="r-1", action="a", kind="script" if isinstance(subject, str) else "command", subject=subject,
            parameters={"a": "b"}, targets=(), deadline_s=60.0, revision_dir=str(self.revision),
            work_dir=str(self.tmp_path / "private" / f"work-{self.count}"), **given,
        )  # fmt: skip

    async def told(self, subject: str | tuple[str, ...] = "tell.sh", **options: Any) -> Any:
        outcome = await self.controller(**options).run(self.job(subject), lambda *_: None)
        assert outcome.state == "succeeded", outcome
        return outcome.result


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[Site]:
    yield Site(tmp_path)
    (tmp_path / "private").chmod(0o755)


def test_what_is_no_folder_user_or_limit_is_refused(site: Site) -> None:
    for wrong in (
        {"cwd": "../up"}, {"cwd": "a/.."}, {"cwd": "a\nb"}, {"cwd": ""}, {"user": "-x"}, {"user": "a b"}, {"user": "nobody", "cwd": "data"},
        {"limits": {"memory": "1 KiB"}}, {"limits": {"open_files": 3}}, {"limits": {"cpu": "100 ms"}}, {"limits": {"nice": 3}},
    ):  # fmt: skip
        with pytest.raises(pydantic.ValidationError):
            site.controller(**wrong)
    assert site.controller(cwd="a..b/c").options.cwd == "a..b/c"


async def test_it_starts_in_the_folder_that_is_named(site: Site, tmp_path: pathlib.Path) -> None:
    (site.revision / "data").mkdir()
    assert (await site.told())["cwd"] == str(site.revision)
    assert (await site.told(cwd="data"))["cwd"] == str(site.revision / "data")
    assert (await site.told(cwd=str(tmp_path)))["cwd"] == str(tmp_path)


async def test_a_folder_that_is_not_there_is_named(site: Site) -> None:
    outcome = await site.controller(cwd="gone").run(site.job(), lambda *_: None)
    assert outcome.state == "failed"
    assert str(site.revision / "gone") in outcome.summary
    folder = site.revision / "gone"
    assert outcome.summary == f"it cannot be run: the folder that it starts in, {folder}: No such file or directory"
    outcome = await site.controller().run(site.job(("no-such-program",)), lambda *_: None)
    assert outcome.summary == "it cannot be run: no-such-program is not on the PATH"
    site.script("odd.sh", "#!/no/such/interpreter\n")
    outcome = await site.controller().run(site.job("odd.sh"), lambda *_: None)
    assert outcome.summary.endswith("scripts/odd.sh: No such file or directory, or that of its first line #!")


@pytest.mark.parametrize(("cwd", "said"), [
    ("gone", "there is no folder gone of the project"), ("/no/such", "there is no folder /no/such on this machine"),
    ("scripts/tell.sh", "scripts/tell.sh is no folder of the project"), ("scripts/tell.sh/x", "cannot be looked at: Not a directory"),
    ("x" * 300, "cannot be looked at: File name too long"),
])  # fmt: skip
async def test_a_folder_that_is_not_there_makes_it_unusable(site: Site, cwd: str, said: str) -> None:
    health = await site.controller(cwd=cwd).check()
    assert (health.ok, said in health.detail) == (False, True), health
    assert (await site.controller(cwd="scripts").check()).ok
    assert (await site.controller(cwd="/").check()).ok


async def test_a_folder_that_does_not_answer_holds_up_only_its_own_check(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(subject: str, work: object) -> None:
        raise plugins.Blind(f"an earlier look at {subject} has not come back")

    monkeypatch.setattr(plugins, "apart", hangs)
    health = await site.controller(cwd="/mnt/gone").check()
    assert (health.ok, health.detail) == (False, "an earlier look at /mnt/gone has not come back")
    assert (await site.controller().check()).ok


async def test_limits_hold_for_the_child_and_not_for_the_daemon(site: Site) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = await site.told(
        limits={"memory": "2 GiB", "cpu": "7 seconds", "open_files": 64, "file_size": "1 MiB", "processes": 5000}
    )
    assert (told["nofile"], told["cpu"], told["as"]) == ("64", "7", str(2 << 20))
    assert int(told["fsize"]) * 512 == 1 << 20
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
    assert (await site.told())["cpu"] == "unlimited"


async def test_a_limit_above_what_is_allowed_already_is_what_is_allowed(site: Site) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    told = await site.told(limits={"open_files": 10_000_000})
    assert int(told["nofile"]) == min(hard, 10_000_000)


async def test_who_takes_more_than_its_limit_fails(site: Site) -> None:
    site.script("big.sh", "#!/bin/sh\nexec head -c 5000000 /dev/zero > out.bin\n")
    outcome = await site.controller(limits={"file_size": "1 MiB"}).run(site.job("big.sh"), lambda *_: None)
    assert outcome.state == "failed"
    assert (site.revision / "out.bin").stat().st_size == 1 << 20


async def test_a_plan_says_as_whom_and_where(site: Site) -> None:
    (site.revision / "data").mkdir()
    plan = await site.controller(cwd="data").plan(site.job())
    assert plan.fails == ""
    assert f"as the daemon, in {site.revision}/data" in plan.steps
    command = await site.controller().plan(site.job(("true",)))
    assert not any("HEALER_PARAM" in step or " in /" in step for step in command.steps)


@pytest.mark.parametrize(("subject", "options", "says"), [
    (("no-such-program", "x"), {}, "no-such-program is not on the PATH"), (("/no/such/program",), {}, "/no/such/program: No such file or directory"),
    (("bin/none",), {}, "bin/none: No such file or directory"), (("scripts/plain.txt",), {}, "scripts/plain.txt: Permission denied"),
    (("plain.txt",), {"PATH": "scripts:/nowhere"}, "plain.txt: Permission denied"), (("tell.sh",), {"PATH": ""}, "tell.sh is not on the PATH"),
    (("/",), {}, "/: Permission denied"), ("lost.sh", {}, "/scripts/lost.sh: there is no /no/such/sh, which its first line #! names"),
    ("of.rb", {}, "/no/such/ruby: No such file or directory"), (("true",), {"cwd": "gone"}, "the folder that it starts in, "),
    (("a\0b",), {}, "an argument has a NUL"), ("env.sh", {}, "env.sh: env would look for nosuchinterp, which is not on the PATH"),
    ("split.sh", {}, "env would look for nosuchinterp, which"), ("spaced.sh", {}, "env would look for sh -e, which"),
    ("by-env.x", {}, "env would look for nosuchinterp, which"),
])  # fmt: skip
async def test_a_plan_knows_that_its_program_cannot_be_run(
    site: Site, subject: str | tuple[str, ...], options: dict[str, str], says: str
) -> None:
    site.script("plain.txt", "no program", 0o600)
    site.script("lost.sh", "#!/no/such/sh\n")
    site.script("of.rb", "#!/no/such/ruby\n", 0o600)
    site.script("env.sh", "#!/usr/bin/env nosuchinterp\n")
    site.script("split.sh", "#!/usr/bin/env -S nosuchinterp -x\n")
    site.script("spaced.sh", "#!/usr/bin/env sh -e\n")
    site.script("by-env.x", "#!/usr/bin/env nosuchinterp\n", 0o600)
    environment = {"PATH": options.pop("PATH")} if "PATH" in options else {}
    controller = site.controller(**options)
    plan = await controller.plan(site.job(subject, environment=environment))
    assert plan.fails.startswith("it cannot be run: ")
    assert says in plan.fails
    assert plan.steps, "what would run is told all the same"
    outcome = await controller.run(site.job(subject, environment=environment), lambda *_: None)
    assert outcome.state == "failed", "as it says"


@pytest.mark.parametrize(("subject", "path"), [
    (("true",), None), (("/bin/true",), None), (("scripts/tell.sh",), None), (("tell.sh",), "/nowhere:scripts"), ("tell.sh", None), ("of.py", None),
    (("scripts/tell.sh",), "/nowhere"), ("env.sh", None), ("split.sh", None), (("env", "A=b", "x"), None),
])  # fmt: skip
async def test_a_plan_of_what_can_be_run_says_nothing_else(
    site: Site, subject: str | tuple[str, ...], path: str | None
) -> None:
    site.script("of.py", "print()\n", 0o600)
    site.script("env.sh", "#!/usr/bin/env sh\n")
    site.script("split.sh", "#!/usr/bin/env -S sh -e\n")
    environment = {"PATH": path} if path else {}
    assert (await site.controller().plan(site.job(subject, environment=environment))).fails == ""


async def test_a_plan_does_not_wait_for_a_file_system_that_hangs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(subject: str, _work: Any) -> None:
        raise plugins.Blind(f"an earlier look at {subject} has not come back")

    monkeypatch.setattr(plugins, "apart", hangs)
    plan = await site.controller().plan(site.job(("true",)))
    assert plan.fails == f"it cannot be run: an earlier look at {site.revision} has not come back"


def test_the_daemon_s_own_user_is_no_other(site: Site) -> None:
    assert _local_bounds.account(pwd.getpwuid(os.geteuid()).pw_name) is None
    assert _local_bounds.account(None) is None


async def test_a_user_that_is_not_there_is_told_by_the_check_and_by_the_run(site: Site) -> None:
    controller = site.controller(user="nobody-at-all")
    health = await controller.check()
    assert (health.ok, "no user 'nobody-at-all'" in health.detail) == (False, True)
    outcome = await controller.run(site.job(), lambda *_: None)
    assert (outcome.state, "no user 'nobody-at-all'" in outcome.summary) == ("failed", True)


async def test_a_daemon_that_is_not_root_says_that_it_cannot(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    other = next(one for one in pwd.getpwall() if one.pw_uid not in (0, NOBODY.pw_uid))
    monkeypatch.setattr(os, "geteuid", lambda: other.pw_uid)
    health = await site.controller(user="nobody").check()
    assert not health.ok
    assert f"runs as {other.pw_name} and cannot become nobody" in health.detail


needs_root = pytest.mark.skipif(not ROOT, reason="only root can become another user")


@needs_root
async def test_another_user_runs_scripts_that_it_could_not_reach(site: Site) -> None:
    told = await site.told(user="nobody")
    assert (told["uid"], told["home"], told["stdin"]) == (NOBODY.pw_uid, NOBODY.pw_dir, {"a": "b"})
    assert told["cwd"] == (NOBODY.pw_dir if pathlib.Path(NOBODY.pw_dir).is_dir() else "/")
    assert set(told["groups"].split()) == {str(one) for one in os.getgrouplist("nobody", NOBODY.pw_gid)}
    assert (await site.controller(user="nobody").check()).detail.endswith(" as nobody")


@needs_root
async def test_another_user_runs_commands_and_scripts_by_their_suffix(site: Site) -> None:
    site.script("plain.sh", "id -u; cat", mode=0o600)
    assert (await site.told(("/bin/sh", "-c", 'printf \'{"uid": %s}\' "$(id -u)"'), user="nobody")) == {
        "uid": NOBODY.pw_uid
    }
    assert (await site.told("plain.sh", user="nobody")) == {"a": "b"}


@needs_root
async def test_another_user_cannot_read_what_is_the_daemon_s(site: Site) -> None:
    site.script(
        "look.sh", f"#!/bin/sh\ncat {site.revision}/scripts/look.sh; ls {site.tmp_path}/private; kill -9 $PPID; id -u\n"
    )
    heard: list[tuple[str, bytes]] = []
    outcome = await site.controller(user="nobody").run(site.job("look.sh"), lambda *piece: heard.append(piece))
    assert outcome.state == "succeeded"
    told = b"".join(piece for _, piece in heard)
    assert told.count(b"ermission denied") == 2
    assert b"not permitted" in told


@needs_root
async def test_another_user_s_processes_end_with_a_cancelled_run(site: Site, wait_for_async: Any) -> None:
    site.script("stay.sh", "#!/bin/sh\nsleep 1000 &\necho $! $$\nwait\n")
    heard: list[bytes] = []
    job = site.job("stay.sh")
    task = asyncio.create_task(site.controller(user="nobody").run(job, lambda _, piece: heard.append(piece)))
    await wait_for_async(lambda: b"".join(heard).endswith(b"\n"))
    pids = [int(word) for word in b"".join(heard).split()]
    assert {pathlib.Path(f"/proc/{pid}").stat().st_uid for pid in pids} == {NOBODY.pw_uid}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not {*pids} & {one.pid for one in shim.processes()}
    written = json.loads((pathlib.Path(job.work_dir) / "status").read_text())
    assert written["cancelled"]
