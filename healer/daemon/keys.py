"""API keys that stand in files beside those of the store, for containers. Caller: the daemon, at its start and at each reload."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from healer import access, project
from healer.web import keyfiles


def of_files(base: pathlib.Path, revision: project.Revision, environ: Mapping[str, str]) -> dict[str, access.Principal]:
    """The keys that stand in files: the settings', and `HEALER_ADMIN_KEY_FILE`. Raises `errors.ConfigurationError`."""
    admin, named = environ.get("HEALER_ADMIN_KEY_FILE"), revision.settings.keys.file
    return keyfiles.read(pathlib.Path(admin) if admin else None, base / named if named else None)
