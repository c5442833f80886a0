"""Large bodies: real children give what reading here gives; what goes wrong is told, bounded, and leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import orjson
import pytest
from loguru import logger

from healer import errors, plugins
from healer.intake import strict
from healer.web import bodies, heavy, heavy_child, tally

Wait = Callable[..., Awaitable[None]]
ALERT = {"status": "firing", "labels": {"alertname": "DiskFull", "instance": "web1:9100"}}
GROUP = {"version": "4", "receiver": "healer", "groupLabels": {"alertname": "DiskFull"}, "truncatedAlerts": 3}
MAPPING = {
    "each": "items",
    "fields": {"name": "what", "target": ["host", "/site"], "status": "is"},
    "statuses": {"bust": "firing"},
}
TRUNCATED = orjson.dumps({**GROUP, "alerts": [ALERT, {**ALERT, "fingerprint": "f"}, 7, {**ALERT, "status": 1}, {}]})
ITEMS = orjson.dumps(
    {"site": "b", "items": [{"what": "Disk", "is": "bust"}, {"what": ["x"]}, {"what": "ü", "host": "h"}]}
)
LARGE = orjson.dumps(
    {**GROUP, "alerts": [{**ALERT, "annotations": {"n": str(n), "x": "y" * 400}} for n in range(2000)]}
)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What was logged."""
    found: list[str] = []
    sink = logger.add(lambda message: found.append(message.record["message"]), level="DEBUG")
    yield found
    logger.remove(sink)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`runs(code)`: what a child does instead."""

    def change(code: str) -> None:
        monkeypatch.setattr(heavy, "_CODE", textwrap.dedent(code))

    return change


def reading(expression: str, more: str = "") -> str:
    """A child with a format that reads `body` to the elements that are said."""
    return f"""
import os; os.nice(10)
from healer import errors, plugins
from healer.web import heavy_child
def read(body, headers):
    return {expression}
