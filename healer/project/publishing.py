"""Copies a revision's files to where runs execute them from: read-only, under its id, never changed afterwards.

Callers: the daemon at its start, and the child of a reload. What is copied is hashed while it is copied and compared with what
was checked, so that an edit in between cannot slip in. A copy appears whole or not at all.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import shutil
import stat
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from healer import errors
from healer.project.loading import MANIFEST
from healer.project.revision import Revision
from healer.project.tree import CHUNK_BYTES, File, revision_id

FOLDER: Final = "revisions"
_UNFINISHED: Final = ".unfinished-"


class Changed(errors.HealerError):
    """the file {path} was changed while the project was read"""

    code = "changed-meanwhile"


class Tampered(errors.StartError):
    """the revision in {path} is not what was published: {reason}"""

    code = "revision-tampered"


def publish(revision: Revision, data_dir: pathlib.Path) -> pathlib.Path:
    """The folder that holds the revision's files, made if it is not there yet.

    Raises `Changed` (load again), `Tampered` (a copy is there and is not right), OSError (no space, no permission).
    """
    folder = data_dir / FOLDER
    final = folder / revision.id
    if os.path.lexists(final):
        verify(final)
        return final
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(_UNFINISHED + "*"):
        _remove(left)
    unfinished = folder / f"{_UNFINISHED}{revision.id}-{os.getpid()}"
    try:
        _copy(revision, unfinished)
        _move(unfinished, final)
    finally:
        _remove(unfinished)
    _sync(folder)
    return final


def _copy(revision: Revision, to: pathlib.Path) -> None:
    root = os.path.realpath(revision.project_dir)
    to.mkdir(mode=0o700)
    for file in revision.files.values():
        target = to / file.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source = os.path.realpath(os.path.join(root, file.path))  # noqa: PTH118 - the resolved text is checked
        if file.path in revision.outside:
            source = revision.outside[file.path]
        elif not source.startswith(root.rstrip("/") + "/"):
            raise Changed(path=file.path, try_="read the project again")
        try:
            with open(source, "rb", buffering=0, opener=_no_link) as read:
                _copy_one(file, read, target)
        except FileNotFoundError:
            raise Changed(path=file.path, try_="read the project again") from None
    _write(to / MANIFEST, json.dumps(_manifest(revision), sort_keys=True).encode(), 0o444)
    folders = [pathlib.Path(here) for here, _, _ in os.walk(to)]
    for folder in reversed(folders):
        _sync(folder)
        folder.chmod(0o555)


def _copy_one(file: File, read: BinaryIO, target: pathlib.Path) -> None:
    executable = bool(os.fstat(read.fileno()).st_mode & 0o111)
    digest = hashlib.sha256()
    with _created(target, 0o555 if file.executable else 0o444) as write:
        while chunk := read.read(CHUNK_BYTES):
            digest.update(chunk)
            write.write(chunk)
        _flush(write)
    if digest.hexdigest() != file.sha256 or executable != file.executable:
        raise Changed(path=file.path, try_="read the project again")


def _manifest(revision: Revision) -> dict[str, Any]:
    return {
        "version": 1,
        "id": revision.id,
        "git": dataclasses.asdict(revision.git) if revision.git else None,
        "files": [[one.path, one.executable, one.sha256, one.bytes] for one in revision.files.values()],
    }


def _move(unfinished: pathlib.Path, final: pathlib.Path) -> None:
    try:
        unfinished.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        verify(final)  # somebody published the same meanwhile


def verify(folder: pathlib.Path) -> str:
    """The id of a published revision whose every file is as it was copied. Raises `Tampered`."""
    try:
        noted = json.loads((folder / MANIFEST).read_bytes())
        files = {path: File(path, executable, digest, size) for path, executable, digest, size in noted["files"]}
        found = revision_id(files.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _tampered(folder, f"its {MANIFEST} cannot be read ({error})") from None
    if found != folder.name or noted.get("id") != found:
        raise _tampered(folder, f"the files that its {MANIFEST} lists have another id")
    there = set(_walk(folder))
    wrong = sorted(there ^ {*files, MANIFEST})
    if wrong:
        raise _tampered(folder, f"{wrong[0]} is {'there' if wrong[0] in there else 'missing'}")
    for file in files.values():
        _verify_one(folder, file)
    return found


def listed(folder: pathlib.Path) -> dict[str, File]:
    """The files of a published revision, as it lists them; none where it is gone or says nothing. Their content is not looked at."""
    try:
        noted = json.loads((folder / MANIFEST).read_bytes())
        return {path: File(path, executable, digest, size) for path, executable, digest, size in noted["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _verify_one(folder: pathlib.Path, file: File) -> None:
    digest = hashlib.sha256()
    try:
        with open(folder / file.path, "rb", buffering=0, opener=_no_link) as read:
            mode = os.fstat(read.fileno()).st_mode
            while stat.S_ISREG(mode) and (chunk := read.read(CHUNK_BYTES)):
                digest.update(chunk)
    except OSError as error:
        raise _tampered(folder, f"{file.path} cannot be read ({error.strerror})") from None
    if digest.hexdigest() != file.sha256:
        raise _tampered(folder, f"{file.path} has other content")
    if bool(mode & 0o111) != file.executable:
        raise _tampered(folder, f"{file.path} {'is not' if file.executable else 'is'} executable")


def _tampered(folder: pathlib.Path, reason: str) -> Tampered:
    try_ = "find out who wrote there; then move the folder away, and it is written again from the project's files"
    return Tampered(path=folder, reason=reason, try_=try_)


def _walk(folder: pathlib.Path) -> Iterator[str]:
    """Everything in a folder that is no folder: links to folders too."""
    for here, folders, names in os.walk(folder):
        links = [name for name in folders if pathlib.Path(here, name).is_symlink()]
        for name in (*names, *links):
            yield pathlib.Path(here, name).relative_to(folder).as_posix()


# --- writing durably ------------------------------------------------------------------------------------------------------


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _created(path: pathlib.Path, mode: int) -> BinaryIO:
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    os.fchmod(file.fileno(), mode)
    return file


def _write(path: pathlib.Path, content: bytes, mode: int) -> None:
    with _created(path, mode) as file:
        file.write(content)
        _flush(file)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: pathlib.Path) -> None:
    if not folder.is_dir() or folder.is_symlink():
        return
    below: Iterable[str] = (here for here, _, _ in os.walk(folder))
    for here in list(below):
        os.chmod(here, 0o700)  # noqa: PTH101 - what os.walk gives
    shutil.rmtree(folder)
