"""Each kind of mistake across files, with its exact place: nothing else may be told."""

from __future__ import annotations

from typing import Any

import pytest

from healer import project

SOURCES = "  - healer.source: {name: am}\n"


def book(rule: str = "", sources: str = SOURCES, more: str = "") -> dict[str, str]:
    """A rulebook with one rule (or none), indented as it has to be."""
    rules = "".join(f"  {line}\n" for line in rule.splitlines()) or "    []\n"
    text = f"- name: web\n  hosts: all\n  sources:\n{_in(sources)}  rules:\n{rules}{more}"
    return {"rulebooks/team/web.yml": text}


def _in(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def act(action: str, *, name: str = "down", rest: str = "") -> str:
    """A rule with one action."""
    return f"""\
- name: {name}
  condition: event.alert.name == "Down"
  action: {{{action}}}
{rest}"""


def ran(args: str) -> dict[str, str]:
    """A rulebook with one rule that runs a catalog action."""
    return book(act(f"run_action: {{{args}}}"))


WHOLE = {"actions.yaml": "actions:\n  whole: {playbook: restart.yml, impact: low, target: none}\n"}

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("sound", {}, []),
    ("unknown source", book(sources="  - ⟦kafak: {topic: alerts}\n"), ["unknown-source"]),
    ("unknown native source", book(sources="  - ⟦healer.webhok: {path: x}\n"), ["unknown-source"]),
    ("events is no source", book(sources="  - ⟦healer.events: {}\n"), ["unknown-source"]),
    ("option of a source", book(sources="  - check: {⟦proces: {name: x}}\n"), ["options"]),
    ("missing option", book(sources="  - ⟦healer.webhook: {auth: {none: true}}\n"), ["options"]),
    ("shared source that is not", book(sources="  - healer.source: {name: ⟦ma}\n"), ["unknown-source"]),
    ("option of healer.source", book(sources="  - healer.source: {name: am, ⟦x: 1}\n"), ["options"]),
    ("unknown filter", book(sources="  - range: {limit: 3}\n    filters: [{⟦json_filtr: {}}]\n"), ["unknown-filter"]),
    ("filter of our own", book(sources="  - check: {process: {name: x}}\n    ⟦filters: [{json_filter: {}}]\n"), ["filters"]),
    ("unknown format", {"healer.yaml": "sources:\n  am: {healer.webhook: {path: a, format: ⟦alertmanger, auth: {none: true}}}\n"},
     ["unknown-format"]),
    ("webhook path twice", book(sources="  - healer.webhook: {path: ⟦am, auth: {none: true}}\n"), ["duplicate-path"]),
    ("secret in a source", book(sources='  - healer.webhook: {path: x, auth: {bearer: {⟦secret: "env:A"}}}\n'), ["inline-secret"]),
    ("name of a shared source", {"healer.yaml": "sources:\n  am: {check: {process: {name: x}}}\n  ⟦healer.x: {healer.api: {}}\n"}, ["name"]),
    ("reference in healer.yaml", {"healer.yaml": "sources:\n  am: {check: {process: {name: x}}}\n  b: {⟦healer.source: {name: am}}\n"},
     ["source-type"]),
    ("two types", {"healer.yaml": "sources:\n  am: {check: {process: {name: x}}}\n  ⟦b: {healer.api: {}, check: {process: {name: x}}}\n"}, ["source-type"]),
    ("filter of a shared source", {"healer.yaml": "sources:\n  am: {check: {process: {name: x}}}\n  b: {range: {limit: 1}, filters: [⟦{json_filter: 5}]}\n"},
     ["wrong-type"]),
    ("name of a source", {"healer.yaml": "sources:\n  am: {check: {process: {name: x}}}\n  b: {range: {limit: 1}, name: ⟦5}\n"}, ["wrong-type"]),
    ("unknown action", ran("name: ⟦restrat, target: web01"), ["unknown_action"]),
    ("templated action", ran('name: "{{ event.action }}"'), []),
    ("undeclared parameter", ran("name: restart, target: web01, parameters: {service: x, ⟦sevice: y}"), ["invalid_parameters"]),
    ("missing parameter", ran("name: restart, target: web01, ⟦parameters: {wait_s: 3}"), ["invalid_parameters"]),
    ("no parameters", book(act("⟦run_action: {name: restart, target: web01}")), ["invalid_parameters"]),
    ("mistyped parameter", ran("name: restart, target: web01, parameters: {service: ⟦3}"), ["invalid_parameters"]),
    ("templated parameter", ran('name: restart, target: web01, parameters: {service: "{{ event.n }}"}'), []),
    ("secret in a parameter", ran('name: restart, target: web01, parameters: {service: {⟦secret: "env:X"}}'), ["inline-secret"]),
    ("unknown controller", ran("name: restart, target: web01, parameters: {service: x}, controller: ⟦siet"), ["unknown_controller"]),
    ("controller of another kind", ran("name: restart, parameters: {service: x}, target: localhost, controller: ⟦here"),
     ["controller_forbidden"]),
    ("unknown target", ran("name: restart, target: ⟦web99, parameters: {service: x}"), ["unknown_target"]),
    ("unknown target of several", ran("name: restart, target: [web01, ⟦web99], parameters: {service: x}"), ["unknown_target"]),
    ("templated target", ran('name: restart, target: "{{ event.host }}", parameters: {service: x}'), []),
    ("a group as target", ran("name: restart, target: ⟦group:web, parameters: {service: x}"), ["unknown_target"]),
    ("no target", book(act("⟦run_action: {name: restart, parameters: {service: x}}")), ["unknown_target"]),
    ("a target for an action that works on none", ran("name: whole, ⟦target: web01") | WHOLE, ["invalid_parameters"]),
    ("targets for an action that works on none", ran("name: whole, ⟦target: [web01]") | WHOLE, ["invalid_parameters"]),
    ("a templated target for an action that works on none", ran('name: whole, target: "{{ event.host }}"') | WHOLE, []),
    ("no target for an action that works on none", ran("name: whole") | WHOLE, []),
    ("broken template", ran('name: restart, target: ⟦"{{ event. }}", parameters: {service: x}'), ["template"]),
    ("ungated", book(act("⟦run_playbook: {name: restart.yml}")), ["ungated-action"]),
    ("no playbook", book(act("⟦run_playbook: {name: ⟦restrat.yml}")), ["ungated-action", "no-file"]),
    ("playbook that escapes", book(act("⟦run_playbook: {name: ⟦../restart.yml}")), ["ungated-action", "no-file"]),
    ("playbook by its path", book(act("⟦run_playbook: {name: playbooks/restart.yml}")), ["ungated-action"]),
    ("unknown ruleset", book(act("post_event: {ruleset: ⟦wbe, event: {a: 1}}")), ["unknown-ruleset"]),
    ("no brake", book(act("run_action: {name: restart, target: web01, parameters: {service: x}}", name="⟦down"),
                      sources="  - healer.source: {name: plain}\n"), ["no-brake"]),
    ("a throttle brakes", book(act("run_action: {name: restart, target: web01, parameters: {service: x}}",
     rest="  throttle: {once_within: 5 minutes, group_by_attributes: [event.host]}\n"),
     sources="  - healer.source: {name: plain}\n"), []),
    ("an alert with a key acts once a firing", book(
        act("run_action: {name: restart, target: web01, parameters: {service: x}}").replace(
            'event.alert.name == "Down"', 'event.alert.key is defined and event.alert.status == "firing"'),
        sources="  - healer.source: {name: plain}\n"), []),
    *((f"{never} needs no brake", book(
        act("run_action: {name: restart, target: web01, parameters: {service: x}}").replace('event.alert.name == "Down"', never),
        sources="  - healer.source: {name: plain}\n"), [])
      for never in ("1 == 2", "event.x == 1 and 1 == 2", "not (1 == 1)", "1 == 2 or 3 in [4]", "{any: [1 == 2, 2 == 3]}", "{all: [1 == 2]}")),
    *((f"{ever} needs one", book(
        act("run_action: {name: restart, target: web01, parameters: {service: x}}", name="⟦down").replace('event.alert.name == "Down"', ever),
        sources="  - healer.source: {name: plain}\n"), ["no-brake"])
      for ever in ("1 == 1", "event.x == 1 or 1 == 2", "not (1 == 2)", "{any: [1 == 2, event.x == 1]}")),
    ("debug needs no brake", book(act("debug: {msg: x}"), sources="  - healer.source: {name: plain}\n"), []),
    ("rule twice", book(act("debug: {msg: x}") + act("debug: {msg: x}", name="⟦down")), ["duplicate-name"]),
    ("a key that YAML reads as true", {"healer.yaml": "⟦on: 1\nlog: {⟦no: 1}\nsources: {⟦yes: {range: {limit: 1}}, am: {healer.webhook: {path: am, format: alertmanager, auth: none}}}\n",
      "controllers.yaml": "⟦on: 1\ncontrollers:\n  here: {type: local}\n  site: {type: ansible}\n  ⟦off: {type: local}\ndefault: site\n",
      "actions.yaml": "⟦yes: 1\nactions:\n  restart: {playbook: restart.yml, impact: low, parameters: {service: {}}}\n  ⟦on: {command: [x], controller: here}\n"},
     ["options", "options", "options", "unknown-key", "name", "unknown-key", "name"]),
    ("not YAML", {"rulebooks/team/web.yml": "- name: ⟦[a\nb: {\n"}, ["yaml"]),
    ("window too long", {**book(act("debug: {}", rest="  throttle: {once_within: ⟦40 days, group_by_attributes: [a]}\n"))},
     ["window-too-long"]),
    ("both endings", {"rulebooks/team/web.yaml": "[]"}, ["both-endings", "wrong-type"]),
    ("reserved name", {"rulebooks/healer.yml": "- name: x\n  hosts: all\n  sources: []\n  rules: []\n"}, ["reserved-name"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "codes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_mistakes_stand_where_they_are(changes: dict[str, Any], codes: list[str], told: Any, marked: Any) -> None:
    found = told(changes)
    if "both-endings" in codes or "reserved-name" in codes:  # about files, not about what stands in them
        assert sorted(code for _, code in found) == sorted(codes)
        return
    assert found == sorted(zip(marked(changes), codes, strict=True))


CATALOG: list[tuple[str, dict[str, str], list[str]]] = [
    ("no playbook", {"actions.yaml": "actions:\n  restart: {playbook: ⟦restrat.yml, impact: low}\n"}, ["no-file"]),
    ("no script", {"actions.yaml": "actions:\n  restart: {script: ⟦x.sh, controller: here, impact: low}\n"}, ["no-file"]),
    ("no controller", {"actions.yaml": "actions:\n  restart: {playbook: restart.yml, controller: ⟦siet}\n"}, ["unknown_controller"]),
    ("wrong controller", {"actions.yaml": "actions:\n  restart: {playbook: restart.yml, controller: ⟦here}\n"},
     ["controller_forbidden"]),
    ("wrong default controller", {"actions.yaml": "actions:\n  restart: {script: ⟦clean.sh}\n"}, ["controller_forbidden"]),
    ("module", {"actions.yaml": "actions:\n  restart: {module: ⟦a b}\n"}, ["module"]),
    ("everything of a wrong action", {"actions.yaml": "actions:\n  restart: {playbook: restart.yml, impact: low, events: [e]}\n"
                                      "  a: {script: ⟦x.sh, ⟦timout: 5m, controller: ⟦siet, attempts: ⟦x, events: [⟦e, f, ⟦f]}\n"
                                      "  b: {module: ⟦a b, impact: ⟦huge, controller: ⟦here}\n"},
     ["no-file", "options", "unknown_controller", "options", "duplicate-event-type", "duplicate-event-type",
      "module", "options", "controller_forbidden"]),
    ("a wrong kind of a subject", {"actions.yaml": "actions:\n  a: {⟦script: [x], controller: here}\n  b: {module: ⟦'', controller: ⟦3}\n"},
     ["options", "options", "options"]),
    ("a number and its text", {"actions.yaml": "actions:\n  '1': {playbook: restart.yml}\n  ⟦1: {playbook: ⟦x.yml}\n"},
     ["duplicate-name", "no-file"]),
    ("no name in a wrong controller", {"controllers.yaml": "controllers:\n  site: {type: ansible, actions: [⟦[x], ⟦{a: b}, ⟦3, ⟦~, ⟦x], targets: [⟦[x]]}\n"
                                       "  here: {type: local}\ndefault: site\n"}, ["options", "options", "options", "options", "unknown_action", "options"]),
    ("an inventory of a wrong controller", {"controllers.yaml": "controllers:\n  site: {type: ⟦anisble}\n  here: {type: local, inventory: more, ⟦x: 1}\n"
                                            "  none: {type: local, inventory: ⟦away, concurrency: ⟦0}\ndefault: site\n",
                                            "inventory/hosts": "[web]\n⟦web[3:1]\n", "more": "[web]\n⟦web[3:1]\n"},
     ["unknown-controller-type", "options", "no-inventory", "options", "inventory", "inventory"]),
    ("everything of a wrong controller", {"controllers.yaml": "controllers:\n  site: {type: ansible, concurrency: ⟦0, actions: [⟦x]}\n"
                                          "  here: {type: local}\ndefault: site\n"}, ["options", "unknown_action"]),
    ("unknown key at the top", {"actions.yaml": "⟦action: {}\nactions:\n  restart: {playbook: restart.yml}\n"}, ["unknown-key"]),
    ("not a mapping", {"actions.yaml": "⟦actions: []\n"}, ["wrong-type"]),
    ("not yet", {"actions.yaml": "actions:\n  restart: {playbook: restart.yml, ⟦storm: {calm: 5m}}\n"}, ["not-yet"]),
    ("metadata of nothing", {"scripts/disk.meta.yml": "⟦controller: here\n⟦parametrs: {}\n"}, ["no-action-file", "options"]),
    ("metadata of nothing, and of nothing", {"scripts/disk.meta.yml": "⟦# nothing\n"}, ["no-action-file"]),
    ("metadata of nothing that a rule runs", {"scripts/disk.meta.yml": "⟦controller: here\nimpact: low\n", **ran("name: disk, target: localhost")}, ["no-action-file"]),
    ("metadata that is no YAML", {"scripts/clean.meta.yml": "impact: ⟦[low\n"}, ["yaml"]),
    ("metadata that is a list", {"scripts/clean.meta.yml": "⟦- low\n"}, ["wrong-type"]),
    ("metadata of two", {"scripts/clean.py": "", "scripts/clean.meta.yml": "⟦controller: here\n⟦impct: low\n"}, ["ambiguous-file", "options"]),
    ("metadata of another file", {"scripts/disk.sh": "#!/bin/sh\n", "scripts/disk.meta.yml": "script: ⟦clean.sh\ncontroller: here\nimpact: low\n"}, ["another-file"]),
    ("metadata of a playbook that names a script", {"playbooks/restart.meta.yml": "script: ⟦clean.sh\ncontroller: here\nimpact: low\n", "actions.yaml": None, "rulebooks/team/web.yml": None}, ["another-file"]),
    ("metadata that names its own file", {"scripts/clean.meta.yml": "script: scripts/clean.sh\ncontroller: here\nimpact: low\n"}, []),
    ("metadata that names one of two", {"scripts/clean.py": "", "scripts/clean.meta.yml": "script: clean.py\ncontroller: here\nimpact: low\n"}, []),
    ("a check that is not idempotent", {"actions.yaml": "actions:\n  look: {check: {disk: {path: /}}, controller: here, idempotent: ⟦false}\n"}, ["options"]),
    ("a check that is", {"actions.yaml": "actions:\n  look: {check: {disk: {path: /}}, controller: here, idempotent: true, impact: medium}\n"}, []),
    ("all of a controller and of its actions at once", {"controllers.yaml": "controllers:\n  here: {type: local}\n"
     "  w: {type: http, allow: ['https://a.example'], ca: ⟦nope.pem, timeout: ⟦soon, headers: {⟦Host: x}, actions: [⟦nothing]}\n"
     "  f: {type: ssh, port: ⟦x, targets: [⟦'group:wbe']}\ndefault: here\n",
     "actions.yaml": "actions:\n  get: {http: {method: GET, url: ⟦'https://b.example'}, target: none, controller: ⟦w, impact: low}\n",
     "rulebooks/team/web.yml": None}, ["no-file", "options", "options", "unknown_action", "options", "unknown_target", "forbidden-address", "controller_forbidden"]),
    ("a controller of which too much is wrong", {"controllers.yaml": "controllers:\n  here: {type: local}\n  w: {type: http, allow: [⟦5], ca: nope.pem}\n"
     "default: here\n", "actions.yaml": "actions:\n  get: {http: {method: GET, url: 'https://b.example'}, target: none, controller: w, impact: low}\n",
     "rulebooks/team/web.yml": None}, ["options"]),
    ("an action that its controller leaves out", {"controllers.yaml": "controllers:\n  here: {type: local, actions: [clean]}\n  site: {type: ansible, actions: [restart]}\n"
     "default: site\n", "actions.yaml": "actions:\n  restart: {playbook: restart.yml, impact: low}\n  ⟦more: {playbook: restart.yml, impact: low}\n"
     "  last: {command: [x], controller: ⟦here, impact: low}\n", "rulebooks/team/web.yml": None}, ["controller_forbidden", "controller_forbidden"]),
    ("an action that is its own check", {"actions.yaml": "actions:\n  restart: {playbook: restart.yml, impact: low, parameters: {service: {}},\n"
     "    verify: {action: ⟦restart, within: 1m}, escalate: [{action: ⟦restart, parameters: {bad: 1}}]}\n"}, ["itself", "itself"]),
    ("actions of a controller", {"controllers.yaml": "controllers:\n  site: {type: ansible, actions: [restart, ⟦x]}\n"
                                 "  here: {type: local}\ndefault: site\n"}, ["unknown_action"]),
    ("targets of a controller", {"controllers.yaml": "controllers:\n  site: {type: ansible, targets: [group:web, ⟦group:wbe, ⟦db1]}\n"
                                 "  here: {type: local}\ndefault: site\n"}, ["unknown_target", "unknown_target"]),
    ("a template as a target of a controller", {"controllers.yaml": "controllers:\n  site: {type: ansible, targets: [web01, ⟦\"{{ event.x }}\"]}\n"
                                 "  here: {type: local}\ndefault: site\n"}, ["unknown_target"]),
    ("a target that is not the controller's", {
        "controllers.yaml": "controllers:\n  site: {type: ansible, targets: [web02]}\n  here: {type: local}\ndefault: site\n",
        **ran("name: restart, target: ⟦web01, parameters: {service: x}")}, ["controller_forbidden"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "codes"), [case[1:] for case in CATALOG], ids=[case[0] for case in CATALOG])
def test_mistakes_of_the_catalog(changes: dict[str, str], codes: list[str], told: Any, marked: Any) -> None:
    quiet = {} if "rulebooks/team/web.yml" in changes else {"rulebooks/team/web.yml": None}
    found = told({**quiet, **changes})
    assert found == sorted(zip(marked(changes), codes, strict=True))


def test_dynamic_inventories_leave_targets_open(told: Any) -> None:
    """What a program would list is not known, so that no name can be called unknown."""
    changes = {"inventory/hosts": None, "inventory/cloud": "#!/bin/sh\necho\n"}
    assert told({**changes, **ran("name: restart, target: web99, parameters: {service: x}")}) == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        (ran("name: zzz, target: web01"), "there are: clean, restart"),
        (book(sources="  - zzz: {}\n"), "healer.webhook, healer.api, healer.source, check, a file of sources/"),
    ],
)
def test_a_name_like_none_is_told_what_there_is(write: Any, changes: dict[str, str], part: str) -> None:
    (told,) = [one for one in project.load(write(changes), {}).diagnostics if one.severity == "error"]
    assert part in told.try_


@pytest.mark.parametrize(("kind", "like"), [
    ("{http: {method: GET, url: 'https://x/'}, target: none, CONTROLLER}", "{type: http, allow: […]}"), ("{oc: {verb: rollout restart}, CONTROLLER}", "{type: oc, namespaces: […], …}"),
    ("{script: clean.sh, CONTROLLER}", "{type: local}"), ("{command: ['true'], CONTROLLER}", "{type: local}"), ("{check: {disk: {path: /}}, CONTROLLER}", "{type: local}"),
    ("{playbook: restart.yml, CONTROLLER}", "{type: ansible}"), ("{module: a.b.c, CONTROLLER}", "{type: ansible}"), ("{role: a.b.c, CONTROLLER}", "{type: ansible}"),
])  # fmt: skip
def test_who_runs_what_is_said_by_its_kind(write: Any, kind: str, like: str) -> None:
    name = kind[1:].partition(":")[0]
    others = "site: {type: ansible}" if "ansible" not in like else "here: {type: local}"
    only = others.partition(":")[0]
    changes = {
        "controllers.yaml": f"controllers: {{{others}}}\n", "scripts/clean.meta.yml": None, "rulebooks/team/web.yml": None,
        "actions.yaml": f"actions: {{a: {kind.replace('CONTROLLER', f'controller: {only}, impact: low')}}}\n",
    }  # fmt: skip
    found = [one for one in project.load(write(changes), {}).diagnostics if one.code == "controller_forbidden"]
    type_ = "ansible" if only == "site" else "local"
    assert [(one.message, one.try_) for one in found] == [
        (
            f"the controller {only!r} (type {type_}) cannot run actions of the kind {name}",
            f"list one that can in controllers.yaml, like {like}",
        )
    ]
