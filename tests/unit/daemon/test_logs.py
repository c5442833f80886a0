"""The log: one JSON object a line whatever was logged, secrets masked, readable on a terminal, somewhere in any case."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from healer import project
from healer.daemon import logs


@pytest.fixture(autouse=True)
def _no_container(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("container", raising=False)
    yield
    logger.remove()


def configure(
    folder: pathlib.Path, level: str | None = None, file_level: str = "INFO", mask: Any = lambda line: line, **log: Any
) -> pathlib.Path:
    settings = project.Settings.model_validate({"log": {"level": file_level} | log})
    return pathlib.Path(logs.configure(settings, folder / "project", folder / "data", level, mask))


def lines(folder: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / logs.FILE).read_text(encoding="utf-8").split("\n")[:-1]]


HOSTILE = [
    "a\nb\r\nc", "\x1b[2J\x1b[31mred", "{braces} {0} {}", "<red>tags</red> \\<", "\x00\x07\x7f", '"quoted" \\ back', "ü €", "\u2028",
    "\ud800 alone", "%s %d", "}{", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_is_one_line_that_gives_it_back(tmp_path: pathlib.Path, text: str) -> None:
    folder = configure(tmp_path)
    logger.bind(source=text, deep={"k": [text]}).info("{}", text)
    (line,) = lines(folder)
    assert (line["message"], line["source"], line["deep"]) == (text, text, {"k": [text]})


@pytest.mark.parametrize("value", [2**70, {1: 2}, float("inf"), pathlib.Path("/x"), object(), b"\xff", {"a", "b"}])
def test_any_value_beside_it_costs_no_line(tmp_path: pathlib.Path, value: Any) -> None:
    folder = configure(tmp_path)
    logger.bind(value=value).info("text")
    (line,) = lines(folder)
    assert (line["message"], "value" in line) == ("text", True)


def test_what_a_line_has(tmp_path: pathlib.Path) -> None:
    folder = configure(tmp_path)
    logger.bind(run="r-1").warning("careful")
    (line,) = lines(folder)
    assert (line["level"], line["message"], line["run"]) == ("WARNING", "careful", "r-1")
    assert line["time"].endswith("+00:00")
    assert "test_logs" in line["where"]
    assert not any(name.startswith("_") for name in line)


def test_an_error_is_named_in_its_line(tmp_path: pathlib.Path) -> None:
    folder = configure(tmp_path)
    try:
        raise ValueError("boom\n{x}")
    except ValueError:
        logger.exception("it failed")
    (line,) = lines(folder)
    assert line["exception"] == "ValueError('boom\\n{x}')"


def test_secrets_are_masked_in_the_file_and_on_the_terminal(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = configure(tmp_path, mask=lambda line: line.replace("hunter2", "***"))
    logger.bind(key="hunter2").error("the key is hunter2")
    text = (folder / logs.FILE).read_text() + capsys.readouterr().err
    assert "hunter2" not in text
    assert text.count("***") == 3


def test_a_terminal_is_not_moved_by_what_is_logged(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(tmp_path)
    logger.info("{}", "a\x1b[2J\rb\n12:00:00 INFO    forged {x} <red>")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("a?[2J?b")
    assert second == "    12:00:00 INFO    forged {x} <red>"


def test_the_level_is_the_settings_or_the_flags(tmp_path: pathlib.Path) -> None:
    folder = configure(tmp_path, level="ERROR")
    logger.warning("not this")
    logger.error("this")
    assert [line["message"] for line in lines(folder)] == ["this"]
    folder = configure(tmp_path, dir="other", file_level="DEBUG")
    logger.debug("this too")
    assert [line["message"] for line in lines(folder)] == ["this too"]


def test_files_are_turned_over_and_forgotten(tmp_path: pathlib.Path) -> None:
    folder = configure(tmp_path, rotation="10 KiB")
    for _ in range(30):
        logger.info("{}", "x" * 1000)
    assert len(list(folder.iterdir())) > 2


def test_where_the_folder_cannot_be_written_the_data_directory_takes_its_place(tmp_path: pathlib.Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/logs").write_text("a file stands in the way")
    (tmp_path / "data").mkdir()
    assert configure(tmp_path) == tmp_path / "data/logs"


def test_where_nothing_can_be_written_the_terminal_is_left(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "project").write_text("")
    (tmp_path / "data").write_text("")
    settings = project.Settings()
    assert logs.configure(settings, tmp_path / "project", tmp_path / "data", None, lambda line: line) == ""
    logger.info("still told")
    assert "still told" in capsys.readouterr().err


def test_the_folder_is_not_for_everybody(tmp_path: pathlib.Path) -> None:
    assert configure(tmp_path).stat().st_mode & 0o007 == 0
    assert os.access(tmp_path / "project/logs", os.W_OK)


def test_on_a_full_disk_lines_go_to_the_terminal_alone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else loguru tells of each that it cannot write, with a traceback."""
    folder = configure(tmp_path)
    monkeypatch.setattr(logs.space, "free_bytes", lambda _folder: logs.NEAR_BYTES - 1)
    logger.info("while it is nearly full")
    monkeypatch.setattr(logs.space, "lacking", lambda _folder: True)
    logger.info("while it is full")
    monkeypatch.undo()
    logger.info("with space again")
    assert [line["message"] for line in lines(folder)] == ["while it is nearly full", "with space again"]
    assert "while it is full" in capsys.readouterr().err


def test_a_folder_that_cannot_be_looked_at_keeps_no_line_back(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_folder: pathlib.Path) -> int:
        raise OSError(5, "Input/output error")

    folder = configure(tmp_path)
    monkeypatch.setattr(logs.space, "free_bytes", fail)
    logger.info("all the same")
    assert [line["message"] for line in lines(folder)] == ["all the same"]
