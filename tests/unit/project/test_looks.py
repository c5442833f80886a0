"""Checks that actions and `verify` name: found, their options looked at where they stand, and a controller that can look."""

from __future__ import annotations

from typing import Any

import pytest

from healer import project

OWN = """
from healer import plugins

class OwnOptions(plugins.Options):
    path: str
    least: int = 1
    token: plugins.SecretRef | None = None

class Own(plugins.Check):
    Options = OwnOptions
    subject = look = lambda self: None

CHECK = Own
"""
SITE = """
from healer import plugins

class SiteOptions(plugins.Options):
    places: list[str]
    word: str = ""

class Site(plugins.Check):
    Options = SiteOptions
    addresses = ("places",)
    subject = look = lambda self: None

CHECK = Site
"""
FILES = {"checks/own.py": OWN, "checks/site.py": SITE, "checks/broken.py": "1 / 0\n", "checks/none.py": "CHECK = 5\n"}
P = "parameters: {n: {type: integer, default: 1}, s: {type: string}}, required: [s]"
V = "controller: here, impact: low"


def action(text: str, **more: str) -> dict[str, str]:
    """Metadata of an action beside the script `look.sh`."""
    return {**FILES, "scripts/look.sh": "#!/bin/sh\n", "scripts/look.meta.yml": f"{{{text}}}\n", **more}


@pytest.mark.parametrize("text", [
    "check: {http: {url: 'https://x/y'}}, controller: here", "check: {own: {path: x, least: 3}}, controller: here",
    f"check: {{own: {{path: 'x-{{{{ parameters.s }}}}', least: '{{{{ parameters.n }}}}'}}}}, controller: here, {P}",
    f"check: {{disk: {{path: /, used_percent_max: '{{{{ parameters.n }}}}'}}}}, controller: here, {P}",
    f"{V}, verify: {{check: {{own: {{path: '{{{{parameters.s}}}}'}}}}, within: 1m}}, {P}",
])  # fmt: skip
def test_what_is_right_is_taken(told: Any, text: str) -> None:
    assert told(action(text)) == []


@pytest.mark.parametrize("url", [
    "http://x/{{ parameters.s }}", "http://x:81/a/{{ parameters.s }}.{{ parameters.n }}?q={{ parameters.s }}#{{ parameters.s }}",
    "http://x?q={{ parameters.s }}", "http://[::1]/{{ parameters.s }}", "http://u:w@x/y",
])  # fmt: skip
def test_a_parameter_may_stand_behind_the_host_of_an_address(told: Any, url: str) -> None:
    assert told(action(f"check: {{http: {{url: '{url}'}}}}, controller: here, {P}")) == []
    assert told(action(f"check: {{site: {{places: ['{url}']}}}}, controller: here, {P}")) == []


@pytest.mark.parametrize("url", [
    "http://{{ parameters.s }}/", "{{ parameters.s }}", "{{ parameters.s }}://x/", "http://x:{{ parameters.n }}/y", "http://x{{ parameters.s }}",
    "http://x.{{ parameters.s }}/y", "http://{{ parameters.s }}@x/", "http://x:1{{ parameters.n }}?a", "x/{{ parameters.s }}", "http:///{{ parameters.s }}",
])  # fmt: skip
@pytest.mark.parametrize("where", ["action", "verify", "defaults", "own"])
def test_and_nowhere_before_it(write: Any, marked: Any, sound: dict[str, str], url: str, where: str) -> None:
    """As in `http:` of an action: no event chooses where the daemon asks."""
    changes = {
        "action": action(f"check: {{http: {{url: ⟦'{url}'}}}}, controller: here, {P}"),
        "verify": action(f"{V}, verify: {{check: {{http: {{url: ⟦'{url}'}}}}, within: 1m}}, {P}"),
        "defaults": of_defaults(sound, f"{{check: {{http: {{url: ⟦'{url}'}}}}, within: 1m}}"),
        "own": action(f"check: {{site: {{places: ['http://x/', ⟦'{url}']}}}}, controller: here, {P}"),
    }[where]
    (told,) = [one for one in project.load(write(changes), {}).diagnostics if one.severity == "error"]
    what = "the check 'site': places" if where == "own" else "the check 'http': url"
    said = "a parameter cannot stand in the scheme, host or port: each host has a check of its own"
    assert (told.code, told.message) == ("options", f"{what}: {said}")
    assert [(told.place.file, told.place.line, told.place.column)] == marked(changes)


