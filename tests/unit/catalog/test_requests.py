"""What `http:` of an action may say, and each mistake in it at its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import catalog, config
from healer.catalog import requests

URL = "https://h/v1"


def read(text: str) -> tuple[catalog.Catalog, config.Document]:
    document = config.read_text(text, "actions.yaml")
    value = document.value
    assert isinstance(value, config.Map)
    return catalog.build(
        [catalog.Written(str(name), document, value[name], value.keys_at[name]) for name in value]
    ), document


@pytest.mark.parametrize(("written", "subject"), [
    ("{method: GET, url: https://h/v1}", {"method": "GET", "url": [URL]}),
    ("{method: DELETE, url: https://h/v1, query: {a: 1, b: [x, null], c: true}, retries: 3}",
     {"method": "DELETE", "url": [URL], "query": {"a": 1, "b": ["x", None], "c": True}, "retries": 3}),
    ("{method: POST, url: https://h/v1, json: {a: [1, {b: null}]}}", {"method": "POST", "url": [URL], "json": {"a": [1, {"b": None}]}}),
    ("{method: POST, url: https://h/v1, json: null}", {"method": "POST", "url": [URL], "json": None}),
    ("{method: PUT, url: https://h/v1, form: {a: b}, body: null}", {"method": "PUT", "url": [URL], "form": {"a": "b"}}),
    ("{method: PATCH, url: https://h/v1, body: text, headers: {Content-Type: a/b}}",
     {"method": "PATCH", "url": [URL], "body": "text", "headers": {"Content-Type": "a/b"}}),
    ("{method: POST, url: https://h/v1, retries: 2, idempotency_key: X-Key}",
     {"method": "POST", "url": [URL], "retries": 2, "idempotency_key": "X-Key"}),
    ("{method: GET, url: https://h/v1, success: {status: [200, 3xx], json: {a.b: [1]}}}",
     {"method": "GET", "url": [URL], "success": {"status": [200, "3xx"], "json": {"a.b": [1]}}}),
])  # fmt: skip
def test_requests_are_read(written: str, subject: dict[str, Any]) -> None:
    found, document = read(f"a: {{http: {written}, target: none}}")
    assert document.diagnostics == []
    entry = found.entries["a"]
    assert entry.kind == "http"
    assert entry.subject == {"retries": 0, "success": {"status": ["2xx"], "json": {}}, **subject}
    assert json.loads(json.dumps(entry.subject)) == entry.subject
    assert len(entry.digest) == 64


@pytest.mark.parametrize(("written", "pieces"), [
    ("{method: GET}", None), ("{method: GET, url: restart}", ["restart"]),
    ('{method: GET, url: "a/{{ parameters.p }}"}', ["a/", {"value": "{{ parameters.p }}"}]),
    ('{method: GET, url: "{{ parameters.p }}/x-{{parameters.q}}"}', [{"value": "{{ parameters.p }}"}, "/x-", {"value": "{{parameters.q}}"}]),
])  # fmt: skip
def test_what_is_joined_to_the_target(written: str, pieces: Any) -> None:
    found, document = read(f"a: {{http: {written}, parameters: {{p: {{}}, q: {{}}}}, required: [p, q]}}")
    assert document.diagnostics == []
    subject = found.entries["a"].subject
    assert isinstance(subject, dict)
    assert subject.get("url") == pieces


def test_parameters_are_put_in_as_they_are() -> None:
    found, document = read(
        'a: {http: {method: POST, url: "https://h/{{ parameters.p }}/x", query: {q: "{{ parameters.p }}"}, headers: {X-P: "a {{ parameters.p }}"},\n'
        '  json: {v: "{{ parameters.p }}"}}, target: none, parameters: {p: {}}, required: [p]}'
    )
    assert document.diagnostics == []
    value = "{{ parameters.p }}/../x?y"
    subject = catalog.fill(found.entries["a"].subject, {"p": value})
    assert subject["url"] == ["https://h/", {"value": value}, "/x"]
    assert (subject["query"], subject["headers"], subject["json"]) == (
        {"q": value},
        {"X-P": f"a {value}"},
        {"v": value},
    )


@pytest.mark.parametrize(("written", "code", "says"), [
    ("⟦http: text", "options", "a mapping"), ("⟦http: {url: https://h}", "options", "'method' is missing"),
    ("http: {⟦method: get, url: https://h}", "options", "'GET'"), ("http: {⟦method: TRACE, url: https://h}", "options", "'GET'"),
    ("http: {method: GET, ⟦url: 5}", "options", "an address, or a path"), ("http: {method: GET, ⟦url: ''}", "options", "an address, or a path"),
    ("http: {method: GET, ⟦url: ftp://h/}", "options", "https://host/path"), ("http: {method: GET, ⟦url: /restart}", "options", "does not begin with /"),
    ("http: {method: GET, ⟦url: //h/x}", "options", "does not begin with /"), ("http: {method: GET, ⟦url: 'https:h'}", "options", "does not begin with /"),
    ("http: {method: GET, ⟦url: 'a/../b'}", "options", ". or .."), ("http: {method: GET, ⟦url: 'https://h/x?a=b'}", "options", "without ? and #"),
    ("http: {method: GET, ⟦url: 'https://u:p4ss@h/'}", "options", "a user and a password"),
    ("http: {method: GET, ⟦url: 'https://{{ parameters.p }}/x'}", "options", "cannot stand in the scheme, host or port"),
    ("http: {method: GET, ⟦url: 'https://h{{ parameters.p }}/x'}", "options", "cannot stand in the scheme, host or port"),
    ("http: {method: GET, ⟦url: 'https://h{{ parameters.p }}'}", "options", "cannot stand in the scheme, host or port"),
    ("http: {method: GET, ⟦url: 'https://h:{{ parameters.p }}/x'}", "options", "cannot stand in the scheme, host or port"),
    ("http: {method: GET, ⟦url: 'https://{{ parameters.p }}@h/x'}", "options", "cannot stand in the scheme, host or port"),
    ("http: {method: GET, ⟦url: 'https:{{ parameters.p }}'}", "options", "does not begin with /"),
    ("http: {method: GET, ⟦url: '{{ parameters.p }}://h/x'}", "options", "is empty"), ("http: {method: GET, ⟦url: 'ht{{ parameters.p }}://h'}", "options", "is empty"),
    ("http: {method: GET, ⟦url: 'https://h/{{ event.x }}'}", "template", "only {{ parameters.NAME }} can stand here"),
    ("http: {method: GET, ⟦url: 'https://h/{{ parameters.z }}'}", "unknown-parameter", "'z' is not declared"),
    ("http: {method: GET, url: https://h, query: {⟦a: {b: c}}}", "options", ""), ("http: {method: GET, url: https://h, query: {⟦'{{ parameters.p }}': 1}}", "template", "a key"),
    ("http: {method: GET, url: https://h, headers: {⟦X-A: 5}}", "options", "a text"), ('http: {method: GET, url: https://h, headers: {⟦X-A: "a\\r\\nX-B: c"}}', "options", "one line"),
    ("http: {method: GET, url: https://h, headers: {⟦'X A': a}}", "options", "a name of a header"), ("http: {method: GET, url: https://h, headers: {⟦X-A: ' a'}}", "options", "one line"),
    ("http: {method: GET, url: https://h, headers: {⟦Host: evil.test, X-A: b}}", "options", "'Host' cannot be set"),
    ("http: {method: GET, url: https://h, headers: {⟦content-length: '5'}}", "options", "cannot be set"),
    ("http: {method: GET, url: https://h, headers: {⟦Proxy-Authorization: x}}", "options", "cannot be set"),
    ("⟦http: {method: GET, url: https://h, json: {}}", "options", "GET takes no json"), ("⟦http: {method: HEAD, url: https://h, body: x}", "options", "HEAD takes no body"),
    ("⟦http: {method: POST, url: https://h, json: {}, form: {a: b}}", "options", "a request has one body, not json and form"),
    ("http: {method: POST, url: https://h, ⟦body: 'a={{ parameters.p }}'}", "options", "within a body that is a text"),
    ("http: {method: POST, url: https://h, ⟦body: '{{ parameters.p }}{{ parameters.p }}'}", "options", "within a body that is a text"),
    ("⟦http: {method: POST, url: https://h, retries: 1}", "options", "without idempotency_key"),
    ("⟦http: {method: PATCH, url: https://h, retries: 1}", "options", "without idempotency_key"),
    ("http: {method: GET, url: https://h, ⟦retries: 11}", "options", "at most 10"), ("http: {method: POST, url: https://h, ⟦idempotency_key: Host}", "options", "cannot be set"),
    ("http: {method: GET, url: https://h, success: {⟦status: []}}", "options", ""), ("http: {method: GET, url: https://h, success: {status: [⟦99]}}", "options", ""),
    ("http: {method: GET, url: https://h, success: {status: [⟦6xx]}}", "options", ""), ("http: {method: GET, url: https://h, success: {json: {⟦'a..b': 1}}}", "options", "names of keys"),
    ("http: {method: GET, url: https://h, ⟦body_: x}", "options", "'body_' is not known"), ("http: {method: GET, url: https://h, ⟦json_: x}", "options", "'json_' is not known"),
])  # fmt: skip
def test_mistakes_stand_where_they_were_made(written: str, code: str, says: str) -> None:
    text = f"a: {{{written}, target: none, parameters: {{p: {{}}}}, required: [p]}}"
    at = text.index("⟦")
    _, document = read(text.replace("⟦", ""))
    told = [one for one in document.diagnostics if one.severity == "error"]
    assert {one.code for one in told} == {code}
    assert says in told[0].message, told[0].message
    assert "p4ss" not in told[0].message
    assert told[0].place.line == 1
    assert at < told[0].place.column <= at + 40


def test_all_that_is_wrong_between_keys_is_told_at_once() -> None:
    text = "a: {http: {method: POST, url: https://h, json: {}, body: x, retries: 3}, target: none}"
    for more, others in (
        ("", []),
        (", success: {status: []}", ["http.success.status: a list of at least 1 item is wanted, got an empty list"]),
    ):
        _, document = read(text.replace("retries: 3", f"retries: 3{more}"))
        assert [one.message.removeprefix("the action 'a': ") for one in document.diagnostics] == [
            *others,
            "http: a request has one body, not json and body",
            "http: POST is not sent again (retries) without idempotency_key: it could have its effect twice",
        ]


def test_a_key_that_is_mistyped_is_one_mistake() -> None:
    _, document = read("a: {http: {method: POST, url: https://h, retries: 3, idempotency_kye: X-Id}, target: none}")
    (told,) = document.diagnostics
    assert "the key 'idempotency_kye' is not known" in told.message


@pytest.mark.parametrize(("written", "says"), [
    ("http: {method: GET, url: https://h/x}", "target: none is wanted"), ("http: {method: GET, url: restart}, target: none", "target: required is wanted"),
    ("http: {method: GET}, target: none", "target: required is wanted"),
])  # fmt: skip
def test_url_and_target_say_one_thing(written: str, says: str) -> None:
    _, document = read(f"a: {{{written}}}")
    (told,) = document.diagnostics
    assert (told.code, says in told.message, told.severity) == ("target", True, "error")


@pytest.mark.parametrize(("written", "address"), [
    ({"url": "https://h/{{ parameters.p }}/x"}, "https://h/x/x"), ({"url": "x/y"}, ""), ({}, ""), ("text", ""), ({"url": 5}, ""),
])  # fmt: skip
def test_the_address_before_parameters_are_known(written: object, address: str) -> None:
    assert requests.address(written) == address
