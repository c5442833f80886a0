"""`healer replay`: a thin shell around `healer.testing.replay`; wrong files name the line."""

from __future__ import annotations

import json

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
    ("steps", "line", "said"),
    [
        (b'{"event": {}}\nnothing\n', 2, "not JSON"),
        (b'{"event": {}}\n\n', 2, "an empty line"),
        (b'{"event": {"x": NaN}}\n', 1, "not JSON: NaN is no JSON number"),
        (b"\xff\n", 1, "not JSON"),
        (b"[" * 100_000, 1, "nested too deep"),
    ],
)
def test_a_line_that_is_no_step(healer, files, steps, line, said):
    done = replay(healer, files, steps)
    assert done.exit_code == 2
    assert f"steps.jsonl:{line}: {said}" in done.stderr


@pytest.mark.parametrize(
    "step", [b"[]", b'{"evnt": {}}', b'{"event": {}, "ruleset": "x"}', b'{"event": 5}', b'{"advance_s": -1}']
)
def test_a_step_that_is_wrong_names_its_line(healer, files, step):
    done = replay(healer, files, b'{"event": {}}\n' + step)
    assert done.exit_code == 2
    assert "line 2" in done.stderr


def test_a_rulebook_with_a_mistake(healer, files):
    (files / "book.yml").write_text(RULEBOOK.replace("condition", "conditon"))
    done = replay(healer, files, b"")
    assert done.exit_code == 1
    assert "book.yml:6:" in done.stderr


@pytest.mark.parametrize("text", ["[1]", "a: [", "x"])
def test_variables_that_are_none(healer, files, text):
    (files / "vars.yml").write_text(text)
    assert replay(healer, files, b"").exit_code != 0


@pytest.mark.parametrize("missing", ["book.yml", "vars.yml"])
def test_a_file_that_is_not_there(healer, files, missing):
    (files / missing).unlink()
    assert replay(healer, files, b"").exit_code == 2
