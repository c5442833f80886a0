"""The source `check` against real disks, processes and a real HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp.web
import pytest

from healer import config, plugins
from healer.sources import _probes, check


def options(**given: Any) -> check.CheckOptions:
    return check.CheckOptions.model_validate(given)


def context(tmp_path: pathlib.Path, said: list[str] | None = None) -> plugins.SourceContext:
    def resolve(reference: plugins.SecretRef) -> Any:
        raise AssertionError("a check has no secrets")

    def log(level: str, message: str) -> None:
        if said is not None:
            said.append(f"{level} {message}")

    return plugins.SourceContext("disk", tmp_path, resolve, log)


class Journal:
    """Keeps what is emitted."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []

    async def __call__(self, events: Sequence[Mapping[str, Any]]) -> Sequence[int]:
        self.alerts += [dict(event["alert"]) for event in events]
        return list(range(1, len(events) + 1))


@contextlib.asynccontextmanager
async def running(source: check.Check, journal: Journal) -> AsyncIterator[None]:
    task = asyncio.create_task(source.run(journal))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_folder_over_its_quota_fires_and_resolves(
    tmp_path: pathlib.Path, wait_for_async: Callable[..., Awaitable[None]]
) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "big").write_bytes(b"x" * 2000)
    made = options(disk={"path": str(folder), "max_bytes": 1000}, target="web1", interval="500 milliseconds")
    journal = Journal()
    async with running(check.Check(made, context(tmp_path)), journal):
        await wait_for_async(lambda: journal.alerts)
        (folder / "deep" / "big").unlink()
        await wait_for_async(lambda: len(journal.alerts) == 2)
    firing, resolved = journal.alerts
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert firing["key"] == resolved["key"] == f"DiskFull/web1/disk:{folder}"
    assert (firing["name"], firing["target"]) == ("DiskFull", "web1")
    assert firing["labels"]["alertname"] == "DiskFull"
    assert "200.0 % full" in firing["summary"]


async def test_what_cannot_be_read_is_said_once_and_tells_nothing(
    tmp_path: pathlib.Path, wait_for_async: Callable[..., Awaitable[None]]
) -> None:
    said: list[str] = []
    folder = tmp_path / "later"
    made = options(disk={"path": str(folder), "max_bytes": "1 KiB"}, interval="500ms")
    journal = Journal()
    async with running(check.Check(made, context(tmp_path, said)), journal):
        await wait_for_async(lambda: said)
        folder.mkdir()
        await wait_for_async(lambda: journal.alerts)
    assert len(said) == 1
    assert str(folder) in said[0]
    assert [alert["status"] for alert in journal.alerts] == ["resolved"]


async def test_disk_reads_the_file_system(tmp_path: pathlib.Path) -> None:
    reading = await _probes.disk(str(tmp_path), 100.0, None)
    assert reading.ok
    assert reading.value is not None
    assert 0 < reading.value <= 100
    with pytest.raises(_probes.Blind):
        await _probes.disk(str(tmp_path / "none"), 90.0, None)


async def test_links_are_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 5000)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "big")
    (folder / "loop").symlink_to(folder)
    assert (await _probes.disk(str(folder), 100.0, 1000)).value == 0.0


async def test_process_by_pidfile(tmp_path: pathlib.Path) -> None:
    pidfile = tmp_path / "pid"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pidfile.write_text(f"{child.pid}\n")
    assert (await _probes.process(None, str(pidfile))).ok
    child.communicate(b"\n")
    assert not (await _probes.process(None, str(pidfile))).ok


@pytest.mark.parametrize("text", ["", "abc", "-1", "1 2", "9" * 500])
async def test_a_pidfile_with_something_else_is_no_process(tmp_path: pathlib.Path, text: str) -> None:
    pidfile = tmp_path / "pid"
    pidfile.write_text(text)
    assert not (await _probes.process(None, str(pidfile))).ok
    assert not (await _probes.process(None, str(tmp_path / "none"))).ok


async def test_a_zombie_does_not_run(tmp_path: pathlib.Path, wait_for_async: Callable[..., Awaitable[None]]) -> None:
    pidfile = tmp_path / "pid"
    child = subprocess.Popen([sys.executable, "-c", ""])
    pidfile.write_text(str(child.pid))
    state = pathlib.Path("/proc", str(child.pid), "stat")
    await wait_for_async(lambda: ") Z " in state.read_text())
    assert not (await _probes.process(None, str(pidfile))).ok
    child.wait()


