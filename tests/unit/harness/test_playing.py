"""Whole tests over a project with something of everything: each act does what the daemon would do, each expectation looks at it."""

from __future__ import annotations

import pathlib

import pytest

from healer import harness
from healer.harness import rig, telling, virtual


def fine(run: harness.Run) -> None:
    """Everything passed."""
    said = [str(one) for one in run.suite.diagnostics] + [line for one in run.results for line in telling.lines(one)]
    assert run.ok, "\n".join(said)
    assert run.results


DOWN = "event: {alert: {name: Down, target: web1, key: k1, status: firing}}"
BREACH = "event: {alert: {name: Breach, target: web1, key: b1, status: firing}}"


def test_an_alert_runs_its_action_once(play):
    fine(
        play(f"""\
tests:
  - name: once
    steps:
      - {{at: 0s, {DOWN}}}
      - {{at: 10s, {DOWN}, times: 3, every: 10s}}
    expect:
      - {{at: 0s, runs: [{{rule: down, action: restart, target: web1, parameters: {{service: shop}}, status: succeeded}}]}}
      - {{at: 1s, until: 1m, runs: []}}
      - {{at: 1m, decisions: [{{reason: duplicate, count: 3}}, {{reason: cooldown, count: 0}}], alerts: [{{key: k1, cycle: 1}}]}}
""")
    )


def test_a_second_alert_of_the_host_waits_for_the_cooldown_and_is_withdrawn_when_it_is_over(play):
    fine(
        play(f"""\
tests:
  - name: cooldown
    steps:
      - {{at: 0s, {DOWN}}}
      - {{at: 1m, event: {{alert: {{name: Down, target: web1, key: k2, status: firing}}}}}}
      - {{at: 2m, event: {{alert: {{name: Down, target: web1, key: k3, status: firing}}}}}}
      - {{at: 3m, event: {{alert: {{name: Down, target: web1, key: k3, status: resolved}}}}}}
    expect:
      - {{at: 1m, runs: [{{status: succeeded}}, {{status: deferred, reason: cooldown}}]}}
      - {{at: 9m, runs: [{{status: succeeded}}, {{status: withdrawn, reason: resolved}}]}}
      - {{at: 9m, until: 11m, runs: [{{rule: down, target: web1, status: succeeded}}]}}
""")
    )


def test_what_fails_escalates_after_its_time(play):
    fine(
        play(f"""\
tests:
  - name: escalation
    steps:
      - {{at: 0s, outcome: {{action: restart, status: failed, summary: no such unit}}}}
      - {{at: 0s, {DOWN}}}
    expect:
      - {{at: 30s, runs: [{{action: restart, status: failed}}, {{action: reboot, status: deferred, reason: escalation}}]}}
      - {{at: 2m, runs: [{{action: restart}}, {{action: reboot, target: web1, status: succeeded}}]}}
""")
    )


def test_an_effect_takes_its_time_and_ends_at_its_deadline(play):
    fine(
        play(f"""\
tests:
  - name: long
    steps:
      - {{outcome: {{action: restart, after: 30s}}}}
      - {{{DOWN}}}
      - {{at: 5m, outcome: {{action: restart, after: 2m}}}}
      - {{at: 5m, event: {{alert: {{name: Down, target: db1, key: k2, status: firing}}}}}}
    expect:
      - {{at: 29s, runs: [{{status: running}}]}}
      - {{at: 30s, runs: [{{status: succeeded}}]}}
      - {{at: 5m, until: 6m, runs: [{{target: db1, status: timed_out}}]}}
""")
    )


def test_people_approve_reject_and_may_not(play):
    fine(
        play(f"""\
tests:
  - name: approved
    steps:
      - {{at: 0s, {BREACH}}}
      - {{at: 1m, approve: {{action: risky, by: bob, refused: true}}}}
      - {{at: 2m, approve: {{rule: breach, by: ana}}}}
    expect:
      - {{at: 1m, runs: [{{action: risky, status: awaiting_approval, reason: needs_approval}}], approvals: [{{action: risky, target: web1, state: open}}]}}
      - {{at: 2m, runs: [{{rule: breach, status: succeeded}}], approvals: [{{state: approved}}]}}
  - name: rejected
    steps:
      - {{at: 0s, {BREACH}}}
      - {{at: 1m, reject: {{action: risky, by: ana, reason: not now}}}}
    expect: [{{runs: [{{status: rejected}}], approvals: [{{state: rejected}}]}}]
  - name: expired
    steps: [{{at: 0s, {BREACH}}}]
    expect: [{{at: 1h, runs: [{{status: expired}}], approvals: [{{state: expired}}]}}]
  - name: who asked for it may not
    steps:
      - {{at: 0s, by: ana, {BREACH}}}
      - {{at: 1m, approve: {{action: risky, by: ana, refused: true}}}}
    expect: [{{runs: [{{status: awaiting_approval}}]}}]
""")
    )


