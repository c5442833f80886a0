"""What of an action cannot be done with the values and targets that it is given, as far as the catalog knows. Pure. Caller: `decide`.

Its controller would refuse the same, but only once all gates had let it go, and of a dry run nobody would have heard.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from healer import config, model, urls
from healer.catalog import clusters, filling, requests
from healer.catalog.entries import Entry

_CONTAINER: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclasses.dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit; `target` '' where it is of no single one."""

    code: Literal["invalid_parameters", "unknown_target"]
    detail: str
    target: str = ""


def misfits(entry: Entry, parameters: Mapping[str, Any], targets: Sequence[model.Target]) -> Iterator[Misfit]:
    """All that does not fit. `parameters`: those that the entry's schemas have let pass."""
    if entry.kind not in ("oc", "http") or not isinstance(entry.subject, Mapping):
        return
    stood_in = {name: _stood_in(value) for name, value in parameters.items()}
    try:
        made = filling.fill(entry.subject, stood_in)
        if entry.kind == "http":
            _address(made, targets)
        else:
            _arguments(made)
    except UnicodeEncodeError:
        yield Misfit("invalid_parameters", "a value has half of a surrogate pair, which no text can have")
    except ValueError as error:
        yield Misfit("invalid_parameters", str(error))
    if entry.kind == "oc":
        yield from _of_other_kinds(entry.subject["verb"], targets)


def _stood_in(value: Any) -> Any:
    """A value with what stands for its secrets while these are not looked up."""
    if isinstance(value, model.Reference):
        return model.Secret(value.reference, "")
    if isinstance(value, Mapping):
        return {key: _stood_in(inner) for key, inner in value.items()}
    return [_stood_in(inner) for inner in value] if isinstance(value, list | tuple) else value


def _of_other_kinds(verb: str, targets: Sequence[model.Target]) -> Iterator[Misfit]:
    wanted = clusters.ON.get(verb)
    for one in targets:
        kind = one.name.split("/")[-2] if one.kind == clusters.KIND and "/" in one.name else ""
        if kind and (kind not in wanted if wanted is not None else kind == clusters.NODE):
            only = " or ".join(wanted) if wanted else "what lies in a namespace"
            yield Misfit("unknown_target", f"{verb!r} is for {only}, and this is a {kind}", str(one))


def _arguments(made: Mapping[str, Any]) -> None:
    replicas, container = made.get("replicas"), made.get("container")
    if "replicas" in made and not clusters.is_count(replicas):
        raise ValueError(f"replicas is a whole number up to {clusters.REPLICAS_MAX}, got {config.shown(replicas)}")
    for one in made.get("command") or ():
        if not isinstance(one, str):
            raise filling.Unfillable(f"each argument of exec is a text, got {config.shown(one)}")
    if container is not None and not (isinstance(container, str) and _CONTAINER.fullmatch(container)):
        raise ValueError(f"{config.shown(container)} is no name of a container")


def _address(made: Mapping[str, Any], targets: Sequence[model.Target]) -> None:
    pieces = made.get("url") or ("",)
    path = "".join(piece if isinstance(piece, str) else _segment(piece["value"]) for piece in pieces)
    if isinstance(pieces[0], str) and "://" in pieces[0]:
        urls.parse(path)
        return
    for one in targets if path else ():
        if one.kind == "url":
            urls.parse(one.address or one.name).below(path)


def _segment(value: Any) -> str:
    if isinstance(value, model.Secret):
        return requests.STAND_IN
    if not isinstance(value, str | int | float):
        raise filling.Unfillable(f"a text, a number, true or false is wanted in a path, got {type(value).__name__}")
    if value == "":
        raise ValueError("a parameter in the path is empty, so that it would mean another address")
    return urls.segment(value if isinstance(value, str) else json.dumps(value, allow_nan=False))
