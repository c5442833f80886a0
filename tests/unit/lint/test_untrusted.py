"""When code of a project is not run, and that it is not."""

from __future__ import annotations

import json
import pathlib

import pytest

from healer import errors, lint, plugins, project
from healer.lint import untrusted

UNTOLD = "a merge request of a project that is not told"


def event(tmp_path: pathlib.Path, head: object, base: object = "us/heal") -> dict[str, str]:
    sides = {
        name: {"repo": {"full_name": one} if isinstance(one, str) else one}
        for name, one in (("head", head), ("base", base))
    }
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": sides}))
    return {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}


@pytest.mark.parametrize(
    ("head", "wanted"), [("us/heal", False), ("US/Heal", False), ("them/heal", True), (None, True)]
)
def test_a_pull_request_of_github(tmp_path, head, wanted):
    assert bool(untrusted.reason(event(tmp_path, head), False)) == wanted


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"pull_request": 1}', '{"pull_request": {"head": {}, "base": {}}}', "["]
)
def test_what_cannot_be_read_is_not_trusted(tmp_path, text):
    (tmp_path / "event.json").write_text(text)
    environ = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    assert untrusted.reason(environ, False)
    assert untrusted.reason({"GITHUB_EVENT_NAME": "pull_request_target"}, False)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, ""), ({"GITHUB_EVENT_NAME": "push"}, ""), ({untrusted.VARIABLE: "1"}, untrusted.VARIABLE), ({untrusted.VARIABLE: "0"}, ""),
        ({"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1", "CI_MERGE_REQUEST_PROJECT_ID": "1"}, ""),
        ({"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2", "CI_MERGE_REQUEST_PROJECT_ID": "1"}, "a merge request of another project"),
        ({"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1", "CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7"}, ""),
        ({"CI_MERGE_REQUEST_PROJECT_ID": "1"}, UNTOLD), ({"CI_MERGE_REQUEST_IID": "7"}, UNTOLD),
        ({"CI_MERGE_REQUEST_PROJECT_ID": "1", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": ""}, UNTOLD),
        ({"CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"}, UNTOLD),
        ({"CI_MERGE_REQUEST_IID": "", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "", "CI_MERGE_REQUEST_PROJECT_ID": ""}, ""),
    ],
)  # fmt: skip
def test_what_else_says_so(environ, wanted):
    assert untrusted.reason(environ, False) == wanted
    assert untrusted.reason(environ, True) == "--no-project-plugins"


@pytest.mark.parametrize(
    ("name", "event", "wanted"),
    [
        ("workflow_run", {"workflow_run": {"head_repository": {"full_name": "us/heal"}}, "repository": {"full_name": "US/heal"}}, False),
        ("workflow_run", {"workflow_run": {"head_repository": {"full_name": "them/heal"}}, "repository": {"full_name": "us/heal"}}, True),
        ("workflow_run", {"workflow_run": {"head_repository": None}, "repository": {"full_name": "us/heal"}}, True),
        ("workflow_run", {}, True),
        ("issue_comment", {"issue": {"number": 1}}, False),
        ("issue_comment", {"issue": {"number": 1, "pull_request": {"url": "x"}}}, True),
        ("issue_comment", [], True),
        ("push", {}, False),
    ],
)  # fmt: skip
def test_what_follows_on_a_pull_request(tmp_path, name, event, wanted):
    (tmp_path / "event.json").write_text(json.dumps(event))
    environ = {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    assert bool(untrusted.reason(environ, False)) == wanted


def test_nothing_of_the_project_is_imported(tmp_path):
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()\n"
    files = {
        "controllers/cloud.py": code, "checks/queue.py": code, "sources/mine.py": code,
        "controllers.yaml": "controllers: {far: {type: cloud, x: 1}, here: {type: local}}\ndefault: here\n",
        "actions.yaml": "actions: {look: {check: {queue: {url: x}}, target: none}, act: {command: [df], impact: low, controller: far}}\n",
        "rulebooks/a.yml": "- name: a\n  hosts: all\n  sources: [{mine: {x: 1}}, {healer.mine: {}}]\n  rules:\n"
        "    - {name: r, condition: event.x == 1, action: {run_action: {name: act, target: x}}}\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with plugins.without_project_code():
        found = lint.lint(project.draft_of(tmp_path, {}))
    assert not ran.exists()
    told = untrusted.once(found, "--no-project-plugins")
    assert [str(one) for one in told if one.severity == "error"] == []
    (one,) = [one for one in told if one.code == "project-code"]
    assert one.severity == "hint"
    assert one.message.startswith(
        "code of the project was not run (--no-project-plugins), so what needs it was not checked, also at "
    )
    lint.lint(project.draft_of(tmp_path, {}))
    assert ran.exists(), "it is without this"


def test_where_nothing_needs_it_nothing_is_told():
    one = errors.Diagnostic("no-brake", "x", errors.Place("a.yml", 1, 1), "warning")
    assert untrusted.once([one], "x") == [one]
