"""Manifests of the project that `apply` applies: each object lies in the target's namespace, and one of them is the target.

kubectl gets the file itself. What is read here only says what the file would touch: a cluster-wide object in it would pass every
allow-list of namespaces.
"""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import yaml

from healer.controllers import _oc_objects, _shimmed

BYTES_MAX: Final = 1 << 20
OBJECTS_MAX: Final = 100


def check(path: pathlib.Path, target: _oc_objects.Object, kinds: Collection[str]) -> None:
    """Raises `RefusedJob` for a manifest that reaches further than its target's namespace."""
    if path.stat().st_size > BYTES_MAX:
        raise _shimmed.RefusedJob(reason=f"{path.name} is larger than {BYTES_MAX} bytes")
    try:
        found = [one for document in yaml.load_all(path.read_bytes(), Loader=_Strict) for one in _objects(document)]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _shimmed.RefusedJob(reason=_shimmed.one_line(f"{path.name} cannot be read: {error}")) from error
    if not found or len(found) > OBJECTS_MAX:
        raise _shimmed.RefusedJob(reason=f"{path.name} has {len(found)} objects; 1 to {OBJECTS_MAX} are wanted")
    names = set()
    for one in found:
        names.add(_checked(path.name, one, target.namespace, kinds))
    if (target.kind, target.name) not in names:
        raise _shimmed.RefusedJob(reason=f"{path.name} has no {target.kind} {target.name}, which is the target")


class _Strict(yaml.SafeLoader):
    """A key that stands twice is a mistake: kubectl would take the last one, or refuse it."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        texts = [key for key in keys if isinstance(key, str)]
        if len(set(texts)) < len(texts):
            raise ValueError(f"a key stands twice in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def _objects(document: Any) -> Iterator[Any]:
    """Those of a document: itself, or the items of a list."""
    if document is None:
        return
    if isinstance(document, Mapping) and isinstance(document.get("items"), list):
        for one in document["items"]:
            yield from _objects(one)
    else:
        yield document


def _checked(file: str, one: Any, namespace: str, kinds: Collection[str]) -> tuple[str, str]:
    about = one.get("metadata") if isinstance(one, Mapping) else None
    if not isinstance(about, Mapping) or not isinstance(about.get("name"), str):
        raise _shimmed.RefusedJob(reason=f"{file} has something that is no object with a name")
    kind = _oc_objects.kind_of(one, kinds)
    if not kind:
        what = f"{one.get('kind')} of {one.get('apiVersion')}"
        reason = (
            f"{file}: it is not known that a {what} lies in a namespace; list it in the controller's kinds if it does"
        )
        raise _shimmed.RefusedJob(reason=_shimmed.one_line(reason))
    if about.get("namespace", namespace) != namespace:
        reason = f"{file}: {kind} {about['name']} lies in {about.get('namespace')!r}, and the target in {namespace!r}"
        raise _shimmed.RefusedJob(reason=_shimmed.one_line(reason))
    return kind, about["name"]
