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
FILES = {"checks/own.py": OWN, "checks/broken.py": "1 / 0\n", "checks/none.py": "CHECK = 5\n"}
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


@pytest.mark.parametrize(("text", "code"), [
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
    found = list(dict.fromkeys(told(changes)))  # what `verify` may be instead is told at the same place
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
