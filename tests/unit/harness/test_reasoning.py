"""Why each rule fired or did not, of each event of a test: in the memory of that moment, with what its condition saw."""

from __future__ import annotations

import json

from healer import harness
from healer.harness import reasoning, telling

TEXT = """\
rulebook: web.yml
tests:
  - name: a
    steps:
      - {at: 0s, event: {half: left, slow: 9, region: eu}}
      - {at: 1m, event: {half: right}}
      - {at: 2m, event: {slow: 9, region: eu}}
    expect: [{fired: [two halves, slow in our region]}]
"""


def reasons(made, revision, text: str = TEXT, **options: bool) -> reasoning.Reasons:
    file = made / "rulebooks" / "why_test.yml"
    file.write_text(text)
    try:
        report = harness.run(made, revision, ["rulebooks/why_test.yml"], why=True, **options)
    finally:
        file.unlink()
    (result,) = report.results
    assert result.reasons is not None
    json.dumps(telling.as_json(result))
    return result.reasons


def of(found: reasoning.Reasons, rule: str) -> list[tuple[int, bool, str, bool | None]]:
    return [
        (one.at_us // 1_000_000, one.told["fired"], one.told["reason"], one.told["tree"]["holds"])
        for one in found.found if one.told["rule"] == f"web/web/{rule}"
    ]  # fmt: skip


def test_each_rule_of_each_event_in_the_memory_of_then(made, revision):
    found = reasons(made, revision)
    assert of(found, "two halves") == [
        (0, False, "taken", None),
        (60, False, "waits", None),
        (120, False, "no-match", False),
    ]
    assert of(found, "slow in our region") == [
        (0, True, "", True),
        (60, False, "no-match", False),
        (120, False, "throttled", True),
    ]
    assert len({one.event for one in found.found}) == 3
    assert not found.cut


def test_a_join_that_fires_shows_both_of_its_events(made, revision):
    found = reasons(made, revision, TEXT.replace("half: left, slow: 9, region: eu", "half: left"))
    told = [one.told for one in found.found if one.told["rule"] == "web/web/two halves"][1]
    assert (told["fired"], told["tree"]["holds"], [part["holds"] for part in told["tree"]["parts"]]) == (
        True,
        True,
        [True, True],
    )


def test_beside_coverage(made, revision):
    found = reasons(made, revision, covered=True)
    assert of(found, "slow in our region")[0] == (0, True, "", True)


def test_in_words(made, revision):
    shown = [*telling.why_lines(reasons(made, revision), plain=True)]
    at = shown.index("2m  e-4  web/web/slow in our region: did not fire: throttled")
    assert shown[at + 1 : at + 4] == [
        "  yes and", "    yes event.slow > 5    event.slow is 9", "    yes event.region == vars.region    event.region is eu, vars.region is eu",
    ]  # fmt: skip


def test_there_is_an_end(made, revision, monkeypatch):
    monkeypatch.setattr(reasoning, "REASONS_MAX", 3)
    found = reasons(made, revision)
    assert (len(found.found), found.cut) == (3, True)
    assert [*telling.why_lines(found)][-1] == "there is more: 3 are shown of a test at most"


TIMED = """\
- name: timed
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: alone
      condition: {not_all: [event.a == 1, event.b == 1], timeout: 5 seconds}
      action: {none: {}}
"""


def test_what_time_fires(tmp_path):
    from healer import project

    (tmp_path / "rulebooks").mkdir()
    (tmp_path / "rulebooks" / "timed.yml").write_text(TIMED)
    loaded = project.load(tmp_path, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    text = "rulebook: timed.yml\ntests: [{name: a, steps: [{event: {a: 1}}], expect: [{at: 1m, fired: [alone]}]}]\n"
    found = reasons(tmp_path, loaded.revision, text)
    assert [(one.event, one.told["fired"], one.told["reason"]) for one in found.found] == [
        ("e-2", False, "alone"),
        ("", True, "time"),
    ]
    assert found.found[1].told["tree"]["holds"] is True
    assert "5s  timed/timed/alone: fired by time" in [*telling.why_lines(found)]
