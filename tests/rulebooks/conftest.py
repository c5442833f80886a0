"""The real engine for the tests of this folder."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

PEER = pathlib.Path(__file__).with_name("peer.py")


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


@pytest.fixture(scope="session")
def peer(java_home: pathlib.Path) -> Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]:
    """`peer(cases)`: what the real engine says of each."""
    environ = {**os.environ, "JAVA_HOME": str(java_home), "LD_LIBRARY_PATH": str(java_home / "lib" / "server")}

    def run(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        lines = "".join(json.dumps(case) + "\n" for case in cases)
        done = subprocess.run(
            [sys.executable, PEER], input=lines, capture_output=True, text=True, check=False, env=environ
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(cases), done.stderr[-2000:]
        return answers

    return run
