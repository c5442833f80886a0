"""`ssh`: scripts and commands on other machines, over pooled connections whose host keys are always checked.

One job is one attempt a target, many targets at once. On the far side a fixed wrapper (`_ssh_far`) holds the deadline and the
output, so that neither a broken connection nor the daemon's death touches what runs there; `find` asks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import types
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import errors, model, plugins
from healer.child import jobs
from healer.controllers import _shimmed, _ssh_check, _ssh_config, _ssh_door, _ssh_end, _ssh_host, _ssh_job, _ssh_pool

LINGER_S: Final = 0.5
LINE_BYTES_MAX: Final = 64 << 10
Path = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1000)]
User = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+$\\-]{0,199}$"),
    plugins.Wanted("the name of a user"),
]
"""As an inventory's ansible_user may be."""
Suffix = Annotated[str, pydantic.StringConstraints(pattern=r"^\.[^/\s]+$"), plugins.Wanted("a suffix like .rb")]
Program = Annotated[
    str, pydantic.StringConstraints(pattern=r"^[^\s-][^\x00-\x1f]*$", max_length=1000), plugins.Wanted("a program")
]
Seconds = Annotated[plugins.Duration, pydantic.Field(gt=0, le=86_400)]


class SshOptions(plugins.Options):
    """Who connects, how hosts are known, and how many connections there are."""

    inventory: Path = pydantic.Field("inventory", description="a file or folder, relative to the project")
    user: User | None = pydantic.Field(None, description="the user there")
    port: Annotated[int, pydantic.Field(ge=1, le=65535)] | None = pydantic.Field(None, description="the port of sshd")
    key: plugins.SecretRef | None = pydantic.Field(None, description="the text of a private key")
    key_passphrase: plugins.SecretRef | None = pydantic.Field(None, description="what opens the key")
    certificate: Path | None = pydantic.Field(None, description="the key's certificate, a file relative to the project")
    agent: bool = pydantic.Field(False, description="ask the agent of SSH_AUTH_SOCK")
    known_hosts: Path | None = pydantic.Field(None, description="a file relative to the project")
    jump: str | list[str] | None = pydantic.Field(None, description="the hosts between, as user@host:port")
    config: Path | None = pydantic.Field(None, description="an OpenSSH configuration file, relative to the project")
    connect_timeout: Seconds = pydantic.Field(10.0, description="for a connection, its keys and its login")
    keepalive: Seconds = pydantic.Field(
        15.0, description="a silent connection is asked so often, and given up after three"
    )
    idle: Seconds = pydantic.Field(300.0, description="so long an unused connection is kept")
    connections: int = pydantic.Field(500, ge=1, le=10_000, description="open at a time")
    fan_out: int = pydantic.Field(50, ge=1, le=1000, description="hosts of a job at a time")
    interpreters: dict[Suffix, Program] = pydantic.Field(
        {}, description="suffix to program, for scripts without a first line #!"
    )

    @pydantic.field_validator("jump")
    @classmethod
    def _hosts(cls, value: str | list[str] | None) -> str | list[str] | None:
        for text in value.split(",") if isinstance(value, str) else value or []:
            _ssh_door.jump_of(text.strip())
        return value

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        for name in ("key_passphrase", "certificate"):
            if given.get(name) is not None and given.get("key") is None:
                yield f"{name} belongs to a key, and none is given"


@dataclasses.dataclass(slots=True)
class _Running:
    """A job that `run` has in hand. `withheld`: no host begins any more."""

    attempts: list[_ssh_host.Attempt]
    withheld: bool = False


