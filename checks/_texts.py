"""The texts that options of checks are made of."""

from __future__ import annotations

from typing import Annotated

import pydantic

from healer import plugins

Text = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$"),
    plugins.Wanted("a text without line breaks and control characters"),
]
