"""How programs are run for it: two at once, each bounded, in an environment of their own."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

from healer.lint.syntax import asking, keeping
from tests import processes


def run(folder: pathlib.Path, *scripts: str, **given: object) -> list[tuple[int | None, str]]:
    commands = [["/bin/sh", "-c", script] for script in scripts]
    return [
        (one.code, one.text or one.why) for one in asking.run(commands, {"PATH": os.environ["PATH"]}, folder, **given)
    ]  # type: ignore[arg-type]


def test_each_is_told_in_its_order(tmp_path):
    assert run(tmp_path, "echo a >&2", "echo b; exit 3", "printf c >&2; exit 4") == [(0, "a\n"), (3, ""), (4, "c")]
    assert run(tmp_path, "echo a; echo b >&2", out=True) == [(0, "a\n")]
    assert run(tmp_path) == []


def test_at_most_two_at_once(tmp_path):
    script = "mkdir run.$$; ls -d run.* 2> /dev/null | wc -l >&2; read x < /dev/null; sleep 0.1; rmdir run.$$"
    assert all(int(text) <= 2 for _, text in run(tmp_path, *[script] * 5))


def test_what_does_not_end_or_stop_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "BYTES_MAX", 1 << 16)
    took = run(tmp_path, "echo $$ > one; sleep 600", limit_s=3.0)
    assert took == [(None, "it took longer than 3 s")]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "one").read_text()), 0)
    assert run(tmp_path, "yes >&2") == [(None, "it wrote more than 0 MiB")]


def test_what_it_leaves_behind_is_ended(tmp_path, wait_for):
    assert run(tmp_path, "sleep 600 & echo $! > left; echo a >&2") == [(0, "a\n")]
    left = int((tmp_path / "left").read_text())
    wait_for(lambda: not processes.runs(left))


def test_what_does_not_start_is_told(tmp_path):
    (one,) = asking.run([[str(tmp_path / "none")]], {}, tmp_path)
    assert (one.code, one.why) == (None, "it does not start: No such file or directory")


def test_nothing_can_be_asked_at_a_terminal(tmp_path):
    assert run(tmp_path, "cat; (cat < /dev/tty) 2>/dev/null || echo none >&2") == [(0, "none\n")]


def test_the_program_is_the_one_of_runs(tmp_path, fake, monkeypatch):
    environ = {"PATH": f"/nonexistent:{fake.program.parent}"}
    assert asking.program(environ) == pathlib.Path(sys.executable).parent / "ansible-playbook"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    assert asking.program(environ) == fake.program
    assert asking.program({"PATH": "/nonexistent"}) is None


def test_a_project_without_its_own_configuration_has_an_empty_one(tmp_path):
    root, folder = tmp_path / "root", tmp_path / "folder"
    root.mkdir()
    folder.mkdir()
    given = {"HOME": "/home/x", "PATH": "/bin", "ANSIBLE_CONFIG": "/etc/x", "LANG": "C", "HTTP_PROXY": "x"}
    made = asking.environment(given, folder, root)
    assert made["ANSIBLE_CONFIG"] == str(folder / "ansible.cfg")
    assert (made["HOME"], made["LC_ALL"], "HTTP_PROXY" in made) == ("/home/x", "C.UTF-8", False)
    assert made["ANSIBLE_ROLES_PATH"].split(":")[:2] == [f"{root}/roles", "/home/x/.ansible/roles"]
    (root / "ansible.cfg").touch()
    made = asking.environment(given, folder, root)
    assert made["ANSIBLE_CONFIG"] == str(root / "ansible.cfg")
    assert "ANSIBLE_ROLES_PATH" not in made


def test_a_program_that_names_no_version_gives_no_answer(tmp_path, fake, environ):
    kept = keeping.Kept(environ)
    (fake.folder / "version").write_text("hello\n")
    with pytest.raises(asking.NoAnswer, match="names no version"):
        asking.release(fake.program, environ, tmp_path, kept)


def test_the_version_is_kept_until_program_or_package_change(tmp_path, fake, environ):
    kept, package = keeping.Kept(environ), tmp_path / "ansible"
    package.mkdir()
    (package / "release.py").write_text("1\n")
    (fake.folder / "version").write_text(
        f"ansible-playbook [core 2.19.1]\n  ansible python module location = {package}\n"
    )
    found = []
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        if number == 2:
            (package / "release.py").write_text("22\n")
        if number == 3:
            fake.touched()
        found.append(asking.release(fake.program, environ, folder, kept))
    assert [one.location for one in found] == [str(package)] * 4
    assert len({one.key for one in found}) == 3
    assert found[0] == found[1]
    assert fake.asked == ["version"] * 3
