"""Sandboxed Jinja."""

from __future__ import annotations

import contextlib
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import errors, model, templates

VARIABLES = {
    "x": 1,
    "host": "None",
    "n": "1_000",
    "l": [1, "{{ x }}"],
    "m": {"a": {"b": 2}},
    "evil": "{{ x }}",
    "neg": 3,
}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("{{ x }}", 1), ("{{x}}", 1), ("{{- x -}}", 1), ("{{ -neg }}", -3), ("{{ x }} ", "1 "), ("a{{ x }}", "a1"),
        ("{{ x }}{{ x }}", "11"), ("{{ host }}", "None"), ("{{ n }}", "1_000"), ("{{ l }}", [1, "{{ x }}"]), ("{{ m.a }}", {"b": 2}),
        ("{{ evil }}", "{{ x }}"), ("{{ '{{ x }}' }}", "{{ x }}"), ("plain", "plain"), ("{% if x %}{{ 'y' }}{% endif %}", "y"),
        ("{{ l | length }}", 2), ("{{ x == 1 }}", True), ("{{ 'a-b' | replace('-', '+') }}", "a+b"), ("{{ '}}' }}", "}}"),
    ],
)  # fmt: skip
def test_one_expression_keeps_its_value_and_the_rest_is_text(source: str, wanted: Any) -> None:
    got = templates.render(source, VARIABLES)
    assert got == wanted
    assert type(got) is type(wanted)


def test_lists_and_mappings_are_gone_through_and_results_are_not_rendered_again() -> None:
    value = {"a": ["{{ evil }}", {"b": "x{{ x }}"}], "{{ x }}": 5, "c": None}
    assert templates.render(value, VARIABLES) == {"a": ["{{ x }}", {"b": "x1"}], "{{ x }}": 5, "c": None}


@pytest.mark.parametrize(
    "source",
    [
        "{{ nope }}", "a{{ nope }}", "{{ m.nope.b }}", "{{ }}", "{{ x.__class__ }}", "{{ l.append(1) }}", "{{ 'a' * 10**7 }}",
        "{{ l | random }}", "{{ '%9999999d' % x }}", "{{ 'a'.ljust(10**8) }}", "{{ '{:>99999999}'.format(1) }}",
        "{{ 9 ** 99999 }}", "{% for i in range(10**9) %}{{ 'a' }}{% endfor %}", "{{ x | center(10**8) }}", "{{ 1 / 0 }}",
        "{% include 'x' %}{{ x }}", "{{ lipsum() }}", "{{ ('ab' * 9999) | replace('a', 'c' * 9999) }}",
        "{% for i in range(9999) %}{{ 'a' * 9999 }}{% endfor %}", "{{ ().__class__.__bases__ }}",
    ],
)  # fmt: skip
def test_what_is_not_there_not_safe_or_too_large_is_an_error(source: str) -> None:
    with pytest.raises(errors.TemplateError) as caught:
        templates.render(source, VARIABLES)
    assert caught.value.fields["reason"]


def test_syntax_can_be_checked_without_values() -> None:
    templates.check("{{ event.a.b }}")
    for bad in ("{{", "{{ x | nofilter }}", "{% for %}"):
        with pytest.raises(errors.TemplateError):
            templates.check(bad)


@given(st.text(alphabet="{}%# x|()'-+*.l~[]0", max_size=20))
def test_any_text_renders_or_is_an_error(source: str) -> None:
    with contextlib.suppress(errors.TemplateError):
        templates.render(source, VARIABLES)


def test_deep_values_are_refused() -> None:
    value: Any = "{{ x }}"
    for _ in range(100):
        value = [value]
    with pytest.raises(errors.TemplateError):
        templates.render(value, VARIABLES)


WORDS = {
    "w": "web-1.example.org",
    "n": 5,
    "x": "a b",
    "o": "-rf",
    "l": ["a"],
    "none": None,
    "s": model.Reference.of("$ANSIBLE_VAULT;1.1"),
}


