"""Durations that have no end, and what the daemon writes among what is read: each is told where it was written."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from healer import errors, project
from healer.project import mistakes

LONG = "99999999999999999 days"


@pytest.mark.parametrize("changes", [
    {"healer.yaml": f"retention: {{journal: ⟦{LONG}}}\n"},
    {"healer.yaml": f"drain: ⟦{LONG}\nlog: {{retention: ⟦{LONG}}}\n"},
    {"healer.yaml": "defaults: {run_action: {" + ", ".join(f"{key}: ⟦{LONG}" for key in ("timeout", "cooldown", "max_age", "defer_for")) + "}}\n"},
    {"actions.yaml": f"actions:\n  x:\n    script: clean.sh\n    timeout: ⟦{LONG}\n    cooldown: ⟦{LONG}\n    max_age: ⟦{LONG}\n    defer_for: ⟦{LONG}\n"},
    {"scripts/clean.meta.yml": f"controller: here\ntimeout: ⟦{LONG}\n"},
    {"rulebooks/o.yml": f"- name: o\n  hosts: all\n  sources: [{{check: {{process: {{name: x}}, interval: ⟦{LONG}}}}}]\n  rules: []\n"},
])  # fmt: skip
def test_a_duration_without_an_end_is_told_where_it_stands(changes: Any, told: Any, marked: Any) -> None:
    whole = {"rulebooks/team/web.yml": None, **changes}
    assert [place for place, code in told(whole) if code == "options"] == marked(whole)


def test_a_duration_without_an_end_is_told_by_the_name_of_its_variable(write: Any) -> None:
    environ = {"HEALER_RETENTION__JOURNAL": LONG, "HEALER_DEFAULTS__RUN_ACTION__COOLDOWN": LONG, "HEALER_DRAIN": LONG}
    found = project.load(write({}), environ).diagnostics
    assert sorted(str(d.place) for d in found if "at most 100 years" in d.message) == sorted(environ)


# --- where the daemon keeps what it knows ---------------------------------------------------------------------------------

SOURCES = """\
sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {none: true}}}}
"""
INSIDE = [
    "rulebooks", "rulebooks/", "./rulebooks", "files/state", "files", "x/../files/a/b", "templates/new", "inventory/x", "sources",
    "controllers.yml", "roles/a/../../vars", "linked/state", "files/out/x", "own/hosts",
]  # fmt: skip
OUTSIDE = [
    ".healer",
    "var/data",
    ".",
    "..",
    "../outside",
    "/nonexistent/data",
    "rulebooks2",
    "files.d",
    "playbooks/../state",
]
SITES = {
    "controllers.yaml": "controllers:\n  here: {type: local}\n  site: {type: ansible, inventory: own/hosts}\ndefault: site\n",
    "own/hosts/a": "[web]\nweb[01:03]\n",
}


@pytest.fixture
def linked(write: Any) -> pathlib.Path:
    """A project in which folders that are read are links: `rulebooks/more` → `linked`, `files/out` → `elsewhere`."""
    root: pathlib.Path = write({**SITES, "linked/more.txt": "", "elsewhere/x": "", "files/a": ""})
    (root / "rulebooks/more").symlink_to("../linked")
    (root / "files/out").symlink_to("../elsewhere")
    return root


def data_dir_told(root: pathlib.Path, environ: Any = (), flags: Any = ()) -> list[str]:
    loaded = project.load(root, dict(environ), dict(flags))
    return [str(d.place) for d in loaded.diagnostics if d.code == "data-dir" and d.severity == "error"]


@pytest.mark.parametrize("where", [*INSIDE, "{root}/files/state", "{root}/elsewhere"])
def test_a_data_directory_among_what_is_read_is_refused(linked: pathlib.Path, where: str) -> None:
    where = where.format(root=linked)
    (linked / "healer.yaml").write_text(f"environment: prod\ndata_dir: {where}\n")
    assert data_dir_told(linked) == ["healer.yaml:2:11"]
    (linked / "healer.yaml").write_text("environment: prod\n")
    assert data_dir_told(linked, environ={"HEALER_DATA_DIR": where}) == ["HEALER_DATA_DIR"]
    assert data_dir_told(linked, flags={"data_dir": where}) == ["--data-dir"]


@pytest.mark.parametrize("where", OUTSIDE)
def test_a_data_directory_beside_what_is_read_is_fine(linked: pathlib.Path, where: str) -> None:
    (linked / "healer.yaml").write_text(f"{SOURCES}data_dir: {where}\n")
    loaded = project.load(linked, {})
    assert loaded.revision is not None, loaded.diagnostics


def test_only_the_data_directory_that_holds_is_looked_at(linked: pathlib.Path) -> None:
    (linked / "healer.yaml").write_text("data_dir: files\n")
    assert data_dir_told(linked, environ={"HEALER_DATA_DIR": ".healer"}) == []
    assert data_dir_told(linked, environ={"HEALER_DATA_DIR": "vars"}, flags={"data_dir": "/srv/x"}) == []
    assert data_dir_told(linked, environ={"HEALER_DATA_DIR": "vars"}, flags={"data_dir": None}) == ["HEALER_DATA_DIR"]
    assert data_dir_told(linked, environ={"HEALER_DATA_DIR": ""}) == ["healer.yaml:1:11"]


def test_a_link_from_what_is_read_into_the_data_directory_is_refused(linked: pathlib.Path) -> None:
    (linked / ".healer").mkdir()
    (linked / "files/state").symlink_to("../.healer")
    assert data_dir_told(linked) == ["healer.yaml"]
    (linked / "healer.yaml").unlink()
    assert data_dir_told(linked) == ["healer.yaml"]


def test_the_data_directory_is_told_once(linked: pathlib.Path) -> None:
    (linked / "healer.yaml").write_text("data_dir: files\n")
    found = [str(d) for d in project.load(linked, {}).diagnostics if d.code == "data-dir"]
    assert found == [
        "healer.yaml:1:11: error[data-dir]: the data directory 'files' lies where the project's own files are read from\n"
        "    1 | data_dir: files\n      |           ^^^^^ take a folder of its own, as .healer, or one outside the project"
    ]


def test_a_name_that_no_file_can_have_stops_no_reading(write: Any) -> None:
    strange = {"controllers.yaml": 'controllers: {here: {type: local, inventory: "\\ud800"}}\ndefault: here\n'}
    assert project.load(write(strange), {}, {"data_dir": "\ud800/x"}).revision is None


def test_a_control_socket_in_the_data_directory_does_not_stop_a_reload(linked: pathlib.Path) -> None:
    folder = linked / ".healer"
    folder.mkdir()
    os.mkfifo(folder / "control.sock")
    (linked / "healer.yaml").write_text(SOURCES)
    assert project.load(linked, {}).revision is not None


WRITTEN = [
    ("log.dir", "log-dir", "HEALER_LOG__DIR", "the folder of the logs"),
    ("control.socket", "control-socket", "HEALER_CONTROL__SOCKET", "the control socket"),
]


def written_told(root: pathlib.Path, code: str, environ: Any = ()) -> list[str]:
    loaded = project.load(root, dict(environ))
    return [str(d.place) for d in loaded.diagnostics if d.code == code and d.severity == "error"]


@pytest.mark.parametrize(("setting", "code", "variable", "words"), WRITTEN)
@pytest.mark.parametrize("where", [*INSIDE, "files/c.sock", "scripts/x/y", "{root}/elsewhere"])
def test_nor_may_logs_or_the_control_socket_lie_there(
    linked: pathlib.Path, where: str, setting: str, code: str, variable: str, words: str
) -> None:
    where, (section, key) = where.format(root=linked), setting.split(".")
    (linked / "healer.yaml").write_text(f"environment: prod\n{section}:\n  {key}: {where}\n")
    assert written_told(linked, code) == [f"healer.yaml:3:{len(key) + 5}"]
    (linked / "healer.yaml").write_text("environment: prod\n")
    assert written_told(linked, code, {variable: where}) == [variable]
    (told,) = [d for d in project.load(linked, {variable: where}).diagnostics if d.code == code]
    assert told.message == f"{words} {where!r} lies where the project's own files are read from"


@pytest.mark.parametrize("setting", [setting for setting, *_ in WRITTEN])
@pytest.mark.parametrize("where", OUTSIDE)
def test_logs_and_the_control_socket_may_lie_beside_what_is_read(
    linked: pathlib.Path, where: str, setting: str
) -> None:
    section, key = setting.split(".")
    (linked / "healer.yaml").write_text(f"{SOURCES}{section}: {{{key}: {where}}}\n")
    loaded = project.load(linked, {})
    assert loaded.revision is not None, loaded.diagnostics


def test_all_that_lies_there_is_told_at_once(linked: pathlib.Path) -> None:
    (linked / "healer.yaml").write_text("data_dir: files\nlog: {dir: files}\ncontrol: {socket: files/c}\n")
    codes = [d.code for d in project.load(linked, {}).diagnostics]
    assert [code for code in codes if code in ("data-dir", "log-dir", "control-socket")] == [
        "data-dir",
        "log-dir",
        "control-socket",
    ]


# --- more mistakes than anybody reads -------------------------------------------------------------------------------------


def test_of_very_many_mistakes_the_first_are_told_and_the_rest_counted(write: Any) -> None:
    keys = "".join(f"k{n}: 1\n" for n in range(5_000))
    loaded = project.load(write({"healer.yaml": keys, "rulebooks/team/web.yml": None}), {})
    mine = [d for d in loaded.diagnostics if d.place.file == "healer.yaml"]
    assert len(mine) == mistakes.OF_FILE + 1
    assert [d.place.line for d in mine[:3]] == [1, 2, 3]
    assert (mine[-1].more, mine[-1].severity) == (5_000 - mistakes.OF_FILE, "error")
    assert loaded.errors == 5_000
    assert errors.ConfigurationError(loaded.diagnostics).message.startswith("5000 errors")
