"""Why an event or a run went as it did: every rule that heard of it, with stored verdicts and conditions evaluated again."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import orjson
import pytest

from healer import errors, explain, project, store
from healer.daemon import rules, standing
from healer.decide import alerts
from healer.store import asking, deciding, journal

S = 1_000_000
FILES = {
    "healer.yaml": "sources: {am: {healer.webhook: {path: am, auth: {none: true}}}}\n",
    "controllers.yaml": "controllers: {here: {type: local}}\ndefault: here\n",
    "actions.yaml": "actions: {note: {command: [logger], impact: low}}\n",
    "rulebooks/act.yml": """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - {name: disabled, condition: event.a == 1, enabled: false, action: {none: {}}}
    - {name: other, condition: event.a == 2 and event.h == "x", action: {none: {}}}
    - {name: quiet, condition: event.a == 1 and event.meta.source.name == "healer.api", throttle: {once_within: 1 minute, group_by_attributes: [event.a]}, action: {run_action: {name: note, target: localhost}}}
    - {name: late, condition: event.a == 1, action: {none: {}}}
- name: cycles
  hosts: all
  sources: [{healer.api: {}}]
  rules: [{name: again, condition: event.alert.cycle > 1, action: {none: {}}}]
- name: elsewhere
  hosts: all
  sources: [{healer.source: {name: am}}]
  rules: [{name: r, condition: event.a == 1, action: {none: {}}}]
