"""ansible-rulebook's own filters: the same results as the installed ones give, and bounds."""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis
import pytest
from ansible_rulebook.jinja import filters as theirs
from hypothesis import strategies as st

from healer import errors, filters, templates

CASES: list[tuple[str, tuple[Any, ...]]] = [
    ("regex_replace", ("web01.example.org", r"^(\w+)\..*$", r"\1!")), ("regex_replace", ("a b c", " ", "_", 1)),
    ("regex_replace", ("ABC", "b", "x", 0, True)), ("regex_replace", ("a\nb", "^b", "x", 0, False, True)),
    ("regex_replace", ("a-b", "(?P<l>a)-(b)", r"\2\g<l>")), ("regex_replace", (None, "x", "y")), ("regex_replace", (515, "1", "0")),
    ("regex_replace", ("", "x", "y")), ("regex_replace", ("abc", "", "-")),
    *((name, (path,)) for name in ("basename", "dirname", "normpath") for path in ("/etc/certs/cert.pem", "x", "", "/", "a//b/../c", None)),
    *(("bool", (value,)) for value in ("yes", "NO", " on ", "0", "", "t", 1, 0, [], ["x"], None, True)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_results_are_theirs(name: str, arguments: tuple[Any, ...]) -> None:
    assert filters.FILTERS[name](*arguments) == theirs.FILTERS[name](*arguments)


def test_all_of_theirs_are_there() -> None:
    assert set(filters.FILTERS) == set(theirs.FILTERS)


@hypothesis.given(
    st.text(alphabet="ab.\n", max_size=12),
    st.sampled_from(["a", "b+", "(a)(b)", r"\.", "^a"]),
    st.sampled_from(["", "x", r"\1"]),
)
def test_any_replacement_is_theirs(text: str, pattern: str, replacement: str) -> None:
    try:
        wanted = theirs.regex_replace(text, pattern, replacement)
    except Exception:  # noqa: BLE001 - a group that is not there
        return
    assert filters.regex_replace(text, pattern, replacement) == wanted


@pytest.mark.parametrize(
    "arguments",
    [
        ("x", "("),
        ("x", "(?=x)", ""),
        ("x", "y" * 2000, ""),
        ("a" * 5000, "a", "b" * 5000),
        ("x", "y", "z", 0, False, False, 1),
    ],
)
def test_what_cannot_be_is_a_mistake_in_the_template(arguments: tuple[Any, ...]) -> None:
    given = dict(zip(("v", "p", "r", "c", "i", "m", "n"), arguments, strict=False))
    call = "{{ v | regex_replace(p, r | default(''), c | default(0), i | default(false), m | default(false), n | default(0)) }}"
    with pytest.raises(errors.TemplateError):
        templates.render(call, given)
    with pytest.raises(errors.TemplateError):
        templates.render("{{ 'maybe' | bool }}", {})


@hypothesis.given(
    st.one_of(st.none(), st.text(max_size=8), st.integers(), st.lists(st.integers(), max_size=2)),
    st.sampled_from(sorted(filters.FILTERS)),
)
def test_any_value_gives_one_or_a_mistake(value: Any, name: str) -> None:
    with contextlib.suppress(errors.TemplateError):
        templates.render(f"{{{{ v | {name}{'(1, 2)' if name == 'regex_replace' else ''} }}}}", {"v": value})
