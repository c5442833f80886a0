"""Ports that sources of event-driven Ansible listen on: one listener for equal wishes, a mistake for all others."""

from __future__ import annotations

from typing import Any

import pytest

from healer import errors, project, vault
from healer.project import listeners

HOOK = "- name: rs\n  hosts: all\n  sources: [{%s}]\n  rules: [{name: r, condition: true, action: {none: {}}}]\n"


def listening(
    write: Any, *sources: str, settings: str = "{}\n", more: dict[str, str | bytes | None] | None = None
) -> Any:
    files: dict[str, str | bytes | None] = {
        f"rulebooks/{number}.yml": HOOK % text for number, text in enumerate(sources)
    }
    plugin = "collections/ansible_collections/ansible/eda/extensions/eda/plugins/event_source/alertmanager.py"
    files[plugin] = "async def main(queue, args):\n    pass\n"
    return project.load(write({"rulebooks/team/web.yml": None, "healer.yaml": settings, **files, **(more or {})}), {})


def mistakes(loaded: Any) -> list[tuple[str, str, str]]:
    return [(str(one.place), one.code, one.message) for one in loaded.diagnostics if one.severity == "error"]


def test_equal_listeners_are_one(write: Any) -> None:
    same = "ansible.eda.webhook: {host: 0.0.0.0, port: 5000, token: t}"
    revision = listening(write, same, f"name: mine, {same}").revision
    assert revision.sources["ansible.eda.webhook:5000"].subscribers == (("0", "rs"), ("1", "rs"))
    assert [name for name in revision.sources if "webhook" in name] == ["ansible.eda.webhook:5000"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ("ansible.eda.webhook: {port: 5000, token: second}", "its token is another: one listener can check one only"),
        ("ansible.eda.webhook: {port: 5000, token: t, certfile: /c}", "its TLS is another (certfile)"),
        ("ansible.eda.alertmanager: {}", "that is a source of another type, ansible.eda.webhook"),
        ("ansible.eda.webhook: {port: '5000', host: 127.0.0.1, token: t}", "host is another there"),
    ],
)
def test_other_wishes_for_a_port_are_refused_with_both_places(write: Any, other: str, why: str) -> None:
    loaded = listening(write, "ansible.eda.webhook: {port: 5000, token: t}", other)
    (found,) = [one for one in loaded.diagnostics if one.code == "port-shared"]
    assert (
        found.message
        == f"port 5000 of the activation '1' is taken by the source of '0' at rulebooks/0.yml:3:14, and {why}"
    )
    assert found.place == errors.Place("rulebooks/1.yml", 3, 14)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("localhost", "127.0.0.1"),
        ("'::1'", "localhost"),
        ("LocalHost", "localhost"),
        ("'0:0:0:0:0:0:0:1'", "'::1'"),
        ("127.0.0.1", "null"),
        ("192.0.2.1", "'0:0:0:0:0:0:0:0'"),
    ],
)
def test_addresses_meet_however_they_are_written(write: Any, one: str, two: str) -> None:
    loaded = listening(write, *(f"ansible.eda.webhook: {{port: 5000, host: {host}}}" for host in (one, two)))
    said = "port 5000 of the activation '1' is taken by the source of '0' at rulebooks/0.yml:3:14, and host is another there"
    assert mistakes(loaded) == [("rulebooks/1.yml:3:14", "port-shared", said)]


def test_other_addresses_do_not_meet(write: Any) -> None:
    one, two, three = (f"ansible.eda.webhook: {{port: 5000, host: '{n}'}}" for n in ("127.0.0.1", "127.0.0.2", "::1"))
    revision = listening(write, one, two, three).revision
    names = {f"ansible.eda.webhook:{host}:5000" for host in ("127.0.0.1", "127.0.0.2", "::1")}
    assert names <= set(revision.sources)


