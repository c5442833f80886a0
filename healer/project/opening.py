"""What is vaulted in a rulebook, or given to it: what does not open with the passwords that are there, and what opens.

Callers: `loading`, and `healer.daemon` at the moment of use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from healer import config, errors, model, vault
from healer.project import books, revision


def shut(book: books.Book, activation: revision.Activation, opened: vault.Vault | None) -> Iterator[errors.Diagnostic]:
    """A mistake for each value that does not open (None: that no password could), at what it is given by, with its name."""
    look = vault.check if opened is None else opened.decrypt
    for what, place, value in _given(book, activation):
        for path, found in model.references(value):
            text = found.reference.removeprefix("ansible-vault:")
            if not vault.is_vaulted(text):  # of a file that is vaulted as a whole: that was opened
                continue
            try:
                look(text)
            except vault.VaultError as error:
                message = f"{activation.name}: {'.'.join(map(str, path))} of {what}: {error.message}"
                yield errors.Diagnostic(error.code, message, place, try_=error.try_)


def value(where: str, opened: vault.Vault, text_of: Callable[[str], str]) -> str:
    """The value behind `ansible-vault:` of a reference, a number as text. `text_of(path)`: a file of the project. Raises ValueError."""
    try:
        if not where.startswith("file:"):
            return opened.decrypt(where)
        path, _, pointer = where.removeprefix("file:").partition("#")
        found = config.read_text(opened.decrypt(text_of(path)), path, vaulted=opened.decrypt).value
        for step in pointer.split("/")[1:]:
            try:
                found = found[int(step)] if isinstance(found, list) else found[step]
            except (LookupError, TypeError, ValueError):
                raise ValueError(f"{path} has nothing at {pointer}") from None
        if isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
        if not isinstance(found, str):
            raise ValueError(f"{path} has no text at {pointer}")  # noqa: TRY004 - as for whatever else is wrong
        return opened.decrypt(found) if vault.is_vaulted(found) else found
    except vault.VaultError as error:
        raise ValueError(error.message) from None


def _given(book: books.Book, activation: revision.Activation) -> Iterator[tuple[str, errors.Place, Any]]:
    """What may be vaulted: what people call it, where it stands, the value."""
    if spec := book.spec:
        for name, value in activation.variables.items():
            place = spec.origins[name]
            yield place.file, place, {name: value}
        yield "its env", spec.document.place(spec.at("env")), activation.env
    for ruleset in activation.rulesets:
        for source in ruleset.sources:
            yield f"the source {source.name!r}", source.place, source.args
        for rule in ruleset.rules:
            for action in rule.actions:
                yield f"{action.name} in the rule {rule.name!r}", action.place, action.args
