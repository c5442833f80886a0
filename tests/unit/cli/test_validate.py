"""`healer validate`: one line on success, every mistake else, exit codes, JSON."""

from __future__ import annotations

import json
import re

import pytest

from healer.cli import starter

NO_BRAKE = starter.FILES["rulebooks/disk.yml"].replace("event.alert.key is defined and ", "")


@pytest.fixture
def project(tmp_path):
    for name, text in starter.FILES.items():
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text(text)
    return tmp_path / "p"


def test_success_is_one_line(healer, project):
    (project / "rulebooks/disk_test.yml").write_text("tests: []\n")
    done = healer("validate", project)
    assert done.exit_code == 0, done.output
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"ok: 1 rulebook, 1 rule, 2 actions, 1 controller, 1 tests' file \(\d+\.\d s\)", last)


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
    assert "--project and DIR name two folders" in done.stderr
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
    assert told["counts"] == {"rulebooks": 1, "rules": 1, "actions": 2, "controllers": 1, "tests": 0}
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


@pytest.mark.parametrize("folder", ["nothing", "healer.yaml"])
def test_no_folder(healer, project, folder):
    assert healer("validate", project / folder).exit_code == 2


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
