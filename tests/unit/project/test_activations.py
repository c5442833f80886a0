"""`activations:`: the same rulebook under several names, with variables, inventory, mode, environment and sources of its own."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from healer import project

BOOK = """\
- name: rs
  hosts: all
  sources:
    - name: hook
      range: {limit: "{{ limit }}"}
  rules:
    - name: "in {{ region }}"
      condition: event.region == vars.region
      action: {run_playbook: {name: restart.yml}}
"""
FILES: dict[str, str | bytes | None] = {
    "rulebooks/team/web.yml": None,
    "rulebooks/cisco.yml": BOOK,
    "inventory/eu": "[eu]\neu[01:02]\n",
    "vars/eu.yml": "region: nowhere\nlimit: 4\n",
}


def settings(*listed: str, more: str = "") -> str:
    return f"environment: test\n{more}activations:\n" + "".join(f"  - {one}\n" for one in listed)


EU = "{name: cisco-eu, rulebook: rulebooks/cisco.yml, vars_files: [vars/eu.yml], vars: {region: eu}, inventory: inventory/eu, mode: observe}"
US = "{name: cisco-us, rulebook: rulebooks/cisco.yml, vars: {region: us, limit: 7}, env: {A: x, T: {secret: 'env:TOKEN'}}, restart: always}"

HIDDEN = f"{{name: {project.HIDDEN_ACTIVATION}, rulebook: rulebooks/cisco.yml, vars: {{region: x, limit: 1}}}}"

Write = Callable[[Mapping[str, str | bytes | None]], pathlib.Path]


def load(write: Write, text: str, more: Mapping[str, str | bytes | None] | None = None) -> project.Loaded:
    return project.load(write({**FILES, "healer.yaml": text, **(more or {})}), {})


def sound(write: Write, text: str, more: Mapping[str, str | bytes | None] | None = None) -> project.Revision:
    loaded = load(write, text, more)
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return loaded.revision


def told(loaded: project.Loaded) -> list[tuple[str, str, int]]:
    return [(one.code, one.place.file, one.place.line) for one in loaded.diagnostics if one.severity == "error"]


def test_one_rulebook_twice(write: Write) -> None:
    revision = sound(write, settings(EU, US))
    eu, us = revision.activations[:2]
    assert [one.name for one in revision.activations] == ["cisco-eu", "cisco-us", project.HIDDEN_ACTIVATION]
    assert (eu.variables, us.variables) == ({"region": "eu", "limit": 4}, {"region": "us", "limit": 7})
    assert (eu.rulesets[0].rules[0].name, us.rulesets[0].rules[0].name) == ("in eu", "in us")
    assert (eu.mode, us.mode, eu.restart, us.restart) == ("observe", None, "on_failure", "always")
    assert (eu.inventory, us.inventory) == ("inventory/eu", "")
    assert us.env == {"A": "x", "T": {"secret": "env:TOKEN"}}
    sources = {name: found for name, found in revision.sources.items() if "/" in name}
    assert {name: found.args["limit"] for name, found in sources.items()} == {
        "cisco-eu/rs/hook": 4,
        "cisco-us/rs/hook": 7,
    }
    assert sources["cisco-us/rs/hook"].env == us.env
    assert {found.shown for found in sources.values()} == {"hook"}


def test_an_inventory_of_its_own_takes_the_place_of_the_controllers(write: Write) -> None:
    revision = sound(write, settings(EU, US))
    assert [str(one) for one in revision.under("inventory/eu").expand_hosts("site", ["all"])[0]] == [
        "host:eu01",
        "host:eu02",
    ]
    assert "host:web01" in [str(one) for one in revision.under("").expand_hosts("site", ["all"])[0]]


def test_what_is_off_is_checked_and_does_nothing(write: Write) -> None:
    revision = sound(
        write, settings("{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}, mode: off}")
    )
    assert [one.name for one in revision.activations] == [project.HIDDEN_ACTIVATION]
    assert not any("/" in name for name in revision.sources)
    wrong = load(write, settings("{name: a, rulebook: rulebooks/cisco.yml, mode: off}"))
    assert ("condition-variable", "rulebooks/cisco.yml", 8) in told(wrong) or told(wrong)


def test_a_shared_source_takes_the_place_of_the_files_own(write: Write) -> None:
    shared = "sources: {am: {healer.webhook: {path: am, auth: {none: true}}}}\n"
    text = settings("{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x}, sources: {hook: am}}", more=shared)
    revision = sound(write, text)
    assert revision.sources["am"].subscribers == (("a", "rs"),)
    assert not any("/" in name for name in revision.sources)


def test_a_rulebook_that_nothing_names_is_off_and_told(write: Write) -> None:
    loaded = load(write, settings(US), {"rulebooks/other.yml": BOOK})
    assert [(one.code, one.place.file) for one in loaded.diagnostics if one.code == "not-activated"] == [
        ("not-activated", "rulebooks/other.yml")
    ]


def test_none_at_all_is_a_project_without_rules(write: Write) -> None:
    assert [one.name for one in sound(write, "activations: []\n").activations] == [project.HIDDEN_ACTIVATION]


@pytest.mark.parametrize(
    ("listed", "codes"),
    [
        ("{name: a, rulebook: rulebooks/gone.yml}", ["no-file"]),
        ("{name: a, rulebook: cisco.ios.gone}", ["no-file"]),
        ("{name: a, rulebook: ../x.yml}", ["no-file"]),
        ("{name: a}", ["options"]),
        ("{name: a, rulebook: rulebooks/cisco.yml, colour: red}", ["options"]),
        ("{name: 'a b', rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}}", ["name"]),
        *(
            (f"{{name: '{name}', rulebook: rulebooks/cisco.yml, vars: {{region: x, limit: 1}}}}", ["name"])
            for name in ("a//b", "x/", "a/./b", "a/../b", "a/..")
        ),
        (HIDDEN, ["reserved-name"]),
        ("{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1, event: 5}}", ["reserved-name"]),
        ("{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1, 'a-b': 5}}", ["name"]),
        ("{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}, env: {'a b': x}}", ["name"]),
        (
            "{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}, vars_files: [vars/no.yml]}",
            ["no-file"],
        ),
        (
            "{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}, vars_files: [../no.yml]}",
            ["path-escapes"],
        ),
        ("{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}, inventory: gone}", ["no-inventory"]),
        (
            "{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}, sources: {gone: am}}",
            ["unknown-source"],
        ),
        (
            "{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}, sources: {hook: gone}}",
            ["unknown-source"],
        ),
        ("just text", ["wrong-type"]),
        ("{name: a, rulebook: rulebooks/cisco.yml, vars: {limit: 1}}", []),
        ("{name: a, rulebook: rulebooks/cisco.yml, vars: {region: x}}", ["template"]),
    ],
)
def test_mistakes(write: Write, listed: str, codes: list[str]) -> None:
    found = [code for code, _, _ in told(load(write, settings(listed)))]
    assert found
    assert set(codes) <= set(found)


def test_two_of_one_name(write: Write) -> None:
    found = load(write, settings(US, US))
    (twice,) = [one for one in found.diagnostics if one.code == "duplicate-name" and one.place.file == "healer.yaml"]
    assert (twice.place.line, twice.message) == (
        4,
        "the activation 'cisco-us' is there twice, first at healer.yaml:3:12",
    )


def test_a_rulebook_of_a_collection_is_copied_into_the_revision(
    write: Write, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    book = home / ".ansible/collections/ansible_collections/cisco/ios/extensions/eda/rulebooks/links.yml"
    book.parent.mkdir(parents=True)
    book.write_text(BOOK)
    monkeypatch.setenv("HOME", str(home))
    text = settings("{name: a, rulebook: cisco.ios.links, vars: {region: x, limit: 1}}")
    revision = sound(write, text)
    published = project.publish(revision, tmp_path_factory.mktemp("data"))
    book.write_text("- something else\n")
    again = project.load(published, {}).revision
    assert again is not None
    assert again.id == revision.id == project.verify(published)
    assert again.activations[0].rulesets[0].rules[0].name == "in x"
    assert [one.code for one in project.load(write({"healer.yaml": text}), {}).diagnostics if one.severity == "error"]


def test_upstream_actions_are_not_warned_of_where_they_are_meant(write: Write) -> None:
    base = "name: a, rulebook: rulebooks/cisco.yml, vars: {region: x, limit: 1}"
    codes = [
        [one.code for one in load(write, settings(f"{{{base}{more}}}")).diagnostics]
        for more in ("", ", compat: upstream")
    ]
    assert ["ungated-action" in found for found in codes] == [True, False]


WRONG = """\
environment: test
sources: {am: {healer.webhook: {path: am, auth: {none: true}}}}
activations:
  - name: ⟦all wrong
    rulebook: ⟦rulebooks/gone.yml
    mode: ⟦observ
    restart: ⟦often
  - name: a
    rulebook: rulebooks/cisco.yml
    env: {A: ⟦1, ⟦"C=D": x, ⟦"E F": ⟦2}
    vars_files: [⟦vars/gone.yml, ⟦../out.yml, ⟦5, vars/eu.yml]
    vars: {⟦event: 1}
    inventory: ⟦gone
    sources: {⟦nobody: ⟦nosuch, hook: ⟦nosuch}
  - {name: b, ⟦colour: red, rulebook: ⟦rulebooks/none.yml, inventory: ⟦../x}
  - ⟦{rulebook: ⟦rulebooks/lost.yml}
  - {name: ⟦5, rulebook: ⟦rulebooks/lost.yml}
  - {name: ⟦a, rulebook: rulebooks/wrong.yml, vars_files: [⟦vars/gone.yml]}
