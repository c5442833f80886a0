"""Whoever decides sees exactly what runs: what is too long for the message beside it, and which of many requests is which."""

from __future__ import annotations

from typing import Any

from healer import plugins
from healer.notify import looking
from healer.store import approving

S = 1_000_000
LONG = "B" * 3_000 + "END"


async def test_long_parameters_are_beside_the_message(desk: Any, shown: Any) -> None:
    for name, text in (("h1", LONG), ("h2", LONG), ("h3", "short")):
        desk.ask(name, asks=True, parameters={"text": text, "n": 3})
    (message,) = await desk.told()
    lines = [line for line in shown(message) if line.startswith("will run")]
    start = "site  playbook  playbooks/restart.yml  n=3  text="
    assert lines == [
        f"will run: h1  h2: {start}{'B' * 200}… (3003 characters, beside this)", f"will run: h3: {start}short",
    ]  # fmt: skip
    assert [(one.name, one.text) for one in message.details] == [("text of h1  h2", LONG)]


async def test_what_is_longer_than_that_shows_both_ends(desk: Any) -> None:
    desk.ask("h1", asks=True, parameters={"text": "A" * 20_000 + "END"})
    (message,) = await desk.told()
    (detail,) = message.details
    assert detail.text.startswith("AAA")
    assert detail.text.endswith("END")
    assert "(8003 characters left out)" in detail.text
    assert len(detail.text) < looking.DETAIL_MAX + 100


async def test_all_targets_are_shown(desk: Any, shown: Any) -> None:
    for n in range(20):
        desk.ask(f"h{n:02}", asks=True)
    (message,) = await desk.told()
    assert f"on: {'  '.join(f'h{n:02}' for n in range(20))}" in shown(message)
    assert message.details == ()


def test_more_targets_are_beside_it() -> None:
    every = [f"h{n:02}" for n in range(25)]
    run = {"id": "r-1", "targets": every, "parameters": "{}"}
    assert looking.targets([run]).endswith("h19  and 5 more")
    (detail,) = looking.whole([run], looking.names([run]))
    assert (detail.name, detail.text.split("\n")) == ("all 25 targets", every)


async def test_requests_that_differ_by_parameters_alone(desk: Any, shown: Any) -> None:
    runs = [
        desk.ask("h1", asks=True, parameters={"text": text, "n": 3}, cycle=at) for at, text in enumerate(("a", "b c"))
    ]
    (message,) = await desk.told()
    assert [one.about for one in message.asks] == ["text=a", 'text="b c"']
    assert [line.split(":")[1].strip() for line in shown(message) if line.startswith("will run")] == [
        f"h1 ({run[:8]})" for run in runs
    ]


async def test_of_long_ones_both_ends_are_told(desk: Any) -> None:
    for cycle, end in enumerate(("one", "two")):
        desk.ask("h1", asks=True, parameters={"text": "x" * 5_000 + end}, cycle=cycle)
    (message,) = await desk.told()
    assert [(one.about[:7], one.about[-4:], len(one.about)) for one in message.asks] == [
        ("text=xx", "xone", 206),
        ("text=xx", "xtwo", 206),
    ]


async def test_requests_that_are_alike_say_nothing_of_it(desk: Any) -> None:
    desk.ask("h1", asks=True, parameters={"text": "a"})
    desk.ask("h2", asks=True, parameters={"text": "a"})
    (message,) = await desk.told()
    assert [one.about for one in message.asks] == ["", ""]


def ways(message: plugins.Message) -> list[str]:
    """As lines."""
    return [f"{row.label}: {''.join(map(str, row.text))}" for row in message.ways]


async def test_without_a_page_the_commands_are_named_by_which_it_is_decided(desk: Any) -> None:
    desk.link = ""
    desk.ask("h1", asks=True)
    (message,) = await desk.told()
    (one,) = message.asks
    assert ways(message) == [
        f"decide: healer approvals approve {one.request}, or: healer approvals reject {one.request}"
    ]
    desk.ask("h2", asks=True)
    (message,) = await desk.told()
    (row,) = desk.store.writer.tx.named("approval_shown", one.request)
    bundle = approving.bundle_of(row)
    assert ways(message) == [f"decide: healer approvals approve {bundle}, or: healer approvals reject {bundle}"]
    desk.say("reject")
    (message,) = await desk.told()
    assert message.ways == ()


async def test_with_a_page_it_is_decided_there(desk: Any) -> None:
    desk.ask("h1", asks=True)
    (message,) = await desk.told()
    assert (message.ways, message.link[:40]) == ((), "https://healer.example.org/ui/approvals/")


async def test_a_failure_names_the_command_by_which_it_is_answered(desk: Any) -> None:
    desk.ask("h1", asks=True)
    desk.ask("h2", rule="web/alerts/other")
    await desk.told()
    desk.say("approve")
    desk.end("failed")
    assert {one.id: ways(one) for one in await desk.told()} == {
        f"n-{number}": [f"answer: healer notify answer n-{number}"] for number in (1, 2)
    }
    for number in (1, 2):
        await desk.deliverer.answer(f"n-{number}", "key:bo")
    assert [one.ways for one in await desk.told()] == [(), ()]


def fires(desk: Any, run: str, name: str, target: str, status: str = "firing", opened_us: int = 0) -> None:
    """An alert that a run is for."""
    connection, key = desk.store.writer.tx.connection, f"{name}/{target}"
    connection.execute(
        "INSERT INTO alert (source, key, cycle, status, opened_us, seen_us, closed_us, ttl_us, first_seq, last_seq, times, name, target, severity,"
        " summary) VALUES ('am', ?, 1, ?, ?, 0, ?, 0, 1, 1, 1, ?, ?, '', '')",
        (key, status, desk.now_us + opened_us, desk.now_us + 9 * S if status == "resolved" else None, name, target),
    )
    connection.execute("INSERT INTO run_alert VALUES (?, 'am', ?, 1, 1)", (run, key))


async def test_alerts_that_are_alike_are_told_once(desk: Any, shown: Any) -> None:
    for at, name in enumerate(("h1", "h2", "h3")):
        fires(desk, desk.ask(name, asks=True), "Broken", f"host:{name}", opened_us=at * S)
    (message,) = await desk.told()
    assert "asked by: am: Broken on h1  h2  h3, firing since @0" in shown(message)


async def test_alerts_that_are_not_alike(desk: Any, shown: Any) -> None:
    alerts = (
        ("h1", "Broken", "firing"),
        ("h2", "Broken", "resolved"),
        ("h3", "Full", "firing"),
        ("h4", "Full", "firing"),
    )
    for at, (name, alert, status) in enumerate(alerts):
        fires(desk, desk.ask(name, asks=True), alert, name, status, at)
    (message,) = await desk.told()
    (line,) = [one for one in shown(message) if one.startswith("asked by")]
    assert line.startswith(
        "asked by: am: Broken on h1, firing since @0; am: Broken on h2, resolved @9; am: Full on h3, firing since @0; and more"
    )


async def test_one_alert_is_told_as_it_is(desk: Any, shown: Any) -> None:
    fires(desk, desk.ask("h1", asks=True), "Broken", "h1")
    assert "asked by: am: Broken, firing since @0" in shown((await desk.told())[0])
