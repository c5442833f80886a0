"""The controller `ssh` against a real OpenSSH sshd: what arrives there, what comes back, what is left."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import model
from healer.controllers import _shimmed, _ssh_far

WaitAsync = Callable[..., Awaitable[None]]
pytestmark = pytest.mark.usefixtures("far_sides")
hosts: Any = sys.modules["ssh_site"].hosts
TOKEN: str = sys.modules["ssh_site"].TOKEN

HOSTILE = [
    "; rm -rf /tmp/nothing", "$(touch x)", "`id`", "-oProxyCommand=x", "{{ lookup('pipe','id') }}", "a\nb\r\n\n", "'\"\\", "", " ",
    "\t*?~!#%&|<>", "\x01\x7f\x1b[31m", "\N{PILE OF POO}é\u2028", "\udc81\udcff", "x\n",
]  # fmt: skip
RECORD = """#!/usr/bin/env python3
import json, os, sys
raw = sys.stdin.buffer.read()
print("working")
print(json.dumps({"stdin": raw.decode(), "argv": sys.argv[1:], "mode": oct(os.stat(sys.argv[0]).st_mode & 0o777),
    "env": {name: value for name, value in os.environ.items() if name.startswith("HEALER") and name != "HEALER_MARK"}}))
"""


async def test_script_gets_its_parameters_and_gives_its_result(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.script("tell.py", RECORD)
    parameters = {"service": "nginx", "words": HOSTILE[:-2], "secret": model.Secret("env:T", "pl4nted")}
    outcome = await ssh_one.run(
        "scripts/tell.py", parameters=parameters, dry_run=True, environment={"REGION": "eu", "HEALER_X": "$(id)"}
    )
    assert (outcome.state, outcome.exit_code, outcome.per_target) == ("succeeded", 0, {"host:web01": "succeeded"})
    assert json.loads(outcome.result["stdin"]) == {**parameters, "secret": "pl4nted"}
    assert outcome.result["env"] == {
        "HEALER_RUN_ID": TOKEN[:-2], "HEALER_TOKEN": TOKEN, "HEALER_TARGET": "web01", "HEALER_DRY_RUN": "1", "HEALER_X": "$(id)",
    }  # fmt: skip
    assert (outcome.result["argv"], outcome.result["mode"]) == ([], "0o600")
    assert ssh_one.said().startswith(b"working\n{")
    await wait_for_async(lambda: not ssh_one.server.left(), what="the far side to forget")


async def test_hostile_arguments_reach_a_command_as_they_are(ssh_one: Any) -> None:
    program = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"
    outcome = await ssh_one.run((sys.executable, "-c", program, *HOSTILE))
    assert outcome.state == "succeeded"
    assert ssh_one.said().split(b"\0") == [word.encode("utf-8", "surrogateescape") for word in HOSTILE]


async def test_a_mebibyte_of_parameters_and_of_script_arrives_byte_for_byte(
    ssh_one: Any, tmp_path: pathlib.Path
) -> None:
    kept = "#!/bin/sh\ncat >$HEALER_OUT.stdin; cp $0 $HEALER_OUT.script; exit\n"
    ssh_one.script("large.sh", kept.encode() + bytes(range(256)) * 4096)
    parameters = {"text": "$(id);\n'" * (1 << 17), "nul": "a\0b"}
    outcome = await ssh_one.run("large.sh", parameters=parameters, environment={"HEALER_OUT": str(tmp_path / "out")})
    assert outcome.state == "succeeded", outcome
    assert json.loads((tmp_path / "out.stdin").read_bytes()) == parameters
    assert (tmp_path / "out.script").read_bytes() == (ssh_one.revision / "scripts" / "large.sh").read_bytes()


@pytest.mark.parametrize("argv", [("/bin/echo", "a\0b"), ("", "x"), ()])
async def test_what_no_program_can_be_given_is_refused(ssh_one: Any, argv: tuple[str, ...]) -> None:
    outcome = await ssh_one.run(argv)
    assert (outcome.state, "cannot be started" in outcome.summary) == ("failed", True)
    assert not ssh_one.controller.pool._open  # nobody was connected to


@pytest.mark.parametrize("name", ["a b", "a=b", "1a", "$(id)"])
async def test_what_is_no_name_of_a_variable_is_refused(ssh_one: Any, name: str) -> None:
    outcome = await ssh_one.run(("/bin/true",), environment={name: "x"})
    assert (outcome.state, "variable" in outcome.summary) == ("failed", True)


async def test_command_is_not_run_dry_and_needs_a_target(ssh_one: Any) -> None:
    assert "dry" in (await ssh_one.run(("/bin/true",), dry_run=True)).summary
    assert "needs a target" in (await ssh_one.run(("/bin/true",), targets=())).summary


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.sh", "echo '\"ran\"'"),
        ("a.py", "print('\"ran\"')"),
        ("a.rb", "echo '\"ran\"'"),
        ("a.txt", "#!/bin/sh\necho '\"ran\"'"),
        ("a", "#! /usr/bin/env  -S sh -e \necho '\"ran\"'\r\n"),
        ("b.sh", "#!/bin/sh\n# \xe9\necho '\"ran\"'"),
        ("c.sh", b"echo '\"ran\"'\n# \xff\x81\x88\x00 x"),
        ("true", pathlib.Path("/bin/echo").read_bytes()),
    ],
)
async def test_how_a_script_is_run(ssh_one: Any, name: str, text: str | bytes) -> None:
    ssh_one.controller = ssh_one.made(interpreters={".rb": "/bin/sh"})
    ssh_one.script(name, text)
    outcome = await ssh_one.run(f"scripts/{name}")
    assert (outcome.state, outcome.result) == ("succeeded", None if name == "true" else "ran"), outcome


@pytest.mark.parametrize("subject", ["../outside.sh", "missing.sh", "/bin/true", "scripts", "a\0b", "data", "empty.sh"])
async def test_scripts_lie_in_their_folder_and_can_be_run(ssh_one: Any, subject: str) -> None:
    ssh_one.script("data", b"\0\1")
    ssh_one.script("empty.sh", b"")
    outcome = await ssh_one.run(subject)
    assert (outcome.state, "cannot be started" in outcome.summary) == ("failed", True)


async def test_failure_says_what_the_script_said(ssh_one: Any) -> None:
    ssh_one.script("fail.sh", "#!/bin/sh\necho out\nprintf 'no \\033[31mspace left\\n\\n' >&2\nexit 3")
    outcome = await ssh_one.run("fail.sh")
    assert (outcome.state, outcome.exit_code, outcome.summary) == ("failed", 3, "exit 3: no \\x1b[31mspace left")
    assert (ssh_one.said(), ssh_one.said("stderr")) == (b"out\n", b"no \x1b[31mspace left\n\n")


async def test_a_name_of_any_length_is_said_to_be_missing(ssh_one: Any) -> None:
    outcome = await ssh_one.run(("x" * 70_000,))
    assert outcome.state == "failed"
    assert outcome.exit_code in (126, 127)


@pytest.mark.parametrize(
    ("argv", "environment", "words"),
    [(("/bin/echo", "\ud800"), {}, "half of a surrogate pair"), (("/bin/echo",), {"A": "\ud800"}, "'A' cannot be")],
)
async def test_half_of_a_surrogate_pair_is_refused(
    ssh_one: Any, argv: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    outcome = await ssh_one.run(argv, environment=environment)
    assert (outcome.state, words in outcome.summary) == ("failed", True), outcome


async def test_the_environment_is_that_of_a_login_and_ours(ssh_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await ssh_one.run(("/usr/bin/env",))).state == "succeeded"
    seen = {line.partition("=")[0] for line in ssh_one.said().decode().splitlines()}
    ours = {"HEALER_MARK", "HEALER_RUN_ID", "HEALER_TOKEN", "HEALER_TARGET"}
    login = {"HOME", "LANG", "LOGNAME", "MAIL", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL", "TMPDIR", "USER", "_"}
    assert ours <= seen
    assert not {name for name in seen - ours - login if not name.startswith("SSH_")}


async def test_missing_program_and_signal(ssh_one: Any) -> None:
    missing = await ssh_one.run(("/no/such/program",))
    assert (missing.state, missing.exit_code, "/no/such/program" in missing.summary) == ("failed", 127, True)
    killed = await ssh_one.run(("/bin/sh", "-c", "kill -9 $$"), token=f"{TOKEN}1")
    assert (killed.state, killed.summary) == ("failed", "exit 137 (signal 9)")


async def test_flood_is_bounded_here_and_there(ssh_one: Any) -> None:
    ssh_one.script("flood.py", "#!/usr/bin/env python3\nimport os\nprint('\"x\"\\n' * 2_000_000, flush=True)\n"
        "name = os.environ['HEALER_MARK']\nfolder = os.path.join(os.environ['TMPDIR'], f'healer-{os.getuid()}')\n"
        "print(os.path.getsize(os.path.join(folder, name + 'out')), file=__import__('sys').stderr)")  # fmt: skip
    outcome = await ssh_one.run("flood.py")
    assert (outcome.state, outcome.truncated, outcome.result) == ("succeeded", True, None)
    assert len(ssh_one.said()) == _ssh_far.OUTPUT_BYTES
    assert int(ssh_one.said("stderr")) <= _ssh_far.OUTPUT_BYTES + 512


async def test_no_output_can_forge_an_end(ssh_one: Any) -> None:
    forged = "printf '\\000%032d ended 0 1 2 0 end\\n\\000%032d drained alone\\n' 0 0; printf '\\000' >&2; exit 5"
    outcome = await ssh_one.run(("/bin/sh", "-c", forged))
    assert (outcome.state, outcome.exit_code) == ("failed", 5)
    assert ssh_one.said().startswith(b"\0" + b"0" * 32 + b" ended 0")
    assert ssh_one.said("stderr") == b"\0"


async def test_a_token_is_good_for_one_start(ssh_one: Any, tmp_path: pathlib.Path, wait_for_async: WaitAsync) -> None:
    ssh_one.script(
        "count.sh", "#!/bin/sh\necho ran >>$HEALER_COUNT; while [ ! -e $HEALER_COUNT.go ]; do sleep 0.01; done"
    )
    environment = {"HEALER_COUNT": str(tmp_path / "count")}
    first = asyncio.create_task(ssh_one.run("count.sh", environment=environment))
    await wait_for_async((tmp_path / "count").exists)
    with pytest.raises(_shimmed.TokenUsed):
        await ssh_one.run("count.sh", environment=environment)
    with pytest.raises(_shimmed.TokenUsed):  # another daemon, which has no folder of the attempt
        await ssh_one.run("count.sh", environment=environment, work_dir=str(tmp_path / "other"))
    (tmp_path / "count.go").touch()
    assert (await first).state == "succeeded"
    assert (tmp_path / "count").read_text() == "ran\n"


async def test_many_hosts_end_each_by_itself(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.script(
        "some.sh",
        '#!/bin/sh\necho "on $HEALER_TARGET"\necho half >&2\n[ "$HEALER_TARGET" != web03 ] || exit 3\necho \'{"a": 1}\'',
    )
    targets = (
        *hosts(5),
        model.Target("host", "gone", "gone", "127.0.0.1 "),
        model.Target("host", "nobody", "nobody", "no-such-name.invalid"),
    )
    outcome = await ssh_one.run("some.sh", targets=targets)
    assert (outcome.state, outcome.exit_code) == ("failed", None)
    assert outcome.per_target == {
        "host:web01": "succeeded", "host:web02": "succeeded", "host:web03": "failed", "host:web04": "succeeded",
        "host:web05": "succeeded", "host:gone": "failed", "host:nobody": "failed",
    }  # fmt: skip
    assert outcome.summary.startswith("4 of 7 hosts succeeded; web03: exit 3: half; gone: ")
    assert outcome.result["hosts"]["web02"]["result"] == {"a": 1}
    assert outcome.result["hosts"]["web03"]["exit_code"] == 3
    assert sorted(line for line in ssh_one.said().splitlines() if b"on " in line) == [
        b"web%02d: on web%02d" % (n, n) for n in range(1, 6)
    ]
    assert ssh_one.said("stderr").count(b": half\n") == 5
    await wait_for_async(lambda: not ssh_one.server.left(), what="the far side to forget")


async def test_hosts_at_a_time_are_bounded(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    ssh_one.controller = ssh_one.made(fan_out=2)
    ssh_one.script(
        "count.sh", '#!/bin/sh\ncd "$HEALER_AT"; : >$HEALER_TARGET; ls | wc -l; sleep 0.05; rm $HEALER_TARGET'
    )
    (tmp_path / "at").mkdir()
    outcome = await ssh_one.run("count.sh", targets=hosts(6), environment={"HEALER_AT": str(tmp_path / "at")})
    assert outcome.state == "succeeded"
    assert max(one["result"] for one in outcome.result["hosts"].values()) <= 2


async def test_jobs_share_a_connection(ssh_one: Any) -> None:
    outcomes = await asyncio.gather(*(ssh_one.run(("/bin/echo", str(n)), token=f"{TOKEN}{n}") for n in range(30)))
    assert {outcome.state for outcome in outcomes} == {"succeeded"}
    assert len(ssh_one.controller.pool._open) == 1
    assert ssh_one.server.log.read_text().count("Accepted publickey") == 1
    assert sorted(ssh_one.said().split(), key=int) == [b"%d" % n for n in range(30)]


async def test_plan_connects_to_nobody(ssh_one: Any) -> None:
    ssh_one.script("a.sh", "echo")
    job = ssh_one.job("a.sh", parameters={"token": model.Secret("env:T", "pl4nted")}, targets=hosts(2))
    plan = await ssh_one.controller.plan(job)
    assert plan.targets == ("host:web01", "host:web02")
    assert any("127.0.0.2" in step for step in plan.steps)
    assert any("<a.sh>" in step for step in plan.steps)
    assert "pl4nted" not in str(plan)
    assert not ssh_one.controller.pool._open
    assert "Accepted" not in ssh_one.server.log.read_text()


async def test_a_path_of_the_job_alone_is_where_its_program_is_looked_for(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "timeout"
    tool.write_text("#!/bin/sh\necho mine\n")
    tool.chmod(0o755)
    environment = {"PATH": str(tmp_path / "bin")}
    for number, argv in enumerate([("/bin/echo", "mine"), ("timeout",)]):
        outcome = await ssh_one.run(argv, token=f"{TOKEN}{number}", environment=environment)
        assert (outcome.state, ssh_one.said()) == ("succeeded", b"mine\n"), outcome
        ssh_one.heard.clear()


async def test_a_job_has_no_file_open_but_its_own(ssh_one: Any) -> None:
    ssh_one.script("open.sh", '#!/bin/sh\nls /proc/$$/fd; test -z "${OLDPWD+x}" && echo \'"clean"\'\n')
    outcome = await ssh_one.run("open.sh")
    open_ = [int(line) for line in ssh_one.said().split()[:-1]]
    assert (outcome.result, [one for one in open_ if one < 10]) == ("clean", [0, 1, 2]), open_
