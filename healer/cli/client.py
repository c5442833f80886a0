"""Asking the daemon: HTTP over its control socket, or over TCP. Callers: every command that needs a daemon. A key says who asks, over both.

The standard library's client, since a command must start quickly. A control socket's path may be longer than the 107
bytes that `connect` takes, so it is reached through a descriptor of its folder (proc(5)). Answers are bounded.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import struct
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from healer import errors
from healer.cli import location, usage

API: Final = "/api/v1"
SOCKET: Final = "control.sock"
TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 64 << 20
PAGE: Final = 500
ELSEWHERE: Final = "is the address right, does a daemon run there, and does it listen for others (server.host)?"
"""What to do where a daemon that a URL names does not answer."""
_PEER: Final = struct.Struct("3i")
_ABSENT: Final = (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)
"""What a connection says where nobody listens."""

Query = Mapping[str, str | int | None]


class Refused(errors.HealerError):
    """{detail}

    What the daemon answered: a problem of RFC 9457. `problem` is that object.
    """

    code = "refused"

    def __init__(self, problem: Mapping[str, Any], status: int, try_: str = "") -> None:
        self.problem = problem
        self.http_status = status
        detail = problem.get("detail") or problem.get("title") or f"the daemon answered {status}"
        super().__init__(try_, detail=detail)

    def __str__(self) -> str:
        lines = [_diagnostic(item) for item in _list(self.problem.get("errors")) if not _is_told(item)]
        lines.append(f"error[{self.problem.get('code') or self.code}]: {self.message}")
        if near := _list(self.problem.get("near")) + _list(self.problem.get("candidates")):
            lines.append("  near " + ", ".join(str(one) for one in near[:10]))
        if self.try_:
            lines.append(f"  try  {self.try_}")
        return "\n".join(lines)


class WrongInput(Refused):
    """{detail}

    A request that no daemon would take.
    """

    exit_code = errors.EXIT_USAGE


class NotAllowed(Refused):
    """{detail}

    Without a key, or with one that lacks the permission.
    """

    exit_code = errors.EXIT_FORBIDDEN


class Client:
    """Requests to one daemon, one connection each (a command makes few)."""

    def __init__(self, where: location.Where, timeout_s: float | None = TIMEOUT_S) -> None:
        self.where = where
        self._timeout_s = timeout_s
        self._prefix = _parts(where.url).path.rstrip("/") if where.url else ""

    def get(self, path: str, query: Query | None = None) -> Any:
        """The JSON of a resource. Raises `Refused`, `errors.NotRunning`."""
        return self.ask("GET", path, query)

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        proof: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request, its answer as JSON. `proof`: headers that stand for the key, also where they are none (the path may prove it).

        Raises `Refused`, `errors.NotRunning`.
        """
        sent = {"Content-Type": content_type, **(headers or {})}
        answer = self._request(method, path, query, body, sent, self._timeout_s, proof)
        try:
            return _json(self._read(answer), answer.status)
        finally:
            answer.close()

    def pages(self, path: str, query: Query, limit: int) -> dict[str, Any]:
        """A list as the API gives one, of up to `limit` items: its pages as one, and the `next` of the last."""
        items: list[dict[str, Any]] = []
        after: str | int | None = None
        while True:
            found = page(self.get(path, {**query, "limit": min(PAGE, limit - len(items)), "after": after}))
            items += found["items"]
            after = found["next"]
            if after is None or not found["items"] or len(items) >= limit:
                return {"items": items[:limit], "next": after}

    def stream(self, path: str, query: Query | None = None, *, endless: bool = False) -> Iterator[bytes]:
        """The body of an answer in pieces as they come; `endless`: for as long as it takes."""
        answer = self._request("GET", path, query, None, {}, None if endless else self._timeout_s)
        try:
            while piece := self._guard(lambda: answer.read1(1 << 16)):
                yield piece
        finally:
            answer.close()

    def _request(
        self, method: str, path: str, query: Query | None, body: bytes | None, headers: Mapping[str, str], timeout_s: float | None,
        proof: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:  # fmt: skip
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        target = self._prefix + path + ("?" + urllib.parse.urlencode(asked) if asked else "")
        sent = {"Accept": "application/json", "User-Agent": "healer-cli", "Connection": "close"}
        if body is not None:
            sent |= headers
        if proof is None and self.where.key:
            sent["Authorization"] = f"Bearer {_printable(self.where.key)}"
        sent |= {name: _printable(value) for name, value in (proof or {}).items()}
        confidential = proof is not None or bool(self.where.key)

        def send() -> http.client.HTTPResponse:
            connection = _connection(self.where, timeout_s, confidential=confidential)
            try:
                connection.request(method, target, body=body, headers=sent)
                return connection.getresponse()
            except BaseException:
                connection.close()
                raise

        answer: http.client.HTTPResponse = self._guard(send)
        if answer.status >= 300:
            self._refuse(answer)
        return answer

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        data: bytes = self._guard(lambda: answer.read(ANSWER_BYTES_MAX + 1))
        if len(data) > ANSWER_BYTES_MAX:
            raise Refused(
                {"code": "answer", "detail": f"the answer is larger than {ANSWER_BYTES_MAX} bytes"}, answer.status
            )
        return data

    def _refuse(self, answer: http.client.HTTPResponse) -> NoReturn:
        data = self._read(answer)
        answer.close()
        try:
            problem = json.loads(data)
        except (ValueError, RecursionError):
            problem = None
        if not isinstance(problem, dict):
            problem = {"detail": f"{self.where} answered {answer.status} {answer.reason}; is that healer?"}
        retry = answer.headers.get("Retry-After", "")
        # What the daemon advises is of its own host, where a key can be made.
        said = (
            ""
            if answer.status == 401 and (self.where.url or self.where.key)
            else location.again(str(problem.get("try") or ""))
        )
        try_ = said or _advice(answer.status, retry, self.where)
        raise _kind(answer.status)(problem, answer.status, try_)

    def _guard(self, do: Any) -> Any:
        """What can go wrong on a connection, said as what it means."""
        try:
            return do()
        except PermissionError as error:
            detail = f"{self.where} may not be opened by this user"
            advice = "the user that runs the daemon, a key (--url URL with HEALER_KEY), or control.group and principals in healer.yaml"
            raise NotAllowed({"code": "forbidden", "detail": detail}, 403, advice) from error
        except _ABSENT as error:
            raise errors.NotRunning(
                ELSEWHERE if self.where.url else location.again("healer run"), where=self.where
            ) from error
        except TimeoutError as error:
            where = f"{self.where} within {self._timeout_s:g} s"
            raise errors.NotRunning(ELSEWHERE if self.where.url else "", where=where) from error
        except (OSError, http.client.HTTPException) as error:
            where = f"{self.where} ({' '.join(str(error).split()) or type(error).__name__})"
            raise errors.NotRunning(ELSEWHERE if self.where.url else "", where=where) from error


class _ControlConnection(http.client.HTTPConnection):
    """Connects to the control socket: in the data directory, else where a setting has it. `confidential`: a key or proof is sent."""

    def __init__(self, where: location.Where, timeout_s: float | None, *, confidential: bool) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._where = where
        self._confidential = confidential

    def connect(self) -> None:
        """As `HTTPConnection.connect`, over the socket."""
        try:
            self.sock = _connected(self._where.data_dir, SOCKET, self.timeout)
        except (*_ABSENT, PermissionError):
            if self._where.socket is None:
                raise
            self.sock = _connected(self._where.socket.parent, self._where.socket.name, self.timeout)
        if self._confidential and not self._where.named and (user := _user_of(self.sock)) not in (0, os.geteuid()):
            # Whoever made the folder may have put a socket of their own there.
            detail = (
                f"{self._where} is the user {user}'s, in a folder that nobody named: no key or secret is sent there"
            )
            advice = "name the daemon, if it is the right one:  --project . (or --data-dir DIR)"
            raise NotAllowed({"code": "forbidden", "detail": detail}, 403, advice)


def _user_of(connected: socket.socket) -> int:
    """The user that listens at the other end of a control socket (SO_PEERCRED, unix(7))."""
    _, uid, _ = _PEER.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(uid)


def _connected(parent: os.PathLike[str], name: str, timeout_s: float | None) -> socket.socket:
    folder = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout_s)
        made.connect(f"/proc/self/fd/{folder}/{name}")
    except BaseException:
        made.close()
        raise
    finally:
        os.close(folder)
    return made


