"""`docs/audit.md` names the kinds of records that there are, and no other."""

from __future__ import annotations

import pathlib
import re

import pytest

from healer.audit import records


@pytest.fixture
def page(repository: pathlib.Path) -> str:
    return (repository / "docs" / "audit.md").read_text("utf-8")


def test_each_kind_stands_there_with_its_meaning(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", page.split("\n## Kinds\n")[1], re.MULTILINE)
    assert dict(rows) == records.KINDS
    assert len(rows) == len(records.KINDS)


def test_what_changes_is_told_by_kinds_that_there_are(page: str) -> None:
    changes = page.partition("\n## What people and files change\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in changes.splitlines() if line.startswith("| ")][2:]
    named = {kind for row in rows for kind in re.findall(r"`(\w+)`", row[1])}
    assert named <= records.KINDS.keys()
    assert named >= {
        "revision",
        "settings",
        "access",
        "key_created",
        "key_revoked",
        "silence",
        "silence_ended",
        "pause",
        "resume",
    }
