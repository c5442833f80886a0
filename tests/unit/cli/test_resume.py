"""`healer resume`: the preview, the question, and what stays paused."""

from __future__ import annotations

import json

import pytest

from healer.cli import resume as command
from healer.cli import terminal

PREVIEW = {
    "scope": "all", "looked_at": 731, "still_paused": ["rule:web/restart"], "file": False,
    "states": {"withdrawn": {"resolved": 406}, "awaiting_approval": {"needs_approval": 2, "flapping": 1}, "deferred": {"cooldown": 10, "rate_limited": 2},
               "queued": {"": 310}},
    "starting": {"disk/disk full": 22, "web/restart": 288},
}  # fmt: skip
DONE = {"scope": "all", "still_paused": ["rule:web/restart"], "file": False}


@pytest.fixture
def paused(daemon):
    """A daemon that is paused; it answers a preview and a resume."""
    daemon["POST /api/v1/resume"] = lambda request: PREVIEW if json.loads(request.body).get("preview") else DONE
    daemon["GET /api/v1/pauses"] = {
        "items": [{"scope": "all", "by": "file"}, {"scope": "all"}, {"scope": "rule:web/alerts/restart"}], "next": None,
    }  # fmt: skip
    return daemon


def sent(daemon):
    return [json.loads(request.body) for request in daemon.requests if request.method == "POST"]


def test_preview_and_question(ask, paused, monkeypatch):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    done = ask("resume", "--all", stdin="y\n")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "  would be looked at again       731",
        "    withdrawn, resolved since    406",
        "    waiting for a person           3     needs_approval 2, flapping 1",
        "    deferred, other gates         12     cooldown 10, rate_limited 2",
        "    start, first 1, then 2, 4 …  310     web/restart 288 · disk/disk full 22",
        "  1 rule is still paused by itself: web/restart",
        "Resumed: everything.",
        "  1 rule is still paused by itself: web/restart",
    ]
    assert done.stderr.startswith("Resume? [y/N]: ")
    assert sent(paused) == [{"scope": "all", "preview": True}, {"scope": "all"}]


@pytest.mark.parametrize("said", ["n\n", "\n", ""])
def test_without_a_yes_it_stays(ask, paused, monkeypatch, said):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    assert ask("resume", "--all", stdin=said).exit_code == 1
    assert sent(paused) == [{"scope": "all", "preview": True}]


def test_without_a_terminal_yes_has_to_say_it(ask, paused):
    done = ask("resume", "--all")
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "error[not-confirmed]: what is paused would go on, and there is no terminal to ask whether that is meant", "  try  --yes",
    ]  # fmt: skip
    assert done.stdout.startswith("  would be looked at again")
    assert sent(paused) == [{"scope": "all", "preview": True}]
    paused.requests.clear()
    assert ask("resume", "--all", "--yes").exit_code == 0
    assert sent(paused) == [{"scope": "all"}]


def test_for_programs(ask, paused, monkeypatch):
    assert json.loads(ask("resume", "--all", "--yes", "--json").stdout) == DONE
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    done = ask("resume", "--all", "--json", stdin="y\n")
    assert json.loads(done.stdout) == DONE
    assert "would be looked at again" in done.stderr


@pytest.mark.parametrize(("found", "lines"), [
    ({}, []),
    ({"still_paused": ["all"]}, ["  everything is still paused by itself"]),
    ({"still_paused": ["controller:a", "rule:x/y/z", "rule:x/y/w"]},
     ["  2 rules are still paused by themselves: x/y/z, x/y/w", "  1 controller is still paused by itself: a"]),
    ({"still_paused": [f"rule:{n}" for n in range(7)]}, ["  7 rules are still paused by themselves: 0, 1, 2, 3, 4 …"]),
    ({"file": True}, ["  the file PAUSE in the data directory still pauses everything: remove it"]),
])  # fmt: skip
def test_what_stays_paused(found, lines):
    assert list(command.still(found)) == lines


def test_nothing_waits():
    assert list(command.preview_lines({"looked_at": 0, "states": {}})) == ["  would be looked at again         0"]


def test_of_many_rules_those_with_the_most_are_shown():
    found = {"looked_at": 21, "states": {"queued": {"": 21}}, "starting": {f"r{n}": n for n in range(1, 7)}}
    assert list(command.preview_lines(found))[-1].endswith("   r6 6 · r5 5 · r4 4 · r3 3 · r2 2 · …")


def test_what_is_paused_is_listed_for_who_names_nothing(ask, paused):
    done = ask("resume")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[:3] == [
        "  --all         everything", "  --rule        web/alerts/restart", "error[usage]: say what to resume",
    ]  # fmt: skip
    assert sent(paused) == []


@pytest.mark.parametrize("args", [["--all", "--rule", "x"], ["--controller", ""], ["everything"]])
def test_wrong_use(ask, paused, args):
    assert ask("resume", *args).exit_code == 2
    assert sent(paused) == []


def test_what_is_refused(ask, healer, daemon, tmp_path):
    daemon["POST /api/v1/resume"] = (
        404,
        {"code": "not-found", "detail": "a pause of everything is not known", "try": "healer status"},
    )
    done = ask("resume", "--all", "--yes")
    assert (done.exit_code, done.stderr.splitlines()[1]) == (1, f"  try  healer status --data-dir {daemon.data_dir}")
    daemon["POST /api/v1/resume"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("resume", "--all").exit_code == 4
    assert healer("resume", "--all", "--data-dir", tmp_path / "none").exit_code == 3
