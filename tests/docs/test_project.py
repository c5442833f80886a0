"""`docs/project.md`: its files are a project that loads without a word, and its tables name every key with its default."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from healer import config, measures, plugins, project, units
from healer.catalog import building
from healer.project import controllers, settings, shipped, tree


@pytest.fixture
def page(repository: pathlib.Path) -> str:
    return (repository / "docs" / "project.md").read_text("utf-8")


@pytest.fixture
def loaded(page: str, tmp_path: pathlib.Path) -> project.Loaded:
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == page.count("```yaml")
    more = [
        ("playbooks/restart_service.yml", "[]\n"),
        ("roles/trim_logs/tasks/main.yml", "[]\n"),
        ("scripts/clean_disk.sh", "#!/bin/sh\n"),
        ("scripts/restart_shop.sh", "#!/bin/sh\n"),
    ]
    for name, text in [*blocks, *more]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.endswith(".sh") else 0o644)
    return project.load(tmp_path, {})


def rows(page: str, section: str) -> Iterator[list[str]]:
    """The rows of all tables below a heading."""
    text = page.split(f"\n## {section}\n")[1].split("\n## ", maxsplit=1)[0]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("### "):
            return
        if line.startswith("|") and cells[0] not in ("key", "---"):
            yield cells


def test_the_files_of_the_page_are_a_project(loaded: project.Loaded) -> None:
    assert [str(one) for one in loaded.diagnostics] == []
    assert loaded.revision is not None
    names = {"restart_service", "trim_logs", "clean_disk", "restart_shop", "shop_runs"}
    assert set(loaded.revision.catalog.entries) == names
    assert list(loaded.revision.routes()["alertmanager"]) == ["web/web tier"]


@pytest.mark.parametrize(("text", "target"), [
    ("WEB01:9100", "host:web01.example.org"), ("web03.example.org", "host:web03.example.org"), ("db01", "host:db01.example.org"),
    ("web", None), ("web04", None),
])  # fmt: skip
def test_names_mean_what_the_page_says(loaded: project.Loaded, text: str, target: str | None) -> None:
    assert loaded.revision is not None
    found = loaded.revision.resolve_target("site", text)
    assert (str(found) if hasattr(found, "kind") else None) == target


def keys(shape: pydantic.BaseModel, before: str = "") -> Iterator[tuple[str, Any]]:
    """(place, default) of each setting; sections that are settings of their own are gone through."""
    for name, field in type(shape).model_fields.items():
        default = getattr(shape, name)
        place = f"{before}{field.alias or name}"
        if isinstance(default, pydantic.BaseModel) and not isinstance(default, plugins.RateShape):
            yield from keys(default, f"{place}.")
        else:
            yield place, default


def read(text: str, default: Any) -> Any:
    """A default as the page writes it, in the kind of the real one."""
    if isinstance(default, plugins.RateShape):
        return plugins.RateShape(**plugins.rate_of(text))
    if isinstance(default, float):
        return units.duration_s(text)
    if isinstance(default, int) and not text.isdecimal():
        return units.size_bytes(text)
    if isinstance(default, list) and text.startswith("["):
        return text.strip("[]").split(", ")
    if isinstance(default, dict) and text.startswith("{"):
        return {
            name: units.duration_s(span) for name, span in (one.split(": ") for one in text.strip("{}").split(", "))
        }
    return default if text in ("–", "none") and default in (None, "", {}, []) else type(default)(text)


def test_every_setting_stands_there_with_its_default(page: str) -> None:
    told = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(page, "healer.yaml")}
    assert set(told) == {place for place, _ in keys(project.Settings())}
    for place, default in keys(project.Settings()):
        assert read(told[place], default) == default, place


def test_every_key_of_an_action_stands_there(page: str) -> None:
    told = [cells[0].strip("`") for cells in rows(page, "actions.yaml")]
    assert sorted(told) == sorted(building.EntryShape.model_fields)


def test_the_ramp_of_an_action_is_told_with_its_shape_and_defaults(page: str) -> None:
    told = {cells[0].strip("`"): cells[1] for cells in rows(page, "actions.yaml")}
    shape = re.findall(r"`(\{.*?\})`", told["ramp"])[0]
    document = config.read_text(f"ramp: {shape}\n", "actions.yaml")
    assert measures.Ramp.model_validate(dict(document.value["ramp"])) == measures.Ramp()
    assert f"`{building.EntryShape.model_fields['max_errors'].default}`" in told["max_errors"]


def test_every_key_of_a_policy_stands_there(page: str) -> None:
    section = page.split("\n### policies\n")[1].split("\n### ", maxsplit=1)[0]
    told = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z_]+)`", line.split("|")[1])
    }
    assert told == {*shipped.Select.model_fields, *measures.KEYS}
    text = "cooldown: 15 minutes, " + ", ".join(
        f"{cells[0].strip('`')}: {cells[1].strip('`').split('`, `')[0]}"
        for line in section.splitlines()
        if (cells := [cell.strip() for cell in line.strip("|").split("|")])[0]
        in ("`rate_limit`", "`breaker`", "`blast_radius`", "`flapping`")
    )
    document = config.read_text(f"policies: [{{name: x, {text}}}]\n", "healer.yaml")
    settings.read(document, {}, {})
    assert [str(one) for one in document.diagnostics] == []


def test_every_key_of_a_controller_stands_there(page: str) -> None:
    assert [cells[0].strip("`") for cells in rows(page, "controllers.yaml")] == list(controllers.Common.model_fields)


def test_every_folder_and_file_counts(page: str) -> None:
    named = set(re.findall(r"`([a-z_]+)/", page.split("## healer.yaml", maxsplit=1)[0])) - {"logs"}
    assert named <= {*tree.FOLDERS, "healer"}
