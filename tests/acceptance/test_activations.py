"""One rulebook on twice in one daemon: variables, environment, inventory and mode are each one's own; and a shutdown that begins anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Final

BOOK: Final = """\
- name: rs
  hosts: all
  sources:
    - name: ticker
      ticker: {say: "{{ greeting }}"}
    - healer.api: {}
  rules:
    - name: heard
      condition: event.said == vars.greeting and event.meta.source.name == "ticker"
      action: {run_playbook: {name: note.yml, extra_vars: {text: "{{ greeting }} {{ event.env }} {{ event.meta.source.name }}"}}}
    - {name: enough, condition: event.enough == vars.greeting, action: {shutdown: {}}}
    - {name: pair, condition: {all: [event.a == 1, event.b == 1]}, action: {run_playbook: {name: note.yml, extra_vars: {text: pair}}}}
"""
TICKER: Final = """\
import asyncio, os

async def main(queue, args):
    await queue.put({"said": args["say"], "env": os.environ.get("WHO")})
    await asyncio.Event().wait()
"""
PLAY: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: 'echo "$TEXT $WHO {{ inventory_hostname }}" >> %s'
      environment: {TEXT: "{{ text }}"}
"""
SETTINGS: Final = """\
environment: test
mode: active
activations:
  - {name: eu, rulebook: rulebooks/healing.yml, vars: {greeting: hallo}, env: {WHO: {secret: "env:OF_EU"}}, inventory: inventory/eu}
  - {name: us, rulebook: rulebooks/healing.yml, vars: {greeting: howdy}, env: {WHO: sam}, inventory: inventory/us, restart: always}
  - {name: quiet, rulebook: rulebooks/healing.yml, vars: {greeting: shh}, mode: observe, inventory: inventory/us}
"""
HOST: Final = "%s ansible_connection=local ansible_python_interpreter=%s\n"


def test_one_rulebook_on_three_times(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.variables["OF_EU"] = "egon-of-eu"
    daemon.write("healer.yaml", SETTINGS)
    daemon.write("controllers.yaml", "controllers: {site: {type: ansible}}\n")
    daemon.write("actions.yaml", "{}\n")
    daemon.write("rulebooks/healing.yml", BOOK)
    daemon.write("sources/ticker.py", TICKER)
    daemon.write("playbooks/note.yml", PLAY % daemon.effects)
    for name in ("eu", "us"):
        daemon.write(f"inventory/{name}", HOST % (f"{name}01", sys.executable))
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["simulated", "succeeded", "succeeded"])
    lines = sorted(daemon.effects.read_text().splitlines())
    assert lines == ["hallo egon-of-eu ticker egon-of-eu eu01", "howdy sam ticker sam us01"]
    assert {run["rule"] for run in daemon.runs()} == {"eu/rs/heard", "us/rs/heard", "quiet/rs/heard"}
    named = {one["name"]: (one["mode"], one["restart"], one["ended"]) for one in daemon.status()["activations"]}
    assert named["quiet"] == ("observe", "on_failure", False)

    daemon.event({"a": 1})
    daemon.event({"enough": "howdy"})  # `us` begins anew: it has forgotten the half of a pair
    daemon.event({"enough": "hallo"})  # `eu` ends
    daemon.event({"b": 1})
    wait_for(lambda: daemon.status()["ended"] == ["eu"])
    wait_for(lambda: daemon.states().count("simulated") == 2)
    assert sorted(run["rule"] for run in daemon.runs() if run["rule"].endswith("pair")) == ["quiet/rs/pair"]
    daemon.event({"a": 1})
    wait_for(lambda: daemon.states().count("succeeded") == 3)
    assert sorted(run["rule"] for run in daemon.runs() if run["rule"].endswith("pair")) == [
        "quiet/rs/pair",
        "us/rs/pair",
    ]
    records = [json.loads(text) for (text,) in daemon.rows("SELECT record FROM audit WHERE kind = 'shutdown'")]
    assert sorted((one["activation"], one["state"]) for one in records) == [("eu", "ended"), ("us", "begins anew")]
    daemon.verified()
