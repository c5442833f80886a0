"""From a revision to what works: rulesets with their routes, controllers with their options, sources for the supervisor."""

from __future__ import annotations

import asyncio
import gc
import pathlib
from typing import Any

import pytest

from healer import model, plugins, project, store
from healer.controllers import local
from healer.daemon import rules, standing
from healer.decide import alerts

FILES = {
    "healer.yaml": "sources: {am: {healer.webhook: {path: am, auth: {none: true}, max_quiet: 5 minutes, alert_ttl: 1 minute}}}\n",
    "controllers.yaml": "controllers: {here: {type: local}, site: {type: ansible, inventory: inventory, forks: 7}}\ndefault: here\n",
    "inventory/hosts": "web01\n",
    "actions.yaml": "actions: {note: {command: [logger], impact: low, target: none, events: [noted]}}\n",
    "rulebooks/one.yml": """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: am}}, {range: {limit: 3}, filters: [{json_filter: {}}]}]
  rules: [{name: r, condition: event.a == 1, action: {none: {}}}, {name: off, condition: event.a == 1, enabled: false, action: {none: {}}}]
""".replace("name: off", "name: switched_off"),
}


@pytest.fixture
def revision(tmp_path: pathlib.Path) -> project.Revision:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return loaded.revision


async def test_rulesets_with_their_routes(revision: project.Revision, tmp_path: pathlib.Path) -> None:
    kept = store.Store.open(None, lambda: 1, loop=None)
    made = standing.Standing(revision, standing.PauseFile(tmp_path), "active")
    collecting = gc.isenabled()
    evaluator = await rules.evaluator(kept, revision, made, alerts.Alerts())
    assert gc.isenabled() == collecting
    assert set(evaluator.running) == {"one/rs", *(name for name in evaluator.running if name.startswith("healer/"))}
    assert [one.name for one in evaluator._routes["am"].listeners] == ["one/rs"]
    assert evaluator._ttl_us == {"am": 60_000_000}
    assert "one/rs/r" in await rules.digests(evaluator)
    assert "one/rs/switched_off" not in await rules.digests(evaluator)
    kept.writer.close()
    if gc.isenabled():
        gc.unfreeze()


SSH = """\
controllers:
  all: {type: ssh, inventory: inventory}
  bound: {type: ssh, inventory: inventory, targets: ["group:db", web03], actions: [note]}
  here: {type: local, inventory: inventory}
  none: {type: ssh, inventory: other}
default: all
"""


def test_controllers_get_the_first_hosts_that_they_may_touch(tmp_path: pathlib.Path) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/hosts").write_text("")
    lines = ["[web]", *(f"web{n:02} ansible_host=10.0.0.{n}" for n in range(12, 0, -1)), "[db]", "db02", "db01"]
    lines += ["[this]", "a1 ansible_connection=local"]  # nobody connects to it
    (tmp_path / "inventory/hosts").write_text("\n".join(lines) + "\n")
    (tmp_path / "controllers.yaml").write_text(SSH)
    (tmp_path / "actions.yaml").write_text(
        FILES["actions.yaml"].replace("target: none", "target: none, controller: here")
    )
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    made = rules.controllers(loaded.revision, tmp_path, lambda _: model.Secret("", "x"))
    named = {name: [one.name for one in controller.context.hosts()] for name, controller in made.items()}
    first = ["db01", "db02", *(f"web{n:02}" for n in range(1, 9))]
    assert named == {"all": first, "bound": ["db01", "db02", "web03"], "here": first, "none": []}
    assert made["all"].context.hosts()[2].address == "10.0.0.1"


async def test_controllers_are_closed_and_one_that_cannot_be_hinders_none(
    revision: project.Revision, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, heard: list[str]
) -> None:
    made = rules.controllers(revision, tmp_path, lambda reference: model.Secret(reference.secret, "x"))
    closed: list[str] = []
    hanging = asyncio.Event()

    async def close() -> None:
        closed.append("here")

    async def breaks() -> None:
        raise OSError("gone away")

    async def ends() -> None:
        raise GeneratorExit

    async def hangs() -> None:
        await hanging.wait()

    monkeypatch.setattr(rules, "CLOSE_S", 0.01)
    made["broken"], made["slow"] = rules.controllers(revision, tmp_path, lambda _: model.Secret("", "x")).values()
    (made["quits"], _) = rules.controllers(revision, tmp_path, lambda _: model.Secret("", "x")).values()
    for name, how in (("here", close), ("broken", breaks), ("slow", hangs), ("quits", ends)):
        monkeypatch.setattr(made[name], "close", how)
    await rules.close(made.values())
    assert closed == ["here"]
    said = ("TimeoutError", "gone away", "it raised GeneratorExit")
    assert sorted(heard) == [f"WARNING it was not closed: {one}\n" for one in said]


def test_an_instance_of_each_controller(revision: project.Revision, tmp_path: pathlib.Path) -> None:
    made = rules.controllers(revision, tmp_path, lambda reference: model.Secret(reference.secret, "x"))
    assert set(made) == {"here", "site"}
    assert made["here"].context.name == "here"
    options: Any = made["site"].options
    assert (options.forks, made["site"].context.project_dir) == (7, tmp_path)
    assert (made["here"].context.subjects, made["site"].context.subjects) == ((("logger",),), ())


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyError("x"), "KeyError: 'x'"), (SystemExit(3), "it wanted to end the process: SystemExit(3)")],
)
def test_a_controller_that_cannot_be_made_is_named(
    revision: project.Revision, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, said: str
) -> None:
    def fails(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(local.Local, "__init__", fails)
    with pytest.raises(plugins.BrokenPlugin) as told:
        rules.controllers(revision, tmp_path, lambda reference: model.Secret(reference.secret, "x"))
    assert told.value.message == f"the controller 'here' (type local) cannot be used: {said}"


def test_a_machine_that_another_controller_reaches(tmp_path: pathlib.Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    listed = (
        "berlin: {type: ansible, inventory: inventory, run_on: 'far:web01'}, far: {type: ssh, inventory: inventory}"
    )
    (tmp_path / "controllers.yaml").write_text(f"controllers: {{here: {{type: local}}, {listed}}}\ndefault: here\n")
    revision = project.load(tmp_path, {}).revision
    assert revision is not None
    made = rules.controllers(revision, tmp_path, lambda reference: model.Secret(reference.secret, "x"))
    over, target = made["berlin"].context.reach("far:web01")
    assert over is made["far"]
    assert (str(target), target.address) == ("host:web01", "web01")


def test_sources_as_the_supervisor_takes_them(revision: project.Revision) -> None:
    made = {one.key: one for one in rules.sources(revision)}
    assert (made["am"].push, made["am"].max_quiet_s) == (True, 300)
    (pulled,) = [one for one in made.values() if one.type == "range"]
    assert (pulled.push, pulled.args, pulled.filters) == (False, {"limit": 3}, (("json_filter", {}),))
