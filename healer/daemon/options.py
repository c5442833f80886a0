"""The flags of `healer run`. `cli` makes them; `daemon` and `owning` read them."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class StartOptions:
    """None: not given."""

    project: pathlib.Path
    data_dir: pathlib.Path | None = None
    host: str | None = None
    port: int | None = None
    mode: str | None = None
    standby: bool = False
    unsafe_fs: bool = False
    log_level: str | None = None

    def overrides(self) -> dict[str, Any]:
        """The flags by their place in healer.yaml."""
        data_dir = str(self.data_dir.absolute()) if self.data_dir is not None else None
        return {"server.host": self.host, "server.port": self.port, "mode": self.mode, "data_dir": data_dir}

    def which(self) -> str:
        """The flags that say which daemon is meant, as every command takes them; '' or with a space in front."""
        project = None if self.project == pathlib.Path() else self.project
        return _written({"--project": project, "--data-dir": self.data_dir})

    def written(self) -> str:
        """All flags but `--standby` as a shell reads them; '' or with a space in front."""
        more = {"--host": self.host, "--port": self.port, "--mode": self.mode, "--log-level": self.log_level}
        return self.which() + _written(more) + (" --unsafe-fs" if self.unsafe_fs else "")


def _written(flags: dict[str, Any]) -> str:
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in flags.items() if value is not None)
