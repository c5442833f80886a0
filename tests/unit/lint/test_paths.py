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
        ("event.meta.source.nam", "did you mean 'name'?"),
        ("event.meta.source.kind", "there are: name, type"),
        ("event.meta.received", "did you mean 'received_at'?"),
        ("event.meta.headers.x.y", "nothing is below a single value"),
        ("event.alert.labels.env.name", 'a label with a dot in its name is labels["env.name"]'),
        ('event.alert.labels["a.b"].c', 'a label with a dot in its name is labels["a.b.c"]'),
        ("event.alert.labels.app.kubernetes.io", 'a label with a dot in its name is labels["app.kubernetes.io"]'),
        ('event.alert.labels["app"]["kubernetes"]', 'a label with a dot in its name is labels["app.kubernetes"]'),
        ("event.alert.labels.a.b[0]", 'a label with a dot in its name is labels["a.b"]'),
        ("event.type", "there are: alert, meta, group"),
    ],
)
def test_what_is_said_to_do(linted, rules, path, try_):
    assert [advice for *_, advice in told(linted(rules(f"condition: {path} is defined")))] == [try_]


@pytest.mark.parametrize(
    "path",
    [
        "event.alert.name", "event.alert.labels.any", "event.alert.labels[0]", "event.alert.annotations.x.y", "event.group.commonLabels.x", "event.alert",
        'event.alert.labels["a b"]', "event.meta.headers.x", "event.meta.source.name", "event.meta.source.type", "event.meta.hosts", "event.meta.rule_engine.x", "event.group", "fact.alert.name", "event.alert.cycle",
    ],
)  # fmt: skip
def test_what_is_there_is_not_told(linted, rules, path):
    assert told(linted(rules(f"condition: {path} is defined"))) == []


@pytest.mark.parametrize(
    ("test", "shown", "try_"),
    [
        ('event.alert is selectattr("nmae", "==", "x")', "event.alert.nmae", "did you mean 'name'?"),
        ("event.alert is not selectattr( 'nmae', '==', 'x')", "event.alert.nmae", "did you mean 'name'?"),
        ('event.meta is selectattr("source.nam", "==", "x")', "event.meta.source.nam", "did you mean 'name'?"),
        ('event.alert.labels is selectattr("a.b", "==", "x")', "event.alert.labels.a.b", 'a label with a dot in its name is labels["a.b"]'),
        ('event.alert.labels is selectattr("app.kubernetes.io", "==", "x")', "event.alert.labels.app.kubernetes.io", 'a label with a dot in its name is labels["app.kubernetes.io"]'),
        ('event.alert is selectattr("instance", "==", "x")', "event.alert.instance", "a label is event.alert.labels.instance"),
    ],
)  # fmt: skip
def test_what_selectattr_asks_of_an_object_that_is_known(linted, rules, test, shown, try_):
    ((place, _, message, advice),) = told(linted(rules(f"condition: {test}")))
    assert (message, advice) == (f"`{shown}`: the format alertmanager has no such field", try_)
    line, column = rules(f"condition: {test}").splitlines()[5], int(place.rpartition(":")[2])
    assert line[column - 1 :].lstrip("\"'").startswith(shown.removeprefix(f"{test.partition(' ')[0]}."))


def test_what_selectattr_asks_of_an_earlier_event(linted, rules):
    text = "condition:\n  all:\n    - events.f << event.alert.name == 'a'\n    - events.f.alert is selectattr('nmae', '==', 'x')"
    found = told(linted(rules(text)))
    assert [(place, message.partition(":")[0]) for place, _, message, _ in found] in (
        [], [("rulebooks/web.yml:9:45", "`events.f.alert.nmae`")]
    )  # fmt: skip


@pytest.mark.parametrize(
    "test",
    [
        'event.alert is selectattr("name", "==", "x")',
        'event.alert is selectattr("labels.env", "==", "x")',
        'event.alert.labels is selectattr("env", "==", "x")',
        'event.alert.annotations is selectattr("a.b", "==", "x")',
        'event.group.truncatedAlerts is selectattr("a", "==", 1)',
        'event.alert.labels.env is select("==", "x")',
        'event.meta.hosts is selectattr("a", "==", 1)',
        'event.alert is selectattr("", "==", "x")',
    ],
)
def test_what_selectattr_may_ask_is_not_told(linted, rules, test):
    assert told(linted(rules(f"condition: {test}"))) == []


