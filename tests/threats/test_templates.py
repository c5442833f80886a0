"""Row B1 of the threat table: data of events is a value, never a template, a format or a word of a shell, from the body to the child."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sending

from healer import errors, plugins

INJECTIONS = [
    "{{7*7}}", "{{''.__class__}}", "${7*7}", "%(x)s", "{0.__class__}", "$(id)", "`id`", "; rm -rf /", "-oProxyCommand=x",
    "a\n\nb\r\n{% for x in y %}\t{# c #}\n",
]  # fmt: skip
RENDERED = ("49", "<class", "uid=", "built-in")
"""What would stand there if one of them were carried out."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every text below a value, as what holds it and its name there."""
    for name in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        if isinstance(value[name], str):
            yield value, name
        else:
            yield from places(value[name])


def texts(value: Any) -> Iterator[str]:
    """Every text of a value, names included."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)
    if isinstance(value, str):
        yield value


def read(form: plugins.Format, body: Any, headers: Any) -> list[Any]:
    """The events of a body; none where it is refused by a named mistake."""
    try:
        return [one.event for one in form.read(body, headers) if isinstance(one, plugins.Element)]
    except errors.RequestError:
        return []


def rendered(events: list[Any], body: Any) -> list[str]:
    """Texts of alerts that only carrying out an injection could have made. A key may be a hash."""
    told = [text for one in events for word, value in one["alert"].items() if word != "key" for text in texts(value)]
    before = json.dumps(body)
    return [text for text in told for made in RENDERED if made in text and made not in before]


@pytest.mark.parametrize("text", INJECTIONS)
def test_b01_template_injection_into_formats(text: str, shared: pathlib.Path) -> None:
    """Data as a template → whichever text of a real body it stands for, it is in the event byte by byte, and nothing comes of it."""
    refused = tried = 0
    for sent in sending.corpus(shared):
        form, body = plugins.find("formats", sent.format).FORMAT, sent.value
        before = copy.deepcopy(read(form, body, sent.headers))
        for holder, name in places(body):
            own, holder[name] = holder[name], text
            tried += 1
            events = read(form, body, sent.headers)
            refused += not events
            assert not events or text in texts(events), (sent.file, name)
            assert rendered(events, sent.value) == [], (sent.file, name)
            if events and before and before[0].get("payload") == sent.value:
                assert events[0]["payload"] == body, (sent.file, name)
            holder[name] = own
        assert body == sent.value
    assert tried > 2_000
    assert refused < tried / 100


@pytest.mark.parametrize("text", INJECTIONS)
def test_b01_template_injection_into_all_of_a_body(text: str, shared: pathlib.Path) -> None:
    """Data as a template → in the place of every text at once it is read as before or refused by name, and stands as it was sent."""
    events_of_all = 0
    for sent in sending.corpus(shared):
        body = sent.value
        found = list(places(body))
        for holder, name in found:
            holder[name] = text
        events = read(plugins.find("formats", sent.format).FORMAT, body, sent.headers)
        events_of_all += len(events)
        assert all(text in texts(one) for one in events) or not found, sent.file
        assert rendered(events, body) == [], sent.file
    assert events_of_all > 60


SOURCES = "sources: {any: {healer.webhook: {path: any, auth: {none: true}, alert_ttl: 1 hour}}}\n"
BOOK = """\
- name: rs
  hosts: all
  sources: [{healer.source: {name: any}}, {healer.api: {}}]
  rules:
    - name: told
      condition: event.payload.text is defined
      actions:
        - debug: {msg: "{{ event.payload.text }}"}
        - run_action:
            name: tell
            parameters:
              text: "{{ event.payload.text }}"
              name: "{{ event.alert.name }}"
              summary: "{{ event.alert.summary }}"
              among: "<{{ event.alert.name }}|{{ event.alert.labels.text }}>"
              whole: "{{ event.payload }}"
        - post_event: {event: {again: "{{ event.payload.text }}", note: "<{{ event.payload.text }}>"}}
    - name: told again
      condition: event.again is defined
      action:
        run_action: {name: tell, parameters: {text: "{{ event.again }}", among: "{{ event.note }}", again: "yes"}}
    - name: played
      condition: event.texts is defined
      action: {run_action: {name: play, target: h1, parameters: {texts: "{{ event.texts }}", among: "<{{ event.texts[0] }}>"}}}
