"""`healer alerts`."""

from __future__ import annotations

import json

ITEMS = [
    {"source": "am", "key": "k1", "cycle": 1, "status": "firing", "name": "DiskFull", "target": "web1", "severity": "warning",
     "opened": "2026-03-01T02:07:12Z", "closed": None, "times": 3, "runs": [{"id": "r-7f3k2m", "state": "running"}]},
    {"source": "am", "key": "k2", "cycle": 1, "status": "resolved", "name": "\x1b[31mX\u202e", "target": "", "severity": "info",
     "opened": "2026-03-01T02:00:00Z", "closed": "2026-03-01T02:05:00Z", "times": 1, "runs": []},
]  # fmt: skip


def test_table(ask, daemon):
    daemon["GET /api/v1/alerts"] = {"items": ITEMS, "next": None}
    assert ask("alerts").stdout == (
        "status    alert     target  severity  since                       seen  runs\n"
        "firing    DiskFull  web1    warning   2026-03-01 03:07:12 +01:00    3×  r-7f3k2m running\n"
        "resolved  X\\u202e           info      2026-03-01 03:05:00 +01:00    1×  none\n"
    )


def test_filters_and_json(ask, daemon):
    daemon["GET /api/v1/alerts"] = {"items": ITEMS, "next": None}
    done = ask("alerts", "--status", "firing", "--source", "am", "--name", "DiskFull", "--limit", "7", "--json")
    assert json.loads(done.stdout) == {"items": ITEMS, "next": None}
    assert daemon.requests[0].query == {"status": "firing", "source": "am", "name": "DiskFull", "limit": "7"}


def test_none(ask, daemon):
    daemon["GET /api/v1/alerts"] = {"items": [], "next": None}
    done = ask("alerts")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no alerts\n")


def test_more_than_shown(ask, daemon):
    daemon["GET /api/v1/alerts"] = {"items": ITEMS, "next": "c"}
    assert ask("alerts", "--status", "firing", "--limit", "2").stderr == "there are more:  --limit 8\n"
    assert json.loads(ask("alerts", "--limit", "2", "--json").stdout) == {"items": ITEMS, "next": "c"}
