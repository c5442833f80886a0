"""`healer validate`: one line on success, every mistake else, exit codes, JSON."""

from __future__ import annotations

import json
import re

import pytest

from healer import errors
from healer.cli import starter, terminal, validate

NO_BRAKE = starter.FILES["rulebooks/disk.yml"].replace("event.alert.key is defined and ", "")


@pytest.fixture
def project(tmp_path):
    for name, text in starter.FILES.items():
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text(text)
    return tmp_path / "p"


def test_success_is_one_line(healer, project):
    (project / "rulebooks/disk_test.yml").write_text("tests: [{name: a, expect: [{fired: []}]}]\n")
    done = healer("validate", project)
    assert done.exit_code == 0, done.output
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"ok: 1 rulebook, 1 rule, 2 actions, 1 controller, 1 tests' file \(\d+\.\d s\)", last)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("tests: [\n", "yaml"), ("tests:\n", "wrong-type"), ("tests: []\n", "missing-key"), ("'tests': 5\n", "wrong-type"),
        ("rulebook: nix.yml\ntests: [{name: a, expect: [{fired: []}]}]\n", "no-rulebook"), ("tests: [{name: a}]\n", "options"),
        ("tests: [{name: a, stepz: [], expect: [{fired: []}]}]\n", "options"),
        ("tests: [{name: a, expect: [{fired: [nope]}]}]\n", "unknown-rule"),
    ],
)  # fmt: skip
def test_files_of_tests_are_looked_at_as_healer_test_does(healer, project, text, code):
    (project / "rulebooks/disk_test.yml").write_text(text)
    done = healer("validate", project)
    assert done.exit_code == 1, done.output
    assert re.match(rf"rulebooks/disk_test.yml:\d+:\d+: error\[{code}\]: ", done.stdout)
    assert healer("test", "--project", project).stdout.splitlines()[0] == done.stdout.splitlines()[0]


def test_the_folder_is_this_one_by_default(healer, project, monkeypatch):
    monkeypatch.chdir(project)
    assert healer("validate").exit_code == 0


def test_the_folder_may_be_named_as_for_other_commands(healer, project):
    assert healer("validate", "--project", project).exit_code == 0
    (project / "healer.yaml").write_text("mode: observ\n")
    assert healer("validate", "--project", project).exit_code == 1
    assert healer("validate", project, "--project", project).exit_code == 1, "twice the same is no contradiction"
    done = healer("validate", project, "--project", project.parent)
    assert done.exit_code == 2
    assert "--project and PATH name two folders" in done.stderr
    assert healer("validate", "--project", project / "none").exit_code == 2


def test_mistakes_of_all_files_stand_with_their_places(healer, project):
    (project / "healer.yaml").write_text("mode: observ\n")
    (project / "rulebooks/disk.yml").write_text(starter.FILES["rulebooks/disk.yml"].replace("clean_disk", "clean_dsk"))
    done = healer("validate", project)
    assert done.exit_code == 1
    assert re.search(r"^healer\.yaml:1:7: error\[", done.stdout, re.MULTILINE)
    assert re.search(r"^rulebooks/disk\.yml:11:\d+: error\[unknown_action\]", done.stdout, re.MULTILINE)
    assert "did you mean 'clean_disk'?" in done.stdout
    assert done.stderr.startswith("error[configuration]: 2 errors")
    assert "ok:" not in done.stdout


def test_json(healer, project):
    told = json.loads(healer("validate", project, "--json").stdout)
    assert told["ok"] is True
    assert told["counts"] == {"rulebooks": 1, "rules": 1, "actions": 2, "controllers": 1, "tests": 1}
    (project / "healer.yaml").write_text("mode: observ\n")
    done = healer("validate", project, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["ok"] is False
    (one,) = [one for one in told["diagnostics"] if one["severity"] == "error"]
    assert (one["file"], one["line"]) == ("healer.yaml", 1)


def test_of_very_many_mistakes_the_first_are_shown_and_all_are_counted(healer, project):
    (project / "healer.yaml").write_text("".join(f"k{n}: 1\n" for n in range(2_000)))
    done = healer("validate", project)
    assert done.exit_code == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith("healer.yaml")]
    assert (len(lines), lines[0][:14], lines[-1]) == (
        101,
        "healer.yaml:1:",
        "healer.yaml: error[more]: … and 1900 more errors",
    )
    assert done.stderr.startswith("error[configuration]: 2000 errors")
    told = json.loads(healer("validate", project, "--json").stdout)["diagnostics"]
    assert [one["more"] for one in told if "more" in one] == [1900]


