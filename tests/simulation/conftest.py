"""The modules of the simulation, which are no package, and `--seed N`: one seed again, with all that happened."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

FOLDER = pathlib.Path(__file__).parent
NAMES = (
    "virtual",
    "world",
    "life",
    "crowd",
    "reviewers",
    "simulating",
    "execution",
    "brakes_held",
    "approvals_held",
    "records",
    "decisions",
    "invariants",
    "storming",
)


def _beside(name: str) -> Any:
    """A module of this folder; the others import it by its name."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


for _name in NAMES:
    _beside(_name)


@pytest.fixture(scope="session")
def told() -> Callable[[dict[str, Any]], str]:
    """`told(found)`: what a seed showed, for people."""

    def words(found: dict[str, Any]) -> str:
        lines = [f"seed {found['seed']}: {name}: {line}" for name, line in found["broken"]]
        again = f"again: python -m pytest tests/simulation --seed {found['seed']}"
        return "\n".join(["", *found["trace"], *found["errors"], *lines, again])

    return words
