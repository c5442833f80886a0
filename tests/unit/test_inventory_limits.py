"""Inventories that would take for ever: each bound is told where it is passed, and what Ansible splits is split as it does."""

from __future__ import annotations

import shlex

import hypothesis
import hypothesis.strategies as st
import pytest

from healer import inventory
from healer.inventory import files, groups, names, variables, words


def told(text: str, file: str = "x.ini") -> list[str]:
    return [f"{one.place}: {one.message}" for one in inventory.parse({file: text})[1]]


# --- ranges ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [groups.RANGES_MAX + 1, 1_000, 5_000])
@pytest.mark.parametrize("part", ["[1:2]", "[1:1]", "[a:b]x"])
def test_too_many_ranges_are_told_where_they_stand(count: int, part: str) -> None:
    (found,) = told(f"[web]\nok\n  a{part * min(count, 16_000 // len(part))}\n")
    assert found.startswith("x.ini:3:3: ")
    assert f"more than {groups.RANGES_MAX} ranges" in found
    assert len(found) < 300


def test_in_yaml_too() -> None:
    (found,) = told(f"web:\n  hosts:\n    a{'[1:2]' * 20}: \n", "x.yml")
    assert found.startswith("x.yml:3:5: ")
    assert f"more than {groups.RANGES_MAX} ranges" in found


def test_as_many_ranges_as_may_be() -> None:
    read, mistakes = inventory.parse({"x.ini": "a" + "[1:2]" * groups.RANGES_MAX + "z"})
    assert mistakes == []
    assert len(read.hosts) == 2**groups.RANGES_MAX
    assert list(read.hosts)[:3] == ["a11111111z", "a11111112z", "a11111121z"]


@pytest.mark.parametrize(
    "pattern", ["w[1:9999][1:9999]", f"w[1:{groups.HOSTS_MAX + 1}]", f"w[1:{'9' * 5000}]", "w[1:999][1:999][1:999]"]
)
def test_a_product_of_ranges_is_refused_before_it_is_made(pattern: str) -> None:
    read, mistakes = inventory.parse({"x.ini": pattern})
    assert [str(one.place) for one in mistakes] == ["x.ini:1:1"]
    assert f"more than {groups.HOSTS_MAX} hosts" in mistakes[0].message
    assert not read.hosts


@pytest.mark.parametrize("pattern", ["a[1:2]]", "a]b[1:2]", "a[1:2]b[c", "a[1:2][3]"])
def test_brackets_of_no_range(pattern: str) -> None:
    assert ["is no name of hosts" in one for one in told(pattern)] == [True]


@pytest.mark.parametrize("pattern", ["h" * 600, f"{'h' * 510}[1:200000]", f"h[{'0' * 600}1:{'0' * 600}9]"])
def test_a_name_longer_than_a_target_may_be_is_no_host(pattern: str) -> None:
    (found,) = told(pattern)
    assert f"at most {names.TEXT_MAX} characters" in found
    assert len(found) < 300


# --- what takes long together ---------------------------------------------------------------------------------------------


def test_what_is_named_again_and_again_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "STEPS_MAX", 1_000)
    (found,) = told("[a]\n" + "h[1:300]\n" * 50)
    assert found.startswith("x.ini:5:1: ")
    assert "more than 1000" in found


def test_too_many_hosts_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "HOSTS_MAX", 3)
    assert told("a\nb\nc\nb\nd\ne\nf\n") == ["x.ini:5:1: more than 3 hosts"]
    assert told("g: {hosts: {a: , b: , c: }}\nh: {hosts: {d: , e: }}\n", "x.yml") == ["x.yml:2:13: more than 3 hosts"]


def test_nothing_is_read_after_the_file_that_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "HOSTS_MAX", 3)
    read, mistakes = inventory.parse({"1.ini": "a\nb\n", "2.ini": "c\nd\n", "3.ini": "e\n"})
    assert [str(one.place) for one in mistakes] == ["2.ini:2:1"]
    assert list(read.hosts) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("x.ini", "[a]\nh\n[b]\n[c]\n[d]\n", "x.ini:5:1"),
        ("x.ini", "[a]\nh\n[a:children]\nb\nc\nd\n", "x.ini:6:1"),
        ("x.ini", "[a]\nh\n[b:vars]\nx=1\n[c:vars]\n[d:vars]\n[e:vars]\n", "x.ini:6:1"),
        ("x.yml", "a:\nb:\nc:\nd:\ne:\n", "x.yml:4:1"),
    ],
)
def test_too_many_groups(monkeypatch: pytest.MonkeyPatch, file: str, text: str, place: str) -> None:
    monkeypatch.setattr(groups, "GROUPS_MAX", 5)  # with `all` and `ungrouped`
    assert told(text, file) == [f"{place}: more than 5 groups"]


