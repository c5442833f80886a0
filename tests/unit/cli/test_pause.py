"""`healer pause`: what it sends, what it says, and what there is to pause for who says nothing."""

from __future__ import annotations

import datetime
import json

import pytest

from healer.cli import pause as command

SCOPES = [
    "all",
    "activation:web",
    "ruleset:web/alerts",
    "rule:web/alerts/restart",
    "rule:disk/disk/disk full",
    "controller:local",
]
ANSWER = {
    "scope": "all", "who": "os:ana", "reason": "web/restart hits healthy nodes", "since": "2026-03-01T02:05:10.000000Z",
    "until_changed": False, "running_count": 6, "waiting": 412, "cancelled": [],
    "running": [
        {"run": f"r-7f3k2m{n}", "action": "restart_nginx", "targets": [f"host:web0{n}"], "seconds": 14 + n} for n in range(1, 7)
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    class Fixed(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 3, 1, 2, 5, 11, tzinfo=tz)

    monkeypatch.setattr(command.datetime, "datetime", Fixed)


@pytest.fixture
def answers(daemon):
    """`answers(…)`: the daemon pauses so."""

    def answer(**more):
        daemon["POST /api/v1/pause"] = ANSWER | more
        return daemon

    daemon["GET /api/v1/scopes"] = {"items": [{"scope": one} for one in SCOPES], "next": None}
    return answer


def test_what_it_says(ask, answers):
    answers()
    done = ask("pause", "--all", "--reason", "web/restart hits healthy nodes")
    assert (done.exit_code, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert first == (
        "Paused: everything, by ana (os user), 03:05:10. No new effect starts from now on. Events are still taken and decided."
    )
    assert second.startswith(
        "  6 runs are going on and will end:  r-7f3k2m web01 restart_nginx 15 s, r-7f3k2m web02 restart_nginx 16 s"
    )
    assert " … (stop them too: healer pause --all --cancel-running --data-dir " in second
    assert third == "  412 wait. Nothing resumes by itself; the log reminds of it every 4 hours."


@pytest.mark.parametrize(("args", "sent"), [
    (["--all"], {"scope": "all"}), (["--rule", "restart"], {"scope": "rule:restart"}),
    (["--activation", "web", "--reason", "x"], {"scope": "activation:web", "reason": "x"}),
    (["--ruleset", "web/alerts", "--for", "90m"], {"scope": "ruleset:web/alerts", "for_s": 5400.0}),
    (["--controller", "local", "--until-revision-changes"], {"scope": "controller:local", "until_revision_changes": True}),
    (["--all", "--cancel-running"], {"scope": "all", "cancel_running": True}),
])  # fmt: skip
def test_what_it_sends(ask, answers, args, sent):
    daemon = answers()
    assert ask("pause", *args).exit_code == 0
    assert (
        json.loads(daemon.requests[0].body)
        == {"reason": "", "until_revision_changes": False, "cancel_running": False} | sent
    )


@pytest.mark.parametrize(("more", "said"), [
    ({"until": "2026-03-01T03:05:10Z"}, "  412 wait. It ends by itself at 04:05:10."),
    ({"until": "2026-03-02T03:05:10Z"}, "  412 wait. It ends by itself at 2026-03-02 04:05:10 +01:00."),
    ({"until_changed": True}, "  412 wait. It ends by itself once a reload changes it."),
    ({"until_changed": True, "until": "2026-03-01T03:05:10Z", "waiting": 1},
     "  1 waits. It ends by itself at 04:05:10 or once a reload changes it."),
    ({"waiting": 0}, "  0 wait. Nothing resumes by itself; the log reminds of it every 4 hours."),
])  # fmt: skip
def test_its_end(ask, answers, more, said):
    answers(**more)
    assert ask("pause", "--all").stdout.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("key:ci", "by ci (API key), "),
        ("os:ana", "by ana (os user), "),
        ("daemon", "by daemon, "),
        ("odd:x", "by odd:x, "),
    ],
)
def test_who(ask, answers, who, said):
    answers(who=who)
    assert said in ask("pause", "--all").stdout


def test_one_that_goes_on_and_none(ask, answers):
    answers(scope="rule:disk/disk/disk full", running=ANSWER["running"][:1], running_count=1)
    first, second, _ = ask("pause", "--rule", "disk full").stdout.splitlines()
    assert first.startswith("Paused: rule disk/disk/disk full, by ana")
    assert second.startswith(
        "  1 run is going on and will end:  r-7f3k2m web01 restart_nginx 15 s "
        "(stop it too: healer pause --rule 'disk/disk/disk full' --cancel-running --data-dir "
    )
    answers(running=[], running_count=0)
    assert len(ask("pause", "--all").stdout.splitlines()) == 2


def test_those_that_were_asked_to_end(ask, answers):
    runs = [one["run"] for one in ANSWER["running"]]
    answers(cancelled=runs)
    _, second, _ = ask("pause", "--all", "--cancel-running").stdout.splitlines()
    assert second.startswith("  6 runs were asked to end:  r-7f3k2m, ")
    answers(cancelled=runs[:5])
    _, second, third, _ = ask("pause", "--all", "--cancel-running").stdout.splitlines()
    assert (second[:26], third) == (
        "  5 runs were asked to end",
        "  1 run is going on and will end:  r-7f3k2m web06 restart_nginx 20 s",
    )


def test_for_programs(ask, answers):
    answers()
    assert json.loads(ask("pause", "--all", "--json").stdout) == ANSWER


def test_without_a_scope_those_that_there_are_are_listed(ask, answers):
    daemon = answers()
    done = ask("pause", "--reason", "x")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "  --all         everything",
        "  --activation  web",
        "  --ruleset     web/alerts",
        "  --rule        web/alerts/restart, 'disk/disk/disk full'",
        "  --controller  local",
        "error[usage]: say what to pause",
        "  try  one of: healer pause --all, healer pause --activation NAME, healer pause --ruleset ACTIVATION/RULESET,"
        " healer pause --rule ACTIVATION/RULESET/RULE, healer pause --controller NAME",
    ]  # fmt: skip
    assert [request.path for request in daemon.requests] == ["/api/v1/scopes"]


