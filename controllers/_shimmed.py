"""What controllers share that run a program on this machine under the shim (`healer.child`).

A controller says what to run and what its end means; starting, following, cancelling and finding again after a crash of
the daemon is the same for all of them and stands here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import json
import math
import os
import pathlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from healer import errors, model, plugins, quoting
from healer.child import jobs, starting

LEFT_LOOK_S: Final = 0.25
"""How often what a shim left that is gone is looked at."""
RESULT_BYTES_MAX: Final = 64 << 10
SUMMARY_CHARACTERS_MAX: Final = 300
TAIL_BYTES: Final = RESULT_BYTES_MAX + 2
ENVIRONMENT_TAKEN: Final = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")
NO_BYTECODE: Final = {"PYTHONDONTWRITEBYTECODE": "1"}  # else it is written into the revision, where root can
PATH_DEFAULT: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEPTH_MAX: Final = 100
_INTEGER_MAX: Final = 2**64


class RefusedJob(errors.HealerError):
    """the job cannot be started: {reason}"""

    code = "refused-job"
    status = 422


class TokenUsed(errors.HealerError):
    """an attempt with the token {token} was made before; a token is good for one"""

    code = "token-used"
    status = 409


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """The end of a child, with the word for it and one line about it."""

    status: jobs.Status
    state: model.EndState
    summary: str


Prepare = Callable[[model.Job, pathlib.Path], jobs.Spec]
"""What to run; the folder exists and is private. Raises `RefusedJob` or OSError, and then nothing has happened."""

Judge = Callable[[model.Job, pathlib.Path, Ended], model.Outcome]
"""What the end of the child means; files with secrets that it alone needs are removed here."""

Through = Callable[[plugins.Output], jobs.Output]
"""What the child's output goes through on its way to the daemon."""


class Children:
    """The children of one controller. Why no base class: controllers stand in a folder that type checkers see apart.

    `secret_files`: what `prepare` may leave where it fails halfway, before the job says which they are.
    """

    def __init__(
        self, prepare: Prepare, judge: Judge, through: Through = lambda output: output, secret_files: Sequence[str] = ()
    ) -> None:
        self.prepare = prepare
        self.judge = judge
        self.through = through
        self.secret_files = secret_files

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Do it, once under this token. Raises `TokenUsed` where it was begun before, OSError where it was not for want of space."""
        folder = pathlib.Path(job.work_dir)
        try:
            process = await asyncio.to_thread(self._begin, job, folder)
        except TokenUsed:
            raise
        except errors.HealerError as error:
            said = one_line("; ".join(filter(None, (error.message, error.try_))))
            return model.Outcome("failed", said, refused=isinstance(error, RefusedJob))
        return await self._follow(job, jobs.Follower(folder, self.through(output), process))

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Take it up again after a crash; its output comes again from the beginning."""
        return await self._follow(job, jobs.Follower(pathlib.Path(job.work_dir), self.through(output)))

    async def find(self, job: model.Job) -> model.Found:
        """What became of it. Where it was not begun, it never will be."""
        folder = pathlib.Path(job.work_dir)
        found = await asyncio.to_thread(jobs.look, folder)
        if isinstance(found, jobs.Status):
            return model.Found("ended", await asyncio.to_thread(self._judge, job, folder, found))
        if found == "running" or (found == "unknown" and await _left(job)):
            return model.Found("running")  # also what a shim left that is gone: it has to be followed to its end
        await asyncio.to_thread(self._scrub, folder)
        if found == "absent":
            return model.Found("absent", detail="it was never started")
        return model.Found("unknown", detail=_left_behind(job))

    async def withhold(self, job: model.Job) -> bool:
        """Whether it was not begun; then it never will be."""
        return await asyncio.to_thread(_withheld, pathlib.Path(job.work_dir))

    def _begin(self, job: model.Job, folder: pathlib.Path) -> starting.Started | None:
        """Write the job and start its shim; None where one may have been started and nobody knows which."""
        self._write(job, folder)
        try:
            return starting.start(folder)
        except OSError as error:
            if not _withheld(folder):
                return None
            self._scrub(folder)
            raise model.NotBegunError(one_line(f"the shim cannot be started: {error}")) from error

    def _write(self, job: model.Job, folder: pathlib.Path) -> None:
        try:
            jobs.make(folder)
        except jobs.FolderUsed:
            raise TokenUsed(token=job.token) from None
        except OSError as error:
            raise refused(error) from error
        try:
            jobs.write(folder, self.prepare(job, folder))
        except Exception as error:
            self._scrub(folder)
            if isinstance(error, OSError | ValueError):
                raise refused(error) from error
            raise

    async def _follow(self, job: model.Job, follower: jobs.Follower) -> model.Outcome:
        try:
            status = await follower.wait()
        except asyncio.CancelledError:
            if await follower.stop(jobs.KILL_AFTER_S) is None:
                await _end_left(job)
            raise
        except jobs.NoRoom as error:
            self._scrub(follower.folder)
            raise OSError(errno.ENOSPC, str(error)) from error
        except jobs.NeverStarted:
            self._scrub(follower.folder)
            raise model.NotBegunError("the shim ended before it started anything") from None
        except jobs.Lost:
            await self._outlived(job, follower.folder)
            self._scrub(follower.folder)
            return model.Outcome("unknown", _left_behind(job))
        except OSError as error:  # no descriptor, a broken disk: it may run, so no secret is taken from it
            return model.Outcome("unknown", one_line(f"it cannot be followed: {error}"))
        return await asyncio.to_thread(self._judge, job, follower.folder, status)

    async def _outlived(self, job: model.Job, folder: pathlib.Path) -> None:
        """The shim is gone, and nobody but us ends what it left when its time is over, or when its end is asked for."""
        try:
            until = (folder / "started").stat().st_mtime + job.deadline_s
            while await _left(job) and time.time() < until:  # noqa: ASYNC110 - processes tell nobody
                await asyncio.sleep(LEFT_LOOK_S)
        except OSError:
            return  # what cannot be looked at is said to be unknown, and named
        finally:
            await asyncio.shield(_end_left(job))

    def _judge(self, job: model.Job, folder: pathlib.Path, status: jobs.Status) -> model.Outcome:
        self._scrub(folder)
        end = ended(status, folder)
        try:
            return self.judge(job, folder, end)
        except OSError as error:  # that it failed is known all the same, that it succeeded is the judge's to say
            state: model.EndState = "unknown" if end.state == "succeeded" else end.state
            summary = one_line(f"{end.summary}; its report cannot be read: {error}")
            return model.Outcome(state, summary, status.exit_code, truncated=status.truncated, seconds=status.seconds)

    def _scrub(self, folder: pathlib.Path) -> None:
        """Take the secrets out of the folder; what hinders it never changes what is said of the attempt."""
        with contextlib.suppress(OSError):
            jobs.scrub(folder, self.secret_files)


