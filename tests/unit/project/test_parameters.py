"""Parameters with templates in them: told where no event could make them right, and never else."""

from __future__ import annotations

import pytest

from healer import project

ACTIONS = """\
actions:
  scale:
    playbook: restart.yml
    impact: low
    parameters:
      n: {type: integer}
      x: {type: number}
      b: {type: boolean}
      t: {type: string, pattern: "^a$"}
      e: {enum: [1, 2]}
      either: {type: [integer, string]}
      any: {}
      list: {type: array, items: {type: integer}}
      map: {type: object, properties: {n: {type: integer}, t: {type: string}}}
      two: {type: array, maxItems: 2}
      ints: {type: object, additionalProperties: {type: integer}, required: [q]}
      closed: {type: object, additionalProperties: false, properties: {a: {}}}
      any_of: {anyOf: [{type: integer}, {type: boolean}]}
"""
BOOK = """\
- name: web
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules:
    - name: down
      condition: event.alert.name == "Down"
      action:
        run_action:
          name: scale
          target: web01
          parameters: {%s}
"""


@pytest.fixture
def wrong(write):
    """What is told of these parameters: (what stands there, message, advice)."""

    def found(given):
        text = BOOK % given
        root = write({"actions.yaml": ACTIONS, "rulebooks/team/web.yml": text})
        found = project.draft_of(root, {}).diagnostics
        assert {one.code for one in found if one.severity == "error"} <= {"invalid_parameters", "template"}
        lines = text.splitlines()
        return [
            (lines[one.place.line - 1][one.place.column - 1 :], one.message, one.try_)
            for one in found
            if one.code == "invalid_parameters"
        ]

    return found


ALONE = 'write "{{ … }}" alone: with anything beside it a template gives a text'
DECLARED = "as its entry declares it"


@pytest.mark.parametrize(
    ("given", "at", "message"),
    [
        ('n: "x{{ event.n }}"', '"x{{', "n: a whole number is wanted, got 'x{{ event.n }}'"),
        ('n: "{{ event.n }} "', '"{{', "n: a whole number is wanted, got '{{ event.n }} '"),
        ('x: "{{ event.n }}%"', '"{{', "x: a number is wanted, got '{{ event.n }}%'"),
        ('b: "not {{ event.b }}"', '"not', "b: true or false is wanted, got 'not {{ event.b }}'"),
        ('n: "1{{ event.n }}"', '"1{{', "n: a whole number is wanted, got '1{{ event.n }}'"),
        ('n: "{{ event.a }}{{ event.b }}"', '"{{', "n: a whole number is wanted, got '{{ event.a }}{{ event.b }}'"),
        ('list: [1, "{{ event.n }}", "v{{ event.n }}"]', '"v{{', "list[2]: a whole number is wanted, got 'v{{ event.n }}'"),
        ('list: "{{ event.a }},{{ event.b }}"', '"{{', "list: a list is wanted, got '{{ event.a }},{{ event.b }}'"),
        ('map: {t: "{{ event.n }}", n: "v{{ event.n }}"}', '"v{{', "map.n: a whole number is wanted, got 'v{{ event.n }}'"),
    ],
)  # fmt: skip
def test_a_text_around_a_template_is_never_a_number(wrong, given, at, message):
    ((there, said, try_),) = wrong(given)
    assert (said, try_) == (message, ALONE)
    assert there.startswith(at)


def test_what_stands_beside_a_template_is_looked_at(wrong):
    told = wrong('list: ["{{ event.n }}", no], map: {t: "{{ event.n }}", n: x}')
    assert [(message.partition(":")[0], try_) for _, message, try_ in told] == [
        ("list[1]", "as its entry declares it"), ("map.n", "as its entry declares it"),
    ]  # fmt: skip
    assert [message for _, message, _ in wrong('n: ["{{ event.n }}"]')] == ["n: a whole number is wanted, got a list"]


@pytest.mark.parametrize(
    ("given", "at", "message", "try_"),
    [
        ('two: ["{{ event.n }}", 1, 2, 3]', '["{{', "two: a list of at most 2 items is wanted, got 4", DECLARED),
        ('ints: {q: 1, x: "y", z: "{{ event.n }}"}', '"y"', "ints.x: a whole number is wanted, got 'y'", DECLARED),
        ('ints: {x: "{{ event.n }}"}', "{x:", "ints: the key 'q' is missing", DECLARED),
        ('ints: {q: "{{ event.n }}0"}', '"{{', "ints.q: a whole number is wanted, got '{{ event.n }}0'", ALONE),
        ('closed: {a: "{{ event.n }}", b: 1}', "{a:", "closed: 'b' is not declared", DECLARED),
        ('any_of: "{{ event.n }}0"', '"{{', "any_of: a whole number or true or false is wanted, got '{{ event.n }}0'", ALONE),
        ('e: "{{ event.n }}0"', '"{{', "e: 1 or 2 is wanted, got '{{ event.n }}0'", ALONE),
    ],
)  # fmt: skip
def test_what_no_event_could_make_right_is_told(wrong, given, at, message, try_):
    ((there, *told),) = wrong(given)
    assert told == [message, try_]
    assert there.startswith(at)


@pytest.mark.parametrize(
    "given",
    [
        'n: "{{ event.n }}"',
        'n: "{{- event.n -}}"',
        "n: '{{ event.n | int + 1 }}'",
        'b: "{{ event.n == 1 }}"',
        't: "x{{ event.n }}"',
        'e: "{{ event.n }}"',
        'either: "x{{ event.n }}"',
        'any: "x{{ event.n }}"',
        'list: "{{ event.list }}"',
        'list: [1, "{{ event.n }}"]',
        'map: {n: "{{ event.n }}", other: "x{{ event.n }}"}',
        'n: "x{{ event. }}"',
    ],
)
def test_what_an_event_may_make_right_is_not_told(wrong, given):
    assert wrong(given) == []


def test_the_daemon_takes_no_text_for_a_number_either(write):
    """Which is why digits around a template are told as well."""
    revision = project.load(write({"actions.yaml": ACTIONS, "rulebooks/team/web.yml": BOOK % "n: 1"}), {}).revision
    entry = revision.catalog.entries["scale"]
    assert entry.parameters_of({"n": "15"}) == ["n: a whole number is wanted, got '15'"]
