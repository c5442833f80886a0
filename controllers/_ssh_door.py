"""How a connection of `ssh` is made: keys, known hosts, the hosts between, and words for what goes wrong. Caller: the pool.

The key of a host is always checked. There is no option that turns it off, and no line of a configuration file does: the list of
known hosts is given to asyncssh as an object, never as nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import pathlib
import socket
import sys
from typing import Any, Final

from healer import errors, model
from healer.controllers import _ssh_pool

KEEPALIVES: Final = 3
USERS_OWN: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
_WAY_OUT: Final = "compare the key on the machine itself, then add it (`ssh-keyscan HOST`)"


def library() -> Any:
    """asyncssh, imported when it is first needed: it costs a start 150 ms. Raises `errors.MissingExtra`."""
    try:
        import asyncssh
    except ImportError as error:
        package = error.name or "asyncssh"
        raise errors.MissingExtra(
            what="the controller ssh", package=package, try_="pip install 'auto-healer[ssh]'"
        ) from error
    logging.getLogger("asyncssh").setLevel(logging.WARNING)  # at INFO it tells of each channel
    return asyncssh


async def load() -> None:
    """Import it beside the loop. Raises `errors.MissingExtra`."""
    if "asyncssh" not in sys.modules:
        await asyncio.to_thread(library)
    library()


class Unusable(Exception):
    """what of the controller's own options cannot be used, in words for people"""


