"""What a button of a message carries, and comes back with a click: which requests are meant, each as exactly what was shown. Pure.

Callers: `_slack_blocks`, which writes it, and `web.slack`, which reads it. Nothing in it is secret and nobody is trusted for it: who may
decide is asked of Slack and of `healer.yaml` at each click, and the digest has to be that of the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from healer import plugins

APPROVE: Final = "healer-approve"
CHOOSE: Final = "healer-choose"
REJECT: Final = "healer-reject"
ANSWER: Final = "healer-answer"
RESUME: Final = "healer-resume"
OPEN: Final = "healer-open"
"""A link: Slack tells of clicks on it too, and there is nothing to do."""

VALUE_MAX: Final = 2_000
"""Characters of a button's value (docs.slack.dev, "Button element")."""
DIGEST_SHOWN: Final = 16
"""Hexadecimal digits of a digest that go along: 64 bits."""
_VERSION: Final = "1"
_ONE: Final = re.compile(r"([A-Za-z0-9_.-]{1,64}):([0-9a-f]{4,64})")


class Meant(NamedTuple):
    """A request, and how the digest of what was shown begins."""

    request: str
    digest: str


def written(asks: Iterable[Meant], reason: str = "") -> str:
    """The value of a button. `reason`: what whoever clicks has said already."""
    value = " ".join((_VERSION, *(f"{one.request}:{one.digest}" for one in asks)))
    return f"{value}\n{reason}" if reason else value


def reason_of(value: str) -> str:
    """The reason that `written` was given."""
    return value.partition("\n")[2]


def read(value: str) -> tuple[Meant, ...]:
    """The requests that `written` was given. Raises ValueError for any other text."""
    requests, mark, reason = value.partition("\n")
    version, *parts = requests.split(" ")
    found = [_ONE.fullmatch(part) for part in parts]
    if (
        bool(mark) != bool(reason)
        or "\n" in reason
        or version != _VERSION
        or not parts
        or len(value) > VALUE_MAX
        or None in found
    ):
        raise ValueError("that is no value of a button of ours")
    return tuple(Meant(one[1], one[2]) for one in found if one is not None)


def fitting(asks: Sequence[plugins.Asked], reason: str = "") -> tuple[Meant, ...]:
    """The requests that fit into the value of one button: the first ones."""
    made: list[Meant] = []
    length = len(_VERSION) + len(reason) + 1
    for one in asks:
        meant = Meant(one.request, one.digest[:DIGEST_SHOWN])
        length += len(meant.request) + len(meant.digest) + 2
        if length > VALUE_MAX:
            break
        made.append(meant)
    return tuple(made)
