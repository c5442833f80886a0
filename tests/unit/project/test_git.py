"""Which commit, and clean or not; asked of a real git."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest

from healer import project
from healer.project import git


def run(root: pathlib.Path, *arguments: str) -> str:
    names = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(write: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    root: pathlib.Path = write({})
    run(root, "init", "--quiet")
    run(root, "add", ".")
    run(root, "commit", "--quiet", "--message", "first")
    return root


def of(root: pathlib.Path) -> git.Git | None:
    revision = project.load(root, {}).revision
    assert revision is not None
    return revision.git


def test_the_commit_and_whether_what_counts_is_as_committed(repository: pathlib.Path) -> None:
    head = run(repository, "rev-parse", "HEAD")
    assert of(repository) == git.Git(head, True)
    (repository / "README.md").write_text("does not count")
    (repository / ".healer").mkdir()
    (repository / ".healer/x").write_text("does not count")
    assert of(repository) == git.Git(head, True)
    (repository / "playbooks/new.yml").write_text("[]")
    assert of(repository) == git.Git(head, False)


def test_a_deleted_file_is_a_change(repository: pathlib.Path) -> None:
    (repository / "scripts/clean.meta.yml").unlink()
    found = of(repository)
    assert found is not None
    assert not found.clean


def test_nothing_of_the_repository_is_run(repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    run(repository, "config", "core.fsmonitor", str(trap))
    (repository / ".git/hooks/post-index-change").symlink_to(trap)
    assert of(repository) is not None
    assert not (tmp_path / "sprung").exists()


def test_no_repository_and_no_commit(write: Any, tmp_path: pathlib.Path) -> None:
    root = write({})
    assert git.read(tmp_path / "nothing", ["x"]) is None
    run(root, "init", "--quiet")
    assert of(root) is None


def test_no_git(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert of(repository) is None


# --- authors ----------------------------------------------------------------------------------------------------------------

BOOK = "rulebooks/team/web.yml"
EXCLUDING = "{any: [{name: one, roles: [approver]}], exclude: [requester, author]}"
SOURCES = "sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {none: true}}}}\n"


def excluding(repository: pathlib.Path, more: str = "") -> project.Loaded:
    """The project with a policy that excludes the author of a rule."""
    text = SOURCES + f"policies: [{{name: p, approval: {EXCLUDING}}}]\n{more}"
    (repository / "healer.yaml").write_text(text)
    return project.load(repository, {})


def authors(loaded: project.Loaded) -> tuple[dict[str, str], list[str]]:
    """(file → author, files with a hint that nobody knows)"""
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    found = dict(loaded.revision.git.authors) if loaded.revision.git else {}
    return found, [one.place.file for one in loaded.diagnostics if one.code == "unknown-author"]


def commit_as(root: pathlib.Path, email: str, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    run(root, "add", name)
    run(root, "commit", "--quiet", "--author", f"Some Body <{email}>", "--message", "change")


def test_the_author_of_a_rulebook_is_who_changed_it_last(repository: pathlib.Path) -> None:
    book = (repository / BOOK).read_text()
    assert authors(excluding(repository)) == ({BOOK: "x@example.org", "actions.yaml": "x@example.org"}, [])
    commit_as(repository, "ana@example.org", BOOK, book + "# more\n")
    commit_as(repository, "bo@example.org", "playbooks/restart.yml", "[]  # more\n")
    assert authors(excluding(repository))[0][BOOK] == "ana@example.org"


def test_of_a_rulebook_that_is_not_as_committed_nobody_is_the_author(repository: pathlib.Path) -> None:
    (repository / BOOK).write_text((repository / BOOK).read_text() + "# more\n")
    assert authors(excluding(repository)) == ({"actions.yaml": "x@example.org"}, [BOOK])
    new = (repository / BOOK).read_text().replace("name: web", "name: more")
    (repository / "rulebooks/new one.yml").write_text(new)
    assert authors(excluding(repository))[1] == ["rulebooks/new one.yml", BOOK]
    commit_as(repository, "ana@example.org", "rulebooks/new one.yml", new)
    assert authors(excluding(repository))[0]["rulebooks/new one.yml"] == "ana@example.org"


def test_a_project_in_a_folder_of_the_repository_has_authors_too(tmp_path: pathlib.Path, write: Any) -> None:
    project_dir = write({})
    run(tmp_path, "init", "--quiet")
    run(tmp_path, "add", project_dir.name)
    run(tmp_path, "commit", "--quiet", "--message", "first")
    assert authors(excluding(project_dir)) == ({BOOK: "x@example.org", "actions.yaml": "x@example.org"}, [])


def test_git_is_asked_for_authors_only_where_an_approval_excludes_them(repository: pathlib.Path) -> None:
    found = of(repository)
    assert found is not None
    assert found.authors == ()
    assert authors(project.load(repository, {}))[1] == []


@pytest.mark.parametrize(("name", "text"), [
    ("healer.yaml", SOURCES + "defaults: {run_action: {approval_exclude: [author]}}\n"),
    ("healer.yaml", SOURCES + f"defaults: {{run_action: {{approval: {EXCLUDING}}}}}\n"),
    ("scripts/clean.meta.yml", f"controller: here\nimpact: low\napproval: {EXCLUDING}\n"),
    (BOOK, "- name: web\n  hosts: all\n  sources: [{healer.api: {}}]\n"
           f"  rules: [{{name: r, condition: event.a == 1, action: {{none: {{}}}}, policy: {{approval: {EXCLUDING}}}}}]\n"),
])  # fmt: skip
def test_whoever_excludes_the_author(repository: pathlib.Path, name: str, text: str) -> None:
    commit_as(repository, "ana@example.org", name, text)
    assert set(authors(project.load(repository, {}))[0]) == {BOOK, "actions.yaml"}


def test_without_a_repository_it_is_a_hint(write: Any) -> None:
    assert authors(excluding(write({}))) == ({}, ["actions.yaml", BOOK])


def test_a_published_revision_knows_its_authors(repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    loaded = excluding(repository)
    assert loaded.revision is not None
    published = project.publish(loaded.revision, tmp_path / "data")
    again = project.load(published, {})
    assert again.revision is not None
    assert (again.revision.git, authors(again)) == (loaded.revision.git, authors(loaded))


def test_an_author_is_a_principal_by_the_address(repository: pathlib.Path) -> None:
    commit_as(repository, "ANA@example.org", BOOK, (repository / BOOK).read_text() + "# more\n")
    held = excluding(repository, "principals: {ana: {roles: [approver], git: ana@example.org}}\n").revision
    assert held is not None
    by_name = {one.name: held.author_of(one) for one in held.activations}
    assert by_name == {"team/web": "ana", "healer": "git:x@example.org"}
