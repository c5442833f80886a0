"""What is secret in what activations give, at the moment of use: a vaulted text by itself, or a place in a file of the revision."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from healer import config, secrets, vault


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
        try:
            if not where.startswith("file:"):
                return self._vault.decrypt(where)
            path, _, pointer = where.removeprefix("file:").partition("#")
            text = (self._files() / path).read_text(encoding="utf-8")
            found = config.read_text(self._vault.decrypt(text), path, vaulted=self._vault.decrypt).value
        except vault.VaultError as error:
            raise ValueError(error.message) from None
        for step in pointer.split("/")[1:]:
            try:
                found = found[int(step)] if isinstance(found, list) else found[step]
            except (LookupError, TypeError, ValueError):
                raise ValueError(f"{path} has nothing at {pointer}") from None
        if isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
        if not isinstance(found, str):
            raise ValueError(f"{path} has no text at {pointer}")  # noqa: TRY004 - as for whatever else is wrong
        return self._vault.decrypt(found) if vault.is_vaulted(found) else found
