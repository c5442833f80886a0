"""`healer policy show`: the values that hold for a run, and those that ship; offline."""

from __future__ import annotations

import json
import pathlib

import pytest

from healer.explain import values

FILES = {
    "healer.yaml": "environment: prod\npolicies:\n  - {name: careful, select: {labels: {team: web}}, cooldown: 15 minutes}\n",
    "actions.yaml": "actions: {restart: {command: [logger], impact: low, target: none}}\n",
}


@pytest.fixture
def here(healer, tmp_path):
    """A project in the current folder."""
    for name, text in FILES.items():
        pathlib.Path(name).write_text(text)
    return healer


def test_table(here):
    done = here("policy", "show", "--for", "restart", "--label", "team=web", "--severity", "critical")
    assert (done.exit_code, done.stderr) == (0, "")
    first, head, *rows = done.stdout.splitlines()
    assert first == "restart, by the controller local:"
    assert head.split() == ["gate", "value", "from", "where"]
    assert [row.split("  ", 2)[1].strip() for row in rows][:4] == ["max_age", "defer_for", "settle", "attempts"]
    (row,) = [row for row in rows if row.strip().startswith("cooldown")]
    assert row.split() == ["cooldown", "15", "minutes", "policy", "careful", "healer.yaml:3"]


def test_for_programs(here):
    found = json.loads(here("policy", "show", "--for", "restart", "--json").stdout)
    assert {name: found[name] for name in ("action", "target", "rule", "controller")} == {
        "action": "restart", "target": None, "rule": None, "controller": "local",
    }  # fmt: skip
    assert {
        "gate": "cooldown",
        "value": 600.0,
        "written": "10 minutes",
        "from": "defaults (shipped)",
        "place": None,
    } in found["values"]


def test_a_project_elsewhere(healer, tmp_path):
    (tmp_path / "other").mkdir()
    for name, text in FILES.items():
        (tmp_path / "other" / name).write_text(text)
    assert healer("policy", "show", tmp_path / "other", "--for", "restart").exit_code == 0
    assert healer("policy", "show", "--for", "restart").exit_code == 1


def test_defaults(healer):
    done = healer("policy", "show", "--defaults")
    assert (done.exit_code, done.stdout) == (0, "\n".join(values.defaults()) + "\n")
    found = json.loads(healer("policy", "show", "--defaults", "--json").stdout)
    assert found["defaults"]["run_action"]["breaker"] == {
        "failures": 3,
        "within": "30 minutes",
        "retry_after": "30 minutes",
    }


@pytest.mark.parametrize("args", [
    [], ["--defaults", "--for", "restart"], ["--for"], ["--for", "restart", "--severity", "bad"], ["--for", "restart", "--label", "team"],
    ["--for", "restart", "--label", "=web"], ["nowhere", "--for", "restart"],
])  # fmt: skip
def test_wrong_use(here, args):
    assert here("policy", "show", *args).exit_code == 2


def test_what_there_is_not(here):
    done = here("policy", "show", "--for", "restrat")
    assert (done.exit_code, done.stderr.splitlines()) == (
        1, ["error[unknown_action]: no action is named 'restrat'", "  try  did you mean 'restart'?"],
    )  # fmt: skip


def test_a_project_with_mistakes_tells_them(here):
    pathlib.Path("actions.yaml").write_text("actions: {restart: {comand: [logger]}}\n")
    done = here("policy", "show", "--for", "restart")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error[configuration]: ")
