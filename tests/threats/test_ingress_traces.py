"""Rows A11 and A12 of the threat table: what a delivery leaves in logs, on terminals and on the disk. Each test says threat and defence."""

from __future__ import annotations

import base64
import json
import pathlib
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sending
from loguru import logger

from healer import project
from healer.daemon import logs

OPEN = {"none": True}


async def send(room: Any, body: bytes, **headers: str) -> int:
    said = {**sending.JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return (await room.ask("POST", "/hooks/open/door", None, data=body, headers=said))[0]


# --- A11 ------------------------------------------------------------------------------------------------------------------

BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
CONTROLS = re.compile(f"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029{BIDI}]")
"""What steers a terminal, ends a line elsewhere or turns it round; but for the end of a line itself."""
HOSTILE = "x\x1b]8;;http://evil.example\x07click\x1b]8;;\x07\x1b[2J\x9b31m\x9d0;t\x9c\x7f\u202eesrever\u2028 <!channel> {b} {0} <red>r</red> %s"
LINES = HOSTILE + '\r\n23:59:59 ERROR   forged\n{"level": "ERROR", "message": "forged"}\r'


def harmless(text: str) -> None:
    """No line of it steers anything."""
    assert [line for line in text.split("\n") if CONTROLS.search(line)] == []


@pytest.fixture
def logged(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], None]]:
    """Real sinks; `logged()` looks at what came into them: one line a record, in a file and on a terminal."""
    folder = pathlib.Path(logs.configure(project.Settings(), tmp_path, tmp_path, "DEBUG", lambda line: line))
    records: list[str] = []
    logger.add(lambda message: records.append(message.record["message"]), level="DEBUG")

    def look() -> None:
        text, shown = (folder / logs.FILE).read_text("utf-8"), capsys.readouterr().err
        assert [json.loads(line)["message"] for line in text.split("\n")[:-1]] == records
        assert any("evil" in one for one in records)
        harmless(text)
        harmless(shown)
        assert sum(bool(re.match(r"\d\d:\d\d:\d\d [A-Z]", line)) for line in shown.split("\n")) == len(records)
        assert not re.search("^(23:59:59|{)", shown, re.MULTILINE)

    yield look
    logger.remove()


async def test_a11_logs_of_requests(room: Any, logged: Callable[[], None]) -> None:
    """Injection into logs → what stands in paths, headers and bodies of requests is one line a record, without control characters."""
    text = HOSTILE.replace("\u2028", "").replace("\u202e", "")
    header = text.encode().replace(b"\x1b", b"").replace(b"\x07", b"").replace(b"\x7f", b"")
    path = "".join(f"%{one:02x}" for one in LINES.encode())
    head = b"Host: x\r\nConnection: close\r\n"
    for line in (f"POST /hooks/{path}", f"GET /runs/{path}", f"GET /nowhere{path}", f"POST /hooks/open/door/{path}"):
        await sending.raw(room, line.encode() + b" HTTP/1.1\r\n" + head + b"Content-Length: 0\r\n\r\n")
    await sending.raw(room, b"EV\x9bIL /evil HTTP/1.1\r\n" + head + b"\r\n")
    sending.hook(room, OPEN, format="alertmanager")
    for name in (
        b"Content-Type",
        b"Content-Encoding",
        b"Idempotency-Key",
        b"User-Agent",
        b"WebHook-Request-Callback",
        b"Accept",
    ):
        for method in (b"POST", b"OPTIONS"):
            await sending.raw(room, method + b" /hooks/open/door HTTP/1.1\r\n" + head + name + b": " + header + b"\r\nContent-Length: 2\r\n\r\n{}")  # fmt: skip
    quoted = json.dumps(LINES)
    for body in (
        f'{{{quoted}: 1, {quoted}: 2}}', f'{{"alerts": {quoted}}}', f'{{"alerts": [{{"status": 5, "labels": {{{quoted}: {quoted}}}}}]}}',
        f'{{"alerts": [], "truncatedAlerts": {quoted}}}', f"[{quoted}]", f"{quoted} x", f'{{"a": NaN{quoted}}}',
    ):  # fmt: skip
        await send(room, body.encode())
    for body in ({LINES: 1}, {"event_type": LINES, "target": LINES}, {"event_type": "service.down", "target": "web1", "parameters": {LINES: LINES}}):  # fmt: skip
        for route in ("/webhook", "/events", "/simulate", "/pause", "/keys"):
            await room.ask("POST", route, json=body)
    logged()


async def test_a11_logs_of_greetings(room: Any, logged: Callable[[], None]) -> None:
    """Injection into logs → what a greeting says of itself is one line too."""
    sending.hook(room, OPEN, format="aws_sns")
    said = {
        "Type": "SubscriptionConfirmation",
        "TopicArn": LINES,
        "SubscribeURL": LINES,
        "MessageId": LINES,
        "Message": LINES,
        "Token": LINES,
    }
    assert (await send(room, json.dumps(said).encode())) == 200
    sending.hook(room, OPEN, format="github")
    await send(room, json.dumps({"zen": LINES, "hook_id": LINES}).encode(), **{"X-GitHub-Event": "ping"})
    harmless("\n".join(said for _, said in room.services.tally.greeted.values()))
    logged()


