"""What a person approved is what runs: a real daemon, whose files change between the request, the word and the start."""

from __future__ import annotations

import concurrent.futures
import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

Wait = Callable[..., None]
FILES = {
    "healer.yaml": "environment: test\nmode: active\n",
    "controllers.yaml": """\
controllers:
  here: {type: local, inventory: inventory}
  site: {type: ansible, inventory: inventory, forks: 5}
default: here
""",
    "inventory/hosts.yml": """\
web: {{hosts: {{web01: {{rack: r1}}, web02: {{}}}}, vars: {{ansible_connection: local, ansible_python_interpreter: '{python}'}}}}
""",
    "elsewhere/hosts.yml": "web: {{hosts: {{web01: {{rack: r9}}, web02: {{}}}}, vars: {{ansible_connection: local}}}}\n",
    "playbooks/play.yml": "- {{name: by hand, hosts: all, gather_facts: false, roles: [writer]}}\n",
    "roles/writer/tasks/main.yml": "- {{name: write, ansible.builtin.copy: {{dest: '{effects}', content: written}}}}\n",
    "scripts/write.sh": "#!/bin/sh\nprintf written > '{effects}'\n",
    "scripts/lib/common.sh": "mode=0600\n",
    "actions.yaml": """\
actions:
  play: {{playbook: play.yml, controller: site, impact: high, cooldown: 0 seconds}}
  script: {{script: write.sh, controller: here, impact: high, cooldown: 0 seconds, timeout: 1 minute}}
""",
    "rulebooks/healing.yml": """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: any, condition: event.do is defined, action: {run_action: {name: "{{ event.do }}", target: web01}}}
""",
}
EDITS = {
    "playbook": ("play", "playbooks/play.yml", "by hand", "by another hand"),
    "role": ("play", "roles/writer/tasks/main.yml", "content: written", "content: wiped"),
    "script": ("script", "scripts/write.sh", "printf written", "printf wiped"),
    "what a script sources": ("script", "scripts/lib/common.sh", "mode=0600", "mode=0666"),
    "inventory": ("script", "inventory/hosts.yml", "rack: r1", "rack: r2"),
    "inventory of a playbook": ("play", "inventory/hosts.yml", "rack: r1", "ansible_host: 192.0.2.1"),
    "catalog entry": ("script", "actions.yaml", "timeout: 1 minute", "timeout: 2 minutes"),
    "controller": ("script", "controllers.yaml", "here: {type: local, inventory: inventory}", "here: {type: local, inventory: elsewhere}"),
    "controller of a playbook": ("play", "controllers.yaml", "forks: 5", "forks: 6"),
}  # fmt: skip
"""Name → the action, the file, what is edited in it."""


def project(daemon: Any) -> Any:
    """Two actions that leave a file, each for a person to approve; the daemon runs."""
    (daemon.project / "scripts/heal.sh").unlink()
    for name, text in FILES.items():
        plain = name in ("healer.yaml", "controllers.yaml", "rulebooks/healing.yml")
        daemon.write(name, text if plain else text.format(effects=daemon.effects, python=sys.executable))
    (daemon.project / "scripts/write.sh").chmod(0o755)
    daemon.start()
    return daemon.ready()


def asked(daemon: Any, wait_for: Wait, action: str) -> str:
    """The open request of the action's run."""
    daemon.event({"do": action})
    wait_for(lambda: daemon.states() == ["awaiting_approval"], what="a person is asked")
    return opened(daemon)


def opened(daemon: Any) -> str:
    """The only request that waits for a word."""
    (one,) = daemon.get("/approvals")[1]["items"]
    return str(one["id"])


def edit(daemon: Any, name: str) -> None:
    """Change the file, and have the daemon read it."""
    _, path, before, after = EDITS[name]
    text = (daemon.project / path).read_text()
    assert before in text
    (daemon.project / path).write_text(text.replace(before, after))
    told = daemon.healer("reload", "--yes")
    assert told.returncode == 0, told.stderr


def word(daemon: Any, approval: str, key: str, said: str = "approve") -> tuple[int, Any]:
    """Somebody's word."""
    answer: tuple[int, Any] = daemon.ask("POST", f"/approvals/{approval}/{said}", {}, key=key)
    return answer


def held(daemon: Any, wait_for: Wait, action: str) -> str:
    """A request that a person has approved, of a run that the kill switch keeps from its start."""
    approval = asked(daemon, wait_for, action)
    (daemon.data / "PAUSE").write_text("not yet")
    status, answer = word(daemon, approval, daemon.make_key("approver"))
    assert (status, answer["state"]) == (200, "approved")
    wait_for(
        lambda: [(one["state"], one["reason"]) for one in daemon.runs()] == [("deferred", "paused")],
        what="the pause holds it",
    )
    return approval


def let_go(daemon: Any, wait_for: Wait) -> dict[str, Any]:
    """Its only run, once nothing of the daemon's own holds it any more."""
    (daemon.data / "PAUSE").unlink()
    wait_for(lambda: daemon.states() not in (["deferred"], ["queued"], ["running"]), 60, "it goes on, or does not")
    (run,) = daemon.runs()
    return dict(run)


