"""The controller `ssh`: who lets whom in, which machines are known, and the words for what goes wrong. With real servers."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
import pytest

from healer import errors, model, plugins, project
from healer.controllers import _ssh_door, _ssh_pool, ssh

WaitAsync = Callable[..., Awaitable[None]]
site_module: Any = sys.modules["ssh_site"]
keypair, hosts = site_module.keypair, site_module.hosts
TRUE = ("/bin/true",)


async def test_what_was_never_begun_for_want_of_the_network_may_be_tried_again(ssh_one: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # a port that nobody listens at, nor can
        ssh_one.controller = ssh_one.made(port=held.getsockname()[1])
        with pytest.raises(model.NotBegunError, match=r"refuses connections: is sshd running there"):
            await ssh_one.run(TRUE)
        found = await ssh_one.controller.find(ssh_one.job(TRUE))
    assert (found.state, "refuses connections" in found.detail) == ("unknown", True)


async def test_wrong_key_is_refused_with_words(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    ssh_one.secrets["file:id"] = keypair(tmp_path / "stranger").read_text()
    outcome = await ssh_one.run(TRUE)
    assert (outcome.state, outcome.exit_code) == ("failed", None)
    assert "refuses the user" in outcome.summary
    assert "file:id" in outcome.summary
    assert "PRIVATE" not in outcome.summary


async def test_another_key_of_a_host_is_never_taken(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    other = keypair(tmp_path / "other").with_suffix(".pub").read_text()
    ssh_one.know(f"[127.0.0.1]:{ssh_one.server.port} {other}")
    outcome = await ssh_one.run(TRUE)
    assert (outcome.state, "another key than the one in" in outcome.summary) == ("failed", True)
    assert outcome.lost, "its address may be another machine's by now"
    assert "Accepted" not in ssh_one.server.log.read_text()


@pytest.mark.parametrize("lines", ["", "# nothing\n", "unrelated ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5y\n"])
async def test_unknown_host_is_never_taken(ssh_one: Any, lines: str) -> None:
    ssh_one.know(lines)
    outcome = await ssh_one.run(TRUE)
    assert (outcome.state, "is not in" in outcome.summary, "ssh-keyscan" in outcome.summary) == ("failed", True, True)
    assert "Accepted" not in ssh_one.server.log.read_text()


@pytest.mark.parametrize(
    "line",
    ["UserKnownHostsFile none", "UserKnownHostsFile /dev/null\nStrictHostKeyChecking no", "GlobalKnownHostsFile none"],
)
async def test_no_line_of_a_configuration_file_turns_that_off(ssh_one: Any, line: str) -> None:
    (ssh_one.folder / "config").write_text(f"Host *\n  {line}\n")
    ssh_one.know("")
    ssh_one.controller = ssh_one.made(config="config")
    outcome = await ssh_one.run(TRUE)
    assert (outcome.state, "is not in" in outcome.summary) == ("failed", True)


async def test_without_a_file_of_known_hosts_nobody_is_connected_to(
    ssh_one: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ssh_one.folder / "known_hosts").unlink()
    outcome = await ssh_one.run(TRUE)
    assert (outcome.state, "there is no file known_hosts" in outcome.summary) == ("failed", True)
    plan = await ssh_one.controller.plan(ssh_one.job(TRUE))
    assert plan.fails == outcome.summary
    monkeypatch.setattr(_ssh_door, "USERS_OWN", (str(tmp_path / "own"),))
    ssh_one.controller = ssh_one.made(known_hosts=None)
    assert not (await ssh_one.controller.check()).ok
    (tmp_path / "own").write_text(ssh_one.server.known())
    assert (await ssh_one.controller.check()).ok
    assert (await ssh_one.run(TRUE, token=f"{site_module.TOKEN}1")).state == "succeeded"


async def test_known_hosts_are_read_anew(ssh_one: Any) -> None:
    ssh_one.know("")
    assert (await ssh_one.run(TRUE)).state == "failed"
    ssh_one.know(ssh_one.server.known())
    assert (await ssh_one.run(TRUE, token=f"{site_module.TOKEN}1")).state == "succeeded"


async def test_key_with_a_passphrase_and_a_certificate(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    authority = keypair(tmp_path / "authority")
    server = ssh_one.serve("certified", f"TrustedUserCAKeys {authority}.pub")
    (server.folder / "authorized").write_text("")
    ssh_one.know(server.known())
    key = keypair(tmp_path / "own", "-N", "open sesame")
    user = ssh_one.controller.options.user
    subprocess.run(
        [site_module.KEYGEN, "-q", "-s", str(authority), "-I", "own", "-n", user, f"{key}.pub"], check=True
    )  # makes own-cert.pub
    ssh_one.secrets |= {"file:own": key.read_text(), "env:PHRASE": "open sesame", "env:WRONG": "x"}
    given = {"port": server.port, "key": {"secret": "file:own"}, "certificate": "own-cert.pub"}
    ssh_one.controller = ssh_one.made(**given, key_passphrase={"secret": "env:PHRASE"})
    assert (await ssh_one.run(TRUE)).state == "succeeded"
    for wrong, said in (
        ({"key_passphrase": {"secret": "env:WRONG"}}, "the key (file:own)"),
        ({}, "the key (file:own)"),
    ):
        health = await ssh_one.made(**given, **wrong).check()
        assert (health.ok, said in health.detail) == (False, True)


async def test_agent(ssh_one: Any, wait_for_async: WaitAsync, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh_one.controller = ssh_one.made(key=None, agent=True)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "SSH_AUTH_SOCK" in (await ssh_one.controller.check()).detail
    socket = f"/tmp/healer-agent-{os.getpid()}"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        await wait_for_async(lambda: pathlib.Path(socket).exists())
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        subprocess.run(["ssh-add", "-q", str(ssh_one.key)], check=True)
        assert (await ssh_one.run(TRUE)).state == "succeeded"
    finally:
        agent.kill()
        agent.wait()
        pathlib.Path(socket).unlink(missing_ok=True)


async def test_jump_host(ssh_one: Any) -> None:
    bastion = ssh_one.serve("bastion")
    ssh_one.know(ssh_one.server.known(), bastion.known("127.0.0.9"))
    user = ssh_one.controller.options.user
    ssh_one.controller = ssh_one.made(jump=f"{user}@127.0.0.9:{bastion.port}")
    assert (await ssh_one.controller.check()).ok
    outcome = await ssh_one.run(("/bin/sh", "-c", "echo ${SSH_CONNECTION%% *}"), targets=hosts(3))
    assert outcome.state == "succeeded", outcome
    assert bastion.log.read_text().count("Accepted publickey") == 1
    assert ssh_one.server.log.read_text().count("Accepted publickey") == 3
    ssh_one.know(ssh_one.server.known("127.0.0.1"))
    blind = ssh_one.made(jump=[f"{user}@127.0.0.9:{bastion.port}"])
    health = await blind.check()
    assert (health.ok, f"{user}@127.0.0.9:{bastion.port} is not in" in health.detail) == (False, True)


async def test_configuration_file(ssh_one: Any) -> None:
    bastion = ssh_one.serve("bastion")
    ssh_one.know(ssh_one.server.known(), bastion.known())
    user = ssh_one.controller.options.user
    text = f"Host web\n  HostName 127.0.0.2\n  Port {ssh_one.server.port}\n  User {user}\n  ProxyJump {user}@127.0.0.3:{bastion.port}\n"
    (ssh_one.folder / "config").write_text(text)
    ssh_one.controller = ssh_one.made(config="config", port=None, user=None)
    assert (await ssh_one.run(TRUE, targets=(model.Target("host", "web", "web", "web"),))).state == "succeeded"
    assert bastion.log.read_text().count("Accepted publickey") == 1


async def test_connections_are_closed_when_nobody_uses_them(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    ssh_one.controller = ssh_one.made(idle="1s", connections=2)
    assert (await ssh_one.run(TRUE, targets=hosts(6))).state == "succeeded"
    pool = ssh_one.controller.pool
    assert len(pool._open) <= 2
    await wait_for_async(lambda: not pool._open, what="idle connections to be closed")


async def test_connection_that_died_is_made_again(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    assert (await ssh_one.run(TRUE)).state == "succeeded"
    ssh_one.server.cut()
    (connection,) = ssh_one.controller.pool._open.values()
    await wait_for_async(lambda: not connection.alive, what="the loss to be seen")
    assert (await ssh_one.run(TRUE, token=f"{site_module.TOKEN}1")).state == "succeeded"


async def test_server_that_allows_few_sessions(ssh_one: Any) -> None:
    meagre = ssh_one.serve("meagre", "MaxSessions 2")
    ssh_one.know(meagre.known())
    ssh_one.controller = ssh_one.made(port=meagre.port)
    ran = await asyncio.gather(*(ssh_one.run(("/bin/echo", "x"), token=f"{site_module.TOKEN}{n}") for n in range(8)))
    assert {outcome.state for outcome in ran} == {"succeeded"}


async def test_what_the_far_side_lacks_is_said(ssh_one: Any) -> None:
    nologin = ssh_one.serve("nologin", "ForceCommand echo This account is not available.")
    ssh_one.know(nologin.known())
    ssh_one.controller = ssh_one.made(port=nologin.port)
    outcome = await ssh_one.run(TRUE)
    assert (outcome.state, "This account is not available" in outcome.summary) == ("failed", True)


async def test_folder_of_somebody_else_is_not_used(ssh_one: Any) -> None:
    (ssh_one.server.temporary / f"healer-{os.getuid()}").symlink_to(ssh_one.folder)
    outcome = await ssh_one.run(TRUE)
    assert (outcome.state, "no folder of the user's own with mode 0700" in outcome.summary) == ("failed", True)
    (ssh_one.server.temporary / f"healer-{os.getuid()}").unlink()
    (ssh_one.server.temporary / f"healer-{os.getuid()}").mkdir(mode=0o755)
    assert (await ssh_one.run(TRUE, token=f"{site_module.TOKEN}1")).state == "failed"


async def test_open_temporary_folder_is_not_used(ssh_one: Any) -> None:
    if os.geteuid() == 0:
        os.chown(ssh_one.server.temporary, 65534, 65534)
        ssh_one.server.temporary.chmod(0o777)
        outcome = await ssh_one.run(TRUE)
        assert (outcome.state, "sticky bit" in outcome.summary) == ("failed", True)


async def test_folder_that_was_removed_is_made_again(ssh_one: Any, wait_for_async: WaitAsync) -> None:
    assert (await ssh_one.run(TRUE)).state == "succeeded"
    (folder,) = ssh_one.server.temporary.iterdir()
    await wait_for_async(lambda: ssh_one.server.left() == [])
    shutil.rmtree(folder)
    assert (await ssh_one.run(TRUE, token=f"{site_module.TOKEN}1")).state == "succeeded"


@pytest.mark.parametrize("host", ["-oProxyCommand=id", "a b", "a;b", "$(id)", "", "{{ x }}", "a\nb"])
async def test_what_is_no_machine_is_refused(ssh_one: Any, host: str) -> None:
    outcome = await ssh_one.run(TRUE, targets=(model.Target("host", host, host, host),))
    assert (outcome.state, "neither a name nor an address" in outcome.summary) == ("failed", True)


@pytest.mark.parametrize(
    "given",
    [
        {"known_hosts": ""}, {"key": "text"}, {"key_passphrase": {"secret": "env:A"}}, {"certificate": "a"}, {"jump": "-oProxyCommand=x"},
        {"jump": "a:0"}, {"port": 0}, {"verify": False}, {"connect_timeout": "0 seconds"}, {"fan_out": 0},
    ],
)  # fmt: skip
def test_mistakes_in_options(given: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        ssh.SshOptions.model_validate(given)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("bastion", ("bastion", 0, "")), ("ana@bastion:2222", ("bastion", 2222, "ana")), ("[::1]:22", ("::1", 22, "")),
        ("::1", ("::1", 0, "")), ("ssh://a@b", ("b", 0, "a")),
    ],
)  # fmt: skip
def test_hosts_between(text: str, address: tuple[str, int, str]) -> None:
    assert _ssh_door.jump_of(text) == address
    assert str(_ssh_pool.Address("::1", 22, "a")) == "a@[::1]:22"


async def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)

    def no_secret(reference: plugins.SecretRef) -> model.Secret:
        raise errors.SecretUnavailable(reference=reference.secret, reason="none")

    context = plugins.ControllerContext("far", no_secret, lambda level, message: None, tmp_path)
    health = await ssh.Ssh(ssh.SshOptions.model_validate({}), context).check()
    assert (health.ok, "pip install 'auto-healer[ssh]'" in health.detail) == (False, True)


CONTROLLERS = """\
controllers:
  here: {type: local}
  web-ssh:
    type: ssh
    inventory: inventory/
    user: heal
    key: {secret: "file:/run/secrets/id_ed25519"}
    known_hosts: known_hosts
    jump: [bastion.example.org, "ops@10.0.0.1:2222"]
    idle: 1 minute
    interpreters: {.rb: ruby}
    concurrency: 20
