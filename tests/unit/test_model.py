"""The nouns: frozen, picklable where they may leave the process, and ids that are always the same."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import pickle
import typing
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import model

TARGET = model.Target("host", "web1", "web1.example", "10.0.0.1", ("web", "eu"), local=True)
JOB = model.Job(
    "t-1", "r-1", "clean", "command", ("df", "-h"), {"path": "/"}, (TARGET,), 30.0, "/rev", "/work",
    environment={"LANG": "C"}, extra={"tags": ["x"]},
)  # fmt: skip
OUTCOME = model.Outcome("failed", "exit code 3", 3, {"freed": 1}, {"web1": "failed"}, truncated=True, seconds=1.5)


def _firing(one: model.Fires, _receiver: str) -> model.Element:
    return model.Element(dict(one.alert))


def _resolved(event: Any, _at: str) -> model.Element:
    return model.Element(dict(event))


NOUNS: list[Any] = [
    TARGET,
    JOB,
    OUTCOME,
    model.Found("ended", OUTCOME, "told by the shim"),
    model.Plan(("host:web1",), ("df -h",), "- a\n+ b\n", exact=True),
    model.Health(True, "ready"),
    model.Reference.of("$ANSIBLE_VAULT;1.1;AES256\n61"),
    model.Element({"alert": {"name": "Down"}}, "k|firing"),
    model.Fires(("k",), True, ("healer",), 5, {"fingerprint": "k"}),
    model.Inquiry("/alerts", "/status", iter, len, _firing, _resolved, str),
]
nouns = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def test_every_noun_is_tested_here() -> None:
    made = {kind for kind in vars(model).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    assert made == {type(noun) for noun in NOUNS}


@nouns
def test_a_noun_is_frozen(noun: Any) -> None:
    for field in dataclasses.fields(noun):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(noun, field.name, None)
    assert not hasattr(noun, "__dict__")


@nouns
def test_a_child_process_can_hand_a_noun_over(noun: Any) -> None:
    again = pickle.loads(pickle.dumps(noun))
    assert again == noun
    assert again is not noun
    assert type(again) is type(noun)


def test_a_target_is_shown_by_kind_and_name() -> None:
    assert str(TARGET) == "host:web1"
    assert str(model.Target("service", "a:b")) == "service:a:b"
    assert len({TARGET, dataclasses.replace(TARGET)}) == 1


@pytest.mark.parametrize(
    ("noun", "defaults"),
    [
        (
            model.Target("host", "a"),
            {"kind": "host", "name": "a", "inventory_name": "", "address": "", "groups": (), "local": False},
        ),
        (model.Outcome("succeeded", "ok"), {"exit_code": None, "result": None, "per_target": {}, "truncated": False}),
        (model.Found("absent"), {"outcome": None, "detail": ""}),
        (model.Plan((), ()), {"diff": "", "exact": False, "fails": ""}),
        (
            model.Job("t", "r", "a", "script", "s", {}, (), 1.0, "/r", "/w"),
            {"dry_run": False, "idempotent": False, "environment": {}, "extra": {}},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_said_is_the_careful_choice(noun: Any, defaults: dict[str, object]) -> None:
    assert {name: getattr(noun, name) for name in defaults} == defaults


def test_mappings_are_not_shared_between_two_nouns() -> None:
    one, other = (model.Outcome("succeeded", "ok") for _ in range(2))
    assert one.per_target is not other.per_target


SECRET = model.Secret("env:TOKEN", "hunter2")


@pytest.mark.parametrize(
    "show", [str, repr, "{}".format, "{0!r:>40}".format, lambda secret: f"{secret} {[secret]} { ({'k': secret}) }"]
)
def test_a_secret_prints_as_its_reference(show: Callable[[object], str]) -> None:
    assert "Secret('env:TOKEN')" in show(SECRET)
    assert "hunter2" not in show(SECRET)


def test_a_secret_in_a_job_is_not_shown() -> None:
    job = dataclasses.replace(JOB, parameters={"token": SECRET}, environment={"LANG": "C"})
    assert "Secret('env:TOKEN')" in repr(job)
    assert "hunter2" not in repr(job)


def test_only_reveal_gives_the_value() -> None:
    assert SECRET.reveal() == "hunter2"
    assert SECRET.reference == "env:TOKEN"
    assert not hasattr(SECRET, "__dict__")


@pytest.mark.parametrize(
    "leave",
    [*(lambda x, p=p: pickle.dumps(x, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)), copy.copy, copy.deepcopy],
)
def test_a_secret_never_leaves_the_process(leave: Callable[[object], object]) -> None:
    for holder in (SECRET, [SECRET], dataclasses.replace(JOB, parameters={"token": SECRET})):
        if holder is SECRET or leave is not copy.copy:  # a shallow copy of what holds it does not touch it
            with pytest.raises(TypeError, match="a secret is never pickled"):
                leave(holder)


def test_a_secret_is_no_json() -> None:
    with pytest.raises(TypeError):
        json.dumps({"token": SECRET})


def test_ended_states_are_states_of_a_run_and_the_rest_still_move() -> None:
    states = set(typing.get_args(model.RunState))
    moving = {"planned", "deferred", "awaiting_approval", "queued", "running", "verifying", "unknown"}
    assert states - model.ENDED_STATES == moving
    assert states >= model.ENDED_STATES


def test_an_attempt_ends_in_a_state_of_attempts_and_runs() -> None:
    ends, attempts = set(typing.get_args(model.EndState)), set(typing.get_args(model.AttemptState))
    assert ends < attempts
    assert attempts <= set(typing.get_args(model.RunState))
    assert ends - model.ENDED_STATES == {"unknown"}


@pytest.mark.parametrize("words", [model.ALERT_STATUSES, model.ALERT_SEVERITIES])
def test_words_of_alerts_are_apart_and_end_with_unknown(words: tuple[str, ...]) -> None:
    assert len(set(words)) == len(words)
    assert words[-1] == "unknown"


def number_of(text: str) -> int:
    """What base-32 characters stand for."""
    number = 0
    for character in text:
        number = number * 32 + CROCKFORD.index(character)
    return number


@hypothesis.given(st.text())
def test_a_short_hash_is_the_first_130_bits_of_sha_256(text: str) -> None:
    made = model.short_hash(text)
    assert len(made) == 26
    assert f"{number_of(made):0130b}" == f"{int(hashlib.sha256(text.encode()).hexdigest(), 16):0256b}"[:130]


def test_ids_do_not_change_between_versions() -> None:
    assert model.short_hash("") == "werc8gmrzge196qvyk49jvxs4g"
    assert model.run_id("a", "rs", "r", "k", 1, 0) == "r-jmmhn0wf6jh92gzdsrxv3kaf3c"


_PART = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=3)
_MATCH = st.tuples(_PART, _PART, _PART, _PART, st.integers(0, 30), st.integers(0, 30))


@hypothesis.given(_MATCH, _MATCH)
def test_one_match_has_one_id_and_two_have_two(
    one: tuple[str, str, str, str, int, int], other: tuple[str, str, str, str, int, int]
) -> None:
    assert model.run_id(*one).startswith("r-")
    assert len(model.run_id(*one)) == 28
    assert (model.run_id(*one) == model.run_id(*other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "", "r", "k", 1, 0), ("a", "b", "r", "k", 1, 0)),
        (("a", "b", "r", "k", 11, 0), ("a", "b", "r", "k", 1, 10)),
        (("a", "b", "r", "k1", 1, 0), ("a", "b", "r", "k", 11, 0)),
        (("a", "b", "r", "k", 0, 1), ("a", "b", "r", "k", 1, 0)),
    ],
)
def test_parts_do_not_run_into_each_other(
    one: tuple[str, str, str, str, int, int], other: tuple[str, str, str, str, int, int]
) -> None:
    assert model.run_id(*one) != model.run_id(*other)


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1_790_000_000_123_456, "2026-09-21T14:13:20.123456Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_moment_for_others_is_exact(at_us: int, text: str) -> None:
    assert model.iso(at_us) == text


def test_a_moment_of_no_year_is_none() -> None:
    with pytest.raises(OverflowError):
        model.iso(1 << 62)


def test_a_reference_shows_nothing_and_is_found_wherever_it_stands() -> None:
    text = "$ANSIBLE_VAULT;1.1;AES256\n61"
    made = model.sealed({"a": [text, f"  {text}", "plain"], "b": {"c": text}, 5: None})
    assert [path for path, _ in model.references(made)] == [("a", 0), ("a", 1), ("b", "c")]
    assert (made["a"][2], made["5"]) == ("plain", None)
    assert "61" not in repr(made) + str(made["a"][0])


@pytest.mark.parametrize(("text", "pattern", "is_like"), [
    ("web/alerts", "web/*", True), ("web/alerts", "web/?lerts", True), ("web/alerts", "web", False), ("Web", "web", False),
    ("a[b]", "a[b]", True), ("ab", "a[b]", False), ("", "*", True), ("a\nb", "a*", True),
])  # fmt: skip
def test_patterns_have_two_signs(text: str, pattern: str, is_like: bool) -> None:
    assert model.like(text, pattern) is is_like


@pytest.mark.parametrize(("actor", "person"), [
    ("key:laptop = ana", "ana"), ("slack:T02AB/U7XYZ = ana", "ana"), ("link:0a1b2c3d4e = ana", "ana"), ("os:root", "os:root"), ("rule:web/a b/c = ana", "rule:web/a b/c = ana"), ("", ""),
])  # fmt: skip
def test_who_an_actor_is(actor: str, person: str) -> None:
    assert model.person_of(actor) == person


def test_an_actor_says_for_whom_it_acts() -> None:
    assert (model.acting_for("os:ameier", "ana"), model.acting_for("key:ci", "")) == ("os:ameier = ana", "key:ci")
