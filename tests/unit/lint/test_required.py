"""`validate.checks`: what actions have to have, by what holds for them, whoever says it."""

from __future__ import annotations

import pytest

from healer.lint import required
from healer.project import validation

HOOK = 'sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:T"}}}}}\n'
CHECK = "validate: {{checks: [{{name: prod, select: {select}, require: {require}{more}}}]}}\n"


@pytest.fixture
def lacks(linted, rules):
    """`lacks(require, …)`: what is told by a check."""

    def made(
        require,
        *,
        select="{}",
        more="",
        entry="impact: high, verify: none",
        settings="",
        policy="",
        action="run_action: {name: clean}",
    ):
        actions = f"actions: {{clean: {{command: [df], target: none, tags: [disk], {entry}}}}}\n"
        text = f'condition: event.alert.name == "x"\naction: {{{action}}}' + (f"\n{policy}" if policy else "")
        main = HOOK + settings + CHECK.format(select=select, require=require, more=more)
        found = linted({"actions.yaml": actions, "rulebooks/web.yml": rules(text)}, main)
        return [(str(one.place), one.severity, one.message, one.try_) for one in found if one.code == "policy"]

    return made


def test_what_lacks_is_told_at_the_action_with_what_satisfies_it(lacks):
    (one,) = lacks("[approval, throttle, windows]", more=", message: see the wiki")
    message = "prod: the action 'clean' of the rule 'rule 0' lacks throttle and windows: see the wiki"
    try_ = "throttle: {once_within: 5 minutes, group_by_attributes: […]} on the rule; policy: {windows: {allow: […]}} on the rule"
    assert one == ("rulebooks/web.yml:7:16", "error", message, try_)


@pytest.mark.parametrize("severity", ["warning", "hint"])
def test_how_serious_it_is(lacks, severity):
    assert [one[1] for one in lacks("[windows]", more=f", severity: {severity}")] == [severity]


@pytest.mark.parametrize(
    ("select", "wanted"),
    [
        ("{}", True), ("{impact: [high]}", True), ("{impact: [low]}", False), ("{environment: [dev]}", True), ("{environment: [prod]}", False),
        ("{actions: [cl*]}", True), ("{actions: [run_playbook]}", False), ("{tags: [disk]}", True), ("{tags: [web]}", False),
        ("{rulesets: [web]}", True), ("{rules: ['web/rule 0']}", True), ("{rules: [other]}", False), ("{sources: [am]}", True),
        ("{sources: [x]}", False), ("{impact: [high], tags: [web]}", False),
    ],
)  # fmt: skip
def test_whom_it_is_about(lacks, select, wanted):
    assert bool(lacks("[windows]", select=select)) == wanted


@pytest.mark.parametrize(
    ("require", "given"),
    [
        ("approval", {"settings": "defaults: {run_action: {approval: off}}\n"}),
        ("blast_radius", {"settings": "defaults: {run_action: {blast_radius: none}}\n"}),
        ("cooldown", {"settings": "defaults: {run_action: {cooldown: none}}\n"}),
        ("rate_limit", {"settings": "defaults: {run_action: {rate_limit: none}}\n"}),
        ("breaker", {"settings": "defaults: {run_action: {breaker: none}}\n"}),
        ("windows", {}), ("settle", {}), ("concurrency", {}), ("throttle", {}), ("escalate", {}), ("description", {}), ("idempotent", {}),
        ("verify", {}),
    ],
)  # fmt: skip
def test_what_is_not_there(lacks, require, given):
    assert len(lacks(f"[{require}]", **given)) == 1


