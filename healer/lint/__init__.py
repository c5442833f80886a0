"""What is worth knowing of a project that reads without a mistake: `healer validate` as a linter. Nothing here runs in the daemon.

`lint` takes what `project.draft_of` read and gives all that is to be told: what reading told, what the checks of this room find, each as
serious as healer.yaml wants it, without what a comment ignores. A check is a function of a ruleset (`scope.Scope`) and the door `Told`.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Sequence
from typing import Final

from healer import errors, project
from healer.lint import (
    brakes,
    holding,
    ignoring,
    order,
    paths,
    reach,
    required,
    roots,
    safety,
    scope,
    severities,
    traps,
    truths,
    unread,
)
from healer.project import loading

__all__ = ["lint"]

CHECKS: Final[tuple[scope.Check, ...]] = (
    paths.check,
    reach.check,
    order.check,
    traps.check,
    truths.check,
    brakes.check,
)
"""Those that need the rules alone."""
BYTES_MAX: Final = 4 << 20


def lint(draft: project.Draft, more: Iterable[errors.Diagnostic] = ()) -> list[errors.Diagnostic]:
    """All that is to be told of a project, sorted by place; not bounded. `more`: what was found elsewhere."""
    with loading.without_collecting():
        return _lint(draft, more)


def _lint(draft: project.Draft, more: Iterable[errors.Diagnostic]) -> list[errors.Diagnostic]:
    told, held = scope.Told(), holding.Holding(draft.revision)
    verified = safety.Verified(draft, held)
    checks: list[scope.Check] = [
        *CHECKS, functools.partial(roots.check, known=roots.known(draft)), functools.partial(safety.check, holding=held), verified.check,
        functools.partial(required.check, holding=held, checks=draft.revision.settings.validated.checks),
    ]  # fmt: skip
    for one in scope.of(draft):
        for check in checks:
            check(one, told)
    verified.tell(told)
    safety.shared(draft, told)
    required.of_events(draft, told, held)
    main = next((draft.documents[name] for name in ("healer.yaml", "healer.yml") if name in draft.documents), None)
    severities.mistakes(main, told)
    found = severities.apply([*draft.diagnostics, *more, *told.found, *unread.told(draft)], draft.revision.settings)
    texts = {file: document.lines for file, document in draft.documents.items()}
    left = ignoring.apply(found, texts, functools.partial(_lines, draft.revision.project_dir))
    better = reach.bettered(told, draft.diagnostics)
    left = [
        dataclasses.replace(one, try_=better.get((one.code, one.place), one.try_))
        for one in left
        if better.get((one.code, one.place)) != "" and not (one.code == "no-brake" and one.place in told.never)
    ]
    said = severities.apply(left, draft.revision.settings)
    return sorted(dict.fromkeys(said), key=lambda one: (one.place.file, one.place.line, one.place.column))


@functools.lru_cache(maxsize=256)
def _lines(root: pathlib.Path, file: str) -> Sequence[str]:
    """The lines of a file that is read for its comments alone."""
    path = root / file
    try:
        if not path.resolve().is_relative_to(root.resolve()) or not path.is_file() or path.stat().st_size > BYTES_MAX:
            return ()
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, ValueError):
        return ()
