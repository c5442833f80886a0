"""ansible-rulebook's own actions: hosts, order, retries, what they give back, and that an event never writes a command."""

from __future__ import annotations

from typing import Any

import pytest

FILES = {
    "controllers.yaml": """\
controllers:
  here: {type: local, inventory: inventory}
  site: {type: ansible, inventory: inventory}
default: here
"""
}


def rule(action: str) -> str:
    return f"r | event.a == 1 | action: {{{action}}}"


def asked(make: Any, action: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
    (ask,) = make(rule(action), **more).asks({"a": 1} | (body or {}))
    return ask


def problems(ask: Any) -> list[str]:
    return [problem.fields["detail"] for problem in ask.candidate.problems if problem.code == "invalid_parameters"]


def test_a_ruleset_is_sequential_unless_it_says_otherwise(make: Any) -> None:
    assert asked(make, "run_playbook: {name: fix.yml}").candidate.lane == "sequence:act/rs"
    parallel = "execution_strategy: parallel"
    assert asked(make, "run_playbook: {name: fix.yml}", more=parallel).candidate.lane == ""
    assert asked(make, "run_playbook: {name: fix.yml, lock: l}", more=parallel).candidate.lane == "lock:act/rs/l"
    assert asked(make, "run_playbook: {name: fix.yml, lock: l}").candidate.lane == "sequence:act/rs"


def test_an_action_of_the_catalog_is_parallel_and_may_have_a_lock(make: Any) -> None:
    assert asked(make, "run_action: {name: plain}").candidate.lane == ""
    assert asked(make, "run_action: {name: plain, lock: '{{ event.l }}'}", {"l": "x"}).candidate.lane == "lock:act/rs/x"


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ("", None),
        ("retry: true", {"times": 1, "delay_ms": 0}),
        ("retries: 3, delay: 1.5", {"times": 3, "delay_ms": 1500}),
        ("retry: true, retries: 0", {"times": 1, "delay_ms": 0}),
        ("retry: false, retries: 2, delay: -1", {"times": 2, "delay_ms": 0}),
        ("retries: -1", None),
        ("delay: 5", None),
    ],
)
def test_retries(make: Any, args: str, wanted: Any) -> None:
    assert asked(make, f"run_playbook: {{name: fix.yml, {args}}}").extra.get("retries") == wanted


def test_what_is_given_back_goes_to_the_ruleset_that_is_named(make: Any) -> None:
    found = asked(make, "run_playbook: {name: fix.yml, set_facts: true, post_events: true}").extra["facts"]
    assert (found["sources"], found["kinds"], found["action"]) == (
        ["ruleset:act/rs"],
        ["fact", "event"],
        "run_playbook",
    )
    assert found["depth_max"] is not None
    assert "facts" not in asked(make, "run_playbook: {name: fix.yml, set_facts: false}").extra


def test_a_ruleset_that_is_not_there_is_refused(make: Any) -> None:
    said = "run_playbook names the ruleset 'nope', and act has none of that name"
    action = "run_playbook: {name: fix.yml, set_facts: true, ruleset: '{{ event.r }}'}"
    assert problems(asked(make, action, {"r": "nope"})) == [said]
    assert problems(asked(make, action, {"r": "rs"})) == []
    kit = make(rule("post_event: {event: {}, ruleset: '{{ event.r }}'}"))
    outcome = kit.post({"a": 1, "r": "nope"})
    assert (outcome.results[0].reason, outcome.appends) == ("invalid_parameters", [])


def test_the_hosts_of_all_events_count(make: Any) -> None:
    kit = make("r | event.a == 1 | action: {run_playbook: {name: fix.yml}}")
    for hosts, wanted in (
        ("web01, web02", ["host:web01", "host:web02"]),
        (["db01"], ["host:db01"]),
        ([], None),
        (5, None),
    ):
        (ask,) = kit.asks({"a": 1, "meta": {"hosts": hosts}})
        assert wanted is None or list(ask.candidate.targets) == wanted
        assert wanted is not None or len(ask.candidate.targets) == 4


