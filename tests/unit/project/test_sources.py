"""What is told of a source that is sound and still to be named."""

from __future__ import annotations

from typing import Any

import pytest

from healer import project

HOOK = "{healer.webhook: {path: new, auth: {none: true}, format: auto}}"
SHARED = "environment: %s\nsources:\n  new:\n    healer.webhook:\n      path: new\n      auth: {none: true}\n      format: ⟦auto\n"
BOOK = "- name: rs\n  hosts: all\n  sources:\n    - healer.webhook:\n        path: new\n        auth: {none: true}\n        format: ⟦auto\n  rules: []\n"
ALONE: dict[str, Any] = {"rulebooks/team/web.yml": None}


@pytest.mark.parametrize("word", ["prod", "production", "PROD", "eu-prod", "prod_2", "shop.production.eu"])
def test_a_sender_without_a_name_is_told_of_in_production(told: Any, marked: Any, word: str) -> None:
    files = {"healer.yaml": SHARED % word, **ALONE}
    assert told(files) == [(place, "format-auto") for place in marked(files)]


@pytest.mark.parametrize("word", ["dev", "staging", "preproduction", "products", "reprod"])
def test_elsewhere_it_is_not(told: Any, word: str) -> None:
    assert told({"healer.yaml": SHARED % word, **ALONE}) == []


def test_one_of_a_rulebook_is_told_of_where_it_stands(told: Any, marked: Any) -> None:
    files = {"healer.yaml": "environment: prod\n", "rulebooks/team/web.yml": None, "rulebooks/new.yml": BOOK}
    assert told(files) == [(place, "format-auto") for place in marked(files)]


def test_one_that_is_off_is_not_told_of(told: Any) -> None:
    off = "environment: prod\nactivations: [{name: new, rulebook: rulebooks/new.yml, mode: off}]\n"
    assert told({"healer.yaml": off, "rulebooks/team/web.yml": None, "rulebooks/new.yml": BOOK}) == []


def test_the_environment_counts_wherever_it_is_said(write: Any) -> None:
    folder = write({"healer.yaml": f"environment: dev\nsources:\n  new: {HOOK}\n", **ALONE})
    loaded = project.load(folder, {"HEALER_ENVIRONMENT": "production"})
    [one] = [one for one in loaded.diagnostics if one.severity != "hint"]
    assert loaded.revision is not None  # it is no error
    assert (one.code, one.severity, one.place.file) == ("format-auto", "warning", "healer.yaml")
    assert one.try_ == "name the sender's format; healer sources show NAME says a likely one"
