"""Asking Ansible for the hosts of the inventories that programs and plugins of the project make: at the start, at a reload, and again.

An event's target is looked up in what was heard last, which is swapped whole (`project.Found`); nobody waits for an answer but the start
and a reload. What was heard stays until something else is, whatever goes wrong meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import secrets
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from healer import errors, model, plugins, project, quoting
from healer.daemon import rules
from healer.web import queries

if TYPE_CHECKING:
    from healer.daemon import running

REFRESH_S: Final = 300.0
AGAIN_S: Final = 30.0
"""No sooner after an answer it is asked again because of a run."""
LIMIT_S: Final = 150.0
"""A minute for the answer, a minute to read it, and what it takes to end the one or the other."""
AT_ONCE: Final = 4
ERROR_MAX: Final = 500
LISTER: Final = "ansible"
"""The type of controller that is asked where the project has none that can be."""


class Hosts:
    """One a daemon."""

    def __init__(self, daemon: running.Daemon) -> None:
        self._daemon = daemon
        self._places = asyncio.Semaphore(AT_ONCE)
        self._soon = asyncio.Event()

    async def first(self, ended: asyncio.Event) -> None:
        """Before anything is decided. A stop does not wait for it."""
        daemon = self._daemon
        asking = asyncio.create_task(self.ask(daemon.revision, daemon.controllers, daemon.files))
        ending = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait((asking, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            if not asking.done():
                asking.cancel()
        await asyncio.wait((asking,))
        if not asking.cancelled():
            asking.result()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(AGAIN_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S - AGAIN_S):
                    await self._soon.wait()
            self._soon.clear()
            daemon = self._daemon
            await self.ask(daemon.revision, daemon.controllers, daemon.files)

    def lost(self, controller: str, job: model.Job) -> None:
        """A run did not find its targets, or not reach them: they are asked for again, soon, if they are from a list that may be old."""
        revision = self._daemon.revision
        spec = revision.controllers.get(controller)
        path = str(job.extra.get("inventory") or (spec.inventory if spec is not None else ""))
        if path in project.dynamic(revision) and not self._soon.is_set():
            logger.bind(inventory=path, run=job.run_id).info(
                "a run lost its targets, so Ansible is asked again for the hosts of {}", path
            )
            self._soon.set()

    async def ask(
        self, revision: project.Revision, controllers: Mapping[str, plugins.Controller], files: pathlib.Path
    ) -> None:
        """Take in what its inventories have now; each by one of its `controllers`, from the copy of its `files`."""
        await asyncio.gather(*(self._one(revision, controllers, files, path) for path in project.dynamic(revision)))

    async def _one(
        self, revision: project.Revision, controllers: Mapping[str, plugins.Controller], files: pathlib.Path, path: str
    ) -> None:
        before = revision.found.said.get(path, project.Said())
        work = self._daemon.data_dir / "work"
        folder = work / f"plan-hosts-{secrets.token_hex(8)}"  # a crash's are removed with those of plans
        answer = None
        try:
            async with self._places, asyncio.timeout(LIMIT_S):
                await asyncio.to_thread(work.mkdir, mode=0o700, exist_ok=True)
                lister = self._lister(revision, controllers, files, path)
                listed = await plugins.within(lister.list_hosts, path, folder)
                said, answer = await project.read_hosts(listed, revision.inventories[path], before)
        except Exception as error:  # noqa: BLE001 - a controller may be a stranger's code: whatever it raises is why there is no answer
            said = dataclasses.replace(before, error=self._why(error))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        now_us = self._daemon.clock()
        said = dataclasses.replace(said, asked_us=now_us, heard_us=before.heard_us if said.error else now_us)
        if not said.error and said.mark != before.mark:
            fell = before.heard_us and said.hosts * 2 < before.hosts
            said = dataclasses.replace(said, fell_from=before.hosts if fell else 0, fell_us=now_us if fell else 0)
            if said.beside or not said.hosts:
                said = dataclasses.replace(said, dried_from=0, dried_us=0)
            elif before.beside:
                said = dataclasses.replace(said, dried_from=before.beside, dried_us=now_us)
        revision.found.take(path, said, answer)
        _tell(path, before, said)

    def _lister(
        self, revision: project.Revision, controllers: Mapping[str, plugins.Controller], files: pathlib.Path, path: str
    ) -> plugins.Controller:
        """One that has this inventory, before the default one and others; where none can list hosts, one of Ansible's without options."""
        able = [name for name, one in controllers.items() if one.lists_hosts]
        if able:
            known = revision.controllers
            best = min(able, key=lambda name: (known[name].inventory != path, name != revision.default_controller))
            return controllers[best]
        made: plugins.Controller = rules.controller(LISTER, files, self._daemon.resolve)
        return made

    def _why(self, error: Exception) -> str:
        text = plugins.raised(error)
        if isinstance(error, errors.HealerError):
            text = "; ".join(filter(None, (error.message, error.try_)))
        elif isinstance(error, TimeoutError):
            text = f"there was no answer within {LIMIT_S:g} s"
        return " ".join(quoting.printed(self._daemon.masked(text)).split())[:ERROR_MAX]

    def shown(self, path: str, said: project.Said) -> dict[str, Any]:
        """For the status."""
        return {
            "path": path, "hosts": said.hosts, "asked": queries.iso(said.asked_us),
            "heard": queries.iso(said.heard_us) if said.heard_us else None, "left_out": list(said.left_out), "error": said.error or None,
            "fell": {"from": said.fell_from, "at": queries.iso(said.fell_us)} if said.fell_from else None,
            "dried": {"from": said.dried_from, "at": queries.iso(said.dried_us)} if said.dried_from else None,
        }  # fmt: skip

    def told(self, revision: project.Revision) -> list[dict[str, object]]:
        """What was wrong when the hosts of its inventories were asked for last, as diagnostics."""
        found = []
        for path, said in revision.found.said.items():
            message = ""
            if said.error:
                message = f"Ansible could not list the hosts, {_held(said)}: {said.error}"
            elif said.dried_from and said.dried_us == said.asked_us:
                message = f"Ansible lists {_dried(said)}"
            elif said.fell_from and said.fell_us == said.asked_us:
                message = f"Ansible lists {_count(said.hosts)} now, {said.fell_from} before"
            if message:
                found.append(errors.Diagnostic("hosts-not-listed", message, errors.Place(path), "warning").as_json())
        return found


