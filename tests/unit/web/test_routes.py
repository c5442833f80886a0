"""The table of routes: every route of the app is in it, and each is behind its permission."""

from __future__ import annotations

import dataclasses
import pathlib
import urllib.parse
from typing import Any

import pytest

from healer import access
from healer.cli import client, completing, location
from healer.web import routes, rows
from healer.web.ui import doors

GUARDED = [route for route in routes.table() if route.permission in access.PERMISSIONS]


def asked(route: routes.Route) -> str:
    return (
        route.path.replace("{id}", "r-abc")
        .replace("{name}", "note")
        .replace("{receiver}", "ops")
        .replace("{path:.+}", "open/door")
    )


def asked_for_completion(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """(path, query) of all that is asked of a daemon while a shell completes a line."""
    found: set[tuple[str, str]] = set()

    def get(_client: Any, path: str, query: Any = None, **_more: Any) -> Any:
        found.add((path, urllib.parse.urlencode(query or {})))
        return {"items": [], "next": None}

    monkeypatch.setattr(client.Client, "get", get)
    where = location.Where(pathlib.Path(), "http://127.0.0.1:1")
    for names in {one for some in completing.NAMES.values() for one in some.values()}:
        assert list(names(where)) == []
    return found


async def test_what_completion_asks_for_is_answered(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked_for_completion(monkeypatch)
    assert {path.rpartition("/")[2] for path, _ in found} >= {
        "actions",
        "controllers",
        "sources",
        "scopes",
        "runs",
        "silences",
        "keys",
    }
    for path, query in sorted(found):
        status, told = await room.ask("GET", f"{path}?{query}")
        assert (path, status) == (path, 200), told


async def test_every_route_of_the_app_is_in_the_table(room: Any) -> None:
    app = routes.build(room.services)
    built = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    known = set()
    for route in routes.table():
        for path in route.paths:
            known.add((route.method, path.replace(":.+", "")))
            if route.permission == routes.PUBLIC:
                known.add(("HEAD", path))
    for page in doors.table():
        known |= {(page.method, page.path)} | ({("HEAD", page.path)} if page.method == "GET" else set())
    assert built == known


def test_every_route_says_who_may() -> None:
    for route in routes.table():
        assert route.permission in {*access.PERMISSIONS, routes.PUBLIC, routes.SOURCE, routes.SLACK}
        assert route.summary
    assert {route.path for route in routes.table() if route.permission == routes.PUBLIC} == {
        "/health",
        "/livez",
        "/readyz",
    }


async def test_a_permission_that_is_none_is_not_built(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(GUARDED[0], permission="nothing")
    monkeypatch.setattr(routes, "table", lambda: (wrong,))
    with pytest.raises(ValueError, match="nothing"):
        routes.build(room.services)


async def test_each_guarded_route_wants_a_key(room: Any) -> None:
    for route in GUARDED:
        for path in (asked(route), rows.VERSIONED + asked(route)):
            for key in (None, "hlr_aaaaaaaa_" + "a" * 52, "x"):
                status, body = await room.ask(route.method, path, key)
                assert (status, body["code"]) == (401, "unauthorized"), (route, key)
    assert await room.rows() == []


async def test_each_guarded_route_wants_its_permission(room: Any) -> None:
    tried = 0
    for route in GUARDED:
        for role in access.ROLES:
            if route.permission not in access.ROLES[role]:
                status, body = await room.ask(route.method, asked(route), role)
                assert (status, body["code"]) == (403, "forbidden"), (route, role)
                assert route.permission in body["detail"]
                tried += 1
    assert tried > len(GUARDED)
    assert await room.rows() == []


async def test_each_guarded_route_lets_in_who_may(room: Any) -> None:
    for route in GUARDED:
        for role in access.ROLES:
            if route.permission in access.ROLES[role]:
                status, _ = await room.ask(route.method, asked(route), role)
                assert status not in (401, 403), (route, role)
                assert status < 500, (route, role)


def test_the_page_of_the_api_shows_the_table(repository: pathlib.Path) -> None:
    assert routes.describe() in (repository / "docs" / "api.md").read_text("utf-8")