@pytest.mark.parametrize(
    ("kind", "args", "host", "port"),
    [
        ("ansible.eda.webhook", {"port": "5001", "host": "Localhost"}, "localhost", 5001),
        ("eda.builtin.alertmanager", {}, "127.0.0.1", 5000),
        ("ansible.eda.webhook", {"port": 5001, "host": "::"}, "::1", 5001),
        ("webhook", {"port": 99999}, "", 0),
        ("webhook", {"port": {"secret": "env:P"}}, "", 0),
        ("range", {"port": 5001}, "", 0),
    ],
)
def test_where_a_source_is_reached(kind: str, args: Any, host: str, port: int) -> None:
    found = listeners.reached(listeners.of(kind, args))
    assert (found.host if port else "", found.port) == (host, port)


@pytest.mark.parametrize(
    ("settings", "source", "taken"),
    [
        ("{}", "port: 8080", "127.0.0.1"),
        ("server: {host: 0.0.0.0, port: 9000}", "port: '9000', host: 127.0.0.1", "0.0.0.0"),
        ("server: {host: localhost}", "port: 8080, host: '::1'", "localhost"),
        ("server: {host: 127.0.0.1, port: 9000}", "port: 8080", ""),
        ("server: {host: 127.0.0.1}", "port: 8080, host: 127.0.0.2", ""),
        ("server: {port: 0}", "port: 8080", ""),
    ],
)
def test_the_daemons_own_port_is_taken(write: Any, settings: str, source: str, taken: str) -> None:
    loaded = listening(write, f"ansible.eda.webhook: {{{source}}}", settings=settings + "\n")
    port = "9000" if "9000" in source else "8080"
    wanted = ("rulebooks/0.yml:3:14", "port-shared", f"port {port} is the daemon's own (server.port, on {taken})")
    assert mistakes(loaded) == ([wanted] if taken else [])


@pytest.mark.parametrize(
    ("args", "place", "said"),
    [
        ("{port: 99999}", "rulebooks/0.yml:3:42", "port: a number from 1 to 65535 is wanted, got 99999"),
        ("{port: -1}", "rulebooks/0.yml:3:42", "port: a number from 1 to 65535 is wanted, got -1"),
        ("{port: x}", "rulebooks/0.yml:3:42", "port: a number from 1 to 65535 is wanted, got 'x'"),
        ("{port: true}", "rulebooks/0.yml:3:42", "port: a number from 1 to 65535 is wanted, got true"),
        ("{port: 5000.0}", "rulebooks/0.yml:3:42", "port: a number from 1 to 65535 is wanted, got 5000.0"),
        ("{token: t}", "rulebooks/0.yml:3:14", "the key 'port' is missing"),
        ("{port: null}", "rulebooks/0.yml:3:14", "the key 'port' is missing"),
        ("{}", "rulebooks/0.yml:3:14", "the key 'port' is missing"),
    ],
)
def test_a_webhook_needs_a_port_that_there_is(write: Any, args: str, place: str, said: str) -> None:
    assert mistakes(listening(write, f"ansible.eda.webhook: {args}")) == [
        (place, "options", f"ansible.eda.webhook: {said}")
    ]


@pytest.mark.parametrize(
    "source", ["ansible.eda.alertmanager: {}", "ansible.eda.webhook: {port: 0}", "range: {limit: 1}"]
)
def test_sources_that_need_no_port(write: Any, source: str) -> None:
    assert mistakes(listening(write, source)) == []


def test_a_copy_in_the_project_listens_as_what_it_was_copied_from(write: Any) -> None:
    own: dict[str, str | bytes | None] = {"sources/alertmanager.py": "async def main(queue, args):\n    pass\n"}
    loaded = listening(write, "alertmanager: {}", "ansible.eda.webhook: {port: 5000}", more=own)
    said = "that is a source of another type, alertmanager"
    said = f"port 5000 of the activation '1' is taken by the source of '0' at rulebooks/0.yml:3:14, and {said}"
    assert mistakes(loaded) == [("rulebooks/1.yml:3:14", "port-shared", said)]


def test_a_port_that_is_known_at_the_start_only(write: Any) -> None:
    assert mistakes(listening(write, "ansible.eda.webhook: {port: {secret: 'env:PORT'}}")) == []


