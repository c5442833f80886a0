"""The one table of routes: method, path, who may, what it takes, who answers. The app, `docs/api.md` and the tests are made of it.

A route that is not here does not exist, and none is here without saying who may use it. Everything but hooks is also below
`/api/v1`, for programs that want a fixed version.
"""

from __future__ import annotations

import http
from collections.abc import Awaitable, Callable

from aiohttp import web

from healer import access, errors, intake
from healer.web import (
    actions,
    approvals,
    auth,
    breakers,
    controllers,
    hooks,
    ingest,
    locks,
    lookups,
    notifications,
    operations,
    pauses,
    problems,
    runs,
    silences,
    simulations,
    sources,
    stored,
    webhook,
)
from healer.web.rows import PROVED, PUBLIC, SLACK, SOURCE, Route
from healer.web.services import Services
from healer.web.slack import signed
from healer.web.ui import doors


def table() -> tuple[Route, ...]:
    """All routes. Handlers with a memory of their own (who waits, which hooks there are) are made anew with each call."""
    return (
        Route("GET", "/health", PUBLIC, operations.health, "how the daemon does in one word, and its version"),
        Route("GET", "/livez", PUBLIC, operations.alive, "whether the process answers"),
        Route("GET", "/readyz", PUBLIC, operations.ready, "whether events are taken: 200 or 503"),
        *_sent(),
        Route("GET", "/runs", "runs.read", runs.index, "runs, newest first"),
        Route("GET", "/runs/{id}", "runs.read", runs.show, "one run in full"),
        Route(
            "GET",
            "/runs/{id}/output",
            "runs.read",
            runs.Output().answer,
            "what an attempt printed; follows it with ?follow=1",
        ),
        *_wishes(),
        *_listed(),
        Route("GET", "/alerts", "alerts.read", lookups.alerts, "alerts, the newest opening first"),
        *_kept(),
        Route("GET", "/audit", "audit.read", lookups.audit, "audit records, oldest first"),
        Route("GET", "/audit/head", "audit.read", lookups.audit_head, "size, tree hash and chain of the audit"),
        Route(
            "GET",
            "/explain/{id}",
            "events.read",
            lookups.explain,
            "why an event or a run went as it did; `latest` for the last",
        ),
        Route(
            "POST",
            "/simulate",
            "events.read",
            simulations.simulate,
            "what an event would lead to if it came now",
            "json",
        ),
        Route("GET", "/status", "status.read", operations.status, "what `healer status` shows"),
        Route(
            "POST",
            "/reload",
            "reload",
            operations.reload,
            "read the project again; with `preview`: what that would change",
            "json",
        ),
        Route("POST", "/keys", "keys.admin", operations.create_key, "make an API key, shown this once", "json"),
        Route("GET", "/keys", "keys.admin", operations.list_keys, "the API keys, without what they are"),
        Route("DELETE", "/keys/{id}", "keys.admin", operations.revoke_key, "revoke an API key"),
    )


def _sent() -> tuple[Route, ...]:
    """What others send."""
    hook, slack = hooks.Hooks(), signed.Signed()
    return (
        Route("POST", "/events", "events.write", ingest.events, "one event, an array of them, or NDJSON", "events"),
        Route(
            "POST",
            "/webhook",
            "events.write",
            webhook.Webhook().answer,
            "one event of a type that an action lists",
            "json",
            within=True,
        ),
        Route(
            "POST",
            "/hooks/{path:.+}",
            SOURCE,
            hook.answer,
            "a delivery to the webhook source of that path; behind it its token, where it has `url_token`",
            "source",
        ),
        Route(
            "OPTIONS",
            "/hooks/{path:.+}",
            SOURCE,
            hook.consent,
            "whether a sender of CloudEvents may deliver there",
        ),
        Route("POST", "/slack/interactions", SLACK, slack.interactions, "clicks and forms of Slack", "form"),
        Route("POST", "/slack/commands", SLACK, slack.commands, "`/heal` of Slack", "form"),
    )


