"""A site for the tests of pages: its project, what happens there, and a browser's steps that several of them take. `conftest` loads it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.client
import http.server
import os
import pathlib
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final

import pytest

from healer import store, tickets
from healer.store import ticketing

HOSTILE: Final = "<script>alert(1)</script> we\u202ebx {{7*7}} \x1b[31mred"
SEEN: Final = "<script>alert(1)</script> we\\u202ebx {{7*7}} \\x1b[31mred"
SETTINGS: Final = """\
environment: prod
mode: active
storm: none
defaults: {run_action: {rate_limit: none, breaker: none, blast_radius: none, flapping: none, verify: none, attempts: 1, approval: 'off'}}
principals:
  ana: {roles: [approver, operator], email: ana@example.org}
  bo: {roles: [approver]}
policies:
  - name: restarts need a person
    select: {actions: [restart]}
    approval: {any: [{name: on call, roles: [approver], approve: 1, reject: 1}], expires: 30 minutes}
"""
ACTIONS: Final = """\
actions:
  clean: {script: clean.sh, cooldown: 0 seconds, impact: low}
  restart:
    command: [/bin/echo, restart, nginx]
    description: Restart one service and wait until it is active
    cooldown: 0 seconds
    parameters: {service: {type: string}}
    required: [service]
    impact: high
"""
RULES: Final = """\
- name: web tier
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: disk is full
      condition: event.alert.name == "DiskFull" and event.alert.status == "firing"
      action: {run_action: {name: clean, target: "{{ event.alert.target }}"}}
    - name: service is down
      condition: event.alert.name == "ServiceDown" and (event.alert.severity == "critical" or event.alert.labels.page is defined)
      action: {run_action: {name: restart, target: "{{ event.alert.target }}", parameters: {service: "{{ event.alert.summary }}"}}}
"""
INVENTORY: Final = "all: {children: {web: {hosts: {web01: {}, web02: {}, web03: {}, web04: {}, web05: {}, web06: {}}}, db: {hosts: {db01: {}}}}}\n"
CLEAN: Final = """\
#!/bin/sh
printf 'removing /var/tmp/core.%s\\n\\033[32mfreed 12 GiB\\033[0m <b>on</b> {{7*7}} \\342\\200\\256gnp.exe\\n' 1 2 3
case "$HEALER_TARGET" in *web02) echo 'disk is still full' >&2; exit 4;; esac
"""


async def made_key(data: pathlib.Path) -> bytes:
    """What the daemon's tickets are signed with, made before it starts."""
    opened = store.Store.open(data, lambda: 1_000_000, loop=asyncio.get_running_loop())
    try:
        return await ticketing.key(opened)
    finally:
        await opened.close()


def key_of(daemon: Any, person: str) -> str:
    made = daemon.healer("keys", "create", f"{person}s-laptop", "--principal", person)
    assert made.returncode == 0, made.stderr
    return str(made.stdout.strip())


def fire(daemon: Any, name: str, target: str, summary: str = "nginx", key: str = "") -> None:
    """An alert."""
    alert = {
        "name": name,
        "target": target,
        "key": key or f"{name}-{target}",
        "status": "firing",
        "severity": "critical",
        "summary": summary,
    }
    daemon.event({"alert": alert})


def waiting(daemon: Any) -> dict[str, Any]:
    """What waits for a person: target → request."""
    return {item["targets"][0]: item for item in daemon.get("/approvals?limit=500")[1]["items"]}


def ask_for(daemon: Any, wait_for: Any, *targets: str, summary: str = "nginx") -> list[Any]:
    """A request for each of these, asked for anew."""
    for target in targets:
        fire(daemon, "ServiceDown", target, summary, key=f"{target}-{os.urandom(4).hex()}")
    wanted = [f"host:{one}" for one in targets]
    wait_for(lambda: {*wanted} <= {*waiting(daemon)}, 60, "the requests")
    found = waiting(daemon)
    return [found[one] for one in wanted]


def link(daemon: Any, item: Any, person: str = "ana") -> str:
    """A signed link to a request."""
    ends = datetime.datetime.fromisoformat(item["expires"].replace("Z", "+00:00"))
    ticket = tickets.Ticket(item["id"], person, round(ends.timestamp() * 1e6))
    return daemon.url.rstrip("/") + tickets.PATH + tickets.sign(daemon.ticket_key, ticket)


def state_of(daemon: Any, item: Any) -> tuple[str, list[Any]]:
    """(state, who said what) of a request."""
    now = daemon.get(f"/approvals/{item['id']}")[1]
    return now["state"], [(one["person"], one["approves"], one["reason"]) for one in now["reviews"]]


def go(page: Any, daemon: Any, path: str) -> Any:
    """Open a page of the daemon."""
    return page.goto(daemon.url.rstrip("/") + path)


def log_in(page: Any, daemon: Any, key: str = "", path: str = "/ui") -> None:
    """By the form; the page that was asked for is there then."""
    go(page, daemon, path)
    page.get_by_label("API key").fill(key or daemon.ana)
    with page.expect_navigation():  # until all of it is there, its style too
        page.get_by_role("button", name="Log in").click()
    assert urllib.parse.urlsplit(page.url).path == path


def paths(daemon: Any) -> list[str]:
    """Every page that somebody who is logged in sees, by where it is."""
    runs = [f"/ui/runs/{one['id']}" for one in daemon.runs()[:6]]
    item = next(iter(waiting(daemon).values()))
    return ["/ui", "/ui/alerts", "/ui/runs", "/ui/approvals", f"/ui/approvals/{item['id']}", "/ui/nothing", *runs]


def entered(page: Any) -> None:
    """Press Enter and wait for the page that comes of it."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def focused(page: Any) -> str:
    """What has the focus, by its name."""
    element = page.locator(":focus")
    if element.count() == 0:
        return ""
    name = element.get_attribute("id") or ""
    label = page.locator(f"label[for='{name}']") if name else None
    return str(label.inner_text() if label is not None and label.count() else element.inner_text()).strip()


def tab_to(page: Any, name: str) -> None:
    """Press Tab until it is reached."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    pytest.fail(f"{name!r} is not reached by Tab")


@contextlib.contextmanager
def proxied(daemon: Any, prefix: str) -> Iterator[str]:
    """The address of a reverse proxy that has the daemon below a path, which it takes off, as nginx's `proxy_pass` with a slash does."""
    host = urllib.parse.urlsplit(daemon.url).netloc

    class Proxy(http.server.BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with contextlib.closing(http.client.HTTPConnection(host, timeout=60)) as behind:
                behind.request(self.command, self.path.removeprefix(prefix), body, dict(self.headers))
                answer = behind.getresponse()
                said = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = pass_on  # noqa: N815 - names that the library calls

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{prefix}"
        finally:
            server.shutdown()
