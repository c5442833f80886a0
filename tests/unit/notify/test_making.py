"""What messages say: exactly what would run and what became of it, in plain text whatever an event holds."""

from __future__ import annotations

from typing import Any

from healer.store import notes, pausing

S = 1_000_000
WEB = [{"group": "web", "targets": 2, "size": 12, "percent": 16.7}]


async def test_a_request_says_exactly_what_would_run(desk: Any, shown: Any) -> None:
    desk.shares = WEB
    desk.ask("web01", asks=True, parameters={"service": "nginx", "note": "a b", "n": 3})
    desk.ask("web07", asks=True, parameters={"service": "nginx", "note": "a b", "n": 3})
    (message,) = await desk.told()
    assert shown(message) == [
        "restart wants to run on 2 of 12 web hosts (17 %) – prod",
        "rule: web/alerts/down",
        "asked by: rule:web/alerts/down",
        'will run: site  playbook  playbooks/restart.yml  n=3  note="a b"  service=nginx',
        "on: web01  web07",
        "so far: this rule has not run in 30 days",
        "needs: 1 of approver · expires @1800",
    ]
    assert [one.targets for one in message.asks] == [("web01",), ("web07",)]
    assert (message.level, message.link.startswith("https://healer.example.org/ui/approvals/a-")) == ("warning", True)


