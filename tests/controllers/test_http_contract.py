"""The contract of controllers, kept by `http`."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import http_site  # conftest.py has put it where it is found

from healer import model
from healer.controllers import http
from healer.testing import contracts

OPTIONS = """\
type: http
allow: ["{base}/v1"]
auth: {{bearer: {{secret: "env:API_TOKEN"}}}}
timeout: 1 hour
"""


async def test_http_keeps_it(http_one: Any, wait_for_async: Callable[..., Awaitable[None]]) -> None:
    server, base = http_one.server, f"http://127.0.0.1:{http_one.server.port}"

    async def answer(far: Any, request: Any) -> Any:
        return await (http_site.hang if request.path.endswith("/endless") else http_site.status(200))(far, request)

    server.usual = answer
    secret = model.Secret("env:PASSWORD", "a-password-of-the-contract")

    def job(number: int, path: str) -> model.Job:
        token = f"r-contract-{number}"
        said = {"url": [f"{base}/v1/{path}"], "json": {"password": secret}}
        made: model.Job = http_one.job(
            method="POST",
            said=said,
            token=token,
            work_dir=str(http_one.work / token),
            action=path,
            parameters={"password": secret},
        )
        return dataclasses.replace(made, deadline_s=120.0)

    case = contracts.Case(
        OPTIONS.format(base=base), job(1, "once"), job(2, "endless"), lambda: len(server.got),
        lambda: wait_for_async(lambda: server.hanging == 1, 60), lambda: wait_for_async(lambda: server.hanging == 0, 60),
        http_one.project, {"env:API_TOKEN": "t0ken-of-the-api"}, stops_within_s=60, holds_loop_s=60,
    )  # fmt: skip
    assert await contracts.controller(http.Http, case) == []
