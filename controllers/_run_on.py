"""Playbooks that run on another machine (`run_on`): the near side of `_away/machine`, over the connections of a controller `ssh`.

`ansible` calls this as it calls `_shimmed.Children` for this machine. The revision's files are sent when that machine does not have them, a
job's own with the job; there it is an attempt of `ssh` like any other, under the same wrapper. What its events come to is fetched
before the machine forgets it (`_run_on_report`), and judged as if it had run here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import secrets
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from healer import errors, model, plugins
from healer.child import jobs
from healer.controllers import (
    _events,
    _revision_files,
    _run_on_report,
    _shimmed,
    _ssh_course,
    _ssh_door,
    _ssh_end,
    _ssh_far,
    _ssh_host,
    _ssh_job,
    _ssh_pool,
    _ssh_talk,
    ssh,
)

WORK: Final = "\0work\0"
REVISION: Final = "\0revision\0"
HOME: Final = "\0home\0"
"""Stand in arguments and variables, which cannot have a NUL, for folders that only that machine knows."""
SEND_S: Final = 600.0
CHECK_S: Final = 30.0

PYTHON: Final = """
umask 077
IFS= read -r base && IFS= read -r size || exit 64
cd -P -- "$base" 2>/dev/null && [ -O . ] || { printf "healer: gone\\n"; exit; }
command -v python3 >/dev/null || { printf "healer: lacks python3\\n"; exit; }
exec python3 -I -c "import sys; exec(sys.stdin.buffer.read(int(sys.argv[1])))" "$size"
"""
"""Runs a program that comes over standard input, with the rest of that for itself."""


class Parcel(NamedTuple):
    """What Ansible is to do there, with `WORK`, `REVISION` and `HOME` in it. `files` lie in its private folder."""

    argv: Sequence[str]
    env: Mapping[str, str]
    files: Mapping[str, str]


class Refused(Exception):
    """why that machine cannot do it, in words for people"""


class _There(NamedTuple):
    """The machine, and the controller that connects to it."""

    over: ssh.Ssh
    target: model.Target
    address: _ssh_pool.Address


@dataclasses.dataclass(slots=True)
class _Running:
    """A job that `run` has in hand. `withheld`: it does not begin any more."""

    attempt: _ssh_host.Attempt | None = None
    withheld: bool = False


Pack = Callable[[model.Job, pathlib.Path], Parcel]
"""As `_shimmed.Prepare`; nothing that is private is left in the folder."""


class Away:
    """The jobs of one controller there. `reach`: what finds the machine, by its name in `controllers.yaml`."""

    def __init__(
        self, reach: Callable[[], tuple[plugins.Controller, model.Target]], pack: Pack, judge: _shimmed.Judge, through: _shimmed.Through,
        secret_files: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._reach = reach
        self._pack = pack
        self._judge = judge
        self._through = through
        self._secret_files = secret_files
        self._files = _revision_files.Files()
        self._sending = asyncio.Lock()
        self._running: dict[str, _Running] = {}

    # --- as any controller ------------------------------------------------------------------------------------------------

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Do it there, once under this token, and follow it; cancelling the task ends it there."""
        record = _ssh_end.Record(pathlib.Path(job.work_dir))
        try:
            await asyncio.to_thread(record.make)
        except jobs.FolderUsed:
            raise _shimmed.TokenUsed(token=job.token) from None
        running = self._running[job.token] = _Running()
        try:
            there = await self._there()
            parcel = await asyncio.to_thread(self._packed, job, record.folder)
            async with _explained(there):
                revision = await self._ready(there, job)
            running.attempt = attempt = self._attempt(there, record, job, output)
            order = _order(job, attempt.name, revision, parcel)
            try:
                end = await attempt.run(order, lambda: not running.withheld)
                return await self._ended(job, record, attempt, end)
            finally:
                await attempt.release()
        except _shimmed.TokenUsed:
            raise
        except errors.HealerError as error:
            return _all(job, "failed", "; ".join(filter(None, (error.message, error.try_))))
        except _ssh_pool.Unreachable as error:
            if error.passing:
                raise model.NotBegunError(_shimmed.one_line(str(error))) from error
            return _all(job, "failed", str(error))
        except Refused as error:
            return _all(job, "failed", str(error))
        finally:
            del self._running[job.token]

    async def find(self, job: model.Job) -> model.Found:
        """What became of it: what is known here, else what that machine says."""
        record = _ssh_end.Record(pathlib.Path(job.work_dir))
        with contextlib.suppress(OSError):  # where the daemon died while they were being packed
            await asyncio.to_thread(jobs.scrub, record.folder, self._secret_files)
        try:
            attempt = self._attempt(await self._there(), record, job, _nowhere)
        except (errors.HealerError, Refused, _ssh_pool.Unreachable) as error:
            return model.Found("unknown", detail=_shimmed.one_line(f"its machine cannot be asked: {error}"))
        try:
            end = await asyncio.to_thread(_run_on_report.known, record, attempt) or await attempt.found()
            if end is None:
                return model.Found("running", detail=f"it runs on {attempt.target}")
            if not end.begun:
                return model.Found("absent", detail=_shimmed.one_line(end.summary))
            if end.state == "unknown":
                return model.Found("unknown", detail=_shimmed.one_line(end.summary))
            return model.Found("ended", await self._ended(job, record, attempt, end))
        finally:
            await attempt.release()

    async def withhold(self, job: model.Job) -> bool:
        """Keep it from beginning where that machine has not been told yet."""
        running = self._running.get(job.token)
        if running is None or (running.attempt is not None and running.attempt.sent):
            return False
        running.withheld = True
        return True

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Take it up again there, with its output from the beginning."""
        record = _ssh_end.Record(pathlib.Path(job.work_dir))
        attempt = self._attempt(await self._there(), record, job, output)
        try:
            end = await asyncio.to_thread(_run_on_report.known, record, attempt) or await attempt.follow()
            return await self._ended(job, record, attempt, end)
        finally:
            await attempt.release()

    async def check(self) -> str:
        """Which Ansible is there. Raises `Refused`, `Unreachable`, `errors.HealerError`."""
        there = await self._there()
        async with _explained(there):
            seen = await self._ask(there, {"do": "look", "version": CHECK_S}, limit_s=CHECK_S + _ssh_pool.QUESTION_S)
        return f"{seen['version']} on {there.target.inventory_name or there.target.name} over {there.over.context.name}"

    async def dry(self, job: model.Job, folder: pathlib.Path, parcel: Parcel) -> tuple[_shimmed.Ended, bytes]:
        """Run what has no effect, in a folder that is there: how it ended and what it said. It ends with the daemon.

        Raises `RefusedJob`.
        """
        try:
            there = await self._there()
            async with _explained(there):
                revision = await self._ready(there, job)
                name = f"plan-{_ssh_job.name_of(job, there.target)}-{secrets.token_hex(8)}"
                asked = {"do": "plan", "deadline_s": job.deadline_s, **_contents(job, name, revision, parcel)}
                asked["env"] = {**asked["env"], "HEALER_PLAN": "1"}
                told = await self._ask(there, asked, limit_s=job.deadline_s + _ssh_pool.QUESTION_S, held=True)
        except (Refused, _ssh_pool.Unreachable) as error:
            raise _shimmed.RefusedJob(reason=str(error)) from error
        said = str(told["said"]).encode("utf-8", "surrogateescape")
        code = int(told["code"])
        await asyncio.to_thread(_run_on_report.lay_down, folder, told["events"], (b"", said))
        status = jobs.Status(code, None, False, False, False, 0.0, 0.0, "")
        return _shimmed.ended(status, folder), said

    # --- what it is made of -----------------------------------------------------------------------------------------------

    async def _there(self) -> _There:
        """Raises `Refused` or `errors.HealerError` where it cannot be connected to as the project says."""
        over, target = self._reach()
        await _ssh_door.load()
        if not isinstance(over, ssh.Ssh):
            raise Refused(f"{over.context.name} is no controller of the type ssh")
        address: _ssh_pool.Address = _ssh_job.address_of(target, over.options.port, over.options.user)
        return _There(over, target, address)

    def _packed(self, job: model.Job, folder: pathlib.Path) -> Parcel:
        """Raises `errors.HealerError`, OSError for want of space."""
        try:
            return self._pack(job, folder)
        except (OSError, ValueError) as error:
            raise _shimmed.refused(error) from error

    def _attempt(
        self, there: _There, record: _ssh_end.Record, job: model.Job, output: plugins.Output
    ) -> _ssh_host.Attempt:
        say = self._through(output)
        mine = dataclasses.replace(job, targets=(there.target,))
        return _ssh_host.Attempt(
            there.over.pool, record, mine, there.target, there.address,
            lambda of_stderr, piece: say("stderr" if of_stderr else "stdout", piece), _run_on_report.fetched,
        )  # fmt: skip

    async def _ready(self, there: _There, job: model.Job) -> str:
        """Send the revision's files where they are not there yet; the id by which they are known there."""
        root = pathlib.Path(job.revision_dir)
        async with self._sending:
            revision: str = await asyncio.to_thread(self._files.id, root)
            seen = await self._ask(there, {"do": "look", "revision": revision})
            if not seen["kept"]:
                archive = await asyncio.to_thread(self._files.archive, root)
                await self._ask(there, {"do": "keep", "revision": revision}, archive, SEND_S)
            return revision

    async def _ask(
        self, there: _There, asked: Mapping[str, Any], data: bytes = b"", limit_s: float = _ssh_pool.QUESTION_S, *, held: bool = False
    ) -> dict[str, Any]:  # fmt: skip
        """The answer of the program there. Raises `Refused`, `Unreachable`, or what the network brings."""
        sent = f"{len(_program())}\n".encode() + _program() + json.dumps(asked).encode() + b"\n" + data
        async with there.over.pool.lease(there.address) as connection, connection.jobs:
            for last in (False, True):
                place = connection.known
                command = _ssh_far.command(PYTHON, "", place.shell)
                async with asyncio.timeout(limit_s):
                    status, told, said = await _ssh_talk.ask(
                        connection.raw,
                        command,
                        f"{place.folder}\n".encode() + sent,
                        _run_on_report.BYTES_MAX,
                        held=held,
                        spare=connection.spare,
                    )
                answer = _run_on_report.after_greeting(told)
                if answer.strip() != b"gone" or last:
                    break
                await connection.probe()
        if status is None:
            raise ConnectionResetError("the connection was closed before it answered")
        if answer.strip() == b"lacks python3":
            raise Refused(f"{there.address} has no python3 on the PATH, which ansible-core needs")
        try:
            read = json.loads(answer)
            read["refused"] = read.get("refused", "")
        except (ValueError, AttributeError):
            text = (said or told).decode("utf-8", "replace")
            raise Refused(f"{there.address} gave no answer: {text.strip()[-500:] or status}") from None
        if read["refused"]:
            raise Refused(f"{there.address}: {read['refused']}")
        answered: dict[str, Any] = read
        return answered

    async def _ended(
        self, job: model.Job, record: _ssh_end.Record, attempt: _ssh_host.Attempt, end: _ssh_end.End
    ) -> model.Outcome:
        """What its end means. Only once that is on our disk the machine forgets it."""
        if end.used:
            raise _shimmed.TokenUsed(token=job.token)
        if not end.begun and end.passing:
            raise model.NotBegunError(_shimmed.one_line(end.summary))
        if not end.begun or end.state == "unknown":
            return _all(job, end.state, end.summary)
        await _run_on_report.fetch(record.folder, attempt)
        outcome = await asyncio.to_thread(self._outcome, job, record.folder, attempt, end)
        await record.keep()
        await attempt.forget()
        await asyncio.to_thread(
            (record.folder / _run_on_report.REPORT).unlink, missing_ok=True
        )  # it holds what tasks returned
        return outcome

    def _outcome(
        self, job: model.Job, folder: pathlib.Path, attempt: _ssh_host.Attempt, end: _ssh_end.End
    ) -> model.Outcome:
        told = _run_on_report.read(folder)
        if told.get("refused"):
            made = _all(job, "failed", f"{attempt.where}: {told['refused']}")
            return dataclasses.replace(made, exit_code=end.code, seconds=end.seconds)
        _run_on_report.lay_down(folder, told.get("events") or (), attempt.heard.kept)
        status = jobs.Status(
            end.code, None, end.state == "timed_out", end.state == "cancelled", end.truncated, 0.0, end.seconds, ""
        )
        summary = _events.unmarked(end.summary.encode()).decode()
        outcome: model.Outcome = self._judge(job, folder, _shimmed.Ended(status, end.state, summary))
        return outcome


