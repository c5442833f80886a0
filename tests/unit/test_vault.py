"""What `ansible-vault` encrypted opens with the right password, and everything else is refused in one way."""

from __future__ import annotations

import binascii
import copy
import hashlib
import hmac
import os
import pathlib
import pickle
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable

import hypothesis
import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import strategies as st

from healer import errors, vault

PASSWORD = "correct horse"
SALT = bytes(range(32))
HEADER = "$ANSIBLE_VAULT;1.1;AES256"
PLAIN = "the plain text"


def sealed(plain: bytes, salt: bytes = SALT, password: str = PASSWORD) -> tuple[bytes, bytes, bytes]:
    """Salt, HMAC and cipher text, as `ansible-vault` makes them of what is padded already."""
    derived = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000, 80)
    encryptor = Cipher(algorithms.AES(derived[:32]), modes.CTR(derived[64:])).encryptor()
    encrypted = encryptor.update(plain) + encryptor.finalize()
    return salt, hmac.digest(derived[32:64], encrypted, "sha256"), encrypted


def padded(plain: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    return padder.update(plain) + padder.finalize()


def written(*parts: bytes, header: str = HEADER) -> str:
    """The text with these parts in its body."""
    body = binascii.hexlify(b"\n".join(map(binascii.hexlify, parts))).decode()
    return "\n".join([header, *textwrap.wrap(body, 80)]) + "\n"


def encrypted(plain: str, header: str = HEADER, password: str = PASSWORD) -> str:
    return written(*sealed(padded(plain.encode()), password=password), header=header)


def opened(text: str, *keys: tuple[str, str]) -> str:
    return vault.Vault(keys or [("default", PASSWORD)]).decrypt(text)


def refused(text: str, *keys: tuple[str, str]) -> str:
    """What the refusal says, which is never what nobody may see."""
    with pytest.raises(vault.VaultError) as caught:
        opened(text, *keys)
    return hiding(caught.value)


def hiding(error: vault.VaultError) -> str:
    shown = "".join(traceback.format_exception(error)) + repr(error.__context__)
    assert PASSWORD not in shown
    assert PLAIN not in shown
    assert error.code == "vault"
    assert isinstance(error, errors.HealerError)
    return error.message


# --- the format -----------------------------------------------------------------------------------------------------------


def test_a_vaulted_text_is_known_by_its_beginning() -> None:
    assert all(map(vault.is_vaulted, [HEADER, f"\n\t  {HEADER}\n", encrypted(PLAIN)]))
    assert not any(map(vault.is_vaulted, ["", "$ANSIBLE_VAULT", "$ansible_vault;1.1", f"x{HEADER}"]))


SALTS = st.binary(min_size=1, max_size=vault.SALT_MAX)


@hypothesis.given(st.text(), st.text(max_size=20), SALTS, st.sampled_from([HEADER, "$ANSIBLE_VAULT;1.2;AES256;prod"]))
def test_any_text_comes_back(plain: str, password: str, salt: bytes, header: str) -> None:
    text = written(*sealed(padded(plain.encode()), salt, password), header=header)
    assert opened(text, ("default", password)) == plain


@hypothesis.given(st.integers(0, 2), st.integers(0), st.integers(1, 255))
def test_any_changed_byte_is_refused(part: int, at: int, by: int) -> None:
    parts = [bytearray(one) for one in sealed(padded(PLAIN.encode()))]
    parts[part][at % len(parts[part])] ^= by
    assert "no password given (default) opens it" in refused(written(*map(bytes, parts)))


@hypothesis.given(st.integers(0), st.integers(0, 3), st.text(max_size=2))
def test_a_text_that_was_edited_is_refused_or_means_the_same(at: int, left_out: int, put_in: str) -> None:
    text = encrypted(PLAIN)
    at %= len(text)
    try:
        assert opened(text[:at] + put_in + text[at + left_out :]) == PLAIN  # white space, a hex digit in upper case
    except vault.VaultError as error:
        hiding(error)


JUNK = st.one_of(
    st.text(),
    st.text("0123456789abcdefABCDEF \n;", max_size=300),
    st.lists(st.binary(max_size=80), max_size=5).map(lambda parts: written(*parts).partition("\n")[2]),
)


@hypothesis.given(
    st.sampled_from(["", HEADER, f"{HEADER}\n", "$ANSIBLE_VAULT;", "$ANSIBLE_VAULT;1.2;AES256;x\n"]), JUNK
)
def test_junk_is_refused(header: str, junk: str) -> None:
    assert refused(header + junk)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PLAIN, "does not begin with"),
        ("$ANSIBLE_VAULT;", "its format is '', its cipher ''; wanted are 1.1 or 1.2, and AES256"),
        ("$ANSIBLE_VAULT;1.0;AES\nab", "its format is '1.0', its cipher 'AES'"),
        ("$ANSIBLE_VAULT;1.3;AES256\nab", "its format is '1.3'"),
        (f"$ANSIBLE_VAULT;{'9' * 80};AES256", f"'{'9' * 40}…'"),
        (f"{HEADER}\nabc", "not hex"),
        (f"{HEADER}\nä\ud800", "not hex"),
        (f"{HEADER}\n{b'zz'.hex()}", "not hex"),
        (HEADER, "its body has 1 parts; wanted are 3"),
        (written(SALT, SALT, SALT, SALT), "its body has 4 parts"),
        (written(b"", SALT, SALT), "have [0, 32, 32] bytes"),
        (written(bytes(1025), SALT, SALT), "have [1025, 32, 32] bytes; wanted are 1 to 1024, 32, and a multiple of 16"),
        (written(SALT, SALT[1:], SALT), "have [32, 31, 32] bytes"),
        (written(SALT, SALT, b""), "have [32, 32, 0] bytes"),
        (written(SALT, SALT, SALT[1:]), "have [32, 32, 31] bytes"),
        (written(*sealed(PLAIN.encode() + bytes(2))), "padding"),
        (written(*sealed(padded(PLAIN.encode() + b"\xff"))), "not UTF-8"),
        pytest.param(f"{HEADER}\n" + " " * vault.TEXT_MAX, f"the limit is {vault.TEXT_MAX}", id="large"),
    ],
)
def test_what_is_malformed_is_told(text: str, says: str) -> None:
    assert says in refused(text)


