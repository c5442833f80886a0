"""Asking for the hosts of dynamic inventories: what is heard is taken in, what goes wrong is told once and changes nothing."""

from __future__ import annotations

import asyncio
import json
import pathlib
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from healer import errors, inventory, model, project
from healer.daemon import hosts, rules, standing

FILES = {
    "controllers.yaml": "controllers:\n  site: {type: ansible, inventory: inv}\n  other: {type: ansible, inventory: static}\n"
    "  far: {type: ssh, inventory: inv}\ndefault: other\n",
    "static": "db01\n", "inv/hosts": "web01 healer_aliases=shop\n", "inv/dyn.yml": "plugin: some.cloud\n",
}  # fmt: skip


class Lister:
    """A controller that answers as a test wants."""

    lists_hosts = True

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, pathlib.Path]] = []

    async def list_hosts(self, path: str, folder: pathlib.Path) -> pathlib.Path:
        self.asked.append((path, folder))
        found = self.answer()
        if isinstance(found, Awaitable):
            found = await found
        folder.mkdir()
        (folder / "stdout").write_text(found if isinstance(found, str) else json.dumps(found))
        return folder / "stdout"


class World:
    """A project with a dynamic inventory, and what a daemon has."""

    def __init__(self, tmp_path: pathlib.Path) -> None:
        self.root = tmp_path / "project"
        for name, text in FILES.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        loaded = project.load(self.root, {})
        assert loaded.revision is not None, loaded.diagnostics
        self.revision = loaded.revision
        self.now_us = 1_000
        self.controllers: dict[str, Any] = {}
        self.daemon: Any = types.SimpleNamespace(
            revision=self.revision, controllers=self.controllers, files=self.root, data_dir=tmp_path, clock=lambda: self.now_us,
            masked=lambda text: text.replace("s3cret", "***"), resolve=lambda one: model.Secret(one.secret, "x"),
        )  # fmt: skip
        self.hosts = hosts.Hosts(self.daemon)
        self.work = tmp_path / "work"

    async def ask(self, answer: Any = None, **controllers: Any) -> Lister:
        made = Lister(answer if callable(answer) else lambda: answer)
        await self.hosts.ask(
            self.revision, controllers or {"site": made, "far": types.SimpleNamespace(lists_hosts=False)}, self.root
        )
        return made

    def means(self, text: str) -> str:
        found = self.revision.resolve_target("site", text)
        return str(found) if isinstance(found, model.Target) else ""

    @property
    def said(self) -> project.Said:
        return self.revision.found.said["inv"]


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    return World(tmp_path)


@pytest.fixture
def told() -> Iterator[list[str]]:
    found: list[str] = []
    number = logger.add(found.append, format="{level} {message}", level="INFO")
    yield found
    logger.remove(number)


