"""The tree of a condition beside its tests: of rules that did not fire, of runs, also of one that was stored as a list alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from healer import explain, project
from healer.explain import trees

Make = Callable[..., Awaitable[Any]]
QUIET = {
    "kind": "and",
    "holds": True,
    "pattern": "m",
    "parts": [{"kind": "test", "holds": True, "test": 0}, {"kind": "test", "holds": True, "test": 1}],
}


async def test_rules_that_did_not_fire_and_one_that_did(make_box: Make) -> None:
    box = await make_box()
    box.post({"a": 1})
    told = {one["rule"].rpartition("/")[2]: one for one in (await box.why())["rules"]}
    assert told["quiet"]["fired"]
    assert told["quiet"]["tree"] == QUIET
    assert told["other"]["tree"] == {
        "kind": "and", "holds": False, "pattern": "m",
        "parts": [{"kind": "test", "holds": False, "test": 0}, {"kind": "test", "holds": None, "test": 1}],
    }  # fmt: skip
    assert [one["holds"] for one in told["other"]["conditions"]] == [False, False], "the tests tell all that is known"


async def test_a_run_has_the_tree_of_its_rule_and_none_where_that_is_another_by_now(make_box: Make) -> None:
    box = await make_box()
    box.post({"a": 1})
    (fired,) = [one for one in (await box.why(rule="quiet"))["rules"] if one["run"]]
    (one,) = (await box.why(asked=fired["run"]))["rules"]
    assert one["tree"] == QUIET
    assert one["conditions"] == fired["conditions"]
    told = [{"rule": one["rule"], "fired": True, "conditions": one["conditions"][:1]}]
    trees.add(box.revision, told)
    assert told[0]["tree"] is None
    trees.add(None, told)
    assert told[0]["tree"] is None


@pytest.mark.parametrize("name", ["act", "a/b"])
def test_names_may_have_slashes(name: str, tmp_path: Any) -> None:
    (tmp_path / "rulebooks").mkdir()
    (tmp_path / "rulebooks" / "act.yml").write_text(
        f"- {{name: '{name}', hosts: all, sources: [{{healer.api: {{}}}}], rules: [{{name: 'r/{name}', condition: event.a == 1, action: {{none: {{}}}}}}]}}\n"
    )
    revision = project.load(tmp_path, {}).revision
    assert revision is not None
    ((_, ruleset),) = [(a, r) for a, r in revision.rulesets() if not a.hidden and r is not a.gathering]
    from healer import engine

    tests = engine.tests_of(ruleset.rules[0], {"": {"a": 1}})
    told = [{"rule": f"act/{name}/r/{name}", "fired": False, "conditions": tests}]
    trees.add(revision, told)
    assert told[0]["tree"] == {"kind": "test", "holds": True, "pattern": "m", "test": 0}
    assert explain.trees is trees
