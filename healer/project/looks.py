"""Checks that actions and `verify` name, against the plugins and the controllers of the project. Caller: `loading`."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from healer import catalog, config, errors, plugins
from healer.catalog import looks
from healer.project import settings, sources
from healer.project.controllers import Controllers

KIND: Final = "check"
_VERIFY: Final = "defaults.run_action.verify"


def check(
    main: config.Document | None, read: settings.Read, written: Iterable[catalog.Written], controllers: Controllers,
    project_dir: pathlib.Path,
) -> list[errors.Diagnostic]:  # fmt: skip
    """Tell of each check what is wrong with it, in its own document; what no document has is given."""
    found = functools.partial(plugins.check, project_dir=project_dir)
    for one in written:
        for holder, verifies in ((one.value, False), (_below(one.value, "verify"), True)):
            if isinstance(holder, config.Map) and holder.get(KIND) is not None:
                _told(one.document, found, holder, controllers if verifies else None)
    said = _below(main.value if main is not None else None, *_VERIFY.split("."))
    if main is not None and isinstance(said, config.Map) and said.get(KIND) is not None:
        looks.templates(main, said[KIND], said.keys_at.get(KIND))
        _told(main, found, said, controllers)
    return [*_by_variables(read, found, controllers)]


def _by_variables(read: settings.Read, found: looks.Find, controllers: Controllers) -> Iterator[errors.Diagnostic]:
    """What a variable or a flag says in the place of `healer.yaml`."""
    places = [place for key, place in read.set_by.items() if key.startswith(_VERIFY)]
    wanted = read.settings.defaults.run_action.verify
    if not places or wanted is None or wanted.check is None:
        return
    document = config.Document(places[0], "")
    holder = config.Map((1, 1, 1))
    holder[KIND] = _marked(wanted.check)
    looks.templates(document, holder[KIND], None)
    _told(document, found, holder, controllers)
    yield from document.diagnostics


def _told(document: config.Document, found: looks.Find, holder: config.Map, controllers: Controllers | None) -> None:
    """One check. `controllers`: it is of a `verify`, which names none."""
    value, at = holder[KIND], holder.keys_at.get(KIND)
    looks.check(document, found, value, at)
    for mark in sources.secrets_in(value):
        message = "a secret cannot stand in a check of an action or of verify"
        document.error("inline-secret", message, mark, "look with a source check of healer.yaml, or with a script")
    able = controllers is None or controllers.broken or any(KIND in one.kinds for one in controllers.by_name.values())
    if not able:
        message = "no controller can look, which verify wants"
        document.error("controller_forbidden", message, at, "list one in controllers.yaml, like {type: local}")


def _below(value: Any, *path: str) -> Any:
    """What stands at a path of keys; None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, config.Map) else None
    return value


def _marked(value: Any) -> Any:
    """A plain value in the shape of what a file says, with no places."""
    if not isinstance(value, dict):
        return value
    made = config.Map((1, 1, 1))
    made.update({key: _marked(inner) for key, inner in value.items()})
    return made
