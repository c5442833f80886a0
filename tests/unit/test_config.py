"""YAML with positions: where each key and value stands, what is refused and where, and that no text raises."""

from __future__ import annotations

import copy
import pathlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from healer import config, errors

Reader = Callable[[object], float]
ROUND_TRIPS: list[Callable[[Any], Any]] = [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy]


def read(text: str) -> config.Document:
    return config.read_text(text, "f.yml")


def value_of(text: str) -> Any:
    document = read(text)
    assert document.diagnostics == []
    return document.value


def only(document: config.Document) -> errors.Diagnostic:
    (found,) = document.diagnostics
    return found


def refused(text: str) -> tuple[int, int, str]:
    """Line, column and message of the one error; the document has no value then."""
    document = read(text)
    found = only(document)
    assert (found.code, found.severity, document.ok, document.value) == ("yaml", "error", False, None)
    return found.place.line, found.place.column, found.message


def marks(value: Any) -> Iterator[config.Mark]:
    """All marks of a value, its own and those inside it."""
    if isinstance(value, config.Map):
        yield from (value.mark, *value.keys_at.values(), *value.values_at.values())
    if isinstance(value, config.Seq):
        yield from (value.mark, *value.items_at)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from marks(inner)


def cut(text: str, mark: config.Mark) -> str:
    line, column, width = mark
    return text.splitlines()[line - 1][column - 1 : column - 1 + width]


def test_a_block_mapping_knows_its_keys_and_values() -> None:
    value = value_of("# head\nname: disk\nwait:   5 minutes\n")
    assert value == {"name": "disk", "wait": "5 minutes"}
    assert value.mark == (2, 1, 1)
    assert value.keys_at == {"name": (2, 1, 4), "wait": (3, 1, 4)}
    assert value.values_at == {"name": (2, 7, 4), "wait": (3, 9, 9)}


def test_a_block_sequence_knows_its_items() -> None:
    value = value_of("rules:\n  - one\n  -  two\n  - {k: v}\n")
    assert value["rules"].mark == (2, 3, 1)
    assert value["rules"].items_at == [(2, 5, 3), (3, 6, 3), (4, 5, 1)]
    assert value["rules"][2].values_at == {"k": (4, 9, 1)}


def test_flow_over_several_lines() -> None:
    value = value_of("{b: 1,\n  c: [xx,\n yyy]}\n")
    assert (value.mark, value.keys_at) == ((1, 1, 1), {"b": (1, 2, 1), "c": (2, 3, 1)})
    assert value.values_at == {"b": (1, 5, 1), "c": (2, 6, 1)}
    assert value["c"].items_at == [(2, 7, 2), (3, 2, 3)]


def test_what_stands_twice_before_a_key_that_is_none_is_told() -> None:
    document = config.read_text("a: {b: {c: 1, c: 2}, ? {d: 1} : 3}\n", "f.yml")
    assert [(one.code, one.place.column) for one in document.diagnostics] == [("duplicate-key", 15), ("yaml", 24)]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a: 'two words'", (1, 4, 11)), ('a: "x"', (1, 4, 3)), ("é:\n  ü😀\n", (2, 3, 2)),
        # not on one line: only its beginning is known
        ("a: |\n  x\n  y\n", (1, 4, 1)), ("a: plain\n  folded\n", (1, 4, 1)), ("a: 'x\n  y'\n", (1, 4, 1)),
    ],
)  # fmt: skip
def test_the_mark_of_a_scalar(text: str, mark: config.Mark) -> None:
    assert next(iter(value_of(text).values_at.values())) == mark


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_are_counted_as_yaml_ends_them(end: str) -> None:
    document = read(f"a: 'x'{end}b: 1{end}b: 2{end}")
    assert document.value.keys_at["b"] == (3, 1, 1)
    assert only(document).text == "b: 2"


