"""`/heal …`: each command, for who may and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from healer import access
from healer.notify.channels import _slack_values as values
from healer.web.slack import commands, deciding, naming

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
    assert (button["text"]["text"], button["value"]) == ("Resume everything", "all")
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


async def test_a_word_on_a_request(site: Any) -> None:
    await site.ask("a-1", "a-2", "a-3")
    assert (await site.heal("approve a-1", READER)).startswith(
        "cy may not do this; it needs the permission approvals.decide"
    )
    assert (await site.heal("approve a-1 looks fine")).splitlines() == [
        "a-1: approved",
        "rule      web/alerts/restart",
        "action    restart_service",
        "will run  local  script  scripts/restart.sh  service=nginx",
        "  a-1  r-aaaaaa  web01",
    ]
    assert (
        await site.heal("reject a-2") == "Which request, and why? /heal reject REQUEST REASON\ntry  healer approvals\n"
    )
    said = await site.heal(f"reject {site.runs['a-2']} not today", NOBODY_MUCH)
    assert said.splitlines()[0::4] == ["a-2: rejected", "  a-2  r-aaaaaa  web02"]
    assert await site.reviews() == [("a-1", "ana", 1, "looks fine"), ("a-2", "bo", 0, "not today")]
    assert "nothing waits for a word on it any more" in await site.heal("approve a-1")
    assert "which request?" in (await site.heal("approve")).lower()


def _private(site: Any, action: str, user: str = "U7ANA") -> dict[str, Any]:
    """A click on a button of the last answer."""
    (row,) = [block for block in site.fake.responses[-1]["blocks"] if block["type"] == "actions"]
    (button,) = [one for one in row["elements"] if one["action_id"] == action]
    return site.fake._interaction("block_actions", user, "T02AB", "") | {
        "container": {"type": "message", "is_ephemeral": True, "channel_id": "C0OPS"}, "channel": {"id": "C0OPS"}, "actions": [button],
    }  # fmt: skip


async def _bundle(site: Any) -> str:
    return str((await site.room.ask("GET", "/approvals"))[1]["items"][0]["bundle"])


async def test_a_word_on_many_alike_is_asked_for(site: Any) -> None:
    await site.ask("a-1", "a-2", "a-3")
    bundle = await _bundle(site)
    assert (await site.heal(f"approve {bundle} all of them")).splitlines()[:7] == [
        "Approve these 3 requests?",
        "rule      web/alerts/restart",
        "action    restart_service",
        "will run  local  script  scripts/restart.sh  service=nginx",
        "  a-1  r-aaaaaa  web01",
        "  a-2  r-aaaaaa  web02",
        "  a-3  r-aaaaaa  web03",
    ]
    assert await site.reviews() == []
    click = _private(site, values.APPROVE)
    assert click["actions"][0]["text"]["text"] == "Approve all 3"
    await site.ask("a-4")
    assert await site.said(click) == "a-1, a-2, a-3: approved\n"
    assert site.fake.responses[-1]["replace_original"] is True
    assert await site.states() == {"a-1": "approved", "a-2": "approved", "a-3": "approved", "a-4": "open"}
    assert {one[3] for one in await site.reviews()} == {"all of them"}
    assert "is not known" in await site.heal("approve b-000000000000")


async def test_what_they_are_shown_is_what_they_decide(site: Any) -> None:
    await site.ask("a-1", "a-2")
    await site.heal(f"approve {await _bundle(site)}")
    click = _private(site, values.APPROVE)

    def apply(tx: Any) -> None:
        tx.connection.execute("UPDATE approval SET digest = 'ffff' || substr(digest, 5) WHERE id = 'a-2'")

    await site.seed.do(site.room, apply)
    said = await site.said(click)
    assert said.splitlines()[0] == "a-1: approved"
    assert "the request a-2 is not for what was shown" in said
    assert await site.states() == {"a-1": "approved", "a-2": "open"}


async def test_many_alike_are_rejected_in_a_form_that_has_the_reason(site: Any) -> None:
    await site.ask("a-1", "a-2")
    said = await site.heal(f"reject {await _bundle(site)} not today")
    assert said.startswith("Reject these 2 requests?\n")
    assert await site.said(_private(site, values.REJECT)) == ""
    (view,) = site.fake.views
    assert view["blocks"][-1]["element"]["initial_value"] == "not today"
    form = site.fake.submit(view, {"which0": ["a-2"], "reason": "not today"})
    assert await site.said(form) == "a-2: rejected\n"
    assert site.fake.responses[-1]["replace_original"] is True
    assert await site.reviews() == [("a-2", "ana", 0, "not today")]


async def test_the_beginning_of_a_name_decides_nothing(site: Any) -> None:
    await site.ask("a-11", "a-1")
    assert (await site.heal("approve a-1")).startswith("a-1: approved\n"), "a whole one, though another begins so"
    assert (await site.heal("approve a-11")).startswith("a-11: approved\n")
    await site.ask("a-777")
    assert (await site.heal("approve a-7 fine")).startswith("Approve this request?\n")
    assert (await site.states())["a-777"] == "open"
    assert await site.said(_private(site, values.APPROVE)) == "a-777: approved\n"
    assert "nothing waits for a word on it any more" in await site.heal("approve a-7")


async def test_who_may_not_decide_is_shown_nothing(site: Any) -> None:
    await site.ask("a-1", "a-2")
    said = await site.heal(f"approve {await _bundle(site)}", READER)
    assert "it needs the permission approvals.decide" in said
    assert "web01" not in said
    records = [one["record"] for one in await site.room.records()]
    assert any('"review_refused"' in one for one in records)


async def test_only_as_many_as_are_shown_are_asked_about(site: Any) -> None:
    names = [f"a-{'x' * 24}{n:02}" for n in range(60)]
    await site.ask(*names)
    bundle = await _bundle(site)
    said = await site.heal(f"approve {bundle} {'w' * 400}")
    shown = [line.split()[0] for line in said.splitlines() if line.startswith("  a-")]
    click = _private(site, values.APPROVE)
    assert 20 < len(shown) < 60
    assert said.splitlines()[0] == (
        f"Approve the first {len(shown)} of 60 requests? Say it again for the others, once these are decided."
    )
    assert click["actions"][0]["text"]["text"] == f"Approve the first {len(shown)} of 60"
    await site.said(click)
    assert [name for name, state in (await site.states()).items() if state == "approved"] == shown


async def test_what_is_too_long_to_be_shown_is_not_asked_about(site: Any) -> None:
    await site.ask("a-1", "a-2")

    def apply(tx: Any, run: str, size: int) -> None:
        tx.connection.execute("UPDATE run SET parameters = ? WHERE id = ?", (f'{{"text": "{"t" * size}\\u202e"}}', run))

    await site.seed.do(site.room, lambda tx: apply(tx, site.runs["a-2"], 4_000))
    bundle = await _bundle(site)
    assert (await site.heal(f"approve {bundle}")).startswith("Approve the first 1 of 2 requests?")
    await site.seed.do(site.room, lambda tx: apply(tx, site.runs["a-1"], 1_000))
    said = await site.heal(f"approve {bundle}")
    assert "t" * 1_000 + "\\u202e" in said
    await site.seed.do(site.room, lambda tx: apply(tx, site.runs["a-1"], 4_000))
    assert await site.heal(f"approve {bundle}") == (
        "What would run is too long to be shown here, and nobody decides what they do not see\ntry  healer approvals show a-1\n"
    )


async def test_of_many_alike_only_what_is_shown_whole_is_in_the_button(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.ask("a-1", "a-2", "a-3")
    bundle = (await site.room.ask("GET", "/approvals"))[1]["items"][0]["bundle"]
    *_, third = whole = (await site.heal(f"approve {bundle}")).splitlines()[1:7]
    assert (whole[1], whole[3:]) == ("action    restart_service", [f"  a-{n}  r-aaaaaa  web0{n}" for n in (1, 2, 3)])
    monkeypatch.setattr(naming, "TEXT_MAX", len("\n".join(whole)) - 1)
    said = await site.heal(f"approve {bundle}")
    assert said.startswith("Approve the first 2 of 3 requests? Say it again for the others")
    assert third not in said
    (row,) = [block for block in site.fake.responses[-1]["blocks"] if block["type"] == "actions"]
    assert [one.request for one in deciding.meant(row["elements"][0]["value"])] == ["a-1", "a-2"]
    monkeypatch.setattr(naming, "TEXT_MAX", 5)
    assert (await site.heal(f"approve {bundle}")).startswith("What would run is too long to be shown here")
    assert not [block for block in site.fake.responses[-1]["blocks"] if block["type"] == "actions"]


async def test_two_have_to_agree(site: Any) -> None:
    await site.ask("a-1", want=2)
    assert (await site.heal("approve a-1")).startswith("a-1: your word counts, more are wanted\n")
    assert (await site.heal("approve a-1")).startswith("You said something on it before, and that stands.\n")


async def test_a_role_for_something_else_decides_nothing(site: Any) -> None:
    await site.ask("a-1")
    site.people(access.Person("ana", ("dba",), slack="T02AB/U7ANA"))
    assert "only for rulesets db/*" in await site.heal("approve a-1")
    assert await site.states() == {"a-1": "open"}


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
