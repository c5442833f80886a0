"""One row of docs/benchmarks-fleet.md. Callers: `fleet`, `crowd`."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One row of the page. `wanted` and its `sense` say what has to be reached; None: reported."""

    what: str
    got: float
    unit: str
    wanted: float | None = None
    sense: str = "≤"
    note: str = ""

    @property
    def verdict(self) -> str:
        """Met, missed, or only reported."""
        if self.wanted is None:
            return "reported"
        return "met" if (self.got <= self.wanted if self.sense == "≤" else self.got >= self.wanted) else "**missed**"

    def row(self) -> str:
        """As a line of the table."""
        wish = f"{self.sense} {self.wanted:g} {self.unit}" if self.wanted is not None else "–"
        return f"| {self.what} | {self.got:,.1f} {self.unit} | {wish} | {self.verdict} | {self.note} |"
