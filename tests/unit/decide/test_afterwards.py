"""What follows on an action: what a next rung or a verification may not reach is known before it would act."""

from __future__ import annotations

from typing import Any

import pytest

FILES = {
    "controllers.yaml": """\
controllers:
  here: {type: local, inventory: inventory}
  near: {type: local, inventory: inventory, targets: ["group:db"]}
  there: {type: local, inventory: other}
default: here
""",
    "other/hosts": "[web]\nweb02\n",
}
ACT = 'r | event.a == 1 | action: {run_action: {name: mend, target: "{{ event.host }}"}}'


def actions(more: str, controller: str) -> dict[str, str]:
    return FILES | {
        "actions.yaml": f"""\
actions:
  mend: {{command: ["true"], impact: low, {more}}}
  next: {{command: ["true"], impact: low, controller: {controller}, verify: none}}
"""
    }


def rung_problems(ask: Any) -> list[tuple[str, str]]:
    (rung,) = ask.extra["escalate"]
    return [(one["code"], one["target"]) for one in rung["extra"].get("problems", ())]


@pytest.mark.parametrize(
    ("controller", "host", "wanted"),
    [
        ("here", "web01", []),
        ("near", "web01", [("controller_forbidden", "host:web01")]),
        ("near", "db01", []),
        ("there", "web01", [("unknown_target", "host:web01")]),
        ("there", "web02", []),
    ],
)
def test_a_rung_is_refused_what_its_controller_does_not_reach(
    make: Any, controller: str, host: str, wanted: Any
) -> None:
    kit = make(ACT, files=actions("verify: none, escalate: [{action: next}]", controller))
    (ask,) = kit.asks({"a": 1, "host": host})
    assert rung_problems(ask) == wanted
    assert ask.candidate.problems == ()


@pytest.mark.parametrize("key", ["escalate", "expired"])
def test_a_rung_that_needs_a_target_is_refused_where_there_is_none(make: Any, key: str) -> None:
    """Else it would be done on nothing, or, as a playbook's limit, on everything."""
    more = (
        "escalate: [{action: next}]"
        if key == "escalate"
        else "approval: {any: [{name: one, roles: [approver]}], then: next}"
    )
    kit = make(
        "r | event.a == 1 | action: {run_action: {name: mend}}",
        files=actions(f"target: none, verify: none, {more}", "here"),
    )
    (ask,) = kit.asks({"a": 1})
    (rung,) = ask.extra[key]
    (problem,) = rung["extra"]["problems"]
    assert (problem["code"], problem["fields"]["why"]) == (
        "unknown_target", "next needs one, and what it follows on has none",
    )  # fmt: skip
    assert ask.candidate.problems == ()


def test_a_verification_out_of_reach_is_a_problem_of_the_run(make: Any) -> None:
    kit = make(ACT, files=actions("verify: {action: next, within: 1 minute}", "there"))
    (bad,) = kit.asks({"a": 1, "host": "web01"})
    (good,) = kit.asks({"a": 1, "host": "web02"})
    assert [(one.code, one.target) for one in bad.candidate.problems] == [("unknown_target", "host:web01")]
    assert good.candidate.problems == ()


def checked(verify: str, more: str = "") -> dict[str, str]:
    return FILES | {"actions.yaml": f"actions:\n  mend: {{command: ['true'], impact: low, verify: {verify}{more}}}\n"}


P = ", parameters: {port: {type: integer, default: 80}, other: {type: string, default: x}}"
URL = '{check: {http: {url: "http://x/{{ parameters.port }}"}}, within: 30 seconds}'


def test_a_check_of_verify_is_an_action_of_no_catalog(make: Any) -> None:
    """It needs no event that fires, gets those parameters alone that it takes, and the first controller that can look."""
    kit = make(ACT, files=checked(URL, P))
    (ask,) = kit.asks({"a": 1, "host": "web01"})
    assert ask.candidate.problems == ()
    assert ask.extra["verify"] == {
        "within_ms": 30_000,
        "action": {
            "name": "check http", "kind": "check", "subject": {"http": {"url": "http://x/{{ parameters.port }}"}}, "controller": "here",
            "parameters": {"port": 80}, "idempotent": True, "timeout_ms": 30_000,
        },
    }  # fmt: skip