def test_a_file_of_nothing_but_mistakes_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MISTAKES_MAX", 4)
    found = told("h x\n" * 50)
    assert [one.split(": ")[0] for one in found] == [f"x.ini:{line}:1" for line in (1, 2, 3, 4, 4)]
    assert "more than 4 mistakes; what follows was not read" in found[-1]
    assert len(told("".join(f"g{n}: 3\n" for n in range(50)), "x.yml")) == 5


def test_too_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LINES_MAX", 3)
    assert told("a\n#\n\n") == []
    assert told("a\n#\n\nb\n") == ["x.ini:4:1: the file has 4 lines, more than 3"]


CHAIN = 60


@pytest.mark.parametrize(
    "pairs", [[(n, n + 1) for n in range(CHAIN)], [(n, n + 1) for n in reversed(range(CHAIN))]], ids=["down", "up"]
)
def test_groups_in_groups_are_bounded(monkeypatch: pytest.MonkeyPatch, pairs: list[tuple[int, int]]) -> None:
    defined = "".join(f"[g{n}]\n" for n in range(CHAIN + 1)) + "h\n"
    text = defined + "".join(f"[g{a}:children]\ng{b}\n" for a, b in pairs)
    read, mistakes = inventory.parse({"x.ini": text})
    assert mistakes == []
    assert read.hosts["h"].groups == tuple(sorted(f"g{n}" for n in range(CHAIN + 1)))
    monkeypatch.setattr(groups, "STEPS_MAX", CHAIN * 10)
    read, mistakes = inventory.parse({"x.ini": text})
    assert [(one.code, one.place.file, one.severity) for one in mistakes] == [("inventory", "x.ini", "error")]
    assert f"more than {CHAIN * 10}" in mistakes[0].message
    assert list(read.hosts) == ["h"]
    assert set(read.groups) == {"all", "ungrouped", *(f"g{n}" for n in range(CHAIN + 1))}


def test_many_names_of_one_host_are_bounded() -> None:
    (found,) = told("h healer_aliases=" + "a," * 200)
    assert f"more than {variables.ALIASES_MAX} healer_aliases" in found
    assert told("h healer_aliases=" + "a," * variables.ALIASES_MAX) == []


def test_variables_of_many_folders_of_playbooks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    plays = [f"playbooks/{number}" for number in range(20)]
    texts = {"hosts": "[a]\nh[1:50]\n[b]\nh[1:50]\n", **{f"{play}/group_vars/a": "ansible_port: 1\n" for play in plays}}
    assert inventory.parse(texts, "hosts", plays)[1] == []
    monkeypatch.setattr(groups, "STEPS_MAX", 1_000)
    (found,) = inventory.parse(texts, "hosts", plays)[1]
    assert "more than 1000 hosts and groups" in found.message


def test_a_long_value_is_no_mistake_where_nobody_looks_at_it() -> None:
    long = "x" * (files.LINE_MAX + 1)
    assert told(f"h\n[all:vars]\ncertificate={long}\n# {long}\n") == []
    (found,) = told(f"h\n[all:vars]\nansible_host={long}\n")
    assert found.startswith("x.ini:3:1: ")
    assert f"more than {files.LINE_MAX}" in found


# --- words ----------------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("ab= \t\r\n#'\"\\[x:\u00a0\u2003é"), max_size=30)


@hypothesis.given(TEXTS)
@hypothesis.example('a\'b c\'d"e\\"f\\g"#h')
@hypothesis.example("''")
@hypothesis.example("a\\")
@hypothesis.example('"a\\')
@hypothesis.example("'")
def test_words_are_those_of_shlex(text: str) -> None:
    # A comment ends with its line there; here each line stands alone.
    line = text.replace("\n", " ")
    try:
        wanted = shlex.split(line, comments=True)
    except ValueError:
        with pytest.raises(ValueError, match=r"No (closing quotation|escaped character)"):
            words.split(line)
    else:
        assert words.split(line) == wanted


@pytest.mark.parametrize("part", ["'a", '"a', '"\\', "a'b", "\\", '"a"\'', 'x"\\"\''])
def test_no_line_takes_the_square_of_its_length(part: str) -> None:
    # One that does would not come to an end here.
    line = "h " + part * 1_000_000
    try:
        assert words.split(line)[0] == "h"
    except ValueError as error:
        assert str(error).startswith("No ")
