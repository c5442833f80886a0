"""`/approvals`: what waits for a person's word, and who may say it: people count, and roles as far as they hold for the run."""

from __future__ import annotations

import json
import os
import pathlib
import pwd
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from healer import access, errors, policy
from healer.policy import approvals, limits
from healer.store import candidates, ownership, transaction
from healer.web import approvals as web_approvals
from healer.web import auth, control, minting

RUN = "r-" + "a" * 26
ME = pwd.getpwuid(os.getuid()).pw_name
WEB = access.Role("oncall", frozenset({"approvals.decide", "runs.read"}), access.Scope(("web/*",), ("group:web",)))
DB = access.Role("dba", frozenset({"approvals.decide"}), access.Scope(("db/*",)))


def asking(want: int, *roles: str) -> limits.Approval:
    return limits.Approval((limits.Threshold("some people", roles, want, 1),), ("requester",))


@pytest.fixture
async def asked(room: Any, seed: Any) -> Any:
    """`await asked(Approval, requester)`: a run on a web host waits for that; the request is `a-1`."""

    async def ask(approval: limits.Approval, requester: str = "rule:web/alerts/restart") -> None:
        await seed(room, RUN, "awaiting_approval", reason="blast_radius", groups=["web"])

        def apply(tx: Any) -> None:
            digest = candidates.digest_of(tx, candidates.run_row(tx, RUN), policy.Standing(True, "active"), None)
            text = transaction.dumps(approvals.as_json([approval]))
            tx.run("approval_insert", "a-1", "blast_radius", digest, text, requester, None, 1, None, RUN)

        await seed.do(room, apply)

    return ask


def people(room: Any, *found: access.Person, **keys: tuple[str, str]) -> None:
    """These people are there, and keys of files by their name: (role, principal)."""
    place = errors.Place("keys", 1)
    files = [
        auth.FileKey(minting.digest(f"key-{name:0<20}"), name, role, person, place)
        for name, (role, person) in keys.items()
    ]
    room.services.gate.keys.use(
        access.Directory({one.name: one for one in (WEB, DB)}, {one.name: one for one in found}), files
    )
    room.keys |= {name: f"key-{name:0<20}" for name in keys}


async def says(room: Any, key: str, word: str = "approve") -> tuple[int, Any]:
    answer: tuple[int, Any] = await room.ask("POST", f"/approvals/a-1/{word}", key, json={"reason": "looked at it"})
    return answer


async def test_a_request_with_what_people_said(room: Any, asked: Any) -> None:
    await asked(asking(2, "approver", "oncall"))
    people(room, access.Person("ana", ("oncall", "approver")), laptop=("", "ana"))
    assert await says(room, "laptop") == (200, {"id": "a-1", "run": RUN, "state": "open", "stood": False})
    status, body = await room.ask("GET", "/approvals/a-1", "readonly")
    assert status == 200
    assert body["needs"] == [
        {"approval": 1, "name": "some people", "roles": ["approver", "oncall"], "have": 1, "want": 2, "reject": 1}
    ]
    assert body["exclude"] == ["requester"]
    (review,) = body["reviews"]
    assert {name: review[name] for name in ("person", "roles", "approves", "reason")} == {
        "person": "ana", "roles": ["oncall", "approver"], "approves": True, "reason": "looked at it",
    }  # fmt: skip
    (item,) = (await room.ask("GET", "/approvals", "readonly"))[1]["items"]
    assert item.items() <= body.items()


MORE = {f"a-{n}": "r-" + letter * 26 for n, letter in enumerate("bcde", 2)}


