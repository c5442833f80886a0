"""What is sent for a job of `http`, made of the catalog's words, the target and the options. Pure but for secrets.

It is made twice: with secrets to be sent, and with their names to be shown. Values of parameters are data: in the path percent-encoded, in
the query and in forms too, in headers of one line, in bodies as JSON has them. The address that comes of it has to be allowed.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from healer import errors, model, plugins, urls
from healer.controllers import _shimmed

URL_MAX: Final = 16 << 10
HEADER_MAX: Final = 8 << 10
BODY_BYTES_MAX: Final = 1 << 20
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
HIDDEN: Final = "***"

Resolve = Callable[[plugins.SecretRef], model.Secret]


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request. `url` has its query; `entry` is what allows it; `target` '' where the action has none."""

    method: str
    url: str
    address: urls.Url
    entry: urls.Allowed
    headers: Mapping[str, str]
    body: bytes | None
    target: str = ""

    @property
    def safe(self) -> bool:
        """Whether it changes nothing, so that nothing is lost with its answer."""
        return self.method in SAFE


def safe(job: model.Job) -> bool:
    """Whether what a job sends changes nothing."""
    return isinstance(job.subject, Mapping) and job.subject.get("method") in SAFE


def made(
    job: model.Job, options: Any, entries: tuple[urls.Allowed, ...], resolve: Resolve, *, shown: bool = False
) -> list[Request]:
    """A request for each target, or one where there is none. `shown`: with names in the place of secrets, for people.

    Raises `RefusedJob`, `errors.HealerError` for a secret that cannot be read.
    """
    if not isinstance(job.subject, Mapping):
        raise _shimmed.RefusedJob(reason=f"the controller http cannot do {job.kind} {job.subject!r}")
    writer = _Writer(job, options, resolve, shown=shown)
    try:
        several = len(job.targets) > 1
        found = [writer.request(entries, one, at if several else 0) for at, one in enumerate(job.targets, 1)]
        return found or [writer.request(entries, None, 0)]
    except UnicodeEncodeError:
        raise _shimmed.RefusedJob(reason="a value has half of a surrogate pair, which no text can have") from None
    except ValueError as error:
        raise _shimmed.RefusedJob(reason=str(error)) from None