@pytest.mark.parametrize(
    ("source", "made"),
    [("restart {{ w }}:{{ n }}", "restart web-1.example.org:5"), ("{{ n }}", "5"), ("echo 'a b'", "echo 'a b'")],
)
def test_a_commands_text_takes_plain_words(source: str, made: str) -> None:
    assert templates.render(source, WORDS, words=True) == made


@pytest.mark.parametrize("name", ["x", "o", "l", "none", "s"])
def test_a_commands_text_takes_nothing_else(name: str) -> None:
    for source in (f"echo {{{{ {name} }}}}", f"{{{{ {name} }}}}"):
        with pytest.raises(errors.TemplateError):
            templates.render(source, WORDS, words=True)


@given(st.text(max_size=12))
def test_any_word_that_is_taken_is_one_to_a_shell(text: str) -> None:
    with contextlib.suppress(errors.TemplateError):
        made = templates.render("echo {{ x }}", {"x": text}, words=True)
        assert shlex.split(made) == ["echo", text]
        assert not text.startswith("-")
        assert not set(text) & set("$`;&|<>(){}*?~!#\\\"' \n\t=%")


def test_a_vaulted_value_is_the_whole_of_an_argument_or_nothing_of_it() -> None:
    assert templates.render({"a": ["{{ s }}"]}, WORDS) == {"a": [WORDS["s"]]}
    for source in ("x{{ s }}", "{{ 'x' ~ s }}", "{% if true %}{{ s }}{% endif %}"):
        with pytest.raises(errors.TemplateError, match="the whole of an argument"):
            templates.render(source, WORDS)


@pytest.mark.parametrize("text", ["}}", "{{", "{{ x", "x }}", "{% if x %}y{% endif %}", "{# x #}", "{x}", "${HOME}"])
def test_only_a_text_with_an_expression_is_a_template(text: str) -> None:
    assert templates.render(text, VARIABLES) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ l | batch(1000000000, 'x') | list }}", "{{ l | slice(1000000000) | list }}", "{{ 'a' | indent(1000000000) }}",
        "{{ '{0:>999999999}'.format(1) }}", "{{ 'x'.format_map({}) }}", "{{ {'a': 1} | tojson(indent=100000000) }}",
        "{{ l | map('indent', 1000000000) | list }}", "{{ l | batch(linecount=2000000) | list }}",
        "{{ l | join('x' * 10000) }}",
    ],
)  # fmt: skip
def test_no_filter_makes_of_little_more_than_memory_holds(source: str) -> None:
    with pytest.raises(errors.TemplateError):
        templates.render(source, {"l": [1, 2, 3]})


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ l | batch(2) | list }}", [[1, 2], [3]]), ("{{ l | slice(3) | list }}", [[1], [2], [3]]), ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ {'a': 1} | tojson(indent=2) }}", '{\n  "a": 1\n}'),
    ],
)  # fmt: skip
def test_the_same_filters_within_bounds(source: str, made: Any) -> None:
    assert templates.render(source, {"l": [1, 2, 3]}) == made


ROUNDS = "{%% for a in range(%d) %%}{%% for b in range(%d) %%}{%% endfor %%}{%% endfor %%}{{ 1 }}"
DOUBLED = "{% set a = 'ab' %}" + "{% set a = a OP a %}" * 40 + "{{ a | length }}"


