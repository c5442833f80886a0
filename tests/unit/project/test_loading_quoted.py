"""What is told of a project: no password, no token, in no message and in no line below one, wherever it was written by mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import project

BARE = {"rulebooks/team/web.yml": None, "actions.yaml": None, "scripts/clean.meta.yml": None}
OF_CONTROLLERS = [
    'x: {type: aap, url: "https://u:LEAK@a.org", token: {secret: "env:T"}}', 'x: {type: aap, url: "https://a.org", token: "LEAK"}',
    'x: {type: aap, url: "https://a.org", username: [], password: LEAK}', 'x: {type: aap, url: "https://a.org", token: {secret: LEAK}}',
    'x: {type: aap, url: "https://a.org", token: {secrt: LEAK}}', 'x: {type: aap, url: "https://a.org", token: [LEAK]}',
    'x: {type: oc, namespaces: [a], server: "https://u:LEAK@a.org", token: {secret: "env:T"}}', "x: {type: oc, namespaces: [a], kubeconfig: LEAK}",
    'x: {type: http, allow: ["https://u:LEAK@a.org"]}', 'x: {type: http, allow: [{url: "https://u:LEAK@a.org", private: true}]}',
    'x: {type: http, allow: ["https://a.org"], auth: {bearer: LEAK}}', 'x: {type: http, allow: ["https://a.org"], auth: LEAK}',
    'x: {type: http, allow: ["https://a.org"], certificate: c.pem, key: LEAK, concurrency: 0}', 'x: {type: http, allow: ["https://a.org"], key: "LEAK\n  LEAK"}',
    'x: {type: http, allow: ["https://a.org"], headers: {X-A: LEAK, X-B: " LEAK "}}', 'x: {type: http, allow: ["https://a.org"], bogus: 1, headers: {X-A: LEAK}}',
    "x: {type: ssh, key: LEAK, prot: 22}", 'x: {type: ssh, jump: ["ops:LEAK@bastion"], bogus: 1}', 'x: {type: no_such, token: LEAK, url: "https://u:LEAK@a.org"}',
    "x: {type: ansible, vault_password: LEAK, forks: 0}", "x: {type: ansible, tags: [], vault_password: 'LEAK'",
    'x: {type: http, allow: ["https://a.org/?token=LEAK"]}', 'x: {type: http, allow: [{url: "https://a.org/?sig=LEAK"}]}', 'x: {type: aap, url: "https://u:LEAK pa@a.org/", token: {secret: "env:T"}}',
    'x: {type: ansible, inventory: "https://u:LEAK pa@a.org/"}', 'x: {type: ssh, known_hosts: "https://u:LEAK pa@a.org/"}', 'x: {type: ssh, jump: ["ops:LEAK pa@b"], bogus: 1}',
    "x: {type: aap, url: 'https://a.org', username: LEAK, password: LEAK}", "x:\n    type: aap\n    url: [a]\n    username: [LEAK]\n    password: LEAK",
    *(f"x: {{type: local, {key}: LEAK}}" for key in ("pasword", "tokne", "secert", "api-key", "apikey", "X-Auth-Token", "client_secret")),
    "x: {type: local, token: {value: LEAK}, bogus: 1}", "x: {type: local, bogus: 1, command: [curl, --token, LEAK]}", "x: {type: local, tags: [{password: LEAK}]}",
    "x:\n    type: local\n    tokne: |\n      LEAK\n      LEAK: [",
]  # fmt: skip
OF_NAMES = [
    'default: "https://u:LEAK pa@a.org/"',
    "default: https://u:pa LEAK@a.org/",
    'default: "https://a.org/?token=LEAK"',
    "default: https://u:p'LEAK@a.org/",
    "default: ops:pa LEAK@b",
]
OF_ACTIONS = [
    '{method: GET, url: "https://a.org/?token=LEAK"}', '{method: GET, url: "https://a.org/x?api_key=LEAK y"}', '{method: GET, url: "https://u:LEAK pa@a.org/x"}',
    *(f'{{method: GETT, url: "https://a.org", headers: {{{one}}}}}' for one in (
        "Authorization: Bearer LEAK", "Authorization: ' LEAK '", "authorization: [LEAK]", "X-Auth-Token: LEAK", "X-Api-Key: 'LEAK '", "Cookie: a=LEAK", "X-Other: Bearer LEAK",
        "Authorizaton: LEAK",
    )),
]  # fmt: skip
OF_THE_DAEMON = [
    'heartbeat: {url: "https://u:LEAK@a.org", every: 0}', 'sources: {x: {healer.webhook: {path: x, auth: {bearer: LEAK}}}}',
    'sources: {x: {healer.webhook: {path: x, auth: LEAK}}}', 'sources: {x: {check: {http: {url: "ftp://u:LEAK@a.org"}}}}',
    'sources: {x: {healer.webhook: {path: x, format: alertmanager, auth: {none: true}, reconcile: {url: "ftp://u:LEAK@a.org"}}}}',
    "activations: [{name: x, rulebook: none, env: {SOME: LEAK}, bogus: 1}]", 'server: {public_url: "https://u:LEAK@a.org"}', 'data_dir: 5 # https://u:LEAK@a.org',
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text"),
    [
        *(("controllers.yaml", f"controllers:\n  {one}\ndefault: x\n") for one in OF_CONTROLLERS),
        *(("healer.yaml", f"{one}\n") for one in OF_THE_DAEMON),
        *(
            ("controllers.yaml", f"controllers: {{x: {{type: local}}, y: {{type: local}}}}\n{one}\n")
            for one in OF_NAMES
        ),
        *(("actions.yaml", f"actions:\n  a: {{impact: low, target: none, http: {one}}}\n") for one in OF_ACTIONS),
    ],
)
def test_a_secret_that_was_written_in_its_place_is_not_quoted(write: Any, file: str, text: str) -> None:
    told = project.load(write({**BARE, file: text}), {}).diagnostics
    assert any(one.place.file == file and one.text for one in told), [str(one) for one in told]
    for one in told:
        assert "LEAK" not in str(one)
        assert "LEAK" not in json.dumps(one.as_json())


def test_the_hosts_of_a_ruleset_may_be_an_address_by_mistake(write: Any) -> None:
    rules = '- name: web\n  hosts: "https://u:LEAK pa@a.org/"\n  sources: []\n  rules: [{name: a, condition: event.x == 1, action: {run_playbook: {name: restart.yml}}}]\n'
    found = project.load(write({"rulebooks/team/web.yml": rules}), {}).diagnostics
    (one,) = [one for one in found if one.code == "no-hosts"]
    assert one.message == "no host of inventory matches 'https://***@a.org/'"
    assert "LEAK" not in "".join(map(str, found))


def test_what_is_no_option_leaves_no_controller_that_actions_are_held_against(write: Any) -> None:
    files = {"controllers.yaml": "controllers: {x: {type: http, allow: [{ulr: 'https://a.org'}]}}\n", **BARE,
             "actions.yaml": "actions: {a: {impact: low, target: none, http: {method: GET, url: 'https://a.org'}}}\n"}  # fmt: skip
    assert {one.code for one in project.load(write(files), {}).diagnostics if one.severity == "error"} == {"options"}


def test_lines_of_other_files_are_quoted_alike(write: Any) -> None:
    files = {"controllers.yaml": "controllers: {x: {type: ssh, config: files/config}}\n", "files/config": "Hostt a password=LEAK\n",
             "inventory/hosts": None, "inventory/x.yml": "{password: LEAK, plugin: a.b.c}\n", **BARE}  # fmt: skip
    told = [str(one) for one in project.load(write(files), {}).diagnostics]
    assert any("Hostt a password=***" in one for one in told), told
    assert any("password: ***" in one for one in told), told
    assert "LEAK" not in "".join(told)


def test_a_reference_and_what_is_no_secret_are_quoted(write: Any) -> None:
    text = 'controllers:\n  x: {type: aap, url: "https://a.org", token: {secret: "env:T"}, verify_tls: maybe}\ndefault: x\n'
    (one,) = project.load(write({**BARE, "controllers.yaml": text}), {}).diagnostics
    assert str(one).splitlines()[1:] == [
        '    2 |   x: {type: aap, url: "https://a.org", token: {secret: "env:T"}, verify_tls: maybe}',
        "      |                                                                              ^^^^^",
    ]


def test_a_key_ends_no_line_of_what_is_told(write: Any) -> None:
    text = 'controllers: {x: {type: http, allow: ["https://a.org"], headers: {"X-A\\r\\nB: told": x}}}\ndefault: x\n'
    (one,) = project.load(write({**BARE, "controllers.yaml": text}), {}).diagnostics
    assert (
        one.message
        == "the controller 'x': headers.X-A\\r\\nB: told: a name of a header is wanted, got 'X-A\\r\\nB: told'"
    )
    assert len(str(one).splitlines()) == 3