def test_the_hmac_is_looked_at_before_anything_is_decrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_opened", lambda *_: pytest.fail("it was decrypted"))
    salt, mac, body = sealed(padded(PLAIN.encode()))
    refused(written(salt, mac[::-1], body))


def test_indentation_and_ends_of_lines_do_not_count() -> None:
    lines = encrypted(PLAIN).splitlines()
    assert opened(textwrap.indent("\n".join(lines), "    ")) == PLAIN
    assert opened("\r\n".join(lines) + "\r\n\r\n") == PLAIN
    assert opened(encrypted(PLAIN, " $ANSIBLE_VAULT; 1.2 ; AES256 ; prod ")) == PLAIN


# --- the keys -------------------------------------------------------------------------------------------------------------

KEYS = [("one", "1"), ("default", "2"), ("two", "3")]


@pytest.mark.parametrize(
    ("header", "label", "tried"),
    [
        ("$ANSIBLE_VAULT;1.2;AES256;two", "two", "312"),
        ("$ANSIBLE_VAULT;1.2;AES256;other", "other", "123"),
        ("$ANSIBLE_VAULT;1.2;AES256", "default", "213"),
        (HEADER, "default", "213"),
    ],
)
def test_the_key_of_the_label_is_tried_first_and_then_the_others(
    monkeypatch: pytest.MonkeyPatch, header: str, label: str, tried: str
) -> None:
    seen: list[bytes] = []
    derived = vault._derived
    monkeypatch.setattr(vault, "_derived", lambda password, salt: seen.append(password) or derived(password, salt))
    said = refused(encrypted(PLAIN, header), *KEYS)
    assert f"label is '{label}', and no password given (one, default, two) opens it" in said
    assert b"".join(seen) == tried.encode()
    assert opened(encrypted(PLAIN, header, tried[-1]), *KEYS) == PLAIN


def test_without_keys_the_options_are_named() -> None:
    with pytest.raises(vault.VaultError) as caught:
        vault.Vault([]).decrypt(encrypted(PLAIN))
    assert "no vault password is given" in hiding(caught.value)
    assert "--vault-id LABEL@FILE" in str(caught.value)


def test_a_vault_shows_labels_only_and_is_never_pickled() -> None:
    made = vault.Vault([("prod", PASSWORD)])
    assert (repr(made), str(made)) == ("Vault(['prod'])", "Vault(['prod'])")
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            copied(made)


# --- the passwords --------------------------------------------------------------------------------------------------------

Place = Callable[[str, bytes | str], pathlib.Path]
ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture
def place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Writes a file into the folder that is the current one; a text is one of a script."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, what: bytes | str) -> pathlib.Path:
        path = tmp_path / name
        path.write_bytes(what if isinstance(what, bytes) else f"#!/bin/sh\n{what}\n".encode())
        path.chmod(0o600 if isinstance(what, bytes) else 0o700)
        return path

    return write


