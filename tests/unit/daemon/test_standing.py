"""What holds right now: the pause file however it looks, and the rules, actions and controllers of the revision."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from healer import policy, project
from healer.daemon import standing
from healer.policy import selecting

FILES = {
    "controllers.yaml": "controllers: {here: {type: local}}\n",
    "actions.yaml": "actions: {note: {command: [logger], impact: low, target: none}}\n",
    "rulebooks/act.yml": """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: yes_on, condition: event.a == 1, action: {run_action: {name: note}}}
    - {name: no_off, condition: event.a == 2, enabled: false, action: {run_action: {name: note}}}
""",
}


@pytest.fixture
def revision(tmp_path: pathlib.Path) -> project.Revision:
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    loaded = project.load(root, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return loaded.revision


def paused(folder: pathlib.Path) -> Any:
    return standing.PauseFile(folder)()


def test_without_the_file_nothing_is_paused(tmp_path: pathlib.Path) -> None:
    assert paused(tmp_path) is None
    assert paused(tmp_path / "missing") is None


@pytest.mark.parametrize(("text", "reason"), [
    ("release\n", "release"), ("", "no reason given"), (" \n\t ", "no reason given"), ("two\nlines\r\nhere", "two lines here"),
    ("\x1b[2J{reason}\x00", "[2J{reason}"), ("x" * 5000, "x" * 300), (b"\xff\xfe", "\ufffd\ufffd"), ("ü" * 300, "ü" * 300),
])  # fmt: skip
def test_its_text_is_the_reason_on_one_line(tmp_path: pathlib.Path, text: str | bytes, reason: str) -> None:
    (tmp_path / "PAUSE").write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(tmp_path / "PAUSE", (0, 1_000_000_000))
    assert paused(tmp_path) == {
        "scope": "everything",
        "who": "the file PAUSE",
        "since": "2001-09-09T01:46:40Z",
        "reason": reason,
    }


@pytest.mark.parametrize("make", [
    lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("/proc/self/mem"),
    lambda path: path.symlink_to(path.parent), lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path.name),
    lambda path: path.symlink_to(path.parent / "gone"), lambda path: path.symlink_to("/proc/self/fd/99999"),
])  # fmt: skip
def test_whatever_is_there_pauses_and_holds_nobody(tmp_path: pathlib.Path, make: Any) -> None:
    make(tmp_path / "PAUSE")
    told = paused(tmp_path)
    assert told is not None
    assert told["reason"]


def test_a_file_that_cannot_be_looked_at_pauses(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: pathlib.Path, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "stat", denied)
    told = paused(tmp_path)
    assert told is not None
    assert (told["since"], told["reason"]) == ("1970-01-01T00:00:00Z", "no reason given")


def test_a_time_beyond_all_calendars_pauses(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PAUSE").write_text("x")
    real = (tmp_path / "PAUSE").stat()
    odd = os.stat_result((*real[:8], 10**15, *real[9:10]))
    monkeypatch.setattr(pathlib.Path, "stat", lambda self, **more: odd)
    told = paused(tmp_path)
    assert told is not None
    assert told["since"].startswith("1970")


def test_the_sentence_of_a_pause_has_all_of_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "PAUSE").write_text("release")
    told = policy.Candidate("r", "a/b/c", "x", "here", (), 0, policy.Limits())
    decision = policy.decide(told, policy.View(paused=paused(tmp_path)), 0)
    assert "?" not in decision.sentence
    assert decision.sentence.endswith(": release.")


def row(**more: Any) -> dict[str, Any]:
    made = {"flavor": "catalog", "action": "note", "controller": "here", "rule": "act/rs/yes_on"}
    return {**made, "targets": [], "groups": {}, "labels": {"source": "api"}, "severity": 4, "kind": "command", **more}


def traits(rule: str = "act/rs/yes_on", *actions: str) -> selecting.Traits:
    made = actions or ("note",)
    return selecting.Traits("dev", rule, made, "low", (), "api", "unknown", (), frozenset(), {"source": "api"})


@pytest.mark.parametrize(("change", "enabled", "codes"), [
    ({}, True, []), ({"rule": "act/rs/no_off"}, False, []), ({"rule": "act/rs/gone"}, True, ["disabled"]),
    ({"rule": "act/rs/gone", "action": "gone"}, True, ["disabled", "unknown_action"]),
    ({"action": "gone"}, True, ["unknown_action"]), ({"controller": "gone"}, True, ["controller_forbidden"]),
    ({"flavor": "upstream", "action": "run_playbook x"}, True, []),
    ({"flavor": "upstream", "controller": "gone"}, True, ["controller_forbidden"]),
    ({"action": "check http", "kind": "check", "purpose": "verify"}, True, []), ({"action": "gone", "kind": "check"}, True, ["unknown_action"]),
    ({"action": "gone", "kind": "script", "purpose": "verify"}, True, ["unknown_action"]),
])  # fmt: skip
def test_what_a_run_needs_may_have_gone_with_a_reload(
    revision: project.Revision, tmp_path: pathlib.Path, change: Any, enabled: bool, codes: list[str]
) -> None:
    made = standing.Standing(revision, standing.PauseFile(tmp_path), "active").of_run(row(**change))
    assert (made.enabled, made.mode, made.paused) == (enabled, "active", None)
    assert [one.code for one in made.problems] == codes


@pytest.mark.parametrize(("change", "wanted"), [
    ({}, lambda known: project.Gates(known).catalog(known.catalog.entries["note"], known.controllers["here"], "note", traits())),
    ({"flavor": "upstream", "action": "run_playbook x"}, lambda known: project.Gates(known).upstream(known.controllers["here"], traits())),
])  # fmt: skip
def test_what_waits_is_held_to_the_limits_of_today(
    revision: project.Revision, tmp_path: pathlib.Path, change: Any, wanted: Any
) -> None:
    made = standing.Standing(revision, standing.PauseFile(tmp_path), "active").of_run(row(**change))
    assert made.limits == wanted(revision)
    assert made.limits != policy.Limits()


def test_a_rule_that_has_gone_is_named_as_what_stops_its_run(
    revision: project.Revision, tmp_path: pathlib.Path
) -> None:
    held = standing.Standing(revision, standing.PauseFile(tmp_path), "active").of_run(row(rule="act/rs/gone"))
    waiting = policy.Candidate("r", "act/rs/gone", "note", "here", (), 0, policy.Limits(), problems=held.problems)
    decision = policy.look_again(waiting, policy.View(state="deferred", reason="cooldown", deferred_us=0), 0)
    assert (decision.state, decision.reason) == ("suppressed", "disabled")
    assert decision.sentence == "The rule act/rs/gone is not in the rulebooks any more."


def test_what_waits_is_only_simulated_once_its_action_is(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text.replace("target: none", "target: none, dry_run: true"))
    loaded = project.load(root, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    made = standing.Standing(loaded.revision, standing.PauseFile(tmp_path), "active")
    assert made.of_run(row()).dry_run
    assert not made.of_run(row(flavor="upstream", action="run_playbook x")).dry_run


def test_the_pause_is_looked_at_each_time(revision: project.Revision, tmp_path: pathlib.Path) -> None:
    made = standing.Standing(revision, standing.PauseFile(tmp_path), "observe")
    assert (made.paused("act/rs/yes_on"), made.at_decision("act/rs/yes_on", "note", "here", ()).paused) == (None, None)
    (tmp_path / "PAUSE").write_text("x")
    assert made.paused("act/rs/yes_on")
    assert made.at_decision("act/rs/yes_on", "note", "here", ()).paused
    assert made.of_run(row()).paused
    (tmp_path / "PAUSE").unlink()
    assert made.of_run(row()).paused is None


def test_the_gates_values_are_the_revisions(revision: project.Revision, tmp_path: pathlib.Path) -> None:
    made = standing.Standing(revision, standing.PauseFile(tmp_path), "active")
    assert made.limits(None, None, "note", traits()) == project.Gates(revision).catalog(None, None, "note", traits())
    assert made.upstream_limits("here", traits()).lock_targets is False
    assert made.forbidden("gone", "note", "command", [])[0].code == "controller_forbidden"


ACTIVATIONS = """\
activations:
  - {name: a, rulebook: rulebooks/act.yml, mode: observe, env: {X: "1"}}
  - {name: b, rulebook: rulebooks/act.yml, mode: active}
