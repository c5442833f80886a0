"""How a job of `ssh` ended: on one host, kept on our side before the far side forgets it, and on all of them together."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import math
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import model
from healer.child import jobs
from healer.controllers import _shimmed, _ssh_far

KEPT_BYTES_MAX: Final = 8 << 20
"""Of each stream of all hosts of a job, in memory and then on our disk; but `KEPT_BYTES_MIN` of each host."""
KEPT_BYTES_MIN: Final = 16 << 10
RECENT_S: Final = 86_400.0
LINE_BYTES_MAX: Final = 4 << 10
RESULTS_BYTES_MAX: Final = 256 << 10
FAILURES_SHOWN: Final = 5
_BOOT: Final = pathlib.Path("/proc/sys/kernel/random/boot_id")


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """How a job ended. `code` is the shell's: 128 and a number where a signal ended it."""

    code: int
    seconds: float
    timed_out: bool
    cancelled: bool


def status_of(words: Sequence[str], limit_s: float) -> Status | None:
    """Of `CODE BEGAN ENDED ASKED end`; None where it is none. 124, 137 and 143 are those of `timeout` once the time is over."""
    try:
        code, began, ended, asked, end = words
        seconds, code_number = max(0.0, float(ended) - float(began)), int(code)
    except ValueError:
        return None
    over = code_number in (124, 137, 143) and seconds >= max(1, math.ceil(limit_s)) - 0.05
    return Status(code_number, seconds, over and asked == "0", asked == "1") if end == "end" else None


@dataclasses.dataclass(slots=True)
class End:
    """On one host. `begun` False: it is certain that nothing was; `passing`: another attempt may find the network mended."""

    state: model.EndState
    summary: str
    code: int | None = None
    seconds: float = 0.0
    result: Any = None
    truncated: bool = False
    begun: bool = True
    passing: bool = False
    used: bool = False


