"""Runs cases on ansible-rulebook's own engine, on a clock that only the case moves. A program of its own, since it starts a JVM.

Standard input: one JSON object a line, `{"rulebook": […], "steps": […]}`; steps as `healer replay` takes them, and `{"advance_ms": n}`.
A step with `ruleset` is for that one alone. With `variables` they are those of the rulebook; with `"named": true` a firing names its ruleset.
Standard output: one line for each: `{"steps": [[{"rule", "matches", "at"?} or {"raised"}]]}` or `{"refused": why}`. `at` (ms) is the time of
what fired by time alone; the clock moves in steps of `tick_ms` (500), as the peer's own does. More steps:
`{"text": "…"}` is an event as text, `{"facts": true}` gives `[{"facts": […]}]`, all that the session remembers, `{"restart": true}` ends the
sessions and makes new ones. With `"each": true` every step meets a session of
its own, and rules that raise one each, since that spoils a session here: those that `raises` of the step expects to, and all where another
did. Then `raised` names the rule.
"""

from __future__ import annotations

import json
import os
import pathlib
import select
import socket
import sys
from typing import Any

import drools
import jpyutil
from ansible_rulebook.json_generator import visit_ruleset
from ansible_rulebook.rules_parser import parse_rule_sets

TICK_MS = 500


def machine() -> Any:
    """jpy with a JVM and the engine's classes."""
    (jar,) = map(str, (pathlib.Path(drools.__file__).parent / "jars").glob("*.jar"))
    jpyutil.init_jvm(
        jvm_maxmem="1G",
        jvm_classpath=[jar],
        jvm_options=["-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
    )
    import jpy

    return jpy


class Peer:
    """One engine; each case gets sessions of its own."""

    def __init__(self) -> None:
        jpy = machine()
        options = jpy.get_type("org.drools.ansible.rulebook.integration.api.RuleConfigurationOption")
        self.engine = jpy.get_type("org.drools.ansible.rulebook.integration.core.jpy.AstRulesEngine")()
        self.options = jpy.array(options, [options.FULLY_MANUAL_PSEUDOCLOCK])
        # It refuses rules with timers unless somebody listens for what they fire; the calls give that too.
        self.channel = socket.create_connection(("localhost", self.engine.port()))

    def run(self, case: dict[str, Any]) -> dict[str, Any]:
        """What the case fires."""
        if case.get("each"):
            found = [self._alone(case["rulebook"], step) for step in case["steps"]]
            refused = [one for one in found if isinstance(one, dict)]
            return refused[0] if refused else {"steps": found}
        return self._together(case)

    def _alone(self, rulebook: list[dict[str, Any]], step: dict[str, Any]) -> list[Any] | dict[str, Any]:
        """The firings of one step; or why the rulebook is refused."""
        (ruleset,) = rulebook
        alone = set(step.get("raises", ()))
        together = [rule for rule in ruleset["rules"] if rule["name"] not in alone]
        whole = (
            self._together({"rulebook": [{**ruleset, "rules": together}], "steps": [step]})
            if together
            else {"steps": [[]]}
        )
        if "refused" in whole:
            return whole
        (found,) = whole["steps"]
        if any("raised" in one for one in found):
            found, alone = [], {rule["name"] for rule in ruleset["rules"]}
        for rule in ruleset["rules"]:
            if rule["name"] in alone:
                one = self._together({"rulebook": [{**ruleset, "rules": [rule]}], "steps": [step]})
                if "refused" in one:
                    return one
                found += [{"raised": rule["name"]} if "raised" in match else match for match in one["steps"][0]]
        return found

    def _together(self, case: dict[str, Any]) -> dict[str, Any]:
        try:
            variables = case.get("variables", {})
            parsed = parse_rule_sets(case["rulebook"], variables)
            trees = [visit_ruleset(one, variables)["RuleSet"] for one in parsed]
            sessions = [self.engine.createRuleset(json.dumps(tree), self.options) for tree in trees]
        except Exception as error:  # noqa: BLE001 - whatever the parser or the JVM says is the answer
            return {"refused": f"{type(error).__name__}: {error}"[:300]}
        clock_ms, steps = 0, []
        for step in case["steps"]:
            fired: list[Any] = []
            if "restart" in step:
                for session in sessions:
                    self.engine.dispose(session)
                sessions = [self.engine.createRuleset(json.dumps(tree), self.options) for tree in trees]
                steps.append(fired)
                continue
            for tree, session in zip(trees, sessions, strict=True):
                if step.get("ruleset", tree["name"]) != tree["name"]:
                    continue
                try:
                    found = self._step(session, step, clock_ms, case.get("tick_ms", TICK_MS))
                except RuntimeError as error:
                    found = [{"raised": str(error)[:200]}]
                fired += [{"ruleset": tree["name"], **one} for one in found] if case.get("named") else found
                self._drain()
            clock_ms += step.get("advance_ms", 0)
            steps.append(fired)
        for session in sessions:
            self.engine.dispose(session)
        return {"steps": steps}

    def _step(self, session: int, step: dict[str, Any], clock_ms: int, tick_ms: int) -> list[Any]:
        if "event" in step:
            return matches(self.engine.assertEvent(session, json.dumps(step["event"])))
        if "text" in step:
            return matches(self.engine.assertEvent(session, step["text"]))
        if "facts" in step:
            return [{"facts": json.loads(self.engine.getFacts(session))}]
        if "fact" in step:
            return matches(self.engine.assertFact(session, json.dumps(step["fact"])))
        if "retract" in step:
            exclude = list(step.get("exclude_keys", []))
            text = self.engine.retractMatchingFacts(
                session, json.dumps(step["retract"]), step.get("partial", True), exclude
            )
            return matches(text)
        fired, left_ms = [], step["advance_ms"]
        while left_ms > 0:
            by_ms = min(tick_ms, left_ms)
            left_ms, clock_ms = left_ms - by_ms, clock_ms + by_ms
            text = self.engine.advanceTime(session, by_ms, "MILLISECONDS")
            fired += [{**one, "at": clock_ms} for one in matches(text)]
        return fired

    def _drain(self) -> None:
        while select.select([self.channel], [], [], 0)[0]:
            self.channel.recv(1 << 16)


def matches(text: str | None) -> list[dict[str, Any]]:
    """The firings in one answer."""
    found = json.loads(text) if text else []
    return [{"rule": rule, "matches": events} for one in found for rule, events in one.items()]


def main() -> None:
    """All cases, then out, without waiting for the JVM's threads."""
    peer = Peer()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(peer.run(json.loads(line))) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