async def several(room: Any, seed: Any, asked: Any) -> None:
    """`a-1` … `a-4` are alike; `a-5` asks for another reason."""
    approval = asking(1, "approver")
    await asked(approval)
    for name, run in MORE.items():
        await seed(room, run, "awaiting_approval", reason="blast_radius", groups=["web"])

        def apply(tx: Any, name: str = name, run: str = run) -> None:
            digest = candidates.digest_of(tx, candidates.run_row(tx, run), policy.Standing(True, "active"), None)
            text = transaction.dumps(approvals.as_json([approval]))
            reason = "flapping" if name == "a-5" else "blast_radius"
            tx.run("approval_insert", name, reason, digest, text, "rule:web/alerts/restart", None, 1, None, run)

        await seed.do(room, apply)


async def test_requests_that_are_alike_are_one_and_each_may_be_chosen(room: Any, seed: Any, asked: Any) -> None:
    await several(room, seed, asked)
    people(room, access.Person("ana", ("approver",)), laptop=("", "ana"))
    items = (await room.ask("GET", "/approvals", "readonly"))[1]["items"]
    bundles = {one["id"]: one["bundle"] for one in items}
    assert len({bundles[f"a-{n}"] for n in range(1, 5)}) == 1
    assert bundles["a-5"] != bundles["a-1"]
    _, found = await room.ask("GET", f"/approvals?bundle={bundles['a-1']}&limit=3", "readonly")
    assert [one["id"] for one in found["items"]] == ["a-1", "a-2", "a-3"]
    _, rest = await room.ask("GET", f"/approvals?bundle={bundles['a-1']}&limit=3&after={found['next']}", "readonly")
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (["a-4"], None)
    _, found = await room.ask("GET", f"/approvals?bundle={bundles['a-1'][:-3]}", "readonly")
    assert [one["id"] for one in found["items"]] == ["a-1", "a-2", "a-3", "a-4"]
    status, answer = await room.ask("GET", "/approvals?bundle=b-", "readonly")
    assert (status, answer["code"], answer["near"]) == (409, "ambiguous", sorted({*bundles.values()}))
    assert (await room.ask("GET", "/approvals?bundle=b-zzzz", "readonly"))[1]["items"] == []
    wish = {"requests": ["a-2", "a-4", "a-2", "a-9"], "reason": "looked at both"}
    status, body = await room.ask("POST", "/approvals/approve", "laptop", json=wish)
    assert (status, body["items"]) == (200, [
        {"id": name, "run": MORE[name], "state": "approved", "stood": False} for name in ("a-2", "a-4")
    ])  # fmt: skip
    assert [(one["id"], one["code"]) for one in body["refused"]] == [("a-9", "not-found")]
    status, body = await room.ask("POST", "/approvals/reject", "laptop", json={"requests": ["a-1", "a-2"]})
    assert [(one["id"], one["state"]) for one in body["items"]] == [("a-1", "rejected")]
    assert [(one["id"], one["code"]) for one in body["refused"]] == [("a-2", "approval-ended")]
    assert {one["id"] for one in (await room.ask("GET", "/approvals"))[1]["items"]} == {"a-3", "a-5"}


async def test_of_many_nothing_is_decided_where_one_is_none_of_theirs(room: Any, seed: Any, asked: Any) -> None:
    await several(room, seed, asked)
    people(room, access.Person("cy", ("dba",)), cy=("", "cy"))
    status, body = await room.ask("POST", "/approvals/approve", "cy", json={"requests": ["a-2", "a-3"]})
    assert (status, body["code"]) == (403, "forbidden")
    assert len((await room.ask("GET", "/approvals"))[1]["items"]) == 5


@pytest.mark.parametrize(
    "body", [{}, {"requests": []}, {"requests": "a-1"}, {"requests": [""]}, {"requests": ["a-1"], "all": True}]
)
async def test_which_ones_is_said(room: Any, asked: Any, body: Any) -> None:
    await asked(asking(1, "approver"))
    people(room, access.Person("ana", ("approver",)), laptop=("", "ana"))
    status, answer = await room.ask("POST", "/approvals/approve", "laptop", json=body)
    assert (status, answer["code"]) == (400, "invalid-field")


