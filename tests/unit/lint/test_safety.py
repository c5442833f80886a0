"""`missing-safety`, `missing-verify` and `shared-consumer`: what the defaults already hold is not asked for."""

from __future__ import annotations

import pytest

HOOK = 'sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:T"}}}}}\n'
LOOSE = HOOK + "defaults: {run_action: {blast_radius: none, approval: off}}\n"
SITE = {
    "controllers.yaml": "controllers: {site: {type: ansible, inventory: inventory/}, here: {type: local}}\ndefault: site\n",
    "inventory/hosts.yml": "all: {hosts: {a: , b: , c: }, children: {web: {hosts: {a: , b: }}}}\n",
    "playbooks/fix.yml": "- hosts: all\n  tasks: []\n",
}


def told(found, code):
    return [(one.place.file, one.severity, one.message) for one in found if one.code == code]


@pytest.fixture
def ran(linted, rules):
    """`ran(action, hosts=…, main=…)`: what is told of a rule with this action."""

    def made(
        action: str, *, hosts: str = "all", main: str = LOOSE, policy: str = "", actions: str = ""
    ) -> list[object]:
        head = f"- name: web\n  hosts: {hosts}\n  sources: [{{healer.source: {{name: am}}}}]\n  rules:\n"
        text = f'condition: event.alert.name == "x"\naction: {action}' + (f"\npolicy: {policy}" if policy else "")
        more = {"actions.yaml": actions} if actions else {}
        return linted({**SITE, **more, "rulebooks/web.yml": rules(text, head=head)}, main)

    return made


def test_a_playbook_on_many_hosts(ran):
    (one,) = told(ran("{run_playbook: {name: fix.yml}}"), "missing-safety")
    message = "run_playbook fix.yml may act on 3 hosts (hosts: all) at once, and neither an approval nor a blast radius holds it back"
    assert one == ("rulebooks/web.yml", "warning", message)


@pytest.mark.parametrize(
    "given",
    [
        {"hosts": "a"},
        {"policy": "{blast_radius: {targets: 1, within: 1 hour}}"},
        {"policy": "{approval: {any: [{name: x, roles: [approver], approve: 1, reject: 1}], expires: 5 minutes}}"},
        {
            "main": HOOK
            + "policies: [{name: all, select: {actions: [run_playbook]}, blast_radius: {targets: 1, within: 1 hour}}]\n"
        },
        {"main": HOOK + "activations: [{name: w, rulebook: rulebooks/web.yml, compat: upstream}]\n"},
    ],
)
def test_a_playbook_that_something_holds_back(ran, given):
    assert told(ran("{run_playbook: {name: fix.yml}}", **given), "missing-safety") == []


def test_an_action_on_several_targets_where_the_defaults_hold_nothing_back(ran):
    both = "{run_action: {name: clean, controller: here, target: [localhost, localhost]}}"
    assert [one[1] for one in told(ran(both), "missing-safety")] == ["warning"]
    assert told(ran(both, main=HOOK), "missing-safety") == []
    group = '{run_action: {name: clean, controller: here, target: "group:web"}}'
    assert "the group web" in told(ran(group), "missing-safety")[0][2]


def test_a_high_impact_in_production(ran):
    actions = "actions: {clean: {command: [df], impact: high, verify: none, target: none, controller: here}}\n"
    assert told(ran("{run_action: {name: clean}}", actions=actions), "missing-safety") == []
    (one,) = told(
        ran("{run_action: {name: clean}}", actions=actions, main=LOOSE + "environment: eu-prod\n"), "missing-safety"
    )
    assert one[2].startswith("the impact of the action 'clean' is high")


@pytest.mark.parametrize(
    ("entry", "main", "wanted"),
    [
        ("{command: [df], impact: medium}", HOOK, []),  # the alert's own end is looked at
        ("{command: [df], impact: medium}", HOOK + "defaults: {run_action: {verify: none}}\n", ["hint"]),
        ("{command: [df], impact: high}", HOOK + "defaults: {run_action: {verify: none}}\n", ["warning"]),
        ("{command: [df], impact: low}", HOOK + "defaults: {run_action: {verify: none}}\n", []),
        ("{command: [df], impact: high, verify: none}", HOOK + "defaults: {run_action: {verify: none}}\n", []),
        ("{command: [df], impact: medium}", HOOK.replace("alertmanager,", "falco, alert_ttl: 1 hour,"), ["hint"]),
        ("{command: [df], impact: medium, verify: {action: look, within: 1 minute}}", HOOK.replace("alertmanager,", "falco, alert_ttl: 1 hour,"), []),
    ],
)  # fmt: skip
def test_an_action_that_nothing_verifies(linted, rules, entry, main, wanted):
    actions = f"actions:\n  clean: {entry}\n  look: {{command: [df], impact: low}}\n"
    text = "condition: event.alert.name == 'x'\naction: {run_action: {name: clean, target: localhost}}"
    found = told(
        linted({"actions.yaml": actions, "rulebooks/web.yml": rules(text, text.replace("'x'", "'y'"))}, main),
        "missing-verify",
    )
    assert [severity for _, severity, _ in found] == wanted
    assert all(file == "actions.yaml" for file, *_ in found)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (
            "ansible.eda.kafka: {host: k, port: 9092, topic: t, group_id: g}",
            "ansible.eda.kafka: {host: k, port: 9092, topic: t, group_id: g}",
            1,
        ),
        (
            "ansible.eda.kafka: {host: k, port: 9092, topic: t, group_id: g}",
            "ansible.eda.kafka: {host: k, port: 9092, topic: t, group_id: h}",
            0,
        ),
        ("ansible.eda.kafka: {host: k, port: 9092, topic: t}", "ansible.eda.kafka: {host: k, port: 9092, topic: t}", 0),
        (
            "ansible.eda.aws_sqs_queue: {region: eu, name: q}",
            "ansible.eda.aws_sqs_queue: {region: eu, name: q, delay_seconds: 5}",
            1,
        ),
        ("ansible.eda.aws_sqs_queue: {region: eu, name: q}", "ansible.eda.aws_sqs_queue: {region: us, name: q}", 0),
        ("ansible.eda.range: {limit: 5}", "ansible.eda.range: {limit: 5}", 0),
    ],
)
def test_a_queue_that_two_read(linted, rules, tmp_path, first, second, wanted):
    plugins = tmp_path / "collections/ansible_collections/ansible/eda/extensions/eda/plugins/event_source"
    plugins.mkdir(parents=True)
    for name in ("kafka", "aws_sqs_queue", "range"):
        (plugins / f"{name}.py").write_text("async def main(queue, args): ...\n")
    books = {
        f"rulebooks/{name}.yml": rules(
            "condition: event.a == 1", head=f"- name: {name}\n  hosts: all\n  sources:\n    - {source}\n  rules:\n"
        )
        for name, source in (("one", first), ("two", second))
    }
    found = told(linted(books), "shared-consumer")
    assert len(found) == wanted
    if found:
        assert found[0][0] == "rulebooks/two.yml"
        assert "(rulebooks/one.yml:4:7): each event reaches one of them only" in found[0][2]
