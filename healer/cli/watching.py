"""`--watch [SECONDS]`: the same look again and again, until Ctrl-C. Callers: `status`, `runs`, `alerts`, `approvals`.

On a terminal each look takes the place of the one before, cut to what fits; elsewhere it is appended below a line with the time. With
`--json` it is a document for each look and nothing else.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import shutil
import time
from collections.abc import Callable
from typing import Final

import click

from healer.cli import terminal, usage

EVERY_S: Final = 2.0
HOME: Final = "\x1b[H"
REST_OF_LINE: Final = "\x1b[K"
REST_OF_SCREEN: Final = "\x1b[J"


OPTION: Final = click.option(
    "--watch",
    type=usage.Real(0.2, 3600),
    is_flag=False,
    flag_value=EVERY_S,
    metavar="[SECONDS]",
    help=f"Look again every so many seconds [{EVERY_S:g}], until Ctrl-C",
)


class _Screen(io.StringIO):
    """Takes what would be printed on a terminal, as a terminal."""

    def isatty(self) -> bool:
        """So that what is painted stays so."""
        return True


def repeat(every_s: float | None, look: Callable[[], None], *, as_json: bool) -> None:
    """Do `look`, which prints; where `every_s` is given again and again. What goes wrong in a look ends it."""
    if every_s is None:
        look()
        return
    while True:
        if terminal.can_steer() and not as_json:
            _repaint(look)
        else:
            if not as_json:
                terminal.echo(f"── {terminal.local(datetime.datetime.now(datetime.UTC))}")
            look()
        time.sleep(every_s)


def _repaint(look: Callable[[], None]) -> None:
    """Gather first, then draw over what is there at once: no flicker, and what was seen last stays where a look fails."""
    screen = _Screen()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        look()
    lines, rows = screen.getvalue().splitlines(), shutil.get_terminal_size().lines
    if len(lines) >= rows:
        lines = [*lines[: rows - 2], f"… and {len(lines) - rows + 2} more lines"]
    drawn = "".join(f"{line}{REST_OF_LINE}\n" for line in lines)
    click.echo(f"{HOME}{drawn}{REST_OF_SCREEN}", nl=False)
