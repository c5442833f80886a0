"""`http`: one request to an address that is allowed, and its answer as the outcome.

`_http_request` makes what is sent of the catalog's words, `_http_networks` says which addresses a name may mean, `_http_door` reaches
them and speaks HTTP, `_http_answer` judges what comes back, `_http_attempt` sends once and finds it again, `_http_record` keeps what a
crash must not lose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import errors, model, plugins, urls
from healer.controllers import _http_attempt, _http_door, _http_request, _shimmed

CHECK_S: Final = 20.0

HeaderName = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"),
    plugins.Wanted("a name of a header"),
]
HeaderValue = Annotated[
    str,
    pydantic.StringConstraints(
        pattern=r"^[^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?$", max_length=8000
    ),
    plugins.Wanted("a text of one line, without control characters and spaces around it"),
]
File = Annotated[str, pydantic.StringConstraints(pattern=r"^[^\x00]+$", max_length=1024), plugins.Wanted("a file")]


class Allowed(plugins.Options):
    """Addresses that may be sent to: this one and what lies below it."""

    url: str = pydantic.Field(description="https://host[:port]/prefix")
    private: bool = pydantic.Field(
        False, description="its name may mean an address of a private network, or of this machine"
    )

    @pydantic.field_validator("url")
    @classmethod
    def _sound(cls, value: str) -> str:
        urls.parse(value)
        return value


def _entry(value: object) -> object:
    """A text is an entry that says no more than its address."""
    return {"url": value} if isinstance(value, str) else value


class Basic(plugins.Options):
    """A user and a password."""

    username: Annotated[
        str,
        pydantic.StringConstraints(pattern=r"^[^\x00-\x1f:]+$", max_length=256),
        plugins.Wanted("a name without a colon and without control characters"),
    ] = pydantic.Field(description="of the account")
    password: plugins.SecretRef = pydantic.Field(description="of the account")


class Header(plugins.Options):
    """A header that says who asks."""

    name: HeaderName = pydantic.Field(description="like X-Api-Key")
    value: plugins.SecretRef = pydantic.Field(description="what it has")


class Auth(plugins.Options):
    """As whom it is asked."""

    _one_of = ("bearer", "basic", "header")

    bearer: plugins.SecretRef | None = pydantic.Field(None, description="a token, as Authorization: Bearer")
    basic: Basic | None = pydantic.Field(None, description="a user and a password")
    header: Header | None = pydantic.Field(None, description="a header of its own")


class HttpOptions(plugins.Options):
    """Which addresses, as whom, and how long."""

    allow: Annotated[
        list[Annotated[Allowed, pydantic.BeforeValidator(_entry, json_schema_input_type=str | Allowed)]],
        pydantic.Field(min_length=1, max_length=100),
    ] = pydantic.Field(description="what it sends lies below these, and nowhere else")
    auth: Auth | None = pydantic.Field(None, description="one of `bearer`, `basic` and `header`")
    ca: File | None = pydantic.Field(None, description="a file of certificates to trust (PEM), relative to the project")
    certificate: File | None = pydantic.Field(
        None, description="our own (PEM, with what stands between it and its CA), relative to the project"
    )
    key: plugins.SecretRef | None = pydantic.Field(None, description="the text of the private key of `certificate`")
    timeout: Annotated[plugins.Duration, pydantic.Field(ge=0.1, le=3600)] = pydantic.Field(
        30.0, description="how long one request may take, with its answer"
    )
    headers: Annotated[
        dict[Annotated[HeaderName, pydantic.AfterValidator(urls.settable)], HeaderValue | plugins.SecretRef],
        pydantic.Field(max_length=100),
    ] = pydantic.Field({}, description="of each request: texts, or secrets")

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        if (given.get("certificate") is None) != (given.get("key") is None):
            yield "'certificate' and 'key' belong together"
        own, headers = urls.own_header(given.get("auth")), given.get("headers")
        if own and isinstance(headers, Mapping) and any(str(name).lower() == own.lower() for name in headers):
            yield f"the header {own!r} stands in 'auth' and in 'headers'"
        if own and urls.CARRIED.fullmatch(own.lower()):
            yield f"the header {own!r} of 'auth' cannot be set: it belongs to the connection"


class Http(plugins.Controller):
    """Sends requests of the catalog (`http:`); its targets are addresses (`url:https://…`)."""

    Options = HttpOptions
    kinds = frozenset({"http"})
    target_kinds = frozenset({"url"})
    files = ("ca", "certificate")

    def __init__(self, options: HttpOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.door = _http_door.Door(options, context)
        self._attempts: dict[str, _http_attempt.Attempt] = {}

    async def check(self) -> model.Health:
        """Whether secrets can be read, and each host that is allowed is there; no request is sent."""
        try:
            await asyncio.to_thread(_http_request.given, self.options, self.context.resolve)
            await self.door.trust("https" if self.options.certificate or self.options.ca else "")
        except (errors.HealerError, ValueError) as error:
            said = _http_request.line(error) if isinstance(error, errors.HealerError) else str(error)
            return model.Health(False, _shimmed.one_line(said))
        hosts = {one.url.origin: one for one in reversed(self.door.entries)}
        looked = await asyncio.gather(*(self._looked(one) for one in reversed(hosts.values())))
        lines = [line for ok, line in looked if not ok] or [line for _, line in looked]
        return model.Health(all(ok for ok, _ in looked), _shimmed.one_line("; ".join(lines)))

    async def _looked(self, entry: urls.Allowed) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(CHECK_S):
                address = await self.door.reach(entry.url, entry)
        except TimeoutError:
            return False, f"{entry.url.origin} did not answer within {CHECK_S:g} s"
        except errors.HealerError as error:
            return False, _http_request.line(error)
        open_ = "; the way there is not encrypted" if entry.url.scheme == "http" else ""
        return True, f"{entry.url.origin} is there ({address}){open_}"

    async def plan(self, job: model.Job) -> model.Plan:
        """What would be sent; nothing is, and no name is resolved. Raises `RefusedJob`."""
        steps: list[str] = []
        for one in await asyncio.to_thread(self._made, job, shown=True):
            steps += [f"{one.method} {one.url}", *(f"{name}: {value}" for name, value in one.headers.items())]
            steps += [one.body.decode()] if one.body else []
        fails = ""
        try:
            await asyncio.to_thread(self._made, job, shown=False)  # a secret of it may not be there, or be none
        except errors.HealerError as error:
            fails = _http_request.line(error)
        return model.Plan(tuple(str(target) for target in job.targets), tuple(steps), fails=fails)

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Send it, once; cancelling the task closes the connection."""
        attempt = _http_attempt.Attempt(
            self.door, job, lambda *, shown=False: self._made(job, shown=shown), self.options.timeout, output
        )
        self._attempts[job.token] = attempt
        try:
            outcome: model.Outcome = await attempt.run()
            return outcome
        finally:
            self._attempts.pop(job.token, None)

    async def find(self, job: model.Job) -> model.Found:
        """What became of it after a crash."""
        found: model.Found = await asyncio.to_thread(_http_attempt.found, job)
        return found

    async def withhold(self, job: model.Job) -> bool:
        """Keep it from being sent where it was not."""
        attempt = self._attempts.get(job.token)
        return attempt.withhold() if attempt is not None else (await self.find(job)).state == "absent"

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Nothing of it goes on without the daemon: what `find` says."""
        found = await self.find(job)
        return found.outcome or model.Outcome("unknown" if found.state == "unknown" else "failed", found.detail)

    def _made(self, job: model.Job, *, shown: bool) -> list[_http_request.Request]:
        made: list[_http_request.Request] = _http_request.made(
            job, self.options, self.door.entries, self.context.resolve, shown=shown
        )
        return made


CONTROLLER = Http
