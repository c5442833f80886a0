"""Upstream's JSON Schema, ours, and our checks say the same of the same rulebook; and of the other files ours and the checks.

What upstream's schema accepts we accept, what it refuses we refuse: `LATER` lists what else is refused, with the reason.
DOCUMENTS=n begins with n rulebooks (default 120); each is looked at with some mistakes too.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import re
from collections.abc import Iterator
from typing import Any

import ansible_rulebook
import click.testing
import jsonschema
import pytest
import walking  # conftest.py has put it where it is found
import yaml

from healer import catalog, cli, config, errors, harness, plugins, project, rulebook
from healer.project import activations, controllers, discovery, looks, settings, sources, tree

DOCUMENTS = int(os.environ.get("DOCUMENTS", "120"))
MISTAKES = 6
LATER = [
    ("duplicate-name", "", "upstream's parser refuses it after the schema"),
    ("empty-name", "", "upstream's parser refuses it after the schema"),
    ("condition-(?!kind|timeout)", "", "upstream's parser refuses it after the schema"),
    ("condition-kind", "", "upstream's parser refuses a mapping without all:, any: or not_all: after the schema"),
    ("source-type", "got none", "upstream's parser fails on it after the schema (IndexError)"),
    ("source-type", "got .*, ", "upstream takes the first of two types: docs/rulebooks.md, where we differ"),
    ("wrong-type", "a filter has to be", "as two types of a source; without a mapping upstream fails when it runs"),
    ("wrong-type", "a list of conditions, at least one", "docs/rulebooks.md, where we differ"),
    ("wrong-type", "attribute [0-9]+ has to be the path of a field", "upstream's engine refuses it after the schema"),
    ("wrong-type", "at most ten years", "a limit; upstream's engine has one too (32 bits)"),
    ("missing-key", "actions: holds no action", "docs/rulebooks.md, where we differ"),
    ("throttle-condition", "", "upstream's engine refuses it after the schema"),
    ("module-args", "", "upstream fails on it when it runs"),
]
"""(code, part of the message, reason) of what our checks refuse though upstream's schema accepts it."""
UNSAID = re.compile("duplicate-name|condition-(?!kind|timeout)|throttle-condition|module-args")
"""Of these codes no schema can tell."""


UPSTREAM = json.loads(
    (pathlib.Path(ansible_rulebook.__file__).parent / "schema" / "ruleset_schema.json").read_text("utf-8")
)
upstream = jsonschema.Draft7Validator(UPSTREAM)
KINDS = {**project.SCHEMAS, **harness.SCHEMAS}
published = {kind: jsonschema.Draft202012Validator(project.schema(kind, KINDS)) for kind in KINDS}
NAMES = sorted({*walking.keys(UPSTREAM), "run_action", "lock", "pg_notify", "foo"})


def read(value: Any) -> config.Document:
    """A value as a document of a file."""
    return config.read_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), "file.yml", twice="warning")


def refusals(document: config.Document) -> list[errors.Diagnostic]:
    """What our checks refuse, aside from what is only not there yet."""
    found = [one for one in document.diagnostics if one.severity == "error"]
    return [one for one in found if not one.code.startswith("not-yet")]


def of_rulebook(value: Any) -> list[errors.Diagnostic]:
    """What our checks refuse of a rulebook."""
    document = read(value)
    rulebook.parse(document, {})
    return refusals(document)


def listed(one: errors.Diagnostic) -> bool:
    """Whether a refusal has its reason in `LATER`."""
    return any(re.match(code, one.code) and re.search(part, one.message) for code, part, _ in LATER)


def without_ours(value: Any) -> Any:
    """A rulebook with `run_action` as an action of upstream's."""
    text = json.dumps(value)
    return json.loads(text.replace('"run_action"', '"none"'))


def rulebooks() -> Iterator[tuple[int, Any]]:
    """(seed, document): valid ones, and the same with one or two mistakes."""
    for seed in range(DOCUMENTS):
        chance = random.Random(seed)
        document = walking.Walk(UPSTREAM, seed).document()
        yield seed, document
        for _ in range(MISTAKES):
            once = walking.mutated(document, NAMES, chance)
            yield seed, walking.mutated(once, NAMES, chance) if chance.random() < 0.3 else once


