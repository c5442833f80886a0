"""What is wrong with a value whatever its templates turn out to be; nothing of what an event may make right."""

from __future__ import annotations

import pytest
import yaml

from healer.catalog import foreseen, schemas

LATER = "{{ event.x }}"
"""Any value."""
TEXT = "v{{ event.x }}"
"""Some text."""


def told(schema, value):
    return [(one.path, one.message) for one, _ in foreseen.mistakes(yaml.safe_load(schema), value)]


@pytest.mark.parametrize(
    ("schema", "value", "path", "message"),
    [
        ("{type: array, maxItems: 2}", [LATER, 1, 2, 3], "", "a list of at most 2 items is wanted, got 4"),
        ("{type: array, minItems: 2}", [LATER], "", "a list of at least 2 items is wanted, got 1"),
        ("{additionalProperties: {type: integer}}", {"x": "y", "z": LATER}, ".x", "a whole number is wanted, got 'y'"),
        ("{additionalProperties: false, properties: {a: {}}}", {"a": LATER, "b": 1}, "", "'b' is not declared"),
        ("{additionalProperties: false, properties: {a: {}}}", {"b": LATER}, "", "'b' is not declared"),
        ("{required: [q]}", {"a": LATER}, "", "the key 'q' is missing"),
        ("{dependentRequired: {a: [q]}}", {"a": LATER}, "", "'q' is a dependency of 'a'"),
        ("{maxProperties: 1}", {"a": LATER, "b": TEXT}, "", "a mapping of at most 1 key is wanted, got 2"),
        ("{propertyNames: {pattern: ^a$}}", {"b": LATER}, "", "a text that matches '^a$' is wanted, got 'b'"),
        ("{patternProperties: {^a: {type: integer}}}", {"ab": TEXT}, ".ab", f"a whole number is wanted, got '{TEXT}'"),
        ("{prefixItems: [{type: integer}, {type: string}]}", [LATER, 5], "[1]", "a text is wanted, got 5"),
        ("{$ref: '#/$defs/n', $defs: {n: {type: integer}}}", TEXT, "", f"a whole number is wanted, got '{TEXT}'"),
        ("{properties: {a: false}}", {"a": LATER}, "", f"False schema does not allow '{LATER}'"),
        ("{anyOf: [{type: integer}, {type: boolean}]}", TEXT, "", f"a whole number or true or false is wanted, got '{TEXT}'"),
        ("{anyOf: [{type: integer}]}", {"q": LATER}, "", "a whole number is wanted, got a mapping"),
        ("{anyOf: [{items: {type: integer}}, {maxItems: 1}]}", [LATER, "a"], "", f"['{LATER}', 'a'] is not valid under any of the given schemas"),
        ("{oneOf: [{type: integer}, {type: 'null'}]}", TEXT, "", f"a whole number or nothing is wanted, got '{TEXT}'"),
        ("{allOf: [{type: integer}]}", TEXT, "", f"a whole number is wanted, got '{TEXT}'"),
        ("{enum: [1, 2]}", TEXT, "", f"1 or 2 is wanted, got '{TEXT}'"),
        ("{enum: [1, [2]]}", [LATER, 1], "", "1 or a list is wanted, got a list"),
        ("{enum: [{a: 1}]}", {"b": LATER}, "", "a mapping is wanted, got a mapping"),
        ("{enum: [aa, bb]}", "c{{ x }}", "", "'aa' or 'bb' is wanted, got 'c{{ x }}'"),
        ("{enum: [aa, bb]}", "{{ x }}c", "", "'aa' or 'bb' is wanted, got '{{ x }}c'"),
        ("{enum: [aa, bb]}", "a{{ x }}{{ x }}aa", "", "'aa' or 'bb' is wanted, got 'a{{ x }}{{ x }}aa'"),
        ("{const: aa}", "{% if x %}a{% endif %}b{{ x }}c", "", "'aa' is wanted, got '{% if x %}a{% endif %}b{{ x }}c'"),
        ("{maxLength: 5}", "abcdefg{{ x }}", "", "a text of at most 5 characters is wanted, got 'abcdefg{{ x }}'"),
        ("{maxLength: 5}", "abc{{ x }}def", "", "a text of at most 5 characters is wanted, got 'abc{{ x }}def'"),
        ("{anyOf: [{type: integer}, {maxLength: 1}]}", "abc{{ x }}", "", "a whole number or a text of at most 1 character is wanted, got 'abc{{ x }}'"),
        ("{const: 5}", TEXT, "", f"5 is wanted, got '{TEXT}'"),
        ("{const: [1, 2]}", [LATER, 3], "", "a list is wanted, got a list"),
        ("{uniqueItems: true}", [1, LATER, 1], "", "a list without the same item twice is wanted, got a list"),
        ("{contains: {type: integer}}", ["a", TEXT], "", f"['a', '{TEXT}'] does not contain items matching the given schema"),
        ("{if: {properties: {a: {const: 1}}}, else: {required: [b]}}", {"a": 2, "c": LATER}, "", "the key 'b' is missing"),
    ],
)  # fmt: skip
def test_what_no_event_could_make_right_is_told(schema, value, path, message):
    assert told(schema, value) == [(path, message)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("{type: integer, minimum: 5}", LATER),
        ("{type: string, pattern: ^a$, minLength: 90, maxLength: 1, format: date}", TEXT),
        ("{enum: [va, 1]}", TEXT),
        ("{const: v}", TEXT),
        ("{enum: [aa, bb]}", "a{{ x }}"),
        ("{enum: [aa, bb]}", "{{ x }}b"),
        ("{enum: [aa, bb]}", "{{ x }}{{ x }}"),
        ("{enum: [a]}", "{{ x }}a{{ x }}"),
        ("{enum: [a]}", "{# long #}{{ x }}a"),
        ("{enum: [xya]}", "  {{- x }}a"),
        ("{maxLength: 5}", "abcde{{ x }}"),
        ("{maxLength: 5}", "abcde{% if x %}abcde{% endif %}{{ x }}"),
        ("{maxLength: 5}", "abcde{{ x }}\n"),
        ("{maxLength: 2, type: string}", "éé{{ x }}"),
        ("{not: {maxLength: 9}}", "a{{ x }}"),
        ("{enum: [1]}", LATER),
        ("{enum: [[1, va]]}", [LATER, TEXT]),
        ("{const: {a: 1}}", {"a": LATER}),
        ("{not: {type: string}}", LATER),
        ("{not: {const: va}}", TEXT),
        ("{not: {properties: {a: {type: integer}}}}", {"a": LATER}),
        ("{not: {required: [a], properties: {a: {const: 1}}}}", {"a": LATER}),
        ("{uniqueItems: true}", [LATER, LATER, TEXT, TEXT, 1]),
        ("{uniqueItems: true}", [[LATER], [LATER]]),
        ("{contains: {const: 1}}", [LATER, 2]),
        ("{contains: {type: integer}, maxContains: 1}", [LATER, 1, TEXT]),
        ("{contains: {const: 1}, minContains: 2}", [LATER, 1]),
        ("{oneOf: [{type: integer}, {minimum: 3}]}", LATER),
        ("{oneOf: [{properties: {a: {minimum: 1}}}, {properties: {a: {minimum: 2}}}]}", {"a": LATER}),
        ("{anyOf: [{type: integer}, {type: string, pattern: ^a}]}", TEXT),
        ("{if: {properties: {a: {const: 1}}}, then: {required: [b]}, else: {required: [c]}}", {"a": LATER}),
        ("{if: {not: {properties: {a: {const: 1}}}}, then: false, else: false}", {"a": LATER}),
        ("{additionalProperties: {type: integer}}", {"a": LATER}),
        ("{dependentSchemas: {a: {properties: {a: {type: integer}}}}}", {"a": LATER}),
        ("{type: integer}", "v{{ broken. }}"),
    ],
)
def test_what_an_event_may_make_right_is_not(schema, value):
    assert told(schema, value) == []


def test_of_what_is_known_the_same_is_told_as_when_it_runs():
    schema = {"oneOf": [{"type": "integer"}, {"minimum": 3}], "not": {"const": 7}, "enum": [True]}
    for value in (1, 5, 7, "x", True):
        assert [(one.path, one.message) for one, _ in foreseen.mistakes(schema, value)] == schemas.mistakes(
            schema, value
        )


def test_a_text_is_told_how_it_becomes_a_value():
    advice = [try_ for value in (TEXT, [TEXT]) for _, try_ in foreseen.mistakes({"type": "integer"}, value)]
    assert advice == [foreseen.ALONE, ""]