def test_of_many_some_are_listed():
    assert next(iter(command.listed([f"rule:a/b/r{n}" for n in range(1_025)]))).endswith(", a/b/r19 … and 1,005 more")
    assert list(command.listed([])) == []


def test_without_a_daemon_the_forms_are_told(healer, tmp_path):
    done = healer("pause", "--data-dir", tmp_path / "none")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (2, "error[usage]: say what to pause")


@pytest.mark.parametrize("args", [
    ["--all", "--rule", "x"], ["--rule", "x", "--controller", "y"], ["--rule", ""], ["--all", "--for", "soon"], ["--all", "--for", ""], ["all"],
])  # fmt: skip
def test_wrong_use(ask, answers, args):
    daemon = answers()
    assert ask("pause", *args).exit_code == 2
    assert [one for one in daemon.requests if one.method == "POST"] == []


def test_what_is_refused(ask, healer, daemon, tmp_path):
    problem = {
        "code": "not-found",
        "detail": "the rule 'restrat' is not known",
        "try": "did you mean 'rule:web/alerts/restart'?",
        "near": ["a", "b"],
    }
    daemon["POST /api/v1/pause"] = (404, problem)
    done = ask("pause", "--rule", "restrat")
    assert (done.exit_code, done.stderr.splitlines()) == (
        1, ["error[not-found]: the rule 'restrat' is not known", "  near a, b", "  try  did you mean 'rule:web/alerts/restart'?"],
    )  # fmt: skip
    daemon["POST /api/v1/pause"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("pause", "--all").exit_code == 4
    assert healer("pause", "--all", "--data-dir", tmp_path / "none").exit_code == 3


def test_no_name_steers_a_terminal(ask, answers):
    answers(scope="rule:\x1b[2Jx", who="os:\x1b]0;x\x07ana", running=[{"run": "\x1b[2J", "action": "\x1b[1m", "targets": ["\x1b[0m"], "seconds": 1}],
            running_count=1)  # fmt: skip
    assert "\x1b" not in ask("pause", "--all").stdout
