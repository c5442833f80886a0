"""Actions of a match, continued: whatever an event makes of an argument is told as a problem, and nothing breaks of it."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from healer.policy import reasons
from healer.store import asking, deciding

VALUES = [5, 1.5, True, None, [], ["x"], {}, {"x": [1]}, [[1], 2], "text", "", "x" * 5000, "host:" + "y" * 600]
RULES = {
    "the name of an action": 'r | event.a == 1 | action: {run_action: {name: "{{ event.v }}", target: web01}}',
    "its target": 'r | event.a == 1 | action: {run_action: {name: note, target: "{{ event.v }}", parameters: {text: x}}}',
    "its controller": 'r | event.a == 1 | action: {run_action: {name: plain, controller: "{{ event.v }}"}}',
    "the name of a playbook": 'r | event.a == 1 | action: {run_playbook: {name: "{{ event.v }}"}}',
    "the name of a module": 'r | event.a == 1 | action: {run_module: {name: "{{ event.v }}", module_args: {x: 1}}}',
    "a module's arguments": 'r | event.a == 1 | action: {run_module: {name: ping, module_args: "{{ event.v }}"}}',
    "an event": 'r | event.a == 1 | action: {post_event: {ruleset: "{{ event.v }}", event: {x: 1}}}',
    "a message": 'r | event.a == 1 | action: {debug: {msg: "{{ event.v }}"}}',
    "the end": 'r | event.a == 1 | action: {shutdown: {message: "{{ event.v }}"}}',
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_an_argument_of_any_kind_is_decided(make: Any, rule: str) -> None:
    for value in VALUES:
        kit = make(rule)
        outcome = kit.post({"a": 1, "v": value})
        assert outcome.quarantined == [], value
        (result,) = outcome.results
        assert isinstance(result, asking.Ask | deciding.Internal)


@hypothesis.given(value=st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
))  # fmt: skip
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_target_stays_one_of_the_candidate(make: Any, value: Any) -> None:
    kit = make(RULES["its target"])
    (ask,) = kit.asks({"a": 1, "v": value})
    named = {problem.target for problem in ask.candidate.problems if problem.target}
    assert named <= set(ask.candidate.targets)
    assert {str(target) for target in ask.targets} == set(ask.candidate.targets)


@pytest.mark.parametrize("length", [285, 290, 291, 295, 296, 300, 400, 10_000])
def test_an_unknown_target_is_refused_however_long_it_is(make: Any, length: int) -> None:
    (ask,) = make(RULES["its target"]).asks({"a": 1, "v": "n" * length})
    (problem,) = ask.candidate.problems
    assert (problem.code, problem.target) == ("unknown_target", ask.candidate.targets[0])


@pytest.mark.parametrize("text", ["k8s:a/b/c/d", "url:https://evil.example/", "aap:a/b", "group:web"])
def test_what_a_controller_does_not_reach_is_no_target(make: Any, text: str) -> None:
    (ask,) = make(RULES["its target"]).asks({"a": 1, "v": text})
    assert [problem.code for problem in ask.candidate.problems] == ["unknown_target"]


def test_what_has_the_wrong_kind_is_named(make: Any) -> None:
    (ask,) = make(RULES["a module's arguments"]).asks({"a": 1, "v": ["x"]})
    (problem,) = ask.candidate.problems
    assert problem.code == "invalid_parameters"
    assert "module_args of run_module has to be a mapping" in problem.fields["detail"]


def test_what_would_enter_the_rules_goes_to_a_ruleset_by_its_name(make: Any) -> None:
    outcome = make(RULES["an event"]).post({"a": 1, "v": 5})
    assert outcome.appends == []
    (result,) = outcome.results
    assert (result.outcome, result.reason) == ("refused", "invalid_parameters")


def test_a_playbook_reads_the_event_as_upstream_gives_it(make: Any) -> None:
    (ask,) = make("r | event.a == 1 | action: {run_playbook: {name: playbooks/fix.yml}}").asks({"a": 1, "v": 2})
    told = ask.extra["ansible_eda"]
    assert (told["ruleset"], told["rule"], told["event"]["v"]) == ("rs", "r", 2)
    assert told["event"]["meta"]["source"]["name"] == "healer.api"


@pytest.mark.parametrize(("path", "shown"), [
    ("event.v.0.x", "event.v.0.x: 5"), ("event.a", "event.a: 1"), ("event.v.0", 'event.v.0: {"x":5}'), ("event.b", "event.b is not there"),
    ("event.v.9", "event.v.9 is not there"), ("event.t", "event.t: text"),
])  # fmt: skip
def test_debug_looks_a_variable_up(make: Any, path: str, shown: str) -> None:
    kit = make(f"r | event.a == 1 | action: {{debug: {{var: {path}}}}}")
    kit.post({"a": 1, "v": [{"x": 5}], "t": "text"})
    assert [text for _, text in kit.said] == [shown]


def test_each_effectful_action_comes_after_the_one_before(make: Any) -> None:
    kit = make(
        "r | event.a == 1 | actions: [{run_action: {name: plain}}, {debug: {msg: x}}, {run_playbook: {name: playbooks/fix.yml}}, "
        "{run_action: {name: plain}}]"
    )
    first, second, third = kit.asks({"a": 1})
    assert [one.candidate.after for one in (first, second, third)] == ["", first.candidate.run, second.candidate.run]


@pytest.mark.parametrize("expression", ["event.n * 1000", "9 ** 64", "event.f * 1000"])
@pytest.mark.parametrize(
    "action",
    [
        "run_playbook: {name: fix.yml, extra_vars: {v: '%s'}}",
        "debug: {msg: ['%s', x]}",
        "post_event: {event: {v: '%s'}}",
    ],
)
def test_a_number_that_json_cannot_hold_stops_its_action_and_not_the_event(
    make: Any, expression: str, action: str
) -> None:
    text = action % ("{{ " + expression + " }}")
    outcome = make(f"r | event.n is defined | action: {{{text}}}").post({"n": 9 * 10**18, "f": 1.5e308})
    assert outcome.quarantined == []
    (result,) = outcome.results
    if isinstance(result, asking.Ask):
        assert "no JSON value" in result.candidate.problems[0].fields["detail"]
    else:
        assert result.reason == "invalid_parameters" or expression == "9 ** 64"
    assert outcome.appends == []


BODY = b"\n".join(part.hex().encode() for part in (b"salt", b"m" * 32, b"c" * 16)).hex()
VAULTED = f'"$ANSIBLE_VAULT;1.1;AES256\\n{BODY}\\n"'
ACTIVATED = f"mode: active\nactivations: [{{name: act, rulebook: rulebooks/act.yml, vars: {{tok: {VAULTED}, db: {{pw: {VAULTED}, n: 1}}}}}}]\n"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("debug: {var: tok}", "tok: ***"),
        ("debug: {var: db}", 'db: {"pw":"***","n":1}'),
        ("debug: {msg: '{{ tok }}'}", "***"),
        ("debug: {msg: ['{{ db }}']}", '{"pw":"***","n":1}'),
        ("shutdown: {message: '{{ tok }}'}", "activation act ends: ***"),
    ],
)
def test_what_is_vaulted_is_never_said(make: Any, action: str, said: str) -> None:
    kit = make(f"r | event.a == 1 | action: {{{action}}}", files={"healer.yaml": ACTIVATED})
    kit.post({"a": 1})
    assert [message for _, message in kit.said] == [said]


CLUSTER = {
    "controllers.yaml": "controllers:\n  here: {type: local}\n  c: {type: oc, namespaces: [shop], in_cluster: true}\n"
    "  w: {type: http, allow: ['https://h.example/b']}\ndefault: here\n",
    "actions.yaml": "actions:\n  again: {oc: {verb: rollout restart}, controller: c, impact: low}\n"
    "  flush: {http: {method: DELETE, url: 'cache/{{ parameters.v }}'}, controller: w, impact: low, parameters: {v: {}}, required: [v]}\n",
}


@pytest.mark.parametrize(("args", "told"), [
    ("name: again, target: shop/deployment/cart", None),
    ("name: again, target: shop/pod/cart-1", ("unknown_target", "k8s:c/shop/pod/cart-1",
     "No target: 'rollout restart' is for deployment or statefulset or daemonset, and this is a pod.")),
    ("name: flush, target: 'https://h.example/b', parameters: {v: '{{ event.v }}'}", ("invalid_parameters", "",
     "The parameters of flush are wrong: a part of its path is . or .., which leads elsewhere")),
])  # fmt: skip
def test_what_its_controller_could_never_do_is_no_matter_of_a_try(make: Any, args: str, told: Any) -> None:
    """Also in a dry run, of which nobody would hear otherwise."""
    (ask,) = make(f"r | event.a == 1 | action: {{run_action: {{{args}}}}}", files=CLUSTER).asks({"a": 1, "v": ".."})
    found = [(one.code, one.target, reasons.sentence(one.code, one.fields)) for one in ask.candidate.problems]
    assert found == ([told] if told else [])