def test_what_is_asked_of_what_is_not_there_is_told_once(linted, rules):
    found = told(linted(rules("condition: event.alrt is selectattr('nmae', '==', 'x')")))
    assert [message.partition(":")[0] for _, _, message, _ in found] == ["`event.alrt`"]


@pytest.mark.parametrize(
    ("template", "shown", "written"),
    [
        ("{{ events.values() | map(attribute='alert.nmae') | list }}", "alert.nmae", "'alert.nmae'"),
        ("{{ events.values() | selectattr('alrt.name', 'defined') | list }}", "alrt.name", "'alrt.name'"),
        ("{{ events.values() | rejectattr('alert.nmae') | list }}", "alert.nmae", "'alert.nmae'"),
        ("{{ events.values() | list | sort(attribute='alert.name,alert.kye') }}", "alert.kye", "'alert.name,alert.kye'"),
        ("{{ events.values() | sort(false, true, 'alert.kye') }}", "alert.kye", "'alert.kye'"),
        ("{{ events.values() | map(attribute='alert') | map(attribute='nmae') | join }}", "nmae", "'nmae'"),
        ("{{ events.values() | map(attribute='alert.labels.a.b') | join }}", "alert.labels.a.b", "'alert.labels.a.b'"),
        ("{{ facts.values() | groupby('alert.nmae') }}", "alert.nmae", "'alert.nmae'"),
        ("{{ [event.alert] | map(attribute='nmae') | first }}", "event.alert.nmae", "'nmae'"),
        ("{{ [event, fact] | map(attribute='alert.name') | first }}{{ [event.meta.source] | sum('nam') }}", "event.meta.source.nam", "'nam'"),
        ("{{ (events.m.alert, 1) | join(',', 'nmae') }}", "events.m.alert.nmae", "'nmae'"),
    ],
)  # fmt: skip
def test_what_a_filter_asks_of_events(linted, rules, template, shown, written):
    text = f'condition: event.alert.name == "x"\naction: {{debug: {{msg: "{template}"}}}}'
    ((place, _, message, _),) = told(linted(rules(text)))
    assert message == f"`{shown}`: the format alertmanager has no such field"
    line = rules(text).splitlines()[6]
    assert place == f"rulebooks/web.yml:7:{line.index(written) + 1}"


@pytest.mark.parametrize(
    "template",
    [
        "{{ events.values() | map(attribute='alert.name') | list }}",
        "{{ events.values() | map(attribute='alert.labels.env') | list }}",
        "{{ events | map(attribute='nmae') | list }}",
        "{{ events.values() | map('upper') | map(attribute='nmae') | list }}",
        "{{ events.values() | groupby('alert.name') | map(attribute='nmae') | list }}",
        "{{ events.items() | map(attribute='nmae') | list }}",
        "{{ [event.alert[event.alert.name]] | map(attribute='nmae') | list }}",
        "{{ [event.group.truncatedAlerts] | map(attribute='nmae') | list }}",
        "{{ [event.alert.annotations] | map(attribute='nmae') | list }}",
        "{{ [[event]] | map(attribute='0.alrt') | list }}",
        "{{ [{'nmae': 1}] | map(attribute='nmae') | list }}",
        "{% set events = {'a': {'b': 1}} %}{{ events.values() | map(attribute='b') | list }}",
        "{{ events.values() | map(attribute=event.alert.name) | list }}",
        "{{ events.values() | list | batch(2) | map(attribute='0.alrt') | list }}",
    ],
)
def test_what_a_filter_may_ask_is_not_told(linted, rules, template):
    text = f'condition: event.alert.name == "x"\naction: {{debug: {{msg: "{template}"}}}}'
    assert told(linted(rules(text))) == []


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
