"""Names that a template of an action cannot have when its rule fires."""

from __future__ import annotations

import json

import pytest

from healer import templates

ONE = 'condition: event.alert.status == "firing"'
TWO = 'condition: {all: [events.x << event.alert.status == "firing", event.alert.name == "B"]}'
VARIABLES = "activations:\n  - {name: web, rulebook: rulebooks/web.yml, vars: {zone: a}}\n"


def action(template: str, more: str = "") -> str:
    return f"\naction: {{run_action: {{name: clean, target: '{template}'{more}}}}}"


def told(found):
    return [(str(one.place), one.message, one.try_) for one in found if one.code == "unknown-path"]


@pytest.mark.parametrize(
    ("condition", "template", "message", "try_"),
    [
        (ONE, "{{ evnt.alert.target }}", "`evnt`: nothing has this name: it is no variable of the activation", "did you mean 'event'?"),
        (ONE, "{{ zon }}", "`zon`: nothing has this name: it is no variable of the activation", "did you mean 'zone'?"),
        (ONE, "a {{ foo | upper }}", "`foo`: nothing has this name: it is no variable of the activation", "vars: {foo: …} in the activation, or event.…"),
        (ONE, "{{ vars.zone }}", "`vars`: templates have no such name", "{{ zone }}: the variables stand alone"),
        (ONE, "{{ events.m_0.alert.target }}", "`events.m_0`: no condition of the rule 'rule 0' has this name", "there are: events.m"),
        (ONE, "{{ events.first.alert.target }}", "`events.first`: no condition of the rule 'rule 0' has this name", "there are: events.m"),
        (TWO, "{{ event.alert.target }}", "`event`: the rule 'rule 0' fires for several events", "one of: events.x, events.m_1"),
        (TWO, "{{ fact.alert.target }}", "`fact`: the rule 'rule 0' fires for several events", "one of: facts.x, facts.m_1"),
        (TWO, "{{ events.y.alert.target }}", "`events.y`: no condition of the rule 'rule 0' has this name", "there are: events.x, events.m_1"),
    ],
)  # fmt: skip
def test_a_name_that_it_never_has(linted, rules, condition, template, message, try_):
    (one,) = told(linted({"rulebooks/web.yml": rules(condition + action(template)), "vars.yml": "{}\n"}, main=_main()))
    assert one[1:] == (message, try_)
    line, column = one[0].split(":")[1:]
    assert (
        rules(condition + action(template))
        .splitlines()[int(line) - 1][int(column) - 1 :]
        .startswith(message.split("`")[1])
    )


@pytest.mark.parametrize(
    ("condition", "template"),
    [
        (ONE, "{{ event.alert.target }}"),
        (ONE, "{{ fact.alert.target }}"),
        (ONE, "{{ events.m.alert.target }}"),
        (ONE, "{{ zone }}"),
        (ONE, "{{ foo | default(zone) }}"),
        (ONE, "{{ foo.bar | default(zone) }}"),
        (ONE, "{{ foo if foo is defined else zone }}"),
        (ONE, "{% set foo = zone %}{{ foo }}"),
        (ONE, "{% for one in events.values() %}{{ one.alert.target }}{% endfor %}"),
        (ONE, "{{ range(3) | list }}"),
        (TWO, "{{ events.x.alert.target }} {{ events.m_1.alert.target }}"),
        ('condition: {any: [event.alert.name == "A", event.alert.name == "B"]}', "{{ event.alert.target }}"),
        ('condition: {not_all: [event.alert.name == "A", event.alert.name == "B"], timeout: 1 minute}', "{{ event.alert.target }}"),
        (f"{ONE}\nthrottle: {{once_after: 1 minute, group_by_attributes: [event.alert.name]}}", "{{ events.m_0.alert.target }}"),
        (ONE, "event.foo"),
    ],
)  # fmt: skip
def test_a_name_that_it_has(linted, rules, condition, template):
    assert told(linted(rules(condition + action(template)), main=_main())) == []


def test_var_root_gives_names(linted, rules):
    playbook = "\naction: {run_module: {name: x.y.z, module_args: {a: '{{ events.host.alert.name }}'}, var_root: {alert.labels: host}}}"
    assert told(linted(rules(TWO + playbook), main=_main())) == []
    assert len(told(linted(rules(TWO + playbook.replace(", var_root: {alert.labels: host}", "")), main=_main()))) == 1


def test_of_variables_that_are_not_known_nothing_is_said(linted, rules):
    broken = _main().replace("vars: {zone: a}", "vars_files: [nowhere.yml]")
    assert told(linted(rules(ONE + action("{{ zone }}")), main=broken)) == []
    assert len(told(linted(rules(ONE + action("{{ evnt.alert.target }}")), main=broken))) == 1


def test_mistakes_of_a_rulebook_hide_no_names(linted, rules):
    """All at once: which variables there are is known."""
    wrong = "\naction: {set_fact: {fact: {a: '{{ event. }}', b: '{{ zonne }}', c: '{{ whatever }}', d: '{{ zone }}'}}}"
    found = linted(rules(ONE + wrong), main=_main())
    assert [one.code for one in found if one.severity == "error"] == ["template"]
    assert [said[1].partition("`:")[0] for said in told(found)] == ["`zonne", "`whatever"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{% if event.alert.name %}a{% endif %}", "nothing but {% … %} stands in it"),
        ("a {%- for x in events %} b {% endfor %}", "nothing but {% … %} stands in it"),
        ("{{ event.alert.name", "{{ is never closed"),
        ("x {{zone }", "{{ is never closed"),
        ("{% if event.x %}{{ event.alert.target }}{% endif %}", ""),
        ("100 {% of it %}", ""),
        ("awk '{{print $1}'", ""),
        ("{{ whatever", ""),
        ("{'a': {'b': 1}}", ""),
        ("{# nothing #}", ""),
    ],
)
def test_what_looks_like_a_template_and_is_none(linted, rules, text, why):
    found = linted(rules(f"{ONE}\naction: {{debug: {{msg: {json.dumps(text)}}}}}"), main=_main())
    said = [(one.severity, one.message) for one in found if one.code == "not-rendered"]
    assert said == ([("warning", f"{why}, so this is no template: it stays as it stands")] if why else [])
    assert templates.is_template(text) is ("{{" in text and "}}" in text)


def _main() -> str:
    hook = 'sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:T"}}}}}\n'
    return hook + VARIABLES
