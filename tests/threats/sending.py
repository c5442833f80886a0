"""What the tests of the threat table send, and what they look at: proofs of every kind, requests as bytes, real bodies, what is kept.

Imported by the tests beside it (`conftest.py` makes it known). The proofs are made with the standard library, apart from the product.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import pathlib
import sqlite3
import types
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

NOW_S = 1_790_000_000
"""When it is in the room."""
REF = {"secret": "env:MINE"}
JSON = {"Content-Type": "application/json"}


@dataclasses.dataclass(frozen=True)
class Proof:
    """How a delivery is proved. `secret`: what the source holds; `at`: the header that has the proof ('' for the URL), from `start` on."""

    auth: dict[str, Any]
    secret: str
    headers: Mapping[str, str]
    at: str = ""
    start: int = 0
    token: str = ""

    @property
    def text(self) -> str:
        """What proves it."""
        return self.headers[self.at][self.start :] if self.at else self.token

    def with_text(self, text: str) -> Proof:
        """The same with another proof."""
        if not self.at:
            return dataclasses.replace(self, token=text)
        headers = {**self.headers, self.at: self.headers[self.at][: self.start] + text}
        return dataclasses.replace(self, headers=headers)


Make = Callable[[str, bytes, int], Proof]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _mac(key: bytes | str, signed: bytes) -> bytes:
    return hmac.digest(key.encode() if isinstance(key, str) else key, signed, "sha256")


def _signed(kind: str, header: str, prefix: str = "", auth: Any = REF) -> Make:
    def make(secret: str, body: bytes, _time: int) -> Proof:
        return Proof({kind: auth}, secret, {header: prefix + _mac(secret, body).hex()}, header, len(prefix))

    return make


def _timed(kind: str, header: str, of_time: str, between: str, before: str = "", prefix: str = "", auth: Any = REF) -> Make:  # fmt: skip
    def make(secret: str, body: bytes, time: int) -> Proof:
        signed = f"{before}{time}{between}".encode() + body
        return Proof(
            {kind: auth}, secret, {header: prefix + _mac(secret, signed).hex(), of_time: str(time)}, header, len(prefix)
        )

    return make


def _stripe(secret: str, body: bytes, time: int) -> Proof:
    signature = _mac(secret, f"{time}.".encode() + body).hex()
    return Proof(
        {"stripe": REF}, secret, {"Stripe-Signature": f"t={time},v1={signature}"}, "Stripe-Signature", len(f"t={time},v1=")
    )  # fmt: skip


def _standard(kind: str, family: str, *, public: bool = False) -> Make:
    def make(secret: str, body: bytes, time: int) -> Proof:
        raw = hashlib.sha256(secret.encode()).digest()
        named = f"msg-{hashlib.sha256(body).hexdigest()[:16]}"
        signed = f"{named}.{time}.".encode() + body
        pair = ed25519.Ed25519PrivateKey.from_private_bytes(raw)
        key = f"whpk_{_b64(pair.public_key().public_bytes_raw())}" if public else f"whsec_{_b64(raw)}"
        signature = f"v1a,{_b64(pair.sign(signed))}" if public else f"v1,{_b64(_mac(raw, signed))}"
        headers = {f"{family}-id": named, f"{family}-timestamp": str(time), f"{family}-signature": signature}
        return Proof({kind: REF}, key if secret else "", headers, f"{family}-signature", signature.index(",") + 1)

    return make


def _plain(kind: str, header: str, prefix: str = "", auth: Any = REF, user: str = "") -> Make:
    def make(secret: str, _body: bytes, _time: int) -> Proof:
        said = _b64(f"{user}:{secret}".encode()) if user else secret
        return Proof({kind: auth}, secret, {header: prefix + said}, header, len(prefix))

    return make


def _in_url(secret: str, _body: bytes, _time: int) -> Proof:
    return Proof({"url_token": REF}, secret, {}, token=secret)


PROOFS: dict[str, Make] = {
    "bearer": _plain("bearer", "Authorization", "Bearer "),
    "basic": _plain("basic", "Authorization", "Basic ", {"user": "am", "password": REF}, user="am"),
    "header": _plain("header", "X-Mine", auth={"name": "X-Mine", "token": REF}),
    "url_token": _in_url,
    "hmac": _signed("hmac", "X-Sum", "sha256=", {"header": "X-Sum", "key": REF, "prefix": "sha256="}),
    "hmac, timed": _timed("hmac", "X-Sum", "X-At", ":", auth={"header": "X-Sum", "key": REF, "timestamp": "X-At"}),
    "github": _signed("github", "X-Hub-Signature-256", "sha256="),
    "gitlab": _plain("gitlab", "X-Gitlab-Token"),
    "gitlab, signed": _standard("gitlab", "webhook"),
    "slack": _timed("slack", "X-Slack-Signature", "X-Slack-Request-Timestamp", ":", "v0:", "v0="),
    "standard_webhooks": _standard("standard_webhooks", "webhook"),
    "standard_webhooks, svix": _standard("standard_webhooks", "svix"),
    "standard_webhooks, public": _standard("standard_webhooks", "webhook", public=True),
    "sentry": _signed("sentry", "Sentry-Hook-Signature"),
    "pagerduty": _signed("pagerduty", "X-PagerDuty-Signature", "v1="),
    "grafana": _signed("grafana", "X-Grafana-Alerting-Signature", auth={"key": REF}),
    "grafana, timed": _timed(
        "grafana", "X-Sum", "X-At", ":", auth={"key": REF, "header": "X-Sum", "timestamp": "X-At"}
    ),
    "stripe": _stripe,
}
"""Every kind of `auth` but sns and none, some in several ways: (secret, body, seconds since 1970) → the proof."""
TIMED = [name for name, make in PROOFS.items() if make("k", b"", 1) != make("k", b"", 2)]


def hook(room: Any, auth: Any, secret: str = "", **more: Any) -> Any:
    """The room's hook `open/door` with these options; `secret`: what its reference means."""
    found = room.revision.sources["open"]
    found.options = type(found.options).model_validate({"path": "open/door", "auth": auth, **more})
    room.services.secrets._environ["MINE"] = secret
    room.revision = types.SimpleNamespace(**vars(room.revision))  # hooks are made anew with each revision
    return found.options


