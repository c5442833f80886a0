"""Healing that a check verifies, at a real daemon: one that is first not well, one of the project's own, one by hand, one that a kill cut off."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

WaitFor = Callable[..., None]

ACTIONS = """\
actions:
  heal: {script: heal.sh, cooldown: 0 seconds, impact: low, verify: {check: {lamp: {file: LAMP}}, within: 2 minutes}}
  serve:
    script: heal.sh
    cooldown: 0 seconds
    impact: low
    parameters: {path: {type: string, default: health}}
    verify: {check: {http: {url: "URL/{{ parameters.path }}", contains: well}}, within: 2 minutes}
  lamp_is_on: {check: {lamp: {file: LAMP}}}
"""
LAMP = """\
import asyncio
import pathlib

from healer import plugins


class LampOptions(plugins.Options):
    file: str


class Lamp(plugins.Check):
    Options = LampOptions
    alert = "LampOff"

    def subject(self):
        return self.options.file

    async def look(self):
        path = pathlib.Path(self.options.file)
        if not path.exists():
            raise plugins.Blind("there is no lamp")
        said = path.read_text()
        pathlib.Path(self.options.file + ".looks").open("a").write(said + "\\n")
        if said == "quit":
            raise SystemExit(3)
        if said == "endless":
            await asyncio.Event().wait()
        return plugins.Reading(said == "on", None, f"the lamp is {said}")


CHECK = Lamp
"""
RULES = """\
- name: healing
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: broken
      condition: event.alert.name == "Broken" and event.alert.status == "firing"
      action: {run_action: {name: heal, target: "{{ event.alert.target }}"}}
    - name: down
      condition: event.alert.name == "Down" and event.alert.status == "firing"
      action: {run_action: {name: serve, target: "{{ event.alert.target }}"}}
"""


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers as the test says."""

    status = 503
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"all is well")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def shop() -> Iterator[tuple[type[Shop], str]]:
    shaped: type[Shop] = type("Shop", (Shop,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), shaped) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield shaped, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def ready(daemon: Any, shop: tuple[type[Shop], str]) -> Any:
    """A daemon whose actions are verified by checks."""
    lamp = daemon.base / "lamp"
    daemon.write("actions.yaml", ACTIONS.replace("LAMP", str(lamp)).replace("URL", shop[1]))
    daemon.write("checks/lamp.py", LAMP)
    daemon.write("rulebooks/healing.yml", RULES)
    daemon.lamp = lamp
    daemon.start()
    return daemon.ready()


def states(daemon: Any) -> list[str]:
    return [state for (state,) in daemon.rows("SELECT state FROM run")]


def attempts(daemon: Any, run: dict[str, Any]) -> list[str]:
    return [one["state"] for one in daemon.get(f"/runs/{run['id']}")[1]["attempts"]]


def looks(daemon: Any) -> list[str]:
    path = daemon.base / "lamp.looks"
    return path.read_text().split() if path.exists() else []


def test_a_check_that_is_first_not_well_and_then_is(
    ready: Any, shop: tuple[type[Shop], str], wait_for: WaitFor
) -> None:
    ready.event({"alert": {"name": "Down", "target": "h1", "key": "down", "status": "firing"}})
    wait_for(lambda: shop[0].asked, 60)
    wait_for(lambda: states(ready) == ["verifying"], 60)
    (run,) = ready.runs()
    wait_for(lambda: "failed" in attempts(ready, run), 60)
    shop[0].status = 200
    wait_for(lambda: states(ready) == ["succeeded"], 60)
    assert set(shop[0].asked) == {"/health"}
    (run,) = ready.runs()
    assert run["reason"] == "verified"
    first, *between, last = attempts(ready, run)
    assert (first, {*between}, last) == ("succeeded", {"failed"}, "succeeded")
    (effect,) = ready.lines()
    assert effect[1] == "h1"
    assert "/health answers 200" in ready.healer("runs", "show", run["id"]).stdout
    shown = ready.healer("actions", "show", "serve").stdout
    assert f'"check": {{"http": {{"url": "{shop[1]}/{{{{ parameters.path }}}}", "contains": "well"}}}}' in shown
    assert (
        f'{{check: {{http: {{url: "{shop[1]}/{{{{ parameters.path }}}}", contains: well}}}}, within: 2 minutes}}'
        in shown
    )
    ready.verified()


def test_a_check_of_the_project_outlives_a_kill_and_is_made_again(ready: Any, wait_for: WaitFor) -> None:
    ready.lamp.write_text("endless")
    ready.break_host("h1")
    wait_for(lambda: looks(ready) == ["endless"], 60)
    ready.kill()
    ready.lamp.write_text("on")
    ready.start()
    ready.ready()
    wait_for(lambda: states(ready) == ["succeeded"], 60)
    assert looks(ready) == ["endless", "on"]
    assert len(ready.lines()) == 1, "only the look is made again"
    ready.verified()


def test_a_check_by_hand_needs_no_target_and_no_approver(ready: Any) -> None:
    for said, (state, summary) in {
        "": ("failed", "it cannot look: there is no lamp"), "off": ("failed", "the lamp is off"),
        "quit": ("failed", "it wanted to end the process: SystemExit(3)"), "on": ("succeeded", "the lamp is on"),
    }.items():  # fmt: skip
        if said:
            ready.lamp.write_text(said)
        told = ready.healer("actions", "run", "lamp_is_on", "--wait", "60s", "--yes", "--json")
        assert f'"{state}"' in told.stdout, told
        run = ready.runs()[0]
        assert (run["state"], run["action"], run["targets"]) == (state, "lamp_is_on", [])
        assert summary in ready.healer("runs", "show", run["id"]).stdout
    assert ready.lines() == []
