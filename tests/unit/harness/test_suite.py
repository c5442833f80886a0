"""Reading files of tests: every mistake at once where it stands, nothing outside of the project, no exception whatever is written."""

from __future__ import annotations

import pathlib
import string
import textwrap
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healer import config, harness, project
from healer.harness import shapes, suite

SCHEMA = project.schema("test", harness.SCHEMAS)


def read(made: pathlib.Path, revision: project.Revision, text: str) -> suite.Suite:
    return suite.of(config.read_text(text, "rulebooks/x_test.yml"), made, revision)


def told(made: pathlib.Path, revision: project.Revision, text: str) -> list[str]:
    """`line:column code: message (what to do)` of each mistake."""
    return [
        f"{one.place.line}:{one.place.column} {one.code}: {one.message}" + (f" ({one.try_})" if one.try_ else "")
        for one in read(made, revision, textwrap.dedent(text)).diagnostics
    ]


def test_every_mistake_is_told_at_once_where_it_stands(made, revision):
    assert told(made, revision, """\
        rulebook: wb.yml
        tsts: 1
        tests:
          - name: keys
            inventry: {}
            steps:
              - {at: 5, event: {a: 1}}
              - {at: 1s, event: {a: 1}, fact: {b: 2}}
              - {at: 2s, evnt: {}}
            expect: []
          - name: names
            steps:
              - {outcome: {action: restrt, status: failed}}
              - {approve: {by: anna, rule: breech}}
              - {source: an, event: {}}
              - {silence: {matchers: ["==x"], for: 1h}}
            expect:
              - {at: 5s, until: 1s, runs: [{rule: dwn, reason: duplicat}], fired: [nope]}
          - name: names
            steps: [{times: 2, outcome: {action: page}}, {every: 1s, event: {}, source: am}, {body: {}}]
            expect: [{}]
          - name: status
            expect: [{runs: [{status: succeded, target: a, targets: [b]}]}]
    """) == [
        "1:11 no-rulebook: the rulebook 'wb.yml' is not there (did you mean 'web.yml'?)",
        "2:1 options: the file: the key 'tsts' is not known here (did you mean 'tests'?)",
        "5:5 options: tests.0: the key 'inventry' is not known here (did you mean 'inventory'?)",
        "7:14 options: tests.0: steps.0.at: a duration like '5 minutes' or '5m' is wanted, got 5",
        "8:9 options: tests.0: steps.1: exactly one of 'event', 'body', 'fact', 'retract', 'outcome', 'approve', 'reject', 'silence', 'pause' and"
        " 'resume' is wanted",
        "9:18 options: tests.0: the key 'evnt' is not known here (did you mean 'event'?)",
        "10:5 options: tests.0: expect: a list of at least 1 item is wanted, got an empty list",
        "13:28 unknown-action: no action is named 'restrt' (did you mean 'restart'?)",
        "14:24 unknown-principal: no principal of healer.yaml is named 'anna' (did you mean 'ana'?)",
        "14:36 unknown-rule: no rule under test is named 'breech' (did you mean 'breach'?)",
        "15:18 unknown-source: nothing under test listens to the source 'an' (did you mean 'any'?)",
        "16:31 matcher: a matcher like alertname=NodeDown or env=~'prod|stage' is wanted, got '==x'"
        " (as healer silence add takes them)",
        "18:25 wrong-order: until lies before at (until: a later moment)",
        "18:43 unknown-rule: no rule under test is named 'dwn' (did you mean 'down'?)",
        "18:56 unknown-reason: there is no reason code 'duplicat' (did you mean 'duplicate'?)",
        "18:76 unknown-rule: no rule under test is named 'nope' (there are: web/web/down, web/web/breach, web/web/slow in our region,"
        " web/web/two halves, web/web/remembers, web/web/knows, web/web/office hours, web/web/echo, loop/loop/again, healer/events/restart)",
        "20:13 options: tests.2: steps.0: times stands beside event or body or fact or retract only",
        "20:50 options: tests.2: steps.1: every wants times: how often it comes",
        "20:86 options: tests.2: steps.2: body wants source: whose format reads it",
        "21:14 options: tests.2: expect.0: some of fired, runs, decisions, approvals, notifications, facts, alerts is wanted",
        "23:31 options: tests.3: expect.0.runs.0.status: 'planned', 'suppressed', 'refused', 'deferred', 'awaiting_approval', 'queued', 'running',"
        " 'verifying', 'succeeded', 'failed', 'timed_out', 'cancelled', 'unknown', 'withdrawn', 'rejected', 'expired', 'void' or 'simulated' is"
        " wanted, got 'succeded' (did you mean 'succeeded'?)",
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [
    ("- name: x\n", "1:1 wrong-type: a file of tests is a mapping with tests:"),
    ("tests: 5\n", "1:8 wrong-type: tests: a list is wanted, got 5"),
    ("rulebook: web.yml\n", "1:1 options: the file: the key 'tests' is missing"),
    ("tests: [\n", None), ("", "1:1 wrong-type: a file of tests is a mapping with tests:"), ("tests: [5]\n", None),
    ("tests: [{name: a, expect: [{fired: []}]}, {name: a, expect: [{fired: []}]}]\n",
     "1:50 duplicate-name: a test is named 'a' already, in line 1"),
    ("tests: [{name: a, steps: [{at: 2s, source: am, event: {}}, {at: 1s, source: am, event: {}}], expect: [{fired: []}]}]\n",
     "1:65 wrong-order: steps stand in the order of time, and this one is before the one above it"),
    ("rulebook: web.yml\ntests: [{name: a, steps: [{event: {}, times: 10000}, {event: {}, times: 10000}, {event: {}}], expect: [{fired: []}]}]\n",
     "2:26 too-many: the steps of a test come 20,000 times at most, these 20,001 times"),
    ("tests: [{name: a, expect: [{runs: [{target: a, targets: [b]}]}]}]\n",
     "1:57 twice: target and targets say the same: one of them is wanted"),
    ("tests: [{name: a, steps: [{approve: {by: ana}}], expect: [{fired: []}]}]\n",
     "1:28 options: tests.0: steps.0.approve: action or rule (or both) says which request is meant"),
    ("tests: [{name: a, start: '2026-06-01T12:00:00', expect: [{fired: []}]}]\n",
     "1:26 options: tests.0: start: a moment like '2026-06-01T12:00:00Z' is wanted, got '2026-06-01T12:00:00'"),
])  # fmt: skip
def test_single_mistakes(made, revision, text, said):
    found = told(made, revision, text)
    assert found
    if said is not None:
        assert [one[: len(said)] for one in found] == [said]


