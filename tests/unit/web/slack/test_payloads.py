"""What Slack sends, read by value; anything else is nothing."""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.notify.channels import _slack_values as values
from healer.web import bodies
from healer.web.slack import forms, payloads

AT = payloads.From("T02AB", "U7ANA", "T02AB", "C0OPS", "https://hooks.slack.com/actions/T02AB/1/x")


def click(**more: Any) -> dict[str, Any]:
    return {
        "type": "block_actions", "team": {"id": "T02AB"}, "user": {"id": "U7ANA", "team_id": "T02AB", "username": "<!channel>"},
        "channel": {"id": "C0OPS"}, "container": {"is_ephemeral": False}, "response_url": AT.url, "trigger_id": "1.2",
        "actions": [{"action_id": values.APPROVE, "value": "1 a-1:00ff"}], **more,
    }  # fmt: skip


def test_a_click() -> None:
    assert payloads.interaction(click()) == payloads.Click(AT, values.APPROVE, "1 a-1:00ff", "1.2")
    private = payloads.interaction(click(container={"is_ephemeral": True}))
    assert isinstance(private, payloads.Click)
    assert private.private


def form(action: str = values.REJECT, entered: Any = None, metadata: str | None = None) -> dict[str, Any]:
    kept = (
        payloads.metadata(payloads.Click(AT, action, "1 a-1:00ff a-2:00ee\nso it is")) if metadata is None else metadata
    )
    view = {"callback_id": action, "private_metadata": kept, "state": {"values": entered or {}}}
    return {
        "type": "view_submission",
        "team": {"id": "T02AB"},
        "user": {"id": "U7ANA", "team_id": "T02AB"},
        "view": view,
    }


def test_a_form() -> None:
    entered = {
        "which0": {"which": {"selected_options": [{"value": "a-2"}, {"value": "a-9"}]}}, "reason": {"reason": {"value": " it\n is <late> "}},
    }  # fmt: skip
    found = payloads.interaction(form(entered=entered))
    assert found == payloads.Form(AT, values.REJECT, (values.Meant("a-2", "00ee"),), "it is <late>")
    assert isinstance(found, payloads.Form)
    assert forms.wrong(found) is None
    whole = payloads.interaction(form(values.APPROVE))
    assert whole == payloads.Form(AT, values.APPROVE, (values.Meant("a-1", "00ff"), values.Meant("a-2", "00ee")), "")
    long = payloads.interaction(form(entered={"reason": {"reason": {"value": "x" * 9_000}}}))
    assert isinstance(long, payloads.Form)
    assert len(long.reason) == 500


def test_a_command() -> None:
    fields = {
        "team_id": "T02AB",
        "user_id": "U7ANA",
        "channel_id": "C0OPS",
        "response_url": AT.url,
        "text": "  silence a=“x &lt; y&amp;z” \n 2h ",
    }
    assert payloads.command(fields) == payloads.Command(
        payloads.From("T02AB", "U7ANA", "", "C0OPS", AT.url), 'silence a="x < y&z" 2h'
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"actions": []}, {"actions": None}, {"actions": [{}, {}]}, {"actions": [7]}, {"actions": [{"action_id": 7, "value": "x"}]}, {"team": None},
        {"team": {"id": "t02ab"}}, {"team": {"id": ["T02AB"]}}, {"user": None}, {"user": {"id": ""}}, {"user": {"id": "U7ANA\n"}},
        {"user": {"id": "U7ANA", "team_id": 7}}, {"response_url": 7}, {"trigger_id": []}, {"type": None}, {"channel": {"id": 7}},
        {"actions": [{"action_id": values.APPROVE, "value": "x" * 4_000}]},
    ],
)  # fmt: skip
def test_a_click_of_another_form(wrong: dict[str, Any]) -> None:
    with pytest.raises(payloads.Unreadable):
        payloads.interaction(click(**wrong))


@pytest.mark.parametrize(
    "metadata",
    ["", "{}", "[]", "no json", '{"v": 7, "c": "", "u": ""}', '{"v": "2 a-1:00ff", "c": "", "u": ""}', "x" * 4_000],
)
def test_a_form_that_is_none_of_ours(metadata: str) -> None:
    with pytest.raises(payloads.Unreadable):
        payloads.interaction(form(metadata=metadata))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "team", "user", "id", "actions", "view", "state", "values", "callback_id", "private_metadata", "value"]), inner, max_size=4
    ),
)  # fmt: skip


@given(json_values, st.sampled_from(["block_actions", "view_submission", "view_closed", "x"]))
def test_whatever_comes_is_read_or_refused(value: Any, kind: str) -> None:
    for payload in (
        value,
        {"type": kind, "x": value},
        click(actions=[value]),
        click(user=value),
        form(entered={"which0": value, "reason": value}),
    ):
        with contextlib.suppress(payloads.Unreadable):
            payloads.interaction(payload)


def test_recorded_payloads(shared: pathlib.Path) -> None:
    """Slack's samples have buttons of others: nothing to do; of each it is known whose workspace it is."""
    for path in sorted(shared.joinpath("payloads/slack").glob("block_actions*")):
        payload = json.loads(path.read_bytes()) if path.suffix == ".json" else bodies.form(path.read_bytes())
        assert payloads.interaction(payload) is None
        payload["actions"][0]["action_id"] = values.APPROVE
        found = payloads.interaction(payload)
        assert isinstance(found, payloads.Click)
        assert found.at.team == payload["team"]["id"]
        assert found.at.user_team == payload["user"]["team_id"]
    for path in sorted(shared.joinpath("payloads/slack").glob("slash_command*")):
        assert payloads.command(bodies.form(path.read_bytes())).at.team.startswith("T1")
