"""The flags of `healer run`. `cli` makes them; `daemon` and `owning` read them."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

from healer import vault


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
    vault: vault.Vault = dataclasses.field(default_factory=lambda: vault.Vault([]))
    """What opens vaulted files and values; its keys are on no command line."""

    def overrides(self) -> dict[str, Any]:
        """The flags by their place in healer.yaml."""
        data_dir = str(self.data_dir.absolute()) if self.data_dir is not None else None
        return {"server.host": self.host, "server.port": self.port, "mode": self.mode, "data_dir": data_dir}

    def on_port(self, port: int) -> str:
        """The same start on another port."""
        return f"healer run{dataclasses.replace(self, port=port).written()}{' --standby' if self.standby else ''}"

    def mode_from(self, environ: Mapping[str, str]) -> str:
        """What of this start says the mode, which the file then does not: `--mode observe`; '' where nothing does."""
        variable = f"HEALER_MODE={environ['HEALER_MODE']}" if environ.get("HEALER_MODE") else ""
        return f"--mode {self.mode}" if self.mode else variable

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