"""
OF_RULEBOOK = """\
- name: ⟦(gather_facts)
  hosts: all
  sources: [{range: {limit: "{{ nobody_knows }}"}}, {⟦nothing: {}}]
  rules:
    - {name: "{{ nobody_knows }}", condition: event.a == vars.unknown, action: {none: {}}}
    - {name: r, condition: 'event.a == "{{ unknown }}"', action: {run_action: {name: ⟦nosuch, target: web01}}}
    - {name: s, condition: event.a == 1 ⟦2, action: {none: {}}}
"""


def test_every_mistake_of_every_activation_is_told_at_once(write: Write, marked: Any) -> None:
    files = {"healer.yaml": WRONG, "rulebooks/wrong.yml": OF_RULEBOOK}
    loaded = load(write, files["healer.yaml"], files)
    found = sorted(
        {(one.place.file, one.place.line, one.place.column) for one in loaded.diagnostics if one.severity == "error"}
    )
    assert found == sorted(marked(files))
    assert "empty-project" not in [one.code for one in loaded.diagnostics]


def test_variables_that_are_known_are_missed_in_the_rulebook_too(write: Write) -> None:
    assert told(load(write, settings("{name: c, mode: on, rulebook: rulebooks/cisco.yml, vars: {limit: 1}}"))) == [
        ("options", "healer.yaml", 3), ("template", "rulebooks/cisco.yml", 7), ("vars-missing", "rulebooks/cisco.yml", 8),
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["off", "active"])
def test_what_is_off_may_name_what_is_shared(write: Write, mode: str) -> None:
    book = BOOK.replace("    - name: hook\n", "    - healer.source: {name: am}\n    - name: hook\n")
    shared = "sources: {am: {healer.webhook: {path: am, auth: {none: true}}}}\n"
    listed = f"{{name: a, rulebook: rulebooks/cisco.yml, vars: {{region: x, limit: 1}}, mode: {mode}}}"
    revision = sound(write, settings(listed, more=shared), {"rulebooks/cisco.yml": book})
    assert revision.sources["am"].subscribers == ((("a", "rs"),) if mode == "active" else ())


def test_a_project_whose_activations_are_wrong_is_not_called_empty(write: Write) -> None:
    listed = settings("{name: a, rulebook: rulebooks/cisco.yml, vars_files: [vars/gone.yml]}")
    alone: dict[str, str | bytes | None] = {
        "actions.yaml": None,
        "scripts/clean.sh": None,
        "scripts/clean.meta.yml": None,
    }
    assert [one.code for one in load(write, listed, alone).diagnostics] == ["no-file", "ungated-action"]
