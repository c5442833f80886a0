"""`healer test`: what it prints, its exit codes, JSON, JUnit XML and coverage."""

from __future__ import annotations

import json
import pathlib
import xml.etree.ElementTree as ET

import click.testing
import pytest

from healer import cli
from healer.cli import init

WRONG = """\
rulebook: disk.yml
tests:
  - name: runs on another host
    steps: [{event: {$file: ../examples/disk_full.json}}]
    expect: [{runs: [{rule: disk is full, target: web9}]}]
  - name: is fine
    expect: [{fired: []}]
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    init.write(tmp_path / "p")
    return tmp_path / "p"


def test_a_line_for_a_file_that_passed(healer, project):
    done = healer("test", "--project", project)
    assert (done.exit_code, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first == "ok    rulebooks/disk_test.yml  2 tests"
    assert last.startswith("2 tests in 1 file: 2 passed (")


@pytest.mark.parametrize("path", [".", "rulebooks", "rulebooks/disk_test.yml"])
def test_a_path_is_a_file_or_a_folder(healer, project, monkeypatch, path):
    (project / "rulebooks" / "wrong_test.yml").write_text(WRONG)
    monkeypatch.chdir(project)
    done = healer("test", path)
    assert done.exit_code == (0 if path.endswith(".yml") else 1)
    assert "ok    rulebooks/disk_test.yml  2 tests" in done.stdout


def test_the_project_is_the_one_around_the_path(healer, project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert healer("test", "p/rulebooks/disk_test.yml").exit_code == 0
    assert healer("test", "p").exit_code == 0


def test_what_failed_is_told_with_its_place_and_totals(healer, project):
    (project / "rulebooks" / "wrong_test.yml").write_text(WRONG)
    done = healer("test", "--project", project)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1:] == [
        "FAIL  rulebooks/wrong_test.yml: runs on another host",
        "  rulebooks/wrong_test.yml:5:15: runs up to 0s",
        "    expected      {rule: disk is full, target: web9}",
        "    got           {rule: disk/disk/disk is full, action: clean_disk, target: host:localhost, status: succeeded, reason: unverified}",
        "                ^ target: wanted web9, got host:localhost",
        "                  faked: succeeded",
        "    what rules and gates said",
        "      0s  e-2  disk/disk/disk is full: clean_disk queued, now succeeded",
    ]
    assert done.stderr.startswith("4 tests in 2 files: 3 passed, 1 failed (")


def test_some_by_their_names(healer, project):
    (project / "rulebooks" / "wrong_test.yml").write_text(WRONG)
    fine = (project / "rulebooks" / "wrong_test.yml").read_text()
    (project / "rulebooks" / "wrong_test.yml").write_text(fine.replace("is fine", "is fine [1]"))
    assert healer("test", "--project", project, "--run", "fine [1]").exit_code == 0
    (project / "rulebooks" / "wrong_test.yml").write_text(fine)
    for pattern, count in (("is FINE", 1), ("*fine", 1), ("a full disk*", 1), ("alone", 1)):
        done = healer("test", "--project", project, "--run", pattern)
        assert (done.exit_code, done.stdout.splitlines()[-1].split()[0]) == (0, str(count)), pattern
    done = healer("test", "--project", project, "--run", "nonsense")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--run: no test has 'nonsense' in its name" in done.stderr


def test_json_has_all(healer, project):
    (project / "rulebooks" / "wrong_test.yml").write_text(WRONG)
    done = healer("test", "--project", project, "--json", "--coverage")
    told = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (1, "")
    assert {key: told[key] for key in ("ok", "tests", "passed", "failed", "errors", "broken_files")} == {
        "ok": False, "tests": 4, "passed": 3, "failed": 1, "errors": 0, "broken_files": 0,
    }  # fmt: skip
    assert [(one["file"], one["ok"], len(one["tests"])) for one in told["files"]] == [
        ("rulebooks/disk_test.yml", True, 2), ("rulebooks/wrong_test.yml", False, 2),
    ]  # fmt: skip
    assert told["coverage"]["percent"] == 100.0


def test_junit_is_written(healer, project, tmp_path):
    done = healer("test", "--project", project, "--junit", tmp_path / "report.xml")
    assert done.exit_code == 0
    assert ET.parse(tmp_path / "report.xml").getroot().get("tests") == "2"
    assert healer("test", "--project", project, "--junit", tmp_path / "nowhere" / "report.xml").exit_code == 2


def test_what_cannot_be_seen_is_written_out_in_junit(healer, project, tmp_path):
    """As in the text."""
    name = "a\u202etxt.exe"
    (project / "rulebooks" / "odd_test.yml").write_text(
        f"rulebook: disk.yml\ntests: [{{name: {json.dumps(name)}, steps: [{{event: {{x: {json.dumps(name)}}}}}], expect: [{{facts: [{{x: 1}}]}}]}}]\n"
    )
    done = healer("test", "--project", project, "--junit", tmp_path / "report.xml")
    raw = (tmp_path / "report.xml").read_text("utf-8")
    assert "\u202e" not in raw
    assert "\u202e" not in done.stdout
    failed = next(one for one in ET.fromstring(raw).iter("testcase") if one.find("failure") is not None)
    assert failed.get("name") == "a\\u202etxt.exe"
    assert f"FAIL  rulebooks/odd_test.yml: {failed.get('name')}" in done.stdout
    assert "\n" in (failed.findtext("failure") or "")


def test_coverage_and_its_limit(healer, project):
    done = healer("test", "--project", project, "--fail-under", "100")
    assert done.exit_code == 0
    assert "disk/disk/disk is full     11         6/6    0/0    100 %  duplicate 10" in done.stdout
    (project / "rulebooks" / "disk_test.yml").write_text(
        WRONG.replace("runs: [{rule: disk is full, target: web9}]", "fired: [disk is full]")
    )
    done = healer("test", "--project", project, "--fail-under", "80")
    assert done.exit_code == 1
    assert ': never false: event.alert.name == "DiskFull"' in done.stdout
    assert "error[coverage]: 57.1 % is covered, --fail-under 80" in done.stderr
    assert healer("test", "--project", project, "--fail-under", "57").exit_code == 0


@pytest.mark.parametrize("given", ["nan", "NaN", "-nan", "inf", "101"])
def test_a_limit_that_is_no_percentage_is_wrong_use(healer, project, given):
    done = healer("test", "--project", project, "--coverage", f"--fail-under={given}")
    assert done.exit_code == 2
    assert f"--fail-under: a number from 0 to 100 is wanted, got '{given}'" in done.stderr


def test_mistakes_of_a_file_are_told_and_none_of_it_is_run(healer, project):
    (project / "rulebooks" / "wrong_test.yml").write_text(WRONG.replace("disk is full", "disk is ful"))
    done = healer("test", "--project", project)
    assert done.exit_code == 1
    assert (
        "rulebooks/wrong_test.yml:5:29: error[unknown-rule]: no rule under test is named 'disk is ful'" in done.stdout
    )
    assert "did you mean 'disk is full'?" in done.stdout
    assert done.stderr.startswith("2 tests in 2 files: 2 passed, 1 file with mistakes (")


def test_a_project_with_mistakes_is_not_tested(healer, project):
    (project / "actions.yaml").write_text("actions: 5\n")
    done = healer("test", "--project", project)
    assert done.exit_code == 1
    assert "actions.yaml:1:1: error[wrong-type]" in done.stdout
    assert "in the project itself, so that nothing of it is tested" in done.stderr


def test_a_project_with_mistakes_says_so_in_each_form(healer, project, tmp_path):
    (project / "rulebooks" / "x.yml").write_text("1\n")
    report = tmp_path / "r.xml"
    done = healer("test", "--project", project, "--json", "--junit", report)
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["ok"], told["tests"], told["files"]) == (False, 0, [])
    assert [one["code"] for one in told["diagnostics"]] == ["wrong-type"]
    root = ET.parse(report).getroot()
    assert (root.get("tests"), root.get("errors")) == ("1", "1")
    assert "rulebooks/x.yml:1:1" in "".join(root.itertext())


def test_junit_may_go_to_standard_output(healer, project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = healer("test", "--project", project, "--junit", "-")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("<?xml")
    assert ET.fromstring("\n".join(lines[1 : lines.index("</testsuites>") + 1])).get("tests") == "2"
    assert not (tmp_path / "-").exists()
    assert healer("test", "--project", project, "--junit", "-", "--json").exit_code == 2


@pytest.mark.parametrize("how", ["flag", "variable", "fork"])
@pytest.mark.parametrize("command", [("test", "--project"), ("policy", "show", "--for", "clean_disk")])
def test_code_of_the_project_is_not_run_where_it_is_not_trusted(healer, project, monkeypatch, tmp_path, how, command):
    ran = tmp_path / "ran"
    (project / "controllers").mkdir()
    (project / "controllers/mine.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    text = (project / "controllers.yaml").read_text()
    (project / "controllers.yaml").write_text(text.replace("controllers:\n", "controllers:\n  far: {type: mine}\n", 1))
    given = ["--no-project-plugins"] if how == "flag" else []
    if how == "variable":
        monkeypatch.setenv("HEALER_NO_PROJECT_PLUGINS", "1")
    if how == "fork":
        monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    done = healer(*command, project, *given)
    assert done.exit_code == 0, done.output
    assert not ran.exists()
    assert done.stderr.startswith("hint[project-code]: code of the project is not run (")


def test_no_tests_are_no_success(healer, project):
    (project / "rulebooks" / "disk_test.yml").unlink()
    done = healer("test", "--project", project)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error[no-tests]: no file of rulebooks/ holds tests:" in done.stderr
    done = healer("test", "--project", project, project / "rulebooks" / "disk.yml")
    assert done.exit_code == 2
    assert "holds no tests:" in done.stderr
    done = healer("test", "--project", project, project / "examples")
    assert done.exit_code == 2
    assert "lies in no rulebooks/ of the project" in done.stderr


def test_hostile_texts_steer_no_terminal(healer, project):
    event = '{alert: {name: "\\e[2J", key: "\\u202e", status: firing, target: "\\e]0;x\\a"}}'
    (project / "rulebooks" / "wrong_test.yml").write_text(
        f"rulebook: disk.yml\ntests: [{{name: x, steps: [{{event: {event}}}], expect: [{{runs: [{{action: clean_disk}}], alerts: []}}]}}]\n"
    )
    done = healer("test", "--project", project)
    assert done.exit_code == 1
    assert not {"\x1b", "\u202e", "\x07"} & set(done.output)


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_those_who_want_them(project, monkeypatch, variable, coloured):
    monkeypatch.setenv("NO_COLOR", variable)
    done = click.testing.CliRunner().invoke(cli.cli, ["test", "--project", str(project)], color=True)
    assert ("\x1b" in done.output) is coloured


WHY = """\
rulebook: disk.yml
tests:
  - name: nothing
    steps: [{event: {$file: ../examples/disk_full.json}}, {at: 1m, event: {alert: {name: Other, status: firing}}}]
    expect: [{fired: [disk is full]}]