def test_settings_are_those_of_the_test(play):
    fine(
        play(f"""\
tests:
  - name: production asks
    settings: {{environment: prod}}
    steps: [{{{DOWN}}}]
    expect: [{{runs: [{{action: restart, status: awaiting_approval}}], approvals: [{{rule: down}}]}}]
  - name: observe
    settings: {{mode: observe}}
    steps: [{{{DOWN}}}]
    expect: [{{runs: [{{status: simulated, reason: observe}}], decisions: [{{outcome: simulated, reason: observe, count: 1}}]}}]
  - name: few alerts
    settings: {{alerts_max: 1}}
    steps:
      - {{{DOWN}}}
      - {{event: {{alert: {{name: Down, target: web2, key: k2, status: firing}}}}}}
    expect: [{{runs: [{{target: web1}}], decisions: [{{reason: alerts_full}}], alerts: [{{key: k1}}]}}]
""")
    )


def test_an_inventory_of_its_own(play):
    fine(
        play(f"""\
tests:
  - name: hosts
    inventory: {{web: [web9], all: [lonely]}}
    steps:
      - {{event: {{alert: {{name: Down, target: web9, key: k1, status: firing}}}}}}
      - {{event: {{alert: {{name: Down, target: lonely, key: k2, status: firing}}}}}}
      - {{event: {{alert: {{name: Down, target: web1, key: k3, status: firing}}}}}}
    expect:
      - {{runs: [{{target: "host:web9"}}, {{target: lonely}}], decisions: [{{reason: unknown_target, count: 1}}]}}
  - name: the project's
    steps: [{{{DOWN}}}]
    expect: [{{runs: [{{target: web1}}]}}]
""")
    )


def test_variables_and_throttles(play):
    fine(
        play("""\
tests:
  - name: eu
    variables: {region: eu}
    steps: [{event: {slow: 6, region: eu}, times: 10, every: 1m}]
    expect: [{fired: [{rule: slow in our region, times: 2}], runs: [{action: page, status: succeeded, targets: []}, {action: page}]}]
  - name: us
    variables: {region: us}
    steps: [{event: {slow: 6, region: eu}}]
    expect: [{fired: []}]
""")
    )


def test_joins_facts_and_internal_actions(play):
    fine(
        play("""\
tests:
  - name: join
    steps:
      - {at: 0s, event: {half: right}}
      - {at: 1h, event: {half: left}}
    expect: [{at: 59m, fired: []}, {at: 1h, fired: [two halves], runs: [{action: page}]}]
  - name: facts
    steps:
      - {at: 0s, event: {remember: x}}
      - {at: 1m, fact: {host: web1, kept: x}, ruleset: web}
      - {at: 2m, retract: {kept: x}, partial: false}
      - {at: 3m, retract: {host: web1}}
    expect:
      - {at: 0s, facts: [{kept: x}], decisions: [{rule: knows, action: none, outcome: done, count: 1}], fired: [remembers, knows]}
      - {at: 1m, facts: [{host: web1}, {kept: x}]}
      - {at: 2m, facts: [{kept: x, host: web1}]}
      - {at: 3m, facts: []}
""")
    )


def test_silences_pauses_and_windows_of_time(play):
    fine(
        play(f"""\
tests:
  - name: silenced
    steps:
      - {{at: 0s, silence: {{matchers: [target=web1], for: 10m, by: ana}}}}
      - {{at: 1m, {DOWN}}}
    expect:
      - {{at: 1m, runs: [{{status: deferred, reason: silenced}}]}}
      - {{at: 11m, runs: [{{status: succeeded}}]}}
  - name: paused and resumed
    steps:
      - {{at: 0s, pause: {{scope: "rule:down", by: ana, reason: looks wrong}}}}
      - {{at: 1m, {DOWN}}}
      - {{at: 5m, resume: {{scope: "rule:down", by: ana}}}}
    expect:
      - {{at: 4m, runs: [{{status: deferred, reason: paused}}]}}
      - {{at: 6m, runs: [{{status: succeeded}}]}}
  - name: a pause that ends by itself
    steps:
      - {{at: 0s, pause: {{scope: all, for: 10m}}}}
      - {{at: 1m, {DOWN}}}
    expect:
      - {{at: 9m, runs: [{{status: deferred, reason: paused}}]}}
      - {{at: 11m, runs: [{{status: succeeded}}]}}
""")
    )


def test_windows_go_by_the_moment_at_which_a_test_begins(play):
    fine(
        play("""\
tests:
  - name: before they open
    start: "2026-06-01T08:50:00+02:00"
    steps: [{event: {office: 1}}]
    expect: [{at: 9m, runs: [{status: deferred, reason: outside_window}]}, {at: 10m, runs: [{rule: office hours, status: succeeded}]}]
  - name: on a Sunday
    start: "2026-05-31T12:00:00Z"
    steps: [{event: {office: 1}}]
    expect: [{at: 1h, runs: [{status: deferred}]}, {at: 20h, runs: [{status: suppressed, reason: stale}]}]
  - name: at noon of a Monday, where nothing is said
    steps: [{event: {office: 1}}]
    expect: [{runs: [{rule: office hours}]}]
""")
    )


