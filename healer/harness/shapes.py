"""What a file of rulebook tests may hold: its keys as typed shapes, which check it and make its JSON Schema. Caller: `suite`.

What stands across keys and files (whether a rule of that name exists, whether a file is there) is checked in `checking`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import pydantic

from healer import config, measures, model, plugins
from healer.project import receivers, settings, shipped

AT_MAX_S: Final = 366 * 86_400.0
TIMES_MAX: Final = 10_000
TESTS_MAX: Final = 10_000
STEPS_MAX: Final = 2_000
ACTS: Final = ("event", "body", "fact", "retract", "outcome", "approve", "reject", "silence", "pause", "resume")
REPEATED: Final = ("event", "body", "fact", "retract")
"""What `times` may repeat."""
START_US: Final = 1_780_315_200_000_000
"""2026-06-01T12:00:00Z, a Monday at noon: when a test begins that does not say it."""
Name = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$"),
    plugins.Wanted("a text without control characters (at most 300)"),
]
Moment = Annotated[plugins.Duration, pydantic.Field(ge=0, le=AT_MAX_S)]
End = Literal["succeeded", "failed", "timed_out", "unknown"]
Count = Annotated[int, pydantic.Field(ge=0, le=10_000_000)]
Object = dict[str, Any]


def _start_us(value: object) -> int:
    """Microseconds since 1970 of a date and time with its offset."""
    try:
        found = datetime.datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 2000 <= found.year <= 2200:
        raise ValueError(f"a moment like '2026-06-01T12:00:00Z' is wanted, got {config.shown(value)}")
    return round(found.timestamp() * 1_000_000)


Start = Annotated[
    int, pydantic.BeforeValidator(_start_us), pydantic.WithJsonSchema({"type": "string", "format": "date-time"})
]  # fmt: skip


def _said(description: str, *examples: Any, default: Any = None, **more: Any) -> Any:
    """A key that may be left out."""
    return pydantic.Field(default=default, description=description, examples=[*examples] or None, **more)


def _must(description: str, *examples: Any) -> Any:
    return pydantic.Field(description=description, examples=[*examples] or None)


# --- steps ----------------------------------------------------------------------------------------------------------------


class Answer(plugins.Options):
    """How the faked action ends from now on."""

    action: Name = _must(
        "an action of the catalog, or one of ansible-rulebook's with its name", "clean_disk", "run_playbook site.yml"
    )
    target: Name | None = _said("only where it acts on this target", "web1")
    status: End = _said("how it ends", "failed", default="succeeded")
    after: Moment = _said("so long it takes; at its deadline it has timed out", "30s", default=0.0)
    per_target: dict[str, Literal["succeeded", "failed"]] = _said(
        "how it ends on some of its targets", {"web2": "failed"}, default={}
    )
    summary: Name | None = _said("the line that it says of itself", "no space left")
    result: Any = _said("what it reports (JSON)", {"removed": 3})
    facts: Object | None = _said("what it gives to set_facts and post_events", {"free": 40})


class Review(plugins.Options):
    """A person's word on a run that waits for one."""

    _wanted: ClassVar[str] = "a mapping with by and action or rule"
    action: Name | None = _said("the action that waits", "clean_disk")
    rule: Name | None = _said("its rule: the name, or activation/ruleset/rule", "disk is full")
    by: Name = _must("a principal of healer.yaml", "ana")
    reason: Name | None = _said("why", "looks right")
    refused: bool = _said("the word has to be refused: they may not decide this", True, default=False)

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterable[str]:
        if not {"action", "rule"} & given.keys():
            yield "action or rule (or both) says which request is meant"


class Silence(plugins.Options):
    """People leave alerts or runs alone for a time."""

    matchers: Annotated[list[Name], pydantic.Field(min_length=1, max_length=50)] = _must(
        "as healer silence add takes them", ["target=web1"]
    )
    for_: Moment = pydantic.Field(alias="for", description="so long it holds", examples=["2h"])
    by: Name | None = _said("a principal of healer.yaml", "ana")
    comment: Name | None = _said("why", "disk is being replaced")


class Pause(plugins.Options):
    """Nothing new that the scope covers takes effect from now on."""

    scope: Name = _must("all, activation:NAME, ruleset:NAME, rule:NAME or controller:NAME", "all", "rule:disk is full")
    for_: Moment | None = pydantic.Field(
        default=None, alias="for", description="so long it holds; else until resume", examples=["1h"]
    )
    by: Name | None = _said("a principal of healer.yaml", "ana")
    reason: Name | None = _said("why", "it restarts healthy nodes")


class Resume(plugins.Options):
    """A pause of exactly this scope ends."""

    scope: Name = _must("as it was paused", "all")
    by: Name | None = _said("a principal of healer.yaml", "ana")


