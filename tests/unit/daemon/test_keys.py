"""Keys in files, and the roles and people of a revision: what the audit has of them, and what is told of keys that grant nothing."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from healer import errors, project, store
from healer.daemon import keys
from healer.web import auth, minting

ONCALL = (
    "roles:\n  oncall: {permissions: [pause], rulesets: ['web/*']}\nprincipals:\n  ana: {roles: [oncall], os: ana}\n"
)
HASH = hashlib.sha256(b"x").hexdigest()


@pytest.fixture
def kept() -> Iterator[store.Store]:
    made = store.Store.open(None, lambda: 1, loop=None)
    yield made
    made.writer.close()


@pytest.fixture
def load(tmp_path: pathlib.Path) -> Any:
    """The revision of a healer.yaml."""

    def made(text: str) -> project.Revision:
        (tmp_path / "healer.yaml").write_text(text)
        loaded = project.load(tmp_path, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        return loaded.revision

    return made


@pytest.fixture
def warned() -> Iterator[list[str]]:
    """What was logged as a warning."""
    found: list[str] = []
    sink = logger.add(lambda message: found.append(message.record["message"]), level="WARNING")
    yield found
    logger.remove(sink)


def file_key(name: str, role: str, principal: str = "") -> auth.FileKey:
    return auth.FileKey(minting.digest(name), name, role, principal, errors.Place("keys", 1))


def told(kept: store.Store) -> list[Any]:
    records = [json.loads(record) for _, record, _ in kept.writer.tx.all("audit_chunk", 0, 100)]
    return [(one["actor"], one["difference"]) for one in records if one["kind"] == "access"]


def test_keys_of_files_are_found_by_setting_and_by_variable(load: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "keys").write_text(f"ci ci {HASH}\n")
    (tmp_path / "admin").write_text("a" * 30)
    revision = load("keys: {file: keys}\n")
    assert [one.name for one in keys.of_files(tmp_path, revision, {})] == ["ci"]
    found = keys.of_files(tmp_path, revision, {"HEALER_ADMIN_KEY_FILE": str(tmp_path / "admin")})
    assert [one.name for one in found] == ["ci", "admin"]
    assert keys.of_files(tmp_path, load(""), {}) == []


async def test_what_changes_is_recorded_before_it_holds(kept: store.Store, load: Any, warned: list[str]) -> None:
    known = auth.Keys(kept.reader)
    revision = load(ONCALL)
    files = [file_key("pc", "", "ana")]
    assert keys.changed(known, revision, files)["access"].keys() == {"roles", "principals", "keys"}
    assert await keys.take(kept, known, revision, files, "daemon") == []
    ((actor, difference),) = told(kept)
    assert actor == "daemon"
    assert difference["principals"] == {
        "ana": {"added": True, "given": ["oncall"], "os": {"after": "ana", "before": None}}
    }
    assert difference["keys"] == {
        f"pc {minting.digest('pc')[:12]}": {"added": True, "principal": {"after": "ana", "before": None}}
    }
    assert known.find("pc") is not None
    assert keys.changed(known, revision, files) == {}
    await keys.take(kept, known, revision, files, "os:bo")
    assert len(told(kept)) == 1

    class Full:
        async def submit(self, _unit: Any) -> None:
            raise errors.StoreFull("no space")

    with pytest.raises(errors.StoreFull):
        await keys.take(Full(), known, load(""), [], "os:bo")  # type: ignore[arg-type]
    assert known.find("pc") is not None
    assert warned == []
    await kept.reader.close()


async def test_keys_that_grant_nothing_are_told_and_logged(kept: store.Store, load: Any, warned: list[str]) -> None:
    known = auth.Keys(kept.reader)
    files = [file_key(f"k{number}", "gone") for number in range(keys.TOLD_MAX + 5)]
    found = keys.use(known, load(""), files)
    assert len(found) == len(warned) == keys.TOLD_MAX
    assert found[0]["code"] == "idle-key"
    assert warned[0] == "the key of k0 has the role 'gone', which is not there: it grants nothing"
    await kept.reader.close()


def test_two_keys_of_one_name_are_two(load: Any) -> None:
    holds = keys.holds(
        load("").directory, [file_key("a", "ci"), auth.FileKey("0" * 64, "a", "admin", "", errors.Place("k"))]
    )
    assert holds["keys"] == {f"a {minting.digest('a')[:12]}": {"roles": ["ci"]}, "a 000000000000": {"roles": ["admin"]}}