def test_upstream_and_both_of_ours_agree_on_rulebooks() -> None:
    wrong, verdicts = [], {True: 0, False: 0}
    for seed, document in rulebooks():
        accepted, refused, ours = (
            upstream.is_valid(document),
            of_rulebook(document),
            published["rulebook"].is_valid(document),
        )
        verdicts[accepted] += 1
        fine = all(map(listed, refused)) if accepted else bool(refused) or upstream.is_valid(without_ours(document))
        said = all(UNSAID.match(one.code) for one in refused)
        if not fine or ours is not said:
            wrong.append((seed, accepted, ours, [str(one) for one in refused], document))
    assert not wrong, f"{len(wrong)}, the first: {wrong[0]}"
    assert min(verdicts.values()) > DOCUMENTS


def test_each_reason_is_met_by_a_document() -> None:
    """Nothing stands in the list that is not so any more."""
    met = dict.fromkeys(range(len(LATER)), False)
    for document in _bad_later():
        assert upstream.is_valid(document), document
        for one in of_rulebook(document):
            for number, (code, part, _) in enumerate(LATER):
                met[number] |= bool(re.match(code, one.code) and re.search(part, one.message))
    assert [LATER[number] for number, seen in met.items() if not seen] == []


def _book(sources: Any = (), name: str = "s", **rule: Any) -> list[dict[str, Any]]:
    made = {
        "name": "r",
        "condition": "event.i == 1",
        **({} if "actions" in rule else {"action": {"none": None}}),
        **rule,
    }
    return [{"name": name, "hosts": "all", "sources": list(sources), "rules": [made]}]


def _bad_later() -> Iterator[Any]:
    grouped = {"group_by_attributes": ["event.i"]}
    yield [*_book(), *_book()]
    yield _book(name=" ")
    yield _book(condition="event.i ==")
    yield _book(condition={})
    yield _book([{"name": "x"}])
    yield _book([{"a": None, "b": None}])
    yield _book([{"a": None, "filters": [{"b": 5}]}])
    yield _book(condition={"any": []})
    yield _book(throttle={"once_within": "5 seconds", "group_by_attributes": [""]})
    yield _book(throttle={"once_within": "4000 days", **grouped})
    yield _book(throttle={"once_within": "4 days", **grouped}, condition={"all": ["event.i == 1", "event.i == 2"]})
    yield _book(actions=[])
    yield _book(action={"run_module": {"name": "m", "module_args": "x"}})


@pytest.mark.parametrize(("change", "fine"), [
    ({"action": {"run_action": {"name": "x", "target": ["a"], "parameters": {}, "controller": "c"}}}, True),
    ({"action": {"run_action": {"target": "a"}}}, False),
    ({"action": {"run_action": None}}, False),
    ({"action": {"run_action": {"name": "x", "target": [1]}}}, False),
    ({"policy": {"cooldown": "5 minutes"}}, True),
])  # fmt: skip
def test_our_additions_to_a_rule_are_in_our_schema(change: dict[str, Any], fine: bool) -> None:
    document = _book(**change)
    assert (upstream.is_valid(document), published["rulebook"].is_valid(document)) == (False, fine)
    assert (not of_rulebook(document)) is fine


