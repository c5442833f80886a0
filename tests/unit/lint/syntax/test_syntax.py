"""Ansible's syntax check of a project's playbooks: what is asked, what is told, what is kept. Two or three with the real program."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from healer import project
from healer.lint import syntax
from healer.project import publishing

REAL = pathlib.Path(sys.executable).parent / "ansible-playbook"
RULES = """\
- name: web
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: r, condition: event.a == 1, action: {run_playbook: {name: two.yml}}}
    - {name: s, condition: event.a == 2, action: {run_playbook: {name: "{{ event.x }}"}}}
"""
ONE = "- hosts: localhost\n  tasks:\n    - nosuch: {}\n"
ORIGIN = "[ERROR]: {}\nOrigin: $PWD/{}\n\n3 text\n"


def test_what_actions_and_rules_name_is_asked_of_and_nothing_else(said, fake):
    assert said({"rulebooks/web.yml": RULES, "playbooks/two.yml": ONE, "playbooks/idle.yml": ONE}) == []
    one = "--syntax-check -i localhost, playbooks/one.yml"
    assert sorted(fake.asked) == [one, one.replace("one", "two"), "version"]


def test_without_a_program_nothing_is_said(said, fake):
    assert said({"playbooks/one.yml": ONE}, program=None) == []
    assert fake.asked == []


def test_of_a_project_without_playbooks_nothing_is_asked(said, fake):
    assert said({"actions.yaml": "actions: {}\n"}) == []
    assert fake.asked == []


def test_it_stands_where_ansible_says(look, fake):
    fake.says(
        "one.yml",
        ORIGIN.format("couldn't resolve module/action 'nosuch'. This often indicates a x.", "playbooks/one.yml:3:7"),
    )
    (one,) = [one for one in look({"playbooks/one.yml": ONE}) if one.code == "ansible-syntax"]
    assert str(one).splitlines() == [
        "playbooks/one.yml:3:7: error[ansible-syntax]: Ansible says: couldn't resolve module/action 'nosuch'",
        "    3 |     - nosuch: {}",
        "      |       ^ mend its name, or write all of it: NAMESPACE.COLLECTION.MODULE",
    ]


def test_two_playbooks_that_import_one_mistake_tell_it_once(said, fake):
    for name in ("one.yml", "two.yml"):
        fake.says(name, ORIGIN.format("conflicting action statements: debug, shell", "tasks/t.yml:1:3"))
    files = {"rulebooks/web.yml": RULES, "playbooks/two.yml": ONE, "tasks/t.yml": "- {debug: , shell: }\n"}
    assert said(files) == ["tasks/t.yml:1:3 error Ansible says: conflicting action statements: debug, shell"]


def test_a_failure_without_a_place_stands_at_the_playbook(said, fake):
    fake.says("one.yml", "[ERROR]: something broke\nOrigin: /elsewhere/x.yml:1:1\n", code=1)
    assert said() == ["playbooks/one.yml error Ansible says: something broke"]


def test_what_our_own_reading_told_is_not_told_twice(look, fake):
    told = lambda: [one.code for one in look() if one.place.file == "playbooks/one.yml"]  # noqa: E731
    look({"playbooks/one.yml": "- hosts: localhost\n  roles: [gone]\n  tasks:\n    - import_tasks: none.yml\n"})
    fake.says("one.yml", ORIGIN.format("the role 'gone' was not found in x:y", "playbooks/one.yml:2:11"), code=1)
    fake.touched()
    assert told() == ["no-file", "no-file"]
    fake.says(
        "one.yml", "[ERROR]: Unable.\nCould not find or access '$PWD/playbooks/none.yml' on the Controller.\n", code=1
    )
    fake.touched()
    assert told() == ["no-file", "no-file"]
    fake.says(
        "one.yml", "[ERROR]: Unable.\nCould not find or access '$PWD/playbooks/other.yml' on the Controller.\n", code=1
    )
    fake.touched()
    assert told() == ["ansible-syntax", "no-file", "no-file"]


def test_no_secret_of_a_file_or_message_is_printed(look, fake):
    fake.says("one.yml", ORIGIN.format("cannot read https://bob:hunter2@x/?token=abcdef", "playbooks/one.yml:3:7"))
    files = {"playbooks/one.yml": "- hosts: localhost\n  tasks:\n    - nosuch: {password: hunter2}\n"}
    for _ in range(2):
        text = "\n".join(map(str, look(files)))
        assert "ansible-syntax" in text
        assert "hunter2" not in text
        assert "abcdef" not in text
    kept = pathlib.Path(fake.folder.parent, "home/.cache/healer/ansible-syntax")
    assert not [path for path in kept.iterdir() if b"hunter2" in path.read_bytes()]


def test_a_collection_that_is_missing_is_a_warning_with_the_command(look, said, fake, environ):
    fake.says("one.yml", ORIGIN.format("couldn't resolve module/action 'community.foo.bar'.", "playbooks/one.yml:3:7"))
    (one,) = [one for one in look() if one.code == "ansible-syntax"]
    assert (one.severity, str(one.place)) == ("warning", "playbooks/one.yml:3:7")
    assert "the collection community.foo is not installed here" in one.message
    assert one.try_.startswith("ansible-galaxy collection install community.foo -p collections, and list it")
    (one,) = [
        one for one in look({"requirements.yml": "collections: [community.foo]\n"}) if one.code == "ansible-syntax"
    ]
    assert one.try_ == "ansible-galaxy collection install -r requirements.yml -p collections"
    installed = pathlib.Path(environ["HOME"], ".ansible/collections/ansible_collections/community/foo/plugins")
    installed.mkdir(parents=True)
    fake.forget()
    assert said()[0].startswith("playbooks/one.yml:3:7 error Ansible says")
    assert len(fake.asked) == 1, "what is installed counts"


@pytest.mark.parametrize(
    "text",
    [
        "[ERROR]: Error processing keyword 'hosts': 'targets' is undefined\nOrigin: $PWD/playbooks/one.yml:1:10",
        "ERROR! Attempting to decrypt but no vault secrets found",
        "[ERROR]: Invalid vars_files file 'x': Decryption failed (no vault secrets were found that could decrypt).",
    ],
)
def test_what_cannot_be_judged_here_is_a_hint(said, fake, text):
    fake.says("one.yml", text)
    (one,) = said()
    assert " hint Ansible could not judge it here: " in one


def test_what_another_machine_may_have_is_a_hint(said, fake):
    fake.says("one.yml", ORIGIN.format("couldn't resolve module/action 'community.foo.bar'.", "playbooks/one.yml:3:7"))
    (one,) = said({"controllers.yaml": "controllers: {far: {type: ssh}, here: {type: ansible, run_on: 'far:a'}}\n"})
    assert one.startswith("playbooks/one.yml:3:7 hint ")
    assert one.endswith("; playbooks run on another machine")


# --- what is kept -------------------------------------------------------------------------------------------------------------


def test_a_second_look_runs_nothing_and_says_the_same(said, fake):
    fake.says("one.yml", ORIGIN.format("'bogus' is not a valid attribute for a Play", "playbooks/one.yml:1:3"))
    first = said()
    assert len(fake.asked) == 2
    fake.forget()
    assert said() == first != []
    assert fake.asked == []


@pytest.mark.parametrize(
    "changed",
    ["roles/r/tasks/main.yml", "playbooks/one.yml", "ansible.cfg", "library/m.py", "group_vars/all.yml", "inventory/hosts.yml"],
)  # fmt: skip
def test_a_file_that_changes_has_all_asked_again(said, fake, changed):
    files = {"roles/r/tasks/main.yml": "[]\n"}
    assert said(files) == []
    fake.forget()
    assert said({changed: "# another\n" + (ONE if "playbooks" in changed else "")}) == []
    assert fake.asked == ["--syntax-check -i localhost, playbooks/one.yml"]


def test_a_rule_that_changes_has_nothing_asked_again(said, fake):
    assert said() == []
    fake.forget()
    assert said({"rulebooks/web.yml": RULES.replace("two.yml", "one.yml"), "healer.yaml": "mode: observe\n"}) == []
    assert fake.asked == []


def test_another_release_has_all_asked_again(said, fake):
    assert said() == []
    fake.forget()
    fake.release("2.20.0")
    assert said() == []
    assert fake.asked == [], "its file is the same: it is not asked for its version"
    fake.touched()
    assert said() == []
    assert len(fake.asked) == 2


def test_another_version_of_this_check_has_all_asked_again(said, fake, monkeypatch):
    assert said() == []
    fake.forget()
    monkeypatch.setattr(syntax, "VERSION", syntax.VERSION + 1)
    assert said() == []
    assert len(fake.asked) == 1


def test_what_is_of_the_moment_is_not_kept(said, fake):
    fake.does("one.yml", "kill -9 $$\n")
    assert said() == ["playbooks/one.yml hint Ansible could not judge it here: a signal ended it (9)"]
    fake.does("one.yml", "exit 0\n")
    assert said() == []


def test_garbage_that_is_kept_is_asked_again(said, fake, environ):
    fake.says("one.yml", ORIGIN.format("'bogus' is not a valid attribute for a Play", "playbooks/one.yml:1:3"))
    first = said()
    for path in pathlib.Path(environ["HOME"], ".cache/healer/ansible-syntax").iterdir():
        path.write_text('{"form": 1}')
    fake.forget()
    assert said() == first
    assert len(fake.asked) == 2


# --- what may be done --------------------------------------------------------------------------------------------------------


def test_it_reads_a_copy_of_what_a_run_gets(said, fake, tmp_path):
    said({"README.md": "x\n", "healer.yaml": "mode: observe\n", "notes/x.yml": "x: 1\n"})
    here = (fake.folder / "here").read_text().split()
    assert sorted(here) == [".revision.json", "inventory", "playbooks"]
    given = dict(line.split("=", 1) for line in (fake.folder / "environ").read_text().splitlines() if "=" in line)
    assert "SECRET_OF_MINE" not in given
    assert given["ANSIBLE_INVENTORY"] == "localhost,"
    assert not pathlib.Path(given["ANSIBLE_HOME"]).exists(), "it is gone"
    assert str(tmp_path / "project") not in given["PWD"]


def test_the_password_of_a_vault_is_given_in_a_file(said, fake):
    fake.does("one.yml", f'cat "$ANSIBLE_VAULT_PASSWORD_FILE" > {fake.folder}/password\n')
    assert said(keys=(("mine", "sesame"),)) == []
    assert (fake.folder / "password").read_text() == "sesame"
    assert "sesame" not in " ".join(fake.asked)
    assert "--vault-id mine@" in fake.asked[-1]


def test_what_has_too_much_is_not_looked_at(said, fake, monkeypatch):
    monkeypatch.setattr("healer.project.tree.FILES_MAX", 2)
    assert said() == []
    assert fake.asked == []


def test_files_that_change_meanwhile_are_not_judged(said, fake, monkeypatch):
    def changed(*_: object) -> None:
        raise publishing.Changed(path="playbooks/one.yml")

    monkeypatch.setattr(project, "publish", changed)
    (one,) = said()
    assert one.startswith("playbooks/one.yml hint Ansible could not judge it here: the files cannot be copied")


def test_a_program_that_does_not_say_which_it_is(said, fake):
    (fake.folder / "version").write_text("")
    (one,) = said()
    assert (
        " hint Ansible could not judge it here: ansible-playbook --version: it ended with 0, and names no version"
        in one
    )


def test_where_nothing_may_run_each_is_withheld(look, fake, tmp_path):
    look(program=None)
    (one,) = syntax.withheld(project.draft_of(tmp_path / "project", {}))
    assert (one.code, one.severity, one.place.file) == ("project-code", "hint", "playbooks/one.yml")
    assert fake.asked == []


# --- the real one ------------------------------------------------------------------------------------------------------------


def test_the_real_one_finds_what_only_it_can_know(said):
    assert said(
        {"playbooks/one.yml": ONE, "roles/r/tasks/main.yml": "- debug: {msg: x}\n  shell: x\n"}, program=REAL
    ) == ["playbooks/one.yml:3:7 error Ansible says: couldn't resolve module/action 'nosuch'"]
    fine = "- hosts: localhost\n  roles: [r]\n"
    assert said({"playbooks/one.yml": fine}, program=REAL) == [
        "roles/r/tasks/main.yml:1:3 error Ansible says: conflicting action statements: debug, shell"
    ]


def test_the_real_one_runs_no_inventory_and_reaches_no_cache(said, tmp_path, environ):
    ran = tmp_path / "ran"
    files = {
        "ansible.cfg": "[defaults]\ninventory = ./inventory/dynamic.sh\nvault_password_file = .pass\nfact_caching = redis\n",
        "inventory/dynamic.sh": f"#!/bin/sh\ntouch {ran}\necho '{{}}'\n",
        "group_vars/all.yml": "a: 1\n",
        "playbooks/one.yml": "- hosts: all\n  vars_files: [secret.yml]\n  tasks: [{debug: {msg: x}}]\n",
    }
    said(files, program=None)
    root = tmp_path / "project"
    (root / "inventory/dynamic.sh").chmod(0o755)
    (root / "playbooks/secret.yml").write_text("b: 1\n")
    (tmp_path / "pass").write_text("sesame")
    encrypt = [
        REAL.with_name("ansible-vault"),
        "encrypt",
        "--vault-password-file",
        tmp_path / "pass",
        root / "playbooks/secret.yml",
    ]
    subprocess.run(encrypt, cwd=tmp_path, check=True, capture_output=True, env=environ)
    (one,) = said(program=REAL)
    assert " hint Ansible could not judge it here: " in one, "there is no password"
    assert said(program=REAL, keys=(("default", "sesame"),)) == []
    assert said(program=REAL) == [], "what was judged is kept, without the password"
    assert not ran.exists()
