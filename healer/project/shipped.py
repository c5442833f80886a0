"""What ships: the values of the gates that nothing else names, and retention; as shapes of `healer.yaml`.

Caller: `settings`. A gate that is written as nothing (`cooldown:`, `cooldown: none`) does not apply.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import measures, model, plugins
from healer.policy import approvals

STORM_MAX_S: Final = 3600.0
"""Matches are counted by the second, and added up at each."""
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

    max_age: Annotated[measures.Span | None, measures.OFF] = 900.0
    defer_for: Annotated[measures.Span | None, measures.OFF] = 7200.0
    settle: Annotated[measures.Span | None, measures.OFF] = 0.0
    attempts: Annotated[measures.Count | None, measures.OFF] = 3
    cooldown: Annotated[measures.Span | None, measures.OFF] = 600.0
    rate_limit: Annotated[plugins.Rate | None, measures.OFF] = plugins.RateShape(count=30, within=3600.0)
    breaker: Annotated[measures.Breaker | None, measures.OFF] = measures.Breaker.model_validate(
        {"failures": 3, "within": "30 minutes", "retry_after": "30 minutes"}
    )
    blast_radius: Annotated[measures.Blast | None, measures.OFF] = measures.Blast.model_validate(
        {"targets": "20%", "within": "1 hour"}
    )
    flapping: Annotated[measures.Flapping | None, measures.OFF] = measures.Flapping.model_validate(
        {"cycles": 4, "within": "1 hour"}
    )
    windows: Annotated[measures.Windows | None, measures.OFF] = None
    timeout: Annotated[Span, pydantic.Field(gt=0)] = 600.0
    concurrency: Concurrency = Concurrency()
    verify: Annotated[measures.Verify | None, measures.OFF] = measures.Verify.model_validate(
        {"resolved_within": "15 minutes"}
    )
    approval: Annotated[measures.Approval | None, measures.OrNobody(shipped=True)] = None
    approval_expires: Annotated[Span, pydantic.Field(gt=0, le=measures.WINDOW_MAX_S)] = 1800.0
    approval_exclude: Annotated[list[measures.Excluded], pydantic.Field(max_length=2)] = pydantic.Field(
        default=["requester"]
    )
    chain_depth: Annotated[Annotated[int, pydantic.Field(ge=0, le=1000)] | None, measures.OFF] = 3

    def layer(self) -> dict[str, Any]:
        """As a layer of `policy` has it, but for `approval`, which hangs on the impact."""
        own = {key: getattr(self, key) for key in measures.KEYS if key not in ("concurrency", "approval")}
        return measures.plain(own) | {"approval_expires": self.approval_expires}

    def approval_of(self, impact: model.Impact) -> dict[str, Any]:
        """What a layer says of an action for which nothing else names an approval; `none`: one approver where the impact is high."""
        if self.approval is not None:
            return measures.approval_plain(self.approval)
        asked = dataclasses.asdict(approvals.SHIPPED[0]) | {"exclude": None}
        return {"approval": asked} if impact == "high" else {}


def _short(value: plugins.RateShape) -> plugins.RateShape:
    if value.within > STORM_MAX_S:
        raise ValueError("a rate within at most an hour is wanted")
    return value


class Storm(measures.Whole):
    """Too many matches at once."""

    matches: Annotated[plugins.Rate, pydantic.AfterValidator(_short)] = plugins.RateShape(count=200, within=60.0)
    calm: Span = 300.0


Words = Annotated[
    list[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=300)]], pydantic.Field(max_length=500)
]


class Select(plugins.Options):
    """Which runs a policy is for; all keys that are given have to hold, of each one word. `*` and `?` make patterns."""

    environment: Words = pydantic.Field(default=[], description="of the daemon")
    impact: list[model.Impact] = pydantic.Field(default=[], description="of the action")
    actions: Words = pydantic.Field(
        default=[], description="by name; run_playbook and the like for ansible-rulebook's own"
    )
    rulesets: Words = pydantic.Field(default=[], description="by name, or activation/ruleset")
    rules: Words = pydantic.Field(default=[], description="by name, ruleset/rule or activation/ruleset/rule")
    sources: Words = pydantic.Field(default=[], description="of the event")
    targets: Words = pydantic.Field(default=[], description="like web01, host:web*, group:web")
    tags: Words = pydantic.Field(default=[], description="of the action or its controller")
    severity: list[Literal["critical", "error", "warning", "info", "unknown"]] = pydantic.Field(
        default=[], description="of the alert"
    )
    labels: dict[str, str] = pydantic.Field(default={}, description="of the alert")


class Policy(measures.Gates):
    """Gates for the runs that it selects; all policies that select a run hold together."""

    name: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=100)] = pydantic.Field(
        description="for people, and for its budgets"
    )
    select: Select = pydantic.Field(default=Select(), description="which runs it is for; without it every run")


class Inhibit(plugins.Options):
    """While one alert fires, others are explained by it."""

    source: Annotated[dict[str, str], pydantic.Field(min_length=1)] = pydantic.Field(
        description="labels of the alert that explains"
    )
    target: Annotated[dict[str, str], pydantic.Field(min_length=1)] = pydantic.Field(
        description="labels of those that it explains"
    )
    equal: Words = pydantic.Field(default=[], description="labels that both have with one value")


class Upstream(plugins.Options):
    """The gates of `run_playbook`, `run_module`: as they ran before."""

    concurrency: UpstreamConcurrency = UpstreamConcurrency()
    chain_depth: Annotated[Annotated[int, pydantic.Field(ge=0, le=1000)] | None, measures.OFF] = 10


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
