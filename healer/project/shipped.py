"""What ships: the values of the gates that nothing else names, and retention; as shapes of `healer.yaml`.

Caller: `settings`, which refuses the keys of gates that are not there yet: a brake that nothing pulls is none. A gate that is
written as nothing (`cooldown:`) does not apply.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from healer import plugins

Span = Annotated[plugins.Duration, pydantic.Field(ge=0)]
Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000)]


class Concurrency(plugins.Options):
    """How many runs at once; on one target the lock holds it to one."""

    daemon: Count | None = 20
    controller: Count | None = 10
    target: Literal[1] = 1


class UpstreamConcurrency(plugins.Options):
    """How many runs of ansible-rulebook's own actions at once."""

    daemon: Count | None = 20


class RunAction(plugins.Options):
    """The gates of `run_action` and of `POST /webhook`."""

    max_age: Span | None = 900.0
    defer_for: Span | None = 7200.0
    attempts: Count | None = 3
    cooldown: Span | None = 600.0
    timeout: Annotated[Span, pydantic.Field(gt=0)] = 600.0
    concurrency: Concurrency = Concurrency()
    chain_depth: Annotated[int, pydantic.Field(ge=0, le=1000)] | None = 3


class Upstream(plugins.Options):
    """The gates of `run_playbook`, `run_module`: as they ran before."""

    concurrency: UpstreamConcurrency = UpstreamConcurrency()
    chain_depth: Annotated[int, pydantic.Field(ge=0, le=1000)] | None = 10


class Defaults(plugins.Options):
    """What fills the gates that no catalog entry names."""

    run_action: RunAction = RunAction()
    upstream: Upstream = Upstream()


class Retention(plugins.Options):
    """How long things are kept; `audit` is not used yet, and a file that names it is told so."""

    journal: Annotated[Span, pydantic.Field(ge=3600)] = 30 * 86400.0
    runs: Span = 400 * 86400.0
    output: Span = 30 * 86400.0
    audit: Span = 400 * 86400.0
    alerts: Span = 400 * 86400.0