@pytest.mark.parametrize(
    ("require", "given"),
    [
        ("approval", {}), ("blast_radius", {}), ("cooldown", {}), ("rate_limit", {}), ("breaker", {}), ("timeout", {}),
        ("windows", {"policy": "policy: {windows: {allow: [{days: mon-fri}]}}"}),
        ("windows", {"settings": "policies: [{name: x, select: {impact: [high]}, windows: {allow: [{days: mon-fri}]}}]\n"}),
        ("settle", {"entry": "impact: high, settle: 1 minute"}), ("concurrency", {"policy": "policy: {concurrency: 1}"}),
        ("concurrency", {"entry": "impact: high, concurrency: 1"}),
        ("throttle", {"policy": "throttle: {once_within: 1 minute, group_by_attributes: [event.alert.key]}"}),
        ("description", {"entry": "impact: high, description: x"}), ("idempotent", {"entry": "impact: high, idempotent: true"}),
        ("verify", {"entry": "impact: high"}), ("verify", {"entry": "impact: high, verify: {resolved_within: 1 minute}"}),
    ],
)  # fmt: skip
def test_what_is_there(lacks, require, given):
    assert lacks(f"[{require}]", **given) == []


def test_actions_without_an_effect_need_nothing(lacks):
    assert lacks("[windows]", action="debug: {msg: x}") == []


def test_each_requirement_of_the_shape_is_known() -> None:
    assert set(required._HAS) == set(validation.Requirement.__args__)


@pytest.mark.parametrize(
    "wrong",
    ["require: []", "require: [nothing]", "require: [approval], severity: fatal", "require: [approval], more: 1"],
)
def test_a_check_that_is_wrong_is_a_mistake(linted, rules, wrong):
    found = linted(
        rules("condition: event.alert.name == 'x'"), HOOK + f"validate: {{checks: [{{name: x, {wrong}}}]}}\n"
    )
    assert [one.place.file for one in found if one.code == "options"] == ["healer.yaml"]


# --- other ways on which an action is started -----------------------------------------------------------------------------------

ACTIONS = """\
actions:
  look: {command: [df], impact: low, target: none, verify: none}
  clean: {command: [df], impact: low, target: none, escalate: [{action: reboot, after: 5 minutes}], verify: none}
  seen: {command: [df], impact: low, target: none, verify: {action: reboot, within: 1 minute}}
  asked: {command: [df], impact: low, target: none, verify: none, approval: {any: [{name: ops, roles: [approver]}], then: reboot}}
  reboot: {command: [reboot], impact: high, target: none, verify: none, events: [reboot_it]}
"""


def _told(linted, rules, action, more="", actions=ACTIONS):
    main = HOOK + more + CHECK.format(select="{impact: [high]}", require="[windows, throttle]", more="")
    text = f'condition: event.alert.name == "x"\naction: {{run_action: {{name: {action}}}}}'
    found = linted({"actions.yaml": actions, "rulebooks/web.yml": rules(text)}, main)
    return [(str(one.place), one.message) for one in found if one.code == "policy"]


OF_EVENTS = ("actions.yaml:6:3", "prod: the action 'reboot', which the event 'reboot_it' starts, lacks windows")


@pytest.mark.parametrize(
    ("action", "how"),
    [
        ("clean", "of the rule 'rule 0' (escalate of 'clean')"),
        ("seen", "of the rule 'rule 0' (verify of 'seen')"),
        ("asked", "of the rule 'rule 0' (then of the approval of 'asked')"),
        ("'{{ event.act }}'", "of the rule 'rule 0', which an event may name ({{ event.act }}),"),
    ],
)
def test_an_action_that_another_way_leads_to(linted, rules, action, how):
    found = _told(linted, rules, action)
    place = ("rulebooks/web.yml:7:16", f"prod: the action 'reboot' {how} lacks windows and throttle")
    assert place in found


def test_what_an_event_type_starts(linted, rules):
    assert _told(linted, rules, "look") == [OF_EVENTS]
    assert _told(linted, rules, "look", actions=ACTIONS.replace(", events: [reboot_it]", "")) == []
    windows = "policies: [{name: p, select: {impact: [high]}, windows: {allow: [{days: mon-fri}]}}]\n"
    assert _told(linted, rules, "look", more=windows) == []