async def test_two_keys_of_one_person_are_one_word(room: Any, asked: Any) -> None:
    await asked(asking(2, "approver"))
    people(
        room, access.Person("ana", ("approver",)), laptop=("", "ana"), phone=("approver", "ana"), bo=("approver", "")
    )
    assert (await says(room, "laptop"))[1]["state"] == "open"
    assert (await says(room, "phone"))[1] == {"id": "a-1", "run": RUN, "state": "open", "stood": True}
    assert (await says(room, "bo"))[1]["state"] == "approved"
    records = [json.loads(one["record"]) for one in await room.records()]
    assert [(one["actor"], one["roles"]) for one in records if one["kind"] == "review"] == [
        ("key:laptop = ana", ["approver"]), ("key:bo", ["approver"]),
    ]  # fmt: skip


async def test_who_asked_by_another_key_does_not_approve(room: Any, asked: Any) -> None:
    await asked(asking(1, "approver"), "key:phone = ana")
    people(room, access.Person("ana", ("approver",)), laptop=("", "ana"))
    status, body = await says(room, "laptop")
    assert (status, body["code"]) == (403, "may-not-approve")
    assert "you asked for it" in body["detail"]


async def test_roles_count_where_they_hold(room: Any, asked: Any) -> None:
    """A role for another ruleset lets nobody decide, nor does it count beside one that does."""
    await asked(asking(1, "dba"))
    people(room, access.Person("cy", ("dba",)), access.Person("di", ("dba", "oncall")), cy=("", "cy"), di=("", "di"))
    status, body = await says(room, "cy")
    assert (status, body["code"]) == (403, "forbidden")
    assert body["detail"] == (
        "key:cy = cy has the permission approvals.decide only for rulesets db/*, and this is about the ruleset web/alerts, the target "
        "host:web1, the action restart_service"
    )
    status, body = await says(room, "di")
    assert (status, body["code"]) == (403, "may-not-approve")
    assert "a role like dba is wanted, yours is oncall" in body["detail"]
    assert (await room.ask("GET", "/approvals/a-1"))[1]["reviews"] == []


async def test_for_a_chain_somebody_has_to_be_allowed_each_step(room: Any, seed: Any, asked: Any) -> None:
    """Its steps are shown; a role that holds for the first alone counts for nothing."""
    await asked(asking(1, "oncall", "dba"))
    behind = "r-" + "b" * 26
    await seed(room, behind, "deferred", reason="chain", groups=["db"])

    def apply(tx: Any) -> None:
        row = candidates.run_row(tx, behind)
        digest = candidates.digest_of(tx, row, policy.Standing(True, "active"), None)
        step = {"run": behind, "turn": row["turn"], "digest": digest, "action": row["action"]}
        tx.run("approval_steps", transaction.dumps([step]), "a-1")

    await seed.do(room, apply)
    people(
        room,
        access.Person("cy", ("oncall",)),
        access.Person("di", ("oncall", "approver")),
        cy=("", "cy"),
        di=("", "di"),
    )
    (step,) = (await room.ask("GET", "/approvals/a-1"))[1]["steps"]
    assert (step["run"], step["action"], step["targets"]) == (behind, "restart_service", ["host:web1"])
    status, body = await says(room, "cy")
    assert (status, body["code"]) == (403, "forbidden")
    status, body = await says(room, "di")
    assert (status, body["code"]) == (403, "may-not-approve")
    assert "yours is approver" in body["detail"]


async def test_an_own_role_counts_for_a_threshold_that_names_it(room: Any, asked: Any) -> None:
    await asked(asking(1, "oncall"))
    people(room, access.Person("ana", ("readonly", "oncall")), laptop=("", "ana"))
    assert (await says(room, "laptop"))[1]["state"] == "approved"


async def test_a_role_that_was_taken_out_counts_no_more(room: Any, asked: Any) -> None:
    await asked(asking(2, "oncall"))
    people(room, access.Person("ana", ("oncall",)), laptop=("", "ana"), old=("oncall", ""))
    assert (await says(room, "laptop"))[0] == 200
    room.services.gate.keys.use(access.Directory({}, {"ana": access.Person("ana")}), room.services.gate.keys.files)
    for key in ("laptop", "old"):
        status, body = await says(room, key)
        assert (status, body["code"]) == (403, "forbidden")


