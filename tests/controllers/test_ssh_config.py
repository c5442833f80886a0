"""An OpenSSH configuration file as it is written: words that are no keywords, hosts that it speaks of."""

from __future__ import annotations

import pathlib

import pytest
from asyncssh import config as asyncssh_config

from healer import project
from healer.controllers import _ssh_config


@pytest.mark.parametrize("text", [
    "", "# Bogus 3\n", "  Host *\n\tport=22\n  HOSTNAME = x\n", 'Match host x exec "test -f Bogus"\n', "IgnoreUnknown Bog*,x\nBogus 3\n",
    '"Port" 22\n', "UseKeychain yes\r\nPort 22\r\n",
])  # fmt: skip
def test_what_is_known_is_not_told(text: str) -> None:
    assert [*_ssh_config.unknown(text)] == []


def test_what_is_unknown_is_told_where_it_stands() -> None:
    found = [*_ssh_config.unknown("Port 22\n  Bogus=3\nHst web\nBogus 3\nIgnoreUnknown Bogus\n")]
    assert [(one.line, one.column, one.word) for one in found] == [(2, 3, "Bogus"), (3, 1, "Hst"), (4, 1, "Bogus")]
    assert found[1].try_ == "did you mean 'Host'?"


def test_each_keyword_that_asyncssh_reads_is_known() -> None:
    known = {word.lower() for word in _ssh_config.KEYWORDS}
    assert set(asyncssh_config.SSHClientConfig._handlers) <= known


def test_hosts_of_blocks() -> None:
    assert _ssh_config.hosts('Host web*,db !web3\nHost !x "a b" c\nMatch host y\nHost=z?\nHost web1*\n') == [
        "webx",
        "a",
        "zx",
        "web1x",
    ]
    assert len(_ssh_config.hosts("\n".join(f"Host h{n}" for n in range(100)))) == _ssh_config.HOSTS_MAX


CONTROLLERS = (
    "controllers: {far: {type: ssh, config: ssh/config}, near: {type: ssh, config: ssh/config}}\ndefault: far\n"
)


def test_validate_warns_of_them(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh/config").write_text("Host web\n  ProxyJmp x\n")
    (tmp_path / "controllers.yaml").write_text(CONTROLLERS)
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None
    (told,) = [one for one in loaded.diagnostics if one.code == "unknown-keyword"]
    assert (str(told.place), told.severity, told.try_) == ("ssh/config:2:3", "warning", "did you mean 'ProxyJump'?")
    assert "ProxyJmp" in str(told)
