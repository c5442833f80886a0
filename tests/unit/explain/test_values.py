"""Which values of the gates hold for a run: those that the daemon takes, each with where it stands; and what ships."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from healer import errors, measures, project
from healer.explain import values, wordings
from healer.policy import limits, selecting

FILES = {
    "healer.yaml": """\
environment: prod
mode: active
defaults:
  run_action:
    cooldown: 5 minutes
    concurrency: {daemon: 7}
policies:
  - name: careful
    select: {environment: [prod], actions: [restart, run_playbook]}
    cooldown: 15 minutes
    rate_limit: 5 per hour
  - name: strict too
    select: {labels: {team: web}}
    cooldown: 15 minutes
    max_age: 2 minutes
    windows: {allow: [{days: mon-fri, hours: "07:00-19:00", timezone: Europe/Vienna}]}
  - name: of a host
    select: {targets: ["group:db"]}
    attempts: 1
""",
    "controllers.yaml": "controllers:\n  here: {type: local, inventory: inventory/}\n  there: {type: local, concurrency: 2, rate_limit: 9 per minute, inventory: inventory/}\ndefault: here\n",
    "inventory/hosts": "[web]\nweb01\nweb02\n[db]\ndb01\n",
    "actions.yaml": """\
actions:
  restart:
    command: [logger]
    impact: low
    cooldown: 1 minute
    timeout: 30 seconds
    concurrency: 3
    verify: {action: look, within: 2 minutes}
  look: {command: [logger], impact: low, target: none, controller: there}
  seen: {command: [logger], impact: low, verify: {check: {http: {url: "http://x/{{ parameters.p }}", status: 200}}, within: 90 seconds}, parameters: {p: {default: 1}}}
""",
    "rulebooks/web.yml": """\
- name: alerts
  hosts: all
  sources: [{healer.api: {}}]
  policy: {attempts: 2}
  rules:
    - name: down
      condition: event.a == 1
      policy: {rate_limit: 2 per day, timeout: 10 seconds}
      action: {run_action: {name: restart, target: web01}}
    - {name: plain, condition: event.a == 2, action: {run_action: {name: look}}}
- name: disks
  hosts: all
  sources: [{healer.api: {}}]
  rules: [{name: plain, condition: event.b == 2, action: {run_action: {name: look}}}]
""",
}  # fmt: skip


@pytest.fixture
def held(tmp_path: pathlib.Path) -> project.Revision:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return loaded.revision


def shown(held: project.Revision, action: str, **more: Any) -> dict[str, list[tuple[str, str, str]]]:
    """Gate → (value as written, from, where)."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for one in values.of(held, values.Asked(action, **more)).values:
        found.setdefault(one.gate, []).append((one.as_json()["written"], one.origin, one.place))
    return found


def test_each_value_with_where_it_comes_from(held: project.Revision) -> None:
    assert shown(held, "restart", rule="down") == {
        "max_age": [("15 minutes", "defaults (shipped)", "")],
        "defer_for": [("2 hours", "defaults (shipped)", "")],
        "settle": [("0 seconds", "defaults (shipped)", "")],
        "attempts": [("2", "ruleset web/alerts", "rulebooks/web.yml:1")],
        "cooldown": [("15 minutes", "policy careful", "healer.yaml:10")],
        "rate_limit": [
            ("5 per hour", "policy careful", "healer.yaml:11"), ("2 per day", "rule web/alerts/down", "rulebooks/web.yml:6"),
        ],
        "breaker": [("{failures: 3, within: 30 minutes, retry_after: 30 minutes}", "defaults (shipped)", "")],
        "blast_radius": [('{targets: "20%", at_least: 1, or: 5, within: 1 hour}', "defaults (shipped)", "")],
        "flapping": [("{cycles: 4, within: 1 hour}", "defaults (shipped)", "")],
        "timeout": [("10 seconds", "rule web/alerts/down", "rulebooks/web.yml:6")],
        "concurrency.daemon": [("7", "defaults", "healer.yaml:6")],
        "concurrency.controller": [("10", "defaults (shipped)", ""), ("3", "action restart", "actions.yaml:2")],
        "verify": [("{action: look, within: 2 minutes}", "action restart", "actions.yaml:2")],
        "approval_expires": [("30 minutes", "defaults (shipped)", "")],
        "chain_depth": [("3", "defaults (shipped)", "")],
    }  # fmt: skip


def test_a_check_that_verifies_is_told_as_it_is_written(held: project.Revision) -> None:
    written = '{check: {http: {url: "http://x/{{ parameters.p }}", status: 200}}, within: 90 seconds}'
    assert shown(held, "seen")["verify"] == [(written, "action seen", "actions.yaml:10")]


def test_what_the_file_says_of_defaults_is_named_with_its_line(held: project.Revision) -> None:
    found = shown(held, "look")
    assert found["cooldown"] == [("5 minutes", "defaults", "healer.yaml:5")]
    assert found["concurrency.controller"] == [("2", "controller there", "controllers.yaml:3")]
    assert ("9 per minute", "controller there", "controllers.yaml:3") in found["rate_limit"]
    assert found["verify"] == [("{resolved_within: 15 minutes}", "defaults (shipped)", "")]


