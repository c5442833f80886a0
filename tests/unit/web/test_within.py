"""What requests are about, and that each route that acts asks for it: who is limited to something else changes nothing."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from healer import access, errors, policy
from healer.policy import approvals, labels
from healer.store import candidates, transaction
from healer.web import auth, minting, routes, within

RUNS = {name: "r-" + letter * 26 for name, letter in zip(("waits", "unknown", "asks", "yes"), "abcd", strict=True)}
EVENT = {"event_type": "service.down", "target": "web1", "parameters": {"service": "nginx"}}
BY_HAND = {"target": "web1", "parameters": {"service": "nginx"}}
SILENCE = {"for_s": 60, "comment": "works"}
MATCHERS = ["ruleset=web/alerts", "target=web1", "action=restart_service"]
SUIT = {"resume": ("rulesets",), "breakers.close": ("actions",)}


def roles(name: str, **scope: tuple[str, ...]) -> dict[str, access.Role]:
    """Roles that have together what a scope can limit, each for as much of it as it can limit."""
    rest = frozenset(access.SCOPED) - SUIT.keys()
    found = {
        f"{name}-{one}": access.Role(
            f"{name}-{one}", frozenset({one}), access.Scope(**{kind: scope[kind] for kind in kinds})
        )
        for one, kinds in SUIT.items()
    }
    return found | {name: access.Role(name, rest, access.Scope(**scope))}


OWN = (
    roles("here", rulesets=("web/*", "healer/*"), targets=("group:web",), actions=("restart_*",))
    | roles("rulesets", rulesets=("db/*",), targets=("*",), actions=("*",))
    | roles("targets", rulesets=("*",), targets=("group:db",), actions=("*",))
    | roles("actions", rulesets=("*",), targets=("*",), actions=("clean_*",))
    | {"all": access.Role("all", frozenset(access.PERMISSIONS), access.Scope(("*",), ("*",), ("*",)))}
)
PEOPLE = {
    name: access.Person(name, tuple(role for role in OWN if role.partition("-")[0] == name))
    for name in ("here", "rulesets", "targets", "actions", "all")
}
DIRECTORY = access.Directory(OWN, PEOPLE)


@dataclasses.dataclass(frozen=True)
class Case:
    """A request of a route that acts. `after`: who is limited to other things of this kind may do it, since it is about none."""

    path: str
    body: Any = None
    but: tuple[str, ...] = ()

    @property
    def route(self) -> str:
        parts = self.path.split("/")
        if len(parts) == 4:
            parts[2] = "{name}" if parts[1] == "actions" else "{id}"
        return "/".join(parts)


CASES = [
    Case("/webhook", EVENT),
    Case("/webhook", EVENT | {"controller_override": "ansible", "dry_run": True}),
    Case("/actions/restart_service/run", BY_HAND),
    Case("/actions/restart_service/run", BY_HAND | {"target": ["web1", "group:web"], "controller_override": "ansible"}),
    Case(f"/runs/{RUNS['waits']}/start", {"break_glass": True, "reason": "now"}),
    Case(f"/runs/{RUNS['waits']}/cancel", {"reason": "no"}),
    Case(f"/runs/{RUNS['unknown']}/resolve", {"state": "failed", "reason": "it did"}),
    Case("/locks/release", {"target": "host:web1", "reason": "mine"}),
    Case("/locks/release", {"target": "web1", "reason": "mine"}),
    Case("/approvals/approve", {"requests": ["a-asks"]}),
    Case("/approvals/reject", {"requests": ["a-yes"]}),
    Case("/approvals/a-asks/approve", {}),
    Case("/approvals/a-yes/reject", {"reason": "no"}),
    Case("/pause", {"scope": "rule:restart"}, but=("targets", "actions")),
    Case("/pause", {"scope": "ruleset:web/alerts"}, but=("targets", "actions")),
    Case("/pause", {"scope": "activation:web"}, but=("targets", "actions")),
    Case("/resume", {"scope": "ruleset:web/disks"}, but=("targets", "actions")),
    Case("/silences", SILENCE | {"matchers": MATCHERS}),
    Case("/silences/s-made/end"),
    Case("/breakers/close", {"action": "restart_service", "controller": "local", "reason": "mended"}, but=("rulesets", "targets")),
]  # fmt: skip


@pytest.fixture
async def limited(room: Any, seed: Any) -> Any:
    """A room with something of everything, all of it of web, and a key for each person."""
    for name, state in (
        ("waits", "deferred"),
        ("unknown", "unknown"),
        ("asks", "awaiting_approval"),
        ("yes", "awaiting_approval"),
    ):
        attempts = [("unknown", None, None)] if state == "unknown" else []
        await seed(room, RUNS[name], state, groups=["web"], attempts=attempts)
    asked = approvals.Approval((approvals.Threshold("some", ("here", "all", "admin"), 1, 1),), ("requester",))

    def apply(tx: Any) -> None:
        for name in ("asks", "yes"):
            digest = candidates.digest_of(tx, candidates.run_row(tx, RUNS[name]), policy.Standing(True, "active"), None)
            text = transaction.dumps(approvals.as_json([asked]))
            tx.run("approval_insert", f"a-{name}", "blast_radius", digest, text, "rule:x", None, 1, None, RUNS[name])
        tx.run("lock_take", "host:web1", f"{RUNS['unknown']}-1", RUNS["unknown"], 1, 1, 2)
        tx.run("breaker_put", "restart_service", "local", "[1]", 0)
        wall_us = room.services.wall()
        tx.run("silence_insert", "s-made", transaction.dumps(MATCHERS), 1, wall_us + 10**9, "key:admin", "x", 1)

    await seed.do(room, apply)
    await room.ask("POST", "/pause", json={"scope": "ruleset:web/disks"})
    return with_people(room)


def with_people(room: Any) -> Any:
    place = errors.Place("keys", 1)
    files = [auth.FileKey(minting.digest(f"key-of-{name}-00000000"), name, "", name, place) for name in PEOPLE]
    room.services.gate.keys.use(DIRECTORY, files)
    room.keys |= {f"{name}'s": f"key-of-{name}-00000000" for name in PEOPLE}
    return room


async def kept(room: Any) -> list[Any]:
    """All that a request could change, but for the record that somebody tried what they may not."""
    read = room.services.store.reader
    tables = ("run", "attempt", "approval", "review", "pause", "silence", "breaker", "lock", "journal")
    tables = (*tables, "audit WHERE kind <> 'review_refused'")
    return [await read.select(f"SELECT * FROM {table}", []) for table in tables]


def test_each_route_that_asks_for_itself_is_tried_here() -> None:
    wanted = {(route.method, route.path) for route in routes.table() if route.within}
    assert {("POST", case.route) for case in CASES} == wanted


def test_routes_that_ask_for_themselves_need_what_a_scope_can_limit() -> None:
    asking = {route.permission for route in routes.table() if route.within}
    assert asking | {"controllers.override"} == set(access.SCOPED)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path} {case.body}")
@pytest.mark.parametrize("who", ["rulesets", "targets", "actions"])
async def test_who_is_limited_to_something_else_changes_nothing(limited: Any, case: Case, who: str) -> None:
    if who in case.but:
        return
    before = await kept(limited)
    status, body = await limited.ask("POST", case.path, f"{who}'s", json=case.body)
    assert (status, body["code"]) == (403, "forbidden"), body
    assert f"key:{who} = {who} has the permission" in body["detail"]
    assert f"{who} {OWN[who].scope.limited and getattr(OWN[who].scope, who)[0]}" in body["detail"]
    assert await kept(limited) == before
    assert (limited.looked, limited.dispatcher.ended) == (0, [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path} {case.body}")
async def test_who_is_limited_to_that_may(limited: Any, case: Case) -> None:
    status, body = await limited.ask("POST", case.path, "here's", json=case.body)
    assert status in (200, 201, 202), body
    told = [one["record"] for one in await limited.records()] + [
        f'"actor":"{row["actor"]}"' for row in await limited.rows()
    ]
    assert any('"actor":"key:here = here"' in one for one in told)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path} {case.body}")
async def test_who_is_not_limited_may(limited: Any, case: Case) -> None:
    status, body = await limited.ask("POST", case.path, "admin", json=case.body)
    assert status in (200, 201, 202), body


async def test_what_is_about_the_whole_daemon_needs_a_role_without_a_scope(limited: Any) -> None:
    """Also a role whose scope has `*` everywhere: nobody says of a reload what it is about."""
    tried = 0
    for route in routes.table():
        if route.permission in (routes.PUBLIC, routes.SOURCE, routes.SLACK) or route.within:
            continue
        before = await kept(limited)
        status, body = await limited.ask(route.method, re.sub(r"\{\w+\}", "e-1", route.path), "all's")
        if route.permission in access.READS:
            assert status != 403, route
        else:
            assert (status, body["code"]) == (403, "forbidden"), route
            assert f"has the permission {route.permission} only for rulesets *" in body["detail"]
            assert await kept(limited) == before
            tried += 1
    assert tried >= 8


@pytest.mark.parametrize(
    "scope", ["all", "controller:local", "activation:web", "ruleset:disks", "rule:web/disks/clean"]
)
async def test_a_pause_of_more_than_ones_own_rulesets(room: Any, scope: str) -> None:
    narrow = access.Role("narrow", frozenset({"pause", "resume"}), access.Scope(("web/alerts",)))
    room.services.gate.keys.use(
        access.Directory({"narrow": narrow}),
        [auth.FileKey(minting.digest("k" * 20), "n", "narrow", "", errors.Place("k"))],
    )
    await room.ask("POST", "/pause", json={"scope": scope})
    for path, body in (
        ("/pause", {"scope": scope}),
        ("/resume", {"scope": scope}),
        ("/resume", {"scope": scope, "preview": True}),
    ):
        status, answer = await room.ask("POST", path, "k" * 20, json=body)
        assert (status, answer["code"]) == (403, "forbidden"), path
    assert len((await room.ask("GET", "/pauses"))[1]["items"]) == 1
    assert (await room.ask("POST", "/pause", "k" * 20, json={"scope": "rule:restart"}))[0] == 200


async def test_who_may_stop_for_some_targets_does_not_let_go_for_all(room: Any) -> None:
    """A pause goes by rulesets; its end lets go what is on targets that the role is not for."""
    both = access.Role("both", frozenset({"pause", "resume"}), access.Scope(("web/*",), ("group:web",)))
    files = [auth.FileKey(minting.digest("k" * 20), "n", "both", "", errors.Place("k"))]
    room.services.gate.keys.use(access.Directory({"both": both}), files)
    assert (await room.ask("POST", "/pause", "k" * 20, json={"scope": "ruleset:web/alerts"}))[0] == 200
    status, body = await room.ask("POST", "/resume", "k" * 20, json={"scope": "ruleset:web/alerts"})
    assert (status, body["code"]) == (403, "forbidden")
    assert body["detail"].endswith("the ruleset web/alerts, any target, any action")


async def test_ending_what_runs_needs_all_that_a_pause_stops(limited: Any) -> None:
    """The pause of a ruleset goes by rulesets; what runs in it is on targets that the role is not for."""
    body = {"scope": "ruleset:web/alerts", "cancel_running": True}
    status, answer = await limited.ask("POST", "/pause", "here's", json=body)
    assert (status, answer["code"]) == (403, "forbidden")
    assert "has the permission runs.cancel only for" in answer["detail"]
    assert [one["scope"] for one in (await limited.ask("GET", "/pauses"))[1]["items"]] == ["ruleset:web/disks"]


@pytest.mark.parametrize("matchers", [
    ["alertname=NodeDown"], MATCHERS[:2], [MATCHERS[0], MATCHERS[2]], MATCHERS[1:], [*MATCHERS[:2], "action=~restart_.*"],
    [*MATCHERS[1:], "ruleset!=db/x"], [*MATCHERS[:1], "target=db1", MATCHERS[2]], [*MATCHERS[1:], "ruleset=nowhere"], [*MATCHERS[1:], "ruleset="],
    [*MATCHERS[1:], "rule=nothing"],
])  # fmt: skip
async def test_a_silence_has_to_be_pinned_to_the_scope(limited: Any, matchers: list[str]) -> None:
    status, body = await limited.ask("POST", "/silences", "here's", json=SILENCE | {"matchers": matchers})
    assert (status, body["code"]) == (403, "forbidden")
    assert body["try"].startswith("matchers with = of what your role is limited to")
    assert len((await limited.ask("GET", "/silences"))[1]["items"]) == 1


async def test_a_silence_is_pinned_to_what_the_gate_will_read(room: Any) -> None:
    """Whose inner quotes are its own: they were taken off by what reads the row, which then silenced another target."""
    odd = access.Role("odd", frozenset({"silences.write"}), access.Scope(targets=("?mars?",)))
    files = [auth.FileKey(minting.digest("k" * 20), "n", "odd", "", errors.Place("k"))]
    room.services.gate.keys.use(access.Directory({"odd": odd}), files)
    status, body = await room.ask("POST", "/silences", "k" * 20, json=SILENCE | {"matchers": ["target='mars'"]})
    assert (status, body["code"]) == (403, "forbidden")
    assert "the target mars" in body["detail"]
    quoted = "target=\"'mars'\""
    assert (await room.ask("POST", "/silences", "k" * 20, json=SILENCE | {"matchers": [quoted]}))[0] == 201
    (item,) = (await room.ask("GET", "/silences"))[1]["items"]
    (held,) = map(labels.parse, item["matchers"])
    assert (held.value, held.matches(["mars"]), held.matches(["'mars'"])) == ("'mars'", False, True)


async def test_a_silence_may_say_more(limited: Any) -> None:
    for more in ("alertname=NodeDown", "severity=~a|b", "controller!=ansible", "rule=web/alerts/restart"):
        status, body = await limited.ask("POST", "/silences", "here's", json=SILENCE | {"matchers": [*MATCHERS, more]})
        assert status == 201, body


async def test_an_event_for_a_target_that_means_nothing_is_about_anything(limited: Any) -> None:
    for target in ("mars", "db1"):
        status, body = await limited.ask("POST", "/webhook", "here's", json=EVENT | {"target": target})
        assert (status, body["code"]) == (403, "forbidden")
    assert await limited.rows() == []


async def test_an_event_without_a_target_is_of_no_target(limited: Any) -> None:
    noting = access.Role("noting", frozenset({"events.write"}), access.Scope(actions=("note",)))
    with_target = access.Role("t", frozenset({"events.write"}), access.Scope(targets=("*",)))
    for role, status in ((noting, 202), (with_target, 403)):
        files = [auth.FileKey(minting.digest("k" * 20), "n", role.name, "", errors.Place("k"))]
        limited.services.gate.keys.use(access.Directory({role.name: role}), files)
        got, _ = await limited.ask("POST", "/webhook", "k" * 20, json={"event_type": "note.made"})
        assert got == status


async def test_who_may_send_may_not_choose_the_controller(limited: Any) -> None:
    sends = access.Role("sends", frozenset({"events.write"}), OWN["here"].scope)
    files = [auth.FileKey(minting.digest("k" * 20), "n", "sends", "", errors.Place("k"))]
    limited.services.gate.keys.use(access.Directory({"sends": sends}), files)
    assert (await limited.ask("POST", "/webhook", "k" * 20, json=EVENT))[0] == 202
    for controller in ("ansible", "nothing"):
        status, body = await limited.ask("POST", "/webhook", "k" * 20, json=EVENT | {"controller_override": controller})
        assert (status, body["code"]) == (403, "forbidden")
        assert "needs the permission controllers.override" in body["detail"]


async def test_a_lock_that_another_run_has_by_now_stays(
    limited: Any, seed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looked at a run of theirs does not let go of the lock of another."""
    other = "r-" + "e" * 26
    await seed(limited, other, "unknown", rule="db/alerts/x", targets=["host:db1"], attempts=[("unknown", None, None)])
    looked = within.run

    async def then_taken(*args: Any) -> None:
        await looked(*args)
        await seed.do(
            limited, lambda tx: tx.connection.execute("UPDATE lock SET run = ?, token = ?", (other, f"{other}-1"))
        )

    monkeypatch.setattr(within, "run", then_taken)
    status, body = await limited.ask("POST", "/locks/release", "here's", json={"target": "host:web1", "reason": "mine"})
    assert (status, body["code"]) == (404, "not-found")
    assert [one["run"] for one in (await limited.ask("GET", "/locks"))[1]["items"]] == [other]


