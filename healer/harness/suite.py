"""A file of rulebook tests → a suite of cases, or everything that is wrong with it and where.

Callers: `harness`, and `healer validate`, which runs none. Keys are checked by `shapes`, what they name by `checking`; a case is made
where nothing is wrong with its test, and none is run while anything is wrong with its file.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pydantic

from healer import config, errors, plugins, project
from healer.harness import checking, fixtures, shapes, wants
from healer.project import suites

FOLDER: Final = suites.FOLDER
US: Final = 1_000_000
_LIKE: Final = "- {name: …, steps: […], expect: […]}"
TIMES_MAX: Final = 20_000
"""What all steps of a test may come to."""


@dataclasses.dataclass(frozen=True, slots=True)
class Happening:
    """A step that comes at a moment of the test (µs since its beginning). `data`: its event, body, fact or pattern, read."""

    at_us: int
    step: shapes.Step
    place: errors.Place
    data: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Expected:
    """What has to be within a span of the test (both ends belong to it), or at its end. `path`: where it stands in the document."""

    from_us: int
    to_us: int
    wanted: shapes.Expectation
    places: Mapping[str, errors.Place]
    is_span: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One test of a file, checked."""

    file: str
    name: str
    place: errors.Place
    wanted: wants.Wanted
    start_us: int
    happenings: tuple[Happening, ...]
    expected: tuple[Expected, ...]


@dataclasses.dataclass(slots=True)
class Suite:
    """One file."""

    file: str
    rulebook: str
    cases: list[Case]
    diagnostics: list[errors.Diagnostic]

    @property
    def ok(self) -> bool:
        """Whether it can be run."""
        return all(one.severity != "error" for one in self.diagnostics)


def files(root: pathlib.Path, within: pathlib.Path | None = None) -> Iterator[str]:
    """The files of a project that hold tests, by path from its folder; `within`: only those in this folder, or this one."""
    for path in sorted((root / FOLDER).rglob("*.y*ml")):
        meant = within is None or path == within or within in path.parents
        if meant and suites.is_suite(path):
            yield path.relative_to(root).as_posix()


def read(root: pathlib.Path, file: str, revision: project.Revision) -> Suite:
    """Read and check a file (its path from the project's folder)."""
    return of(config.read_file(root / file, file), root, revision)


def of(document: config.Document, root: pathlib.Path, revision: project.Revision) -> Suite:
    """As `read`, of a document."""
    made = Suite(document.file, "", [], document.diagnostics)
    value = document.value
    if not document.ok:
        return made
    if not isinstance(value, config.Map):
        document.error(
            "wrong-type",
            "a file of tests is a mapping with tests:",
            getattr(value, "mark", None) or (1, 1, 1),
            f"tests: [{_LIKE[2:]}]",
        )
        return made
    listed = value.get("tests")
    plugins.check_options(document, shapes.File, _without_tests(value), value.mark, "the file")
    if not isinstance(listed, config.Seq):
        if "tests" in value:
            document.error(
                "wrong-type", f"tests: a list is wanted, got {config.shown(listed)}", value.values_at["tests"], _LIKE
            )
        return made
    if not listed:
        document.error("missing-key", "tests: holds no test", value.keys_at["tests"], _LIKE)
    if len(listed) > shapes.TESTS_MAX:
        document.error(
            "too-many",
            f"tests: at most {shapes.TESTS_MAX} are wanted, got {len(listed)}",
            value.values_at["tests"],
            "several files",
        )
        return made
    made.rulebook = _rulebook(document, value, revision)
    # Where it is not there all rules are known, so that what is wrong beside that is told, and not each name.
    under_test = made.rulebook if made.ok else ""
    names: dict[str, config.Mark] = {}
    project_ = checking.Project(revision, under_test, fixtures.Fixtures(root, posixpath.dirname(document.file)))
    for number, one in enumerate(listed):
        mark = listed.items_at[number]
        test = plugins.check_options(document, shapes.Test, one, mark, f"tests.{number}")
        if test is None:
            if isinstance(one, config.Map):  # what is right in it is checked all the same
                written = _Written(document, one)
                _case(written, _right_of(one), made, project_)
            continue
        at = one.values_at["name"]
        if test.name in names:
            document.error(
                "duplicate-name",
                f"a test is named {config.shown(test.name)} already, in line {names[test.name][0]}",
                at,
                "another name",
            )
        names.setdefault(test.name, at)
        before = len(document.diagnostics)
        case = _case(_Written(document, one), test, made, project_)
        if case is not None and len(document.diagnostics) == before:
            made.cases.append(case)
    document.diagnostics.sort(key=lambda one: (one.place.line, one.place.column))
    return made


def _right_of(value: config.Map) -> shapes.Test:
    """A test with those of its steps and expectations that are shaped as they have to be; others are empty in their places."""
    made = shapes.Test.model_construct(name="", steps=[], expect=[], settings=shapes.Settings(), variables={})
    shaped: tuple[tuple[str, type[pydantic.BaseModel], list[Any]], ...] = (
        ("steps", shapes.Step, made.steps), ("expect", shapes.Expectation, made.expect),
    )  # fmt: skip
    for key, shape, into in shaped:
        listed = value.get(key)
        for one in listed if isinstance(listed, config.Seq) else ():
            try:
                into.append(shape.model_validate(one))
            except pydantic.ValidationError:
                into.append(shape.model_construct())
    return made