def _withheld(folder: pathlib.Path) -> bool:
    """Claim the folder where nobody has; whether nothing starts in it any more and nothing did."""
    if jobs.place_tombstone(folder):
        return True
    claim = jobs.read_claim(folder)
    return claim is not None and claim.tombstone


def refused(error: OSError | ValueError) -> Exception:
    """What a job is told by that could not be written: a full disk is nothing of the job's."""
    if isinstance(error, OSError) and error.errno in errors.NO_SPACE:
        return OSError(error.errno, error.strerror, error.filename)
    return RefusedJob(reason=str(error))


def ended(status: jobs.Status, folder: pathlib.Path) -> Ended:
    """The word for how a child ended, and a line about it."""
    return Ended(status, *_word(status, folder))


def _word(status: jobs.Status, folder: pathlib.Path) -> tuple[model.EndState, str]:
    if status.timed_out:
        return "timed_out", f"ended by its deadline after {status.seconds:.1f} s"
    if status.cancelled:
        return "cancelled", f"cancelled after {status.seconds:.1f} s"
    if status.error and status.exit_code is None and status.signal is None:
        return "failed", one_line(f"it cannot be run: {status.error}")
    if status.exit_code == 0:
        return "succeeded", f"exit 0 after {status.seconds:.1f} s"
    how = f"exit {status.exit_code}" if status.signal is None else f"killed by signal {status.signal}"
    said = last_line(folder / "stderr") or last_line(folder / "stdout")
    return "failed", one_line(f"{how}: {said}" if said else how)


async def _left(job: model.Job) -> list[int]:
    """What a shim that is gone left in its session."""
    with contextlib.suppress(OSError):
        return await asyncio.to_thread(jobs.left, pathlib.Path(job.work_dir), "HEALER_TOKEN", job.token)
    return []


async def _end_left(job: model.Job) -> None:
    """TERM, and KILL after the grace, to all of it."""
    until = time.monotonic() + jobs.KILL_AFTER_S
    told: set[int] = set()
    while pids := await _left(job):
        over = time.monotonic() > until
        for pid in pids:
            if over or pid not in told:
                told.add(pid)
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL if over else signal.SIGTERM)
        if time.monotonic() > until + jobs.KILL_AFTER_S:
            return  # it hangs in the kernel, or is somebody else's by now
        await asyncio.sleep(LEFT_LOOK_S)