def test_an_address_with_parameters_has_one_meaning(told: Any, marked: Any) -> None:
    for url in (
        "http://x/../{{ parameters.s }}",
        "http://u:w@x/{{ parameters.s }}",
        "http://x:99999/{{ parameters.s }}",
    ):
        changes = action(f"check: {{http: {{url: ⟦'{url}'}}}}, controller: here, {P}")
        assert told(changes) == [(marked(changes)[0], "options")]


@pytest.mark.parametrize(("text", "code"), [
    ("check: {http: {url: ⟦'http://127.0.0.1:99999/'}}, controller: here", "options"),
    ("check: {⟦htpp: {url: 'https://x'}}, controller: here", "unknown-check"), ("check: {⟦own: {}}, controller: here", "options"),
    ("check: {⟦broken: {}}, controller: here", "broken-plugin"), ("check: {⟦none: {}}, controller: here", "broken-plugin"),
    ("check: {own: {path: x, ⟦leats: 3}}, controller: here", "options"), ("check: {own: {path: x, least: ⟦many}}, controller: here", "options"),
    ("check: {http: {url: ⟦x}}, controller: here", "options"), ("⟦check: {}, controller: here", "options"), ("check: ⟦5, controller: here", "options"),
    ("⟦check: {own: {path: x}, disk: {path: /}}, controller: here", "options"), ("check: {own: ⟦5}, controller: here", "options"),
    ("check: {own: {path: ⟦'{{ parameters.x }}'}}, controller: here", "unknown-parameter"),
    ("check: {own: {path: ⟦'{{ event.x }}'}}, controller: here", "template"),
    ("check: {own: {path: x, token: {⟦secret: 'env:X'}}}, controller: here", "inline-secret"),
    (f"{V}, verify: {{check: {{⟦ownn: {{}}}}, within: 1m}}", "unknown-check"), (f"{V}, verify: {{check: {{own: {{path: ⟦5}}}}, within: 1m}}", "options"),
    (f"{V}, verify: {{check: {{own: {{path: ⟦'{{{{ parameters.x }}}}'}}}}, within: 1m}}", "unknown-parameter"),
    (f"{V}, parameters: {{s: {{}}}}, verify: {{check: {{own: {{path: ⟦'{{{{ parameters.s }}}}'}}}}, within: 1m}}", "template"),
    (f"{V}, ⟦verify: {{check: {{own: {{path: x}}}}}}", "options"), (f"{V}, ⟦verify: {{check: {{own: {{path: x}}}}, action: clean, within: 1m}}", "options"),
    (f"{V}, ⟦verify: {{check: {{own: {{path: x}}}}, within: 1m, parameters: {{s: x}}}}", "options"),
    ("check: ⟦{own: {path: x}}", "controller_forbidden"),
])  # fmt: skip
def test_what_is_wrong_is_told_where_it_stands(told: Any, marked: Any, text: str, code: str) -> None:
    changes = action(text)
    found = told(changes)
    assert [one[1] for one in found] == [code], found
    assert [one[0] for one in found] == marked(changes)


def of_defaults(sound: dict[str, str], text: str) -> dict[str, str]:
    return {**FILES, "healer.yaml": f"{sound['healer.yaml']}defaults: {{run_action: {{verify: {text}}}}}\n"}


@pytest.mark.parametrize(("text", "codes"), [
    ("{check: {own: {path: '{{ parameters.s }}'}}, within: 1m}", []), ("{check: {⟦onw: {path: x}}, within: 1m}", ["unknown-check"]),
    ("{check: {own: {path: ⟦5}}, within: 1m}", ["options"]), ("{check: {own: {path: ⟦'{{ event.x }}'}}, within: 1m}", ["template"]),
])  # fmt: skip
def test_the_defaults_are_looked_at_too(
    told: Any, marked: Any, sound: dict[str, str], text: str, codes: list[str]
) -> None:
    changes = of_defaults(sound, text)
    found = told(changes)
    assert [one[1] for one in found] == codes, found
    assert [one[0] for one in found] == marked(changes)


