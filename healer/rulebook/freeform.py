"""`module_args` written as one text: taken apart here, at load, so that what an event brings can never become an argument of its own.

Caller: `actions`. Behaviour of Ansible's free form: `key=value` pieces, values in quotes, and for the modules that run a command the rest
as the command itself.
"""

from __future__ import annotations

import re
from typing import Final

from healer import templates

RAW: Final = "_raw_params"
_COMMANDS: Final = frozenset({"command", "shell", "raw", "script", "win_command", "win_shell"})
_OPTIONS: Final = frozenset(
    {"chdir", "creates", "removes", "executable", "stdin", "stdin_add_newline", "strip_empty_ends", "cmd", "argv"}
)
"""What a module that runs a command takes besides the command: any other `x=y` is part of it."""
_PIECE: Final = re.compile(r"""(?:\{\{.*?\}\}|\{%.*?%\}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'])+""", re.DOTALL)
_PAIR: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def runs_command(module: str) -> bool:
    """Whether the module runs a command given as a text, through a shell or split like one."""
    return module.rpartition(".")[2] in _COMMANDS


def is_one_template(text: str) -> bool:
    """Whether a text is one template and nothing else: it gives a value of any type."""
    inner = text.strip()
    return inner.startswith("{{") and inner.endswith("}}") and "}}" not in inner[2:-2]


def arguments(module: str, text: str) -> dict[str, str]:
    """`a=1 b="{{ event.x }}"` as a mapping of templates. Raises ValueError with what is wrong."""
    if templates.is_template(module):
        raise ValueError("module_args as a text needs a module whose name is no template")
    command = runs_command(module)
    made: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    for piece in _PIECE.finditer(text):
        if text[at : piece.start()].strip():
            raise ValueError(f"module_args has a quote that does not end: {text[at:].strip()[:40]!r}")
        at = piece.end()
        pair = _PAIR.fullmatch(piece[0])
        if pair and (not command or pair[1] in _OPTIONS):
            if pair[1] in made:
                raise ValueError(f"module_args names {pair[1]} twice")
            made[pair[1]] = _unquoted(pair[2])
        elif command:
            rest.append(piece[0])
        else:
            raise ValueError(f"module_args of {module}: {piece[0][:40]!r} is no key=value")
    if text[at:].strip():
        raise ValueError(f"module_args has a quote that does not end: {text[at:].strip()[:40]!r}")
    return made | ({RAW: " ".join(rest)} if rest else {})


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] == '"' else text[1:-1]
    return text