def _listed() -> tuple[Route, ...]:
    """What the project has: actions, the controllers that do them, and the sources that lead to them."""
    return (
        Route("GET", "/actions", "runs.read", actions.index, "the actions of the catalog"),
        Route(
            "GET", "/actions/{name}", "runs.read", actions.show, "one action in full, with the gates that hold for it"
        ),
        Route(
            "POST",
            "/actions/{name}/run",
            actions.RUN,
            actions.Run().answer,
            "start an action by hand, through the same gates",
            "json",
            within=True,
        ),
        Route("GET", "/controllers", "runs.read", controllers.index, "how targets are reached"),
        Route("GET", "/controllers/{name}", "runs.read", controllers.show, "one controller with its options"),
        Route(
            "POST",
            "/controllers/{name}/check",
            "events.write",
            controllers.check,
            "ask a controller whether it is usable now",
        ),
        Route("GET", "/sources", "status.read", sources.index, "what delivers events"),
        Route(
            "GET",
            "/sources/{name}",
            "status.read",
            sources.show,
            "one source with its options, and what is entered at its sender's side",
        ),
    )


def _kept() -> tuple[Route, ...]:
    """Events as they are kept, and the quarantine."""
    return (
        Route("GET", "/events", "events.read", stored.index, "stored events, newest first"),
        Route("GET", "/events/{id}", "events.read", lookups.event, "one event and what was decided on it"),
        Route(
            "GET", "/events/{id}/raw", "events.read", lookups.raw, "the request that brought an event, byte for byte"
        ),
        Route("POST", "/events/{id}/resend", "events.resend", stored.resend, "send a stored event once more"),
        Route(
            "GET", "/quarantine", "events.read", stored.quarantine, "what no try could digest, the newest event first"
        ),
        Route("POST", "/quarantine/release", "quarantine.decide", stored.release, "have it tried again", "json"),
        Route("POST", "/quarantine/drop", "quarantine.decide", stored.drop, "give it up for good", "json"),
    )


def _wishes() -> tuple[Route, ...]:
    """What people ask of runs and locks."""
    return (
        Route(
            "POST",
            "/runs/{id}/cancel",
            "runs.cancel",
            runs.cancel,
            "end a run, or keep it from starting",
            "json",
            within=True,
        ),
        Route(
            "POST",
            "/runs/{id}/resolve",
            "runs.resolve",
            runs.resolve,
            "say how an unknown run ended, or that it is to be tried again",
            "json",
            within=True,
        ),
        Route(
            "POST",
            "/runs/{id}/start",
            "runs.break_glass",
            runs.start,
            "have a run that waits start past its gates (break-glass)",
            "json",
            within=True,
        ),
        Route("GET", "/locks", "runs.read", locks.index, "what runs have locked, by name"),
        Route("POST", "/locks/release", "locks.release", locks.release, "let go of a lock", "json", within=True),
        Route("GET", "/approvals", "approvals.read", approvals.index, "what waits for a person's word"),
        Route("GET", "/approvals/{id}", "approvals.read", approvals.show, "one request, with what people said"),
        Route(
            "POST",
            "/approvals/approve",
            "approvals.decide",
            approvals.approve_many,
            "say yes to many",
            "json",
            within=True,
        ),
        Route(
            "POST",
            "/approvals/reject",
            "approvals.decide",
            approvals.reject_many,
            "say no to many",
            "json",
            within=True,
        ),
        Route("POST", "/approvals/{id}/approve", "approvals.decide", approvals.approve, "say yes", "json", within=True),
        Route("POST", "/approvals/{id}/reject", "approvals.decide", approvals.reject, "say no", "json", within=True),
        *_holding(),
        *_telling(),
    )


