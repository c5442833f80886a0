"""The dispatcher with a controller that does as the test says: jobs, outcomes, errors, output, what holds a run back."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from healer import errors, model, plugins, policy
from healer.dispatch import output


async def test_a_job_has_all_that_the_run_says(box: Any, wait_for_async: Any) -> None:
    run = box.ask("web1")
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    ((_, job),) = box.controller.jobs
    assert (job.token, job.run_id, job.action, job.kind, job.subject) == (
        f"{run}-1",
        run,
        "clean",
        "script",
        "scripts/x.sh",
    )
    assert (job.parameters, job.extra, job.idempotent, job.deadline_s) == (
        {"n": 1},
        {"verbosity": 2, "instance": box.store.uid[:12]},
        True,
        30,
    )
    assert job.targets == (model.Target("host", "web1", "WEB1", "10.0.0.1", ("web",), True),)
    assert (job.revision_dir, job.work_dir) == (str(box.folder / "revision-1"), str(box.folder / "work" / job.token))
    assert box.rows("SELECT state, reason FROM run") == [("succeeded", "unverified")]
    assert box.rows("SELECT * FROM lock") == []


@pytest.mark.parametrize("state", ["succeeded", "failed", "timed_out", "cancelled", "unknown"])
async def test_an_outcome_is_written_as_it_is(box: Any, state: Any, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        return model.Outcome(state, "as told", 3, {"removed": 5}, {"host:k": "failed"}, seconds=1.5)

    box.controller.act = act
    box.ask()
    work = box.folder / "work" / f"{box.ask()}-1"
    work.mkdir(parents=True)
    box.start()
    await wait_for_async(lambda: box.states() == [state])
    await wait_for_async(lambda: not box.dispatcher.running)
    assert box.outcome() == {
        "state": state, "summary": "as told", "exit_code": 3, "result": {"removed": 5}, "per_target": {"host:k": "failed"},
        "truncated": False, "seconds": 1.5,
    }  # fmt: skip
    assert len(box.rows("SELECT * FROM lock")) == (state == "unknown")
    assert work.exists() == (state == "unknown")  # somebody may want to look


@pytest.mark.parametrize(("error", "said"), [
    (ValueError("boom"), "ValueError: boom"), (SystemExit(2), "the controller failed: it wanted to end the process: SystemExit(2)"),
    (BaseExceptionGroup("late", [GeneratorExit()]), "the controller failed: it raised BaseExceptionGroup: late"), (GeneratorExit(), "the controller failed: it raised GeneratorExit"), (errors.StartError(reason="no tool"), "no tool"), (OSError(2, "No such file"), "No such file"),
    (RecursionError("x" * 9000), "RecursionError"), (OSError("password=pa55 at https://u:pa55@a"), "OSError: password=*** at https://***@a"),
])  # fmt: skip
async def test_what_a_controller_raises_is_a_failed_attempt(
    box: Any, error: BaseException, said: str, wait_for_async: Any
) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        raise error

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["failed"])
    summary = box.outcome()["summary"]
    assert said in summary
    assert len(summary) <= 2000
    box.controller.act = box.controller.succeed
    box.ask("other")
    box.dispatcher.wake()
    await wait_for_async(lambda: "succeeded" in box.states())


@pytest.mark.parametrize(("given", "said"), [
    (None, "got NoneType"), ({"state": "succeeded"}, "got dict"), (model.Outcome("great", "x"), "got 'great'"),  # type: ignore[arg-type]
])  # fmt: skip
async def test_what_is_no_outcome_is_an_end_that_nobody_knows(
    box: Any, given: Any, said: str, wait_for_async: Any
) -> None:
    async def act(job: model.Job, put: plugins.Output) -> Any:
        return given

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["unknown"])
    assert said in box.outcome()["summary"]


async def test_a_controller_that_is_gone_is_a_failed_attempt(box: Any, wait_for_async: Any) -> None:
    box.ask(controller="gone")
    box.start()
    await wait_for_async(lambda: box.states() == ["failed"])
    assert "no controller is named 'gone'" in box.outcome()["summary"]
    assert box.rows("SELECT * FROM lock") == []


async def test_secrets_and_environment_are_there_at_the_moment_of_use(box: Any, wait_for_async: Any) -> None:
    box.ask(
        extra={
            "extra_vars": {"l": [1, "***"]},
            "secrets": [[["extra", "extra_vars", "l", 1], "x:1"], [["parameters", "n"], "x:2"]],
        }
    )
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    ((_, job),) = box.controller.jobs
    assert job.environment == {"RULE": "a/b/c"}
    assert job.extra["extra_vars"]["l"][1].reveal() == "value of x:1"
    assert job.parameters["n"].reveal() == "value of x:2"
    assert "secrets" not in job.extra


async def test_a_secret_that_is_not_there_is_a_failed_attempt(box: Any, wait_for_async: Any) -> None:
    box.broken = True
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["failed"])
    assert "the variable is not set" in box.outcome()["summary"]
    assert box.controller.jobs == []


async def test_what_it_gives_to_rules_is_masked_and_a_mapping(box: Any, wait_for_async: Any) -> None:
    box.secrets = ["s3cret-value"]
    given: list[Any] = [{"a": "x s3cret-value"}, ["no mapping"], {"b": object()}]

    async def act(job: Any, put: Any) -> Any:
        return model.Outcome("succeeded", "", facts=given.pop(0))

    box.controller.act = act
    for key in "abc":
        box.ask(
            key,
            extra={
                "facts": {
                    "sources": ["ruleset:a/b"],
                    "kinds": ["fact"],
                    "action": "run_module",
                    "depth_max": None,
                    "by_host": False,
                }
            },
        )
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"] * 3)
    bodies = [orjson.loads(body) for (body,) in box.rows("SELECT body FROM journal WHERE kind = 'fact'")]
    assert {"a": "x ***"} in bodies
    assert all(isinstance(body, dict) for body in bodies)


async def test_output_is_kept_masked_also_across_pieces(box: Any, wait_for_async: Any) -> None:
    box.secrets = ["hunter2hunter2"]

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        put("stdout", b"the key is hunter2")
        put("stdout", b"hunter2, yes")
        put("stderr", b"hunter2hunter2\n\xff")
        return model.Outcome("failed", "it said hunter2hunter2", 1, {"k": ["hunter2hunter2"]})

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["failed"])
    out, err = await box.printed()
    assert out is not None
    assert out.startswith(b"the key is ")
    assert out.endswith(b", yes")
    everything = b"".join(
        row[0].encode() for row in box.rows("SELECT record FROM audit UNION ALL SELECT outcome FROM attempt")
    )
    assert b"hunter2" not in out + (err or b"") + everything
    assert box.outcome()["result"]["k"] != ["hunter2hunter2"]


async def test_output_is_capped_and_says_so(box: Any, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        for _ in range(3):
            put("stdout", b"x" * (output.OUTPUT_MAX // 2))
        put("stderr", b"x" * output.OUTPUT_MAX)
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    out, err = await box.printed()
    assert (out or b"").endswith(output.CUT)
    assert len(out or b"") == output.OUTPUT_MAX + len(output.CUT)
    assert box.outcome()["truncated"] is True
    assert len(err or b"") >= output.OUTPUT_MAX


@pytest.mark.parametrize("result", [2**70, {1: 2}, object(), float("nan"), {"x": {1, 2}}, b"\xff", "\ud800"])
async def test_a_result_that_is_no_json_does_not_lose_the_outcome(box: Any, result: Any, wait_for_async: Any) -> None:
    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        return model.Outcome("succeeded", "odd \ud800", 0, result)

    box.controller.act = act
    box.ask()
    box.start()
    await wait_for_async(lambda: box.states() == ["succeeded"])
    assert box.outcome()["summary"] == "odd ?"


async def test_output_can_be_read_while_it_comes(box: Any, wait_for_async: Any) -> None:
    go = asyncio.Event()

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        put("stdout", b"so far")
        await go.wait()
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    token = f"{box.ask()}-1"
    box.start()
    await wait_for_async(lambda: box.dispatcher.live_output(token, "stdout") == b"so far")
    assert (box.dispatcher.tokens, box.dispatcher.running) == ({token}, 1)
    assert box.dispatcher.live_output("other", "stdout") is None
    go.set()
    await wait_for_async(lambda: box.dispatcher.live_output(token, "stdout") is None)


async def test_what_may_not_start_is_told_and_does_not_start(box: Any, wait_for_async: Any) -> None:
    box.standing = policy.Standing(True, "active", {"scope": "--all", "who": "a", "since": "n", "reason": "r"})
    run = box.ask()
    box.start()
    await wait_for_async(lambda: box.changed)
    assert (box.changed[0][0], box.controller.jobs) == ({run: "deferred"}, [])


async def test_the_next_one_goes_when_a_place_is_free(box: Any, wait_for_async: Any) -> None:
    gates = {key: asyncio.Event() for key in "ab"}

    async def act(job: model.Job, put: plugins.Output) -> model.Outcome:
        await gates[job.targets[0].name].wait()
        return model.Outcome("succeeded", "ok", 0)

    box.controller.act = act
    one = policy.Limits(concurrency_daemon=1)
    for key in "ab":
        box.ask(key, limits=one)
    box.start()
    await wait_for_async(lambda: box.dispatcher.running == 1)
    for gate in gates.values():
        gate.set()
    await wait_for_async(lambda: box.states() == ["succeeded", "succeeded"])


async def test_what_is_due_later_starts_then(box: Any, wait_for_async: Any) -> None:
    box.ask()
    box.store.writer.tx.connection.execute("UPDATE attempt SET not_before_us = ?", (box.now_us + 20_000,))
    box.start()
    await wait_for_async(lambda: box.dispatcher._next_us == box.now_us + 20_000)
    assert box.states() == ["queued"]
    box.now_us += 20_000
    await wait_for_async(lambda: box.states() == ["succeeded"])
