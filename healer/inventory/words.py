"""The words of a line of hosts, as `shlex.split(line, comments=True)` gives them. Caller: `files`.

Why our own: `shlex` takes a step of Python for each character, and a large inventory has millions of them.
"""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"""[ \t\r\n]*+((?:[^ \t\r\n#'"\\]++|'[^']*+'|"(?:[^"\\]++|\\.)*+"|\\.)*+)""", re.DOTALL)
_QUOTED: Final = re.compile(r"""'([^']*+)'|"((?:[^"\\]++|\\.)*+)"|\\(.)""", re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')


def split(line: str) -> list[str]:
    """The words up to a `#` that is not quoted. Raises ValueError for a quote or a backslash that nothing follows."""
    found: list[str] = []
    at = 0
    while (word := _WORD.match(line, at)) and word.end(1) > word.start(1):
        found.append(_QUOTED.sub(_bare, word[1]) if "'" in word[1] or '"' in word[1] or "\\" in word[1] else word[1])
        at = word.end()
    rest = line[word.end() :][:1] if word else ""
    if rest and rest != "#":
        raise ValueError("No escaped character" if rest == "\\" else "No closing quotation")
    return found


def _bare(found: re.Match[str]) -> str:
    """Within double quotes a backslash stands for itself, but before a quote and another one."""
    single, double, escaped = found.groups()
    return _ESCAPED.sub(r"\1", double) if double is not None else single if single is not None else str(escaped)
