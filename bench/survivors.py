"""What became of mutants, which survivors are accepted (`survivors.yaml`) and why, and the page about them. Caller: `mutate.py`."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import fnmatch
import itertools
import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

import yaml
from mutmut.mutation import diff_apply, file_mutation
from mutmut.utils import format_utils

ACCEPTED: Final = pathlib.Path(__file__).with_name("survivors.yaml")
BESIDE: Final = 30
"""So many characters beside a change are shown."""
KILLED: Final = (1, 3)
SURVIVED: Final = (0, 5, 33)
"""mutmut's exit codes: every test passed; no test comes by the function. Of the rest, None was not tried, others ran out of time."""
HEAD: Final = """\
# Mutation testing

Written by `make mutate`; not edited by hand. [mutmut](https://github.com/boxed/mutmut) changes one thing at a time (an operator, a
number, a text, an argument, a condition …) and runs the tests that come by the changed function. *Killed*: a test failed. *Timed out*:
the tests did not end, which counts as noticed. *Survived*: no test noticed. *Accepted*: of those, the ones that
`bench/survivors.yaml` gives a reason for; they count as survivors too.
What stands outside functions (tables, defaults of fields), properties and functions with a cache are not changed.
"""


@dataclasses.dataclass(slots=True)
class Mutant:
    """One change, and what the tests made of it. `why`: the reason for which it is accepted."""

    file: str
    function: str
    line: int
    was: str
    now: str
    outcome: str
    why: str = ""

    @property
    def place(self) -> str:
        """How it stands in the page: where it is, and what was changed, with what stands beside that."""
        was, now = _beside(self.was, self.now)
        return f"`{self.file}:{self.line}` {self.function}: `` {was} `` → `` {now} ``"

    @property
    def unnumbered(self) -> str:
        """The same without the line's number, which moves."""
        return _unnumbered(self.place)


@dataclasses.dataclass(slots=True)
class Accepted:
    """Survivors with one reason: patterns in which `*` stands for any text. `used`: it was about one."""

    file: str
    function: str
    was: str
    now: str
    why: str
    used: bool = False

    def covers(self, mutant: Mutant) -> bool:
        """Whether it is about a mutant."""
        pairs = (
            (self.file, mutant.file),
            (self.function, mutant.function),
            (self.was, mutant.was),
            (self.now, mutant.now),
        )
        return all(
            fnmatch.fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]")) for pattern, text in pairs
        )


def names(folder: pathlib.Path, file: str) -> list[str]:
    """The names of all mutants of a file."""
    with contextlib.chdir(folder):
        made = file_mutation.mutate_file_contents(file, pathlib.Path(file).read_text("utf-8")).mutant_names
        return [format_utils.get_mutant_name(pathlib.Path(file), name) for name in made]


def of(folder: pathlib.Path) -> list[Mutant]:
    """What became of the mutants that mutmut tried below a folder."""
    with contextlib.chdir(folder):
        return [_mutant(file, name, code) for file, name, code in _all() if code is not None]


def left(folder: pathlib.Path) -> list[str]:
    """The names of those that no test killed."""
    with contextlib.chdir(folder):
        return [name for _, name, code in _all() if code not in KILLED]


def _all() -> Iterator[tuple[str, str, int | None]]:
    """(file, mutant, exit code) of all mutants."""
    for meta in sorted(pathlib.Path("mutants").rglob("*.meta")):
        for name, code in json.loads(meta.read_text("utf-8"))["exit_code_by_key"].items():
            yield str(meta.relative_to("mutants").with_suffix("")), name, code


def _mutant(file: str, name: str, code: int) -> Mutant:
    outcome = "killed" if code in KILLED else "survived" if code in SURVIVED else "timed out"
    function, within = format_utils.orig_function_and_class_names_from_key(name)
    full = f"{within}.{function}" if within else function
    if outcome != "survived":
        return Mutant(file, full, 0, "", "", outcome)
    diff = diff_apply.get_diff_for_mutant(name, path=file).split("\n")[2:]
    return Mutant(file, full, _line(file, full, diff), _side(diff, "-"), _side(diff, "+"), outcome)