default: here
"""
RULES = """\
- name: web
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: down, condition: event.down is defined, action: {print_event: {}}}
"""


def load(folder: pathlib.Path, controllers: str) -> project.Loaded:
    (folder / "rulebooks").mkdir()
    (folder / "rulebooks" / "web.yml").write_text(RULES)
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts.yml").write_text("all: {hosts: {web01: {ansible_host: 10.0.0.5}}}\n")
    (folder / "controllers.yaml").write_text(controllers)
    (folder / "known_hosts").write_text("")
    return project.load(folder, {})


def test_a_project_with_it_loads_without_a_word(tmp_path: pathlib.Path) -> None:
    loaded = load(tmp_path, CONTROLLERS)
    assert [str(one) for one in loaded.diagnostics if one.severity != "hint"] == []
    assert loaded.revision is not None
    spec = loaded.revision.controllers["web-ssh"]
    assert (spec.kinds, spec.target_kinds, spec.concurrency) == ({"script", "command"}, {"host"}, 20)
    options = plugins.find("controllers", "ssh").CONTROLLER.Options.model_validate(dict(spec.options))
    assert (options.idle, options.connect_timeout, options.fan_out) == (60.0, 10.0, 50)


def test_files_that_options_name_are_of_the_revision(tmp_path: pathlib.Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "heal-cert.pub").write_text("x")
    written = CONTROLLERS.replace("idle: 1 minute", "certificate: ./keys/heal-cert.pub")
    loaded = load(tmp_path, written)
    assert [str(one) for one in loaded.diagnostics if one.severity == "error"] == []
    assert loaded.revision is not None
    assert {"known_hosts", "keys/heal-cert.pub"} <= set(loaded.revision.files)
    before = loaded.revision.id
    (tmp_path / "known_hosts").write_text("# another\n")
    again = project.load(tmp_path, {}).revision
    assert again is not None
    assert again.id != before


@pytest.mark.parametrize(
    ("path", "code"),
    [("../known_hosts", "path-escapes"), ("a/../b", "path-escapes"), ("known_host", "no-file"), ("inventory", "no-file"), ("/etc/ssh/x", "")],
)  # fmt: skip
def test_files_that_options_name_are_there(tmp_path: pathlib.Path, path: str, code: str) -> None:
    loaded = load(tmp_path, CONTROLLERS.replace("known_hosts: known_hosts", f"known_hosts: {path}"))
    told = [(one.code, one.place.line) for one in loaded.diagnostics if one.severity == "error"]
    assert told == ([(code, 8)] if code else [])


def test_mistakes_stand_where_they_were_made(tmp_path: pathlib.Path) -> None:
    wrong = CONTROLLERS.replace('"ops@10.0.0.1:2222"', '"-oProxyCommand=id"').replace(
        "idle: 1 minute", "check_host_keys: false"
    )
    told = [(one.place.line, one.message) for one in load(tmp_path, wrong).diagnostics if one.severity == "error"]
    assert [line for line, _ in told] == [9, 10]
    assert "is no host to jump over" in told[0][1]


@pytest.mark.parametrize(("was", "written", "said"), [
    ("user: heal", "user: -oProxyCommand=x", "the name of a user"), ("user: heal", "user: a b", "the name of a user"),
    ("user: heal", "user: 'DOM\\heal.a@b+c$'", ""), ("{.rb: ruby}", '{.rb: ""}', "a program"), ("{.rb: ruby}", "{.rb: -x}", "a program"),
    ("{.rb: ruby}", "{rb: ruby}", "a suffix like .rb"), ("{.rb: ruby}", "{.rb: /opt/a b/ruby}", ""),
])  # fmt: skip
def test_a_user_and_a_program_that_are_none_are_mistakes(
    tmp_path: pathlib.Path, was: str, written: str, said: str
) -> None:
    told = [one for one in load(tmp_path, CONTROLLERS.replace(was, written)).diagnostics if one.severity == "error"]
    assert [one.place.line for one in told] == ([] if not said else [6 if "user" in was else 11])
    assert all(said in one.message for one in told)
