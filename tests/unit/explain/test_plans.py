"""A plan as everybody shows it, also one that is being made, was not made, or is not kept any more."""

from __future__ import annotations

from typing import Any

import pytest

from healer.explain import plans
from healer.store import planning

BOOK = {
    "healer.yaml": "mode: observe\n",
    "controllers.yaml": "controllers: {here: {type: local}}\ndefault: here\n",
    "actions.yaml": "actions: {note: {command: [logger], impact: low}}\n",
    "rulebooks/act.yml": """\
- name: rs
  hosts: all
  sources: [{healer.api: {}}]
  rules: [{name: r, condition: event.a == 1, action: {run_action: {name: note, target: localhost}}}]
""",
}


@pytest.mark.parametrize(
    ("state", "detail", "says"),
    [
        ("wanted", "", "it is being made"),
        ("failed", "no such host", "plan failed: no such host"),
        ("skipped", "too many at once", "no plan: too many at once"),
        ("made", "", "what it said is not kept any more"),
    ],
)
def test_where_there_is_nothing_to_show_it_says_why(state: str, detail: str, says: str) -> None:
    told = plans.shown(state, detail)
    assert (told["sentence"], told["targets"], told["steps"], told["diff"]) == (says, [], [], "")


async def test_that_of_a_run_is_the_one_that_explain_shows(make_box: Any) -> None:
    box = await make_box(BOOK)
    box.evaluator.acting._standing.mode = "observe"
    box.post({"a": 1})
    ((run,),) = box.store.writer.tx.connection.execute("SELECT run FROM plan")
    wanted = await plans.of(box.store, run)
    assert wanted is not None
    assert (wanted["state"], wanted["made"]) == ("wanted", None)
    (taken,) = box.store.writer.now(planning.Take(1, 1, [], ""))
    content = box.store.blobs.keep(
        b'{"targets":["host:localhost"],"steps":["logger"],"diff":"","exact":false,"cut":false}'
    )
    box.store.writer.now(planning.End(taken, "made", "", 0.5, content))
    made = await plans.of(box.store, run)
    assert made is not None
    assert (made["sentence"], made["steps"], made["seconds"]) == ("", ["logger"], 0.5)
    (rule,) = (await box.why(run))["rules"]
    assert rule["plan"] == made
    (rule,) = (await box.why("latest"))["rules"]
    assert rule["plan"] == made
    assert await plans.of(box.store, "r-none") is None
