"""`healer version`."""

from __future__ import annotations

import json
import platform

from healer import __version__


def test_version(healer):
    assert healer("version").stdout == f"healer {__version__}\n"


def test_version_as_json(healer):
    assert json.loads(healer("version", "--json").stdout) == {
        "version": __version__,
        "python": platform.python_version(),
    }
