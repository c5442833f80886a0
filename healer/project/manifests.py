"""Manifests that `oc: {verb: apply}` names, as far as they say themselves what is wrong with them. Caller: `checking`.

What they may touch is for the controller to say, which knows the target; that a file is no YAML need not wait for the night.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import config, errors
from healer.project import tree

BYTES_MAX: Final = 1 << 20
_BEGINS: Final = re.compile(r"---(?:\s|$)")
"""A line that begins another document; what is indented below a key cannot have it."""


def mistakes(files: tree.Tree, path: str) -> list[errors.Diagnostic]:
    """What is wrong with a manifest, each where it stands; of one that cannot be read at all it is told as of all files."""
    size = files.files[path].bytes
    if size > BYTES_MAX:
        return [errors.Diagnostic("manifest", f"it has {size} bytes, more than {BYTES_MAX}", errors.Place(path))]
    try:
        text = (files.root / path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [
            errors.Diagnostic(
                "unreadable", f"the file is not UTF-8 (byte {error.start + 1})", errors.Place(path), try_=config.AS_UTF8
            )
        ]
    except OSError:
        return []
    documents = [*_documents(text, path)]
    found = [one for document in documents for one in document.diagnostics]
    if not found and not any(document.value for document in documents):
        found = [errors.Diagnostic("manifest", "there is no object in it", errors.Place(path))]
    return found


def _documents(text: str, path: str) -> Iterator[config.Document]:
    """Each document of a file, with its lines where they are."""
    lines = text.splitlines() or [""]
    starts = [at for at, line in enumerate(lines) if at == 0 or _BEGINS.match(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        document = config.read_text("\n" * start + "\n".join(lines[start:end]), path)
        if document.ok and document.value is not None:
            _objects(document, document.value, getattr(document.value, "mark", (start + 1, 1, 1)))
        yield document


def _objects(document: config.Document, value: Any, at: config.Mark | None) -> None:
    items = value.get("items") if isinstance(value, config.Map) else None
    if isinstance(items, config.Seq):
        for one, mark in zip(items, items.items_at, strict=True):
            _objects(document, one, mark)
        return
    about = value.get("metadata") if isinstance(value, Mapping) else None
    named = isinstance(about, Mapping) and isinstance(about.get("name"), str)
    if not named or not all(isinstance(value.get(key), str) for key in ("kind", "apiVersion")):
        document.error("manifest", "an object with apiVersion, kind and metadata.name is wanted", at)
