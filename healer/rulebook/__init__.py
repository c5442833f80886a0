"""The rulebook language: a YAML document → rulesets for the engine, or everything that is wrong with it and where.

Callers: `project` and `healer.testing`. The language is ansible-rulebook's with four additions; what is not there yet
is refused by name and line, never ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from healer import config, engine
from healer.rulebook import rulesets
from healer.rulebook.schema import schema
from healer.rulebook.schema import source as source_schema
from healer.rulebook.sources import source

__all__ = ["parse", "schema", "source", "source_schema"]


def parse(document: config.Document, variables: Mapping[str, Any]) -> list[engine.Ruleset]:
    """Read a rulebook from a document of `config.read_file` or `read_text`.

    `variables` are what `vars.…`, and templates in names and texts, see. Diagnostics are added to the document; nothing
    is raised for bad input. Only what could be built is returned: a ruleset with a wrong rule comes without that rule,
    so look at `document.ok` before using any.
    """
    return rulesets.read(document, variables)
