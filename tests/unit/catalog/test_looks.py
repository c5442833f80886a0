"""What parameters put into the address that a check asks: data of its path and query, whatever they are."""

from __future__ import annotations

import urllib.parse
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import catalog, model
from healer.catalog import looks

PATH = "http://h:81/a/{{ parameters.p }}/b"
QUERY = "http://h/a?q={{ parameters.p }}&r=1"


def filled(url: Any, value: Any) -> Any:
    written = {"http": {"url": url, "contains": "-{{ parameters.p }}-", "status": 200}}
    return looks.filled(written, {"p": value}, lambda name: ("url",) if name == "http" else ())["http"]["url"]


@pytest.mark.parametrize(("url", "value", "made"), [
    (PATH, "x", "http://h:81/a/x/b"), (PATH, 5, "http://h:81/a/5/b"),
    (PATH, "a/b?c#d@e;f", "http://h:81/a/a%2Fb%3Fc%23d%40e%3Bf/b"), (PATH, True, "http://h:81/a/true/b"), (PATH, "\N{PILE OF POO}", "http://h:81/a/%F0%9F%92%A9/b"),
    (QUERY, "a&r=2#x/../y", "http://h/a?q=a%26r%3D2%23x%2F..%2Fy&r=1"), (QUERY, "", "http://h/a?q=&r=1"), (QUERY, "..", "http://h/a?q=..&r=1"),
    ("http://h/x-{{ parameters.p }}.html", "..", "http://h/x-...html"), ("http://h?q={{ parameters.p }}", "@x", "http://h?q=%40x"),
    (["http://h/{{ parameters.p }}", "http://k/"], "/", ["http://h/%2F", "http://k/"]), ("http://u:w@h/../x", "x", "http://u:w@h/../x"),
])  # fmt: skip
def test_a_value_is_data_in_an_address(url: Any, value: Any, made: Any) -> None:
    assert filled(url, value) == made


@pytest.mark.parametrize(("url", "value", "says"), [
    (PATH, "a/../b?c", "a part of its path is . or .., which leads elsewhere"), (PATH, "..", "a part of its path is . or .., which leads elsewhere"), (PATH, ".", "a part of its path is . or ..,"), (PATH, "%2e%2e", "a part of its path is . or ..,"),
    ("http://h/.{{ parameters.p }}", ".", "a part of its path is . or ..,"), (PATH, "", "empty, so that it would mean another address"), (PATH, "a\nb", "a control character"),
    (PATH, None, "a text, a number, true or false is wanted in an address, got NoneType"), (QUERY, ["x"], "a text, a number, true or false is wanted in an address, got list"),
    (QUERY, model.Secret("env:X", "s3cret"), "is a secret, which cannot be a part of a text"), (PATH, "\ud800", "half of a surrogate pair"),
    ("http://{{ parameters.p }}/", "h", "a parameter cannot stand in the scheme, host or port"), ("{{ parameters.p }}", "http://h/", "a parameter cannot stand in the scheme"),
    (PATH, float("nan"), "a text, a number, true or false is wanted in an address, got nan"),
])  # fmt: skip
def test_what_is_none_is_refused(url: str, value: Any, says: str) -> None:
    with pytest.raises(catalog.Unfillable) as caught:
        filled(url, value)
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


@hypothesis.given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_whatever_it_is_the_host_stays_and_it_is_one_part(value: str) -> None:
    found = urllib.parse.urlsplit(filled(QUERY, value))
    assert (found.netloc, found.path, found.fragment) == ("h", "/a", "")
    assert urllib.parse.parse_qs(found.query, keep_blank_values=True) == {"q": [value], "r": ["1"]}
    try:
        path = urllib.parse.urlsplit(filled(PATH, value))
    except catalog.Unfillable:
        return
    assert (path.netloc, path.query, path.fragment, path.path.count("/")) == ("h:81", "", "", 3)
    assert urllib.parse.unquote(path.path.split("/")[2]) == value


def test_what_is_no_address_is_filled_as_everywhere() -> None:
    written = {"own": {"url": "x{{ parameters.p }}", "n": "{{ parameters.p }}"}}
    assert looks.filled(written, {"p": "/"}, lambda _: ()) == {"own": {"url": "x/", "n": "/"}}
    assert looks.filled({"own": None}, {}, lambda _: ()) == {"own": None}


def test_which_are_addresses_is_asked_only_where_it_counts() -> None:
    def never(name: str) -> tuple[str, ...]:
        raise AssertionError(name)

    assert looks.filled({"own": {"x": "y", "z": ["a"]}}, {}, never) == {"own": {"x": "y", "z": ["a"]}}
