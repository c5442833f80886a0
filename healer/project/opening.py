"""What is vaulted in a rulebook, or given to it, and does not open with the passwords that are there. Caller: `loading`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from healer import errors, model, vault
from healer.project import books, revision


def shut(book: books.Book, activation: revision.Activation, opened: vault.Vault) -> Iterator[errors.Diagnostic]:
    """A mistake for each value that does not open, at what it is given by, with its name."""
    for what, place, value in _given(book, activation):
        for path, found in model.references(value):
            text = found.reference.removeprefix("ansible-vault:")
            if not vault.is_vaulted(text):  # of a file that is vaulted as a whole: that was opened
                continue
            try:
                opened.decrypt(text)
            except vault.VaultError as error:
                message = f"{activation.name}: {'.'.join(map(str, path))} of {what}: {error.message}"
                yield errors.Diagnostic(error.code, message, place, try_=error.try_)


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
