"""What ships: the values of the gates that nothing else names, the storm brake, retention; as shapes of `healer.yaml`.

Caller: `settings`. A gate that is written as nothing (`cooldown:`) does not apply. Values of gates that are not there yet
are checked and kept all the same, so that a file need not change when they come.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import plugins

_RATE: Final = re.compile(r"\s*(\d{1,9})\s+per\s+(?:(\d{1,6})\s+)?(second|minute|hour|day)s?\s*")
_SHARE: Final = re.compile(r"(\d{1,3})%")
_UNIT_S: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}

Span = Annotated[plugins.Duration, pydantic.Field(ge=0)]
Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000)]
Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200)]


@dataclasses.dataclass(frozen=True, slots=True)
class Rate:
    """So many within a window of so many seconds."""

    count: int
    window_s: int


def _rate(text: object) -> Rate:
    if isinstance(text, Rate):
        return text
    found = _RATE.fullmatch(text) if isinstance(text, str) else None
    if not found or int(found[1]) < 1 or int(found[2] or 1) < 1:
        raise ValueError("a rate like '30 per hour' is wanted")
    return Rate(int(found[1]), int(found[2] or 1) * _UNIT_S[found[3]])


def _share(value: object) -> object:
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if (found and 1 <= int(found[1]) <= 100) or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError("a share like '20%' or a number of targets is wanted")


RateText = Annotated[Rate, pydantic.BeforeValidator(_rate)]
Share = Annotated[str | int, pydantic.BeforeValidator(_share)]


class Breaker(plugins.Options):
    """Stops an action after so many failures in a window, and tries again later."""

    failures: Count = 3
    within: Span = 1800.0
    retry_after: Span = 1800.0


class BlastRadius(plugins.Options):
    """How many targets may be touched in a window: a share of the group, or a number where no group is known."""

    targets: Share = "20%"
    at_least: Count = 1
    or_: Annotated[Count, pydantic.Field(alias="or")] = 5
    of: Name | None = None
    within: Span = 3600.0


class Flapping(plugins.Options):
    """An alert that opens so often in a window needs a person."""

    cycles: Count = 4
    within: Span = 3600.0


class Concurrency(plugins.Options):
    """How many runs at once."""

    daemon: Count | None = 20
    controller: Count | None = 10
    target: Literal[1] = 1


class UpstreamConcurrency(plugins.Options):
    """How many runs of ansible-rulebook's own actions at once."""

    daemon: Count | None = 20


class Threshold(plugins.Options):
    """Who has to approve, and how many of them."""

    name: Name
    roles: list[Name]
    approve: Count = 1
    reject: Count = 1


class Approval(plugins.Options):
    """Whether a person is asked: any one threshold that is met decides."""

    any: list[Threshold]
    expires: Span | None = None
    then: Name | None = None
    exclude: list[Literal["requester", "author"]] | None = None


class RunAction(plugins.Options):
    """The gates of `run_action` and of `POST /webhook`."""

    max_age: Span | None = 900.0
    defer_for: Span | None = 7200.0
    settle: Span | None = 0.0
    attempts: Count | None = 3
    cooldown: Span | None = 600.0
    rate_limit: RateText | None = Rate(30, 3600)
    breaker: Breaker | None = Breaker()
    blast_radius: BlastRadius | None = BlastRadius()
    flapping: Flapping | None = Flapping()
    timeout: Annotated[Span, pydantic.Field(gt=0)] = 600.0
    concurrency: Concurrency = Concurrency()
    approval: Literal["none"] | Approval = "none"
    approval_expires: Annotated[Span, pydantic.Field(gt=0)] = 1800.0
    approval_exclude: list[Literal["requester", "author"]] = pydantic.Field(default=["requester"])
    chain_depth: Annotated[int, pydantic.Field(ge=0, le=1000)] | None = 3


class Upstream(plugins.Options):
    """The gates of `run_playbook`, `run_module`: as they ran before."""

    concurrency: UpstreamConcurrency = UpstreamConcurrency()
    chain_depth: Annotated[int, pydantic.Field(ge=0, le=1000)] | None = 10


class Defaults(plugins.Options):
    """What fills the gates that no catalog entry names."""

    run_action: RunAction = RunAction()
    upstream: Upstream = Upstream()


class Storm(plugins.Options):
    """Too many matches in a window: no new runs until it is calm."""

    matches: RateText = Rate(200, 60)
    calm: Span = 300.0


class Retention(plugins.Options):
    """How long things are kept, in seconds."""

    journal: Annotated[Span, pydantic.Field(ge=3600)] = 30 * 86400.0
    runs: Span = 400 * 86400.0
    output: Span = 30 * 86400.0
    audit: Span = 400 * 86400.0
    alerts: Span = 400 * 86400.0


def as_written(value: Any) -> Any:
    """A shape as plain values (seconds and counts), for `--json` and for comparing."""
    if isinstance(value, pydantic.BaseModel):
        return {(f.alias or name): as_written(getattr(value, name)) for name, f in type(value).model_fields.items()}
    if isinstance(value, Rate):
        return f"{value.count} per {value.window_s} seconds"
    return [as_written(item) for item in value] if isinstance(value, list) else value
