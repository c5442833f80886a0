"""Who wrote the rules in force, as a real repository has it: also where a reload brings another commit and not one other byte."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

Wait = Callable[..., None]
SETTINGS = """\
environment: test
mode: active
principals:
  ana: {roles: [approver], git: ana@example.org}
  bo: {roles: [approver], git: bo@example.org}
"""
ACTIONS = """\
actions:
  heal:
    script: heal.sh
    impact: low
    cooldown: 0 seconds
    approval: {any: [{name: one of us, roles: [approver], approve: 1, reject: 1}], exclude: [requester, author]}
"""


def git(root: pathlib.Path, who: str, *words: str) -> str:
    names = ["-c", f"user.name={who}", "-c", f"user.email={who}@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, "-C", str(root), *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def prepared(daemon: Any) -> dict[str, str]:
    """Started on a repository of ana's; keys of both."""
    daemon.write("healer.yaml", SETTINGS)
    daemon.write("actions.yaml", ACTIONS)
    daemon.write(
        "rulebooks/healing.yml", (daemon.project / "rulebooks/healing.yml").read_text().split("    - name: by level")[0]
    )
    git(daemon.project, "ana", "init", "--quiet")
    git(daemon.project, "ana", "add", ".")
    git(daemon.project, "ana", "commit", "--quiet", "--message", "all")
    daemon.start()
    daemon.ready()
    made = {}
    for name in ("ana", "bo"):
        told = daemon.healer("keys", "create", name, "--principal", name)
        assert told.returncode == 0, told.stderr
        made[name] = told.stdout.strip()
    return made


def asked(daemon: Any, wait_for: Wait, host: str) -> dict[str, Any]:
    """The open request of a new run on a host."""
    daemon.event({"heal": host})
    found: list[dict[str, Any]] = []

    def opened() -> bool:
        found[:] = [one for one in daemon.get("/approvals")[1]["items"] if one["targets"] == [f"host:{host}"]]
        return bool(found)

    wait_for(opened, what="a person is asked")
    return found[0]


def revisions(daemon: Any) -> list[dict[str, Any]]:
    """The audit's records of other files or commits that hold."""
    return list(daemon.get("/audit?kind=revision&order=asc")[1]["items"])


def test_another_commit_of_the_same_files_brings_its_authors(daemon: Any, wait_for: Wait) -> None:
    keys = prepared(daemon)
    before = git(daemon.project, "ana", "rev-parse", "HEAD")
    first = asked(daemon, wait_for, "h1")
    git(daemon.project, "bo", "commit", "--quiet", "--amend", "--reset-author", "--message", "bo's")
    after = git(daemon.project, "bo", "rev-parse", "HEAD")
    held = daemon.get("/status")[1]["revision_id"]
    preview = daemon.healer("reload", "--preview")
    assert f"git: {before} before · {after} after" in preview.stdout, preview.stdout + preview.stderr
    assert daemon.get("/status")[1]["git"]["commit"] == before
    told = daemon.healer("reload", "--yes")
    assert told.returncode == 0, told.stderr
    assert f"git: {before} before · {after} after" in told.stdout
    status = daemon.get("/status")[1]
    assert (status["revision_id"], status["git"]["commit"]) == (held, after)
    last = revisions(daemon)[-1]
    assert (last["revision"], last["git"]) == (held, after)
    assert last["difference"]["git"] == {"before": before, "after": after}
    # It was asked while ana was the author; who that is now has the same files, and is not whom people were told of.
    assert daemon.get(f"/approvals/{first['id']}")[1]["state"] == "void"
    second = asked(daemon, wait_for, "h2")
    refused, answer = daemon.ask("POST", f"/approvals/{second['id']}/approve", {}, key=keys["bo"])
    assert (refused, answer["code"]) == (403, "may-not-approve")
    status, answer = daemon.ask("POST", f"/approvals/{second['id']}/approve", {}, key=keys["ana"])
    assert (status, answer["state"]) == (200, "approved")
    daemon.verified()


def test_the_same_commit_again_is_no_other_revision(daemon: Any) -> None:
    prepared(daemon)
    known = revisions(daemon)
    (daemon.project / "README.md").write_text("it does not count\n")
    assert daemon.healer("reload").returncode == 0
    assert revisions(daemon) == known
