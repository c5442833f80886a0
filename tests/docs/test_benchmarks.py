"""`docs/benchmarks.md` is what a full run of `make bench` wrote: each bar stands there, with what became of it."""

from __future__ import annotations

import importlib.util
import math
import pathlib
import re
import sys
from types import ModuleType

import pytest


@pytest.fixture
def bars(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bench/bars.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("bench_bars", repository / "bench" / "bars.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def rows(page: str) -> dict[str, list[str]]:
    """The cells of the table by bar."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    return {cells[0]: cells[1:] for cells in lines if cells[0] != "bar" and not cells[0].startswith("---")}


def test_every_bar_stands_in_the_page_with_its_verdict(bars: ModuleType, repository: pathlib.Path) -> None:
    page = (repository / "docs" / "benchmarks.md").read_text("utf-8")
    table = rows(page)
    assert list(table) == [bar.name for bar in bars.BARS], "make bench"
    for bar in bars.BARS:
        what, got, _wanted, verdict, _spread = table[bar.name]
        assert what == bar.what
        assert got != "not measured"
        assert verdict in (("reported",) if bar.sense == "reported" else ("met", "**missed**")), bar.name


def test_the_page_counts_its_own_verdicts(bars: ModuleType, repository: pathlib.Path) -> None:
    page = (repository / "docs" / "benchmarks.md").read_text("utf-8")
    counted = re.search(r"^(\d+) met, (\d+) missed, (\d+) reported only\.$", page, re.MULTILINE)
    assert counted is not None
    verdicts = [cells[3] for cells in rows(page).values()]
    assert [int(number) for number in counted.groups()] == [
        verdicts.count("met"),
        verdicts.count("**missed**"),
        verdicts.count("reported"),
    ]
    for name in ("cores", "kernel", "Python", "SQLite", "disk"):
        assert re.search(rf"^- {name}: \S", page, re.MULTILINE), name


@pytest.mark.parametrize(
    ("sense", "limit", "samples", "verdict"),
    [
        ("at least", 0.85, [0.1, 0.85, 0.9], "met"),
        ("at least", 0.85, [0.84, 0.849, 0.99], "missed"),
        ("at most", 1.5, [1.5], "met"),
        ("at most", 1.5, [1.51], "missed"),
        ("at most", 1.5, [], "missed"),
        ("at most", None, [1.0], "missed"),
        ("reported", None, [], "reported"),
    ],
)
def test_a_bar_is_judged_by_the_median_and_no_sample_is_a_miss(
    bars: ModuleType, sense: str, limit: float | None, samples: list[float], verdict: str
) -> None:
    bar = bars.Bar("name", "what", "s", sense, limit)
    assert bars.judge(bar, bars.Result("name", samples)) == verdict


def test_a_bar_that_was_not_measured_is_missed_and_a_limit_of_the_run_goes_before(bars: ModuleType) -> None:
    bar = bars.Bar("memory", "what", "MB", "at most")
    assert bars.judge(bar, None) == "missed"
    assert bars.judge(bar, bars.Result("memory", [100.0], limit=100.0)) == "met"
    assert bars.judge(bar, bars.Result("memory", [100.1], limit=100.0)) == "missed"
    assert math.isnan(bars.Result("memory", []).got)


def test_names_of_bars_are_unique(bars: ModuleType) -> None:
    names = [bar.name for bar in bars.BARS]
    assert len(set(names)) == len(names)
