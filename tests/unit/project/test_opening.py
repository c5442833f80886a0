"""What is vaulted and does not open is told by its name, where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from healer import model, project, vault

BOOK = """\
- name: rs
  hosts: all
  sources: [{name: mine, range: {limit: 1, key: "{{ deep.list[1] }}"}}]
  rules:
    - name: r
      condition: event.a == 1
      action: {run_module: {name: ping, module_args: {data: @}}}
"""
SETTINGS = """\
activations:
  - name: a
    rulebook: rulebooks/a.yml
    vars_files: [vars/a.yml]
    vars: {plain: 1, own: @}
    env: {E: @}
"""


@pytest.fixture
def files(sealed: Any) -> dict[str, str | bytes | None]:
    one = sealed("s3cret").replace("\n", "\\n")
    return {
        "rulebooks/team/web.yml": None,
        "rulebooks/a.yml": BOOK.replace("@", f'"{one}"'),
        "healer.yaml": SETTINGS.replace("@", f'"{one}"'),
        "vars/a.yml": f'deep:\n  list: [x, "{one}"]\n',
    }


def told(loaded: Any) -> list[tuple[str, str]]:
    return [
        (str(one.place), one.message.partition(": the vaulted")[0]) for one in loaded.diagnostics if one.code == "vault"
    ]


def test_each_is_told_by_its_name_where_it_stands(write: Any, files: Any) -> None:
    wrong = vault.Vault([("default", "wrong")])
    assert told(project.load(write(files), {}, opened=wrong)) == [
        ("healer.yaml:5:22", "a: own of healer.yaml"),
        ("healer.yaml:6:10", "a: E of its env"),
        ("rulebooks/a.yml:7:16", "a: module_args.data of run_module in the rule 'r'"),
        ("vars/a.yml:1:1", "a: deep.list.1 of vars/a.yml"),
    ]


def test_what_no_password_could_open_is_told_without_one(write: Any, files: Any) -> None:
    files |= {"vars/a.yml": "deep:\n  list: [x, !vault '$ANSIBLE_VAULT;1.1;AES256 zz']\n"}
    (found,) = [one for one in project.load(write(files), {}).diagnostics if one.code == "vault"]
    assert str(found.place) == "vars/a.yml:1:1"
    assert found.message.startswith(
        "a: deep.list.1 of vars/a.yml: the vaulted text cannot be read: its format is '1.1'"
    )


def test_what_is_not_vaulted_at_all_is_told_where_it_stands(write: Any, files: Any) -> None:
    files |= {"vars/a.yml": "deep:\n  list: [x, !vault abc]\n"}
    for opened in (None, vault.Vault([("default", "right")])):
        loaded = project.load(write(files), {}, opened=opened)
        assert [(str(one.place), one.code) for one in loaded.diagnostics if one.severity == "error"] == [
            ("vars/a.yml:2:13", "vault")
        ]


def test_what_opens_or_cannot_be_tried_is_sound(write: Any, files: Any) -> None:
    right = vault.Vault([("default", "right")])
    for opened in (right, None):
        assert project.load(write(files), {}, opened=opened).revision is not None


def test_texts_and_numbers_of_a_file_that_is_vaulted_as_a_whole_are_secrets(
    write: Any, files: Any, sealed: Any
) -> None:
    whole = sealed("deep: {list: [x, 5]}\npin: 4711\nrate: -1.5\non_: true\nnone: null\n")
    right = vault.Vault([("default", "right")])
    loaded = project.load(write(files | {"vars/a.yml": whole}), {}, opened=right)
    assert loaded.revision is not None
    variables = loaded.revision.activations[0].variables
    assert variables["pin"] == model.Reference("ansible-vault:file:vars/a.yml#/pin")
    assert variables["rate"] == model.Reference("ansible-vault:file:vars/a.yml#/rate")
    assert variables["deep"]["list"][1] == model.Reference("ansible-vault:file:vars/a.yml#/deep/list/1")
    assert (variables["on_"], variables["none"], variables["plain"]) == (True, None, 1)
