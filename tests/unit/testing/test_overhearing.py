"""What is said past a contract is heard, goes where it would have gone, and nothing of the listening stays."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import loguru
import pytest

from healer.testing import overhearing

SPOKEN: list[tuple[str, Callable[[str], Any]]] = [
    ("standard output", print),
    ("standard error", lambda text: sys.stderr.write(f"{text}\n")),
    ("logging", logging.getLogger("mine").debug),
    ("logging", loguru.logger.debug),
    ("the arguments of a child", lambda text: subprocess.run(["true", text], check=True)),
    ("the arguments of a child", lambda text: os.system(f"true {text}")),
    ("the arguments of a child", lambda text: os.waitpid(os.posix_spawnp(b"true", [b"true", text.encode()], {}), 0)),
    ("the arguments of a child", lambda text: asyncio.run(_child(text))),
]


async def _child(text: str) -> None:
    await (await asyncio.create_subprocess_exec("true", text)).wait()


@pytest.mark.parametrize(("where", "say"), SPOKEN)
def test_it_is_heard_wherever_it_goes(where: str, say: Callable[[str], Any]) -> None:
    heard: list[tuple[str, str]] = []
    with overhearing.overheard(lambda place, what: heard.append((place, str(what)))):
        say("the-secret")
    say("afterwards")
    assert {place for place, what in heard if "the-secret" in what} == {where}
    assert not any("afterwards" in what for _, what in heard)
    assert logging.getLogger().level == logging.WARNING


def test_it_goes_where_it_would_have_gone(capfd: pytest.CaptureFixture[str]) -> None:
    with overhearing.overheard(lambda _where, _what: None):
        sys.stdout.write("a")
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), b"b")
        subprocess.run(["printf", "c"], check=True, stdout=sys.stdout)
    assert capfd.readouterr().out == "abc"
