"""Secrets that cannot be read where a project is started, and what is said of them."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from healer import project

SETTINGS = """\
sources:
  am: {healer.webhook: {path: am, auth: {bearer: {secret: "env:AMT"}}}}
  other:
    healer.webhook: {path: other, auth: {bearer: {secret: "file:secrets/other"}}}
"""
BOOK = "[{name: rs, hosts: all, sources: [{healer.source: {name: am}}], rules: [{name: r, condition: event.a == 1, action: {none: {}}}]}]"


@pytest.fixture
def revision(tmp_path: pathlib.Path) -> project.Revision:
    (tmp_path / "rulebooks").mkdir()
    (tmp_path / "healer.yaml").write_text(SETTINGS)
    (tmp_path / "rulebooks/act.yml").write_text(BOOK)
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return loaded.revision


def test_each_that_is_missing_is_told_with_its_place(tmp_path: pathlib.Path, revision: project.Revision) -> None:
    assert [str(one) for one in project.unreadable(revision, tmp_path, {})] == [
        "healer.yaml:2:8: warning[secret-unavailable]: the source am: the secret env:AMT cannot be read: the variable is not set; it is "
        "looked for at each use\n  try  set AMT in the environment of the daemon, and start it again",
        "healer.yaml:4:5: warning[secret-unavailable]: the source other: the secret file:secrets/other cannot be read: No such file or "
        "directory; it is looked for at each use\n  try  put the secret into secrets/other, where the daemon's user can read it",
    ]


def test_what_is_there_is_not_told_and_never_shown(tmp_path: pathlib.Path, revision: project.Revision) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/other").write_text("canary\n")
    assert project.unreadable(revision, tmp_path, {"AMT": "canary"}) == []
    (tmp_path / "secrets/other").write_bytes(b"canary\xff")
    (one,) = project.unreadable(revision, tmp_path, {"AMT": "canary"}, "hint")
    assert one.severity == "hint"
    assert "canary" not in str(one)


def test_a_controllers_are_told_too(tmp_path: pathlib.Path, revision: project.Revision) -> None:
    made = project.Controller(
        "aap", "aap", frozenset(), options={"token": {"secret": "env:AAP"}, "more": [{"secret": "env:AAP"}]}
    )
    with_one = dataclasses.replace(revision, controllers={"aap": made}, sources={})
    (one,) = project.unreadable(with_one, tmp_path, {})
    assert (one.place.file, one.message.partition(":")[0]) == ("controllers.yaml", "the controller aap")
