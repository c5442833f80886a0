"""The mapping language: paths, the words that they lead to, and what is told of a mapping that is wrong."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any, get_args

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import config, errors, plugins
from healer.formats import _mapping
from healer.sources import _proof


def made(**keys: Any) -> plugins.Format:
    return _mapping.format_of("mine", _mapping.Mapping.model_validate(keys))


def read_one(body: Any, **keys: Any) -> dict[str, Any]:
    """`event.alert` of the only element."""
    [element] = made(**keys).read(body, {})
    assert isinstance(element, plugins.Element)
    return dict(element.event["alert"])


# --- paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "whole", "parts"), [
    ("a", False, ("a",)), ("a.b", False, ("a", "b")), ("alert.details.\"my.key\"[0]", False, ("alert", "details", "my.key", 0)),
    ("/receiver", True, ("receiver",)), (".", False, ()), ("/", True, ()), ("[3].x", False, (3, "x")), ("a[0][12]", False, ("a", 0, 12)),
    ("@timestamp", False, ("@timestamp",)), ("x-y.$z:1", False, ("x-y", "$z:1")), ("größe", False, ("größe",)), ('""', False, ("",)),
    (r'"a\"b\\c".d', False, ('a"b\\c', "d")), ("0.1", False, ("0", "1")),
])  # fmt: skip
def test_a_path_is_keys_and_positions(text: str, whole: bool, parts: tuple[str | int, ...]) -> None:
    found = _mapping.parse(text)
    assert (found.whole, found.parts) == (whole, parts)


@pytest.mark.parametrize(("text", "says"), [
    ("", "at character 1 a key is missing"), ("a..b", "at character 3 a key is missing"), ("a.", "at character 3 a key is missing"),
    (".a", "at character 1 a key is missing"), ("//", "at character 2 stands '/': a key with it is written in double quotes"),
    ("a b", "at character 2 stands ' '"), ("a[x]", "at character 2 an index like [0] is wanted"), ("a[01]", "at character 2 an index"),
    ("a[-1]", "at character 2 an index"), ("a[0]b", "at character 5 a dot is missing"), ('a"b"', "at character 2 a dot is missing"),
    ("a.[0]", "at character 3 a key is missing"), ('a."b', "at character 3 a key in quotes has no end"), ("a]", "at character 2 a key"),
    ('"\\x"', "at character 1 a key in quotes has no end"), ("a.*", "at character 3 stands '*'"), ("x" * 513, "513 characters, more than 512"),
    ("{{ a }}", "at character 1 stands '{'"), ("a\n", "at character 2 stands '\\n'"),
])  # fmt: skip
def test_what_is_no_path_is_told_with_its_position(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^no path: ") as caught:
        _mapping.parse(text)
    assert says in str(caught.value)


@hypothesis.given(st.text(alphabet='ab01.[]"\\/ -@\n*ä', max_size=20) | st.text(max_size=600))
def test_any_text_is_a_path_or_a_mistake_with_a_position(text: str) -> None:
    try:
        found = _mapping.parse(text)
    except ValueError as error:
        assert type(error) is ValueError
        assert str(error).startswith("no path: ")
        assert "at character " in str(error) or "more than 512" in str(error)
    else:
        assert len(found.parts) <= len(text)


@hypothesis.given(st.lists(st.text(max_size=8) | st.integers(0, 999_999), min_size=1, max_size=8))
def test_every_place_in_a_body_has_a_path(parts: list[str | int]) -> None:
    text, body = "", "found"
    for part in parts:
        quoted = str(part).replace("\\", "\\\\").replace('"', '\\"')
        text += f"[{part}]" if isinstance(part, int) else f'{"." if text else ""}"{quoted}"'
    hypothesis.assume(len(text) <= _mapping.PATH_MAX)
    assert _mapping.parse(text).parts == tuple(parts)
    value: Any = body
    for part in reversed(parts):
        hypothesis.assume(not isinstance(part, int) or part < 1000)
        value = [None] * part + [value] if isinstance(part, int) else {part: value}
    assert (
        read_one({"in": value}, fields={"summary": f"in{'' if text.startswith('[') else '.'}{text}"})["summary"] == body
    )


# --- words ----------------------------------------------------------------------------------------------------------------


def test_the_words_of_an_event() -> None:
    body = {
        "rule": {"title": "DiskFull", "id": 7}, "host": "web1", "state": "ALERTING", "prio": "P2", "at": 1785000000.5,
        "text": "97 %", "url": "https://x/1", "tags": {"env": "prod", "n": 5, "ok": True, "deep": {}, "none": None, "": "x"},
    }  # fmt: skip
    fields = {
        "name": "rule.title", "target": "host", "status": "state", "severity": "prio", "key": "rule.id", "started_at": "at",
        "summary": "text", "link": "url", "labels": "tags",
    }  # fmt: skip
    [element] = made(resolves=True, fields=fields, delivery="rule.id").read(body, {})
    assert isinstance(element, plugins.Element)
    assert element.event == {
        "payload": body,
        "alert": {
            "name": "DiskFull", "target": "web1", "status": "firing", "severity": "error", "severity_raw": "P2", "key": "7",
            "started_at": 1785000000.5, "summary": "97 %", "link": "https://x/1", "labels": {"env": "prod", "n": "5", "ok": "true", "": "x"},
        },
    }  # fmt: skip
    assert (element.delivery, element.repeat) == ("7", "")


def test_what_no_path_leads_to_is_empty() -> None:
    assert read_one({"x": 1}, fields={"summary": "x"}) == {
        "name": "", "target": "", "status": "event", "severity": "unknown", "severity_raw": "", "key": read_one({"x": 1}, fields={"link": "x"})["key"],
        "started_at": "", "summary": "1", "link": "", "labels": {},
    }  # fmt: skip


@pytest.mark.parametrize(("body", "name"), [
    ({"a": "x", "b": "y"}, "x"), ({"a": "", "b": "y"}, "y"), ({"a": None, "b": "y"}, "y"), ({"a": {}, "b": 0}, "0"), ({"a": [], "b": 1.5}, "1.5"),
    ({"c": {"d": "p"}, "e": ["q"]}, "p/q"), ({"c": {"d": "p"}, "e": [""]}, "last"), ({"b": False}, "false"),
])  # fmt: skip
def test_the_first_that_is_there_and_not_empty_counts(body: dict[str, Any], name: str) -> None:
    assert read_one({**body, "z": "last"}, fields={"name": ["a", "b", ["c.d", "e[0]"], "z"]})["name"] == name


@pytest.mark.parametrize(("body", "status"), [
    ({"s": "Bad Thing"}, "firing"), ({"s": "bad thing "}, "firing"), ({"s": "RECOVERED"}, "resolved"), ({"s": "odd", "t": "down"}, "firing"),
    ({"s": "noted", "t": "down"}, "event"), ({"s": 2, "t": "down"}, "resolved"), ({"s": True}, "unknown"), ({"s": "odd"}, "event"), ({}, "resolved"),
])  # fmt: skip
def test_the_first_word_of_a_status_that_means_something_counts(body: dict[str, Any], status: str) -> None:
    statuses = {" bad THING": "firing", "noted": "event", "2": "resolved", "true": "unknown"}
    found = read_one(
        {**body, "n": 1}, fields={"name": "n", "status": ["s", "t"]}, statuses=statuses, defaults={"status": "resolved"}
    )
    assert found["status"] == status


@pytest.mark.parametrize(("body", "severity", "raw"), [
    ({"s": "SEV-0"}, "critical", "SEV-0"), ({"s": "warn"}, "warning", "warn"), ({"s": "odd", "t": 3}, "info", "3"), ({"s": "odd"}, "unknown", "odd"),
    ({"s": {"x": 1}, "t": "high"}, "error", "high"), ({}, "error", ""),
])  # fmt: skip
def test_severities_are_mapped_and_the_senders_word_is_kept(body: dict[str, Any], severity: str, raw: str) -> None:
    found = read_one(
        {**body, "n": 1},
        fields={"name": "n", "severity": ["s", "t"]},
        severities={"sev-0": "critical", "3": "info"},
        defaults={"severity": "error"},
    )
    assert (found["severity"], found["severity_raw"]) == (severity, raw)


@pytest.mark.parametrize(("value", "labels"), [
    (["env:prod", "role=db", "a=b:c", "lone", "env:x", 5, {"key": "k", "value": "v"}], {"env": "prod", "role": "db", "a": "b:c", "lone": "", "k": "v"}),
    ("production db", {"production": "", "db": ""}), ("a:1, b=2", {"a": "1", "b": "2"}), (7, {}), ([[]], {}), (None, {}),
])  # fmt: skip
def test_labels_are_an_object_or_tags(value: Any, labels: dict[str, str]) -> None:
    assert read_one({"tags": value, "n": 1}, fields={"name": "n", "labels": ["none", "tags"]})["labels"] == labels


def test_labels_of_a_flat_body_are_the_body_itself() -> None:
    assert read_one({"a": "1", "b": [2]}, fields={"labels": "."})["labels"] == {"a": "1"}


def test_an_end_may_have_other_places() -> None:
    keys = {
        "fields": {"name": "n", "status": "s", "started_at": "began"},
        "resolved": {"started_at": "ended", "summary": "why"},
    }
    body = {"n": "x", "began": 1, "ended": 2, "why": "mended"}
    assert [read_one({**body, "s": word}, **keys)["started_at"] for word in ("down", "up")] == [1, 2]
    assert [read_one({**body, "s": word}, **keys)["summary"] for word in ("down", "up")] == ["", "mended"]
    assert read_one({**body, "s": "up", "ended": ""}, **keys)["started_at"] == 1


def test_without_a_key_it_is_target_and_name_or_a_digest() -> None:
    keys = {"fields": {"name": "n", "target": "t", "key": "k"}}
    assert (
        read_one({"n": "A", "t": "web1", "at": 1}, **keys)["key"]
        == read_one({"n": "A", "t": "web1", "at": 2}, **keys)["key"]
        == "web1/A"
    )
    assert read_one({"n": "A"}, **keys)["key"] == "A"
    assert len({read_one({"t": "web1", "x": number}, **keys)["key"] for number in (1, 2)} | {"web1"}) == 3
    assert len(read_one({"k": "x" * 5000}, **keys)["key"]) == 26
    assert read_one({"n": "A"}, **keys, defaults={"target": "db1"})["key"] == "db1/A"


# --- several events of one body -------------------------------------------------------------------------------------------

GROUP = {
    "id": 5,
    "in": {"list": [{"n": "A", "id": 1}, 7, {"n": {"deep": 1}}, {"other": 1}, {"n": "B", "id": 2}], "more": [1]},
}


def test_each_element_of_a_list_is_an_event_beside_its_group() -> None:
    form = made(each="in.list", fields={"name": "n", "summary": "/id"}, delivery=[["/id", "id"]])
    assert form.fields == ("payload.*", "group.*")
    first, *wrong, last = form.read(GROUP, {})
    assert [one.error.message for one in wrong if isinstance(one, plugins.Wrong)] == [
        "in.list[1]: an object is wanted, got a number",
        "in.list[2].n: text is wanted, got an object",
        "in.list[3]: nothing is where the mapping looks: n",
    ]
    assert isinstance(first, plugins.Element)
    assert isinstance(last, plugins.Element)
    assert first.event["payload"] == {"n": "A", "id": 1}
    assert (first.event["alert"]["name"], first.event["alert"]["summary"], first.delivery, last.delivery) == (
        "A",
        "5",
        "5/1",
        "5/2",
    )
    assert first.event["group"] == {"id": 5, "in": {"more": [1]}}
    assert last.event["group"] is first.event["group"]
    assert "list" in GROUP["in"]  # type: ignore[operator]


def test_the_body_itself_may_be_the_list() -> None:
    form = made(each=".", fields={"name": "n"})
    assert form.fields == ("payload.*",)
    assert [
        one.event["alert"]["name"]
        for one in form.read([{"n": "A"}, {"n": "B"}], {})
        if isinstance(one, plugins.Element)
    ] == ["A", "B"]
    assert made(each="[1].x", fields={"name": "n"}).read([0, {"x": [{"n": "A"}], "y": 1}], {})[0].event["group"] == [
        0,
        {"y": 1},
    ]  # type: ignore[union-attr]


@pytest.mark.parametrize(("keys", "body", "field"), [
    ({}, [], "body"), ({}, {"x": 1}, "body"), ({}, {"n": {"x": 1}}, "n"), ({}, {"n": ["x"]}, "n"), ({}, {"n": "x" * 1025}, "n"),
    ({"fields": {"key": "a.b"}}, {"a": {"b": [1]}}, "a.b"), ({"fields": {"status": "."}}, {"a": 1}, "body"), ({"each": "l"}, {}, "l"),
    ({"each": "l"}, {"l": {}}, "l"), ({"each": "l"}, [], "body"), ({"each": "."}, {"n": 1}, "body"), ({"each": "."}, [{"n": [1]}], "body[0].n"),
    ({"each": "l", "fields": {"name": "/g"}}, {"g": [1], "l": [{}]}, "g"), ({"each": "l", "fields": {"name": "."}}, {"l": [{"a": 1}]}, "l[0]"),
])  # fmt: skip
def test_a_wrong_shape_is_told_with_its_path(
    path_of: Callable[..., str], keys: dict[str, Any], body: Any, field: str
) -> None:
    assert path_of(made(**{"fields": {"name": "n"}, **keys}).read, body) == field


def test_any_body_gives_elements_or_a_named_mistake(withstands: Callable[..., None]) -> None:
    every: dict[str, Any] = {
        word: ["n", '""', "in.list[0].n", "/in", "."] for word in _mapping.MappedFields.model_fields
    }
    every["status"] = ["s", "in.list[0].s"]
    body = {"n": "A", "s": "up", "": "x", "in": {"list": [{"n": "B", "s": "odd", "": {"x": "a=b"}}]}}
    own = {"fields": {**every, "name": ["n", ["n", '""']]}, "resolved": {"labels": "in"}, "delivery": every["name"]}
    withstands(made(**own).read, body)
    withstands(made(each="in.list", fields=every).read, body)
    withstands(made(each=".", fields={"name": "n", "labels": "."}).read, [{"n": "A"}])


# --- what is wrong with a mapping -----------------------------------------------------------------------------------------


def mistakes(text: str) -> list[str]:
    document = config.read_text(text, "m.yml")
    assert document.ok, document.diagnostics
    assert plugins.check_options(document, _mapping.Mapping, document.value, None, "mapping") is None
    return [
        f"{found.place.line}:{found.place.column}: {found.message.removeprefix('mapping: ')}"
        for found in document.diagnostics
    ]


def test_all_mistakes_are_told_at_once_each_where_it_stands() -> None:
    text = "fields:\n  name: a..b\n  target: [x, 'a b']\n  nmae: x\n  key: [[a, 'b['], {x: y}]\n  status: 5\nstatuses: {a: firng}\nauth: [x]\n"
    assert mistakes(text)[:-1] == [
        "2:9: fields.name: no path: at character 3 a key is missing, got 'a..b'",
        "3:15: fields.target.1: no path: at character 2 stands ' ': a key with it is written in double quotes, got 'a b'",
        "5:13: fields.key.0.1: no path: at character 2 an index like [0] is wanted, got 'b['",
        "5:20: fields.key.1: a path like alert.details[0] is wanted, got a mapping",
        "6:11: fields.status: a path like alert.details[0] is wanted, got 5",
        "4:3: the key 'nmae' is not known here",
        "7:15: statuses.a: 'firing', 'resolved', 'event' or 'unknown' is wanted, got 'firng'",
    ]


@pytest.mark.parametrize(("text", "says"), [
    ("{}", "the key 'fields' is missing"), ("fields: {}", "fields: at least one word is wanted"), ("fields: {labels: [[a]]}", "fields.labels.0: a path"),
    ("fields: {name: []}", "fields.name: a list of at least 1 item is wanted"), ("fields: {name: {a: b}}", "a path like alert.details[0] is wanted"),
    ("{fields: {name: a}, statuses: {x: firing}}", "'statuses' needs a path in fields.status"),
    ("{fields: {name: a}, severities: {x: info}}", "'severities' needs a path in fields.severity"),
    ("{fields: {name: a}, resolved: {name: b}}", "'resolved' needs a path in fields.status"),
    ("{fields: {status: a}, statuses: {1: firing}}", "a word of the sender's (at most 128 characters) is wanted, got 1"),
    ("{fields: {name: a}, resolved: {status: b}}", "the key 'status' is not known here"),
    ("{fields: {name: a}, each: l, delivery: /id}", "'delivery' has to lead into the element"),
    ("{fields: {name: a}, media: [Text/Plain]}", "a content type"), ("{fields: {name: a}, marks: ['a/b']}", "a path like alert.name, or header:NAME"),
    ("{fields: {name: a}, auth: [bearr]}", "'none' is wanted"), ("{fields: {name: a}, delivery_ids: ['x y']}", "the name of a header"),
    ("{fields: {name: a}, defaults: {name: ''}}", "defaults.name"), ("{fields: {name: a}, defaults: {severity: bad}}", "defaults.severity"),
])  # fmt: skip
def test_wrong_mappings_are_told(text: str, says: str) -> None:
    assert says in " ".join(mistakes(text))


def test_a_mapping_says_all_that_a_format_has() -> None:
    given = {
        "media": ["text/plain"],
        "marks": ["a.b", "header:x-y"],
        "auth": ["hmac", "none"],
        "delivery_ids": ["X-Id"],
        "setup": "HOOK_URL",
    }
    form = made(fields={"name": "n"}, **given)
    assert (form.name, form.resolves, form.inquiry) == ("mine", False, None)
    assert {word: list(value) if isinstance(value := getattr(form, word), tuple) else value for word in given} == given
    assert made(fields={"name": "n"}, resolves=True).resolves is True


def test_every_proof_is_one_of_a_source() -> None:
    assert set(get_args(_mapping.Proof)) == set(_proof.KINDS)


def test_a_mapping_reaches_another_process() -> None:
    mapping = _mapping.Mapping.model_validate({"fields": {"name": [["a", "b"], "c"]}, "statuses": {}})
    assert pickle.loads(pickle.dumps(mapping)) == mapping


def test_the_words_of_a_mapping_are_those_of_an_alert() -> None:
    assert {*_mapping.MappedFields.model_fields, "severity_raw"} == set(read_one({"n": 1}, fields={"name": "n"}))
    assert json.dumps(read_one({"n": 1}, fields={"name": "n"}))
    with pytest.raises(errors.RequestError):
        made(fields={"name": "n"}).read(None, {})
