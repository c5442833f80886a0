"""Upstream's example rulebooks: from its own source distribution, and the events that their sources give. Caller: `test_upstream_examples`.

A source is upstream's own file, run alone; its sleeps go by a clock that stands still otherwise. Nothing of theirs lies in this repository.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import ansible_rulebook
import yaml
from ansible_rulebook.util import substitute_variables

EVENTS_MAX: Final = 100
LAST_MS: Final = 120_000
"""After the last event: more than any window of theirs."""
BEFORE: Final = 1_767_225_600
"""What a source that marks its events with the time begins at (seconds since 1970)."""
FEEDBACK: Final = {"set_fact": ("fact", "fact"), "post_event": ("event", "event"), "retract_fact": ("retract", "fact")}
"""Action → the step that it makes, and the argument that has it."""
UNREACHABLE: Final = ("NewConnectionError", "name resolution", "ConnectTimeout", "Network is unreachable", "ProxyError")
"""What pip says where there is no network."""
_INSTALLED: Final = pathlib.Path(ansible_rulebook.__file__).parent


def fetch(version: str, folder: pathlib.Path) -> pathlib.Path | None:
    """The folder `tests` of upstream's source distribution, downloaded into `folder` once; None where there is no network."""
    tests = folder / f"ansible_rulebook-{version}" / "tests"
    if tests.is_dir():
        return tests
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wanted = ["--no-deps", "--no-binary", ":all:", "--dest", scratch, f"ansible-rulebook=={version}"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *wanted]
        for _ in range(3):  # a server that is busy, or a line that breaks, is asked again
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                break
        else:
            assert any(words in done.stderr for words in UNREACHABLE), done.stderr[-2000:]
            return None
        (packed,) = pathlib.Path(scratch).glob("*.tar.gz")
        with tarfile.open(packed) as archive:
            inside = f"ansible_rulebook-{version}/tests/"
            archive.extractall(scratch, [one for one in archive if one.name.startswith(inside)], filter="data")
        tests.parent.mkdir(exist_ok=True)
        try:
            pathlib.Path(scratch, inside).rename(tests)
        except OSError:
            if not tests.is_dir():  # else another process of the tests was first
                raise
    return tests


def rulebook(path: pathlib.Path) -> list[dict[str, Any]]:
    """An example as it is written, without `gather_facts`: that asks the hosts."""
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
    return [{key: part for key, part in ruleset.items() if key != "gather_facts"} for ruleset in found]


def steps(book: Sequence[Mapping[str, Any]], tests: pathlib.Path) -> Iterator[dict[str, Any]]:
    """What the sources of a rulebook give, in order, and the time between."""
    found = []
    for ruleset in book:
        for written in ruleset["sources"]:
            found += [(at, {"ruleset": ruleset["name"], "event": event}) for at, event in _events(written, tests)]
    clock_ms = 0
    for at, step in sorted(found, key=lambda one: one[0]):
        if at > clock_ms:
            yield {"advance_ms": at - clock_ms}
            clock_ms = at
        yield step
    yield {"advance_ms": LAST_MS}


def _events(written: Mapping[str, Any], tests: pathlib.Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(millisecond, event) of one source."""
    ((name, args),) = ((key, value) for key, value in written.items() if key not in ("name", "filters"))
    clock_ms, given = 0, []

    async def sleep(seconds: float) -> None:
        nonlocal clock_ms
        clock_ms += round(seconds * 1000)

    class Queue:
        async def put(self, event: Any) -> None:
            given.append((clock_ms, event))
            if len(given) >= EVENTS_MAX:
                raise StopAsyncIteration

    module = _module(name, tests / "sources", "event_source")
    module.asyncio = types.SimpleNamespace(**{**vars(asyncio), "sleep": sleep})  # type: ignore[attr-defined]
    with contextlib.chdir(tests), contextlib.suppress(Exception):  # one that fails has given what it gave
        asyncio.run(module.main(Queue(), dict(args or {})))
    for at, event in given:
        for one in _filtered([event], written.get("filters", []), tests):
            marked = {"timestamp": BEFORE + at // 1000} if (args or {}).get("timestamp") else {}
            yield at, one | marked


def _filtered(events: list[Any], filters: Sequence[Mapping[str, Any]], tests: pathlib.Path) -> list[Any]:
    for one in filters:
        ((name, args),) = one.items()
        module = _module(name, tests / "filters", "event_filter")
        made = [module.main(event, **(args or {})) for event in events]
        events = [event for result in made for event in (result if isinstance(result, list) else [result])]
    return events


def _module(name: str, own: pathlib.Path, folder: str) -> Any:
    path = own / f"{name}.py"
    path = path if path.is_file() else _INSTALLED / folder / f"{name.rpartition('.')[2]}.py"
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def feedback(
    book: Sequence[Mapping[str, Any]], fired: Mapping[str, Any], variables: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The steps that the actions of one firing make, rendered as upstream renders; `{"shutdown": …}` ends all."""
    ruleset = next(one for one in book if one["name"] == fired["ruleset"])
    rule = next(one for one in ruleset["rules"] if one["name"] == fired["rule"])
    matches = fired["matches"]
    seen = {"event": matches["m"]} if set(matches) == {"m"} else {"events": matches}
    for action in rule.get("actions") or [rule["action"]]:
        ((name, args),) = action.items()
        if name == "shutdown":
            yield {"shutdown": True}
        if name not in FEEDBACK:
            continue
        kind, key = FEEDBACK[name]
        made = substitute_variables(args, {**variables, **seen})
        step = {"ruleset": made.get("ruleset", ruleset["name"]), kind: made[key]}
        if name == "retract_fact":
            partial = made.get("partial", True)
            step |= {"partial": partial, "exclude_keys": [] if partial else ["meta"]}
        with contextlib.suppress(TypeError):  # a name that is not there is no JSON: the action fails
            json.dumps(step)
            yield step
