"""The samples of this repository: each has its metadata, its event type, its rule and an event of examples/; what the rules fire for.

That they work when they are run is shown by tests/acceptance/ (test_demo, test_rotate_log, test_clusters).
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from healer import project, testing

SAMPLES = {
    "restart_service": (".", "rulebooks/services.yml", "service is down", "service_down"),
    "clean_disk": (".", "rulebooks/disk.yml", "disk is full", "disk_full"),
    "check_health": (".", "rulebooks/services.yml", "somebody asks how a service is", "health_check"),
    "rotate_log": (".", "rulebooks/logs.yml", "log is full", "log_full"),
    "restart_deployment": ("examples/cluster", "rulebooks/cluster.yml", "a deployment is down", "deployment_down"),
}
"""Action → its project, its rulebook, its rule, its event type."""
SERVICE_DOWN = {"alert": {"name": "ServiceDown", "target": "web01", "status": "firing", "labels": {"service": "shop"}}}


@pytest.fixture(scope="module")
def loaded() -> dict[str, project.Loaded]:
    root = pathlib.Path(__file__).parents[2]
    return {folder: project.load(root / folder, {}) for folder in {folder for folder, *_ in SAMPLES.values()}}


def example(root: pathlib.Path, folder: str, name: str) -> dict[str, Any]:
    """An event of the samples."""
    inside = root / folder / f"{name}.json"
    found: dict[str, Any] = json.loads((inside if inside.exists() else root / "examples" / f"{name}.json").read_text())
    return found


def fired(root: pathlib.Path, action: str, *steps: dict[str, Any]) -> list[tuple[int, str]]:
    """(step, rule) of what the rulebook of a sample fires."""
    folder, rulebook, _, _ = SAMPLES[action]
    return [(one.step, one.rule) for one in testing.replay(root / folder / rulebook, steps)]


@pytest.mark.parametrize("action", SAMPLES)
def test_each_has_its_metadata_its_event_type_and_its_rule(loaded: dict[str, project.Loaded], action: str) -> None:
    folder, rulebook, rule, event_type = SAMPLES[action]
    assert loaded[folder].diagnostics == ()
    revision = loaded[folder].revision
    assert revision is not None
    entry = revision.catalog.entries[action]
    assert entry.description
    assert entry.controller in revision.controllers
    assert entry.impact in ("low", "medium")
    assert event_type in entry.events
    assert entry.target == "required"
    assert all({"pattern", "minimum", "enum"} & {*schema} for schema in entry.parameters.values()), "each is bounded"
    text = (pathlib.Path(__file__).parents[2] / folder / rulebook).read_text()
    assert f"- name: {rule}\n" in text
    assert f"name: {action}\n" in text


@pytest.mark.parametrize("action", SAMPLES)
def test_each_rule_fires_for_its_example_and_is_still_once_that_is_over(repository: pathlib.Path, action: str) -> None:
    folder, _, rule, event_type = SAMPLES[action]
    event = SERVICE_DOWN if action == "restart_service" else example(repository, folder, event_type)
    assert fired(repository, action, {"event": event}) == [(0, rule)]
    if "alert" in event:
        resolved = {"alert": {**event["alert"], "status": "resolved"}}
        other = {"alert": {**event["alert"], "name": "Other"}}
        assert fired(repository, action, {"event": resolved}, {"event": other}) == []


@pytest.mark.parametrize("action", ["restart_service", "rotate_log", "restart_deployment"])
def test_an_alert_that_does_not_say_of_what_fires_nothing(repository: pathlib.Path, action: str) -> None:
    folder, _, _, event_type = SAMPLES[action]
    event = SERVICE_DOWN if action == "restart_service" else example(repository, folder, event_type)
    alert = {key: value for key, value in event["alert"].items() if key != "labels"}
    assert fired(repository, action, {"event": {"alert": alert}}, {"event": {"alert": {**alert, "labels": {}}}}) == []


def test_a_health_check_is_done_once_in_ten_seconds_for_a_service_of_a_target(repository: pathlib.Path) -> None:
    event = example(repository, ".", "health_check")
    rule = SAMPLES["check_health"][2]
    told = fired(
        repository, "check_health",
        {"event": event}, {"event": event}, {"event": {**event, "target": "web02"}}, {"event": {**event, "service": "mail"}},
        {"advance_s": 11}, {"event": event},
    )  # fmt: skip
    assert told == [(0, rule), (2, rule), (3, rule), (5, rule)]


@pytest.mark.parametrize("log", [
    "log/../shop.log", "/var/log/../../etc/shop.log", "/etc/shop.log", "/var/log/-shop.log", "/var/log/.shop.log", "/var/log/shop.log\n",
    "/var/log/shop.log.1.gz", "/var/log//shop.log", "/var/log/$(id).log", "/var/log/a b.log", "/var/log/wtmp", "/var/log/shop.log/",
])  # fmt: skip
def test_no_other_file_can_be_named_a_log(loaded: dict[str, project.Loaded], log: str) -> None:
    revision = loaded["."].revision
    assert revision is not None
    entry = revision.catalog.entries["rotate_log"]
    assert isinstance(entry.parameters_of({"log": "/var/log/shop/shop.log"}), dict)
    problems = entry.parameters_of({"log": log})
    assert isinstance(problems, list)
    assert [problem.partition(":")[0] for problem in problems] == ["log"]
    assert entry.payload_parameters == ()
