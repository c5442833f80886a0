"""What tests of `http` share: a server on loopback that keeps what it got to the byte, a controller that reaches it by names of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import ipaddress
import pathlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from healer import errors, model, plugins
from healer.controllers import http
from tests.fakes import ending

TOKEN = "r-0123456789abcdefghjkmnpqrs-1"
SECRETS = {"env:API_TOKEN": "t0ken-of-the-api", "env:API_PASSWORD": "p4ss:wörd"}
NAME = "api.test"

Behave = Callable[["Server", web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass
class Got:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, bytes]
    body: bytes


def status(code: int, body: bytes | str = b"", **headers: str) -> Behave:
    """An answer; `Retry_After="3"` is the header Retry-After."""

    async def behave(_server: Server, _request: web.Request) -> web.StreamResponse:
        raw = body.encode() if isinstance(body, str) else body
        return web.Response(
            status=code, body=raw, headers={name.replace("_", "-"): one for name, one in headers.items()}
        )

    return behave


async def drop(_server: Server, request: web.Request) -> web.StreamResponse:
    """The connection is cut."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hang(server: Server, _request: web.Request) -> web.StreamResponse:
    """No answer, until `release` is set."""
    server.hanging += 1
    try:
        await server.release.wait()
    finally:
        server.hanging -= 1
    return web.Response(status=500)


async def cut(_server: Server, request: web.Request) -> web.StreamResponse:
    """An answer that ends in its middle."""
    answer = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"done": ')
    assert request.transport is not None
    request.transport.abort()
    return answer


class Server:
    """The far side. `plan` has what happens to the next requests; then `usual`."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.plan: list[Behave] = []
        self.usual: Behave = status(200, '{"done": true}', Content_Type="application/json")
        self.release = asyncio.Event()
        self.hanging = 0
        self.connections = 0
        self.port = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.decode().lower(): value for name, value in request.raw_headers}
        self.got.append(Got(request.method, request.raw_path, headers, await request.read()))
        return await (self.plan.pop(0) if self.plan else self.usual)(self, request)

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        """On a port of loopback, until the end."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self.release.set()
            await ending.cleanup(runner)


class Site:
    """A controller that knows the server as `api.test` (a name of its private network), and what its jobs said."""

    def __init__(self, server: Server, tmp_path: pathlib.Path, scheme: str = "http") -> None:
        self.server = server
        self.project = tmp_path
        self.work = tmp_path / "work"
        self.secrets = dict(SECRETS)
        self.names: dict[str, list[str]] = {NAME: ["127.0.0.1"]}
        self.resolved: list[str] = []
        self.heard = {"stdout": b"", "stderr": b""}
        self.base = f"{scheme}://{NAME}:{server.port}"
        self.controller = self.made()

    def made(self, **given: Any) -> http.Http:
        """A controller with other options."""
        options = {"allow": [{"url": f"{self.base}/v1", "private": True}], **given}
        made = http.Http(
            http.HttpOptions.model_validate(options),
            plugins.ControllerContext("api", self.opened, self.log, self.project),
        )
        made.door.resolve = self.resolve
        self.controller = made
        return made

    async def resolve(self, host: str, _port: int) -> list[str]:
        self.resolved.append(host)
        if host not in self.names:
            raise OSError(-2, "Name or service not known")
        return self.names[host]

    def opened(self, reference: plugins.SecretRef) -> model.Secret:
        if reference.secret not in self.secrets:
            raise errors.SecretUnavailable(reference=reference.secret, reason="the variable is not set")
        return model.Secret(reference.secret, self.secrets[reference.secret])

    def log(self, level: str, message: str) -> None:
        raise AssertionError(message)

    def job(self, path: str = "/v1/things", method: str = "GET", **given: Any) -> model.Job:
        """One without a target, unless `targets` says some; `said` are more words of the catalog."""
        said = {"success": {"status": ["2xx"], "json": {}}, "retries": 0, **given.pop("said", {})}
        targets = tuple(model.Target("url", one) for one in given.pop("to", ()))
        if not targets:
            said.setdefault("url", [self.base + path])
        job = model.Job(
            token=TOKEN, run_id=TOKEN[:-2], action="things", kind="http", subject={"method": method, **said}, parameters={},
            targets=targets, deadline_s=60.0, revision_dir="/nowhere", work_dir=str(self.work / TOKEN),
        )  # fmt: skip
        return dataclasses.replace(job, **given)

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard[stream] += piece

    async def run(self, *given: Any, **more: Any) -> model.Outcome:
        return await self.controller.run(self.job(*given, **more), self.hear)

    def noted(self) -> set[str]:
        """Which files of requests are in the attempt's folder."""
        return {one.name for one in (self.work / TOKEN).glob("*.json")}

    async def found(self, *given: Any, **more: Any) -> model.Found:
        return await self.controller.find(self.job(*given, **more))


# --- certificates -----------------------------------------------------------------------------------------------------


class Authority:
    """A CA of a test, and what it signs. Files are in PEM."""

    def __init__(self, folder: pathlib.Path, name: str = "ca") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} of a test")])
        self.certificate = self._signed(self.name, self.key, ca=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[pathlib.Path, str]:
        """The file of a certificate for a name or an address, and the text of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        file = self.folder / f"{name}.pem"
        file.write_bytes(self._signed(subject, key, name).public_bytes(serialization.Encoding.PEM))
        return file, pem_of(key)

    def context(self, name: str, clients: Authority | None = None) -> ssl.SSLContext:
        """That of a server of that name, which wants certificates of `clients`."""
        file, key = self.issue(name)
        path = self.folder / f"{name}.key"
        path.write_text(key)
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(clients.file) if clients else None)
        made.load_cert_chain(file, path)
        made.verify_mode = ssl.CERT_REQUIRED if clients else ssl.CERT_NONE
        return made

    def _signed(self, subject: x509.Name, key: Any, alternative: str = "", *, ca: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )  # fmt: skip
        if alternative:
            try:
                name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(alternative))
            except ValueError:
                name = x509.DNSName(alternative)
            made = made.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        if ca:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            made = made.add_extension(usage, critical=True)
        return made.sign(self.key, hashes.SHA256())


def pem_of(key: Any, passphrase: bytes = b"") -> str:
    """The text of a private key."""
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    raw: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    return raw.decode()
