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


def test_a_key_is_not_printed():
    assert "hlr_x" not in repr(location.Where(HERE, "http://h", "hlr_x"))