def failing(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


async def test_what_is_heard_takes_the_place_of_what_stands_in_files(world: World, told: list[str]) -> None:
    asked = await world.ask({"web": {"hosts": ["web01", "dyn01"]}})
    assert (world.means("dyn01"), world.means("shop")) == ("host:dyn01", "host:web01")
    assert (world.said.asked_us, world.said.heard_us, world.said.hosts) == (1_000, 1_000, 2)
    assert [*asked.asked[0][1].parent.iterdir()] == [], "nothing that it listed is kept: variables may be secret"
    assert asked.asked[0][1].name.startswith("plan-"), "a crash's are removed at the next start"
    assert told == ["INFO Ansible lists 2 hosts of inv\n"]
    world.now_us = 2_000
    await world.ask({"web": {"hosts": ["web01", "dyn01"]}})
    assert (world.said.heard_us, len(told)) == (2_000, 1)
    await world.ask({"web": {"hosts": ["dyn02", "-x"]}})
    assert (world.means("dyn01"), world.means("dyn02"), world.means("web01")) == ("", "host:dyn02", "")
    assert told[2].startswith("WARNING of what Ansible lists of inv cannot be a target: the host '-x' is left out")


@pytest.mark.parametrize(("answer", "why"), [
    (failing(OSError("no s3cret")), "OSError: no ***"), (failing(errors.NotFound("mend it", what="it")), "it is not known; mend it"),
    (failing(OSError("It said: fetching https://u:pa55@api/x?token=pa55 password=pa55 Authorization: Bearer pa55 and gave up")),
     "OSError: It said: fetching https://***@api/x?token=*** password=*** Authorization: *** and gave up"),
    (failing(SystemExit(3)), "it wanted to end the process"), (failing(GeneratorExit()), "it raised GeneratorExit"), ("no", "what Ansible listed cannot be read: it is no JSON"),
])  # fmt: skip
async def test_what_goes_wrong_is_told_once_and_changes_nothing(
    world: World, told: list[str], answer: Any, why: str
) -> None:
    await world.ask(answer)
    assert (world.means("web01"), world.means("dyn01"), world.said.heard_us) == ("host:web01", "", 0)
    assert world.said.error.startswith(why)
    assert told == [
        f"WARNING Ansible could not list the hosts of inv, hosts that stand in files hold: {world.said.error}\n"
    ]
    await world.ask(answer)
    assert len(told) == 1
    await world.ask({"web": {"hosts": ["dyn01"]}})
    assert world.said.error == ""
    world.now_us = 2_000
    await world.ask(answer)
    assert world.means("dyn01") == "host:dyn01"
    assert (world.said.asked_us, world.said.heard_us, world.said.hosts) == (2_000, 1_000, 1)
    assert "what it listed last holds (1 host)" in told[-1]
    shown = world.hosts.shown("inv", world.said)
    assert (shown["path"], shown["hosts"], shown["error"]) == ("inv", 1, world.said.error)
    assert shown["heard"] < shown["asked"]
    await world.ask({"web": {"hosts": ["dyn01"]}})
    assert (world.said.error, told[-1]) == ("", "INFO Ansible lists 1 host of inv\n"), "also where it is as before"


async def test_far_fewer_hosts_than_before_are_taken_and_told(world: World, told: list[str]) -> None:
    """It may be true, so it is no mistake; and it may be a program that has lost its cloud."""
    await world.ask({"web": {"hosts": ["a", "b", "c"]}})
    assert world.hosts.shown("inv", world.said)["fell"] is None
    world.now_us = 2_000
    await world.ask({"web": {"hosts": ["a"]}})
    assert (world.means("a"), world.means("b")) == ("host:a", "")
    assert told[-1] == "WARNING Ansible lists 1 host of inv, 3 before\n"
    shown = world.hosts.shown("inv", world.said)
    assert shown["fell"] == {"from": 3, "at": shown["heard"]}
    assert [one["message"] for one in world.hosts.told(world.revision)] == ["Ansible lists 1 host now, 3 before"]
    world.now_us = 3_000
    await world.ask({"web": {"hosts": ["a"]}})
    assert (len(told), world.hosts.shown("inv", world.said)["fell"]["from"]) == (2, 3), "still so, and said once"
    assert world.hosts.told(world.revision) == [], "that was at another asking"
    await world.ask({"web": {"hosts": ["a", "b"]}})
    assert (told[-1], world.said.fell_from) == ("INFO Ansible lists 2 hosts of inv\n", 0)
    await world.ask({"all": {}})
    assert (told[-1], world.said.fell_from) == ("WARNING Ansible lists 0 hosts of inv, 2 before\n", 2)
    assert world.means("a") == ""


async def test_a_program_that_lists_nothing_any_more_beside_files_is_told_once(world: World, told: list[str]) -> None:
    """Its hosts are gone, and those of files are as many as before: no number says that something is wrong."""
    files = {"web": {"hosts": ["web01"]}}
    await world.ask(files)
    assert (world.said.dried_from, told) == (0, ["INFO Ansible lists 1 host of inv\n"]), "it never listed another"
    await world.ask({"web": {"hosts": ["web01", "dyn01"]}})
    world.now_us = 2_000
    await world.ask(files)
    says = "no host any more but those of files (1 host), 1 beside them before"
    assert told[2:] == [f"WARNING of inv Ansible lists {says}\n"]
    assert [one["message"] for one in world.hosts.told(world.revision)] == [f"Ansible lists {says}"]
    shown = world.hosts.shown("inv", world.said)
    assert shown["dried"] == {"from": 1, "at": shown["heard"]}
    world.now_us = 3_000
    await world.ask(files)
    await world.ask({"web": {"hosts": ["web01"]}, "db": {"hosts": []}})
    await world.ask(failing(OSError("no s3cret")))
    assert (len([one for one in told if "beside" in one]), world.said.dried_from) == (1, 1), "still so, and said once"
    assert not [one for one in world.hosts.told(world.revision) if "beside" in one["message"]]
    await world.ask({"web": {"hosts": ["web01", "dyn02"]}})
    assert (world.said.dried_from, world.hosts.shown("inv", world.said)["dried"]) == (0, None)
    assert told[-1] == "INFO Ansible lists 2 hosts of inv\n"


@pytest.mark.parametrize("answer", [{"web": {"hosts": ["all"]}}, {"web": {"hosts": ["-x", "a b"]}}])
async def test_an_answer_with_nothing_that_can_be_a_host_leaves_what_there_was(world: World, answer: Any) -> None:
    await world.ask({"web": {"hosts": ["dyn01"]}})
    await world.ask(answer)
    assert (world.means("dyn01"), world.said.hosts) == ("host:dyn01", 1)
    assert world.said.error.startswith("what Ansible listed cannot be read: ")


async def test_a_reload_tells_what_could_not_be_listed(world: World) -> None:
    await world.ask({"web": {"hosts": ["dyn01"]}})
    assert world.hosts.told(world.revision) == []
    await world.ask(failing(OSError("no s3cret")))
    (one,) = world.hosts.told(world.revision)
    assert (one["file"], one["severity"], one["code"]) == ("inv", "warning", "hosts-not-listed")
    assert one["message"] == "Ansible could not list the hosts, what it listed last holds (1 host): OSError: no ***"


async def test_one_that_never_answers_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "LIMIT_S", 0.05)
    await world.ask(lambda: asyncio.Event().wait())
    assert world.said.error == "there was no answer within 0.05 s"


