"""What the names of sources and filters stand for, and what is said of names that stand for nothing."""

from __future__ import annotations

import pathlib
import sys

import pytest

from healer import plugins, supervise


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("check", "native"),
        ("healer.check", "native"),
        ("healer.webhook", "push"),
        ("healer.api", "push"),
        ("healer.source", "push"),
        ("range", "eda"),
        ("webhook", "eda"),
        ("eda.builtin.generic", "eda"),
        ("ansible.eda.webhook", "eda"),
    ],
)
def test_names(tmp_path: pathlib.Path, name: str, kind: str) -> None:
    found = supervise.locate(name, tmp_path)
    assert (found.kind, found.name) == (kind, name)
    if kind == "eda":
        assert found.path is not None
        assert found.path.stem == name.rsplit(".", 1)[-1]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("chek", "check"),
        ("healer.webhok", "healer.webhook"),
        ("ansible.eda.rnage", "ansible.eda.range"),
        ("rang", "range"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(tmp_path: pathlib.Path, name: str, near: str) -> None:
    with pytest.raises(plugins.UnknownPlugin) as caught:
        supervise.locate(name, tmp_path)
    assert f"'{near}'" in caught.value.try_
    assert repr(name) in caught.value.message


@pytest.mark.parametrize(
    "name",
    ["", ".", "healer.", "a.b.c", "eda.builtin.", "eda.builtin.__init__", "eda.builtin...x", "../x", "a/b", "a.b.c.d"],
)
def test_names_that_are_none(tmp_path: pathlib.Path, name: str) -> None:
    with pytest.raises(plugins.UnknownPlugin):
        supervise.locate(name, tmp_path)
    with pytest.raises(plugins.UnknownPlugin):
        supervise.locate_filter(name, tmp_path)


def own(project: pathlib.Path, name: str, text: str, folder: str = "sources") -> pathlib.Path:
    path = project / folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_projects_own_eda_source_is_found_without_running_it(tmp_path: pathlib.Path) -> None:
    path = own(tmp_path, "mine", "raise SystemExit\nasync def main(queue, args):\n    pass\n")
    found = supervise.locate("mine", tmp_path)
    assert (found.kind, found.path) == ("eda", path)
    with pytest.raises(plugins.UnknownPlugin) as caught:
        supervise.locate("healer.mine", tmp_path)
    assert "'mine'" in caught.value.try_


def test_the_projects_own_native_source(tmp_path: pathlib.Path) -> None:
    own(
        tmp_path,
        "native_one",
        "from healer import plugins\nclass S(plugins.Source):\n    Options = plugins.Options\n"
        "    async def run(self, emit): ...\nSOURCE = S\n",
    )
    assert supervise.locate("native_one", tmp_path).kind == "native"


@pytest.mark.parametrize("text", ["x = 1\n", "SOURCE = 1\n", "raise ValueError('broken')\n", "def (:\n", "\0"])
def test_a_file_that_is_no_plugin_is_told(tmp_path: pathlib.Path, text: str) -> None:
    own(tmp_path, "broken_one", text)
    with pytest.raises(plugins.BrokenPlugin):
        supervise.locate("broken_one", tmp_path)


def test_collections_and_filters(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "collections"
    base = "ansible_collections/acme/net/extensions/eda/plugins"
    source = own(root, "snmp", "", f"{base}/event_source")
    change = own(root, "tidy", "", f"{base}/event_filter")
    overrides = own(root, "range", "", "ansible_collections/ansible/eda/extensions/eda/plugins/event_source")
    found = supervise.locate("acme.net.snmp", tmp_path, [str(root)])
    assert (found.kind, found.path, found.sys_path) == ("eda", source, (str(root),))
    assert supervise.locate_filter("acme.net.tidy", tmp_path, [str(root)]) == change
    assert supervise.locate("ansible.eda.range", tmp_path, [str(root)]).path == overrides


@pytest.mark.parametrize("name", ["json_filter", "eda.builtin.json_filter", "ansible.eda.json_filter"])
def test_bundled_filters(tmp_path: pathlib.Path, name: str) -> None:
    assert supervise.locate_filter(name, tmp_path).name == "json_filter.py"


def test_own_filter(tmp_path: pathlib.Path) -> None:
    path = own(tmp_path, "mine", "def main(event):\n    return event\n", "filters")
    assert supervise.locate_filter("mine", tmp_path) == path


def test_nothing_of_ansible_rulebook_is_imported(tmp_path: pathlib.Path) -> None:
    supervise.locate("ansible.eda.range", tmp_path)
    assert "ansible_rulebook.engine" not in sys.modules
    assert "drools" not in sys.modules