heavy_child.format_of = lambda *_: plugins.Format("toy", resolves=False, read=read{more})
heavy_child.main()
"""


def here(form: plugins.Format, headers: Mapping[str, str], body: bytes, is_form: bool) -> heavy.Read:
    """What the body is, read in this process."""
    value = bodies.form(body) if is_form else strict.parse(body)
    if (greeting := form.greeting(value, headers)) is not None:
        return heavy.Read(greeting)
    found = heavy.Read(remark=form.remark(value))
    for one in form.read(value, headers):
        if isinstance(one, plugins.Wrong):
            found.unread.append((one.value, tally.one_line(one.error.message)))
            continue
        key = one.event.get("alert", {}).get("key")
        found.events.append(({"alert": {"key": key}} if isinstance(key, str) else {}, orjson.dumps(one.event)))
        found.repeats.append(one.repeat)
        found.deliveries.append(one.delivery)
    return found


@pytest.mark.parametrize(
    ("name", "mapping", "body", "form"),
    [
        ("alertmanager", None, TRUNCATED, False),
        ("alertmanager", None, LARGE, False),
        ("alertmanager", None, b'{"alerts": [ ]}', False),
        ("generic", None, orjson.dumps({"name": "Disk", "key": "k" * 2000, "x": [1.5, None, "\u2028 ü"]}), False),
        ("generic", None, urllib.parse.urlencode({"payload": '{"a": "ü", "host": "h"}'}).encode(), True),
        ("own", MAPPING, ITEMS, False),
    ],
)
async def test_a_child_gives_what_reading_here_gives(
    name: str, mapping: dict[str, Any] | None, body: bytes, form: bool
) -> None:
    wanted = here(heavy_child.format_of(name, mapping), {"x-a": "b"}, body, form)
    assert await heavy.Heavy(timeout_s=300).read(name, mapping, {"x-a": "b"}, body, form) == wanted
    assert mapping is None or (len(wanted.events), len(wanted.unread)) == (2, 1)


async def test_the_headers_reach_the_format(runs: Callable[[str], None]) -> None:
    runs(reading('[plugins.Element({"is": headers["x-is"], "alert": {"key": 3}}, "w", "d")]'))
    read = await heavy.Heavy(timeout_s=300).read("toy", None, {"x-is": "ü"}, b"{}", False)
    assert read == heavy.Read(events=[({}, '{"is":"ü","alert":{"key":3}}'.encode())], repeats=["w"], deliveries=["d"])


async def test_a_greeting_comes_back(runs: Callable[[str], None]) -> None:
    more = ', greeting=lambda body, _: plugins.Greeting(body["told"], {"a": [1]}, "https://x/")'
    runs(reading("[]", more))
    read = await heavy.Heavy(timeout_s=300).read("toy", None, {}, b'{"told": "a \xc3\xbc"}', False)
    assert read == heavy.Read(plugins.Greeting("a ü", {"a": [1]}, "https://x/"))


@pytest.mark.parametrize(
    ("name", "body", "form"),
    [
        ("alertmanager", b'{"alerts": [1, }', False),
        ("alertmanager", b'{"alerts": [], "alerts": []}', False),
        ("alertmanager", b'{"\\ud800": 1, "\\ud800": 2}', False),
        ("alertmanager", b"[" * 100 + b"]" * 100, False),
        ("alertmanager", b'{"alerts": {}}', False),
        ("alertmanager", b"[]", False),
        ("generic", b"payload=1&payload=2", True),
        ("generic", b"%ff=\xff", True),
    ],
)
async def test_what_a_body_deserves_is_told_as_it_is_told_here(name: str, body: bytes, form: bool) -> None:
    with pytest.raises(errors.RequestError) as wanted:
        here(heavy_child.format_of(name, None), {}, body, form)
    with pytest.raises(heavy.Refused) as caught:
        await heavy.Heavy(timeout_s=300).read(name, None, {}, body, form)
    got, said = caught.value, wanted.value
    assert (got.code, got.status, got.message, got.try_) == (said.code, said.status, said.message, said.try_)
    assert type(got).code == errors.RequestError.code  # no other error is told as this one


async def test_problems_and_what_to_try_come_back(runs: Callable[[str], None]) -> None:
    problems = [{"field": "a", "detail": "b"}]
    error = f'errors.InvalidField("do that", field="a", detail="{{b}}", problems={problems})'
    runs(reading(f"(_ for _ in ()).throw({error})"))
    with pytest.raises(heavy.Refused) as caught:
        await heavy.Heavy(timeout_s=300).read("toy", None, {}, b"{}", False)
    got = caught.value
    assert (got.message, got.try_, got.fields["problems"]) == ("a: {b}", "do that", problems)


async def test_events_are_bounded_in_number_and_together(runs: Callable[[str], None]) -> None:
    many = b'{"alerts":[' + b"{}," * 10_000 + b"{}]}"
    with pytest.raises(heavy.Refused) as caught:
        await heavy.Heavy(timeout_s=300).read("alertmanager", None, {}, many, False)
    assert (caught.value.code, caught.value.status) == ("too-many-events", 413)
    runs(reading('[plugins.Element({"group": body})] * 1000'))
    with pytest.raises(heavy.Refused) as caught:
        await heavy.Heavy(timeout_s=300).read("toy", None, {}, b'"' + b"x" * 200_000 + b'"', False)
    assert (caught.value.code, caught.value.status) == ("too-large", 413)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit('bye')", "bye"),
        ("import os; os._exit(3)", "without a word, status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "status -9"),
        ("pass", "not whole"),
        ("import os, sys; os.write(int(sys.argv[1]), b'\\0\\0\\0\\7{}')", "not whole"),
        (reading("bytearray(2 << 30)"), "MemoryError"),
        (reading("print('x' * 100) or 1 / 0"), "ZeroDivisionError"),
        (
            reading("os.write(2, bytes(200 << 20)) / 0"),
            "\\x00",
        ),  # what it says is bounded too: there was no room for more
        (reading("[plugins.Element({'a': 2**70})]"), "range"),
    ],
)
async def test_a_child_that_dies_is_a_delivery_for_later(
    runs: Callable[[str], None], said: list[str], code: str, why: str
) -> None:
    runs(code)
    with pytest.raises(errors.Unavailable, match="ended before it was done"):
        await heavy.Heavy(timeout_s=300).read("toy", None, {}, LARGE, False)
    assert why in said[-1]


async def test_a_child_that_cannot_be_started_is_one_that_died(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(errors.Unavailable):
        await heavy.Heavy(timeout_s=300).read("generic", None, {}, b"{}", False)
    assert "cannot be started" in said[-1]


async def test_a_format_that_is_not_there_any_more_is_no_mistake_of_the_sender(said: list[str]) -> None:
    with pytest.raises(errors.Unavailable):
        await heavy.Heavy(timeout_s=300).read("nobodys", None, {}, b"{}", False)
    assert "nobodys" in said[-1]


@pytest.mark.parametrize("takes", ["signal.pause()", "sys.stdin.read(); signal.pause()"])
async def test_a_child_that_hangs_is_ended(runs: Callable[[str], None], said: list[str], takes: str) -> None:
    runs(f"import signal, sys; {takes}")
    with pytest.raises(errors.Unavailable):
        await heavy.Heavy(timeout_s=0.2).read("generic", None, {}, LARGE, False)
    assert "longer than 0.2 s" in said[-1]


async def test_a_child_is_bounded_and_steps_aside(runs: Callable[[str], None]) -> None:
    kinds = ("AS", "CPU", "CORE")
    found = ", ".join(f"resource.getrlimit(resource.RLIMIT_{kind})" for kind in kinds)
    last = "signal.alarm(0)"  # how long it may still live, whoever its parent is
    runs(
        "import resource, signal"
        + reading(f'[plugins.Element({{"limits": [{found}], "nice": os.nice(0), "last": {last}}})]')
    )
    read = await heavy.Heavy(timeout_s=29.5).read("toy", None, {}, b"{}", False)
    event = orjson.loads(read.events[0][1])
    assert event["limits"] == [[1 << 30] * 2, [30, 30], [0, 0]]
    assert event["nice"] == min(19, os.nice(0) + 10)
    assert 0 < event["last"] <= 35


async def test_who_is_cancelled_leaves_no_process(
    runs: Callable[[str], None], tmp_path: pathlib.Path, wait_for_async: Wait
) -> None:
    noted = tmp_path / "pid"
    runs(f"import os, pathlib, signal; pathlib.Path({str(noted)!r}).write_text(str(os.getpid())); signal.pause()")
    one = heavy.Heavy(at_once=1, timeout_s=300)
    reading_it = asyncio.create_task(one.read("generic", None, {}, LARGE, False))
    await wait_for_async(lambda: noted.is_file() and noted.read_text())
    reading_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading_it
    await wait_for_async(lambda: not pathlib.Path(f"/proc/{noted.read_text()}").exists())
    runs(reading("[]"))
    assert await one.read("toy", None, {}, b"{}", False) == heavy.Read()  # its place is free again


def test_what_is_ended_before_it_began_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = heavy._Asked(b"{}\n", b"", 600.0)
    asked.end("over")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert (asked.run(), asked.reason, asked._process) == (b"", "over", None)


def test_what_is_ended_while_it_begins_is_ended(runs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    runs("import sys; sys.stdin.read()")
    asked = heavy._Asked(b"{}\n", b"", 600.0)
    started = subprocess.Popen

    def start(*given: Any, **more: Any) -> subprocess.Popen[bytes]:
        process = started(*given, **more)
        asked.end("over")  # it is not told yet which process it is
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    assert (asked.run(), asked.reason) == (b"", "over")
    assert asked._process is not None
    assert asked._process.returncode == -signal.SIGKILL


async def test_the_line_is_bounded(runs: Callable[[str], None], tmp_path: pathlib.Path, wait_for_async: Wait) -> None:
    runs(f"import os, signal; open({str(tmp_path)!r} + f'/{{os.getpid()}}', 'w').close(); signal.pause()")
    busy = heavy.Heavy(at_once=2, timeout_s=300)
    tasks = [asyncio.create_task(busy.read("generic", None, {}, b"{}", False)) for _ in range(18)]
    await wait_for_async(lambda: len([*tmp_path.iterdir()]) == 2)
    with pytest.raises(errors.Unavailable, match="wait to be read"):
        await asyncio.wait_for(busy.read("generic", None, {}, b"{}", False), 30)
    assert not any(task.done() for task in tasks)
    tasks[5].cancel()  # one in the line goes away
    with contextlib.suppress(asyncio.CancelledError):
        await tasks[5]
    tasks.append(asyncio.create_task(busy.read("generic", None, {}, b"{}", False)))
    await asyncio.sleep(0)
    assert not tasks[-1].done()
    assert len([*tmp_path.iterdir()]) == 2
    for task in reversed(tasks):  # those in the line first: none of them comes to begin
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pids = [path.name for path in tmp_path.iterdir()]
    await wait_for_async(lambda: not any(pathlib.Path("/proc", pid).exists() for pid in pids))
    assert len(pids) == 2


async def test_who_waits_in_line_is_read_in_the_end() -> None:
    one = heavy.Heavy(at_once=1, timeout_s=300)
    four = [orjson.dumps({"name": f"n{number}"}) for number in range(4)]
    found = await asyncio.gather(*(one.read("generic", None, {}, body, False) for body in four))
    assert [orjson.loads(read.events[0][1])["alert"]["name"] for read in found] == ["n0", "n1", "n2", "n3"]
