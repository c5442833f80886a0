"""What `ansible` writes for Ansible and reads from it, as text: names, YAML, events, marks."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from healer import model
from healer.controllers import _events, _playbook, _shimmed


@pytest.mark.parametrize("name", ["web01", "web-1.example.org", "10.0.0.1", "fe80::1", "w_1", "höst"])
def test_names_of_hosts_get_into_the_limit(name: str) -> None:
    assert _playbook.host_name(name) == name


@pytest.mark.parametrize("pattern", ["-x", "web,@/etc/passwd", "", [], ["a", "-b"], 3, "a\nb"])
def test_limit_of_an_author_is_no_option_and_no_file(pattern: Any) -> None:
    with pytest.raises(_shimmed.RefusedJob):
        _playbook.authored_limit(pattern)


def test_marks_are_taken_out_wherever_the_stream_is_cut() -> None:
    mark = b"\x1b[KeyJ1dWlkIjog\x1b[12DImExIn0=\x1b[8D\x1b[K"
    text = b"a" + mark + b"TASK [x]" + mark + b"\n\x1b[31mred\x1b[0m \x1b[Kkept\n"
    wanted = b"aTASK [x]\n\x1b[31mred\x1b[0m \x1b[Kkept\n"
    assert _events.unmarked(text) == wanted
    for cut in range(len(text)):
        stream = _events.Unmarked()
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) == wanted
    single = _events.Unmarked()
    assert b"".join(single.feed(text[n : n + 1]) for n in range(len(text))) == wanted


def test_yaml_is_what_was_given() -> None:
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_mapping(node, deep=True))
    value = {
        "a b": [1, -2.5, 1e300, 1e-7, True, None, "x\0\x7f\n", "1", "no", "é\U0001f4a9\ufeff"],
        "": {},
        "k" * 2000: {"?" * 1025: "v"},
    }
    assert yaml.load(_playbook.yaml_of(value), Loader) == value
    for wrong in (float("nan"), "\ud800", {1}, model.Secret("env:A", "x")):
        with pytest.raises(_shimmed.RefusedJob):
            _playbook.yaml_of({"a": wrong})


@pytest.mark.parametrize("name", ["a-b", "1a", "", "é", "a.b", "{{ x }}"])
def test_names_that_are_no_variables_are_refused(name: str) -> None:
    with pytest.raises(_shimmed.RefusedJob):
        _playbook.variables({name: 1})


@pytest.mark.parametrize("name", ["a b", "", "a..b", "a: {b: c}", "é", "../x"])
def test_names_that_are_no_modules_are_refused(name: str) -> None:
    with pytest.raises(_shimmed.RefusedJob):
        _playbook.one_task(name, {}, "all")


NO_ROLES = ["", "x", "roles", "roles/", "roles/../x", "roles/.", "roles/a/", "roles//a", "/etc/x", "~/x", "roles/{{ x }}", "roles/$HOME", "roles/a b",
            "roles/a,b", "roles/a\n", "roles/é", "acme.web", "acme.web.x.y", "acme.web.x\n", "roles/~x"]  # fmt: skip


@pytest.mark.parametrize("name", NO_ROLES)
def test_names_that_are_no_roles_are_refused(name: str) -> None:
    with pytest.raises(_shimmed.RefusedJob):
        _playbook.one_role(name, "all")


@pytest.mark.parametrize(
    ("name", "shown"), [("roles/a.b-c_1", "a.b-c_1"), ("roles/team/a", "team/a"), ("acme.web.fix", "acme.web.fix")]
)
def test_a_play_of_one_role(name: str, shown: str) -> None:
    assert json.loads(_playbook.one_role(name, "all")) == [
        {"name": shown, "hosts": "all", "gather_facts": True, "roles": [name]}
    ]


def test_broken_event_files_are_passed_over(tmp_path: pathlib.Path) -> None:
    (tmp_path / "1-partial.json").write_text('{"event": "playbook_on_stats", "event_data": {')
    (tmp_path / "2-partial.json").write_text('{"event": "playbook_on_stats", "event_data": []}')
    (tmp_path / "3-partial.json").write_bytes(b"\xff")
    assert _events.read(tmp_path, failures=True, returned=True) == _events.Report()
    data = {"processed": {"a": 1}, "ok": {"a": "x"}, "dark": {"a": 1}, "failures": 3}
    (tmp_path / "4-partial.json").write_text(json.dumps({"event": "playbook_on_stats", "event_data": data}))
    report = _events.read(tmp_path, failures=True, returned=True)
    assert report.failed_hosts() == {"a"}


@pytest.mark.parametrize(("result", "told"), [
    ({"msg": "no such unit"}, "no such unit"),
    ({"msg": "non-zero return code", "rc": 1, "stderr": "disk is busy\nbye\n", "stdout": "x"}, "non-zero return code: disk is busy"),
    ({"msg": "Module result deserialization failed", "module_stderr": "\npython3.13: command not found\n\nNote: x", "module_stdout": ""},
     "Module result deserialization failed: python3.13: command not found"),
    ({"msg": "MODULE FAILURE", "module_stderr": "Traceback (most recent call last):\n  File x\nOSError: gone\n"}, "MODULE FAILURE: OSError: gone"),
    ({"msg": "it said: no", "stderr": "no\n"}, "it said: no"), ({"msg": "bad", "stdout": "noise"}, "bad"), ({"stdout": "only this"}, "only this"),
    ({"censored": "hidden", "results": 3}, "hidden"), ({}, "failed"), ("odd", "failed"), ({"msg": None, "stderr": 3}, "3"),
    ({"msg": "One or more items failed", "results": [{"failed": False}, "x", {"failed": True, "msg": "b is gone"}, {"failed": True}]},
     "One or more items failed: b is gone"),
])  # fmt: skip
def test_a_failure_is_told_with_its_cause(tmp_path: pathlib.Path, result: Any, told: str) -> None:
    event = {"event": "runner_on_failed", "event_data": {"host": "a", "task": "t", "res": result}}
    (tmp_path / "1.json").write_text(json.dumps(event))
    assert _events.read(tmp_path, failures=True, returned=False).first_failure() == f"a: t: {told}"
