"""Manifests that an action applies: what is no YAML, or no object, is told when the project is read."""

from __future__ import annotations

import pathlib

import pytest

from healer import project
from healer.project import manifests

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
FILES = {
    "controllers.yaml": "controllers:\n  c: {type: oc, namespaces: [shop], in_cluster: true}\ndefault: c\n",
    "actions.yaml": "actions:\n  put: {oc: {verb: apply, manifest: m.yaml}, impact: low}\n",
}


def told(folder: pathlib.Path, manifest: str | bytes, **more: str) -> list[tuple[str, str, int, int]]:
    for name, text in {**FILES, "manifests/m.yaml": manifest, **more}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = [one for one in project.load(folder, {}).diagnostics if one.severity == "error"]
    return [(one.code, one.place.file, one.place.line, one.place.column) for one in found]


@pytest.mark.parametrize("text", [
    MAP, f"---\n{MAP}---\n{MAP}", f"# why\n---\n---\n{MAP}", '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}',
    "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n", f"{MAP}data:\n  x: |\n    ---\n    not: [yaml\n",
])  # fmt: skip
def test_objects_are_right(text: str, tmp_path: pathlib.Path) -> None:
    assert told(tmp_path, text) == []


@pytest.mark.parametrize(("text", "code", "line", "column"), [
    (f"{MAP}---\na: [\n", "yaml", 6, 1), ("a: b: c\n", "yaml", 1, 5), (f"{MAP}kind: Other\n", "duplicate-key", 4, 1), ("", "manifest", 0, 0), ("# none\n---\n", "manifest", 0, 0),
    (f"{MAP}---\njust a text\n", "manifest", 4, 1), ("kind: ConfigMap\nmetadata: {name: a}\n", "manifest", 1, 1),
    ("kind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {}}\n", "manifest", 3, 3), (b"a: \xff\n", "unreadable", 0, 0),
    ("a: " + "x" * manifests.BYTES_MAX, "manifest", 0, 0), ("[" * 150, "yaml", 1, 101),
])  # fmt: skip
def test_what_is_none_is_told_where_it_stands(
    text: str | bytes, code: str, line: int, column: int, tmp_path: pathlib.Path
) -> None:
    assert told(tmp_path, text) == [(code, "manifests/m.yaml", line, column)]


def test_of_a_manifest_that_several_actions_name_it_is_told_once(tmp_path: pathlib.Path) -> None:
    actions = FILES["actions.yaml"] + "  also: {oc: {verb: apply, manifest: m.yaml}, impact: low}\n"
    assert len(told(tmp_path, "a: [\n", **{"actions.yaml": actions})) == 1
