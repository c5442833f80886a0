"""What follows on an action, as operators write it: how it is known that it helped, what is tried next, retries, its ramp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final

import pydantic
import pydantic.json_schema
from pydantic_core import core_schema

from healer import plugins
from healer.measures.gates import Count, Name, Span, Whole


class _Kinds:
    """Beside the shape of a check: what a schema says of those that ship. Any value may be `{{ parameters.NAME }}`."""

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        made = handler(core)
        return {**made, "properties": {name: _options(name) for name in plugins.builtin_names("checks")}}


def _options(name: str) -> dict[str, Any]:
    """The schema of a check's options; where one is a shape of its own only that it is there."""
    shape = plugins.check(name).Options
    _, defs = plugins.schemas([shape])
    made = defs[shape.__name__]
    filled = {"type": "string", "pattern": FILLED}
    made["properties"] = {
        key: {} if "$ref" in str(part) else {"anyOf": [part, filled]} for key, part in made["properties"].items()
    }
    return made if made.get("required") or "oneOf" in made else {"anyOf": [made, {"type": "null"}]}


FILLED: Final = r"\{\{\s*parameters\.[A-Za-z_][A-Za-z0-9_]{0,63}\s*\}\}"
"""A place in a text that a parameter fills."""

Look = Annotated[
    dict[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=64)], dict[str, Any] | None],
    pydantic.Field(min_length=1, max_length=1),
    _Kinds(),
]
"""One check with its options, like `{http: {url: …}}`. Which there are, and what is wrong with their options, `project` says."""


class Verify(Whole):
    """How it is known that an action helped: an action that succeeds, a check that is well, or the alert's end, within a time."""

    _one_of: ClassVar[tuple[str, ...]] = ("action", "check", "resolved_within")
    model_config = pydantic.ConfigDict(
        json_schema_extra={
            **plugins.exactly_one(*_one_of),
            "allOf": [
                plugins.exactly_one("within", "resolved_within"),
                {
                    "anyOf": [
                        *plugins.exactly_one("action")["oneOf"],
                        {"properties": {"parameters": {"maxProperties": 0}}},
                    ]
                },
            ],
        }
    )

    action: Name | None = pydantic.Field(None, description="of the catalog; it is repeated until it succeeds")
    parameters: dict[str, Any] = pydantic.Field(
        default={}, description="of that action; templates may name `parameters`"
    )
    check: Look | None = pydantic.Field(
        None, description="one check with its options, like {http: {url: …}}; it is repeated until it is well"
    )
    within: Annotated[Span, pydantic.Field(gt=0, le=86_400)] | None = pydantic.Field(
        None, description="the time that it has"
    )
    resolved_within: Annotated[Span, pydantic.Field(gt=0, le=86_400)] | None = pydantic.Field(
        None, description="the alert has to be resolved in this time"
    )

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        asked = next((key for key in ("action", "check") if given.get(key) is not None), None)
        resolved, within = (given.get(key) is not None for key in ("resolved_within", "within"))
        if asked and not resolved and not within:
            what = "action may take to succeed" if asked == "action" else "check may take to be well"
            yield f"within: how long the {what} has to be given, like 2 minutes"
        if resolved and within:
            yield "within belongs to an action or a check"
        if given.get("action") is None and given.get("parameters"):
            yield "parameters belong to an action"

    def plain(self) -> dict[str, Any]:
        """For the catalog."""
        made = {
            "action": self.action,
            "parameters": dict(self.parameters),
            "within": self.within or self.resolved_within,
        }
        return made if self.check is None else {**made, "check": dict(self.check)}


class Escalate(plugins.Options):
    """What is tried next where an action does not help."""

    action: Name = pydantic.Field(description="of the catalog, on the same targets")
    parameters: dict[str, Any] = pydantic.Field(
        default={}, description="of that action; templates may name `parameters`"
    )
    after: Annotated[Span, pydantic.Field(le=86_400)] = pydantic.Field(
        0.0, description="so long after the failure, if the alert still fires"
    )


class Retries(plugins.Options):
    """How often a failed attempt is tried again."""

    times: Annotated[int, pydantic.Field(ge=1, le=100)]
    delay: Annotated[Span, pydantic.Field(le=86_400)] = pydantic.Field(0.0, description="before the first of them")
    backoff: Annotated[float | int, pydantic.Field(ge=1, le=100)] = pydantic.Field(
        1.0, description="by which the delay grows each time"
    )


class Ramp(plugins.Options):
    """How many targets at once: the first wave, then twice as many, up to a limit."""

    first: Count = 1
    limit: Count = 10
