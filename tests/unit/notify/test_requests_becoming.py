"""What messages of many requests say: what holds for one of them is said of that one, and what became of them is told in one line."""

from __future__ import annotations

from typing import Any

from healer import access, model, plugins
from healer.policy import limits
from healer.store import finishing, reviewing

S = 1_000_000
TWO = limits.Approval((limits.Threshold("two approvers", ("approver",), 2, 1),), ("requester",))


def say(desk: Any, run: str, word: Any, person: str = "ana", reason: str = "") -> None:
    """To the request of one run."""
    (found,) = desk.store.writer.tx.connection.execute("SELECT id FROM approval WHERE run = ?", (run,)).fetchone()
    who = access.Principal(f"key:{person}", (access.BUILT_IN["approver"],))
    given = {"who": who, "roles": ["approver"], "reason": reason, "standing_of": lambda _: desk.standing}
    desk.do(reviewing.Review(found, word, **given))


def finish(desk: Any, one: Any, why: str = "") -> None:
    """It ends: `why`: it failed."""
    kept = finishing.Kept(desk.store.blobs.keep(b""), desk.store.blobs.keep(b""))
    outcome = model.Outcome("failed", why, 4) if why else model.Outcome("succeeded", "done", 0)
    desk.do(finishing.Finish(one.token, one.run["id"], one.number, outcome, kept))


def end(desk: Any, fails: dict[str, str]) -> None:
    """Whatever is approved runs; those fail with that summary."""
    for one in desk.claim():
        finish(desk, one, fails.get(one.run["id"], ""))


async def asked(desk: Any) -> plugins.Message:
    """What the message that asked says now."""
    return [one for one in await desk.told() if one.news == "needs_approval"][-1]


def length(text: plugins.Text) -> int:
    """Of the words of a text."""
    return sum(len(piece) for piece in text if isinstance(piece, str))


def of(lines: list[str], *labels: str) -> list[str]:
    """The rows of these."""
    return [line for line in lines if line.partition(":")[0] in labels]


async def test_words_on_one_are_said_of_that_one(desk: Any, shown: Any) -> None:
    runs = [desk.ask(name, asks=TWO) for name in ("h1", "h2", "h3")]
    await desk.told()
    say(desk, runs[1], "approve")
    (message,) = await desk.told()
    assert of(shown(message), "said", "needs") == [
        "said: h2: key:ana approves", "needs: h1  h3: 2 of approver · expires @1800",
        "needs: h2: 2 of approver (1 so far) · expires @1800",
    ]  # fmt: skip


async def test_words_on_all_are_said_once(desk: Any, shown: Any) -> None:
    for name in ("h1", "h2"):
        desk.ask(name, asks=TWO)
        desk.now_us += 10 * S
    await desk.told()
    desk.say("approve", reason="go")
    (message,) = await desk.told()
    assert of(shown(message), "said", "needs") == [
        "said: key:ana approves: go", "needs: 2 of approver (1 so far) · expires @1800",
    ]  # fmt: skip


async def test_the_first_one_that_expires(desk: Any, shown: Any) -> None:
    desk.ask("h1", asks=True)
    desk.now_us += 120 * S
    desk.ask("h2", asks=True)
    (message,) = await desk.told()
    assert of(shown(message), "needs") == ["needs: 1 of approver · the first expires @1800"]


async def test_what_is_decided_is_named(desk: Any, shown: Any) -> None:
    runs = [desk.ask(f"h{n}", asks=True) for n in range(6)]
    await desk.told()
    say(desk, runs[0], "reject", reason="bad idea")
    say(desk, runs[1], "reject", reason="bad idea")
    say(desk, runs[2], "reject", "bo", "why")
    say(desk, runs[3], "approve")
    say(desk, runs[4], "approve")
    (message,) = await desk.told()
    assert shown(message)[-1] == (
        "= h0  h1 rejected by key:ana: bad idea · h2 rejected by key:bo: why · h3  h4 approved by key:ana @0 · h3  h4 queued"
    )
    assert [one.targets for one in message.asks] == [("h5",)]


