"""The threat table of the design as tests, row by row: a room `web` that is real (`tests/unit/web`), a daemon (`tests/acceptance`).

pytest loads it. Each test is named by its row (`test_a01_…`) and says the threat and the defence.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

TESTS = pathlib.Path(__file__).parents[1]


def _loaded(path: str, name: str = "") -> ModuleType:
    """A module of the tests, which are no package, under the name that pytest gives it; where it is there already, that one."""
    name = name or f"tests.{path.removesuffix('.py').replace('/', '.')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, TESTS / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_loaded("threats/sending.py", "sending")
_web = _loaded("unit/web/conftest.py")
_daemons = _loaded("acceptance/conftest.py")

open_room, room, daemon = _web.open_room, _web.room, _daemons.daemon


@pytest.fixture(scope="session")
def other_tests() -> Callable[[str], ModuleType]:
    """`other_tests(file)`: a module of tests elsewhere, for the tables and rules that it has."""
    return _loaded