@pytest.mark.parametrize(("more", "gate", "value"), [
    ({"labels": {"team": "web"}}, "max_age", [("2 minutes", "policy strict too", "healer.yaml:15")]),
    ({"labels": {"team": "db"}}, "max_age", [("15 minutes", "defaults (shipped)", "")]),
    ({"labels": {"team": "web"}}, "cooldown", [("15 minutes", "policy careful", "healer.yaml:10"), ("15 minutes", "policy strict too", "healer.yaml:14")]),
    ({"labels": {"team": "web"}}, "windows",
     [('{allow: [{days: mon-fri, hours: "07:00-19:00", timezone: "Europe/Vienna"}]}', "policy strict too", "healer.yaml:16")]),
    ({"target": "db01"}, "attempts", [("1", "policy of a host", "healer.yaml:19")]),
    ({"target": "web01"}, "attempts", [("3", "defaults (shipped)", "")]),
])  # fmt: skip
def test_what_a_policy_selects_it_by(held: project.Revision, more: Any, gate: str, value: Any) -> None:
    assert shown(held, "restart", **more)[gate] == value


@pytest.mark.parametrize("action", ["run_playbook", "run_playbook site.yml"])
def test_actions_of_ansible_rulebook(held: project.Revision, action: str) -> None:
    found = shown(held, action)
    assert found["cooldown"] == [("15 minutes", "policy careful", "healer.yaml:10")]
    assert (found["timeout"], found["chain_depth"]) == (
        [("24 hours", "defaults (shipped)", "")],
        [("10", "defaults (shipped)", "")],
    )
    assert "breaker" not in found
    assert {*shown(held, "run_module")} == {"timeout", "concurrency.daemon", "chain_depth"}


def test_the_run_as_it_is_meant(held: project.Revision) -> None:
    found = values.of(held, values.Asked("restart", target="web01:9100", rule="alerts/plain"))
    assert (found.target, found.rule, found.controller) == ("host:web01", "web/alerts/plain", "here")
    assert found.as_json()["values"][0] == {
        "gate": "max_age", "value": 900.0, "written": "15 minutes", "from": "defaults (shipped)", "place": None,
    }  # fmt: skip


@pytest.mark.parametrize(("asked", "error", "try_"), [
    ({"action": "restrat"}, errors.UnknownAction, "did you mean 'restart'?"), ({"action": "x"}, errors.UnknownAction, "healer validate"),
    ({"action": "restart", "target": "web1"}, errors.UnknownTarget, "web0"), ({"action": "restart", "rule": "web/alerts/dwn"}, errors.NotFound, "'web/alerts/down'"),
    ({"action": "restart", "rule": "plain"}, errors.NotFound, "one of: web/alerts/plain, web/disks/plain"),
])  # fmt: skip
def test_what_there_is_not(held: project.Revision, asked: Any, error: Any, try_: str) -> None:
    with pytest.raises(error) as raised:
        values.of(held, values.Asked(**asked))
    assert try_ in raised.value.try_


@pytest.mark.parametrize("more", [
    {}, {"rule": "web/alerts/down"}, {"labels": {"team": "web"}}, {"rule": "web/alerts/plain", "labels": {"team": "web"}, "target": "db01"},
])  # fmt: skip
@pytest.mark.parametrize("action", ["restart", "look"])
def test_it_is_what_the_daemon_takes(held: project.Revision, action: str, more: dict[str, Any]) -> None:
    asked = values.Asked(action, **more)
    entry, controller = held.catalog.entries[action], held.controllers["there" if action == "look" else "here"]
    on = held.resolve_target("here", asked.target) if asked.target else None
    groups: Any = frozenset(getattr(on, "groups", ()))
    traits = selecting.Traits(
        "prod", asked.rule, (action,), entry.impact, entry.tags, "", "unknown", (str(on),) if on else (), groups, {"source": "", **asked.labels}
    )  # fmt: skip
    taken = project.Gates(held).catalog(entry, controller, action, traits)
    found: dict[str, list[Any]] = {}
    for one in values.of(held, asked).values:
        found.setdefault(one.gate, []).append(one.value)
    for key in limits.STRICTER:
        field = getattr(taken, key if key in limits.COUNTS else f"{key}_s")
        assert {*found[key]} == {field}, key
    for field, key, make in limits._BRAKES:
        assert len(getattr(taken, field)) == len(found.get(key, [])), key
        assert {bare(make("", value)) for value in found.get(key, [])} == {bare(one) for one in getattr(taken, field)}
    assert taken.concurrency_daemon == found["concurrency.daemon"][0]
    assert taken.concurrency_controller == min(found["concurrency.controller"])
    assert [taken.chain_depth] == found["chain_depth"]


def bare(one: Any) -> Any:
    """Without the name of its budget."""
    return dataclasses.replace(one, budget="") if hasattr(one, "budget") else one


