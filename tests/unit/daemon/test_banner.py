"""The banner says what the daemon acts on, and no more than is true."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import pytest

from healer import project
from healer.daemon import banner, options

LOCAL = "all: {hosts: {web01: {ansible_connection: local}}}"
ELSEWHERE = "all: {hosts: {web01: {}}}"
CONTROLLERS = "controllers: {site: {type: ansible, inventory: inventory/}}"
HERE = options.StartOptions(pathlib.Path())
DEMONSTRATION = {"HEALER_PROJECT_DEMONSTRATION": ".healer/demo"}


def shown(
    folder: pathlib.Path, hosts: str, mode: str, environ: Mapping[str, str], host: str = "127.0.0.1",
    options: options.StartOptions = HERE,
) -> list[str]:  # fmt: skip
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts.yml").write_text(hosts)
    (folder / "controllers.yaml").write_text(CONTROLLERS)
    revision = project.load(folder, {}, {}).revision
    assert revision is not None
    return list(banner.lines(revision, folder, host, 8080, mode, environ, options))


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


def test_its_commands_name_the_daemon_as_its_start_did(tmp_path: pathlib.Path) -> None:
    given = options.StartOptions(pathlib.Path("sp ace"), pathlib.Path("d"))
    (tmp_path / "examples").mkdir()
    (tmp_path / banner.EXAMPLE).write_text("{}")
    lines = shown(tmp_path, LOCAL, "observe", {}, options=given)
    assert any("healer send 'sp ace/examples/disk_full.json' --project 'sp ace'" in line for line in lines)
    commands = [line.partition("healer ")[2] for line in lines[1:] if "healer " in line]
    assert len(commands) == 5
    assert all("--project 'sp ace' --data-dir d" in command for command in commands)


@pytest.mark.parametrize(
    ("given", "environ", "named"),
    [({"mode": "observe"}, {}, "--mode observe"), ({}, {"HEALER_MODE": "observe"}, "HEALER_MODE=observe")],
)
def test_a_mode_that_the_start_has_set_is_not_for_the_file_to_change(
    tmp_path: pathlib.Path, given: dict[str, str], environ: dict[str, str], named: str
) -> None:
    lines = shown(tmp_path, LOCAL, "observe", environ, options=options.StartOptions(tmp_path, **given))  # type: ignore[arg-type]
    assert lines[-1] == (
        f"  then:  start it without {named}, which goes before healer.yaml, and with  mode: active  there; what is sent again then acts"
    )
