"""A project with something of everything, and a way to run texts of tests against it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from healer import harness, project

FILES = {
    "healer.yaml": """\
environment: dev
mode: observe                    # tests are active all the same
sources:
  am: {healer.webhook: {path: am, format: alertmanager, auth: {bearer: {secret: "env:TOKEN"}}}}
  any: {healer.webhook: {path: any, format: generic, auth: {bearer: {secret: "env:TOKEN"}}}}
activations:
  - {name: web, rulebook: rulebooks/web.yml, vars: {region: eu}}
  - {name: loop, rulebook: rulebooks/loop.yml}
notifications:
  channels: {slack: {team: T02AB, bot_token: {secret: "env:BOT"}, app_token: {secret: "env:APP"}}}
  receivers: {ops: {slack: {channel: C0123456789}}, boss: {slack: {channel: C0123456789}, news: [failed]}}
principals:
  ana: {roles: [approver], os: ana}
  bob: {roles: [readonly]}
policies:
  - name: production asks
    select: {environment: [prod]}
    approval: {any: [{name: on call, roles: [approver], approve: 1, reject: 1}], expires: 30 minutes}
""",
    "actions.yaml": """\
actions:
  restart:
    command: [/bin/false, restart]
    parameters: {service: {type: string, pattern: "^[a-z]{1,20}$", default: shop}}
    target: required
    impact: low
    idempotent: true
    cooldown: 10 minutes
    timeout: 1 minute
    verify: none
    events: [restart]
    escalate: [{action: reboot, after: 1 minute}]
  reboot: {command: [/bin/false, reboot], target: required, impact: low, idempotent: true, verify: none, cooldown: 1 second}
  page: {command: [/bin/false, page], target: none, impact: low, idempotent: true, verify: none, cooldown: 1 second}
  risky:
    command: [/bin/false, risky]
    target: required
    impact: high
    idempotent: false
    verify: none
""",
    "controllers.yaml": """\
controllers:
  site: {type: own, inventory: inventory/}
""",
    "controllers/own.py": '''\
"""A controller that leaves a mark wherever it is used."""

import pathlib

from healer import model, plugins

MARK = pathlib.Path(__file__).parents[1] / "touched"


class Options(plugins.Options):
    """None."""


class CONTROLLER(plugins.Controller):
    """Marks."""

    Options = Options
    kinds = frozenset({"command", "script"})

    def __init__(self, options, context):
        MARK.write_text("made")
        super().__init__(options, context)

    async def check(self):
        MARK.write_text("checked")

    async def plan(self, job):
        MARK.write_text("planned")

    async def run(self, job, output):
        MARK.write_text("run")

    async def find(self, job):
        MARK.write_text("found")

    async def follow(self, job, output):
        MARK.write_text("followed")
''',
    "inventory/hosts.yml": "all: {children: {web: {hosts: {web1: , web2: , web3: }}, db: {hosts: {db1: }}}}\n",
    "rulebooks/web.yml": """\
- name: web
  hosts: all
  sources:
    - healer.source: {name: am}
    - healer.api: {}
  rules:
    - name: down
      condition: event.alert.name == "Down" and event.alert.key is defined and event.alert.status == "firing"
      action: {run_action: {name: restart, target: "{{ event.alert.target }}"}}
    - name: breach
      condition: event.alert.name == "Breach" and event.alert.key is defined and event.alert.status == "firing"
      action: {run_action: {name: risky, target: "{{ event.alert.target }}"}}
    - name: slow in our region
      condition: event.slow > 5 and event.region == vars.region
      throttle: {once_within: 5 minutes, group_by_attributes: [event.region]}
      action: {run_action: {name: page}}
    - name: two halves
      condition:
        all:
          - event.half == "left"
          - event.half == "right"
      action: {run_action: {name: page}}
    - name: remembers
      condition: event.remember is defined
      action: {set_fact: {fact: {kept: "{{ event.remember }}"}}}
    - name: knows
      condition: event.kept is defined and event.kept == "x"
      action: {none: {}}
    - name: office hours
      condition: event.office is defined
      policy: {windows: {allow: [{days: mon-fri, hours: "07:00-19:00", timezone: UTC}]}}
      action: {run_action: {name: page}}
    - name: echo
      condition: event.echo is defined
      throttle: {once_within: 1 second, group_by_attributes: [event.echo]}
      action: {debug: {msg: heard}}
""",
    "rulebooks/loop.yml": """\
- name: loop
  hosts: all
  sources: [{healer.source: {name: any}}]
  rules:
    - name: again
      condition: event.go is defined
      action: {post_event: {event: {go: 1}}}
""",
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The project's folder; nobody changes it."""
    folder = tmp_path_factory.mktemp("harness")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="session")
def revision(made: pathlib.Path) -> project.Revision:
    """The project, read."""
    loaded = project.load(made, {})
    assert loaded.revision is not None, [str(one) for one in loaded.diagnostics]
    return loaded.revision


Played = Callable[..., harness.Run]


@pytest.fixture
def play(made: pathlib.Path, revision: project.Revision) -> Played:
    """Run the text of a file of tests; with `rulebook: web.yml` before it unless it names one itself."""

    def run(text: str, *, covered: bool = False) -> harness.Run:
        file = made / "rulebooks" / "case_test.yml"
        file.write_text(
            text if "rulebook:" in text or text.startswith("tests:\n# all") else f"rulebook: web.yml\n{text}"
        )
        try:
            return harness.run(made, revision, ["rulebooks/case_test.yml"], covered=covered).runs[0]
        finally:
            file.unlink()

    return run
