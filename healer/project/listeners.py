"""Ports that sources of event-driven Ansible listen on: rulebooks that name the same one share its listener.

With ansible-rulebook each rulebook has a process and so a port of its own; here several are on in one daemon. Those that ask for
the same listener in every respect get one, each with every event; any other wish for a port that is taken is a mistake, also for the
daemon's own. Caller: `sources`.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from healer import config, errors, model, wording
from healer.project.revision import Source
from healer.project.settings import Server

_PORTS: Final = {"webhook": None, "alertmanager": 5000}
"""Type → the port that it takes where none is given."""
PORT_MAX: Final = 65_535
_ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not listened on
_LOCALHOST: Final = frozenset({"127.0.0.1", "::1"})
_TLS: Final = frozenset({"certfile", "keyfile", "password", "cafile", "capath", "client_certificate_required"})


class Address(NamedTuple):
    """Where a source listens; port 0: on none that is known."""

    host: str
    port: int


NOWHERE: Final = Address("", 0)


def address(document: config.Document, kind: str, args: Any, at: config.Mark | None) -> Address | None:
    """Where a source of upstream's listens by its type and arguments; None after saying that it could not."""
    short = kind.removeprefix("ansible.eda.").removeprefix("eda.builtin.")
    if short not in _PORTS:
        return NOWHERE
    given: Mapping[str, Any] = args if isinstance(args, Mapping) else {}
    port = given.get("port", _PORTS[short])
    if isinstance(port, Mapping | model.Reference):  # known at its start only
        return NOWHERE
    wanted = f"a number from 1 to {PORT_MAX}"
    if port is None:
        document.error("options", f"{kind}: the key 'port' is missing", at, f"port: {wanted}")
        return None
    number = _number(port)
    if number is None or not 0 <= number <= PORT_MAX:
        mark = args.values_at.get("port", at) if isinstance(args, config.Map) else at
        document.error("options", f"{kind}: port: {wanted} is wanted, got {wording.shown(port)}", mark)
        return None
    return Address(_host(given.get("host") or _ANY[0]), number)


class Listeners:
    """Those of one project."""

    def __init__(self, server: Server | None = None) -> None:
        self._server = server
        self._taken: dict[int, list[tuple[str, Source]]] = {}

    def name_of(self, document: config.Document, source: Source, asked: Address) -> str | None:
        """The source's name by its address; '' for one that listens on no port, None after saying that it is taken."""
        host, port = asked
        if not port:
            return ""
        own = self._server
        if own is not None and own.port == port and _meet(_host(own.host), host):
            message = f"port {port} is the daemon's own (server.port, on {own.host})"
            self._refuse(document, source, message, "another port for the source, or for the daemon")
            return None
        name = f"ansible.eda.{source.type.rpartition('.')[2]}:{port if host in _ANY else f'{host}:{port}'}"
        for other_host, other in self._taken.setdefault(port, []):
            if not _meet(host, other_host):
                continue
            if different := _difference(source, other):
                message = f"port {port} is taken by the source at {other.place}, and {different}"
                step = "give both the same listener, or this one another port"
                if other.shared:
                    step = f"healer.source: {{name: {other.name}}} in its place, or another port"
                self._refuse(document, source, message, step)
                return None
            return name
        self._taken[port].append((host, source))
        return name

    @staticmethod
    def _refuse(document: config.Document, source: Source, message: str, step: str) -> None:
        document.diagnostics.append(errors.Diagnostic("port-shared", message, source.place, try_=step))


def _host(value: Any) -> str:
    """An address in its one spelling, or a name in lower case."""
    text = str(value).lower()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _meet(one: str, other: str) -> bool:
    """Whether both cannot listen on one port: `localhost` is an address of each kind."""
    if one in _ANY or other in _ANY:
        return True
    first, second = (_LOCALHOST if host == "localhost" else {host} for host in (one, other))
    return bool(first & second)


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
    if _text(dict(one.env)) != _text(dict(other.env)):
        return "its environment is another"
    return "healer.yaml shares it" if one.shared or other.shared else ""


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _number(value: Any) -> int | None:
    """As a socket takes it, which reads a text too."""
    try:
        return None if isinstance(value, bool | float) else int(str(value))
    except ValueError:
        return None
