"""The harness that runs tests of rulebooks: files beside the rulebooks that say what happens and what has to come of it.

Caller: `healer test`. The engine, the gates, the store, the decider and the dispatcher are the production's; controllers are faked and the
clock is virtual, so that nothing of the world is touched and nobody waits. `suite` reads a file, `stage` and `rig` make the daemon that a
case plays in, `playing` plays it, `comparing` says what differs, `coverage` what no test has seen.

What runs cases is loaded when it is asked for: who only reads files of tests (`healer validate`), or wants their schema, need not wait.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from healer import plugins
from healer.harness import shapes
from healer.project import published

if TYPE_CHECKING:
    from healer.harness import comparing, coverage, playing, suite
    from healer.harness.running import Report, Run, run

__all__ = ["SCHEMAS", "Report", "Run", "comparing", "coverage", "playing", "run", "suite"]

_OF_RUNNING: Final = frozenset({"Report", "Run", "run"})


def __getattr__(name: str) -> Any:
    """What is loaded late."""
    if name in _OF_RUNNING:
        return getattr(importlib.import_module("healer.harness.running"), name)
    if name in __all__:
        return importlib.import_module(f"healer.harness.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _schema() -> published.Parts:
    _, defs = plugins.schemas([shapes.File])
    return defs.pop(shapes.File.__name__), defs


SCHEMAS: Final = {
    "test": published.Kind("rulebooks/*_test.yml", "tests of rulebooks: what happens, and what has to come of it", _schema)
}  # fmt: skip
"""What `healer schema` has of this room, beside `project.SCHEMAS`."""
