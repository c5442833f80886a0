"""What `ansible-vault` encrypted is opened here, and the passwords for it are read.

Whoever reads what may be vaulted asks `is_vaulted` and `Vault.decrypt`, which are pure; the command line makes the one
`Vault` with `read`. The format is that of Ansible's documentation ("Format of files encrypted with Ansible Vault"), taken
apart with `cryptography`: no process is started for each text, and nothing of Ansible is imported.
"""

from __future__ import annotations

import binascii
import contextlib
import functools
import hashlib
import hmac
import os
import pathlib
import select
import signal
import stat
import string
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from healer import errors, secrets

TEXT_MAX: Final = 16 << 20
"""Characters of a vaulted text."""
SALT_MAX: Final = 1024
"""Bytes of a salt. Ansible makes 32 of them, but takes any that `ANSIBLE_VAULT_ENCRYPT_SALT` says."""
SCRIPT_TIMEOUT_S: Final = 10.0
PASSWORD_FILE: Final = "EDA_VAULT_PASSWORD_FILE"  # noqa: S105 - the name of a variable, as upstream has it
DEFAULT_LABEL: Final = "default"

_TRY: Final = "--vault-password-file FILE, --vault-id LABEL@FILE or --ask-vault-pass"


class VaultError(errors.HealerError):
    """{what} cannot be read: {reason}"""

    code = "vault"


class NoTerminal(Exception):
    """Nobody can be asked for a password."""


def is_vaulted(text: str) -> bool:
    """Whether a text is one that `ansible-vault` encrypted; white space before it does not count."""
    return text.lstrip().startswith("$ANSIBLE_VAULT;")


def check(text: str) -> None:
    """Raise `VaultError` if no password could open a vaulted text: it is not written as one."""
    _parsed(text)


class Vault:
    """Opens vaulted texts. `keys` are (label, password), in the order in which they are tried."""

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        self._keys = tuple((label, _raw(label, password)) for label, password in keys)

    def decrypt(self, text: str) -> str:
        """The plain text of a vaulted text, format 1.1 or 1.2. Raises `VaultError`, which never shows plain text.

        A label only says which key is tried first, as in Ansible (unless `DEFAULT_VAULT_ID_MATCH`): every key may open it.
        """
        label, salt, mac, encrypted = _parsed(text)
        if not self._keys:
            raise _shut("it is encrypted, and no vault password is given", _TRY)
        for _, password in sorted(self._keys, key=lambda key: key[0] != label):
            derived = _derived(password, salt)
            if hmac.compare_digest(hmac.digest(derived[32:64], encrypted, "sha256"), mac):
                return _opened(encrypted, derived[:32], derived[64:])
        labels = ", ".join(own for own, _ in self._keys)
        raise _shut(f"its label is {_shown(label)}, and no password given ({labels}) opens it, or it was changed", _TRY)

    @property
    def keys(self) -> list[tuple[str, str]]:
        """(label, password) of each; for the child process that reads a project, and nowhere else."""
        return [(label, password.decode()) for label, password in self._keys]

    def __repr__(self) -> str:
        return f"Vault({[label for label, _ in self._keys]})"

    def __reduce__(self) -> Any:
        raise TypeError("a vault is never pickled")


def _raw(label: str, password: str) -> bytes:
    with contextlib.suppress(UnicodeEncodeError):  # left before raising: the error holds the password
        return password.encode()
    raise VaultError(what=f"the vault password {label}", reason="it is not UTF-8 text")


# --- the format -----------------------------------------------------------------------------------------------------------


def _parsed(text: str) -> tuple[str, bytes, bytes, bytes]:
    """Label, salt, HMAC, cipher text: the label ends the header; the body is lines of hex of three lines of hex."""
    if len(text) > TEXT_MAX:
        raise _shut(f"it has {len(text)} characters, the limit is {TEXT_MAX}")
    if not is_vaulted(text):
        raise _shut("it does not begin with $ANSIBLE_VAULT;")
    header, _, body = text.lstrip().partition("\n")
    _, version, cipher, label = (*map(str.strip, header.split(";", 3)), "", "")[:4]
    if version not in ("1.1", "1.2") or cipher != "AES256":
        raise _shut(f"its format is {_shown(version)}, its cipher {_shown(cipher)}; wanted are 1.1 or 1.2, and AES256")
    try:
        # White space is left out: a text that was pasted into YAML may be indented.
        parts = binascii.unhexlify(body.encode("ascii").translate(None, string.whitespace.encode())).split(b"\n", 3)
        parts = [binascii.unhexlify(part) for part in parts]
    except ValueError:  # binascii.Error and UnicodeEncodeError are ones
        raise _shut("its body is not hex (digits and letters a to f, an even number of them)") from None
    if len(parts) != 3:
        raise _shut(f"its body has {len(parts)} parts; wanted are 3: salt, HMAC, cipher text")
    salt, mac, encrypted = parts
    if not 1 <= len(salt) <= SALT_MAX or len(mac) != 32 or not encrypted or len(encrypted) % 16:
        wanted = f"1 to {SALT_MAX}, 32, and a multiple of 16"
        raise _shut(f"its salt, HMAC and cipher text have {[*map(len, parts)]} bytes; wanted are {wanted}")
    return label or DEFAULT_LABEL, salt, mac, encrypted


@functools.lru_cache(maxsize=64)
def _derived(password: bytes, salt: bytes) -> bytes:
    """The key of AES (32 bytes), that of the HMAC (32) and the first counter (16). Slow by intent: some milliseconds."""
    return hashlib.pbkdf2_hmac("sha256", password, salt, 10_000, 80)


