"""The flags of a start, as settings and as somebody writes them again."""

from __future__ import annotations

import pathlib

import pytest

from healer import daemon

HERE = pathlib.Path()


@pytest.mark.parametrize(("options", "which", "written"), [
    (daemon.StartOptions(HERE), "", ""),
    (daemon.StartOptions(HERE, mode="observe", unsafe_fs=True), "", " --mode observe --unsafe-fs"),
    (daemon.StartOptions(pathlib.Path("/p q"), pathlib.Path("d;x")), " --project '/p q' --data-dir 'd;x'", " --project '/p q' --data-dir 'd;x'"),
    (
        daemon.StartOptions(HERE, pathlib.Path("d"), "::1", 0, "active", True, False, "DEBUG"), " --data-dir d",
        " --data-dir d --host ::1 --port 0 --mode active --log-level DEBUG",
    ),
])  # fmt: skip
def test_what_was_given_can_be_written_again(options: daemon.StartOptions, which: str, written: str) -> None:
    assert (options.which(), options.written()) == (which, written)


def test_a_data_directory_is_one_of_the_current_folder_not_of_the_project() -> None:
    options = daemon.StartOptions(pathlib.Path("p"), pathlib.Path("d"))
    assert options.overrides()["data_dir"] == str(pathlib.Path("d").absolute())
    assert set(daemon.StartOptions(HERE).overrides().values()) == {None}


def test_the_same_start_on_another_port() -> None:
    assert daemon.StartOptions(HERE, port=1).on_port(2) == "healer run --port 2"
    options = daemon.StartOptions(pathlib.Path("sp ace"), mode="observe", port=19440, standby=True)
    assert options.on_port(19441) == "healer run --project 'sp ace' --port 19441 --mode observe --standby"


def test_what_says_the_mode_before_the_file_does() -> None:
    variable = {"HEALER_MODE": "observe"}
    assert daemon.StartOptions(HERE).mode_from({}) == ""
    assert daemon.StartOptions(HERE).mode_from(variable) == "HEALER_MODE=observe"
    assert daemon.StartOptions(HERE, mode="active").mode_from(variable) == "--mode active"
