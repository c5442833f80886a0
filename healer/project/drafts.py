"""What was read of a project with the files as written, also where it is wrong. Made by `loading`; read by the room `lint`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from healer import config, errors
from healer.project.revision import Revision


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """`revision`: without what is wrong. `documents`: the files by their path. `diagnostics`: all of them, sorted by place."""

    revision: Revision
    documents: Mapping[str, config.Document]
    diagnostics: tuple[errors.Diagnostic, ...]

    @property
    def failed(self) -> bool:
        """Whether it is no revision that a daemon could take."""
        return any(one.severity == "error" for one in self.diagnostics)
