"""`healer run` (also `serve`): start the daemon. The daemon's own libraries are imported only once this command runs."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Final

import click

from healer.cli import controlling, usage, vaulting

FOLDER = click.Path(file_okay=False, path_type=pathlib.Path)
HOST: Final = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
"""As `server.host` in the settings, which are not imported before the command runs."""


def _as_host(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """The callback of `--host`."""
    if text is not None and not HOST.fullmatch(text):
        detail = f"--host: an address or a name is wanted, got {usage.got(text)}"
        raise usage.WrongUse("--host 127.0.0.1, or --host 0.0.0.0 to listen for others", detail=detail)
    return text


@click.command(cls=usage.Command)
@click.option("--project", type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path), default=pathlib.Path(), metavar="DIR",
              help="The project directory [default: .]")  # fmt: skip
@click.option("--host", callback=_as_host, help="Address to listen on [default: server.host, 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on [default: server.port, 8080]; 0 takes a free one"
)
@click.option(
    "--data-dir", type=FOLDER, metavar="DIR", help="Where the daemon keeps what it knows [default: data_dir, .healer]"
)
@click.option(
    "--mode", type=click.Choice(["active", "observe"]), help="observe decides and reports, and touches nothing"
)
@click.option("--standby", is_flag=True, help="Wait until the daemon that owns the data directory ends, then take over")
@click.option(
    "--unsafe-fs", is_flag=True, help="Start on a network file system all the same; the store may be damaged there"
)
@click.option("--log-level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False))
@controlling.options
@vaulting.options
def command(
    project: pathlib.Path, host: str | None, port: int | None, data_dir: pathlib.Path | None, mode: str | None, standby: bool,
    unsafe_fs: bool, log_level: str | None, vault_password_file: str | None, vault_id: tuple[str, ...], ask_vault_pass: bool,
    controller_url: str | None, controller_token: str | None,
) -> int:  # fmt: skip
    """Run the daemon on a project directory until it is told to stop (Ctrl-C, SIGTERM)."""
    from healer import daemon

    # A reload, and the child that reads the project for it, know them too.
    os.environ.update(controlling.variables(controller_url, controller_token))
    return daemon.main(
        daemon.StartOptions(
            project=project, data_dir=data_dir, host=host, port=port, mode=mode, standby=standby, unsafe_fs=unsafe_fs,
            log_level=log_level, vault=vaulting.opened(vault_password_file, vault_id, ask_vault_pass=ask_vault_pass),
        )
    )  # fmt: skip
