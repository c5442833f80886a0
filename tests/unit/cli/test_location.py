"""Which daemon a command means."""

from __future__ import annotations

import pathlib

import pytest

from healer.cli import location

HERE = pathlib.Path()


def test_the_data_directory_is_below_the_project_by_default(tmp_path):
    assert location.data_dir_of(tmp_path, None, {}) == tmp_path / ".healer"


@pytest.mark.parametrize("name", ["healer.yaml", "healer.yml"])
def test_the_project_names_it(tmp_path, name):
    (tmp_path / name).write_text("mode: observe\ndata_dir: var/data\n")
    assert location.data_dir_of(tmp_path, None, {}) == tmp_path / "var/data"


def test_an_absolute_one_stands(tmp_path):
    (tmp_path / "healer.yaml").write_text("data_dir: /var/lib/healer\n")
    assert location.data_dir_of(tmp_path, None, {}) == pathlib.Path("/var/lib/healer")


@pytest.mark.parametrize(
    "text", ["", "[", "data_dir: 5\n", "data_dir: ''\n", "[1]", 'data_dir: "\\0"\n', "x: &a [*a]\n"]
)
def test_a_file_with_mistakes_is_not_judged_here(tmp_path, text):
    (tmp_path / "healer.yaml").write_text(text)
    assert location.data_dir_of(tmp_path, None, {}) == tmp_path / ".healer"


def test_the_environment_stands_above_the_file_and_the_option_above_both(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "healer.yaml").write_text("data_dir: file\n")
    environ = {"HEALER_DATA_DIR": "environ"}
    assert location.data_dir_of(None, None, {}) == pathlib.Path("file")
    assert location.data_dir_of(None, None, environ) == pathlib.Path("environ")
    assert location.data_dir_of(None, pathlib.Path("option"), environ) == pathlib.Path("option")


def test_the_environment_is_read_as_the_daemon_reads_it(tmp_path):
    assert location.data_dir_of(tmp_path, None, {"HEALER_DATA_DIR": "/elsewhere"}) == pathlib.Path("/elsewhere")
    assert location.data_dir_of(tmp_path, None, {"HEALER_DATA_DIR": "below"}) == tmp_path / "below"


def test_a_url_of_the_environment_holds_unless_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"HEALER_URL": "http://h", "HEALER_KEY": "k"}
    assert location.find(None, None, None, None, environ).url == "http://h"
    assert location.find(None, tmp_path, None, None, environ).url == ""
    assert location.find(tmp_path, None, None, None, environ).url == ""
    assert location.find(None, None, "http://other", "mine", environ) == location.Where(
        location.find(None, None, None, None, {}).data_dir, "http://other", "mine"
    )


def test_a_key_beside_a_url_is_of_no_folder(tmp_path, monkeypatch):
    """A folder that stands above HEALER_URL means another daemon; a key that is given with the folder is its own."""
    monkeypatch.chdir(tmp_path)
    both, alone = {"HEALER_URL": "http://h", "HEALER_KEY": "k"}, {"HEALER_KEY": "k"}
    assert location.find(None, None, None, None, both).key == "k"
    assert location.find(None, tmp_path, None, None, both).key == ""
    assert location.find(tmp_path, None, None, None, both).key == ""
    assert location.find(None, None, "http://other", None, both).key == "k"
    assert location.find(None, tmp_path, None, "mine", both).key == "mine"
    assert location.find(None, tmp_path, None, None, alone).key == "k"
    assert location.find(None, tmp_path, None, None, alone | {"HEALER_URL": ""}).key == "k"
    assert location.find(None, None, None, None, alone).key == "k"
    assert location.find(None, None, "http://h", None, alone).key == "k"


def test_whether_somebody_named_the_daemon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not location.find(None, None, None, None, {}).named
    assert location.find(tmp_path, None, None, None, {}).named
    assert location.find(None, tmp_path, None, None, {}).named
    assert location.find(None, None, None, None, {"HEALER_DATA_DIR": "d"}).named
    assert not location.find(None, None, None, None, {"HEALER_CONTROL__SOCKET": "/run/c.sock"}).named


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], ""),
        (["--project", "there"], " --project there"),
        (["--data-dir", "d"], " --data-dir d"),
        (["--project", "my own", "--data-dir", "$(x)"], " --project 'my own' --data-dir '$(x)'"),
    ],
)
def test_a_command_that_is_advised_repeats_which_daemon_is_meant(healer, options, said):
    done = healer("status", *options)
    assert done.exit_code == 3
    assert done.stderr.endswith(f"\n  try  healer run{said}\n")