@pytest.mark.parametrize("text", ["", " \n", "# only a remark", "---", "---\n...\n", "~", "null"])
def test_an_empty_file_has_no_value_and_no_mistake(text: str) -> None:
    assert value_of(text) is None


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
_LEAVES = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _WORDS
_DATA = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.integers(2, 9), inner, max_size=4),
    max_leaves=12,
)


@hypothesis.given(_DATA, st.booleans(), st.sampled_from([2, 4]))
def test_what_was_dumped_is_read_again_and_found_where_it_stands(data: Any, flow: bool, indent: int) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, indent=indent, allow_unicode=True, width=10**6)
    value = value_of(text)
    assert value == data
    assert_found(text, value)


def assert_found(text: str, value: Any) -> None:
    """At the mark of each scalar stands that scalar."""
    if isinstance(value, config.Map):
        assert set(value.keys_at) == set(value.values_at) == set(value)
        pairs = [*value.keys_at.items(), *((value[key], at) for key, at in value.values_at.items())]
    elif isinstance(value, config.Seq):
        pairs = list(zip(value, value.items_at, strict=True))
    else:
        return
    for inner, at in pairs:
        if isinstance(inner, config.Map | config.Seq):
            assert at == inner.mark
            assert_found(text, inner)
        else:
            assert yaml.safe_load(cut(text, at)) == inner


@pytest.mark.parametrize(
    "text", ["0x1f", "012", "1_000", "0b11", "1:30", "yes", "1e3", "1.5", "-.inf", "!!binary aGk="]
)
def test_a_scalar_is_what_the_upstream_reader_makes_of_it(text: str) -> None:
    value, wanted = value_of(f"a: {text}")["a"], yaml.safe_load(text)
    assert (value, type(value)) == (wanted, type(wanted))


@pytest.mark.parametrize("text", ["2024-02-29", "2024-02-29 10:00:00", "2024-02-29T10:00:00.5Z"])
def test_a_date_stays_text_since_json_has_none(text: str) -> None:
    assert value_of(f"{text}: {text}") == {text: text}


@pytest.mark.parametrize("tag", ["!x", "!!python/name:os.system", "!!python/object/apply:os.system", "!!value"])
def test_only_the_safe_tags_exist(tag: str) -> None:
    line, column, message = refused(f"a: 1\nb: {tag} true\n")
    assert (line, column) == (2, 4)
    assert message.startswith("not YAML: could not determine a constructor for the tag")


@pytest.mark.parametrize("text", ['!vault "abc"', "!vault ''", "!vault-encrypted 5", "!vault $ANSIBLE_VAULT"])
def test_what_is_vaulted_has_to_be_so(text: str) -> None:
    document = config.read_text(f"a: 1\nb: [{text}, {text}]\n", "f.yml", vaulted=lambda _: "hidden")
    tag = text.partition(" ")[0]
    assert [(str(one.place), one.code, one.message, one.text) for one in document.diagnostics] == [
        (f"f.yml:2:{column}", "vault", f"what stands after {tag} is not vaulted", "") for column in (5, 7 + len(text))
    ]
    assert not document.ok
    assert config.read_text(f"b: {text}", "f.yml", ansible=True).ok  # as there: it is wrong when it is used


@pytest.mark.parametrize("ansible", [True, False])
@pytest.mark.parametrize("text", ["!vault {a: b}", "!vault [x]"])
def test_only_a_text_is_vaulted(text: str, ansible: bool) -> None:
    document = config.read_text(f"a: {text}\n", "f.yml", ansible=ansible, vaulted=None if ansible else str)
    assert only(document).message == "not YAML: !vault stands before a text that ansible-vault encrypted"
    assert only(document).place == errors.Place("f.yml", 1, 4)


