"""`healer sources`: the list, and one in full with the block for its sender's side."""

from __future__ import annotations

import json

import pytest

AM = {
    "name": "am", "type": "healer.webhook", "kind": "push", "place": "healer.yaml:4", "shared": True, "path": "am", "format": "alertmanager",
    "auth": "bearer", "resolves": True, "max_quiet_s": 600.0, "alert_ttl_s": None, "rate_limit": {"count": 100, "within_s": 1.0},
    "rulesets": ["web/alerts", "web/disks"], "more_rulesets": 3, "state": "running", "events": 12, "last_event": "2026-03-01T02:00:00Z",
    "silent": False, "error": None, "refused": None, "greeted": None, "suggested": None,
}  # fmt: skip
RANGE = AM | {
    "name": "a/rs/range", "type": "range", "kind": "eda", "place": "rulebooks/a.yml:5", "shared": False, "path": None, "format": None,
    "auth": None, "resolves": False, "max_quiet_s": None, "rate_limit": None, "rulesets": ["a/rs"], "more_rulesets": 0, "events": 0,
    "last_event": None,
}  # fmt: skip
FULL = {
    "options": {"path": "am", "auth": {"bearer": {"secret": "env:AM_TOKEN"}}}, "url": "https://h/hooks/am", "url_said": True,
    "secrets": ["env:AM_TOKEN"], "proof": "the header  Authorization: Bearer <the value of env:AM_TOKEN>", "proofs": ["bearer", "basic"],
    "fields": ["alert.name", "alert.labels.*"], "setup": "receivers:\n  - name: healer\n    url: https://h/hooks/am\n",
}  # fmt: skip


@pytest.fixture
def listed(daemon):
    daemon["GET /api/v1/sources"] = {"items": [RANGE, AM], "next": None}
    return daemon


@pytest.mark.parametrize("args", [["sources"], ["sources", "list"]])
def test_table(ask, listed, args):
    done = ask(*args)
    assert done.stdout.splitlines() == [
        "source      type            path       format        auth    heard by               last event                  how it does",
        "a/rs/range  range                                            a/rs                                               running",
        "am          healer.webhook  /hooks/am  alertmanager  bearer  web/alerts and 4 more  2026-03-01 03:00:00 +01:00  running",
    ]
    assert done.stderr == f"  what its sender needs:  healer sources show --data-dir {listed.data_dir} NAME\n"


REFUSED = {"at": "2026-03-01T02:00:01Z", "why": "no \x1b[2Jtoken"}


@pytest.mark.parametrize(("more", "does"), [
    ({"silent": True, "refused": REFUSED}, "SILENT"),
    ({"state": "failed", "error": "ValueError: x"}, "failed: ValueError: x"),
    ({"state": "failed"}, "failed: no reason is known"),
    ({"error": "an old one"}, "running"),
    ({"refused": REFUSED}, "refused: no token"),
    ({"refused": REFUSED, "last_event": "2026-03-01T02:00:02Z"}, "running"),
    ({"refused": REFUSED, "last_event": None}, "refused: no token"),
    ({"suggested": "grafana"}, "looks like grafana"),
    ({"state": None}, ""),
])  # fmt: skip
def test_how_each_does(ask, daemon, more, does):
    daemon["GET /api/v1/sources"] = {"items": [AM | more], "next": None}
    head, row = ask("sources").stdout.splitlines()
    assert row[head.index("how it does") :] == does


def test_one_that_nobody_hears(ask, daemon):
    daemon["GET /api/v1/sources"] = {"items": [AM | {"rulesets": [], "more_rulesets": 0}], "next": None}
    assert "  nobody  " in ask("sources").stdout


def test_for_programs(ask, listed):
    assert json.loads(ask("sources", "--json").stdout) == {"items": [RANGE, AM], "next": None}
    listed["GET /api/v1/sources/am"] = AM | FULL
    assert json.loads(ask("sources", "show", "am", "--json").stdout) == AM | FULL


def test_one_in_full_ends_with_what_is_pasted(ask, daemon):
    daemon["GET /api/v1/sources/am"] = AM | FULL
    done = ask("sources", "show", "am")
    assert done.stdout.splitlines() == [
        "am  healer.webhook, shared by healer.yaml",
        "  where       healer.yaml:4",
        "  path        /hooks/am",
        "  format      alertmanager: its sender says when an alert is over",
        "  auth        bearer: env:AM_TOKEN",
        "  heard by    web/alerts, web/disks and 3 more",
        "  limits      at most 100 deliveries per second, silent after 10 min",
        "  does        running, 12 events since the start, the last 2026-03-01 03:00:00 +01:00",
        '  option      path: "am"',
        '  option      auth: {"bearer": {"secret": "env:AM_TOKEN"}}',
        "  event has   alert.name alert.labels.*",
        "",
        "at the sender's side:",
        "  URL         https://h/hooks/am",
        "  proof       the header  Authorization: Bearer <the value of env:AM_TOKEN>",
        "",
        "receivers:",
        "  - name: healer",
        "    url: https://h/hooks/am",
    ]
    assert done.stderr == ""


