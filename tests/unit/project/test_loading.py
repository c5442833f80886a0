"""A whole project: what a revision holds, and that nothing an operator writes raises."""

from __future__ import annotations

import os
import pathlib
import tempfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer import engine, model, project, templates


def load(write: Any, **changes: Any) -> project.Revision:
    loaded = project.load(write(changes), {})
    assert loaded.revision is not None, loaded.diagnostics
    return loaded.revision


def test_an_empty_folder_is_a_project(tmp_path: pathlib.Path) -> None:
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None
    assert [(d.severity, d.code) for d in loaded.diagnostics] == [("warning", "empty-project")]
    assert (loaded.revision.activations, dict(loaded.revision.sources)) == ((), {})


def test_what_a_revision_holds(write: Any) -> None:
    revision = load(write)
    assert [(one.name, one.file, one.hidden) for one in revision.activations] == [
        ("team/web", "rulebooks/team/web.yml", False), ("healer", "actions.yaml", True),
    ]  # fmt: skip
    assert sorted(revision.catalog.entries) == ["clean", "restart"]
    assert revision.short == revision.id[:7]
    assert revision.beyond_local() == ["site"]
    ((activation, ruleset), *_) = revision.rulesets()
    assert (activation.name, ruleset.name) == ("team/web", "web")
    assert [(rule.name, rule.actions[0].name) for rule in ruleset.rules] == [("down", "run_action")]
    assert revision.playbook("restart.yml") == revision.playbook("playbooks/restart.yml") == "playbooks/restart.yml"
    assert [revision.playbook(name) for name in ("", "../x", "/etc/passwd", "x.yml")] == [None] * 4


def test_sources_have_one_name_each_and_know_who_listens(write: Any) -> None:
    other = """\
- name: a
  hosts: all
  sources:
    - healer.source: {name: am}
    - healer.api: {}
    - range: {limit: 1}
    - range: {limit: 2}
    - {name: mine, check: {process: {name: x}}}
    - healer.webhook: {path: own, auth: {none: true}, max_quiet: 5m, alert_ttl: 1h}
  rules: []
"""
    found = load(write, **{"rulebooks/other.yml": other}).sources
    assert {name: (one.type, one.kind, one.subscribers) for name, one in found.items()} == {
        "am": ("healer.webhook", "push", (("other", "a"), ("team/web", "web"))),
        "plain": ("healer.webhook", "push", ()),
        "healer.api": ("healer.api", "push", (("other", "a"), ("team/web", "web"))),
        "team/web/web/range": ("range", "eda", (("team/web", "web"),)),
        "other/a/range": ("range", "eda", (("other", "a"),)),
        "other/a/range-2": ("range", "eda", (("other", "a"),)),
        "other/a/mine": ("check", "pull", (("other", "a"),)),
        "other/a/healer.webhook": ("healer.webhook", "push", (("other", "a"),)),
        "healer.events": ("healer.events", "push", (("healer", "events"),)),
        "healer.actions": ("healer.actions", "push", (("healer", "actions"),)),
    }
    assert found["team/web/web/range"].filters == (("json_filter", {}),)
    assert (found["am"].shared, found["am"].resolves, found["am"].options.path) == (True, True, "am")
    hook = found["other/a/healer.webhook"]
    assert (hook.max_quiet_s, hook.alert_ttl_s, hook.shared, hook.resolves) == (300, 3600, False, False)


def test_a_source_of_the_project_changes_with_its_file(write: Any) -> None:
    book = "- name: a\n  hosts: all\n  sources: [{mine: {}}]\n  rules: []\n"
    text = "async def main(queue, args):\n    pass\n"
    one = load(write, **{"rulebooks/a.yml": book, "sources/mine.py": text}).sources["a/a/mine"]
    other = load(write, **{"rulebooks/a.yml": book, "sources/mine.py": text + "\n"}).sources["a/a/mine"]
    assert one.kind == "eda"
    assert one.code != other.code != ""


