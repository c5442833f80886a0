"""From what the revision says of a source to something that runs: finds it, checks its options, gives it its context.

The daemon makes one `Builder` a revision's project directory and hands its `build` to the `Supervisor`.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from healer import errors, plugins, secrets
from healer.project import listeners, locating
from healer.supervise import eda, worker


class WrongOptions(errors.HealerError):
    """the options of the source {name} are wrong: {detail}"""

    code = "options"


@dataclasses.dataclass(frozen=True, slots=True)
class Builder:
    """`files()` gives the folder of the revision that holds now: plugins are taken from there, as rules and playbooks are, and run in
    `project_dir`. `environ` is the daemon's own environment; `log(level, message)`."""

    files: Callable[[], pathlib.Path]
    project_dir: pathlib.Path
    secrets: secrets.Secrets
    environ: Mapping[str, str]
    log: Callable[[str, str], None]

    def build(self, spec: worker.Running) -> worker.Runs:
        """A source ready to run. Raises `plugins.UnknownPlugin`, `plugins.BrokenPlugin` or `WrongOptions`."""
        files = self.files()
        located = locating.locate(spec.type, files)
        if located.kind == "eda":
            filters = [(locating.locate_filter(name, files), args) for name, args in spec.filters]
            env = {name: str(self.secrets.revealed(value)) for name, value in spec.env.items()}
            args = self.secrets.revealed(spec.args)
            listens = listeners.of(spec.type, args)
            return eda.EdaSource(located, args, filters, self.project_dir, self.log, self.environ, env, listens)
        if located.kind == "push":
            raise WrongOptions(name=spec.key, detail=f"{spec.type} waits for requests and has no task to run")
        if spec.filters:
            raise WrongOptions(
                name=spec.key, detail=f"filters are for sources of event-driven Ansible, not {spec.type}"
            )
        return self._native(located.plugin, spec, files)

    def _native(self, plugin: type[plugins.Source], spec: worker.Running, files: pathlib.Path) -> plugins.Source:
        try:
            options: Any = plugins.made_of(plugin.options_for(spec.args, files), spec.args)
        except ValueError as error:
            raise WrongOptions(name=spec.key, detail=str(error)) from error
        context = plugins.SourceContext(
            name=spec.key,
            project_dir=self.project_dir,
            resolve=lambda reference: self.secrets.resolve(reference.secret),
            log=self.log,
        )
        return plugin(options, context)
