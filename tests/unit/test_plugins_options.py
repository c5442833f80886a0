"""Mistakes in options told at their own place whatever the keys are called, and plugins that do worse than raise at import."""

from __future__ import annotations

import pathlib
import sys
import types
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import hypothesis
import jsonschema
import pydantic
import pytest
from hypothesis import strategies as st

from healer import config, errors, plugins


def _take_out() -> dict[str, types.ModuleType]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("healer_project_")}


@pytest.fixture(autouse=True)
def _no_plugins_of_a_project() -> Iterator[None]:
    """What other tests imported is away, and what a test imports is gone after it."""
    others = _take_out()
    yield
    _take_out()
    sys.modules.update(others)


class Inner(plugins.Options):
    """A nested part."""

    host: str


class Sample(plugins.Options):
    """Options whose mistakes pydantic tells with labels of its own."""

    port: int = 1
    labels: dict[str, str] = pydantic.Field(default_factory=dict)
    mixed: int | list[int] | Inner | None = None
    inners: dict[str, Inner] = pydantic.Field(default_factory=dict)
    wait: plugins.Duration = 1.0
    buffer: plugins.Size = 1


def told(text: str) -> list[tuple[int, int, str, str]]:
    """Line, column, message and advice of each mistake."""
    document = config.read_text(text, "f.yml")
    assert document.ok
    assert plugins.check_options(document, Sample, document.value, document.value.mark, "x") is None
    return [(d.place.line, d.place.column, d.message.removeprefix("x: "), d.try_) for d in document.diagnostics]


KNOWN = "known: port, labels, mixed, inners, wait, buffer"


@pytest.mark.parametrize("key", ["a[b]", "'['", "'[key]'", "'list[int]'", "']'"])
def test_an_unknown_key_may_look_like_a_label(key: str) -> None:
    assert told(f"port: 1\n{key}: 1\n") == [(2, 1, f"the key {key.strip(chr(39))!r} is not known here", KNOWN)]


@pytest.mark.parametrize("value", ["1", "x", "[]", "{}", "~"])
def test_an_unknown_key_is_told_at_the_key_whatever_its_value(value: str) -> None:
    assert told(f"port: 1\nprt: {value}\n") == [(2, 1, "the key 'prt' is not known here", "did you mean 'port'?")]


def test_an_unknown_key_further_in_is_told_there() -> None:
    assert told("inners:\n  'a[0]':\n    host: a\n    'h[': 1\n") == [
        (4, 5, "the key 'h[' is not known here", "known: host")
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("labels:\n  a: b\n  'x[y': 1", 3, 10, "labels.x[y: a text is wanted, got 1"),
        ("labels:\n  a: b\n  '[key]': 1", 3, 12, "labels.[key]: a text is wanted, got 1"),
        ("labels:\n  a: b\n  1: c", 3, 3, "labels.1: a text is wanted, got 1"),
        ("port: 1\n1: 2\n", 2, 1, "1: a text as key is wanted, got 1"),
        ("port: 1\n1.5: 2\n", 1, 1, "1.5: a text as key is wanted, got 1.5"),
        ("inners:\n  'a[0]': {}\n", 2, 11, "the key 'host' is missing"),
        ("inners:\n  'a[0]': {host: 1}\n", 2, 18, "inners.a[0].host: a text is wanted, got 1"),
    ],
)
def test_a_mistake_below_an_odd_key_is_told_there(text: str, line: int, column: int, message: str) -> None:
    assert told(text) == [(line, column, message, "put quotes around it" if "a text" in message else "")]


def test_labels_of_pydantic_are_left_out() -> None:
    assert [(line, column, message) for line, column, message, _ in told("port: 1\nmixed:\n  - 1\n  - x\n")] == [
        (2, 1, "mixed: a whole number or a mapping with host is wanted, got a list"),
        (4, 5, "mixed.1: a whole number is wanted, got 'x'"),
    ]


_KEYS = st.sampled_from([*Sample.model_fields, "host", "a", "[", "[key]", "list[int]", "Inner", "int", "1", "1.5", "~"])
_VALUES = st.recursive(
    st.sampled_from(["1", "x", "~", "5m", "0x" + "f" * 3000]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(_KEYS, inner, max_size=3).map(
            lambda pairs: (
                "{" + ", ".join(f"? '{k}' : {v}" if "[" in k else f"? {k} : {v}" for k, v in pairs.items()) + "}"
            )
        )
    ),
    max_leaves=8,
)


