"""`/controllers`: what is shown of them, never a secret, and asking one whether it is usable."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from healer import project
from healer.web.services import Check

HEALTH = {"ok": True, "detail": "Python 3.11", "try": "", "at": "2026-09-21T14:13:20.000000Z", "seconds": 0.5}


async def test_the_list_says_what_each_can_do_and_what_bounds_it(room: Any) -> None:
    status, page = await room.ask("GET", "/controllers", "readonly")
    assert (status, page["next"], [one["name"] for one in page["items"]]) == (200, None, ["ansible", "local"])
    assert page["items"][0] == {
        "name": "ansible", "type": "ansible", "default": False, "place": "controllers.yaml:4", "tags": ["prod"],
        "kinds": ["module", "playbook"], "target_kinds": ["host"], "inventory": "inventory", "hosts": 3, "hosts_partial": False, "hosts_listed": None,
        "bound_to": {"targets": [{"target": "group:web", "hosts": 2}, {"target": "db1", "hosts": None}], "actions": ["restart_service"]},
        "concurrency": 3, "running": 0, "health": None,
    }  # fmt: skip
    assert (page["items"][1]["default"], page["items"][1]["inventory"], page["items"][1]["concurrency"]) == (
        True,
        None,
        10,
    )


async def test_one_that_reaches_no_hosts_shows_no_inventory(room: Any) -> None:
    local = room.revision.controllers["local"]
    room.revision.controllers["local"] = dataclasses.replace(
        local, target_kinds=frozenset({"url"}), inventory="inventory"
    )
    _, shown = await room.ask("GET", "/controllers/local")
    assert (shown["inventory"], shown["hosts"], shown["hosts_partial"]) == (None, 0, False)


async def test_what_ansible_said_of_its_hosts(room: Any) -> None:
    said = project.Said(1_789_999_999_000_000, 0, 0, ("the host 'a b' is left out",), "no cloud", "mark")
    room.revision.said = lambda inventory: said if inventory == "inventory" else None
    _, shown = await room.ask("GET", "/controllers/ansible")
    asked = "2026-09-21T14:13:19.000000Z"
    assert shown["hosts_listed"] == {
        "asked": asked,
        "heard": None,
        "left_out": ["the host 'a b' is left out"],
        "error": "no cloud",
        "dried": None,
    }
    said = dataclasses.replace(said, heard_us=said.asked_us, error="")
    _, shown = await room.ask("GET", "/controllers/ansible")
    assert (shown["hosts_listed"]["heard"], shown["hosts_listed"]["error"]) == (asked, None)
    assert (await room.ask("GET", "/controllers/local"))[1]["hosts_listed"] is None
    said = dataclasses.replace(said, dried_from=2, dried_us=said.asked_us)
    _, shown = await room.ask("GET", "/controllers/ansible")
    assert shown["hosts_listed"]["dried"] == {"from": 2, "at": asked}
    _, answer = await room.ask("POST", "/controllers/ansible/check", "operator")
    assert answer["hosts_listed"] == shown["hosts_listed"]


async def test_what_runs_now_is_counted(room: Any, seed: Any) -> None:
    await seed(room, "r-" + "a" * 26, "running", attempts=[("running", None, None), ("failed", None, None)])
    _, shown = await room.ask("GET", "/controllers/local")
    assert shown["running"] == 1


async def test_one_in_full_has_its_options_with_references(room: Any) -> None:
    status, shown = await room.ask("GET", "/controllers/ansible", "readonly")
    assert (status, shown["options"]) == (200, {"vault_password": {"secret": "env:VAULT"}, "forks": 5})


async def test_asking_one_is_remembered(room: Any) -> None:
    status, told = await room.ask("POST", "/controllers/local/check", "operator")
    assert (status, told) == (200, {"name": "local", "type": "local", "health": HEALTH, "hosts_listed": None})
    assert (await room.ask("GET", "/controllers/local"))[1]["health"] == HEALTH
    assert [one["health"] for one in (await room.ask("GET", "/controllers"))[1]["items"]] == [None, HEALTH]


async def test_one_that_is_not_usable_is_an_answer_too(room: Any) -> None:
    room.checks.said["ansible"] = Check(
        False, "ansible-playbook is not there", 0, 0.1, "pip install 'auto-healer[ansible]'"
    )
    status, told = await room.ask("POST", "/controllers/ansible/check")
    assert (status, told["health"]["ok"], told["health"]["try"]) == (200, False, "pip install 'auto-healer[ansible]'")


async def test_who_only_reads_asks_nobody(room: Any) -> None:
    status, answer = await room.ask("POST", "/controllers/local/check", "readonly")
    assert (status, answer["code"]) == (403, "forbidden")
    assert room.checks.asked == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/controllers/lcoal"), ("POST", "/controllers/lcoal/check")])
async def test_one_that_is_not_there(room: Any, method: str, path: str) -> None:
    status, answer = await room.ask(method, path)
    assert (status, answer["code"], answer["try"]) == (404, "not-found", "did you mean 'local'?")


async def test_a_misspelt_parameter_is_refused(room: Any) -> None:
    assert (await room.ask("GET", "/controllers?type=ssh"))[0] == 400
