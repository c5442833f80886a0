"""`healer runs`: the list, one run in full, its output."""

from __future__ import annotations

import json

import pytest

from healer.cli import runs

RUN = {
    "id": "r-7f3k2mabcdefghjkmnpqrstvwx", "short": "r-7f3k2m", "state": "deferred", "reason": "cooldown",
    "sentence": "clean_disk ran on host:web1 40 s ago; again after 9 min.", "next_step": "cooldown:", "rule": "disk/disk/disk is full",
    "action": "clean_disk", "controller": "local", "targets": ["host:web1"], "parameters": {"keep_days": 7}, "dry_run": False,
    "actor": "rule:disk/disk/disk is full", "event": "e-12", "created": "2026-03-01T02:07:12.000000Z", "ended": None, "attempts": 1,
    "last": None,
}  # fmt: skip
DONE = RUN | {"state": "succeeded", "reason": "unverified", "sentence": "", "next_step": "", "ended": "2026-03-01T02:07:14Z",
              "last": {"state": "succeeded", "summary": "exit 0", "seconds": 1.5}}  # fmt: skip


def test_table(ask, daemon):
    daemon["GET /api/v1/runs"] = {"items": [RUN, DONE], "next": None}
    head, first, second = ask("runs").stdout.splitlines()
    assert head.split() == ["run", "state", "when", "rule", "action", "on", "why"]
    assert first.startswith(
        "r-7f3k2m  deferred                2026-03-01 03:07:12 +01:00  disk/disk/disk is full  clean_disk  host:web1"
    )
    assert first.endswith("clean_disk ran on host:web1 40 s ago; again after 9 min.")
    assert "succeeded (unverified)" in second


@pytest.mark.parametrize(
    ("args", "query"),
    [
        (["list"], {}),
        (["--state", "deferred"], {"state": "deferred"}),
        (["--state", "queued, running"], {"state": "queued,running"}),
        (["--failed"], {"failed": "1"}),
        (["list", "--unknown"], {"state": "unknown"}),
        (["--rule", "a/b/c", "--action", "x", "--target", "web1"], {"rule": "a/b/c", "action": "x", "target": "web1"}),
        (["--since", "2026-03-01T03:00", "--until", "2026-03-01T04:00"],
         {"since": "2026-03-01T02:00:00.000000Z", "until": "2026-03-01T03:00:00.000000Z"}),
    ],
)  # fmt: skip
def test_filters(ask, daemon, args, query):
    daemon["GET /api/v1/runs"] = {"items": [], "next": None}
    assert ask("runs", *args).exit_code == 0
    assert daemon.requests[0].query == {"limit": "50", **query}


@pytest.mark.parametrize("args", [["--failed", "--unknown"], ["--state", "failed", "--failed"], ["--state", "odd"], ["--state", "failed,odd"], ["--state", ""], ["--state", "failed,"],
                                  ["--since", "soon"],
                                  ["--limit", "0"]])  # fmt: skip
def test_wrong_use(ask, args):
    assert ask("runs", *args).exit_code == 2


FULL = RUN | {
    "attempts": [{"number": 1, "state": "failed", "outcome": {"summary": "exit 4", "seconds": 0.5}}, {"number": 2, "state": "running"}],
    "targets": [{"target": "host:web1", "state": "deferred"}],
    "explanation": {
        "conditions": [{"text": "event.x == 1", "holds": True, "seen": [{"path": "event.x", "missing": False, "value": 1}]}],
        "gates": [{"gate": "age", "ok": True, "saw": {}}],
    },
}  # fmt: skip

GOLDEN = """\
r-7f3k2mabcdefghjkmnpqrstvwx  deferred
  why         clean_disk ran on host:web1 40 s ago; again after 9 min.
  next        cooldown:
  rule        disk/disk/disk is full
  action      clean_disk
  controller  local
  actor       rule:disk/disk/disk is full
  event       e-12
  on          host:web1
  parameters  {"keep_days": 7}
  made        2026-03-01 03:07:12 +01:00
  attempt 1   failed in 0.5 s: exit 4
  attempt 2   running
  conditions
    ✓ event.x == 1                                    event.x = 1
  gates
    yes  age
"""


