"""The catalog: every action that exists, with what it takes, where it runs and what it may do; pure.

`project` builds it from `actions.yaml` and the metadata beside playbooks and scripts; `decide`, `dispatch` and `web` read
it. Parameters are JSON Schema (draft 2020-12), checked when loaded, so that a wrong schema is found by `validate` and not
at night.
"""

from healer.catalog.building import ENTRIES_MAX, NAME, Written, build, runs
from healer.catalog.entries import FOLDERS, KINDS, Catalog, Entry, Kind
from healer.catalog.filling import Unfillable, fill, used
from healer.catalog.fitting import Misfit, misfits
from healer.catalog.published import entry as entry_schema
from healer.catalog.published import whole
from healer.catalog.schemas import mistakes

__all__ = [
    "ENTRIES_MAX",
    "FOLDERS",
    "KINDS",
    "NAME",
    "Catalog",
    "Entry",
    "Kind",
    "Misfit",
    "Unfillable",
    "Written",
    "build",
    "entry_schema",
    "fill",
    "misfits",
    "mistakes",
    "runs",
    "used",
    "whole",
]
