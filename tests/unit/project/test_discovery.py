"""Which actions are written: where that is not known none is said to be missing."""

from __future__ import annotations

import pytest

from healer import project

USES = {
    "healer.yaml": (
        "sources:\n  am: {healer.webhook: {path: am, format: alertmanager, auth: {none: true}}}\n"
        "policies:\n  - {name: p, match: {impact: low}, approval: {any: [{roles: [admin]}], timeout: 1h, on_timeout: then, then: gone}}\n"
    ),
    "controllers.yaml": "controllers:\n  here: {type: local, actions: [gone]}\n  site: {type: ansible, inventory: inventory}\ndefault: site\n",
    "scripts/clean.meta.yml": "controller: here\nimpact: low\nverify: {action: gone, within: 5m}\nescalate: [{action: gone}]\n",
    "rulebooks/team/web.yml": (
        "- name: web\n  hosts: all\n  sources: [{healer.source: {name: am}}]\n  rules:\n    - name: down\n"
        "      condition: event.alert.name == 'Down'\n      action: {run_action: {name: gone, target: web01}}\n"
        "      policy: {approval: {any: [{roles: [admin]}], timeout: 1h, then: gone}}\n"
    ),
}


def missing(found):
    return [f"{one.place.file}: {one.message}" for one in found if one.code in ("unknown_action", "unknown-action")]


@pytest.fixture
def diagnosed(write):
    """All that is told of the sound project with some files changed."""
    return lambda changes: project.draft_of(write({**USES, **changes}), {}).diagnostics


def test_an_action_that_is_not_there_is_told_wherever_it_is_named(diagnosed):
    assert {one.partition(":")[0] for one in missing(diagnosed({}))} == {*USES}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actions.yaml": "actions:\n  gone: {command: [x]\n"}, "yaml"),
        ({"actions.yaml": b"actions: {gone: {command: [\xff]}}"}, "unreadable"),
        ({"actions.yaml": "- gone\n"}, "wrong-type"),
        ({"actions.yaml": "actions: [gone]\n"}, "wrong-type"),
        ({"actions.yaml": "gone\n"}, "wrong-type"),
        ({"actions.yaml": "actoins: {gone: {command: [x]}}\n"}, "unknown-key"),
        ({"actions.yml": "actions: {gone: {command: [x]}}\n"}, "both-endings"),
        ({"actions.yaml": "actions:\n  gone: {comand: [x]}\n"}, "options"),
        ({"actions.yaml": "actions:\n  gone: [x]\n"}, "wrong-type"),
        ({"scripts/gone.meta.yml": "impact: low\n  x: [\n"}, "yaml"),
        ({"scripts/gone.meta.yml": "impact: low\n"}, "no-action-file"),
    ],
)
def test_where_actions_could_not_be_read_none_is_said_to_be_missing(diagnosed, changes, code):
    found = diagnosed(changes)
    assert code in {one.code for one in found if one.severity == "error"}
    assert missing(found) == []


@pytest.mark.parametrize(
    "text", ["", "actions:\n", "actions: {}\n", "actions:\n  other: {comand: [x]}\n", "actions: {}\nmore: 1\n"]
)
def test_what_could_be_read_is_all_that_there_is(diagnosed, text):
    assert missing(diagnosed({"actions.yaml": text}))


def test_of_a_broken_file_no_name_is_claimed_and_a_sound_one_is_still_known(diagnosed):
    """What metadata declares is checked as before."""
    book = USES["rulebooks/team/web.yml"].replace(
        "name: gone, target: web01", "name: clean, target: localhost, controller: here, parameters: {x: 1}"
    )
    found = diagnosed({"actions.yaml": "actions: [\n", "rulebooks/team/web.yml": book})
    assert "invalid_parameters" in {one.code for one in found}
