"""Our engine and ansible-rulebook's own behind one door, so that a statement about the language is one test that both are held to.

Callers: the tests `test_semantics_*`, by the fixture `on` of `conftest`. A rule is a condition or a mapping with the key `condition`; rules
are named r0, r1, … or by the keys of a mapping. A step is an event, or `{"text": its JSON}`, `{"fact": …}`, `{"retract": …}`, `{"advance_s": n}`, `{"facts": True}`
(what is remembered) or `{"restart": True}`: a stop and a start as each engine has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from healer import engine, errors, testing

KINDS: Final = ("event", "text", "fact", "retract", "advance_ms", "advance_s", "facts", "restart")
Case = Mapping[str, Any]


def ours(case: Case) -> dict[str, Any]:
    """What a case of one ruleset gives here; answers as `peer.py` does, and says how many comparisons it counted as broken."""
    try:
        (compiled,) = testing.load(case["rulebook"], case.get("variables"))
    except errors.ConfigurationError as error:
        return {"refused": " ".join(one.code for one in error.diagnostics if one.severity == "error")}
    session, now_ms, answers = engine.Session(compiled), 0, []
    for step in case["steps"]:
        body, now, found = json.loads(json.dumps(next(iter(step.values())))), now_ms / 1000, []
        if "facts" in step:
            answers.append([{"facts": [kept[-1] for kept in session.snapshot()["entries"]]}])
            continue
        if "restart" in step:
            state, session = json.loads(json.dumps(session.snapshot())), engine.Session(compiled)
            session.restore(state)
        elif "event" in step or "text" in step:
            found = session.post(orjson.loads(body) if "text" in step else body, now)
        elif "fact" in step:
            found = session.assert_fact(body, now)
        elif "retract" in step:
            found = session.retract_fact(body, step.get("partial", True), step.get("exclude_keys", ()), now)
        else:
            now_ms += body
            found = session.advance(now_ms / 1000)
        at = "advance_ms" in step
        answers.append([
            {"rule": one.rule.name, "matches": one.matches, **({"at": round(one.at * 1000)} if at else {})} for one in found
        ])  # fmt: skip
    return {"steps": answers, "broken": session.counters["comparisons_broken"]}


class Engine:
    """One of the two. `ours` tells which, for what the two differ in on purpose."""

    def __init__(self, ask: Callable[[Case], dict[str, Any]], *, is_ours: bool) -> None:
        self._ask, self.ours = ask, is_ours

    def ask(self, rules: Any, *steps: Any, **more: Any) -> dict[str, Any]:
        """The answer as it is. `more`: `mmr`, `variables`, `tick_ms`, and keys of the ruleset."""
        named = rules if isinstance(rules, Mapping) else {f"r{number}": rule for number, rule in enumerate(rules)}
        made = [
            {"name": name, "action": {"none": {}}, **(rule if isinstance(rule, Mapping) and "condition" in rule else {"condition": rule})}
            for name, rule in named.items()
        ]  # fmt: skip
        ruleset = {"name": "s", "hosts": "all", "sources": [{"ansible.eda.range": {"limit": 1}}], "rules": made}
        case = {key: more.pop(key) for key in ("variables", "tick_ms") if key in more}
        if more.pop("mmr", False):
            more["match_multiple_rules"] = True
        return self._ask({"rulebook": [{**ruleset, **more}], "steps": [_step(one) for one in steps], **case})

    def fired(self, rules: Any, *steps: Any, **more: Any) -> list[list[Any]]:
        """For each step what fires: (rule, matches), with the second where time made it fire; "raised" where the engine raises."""
        answer = self.ask(rules, *steps, **more)
        assert "steps" in answer, answer
        return [_kept(step) or [_firing(one) for one in step if "facts" not in one] for step in answer["steps"]]

    def rules(self, rules: Any, *steps: Any, **more: Any) -> list[list[str]]:
        """For each step the rules that fire."""
        return [[one if isinstance(one, str) else one[0] for one in step] for step in self.fired(rules, *steps, **more)]

    def shown(self, rules: Any, *steps: Any, **more: Any) -> list[str]:
        """For each step the firings as the page notes them, an event by its `n`: `r{m: a}`, `r@10{m: a}`; `-` where nothing fires."""
        found = self.fired(rules, *steps, **more)
        return [" ".join(_noted(one) for one in step) or "-" for step in found]

    def holds(self, condition: Any, *events: Any, **more: Any) -> list[Any]:
        """For each event whether a rule about one event fires; "raised" where the engine raises, which spoils its session for the others."""
        steps = self.fired([condition], *events, **more)
        if len(events) > 1 and ["raised"] in steps:
            return [self.holds(condition, event, **more)[0] for event in events]
        return ["raised" if step == ["raised"] else bool(step) for step in steps]

    def table(self, cases: Mapping[str, Sequence[tuple[Any, Any]]], **more: Any) -> None:
        """Asserts for each condition the pairs (event, whether it holds)."""
        wrong = [
            f"{text!r} of {event!r}: {got}"
            for text, pairs in cases.items()
            for (event, wanted), got in zip(
                pairs, self.holds(text, *[event for event, _ in pairs], **more), strict=True
            )
            if got != wanted
        ]
        assert not wrong, wrong

    def refuses(self, rule: Any, **more: Any) -> str:
        """Why a rule is refused; empty where it is not."""
        return str(self.ask([rule], **more).get("refused", ""))


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    if "advance_s" in step:
        return {"advance_ms": round(step["advance_s"] * 1000)}
    return dict(step) if any(kind in step for kind in KINDS) else {"event": step}


def _kept(step: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What is remembered; the peer tells it in no order."""
    return sorted((body for one in step for body in one.get("facts", ())), key=json.dumps)


def _firing(one: Mapping[str, Any]) -> Any:
    if "raised" in one:
        return "raised"
    return (one["rule"], one["matches"], *([one["at"] / 1000] if "at" in one else []))


def _noted(firing: Any) -> str:
    if isinstance(firing, str):
        return firing
    rule, matches, *at = firing
    events = ", ".join(f"{name}: {event.get('n', event)}" for name, event in sorted(matches.items()))
    return f"{rule}{f'@{at[0]:g}' if at else ''}{{{events}}}"
