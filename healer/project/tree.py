"""The files of a project that count, each read once: what is hashed is what is parsed.

Callers: `loading` and `publishing`. The id of a revision is the hash over (path, executable, content hash) of these files
and nothing else, so that the same files give the same id on every machine and at every time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from healer import config, errors
from healer.plugins import finding
from healer.project import configured

FILES_MAX: Final = 20_000
BYTES_MAX: Final = 512 << 20
DEPTH_MAX: Final = 40
CHUNK_BYTES: Final = 1 << 20
RENAME: Final = "rename it"

NAMES: Final = ("healer", "actions", "controllers")
FILES: Final = (
    *(f"{name}{ending}" for name in NAMES for ending in (".yml", ".yaml")),
    configured.CONFIG, "requirements.yml", "requirements.yaml",
)  # fmt: skip
FOLDERS: Final = (
    "rulebooks", "playbooks", "scripts", "manifests", "inventory", "templates", "roles", "tasks", "handlers", "vars", "group_vars",
    "host_vars", "sources", "checks", "controllers", "filters", "files", "collections", "library", "module_utils", "action_plugins",
    "callback_plugins", "connection_plugins", "filter_plugins", "inventory_plugins", "lookup_plugins", "test_plugins",
    "vars_plugins",
)  # fmt: skip
"""What rules, actions and Ansible can read; everything else of a repository does not change what is done."""
ALWAYS_FOLDERS: Final = ("rulebooks", "playbooks", "scripts", "manifests")
"""Those that nobody else has as a file, as an inventory may be."""

_LEFT_OUT: Final = re.compile(r"__pycache__|\.git|\.svn|\.DS_Store|.*~|\.#.*|#.*#|.*\.(?:pyc|pyo|swp|swo)", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file that counts: its path (relative, with slashes), whether it is executable, SHA-256 (hex) and size in bytes."""

    path: str
    executable: bool
    sha256: str
    bytes: int


def revision_id(files: Iterable[File]) -> str:
    """The id that these files have together: SHA-256, hex."""
    digest = hashlib.sha256(b"healer revision 1\n")
    for file in sorted(files, key=lambda one: one.path.encode()):
        digest.update(b"%b\0%b\0%b\n" % (file.path.encode(), b"x" if file.executable else b"-", file.sha256.encode()))
    return digest.hexdigest()


