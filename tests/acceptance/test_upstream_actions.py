"""ansible-rulebook's own actions on a real daemon, with real playbooks: their order, their second try, and what they give back to rules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

BOOK: Final = """\
- name: looks
  hosts: all
  execution_strategy: {strategy}
  sources: [{{healer.api: {{}}}}]
  rules:
    - name: look
      condition: event.look is defined
      action:
        run_playbook:
          name: look.yml
          set_facts: true
          post_events: true
          retries: 1
          extra_vars: {{look: "{{{{ event.look }}}}"}}
    - name: free space is known
      condition: fact.free == 12
      action: {{run_module: {{name: ansible.builtin.lineinfile, module_args: "path={effects} create=yes line=free-{{{{ fact.free }}}}-{{{{ fact.meta.source.name }}}}"}}}}
"""
PLAYBOOK: Final = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: "echo begin-$LOOK >> {effects}; until [ ! -e {hold} ]; do sleep 0.05; done"
      environment: {{LOOK: "{{{{ look }}}}"}}
    - ansible.builtin.fail: {{msg: each try fails}}
      when: look == "second"
    - ansible.builtin.set_stats: {{data: {{free: 12, of: "{{{{ look }}}}"}}}}
"""
INVENTORY: Final = "all: {{hosts: {{web01: {{ansible_connection: local, ansible_python_interpreter: '{python}'}}}}}}\n"


def project(daemon: Any, strategy: str) -> None:
    """Its rulebook, playbook and inventory."""
    places = {"effects": daemon.effects, "hold": daemon.hold}
    daemon.write("rulebooks/healing.yml", BOOK.format(strategy=strategy, **places))
    daemon.write("playbooks/look.yml", PLAYBOOK.format(**places))
    daemon.write("controllers.yaml", "controllers: {site: {type: ansible, inventory: inventory}}\n")
    daemon.write("actions.yaml", "{}\n")
    daemon.write("inventory/hosts.yml", INVENTORY.format(python=sys.executable))


def lines(daemon: Any) -> list[str]:
    """What was done, in order."""
    return daemon.effects.read_text().split() if daemon.effects.exists() else []


def test_a_sequential_ruleset_and_what_its_playbooks_give(daemon: Any, wait_for: Callable[..., None]) -> None:
    project(daemon, "sequential")
    daemon.hold.touch()
    daemon.start()
    daemon.ready().event({"look": "first"})
    daemon.event({"look": "other"})
    wait_for(lambda: lines(daemon) == ["begin-first"])
    assert sorted(daemon.states()) == ["queued", "running"]
    daemon.kill()  # the order survives a crash
    daemon.start()
    daemon.ready()
    daemon.hold.unlink()
    wait_for(lambda: daemon.states() == ["succeeded"] * 6, 120)
    done = lines(daemon)
    assert done.index("begin-first") < done.index("begin-other")
    assert {"free-12-run_playbook"} == {line for line in done if line.startswith("free")}
    daemon.verified()


def test_a_parallel_one_and_a_second_try(daemon: Any, wait_for: Callable[..., None]) -> None:
    project(daemon, "parallel")
    daemon.hold.touch()
    daemon.start()
    daemon.ready().event({"look": "first"})
    daemon.event({"look": "second"})
    wait_for(lambda: sorted(lines(daemon)) == ["begin-first", "begin-second"])
    daemon.hold.unlink()
    wait_for(lambda: "failed" in daemon.states())
    assert lines(daemon).count("begin-second") == 2
    daemon.verified()


GATHERING: Final = """\
- name: hosts
  hosts: all
  gather_facts: true
  sources: [{healer.api: {}}]
  rules:
    - name: known
      condition: {all: [facts.host << fact.ansible_system == "Linux", event.ask == facts.host.meta.hosts]}
      action:
        run_module:
          name: ansible.builtin.lineinfile
          module_args: {path: "%s", create: true, line: "{{ events.host.ansible_system }} {{ events.host.meta.hosts }} {{ events.host.meta.source.name }}"}
"""


def test_facts_of_hosts_are_gathered_at_the_start(daemon: Any, wait_for: Callable[..., None]) -> None:
    project(daemon, "parallel")
    daemon.write("rulebooks/healing.yml", GATHERING % daemon.effects)
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded"])
    daemon.event({"ask": "web01"})
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    assert daemon.effects.read_text() == "Linux web01 gather_facts\n"
    daemon.stop()
    daemon.start()
    daemon.ready()
    wait_for(lambda: len(daemon.rows("SELECT 1 FROM journal WHERE kind = 'fact'")) == 2)
    assert len(daemon.rows("SELECT 1 FROM journal WHERE kind = 'retract'")) == 1
    wait_for(lambda: daemon.status()["backlog"] == 0)
    daemon.event({"ask": "web01"})  # one fact of the host is known, not two
    wait_for(lambda: len(daemon.states()) == 4)
    wait_for(lambda: set(daemon.states()) == {"succeeded"})
    assert len(daemon.states()) == 4
    daemon.verified()


ALIKE: Final = """\
- {name: first, hosts: all, gather_facts: true, sources: [{healer.api: {}}], rules: [{name: r, condition: event.a == 1, action: {none: {}}}]}
- name: "{{ evil }}"
  hosts: all
  sources: []
  rules:
    - name: known
      condition: fact.ansible_system == "Linux"
      action: {run_module: {name: ansible.builtin.lineinfile, module_args: {path: "%s", create: true, line: known}}}
"""


def test_facts_go_to_a_ruleset_whose_name_looks_like_a_template(daemon: Any, wait_for: Callable[..., None]) -> None:
    project(daemon, "parallel")
    daemon.write("rulebooks/healing.yml", ALIKE % daemon.effects)
    daemon.start()
    daemon.ready()
    wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    assert daemon.effects.read_text() == "known\n"


def test_a_playbook_of_a_collection_is_run_by_its_name(daemon: Any, wait_for: Callable[..., None]) -> None:
    project(daemon, "parallel")
    book = (
        BOOK.format(strategy="parallel", effects=daemon.effects)
        .replace("look.yml", "acme.web.look")
        .replace("set_facts: true", "set_facts: false")
    )
    daemon.write("rulebooks/healing.yml", book)
    play = (daemon.project / "playbooks/look.yml").read_text()
    daemon.write("collections/ansible_collections/acme/web/playbooks/look.yml", play)
    daemon.write("collections/ansible_collections/acme/web/galaxy.yml", "namespace: acme\nname: web\nversion: 1.0.0\n")
    (daemon.project / "playbooks/look.yml").unlink()
    daemon.start()
    daemon.ready().event({"look": "first"})
    wait_for(lambda: "succeeded" in daemon.states())
    assert lines(daemon)[0] == "begin-first"
