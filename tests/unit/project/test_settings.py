"""`healer.yaml`, the environment and flags: which one counts, and where each mistake is told."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from healer import config
from healer.project import settings, shipped


def read(
    text: str, environ: dict[str, str] | None = None, flags: dict[str, Any] | None = None
) -> tuple[Any, list[Any]]:
    document = config.read_text(text, "healer.yaml")
    found = settings.read(document, environ or {}, flags or {})
    return found.settings, [*document.diagnostics, *found.diagnostics]


def test_no_file_means_what_ships() -> None:
    found = settings.read(None, {}, {}).settings
    assert (found.environment, found.mode, found.server.host, found.server.port) == ("dev", "active", "127.0.0.1", 8080)
    assert (found.data_dir, found.reload, found.log.dir, found.retention.journal) == (
        ".healer",
        "manual",
        "logs",
        30 * 86400,
    )
    gates = found.defaults.run_action
    assert (gates.max_age, gates.defer_for, gates.attempts, gates.cooldown) == (900, 7200, 3, 600)
    assert (gates.timeout, gates.chain_depth) == (600, 3)
    assert (gates.concurrency.daemon, gates.concurrency.controller, gates.concurrency.target) == (20, 10, 1)
    assert (found.defaults.upstream.concurrency.daemon, found.defaults.upstream.chain_depth) == (20, 10)
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_file_whose_sections_are_comments_is_fine() -> None:
    found, told = read("server:\nstorm:\ndefaults:\nlog:\n  # nothing\n")
    assert told == []
    assert found == settings.Settings()


def test_flag_before_environment_before_file() -> None:
    text, environ = "server: {port: 1}\nmode: observe\n", {"HEALER_SERVER__PORT": "2", "HEALER_MODE": "active"}
    assert read(text)[0].server.port == 1
    assert read(text, environ)[0].server.port == 2
    assert read(text, environ, {"server.port": 3})[0].server.port == 3
    assert read(text, environ, {"server.port": None, "mode": "observe"})[0].mode == "observe"


def test_what_senders_use_to_reach_the_daemon() -> None:
    assert read("")[0].server.public_url is None
    found, told = read("server: {public_url: 'https://healer.example.org:8443/hooks-of'}\n")
    assert (found.server.public_url, told) == ("https://healer.example.org:8443/hooks-of", [])
    set_by, told = read("", {"HEALER_SERVER__PUBLIC_URL": "http://h"})
    assert (set_by.server.public_url, told) == ("http://h", [])


def test_how_many_connections_one_address_may_have() -> None:
    assert read("")[0].server.connections_per_address is None
    assert read("server: {connections_per_address: 2048}\n")[0].server.connections_per_address == 2048
    for wrong in (15, 2049, "many"):
        (one,) = read(f"server: {{connections_per_address: {wrong}}}\n")[1]
        assert "connections_per_address" in one.message


@pytest.mark.parametrize(
    "url",
    ["healer.example.org", "ftp://h", "https://ana:s3cret@h", "https://h?x=1", "https://h/#x", "https://h/a b", ""],
)
def test_a_public_url_is_one_that_paths_can_be_added_to(url: str) -> None:
    (one,) = read(f"server: {{public_url: '{url}'}}\n")[1]
    assert (one.code, one.place.line) == ("options", 1)
    assert "server.public_url: a URL like https://healer.example.org" in one.message


def test_environment_reaches_every_depth() -> None:
    environ = {
        "HEALER_DEFAULTS__RUN_ACTION__COOLDOWN": "5m",
        "HEALER_DEFAULTS__RUN_ACTION__ATTEMPTS": "5",
        "HEALER_LOG__ROTATION": "1 MiB",
        "HEALER_BACKLOG_MAX": "1000",
        "HEALER_DATA_DIR": "/var/lib/healer",
    }
    found, told = read("", environ)
    assert told == []
    assert found.defaults.run_action.cooldown == 300
    assert found.defaults.run_action.attempts == 5
    assert (found.log.rotation, found.backlog_max, found.data_dir) == (1 << 20, 1000, "/var/lib/healer")
    assert found.server == settings.Server()


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("HEALER_SERVER__PORT", "x", "a whole number is wanted, got 'x'"),
        ("HEALER_SERVER__PORT", "70000", "at most 65535 is wanted, got '70000'"),
        ("HEALER_SERVER__PROT", "1", "server.prot"),
        ("HEALER_SERVER", "1", "server"),
        ("HEALER_SERVER__PORT__X", "1", "server.port.x"),
        ("HEALER_NOTHING__X", "1", "nothing.x"),
        ("HEALER_MODE", "activ", "'active' or 'observe' is wanted, got 'activ'"),
        ("HEALER_RETENTION__JOURNAL", "1s", "at least 1 hour is wanted, got '1s'"),
        ("HEALER_BODY_MAX", "17 MiB", "at most 16 MiB is wanted, got '17 MiB'"),
        ("HEALER_RETENTION__JOURNAL", "5 parsecs", "duration"),
        ("HEALER_SOURCES__AM", "{}", "sources.am"),
        ("HEALER_LOG__DIR", "{a", "got nothing"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(name: str, value: str, part: str) -> None:
    found, told = read("", {name: value})
    assert [(d.place.file, d.severity) for d in told] == [(name, "error")]
    assert part in told[0].message
    assert found == settings.Settings()


def test_variables_of_others_are_left_alone() -> None:
    others = {"HEALER_URL": "x", "HEALER_KEY": "x", "HEALER_ADMIN_KEY_FILE": "x", "HEALER_PARAM_MODE": "x", "PATH": "x"}
    kubernetes = {"HEALER_PORT_8080_TCP_ADDR": "10.0.0.1", "HEALER_SERVICE_HOST": "10.0.0.1"}
    assert read("", {**others, **kubernetes})[1] == []


def test_a_variable_that_is_nearly_a_setting_warns() -> None:
    (told,) = read("", {"HEALER_MOD": "observe"})[1]
    assert (told.severity, told.code, told.place.file) == ("warning", "unknown-variable", "HEALER_MOD")
    assert "HEALER_MODE" in told.try_


def test_a_wrong_flag_is_told_by_its_name() -> None:
    assert [str(d.place) for d in read("", {}, {"server.port": -1})[1]] == ["--port"]
    assert [str(d.place) for d in read("", {}, {"data_dir": ""})[1]] == ["--data-dir"]


@pytest.mark.parametrize("key", ["secrets"])
def test_what_comes_later_is_refused_by_name(key: str) -> None:
    (told,) = read(f"mode: observe\n{key}: []\n")[1]
    assert (told.code, told.place.line, told.place.column) == ("not-yet", 2, 1)
    assert key in told.message


def test_all_mistakes_at_once_and_the_rest_holds() -> None:
    text = "mode: activ\nserver: {port: x, hots: y}\nenvironment: prod\nreload: on_change\npolicy: {}\ndata_dir: 3\n"
    found, told = read(text)
    assert sorted((d.code, d.place.line) for d in told) == [
        ("not-yet", 4), ("options", 1), ("options", 2), ("options", 2), ("options", 5), ("options", 6),
    ]  # fmt: skip
    assert (found.environment, found.server.port) == ("prod", 8080)


@pytest.mark.parametrize(
    ("text", "got"), [("[]", "an empty list"), ("3", "3"), ("just words", "'just words'"), ("- a", "a list")]
)
def test_not_a_mapping(text: str, got: str) -> None:
    assert [(d.code, d.message) for d in read(text)[1]] == [
        ("wrong-type", f"healer.yaml has to be a mapping, got {got}")
    ]


@pytest.mark.parametrize(
    "gates",
    ["attempts: 0", "concurrency: {target: 2}", "timeout: 0s", "unknown: 1", "cooldown: 30 secs", "max_age: -1m"],
)
def test_shapes_of_gates_are_checked(gates: str) -> None:
    told = read(f"defaults:\n  run_action:\n    {gates}\n")[1]
    assert told
    assert all((d.code, d.place.line) == ("options", 3) for d in told)


GATE = "HEALER_DEFAULTS__RUN_ACTION__"
ASKED = "{any: [{name: one, roles: [approver]}], expires: 5m}"


@pytest.mark.parametrize(("gate", "value", "column", "said"), [
    ("approval", "maybe", 15, "a mapping with any (and maybe expires, then, exclude) is wanted, got 'maybe'"), ("approval", "{}", 15, "the key 'any' is missing"),
    ("approval", "{any: []}", 16, "at least 1 item is wanted"), ("approval", "{any: [{name: one, roles: []}]}", 34, "at least 1 item is wanted"),
    ("approval", "{any: [{roles: [approver]}]}", 22, "the key 'name' is missing"), ("approval", "true", 15, "got true"),
    ("approval", "{any: [{name: one, roles: [approver], approve: 0}]}", 62, "at least 1 is wanted"),
    ("approval", "{any: [{name: one, roles: [approver]}], expires: 0s}", 64, "more than 0 seconds is wanted"),
    ("approval", "{any: [{name: one, roles: [approver]}], exclude: [me]}", 65, "'requester'"), ("approval_exclude", "[me]", 24, "'requester'"),
])  # fmt: skip
def test_a_wrong_approval_is_told_where_it_stands(gate: str, value: str, column: int, said: str) -> None:
    _, told = read(f"defaults:\n  run_action:\n    attempts: 2\n    {gate}: {value}\n")
    assert [(d.code, d.severity, d.place.file, d.place.line, d.place.column) for d in told] == [
        ("options", "error", "healer.yaml", 4, column)
    ], told
    assert said in told[0].message


@pytest.mark.parametrize(("value", "low", "high"), [
    ("none", {}, {"approval": {"thresholds": ({"name": "one approver", "roles": ("approver",), "approve": 1, "reject": 1},), "exclude": None, "then": ""}}),
    ("off", {"approval": {}}, {"approval": {}}), ("'off'", {"approval": {}}, {"approval": {}}),
    (ASKED, *[{"approval": {"thresholds": [{"name": "one", "roles": ["approver"], "approve": 1, "reject": 1}], "exclude": None, "then": ""},
               "approval_expires": 300}] * 2),
])  # fmt: skip
def test_whom_the_defaults_ask_hangs_on_the_impact(value: str, low: Any, high: Any) -> None:
    named = GATE + "APPROVAL"
    for found, told in (
        read(f"defaults: {{run_action: {{approval: {value}}}}}\n"),
        read("", {named: value.strip("'")}),
    ):
        assert told == []
        asked = found.defaults.run_action
        assert (asked.approval_of("low"), asked.approval_of("medium"), asked.approval_of("high")) == (low, low, high)


def test_a_wrong_approval_of_a_variable_is_told_by_its_name() -> None:
    found, told = read("", {GATE + "APPROVAL": "{any: []}"})
    assert [(d.code, d.severity, d.place.file) for d in told] == [("options", "error", GATE + "APPROVAL")]
    assert found == settings.Settings()
    assert read("", {GATE + "APPROVAL_EXCLUDE": "[]"})[0].defaults.run_action.approval_exclude == []


def test_a_gate_that_is_written_as_nothing_does_not_apply() -> None:
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
        "windows",
        "chain_depth",
    )
    for nothing in ("", "none", "off", "'off'", "false"):
        found, told = read("defaults:\n  run_action:\n" + "".join(f"    {name}: {nothing}\n" for name in names))
        assert told == []
        assert [getattr(found.defaults.run_action, name) for name in names] == [None] * len(names)
    for same in ("none", ""):
        assert read(f"defaults:\n  run_action:\n    approval: {same}\n") == (settings.Settings(), [])


# --- what a variable may set of the gates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value", "of", "wanted"), [
    (GATE + "COOLDOWN", "none", "cooldown", None), (GATE + "COOLDOWN", "off", "cooldown", None), (GATE + "SETTLE", "60 seconds", "settle", 60),
    (GATE + "RATE_LIMIT", "5 per hour", "rate_limit", {"count": 5, "within": 3600}), (GATE + "RATE_LIMIT", "none", "rate_limit", None),
    (GATE + "BREAKER", "none", "breaker", None), (GATE + "BREAKER__FAILURES", "2", "breaker", {"failures": 2, "within": 1800, "retry_after": 1800}),
    (GATE + "BREAKER", "{failures: 2, within: 1m, retry_after: 5m}", "breaker", {"failures": 2, "within": 60, "retry_after": 300}),
    (GATE + "BLAST_RADIUS__TARGETS", "30%", "blast_radius", {"targets": "30%", "at_least": 1, "or_": 5, "of": None, "within": 3600}),
    (GATE + "BLAST_RADIUS__OR", "9", "blast_radius", {"targets": "20%", "at_least": 1, "or_": 9, "of": None, "within": 3600}),
    (GATE + "FLAPPING__CYCLES", "7", "flapping", {"cycles": 7, "within": 3600}), (GATE + "CHAIN_DEPTH", "none", "chain_depth", None),
    (GATE + "WINDOWS", "{block: [{days: sat}]}", "windows", {"allow": [], "block": [{"days": "sat", "hours": "00:00-24:00", "dates": None, "timezone": "UTC"}]}),
    (GATE + "APPROVAL_EXPIRES", "5m", "approval_expires", 300),
])  # fmt: skip
def test_a_variable_sets_a_gate_or_a_part_of_it(name: str, value: str, of: str, wanted: Any) -> None:
    found, told = read("", {name: value})
    assert told == []
    made = getattr(found.defaults.run_action, of)
    assert (made.model_dump() if hasattr(made, "model_dump") else made) == wanted
    others = found.defaults.run_action.model_copy(update={of: getattr(settings.Settings().defaults.run_action, of)})
    assert others == settings.Settings().defaults.run_action


def test_a_part_of_what_the_file_says_is_changed_and_the_rest_of_it_stays() -> None:
    text = "defaults: {run_action: {breaker: {failures: 9, within: 5m, retry_after: 6m}, flapping: none}}\nstorm: {calm: 1m}\n"
    found, told = read(text, {GATE + "BREAKER__WITHIN": "7m", "HEALER_STORM__MATCHES": "9 per minute"})
    assert told == []
    assert found.defaults.run_action.breaker.model_dump() == {"failures": 9, "within": 420, "retry_after": 360}
    assert found.storm.model_dump() == {"matches": {"count": 9, "within": 60}, "calm": 60}
    assert read(text, {"HEALER_STORM": "none"})[0].storm is None


@pytest.mark.parametrize(("name", "value", "said"), [
    (GATE + "RATE_LIMIT", "5", "a rate like '30 per hour' or '2 per 10 minutes' is wanted, got '5'"),
    (GATE + "BREAKER__FAILURES", "0", "at least 1 is wanted, got '0'"), (GATE + "BREAKER__FAILURS", "2", "no setting is named"),
    (GATE + "BREAKER", "{failures: 2}", "the key 'within' is missing"), (GATE + "RATE_LIMIT__COUNT", "2", "no setting is named"),
    (GATE + "WINDOWS__ALLOW", "[]", "no setting is named"), ("HEALER_POLICIES", "[]", "no setting is named"), ("HEALER_INHIBIT", "[]", "no setting is named"),
    ("HEALER_STORM__MATCHES", "5 per 2 hours", "a rate within at most an hour is wanted, got '5 per 2 hours'"),
    ("HEALER_STORM__CALM", "soon", "a duration"), ("HEALER_STORM", "5", "a mapping"),
])  # fmt: skip
def test_a_wrong_gate_of_a_variable_is_told_by_its_name(name: str, value: str, said: str) -> None:
    found, told = read("", {name: value})
    assert told
    assert {(one.place.file, one.severity) for one in told} == {(name, "error")}
    assert said in told[0].message
    assert found == settings.Settings()


# --- policies ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "line", "column", "code", "said"), [
    ("policies:\n- {cooldown: 5m}\n", 2, 3, "options", "the key 'name' is missing"),
    ("policies:\n- {name: ''}\n", 2, 10, "options", "at least 1"),
    ("policies:\n- {name: a}\n- {name: b}\n- {name: a}\n", 4, 10, "duplicate-name", "the policy 'a' is there twice"),
    ("policies: {name: a}\n", 1, 1, "options", "a list is wanted"), ("policies: [a]\n", 1, 12, "options", "a mapping with name"),
    ("policies:\n- {name: a, cooldown: none}\n", 2, 23, "options", "policies.0.cooldown: a duration"),
    ("policies:\n- {name: a, approval: {any: []}}\n", 2, 24, "options", "policies.0.approval.any: a list of at least 1 item"),
    ("policies:\n- name: a\n  select: {impact: [huge]}\n", 3, 21, "options", "'low', 'medium' or 'high' is wanted, got 'huge'"),
    ("policies:\n- name: a\n  select: {severity: [fatal]}\n", 3, 23, "options", "'critical'"),
    ("policies:\n- name: a\n  select: {action: [x]}\n", 3, 12, "options", "the key 'action' is not known here"),
    ("policies:\n- name: a\n  select: {actions: x}\n", 3, 21, "options", "policies.0.select.actions: a list is wanted, got 'x'"),
    ("policies:\n- name: a\n  select: {actions: ['']}\n", 3, 22, "options", "at least 1"),
    ("policies:\n- name: a\n  select: {labels: {team: 5}}\n", 3, 27, "options", "a text is wanted, got 5"),
    ("inhibit:\n- {source: {a: b}}\n", 2, 3, "options", "the key 'target' is missing"),
    ("inhibit:\n- {source: {}, target: {a: b}}\n", 2, 4, "options", "at least 1 key"),
    ("inhibit:\n- {source: {a: b}, target: {a: c}, equal: x}\n", 2, 43, "options", "inhibit.0.equal: a list is wanted, got 'x'"),
    ("storm: {matches: 5 per 2 hours}\n", 1, 18, "options", "storm.matches: a rate within at most an hour is wanted"),
    ("storm: {calm: never}\n", 1, 15, "options", "storm.calm: a duration"), ("storm: 5\n", 1, 8, "options", "storm: a mapping with some of matches, calm"),
])  # fmt: skip
def test_mistakes_in_policies_are_told_where_they_stand(
    text: str, line: int, column: int, code: str, said: str
) -> None:
    (told,) = read(text)[1]
    assert (told.code, told.place.line, told.place.column) == (code, line, column), told.message
    assert said in told.message


def test_policies_and_inhibitions_are_read() -> None:
    text = """\
