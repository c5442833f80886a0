"""The gates' values of a run: what its policies, catalog, rulebook and the defaults say together, and who shares which budget."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from healer import policy, project
from healer.daemon import standing
from healer.policy import brakes, labels, limits, selecting

TRAITS = selecting.Traits(
    environment="prod", rule="team/web/web/down", actions=("restart",), impact="low", tags=(), source="am", severity="critical",
    targets=("host:web01",), groups=frozenset({"web"}), labels={},
)  # fmt: skip


SOURCES = "sources: {am: {healer.webhook: {path: am, format: alertmanager, auth: {none: true}}}}\n"


def load(write: Any, settings: str = "", **changes: Any) -> project.Revision:
    loaded = project.load(write({"healer.yaml": SOURCES + settings, **changes}), {})
    assert loaded.revision is not None, loaded.diagnostics
    return loaded.revision


@pytest.fixture
def revision(write: Any) -> project.Revision:
    return load(write)


def of(held: project.Revision, traits: selecting.Traits = TRAITS, **entry: Any) -> policy.Limits:
    """The values of `restart` on `site`."""
    found = dataclasses.replace(held.catalog.entries["restart"], **entry)
    return project.Gates(held).catalog(found, held.controllers["site"], "restart", traits)


def test_the_defaults_fill_what_nothing_names(revision: project.Revision) -> None:
    made = of(revision)
    assert (made.max_age_s, made.defer_for_s, made.attempts, made.cooldown_s, made.settle_s) == (900, 7200, 3, 600, 0)
    assert (made.timeout_s, made.approval_expires_s, made.selected, made.lock_targets) == (600, 1800, False, True)
    assert (made.concurrency_daemon, made.concurrency_controller, made.chain_depth, made.places) == (20, 10, 3, ())
    assert made.rates == (limits.Rate("default:restart", 30, 3600),)
    assert made.breakers == (limits.Breaker(3, 1800, 1800),)
    assert made.blasts == (limits.Blast("default", 3600, None, 20.0, 1, 5, ""),)
    assert (made.flapping, made.windows, made.approvals) == ((limits.Flapping(4, 3600),), (), ())


def test_by_default_the_rate_is_of_each_action_and_the_blast_radius_of_all(revision: project.Revision) -> None:
    gates, controller = project.Gates(revision), revision.controllers["site"]
    one, other = (gates.catalog(None, controller, name, TRAITS) for name in ("restart", "clean"))
    assert one.rates[0].budget != other.rates[0].budget
    assert one.blasts == other.blasts


def test_what_is_written_as_none_does_not_apply(write: Any) -> None:
    names = (
        "max_age",
        "defer_for",
        "settle",
        "attempts",
        "cooldown",
        "rate_limit",
        "breaker",
        "blast_radius",
        "flapping",
        "chain_depth",
    )
    none = ", ".join(f"{name}: none" for name in names)
    made = of(load(write, f"defaults: {{run_action: {{{none}}}}}\n"))
    assert made == policy.Limits(concurrency_daemon=20, concurrency_controller=10, timeout_s=600)


@pytest.mark.parametrize(("gates", "field", "value"), [
    ({"max_age": 0.0}, "max_age_s", 0.0), ({"defer_for": 0.0}, "defer_for_s", 0.0), ({"cooldown": 0.0}, "cooldown_s", 0.0),
    ({"attempts": 9}, "attempts", 9), ({"timeout": 5.0}, "timeout_s", 5.0), ({"settle": 60.0}, "settle_s", 60.0),
    ({"rate_limit": {"count": 99, "within": 60.0}}, "rates", (limits.Rate("action:restart", 99, 60.0),)),
    ({"breaker": {"failures": 9, "within": 60.0, "retry_after": 5.0}}, "breakers", (limits.Breaker(9, 60.0, 5.0),)),
])  # fmt: skip
def test_an_entry_goes_before_the_defaults_be_it_looser(
    revision: project.Revision, gates: Any, field: str, value: Any
) -> None:
    assert getattr(of(revision, gates=gates), field) == value


@pytest.mark.parametrize(
    ("own", "controller", "places"), [(None, None, 10), (None, 4, 4), (2, 4, 2), (6, 4, 4), (12, None, 10)]
)
def test_the_smallest_number_of_places_of_a_controller_holds(
    revision: project.Revision, own: int | None, controller: int | None, places: int
) -> None:
    entry = dataclasses.replace(revision.catalog.entries["restart"], concurrency=own)
    spec = dataclasses.replace(revision.controllers["site"], concurrency=controller)
    assert project.Gates(revision).catalog(entry, spec, "restart", TRAITS).concurrency_controller == places
    assert project.Gates(revision).catalog(None, None, "x", TRAITS).concurrency_controller == 10


POLICIES = """\
environment: prod
policies:
  - {name: all, rate_limit: 5 per hour, concurrency: 2}
  - {name: prod, select: {environment: [prod]}, cooldown: 30 minutes, rate_limit: 1 per minute}
  - {name: stage, select: {environment: [stage]}, cooldown: 9 hours}
  - {name: web, select: {targets: ["group:web"], actions: [restart]}, cooldown: 15 minutes, attempts: 1}
  - {name: playbooks, select: {actions: [run_playbook]}, blast_radius: {targets: 3, within: 1h}}
