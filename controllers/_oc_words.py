"""What kubectl says when something is wrong, as one line for people, and whether it is then known that nothing happened."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Final

from healer import model
from healer.controllers import _shimmed

_FROM_SERVER: Final = re.compile(r"^Error from server \((\w+)\): (.*)", re.MULTILINE | re.DOTALL)
_TERMINATED: Final = re.compile(r"^command terminated with exit code (\d+)\s*\Z", re.MULTILINE)
"""The program that `exec` ran has ended: what it printed before is its own."""
_REASONS: Final[Mapping[str, tuple[model.EndState, str]]] = {
    "Forbidden": (
        "failed",
        "the account may not do this (403): {}; give it the right, or take the action off this controller",
    ),
    "Unauthorized": (
        "failed",
        "the credentials are not taken (401): {}; renew the token or kubeconfig of the controller",
    ),
    "NotFound": ("failed", "it is not there (404): {}"),
    "AlreadyExists": ("failed", "it is there already (409): {}"),
    "Conflict": ("failed", "somebody changed it at the same time (409): {}; try it again"),
    "Invalid": ("failed", "the API refuses it (422): {}"),
    "BadRequest": ("failed", "the API does not understand it (400): {}"),
    "TooManyRequests": ("failed", "the API is too busy, or a disruption budget forbids it (429): {}"),
    "Timeout": ("unknown", "the API was too slow (504): {}"),
    "ServerTimeout": ("unknown", "the API was too slow (500): {}"),
    "InternalError": ("unknown", "the API failed (500): {}"),
    "ServiceUnavailable": ("failed", "the API is not available (503): {}"),
}
"""The reason of a Status (k8s.io/apimachinery, meta/v1 `StatusReason`) → how it ended, and the sentence about it."""
_PHRASES: Final[tuple[tuple[str, model.EndState, str], ...]] = (
    (r"\bgetting credentials: |^exec plugin: |\bexec: executable \S+ (?:not found|failed)", "failed",
     "no credentials could be got, so nothing was sent: {}; look at the kubeconfig's user"),
    (r"You must be logged in to the server|the server has asked for the client to provide credentials", *_REASONS["Unauthorized"]),
    (r"was refused - did you specify|\bconnection refused|\bno such host\b|network is unreachable|no route to host|\bdial tcp\b", "failed",
     "the API cannot be reached: {}"),
    (r"(?m)^The .* is invalid\b", *_REASONS["Invalid"]),
    (r"\bx509: |\btls: (?!bad record MAC|unexpected message|internal error|use of closed)", "failed",
     "the API's certificate is not trusted: {}; look at ca, or the kubeconfig"),
    (r"context .* does not exist|invalid configuration|error loading config|no configuration has been provided"
     r"|\bunable to (?:read|load) .*\b(?:cert|key)", "failed",
     "the kubeconfig cannot be used: {}"),
    (r"\btimed? ?out\b|\bTimeout\b|deadline exceeded|\bEOF\b|connection reset|connection lost|broken pipe|request canceled|unexpected end"
     r"|\bGOAWAY\b|stream error|closed (?:network )?connection|\btls: |\betcdserver: ", "unknown",
     "the API did not answer: {}"),
)  # fmt: skip
"""What the client itself says, the first that is found: it has no reasons."""
_OF_LOG: Final = re.compile(r"[EWIF]\d{4} \d\d:")
"""Begins what its library logs, as of each try to learn what the API has: the last line is what it ended with."""
_NAMED: Final = re.compile(r"\w+://[^\s\"\\]+|\\?\"[a-z0-9][a-z0-9.-]*\\?\"")
"""Addresses (`?timeout=30s`) and names of objects, which say nothing of what happened."""


def told(said: str, code: int) -> tuple[model.EndState, str]:
    """How a command that failed ended, and one line about it."""
    if found := _FROM_SERVER.search(said):
        state, words = _REASONS.get(found[1], ("failed", f"the API refuses it ({found[1]}): {{}}"))
        return state, _shimmed.one_line(words.format(found[2].strip()))
    if found := _TERMINATED.search(said):
        printed = [
            line for line in said[: found.start()].strip().splitlines() if not line.startswith("Defaulted container")
        ]
        return "failed", _shimmed.one_line(f"exit {found[1]}: {printed[-1]}" if printed else f"exit {found[1]}")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = next(
        (line for line in reversed(lines) if line.lower().startswith(("error", "unable"))), lines[-1] if lines else ""
    )
    plain = re.sub(r"^(?:error|Error from server): ", "", last)
    own = "\n".join(line for line in lines if not _OF_LOG.match(line))
    for text in (_NAMED.sub("", one) for one in (plain, own, said)):
        for pattern, state, words in _PHRASES:
            if re.search(pattern, text):
                return state, _shimmed.one_line(words.format(plain))
    return "failed", _shimmed.one_line(f"exit {code}: {plain}" if plain else f"exit {code}")


def ends(folder: pathlib.Path) -> dict[str, tuple[model.EndState, str, bool]]:
    """Target → how its last step ended, what it said, whether it was at its effect. A line that was cut off is none."""
    found: dict[str, tuple[model.EndState, str, bool]] = {}
    try:
        lines = (folder / "ends.json").read_bytes().splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            one: Any = json.loads(line)
            target, code, said, effect = str(one["target"]), int(one["code"]), str(one["said"]), one["effect"] is True
        except (ValueError, KeyError, TypeError):
            continue
        state: model.EndState = "succeeded"
        words: str = _shimmed.one_line(said)
        if code:
            state, words = told(said, code)
            if state == "unknown" and effect:
                words = _shimmed.one_line(f"{words}; it may have been done all the same")
        found[target] = ("failed" if state == "unknown" and not effect else state, words, effect)
    return found


def outcome(
    job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended
) -> tuple[model.EndState, str, dict[str, str], Any]:
    """(state, summary, state by target, result) of a job. Of a target without an end, what the child's end says."""
    found, left = ends(folder), _left(ended)
    by_target: dict[str, str] = {
        target: found[target][0] if target in found else left for target in map(str, job.targets)
    }
    others = {*by_target.values()} - {"succeeded"}
    state: model.EndState = "succeeded"
    if others:
        stopped = ended.state in ("timed_out", "cancelled")
        state = ended.state if stopped else "unknown" if "unknown" in others else "failed"
    said = [found[one][1] for one in by_target if by_target[one] == state and one in found and found[one][1]]
    summary = said[0] if said else ended.summary
    if len(by_target) > 1 and others:
        count = sum(one != "succeeded" for one in by_target.values())
        summary = f"{count} of {len(by_target)} targets: {summary}"
    told_of = {one: {"state": by_target[one], "said": found[one][1] if one in found else ""} for one in by_target}
    return state, _shimmed.one_line(summary), by_target, {"targets": told_of}


def _left(ended: _shimmed.Ended) -> model.EndState:
    """What became of targets that the child tells no end of: one that was killed may have been at any of them."""
    if ended.state in ("timed_out", "cancelled"):
        return ended.state  # type: ignore[no-any-return]
    return "unknown" if ended.status.signal is not None else "failed"
