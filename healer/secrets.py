"""References to secrets become values at the moment of use, and values are masked in what actions print.

`dispatch`, `supervise` and `web` resolve; whoever keeps output of a child masks it. Nothing is cached: a file that
changes is seen by the next use, and 64 KiB are read faster than asking whether they changed would save.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re
import stat
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from healer import errors, model

BYTES_MAX: Final = 64 << 10
VAULT: Final = "ansible-vault"
"""The kind of a reference to what ansible-vault encrypted; only values that an operator wrote make one (`model.Reference`)."""
MASKED_MIN: Final = 4
"""Characters a value needs to be masked: shorter ones stand in every second line by chance."""
MASK: Final = b"***"

_LINE_MIN: Final = 12
_ENVIRONMENT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secrets:
    """Resolves `env:NAME` and `file:PATH`. `environ` is the environment to look in, handed in by the daemon.

    A relative path is taken from the project directory. Links are followed: mounted secrets are links. `vaulted` opens what is behind
    `ansible-vault:`, or raises ValueError. `on_value(reference, value)` hears
    of each, whoever asked for it, so that it can be masked from then on.
    """

    def __init__(
        self,
        project_dir: pathlib.Path,
        environ: Mapping[str, str],
        on_value: Callable[[str, str], None] = lambda *_: None,
        vaulted: Callable[[str], str] | None = None,
    ) -> None:
        self.project_dir = project_dir
        self._environ = environ
        self._on_value = on_value
        self._vaulted = vaulted

    def resolve(self, reference: str) -> model.Secret:
        """The value behind a reference. Raises `errors.SecretUnavailable`, which never shows a value."""
        kind, _, where = reference.partition(":")
        readers: dict[str, Callable[[str], str]] = {"env": self._from_environment, "file": self._from_file}
        if kind == VAULT and self._vaulted is not None:
            readers[VAULT] = self._vaulted
        if kind not in readers or not where:
            raise errors.SecretUnavailable(reference=_shown(reference), reason="env:NAME or file:PATH is wanted")
        try:
            value = readers[kind](where)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            shown = _shown(reference) if kind == VAULT else reference
            raise errors.SecretUnavailable(reference=shown, reason=reason) from None  # the cause may hold the value
        self._on_value(reference, value)
        return model.Secret(reference, value)

    def revealed(self, value: Any) -> Any:
        """The value with each `{secret: …}` and each vaulted text in it resolved: for what is used at once. Raises as `resolve`."""
        if isinstance(value, model.Reference):
            return self.resolve(value.reference).reveal()
        if isinstance(value, Mapping):
            if set(value) == {"secret"} and isinstance(value["secret"], str):
                return self.resolve(value["secret"]).reveal()
            return {key: self.revealed(inner) for key, inner in value.items()}
        return [self.revealed(inner) for inner in value] if isinstance(value, list) else value

    def _from_environment(self, name: str) -> str:
        if not _ENVIRONMENT_NAME.fullmatch(name):
            raise ValueError("that is no name of an environment variable")
        if name not in self._environ:
            raise ValueError("the variable is not set")
        return _sound(self._environ[name])

    def _from_file(self, path: str) -> str:
        return _sound(_read(self.project_dir / path))


def _read(path: pathlib.Path) -> str:
    # O_NONBLOCK: opening a named pipe that nobody writes to would stop the daemon.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("that is no regular file")
        raw = file.read(BYTES_MAX + 1)
    if len(raw) > BYTES_MAX:
        raise ValueError(f"the file has more than {BYTES_MAX} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _sound(value: str) -> str:
    if not value:
        raise ValueError("it is empty")
    if "\0" in value:
        raise ValueError("it has a NUL")
    return value


def _shown(reference: str) -> str:
    """A reference that is none may be a secret written in its place: only its kind is shown."""
    kind, colon, _ = reference.partition(":")
    return f"{kind}:…" if colon and (kind == VAULT or (len(kind) <= 8 and kind.isalpha())) else "…"


# --- masking ----------------------------------------------------------------------------------------------------------


class Masker:
    """Masks values in a stream of bytes, also where a value lies across two pieces.

    Masked are the values themselves, their base64 forms (at any offset, both alphabets), URL-encoded and JSON-escaped
    forms, and the long lines of a value of several lines. However the stream is cut, the output is the same; what may
    be the beginning of a value is held back until it is known. Values shorter than `MASKED_MIN` are not masked.
    """

    def __init__(self, values: Iterable[str], held: bytes = b"") -> None:
        """`held`: what another masker of the same stream has held back."""
        forms = {form for value in values if len(value) >= MASKED_MIN for form in _forms(value)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._longest = len(self._forms[0]) if self._forms else 0
        # Longest first, so that at one place the longest form is taken.
        self._pattern = re.compile(b"|".join(re.escape(form) for form in self._forms)) if self._forms else None
        self._by_first: dict[int, list[bytes]] = {}
        for form in self._forms:
            self._by_first.setdefault(form[0], []).append(form)
        self.held = held

    def feed(self, piece: bytes) -> bytes:
        """What of the stream so far can be shown, masked."""
        if self._pattern is None:
            piece, self.held = self.held + piece, b""
            return piece
        return self._advance(self.held + piece, final=False)

    def flush(self) -> bytes:
        """The rest, at the end of the stream."""
        return self._advance(self.held, final=True) if self._pattern else self.held

    def whole(self, text: bytes) -> bytes:
        """A text masked at once, apart from the stream."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def _advance(self, text: bytes, *, final: bool) -> bytes:
        assert self._pattern is not None  # noqa: S101 - the callers look
        shown = bytearray()
        at = 0
        open_from = len(text) if final else self._open_from(text, 0)
        while (found := self._pattern.search(text, at)) and found.start() < open_from:
            shown += text[at : found.start()] + MASK
            at = found.end()
            if open_from < at:
                open_from = self._open_from(text, at)
        shown += text[at:open_from]
        self.held = text[open_from:]
        return bytes(shown)

    def _open_from(self, text: bytes, at: int) -> int:
        """The first place from `at` on where a longer form than what is there could begin."""
        for start in range(max(at, len(text) - self._longest + 1), len(text)):
            rest = text[start:]
            for form in self._by_first.get(rest[0], ()):
                if len(form) > len(rest) and form.startswith(rest):
                    return start
        return len(text)