class Door:
    """Opens connections by the options of a controller. Files are read anew where they changed."""

    def __init__(self, options: Any, resolve: Any, project_dir: pathlib.Path) -> None:
        self.options = options
        self._resolve = resolve
        self._dir = project_dir
        self._hosts: tuple[Any, Any] = (None, None)
        self._key: tuple[str, Any] = ("", None)
        self._reading = asyncio.Lock()

    # --- what it opens with -------------------------------------------------------------------------------------------

    def known_hosts(self) -> Any:
        """The hosts whose keys are known. Raises `Unusable` where there is no such file."""
        paths = self.known_hosts_files()
        stamp = [(path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths]
        if self._hosts[0] != stamp:
            try:
                text = "\n".join(path.read_text("utf-8", "surrogateescape") for path in paths)
                self._hosts = (stamp, library().import_known_hosts(text))
            except (OSError, ValueError) as error:
                raise Unusable(f"known hosts cannot be read: {error}") from error
        return self._hosts[1]

    def known_hosts_files(self) -> list[pathlib.Path]:
        """The option's file, else the user's own and the machine's. Raises `Unusable`."""
        named = self.options.known_hosts
        paths = [self._dir / named] if named else [pathlib.Path(one).expanduser() for one in USERS_OWN]
        found = [path for path in paths if path.is_file()]
        if not found:
            shown = named or USERS_OWN[0]
            raise Unusable(
                f"there is no file {shown} with the keys of known hosts; {_WAY_OUT.replace('HOST', 'HOST >> ' + shown)}"
            )
        return found

    async def keys(self) -> Any:
        """Private keys as asyncssh takes them; () for the user's own. Raises `Unusable`."""
        if self.options.key is None:
            return () if not self.options.agent else []
        text = self._secret(self.options.key)
        phrase = self._secret(self.options.key_passphrase) if self.options.key_passphrase else None
        mark = hashlib.sha256(f"{text}\0{phrase}".encode("utf-8", "surrogateescape")).hexdigest()
        if self._key[0] != mark:
            try:
                self._key = (mark, await asyncio.to_thread(library().import_private_key, text, phrase))
            except (library().KeyImportError, library().KeyEncryptionError, ValueError) as error:
                raise Unusable(f"the key ({self.options.key.secret}) cannot be used: {error}") from error
        if not self.options.certificate:
            return [self._key[1]]
        path = self._dir / self.options.certificate
        try:
            return [(self._key[1], library().read_certificate(str(path)))]
        except (OSError, ValueError, library().KeyImportError) as error:
            raise Unusable(f"the certificate {self.options.certificate} cannot be used: {error}") from error

    def _secret(self, reference: Any) -> str:
        try:
            secret: model.Secret = self._resolve(reference)
            return secret.reveal()
        except errors.HealerError as error:
            raise Unusable(error.message) from error

    def agent(self) -> str | None:
        """The agent's socket where it is to be asked. Raises `Unusable`."""
        if not self.options.agent:
            return None
        path = os.environ.get("SSH_AUTH_SOCK")
        if not path:
            raise Unusable("agent: true, and the daemon's environment has no SSH_AUTH_SOCK")
        return path

    def config(self) -> list[str]:
        """The OpenSSH configuration file, where one is named."""
        return [str(self._dir / self.options.config)] if self.options.config else []

    async def settings(self, address: _ssh_pool.Address) -> Any:
        """What asyncssh connects with. Raises `Unusable`."""
        async with self._reading:  # hosts that are connected to at once wait for one reading
            keys = await self.keys()
            known_hosts = await asyncio.to_thread(self.known_hosts)
        try:
            return library().SSHClientConnectionOptions(
                host=address.host, port=address.port or (), username=address.user or (), config=self.config(),
                known_hosts=known_hosts, client_keys=keys, agent_path=self.agent(), preferred_auth="publickey",
                password=None, kbdint_auth=False, password_auth=False, host_based_auth=False, gss_host=None,
                x509_trusted_certs=None, x509_trusted_cert_paths=[], agent_forwarding=False,
                connect_timeout=self.options.connect_timeout, keepalive_interval=self.options.keepalive,
                keepalive_count_max=KEEPALIVES, encoding=None,
            )  # fmt: skip
        except (ValueError, OSError, library().ConfigParseError, library().KeyImportError) as error:
            raise Unusable(f"it cannot be connected to as the options say: {error}") from error

    def way(self, address: _ssh_pool.Address, *, read: bool = False) -> list[_ssh_pool.Address]:
        """The hosts between, of the option `jump`, else of `ProxyJump` in the configuration file. Raises `_ssh_pool.Unreachable`.

        `read`: the file is read also where the option makes it of no account."""
        named = self.options.jump
        if self.options.config and (named is None or read):
            try:
                found = library().SSHClientConnectionOptions(
                    host=address.host, port=address.port or (), username=address.user or (), config=self.config(),
                    client_keys=None, agent_path=None, known_hosts=b"", x509_trusted_certs=None,
                )  # fmt: skip
            except (ValueError, OSError, library().ConfigParseError) as error:
                raise _ssh_pool.Unreachable(f"{self.options.config} cannot be read: {error}") from error
            if named is None and isinstance(found.tunnel, str) and found.tunnel.lower() != "none":
                named = found.tunnel
        texts = named.split(",") if isinstance(named, str) else named or []
        try:
            return [jump_of(text.strip()) for text in texts]
        except ValueError as error:  # of an option it was told when the project was read
            raise _ssh_pool.Unreachable(f"ProxyJump of {self.options.config}: {error}") from error

    # --- opening ------------------------------------------------------------------------------------------------------

    async def dial(self, address: _ssh_pool.Address, through: _ssh_pool.Connection | None) -> Any:
        """A connection whose host key was checked. Raises `_ssh_pool.Unreachable`."""
        ssh = library()
        try:
            settings = await self.settings(address)
        except Unusable as error:
            raise _ssh_pool.Unreachable(str(error)) from error
        try:
            return await ssh.connect(
                address.host,
                address.port or (),
                options=settings,
                config=self.config(),
                tunnel=through.raw if through else None,
            )
        except ssh.HostKeyNotVerifiable as error:
            raise self._of_host_key(address, settings, error) from error
        except ssh.PermissionDenied as error:
            raise _ssh_pool.Unreachable(self._of_refusal(address, settings, error)) from error
        except (
            ssh.Error,
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # uvloop raises RuntimeError for a proxy command that has ended
            raise _ssh_pool.Unreachable(
                _of_network(address, through, error), passing=not isinstance(error, ValueError)
            ) from error

    def _of_host_key(self, address: _ssh_pool.Address, settings: Any, error: Exception) -> _ssh_pool.Unreachable:
        files = " or ".join(map(str, self.known_hosts_files()))
        port = settings.port if settings.port != 22 else None
        known = settings.known_hosts.match(settings.host_key_alias or settings.host, "", port)
        if any(known[:2]):
            return _ssh_pool.Unreachable(
                f"{address} shows another key than the one in {files}: it may be another machine, or somebody in between. "
                f"Nothing was sent. If it was installed anew: {_WAY_OUT}",
                another_key=True,
            )
        return _ssh_pool.Unreachable(f"the key of {address} is not in {files} ({error}); {_WAY_OUT}")

    def _of_refusal(self, address: _ssh_pool.Address, settings: Any, error: Exception) -> str:
        shown = (
            self.options.key.secret
            if self.options.key
            else "the agent's keys"
            if self.options.agent
            else "the keys in ~/.ssh"
        )
        return f"{address} refuses the user {settings.username} with {shown} ({error}); see authorized_keys and sshd's log there"


def jump_of(text: str) -> _ssh_pool.Address:
    """Of `user@host:port`, as OpenSSH's ProxyJump has it. Raises ValueError."""
    user, _, rest = text.removeprefix("ssh://").rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon or (rest.count(":") > 1 and not rest.startswith("[")):
        host, port = rest, ""
    host = host.strip("[]")
    if (
        not host
        or host.startswith("-")
        or (port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536))
    ):
        raise ValueError(f"{text!r} is no host to jump over; wanted is HOST, USER@HOST or USER@HOST:PORT")
    return _ssh_pool.Address(host, int(port or 0), user)


def _of_network(address: _ssh_pool.Address, through: _ssh_pool.Connection | None, error: Exception) -> str:
    over = f" over {through.address}" if through is not None else ""
    if isinstance(error, ConnectionRefusedError):
        return f"{address}{over} refuses connections: is sshd running there, and is the port right?"
    if isinstance(error, TimeoutError):
        return (
            f"{address}{over} did not answer within connect_timeout: is it up, and does a firewall let this machine in?"
        )
    if isinstance(error, socket.gaierror):
        return f"the name of {address} cannot be resolved: {error.strerror}"
    said = getattr(error, "reason", "") or str(error) or type(error).__name__
    return f"{address}{over} cannot be connected to: {said}"
