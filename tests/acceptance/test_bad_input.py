"""What a sender can do wrong over HTTP, against the real daemon: a code, nothing kept of it, nothing started, and it lives on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

LIMIT: Final = 2 << 20
DEEP: Final = b'{"a":' * 100 + b"1" + b"}" * 100

BODIES: Final[dict[str, tuple[bytes, int, str]]] = {
    "nothing": (b"", 400, "not-json"),
    "no JSON": (b"disk is full", 400, "not-json"),
    "half of it": (b'{"a": [1, 2', 400, "not-json"),
    "something after it": (b'{"a": 1} x', 400, "not-json"),
    "a number": (b"3", 400, "not-an-object"),
    "a text": (b'"disk is full"', 400, "not-an-object"),
    "null": (b"null", 400, "not-an-object"),
    "one of an array": (b'[{"a": 1}, 2]', 400, "not-an-object"),
    "over the limit": (b'{"a": "' + b"x" * LIMIT + b'"}', 413, "too-large"),
    "depth 100": (DEEP, 400, "too-deep"),
    "one key twice": (b'{"a": 1, "b": {"c": 1, "c": 2}}', 400, "duplicate-key"),
    "NaN": (b'{"a": NaN}', 400, "not-a-number"),
    "infinity": (b'{"a": -Infinity}', 400, "not-a-number"),
    "a number too large": (b'{"a": 99999999999999999999}', 400, "number-too-large"),
    "an escaped NUL": (b'{"a": "x\\u0000y"}', 400, "bad-text"),
    "a NUL": (b'{"a": "x\x00y"}', 400, "not-json"),
    "no UTF-8": (b'{"a": "\xff"}', 400, "bad-text"),
    "half of a pair": (b'{"a": "\\ud800"}', 400, "bad-text"),
}

WEBHOOKS: Final[dict[str, tuple[dict[str, Any], int, str, str]]] = {
    "an unknown event type": ({"event_type": "haal", "target": "h1"}, 404, "unknown_event_type", "haal"),
    "no event type": ({"target": "h1"}, 400, "invalid-field", "event_type"),
    "an unknown key": ({"event_type": "heal", "target": "h1", "parametres": {}}, 400, "invalid-field", "parametres"),
    "no target": ({"event_type": "heal"}, 400, "invalid-field", "target"),
    "a parameter that is missing": ({"event_type": "set_level", "target": "h1"}, 400, "invalid_parameters", "level"),
    "a parameter out of bounds": (
        {"event_type": "set_level", "target": "h1", "parameters": {"level": 9}}, 400, "invalid_parameters", "at most 5 is wanted",
    ),
    "a parameter of another type": (
        {"event_type": "set_level", "target": "h1", "parameters": {"level": "3"}}, 400, "invalid_parameters", "a whole number is wanted",
    ),
    "a parameter that is not declared": (
        {"event_type": "set_level", "target": "h1", "parameters": {"level": 3, "lewel": 3}}, 400, "invalid_parameters", "lewel",
    ),
    "a target that is not wanted": ({"event_type": "look", "target": "h1"}, 400, "invalid_parameters", "target: none"),
    "an unknown controller": (
        {"event_type": "heal", "target": "h1", "controller_override": "hera"}, 400, "unknown_controller", "hera",
    ),
}  # fmt: skip

REFUSED: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "an unknown action": ({"action": "haal"}, "unknown_action", "did you mean 'heal'?"),
    "a target that is not wanted": ({"action": "look"}, "invalid_parameters", "target: none"),
    "a parameter out of bounds": ({"level": 9}, "invalid_parameters", "at most 5 is wanted"),
    "a parameter of another type": ({"level": "3"}, "invalid_parameters", "a whole number is wanted"),
    "a parameter that is nothing": ({"level": None}, "invalid_parameters", "level"),
    "an unknown controller": ({"controller": "nowhere"}, "controller_forbidden", "nowhere"),
    "an unknown target": ({"heal": "nohost"}, "unknown_target", "nohost"),
    "a target that is an option": ({"heal": "--limit=all"}, "unknown_target", "--limit=all"),
    "a target that is no text": ({"heal": {"h1": 1}}, "unknown_target", ""),
}


@pytest.fixture
def unmoved(shared_daemon: Any) -> Iterator[Any]:
    """The daemon; at the end the journal is as long as before, nothing was started, and it still takes events."""
    journal, effects = _rows(shared_daemon), len(shared_daemon.lines())
    yield shared_daemon
    assert _rows(shared_daemon) == journal
    assert len(shared_daemon.lines()) == effects
    assert shared_daemon.event({"all": "well"}) == f"e-{journal + 1}"


def _rows(daemon: Any) -> int:
    ((count,),) = daemon.rows("SELECT coalesce(max(seq), 0) FROM journal")
    return int(count)


def decided(daemon: Any, event: str, wait_for: Callable[..., None]) -> list[dict[str, Any]]:
    """What was decided on an event, once that has been."""
    wait_for(lambda: daemon.get(f"/events/{event}")[1]["decided"], 60, f"{event} to be decided")
    return list(daemon.get(f"/events/{event}")[1]["decisions"])


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_cannot_be_taken(unmoved: Any, case: str, chunked: bool) -> None:
    body, status, code = BODIES[case]
    got, answer = unmoved.ask("POST", "/events", body, chunked=chunked)
    assert (got, answer["code"], answer["status"]) == (status, code, status)
    assert answer["detail"]


def test_a_good_event_beside_a_bad_one_is_not_kept(unmoved: Any) -> None:
    status, answer = unmoved.post("/events", [{"heal": "h1"}, "not this one"])
    assert (status, answer["code"]) == (400, "not-an-object")
    assert "element 1" in answer["detail"]


@pytest.mark.parametrize("key", ["", "hlr_aaaaaaaa_" + "b" * 52, "admin", "hlr_", "\u00fc" * 20])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/events"), ("POST", "/webhook"), ("GET", "/runs"), ("POST", "/api/v1/reload")]
)
def test_no_key_or_a_wrong_one(unmoved: Any, method: str, path: str, key: str) -> None:
    status, answer = unmoved.ask(method, path, {"heal": "h1"}, key=key)
    assert (status, answer["code"]) == (401, "unauthorized")
    assert "key" in answer["detail"]


def test_a_key_that_may_not(unmoved: Any) -> None:
    reading = unmoved.make_key("readonly")
    status, answer = unmoved.ask("POST", "/events", {"heal": "h1"}, key=reading)
    assert (status, answer["code"]) == (403, "forbidden")
    assert unmoved.ask("GET", "/runs", key=reading)[0] == 200


@pytest.mark.parametrize("case", WEBHOOKS)
def test_a_webhook_that_cannot_be_taken(unmoved: Any, case: str) -> None:
    body, status, code, said = WEBHOOKS[case]
    got, answer = unmoved.post("/webhook", body)
    assert (got, answer["code"]) == (status, code)
    assert said in answer["detail"]


def test_an_unknown_event_type_gets_near_names(unmoved: Any) -> None:
    _, answer = unmoved.post("/webhook", {"event_type": "set_lvel", "target": "h1"})
    assert answer["near"] == ["set_level"]


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_rule_asks_for_and_cannot_be_done(shared_daemon: Any, case: str, wait_for: Callable[..., None]) -> None:
    event, reason, said = REFUSED[case]
    effects = len(shared_daemon.lines())
    (decision,) = decided(shared_daemon, shared_daemon.event(event), wait_for)
    assert (decision["outcome"], decision["reason"]) == ("refused", reason)
    assert said in decision["sentence"]
    _, run = shared_daemon.get(f"/runs/{decision['run']}")
    assert (run["state"], run["attempts"]) == ("refused", [])
    assert len(shared_daemon.lines()) == effects


def test_after_all_that_it_heals(shared_daemon: Any, wait_for: Callable[..., None]) -> None:
    (decision,) = decided(shared_daemon, shared_daemon.break_host("h42"), wait_for)
    wait_for(lambda: shared_daemon.get(f"/runs/{decision['run']}")[1]["state"] == "succeeded", 60, "the run to succeed")
    assert [decision["run"], "h42"] in shared_daemon.lines()
    shared_daemon.verified()
    assert "Traceback" not in shared_daemon.said()