class Step(plugins.Options):
    """Something happens at a moment of the test."""

    _one_of: ClassVar[tuple[str, ...]] = ACTS
    model_config = pydantic.ConfigDict(json_schema_extra=plugins.exactly_one(*ACTS))
    at: Moment | None = _said("when, from the test's beginning on; left out: with the step before", "0s", "5 minutes")
    event: Object | None = _said(
        "an event as rules see it, or {$file: PATH} of one, from the test's file on", {"alert": {"name": "DiskFull"}}
    )
    body: Any = _said(
        "what a sender delivers, or {$file: PATH}: the format of `source` reads it",
        {"$file": "fixtures/alertmanager.json"},
    )
    fact: Object | None = _said("a fact is set, as set_fact does", {"host": "web1", "state": "up"})
    retract: Object | None = _said("facts are retracted, as retract_fact does", {"host": "web1"})
    outcome: Answer | None = _said("what a faked action answers from now on")
    approve: Review | None = _said("a person approves what waits")
    reject: Review | None = _said("a person rejects what waits")
    silence: Silence | None = _said("alerts or runs are left alone for a time")
    pause: Pause | None = _said("people pause what a scope covers")
    resume: Resume | None = _said("people resume it")
    source: Name | None = _said("of an event or body: the source that delivers it", "alertmanager")
    ruleset: Name | None = _said("of a fact or retraction: only this ruleset; else all under test", "disk")
    partial: bool | None = _said("of a retraction: whether facts may have more keys", True)
    by: Name | None = _said("of an event: the principal of healer.yaml who sends it", "ana")
    times: Annotated[int, pydantic.Field(ge=1, le=TIMES_MAX)] = _said("so often it comes", 10, default=1)
    every: Moment | None = _said("with times: one after each", "5s")

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterable[str]:
        act = next((name for name in ACTS if given.get(name) is not None), "")
        for key, acts in _BESIDE.items():
            if given.get(key) is not None and act and act not in acts:
                yield f"{key} stands beside {' or '.join(acts)} only"
        if given.get("every") is not None and given.get("times") is None:
            yield "every wants times: how often it comes"
        if act == "body" and given.get("source") is None:
            yield "body wants source: whose format reads it"


_BESIDE: Final = {
    "source": ("event", "body"), "ruleset": ("fact", "retract"), "partial": ("retract",), "by": ("event", "body"),
    "times": REPEATED, "every": REPEATED,
}  # fmt: skip


# --- expectations ---------------------------------------------------------------------------------------------------------


class Fired(plugins.Options):
    """A rule, and how often it fired."""

    rule: Name = _must("the name, or activation/ruleset/rule", "disk is full")
    times: Annotated[int, pydantic.Field(ge=1, le=10_000_000)] = _said("how often", 2, default=1)


class Run(plugins.Options):
    """A run, by the fields that are written."""

    rule: Name | None = _said("the name, or activation/ruleset/rule", "disk is full")
    action: Name | None = _said("the action", "clean_disk")
    target: Name | None = _said("its only target", "host:web1", "web1")
    targets: list[Name] | None = _said("all of its targets, in any order", ["web1", "web2"])
    controller: Name | None = _said("who did it", "site")
    parameters: Object | None = _said("of its parameters those that are written", {"keep_days": 7})
    status: model.RunState | None = _said("its state at the end of the span", "succeeded", "awaiting_approval")
    reason: Name | None = _said("the reason code of that state", "needs_approval")
    attempts: Annotated[int, pydantic.Field(ge=0, le=1000)] | None = _said("how often it was begun within the span", 2)


class Decision(plugins.Options):
    """Decisions on matches, by the fields that are written. Without `count`: there is at least one."""

    rule: Name | None = _said("the name, or activation/ruleset/rule", "disk is full")
    action: Name | None = _said("the action", "clean_disk")
    outcome: Name | None = _said("the state that the run went to; done for actions without one", "suppressed")
    reason: Name | None = _said("the reason code of the gate that said no", "duplicate")
    count: Count | None = _said("so many there are, exactly", 10)


class Approval(plugins.Options):
    """A request for a person's word that was asked within the span, by the fields that are written."""

    rule: Name | None = _said("the name, or activation/ruleset/rule", "disk is full")
    action: Name | None = _said("the action", "clean_disk")
    target: Name | None = _said("its only target", "web1")
    targets: list[Name] | None = _said("all of its targets, in any order", ["web1", "web2"])
    state: Name | None = _said("open, approved, rejected, expired, void …", "open")
    reason: Name | None = _said("the gate that asked, by its reason code", "needs_approval")


