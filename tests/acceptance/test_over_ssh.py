"""A real daemon that heals over ssh on a real sshd: killed while a script is at work there, it finds it again; a person's cancel ends it there."""

from __future__ import annotations

import getpass
import importlib.util
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location(
    "ssh_site_of_acceptance", pathlib.Path(__file__).parents[1] / "controllers" / "ssh_site.py"
)
assert _spec is not None
assert _spec.loader is not None
ssh_site = sys.modules["ssh_site_of_acceptance"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(ssh_site)


@pytest.fixture
def server(daemon: Any, tmp_path: pathlib.Path) -> Iterator[Any]:
    """An sshd, and a project whose default controller reaches hosts by it."""
    key = ssh_site.keypair(tmp_path / "id")
    served = ssh_site.Sshd(tmp_path / "sshd", key.with_suffix(".pub").read_text())
    daemon.write("known_hosts", served.known())
    daemon.write(
        "inventory/hosts.yml", "all:\n  hosts:\n    h1: {ansible_host: 127.0.0.1}\n    h2: {ansible_host: 127.0.0.2}\n"
    )
    daemon.write("controllers.yaml", f"""\
controllers:
  far:
    type: ssh
    user: {getpass.getuser()}
    port: {served.port}
    key: {{secret: "file:{key}"}}
    known_hosts: known_hosts
default: far
""")  # fmt: skip
    yield served
    daemon.clean_up()
    served.stop()


@pytest.mark.parametrize("ends", ["while nobody looks", "when it is followed again"])
def test_a_script_outlives_the_daemon_and_acts_once(
    daemon: Any, server: Any, wait_for: Callable[..., None], ends: str
) -> None:
    daemon.hold.touch()
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.break_host("h1")
    daemon.break_host("h2")
    wait_for(lambda: len(daemon.lines()) == 2, what="both to begin")
    daemon.kill()
    assert len(server.left()) >= 2
    if ends == "while nobody looks":
        daemon.hold.unlink()
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.hold.unlink(missing_ok=True)
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], what="both to be found")
    assert sorted(target for _, target in daemon.lines()) == ["h1", "h2"]
    wait_for(lambda: not server.left(), what="the far side to forget")
    daemon.verified()


def test_a_person_ends_it_there(daemon: Any, server: Any, wait_for: Callable[..., None]) -> None:
    daemon.hold.touch()
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.break_host("h1")
    wait_for(lambda: len(daemon.lines()) == 1)
    (run,) = daemon.runs()
    assert daemon.healer("runs", "cancel", "--yes", run["id"], "--reason", "enough").returncode == 0
    wait_for(lambda: daemon.states() == ["cancelled"])
    assert not server.left()
    assert daemon.stop() == 0