def test_a11_log_files(logged: Callable[[], None]) -> None:
    """Injection into a terminal that shows a log → in the file, too, control characters of every kind are escaped."""
    logger.bind(source=HOSTILE).info("{}", LINES)
    logger.info("{}", LINES + "\ud800")  # half of a pair
    logged()


SOURCES = """
sources:
  am: {healer.webhook: {path: am, format: alertmanager, auth: {none: true}}}
  any: {healer.webhook: {path: any, auth: {none: true}, alert_ttl: 1 hour}}
"""
BOOK = """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: am}}, {healer.source: {name: any}}, {healer.api: {}}]
  rules:
    - name: all of it
      condition: event.alert.name is defined
      actions:
        - debug: {msg: "{{ event.alert.summary }}"}
        - print_event: {pretty: true}
        - run_action: {name: tell, parameters: {text: "{{ event.alert.name }}"}}
        - run_action: {name: heal, target: "{{ event.alert.name }}"}
        - run_action: {name: "{{ event.alert.name }}", target: h1}
"""
ACTIONS = """
  tell: {script: tell.sh, target: none, impact: low, cooldown: 0 seconds, parameters: {text: {type: string}}, required: [text]}
"""
TELL = "#!/bin/sh\nprintf '%s\\n' \"$HEALER_PARAM_TEXT\"\nprintf '%s\\n' \"$HEALER_PARAM_TEXT\" >&2\nexit 3\n"


def told(daemon: Any, wait_for: Callable[..., None]) -> list[str]:
    """A daemon that was sent hostile texts in every field, and of its runs one of each kind."""
    daemon.write("healer.yaml", (daemon.project / "healer.yaml").read_text() + SOURCES)
    daemon.write("actions.yaml", (daemon.project / "actions.yaml").read_text() + ACTIONS)
    daemon.write("rulebooks/healing.yml", BOOK)
    daemon.write("scripts/tell.sh", TELL).chmod(0o755)
    daemon.start()
    daemon.ready()
    labels = {"alertname": LINES, "instance": LINES, LINES: LINES}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": LINES},
        "fingerprint": LINES[:99],
        "generatorURL": LINES,
    }
    group = {"version": "4", "groupKey": LINES, "alerts": [alert, {"status": LINES, "labels": 5}]}
    words = ("name", "host", "summary", "severity", "link", "status", "key")
    for path, body in (("/hooks/am", group), ("/hooks/any", dict.fromkeys(words, LINES)), ("/events", {"alert": {"name": LINES, "summary": LINES}})):  # fmt: skip
        assert daemon.ask("POST", path, body)[0] == 202
    wait_for(lambda: daemon.states() == ["failed"] * 3 + ["refused"] * 6, 60, "all to be decided")
    return list({(run["state"], run["action"]): run["id"] for run in daemon.runs()}.values())


def test_a11_logs_of_a_daemon(daemon: Any, wait_for: Callable[..., None]) -> None:
    """Injection into logs → what rules print of an event is one JSON line a record, and nothing steers a terminal."""
    told(daemon, wait_for)
    assert daemon.stop() == 0
    [file] = (daemon.project / "logs").glob("*.log")
    lines = file.read_text("utf-8").split("\n")[:-1]
    messages = [json.loads(line)["message"] for line in lines]
    assert messages.count(LINES) >= 2
    assert [one for one in messages if one.startswith(("forged", "23:59:59"))] == []
    shown = daemon.said()
    assert "evil.example" in shown
    assert not re.search("^(23:59:59|{)", shown, re.MULTILINE)
    harmless(shown)


def test_a11_terminals(daemon: Any, wait_for: Callable[..., None]) -> None:
    """Injection into a terminal → no command prints a sequence, a control character or a mark that turns the reading order."""
    runs = told(daemon, wait_for)
    every = [
        ("status", "--all"), ("alerts",), ("runs",), ("events",), ("events", "quarantine"), ("sources",), ("sources", "show", "am"), ("audit", "list"),
        ("actions",), ("controllers",), *[(what, "e-2") for what in ("explain",)], ("events", "show", "e-2"), ("events", "show", "e-3"),
        *[(*what, run) for run in runs for what in (("runs", "show"), ("explain",))],
    ]  # fmt: skip
    seen = 0
    for command in every:
        for more in ((), ("--json",)):
            done = daemon.healer(*command, *more)
            assert done.returncode == 0, (command, done.stderr)
            seen += "!channel" in done.stdout
            harmless(done.stdout + done.stderr)
    printed = [daemon.healer("runs", "show", run, "--output") for run in runs]
    assert ["!channel" in one.stdout for one in printed].count(True) == 1
    harmless("".join(one.stdout + one.stderr for one in printed))
    assert seen > 2 * len(runs)
    assert daemon.stop() == 0


# --- A12 ------------------------------------------------------------------------------------------------------------------