policies:
- {name: a, select: {labels: {team: sre}}, cooldown: 5m}
- {name: b}
inhibit:
- {source: {alertname: NodeDown}, target: {alertname: "ServiceDown"}, equal: [instance]}
"""
    found, told = read(text)
    assert told == []
    assert [(one.name, one.layer(), one.select.labels) for one in found.policies] == [
        ("a", {"cooldown": 300}, {"team": "sre"}), ("b", {}, {}),
    ]  # fmt: skip
    assert (found.inhibit[0].source, found.inhibit[0].equal) == ({"alertname": "NodeDown"}, ["instance"])
    assert pickle.loads(pickle.dumps(found)) == found
    assert read("policies:\ninhibit:\nstorm:\n") == (settings.Settings(), [])
    assert read("storm: none\n")[0].storm is None


def test_what_nothing_enforces_is_no_setting() -> None:
    assert not {*settings.NOT_YET} & {*settings.Settings.model_fields, *shipped.RunAction.model_fields}


def test_how_long_the_audit_is_kept_is_told_to_be_unused() -> None:
    (told,) = read("retention:\n  journal: 7 days\n  audit: 30 days\n")[1]
    assert (told.code, told.severity, told.place.line) == ("not-yet", "warning", 3)


def test_a_value_is_named_once() -> None:
    (told,) = read("", {"HEALER_DRAIN": "30 secs"})[1]
    assert told.message.count("'30 secs'") == 1


MISSPELT = [
    ("defaults:\n  run_action:\n    cooldwn: 5 minutes\n", 3, 5, "did you mean 'cooldown'?"),
    ("defaults:\n  run_action: {concurrency: {daemn: 3}}\n", 2, 30, "did you mean 'daemon'?"),
    ("defaults: {run_acton: {}}\n", 1, 12, "did you mean 'run_action'?"),
    ("defaults: {upstream: {chain_dpth: 3}}\n", 1, 23, "did you mean 'chain_depth'?"),
    ("mode: observe\nlog: {lvel: INFO}\n", 2, 7, "did you mean 'level'?"),
    ("control: {sokcet: /run/x}\n", 1, 11, "did you mean 'socket'?"),
    ("control: {zzz: /run/x}\n", 1, 11, "known: socket, group"),
    ("envronment: x\n", 1, 1, "did you mean 'environment'?"),
    ("keys: {1: x}\n", 1, 8, "known: file"),
]


@pytest.mark.parametrize(("text", "line", "column", "hint"), MISSPELT)
def test_a_misspelt_key_gets_a_near_name_at_every_depth(text: str, line: int, column: int, hint: str) -> None:
    (told,) = read(text)[1]
    assert (told.code, told.place.line, told.place.column, told.try_) == ("options", line, column, hint)
    assert told.message.endswith("is not known here")


def test_beside_a_misspelt_key_the_others_hold() -> None:
    found, told = read("defaults: {run_action: {cooldwn: 5m, attempts: 7}}\nlog: {dir: x, y: 1}\n")
    assert (len(told), found.defaults.run_action.attempts, found.log.dir) == (2, 7, "x")


def test_very_many_keys_that_are_not_known_are_told_once_each() -> None:
    # What takes the square of them does not end here.
    told = read("".join(f"k{n}: 1\n" for n in range(5_000)))[1]
    assert [one.place.line for one in told] == list(range(1, 5_001))
