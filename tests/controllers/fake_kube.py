"""A Kubernetes API on loopback, as far as kubectl asks it: discovery, objects, patches, watches, evictions, exec, reviews of access.

TLS with a certificate of its own, one token. Faults are put in by request: an answer of another status, a connection that is cut, an answer
that never comes. What was asked is kept, so that a test can see what reached the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import importlib.util
import json
import pathlib
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import yaml
from aiohttp import web

from tests.fakes import ending

_spec = importlib.util.spec_from_file_location("kube_wire", pathlib.Path(__file__).with_name("kube_wire.py"))
assert _spec is not None
assert _spec.loader is not None
kube_wire = sys.modules["kube_wire"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(kube_wire)

TOKEN = "t0ken-of-the-account"
WHEN = "2026-11-27T08:00:00Z"
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v1(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?"
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: bytes
    content_type: str

    @property
    def dry(self) -> bool:
        """Also of a deletion, whose options are its body, as JSON or protobuf."""
        return ("dryRun", "All") in self.query or (self.method in ("DELETE", "POST") and b"All" in self.body)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclasses.dataclass
class Fault:
    """What is done with requests of a method to a path (a pattern), `times` times: a status, or `cut`, or `hang`, or both (`late`)."""

    method: str
    path: str
    status: int = 0
    reason: str = ""
    message: str = "because"
    way: str = ""
    times: int = 1_000_000


class Fake:
    """One cluster. `objects` by (group, plural, namespace, name)."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self.requests: list[Asked] = []
        self.faults: list[Fault] = []
        self.denied: set[tuple[str, str, str]] = set()
        """(verb, resource, namespace) that the account may not."""
        self.lingering = asyncio.Event()
        """Pods that are deleted go when it is set."""
        self.lingering.set()
        self.hung = asyncio.Event()
        """Set as soon as a request hangs."""
        self.release = asyncio.Event()
        self.changed = asyncio.Condition()
        self.gone: list[tuple[int, tuple[str, str, str, str], dict[str, Any]]] = []
        """What was deleted: (version of then, where it lay, what it was)."""
        self.printed = b"it is done\n"
        self.exit_code = 0
        self.url = ""
        self.version = 1

    # --- what a test puts in and asks ---------------------------------------------------------------------------------------

    def put(self, kind: str, name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
        """An object. `owner`: (kind, name) of what controls it."""
        group, plural = kube_wire.GROUPS_OF_KINDS[kind]
        about: dict[str, Any] = {
            "name": name, "uid": f"uid-{kind}-{name}-{self.version}", "creationTimestamp": more.pop("created", WHEN), "labels": {},
            "annotations": {},
        }  # fmt: skip
        if owner := more.pop("owner", None):
            version = (
                "apps/v1"
                if owner[0] in kube_wire.KINDS["apps"] or kube_wire.GROUPS_OF_KINDS.get(owner[0], ("",))[0] == "apps"
                else "batch/v1"
            )
            about["ownerReferences"] = [
                {"apiVersion": version, "kind": owner[0], "name": owner[1], "uid": "u", "controller": True}
            ]
        scoped = kube_wire.kind_of(group, plural)[1]
        about |= {"namespace": namespace} if scoped else {}
        made = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": about, "spec": {}, **more}
        return self._keep((group, plural, namespace if scoped else "", name), made)

    def object(self, kind: str, name: str, namespace: str = "shop") -> dict[str, Any]:
        group, plural = kube_wire.GROUPS_OF_KINDS[kind]
        return self.objects[group, plural, namespace if kube_wire.kind_of(group, plural)[1] else "", name]

    def asked(self, method: str, path: str = ".*") -> list[Asked]:
        return [one for one in self.requests if one.method == method and re.fullmatch(path, one.path)]

    def fault(self, method: str, path: str, status: int = 0, reason: str = "", **more: Any) -> None:
        """As `Fault`."""
        self.faults.append(Fault(method, path, status, reason, **more))

    def changes(self) -> list[Asked]:
        """The requests that would have changed something."""
        return [one for one in self.requests if one.method != "GET" and "reviews" not in one.path and not one.dry]

    def _keep(self, at: tuple[str, str, str, str], made: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        made["metadata"]["resourceVersion"] = str(self.version)
        self.objects[at] = made
        return made

    # --- being served -------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def serving(self, folder: pathlib.Path) -> AsyncIterator[None]:
        """With TLS; the certificate to trust is `folder`/ca.pem."""
        app = web.Application(client_max_size=8 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=kube_wire.tls(folder))
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"https://127.0.0.1:{port}"
        try:
            yield
        finally:
            self.release.set()
            self.lingering.set()
            await ending.cleanup(runner)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = Asked(
            request.method, request.path, list(request.query.items()), body, request.headers.get("Content-Type", "")
        )
        self.requests.append(asked)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return kube_wire.failure(401, "Unauthorized", "Unauthorized")
        for fault in self.faults:
            if fault.times and fault.method == asked.method and re.fullmatch(fault.path, asked.path):
                fault.times -= 1
                if fault.way == "late":
                    await self._routed(request, asked)
                if fault.way == "hang":
                    self.hung.set()
                    await self.release.wait()
                if fault.way:
                    if request.transport is not None:  # else the client has gone
                        request.transport.abort()
                    return web.Response()
                return kube_wire.failure(fault.status, fault.reason, fault.message)
        return await self._routed(request, asked)

    async def _routed(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if (found := kube_wire.discovery(asked.path)) is not None:
            return web.json_response(found)
        if asked.path == "/openapi/v2":
            return web.Response(
                body=kube_wire.OPENAPI, content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
            )
        at = PATH.fullmatch(asked.path)
        if at is None or (at["plural"] not in kube_wire.KINDS.get(at["group"] or "", {})):
            return kube_wire.failure(404, "NotFound", "the server could not find the requested resource")
        group, plural = at["group"] or "", at["plural"]
        if plural == "selfsubjectaccessreviews":
            return web.json_response(self._review(asked.body), status=201)
        where = (group, plural, at["namespace"] or "", at["name"] or "")
        if at["sub"] == "exec":
            return await self._exec(request)
        if at["sub"] == "eviction":
            return await self._evict(where, asked)
        return await self._object(request, asked, where)

    async def _object(
        self, request: web.Request, asked: Asked, where: tuple[str, str, str, str]
    ) -> web.StreamResponse:  # fmt: skip
        if not where[3] and asked.method == "GET":
            return await self._list(request, where)
        if asked.method == "POST":
            return await self._create(asked, where)
        if where not in self.objects:
            group = f".{where[0]}" if where[0] else ""
            return kube_wire.failure(404, "NotFound", f'{where[1]}{group} "{where[3]}" not found')
        if asked.method == "GET":
            return web.json_response(self.objects[where])
        if asked.method == "DELETE":
            return await self._delete(asked, where)
        if asked.method == "PATCH":
            return await self._patch(asked, where)
        return kube_wire.failure(405, "MethodNotAllowed", asked.method)

    async def _patch(self, asked: Asked, where: tuple[str, str, str, str]) -> web.Response:
        before = self.objects[where]
        change = yaml.safe_load(asked.body)
        if "json-patch" in asked.content_type:
            after = copy.deepcopy(before)
            for one in change:
                *steps, last = one["path"].strip("/").split("/")
                inner = after
                for step in steps:
                    inner = inner[step]
                inner[last] = one["value"]
        else:
            after = kube_wire.merged(before, change)
        if not asked.dry:
            self._keep(where, after)
            await self._tell()
        return web.json_response(after)

    async def _create(self, asked: Asked, where: tuple[str, str, str, str]) -> web.Response:
        made = yaml.safe_load(asked.body)
        at = (*where[:3], made["metadata"]["name"])
        if at in self.objects:
            return kube_wire.failure(409, "AlreadyExists", f'{where[1]} "{at[3]}" already exists')
        made["metadata"] |= {"uid": "uid-new", "creationTimestamp": WHEN}
        if not asked.dry:
            self._keep(at, made)
        return web.json_response(made, status=201)

    async def _delete(self, asked: Asked, where: tuple[str, str, str, str]) -> web.Response:
        found = self.objects[where]
        if not asked.dry:
            found["metadata"]["deletionTimestamp"] = WHEN
            if self.lingering.is_set():
                self._remove(where)
            else:
                self._going = asyncio.create_task(self._go(where))
            await self._tell()
        return web.json_response(found)

    async def _go(self, where: tuple[str, str, str, str]) -> None:
        await self.lingering.wait()
        self._remove(where)
        await self._tell()

    async def _evict(self, where: tuple[str, str, str, str], asked: Asked) -> web.Response:
        if where not in self.objects:
            return kube_wire.failure(404, "NotFound", f'pods "{where[3]}" not found')
        if not asked.dry:
            self._remove(where)
            await self._tell()
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"}, status=201)

    async def _list(self, request: web.Request, where: tuple[str, str, str, str]) -> web.StreamResponse:
        group, plural, namespace, _ = where
        wanted = dict(
            one.split("=") for one in request.query.get("fieldSelector", "").replace("==", "=").split(",") if one
        )

        def meant(at: tuple[str, str, str, str], one: dict[str, Any]) -> bool:
            on = one["spec"].get("nodeName")
            return (
                at[:2] == (group, plural) and namespace in ("", at[2])
                and wanted.get("metadata.name", at[3]) == at[3] and wanted.get("spec.nodeName", on) == on
            )  # fmt: skip

        if request.query.get("watch") not in ("true", "1"):
            items = [one for at, one in self.objects.items() if meant(at, one)]
            kind, version = kube_wire.kind_of(group, plural)[0], f"{group}/v1" if group else "v1"
            about = {"resourceVersion": str(self.version)}
            return web.json_response({"kind": f"{kind}List", "apiVersion": version, "metadata": about, "items": items})
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        since = int(request.query.get("resourceVersion") or self.version)
        async with self.changed:
            while True:
                for _, _, one in [gone for gone in self.gone if gone[0] > since and meant(gone[1], gone[2])]:
                    await answer.write(json.dumps({"type": "DELETED", "object": one}).encode() + b"\n")
                since = self.version
                await self.changed.wait()

    def _remove(self, where: tuple[str, str, str, str]) -> None:
        self.version += 1
        if (one := self.objects.pop(where, None)) is not None:
            self.gone.append((self.version, where, one))

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _review(self, body: bytes) -> dict[str, Any]:
        if body.startswith(kube_wire.PROTOBUF):  # Unknown.raw, SelfSubjectAccessReview.spec, its resourceAttributes
            found = kube_wire.fields(
                kube_wire.fields(kube_wire.fields(kube_wire.fields(body[len(kube_wire.PROTOBUF) :])[2])[2])[1]
            )
            names = ("namespace", "verb", "group", "version", "resource", "subresource")
            about = {name: found.get(number, b"").decode() for number, name in enumerate(names, 1)}
        else:
            about = json.loads(body)["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
        allowed = (about.get("verb"), resource, about.get("namespace", "")) not in self.denied
        kind = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {}}
        return {**kind, "status": {"allowed": allowed}}

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        """Remote command over a WebSocket (v5.channel.k8s.io): a byte for the channel before each message."""
        protocol = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
        if not protocol.can_prepare(request).ok:
            return kube_wire.failure(400, "BadRequest", "this fake speaks WebSocket alone")
        await protocol.prepare(request)
        await protocol.send_bytes(b"\x01" + self.printed)
        status: dict[str, Any] = {"metadata": {}, "status": "Success"}
        if self.exit_code:
            causes = [{"reason": "ExitCode", "message": str(self.exit_code)}]
            message = f"command terminated with non-zero exit code: exit status {self.exit_code}"
            status = {
                "metadata": {},
                "status": "Failure",
                "message": message,
                "reason": "NonZeroExitCode",
                "details": {"causes": causes},
            }
        await protocol.send_bytes(b"\x03" + json.dumps(status).encode())
        await protocol.close()
        return protocol
