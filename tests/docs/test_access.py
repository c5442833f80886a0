"""`docs/access.md`: its table is the one that is asked, its example means what is said of it, and the routes are those that there are."""

from __future__ import annotations

import pathlib
import re

import pytest

from healer import access, config
from healer.access import About
from healer.project import people, settings
from healer.web import routes


@pytest.fixture
def page(repository: pathlib.Path) -> str:
    return (repository / "docs" / "access.md").read_text("utf-8")


@pytest.fixture
def directory(page: str) -> access.Directory:
    """The roles and people of the example."""
    (text,) = re.findall(r"^```yaml\n# healer.yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    document = config.read_text(text, "healer.yaml")
    found = settings.read(document, {}, {}).settings
    assert [str(one) for one in document.diagnostics] == []
    return people.directory(found.roles, found.principals)


def test_the_table_is_the_one_that_is_asked(page: str) -> None:
    assert access.describe() in page


def test_the_example_means_what_is_said_of_it(directory: access.Directory) -> None:
    key, shell = directory.of_key("laptop", "", "ana"), directory.of_user("bkurz", local=False)
    assert shell is not None
    assert (key.actor, shell.actor) == ("key:laptop = ana", "os:bkurz = bo")
    here = About((("web/alerts", "alerts"),), (("host:web01", "web01", "group:web"),), (("restart_service",),))
    there = About((("db/alerts", "alerts"),), (("host:db01", "db01", "group:db"),), (("restart_service",),))
    for who in (key, shell):
        assert access.allows(who, "approvals.decide", here)
        assert not access.allows(who, "approvals.decide", there)
        assert access.allows(who, "pause", About(here.rulesets, stops=True))
    assert [access.allows(who, "reload") for who in (key, shell)] == [False, True]
    assert [access.allows(who, "alerts.read") for who in (key, shell)] == [True, False]


def test_a_refusal_reads_as_the_page_shows_it(page: str) -> None:
    role = access.Role("r", frozenset({"approvals.decide"}), access.Scope(("web/*",), ("group:web",)))
    about = About((("db/alerts",),), (("host:db01",),), (("restart_service",),))
    said = access.refusal(access.Principal("key:laptop = ana", (role,)), "approvals.decide", about).message
    (shown,) = re.findall(r"^```\n(key:.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert said == " ".join(shown.split())


def test_each_route_that_a_scope_limits_stands_there(page: str) -> None:
    """By the beginning of its path, of all that the table names."""
    section = page.split("## What a scope limits")[1].split("\n## ", maxsplit=1)[0]
    told = re.findall(r"`(?:POST )?(/[a-z/…]+)`", section)
    for route in routes.table():
        if route.within:
            words = route.path.replace("{id}", "…").replace("{name}", "…")
            assert any(words.startswith(one.rstrip("…")) or words.endswith(one) for one in told), route.path


def test_each_identity_and_limit_stands_there(page: str) -> None:
    for word in (*access.IDENTITIES, *access.DIMENSIONS, *access.ROLES):
        assert f"`{word}`" in page or f"{word}:" in page or f" {word} |" in page, word
