"""What a person reads when an expectation does not hold: golden texts, a test for each kind of difference."""

from __future__ import annotations

import json

import pytest

from healer.harness import telling

DOWN = "event: {alert: {name: Down, target: web1, key: k1, status: firing}}"
CASES = {
    "another outcome": (f"steps: [{{outcome: {{action: restart, status: failed, summary: no such unit}}}}, {{{DOWN}}}]\n"
                        "    expect: [{runs: [{rule: down, action: restart, target: web2, status: succeeded}]}]", """
rulebooks/case_test.yml:5:15: runs up to 0s
  expected      {rule: down, action: restart, target: web2, status: succeeded}
  got           {rule: web/web/down, action: restart, target: host:web1, status: failed}
              ^ target: wanted web2, got host:web1
              ^ status: wanted succeeded, got failed
                no such unit
  what rules and gates said
    0s  e-2  web/web/down: restart queued, now failed
"""),
    "nothing may run, and something did": (f"steps: [{{{DOWN}}}]\n    expect: [{{at: 1m, runs: []}}]", """
rulebooks/case_test.yml:5:23: runs up to 1m
  not expected  {rule: web/web/down, action: restart, target: host:web1, status: succeeded, reason: unverified}
                faked: succeeded
  what rules and gates said
    0s  e-2  web/web/down: restart queued, now succeeded
"""),
    "a parameter is another": (f"steps: [{{{DOWN}}}]\n    expect: [{{at: 1m, runs: [{{rule: down, parameters: {{service: 3}}}}]}}]", """
rulebooks/case_test.yml:5:23: runs up to 1m
  expected      {rule: down, parameters: {service: 3}}
  got           {rule: web/web/down, action: restart, target: host:web1, parameters: {service: shop}, status: succeeded, reason: unverified}
              ^ parameters: wanted {service: 3}, got {service: shop}
                faked: succeeded
  what rules and gates said
    0s  e-2  web/web/down: restart queued, now succeeded
"""),
    "a gate held it": (f"steps: [{{{DOWN}}}, {{at: 1m, event: {{alert: {{name: Down, target: web1, key: k2, status: firing}}}}}}]\n"
                       "    expect: [{at: 1m, until: 5m, runs: [{rule: down, status: succeeded}]}]", """
rulebooks/case_test.yml:5:34: runs from 1m to 5m
  expected      {rule: down, status: succeeded}
  got           {rule: web/web/down, action: restart, target: host:web1, status: deferred, reason: cooldown}
              ^ status: wanted succeeded, got deferred
                restart ran on host:web1 60 s ago; again after 9 min.
  what rules and gates said
    0s  e-2  web/web/down: restart queued, now succeeded
    1m  e-3  web/web/down: restart deferred by cooldown: restart ran on host:web1 60 s ago; again after 9 min.
"""),
    "a pause held it and it went on": (f"steps: [{{pause: {{scope: all, for: 1h}}}}, {{at: 1s, {DOWN}}}, {{at: 5m, resume: {{scope: all}}}}]\n"
                                       "    expect: [{at: 6m, runs: []}]", """
rulebooks/case_test.yml:5:23: runs up to 6m
  not expected  {rule: web/web/down, action: restart, target: host:web1, status: succeeded, reason: unverified}
                faked: succeeded
  what rules and gates said
    1s  e-2  web/web/down: restart deferred by paused, now succeeded
"""),
    "the rule did not fire": ("steps: [{at: 5s, event: {alert: {name: Down, target: web1, status: firing}}}]\n"
                              "    expect: [{at: 2h, runs: [{rule: down}]}]", """
rulebooks/case_test.yml:5:23: runs up to 2h
  expected      {rule: down}
  got           nothing like it
  what rules and gates said
    5s  e-2  web/web/down: did not fire: no-match
      ✗ and
        ✓ event.alert.name == "Down"    event.alert.name is Down
        ✗ event.alert.key is defined    event.alert.key is not there
        · event.alert.status == "firing"    event.alert.status is firing
"""),
    "no rule is named and none fired": ("steps: [{event: {slow: 3, region: eu}}]\n    expect: [{runs: [{action: page}]}]", """
rulebooks/case_test.yml:5:15: runs up to 0s
  expected      {action: page}
  got           nothing like it
  what rules and gates said
    0s  e-2  web/web/slow in our region: did not fire: no-match
      ✗ and
        ✗ event.slow > 5    event.slow is 3
        · event.region == vars.region    event.region is eu, vars.region is eu
    0s  e-2  web/web/two halves: did not fire: no-match
      ✗ all
        ✗ event.half == "left"    event.half is not there
        ✗ event.half == "right"    event.half is not there
    0s  e-2  web/web/office hours: did not fire: no-match
      ✗ event.office is defined    event.office is not there
"""),
    "how often it fired": (f"steps: [{{{DOWN}, times: 3, every: 1s}}]\n    expect: [{{fired: [down, {{rule: echo, times: 2}}]}}]", """
rulebooks/case_test.yml:5:15: fired up to 2s
  expected      {rule: down, times: 1}
  got           {rule: web/web/down, times: 3}
              ^ times: wanted 1, got 3
  expected      {rule: echo, times: 2}
  got           nothing like it
  what rules and gates said
    0s  e-2  web/web/down: restart queued, now succeeded
    1s … 2s (2 times)  e-3  web/web/down: restart suppressed by duplicate: Already being healed by r-00mdj6 in this firing (succeeded).
    0s … 2s (3 times)  e-2  web/web/echo: did not fire: no-match
      ✗ event.echo is defined    event.echo is not there
"""),
    "how many decisions": (f"steps: [{{{DOWN}, times: 3, every: 1s}}]\n"
                           "    expect: [{decisions: [{reason: duplicate, count: 3}, {rule: down, reason: paused}]}]", """
rulebooks/case_test.yml:5:15: decisions up to 2s
  expected      {reason: duplicate, count: 3}
  got           {reason: duplicate, count: 2}
              ^ count: wanted 3, got 2
  expected      {rule: down, reason: paused}
  got           {rule: web/web/down, action: restart, outcome: queued, reason: ""}
              ^ reason: wanted paused, got ""
  what rules and gates said
    0s  e-2  web/web/down: restart queued, now succeeded
    1s … 2s (2 times)  e-3  web/web/down: restart suppressed by duplicate: Already being healed by r-00mdj6 in this firing (succeeded).
"""),
    "facts, alerts and requests": (f"steps: [{{event: {{remember: x}}}}, {{{DOWN}}}]\n"
                                   "    expect: [{facts: [{kept: z}], alerts: [{key: k2}], approvals: [{rule: down}]}]", """
rulebooks/case_test.yml:5:56: approvals up to 0s
  expected      {rule: down}
  got           nothing like it
  what rules and gates said
    0s  e-4  web/web/down: restart queued, now succeeded
rulebooks/case_test.yml:5:15: facts at 0s
  expected      {fact: {kept: z}}
  got           {fact: {kept: x}}
              ^ fact.kept: wanted z, got x
rulebooks/case_test.yml:5:35: alerts at 0s
  expected      {status: firing, key: k2}
  got           {key: k1, status: firing}
              ^ key: wanted k2, got k1
"""),
    "the nearest of several facts": ("steps: [{event: {remember: x}}, {fact: {host: web1, kept: x, at: {rack: 2}}, ruleset: web}]\n"
                                     "    expect: [{facts: [{kept: x, host: web2, at: {rack: 3}, up: true}, {kept: x}]}]", """
rulebooks/case_test.yml:5:15: facts at 0s
  expected      {fact: {kept: x, host: web2, at: {rack: 3}, up: true}}
  got           {fact: {at: {rack: 2}, host: web1, kept: x}}
              ^ fact.host: wanted web2, got web1
              ^ fact.at.rack: wanted 3, got 2
              ^ fact.up: wanted true, got none
"""),
    "a vague entry takes what is left": ("steps: [{fact: {host: web1, kept: x, up: true}, ruleset: web}, {event: {remember: x}}]\n"
                                         "    expect: [{facts: [{}, {kept: x, up: true, host: web2}]}]", """
rulebooks/case_test.yml:5:15: facts at 0s
  expected      {fact: {kept: x, up: true, host: web2}}
  got           {fact: {host: web1, kept: x, up: true}}
              ^ fact.host: wanted web2, got web1
"""),
    "a fact that is not kept": ("steps: [{fact: {other: x, n: 1}, ruleset: web}]\n    expect: [{facts: [{other: x}, {nobody: 1}]}]", """
rulebooks/case_test.yml:5:15: facts at 0s
  expected      {fact: {other: x}}
  got           {fact: {n: 1, other: x}}
                It is not kept: it passes no condition of web/web.
  expected      {fact: {nobody: 1}}
  got           nothing like it
"""),
    "a fact of another kind": ("steps: [{event: {remember: x}}]\n    expect: [{facts: [{host: web1}]}]", """
rulebooks/case_test.yml:5:15: facts at 0s
  expected      {fact: {host: web1}}
  got           nothing like it
  not expected  {fact: {kept: x}}
"""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_golden(play, name):
    test, said = CASES[name]
    (result,) = play(f"tests:\n  - name: {name}\n    {test}\n").results
    assert result.verdict == "failed"
    assert "\n" + "\n".join(telling.lines(result)) + "\n" == said


@pytest.mark.parametrize(("at_us", "text"), [
    (0, "0s"), (1_500_000, "1.5s"), (60_000_000, "1m"), (61_000_000, "1m 1s"), (3_600_000_000, "1h"), (90_061_000_000, "1d 1h 1m 1s"),
])  # fmt: skip
def test_moments(at_us, text):
    assert telling.moment(at_us) == text


@pytest.mark.parametrize(("value", "text"), [
    ("disk is full", "disk is full"), ("host:web1", "host:web1"), ("a: b", '"a: b"'), ("", '""'), ("true", '"true"'), ("it's\n", '"it\'s\\n"'),
    ("3", '"3"'), ("-1.5e3", '"-1.5e3"'), ("0x1F", '"0x1F"'), ("3 per minute", "3 per minute"), ("1.2.3.4", "1.2.3.4"), (True, "true"), (None, "null"), (5, "5"), ([1, "a"], "[1, a]"), ({"a": {"b": 1}}, "{a: {b: 1}}"), ("x" * 400, "x" * 299 + "…"),
])  # fmt: skip
def test_values_as_yaml_has_them(value, text):
    shown = telling.value(value)
    assert shown == text or (len(shown) == 300 and shown.endswith("…"))


def test_json_says_the_same(play):
    (result,) = play(
        f"tests:\n  - name: a\n    steps: [{{{DOWN}}}]\n    expect: [{{at: 1m, runs: [{{rule: down, status: failed}}]}}]\n"
    ).results
    made = telling.as_json(result)
    json.dumps(made)
    (difference,) = made["differences"]
    (entry,) = difference["entries"]
    assert (made["verdict"], difference["kind"], difference["to_s"], entry["differs"]) == (
        "failed",
        "runs",
        60.0,
        ["status"],
    )
    assert (entry["expected"], entry["got"]["status"]) == ({"rule": "down", "status": "failed"}, "succeeded")
    assert difference["said"][0]["rule"] == "web/web/down"