def _opened(encrypted: bytes, key: bytes, counter: bytes) -> str:
    decryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
    padded = decryptor.update(encrypted) + decryptor.finalize()
    try:
        unpadder = padding.PKCS7(128).unpadder()
        plain = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise _shut("its padding is not PKCS7; encrypt it again") from None
    if (text := _text(plain)) is None:
        raise _shut("what is in it is not UTF-8 text")
    return text


def _text(raw: bytes) -> str | None:
    """None where it is not UTF-8. The error is not let out, not even as a context: it holds the bytes."""
    with contextlib.suppress(UnicodeDecodeError):
        return raw.decode()
    return None


def _shut(reason: str, try_: str = "") -> VaultError:
    return VaultError(try_, what="the vaulted text", reason=reason)


def _shown(word: str) -> str:
    return repr(word if len(word) <= 40 else word[:40] + "…")


# --- the passwords --------------------------------------------------------------------------------------------------------


def read(
    password_file: str | None, ids: Sequence[str], environ: Mapping[str, str], ask: Callable[[str], str], *,
    ask_one: bool = False,
) -> Vault:  # fmt: skip
    """The vault with the keys of `ids` (LABEL@PATH, PATH, LABEL@prompt), then of the password file, then (`ask_one`) an asked one.

    Without `password_file` it is that of `EDA_VAULT_PASSWORD_FILE` in `environ`, if any. `ask(prompt)` asks a person, or raises
    `NoTerminal`. An executable file is run, with `environ`, and prints the password. White space around one is left out as Ansible
    does. Raises `VaultError`, which names the path.
    """
    wanted = [_split(one) for one in ids]
    if named := password_file or environ.get(PASSWORD_FILE):
        wanted.append((DEFAULT_LABEL, _absolute(named)))
    found = [
        (label, _password(label, path, environ) if path else _asked(label, f"Vault password ({label}): ", ask))
        for label, path in wanted
    ]
    return Vault(found + ([(DEFAULT_LABEL, _asked(DEFAULT_LABEL, "Vault password: ", ask))] if ask_one else []))


def _split(vault_id: str) -> tuple[str, pathlib.Path | None]:
    """The label and the path, which is None for `prompt`."""
    label, _, where = vault_id.partition("@") if "@" in vault_id else ("", "", vault_id)
    if not where:
        raise VaultError(what=f"the vault password {vault_id!r}", reason="wanted is LABEL@FILE, FILE or LABEL@prompt")
    return label or DEFAULT_LABEL, None if where == "prompt" else _absolute(where)


def _absolute(path: str) -> pathlib.Path:
    """So that a script is never looked for in PATH. (pathlib's own `expanduser` raises where a home is not known.)"""
    return pathlib.Path(os.path.expanduser(path)).absolute()  # noqa: PTH111


def _asked(label: str, prompt: str, ask: Callable[[str], str]) -> str:
    """What a person enters; the prompts are Ansible's."""
    what = f"the vault password {label}@prompt"
    with contextlib.suppress(EOFError):
        try:
            entered = ask(prompt)
        except NoTerminal:
            reason = "there is no terminal to ask for it at"
            raise VaultError("--vault-password-file FILE or --vault-id LABEL@FILE", what=what, reason=reason) from None
        if password := entered.strip(string.whitespace):
            return password
    raise VaultError(what=what, reason="nothing was entered")


def _password(label: str, path: pathlib.Path, environ: Mapping[str, str]) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & 0o111:
            password = _from_script(label, path, environ)
        else:
            known = secrets.Secrets(path.parent, environ)
            password = known.resolve(f"file:{path}").reveal().strip(string.whitespace)
        if not password:
            raise ValueError("it is empty")
        if is_vaulted(password):
            raise ValueError("it is encrypted by ansible-vault itself; a plain password is wanted")
        return password
    except errors.SecretUnavailable as error:
        reason = str(error.fields["reason"])
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise VaultError(what=f"the vault password {label}@{path}", reason=reason)


def _from_script(label: str, path: pathlib.Path, environ: Mapping[str, str]) -> str:
    """What a script prints, without the ends of lines around it. A client script is told which label is wanted."""
    try:
        status, printed = _run([str(path), *(["--vault-id", label] if path.stem.endswith("-client") else [])], environ)
    except OSError as error:
        raise ValueError(f"it is executable and does not run ({error.strerror}); chmod -x if it is no script") from None
    if status:
        raise ValueError(f"the script ended with status {status}; wanted 0")
    if (password := _text(printed)) is None:
        raise ValueError("what the script printed is not UTF-8 text")
    return password.strip("\r\n")


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and output. Standard error is ours: there the script says itself what is wrong."""
    ends_at, printed = time.monotonic() + SCRIPT_TIMEOUT_S, b""
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(argv, stdin=null, stdout=pipe, env=dict(environ), start_new_session=True) as child:
        assert child.stdout is not None  # noqa: S101 - it is a pipe
        ready = select.poll()
        ready.register(child.stdout, select.POLLIN)
        try:
            # Not only for its end: what it left behind may hold the pipe.
            while ready.poll(1000 * max(0.0, ends_at - time.monotonic())):
                printed += (piece := os.read(child.stdout.fileno(), secrets.BYTES_MAX))
                if len(printed) > secrets.BYTES_MAX:
                    raise ValueError(f"the script printed more than {secrets.BYTES_MAX} bytes")
                if not piece:
                    return child.wait(max(0.0, ends_at - time.monotonic())), printed
        except subprocess.TimeoutExpired:
            pass  # it closed its output and goes on
        finally:
            if child.returncode is None:  # not waited for, so the number is still its own
                os.killpg(child.pid, signal.SIGKILL)
    raise ValueError(f"the script took longer than {SCRIPT_TIMEOUT_S:g} s")
