"""A real Alertmanager that delivers a part of what fires and no end of it: the daemon asks it for the rest."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from senders import Alertmanager

CONFIG = """\
route: {receiver: healer, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h,
        routes: [{receiver: mail, matchers: ["team=other"]}]}
receivers:
  - name: mail
  - name: healer
    webhook_configs:
      - {url: "%s/hooks/am", send_resolved: false, max_alerts: 1, http_config: {authorization: {credentials: t0ken}}}
"""
SOURCES = """
sources:
  am:
    healer.webhook:
      path: am
      format: alertmanager
      auth: {{bearer: {{secret: "env:AM_TOKEN"}}}}
      reconcile: {{url: "http://127.0.0.1:{port}", every: 1 second, uptime_min: {uptime_min}}}
"""
RULES = """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules:
    - name: down
      condition: event.alert.labels.alertname == "Down" and event.alert.status == "firing" and event.group.receiver == "healer"
      action: {run_action: {name: heal, target: "{{ event.alert.target }}"}}
"""


@pytest.fixture
def sender(tmp_path: pathlib.Path) -> Iterator[Alertmanager]:
    made = Alertmanager(tmp_path / "am", CONFIG)
    yield made
    made.kill()


def use(daemon: Any, sender: Alertmanager, uptime_min: str) -> None:
    gates = "defaults: {run_action: {rate_limit: none, blast_radius: none, verify: none, attempts: 1}}\n"
    daemon.write(
        "healer.yaml",
        "environment: test\nmode: active\n" + gates + SOURCES.format(port=sender.port, uptime_min=uptime_min),
    )
    daemon.write("rulebooks/am.yml", RULES)
    daemon.variables["AM_TOKEN"] = "t0ken"


def test_ours_become_theirs(daemon: Any, sender: Alertmanager, wait_for: Callable[..., None]) -> None:
    use(daemon, sender, "0 seconds")
    daemon.start()
    daemon.ready()

    def firing() -> list[str]:
        return [name for (name,) in daemon.rows("SELECT target FROM alert WHERE status = 'firing' ORDER BY target")]

    def shown() -> dict[str, Any]:
        [source] = [one for one in daemon.status()["sources"] if one["name"] == "am"]
        return dict(source["reconcile"])

    wait_for(lambda: shown()["why"], what="a look at nobody")
    sender.start(daemon.url)
    wait_for(sender.ready)
    sender.say("silences", {
        "matchers": [{"name": "instance", "value": "h4:9100", "isRegex": False, "isEqual": True}], "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z", "createdBy": "ana", "comment": "at work",
    })  # fmt: skip
    sender.alerts("h1", "h2", "h3", "h4")
    sender.alerts("h5", team="other")
    wait_for(lambda: firing() == ["h1:9100", "h2:9100", "h3:9100"], what="what was cut off")
    wait_for(lambda: len(daemon.lines()) == 3, what="all three are healed")
    actors = daemon.rows("SELECT actor, count(*) FROM journal WHERE source = 'am' GROUP BY actor ORDER BY actor")
    assert actors == [("reconcile:am", 2), ("source:am", 1)]
    assert sorted(run["targets"][0] for run in daemon.runs()) == ["host:h1", "host:h2", "host:h3"]
    one, other = (
        json.loads(body)
        for (body,) in daemon.rows("SELECT body FROM journal WHERE source = 'am' ORDER BY actor DESC LIMIT 2")
    )
    assert one["alert"].keys() == other["alert"].keys()
    assert other["group"].items() <= one["group"].items()
    for word in ("status", "endsAt", "generatorURL", "severity", "name", "link"):
        assert one["alert"][word] == other["alert"][word], word

    sender.alerts("h2", ends="2026-01-02T00:00:00Z")  # it has ended, and no delivery tells
    wait_for(lambda: firing() == ["h1:9100", "h3:9100"], what="the end of one")
    assert shown()["why"] is None

    use(daemon, sender, "1 hour")
    assert daemon.healer("reload").returncode == 0
    sender.kill()
    wait_for(lambda: shown()["why"], what="nobody answers")
    sender.start(daemon.url)
    wait_for(sender.ready)
    wait_for(lambda: "so nothing is closed" in (shown()["note"] or ""), what="a look at an empty one")
    assert (shown()["theirs"], firing()) == (0, ["h1:9100", "h3:9100"])
    assert len(daemon.lines()) == 3
    assert daemon.stop() == 0
    daemon.verified()
