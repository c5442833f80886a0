"""Messages as Block Kit, by value; and whatever an event's words are, they are letters."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import slack_limits
from hypothesis import given
from hypothesis import strategies as st

from healer import plugins
from healer.notify.channels import _slack_blocks as blocks
from healer.notify.channels import _slack_values as values

AT_US = 1_790_000_000_000_000
SAID = "2026-09-21 14:13 UTC"
DIGEST = "4be1" * 16
HOSTILE = (
    "<!channel> & <@U1> <https://evil.example|click>", "*bold* _it_ ~s~ `code` ```x``` > quote", "@here @channel #general :bomb:",
    "web\u202e10\u2066\u200b", "a\nneeds      0 of 0\n", "\x1b]8;;https://evil\x07x", "x" * 20_000, "", " ", "\ud800", "&lt;!here&gt;",
    "<!date^1^{date}|x>", "<!subteam^S1>", "\x00", "ﷺ" * 500, "🏴\U000e0067\U000e007f",
)  # fmt: skip


def approval(**more: Any) -> plugins.Message:
    given: dict[str, Any] = {
        "id": "n-7", "news": "needs_approval", "level": "warning",
        "title": (plugins.Strong("restart_nginx"), " wants to run on ", plugins.Strong("2 of 12 web hosts (17 %)"), " – prod"),
        "rows": (
            plugins.Row("rule", ("web / service is down",)), plugins.Row("on", ("web01  web07",)),
            plugins.Row("needs", ("1 of @oncall · expires ", plugins.When(AT_US))),
        ),
        "asks": (
            plugins.Asked("a-1", "r-7f3k2m", ("host:web01",), DIGEST), plugins.Asked("a-2", "r-9q1x0c", ("host:web07",), DIGEST),
        ),
        "foot": "r-7f3k2m, r-9q1x0c · digest 4be1",
    }  # fmt: skip
    return plugins.Message(**given | more)


def test_an_approval() -> None:
    bold = {"bold": True}
    value = "1 a-1:4be14be14be14be1 a-2:4be14be14be14be1"
    assert blocks.blocks(approval()) == [
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "emoji", "name": "warning"}, {"type": "text", "text": " "},
            {"type": "text", "text": "restart_nginx", "style": bold}, {"type": "text", "text": " wants to run on "},
            {"type": "text", "text": "2 of 12 web hosts (17 %)", "style": bold}, {"type": "text", "text": " – prod"},
        ]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": "rule  ", "style": bold}, {"type": "text", "text": "web / service is down"}, {"type": "text", "text": "\n"},
            {"type": "text", "text": "on  ", "style": bold}, {"type": "text", "text": "web01  web07"}, {"type": "text", "text": "\n"},
            {"type": "text", "text": "needs  ", "style": bold}, {"type": "text", "text": "1 of @oncall · expires "},
            {"type": "date", "timestamp": AT_US // 1_000_000, "format": "{date_short_pretty} {time}", "fallback": SAID},
        ]}]},
        {"type": "actions", "elements": [
            {"type": "button", "action_id": "healer-approve", "text": {"type": "plain_text", "text": "Approve all 2", "emoji": False},
             "value": value, "style": "primary"},
            {"type": "button", "action_id": "healer-choose", "text": {"type": "plain_text", "text": "Choose…", "emoji": False}, "value": value},
            {"type": "button", "action_id": "healer-reject", "text": {"type": "plain_text", "text": "Reject…", "emoji": False},
             "value": value, "style": "danger"},
        ]},
        {"type": "context", "elements": [{"type": "plain_text", "text": "r-7f3k2m, r-9q1x0c · digest 4be1", "emoji": False}]},
    ]  # fmt: skip
    assert blocks.summary(approval()) == "restart_nginx wants to run on 2 of 12 web hosts (17 %) – prod"
    slack_limits.blocks(blocks.blocks(approval()))


def labels(message: plugins.Message) -> list[str]:
    return [
        element["text"]["text"]
        for block in blocks.blocks(message)
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def test_what_may_be_done() -> None:
    one = approval().asks[:1]
    assert labels(approval(asks=one)) == ["Approve", "Approve with a reason…", "Reject…"]
    assert labels(approval(asks=())) == []
    assert labels(approval(asks=(), answerable=True)) == ["I look after it"]
    assert labels(approval(asks=(), link="https://heal.example.org/ui/runs/r-1")) == ["Open"]
    assert labels(approval(asks=(), link="javascript:alert(1)")) == []
    assert labels(approval(asks=(), link="https://x.example/a b")) == []
    many = tuple(plugins.Asked(f"a-{n:012}", "r-1", (), DIGEST) for n in range(100))
    assert labels(approval(asks=many))[0] == "Approve the first 62 of 100"


def test_the_outcome_stands_where_the_buttons_stood() -> None:
    made = blocks.blocks(approval(asks=(), level="ok", status=("Approved by Ana · ", plugins.Strong("running"))))
    assert made[0]["elements"][0]["elements"][0] == {"type": "emoji", "name": "white_check_mark"}
    assert made[2]["elements"][0]["elements"] == [
        {"type": "text", "text": "Approved by Ana · "}, {"type": "text", "text": "running", "style": {"bold": True}},
    ]  # fmt: skip
    assert blocks.summary(approval(status=("void",))).endswith(" – prod – void")


def texts(found: Any, kind: str = "") -> Iterator[tuple[str, str]]:
    """(kind, text) of all that Slack shows."""
    if isinstance(found, list):
        for one in found:
            yield from texts(one, kind)
    elif isinstance(found, dict):
        if isinstance(found.get("text"), str):
            yield str(found.get("type")), found["text"]
        for value in found.values():
            if not isinstance(value, str):
                yield from texts(value, str(found.get("type")))


def everywhere(text: str) -> plugins.Message:
    """A message with a text at each place that may hold one."""
    row = plugins.Row("parameters", (text, plugins.Strong(text), plugins.When(AT_US)))
    return approval(
        title=(text, plugins.Strong(text)), rows=(row, plugins.Row(text, (text,)), *([row] * 30)), status=(text,), foot=text,
        details=(plugins.Detail(text, text), plugins.Detail("diff", text)), link=text, answerable=True,
    )  # fmt: skip


def harmless(text: str) -> None:
    message = everywhere(text)
    made = blocks.blocks(message)
    slack_limits.blocks(made)
    replies = blocks.replies(message)
    for reply in replies:
        slack_limits.blocks(reply.blocks)
    json.dumps([made, [*replies]]).encode()
    shown = [*texts(made), *texts([reply.blocks for reply in replies])]
    assert {kind for kind, _ in shown} <= {"text", "plain_text"}
    for _, one in shown:
        assert one == "\n" or one.replace("\n", "").replace("\t", "").isprintable()
    for line in (blocks.summary(message), *(reply.text for reply in replies)):
        assert line
        assert "<" not in line
        assert ">" not in line
        assert line.isprintable()
        assert len(line) <= 2_000
    for block in made:
        if block["type"] == "rich_text":
            rows = "".join(element.get("text", "") for element in block["elements"][0]["elements"])
            assert rows.count("\n") <= 40, "a value makes no row"


@pytest.mark.parametrize("text", HOSTILE)
def test_words_of_events_are_letters(text: str) -> None:
    harmless(text)


@given(st.text(max_size=200))
def test_any_words_of_events_are_letters(text: str) -> None:
    harmless(text)


def test_recorded_payloads_are_letters(shared: pathlib.Path) -> None:
    """Every text of every payload that there is, with what could hurt around it."""
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                found.add(key)
                collect(one)
        elif isinstance(value, list):
            for one in value:
                collect(one)
        elif isinstance(value, str):
            found.add(value)

    for path in shared.joinpath("payloads").rglob("*"):
        if path.suffix == ".json":
            collect(json.loads(path.read_bytes()))
        elif path.suffix == ".txt":
            found.add(path.read_text("utf-8", "replace"))
    assert len(found) > 2_000
    for text in sorted(found)[::7]:
        harmless(f"{text}<!channel>\u202e{text}")


def test_nothing_of_what_is_asked_for_is_lost() -> None:
    """What is too long for its row is in the thread, whole."""
    parameters = "".join(f'"key{n}": "value{n}", ' for n in range(200))
    message = approval(rows=(plugins.Row("will run", (parameters,)),))
    row = blocks.blocks(message)[1]["elements"][0]["elements"]
    assert row[1]["text"] == parameters[:1_000]
    assert row[2]["text"] == f" … {len(parameters) - 1_000:,} more characters, in the thread"
    whole = "".join(reply.blocks[0]["elements"][1]["elements"][0]["text"] for reply in blocks.replies(message))
    assert whole == parameters
    assert [reply.text for reply in blocks.replies(message)] == ["will run (1 of 2)", "will run (2 of 2)"]


def test_a_diff_is_split_at_its_lines_and_bounded() -> None:
    diff = "\n".join(f"+ line {n} of a <file> & more" for n in range(1_000))
    found = blocks.replies(approval(details=(plugins.Detail("diff", diff),)))
    assert [reply.text for reply in found] == [f"diff ({n} of 5)" for n in range(1, 6)]
    assert len({reply.mark for reply in found}) == 5
    pieces = [reply.blocks[0]["elements"][1]["elements"][0]["text"] for reply in found]
    assert all(piece.startswith("+ line ") and piece.split("\n")[0].endswith("more") for piece in pieces)
    assert diff.startswith("\n".join(pieces).rpartition("\n… ")[0])
    assert pieces[-1].endswith("more characters")
    assert blocks.replies(approval(details=(plugins.Detail("diff", diff),))) == found, "the same marks each time"


def test_the_name_of_a_detail_stays() -> None:
    name = "text of " + "  ".join(f"web{n:02}.example.org" for n in range(4))
    assert [reply.text for reply in blocks.replies(approval(details=(plugins.Detail(name, "x"),)))] == [name]
    (reply,) = blocks.replies(approval(details=(plugins.Detail("text of " + "y" * 500, "x"),)))
    assert reply.text.startswith("text of y")
    assert reply.text.endswith("more characters")


def test_details_are_bounded() -> None:
    found = blocks.replies(approval(details=tuple(plugins.Detail(f"d{n}", "x") for n in range(50))))
    assert len(found) == blocks.DETAILS_MAX + 1
    assert found[-1].text == "… 38 more"


@pytest.mark.parametrize("at_us", [0, -1, 10**18, 10**30])
def test_a_moment_far_away(at_us: int) -> None:
    assert blocks.utc(at_us)


def test_the_value_says_what_was_shown() -> None:
    (row,) = [block for block in blocks.blocks(approval()) if block["type"] == "actions"]
    assert values.read(row["elements"][0]["value"]) == (("a-1", DIGEST[:16]), ("a-2", DIGEST[:16]))


def test_what_is_news_is_shown_in_the_channel_too() -> None:
    """Once, however long it is."""
    loud = plugins.Detail("restart on web01 failed", "x\n" * 3_000, loud=True)
    found = blocks.replies(approval(details=(loud, plugins.Detail("stderr", "y"))))
    assert len(found) > 2
    assert [reply.loud for reply in found] == [True] + [False] * (len(found) - 1)