"""


def test_each_activation_has_a_mode_an_environment_and_policies_of_its_own(tmp_path: pathlib.Path) -> None:
    book = (
        FILES["rulebooks/act.yml"]
        .replace("  rules:", "  policy: {cooldown: 1h}\n  rules:")
        .replace("{name: yes_on,", "{name: yes_on, policy: {attempts: 1},")
    )
    for name, text in {**FILES, "rulebooks/act.yml": book, "healer.yaml": ACTIVATIONS}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    revision = project.load(tmp_path, {}).revision
    assert revision is not None
    made = standing.Standing(revision, standing.PauseFile(tmp_path), "active")
    assert [made.mode_of(name) for name in ("a", "b", "other")] == ["observe", "active", "active"]
    assert standing.Standing(revision, standing.PauseFile(tmp_path), "observe").mode_of("b") == "observe"
    assert made.at_decision("a/rs/yes_on", "note", "here", ()).mode == "observe"
    assert made.of_run(row(rule="a/rs/yes_on")).mode == "observe"
    assert (made.environment_of("a/rs/yes_on"), made.environment_of("b/rs/yes_on"), made.environment_of("gone")) == (
        {"X": "1"},
        {},
        {},
    )
    both, one = (made.limits(None, None, "note", traits(rule)) for rule in ("b/rs/yes_on", "b/rs/no_off"))
    assert (both.cooldown_s, both.attempts, one.cooldown_s, one.attempts) == (3600.0, 1, 3600.0, 3)
    assert made.upstream_limits("here", traits("b/rs/no_off")).selected


SELECTING = """\
environment: prod
policies:
  - {name: impact, select: {impact: [high]}, cooldown: 11m}
  - {name: low, select: {impact: [low], environment: [prod], severity: [critical], sources: [am], labels: {team: sre}}, cooldown: 12m}
  - {name: web, select: {targets: ["group:web"], actions: [note]}, blast_radius: {targets: 50%, within: 1h, of: "group:db"}}
  - {name: own, select: {actions: [run_playbook]}, cooldown: 13m}