@pytest.mark.parametrize("text", ["tests: []\n", "rulebook: web.yml\ntests: []\n"])
def test_a_file_without_a_test_is_a_mistake(made, revision, text):
    assert [one.partition(" ")[2] for one in told(made, revision, text)] == [
        "missing-key: tests: holds no test (- {name: …, steps: […], expect: […]})"
    ]


def test_names_are_looked_at_also_beside_keys_that_are_wrong(made, revision):
    found = told(
        made,
        revision,
        """\
        tests:
          - name: a
            stepz: []
            steps:
              - {outcome: {action: restrt, status: failed}}
              - {event: {}, source: am, at: 5m}
              - {evnt: {}}
              - {event: {$file: nope.json}, source: am, at: 1m}
            expect:
              - {at: 5m, until: 1m, fired: [dwn]}
              - {at: x}
    """,
    )
    assert [one.partition(": ")[0] for one in found] == [
        "3:5 options", "5:28 unknown-action", "7:10 options", "8:17 no-fixture", "8:53 wrong-order", "10:25 wrong-order", "10:37 unknown-rule",
        "11:14 options",
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [
    ("steps: [{outcome: {action: restart, target: webb}}], expect: [{fired: []}]",
     "unknown_target: no inventory has 'webb' (did you mean 'web1'?)"),
    ("steps: [{outcome: {action: restart, per_target: {w7: failed}}}], expect: [{fired: []}]",
     "unknown_target: no inventory has 'w7'"),
    ("expect: [{decisions: [{outcome: sup}]}]", "unknown-word: no outcome is called 'sup'"),
    ("expect: [{approvals: [{state: opn}]}]", "unknown-word: no state is called 'opn' (did you mean 'open'?)"),
    ("expect: [{runs: [{controller: sitte}]}]", "unknown_controller: no controller is named 'sitte'"),
    ("expect: [{runs: [{action: restart, parameters: {servce: x}}]}]",
     "unknown-parameter: the action 'restart' declares no parameter 'servce' (did you mean 'service'?)"),
])  # fmt: skip
def test_words_that_mean_nothing(made, revision, text, said):
    (found,) = told(made, revision, f"tests: [{{name: a, inventory: {{web: [w1, web1]}}, {text}}}]\n")
    assert said in found


