"""The control socket: how commands of the same host reach the daemon without a key.

The daemon binds it while it holds the lock of the data directory. Where a setting moves it (`control.socket`), a link in the data
directory leads there, so that whoever names only that finds it, also after the setting was edited. Bound and found through
`/proc/self/fd/<folder>/`, since the path of a socket is limited to 107 bytes and data directories lie deep. Who connects is known by
the kernel (`auth.peer_uid`).
"""

from __future__ import annotations

import contextlib
import grp
import os
import pathlib
import socket
import stat

from healer import errors
from healer.store import ownership

NAME = "control.sock"
BACKLOG = 128


class ControlSocket:
    """The bound socket. `fileno` of the folder stays open for its life, since its address goes through it."""

    def __init__(self, path: pathlib.Path, owned: ownership.Ownership, group: str | None = None) -> None:
        """Bind. `owned`: the lock of the data directory, which must be held: only then is a socket that lies there stale.

        Mode 0600, or 0660 with `group`. Raises `errors.StartError`.
        """
        if not owned.held:
            raise errors.StartError(
                reason="the control socket belongs to who holds the data directory, and nobody does"
            )
        self.path = path
        at = owned.path.with_name(NAME)
        self._link = at if at.parent.resolve() / NAME != path.parent.resolve() / path.name else None
        try:
            self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise errors.StartError(reason=f"the control socket's folder {path.parent}: {error.strerror}") from error
        try:
            self.socket = self._bind(group)
        except BaseException:
            os.close(self._folder)
            raise
        try:
            self._lead_there()
        except BaseException:
            self.close()
            raise

    def _bind(self, group: str | None) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _remove_stale(self.path, self._folder)
            bound.setblocking(False)
            os.fchmod(bound.fileno(), 0o600)  # before the bind: the file never exists with another mode
            self._name(bound, group)
        except OSError as error:
            bound.close()
            raise errors.StartError(reason=f"the control socket {self.path}: {error.strerror}") from error
        except BaseException:
            bound.close()
            raise
        return bound

    def _name(self, bound: socket.socket, group: str | None) -> None:
        address = reach(self._folder, self.path.name)
        bound.bind(address)
        if group is None:
            return
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            raise errors.StartError("getent group", reason=f"control: no group is named {group!r}") from None
        os.chown(address, -1, gid)
        os.chmod(address, 0o660)  # noqa: PTH101 - the address is no path for pathlib

    def _lead_there(self) -> None:
        if self._link is None:
            return
        try:
            _remove_stale(self._link)
            self._link.symlink_to(self.path.absolute())
        except OSError as error:
            raise errors.StartError(reason=f"the link {self._link} to the control socket: {error.strerror}") from error

    def close(self) -> None:
        """Remove the file and close the socket; call it before the lock is let go."""
        if self._link is not None and self._link.is_symlink() and self._link.readlink() == self.path.absolute():
            self._link.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.unlink(self.path.name, dir_fd=self._folder)
        self.socket.close()
        os.close(self._folder)


def _remove_stale(path: pathlib.Path, folder: int | None = None) -> None:
    """Make room for a socket, or for a link to one. `folder`: open, the path's. Raises `errors.StartError` where something else lies."""
    name = path if folder is None else path.name
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):  # an earlier daemon's, which led to its socket, is stale too
            with contextlib.suppress(FileNotFoundError):
                mode = os.stat(name, dir_fd=folder).st_mode
        if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
            raise errors.StartError("move it away", reason=f"{path} is there and is no socket")
        os.unlink(name, dir_fd=folder)


def reach(folder: int, name: str = NAME) -> str:
    """The address of the socket in an open folder (a descriptor), short however deep the folder lies. For clients too."""
    return f"/proc/self/fd/{folder}/{name}"
