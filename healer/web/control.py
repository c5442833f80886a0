"""The control socket: how commands of the same host reach the daemon without a key.

The daemon binds it while it holds the lock of the data directory. Bound and found through `/proc/self/fd/<folder>/`, since the
path of a socket is limited to 107 bytes and data directories lie deep. Who connects is known by the kernel (`auth.peer_uid`).
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
        try:
            self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise errors.StartError(reason=f"the control socket's folder {path.parent}: {error.strerror}") from error
        try:
            self.socket = self._bind(group)
        except BaseException:
            os.close(self._folder)
            raise

    def _bind(self, group: str | None) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._remove_stale()
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

    def _remove_stale(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.stat(self.path.name, dir_fd=self._folder, follow_symlinks=False).st_mode):
                raise errors.StartError("move it away", reason=f"{self.path} is there and is no socket")
            os.unlink(self.path.name, dir_fd=self._folder)

    def close(self) -> None:
        """Remove the file and close the socket; call it before the lock is let go."""
        with contextlib.suppress(OSError):
            os.unlink(self.path.name, dir_fd=self._folder)
        self.socket.close()
        os.close(self._folder)


def reach(folder: int, name: str = NAME) -> str:
    """The address of the socket in an open folder (a descriptor), short however deep the folder lies. For clients too."""
    return f"/proc/self/fd/{folder}/{name}"