def test_events_of_the_catalog_become_rules(write: Any) -> None:
    revision = load(write)
    ruleset, _ = revision.activations[-1].rulesets
    (rule,) = (one for one in ruleset.rules if one.name == "service_down")
    assert (revision.activations[-1].name, ruleset.name) == ("healer", "events")
    session = engine.Session(ruleset)
    event = {"event_type": "service_down", "target": "web01", "parameters": {"service": "nginx"}, "dry_run": True}
    assert [match.rule.name for match in session.post(dict(event), 0)] == ["service_down"]
    assert session.post({"event_type": "other"}, 0) == []
    rendered = templates.render(rule.actions[0].args, {"event": event})
    assert rendered == {
        "name": "restart", "target": "web01", "parameters": {"service": "nginx"}, "controller": "", "dry_run": True,
    }  # fmt: skip
    bare = templates.render(rule.actions[0].args, {"event": {"event_type": "service_down"}})
    assert (bare["target"], bare["parameters"], bare["dry_run"]) == ("", {}, False)


def test_each_action_of_the_catalog_is_a_rule_also_without_events(write: Any) -> None:
    revision = load(write)
    _, ruleset = revision.activations[-1].rulesets
    assert ruleset.name == "actions"
    assert {rule.name: str(rule.place) for rule in ruleset.rules} == {
        name: str(entry.place) for name, entry in revision.catalog.entries.items()
    }
    assert "clean" not in revision.catalog.by_event.values()
    session = engine.Session(ruleset)
    event = {"action": "clean", "target": ["web01", "web02"], "parameters": {"days": 3}, "controller_override": "here"}
    (match,) = session.post(dict(event), 0)
    assert match.rule.name == "clean"
    assert templates.render(match.rule.actions[0].args, {"event": event}) == {
        "name": "clean", "target": ["web01", "web02"], "parameters": {"days": 3}, "controller": "here", "dry_run": False,
    }  # fmt: skip
    assert session.post({"action": "nothing"}, 0) == session.post({"event_type": "clean"}, 0) == []


def test_actions_without_events_leave_out_the_ruleset_of_these(write: Any) -> None:
    revision = load(
        write,
        **{
            "actions.yaml": "actions:\n  restart: {script: look.sh, controller: here, parameters: {service: {}}, impact: low}\n",
            "scripts/look.sh": "#!/bin/sh\n",
        },
    )
    rulesets = revision.activations[-1].rulesets
    assert [(one.name, "healer.events" in revision.sources) for one in rulesets] == [("actions", False)]


def test_targets(write: Any) -> None:
    revision = load(write)
    found = revision.resolve_target("site", "web01:9100")
    assert isinstance(found, model.Target)
    assert (str(found), found.groups) == ("host:web01", ("web",))
    assert not isinstance(revision.resolve_target("site", "web9"), model.Target)
    assert not isinstance(revision.resolve_target("nope", "web01"), model.Target)
    assert revision.inventory_name("site") == "inventory"
    targets, missing = revision.expand_hosts("site", ["web", "web02", "localhost", "db"])
    assert [str(one) for one in targets] == ["host:web01", "host:web02", "host:web03", "host:localhost"]
    assert missing == ["db"]
    assert revision.expand_hosts("nope", ["web"]) == ([], ["web"])


@pytest.mark.parametrize("text", ["localhost", "127.0.0.1", "[::1]:9100", "LOCALHOST:22", "host:localhost", "HOSTNAME"])
def test_this_machine_has_one_name(write: Any, text: str) -> None:
    revision = load(write)
    found = revision.resolve_target("here", revision.hostname if text == "HOSTNAME" else text)
    assert isinstance(found, model.Target)
    assert (str(found), found.local) == ("host:localhost", True)