async def test_a_lock_that_is_not_there(limited: Any) -> None:
    status, _ = await limited.ask("POST", "/locks/release", "here's", json={"target": "host:nothing", "reason": "mine"})
    assert status == 404


async def test_a_run_with_one_target_beyond_the_scope_is_beyond_it(limited: Any, seed: Any) -> None:
    both = "r-" + "e" * 26
    await seed(limited, both, "deferred", groups=["web"])
    await seed.do(
        limited,
        lambda tx: tx.run("run_target_put", both, "host:db1", '{"groups":["db"],"inventory_name":"db1"}', "restart_service", "deferred", "", "{}"),
    )  # fmt: skip
    status, body = await limited.ask("POST", f"/runs/{both}/cancel", "here's", json={})
    assert (status, body["code"]) == (403, "forbidden")
    assert "the targets host:db1, host:web1" in body["detail"]


# --- what is gathered -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scope", "rulesets"), [
    ("all", None), ("controller:local", None), ("rule:web/alerts/restart", [("web/alerts", "alerts")]),
    ("ruleset:web/disks", [("web/disks", "disks")]), ("activation:web", [("web/alerts", "alerts"), ("web/disks", "disks")]),
    ("activation:gone", None), ("ruleset:web/gone", None), ("rule:web/gone/x", [("web/gone", "gone")]),
])  # fmt: skip
def test_what_a_scope_to_pause_is_about(room: Any, scope: str, rulesets: Any) -> None:
    about = within.of_scope(room.revision, scope, stops=True)
    assert about == access.About(None if rulesets is None else tuple(rulesets), stops=True)
    assert not within.strictly(about).stops


