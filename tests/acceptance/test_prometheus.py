"""A real Prometheus and a real Alertmanager: what breaks fires into the daemon, is healed, and is resolved by its sender."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from senders import Alertmanager, Prometheus, Watched

CONFIG = """\
route: {receiver: healer, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: healer
    webhook_configs:
      - {url: "%s/hooks/am", send_resolved: true, http_config: {basic_auth: {username: am, password: t0ken}}}
"""
SOURCES = """
sources:
  am:
    healer.webhook:
      path: am
      format: alertmanager
      auth: {basic: {user: am, password: {secret: "env:AM_TOKEN"}}}
"""
RULES = """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules:
    - name: broken
      condition: event.alert.name == "Broken" and event.alert.status == "firing"
      action: {run_action: {name: heal, target: "{{ event.alert.labels.host }}"}}
"""


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[tuple[Watched, Alertmanager, Prometheus]]:
    watched = Watched()
    alertmanager = Alertmanager(tmp_path / "am", CONFIG)
    prometheus = Prometheus(tmp_path / "prometheus", watched, alertmanager)
    yield watched, alertmanager, prometheus
    prometheus.kill()
    alertmanager.kill()
    watched.close()


def test_what_fires_is_healed_and_resolved_by_its_sender(
    daemon: Any, world: tuple[Watched, Alertmanager, Prometheus], wait_for: Callable[..., None]
) -> None:
    watched, alertmanager, prometheus = world
    gates = "defaults: {run_action: {rate_limit: none, blast_radius: none, attempts: 1, approval: 'off'}}\n"
    daemon.write("healer.yaml", "environment: test\nmode: active\nstorm: none\n" + gates + SOURCES)
    daemon.write("rulebooks/am.yml", RULES)
    daemon.variables["AM_TOKEN"] = "t0ken"
    daemon.start()
    daemon.ready()
    alertmanager.start(daemon.url)
    wait_for(alertmanager.ready, what="Alertmanager to be ready")
    prometheus.start()
    wait_for(prometheus.ready, what="Prometheus to be ready")
    watched.broken |= {"h1", "h2"}

    wait_for(lambda: sorted(host for _, host in daemon.lines()) == ["h1", "h2"], 90, "both hosts to be healed")
    # Without `verify` a run of a sender that resolves is done only once the alert is over.
    wait_for(lambda: daemon.states() == ["verifying", "verifying"], 60, "both runs to wait for the end of their alerts")
    watched.broken.clear()
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"], 90, "both alerts to be resolved")
    rows = daemon.rows("SELECT source, status, cycle FROM alert ORDER BY key")
    assert rows == [("am", "resolved", 1), ("am", "resolved", 1)]
    assert [target for _, target in daemon.lines()].count("h1") == 1
