"""The controller `aap` in controllers.yaml, and what it plans."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from healer import config, plugins, project
from healer.controllers import _shimmed, aap

CONTROLLERS = """\
controllers:
  here: {type: local}
  tower:
    type: aap
    url: https://aap.example.org/api/controller/
    token: {secret: "env:AAP_TOKEN"}
    ca: certificates/site.pem
    poll: 5 seconds
    concurrency: 20
default: here
"""
RULES = """\
- name: web
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: down, condition: event.down is defined, action: {print_event: {}}}
"""
TOKEN = {"secret": "env:AAP_TOKEN"}


def load(folder: pathlib.Path, controllers: str) -> project.Loaded:
    (folder / "rulebooks").mkdir()
    (folder / "rulebooks" / "web.yml").write_text(RULES)
    (folder / "controllers.yaml").write_text(controllers)
    (folder / "certificates").mkdir()
    (folder / "certificates" / "site.pem").write_text("of the CA")
    return project.load(folder, {})


def test_a_project_with_it_loads_without_a_word(tmp_path: pathlib.Path) -> None:
    loaded = load(tmp_path, CONTROLLERS)
    assert [str(one) for one in loaded.diagnostics if one.severity != "hint"] == []
    assert loaded.revision is not None
    spec = loaded.revision.controllers["tower"]
    assert (spec.kinds, spec.target_kinds) == ({"job_template", "workflow_template"}, {"aap"})
    assert (spec.concurrency, "aap" in plugins.builtin_names("controllers")) == (20, True)
    options = plugins.find("controllers", "aap").CONTROLLER.Options.model_validate(dict(spec.options))
    assert (options.poll, options.connections, options.verify_tls) == (5.0, 30, True)
    assert (options.url, options.token.secret) == ("https://aap.example.org/api/controller/", "env:AAP_TOKEN")


def test_a_change_of_the_ca_is_one_of_the_revision(tmp_path: pathlib.Path) -> None:
    revision = load(tmp_path, CONTROLLERS).revision
    assert revision is not None
    assert (project.publish(revision, tmp_path / ".healer") / "certificates/site.pem").read_text() == "of the CA"
    (tmp_path / "certificates" / "site.pem").write_text("of another CA")
    other = project.load(tmp_path, {}).revision
    assert other is not None
    assert other.id != revision.id
    (tmp_path / "certificates" / "site.pem").unlink()
    (told,) = [one for one in project.load(tmp_path, {}).diagnostics if one.severity == "error"]
    assert (told.code, str(told.place)) == ("no-file", "controllers.yaml:7:9")
    assert told.message == "there is no file 'certificates/site.pem', which ca of the controller 'tower' names"


def test_mistakes_stand_where_they_were_made(tmp_path: pathlib.Path) -> None:
    loaded = load(tmp_path, CONTROLLERS.replace("5 seconds", "5").replace("https://", "ftp://"))
    told = [(one.code, one.place.line, one.message) for one in loaded.diagnostics if one.severity == "error"]
    assert [(code, line) for code, line, _ in told] == [("options", 5), ("options", 8)]
    assert "an URL like https://aap.example.org" in told[0][2]


@pytest.mark.parametrize(("given", "says"), [
    ({}, "either 'token' or both 'username' and 'password' are wanted"),
    ({"token": TOKEN, "username": "x", "password": TOKEN}, "either 'token' or both"),
    ({"token": TOKEN, "password": TOKEN}, "either 'token' or both"),
    ({"username": "x"}, "either 'token' or both"), ({"password": TOKEN}, "either 'token' or both"),
    ({"token": "s3cret"}, 'a reference like {secret: "env:NAME"}'),
    ({"token": TOKEN, "url": "aap.example.org"}, "an URL like https://aap.example.org"),
    ({"token": TOKEN, "url": "https://me:pw@aap.example.org"}, "without a user"),
    ({"token": TOKEN, "url": "https://aap.example.org/?x=1"}, "without ?"),
    ({"token": TOKEN, "url": "https://aap.example.org:99999"}, "is no URL"), ({"token": TOKEN, "url": "https://[::1"}, "is no URL"),
    ({"token": TOKEN, "url": "https://aap.example.org:0"}, "port 0"),
    ({"token": TOKEN, "poll": "100 milliseconds"}, "1 second"), ({"token": TOKEN, "connections": 0}, "at least 1"),
    ({"token": TOKEN, "verify_tls": "no"}, "true or false"), ({"token": TOKEN, "ca": "x.pem", "verify_tls": False}, "'ca' means nothing"),
    ({"username": "a:b", "password": TOKEN}, "without a colon"), ({"token": TOKEN, "tokn": 1}, "'tokn' is not known here"),
])  # fmt: skip
def test_wrong_options_are_told(given: dict[str, Any], says: str) -> None:
    document = config.read_text("", "x.yml")
    given = {"url": "https://aap.example.org", **given}
    assert plugins.check_options(document, aap.AapOptions, given, None, "tower") is None
    assert says in " ".join(found.message + found.try_ for found in document.diagnostics)


def test_each_option_stands_in_the_page(repository: pathlib.Path) -> None:
    section = (
        (repository / "docs" / "controllers.md").read_text("utf-8").split("\n## aap\n")[1].split("\n## ", maxsplit=1)[0]
    )
    described = {
        line.split("`")[1]: line.split("|")[2].strip() for line in section.splitlines() if line.startswith("| `")
    }
    assert list(described) == [name for name, _, _ in plugins.describe(aap.AapOptions)]
    shown = {"poll": "10 seconds", "connections": "30", "verify_tls": "true", "url": "required"}
    assert {name: described[name] for name in shown} == shown


# --- plans ------------------------------------------------------------------------------------------------------------


async def test_plan_shows_the_launch_and_launches_nothing(aap_site: Any) -> None:
    (template,) = aap_site.fake.templates.values()
    aap_site.fake.labels = {6: {"id": 6, "name": "red", "organization": 1}}
    job = aap_site.job(extra={"labels": ["red", "blue"]})
    plan = await aap_site.controller.plan(job)
    assert (plan.targets, plan.exact) == (("aap:Default/Restart",), False)
    assert plan.steps[0] == f"POST {aap_site.fake.url}/api/v2/job_templates/{template['id']}/launch/"
    planned = json.loads(plan.steps[1])
    assert plan.steps[2:] == ("limit 'web01', which the template prompts for", "the label 'blue' would be made")
    assert {method for method, _, _, _ in aap_site.fake.calls} == {"GET"}
    await aap_site.run(extra={"labels": ["red"]})
    assert aap_site.launches() == [planned]


@pytest.mark.parametrize(("asks", "limit", "says"), [
    ([], "web01", "limit 'web01' will be ignored, since the template does not prompt for one: its own holds"),
    ([], "", "no limit is given, nor does the template prompt for one: its own holds"),
    (["limit"], "", "no limit is given: its own holds"),
])  # fmt: skip
async def test_plan_says_what_becomes_of_the_limit(aap_site: Any, asks: list[str], limit: str, says: str) -> None:
    aap_site.fake.template("Other", *asks)
    plan = await aap_site.controller.plan(aap_site.job("Other", extra={"job_args": {"limit": limit}}))
    assert plan.steps[2] == says


async def test_plan_of_a_workflow_says_that_its_limit_is_left_out(aap_site: Any) -> None:
    aap_site.fake.template("Flow", type_="workflow_job_template")
    plan = await aap_site.controller.plan(aap_site.job("Flow", kind="workflow_template"))
    assert "limit" not in json.loads(plan.steps[1])
    assert "'web01' is left out" in plan.steps[-1]


async def test_plan_of_what_is_not_there_is_refused(aap_site: Any) -> None:
    with pytest.raises(_shimmed.RefusedJob, match="the account sees no job template 'Nothing'"):
        await aap_site.controller.plan(aap_site.job("Nothing"))