class LiveMasker:
    """A `Masker` of a stream that also masks what becomes known while it runs: a controller opens its secrets when it begins.

    `values()`: all that are known now.
    """

    def __init__(self, values: Callable[[], list[str]]) -> None:
        self._values = values
        self._known = values()
        self._masker = Masker(self._known)

    def feed(self, piece: bytes) -> bytes:
        """As `Masker.feed`."""
        self._renew()
        return self._masker.feed(piece)

    def flush(self) -> bytes:
        """As `Masker.flush`."""
        self._renew()
        return self._masker.flush()

    def _renew(self) -> None:
        known = self._values()
        if known != self._known:
            self._known, held = known, self._masker.held
            self._masker = Masker(known, held)


def _forms(value: str) -> Iterator[bytes]:
    plain = value.encode("utf-8", "surrogateescape")
    yield plain
    for line in value.splitlines():
        if len(line) >= _LINE_MIN:
            yield line.encode("utf-8", "surrogateescape")
    for safe in ("", "/"):
        quoted = urllib.parse.quote(plain, safe=safe)
        for form in (quoted, quoted.replace("%20", "+")):
            yield form.encode()
            yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), form).encode()
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1].encode("utf-8", "surrogateescape")
    yield from _base64_forms(plain)


def _base64_forms(plain: bytes) -> Iterator[bytes]:
    """What base64 makes of the value wherever it lies in the encoded text: the letters that it alone decides."""
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        yield encode(plain)
        for offset in range(3):
            skip = (8 * offset + 5) // 6  # letters that the bytes before it have a part in
            bits = 8 * (offset + len(plain))
            letters = encode(b"\0" * offset + plain)[skip : bits // 6]
            if len(letters) >= MASKED_MIN:
                yield letters
