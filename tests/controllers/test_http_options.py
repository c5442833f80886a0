"""The controller `http` and its actions in a project: what is read, and each mistake in it at its place, all at once."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import jsonschema
import pytest
import yaml

from healer import model, plugins, project
from healer.controllers import http

CONTROLLERS = """\
controllers:
  here: {type: local}
  api:
    type: http
    allow:
      - https://api.example.org/v1
      - {url: "http://tickets.corp.example:8080/rest/", private: true}
    auth: {basic: {username: heal, password: {secret: "env:API_PASSWORD"}}}
    ca: certificates/site.pem
    certificate: certificates/healer.pem
    key: {secret: "file:/run/secrets/key.pem"}
    timeout: 10 seconds
    headers: {X-Team: ops, X-Key: {secret: "env:API_KEY"}}
    concurrency: 5
default: here
"""
ACTIONS = """\
actions:
  restart_node:
    http:
      method: POST
      url: "https://api.example.org/v1/nodes/{{ parameters.node }}/restart"
      query: {force: true, by: "healer-{{ parameters.node }}"}
      headers: {X-Reason: "{{ parameters.reason }}"}
      json: {reason: "{{ parameters.reason }}", count: "{{ parameters.count }}"}
      success: {status: [200, 202], json: {state.phase: accepted}}
      idempotency_key: Idempotency-Key
      retries: 2
    controller: api
    target: none
    parameters: {node: {type: string}, reason: {type: string, default: alert}, count: {type: integer, default: 1}}
    required: [node]
    impact: medium
  restart_at:
    http: {method: PUT, url: restart}
    controller: api
    impact: medium
"""
RULES = """\
- name: web
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: down
      condition: event.url is defined
      action: {run_action: {name: restart_at, target: "{{ event.url }}"}}
