"""The results for people: the table at the terminal, and `docs/benchmarks.md`. A miss stands there like everything else.

Caller: `run.py`. The page is rewritten as a whole by each full run; nobody edits it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Final

import bars
import rich.console
import rich.table

HEAD: Final = """\
# Benchmarks

Written by `make bench`; not edited by hand. Ratios carry over to other machines, absolute figures do not. What counts is the
median; ratios are made of runs that followed each other, so that the drift of the machine cancels.

*Baseline* is the same daemon, handler, authentication, strict parse and answer, with the journal's append replaced by a counter.
Load: `wrk`, 64 connections on the loopback of the same machine, bodies of 300 bytes.
"""
STYLES: Final[dict[bars.Verdict, str]] = {"met": "green", "missed": "bold red", "reported": ""}


def show(results: Mapping[str, bars.Result], *, wanted: set[str]) -> None:
    """The table of the bars that were to be measured."""
    table = rich.table.Table("bar", "what", "got", "wanted", "", "spread")
    for bar in bars.BARS:
        if bar.name in wanted:
            result = results.get(bar.name)
            verdict = bars.judge(bar, result)
            table.add_row(
                bar.name, bar.what, got(bar, result), wish(bar, result), verdict, spread(result), style=STYLES[verdict]
            )
    rich.console.Console(width=160).print(table)


def page(results: Mapping[str, bars.Result], machine: Mapping[str, str], now: datetime.datetime, took_s: float) -> str:
    """All of `docs/benchmarks.md`."""
    lines = [HEAD, f"Measured {now:%Y-%m-%d %H:%M} UTC, in {took_s / 60:.1f} minutes.\n"]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    verdicts = [bars.judge(bar, results.get(bar.name)) for bar in bars.BARS]
    lines.append(
        f"\n{verdicts.count('met')} met, {verdicts.count('missed')} missed, {verdicts.count('reported')} reported only.\n"
    )
    lines += ["| bar | what | got | wanted | verdict | spread |", "| --- | --- | --- | --- | --- | --- |"]
    for bar, verdict in zip(bars.BARS, verdicts, strict=True):
        result = results.get(bar.name)
        strong = "**missed**" if verdict == "missed" else verdict
        lines.append(
            f"| {bar.name} | {bar.what} | {got(bar, result)} | {wish(bar, result)} | {strong} | {spread(result)} |"
        )
    lines.append("\n## Samples\n\nIn the order they were taken, in the unit of the bar.\n")
    for bar in bars.BARS:
        result = results.get(bar.name)
        samples = ", ".join(number(sample) for sample in result.samples) if result and result.samples else "none"
        note = f" – {result.note}" if result and result.note else ""
        lines.append(f"- {bar.name}: {samples}{note}")
    return "\n".join(lines) + "\n"


def got(bar: bars.Bar, result: bars.Result | None) -> str:
    """The median with its unit."""
    if result is None or not result.samples:
        return "failed" if result is not None else "not measured"
    return f"{number(result.got)} {bar.unit}"


def wish(bar: bars.Bar, result: bars.Result | None) -> str:
    """What has to be reached."""
    limit = bars.limit_of(bar, result)
    if bar.sense == "reported" or limit is None:
        return "–"
    return f"{'≥' if bar.sense == 'at least' else '≤'} {number(limit)} {bar.unit}"


def spread(result: bars.Result | None) -> str:
    """From the smallest to the largest sample, and how many there are."""
    if result is None or not result.samples:
        return "–"
    return f"{number(min(result.samples))} … {number(max(result.samples))}, n = {len(result.samples)}"


def number(value: float) -> str:
    """Three digits that count."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return (
        f"{value:.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
        if size >= 1
        else f"{value:.3f}"
    )
