"""Roles and people of `healer.yaml` at a real daemon: they hold at once, after a reload and a start, and the audit says who may what."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from collections.abc import Callable
from typing import Any

import pytest

WaitFor = Callable[..., None]
ME = pwd.getpwuid(os.getuid()).pw_name
ONCALL = "roles:\n  oncall: {permissions: [pause, runs.read], rulesets: ['healing/*']}\n"
ANA = "principals:\n  ana: {roles: [oncall]}\n"


def settings(daemon: Any, more: str) -> None:
    """What it had, and this."""
    text = getattr(daemon, "settings", None) or (daemon.project / "healer.yaml").read_text()
    daemon.settings = text
    daemon.write("healer.yaml", text + more)


def records(daemon: Any) -> list[Any]:
    """(who, what changed) of each change of who may what."""
    return [(one["actor"], one["difference"]) for one in daemon.get("/audit?kind=access")[1]["items"]]


def key(daemon: Any, *arguments: str) -> str:
    made = daemon.healer("keys", "create", *arguments)
    assert made.returncode == 0, made.stderr
    return str(made.stdout.strip())


def test_roles_and_people_hold_at_once_and_the_audit_has_who_was_given_what(daemon: Any) -> None:
    settings(daemon, ONCALL + ANA)
    daemon.start()
    daemon.ready()
    hers, own = key(daemon, "laptop", "--principal", "ana"), key(daemon, "old", "--role", "oncall")
    pause = {"scope": "rule:asked"}
    assert daemon.ask("POST", "/pause", pause, key=hers)[0] == 200
    assert daemon.ask("POST", "/pause", {"scope": "all"}, key=hers)[0] == 403
    assert "rule healing/healing/asked by ana since" in daemon.healer("status").stdout
    given = ("daemon", {
        "roles": {"oncall": {"added": True, "given": ["pause", "runs.read"], "rulesets": {"before": None, "after": ["healing/*"]}}},
        "principals": {"ana": {"added": True, "given": ["oncall"]}},
    })  # fmt: skip
    assert records(daemon) == [given]

    settings(daemon, "principals:\n  ana: {roles: [readonly]}\n")
    told = daemon.healer("reload")
    assert told.returncode == 0, told.stderr
    assert "role oncall: removed, taken pause, runs.read, rulesets healing/* → nothing" in told.stdout
    assert "principal ana: given readonly, taken oncall" in told.stdout
    assert "(old) has the role 'oncall', which is not there: it grants nothing" in told.stdout
    for one, status in ((hers, 200), (own, 403)):
        assert daemon.ask("GET", "/runs", key=one)[0] == status
        assert daemon.ask("POST", "/pause", pause, key=one)[0] == 403
    assert [actor for actor, _ in records(daemon)] == ["daemon", f"os:{ME}"]

    daemon.stop()
    settings(daemon, ONCALL + ANA)
    daemon.start()
    daemon.ready()
    assert daemon.ask("POST", "/pause", pause, key=own)[0] == 200
    assert records(daemon)[2:] == [("daemon", {
        "roles": given[1]["roles"], "principals": {"ana": {"given": ["oncall"], "taken": ["readonly"]}},
    })]  # fmt: skip
    daemon.verified()


def test_a_key_that_is_taken_out_of_its_file_is_refused_after_a_reload(daemon: Any) -> None:
    """The file lies beside the project, of which nothing has changed then."""
    file = daemon.base / "keys"
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("k" * 20, "m" * 20)}
    file.write_text(f"ci ci {digests['k' * 20]}\n")
    settings(daemon, f"keys: {{file: {file}}}\n{ONCALL}{ANA}")
    daemon.start()
    daemon.ready()
    assert daemon.ask("GET", "/runs", key="k" * 20)[0] == 200
    file.write_text(f"pc - {digests['m' * 20]} ana\nodd nothing {'0' * 64}\n")
    told = daemon.healer("reload")
    assert told.returncode == 0, told.stderr
    assert "keys:2: warning[idle-key]: the key of odd has the role 'nothing', which is not there" in told.stdout
    assert daemon.ask("GET", "/runs", key="k" * 20)[0] == 401
    assert daemon.ask("POST", "/pause", {"scope": "rule:asked"}, key="m" * 20)[0] == 200
    ((actor, changed),) = records(daemon)[1:]
    assert (actor, {name.split()[0]: how for name, how in changed["keys"].items()}) == (f"os:{ME}", {
        "ci": {"removed": True, "taken": ["ci"]}, "odd": {"added": True, "given": ["nothing"]},
        "pc": {"added": True, "principal": {"before": None, "after": "ana"}},
    })  # fmt: skip
    file.write_text("this is no key\n")
    assert daemon.healer("reload").returncode == 1
    assert daemon.ask("GET", "/runs", key="m" * 20)[0] == 200


@pytest.fixture
def asked(daemon: Any, wait_for: WaitFor) -> Any:
    """A run waits for a person: the second host of an hour is one too many."""
    text = (daemon.project / "healer.yaml").read_text()
    daemon.settings = text.replace("blast_radius: none", "blast_radius: {targets: 1, or: 1, within: 1 hour}")
    settings(daemon, "")
    daemon.start()
    daemon.ready()
    for host in ("h1", "h2"):
        event = daemon.break_host(host)
        wait_for(lambda event=event: daemon.get(f"/events/{event}")[1]["decided"], 60, "the event to be decided")
    return daemon


def test_the_shell_of_a_host_approves_once_it_is_somebodys(asked: Any, wait_for: WaitFor) -> None:
    (request,) = asked.get("/approvals")[1]["items"]
    refused = asked.healer("approvals", "approve", request["id"])
    assert refused.returncode == 4
    assert "error[nobody-known]" in refused.stderr
    assert f"principals: {{NAME: {{os: {ME}, roles: [approver]}}}} in healer.yaml" in refused.stderr
    settings(asked, f"principals:\n  ana: {{roles: [approver], os: {ME}}}\n")
    assert asked.healer("reload").returncode == 0
    done = asked.healer("approvals", "approve", request["id"], "--reason", "looked at it")
    assert (done.returncode, "approved" in done.stdout) == (0, True), done.stderr
    wait_for(lambda: ["h2"] in [line[1:] for line in asked.lines()], 60, "the second host to be healed")
    (review,) = asked.get("/audit?kind=review")[1]["items"]
    assert (review["actor"], review["roles"]) == (f"os:{ME} = ana", ["admin", "approver"])
    (said,) = asked.get(f"/approvals/{request['id']}")[1]["reviews"]
    assert (said["person"], said["roles"]) == ("ana", ["admin", "approver"])


def test_a_mistake_in_who_may_what_is_told_with_its_place_and_changes_nothing(daemon: Any) -> None:
    settings(daemon, ONCALL + ANA)
    daemon.start()
    daemon.ready()
    settings(daemon, ONCALL + "principals:\n  ana: {roles: [onecall]}\n  bo: {roles: [oncall], os: x}\n  cy: {os: x}\n")
    told = daemon.healer("reload")
    assert told.returncode == 1
    last = len((daemon.project / "healer.yaml").read_text().splitlines())
    assert f"healer.yaml:{last - 2}:17: error[unknown-role]" in told.stderr
    assert f"healer.yaml:{last}:12: error[duplicate-identity]" in told.stderr
    assert len(records(daemon)) == 1
    assert json.loads(daemon.healer("keys", "--json").stdout)["items"]
