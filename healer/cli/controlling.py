"""The flags for an automation controller, of each command that reads a project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--controller-url`, `--controller-token`, as ansible-rulebook has them."""
    for made in (
        click.option("--controller-token", envvar="EDA_CONTROLLER_TOKEN", metavar="TOKEN", show_envvar=True,
                     help="Its token; others on this machine see a flag, so the variable is better"),
        click.option("--controller-url", envvar="EDA_CONTROLLER_URL", metavar="URL", show_envvar=True,
                     help="Automation controller for job templates, where controllers.yaml lists none"),
    ):  # fmt: skip
        command = made(command)
    return command


def variables(controller_url: str | None, controller_token: str | None) -> dict[str, str]:
    """What the flags say, as the variables that a project is read with."""
    given = {"EDA_CONTROLLER_URL": controller_url, "EDA_CONTROLLER_TOKEN": controller_token}
    return {name: value for name, value in given.items() if value is not None}