async def test_many_are_summed_up(desk: Any, shown: Any) -> None:
    runs = [desk.ask(f"h{n:02}", asks=True) for n in range(20)]
    await desk.told()
    desk.say("approve")
    assert [shown(one)[-1] for one in await desk.told()] == ["= Approved by key:ana @0 · 20 queued"]
    end(desk, {runs[7]: "no", runs[9]: "gone", runs[11]: "no"})
    message = next(one for one in await desk.told() if one.news == "needs_approval")
    assert shown(message)[-1] == "= Approved by key:ana @0 · 17 succeeded · failed: h07  h11 (no) · failed: h09 (gone)"
    assert message.level == "error"
    (aloud,) = message.details
    assert aloud.loud
    assert aloud.name in {f"restart on {name} failed" for name in ("h07", "h09", "h11")}


async def test_what_is_cut_comes_beside_it_once_all_has_ended(desk: Any) -> None:
    for n in range(20):
        desk.ask(f"h{n:02}" + "x" * 80, asks=True)
    await desk.told()
    desk.say("approve")
    first, *others = desk.claim()
    finish(desk, first, "y" * 400)
    message = await asked(desk)
    (first_failed,) = message.details
    assert first_failed.loud, "of the others it may change yet"
    assert length(message.status) < 1_000
    desk.now_us += S
    for number, one in enumerate(others):
        finish(desk, one, f"{number}" * 400)
    message = await asked(desk)
    assert length(message.status) < 1_000
    (each,) = [one for one in message.details if not one.loud]
    assert each.name == "what became of each"
    assert [one for one in message.details if one.loud] == [first_failed], "said aloud once"
    assert "y" * 400 in each.text
    assert len(each.text.split("\n")) == 20


async def test_a_line_that_is_too_long_counts(desk: Any, shown: Any) -> None:
    runs = [desk.ask(f"h{n:02}" + "x" * 80, asks=True) for n in range(20)]
    await desk.told()
    for number, run in enumerate(runs):
        say(desk, run, "reject", reason=f"{number} " + "z" * 300)
    message = await asked(desk)
    assert shown(message)[-1] == "= 20 rejected"
    each = message.details[-1]
    assert each.name == "what became of each"
    assert f"x… rejected: key:ana: 19 {'z' * 300}" in each.text


async def test_the_end_of_what_was_asked_for_is_told_where_it_was_asked_for(desk: Any, shown: Any) -> None:
    """No message of its own: its output stands beside the message, and somebody has to look after it."""
    desk.ask("web01", asks=True)
    await desk.told()
    desk.say("approve")
    (before,) = await desk.told()
    assert not before.answerable
    desk.end("failed", output=b"one\ntwo\n", summary="rc 4")
    (message,) = await desk.told()
    assert [what for what, _, _ in desk.channel.given] == ["send", "update", "update"]
    assert (message.news, message.answerable, message.level) == ("needs_approval", True, "error")
    assert shown(message)[-1] == "= Approved by key:ana @0 · web01 failed: rc 4"
    assert [(one.name, one.text, one.loud) for one in message.details] == [
        ("restart on web01 failed", "rc 4", True), ("stdout of attempt 1", "one\ntwo", False),
    ]  # fmt: skip
    await desk.deliverer.answer("n-1", "key:bo")
    (message,) = await desk.told()
    assert not message.answerable
    assert shown(message)[-1].endswith("web01 failed: rc 4 · key:bo looks after it since @0")


async def test_a_failure_beside_an_open_request_may_be_looked_after(desk: Any, shown: Any) -> None:
    runs = [desk.ask(name, asks=True) for name in ("h1", "h2")]
    await desk.told()
    say(desk, runs[0], "approve")
    end(desk, {runs[0]: "rc 4"})
    message = await asked(desk)
    assert (message.answerable, [one.run for one in message.asks]) == (True, runs[1:])
    await desk.deliverer.answer("n-1", "key:bo")
    message = await asked(desk)
    assert (message.answerable, [one.run for one in message.asks]) == (False, runs[1:])
    assert shown(message)[-1].endswith("key:bo looks after it since @0")
    say(desk, runs[1], "approve")
    end(desk, {runs[1]: "rc 5"})
    assert (await asked(desk)).answerable, "it failed since they said so"


async def test_of_many_failures_the_first_outputs_stand_beside_it(desk: Any) -> None:
    runs = [desk.ask(f"h{n}", asks=True) for n in range(5)]
    await desk.told()
    desk.say("approve")
    desk.end("failed", output=b"no such service", summary="rc 4")
    message = await asked(desk)
    assert len(runs) == 5
    outputs = {one.name for one in message.details if "stdout" in one.name}
    assert len(outputs) == 3
    assert outputs < {f"h{n}: stdout of attempt 1" for n in range(5)}
    assert len([one for one in message.details if one.loud]) == 1
