"""Aliases that lead no event to their host: each is told where it stands."""

from __future__ import annotations

import pytest

from healer import inventory


def aliases(files: dict[str, str], source: str = "") -> list[tuple[str, str]]:
    """(place, what is said) of the aliases."""
    _, told = inventory.parse(files, source)
    assert {(one.code, one.severity) for one in told} <= {("alias", "warning")}
    return [(str(one.place), one.message) for one in told]


def test_an_alias_that_another_host_has_as_its_name_is_told() -> None:
    assert aliases({"h.yml": "all:\n  hosts:\n    db1: {}\n    web02: {healer_aliases: [shop, db1]}\n"}) == [
        ("h.yml:4:36", "the alias 'db1' is never a target: 'db1' may mean 2 hosts: db1, web02")
    ]


def test_an_alias_of_two_hosts_is_told_where_it_stands_first() -> None:
    assert aliases({"x.ini": "[web]\na healer_aliases=shared\nb healer_aliases=shared\n"}) == [
        ("x.ini:2:1", "the alias 'shared' is never a target: 'shared' may mean 2 hosts: a, b")
    ]
    assert aliases({"x.ini": "[web]\na\nb\n[web:vars]\nhealer_aliases=shared\n"}) == [
        ("x.ini:5:1", "the alias 'shared' is never a target: 'shared' may mean 2 hosts: a, b")
    ]


def test_an_alias_in_a_file_of_variables_is_told_there() -> None:
    files = {"inv/h.yml": "all: {hosts: {a: , b: }}\n", "inv/host_vars/b.yml": "x: 1\nhealer_aliases:\n  - a\n"}
    assert aliases(files, "inv") == [
        ("inv/host_vars/b.yml:3:5", "the alias 'a' is never a target: 'a' may mean 2 hosts: a, b")
    ]


def test_an_alias_that_no_host_has_in_the_end_is_not_told() -> None:
    files = {
        "inv/h.yml": "all: {hosts: {a: , b: {healer_aliases: a}}}\n",
        "inv/host_vars/b.yml": "healer_aliases: fine\n",
    }
    assert aliases(files, "inv") == []


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("5", ["healer_aliases is a list of names, got 5"]),
        ("{a: 1}", ["healer_aliases is a list of names, got a mapping"]),
        ("[5, null]", ["an alias is a name, got nothing; it is left out"]),
        ("[[a]]", ["an alias is a name, got a list; it is left out"]),
        ("[with space]", ["the alias 'with space' is never a target: a target is a name without spaces and control characters, at most "
                          "512 long, got 'with space'"]),
        ('["web*"]', ["the alias 'web*' is never a target: 'web*' is a pattern or an option; an event names one host"]),
        ("", []),
        ("'a, ,b'", []),
        ("[h]", []),
    ],
)  # fmt: skip
def test_aliases_that_are_none_are_told(written: str, says: list[str]) -> None:
    told = aliases({"h.yml": f"all:\n  hosts:\n    h: {{healer_aliases: {written}}}\n"})
    assert [message for _, message in told] == says
    assert all(place.startswith("h.yml:3:") for place, _ in told)
