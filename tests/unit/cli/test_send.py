"""`healer send`: what a file may hold, to whom it goes, and that it asks before something may act."""

from __future__ import annotations

import contextlib
import json

import hypothesis
import pytest
from hypothesis import strategies

from healer.cli import send, terminal

ACCEPTED = 202, {"accepted": 1, "duplicates": 0, "ids": ["e-12"]}
API = {"name": "healer.api", "type": "healer.api"}
HOOK = {"name": "alertmanager", "type": "healer.webhook", "path": "am/eu"}
OTHER = {"name": "grafana", "type": "healer.webhook", "path": "grafana"}


@pytest.fixture
def observing(daemon):
    daemon["GET /api/v1/status"] = {"mode": "observe", "sources": [API]}
    daemon["POST /events"] = ACCEPTED
    return daemon


def posted(daemon):
    return [request for request in daemon.requests if request.method == "POST"]


@pytest.fixture
def event(tmp_path):
    path = tmp_path / "event.json"
    path.write_text('{"a": 1}')
    return path


def test_one_object(ask, observing, event):
    done = ask("send", event)
    assert done.exit_code == 0
    assert done.stdout == "accepted 1 event: e-12\n"
    assert "healer explain e-12" in done.stderr
    (request,) = posted(observing)
    assert (request.body, request.headers["content-type"]) == (b'{"a": 1}', "application/json")


def test_standard_input_and_json(ask, observing):
    done = ask("send", "-", "--json", stdin=b'[{"a": 1}, {"a": 2}]')
    assert json.loads(done.stdout) == {"accepted": 1, "duplicates": 0, "ids": ["e-12"]}
    assert posted(observing)[0].body == b'[{"a": 1}, {"a": 2}]'


def test_an_object_a_line_goes_in_batches(ask, observing, monkeypatch):
    monkeypatch.setattr(send, "BATCH_LINES", 2)
    lines = b'{"a": 1}\n\n{"a": 2}\r\n{"a": 3}'
    done = ask("send", "-", stdin=lines)
    assert [request.body for request in posted(observing)] == [b'{"a": 1}\n{"a": 2}\n', b'{"a": 3}\n']
    assert {request.headers["content-type"] for request in posted(observing)} == {"application/x-ndjson"}
    assert done.stdout == "accepted 2 events: e-12, e-12\n"


@hypothesis.given(strategies.lists(strategies.binary(min_size=1, max_size=20), min_size=1, max_size=30))
def test_batches_hold_every_line_once(lines):
    lines = tuple(line.replace(b"\n", b"x") for line in lines)
    bodies = list(send.bodies(send.Events(b"", len(lines), lines), send.Listener("x", "/events")))
    assert b"".join(body for body, _ in bodies) == b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "standard input is empty"),
        (b" \n ", "standard input is empty"),
        (b"nothing", "standard input is no JSON"),
        (b'{"a": 1}\n{"a": \n', "standard input:2 is no JSON"),
        (b'{"a":\n 1', "standard input is no JSON"),
        (b"[" * 100_000, "standard input is nested too deep"),
        (b"\xff\xfe\x00", "is no JSON"),
    ],
)
def test_what_is_no_json_is_not_sent(ask, observing, data, text):
    done = ask("send", "-", stdin=data)
    assert done.exit_code == 2
    assert text in done.stderr
    assert posted(observing) == []


@hypothesis.given(strategies.binary(max_size=60))
def test_any_bytes_are_events_or_wrong_use(data):
    with contextlib.suppress(send.NotEvents):
        assert send.read(data, "x").count >= 0


def test_a_file_that_is_not_there(ask, observing):
    done = ask("send", "nothing.json")
    assert done.exit_code == 2
    assert "nothing.json" in done.stderr


def test_a_file_is_bounded(ask, observing, event, monkeypatch):
    monkeypatch.setattr(send, "BYTES_MAX", 3)
    assert ask("send", event).exit_code == 2


def test_a_refusal_of_the_daemon(ask, observing, event):
    observing["POST /events"] = 404, {"code": "no_listener", "detail": "nobody would read the event"}
    done = ask("send", event)
    assert done.exit_code == 1
    assert "error[no_listener]" in done.stderr


