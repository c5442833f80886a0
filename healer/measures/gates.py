"""The gates' values as operators write them: the same words in `policies`, `defaults`, the catalog and a rulebook's `policy:`.

`project` makes layers of what is read here (`Gates.layer`).
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import pydantic
import pydantic.json_schema
from pydantic_core import core_schema

from healer import config, plugins, times

TARGETS_MAX: Final = 1_000_000
WINDOW_MAX_S: Final = plugins.WITHIN_MAX_S
"""What rates, budgets and breakers look back at is kept for so long."""
_SHARE: Final = re.compile(r"(100(?:\.0+)?|[0-9]{1,2}(?:\.[0-9]+)?)\s*%")

Span = Annotated[plugins.Duration, pydantic.Field(ge=0)]
Window = Annotated[plugins.Duration, pydantic.Field(gt=0, le=WINDOW_MAX_S)]
Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000)]

WORDS_OF_NOTHING: Final = {"enum": ["none", "off", False]}


class Whole(plugins.Options):
    """A gate's value of several keys, which a variable may set as one."""


class Breaker(Whole):
    """Stop after failures."""

    failures: Annotated[int, pydantic.Field(ge=1, le=100, description="so many stop it")]
    within: Window = pydantic.Field(description="the time within which they count")
    retry_after: Span = pydantic.Field(description="then one trial is let go")


class Flapping(Whole):
    """An alert that comes and goes."""

    cycles: Annotated[int, pydantic.Field(ge=2, le=1000, description="so many openings")]
    within: Window = pydantic.Field(description="the time within which they count")


def targets_of(value: object) -> object:
    """A share like `20%`, or a number of targets."""
    share = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if share is not None:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TARGETS_MAX:
        return value
    raise ValueError(f"a share like '20%' or a number of targets is wanted, got {config.shown(value)}")


Share = Annotated[str, pydantic.StringConstraints(pattern=rf"^\s*{_SHARE.pattern}\s*$")]
Targets = Annotated[int, pydantic.Field(ge=0, le=TARGETS_MAX)]


class Blast(Whole):
    """How many distinct targets."""

    targets: Annotated[str | int, pydantic.BeforeValidator(targets_of, json_schema_input_type=Share | Targets)] = (
        pydantic.Field(description="a number, or a share of the group like 20% (rounded down)")
    )
    at_least: Annotated[int, pydantic.Field(ge=0, le=1_000_000)] = pydantic.Field(
        1, description="of a share, never fewer"
    )
    or_: Annotated[int, pydantic.Field(ge=0, le=1_000_000)] = pydantic.Field(
        5, alias="or", description="where no group is known"
    )
    of: (
        Annotated[str, pydantic.StringConstraints(pattern=r"^group:[^\x00-\x1f]{1,200}$"), plugins.Wanted("group:NAME")]
        | None
    ) = pydantic.Field(None, description="the group that it is a share of; else each group of a target has its budget")
    within: Window = pydantic.Field(description="the time within which they count")

    def plain(self) -> dict[str, Any]:
        """As a layer has it."""
        share = float(self.targets.strip().rstrip("%")) if isinstance(self.targets, str) else None
        count = self.targets if isinstance(self.targets, int) else None
        of = self.of.removeprefix("group:") if self.of else ""
        return {
            "count": count,
            "percent": share,
            "at_least": self.at_least,
            "or": self.or_,
            "of": of,
            "within": self.within,
        }


def _shaped(pattern: str) -> pydantic.WithJsonSchema:
    """What a schema says of a text that a validator reads, which has better words for it."""
    return pydantic.WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


class When(plugins.Options):
    """A recurring time."""

    days: Annotated[str, _shaped(times.WEEK)] | None = pydantic.Field(
        None, description="like mon-fri or sat,sun; else every day"
    )
    hours: Annotated[str, _shaped(times.HOURS.pattern)] = pydantic.Field(
        "00:00-24:00", description="like 07:00-19:00, or over midnight 22:00-06:00"
    )
    dates: Annotated[str, _shaped(times.DATES.pattern)] | None = pydantic.Field(
        None, description="like 2026-12-24..2026-12-31, or one day"
    )
    timezone: str = pydantic.Field("UTC", description="like Europe/Vienna")

    @pydantic.field_validator("days")
    @classmethod
    def _known_days(cls, value: str | None) -> str | None:
        if value is not None:
            times.days_of(value)
        return value

    @pydantic.field_validator("hours")
    @classmethod
    def _some_time(cls, value: str) -> str:
        times.minutes_of(value)
        return value

    @pydantic.field_validator("dates")
    @classmethod
    def _real_dates(cls, value: str | None) -> str | None:
        if value is not None:
            times.dates_of(value)
        return value

    @pydantic.field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"a time zone like Europe/Vienna is wanted, got {config.shown(value)}") from None
        return value

    def plain(self) -> dict[str, Any]:
        """As a layer has it."""
        (start, end), (first, last) = (
            times.minutes_of(self.hours),
            times.dates_of(self.dates) if self.dates else ("", ""),
        )
        return {
            "days": times.days_of(self.days) if self.days else (), "start_min": start, "end_min": end, "timezone": self.timezone,
            "first_day": first, "last_day": last,
        }  # fmt: skip


