"""A controller of Ansible Automation Platform on a loopback socket: the part of AWX's /api/v2 that `aap` asks, in its shapes.

It keeps templates, labels and jobs, answers in pages, ignores what a template does not prompt for, and refuses who has no token. What goes
wrong on the way is planned by a test: a `Fault` takes the place of an answer, before the request took effect or after.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from tests.fakes import ending

TOKEN = "t0ken-of-the-api"
USER, PASSWORD = "healer", "p4ss:wörd"
PROMPTS = (
    "limit", "variables", "labels", "inventory", "credential", "job_type", "tags", "skip_tags", "diff_mode", "verbosity", "scm_branch",
    "execution_environment", "forks", "job_slice_count", "timeout", "instance_groups",
)  # fmt: skip
FIELDS = {"variables": "extra_vars", "tags": "job_tags", "credential": "credentials"}
LAST = ("successful", "failed", "error", "canceled")
CREATED = "2026-03-01T10:00:00.000000Z"

Behave = Callable[["Fake", web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass
class Fault:
    """What happens to the next `times` requests of the method whose path (below the prefix) matches; `after`: they took effect."""

    method: str
    path: str
    behave: Behave
    after: bool = False
    times: int = 1


@dataclasses.dataclass
class Job:
    """A job; each look at it takes the next of its `statuses`, the last one stays."""

    id: int
    type: str
    template: int
    extra_vars: dict[str, Any]
    labels: list[int]
    statuses: list[str]
    given: dict[str, Any] = dataclasses.field(default_factory=dict)
    artifacts: dict[str, Any] = dataclasses.field(default_factory=dict)
    stdout: bytes = b"PLAY [all] ****\n"
    explanation: str = ""
    unfinished_looks: int = 0
    cancellable: bool = True

    @property
    def path(self) -> str:
        return "workflow_jobs" if self.type == "workflow_job" else "jobs"

    @property
    def status(self) -> str:
        return self.statuses[0]


def status(code: int, body: Any = "", **headers: str) -> Behave:
    """An answer of its own; `Retry_After="3"` is the header Retry-After."""

    async def behave(_fake: Fake, _request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict | list):
            return web.json_response(body, status=code, headers=named)
        return web.Response(body=body.encode() if isinstance(body, str) else body, status=code, headers=named)

    return behave


async def drop(_fake: Fake, request: web.Request) -> web.StreamResponse:
    """The connection is cut."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(fake: Fake, _request: web.Request) -> web.StreamResponse:
    """No answer, until `fake.release` is set."""
    fake.hanging += 1
    await fake.release.wait()
    return web.Response(status=503)


async def cut(_fake: Fake, request: web.Request) -> web.StreamResponse:
    """An answer that ends in its middle."""
    answer = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"id": 1, ')
    assert request.transport is not None
    request.transport.abort()
    return answer


