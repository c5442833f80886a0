"""The controller `http`: what it sends arrives as it is meant, and what an answer means. A real server on loopback."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import http_site  # conftest.py has put it where it is found
import pytest

from healer import model
from healer.controllers import _shimmed

HOSTILE = (
    "; rm -rf /", "$(id)", "`id`", "-oProxyCommand=x", "{{ lookup('pipe', 'id') }}", "{{ parameters.other }}", "${jndi:ldap://x}", "%(x)s",
    "a/b?c=d#e&f=g", "100%", "group/project", "\u00fcml\u00e4ut \u4e2d\u6587 \U0001f600", "'\"<script>", "a+b=c;d,e@f:g",
    "x" * 500, "http://169.254.169.254/", "//elsewhere.test/", "@elsewhere.test", "None", "1_000", "..x", "...", "C:\\dir",
)  # fmt: skip
"""Values that mean something to somebody on the way."""


async def test_an_answer_is_the_outcome(http_one: Any) -> None:
    http_one.server.usual = http_site.status(
        201,
        '{"id": 7, "state": "done"}',
        Content_Type="application/json",
        X_Request_Id="q-1",
        X_Other="not kept",
        Set_Cookie="a=b",
    )
    outcome = await http_one.run(method="POST", said={"json": {"name": "x"}})
    assert outcome.state == "succeeded"
    assert outcome.summary == f"POST {http_one.base}/v1/things: 201 Created"
    assert outcome.result == {
        "status": 201, "json": {"id": 7, "state": "done"}, "headers": {"content-type": "application/json", "x-request-id": "q-1"}
    }  # fmt: skip
    assert (http_one.heard["stdout"], outcome.truncated, outcome.per_target) == (
        b'{"id": 7, "state": "done"}\n',
        False,
        {},
    )
    (got,) = http_one.server.got
    assert (got.method, got.path, got.body) == ("POST", "/v1/things", b'{"name": "x"}')
    assert (got.headers["content-type"], got.headers["user-agent"]) == (b"application/json", b"auto-healer")
    assert (got.headers["accept-encoding"], got.headers["host"]) == (
        b"identity",
        f"api.test:{http_one.server.port}".encode(),
    )
    assert "cookie" not in got.headers


@pytest.mark.parametrize(("said", "kind", "body"), [
    ({"json": [1, None, "ü"]}, b"application/json", '[1, null, "ü"]'.encode()),
    ({"json": None}, b"application/json", b"null"),
    ({"form": {"a b": "c&d=e", "n": 5, "yes": True, "l": ["x", "y"], "none": None}}, b"application/x-www-form-urlencoded",
     b"a+b=c%26d%3De&n=5&yes=true&l=x&l=y"),
    ({"body": "<a/>"}, b"text/plain; charset=utf-8", b"<a/>"),
    ({"body": {"k": 1}}, b"text/plain; charset=utf-8", b'{"k": 1}'),
    ({"body": "<a/>", "headers": {"content-type": "application/xml"}}, b"application/xml", b"<a/>"),
    ({}, None, b""),
])  # fmt: skip
async def test_bodies_are_written_as_what_they_are(http_one: Any, said: Any, kind: bytes | None, body: bytes) -> None:
    assert (await http_one.run(method="PUT", said=said)).state == "succeeded"
    (got,) = http_one.server.got
    assert (got.headers.get("content-type"), got.body) == (kind, body)


@pytest.mark.parametrize("value", HOSTILE)
async def test_hostile_values_arrive_as_they_are(http_one: Any, value: str) -> None:
    said = {
        "url": [f"{http_one.base}/v1/things/a-", {"value": value}, "/restart"], "query": {"q&r": value, "many": [value, value]},
        "headers": {"X-Value": value}, "json": {"in": {"a": value, "list": [value]}},
    }  # fmt: skip
    outcome = await http_one.run(method="POST", said=said)
    assert outcome.state == "succeeded", outcome.summary
    (got,) = http_one.server.got
    path, _, query = got.path.partition("?")
    assert path == f"/v1/things/a-{urllib.parse.quote(value, safe='')}/restart"
    assert urllib.parse.parse_qsl(query, strict_parsing=True) == [("q&r", value), ("many", value), ("many", value)]
    assert got.headers["x-value"] == value.encode()
    assert json.loads(got.body) == {"in": {"a": value, "list": [value]}}


@pytest.mark.parametrize("value", HOSTILE)
async def test_hostile_values_of_a_form_arrive_as_they_are(http_one: Any, value: str) -> None:
    assert (await http_one.run(method="POST", said={"form": {"a=b": value}})).state == "succeeded"
    assert urllib.parse.parse_qsl(http_one.server.got[0].body.decode(), strict_parsing=True) == [("a=b", value)]


@pytest.mark.parametrize(("said", "why"), [
    ({"url": [".."]}, ". or .."), ({"url": ["."]}, ". or .."), ({"url": ["../admin"]}, ". or .."), ({"url": ["x/../../admin"]}, ". or .."),
    ({"url": ["..\\admin"]}, ". or .."), ({"url": ["%2e%2e"]}, ". or .."), ({"url": ["%252e%252e%252fx"]}, ". or .."), ({"url": ["..;a"]}, ". or .."),
    ({"url": ["a\nb"]}, "control character"), ({"url": ["a\0"]}, "control character"), ({"url": [""]}, "is empty"), ({"url": ["x" * 9000]}, "characters"),
    ({"url": [None]}, "got NoneType"), ({"url": [["a"]]}, "got list"), ({"url": ["\ud800"]}, "surrogate"),
    ({"query": {"a": {"b": 1}}}, "got dict"), ({"query": {"a": "x" * 20_000}}, "characters"), ({"query": {"a": float("nan")}}, "JSON"),
    ({"query": {"a": "\ud800"}}, "surrogate"),
    ({"headers": {"X-A": "a\r\nX-B: c"}}, "line break"), ({"headers": {"X-A": "a\nb"}}, "line break"), ({"headers": {"X-A": "a\rb"}}, "line break"),
    ({"headers": {"X-A": "a\0b"}}, "control character"), ({"headers": {"X-A": "\x1b[2J"}}, "control character"),
    ({"headers": {"X-A": " a"}}, "spaces around"), ({"headers": {"X-A": "x" * 9000}}, "more than 8192 bytes"),
    ({"headers": {"X-A": ["a"]}}, "got list"), ({"headers": {"authorization": "x"}}, "the controller's own"),
    ({"json": {"a": "\ud800"}}, "surrogate"), ({"json": float("inf")}, "JSON"), ({"json": "x" * (1 << 20)}, "more than 1 MiB"),
])  # fmt: skip
async def test_what_cannot_be_sent_is_refused_and_nothing_is(http_one: Any, said: Any, why: str) -> None:
    http_one.made(auth={"bearer": {"secret": "env:API_TOKEN"}})
    if "url" in said:
        said = {"url": [f"{http_one.base}/v1/", *({"value": one} for one in said["url"]), "/x"]}
    outcome = await http_one.run(method="POST", said=said)
    assert (outcome.state, why in outcome.summary, http_one.server.got) == ("failed", True, []), outcome.summary
    assert outcome.refused
    assert (await http_one.found(method="POST", said=said)).state == "absent"
    with pytest.raises(_shimmed.RefusedJob):
        await http_one.controller.plan(http_one.job(method="POST", said=said))


async def test_nothing_is_left_out_of_query_and_headers(http_one: Any) -> None:
    said = {"query": {"a": None, "b": [None, 1.5], "c": False}, "headers": {"X-A": None, "X-B": 5}}
    assert (await http_one.run(said=said)).state == "succeeded"
    (got,) = http_one.server.got
    assert (got.path, "x-a" in got.headers, got.headers["x-b"]) == ("/v1/things?b=1.5&c=false", False, b"5")


# --- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pieces", "path"), [
    (None, "/v1/hosts/web01"), (["restart"], "/v1/hosts/web01/restart"), ([{"value": "a/b"}, "/now"], "/v1/hosts/web01/a%2Fb/now"),
])  # fmt: skip
async def test_the_target_is_the_address_or_what_a_path_is_joined_to(http_one: Any, pieces: Any, path: str) -> None:
    to = f"{http_one.base}/v1/hosts/web01"
    outcome = await http_one.run(to=[to], said={"url": pieces} if pieces else {})
    assert (outcome.state, outcome.per_target) == ("succeeded", {f"url:{to}": "succeeded"})
    assert http_one.server.got[0].path == path


@pytest.mark.parametrize(("pieces", "path"), [(None, "/v1/b/"), (["cache"], "/v1/b/cache")])
async def test_a_target_is_sent_to_as_it_was_spelled(http_one: Any, pieces: Any, path: str) -> None:
    to = model.Target("url", f"{http_one.base}/v1/b", address=f"{http_one.base}/v1/b/")
    outcome = await http_one.run(targets=(to,), said={"url": pieces or []})
    assert (outcome.per_target, http_one.server.got[0].path) == ({str(to): "succeeded"}, path)


async def test_several_targets_end_each_for_itself(http_one: Any) -> None:
    http_one.server.plan = [http_site.status(200), http_site.status(409, "busy"), http_site.status(200)]
    to = [f"{http_one.base}/v1/{one}" for one in "abc"]
    outcome = await http_one.run(method="POST", to=to, said={"idempotency_key": "Idempotency-Key"})
    assert (outcome.state, [*outcome.per_target.values()]) == ("failed", ["succeeded", "failed", "succeeded"])
    assert outcome.summary.startswith("1 of 3 did not succeed: POST")
    assert outcome.result["targets"][f"url:{to[1]}"]["result"] == {
        "status": 409,
        "headers": {"content-type": "application/octet-stream"},
        "text": "busy",
    }
    assert [got.headers["idempotency-key"].decode() for got in http_one.server.got] == [
        f"{http_site.TOKEN}-{n}" for n in (1, 2, 3)
    ]
    assert (await http_one.found(method="POST", to=to)).outcome.per_target == outcome.per_target


@pytest.mark.parametrize("target", [model.Target("host", "web01"), model.Target("url", "https://api.test/v1"), None])
async def test_a_target_that_is_not_allowed_gets_nothing(http_one: Any, target: model.Target | None) -> None:
    outcome = await http_one.run(said={"url": ["restart"]}, targets=(target,) if target else ())
    assert (outcome.state, http_one.server.got) == ("failed", [])


# --- what an answer means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("success", "answer", "state", "says"), [
    ({"status": ["2xx"]}, (200, ""), "succeeded", "200 OK"), ({"status": [404]}, (404, ""), "succeeded", "404"),
    ({"status": [200]}, (204, ""), "failed", "204"), ({"status": ["2xx"]}, (500, '{"error": "no disk"}'), "failed", '500 Internal Server Error: {"error": "no disk"}'),
    ({"status": ["2xx"]}, (418, "a\nb"), "failed", ": a b"),
    ({"json": {"a.b": 1}}, (200, '{"a": {"b": 1}}'), "succeeded", ""), ({"json": {"a.b": 1}}, (200, '{"a": {"b": 1.0}}'), "succeeded", ""),
    ({"json": {"a.b": 1}}, (200, '{"a": {"b": true}}'), "failed", "a.b is true, and 1 is wanted"),
    ({"json": {"a.b": 1}}, (200, '{"a": {"b": "1"}}'), "failed", 'a.b is "1", and 1 is wanted'),
    ({"json": {"a.1.c": "x"}}, (200, '{"a": [0, {"c": "x"}]}'), "succeeded", ""), ({"json": {"a.2": 0}}, (200, '{"a": [0]}'), "failed", "it has no field a.2"),
    ({"json": {"a": None}}, (200, '{"a": null}'), "succeeded", ""), ({"json": {"a": None}}, (200, "{}"), "failed", "it has no field a"),
    ({"json": {"a": {"b": [1]}}}, (200, '{"a": {"b": [1]}}'), "succeeded", ""), ({"json": {"a": 1}}, (200, "no json"), "failed", "it is no JSON"),
    ({"json": {"a": 1}}, (200, "[" * 100_000), "failed", "it is no JSON"), ({"json": {"a": 1}}, (500, '{"a": 1}'), "failed", "500"),
    ({"json": {"a": "x" * 99}}, (200, '{"a": "y"}'), "failed", "…"),
])  # fmt: skip
async def test_success_is_what_the_catalog_says(
    http_one: Any, success: Any, answer: Any, state: str, says: str
) -> None:
    http_one.server.usual = http_site.status(*answer)
    outcome = await http_one.run(said={"success": {"status": ["2xx"], "json": {}, **success}})
    assert (outcome.state, says in outcome.summary) == (state, True), outcome.summary


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(http_one: Any, code: int) -> None:
    http_one.server.usual = http_site.status(code, Location=f"{http_one.base}/v1/elsewhere?secret=1")
    outcome = await http_one.run(method="PUT")
    assert (outcome.state, len(http_one.server.got)) == ("failed", 1)
    assert "a redirect to" in outcome.summary
    assert "which is not followed" in outcome.summary


async def test_a_redirect_may_be_what_is_wanted(http_one: Any) -> None:
    http_one.server.usual = http_site.status(303, Location="/v1/jobs/7")
    outcome = await http_one.run(method="POST", said={"success": {"status": [303], "json": {}}})
    assert (outcome.state, outcome.result["headers"]["location"], len(http_one.server.got)) == (
        "succeeded",
        "/v1/jobs/7",
        1,
    )


@pytest.mark.parametrize(("body", "headers", "result"), [
    (b"plain \xff text\0", {}, {"text": "plain \ufffd text\ufffd"}), (b"x" * 9000, {}, {"text": "x" * 4000}), (b"null", {}, {"json": None}),
    (b'{"a": NaN}', {}, {"text": '{"a": NaN}'}), (b'{"n": 123456789012345678901234567890}', {}, {"text": '{"n": 123456789012345678901234567890}'}),
    (b'"' + b"x" * 70_000 + b'"', {}, {"text": '"' + "x" * 3999}), (b"", {}, {}),
    (b"[" * 900 + b"]" * 900, {}, {"text": "[" * 900 + "]" * 900}), (b"[" * 99 + b"]" * 99, {}, {"json": json.loads("[" * 99 + "]" * 99)}),
    (b"\x1f\x8b\x08", {"Content_Encoding": "gzip"}, {"text": "(3 bytes that are compressed, which was not asked for)"}),
])  # fmt: skip
async def test_what_is_kept_of_a_body_is_bounded_and_sound(
    http_one: Any, body: bytes, headers: Any, result: Any
) -> None:
    http_one.server.usual = http_site.status(200, body, **headers)
    found = (await http_one.run()).result
    assert {key: value for key, value in found.items() if key not in ("status", "headers")} == result
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("depth", [200, 900, 5000])
async def test_fields_of_what_is_nested_too_deep_cannot_be_looked_at(http_one: Any, depth: int) -> None:
    http_one.server.usual = http_site.status(200, b'{"ok": ' + b"[" * depth + b"]" * depth + b"}")
    outcome = await http_one.run(said={"success": {"status": ["2xx"], "json": {"ok": 1}}})
    assert (outcome.state, "its fields cannot be looked at: it is no JSON" in outcome.summary) == ("failed", True)


async def test_a_body_is_read_to_its_first_mebibyte(http_one: Any) -> None:
    http_one.server.usual = http_site.status(200, b"x" * (3 << 20))
    outcome = await http_one.run(said={"success": {"status": ["2xx"], "json": {"a": 1}}})
    assert (outcome.state, outcome.truncated, len(http_one.heard["stdout"])) == ("failed", True, (1 << 20) + 1)
    assert "it has more than 1 MiB" in outcome.summary


async def test_head_has_no_body(http_one: Any) -> None:
    assert (await http_one.run(method="HEAD")).result["status"] == 200
    assert http_one.heard["stdout"] == b""


# --- as whom ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("auth", "name", "value", "shown"), [
    ({"bearer": {"secret": "env:API_TOKEN"}}, "authorization", b"Bearer t0ken-of-the-api", "Authorization: Bearer Secret('env:API_TOKEN')"),
    ({"basic": {"username": "heal", "password": {"secret": "env:API_PASSWORD"}}}, "authorization", b"Basic aGVhbDpwNHNzOnfDtnJk",
     "Authorization: Basic heal:Secret('env:API_PASSWORD')"),
    ({"header": {"name": "X-Api-Key", "value": {"secret": "env:API_TOKEN"}}}, "x-api-key", b"t0ken-of-the-api", "X-Api-Key: Secret('env:API_TOKEN')"),
])  # fmt: skip
async def test_credentials_go_along_and_are_not_shown(
    http_one: Any, auth: Any, name: str, value: bytes, shown: str
) -> None:
    http_one.made(auth=auth, headers={"X-Team": "ops", "X-Key": {"secret": "env:API_TOKEN"}})
    parameter = model.Secret("env:API_PASSWORD", http_one.secrets["env:API_PASSWORD"])
    said = {
        "url": [f"{http_one.base}/v1/", {"value": parameter}], "query": {"q": parameter}, "headers": {"X-P": parameter}, "json": {"p": parameter}
    }  # fmt: skip
    plan = await http_one.controller.plan(http_one.job(method="PUT", said=said))
    assert http_one.server.got == http_one.resolved == []
    assert plan.fails == ""
    assert f"PUT {http_one.base}/v1/***?q=***" in plan.steps
    assert {shown, "X-Team: ops", "X-Key: Secret('env:API_TOKEN')", "X-P: Secret('env:API_PASSWORD')"} <= {*plan.steps}
    outcome = await http_one.run(method="PUT", said=said)
    (got,) = http_one.server.got
    assert (got.headers[name], got.headers["x-team"], got.headers["x-key"]) == (value, b"ops", b"t0ken-of-the-api")
    assert (got.headers["x-p"].decode(), json.loads(got.body)) == ("p4ss:wörd", {"p": "p4ss:wörd"})
    assert got.path == "/v1/p4ss%3Aw%C3%B6rd?q=p4ss%3Aw%C3%B6rd"
    kept = [one.read_text() for one in (http_one.work / http_site.TOKEN).iterdir()]
    for text in (*plan.steps, outcome.summary, repr(outcome.result), http_one.heard["stderr"].decode(), *kept):
        assert not any(secret in text for secret in ("t0ken", "p4ss", "aGVhbDpwNHNz"))


@pytest.mark.parametrize(("secret", "auth"), [
    ("t\nX-Evil: 1", {"bearer": {"secret": "env:API_TOKEN"}}), ("t oken", {"bearer": {"secret": "env:API_TOKEN"}}),
    ("a\r\nb", {"header": {"name": "X-K", "value": {"secret": "env:API_TOKEN"}}}),
])  # fmt: skip
async def test_a_secret_that_cannot_be_one_is_refused_and_not_told(http_one: Any, secret: str, auth: Any) -> None:
    http_one.secrets["env:API_TOKEN"] = secret
    http_one.made(auth=auth)
    outcome = await http_one.run()
    assert (outcome.state, http_one.server.got, secret in outcome.summary) == ("failed", [], False)
    plan = await http_one.controller.plan(http_one.job())
    assert (bool(plan.fails), secret in str(plan)) == (True, False)


async def test_a_plan_knows_that_a_secret_is_not_there(http_one: Any) -> None:
    http_one.made(auth={"bearer": {"secret": "env:API_TOKEN"}})
    del http_one.secrets["env:API_TOKEN"]
    plan = await http_one.controller.plan(http_one.job())
    assert "the secret env:API_TOKEN cannot be read: the variable is not set" in plan.fails
    assert (await http_one.run()).summary == plan.fails


async def test_a_dry_run_sends_nothing(http_one: Any) -> None:
    outcome = await http_one.run(method="POST", dry_run=True)
    assert (outcome.state, http_one.server.got) == ("failed", [])
    assert "cannot be sent dry" in outcome.summary


async def test_an_action_of_another_kind_is_refused(http_one: Any) -> None:
    assert (await http_one.run(kind="script", subject="scripts/a.sh")).state == "failed"
