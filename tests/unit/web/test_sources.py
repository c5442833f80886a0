"""`/sources`: what delivers events, how it does, and what its sender's side is told; never a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import errors, model, plugins, project
from healer.web import sources

AT = "2026-09-21T14:13:20.000000Z"
AT_US = 1_790_000_000_000_000
STANDS = {
    "name": "am", "type": "healer.webhook", "state": "running", "events": 3, "last_event": AT, "silent": False, "error": None,
    "path": "alertmanager", "reconcile": None,
}  # fmt: skip


def webhook(**options: Any) -> Any:
    return plugins.find("sources", "webhook").SOURCE.Options.model_validate(options)


def put(room: Any, name: str, **more: Any) -> None:
    """A further source of the revision."""
    fields: dict[str, Any] = {
        "type": "healer.webhook", "kind": "push", "args": {}, "filters": (), "place": errors.Place("rulebooks/a.yml", 4, 7),
    }  # fmt: skip
    room.revision.sources[name] = project.Source(name, **fields | more)


async def test_the_list_says_what_each_is_and_how_it_does(room: Any) -> None:
    room.services.sources = lambda: {"am": STANDS}
    status, page = await room.ask("GET", "/sources", "readonly")
    names = ["am", "healer.actions", "healer.api", "healer.events", "locked", "open"]
    assert (status, page["next"], [one["name"] for one in page["items"]]) == (200, None, names)
    assert page["items"][0] == {
        "name": "am", "type": "healer.webhook", "kind": "push", "place": "healer.yaml:3", "shared": True, "path": "alertmanager",
        "format": "alertmanager", "auth": "bearer", "resolves": False, "max_quiet_s": None, "alert_ttl_s": None, "rate_limit": None,
        "rulesets": ["web/alerts"], "more_rulesets": 0, "state": "running", "events": 3, "last_event": AT, "silent": False,
        "error": None, "refused": None, "greeted": None, "suggested": None,
    }  # fmt: skip
    api = page["items"][2]
    assert (api["path"], api["format"], api["auth"], api["state"], api["events"]) == (None, None, None, None, None)


async def test_limits_and_who_hears_it(room: Any) -> None:
    hears = tuple(("web", f"r{number}") for number in range(23))
    put(
        room, "a/rs/hook", options=webhook(path="x", auth="none", rate_limit="100 per 10 seconds"), max_quiet_s=600.0,
        alert_ttl_s=3600.0, resolves=True, subscribers=hears,
    )  # fmt: skip
    _, shown = await room.ask("GET", "/sources/a%2Frs%2Fhook")
    assert (shown["name"], shown["shared"], shown["place"]) == ("a/rs/hook", False, "rulebooks/a.yml:4")
    assert (shown["max_quiet_s"], shown["alert_ttl_s"], shown["resolves"]) == (600.0, 3600.0, True)
    assert shown["rate_limit"] == {"count": 100, "within_s": 10.0}
    assert (shown["rulesets"], shown["more_rulesets"]) == ([f"web/r{number}" for number in range(20)], 3)


async def test_what_befell_its_sender_last(room: Any) -> None:
    room.services.tally.last["am"] = (AT_US, "no token")
    room.services.tally.greeted["open"] = (AT_US, "Slack has verified the address")
    _, page = await room.ask("GET", "/sources")
    found = {one["name"]: one for one in page["items"]}
    assert found["am"]["refused"] == {"at": AT, "why": "no token"}
    assert found["open"]["greeted"] == {"at": AT, "what": "Slack has verified the address"}
    assert (found["am"]["greeted"], found["open"]["refused"]) == (None, None)


@pytest.mark.parametrize(("options", "form", "told"), [
    ({"format": "auto"}, "auto", "grafana"),
    ({}, "generic", "grafana"),
    ({"format": "alertmanager"}, "alertmanager", None),
    ({"mapping": {"fields": {"name": "a"}}}, "mapping", None),
])  # fmt: skip
async def test_what_the_last_delivery_looked_like(
    room: Any, options: dict[str, Any], form: str, told: str | None
) -> None:
    put(room, "new", options=webhook(path="new", auth="none", **options))
    _, shown = await room.ask("GET", "/sources/new")
    assert (shown["format"], shown["suggested"]) == (form, None)
    room.services.tally.suggested["new"] = "grafana"
    assert (await room.ask("GET", "/sources/new"))[1]["suggested"] == told
    room.services.tally.suggested["new"] = ""
    assert (await room.ask("GET", "/sources/new"))[1]["suggested"] is None


async def test_one_in_full_says_what_is_entered_at_its_senders_side(room: Any) -> None:
    room.revision.settings = project.Settings.model_validate({"server": {"public_url": "https://healer.example.org/"}})
    _, shown = await room.ask("GET", "/sources/am", "readonly")
    address = "https://healer.example.org/hooks/alertmanager"
    assert (shown["url"], shown["url_said"], shown["secrets"]) == (address, True, ["env:AM_TOKEN"])
    assert (shown["proof"], shown["proofs"]) == (
        "the header  Authorization: Bearer <the value of env:AM_TOKEN>", ["bearer", "basic"],
    )  # fmt: skip
    assert f"      - url: {address}\n" in shown["setup"]
    assert "credentials_file: <a file with the value of env:AM_TOKEN>" in shown["setup"]
    assert shown["fields"][:2] == ["alert.name", "alert.target"]
    assert {"alert.labels.*", "alert.fingerprint", "group.receiver"} <= {*shown["fields"]}
    assert shown["fields"].count("alert.labels.*") == 1
    assert shown["options"] == {
        "path": "alertmanager", "format": "alertmanager", "auth": {"bearer": {"secret": "env:AM_TOKEN"}},
    }  # fmt: skip


async def test_without_a_public_url_it_is_where_the_daemon_listens(room: Any) -> None:
    room.services.listens = lambda: ("10.0.0.5", 8443)
    _, shown = await room.ask("GET", "/sources/open")
    assert (shown["url"], shown["url_said"]) == ("http://10.0.0.5:8443/hooks/open/door", False)


async def test_what_nobody_delivers_to_has_no_block(room: Any) -> None:
    put(
        room,
        "a/rs/range",
        type="range",
        kind="eda",
        args={"limit": 3, "api_token": "s3cret", "x": model.Reference("v")},
    )
    _, shown = await room.ask("GET", "/sources/a%2Frs%2Frange")
    assert (shown["url"], shown["setup"], shown["fields"], shown["proof"], shown["proofs"]) == (None, "", [], None, [])
    assert shown["options"] == {"limit": 3, "api_token": "***", "x": {"secret": "ansible-vault"}}
    _, shown = await room.ask("GET", "/sources/healer.api")
    assert (shown["url"], shown["setup"]) == ("http://127.0.0.1:8080/events", "")


async def test_a_format_that_cannot_be_used_is_told(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader_of(_options: Any) -> Any:
        raise plugins.UnknownPlugin(what="format", name="gone")

    monkeypatch.setattr(sources.hooks, "reader_of", reader_of)
    status, shown = await room.ask("GET", "/sources/am")
    assert (status, shown["error"], shown["setup"], shown["fields"]) == (200, "no format is named 'gone'", "", [])
    assert shown["secrets"] == ["env:AM_TOKEN"]


async def test_no_answer_holds_the_value_of_a_secret(room: Any) -> None:
    _, page = await room.ask("GET", "/sources")
    shown = [(await room.ask("GET", f"/sources/{one['name']}"))[1] for one in page["items"]]
    assert room.services.secrets.resolve("env:AM_TOKEN").reveal() not in json.dumps([page, shown])


async def test_one_that_is_not_there(room: Any) -> None:
    status, answer = await room.ask("GET", "/sources/opne")
    assert (status, answer["code"], answer["try"]) == (404, "not-found", "did you mean 'open'?")
    status, answer = await room.ask("GET", "/sources/nothing-like-that")
    assert (status, answer["try"]) == (404, "healer sources")


async def test_a_misspelt_parameter_is_refused(room: Any) -> None:
    for path in ("/sources?type=check", "/sources/am?full=1"):
        assert (await room.ask("GET", path))[0] == 400