"""


def test_all_policies_that_select_a_run_hold_together(write: Any) -> None:
    held = load(write, POLICIES)
    made = of(held, TRAITS, gates={"cooldown": 3600.0})
    assert (made.cooldown_s, made.attempts, made.selected) == (3600, 1, True)
    assert made.rates == (limits.Rate("policy:all", 5, 3600), limits.Rate("policy:prod", 1, 60))
    assert made.places == (("policy:all", 2),)
    assert made.blasts == (limits.Blast("default", 3600, None, 20.0, 1, 5, ""),)  # named by none that selects it
    elsewhere = of(held, dataclasses.replace(TRAITS, environment="dev", groups=frozenset({"db"})))
    assert (elsewhere.cooldown_s, elsewhere.attempts) == (600, 3)


def test_a_controller_s_rate_is_one_for_all_that_runs_there_and_its_tags_are_selected_by(write: Any) -> None:
    controllers = (
        "controllers:\n  here: {type: local}\n"
        "  site: {type: ansible, inventory: inventory/, rate_limit: 3 per minute, tags: [berlin]}\ndefault: site\n"
    )
    policies = "policies: [{name: b, select: {tags: [berlin]}, cooldown: 30 minutes}]\n"
    held = load(write, policies, **{"controllers.yaml": controllers})
    gates, site = project.Gates(held), held.controllers["site"]
    made = of(held)
    assert made.rates == (limits.Rate("controller:site", 3, 60), limits.Rate("default:restart", 30, 3600))
    assert made.cooldown_s == 1800
    assert limits.Limits.from_json(made.as_json()) == made
    other = gates.catalog(None, site, "clean", TRAITS)
    assert other.rates[0] == made.rates[0]
    upstream = gates.upstream(site, TRAITS)
    assert (upstream.rates, upstream.selected, upstream.cooldown_s) == (made.rates[:1], True, 1800)
    bare = load(write, **{"controllers.yaml": controllers.replace("tags: [berlin]", "tags: []")})
    alone = project.Gates(bare).upstream(bare.controllers["site"], TRAITS)
    assert (alone.rates, alone.selected, alone.cooldown_s) == (made.rates[:1], True, None)


@pytest.mark.parametrize(
    ("rules", "cooldown_s"), [("down", 1800), ("web/down", 1800), ("team/web/web/down", 1800), ("web/web/down", 600)]
)
def test_a_rule_of_a_rulebook_in_a_folder_is_selected_by_its_name(
    write: Any, tmp_path: pathlib.Path, rules: str, cooldown_s: float
) -> None:
    held = load(write, f"policies: [{{name: p, select: {{rules: ['{rules}']}}, cooldown: 30 minutes}}]\n")
    row = {
        "rule": "team/web/web/down", "action": "restart", "controller": "site", "flavor": "catalog", "targets": ["host:web01"],
        "groups": {"host:web01": ["web"]}, "labels": {}, "severity": 0,
    }  # fmt: skip
    found = standing.Standing(held, standing.PauseFile(tmp_path), "active").of_run(row)
    assert found.names == ("team/web", "web", "down")
    assert found.limits
    assert found.limits.cooldown_s == cooldown_s


def test_what_a_ruleset_and_a_rule_say_comes_on_top(write: Any) -> None:
    book = """\
