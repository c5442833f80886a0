"""`--format` and `--json` of `explain` and `simulate`."""

from __future__ import annotations

import json

import pytest

from healer.cli import terminal

EVENT = {"id": "e-1", "source": "am", "event": {"text": "@all ``` <b>"}}
TEST = {"text": "event.text == 1", "holds": False, "seen": [{"path": "event.text", "value": "@all ``` <b>"}]}
RULE = {"rule": "a/b/c", "fired": False, "reason": "no-match", "conditions": [TEST]}
ANSWERS = {
    "explain": ("GET /api/v1/explain/e-1", {"event": EVENT, "rules": [RULE, RULE | {"rule": "d", "fired": True}]}),
    "simulate": (
        "POST /api/v1/simulate",
        {
            "items": [
                {"event": EVENT, "listening": 1, "rules": [RULE, RULE | {"rule": "d", "fired": True}], "others": 2}
            ],
            "more": 3,
        },
    ),
}


@pytest.fixture(params=ANSWERS)
def told(request, ask, daemon):
    """`told("--json")`: what the command says with these options."""
    path, answer = ANSWERS[request.param]
    daemon[path] = answer
    return lambda *args, **more: (ask(request.param, "e-1", *args, **more), answer)


@pytest.mark.parametrize("args", [["--json"], ["--format", "json"], ["--json", "--format", "json"]])
def test_json_is_what_the_api_answers(told, args):
    done, answer = told(*args)
    assert (done.exit_code, json.loads(done.stdout)) == (0, answer)


def test_text_is_what_stands_without(told):
    assert told("--format", "text")[0].stdout == told()[0].stdout


def test_markdown_has_each_rule_and_keeps_the_data_in_code(told):
    done, _ = told("--format", "markdown")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("### ")
    assert "#### `d: " in done.stdout
    assert "a/b/c: " in done.stdout
    lines = [line for line in done.stdout.splitlines() if "@all" in line]
    assert all(line.startswith(("  ", "- ✗ `event.text == 1` ````event.text = ")) for line in lines), lines
    assert "\n````text\n" in done.stdout


def test_colour_is_for_a_terminal(told, monkeypatch):
    done, _ = told()
    assert "\x1b" not in done.stdout
    monkeypatch.setattr(terminal.click, "echo", lambda text="", **_: shown.append(text))
    shown: list[str] = []
    told()
    assert any("\x1b[32mfired" in text or "\x1b[32mwould fire" in text for text in shown)
    shown.clear()
    monkeypatch.setenv("NO_COLOR", "1")
    told()
    told("--format", "markdown")
    assert shown
    assert not any("\x1b" in text for text in shown)


def test_two_forms_at_once_are_wrong_use(told):
    done, _ = told("--json", "--format", "markdown")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--json and --format markdown are two forms: one of them is wanted" in done.stderr
