"""One run: why it is as it is, what it printed, its condition as a tree, its gates, its records."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from healer.web.ui import running

RUN = "r-" + "a" * 26
TESTS = [
    {"text": "event.alert.name == \"Full\"", "place": "a:1", "holds": True, "seen": [{"path": "event.alert.name", "value": "Full", "missing": False}]},
    {"text": "event.alert.severity == \"page\"", "place": "a:1", "holds": False, "seen": [{"path": "event.alert.severity", "missing": True}]},
    {"text": "event.host is match(\"web\")", "place": "a:1", "holds": None, "seen": []},
]  # fmt: skip
TREE = {
    "kind": "and", "holds": False, "parts": [
        {"kind": "test", "test": 0, "holds": True}, {"kind": "or", "holds": False, "parts": [
            {"kind": "test", "test": 1, "holds": False}, {"kind": "test", "test": 2, "holds": None},
        ]},
    ],
}  # fmt: skip
GATES = [
    {"gate": "kill switch", "ok": True, "code": "", "fields": {}},
    {
        "gate": "cooldown",
        "ok": False,
        "code": "cooldown",
        "fields": {"action": "clean", "target": "web1", "ago": "2 min", "left": "8 min"},
    },
    {"gate": "lock", "ok": None},
]


def explained(room: Any) -> None:
    """The daemon explains the run so."""

    async def explain(given: str, rule: str | None) -> dict[str, Any]:
        event = {
            "id": "e-7",
            "source": "am",
            "received_at": "2026-03-01T03:07:12Z",
            "event": {"alert": {"name": "</pre><script>"}},
        }
        return {"event": event, "rules": [{"rule": "web/alerts/restart", "conditions": TESTS, "tree": TREE}]}

    room.services.explain = explain


async def kept(room: Any, text: bytes) -> str:
    """The name of content."""
    from healer.store import journal

    blob = await room.services.store.keep(text)
    await room.services.store.submit(journal.Append([journal.Row("event", "s", b"{}")]))

    class Keep:
        weight = 1

        def apply(self, tx: Any) -> None:
            tx.connection.execute(
                "INSERT INTO blob (hash, size, data, at_us) VALUES (?, ?, ?, ?)", (blob.hash, len(text), text, 1)
            )

    await room.services.store.submit(Keep())
    return str(blob.hash)


async def test_a_condition_as_a_tree_and_the_event(room: Any, browser: Any, seed: Any) -> None:
    await seed(room, RUN, "succeeded")
    explained(room)
    page = await (await browser("operator")).get(f"/ui/runs/{RUN}")
    assert page.status == 200
    assert 'holds event.alert.name == "Full" event.alert.name = "Full"' in page.said
    assert 'does not hold event.alert.severity == "page" event.alert.severity is missing' in page.said
    assert 'not looked at event.host is match("web")' in page.said
    assert "e-7 of am" in page.said
    assert "<script" not in page.text
    assert page.text.count('<ul class="tree">') == 3


async def test_the_beginning_of_an_id_will_do(room: Any, browser: Any, seed: Any) -> None:
    await seed(room, RUN, "succeeded")
    assert (await (await browser("operator")).get("/ui/runs/r-aaaa")).status == 200


async def test_gates_with_their_sentences_and_next_steps(room: Any, browser: Any, seed: Any) -> None:
    def told(tx: Any) -> None:
        text = orjson.dumps(
            {
                "conditions": TESTS,
                "gates": GATES,
                "waited": [],
                "approved": {"request": "a-1", "by": ["ana"], "at_us": 1_000_000},
            }
        )
        tx.connection.execute("UPDATE run SET explanation = ?", (text.decode(),))

    await seed(
        room,
        RUN,
        "deferred",
        reason="cooldown",
        detail='{"action": "clean", "target": "web1", "ago": "2 min", "left": "8 min"}',
    )
    await seed.do(room, told)
    page = await (await browser("operator")).get(f"/ui/runs/{RUN}")
    assert "clean ran on web1 2 min ago; again after 8 min." in page.said
    assert "Next step cooldown:" in page.said
    assert "kill switch yes" in page.said
    assert "cooldown no clean ran on web1" in page.said
    assert "Approved by ana, 1970-01-01 00:00:01 UTC" in page.said
    assert 'holds event.alert.name == "Full"' in page.said  # its tests, where there is no tree to join them


async def test_output_is_escaped_visible_and_bounded(
    room: Any, browser: Any, seed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await kept(room, "first\n<script>alert(1)</script>\n\x1b[31mred\u202e {{7*7}}\n\tend".encode())
    await seed(room, RUN, "failed", attempts=[("failed", '{"summary": "rc 4", "seconds": 1.5}', name)])
    made = await browser("operator")
    page = await made.get(f"/ui/runs/{RUN}")
    assert "first\n&lt;script&gt;alert(1)&lt;/script&gt;\n\\x1b[31mred\\u202e {{7*7}}\n\tend</pre>" in page.text
    assert "Attempt 1: failed in 2 s: rc 4" in page.said
    assert "<script" not in page.text
    monkeypatch.setattr(running, "OUTPUT_MAX", 10)
    page = await made.get(f"/ui/runs/{RUN}")
    assert "first" not in page.text
    assert "bytes before them" in page.said


async def test_what_runs_shows_what_it_printed_so_far(room: Any, browser: Any, seed: Any) -> None:
    await seed(room, RUN, "running", attempts=[("running", None, None)])
    room.live[f"{RUN}-1", "stdout"] = b"working"
    room.live[f"{RUN}-1", "stderr"] = b"\xff\xfe oops"
    page = await (await browser("operator")).get(f"/ui/runs/{RUN}?attempt=1")
    assert "working" in page.said
    assert "Standard error of attempt 1" in page.said
    assert "oops" in page.said
    assert (await (await browser("operator")).get(f"/ui/runs/{RUN}?attempt=x")).status == 400
    assert "Nothing was printed." in (await (await browser("operator")).get(f"/ui/runs/{RUN}?attempt=7")).said


async def test_its_records_of_the_audit(room: Any, browser: Any, seed: Any) -> None:
    await seed(room, RUN, "succeeded")

    def record(tx: Any) -> None:
        tx.audit("transition", actor="key:laptop = ana", run=RUN, old="queued", state="cancelled", detail="<b>\u202e")
        tx.audit("transition", actor="daemon", run="r-" + "b" * 26, state="other")

    await seed.do(room, record)
    page = await (await browser("auditor")).get(f"/ui/runs/{RUN}")
    assert "transition ana (API key laptop)" in page.said
    assert '"state": "cancelled"' in page.said
    assert "<b>\\u202e" in page.said
    assert "other" not in page.said


def test_lines_become_nested_lists() -> None:
    (top,) = running.branches(TREE, TESTS)
    assert (top.text, top.holds, [one.text for one in top.parts]) == ("and", False, [TESTS[0]["text"], "or"])
    assert [one.text for one in top.parts[1].parts] == [TESTS[1]["text"], TESTS[2]["text"]]
    assert [one.text for one in running.branches(None, TESTS)] == [one["text"] for one in TESTS]
    assert running.branches(None, None) == []
    deep: dict[str, Any] = {"kind": "test", "test": 0}
    for _ in range(300):
        deep = {"kind": "not", "holds": True, "parts": [deep]}
    assert len(running.branches(deep, TESTS)) == 1


def test_values_that_a_line_saw() -> None:
    test = {
        "text": 'event.list is selectattr("a")',
        "holds": True,
        "seen": [{"path": "event.list", "value": "x" * 500}],
    }
    (one,) = running.branches({"kind": "test", "test": 0, "element": {"at": 2, "value": {"a": 1}}}, [test])
    assert 'decided by [2] = {"a": 1}' in one.seen
    assert len(one.seen) < 300


@pytest.mark.parametrize(
    ("state", "shown"),
    [("failed", "succeeded left out"), ("rejected", "rejected left out"), ("deferred", "deferred left out")],
)
async def test_states_of_targets(room: Any, browser: Any, seed: Any, state: str, shown: str) -> None:
    await seed(room, RUN, state, targets=["host:web1", "host:web2"])

    def differ(tx: Any) -> None:
        tx.connection.execute(
            "UPDATE run_target SET state = CASE target WHEN 'host:web1' THEN 'succeeded' ELSE 'left_out' END"
        )

    await seed.do(room, differ)
    page = await (await browser("readonly")).get(f"/ui/runs/{RUN}")
    first, second = shown.split(" ", 1)
    assert f"host:web1 {first} host:web2 {second}" in page.said


async def test_a_run_that_waits_for_a_person_leads_to_its_request(room: Any, browser: Any, asked: Any) -> None:
    await asked()
    made = await browser("approver")
    assert f"/ui/approvals/{RUN}" in (await made.get(f"/ui/runs/{RUN}")).links
    assert "Request a-1" in (await made.get(f"/ui/approvals/{RUN}")).said
