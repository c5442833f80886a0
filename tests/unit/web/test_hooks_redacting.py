"""`redact`: what is named there is on no disk, in whatever way a body goes."""

from __future__ import annotations

import json
import pathlib
import urllib.parse
from typing import Any

import pytest
from loguru import logger

from healer.web import heavy

SECRET = "s3cr3t-of-the-body"
ALERT = {"status": "firing", "labels": {"alertname": "Disk", "token": SECRET}, "fingerprint": "f"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def log_first(folder: pathlib.Path) -> list[pathlib.Path]:
    """All files, the write-ahead log before the database: what is moved meanwhile is in the one or the other."""
    return sorted((path for path in folder.rglob("*") if path.is_file()), reverse=True)


def bodies() -> dict[str, tuple[str, bytes, dict[str, str], int]]:
    """(format, body, headers, events) by name."""
    large = ["x" * 1000] * (heavy.FROM_BYTES // 1000 + 1)
    plain = {"token": SECRET, "name": "Disk", "n": 1}
    return {
        "generic": ("generic", json.dumps(plain).encode(), JSON, 1),
        "form": ("slack", urllib.parse.urlencode({"token": SECRET, "command": "/heal", "text": "Disk", "team_id": "T", "user_id": "U"}).encode(), FORM, 1),
        "a group": ("alertmanager", json.dumps({"version": "4", "alerts": [ALERT, ALERT | {"fingerprint": "g"}]}).encode(), JSON, 2),
        "one of a group": ("alertmanager", json.dumps({"version": "4", "alerts": [ALERT]}).encode(), JSON, 1),
        "a bad part": ("alertmanager", json.dumps({"version": "4", "alerts": [ALERT, ALERT | {"status": 7}]}).encode(), JSON, 2),
        "large": ("generic", json.dumps(plain | {"more": large}).encode(), JSON, 1),
        "a large group": ("alertmanager", json.dumps({"version": "4", "alerts": [ALERT], "x": large}).encode(), JSON, 1),
        "large, a bad part": ("alertmanager", json.dumps({"alerts": [ALERT, ALERT | {"status": 7}], "x": large}).encode(), JSON, 2),
    }  # fmt: skip


@pytest.mark.parametrize("name", bodies())
async def test_nothing_of_it_is_on_the_disk(room: Any, tmp_path: pathlib.Path, name: str) -> None:
    form, body, headers, count = bodies()[name]
    found = room.revision.sources["open"]
    wanted = ["token", "payload.token", "alerts.*.labels.token"]
    found.options = found.options.model_copy(update={"format": form, "redact": wanted, "max_body": 1 << 20})
    status, answer = await room.ask("POST", "/hooks/open/door", None, data=body, headers=headers)
    assert (status, answer.get("accepted", 0) + answer.get("quarantined", 0)) == (202, count), answer
    rows = await room.rows()
    assert len(rows) == count
    raw = await room.session.get(room.url("/events/e-1/raw"), headers={"Authorization": f"Bearer {room.keys['admin']}"})
    assert b"[redacted]" in await raw.read()
    whole = b"".join(path.read_bytes() for path in log_first(tmp_path))
    assert b"Disk" in whole
    assert SECRET.encode() not in whole


@pytest.mark.parametrize("body", [
    b'{"token": 123456789012345678901234567890123}', b'{"token": "s3cr3t-of-the-body", "token": 1}', b'{"token": "s3cr3t-of-the-body" x',
])  # fmt: skip
async def test_what_is_refused_is_not_quoted_either(room: Any, body: bytes, tmp_path: pathlib.Path) -> None:
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"redact": ["token"]})
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)), level="DEBUG")
    status, _ = await room.ask("POST", "/hooks/open/door", None, data=body, headers=JSON)
    logger.remove(sink)
    assert status == 400
    whole = b"".join(path.read_bytes() for path in log_first(tmp_path)) + "".join(said).encode()
    assert b"123456789012345678" not in whole
    assert SECRET.encode() not in whole


async def test_deliveries_whose_ids_are_not_kept_stay_apart(room: Any) -> None:
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"format": "pagerduty", "redact": ["event.id", "event.data.id"]})
    bodies = [{"event": {"id": f"E{n}", "event_type": "incident.triggered", "resource_type": "incident", "data": {"id": f"P{n}", "title": "t", "status": "triggered"}}} for n in (1, 2, 1)]  # fmt: skip
    told = [(await room.ask("POST", "/hooks/open/door", None, json=body))[1] for body in bodies]
    assert [(one["accepted"], one["duplicates"]) for one in told][:2] == [(1, 0), (1, 0)]
    keys = {json.loads(row["body"])["alert"]["key"] for row in await room.rows()}
    assert len(keys) == 2


async def test_what_has_nothing_of_it_is_kept_as_it_came(room: Any) -> None:
    found = room.revision.sources["open"]
    found.options = found.options.model_copy(update={"redact": ["token"]})
    body = b'{ "name": "Disk" }\n'
    assert (await room.ask("POST", "/hooks/open/door", None, data=body, headers=JSON))[0] == 202
    [row] = await room.rows()
    assert body in row["body"]