# --- what is sent ---------------------------------------------------------------------------------------------------------


@functools.cache
def _program() -> bytes:
    return (pathlib.Path(__file__).parent / "_away" / "machine.py").read_bytes()


def _contents(job: model.Job, name: str, revision: str, parcel: Parcel) -> dict[str, Any]:
    return {
        "name": name, "revision": revision, "argv": list(parcel.argv), "env": dict(parcel.env), "files": dict(parcel.files),
        "returned": job.kind == "module", "sets": "facts" in job.extra,
    }  # fmt: skip


def _order(job: model.Job, name: str, revision: str, parcel: Parcel) -> _ssh_job.Order:
    """The job as `ssh` sends one: a script, which Python takes as a zip with the program and what it is to do."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", _program())
        archive.writestr("order.json", json.dumps(_contents(job, name, revision, parcel)))
    own = {"HEALER_RUN_ID": job.run_id, "HEALER_TOKEN": job.token}
    return _ssh_job.Order(("python3", "-I"), own, "", packed.getvalue(), binary=False)


def _all(job: model.Job, state: model.EndState, summary: str) -> model.Outcome:
    return model.Outcome(state, _shimmed.one_line(summary), per_target={str(one): state for one in job.targets})


@contextlib.asynccontextmanager
async def _explained(there: _There) -> AsyncIterator[None]:
    """Where the network fails before anything has begun: as a host that cannot be reached for now."""
    try:
        yield
    except _ssh_course.network() as error:
        words = getattr(error, "reason", "") or str(error) or type(error).__name__
        raise _ssh_pool.Unreachable(f"{there.address}: {words}", passing=True) from error


def _nowhere(_stream: Any, _data: bytes) -> None:
    """Output that is not asked for."""
