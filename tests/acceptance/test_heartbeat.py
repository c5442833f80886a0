"""Who listens for a daemon's sign of life hears it while the work goes on, paused or not, and nothing while any part of it hangs."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

HANGING = """\
import asyncio, pathlib
from healer import decide, dispatch

def hangs(kind, name):
    real, stop = getattr(kind, name), pathlib.Path({base!r}) / f"hang-{{kind.__name__}}"

    async def wrapped(self, *given):
        while stop.exists():
            await asyncio.sleep(0.02)
        return await real(self, *given)

    setattr(kind, name, wrapped)

hangs(decide.Decider, "next_rows")
hangs(dispatch.Dispatcher, "_idle")
"""


class Listener:
    """It hears beats on a port of its own."""

    def __init__(self) -> None:
        self.count = 0
        self.status = 200
        listener = self

        class Hears(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.count += self.path == "/ping/s3cret-part"
                self.send_response(listener.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hears)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/s3cret-part"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def beating(daemon: Any, listener: Listener, request: pytest.FixtureRequest) -> Any:
    """A daemon that beats each second and can be made to hang, started."""
    limit = getattr(request, "param", "30 seconds")
    daemon.write(
        "healer.yaml",
        f'environment: test\nmode: active\nheartbeat: {{url: {{secret: "env:BEAT"}}, every: 1 second, timeout: {limit}}}\n',
    )
    patches = daemon.base / "patches"
    patches.mkdir()
    (patches / "sitecustomize.py").write_text(HANGING.format(base=str(daemon.base)))
    daemon.variables |= {"BEAT": listener.url, "PYTHONPATH": str(patches)}
    daemon.start()
    return daemon.ready()


def why(daemon: Any) -> Any:
    return daemon.status()["heartbeat"]["why"]


def beats_on(listener: Listener, wait_for: Callable[..., None]) -> None:
    before = listener.count
    wait_for(lambda: listener.count >= before + 2, what="beats")


def test_it_beats_while_the_work_goes_on(beating: Any, listener: Listener, wait_for: Callable[..., None]) -> None:
    beats_on(listener, wait_for)
    shown = beating.status()["heartbeat"]
    assert (shown["every_s"], shown["why"], shown["last"] is None) == (1.0, None, False)
    assert beating.healer("pause", "--all", "--reason", "at work").returncode == 0
    beats_on(listener, wait_for)  # paused it decides and records: it lives
    assert beating.status()["state"] == "paused"

    listener.status = 500
    wait_for(lambda: why(beating) == "it does not arrive: it answers 500", what="the failure to be shown")
    listener.status = 200
    wait_for(lambda: why(beating) is None, what="the next beat")
    beating.kill()
    gone = listener.count
    beating.start()
    beating.ready()
    wait_for(lambda: listener.count > gone, what="beats of the next process")
    assert "s3cret-part" not in beating.said()
    assert beating.said().count("it does not arrive") == 1


def misses(daemon: Any, wait_for: Callable[..., None]) -> None:
    def missed() -> int:
        return int(daemon.status()["counters"].get("heartbeats_missed", 0))

    before = missed()
    wait_for(lambda: missed() > before, what="one more that is not sent")


@pytest.mark.parametrize("beating", ["2 seconds"], indirect=True)
@pytest.mark.parametrize(("part", "says"), [
    ("Decider", "none is sent: the decider's loop has not turned within 2 s"),
    ("Dispatcher", "none is sent: the dispatcher's loop has not turned within 2 s"),
])  # fmt: skip
def test_it_is_silent_while_a_part_hangs(
    beating: Any, listener: Listener, wait_for: Callable[..., None], part: str, says: str
) -> None:
    beats_on(listener, wait_for)
    stop = beating.base / f"hang-{part}"
    stop.touch()
    wait_for(lambda: why(beating) == says, what="the stall to be seen")
    misses(beating, wait_for)  # the last that was sent may still be on its way
    silent = listener.count
    misses(beating, wait_for)
    assert listener.count == silent
    assert beating.get("/livez")[0] == 200
    stop.unlink()
    wait_for(lambda: listener.count > silent, what="beats again")
    assert beating.stop() == 0
    assert beating.said().count(says) >= 1
