"""The rules engine: pure, deterministic, compiled. Events and facts go in with their time, firings come out.

Callers: `healer.rulebook` (makes `Ruleset`s), `decide`, `explain`, `healer.testing`. No clock, no I/O, no randomness.
"""

from healer.engine.compiled import Compiled, CompiledRule, compile, compile_in_slices
from healer.engine.explaining import tests_of
from healer.engine.matches import Match
from healer.engine.rules import Action, Rule, Ruleset, SourceSpec, Throttle
from healer.engine.session import Session
from healer.engine.trees import tree_of

__all__ = [
    "Action", "Compiled", "CompiledRule", "Match", "Rule", "Ruleset", "Session", "SourceSpec", "Throttle",
    "compile", "compile_in_slices", "tests_of", "tree_of",
]  # fmt: skip
