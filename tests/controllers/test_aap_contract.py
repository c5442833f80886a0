"""The contract of controllers, kept by `aap` at the fake of its API."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from healer import model
from healer.controllers import aap
from healer.testing import contracts

WaitAsync = Callable[..., Awaitable[None]]


async def test_aap_keeps_it(aap_site: Any, wait_for_async: WaitAsync) -> None:
    fake = aap_site.fake
    endless = fake.template("Endless", "limit", "variables", "labels")

    def goes_on(job: Any) -> None:
        if job.template == endless["id"]:
            job.statuses = ["running"]

    fake.on_launch = goes_on

    def job(subject: str, number: int) -> model.Job:
        token = f"r-0123456789abcdefghjkmnpqrs-{number}"
        made: model.Job = aap_site.job(subject, targets=(model.Target("aap", f"Default/{subject}"),))
        given = {"secret": model.Secret("env:IN_THE_JOB", "a-password-of-the-contract")}
        return dataclasses.replace(made, token=token, work_dir=str(aap_site.work / token), parameters=given)

    def running() -> list[Any]:
        """Those that nobody has cancelled; the fake's jobs move on when they are looked at."""
        return [one for one in fake.jobs.values() if one.template == endless["id"] and one.statuses == ["running"]]

    async def began() -> None:
        await wait_for_async(running, 60)

    async def gone() -> None:
        await wait_for_async(lambda: not running(), 60)

    # How soon it stops and how long it holds the loop is measured by `make bench`: a busy machine must not fail a test.
    case = contracts.Case(
        f'{{type: aap, url: "{fake.url}", token: {{secret: "env:AAP_TOKEN"}}}}', job("Restart", 1), job("Endless", 2),
        lambda: (len(fake.jobs), len(fake.labels), len(aap_site.launches())), began, gone, aap_site.project, aap_site.secrets,
        stops_within_s=60, holds_loop_s=60,
    )  # fmt: skip
    assert await contracts.controller(aap.Aap, case) == []
