"""The tree of errors, and how a diagnostic shows a mistake."""

from __future__ import annotations

import copy
import dataclasses
import http
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import errors


def tree(kind: type[errors.HealerError] = errors.HealerError) -> Iterator[type[errors.HealerError]]:
    """All classes of `healer.errors`; what other modules derive is theirs to test."""
    if kind.__module__ == errors.__name__:
        yield kind
        for inner in kind.__subclasses__():
            yield from tree(inner)


TREE = list(dict.fromkeys(tree()))
PLAIN = [kind for kind in TREE if kind is not errors.ConfigurationError]


def shown(line: int = 14, column: int = 7, **fields: object) -> list[str]:
    """The lines of a diagnostic."""
    one = errors.Diagnostic("unknown-source", "no source is named 'kafak'", errors.Place("f.yml", line, column))
    return str(dataclasses.replace(one, **fields)).split("\n")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (errors.Place("a.yml", 3, 5), "a.yml:3:5"),
        (errors.Place("a.yml", 3), "a.yml:3"),
        (errors.Place("a.yml"), "a.yml"),
    ],
)
def test_a_place_leaves_out_what_is_not_known(place: errors.Place, text: str) -> None:
    assert str(place) == text


def test_a_diagnostic_shows_the_line_a_caret_and_what_to_do() -> None:
    found = shown(text="    - kafak: {topic: alerts}", width=5, try_="did you mean 'kafka'?")
    assert found == [
        "f.yml:14:7: error[unknown-source]: no source is named 'kafak'",
        "   14 |     - kafak: {topic: alerts}",
        "      |       ^^^^^ did you mean 'kafka'?",
    ]


def test_a_diagnostic_without_advice_ends_with_its_caret() -> None:
    assert shown(text="    - kafak")[2] == "      |       ^"
    assert shown(line=0, column=0, text="x") == ["f.yml: error[unknown-source]: no source is named 'kafak'"]


@pytest.mark.parametrize("fields", [{"text": ""}, {"line": 0, "column": 0, "text": "x"}])
def test_a_diagnostic_without_a_line_still_says_what_to_do(fields: dict[str, object]) -> None:
    assert shown(**fields, try_="look")[1:] == ["  try  look"]  # type: ignore[arg-type]


@pytest.mark.parametrize("severity", ["error", "warning", "hint"])
def test_a_diagnostic_names_its_severity(severity: errors.Severity) -> None:
    assert shown(severity=severity)[0].startswith(f"f.yml:14:7: {severity}[unknown-source]: ")


@pytest.mark.parametrize("line", [9, 1234, 99_999, 1_234_567])
def test_the_caret_stands_under_its_column_at_any_line_number(line: int) -> None:
    _, text, caret = shown(line=line, column=3, text="abc")
    assert text[caret.index("^")] == "c"
    assert text.index("|") == caret.index("|")


@hypothesis.given(
    st.integers(0, 10**7),
    st.integers(1, 200),
    st.integers(-1, 300),
    st.text("abc é", max_size=80),
    st.text("xy", max_size=3),
)
def test_a_caret_never_runs_over_its_line(line: int, column: int, width: int, text: str, try_: str) -> None:
    lines = shown(line=line, column=column, width=width, text=text, try_=try_)
    if not (line and text):
        assert lines[1:] == ([f"  try  {try_}"] if try_ else [])
        return
    _, number, caret = lines
    below = caret[number.index("|") + 2 :].removesuffix(f" {try_}" if try_ else "")
    assert below.lstrip(" ").strip("^") == ""
    assert len(below) - len(below.lstrip(" ")) == column - 1
    assert 1 <= below.count("^") <= max(1, width)
    assert len(below) <= max(len(text), column)


@pytest.mark.parametrize("text", ["a:\tbcd", "\ta: bcd", "\t\ta:\tbcd", "a: bcd"])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_caret_stands_under_its_column_behind_tabs(text: str, size: int) -> None:
    _, line, caret = shown(column=text.index("b") + 1, text=text, width=3)
    assert caret.expandtabs(size).index("^^^") == line.expandtabs(size).index("bcd")


@pytest.mark.parametrize(
    ("column", "width", "carets"), [(0, 9, 3), (1, 9, 3), (2, 9, 2), (3, 9, 1), (4, 9, 1), (0, 2, 2)]
)
def test_a_caret_ends_with_the_line(column: int, width: int, carets: int) -> None:
    assert shown(column=column, text="abc", width=width)[2].count("^") == carets


