"""`healer run`: its options become the daemon's start options."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
import types
from typing import Any

import pydantic
import pytest

from healer import errors
from healer.project import settings


@dataclasses.dataclass
class Options:
    """The contract of `healer.daemon.StartOptions`."""

    project: pathlib.Path
    data_dir: pathlib.Path | None
    host: str | None
    port: int | None
    mode: str | None
    standby: bool
    unsafe_fs: bool
    log_level: str | None
    vault: Any = dataclasses.field(compare=False)


@pytest.fixture
def started(monkeypatch):
    seen = []
    module = types.ModuleType("healer.daemon")
    module.StartOptions = Options
    module.main = lambda options: seen.append(options) or 0
    monkeypatch.setitem(sys.modules, "healer.daemon", module)
    monkeypatch.setattr("healer.daemon", module, raising=False)
    return seen


@pytest.mark.parametrize("name", ["run", "serve"])
def test_nothing_given(healer, started, name):
    assert healer(name).exit_code == 0
    assert started == [Options(pathlib.Path(), None, None, None, None, False, False, None, None)]


def test_everything_given(healer, started, tmp_path):
    args = ["--project", tmp_path, "--data-dir", tmp_path / "d", "--host", "::1", "--port", "0", "--mode", "observe", "--standby",
            "--unsafe-fs", "--log-level", "debug"]  # fmt: skip
    assert healer("run", *args).exit_code == 0
    assert started == [Options(tmp_path, tmp_path / "d", "::1", 0, "observe", True, True, "DEBUG", None)]


@pytest.mark.parametrize(
    "args", [["--port", "65536"], ["--port", "x"], ["--mode", "dry"], ["--project", "nothing"], ["extra"]]
)
def test_wrong_use(healer, started, args):
    assert healer("run", *args).exit_code == 2
    assert started == []


@pytest.mark.parametrize(
    "host", ["::1", "0.0.0.0", "a-b_c.example", "x" * 255, "", "x" * 256, "a b", "http://a", "\x1b[1m", "ü", "a\n"]
)
def test_a_host_is_one_for_the_settings_too(healer, started, host):
    done = healer("run", "--host", host)
    try:
        pydantic.TypeAdapter(settings.Host).validate_python(host)
    except pydantic.ValidationError:
        assert (done.exit_code, started) == (2, [])
        assert done.stderr.startswith("error[usage]: --host: an address or a name is wanted, got '")
        assert done.stderr.endswith("\n  try  --host 127.0.0.1, or --host 0.0.0.0 to listen for others\n")
    else:
        assert (done.exit_code, started[0].host) == (0, host)


def test_the_daemons_exit_code_is_ours(healer, started, monkeypatch):
    monkeypatch.setattr(sys.modules["healer.daemon"], "main", lambda _: 1)
    assert healer("run").exit_code == 1


def test_a_start_that_fails(healer, started, monkeypatch):
    def taken(_: object) -> int:
        raise errors.PortInUse("healer serve --port 8081", host="127.0.0.1", port=8080, by=" by java (pid 812)")

    monkeypatch.setattr(sys.modules["healer.daemon"], "main", taken)
    done = healer("run")
    assert done.exit_code == 2
    assert (
        done.stderr
        == "error[port-in-use]: 127.0.0.1:8080 is taken by java (pid 812)\n  try  healer serve --port 8081\n"
    )


def test_the_automation_controller_is_known_to_all_that_read_the_project(healer, started, monkeypatch):
    for name in ("EDA_CONTROLLER_URL", "EDA_CONTROLLER_TOKEN"):
        monkeypatch.setenv(name, "before")
    assert healer("run", "--controller-url", "https://aap.example.org", "--controller-token", "t").exit_code == 0
    assert (os.environ["EDA_CONTROLLER_URL"], os.environ["EDA_CONTROLLER_TOKEN"]) == ("https://aap.example.org", "t")


def test_what_opens_the_vault_is_read_at_once(healer, started, tmp_path):
    (tmp_path / "p").write_text("secret\n")
    assert healer("run", "--vault-id", f"prod@{tmp_path}/p").exit_code == 0
    assert started[0].vault.keys == [("prod", "secret")]
    done = healer("run", "--vault-password-file", tmp_path / "gone")
    assert done.exit_code != 0
    assert "error[vault]" in done.output
    assert len(started) == 1