"""


def load(folder: pathlib.Path, controllers: str = CONTROLLERS, actions: str = ACTIONS) -> project.Loaded:
    for name, text in (
        ("rulebooks/web.yml", RULES), ("controllers.yaml", controllers), ("actions.yaml", actions), ("certificates/site.pem", "x"),
        ("certificates/healer.pem", "x"),
    ):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return project.load(folder, {})


def mistakes(loaded: project.Loaded) -> list[tuple[str, int, int, str]]:
    return [
        (one.code, one.place.line, one.place.column, one.message)
        for one in loaded.diagnostics
        if one.severity == "error"
    ]


def test_a_project_with_it_loads_without_a_word(tmp_path: pathlib.Path) -> None:
    loaded = load(tmp_path)
    assert [
        str(one)
        for one in loaded.diagnostics
        if one.severity != "hint" and one.code not in ("secret-unavailable", "no-brake")
    ] == []
    revision = loaded.revision
    assert revision is not None
    spec = revision.controllers["api"]
    assert (spec.kinds, spec.target_kinds, spec.concurrency) == ({"http"}, {"url"}, 5)
    assert {"certificates/site.pem", "certificates/healer.pem"} <= {*revision.files}
    options = plugins.find("controllers", "http").CONTROLLER.Options.model_validate(dict(spec.options))
    assert [(one.url, one.private) for one in options.allow] == [
        ("https://api.example.org/v1", False), ("http://tickets.corp.example:8080/rest/", True),
    ]  # fmt: skip
    assert (options.timeout, options.auth.basic.username, options.headers["X-Team"]) == (10.0, "heal", "ops")
    assert revision.catalog.entries["restart_node"].subject == {
        "method": "POST", "url": ["https://api.example.org/v1/nodes/", {"value": "{{ parameters.node }}"}, "/restart"],
        "query": {"force": True, "by": "healer-{{ parameters.node }}"}, "headers": {"X-Reason": "{{ parameters.reason }}"},
        "json": {"reason": "{{ parameters.reason }}", "count": "{{ parameters.count }}"},
        "success": {"status": [200, 202], "json": {"state.phase": "accepted"}}, "idempotency_key": "Idempotency-Key", "retries": 2,
    }  # fmt: skip
    assert "api" in revision.beyond_local()


@pytest.mark.parametrize(("text", "target"), [
    ("https://api.example.org/v1/nodes/a", "https://api.example.org/v1/nodes/a"), ("url:https://API.example.org:443/v1", "https://api.example.org/v1"),
    ("http://tickets.corp.example:8080/rest/%7Eana", "http://tickets.corp.example:8080/rest/~ana"),
])  # fmt: skip
def test_targets_are_addresses_that_are_allowed(tmp_path: pathlib.Path, text: str, target: str) -> None:
    revision = load(tmp_path).revision
    assert revision is not None
    found = revision.resolve_target("api", text)
    assert isinstance(found, model.Target), found
    assert str(found) == f"url:{target}"
    assert revision.resolve_target("api", found.name) == found
    assert revision.inventory_name("api") == "what api allows"


AT = "⟦"


@pytest.mark.parametrize(("old", "new", "code", "says"), [
    ("      - https://api.example.org/v1", "      - ⟦ftp://api.example.org", "options", "an address like https://host/path is wanted"),
    ("      - https://api.example.org/v1", "      - ⟦https://heal:p4ss@api.example.org", "options", "a user and a password have no place"),
    ("      - https://api.example.org/v1", "      - ⟦https://api.example.org/v1?a=b", "options", "without ? and #"),
    ("      - https://api.example.org/v1", "      - ⟦https://127.1/", "options", "no IPv4 address"),
    ("      - https://api.example.org/v1", "      - {url: https://api.example.org, ⟦privat: true}", "options", "'privat' is not known"),
    ("      - https://api.example.org/v1", "      - ⟦5", "options", ""),
    ("    auth: {basic: {username: heal, password: {secret: \"env:API_PASSWORD\"}}}", "    ⟦auth: {}", "options", "exactly one of 'bearer', 'basic' and 'header'"),
    ("    auth: {basic: {username: heal, password: {secret: \"env:API_PASSWORD\"}}}", "    auth: {⟦bearer: plain}", "options", "a reference like"),
    ("username: heal", "⟦username: 'he:al'", "options", "without a colon"),
    ("    ca: certificates/site.pem", "    ca: ⟦certificates/sit.pem", "no-file", "there is no file 'certificates/sit.pem'"),
    ("    ca: certificates/site.pem", "    ca: ⟦../site.pem", "path-escapes", "has to be a file of its own in the project"),
    ("    timeout: 10 seconds", "    ⟦timeout: 10", "options", "a duration like"), ("    timeout: 10 seconds", "    ⟦timeout: 0s", "options", "at least"),
    ("X-Team: ops", "⟦X-Team: 'a\\nb'".replace("'", '"'), "options", "a text of one line"), ("X-Team: ops", "⟦'X Team': ops", "options", "a name of a header"),
    ("    headers: {X-Team: ops", "    headers: {⟦Host: evil.test", "options", "'Host' cannot be set"),
    ("    timeout: 10 seconds", "    ⟦colour: red", "options", "'colour' is not known"),
])  # fmt: skip
def test_mistakes_in_options_stand_where_they_were_made(
    tmp_path: pathlib.Path, old: str, new: str, code: str, says: str
) -> None:
    assert old in CONTROLLERS
    text = CONTROLLERS.replace(old, new)
    at = text.index(AT)
    found = [one for one in mistakes(load(tmp_path, text.replace(AT, ""))) if one[0] == code]
    assert len(found) == 1, found
    ((_, line, _column, message),) = found
    assert (line, says in message, "p4ss" in message) == (text.count("\n", 0, at) + 1, True, False), message


def test_mistakes_between_keys_are_told_beside_all_others(tmp_path: pathlib.Path) -> None:
    text = CONTROLLERS.replace('    key: {secret: "file:/run/secrets/key.pem"}\n', "").replace(
        "X-Team: ops", "Host: x, Content-Length: '5', AUTHORIZATION: y"
    )
    told = [message.removeprefix("the controller 'api': ") for *_, message in mistakes(load(tmp_path, text))]
    assert sorted(told) == [
        "'certificate' and 'key' belong together",
        "headers.Content-Length: the header 'Content-Length' cannot be set: it belongs to the connection",
        "headers.Host: the header 'Host' cannot be set: it belongs to the connection",
        "the header 'Authorization' stands in 'auth' and in 'headers'",
    ]


def test_what_belongs_together_is_missed(tmp_path: pathlib.Path) -> None:
    for gone in ('    key: {secret: "file:/run/secrets/key.pem"}\n', "    certificate: certificates/healer.pem\n"):
        (found,) = [one for one in mistakes(load(tmp_path, CONTROLLERS.replace(gone, ""))) if one[0] == "options"]
        assert "'certificate' and 'key' belong together" in found[3]


@pytest.mark.parametrize(("auth", "headers", "says"), [
    ("{bearer: {secret: 'env:A'}}", "{AUTHORIZATION: x}", "'Authorization' stands in 'auth' and in 'headers'"),
    ("{header: {name: X-Key, value: {secret: 'env:A'}}}", "{x-key: x}", "'X-Key' stands in 'auth' and in 'headers'"),
    ("{header: {name: Host, value: {secret: 'env:A'}}}", "{X-A: x}", "'Host' of 'auth' cannot be set"),
])  # fmt: skip
def test_one_header_has_one_place(tmp_path: pathlib.Path, auth: str, headers: str, says: str) -> None:
    lines = [line for line in CONTROLLERS.splitlines() if not line.startswith(("    auth:", "    headers:"))]
    lines.insert(lines.index("    type: http") + 1, f"    auth: {auth}\n    headers: {headers}")
    (found,) = [one for one in mistakes(load(tmp_path, "\n".join(lines))) if one[0] == "options"]
    assert says in found[3]


def test_all_mistakes_are_told_at_once(tmp_path: pathlib.Path) -> None:
    controllers = CONTROLLERS.replace("10 seconds", "10").replace("https://api.example.org/v1", "ftp://x")
    actions = ACTIONS.replace("method: PUT, url: restart", "method: GRAB, url: /restart").replace(
        "https://api.example.org", "https://{{ parameters.node }}"
    )
    found = mistakes(load(tmp_path, controllers, actions))
    assert sorted((code, line) for code, line, *_ in found) == [("options", line) for line in (5, 6, 12, 18, 18)], found


@pytest.mark.parametrize(("url", "says"), [
    ("https://api.example.org/v2/x", "api sends nothing to"), ("https://evil.test/v1", "api sends nothing to"),
    ("https://api.example.org/{{ parameters.node }}", "api sends nothing to"), ("http://api.example.org/v1/x", "api sends nothing to"),
    ("https://api.example.org/v1x/", "it allows https://api.example.org/v1, http://tickets.corp.example:8080/rest/"),
])  # fmt: skip
def test_an_address_that_the_controller_does_not_allow(tmp_path: pathlib.Path, url: str, says: str) -> None:
    written = "https://api.example.org/v1/nodes/{{ parameters.node }}/restart"
    found = mistakes(load(tmp_path, actions=ACTIONS.replace(written, url)))
    assert [(code, line, column) for code, line, column, _ in found] == [("forbidden-address", 5, 12)]
    assert says in found[0][3]


@pytest.mark.parametrize(("auth", "request_"), [
    ("{bearer: {secret: 'env:A'}}", "headers: {⟦authorization: x, X-A: y}"), ("{basic: {username: a, password: {secret: 'env:A'}}}", "headers: {⟦Authorization: x}"),
    ("{header: {name: X-Key, value: {secret: 'env:A'}}}", "headers: {⟦x-key: x, Authorization: y}"),
    ("{header: {name: X-Key, value: {secret: 'env:A'}}}", "idempotency_key: ⟦X-KEY"),
    ("{bearer: {secret: 'env:A'}}", "headers: {X-Key: x}, idempotency_key: X-Id"), ("null", "headers: {Authorization: x}"),
])  # fmt: skip
def test_a_header_that_is_the_controllers_own(tmp_path: pathlib.Path, auth: str, request_: str) -> None:
    lines = [line for line in CONTROLLERS.splitlines() if not line.startswith(("    auth:", "    headers:"))]
    lines.insert(lines.index("    type: http") + 1, f"    auth: {auth}")
    line = f"    http: {{method: PUT, url: restart, {request_}}}"
    actions = f"{ACTIONS}  a:\n{line.replace(AT, '')}\n    controller: api\n    impact: low\n"
    found = mistakes(load(tmp_path, "\n".join(lines), actions))
    columns = [line.index(AT) + 1] if AT in line else []
    assert [(code, column) for code, _, column, _ in found] == [("forbidden-header", column) for column in columns]
    assert all("is the own one of api (auth): an action cannot set it" in message for *_, message in found)


def test_a_controller_that_cannot(tmp_path: pathlib.Path) -> None:
    (found,) = mistakes(
        load(
            tmp_path,
            actions=ACTIONS.replace("{method: PUT, url: restart}\n    controller: api", "{method: PUT, url: restart}"),
        )
    )
    assert found[0] == "controller_forbidden"
    assert "cannot run actions of the kind http" in found[3]


def test_the_target_of_a_rule_has_to_be_allowed(tmp_path: pathlib.Path) -> None:
    loaded = load(tmp_path)
    (tmp_path / "rulebooks" / "web.yml").write_text(RULES.replace("{{ event.url }}", "https://evil.test/"))
    found = mistakes(project.load(tmp_path, {}))
    assert loaded.revision is not None
    assert [(code, line) for code, line, *_ in found] == [("unknown_target", 7)]


def test_a_controller_may_be_bound_to_addresses(tmp_path: pathlib.Path) -> None:
    bound = CONTROLLERS.replace("    concurrency: 5", '    targets: ["https://api.example.org:443/v1/a"]')
    revision = load(tmp_path, bound).revision
    assert revision is not None
    for name, problems in (("a", 0), ("b", 1)):
        target = revision.resolve_target("api", f"https://api.example.org/v1/{name}")
        assert isinstance(target, model.Target)
        assert len(revision.forbidden("api", "restart_at", "http", [target])) == problems


def test_the_schema_takes_what_the_project_takes(tmp_path: pathlib.Path) -> None:
    for kind, text in (("controllers", CONTROLLERS), ("actions", ACTIONS)):
        schema = project.schema(kind)
        jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))
        wrong: Any = yaml.safe_load(text.replace("timeout: 10", "colour: 10").replace("method: POST", "method: GRAB"))
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(wrong)
    assert "api.example.org" not in json.dumps(project.schema("actions"))


def test_the_type_is_found() -> None:
    assert "http" in plugins.builtin_names("controllers")
    assert plugins.find("controllers", "http").CONTROLLER is http.Http