- name: web
  hosts: all
  sources: [{range: {limit: 1}}]
  policy: {cooldown: 1h, concurrency: 3}
  rules:
    - {name: down, condition: event.i == 1, policy: {cooldown: 5m, rate_limit: 1 per day}, action: {run_action: {name: restart, target: web01, parameters: {service: x}}}}
    - {name: up, condition: event.i == 2, action: {debug: {}}}
"""
    held = load(write, **{"rulebooks/team/web.yml": book})
    made = of(held)
    assert (made.cooldown_s, made.places) == (3600, (("ruleset:team/web/web", 3),))
    assert made.rates == (limits.Rate("rule:team/web/web/down", 1, 86400),)
    other = of(held, dataclasses.replace(TRAITS, rule="team/web/web/up"))
    assert (other.cooldown_s, [one.budget for one in other.rates]) == (3600, ["default:restart"])
    assert of(held, dataclasses.replace(TRAITS, rule="team/web/other/down")).cooldown_s == 600


def test_upstream_acts_as_it_acted_unless_something_selects_it(write: Any) -> None:
    traits = dataclasses.replace(TRAITS, actions=("run_playbook", "run_playbook x.yml"))
    gates = project.Gates(load(write))
    made = gates.upstream(None, traits)
    assert made == policy.Limits(concurrency_daemon=20, chain_depth=10, lock_targets=False, timeout_s=made.timeout_s)
    held = load(write, POLICIES)
    chosen = project.Gates(held).upstream(held.controllers["site"], traits)
    assert (chosen.selected, chosen.max_age_s, chosen.cooldown_s) == (True, None, 1800)  # the defaults are not for it
    assert [one.budget for one in chosen.blasts] == ["policy:playbooks"]


def test_what_explains_others_and_what_is_a_storm(write: Any) -> None:
    text = """\
