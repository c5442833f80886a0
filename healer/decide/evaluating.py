"""One journal row → what it leads to: the alerts it speaks of, the rules that it fires, what their actions ask for.

Synchronous and deterministic: the same rows under the same rules give the same outcomes, which replay after a start rests on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, cast

import orjson
from loguru import logger

from healer import engine, model
from healer.decide import acting, alerts, firing, routing
from healer.policy import labels
from healer.store import cycles, deciding, journal, letters

ERROR_MAX: Final = 1000


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

    def empty(self) -> Running:
        """The same ruleset with an empty memory."""
        return Running(self.activation, self.session.compiled, self.variables, anew=self.anew)


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """An event that did not come: what it would say of its alert, the event as each ruleset that listens would see it, and the names of
    those that it could concern."""

    word: deciding.AlertWord | None
    listeners: Sequence[tuple[Running, dict[str, Any]]]
    reached: Collection[str]


class Evaluator:
    """The rules of one revision with their memory. `routes`: source → rulesets that listen; `shown`: source → what events say of it."""

    def __init__(
        self, uid: str, running: Iterable[Running], routes: Mapping[str, list[str]], known: alerts.Alerts, actor: acting.Actor,
        ttl_us: Mapping[str, int], types: Mapping[str, str], shown: Mapping[str, str] | None = None,
        shown_to: Mapping[str, Mapping[str, tuple[str, str]]] | None = None, inhibitions: Sequence[labels.Inhibition] = (),
        alerts_max: int | None = None,
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
        self._inhibitions = inhibitions
        self._alerts_max = alerts_max
        self._listening = routes
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

    def alone(self, names: Collection[str]) -> Evaluator:
        """A few of the rulesets with an empty memory, apart from these: what a replay for them needs."""
        running = [one.empty() for name, one in self.running.items() if name in names]
        routes = {source: [name for name in heard if name in names] for source, heard in self._listening.items()}
        return Evaluator(
            self.uid, running, routes, self.alerts, self.acting, self._ttl_us, self._types, self._shown, self._shown_to,
            self._inhibitions, self._alerts_max,
        )  # fmt: skip

    def evaluate(
        self, row: journal.Row, *, replay: cycles.Openings | None = None, without: Collection[str] = ()
    ) -> deciding.Outcome | None:
        """The row's outcome, None when it led to nothing. With `replay` the rules' memory moves on and nothing else.

        `without`: rulesets that do not hear it; time passes for them. `quarantined` of the outcome are those that this try failed: they
        have done nothing, and what they remember is to be put back (`tries`).
        """
        if row.kind == "tick":
            return self._tick(row, replay is not None, without)
        again = None if row.ordinal is None else letters.released(row)
        heard_at = row.source if again is None or not again.alone else firing.inner_source(again.ruleset)
        route = self._routes.get(heard_at)
        if route is None or not route.listeners or row.kind == "revision":
            return None
        if (why := letters.unread(row.meta)) != "":
            aside = deciding.Outcome(row.seq, row.at_us, quarantined=[(letters.EVERY_RULESET, why)])
            return None if replay is not None else aside
        data = row.data if row.data is not None else orjson.loads(row.body or b"null")
        if not isinstance(data, dict):
            return None
        # Most events say nothing of an alert and meet no rule: nothing is made for them.
        outcome: deciding.Outcome | None = None
        word = self._word(row, data, again, replay) if "alert" in data and row.kind == "event" else None
        if word is not None and (again is None or not again.alone):
            outcome = deciding.Outcome(row.seq, row.at_us, alerts=[word])
        if self._needs_meta[heard_at] and row.kind != "retract":
            data["meta"] = self.meta(row, data)
        now = row.at_us / 1_000_000
        for one in route.listeners if row.kind == "retract" else route.reached_by(data):
            if one.activation in self.ended:
                continue
            if without and one.name in without:
                self._pass_by(one, row, None)
                continue
            try:
                heard = data if row.source not in self._shown_to else self._as_called(one, row, data)
                matches = self._matches(one.session, row, heard, now)
                if not matches:
                    continue
                made = deciding.Outcome(row.seq, row.at_us)
                self._fired(one, row, matches, word, made, replay is not None, {})
            except Exception as error:  # one ruleset's poison must not stop the others: the pair is set aside and told
                outcome = outcome or deciding.Outcome(row.seq, row.at_us)
                self._failed(one, row, error, outcome, replay is not None)
                continue
            outcome = self._joined(outcome, made)
        return None if replay is not None else outcome

    def again(self, name: str, row: journal.Row, outcome: deciding.Outcome) -> str:
        """Let one ruleset hear a row once more, as read anew: what that leads to joins `outcome`. '' or why it failed again."""
        one = self.running[name]
        made, word = deciding.Outcome(row.seq, row.at_us), None
        try:
            if row.kind == "tick":
                matches = one.session.advance(row.at_us / 1_000_000)
            else:
                data, word = self._said_again(row, outcome)
                if one.uses_meta and row.kind != "retract":
                    data["meta"] = self.meta(row, data)
                heard = data if row.source not in self._shown_to else self._as_called(one, row, data)
                matches = self._matches(one.session, row, heard, row.at_us / 1_000_000)
            self._fired(one, row, matches, word, made, False, {})
        except Exception as error:  # as above
            return told(error)
        self._joined(outcome, made)
        return ""

    def pass_by(self, name: str, row: journal.Row, outcome: deciding.Outcome) -> None:
        """A ruleset does not hear the row; what time fires by then still joins `outcome`."""
        self._pass_by(self.running[name], row, outcome)

    def _said_again(
        self, row: journal.Row, outcome: deciding.Outcome
    ) -> tuple[dict[str, Any], deciding.AlertWord | None]:
        data = orjson.loads(row.body or b"{}")
        again = letters.released(row)
        if again is not None and again.alone:
            return data, self._word(row, data, again, None) if "alert" in data and row.kind == "event" else None
        word = outcome.alerts[0] if outcome.alerts else None
        if word is not None:
            data["alert"]["cycle"] = word.cycle
        return data, word

    def _tick(self, row: journal.Row, replay: bool, without: Collection[str]) -> deciding.Outcome | None:
        """Time has passed: what is due fires, by time, then by ruleset and rule. What waits is looked at."""
        outcome = deciding.Outcome(row.seq, row.at_us, look=True)
        due: list[tuple[Running, engine.Match]] = []
        for one in self.running.values():
            if not one.timed or one.activation in self.ended:
                continue
            if without and one.name in without:
                self._pass_by(one, row, None)
                continue
            try:
                due += [(one, match) for match in one.session.advance(row.at_us / 1_000_000)]
            except Exception as error:  # as for an event
                self._failed(one, row, error, outcome, replay)
        due.sort(key=_at)
        ordinals: dict[str, dict[int, int]] = {}
        pieces: list[tuple[str, deciding.Outcome]] = []
        for one, match in due:
            piece = deciding.Outcome(row.seq, row.at_us)
            try:
                self._fired(one, row, [match], None, piece, replay, ordinals.setdefault(one.name, {}))
            except Exception as error:  # as for an event
                if all(name != one.name for name, _ in outcome.quarantined):
                    self._failed(one, row, error, outcome, replay)
            pieces.append((one.name, piece))
        failed = {name for name, _ in outcome.quarantined}
        for name, piece in pieces:
            if name not in failed:
                self._joined(outcome, piece)
        if replay:
            return None
        outcome.expired = self.alerts.expire(row.at_us)
        return outcome

    def _pass_by(self, one: Running, row: journal.Row, outcome: deciding.Outcome | None) -> None:
        """Time passes for a ruleset that does not hear the row; where even that fails, its memory begins anew."""
        try:
            matches = one.session.advance(row.at_us / 1_000_000)
        except Exception as error:  # what its timers hold cannot be told from what poisons them
            one.session = engine.Session(one.session.compiled)
            logger.bind(ruleset=one.name, event=row.seq).error("{} forgets all: time cannot pass: {}", one.name, error)
            return
        ordinals: dict[int, int] = {}
        for match in matches:
            piece = deciding.Outcome(row.seq, row.at_us)
            try:
                self._fired(one, row, [match], None, piece, outcome is None, ordinals)
            except Exception as error:  # its deadline is over: held back, it would fail at each row that follows
                logger.bind(rule=f"{one.name}/{match.rule.name}", event=row.seq).error("a firing is lost: {}", error)
                continue
            self._joined(outcome, piece)

    @staticmethod
    def _failed(one: Running, row: journal.Row, error: Exception, outcome: deciding.Outcome, replay: bool) -> None:
        """Note that a ruleset could not digest the row. What it may have changed half is gone at once: nobody is to look at it."""
        if one.session.remembers or row.kind != "event":
            one.session = engine.Session(one.session.compiled)
        if replay:
            said = "{} cannot be replayed and forgets what came before: {}"
            logger.bind(ruleset=one.name, event=row.seq).error(said, one.name, error)
        outcome.quarantined.append((one.name, told(error)))

    def _joined(self, outcome: deciding.Outcome | None, made: deciding.Outcome) -> deciding.Outcome:
        """What one ruleset did counts from here on."""
        shut_down, made.shut_down = made.shut_down, []
        for done in shut_down:
            if done[0] not in self.ended:
                self._shut_down(done[0], made.seq, done[2])
                made.shut_down.append(done)
        if outcome is None:
            return made
        outcome.results += made.results
        outcome.appends += made.appends
        outcome.shut_down += made.shut_down
        return outcome

    def _word(
        self, row: journal.Row, data: dict[str, Any], again: letters.Released | None, replay: cycles.Openings | None
    ) -> deciding.AlertWord | None:
        """What the event says of an alert. One that is tried again for one ruleset has said it already, in the cycle of then."""
        if again is not None and again.alone:
            return self.alerts.of_then(row.source, data["alert"], again.cycle or 0)
        if replay is not None:
            self.alerts.recall(row.source, data["alert"], row.seq, replay)
            return None
        return self._said(self.alerts, row, data["alert"])

    def _said(self, known: alerts.Alerts, row: journal.Row, said: Any) -> deciding.AlertWord | None:
        """What is said of an alert, taken into those that are known."""
        ttl_us = self._ttl_us.get(row.source, alerts.TTL_US)
        word = known.word(row.source, said, row.at_us, ttl_us, self._alerts_max)
        if word is None:
            return None
        word.labels = found = labels.of_alert(said, row.source)
        if not word.full:
            word.explains = [(one.digest, one.shared(found)) for one in self._inhibitions if one.explains(found)]
        return word

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
            if any(action.name == "shutdown" for action in match.rule.actions) and one.activation not in self.ended:
                outcome.shut_down.append((one.activation, f"{one.name}/{match.rule.name}", one.anew))
            if replay:
                continue
            self.acting.act(self.fired(one, row, match, word, ordinal), outcome)

    def fired(
        self, one: Running, row: journal.Row, match: engine.Match, word: deciding.AlertWord | None, ordinal: int
    ) -> firing.Fired:
        """A firing as actions take it: its events have their `meta`."""
        for event in match.matches.values():
            if "meta" not in event or not self._needs_meta.get(row.source, True):
                event["meta"] = self.meta(row, event)
                if row.source in self._shown_to:
                    event["meta"] = self._as_called(one, row, event)["meta"]
        own = word if not match.refs or row.seq in match.refs.values() else None
        return firing.Fired(one.activation, one.name, one.ruleset, match, row, own, ordinal, one.variables)

    def would_hear(self, row: journal.Row) -> Heard | None:
        """Who would hear an event, and what it would say, if it came now; None for one that nobody hears. Takes nothing."""
        route, data = self._routes.get(row.source), orjson.loads(row.body or b"null")
        if route is None or not isinstance(data, dict):
            return None
        word = self._said(self.alerts.apart(row.source, data["alert"]), row, data["alert"]) if "alert" in data else None
        if self._needs_meta[row.source]:
            data["meta"] = self.meta(row, data)
        reached = {one.name for one in route.reached_by(data)}
        listeners = [
            (one, data if row.source not in self._shown_to else self._as_called(one, row, data))
            for one in route.listeners if one.activation not in self.ended
        ]  # fmt: skip
        return Heard(word, listeners, reached)

    def _shut_down(self, activation: str, seq: int, anew: bool) -> None:
        """The activation ends at this row, or forgets everything and begins anew."""
        if not anew:
            self.ended.setdefault(activation, seq)
            return
        for other in self.running.values():
            if other.activation == activation:
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
        brought = letters.brought(row.meta) if row.meta else {}
        made.update(brought)
        made["uuid"] = f"{uid[:8]}-{uid[8:12]}-8{uid[13:16]}-8{uid[17:20]}-{row.seq:012x}"
        made["received_at"] = self._iso[1]
        if (row.depth and "source" in made) or "source" in brought:
            return made  # a row from within names the action that made it
        if row.kind == "fact":
            made["source"] = {"name": "set_fact", "type": "internal"}
        else:
            shown = self._shown.get(row.source, row.source)
            made["source"] = {"name": shown, "type": self._types.get(row.source, "internal")}
        return made


def told(error: Exception) -> str:
    """What went wrong, as it is kept."""
    return f"{type(error).__name__}: {error}"[:ERROR_MAX].encode("utf-8", "replace").decode()


def without_rules(uid: str, known: alerts.Alerts) -> Evaluator:
    """Before there are any: nobody acts."""
    return Evaluator(uid, [], {}, known, cast(acting.Actor, None), {}, {})


def _at(due: tuple[Running, engine.Match]) -> float:
    return due[1].at
