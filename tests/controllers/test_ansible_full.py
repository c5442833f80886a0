"""A playbook on a full disk: what its end means where the report, the outcome or the events found no space, and that it goes on."""

from __future__ import annotations

import errno
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _events, _shimmed, ansible
from healer.controllers._display import healer_room

STATS = {
    "event": "playbook_on_stats",
    "event_data": {"processed": {"web01": 1}, "ok": {"web01": 1}, "changed": {"web01": 1}},
}


def full(*_arguments: Any, **_named: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


class Site:
    """A playbook that has ended; nothing is run."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder / "r-1-1"
        self.events = self.folder / "ansible/artifacts/run/job_events"
        self.events.mkdir(parents=True)
        for name in ("home", "tmp"):
            (self.folder / name).mkdir()
        context = plugins.ControllerContext("site", lambda _: model.Secret("", ""), print, folder)
        self.controller = ansible.Ansible(ansible.AnsibleOptions(), context)
        self.targets = (model.Target("host", "web01"),)

    def job(self) -> model.Job:
        return model.Job(
            token="r-1-1", run_id="r-1", action="a", kind="playbook", subject="x.yml", parameters={}, targets=self.targets,
            deadline_s=60.0, revision_dir="/", work_dir=str(self.folder),
        )  # fmt: skip

    def event(self, event: dict[str, Any], name: str = "1") -> None:
        (self.events / f"{name}-partial.json").write_text(json.dumps(event))

    def judge(self, exit_code: int = 0, *, truncated: bool = False) -> model.Outcome:
        status = jobs.Status(exit_code, None, False, False, truncated, 1.0, 2.0, "")
        return self.controller.judge(self.job(), self.folder, _shimmed.ended(status, self.folder))


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    return Site(tmp_path)


def begun(host: str) -> dict[str, Any]:
    return {"event": "runner_on_start", "event_data": {"host": host, "task": "t"}}


# --- what it means ----------------------------------------------------------------------------------------------------


def test_outcome_that_cannot_be_kept_is_read_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.event(STATS)
    monkeypatch.setattr(jobs, "write_private", full)
    first = site.judge()
    assert (first.state, first.summary) == ("succeeded", "1 host, 1 changed")
    assert sorted(path.name for path in site.folder.iterdir()) == ["ansible"], "the events stay, and nothing half"
    monkeypatch.undo()
    assert site.judge() == first
    assert [path.name for path in site.folder.iterdir()] == ["outcome.json"]
    assert site.judge() == first


@pytest.mark.parametrize("text", ["", '{"state": "succ', "[]"])
def test_outcome_of_which_a_power_cut_left_a_part_is_made_again(site: Site, text: str) -> None:
    site.event(STATS)
    (site.folder / "outcome.json").write_text(text)
    assert site.judge().summary == "1 host, 1 changed"


def test_without_report_it_has_succeeded_where_it_is_known_to_have_reached_each_target(site: Site) -> None:
    site.event(begun("web01"))
    outcome = site.judge()
    assert (outcome.state, outcome.per_target) == ("succeeded", {"host:web01": "succeeded"})
    assert "its report is missing" in outcome.summary
    assert outcome.result["stats"] is None


@pytest.mark.parametrize("host", ["web02", None])
def test_without_report_it_is_unknown_where_a_target_may_not_have_been_reached(site: Site, host: str | None) -> None:
    """Neither that it succeeded nor that nothing was done."""
    if host:
        site.event(begun(host))
    outcome = site.judge()
    assert (outcome.state, outcome.per_target) == ("unknown", {"host:web01": "unknown"})
    assert "whether it reached web01 cannot be said" in outcome.summary


@pytest.mark.parametrize(("host", "state"), [("localhost", "succeeded"), (None, "unknown")])
def test_without_report_and_targets_any_host_will_do(site: Site, host: str | None, state: str) -> None:
    site.targets = ()
    if host:
        site.event(begun(host))
    assert site.judge().state == state


def test_failure_of_which_nothing_is_left_names_the_hosts(site: Site) -> None:
    data = {"processed": {"web01": 1}, "failures": {"web01": 1}}
    site.event({"event": "playbook_on_stats", "event_data": data})
    (site.folder / "stdout").write_text("TASK [x] ****\n")
    outcome = site.judge(2, truncated=True)
    assert (outcome.state, outcome.per_target) == ("failed", {"host:web01": "failed"})
    assert outcome.summary == "web01: failed, and why is missing, as on a full disk"


def test_hosts_that_began_are_read_of_sound_events_alone(site: Site) -> None:
    site.event(begun("a"), "1")
    site.event({"event": "runner_on_ok", "event_data": {"host": "b"}}, "2")
    site.event({"event": "runner_on_start", "event_data": {"host": 3}}, "3")
    site.event({"event": "runner_on_start", "event_data": []}, "4")
    (site.events / "5-partial.json").write_text('{"event": "runner_on_start", "event_data": {"host": "c"')
    assert _events.begun(site.events) == {"a", "b"}


# --- in ansible-playbook ----------------------------------------------------------------------------------------------


class Theirs:
    """ansible-runner's writer of events."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.private_data_dir = str(folder)
        self.write: Callable[[str, Any], None] = lambda key, event: None

    def set(self, key: str, event: Any) -> None:
        self.write(key, event)


@pytest.fixture
def theirs(tmp_path: pathlib.Path) -> Theirs:
    (tmp_path / "job_events").mkdir()
    return Theirs(tmp_path)


def test_event_goes_where_it_went(theirs: Theirs) -> None:
    written: list[Any] = []
    theirs.write = lambda *what: written.append(what)
    healer_room.Room(theirs).set("k", STATS)
    assert written == [("k", STATS)]


def test_event_without_space_is_left_out_and_the_report_has_its_own(theirs: Theirs, tmp_path: pathlib.Path) -> None:
    room = healer_room.Room(theirs)
    assert (tmp_path / "report.reserved").stat().st_blocks * 512 >= healer_room.REPORT_BYTES
    theirs.write = full
    room.set("k", begun("web01"))
    assert list((tmp_path / "job_events").iterdir()) == []
    room.set("k", STATS)
    report = _events.read(tmp_path / "job_events", failures=False, returned=False)
    assert report.stats is not None
    assert report.stats["web01"]["changed"] == 1
    assert not (tmp_path / "report.reserved").exists()
    room.set("k", STATS)  # a second finds no space, and ends nothing


def test_report_that_is_too_large_or_has_no_reserve_is_left_out(
    theirs: Theirs, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs.write = full
    healer_room.Room(theirs).set("k", STATS | {"more": "x" * healer_room.REPORT_BYTES})
    (tmp_path / "report.reserved").unlink()
    monkeypatch.setattr(os, "posix_fallocate", full)
    healer_room.Room(theirs).set("k", STATS)
    assert [path.name for path in tmp_path.rglob("*")] == ["job_events"]


def test_other_mistakes_of_the_callback_are_its_own(theirs: Theirs) -> None:
    def wrong(*_: Any) -> None:
        raise ValueError("x")

    theirs.write = wrong
    with pytest.raises(ValueError, match="x"):
        healer_room.Room(theirs).set("k", STATS)