def test_warnings_count_when_they_shall(healer, project):
    (project / "rulebooks/disk.yml").write_text(NO_BRAKE)
    done = healer("validate", project)
    assert done.exit_code == 0
    assert "warning[no-brake]" in done.stdout
    done = healer("validate", project, "--strict")
    assert done.exit_code == 1
    assert "(--strict: warnings count)" in done.stderr


def test_text_of_files_steers_no_terminal(healer, project):
    (project / "healer.yaml").write_text('"\\e[2J\u202emode": 1\n')
    done = healer("validate", project)
    assert done.exit_code == 1
    assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)


def test_what_is_not_there_cannot_be_read(healer, project, tmp_path):
    assert healer("validate", project / "nothing").exit_code == 2
    (tmp_path / "alone.yml").write_text("[]\n")
    done = healer("validate", tmp_path / "alone.yml")
    assert done.exit_code == 2
    assert "is no file of a project" in done.stderr


def test_a_secret_that_is_not_here_is_a_hint(healer, project, monkeypatch):
    monkeypatch.delenv("AMT", raising=False)
    with (project / "healer.yaml").open("a") as file:
        file.write('sources: {am: {healer.webhook: {path: am, auth: {bearer: {secret: "env:AMT"}}}}}\n')
    for strict in ((), ("--strict",)):
        done = healer("validate", project, *strict)
        assert (done.exit_code, done.stderr) == (0, "")
        assert "hint[secret-unavailable]: the source am: the secret env:AMT cannot be read" in done.stdout
    assert "secret-unavailable" not in healer("validate", project, env={"AMT": "x"}).stdout