def never(prompt: str) -> str:
    pytest.fail(prompt)


def keys(made: vault.Vault) -> list[tuple[str, str]]:
    return [(label, password.decode()) for label, password in made._keys]


def test_keys_are_in_order(place: Place, tmp_path: pathlib.Path) -> None:
    for name in ("a", "b", "file", "other"):
        place(name, f"of {name}\n".encode())
    environ = {vault.PASSWORD_FILE: "other"}
    asked: list[str] = []
    ids = ["x@a", str(tmp_path / "b"), "@a"]
    made = vault.read("file", ids, environ, lambda said: asked.append(said) or "typed\n", ask_one=True)
    assert [label for label, _ in keys(made)] == ["x", *["default"] * 4]
    assert [password for _, password in keys(made)] == ["of a", "of b", "of a", "of file", "typed"]
    assert asked == ["Vault password: "]
    assert keys(vault.read(None, [], environ, never)) == [("default", "of other")]
    assert keys(vault.read("", [], {vault.PASSWORD_FILE: ""}, never)) == []


def test_ids_may_ask_each_with_its_label(place: Place) -> None:
    asked: list[str] = []
    entered = {"Vault password (x): ": "one", "Vault password (default): ": " two\n", "Vault password: ": "three"}
    made = vault.read(None, ["x@prompt", "@prompt"], {}, lambda said: asked.append(said) or entered[said], ask_one=True)
    assert keys(made) == [("x", "one"), ("default", "two"), ("default", "three")]
    assert asked == [*entered]
    place("prompt", b"in a file")
    made = vault.read("prompt", ["prompt", "y@./prompt"], {}, lambda _: PASSWORD)
    assert keys(made) == [("default", PASSWORD), ("y", "in a file"), ("default", "in a file")]


def test_a_home_is_found(place: Place, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place("key", b"at home")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    assert keys(vault.read("~/key", ["a@~/key"], {}, never)) == [("a", "at home"), ("default", "at home")]


def ended(_prompt: str) -> str:
    raise EOFError


def nobody(_prompt: str) -> str:
    raise vault.NoTerminal


@pytest.mark.parametrize(
    ("ids", "ask", "says"),
    [
        (["a@prompt"], nobody, "the vault password a@prompt cannot be read: there is no terminal to ask for it at"),
        ([], nobody, "the vault password default@prompt cannot be read: there is no terminal"),
        (["a@"], never, "the vault password 'a@' cannot be read: wanted is LABEL@FILE"),
        (["a@prompt"], lambda _: "", "the vault password a@prompt cannot be read: nothing was entered"),
        ([], lambda _: " \n", "default@prompt cannot be read: nothing was entered"),
        ([], ended, "nothing was entered"),
        ([], lambda _: f"{PASSWORD}\udcff", "the vault password default cannot be read: it is not UTF-8 text"),
    ],
)
def test_what_cannot_be_asked_is_told(ids: list[str], ask: Callable[[str], str], says: str) -> None:
    with pytest.raises(vault.VaultError) as caught:
        vault.read(None, ids, {}, ask, ask_one=not ids)
    assert says in hiding(caught.value)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (b"", "empty"), (b" \r\n\n", "empty"), (PASSWORD.encode() + b"\xff", "not UTF-8"), (b"x" * 65537, "more than 65536 bytes"),
        (HEADER.encode(), "encrypted by ansible-vault itself"),
        (f"printf '{PASSWORD}'; exit 3", "ended with status 3; wanted 0"),
        (f"printf '{PASSWORD}'; kill -9 $$", "ended with status -9"),
        ("echo", "empty"),
        (f"printf '{PASSWORD}\\377'", "not UTF-8"),
        (f"yes '{PASSWORD}'", "printed more than 65536 bytes"),
    ],
)  # fmt: skip
def test_what_a_file_gives_wrong_is_told_with_its_path(place: Place, what: bytes | str, says: str) -> None:
    path = place("key", what)
    for password_file, ids in (("key", []), (None, ["default@key"])):
        with pytest.raises(vault.VaultError) as caught:
            vault.read(password_file, ids, ENVIRON, never)
        assert hiding(caught.value).startswith(f"the vault password default@{path} cannot be read: ")
        assert says in hiding(caught.value)


