"""`check`: looks at something every so often, and tells when it goes wrong and when it is well again.

For machines that no monitoring watches, and for the watching itself. What can be looked at are the plugins of `checks/`, each under
its own name; when to tell stands in `_level`; here are the other options and the task that the supervisor runs.
"""

from __future__ import annotations

import asyncio
import datetime
import pathlib
import socket
import time
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import pydantic

from healer import plugins
from healer.sources import _level

Text = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$"),
    plugins.Wanted("a text without line breaks and control characters"),
]
Times = Annotated[int, pydantic.Field(ge=1, le=1000)]
Interval = Annotated[plugins.Duration, pydantic.Field(ge=0.5, le=86400)]


class Telling(plugins.Options):
    """When it looks and what it tells, whatever it looks at."""

    name: Text | None = pydantic.Field(None, description="of the alert; default DiskFull, ProcessDown or HttpDown")
    target: Text | None = pydantic.Field(None, description="what is to be healed; default the name of this machine")
    severity: Literal["critical", "error", "warning", "info"] = pydantic.Field("warning", description="of the alert")
    labels: dict[Text, str] = pydantic.Field(default_factory=dict, description="labels of the alert beside ours")
    interval: Interval = pydantic.Field(60.0, description="from one reading to the next")
    failures: Times = pydantic.Field(1, description="bad readings in a row until it fires")
    successes: Times = pydantic.Field(1, description="good readings in a row until it is resolved")
    repeat: Interval = pydantic.Field(3600.0, description="a firing alert is told again so often")


TELLING: Final = frozenset(Telling.model_fields)
"""The keys that name no check."""


class Kinds(plugins.Options):
    """What it looks at: a key for each kind of check."""

    _checks: ClassVar[Mapping[str, type[plugins.Check]]] = {}


def shape(found: Mapping[str, type[plugins.Check] | None]) -> type[Kinds]:
    """The options with a key for each kind of check. None: one that is there and not written, so that it need not be imported."""
    given = plugins.exactly_one(*found)["oneOf"]

    class One(Kinds):
        _one_of: ClassVar[tuple[str, ...]] = tuple(found)
        _checks: ClassVar[Mapping[str, type[plugins.Check]]] = {name: one for name, one in found.items() if one}
        model_config = pydantic.ConfigDict(json_schema_extra=_published(given, [*found, *sorted(TELLING)]))

    fields: dict[str, Any] = {
        name: (one.Options | None if one else Any, pydantic.Field(None, description=_about(one)))
        for name, one in found.items()
    }
    bases: Any = (Telling, pydantic.create_model("Kinds", __base__=One, **fields))
    made: type[Kinds] = pydantic.create_model("CheckOptions", __base__=bases, __doc__="The options of `check`.")
    return made


def _about(found: type[plugins.Check] | None) -> str:
    """The first line that a check says of itself, in the middle of a sentence."""
    line = ((found and found.__doc__) or "").strip().partition("\n")[0].rstrip(".")
    return line[:1].lower() + line[1:]


def _published(given: list[Any], known: list[str]) -> dict[str, Any]:
    """Of the schema: exactly one check that ships, or one of a project, of which nothing else is known here."""
    ours = {"propertyNames": {"enum": known}}
    other = {"not": {"anyOf": [ours, *given]}}
    return {
        "additionalProperties": {"type": ["object", "null"], "description": "a check of checks/, with its options"},
        "oneOf": [*({**one, **ours} for one in given), other],
    }


CheckOptions = shape({name: plugins.check(name) for name in plugins.builtin_names("checks")})
"""With those that ship."""


class Check(plugins.Source):
    """The source itself: readings go through a `Level`, what it tells is emitted."""

    Options = CheckOptions
    resolves = True

    def __init__(self, options: Any, context: plugins.SourceContext) -> None:
        super().__init__(options, context)
        self.kind = next(name for name in options._one_of if getattr(options, name) is not None)
        given = getattr(options, self.kind)
        self.check = options._checks[self.kind](given, plugins.CheckContext(context.resolve, context.project_dir))
        rules = _level.Rules(options.failures, options.successes, self.check.clear_below, options.repeat)
        self.level = _level.Level(rules)
        self._blind = ""

    @classmethod
    def options_for(cls, written: Any, project_dir: pathlib.Path) -> type[plugins.Options]:
        """With the checks of the project and of installed packages, where a key is no option of ours. Only what is named is imported."""
        known = CheckOptions.model_fields
        more = [key for key in written if key not in known] if isinstance(written, Mapping) else []
        own = [name for name in plugins.names("checks", project_dir) if name not in known] if more else []
        if not own:
            return CheckOptions
        found = {name: plugins.check(name, project_dir) if name in more else None for name in own}
        return shape({**CheckOptions._checks, **found})

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
            reading = await plugins.look(self.check)
        except plugins.Blind as error:
            if str(error) != self._blind:  # said once, not each minute
                self.context.log("WARNING", f"check {self.context.name} cannot look: {error}")
            self._blind = str(error)
            return None
        self._blind = ""
        return self.level.take(reading, time.time())

    def event(self, told: _level.Told) -> dict[str, Any]:
        """The event of what is told: an alert with its lifecycle."""
        name, kind, subject = self.options.name or self.check.alert, self.kind, self.check.subject()
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
