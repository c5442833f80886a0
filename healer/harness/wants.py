"""What a case needs that not all have. Callers: `suite`, which reads it, and `stage`, which makes it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """`rulebook`: the file in the project, '' for all; the others are JSON as text, '' for none."""

    rulebook: str = ""
    variables: str = ""
    settings: str = ""
    inventory: str = ""