class Fake:
    """The server. `calls` are (method, path, parameters, body) of every request that had the credentials."""

    def __init__(self, prefix: str = "/api/v2/", page_max: int = 200) -> None:
        self.prefix = prefix
        self.page_max = page_max
        self.url = ""
        self.organizations = {1: "Default", 2: "Web"}
        self.templates: dict[int, dict[str, Any]] = {}
        self.labels: dict[int, dict[str, Any]] = {}
        self.jobs: dict[int, Job] = {}
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, str, dict[str, str], Any]] = []
        self.strangers = 0
        self.statuses = ["pending", "running", "successful"]
        self.artifacts: dict[str, Any] = {}
        self.release = asyncio.Event()
        self.hanging = 0
        self.on_launch: Callable[[Job], None] = lambda _job: None
        self._next = 100

    # --- what a test puts in and asks ---------------------------------------------------------------------------------

    def template(
        self, name: str, *asks: str, type_: str = "job_template", organization: int = 1, **more: Any
    ) -> dict[str, Any]:
        """A template that prompts for `asks`."""
        self._next += 1
        kind = f"{type_}s"
        made = {
            "id": self._next, "type": type_, "name": name, "organization": organization, "job_slice_count": 1,
            "related": {"launch": f"{self.prefix}{kind}/{self._next}/launch/"},
            "summary_fields": {"organization": {"id": organization, "name": self.organizations[organization]}},
            **{f"ask_{prompt}_on_launch": prompt in asks for prompt in PROMPTS}, **more,
        }  # fmt: skip
        self.templates[self._next] = made
        return made

    def job(self, template: int, extra_vars: Mapping[str, Any] | None = None, **more: Any) -> Job:
        """A job of a template, as someone launched it."""
        self._next += 1
        type_ = more.pop("type", None) or (
            "job" if self.templates[template]["type"] == "job_template" else "workflow_job"
        )
        made = Job(
            self._next, type_, template, dict(extra_vars or {}), more.pop("labels", []), list(self.statuses), **more
        )
        made.artifacts = made.artifacts or dict(self.artifacts)
        self.jobs[made.id] = made
        return made

    def fault(self, method: str, path: str, behave: Behave, *, after: bool = False, times: int = 1) -> None:
        """See `Fault`."""
        self.faults.append(Fault(method, path, behave, after, times))

    def asked(self, method: str, path: str) -> list[Any]:
        """The bodies (or parameters) of the requests to a path."""
        return [
            body if method == "POST" else params
            for m, p, params, body in self.calls
            if m == method and re.fullmatch(path, p)
        ]

    # --- the server ---------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Fake]:
        """Serve on a free port of the loopback, or on one that was free."""
        app = web.Application(middlewares=[self._guard], client_max_size=8 << 20)
        for method, path, handler in (
            ("GET", "config/", self._config), ("GET", "me/", self._me), ("GET", "organizations/", self._organizations),
            ("GET", "labels/", self._labels), ("POST", "labels/", self._make_label),
            ("GET", "unified_job_templates/", self._unified),
            ("POST", r"{kind:job_templates|workflow_job_templates}/{id:\d+}/launch/", self._launch),
            ("GET", r"{kind:job_templates|workflow_job_templates}/{id:\d+}/{list:jobs|workflow_jobs|slice_workflow_jobs}/", self._of_template),
            ("GET", r"{kind:jobs|workflow_jobs}/{id:\d+}/", self._look), ("GET", r"jobs/{id:\d+}/stdout/", self._stdout),
            ("POST", r"{kind:jobs|workflow_jobs}/{id:\d+}/cancel/", self._cancel),
        ):  # fmt: skip
            app.router.add_route(method, self.prefix + path, handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.release.set()
            await ending.cleanup(runner)

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        path = request.path.removeprefix(self.prefix)
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") not in (f"Bearer {TOKEN}", basic):
            self.strangers += 1
            said = "Authentication credentials were not provided. To establish a login session, visit /api/login/."
            return web.json_response({"detail": said}, status=401)
        body = await request.json() if request.can_read_body else None
        self.calls.append((request.method, path, dict(request.query), body))
        fault = next(
            (one for one in self.faults if one.times and one.method == request.method and re.fullmatch(one.path, path)),
            None,
        )
        if fault is None:
            return await self._handled(request, handler)
        fault.times -= 1
        if fault.after:
            await self._handled(request, handler)
        return await fault.behave(self, request)

    async def _handled(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return web.json_response({"detail": "Not found."}, status=404)

    def _page(self, request: web.Request, found: list[dict[str, Any]]) -> web.Response:
        size = min(int(request.query.get("page_size", "25")), self.page_max)
        number = int(request.query.get("page", "1"))
        if number > 1 and (number - 1) * size >= len(found):
            return web.json_response({"detail": "Invalid page."}, status=404)
        more = number * size < len(found)
        return web.json_response({
            "count": len(found), "next": f"{request.path}?page={number + 1}" if more else None,
            "previous": f"{request.path}?page={number - 1}" if number > 1 else None,
            "results": found[(number - 1) * size : number * size],
        })  # fmt: skip

    async def _config(self, _request: web.Request) -> web.Response:
        return web.json_response({"time_zone": "UTC", "version": "4.6.2", "eula": ""})

    async def _me(self, request: web.Request) -> web.Response:
        return self._page(request, [{"id": 7, "type": "user", "username": USER}])

    async def _organizations(self, request: web.Request) -> web.Response:
        named = request.query["name"]
        return self._page(
            request, [{"id": id_, "name": name} for id_, name in self.organizations.items() if name == named]
        )

    async def _labels(self, request: web.Request) -> web.Response:
        wanted = (request.query["name"], int(request.query["organization"]))
        return self._page(
            request, [one for one in self.labels.values() if (one["name"], one["organization"]) == wanted]
        )

    async def _make_label(self, request: web.Request) -> web.Response:
        body = await request.json()
        if any(
            (one["name"], one["organization"]) == (body["name"], body["organization"]) for one in self.labels.values()
        ):
            said = "Label with this Name and Organization already exists."
            return web.json_response({"__all__": [said]}, status=400)
        self._next += 1
        self.labels[self._next] = {"id": self._next, "type": "label", **body}
        return web.json_response(self.labels[self._next], status=201)

    async def _unified(self, request: web.Request) -> web.Response:
        return self._page(request, [one for one in self.templates.values() if one["name"] == request.query["name"]])

    async def _launch(self, request: web.Request) -> web.Response:
        template = self.templates.get(int(request.match_info["id"]))
        if template is None or f"{template['type']}s" != request.match_info["kind"]:
            raise web.HTTPNotFound
        given = await request.json()
        taken, ignored = {}, {}
        for prompt in PROMPTS:
            field = FIELDS.get(prompt, prompt)
            if field in given:
                (taken if template[f"ask_{prompt}_on_launch"] else ignored)[field] = given[field]
        if missing := template.get("survey_needs"):
            return web.json_response({"variables_needed_to_start": [f"'{missing}' value missing"]}, status=400)
        sliced = template["job_slice_count"] > 1
        type_ = "workflow_job" if sliced or template["type"] == "workflow_job_template" else "job"
        job = self.job(template["id"], taken.get("extra_vars"), type=type_, labels=taken.get("labels", []), given=taken)
        if sliced:
            self.job(template["id"], taken.get("extra_vars"), type="job")
        self.on_launch(job)
        return web.json_response({type_: job.id, "ignored_fields": ignored, **self._shown(job)}, status=201)

    def _shown(self, job: Job) -> dict[str, Any]:
        shown = {
            "id": job.id, "type": job.type, "url": f"{self.prefix}{job.path}/{job.id}/", "status": job.status, "created": CREATED,
            "started": CREATED, "finished": CREATED if job.status in LAST else None, "elapsed": 12.5, "job_explanation": job.explanation,
            "extra_vars": json.dumps(job.extra_vars), "limit": job.given.get("limit", ""), "failed": job.status in ("failed", "error"),
            "summary_fields": {"labels": {"count": len(job.labels), "results": [self.labels[one] for one in job.labels[:10]]}},
        }  # fmt: skip
        return shown | ({"artifacts": job.artifacts} if job.type == "job" else {})

    async def _of_template(self, request: web.Request) -> web.Response:
        list_ = request.match_info["list"]
        type_ = "job" if list_ == "jobs" else "workflow_job"
        found = [
            job for job in self.jobs.values() if job.template == int(request.match_info["id"]) and job.type == type_
        ]
        found = [job for job in found if job.id > int(request.query.get("id__gt", "0"))]
        if label := request.query.get("labels__name"):
            found = [job for job in found if label in [self.labels[one]["name"] for one in job.labels]]
        found.sort(key=lambda job: job.id, reverse=request.query.get("order_by") == "-id")
        return self._page(request, [self._shown(job) for job in found])

    def _job(self, request: web.Request) -> Job:
        job = self.jobs.get(int(request.match_info["id"]))
        if job is None or job.path != request.match_info.get("kind", "jobs"):
            raise web.HTTPNotFound
        return job

    async def _look(self, request: web.Request) -> web.Response:
        job = self._job(request)
        shown = self._shown(job)
        if job.status in LAST:
            shown["event_processing_finished"] = job.unfinished_looks <= 0
            job.unfinished_looks -= 1
        if len(job.statuses) > 1:
            job.statuses.pop(0)
        return web.json_response(shown)

    async def _stdout(self, request: web.Request) -> web.Response:
        assert request.query["format"] == "txt_download"
        return web.Response(body=self._job(request).stdout, content_type="text/plain")

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job.status in LAST:
            return web.json_response({"detail": 'Method "POST" not allowed.'}, status=405)
        if job.cancellable:
            job.statuses = [job.status, "canceled"]
        return web.Response(status=202)