@pytest.mark.parametrize(("source", "fine"), [
    ({"healer.webhook": {"path": "am", "auth": {"none": True}}, "name": "x"}, True),
    ({"healer.webhook": {"path": "am", "auth": "none", "max_quiet": "10m", "max_body": "1 MiB"}}, True),
    ({"healer.webhook": {"path": "am"}}, False),
    ({"healer.webhook": None}, False),
    ({"healer.webhook": {"path": "am", "auth": {"none": True, "bearer": {"secret": "env:X"}}}}, False),
    ({"healer.webhook": {"path": "am", "auth": {"none": True}, "max_quiet": 5}}, False),
    ({"healer.source": {"name": "am"}}, True),
    ({"healer.source": {"nam": "am"}}, False),
    ({"healer.api": None}, True),
    ({"healer.api": {"x": 1}}, False),
    ({"check": {"disk": {"path": "/"}}, "filters": []}, False),
    ({"check": {"disk": {"path": "/"}}, "filters": [{"json_filter": None}]}, False),
    ({"range": {"limit": 3}, "filters": [{"json_filter": None}]}, True),
    ({"check": {}}, False),
    ({"check": {"process": {"name": "x"}, "interval": "5m"}}, True),
    ({"check": {"process": {"name": "x"}, "interval": 5}}, False),
    ({"check": {"disk": {"path": "/"}, "http": {"url": "http://x"}}}, False),
])  # fmt: skip
def test_our_sources_are_in_our_schema_and_say_what_their_checks_say(
    source: dict[str, Any], fine: bool, tmp_path: pathlib.Path
) -> None:
    files = {"healer.yaml": {"sources": {"am": {"healer.webhook": {"path": "shared", "auth": "none"}}}},
             "rulebooks/a.yml": _book([source])}  # fmt: skip
    for name, value in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(value))
    loaded = project.load(tmp_path, {})
    assert (loaded.errors == 0) is fine, loaded.diagnostics
    assert published["rulebook"].is_valid(files["rulebooks/a.yml"]) is fine


# --- the other files ------------------------------------------------------------------------------------------------------


def of_healer(value: Any, folder: pathlib.Path) -> list[errors.Diagnostic]:
    """What our checks refuse of `healer.yaml`."""
    document = read(value)
    read_ = settings.read(document, {}, {})
    sources.Sources(tree.Tree(folder, lambda _: True)).share(document)
    activations.read(document, tree.Tree(folder, lambda _: True), lambda _: None, None)
    of_checks(document, [], folder)
    return [one for one in (*document.diagnostics, *read_.diagnostics) if one.severity == "error"]


def of_checks(main: config.Document | None, written: list[catalog.Written], folder: pathlib.Path) -> None:
    """What our checks refuse of `check:`, in the documents themselves."""
    document = config.read_text("{}", "healer.yaml")
    looks.check(main, settings.read(document, {}, {}), written, controllers.Controllers({}, "", frozenset("x")), folder)


def of_actions(value: Any, _folder: pathlib.Path) -> list[errors.Diagnostic]:
    """What our checks refuse of `actions.yaml`."""
    document = read(value)
    found, _ = discovery.written(tree.Tree(_folder, lambda _: True), document)
    catalog.build(found)
    of_checks(None, found, _folder)
    return [one for one in document.diagnostics if one.severity == "error"]


def of_metadata(value: Any, _folder: pathlib.Path) -> list[errors.Diagnostic]:
    """What our checks refuse of metadata beside a script."""
    document = read(value)
    written = document.value if document.value is not None else config.Map((1, 1, 1))
    found = [catalog.Written("x", document, written, (1, 1, 1), "script", "scripts/x.sh")]
    catalog.build(found)
    of_checks(None, found, _folder)
    return [one for one in document.diagnostics if one.severity == "error"]


def of_controllers(value: Any, folder: pathlib.Path) -> list[errors.Diagnostic]:
    """What our checks refuse of `controllers.yaml`."""
    document = read(value)
    controllers.read(document, controllers.Project(lambda kind, name: plugins.find(kind, name, folder), ""))
    return [one for one in document.diagnostics if one.severity == "error"]


