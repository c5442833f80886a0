"""The source `check` at work: on folders that fill, and with a check of the project's own. What each check sees: tests/checks/."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from healer import config, plugins
from healer.sources import check


def options(**given: Any) -> Any:
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


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "exactly one of 'disk', 'http' and 'process'"),
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


# --- checks of the project's own ----------------------------------------------------------------------------------------

LAMP = """
import pathlib
from healer import plugins

class LampOptions(plugins.Options):
    file: str

class Lamp(plugins.Check):
    \"\"\"Whether a lamp is on.\"\"\"

    Options = LampOptions
    alert = "LampOff"

    async def look(self):
        path = pathlib.Path(self.options.file)
        if not path.exists():
            raise plugins.Blind("there is no lamp")
        on = path.read_text() == "on"
        return plugins.Reading(on, float(on), "it is " + path.read_text())

    def subject(self):
        return "the lamp"

CHECK = Lamp
"""


@pytest.fixture
def project_dir(tmp_path: pathlib.Path) -> pathlib.Path:
    """With a check `lamp`, and one that nobody names and that cannot be imported."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "lamp.py").write_text(LAMP)
    (tmp_path / "checks" / "broken.py").write_text("1 / 0\n")
    return tmp_path


async def test_a_projects_check_fires_and_resolves(
    project_dir: pathlib.Path, wait_for_async: Callable[..., Awaitable[None]]
) -> None:
    lamp, journal, said = project_dir / "state", Journal(), list[str]()
    given = {"lamp": {"file": str(lamp)}, "interval": "500ms", "target": "hall"}
    made = plugins.made_of(check.Check.options_for(given, project_dir), given)
    async with running(check.Check(made, context(project_dir, said)), journal):
        await wait_for_async(lambda: said)
        lamp.write_text("off")
        await wait_for_async(lambda: journal.alerts)
        lamp.write_text("on")
        await wait_for_async(lambda: len(journal.alerts) == 2)
    assert said == ["WARNING check disk cannot look: there is no lamp"]
    assert [(one["status"], one["key"], one["summary"]) for one in journal.alerts] == [
        ("firing", "LampOff/hall/lamp:the lamp", "it is off"),
        ("resolved", "LampOff/hall/lamp:the lamp", "it is on"),
    ]
    assert (journal.alerts[0]["labels"]["check"], journal.alerts[0]["labels"]["lamp"]) == ("lamp", "the lamp")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"lmap": {"file": "x"}}, "the key 'lmap' is not known here"),
        ({"lamp": {"flie": "x"}}, "the key 'flie' is not known here"),
        (
            {"lamp": {"file": "x"}, "disk": {"path": "/"}},
            "exactly one of 'disk', 'http', 'process', 'broken' and 'lamp'",
        ),
        ({"lamp": {"file": "x"}, "failures": 0}, "at least 1 is wanted, got 0"),
    ],
)
def test_wrong_options_of_a_projects_check_are_told(project_dir: pathlib.Path, given: Any, says: str) -> None:
    document = config.read_text("", "x.yml")
    shape = check.Check.options_for(given, project_dir)
    assert plugins.check_options(document, shape, given, None, "check") is None
    assert says in " ".join(found.message for found in document.diagnostics)
    near = " ".join(found.try_ for found in document.diagnostics)
    assert ("did you mean 'lamp'?" in near) is ("lmap" in given)


def test_only_what_is_named_is_imported(project_dir: pathlib.Path) -> None:
    given = {"disk": {"path": "/"}, "interval": "1m"}
    assert check.Check.options_for(given, project_dir) is check.CheckOptions
    assert check.Check.options_for(None, project_dir) is check.CheckOptions
    with pytest.raises(plugins.BrokenPlugin, match="ZeroDivisionError"):
        check.Check.options_for({"broken": {}}, project_dir)