def _without_tests(value: config.Map) -> config.Map:
    """The mapping with no tests in it: each is checked by itself, so that one that is wrong hides no other."""
    made = config.Map(value.mark)
    made.update({key: config.Seq(value.mark) if key == "tests" else inner for key, inner in value.items()})
    made.keys_at, made.values_at = value.keys_at, value.values_at
    return made


def _rulebook(document: config.Document, value: config.Map, revision: project.Revision) -> str:
    """The path in the project of the rulebook that is under test, '' for all."""
    name = value.get("rulebook")
    if not isinstance(name, str):
        return ""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document.file), name))
    known = {one.file for one in revision.activations if not one.hidden}
    if path not in known:
        folder = posixpath.dirname(document.file)
        near = errors.nearest(name, (posixpath.relpath(one, folder) for one in known))
        what = "is switched on by no activation" if path in revision.files else "is not there"
        near = near or f"its path from {folder}/ on; leave it out for the whole project"
        document.error("no-rulebook", f"the rulebook {config.shown(name)} {what}", value.values_at["rulebook"], near)
    return path


class _Written:
    """A test as it stands in its document: the places of what is in it."""

    def __init__(self, document: config.Document, value: config.Map) -> None:
        self.document = document
        self.value = value

    def mark(self, *path: str | int, key: bool = False) -> config.Mark:
        """Where the value (or the key) at a path stands; the nearest before it where there is none."""
        value: Any = self.value
        found: config.Mark = value.mark
        for number, part in enumerate(path):
            if isinstance(value, config.Map) and part in value:
                last = number == len(path) - 1
                found = (value.keys_at if key and last else value.values_at).get(part, found)
            elif isinstance(value, config.Seq) and isinstance(part, int) and part < len(value):
                found = value.items_at[part]
            else:
                break
            value = value[part]
        return found

    def place(self, *path: str | int) -> errors.Place:
        """As `mark`, as a place."""
        return self.document.place(self.mark(*path, key=True))

    def error(self, code: str, message: str, path: Sequence[str | int], try_: str = "") -> None:
        """Keep a mistake that stands at a path."""
        self.document.error(code, message, self.mark(*path), try_)


def _case(written: _Written, test: shapes.Test, suite: Suite, known: checking.Project) -> Case | None:
    checking.check(known, test, written.error)
    happenings = _happenings(written, test, known)
    last_us = max((one.at_us for one in happenings or ()), default=0)
    expected = [
        Expected(
            0 if one.until is None or one.at is None else _us(one.at), _us(_end(one, last_us)), one,
            {kind: written.place("expect", number, kind) for kind in shapes.EXPECTED if getattr(one, kind) is not None},
            one.until is not None,
        )
        for number, one in enumerate(test.expect)
    ]  # fmt: skip
    for number, one in enumerate(expected):
        if one.from_us > one.to_us:
            written.error("wrong-order", "until lies before at", ("expect", number, "until"), "until: a later moment")
    if happenings is None:
        return None
    settings = fixtures.plain(written.value.get("settings"))
    hosts = "" if test.inventory is None else _text(test.inventory)
    wanted = wants.Wanted(suite.rulebook, _text(test.variables), _text(settings), hosts)
    start_us = shapes.START_US if test.start is None else test.start
    place = written.document.place(written.mark("name"))
    return Case(suite.file, test.name, place, wanted, start_us, tuple(happenings), tuple(expected))


def _end(one: shapes.Expectation, last_us: int) -> float:
    """Seconds."""
    end = one.until if one.until is not None else one.at
    return last_us / US if end is None else end


def _happenings(written: _Written, test: shapes.Test, known: checking.Project) -> list[Happening] | None:
    """All steps, each as often as it comes, by time; None after saying what is wrong with them."""
    made: list[Happening] = []
    at_s, total, right = 0.0, 0, True
    for number, step in enumerate(test.steps):
        begins_s = at_s if step.at is None else step.at
        if begins_s < at_s:
            written.error(
                "wrong-order",
                "steps stand in the order of time, and this one is before the one above it",
                ("steps", number, "at"),
                "sort them by at",
            )
            right = False
        at_s = max(begins_s, at_s)
        kind = next((name for name in shapes.ACTS if getattr(step, name) is not None), "")
        try:
            data = known.fixtures.read(getattr(step, kind), whole=kind != "body") if kind in shapes.REPEATED else None
        except fixtures.Unreadable as error:
            written.error("no-fixture", str(error), ("steps", number, kind), error.try_)
            right = False
            continue
        total += step.times
        place = written.document.place(written.mark("steps", number))
        made += [
            Happening(_us(begins_s + (step.every or 0.0) * count), step, place, data)
            for count in range(min(step.times, TIMES_MAX))
        ]
    if total > TIMES_MAX:
        written.error(
            "too-many",
            f"the steps of a test come {TIMES_MAX:,} times at most, these {total:,} times",
            ("steps",),
            "fewer times",
        )
        right = False
    return sorted(made, key=lambda one: one.at_us) if right else None


def _us(seconds: float) -> int:
    return round(seconds * US)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str) if value else ""
