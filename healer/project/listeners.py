"""Ports that sources of event-driven Ansible listen on: rulebooks that name the same one share its listener.

With ansible-rulebook each rulebook has a process and so a port of its own; here several are on in one daemon. Those that ask for
the same listener get one, each with every event; any other wish for a port that is taken is a mistake, also for the daemon's own. The
environment of their activations makes no other listener of it: arguments are rendered for each, and these sources read nothing else.
Caller: `sources`.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from healer import config, model, wording
from healer.project.revision import Source
from healer.project.settings import Server

_PORTS: Final = {"webhook": None, "alertmanager": 5000}
"""Type → the port that it takes where none is given."""
PORT_MAX: Final = 65_535
_ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not listened on
_LOCALHOST: Final = frozenset({"127.0.0.1", "::1"})
_TLS: Final = frozenset({"certfile", "keyfile", "password", "cafile", "capath", "client_certificate_required"})
Plain = Callable[[str], str | None]
"""A reference to what is vaulted → the text behind it, None where it is not known here."""


class Address(NamedTuple):
    """Where a source listens; port 0: on none that is known."""

    host: str
    port: int


NOWHERE: Final = Address("", 0)


def address(document: config.Document, kind: str, args: Any, at: config.Mark | None) -> Address | None:
    """Where a source of upstream's listens by its type and arguments; None after saying that it could not."""
    short = _short(kind)
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


def of(kind: str, args: Any) -> Address:
    """As `address`, of arguments with their secrets and without a word; NOWHERE for a source that listens on no port."""
    given: Mapping[str, Any] = args if isinstance(args, Mapping) else {}
    port = _number(given.get("port", _PORTS.get(_short(kind)))) if _short(kind) in _PORTS else None
    return Address(_host(given.get("host") or _ANY[0]), port) if port and 0 < port <= PORT_MAX else NOWHERE


def reached(listens: Address) -> Address:
    """Where one that listens is reached from this machine."""
    here = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened on
    return listens._replace(host=here.get(listens.host, listens.host))


class Listeners:
    """Those of one project."""

    def __init__(self, server: Server | None, plain: Plain) -> None:
        self._server = server
        self._plain = plain
        self._taken: dict[int, list[tuple[str, Source, str]]] = {}

    def name_of(self, document: config.Document, source: Source, asked: Address, activation: str = "") -> str | None:
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
        for other_host, other, of in self._taken.setdefault(port, []):
            if not _meet(host, other_host):
                continue
            if different := self._difference(source, other):
                asking = f" of the activation {activation!r}" if activation else ""
                by = f"the source of {of!r}" if of else "the source"
                message = f"port {port}{asking} is taken by {by} at {other.place}, and {different}"
                step = "give both the same listener, or this one another port"
                if other.shared:
                    step = f"healer.source: {{name: {other.name}}} in its place, or another port"
                self._refuse(document, source, message, step)
                return None
            return name
        self._taken[port].append((host, source, activation))
        return name

    def _difference(self, one: Source, other: Source) -> str:
        """In what two wishes for one port differ; '' where they are the same."""
        if one.type.rpartition(".")[2] != other.type.rpartition(".")[2]:
            return f"that is a source of another type, {other.type}"
        keys = sorted({*one.args, *other.args} - {"port"})
        differ = [key for key in keys if not self._alike(one.args.get(key), other.args.get(key))]
        if "token" in differ:
            return "its token is another: one listener can check one only"
        if _TLS & set(differ):
            return f"its TLS is another ({', '.join(sorted(_TLS & set(differ)))})"
        if differ:
            return f"{differ[0]} is another there"
        if one.filters != other.filters:
            return "its filters are others"
        return "healer.yaml shares it" if one.shared or other.shared else ""

    def _alike(self, one: Any, other: Any) -> bool:
        """Whether two values are the same, as far as they are known: what is vaulted, and shut here, is told at the start."""
        if _text(one) == _text(other):
            return True
        vaulted = [found.reference for value in (one, other) for _, found in model.references(value)]
        known = {reference: self._plain(reference) for reference in vaulted}
        return None in known.values() or (bool(known) and _text(one, known) == _text(other, known))

    @staticmethod
    def _refuse(document: config.Document, source: Source, message: str, step: str) -> None:
        mark = (source.place.line, source.place.column, len(source.type))
        document.error("port-shared", message, mark if source.place.line else None, step)


def common(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The environment of a listener that several activations share: what all of them give alike."""
    return {name: value for name, value in one.items() if name in other and other[name] == value}


def _short(kind: str) -> str:
    return kind.removeprefix("ansible.eda.").removeprefix("eda.builtin.")


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


def _text(value: Any, known: Mapping[str, str | None] = MappingProxyType({})) -> str:
    def written(one: Any) -> Any:
        return known.get(one.reference, [one.reference]) if isinstance(one, model.Reference) else str(one)

    return json.dumps(value, sort_keys=True, default=written)


def _number(value: Any) -> int | None:
    """As a socket takes it, which reads a text too."""
    try:
        return None if isinstance(value, bool | float) else int(str(value))
    except ValueError:
        return None
