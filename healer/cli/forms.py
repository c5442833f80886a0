"""`--format text|json|markdown` and `--json`, of the commands that say why. Callers: `explain`, `simulate`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from healer.cli import usage

TEXT: Final = "text"
JSON: Final = "json"
MARKDOWN: Final = "markdown"
ALL: Final = (TEXT, JSON, MARKDOWN)

Function = TypeVar("Function", bound=Callable[..., Any])


def options(function: Function) -> Function:
    """The two options; the command gets them as one argument `form`."""

    @functools.wraps(function)
    def wrapped(*args: Any, format_: str | None, as_json: bool, **rest: Any) -> Any:
        if as_json and format_ not in (None, JSON):
            raise usage.WrongUse(detail=f"--json and --format {format_} are two forms: one of them is wanted")
        return function(*args, form=JSON if as_json else format_ or TEXT, **rest)

    made: Any = wrapped
    for option in (
        click.option("--json", "as_json", is_flag=True, help="The same as --format json"),
        click.option(
            "--format",
            "format_",
            type=click.Choice(ALL),
            help="text [default], json as the API answers, or markdown for a comment on a pull request",
        ),
    ):
        made = option(made)
    return made  # type: ignore[no-any-return]