@hypothesis.given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_any_keys_give_the_shape_or_mistakes_with_a_place(pairs: dict[str, str]) -> None:
    text = "".join(f"'{key}': {value}\n" if "[" in key else f"{key}: {value}\n" for key, value in pairs.items()) or "{}"
    document = config.read_text(text, "f.yml")
    assert document.ok
    made = plugins.check_options(document, Sample, document.value, (1, 1, 1), "x")
    assert (made is None) is bool(document.diagnostics)
    for mistake in document.diagnostics:
        assert 1 <= mistake.place.line <= len(document.lines)
        assert 1 <= mistake.place.column <= len(document.lines[mistake.place.line - 1])


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("wait: soon", 7, "wait: a duration like '5 minutes' or '5m' is wanted, got 'soon'"),
        ("wait: 5", 7, "wait: a duration like '5 minutes' or '5m' is wanted, got 5"),
        ("wait: [5]", 1, "wait: a duration like '5 minutes' or '5m' is wanted, got a list"),
        ("buffer: 2 M", 9, "buffer: a size like '100 MB' or '2 MiB' is wanted, got '2 M'"),
        ("buffer: -1", 9, "buffer: a size like '100 MB' or '2 MiB' is wanted, got -1"),
    ],
)
def test_what_was_got_is_told_once(text: str, column: int, message: str) -> None:
    assert told(text) == [(1, column, message, "")]


def test_what_a_validator_does_not_repeat_is_told_behind_it() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("an even number is wanted")
        return value

    shape: Any = pydantic.create_model("Shape", n=(Annotated[int, pydantic.AfterValidator(even)], 0))
    document = config.read_text("n: 3", "f.yml")
    assert plugins.check_options(document, shape, document.value, document.value.mark, "x") is None
    assert document.diagnostics[0].message == "x: n: an even number is wanted, got 3"


@pytest.mark.parametrize(
    "text",
    [
        f"port: {'x' * 5000}", f"labels: {{a: 0x{'f' * 3000}}}", f"wait: {'x' * 5000}", f"? {'x' * 5000}\n: 1", f"? 0x{'f' * 3000}\n: 1",
        f"labels: {{? {'x' * 5000} : 1}}", f"buffer: '{'9' * 5000}'",
    ],
    ids=["text", "number", "duration", "key", "key that is a number", "key of a label", "size"],
)  # fmt: skip
def test_what_is_told_is_short(text: str) -> None:
    for _, _, message, _ in told(text):
        assert len(message) < 400


# --- finding --------------------------------------------------------------------------------------------------------------


def write(project: pathlib.Path, kind: str, text: str) -> pathlib.Path:
    """The project's plugin `mine` of a kind."""
    path = project / kind / "mine.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


kinds = pytest.mark.parametrize("kind", sorted(plugins.OWN_KINDS))


@kinds
def test_every_name_listed_is_found(kind: plugins.Kind, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, kind, "MARK = 'own'\n")
    assert "mine" in plugins.names(kind, tmp_path)
    found = plugins.find(kind, "mine", tmp_path)
    assert (found.MARK, found.__file__, found.__name__) == ("own", str(path), f"healer_project_{kind}.mine")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; sys.exit(3)\n", "SystemExit: 3"), ("raise SystemExit\n", "SystemExit"),
        ("import asyncio\nraise asyncio.CancelledError\n", "CancelledError"), ("raise GeneratorExit\n", "GeneratorExit"),
        ("raise KeyboardInterrupt('x')\n", "KeyboardInterrupt: x"), ("raise BaseException('x')\n", "BaseException: x"), ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
    ],
)  # fmt: skip
@kinds
def test_whatever_a_plugin_raises_it_is_broken_and_leaves_no_module(
    kind: plugins.Kind, text: str, reason: str, tmp_path: pathlib.Path
) -> None:
    path = write(tmp_path, kind, text)
    with pytest.raises(plugins.BrokenPlugin) as caught:
        plugins.find(kind, "mine", tmp_path)
    assert caught.value.message == f"the {kind[:-1]} 'mine' ({path}) cannot be used: {reason}"
    assert f"healer_project_{kind}.mine" not in sys.modules


@pytest.mark.parametrize("text", [
    "import signal\nsignal.raise_signal(signal.SIGINT)\n",
    "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    raise\n",
])  # fmt: skip
def test_an_interrupt_by_the_operator_is_no_mistake_of_the_plugin(text: str, tmp_path: pathlib.Path) -> None:
    write(tmp_path, "sources", text)
    with pytest.raises(KeyboardInterrupt):
        plugins.find("sources", "mine", tmp_path)
    assert "healer_project_sources.mine" not in sys.modules


@pytest.mark.parametrize("text", ["1 / 0\n", "import sys\ndel sys.modules[__name__]\n1 / 0\n"])
def test_a_plugin_that_breaks_leaves_the_one_before(text: str, tmp_path: pathlib.Path) -> None:
    write(tmp_path, "sources", "MARK = 1\n")
    before = plugins.find("sources", "mine", tmp_path)
    write(tmp_path, "sources", text)
    with pytest.raises(plugins.BrokenPlugin):
        plugins.find("sources", "mine", tmp_path)
    assert sys.modules[before.__name__] is before


