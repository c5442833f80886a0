"""What stands in the place of controllers."""

from __future__ import annotations

import pytest

from healer import model
from healer.harness import fakes, virtual


def job(*targets: str, action: str = "a", deadline_s: float = 60.0) -> model.Job:
    return model.Job(
        token="t", run_id="r", action=action, kind="command", subject=("x",), parameters={}, revision_dir="", work_dir="",
        targets=tuple(model.Target("host", one) for one in targets), deadline_s=deadline_s,
    )  # fmt: skip


def outcome(script: fakes.Script, asked: model.Job) -> tuple[model.Outcome, int]:
    clock = virtual.Clock(0)
    loop = virtual.Loop(clock)
    try:
        return loop.run_until_complete(fakes.Controller("c", script).run(asked, lambda *_: None)), clock.now_us
    finally:
        loop.bury()


def test_what_nobody_speaks_of_succeeds_at_once():
    made, took_us = outcome(fakes.Script(), job("web1"))
    assert (made.state, made.per_target, took_us) == ("succeeded", {"host:web1": "succeeded"}, 0)


def test_the_last_answer_counts_and_one_for_a_target_goes_before_one_for_any():
    script = fakes.Script()
    script.say(fakes.Answer("a", status="failed"))
    script.say(fakes.Answer("a", "web2", "unknown"))
    assert [outcome(script, job(one))[0].state for one in ("web1", "web2")] == ["failed", "unknown"]
    script.say(fakes.Answer("a", "host:web1"))
    assert [outcome(script, job(one))[0].state for one in ("web1", "web2", "web3")] == [
        "succeeded",
        "unknown",
        "failed",
    ]
    script.say(fakes.Answer("a"))
    assert outcome(script, job("web2"))[0].state == "succeeded"
    assert outcome(script, job("web2", action="b"))[0].state == "succeeded"


@pytest.mark.parametrize(
    ("after_s", "state", "took_s"),
    [(0.0, "succeeded", 0), (59.0, "succeeded", 59), (60.0, "timed_out", 60), (900.0, "timed_out", 60)],
)
def test_it_takes_its_time_until_its_deadline(after_s, state, took_s):
    script = fakes.Script()
    script.say(fakes.Answer("a", after_s=after_s))
    made, took_us = outcome(script, job("web1"))
    assert (made.state, took_us) == (state, took_s * virtual.US)


def test_some_of_its_targets_fail():
    script = fakes.Script()
    script.say(fakes.Answer("a", per_target={"web2": "failed"}, summary="half", facts={"x": 1}))
    made, _ = outcome(script, job("web1", "web2"))
    assert (made.state, made.summary, made.facts) == ("failed", "half", {"x": 1})
    assert made.per_target == {"host:web1": "succeeded", "host:web2": "failed"}
