"""More alerts and facts than a daemon may keep: what is beyond is refused, shown, and in the audit once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def test_what_is_beyond_a_cap_is_refused_and_told(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.write("healer.yaml", "environment: test\nmode: active\nalerts_max: 2\nfacts_max: 1\n")
    facts = '- name: facts\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n    - {name: keep, condition: event.keep is defined, action: {set_fact: {fact: {kept: "{{ event.keep }}"}}}}\n    - {name: see, condition: fact.kept is defined, action: {none: {}}}\n'
    daemon.write("rulebooks/facts.yml", facts)
    daemon.start()
    daemon.ready()
    for host in ("h1", "h2", "h3", "h4"):
        daemon.break_host(host)
    for n in range(3):
        daemon.event({"keep": n})
    wait_for(lambda: daemon.states() == ["refused", "refused", "succeeded", "succeeded"], what="all four to be decided")
    assert {run["reason"] for run in daemon.runs() if run["state"] == "refused"} == {"alerts_full"}
    assert len(daemon.lines()) == 2
    wait_for(lambda: daemon.status()["caps"]["facts"]["refused"] == 2, what="the facts")
    wait_for(lambda: daemon.status()["caps"]["backlog"]["used"] == 0, what="their commit")
    caps = daemon.status()["caps"]
    assert caps == {
        "alerts": {"used": 2, "limit": 2, "refused": 2}, "approvals": {"used": 0, "limit": 1000, "refused": 0},
        "backlog": {"used": 0, "limit": 100_000, "refused": 0}, "facts": {"used": 1, "limit": 1, "refused": 2},
    }  # fmt: skip

    def records(kind: str) -> list[dict[str, Any]]:
        return [json.loads(text) for (text,) in daemon.rows(f"SELECT record FROM audit WHERE kind = '{kind}'")]

    wait_for(lambda: records("cap_reached") and records("memory_full"), what="the audit")
    [record] = records("cap_reached")
    assert (record["cap"], record["limit"], record["refused"] in (1, 2)) == ("alerts", 2, True)
    assert "caps     alerts 2 of 2, 2 beyond" in daemon.healer("status").stdout
    told = daemon.healer("explain", next(run["id"] for run in daemon.runs() if run["state"] == "refused")).stdout
    assert "2 alerts are open already" in told

    daemon.event({"alert": {"name": "Broken", "target": "h1", "key": "broken-h1", "status": "resolved"}})
    daemon.break_host("h3")  # there is room now
    wait_for(lambda: daemon.states().count("succeeded") == 3, what="the third")
    daemon.kill()
    daemon.start()
    daemon.ready()
    daemon.break_host("h4")
    wait_for(lambda: daemon.status()["caps"]["alerts"]["refused"] == 1, what="the fourth to be refused again")
    assert len(daemon.lines()) == 3
    assert daemon.stop() == 0
    daemon.verified()
