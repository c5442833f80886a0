"""Deliveries that come at the same time: each is answered as if it had come alone."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from typing import Any

import orjson
import pytest

from healer import plugins, secrets
from healer.web import arrivals, heavy

AM_TOKEN = "a-token-of-alertmanager"
SECRET = "It's a Secret to Everybody"
HASH = re.compile('"key":"[a-z0-9]{26}"')
HALF = "y" * (heavy.FROM_BYTES // 2)


def alert(name: str, status: str = "firing", **more: Any) -> dict[str, Any]:
    return {
        "status": status, "labels": {"alertname": name}, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": name, **more,
    }  # fmt: skip


def group(*alerts: Any, **more: Any) -> bytes:
    return orjson.dumps({"version": "4", "status": "firing", "alerts": alerts, **more})


def push(name: str, secret: str = SECRET, event: str = "push", **more: str) -> tuple[str, bytes, dict[str, str]]:
    body = b'{"ref":"refs/heads/%s","repository":{"full_name":"a/b"}}' % name.encode()
    proof = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return "gh", body, {"X-Hub-Signature-256": f"sha256={proof}", "X-GitHub-Event": event, **more}


def deliveries(of: str) -> dict[str, tuple[str, bytes, dict[str, str]]]:
    """(path, body, headers) by what is special; all names in them begin with `of`."""
    two = group(alert(f"{of}3"), alert(f"{of}4"))
    return {
        "one alert": ("alertmanager", group(alert(f"{of}1")), {}),
        "another": ("alertmanager", group(alert(f"{of}2", "resolved")), {}),
        "two in a group": ("alertmanager", two, {}),
        "one bad of two": ("alertmanager", group(alert(f"{of}5"), {"status": 5}), {"webhook-id": f"{of}0"}),
        "none": ("alertmanager", group(), {}),
        "cut short": ("alertmanager", group(alert(f"{of}6"), truncatedAlerts=3), {}),
        "no group": ("alertmanager", b"[]", {}),
        "no JSON": ("alertmanager", b"{", {}),
        "a key twice": ("alertmanager", b'{"alerts":[],"alerts":[]}', {}),
        "a wrong token": ("alertmanager", group(alert(f"{of}7")), {"Authorization": "Bearer x"}),
        "a wrong type": ("alertmanager", group(alert(f"{of}8")), {"Content-Type": "text/plain"}),
        "with an id": ("alertmanager", group(alert(f"{of}9")), {"webhook-id": f"{of}1"}),
        "more than stands in a row": ("alertmanager", group(alert(f"{of}10", annotations={"x": "y" * 20_000})), {}),
        "more than is read here": ("alertmanager", group(alert(f"{of}11", annotations={"x": HALF, "y": HALF})), {}),
        "open": ("open/door", b'{"a": "%s"}' % of.encode(), {}),
        "open, with an escape": ("open/door", b'{"a":"\\u00e4%s"}' % of.encode(), {}),
        "too large": ("open/door", b'"%s"' % (b"x" * 1000), {}),
        "signed": push(f"{of}12"),
        "signed, with an id": push(f"{of}13", **{"X-GitHub-Delivery": f"{of}2"}),
        "signed by another": push(f"{of}14", "another"),
        "a greeting": push(f"{of}15", event="ping"),
    }


async def deliver(room: Any, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """(status, what of the answer does not depend on who came first)"""
    given = {"Content-Type": "application/json"} | headers
    key = AM_TOKEN if path == "alertmanager" and "Authorization" not in headers else None
    status, answer = await room.ask("POST", f"/hooks/{path}", key, data=body, headers=given)
    if status == 202:
        answer["ids"] = len(answer["ids"])
    return status, answer


def hook(path: str, form: str, auth: Any) -> Any:
    return plugins.find("sources", "webhook").SOURCE.Options.model_validate(
        {"path": path, "format": form, "auth": auth}
    )


@pytest.fixture
def hooked(room: Any, tmp_path: Any) -> Any:
    found = room.revision.sources
    found["gh"] = type(found["am"])(**vars(found["am"]))
    found["gh"].options = hook("gh", "github", {"github": {"secret": "env:GH"}})
    room.services.secrets = secrets.Secrets(tmp_path, {"AM_TOKEN": AM_TOKEN, "GH": SECRET})
    return room


async def kept(room: Any) -> dict[str, list[Any]]:
    """What the journal has of deliveries whose names begin with aa (`a`) and zz (`b`), in no order."""
    found: dict[str, list[Any]] = {"a": [], "b": []}
    for row in await room.rows():
        body = row["body"] or await room.services.store.blob(row["body_hash"])
        raw = row["raw"] if row["raw_hash"] is None else await room.services.store.blob(row["raw_hash"])
        text = f"{row['source']} {row['actor']} {body!r} {raw!r} {row['repeat']} {row['meta']}"
        text, of = HASH.sub("", text), "b" if "zz" in text else "a"
        found[of].append(text.replace("zz", "aa"))
    return {of: sorted(texts) for of, texts in found.items()}


async def test_together_as_alone(hooked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {name: await deliver(hooked, *one) for name, one in deliveries("aa").items()}
    assert {status for status, _ in alone.values()} == {200, 202, 400, 401, 413, 415}
    units, write = [], hooked.services.intake.write

    async def counted(rows: Any) -> Any:
        units.append(len(rows))
        return await write(rows)

    monkeypatch.setattr(hooked.services.intake, "write", counted)
    answers = await asyncio.gather(*(deliver(hooked, *one) for one in deliveries("zz").values()))
    assert dict(zip(alone, answers, strict=True)) == alone
    seen = await kept(hooked)
    assert seen["a"] == seen["b"]
    assert sum(units) == 5  # single small events without an id


async def test_a_pair_at_the_same_moment_counts_once(hooked: Any) -> None:
    one = ("alertmanager", group(alert("a")), {})
    answers = await asyncio.gather(*(deliver(hooked, *one) for _ in range(10)))
    assert sorted((status, made["accepted"], made["duplicates"]) for status, made in answers) == [(202, 0, 1)] * 9 + [
        (202, 1, 0)
    ]
    assert len(await hooked.rows()) == 1


@pytest.mark.parametrize(("event", "word"), [({}, ["no text"]), ({}, 7), ({}, None), (7, "w"), (["x"], "")])
async def test_what_a_strangers_format_gives_is_of_its_own_delivery_alone(
    hooked: Any, monkeypatch: pytest.MonkeyPatch, event: Any, word: Any
) -> None:
    def read(_body: Any, _headers: Any) -> Any:
        return [plugins.Element(event, word)]

    form, alerts = plugins.Format("github", resolves=False, read=read), plugins.find("formats", "alertmanager").FORMAT
    monkeypatch.setattr(
        plugins.find("sources", "webhook"), "reader_of", lambda options: form if options.format == "github" else alerts
    )
    bodies = [("alertmanager", group(alert("a")), {}), push("b"), ("alertmanager", group(alert("c")), {})]
    assert [status for status, _ in await asyncio.gather(*(deliver(hooked, *one) for one in bodies))] == [202, 500, 202]
    assert (await deliver(hooked, *bodies[0]))[1]["duplicates"] == 1


async def test_a_mistake_of_ours_with_one_is_no_others(hooked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = arrivals.headers_of

    def fails(one: Any) -> Any:
        if b"poison" in one.body:
            raise ZeroDivisionError
        return headers(one)

    monkeypatch.setattr(arrivals, "headers_of", fails)
    bodies = [group(alert(name)) for name in ("a", "poison", "b")]
    answers = await asyncio.gather(*(deliver(hooked, "alertmanager", body, {}) for body in bodies))
    assert [status for status, _ in answers] == [202, 500, 202]
    assert len(await hooked.rows()) == 2
