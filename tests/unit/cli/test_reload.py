"""`healer reload`: what changed, or every mistake."""

from __future__ import annotations

import json


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
