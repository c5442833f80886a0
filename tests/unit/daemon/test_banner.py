"""The banner says what the daemon acts on, and no more than is true."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import pytest

from healer import project
from healer.daemon import banner

LOCAL = "all: {hosts: {web01: {ansible_connection: local}}}"
ELSEWHERE = "all: {hosts: {web01: {}}}"
CONTROLLERS = "controllers: {site: {type: ansible, inventory: inventory/}}"
DEMONSTRATION = {"HEALER_PROJECT_DEMONSTRATION": ".healer/demo"}


def shown(
    folder: pathlib.Path, hosts: str, mode: str, environ: Mapping[str, str], host: str = "127.0.0.1"
) -> list[str]:
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts.yml").write_text(hosts)
    (folder / "controllers.yaml").write_text(CONTROLLERS)
    revision = project.load(folder, {}, {}).revision
    assert revision is not None
    return list(banner.lines(revision, folder, host, 8080, mode, environ))


@pytest.mark.parametrize(
    ("hosts", "environ", "end"),
    [
        (LOCAL, {}, "mode ACTIVE on this machine only"),
        (LOCAL, DEMONSTRATION, "mode ACTIVE on the demonstration hosts in .healer/demo only"),
        (ELSEWHERE, {}, "mode ACTIVE"),
        (ELSEWHERE, DEMONSTRATION, "mode ACTIVE"),
    ],
)
def test_active_says_on_what(tmp_path: pathlib.Path, hosts: str, environ: Mapping[str, str], end: str) -> None:
    assert shown(tmp_path, hosts, "active", environ)[0].endswith(end)


def test_observe_touches_nothing_and_says_how_to_go_on(tmp_path: pathlib.Path) -> None:
    lines = shown(tmp_path, LOCAL, "observe", DEMONSTRATION)
    assert lines[0].endswith("mode OBSERVE (decides and reports, touches nothing)")
    assert lines[-1] == "  then:  set  mode: active  in healer.yaml, and  healer reload"


def test_what_to_try(tmp_path: pathlib.Path) -> None:
    assert "  try:   make demo" in shown(tmp_path, LOCAL, "active", DEMONSTRATION)


@pytest.mark.parametrize("there", [True, False])
def test_the_example_is_named_where_it_is(tmp_path: pathlib.Path, there: bool) -> None:
    if there:
        (tmp_path / "examples").mkdir()
        (tmp_path / banner.EXAMPLE).write_text("{}")
    line = next(line for line in shown(tmp_path, LOCAL, "active", {}) if "healer send" in line)
    assert line.split()[3] == (banner.EXAMPLE if there else "FILE")


def test_an_address_of_ipv6_is_one_that_a_browser_takes(tmp_path: pathlib.Path) -> None:
    assert "http://[::1]:8080 · this machine only" in "\n".join(shown(tmp_path, LOCAL, "active", {}, "::1"))
