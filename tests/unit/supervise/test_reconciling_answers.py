"""Answers of a sender that are none, or that nobody should believe: they close nothing, and are told once."""

from __future__ import annotations

import dataclasses
from typing import Any

import fake_alertmanager as fakes  # conftest.py has put it where it is found
import pytest

Kit = Any

NO_ANSWERS = [
    ("alerts", fakes.failing(500), "it answers 500"), ("alerts", fakes.failing(302), "a redirect, which is not followed"),
    ("alerts", fakes.failing(204), "no JSON"), ("alerts", fakes.saying(b""), "no JSON"), ("alerts", fakes.saying(b"[{]"), "no JSON"),
    ("alerts", fakes.saying(b"null"), "a list of alerts is wanted, got null"), ("alerts", fakes.saying(b'{"data": []}'), "a list of alerts is wanted"),
    ("alerts", fakes.saying(b'["x"]'), "an object is wanted"), ("alerts", fakes.saying(b'[{"fingerprint": "x", "labels": {"a": "b"}}]'), "status.state"),
    ("alerts", fakes.saying(b'[{"fingerprint": 1}]'), "fingerprint"), ("alerts", fakes.saying(b'[{"labels": {"a": 1}}]'), "labels.a"),
    ("alerts", fakes.saying(b'[{"status": {"state": "active"}, "labels": {"a": "b"}}]'), "a fingerprint and labels"),
    ("alerts", fakes.saying(b'["\\u0000"]'), "no JSON that can be kept"), ("alerts", fakes.saying(b"[" + b" " * (17 << 20) + b"]"), "more than 16 MiB"),
    ("alerts", fakes.breaking, "the connection failed"), ("alerts", fakes.hanging, "no answer within 0.3 s"),
    ("status", fakes.failing(404), "it answers 404"), ("status", fakes.saying(b"[]"), "an object is wanted"), ("status", fakes.saying(b"{}"), "uptime"),
    ("status", fakes.saying(b'{"uptime": "x", "cluster": {}}'), "uptime"), ("status", fakes.saying(b'{"uptime": "2026-01-01T00:00:00"}'), "uptime"),
    ("status", fakes.breaking, "the connection failed"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "behave", "why"), NO_ANSWERS)
async def test_an_answer_that_is_none_changes_nothing(kit: Kit, kind: str, behave: fakes.Behave, why: str) -> None:
    await kit.deliver("web01")
    kit.fake.fire("web02")
    kit.fake.fault = {kind: behave}
    kit.later(300)
    seen = kit.rows("SELECT * FROM alert")
    sender = kit.asking(timeout="0.3s" if behave is fakes.hanging else "5 seconds")
    looked = await kit.look(sender)
    assert why in looked.why
    assert "127.0.0.1" not in looked.why
    assert (kit.rows("SELECT * FROM alert"), kit.events(), looked.closed, looked.opened) == (seen, [], 0, 0)
    assert [text[:7] for text in kit.said] == ["WARNING"]
    await kit.look(sender)  # the same again is not told again
    assert len(kit.said) == 1
    kit.fake.fault = {}
    sender._options = sender._options.model_copy(update={"timeout": 30.0})
    looked = await kit.look(sender)
    assert (looked.why, kit.open()) == ("", ["fp-web02"])
    assert "INFO reconcile am: the sender can be asked again" in kit.said


async def test_nobody_is_there(kit: Kit) -> None:
    await kit.deliver("web01")
    looked = await kit.look(kit.asking(url="http://127.0.0.1:1"))
    assert (looked.why, kit.open()) == ("Connect call failed ('127.0.0.1', 1)", ["fp-web01"])


async def test_the_token_is_wanted_and_read_each_time(kit: Kit) -> None:
    await kit.deliver("web01")
    assert "env:NOT_THERE" in (await kit.look(kit.asking(bearer={"secret": "env:NOT_THERE"}))).why
    kit.later(300)
    (kit.folder / "token").write_text("not it")
    sender = kit.asking(bearer={"secret": "file:token"})
    assert (await kit.look(sender)).why == "the token has characters that no token has (a line break, a space?)"
    (kit.folder / "token").write_text("wrong")
    assert (await kit.look(sender)).why == "it answers 401"
    (kit.folder / "token").write_text(fakes.TOKEN)
    assert ((await kit.look(sender)).why, kit.open()) == ("", [])


async def test_certificates_are_held_against_a_file_that_is_there(kit: Kit) -> None:
    (kit.folder / "ca.pem").write_text("no certificate")
    for ca, why in (("gone.pem", "No such file"), ("ca.pem", "cannot be read")):
        assert why in (await kit.look(kit.asking(ca=ca))).why


@pytest.mark.parametrize(("up_s", "cluster", "note"), [
    (599, "ready", "the sender started 599 s ago, so nothing is closed"), (-60, "ready", "the sender started 0 s ago, so nothing is closed"),
    (99999, "settling", "the sender is not ready, so nothing is closed"),
])  # fmt: skip
async def test_a_sender_that_has_just_started_closes_nothing(kit: Kit, up_s: float, cluster: str, note: str) -> None:
    await kit.deliver("web01")
    kit.fake.up_s, kit.fake.cluster = up_s, cluster
    kit.fake.fire("web02")
    kit.later(300)
    looked = await kit.look()
    assert (looked.note, looked.why, looked.opened, looked.closed) == (note, "", 1, 0)
    assert kit.open() == ["fp-web01", "fp-web02"]


async def test_a_sender_that_is_alone_is_ready(kit: Kit) -> None:
    await kit.deliver("web01")
    kit.fake.cluster, kit.fake.up_s = "disabled", 700
    kit.later(300)
    assert ((await kit.look()).closed, kit.open()) == (1, [])


async def test_more_than_half_of_many_is_believed_at_the_second_look(kit: Kit) -> None:
    names = [f"web{n:02}" for n in range(1, 7)]
    await kit.deliver(*names)
    kit.fake.fire(*names[:2])
    kit.later(300)
    looked = await kit.look()
    assert looked.note == "4 of 6 open alerts are gone at once: closed when they are gone at the next look too"
    assert (looked.closed, len(kit.open())) == (0, 6)
    kit.fake.fire(names[2])  # it was a mistake about this one
    kit.later(300)
    assert ((await kit.look()).closed, kit.open()) == (3, ["fp-web01", "fp-web02", "fp-web03"])


async def test_a_look_that_failed_between_two_is_none(kit: Kit) -> None:
    await kit.deliver(*(f"web{n:02}" for n in range(1, 7)))
    kit.later(300)
    await kit.look()
    kit.fake.fault = {"status": fakes.failing(500)}
    await kit.look()
    kit.fake.fault = {}
    kit.later(300)
    assert ((await kit.look()).closed, len(kit.open())) == (0, 6)
    kit.later(300)
    assert ((await kit.look()).closed, kit.open()) == (6, [])


async def test_a_format_that_fails_is_a_look_that_fails(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    await kit.deliver("web01")
    ours = kit.sender._inquiry

    def ends(_answer: Any) -> Any:
        raise SystemExit(3)

    monkeypatch.setattr(kit.sender, "_inquiry", None)
    assert (await kit.look()).why.startswith("AttributeError:")
    monkeypatch.setattr(kit.sender, "_inquiry", dataclasses.replace(ours, read=ends))
    assert (await kit.look()).why == "it wanted to end the process: SystemExit(3)"