""",
}


class Box:
    """Rules at work over a store in memory."""

    def __init__(self, folder: pathlib.Path) -> None:
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        loaded = project.load(folder, {})
        assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
        self.revision: project.Revision | None = loaded.revision
        self.now_us = 1_000 * S
        self.store = store.Store.open(None, lambda: self.now_us, loop=None)
        self.standing = standing.Standing(loaded.revision, standing.PauseFile(folder), "active")
        self.evaluator: Any = asyncio.run(rules.evaluator(self.store, loaded.revision, self.standing, alerts.Alerts()))
        self.store.writer.now(deciding.UseRevision(loaded.revision.id, "", "d", {}))
        self.position = 0

    def post(self, body: Any, *, decided: bool = True, **more: Any) -> deciding.Outcome | None:
        row = journal.Row(
            more.pop("kind", "event"), more.pop("source", "healer.api"), orjson.dumps(body), actor="key:ci", **more
        )
        self.store.writer.now(journal.Append([row]))
        if not decided:
            return None
        outcome = self.evaluator.evaluate(row) or deciding.Outcome(row.seq, row.at_us)
        unit = deciding.Decide(self.position, row.seq, row.at_us, 1, [outcome], self.standing.of_run)
        self.store.writer.now(unit)
        self.position = row.seq
        return outcome

    async def why(self, asked: str = "latest", rule: str | None = None) -> dict[str, Any]:
        async def revision_of(number: int) -> project.Revision | None:
            return self.revision

        async def decided_to() -> int:
            return self.position

        return await explain.explain(self.store, revision_of, decided_to, asked, rule)


@pytest.fixture
def box(tmp_path: pathlib.Path) -> Any:
    made = Box(tmp_path)
    yield made
    made.store.writer.close()


def reasons(told: dict[str, Any]) -> dict[str, Any]:
    return {one["rule"]: "fired" if one["fired"] else (one["reason"], one["taken_by"]) for one in told["rules"]}


async def test_each_rule_that_heard_of_the_event_says_why(box: Box) -> None:
    box.post({"a": 1})
    told = await box.why()
    assert reasons(told) == {
        "act/rs/quiet": "fired", "act/rs/disabled": ("disabled", None), "act/rs/other": ("no-match", None),
        "act/rs/late": ("taken", "quiet"), "act/cycles/again": ("no-match", None),
    }  # fmt: skip
    assert told["event"] == {
        "id": "e-2", "kind": "event", "source": "healer.api", "received_at_us": 1_000 * S, "received_at": "1970-01-01T00:16:40.000000Z",
        "actor": "key:ci", "event": {"a": 1},
    }  # fmt: skip


async def test_conditions_show_what_was_seen(box: Box) -> None:
    box.post({"a": 1, "h": "y"})
    told = await box.why(rule="other")
    (one,) = told["rules"]
    assert [(test["holds"], test["seen"][0]["path"], test["seen"][0].get("value")) for test in one["conditions"]] == [
        (False, "event.a", 1), (False, "event.h", "y"),
    ]  # fmt: skip


async def test_conditions_on_the_cycle_see_the_one_of_the_time(box: Box) -> None:
    for status in ("firing", "resolved", "firing"):
        box.post({"a": 7, "alert": {"key": "k", "status": status}})
    seen = []
    for event in ("e-2", "e-3", "e-4"):
        (one,) = (await box.why(event, rule="again"))["rules"]
        seen.append((one["fired"], one["conditions"][0]["seen"][0].get("value")))
    assert seen == [(False, 1), (False, 1), (True, 2)]


async def test_conditions_on_meta_see_the_meta_of_the_time(box: Box) -> None:
    box.post({"a": 5}, meta='{"endpoint": "/x"}')
    told = await box.why(rule="act/rs/quiet")
    (one,) = told["rules"]
    assert [(test["holds"], test["seen"][0].get("value")) for test in one["conditions"]] == [
        (False, 5),
        (True, "healer.api"),
    ]


async def test_a_rule_that_fired_has_its_gates_and_its_run(box: Box) -> None:
    outcome = box.post({"a": 1})
    assert outcome is not None
    (ask,) = [one for one in outcome.results if isinstance(one, asking.Ask)]
    (one,) = (await box.why(rule="quiet"))["rules"]
    assert (one["run"], one["state"], one["outcome"], one["action"]) == (ask.candidate.run, "queued", "queued", "note")
    assert one["gates"][0]["gate"] == "kill switch"
    assert all(gate["ok"] for gate in one["gates"])


async def test_a_gate_that_said_no_has_its_sentence(box: Box, tmp_path: pathlib.Path) -> None:
    (tmp_path / "PAUSE").write_text("release")
    outcome = box.post({"a": 1})
    assert outcome is not None
    (one,) = (await box.why(rule="quiet"))["rules"]
    assert (one["outcome"], one["reason"], one["next_step"]) == (
        "deferred",
        "paused",
        "remove the file PAUSE from the data directory",
    )
    assert one["sentence"].endswith("release.")
    run = await box.why(one["run"])
    assert [rule["rule"] for rule in run["rules"]] == ["act/rs/quiet"]
    assert run["rules"][0]["gates"][0]["sentence"] == one["sentence"]


async def test_a_window_that_is_closed(box: Box) -> None:
    box.post({"a": 1})
    box.post({"a": 1})
    assert reasons(await box.why())["act/rs/quiet"] == ("throttled", None)


async def test_an_event_that_is_not_decided_yet_says_so(box: Box) -> None:
    box.post({"a": 1}, decided=False)
    assert reasons(await box.why())["act/rs/quiet"] == ("not-decided-yet", None)


async def test_the_deciders_own_word_counts_before_the_store_has_it(box: Box) -> None:
    box.post({"a": 1})
    box.post({"a": 1}, decided=False)
    box.position += 1
    assert (await box.store.reader.all("decided_to"))[0]["seq"] < box.position
    assert reasons(await box.why())["act/rs/quiet"] == ("throttled", None)


async def test_an_event_that_a_ruleset_could_not_digest_says_so(box: Box) -> None:
    def poison(*args: Any) -> Any:
        raise ValueError("x")

    box.evaluator.running["act/rs"].session.post = poison
    box.post({"a": 1})
    assert reasons(await box.why())["act/rs/quiet"] == ("quarantined", None)


async def test_only_rulesets_that_listen_are_asked(box: Box) -> None:
    box.post({"a": 1}, source="am")
    assert reasons(await box.why()) == {"act/elsewhere/r": "fired"}
    (one,) = (await box.why())["rules"]
    assert one["conditions"][0]["holds"] is True


async def test_what_the_daemon_wrote_itself_is_not_the_latest_event(box: Box) -> None:
    box.post({"a": 1})
    box.post({}, kind="tick", source="healer")
    assert (await box.why())["event"]["id"] == "e-2"


async def test_a_later_look_shows_in_the_run(box: Box, tmp_path: pathlib.Path) -> None:
    (tmp_path / "PAUSE").write_text("release")
    box.post({"a": 1})
    run = (await box.why(rule="quiet"))["rules"][0]["run"]
    (tmp_path / "PAUSE").unlink()
    box.store.writer.tx.connection.execute("UPDATE run SET look_at_us = 1")
    box.post({}, kind="tick", source="healer")
    (one,) = (await box.why(run))["rules"]
    assert (one["state"], one["reason"], one["gates"][0]["ok"]) == ("queued", "", True)


async def test_without_the_files_of_the_revision_only_what_was_stored_is_told(box: Box) -> None:
    box.post({"a": 1})
    box.revision = None
    assert reasons(await box.why()) == {"act/rs/quiet": "fired"}


@pytest.mark.parametrize("body", [[1], "x", None])
async def test_what_is_no_object_was_heard_by_nobody(box: Box, body: Any) -> None:
    box.post(body)
    assert (await box.why())["rules"] == []


@pytest.mark.parametrize("asked", ["e-999", "e-x", "e-", "r-nobody", "", "x"])
async def test_what_is_not_there_is_told(box: Box, asked: str) -> None:
    with pytest.raises(errors.NotFound):
        await box.why(asked)


async def test_where_nothing_ever_came_there_is_no_latest(box: Box) -> None:
    with pytest.raises(errors.NotFound) as caught:
        await box.why()
    assert caught.value.try_ == "healer send FILE"
