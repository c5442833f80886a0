"""`run_job_template` of a real daemon at a fake of the automation controller's API: started once, followed, its artifacts become facts."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import pathlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

_spec = importlib.util.spec_from_file_location(
    "fake_aap_of_acceptance", pathlib.Path(__file__).parents[1] / "controllers" / "fake_aap.py"
)
assert _spec is not None
assert _spec.loader is not None
fake_aap = sys.modules["fake_aap_of_acceptance"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake_aap)

BOOK: Final = """\
- name: rs
  hosts: web
  sources: [{healer.api: {}}]
  rules:
    - name: broken
      condition: event.broken is defined
      action:
        run_job_template:
          name: Restart
          organization: Default
          job_args: {extra_vars: {service: "{{ event.broken }}"}}
          set_facts: true
    - {name: known, condition: fact.healed is defined, action: {run_action: {name: heal, target: "{{ fact.healed }}"}}}
"""


@contextlib.contextmanager
def serving(fake: Any) -> Iterator[None]:
    """The fake on a loop of its own, in a thread."""
    loop = asyncio.new_event_loop()
    up, down = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with fake.serving():
            up.set()
            await down.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join()
        loop.close()


def test_the_token_that_a_job_says_is_shown_to_nobody(daemon: Any, wait_for: Callable[..., None]) -> None:
    """Of the very first attempt after a start too: the token is opened only when the controller begins."""
    fake = fake_aap.Fake()
    fake.template("Restart", "variables", "limit")
    fake.statuses = ["successful"]
    fake.on_launch = lambda job: setattr(job, "stdout", f"it came with {fake_aap.TOKEN} today\n".encode())
    with serving(fake):
        daemon.write("rulebooks/healing.yml", BOOK)
        daemon.variables |= {"EDA_CONTROLLER_TOKEN": fake_aap.TOKEN, "EDA_CONTROLLER_URL": fake.url}
        daemon.start("--mode", "active")
        daemon.ready().event({"broken": "nginx"})
        wait_for(lambda: daemon.states() == ["succeeded"])
    (run,) = daemon.runs()
    assert "it came with *** today" in daemon.healer("runs", "show", run["id"], "--output").stdout
    daemon.stop()
    kept = [
        path for path in (daemon.log, *daemon.data.rglob("*"), *(daemon.project / "logs").rglob("*")) if path.is_file()
    ]
    assert [path for path in kept if fake_aap.TOKEN.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("way", ["controllers.yaml", "environment"])
def test_a_job_is_started_and_what_it_gives_is_heard(daemon: Any, wait_for: Callable[..., None], way: str) -> None:
    fake = fake_aap.Fake()
    template = fake.template("Restart", "variables", "limit")
    with serving(fake):
        daemon.write("rulebooks/healing.yml", BOOK)
        daemon.variables["EDA_CONTROLLER_TOKEN"] = fake_aap.TOKEN
        fake.artifacts = {"healed": "h7"}
        if way == "environment":
            fake.statuses = ["successful"]
            daemon.variables["EDA_CONTROLLER_URL"] = fake.url
        else:
            more = f'  awx: {{type: aap, url: "{fake.url}", token: {{secret: "env:EDA_CONTROLLER_TOKEN"}}, poll: 1s}}\n'
            daemon.write(
                "controllers.yaml",
                (daemon.project / "controllers.yaml").read_text().replace("default:", more + "default:"),
            )
        daemon.start("--mode", "active")
        daemon.ready().event({"broken": "nginx"})
        wait_for(lambda: daemon.states() == ["succeeded", "succeeded"])
    (job,) = fake.jobs.values()
    assert (job.template, job.given["limit"], job.extra_vars["service"]) == (template["id"], "web", "nginx")
    assert job.extra_vars["ansible_eda"]["event"]["broken"] == "nginx"
    assert daemon.effects.read_text().split()[1] == "h7"
    (run,) = [one for one in daemon.runs() if one["action"] == "run_job_template Restart"]
    assert run["targets"] == ["aap:Default/Restart"]
    daemon.verified()