def test_a_broken_plugin_is_an_error_of_ours(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "sources", "raise SystemExit(0)\n")
    with pytest.raises(errors.HealerError) as caught:
        plugins.find("sources", "mine", tmp_path)
    assert isinstance(caught.value.__cause__, SystemExit)


class Written(plugins.Options):
    """Options of every kind that a schema says otherwise."""

    model_config = pydantic.ConfigDict(json_schema_extra=plugins.exactly_one("span", "size"))
    span: Annotated[plugins.Duration, pydantic.Field(ge=1, le=60)] | None = 90.0
    size: Annotated[plugins.Size, pydantic.Field(ge=10, lt=99)] | None = None
    names: dict[Annotated[str, pydantic.StringConstraints(pattern="^a")], int] = pydantic.Field({})


def test_the_schema_of_options_is_of_what_is_written() -> None:
    (reference,), defs = plugins.schemas([Written])
    assert reference == {"$ref": "#/$defs/Written"}
    made = defs["Written"]
    judge = jsonschema.Draft202012Validator(made)
    assert "title" not in made
    assert made["properties"]["span"]["default"] == "90 seconds"
    fine: list[dict[str, Any]] = [
        {"span": "5 minutes"},
        {"span": "1.5h"},
        {"size": 10},
        {"size": "2 MiB", "names": {"a": 1}},
    ]
    wrong: list[dict[str, Any]] = [{}, {"span": None}, {"span": 5}, {"span": "5 parsecs"}, {"size": 9}, {"size": 99}, {"size": "2 XB"},
                                   {"size": 10, "span": "5m"}, {"size": 10, "names": {"b": 1}}, {"size": 10, "x": 1}]  # fmt: skip
    assert [one for one in fine if not judge.is_valid(one)] == []
    assert [one for one in wrong if judge.is_valid(one)] == []


class Probe(plugins.Options):
    _one_of: ClassVar[tuple[str, ...]] = ("a", "b")
    a: int | None = None
    b: int | None = None


class Probes(plugins.Options):
    _one_of: ClassVar[tuple[str, ...]] = ("x", "y")
    x: Probe | None = None
    y: Probe | None = None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x: {a: 1}", []),
        ("x: {a: 1}\ny: {b: 1}", ["1:1 p: exactly one of 'x' and 'y' is wanted"]),
        ("x: {a: 1, b: 2}", ["1:1 p: x: exactly one of 'a' and 'b' is wanted"]),
        ("x: {a: q, b: 2}\ny: {a: 1}", [
            "1:8 p: x.a: a whole number is wanted, got 'q'", "1:1 p: exactly one of 'x' and 'y' is wanted",
            "1:1 p: x: exactly one of 'a' and 'b' is wanted",
        ]),
        ("{}", ["1:1 p: exactly one of 'x' and 'y' is wanted"]),
        ("z: 1", ["1:1 p: the key 'z' is not known here"]),
        ("x: {c: 1}", ["1:5 p: the key 'c' is not known here"]),
        ("x: {a: 1, b: 1, c: 1}", ["1:17 p: the key 'c' is not known here", "1:1 p: x: exactly one of 'a' and 'b' is wanted"]),
        ("x: 5", ["1:4 p: x: a mapping with some of a, b is wanted, got 5"]),
    ],
)  # fmt: skip
def test_that_exactly_one_is_wanted_is_told_beside_other_mistakes(text: str, says: list[str]) -> None:
    document = config.read_text(text, "x.yml")
    plugins.check_options(document, Probes, document.value, (1, 1, 1), "p")
    told = [f"{one.place.line}:{one.place.column} {one.message}" for one in document.diagnostics]
    assert told == says


def test_of_what_is_known_later_nothing_is_told() -> None:
    document = config.read_text("x: {a: q}\ny: 5", "x.yml")
    value = document.value
    plugins.check_options(document, Probes, value, (1, 1, 1), "p", [value["x"].values_at["a"]])
    assert [one.message for one in document.diagnostics] == [
        "p: y: a mapping with some of a, b is wanted, got 5",
        "p: exactly one of 'x' and 'y' is wanted",
    ]


@pytest.mark.parametrize(("value", "says"), [
    ({"x": {"a": "q"}, "z": 1}, "x.a: a whole number is wanted, got 'q'; the key 'z' is not known here"), (None, "exactly one of 'x' and 'y' is wanted"),
])  # fmt: skip
def test_what_stands_in_no_file_is_told_at_once(value: Any, says: str) -> None:
    assert plugins.made_of(Probes, {"x": {"a": 1}}).x.a == 1
    with pytest.raises(ValueError) as caught:
        plugins.made_of(Probes, value)
    assert str(caught.value) == says