def test_a_check_is_made_where_it_can_be(make: Any) -> None:
    site = "controllers:\n  site: {type: ansible, inventory: inventory}\n  near: {type: local}\ndefault: site\n"
    actions = "actions:\n  mend: {playbook: fix.yml, impact: low, verify: {check: {disk: {path: /}}, within: 1 hour}}\n"
    kit = make(ACT, files={"controllers.yaml": site, "actions.yaml": actions})
    (ask,) = kit.asks({"a": 1, "host": "web01"})
    looked = ask.extra["verify"]["action"]
    assert (ask.candidate.controller, looked["controller"], looked["timeout_ms"]) == ("site", "near", 600_000)
    assert ask.candidate.problems == ()


def test_a_check_of_the_defaults_may_want_what_an_action_has_not(make: Any) -> None:
    files = {"healer.yaml": f"defaults: {{run_action: {{verify: {URL}}}}}\n"}
    alert = {"alert": {"name": "x", "target": "web01", "key": "k", "status": "firing"}, "a": 1, "host": "web01"}
    sources = "[{check: {process: {name: x}}}]"
    found = []
    for more in ("", P):
        kit = make(
            ACT,
            files=FILES | files | {"actions.yaml": f"actions: {{mend: {{command: ['true'], impact: low{more}}}}}\n"},
            sources=sources,
        )
        name = next(name for name, one in kit.revision.sources.items() if one.type == "check")
        (ask,) = kit.asks(alert, source=name)
        found.append([(one.code, one.fields["action"], one.fields["detail"]) for one in ask.candidate.problems])
    assert found == [[("invalid_parameters", "check http", "verify: the parameter 'port' is not given")], []]


@pytest.mark.parametrize(("then", "names"), [("", []), (", then: next", ["next"])])
def test_what_is_tried_where_nobody_approves_it(make: Any, then: str, names: list[str]) -> None:
    asked = f"approval: {{any: [{{name: one, roles: [approver]}}]{then}}}"
    kit = make(ACT, files=actions(f"verify: none, {asked}", "here"))
    (ask,) = kit.asks({"a": 1, "host": "web01"})
    rungs = ask.extra.get("expired", [])
    assert [one["name"] for one in rungs] == names
    assert [one["after_ms"] for one in rungs] == [0] * len(names)
    assert [one.then for one in ask.candidate.limits.approvals] == [names[0] if names else ""]
    assert ask.candidate.problems == ()


def gated(more: str) -> dict[str, str]:
    return FILES | {
        "healer.yaml": "defaults: {run_action: {approval: 'off'}}\n",
        "actions.yaml": f"""\
actions:
  mend: {{command: ["true"], impact: low, {more}}}
  next: {{command: ["true"], impact: low, approval: {{any: [{{name: ops, roles: [approver], approve: 2}}], then: tell, exclude: []}}}}
  tell: {{command: ["true"], impact: low}}
""",
    }


CHAIN = (
    "r | event.a == 1 | actions: [{run_action: {name: mend, target: web01}}, {debug: {msg: x}}, "
    '{run_action: {name: next, target: "{{ event.host }}"}}, {run_action: {name: tell, target: web01}}]'
)


@pytest.mark.parametrize("host", ["web01", "db01"])
def test_people_are_asked_once_for_a_list(make: Any, host: str) -> None:
    """What is tried where nobody says a word is what its steps name, on their own targets."""
    asks = make(CHAIN, files=gated("approval: {any: [{name: lead, roles: [admin], approve: 1}]}")).asks(
        {"a": 1, "host": host}
    )
    runs = [one.candidate.run for one in asks]
    assert [[one.thresholds[0].name for one in ask.candidate.limits.approvals] for ask in asks] == [
        ["lead", "ops"],
        ["ops"],
        [],
    ]
    assert asks[0].extra["chain"]["steps"] == runs[1:]
    assert [ask.extra["chain"] for ask in asks[1:]] == [{"first": runs[0]}] * 2
    assert [ask.candidate.first for ask in asks] == ["", runs[0], runs[0]]
    assert [(one["name"], one["of"]) for one in asks[0].extra["expired"]] == [("tell", runs[1])]


@pytest.mark.parametrize("actions", [CHAIN.replace("next", "tell"), CHAIN.replace("next, ", "next, dry_run: true, ")])
def test_of_a_list_without_anything_to_approve_nobody_is_asked(make: Any, actions: str) -> None:
    asks = make(actions, files=gated("dry_run: false")).asks({"a": 1, "host": "web01"})
    assert len(asks) == 3
    assert not any("chain" in ask.extra for ask in asks)
    assert asks[0].candidate.limits.approvals == ()
