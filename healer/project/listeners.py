"""Ports that sources of event-driven Ansible listen on: rulebooks that name the same one share its listener.

With ansible-rulebook each rulebook has a process and so a port of its own; here several are on in one daemon. Those that ask for
the same listener in every respect get one, each with every event; any other wish for a port that is taken is a mistake.
Caller: `sources`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from healer import config, errors
from healer.project.revision import Source

_PORTS: Final = {"webhook": None, "alertmanager": 5000}
"""Type → the port that it takes where none is given."""
_ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not listened on
_TLS: Final = frozenset({"certfile", "keyfile", "password", "cafile", "capath", "client_certificate_required"})


class Listeners:
    """Those of one project."""

    def __init__(self) -> None:
        self._taken: dict[int, list[tuple[str, Source]]] = {}

    def name_of(self, document: config.Document, source: Source, shown: str) -> str | None:
        """The source's name by its address; '' for one that listens on no port, None after saying that it is taken."""
        kind = source.type.removeprefix("ansible.eda.").removeprefix("eda.builtin.")
        port = _number(source.args.get("port", _PORTS[kind])) if kind in _PORTS and source.kind == "eda" else None
        if port is None:
            return ""
        host = str(source.args.get("host", _ANY[0]))
        name = f"ansible.eda.{kind}:{port}" if host in _ANY else f"ansible.eda.{kind}:{host}:{port}"
        for other_host, other in self._taken.setdefault(port, []):
            if host != other_host and host not in _ANY and other_host not in _ANY:
                continue
            if different := _difference(source, other):
                self._refuse(document, source, other, port, different)
                return None
            return name
        self._taken[port].append((host, source))
        return name

    @staticmethod
    def _refuse(document: config.Document, source: Source, other: Source, port: int, different: str) -> None:
        place = source.place
        message = f"port {port} is taken by the source at {other.place}, and {different}"
        try_ = "give both the same listener, or this one another port"
        document.diagnostics.append(errors.Diagnostic("port-shared", message, place, try_=try_))


def _difference(one: Source, other: Source) -> str:
    """In what two wishes for one port differ; '' where they are the same."""
    if one.type.rpartition(".")[2] != other.type.rpartition(".")[2]:
        return f"that is a source of another type, {other.type}"
    keys = sorted({*one.args, *other.args} - {"port"})
    differ = [key for key in keys if _text(one.args.get(key)) != _text(other.args.get(key))]
    if "token" in differ:
        return "its token is another: one listener can check one only"
    if _TLS & set(differ):
        return f"its TLS is another ({', '.join(sorted(_TLS & set(differ)))})"
    if differ:
        return f"{differ[0]} is another there"
    if _text(one.filters) != _text(other.filters):
        return "its filters are others"
    return "its environment is another" if _text(dict(one.env)) != _text(dict(other.env)) else ""


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _number(value: Any) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None