@pytest.mark.parametrize(("hosts", "meta", "targets"), [
    ("web*", None, ["host:web01", "host:web02", "host:web03"]), ("'web:!web01'", None, ["host:web02", "host:web03"]),
    ("'~(web|db)01'", None, ["host:db01", "host:web01"]), ("web*", ["db01"], ["host:db01"]), ("web:nobody", None, ["host:web01", "host:web02", "host:web03"]),
])  # fmt: skip
def test_the_rulesets_own_hosts_may_be_a_pattern(
    make: Any, write_book: Any, hosts: str, meta: Any, targets: Any
) -> None:
    text = write_book("r | event.a == 1 | action: {run_playbook: {name: fix.yml}}")
    (ask,) = make(text=text.replace("hosts: all", f"hosts: {hosts}")).asks({"a": 1, "meta": {"hosts": meta}})
    assert (list(ask.candidate.targets), ask.candidate.problems) == (targets, ())


@pytest.mark.parametrize("hosts", ["web*", "web:!web01", "~web0[12]", "!web01"])
def test_what_an_event_brings_is_no_pattern(make: Any, hosts: str) -> None:
    (ask,) = make("r | event.a == 1 | action: {run_playbook: {name: fix.yml}}").asks(
        {"a": 1, "meta": {"hosts": [hosts]}}
    )
    assert [problem.code for problem in ask.candidate.problems] == ["unknown_target"]


def test_a_job_template_is_limited_as_the_ruleset_says(make: Any, write_book: Any) -> None:
    text = write_book("r | event.a == 1 | action: {run_job_template: {name: t, organization: o}}")
    aap = FILES["controllers.yaml"].replace(
        "default", "  awx: {type: aap, url: 'https://x.example', token: {secret: 'env:T'}}\ndefault"
    )
    kit = make(text=text.replace("hosts: all", "hosts: 'web[0:1]:!db'"), files={"controllers.yaml": aap})
    (ask,) = kit.asks({"a": 1})
    assert ask.extra["job_args"] == {"limit": "web[0:1]:!db"}
    (ask,) = kit.asks({"a": 1, "meta": {"hosts": ["web01", "db01"]}})
    assert ask.extra["job_args"] == {"limit": "web01,db01"}


def test_a_root_takes_the_place_of_the_event(make: Any) -> None:
    action = "run_playbook: {name: fix.yml, var_root: payload.alert, extra_vars: {h: '{{ event.host }}'}}"
    ask = asked(make, action, {"payload": {"alert": {"host": "web01"}}})
    assert ask.parameters == {"h": "web01"}
    assert ask.extra["ansible_eda"]["event"] == {"host": "web01"}
    whole = asked(make, "run_playbook: {name: fix.yml, var_root: payload.gone, extra_vars: {h: '{{ event.a }}'}}")
    assert whole.parameters == {"h": 1}


def test_the_roots_of_several_events_have_names(make: Any) -> None:
    text = """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: r
      condition: {all: [event.a == 1, event.b == 2]}
      action: {run_playbook: {name: fix.yml, var_root: {p.x: left, p.y: right}, extra_vars: {v: "{{ events.left }} {{ events.right }}"}}}
"""
    kit = make(text=text)
    assert kit.asks({"a": 1, "p": {"x": "l"}}) == []
    (ask,) = kit.asks({"b": 2, "p": {"y": "r"}})
    assert ask.parameters == {"v": "l r"}
    assert set(ask.extra["ansible_eda"]["events"]) == {"m_0", "m_1", "left", "right"}


@pytest.mark.parametrize(
    ("args", "body", "wanted"),
    [
        (
            "name: command, module_args: 'systemctl restart {{ event.s }}'",
            {"s": "nginx"},
            {"_raw_params": "systemctl restart nginx"},
        ),
        ("name: command, module_args: {argv: [rm, '{{ event.s }}']}", {"s": "/x"}, {"argv": ["rm", "/x"]}),
        (
            "name: ansible.builtin.shell, module_args: {cmd: 'echo {{ event.s }}', chdir: /}",
            {"s": "a"},
            {"cmd": "echo a", "chdir": "/"},
        ),
        ("name: debug, module_args: 'msg={{ event.s }}'", {"s": "x y=z; $(reboot)"}, {"msg": "x y=z; $(reboot)"}),
        ("name: debug, module_args: {msg: '{{ event.s }}'}", {"s": {"k": [1]}}, {"msg": {"k": [1]}}),
        ("name: debug, module_args: '{{ event.s }}'", {"s": {"msg": "m"}}, {"msg": "m"}),
        ("name: shell, module_args: 'echo \"a b\" | wc -c'", {}, {"_raw_params": 'echo "a b" | wc -c'}),
    ],
)
def test_a_modules_arguments(make: Any, args: str, body: dict[str, Any], wanted: Any) -> None:
    ask = asked(make, f"run_module: {{{args}}}", body)
    assert problems(ask) == []
    assert ask.parameters == wanted


