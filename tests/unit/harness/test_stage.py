"""What a test has in the place of the project's own."""

from __future__ import annotations

from healer.harness import telling


def test_what_counts_as_a_storm_is_as_the_test_has_it(play):
    run = play("""\
tests:
  - name: calm
    settings: {storm: none}
    steps:
      - {at: 0s, event: {alert: {name: Breach, target: web1, key: a, status: firing}}}
      - {at: 1s, event: {alert: {name: Breach, target: web1, key: b, status: firing}}}
      - {at: 2s, event: {alert: {name: Breach, target: web1, key: c, status: firing}}}
    expect: [{at: 3s, decisions: [{reason: storm, count: 0}]}]
  - name: storm
    settings: {storm: {matches: 2 per minute, calm: 5 minutes}, approvals_max: 100}
    steps:
      - {at: 0s, event: {alert: {name: Breach, target: web1, key: a, status: firing}}}
      - {at: 1s, event: {alert: {name: Breach, target: web1, key: b, status: firing}}}
      - {at: 2s, event: {alert: {name: Breach, target: web1, key: c, status: firing}}}
    expect: [{at: 3s, decisions: [{reason: storm, count: 1}]}]
""")
    said = [str(one) for one in run.suite.diagnostics] + [line for one in run.results for line in telling.lines(one)]
    assert run.ok, "\n".join(said)
    assert len(run.results) == 2
