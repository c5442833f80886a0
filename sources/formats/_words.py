"""The words that senders of alerts use, and what they mean here: shared by the formats beside this file.

Tables, not rules: a reader must be able to say by hand what a body becomes. Nothing here reads a clock or the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from healer import errors, model, plugins

TEXT_MAX: Final = 1024
"""Characters of a name, a target, a status or a key; longer ones are no names (a key is hashed instead)."""
TAGS_MAX: Final = 256

TARGET_LABELS: Final = (
    "instance", "host", "hostname", "node", "nodename", "server", "device", "machine", "vm", "pod",
)  # fmt: skip
"""The labels that may name the target; the first that is there and not empty counts."""

_DECIDES: Final = (("name", ".name"), ("target", ".target"), ("status", ".status"), ("key", ".key"))
"""Words of an alert that this program decides by, each with its path below the alert."""
_SEVERITIES: Final = {
    "critical": "critical crit fatal emergency emerg panic alert page disaster p1 sev0 sev1",
    "error": "error err major high severe failed failure p2 sev2",
    "warning": "warning warn minor average medium moderate p3 sev3",
    "info": "info informational information notice normal low debug ok none p4 p5 sev4",
}
_STATUSES: Final = {
    "firing": (
        "firing alerting alert problem down critical crit error failed failure fail open opened triggered trigger"
        " active activated warning warn bad unhealthy offline unreachable"
    ),
    "resolved": (
        "resolved resolve ok recovered recovery up closed close normal cleared clear healthy online success passing"
        " passed inactive deactivated"
    ),
    "unknown": "unknown nodata no_data no-data insufficient_data",
}
_SEVERITY_OF: Final = {word: severity for severity, words in _SEVERITIES.items() for word in words.split()}
_FILLING: Final = str.maketrans("", "", " _-.")
_STATUS_OF: Final = {word: status for status, words in _STATUSES.items() for word in words.split()}


def severity(raw: str) -> str:
    """One of `model.ALERT_SEVERITIES` for a sender's word, `unknown` for one that is not in the table."""
    return _SEVERITY_OF.get(raw.strip().lower(), "unknown")


def status(raw: str) -> str:
    """One of `model.ALERT_STATUSES` for a sender's word; `event` for one that says nothing of a lifecycle."""
    return _STATUS_OF.get(raw.strip().lower(), "event")


def text(field: str, value: Any, below: str = "") -> str:
    """The value as a name of bounded length; '' for null. Raises `errors.InvalidField`.

    `below`: the rest of its path, which is put together for mistakes alone.
    """
    if isinstance(value, str) and len(value) <= TEXT_MAX:
        return value
    if value is None:
        return ""
    if not isinstance(value, str):
        raise errors.InvalidField(field=field + below, detail=f"text is wanted, got {kind(value)}")
    raise errors.InvalidField(field=field + below, detail=f"at most {TEXT_MAX} characters are wanted, got {len(value)}")


def texts(field: str, value: Any, below: str = "") -> dict[str, str]:
    """The value itself where it is an object of texts, {} for null (labels, annotations). Raises `errors.InvalidField`; `below` as of
    `text`."""
    if value is None:
        return {}
    if type(value) is not dict and not isinstance(value, Mapping):
        raise errors.InvalidField(field=field + below, detail=f"an object of texts is wanted, got {kind(value)}")
    for item in value.values():
        if not isinstance(item, str):
            wrong = next(key for key, one in value.items() if one is item)
            raise errors.InvalidField(field=f"{field}{below}.{wrong}", detail=f"text is wanted, got {kind(item)}")
    return value if type(value) is dict else dict(value)


def fill(field: str, own: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The sender's own alert with what was found beside it; what the sender says stands. Raises `errors.InvalidField`.

    The four words that this program decides by have to be texts, whoever wrote them.
    """
    for word, below in _DECIDES:
        if (said := own.get(word)) is not None:
            text(field, said, below)
    made = {**own, **found}
    for word in own.keys() & found.keys():
        if (said := own[word]) is not None:
            made[word] = said
    return made


def first(values: Mapping[str, Any], names: Iterable[str]) -> str:
    """The first of the named values that is a text or a whole number and not empty, as text; else ''."""
    for name in names:
        value = values.get(name)
        if isinstance(value, str):
            if value:
                return value
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def plainly(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by plain names, for bodies that an operator lays out: `alertName`, `Alert-Name`, `alert name` and `ALERT.NAME` are all
    `alertname`; the first counts."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        plain.setdefault(name.lower().translate(_FILLING), value)
    return plain


def flat(values: Any) -> dict[str, str]:
    """What of an object is a text or a whole number and not empty, as texts; {} for anything else."""
    found = {name: first(values, (name,)) for name in values} if isinstance(values, Mapping) else {}
    return {name: value for name, value in found.items() if value}


def tags(value: Any) -> dict[str, str]:
    """Tags as labels: `"a:b, c"`, `["a:b", "c"]` and `[{"tag": "a", "value": "b"}, …]` are {a: b, c: ""}; the first of a name counts, and
    no more than `TAGS_MAX`."""
    if isinstance(value, Mapping):
        return flat(value)
    found: dict[str, str] = {}
    given = value.split(",", TAGS_MAX) if isinstance(value, str) else value if isinstance(value, list) else []
    for one in given[:TAGS_MAX]:
        if isinstance(one, Mapping):
            name, content = first(one, ("tag", "name", "key")), first(one, ("value",))
        else:
            name, _, content = one.strip().partition(":") if isinstance(one, str) else ("", "", "")
        if name:
            found.setdefault(name, content)
    return found


def key(*parts: str) -> str:
    """The parts that are not empty as one key, `a/b`; a hash of it where it would be too long to be one."""
    whole = "/".join(part for part in parts if part)
    return whole if len(whole) <= TEXT_MAX else digest(whole)


def of_cluster(namespace: str, kind: str, name: str) -> str:
    """An object of a Kubernetes cluster as a target: `NAMESPACE/KIND/NAME`, `node/NAME`; '' for what is none."""
    parts = ("node", name) if kind.lower() == "node" else (namespace, kind.lower(), name)
    return "/".join(parts) if all(part and "/" not in part for part in parts) else ""


def an_object(field: str, value: Any) -> Mapping[str, Any]:
    """The value as an object. Raises `errors.InvalidField`; of the `body` itself `errors.NotAnObject`."""
    if type(value) is not dict and not isinstance(value, Mapping):
        if field == "body":
            raise errors.NotAnObject(or_more="", got=kind(value))
        raise errors.InvalidField(field=field, detail=f"an object is wanted, got {kind(value)}")
    return value


def each(
    field: str, values: Iterable[Any], read: Callable[[str, Any], plugins.Element]
) -> list[plugins.Element | plugins.Wrong]:
    """The elements of a list, in order: `read(path, value)` gives one, or raises `errors.InvalidField` for a bad one, which is `Wrong`
    then and keeps no other from being taken."""
    found: list[plugins.Element | plugins.Wrong] = []
    for index, value in enumerate(values):
        try:
            found.append(read(f"{field}[{index}]", value))
        except errors.InvalidField as error:
            # Without its traceback, which would keep the whole request until garbage is collected.
            found.append(plugins.Wrong(value, error.with_traceback(None)))
    return found


def digest(value: Any) -> str:
    """A stable short hash of a JSON value: equal values give equal hashes, whatever the order of their keys."""
    return model.short_hash(json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str))


def kind(value: Any) -> str:
    """What people call the JSON type of a value."""
    names = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number", str: "text"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
