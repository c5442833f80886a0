"""API keys in the store: made and revoked with their audit records, on disk and in memory."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from healer import access, errors, store
from healer.store import keys


@pytest.fixture(params=["disk", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[store.Store]:
    """An open store that does everything inline."""
    made = store.Store.open(
        tmp_path if request.param == "disk" else None, lambda: 5_000_000, loop=None, environment="test"
    )
    yield made
    made.writer.close()


def make(kept: store.Store, key_id: str = "abcdef", **more: Any) -> dict[str, object]:
    values = {"digest": "0" * 64, "name": "ci", "role": "ci"} | more
    made: dict[str, object] = kept.writer.now(keys.CreateKey(key_id, **values, actor="os:root"))
    return made


def records(kept: store.Store) -> list[dict[str, object]]:
    rows = kept.writer.tx.all("audit_chunk", 0, 100)
    return [json.loads(record) for _, record, _ in rows]


async def test_a_key_is_kept_as_its_hash_with_a_record(kept: store.Store) -> None:
    made = make(kept)
    (row,) = await keys.list_keys(kept.reader)
    assert row == made | {"hash": "0" * 64}
    (record,) = records(kept)
    assert (record["kind"], record["actor"], record["key"], record["role"]) == (
        "key_created",
        "os:root",
        "abcdef",
        "ci",
    )
    await kept.reader.close()


async def test_a_key_is_revoked_once(kept: store.Store) -> None:
    make(kept)
    assert kept.writer.now(keys.RevokeKey("abcdef", actor="key:ana")) is True
    assert kept.writer.now(keys.RevokeKey("abcdef", actor="key:ana")) is False
    assert [(one["kind"], one["actor"]) for one in records(kept)] == [
        ("key_created", "os:root"),
        ("key_revoked", "key:ana"),
    ]
    (row,) = await keys.list_keys(kept.reader)
    assert row["revoked_us"] == 5_000_000
    await kept.reader.close()


def test_a_key_that_never_was_cannot_be_revoked(kept: store.Store) -> None:
    with pytest.raises(errors.NotFound, match="nothing"):
        kept.writer.now(keys.RevokeKey("nothing", actor="x"))
    assert records(kept) == []


@pytest.mark.parametrize(
    "change", [{"role": "root"}, {"role": ""}, {"name": ""}, {"name": "a b"}, {"name": "-x"}, {"name": "x" * 65}]
)
def test_what_cannot_be_a_key_is_not_made(kept: store.Store, change: dict[str, str]) -> None:
    with pytest.raises(errors.InvalidField):
        make(kept, **change)
    assert records(kept) == []
    assert kept.writer.tx.one("keys_live_count")[0] == 0


def test_a_near_role_is_named(kept: store.Store) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        make(kept, role="opperator")
    assert caught.value.try_ == "did you mean 'operator'?"
    assert all(role in caught.value.message for role in access.ROLES)


OURS = access.Directory(
    {"oncall": access.Role("oncall", frozenset({"approvals.decide"}))}, {"ana": access.Person("ana", ("oncall",))}
)


async def test_a_key_may_be_somebodys(kept: store.Store) -> None:
    made = make(kept, "a", role="oncall", principal="ana", directory=OURS)
    assert (made["role"], made["principal"]) == ("oncall", "ana")
    make(kept, "b", role="", principal="ana", directory=OURS)
    make(kept, "c", role="oncall", directory=OURS)
    rows = await keys.list_keys(kept.reader)
    assert [(row["id"], row["role"], row["principal"]) for row in rows] == [
        ("a", "oncall", "ana"), ("b", "", "ana"), ("c", "oncall", ""),
    ]  # fmt: skip
    kept.writer.now(keys.RevokeKey("b", actor="x"))
    assert [(one["kind"], one.get("role"), one.get("principal")) for one in records(kept)] == [
        ("key_created", "oncall", "ana"), ("key_created", None, "ana"), ("key_created", "oncall", None), ("key_revoked", None, "ana"),
    ]  # fmt: skip
    await kept.reader.close()


@pytest.mark.parametrize(("change", "field", "step"), [
    ({"role": "oncal", "principal": "ana"}, "role", "did you mean 'oncall'?"), ({"role": "ci", "principal": "anna"}, "principal", "did you mean 'ana'?"),
    ({"role": "", "principal": "zoe"}, "principal", "principals: {zoe: {roles: [approver]}} in healer.yaml"), ({"role": ""}, "role", ""),
])  # fmt: skip
def test_a_key_of_nobody_that_there_is_is_not_made(
    kept: store.Store, change: dict[str, str], field: str, step: str
) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        make(kept, directory=OURS, **change)
    assert (caught.value.fields["field"], caught.value.try_) == (field, step)
    assert (records(kept), kept.writer.tx.one("keys_live_count")[0]) == ([], 0)


def test_there_are_so_many_keys_and_no_more(kept: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEYS_MAX", 2)
    make(kept, "a")
    make(kept, "b")
    with pytest.raises(errors.InvalidField, match="limit"):
        make(kept, "c")
    kept.writer.now(keys.RevokeKey("a", actor="x"))
    make(kept, "c")


async def test_keys_survive_the_process(tmp_path: pathlib.Path) -> None:
    for expected in (0, 1):
        kept = store.Store.open(tmp_path, lambda: 5_000_000, loop=None)
        assert len(await keys.list_keys(kept.reader)) == expected
        if not expected:
            make(kept)
        await kept.close()
