"""What the daemon knows as a secret is said by nobody, also not by the exception of a source."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

SECRET: Final = "hook-s3cret-Token"
SETTINGS: Final = """\
environment: test
mode: active
activations: [{name: a, rulebook: rulebooks/healing.yml, restart: never}]
"""
BOOK: Final = """\
- name: rs
  hosts: all
  sources: [{flaky: {token: {secret: "env:HT"}}}]
  rules: [{name: r, condition: event.i == 1, action: {debug: {msg: heard}}}]
"""
FLAKY: Final = """\
async def main(queue, args):
    await queue.put({"i": 1})
    print("refused with", args["token"])
    raise ValueError("boom token " + args["token"])
"""


def test_an_exception_of_a_source_shows_no_secret(daemon: Any, wait_for: Callable[..., None]) -> None:
    daemon.variables["HT"] = SECRET
    daemon.write("healer.yaml", SETTINGS)
    daemon.write("rulebooks/healing.yml", BOOK)
    daemon.write("sources/flaky.py", FLAKY)
    daemon.start()
    daemon.ready()

    def flaky() -> Any:
        return next(one for one in daemon.status()["sources"] if one["name"] == "a/rs/flaky")

    wait_for(lambda: flaky()["state"] == "failed")
    assert "the source flaky ended: ValueError: boom token ***" in flaky()["error"]
    for flags in ((), ("--all",), ("--json",)):
        shown = daemon.healer("status", *flags).stdout
        assert ("boom token ***" in shown, SECRET in shown) == (True, False)
    assert SECRET not in json.dumps(daemon.status())
    daemon.stop()
    assert ("boom token ***" in daemon.said(), "refused with ***" in daemon.said()) == (True, True)
    kept = [
        path for path in (daemon.log, *daemon.data.rglob("*"), *(daemon.project / "logs").rglob("*")) if path.is_file()
    ]
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