def test_what_was_taken_before_a_refusal_is_said(ask, observing, monkeypatch):
    monkeypatch.setattr(send, "BATCH_LINES", 1)
    observing["POST /events"] = lambda request: (
        ACCEPTED if request.body == b"1\n" else (400, {"code": "not-json", "detail": "no"})
    )
    done = ask("send", "-", stdin=b"1\n2\n3\n")
    assert done.exit_code == 2
    assert done.stderr == "1 events were accepted before this\nerror[not-json]: no\n"
    assert len(posted(observing)) == 2


def test_a_hook_that_refuses_says_which_token(ask, daemon, event):
    daemon["POST /hooks/x"] = 401, {"code": "unauthorized", "detail": "a key is needed"}
    done = ask("send", event, "--hook", "x", "--yes")
    assert done.exit_code == 4
    assert "--token TOKEN" in done.stderr


# --- to whom --------------------------------------------------------------------------------------------------------------


def test_a_hook_takes_one_body_a_request_and_its_own_token(ask, daemon):
    daemon["POST /hooks/am/eu"] = ACCEPTED
    daemon["GET /api/v1/status"] = {"mode": "observe"}
    assert ask("send", "-", "--hook", "am/eu", "--token", "t0k", stdin=b'[{"a": 1}, {"a": 2}]').exit_code == 0
    assert [request.body for request in posted(daemon)] == [b'{"a": 1}', b'{"a": 2}']
    assert posted(daemon)[0].headers["authorization"] == "Bearer t0k"


def test_the_token_of_a_hook_from_the_environment(ask, daemon, event):
    daemon["POST /hooks/x"] = ACCEPTED
    assert ask("send", event, "--hook", "x", "--yes", env={"HEALER_HOOK_TOKEN": "t0k"}).exit_code == 0
    assert daemon.requests[0].headers["authorization"] == "Bearer t0k"


def test_headers_that_a_sender_would_set(ask, daemon, event):
    daemon["POST /hooks/x"] = ACCEPTED
    more = ("--header", "X-GitHub-Event: push", "--header", "content-type:application/cloudevents+json")
    assert ask("send", event, "--hook", "x", "--yes", "--token", "t0k", *more).exit_code == 0
    headers = daemon.requests[0].headers
    assert (headers["x-github-event"], headers["content-type"]) == ("push", "application/cloudevents+json")
    assert headers["authorization"] == "Bearer t0k"


@pytest.mark.parametrize(
    "header", ["push", ": push", "a b: c", "X-A: ü", "X-A: b\r\nc: d", "Host: x", "content-length: 3", "X-A:"]
)
def test_what_is_no_header(ask, daemon, event, header):
    done = ask("send", event, "--hook", "x", "--yes", "--header", header)
    assert (done.exit_code, daemon.requests) == (2, [])
    assert "--header" in done.stderr


def test_what_could_not_be_read_of_a_body_is_said(ask, daemon, event):
    daemon["POST /hooks/x"] = 202, {"accepted": 1, "duplicates": 0, "ids": ["e-12"], "quarantined": 2}
    done = ask("send", event, "--hook", "x", "--yes")
    assert done.stdout == "accepted 1 event, 2 in quarantine: e-12\n"
    assert "healer events quarantine" in done.stderr
    told = json.loads(ask("send", event, "--hook", "x", "--yes", "--json").stdout)
    assert told == {"accepted": 1, "duplicates": 0, "ids": ["e-12"], "quarantined": 2}


def test_an_answer_without_events(ask, daemon, event):
    daemon["POST /hooks/x"] = {"challenge": "c"}  # a greeting is none
    assert ask("send", event, "--hook", "x", "--yes").stdout == "accepted 0 events\n"


def test_headers_are_for_webhooks(ask, observing, event):
    done = ask("send", event, "--header", "X-A: b")
    assert (done.exit_code, posted(observing)) == (2, [])
    assert "--header: it is for webhooks, and healer.api is none" in done.stderr


@pytest.mark.parametrize("hook", ["../keys", "a/../b", "", "/", "a//b", "."])
def test_a_hook_that_climbs(ask, daemon, event, hook):
    done = ask("send", event, "--hook", hook, "--yes")
    assert done.exit_code in (2,) if hook else (1, 2)
    assert posted(daemon) == []


def test_a_hook_is_quoted(ask, daemon, event):
    ask("send", event, "--hook", "a/b?c", "--yes")
    assert daemon.requests[0].path == "/hooks/a/b%3Fc"


def test_the_only_listener_is_taken(ask, daemon, event):
    daemon["GET /api/v1/status"] = {"mode": "observe", "sources": [HOOK, {"name": "range", "type": "range"}]}
    daemon["POST /hooks/am/eu"] = ACCEPTED
    assert ask("send", event).exit_code == 0


