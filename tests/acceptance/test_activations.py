"""One rulebook on twice in one daemon: variables, environment, inventory and mode are each one's own; and a shutdown that begins anew."""

from __future__ import annotations

import http.client
import json
import pathlib
import ssl
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests import ports

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
    wait_for(lambda: daemon.states() == ["simulated", "succeeded", "succeeded"], 120)
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
    wait_for(lambda: daemon.states().count("succeeded") == 3, 120)
    assert sorted(run["rule"] for run in daemon.runs() if run["rule"].endswith("pair")) == [
        "quiet/rs/pair",
        "us/rs/pair",
    ]
    records = [json.loads(text) for (text,) in daemon.rows("SELECT record FROM audit WHERE kind = 'shutdown'")]
    assert sorted((one["activation"], one["state"]) for one in records) == [("eu", "ended"), ("us", "begins anew")]
    daemon.verified()


HOOK: Final = """\
- name: rs
  hosts: all
  sources:
    - ansible.eda.webhook:
        {host: 127.0.0.1, port: %d, token: "{{ token }}", certfile: %s/cert.pem, keyfile: %s/key.pem}
  rules:
    - name: heard
      condition: event.payload.go is defined
      action: {run_playbook: {name: note.yml, extra_vars: {text: "{{ region }} {{ event.payload.go }}"}}}
"""
SHARING: Final = """\
environment: test
mode: active
activations:
  - {name: eu, rulebook: rulebooks/healing.yml, vars: {region: eu, token: %s}, env: {WHO: egon}, inventory: inventory}
  - {name: us, rulebook: rulebooks/healing.yml, vars: {region: us, token: %s}, env: {WHO: sam, MORE: x}, inventory: inventory}
"""


@pytest.fixture
def sharing(daemon: Any) -> Any:
    """(daemon, port): two activations of a rulebook that listens with TLS."""
    port = ports.free()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", daemon.base / "key.pem", "-out", daemon.base / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    daemon.write("healer.yaml", SHARING % ("t0ken", "t0ken"))
    daemon.write("controllers.yaml", "controllers: {site: {type: ansible}}\n")
    daemon.write("actions.yaml", "{}\n")
    daemon.write("rulebooks/healing.yml", HOOK % (port, daemon.base, daemon.base))
    daemon.write("playbooks/note.yml", PLAY % daemon.effects)
    (daemon.project / "inventory/hosts.yml").write_text(json.dumps({"all": {"hosts": {"h1": {
        "ansible_connection": "local", "ansible_python_interpreter": sys.executable,
    }}}}))  # fmt: skip
    return daemon, port


def sent(folder: pathlib.Path, port: int, token: str) -> int:
    """The status of one POST over TLS; the connection is tried once."""
    trusting = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=trusting)
    connection.request("POST", "/endpoint", json.dumps({"go": "now"}), {"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_activations_share_a_listener_that_is_up_when_the_daemon_is_ready(
    sharing: tuple[Any, int], wait_for: Callable[..., None]
) -> None:
    daemon, port = sharing
    daemon.start()
    daemon.ready()
    assert (sent(daemon.base, port, "wrong"), sent(daemon.base, port, "t0ken")) == (401, 200)
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    lines = sorted(daemon.effects.read_text().splitlines())
    assert lines == ["eu now egon h1", "us now sam h1"]  # each has its own environment in what it does
    (source,) = daemon.status()["sources"]
    assert (source["name"], source["state"], source["events"]) == (
        f"ansible.eda.webhook:127.0.0.1:{port}",
        "running",
        1,
    )
    said = [
        line
        for line in daemon.said().splitlines()
        if f"listens on 127.0.0.1, port {port}" in line or "ready on port" in line
    ]
    assert ["listens" in line for line in said] == [True, False]


def test_other_tokens_on_one_port_are_refused_with_both_activations(sharing: tuple[Any, int]) -> None:
    daemon, port = sharing
    daemon.write("healer.yaml", SHARING % ("t0ken", "another"))
    place = "rulebooks/healing.yml:4:7"
    said = (
        f"{place}: error[port-shared]: port {port} of the activation 'us' is taken by the source of 'eu' at {place}, "
        "and its token is another: one listener can check one only"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "healer", "validate", daemon.project], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, said in checked.stdout) == (1, True)
    daemon.start()
    assert not daemon.came_up()
    assert (daemon.ended(), said in daemon.said()) == (1, True)
