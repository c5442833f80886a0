"""Going through the gates: the first no decides; per-target noes leave their target out.

In observe mode and for dry runs nothing waits, but for a step before it: all gates are asked, the first no is kept as `would`, the run is
simulated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from healer import model
from healer.policy import answers, gates, reasons
from healer.policy.candidate import Candidate, View


@dataclasses.dataclass(slots=True)
class Verdict:
    """What one gate said, as explanations keep it. `saw` has integers, texts and lists only (spans in ms).

    Not frozen for the sake of speed, as seventeen are made for each look at each run. Nobody changes one.
    """

    gate: str
    ok: bool
    code: str
    saw: Mapping[str, Any]
    fields: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For the run's explanation."""
        made: dict[str, Any] = {"gate": self.gate, "ok": self.ok, "saw": _plain(self.saw)}
        if not self.ok:
            made |= {"code": self.code, "fields": _plain(self.fields)}
        return made


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for a run. `state` queued means: go; `reason` is '' then. `left_out`: target → its own no."""

    state: model.RunState
    reason: str
    fields: Mapping[str, Any]
    look_at_us: int | None
    verdicts: tuple[Verdict, ...]
    left_out: Mapping[str, answers.No] = dataclasses.field(default_factory=dict)
    would: str = ""
    held: answers.No | None = None
    """Of one that is queued: what its turn waits for at first."""

    @property
    def shown(self) -> tuple[str, Mapping[str, Any]]:
        """(code, fields) that a run's row shows: why it is where it is, also for one whose turn has not come."""
        return (self.held.code, self.held.fields) if self.held is not None else (self.reason, self.fields)

    def target_state(self, target: str) -> tuple[str, str, Mapping[str, Any]]:
        """(state, reason, fields) of one target: left out by its own no, unless the whole run only waits for that no's end."""
        no = self.left_out.get(target)
        if no is None:
            return self.state, "", {}
        waits = self.state == "deferred" and reasons.REASONS[no.code].outcome == "deferred"
        return "deferred" if waits else "left_out", no.code, no.fields

    @property
    def sentence(self) -> str:
        """The reason for people; empty when it goes."""
        return reasons.sentence(self.reason, self.fields) if self.reason else ""


def decide(candidate: Candidate, view: View, now_us: int) -> Decision:
    """What becomes of a match's action now: queued, or the first no's outcome. Gate 15 (lock) never stops it here.

    A run that is there and is not to be tried again stays what it is, whatever an earlier gate would say of a new one: a pause
    must not defer what has succeeded.
    """
    _, noes = gates.once(candidate, view, now_us)
    asked = frozenset({"once"} if noes else (name for name, _ in gates.ORDER))
    return _go(candidate, view, now_us, asked, waits=False)


def look_again(candidate: Candidate, view: View, now_us: int) -> Decision:
    """The same for a deferred run: `once` is not asked, since the run exists."""
    return _go(candidate, view, now_us, frozenset(name for name, _ in gates.ORDER) - {"once"}, waits=False)


def recheck(candidate: Candidate, view: View, now_us: int) -> Decision:
    """Just before the effect: as `decide`, on fresh rows; a busy target or full places leave the run `queued` with that code."""
    return _go(candidate, view, now_us, gates.RECHECKED, waits=True)


def held_by(candidate: Candidate, view: View, now_us: int) -> list[answers.No]:
    """All that the gates say no for to a run that waits, by the order of the gates, of what a person may have it start past."""
    found: dict[str, answers.No] = {}
    for name, gate in gates.ORDER:
        passed = name in gates.UNBROKEN and name != "kill switch"
        if passed or name == "once" or not _is_asked(candidate, name):
            continue
        noes = gate(candidate, view, now_us)[1]
        if view.paused is not None and name == "kill switch":  # which hides what else it says
            noes = noes + gate(candidate, dataclasses.replace(view, paused=None), now_us)[1]
        for no in noes:
            found.setdefault(no.code, no)
    return [*found.values()]


