"""What `http:` of an action says: one request, and which answer is success. Caller: `building`.

Parameters stand in path, query, headers and body, as data: they never choose a host. The path is cut into its own text and places of
parameters here, so that the controller can encode what is put in and knows it from what the operator wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import config, plugins, urls
from healer.catalog import filling

RETRIES_MAX: Final = 10
KEYED: Final = ("POST", "PATCH")
"""Methods that have their effect again each time they are sent, unless the far side knows them by a key."""
_WITHOUT_BODY: Final = ("GET", "HEAD")
_BODIES: Final = ("json", "form", "body")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|\\")
_AUTHORITY: Final = re.compile(r"[^/]*//[^/]*")
FIXED: Final = "a parameter cannot stand in the scheme, host or port"
STAND_IN: Final = "x"
"""In the place of a parameter where an address is looked at before its values are known."""

Status = Annotated[int, pydantic.Field(ge=100, le=599)] | Literal["1xx", "2xx", "3xx", "4xx", "5xx"]
HeaderName = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"),
    pydantic.AfterValidator(urls.settable),
    plugins.Wanted("a name of a header"),
]
HeaderValue = Annotated[
    str,
    pydantic.StringConstraints(
        pattern=r"^([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$", max_length=8000
    ),
    plugins.Wanted("a text of one line, without control characters and spaces around it"),
]
Field = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[^.\x00]+(\.[^.\x00]+)*$", max_length=500),
    plugins.Wanted("names of keys with dots between, like status.phase"),
]
Scalar = str | int | float | bool | None


class Success(plugins.Options):
    """Which answer means that it went well."""

    status: Annotated[list[Status], pydantic.Field(min_length=1, max_length=100)] = pydantic.Field(
        ["2xx"], description="one of these"
    )
    json_: Annotated[dict[Field, Any], pydantic.Field(max_length=100)] = pydantic.Field(
        {}, alias="json", description="fields of the answer, and the value that each has to have"
    )


def _url(value: object) -> object:
    """A text that is an address, or a path to join to one, wherever parameters stand in it."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"an address, or a path to join to the target, is wanted, got {config.shown(value)}")
    try:
        first, *others = filling.split(value) if [*filling.names(value)] else [value]
    except ValueError:  # another template, which is told where all of an entry's are looked at
        return value
    if not is_absolute(value):
        if _ABSOLUTE.match(value):
            raise ValueError(
                "https://host/path is wanted, or a path that does not begin with / (it is joined to the target)"
            )
        urls.parse("http://x/").below(stood_in(value))
    elif others and _AUTHORITY.fullmatch(first):
        raise ValueError(f"{FIXED}: each host has an action of its own, or is a target")
    else:
        urls.parse(stood_in(value))
    return value


class RequestShape(plugins.Options):
    """One request, as it is written."""

    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = pydantic.Field(
        description="of the request"
    )
    url: Annotated[str, pydantic.BeforeValidator(_url, json_schema_input_type=str)] | None = pydantic.Field(
        None,
        max_length=urls.TEXT_MAX,
        description="https://host/path; or a path, which is joined to the target; absent: the target",
    )
    query: Annotated[dict[str, Scalar | list[Scalar]], pydantic.Field(max_length=200)] = pydantic.Field(
        {}, description="what stands behind ?; of a list each, of nothing none"
    )
    headers: Annotated[dict[HeaderName, HeaderValue], pydantic.Field(max_length=100)] = pydantic.Field(
        {}, description="beside those of the controller"
    )
    json_: Any = pydantic.Field(None, alias="json", description="the body, as JSON")
    form: Annotated[dict[str, Scalar | list[Scalar]], pydantic.Field(max_length=200)] | None = pydantic.Field(
        None, description="the body, as fields of a form"
    )
    body: Annotated[str, pydantic.Field(max_length=1 << 20)] | None = pydantic.Field(
        None, description="the body, as a text: one of its own, or {{ parameters.NAME }} alone"
    )
    success: Success = pydantic.Field(
        default_factory=lambda: Success.model_validate({}), description="which answer means that it went well"
    )
    retries: Annotated[int, pydantic.Field(ge=0, le=RETRIES_MAX)] = pydantic.Field(
        0, description="sent again so often where no answer comes, or one that passes (429, 502, 503, 504)"
    )
    idempotency_key: HeaderName | None = pydantic.Field(
        None, description="a header that gets the attempt's token, by which the far side knows it again"
    )

    @pydantic.field_validator("body")
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        if value is not None and len(parts := filling.split(value)) > 1 and (len(parts) > 3 or parts[0] or parts[2]):
            raise ValueError(
                "a parameter cannot stand within a body that is a text: use json or form, or the parameter alone"
            )
        return value

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        bodies = [key for key in _BODIES if key in given and (given[key] is not None or key == "json")]
        method, retries = given.get("method"), given.get("retries")
        if len(bodies) > 1:
            yield f"a request has one body, not {' and '.join(bodies)}"
        if bodies and method in _WITHOUT_BODY:
            yield f"{method} takes no {bodies[0]}"
        if retries and method in KEYED and given.get("idempotency_key") is None:
            yield f"{method} is not sent again (retries) without idempotency_key: it could have its effect twice"

    def given(self) -> dict[str, Any]:
        """What is written, by its key."""
        fields = type(self).model_fields.items()
        return {field.alias or name: getattr(self, name) for name, field in fields if name in self.model_fields_set}

    def unfit(self, target: str) -> str:
        """What is wrong with the `target` of an action of this; '' where it is right."""
        if self.url is not None and is_absolute(self.url):
            return "" if target == "none" else "its url says where it goes, so it has no target: target: none is wanted"
        return (
            ""
            if target == "required"
            else "its url is to be the target's, so target: required is wanted, or a url with its host"
        )

    def plain(self) -> dict[str, Any]:
        """As the controller gets it. `url` in pieces: texts as they are, and mappings whose `value` a parameter is."""
        made: dict[str, Any] = {"method": self.method, "retries": self.retries, **self.given()}
        made["success"] = {"status": self.success.status, "json": self.success.json_}
        if self.url is None:
            made.pop("url", None)
        else:
            parts = filling.split(self.url)
            made["url"] = [{"value": part} if at % 2 else part for at, part in enumerate(parts) if part]
        return {key: value for key, value in made.items() if value is not None or key == "json"}


def is_absolute(url: str) -> bool:
    """Whether it says its host, and is not joined to a target."""
    return "://" in filling.split(url)[0]


def stood_in(url: str) -> str:
    """The address with something harmless where parameters stand."""
    return "".join(STAND_IN if at % 2 else part for at, part in enumerate(filling.split(url)))


def address(written: object) -> str:
    """The address that what is written as `http:` goes to, with stand-ins; '' where the target says it, or it is none."""
    found = written.get("url") if isinstance(written, Mapping) else None
    return stood_in(found) if isinstance(found, str) and is_absolute(found) else ""