class Heard:
    """What a host said: the beginning up to the cap, and the last of each stream."""

    def __init__(self, hosts: int = 1) -> None:
        self.count = [0, 0]
        self.kept = (bytearray(), bytearray())
        self._tails = [b"", b""]
        self._kept_max = min(_ssh_far.OUTPUT_BYTES, max(KEPT_BYTES_MIN, KEPT_BYTES_MAX // hosts))

    def add(self, of_stderr: bool, piece: bytes) -> bytes:
        """What of the piece is within the cap."""
        room = max(0, _ssh_far.OUTPUT_BYTES - self.count[of_stderr])
        self.count[of_stderr] += len(piece)
        part = self.kept[of_stderr]
        part.extend(piece[: max(0, min(room, self._kept_max - len(part)))])
        last = LINE_BYTES_MAX if of_stderr else _shimmed.TAIL_BYTES
        self._tails[of_stderr] = (self._tails[of_stderr] + piece)[-last:]
        return piece[:room]

    @property
    def truncated(self) -> bool:
        """Whether something was dropped."""
        most: int = _ssh_far.OUTPUT_BYTES
        return max(self.count) > most

    def last_line(self) -> str:
        """Of standard error, else of standard output."""
        for tail in (self._tails[1], self._tails[0]):
            lines = [line for line in tail[-LINE_BYTES_MAX:].splitlines() if line.strip()]
            if lines:
                return lines[-1].decode("utf-8", "replace").strip()
        return ""

    def result(self) -> Any:
        """The last line of standard output as JSON, where it is some that can be kept."""
        lines = self._tails[0].rstrip().splitlines()
        if not lines or len(lines[-1]) > _shimmed.RESULT_BYTES_MAX or self.count[0] > _ssh_far.OUTPUT_BYTES:
            return None
        return _shimmed.sound_json(lines[-1])


def end_of(status: Status, heard: Heard) -> End:
    """The word for an end, and a line about it."""
    after = f"after {status.seconds:.1f} s"
    if status.cancelled:
        state, summary = "cancelled", f"cancelled {after}"
    elif status.timed_out:
        state, summary = "timed_out", f"ended by its deadline {after}"
    elif status.code == 0:
        state, summary = "succeeded", f"exit 0 {after}"
    else:
        how = f"exit {status.code}" + (f" (signal {status.code - 128})" if 128 < status.code <= 192 else "")
        said = heard.last_line()
        state, summary = "failed", _shimmed.one_line(f"{how}: {said}" if said else how)
    code = None if state in ("cancelled", "timed_out") else status.code
    made: model.EndState = state  # type: ignore[assignment]
    return End(made, summary, code, status.seconds, heard.result(), heard.truncated)


# --- what is kept on our side -----------------------------------------------------------------------------------------


class Record:
    """The files of an attempt here: `sent` (which hosts were told, and their boots) and `ended` (ends that are known, for good).

    A far side forgets an end only once it is on our disk. Many hosts that end at once are one write.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._waiting: list[bytes] = []
        self._writing = asyncio.Lock()
        self.added = asyncio.Event()

    def make(self) -> None:
        """Once an attempt. Raises `jobs.FolderUsed`, or OSError, and then it was not made: nobody is told to begin."""
        jobs.make(self.folder)
        try:
            jobs.write_private(self.folder / "here", _BOOT.read_bytes())
        except OSError:
            for name in ("here", "made"):
                (self.folder / name).unlink(missing_ok=True)
            raise

    def sent(self, name: str, boot: str) -> None:
        """Before a host is told to begin."""
        descriptor = os.open(self.folder / "sent", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, f"{name} {boot}\n".encode())
        finally:
            os.close(descriptor)

    def add(self, name: str, end: End, heard: Heard) -> None:
        """One that has ended, to be kept."""
        kept = [base64.b64encode(part).decode() for part in heard.kept]
        line = json.dumps({"name": name, "end": dataclasses.asdict(end), "output": kept})
        self._waiting.append(line.encode() + b"\n")
        self.added.set()

    async def keep(self) -> None:
        """What was added is on disk when it returns. Raises OSError, and then it is still to be kept."""
        async with self._writing:
            lines = [*self._waiting]
            if lines:
                await asyncio.to_thread(self._write, b"".join(lines))
                del self._waiting[: len(lines)]

    def _write(self, data: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / "ended"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Known:
        """What is known here after a crash."""
        ends: dict[str, tuple[End, list[bytes]]] = {}
        for line in _lines(self.folder / "ended"):
            try:
                read = json.loads(line)
                ends[read["name"]] = End(**read["end"]), [base64.b64decode(part) for part in read["output"]]
            except (ValueError, KeyError, TypeError):
                continue  # a half of a line: the far side still has it
        sent = dict(
            words for line in _lines(self.folder / "sent") if len(words := line.decode("ascii", "replace").split()) == 2
        )
        here = b"".join(_lines(self.folder / "here")).strip()
        return Known((self.folder / "made").exists(), here == _BOOT.read_bytes().strip(), sent, ends, self._is_recent())

    def _is_recent(self) -> bool:
        try:
            return time.time() - (self.folder / "sent").stat().st_mtime < RECENT_S
        except FileNotFoundError:
            return True


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """`made`: it was to be run at all; `same_boot`: what was written here before a host was told cannot have got lost; `recent`: nor can
    what was left there, as sweepers of temporary files wait for days."""

    made: bool
    same_boot: bool
    sent: Mapping[str, str]
    ends: Mapping[str, tuple[End, list[bytes]]]
    recent: bool = True

    def never(self, name: str, boot: str) -> bool:
        """Whether it is certain that a host began nothing, where its folder has no trace of it and this is its boot now.

        A folder of temporary files does not outlive a restart of the host.
        """
        return self.recent and self.sent[name] == boot if name in self.sent else self.same_boot or not self.made


def _lines(path: pathlib.Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []


# --- all hosts together -----------------------------------------------------------------------------------------------


def together(targets: Sequence[model.Target], ends: Sequence[End]) -> model.Outcome:
    """The outcome of a job. Raises `NotBegunError` where nothing began anywhere and the network may be to blame."""
    if all(not end.begun and end.passing for end in ends):
        raise model.NotBegunError(_shimmed.one_line("; ".join(dict.fromkeys(end.summary for end in ends))))
    per_target = {str(target): end.state for target, end in zip(targets, ends, strict=True)}
    truncated, seconds = any(end.truncated for end in ends), max(end.seconds for end in ends)
    lost = any(not end.begun for end in ends)
    if len(ends) == 1:
        end = ends[0]
        return model.Outcome(end.state, end.summary, end.code, end.result, per_target, truncated, seconds, lost=lost)
    missed = [(target, end) for target, end in zip(targets, ends, strict=True) if end.state != "succeeded"]
    said = [f"{target.inventory_name or target.name}: {end.summary}" for target, end in missed[:FAILURES_SHOWN]]
    said += [f"and {len(missed) - FAILURES_SHOWN} more"] if len(missed) > FAILURES_SHOWN else []
    summary = _shimmed.one_line("; ".join([f"{len(ends) - len(missed)} of {len(ends)} hosts succeeded", *said]))
    code = 0 if not missed else None
    results = _results(targets, ends)
    return model.Outcome(_worst(ends), summary, code, results, per_target, truncated, seconds, lost=lost)


def _worst(ends: Sequence[End]) -> model.EndState:
    states = {end.state for end in ends}
    order: tuple[model.EndState, ...] = ("unknown", "failed", "timed_out", "cancelled", "succeeded")
    return next(state for state in order if state in states)


def _results(targets: Sequence[model.Target], ends: Sequence[End]) -> dict[str, Any]:
    """Of each host, what scripts reported as long as there is room for it."""
    made: dict[str, Any] = {}
    room = RESULTS_BYTES_MAX
    for target, end in zip(targets, ends, strict=True):
        one: dict[str, Any] = {"state": end.state, "summary": end.summary, "exit_code": end.code}
        size = len(json.dumps(end.result))
        if end.result is not None and size <= room:
            one["result"] = end.result
            room -= size
        made[target.inventory_name or target.name] = one
    return {"hosts": made}