"""


@pytest.mark.parametrize(("change", "cooldown_s", "sizes"), [
    ({}, 600, {}), ({"severity": 0, "labels": {"source": "am", "team": "sre"}}, 720, {}), ({"severity": 0, "labels": {"source": "am"}}, 600, {}),
    ({"groups": {"host:web1": ("web", "all"), "host:x": ()}}, 600, {"web": 3, "all": 5, "db": 2}), ({"action": "gone"}, 660, {}),
    ({"flavor": "upstream", "action": "run_playbook x"}, 780, {}),
])  # fmt: skip
def test_what_waits_is_selected_by_what_its_row_says(
    tmp_path: pathlib.Path, change: Any, cooldown_s: float, sizes: dict[str, int]
) -> None:
    hosts = "[web]\nweb[1:3]\n[db]\ndb[1:2]\n"
    own = "controllers: {here: {type: local, inventory: hosts}}\n"
    for name, text in {**FILES, "healer.yaml": SELECTING, "hosts": hosts, "controllers.yaml": own}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, loaded.diagnostics
    pause = standing.PauseFile(tmp_path, lambda: 42)
    made = standing.Standing(loaded.revision, pause, "active").of_run(row(**change))
    assert made.limits is not None
    assert (made.limits.cooldown_s, made.sizes) == (cooldown_s, sizes)
    assert (made.environment, made.wall_offset_us) == ("prod", 42)
    assert made.storm is not None


BOUND = """
import pathlib, sys
from healer import project
from healer.daemon import standing
root = pathlib.Path(sys.argv[1])
made = standing.Standing(project.load(root, {}).revision, standing.PauseFile(root), "active")
print(made.at_decision("act/rs/yes_on", "note", "here", ()).bound)
"""


def test_what_an_approval_is_bound_to_is_the_same_after_a_start(
    revision: project.Revision, tmp_path: pathlib.Path
) -> None:
    """Also where the order of sets, which each process draws anew, is another."""

    def bound(seed: str) -> str:
        argv = [sys.executable, "-c", BOUND, str(tmp_path / "project")]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed})
        return done.stdout

    known = {bound(seed) for seed in ("0", "1", "2", "3")}
    assert len(known) == 1
    file = tmp_path / "project/controllers.yaml"
    file.write_text("# where it stands does not count\n" + file.read_text())
    assert {bound("0")} == known
    file.write_text(file.read_text().replace("type: local", "type: local, concurrency: 1"))
    assert {bound("0")} != known


@pytest.mark.parametrize(("path", "action", "counts"), [
    ("hosts/all.yml", "script", True), ("hosts/all.yml", "play", True), ("hosts/host_vars/web1.yml", "script", True),
    ("hosts.yml", "script", False), ("scripts/a.sh", "script", True), ("scripts/lib/common.sh", "script", True), ("scripts/b.sh", "script", True),
    ("scripts/c.meta.yml", "script", False), ("scripts/a.sh", "play", True), ("files/motd", "script", False), ("playbooks/tasks/more.yml", "play", True), ("playbooks/tasks/more.yml", "script", False),
    ("roles/r/tasks/main.yml", "play", True), ("vars/all.yml", "play", True), ("library/m.py", "play", True),
    ("files/motd", "play", True), ("manifests/x.yaml", "play", True), ("manifests/x.yaml", "script", False), ("ansible.cfg", "play", True), ("rulebooks/act.yml", "play", False),
    ("checks/own.py", "look", True), ("checks/own.py", "script", False), ("checks/own.py", "play", False),
])  # fmt: skip
def test_what_an_approval_is_bound_to_is_all_that_its_action_reads(
    revision: project.Revision, tmp_path: pathlib.Path, path: str, action: str, counts: bool
) -> None:
    root = tmp_path / "project"
    texts = {
        "controllers.yaml": "controllers: {here: {type: local, inventory: hosts/}, site: {type: ansible, inventory: hosts/}}\ndefault: here\n",
        "actions.yaml": "actions: {note: {command: [logger], target: none}, script: {script: a.sh}, play: {playbook: p.yml, controller: site}, look: {check: {disk: {path: /}}}}\n",
        "hosts/all.yml": "all: {hosts: {web1: {}}}\n", "playbooks/p.yml": "- {hosts: all, tasks: []}\n", "scripts/a.sh": "#!/bin/sh\n",
        "scripts/c.sh": "#!/bin/sh\n", "scripts/c.meta.yml": "impact: low\n",
    }  # fmt: skip

    def bound() -> str:
        for name, text in texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name in ("a", "c"):
            (root / f"scripts/{name}.sh").chmod(0o755)
        loaded = project.load(root, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        made = standing.Standing(loaded.revision, standing.PauseFile(root), "active")
        return made.at_decision("act/rs/yes_on", action, "site" if action == "play" else "here", ()).bound

    before = bound()
    comment = "" if path in texts else "{}\n" if path.endswith("host_vars/web1.yml") else "---\n"
    texts[path] = texts.get(path, (root / path).read_text() if (root / path).exists() else comment) + "# edited\n"
    assert (bound() != before) == counts


@pytest.mark.parametrize(("path", "old", "new", "counts"), [
    ("known_hosts", "far ssh-ed25519", "far ssh-rsa", True), ("controllers.yaml", "user: heal", "user: root", True),
    ("hosts/all.yml", "192.0.2.1", "192.0.2.2", True), ("controllers.yaml", "run_on: 'way:far'", "run_on: 'way:192.0.2.9'", True),
    ("controllers.yaml", "forks: 2", "forks: 3", False), ("known_others", "b", "c", False),
])  # fmt: skip
def test_it_is_also_bound_to_the_machine_that_playbooks_run_on(
    tmp_path: pathlib.Path, path: str, old: str, new: str, counts: bool
) -> None:
    texts = FILES | {
        "controllers.yaml": "controllers:\n"
        "  far: {type: ansible, inventory: none/, run_on: 'way:far'}\n"
        "  way: {type: ssh, inventory: hosts/, user: heal, known_hosts: known_hosts}\n"
        "  other: {type: ansible, inventory: hosts/, forks: 2}\n"
        "default: far\n",
        "actions.yaml": "actions: {note: {playbook: p.yml, impact: low, target: none}}\n", "playbooks/p.yml": "- {hosts: all, tasks: []}\n",
        "hosts/all.yml": "all: {hosts: {far: {ansible_host: 192.0.2.1}}}\n", "none/all.yml": "all: {hosts: {web: {}}}\n",
        "known_hosts": "far ssh-ed25519 AAAA\n", "known_others": "a b\n",
    }  # fmt: skip

    def bound() -> str:
        for name, text in texts.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        loaded = project.load(tmp_path, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        made = standing.Standing(loaded.revision, standing.PauseFile(tmp_path), "active")
        return made.at_decision("act/rs/yes_on", "note", "far", ()).bound

    before = bound()
    assert old in texts[path]
    texts[path] = texts[path].replace(old, new)
    assert (bound() != before) == counts


def test_it_is_also_bound_to_whether_a_file_is_run(tmp_path: pathlib.Path) -> None:
    """Ansible runs an inventory that is executable, and reads one that is not."""
    inventory = "#!/bin/sh\n"
    texts = FILES | {"controllers.yaml": "controllers: {here: {type: local, inventory: hosts}}\n", "hosts": inventory}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def bound(mode: int) -> str:
        (tmp_path / "hosts").chmod(mode)
        loaded = project.load(tmp_path, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        made = standing.Standing(loaded.revision, standing.PauseFile(tmp_path), "active")
        return made.at_decision("act/rs/yes_on", "note", "here", ()).bound

    assert bound(0o644) != bound(0o755)


def test_who_changed_a_rule_last_is_known_of_its_rulebook(revision: project.Revision, tmp_path: pathlib.Path) -> None:
    (held,) = (one for one in revision.activations if one.name == "act")
    git = project.Git("0" * 40, True, ((held.file, "ana@example.org"), ("other.yml", "bo@example.org")))
    made = standing.Standing(dataclasses.replace(revision, git=git), standing.PauseFile(tmp_path), "active")
    assert made.of_run(row()).author == "git:ana@example.org"
    assert made.at_decision("act/rs/yes_on", "note", "here", ()).author == "git:ana@example.org"
    assert made.of_run(row(rule="act/rs/gone")).author == ""
    assert standing.Standing(revision, standing.PauseFile(tmp_path), "active").of_run(row()).author == ""