"""
ACTIONS = """
  tell:
    script: tell.py
    target: none
    impact: low
    cooldown: 0 seconds
    parameters:
      {text: {type: string}, name: {type: string}, summary: {type: string}, among: {type: string}, again: {type: string}, whole: {type: object}}
    required: [text]
  play:
    playbook: play.yml
    controller: site
    impact: low
    cooldown: 0 seconds
    parameters: {texts: {type: array, items: {type: string}}, among: {type: string}}
"""
TELL = """\
#!/usr/bin/env python3
import json, os, pathlib, sys
told = {"argv": sys.argv, "stdin": json.load(sys.stdin), "env": {k: v for k, v in os.environ.items() if k.startswith("HEALER_PARAM_")}}
pathlib.Path("%s", os.environ["HEALER_RUN_ID"]).write_text(json.dumps(told))
"""
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {content: "{{ {'texts': texts, 'among': among, 'joined': texts | join('|')} | to_json }}", dest: "%s", mode: "0600"}
"""


def project(daemon: Any) -> pathlib.Path:
    """Actions that write down what they were given; the folder where."""
    told = daemon.base / "told"
    told.mkdir()
    daemon.write("healer.yaml", (daemon.project / "healer.yaml").read_text() + SOURCES)
    daemon.write("actions.yaml", (daemon.project / "actions.yaml").read_text() + ACTIONS)
    daemon.write("rulebooks/healing.yml", BOOK)
    daemon.write("scripts/tell.py", TELL % told).chmod(0o755)
    daemon.write("playbooks/play.yml", PLAYBOOK % (told / "play"))
    listed = (daemon.project / "controllers.yaml").read_text()
    daemon.write(
        "controllers.yaml", listed.replace("default:", "  site: {type: ansible, inventory: inventory/}\ndefault:")
    )
    python = "ansible_python_interpreter: '{{ ansible_playbook_python }}'"
    daemon.write("inventory/hosts.yml", f"all:\n  hosts:\n    h1: {{ansible_connection: local, {python}}}\n")
    return told


def wanted(text: str) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """What a script is given of an event with this text, on its standard input and in its environment: by its rule, by the one behind it."""
    body = {"text": text, "name": text, "summary": text, "labels": {"text": text}, "host": "h1"}
    both = {"text": text, "name": text, "summary": text, "among": f"<{text}|{text}>"}
    first = both | {"whole": body}
    again = {"text": text, "among": f"<{text}>", "again": "yes"}
    upper = [{f"HEALER_PARAM_{name.upper()}": value for name, value in some.items()} for some in (both, again)]
    return [(first, upper[0]), (again, upper[1])]


def exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def test_b01_template_injection_through_a_daemon(daemon: Any, wait_for: Callable[..., None]) -> None:
    """Data as a template or a word of a shell → through rules, their inner events, scripts and Ansible it arrives as it was sent."""
    told = project(daemon)
    daemon.start()
    daemon.ready()
    for text in INJECTIONS:
        assert daemon.ask("POST", "/hooks/any", wanted(text)[0][0]["whole"], key="")[0] == 202
    daemon.event({"texts": INJECTIONS})
    count = 2 * len(INJECTIONS) + 1
    wait_for(lambda: daemon.states() == ["succeeded"] * count, 90, "all runs to succeed")
    given = [json.loads(path.read_text()) for path in told.iterdir() if path.name != "play"]
    assert all(pathlib.Path(argv[0]).name == "tell.py" and len(argv) == 1 for argv in (one["argv"] for one in given))
    got = [(one["stdin"], {k: v for k, v in one["env"].items() if k != "HEALER_PARAM_WHOLE"}) for one in given]
    expected = [pair for text in INJECTIONS for pair in wanted(text)]
    assert sorted(map(exact, got)) == sorted(map(exact, expected))
    played = json.loads((told / "play").read_text())
    assert played == {"texts": INJECTIONS, "among": f"<{INJECTIONS[0]}>", "joined": "|".join(INJECTIONS)}
    [file] = (daemon.project / "logs").glob("*.log")
    messages = [json.loads(line)["message"] for line in file.read_text("utf-8").split("\n")[:-1]]
    assert [text for text in INJECTIONS if text not in messages] == []
    daemon.verified()
