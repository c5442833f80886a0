"""Rows A1–A5 of the threat table: who sends, and what came before. Each test says the threat and the defence."""

from __future__ import annotations

import ast
import dataclasses
import hmac
import itertools
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

import hypothesis
import pydantic
import pytest
import sending
from hypothesis import strategies as st

from healer import plugins, telemetry
from healer.sources import _proof
from healer.web import auth as auth_of_web

BODY = b'{"name": "DiskFull", "host": "web1"}'
SECRET = "k3y-of-this-sender"
every = pytest.mark.parametrize("name", sending.PROOFS)
in_one_room = hypothesis.settings(
    max_examples=150, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)


def proof_of(name: str, secret: str = SECRET, body: bytes = BODY, at_s: int = sending.NOW_S) -> sending.Proof:
    return sending.PROOFS[name](secret, body, at_s)


# --- A1 -------------------------------------------------------------------------------------------------------------------


async def unauthorized(room: Any, proof: sending.Proof) -> None:
    """Refused as everybody is, and nothing of it is kept but a counter."""
    before, count = sending.kept(room.data_dir), telemetry.read().get("authentications_failed", 0)
    status, answer = await sending.deliver(room, BODY, proof)
    assert (status, answer["code"], answer["detail"]) == (
        401, "unauthorized", "this delivery does not prove that it comes from the sender of this hook",
    )  # fmt: skip
    assert sending.kept(room.data_dir) == before
    assert telemetry.read()["authentications_failed"] == count + 1


@every
async def test_a01_forged_event(room: Any, name: str) -> None:
    """Forged event → no header, a wrong, cut or foreign proof and an empty secret are 401, and nothing is stored but a counter."""
    proof = proof_of(name)
    sending.hook(room, proof.auth, proof.secret)
    await unauthorized(room, dataclasses.replace(proof, headers={}, token=""))
    await unauthorized(room, proof.with_text(("A" if proof.text[0] != "A" else "B") + proof.text[1:]))
    await unauthorized(room, proof.with_text(proof.text[:-1]))
    await unauthorized(room, proof_of(name, "a-token-of-alertmanager"))  # that of another source
    assert (await sending.deliver(room, BODY, proof))[0] == 202
    for of_nothing in (proof_of(name, ""), proof):
        sending.hook(room, proof.auth, "")
        await unauthorized(room, of_nothing)


def test_a01_forged_event_of_every_kind() -> None:
    """Forged event → the matrix has every kind of `auth` there is (`sns`: A9); without the word `none` no hook is open."""
    assert {next(iter(proof_of(name).auth)) for name in sending.PROOFS} == {*_proof.KINDS} - {"sns", "none"}
    options = plugins.find("sources", "webhook").SOURCE.Options
    for said in ({}, {"auth": {}}, {"auth": None}, {"auth": {"none": False}}, {"auth": {"bearer": {"secret": ""}}}):
        with pytest.raises(pydantic.ValidationError):
            options.model_validate({"path": "x", **said})
    assert options.model_validate({"path": "x", "auth": "none"}).auth.none


async def test_a01_forged_event_is_refused_before_it_is_read(room: Any) -> None:
    """Forged event → an unknown path is 404, a wrong token 401, before any of the body is there."""
    for path, status in (("nowhere", 404), ("alertmanager", 401), ("locked", 401)):
        head = f"POST /hooks/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"
        assert await sending.begun(room, head.encode()) == status, path


# --- A2 -------------------------------------------------------------------------------------------------------------------


@every
async def test_a02_prefix_compare(room: Any, name: str) -> None:
    """A shorter proof that begins as the right one does → cut at every length it is 401: whole digests are compared."""
    proof = proof_of(name)
    sending.hook(room, proof.auth, proof.secret)
    for end in range(len(proof.text)):
        status, answer = await sending.deliver(room, BODY, proof.with_text(proof.text[:end]))
        assert (status, answer["code"]) == (401, "unauthorized"), end
    assert await room.rows() == []
    assert (await sending.deliver(room, BODY, proof))[0] == 202