"""


def test_why_shows_what_each_rule_made_of_each_event(healer, project):
    (project / "rulebooks" / "why_test.yml").write_text(WHY)
    done = healer("test", "--project", project, project / "rulebooks" / "why_test.yml", "--why")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "ok    rulebooks/why_test.yml  1 test", "why   rulebooks/why_test.yml: nothing", "  0s  e-2  disk/disk/disk is full: fired",
    ]  # fmt: skip
    at = lines.index("  1m  e-3  disk/disk/disk is full: did not fire: no-match")
    assert lines[at + 1 : at + 3] == [
        "    ✗ and",
        '      ✗ event.alert.name == "DiskFull"    event.alert.name is Other',
    ]


def test_why_for_programs(healer, project):
    (project / "rulebooks" / "why_test.yml").write_text(WHY)
    done = healer("test", "--project", project, project / "rulebooks" / "why_test.yml", "--why", "--json")
    (told,) = json.loads(done.stdout)["files"][0]["tests"]
    assert [(one["at_s"], one["event"], one["fired"], one["tree"]["holds"]) for one in told["why"]] == [
        (0.0, "e-2", True, True), (60.0, "e-3", False, False),
    ]  # fmt: skip
    assert told["why_cut"] is False
    assert "why" not in json.loads(healer("test", "--project", project, "--json").stdout)["files"][0]["tests"][0]


def test_signs_of_conditions_have_a_colour_on_a_terminal(project, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    (project / "rulebooks" / "why_test.yml").write_text(WHY)
    shown = (
        click.testing.CliRunner()
        .invoke(cli.cli, ["test", "--project", str(project), "--run", "nothing", "--why"], color=True)
        .stdout
    )
    assert "    \x1b[31m✗\x1b[0m and\n" in shown


def test_markdown_for_a_comment(healer, project):
    (project / "rulebooks" / "wrong_test.yml").write_text(WRONG)
    (project / "rulebooks" / "broken_test.yml").write_text("tests: [{name: '<b>@all', stepz: []}]\n")
    done = healer("test", "--project", project, "--format", "markdown", "--why", "--coverage")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "### Tests of rulebooks, by healer"
    assert "4 tests in 3 files: 3 passed, 1 failed, 1 file with mistakes" in lines
    assert "#### `FAIL rulebooks/wrong_test.yml: runs on another host`" in lines
    assert "#### `MISTAKES rulebooks/broken_test.yml`" in lines
    assert any(line.startswith("- ✓ `event.alert.name") or "✓" in line for line in lines), (
        "the condition with what it saw"
    )
    assert any(line.startswith("<details><summary><code>") for line in lines)
    assert any(line.startswith("coverage ") for line in lines)


def test_markdown_of_what_passed_is_one_line(healer, project):
    done = healer("test", "--project", project, "--format", "markdown")
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if line] == [
        "### Tests of rulebooks, by healer", "```text", "2 tests in 1 file: 2 passed", "```",
    ]  # fmt: skip
    assert healer("test", "--project", project, "--format", "markdown", "--json").exit_code == 2
