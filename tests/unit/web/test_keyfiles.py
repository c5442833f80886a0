"""Keys in files: what is read, and every mistake with its line."""

from __future__ import annotations

import hashlib
import os
import pathlib

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import errors
from healer.web import auth, keyfiles, minting

HASH = hashlib.sha256(b"x").hexdigest()


def test_both_files_are_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "admin").write_text("a" * 40 + "\n")
    (tmp_path / "keys").write_text(
        f"# who\nci ci {HASH}\n\n  ana.b operator {'0' * 64} # laptop\n"
        f"laptop oncall {'1' * 64} ana\nphone - {'2' * 64} ana  # hers\n"
    )
    found = keyfiles.read(tmp_path / "admin", tmp_path / "keys")
    assert [(one.digest, one.name, one.role, one.principal, str(one.place)) for one in found] == [
        (minting.digest("x"), "ci", "ci", "", f"{tmp_path / 'keys'}:2"),
        ("0" * 64, "ana.b", "operator", "", f"{tmp_path / 'keys'}:4"),
        ("1" * 64, "laptop", "oncall", "ana", f"{tmp_path / 'keys'}:5"),
        ("2" * 64, "phone", "", "ana", f"{tmp_path / 'keys'}:6"),
        (minting.digest("a" * 40), "admin", "admin", "", str(tmp_path / "admin")),
    ]


def test_no_files_are_no_keys() -> None:
    assert keyfiles.read(None, None) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ci ci", "three words"),
        (f"ci ci {HASH} ana more", "got 5"),
        (f"ci - {HASH}", "whose roles"),
        ("ci ci hlr_abc_def", "SHA-256"),
        (f"c/i ci {HASH}", "cannot be a name"),
        (f"ci ci {HASH[:-1]}", "64 hexadecimal"),
    ],
)
def test_each_mistake_has_its_line(tmp_path: pathlib.Path, line: str, says: str) -> None:
    path = tmp_path / "keys"
    path.write_text(f"ok ci {HASH}\n{line}\nbad\n")
    with pytest.raises(errors.ConfigurationError) as caught:
        keyfiles.read(None, path)
    first, second = caught.value.diagnostics
    assert (first.place.line, second.place.line) == (2, 3)
    assert says in str(first)


@pytest.mark.parametrize(
    "text", ["", "short", "a" * 600, "two words of a key that is long enough", "a" * 30 + "\n" + "b" * 30]
)
def test_an_admin_key_that_is_none(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "admin").write_text(text)
    with pytest.raises(errors.ConfigurationError) as caught:
        keyfiles.read(tmp_path / "admin", None)
    assert not text or text not in str(caught.value)


def test_what_cannot_be_read(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bytes").write_bytes(b"\xff" * 30)
    (tmp_path / "large").write_bytes(b"#" * (keyfiles.BYTES_MAX + 1))
    for name in ("nothing", "pipe", "bytes", "large", "."):
        for admin, keys in ((tmp_path / name, None), (None, tmp_path / name)):
            with pytest.raises(errors.ConfigurationError, match="cannot be read"):
                keyfiles.read(admin, keys)


@hypothesis.given(data=st.binary(max_size=300))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_bytes_are_keys_or_mistakes(tmp_path: pathlib.Path, data: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(data)
    found: list[auth.FileKey] = []
    mistakes: tuple[errors.Diagnostic, ...] = ()
    try:
        found = keyfiles.read(None, path)
    except errors.ConfigurationError as error:
        mistakes = error.diagnostics
    assert not (found and mistakes)
    assert all(len(one.digest) == 64 for one in found)