class Ssh(plugins.Controller):
    """Runs scripts of the project, and commands given as argument lists, on each target."""

    Options = SshOptions
    kinds = frozenset({"script", "command"})
    needs_inventory = True
    files = ("known_hosts", "certificate", "config")
    packages = types.MappingProxyType({"asyncssh": "ssh"})

    def __init__(self, options: SshOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.door = _ssh_door.Door(options, context.resolve, context.project_dir)
        self.pool = _ssh_pool.Pool(self.door.dial, self.door.way, options.idle, options.connections)
        self._running: dict[str, _Running] = {}

    async def close(self) -> None:
        """Close its connections; unused ones close by themselves."""
        await self.pool.close()

    async def check(self) -> model.Health:
        """Whether it has what it connects with, and hosts of its inventory let it in; nothing is run there."""
        try:
            await _ssh_door.load()
            targets = await asyncio.to_thread(self.context.hosts)
            said: model.Health = await _ssh_check.health(self.door, self.pool, targets, self._address)
        except errors.HealerError as error:
            return model.Health(False, "; ".join(filter(None, (error.message, error.try_))))
        except (_ssh_door.Unusable, _ssh_pool.Unreachable) as error:
            return model.Health(False, _shimmed.one_line(str(error)))
        return said

    @classmethod
    def passed_over(cls, option: str, text: str) -> Iterator[tuple[int, int, str, str]]:
        """Keywords of `config` that are none."""
        for one in _ssh_config.unknown(text) if option == "config" else ():
            yield one.line, one.column, one.word, one.try_

    async def plan(self, job: model.Job) -> model.Plan:
        """Hosts, arguments, names of variables; nobody is connected to."""
        await _ssh_door.load()
        order = _ssh_job.order_of(job, self.options.interpreters)
        addresses: dict[str, Any] = {}
        wrong: dict[str, None] = {}
        known: list[_ssh_pool.Address] = []
        for target in job.targets:
            try:
                known.append(self._address(target))
                addresses[str(target)] = known[-1]
            except _ssh_pool.Unreachable as error:
                addresses[str(target)] = f"nothing: {error}"
                wrong[str(error)] = None
        try:
            for one in known[:1]:
                self.door.way(one)
                await self.door.settings(one)
        except (_ssh_door.Unusable, _ssh_pool.Unreachable) as error:
            wrong[str(error)] = None
        steps = _ssh_job.steps_of(job, order, addresses)
        return model.Plan(tuple(map(str, job.targets)), steps, fails="; ".join(wrong))

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Do it on each target, once, and follow it; cancelling the task ends it everywhere."""
        try:
            await _ssh_door.load()
            order = await asyncio.to_thread(_ssh_job.order_of, job, self.options.interpreters)
        except errors.HealerError as error:
            said = _shimmed.one_line("; ".join(filter(None, (error.message, error.try_))))
            return model.Outcome("failed", said, refused=isinstance(error, _shimmed.RefusedJob))
        record = _ssh_end.Record(pathlib.Path(job.work_dir))
        try:
            await asyncio.to_thread(record.make)
        except jobs.FolderUsed:
            raise _shimmed.TokenUsed(token=job.token) from None
        running = self._running[job.token] = _Running([])
        try:
            ends = await self._each(
                job, record, output, lambda one: one.run(order, lambda: not running.withheld), running
            )
        finally:
            self._running.pop(job.token, None)
        if all(end.used for end in ends):
            raise _shimmed.TokenUsed(token=job.token)
        outcome: model.Outcome = _ssh_end.together(job.targets, ends)
        return outcome

    async def find(self, job: model.Job) -> model.Found:
        """What became of it: what is known here, else what each host says. Where it was not begun, it never will be."""
        await _ssh_door.load()
        record = _ssh_end.Record(pathlib.Path(job.work_dir))
        known = await asyncio.to_thread(record.read)
        running: list[str] = []

        async def found(attempt: _ssh_host.Attempt) -> _ssh_end.End:
            if attempt.name in known.ends:
                return known.ends[attempt.name][0]
            end = await attempt.found()
            if end is None:
                running.append(str(attempt.target))
                return _ssh_end.End("unknown", "it runs")
            return end

        ends = await self._each(job, record, _nowhere, found)
        if running:
            return model.Found("running", detail=_shimmed.one_line(f"it runs on {', '.join(running)}"))
        if all(not end.begun for end in ends):
            return model.Found(
                "absent", detail=_shimmed.one_line("; ".join(dict.fromkeys(end.summary for end in ends)))
            )
        if any(end.state == "unknown" for end in ends):
            said = dict.fromkeys(end.summary for end in ends if end.state == "unknown")
            return model.Found("unknown", detail=_shimmed.one_line("; ".join(said)))
        return model.Found("ended", _ssh_end.together(job.targets, ends))

    async def withhold(self, job: model.Job) -> bool:
        """Keep it from beginning where no host has been told yet."""
        running = self._running.get(job.token)
        if running is None or any(one.sent for one in running.attempts):
            return False
        running.withheld = True
        return True

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Take it up again on each host, with its output from the beginning."""
        await _ssh_door.load()
        record = _ssh_end.Record(pathlib.Path(job.work_dir))
        known = await asyncio.to_thread(record.read)

        async def followed(attempt: _ssh_host.Attempt) -> _ssh_end.End:
            if attempt.name in known.ends:
                end, pieces = known.ends[attempt.name]
                for of_stderr, piece in enumerate(pieces):
                    attempt.hear(bool(of_stderr), piece)
                return end
            return await attempt.follow()

        ends = await self._each(job, record, output, followed)
        outcome: model.Outcome = _ssh_end.together(job.targets, ends)
        return outcome

    def _address(self, target: model.Target) -> _ssh_pool.Address:
        return _ssh_job.address_of(target, self.options.port, self.options.user)

    async def _each(
        self, job: model.Job, record: _ssh_end.Record, output: plugins.Output, act: Callable[[_ssh_host.Attempt], Awaitable[_ssh_end.End]],
        running: _Running | None = None,
    ) -> list[_ssh_end.End]:  # fmt: skip
        """Do something on every host, so many at a time. One that fails leaves the others alone; cancelling waits for all to stop."""
        room = asyncio.Semaphore(self.options.fan_out)
        attempts = running.attempts if running is not None else []

        async def one(target: model.Target) -> _ssh_end.End:
            async with room:
                voice = Voice(output, target if len(job.targets) > 1 else None)
                try:
                    attempt = _ssh_host.Attempt(self.pool, record, job, target, self._address(target), voice.say)
                    attempts.append(attempt)
                    return await act(attempt)
                except _ssh_pool.Unreachable as error:
                    return _ssh_end.End("failed", _shimmed.one_line(str(error)), begun=False)
                finally:
                    voice.finish()

        tasks = [asyncio.ensure_future(one(target)) for target in job.targets]
        tidying = asyncio.ensure_future(_tidying(record, attempts))
        try:
            ends = await asyncio.gather(*tasks)
            tidying.cancel()
            await _tidy(record, attempts)
            return ends
        except BaseException as error:
            for task in tasks if not isinstance(error, asyncio.CancelledError) else ():  # `gather` has cancelled them
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        finally:
            tidying.cancel()
            for attempt in attempts:
                await attempt.release()


async def _tidying(record: _ssh_end.Record, attempts: list[_ssh_host.Attempt]) -> None:
    """While some hosts are still at work, those that have ended are kept here and forgotten there, a few at a time."""
    while True:
        await record.added.wait()
        await asyncio.sleep(LINGER_S)
        record.added.clear()
        with contextlib.suppress(OSError):  # a full disk: in the end it is tried again, and told
            await asyncio.shield(_tidy(record, attempts))


async def _tidy(record: _ssh_end.Record, attempts: list[_ssh_host.Attempt]) -> None:
    """An end is forgotten where it came about only once it is on our disk."""
    ended = [attempt for attempt in attempts if attempt.ended]
    await record.keep()
    await asyncio.gather(*(attempt.forget() for attempt in ended))


class Voice:
    """A host's output on its way to the daemon: as it is for one host, each line with the host's name for several."""

    def __init__(self, output: plugins.Output, target: model.Target | None) -> None:
        self._output = output
        self._prefix = f"{target.inventory_name or target.name}: ".encode() if target is not None else b""
        self._rest = {"stdout": b"", "stderr": b""}

    def say(self, of_stderr: bool, data: bytes) -> None:
        """More of it."""
        stream = "stderr" if of_stderr else "stdout"
        if not self._prefix:
            self._output(stream, data)  # type: ignore[arg-type]
            return
        whole, end, rest = (self._rest[stream] + data).rpartition(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            whole, end, rest = whole + end + rest, b"\n", b""
        self._rest[stream] = rest
        if end:
            self._tell(stream, whole)

    def finish(self) -> None:
        """What has no end of line."""
        for stream, rest in self._rest.items():
            if rest:
                self._rest[stream] = b""
                self._tell(stream, rest)

    def _tell(self, stream: str, lines: bytes) -> None:
        told = b"".join(self._prefix + line + b"\n" for line in lines.split(b"\n"))
        self._output(stream, told)  # type: ignore[arg-type]


def _nowhere(_stream: Any, _data: bytes) -> None:
    """Output that is not asked for."""


CONTROLLER = Ssh
