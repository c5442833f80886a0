"""`http` of a real daemon at a real server: an event asks for a request, and nothing goes anywhere else, also across a kill."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import pathlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

_spec = importlib.util.spec_from_file_location(
    "http_site_of_acceptance", pathlib.Path(__file__).parents[1] / "controllers" / "http_site.py"
)
assert _spec is not None
assert _spec.loader is not None
http_site = sys.modules["http_site_of_acceptance"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(http_site)

TOKEN: Final = "t0ken-of-the-far-side"
BOOK: Final = """\
- name: requests
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: flush, condition: event.url is defined, action: {run_action: {name: flush, target: "{{ event.url }}"}}}
    - name: note
      condition: event.text is defined
      action: {run_action: {name: note, parameters: {text: "{{ event.text }}"}}}
    - {name: look, condition: event.look is defined, action: {run_action: {name: view}}}
"""
ACTIONS: Final = """\
  flush: {http: {method: DELETE, url: cache}, controller: far, impact: low, cooldown: 0 seconds}
  view: {http: {method: GET, url: "BASE/v1/look"}, controller: far, target: none, impact: low, cooldown: 0 seconds}
  note:
    http: {method: POST, url: "BASE/v1/notes/{{ parameters.text }}", json: {text: "{{ parameters.text }}"}, success: {json: {done: true}}}
    controller: far
    target: none
    parameters: {text: {type: string}}
    required: [text]
    impact: low
    cooldown: 0 seconds
"""


@pytest.fixture
def far() -> Iterator[Any]:
    """The far side, on a loop of its own in a thread."""
    loop = asyncio.new_event_loop()
    server, up, down = http_site.Server(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with server.serving():
            up.set()
            await down.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(60)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join()
        loop.close()


@pytest.fixture
def base(daemon: Any, far: Any) -> str:
    """Where the far side is; the daemon's project has a controller for it."""
    base = f"http://127.0.0.1:{far.port}"
    options = f'type: http, allow: ["{base}/v1"], auth: {{bearer: {{secret: "env:FAR_TOKEN"}}}}'
    listed = (daemon.project / "controllers.yaml").read_text()
    daemon.write("controllers.yaml", listed.replace("default:", f"  far: {{{options}}}\ndefault:"))
    daemon.write("actions.yaml", (daemon.project / "actions.yaml").read_text() + ACTIONS.replace("BASE", base))
    daemon.write("rulebooks/healing.yml", BOOK)
    daemon.variables |= {"FAR_TOKEN": TOKEN}
    return base


def test_events_ask_for_requests_and_go_nowhere_else(
    daemon: Any, far: Any, base: str, wait_for: Callable[..., None]
) -> None:
    async def echo(_server: Any, request: Any) -> Any:
        said = {"done": True, "you": request.headers["Authorization"]}
        return http_site.web.json_response(said)

    far.usual = echo
    daemon.start("--mode", "active")
    daemon.ready()
    checked = daemon.healer("controllers", "check", "far")
    assert (checked.returncode, far.got) == (0, []), checked.stdout + checked.stderr
    daemon.event({"url": f"{base}/v1/shop"})
    daemon.event({"text": "a/b?c; $(id) {{ 7*7 }}"})
    for hostile in (
        f"{base}/v2",
        f"{base}/v1/../v2",
        "http://169.254.169.254/v1",
        f"http://127.0.0.1:{far.port}@evil.test/v1",
        "file:///etc/passwd",
    ):
        daemon.event({"url": hostile})
    daemon.event({"text": "../../admin"})
    wait_for(lambda: daemon.states() == [*["refused"] * 6, "succeeded", "succeeded"])
    assert sorted((got.method, got.path) for got in far.got) == [
        ("DELETE", "/v1/shop/cache"), ("POST", "/v1/notes/a%2Fb%3Fc%3B%20%24%28id%29%20%7B%7B%207%2A7%20%7D%7D"),
    ]  # fmt: skip
    assert {got.headers["authorization"] for got in far.got} == {f"Bearer {TOKEN}".encode()}
    (note,) = [json.loads(got.body) for got in far.got if got.body]
    assert note == {"text": "a/b?c; $(id) {{ 7*7 }}"}
    flush = next(run for run in daemon.runs() if run["targets"] == [f"url:{base}/v1/shop"])
    shown = daemon.healer("runs", "show", flush["id"], "--output")
    assert json.loads(shown.stdout) == {"done": True, "you": "Bearer ***"}
    daemon.stop()
    kept = [
        path for path in (daemon.log, *daemon.data.rglob("*")) if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert kept == []
    daemon.verified()


def test_a_kill_while_an_answer_is_waited_for(daemon: Any, far: Any, base: str, wait_for: Callable[..., None]) -> None:
    far.usual = http_site.hang
    daemon.start("--mode", "active")
    daemon.ready()
    daemon.event({"text": "x"})
    daemon.event({"look": True})
    wait_for(lambda: far.hanging == 2)
    daemon.kill()
    far.usual = http_site.status(200, '{"done": true}', Content_Type="application/json")
    daemon.start("--mode", "active")
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded", "unknown"])
    assert sorted(got.method for got in far.got) == ["GET", "GET", "POST"]  # what changes something is not sent again
    daemon.verified()


def test_a_run_that_is_cancelled_and_one_that_is_only_planned(
    daemon: Any, far: Any, base: str, wait_for: Callable[..., None]
) -> None:
    far.usual = http_site.hang
    daemon.start("--mode", "observe")
    daemon.ready()
    daemon.event({"text": "x"})
    wait_for(lambda: daemon.states() == ["simulated"])
    run = daemon.runs()[0]["id"]
    wait_for(lambda: daemon.get(f"/runs/{run}")[1]["plan"]["state"] == "made")
    told = daemon.healer("runs", "show", run).stdout
    assert f"POST {base}/v1/notes/x" in told
    assert (TOKEN in told, far.got) == (False, [])
    daemon.stop()

    daemon.start("--mode", "active")
    daemon.ready()
    daemon.event({"look": True})
    wait_for(lambda: far.hanging == 1)
    run = daemon.runs()[0]["id"]
    assert daemon.healer("runs", "cancel", "--yes", run).returncode == 0
    wait_for(lambda: daemon.states() == ["cancelled", "simulated"])
    wait_for(lambda: far.hanging == 0)
    daemon.verified()
