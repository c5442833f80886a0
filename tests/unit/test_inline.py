"""A value in a line is told from what stands beside it."""

from __future__ import annotations

import pytest

from healer import inline


@pytest.mark.parametrize(("value", "text"), [
    ("nginx", "nginx"), (5, "5"), (["a", 1], '["a", 1]'), ("", '""'), ("a b", '"a b"'), ("a\u2003\u2003mode=x", '"a\u2003\u2003mode=x"'),
    ("a\u00a0b", '"a\u00a0b"'), ("a\u3000b", '"a\u3000b"'), ("a\tb", '"a\\tb"'), ("it's", '"it\'s"'), ('say "x"', '"say \\"x\\""'), ("größe", "größe"),
    ("a\u202eb", '"a\u202eb"'),
])  # fmt: skip
def test_a_value_in_a_line_cannot_look_like_several(value: object, text: str) -> None:
    assert inline.value(value) == text
