"""`notifications` of healer.yaml: what is told of it, each where it stands, and what the daemon reads."""

from __future__ import annotations

import typing

import pytest

from healer import config
from healer.audit import notices
from healer.project import receivers, settings

ACCOUNT = '{slack: {team: T02AB, bot_token: {secret: "env:B"}, app_token: {secret: "env:A"}}}'
OPS = "ops: {slack: {channel: C0123456789}}"


def read(text: str) -> tuple[settings.Settings, list[tuple[str, int, int, str]]]:
    document = config.read_text(text, "healer.yaml")
    made = settings.read(document, {}, {}).settings
    return made, [(one.code, one.place.line, one.place.column, one.message) for one in document.diagnostics]


def test_the_classes_are_those_that_the_audit_tells():
    assert typing.get_args(receivers.News) == tuple(notices.NEWS)
    assert {*receivers.AT_ONCE, *receivers.GROUPED} == {*notices.NEWS}


def test_receivers_as_they_are_used():
    made, told = read(
        f"notifications:\n  channels: {ACCOUNT}\n  receivers:\n    {OPS}\n    ana: {{slack: {{principal: ana}}, news: [failed]}}\n"
        "  escalate: {to: [ana], after: 5 minutes}\nprincipals: {ana: {slack: T02AB/U7XYZ}}\n"
    )
    assert told == []
    ops, ana = receivers.receivers(made.notifications)
    assert (ops.name, ops.channel, ops.options.channel) == ("ops", "slack", "C0123456789")
    assert ana.options.principal == "ana"
    assert made.notifications.escalate is not None
    assert made.notifications.escalate.after == 300
    assert receivers.account(made.notifications, "slack").team == "T02AB"


def test_without_it_nobody_is_told():
    made, told = read("mode: observe\n")
    assert (told, receivers.receivers(made.notifications)) == ([], [])
    assert [*made.notifications.at_once] == [*receivers.AT_ONCE]


@pytest.mark.parametrize(("text", "code", "place", "message"), [
    ("receivers: {ops: {slak: {channel: C0123456789}}}", "unknown-channel", (1, 35), "there is no channel 'slak'"),
    ("channels: {slak: {}}", "unknown-channel", (1, 28), "there is no channel 'slak'"),
    (f"channels: {ACCOUNT}, receivers: {{'o s': {{slack: {{channel: C0123456789}}}}}}", "name", None, "'o s' is no name of a receiver"),
    (f"channels: {ACCOUNT}, receivers: {{{OPS}, b: {{}}}}", "wrong-type", None, "the receiver 'b' has to be a mapping with one channel"),
    (f"channels: {ACCOUNT}, receivers: {{{OPS}, b: 5}}", "wrong-type", None, "the receiver 'b' has to be a mapping with one channel"),
    (f"channels: {ACCOUNT}, receivers: {{ops: {{slack: {{channel: '#ops'}}}}}}", "options", None,
     "the receiver ops: channel: the id of a channel like C0123456789 (at the bottom of its details) is wanted, got '#ops'"),
    (f"channels: {ACCOUNT}, receivers: {{{OPS}}}, escalate: {{to: [boss]}}", "unknown-receiver", None, "there is no receiver 'boss'"),
    ("receivers: {ops: {slack: {channel: C0123456789}}}", "missing-key", None, "the receiver ops is told by slack, of which there is no account"),
    (f"channels: {ACCOUNT}, receivers: {{ops: {{slack: {{principal: zed}}}}}}", "unknown-principal", None, "there is no principal 'zed'"),
    ("at_once: [faild]", "options", None, "got 'faild'"),
    ("grouped: {succeeded: 0 seconds}", "options", None, "at least"),
])  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(text, code, place, message):
    _, told = read(f"notifications: {{{text}}}\n")
    found = [one for one in told if one[0] == code]
    assert found, told
    assert message in found[0][3]
    if place is not None:
        assert found[0][1:3] == place


def test_a_secret_that_stands_in_the_file_is_not_quoted():
    _, told = read(
        'notifications: {channels: {slack: {team: T02AB, bot_token: "xoxb-1-canary", app_token: {secret: "env:A"}}}}\n'
    )
    assert told
    assert all("canary" not in one[3] for one in told)


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "[]",
        "{receivers: []}",
        "{channels: 5}",
        "{escalate: {to: 5}}",
        "{receivers: {5: {slack: 5}}}",
        "{receivers: {a: {slack: null}}}",
    ],
)
def test_any_other_shape_is_a_mistake_and_no_crash(text):
    assert read(f"notifications: {text}\n")[1]


def test_a_principal_whom_the_channel_does_not_know():
    _, told = read(
        f"notifications: {{channels: {ACCOUNT}, receivers: {{bo: {{slack: {{principal: bo}}}}}}}}\nprincipals: {{bo: {{roles: [readonly]}}}}\n"
    )
    assert [one[3] for one in told if one[0] == "unknown-principal"] == [
        "the principal bo has no slack: nobody would be told"
    ]
