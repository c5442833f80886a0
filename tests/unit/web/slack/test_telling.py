"""Where people are answered, and that it is Slack."""

from __future__ import annotations

import pytest
import slack_limits
from hypothesis import given
from hypothesis import strategies as st

from healer.notify.channels import _slack_api as api
from healer.web.slack import telling


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("https://hooks.slack.com/actions/T1/2/x", True), ("https://HOOKS.slack.com/commands/x", True), ("http://hooks.slack.com/x", False),
        ("https://hooks.slack.com:8443/x", False), ("https://hooks.slack.com.evil.example/x", False), ("https://evil.example/hooks.slack.com", False),
        ("https://hooks.slack.com@evil.example/x", False), ("https://user@hooks.slack.com/x", False), ("https://hooks.slack.com\\@evil.example/", False),
        ("https://xhooks.slack.com/", False), ("https://hooks.slack.com./x", False), ("//hooks.slack.com/x", False), ("https://[::1]/", False),
        ("https://[", False), ("https://hooks.slack.com:x/", False), ("", False), ("https://www.postresponsestome.com/T123567/1509734234", False),
        ("http://127.0.0.1:7777/actions/x", True), ("http://127.0.0.1:7778/actions/x", False), ("https://127.0.0.1:7777/actions/x", False),
        ("http://127.0.0.1:7777@evil.example/", False),
    ],
)  # fmt: skip
def test_whose_address_it_is(url: str, is_ours: bool) -> None:
    voice = telling.Voice(api.Api(lambda: ""), "http://127.0.0.1:7777/api/")
    assert voice.is_ours(url) is is_ours
    assert telling.Voice(api.Api(lambda: ""), None).is_ours("http://127.0.0.1:7777/x") is False


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_said_slack_takes_it_as_letters(text: str, table: str) -> None:
    body = telling.Said(text, table).body()
    assert "<" not in body["text"]
    assert body["text"].isprintable()
    if text or table:
        slack_limits.blocks(body["blocks"])


def test_a_long_table_is_cut() -> None:
    body = telling.Said("x", "row\n" * 5_000).body()
    slack_limits.blocks(body["blocks"])
    assert body["blocks"][1]["elements"][0]["elements"][0]["text"].endswith(" more characters")