storm: {matches: 5 per minute, calm: 10s}
inhibit: [{source: {b: "2", a: "1"}, target: {c: "3"}, equal: [i]}]
"""
    gates = project.Gates(load(write, text))
    assert gates.storm == brakes.StormLimit(5, 60, 10)
    assert gates.inhibitions == (labels.Inhibition((("a", "1"), ("b", "2")), (("c", "3"),), ("i",)),)
    assert project.Gates(load(write)).storm == brakes.StormLimit(200, 60, 300)
    assert project.Gates(load(write, "storm: none\n")).storm is None


# --- approvals --------------------------------------------------------------------------------------------------------------

ONE = limits.Approval((limits.Threshold("one approver", ("approver",), 1, 1),), ("requester",))
TWO = limits.Approval((limits.Threshold("two", ("admin",), 2, 1),), ("requester",))
ASK_TWO = "{any: [{name: two, roles: [admin], approve: 2}]}"


@pytest.mark.parametrize(("settings", "low", "high"), [
    ("", (), (ONE,)), ("defaults: {run_action: {approval: none}}\n", (), (ONE,)), ("defaults: {run_action: {approval: off}}\n", (), ()),
    (f"defaults: {{run_action: {{approval: {ASK_TWO}}}}}\n", (TWO,), (TWO,)),
    (f"policies: [{{name: p, approval: {ASK_TWO}}}]\n", (TWO,), (TWO,)),
    ("policies: [{name: p, approval: none}]\n", (), ()), ("policies: [{name: p, approval: off}]\n", (), ()),
    (f"policies: [{{name: p, approval: none}}, {{name: q, approval: {ASK_TWO}}}]\n", (TWO,), (TWO,)),
    (f"defaults: {{run_action: {{approval: {ASK_TWO}}}}}\npolicies: [{{name: p, approval: none}}]\n", (), ()),
    (f"policies: [{{name: p, select: {{impact: [high]}}, approval: {ASK_TWO}}}]\n", (), (TWO,)),
    ("defaults: {run_action: {approval_exclude: []}}\n", (), (dataclasses.replace(ONE, exclude=()),)),
])  # fmt: skip
def test_who_is_asked_by_impact(write: Any, settings: str, low: Any, high: Any) -> None:
    held = load(write, settings)
    for impact, asked in (("low", low), ("medium", low), ("high", high)):
        traits = dataclasses.replace(TRAITS, impact=impact)
        assert of(held, traits, impact=impact).approvals == asked, impact


@pytest.mark.parametrize(("gates", "asked"), [({"approval": {}}, ()), ({"cooldown": 5.0}, (ONE,))])
def test_an_entry_that_names_nobody_asks_nobody_whatever_its_impact(
    revision: project.Revision, gates: Any, asked: Any
) -> None:
    traits = dataclasses.replace(TRAITS, impact="high")
    assert of(revision, traits, gates=gates, impact="high").approvals == asked


@pytest.mark.parametrize(("settings", "expires_s"), [
    ("", 1800), ("defaults: {run_action: {approval_expires: 5m}}\n", 300),
    ("policies: [{name: p, approval: {any: [{name: a, roles: [admin]}], expires: 2h}}]\n", 7200),
    ("policies: [{name: p, approval: {any: [{name: a, roles: [admin]}], expires: 2h}}, {name: q, approval: {any: [{name: a, roles: [admin]}], expires: 1m}}]\n", 60),
    ("defaults: {run_action: {approval: {any: [{name: a, roles: [admin]}], expires: 1m}}}\n", 60),
    ("defaults: {run_action: {approval: {any: [{name: a, roles: [admin]}], expires: 1m}}}\npolicies: [{name: p, approval: none}]\n", 1800),
])  # fmt: skip
def test_the_smallest_time_to_decide_holds(write: Any, settings: str, expires_s: float) -> None:
    assert of(load(write, settings)).approval_expires_s == expires_s


def test_who_is_excluded_is_what_the_approval_says_else_the_defaults(write: Any) -> None:
    asked = "{any: [{name: a, roles: [admin]}], exclude: [requester]}"
    text = f"defaults: {{run_action: {{approval_exclude: []}}}}\npolicies: [{{name: p, approval: {asked}}}, {{name: q, approval: {ASK_TWO}}}]\n"
    assert [one.exclude for one in of(load(write, text)).approvals] == [("requester",), ()]


def test_actions_of_ansible_rulebook_need_what_selects_them_alone(write: Any) -> None:
    traits = dataclasses.replace(TRAITS, actions=("run_playbook",), impact="high")
    assert project.Gates(load(write)).upstream(None, traits).approvals == ()
    held = load(write, f"policies: [{{name: p, select: {{actions: [run_playbook]}}, approval: {ASK_TWO}}}]\n")
    made = project.Gates(held).upstream(None, traits)
    assert (made.approvals, made.selected) == ((TWO,), True)


def test_limits_with_approvals_come_back_from_a_row(write: Any) -> None:
    made = of(load(write, f"policies: [{{name: p, approval: {ASK_TWO}}}]\n"))
    assert policy.Limits.from_json(made.as_json()) == made