@pytest.mark.parametrize("name", ["w1", "host:w1", "group:web", "web"])
def test_targets_that_there_are(made, revision, name):
    text = f"tests: [{{name: a, inventory: {{web: [w1]}}, steps: [{{outcome: {{action: restart, target: '{name}'}}}}], expect: [{{fired: []}}]}}]\n"
    assert told(made, revision, text) == []


@pytest.mark.parametrize(("name", "said"), [
    ("nope.json", "'nope.json' cannot be read: No such file or directory"),
    ("../../x.json", "lies outside of the project"), ("/etc/passwd", "lies outside of the project"), ("out.json", "lies outside of the project"),
    ("web.yml", "'web.yml': the body is not JSON"), (".", "is a folder"), ("nul\\0", "cannot be read"),
])  # fmt: skip
def test_only_json_of_the_project_is_read(made, revision, name, said):
    link = made / "rulebooks" / "out.json"
    link.symlink_to("/etc/hostname")
    try:
        (found,) = told(
            made,
            revision,
            f'rulebook: web.yml\ntests: [{{name: a, steps: [{{event: {{$file: "{name}"}}}}], expect: [{{fired: []}}]}}]\n',
        )
    finally:
        link.unlink()
    assert said in found


def test_a_file_stands_alone_in_its_mapping(made, revision):
    (found,) = told(
        made,
        revision,
        "rulebook: web.yml\ntests: [{name: a, steps: [{event: {$file: a.json, b: 1}}], expect: [{fired: []}]}]\n",
    )
    assert "$file stands alone" in found


def test_times_and_moments(made, revision):
    made_ = read(made, revision, textwrap.dedent("""\
        rulebook: web.yml
        tests:
          - name: a
            steps:
              - {at: 1m, event: {a: 1}, times: 3, every: 20s}
              - {event: {a: 2}}
              - {at: 90s, fact: {b: 1}}
            expect: [{fired: []}, {at: 10s, fired: []}, {at: 1m, until: 3m, fired: []}]
    """))  # fmt: skip
    assert made_.diagnostics == []
    (case,) = made_.cases
    assert [(one.at_us // 1_000_000, one.data) for one in case.happenings] == [
        (60, {"a": 1}), (60, {"a": 2}), (80, {"a": 1}), (90, {"b": 1}), (100, {"a": 1}),
    ]  # fmt: skip
    assert [(one.from_us // 1_000_000, one.to_us // 1_000_000) for one in case.expected] == [
        (0, 100),
        (0, 10),
        (60, 180),
    ]
    assert case.start_us == shapes.START_US


def test_which_files_hold_tests(made):
    folder = made / "rulebooks" / "deep"
    folder.mkdir(exist_ok=True)
    (folder / "a_test.yml").write_text("# comment\nrulebook: ../web.yml\ntests: []\n")
    (folder / "b.yaml").write_text("tests: [broken\n")
    (folder / "c.txt").write_text("tests: []\n")
    try:
        assert [*suite.files(made)] == ["rulebooks/deep/a_test.yml", "rulebooks/deep/b.yaml"]
        assert [*suite.files(made, folder / "b.yaml")] == ["rulebooks/deep/b.yaml"]
        assert [*suite.files(made, made / "rulebooks" / "web.yml")] == []
        loaded = project.load(made, {})
        assert loaded.revision is not None, "the loader of rulebooks leaves them out"
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


# --- whatever is written --------------------------------------------------------------------------------------------------

WORDS = sorted(
    {name for shape in (shapes.File, shapes.Test, shapes.Step, shapes.Answer, shapes.Review, shapes.Silence, shapes.Pause, shapes.Expectation,
                        shapes.Run, shapes.Decision, shapes.Approval, shapes.Alert, shapes.Fired) for name in shape.model_fields}
    | {"for", "$file", "nope"}
)  # fmt: skip
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False),
    st.sampled_from(["0s", "5m", "web.yml", "down", "restart", "ana", "succeeded", "duplicate", "all", "target=web1", "web1", "", "x.json"]),
    st.text(string.printable, max_size=8),
)  # fmt: skip
ANY = st.recursive(
    VALUES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)), max_leaves=12
)  # fmt: skip
TESTS = st.fixed_dictionaries(
    {"tests": st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(shapes.Test.model_fields, ANY)), max_size=2)},
    optional={"rulebook": ANY},
)  # fmt: skip
SEVERAL = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@SEVERAL
@given(value=st.one_of(ANY, TESTS))
def test_nothing_that_is_written_raises_and_every_mistake_has_its_place(made, revision, value):
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    found = read(made, revision, text)
    lines = len(text.splitlines())
    for one in found.diagnostics:
        assert one.message
        assert 0 < one.place.line <= lines + 1
        assert str(one)
    assert found.ok or not any(one.wanted is None for one in found.cases)