TEMPLATES = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules: [{name: r, condition: event.a == 1, action: {run_job_template: {name: T, organization: O}}}]
"""


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_controller_is_given_as_to_run(healer, project, monkeypatch, by_variable):
    (project / "rulebooks/disk.yml").write_text(TEMPLATES)
    (project / "rulebooks/disk_test.yml").unlink()
    without = healer("validate", project)
    assert (without.exit_code, "error[controller_forbidden]" in without.stdout) == (1, True)
    flags = ["--controller-url", "https://aap.example.org", "--controller-token", "t0ken"]
    if by_variable:
        monkeypatch.setenv("EDA_CONTROLLER_URL", flags[1])
        monkeypatch.setenv("EDA_CONTROLLER_TOKEN", flags[3])
    done = healer("validate", project, *([] if by_variable else flags))
    assert (done.exit_code, "error[" in done.stdout, "secret-unavailable" in done.stdout) == (0, False, False)
    wrong = healer("validate", project, "--controller-url", "nowhere")
    assert (wrong.exit_code, "nowhere" in wrong.stdout) == (1, True)


BAD = starter.FILES["rulebooks/disk.yml"].replace("clean_disk", "clean_dsk")


def test_of_files_only_what_is_told_of_them_is_shown(healer, project):
    (project / "healer.yaml").write_text("mode: observ\n")
    (project / "rulebooks/disk.yml").write_text(BAD)
    done = healer("validate", project / "rulebooks/disk.yml")
    assert done.exit_code == 1
    assert "rulebooks/disk.yml:11:" in done.stdout
    assert "healer.yaml" not in done.stdout
    assert done.stderr.startswith("error[configuration]: 1 error; 1 more in other files of the project")
    done = healer("validate", project / "actions.yaml")
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.search(r"^ok: nothing in these files, 2 errors in others of the project", done.stdout, re.MULTILINE)


def test_several_projects_are_named(healer, project, tmp_path):
    (tmp_path / "q/rulebooks").mkdir(parents=True)
    (tmp_path / "q/rulebooks/x.yml").write_text("x\n")
    done = healer("validate", project, tmp_path / "q")
    assert done.exit_code == 1
    assert f"{tmp_path}/q/rulebooks/x.yml" in done.stdout
    told = json.loads(healer("validate", project, project, "--json").stdout)
    assert told["counts"]["rulebooks"] == 1, "the same project twice is one"


def test_annotations_of_github(healer, project):
    (project / "rulebooks/disk.yml").write_text(BAD)
    done = healer("validate", project, "--format", "github", env={"GITHUB_WORKSPACE": str(project.parent)})
    assert done.exit_code == 1
    (line,) = [one for one in done.stdout.splitlines() if "unknown_action" in one]
    assert line.startswith("::error file=p/rulebooks/disk.yml,line=11,col=")
    assert done.stderr.startswith("error[configuration]: 1 error")


@pytest.mark.parametrize("form", ["gitlab", "sarif", "json"])
def test_reports_are_json_and_nothing_else(healer, project, form):
    for text, code in ((starter.FILES["rulebooks/disk.yml"], 0), (BAD, 1)):
        (project / "rulebooks/disk.yml").write_text(text)
        done = healer("validate", project, "--format", form)
        assert done.exit_code == code
        assert ("unknown_action" in done.stdout) == bool(code)
        assert json.loads(done.stdout) is not None


def test_two_formats_are_too_many(healer, project):
    assert healer("validate", project, "--json", "--format", "json").exit_code == 0
    assert healer("validate", project, "--json", "--format", "sarif").exit_code == 2
    assert healer("validate", project, "--format", "xml").exit_code == 2


def test_colour_on_a_terminal_alone(monkeypatch):
    one = errors.Diagnostic("no-brake", "x", errors.Place("a.yml", 1, 1), "warning")
    line = "a.yml:1:1: warning[no-brake]: x"
    assert validate._painted(one, line, {}) == line
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    assert validate._painted(one, line, {}) == "a.yml:1:1: \x1b[33mwarning[no-brake]\x1b[0m: x"
    assert validate._painted(one, line, {"NO_COLOR": "1"}) == line


def test_code_of_a_project_is_not_run_where_it_is_not_trusted(healer, project):
    ran = project / "ran"
    (project / "checks").mkdir()
    (project / "checks/mine.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    (project / "actions.yaml").write_text(starter.FILES["actions.yaml"] + "  look: {check: {mine: {}}, target: none}\n")
    for given, env in ((("--no-project-plugins",), {}), ((), {"HEALER_NO_PROJECT_PLUGINS": "1"})):
        done = healer("validate", project, *given, env=env)
        assert (done.exit_code, done.stderr) == (0, "")
        assert len(re.findall(r"hint\[project-code\]", done.stdout)) == 1
        assert "unknown-variable" not in done.stdout
        assert not ran.exists()
    assert healer("validate", project).exit_code == 1
    assert ran.exists()


def test_severities_of_the_project_hold(healer, project):
    (project / "rulebooks/disk.yml").write_text(NO_BRAKE)
    (project / "healer.yaml").write_text(starter.FILES["healer.yaml"] + "validate: {severity: {no-brake: error}}\n")
    done = healer("validate", project)
    assert done.exit_code == 1
    assert "error[no-brake]" in done.stdout


def test_no_program_of_the_project_is_run_for_a_vault_password(healer, project, tmp_path):
    for folder, code in ((project, 2), (tmp_path, 0)):
        program = folder / "password.sh"
        program.write_text(f"#!/bin/sh\ntouch {folder}/ran\necho x\n")
        program.chmod(0o755)
        for flags in (["--vault-password-file", program], ["--vault-id", f"a@{program}"]):
            done = healer("validate", project, "--no-project-plugins", *flags)
            assert done.exit_code == code, done.output
        assert (folder / "ran").exists() == (code == 0)
    (project / "link.sh").symlink_to(tmp_path / "password.sh")
    assert (
        healer("validate", project, "--no-project-plugins", "--vault-password-file", project / "link.sh").exit_code == 2
    )
    assert healer("validate", project, "--vault-password-file", project / "link.sh").exit_code == 0
