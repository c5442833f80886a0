"""Real sources and filters of event-driven Ansible in real child processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
import pytest

from healer import errors, supervise
from healer.project import listeners, locating
from healer.supervise import eda
from tests import ports, processes

WaitFor = Callable[..., Awaitable[None]]


class Journal:
    """Keeps what is emitted; `gate` holds commits back, `refuse` says which events are none."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuse: Callable[[Mapping[str, Any]], bool] = lambda _: False
        self.full = 0

    async def __call__(self, events: Sequence[Mapping[str, Any]]) -> Sequence[int]:
        await self.gate.wait()
        if self.full:
            self.full -= 1
            raise errors.BacklogFull(backlog=1, limit=1)
        if any(self.refuse(event) for event in events):
            raise errors.InvalidField(field="i", detail="refused")
        self.events += [dict(event) for event in events]
        self.batches.append(len(events))
        return list(range(len(self.events)))


class Bench:
    """Makes sources of a project folder, and keeps what they say."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.journal = Journal()
        self.said: list[str] = []

    def plugin(self, text: str, name: str = "mine") -> None:
        (self.folder / "sources").mkdir(exist_ok=True)
        (self.folder / "sources" / f"{name}.py").write_text(text)

    def source(
        self,
        type_name: str,
        args: Mapping[str, Any] | None = None,
        *filters: tuple[str, Mapping[str, Any]],
        env: Mapping[str, str] | None = None,
    ) -> supervise.EdaSource:
        located = locating.locate(type_name, self.folder)
        assert located.kind == "eda"
        paths = [(locating.locate_filter(name, self.folder), options) for name, options in filters]
        log = lambda level, message: self.said.append(f"{level} {message}")  # noqa: E731
        return supervise.EdaSource(located, args, paths, self.folder, log, os.environ, env)

    async def run(self, *given: Any, **more: Any) -> list[dict[str, Any]]:
        await asyncio.wait_for(self.source(*given, **more).run(self.journal), 60)
        return self.journal.events


@pytest.fixture
async def bench(tmp_path: pathlib.Path) -> Bench:
    return Bench(tmp_path)


@contextlib.asynccontextmanager
async def running(source: supervise.EdaSource, journal: Journal) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(source.run(journal))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, supervise.SourceDied):
            await task


@pytest.mark.parametrize("name", ["range", "eda.builtin.range", "ansible.eda.range"])
async def test_range(bench: Bench, name: str) -> None:
    assert await bench.run(name, {"limit": 5}) == [{"i": i} for i in range(5)]


async def test_generic_with_payload_and_loops(bench: Bench) -> None:
    args = {"payload": [{"a": 1}, {"b": {"c": "ü"}}], "loop_count": 2, "create_index": "n"}
    events = await bench.run("ansible.eda.generic", args)
    assert events == [{"a": 1, "n": 0}, {"b": {"c": "ü"}, "n": 1}, {"a": 1, "n": 2}, {"b": {"c": "ü"}, "n": 3}]


async def test_filters_in_their_order(bench: Bench) -> None:
    args = {"payload": [{"a-b": {"c-d": 1}, "secret": "x", "hosts": "web1,web2"}]}
    events = await bench.run(
        "generic",
        args,
        ("ansible.eda.json_filter", {"exclude_keys": ["secret"]}),
        ("eda.builtin.dashes_to_underscores", {}),
        ("insert_hosts_to_meta", {"host_path": "hosts", "host_separator": ","}),
    )
    assert events == [{"a_b": {"c_d": 1}, "hosts": "web1,web2", "meta": {"hosts": ["web1", "web2"]}}]


async def test_splitter_makes_several_and_normalize_keys_sees_each(bench: Bench) -> None:
    args = {"payload": [{"items": [{"x.y": 1}, {"x.y": 2}], "of": "me"}]}
    events = await bench.run(
        "eda.builtin.generic",
        args,
        ("eda.builtin.event_splitter", {"splitter_key": "items", "attributes_key_map": {"by": "of"}}),
        ("eda.builtin.normalize_keys", {}),
    )
    assert events == [{"x_y": 1, "by": "me"}, {"x_y": 2, "by": "me"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def main(event):\n    return event['x']\n", "KeyError: 'x' (in the filter 2 of 2, {path})"),
        ("def main(event):\n    raise SystemExit(3)\n", "RuntimeError: SystemExit: 3 (in the filter 2 of 2, {path})"),
        ("def main():\n    pass\n", "(in the filter 2 of 2, {path})"),
        ("1 / 0\n", "ZeroDivisionError: division by zero (in the filter 2 of 2, {path})"),
        ("other = 1\n", "TypeError: the filter {path} has no function main (in the filter 2 of 2, {path})"),
    ],
)
async def test_a_filter_that_fails_is_named_with_its_place(bench: Bench, text: str, says: str) -> None:
    path = bench.folder / "filters" / "odd.py"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(supervise.SourceDied) as caught:
        await bench.run("range", {"limit": 1}, ("eda.builtin.dashes_to_underscores", {}), ("odd", {}))
    assert says.format(path=path) in caught.value.message


async def test_a_source_that_goes_on_after_its_filter_failed_logs_which_one(bench: Bench) -> None:
    (bench.folder / "filters").mkdir()
    (bench.folder / "filters" / "odd.py").write_text("def main(event):\n    return event['x']\n")
    bench.plugin(
        "import logging\n"
        "async def main(queue, args):\n"
        "    try:\n"
        "        await queue.put({'a': 1})\n"
        "    except KeyError as error:\n"
        "        logging.getLogger('theirs').exception('lost one')\n"
        "        await queue.put({'x': {'b': 2}})\n"
    )
    assert await bench.run("mine", {}, ("odd", {})) == [{"b": 2}]
    assert any("lost one: KeyError: 'x' (in the filter 1 of 1, " in line for line in bench.said)


async def posted(url: str, body: Any) -> int:
    """The status of a POST, tried until the server listens."""
    end = time.monotonic() + 30
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.post(url, json=body) as answer:
                    return answer.status
            except aiohttp.ClientConnectorError:
                assert time.monotonic() < end
                await asyncio.sleep(0)


async def test_webhook_answers_only_once_the_journal_has_it(bench: Bench, wait_for_async: WaitFor) -> None:
    port = ports.free()
    bench.journal.gate.clear()
    source = bench.source("ansible.eda.webhook", {"host": "127.0.0.1", "port": port})
    async with running(source, bench.journal):
        answer = asyncio.create_task(posted(f"http://127.0.0.1:{port}/alerts", {"x": 1}))
        done, _ = await asyncio.wait({answer}, timeout=1)
        assert not done
        bench.journal.gate.set()
        assert await answer == 200
    [event] = bench.journal.events
    assert (event["payload"], event["meta"]["endpoint"]) == ({"x": 1}, "alerts")


async def test_a_listener_runs_once_its_port_answers(bench: Bench) -> None:
    port, ran = ports.free(), asyncio.Event()
    source = bench.source("ansible.eda.webhook", {"host": "127.0.0.1", "port": port})
    source._listens = listeners.Address("0.0.0.0", port)
    source.on_running = ran.set
    async with running(source, bench.journal):
        await asyncio.wait_for(ran.wait(), 60)
        with socket.socket() as sender:
            sender.connect(("127.0.0.1", port))
    assert f"INFO ansible.eda.webhook: listens on 127.0.0.1, port {port}" in bench.said


async def test_a_source_without_a_port_runs_once_its_child_says_so(bench: Bench, wait_for_async: WaitFor) -> None:
    bench.plugin(
        "import asyncio\n"
        "open('go').read()\n"
        "async def main(queue, args):\n    await queue.put({'x': 1})\n    await asyncio.Event().wait()\n"
    )
    os.mkfifo(bench.folder / "go")
    source = bench.source("mine")
    told: list[int] = []
    descriptors: list[int] = []
    source.on_running = lambda: told.append(len(bench.journal.events))

    def opened() -> int:
        with contextlib.suppress(OSError):  # nobody reads it yet
            return os.open(bench.folder / "go", os.O_WRONLY | os.O_NONBLOCK)
        return 0

    async with running(source, bench.journal):
        await wait_for_async(lambda: descriptors.append(opened()) or descriptors[-1])
        assert told == []
        os.close(descriptors[-1])
        await wait_for_async(lambda: bench.journal.events)
    assert told == [0]


async def test_a_port_that_nobody_answers_at_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eda, "LISTENING_MAX_S", 0.01)
    bench.plugin("import asyncio\nasync def main(queue, args):\n    await asyncio.Event().wait()\n")
    source = bench.source("mine")
    source._listens = listeners.Address("127.0.0.1", ports.free())
    ran = asyncio.Event()
    source.on_running = ran.set
    async with running(source, bench.journal):
        await asyncio.wait_for(ran.wait(), 60)
    assert bench.said == [f"WARNING mine: nobody answers on 127.0.0.1, port {source._listens.port}, yet"]


async def test_values_without_a_json_form(bench: Bench) -> None:
    bench.plugin(
        "import datetime, pathlib\n"
        "async def main(queue, args):\n"
        "    at, path = datetime.datetime(2026, 1, 2), pathlib.Path('/x')\n"
        "    await queue.put({'at': at, 'raw': b'abc', 'pair': (1, 2), 'path': path})\n"
        "    bad = [{1}, float('nan'), 1 << 64, '\\ud800', '\\0', b'\\xff']\n"
        "    for bad in ['text', *({'x': value} for value in bad)]:\n"
        "        try:\n"
        "            await queue.put(bad)\n"
        "        except ValueError as error:\n"
        "            await queue.put({'refused': str(error)})\n"
    )
    first, *refused = await bench.run("mine")
    assert first == {"at": "2026-01-02T00:00:00", "raw": "abc", "pair": [1, 2], "path": "/x"}
    assert [list(event) for event in refused] == [["refused"]] * 7
    assert sum("an event is refused" in line for line in bench.said) == 7


async def test_many_puts_are_batched_and_put_nowait_is_bounded(bench: Bench) -> None:
    bench.plugin(
        "import asyncio\n"
        "async def main(queue, args):\n"
        "    await asyncio.gather(*(queue.put({'i': i}) for i in range(3000)))\n"
        "    try:\n"
        "        for i in range(100000):\n"
        "            queue.put_nowait({'n': i})\n"
        "    except asyncio.QueueFull:\n"
        "        pass\n"
    )
    events = await bench.run("mine")
    assert sorted(event["i"] for event in events if "i" in event) == list(range(3000))
    assert len(bench.journal.batches) < 100
    assert sum("n" in event for event in events) == 1000


async def test_a_refused_event_loses_no_other(bench: Bench) -> None:
    bench.journal.refuse = lambda event: event["i"] == 3
    bench.plugin(
        "import asyncio\n"
        "async def main(queue, args):\n"
        "    await asyncio.gather(*(queue.put({'i': i}) for i in range(9)))\n"
    )
    assert [event["i"] for event in await bench.run("mine")] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert any("an event is refused: i: refused" in line for line in bench.said)


async def test_a_full_journal_makes_the_source_wait(bench: Bench) -> None:
    bench.journal.full = 1
    assert len(await bench.run("range", {"limit": 2})) == 2
    assert any("waits" in line for line in bench.said)


async def test_failure_is_told_with_the_last_lines(bench: Bench) -> None:
    bench.plugin("async def main(queue, args):\n    print('on my way, password=pa55')\n    raise KeyError('port')\n")
    with pytest.raises(supervise.SourceDied) as caught:
        await bench.run("mine")
    assert "KeyError: 'port'" in str(caught.value)
    assert "on my way, password=***" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import os, signal\nasync def main(queue, args):\n    os.kill(os.getpid(), signal.SIGKILL)\n", "signal 9"),
        ("async def main(queue, args):\n    raise SystemExit(3)\n", "SystemExit: 3"),
        ("import nothing_of_this_name\nasync def main(queue, args): ...\n", "ModuleNotFoundError"),
        ("async def main(queue):\n    pass\n", "TypeError"),
    ],
)
async def test_deaths(bench: Bench, text: str, says: str) -> None:
    bench.plugin(text)
    with pytest.raises(supervise.SourceDied, match=says):
        await bench.run("mine")


async def test_environment_is_an_allow_list_and_what_is_given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEMONS_OWN_SECRET", "x")
    bench.plugin("import os\nasync def main(queue, args):\n    await queue.put(dict(os.environ))\n")
    [event] = await bench.run("mine", env={"GIVEN": "yes"})
    assert "DAEMONS_OWN_SECRET" not in event
    assert event["GIVEN"] == "yes"
    assert event["PATH"] == os.environ["PATH"]


BLOCKED = (
    "import os, time, subprocess\n"
    "async def main(queue, args):\n"
    "    child = subprocess.Popen(['sleep', '600'])\n"
    "    await queue.put({'pid': os.getpid(), 'child': child.pid})\n"
    "    time.sleep(600)\n"
)


async def test_stopping_ends_a_blocked_source_and_its_children(bench: Bench, wait_for_async: WaitFor) -> None:
    bench.plugin(BLOCKED)
    async with running(bench.source("mine"), bench.journal):
        await wait_for_async(lambda: bench.journal.events)
    [event] = bench.journal.events
    await wait_for_async(lambda: not processes.runs(event["pid"]) and not processes.runs(event["child"]))


async def test_the_daemons_death_ends_a_blocked_source_and_its_children(bench: Bench, wait_for_async: WaitFor) -> None:
    """What the daemon's death does to the child is that its end of the socket closes; a forked daemon shows it."""
    bench.plugin(BLOCKED)
    record = bench.folder / "pids"
    program = (
        "import asyncio, json, os, pathlib, sys\n"
        "from healer import supervise\n"
        "from healer.project import locating\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "async def emit(events):\n"
        "    (folder / 'new').write_text(json.dumps(events[0])); (folder / 'new').rename(folder / 'pids'); return [1]\n"
        "source = supervise.EdaSource(locating.locate('mine', folder), {}, [], folder, lambda *_: None, os.environ)\n"
        "asyncio.run(source.run(emit))\n"
    )
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(bench.folder))
    await wait_for_async(record.exists)
    daemon.send_signal(signal.SIGKILL)
    await daemon.wait()
    event = json.loads(record.read_text())
    await wait_for_async(lambda: not processes.runs(event["pid"]) and not processes.runs(event["child"]))


async def test_logging_of_the_plugin_reaches_the_log(bench: Bench) -> None:
    bench.plugin(
        "import logging, asyncio\n"
        "async def main(queue, args):\n"
        "    logging.getLogger('kafka').warning('lost %s', 'broker')\n"
        "    print('printed')\n"
        "    await asyncio.sleep(0)\n"
    )
    await bench.run("mine")
    assert any(line == "WARNING mine: kafka: lost broker" for line in bench.said)


async def test_sources_see_no_jvm(bench: Bench) -> None:
    bench.plugin(
        "import sys\n"
        "async def main(queue, args):\n"
        "    names = ('drools', 'jpy', 'ansible_rulebook', 'healer')\n"
        "    await queue.put({'has': [name for name in names if name in sys.modules]})\n"
    )
    assert await bench.run("mine") == [{"has": []}]