def test_a_key_that_stands_twice() -> None:
    document = read("aa: 1\nb: 2\naa: 3\n")
    found = only(document)
    assert (found.code, found.severity, found.width, document.ok) == ("duplicate-key", "error", 2, False)
    assert found.place == errors.Place("f.yml", 3, 1)
    assert (found.message, found.try_) == ("the key 'aa' stands here twice, already in line 1", "one of them has to go")
    assert document.value == {"aa": 3, "b": 2}
    assert (document.value.keys_at["aa"], document.value.values_at["aa"]) == ((3, 1, 2), (3, 5, 1))


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("{a: 1, a: 2}", 1, 8), ("x:\n  - a: 1\n    'a': 1\n", 3, 5), ("1: a\n0x1: b\n", 2, 1), ("a:\na:\n", 2, 1),
        ("~: 1\nnull: 2\n", 2, 1), ("? a\n? a\n", 2, 3),
    ],
)  # fmt: skip
def test_a_duplicate_is_an_error_where_the_second_stands(text: str, line: int, column: int) -> None:
    document = read(text)
    assert only(document).place == errors.Place("f.yml", line, column)
    assert (only(document).code, document.ok) == ("duplicate-key", False)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\n? [x]\n: 1\n", 2, 3, "a key has to be a scalar"), ("{x: 1}: 2\n", 1, 1, "a key has to be a scalar"),
        ("k: &k [x]\n? *k\n: 1\n", 1, 4, "a key has to be a scalar"),  # an alias stands where its anchor does
        ("a:\n  .nan: 1\n", 2, 3, "a key cannot be .nan"), ("- {x: 1, .NaN: 2}\n", 1, 10, "a key cannot be .nan"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_one_is_refused(text: str, line: int, column: int, message: str) -> None:
    assert refused(text) == (line, column, f"not YAML: {message}")


def test_a_merge_brings_what_is_missing_with_its_own_marks() -> None:
    value = value_of("base: &base {k: 1, w: 22}\nown:\n  w: 3\n  <<: *base\n")["own"]
    assert value == {"w": 3, "k": 1}
    assert value.keys_at == {"w": (3, 3, 1), "k": (1, 14, 1)}
    assert value.values_at == {"w": (3, 6, 1), "k": (1, 17, 1)}


def test_of_several_merged_mappings_the_first_wins() -> None:
    text = "x: &x {k: 1}\ny: &y {k: 2, l: 2}\nz: {<<: [*x, *y]}\n"
    assert value_of(text) == yaml.safe_load(text)
    assert value_of(text)["z"] == {"k": 1, "l": 2}


@pytest.mark.parametrize("source", ["1", "~", "[1]", "x", "[{a: 1}, x]"])
def test_a_merge_of_what_is_no_mapping_is_refused(source: str) -> None:
    assert refused(f"a:\n  <<: {source}\n") == (2, 7, "not YAML: << wants a mapping")


@pytest.mark.parametrize("text", ["&x [*x]", "&x {k: *x}", "&x {<<: *x}", "a: &x {b: [1, *x]}"])
def test_an_anchor_in_itself_is_refused(text: str) -> None:
    assert refused(text)[2] == f"not YAML: nested deeper than {config.DEPTH_MAX} levels"


def bomb(levels: int, link: str) -> str:
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} {link.format(n - 1)}\n" for n in range(1, levels + 1))


@pytest.mark.parametrize("link", ["[*a{0}, *a{0}]", "{{k: *a{0}, l: *a{0}}}"])
def test_an_alias_bomb_is_stopped(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "NODES_MAX", 1000)
    assert refused(bomb(12, link))[2] == "not YAML: more than 1000 values (aliases counted each time)"
    assert read(bomb(4, link)).ok


@pytest.mark.parametrize(
    ("text", "fits"), [("[a, b]", True), ("[a, b, c]", False), ("{a: b}", True), ("{a, b}", False)]
)
def test_the_limit_of_values(text: str, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "NODES_MAX", 3)
    assert read(text).ok is fits


