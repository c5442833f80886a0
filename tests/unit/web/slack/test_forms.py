"""Forms: which of many requests is which."""

from __future__ import annotations

from typing import Any

import slack_limits

from healer.notify.channels import _slack_values as values
from healer.web.slack import forms


def boxes(*choices: forms.Choice) -> list[tuple[str, str]]:
    """(text, description) of each."""
    view = forms.deciding(values.APPROVE, choices, "m")
    slack_limits.view(view)
    found: list[dict[str, Any]] = [option for block in view["blocks"] for option in block["element"].get("options", ())]
    return [(one["text"]["text"], one["description"]["text"]) for one in found]


def test_what_is_alike_has_its_run_alone() -> None:
    given = {"service": "nginx"}
    assert boxes(forms.Choice("a-1", "h1", "r-1", given), forms.Choice("a-2", "h2", "r-2", given)) == [
        ("h1", "r-1"),
        ("h2", "r-2"),
    ]


def test_what_differs_by_its_parameters_shows_them() -> None:
    one = forms.Choice("a-1", "h1", "r-1", {"text": "a", "n": 3, "service": "nginx"})
    assert boxes(one, forms.Choice("a-2", "h1", "r-2", {"text": "b\nc", "service": "nginx"})) == [
        ("h1", "r-1  text=a  n=3"), ("h1", 'r-2  text="b\\nc"'),
    ]  # fmt: skip


def test_what_is_long_shows_both_ends() -> None:
    found = boxes(*(forms.Choice(f"a-{n}", "h1", f"r-{n}", {"text": "x" * 300 + f"rm {n}"}) for n in range(2)))
    assert [(text[:11], text[-4:], len(text)) for _, text in found] == [
        ('r-0  text="', 'm 0"', 75),
        ('r-1  text="', 'm 1"', 75),
    ]
