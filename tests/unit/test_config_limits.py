"""What hostile YAML must not do: end the process, raise, grow without end, or be told at the wrong place."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import config, errors


def read(text: str) -> config.Document:
    return config.read_text(text, "f.yml")


def only(document: config.Document) -> errors.Diagnostic:
    (found,) = document.diagnostics
    return found


def refused(text: str) -> tuple[int, int, str]:
    """Line, column and message of the one error; the document has no value then."""
    document = read(text)
    found = only(document)
    assert (found.code, found.severity, document.ok, document.value) == ("yaml", "error", False, None)
    return found.place.line, found.place.column, found.message.removeprefix("not YAML: ")


def alone(program: str, text: str = "", *args: str) -> str:
    """What a program prints in a process of its own, which it could end or stop."""
    command = [sys.executable, "-c", "import pathlib, sys\nfrom healer import config\n" + program, *args]
    return subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=60).stdout


# --- depth and number -----------------------------------------------------------------------------------------------------

deep = pytest.mark.parametrize("link", ["[", "- ", "? ", "{a: ", "[a: ", "- ? ", "{? "])


@deep
def test_a_deep_text_does_not_end_the_process(link: str) -> None:
    printed = alone("print(config.read_text(sys.stdin.read(), 'f.yml').diagnostics[0].message)", link * 100_000)
    ours = f"not YAML: nested deeper than {config.DEPTH_MAX} levels"
    assert ours in printed or "maximum nesting depth" in printed  # a newer libyaml has a limit of its own


@deep
def test_depth_is_told_at_the_first_line_that_is_too_deep(link: str) -> None:
    line, column, _ = refused("a: 1\nb:\n  " + link * 150)
    assert line == 3
    assert 100 < column <= 3 + len(link) * 100


@pytest.mark.parametrize(
    ("text", "column"), [("a: 1\nb: &x [*x]", 4), ("a: 1\nb: &x {k: *x}", 8), ("a: 1\nb: &x {<<: *x}", 4)]
)
def test_an_anchor_in_itself_is_told_where_it_stands(text: str, column: int) -> None:
    assert refused(text) == (2, column, f"nested deeper than {config.DEPTH_MAX} levels")


def chain(levels: int, first: str, link: str) -> str:
    return f"a0: &a0 {first}\n" + "".join(f"a{n}: &a{n} {link.format(n - 1)}\n" for n in range(1, levels + 1))


@pytest.mark.parametrize("first", ["{}", "{k: v}"])
@pytest.mark.parametrize("link", ["{{<<: [*a{0}, *a{0}]}}", "{{<<: *a{0}, k: {{<<: *a{0}}}}}"])
def test_a_bomb_of_merges_is_stopped(first: str, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "NODES_MAX", 1000)
    assert refused(chain(14, first, link))[2] == "more than 1000 values (aliases counted each time)"
    assert read(chain(4, first, link)).ok


def test_what_a_merge_copies_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "NODES_MAX", 1000)
    keys = ", ".join(f"k{n}: 1" for n in range(100))
    nested = "x: &x {" + keys + "}\ny: " + "{<<: " * 20 + "*x" + "}" * 20
    assert refused(nested)[2] == "more than 1000 values (aliases counted each time)"


def test_merges_have_the_depth_of_what_they_bring() -> None:
    chained = chain(config.DEPTH_MAX + 1, "{k: v}", "{{<<: *a{0}}}")
    assert refused(chained)[2] == f"nested deeper than {config.DEPTH_MAX} levels"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a: 1\nb: [x, y]\n", 2, 4), ("a: 1\nb: {c: d}\n", 2, 5), ("a: 1\nb: c\nd: &x []\ne: *x\n", 3, 1)],
)
def test_too_many_values_are_told_where_the_limit_is_met(
    text: str, line: int, column: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "NODES_MAX", 6)
    assert refused(text) == (line, column, "more than 6 values (aliases counted each time)")


# --- scalars and tags -----------------------------------------------------------------------------------------------------

BAD = [
    ("!!bool x", "bool"), ("!!timestamp x", "timestamp"), ("!!int ''", "int"), ("!!float ''", "float"), ("!!int _", "int"),
    ("!!int x", "int"), ("!!float x", "float"), ("!!binary é", "binary"), ("1" + ":0" * 300 + ".0", "float"),
    ("2001-99-99", "timestamp"), ("0x_", "int"), ("1" * 5000, "int"), ("0x" + "f" * 5000, "int"), ("1" + ":0" * 3000, "int"), ("2001-01-01 00:00:00 +99:00", "timestamp"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), BAD, ids=[text[:20] for text, _ in BAD])
@pytest.mark.parametrize("before", ["a: 1\nb: ", "a: 1\n - ", "? a\n:  "], ids=["value", "item", "explicit"])
def test_a_bad_scalar_is_told_where_it_stands(text: str, kind: str, before: str) -> None:
    before = before.replace("a: 1\n -", "- 1\n- ")
    line, column, message = refused(f"{before}{text}\n")
    assert (line, column) == (2, 4)
    assert message.endswith(f" is no {kind}")
    assert len(message) < 150
    found = only(read(f"{before}{text}\n"))
    assert (found.try_, found.width) == ("put it in quotes if it is a text", len(text))


def test_a_bad_scalar_as_a_key_is_told_as_well() -> None:
    assert refused("a: 1\n2001-99-99: 1\n") == (2, 1, "'2001-99-99' is no timestamp")


@pytest.mark.parametrize("text", ["!!int x", "2001-99-99"])
def test_quotes_are_the_way_out(text: str) -> None:
    assert read(f"a: '{text}'").value == {"a": text}


_TAGS = st.sampled_from(
    ["int", "float", "bool", "null", "binary", "timestamp", "str", "seq", "map", "set", "omap", "x"]
)
_NUMBERS = st.text("0123456789abx_+-.:e TZ\u0663", max_size=30)


@hypothesis.settings(max_examples=500)
@hypothesis.given(_TAGS, _NUMBERS | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12))
def test_any_scalar_with_any_tag_gives_a_document(tag: str, text: str) -> None:
    quoted = text.replace("'", "''")
    for written in (f"!!{tag} '{quoted}'", f"!!{tag} {text}", text):
        document = read(f"a: 1\nb: {written}\n")
        assert document.value is None or document.ok


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!x {a: 1}", "could not determine a constructor for the tag '!x'"),
        ("!x [a]", "could not determine a constructor for the tag '!x'"),
        ("!!python/tuple [1]", "could not determine a constructor for the tag 'tag:yaml.org,2002:python/tuple'"),
        ("!!python/object:os.system {a: 1}", "could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'"),
        ("!!set {a, b}", "could not determine a constructor for the tag 'tag:yaml.org,2002:set'"),
        ("!!omap x", "could not determine a constructor for the tag 'tag:yaml.org,2002:omap'"),
        ("!!str [a]", "a sequence cannot have the tag !!str"), ("!!seq {a: 1}", "a mapping cannot have the tag !!seq"),
        ("!!seq a", "a scalar cannot have the tag !!seq"), ("!!map a", "a scalar cannot have the tag !!map"),
        ("{<<: !x {a: 1}}", "could not determine a constructor for the tag '!x'"),
        ("{<<: !x [{a: 1}]}", "<< wants a mapping"),
    ],
)  # fmt: skip
def test_a_tag_that_is_not_the_nodes_own_is_refused_where_it_stands(text: str, message: str) -> None:
    line, column, told = refused(f"a: 1\nb: {text}\n")
    assert (line, column, told) == (2, 9 if "<<" in text else 4, message)


def test_a_long_tag_is_shortened() -> None:
    assert len(refused(f"!{'x' * 5000} a")[2]) < 200


def test_the_tags_of_our_own_collections_may_be_written() -> None:
    assert read("!!map {a: !!seq [!!str 1]}").value == {"a": ["1"]}


SEALED = "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (SEALED, config.SEALED), (f"!vault-encrypted{SEALED[6:]}", config.SEALED), ("!unsafe '{{ x }}'", "{{ x }}"),
        ("!unsafe 1", 1), ("!unsafe ~", None), ("!unsafe [1, !unsafe {b: no}]", [1, {"b": False}]),
    ],
)  # fmt: skip
def test_the_tags_of_ansible_are_read_where_they_are_asked_for(text: str, value: Any) -> None:
    document = config.read_text(f"a: {text}", "f.yml", ansible=True)
    assert (document.diagnostics, document.value) == ([], {"a": value})
    line, column, message = refused(f"a: {text}")
    assert (line, column) == (1, 4)
    assert message.startswith("could not determine a constructor for the tag '!")


def test_other_tags_are_refused_there_as_well() -> None:
    (found,) = config.read_text("a: !x 1", "f.yml", ansible=True).diagnostics
    assert found.message == "not YAML: could not determine a constructor for the tag '!x'"


# --- keys that stand twice ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", ["b: *x\nc: *x\n", "b: {<<: *x}\n", "b: [*x, {<<: [*x, *x]}]\n"])
def test_a_duplicate_behind_an_anchor_is_told_once(others: str) -> None:
    found = only(read("a: &x {k: 1, k: 2}\n" + others))
    assert (found.code, found.place) == ("duplicate-key", errors.Place("f.yml", 1, 14))


def test_each_duplicate_of_its_own_is_told() -> None:
    found = read("- {k: 1, k: 2, k: 3}\n- {k: 1, k: 2}\n").diagnostics
    assert [(one.place.line, one.place.column) for one in found] == [(1, 10), (1, 16), (2, 10)]


@pytest.mark.parametrize(
    ("own", "k"),
    [
        ("  <<: *x\n  <<: *y\n", 1),
        ("  <<: *y\n  k: 3\n  <<: *x\n", 3),
        ("  <<: [*x, *y]\n  <<: *y\n", 1),
        ("  <<: *y\n  <<: [*x, *y]\n", 2),
    ],
)
def test_two_merges_are_a_duplicate_and_the_first_wins(own: str, k: int) -> None:
    text = "x: &x {k: 1, l: 1}\ny: &y {k: 2, m: 2}\nz:\n" + own
    document = read(text)
    assert document.value["z"] == {"k": k, "l": 1, "m": 2}
    found = only(document)
    assert (found.code, found.severity, found.width) == ("duplicate-key", "error", 2)
    assert found.place == errors.Place("f.yml", text.count("\n", 0, text.rindex("<<")) + 1, 3)


def written(text: str, spans: Iterable[config.Span]) -> list[str]:
    """What stands at some spans."""
    lines = text.splitlines(keepends=True)
    begin = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    return [text[begin[line - 1] + at - 1 : begin[to - 1] + end - 1].strip() for (line, at), (to, end) in sorted(spans)]


def hidden(text: str) -> list[str]:
    """What a document says that it hides."""
    return written(text, [span for span, last in config.read_text(text, "f.yml").twice.items() if span != last])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\n", []),
        ("a: 1\nb: 2\na: 3\n", ["a: 1"]),
        ("a:\n  x: [1,\n      2]\nb: 2\na: 3\na: 4\n", ["a:\n  x: [1,\n      2]", "a: 3"]),
        ("- {k: 1, k: {m: 1, m: 2}}\n- k: 1\n", ["k: 1", "m: 1"]),
        ("k: {m: 1, m: 2}\nk: 3\n", ["k: {m: 1, m: 2}", "m: 1"]),
        ("x: &x {k: 1}\ny: {<<: *x, <<: *x, k: 2}\nz: {<<: *x, k: 2, k: 3}\n", ["k: 2"]),
    ],
)
def test_what_a_later_key_hides_is_known(text: str, found: list[str]) -> None:
    assert hidden(text) == found


def test_an_earlier_one_counts_where_it_is_asked_for() -> None:
    text = "a: {k: 1, k: 2, k: 3, l: 1, l: 2}\nb: 1\n"
    first = read(text)
    k1, k2, k3, l1, l2 = sorted(first.twice)
    assert {written(text, [one])[0]: written(text, [last])[0] for one, last in first.twice.items()} == {
        "k: 1": "k: 3", "k: 2": "k: 3", "k: 3": "k: 3", "l: 1": "l: 2", "l: 2": "l: 2",
    }  # fmt: skip
    for counting, value, at in [([], (3, 2), 20), ([k1], (1, 2), 8), ([k2, l1], (2, 1), 14), ([k3, l2], (3, 2), 20)]:
        found = config.read_text(text, "f.yml", counting=counting)
        assert tuple(found.value["a"].values()) == value
        assert found.value["a"].values_at["k"][1] == at
        assert (found.diagnostics, found.twice) == (first.diagnostics, first.twice)


def test_the_last_one_within_an_earlier_one_counts_as_well() -> None:
    text = "k: {m: 1, m: 2}\nk: {n: 3}\n"
    (outer, _), (inner, _), *_ = sorted(read(text).twice.items())
    assert config.read_text(text, "f.yml", counting=[outer]).value == {"k": {"m": 2}}
    assert config.read_text(text, "f.yml", counting=[outer, inner]).value == {"k": {"m": 1}}
    assert config.read_text(text, "f.yml", counting=[inner]).value == {"k": {"n": 3}}


def test_what_stands_behind_an_anchor_is_hidden_where_it_stands_alone() -> None:
    assert hidden("x: &x {k: 1}\na: *x\na: 2\n") == []


def test_a_key_of_many_digits_can_be_told() -> None:
    key = "0x" + "f" * 3000
    assert only(read(f"? {key}\n? {key}\n")).message.startswith("the key a number of 12000 bits stands here twice")
    assert len(only(read(f"{'k' * 900}: 1\n{'k' * 900}: 2\n")).message) < 200


# --- characters and files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["\0", "\x01", "\x0b", "\x1c", "\x7f", "\x9f", "\ufffe", "\ud800"])
@pytest.mark.parametrize(
    "before", ["", "# ééé😀\né: ", "a: 1\r\rb: ", "a: 1\r\nb: ", "a: 1\x85b: '\u2028", "\ufeffa: 1\n#"]
)
def test_a_character_that_is_not_allowed_is_told_where_it_stands(before: str, bad: str) -> None:
    text = f"{before}{bad}\na: 1\nb: 2\n"
    line, column, _ = refused(text)
    lines = f"{before}x".splitlines()
    assert (line, column) == (len(lines), len(lines[-1]))
    assert only(read(text)).text == text.splitlines()[line - 1]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")], ids=["pipe", "device"])
def test_what_is_no_regular_file_is_refused_without_waiting(make: Any, tmp_path: pathlib.Path) -> None:
    make(tmp_path / "x.yml")
    program = "print(*config.read_file(pathlib.Path(sys.argv[1]), 'x.yml').diagnostics)"
    printed = alone(program, "", str(tmp_path / "x.yml"))
    assert printed == "x.yml: error[unreadable]: the file cannot be read: it is no regular file\n"


def test_a_file_is_read_no_further_than_the_limit(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "BYTES_MAX", 4)
    path = tmp_path / "x.yml"
    path.touch()
    os.truncate(path, 1 << 40)
    found = only(config.read_file(path, "x.yml"))
    assert found.message == f"the file cannot be read: the file has {1 << 40} bytes, more than 4"


# --- what is shown -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("soon", "'soon'"), (5, "5"), (True, "True"), (None, "None"), (1.5, "1.5"), ([1, "a"], "[1, 'a']"), ({"a": 1}, "{'a': 1}"),
        (list(range(9)), "[0, 1, 2, 3, 4, 5, ...]"), ([[1]], "[[...]]"),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_python_writes_it_until_it_is_long(value: object, text: str) -> None:
    assert config.shown(value) == text


def test_a_read_value_is_shown_as_well() -> None:
    assert config.shown(read("a: [1, 0x" + "f" * 3000 + "]").value["a"]) == "[1, a number of 12000 bits]"
    assert config.shown(read("a: 1").value) == "{'a': 1}"
    assert config.shown(-(1 << 20_000)) == "a number of 20001 bits"


@hypothesis.given(st.recursive(st.text() | st.binary() | st.integers() | st.floats(), st.lists, max_leaves=30))
def test_what_is_shown_is_short(value: object) -> None:
    assert len(config.shown(value)) <= 7 * (config.SHOWN_MAX + 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1: x\ntrue: y\n", "1 and true are one key here, already in line 1: a name has to be a text"),
        ("off: x\n0.0: y\n", "false and 0.0 are one key here, already in line 1: a name has to be a text"),
        ("1: x\n1: y\n", "the key 1 stands here twice, already in line 1"),
    ],
)
def test_keys_that_python_alone_takes_for_one_are_told_as_what_they_are(text: str, said: str) -> None:
    (found,) = config.read_text(text, "a.yml").diagnostics
    assert (found.code, found.message, found.place.line) == ("duplicate-key", said, 2)
    assert found.try_ == ("one of them has to go" if "twice" in said else "put both in quotes")
