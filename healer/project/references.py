"""Secrets that a revision refers to and that cannot be read just now: a variable that is not set, a file that is not there.

Callers: the daemon at a start and a reload (a warning: a webhook whose secret is missing refuses everyone), `healer validate` (a hint:
its machine need not be the daemon's). A revision is right without them, since secrets are read at each use. Values are not kept.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from healer import errors, secrets
from healer.project.revision import Revision


def unreadable(
    revision: Revision, base: pathlib.Path, environ: Mapping[str, str], severity: errors.Severity = "warning"
) -> list[errors.Diagnostic]:
    """A diagnostic for each reference of the heartbeat, a source, a controller or an activation.

    `base`: what relative paths are taken from. Of hints none is about a file in the data directory.
    """
    known = secrets.Secrets(base, environ)
    found = []
    made_here = f"file:{revision.settings.data_dir.rstrip('/')}/"
    for what, place, reference in dict.fromkeys(_references(revision)):
        if severity == "hint" and reference.startswith(made_here):
            continue  # what lies in the data directory is made where the daemon runs
        try:
            known.resolve(reference)
        except errors.SecretUnavailable as error:
            message = f"{what}: {error.message}; it is looked for at each use"
            found.append(errors.Diagnostic(error.code, message, place, severity, try_=_step(reference)))
    return found


def hear(revision: Revision, resolve: Callable[[str], object]) -> None:
    """Have each value read once, so that whoever masks knows it before the first thing of the revision is run."""
    for reference in {reference for _, _, reference in _references(revision)}:
        with contextlib.suppress(errors.SecretUnavailable):  # which `unreadable` tells
            resolve(reference)


def _step(reference: str) -> str:
    kind, _, where = reference.partition(":")
    if kind == "env":
        return f"set {where} in the environment of the daemon, and start it again"
    return f"put the secret into {where}, where the daemon's user can read it"


def _references(revision: Revision) -> Iterator[tuple[str, errors.Place, str]]:
    beat = revision.settings.heartbeat
    if beat is not None and not isinstance(beat.url, str):
        yield "the heartbeat", errors.Place("healer.yaml"), beat.url.secret
    for channel, account in revision.settings.notifications.channels.items():
        for reference in _in(account):
            yield f"the channel {channel}", errors.Place("healer.yaml"), reference
    for source in revision.sources.values():
        for reference in _in(source.args):
            yield f"the source {source.name}", source.place, reference
    for controller in revision.controllers.values():
        for reference in _in(controller.options):
            yield f"the controller {controller.name}", controller.place, reference
    for activation in revision.activations:
        for reference in _in(activation.env):
            yield f"the activation {activation.name}", errors.Place("healer.yaml"), reference


def _in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            yield value["secret"]
        else:
            for inner in value.values():
                yield from _in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _in(inner)