def _side(diff: Sequence[str], sign: str) -> str:
    """The changed part of one side, in one line."""
    return " ".join(line[1:].strip() for line in diff if line.startswith(sign))


def _line(file: str, function: str, diff: Sequence[str]) -> int:
    """The first changed line in the file; the diff counts within the function."""
    start = next(
        node for name, node in _functions(ast.parse(pathlib.Path(file).read_text("utf-8"))) if name == function
    )
    first = min([start.lineno, *(one.lineno for one in start.decorator_list)])
    at = int(diff[0].split()[1].lstrip("-").split(",")[0])
    return first + at - 1 + next(number for number, line in enumerate(diff[1:]) if line[:1] in "+-")


def _functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield within + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{node.name}.")


def _beside(was: str, now: str) -> tuple[str, str]:
    """Two texts without what they share at both ends, but for a little."""
    before = _shared(was, now)
    after = _shared(was[before:][::-1], now[before:][::-1])
    begin, end = max(0, before - BESIDE), max(0, after - BESIDE)
    shown = [("…" if begin else "") + one[begin : len(one) - end] + ("…" if end else "") for one in (was, now)]
    return shown[0], shown[1]


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def accepted() -> list[Accepted]:
    """What `survivors.yaml` says: a list of mappings of a reason (`why`), a file, a function, and lists of `was` and `now`."""
    return [
        Accepted(one["file"], one["function"], str(was), str(now), one["why"])
        for one in yaml.safe_load(ACCEPTED.read_text("utf-8")) or []
        for was, now in one["changes"]
    ]


def accept(mutants: Sequence[Mutant]) -> list[str]:
    """Give the survivors that are accepted their reason; the lines of `survivors.yaml` that are about none."""
    known = accepted()
    for mutant in mutants:
        if mutant.outcome == "survived":
            for one in known:
                if one.covers(mutant):
                    mutant.why, one.used = one.why, True
    return [f"{one.file} {one.function}: {one.was} → {one.now}" for one in known if not one.used]


def score(mutants: Sequence[Mutant]) -> float:
    """The part that was noticed."""
    return sum(one.outcome != "survived" for one in mutants) / len(mutants) if mutants else 1.0


def table(mutants: Sequence[Mutant]) -> str:
    """A row a file, and one of all."""
    rows = [
        "| file | mutants | killed | timed out | survived | of them accepted | score |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for file in [*sorted({one.file for one in mutants}), ""]:
        of_it = [one for one in mutants if file in ("", one.file)]
        count = [sum(one.outcome == outcome for one in of_it) for outcome in ("killed", "timed out", "survived")]
        cells = (len(of_it), *count, sum(bool(one.why) for one in of_it), f"{score(of_it):.1%}")
        rows.append(f"| {file or 'all'} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def page(mutants: Sequence[Mutant]) -> str:
    """All of `docs/mutation-report.md`."""
    left = [one for one in mutants if one.outcome == "survived" and not one.why]
    parts = [
        HEAD,
        table(mutants),
        f"\n## Survivors ({len(left)})\n",
        *(f"- {one.place}" for one in left),
        "\n## Accepted survivors\n",
    ]
    for why in sorted({one.why for one in mutants if one.why}):
        parts += [f"{why}\n", *(f"- {one.place}" for one in mutants if one.why == why), ""]
    return "\n".join(parts).rstrip() + "\n"


def reported(page_text: str) -> set[str]:
    """The changes that a page has as survivors."""
    return {_unnumbered(line[2:]) for line in page_text.splitlines() if line.startswith("- `")}


def _unnumbered(place: str) -> str:
    return re.sub(r":\d+`", "`", place, count=1)
