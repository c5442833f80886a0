"""`check`: looks at a disk, a process or a URL every so often, and tells when it goes wrong and when it is well again.

For machines that no monitoring watches, and for the watching itself. The probes stand in `_probes`, when to tell in
`_level`; here are the options and the task that the supervisor runs.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
import time
from typing import Annotated, Any, ClassVar, Literal

import pydantic

from healer import plugins
from healer.sources import _level, _probes

Percent = Annotated[float, pydantic.Field(gt=0, le=100)]
Text = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$"),
    plugins.Wanted("a text without line breaks and control characters"),
]
Url = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^https?://[^\s/]+[^\s]*$", max_length=2048),
    plugins.Wanted("a URL like https://host/path"),
]
Times = Annotated[int, pydantic.Field(ge=1, le=1000)]
Interval = Annotated[plugins.Duration, pydantic.Field(ge=0.5, le=86400)]
Timeout = Annotated[plugins.Duration, pydantic.Field(ge=0.1, le=300)]


class Disk(plugins.Options):
    """How full a file system is, or how much of `max_bytes` the files of a folder take."""

    path: Text
    used_percent_max: Percent | None = pydantic.Field(
        None, description="fires above it; default 90, or 100 of max_bytes"
    )
    max_bytes: Annotated[plugins.Size, pydantic.Field(ge=1)] | None = pydantic.Field(
        None, description="measure the folder's own files, in percent of so many bytes"
    )
    clear_percent: Percent | None = pydantic.Field(None, description="resolved only below it")

    @pydantic.model_validator(mode="after")
    def _hysteresis(self) -> Disk:
        if self.clear_percent is not None and self.clear_percent > self.limit:
            raise ValueError(f"clear_percent has to be at most used_percent_max ({self.limit:g})")
        return self

    @property
    def limit(self) -> float:
        """The percentage that counts as too full."""
        if self.used_percent_max is not None:
            return self.used_percent_max
        return 100.0 if self.max_bytes is not None else 90.0


class Process(plugins.Options):
    """Whether a process runs: one of the keys."""

    _one_of: ClassVar[tuple[str, ...]] = ("name", "pidfile")
    model_config = pydantic.ConfigDict(json_schema_extra=plugins.exactly_one(*_one_of))

    name: Text | None = pydantic.Field(None, description="the name of its program, as ps shows it")
    pidfile: Text | None = pydantic.Field(None, description="a file with its number")


class Http(plugins.Options):
    """What a GET of a URL answers."""

    url: Url
    status: Annotated[int, pydantic.Field(ge=100, le=599)] | None = pydantic.Field(None, description="default: any 2xx")
    timeout: Timeout = pydantic.Field(10.0, description="until the whole answer is there")
    contains: Text | None = pydantic.Field(None, description="a text that the first MiB of the body has to have")


class CheckOptions(plugins.Options):
    """The options of `check`."""

    _one_of: ClassVar[tuple[str, ...]] = ("disk", "process", "http")
    model_config = pydantic.ConfigDict(json_schema_extra=plugins.exactly_one(*_one_of))

    disk: Disk | None = pydantic.Field(None, description="how full a disk or a folder is")
    process: Process | None = pydantic.Field(None, description="whether a process runs")
    http: Http | None = pydantic.Field(None, description="what a URL answers")
    name: Text | None = pydantic.Field(None, description="of the alert; default DiskFull, ProcessDown or HttpDown")
    target: Text | None = pydantic.Field(None, description="what is to be healed; default the name of this machine")
    severity: Literal["critical", "error", "warning", "info"] = pydantic.Field("warning", description="of the alert")
    labels: dict[Text, str] = pydantic.Field(default_factory=dict, description="labels of the alert beside ours")
    interval: Interval = pydantic.Field(60.0, description="from one reading to the next")
    failures: Times = pydantic.Field(1, description="bad readings in a row until it fires")
    successes: Times = pydantic.Field(1, description="good readings in a row until it is resolved")
    repeat: Interval = pydantic.Field(3600.0, description="a firing alert is told again so often")

    async def probe(self) -> plugins.Reading:
        """One reading now. Raises `_probes.Blind` if nothing can be read."""
        reading: plugins.Reading
        if self.disk:
            reading = await _probes.disk(self.disk.path, self.disk.limit, self.disk.max_bytes)
        elif self.process:
            reading = await _probes.process(self.process.name, self.process.pidfile)
        else:
            assert self.http is not None  # noqa: S101 - the validator holds it
            reading = await _probes.http(self.http.url, self.http.status, self.http.timeout, self.http.contains)
        return reading

    def subject(self) -> tuple[str, str, str]:
        """(the alert's name, the kind of the probe, what it looks at)"""
        if self.disk:
            return self.name or "DiskFull", "disk", self.disk.path
        if self.process:
            return self.name or "ProcessDown", "process", self.process.name or str(self.process.pidfile)
        return self.name or "HttpDown", "http", self.http.url if self.http else ""


class Check(plugins.Source):
    """The source itself: readings go through a `Level`, what it tells is emitted."""

    Options = CheckOptions
    resolves = True

    def __init__(self, options: CheckOptions, context: plugins.SourceContext) -> None:
        super().__init__(options, context)
        disk = options.disk
        clear_below = disk.clear_percent if disk else None
        rules = _level.Rules(options.failures, options.successes, clear_below, options.repeat)
        self.level = _level.Level(rules)
        self._blind = ""

    async def run(self, emit: plugins.Emit) -> None:
        """Look every `interval`, until cancelled. A change counts as told only once it is in the journal."""
        while True:
            started = asyncio.get_running_loop().time()
            if told := await self._look():
                await emit([self.event(told)])
            spent = asyncio.get_running_loop().time() - started
            await asyncio.sleep(max(0.0, self.options.interval - spent))

    async def _look(self) -> Any:
        try:
            reading = await self.options.probe()
        except _probes.Blind as error:
            if str(error) != self._blind:  # said once, not each minute
                self.context.log("WARNING", f"check {self.context.name} cannot look: {error}")
            self._blind = str(error)
            return None
        self._blind = ""
        return self.level.take(reading, time.time())

    def event(self, told: _level.Told) -> dict[str, Any]:
        """The event of what is told: an alert with its lifecycle."""
        name, kind, subject = self.options.subject()
        target = self.options.target or socket.gethostname()
        since = datetime.datetime.fromtimestamp(told.since, datetime.UTC)
        ours = {"alertname": name, "instance": target, "check": kind, kind: subject, "severity": self.options.severity}
        return {
            "alert": {
                "name": name,
                "target": target,
                "status": told.status,
                "severity": self.options.severity,
                "severity_raw": self.options.severity,
                "key": f"{name}/{target}/{kind}:{subject}",
                "started_at": since.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "summary": told.reading.detail,
                "link": "",
                "labels": {**self.options.labels, **ours},
            },
            "check": {"value": told.reading.value, "detail": told.reading.detail},
        }


SOURCE = Check
