"""How far long work is: told to a terminal alone, not too often, and gone at the end."""

from __future__ import annotations

import io
import json
import types

import pytest

from healer.cli import progressing, replay


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def told(monkeypatch):
    """What a terminal was told; its clock goes on by 0.3 s a look."""
    made = Terminal()
    clock = iter(range(1_000))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progressing, "sys", types.SimpleNamespace(stderr=made))
    monkeypatch.setattr(progressing, "time", types.SimpleNamespace(monotonic=lambda: next(clock) * 0.3))
    return made


def count(total, **more):
    with progressing.of(total, "records", **more) as tell:
        for done in range(1, total + 1):
            tell(done)


def test_it_is_drawn_over_and_gone_at_the_end(told):
    count(4)
    assert told.getvalue().split("\r\x1b[K") == [
        "",
        "   50 %  2 of 4 records",
        "   75 %  3 of 4 records",
        "  100 %  4 of 4 records",
        "",
    ]


def test_short_work_shows_nothing(told):
    count(1)
    assert told.getvalue() == ""


def test_of_a_file_that_grew_no_more_than_all_is_done(told):
    with progressing.of(10, "bytes") as tell:
        for _ in range(3):
            tell(2_000)
    assert "100 %  10 of 10 bytes" in told.getvalue()


@pytest.mark.parametrize("why", ["json", "dumb", "pipe", "empty"])
def test_nobody_is_told(told, monkeypatch, why):
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if why == "pipe":
        told.isatty = lambda: False
    count(0 if why == "empty" else 9, as_json=why == "json")
    assert told.getvalue() == ""


def test_what_is_left_of_it_goes_also_where_the_work_fails(told):
    def fail():
        with progressing.of(9, "records") as tell:
            for done in range(4):
                tell(done)
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert told.getvalue().endswith("\r\x1b[K")


def test_the_steps_of_a_file_are_told_by_their_bytes(tmp_path):
    steps = tmp_path / "steps"
    lines = [json.dumps({"event": {"n": n}}) + "\n" for n in range(3)]
    steps.write_text("".join(lines))
    done = []
    assert len(list(replay.steps_of(steps, done.append))) == 3
    assert done[-1] == steps.stat().st_size
