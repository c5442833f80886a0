"""Where a role is looked for, and of which nothing can be said."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from healer import project
from healer.project import roles, tree

Write = Callable[[dict[str, str | bytes | None]], pathlib.Path]
FILES: dict[str, str | bytes | None] = {
    "roles/clean/tasks/main.yml": "", "playbooks/roles/inner/tasks/main.yml": "", "playbooks/beside/tasks/main.yml": "", "galaxy/far/tasks/main.yml": "",
    "roles/geerlingguy.docker/tasks/main.yml": "", "files/shared/deep/tasks/main.yml": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ansible/roles/installed").mkdir(parents=True)
    (tmp_path / "elsewhere/apart").mkdir(parents=True)


def known(write: Write, *, elsewhere: bool = False, **files: str | bytes) -> roles.Roles:
    named = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    read = tree.Tree(write({**FILES, **named}), lambda _path: False)
    read.scan()
    return roles.Roles(read, elsewhere=elsewhere)


def missing(known: roles.Roles, *names: str) -> list[str]:
    return [name for name in names if known.missing(name, "playbooks/a.yml") is not None]


def test_it_lies_in_any_folder_of_roles_or_beside_the_playbook_or_is_installed(write: Write) -> None:
    found = known(write)
    assert (
        missing(found, "clean", "inner", "beside", "installed", "geerlingguy.docker", "a.b.c", "x/y", "{{ x }}", "")
        == []
    )
    assert missing(found, "gone", "far", "deep", "apart", "geerlingguy.dcker", "tasks") == [
        "gone",
        "far",
        "deep",
        "apart",
        "geerlingguy.dcker",
        "tasks",
    ]
    assert found.missing("claen", "playbooks/a.yml") == "did you mean 'clean'?"


@pytest.mark.parametrize(("config", "there", "gone"), [
    ("[defaults]\nroles_path = files/shared:~/elsewhere:./roles ; why\n", ["deep", "apart", "clean", "inner"], ["installed", "far"]),
    ("[defaults]\nroles_path = ./galaxy\n", ["beside", "far"], ["installed", "clean"]), ("[defaults]\nforks = 5\n", ["installed", "inner"], ["apart", "clean"]),
    ("[defaults]\nroles_path = $SOME\n", ["gone"], []), ("[defaults]\nroles_path = {{CWD}}/x\n", ["gone"], []), ("roles_path\n", ["gone"], []), (b"\xff", ["gone"], []),
])  # fmt: skip
def test_the_projects_ansible_cfg_says_where(
    write: Write, config: str | bytes, there: list[str], gone: list[str]
) -> None:
    found = known(write, ansible_cfg=config)
    assert missing(found, *there, *gone) == gone
    assert found.missing("clean", "roles/other/tasks/main.yml") is None, "it lies beside that role"
    assert found.missing("clean", "site.yml") is None


def test_what_is_to_be_done_about_one_that_lies_where_ansible_does_not_look(write: Write) -> None:
    found = known(write, ansible_cfg="[defaults]\nroles_path = .\n")
    assert found.missing("galaxy", "playbooks/a.yml") == "no run gets ./: roles lie in roles/"
    assert (
        found.missing("clean", "playbooks/a.yml")
        == "list roles/ in roles_path of ansible.cfg: a playbook of playbooks/ does not find it otherwise"
    )


@pytest.mark.parametrize(("text", "there", "gone"), [
    ("- {name: one}\n- {src: acme.two, version: '1'}\n- acme.three\n- {src: https://x.org/four.git, scm: git}\n- https://x.org/y.tar.gz,1.0,five\n- 6\n",
     ["one", "acme.two", "acme.three", "four", "five"], ["y", "six"]),
    ("roles:\n  - name: one\n  - {src: z, name: two}\ncollections: [three]\n", ["one", "two"], ["three", "z"]),
    ("collections: [acme.web]\n", [], ["acme.web"]), ("[]\n", [], ["one"]), ("- include: more.yml\n", ["one"], []), ("a: [\n", ["one"], []),
])  # fmt: skip
@pytest.mark.parametrize("file", ["requirements_yml", "roles__requirements_yml"])
def test_what_is_to_be_installed_is_not_missed(
    write: Write, file: str, text: str, there: list[str], gone: list[str]
) -> None:
    assert missing(known(write, **{file: text}), *there, *gone) == gone


def test_what_another_machine_has_is_not_known(write: Write) -> None:
    assert missing(known(write, elsewhere=True), "gone") == []
    text = 'controllers:\n  far: {type: ssh, known_hosts: files/known}\n  site: {type: ansible, run_on: "far:192.0.2.1"}\ndefault: site\n'
    files: dict[str, str | bytes | None] = {
        "playbooks/restart.yml": "- hosts: all\n  roles: [gone]\n",
        "files/known": "",
        "scripts/clean.meta.yml": None,
    }
    for controllers, count in ((text, 0), ("controllers: {site: {type: ansible}}\n", 1)):
        told = project.load(write({**files, "controllers.yaml": controllers}), {}).diagnostics
        assert [one.code for one in told if one.place.file == "playbooks/restart.yml"] == ["no-file"] * count