def test_what_a_variable_says_is_looked_at_too(write: Any) -> None:
    value = "{check: {onw: {path: x}}, within: 1m}"
    loaded = project.load(write(FILES), {"HEALER_DEFAULTS__RUN_ACTION__VERIFY": value})
    (told,) = [one for one in loaded.diagnostics if one.severity == "error"]
    assert (told.code, told.place.file, told.try_) == (
        "unknown-check",
        "HEALER_DEFAULTS__RUN_ACTION__VERIFY",
        "did you mean 'own'?",
    )


@pytest.mark.parametrize(("verify", "says"), [
    ("{check: {http: {url: 'http://x/'}}, within: 5}", "verify.within: a duration like '5 minutes' or '5m' is wanted, got 5"),
    ("{action: clean}", "verify: within: how long the action may take to succeed has to be given, like 2 minutes"),
    ("{}", "verify: exactly one of 'action', 'check' and 'resolved_within' is wanted"),
    ("{check: {http: {url: 'http://x/'}}, wihtin: 5m}", "the key 'wihtin' is not known here"),
    ("5", "verify: a mapping with some of action, parameters, check, within, resolved_within or 'none' or 'off' is wanted, got 5"),
])  # fmt: skip
@pytest.mark.parametrize("where", ["action", "defaults"])
def test_one_mistake_of_verify_is_told_once(
    write: Any, sound: dict[str, str], verify: str, says: str, where: str
) -> None:
    changes = action(f"{V}, verify: {verify}") if where == "action" else of_defaults(sound, verify)
    (told,) = [one for one in project.load(write(changes), {}).diagnostics if one.severity == "error"]
    prefix = "the action 'look': " if where == "action" else "healer.yaml: "
    wanted = says.replace(" or 'none' or 'off'", "") if where == "defaults" else says
    assert told.message.removeprefix(prefix).removeprefix("defaults.run_action.") == wanted


def test_somebody_has_to_look(told: Any, marked: Any) -> None:
    changes = {
        **FILES, "controllers.yaml": "controllers: {site: {type: ansible, inventory: inventory}}\n", "scripts/clean.meta.yml": None,
        "playbooks/fix.yml": "[]\n", "playbooks/fix.meta.yml": "{impact: low, verify: {⟦check: {own: {path: x}}, within: 1m}}\n",
    }  # fmt: skip
    assert told(changes) == [(marked(changes)[0], "controller_forbidden")]


def test_no_check_by_the_name_of_one_that_ships(told: Any) -> None:
    found = told({"checks/http.py": "", "checks/x.yml": ""})
    assert [(place[0], code) for place, code in found] == [
        ("checks/http.py", "plugin-shadows"),
        ("checks/x.yml", "wrong-folder"),
    ]


def test_a_source_may_look_with_a_check_of_the_project(write: Any, sound: dict[str, str]) -> None:
    def load(more: str, own: str = OWN) -> project.Loaded:
        source = f"{sound['healer.yaml']}  mine: {{check: {{{more}}}}}\n"
        return project.load(write({**FILES, "checks/own.py": own, "healer.yaml": source}), {})

    codes = set()
    for own in (OWN, OWN + "\n# changed\n"):
        revision = load("own: {path: x}, interval: 5m", own).revision
        assert revision is not None
        codes.add(revision.sources["mine"].code)
    assert len(codes - {""}) == 2, "a source whose check is edited would go on as it was"
    wrong = {
        "onw: {path: x}": "options", "broken: {}": "broken-plugin", "own: {path: 5}": "options",
        "own: {path: x}, http: {url: 'http://x'}": "options",
    }  # fmt: skip
    for more, code in wrong.items():
        assert [one.code for one in load(more).diagnostics if one.severity == "error"] == [code], more