def test_a_source_by_name(ask, daemon, event):
    daemon["GET /api/v1/status"] = {"mode": "observe", "sources": [API, HOOK, OTHER]}
    daemon["POST /hooks/grafana"] = ACCEPTED
    assert ask("send", event, "--source", "grafana").exit_code == 0
    done = ask("send", event, "--source", "grafna")
    assert done.exit_code == 2
    assert "did you mean 'grafana'?" in done.stderr


def test_event_types_of_the_catalog_take_one_body_a_request_and_a_key(ask, daemon):
    types = {"name": "healer.events", "type": "healer.events"}
    daemon["GET /api/v1/status"] = {"mode": "observe", "sources": [types, API]}
    daemon["POST /webhook"] = ACCEPTED
    sent = b'[{"event_type": "a"}, {"event_type": "b"}]'
    done = ask(
        "send", "-", "--source", "healer.events", stdin=sent, env={"HEALER_KEY": "hlr_x", "HEALER_HOOK_TOKEN": "t0k"}
    )
    assert done.exit_code == 0
    assert [(one.body, one.headers["authorization"]) for one in posted(daemon)] == [
        (b'{"event_type": "a"}', "Bearer hlr_x"),
        (b'{"event_type": "b"}', "Bearer hlr_x"),
    ]


@pytest.mark.parametrize(("sources", "path"), [([], "/webhook"), ([HOOK], "/hooks/am/eu"), ([API], "/events")])
def test_event_types_are_meant_where_nothing_else_listens(ask, daemon, event, sources, path):
    daemon["GET /api/v1/status"] = {
        "mode": "observe",
        "sources": [{"name": "healer.events", "type": "healer.events"}, *sources],
    }
    daemon[f"POST {path}"] = ACCEPTED
    assert ask("send", event).exit_code == 0


def test_several_listeners_are_named(ask, daemon, event):
    daemon["GET /api/v1/status"] = {"mode": "observe", "sources": [HOOK, OTHER]}
    done = ask("send", event)
    assert done.exit_code == 2
    assert done.stderr == ("error[usage]: several sources take what is sent, and none is named\n"
                           "  try  --source NAME, there are: alertmanager, grafana\n")  # fmt: skip


def test_several_listeners_are_asked_for_on_a_terminal(ask, daemon, event, monkeypatch):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    daemon["GET /api/v1/status"] = {"mode": "observe", "sources": [HOOK, OTHER]}
    daemon["POST /hooks/grafana"] = ACCEPTED
    assert ask("send", event, stdin="grafana\n").exit_code == 0


def test_where_nobody_listens_the_daemon_says_so(ask, daemon, event):
    daemon["GET /api/v1/status"] = {"mode": "observe", "sources": []}
    daemon["POST /events"] = (
        404,
        {"code": "no_listener", "detail": "nobody would read the event", "try": "add healer.api"},
    )
    done = ask("send", event)
    assert done.exit_code == 1
    assert done.stderr == "error[no_listener]: nobody would read the event\n  try  add healer.api\n"


def test_hook_and_source_together(ask, event):
    assert ask("send", event, "--hook", "a", "--source", "b").exit_code == 2


# --- may it -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def active(daemon):
    daemon["GET /api/v1/status"] = {"mode": "active", "sources": [API]}
    daemon["POST /events"] = ACCEPTED
    return daemon


@pytest.mark.parametrize(("said", "code", "sent"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("", 1, 0)])
def test_active_asks_on_a_terminal(ask, active, event, monkeypatch, said, code, sent):
    monkeypatch.setattr(terminal, "can_ask", lambda: True)
    done = ask("send", event, stdin=said)
    assert (done.exit_code, len(posted(active))) == (code, sent)
    assert "1 event to healer.api may start actions. Send?" in done.stderr


def test_active_without_a_terminal_wants_yes(ask, active, event):
    done = ask("send", event)
    assert done.exit_code == 2
    assert done.stderr.startswith("error[not-confirmed]")
    assert "try  --yes" in done.stderr
    assert posted(active) == []
    assert ask("send", event, "--yes").exit_code == 0


def test_a_mode_that_is_not_told_counts_as_active(ask, daemon, event):
    daemon["GET /api/v1/status"] = {}
    assert ask("send", event).exit_code == 2