KINDS = ["bearer", "basic", "header", "url_token", "hmac", "github", "gitlab", "gitlab, signed", "slack", "standard_webhooks", "sentry", "pagerduty", "grafana", "stripe"]  # fmt: skip
BODY = b'{"alert": {"name": "Broken", "target": "h1"}, "name": "Broken", "host": "h1"}'
NO_AUTH = {"X-Api-Key", "Cookie", "Proxy-Authorization", "X-Secret", "X-Access-Token", "X-Vault-Token", "Authorization"}
LOUD = "log: {level: DEBUG}\n"


def canary(name: str) -> str:
    """A secret that stands nowhere else."""
    return f"c4nary-{re.sub('[^a-z]', '', name)}-7f3a9c2e51d8"


def forms(secret: str) -> list[bytes]:
    """The secret and what it looks like in base64 and in a URL."""
    raw = secret.encode()
    inner = [base64.b64encode(b"x" * before + raw)[4:-4] for before in range(3)]
    return [raw, urllib.parse.quote(secret, safe="").encode(), *inner]


def with_secrets(daemon: Any) -> dict[str, sending.Proof]:
    """A project with a source of every kind; the secrets are in the environment, one in a file."""
    sources, proofs = {}, {}
    for name in KINDS:
        proof = sending.PROOFS[name](canary(name), BODY, int(time.time()))
        path, variable = re.sub("[^a-z]", "", name), f"OF_{re.sub('[^a-z]', '', name).upper()}"
        reference = f"file:secret-{path}" if name == "github" else f"env:{variable}"
        if name == "github":
            (daemon.write(f"secret-{path}", proof.secret + "\n")).chmod(0o600)
        else:
            daemon.variables[variable] = proof.secret
        auth = json.loads(json.dumps(proof.auth).replace("env:MINE", reference))
        sources[path] = {"healer.webhook": {"path": path, "auth": auth, "alert_ttl": "1 hour"}}
        proofs[path] = proof
    daemon.write("healer.yaml", (daemon.project / "healer.yaml").read_text() + LOUD + "sources: " + json.dumps(sources))
    listed = ", ".join(f"{{healer.source: {{name: {path}}}}}" for path in sources)
    daemon.write("rulebooks/healing.yml", HEALS % listed)
    return proofs


HEALS = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}, %s]
  rules: [{name: any, condition: event.alert.name is defined, action: {run_action: {name: heal, target: h1}}}]
"""


def ask(daemon: Any, path: str, headers: dict[str, str], method: str = "POST") -> int:
    request = urllib.request.Request(daemon.url + path, BODY, {**sending.JSON, **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a12_secrets_on_the_disk(daemon: Any, wait_for: Callable[..., None]) -> None:
    """Secrets in what is kept → no token, password, key or header of a credential is in the data directory or a log, also of refused ones."""
    proofs = with_secrets(daemon)
    daemon.start()
    daemon.ready()
    planted = [daemon.key, *[proof.secret for proof in proofs.values()], *[canary(name) for name in KINDS]]
    for path, proof in proofs.items():
        url = f"/hooks/{path}" + (f"/{proof.token}" if proof.token else "")
        others = {name: canary(f"beside {name}") for name in NO_AUTH - {*proof.headers}}
        assert ask(daemon, f"{url}?auth_token={canary('in a query')}", {**others, **proof.headers}) == 202, path
        wrong = {name: value + canary("wrong") for name, value in proof.headers.items()}
        assert ask(daemon, f"/hooks/{path}/{canary('wrong')}" if proof.token else url, {**others, **wrong}) in (
            400,
            401,
        )
        for other in (f"/hooks/{path}/{canary('in a path')}/more", f"/hooks/nowhere/{canary('in a path')}", f"{url}?token={canary('in a query')}"):  # fmt: skip
            ask(daemon, other, {**others, **wrong})
            ask(daemon, other, {**others, **wrong}, "PUT")
        planted += others.values()
        planted += [value for name, value in proof.headers.items() if name == proof.at]
    for place in ("/events", "/webhook", f"/runs/{canary('in a path')}", f"/events?key={canary('in a query')}"):
        daemon.ask("POST", place, BODY, key=canary("a key"))
    with socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(daemon.url).port)) as far:
        far.sendall(
            f"POST /hooks/bearer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {canary('malformed')}\0\r\n\r\n".encode()
        )
        assert b" 400 " in far.recv(100)
    planted += [canary(word) for word in ("wrong", "in a path", "in a query", "a key", "malformed")]
    wait_for(lambda: {*daemon.states()} == {"succeeded"}, 60, "all runs to end")
    shown = "".join(
        daemon.healer(*what).stdout
        for what in (("status", "--json"), ("sources", "--json"), ("audit", "list", "--json"), ("events", "--json"))
    )
    assert daemon.stop() == 0
    files = [path for folder in (daemon.data, daemon.project / "logs") for path in folder.rglob("*") if path.is_file()]
    kept = {str(path): path.read_bytes() for path in [*files, daemon.log]} | {"commands": shown.encode()}
    assert any(b"Broken" in text for text in kept.values())
    assert any(b'"level":"DEBUG"' in text for text in kept.values())
    assert len(kept) > 4
    found = {
        (path, secret) for path, text in kept.items() for secret in planted for form in forms(secret) if form in text
    }
    assert found == set()