WEB1 = (("host:web1", "web1", "group:web"),)
ALERTS, BOTH = (("web/alerts", "alerts"),), (("web/alerts", "alerts"), ("web/disks", "disks"))


@pytest.mark.parametrize(("matchers", "about"), [
    ([], access.EVERYTHING),
    (["ruleset=web/alerts"], access.About(rulesets=ALERTS)),
    (["ruleset=alerts"], access.About(rulesets=ALERTS)),
    (["rule=clean"], access.About(rulesets=BOTH)),
    (["rule=clean", "ruleset=disks"], access.About(rulesets=BOTH[1:])),
    (["rule=web/alerts/restart"], access.About(rulesets=ALERTS)),
    (["ruleset=gone"], access.EVERYTHING),
    (["ruleset!=web/alerts", "target!=web1", "action!=x"], access.EVERYTHING),
    (["ruleset=~web/alerts", "target=~web1", "action=~x"], access.EVERYTHING),
    (["target=host:web1"], access.About(targets=WEB1)),
    (["target=web1"], access.About(targets=WEB1)),
    (["target=mars"], access.About(targets=(("mars",),))),
    (["target="], access.EVERYTHING),
    (["action=run_playbook site.yml"], access.About(actions=(("run_playbook site.yml", "run_playbook"),))),
    (["action=restart", "action=clean"], access.About(actions=(("restart",),))),
])  # fmt: skip
def test_what_a_silence_is_about(room: Any, matchers: list[str], about: access.About) -> None:
    assert within.of_silence(room.revision, [labels.parse(one) for one in matchers]) == about


async def test_what_a_run_is_about(limited: Any, seed: Any) -> None:
    run = "r-" + "e" * 26
    await seed(
        limited,
        run,
        "deferred",
        rule="a/b/c",
        action="run_playbook x.yml",
        targets=["host:b", "host:a"],
        groups=["g", "h"],
    )
    assert await within.of_run(limited.services, run) == access.About(
        (("a/b", "b"),), (("host:a", "a", "group:g", "group:h"), ("host:b", "b", "group:g", "group:h")),
        (("run_playbook x.yml", "run_playbook"),),
    )  # fmt: skip


async def test_nothing_is_gathered_for_who_may_everywhere(limited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gathers(name: str) -> Callable[..., Any]:
        def fails(*_: Any, **__: Any) -> None:
            raise AssertionError(name)

        return fails

    for name in ("of_run", "of_silence", "of_event"):
        monkeypatch.setattr(within, name, gathers(name))
    for case in CASES:
        if not case.path.startswith("/approvals"):  # whose roles count is asked of what it is about
            status, body = await limited.ask("POST", case.path, "admin", json=case.body)
            assert status < 300 or body["code"] == "not-found", body
