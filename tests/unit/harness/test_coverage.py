"""What tests have seen of rules: firing, both sides of each comparison, what the gates said."""

from __future__ import annotations

from healer import harness
from healer.harness import coverage

DOWN = "event: {alert: {name: Down, target: web1, key: k1, status: firing}}"
TEXT = f"""\
rulebook: web.yml
tests:
  - name: a
    steps:
      - {{at: 0s, {DOWN}}}
      - {{at: 1m, event: {{alert: {{name: Down, target: web1, key: k2, status: firing}}}}}}
      - {{at: 2m, event: {{half: left}}}}
      - {{at: 3m, event: {{half: right}}}}
    expect: [{{fired: [{{rule: down, times: 2}}, two halves]}}]
"""


def of(made, revision, text: str = TEXT) -> coverage.Coverage:
    file = made / "rulebooks" / "cover_test.yml"
    file.write_text(text)
    try:
        report = harness.run(made, revision, ["rulebooks/cover_test.yml"], covered=True)
    finally:
        file.unlink()
    assert report.ok
    assert report.coverage is not None
    return report.coverage


def test_what_was_seen_and_what_not(made, revision):
    found = of(made, revision)
    down, halves, echo = (found.rules[f"web/web/{name}"] for name in ("down", "two halves", "echo"))
    assert (down.fired, halves.fired, echo.fired) == (2, 1, 0)
    assert dict(down.held) == {("restart", "cooldown"): 1}
    assert [(one.text, sorted(one.seen)) for one in down.comparisons] == [
        ('event.alert.name == "Down"', [False, True]),
        ("event.alert.key is defined", [False, True]),
        ('event.alert.status == "firing"', [False, True]),
    ]
    assert [sorted(one.seen) for one in halves.comparisons] == [[False, True], [False, True]]
    missing = found.missing()
    assert (echo.place, "the rule web/web/echo never fires") in missing
    assert any(what == "never true: event.echo is defined" for _, what in missing)
    assert not any("web/web/down" in what or "halves" in what for _, what in missing if "held by" not in what)
    assert down.gates == (("restart", "cooldown"),)
    assert (down.total, down.covered) == (8, 8)
    assert (halves.place, "never held by cooldown: page of the rule web/web/two halves") in missing
    assert all(place.startswith("rulebooks/") and place.count(":") == 2 for place, _ in missing)
    assert 0 < found.percent < 100


def test_json_and_table_say_the_same(made, revision):
    found = of(made, revision)
    made_ = found.as_json()
    assert made_["percent"] == round(found.percent, 1)
    assert len(made_["missing"]) == len(found.missing())
    (down,) = (one for one in made_["rules"] if one["rule"] == "web/web/down")
    assert down["gates"] == [{"action": "restart", "reason": "cooldown", "count": 1}]
    assert all(one["true"] and one["false"] for one in down["conditions"])


def test_nothing_is_covered_by_no_test(made, revision):
    found = coverage.Coverage(revision)
    assert found.percent == 0
    assert sum(one.total for one in found.rules.values()) == len(found.missing())


def test_looking_changes_nothing(made, revision, play):
    assert of(made, revision).rules
    assert play(TEXT).ok


def test_a_gate_that_no_test_has_met_is_told_and_counts(made, revision):
    text = TEXT.replace("key: k2, status: firing", "key: k2, status: resolved").replace(
        "{rule: down, times: 2}", "down"
    )
    found = of(made, revision, text)
    down = found.rules["web/web/down"]
    assert (down.met, len(down.gates), down.covered) == (0, 1, down.total - 1)
    assert (down.place, "never held by cooldown: restart of the rule web/web/down") in found.missing()
    assert {"action": "restart", "reason": "cooldown", "count": 0} in found.as_json()["rules"][0]["gates"]
