"""How the sender of a webhook proves itself: the shapes of `auth` of `healer.webhook`, exactly one of its keys.

`webhook` takes `Auth` into its options; the room `web` does what they say, and asks for `kind` and `secrets` alone to know who is meant.
Secrets are references, and wherever one can stand several can, so that a new one holds before the old one is taken back. Who may send is
always said: `auth` has no default, and an open path is written as `{none: true}`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

import pydantic

from healer import plugins

SECRETS_MAX: Final = 8
TOPICS_MAX: Final = 100
KINDS: Final = (
    "bearer", "basic", "header", "hmac", "github", "gitlab", "slack", "standard_webhooks", "sentry", "pagerduty", "grafana", "stripe",
    "sns", "url_token", "none",
)  # fmt: skip
"""The keys of `auth`."""


def _how_many(value: object) -> str:
    return "several" if isinstance(value, list) else "one"


def _no_mapping_in_it(value: object) -> object:
    """A mapping where a text is wanted, told of here: below a key that may have a list instead it would be told of nowhere."""
    if isinstance(value, Mapping) and isinstance(value.get("secret"), Mapping):
        raise ValueError('a reference like {secret: "env:NAME"} is wanted')  # noqa: TRY004 - pydantic hears this one alone
    return value


Secrets = Annotated[
    Annotated[plugins.SecretRef, pydantic.BeforeValidator(_no_mapping_in_it), pydantic.Tag("one")]
    | Annotated[list[plugins.SecretRef], pydantic.Field(min_length=1, max_length=SECRETS_MAX), pydantic.Tag("several")],
    pydantic.Discriminator(_how_many),
]
"""`{secret: "env:NAME"}`, or a list of such of which any may be right."""

HeaderName = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$"),
    plugins.Wanted("the name of a header, of letters, digits and - (at most 64)"),
]
User = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[^:\x00-\x1f\x7f]{1,256}$"),
    plugins.Wanted("a name without a colon (at most 256 characters)"),
]
Visible = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^([!-~][ -~]{0,31})?$"),
    plugins.Wanted("at most 32 printable ASCII characters, at first no space"),
]
Separator = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[ -~]{0,8}$"),
    plugins.Wanted("at most 8 printable ASCII characters"),
]
Topic = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^arn:aws(-cn|-us-gov)?:sns:[a-z0-9-]{3,32}:[0-9]{4,20}:[A-Za-z0-9_-]{1,256}$"),
    plugins.Wanted("a topic like arn:aws:sns:eu-west-1:123456789012:alerts"),
]
Tolerance = Annotated[plugins.Duration, pydantic.Field(ge=1, le=3600)]


class Basic(plugins.Options):
    """RFC 7617."""

    user: User = pydantic.Field(description="the name that the sender gives")
    password: Secrets = pydantic.Field(description="one password or a list of such")


class Header(plugins.Options):
    """A header that holds the token itself."""

    name: HeaderName = pydantic.Field(description="of the header, like X-Token")
    token: Secrets = pydantic.Field(description="one token or a list of such: the whole value of the header")


def _of_time(schema: dict[str, Any]) -> None:
    """What is said of a time needs the header that has it."""
    [timed] = plugins.exactly_one("timestamp")["oneOf"]
    schema["dependentSchemas"] = {"separator": timed, "tolerance": timed}


class Hmac(plugins.Options):
    """An HMAC (RFC 2104) of the body in a header, for senders that have no name here."""

    model_config = pydantic.ConfigDict(json_schema_extra=_of_time)

    header: HeaderName = pydantic.Field(description="the header that has the signature")
    key: Secrets = pydantic.Field(description="one key or a list of such")
    algorithm: Literal["sha256", "sha384", "sha512", "sha1"] = pydantic.Field("sha256", description="of the hash")
    prefix: Visible = pydantic.Field("", description="what stands before the signature, like sha256=")
    encoding: Literal["hex", "base64"] = pydantic.Field("hex", description="how the signature is written")
    key_encoding: Literal["text", "base64"] = pydantic.Field("text", description="how the key is written")
    timestamp: HeaderName | None = pydantic.Field(
        None, description="the header with the time (seconds since 1970), where the sender signs one before the body"
    )
    separator: Separator = pydantic.Field(":", description="what is signed between the time and the body")
    tolerance: Tolerance = pydantic.Field(300.0, description="how far the time may be away")

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterable[str]:
        untimed = [f"'{key}'" for key in ("separator", "tolerance") if key in given]
        if untimed and given.get("timestamp") is None:
            verb = "says" if len(untimed) == 1 else "say"
            yield f"{' and '.join(untimed)} {verb} something of a signed time: name its header in 'timestamp'"
        yield from _one_header(given)


class Grafana(plugins.Options):
    """The contact point `webhook` of Grafana 12 and later, with HMAC signature."""

    key: Secrets = pydantic.Field(description="the HMAC secret of the contact point, or a list of such")
    header: HeaderName = pydantic.Field("X-Grafana-Alerting-Signature", description="the header that has the signature")
    timestamp: HeaderName | None = pydantic.Field(
        None, description="the header with the time, where the contact point names one"
    )

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterable[str]:
        return _one_header(given)


def _one_header(given: Mapping[str, Any]) -> Iterator[str]:
    header, timestamp = given.get("header"), given.get("timestamp")
    if isinstance(header, str) and isinstance(timestamp, str) and header.lower() == timestamp.lower():
        yield "the time and the signature cannot be in one header"


class Sns(plugins.Options):
    """Messages of Amazon SNS, signed with a certificate of AWS."""

    topics: list[Topic] = pydantic.Field(
        min_length=1, max_length=TOPICS_MAX, description="topics whose messages are taken: anybody can sign with one of their own"
    )  # fmt: skip
    confirm: bool = pydantic.Field(
        False, description="true: a subscription to one of the topics is confirmed by itself; else its address is shown"
    )


def _or_none(schema: dict[str, Any]) -> None:
    """What `Auth` holds, as its schema says it."""
    whole = {**schema, **plugins.exactly_one(*KINDS), "title": "authentication"}
    schema.clear()
    schema["anyOf"] = [whole, {"const": "none"}]


class Auth(plugins.Options):
    """How a sender proves itself: exactly one of the keys."""

    model_config = pydantic.ConfigDict(json_schema_extra=_or_none)
    _wanted: ClassVar[str] = "none or {bearer: {secret: …}}"
    _one_of: ClassVar[tuple[str, ...]] = KINDS

    bearer: Secrets | None = pydantic.Field(None, description="the token of `Authorization: Bearer …`")
    basic: Basic | None = pydantic.Field(None, description="a user and a password (RFC 7617)")
    header: Header | None = pydantic.Field(None, description="a header that holds a token")
    hmac: Hmac | None = pydantic.Field(None, description="a signature of the body in a header")
    github: Secrets | None = pydantic.Field(None, description="the secret of a GitHub webhook")
    gitlab: Secrets | None = pydantic.Field(
        None, description="the secret token of a GitLab webhook, or its signing token (whsec_…)"
    )
    slack: Secrets | None = pydantic.Field(None, description="the signing secret of a Slack app")
    standard_webhooks: Secrets | None = pydantic.Field(
        None, description="Standard Webhooks and Svix: a key whsec_… or a public key whpk_…"
    )
    sentry: Secrets | None = pydantic.Field(None, description="the client secret of a Sentry integration")
    pagerduty: Secrets | None = pydantic.Field(None, description="the secret of a PagerDuty V3 subscription")
    grafana: Grafana | None = pydantic.Field(None, description="the HMAC signature of a Grafana contact point")
    stripe: Secrets | None = pydantic.Field(None, description="the signing secret, for Stripe-Signature")
    sns: Sns | None = pydantic.Field(None, description="messages of Amazon SNS")
    url_token: Secrets | None = pydantic.Field(None, description="the last part of the URL: /hooks/PATH/TOKEN")
    none: Literal[True] | None = pydantic.Field(None, description="true: anybody who reaches the port may send")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _none_alone(cls, value: object) -> object:
        """`auth: none` means the same as `auth: {none: true}`."""
        return {"none": True} if value == "none" else value

    @functools.cached_property
    def kind(self) -> str:
        """The key that is given, one of `KINDS`."""
        return next(name for name in KINDS if getattr(self, name) is not None)

    @functools.cached_property
    def secrets(self) -> tuple[plugins.SecretRef, ...]:
        """All that it refers to, in the order in which they are written; empty for `none` and `sns`."""
        said = getattr(self, self.kind)
        for name in ("password", "token", "key"):
            said = getattr(said, name, said)
        found = said if isinstance(said, list) else [said]
        return tuple(one for one in found if isinstance(one, plugins.SecretRef))