async def deliver(room: Any, body: bytes, proof: Proof, **headers: str) -> tuple[int, Any]:
    """(status, answer) of a delivery to the hook."""
    path = "/hooks/open/door" + (f"/{proof.token}" if proof.token else "")
    return await room.ask("POST", path, None, data=body, headers={**JSON, **proof.headers, **headers})


def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, int]:
    """(status, how many events were accepted) of a delivery to a daemon."""
    request = urllib.request.Request(url, body, dict(headers))
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, json.loads(answer.read())["accepted"]


async def begun(room: Any, head: bytes) -> int:
    """The status of the answer to a request of which no more than this is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    try:
        writer.write(head)
        return status_of(await asyncio.wait_for(reader.readline(), 60))
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def raw(room: Any, *pieces: bytes) -> bytes:
    """All that comes back for bytes as they are, until the far side closes. The request should ask for that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    try:
        for piece in pieces:
            writer.write(piece)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), 60)
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def status_of(answer: bytes) -> int:
    """The status of an answer as bytes; 0 for none."""
    line = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(line[1]) if len(line) > 1 else 0


def kept(data_dir: pathlib.Path) -> dict[str, Any]:
    """All that a store holds: the rows of every table, and the files beside it. It may be in use."""
    with contextlib.closing(sqlite3.connect(f"{(data_dir / 'healer.db').as_uri()}?mode=ro", uri=True)) as reading:
        names = [name for (name,) in reading.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found: dict[str, Any] = {name: reading.execute(f'SELECT * FROM "{name}"').fetchall() for name in sorted(names)}
    files = sorted(str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_file())
    return found | {"files": [name for name in files if not name.startswith("healer.db")]}


@dataclasses.dataclass(frozen=True)
class Sent:
    """A body of the corpus: the format of its sender, its bytes, and its headers as they are given there."""

    file: str
    format: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def value(self) -> Any:
        return json.loads(self.body)


def corpus(shared: pathlib.Path) -> Iterator[Sent]:
    """Every body that is JSON."""
    folder = shared / "payloads"
    for entry in json.loads((folder / "INDEX.json").read_text())["entries"]:
        file = entry["file"]
        if file.endswith(".json"):
            headers = {name.lower(): str(value) for name, value in (entry.get("headers") or {}).items()}
            yield Sent(file, file.partition("/")[0], (folder / file).read_bytes(), headers)