def test_what_a_sender_delivers_is_read_by_its_format(play):
    fine(
        play("""\
tests:
  - name: body
    steps:
      - source: am
        body:
          version: "4"
          status: firing
          receiver: r
          groupKey: g
          alerts:
            - {status: firing, labels: {alertname: Down, instance: "web2:9100"}, annotations: {}, startsAt: "2026-06-01T11:59:00Z", fingerprint: a1}
            - {status: broken}
    expect: [{runs: [{rule: down, target: web2}], alerts: [{source: am, name: Down}]}]
""")
    )


def test_the_whole_project_is_under_test_without_a_rulebook(play):
    fine(
        play("""\
tests:
# all
  - name: an order by its event type
    steps: [{source: healer.events, body: {event_type: restart, target: web3, parameters: {service: mail}}}]
    expect: [{runs: [{action: restart, target: web3, parameters: {service: mail}}]}]
""")
    )


def test_a_day_takes_no_time_and_each_test_begins_anew(play):
    run = play("""\
tests:
  - name: a day
    steps: [{at: 0s, event: {echo: 1}, times: 24, every: 1h}]
    expect: [{at: 1d, fired: [{rule: echo, times: 24}]}]
  - name: nothing is left of it
    expect: [{at: 30d, fired: [], runs: [], decisions: [{count: 0}], alerts: [], facts: [], approvals: []}]
""")  # fmt: skip
    fine(run)
    assert sum(one.seconds for one in run.results) < 2


def test_a_step_that_cannot_be_done_fails_the_test_where_it_stands(play):
    (result,) = play("""\
tests:
  - name: nobody asked
    steps: [{at: 1m, approve: {action: risky, by: ana}}]
    expect: [{runs: []}]
""").results
    assert result.verdict == "failed"
    assert [*telling.lines(result)] == [
        "rulebooks/case_test.yml:4:13: at 1m: no run of risky waits for a person's word"
    ]


def test_a_rule_that_feeds_itself_ends_with_its_reason(play):
    """Upstream's own depth holds it after ten."""
    fine(
        play("""\
rulebook: loop.yml
tests:
  - name: held
    steps: [{event: {go: 1}}]
    expect: [{decisions: [{rule: again, reason: chain_depth, outcome: refused, count: 1}], fired: [{rule: again, times: 11}]}]
""")
    )


@pytest.mark.parametrize(("limit", "value"), [("rig.ROWS_MAX", 5), ("rig.FED_MAX", 5), ("virtual.ROUNDS_MAX", 5)])
def test_what_never_settles_is_an_error_that_says_so(play, monkeypatch, limit, value):
    module = {"rig": rig, "virtual": virtual}[limit.partition(".")[0]]
    monkeypatch.setattr(module, limit.partition(".")[2], value)
    (result,) = play("""\
rulebook: loop.yml
tests:
  - name: endless
    steps: [{at: 1m, event: {go: 1}}]
    expect: [{fired: [again]}]
""").results
    assert result.verdict == "error"
    assert "a rule that feeds itself, or steps without an end?" in next(iter(telling.lines(result)))


def test_no_controller_of_the_project_is_ever_made(play, made: pathlib.Path):
    fine(
        play(
            f"tests: [{{name: x, steps: [{{{DOWN}}}], expect: [{{runs: [{{action: restart, status: succeeded}}]}}]}}]\n"
        )
    )
    assert not (made / "touched").exists()


def test_the_same_test_says_the_same_each_time(play):
    text = (
        f"tests: [{{name: x, steps: [{{{DOWN}}}, {{{BREACH}}}], expect: [{{runs: [], fired: [], approvals: []}}]}}]\n"
    )
    once, again = ([*telling.lines(play(text).results[0])] for _ in range(2))
    assert once == again


def test_people_are_told_as_the_settings_say(play):
    fine(
        play(f"""\
tests:
  - name: a success
    steps: [{{at: 0s, {DOWN}}}]
    expect:
      - {{at: 0s, notifications: [{{to: ops, news: succeeded, rule: down, action: restart, count: 1}}]}}
      - {{at: 1s, until: 10m, notifications: []}}
  - name: failures
    steps:
      - {{at: 0s, outcome: {{action: restart, status: failed}}}}
      - {{at: 0s, outcome: {{action: reboot, status: failed}}}}
      - {{at: 0s, {DOWN}}}
    expect:
      - at: 10m
        notifications:
          - {{to: ops, news: failed, action: restart, count: 1}}
          - {{to: boss, news: failed, action: restart}}
          - {{to: ops, news: deferred, action: reboot}}
          - {{to: ops, news: failed, action: reboot, count: 1}}
          - {{to: boss, news: failed, action: reboot}}
""")
    )


def test_a_message_that_nobody_expected_is_a_difference(play):
    run = play(f"""\
tests:
  - name: told
    steps: [{{at: 0s, {DOWN}}}]
    expect: [{{at: 10m, notifications: []}}]
""")
    assert not run.ok
    said = "\n".join(line for one in run.results for line in telling.lines(one))
    assert "not expected  {to: ops, news: succeeded, rule: web/web/down, action: restart, count: 1}" in said
