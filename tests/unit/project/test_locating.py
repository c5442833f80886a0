"""What the names of sources and filters stand for, and what is said of names that stand for nothing."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from healer import errors, plugins
from healer.project import locating


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
    found = locating.locate(name, tmp_path)
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
        locating.locate(name, tmp_path)
    assert f"'{near}'" in caught.value.try_
    assert repr(name) in caught.value.message


@pytest.mark.parametrize(
    "name",
    ["", ".", "healer.", "a.b.c", "eda.builtin.", "eda.builtin.__init__", "eda.builtin...x", "../x", "a/b", "a.b.c.d"],
)
def test_names_that_are_none(tmp_path: pathlib.Path, name: str) -> None:
    with pytest.raises(plugins.UnknownPlugin):
        locating.locate(name, tmp_path)
    with pytest.raises(plugins.UnknownPlugin):
        locating.locate_filter(name, tmp_path)


def own(project: pathlib.Path, name: str, text: str, folder: str = "sources") -> pathlib.Path:
    path = project / folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_projects_own_eda_source_is_found_without_running_it(tmp_path: pathlib.Path) -> None:
    path = own(tmp_path, "mine", "raise SystemExit\nasync def main(queue, args):\n    pass\n")
    found = locating.locate("mine", tmp_path)
    assert (found.kind, found.path) == ("eda", path)
    with pytest.raises(plugins.UnknownPlugin) as caught:
        locating.locate("healer.mine", tmp_path)
    assert "'mine'" in caught.value.try_


def test_the_projects_own_native_source(tmp_path: pathlib.Path) -> None:
    own(
        tmp_path,
        "native_one",
        "from healer import plugins\nclass S(plugins.Source):\n    Options = plugins.Options\n"
        "    async def run(self, emit): ...\nSOURCE = S\n",
    )
    assert locating.locate("native_one", tmp_path).kind == "native"


@pytest.mark.parametrize("text", ["x = 1\n", "SOURCE = 1\n", "raise ValueError('broken')\n", "def (:\n", "\0"])
def test_a_file_that_is_no_plugin_is_told(tmp_path: pathlib.Path, text: str) -> None:
    own(tmp_path, "broken_one", text)
    with pytest.raises(plugins.BrokenPlugin):
        locating.locate("broken_one", tmp_path)


def test_collections_and_filters(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "collections"
    base = "ansible_collections/acme/net/extensions/eda/plugins"
    source = own(root, "snmp", "", f"{base}/event_source")
    change = own(root, "tidy", "", f"{base}/event_filter")
    overrides = own(root, "range", "", "ansible_collections/ansible/eda/extensions/eda/plugins/event_source")
    found = locating.locate("acme.net.snmp", tmp_path, [str(root)])
    assert (found.kind, found.path, found.sys_path) == ("eda", source, (str(root),))
    assert locating.locate_filter("acme.net.tidy", tmp_path, [str(root)]) == change
    assert locating.locate("ansible.eda.range", tmp_path, [str(root)]).path == overrides


@pytest.mark.parametrize("name", ["json_filter", "eda.builtin.json_filter", "ansible.eda.json_filter"])
def test_bundled_filters(tmp_path: pathlib.Path, name: str) -> None:
    assert locating.locate_filter(name, tmp_path).name == "json_filter.py"


def test_own_filter(tmp_path: pathlib.Path) -> None:
    path = own(tmp_path, "mine", "def main(event):\n    return event\n", "filters")
    assert locating.locate_filter("mine", tmp_path) == path


@pytest.mark.parametrize(
    "file", ["tasks/main.yml", "tasks/main.yaml", "tasks/main.json", "tasks/main", "meta/main.yml", "meta/main"]
)
def test_a_role_of_an_installed_collection(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    project, installed = tmp_path / "project", tmp_path / ".ansible"
    for root in (installed, project):
        found = root / "collections/ansible_collections/acme/web/roles/fix" / file
        found.parent.mkdir(parents=True)
        found.touch()
        assert locating.locate_role("acme.web.fix", project) == found, "the project's own goes first"
    (found.parent.parent.parent / "no_role/defaults").mkdir(parents=True)
    for name in ("acme.web.no_role", "acme.web.gone", "acme.web", "acme.web.fix.x", "acme.web.../fix", "", "fix"):
        assert locating.locate_role(name, project) is None


def test_nothing_of_ansible_rulebook_is_imported(tmp_path: pathlib.Path) -> None:
    program = (
        "import pathlib, sys\nfrom healer.project import locating\n"
        "locating.locate('ansible.eda.range', pathlib.Path(sys.argv[1]))\n"
        "print(sorted(one for one in sys.modules if one.split('.')[0] in ('ansible_rulebook', 'drools')))"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def without_eda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where ansible-rulebook is not installed."""
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == "ansible_rulebook" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    locating._bundled.cache_clear()
    yield
    locating._bundled.cache_clear()


@pytest.mark.usefixtures("without_eda")
@pytest.mark.parametrize("name", ["ansible.eda.webhook", "eda.builtin.range", "ansible.eda.no_such"])
def test_without_the_extra_its_sources_say_which_one(tmp_path: pathlib.Path, name: str) -> None:
    for what, find in (("source", locating.locate), ("filter", locating.locate_filter)):
        with pytest.raises(errors.MissingExtra) as caught:
            find(name, tmp_path)
        assert caught.value.message == f"the {what} {name!r} needs a package that is not installed: ansible-rulebook"
        assert caught.value.try_ == "pip install 'auto-healer[eda]'"


@pytest.mark.usefixtures("without_eda")
def test_without_the_extra_a_bare_name_may_be_one_of_its(tmp_path: pathlib.Path) -> None:
    with pytest.raises(plugins.UnknownPlugin) as caught:
        locating.locate("range", tmp_path)
    assert "auto-healer[eda]" in caught.value.try_
    with pytest.raises(errors.MissingExtra):
        locating.locate_filter("json_filter", tmp_path)


def test_collections_of_the_project_are_searched_without_being_named(tmp_path: pathlib.Path) -> None:
    """The check of a project and the start of its sources ask alike."""
    base = "ansible_collections/acme/net/extensions/eda/plugins"
    source = own(tmp_path / "collections", "snmp", "", f"{base}/event_source")
    change = own(tmp_path / "collections", "tidy", "", f"{base}/event_filter")
    assert locating.locate("acme.net.snmp", tmp_path).path == source
    assert locating.locate_filter("acme.net.tidy", tmp_path) == change
