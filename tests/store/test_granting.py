"""Who may what, as the audit has it: a record for each change, with its revision, also for what changed while nobody ran."""

from __future__ import annotations

from typing import Any

import pytest

from healer import access, errors
from healer.store import deciding, granting

ONCALL = access.Role("oncall", frozenset({"pause"}), access.Scope(("web/*",)))


def directory(*people: access.Person, **own: access.Role) -> dict[str, Any]:
    return access.Directory(own, {one.name: one for one in people}).as_json()


def use(kit: Any, revision: str, holds: dict[str, Any] | None, actor: str = "key:ana") -> None:
    kit.do(deciding.UseRevision(revision * 64, "", actor, {}, holds=holds))


def told(kit: Any) -> list[Any]:
    return [(one["actor"], one["difference"]) for one in kit.audit() if one["kind"] == "access"]


def test_a_change_is_a_record_of_its_own(kit: Any) -> None:
    use(kit, "a", directory())
    assert told(kit) == []
    use(kit, "b", directory(access.Person("ana", ("oncall",), os="ana"), oncall=ONCALL))
    given = {
        "roles": {"oncall": {"added": True, "given": ["pause"], "rulesets": {"after": ["web/*"], "before": None}}},
        "principals": {"ana": {"added": True, "given": ["oncall"], "os": {"after": "ana", "before": None}}},
    }
    assert told(kit) == [("key:ana", given)]
    use(kit, "c", directory(access.Person("ana", ("oncall",), os="ana"), oncall=ONCALL), "os:root")
    assert len(told(kit)) == 1
    use(kit, "d", directory(access.Person("ana", (), os="ana"), oncall=ONCALL), "os:root")
    assert told(kit)[1:] == [("os:root", {"principals": {"ana": {"taken": ["oncall"]}}})]
    assert kit.verify().ok


def test_who_does_not_say_who_may_changes_nothing(kit: Any) -> None:
    use(kit, "a", directory(access.Person("ana")))
    use(kit, "b", None)
    use(kit, "c", directory(access.Person("ana")))
    assert len(told(kit)) == 1


def test_it_comes_with_its_revision_or_not_at_all(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise errors.StoreFull("no space")

    monkeypatch.setattr("healer.store.granting.hold", fails)
    with pytest.raises(errors.StoreFull):
        use(kit, "a", directory(access.Person("ana")))
    monkeypatch.undo()
    assert kit.audit() == []
    assert kit.rows("SELECT count(*) FROM access") == [(0,)]
    use(kit, "a", directory(access.Person("ana")))
    assert [one["kind"] for one in kit.audit()] == ["revision", "access"]


def test_names_of_any_letters_are_kept(kit: Any) -> None:
    use(kit, "a", directory(oncall=access.Role("oncall", frozenset({"pause"}), access.Scope(("w\u00e4b/*",)))))
    assert "w\u00e4b/*" in str(told(kit))


def other(settings: dict[str, Any], **entries: str) -> dict[str, Any]:
    return directory() | {"settings": settings, "entries": entries}


def others(kit: Any) -> list[Any]:
    return [(one["actor"], one["difference"]) for one in kit.audit() if one["kind"] == "settings"]


def test_what_else_holds_is_a_record_with_what_was_and_what_is(kit: Any) -> None:
    use(kit, "a", other({"mode": "observe", "server.port": 1}, **{"actions.x": "1"}), "daemon")
    assert others(kit) == [("daemon", {"mode": {"after": "observe"}, "server.port": {"after": 1}})]
    use(kit, "b", other({"mode": "observe", "server.port": 1}, **{"actions.x": "1"}))
    assert len(others(kit)) == 1
    kit.do(granting.Hold("os:bo", other({"mode": "active", "server.port": 1}, **{"actions.x": "2", "actions.y": "1"})))
    changed = {
        "mode": {"before": "observe", "after": "active"},
        "actions.x": {"changed": True},
        "actions.y": {"added": True},
    }
    assert others(kit)[1:] == [("os:bo", changed)]
    use(kit, "c", directory())  # who says nothing of it changes nothing of it
    kit.do(granting.Hold("os:bo", other({"mode": "active", "drain": None}, **{"actions.y": "1"})))
    assert others(kit)[2:] == [("os:bo", {"server.port": {"before": 1, "after": None}, "actions.x": {"removed": True}})]
    assert told(kit) == []
    assert kit.verify().ok


def test_a_record_names_so_much_at_most(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granting, "TOLD_MAX", 2)
    use(kit, "a", other({str(number): number for number in range(5)}))
    assert others(kit) == [("key:ana", {"0": {"after": 0}, "1": {"after": 1}, "more": 3})]
