"""`/heal …`: each command, for who may and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from healer.notify.channels import _slack_values as values
from healer.web.slack import commands

RUN = "r-" + "b" * 26
READER, NOBODY_MUCH = "U9CY", "U8BO"


async def test_who_one_is(site: Any) -> None:
    said = await site.heal("whoami")
    assert said.splitlines()[:2] == ["You are slack:T02AB/U7ANA = ana.", "roles  approver, operator"]
    assert "approvals.decide" in said
    assert (await site.heal("whoami", READER)).splitlines()[1] == "roles  readonly"


@pytest.mark.parametrize("text", ["", "help", "HELP", " help  me "])
async def test_help(site: Any, text: str) -> None:
    said = await site.heal(text)
    for word in ("status", "runs", "stop", "pause", "resume", "approve", "reject", "silence", "whoami"):
        assert f"/heal {word}" in said


async def test_what_is_no_command(site: Any) -> None:
    assert await site.heal("aprove a-1") == "/heal knows no 'aprove': did you mean 'approve'?\ntry  /heal help\n"


async def test_how_the_daemon_is(site: Any) -> None:
    await site.room.services.switch.pause("controller:local", actor="os:ana", reason="a <try>", for_s=None)

    async def status() -> dict[str, Any]:
        return {
            "version": "1.2.3", "environment": "prod", "mode": "active", "revision": "3f2a9c1", "uptime_s": 1_051_200, "state": "ok",
            "paused": [{"scope": "controller:local", "who": "os:ana", "reason": "a <try>", "since": "2026-01-31T03:05:00Z"}],
            "storm": {"since": "2026-01-31T03:00:41Z", "matches": 2114, "limit": 200},
            "alerts": {"firing": 2041, "resolved": 1959}, "runs": {"running": 6, "awaiting_approval": 3},
            "rules": [{"rule": "web/alerts/restart", "fired": 1204, "acted": 41, "healed": 9, "failed": 32, "why_not": {"storm": 175, "needs_approval": 3}}],
            "sources": [{"name": "am", "silent": False}, {"name": "sqs", "silent": True}],
        }  # fmt: skip

    site.room.services.status = status
    assert (await site.heal("status", READER)).splitlines() == [
        "healer 1.2.3 · prod · ACTIVE · revision 3f2a9c1 · up 12 d 4 h",
        'PAUSED   controller local by os:ana since 01-31 03:05 UTC "a <try>"',
        "STORM    since 01-31 03:00 UTC · 2114 matches (limit 200)",
        "alerts   2041 firing · 1959 resolved in 10 min",
        "runs     6 running · 3 waiting for a person",
        "  web/alerts/restart: 1204 fired · 41 acted · 9 healed · 32 failed · storm 175, needs approval 3",
        "sources  SILENT: sqs",
    ]  # fmt: skip
    assert site.fake.responses[-1]["response_type"] == "ephemeral"


async def test_the_last_runs(site: Any) -> None:
    assert await site.heal("runs") == "no runs\n"
    await site.seed(site.room, RUN, "failed", targets=["host:web1", "host:web2", "host:web3", "host:web4"])
    await site.seed(site.room, "r-" + "c" * 26, "succeeded")
    lines = (await site.heal("runs", READER)).splitlines()
    assert len(lines) == 2
    assert (await site.heal("runs failed")).split()[:6] == [
        "r-bbbbbb",
        "failed",
        "restart_service",
        "web1,",
        "web2,",
        "web3",
    ]
    assert await site.heal("runs queued,deferred") == "no runs\n"
    assert (await site.heal("runs faild")).startswith("Runs have no state 'faild'")


async def test_why_a_run_is_where_it_is(site: Any) -> None:
    detail = '{"k": 1, "who": "approver", "until": "2026-01-31T03:05:00+01:00"}'
    await site.seed(site.room, RUN, "awaiting_approval", reason="needs_approval", detail=detail)
    line = (await site.heal("runs")).rstrip()
    assert line.endswith("Waiting for 1 of approver until 2026-01-31 02:05:00 UTC.")
    assert "needs_approval" not in line

    def apply(tx: Any) -> None:
        tx.connection.execute("UPDATE run SET detail = ?", [f'{{"summary": "{"x" * 5_000}"}}'])

    await site.seed.do(site.room, apply)
    assert (await site.heal("runs")).rstrip().endswith("  " + "x" * 99 + "…")


async def test_a_run_is_stopped(site: Any) -> None:
    await site.seed(site.room, RUN, "queued")
    assert (await site.heal("stop r-bbb", READER)).startswith("cy may not do this; it needs the permission runs.cancel")
    assert await site.heal("stop r-bbb it <hangs> “again”") == "r-bbbbbb: cancelled\n"
    records = [one for one in await site.room.records() if '"cancelled"' in one["record"]]
    assert "slack:T02AB/U7ANA = ana" in records[-1]["record"]
    assert (await site.heal("stop")).startswith("Which run?")
    assert "is not known" in await site.heal("stop r-zzz")


async def test_a_pause_and_its_end(site: Any) -> None:
    said = await site.heal("pause all web/restart hits healthy nodes", NOBODY_MUCH)
    assert said.startswith("Paused: everything, by slack:T02AB/U8BO = bo. No new effect starts from now on.")
    (pause,) = await site.room.services.switch.pauses()
    assert (pause["reason"], pause.get("until_us")) == ("web/restart hits healthy nodes", None)
    assert "needs the permission resume" in await site.heal("resume all", NOBODY_MUCH)
    said = await site.heal("resume all")
    assert said.splitlines()[:2] == ["Resume?", "would be looked at again           0"]
    assert await site.room.services.switch.pauses(), "it only asks"
    (row,) = [block for block in site.fake.responses[-1]["blocks"] if block["type"] == "actions"]
    (button,) = row["elements"]
    assert (button["text"]["text"], button["value"]) == ("Resume everything", f"{pause['since_us']} all")
    click = site.fake._interaction("block_actions", "U7ANA", "T02AB", "") | {
        "container": {"type": "message", "is_ephemeral": True, "channel_id": "C0OPS"}, "channel": {"id": "C0OPS"}, "actions": [button],
    }  # fmt: skip
    stranger = site.fake._interaction("block_actions", NOBODY_MUCH, "T02AB", "") | {
        name: click[name] for name in ("container", "channel", "actions")
    }
    assert "needs the permission resume" in await site.said(stranger)
    assert await site.said(click) == "Resumed: everything, by slack:T02AB/U7ANA = ana.\n"
    assert site.fake.responses[-1]["replace_original"] is True
    assert await site.room.services.switch.pauses() == []
    again = await site.said(click | {"trigger_id": "1.1"})
    assert "a pause of everything is not known" in again.lower()
    await site.heal("pause all the datacentre is on fire")
    later = await site.said(click | {"trigger_id": "1.2"})
    assert later.startswith("What is paused has changed since this was asked. Resume?"), (
        "the button was of another pause"
    )
    assert [one["reason"] for one in await site.room.services.switch.pauses()] == ["the datacentre is on fire"]


@pytest.mark.parametrize(
    ("text", "scope", "for_s", "cancel", "reason"),
    [
        ("all for 2h the disk", "all", 7200, False, "the disk"), ("controller:local cancel-running for 5 minutes", "controller:local", 300, True, ""),
        ("rule:restart --cancel-running --for 1d x", "rule:web/alerts/restart", 86_400, True, "x"),
        ('"ruleset:web/alerts" for good', "ruleset:web/alerts", None, False, "for good"), ("all for now 2h", "all", None, False, "for now 2h"),
    ],
)  # fmt: skip
async def test_what_is_paused_and_for_how_long(
    site: Any, monkeypatch: pytest.MonkeyPatch, text: str, scope: str, for_s: float | None, cancel: bool, reason: str
) -> None:
    asked: list[dict[str, Any]] = []
    pause = site.room.services.switch.pause

    async def noted(scope: str, **more: Any) -> Any:
        asked.append({"scope": scope, **more})
        return await pause(scope, **more)

    monkeypatch.setattr(site.room.services.switch, "pause", noted)
    assert "Paused: " in await site.heal(f"pause {text}")
    assert [(one["scope"], one["for_s"], one["cancel"], one["reason"]) for one in asked] == [
        (scope, for_s, cancel, reason)
    ]


async def test_without_a_scope_they_are_listed(site: Any) -> None:
    said = await site.heal("pause")
    assert said.startswith("Say what to pause: /heal pause SCOPE, one of\nall\nactivation:web\n")
    assert await site.heal("resume") == "Say what to resume: /heal resume SCOPE\nnothing is paused\n"
    assert "is not known" in await site.heal("pause rule:restrat")
    assert "is wanted, got 'everything'" in await site.heal("pause everything")
    assert await site.room.services.switch.pauses() == []


async def test_who_may_stop_runs_is_asked_for_cancel_running(site: Any) -> None:
    assert "needs the permission runs.cancel" in await site.heal("pause all cancel-running", NOBODY_MUCH)
    assert await site.room.services.switch.pauses() == []


@pytest.mark.parametrize(
    ("text", "matchers", "for_s", "comment"),
    [
        ("alertname=NodeDown for 2h the switch is replaced", ["alertname=NodeDown"], 7200, "the switch is replaced"),
        ('alertname=NodeDown env=~"prod|stage" 30m why not', ["alertname=NodeDown", 'env=~"prod|stage"'], 1800, "why not"),
        ("env!=“a b” target=web01 for 5 minutes it’s loud", ['env!="a b"', "target=web01"], 300, "it's loud"),
        ("a<b=1", None, 0, ""), ("alertname=NodeDown", None, 0, ""), ("alertname=NodeDown for 2h", None, 0, ""), ("for 2h x", None, 0, ""),
        ("", None, 0, ""),
    ],
)  # fmt: skip
async def test_silences(site: Any, text: str, matchers: list[str] | None, for_s: float, comment: str) -> None:
    said = await site.heal(f"silence {text}")
    found = (await site.room.ask("GET", "/silences"))[1]["items"]
    if matchers is None:
        assert said.startswith("What, for how long and why?")
        assert found == []
        return
    (silence,) = found
    assert (silence["comment"], silence["who"]) == (comment, "slack:T02AB/U7ANA = ana")
    assert silence["matchers"] == [
        one.replace('"prod|stage"', "prod|stage").replace('"a b"', "a b") for one in matchers
    ]
    assert said.startswith(f"{silence['id']}: silenced ")


async def test_a_span_that_is_none(site: Any) -> None:
    for text in ("silence a=b for 2hours x", "pause all for 2hours"):
        assert (await site.heal(text)).startswith("A duration like '5 minutes' or '5m' is wanted, got '2hours'")


async def test_who_may_not_silence(site: Any) -> None:
    assert "needs the permission silences.write" in await site.heal("silence a=b for 2h x", READER)
    assert (
        "no regular expression" in (await site.heal('silence a=~"(" for 2h x')).lower()
        or "regex" in (await site.heal('silence a=~"(" for 2h x')).lower()
    )
    assert (await site.room.ask("GET", "/silences"))[1]["items"] == []


async def test_what_changes_something_is_asked_of_slack_anew(site: Any) -> None:
    await site.heal("status")
    assert len(site.fake.asked("users.info")) == 1
    await site.heal("runs")
    await site.heal("whoami")
    assert len(site.fake.asked("users.info")) == 1
    await site.heal("pause all")
    assert len(site.fake.asked("users.info")) == 2
    assert commands.looks("Status now")
    assert not commands.looks("stop r-1")


async def test_words_of_events_in_answers_are_letters(site: Any) -> None:
    await site.seed(site.room, RUN, "failed", action="<!channel>\u202e", targets=["host:<@U1>"])
    said = await site.heal("runs")
    assert "<!channel>\\u202e" in said
    assert "<!channel>" not in site.fake.responses[-1]["text"]


async def test_a_click_from_nowhere_has_its_value_bounded(site: Any) -> None:
    click = site.fake._interaction("block_actions", "U7ANA", "T02AB", "") | {
        "container": {}, "channel": {"id": "C0OPS"}, "actions": [{"action_id": values.RESUME, "value": "x" * 2_000}],
    }  # fmt: skip
    assert "is wanted" in await site.said(click)