def _tell(path: str, before: project.Said, said: project.Said) -> None:
    """What is new, once."""
    bound = logger.bind(inventory=path)
    if said.error and said.error != before.error:
        bound.warning("Ansible could not list the hosts of {}, {}: {}", path, _held(said), said.error)
    if said.error or (said.mark == before.mark and not before.error):
        return
    if said.dried_from and said.dried_us != before.dried_us:
        bound.warning("of {} Ansible lists {}", path, _dried(said))
    elif said.fell_from and said.mark != before.mark:
        bound.warning("Ansible lists {} of {}, {} before", _count(said.hosts), path, said.fell_from)
    else:
        bound.info("Ansible lists {} of {}", _count(said.hosts), path)
    if said.left_out and said.left_out != before.left_out:
        bound.warning("of what Ansible lists of {} cannot be a target: {}", path, "; ".join(said.left_out))


def _held(said: project.Said) -> str:
    """What targets are looked up in where there was no answer."""
    return f"what it listed last holds ({_count(said.hosts)})" if said.heard_us else "hosts that stand in files hold"


def _dried(said: project.Said) -> str:
    """What an inventory has whose programs list nothing any more."""
    return f"no host any more but those of files ({_count(said.hosts)}), {said.dried_from} beside them before"


def _count(hosts: int) -> str:
    return f"{hosts} host{'' if hosts == 1 else 's'}"
