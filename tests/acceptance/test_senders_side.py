"""What a real daemon shows for its senders: pasted as it stands it leads to the hook, and no secret stands in it."""

from __future__ import annotations

import urllib.parse
from typing import Any, Final

import yaml

TOKEN: Final = "t0ken-of-a-sender"
SETTINGS: Final = """
environment: test
mode: observe
storm: none
%s
sources:
  alertmanager:
    healer.webhook:
      path: am
      format: alertmanager
      auth: {bearer: {secret: "env:AM_TOKEN"}}
"""
RULES: Final = """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: alertmanager}}]
  rules: [{name: any, condition: event.alert.name == "Down", action: {debug: {msg: x}}}]
"""
ALERT: Final = {"status": "firing", "labels": {"alertname": "Down", "instance": "h1"}, "fingerprint": "f1"}
BODY: Final = {"version": "4", "groupKey": "k", "receiver": "healer", "status": "firing", "alerts": [ALERT]}


def test_the_block_of_a_hook_is_a_receiver_that_reaches_it(daemon: Any) -> None:
    daemon.write("healer.yaml", SETTINGS % "")
    daemon.write("rulebooks/healing.yml", RULES)
    daemon.variables["AM_TOKEN"] = TOKEN
    daemon.start()
    daemon.ready()

    told = daemon.healer("sources", "show", "alertmanager")
    assert told.returncode == 0, told.stderr
    assert "  heard by    healing/rs\n" in told.stdout
    head, block = told.stdout.split("\nreceivers:\n")
    [receiver] = yaml.safe_load("receivers:\n" + block)["receivers"]
    [hook] = receiver["webhook_configs"]
    assert hook["http_config"]["authorization"]["credentials_file"] == "<a file with the value of env:AM_TOKEN>"
    assert hook["send_resolved"] is True
    assert "  proof       the header  Authorization: Bearer <the value of env:AM_TOKEN>\n" in head
    assert "server: {public_url: URL}" in told.stderr

    assert hook["url"] == f"{daemon.url}/hooks/am"
    status, answer = daemon.ask("POST", urllib.parse.urlsplit(hook["url"]).path, BODY, key=TOKEN)
    assert status == 202, answer
    listed = daemon.healer("sources").stdout
    assert "alertmanager    healer.webhook  /hooks/am  alertmanager  bearer  healing/rs" in listed
    assert "1 event since the start" in daemon.healer("sources", "show", "alertmanager").stdout

    daemon.write("healer.yaml", SETTINGS % "server: {public_url: 'https://healer.example.org/'}")
    reloaded = daemon.healer("reload")
    assert reloaded.returncode == 0, reloaded.stderr
    assert "next start" not in reloaded.stdout + reloaded.stderr
    again = daemon.healer("sources", "show", "alertmanager")
    assert "      - url: https://healer.example.org/hooks/am\n" in again.stdout
    assert again.stderr == ""
    said = told.stdout + listed + again.stdout + daemon.healer("sources", "show", "alertmanager", "--json").stdout
    assert TOKEN not in said
    assert daemon.stop() == 0
