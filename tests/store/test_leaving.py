"""What is left alone for now, in rows: other alerts that explain it, silences, the time to settle, coming and going."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from healer import policy
from healer.policy import labels, limits
from healer.store import deciding

S = 1_000_000
WIDE = policy.Limits(timeout_s=10, attempts=99)


def only(decided: Any) -> str:
    (run,) = decided.runs
    return str(run)


NODE = labels.Inhibition((("alertname", "NodeDown"),), (("alertname", "ServiceDown"),), ("instance",))


def word(key: str, name: str, firing: bool = True, opens: bool = True, **more: str) -> deciding.AlertWord:
    found = {"alertname": name, "source": "am", **more}
    explains = [(NODE.digest, NODE.shared(found))] if NODE.explains(found) else []
    return deciding.AlertWord("am", key, 1, firing, opens, 10**12, name, "", "critical", "", found, explains)


def service(kit: Any, key: str = "svc", instance: str = "web1", name: str = "ServiceDown", **more: Any) -> str:
    alert = word(key, name, instance=instance)
    asked = kit.asked(
        key,
        f"host:{key}",
        limits=more.pop("limits", WIDE),
        lifecycle=True,
        labels=alert.labels,
        alerts=[("am", key, 1, True)],
    )
    return only(kit.decide(asked, alerts=[alert]))


@pytest.fixture
def inhibiting(kit: Any) -> Any:
    kit.standing = dataclasses.replace(kit.standing, inhibitions=(NODE,))
    return kit


@pytest.mark.parametrize("ends", ["resolved", "expired"])
def test_what_another_alert_explains_is_looked_at_when_that_ends(inhibiting: Any, ends: str) -> None:
    kit = inhibiting
    kit.decide(alerts=[word("node", "NodeDown", instance="web1")])
    run, other = service(kit), service(kit, "svc2", "web2")
    assert (kit.state_of(run), kit.state_of(other)[0]) == (("deferred", "inhibited"), "queued")
    assert kit.rows("SELECT json_extract(detail, '$.alert') FROM run WHERE id = ?", run) == [("NodeDown of am",)]
    kit.now_us += S
    if ends == "resolved":
        kit.decide(alerts=[word("node", "NodeDown", firing=False, opens=False, instance="web1")])
    else:
        kit.decide(expired=[("am", "node")])
    assert kit.rows("SELECT count(*) FROM inhibitor") == [(0,)]
    assert kit.decide(look=True).runs == {run: "queued"}


def test_what_comes_after_the_decision_holds_it_just_before_the_effect(inhibiting: Any) -> None:
    kit = inhibiting
    run = service(kit)
    kit.decide(alerts=[word("node", "NodeDown", instance="web1")])
    assert (kit.claim().claimed, kit.state_of(run)) == ([], ("deferred", "inhibited"))


def test_no_alert_explains_itself_and_no_two_explain_each_other(kit: Any) -> None:
    both = labels.Inhibition((("severity", "critical"),), (("severity", "critical"),), ())
    kit.standing = dataclasses.replace(kit.standing, inhibitions=(both,))
    for key in ("one", "two"):
        alert = word(key, "Any", severity="critical")
        alert.explains = [(both.digest, both.shared(alert.labels))]
        asked = kit.asked(
            key, f"host:{key}", limits=WIDE, lifecycle=True, labels=alert.labels, alerts=[("am", key, 1, True)]
        )
        assert list(kit.decide(asked, alerts=[alert]).runs.values()) == ["queued"]
    assert len(kit.claim().claimed) == 2


def test_rules_of_inhibition_that_come_with_a_reload_know_what_fires(inhibiting: Any) -> None:
    kit = inhibiting
    kit.decide(alerts=[dataclasses.replace(word("node", "NodeDown", instance="web1"), explains=[])])
    assert kit.state_of(service(kit))[0] == "queued"
    row, _ = kit.do(deciding.UseRevision("a" * 64, "", "os:ana", {}, (NODE,)))
    kit.do(deciding.Decide(kit.position, row.seq, kit.now_us, kit.revision, [], lambda _: kit.standing))
    kit.position = row.seq
    assert kit.rows("SELECT source, key, name FROM inhibitor") == [("am", "node", "NodeDown of am")]
    assert kit.state_of(service(kit, "svc3"))[0] == "deferred"
    kit.do(deciding.UseRevision("b" * 64, "", "os:ana", {}, ()))
    assert kit.rows("SELECT count(*) FROM inhibitor") == [(0,)]


def test_an_alert_settles_from_its_last_opening_on(kit: Any) -> None:
    settle = dataclasses.replace(WIDE, settle_s=60)
    run = service(kit, limits=settle)
    assert kit.state_of(run) == ("deferred", "settling")
    assert kit.rows("SELECT look_at_us FROM run WHERE id = ?", run) == [(kit.now_us + 60 * S,)]
    kit.now_us += 30 * S
    kit.decide(alerts=[word("svc", "ServiceDown", firing=False, opens=False)])
    assert kit.state_of(run) == ("withdrawn", "resolved")
    again = service(kit, limits=settle)
    assert kit.rows("SELECT look_at_us FROM run WHERE id = ?", again) == [(kit.now_us + 60 * S,)]
    kit.now_us += 60 * S
    assert kit.decide(look=True).runs == {again: "queued"}


def test_an_alert_that_comes_and_goes_is_a_persons(kit: Any) -> None:
    flapping = dataclasses.replace(WIDE, flapping=(limits.Flapping(3, 3600),))
    seen = []
    for _ in range(3):
        seen.append(kit.state_of(service(kit, limits=flapping)))
        kit.now_us += S
        kit.decide(alerts=[word("svc", "ServiceDown", firing=False, opens=False)])
        kit.now_us += S
        kit.claim()
    assert [one for one, _ in seen] == ["queued", "queued", "awaiting_approval"]
    assert kit.state_of(kit.rows("SELECT id FROM run")[0][0]) == ("withdrawn", "resolved")


def test_a_silence_holds_what_it_covers_until_its_end(kit: Any) -> None:
    kit.connection.execute(
        "INSERT INTO silence (id, matchers, from_us, until_us, who, comment, created_us) VALUES ('s-1', ?, 0, ?, 'ana', 'release', 0)",
        (json.dumps(["alertname=ServiceDown"]), kit.now_us + 60 * S),
    )
    run, other = service(kit), service(kit, "x", name="Other")
    assert (kit.state_of(run), kit.state_of(other)[0]) == (("deferred", "silenced"), "queued")
    kit.now_us += 60 * S
    assert kit.decide(look=True).runs == {run: "queued"}
