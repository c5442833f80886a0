"""A key that stands twice hides nothing: the mistakes in each of its values are told at once, and none that is not there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import config, project
from healer.project import hidden

ACTIONS = """\
actions:
  restart: {playbook: restart.yml, impact: low, parameters: {service: {type: string}, wait_s: {}}, required: [service]}
"""
RULESET = """\
- name: web
  hosts: all
  sources:
    - healer.source: {name: am}
  rules:
    - name: down
      condition: event.alert.name == "Down"
      action: {run_action: {name: restart, target: web01, parameters: {service: nginx}}}
"""

CASES: list[tuple[str, dict[str, str], list[str]]] = [
    ("an action", {"actions.yaml": ACTIONS + "  clean: {script: ⟦no.sh, ⟦timout: 5m, controller: here, impact: low}\n"
                   "  other: {script: ⟦no.sh, controller: here, impact: low}\n  ⟦clean: {script: clean.sh, controller: here, ⟦impct: low}\n"},
     ["no-file", "options", "no-file", "duplicate-key", "options"]),
    ("an action three times", {"actions.yaml": ACTIONS + "  a: {script: ⟦x.sh, controller: here}\n  ⟦a: {script: ⟦y.sh, controller: here}\n"
                               "  ⟦a: {script: ⟦z.sh, controller: here}\n"},
     ["no-file", "duplicate-key", "no-file", "duplicate-key", "no-file"]),
    ("an option of an action", {"actions.yaml": ACTIONS + "  a: {script: clean.sh, controller: here, timeout: ⟦x, ⟦timeout: ⟦y}\n"},
     ["options", "duplicate-key", "options"]),
    ("all actions", {"actions.yaml": "actions:\n  a: {script: ⟦x.sh, controller: here}\n⟦" + ACTIONS}, ["no-file", "duplicate-key"]),
    ("parameters", {"actions.yaml": ACTIONS + "  a: {script: clean.sh, controller: here, required: [b], parameters: {a: {type: ⟦strin}}, "
                    "⟦parameters: {b: {type: ⟦strin}}}\n"}, ["schema", "duplicate-key", "schema"]),
    ("a controller", {"controllers.yaml": "controllers:\n  here: {type: ⟦locl}\n  site: {type: ansible, inventory: inventory}\n"
                      "  ⟦here: {type: local, ⟦x: 1}\n  b: {type: local, concurrency: ⟦x, actions: [⟦nope]}\ndefault: site\n"},
     ["unknown-controller-type", "duplicate-key", "options", "options", "unknown_action"]),
    ("what a hidden controller may do", {"controllers.yaml": "controllers:\n  site: {type: ansible, targets: [⟦web9]}\n  ⟦site: {type: ansible}\n"
                                         "  here: {type: local}\ndefault: site\n"}, ["unknown_target", "duplicate-key"]),
    ("settings", {"healer.yaml": "mode: ⟦activ\nserver: {port: ⟦x, ⟦port: ⟦70000}\n⟦mode: observe\nretention: {journal: ⟦1 second}\n"
                  "sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: none}}}\n"},
     ["options", "options", "duplicate-key", "options", "duplicate-key", "options"]),
    ("a source that is shared", {"healer.yaml": "sources:\n  am: {⟦healer.webhook: {⟦pth: am, format: alertmanager, auth: none}}\n"
                                 "  ⟦am: {healer.webhook: {path: am, format: alertmanager, auth: none}}\n"}, ["options", "options", "duplicate-key"]),
    # Of a rulebook the last one counts, as upstream takes it: what it hides is no mistake.
    ("a condition", {"rulebooks/team/web.yml": RULESET.replace("condition: event", "condition: event.a = 1\n      ⟦condition: event")},
     ["duplicate-key"]),
    ("an action of a rule", {"rulebooks/team/web.yml": RULESET + "      ⟦action: {run_action: {name: ⟦restrt}}\n"},
     ["duplicate-key", "unknown_action"]),
    ("all rules", {"rulebooks/team/web.yml": RULESET.replace("  rules:", "  rules: [{nme: x, condition: true, action: {none: {}}}]\n  ⟦rules:")},
     ["duplicate-key"]),
    ("a key of a ruleset, and what is wrong elsewhere", {"rulebooks/team/web.yml": RULESET.replace("hosts: all", "hosts: all\n  ⟦hosts: all")
                                                         .replace('== "Down"', '⟦= "Down"')}, ["duplicate-key", "condition-syntax"]),
    ("hosts", {"inventory/hosts": "all:\n  hosts: {\"web[01:03]\": {}, ⟦\"b[2:1]\": {}}\n  ⟦hosts: {\"web[01:03]\": {}}\n  ⟦vars: 3\n"},
     ["inventory", "duplicate-key", "inventory"]),
    ("hosts in a file with an ending", {"inventory/hosts": None, "inventory/hosts.yml": "all:\n  hosts: {\"web[01:03]\": {}}\n  children:\n"
                                        "    ⟦a: 3\n    ⟦a: {⟦hosts: 4}\n"}, ["inventory", "duplicate-key", "inventory"]),
    ("metadata", {"scripts/clean.meta.yml": "controller: ⟦her\nimpact: low\n⟦controller: ⟦hre\n"},
     ["unknown_controller", "duplicate-key", "unknown_controller"]),
    ("what is hidden in what is hidden", {"actions.yaml": "actions:\n  x: {command: [echo], target: none, impact: low, controller: here}\n"
      "  ⟦x: {command: ⟦echo, controller: here}\n  y: {script: ⟦no.sh, ⟦script: ⟦nope.sh, controller: here, ⟦script: ⟦none.sh}\n"
      "⟦actions:\n  x: {command: [echo], controller: here}\n" + ACTIONS.partition("\n")[2]},
     ["duplicate-key", "options", "no-file", "duplicate-key", "no-file", "duplicate-key", "no-file", "duplicate-key"]),
    ("variables of a host", {"inventory/host_vars/web01.yml": "healer_aliases: ⟦\"" + "a," * 101 + "\"\n⟦healer_aliases: a\n"},
     ["inventory", "duplicate-key"]),
    ("what lies in what is hidden", {"actions.yaml": ACTIONS + "  a: {script: clean.sh, controller: here, parameters: {p: {}, ⟦p: {}}}\n"
                                     "  ⟦a: {script: clean.sh, controller: here}\n"}, ["duplicate-key", "duplicate-key"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "codes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_all_mistakes_are_told_at_once(changes: dict[str, Any], codes: list[str], told: Any, marked: Any) -> None:
    assert told(changes) == sorted(zip(marked(changes), codes, strict=True))


def test_what_another_reading_lacks_is_no_mistake(told: Any) -> None:
    """Each reading has one of the two mappings; what stands outside of both is told as the last one has it."""
    actions = ACTIONS.replace("actions:\n", "actions:\n  a: {script: clean.sh, controller: here}\n")
    again = "actions:\n  b: {script: clean.sh, controller: here, events: [b]}\n" + actions
    assert [code for _, code in told({"actions.yaml": again})] == ["duplicate-key"]
    parameters = ACTIONS.replace("parameters:", "parameters: {x: {}}, parameters:")
    assert [code for _, code in told({"actions.yaml": parameters})] == ["duplicate-key"]


def test_what_stands_very_often_is_read_a_few_times(told: Any, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden, "READINGS_MAX", 2)
    actions = "actions:\n" + "  a: {script: no.sh, controller: here}\n" * 6
    files = {"actions.yaml": actions, "rulebooks/team/web.yml": None}
    assert [place[1] for place, code in told(files) if code == "no-file"] == [2, 3, 7]
    (left,) = [one for one in project.load(write(files), {}).diagnostics if one.code == "more"]
    assert (left.place.file, left.severity, left.more) == ("actions.yaml", "hint", 0)
    monkeypatch.setattr(hidden, "READINGS_MAX", 5)
    assert [place[1] for place, code in told(files) if code == "no-file"] == [2, 3, 4, 5, 6, 7]
    assert not any(one.code == "more" for one in project.load(write(files), {}).diagnostics)


KEYS = st.sampled_from("abc")
VALUES = st.recursive(
    st.just("⟦"),
    lambda inner: (
        st.lists(st.tuples(KEYS, inner), min_size=1, max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
        | st.lists(inner, min_size=1, max_size=2).map(lambda items: "[" + ", ".join(items) + "]")
    ),
    max_leaves=12,
)


def leaves(value: Any) -> Iterator[int]:
    """The numbers in a value."""
    if isinstance(value, int):
        yield value
    else:
        yield from itertools.chain(*map(leaves, value.values() if isinstance(value, dict) else value))


@given(VALUES)
def test_each_value_counts_in_a_reading(text: str) -> None:
    parts = text.split("⟦")
    numbered = "".join(part + str(number) for number, part in enumerate(parts[:-1], 100)) + parts[-1]
    document = config.read_text(numbered, "f.yml")
    readings, whole = hidden.together(document.twice, 1_000)
    values = [document.value, *(config.read_text(numbered, "f.yml", counting=one).value for one in readings)]
    assert whole
    assert {number for value in values for number in leaves(value)} == set(range(100, 99 + len(parts)))


def test_what_fits_into_a_reading_is_read_though_others_are_too_many() -> None:
    document = config.read_text("{a: 1, a: 2, a: 3, a: 4, b: 5, b: 6, c: {d: 7, d: 8}}", "f.yml")
    readings, whole = hidden.together(document.twice, 2)
    values = [config.read_text("\n".join(document.lines), "f.yml", counting=one).value for one in readings]
    assert values == [{"a": 1, "b": 5, "c": {"d": 7}}, {"a": 2, "b": 6, "c": {"d": 8}}]
    assert not whole
    assert hidden.together(document.twice, 0) == ([], False)
    assert hidden.together({}, 0) == ([], True)


def test_a_place_is_looked_up_in_spans_that_lie_in_one_another() -> None:
    spans = [((2, 3), (5, 1)), ((3, 1), (3, 4)), ((4, 1), (6, 2)), ((6, 2), (6, 9)), ((1, 1), (1, 2))]
    inside = hidden.Places(spans)
    for line, column in itertools.product(range(8), range(11)):
        wanted = any(start <= (line, column) < end for start, end in spans)
        assert ((line, column) in inside) is wanted


def test_nothing_is_read_again_without_a_key_that_stands_twice(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = config.read_text

    def counted(text: str, shown_as: str, **more: Any) -> config.Document:
        read.append(shown_as)
        return whole(text, shown_as, **more)

    monkeypatch.setattr(config, "read_text", counted)
    assert project.load(write({"healer.yaml": "mode: activ\n"}), {}).errors == 2
    assert len(read) == len(set(read))
