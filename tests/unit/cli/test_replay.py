"""`healer replay`: a thin shell around `healer.testing.replay`; wrong files name the line."""

from __future__ import annotations

import json
import re

import pytest

RULEBOOK = """
- name: disk
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: full, condition: event.used > vars.limit, action: {none: {}}}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "book.yml").write_text(RULEBOOK)
    (tmp_path / "vars.yml").write_text("limit: 90\n")
    return tmp_path


def replay(healer, files, steps, *more):
    (files / "steps.jsonl").write_bytes(steps)
    return healer("replay", files / "book.yml", "--steps", files / "steps.jsonl", "--vars", files / "vars.yml", *more)


def test_json(healer, files):
    done = replay(
        healer, files, b'{"event": {"used": 95}}\n{"event": {"used": 5}}\n{"event": {"used": 99}, "at": 7}\n', "--json"
    )
    assert done.exit_code == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"step": 0, "at": 0, "ruleset": "disk", "rule": "full", "matches": {"m": {"used": 95}}},
        {"step": 2, "at": 7, "ruleset": "disk", "rule": "full", "matches": {"m": {"used": 99}}},
    ]


def test_for_people(healer, files):
    assert replay(healer, files, b'{"event": {"used": 95}}').stdout == "step 0 at 0 s: disk/full\n"


def test_nothing_fires(healer, files):
    done = replay(healer, files, b"", "--json")
    assert (done.exit_code, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("steps", "line", "code", "said"),
    [
        (b'{"event": {}}\nnothing\n', 2, "not-json", "not JSON: Expecting value at column 1"),
        (b'{"event": {}}\n\n', 2, "steps", "an empty line"),
        (b'{"event": {"x": NaN}}\n', 1, "not-a-number", "the JSON has NaN, which is no JSON number"),
        (b'{"event": {"x": 1e999}}\n', 1, "number-too-large", "the number 1e999 does not fit"),
        (b"\xff\n", 1, "bad-text", "the JSON has text that cannot be kept: it is not UTF-8"),
        (b'{"event": {"x": "\\ud800"}}\n', 1, "bad-text", "the JSON has text that cannot be kept"),
        (b"[" * 100_000, 1, "too-deep", "the JSON is nested deeper than 64 levels"),
        (b'{"event": {"a": 1, "a": 2}}\n', 1, "duplicate-key", "the JSON has the key 'a' twice in one object"),
        (b'{"fact": {"a": [{"b": 1, "b": 1}]}}', 1, "duplicate-key", "the JSON has the key 'b' twice in one object"),
        (
            b'{"event": {}}\n{"event": {}, "event": {"a": 1}}\n',
            2,
            "duplicate-key",
            "the JSON has the key 'event' twice",
        ),
        (b'{"event": {}}\n{"advance_s": 1, "at": 1, "at": 2}\n', 2, "duplicate-key", "the JSON has the key 'at' twice"),
    ],
)
def test_a_line_that_is_no_step(healer, files, steps, line, code, said):
    done = replay(healer, files, steps)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error[{code}]: ")
    assert f"steps.jsonl:{line}: {said}" in done.stderr


def test_a_step_holds_whatever_the_daemon_takes(healer, files):
    """An event of all its levels, of more values and of longer texts than a body: those that sources bring may have them."""
    deep = b'{"a":' * 64 + b"1" + b"}" * 64
    wide = b'{"used": 95, "more": [' + b"1," * 60_000 + b'1], "text": "' + b"x" * 300_000 + b'"}'
    done = replay(healer, files, b'\xef\xbb\xbf{"event": ' + deep + b'}\r\n {"event":' + wide + b"} \n")
    assert (done.exit_code, done.stdout) == (0, "step 1 at 0 s: disk/full\n"), done.stderr
    assert "steps.jsonl:1: the JSON is nested" in replay(healer, files, b'{"event": {"a":' + deep + b"}}").stderr


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (b"[]", "step: a JSON object is wanted, got an empty list"),
        (b'{"evnt": {}}', "evnt: no such key in a step\n  try  did you mean 'event'?"),
        (b'{"event": {}, "ruleset": "x"}', "ruleset: no ruleset is named 'x'\n  try  known: disk"),
        (b'{"event": 5}', "event: a JSON object is wanted, got 5"),
        (b'{"advance_s": -1}', "advance_s: seconds (a number from 0 to below 1e12) are wanted, got -1"),
        (b'{"advance_s": 1e18}', "advance_s: seconds (a number from 0 to below 1e12) are wanted, got 1e+18"),
    ],
)  # fmt: skip
def test_a_step_that_is_wrong_names_its_line(healer, files, step, said):
    done = replay(healer, files, b'{"advance_s": 10.999}\n' + step)
    assert (done.exit_code, done.stderr) == (2, f"error[steps]: {files / 'steps.jsonl'}:2: {said}\n")


def test_a_rulebook_with_a_mistake(healer, files):
    (files / "book.yml").write_text(RULEBOOK.replace("condition", "conditon"))
    done = replay(healer, files, b"")
    assert done.exit_code == 1
    assert "book.yml:6:" in done.stderr
    assert re.fullmatch(r"error\[configuration\]: \d errors?", done.stderr.splitlines()[-1])


def test_variables_with_a_mistake_are_of_no_project(healer, files):
    (files / "vars.yml").write_text("limit: [")
    done = replay(healer, files, b"")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"{files / 'vars.yml'}:")
    assert done.stderr.endswith("\nerror[configuration]: 1 error\n")


@pytest.mark.parametrize("text", ["[1]", "a: [", "x"])
def test_variables_that_are_none(healer, files, text):
    (files / "vars.yml").write_text(text)
    assert replay(healer, files, b"").exit_code != 0


@pytest.mark.parametrize("missing", ["book.yml", "vars.yml"])
def test_a_file_that_is_not_there(healer, files, missing):
    (files / missing).unlink()
    assert replay(healer, files, b"").exit_code == 2