async def test_who_is_asked(world: World) -> None:
    """One that has the inventory, else the default one, else one of Ansible's that nobody wrote."""
    made = {name: Lister(dict) for name in ("other", "site")}
    await world.ask(None, **made)
    assert [len(one.asked) for one in made.values()] == [0, 1]
    made = {name: Lister(dict) for name in ("site", "other")}
    site = made.pop("site")
    await world.ask(None, **made)
    assert (len(site.asked), len(made["other"].asked)) == (0, 1)
    world.revision.found.take("inv", project.Said())
    (world.root / "inv/dyn.yml").unlink()  # so that a real one can read it
    await world.ask(None, far=types.SimpleNamespace(lists_hosts=False))
    assert (world.said.error, world.said.hosts) == ("", 1)
    assert world.means("shop") == "host:web01"


async def test_a_stop_does_not_wait_for_the_first_answer(world: World) -> None:
    ended = asyncio.Event()
    world.controllers["site"] = Lister(lambda: asyncio.Event().wait())
    first = asyncio.create_task(world.hosts.first(ended))
    ended.set()
    await first
    assert world.revision.found.said == {}
    world.controllers["site"] = Lister(lambda: {"web": {"hosts": ["dyn01"]}})
    await world.hosts.first(asyncio.Event())
    assert world.means("dyn01") == "host:dyn01"


async def test_it_is_asked_again_and_again(
    world: World, monkeypatch: pytest.MonkeyPatch, wait_for_async: Callable[..., Any]
) -> None:
    monkeypatch.setattr(hosts, "REFRESH_S", 0.001)
    monkeypatch.setattr(hosts, "AGAIN_S", 0.0005)
    names = iter(range(1, 1000))
    world.controllers["site"] = Lister(lambda: {"web": {"hosts": [f"dyn{next(names)}"]}})
    work = asyncio.create_task(world.hosts.run())
    await wait_for_async(lambda: world.means("dyn3"))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


def job(**extra: Any) -> model.Job:
    return model.Job("r-1-1", "r-1", "a", "playbook", "x.yml", {}, (), 60.0, "/r", "/w", extra=extra)


async def test_a_run_that_lost_its_targets_has_it_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch, told: list[str], wait_for_async: Callable[..., Any]
) -> None:
    monkeypatch.setattr(hosts, "AGAIN_S", 0.001)
    made = world.controllers["site"] = Lister(lambda: {"web": {"hosts": [f"dyn{len(made.asked)}"]}})
    work = asyncio.create_task(world.hosts.run())
    for controller, extra in (("other", {}), ("gone", {}), ("site", {"inventory": "static"})):
        world.hosts.lost(controller, job(**extra))
    assert not world.hosts._soon.is_set(), "files say of those which hosts there are, and are read at a reload"
    for number, (controller, extra) in enumerate((("site", {}), ("other", {"inventory": "inv"}), ("far", {})), 1):
        world.hosts.lost(controller, job(**extra))
        world.hosts.lost(controller, job(**extra))
        await wait_for_async(lambda number=number: world.means(f"dyn{number}"))
    said = "INFO a run lost its targets, so Ansible is asked again for the hosts of inv\n"
    assert (told.count(said), len(made.asked)) == (3, 3)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_runs_that_lose_their_targets_ask_no_more_often_than_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            raise asyncio.CancelledError
        world.hosts.lost("site", job())

    made = world.controllers["site"] = Lister(dict)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await world.hosts.run()
    assert (slept, len(made.asked)) == ([hosts.AGAIN_S] * 3, 2)


async def test_what_an_approval_is_bound_to_follows_the_machine_that_is_found(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "project"
    files = {
        "controllers.yaml": "controllers:\n  site: {type: ansible, inventory: static, run_on: 'far:b1'}\n  far: {type: ssh, inventory: inv}\ndefault: site\n",
        "static": "db01\n", "inv/dyn.yml": "plugin: some.cloud\n", "playbooks/x.yml": "[]\n",
        "actions.yaml": "actions: {x: {playbook: x.yml, impact: low}}\n",
    }  # fmt: skip
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    revision = project.load(root, {}).revision
    assert revision is not None
    held = standing.Standing(revision, standing.PauseFile(tmp_path), "active")
    before = held._bound("x", "site", revision)
    assert held._bound("x", "site", revision) == before
    listed = project.Found()
    listed.take("inv", project.Said(), _inventory())
    revision.found.inherit(listed, revision)
    assert held._bound("x", "site", revision) != before


def _inventory() -> inventory.Inventory:
    return inventory.Inventory({"b1": inventory.Host("b1", "10.0.0.9")}, {}, partial=True, dynamic=True)


def test_a_controller_that_nobody_wrote_is_one_of_its_type(tmp_path: pathlib.Path) -> None:
    made = rules.controller("ansible", tmp_path, lambda one: model.Secret(one.secret, "x"))
    assert (made.lists_hosts, made.context.project_dir) == (True, tmp_path)
