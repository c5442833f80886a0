"""`healer reload`: what changed, or every mistake."""

from __future__ import annotations

import json

import pytest

from healer.cli import terminal


def test_diagnostics_of_a_refusal_are_shown_as_validate_shows_them(ask, daemon):
    told = {
        "code": "unknown-source",
        "severity": "error",
        "message": "no source",
        "file": "a.yml",
        "line": 3,
        "column": 7,
        "try": "x",
    }
    daemon["POST /api/v1/reload"] = (
        422,
        {"code": "configuration", "detail": "1 error", "errors": [told, "odd", {"line": "x"}]},
    )
    done = ask("reload")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[:2] == ["a.yml:3:7: error[unknown-source]: no source", "  try  x"]


def test_reload_shows_what_changed(ask, daemon):
    daemon["POST /api/v1/reload"] = {
        "revision": "3f2a9c1" + "0" * 57, "short": "3f2a9c1", "changed": {"rules": {"added": ["a/b/c"], "gone": []}, "note": "x"},
    }  # fmt: skip
    assert ask("reload").stdout == "reloaded: revision 3f2a9c1\n  rules: a/b/c added\n  note: x\n"
    assert json.loads(ask("reload", "--json").stdout)["short"] == "3f2a9c1"


def test_settings_are_shown_with_what_they_were_and_are(ask, daemon):
    told = {
        "activations.obs.mode": {"before": "observe", "after": "active"},
        "storm": {"before": None, "after": "x"},
        "more": 3,
    }
    daemon["POST /api/v1/reload"] = {"short": "3f2a9c1", "changed": {"settings": told}}
    assert ask("reload").stdout.splitlines()[1:] == [
        "  activations.obs.mode: observe → active", "  storm: nothing → x", "  and 3 more settings",
    ]  # fmt: skip


def test_who_was_given_and_lost_what_is_shown(ask, daemon):
    access = {
        "roles": {"oncall": {"added": True, "given": ["pause", "resume"], "rulesets": {"before": None, "after": ["web/*"]}}},
        "principals": {"ana": {"given": ["oncall"], "taken": ["admin"]}, "b\x1b[31mo": {"removed": True, "os": {"before": "bo", "after": None}}},
        "odd": "x",
    }  # fmt: skip
    daemon["POST /api/v1/reload"] = {"revision": "3f2a9c1", "changed": {"access": access}}
    assert ask("reload").stdout.splitlines()[1:] == [
        "  role oncall: added, given pause, resume, rulesets nothing → web/*",
        "  principal ana: given oncall, taken admin",
        "  principal bo: removed, os bo → nothing",
    ]


def test_how_many_more_there_are_is_shown(ask, daemon):
    last = {
        "code": "more",
        "severity": "error",
        "message": "… and 9 more errors",
        "file": "a.yml",
        "line": 0,
        "column": 0,
        "try": "",
        "more": 9,
    }
    daemon["POST /api/v1/reload"] = (422, {"code": "configuration", "detail": "10 errors", "errors": [last]})
    assert ask("reload").stderr.splitlines()[0] == "a.yml: error[more]: … and 9 more errors"
    warned = {"revision": "3f2a9c1", "changed": {}, "diagnostics": [{**last, "severity": "warning"}]}
    daemon["POST /api/v1/reload"] = warned
    assert ask("reload").stdout.splitlines()[-1] == "a.yml: warning[more]: … and 9 more errors"


VOID = {
    "revision": "3f2a9c1",
    "short": "3f2a9c1",
    "changed": {"approvals": {"void": ["a-1", "a-2"]}},
    "diagnostics": [],
}


def test_a_preview_only_says_what_would_change(ask, daemon):
    daemon["POST /api/v1/reload"] = VOID
    assert ask("reload", "--preview").stdout == "would reload: revision 3f2a9c1\n  approvals: a-1, a-2 void\n"
    assert json.loads(ask("reload", "--preview", "--json").stdout) == VOID
    assert [json.loads(one.body) for one in daemon.requests] == [{"preview": True}] * 2


@pytest.mark.parametrize(("answer", "asked"), [("y\n", [{"preview": True}, None]), ("n\n", [{"preview": True}])])
def test_a_terminal_is_asked_where_approvals_become_void(ask, daemon, monkeypatch, answer, asked):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    daemon["POST /api/v1/reload"] = VOID
    done = ask("reload", stdin=answer)
    assert "Reload, and make 2 approvals void? [y/N]" in done.stderr
    assert [json.loads(one.body) if one.body else None for one in daemon.requests] == asked


def test_nobody_is_asked_with_yes_or_where_none_becomes_void(ask, daemon, monkeypatch):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    daemon["POST /api/v1/reload"] = VOID
    assert ask("reload", "--yes").exit_code == 0
    daemon["POST /api/v1/reload"] = VOID | {"changed": {}}
    assert ask("reload").stdout == "reloaded: revision 3f2a9c1\n"
    assert [bool(one.body) for one in daemon.requests] == [False, True, False]


def test_without_a_terminal_yes_has_to_say_it_where_approvals_become_void(ask, daemon):
    daemon["POST /api/v1/reload"] = VOID
    done = ask("reload")
    assert (done.exit_code, done.stderr) == (
        2,
        "error[not-confirmed]: 2 approvals would become void, and there is no terminal to ask whether that is meant\n  try  --yes\n",
    )
    assert [bool(one.body) for one in daemon.requests] == [True]
