"""What is vaulted at the moment of use: a text by itself, a place in a file that is vaulted as a whole."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from healer import secrets, vault
from healer.daemon import vaulted

PASSWORD = "open sesame"


def encrypted(folder: pathlib.Path, text: str) -> str:
    """As the real program writes it."""
    path, password = folder / "text", folder / "password"
    path.write_text(text)
    password.write_text(PASSWORD)
    program = pathlib.Path(sys.executable).with_name("ansible-vault")
    subprocess.run([program, "encrypt", "--vault-password-file", password, path], check=True, capture_output=True)
    return path.read_text()


def test_texts_and_places_open(tmp_path: pathlib.Path) -> None:
    inner = encrypted(tmp_path, "within")
    block = "".join(f"    {line}\n" for line in inner.splitlines())
    (tmp_path / "vars.yml").write_text(
        encrypted(tmp_path, f"a: {{b: [x, plain]}}\nn: 5\nf: -1.5\ntrue_: true\nv: !vault |\n{block}t: |\n{block}")
    )
    opener = vaulted.Opener(vault.Vault([("default", PASSWORD)]), lambda: tmp_path)
    assert opener(inner) == "within"
    assert opener("file:vars.yml#/a/b/1") == "plain"
    assert opener("file:vars.yml#/v") == opener("file:vars.yml#/t") == "within"
    assert (opener("file:vars.yml#/n"), opener("file:vars.yml#/f")) == ("5", "-1.5")
    for pointer in ("/a/b/2", "/gone", "/a/b/x", "/true_", "/a", "/n/x"):
        with pytest.raises(ValueError, match=r"vars\.yml has no"):
            opener(f"file:vars.yml#{pointer}")
    with pytest.raises(FileNotFoundError):
        opener("file:gone.yml#/a")
    with pytest.raises(ValueError, match="no vault password is given"):
        vaulted.Opener(vault.Vault([]), lambda: tmp_path)(inner)


def test_an_environment_is_text(tmp_path: pathlib.Path) -> None:
    known = secrets.Secrets(tmp_path, {"T": "t0ken"})
    assert vaulted.environment(known, {"A": "x", "B": {"secret": "env:T"}}) == {"A": "x", "B": "t0ken"}
