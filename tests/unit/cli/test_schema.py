"""`healer schema`."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import jsonschema
import pytest

from healer import harness, project
from healer.cli import schema
from healer.project import published


def test_without_a_kind_all_are_listed_with_their_use(healer):
    done = healer("schema")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.split("\n\n")[0].splitlines()] == [
        "kind",
        *project.SCHEMAS,
        *harness.SCHEMAS,
    ]
    assert "# yaml-language-server: $schema=" in done.stdout


@pytest.mark.parametrize("kind", schema.KINDS)
def test_each_kind_is_a_schema(healer, kind):
    done = healer("schema", kind)
    assert (done.exit_code, done.stderr, done.stdout.isascii()) == (0, "", True)
    made = json.loads(done.stdout)
    assert (made["$schema"], made["$id"]) == (published.DIALECT, f"urn:auto-healer:schema:{kind}")
    assert made["title"]
    assert made["description"]
    jsonschema.Draft202012Validator.check_schema(made)
    assert healer("schema", kind).stdout == done.stdout


def test_the_kinds_are_those_of_the_project_and_its_tests():
    known = {**project.SCHEMAS, **harness.SCHEMAS}
    assert {kind: (one.files, one.about) for kind, one in known.items()} == dict(schema.LISTED)
    assert (*known,) == schema.KINDS


@pytest.mark.parametrize(("arguments", "rooms"), [
    (["schema"], {"healer.project", "healer.harness"}), (["schema", "--json"], {"healer.project", "healer.harness"}),
    (["schema", "rulebook"], {"healer.harness"}),
])  # fmt: skip
def test_what_takes_long_to_load_is_loaded_where_it_is_needed(arguments, rooms):
    words = ["healer", *arguments]
    code = (
        f"import atexit, sys\nfrom healer import cli\nsys.argv = {words!r}\n"
        f"atexit.register(lambda: print(sorted({rooms!r} & set(sys.modules)), file=sys.stderr))\ncli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_a_kind_that_is_not(healer):
    done = healer("schema", "rulebok")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "KIND: rulebook, actions, metadata, controllers, healer or test is wanted, got 'rulebok'" in done.stderr
    assert "did you mean 'rulebook'?" in done.stderr


def test_all_are_written_into_a_project(healer):
    pathlib.Path("p").mkdir()
    done = healer("schema", "--write", "p")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "wrote " + ", ".join(f".healer-schemas/{kind}.json" for kind in schema.KINDS) + "\n"
    for kind in schema.KINDS:
        assert pathlib.Path(f"p/.healer-schemas/{kind}.json").read_text() == healer("schema", kind).stdout
    assert json.loads(healer("schema", "--write", "p", "--json").stdout)["written"] == [
        f".healer-schemas/{kind}.json" for kind in schema.KINDS
    ]


def test_for_programs(healer):
    assert [one["kind"] for one in json.loads(healer("schema", "--json").stdout)["items"]] == list(schema.KINDS)
    assert healer("schema", "healer", "--json").stdout == healer("schema", "healer").stdout


def test_one_kind_is_not_written(healer):
    done = healer("schema", "healer", "--write", ".")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--write writes all kinds: no KIND is wanted beside it" in done.stderr