class Tree:
    """The files of a project directory. `kept(path)` says whose content is kept in memory because it will be parsed."""

    def __init__(self, project_dir: pathlib.Path, kept: Callable[[str], bool]) -> None:
        self.root = pathlib.Path(os.path.realpath(project_dir))
        self.files: dict[str, File] = {}
        self.folders: set[str] = set()
        """The folders that were read, links resolved."""
        self.diagnostics: list[errors.Diagnostic] = []
        self.bytes_total = 0
        self.counting: Mapping[str, Collection[config.Span]] = {}
        """Files in which other places of keys that stand twice count than the last ones, see `config.read_text`."""
        self.outside: dict[str, str] = {}
        """Files that were taken into the project, and where each lies."""
        self._contents: dict[str, bytes] = {}
        self._kept = kept
        self.full = False
        """Whether there was too much, so that not all of it was read."""

    def scan(self) -> None:
        """Read everything that counts."""
        if not self.root.is_dir():
            self._error("no-project", "there is no such folder", str(self.root))
            return
        for name in FILES:
            if (self.root / name).is_dir():
                self._error(
                    "not-a-file", "a file is wanted here, not a folder", name, "move it, or give it another name"
                )
            elif os.path.lexists(self.root / name):
                self.add(name)
        for name in FOLDERS:
            if (self.root / name).is_dir():
                if not self._is_program(name):
                    self.add(name)
            elif name in ALWAYS_FOLDERS and os.path.lexists(self.root / name):
                self._error(
                    "not-a-file", "a folder is wanted here, not a file", name, "move it, or give it another name"
                )
        for path in configured.folders(self._contents.get(configured.CONFIG, b"")):
            first, *rest = path.split("/")
            counts = first not in FOLDERS and not any(_LEFT_OUT.fullmatch(part) for part in (first, *rest))
            if counts and (self.root / path).is_dir():
                self.add(path)

    def add(self, path: str) -> None:
        """Read one more file or folder (relative to the project)."""
        self._visit(path, 0, ())

    def keep(self, path: str) -> None:
        """Read a file or folder that is kept, again where it was not before. What is not there is none."""
        for one in [known for known in self.files if known == path or known.startswith(path + "/")]:
            if one not in self._contents:
                self.bytes_total -= self.files.pop(one).bytes
        if os.path.lexists(self.root / path):
            self.add(path)

    def take_in(self, path: str, file: pathlib.Path) -> None:
        """Read a file from elsewhere (an installed collection) as one of the project; a copy in the project goes first."""
        if os.path.lexists(self.root / path):
            self.keep(path)
            return
        self.outside[path] = os.path.realpath(file)
        try:
            self._read(path, self.outside[path])
        except OSError as error:
            self._error("unreadable", f"{file} cannot be read: {error.strerror or error}", path)

    def names(self, folder: str) -> Iterator[str]:
        """The paths below a folder, sorted."""
        return (path for path in sorted(self.files) if path.startswith(folder + "/"))

    def content(self, path: str) -> bytes | None:
        """What was read of a kept file."""
        return self._contents.get(path)

    def document(
        self, path: str, *, twice: errors.Severity = "error", ansible: bool = False,
        vaulted: Callable[[str], Any] | None = None,
    ) -> config.Document:  # fmt: skip
        """A kept file as YAML; as `config.read_text`."""
        raw = self._contents.get(path, b"")
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            document = config.Document(path, "")
            place = config.place_of(error, raw)
            document.error("unreadable", f"the file is not UTF-8 (byte {error.start + 1})", place, config.AS_UTF8)
            return document
        counting = self.counting.get(path, ())
        return config.read_text(text, path, twice=twice, counting=counting, ansible=ansible, vaulted=vaulted)

    def _is_program(self, name: str) -> bool:
        """The folder of the program's own plugins (its repository is a project too): they are code, not the project's."""
        return any(name == kind and finding.is_copy(kind, self.root / kind) for kind in finding.OWN_KINDS)

    def _visit(self, path: str, depth: int, above: tuple[str, ...]) -> None:
        if self.full:
            return
        if depth > DEPTH_MAX:
            self._error("too-deep", f"folders deeper than {DEPTH_MAX} levels", path, "flatter ones, or move them out")
            return
        try:
            path.encode()
        except UnicodeEncodeError:
            self._error(
                "bad-name", "the name of the file is not UTF-8", path.encode("utf-8", "replace").decode(), RENAME
            )
            return
        if any(ord(char) < 32 or ord(char) == 127 for char in path):
            self._error("bad-name", "the name of the file has a control character", repr(path), RENAME)
            return
        self._look(path, depth, above)

    def _look(self, path: str, depth: int, above: tuple[str, ...]) -> None:
        real = os.path.realpath(self.root / path)
        if real != str(self.root) and not real.startswith(str(self.root).rstrip("/") + "/"):
            self._error(
                "path-escapes", f"it leads out of the project, to {real}", path, "copy what is wanted into the project"
            )
            return
        try:
            found = os.stat(real)  # noqa: PTH116 - the resolved text is what was checked above
            if stat.S_ISDIR(found.st_mode):
                if real in above or real == str(self.root):
                    self._error("path-loops", "the folder leads back to itself", path, "take the link out")
                    return
                self.folders.add(real)
                for name in sorted(os.listdir(real)):  # noqa: PTH208 - names are wanted
                    if not _LEFT_OUT.fullmatch(name):
                        self._visit(f"{path}/{name}", depth + 1, (*above, real))
            elif stat.S_ISREG(found.st_mode):
                self._read(path, real)
            else:
                self._error("not-a-file", "it is neither a file nor a folder", path, "move it out")
        except OSError as error:
            self._error(
                "unreadable", f"it cannot be read: {error.strerror or error}", path, "let the daemon's user read it"
            )

    def _read(self, path: str, real: str) -> None:
        if path in self.files:
            return
        if len(self.files) >= FILES_MAX:
            self._stop(f"more than {FILES_MAX} files")
            return
        digest, size, pieces = hashlib.sha256(), 0, []
        kept = path == configured.CONFIG or self._kept(path)
        with open(real, "rb", buffering=0, opener=_open) as file:
            mode = os.fstat(file.fileno()).st_mode
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                if self.bytes_total + size > BYTES_MAX:
                    self._stop(f"more than {BYTES_MAX >> 20} MiB of files")
                    return
                if kept:
                    pieces.append(chunk)
        self.bytes_total += size
        self.files[path] = File(path, bool(mode & 0o111), digest.hexdigest(), size)
        if kept and size > config.BYTES_MAX:
            self._error("unreadable", f"the file has {size} bytes, more than {config.BYTES_MAX}", path)
        elif kept:
            self._contents[path] = b"".join(pieces)

    def _stop(self, reason: str) -> None:
        self.full = True
        self._error(
            "too-large", f"{reason} below the folders that count", str(self.root), "move what is not needed out"
        )

    def _error(self, code: str, message: str, path: str, try_: str = "") -> None:
        self.diagnostics.append(errors.Diagnostic(code, message, errors.Place(path), try_=try_))


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
