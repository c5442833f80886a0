"""`healer.webhook`: a path on the daemon's own port that takes JSON from alert senders. It has options and no task.

The room `web` answers `POST /hooks/<path>` with these options; the body is read by the format named here. Who may send
is always said: `auth` has no default, and an open path has to be written as `{none: true}`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

import pydantic

from healer import errors, plugins

MAX_BODY_DEFAULT: Final = 2 << 20
MAX_BODY_LIMIT: Final = 16 << 20

Path = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[a-z0-9][a-z0-9_/-]{0,63}$"),
    plugins.Wanted("a path of small letters, digits, _ - / (at most 64, at first a letter or digit)"),
]
MaxBody = Annotated[plugins.Size, pydantic.Field(ge=1, le=MAX_BODY_LIMIT)]
Span = Annotated[plugins.Duration, pydantic.Field(gt=0)]
HeaderName = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$"),
    plugins.Wanted("the name of a header, of letters, digits and - (at most 64)"),
]
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


def _or_none(schema: dict[str, Any]) -> None:
    """What `Auth` holds, as its schema says it."""
    whole = {**schema, **plugins.exactly_one("bearer", "none"), "title": "authentication"}
    schema.clear()
    schema["anyOf"] = [whole, {"const": "none"}]


class Auth(plugins.Options):
    """How a sender proves itself: exactly one of the keys."""

    model_config = pydantic.ConfigDict(json_schema_extra=_or_none)
    _wanted: ClassVar[str] = "none or {bearer: {secret: …}}"

    bearer: plugins.SecretRef | None = pydantic.Field(None, description="the token of `Authorization: Bearer …`")
    none: Literal[True] | None = pydantic.Field(None, description="true: anybody who reaches the port may send")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _none_alone(cls, value: object) -> object:
        """`auth: none` means the same as `auth: {none: true}`."""
        return {"none": True} if value == "none" else value

    @pydantic.model_validator(mode="after")
    def _exactly_one(self) -> Auth:
        if (self.bearer is None) == (self.none is None):
            raise ValueError("exactly one of 'bearer: {secret: …}' and 'none: true' is wanted")
        return self


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

    path: Path = pydantic.Field(description="the part of the URL after /hooks/")
    auth: Auth = pydantic.Field(description="{bearer: {secret: …}} or {none: true}; always said")
    format: FormatName = pydantic.Field("generic", description="how bodies become events")
    max_body: MaxBody = pydantic.Field(MAX_BODY_DEFAULT, description="bytes a body may have, at most 16 MiB")
    max_quiet: Span | None = pydantic.Field(None, description="without a delivery for so long it is shown as silent")
    alert_ttl: Span | None = pydantic.Field(None, description="an alert that is not heard of for so long is closed")
    delivery_id: HeaderName | None = pydantic.Field(None, description="the header that names a delivery")
    reconcile: Reconcile | None = pydantic.Field(None, description="how the sender is asked which of its alerts fire")

    @pydantic.model_validator(mode="after")
    def _can_be_asked(self) -> WebhookOptions:
        if self.reconcile is not None and not _has_inquiry(self.format):
            raise ValueError(
                f"'reconcile' is for senders that can be asked (format: alertmanager), not for {self.format}"
            )
        return self


def _has_inquiry(name: str) -> bool:
    """Whether senders of a format can be asked; a format that is not known is told of elsewhere."""
    try:
        return plugins.find("formats", name).FORMAT.inquiry is not None
    except errors.HealerError:
        return True


class Webhook(plugins.Push):
    """The source itself: `web` reads its options."""

    Options = WebhookOptions


SOURCE = Webhook
