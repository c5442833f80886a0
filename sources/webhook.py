"""`healer.webhook`: a path on the daemon's own port that takes JSON from alert senders. It has options and no task.

The room `web` answers `POST /hooks/<path>` with these options; the body is read by the format named here. Who may send
is always said: `auth` has no default, and an open path has to be written as `{none: true}`.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import errors, plugins, redacting
from healer.formats import _mapping
from healer.sources import _proof

MAX_BODY_DEFAULT: Final = 2 << 20
MAX_BODY_LIMIT: Final = 16 << 20
NO_SENDERS: Final = ("auto", "generic")
"""Formats that take what anybody sends."""

Path = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[a-z0-9][a-z0-9_/-]{0,63}$"),
    plugins.Wanted("a path of small letters, digits, _ - / (at most 64, at first a letter or digit)"),
]
MaxBody = Annotated[plugins.Size, pydantic.Field(ge=1, le=MAX_BODY_LIMIT)]
Span = Annotated[plugins.Duration, pydantic.Field(gt=0)]
Url = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$", max_length=2048),
    plugins.Wanted("a URL like https://host/path, without a user, a query and a fragment"),
]
FormatName = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$"),
    plugins.Wanted("the name of a format, like alertmanager"),
]


def _network(text: object) -> object:
    """A network in its one spelling; what is none is told by its type."""
    if not isinstance(text, str):
        return text
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"an address or a network like 10.0.0.0/8 is wanted, got {text[:80]!r}: {error}") from error


Network = Annotated[str, pydantic.BeforeValidator(_network)]
Origin = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[a-z0-9][a-z0-9.:-]{0,252}$"),
    plugins.Wanted("a host in small letters, like eventgrid.azure.net"),
]


def _path_in_a_body(text: str) -> str:
    redacting.parse(text)
    return text


Redacted = Annotated[str, pydantic.AfterValidator(_path_in_a_body)]


class Reconcile(plugins.Options):
    """The sender is asked every so often which of its alerts fire, and ours are corrected."""

    url: Url = pydantic.Field(description="of the sender's API, like http://alertmanager:9093")
    every: Annotated[Span, pydantic.Field(ge=1, le=86400)] = pydantic.Field(
        300.0, description="from one look to the next"
    )
    bearer: plugins.SecretRef | None = pydantic.Field(None, description="the token of `Authorization: Bearer …`")
    timeout: Annotated[Span, pydantic.Field(ge=0.1, le=300)] = pydantic.Field(10.0, description="of each request")
    ca: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)] | None = pydantic.Field(
        None, description="a file of certificates to trust (PEM), relative to the project"
    )
    receivers: list[Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)]] = pydantic.Field(
        [], max_length=100, description="there, those that deliver to this hook; else the one that delivered last"
    )
    uptime_min: Annotated[plugins.Duration, pydantic.Field(ge=0, le=86400)] = pydantic.Field(
        600.0, description="a sender that started later than so long ago closes nothing"
    )


class WebhookOptions(plugins.Options):
    """The options of `healer.webhook`."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"not": {"required": ["format", "mapping"], "properties": {"mapping": {"type": "object"}}}}
    )

    path: Path = pydantic.Field(description="the part of the URL after /hooks/")
    auth: _proof.Auth = pydantic.Field(description="how its sender proves itself; always said")
    format: FormatName = pydantic.Field("generic", description="how bodies become events")
    mapping: _mapping.Mapping | None = pydantic.Field(
        None, description="in the place of a format: paths to the words of event.alert, for any sender"
    )
    max_body: MaxBody = pydantic.Field(MAX_BODY_DEFAULT, description="bytes a body may have, at most 16 MiB")
    max_quiet: Span | None = pydantic.Field(None, description="without a delivery for so long it is shown as silent")
    alert_ttl: Span | None = pydantic.Field(None, description="an alert that is not heard of for so long is closed")
    delivery_id: _proof.HeaderName | None = pydantic.Field(None, description="the header that names a delivery")
    reconcile: Reconcile | None = pydantic.Field(None, description="how the sender is asked which of its alerts fire")
    rate_limit: plugins.Rate | None = pydantic.Field(
        None, description="most deliveries within a time, like 100 per second"
    )
    allow_from: Annotated[list[Network], pydantic.Field(max_length=100)] = pydantic.Field(
        [], description="addresses and networks that may deliver, like 10.0.0.0/8; else all"
    )
    redact: Annotated[list[Redacted], pydantic.Field(max_length=50)] = pydantic.Field(
        [],
        description="paths in the body whose values are never kept, like config.token or alerts.*.annotations.secret",
    )
    origins: Annotated[list[Origin], pydantic.Field(max_length=100)] = pydantic.Field(
        [], description="origins of CloudEvents that an OPTIONS request may ask for, like eventgrid.azure.net"
    )

    @pydantic.model_validator(mode="after")
    def _can_be_asked(self) -> WebhookOptions:
        if self.reconcile is not None and (self.mapping or not _has_inquiry(self.format)):
            whose = "a mapping" if self.mapping else self.format
            raise ValueError(f"'reconcile' is for senders that can be asked (format: alertmanager), not for {whose}")
        return self

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterable[str]:
        if given.get("format") is not None and given.get("mapping") is not None:
            yield "'mapping' stands in the place of 'format': one of them has to go"


def _has_inquiry(name: str) -> bool:
    """Whether senders of a format can be asked; a format that is not known is told of elsewhere."""
    try:
        return plugins.find("formats", name).FORMAT.inquiry is not None
    except errors.HealerError:
        return True


@functools.cache
def _marked() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(name, marks) of the formats that ship and have some, by name; one that is broken is left out. Looked up once."""
    found = []
    for name in plugins.builtin_names("formats"):
        if name in NO_SENDERS:
            continue
        try:
            marks = plugins.find("formats", name).FORMAT.marks
        except (errors.HealerError, AttributeError):
            continue
        if marks:
            found.append((name, tuple(marks)))
    return tuple(found)


def suggested(value: Any, headers: Mapping[str, str]) -> str:
    """The format that a delivery looks like: of those whose marks are all there that with the most, by name among equals; '' for none.

    `value`: any JSON; of a list its first element is looked at. `headers`: lower case. Work is bounded by the marks.
    """
    known = [(-len(marks), name) for name, marks in _marked() if all(_has(value, headers, mark) for mark in marks)]
    return min(known)[1] if known else ""


def _has(value: Any, headers: Mapping[str, str], mark: str) -> bool:
    if mark.startswith("header:"):
        return mark.removeprefix("header:").lower() in headers
    for part in mark.split("."):
        if isinstance(value, list):
            value = value[0] if value else None
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def reader_of(options: Any) -> plugins.Format:
    """How the bodies of a source with these options (`WebhookOptions`) become events: its mapping, else the format that it names.

    Raises `plugins.UnknownPlugin` or `plugins.BrokenPlugin`.
    """
    mapping = getattr(options, "mapping", None)
    named: plugins.Format = (
        plugins.find("formats", options.format).FORMAT if mapping is None else _mapping.format_of("mapping", mapping)
    )
    return named


class Webhook(plugins.Push):
    """The source itself: `web` reads its options."""

    Options = WebhookOptions


SOURCE = Webhook
