"""One journal row → what it leads to: the alerts it speaks of, the rules that it fires, what their actions ask for.

Synchronous and deterministic: the same rows under the same rules give the same outcomes, which replay after a start rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from healer import engine, model, telemetry
from healer.decide import acting, alerts, firing, routing
from healer.store import cycles, deciding, journal


class Running:
    """One ruleset at work."""

    __slots__ = ("activation", "anew", "name", "ruleset", "session", "timed", "uses_meta", "variables")

    def __init__(
        self,
        activation: str,
        compiled: engine.Compiled,
        variables: Mapping[str, Any] = MappingProxyType({}),
        *,
        anew: bool = False,
    ) -> None:
        """`variables`: those of its activation; `anew`: after a `shutdown` it begins anew."""
        self.activation = activation
        self.variables = variables
        self.anew = anew
        self.ruleset = compiled.ruleset
        self.name = f"{activation}/{compiled.ruleset.name}"
        self.session = engine.Session(compiled)
        self.uses_meta = compiled.uses_meta
        self.timed = bool(self.session.timers)


class Evaluator:
    """The rules of one revision with their memory. `routes`: source → rulesets that listen; `shown`: source → what events say of it."""

    def __init__(
        self, uid: str, running: Iterable[Running], routes: Mapping[str, list[str]], known: alerts.Alerts, actor: acting.Actor,
        ttl_us: Mapping[str, int], types: Mapping[str, str], shown: Mapping[str, str] | None = None,
        shown_to: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
    ) -> None:  # fmt: skip
        self.uid = uid
        self.running = {one.name: one for one in running}
        self.alerts = known
        self.acting = actor
        self.ended: dict[str, int] = {}
        """Activation → the row at which one of its rules ended it (`shutdown`)."""
        self._ttl_us = ttl_us
        self._types = types
        self._shown = shown or {}
        self._shown_to = shown_to or {}
        self._routes = {
            source: routing.Route([self.running[name] for name in names if name in self.running])
            for source, names in routes.items()
        }
        for one in self.running.values():
            self._routes[firing.inner_source(one.name)] = routing.Route([one])
        self._needs_meta = {
            source: any(one.uses_meta for one in found.listeners) for source, found in self._routes.items()
        }
        self._iso: tuple[int, str] = (-1, "")

    def clear(self) -> None:
        """Hold nothing any more: other rules hold from here on."""
        self.running.clear()
        self._routes.clear()

    def index_in_slices(self) -> Iterator[None]:
        """Make events of a source that many rulesets listen to visit those only that they could concern; until then all."""
        for route in self._routes.values():
            yield from route.index_in_slices()

    def evaluate(self, row: journal.Row, *, replay: cycles.Openings | None = None) -> deciding.Outcome | None:
        """The row's outcome, None when it led to nothing. With `replay` the rules' memory moves on and nothing else."""
        if row.kind == "tick":
            return self._tick(row, replay=replay is not None)
        route = self._routes.get(row.source)
        if route is None or not route.listeners or row.kind == "revision":
            return None
        data = row.data if row.data is not None else orjson.loads(row.body or b"null")
        if not isinstance(data, dict):
            return None
        # Most events say nothing of an alert and meet no rule: nothing is made for them.
        outcome: deciding.Outcome | None = None
        word = self._word(row, data, replay=replay) if "alert" in data and row.kind == "event" else None
        if word is not None:
            outcome = deciding.Outcome(row.seq, row.at_us, alerts=[word])
        if self._needs_meta[row.source] and row.kind != "retract":
            data["meta"] = self.meta(row, data)
        now = row.at_us / 1_000_000
        for one in route.listeners if row.kind == "retract" else route.reached_by(data):
            if one.activation in self.ended:
                continue
            try:
                heard = data if row.source not in self._shown_to else self._as_called(one, row, data)
                matches = self._matches(one.session, row, heard, now)
                if matches:
                    outcome = outcome or deciding.Outcome(row.seq, row.at_us)
                    self._fired(one, row, matches, word, outcome, replay is not None, {})
            except Exception as error:  # one ruleset's poison must not stop the others: the pair is set aside and told
                outcome = outcome or deciding.Outcome(row.seq, row.at_us)
                self._set_aside(one, error, outcome)
        return None if replay is not None else outcome

    def _tick(self, row: journal.Row, *, replay: bool) -> deciding.Outcome | None:
        """Time has passed: what is due fires, by time, then by ruleset and rule. What waits is looked at."""
        outcome = deciding.Outcome(row.seq, row.at_us, look=True)
        due: list[tuple[Running, engine.Match]] = []
        for one in self.running.values():
            if one.timed and one.activation not in self.ended:
                try:
                    due += [(one, match) for match in one.session.advance(row.at_us / 1_000_000)]
                except Exception as error:  # as for an event
                    self._set_aside(one, error, outcome)
        due.sort(key=_at)
        ordinals: dict[str, dict[int, int]] = {}
        for one, match in due:
            self._fired(one, row, [match], None, outcome, replay, ordinals.setdefault(one.name, {}))
        if replay:
            return None
        outcome.expired = self.alerts.expire(row.at_us)
        return outcome

    @staticmethod
    def _set_aside(one: Running, error: Exception, outcome: deciding.Outcome) -> None:
        telemetry.count("events_quarantined")
        outcome.quarantined.append((one.name, f"{type(error).__name__}: {error}"[:1000]))

    def _word(
        self, row: journal.Row, data: dict[str, Any], *, replay: cycles.Openings | None
    ) -> deciding.AlertWord | None:
        if replay is not None:
            self.alerts.recall(row.source, data["alert"], row.seq, replay)
            return None
        return self.alerts.word(row.source, data["alert"], row.at_us, self._ttl_us.get(row.source, alerts.TTL_US))

    @staticmethod
    def _matches(session: engine.Session, row: journal.Row, data: dict[str, Any], now: float) -> list[engine.Match]:
        if row.kind == "event":
            return session.post(data, now, row.seq)
        if row.kind == "fact":
            return session.assert_fact(data, now, row.seq)
        found = session.retract_fact(data["retract"], data["partial"], data["exclude_keys"], now, row.seq)
        return [] if data.get("silent") else found

    def _fired(
        self, one: Running, row: journal.Row, matches: list[engine.Match], word: deciding.AlertWord | None,
        outcome: deciding.Outcome, replay: bool, ordinals: dict[int, int],
    ) -> None:  # fmt: skip
        """Do what the rules that fired say. `word` is what the row says of an alert; what time fired in its wake is not about it."""
        for match in matches:
            ordinal = ordinals.get(match.rule.index, 0)
            ordinals[match.rule.index] = ordinal + 1
            if any(action.name == "shutdown" for action in match.rule.actions):
                self._shut_down(one, row.seq, outcome, match.rule.name)
            if replay:
                continue
            for event in match.matches.values():
                if "meta" not in event or not self._needs_meta.get(row.source, True):
                    event["meta"] = self.meta(row, event)
                    if row.source in self._shown_to:
                        event["meta"] = self._as_called(one, row, event)["meta"]
            own = word if not match.refs or row.seq in match.refs.values() else None
            self.acting.act(
                firing.Fired(one.activation, one.name, one.ruleset, match, row, own, ordinal, one.variables), outcome
            )

    def _shut_down(self, one: Running, seq: int, outcome: deciding.Outcome, rule: str) -> None:
        """The activation ends at this row, or forgets everything and begins anew."""
        if one.activation not in self.ended:
            outcome.shut_down.append((one.activation, f"{one.name}/{rule}", one.anew))
        if not one.anew:
            self.ended.setdefault(one.activation, seq)
            return
        for other in self.running.values():
            if other.activation == one.activation:
                other.session = engine.Session(other.session.compiled)

    def _as_called(self, one: Running, row: journal.Row, data: dict[str, Any]) -> dict[str, Any]:
        """The event of a source that several share, with the name and type that a ruleset calls it by."""
        called = self._shown_to[row.source].get(one.name)
        if called is None or "meta" not in data:
            return data
        return {**data, "meta": {**data["meta"], "source": {"name": called[0], "type": called[1]}}}

    def meta(self, row: journal.Row, data: Mapping[str, Any]) -> dict[str, Any]:
        """`event.meta` as upstream has it: uuid (made of the data directory's id and the position), source, received_at, and what
        the delivery brought (endpoint, headers, hosts)."""
        if row.at_us != self._iso[0]:
            self._iso = (row.at_us, model.iso(row.at_us))
        uid = self.uid
        made: dict[str, Any] = {}
        own = data.get("meta")
        if isinstance(own, dict):
            made.update(own)
        if row.meta:
            made.update(orjson.loads(row.meta))
        made["uuid"] = f"{uid[:8]}-{uid[8:12]}-8{uid[13:16]}-8{uid[17:20]}-{row.seq:012x}"
        made["received_at"] = self._iso[1]
        if row.depth and "source" in made:
            return made  # a row from within names the action that made it
        if row.kind == "fact":
            made["source"] = {"name": "set_fact", "type": "internal"}
        else:
            shown = self._shown.get(row.source, row.source)
            made["source"] = {"name": shown, "type": self._types.get(row.source, "internal")}
        return made


def _at(due: tuple[Running, engine.Match]) -> float:
    return due[1].at
