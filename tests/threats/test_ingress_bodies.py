"""Rows A6–A8 of the threat table: what is sent. Each test says the threat and the defence."""

from __future__ import annotations

import ast
import collections
import gzip
import json
import pathlib
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import hypothesis
import pytest
import sending
from hypothesis import strategies as st

from healer.intake import strict
from healer.web import arrivals, bodies, routes, serving

OPEN = {"none": True}
HEAD = b"POST /hooks/open/door HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


async def send(room: Any, body: Any, **headers: str) -> tuple[int, str]:
    """(status, code) of a delivery to the open hook."""
    said = {**sending.JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    status, answer = await room.ask("POST", "/hooks/open/door", None, data=body, headers=said)
    return status, answer.get("code", "") if isinstance(answer, dict) else str(answer)


def of_size(size: int) -> bytes:
    """JSON of so many bytes, of texts that are none too long."""
    texts = [b'"' + b"x" * 100_000 + b'"'] * (size // 100_100)
    whole = b'{"a":[' + b",".join([*texts, b'""]}'])
    return whole.replace(b'""]}', b'"' + b"y" * (size - len(whole)) + b'"]}')


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Chunked: no length is said."""
    for at in range(0, len(body), 50_000):
        yield body[at : at + 50_000]


# --- A6 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
async def test_a06_large_bodies(room: Any, chunked: bool) -> None:
    """Memory → a body is taken up to the cap and refused at the first byte beyond, whether or not its length is said."""
    sending.hook(room, OPEN)
    for size, said in ((bodies.BYTES_MAX - 1, (202, "")), (bodies.BYTES_MAX, (202, "")), (bodies.BYTES_MAX + 1, (413, "too-large"))):  # fmt: skip
        body = of_size(size)
        assert len(body) == size
        assert await send(room, in_pieces(body) if chunked else body) == said, size
    assert len(await room.rows()) == 2


@pytest.fixture
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is refused early is not listened to for long."""
    monkeypatch.setattr(serving, "LINGER_S", 0.05)


@pytest.mark.usefixtures("short_linger")
async def test_a06_large_bodies_are_refused_before_they_come(room: Any) -> None:
    """Memory → what says that it is too large is refused without a byte of it; what says nothing is cut off underway."""
    sending.hook(room, OPEN)
    assert await sending.begun(room, HEAD + b"Content-Length: 99999999999\r\n\r\n") == 413
    piece = b"%x\r\n%b\r\n" % (1 << 20, b" " * (1 << 20))
    answer = await sending.raw(room, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[piece] * 3)
    assert sending.status_of(answer) in (413, 0)  # 0: it went on sending, and was cut off
    assert await room.rows() == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a06_bombs(room: Any, encoding: str) -> None:
    """A bomb → no encoded body is taken, nothing is ever inflated."""
    sending.hook(room, OPEN)
    bomb = gzip.compress(b'{"a": "' + b"0" * (50 << 20) + b'"}')
    assert await send(room, bomb, Content_Encoding=encoding) == (415, "content-type")
    assert (await send(room, bomb))[0] == 400
    transfer = b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(bomb), bomb)
    assert sending.status_of(await sending.raw(room, HEAD + transfer)) in (400, 415)
    assert await room.rows() == []


def nested(depth: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


def values(count: int) -> bytes:
    """An object and a list make two of them."""
    return b'{"a":[' + b",".join([b"0"] * (count - 2)) + b"]}"


SHAPES = {
    "63 deep": (nested(63), 202, ""),
    "64 deep": (nested(64), 202, ""),
    "65 deep": (nested(65), 400, "too-deep"),
    "lists 64 deep": (nested(64, b"[", b"]"), 202, ""),
    "lists 65 deep": (nested(65, b"[", b"]"), 400, "too-deep"),
    "100,000 deep": (nested(100_000, b"[", b"]"), 400, "too-deep"),
    "never closed": (b'{"a":' * 300_000, 400, "not-json"),
    "50,000 values": (values(50_000), 202, ""),
    "50,001 values": (values(50_001), 400, "too-many-values"),
    "500,000 objects": (b'{"a":[' + b",".join([b"{}"] * 500_000) + b"]}", 400, "too-many-values"),
    "a text at the limit": (b'{"a":"' + b"x" * strict.STRING_MAX + b'"}', 202, ""),
    "a text over the limit": (b'{"a":"' + b"x" * (strict.STRING_MAX + 1) + b'"}', 400, "bad-text"),
    "a name over the limit": (b'{"' + b"x" * (strict.STRING_MAX + 1) + b'":1}', 400, "bad-text"),
    "a number of 5,000 digits": (b'{"a":' + b"9" * 5_000 + b"}", 400, "number-too-large"),
    "an exponent": (b'{"a":1e999999999}', 400, "number-too-large"),
}


@pytest.mark.parametrize("case", SHAPES)
async def test_a06_deep_and_many(room: Any, case: str) -> None:
    """CPU and memory → depth, count of values, length of texts and of numbers have limits that hold exactly."""
    body, status, code = SHAPES[case]
    sending.hook(room, OPEN)
    assert await send(room, body) in ((status, code), *([(400, "too-deep")] if case == "never closed" else []))
    assert len(await room.rows()) == (status == 202)


async def test_a06_many_events(room: Any) -> None:
    """One body as very many events → 413 beyond the limit, and none of them is kept."""
    sending.hook(room, OPEN, format="alertmanager")
    for count, status in ((10_000, 202), (10_001, 413)):
        assert (await send(room, b'{"alerts":[' + b",".join(b"%d" % n for n in range(count)) + b"]}"))[0] == status
        assert len(await room.rows()) == 10_000


@pytest.mark.parametrize("name", sending.PROOFS)
async def test_a06_parsing_comes_after_proving(room: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU → of whom nobody knows no body is parsed."""
    parsed: list[bytes] = []
    monkeypatch.setattr(arrivals.strict, "parse", lambda body, **_: parsed.append(body) or {})
    body = SHAPES["100,000 deep"][0]
    proof = sending.PROOFS[name]("k3y", body, sending.NOW_S)
    sending.hook(room, proof.auth, proof.secret)
    assert (await sending.deliver(room, body, proof.with_text(proof.text[:-1])))[0] == 401
    assert parsed == []
    assert (await sending.deliver(room, body, proof))[0] == 202
    assert parsed == [body]


@pytest.mark.usefixtures("short_linger")
async def test_a06_slow_senders(open_room: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowloris → a body that does not come whole is 408 and the end of the connection; so is a head that does not come."""
    assert (bodies.SLOW_S, serving.HEADERS_S) == (10, 10)
    monkeypatch.setattr(bodies.read, "__defaults__", (bodies.BYTES_MAX, 0.05))
    async with open_room(headers_s=0.2) as room:
        sending.hook(room, OPEN)
        for rest in (b"Content-Length: 20\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
            answer = await sending.raw(room, HEAD + rest)
            assert (sending.status_of(answer), b'"code":"slow-body"' in answer) == (408, True)
        assert await sending.raw(room, HEAD + b"X-A: ") == b""
        assert await sending.raw(room, b"") == b""
        assert await room.rows() == []


async def test_a06_large_heads(room: Any) -> None:
    """Memory → headers have a limit of their number and their length, and so has the first line."""
    sending.hook(room, OPEN)
    rest = b"Content-Length: 2\r\n\r\n{}"
    for more, status in ((97, 400), (90, 202)):
        assert sending.status_of(await sending.raw(room, HEAD + b"X-A: 1\r\n" * (more + 3) + rest)) == status
    assert sending.status_of(await sending.raw(room, HEAD + b"X-A: " + b"x" * 9_000 + b"\r\n" + rest)) == 400
    assert sending.status_of(await sending.raw(room, HEAD.replace(b"door", b"d" * 9_000) + rest)) == 400
    assert len(await room.rows()) == 1


@pytest.mark.parametrize("framing", [
    b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 2\r\nContent-Length: 3\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 2, 2\r\n", b"Content-Length: 0x2\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
])  # fmt: skip
async def test_a06_a_body_with_two_lengths(room: Any, framing: bytes) -> None:
    """Smuggling → a request whose end can be read in two ways is 400, and the connection ends."""
    sending.hook(room, OPEN)
    assert sending.status_of(await sending.raw(room, HEAD + framing + b"\r\n{}" + HEAD + b"\r\n")) == 400
    assert await room.rows() == []


# --- A7 -------------------------------------------------------------------------------------------------------------------

AMBIGUOUS = {
    "a key twice": (b'{"a": 1, "a": 1}', "duplicate-key"),
    "a key twice, deep": (b'{"a": [{"b": 1, "c": 2, "b": 3}]}', "duplicate-key"),
    "a key twice, once escaped": (b'{"a": 1, "\\u0061": 2}', "duplicate-key"),
    "NaN": (b'{"a": NaN}', "not-a-number"),
    "Infinity": (b'{"a": [-Infinity]}', "not-a-number"),
    "half of a pair": (b'{"a": "\\ud800"}', "bad-text"),
    "half of a pair in a name": (b'{"\\udfff": 1}', "bad-text"),
    "a pair the wrong way round": (b'{"a": "\\udc00\\ud800"}', "bad-text"),
    "half of a pair, as it stands": (b'{"a": "\xed\xa0\x80"}', "bad-text"),
    "too long UTF-8": (b'{"a": "\xc0\xaf"}', "bad-text"),
    "NUL": (b'{"a": "\\u0000"}', "bad-text"),
    "beyond 64 bits": (b'{"a": 18446744073709551616}', "number-too-large"),
    "below 64 bits": (b'{"a": -9223372036854775809}', "number-too-large"),
    "no double": (b'{"a": 1e400}', "number-too-large"),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', "not-json"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "bad-text"),
    "a comment": (b'{"a": 1} // x', "not-json"),
    "a comma too many": (b'{"a": [1,]}', "not-json"),
    "a number with a zero": (b'{"a": 01}', "not-json"),
    "two documents": (b'{"a": 1}{"a": 2}', "not-json"),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
async def test_a07_ambiguous_json(room: Any, case: str) -> None:
    """Two readers of one body → what a lenient and a strict one would read differently is 400, and not kept."""
    body, code = AMBIGUOUS[case]
    sending.hook(room, OPEN)
    assert await send(room, body) == (400, code)
    assert await room.rows() == []


def exact(value: Any) -> str:
    """A value as a text that differs wherever the value does, 1 and 1.0 and true included."""
    return json.dumps(value, ensure_ascii=False)


async def stored(room: Any) -> tuple[bytes | None, list[Any]]:
    """(the bytes that were kept, the payloads) of the newest delivery."""
    rows = await room.rows()
    rows = [row for row in rows if row["raw_hash"] == rows[-1]["raw_hash"]] if rows[-1]["raw_hash"] else rows[-1:]
    raw = await room.services.store.blob(rows[-1]["raw_hash"]) if rows[-1]["raw_hash"] else rows[-1]["raw"]
    events = [row["body"] or await room.services.store.blob(row["body_hash"]) for row in rows]
    return raw, [json.loads(event).get("payload") for event in events]


@pytest.mark.parametrize("number", ["9007199254740993", "9223372036854775807", "18446744073709551615", "-9223372036854775808", "0.1", "1e22", "5e-324", "-0.0", "1.0"])  # fmt: skip
async def test_a07_numbers_are_exact(room: Any, number: str) -> None:
    """A number that a reader rounds → whole numbers up to 64 bits and doubles are kept as they were."""
    sending.hook(room, OPEN)
    assert (await send(room, b'{"a": ' + number.encode() + b"}"))[0] == 202
    _, [payload] = await stored(room)
    assert exact(payload) == exact({"a": json.loads(number)})


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)  # fmt: skip


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(st.dictionaries(TEXT, VALUES, max_size=4), st.booleans())
async def test_a07_what_is_kept_is_what_was_sent(room: Any, value: dict[str, Any], ascii_only: bool) -> None:
    """A body that changes on its way → what is stored means exactly what was sent."""
    sending.hook(room, OPEN)
    assert await send(room, json.dumps(value, ensure_ascii=ascii_only).encode()) == (202, "")
    _, [payload] = await stored(room)
    assert exact(payload) == exact(value)


def leaves(value: Any) -> collections.Counter[str]:
    """Everything that a value says, however it is wrapped."""
    if isinstance(value, dict):
        return sum(map(leaves, value.values()), collections.Counter())
    return (
        sum(map(leaves, value), collections.Counter())
        if isinstance(value, list)
        else collections.Counter([exact(value)])
    )


async def test_a07_the_corpus_is_kept_exactly(room: Any, shared: pathlib.Path) -> None:
    """A body that changes on its way → real ones are kept byte by byte, or as an event whose payload means the same."""
    greeted = 0
    for sent in sending.corpus(shared):
        sending.hook(room, OPEN, format=sent.format)
        headers = {name: value for name, value in sent.headers.items() if name.startswith(("x-github-event", "ce-"))}
        before = len(await room.rows())
        status, answer = await room.ask("POST", "/hooks/open/door", None, data=sent.body, headers={**sending.JSON, **headers})  # fmt: skip
        assert status in (200, 202), (sent.file, answer)
        if len(await room.rows()) == before:
            greeted += 1
            continue
        raw, payloads = await stored(room)
        assert raw == sent.body or (raw is None and leaves(sent.value) <= leaves(payloads)), sent.file
    assert greeted < 10


ENVELOPE = {
    "Type": "Notification",
    "MessageId": "m",
    "TopicArn": "t",
    "Message": "x",
    "Timestamp": "2026-01-01T00:00:00Z",
}
ONE_OF_A_LIST = {
    "aws_sns": {"Records": [{"Sns": ENVELOPE}], "beside": "kept?"},
    "kubernetes": {"kind": "EventList", "items": [{"kind": "Event", "metadata": {"uid": "u"}}], "beside": "kept?"},
    "alertmanager": {"alerts": [{"status": "firing", "labels": {}}], "beside": "kept?"},
}


@pytest.mark.parametrize("form", ONE_OF_A_LIST)
async def test_a07_what_stands_beside_the_only_event_is_kept(room: Any, form: str) -> None:
    """A body of which a part is kept → what stands beside a list of one is in the event, or all bytes are kept."""
    sending.hook(room, OPEN, format=form)
    body = json.dumps(ONE_OF_A_LIST[form]).encode()
    assert await send(room, body) == (202, "")
    [row] = await room.rows()
    kept = row["raw"] or row["body"]
    assert b"kept?" in kept


# --- A8 -------------------------------------------------------------------------------------------------------------------

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="payload"; filename="../../etc/evil"\r\nContent-Type: application/json\r\n\r\n'
    + b'{"a":1}' * 300_000
    + b"\r\n--x--\r\n"
)


@pytest.mark.parametrize("given", [
    "text/plain", "text/html", "application/xml", "application/x-yaml", "multipart/form-data; boundary=x", "application/octet-stream",
    "application/json; charset=utf-16", "application/json, text/plain", "", "json", "application/x-www-form-urlencoded", "*/*",
])  # fmt: skip
async def test_a08_content_types(room: Any, given: str) -> None:
    """A type that chooses the parser → only what the source takes is read, all others are 415, whatever the body looks like."""
    sending.hook(room, OPEN)
    assert await send(room, b'{"a": 1}', Content_Type=given) == (415, "content-type")
    assert await room.rows() == []
    assert await send(room, b'{"a": 1}') == (202, "")


async def test_a08_a_type_is_the_sources_own_exception(room: Any) -> None:
    """A type that chooses the parser → plain text is JSON for Amazon SNS, a form for Slack, by the source's format and never by the body."""
    takes = {"aws_sns": "text/plain; charset=UTF-8", "slack": "application/x-www-form-urlencoded"}
    for form, other in (("aws_sns", "slack"), ("slack", "aws_sns")):
        sending.hook(room, OPEN, format=form)
        body = b"payload=%7B%22type%22%3A%22t%22%7D" if form == "slack" else b"{}"
        assert (await send(room, body, Content_Type=takes[form]))[1] != "content-type"
        assert await send(room, body, Content_Type=takes[other]) == (415, "content-type")


async def test_a08_no_upload_makes_a_file(room: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload as a way to a file → multipart is 415 wherever a body goes, and no file comes of it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    sending.hook(room, OPEN)
    before = sending.kept(room.data_dir)["files"]
    for route in routes.table():
        if route.method == "POST" and route.body:
            path = route.path.replace("{path:.+}", "open/door").replace("{id}", "r-" + "a" * 26)
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            status, answer = await room.ask("POST", path, data=FORM[:60_000], headers=headers)
            assert status in (404, 413, 415), (path, answer)
    assert (sending.kept(room.data_dir)["files"], [*(tmp_path / "tmp").iterdir()]) == (before, [])
    assert await room.rows() == []


def test_a08_nobody_reads_a_form_with_files() -> None:
    """An upload as a way to a file → no code of the room asks aiohttp for a form or its parts, which would write files."""
    for path in sorted(pathlib.Path(bodies.__file__).parent.glob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {f"{ast.unparse(call.value)}.{call.attr}" for call in calls if isinstance(call, ast.Attribute)}
        assert not names & {"request.post", "request.multipart"}, path.name
