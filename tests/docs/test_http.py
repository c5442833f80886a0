"""`docs/controllers.md` on `http`: its files are a project that loads, and its tables name every option and every word of an action."""

from __future__ import annotations

import pathlib
import re

import pytest

from healer import project
from healer.catalog import requests
from healer.controllers import _http_answer, _http_networks, http


@pytest.fixture
def section(repository: pathlib.Path) -> str:
    page = (repository / "docs" / "controllers.md").read_text("utf-8")
    return page.split("\n## http\n")[1].split("\n## ", maxsplit=1)[0]


def rows(section: str, first: str) -> list[str]:
    """The first cells of the table whose first column has this heading."""
    table = section.split(f"| {first} |")[1].split("\n\n", maxsplit=1)[0]
    return [line.strip("|").split("|")[0].strip() for line in table.splitlines()[2:]]


def test_the_files_of_the_section_are_a_project(section: str, tmp_path: pathlib.Path) -> None:
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == section.count("```yaml") == 3
    for name, text in [*blocks, ("files/corp.pem", "x")]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    loaded = project.load(tmp_path, {})
    assert [str(one) for one in loaded.diagnostics if one.severity == "error"] == []
    assert loaded.revision is not None
    assert {one.kind for one in loaded.revision.catalog.entries.values()} == {"http"}


def test_the_options_are_those_of_the_code(section: str) -> None:
    assert [row.strip("`") for row in rows(section, "option")] == [*http.HttpOptions.model_fields]


def test_the_words_are_those_of_the_code(section: str) -> None:
    told = [word for row in rows(section, "of `http:`") for word in re.findall(r"`(\w+)`", row)]
    assert told == [field.alias or name for name, field in requests.RequestShape.model_fields.items()]


def test_networks_and_headers_are_those_of_the_code(section: str) -> None:
    private = section.split("one of a private network (")[1].split(")", maxsplit=1)[0]
    assert [*re.split(r",\s+", private)] == [str(one) for one in _http_networks.PRIVATE]
    assert {*re.findall(r"`([a-z-]+)`", section.split("; `headers` has ")[1].split(" and\n", maxsplit=1)[0])} == {
        one for one in _http_answer.HEADERS if not one.endswith("request-id")
    }
    assert {
        int(one)
        for one in section.split("comes, and after ")[1].split(", with", maxsplit=1)[0].replace("and", ",").split(",")
    } == _http_answer.PASSING