def test_what_a_controller_may_not_do(write: Any) -> None:
    text = "controllers: {site: {type: ansible, targets: [group:web], actions: [restart]}, here: {type: local}}\ndefault: site\n"
    hosts = "[web]\nweb01\n[db]\ndb1\n"
    revision = load(write, **{"controllers.yaml": text, "inventory/hosts": hosts})
    targets, _ = revision.expand_hosts("site", ["web01", "db1"])
    found = revision.forbidden("site", "restart", "playbook", targets)
    assert [(one.code, one.target) for one in found] == [("controller_forbidden", "host:db1")]
    assert revision.forbidden("site", "clean", "script", [])[0].fields["controller"] == "site"
    assert len(revision.forbidden("site", "clean", "script", [])) == 2
    assert revision.forbidden("nope", "x", "script", [])


def test_tests_of_rulebooks_are_no_activations(write: Any) -> None:
    revision = load(write, **{"rulebooks/team/web_test.yml": "rulebook: web.yml\ntests: []\n"})
    assert [one.name for one in revision.activations] == ["team/web", "healer"]


def test_files_in_the_wrong_folder(told: Any) -> None:
    found = told(
        {
            "controllers/web.yaml": "",
            "sources/x.yml": "",
            "rulebooks/x.py": "",
            "sources/check.py": "",
            "sources/mine.py": "",
        }
    )
    assert [(place[0], code) for place, code in found] == [
        ("controllers/web.yaml", "wrong-folder"), ("rulebooks/x.py", "wrong-folder"),
        ("sources/check.py", "plugin-shadows"), ("sources/x.yml", "wrong-folder"),
    ]  # fmt: skip


def test_rulesets_of_two_files_cannot_be_one(told: Any) -> None:
    book = "- name: {}\n  hosts: all\n  sources: []\n  rules: []\n"
    found = told({"rulebooks/a.yml": book.format("b/c"), "rulebooks/a/b.yml": book.format("c")})
    assert found == [(("rulebooks/a/b.yml", 1, 9), "duplicate-name")]


@pytest.mark.parametrize("name", ["restart.yml", "playbooks/restart.yml"])
def test_a_playbook_that_a_rule_runs_needs_no_action(write: Any, sound: dict[str, str], name: str) -> None:
    book = sound["rulebooks/team/web.yml"].replace("run_action: {name: restart, target: web01, parameters: {service: nginx}}",
                                                   f"run_playbook: {{name: {name}}}")  # fmt: skip
    loaded = project.load(write({"rulebooks/team/web.yml": book, "actions.yaml": None}), {})
    assert [d.code for d in loaded.diagnostics] == ["ungated-action"]


def test_hints_are_told_aside(write: Any) -> None:
    loaded = project.load(write({"playbooks/other.yml": "[]", "scripts/lib.txt": "", "actions.yaml": "actions:\n  clean: {command: [x], controller: here}\n",
                                 "rulebooks/team/web.yml": None}), {})  # fmt: skip
    assert loaded.errors == 0
    assert sorted((d.place.file, d.code) for d in loaded.diagnostics if d.severity == "hint") == [
        ("actions.yaml", "no-impact"), ("playbooks/other.yml", "no-metadata"), ("playbooks/restart.yml", "no-metadata"),
        ("scripts/clean.meta.yml", "shadowed"), ("scripts/clean.sh", "no-metadata"),
    ]  # fmt: skip


def test_playbooks_in_sub_folders_are_told_of_and_what_they_use_is_not(write: Any) -> None:
    play = "- name: a\n  hosts: all\n  tasks: []\n"
    books = {
        "playbooks/db/fix.yml": play, "playbooks/db/all.yaml": "---\n- import_playbook: fix.yml\n", "playbooks/db/known.yml": play,
        "playbooks/db/known.meta.yml": "impact: low\n", "playbooks/db/steps.yml": "- debug: {msg: x}\n", "playbooks/tasks/x.yml": play,
        "playbooks/roles/a/b/c.yml": play, "scripts/lib/x.sh": "#!/bin/sh\n",
    }  # fmt: skip
    loaded = project.load(write(books), {})
    assert loaded.errors == 0, [str(one) for one in loaded.diagnostics]
    hints = [one.place.file for one in loaded.diagnostics if one.code == "no-metadata"]
    assert hints == ["playbooks/db/all.yaml", "playbooks/db/fix.yml"]