class _Writer:
    """Raises ValueError for what cannot be sent; no message has a value in it that could be a secret."""

    def __init__(self, job: model.Job, options: Any, resolve: Resolve, *, shown: bool) -> None:
        self._job = job
        self._said: Mapping[str, Any] = dict(job.subject) if isinstance(job.subject, Mapping) else {}
        self._options = options
        self._resolve = resolve
        self._shown = shown

    def request(self, entries: tuple[urls.Allowed, ...], target: model.Target | None, number: int) -> Request:
        address = self._address(target)
        entry = urls.entry_for(address, entries)
        if entry is None:
            listed = ", ".join(str(one.url) for one in entries[:10])
            raise _shimmed.RefusedJob(
                "list it in `allow`, if it is meant", reason=f"{address} is under none of {listed}"
            )
        query = "&".join(
            f"{urllib.parse.quote(name, safe='')}={self._quoted(value)}" for name, value in self._pairs("query")
        )
        url = f"{address}?{query}" if query else str(address)
        if len(url) > URL_MAX:
            raise ValueError(f"its address has more than {URL_MAX} characters")
        body, kind = self._body()
        if body is not None and len(body) > BODY_BYTES_MAX:
            raise ValueError(f"its body has more than {BODY_BYTES_MAX >> 20} MiB")
        headers = self._headers(kind, number)
        return Request(self._said["method"], url, address, entry, headers, body, str(target) if target else "")

    # --- the address ----------------------------------------------------------------------------------------------------

    def _address(self, target: model.Target | None) -> urls.Url:
        pieces = self._said.get("url") or []
        path = "".join(piece if isinstance(piece, str) else self._segment(piece["value"]) for piece in pieces)
        if pieces and isinstance(pieces[0], str) and "://" in pieces[0]:
            return urls.parse(path)
        if target is None or target.kind != "url":
            raise ValueError(f"a target like url:https://host/path is wanted, got {target or 'none'}")
        base = urls.parse(target.address or target.name)
        return base.below(path) if path else base

    def _segment(self, value: Any) -> str:
        if self._shown and isinstance(value, model.Secret):
            return HIDDEN
        text = self._text(value)
        if not text:
            raise ValueError("a parameter in the path is empty, so that it would mean another address")
        return urls.segment(text)

    def _quoted(self, value: Any) -> str:
        hidden = self._shown and isinstance(value, model.Secret)
        return HIDDEN if hidden else urllib.parse.quote(self._text(value), safe="")

    def _pairs(self, key: str) -> Iterator[tuple[str, Any]]:
        """Names and single values; a list is several of one name, nothing is none."""
        for name, value in (self._said.get(key) or {}).items():
            for one in value if isinstance(value, list | tuple) else [value]:
                if one is not None:
                    yield name, one

    def _text(self, value: Any) -> str:
        if isinstance(value, model.Secret):
            return repr(value) if self._shown else value.reveal()
        if isinstance(value, str):
            return value
        if isinstance(value, int | float):  # also true and false
            return json.dumps(value, allow_nan=False)
        raise ValueError(
            f"a text, a number, true or false is wanted in path, query, headers and forms, got {type(value).__name__}"
        )

    # --- headers and body -------------------------------------------------------------------------------------------------

    def _headers(self, kind: str, number: int) -> dict[str, str]:
        own = {"Accept": "application/json, */*;q=0.5", "User-Agent": "auto-healer"}
        of_options, credentials = given(self._options, self._resolve, shown=self._shown)
        if kind:
            own["Content-Type"] = kind
        if name := self._said.get("idempotency_key"):
            own[name] = f"{self._job.token}-{number}" if number else self._job.token
        found: dict[str, tuple[str, str]] = {"accept-encoding": ("Accept-Encoding", "identity")}
        for group in (own, of_options, self._said.get("headers") or {}, credentials):
            for name, value in group.items():
                if group is not credentials and any(name.lower() == one.lower() for one in credentials):
                    raise ValueError(f"the header {name} is the controller's own (auth): an action cannot set it")
                if value is not None:
                    found[name.lower()] = name, self._line(name, value)
        return dict(found.values())

    def _line(self, name: str, value: Any) -> str:
        text = self._text(value)
        if any((ord(one) < 0x20 and one != "\t") or ord(one) == 0x7F for one in text) or text != text.strip(" \t"):
            raise ValueError(f"the header {name} has a line break, another control character, or spaces around it")
        if len(text.encode()) > HEADER_MAX:
            raise ValueError(f"the header {name} has more than {HEADER_MAX} bytes")
        return text

    def _body(self) -> tuple[bytes | None, str]:
        """The body, and what it is; None where there is none."""
        said = self._said
        if "json" in said:
            value = _shimmed.hide(said["json"]) if self._shown else _shimmed.reveal(said["json"])
            return json.dumps(value, ensure_ascii=False, allow_nan=False).encode(), "application/json"
        if "form" in said:
            pairs = [(name, self._text(value)) for name, value in self._pairs("form")]
            return urllib.parse.urlencode(pairs).encode(), "application/x-www-form-urlencoded"
        if "body" in said:
            value = said["body"]
            text = self._text(value) if isinstance(value, str | model.Secret) else json.dumps(value, ensure_ascii=False)
            return text.encode(), "text/plain; charset=utf-8"
        return None, ""


def given(options: Any, resolve: Resolve, *, shown: bool = False) -> tuple[dict[str, str], dict[str, str]]:
    """The headers of a controller's options, and those that say who asks.

    Raises ValueError for a secret that is no token, `errors.HealerError` for one that cannot be read.
    """

    def opened(value: str | plugins.SecretRef) -> str:
        if isinstance(value, str):
            return value
        return repr(model.Secret(value.secret, "")) if shown else resolve(value).reveal()

    headers = {name: opened(value) for name, value in options.headers.items()}
    auth = options.auth
    if auth is None:
        return headers, {}
    if auth.header is not None:
        return headers, {auth.header.name: opened(auth.header.value)}
    if auth.bearer is not None:
        token = opened(auth.bearer)
        if not shown and not (token.isascii() and token.isprintable() and " " not in token):
            raise ValueError(f"{auth.bearer.secret} has characters that no token has (a line break, a space?)")
        return headers, {"Authorization": f"Bearer {token}"}
    known = f"{auth.basic.username}:{opened(auth.basic.password)}"
    return headers, {"Authorization": "Basic " + (known if shown else base64.b64encode(known.encode()).decode())}


def line(error: errors.HealerError) -> str:
    """What an error says, and what to do."""
    text: str = _shimmed.one_line("; ".join(filter(None, (error.message, error.try_))))
    return text
