"""`healer silence`: making one, the list, and ending one."""

from __future__ import annotations

import json

import pytest

SILENCE = {
    "id": "s-7f3k2m1q", "state": "holds", "matchers": ["alertname=NodeDown", 'env=~"prod|stage"'], "from": "2026-03-01T02:00:00Z",
    "until": "2026-03-01T04:00:00Z", "who": "os:ana", "comment": "works", "created": "2026-03-01T02:00:00Z", "ended": None, "ended_by": None,
}  # fmt: skip


@pytest.mark.parametrize("args", [["silence"], ["silence", "list"]])
def test_table(ask, daemon, args):
    over = SILENCE | {"id": "s-2", "state": "ended", "matchers": ["rule=c"], "ended": "2026-03-01T03:00:00Z"}
    daemon["GET /api/v1/silences"] = {"items": [SILENCE, over], "next": None}
    head, first, second = ask(*args).stdout.splitlines()
    assert head.split() == ["silence", "state", "matchers", "from", "until", "who", "comment"]
    assert first.split("  ")[0] == "s-7f3k2m1q"
    assert 'alertname=NodeDown env=~"prod|stage"' in first
    assert first.index("2026-03-01 05:00:00 +01:00") == second.index("2026-03-01 04:00:00 +01:00")
    assert first.endswith("os:ana  works")


def test_none_and_for_programs(ask, daemon):
    daemon["GET /api/v1/silences"] = {"items": [], "next": None}
    done = ask("silence")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no silences\n")
    assert json.loads(ask("silence", "list", "--json").stdout) == {"items": [], "next": None}


def test_one_is_made(ask, daemon):
    daemon["POST /api/v1/silences"] = (
        201,
        {"id": "s-7f3k2m1q", "from": "2026-03-01T02:00:00Z", "until": "2026-03-01T04:00:00Z"},
    )
    done = ask("silence", "add", "alertname=NodeDown", 'env=~"prod|stage"', "--for", "2h", "--comment", "works")
    assert (done.exit_code, done.stdout) == (
        0, f"silenced until 2026-03-01 05:00:00 +01:00: s-7f3k2m1q  (end it: healer silence end s-7f3k2m1q --data-dir {daemon.data_dir})\n",
    )  # fmt: skip
    assert json.loads(daemon.requests[0].body) == {
        "matchers": ["alertname=NodeDown", 'env=~"prod|stage"'], "for_s": 7200.0, "comment": "works",
    }  # fmt: skip
    ask("silence", "add", "a=b", "--for", "30 minutes", "--in", "1h", "--comment", "x", "--json")
    assert json.loads(daemon.requests[1].body) == {"matchers": ["a=b"], "for_s": 1800.0, "in_s": 3600.0, "comment": "x"}


def test_a_matcher_that_is_none(ask, daemon):
    daemon["POST /api/v1/silences"] = (
        400,
        {"code": "invalid-matcher", "detail": "matchers: no", "try": "write name=value"},
    )
    done = ask("silence", "add", "nothing", "--for", "2h", "--comment", "x")
    assert (done.exit_code, done.stderr.splitlines()) == (
        2,
        ["error[invalid-matcher]: matchers: no", "  try  write name=value"],
    )


@pytest.mark.parametrize(("ended", "said"), [(True, "ended s-7f3k2m1q\n"), (False, "s-7f3k2m1q had ended already\n")])
def test_one_is_ended(ask, daemon, ended, said):
    daemon["POST /api/v1/silences/s-7f/end"] = {"id": "s-7f3k2m1q", "ended": ended}
    done = ask("silence", "end", "--yes", "s-7f")
    assert (done.exit_code, done.stdout) == (0, said)
    assert json.loads(ask("silence", "end", "--yes", "s-7f", "--json").stdout) == {"id": "s-7f3k2m1q", "ended": ended}


@pytest.mark.parametrize("args", [
    ["add"], ["add", "a=b"], ["add", "a=b", "--for", "2h"], ["add", "a=b", "--comment", "x"], ["add", "--for", "2h", "--comment", "x"],
    ["add", "a=b", "--for", "soon", "--comment", "x"], ["end"], ["end", "a", "b"],
])  # fmt: skip
def test_wrong_use(ask, daemon, args):
    assert ask("silence", *args).exit_code == 2
    assert daemon.requests == []


def test_not_allowed_and_not_reachable(ask, healer, daemon, tmp_path):
    daemon["POST /api/v1/silences/s-1/end"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("silence", "end", "--yes", "s-1").exit_code == 4
    assert healer("silence", "--data-dir", tmp_path / "none").exit_code == 3