async def test_process_by_name(tmp_path: pathlib.Path, wait_for_async: Callable[..., Awaitable[None]]) -> None:
    program = tmp_path / "probed-service-with-a-long-name"
    program.symlink_to("/bin/cat")
    assert not (await _probes.process(program.name, None)).ok
    child = subprocess.Popen([program], stdin=subprocess.PIPE)
    comm = pathlib.Path("/proc", str(child.pid), "comm")
    await wait_for_async(lambda: comm.read_text().startswith("probed-service"))
    reading = await _probes.process(program.name, None)
    assert reading.ok
    assert str(child.pid) in reading.detail
    child.communicate()


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[str]:
    async def health(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=int(request.query.get("status", "200")), text="all is well")

    async def away(request: aiohttp.web.Request) -> aiohttp.web.Response:
        raise aiohttp.web.HTTPFound(request.query["to"])

    async def slow(request: aiohttp.web.Request) -> aiohttp.web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = aiohttp.web.Application()
    app.add_routes([aiohttp.web.get("/health", health), aiohttp.web.get("/away", away), aiohttp.web.get("/slow", slow)])
    runner = aiohttp.web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_http_looks_at_status_text_time_and_redirects() -> None:
    async with server() as url:
        assert (await _probes.http(f"{url}/health", None, 10, None)).ok
        assert not (await _probes.http(f"{url}/health?status=503", None, 10, None)).ok
        assert (await _probes.http(f"{url}/health?status=404", 404, 10, None)).ok
        assert (await _probes.http(f"{url}/health", 200, 10, "is well")).ok
        assert not (await _probes.http(f"{url}/health", 200, 10, "is ill")).ok
        assert (await _probes.http(f"{url}/away?to=/health", None, 10, "well")).ok
        assert (await _probes.http(f"{url}/away?to=http://elsewhere.invalid/", 302, 10, None)).ok
        elsewhere = await _probes.http(f"{url}/away?to=http://elsewhere.invalid/", None, 10, None)
        assert not elsewhere.ok
        assert "another host" in elsewhere.detail
        assert not (await _probes.http(f"{url}/away?to=/away?to=/away", None, 10, None)).ok
        late = await _probes.http(f"{url}/slow", None, 0.1, None)
        assert "did not answer" in late.detail
    assert not (await _probes.http(url, None, 10, None)).ok


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "exactly one of 'disk', 'process' and 'http'"),
        ({"disk": {"path": "/"}, "http": {"url": "http://x/"}}, "exactly one of"),
        ({"disk": {"path": "/", "used_percent_max": 0}}, "more than 0 is wanted, got 0"),
        ({"disk": {"path": "/", "clear_percent": 95}}, "clear_percent has to be at most"),
        ({"process": {}}, "exactly one of 'name' and 'pidfile'"),
        ({"http": {"url": "file:///etc/passwd"}}, "a URL like https://host/path is wanted"),
        ({"disk": {"path": "/"}, "interval": "0s"}, "at least 500 milliseconds"),
        ({"disk": {"path": "/"}, "failures": "3"}, "a whole number"),
        ({"disk": {"path": "/"}, "intervall": "1m"}, "'intervall' is not known here"),
    ],
)
def test_wrong_options_are_told(given: dict[str, Any], says: str) -> None:
    document = config.read_text("", "x.yml")
    assert plugins.check_options(document, check.CheckOptions, given, None, "check") is None
    assert says in " ".join(found.message for found in document.diagnostics)


def test_options_as_yaml_gives_them() -> None:
    text = "disk: {path: /var, used_percent_max: 85, clear_percent: 80}\ninterval: 5 minutes\nlabels: {team: web}\n"
    document = config.read_text(text, "x.yml")
    made = plugins.check_options(document, check.CheckOptions, document.value, None, "check")
    assert not document.diagnostics
    assert (made.disk.limit, made.interval, made.labels) == (85, 300.0, {"team": "web"})


def test_the_machines_name_is_the_target_by_default(tmp_path: pathlib.Path) -> None:
    source = check.Check(options(process={"name": "sshd"}), context(tmp_path))
    told = check._level.Told("firing", 0.0, plugins.Reading(False, 0.0, "gone"))
    assert source.event(told)["alert"]["target"] == os.uname().nodename
    assert source.event(told)["alert"]["started_at"] == "1970-01-01T00:00:00.000Z"