class Windows(Whole):
    """When runs may start: in one of `allow` (none: always), and in none of `block`."""

    allow: Annotated[list[When], pydantic.Field(max_length=50)] = pydantic.Field(default=[])
    block: Annotated[list[When], pydantic.Field(max_length=50)] = pydantic.Field(default=[])

    def plain(self) -> dict[str, Any]:
        """As a layer has it."""
        return {"allow": [one.plain() for one in self.allow], "block": [one.plain() for one in self.block]}


Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)]


Excluded = Literal["requester", "author"]


class Threshold(plugins.Options):
    """So many people of these roles approve, or so many reject, and it is decided."""

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=100)] = pydantic.Field(
        description="for people"
    )
    roles: Annotated[list[Name], pydantic.Field(min_length=1, max_length=50)] = pydantic.Field(
        description="built-in ones, or those of roles in healer.yaml; one of them is enough"
    )
    approve: Annotated[int, pydantic.Field(ge=1, le=100)] = pydantic.Field(1, description="so many people approve it")
    reject: Annotated[int, pydantic.Field(ge=1, le=100)] = pydantic.Field(1, description="so many people reject it")


class Approval(Whole):
    """Who has to approve: any one threshold that is met decides."""

    any_: Annotated[list[Threshold], pydantic.Field(min_length=1, max_length=20)] = pydantic.Field(
        alias="any", description="thresholds; the first that is met decides"
    )
    expires: Annotated[Span, pydantic.Field(gt=0, le=WINDOW_MAX_S)] | None = pydantic.Field(
        None, description="how long it is waited for a person; else approval_expires"
    )
    then: Name | None = pydantic.Field(None, description="an action of the catalog that runs where it expires")
    exclude: Annotated[list[Excluded], pydantic.Field(max_length=2)] | None = pydantic.Field(
        None, description="who may not approve; else approval_exclude of the defaults"
    )

    def plain(self) -> dict[str, Any]:
        """As a layer has it, but for how long it is waited; `exclude` is None where nothing is said."""
        return {
            "thresholds": [one.model_dump() for one in self.any_],
            "exclude": None if self.exclude is None else list(self.exclude),
            "then": self.then or "",
        }


NOBODY: Final = Approval.model_construct(any_=[], expires=None, then=None, exclude=[])
"""What `off` says: nobody has to approve."""


class OrNothing:
    """Beside a shape or None: `none` and `off` mean None too; YAML reads the second as false."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._of, handler(source))

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        made = handler(core)
        return {"anyOf": [*made.get("anyOf", [made]), WORDS_OF_NOTHING]}

    def _of(self, value: object) -> object:
        return None if value is False or (isinstance(value, str) and value in ("none", "off")) else value


class OrNobody(OrNothing):
    """Beside the shape of an approval or None: `off` means nobody, as YAML's false does; `none` means nobody too, or (`shipped`) None."""

    def __init__(self, *, shipped: bool = False) -> None:
        self._none = None if shipped else NOBODY

    def _of(self, value: object) -> object:
        if isinstance(value, str) and value == "none":
            return self._none
        return NOBODY if value is False or (isinstance(value, str) and value == "off") else value


class Gates(plugins.Options):
    """The gates that every layer may name. What is not written says nothing."""

    cooldown: Span | None = pydantic.Field(None, description="least time between two effects of an action on a target")
    max_age: Span | None = pydantic.Field(None, description="oldest event that is acted on")
    defer_for: Span | None = pydantic.Field(None, description="how long a run may wait for a gate")
    settle: Span | None = pydantic.Field(None, description="wait so long whether the alert resolves by itself")
    attempts: Count | None = pydantic.Field(None, description="most attempts while an alert fires")
    timeout: Annotated[Span, pydantic.Field(gt=0)] | None = pydantic.Field(None, description="then an attempt is ended")
    concurrency: Count | None = pydantic.Field(None, description="most runs of it at once")
    rate_limit: plugins.Rate | None = pydantic.Field(None, description="most runs within a time, like 5 per hour")
    breaker: Breaker | None = pydantic.Field(None, description="stop after failures")
    blast_radius: Blast | None = pydantic.Field(None, description="most distinct targets within a time")
    flapping: Flapping | None = pydantic.Field(None, description="an alert that opens so often is a person's")
    windows: Windows | None = pydantic.Field(None, description="when runs may start")
    approval: Annotated[Approval | None, OrNobody()] = pydantic.Field(
        None, description="who has to say yes; `none`: nobody, whatever the impact"
    )

    def layer(self) -> dict[str, Any]:
        """What is said, as a layer of `policy` has it."""
        return plain({key: getattr(self, key) for key in Gates.model_fields})


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of gates as plain ones, without what is not said. An approval of nobody is an empty one: it is said."""
    made: dict[str, Any] = {}
    for key, value in values.items():
        if key == "approval" and value is not None:
            made |= approval_plain(value)
        elif value is not None:
            own = getattr(value, "plain", None)
            made[key] = own() if own else value.model_dump() if isinstance(value, plugins.Options) else value
    return made


def approval_plain(value: Approval) -> dict[str, Any]:
    """What an approval says in a layer; its time to expire joins those of the others."""
    if not value.any_:
        return {"approval": {}}
    return {"approval": value.plain()} | ({} if value.expires is None else {"approval_expires": value.expires})


KEYS: Final = tuple(Gates.model_fields)


OFF: Final = OrNothing()