def test_a_diagnostic_as_json_has_every_field_of_the_api() -> None:
    one = errors.Diagnostic("c", "m", errors.Place("f", 2, 3), "hint", "the line", 4, "do")
    assert one.as_json() == {
        "code": "c", "severity": "hint", "message": "m", "file": "f", "line": 2, "column": 3, "try": "do",
    }  # fmt: skip


def test_places_and_diagnostics_are_frozen() -> None:
    one = errors.Diagnostic("c", "m", errors.Place("f"))
    for value, field in ((one, "code"), (one.place, "line")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, "x")


@pytest.mark.parametrize(
    ("word", "known", "text"),
    [
        ("kafak", ["alertmanager", "kafka"], "did you mean 'kafka'?"),
        ("timeout", ["timeouts", "time_out", "timeout"], "did you mean 'timeout'?"),
        ("xyz", ["kafka"], ""),
        ("", ["kafka"], ""),
        ("kafka", [], ""),
        ("kafak", (word for word in ["kafka"]), "did you mean 'kafka'?"),
    ],
)
def test_the_nearest_word(word: str, known: list[str], text: str) -> None:
    assert errors.nearest(word, known) == text


@hypothesis.given(st.text("ab", max_size=8), st.lists(st.text("ab", max_size=8), max_size=5))
def test_the_nearest_word_is_a_known_one(word: str, known: list[str]) -> None:
    assert errors.nearest(word, known) in {"", *(f"did you mean '{other}'?" for other in known)}


def test_the_docstring_is_the_message() -> None:
    error = errors.UnknownTarget("`healer inventory` lists them", target="web'1", inventory="hosts.yml")
    assert error.message == """no target "web'1" in hosts.yml"""
    assert str(error) == f"error[unknown_target]: {error.message}\n  try  `healer inventory` lists them"
    assert error.fields == {"target": "web'1", "inventory": "hosts.yml"}
    assert str(errors.NoListener()) == f"error[no_listener]: {errors.NoListener.__doc__}"


def test_a_longer_docstring_gives_its_first_paragraph_on_one_line() -> None:
    class Long(errors.HealerError):
        """{what} is
        wrong

        and this is for readers of the code: {brace}
        """

    assert Long(what="it").message.split() == ["it", "is", "wrong"]
    assert "\n" not in str(Long(what="it")).removesuffix("\n")


def test_an_error_without_docstring_says_its_code() -> None:
    class Bare(errors.HealerError):
        code = "bare"

    assert Bare().message == "bare"


@pytest.mark.parametrize("hostile", ["{0}", "{x.__class__}", "{", "}", "%s", "{prefix}"])
def test_a_field_is_never_read_as_a_template(hostile: str) -> None:
    assert errors.NotFound(what=hostile).message == f"{hostile} is not known"
    assert str(errors.NotFound(hostile, what="x")).endswith(f"  try  {hostile}")


@hypothesis.given(
    st.dictionaries(st.sampled_from(["what", "old", "new", "other"]), st.text() | st.integers() | st.none())
)
def test_a_missing_field_is_a_question_mark_and_never_a_failure(fields: dict[str, object]) -> None:
    what, old, new = (fields.get(name, "?") for name in ("what", "old", "new"))
    made = errors.IllegalTransition(**fields)  # type: ignore[arg-type]
    assert made.message == f"{what} cannot go from {old} to {new}"


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_carries_code_status_and_exit_code(kind: type[errors.HealerError]) -> None:
    assert re.fullmatch(r"[a-z]+([-_][a-z]+)*", kind.code)
    assert http.HTTPStatus(kind.status) >= http.HTTPStatus.BAD_REQUEST
    assert kind.exit_code in {errors.EXIT_FOUND, errors.EXIT_USAGE, errors.EXIT_UNREACHABLE, errors.EXIT_FORBIDDEN}


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_every_docstring_can_be_filled(kind: type[errors.HealerError]) -> None:
    template = kind.__doc__ or ""
    names = re.findall(r"\{(\w+)(?:![rsa])?\}", template)
    error = kind(**{name: f"<{name}>" for name in names})
    assert all(f"<{name}>" in error.message for name in names)
    assert not re.search(r"[{}\n?]", error.message)
    assert template
    assert not template.endswith((".", "\n"))


def test_no_code_means_two_things() -> None:
    codes = [kind.code for kind in TREE]
    assert len(codes) == len(set(codes))