def test_what_stands_in_a_path_steers_no_terminal(healer):
    told = healer("status", "--data-dir", "a\x1b[2J\u202e\nb").stderr
    assert told.endswith("\n  try  healer run --data-dir 'a\\u202e\\nb'\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("healer runs", "healer runs OPTIONS"), ("healer runs show r-7f3k2m", "healer runs show r-7f3k2m OPTIONS"),
        ("healer keys create NAME --role ROLE", "healer keys create NAME --role ROLE OPTIONS"),
        ("healer explain e-1", "healer explain e-1 OPTIONS"), ("healer send FILE", "healer send FILE OPTIONS"),
        ("healer validate", "healer validate"), ("healer runs, or wait", "healer runs, or wait"), ("one of: a, b", "one of: a, b"),
        ("healer runs show x; rm -r y", "healer runs show x; rm -r y"), ("", ""),
    ],
)  # fmt: skip
def test_a_command_that_the_daemon_advises_too(ask, daemon, text, said):
    daemon["GET /api/v1/runs"] = 404, {"code": "not-found", "detail": "none", "try": text}
    options = f"--data-dir {daemon.data_dir}"
    wanted = f"  try  {said.replace('OPTIONS', options)}\n" if text else ""
    assert ask("runs").stderr == f"error[not-found]: none\n{wanted}"


def test_of_a_daemon_elsewhere_the_url_is_repeated_and_never_the_key(healer, daemon):
    daemon["GET /api/v1/runs"] = 404, {"code": "not-found", "detail": "none", "try": "healer runs"}
    done = healer("runs", "--url", daemon.url, "--key", "hlr_a_b")
    assert done.stderr == f"error[not-found]: none\n  try  healer runs --url {daemon.url}\n"


def test_validate_is_advised_for_the_project_that_was_named(healer, daemon, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/healer.yaml").write_text(f"data_dir: {daemon.data_dir}\n")
    daemon["GET /api/v1/runs"] = 404, {"code": "x", "detail": "none", "try": "healer validate"}
    done = healer("runs", "--project", tmp_path / "there")
    assert done.stderr == f"error[x]: none\n  try  healer validate {tmp_path / 'there'}\n"


def test_a_url_that_is_nothing_is_refused(healer):
    done = healer("status", "--url", "", env={"HEALER_URL": "http://h"})
    assert (done.exit_code, done.stderr.splitlines()[0]) == (
        2, "error[usage]: --url or HEALER_URL: a URL like https://healer.example.org:8080 is wanted, got ''",
    )  # fmt: skip


def test_a_key_is_not_printed():
    assert "hlr_x" not in repr(location.Where(HERE, "http://h", "hlr_x"))


def test_the_settings_or_the_environment_name_the_control_socket(tmp_path):
    (tmp_path / "healer.yaml").write_text("control: {socket: run/c.sock}\n")
    there = {"HEALER_CONTROL__SOCKET": "/run/c.sock"}
    assert location.find(tmp_path, None, None, None, {}).socket == tmp_path / "run/c.sock"
    assert location.find(tmp_path, tmp_path / "data", None, None, {}).socket == tmp_path / "run/c.sock"
    assert location.find(tmp_path, None, None, None, there).socket == pathlib.Path("/run/c.sock")


def test_a_data_directory_alone_is_not_that_of_the_project_here(tmp_path, monkeypatch):
    (tmp_path / "healer.yaml").write_text("control: {socket: run/c.sock}\n")
    monkeypatch.chdir(tmp_path)
    assert location.find(None, tmp_path / "other", None, None, {}).socket is None


@pytest.mark.parametrize("text", ["control:\n", "control: []\n", "control: {socket: 5}\n", "control: {socket: ''}\n"])
def test_a_control_socket_that_is_none_is_not_judged_here(tmp_path, text):
    (tmp_path / "healer.yaml").write_text(text)
    assert location.find(tmp_path, None, None, None, {}).socket is None