GATES = {
    "cooldown": "5m", "max_age": "1 hour", "defer_for": "2h", "settle": "60 seconds", "attempts": 2, "timeout": "5m", "rate_limit": "30 per hour",
    "breaker": {"failures": 3, "within": "30 minutes", "retry_after": "0s"}, "flapping": {"cycles": 4, "within": "1h"},
    "blast_radius": {"targets": "20 %", "at_least": 0, "or": 3, "of": "group:web", "within": "1 hour"},
    "windows": {"allow": [{"days": "mon-fri, sun", "hours": "22:00-06:00", "timezone": "Europe/Vienna"}], "block": [{"dates": "2026-12-24..2026-12-31"}]},
    "approval": {"any": [{"name": "on call", "roles": ["approver"], "approve": 2, "reject": 1}], "expires": "5m", "then": "page", "exclude": ["requester", "author"]},
}  # fmt: skip
CHECKS = {"healer": of_healer, "actions": of_actions, "metadata": of_metadata, "controllers": of_controllers}
SAMPLES: dict[str, list[Any]] = {
    "healer": [{
        "environment": "prod", "mode": "observe", "server": {"host": "::1", "port": 0, "public_url": "https://healer.example.org/x"}, "data_dir": "d", "reload": "manual",
        "log": {"dir": "l", "level": "DEBUG", "rotation": "10 MB", "retention": "30 days"}, "retention": {"runs": "400d"},
        "keys": {"file": "/k"}, "control": None, "drain": "30s", "body_max": 4096, "backlog_max": 1000,
        "sources": {"am": {"healer.webhook": {"path": "a", "auth": {"bearer": {"secret": "env:X"}}}, "name": "x"},
                    "r": {"range": {"limit": 3}, "filters": [{"json_filter": None}]}},
        "activations": [
            {"name": "a", "rulebook": "rulebooks/a.yml", "vars": {"x": 1}, "env": {"A": "b", "C": {"secret": "env:X"}}, "mode": False,
             "sources": {"s": "am"}, "restart": "always"},
            {"name": "b", "rulebook": "a.b.c", "mode": "observe", "inventory": None, "compat": "upstream", "vars_files": []},
        ],
        "defaults": {"run_action": {"cooldown": None, "max_age": "15 minutes", "attempts": 2, "concurrency": {"daemon": 3}}},
    }, {
        "defaults": {"run_action": {"verify": {"check": {"http": {"url": "http://x", "contains": "ok"}}, "within": "1m"}}},
    }, {
        "storm": {"matches": "200 per 2 minutes", "calm": "5m"}, "defaults": {"run_action": {**GATES, "chain_depth": "none"}},
        "policies": [{"name": "a", "select": {"environment": ["prod"], "impact": ["high"], "labels": {"a": "b*"}, "severity": ["critical"]}, **GATES},
                     {"name": "b", "concurrency": 2, "blast_radius": {"targets": 5, "within": "1 day"}, "rate_limit": "2 per 10 minutes"}],
        "inhibit": [{"source": {"alertname": "NodeDown"}, "target": {"alertname": "ServiceDown"}, "equal": ["instance"]}],
    }, {
        "roles": {"oncall": {"permissions": ["runs.read", "approvals.decide", "pause", "silences.write"], "rulesets": ["web/*"],
                             "targets": ["group:web"], "actions": ["restart"]}, "a-b.c": {"permissions": ["reload"]}},
        "principals": {"ana": {"roles": ["oncall", "approver"], "slack": "T02AB/U7XYZ", "os": "ana", "git": "a@b.org", "email": "a@b.org"},
                       "bo": {}},
    }, {
        "storm": "none", "policies": None, "roles": None, "principals": None, "inhibit": [], "defaults": {"run_action": {key: "none" for key in GATES if key != "timeout"} | {"windows": False, "approval": False, "approval_exclude": []}},
    }],
    "actions": [{"actions": {
        "a": {"playbook": "a.yml", "description": "x", "parameters": {"s": {"type": "string", "pattern": "^a"}}, "required": ["s"],
              "target": "none", "timeout": "5 minutes", "idempotent": True, "dry_run": False, "impact": "low", "tags": ["t"], "events": ["e.x"]},
        "b": {"command": ["ls", "-l"], "cooldown": "0 seconds", "attempts": 1, "payload_parameters": []}, "c": {"script": "c.sh"},
        "d": {"module": "a.b.c", "controller": "x", "concurrency": 2, "max_age": None}, "e": {"script": "e.sh", **GATES},
        "f": {"check": {"http": {"url": "http://x", "timeout": "5s", "status": 200}}},
        "g": {"script": "g.sh", "verify": {"check": {"disk": {"path": "/", "used_percent_max": 80}}, "within": "1m"}},
        "h": {"check": {"disk": {"path": "/", "max_bytes": "{{ parameters.n }}"}}, "parameters": {"n": {"default": 1}}},
    }}],
    "metadata": [{"verify": {"check": {"process": {"pidfile": "/x"}}, "within": "5m"}}, {"impact": "high", "parameters": {"n": {"type": ["integer", "null"], "minimum": 0, "default": 1}}}, {"playbook": "x.yml"}],
    "controllers": [{"controllers": {
        "here": {"type": "local", "targets": ["group:web"], "actions": ["a"], "concurrency": 3, "tags": ["t"], "inventory": "i"},
        "site": {"type": "ansible", "inventory": "i", "forks": 5, "vault_password": {"secret": "file:/v"}, "collections": "c"},
    }, "default": "here"}],
}  # fmt: skip
TOO_FAR = re.compile(
    "unknown-source|unknown-filter|unknown-check|no-file|name: .* is no (variable|name of a variable|name of an activation)|duplicate-name: the (activation|policy)|"
    "unknown-role|duplicate-identity|grants-nothing|template: the parameter 'n' may be missing|reserved-name: '.*' is what a rule's templates|dry-run: |"
    "unknown-parameter|duplicate-event-type|unknown_controller: no controller is named '|unknown-controller-type: there is no type of controllers '|.* its default is wrong"
    "|.*(at least|at most|more than) [0-9]+ (second|minute|hour|day|year)|.* is not supported yet"
    r"|.* a (whole number|share like '20%' or a number of targets) is wanted, got [0-9]+\.0|.* a (path|time zone|text without line breaks) .*, got '.*\\n'"
)
"""What only the checks can say: the code, or a part of the message. For JSON Schema 1.0 is a whole number, for Python `$` also stands
before a last line break."""