def test_one_in_full(ask, daemon):
    daemon["GET /api/v1/runs/r-7f3"] = FULL
    assert ask("runs", "show", "r-7f3").stdout == GOLDEN
    assert json.loads(ask("runs", "show", "r-7f3", "--json").stdout) == FULL


CUT = FULL | {
    "attempts": [
        {"number": 1, "state": "succeeded", "summary": "exit 0", "truncated": True, "kept": {"stdout": 1_048_600, "stderr": 2_500}},
        {"number": 2, "state": "failed", "summary": "exit 4", "truncated": True, "kept": {"stdout": 40, "stderr": None}},
        {"number": 3, "state": "failed", "summary": "exit 4", "truncated": False, "kept": {"stdout": 40, "stderr": 0}},
        {"number": 4, "state": "failed", "summary": "exit 4", "truncated": True},
    ],
}  # fmt: skip


def test_an_output_that_was_cut_says_how_much_there_is_and_how_to_see_it(ask, daemon):
    daemon["GET /api/v1/runs/r-7f3"] = CUT
    lines = ask("runs", "show", "r-7f3").stdout.splitlines()
    at = lines.index("  attempt 1   succeeded: exit 0")
    cut, gone = "              its output was cut: ", "; what went beyond 1 MiB of a stream is gone"
    see = "              see it      healer runs show r-7f3k2m --output --attempt "
    assert lines[at + 1 : at + 9] == [
        f"{cut}kept are 1.0 MiB of stdout and 2.4 KiB of stderr{gone}",
        f"{see}1 --data-dir {daemon.data_dir}",
        f"{see}1 --stderr --data-dir {daemon.data_dir}",
        "  attempt 2   failed: exit 4",
        f"{cut}kept are 40 B of stdout{gone}",
        f"{see}2 --data-dir {daemon.data_dir}",
        "  attempt 3   failed: exit 4",
        "  attempt 4   failed: exit 4",
    ]
    assert lines[at + 9] == f"{cut}nothing of it is kept any more{gone}"


def test_the_last_look_of_a_run(ask, daemon):
    waited = {
        "code": "cooldown",
        "sentence": "ran 40 s ago.",
        "since": "2026-03-01T02:07:12Z",
        "until": "2026-03-01T02:08:12Z",
    }
    told = FULL["explanation"] | {"looked_at": "2026-03-01T02:08:12.000000Z", "waited": [waited]}
    daemon["GET /api/v1/runs/r-7f3"] = FULL | {"explanation": told}
    assert ask("runs", "show", "r-7f3").stdout.splitlines()[-3:] == [
        "  waited  60 s from 2026-03-01 03:07:12 +01:00 on: ran 40 s ago.",
        "  gates (looked at again 2026-03-01 03:08:12 +01:00)",
        "    yes  age",
    ]


def test_the_times_in_a_sentence_are_local(ask, daemon):
    paused = RUN | {"reason": "paused", "sentence": "Paused by the file PAUSE since 2026-03-01T02:05:00Z: release."}
    daemon["GET /api/v1/runs"] = {"items": [paused], "next": None}
    assert "since 2026-03-01 03:05:00 +01:00: release." in ask("runs").stdout


def test_an_id_is_one_segment(ask, daemon):
    ask("runs", "show", "../keys?x")
    assert daemon.requests[0].path == "/api/v1/runs/..%2Fkeys%3Fx"


@pytest.mark.parametrize(
    ("args", "query"),
    [
        (["--output"], {}),
        (["--output", "--stderr", "--attempt", "2"], {"stream": "stderr", "attempt": "2"}),
        (["--follow"], {"follow": "1"}),
    ],
)
def test_output(ask, daemon, args, query):
    daemon["GET /api/v1/runs/r-7f3/output"] = 200, "one\n\x1b[31mtwo\x1b[0m ü\ta\u202e\r\nend".encode()
    done = ask("runs", "show", "r-7f3", *args)
    assert done.stdout == "one\ntwo ü\ta\\u202e\nend"
    assert daemon.requests[0].query == query


