"""A project directory as one checked, content-addressed revision; and what holds for it right now.

Callers: the daemon, `healer validate`, and every worker that reads a `Revision`. Reading is `load` (in this process) or
`load_in_child` (a reload must not hold the loop); `publish` copies the files that runs execute from.
"""

from healer.project.child import load_in_child
from healer.project.controllers import Controller
from healer.project.drafts import Draft
from healer.project.found import Found, Said, dynamic
from healer.project.gates import Gates, storm_of
from healer.project.gathering import GATHERED_FOR
from healer.project.git import Git
from healer.project.listing import read as read_hosts
from healer.project.loading import Loaded, draft_of, load
from healer.project.published import KINDS as SCHEMAS
from healer.project.published import schema
from healer.project.publishing import FOLDER as REVISIONS
from healer.project.publishing import Changed, Tampered, listed, publish, verify
from healer.project.references import hear, unreadable
from healer.project.revision import EFFECTFUL, HIDDEN_ACTIVATION, UPSTREAM, Activation, Revision, Source
from healer.project.settings import Settings
from healer.project.standing import Standing
from healer.project.tree import File

__all__ = [
    "EFFECTFUL",
    "GATHERED_FOR",
    "HIDDEN_ACTIVATION",
    "REVISIONS",
    "SCHEMAS",
    "UPSTREAM",
    "Activation",
    "Changed",
    "Controller",
    "Draft",
    "File",
    "Found",
    "Gates",
    "Git",
    "Loaded",
    "Revision",
    "Said",
    "Settings",
    "Source",
    "Standing",
    "Tampered",
    "draft_of",
    "dynamic",
    "hear",
    "listed",
    "load",
    "load_in_child",
    "publish",
    "read_hosts",
    "schema",
    "storm_of",
    "unreadable",
    "verify",
]  # fmt: skip