def _holding() -> tuple[Route, ...]:
    """What holds runs back, as people say."""
    return (
        Route("GET", "/pauses", "status.read", pauses.index, "what is paused"),
        Route("GET", "/scopes", "status.read", pauses.scopes, "what may be paused"),
        Route(
            "POST",
            "/pause",
            "pause",
            pauses.pause,
            "nothing new in a scope takes effect from the answer on",
            "json",
            within=True,
        ),
        Route(
            "POST",
            "/resume",
            "resume",
            pauses.resume,
            "a pause ends; with `preview`: what that would start",
            "json",
            within=True,
        ),
        Route("GET", "/silences", "alerts.read", silences.index, "silences, the newest first"),
        Route(
            "POST",
            "/silences",
            "silences.write",
            silences.create,
            "leave alerts or runs alone for a time",
            "json",
            within=True,
        ),
        Route(
            "POST", "/silences/{id}/end", "silences.write", silences.end, "end a silence before its time", within=True
        ),
        Route("GET", "/breakers", "runs.read", breakers.index, "actions that failed, and which of them are stopped"),
        Route(
            "POST", "/breakers/close", "breakers.close", breakers.close, "let an action run again", "json", within=True
        ),
    )


def _telling() -> tuple[Route, ...]:
    """What people are told."""
    may, there = "notifications.write", "/notifications/{id}"
    return (
        Route(
            "GET", "/notifications", "runs.read", notifications.index, "what people were told, and what is on its way"
        ),
        Route("POST", f"{there}/retry", may, notifications.retry, "try one again that could not be delivered"),
        Route("POST", f"{there}/drop", may, notifications.drop, "give up one that could not be delivered"),
        Route("POST", f"{there}/answer", may, notifications.answer, "say that you look after what it tells"),
        Route("POST", "/receivers/{receiver}/test", may, notifications.test, "send a message to a receiver"),
        Route("POST", "/receivers/check", may, notifications.check, "whether receivers can be reached now"),
    )


def build(services: Services) -> web.Application:
    """The app with every route of the table, each behind its permission."""
    app = web.Application(middlewares=[problems.middleware])
    app[problems.FRESH] = {}
    app[auth.GATE] = services.gate
    rows = table()
    doors.attach(app, services, {f"{route.method} {route.path}": route for route in rows})
    for route in rows:
        guarded = _guarded(route, services)
        for path in route.paths:
            app.router.add_route(route.method, path, guarded, expect_handler=problems.expected)
            if route.permission == PUBLIC:
                app.router.add_route("HEAD", path, guarded, expect_handler=problems.expected)
    return app


def _guarded(route: Route, services: Services) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler behind its permission. A request without a valid key is answered as late as the throttle says."""
    handler, permission = route.handler, route.permission

    async def admitted(request: web.Request) -> web.StreamResponse:
        return await handler(request, services, access.NOBODY)

    async def guarded(request: web.Request) -> web.StreamResponse:
        gate = services.gate
        try:
            caller = gate.caller(request)
        except errors.Unauthorized as error:
            services.tally.refused(route.path, error.code, error.message)
            await gate.throttle.wait(request.remote)
            raise
        gate.throttle.right(request.remote)
        if (refusal := route.refusal(caller)) is not None:
            services.tally.refused(route.path, refusal.code, refusal.message)
            if permission == "approvals.decide":
                named = [request.match_info["id"]] if "id" in request.match_info else []
                word = route.path.rpartition("/")[2]
                await services.attempts.note(caller.actor, named, word, refusal.code, refusal.message)
            raise refusal
        try:
            return await handler(request, services, caller)
        except intake.OVERLOADED as error:
            # A program understands 429; senders of hooks, which try again for 5xx alone, get 503.
            vars(error).update(status=http.HTTPStatus.TOO_MANY_REQUESTS.value)
            raise

    if permission in (PUBLIC, *PROVED):
        return admitted
    if permission not in access.PERMISSIONS:
        raise ValueError(f"{route.method} {route.path} asks for the permission {permission!r}, which is none")
    return guarded


def describe() -> str:
    """The table as docs/api.md shows it."""
    kinds = {
        "": "",
        "json": "JSON object",
        "events": "JSON object, array, NDJSON",
        "source": "JSON, by the source's format",
        "form": "form",
    }
    lines = ["| Method | Path | Permission | Body | What |", "| --- | --- | --- | --- | --- |"]
    for route in table():
        path = route.path.replace("{path:.+}", "{path}")
        lines.append(f"| {route.method} | `{path}` | {route.permission} | {kinds[route.body]} | {route.summary} |")
    return "\n".join(lines) + "\n"
