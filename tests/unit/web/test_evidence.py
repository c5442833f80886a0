"""How a header is read, a time is held against now, and secrets are compared: in a time that tells nothing, everywhere in the room."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import hmac
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import hypothesis
import multidict
import pytest
from hypothesis import strategies as st

from healer import errors, model
from healer.sources import _proof
from healer.web import evidence, proving

ROOM = pathlib.Path(evidence.__file__).parent
BODY = b'{"a": 1}'


def given(*headers: tuple[str, str]) -> evidence.Given:
    return evidence.Given(BODY, multidict.CIMultiDict(headers))


def test_a_header_is_read_by_its_name_in_any_case() -> None:
    assert evidence.header(given(("x-a", "1"), ("X-B", "2")), "X-A") == "1"


@pytest.mark.parametrize(("headers", "why"), [
    ([], "X-A is missing"),
    ([("X-A", "")], "X-A is empty"),
    ([("X-A", "1"), ("x-a", "1")], "X-A is there twice"),
    ([("X-A", "")] * 3, "X-A is there 3 times"),
    ([("X-A", "x" * 8193)], "X-A has 8193 characters, 8192 are allowed"),
    ([("X-A", "\n")], "X-A has a character that is not printable ASCII"),
    ([("X-A", "\ud800")], "X-A has a character that is not printable ASCII"),
])  # fmt: skip
def test_a_header_that_is_none(headers: list[tuple[str, str]], why: str) -> None:
    with pytest.raises(evidence.Unproved) as raised:
        evidence.header(given(*headers), "X-A")
    assert raised.value.reason == why
    assert isinstance(raised.value, errors.Unauthorized)
    assert why not in str(raised.value)


@pytest.mark.parametrize(("text", "now_s", "why"), [
    ("1000", 1300.0, ""),
    ("1000", 700.0, ""),
    ("0", 0.0, ""),
    ("1000", 1300.001, "the time is 301 s away, 300 s are allowed"),
    ("1000", 699.0, "the time is 301 s away, 300 s are allowed"),
    ("999999999999", 0.0, "the time is 999999999999 s away, 300 s are allowed"),
    ("9999999999999", 0.0, "X-T is no time in seconds since 1970"),
    ("", 0.0, "X-T is no time in seconds since 1970"),
    ("-1", 0.0, "X-T is no time in seconds since 1970"),
    ("1.5", 0.0, "X-T is no time in seconds since 1970"),
    ("\u0661", 0.0, "X-T is no time in seconds since 1970"),
])  # fmt: skip
def test_a_time_is_near(text: str, now_s: float, why: str) -> None:
    try:
        evidence.recent(text, "X-T", now_s, 300)
    except evidence.Unproved as error:
        assert error.reason == why
    else:
        assert not why


# --- A3: how it is compared -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", [0, 3, 7, None])
def test_every_secret_is_compared_whichever_is_right(right: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    real = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        assert isinstance(one, bytes)
        assert len(one) == len(other)
        compared.append(len(one))
        return real(one, other)

    monkeypatch.setattr("hmac.compare_digest", counted)
    several = [{"secret": "env:A"}] * 8
    secrets = [model.Secret("env:A", "k" if at == right else f"wrong-{at}") for at in range(8)]
    signed = f"sha256={hmac.digest(b'k', BODY, 'sha256').hex()}"
    for kind, header, length in (
        ("github", ("X-Hub-Signature-256", signed), 64),
        ("bearer", ("Authorization", "Bearer k"), 32),
    ):
        compared.clear()
        with contextlib.nullcontext() if right is not None else pytest.raises(evidence.Unproved):
            proving.verify(_proof.Auth.model_validate({kind: several}), given(header), secrets, 0)
        assert compared == [length] * 8


SECRETS = re.compile(
    r"(^|_)(secrets?|tokens?|keys?|passwords?|digests?|hash(ed)?|macs?|signatures?|credentials|wanted|proofs?|reveal)$"
)
"""Names that hold what must not be compared in a time that tells something."""


def compared_plainly(text: str) -> list[str]:
    """Comparisons with == and != (and `in`, of what is on its left) of such names; of their lengths they may be."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Compare)
        for at, operator in enumerate(node.ops)
        if (
            isinstance(operator, ast.Eq | ast.NotEq)
            and any(map(is_secret, [node.left, *node.comparators][at : at + 2]))
        )
        or (isinstance(operator, ast.In | ast.NotIn) and is_secret([node.left, *node.comparators][at]))
    ]


def is_secret(node: ast.AST) -> bool:
    return any(SECRETS.search(name) for name in names(node))


def names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        return
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    for inner in ast.iter_child_nodes(node):
        yield from names(inner)


@pytest.mark.parametrize("name", ["auth.py", "evidence.py", "proving.py", "signing.py", "sns.py"])
def test_no_secret_is_compared_plainly(name: str) -> None:
    assert compared_plainly((ROOM / name).read_text()) == []


@pytest.mark.parametrize("bad", [
    "token == given", "given != self._secret", "digest(given) == row", "x == secret.reveal()", "a < b == api_key", "token in known",
    "given['signature'] == x or signature[0] == x",
])  # fmt: skip
def test_the_rule_finds_what_is_bad(bad: str) -> None:
    assert compared_plainly(bad)
    assert not compared_plainly(
        "len(token) == 5 and kind == 'x' and x is secret and hmac.compare_digest(token, secret)"
    )


@hypothesis.given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_comparing_finds_what_is_in_both(given: list[bytes], wanted: list[bytes]) -> None:
    assert evidence.any_same(given, wanted) is bool({*given} & {*wanted})
    hashed = {hashlib.sha256(one).digest() for one in wanted}
    assert evidence.any_same_token("ab", wanted) is (hashlib.sha256(b"ab").digest() in hashed)