STEP = st.fixed_dictionaries({"event": st.dictionaries(st.sampled_from(["a", "b"]), st.integers(-(1 << 63), (1 << 63) - 1), max_size=2)}, optional={
    "times": st.integers(1, 3), "by": st.just("ana"),
})  # fmt: skip
EXPECT: st.SearchStrategy[Any] = st.fixed_dictionaries({"runs": st.lists(st.fixed_dictionaries({}, optional={
    "rule": st.just("down"), "action": st.just("restart"), "status": st.sampled_from(["succeeded", "deferred"]), "attempts": st.integers(0, 3),
}), max_size=2)}, optional={"at": st.sampled_from(["0s", "1h"]), "fired": st.lists(st.sampled_from(["down", {"rule": "down", "times": 2}]), max_size=2)})  # fmt: skip
GOOD = st.fixed_dictionaries({"rulebook": st.just("web.yml"), "tests": st.lists(st.fixed_dictionaries(
    {"name": st.text(string.ascii_letters, min_size=1, max_size=9), "steps": st.lists(STEP, max_size=3), "expect": st.lists(EXPECT, min_size=1, max_size=2)},
    optional={"inventory": st.just({"web": ["w1"]}), "start": st.just("2026-01-01T00:00:00+01:00"), "variables": st.just({"region": "eu"})},
), min_size=1, max_size=3, unique_by=lambda one: one["name"])})  # fmt: skip


@SEVERAL
@given(value=GOOD)
def test_what_is_right_is_a_case_each_and_the_schema_says_so_too(made, revision, value):
    found = read(made, revision, yaml.safe_dump(value, sort_keys=False))
    assert found.diagnostics == []
    assert [one.name for one in found.cases] == [one["name"] for one in value["tests"]]
    jsonschema.validate(value, SCHEMA)


@SEVERAL
@given(value=TESTS)
def test_the_schema_takes_whatever_the_parser_takes(made, revision, value):
    """The other way round it cannot be: the schema knows no names and nothing between keys."""
    if read(made, revision, yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).ok:
        jsonschema.validate(value, SCHEMA)


@pytest.mark.parametrize(
    ("expected", "right"),
    [
        ({}, False),
        ({"at": "5m"}, False),
        ({"runs": None}, False),
        ({"runs": []}, True),
        ({"fired": ["down"], "runs": None}, True),
        ({"at": "5m", "facts": []}, True),
    ],
)
def test_an_expectation_of_nothing_is_refused_by_the_schema_too(made, revision, expected, right):
    value = {"rulebook": "web.yml", "tests": [{"name": "a", "expect": [expected]}]}
    assert read(made, revision, yaml.safe_dump(value)).ok is right
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(value) is right