@pytest.mark.parametrize(("before", "after"), [("[", "]"), ("{k: ", "}"), ("- ", "")], ids=["flow", "pairs", "block"])
def test_the_limit_of_depth(before: str, after: str) -> None:
    fits, over = config.DEPTH_MAX, config.DEPTH_MAX + 1
    assert refused(before * over + "1" + after * over)[2] == f"not YAML: nested deeper than {fits} levels"
    assert read(before * fits + "1" + after * fits).ok


def test_a_file_over_the_limit_of_bytes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "BYTES_MAX", 4)
    path = tmp_path / "x.yml"
    path.write_bytes(b"a: 1")
    assert config.read_file(path, "x.yml").value == {"a": 1}
    path.write_bytes(b"a: 12")
    found = only(config.read_file(path, "x.yml"))
    assert (found.code, found.message) == ("unreadable", "the file cannot be read: the file has 5 bytes, more than 4")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\n---\nb: 2\n", 2, 1), ("a\n...\n---\nb\n", 3, 1), ("a: b\n\tc: 1\n", 2, 1), ("a: 1\n\tb: 2\n", 2, 1),
        ("a: b: c\n", 1, 5), ("a:\n  - b\n c: d\n", 3, 2), ("a: 1\nb: \x00\n", 2, 4), ("a: 1\nb: \x07\n", 2, 4),
        ("a: '\ud800'\n", 1, 5), ("a: 1\nb: @x\n", 2, 4), ("a: 1\nb: *x\n", 2, 4),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_refused_where_it_stands(text: str, line: int, column: int) -> None:
    found_line, found_column, message = refused(text)
    assert (found_line, found_column) == (line, column)
    assert message.startswith("not YAML: ")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["a:\tb\n", "a: b\t# remark\n", "{a:\tb}"])
def test_tabs_between_tokens_are_allowed(text: str) -> None:
    assert value_of(text) == {"a": "b"}


