"""Deliveries to hooks of a real daemon: a part that cannot be read, a large body, an id that comes again after a restart."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

SOURCES = """
sources:
  am: {healer.webhook: {path: am, format: alertmanager, max_body: 4 MiB, auth: {bearer: {secret: "env:AM_TOKEN"}}}}
  ci: {healer.webhook: {path: ci, format: github, auth: {url_token: {secret: "env:CI_TOKEN"}}}}
"""
RULES = """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: am}}, {healer.source: {name: ci}}]
  rules:
    - name: broken
      condition: event.alert.name == "Broken" and event.alert.status == "firing"
      action: {run_action: {name: heal, target: "{{ event.alert.target }}"}}
    - name: pushed
      condition: event.alert.name == "push"
      action: {run_action: {name: heal, target: h5}}
"""


def begin(daemon: Any) -> None:
    gates = (
        "defaults: {run_action: {rate_limit: none, blast_radius: none, verify: none, attempts: 1, approval: 'off'}}\n"
    )
    daemon.write("healer.yaml", "environment: test\nmode: active\nstorm: none\n" + gates + SOURCES)
    daemon.write("rulebooks/am.yml", RULES)
    daemon.variables |= {"AM_TOKEN": "t0ken", "CI_TOKEN": "ci-t0ken"}
    daemon.start()
    daemon.ready()


def deliver(daemon: Any, path: str, body: Any, **headers: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{daemon.url}/hooks/{path}", json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202
        return dict(json.load(answer))


def alert(host: str, status: Any = "firing", **more: Any) -> dict[str, Any]:
    return {
        "status": status, "labels": {"alertname": "Broken", "instance": host}, "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": f"f-{host}", **more,
    }  # fmt: skip


AM = {"Authorization": "Bearer t0ken"}


def test_a_part_that_cannot_be_read_is_kept_for_a_person_and_the_rest_is_healed(
    daemon: Any, wait_for: Callable[..., None]
) -> None:
    begin(daemon)
    told = deliver(daemon, "am", {"alerts": [alert("h1"), alert("h2", 7), alert("h3")]}, **AM)
    assert (told["accepted"], told["quarantined"]) == (2, 1)
    wait_for(lambda: sorted(host for _, host in daemon.lines()) == ["h1", "h3"], 60, "the two others to be healed")

    def held() -> list[tuple[str, str, str]]:
        return [(one["event"], one["ruleset"], one["error"]) for one in daemon.get("/quarantine")[1]["items"]]

    [(event, ruleset, error)] = held()
    assert (ruleset, error) == ("*", "alerts[1].status: text is wanted, got a number")
    assert daemon.get(f"/events/{event}")[1]["event"]["payload"] == alert("h2", 7)
    for path, body in (("/quarantine/release", {"event": event}), (f"/events/{event}/resend", None)):
        status, answer = daemon.post(path, body)
        assert (status, answer["code"]) == (422, "not-tried-again"), answer
    assert daemon.stop() == 0
    daemon.start()
    daemon.ready()
    assert held() == [(event, "*", error)]
    assert daemon.post("/quarantine/drop", {"event": event})[0] == 200
    assert held() == []
    assert len(daemon.lines()) == 2


def test_a_large_body_is_read_too(daemon: Any, wait_for: Callable[..., None]) -> None:
    begin(daemon)
    notes = {"description": "x" * 400}
    alerts = [alert(f"no{number}", "resolved", annotations=notes) for number in range(900)]
    told = deliver(daemon, "am", {"alerts": [*alerts, alert("h1"), alert("h2", [])]}, **AM)
    assert (told["accepted"], told["quarantined"], len(told["ids"])) == (901, 1, 901)
    wait_for(lambda: [host for _, host in daemon.lines()] == ["h1"], 60, "the one that fires to be healed")
    again = deliver(daemon, "am", {"alerts": [*alerts, alert("h1")]}, **AM)
    assert (again["accepted"], again["duplicates"]) == (0, 901)


def test_a_delivery_that_comes_again_after_a_restart_starts_nothing(daemon: Any, wait_for: Callable[..., None]) -> None:
    begin(daemon)
    push = {"ref": "refs/heads/main", "after": "a" * 40, "repository": {"full_name": "o/r"}, "commits": []}
    named = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1"}
    assert deliver(daemon, "ci/ci-t0ken", push, **named)["accepted"] == 1
    wait_for(lambda: daemon.states() == ["succeeded"], 60, "the push to be answered")
    assert daemon.stop() == 0
    daemon.start()
    daemon.ready()
    told = deliver(daemon, "ci/ci-t0ken", push, **named)
    assert (told["accepted"], told["duplicates"]) == (0, 1)
    assert deliver(daemon, "ci/ci-t0ken", push, **(named | {"X-GitHub-Delivery": "d-2"}))["accepted"] == 1
    wait_for(lambda: daemon.states() == ["succeeded"] * 2, 60, "the other one to be answered")
    assert "ci-t0ken" not in daemon.log.read_text()
