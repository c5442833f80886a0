"""Actions of a match: arguments rendered once, targets and parameters checked, run ids by alert and cycle or by match."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from healer import model
from healer.policy import reasons
from healer.store import asking, deciding

S = 1_000_000
ACT = 'r | event.a == 1 | action: {run_action: {name: note, target: "{{ event.host }}", parameters: {text: "{{ event.text }}"}}}'


def event(**more: Any) -> dict[str, Any]:
    return {"a": 1, "host": "web01", "text": "x"} | more


def alert(status: str = "firing", key: str = "k", **more: Any) -> dict[str, Any]:
    return event(alert={"key": key, "status": status, "severity": "critical"}, **more)


def problems(ask: asking.Ask) -> list[tuple[str, str]]:
    return [(one.code, one.target) for one in ask.candidate.problems]


def test_a_match_becomes_a_question_with_all_that_the_catalog_says(make: Any) -> None:
    (ask,) = make(ACT).asks(event())
    candidate = ask.candidate
    assert (candidate.rule, candidate.action, candidate.controller, candidate.targets) == (
        "act/rs/r", "note", "here", ("host:web01",),
    )  # fmt: skip
    assert (ask.kind, ask.subject, ask.parameters, ask.actor) == (
        "command",
        ("logger", "x"),
        {"text": "x", "n": 7},
        "rule:act/rs/r",
    )
    assert (candidate.limits.cooldown_s, candidate.limits.attempts, candidate.event_us) == (600, 3, 1_000 * S)
    assert (candidate.problems, candidate.lifecycle, ask.alerts, ask.severity) == ((), False, [], 4)
    assert [test["text"] for test in ask.conditions] == ["event.a == 1"]


# --- ids of runs ------------------------------------------------------------------------------------------------------


def test_with_an_alert_there_is_one_run_a_cycle(make: Any) -> None:
    kit = make(ACT)
    runs = [kit.asks(alert(status))[0].candidate.run for status in ("firing", "firing", "resolved", "firing")]
    assert runs[0] == runs[1] == runs[2] != runs[3]


def test_an_alert_of_another_source_or_key_is_another_run(make: Any) -> None:
    kit = make(ACT, sources="[{healer.api: {}}, {healer.source: {name: am}}]", files={
        "healer.yaml": "sources: {am: {healer.webhook: {path: am, auth: {none: true}}}}\n",
    })  # fmt: skip
    runs = {kit.asks(alert(key=key), source=source)[0].candidate.run for key in "ab" for source in ("healer.api", "am")}
    assert len(runs) == 4


def test_without_an_alert_there_is_one_run_a_match(make: Any) -> None:
    kit = make(ACT)
    runs = [kit.asks(event())[0].candidate.run for _ in range(3)]
    assert len(set(runs)) == 3
    assert runs[0] == model.run_id("act", "rs", "r", "e-1", 0, 0)


def test_each_action_of_a_rule_is_a_run_of_its_own(make: Any) -> None:
    kit = make("r | event.a == 1 | actions: [{run_action: {name: plain}}, {run_action: {name: plain}}]")
    assert len({ask.candidate.run for ask in kit.asks(alert())}) == 2


def test_only_alerts_that_fired_in_the_match_withdraw_it(make: Any) -> None:
    kit = make(ACT)
    firing, resolved = kit.asks(alert())[0], kit.asks(alert("resolved"))[0]
    assert (firing.candidate.lifecycle, firing.alerts) == (True, [("healer.api", "k", 1, True)])
    assert (resolved.candidate.lifecycle, resolved.alerts) == (False, [("healer.api", "k", 1, False)])
    assert firing.severity == 0


# --- targets and parameters -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "targets", "codes"), [
    ("web01", ("host:web01",), []),
    (["web02", "web01", "web01"], ("host:web01", "host:web02"), []),
    ("web01:9100", ("host:web01",), []),
    ("web9", ("host:web9",), [("unknown_target", "host:web9")]),
    (["web01", "nobody"], ("host:nobody", "host:web01"), [("unknown_target", "host:nobody")]),
    ("", ("host:",), [("unknown_target", "host:")]),
    ([], (), [("unknown_target", "")]),
    ({"x": 1}, (), [("unknown_target", "")]),
    (None, (), [("unknown_target", "")]),
    ([5], ("host:5",), [("unknown_target", "host:5")]),
    ("; rm -rf /", ("host:; rm -rf /",), [("unknown_target", "host:; rm -rf /")]),
])  # fmt: skip
def test_targets_are_those_of_the_inventory(make: Any, host: Any, targets: Any, codes: Any) -> None:
    (ask,) = make(ACT).asks(event(host=host))
    assert (ask.candidate.targets, problems(ask)) == (targets, codes)
    assert sorted(str(target) for target in ask.targets) == list(targets)


def test_there_are_so_many_targets_and_no_more(make: Any) -> None:
    (ask,) = make(ACT).asks(event(host=["web01"] * 1001))
    assert problems(ask) == [("unknown_target", "")]


@pytest.mark.parametrize(("host", "sentence", "step"), [
    ("nobody", "No target nobody in inventory.", "add it to the inventory, or mend the alert's target"),
    ("db01", "No target: 'db01' may mean 2 hosts: db01, web02.",
     "let the alert name its host in full, or mend names and healer_aliases of the inventory"),
    ("web", "No target: 'web' is a group; an event names one host.", "mend the alert's target"),
    ("group:all", "No target: 'group:all' is a group; an event may not name a group.", "mend the alert's target"),
    ("*", "No target: '*' is a pattern or an option; an event names one host.", "mend the alert's target"),
    ("k8s:a/b", "No target: 'k8s:a/b': here reaches no k8s: targets (a controller of type local).",
     "another controller, or another target"),
    (["web01"] * 1001, "No target: 1001 are asked for, and an action takes 1000.", "name fewer targets"),
])  # fmt: skip
def test_why_a_target_is_none_is_said(make: Any, host: Any, sentence: str, step: str) -> None:
    inventory = "all:\n  children:\n    web: {hosts: {web01: {}, web02: {healer_aliases: [db01]}}}\n    db: {hosts: {db01: {}}}\n"
    (ask,) = make(ACT, files={"inventory/hosts": inventory}).asks(event(host=host))
    (problem,) = ask.candidate.problems
    told = reasons.sentence(problem.code, problem.fields), reasons.next_step(problem.code, problem.fields)
    assert told == (sentence, step)


@pytest.mark.parametrize("host", ["web01", "nobody", ["web01"], {"x": 1}, 0, False])
def test_a_target_for_an_action_that_works_on_none_is_refused(make: Any, host: Any) -> None:
    kit = make('r | event.a == 1 | action: {run_action: {name: plain, target: "{{ event.host }}"}}')
    (ask,) = kit.asks(event(host=host))
    assert (ask.candidate.targets, problems(ask)) == ((), [("invalid_parameters", "")])
    detail = ask.candidate.problems[0].fields["detail"]
    assert detail.startswith("target: the action works on none (target: none), got ")


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("{run_action: {name: note, target: '{{ event.gone }}', parameters: {text: x}}}", "note"),
        ("{run_action: {name: '{{ event.gone }}', target: web01}}", "run_action"),
        ("{run_playbook: {name: playbooks/fix.yml, extra_vars: {a: '{{ event.gone }}'}}}", "run_playbook"),
    ],
)
def test_what_cannot_be_rendered_is_told_of_the_action_that_is_meant(
    make: Any, write_book: Any, rule: str, named: str
) -> None:
    text = write_book("r | event.a == 1 | action: X").replace("X", rule)
    (ask,) = make(text=text).asks(event())
    problem = ask.candidate.problems[0]
    assert reasons.sentence(problem.code, problem.fields).startswith(
        f"The parameters of {named} are wrong: the template "
    )
    assert reasons.next_step(problem.code, problem.fields) == "mend what the rule or its event gives to the action"


@pytest.mark.parametrize("host", [None, "", []])
def test_no_target_is_right_for_an_action_that_works_on_none(make: Any, host: Any) -> None:
    kit = make('r | event.a == 1 | action: {run_action: {name: plain, target: "{{ event.host }}"}}')
    (ask,) = kit.asks(event(host=host))
    assert (ask.candidate.targets, problems(ask)) == ((), [])


@pytest.mark.parametrize(("parameters", "said"), [
    ('{text: "{{ event.text }}"}', None), ('{text: 5}', "text"), ("{}", "required"), ('{text: x, n: "y"}', "n"),
    ('{text: x, more: 1}', "more"), ('"{{ event.text }}"', "mapping"), ('{text: "{{ event.gone }}"}', "gone"),
])  # fmt: skip
def test_parameters_are_those_of_the_schema(make: Any, parameters: str, said: str | None) -> None:
    rule = f"r | event.a == 1 | action: {{run_action: {{name: note, target: web01, parameters: {parameters}}}}}"
    try:
        kit = make(rule)
    except AssertionError:  # what is wrong for any event is refused when the project is read
        return
    (ask,) = kit.asks(event())
    assert problems(ask) == ([("invalid_parameters", "")] if said else [])
    if said:
        assert said in ask.candidate.problems[0].fields["detail"]


def test_an_action_named_by_an_event_is_found_or_told(make: Any) -> None:
    kit = make('r | event.a == 1 | action: {run_action: {name: "{{ event.name }}", target: "{{ event.host }}"}}')
    (ask,) = kit.asks(event(name="nott"))
    assert problems(ask)[0] == ("unknown_action", "")
    assert ask.candidate.problems[0].fields["nearest"] == "did you mean 'note'?"
    (ask,) = kit.asks(event(name="plain", host=[]))
    assert problems(ask) == []


def test_the_controller_is_the_actions_or_the_one_that_is_asked_for(make: Any) -> None:
    kit = make(
        "r | event.a == 1 | action: {run_action: {name: plain}}",
        "s | event.a == 3 | action: {run_action: {name: plain, controller: '{{ event.c }}'}}".replace("'", '"'),
    )
    assert kit.asks(event())[0].candidate.controller == "here"
    (ask,) = kit.asks(event(a=3, c="nobody"))
    assert (ask.candidate.controller, problems(ask)[-1][0]) == ("nobody", "controller_forbidden")
    (ask,) = kit.asks(event(a=3, c="site"))
    assert problems(ask)[-1][0] == "controller_forbidden"  # no command by ansible


# --- templates --------------------------------------------------------------------------------------------------------

HOSTILE = ["{{7*7}}", "{% for x in y %}", "{{ event.__class__ }}", "{#", "${x}", "$(id)", "'; drop table run; --"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_an_event_brings_is_never_a_template(make: Any, text: str) -> None:
    kit = make(
        ACT,
        's | event.a == 2 | actions: [{set_fact: {fact: {f: "{{ event.text }}"}}}, {debug: {msg: "got {{ event.text }}"}}]',
        't | event.f is defined | action: {run_action: {name: note, target: web01, parameters: {text: "{{ event.f }}"}}}',
    )
    (ask,) = kit.asks(event(text=text))
    assert (ask.parameters["text"], problems(ask)) == (text, [])
    outcome = kit.post(event(a=2, text=text))
    (row,) = outcome.appends
    assert orjson.loads(row.body or b"") == {"f": text}
    assert ("INFO", f"got {text}") in kit.said
    (ask,) = kit.asks({"f": text}, kind="fact", source="ruleset:act/rs")
    assert ask.parameters["text"] == text


def test_a_hostile_target_is_only_a_name(make: Any) -> None:
    (ask,) = make(ACT).asks(event(host="{{ 'web01' }}"))
    assert problems(ask)[0][0] == "unknown_target"


def test_an_exact_expression_keeps_its_kind(make: Any) -> None:
    kit = make('r | event.a == 1 | action: {post_event: {event: {x: "{{ event.x }}", y: "n{{ event.x }}"}}}')
    for value in (5, None, True, ["a"], {"b": 1}, "None", "1_000"):
        (row,) = kit.post(event(x=value)).appends
        made = orjson.loads(row.body or b"")
        assert made["x"] == value
        assert isinstance(made["y"], str)


# --- internal actions -------------------------------------------------------------------------------------------------


def test_internal_actions_append_at_the_tail_one_deeper(make: Any) -> None:
    kit = make(
        "r | event.a == 1 | actions: [{set_fact: {fact: {f: 1}}}, {retract_fact: {fact: {f: 1}}}, {post_event: {event: {p: 1}}}, {none: {}}]"
    )
    outcome = kit.post(event(), depth=2)
    assert [(row.kind, row.source, row.depth, row.actor) for row in outcome.appends] == [
        ("fact", "ruleset:act/rs", 3, "rule:act/rs/r"), ("retract", "ruleset:act/rs", 3, "rule:act/rs/r"),
        ("event", "ruleset:act/rs", 3, "rule:act/rs/r"),
    ]  # fmt: skip
    assert orjson.loads(outcome.appends[1].body or b"")["retract"] == {"f": 1}
    assert [(one.action, one.outcome) for one in outcome.results if isinstance(one, deciding.Internal)] == [
        ("set_fact", "done"), ("retract_fact", "done"), ("post_event", "done"), ("none", "done"),
    ]  # fmt: skip


def test_a_chain_of_effects_ends(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {post_event: {event: {a: 1}}}")
    for depth in range(12):
        outcome = kit.post(event(), depth=depth)
        (one,) = outcome.results
        assert isinstance(one, deciding.Internal)
        expected = ("done", "", 1) if depth < 10 else ("refused", "chain_depth", 0)
        assert (one.outcome, one.reason, len(outcome.appends)) == expected


def test_what_cannot_be_rendered_is_refused_and_told(make: Any) -> None:
    kit = make('r | event.a == 1 | action: {set_fact: {fact: {f: "{{ event.gone }}"}}}')
    outcome = kit.post(event())
    (one,) = outcome.results
    assert isinstance(one, deciding.Internal)
    assert (one.outcome, one.reason, outcome.appends) == ("refused", "invalid_parameters", [])
    assert kit.said[0][0] == "WARNING"


def test_what_is_paused_appends_nothing(make: Any) -> None:
    kit = make("r | event.a == 1 | actions: [{set_fact: {fact: {f: 1}}}, {run_action: {name: plain}}]")
    (kit.folder / "PAUSE").write_text("release")
    outcome = kit.post(event())
    internal, ask = outcome.results
    assert isinstance(internal, deciding.Internal)
    assert isinstance(ask, asking.Ask)
    assert (internal.outcome, internal.reason, outcome.appends) == ("suppressed", "paused", [])
    assert ask.standing.paused is not None
    assert ask.standing.paused["reason"] == "release"


def test_what_people_are_told(make: Any) -> None:
    kit = make(
        "r | event.a == 1 | actions: [{debug: {msg: [one, two]}}, {debug: {}}, {print_event: {}}, {print_event: {pretty: true}}]"
    )
    kit.post({"a": 1})
    texts = [text for _, text in kit.said]
    assert texts[:2] == ["one", "two"]
    assert all(orjson.loads(text) for text in texts[2:])
    assert "\n" in texts[-1]


# --- upstream's actions -----------------------------------------------------------------------------------------------

PLAY = "r | event.a == 1 | action: {run_playbook: {name: playbooks/fix.yml, extra_vars: {x: 1}, verbosity: 2}}"


def test_a_playbook_acts_as_it_acted(make: Any) -> None:
    (ask,) = make(PLAY).asks(alert())
    candidate = ask.candidate
    assert (candidate.upstream, candidate.controller, candidate.action, ask.kind, ask.subject) == (
        True, "site", "run_playbook playbooks/fix.yml", "playbook", "playbooks/fix.yml",
    )  # fmt: skip
    assert (candidate.limits.cooldown_s, candidate.limits.attempts, candidate.limits.lock_targets) == (
        None,
        None,
        False,
    )
    assert (ask.parameters, ask.extra["verbosity"], ask.alerts, candidate.lifecycle) == ({"x": 1}, 2, [], False)
    assert candidate.targets == ("host:db01", "host:web01", "host:web02", "host:web03")


def test_a_playbook_acts_at_each_match_whatever_the_alert_is(make: Any) -> None:
    kit = make(PLAY)
    assert kit.asks(alert())[0].candidate.run != kit.asks(alert())[0].candidate.run


@pytest.mark.parametrize(("meta", "targets"), [
    (None, ("host:web01", "host:web02", "host:web03")),
    ('{"hosts": "db01"}', ("host:db01",)),
    ('{"hosts": ["web01", "db01"]}', ("host:db01", "host:web01")),
    ('{"hosts": []}', ("host:web01", "host:web02", "host:web03")),
    ('{"hosts": {"x": 1}}', ("host:web01", "host:web02", "host:web03")),
])  # fmt: skip
def test_the_hosts_of_a_playbook(make: Any, meta: str | None, targets: Any, write_book: Any) -> None:
    text = write_book("r | event.a == 1 | action: {run_playbook: {name: playbooks/fix.yml}}")
    kit = make(text=text.replace("hosts: all", "hosts: web"))
    (ask,) = kit.asks({"a": 1}, meta=meta)
    assert ask.candidate.targets == targets


def test_a_host_that_is_not_known_stops_a_playbook(make: Any) -> None:
    (ask,) = make(PLAY).asks({"a": 1}, meta='{"hosts": ["web01", "nobody"]}')
    assert problems(ask) == [("unknown_target", "")]


def test_a_playbook_named_by_an_event_stays_inside(make: Any) -> None:
    kit = make('r | event.a == 1 | action: {run_playbook: {name: "{{ event.name }}"}}')
    for name in ("../../etc/passwd", "/etc/passwd", "nothing.yml", "", "playbooks/../../x"):
        (ask,) = kit.asks(event(name=name))
        assert problems(ask) == [("unknown_action", "")], name
    assert problems(kit.asks(event(name="fix.yml"))[0]) == []


def test_a_module_takes_its_arguments(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {run_module: {name: ansible.builtin.ping, module_args: {data: x}}}")
    (ask,) = kit.asks(event())
    assert (ask.kind, ask.subject, ask.parameters) == ("module", "ansible.builtin.ping", {"data": "x"})


@pytest.mark.parametrize(
    ("rule", "entry", "dry"), [("", "", False), (", dry_run: true", "", True), ("", ", dry_run: true", True)]
)
def test_a_dry_run_is_asked_for_by_the_rule_or_by_the_action(make: Any, rule: str, entry: str, dry: bool) -> None:
    files = {"actions.yaml": f"actions: {{plain: {{command: ['true'], impact: low, target: none{entry}}}}}\n"}
    kit = make(f"r | event.a == 1 | action: {{run_action: {{name: plain{rule}}}}}", files=files)
    (asked,) = kit.asks({"a": 1})
    assert asked.candidate.dry_run is dry