def _is_asked(candidate: Candidate, gate: str) -> bool:
    """ansible-rulebook's own actions that no policy names pass most gates."""
    return not candidate.upstream or candidate.limits.selected or gate in gates.UPSTREAM


def _go(candidate: Candidate, view: View, now_us: int, asked: frozenset[str], *, waits: bool) -> Decision:
    simulated = candidate.dry_run or candidate.mode == "observe"
    verdicts: list[Verdict] = []
    left_out: dict[str, answers.No] = {}
    first: answers.No | None = None
    held: answers.No | None = None
    left = candidate
    if candidate.forced:
        asked &= gates.UNBROKEN
    for name, gate in gates.ORDER:
        if name not in asked or not _is_asked(candidate, name):
            continue
        saw, noes = gate(left, view, now_us)
        if gone := {no.target: no for no in noes if no.target and no.target not in left_out}:
            left_out |= gone
            left = dataclasses.replace(left, targets=tuple(one for one in left.targets if one not in left_out))
        stop = _stops(candidate, noes, left_out)
        if name == "lock" and not waits:
            held, stop = stop, None
        verdicts.append(Verdict(name, stop is None, stop.code if stop else "", saw, stop.fields if stop else {}))
        if stop is not None:
            first = first or stop
            if not simulated or _final_anyway(name, stop) or _waits_for_another(stop):
                return _decision(stop, verdicts, left_out, view)
    if first is None:
        return Decision("queued", "", {}, None, tuple(verdicts), left_out, held=held)
    reason = "dry_run" if candidate.dry_run else "observe"
    would = "" if first.code == reason else first.code
    fields = first.fields
    if would:
        fields = {
            "would": would,
            "why": reasons.sentence(would, first.fields),
            "end": _end(first, view.wall_us - now_us),
        }
    return Decision("simulated", reason, fields, None, tuple(verdicts), left_out, would)


def _end(no: answers.No, to_wall_us: int) -> str:
    """What had come of a run that is only simulated, behind `it would`."""
    outcome = "deferred" if no.waits else reasons.REASONS[no.code].outcome or "queued"
    if outcome == "awaiting_approval":
        return "have waited for a person"
    if outcome not in ("deferred", "queued"):
        return reasons.NOT_RUN
    return f"have waited until {answers.when(no.look_at_us + to_wall_us)}" if no.look_at_us else "have waited"


def _stops(candidate: Candidate, noes: list[answers.No], left_out: Mapping[str, answers.No]) -> answers.No | None:
    """The no that stops the whole run: one that is about no target of it, or the first once every target is left out."""
    whole = [no for no in noes if no.target not in candidate.targets]
    if whole:
        return max(whole, key=_ends) if all(no.look_at_us is not None for no in whole) else whole[0]
    if noes and candidate.targets and all(target in left_out for target in candidate.targets):
        return min(noes, key=lambda no: (no.look_at_us is None, no.look_at_us or 0))
    return None


def _ends(no: answers.No) -> int:
    return no.look_at_us or 0


def _final_anyway(gate: str, no: answers.No) -> bool:
    """A duplicate is one in every mode: the run that is there keeps its state."""
    return gate == "once" and no.code in ("duplicate", "attempts")


def _waits_for_another(no: answers.No) -> bool:
    """The step before it has not ended, or its time as a rung has not come: both were decided while the mode was active."""
    return (no.code == "chain" and no.waits) or no.code == "escalation"


def _decision(no: answers.No, verdicts: list[Verdict], left_out: Mapping[str, answers.No], view: View) -> Decision:
    outcome = "deferred" if no.waits else reasons.REASONS[no.code].outcome or "queued"
    limit = view.approvals_max
    if outcome == "awaiting_approval" != view.state and limit is not None and view.before_people >= limit:
        fields = {"n": view.before_people, "limit": limit, "detail": reasons.sentence(no.code, no.fields)}
        return Decision("deferred", "approvals_full", fields, None, tuple(verdicts), left_out)
    return Decision(outcome, no.code, no.fields, no.look_at_us, tuple(verdicts), left_out)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return str(value)
    return value
