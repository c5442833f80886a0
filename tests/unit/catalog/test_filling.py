"""Parameters are put into what an entry says once, as data, and nothing else is a template there."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import catalog, model
from healer.catalog import filling

HOSTILE = ["; rm", "$(id)", "-o=x", "{{ parameters.b }}", "{% raw %}", "a\nb", "\N{PILE OF POO}", "None", "1_000"]


@pytest.mark.parametrize(("written", "given", "filled"), [
    ("{{ parameters.a }}", 3, 3), ("{{parameters.a}}", True, True), ("{{ parameters.a }}", ["x"], ["x"]), ("{{ parameters.a }}", None, None),
    ("n={{ parameters.a }}", 3, "n=3"), ("n={{ parameters.a }}", "x", "n=x"), ("{{ parameters.a }}{{ parameters.a }}", 1.5, "1.51.5"),
    ("{{ parameters.a }}.", {"b": None}, '{"b": null}.'), ("{{ parameters.a }}.", True, "true."), ("plain", 3, "plain"), ("{% if x %}{# y #}", 3, "{% if x %}{# y #}"), (5, 3, 5), (None, 3, None),
    ({"k": ["{{ parameters.a }}", {"x": "{{ parameters.a }}"}]}, 3, {"k": [3, {"x": 3}]}),
])  # fmt: skip
def test_what_is_filled_in(written: Any, given: Any, filled: Any) -> None:
    assert catalog.fill(written, {"a": given}) == filled


@pytest.mark.parametrize("word", HOSTILE)
def test_a_value_is_never_read_again(word: str) -> None:
    found = catalog.fill({"a": "{{ parameters.a }}", "b": "x{{ parameters.a }}y"}, {"a": word, "b": "other"})
    assert found == {"a": word, "b": f"x{word}y"}


@hypothesis.given(st.text(), st.text())
def test_any_text_stays_what_it_is(word: str, other: str) -> None:
    assert catalog.fill(["{{ parameters.a }}", "-{{ parameters.b }}-"], {"a": word, "b": other}) == [word, f"-{other}-"]


def test_a_secret_is_a_whole_value_or_refused() -> None:
    secret = model.Secret("env:X", "s3cret")
    assert catalog.fill({"a": "{{ parameters.a }}"}, {"a": secret})["a"] is secret
    with pytest.raises(catalog.Unfillable, match="'a' is a secret") as caught:
        catalog.fill("x{{ parameters.a }}", {"a": secret})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(catalog.Unfillable, match="'b' is not given"):
        catalog.fill("{{ parameters.b }}", {"a": 1})


@pytest.mark.parametrize("text", [
    "{{ event.alert.name }}", "{{ parameters.a | upper }}", "{{ parameters['a'] }}", "{{ parameters.a.b }}",
    "{{ parameters.a }}{{ 7*7 }}", "{{ lookup('pipe', 'id') }}", "{{ parameters.é }}", "{{ parameters }}",
])  # fmt: skip
def test_every_other_template_is_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match=r"only \{\{ parameters.NAME \}\} can stand here"):
        list(filling.names(text))


def test_the_parameters_of_a_text() -> None:
    assert list(filling.names("{{ parameters.a }}-{{parameters.b_2}} { } {x}")) == ["a", "b_2"]