def files() -> Iterator[tuple[str, int, Any]]:
    """(kind, seed, document): the samples, and the same with a mistake."""
    for kind, documents in SAMPLES.items():
        for document in documents:
            yield kind, -1, document
        names = sorted({*walking.keys(project.schema(kind)), "foo"})
        for seed in range(DOCUMENTS):
            chance = random.Random(seed)
            yield kind, seed, walking.mutated(chance.choice(documents), names, chance)


def test_checks_and_schemas_agree_on_the_other_files(tmp_path: pathlib.Path) -> None:
    wrong, verdicts = [], {True: 0, False: 0}
    for kind, seed, document in files():
        refused, ours = CHECKS[kind](document, tmp_path), published[kind].is_valid(document)
        verdicts[ours] += 1
        said = all(TOO_FAR.match(f"{one.code}: {one.message}") for one in refused)
        both = refused and not ours  # 1.0 that is too small as well
        if (ours is not said and not both) or (seed < 0 and not said):
            wrong.append((kind, seed, ours, [str(one) for one in refused], document))
    assert not wrong, f"{len(wrong)}, the first: {wrong[0]}"
    assert min(verdicts.values()) > DOCUMENTS / 2


KIND_OF = {"healer.yaml": "healer", "actions.yaml": "actions", "controllers.yaml": "controllers"}


def written(folder: pathlib.Path) -> Iterator[tuple[str, Any]]:
    """(kind, value) of the files of a project."""
    for name, kind in KIND_OF.items():
        yield kind, yaml.safe_load((folder / name).read_text("utf-8"))
    for path in sorted(folder.glob("rulebooks/**/*.y*ml")):
        yield "test" if path.stem.endswith("_test") else "rulebook", yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((*folder.glob("playbooks/*.meta.y*ml"), *folder.glob("scripts/*.meta.y*ml"))):
        yield "metadata", yaml.safe_load(path.read_text("utf-8"))


def test_what_this_repository_and_init_hold_is_valid(repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    click.testing.CliRunner().invoke(cli.cli, ["init", str(tmp_path)])
    found = [*written(repository), *written(tmp_path)]
    assert {kind for kind, _ in found} == set(KINDS)
    assert [(kind, value) for kind, value in found if not published[kind].is_valid(value)] == []


def test_the_examples_of_the_docs_are_valid(repository: pathlib.Path) -> None:
    found = []
    for path in sorted((repository / "docs").glob("*.md")):
        for block in re.findall(r"^```yaml\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            value, named = yaml.safe_load(block), re.match(r"# (\S+)", block)
            kind = KIND_OF.get(
                named[1] if named else "", "rulebook" if isinstance(value, list) and "rules" in value[0] else ""
            )
            if kind:
                found.append((kind, list(published[kind].iter_errors(value))))
    assert {kind for kind, _ in found} >= {"rulebook", *KIND_OF.values()}
    assert [one for one in found if one[1]] == []