def _left_behind(job: model.Job) -> str:
    pids = []
    with contextlib.suppress(OSError):
        pids = jobs.pids_with("HEALER_TOKEN", job.token)
    alive = f"; of it still run: {', '.join(map(str, pids[:20]))}" if pids else ""
    return f"the shim ended without saying how the job ended{alive}"


# --- what the environment of a child is made of ---------------------------------------------------------------------


def environment(job: model.Job) -> dict[str, str]:
    """The few variables of ours that a child gets, the job's own, and what tells it which run it is.

    Raises `RefusedJob` for a variable that cannot be one.
    """
    return taken() | variables(job)


def taken() -> dict[str, str]:
    """The few variables of ours."""
    return {
        "PATH": PATH_DEFAULT,
        **NO_BYTECODE,
        **{name: os.environ[name] for name in ENVIRONMENT_TAKEN if name in os.environ},
    }


def variables(job: model.Job) -> dict[str, str]:
    """The job's own, and what tells a child which run it is, wherever it runs. Raises `RefusedJob` for one that cannot be one."""
    made = {}
    for name, value in job.environment.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise RefusedJob(reason=f"{name!r} cannot be a variable of the environment")
        made[name] = value
    made |= {"HEALER_RUN_ID": job.run_id, "HEALER_TOKEN": job.token}
    if job.dry_run:
        made["HEALER_DRY_RUN"] = "1"
    return made


def reveal(value: Any) -> Any:
    """JSON with each secret in it revealed; for what goes into a private file, and nowhere else."""
    if isinstance(value, model.Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {str(key): reveal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(inner) for inner in value]
    return value


def hide(value: Any) -> Any:
    """JSON with each secret in it as its reference, for people."""
    if isinstance(value, model.Secret):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): hide(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hide(inner) for inner in value]
    return value


def inside(revision_dir: str, subject: str, folders: Sequence[str]) -> pathlib.Path:
    """The file `subject` of the revision, which has to lie in one of `folders`, links followed. Raises `RefusedJob`."""
    root = pathlib.Path(revision_dir).resolve()
    allowed = [(root / folder).resolve() for folder in folders]
    where = " or ".join(f"{folder}/" for folder in folders)
    if "\0" in subject or pathlib.PurePath(subject).is_absolute():
        raise RefusedJob(reason=f"{subject!r} has to be a path below {where}")
    for candidate in (root / subject, *(root / folder / subject for folder in folders)):
        path = candidate.resolve()
        if path.is_file():
            if any(path.is_relative_to(folder) for folder in allowed):
                return path
            raise RefusedJob(reason=f"{subject!r} leads out of {where}")
    raise RefusedJob(reason=f"there is no file {subject!r} in {where}")


# --- what output says -------------------------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """The text as one line, cut to a bearable length: what cannot be seen is written out (`\\x1b`), what may be a secret is left out."""
    flat = quoting.printed_line(text)
    return flat if len(flat) <= SUMMARY_CHARACTERS_MAX else flat[: SUMMARY_CHARACTERS_MAX - 1] + "…"


def tail(path: pathlib.Path, bytes_max: int) -> bytes:
    """The end of a file; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - bytes_max))
            return file.read(bytes_max)
    except OSError:
        return b""


def last_line(path: pathlib.Path) -> str:
    """The last line of a file that is not blank, at most 4 KiB of it; empty where there is none."""
    lines = [line for line in tail(path, 4096).splitlines() if line.strip()]
    return lines[-1].decode("utf-8", "replace").strip() if lines else ""


def result_of(path: pathlib.Path) -> Any:
    """The last line that is not blank as JSON, or None where it is none that can be kept (size, numbers, text)."""
    lines = tail(path, TAIL_BYTES).rstrip().splitlines()
    if not lines or len(lines[-1]) > RESULT_BYTES_MAX:
        return None
    return sound_json(lines[-1])


def sound_json(raw: bytes) -> Any:
    """JSON that the store can keep: no NaN, integers of 64 bits, no NUL, no half of a surrogate pair; else None."""
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_int=_integer, parse_float=_number)
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        return None
    return None if "\\u0000" in text or is_deep(value) else value


def is_deep(value: Any) -> bool:
    """Whether JSON is nested deeper than anybody could go down into: whoever copies or writes it goes down once a level."""
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]
        if not level:
            return False
    return True


def _refuse(literal: str) -> Any:
    raise ValueError(literal)


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < _INTEGER_MAX:
        raise ValueError(digits[:30])
    return number


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits[:30])
    return number
