"""A controller that a test steers by files: what runs goes on until a file says how it ends. Its file is put into the project."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Final

from healer import model, plugins

LOOK_S: Final = 0.005


class Options(plugins.Options):
    """`folder`: in it `effects` has a line of each job that began, and `ends/TOKEN` and `far/TOKEN` what a test says of it."""

    folder: str


class Steered(plugins.Controller):
    """What has ended is remembered here, as at any far side; of what is `unknown` nothing is known until `far/TOKEN` says it."""

    Options = Options
    kinds = frozenset({"command"})

    def __init__(self, options: Options, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.folder = pathlib.Path(options.folder)

    async def check(self) -> model.Health:
        """It is always there."""
        return model.Health(True, "")

    async def plan(self, job: model.Job) -> model.Plan:
        """Nothing to see."""
        return model.Plan(tuple(target.name for target in job.targets), ("steered",))

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Write the line, wait for the word."""
        with (self.folder / "effects").open("a", encoding="utf-8") as effects:
            effects.write(f"{job.token}\n")
        try:
            return _outcome(await self._end_of(job))
        except asyncio.CancelledError:
            (self.folder / "ends" / job.token).write_text("cancelled", encoding="utf-8")
            raise

    def _end_of(self, job: model.Job) -> asyncio.Future[str]:
        """What is said of its end, once it is."""
        loop = asyncio.get_running_loop()
        end: asyncio.Future[str] = loop.create_future()

        def look() -> None:
            if end.done():
                return
            if said := self._said("ends", job):
                end.set_result(said)
            else:
                loop.call_later(LOOK_S, look)

        look()
        return end

    async def find(self, job: model.Job) -> model.Found:
        """As it was told."""
        said = self._said("far", job) or self._said("ends", job)
        if said == "running" or not said:
            return model.Found("running")
        return model.Found("unknown") if said == "unknown" else model.Found("ended", _outcome(said))

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Its end."""
        found = await self.find(job)
        return found.outcome or model.Outcome("unknown", "nobody knows")

    def _said(self, folder: str, job: model.Job) -> str:
        file = self.folder / folder / job.token
        return file.read_text(encoding="utf-8") if file.exists() else ""


def _outcome(state: str) -> model.Outcome:
    return model.Outcome(state, f"it was told that it {state}", 0 if state == "succeeded" else 1)  # type: ignore[arg-type]


CONTROLLER = Steered
