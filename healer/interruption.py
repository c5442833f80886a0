"""Whether Ctrl-C is behind an error. What it interrupts may turn it into an error of its own: while a class is made, Python itself and
pydantic raise a `RuntimeError` or `SchemaError` after it. Callers: `cli`, `plugins`.
"""

from __future__ import annotations

from typing import Final

from healer import errors

_IN_WORDS: Final = " KeyboardInterrupt:"
"""What a `SchemaError` ends with, which names no cause but in its text."""


def behind(error: BaseException) -> bool:
    """Whether a `KeyboardInterrupt` led to an error. Of one that has words for people it has to be a signal's: that somebody's code
    raises one is what such an error tells."""
    told = isinstance(error, errors.HealerError)
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, KeyboardInterrupt) and not (told and is_raised(one)):
            return True
        if type(one).__module__.startswith("pydantic_core") and _IN_WORDS in str(one):
            return True
        waiting += (one.__cause__, one.__context__)
    return False


def is_raised(error: BaseException) -> bool:
    """Whether a `raise` made it. A signal's comes between other instructions."""
    import dis

    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and at.tb_frame.f_code.co_code[at.tb_lasti] == dis.opmap["RAISE_VARARGS"]