@pytest.mark.parametrize(
    "value", ["a b", "$(reboot)", "`id`", "a;b", "-rf", "a\nb", "~root", "x'y", ["a"], None, {"a": 1}, True]
)
@pytest.mark.parametrize(
    "args",
    [
        "name: shell, module_args: 'echo {{ event.s }}'",
        'name: shell, module_args: "echo \\"{{ event.s }}\\""',
        "name: command, module_args: {cmd: 'echo {{ event.s }}'}",
        "name: raw, module_args: {_raw_params: '{{ event.s }}'}",
        "name: command, module_args: {argv: [echo, '{{ event.s }}']}",
        "name: '{{ event.m }}', module_args: {cmd: 'echo {{ event.s }}'}",
    ],
)
def test_an_event_never_writes_a_command(make: Any, args: str, value: Any) -> None:
    ask = asked(make, f"run_module: {{{args}}}", {"s": value, "m": "ansible.builtin.shell"})
    (said,) = problems(ask)
    assert "cannot stand in a command's text" in said


def test_an_event_never_gives_the_whole_of_a_command(make: Any) -> None:
    ask = asked(make, "run_module: {name: shell, module_args: '{{ event.s }}'}", {"s": {"cmd": "reboot"}})
    assert "an event cannot give the whole of a command" in problems(ask)[0]


BODY = b"\n".join(part.hex().encode() for part in (b"salt", b"m" * 32, b"c" * 16)).hex()
VAULTED = f"!vault |\n              $ANSIBLE_VAULT;1.1;AES256\n              {BODY}\n"
REFERENCE = f"ansible-vault:$ANSIBLE_VAULT;1.1;AES256\n{BODY}\n"
SEALED = f"""\
- name: rs
  hosts: all
  sources: [{{healer.api: {{}}}}]
  rules:
    - name: r
      condition: event.a == 1
      action:
        %s:
          name: %s
          %s:
            token: {VAULTED}
            plain: "{{{{ event.x }}}}"
"""


@pytest.mark.parametrize(
    ("action", "name", "key"), [("run_playbook", "fix.yml", "extra_vars"), ("run_module", "debug", "module_args")]
)
def test_what_is_vaulted_is_stored_as_a_reference(make: Any, action: str, name: str, key: str) -> None:
    (ask,) = make(text=SEALED % (action, name, key)).asks({"a": 1, "x": {"secret": "env:HOME"}})
    assert problems(ask) == []
    assert ask.parameters == {"token": "***", "plain": {"secret": "env:HOME"}}  # an event makes no reference
    paths = {tuple(path): reference for path, reference in ask.extra["secrets"]}
    assert paths[("parameters", "token")] == REFERENCE
    assert set(paths.values()) == {REFERENCE}
    assert BODY not in str({**ask.extra, "secrets": None})


def test_what_is_vaulted_goes_into_no_fact(make: Any) -> None:
    text = SEALED.replace("          name: %s\n", "%.0s") % ("set_fact", "", "fact")
    outcome = make(text=text).post({"a": 1, "x": 1})
    assert (outcome.results[0].reason, outcome.appends) == ("invalid_parameters", [])


GATHERED = """\
- {name: rs, hosts: web01, gather_facts: true, sources: [], rules: [{name: r, condition: event.a == 1, action: {none: {}}}]}
- {name: "{{ evil }} {% x %}", hosts: web01, sources: [], rules: [{name: r, condition: event.a == 1, action: {none: {}}}]}
"""


def test_names_of_rulesets_that_get_facts_are_values(make: Any) -> None:
    (ask,) = make(text=GATHERED, files=FILES).asks({"gather": True}, source="ruleset:act/(gather_facts)")
    assert problems(ask) == []
    assert ask.extra["facts"]["sources"] == ["ruleset:act/rs", "ruleset:act/{{ evil }} {% x %}"]