def kinds(daemon: Any, run: str) -> list[str]:
    """The kinds of its records in the audit, in their order."""
    return [one["kind"] for one in daemon.get(f"/audit?run={run}&order=asc")[1]["items"]]


@pytest.mark.parametrize("name", EDITS)
def test_what_is_edited_between_the_word_and_the_start_is_void_at_once_and_never_starts(
    daemon: Any, wait_for: Wait, name: str
) -> None:
    project(daemon)
    approval = held(daemon, wait_for, EDITS[name][0])
    edit(daemon, name)
    (run,) = daemon.runs()
    assert (run["state"], run["reason"]) == ("void", "approval_void")
    (daemon.data / "PAUSE").unlink()
    assert daemon.get(f"/approvals/{approval}")[1]["state"] == "approved"
    assert daemon.get("/approvals")[1]["items"] == []
    assert not daemon.effects.exists()
    assert "intent" not in kinds(daemon, run["id"])
    daemon.verified()


@pytest.mark.parametrize("action", ["play", "script"])
def test_what_is_as_it_was_approved_starts(daemon: Any, wait_for: Wait, action: str) -> None:
    """So that the others can fail. A reload that changes nothing of it changes nothing for it."""
    project(daemon)
    approval = held(daemon, wait_for, action)
    daemon.write("rulebooks/healing.yml", "# read again\n" + (daemon.project / "rulebooks/healing.yml").read_text())
    assert daemon.healer("reload").returncode == 0
    run = let_go(daemon, wait_for)
    assert (run["state"], daemon.effects.read_text()) == ("succeeded", "written")
    assert daemon.get(f"/approvals/{approval}")[1]["state"] == "approved"
    daemon.verified()


@pytest.mark.parametrize("name", EDITS)
def test_what_is_edited_after_the_request_is_void_and_takes_no_word(daemon: Any, wait_for: Wait, name: str) -> None:
    project(daemon)
    approval = asked(daemon, wait_for, EDITS[name][0])
    edit(daemon, name)
    status, answer = word(daemon, approval, daemon.make_key("approver"))
    assert (status, answer.get("code")) == (409, "approval-ended")
    assert "is void" in answer["detail"]
    (run,) = daemon.runs()
    assert (run["state"], run["sentence"]) == ("void", "what would run is not what was asked for any more")
    assert "review" not in kinds(daemon, run["id"])
    assert not daemon.effects.exists()
    daemon.verified()


@pytest.mark.parametrize("given", [False, True])
def test_what_was_edited_while_nobody_ran_is_void_from_the_start_on(daemon: Any, wait_for: Wait, given: bool) -> None:
    """Nobody is asked for what would not run, and the next repeat is decided again."""
    project(daemon)
    (held if given else asked)(daemon, wait_for, "script")
    daemon.stop()
    _, path, before, after = EDITS["script"]
    daemon.write(path, (daemon.project / path).read_text().replace(before, after))
    (daemon.project / path).chmod(0o755)
    daemon.start()
    daemon.ready()
    (run,) = daemon.runs()
    assert (run["state"], run["reason"]) == ("void", "approval_void")
    assert daemon.get("/approvals")[1]["items"] == []
    assert not daemon.effects.exists()
    daemon.verified()


CLICKS = 100
KEYS = 10


def test_of_a_hundred_words_at_once_one_decides(daemon: Any, wait_for: Wait) -> None:
    """Half of them yes, half no, each by one of ten people: one transition, in one record, and what that says is what becomes of it."""
    project(daemon)
    approval = asked(daemon, wait_for, "script")
    made = [daemon.healer("keys", "create", f"key{n}", "--role", "approver", "--json") for n in range(KEYS)]
    assert not [one.stderr for one in made if one.returncode]
    keys = [json.loads(one.stdout)["key"] for one in made]
    together = threading.Barrier(CLICKS)

    def click(number: int) -> tuple[int, Any]:
        together.wait(60)
        return word(daemon, approval, keys[number % KEYS], "approve" if number // KEYS % 2 else "reject")

    with concurrent.futures.ThreadPoolExecutor(CLICKS) as pool:
        answers = list(pool.map(click, range(CLICKS)))
    (winner,) = [answer["state"] for status, answer in answers if status == 200]
    ended = [answer for status, answer in answers if status == 409]
    assert len(ended) == CLICKS - 1
    assert {(one["code"], one["detail"].partition(" is ")[2].partition(":")[0]) for one in ended} == {
        ("approval-ended", winner)
    }
    wait_for(lambda: daemon.states() in (["succeeded"], ["rejected"]), 60, "what was decided becomes of it")
    (run,) = daemon.runs()
    assert (winner, run["state"]) in (("approved", "succeeded"), ("rejected", "rejected"))
    assert daemon.effects.exists() == (winner == "approved")
    assert kinds(daemon, run["id"]).count("review") == 1
    assert kinds(daemon, run["id"]).count("intent") == (winner == "approved")
    moves = [
        one
        for one in daemon.get(f"/audit?run={run['id']}&kind=transition")[1]["items"]
        if one["old"] == "awaiting_approval"
    ]
    assert [one["state"] for one in moves] == ["queued" if winner == "approved" else "rejected"]
    assert len(daemon.get(f"/approvals/{approval}")[1]["reviews"]) == 1
    daemon.verified()
