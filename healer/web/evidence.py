"""What a delivery brings as proof of its sender, read so that nothing in it can surprise. Pure.

Callers: `signing` and `proving`, which know the schemes, and `sns`. Whatever is wrong with a header is a refusal with a reason, never
another exception: `hmac.compare_digest` raises for text that is not ASCII, `int` for five thousand digits. A reason holds names and
numbers, none of the sender's text: it goes into logs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from healer import errors, model

HEADER_MAX: Final = 8192
SIGNATURES_MAX: Final = 16
"""Signatures of one header that are looked at."""
_TIME: Final = re.compile(r"[0-9]{1,12}")


class Unproved(errors.Unauthorized):
    """this delivery does not prove that it comes from the sender of this hook

    The same for every reason, so that nobody learns how near they came. `reason` is for those who run the daemon.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Headers(Protocol):
    """Headers by their names in any case, each as often as it came (`multidict.CIMultiDict`)."""

    def getall(self, key: str, default: Sequence[str], /) -> Sequence[str]:
        """Every value of a header, in the order in which they came."""


@dataclasses.dataclass(slots=True)
class Given:
    """A delivery: its body as it came, its headers, and what stands behind the path in its URL. Nothing of it is printed."""

    body: bytes = dataclasses.field(repr=False)
    headers: Headers = dataclasses.field(repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)


def header(given: Given, name: str) -> str:
    """The one value of a header, printable ASCII. Raises `Unproved` where it is missing, there twice, empty, or anything else."""
    values = given.headers.getall(name, ())
    if not values:
        raise Unproved(f"{name} is missing")
    if len(values) > 1:
        raise Unproved(f"{name} is there twice" if len(values) == 2 else f"{name} is there {len(values)} times")
    text = values[0]
    if not text:
        raise Unproved(f"{name} is empty")
    if len(text) > HEADER_MAX:
        raise Unproved(f"{name} has {len(text)} characters, {HEADER_MAX} are allowed")
    if not (text.isascii() and text.isprintable()):
        raise Unproved(f"{name} has a character that is not printable ASCII")
    return text


def recent(text: str, where: str, now_s: float, tolerance_s: float) -> None:
    """Raise `Unproved` unless a text is a time in whole seconds since 1970 that is near enough, before or after now."""
    if not _TIME.fullmatch(text):
        raise Unproved(f"{where} is no time in seconds since 1970")
    away_s = abs(now_s - int(text))
    if not away_s <= tolerance_s:
        raise Unproved(f"the time is {math.ceil(away_s)} s away, {tolerance_s:g} s are allowed")


def raw(secret: model.Secret) -> bytes:
    """The bytes of a secret. Raises `Unproved` for an empty one, which would prove anybody."""
    value = secret.reveal()
    if not value:
        raise Unproved(f"the secret {secret.reference} is empty: everything is refused")
    return value.encode("utf-8", "surrogateescape")


def any_same(given: Iterable[bytes], wanted: Iterable[bytes]) -> bool:
    """Whether one of those is one of these: all are compared, each in a time that says nothing of where they differ.

    For texts that may be of any length, as tokens are, their hashes are compared: `any_same_token`.
    """
    found = False
    several = tuple(given)
    for one in wanted:
        for other in several:
            found |= len(one) == len(other) and hmac.compare_digest(one, other)
    return found


def any_same_token(given: str, wanted: Iterable[bytes]) -> bool:
    """As `any_same`, in a time that says nothing of how long they are either."""
    return any_same([hashed_text(given)], [hashed(one) for one in wanted])


def hashed(text: bytes) -> bytes:
    """What tokens are compared by."""
    return hashlib.sha256(text).digest()


def hashed_text(text: str) -> bytes:
    """The same of a header's value."""
    return hashed(text.encode("utf-8", "surrogateescape"))