# --- A3 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["auth", "evidence", "hooks", "keyfiles", "proving", "signing", "sns"])
def test_a03_timing_no_secret_is_compared_plainly(file: str, other_tests: Callable[[str], Any]) -> None:
    """Timing → no file that handles secrets compares one with == or !=, or decides with another compare than `compare_digest`."""
    text = (pathlib.Path(auth_of_web.__file__).parent / f"{file}.py").read_text()
    rule = other_tests("unit/web/test_evidence.py").compared_plainly
    assert rule(text) == []
    assert rule(text + "\nif digest(token) == given: pass\n") != []
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
    assert {one for one in called if one.endswith("compare_digest")} <= {"hmac.compare_digest"}


@every
async def test_a03_timing(room: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timing → what decides is `hmac.compare_digest`, over bytes of equal length: where it says no the right proof is refused."""
    proof = proof_of(name)
    sending.hook(room, proof.auth, proof.secret)
    compared: list[tuple[Any, Any]] = []

    def never(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return False

    with monkeypatch.context() as patched:
        patched.setattr(hmac, "compare_digest", never)
        assert (await sending.deliver(room, BODY, proof))[0] == 401
    assert [(type(one), type(other), len(one) - len(other)) for one, other in compared] == [(bytes, bytes, 0)]
    assert (await sending.deliver(room, BODY, proof))[0] == 202


# --- A4 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sending.TIMED)
async def test_a04_replay_outside_of_the_window(room: Any, name: str) -> None:
    """Replay → a signed time is taken 300 s around now, and refused beyond, before and after."""
    proof = proof_of(name)
    sending.hook(room, proof.auth, proof.secret)
    for away_s, status in ((-301, 401), (301, 401), (-86_400, 401), (10**9, 401), (-300, 202), (299, 202)):
        room.ahead_us = away_s * 1_000_000
        assert (await sending.deliver(room, BODY, proof))[0] == status, away_s


def body_of(value: Any) -> bytes:
    return json.dumps(value).encode()


PAGERDUTY = {"event": {
    "id": "01", "event_type": "incident.triggered", "occurred_at": "2026-01-01T00:00:00Z", "resource_type": "incident",
    "data": {"id": "P1", "type": "incident", "title": "DiskFull", "urgency": "high"},
}}  # fmt: skip
SLACK = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message", "text": "x"}}
STRIPE = {"id": "evt_1", "object": "event", "type": "x", "created": 1, "data": {"object": {"id": "ch", "object": "c"}}}
CLOUD = {"specversion": "1.0", "type": "t", "source": "/s", "id": "1"}
WITH_IDS: dict[str, tuple[str, Any, dict[str, str]]] = {
    "pagerduty": ("pagerduty", PAGERDUTY, {}),
    "slack": ("slack", SLACK, {}),
    "stripe": ("stripe_like", STRIPE, {}),
    "hmac": ("cloudevents", CLOUD, {}),
    "standard_webhooks": ("standard_webhooks", {"type": "t", "data": {}}, {}),
    "gitlab, signed": ("generic", {"name": "x"}, {}),
    "github": ("generic", {"name": "x"}, {"X-GitHub-Delivery": "d1"}),
    "sentry": ("generic", {"name": "x"}, {"Request-ID": "r1", "Idempotency-Key": "r1"}),
    "bearer": ("generic", {"name": "x"}, {"Idempotency-Key": "d1"}),
}
"""Kind → (format, body, headers) of a delivery that has an id: in the body, or in a header."""
SIGNED_IDS = ["pagerduty", "slack", "stripe", "hmac", "standard_webhooks", "gitlab, signed"]
OTHER_IDS = ("Idempotency-Key", "X-GitHub-Delivery", "X-Gitlab-Event-UUID", "X-Amz-Sns-Message-Id", "ce-id", "svix-id")


@pytest.mark.parametrize("name", WITH_IDS)
async def test_a04_replay(room: Any, name: str) -> None:
    """Replay → the same bytes once more are answered 2xx as a duplicate, and no event comes of them."""
    form, value, headers = WITH_IDS[name]
    proof = proof_of(name, body=body_of(value))
    sending.hook(room, proof.auth, proof.secret, format=form)
    for accepted in (1, 0, 0):
        status, made = await sending.deliver(room, body_of(value), proof, **headers)
        assert (status, made["accepted"], made["duplicates"], made["ids"]) == (202, accepted, 1 - accepted, ["e-1"])
    assert len(await room.rows()) == 1


@pytest.mark.parametrize("name", SIGNED_IDS)
async def test_a04_replay_with_a_header_that_is_not_signed(room: Any, name: str) -> None:
    """Replay of an overheard delivery under another id → the id that is signed counts, whatever header is put beside it."""
    form, value, headers = WITH_IDS[name]
    proof = proof_of(name, body=body_of(value))
    sending.hook(room, proof.auth, proof.secret, format=form)
    assert (await sending.deliver(room, body_of(value), proof, **headers))[1]["accepted"] == 1
    anew = []
    for header in OTHER_IDS:
        status, answer = await sending.deliver(room, body_of(value), proof, **{header: f"another-{header}"})
        if (status, answer.get("accepted")) not in ((202, 0), (401, None)):
            anew.append(header)
    assert anew == []


SOURCES = """
sources:
  pagerduty: {healer.webhook: {path: pagerduty, format: pagerduty, auth: {pagerduty: {secret: "env:MINE"}}}}
  slack: {healer.webhook: {path: slack, format: slack, auth: {slack: {secret: "env:MINE"}}}}
  github: {healer.webhook: {path: github, auth: {github: {secret: "env:MINE"}}}}
  bearer: {healer.webhook: {path: bearer, format: alertmanager, auth: {bearer: {secret: "env:MINE"}}}}
"""
RULES = """\
- name: rs
  hosts: all
  sources: [%s]
  rules: [{name: any, condition: event.alert.name is defined, action: {run_action: {name: heal, target: h1}}}]
"""
GROUP = {
    "version": "4",
    "alerts": [{"status": "firing", "labels": {"alertname": "Down", "instance": "h1"}, "fingerprint": "f1"}],
}


def test_a04_replay_after_a_restart(daemon: Any, wait_for: Callable[..., None]) -> None:
    """Replay → also after a restart the same bytes start no run: ids are on disk, and an alert that fires is one cycle."""
    daemon.write("healer.yaml", (daemon.project / "healer.yaml").read_text() + SOURCES)
    names = ["pagerduty", "slack", "github", "bearer"]
    daemon.write("rulebooks/healing.yml", RULES % ", ".join(f"{{healer.source: {{name: {name}}}}}" for name in names))
    daemon.variables["MINE"] = SECRET
    sent = {}
    for name in names:
        value, headers = (GROUP, {}) if name == "bearer" else WITH_IDS[name][1:]
        proof = proof_of(name, body=body_of(value), at_s=int(time.time()))
        sent[name] = body_of(value), {**sending.JSON, **proof.headers, **headers}

    def send() -> list[tuple[int, int]]:
        return [sending.post(f"{daemon.url}/hooks/{name}", *sent[name]) for name in names]

    daemon.start()
    daemon.ready()
    assert [accepted for _, accepted in send()] == [1, 1, 1, 1]
    wait_for(lambda: len(daemon.lines()) == 4, 60, "four effects")
    assert send() == [(202, 0)] * 4
    for end in (daemon.kill, daemon.stop):
        end()
        daemon.start()
        daemon.ready()
        answers = send()
        assert [status for status, _ in answers] == [202] * 4
        assert answers[:3] == [(202, 0)] * 3
    ((last,),) = daemon.rows("SELECT max(seq) FROM journal")
    wait_for(lambda: daemon.get(f"/events/e-{last}")[1]["decided"], 60, "all to be decided")
    assert len(daemon.runs()) == len(daemon.lines()) == 4


# --- A5 -------------------------------------------------------------------------------------------------------------------

FRAMING = {"content-length", "transfer-encoding", "expect", "connection", "host", "upgrade"}
NAMES = sorted({
    *itertools.chain.from_iterable(proof_of(name).headers for name in sending.PROOFS), *OTHER_IDS, "Content-Type", "Content-Encoding",
    "ce-source", "ce-type", "ce-specversion", "X-GitHub-Event", "Cookie", "Forwarded", "X-Forwarded-For", "X-Hub-Signature",
})  # fmt: skip
PIECES = [
    b"sha256=", b"v1=", b"v1,", b"v0=", b"t=1790000000,", b"1790000000", b"Bearer ", b"Basic ", b"application/json", b"0" * 64, b"\xff\xfe",
    "ä".encode(), b",", b"identity", b"push",
]  # fmt: skip
TOKEN = st.text("abcXYZ019-_!#$%&'*+.^`|~", min_size=1, max_size=12).filter(lambda name: name.lower() not in FRAMING)
VALUE = st.lists(st.sampled_from(PIECES) | st.integers(32, 255).map(lambda one: bytes([one])), max_size=6).map(b"".join)
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES) | TOKEN, VALUE), max_size=8).map(
    lambda some: [name.encode() + b": " + value for name, value in some]
)
JUNK = st.binary(max_size=12).filter(
    lambda line: line.partition(b":")[0].strip().lower().decode("latin-1") not in FRAMING
)
WHO = st.just("none") | st.sampled_from([*sending.PROOFS])


@in_one_room
@hypothesis.given(WHO, HEADERS, st.none() | st.none() | JUNK)
async def test_a05_header_confusion(room: Any, name: str, headers: list[bytes], junk: bytes | None) -> None:
    """Odd headers (twice, not ASCII, no headers at all) → 200, 202 or 4xx, never 5xx, and nothing is stored of whom nobody knows."""
    proof = proof_of(name) if name != "none" else sending.Proof({"none": True}, "", {})
    sending.hook(room, proof.auth, proof.secret)
    before = len(await room.rows())
    length = b"Content-Length: %d" % len(BODY)
    lines = [b"POST /hooks/open/door HTTP/1.1", b"Host: x", b"Connection: close", length, *headers]
    answer = await sending.raw(room, b"\r\n".join([*lines, *([junk] if junk is not None else []), b"", BODY]))
    status = sending.status_of(answer)
    assert status in (200, 202) or 400 <= status < 500, answer
    assert name == "none" or (status not in (200, 202) and len(await room.rows()) == before)


@every
async def test_a05_header_confusion_of_the_proof(room: Any, name: str) -> None:
    """A right proof there twice, with bytes that are not ASCII, or beside a header by SHA-1 → 401 or as without, never 5xx."""
    proof = proof_of(name)
    sending.hook(room, proof.auth, proof.secret)
    head = "POST /hooks/open/door" + (f"/{proof.token}" if proof.token else "")
    lines = [f"{key}: {value}".encode() for key, value in proof.headers.items()]

    async def send(*more: bytes) -> int:
        whole = [f"{head} HTTP/1.1".encode(), b"Host: x", b"Connection: close", b"Content-Length: %d" % len(BODY), *more, b"", BODY]  # fmt: skip
        return sending.status_of(await sending.raw(room, b"\r\n".join(whole)))

    for line in lines:
        assert await send(*lines, line) in (400, 401), line
        assert await send(*[one + b"\xff" if one is line else one for one in lines]) in (400, 401), line
        assert await send(*[one + "ä".encode() if one is line else one for one in lines]) in (400, 401), line
    assert await room.rows() == []
    assert await send(*lines, b"X-Hub-Signature: sha1=0") == 202


@in_one_room
@hypothesis.given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")), st.sampled_from(sorted({*plugins.builtin_names("formats")})))  # fmt: skip
async def test_a05_any_body(room: Any, body: bytes, form: str) -> None:
    """Odd bodies of a sender that is known, for every format → 200, 202 or 4xx, never 5xx."""
    proof = proof_of("github", body=body)
    sending.hook(room, proof.auth, proof.secret, format=form)
    status, answer = await sending.deliver(room, body, proof)
    assert status in (200, 202) or 400 <= status < 500, answer
