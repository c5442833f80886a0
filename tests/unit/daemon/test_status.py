"""What the status counts by rule, and what a reload changed."""

from __future__ import annotations

import asyncio
import pathlib
import types
from typing import Any

import pytest

from healer import project, store, supervise
from healer.daemon import masking, rules, standing, status
from healer.decide import alerts

RULE = "    - {name: %s, condition: event.a == %d, throttle: {once_within: %s, group_by_attributes: [event.h]}, action: {none: {}}}\n"
HEAD = "- name: rs\n  hosts: all\n  sources: [{healer.api: {}}]\n  rules:\n"


@pytest.fixture
def load(tmp_path: pathlib.Path) -> Any:
    """The revision of a rulebook and more files, each time in the same folder."""

    def made(rules: str, **files: str) -> project.Revision:
        for name, text in {"rulebooks/act.yml": HEAD + rules, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        loaded = project.load(tmp_path, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        return loaded.revision

    return made


def difference(folder: pathlib.Path, old: project.Revision, new: project.Revision) -> dict[str, Any]:
    kept = store.Store.open(None, lambda: 1, loop=None)

    async def digests(revision: project.Revision) -> dict[str, str]:
        made = standing.Standing(revision, standing.PauseFile(folder), "active")
        return await rules.digests(await rules.evaluator(kept, revision, made, alerts.Alerts()))

    async def told_of() -> dict[str, Any]:
        return await status.difference(old, new, await digests(old), await digests(new))

    told = asyncio.run(told_of())
    kept.writer.close()
    return told


def test_rules_are_counted_by_what_became_of_them() -> None:
    decisions = [
        {"rule": "a/b/c", "reason": "", "n": 5}, {"rule": "a/b/c", "reason": "cooldown", "n": 2}, {"rule": "a/b/d", "reason": "", "n": 9},
    ]  # fmt: skip
    outcomes = [
        {"rule": "a/b/c", "state": state, "n": n}
        for state, n in (
            ("succeeded", 1),
            ("failed", 2),
            ("timed_out", 3),
            ("unknown", 4),
            ("running", 5),
            ("cancelled", 6),
        )
    ] + [{"rule": "old/b/c", "state": "succeeded", "n": 1}]
    assert status._rules(decisions, outcomes) == [
        {"rule": "a/b/d", "fired": 9, "acted": 0, "healed": 0, "failed": 0, "why_not": {}},
        {"rule": "a/b/c", "fired": 7, "acted": 21, "healed": 1, "failed": 9, "why_not": {"cooldown": 2}},
        {"rule": "old/b/c", "fired": 0, "acted": 1, "healed": 1, "failed": 0, "why_not": {}},
    ]


def test_what_a_ruleset_let_go_is_counted_by_it(load: Any, tmp_path: pathlib.Path) -> None:
    revision = load(
        "    - {name: r, condition: event.a < event.b, action: {none: {}}}\n",
        **{"rulebooks/quiet.yml": HEAD + RULE % ("r", 1, "1 minute")},
    )
    kept = store.Store.open(None, lambda: 1, loop=None)
    made = standing.Standing(revision, standing.PauseFile(tmp_path), "active")
    running = asyncio.run(rules.evaluator(kept, revision, made, alerts.Alerts())).running
    assert status._rule_counters(running) == {}
    for _ in range(2):
        running["act/rs"].session.post({"a": 1, "b": None}, 0)
    running["quiet/rs"].session.post({"a": 1, "h": "x"}, 0)
    assert status._rule_counters(running) == {"act/rs": {"comparisons_broken": 2}}
    kept.writer.close()


def test_a_reload_that_changes_nothing(load: Any, tmp_path: pathlib.Path) -> None:
    one = load(RULE % ("r", 1, "1 minute"))
    assert difference(tmp_path, one, one) == {
        "files": {"added": [], "removed": [], "changed": []}, "rules": {"added": [], "removed": [], "restarted": []}, "mode": None, "git": None,
    }  # fmt: skip


def test_a_reload_says_which_windows_start_anew(load: Any, tmp_path: pathlib.Path) -> None:
    old = load(
        RULE % ("same", 1, "1 minute")
        + RULE % ("window", 2, "1 minute")
        + RULE % ("condition", 3, "1 minute")
        + RULE % ("gone", 4, "1 minute")
    )
    new = load(
        RULE % ("same", 1, "1 minute")
        + RULE % ("window", 2, "2 minutes")
        + RULE % ("condition", 5, "1 minute")
        + RULE % ("new", 4, "1 minute"),
        **{"healer.yaml": "mode: observe\n"},
    )
    told = difference(tmp_path, old, new)
    assert told["rules"] == {
        "added": ["act/rs/new"], "removed": ["act/rs/gone"], "restarted": ["act/rs/condition", "act/rs/window"],
    }  # fmt: skip
    assert told["files"] == {"added": ["healer.yaml"], "removed": [], "changed": ["rulebooks/act.yml"]}
    assert told["mode"] == {"before": "active", "after": "observe"}


def test_a_rule_that_only_moved_keeps_its_window(load: Any, tmp_path: pathlib.Path) -> None:
    old = load(RULE % ("a", 1, "1 minute") + RULE % ("b", 2, "1 minute"))
    new = load(RULE % ("b", 2, "1 minute") + RULE % ("a", 1, "1 minute"))
    assert difference(tmp_path, old, new)["rules"]["restarted"] == []


def test_what_a_source_says_of_its_failure_shows_no_secret() -> None:
    masked = masking.Masking()
    masked("env:HT", "hook-s3cret")
    daemon: Any = types.SimpleNamespace(
        masked=masked.line, revision=types.SimpleNamespace(sources={}), outside=types.SimpleNamespace(asked=lambda _: None),
        services=types.SimpleNamespace(tally=types.SimpleNamespace(last={})),
    )  # fmt: skip
    failed = supervise.Status(
        "a/rs/hook", "flaky", "failed", 1, None, 0, 3, "ValueError: token hook-s3cret refused", False
    )
    assert status._source(daemon, failed)["error"] == "ValueError: token *** refused"
    well = supervise.Status("a/rs/hook", "flaky", "starting", 1, None, 0, 0, "", False)
    assert (status._source(daemon, well)["error"], status._source(daemon, well)["state"]) == (None, "starting")


def test_what_a_reload_cannot_change_is_named() -> None:
    def settings(**given: Any) -> project.Settings:
        return project.Settings.model_validate(given)

    assert status.needs_restart(settings(), settings(mode="observe")) == []
    (told,) = status.needs_restart(settings(), settings(server={"port": 1}, backlog_max=500))
    assert (told.code, told.severity) == ("needs-restart", "warning")
    assert told.message.startswith("server, backlog_max: ")


def test_what_senders_use_to_reach_it_holds_at_once() -> None:
    new = project.Settings.model_validate({"server": {"public_url": "https://healer.example.org"}})
    assert status.needs_restart(project.Settings(), new) == status.needs_restart(new, project.Settings()) == []


def test_the_sources_by_name() -> None:
    found = [supervise.Status(name, "check", "running", 1, None, 0, 0, "", False) for name in ("a", "b")]
    daemon: Any = types.SimpleNamespace(
        masked=lambda text: text, revision=types.SimpleNamespace(sources={}), outside=types.SimpleNamespace(asked=lambda _: None),
        services=types.SimpleNamespace(tally=types.SimpleNamespace(last={"b": (1_000_000, "no token")})),
        supervisor=types.SimpleNamespace(status=lambda: found),
    )  # fmt: skip
    told = status.sources(daemon)
    assert [*told] == ["a", "b"]
    assert (told["a"]["refused"], told["b"]["refused"]["why"]) == (None, "no token")
