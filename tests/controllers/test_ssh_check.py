"""What `healer controllers check` says of a controller `ssh`: whether hosts of its inventory let it in. With real servers."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import socket
import sys
from typing import Any

import pytest

from healer import model
from healer.controllers import _ssh_check

site_module: Any = sys.modules["ssh_site"]
keypair, hosts = site_module.keypair, site_module.hosts
TRUE = ("/bin/true",)


def reaching(site: Any, *targets: model.Target, **given: Any) -> Any:
    """A controller with an inventory of these."""
    made = site.made(**given)
    made.context = dataclasses.replace(made.context, hosts=lambda: targets)
    return made


async def test_hosts_are_logged_in_to_and_nothing_is_run(ssh_one: Any, wait_for_async: Any) -> None:
    health = await reaching(ssh_one, *hosts(3)).check()
    assert (health.ok, "3 of 3 hosts answer" in health.detail) == (True, True), health
    log = ssh_one.server.log
    await wait_for_async(lambda: log.read_text().count("Accepted publickey") == 3)  # it writes it once it has answered
    assert log.read_text().count("Starting session") == 0
    assert ssh_one.server.left() == []


async def test_without_hosts_it_says_that_none_was_tried(ssh_one: Any) -> None:
    health = await ssh_one.controller.check()
    assert (health.ok, "no host was tried" in health.detail) == (True, True)
    assert "Accepted" not in ssh_one.server.log.read_text()


async def test_a_host_that_refuses_is_named_with_why(ssh_one: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        deaf = model.Target("host", "web00", "web00", "127.0.0.1", port=nobody.getsockname()[1])
        health = await reaching(ssh_one, deaf, *hosts(2)).check()
        assert health.ok
        assert health.detail.startswith("2 of 3 hosts answer, web00 does not: ")
        assert "refuses connections" in health.detail
        none = await reaching(ssh_one, deaf).check()
    assert (none.ok, none.detail.startswith("0 of 1 hosts answer, web00 does not: ")) == (False, True)


@pytest.mark.parametrize(("what", "said"), [
    ("another", "shows another key than the one in"), ("unknown", "is not in"), ("stranger", "refuses the user"),
])  # fmt: skip
async def test_what_lets_no_run_in_is_not_usable(ssh_one: Any, tmp_path: pathlib.Path, what: str, said: str) -> None:
    other = keypair(tmp_path / "other")
    if what == "another":
        ssh_one.know(f"[127.0.0.*]:{ssh_one.server.port} {other.with_suffix('.pub').read_text()}")
    elif what == "unknown":
        ssh_one.know("")
    else:
        ssh_one.secrets["file:id"] = other.read_text()
    health = await reaching(ssh_one, *hosts(2)).check()
    assert (health.ok, health.detail.startswith("0 of 2 hosts answer"), said in health.detail) == (False, True, True), (
        health
    )


async def test_one_key_that_is_another_is_never_fine(ssh_one: Any, tmp_path: pathlib.Path) -> None:
    """Others that answer do not make up for it: it is what an attack looks like."""
    other = keypair(tmp_path / "other").with_suffix(".pub").read_text()
    ssh_one.know(ssh_one.server.known("127.0.0.3"), f"[127.0.0.2]:{ssh_one.server.port} {other}")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        deaf = model.Target("host", "web00", "web00", "127.0.0.1", port=nobody.getsockname()[1])
        two = [model.Target("host", f"w{n}", f"w{n}", f"127.0.0.{n}") for n in (2, 3)]
        health = await reaching(ssh_one, deaf, *two).check()
    assert not health.ok
    assert health.detail.startswith("1 of 3 hosts answer, w2 does not: ")
    assert "shows another key than the one in" in health.detail


async def test_a_key_that_is_refused_by_now_is_seen_though_a_connection_is_open(ssh_one: Any) -> None:
    made = ssh_one.controller = reaching(ssh_one, *hosts(1))
    assert (await ssh_one.run(TRUE)).state == "succeeded"
    (ssh_one.server.folder / "authorized").write_text("")
    assert not (await made.check()).ok


async def test_hosts_behind_another_are_tried_through_it(ssh_one: Any) -> None:
    bastion = ssh_one.serve("bastion")
    ssh_one.know(ssh_one.server.known(), bastion.known("127.0.0.9"))
    jump = f"{ssh_one.controller.options.user}@127.0.0.9:{bastion.port}"
    health = await reaching(ssh_one, *hosts(2), jump=jump).check()
    assert (health.ok, "2 of 2 hosts answer" in health.detail, jump in health.detail) == (True, True, True)
    bastion.stop()
    health = await reaching(ssh_one, *hosts(2), jump=jump).check()
    assert (health.ok, f"{jump} refuses connections" in health.detail) == (False, True), health


async def test_a_host_that_is_silent_is_not_waited_for(ssh_one: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        mute = model.Target("host", "zz", "zz", "127.0.0.1", port=silent.getsockname()[1])
        first = await reaching(ssh_one, mute, connect_timeout="1 second").check()
        assert "did not answer within connect_timeout" in first.detail
        monkeypatch.setattr(_ssh_check, "WITHIN_S", 0.2)
        health = await reaching(ssh_one, mute).check()
    assert health.detail.startswith("0 of 1 hosts answer, zz does not: it did not answer within 0.2 s")


async def test_a_check_that_is_given_up_leaves_nothing_at_work(ssh_one: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.setblocking(False)
        mute = model.Target("host", "zz", "zz", "127.0.0.1", port=silent.getsockname()[1])
        before = asyncio.all_tasks()
        asking = asyncio.create_task(reaching(ssh_one, mute).check())
        caller, _ = await asyncio.get_running_loop().sock_accept(silent)
        with caller:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        assert asyncio.all_tasks() <= before


async def test_an_address_that_is_none_counts_as_a_host_that_does_not_answer(ssh_one: Any) -> None:
    health = await reaching(ssh_one, *hosts(1), model.Target("host", "odd", "odd", "{{ ip }}")).check()
    assert (health.ok, "1 of 2 hosts answer, odd does not: '{{ ip }}' is neither" in health.detail) == (True, True)


async def test_a_keyword_that_is_none_is_told(ssh_one: Any) -> None:
    (ssh_one.folder / "config").write_text("IgnoreUnknown Odd*\nOddly 3\nHost web\n  ProxyJmp x\n  Bogus 3\n")
    health = await reaching(ssh_one, *hosts(1), config="config").check()
    assert health.ok
    assert (
        "config:4: 'ProxyJmp' is no keyword of ssh_config(5) and is passed over; did you mean 'ProxyJump'? (and 1 more)"
        in health.detail
    )


@pytest.mark.parametrize(("text", "said"), [
    ("Host web*\n  Port many\n", "line 2: Invalid Port integer value: many"),
    ("Host a\n  ProxyJump x@:99999\n", "is no host to jump over"),
    ("Host \"a\n", "line 1: No closing quotation"),
    (b"User \xff\n", "config cannot be read"),
])  # fmt: skip
async def test_a_configuration_file_that_cannot_be_read_is_not_usable(
    ssh_one: Any, text: str | bytes, said: str
) -> None:
    (ssh_one.folder / "config").write_bytes(text if isinstance(text, bytes) else text.encode())
    health = await ssh_one.made(config="config").check()
    assert (health.ok, said in health.detail) == (False, True), health


async def test_one_that_is_not_there_is_not_usable(ssh_one: Any) -> None:
    health = await ssh_one.made(config="nowhere", jump="127.0.0.9").check()
    assert (health.ok, "nowhere" in health.detail) == (False, True)