def test_lines_are_whole_however_the_pieces_fall():
    data = "ä\x1b[31mb\nfeuer 火\n".encode() + b"\xff"
    for size in range(1, len(data) + 1):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert list(runs.lines_of(pieces)) == ["ä\x1b[31mb\n", "feuer 火\n", "\ufffd"]


def test_an_endless_line_is_let_go():
    first = next(runs.lines_of([b"x" * 70_000, b"y"]))
    assert len(first) == 70_000


def test_a_run_that_is_not_there(ask):
    done = ask("runs", "show", "r-none")
    assert done.exit_code == 1
    assert "error[not-found]" in done.stderr


# --- cancel, resolve --------------------------------------------------------------------------------------------------

ENDED = {
    "code": "run-ended", "status": 409, "detail": "the run r-9q1x0c has ended: it is succeeded", "try": "healer runs show r-9q1x0c",
}  # fmt: skip


def cancelled(**more):
    return {"id": RUN["id"], "short": RUN["short"], "state": "cancelled", "ending": False, "asked_before": None} | more


def test_what_waits_starts_past_its_gates(ask, daemon):
    daemon["POST /api/v1/runs/r-7f3/start"] = {
        "id": RUN["id"],
        "short": RUN["short"],
        "state": "queued",
        "asked_before": None,
        "past": ["Paused by ana since 2026-11-27T08:28:28.261585Z: a look.", "Waiting for 1 of ops."],
        "waits": "Run r-1 is working on web01.",
    }
    done = ask("runs", "start", "--yes", "r-7f3", "--break-glass", "--reason", "the site is down")
    assert (done.exit_code, done.stdout.splitlines()) == (0, [
        "r-7f3k2m  queued: Run r-1 is working on web01.", "  past  Paused by ana since 2026-11-27 09:28:28 +01:00: a look.",
        "  past  Waiting for 1 of ops.",
    ])  # fmt: skip
    assert json.loads(daemon.requests[-1].body) == {"break_glass": True, "reason": "the site is down"}


def test_nothing_starts_so_by_mistake(ask, daemon):
    done = ask("runs", "start", "--yes", "r-7f3", "--reason", "the site is down")
    assert done.exit_code == 2
    assert "--break-glass" in done.stderr
    assert daemon.requests == []


def test_what_never_starts_is_cancelled(ask, daemon):
    daemon["POST /api/v1/runs/r-7f3/cancel"] = cancelled()
    done = ask("runs", "cancel", "--yes", "r-7f3", "--reason", "the wrong host")
    assert (done.exit_code, done.stdout) == (0, "r-7f3k2m  cancelled\n")
    assert json.loads(daemon.requests[0].body) == {"reason": "the wrong host"}


@pytest.mark.parametrize(("before", "says"), [(None, ""), ("os:ana", " before, by os:ana")])
def test_what_runs_is_to_end(ask, daemon, before, says):
    daemon["POST /api/v1/runs/r-7f3/cancel"] = cancelled(state="running", ending=True, asked_before=before)
    done = ask("runs", "cancel", "--yes", "r-7f3")
    see = f"healer runs show r-7f3k2m --data-dir {daemon.data_dir}"
    assert (done.exit_code, done.stdout) == (
        0,
        f"r-7f3k2m  running: its end was asked for{says}; how it goes on:  {see}\n",
    )
    assert json.loads(daemon.requests[0].body) == {}


def test_of_several_each_is_tried_and_one_that_is_refused_is_told(ask, daemon):
    daemon["POST /api/v1/runs/r-9q1/cancel"] = (409, ENDED)
    daemon["POST /api/v1/runs/r-7f3/cancel"] = cancelled()
    done = ask("runs", "cancel", "--yes", "r-9q1", "r-7f3")
    assert (done.exit_code, done.stdout) == (1, "r-7f3k2m  cancelled\n")
    assert done.stderr.splitlines() == [
        "error[run-ended]: the run r-9q1x0c has ended: it is succeeded",
        f"  try  healer runs show r-9q1x0c --data-dir {daemon.data_dir}",
    ]