@pytest.mark.parametrize("wrong", [
    {"actions.yaml": "actions:\n  sweep: {script: clean.sh, impct: low}\n"}, {"actions.yaml": "actions: {\n"},
    {"actions.yaml": "actions: {sweep: {script: clean.sh}}\nactions: {}\n"}, {"rulebooks/x.yml": "- name: a\n"},
])  # fmt: skip
def test_what_nothing_runs_is_told_once_all_is_right(write: Any, wrong: dict[str, str]) -> None:
    """An action that is wrong, and so left out, may run it."""
    sound = {"actions.yaml": None, "rulebooks/team/web.yml": None, "scripts/clean.meta.yml": None}
    hints = [str(one.place) for one in project.load(write(sound), {}).diagnostics if one.code == "no-metadata"]
    assert hints == ["playbooks/restart.yml", "scripts/clean.sh"]
    loaded = project.load(write(wrong), {})
    assert loaded.errors > 0
    assert not any(one.code == "no-metadata" for one in loaded.diagnostics)


def test_a_window_longer_than_the_journal_is_told_as_it_is_written(write: Any, sound: dict[str, str]) -> None:
    book = sound["rulebooks/team/web.yml"].replace("hosts: all", "hosts: all\n  default_events_ttl: 2 hours")
    files = {"healer.yaml": sound["healer.yaml"] + "retention: {journal: 1 hour}\n", "rulebooks/team/web.yml": book}
    (told,) = project.load(write(files), {}).diagnostics
    assert (told.code, told.message) == (
        "window-too-long", "default_events_ttl is longer than the journal is kept (retention.journal, 1 hour)",
    )  # fmt: skip


def test_a_file_that_is_not_utf8(told: Any) -> None:
    assert told({"healer.yaml": b"mode: observe\nenvironment: \xff\n", "rulebooks/team/web.yml": None}) == [
        (("healer.yaml", 2, 14), "unreadable")
    ]


NAMES = (
    "healer.yaml", "healer.yml", "actions.yaml", "controllers.yaml", "rulebooks/a.yml", "scripts/clean.meta.yml", "inventory/hosts",
    "inventory/more.yml", "sources/mine.py", "controllers/mine.py",
)  # fmt: skip
WORDS = st.sampled_from(
    ["actions", "controllers", "sources", "rules", "name", "condition", "action", "run_action", "debug", "type", "local", "ansible", "inventory", "default", "healer.source", "healer.webhook", "check", "range", "parameters", "playbook", "script", "events", "target", "x", "3", "true", "null", "{}", "[]", "~", ".nan", "2020-01-01", "a{{b}}", "'*'", "&a", "*a", "<<"]
)  # fmt: skip
TREES = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(st.tuples(WORDS, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{a}: {b}" for a, b in pairs) + "}"
        )
    ),
    max_leaves=12,
)
TEXTS = (
    st.binary(max_size=60)
    | TREES.map(str.encode)
    | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
)


@given(files=st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=4))
def test_any_bytes_give_diagnostics_never_an_exception(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        loaded = project.load(pathlib.Path(folder), {})
        assert (loaded.revision is None) == (loaded.errors > 0)
        assert all(str(one) and one.code and one.place.file for one in loaded.diagnostics)


@given(text=st.sampled_from(["healer.yaml", "actions.yaml", "controllers.yaml", "rulebooks/team/web.yml"]),
       at=st.integers(0, 400), other=TREES)  # fmt: skip
def test_a_sound_file_with_a_piece_replaced(sound: dict[str, str], text: str, at: int, other: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in sound.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            words = content.split(" ")
            if name == text:
                words[at % len(words)] = other
            path.write_text(" ".join(words))
            path.chmod(0o755 if name.endswith(".sh") else 0o644)
        loaded = project.load(pathlib.Path(folder), {})
        assert (loaded.revision is None) == (loaded.errors > 0)


def test_the_environment_of_the_process_is_not_read(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HEALER_MODE", "observe")
    assert load(write).settings.mode == "active"