def test_what_befell_it(ask, daemon):
    daemon["GET /api/v1/sources/am"] = AM | {
        "refused": REFUSED, "greeted": {"at": "2026-03-01T02:00:00Z", "what": "confirmed"}, "visit": ["https://sns/?Token=t"], "suggested": "grafana", "format": "generic",
        "resolves": False, "error": "x", "silent": True, "alert_ttl_s": 3600, "rate_limit": {"count": 5, "within_s": 600.0}, "events": 1,
    }  # fmt: skip
    told = ask("sources", "show", "am").stdout.splitlines()
    assert told[3:] == [
        "  format      generic: its sender does not say when an alert is over",
        "  auth        bearer",
        "  heard by    web/alerts, web/disks and 3 more",
        "  limits      at most 5 deliveries per 10 min, silent after 10 min, an alert ends when it was not heard of for 60 min",
        "  does        running, SILENT, 1 event since the start, the last 2026-03-01 03:00:00 +01:00, it failed with: x",
        "  refused     2026-03-01 03:00:01 +01:00: no token",
        "  greeted     2026-03-01 03:00:00 +01:00: confirmed",
        "  looks like  its last delivery looks like that of grafana: write  format: grafana",
        "  visit       https://sns/?Token=t",
    ]


@pytest.mark.parametrize(("auth", "proofs", "said"), [
    ("basic", ["bearer", "basic"], "where the block says another way (bearer), this one takes its place"),
    ("hmac", ["bearer", "basic"], "such senders are known to prove themselves by bearer, basic: see whether this one can"),
    ("bearer", ["bearer"], None),
    ("none", ["bearer"], None),
])  # fmt: skip
def test_a_proof_that_the_block_is_not_written_for(ask, daemon, auth, proofs, said):
    daemon["GET /api/v1/sources/am"] = AM | FULL | {"auth": auth, "proofs": proofs}
    lines = ask("sources", "show", "am").stdout.splitlines()
    after = lines[lines.index("at the sender's side:") + 3]
    assert after == (f"              {said}" if said else "")


def test_an_address_that_nobody_said_is_told_of(ask, daemon):
    daemon["GET /api/v1/sources/am"] = AM | FULL | {"url_said": False}
    done = ask("sources", "show", "am")
    assert done.stderr == (
        "  that address is where the daemon listens; another one?  server: {public_url: URL} in healer.yaml\n"
    )


def test_one_of_a_rulebook_that_nobody_delivers_to(ask, daemon):
    daemon["GET /api/v1/sources/a%2Frs%2Frange"] = (
        RANGE | FULL | {"url": None, "url_said": False, "options": {}, "fields": [], "secrets": []}
    )
    done = ask("sources", "show", "a/rs/range")
    assert done.stdout.splitlines() == [
        "a/rs/range  range",
        "  where       rulebooks/a.yml:5",
        "  heard by    a/rs",
        "  does        running, 0 events since the start",
    ]
    assert done.stderr == ""


def test_nothing_in_a_block_steers_a_terminal(ask, daemon):
    daemon["GET /api/v1/sources/am"] = AM | FULL | {"setup": "a\n\x1b[2J\u202eb\n"}
    assert ask("sources", "show", "am").stdout.endswith("\na\n\\u202eb\n")


def test_an_answer_of_another_shape_is_shown_as_far_as_it_goes(ask, daemon):
    daemon["GET /api/v1/sources/x"] = {
        "rulesets": 5,
        "fields": 5,
        "options": 5,
        "url": 5,
        "proofs": 5,
        "secrets": 5,
        "rate_limit": {},
    }
    done = ask("sources", "show", "x")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "?  ?")


def test_one_that_is_not_there_and_not_allowed(ask, healer, daemon, tmp_path):
    daemon["GET /api/v1/sources/x"] = (
        404,
        {"code": "not-found", "detail": "the source 'x' is not known", "try": "healer sources"},
    )
    done = ask("sources", "show", "x")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, f"  try  healer sources --data-dir {daemon.data_dir}")
    daemon["GET /api/v1/sources"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("sources").exit_code == 4
    assert healer("sources", "--data-dir", tmp_path / "none").exit_code == 3