def _connection(where: location.Where, timeout_s: float | None, *, confidential: bool) -> http.client.HTTPConnection:
    if not where.url:
        return _ControlConnection(where, timeout_s, confidential=confidential)
    parts = _parts(where.url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _parts(url: str) -> urllib.parse.SplitResult:
    """The parts of a URL that can be asked. Raises `usage.WrongUse`."""
    try:
        parts = urllib.parse.urlsplit(url)
        if (
            "@" not in url
            and parts.scheme in ("http", "https")
            and parts.hostname
            and parts.port != 0
            and url.isascii()
            and url.isprintable()
        ):
            return parts
    except ValueError:
        pass  # a port that is no number, an address that is none
    if "@" in url:
        raise usage.WrongUse("https://HOST:PORT, and the key in HEALER_KEY",
                             detail="--url or HEALER_URL: a URL without user and password is wanted, got one with '@'")  # fmt: skip
    raise usage.WrongUse(detail=f"{location.URL_WANTED}, got {usage.got(url)}")


def _printable(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise usage.WrongUse("a key like hlr_7f3k2m_…, made with: healer keys create NAME --role ROLE",
                             detail="the key has characters that no key has")  # fmt: skip
    return key


def is_absent(error: errors.NotRunning) -> bool:
    """Whether nobody was there to ask; else a daemon was, and may have done it."""
    return isinstance(error.__cause__, _ABSENT)


def page(answer: Any) -> dict[str, Any]:
    """One page of a list: its `items` that are objects, and the cursor of the `next` one (None at the end)."""
    found = answer if isinstance(answer, dict) else {}
    return {"items": [item for item in _list(found.get("items")) if isinstance(item, dict)], "next": found.get("next")}


def segment(text: str) -> str:
    """A text as one segment of a path. Raises `usage.WrongUse` for an empty one, which would name another path."""
    if not text:
        raise usage.WrongUse(detail="a name or an id is wanted, and '' is none")
    return urllib.parse.quote(text, safe="")


def _kind(status: int) -> type[Refused]:
    if status in (401, 403):
        return NotAllowed
    return WrongInput if status in (400, 405, 413, 415) else Refused


def _advice(status: int, retry: str, where: location.Where) -> str:
    if status == 401 and where.url:
        return "HEALER_KEY=hlr_…, a key made on the daemon's host:  healer keys create NAME --role ROLE"
    if status == 401 and where.key:
        return "a key that this daemon knows in HEALER_KEY; without HEALER_KEY and --key the user of this host counts"
    return f"again in {retry} s" if status in (429, 503) and retry.isdigit() else ""


def _json(data: bytes, status: int) -> Any:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError) as error:
        raise Refused({"code": "answer", "detail": "the answer is no JSON; is that healer?"}, status) from error


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_told(item: Any) -> bool:
    """A mistake in a field of a body: the detail has it already."""
    return isinstance(item, dict) and "field" in item


def _diagnostic(item: Any) -> str:
    """A diagnostic of the answer as `healer validate` prints one."""
    if not isinstance(item, dict):
        return str(item)
    at = (item.get("line"), item.get("column"))
    line, column = (number if isinstance(number, int) else 0 for number in at)
    place = errors.Place(str(item.get("file") or "?"), line, column)
    severity: errors.Severity = item["severity"] if item.get("severity") in ("error", "warning", "hint") else "error"
    code, message = str(item.get("code", "error")), str(item.get("message", ""))
    return str(errors.Diagnostic(code, message, place, severity, try_=str(item.get("try") or "")))
