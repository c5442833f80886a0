"""Sandboxed Jinja: rule names and conditions at load, arguments of actions at firing.

Callers: `rulebook`, `decide`, `dispatch`, `notify`. Only text that an operator wrote is a template; event data is a
value and never rendered, also not when it looks like a template. An argument that is exactly one `{{ expression }}` gives the
expression's value unchanged; anything else gives a string (no literal evaluation, so a host named `None` stays one).
Nothing here reads a file, the clock or a random number.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import jinja2
from jinja2 import exceptions, nodes, sandbox

from healer import errors, filters, model

OUTPUT_MAX: Final = 1 << 20
"""Most characters that one rendered argument may have."""

DEPTH_MAX: Final = 50
SOURCE_MAX: Final = 100_000
_REMOVED_FILTERS: Final = ("random", "center", "format", "pprint", "urlize")
_REMOVED_METHODS: Final = frozenset(
    {"format", "format_map", "center", "ljust", "rjust", "zfill", "expandtabs", "replace", "translate"}
)
_LARGEST_EXPONENT: Final = 64
_WORD: Final = re.compile(r"[A-Za-z0-9_./:][A-Za-z0-9_./:@+,-]*", re.ASCII)


class _Environment(sandbox.ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, with bounds on what grows fast."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str | bytes) and attr in _REMOVED_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str | bytes):
            raise exceptions.SecurityError("% on a text is not available; write ~ to join texts")
        if operator == "**" and isinstance(right, int | float) and abs(right) > _LARGEST_EXPONENT:
            raise exceptions.SecurityError(f"an exponent above {_LARGEST_EXPONENT} is not available")
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if (
                    isinstance(one, str | bytes | list | tuple)
                    and isinstance(other, int)
                    and len(one) * other > OUTPUT_MAX
                ):
                    raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
        return super().call_binop(context, operator, left, right)


def _bounded_replace(text: object, old: str, new: str, count: int = -1) -> str:
    """The filter `replace`, refused where the result could be longer than `OUTPUT_MAX`."""
    whole = str(text)
    if len(whole) + whole.count(str(old)) * len(str(new)) > OUTPUT_MAX:
        raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
    return whole.replace(str(old), str(new), count)


def _word(value: Any) -> Any:
    """What an expression may put into the text of a command: nothing that a shell reads as more than one word, and no option."""
    if isinstance(value, model.Reference):
        return _no_secret(value)
    if isinstance(value, jinja2.Undefined) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    shown = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
    raise exceptions.SecurityError(f"{_shown(shown)} cannot stand in a command's text: one plain word can")


def _no_secret(value: Any) -> Any:
    """A vaulted value is known at the moment of use only, so no text can be made with it."""
    if isinstance(value, model.Reference):
        raise exceptions.SecurityError("a vaulted value has to be the whole of an argument")
    return value


def _environment(finalize: Callable[[Any], Any]) -> _Environment:
    made = _Environment(undefined=jinja2.StrictUndefined, autoescape=False, cache_size=0, finalize=finalize)
    for name in _REMOVED_FILTERS:
        made.filters.pop(name, None)
    made.filters |= {"replace": _bounded_replace, **filters.FILTERS}
    made.globals.pop("lipsum", None)
    return made


_ENVIRONMENT: Final = _environment(_no_secret)
_OF_WORDS: Final = _environment(_word)


def is_template(text: str) -> bool:
    """Whether the text has anything for Jinja in it."""
    return "{{" in text


def render(value: Any, variables: Mapping[str, Any], *, words: bool = False) -> Any:
    """Render what an operator wrote: text, or a list or mapping with text in it (keys are left alone).

    With `words` the text is a command's: each expression in it may give one plain word only. Raises `errors.TemplateError`.
    What comes out is never rendered again.
    """
    return _render(value, variables, 0, words)


def _render(value: Any, variables: Mapping[str, Any], depth: int, words: bool) -> Any:
    if isinstance(value, str):
        return _text(value, variables, words) if is_template(value) else value
    if depth > DEPTH_MAX:
        raise errors.TemplateError(template="…", reason=f"nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, Mapping):
        return {key: _render(item, variables, depth + 1, words) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_render(item, variables, depth + 1, words) for item in value]
    return value


def _text(source: str, variables: Mapping[str, Any], words: bool) -> Any:
    try:
        return _compiled(source, words)(variables)
    except errors.TemplateError:
        raise
    except RecursionError:
        raise errors.TemplateError(template=_shown(source), reason="it goes too deep") from None
    except Exception as error:  # whatever an expression raises is a mistake in the template
        raise errors.TemplateError(template=_shown(source), reason=str(error) or type(error).__name__) from None


def check(source: str) -> None:
    """Raise `errors.TemplateError` if the text is no template (its syntax is wrong, or it uses what is not there)."""
    try:
        _compiled(source, False)
    except (jinja2.TemplateError, RecursionError, ValueError) as error:
        raise errors.TemplateError(template=_shown(source), reason=str(error)) from None


@functools.lru_cache(maxsize=4096)
def _compiled(source: str, words: bool) -> Callable[[Mapping[str, Any]], Any]:
    if len(source) > SOURCE_MAX:
        raise errors.TemplateError(template=_shown(source), reason=f"it is longer than {SOURCE_MAX} characters")
    environment = _OF_WORDS if words else _ENVIRONMENT
    tree = environment.parse(source)
    expression = None if words else _single_expression(tree, source)
    if expression is not None:
        return functools.partial(_value, environment.compile_expression(expression, undefined_to_none=False), source)
    return functools.partial(_string, environment.from_string(source), source)


def _single_expression(tree: nodes.Template, source: str) -> str | None:
    """The text between the braces if the source is exactly one `{{ expression }}`."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    parts = tree.body[0].nodes
    text = source.strip()
    if len(parts) != 1 or isinstance(parts[0], nodes.TemplateData) or not text.startswith("{{"):
        return None
    if not text.endswith("}}"):
        return None
    inner = text[2:-2]
    inner = inner[1:] if inner[:1] in "-+" else inner  # the marks of white space control, not a sign: `{{-`, `-}}`
    return inner[:-1] if inner[-1:] in "-+" else inner


def _value(expression: Any, source: str, variables: Mapping[str, Any]) -> Any:
    value = expression(variables)
    if isinstance(value, jinja2.Undefined):
        value._fail_with_undefined_error()
    if isinstance(value, str) and len(value) > OUTPUT_MAX:
        raise errors.TemplateError(template=_shown(source), reason=f"the result is longer than {OUTPUT_MAX} characters")
    return value


def _string(template: jinja2.Template, source: str, variables: Mapping[str, Any]) -> str:
    made, length = [], 0
    for piece in template.generate(variables):
        length += len(piece)
        if length > OUTPUT_MAX:
            reason = f"the result is longer than {OUTPUT_MAX} characters"
            raise errors.TemplateError(template=_shown(source), reason=reason)
        made.append(piece)
    return "".join(made)


def _shown(source: str) -> str:
    return source if len(source) <= 80 else source[:77] + "…"