@pytest.mark.parametrize(
    "source",
    [
        ROUNDS % (1_000, 1_000), "{% for a in l %}{% for b in l %}{% endfor %}{% endfor %}{{ 1 }}",
        "{% for a in range(60000) %}{% endfor %}{{ loop is defined }}", "{% for a in range(60000) %}{{ loop.length }}{% endfor %}",
        DOUBLED.replace("OP", "~"), DOUBLED.replace("OP", "+"), DOUBLED.replace("'ab'", "[1]").replace("OP", "+"),
        DOUBLED.replace("'ab'", "10 ** 60").replace("OP", "*"), "{{ ((10 ** 60) ** 60) ** 60 }}", "{{ ('ab' * 400000) ~ ('ab' * 400000) }}",
        "a{{ ('ab' * 400000) ~ ('ab' * 400000) }}", "{{ ('x' * 30000).join(l) }}", "{{ ('x' * 30000).join(l | map('string')) }}",
        "{{ ('x' * 3000).join(l | map('string') | list) }}", "{{ [[[['x' * 1000] * 1000] * 1000] * 1000] }}",
        "a {{ [[[['x' * 1000] * 1000] * 1000] * 1000] }}", "{{ [l] * 1000 | sum(start=[]) }}", "a {{ [l | string] * 300 ~ '' }}{{ deep }}",
        "a {{ deep }}", "{{ deep ~ '' }}",
    ],
)  # fmt: skip
def test_a_rendering_ends_soon_whatever_its_loops_and_texts_are(source: str) -> None:
    with pytest.raises(errors.TemplateError, match=r"more than \d|longer than"):
        templates.render(source, {"l": list(range(1_000)), "deep": deep()})


def deep() -> Any:
    """A list that is small in memory and has no end as a text: each of its two items is the same."""
    made: Any = "x"
    for _ in range(40):
        made = [made, made]
    return made


@pytest.mark.parametrize("source", [
    "{{ (1).to_bytes(1000000000, 'big') }}", "{{ s.encode('punycode') }}", "{{ s.encode(encoding='idna') }}", "{{ s.rsplit('a' * 1001) }}",
    "{{ s.rfind('a' * 1001) }}", "{{ s.rpartition('a' * 1001) }}", "{{ s.rindex('a' * 1001) }}",
])  # fmt: skip
def test_what_takes_a_time_of_its_own_is_not_there(source: str) -> None:
    with pytest.raises(errors.TemplateError, match=r"unsafe|not available|at most 1000"):
        templates.render(source, {"s": "a" * 2_000})


@pytest.mark.parametrize(("source", "value"), [
    ("{{ ', '.join(l) }}", "a, b"), ("{{ '-'.join(l | map('upper')) }}", "A-B"), ("{{ 'ä'.encode('utf-8').decode('UTF_8') }}", "ä"),
    ("{{ 'a/b/c'.rsplit('/', 1) }}", ["a/b", "c"]), ("{{ [1, 2] | sum }}", 3), ("{{ [1.5] | sum(start=2) }}", 3.5),
    ("{{ [{'n': 2}, {'n': 3}] | sum(attribute='n') }}", 5), ("{{ ''.join([]) }}", ""), ("{{ l * 2 }}", ["a", "b", "a", "b"]),
])  # fmt: skip
def test_what_is_small_is_there(source: str, value: Any) -> None:
    assert templates.render(source, {"l": ["a", "b"]}) == value


@pytest.mark.parametrize(
    "source",
    [
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "{% set a %}{% for b in l %}{{ b }}{% endfor %}{% endset %}{{ a }}",
        "{% for a in l recursive %}{{ loop(l) }}{% endfor %}", "{% filter upper %}{{ 1 }}{% endfilter %}",
        "{% call m() %}{{ 1 }}{% endcall %}",
    ],
)  # fmt: skip
def test_statements_that_have_no_bound_are_refused_when_a_file_is_checked(source: str) -> None:
    with pytest.raises(errors.TemplateError, match="is not available"):
        templates.check(source)


def test_loops_within_bounds_are_what_they_are() -> None:
    source = "{% for a in l %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% else %}none{% endfor %}{{ 'a' ~ 1 ~ none }}"
    assert templates.render(source, {"l": ["x", "y"]}) == "1/2,2/2a1None"
    assert templates.render(source, {"l": []}) == "nonea1None"
    assert templates.render("{{ 'n' ~ 1 ~ 2 }}", {}) == "n12"
    assert templates.render(ROUNDS % (100, 400), {}) == templates.render(ROUNDS % (100, 400), {}) == "1"
    with pytest.raises(errors.TemplateError, match="'nope' is undefined"):
        templates.render("{% for a in nope %}{% endfor %}{{ 1 }}", {})