def test_a_shared_source_has_its_port_alone(write: Any) -> None:
    hook = "ansible.eda.webhook: {port: 5000}"
    loaded = listening(write, hook, settings=f"sources: {{hook: {{{hook}}}}}\n")
    (found,) = [one for one in loaded.diagnostics if one.code == "port-shared"]
    assert str(found.place) == "rulebooks/0.yml:3:14"
    said = "port 5000 of the activation '0' is taken by the source at healer.yaml:1:18, and healer.yaml shares it"
    assert found.message == said
    assert found.try_ == "healer.source: {name: hook} in its place, or another port"


def test_two_shared_sources_cannot_have_one_port(write: Any) -> None:
    hook = "ansible.eda.webhook: {port: 5000}"
    loaded = listening(
        write, "healer.source: {name: two}", settings=f"sources:\n  one: {{{hook}}}\n  two: {{{hook}}}\n"
    )
    assert mistakes(loaded) == [
        (
            "healer.yaml:3:9",
            "port-shared",
            "port 5000 is taken by the source at healer.yaml:2:9, and healer.yaml shares it",
        )
    ]
    assert loaded.diagnostics[0].try_ == "healer.source: {name: one} in its place, or another port"


TWICE = """\
activations:
  - {name: eu, rulebook: rulebooks/0.yml, vars: {token: %s}, env: {A: same, B: eu, C: {secret: "env:C"}}}
  - {name: us, rulebook: rulebooks/0.yml, vars: {token: %s}, env: {A: same, B: us, C: {secret: "env:C"}, D: more}}
"""
HOOK_OF = "ansible.eda.webhook: {port: 5000, token: '{{ token }}', certfile: tls/cert.pem, keyfile: tls/key.pem}"


def test_activations_share_a_listener_whatever_their_environment_is(write: Any) -> None:
    loaded = listening(write, HOOK_OF, settings=TWICE % ("t", "t"))
    assert mistakes(loaded) == []
    found = loaded.revision.sources["ansible.eda.webhook:5000"]
    assert found.subscribers == (("eu", "rs"), ("us", "rs"))
    assert found.env == {"A": "same", "C": {"secret": "env:C"}}


def test_other_tokens_on_one_port_are_told_with_both_activations(write: Any) -> None:
    said = (
        "port 5000 of the activation 'us' is taken by the source of 'eu' at rulebooks/0.yml:3:14, and its token is another: "
        "one listener can check one only"
    )
    told = [("rulebooks/0.yml:3:14", "port-shared", said)]
    assert mistakes(listening(write, HOOK_OF, settings=TWICE % ("t", "other"))) == told


@pytest.mark.parametrize(("one", "two", "opens", "shared"), [
    ("here", "here", True, True), ("here", "again", True, True), ("here", "whole", True, True), ("here", "plain", True, True),
    ("here", "other", True, False), ("whole", "other", True, False), ("here", "other", False, True),
])  # fmt: skip
def test_vaulted_tokens_are_compared_once_they_open(
    write: Any, sealed: Any, one: str, two: str, opens: bool, shared: bool
) -> None:
    token = {name: sealed(text).replace("\n", "\\n") for name, text in (("here", "t"), ("again", "t"), ("other", "u"))}
    files = {"vars/eu.yml": "", "vars/us.yml": ""}
    for name, kind in (("eu", one), ("us", two)):
        text = "token: t\n" if kind in ("plain", "whole") else f'token: "{token[kind]}"\n'
        files[f"vars/{name}.yml"] = sealed(text) if kind == "whole" else text
    settings = "activations:\n" + "".join(
        f"  - {{name: {name}, rulebook: rulebooks/0.yml, vars_files: [vars/{name}.yml]}}\n" for name in ("eu", "us")
    )
    base = write({"rulebooks/team/web.yml": None, "healer.yaml": settings, "rulebooks/0.yml": HOOK % HOOK_OF, **files})
    loaded = project.load(base, {}, opened=vault.Vault([("default", "right")]) if opens else None)
    assert [one.code for one in loaded.diagnostics if one.severity == "error"] == ([] if shared else ["port-shared"])