def test_exit_codes_are_apart() -> None:
    codes = [errors.EXIT_OK, errors.EXIT_FOUND, errors.EXIT_USAGE, errors.EXIT_UNREACHABLE, errors.EXIT_FORBIDDEN]
    assert codes == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("kind", "base", "status", "exit_code"),
    [
        (errors.NotJson, errors.RequestError, 400, 1),
        (errors.TooLarge, errors.RequestError, 413, 1),
        (errors.WrongContentType, errors.RequestError, 415, 1),
        (errors.Unauthorized, errors.RequestError, 401, 1),
        (errors.Forbidden, errors.RequestError, 403, 4),
        (errors.UnknownAction, errors.RequestError, 404, 1),
        (errors.MethodNotAllowed, errors.RequestError, 405, 1),
        (errors.Ambiguous, errors.RequestError, 409, 1),
        (errors.BacklogFull, errors.Unavailable, 503, 1),
        (errors.AlreadyRunning, errors.StartError, 500, 2),
        (errors.NotRunning, errors.HealerError, 500, 3),
        (errors.IllegalTransition, errors.StoreError, 409, 1),
        (errors.NewerSchema, errors.StoreError, 503, 2),
        (errors.NewerSchema, errors.StartError, 503, 2),
        (errors.ConfigurationError, errors.HealerError, 422, 1),
    ],
)
def test_where_an_error_belongs(
    kind: type[errors.HealerError], base: type[errors.HealerError], status: int, exit_code: int
) -> None:
    assert issubclass(kind, base)
    assert (kind.status, kind.exit_code) == (status, exit_code)


@pytest.mark.parametrize(
    ("severities", "count"),
    [
        ([], "0 errors"),
        (["error"], "1 error"),
        (["error", "warning", "error", "hint"], "2 errors"),
        (["warning"], "0 errors"),
    ],
)
def test_a_configuration_error_tells_all_mistakes_and_counts_the_errors(
    severities: list[errors.Severity], count: str
) -> None:
    found = [
        errors.Diagnostic(f"c{n}", "m", errors.Place("f", n), severity) for n, severity in enumerate(severities, 1)
    ]
    error = errors.ConfigurationError(found)
    assert error.diagnostics == tuple(found)
    assert error.message == f"{count} in the files of the project"
    assert str(error).split("\n") == [*map(str, found), f"error[configuration]: {error.message}"]


def loud() -> errors.HealerError:
    error = errors.StoreFull("free some space")
    error.add_note("seen twice")
    return error


AGAIN: list[Callable[[Any], Any]] = [
    *((lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))) for protocol in range(6)),
    copy.copy,
    copy.deepcopy,
]


@pytest.mark.parametrize("again", AGAIN, ids=[*(f"pickle{protocol}" for protocol in range(6)), "copy", "deepcopy"])
@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound(what="x"), errors.UnknownTarget("look", target="w", inventory="i"), errors.NoListener(), loud(),
        errors.ConfigurationError([errors.Diagnostic("a", "b", errors.Place("f", 1, 2), text="x", try_="y")]),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_an_error_survives_being_copied(error: errors.HealerError, again: Callable[[Any], Any]) -> None:
    other = again(error)
    assert (type(other), str(other), other.message) == (type(error), str(error), error.message)
    assert (other.args, vars(other)) == (error.args, vars(error))


def test_a_line_with_control_characters_is_no_order_to_a_terminal() -> None:
    told = str(errors.Diagnostic("x", "m", errors.Place("f", 1, 3), text="a\x1b[31mb\x9b\x07\tc\x7f"))
    assert (
        told.splitlines()[1]
        == "    1 | a\N{REPLACEMENT CHARACTER}[31mb" + "\N{REPLACEMENT CHARACTER}" * 2 + "\tc\N{REPLACEMENT CHARACTER}"
    )


@pytest.mark.parametrize("column", [1, 2, 70, 5_000, 9_990, 10_000])
def test_of_a_long_line_the_part_with_the_mistake_is_shown(column: int) -> None:
    line = "".join(chr(97 + n % 26) for n in range(10_000))
    _, text, caret = shown(column=column, text=line, width=8_000, try_="x")
    assert max(len(text), len(caret)) < errors.LINE_SHOWN + 20
    assert text[caret.index("^")] == line[column - 1]
    assert text.count("…") == (2 if 70 < column < 9_900 else 1)


def test_a_configuration_error_counts_those_that_are_not_shown() -> None:
    shown = errors.Diagnostic("c", "m", errors.Place("f", 1))
    rest = [
        errors.Diagnostic("more", "…", errors.Place("f"), "error", more=41),
        errors.Diagnostic("more", "…", errors.Place("f"), "hint", more=9),
    ]
    assert errors.ConfigurationError([shown, *rest]).message.startswith("42 errors")
    assert [one.as_json().get("more") for one in (shown, *rest)] == [None, 41, 9]