def test_what_is_no_file_is_told(place: Place, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o700)
    place("binary", b"\x00").chmod(0o700)
    place("lost", b"#!/nowhere/sh\n").chmod(0o700)
    for name, says in {
        "none": "No such file", ".": "directory", "pipe": "no regular file", "a\0b": "null", "x" * 300: "too long",
        "~nobody-of-that-name/x": "No such file", "binary": "Exec format error", "lost": "chmod -x",
    }.items():  # fmt: skip
        with pytest.raises(vault.VaultError) as caught:
            vault.read(None, [name], ENVIRON, never)
        assert says in hiding(caught.value)


def test_a_script_is_run_where_it_lies_with_the_environment(place: Place) -> None:
    place("key", 'printf "%s|" "$0" "$#" "$A"; readlink /proc/self/fd/0')
    made = vault.read("key", [], ENVIRON | {"A": "b"}, None)
    assert keys(made) == [("default", f"{pathlib.Path.cwd()}/key|0|b|/dev/null")]


@pytest.mark.parametrize("name", ["my-client", "my-client.sh", "client.sh", "-clients"])
def test_a_client_script_hears_the_label(place: Place, name: str) -> None:
    place(name, 'echo "<$*>"')
    heard = "--vault-id x" if name.startswith("my") else ""
    assert keys(vault.read(None, [f"x@{name}"], ENVIRON, never)) == [("x", f"<{heard}>")]


@pytest.mark.parametrize("how", ["sleep 60 & sleep 60", "exec >&-; sleep 60 & sleep 60", "sleep 60 & exit 0"])
def test_a_script_that_does_not_end_is_ended_with_what_it_started(
    place: Place, monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., None], how: str
) -> None:
    monkeypatch.setattr(vault, "SCRIPT_TIMEOUT_S", 0.3)
    os.mkfifo("alive")
    place("key", f"exec 3>alive; {how}")
    with os.fdopen(os.open("alive", os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as alive:
        with pytest.raises(vault.VaultError) as caught:
            vault.read("key", [], ENVIRON, never)
        wait_for(lambda: alive.read() == b"")  # None as long as somebody is left that could write
    assert "took longer than 0.3 s" in hiding(caught.value)


# --- the real one ---------------------------------------------------------------------------------------------------------


def ansible_vault(*arguments: str, given: str = "", **environ: str) -> str:
    """What the real ansible-vault prints, run in the current folder."""
    return subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-vault", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(pathlib.Path.cwd()), "LC_ALL": "C.UTF-8"} | environ,
        input=given, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


REAL = "a text: 'ä' ✓\n  with lines\n" * 40


@pytest.mark.parametrize(
    ("options", "begins"),
    [
        (["--vault-password-file", "key"], "$ANSIBLE_VAULT;1.1;AES256\n"),
        (["--vault-id", "key"], "$ANSIBLE_VAULT;1.1;AES256\n"),
        (["--vault-id", "prod@key"], "$ANSIBLE_VAULT;1.2;AES256;prod\n"),
        (["--vault-id", "ключ@key"], "$ANSIBLE_VAULT;1.2;AES256;ключ\n"),
        (["--vault-id", "prod@script"], "$ANSIBLE_VAULT;1.2;AES256;prod\n"),
        (["--vault-id", "prod@my-client.sh"], "$ANSIBLE_VAULT;1.2;AES256;prod\n"),
    ],
)
def test_what_ansible_encrypted_opens(place: Place, options: list[str], begins: str) -> None:
    """The same options lead to the same password: white space around it included."""
    place("key", b" \tpass word \r\n\n")
    place("script", r"printf '\n pass\tword \r\n\n'")
    place("my-client.sh", 'echo "for $*"')
    text = ansible_vault("encrypt", *options, given=REAL)
    assert text.startswith(begins)
    file, ids = (options[1], []) if options[0] == "--vault-password-file" else (None, [options[1]])
    assert vault.read(file, ids, ENVIRON, never).decrypt(text) == REAL
    string = ansible_vault("encrypt_string", *options, "--stdin-name", "x", given=REAL).removeprefix("x: !vault |\n")
    assert vault.read(file, ids, ENVIRON, never).decrypt(string) == REAL


def test_what_ansible_encrypted_with_a_salt_of_its_own_opens(place: Place) -> None:
    place("key", PASSWORD.encode())
    text = ansible_vault("encrypt", "--vault-id", "key", given=REAL, ANSIBLE_VAULT_ENCRYPT_SALT="short")
    assert opened(text) == REAL


def test_ansible_opens_what_these_tests_encrypt(place: Place) -> None:
    """So that the encrypting function above is the format."""
    place("key", PASSWORD.encode())
    for header in (HEADER, "$ANSIBLE_VAULT;1.2;AES256;prod"):
        assert ansible_vault("decrypt", "--vault-id", "prod@key", given=encrypted(REAL, header)) == REAL
