"""Why an event or a run went as it did: every rule that heard of it, with stored verdicts and conditions evaluated again."""

from __future__ import annotations

import pathlib
from typing import Any

import orjson
import pytest

from healer import errors, explain
from healer.store import asking

S = 1_000_000


def reasons(told: dict[str, Any]) -> dict[str, Any]:
    return {one["rule"]: "fired" if one["fired"] else (one["reason"], one["taken_by"]) for one in told["rules"]}


async def test_each_rule_that_heard_of_the_event_says_why(box: Any) -> None:
    box.post({"a": 1})
    told = await box.why()
    assert reasons(told) == {
        "act/rs/quiet": "fired", "act/rs/disabled": ("disabled", None), "act/rs/other": ("no-match", None),
        "act/rs/late": ("taken", "quiet"), "act/cycles/again": ("no-match", None),
    }  # fmt: skip
    assert told["event"] == {
        "id": "e-2", "kind": "event", "source": "healer.api", "received_at_us": 1_000 * S, "received_at": "1970-01-01T00:16:40.000000Z",
        "actor": "key:ci", "decided": True, "event": {"a": 1},
    }  # fmt: skip


async def test_conditions_show_what_was_seen(box: Any) -> None:
    box.post({"a": 1, "h": "y"})
    told = await box.why(rule="other")
    (one,) = told["rules"]
    assert [(test["holds"], test["seen"][0]["path"], test["seen"][0].get("value")) for test in one["conditions"]] == [
        (False, "event.a", 1), (False, "event.h", "y"),
    ]  # fmt: skip


async def test_conditions_on_the_cycle_see_the_one_of_the_time(box: Any) -> None:
    for status in ("firing", "resolved", "firing"):
        box.post({"a": 7, "alert": {"key": "k", "status": status}})
    seen = []
    for event in ("e-2", "e-3", "e-4"):
        (one,) = (await box.why(event, rule="again"))["rules"]
        seen.append((one["fired"], one["conditions"][0]["seen"][0].get("value")))
    assert seen == [(False, 1), (False, 1), (True, 2)]


async def test_conditions_on_meta_see_the_meta_of_the_time(box: Any) -> None:
    box.post({"a": 5}, meta='{"endpoint": "/x"}')
    told = await box.why(rule="act/rs/quiet")
    (one,) = told["rules"]
    assert [(test["holds"], test["seen"][0].get("value")) for test in one["conditions"]] == [
        (False, 5),
        (True, "healer.api"),
    ]


async def test_a_rule_that_fired_has_its_gates_and_its_run(box: Any) -> None:
    outcome = box.post({"a": 1})
    assert outcome is not None
    (ask,) = [one for one in outcome.results if isinstance(one, asking.Ask)]
    (one,) = (await box.why(rule="quiet"))["rules"]
    assert (one["run"], one["state"], one["outcome"], one["action"]) == (ask.candidate.run, "queued", "queued", "note")
    assert one["gates"][0]["gate"] == "kill switch"
    assert all(gate["ok"] for gate in one["gates"])


async def test_a_gate_that_said_no_has_its_sentence(box: Any, tmp_path: pathlib.Path) -> None:
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


async def test_a_window_that_is_closed(box: Any) -> None:
    box.post({"a": 1})
    box.post({"a": 1})
    assert reasons(await box.why())["act/rs/quiet"] == ("throttled", None)


async def test_whether_an_event_is_decided_can_be_asked_without_its_rules(box: Any) -> None:
    box.post({"a": 1})
    box.post({"a": 1}, decided=False)
    told = [await box.why(asked, rule=explain.NO_RULE) for asked in ("e-2", "e-3")]
    assert [(one["event"]["decided"], one["rules"]) for one in told] == [(True, []), (False, [])]


async def test_an_event_that_is_not_decided_yet_says_so(box: Any) -> None:
    box.post({"a": 1}, decided=False)
    assert reasons(await box.why())["act/rs/quiet"] == ("not-decided-yet", None)


async def test_the_deciders_own_word_counts_before_the_store_has_it(box: Any) -> None:
    box.post({"a": 1})
    box.post({"a": 1}, decided=False)
    box.position += 1
    assert (await box.store.reader.all("decided_to"))[0]["seq"] < box.position
    assert reasons(await box.why())["act/rs/quiet"] == ("throttled", None)


async def test_an_event_that_a_ruleset_could_not_digest_says_so(box: Any) -> None:
    def poison(*args: Any) -> Any:
        raise ValueError("x")

    box.evaluator.running["act/rs"].session.post = poison
    box.post({"a": 1})
    assert reasons(await box.why())["act/rs/quiet"] == ("quarantined", None)


