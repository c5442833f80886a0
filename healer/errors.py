"""The one tree of errors, and the diagnostics that configuration files give.

Every error carries a stable code, the HTTP status and the exit code it leads to, and says what was got, what was wanted
and what to do. The class's docstring is the message; its fields fill the braces. Nothing here imports anything of healer.
"""

from __future__ import annotations

import dataclasses
import difflib
import errno
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, Literal

EXIT_OK = 0
EXIT_FOUND = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_FORBIDDEN = 4
NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)

Severity = Literal["error", "warning", "hint"]
LINE_SHOWN: Final = 240


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file, and a 1-based line and column in it (0 where it is not known)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


_NO_CONTROLS: Final = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x09}
"""A line of a file goes to a terminal, which would obey them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake (or trap) in a file that an operator writes.

    `code` is a stable kebab-case word; `width` is how many characters the caret line underlines; `try_` is what to do. `more`: how many
    of its severity it says that there are more. `moved`: so much further on it stands in `text`, where secrets are masked.
    """

    code: str
    message: str
    place: Place
    severity: Severity = "error"
    text: str = ""
    width: int = 1
    try_: str = ""
    more: int = 0
    moved: int = 0

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.severity}[{self.code}]: {self.message}"]
        if self.text and self.place.line:
            number = f"{self.place.line:>5} | "
            text, before = self._line()
            lines.append(number + text.translate(_NO_CONTROLS))
            pad = "".join("\t" if one == "\t" else " " for one in text[:before].ljust(before))
            caret = "^" * max(1, min(self.width, len(text) - before))
            lines.append(" " * (len(number) - 2) + "| " + pad + caret + (f" {self.try_}" if self.try_ else ""))
        elif self.try_:
            lines.append(f"  try  {self.try_}")
        return "\n".join(lines)

    def _line(self) -> tuple[str, int]:
        """The line, or the part of a long one that the mistake is in, and how much of it stands before that."""
        before = max(self.place.column - 1 + self.moved, 0)
        start = max(0, min(before - LINE_SHOWN // 3, len(self.text) - LINE_SHOWN))
        first, last = "…" if start else "", "…" if start + LINE_SHOWN < len(self.text) else ""
        return f"{first}{self.text[start : start + LINE_SHOWN]}{last}", before - start + len(first)

    def as_json(self) -> dict[str, object]:
        """The diagnostic as the API and `--json` show it."""
        where = {"file": self.place.file, "line": self.place.line, "column": self.place.column}
        said = {"code": self.code, "severity": self.severity, "message": self.message, **where, "try": self.try_}
        return said | {"more": self.more} if self.more else said


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the known word nearest to `word`, or an empty string."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean '{found[0]}'?" if found else ""


class HealerError(Exception):
    """something went wrong"""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = EXIT_FOUND

    def __init__(self, try_: str = "", **fields: object) -> None:
        self.fields = fields
        self.try_ = try_
        first = (type(self).__doc__ or self.code).split("\n\n")[0]
        super().__init__(" ".join(map(str.strip, first.splitlines())).format_map(_Fields(fields)))

    def __reduce__(self) -> Any:
        return (_again, (type(self), self.args), self.__dict__)

    @property
    def message(self) -> str:
        """The filled docstring: one sentence, no code."""
        return str(self.args[0])

    def __str__(self) -> str:
        tail = f"\n  try  {self.try_}" if self.try_ else ""
        return f"error[{self.code}]: {self.message}{tail}"


def _again(kind: type[HealerError], args: tuple[object, ...]) -> HealerError:
    """A copied or unpickled error: past `__init__`, which takes fields where `args` has the message made of them."""
    return kind.__new__(kind, *args)


class _Fields(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


class ConfigurationError(HealerError):
    """{count} in the files of the project"""

    code = "configuration"
    status = 422
    exit_code = EXIT_FOUND

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        errors = sum(d.more or 1 for d in self.diagnostics if d.severity == "error")
        super().__init__(count=f"{errors} error{'' if errors == 1 else 's'}")

    def __str__(self) -> str:
        return "\n".join([*(str(d) for d in self.diagnostics), f"error[{self.code}]: {self.message}"])


# --- what a request can get wrong (RFC 9457 shows code, title and detail of these) --------------------------------------


class RequestError(HealerError):
    """the request is wrong: {detail}"""

    code = "bad-request"
    status = 400


class NotJson(RequestError):
    """the body is not JSON: {detail}"""

    code = "not-json"


class NotAnObject(RequestError):
    """the body has to be a JSON object{or_more}, got {got}"""

    code = "not-an-object"


class DuplicateKey(RequestError):
    """the JSON has the key {key!r} twice in one object"""

    code = "duplicate-key"


class NumberTooLarge(RequestError):
    """the number {number} does not fit 64 bits"""

    code = "number-too-large"


class NotANumber(RequestError):
    """the JSON has {literal}, which is no JSON number"""

    code = "not-a-number"


class BadText(RequestError):
    """the JSON has text that cannot be kept: {detail}"""

    code = "bad-text"


class TooDeep(RequestError):
    """the JSON is nested deeper than {limit} levels"""

    code = "too-deep"


class TooManyNodes(RequestError):
    """the JSON has more than {limit} values"""

    code = "too-many-values"


class TooLarge(RequestError):
    """the body is larger than {limit} bytes"""

    code = "too-large"
    status = 413


class WrongContentType(RequestError):
    """the content type {got!r} is not taken here; wanted {wanted}"""

    code = "content-type"
    status = 415


class InvalidField(RequestError):
    """{field}: {detail}"""

    code = "invalid-field"


class InvalidParameters(RequestError):
    """the parameters of {action} are wrong: {detail}"""

    code = "invalid_parameters"


class UnknownController(RequestError):
    """no controller is named {controller!r}"""

    code = "unknown_controller"


class UnknownTarget(RequestError):
    """no target {target!r} in {inventory}"""

    code = "unknown_target"


class UnknownAction(RequestError):
    """no action is named {action!r}"""

    code = "unknown_action"
    status = 404


class UnknownEventType(RequestError):
    """no action takes the event type {event_type!r}"""

    code = "unknown_event_type"
    status = 404


class NoListener(RequestError):
    """no ruleset lists the source healer.api, so nobody would read the event"""

    code = "no_listener"
    status = 404


class NotFound(RequestError):
    """{what} is not known"""

    code = "not-found"
    status = 404


class Ambiguous(RequestError):
    """{prefix!r} is the beginning of {count} ids"""

    code = "ambiguous"
    status = 409


class MethodNotAllowed(RequestError):
    """{method} is not taken here; wanted {wanted}"""

    code = "method-not-allowed"
    status = 405


class Unauthorized(RequestError):
    """a key is needed: Authorization: Bearer hlr_…"""

    code = "unauthorized"
    status = 401


class Forbidden(RequestError):
    """{actor} may not do this; it needs the permission {permission}"""

    code = "forbidden"
    status = 403
    exit_code = EXIT_FORBIDDEN


class Unavailable(HealerError):
    """not now: {reason}"""

    code = "unavailable"
    status = 503


class BacklogFull(Unavailable):
    """not now: {backlog} events wait to be decided, the limit is {limit}"""

    code = "backlog_full"


# --- what starting and running can get wrong ------------------------------------------------------------------------------


class StartError(HealerError):
    """the daemon cannot start: {reason}"""

    code = "start"
    exit_code = EXIT_USAGE


class PortInUse(StartError):
    """{host}:{port} is taken{by}"""

    code = "port-in-use"


class AlreadyRunning(StartError):
    """a daemon owns {data_dir} (pid {pid}, since {since})"""

    code = "already-running"


class FirstStartActive(StartError):
    """the data directory {data_dir} is new, the mode is active, and {controllers} {reach} beyond this machine"""

    code = "first-start-active"


class UnsafeFilesystem(StartError):
    """{path} is on {kind}; locks and the write-ahead log need a local file system"""

    code = "unsafe-fs"


class StoreError(HealerError):
    """the store failed: {reason}"""

    code = "store"
    status = 503


class StoreFull(StoreError):
    """the disk is full; what was answered is safe, nothing new is taken until there is space"""

    code = "disk-full"


class NewerSchema(StoreError, StartError):
    """the data directory was written by a newer version (schema {got}, this one knows {wanted})"""

    code = "newer-schema"
    exit_code = EXIT_USAGE


class Fenced(StoreError):
    """another process owns the data directory now (epoch {got}, ours {ours})"""

    code = "fenced"


class IllegalTransition(StoreError):
    """{what} cannot go from {old} to {new}"""

    code = "illegal-transition"
    status = 409


class NotRunning(HealerError):
    """no daemon answers at {where}"""

    code = "not-running"
    exit_code = EXIT_UNREACHABLE


class SecretUnavailable(HealerError):
    """the secret {reference} cannot be read: {reason}"""

    code = "secret-unavailable"


class MissingExtra(HealerError):
    """{what} needs a package that is not installed: {package}"""

    code = "missing-extra"


class TemplateError(HealerError):
    """the template {template!r} cannot be rendered: {reason}"""

    code = "template"
