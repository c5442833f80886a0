"""The real engine for the tests of this folder, alone and beside ours."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

PEER = pathlib.Path(__file__).with_name("peer.py")


def _beside(name: str) -> Any:
    """A module of this folder, which is no package; the tests import it by its name."""
    spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


engines, generating, windowing, mutating, walking, examples = map(
    _beside, ("engines", "generating", "windowing", "mutating", "walking", "examples")
)


@pytest.fixture(scope="session")
def java_home() -> pathlib.Path:
    """Where Java 17 is, which the engine is made for: $JAVA_HOME, else Debian's."""
    for home in (
        pathlib.Path(os.environ.get("JAVA_HOME", "/nowhere")),
        *sorted(pathlib.Path("/usr/lib/jvm").glob("*17*")),
    ):
        release = home / "release"
        if (
            release.is_file()
            and 'JAVA_VERSION="17' in release.read_text()
            and (home / "lib/server/libjvm.so").is_file()
        ):
            return home
    pytest.skip("no Java 17 is here: apt-get install openjdk-17-jre-headless")


def _environ(java_home: pathlib.Path) -> dict[str, str]:
    return {**os.environ, "JAVA_HOME": str(java_home), "LD_LIBRARY_PATH": str(java_home / "lib" / "server")}


@pytest.fixture(scope="session")
def peer(java_home: pathlib.Path) -> Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]:
    """`peer(cases)`: what the real engine says of each."""

    def run(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        lines = "".join(json.dumps(case) + "\n" for case in cases)
        done = subprocess.run(
            [sys.executable, PEER], input=lines, capture_output=True, text=True, check=False, env=_environ(java_home)
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(cases), done.stderr[-2000:]
        return answers

    return run


@pytest.fixture(scope="session")
def peer_alive(java_home: pathlib.Path) -> Iterator[Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """`peer_alive(case)`: as `peer`, one case at a time, all by one program."""
    program = subprocess.Popen(
        [sys.executable, PEER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environ(java_home),
    )

    def ask(case: Mapping[str, Any]) -> dict[str, Any]:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(json.dumps(case) + "\n")
        program.stdin.flush()
        return cast("dict[str, Any]", json.loads(program.stdout.readline()))

    with program:
        yield ask


@pytest.fixture(params=["ours", "theirs"])
def on(request: pytest.FixtureRequest) -> Any:
    """Our engine, then the real one (`engines.Engine`): what a test states holds for both."""
    if request.param == "ours":
        return engines.Engine(engines.ours, is_ours=True)
    return engines.Engine(request.getfixturevalue("peer_alive"), is_ours=False)