async def test_only_rulesets_that_listen_are_asked(box: Any) -> None:
    box.post({"a": 1}, source="am")
    assert reasons(await box.why()) == {"act/elsewhere/r": "fired"}
    (one,) = (await box.why())["rules"]
    assert one["conditions"][0]["holds"] is True


async def test_what_the_daemon_wrote_itself_is_not_the_latest_event(box: Any) -> None:
    box.post({"a": 1})
    box.post({}, kind="tick", source="healer")
    assert (await box.why())["event"]["id"] == "e-2"


async def test_the_look_that_let_it_act_is_shown_and_what_it_waited_for(box: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "PAUSE").write_text("release")
    box.post({"a": 1})
    first = (await box.why("e-2", rule="quiet"))["rules"][0]
    assert (first["since"], first["looked_at"], first["waited"]) == ("1970-01-01T00:16:40.000000Z", None, [])
    box.look(5)
    still = (await box.why("e-2", rule="quiet"))["rules"][0]
    assert still == first | {"looked_at": "1970-01-01T00:16:45.000000Z"}
    (tmp_path / "PAUSE").unlink()
    box.look(5)
    box.claim(2)
    of_event, of_run = [(await box.why(asked, rule="quiet"))["rules"] for asked in ("e-2", first["run"])]
    assert of_event == of_run
    (one,) = of_event
    assert (one["outcome"], one["state"], one["reason"], one["since"]) == ("deferred", "running", "", None)
    assert all(gate["ok"] for gate in one["gates"])
    assert one["looked_at"] == "1970-01-01T00:16:52.000000Z"
    assert one["waited"] == [{
        "code": "paused", "sentence": first["sentence"], "since": "1970-01-01T00:16:40.000000Z", "until": "1970-01-01T00:16:50.000000Z",
    }]  # fmt: skip


async def test_a_repeat_keeps_its_own_no(box: Any) -> None:
    alert = {"a": 1, "alert": {"key": "k", "status": "firing"}}
    box.post(alert)
    box.now_us += 61 * S
    box.post(alert)
    box.claim(1)
    first, again = [(await box.why(asked, rule="quiet"))["rules"][0] for asked in ("e-2", "e-3")]
    assert first["run"] == again["run"]
    assert (again["state"], again["reason"]) == ("running", "duplicate")
    assert [gate["code"] for gate in again["gates"] if not gate["ok"]] == ["duplicate"]
    assert (first["reason"], again["decided_again"], first["decided_again"]) == ("", None, None)


async def test_a_run_that_has_ended_says_how(box: Any) -> None:
    box.post({"a": 1})
    box.finish(box.claim(1)[0], "failed")
    one = (await box.why("e-2", rule="quiet"))["rules"][0]
    row = box.store.writer.tx.connection.execute("SELECT detail FROM run").fetchone()
    assert (one["state"], one["sentence"]) == ("failed", orjson.loads(row[0])["summary"])
    assert one["sentence"]


async def test_what_a_later_event_decided_again_says_where(box: Any) -> None:
    alert = {"a": 1, "alert": {"key": "k", "status": "firing"}}
    box.post(alert)
    box.finish(box.claim(1)[0], "failed")
    box.now_us += 2_000 * S
    box.post(alert)
    first, again = [(await box.why(asked, rule="quiet"))["rules"][0] for asked in ("e-2", "e-3")]
    assert (first["decided_again"], again["decided_again"]) == ("e-3", None)
    assert (again["state"], again["outcome"]) == ("queued", "queued")


async def test_without_the_files_of_the_revision_only_what_was_stored_is_told(box: Any) -> None:
    box.post({"a": 1})
    box.revision = None
    assert reasons(await box.why()) == {"act/rs/quiet": "fired"}


@pytest.mark.parametrize("body", [[1], "x", None])
async def test_what_is_no_object_was_heard_by_nobody(box: Any, body: Any) -> None:
    box.post(body)
    assert (await box.why())["rules"] == []


@pytest.mark.parametrize("asked", ["e-999", "e-x", "e-", "r-nobody", "", "x"])
async def test_what_is_not_there_is_told(box: Any, asked: str) -> None:
    with pytest.raises(errors.NotFound):
        await box.why(asked)


async def test_where_nothing_ever_came_there_is_no_latest(box: Any) -> None:
    with pytest.raises(errors.NotFound) as caught:
        await box.why()
    assert caught.value.try_ == "healer send FILE"
