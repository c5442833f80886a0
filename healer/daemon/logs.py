"""The sinks of the log: JSON lines in files with rotation and retention, readable lines on a terminal.

Where the folder cannot be written (a read-only checkout), `<data_dir>/logs` takes its place; in a container only the terminal is left.
"""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import orjson
from loguru import logger

from healer import project
from healer.store import space

FILE: Final = "healer.log"
NEAR_BYTES: Final = 64 << 20
"""Free space below which it is tried before each line whether there is any."""
_TERMINAL: Final = "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> {extra[_shown]}\n{exception}"


def configure(
    settings: project.Settings,
    base: pathlib.Path,
    data_dir: pathlib.Path,
    level: str | None,
    mask: Callable[[str], str],
) -> str:
    """Set the sinks up; where the files lie, '' for nowhere. `mask` takes secrets out of a line."""
    logger.remove()
    wanted = level or settings.log.level
    colored = sys.stderr.isatty()
    logger.add(_to_stderr(mask), level=wanted, format=_readable, colorize=colored, backtrace=False, diagnose=False)
    folder = _folder(settings, base, data_dir)
    if folder is None:
        return ""
    logger.add(
        folder / FILE, level=wanted, filter=_room(folder), format=_json_line(mask), rotation=settings.log.rotation,
        retention=datetime.timedelta(seconds=settings.log.retention), colorize=False, backtrace=False, diagnose=False, encoding="utf-8",
    )  # fmt: skip
    return str(folder)


def _folder(settings: project.Settings, base: pathlib.Path, data_dir: pathlib.Path) -> pathlib.Path | None:
    inside = os.environ.get("container") or pathlib.Path("/.dockerenv").exists()  # noqa: SIM112 - podman's own spelling
    for folder in (base / settings.log.dir, data_dir / "logs"):
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
        if inside:
            return None
    return None


def _room(folder: pathlib.Path) -> Callable[[Any], bool]:
    """A filter: whether the disk takes lines. On a full one they go to standard error alone, where loguru would tell of each that it
    cannot write it, with a traceback."""

    def there(_record: Any) -> bool:
        try:
            return space.free_bytes(folder) >= NEAR_BYTES or not space.lacking(folder)
        except OSError:
            return True  # whatever is wrong there, writing tells it

    return there


def _to_stderr(mask: Callable[[str], str]) -> Callable[[Any], None]:
    def write(message: Any) -> None:
        sys.stderr.write(mask(str(message)))

    return write


def _readable(record: Any) -> str:
    """A line for a terminal. What senders wrote may neither move its cursor nor look like a line of ours."""
    lines = "".join(one if one.isprintable() or one == "\n" else "?" for one in record["message"]).split("\n")
    record["extra"]["_shown"] = "\n    ".join(lines)
    return _TERMINAL


_HIDDEN: Final = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What a terminal may obey and JSON may hold as it is: C1, marks of writing direction, line ends that are none of ASCII."""


def _dumped(made: dict[str, Any]) -> str:
    """One line of JSON that may be looked at on a terminal."""
    try:
        text = orjson.dumps(made, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        return text if text.isascii() and "\x7f" not in text else _HIDDEN.sub(lambda one: f"\\u{ord(one[0]):04x}", text)
    except (TypeError, ValueError):  # a lone surrogate, a number beyond 64 bits: an odd line is better than none
        return json.dumps(made, default=str, skipkeys=True)


def _json_line(mask: Callable[[str], str]) -> Callable[[Any], str]:
    """A formatter that gives one JSON object a record; loguru formats what it returns, so braces and tags are kept out of it."""

    def line(record: Any) -> str:
        made = {
            "time": record["time"].astimezone(datetime.UTC).isoformat(timespec="microseconds"),
            "level": record["level"].name,
            "message": record["message"],
            "where": f"{record['name']}:{record['line']}",
        } | {name: value for name, value in record["extra"].items() if not name.startswith("_")}
        if record["exception"] is not None:
            made["exception"] = repr(record["exception"].value)
        record["extra"]["_json"] = mask(_dumped(made))
        return "{extra[_json]}\n"

    return line