# --- the shell of this host -----------------------------------------------------------------------------------------------


@pytest.fixture
async def shell(room: Any, tmp_path: pathlib.Path) -> AsyncIterator[Any]:
    """`await shell(method, path)`: a request over the control socket, by the user that runs the tests."""
    owned = ownership.Ownership(tmp_path)
    owned.take()
    bound = control.ControlSocket(tmp_path / "control.sock", owned)
    await room.listening.unix(bound.socket)
    folder = os.open(tmp_path, os.O_RDONLY)

    async def ask(method: str, path: str, **more: Any) -> tuple[int, Any]:
        connector = aiohttp.UnixConnector(control.reach(folder, "control.sock"))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://x{path}", **more) as answer,
        ):
            return answer.status, await answer.json()

    yield ask
    await room.listening.stop_accepting()
    os.close(folder)
    bound.close()
    owned.release()


async def test_a_shell_of_nobody_in_particular_decides_nothing(room: Any, asked: Any, shell: Any) -> None:
    """Though root and the daemon's own user may all else."""
    await asked(asking(1, "approver", "admin"))
    for word in ("approve", "reject"):
        status, body = await shell("POST", f"/approvals/a-1/{word}")
        assert (status, body["code"]) == (403, "nobody-known")
        assert body["try"].startswith(f"principals: {{NAME: {{os: {ME}, roles: [approver]}}}} in healer.yaml")
    assert (await room.ask("GET", "/approvals/a-1"))[1]["reviews"] == []
    assert (await shell("POST", "/pause", json={"scope": "all"}))[0] == 200


async def test_nor_does_it_start_anything_past_its_gates(room: Any, asked: Any, shell: Any) -> None:
    await asked(asking(1, "approver"))
    wish = {"break_glass": True, "reason": "the site is down"}
    status, body = await shell("POST", f"/runs/{RUN}/start", json=wish)
    assert (status, body["code"]) == (403, "nobody-known")
    people(room, access.Person("ana", ("admin",), os=ME))
    status, body = await shell("POST", f"/runs/{RUN}/start", json=wish)
    assert (status, body["state"]) == (200, "queued")
    assert (await room.ask("GET", "/approvals/a-1"))[1]["state"] == "withdrawn"


async def test_a_shell_of_somebody_is_theirs(room: Any, asked: Any, shell: Any) -> None:
    await asked(asking(2, "oncall"))
    people(room, access.Person("ana", ("oncall",), os=ME), laptop=("", "ana"))
    assert (await shell("POST", "/approvals/a-1/approve"))[1]["state"] == "open"
    assert (await says(room, "laptop"))[1]["stood"] is True
    assert (await room.ask("GET", "/approvals/a-1"))[1]["reviews"][0]["person"] == "ana"
    (record,) = [found for one in await room.records() if (found := json.loads(one["record"]))["kind"] == "review"]
    assert (record["actor"], record["roles"]) == (f"os:{ME} = ana", ["admin", "oncall"])
    assert (await shell("GET", "/keys"))[0] == 200


async def test_who_asked_in_the_shell_before_it_was_theirs_does_not_approve(room: Any, asked: Any, shell: Any) -> None:
    await asked(asking(1, "oncall"), f"os:{ME}")
    people(room, access.Person("ana", ("oncall",), os=ME), laptop=("", "ana"))
    for status, body in (await shell("POST", "/approvals/a-1/approve"), await says(room, "laptop")):
        assert (status, body["code"]) == (403, "may-not-approve")


