"""`unknown-path`: told with its place and the near name, and never where a source could have the field."""

from __future__ import annotations

import pathlib

import pytest

from healer import lint, project
from healer.cli import starter

HEAD = "- name: web\n  hosts: all\n  sources: [{healer.source: {name: am}}]\n  rules:\n"

OTHER = (
    'sources:\n  am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:T"}}}}\n'
    '  kuma: {healer.webhook: {path: kuma, format: uptime_kuma, auth: {bearer: {secret: "env:T"}}}}\n'
    '  any: {healer.webhook: {path: any, auth: {bearer: {secret: "env:T"}}, alert_ttl: 1 hour}}\n'
    '  mine: {healer.webhook: {path: mine, mapping: {fields: {name: a.b}}, auth: {bearer: {secret: "env:T"}}, alert_ttl: 1 hour}}\n'
)


def told(found):
    return [(str(one.place), one.severity, one.message, one.try_) for one in found if one.code == "unknown-path"]


def test_a_mistyped_field_of_a_condition(linted, rules):
    found = linted(rules('condition: event.alert.status == "firing" and event.alert.lables.env == "prod"'))
    message = "`event.alert.lables.env`: the format alertmanager has no such field"
    assert told(found) == [("rulebooks/web.yml:6:53", "warning", message, "did you mean 'labels'?")]


def test_a_condition_that_yaml_folded(linted, rules):
    text = 'condition: >-\n  event.alert.name == "x"\n  and event.alert.nmae\n  == "y"'
    assert [place for place, *_ in told(linted(rules(text)))] == ["rulebooks/web.yml:8:13"]


def test_all_texts_of_a_rule(linted, rules):
    text = (
        "condition:\n  all:\n    - events.f << event.alert.nam == 'a'\n    - event.alert.key == events.f.alert.keey\n"
        "action: {debug: {msg: ['x {{ events.m_1.alert.targte }}', \"{{ events.f.alrt.x }}\"]}}"
    )
    throttled = "condition: event.alert.name == 'b'\nthrottle: {once_within: 1 minute, group_by_attributes: [alert.lables.x, event.alert.labels.y]}"
    found = told(linted(rules(text, throttled)))
    words = [message.partition(":")[0] for _, _, message, _ in found]
    assert words == [
        "`event.alert.nam`", "`events.f.alert.keey`", "`events.m_1.alert.targte`", "`events.f.alrt.x`", "`alert.lables.x`",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "try_"),
    [
        ("event.alert.instance", "a label is event.alert.labels.instance"),
        ("event.startsAt", "did you mean 'event.alert.startsAt'?"),
        ("event.alert.name.first", "nothing is below a single value"),
        ("event.payload.status", "did you mean 'event.alert.status'?"),
        ("event.foo", "there are: alert, meta, group"),
        ("event.meta.header", "did you mean 'headers'?"),
    ],
)
def test_what_is_said_to_do(linted, rules, path, try_):
    assert [advice for *_, advice in told(linted(rules(f"condition: {path} is defined")))] == [try_]


@pytest.mark.parametrize(
    "path",
    [
        "event.alert.name", "event.alert.labels.any.thing", "event.alert.annotations.x", "event.group.commonLabels.x", "event.alert",
        'event.alert.labels["a b"]', "event.meta.headers.x", "event.meta.source.name", "event.group", "fact.alert.name", "event.alert.cycle",
    ],
)  # fmt: skip
def test_what_is_there_is_not_told(linted, rules, path):
    assert told(linted(rules(f"condition: {path} is defined"))) == []


