"""What is secret in what activations give, at the moment of use: a vaulted text by itself, or a place in a file of the revision."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from healer import secrets, vault
from healer.project import opening


def environment(known: secrets.Secrets, env: Mapping[str, Any]) -> dict[str, str]:
    """What an activation adds to the environment, with its secrets. Raises `errors.SecretUnavailable`."""
    return {name: str(known.revealed(value)) for name, value in env.items()}


class Opener:
    """`files()` gives the folder of the revision."""

    def __init__(self, opened: vault.Vault, files: Callable[[], pathlib.Path]) -> None:
        self._vault = opened
        self._files = files

    def __call__(self, where: str) -> str:
        """The value behind `ansible-vault:` of a reference, a number as text. Raises ValueError."""
        return opening.value(where, self._vault, lambda path: (self._files() / path).read_text(encoding="utf-8"))