async def test_what_became_of_it(desk: Any, shown: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()
    desk.now_us += 60 * S
    desk.say("approve", reason="go")
    (message,) = await desk.told()
    assert shown(message)[-1] == "= Approved by key:ana (go) @60 · web01 queued"
    desk.end("succeeded", summary="restarted")
    (message,) = await desk.told()
    assert shown(message)[-1] == "= Approved by key:ana (go) @60 · web01 succeeded: restarted"
    assert (message.level, message.asks) == ("ok", ())


async def test_the_reason_of_a_yes_leaves_room_for_what_came_of_it(desk: Any, shown: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()
    desk.say("approve", reason="r" * 500)
    (message,) = await desk.told()
    assert shown(message)[-1] == f"= Approved by key:ana ({'r' * 99}…) @0 · web01 queued"


async def test_a_no_with_its_reason(desk: Any, shown: Any) -> None:
    desk.ask("web01", asks=True)
    await desk.told()
    desk.say("reject", "bo", reason="not now")
    (message,) = await desk.told()
    assert shown(message)[-1] == "= Rejected by key:bo: not now"


async def test_the_dry_run_stands_beside_it(desk: Any, shown: Any) -> None:
    run = desk.ask("web01", asks=True)
    desk.plans[run] = {"state": "made", "sentence": "", "steps": [1, 2], "fails": "", "diff": "-a\n+b\n" + "x" * 20_000}
    (message,) = await desk.told()
    assert "dry run: 2 steps · the diff is beside this" in shown(message)
    (detail,) = message.details
    assert detail.name == f"dry run of {run[:8]}"
    assert len(detail.text) < 12_100
    assert detail.text.startswith("… (")


async def test_a_dry_run_that_would_fail_says_so(desk: Any, shown: Any) -> None:
    run = desk.ask("web01", asks=True)
    desk.plans[run] = {"state": "made", "sentence": "", "steps": [1], "fails": "no such service", "diff": ""}
    assert "dry run: 1 step; it would fail: no such service" in shown((await desk.told())[0])


async def test_what_looks_like_a_secret_in_an_output_does_not_leave_the_house(desk: Any, shown: Any) -> None:
    desk.ask("web01")
    told = b"mysql: password=hunter2 refused\nAuthorization: Bearer abcdef123456abcdef\n"
    desk.end("failed", output=b"x\n" * 40_000 + told, summary="rc 3")
    (message,) = await desk.told()
    (detail,) = message.details
    assert "mysql: password=*** refused" in detail.text
    assert "hunter2" not in detail.text + str(message)
    assert "abcdef123456" not in detail.text
    assert detail.text.startswith("… (")
    assert len(detail.text) < 12_100


async def test_a_failure_shows_the_end_of_its_output(desk: Any, shown: Any) -> None:
    run = desk.ask("web01")
    desk.end("failed", output=b"one\ntwo\n", summary="rc 4")
    (message,) = await desk.told()
    assert shown(message) == [
        "restart failed on web01 – prod", "rule: web/alerts/down", "for: rule:web/alerts/down", "ran: site  playbook  playbooks/restart.yml",
        "on: web01", "why: rc 4",
    ]  # fmt: skip
    assert [(one.name, one.text) for one in message.details] == [("stdout of attempt 1", "one\ntwo")]
    assert message.foot == f"{run[:8]} · healer explain {run[:8]}"
    assert message.level == "error"


async def test_what_an_event_holds_stays_text(desk: Any, shown: Any) -> None:
    hostile = "<!channel> *b* `c` {{7*7}} \u202etxt <https://x|y>"
    desk.ask("web01", asks=True, parameters={"service": hostile})
    (message,) = await desk.told()
    (line,) = [one for one in shown(message) if one.startswith("will run")]
    assert hostile in line


async def test_a_long_parameter_is_cut_and_says_so(desk: Any, shown: Any) -> None:
    desk.ask("web01", asks=True, parameters={"blob": "x" * 5000})
    (line,) = [one for one in shown((await desk.told())[0]) if one.startswith("will run")]
    assert line.endswith("… (5000 characters, beside this)")
    assert len(line) < 400


async def test_records_that_are_of_no_run(desk: Any, shown: Any) -> None:
    desk.do(notes.Note("reload", "os:ana", state="refused", mistakes=["rulebooks/a.yml:1:1: error[yaml]: no"]))
    desk.do(notes.Note("delivery_refused", "source:am", source="am", count=3, code="too-deep", detail="depth 65"))
    first, second = await desk.told()
    assert shown(first) == [
        "changed files were not taken, for mistakes in them – prod", "what: rulebooks/a.yml:1:1: error[yaml]: no", "by: os:ana", "at: @0",
    ]  # fmt: skip
    assert "what: 3 deliveries of am were refused (too-deep): depth 65" in shown(second)


async def test_a_pause_is_over(desk: Any, shown: Any) -> None:
    desk.do(notes.Note("pause", "key:ana", scope="all", reason="look"))
    await desk.told()
    desk.do(notes.Note("resume", "key:ana", scope="all"))
    (message,) = await desk.told()
    assert (shown(message)[-1], message.level) == ("= It is over.", "ok")


async def test_an_audit_that_does_not_prove_itself(desk: Any, shown: Any) -> None:
    desk.do(notes.Note("audit_broken", "daemon", finding="record 7: it has no time", findings=1, first_bad=7))
    (message,) = await desk.told()
    assert shown(message)[1] == "what: the audit does not prove itself: record 7: it has no time; healer audit verify"
    assert (message.news, message.level, message.foot) == ("audit_broken", "error", "healer audit verify")


async def test_a_storm_is_over(desk: Any, shown: Any) -> None:
    """In place, and the next one is a message of its own."""
    storm = notes.Note("storm", "daemon", matches=201, limit=200, within_ms=60_000)
    desk.do(storm)
    (message,) = await desk.told()
    assert (shown(message)[-1], message.level) == ("at: @0", "warning")
    desk.now_us += 400 * S
    desk.do(notes.Note("storm_over", "daemon", since_us=0, calm_us=desk.now_us - 5 * S, peak=300))
    (message,) = await desk.told()
    assert (shown(message)[-1], message.level) == ("= Calm since @395", "ok")
    assert [what for what, _, _ in desk.channel.given] == ["send", "update"]
    desk.do(storm)
    await desk.told()
    assert [what for what, _, _ in desk.channel.given] == ["send", "update", "send"]
    assert desk.rows("news", "open") == [("storm", 0), ("storm", 1)]


async def test_a_pause_says_what_and_why(desk: Any, shown: Any) -> None:
    desk.do(notes.Note("pause", "key:ana", scope="rule:web/alerts/down", reason="look"))
    desk.do(notes.Note("pause", "key:bo", scope="rule:web/alerts/down", until_us=desk.now_us + 60 * S))
    (message,) = await desk.told()
    assert shown(message) == [
        "something is paused – prod", "what: rule web/alerts/down is paused by key:ana: look · since @0",
        "what: rule web/alerts/down is paused by key:bo · since @0 · until @60",
    ]  # fmt: skip


async def test_the_file_pause_says_so(desk: Any, shown: Any) -> None:
    desk.do(
        pausing.FileSeen(
            {"scope": "everything", "who": "the file PAUSE", "since": "2026-01-01T00:00:00Z", "reason": "fire"}
        )
    )
    (message,) = await desk.told()
    assert shown(message)[1:] == ["what: everything is paused by the file PAUSE: fire · since @0"]


async def test_a_refused_reload_says_where_and_how_to_see_why(desk: Any, shown: Any) -> None:
    """Records leave out the sentences of mistakes, which quote the files."""
    desk.do(notes.Note("reload", "os:ana", state="refused", mistakes=["options healer.yaml:1:7"]))
    desk.do(notes.Note("reload", "os:bo", state="refused", mistakes=["options healer.yaml:1:7"]))
    (message, *_) = await desk.told()
    assert "what: options healer.yaml:1:7" in shown(message)
    assert message.foot == "healer validate"
