"""Sessions: for as long as they are used, for half a day at most, for as long as their key is one, and not too many of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from healer import access
from healer.web import auth, minting
from healer.web.ui import sessions

S = 1_000_000


class Keys(auth.Keys):
    """Those that a test has."""

    def __init__(self, **known: access.Principal) -> None:
        self.known = {minting.digest(name): one for name, one in known.items()}

    def of_digest(self, hashed: str) -> access.Principal | None:
        return self.known.get(hashed)


class Clock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.now_us = 100 * S

    def __call__(self) -> int:
        return self.now_us

    def go(self, seconds: float) -> None:
        self.now_us += round(seconds * S)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys() -> Keys:
    return Keys(a=access.Principal("key:a"), b=access.Principal("key:b"))


@pytest.fixture
def kept(keys: Keys, clock: Clock) -> sessions.Sessions:
    return sessions.Sessions(keys, clock)


def test_it_is_found_by_its_id_alone(kept: sessions.Sessions) -> None:
    first, second = kept.begin("a"), kept.begin("b")
    assert len(first) >= 43  # 256 bits
    found = kept.find(first)
    assert found is not None
    assert found[1].actor == "key:a"
    other = kept.find(second)
    assert other is not None
    assert found[0].token != other[0].token
    for wrong in ("", first[:-1], first + "A", first.swapcase(), "x" * 5_000, "ü", "\udc80"):
        assert kept.find(wrong) is None


def test_nothing_of_the_id_or_the_key_is_kept(kept: sessions.Sessions) -> None:
    made = kept.begin("a")
    held: Mapping[str, sessions.Session] = kept._open
    assert made not in held
    assert all(one.key == minting.digest("a") and made not in one.token for one in held.values())


def test_it_ends_an_hour_after_it_was_used_last(kept: sessions.Sessions, clock: Clock) -> None:
    made = kept.begin("a")
    for _ in range(3):
        clock.go(3599)
        assert kept.find(made) is not None
    clock.go(3600)
    assert kept.find(made) is None
    assert len(kept) == 0


def test_it_ends_after_twelve_hours_however_it_is_used(kept: sessions.Sessions, clock: Clock) -> None:
    made = kept.begin("a")
    for _ in range(23):
        clock.go(1800)
        assert kept.find(made) is not None
    clock.go(1799)
    assert kept.find(made) is not None
    clock.go(1)
    assert kept.find(made) is None


def test_it_ends_with_its_key_and_roles_are_those_of_now(kept: sessions.Sessions, keys: Keys) -> None:
    made, other = kept.begin("a"), kept.begin("b")
    role = access.Role("x", frozenset({"pause"}))
    keys.known[minting.digest("a")] = access.Principal("key:a", (role,))
    found = kept.find(made)
    assert found is not None
    assert found[1].permissions == {"pause"}
    del keys.known[minting.digest("a")]
    assert kept.find(made) is None
    keys.known[minting.digest("a")] = access.Principal("key:a")
    assert kept.find(made) is None
    assert kept.find(other) is not None


def test_it_ends_when_it_is_ended(kept: sessions.Sessions) -> None:
    made = kept.begin("a")
    kept.end(made)
    kept.end(made)
    kept.end("\udc80")
    assert kept.find(made) is None


def test_a_key_has_so_many_and_the_oldest_goes(kept: sessions.Sessions) -> None:
    other = kept.begin("b")
    made = [kept.begin("a") for _ in range(sessions.OF_KEY_MAX + 3)]
    assert [kept.find(one) is not None for one in made] == [False] * 3 + [True] * sessions.OF_KEY_MAX
    assert kept.find(other) is not None


def test_there_are_so_many_and_what_is_over_goes_first(
    keys: Keys, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 3)
    kept = sessions.Sessions(keys, clock)
    first = kept.begin("a")
    clock.go(3600)
    rest = [kept.begin("b") for _ in range(3)]
    assert kept.find(rest[0]) is not None  # used last, so the next one goes
    newest = kept.begin("a")
    assert len(kept) == 3
    assert [kept.find(one) is not None for one in (first, *rest, newest)] == [False, True, False, True, True]


def test_a_notice_is_told_once_and_there_are_not_too_many(kept: sessions.Sessions) -> None:
    found = kept.find(kept.begin("a"))
    assert found is not None
    found[0].tell("one", "two")
    assert found[0].told() == ["one", "two"]
    assert found[0].told() == []
    found[0].tell(*map(str, range(1000)))
    told = found[0].told()
    assert told[:-1] == [*map(str, range(sessions.NOTICES_MAX))]
    assert told[-1] == f"And {1000 - sessions.NOTICES_MAX} more, which are not shown here."
    assert found[0].told() == []


def test_tokens_of_forms_without_a_session(kept: sessions.Sessions, keys: Keys, clock: Clock) -> None:
    assert kept.token_for("ticket x") == kept.token_for("ticket x") != kept.token_for("login x")
    assert sessions.Sessions(keys, clock).token_for("ticket x") != kept.token_for("ticket x")
    assert kept.token_for("\udc80")
