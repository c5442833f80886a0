"""A sender whose format is not named yet: read as `generic` does, while its deliveries tell which format they look like.

Used by `healer.webhook: {format: auto}`. The look is `suggested` of the source `webhook`; it changes nothing of how a body is read, so
that what a sender sends never chooses its reader.
"""

from __future__ import annotations

import dataclasses

from healer.formats import generic

SETUP = """POST a JSON object to   HOOK_URL
Once a delivery has come, this says which format it looks like: write that in place of  format: auto
"""
FORMAT = dataclasses.replace(generic.FORMAT, name="auto", setup=SETUP, marks=())
