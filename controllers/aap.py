"""`aap`: job templates and workflow templates of Ansible Automation Platform or AWX, launched and followed through its API.

What ansible-rulebook's `run_job_template` and `run_workflow_template` do, with one effect an attempt. `_aap_api` speaks HTTP,
`_aap_template` makes what is launched, `_aap_attempt` launches it and finds it again, `_aap_following` follows it, `_aap_record` keeps what
a crash must not lose.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import errors, model, plugins
from healer.controllers import _aap_api, _aap_attempt, _aap_following, _aap_template, _shimmed

CHECK_S: Final = 20.0

Url = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?$", max_length=1024),
    plugins.Wanted("an URL like https://aap.example.org, without a user and without ?"),
]
Name = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[^\x00-\x1f:]+$", max_length=256),
    plugins.Wanted("a name without a colon and without control characters"),
]


class AapOptions(plugins.Options):
    """Where the API is, and as whom it is asked."""

    url: Url = pydantic.Field(
        description="of the controller; with a path, of a gateway: https://aap.example.org/api/controller/"
    )
    token: plugins.SecretRef | None = pydantic.Field(None, description="an OAuth 2 token")
    username: Name | None = pydantic.Field(None, description="in place of a token, with `password`")
    password: plugins.SecretRef | None = pydantic.Field(None, description="of `username`")
    verify_tls: bool = pydantic.Field(True, description="whether the API's certificate has to be trusted")
    ca: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)] | None = pydantic.Field(
        None, description="a file of certificates to trust (PEM), relative to the project"
    )
    poll: Annotated[plugins.Duration, pydantic.Field(ge=1, le=3600)] = pydantic.Field(
        10.0, description="a running job is asked for so often"
    )
    connections: Annotated[int, pydantic.Field(ge=1, le=1000)] = pydantic.Field(30, description="requests at a time")

    @pydantic.field_validator("url")
    @classmethod
    def _sound(cls, value: str) -> str:
        try:
            port = urllib.parse.urlsplit(value).port
        except ValueError as error:
            raise ValueError(f"{value!r} is no URL: {error}") from None
        if port == 0:
            raise ValueError(f"{value!r} names the port 0")
        return value

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        token, username, password, ca = (given.get(key) is not None for key in ("token", "username", "password", "ca"))
        if token == (username or password) or username != password:
            yield "either 'token' or both 'username' and 'password' are wanted"
        if ca and given.get("verify_tls") is False:
            yield "'ca' means nothing where 'verify_tls' is false: leave one of them out"


class Aap(plugins.Controller):
    """Launches templates; their targets are the templates themselves (`aap:ORGANIZATION/TEMPLATE`)."""

    Options = AapOptions
    kinds = frozenset({"job_template", "workflow_template"})
    target_kinds = frozenset({"aap"})
    files = ("ca",)

    def __init__(self, options: AapOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.api = _aap_api.Api(options, context)

    async def check(self) -> model.Health:
        """Whether the API answers, and takes the credentials."""
        try:
            async with asyncio.timeout(CHECK_S):
                config = await self.api.get("config/")
                people = (await self.api.get("me/")).get("results")
        except TimeoutError:
            return model.Health(False, f"{self.api.base} did not answer within {CHECK_S:g} s")
        except errors.HealerError as error:
            return model.Health(False, _aap_following.line(error))
        me = people[0].get("username") if isinstance(people, list) and people and isinstance(people[0], dict) else None
        if not isinstance(me, str):
            return model.Health(False, f"{self.api.base} does not say whose the credentials are")
        version = config.get("version")
        said = f"{self.api.base}: version {version if isinstance(version, str) else 'unknown'}, as {me}"
        if self.api.base.startswith("http:"):
            said += "; the way there is not encrypted"
        elif not self.options.verify_tls:
            said += "; its certificate is not verified"
        return model.Health(True, _shimmed.one_line(said))

    async def plan(self, job: model.Job) -> model.Plan:
        """What it would be launched with; nothing is launched and no label is made. Raises `RefusedJob`, `ApiError`."""
        said: list[str] = []
        template = await _aap_template.find(self.api, job)
        labels, _ = await _aap_template.label_ids(self.api, job, template, said.append, make=False)
        body = _aap_template.body(job, template, labels, said.append)
        steps = (
            f"POST {self.api.base}{template.path}launch/",
            json.dumps(body, ensure_ascii=False, sort_keys=True),
            _limit(body, template),
            *said,
        )
        return model.Plan(tuple(str(target) for target in job.targets), steps)

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Launch it, once, and follow it; cancelling the task cancels the job."""
        outcome: model.Outcome = await self._attempt(job, output).run()
        return outcome

    async def find(self, job: model.Job) -> model.Found:
        """What became of it after a crash, as far as the API says at once."""
        found: model.Found = await self._attempt(job, lambda _stream, _piece: None).find()
        return found

    async def withhold(self, job: model.Job) -> bool:
        """Whether it was not launched; who cancels it then knows that it never will be."""
        never: bool = await self._attempt(job, lambda _stream, _piece: None).withhold()
        return never

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Take up a job that was launched, or may have been."""
        outcome: model.Outcome = await self._attempt(job, output).follow()
        return outcome

    def _attempt(self, job: model.Job, output: plugins.Output) -> _aap_attempt.Attempt:
        return _aap_attempt.Attempt(self.api, job, self.options.poll, output)


def _limit(body: dict[str, object], template: _aap_template.Template) -> str:
    asks = "limit" in template.asks
    if "limit" not in body:
        return f"no limit is given{'' if asks else ', nor does the template prompt for one'}: its own holds"
    if asks:
        return f"limit {body['limit']!r}, which the template prompts for"
    return f"limit {body['limit']!r} will be ignored, since the template does not prompt for one: its own holds"


CONTROLLER = Aap