def test_cancel_for_programs(ask, daemon):
    daemon["POST /api/v1/runs/r-9q1/cancel"] = (409, ENDED)
    daemon["POST /api/v1/runs/r-7f3/cancel"] = cancelled()
    done = ask("runs", "cancel", "--yes", "r-9q1", "r-7f3", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"items": [cancelled()], "refused": [{"run": "r-9q1", **ENDED}]}


@pytest.mark.parametrize(("status", "code"), [(403, 4), (401, 4), (400, 2), (404, 1), (503, 1)])
def test_what_hinders_a_cancel(ask, daemon, status, code):
    daemon["POST /api/v1/runs/r-7f3/cancel"] = (status, {"code": "x", "detail": "no"})
    done = ask("runs", "cancel", "--yes", "r-7f3", "r-9q1")
    assert done.exit_code == code
    assert len(daemon.requests) == (2 if code == 1 else 1)


@pytest.mark.parametrize("args", [
    ["cancel"], ["resolve"], ["resolve", "r-7f3"], ["resolve", "r-7f3", "--as", "failed"], ["resolve", "r-7f3", "--reason", "x"],
    ["resolve", "r-7f3", "--as", "cancelled", "--reason", "x"], ["resolve", "r-7f3", "r-9q1", "--as", "failed", "--reason", "x"],
])  # fmt: skip
def test_wrong_use_of_cancel_and_resolve(ask, daemon, args):
    assert ask("runs", *args).exit_code == 2
    assert daemon.requests == []


def test_without_a_daemon(healer, tmp_path):
    for args in (["cancel", "r-7f3", "--yes"], ["resolve", "r-7f3", "--yes", "--as", "failed", "--reason", "x"]):
        assert healer("runs", *args, "--data-dir", tmp_path).exit_code == 3


@pytest.mark.parametrize(("found", "says"), [
    (None, "r-7f3k2m  failed"),
    ({"state": "failed", "summary": "exit 3"}, "r-7f3k2m  failed: its controller knows by now how it ended (exit 3); that counts"),
])  # fmt: skip
def test_resolve(ask, daemon, found, says):
    answer = {"id": RUN["id"], "short": RUN["short"], "state": "failed", "found": found}
    daemon["POST /api/v1/runs/r-7f3/resolve"] = answer
    args = ["runs", "resolve", "r-7f3", "--yes", "--as", "failed", "--reason", "looked at it"]
    assert ask(*args).stdout == says + "\n"
    assert json.loads(daemon.requests[0].body) == {"state": "failed", "reason": "looked at it"}
    assert json.loads(ask(*args, "--json").stdout) == answer


def test_what_still_runs_names_cancel(ask, daemon):
    daemon["POST /api/v1/runs/r-7f3/resolve"] = (
        409, {"code": "still-running", "detail": "the run still runs", "try": "healer runs cancel r-7f3k2m"},
    )  # fmt: skip
    done = ask("runs", "resolve", "--yes", "r-7f3", "--as", "failed", "--reason", "x")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[1] == f"  try  healer runs cancel r-7f3k2m --data-dir {daemon.data_dir}"


@pytest.mark.parametrize(("reason", "says"), [("", ""), ("the wrong host", ": the wrong host")])
def test_an_attempt_that_is_to_end_says_who_wants_it(ask, daemon, reason, says):
    asked = {"by": "key:ana", "at": "2026-03-01T02:07:12Z", "reason": reason}
    attempts = [{"number": 1, "state": "running", "cancel": asked}, {"number": 2, "state": "running", "cancel": None}]
    daemon["GET /api/v1/runs/r-7f3"] = FULL | {"attempts": attempts}
    lines = ask("runs", "show", "r-7f3").stdout.splitlines()
    assert f"  attempt 1   running: its end was asked for by key:ana{says}" in lines
    assert "  attempt 2   running" in lines


def test_what_chose_its_controller_and_why_a_person_wants_it(ask, daemon):
    told = {"chosen": {"controller": "local", "by": "rule"}, "asked_for": "it is full"}
    daemon["GET /api/v1/runs/r-7"] = RUN | {"explanation": told}
    shown = ask("runs", "show", "r-7").stdout.splitlines()
    assert "  controller  local (as the rule says)" in shown
    assert "  reason      it is full" in shown
