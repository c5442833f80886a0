"""Receivers, and what their channels say of where they are and how messages look there. Caller: `delivering`."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, Final

from loguru import logger

from healer import plugins

DIGITS: Final = 16
FORM_MAX: Final = 100
"""Characters of what a channel says of its form."""


@dataclasses.dataclass(frozen=True, slots=True)
class Receiver:
    """A name of `notifications.receivers`: its channel, and what it says of itself there."""

    name: str
    channel: plugins.Notifier
    options: Any


def form(receiver: Receiver, link: str) -> str:
    """How messages to a receiver look: by its channel's account, and with pages at this address."""
    try:
        said = str(receiver.channel.form_of(receiver.options))[:FORM_MAX]
    except Exception as error:  # a stranger's code, whose mistake is no end of ours
        logger.opt(exception=error).warning(
            "{} does not say how its messages look: {}", receiver.channel.context.name, error
        )
        said = ""
    return f"{said} {link}".strip()


def of(receiver: Receiver) -> str:
    """Where a receiver is: its channel, and a digest of what that says of the rest."""
    try:
        said = str(receiver.channel.place_of(receiver.options))
    except Exception as error:  # a stranger's code, whose mistake is no end of ours
        logger.opt(exception=error).warning(
            "{} does not say where {} is: {}", receiver.channel.context.name, receiver.name, error
        )
        said = ""
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return f"{receiver.channel.context.name} {digest}"


def is_by(place: str, receiver: Receiver) -> bool:
    """Whether what was told there can be changed by the receiver's channel of now; '': told before this was written down."""
    return not place or place.partition(" ")[0] == receiver.channel.context.name
