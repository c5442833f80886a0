"""`healer version`."""

from __future__ import annotations

import json
import platform

import pytest

from healer import __version__


def test_version(healer):
    assert healer("version").stdout == f"healer {__version__}\n"


@pytest.mark.parametrize("args", [["--version"], ["--version", "status"]])
def test_the_option_prints_the_same(healer, args):
    done = healer(*args)
    assert (done.exit_code, done.stdout, done.stderr) == (0, healer("version").stdout, "")


def test_version_as_json(healer):
    assert json.loads(healer("version", "--json").stdout) == {
        "version": __version__,
        "python": platform.python_version(),
    }
