"""Ours corrected by what fires at the sender: closed, opened, heard of; each source that says so is asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import fake_alertmanager as fakes  # conftest.py has put it where it is found
import pytest

from healer import plugins, redacting, supervise
from healer.formats import alertmanager
from healer.sources import webhook
from healer.supervise import reconciling, worker

Kit = Any


# --- what is corrected ------------------------------------------------------------------------------------------------


async def test_what_fires_no_more_is_closed_by_an_event_of_its_own(kit: Kit) -> None:
    kit.fake.fire("web01", "web02")
    await kit.deliver("web01", "web02")
    kit.fake.end("web02")
    kit.later(300)
    looked = await kit.look()
    assert (looked.why, looked.note, looked.theirs, looked.closed, looked.opened) == ("", "", 1, 1, 0)
    assert kit.open() == ["fp-web01"]
    [said] = kit.events()
    [_, first] = kit.events("source:am")
    at = "2026-11-26T20:05:00.000Z"
    assert said == {
        "alert": {**first["alert"], "status": "resolved", "endsAt": at, "started_at": at}, "group": {**first["group"], "status": "resolved"},
    }  # fmt: skip
    assert kit.rows("SELECT closed_by FROM alert WHERE key = 'fp-web02'") == [("resolved",)]
    assert "WARNING reconcile am: 1 alerts fire no more at the sender and are closed" in kit.said


async def test_what_was_missed_is_opened_as_its_delivery_would_have_been(kit: Kit) -> None:
    kit.fake.fire("web01", "web02")
    await kit.deliver("web01")
    kit.later(300)
    looked = await kit.look()
    assert (looked.closed, looked.opened) == (0, 1)
    assert kit.open() == ["fp-web01", "fp-web02"]
    [made], [would] = kit.events(), [one.event for one in alertmanager.FORMAT.read(fakes.delivered("web02"))]
    ms = {"startsAt": "2026-11-26T19:00:00.123Z", "started_at": "2026-11-26T19:00:00.123Z"}
    assert made["alert"] == would["alert"] | ms
    assert made["group"] == {"version": "4", "status": "firing", "receiver": "healer"}
    assert kit.runs() == [("host:web01", "queued"), ("host:web02", "queued")]
    meta = kit.rows("SELECT meta FROM journal WHERE actor = 'reconcile:am'")
    assert [json.loads(text) for (text,) in meta] == [{"endpoint": "am", "headers": {}}]


@pytest.mark.parametrize("key", [False, True])
async def test_what_is_not_kept_of_deliveries_is_not_kept_of_an_answer(kit: Kit, key: bool) -> None:
    kit.redact = ["alerts[*].annotations.summary", "alerts.*.labels.env", *(["alerts.*.fingerprint"] if key else [])]
    sender = kit.asking()
    kit.fake.fire("web01", "web02", "web03")
    await kit.deliver("web01")
    kit.later(300)
    assert (await kit.look(sender)).opened == 2
    assert len(kit.open()) == 3
    kit.fake.end("web01", "web02")
    kit.later(300)
    assert (await kit.look(sender)).closed == 2
    [opened] = kit.open()
    assert ("fp-" in opened) == (not key)
    for event in (*kit.events(), *kit.events("source:am")):
        assert (event["alert"]["annotations"]["summary"], event["alert"]["summary"]) == (redacting.REDACTED,) * 2
        assert ("fp-" in json.dumps(event)) == (not key)


async def test_what_was_made_up_for_closes_by_a_delivery_and_by_a_look(kit: Kit) -> None:
    kit.fake.fire("web01", "web02", "web03")
    await kit.deliver("web01")
    await kit.look()
    await kit.deliver("web02", status="resolved")
    kit.fake.end("web02", "web03")
    kit.later(300)
    assert (await kit.look()).closed == 1
    assert kit.open() == ["fp-web01"]
    assert [one["alert"]["status"] for one in kit.events()] == ["firing", "firing", "resolved"]


async def test_what_fires_on_both_sides_was_heard_of(kit: Kit) -> None:
    kit.fake.fire("web01")
    kit.fake.fire("web02", state="suppressed", receiver="other")
    await kit.deliver("web01", "web02")
    assert kit.decider is not None
    for _ in range(3):
        kit.later(3000)  # of an hour that an alert may be silent
        assert (await kit.look()).closed == 0
        await kit.intake.tick()
        await kit.decided(1)
    assert kit.open() == ["fp-web01", "fp-web02"]
    assert kit.rows("SELECT DISTINCT seen_us FROM alert") == [(kit.now_us,)]
    assert kit.events() == []
    assert kit.rows("SELECT DISTINCT times FROM alert") == [(1,)]
    kit.fake.fault = {"alerts": fakes.failing(500)}
    kit.later(3600)
    await kit.look()
    await kit.intake.tick()
    await kit.decided(1)
    assert kit.open() == []


async def test_nothing_is_opened_for_a_receiver_that_is_not_ours(kit: Kit) -> None:
    kit.fake.fire("web01", receiver="pager")
    kit.fake.fire("web02")
    looked = await kit.look()
    assert (looked.opened, looked.note) == (
        0, "nothing was delivered yet, so nobody knows which receiver there is ours: name it in receivers",
    )  # fmt: skip
    named = kit.asking(receivers=["second", "pager"])
    assert (await kit.look(named)).opened == 1
    assert [one["group"]["receiver"] for one in kit.events()] == ["pager"]
    await kit.look()  # who delivered last is now known
    assert kit.open() == ["fp-web01"]
    await kit.deliver("web09")
    kit.later(300)
    await kit.look()
    assert kit.open() == ["fp-web01", "fp-web02"]  # web09 does not fire there


async def test_what_is_silenced_there_is_not_opened(kit: Kit) -> None:
    for state in ("suppressed", "unprocessed"):
        kit.fake.fire("web01", state=state)
        assert (await kit.look(kit.asking(receivers=["healer"]))).opened == 0
    assert kit.open() == []


async def test_an_alert_of_labels_alone_is_the_same_alert(kit: Kit) -> None:
    body = fakes.delivered("web01")
    del body["alerts"][0]["fingerprint"]
    [element] = alertmanager.FORMAT.read(body)
    await kit.intake.take("am", [(element.event, None)], actor="source:am", repeats=[element.repeat])
    await kit.decided(1)
    kit.fake.fire("web01")
    kit.later(300)
    looked = await kit.look()
    assert (looked.closed, looked.opened, len(kit.open())) == (0, 0, 1)
    kit.fake.end("web01")
    kit.later(300)
    assert ((await kit.look()).closed, kit.open()) == (1, [])


async def test_what_is_no_alert_of_ours_is_left_out_alone(kit: Kit) -> None:
    kit.fake.fire("web01", "web02")
    kit.fake.alerts["web01"]["labels"]["instance"] = "x" * 2000
    looked = await kit.look(kit.asking(receivers=["healer"]))
    assert (looked.opened, kit.open()) == (1, ["fp-web02"])
    assert any("fp-web01 is left out" in text for text in kit.said)


async def test_many_at_once(kit: Kit) -> None:
    names = [f"web{n:02}" for n in range(1, 100)] + [f"x{n}" for n in range(151)]
    kit.fake.fire(*names)
    assert (await kit.look(kit.asking(receivers=["healer"]))).opened == 250
    assert len(kit.open()) == 250
    kit.fake.end(*names[:125])
    kit.later(300)
    assert (await kit.look()).closed == 125
    assert len(kit.open()) == 125


async def test_the_end_of_an_alert_whose_event_is_kept_no_more(kit: Kit) -> None:
    await kit.deliver("web01")
    connection = kit.store.writer.tx.connection
    connection.execute("DELETE FROM journal WHERE kind = 'event'")
    kit.later(300)
    assert ((await kit.look()).closed, kit.open()) == (1, [])
    [said] = kit.events()
    known = {
        "key": "fp-web01",
        "name": "ServiceDown",
        "target": "web01:9100",
        "severity": "critical",
        "summary": "web01 is down",
    }
    assert {word: said["alert"][word] for word in known} == known
    assert said["alert"]["labels"]["alertname"] == "ServiceDown"


# --- all of them ------------------------------------------------------------------------------------------------------


def spec(name: str, **more: Any) -> worker.Running:
    args = {"path": name, "format": "alertmanager", "auth": "none"}
    return worker.Running(name, "healer.webhook", args | more, push=True)


async def test_each_source_that_says_so_is_asked_and_a_reload_disturbs_none(kit: Kit, wait_for_async: Any) -> None:
    made = reconciling.Reconciling(kit.world)
    supervisor = supervise.Supervisor(build_nothing, lambda _: emit_nothing, lambda: 0.0, lambda *_: None, made)
    asked, other = spec("am", reconcile={**kit.options, "every": "1 hour"}), spec("plain")
    await supervisor.replace([asked, other])
    await wait_for_async(lambda: made.status("am") != (None, None))
    assert made.status("plain") is None
    (last, well_us) = made.status("am") or (None, None)
    assert (last and last.why, well_us, len(kit.fake.asked)) == ("", kit.now_us, 2)
    assert kit.fake.asked == [
        "/am/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true", "/am/api/v2/status",
    ]  # fmt: skip
    tasks = dict(made._tasks)
    await supervisor.replace([asked, spec("plain", reconcile={**kit.options, "every": "2 hours"})])
    assert made._tasks["am"] == tasks["am"]
    await wait_for_async(lambda: made.status("plain") != (None, None))
    await supervisor.replace([spec("am", reconcile={**kit.options, "every": "3 hours"})])
    assert (made._tasks["am"] != tasks["am"], made.status("plain"), tasks["am"][2].cancelled()) == (True, None, True)
    await supervisor.stop()
    assert made.status("am") is None


def build_nothing(_spec: Any) -> Any:
    raise AssertionError


async def emit_nothing(_events: Any) -> list[int]:
    return []


async def test_a_look_is_followed_by_the_next(kit: Kit, wait_for_async: Any) -> None:
    kit.fake.fault = {"alerts": fakes.failing(500)}
    sender = kit.asking()
    sender._options = webhook.Reconcile.model_validate(kit.options | {"every": "1 second"}).model_copy(
        update={"every": 0.001}
    )
    task = asyncio.create_task(sender.run())
    await wait_for_async(lambda: len(kit.fake.asked) >= 3)
    kit.fake.fault = {}
    await wait_for_async(lambda: sender.last is not None and not sender.last.why)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_only_what_can_be_asked_has_an_inquiry() -> None:
    names = plugins.builtin_names("formats")
    assert [name for name in names if plugins.find("formats", name).FORMAT.inquiry is not None] == ["alertmanager"]
