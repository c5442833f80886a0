"""Keeps sources alive: finds what a rulebook names, runs it, starts it again when it fails, and says how it does.

The daemon builds one `Supervisor` and hands it the sources of the current revision at each reload.
"""

from __future__ import annotations

from healer.supervise import beating, reconciling
from healer.supervise.build import Builder
from healer.supervise.eda import EdaSource, SourceDied
from healer.supervise.worker import Running, State, Status, Supervisor

__all__ = [
    "Builder",
    "EdaSource",
    "Running",
    "SourceDied",
    "State",
    "Status",
    "Supervisor",
    "beating",
    "reconciling",
]