# --- what ships -------------------------------------------------------------------------------------------------------------


def test_the_shipped_defaults_are_what_the_file_takes_and_change_nothing(tmp_path: pathlib.Path) -> None:
    text = "\n".join(values.defaults()) + "\n"
    (tmp_path / "healer.yaml").write_text(text)
    written = project.load(tmp_path, {})
    assert written.revision is not None, [str(one) for one in written.diagnostics]
    (tmp_path / "healer.yaml").write_text("")
    plain = project.load(tmp_path, {})
    assert plain.revision is not None
    assert written.revision.settings == plain.revision.settings
    assert [one.code for one in written.diagnostics] == [one.code for one in plain.diagnostics]


def test_every_default_is_in_it(tmp_path: pathlib.Path) -> None:
    text = "\n".join(values.defaults())
    for key in project.shipped.RunAction.model_fields:
        assert f"    {key}: " in text or key == "windows", key
    for line in (
        "mode: active ", "    max_age: 15 minutes ", "    defer_for: 2 hours ", "    rate_limit: 30 per hour ",
        "    breaker: {failures: 3, within: 30 minutes, retry_after: 30 minutes}", '    blast_radius: {targets: "20%", at_least: 1, or: 5, within: 1 hour} ',
        "    flapping: {cycles: 4, within: 1 hour}", "    concurrency: {daemon: 20, controller: 10, target: 1}", "    approval: none",
        "storm: {matches: 200 per minute, calm: 5 minutes}", "    concurrency: {daemon: 20}",
    ):  # fmt: skip
        assert line in text


# --- words ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0 seconds"), (1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (5400, "90 minutes"), (3600, "1 hour"), (86_400, "24 hours"),
    (172_800, "2 days"), (0.5, "0.5s"),
])  # fmt: skip
def test_a_span_in_words(seconds: float, text: str) -> None:
    assert wordings.span(seconds) == text


SPANS = strategies.integers(1, 31 * 86_400).map(float)


@hypothesis.given(count=strategies.integers(1, 1000), within=SPANS, retry=SPANS)
def test_what_is_written_reads_as_it_was(count: int, within: float, retry: float) -> None:
    from healer import config

    given: dict[str, Any] = {
        "rate_limit": {"count": count, "within": within}, "breaker": {"failures": min(count, 100), "within": within, "retry_after": retry},
        "flapping": {"cycles": count + 1 if count < 1000 else 2, "within": within}, "cooldown": retry, "attempts": count,
        "blast_radius": {"count": None, "percent": 12.5, "at_least": count, "or": 5, "of": "web", "within": within},
        "windows": {"allow": [], "block": [{"days": (5, 6), "start_min": 60, "end_min": 1440, "timezone": "UTC", "first_day": "", "last_day": ""}]},
    }  # fmt: skip
    text = "\n".join(f"{key}: {wordings.value(key, value)}" for key, value in given.items())
    read = measures.Gates.model_validate(_plain(config.read_text(text, "x").value)).layer()
    assert read == given


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


ASK = '{any: [{name: "on call", roles: [approver], approve: 1, reject: 1}], then: a, exclude: [requester]}'


@pytest.mark.parametrize(("settings", "entry", "shown_as"), [
    ("", "impact: high", [('{any: [{name: "one approver", roles: [approver], approve: 1, reject: 1}], exclude: [requester]}', "defaults (shipped)", "")]),
    ("", "impact: low", []), ("", "impact: high, approval: none", [("none", "action a", "actions.yaml:2")]),
    ("defaults:\n  run_action:\n    approval: off\n", "impact: high", [("none", "defaults", "healer.yaml:3")]),
    (f"defaults:\n  run_action:\n    approval: {ASK}\n", "impact: low", [(ASK, "defaults", "healer.yaml:3")]),
    (f"policies:\n- name: p\n  approval: {ASK}\n", f"approval: {ASK}", [(ASK, "policy p", "healer.yaml:3"), (ASK, "action a", "actions.yaml:2")]),
])  # fmt: skip
def test_approvals_with_where_they_come_from(tmp_path: pathlib.Path, settings: str, entry: str, shown_as: Any) -> None:
    (tmp_path / "healer.yaml").write_text(settings)
    (tmp_path / "actions.yaml").write_text(f"actions:\n  a: {{command: [x], target: none, {entry}}}\n")
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    assert shown(loaded.revision, "a").get("approval", []) == shown_as


def test_how_long_an_approval_waits_is_told_where_it_stands(tmp_path: pathlib.Path) -> None:
    asked = "{any: [{name: a, roles: [admin]}], expires: 5m}"
    (tmp_path / "healer.yaml").write_text(f"policies:\n- name: p\n  approval: {asked}\n")
    (tmp_path / "actions.yaml").write_text("actions: {a: {command: [x], target: none, impact: low}}\n")
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None
    assert shown(loaded.revision, "a")["approval_expires"] == [("5 minutes", "policy p", "healer.yaml:3")]