def test_a_file_is_read_as_its_text_is_without_its_byte_order_mark(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes("\ufeffa: 1\r\na: 2\r\n".encode())
    document = config.read_file(path, "x.yml")
    assert (document.value, document.value.keys_at, document.lines) == ({"a": 2}, {"a": (2, 1, 1)}, ["a: 1", "a: 2"])
    assert (str(only(document).place), only(document).text, document.ok) == ("x.yml:2:1", "a: 2", False)
    assert value_of("\ufeffa: 1\n") == {"a": 1}


@pytest.mark.parametrize("raw", [b"a: \xff", b"a: \xc3", "a: ü".encode("latin-1"), "a: 1".encode("utf-16")])
def test_what_is_no_utf_8_is_unreadable(raw: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes(raw)
    document = config.read_file(path, "shown.yml")
    place = "1:1" if raw[:1] == b"\xff" else "1:4"
    assert str(only(document)).startswith(
        f"shown.yml:{place}: error[unreadable]: the file cannot be read: 'utf-8' codec"
    )
    assert (document.ok, document.value) == (False, None)


def test_a_byte_that_is_no_utf_8_is_told_where_it_stands(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.yml").write_bytes("a: ü\r\nb: é\xff".encode() + b"\xff")
    assert str(only(config.read_file(tmp_path / "x.yml", "x.yml")).place) == "x.yml:2:6"
    (tmp_path / "x.yml").write_bytes(b"\xef\xbb\xbfmode: \xff")
    assert str(only(config.read_file(tmp_path / "x.yml", "x.yml")).place) == "x.yml:1:7"


def test_what_is_no_file_is_unreadable(tmp_path: pathlib.Path) -> None:
    missing = only(config.read_file(tmp_path / "none.yml", "none.yml"))
    assert missing.message == "the file cannot be read: No such file or directory"
    assert only(config.read_file(tmp_path, "folder")).message == "the file cannot be read: Is a directory"


def test_a_document_keeps_what_rooms_above_add() -> None:
    document = read("a: 1\nbcd: 2\n")
    document.warning("odd", "this is odd", (2, 1, 3), "do this")
    before = document.ok
    document.error("bad", "this is bad", None, "or that")
    assert (before, document.ok) == (True, False)
    assert document.diagnostics == [
        errors.Diagnostic("odd", "this is odd", errors.Place("f.yml", 2, 1), "warning", "bcd: 2", 3, "do this"),
        errors.Diagnostic("bad", "this is bad", errors.Place("f.yml"), try_="or that"),
    ]


@pytest.mark.parametrize("mark", [(0, 0, 1), (3, 1, 1), (99, 1, 1)])
def test_a_mark_behind_the_text_shows_no_line(mark: config.Mark) -> None:
    assert read("a: 1\nb: 2\n").diagnostic("hint", "x", "y", mark).text == ""


@pytest.mark.parametrize("again", ROUND_TRIPS, ids=["pickle", "deepcopy", "copy"])
def test_a_copy_keeps_the_marks(again: Callable[[Any], Any]) -> None:
    value = value_of("a: [1, {b: 2}]\n.inf: ~\n")
    copied = again(value)
    assert (type(copied), copied) == (config.Map, value)
    assert (copied.keys_at, copied.values_at, copied.mark) == (value.keys_at, value.values_at, value.mark)
    inner = again(value["a"])
    assert (type(inner), inner) == (config.Seq, value["a"])
    assert (inner.items_at, inner.mark) == ([(1, 5, 1), (1, 8, 1)], (1, 4, 1))
    assert list(marks(copied)) == list(marks(value))


_PIECES = [
    "a", "1", "~", "b:", ":", "-", "?", ",", "[", "]", "{", "}", "&x", "*x", "<<:", "|", ">", "'", '"', "#", "@", "%",
    "!", "!x", "---", "...", ".nan", "=", "é", "😀", " ", "\n", "\n  ", "\r", "\t", "\0", "\x0b", "\x1c", "\x7f",
    "\x85", "\u2028", "\ufeff", "\ud800",
]  # fmt: skip
_TEXTS = st.text(max_size=60) | st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


@hypothesis.settings(max_examples=500)
@hypothesis.given(_TEXTS, st.booleans(), st.booleans())
def test_any_text_gives_a_document_whose_marks_lie_inside_it(text: str, ansible: bool, again: bool) -> None:
    counting = list(config.read_text(text, "f.yml", ansible=ansible).twice)[:1] if again else []
    document = config.read_text(text, "f.yml", counting=counting, ansible=ansible)
    ends = [len(line) + 1 for line in text.splitlines()] + [1]  # the end of a line, and of the text, are places as well
    told = [(d.place.line, d.place.column, d.width) for d in document.diagnostics]
    for line, column, width in [*marks(document.value), *told]:
        assert 1 <= line <= len(ends)
        assert 1 <= column <= ends[line - 1]
        assert width == 1 or 1 < width <= ends[line - 1] - column
    assert document.ok == all(d.severity != "error" for d in document.diagnostics)
    assert not any(d.code == "yaml" for d in document.diagnostics) or document.value is None
    assert document.diagnostics == read(text).diagnostics or counting or ansible
    for start, end in document.twice:
        assert (1, 1) <= start <= end <= (len(ends), ends[-1] + 1)


@hypothesis.given(st.binary(max_size=40))
def test_any_bytes_give_a_document(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(raw)
    document = config.read_file(path, "any.yml")
    assert document.value is None or {d.code for d in document.diagnostics} <= {"duplicate-key"}


def test_a_character_that_yaml_does_not_allow_is_told_where_it_stands() -> None:
    document = config.read_text("a: 1\nb: 2\nc: x\x1b[31m\n", "a.yml")
    assert [(one.code, one.place.line, one.place.column) for one in document.diagnostics] == [("yaml", 3, 5)]
    document = config.read_text("a: \x07\n", "a.yml")
    assert [(one.place.line, one.place.column) for one in document.diagnostics] == [(1, 4)]