async def test_another_user_of_this_host_has_the_roles_of_a_person(room: Any, asked: Any, shell: Any) -> None:
    await asked(asking(1, "oncall"))
    room.services.gate._local_uids = frozenset()
    status, body = await shell("GET", "/runs")
    assert (status, body["code"]) == (403, "forbidden")
    assert body["try"].startswith(f"principals: {{NAME: {{os: {ME}, roles: [operator]}}}} in healer.yaml")
    people(room, access.Person("ana", ("oncall",), os=ME))
    assert (await shell("GET", "/runs"))[0] == 200
    assert (await shell("POST", "/reload"))[1]["code"] == "forbidden"
    assert (await shell("POST", "/approvals/a-1/approve"))[1]["state"] == "approved"
    people(room)
    assert (await shell("GET", "/runs"))[0] == 403


async def test_a_beginning_that_several_have_means_none_of_them_and_names_them(
    room: Any, asked: Any, seed: Any
) -> None:
    await asked(asking(1, "approver"))
    other = "r-" + "ab" * 13
    await seed(room, other, "awaiting_approval", reason="blast_radius", groups=["web"])

    def apply(tx: Any) -> None:
        text = transaction.dumps(approvals.as_json([asking(1, "approver")]))
        for name, run, at_us in (("a-2", other, 2), ("a-3", other, 3)):
            tx.run("approval_insert", name, "blast_radius", "d", text, "rule:x", None, at_us, None, run)

    await seed.do(room, apply)
    ids, runs = ["a-1", "a-2", "a-3"], ["r-" + "a" * 26, other]
    for text, near in (("r", runs), ("r-", runs), ("r-a", runs), ("a", ids), ("a-", ids)):
        for method, path in (("GET", f"/approvals/{text}"), ("POST", f"/approvals/{text}/approve")):
            status, answer = await room.ask(method, path, "approver")
            assert (status, answer["code"], answer["near"]) == (409, "ambiguous", near), text
            assert answer["detail"] == f"'{text}' is the beginning of {len(near)} ids"
            assert answer["try"] == f"one of: {', '.join(near)}"
    assert (await room.ask("GET", "/approvals/r-ab", "approver"))[1]["id"] == "a-3"
    assert (await room.ask("GET", "/approvals/r-aa", "approver"))[1]["id"] == "a-1"


async def test_of_many_that_begin_so_the_first_ones_are_named(room: Any, asked: Any, seed: Any) -> None:
    await asked(asking(1, "approver"))

    def apply(tx: Any) -> None:
        text = transaction.dumps(approvals.as_json([asking(1, "approver")]))
        for number in range(10, 30):
            tx.run("approval_insert", f"a-{number}", "blast_radius", "d", text, "rule:x", None, 2, None, RUN)

    await seed.do(room, apply)
    assert (await room.ask("GET", "/approvals/a-1", "approver"))[1]["id"] == "a-1", (
        "a whole one, though others begin so"
    )
    _, answer = await room.ask("GET", "/approvals/a-", "approver")
    assert answer["near"] == ["a-1", *(f"a-{number}" for number in range(10, 19))]
    assert answer["detail"] == "'a-' is the beginning of more than 10 ids"


@pytest.mark.parametrize(("role", "wanted", "has"), [
    ("approver", "approver", True), ("readonly", "approver", False), ("approver", "dba", False), ("webby", "webby", True), ("dbs", "dbs", False),
])  # fmt: skip
async def test_who_has_a_say(room: Any, asked: Any, role: str, wanted: str, has: bool) -> None:
    """The permission, where the request is, and a role that is asked for."""
    await asked(asking(1, wanted))
    roles = {
        name: access.Role(name, frozenset({"approvals.decide"}), access.Scope((scope,)))
        for name, scope in (("webby", "web/*"), ("dbs", "db/*"))
    }
    directory = access.Directory(roles, {"ana": access.Person("ana", (role,))})
    caller = directory.of_person("link:", "ana")
    assert await web_approvals.has_a_say(room.services, caller, "a-1") is has
    assert await web_approvals.has_a_say(room.services, caller, "a-2") is False
