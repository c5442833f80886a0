"""Options of plugins as they may be shown: references to secrets stay, since they are none, and nothing that could be one.

Used by `controllers` and `sources`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from healer import model

HIDDEN: Final = "***"
_OF_A_SECRET: Final = re.compile(
    r"pass(word|phrase|wd)?$|token$|secret(_?key)?$|credentials?$|(api|access|account|private|shared)[-_]?key$"
    r"|conn(ection)?_?str(ing)?$|dsn$|authorization$|cookie$",
    re.IGNORECASE,
)
"""Options of strangers' plugins may have a secret as a plain text; those of ours take references alone."""
_REFERENCE: Final = re.compile(r"(env|file):")
_USER_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def hidden(value: Any, name: str = "") -> Any:
    """Options, or a part of them, without what is secret. `name`: the key that the value stands under."""
    if isinstance(value, model.Reference) or (isinstance(value, str) and value.lstrip().startswith(model.VAULTED)):
        return {"secret": "ansible-vault"}
    if isinstance(value, Mapping):
        if isinstance(reference := value.get("secret"), str) and len(value) == 1 and _REFERENCE.match(reference):
            return {"secret": reference}
        return {str(key): hidden(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(inner, name) for inner in value]
    if isinstance(value, str | int | float) and not isinstance(value, bool) and _OF_A_SECRET.search(name):
        return HIDDEN
    return _USER_IN_URL.sub(HIDDEN, value) if isinstance(value, str) else value