@pytest.mark.parametrize(
    ("names", "path", "wanted"),
    [
        (["am", "kuma"], "event.payload.msg", False),
        (["am", "kuma"], "event.group.status", False),
        (["am", "kuma"], "event.payload.msgg", True),
        (["am", "any"], "event.whatever", False),
        (["mine"], "event.payload.x.y", False),
        (["mine"], "event.alert.x", True),
        (["mine"], "event.group.x", True),
    ],
)
def test_with_several_sources_all_have_to_lack_it(linted, rules, names, path, wanted):
    sources = "".join(f"    - healer.source: {{name: {name}}}\n" for name in names)
    head = f"- name: web\n  hosts: all\n  sources:\n{sources}  rules:\n"
    found = told(linted(rules(f"condition: {path} == 'x'", head=head), OTHER))
    assert bool(found) == wanted
    if wanted and len(names) == 2:
        assert (
            found[0][2] == "`event.payload.msgg`: the format alertmanager and the format uptime_kuma have no such field"
        )
        assert found[0][3] == "did you mean 'msg'?"


@pytest.mark.parametrize(
    "source",
    ["{healer.api: {}}", "{ansible.eda.alertmanager: {host: 0.0.0.0, port: 8000}}", "{ansible.eda.range: {limit: 5}}"],
)
def test_nothing_is_said_of_open_sources(linted, rules, source):
    head = f"- name: web\n  hosts: all\n  sources:\n    - {source}\n  rules:\n"
    assert told(linted(rules("condition: event.whatever.x == 1", head=head))) == []


def test_the_check_source(linted, rules):
    head = "- name: web\n  hosts: all\n  sources:\n    - check: {disk: {path: /, used_percent_max: 90}}\n  rules:\n"
    texts = [
        f"condition: {one} is defined"
        for one in ("event.check.value", "event.check.vlue", "event.payload.x", "event.alert.labels.x")
    ]
    assert [message.partition(":")[0] for _, _, message, _ in told(linted(rules(*texts, head=head)))] == [
        "`event.check.vlue`", "`event.payload.x`",
    ]  # fmt: skip


def test_what_the_rules_make_themselves_counts(linted, rules):
    makes = (
        "condition: event.alert.name == 'x'\naction: {set_fact: {fact: {seen: {deep: 1}, kept: '{{ event.alert }}'}}}"
    )
    texts = [
        f"condition: {one} == 1" for one in ("fact.seen.deep", "event.kept.any.thing", "event.seeen", "event.seen.dep")
    ]
    found = told(linted(rules(makes, *texts)))
    assert [message.partition(":")[0] for _, _, message, _ in found] == ["`event.seeen`", "`event.seen.dep`"]
    assert "the format alertmanager and what set_fact makes here have no such field" in found[0][2]


def test_what_a_module_may_set_is_not_known(linted, rules):
    makes = "condition: event.alert.name == 'x'\naction: {run_module: {name: ansible.builtin.setup, set_facts: true}}"
    assert told(linted(rules(makes, "condition: event.whatever == 1"))) == []


def test_a_source_that_is_wrong_says_nothing_of_its_events(linted, rules):
    head = HEAD.replace("name: am}", "name: amm}")
    assert told(linted(rules("condition: event.whatever == 1", head=head))) == []


@pytest.mark.parametrize("folder", [".", "examples/cluster"])
def test_the_samples_of_this_repository_have_nothing_to_tell(repository: pathlib.Path, folder: str) -> None:
    found = lint.lint(project.draft_of(repository / folder, {}))
    assert [str(one) for one in found if one.severity != "hint"] == []
    assert told(found) == []


def test_the_first_project_has_nothing_to_tell(linted):
    found = linted(
        {name: text for name, text in starter.FILES.items() if name != "healer.yaml"}, starter.FILES["healer.yaml"]
    )
    assert [str(one) for one in found if one.severity != "hint"] == []


def test_it_is_told_beside_errors_of_other_files(linted, rules):
    found = linted(
        {"rulebooks/web.yml": rules("condition: event.alert.lables == 1"), "controllers.yaml": "nonsense: 1\n"}
    )
    assert {one.code for one in found if one.severity == "error"} == {"unknown-key"}
    assert len(told(found)) == 1