class Notification(plugins.Options):
    """A message that was begun within the span, by the fields that are written. What more came into it counts, up to the end."""

    to: Name | None = _said("its receiver", "ops")
    news: receivers.News | None = _said("what it tells", "failed")
    rule: Name | None = _said("the only rule that it tells of", "disk is full")
    action: Name | None = _said("the only action that it tells of", "clean_disk")
    count: Count | None = _said("how many things it tells of", 1)


class Alert(plugins.Options):
    """An alert, by the fields that are written."""

    key: Name | None = _said("its key", "k1")
    source: Name | None = _said("who sent it", "alertmanager")
    name: Name | None = _said("its name", "DiskFull")
    target: Name | None = _said("its target as the sender says it", "web1")
    status: Literal["firing", "resolved"] = _said("whether it fires", "firing", default="firing")
    cycle: Count | None = _said("the number of its openings", 1)


EXPECTED: Final = ("fired", "runs", "decisions", "approvals", "notifications", "facts", "alerts")


class Expectation(plugins.Options):
    """What has to be at a moment (`at`: from the beginning up to and including it), or within a span (`at` with `until`)."""

    model_config = pydantic.ConfigDict(json_schema_extra=plugins.some_of(*EXPECTED))

    at: Moment | None = _said("the moment, or the beginning of the span; left out: when the last step is done", "5m")
    until: Moment | None = _said("the end of the span, which belongs to it", "10m")
    fired: list[Name | Fired] | None = _said(
        "all rules that fired; [] for none", ["disk is full", {"rule": "disk is full", "times": 2}]
    )
    runs: list[Run] | None = _said(
        "all that ran: [] for nothing. Of what did not run (its status says so) only what is written is looked for",
        [{"rule": "disk is full", "action": "clean_disk", "target": "web1", "status": "succeeded"}],
    )
    decisions: list[Decision] | None = _said(
        "decisions that are among all", [{"rule": "disk is full", "reason": "duplicate", "count": 10}]
    )
    approvals: list[Approval] | None = _said(
        "all requests that were asked; [] for none", [{"action": "clean_disk", "state": "open"}]
    )
    notifications: list[Notification] | None = _said(
        "all messages that were begun; [] for none", [{"to": "ops", "news": "failed"}]
    )
    facts: list[Object] | None = _said(
        "all facts there are at the end, by the keys that are written; [] for none", [{"host": "web1"}]
    )
    alerts: list[Alert] | None = _said(
        "all alerts that fire at the end, and of others those that are written", [{"key": "k1"}]
    )

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterable[str]:
        if not any(given.get(kind) is not None for kind in EXPECTED):
            yield f"some of {', '.join(EXPECTED)} is wanted"
        if given.get("until") is not None and given.get("at") is None:
            yield "until wants at: where the span begins"


# --- tests ----------------------------------------------------------------------------------------------------------------


class Settings(plugins.Options):
    """What holds in the place of healer.yaml's. The mode is active where nothing is said, whatever stands there."""

    mode: model.Mode = _said("active, or observe: nothing is done", "observe", default="active")
    environment: settings.Label | None = _said("the environment, which policies select by", "prod")
    storm: Annotated[shipped.Storm | None, measures.OrNothing()] = _said("what counts as a storm", default=None)
    alerts_max: Annotated[int, pydantic.Field(ge=1)] | None = _said("so many alerts may be open", 100)
    approvals_max: Annotated[int, pydantic.Field(ge=1)] | None = _said("so many runs may wait for a person", 10)
    facts_max: Annotated[int, pydantic.Field(ge=1)] | None = _said("so many facts a ruleset keeps", 100)


class Test(plugins.Options):
    """One test: it begins with an empty memory and an empty store."""

    name: Name = _must("what it shows; names of a file differ", "a full disk is cleaned once while it fires")
    inventory: dict[str, list[Name]] | None = _said(
        "group → hosts, in the place of the project's inventories", {"web": ["web1", "web2"]}
    )
    variables: Object = _said("variables of the rulebook, over those of its activation", {"region": "eu"}, default={})
    settings: Settings = _said("in the place of healer.yaml's", {"environment": "prod"}, default=Settings())
    start: Start | None = _said("when it begins, for windows; left out: a Monday at noon, UTC", "2026-06-01T12:00:00Z")
    steps: Annotated[list[Step], pydantic.Field(max_length=STEPS_MAX)] = _said(
        "what happens, in the order of time", default=[]
    )
    expect: Annotated[list[Expectation], pydantic.Field(min_length=1, max_length=STEPS_MAX)] = _must(
        "what has to come of it"
    )


class File(plugins.Options):
    """Tests of a rulebook, by habit `disk_test.yml` beside `disk.yml`."""

    rulebook: Name | None = _said("the rulebook under test, from this file on; left out: the whole project", "disk.yml")
    tests: Annotated[list[Test], pydantic.Field(max_length=TESTS_MAX, json_schema_extra={"minItems": 1})] = _must(
        "the tests"
    )
