"""Sandboxed Jinja: rule names and conditions at load, arguments of actions at firing.

Callers: `rulebook`, `decide`, `dispatch`, `notify`. Only text that an operator wrote is a template; event data is a
value and never rendered, also not when it looks like a template. An argument that is exactly one `{{ expression }}` gives the
expression's value unchanged; anything else gives a string (no literal evaluation, so a host named `None` stays one).
Nothing here reads a file, the clock or a random number.
"""

from __future__ import annotations

import contextvars
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import jinja2
import jinja2.filters
import jinja2.parser
from jinja2 import environment as environment_
from jinja2 import exceptions, nodes, sandbox, visitor

from healer import errors, filters, model

OUTPUT_MAX: Final = 1 << 20
"""Most characters that one rendered argument may have."""

DEPTH_MAX: Final = 50
SOURCE_MAX: Final = 100_000
_REMOVED_FILTERS: Final = ("random", "center", "format", "pprint", "urlize")
_REMOVED_METHODS: Final = frozenset(
    {"format", "format_map", "center", "ljust", "rjust", "zfill", "expandtabs", "replace", "translate"}
)
_SEARCHED_MAX: Final = 1_000
"""What a text is searched for from its end takes a time of its length with each step."""
_FROM_THE_END: Final = frozenset({"rsplit", "rfind", "rindex", "rpartition"})
_CODECS: Final = frozenset({"utf-8", "utf8", "ascii", "latin-1", "latin1", "iso-8859-1", "utf-16", "utf-32"})
_LARGEST_EXPONENT: Final = 64
_BITS_MAX: Final = 65_536
_LONG: Final = (str, bytes, list, tuple)
STEPS_MAX: Final = 50_000
"""So many times at most all `{% for %}` of one rendering go round together: some tens of milliseconds."""

_left: contextvars.ContextVar[list[int]] = contextvars.ContextVar("left")
"""How many times are left to the rendering that is under way."""
_WORD: Final = re.compile(r"[A-Za-z0-9_./:][A-Za-z0-9_./:@+,-]*", re.ASCII)


class _Environment(sandbox.ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, with bounds on what grows fast."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def wrap_str_format(self, value: Any) -> None:
        """No `format` of a text at all: Jinja would let it through, with any width."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str | bytes) and attr in _REMOVED_METHODS:
            return False
        if isinstance(obj, int) and attr == "to_bytes":
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(__self, __context: Any, __obj: Any, *args: Any, **named: Any) -> Any:  # noqa: N805 - no name of a template's is taken
        if isinstance(owner := getattr(__obj, "__self__", None), str | bytes):
            args = _bounded_call(owner, __obj.__name__, args, named)
        return super().call(__context, __obj, *args, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str | bytes):
            raise exceptions.SecurityError("% on a text is not available; write ~ to join texts")
        if operator == "**" and isinstance(right, int | float) and abs(right) > _LARGEST_EXPONENT:
            raise exceptions.SecurityError(f"an exponent above {_LARGEST_EXPONENT} is not available")
        if operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
            if bits > _BITS_MAX:
                raise exceptions.SecurityError(f"a number of more than {_BITS_MAX} bits is not available")
        if (
            operator == "+"
            and isinstance(left, _LONG)
            and isinstance(right, _LONG)
            and len(left) + len(right) > OUTPUT_MAX
        ):
            raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if (
                    isinstance(one, str | bytes | list | tuple)
                    and isinstance(other, int)
                    and (len(one) * other > OUTPUT_MAX or _size(one) * other > OUTPUT_MAX)
                ):
                    raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
        return super().call_binop(context, operator, left, right)


def _bounded_call(owner: str | bytes, method: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a text's method, once it is certain that what comes of it is neither large nor slow."""
    if method == "join" and args:
        things = args[0] if isinstance(args[0], str | bytes | list | tuple) else list(args[0])
        args = (things, *args[1:])
        if len(owner) * max(0, len(things) - 1) + _size(things) > OUTPUT_MAX:
            raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
    if method in _FROM_THE_END and any(
        isinstance(one, str | bytes) and len(one) > _SEARCHED_MAX for one in (*args, *named.values())
    ):
        raise exceptions.SecurityError(f"{method} looks for at most {_SEARCHED_MAX} characters")
    if method in ("encode", "decode"):
        codec = args[0] if args else named.get("encoding", "utf-8")
        if str(codec).lower().replace("_", "-") not in _CODECS:
            raise exceptions.SecurityError(f"the encoding {_shown(str(codec))!r} is not available")
    return args


def _size(value: Any) -> int:
    """About how many characters a value has as a text; it is not looked at further than `OUTPUT_MAX`."""
    size, waiting = 0, [value]
    while waiting and size <= OUTPUT_MAX:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            size += len(one)
        elif isinstance(one, Mapping):
            size += len(one)
            waiting += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            size += len(one)
            waiting += one
        else:
            size += 1
    return size


def _bounded_replace(text: object, old: str, new: str, count: int = -1) -> str:
    """The filter `replace`, refused where the result could be longer than `OUTPUT_MAX`."""
    whole = str(text)
    if len(whole) + whole.count(str(old)) * len(str(new)) > OUTPUT_MAX:
        raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
    return whole.replace(str(old), str(new), count)


def _bounded(name: str, wide: Callable[..., int]) -> Callable[..., Any]:
    """A filter of Jinja's, refused where its result could be longer than `OUTPUT_MAX`; `wide`: its arguments → how long it could be.

    What Jinja itself gives to a filter before its arguments does not count.
    """
    inner: Callable[..., Any] = jinja2.filters.FILTERS[name]
    own = 1 if hasattr(inner, "jinja_pass_arg") else 0

    @functools.wraps(inner)
    def bounded(*args: Any, **named: Any) -> Any:
        if wide(*args[own:], **named) > OUTPUT_MAX:
            raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
        return inner(*args, **named)

    return bounded


JOINED_MAX: Final = 1_000
"""What stands between joined values is at most so much shorter than a result may be."""


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else len(str(value))


def _indented(text: Any, width: Any = 4, *_args: Any, **_named: Any) -> int:
    return len(str(text)) + (str(text).count("\n") + 1) * _count(width)


def _cut(_value: Any, parts: Any, *_args: Any, **_named: Any) -> int:
    return _count(parts)


def _joined(_value: Any, between: Any = "", *_args: Any, **_named: Any) -> int:
    return len(str(between)) * JOINED_MAX


def _json_of(value: Any, indent: Any = 0) -> int:
    return _count(indent or 0) * (str(value).count(",") + DEPTH_MAX)


def _summed(_value: Any, attribute: Any = None, start: Any = 0) -> int:  # noqa: ARG001 - as Jinja names it
    """Lists would be copied for each that is added."""
    return 0 if isinstance(start, int | float) else OUTPUT_MAX + 1


BOUNDED: Final[Mapping[str, Callable[..., int]]] = {
    "indent": _indented,
    "batch": _cut,
    "slice": _cut,
    "tojson": _json_of,
    "join": _joined,
    "sum": _summed,
}


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
    """A vaulted value is known at the moment of use only, so no text can be made with it. Nor with what would be longer than a result."""
    if isinstance(value, model.Reference):
        raise exceptions.SecurityError("a vaulted value has to be the whole of an argument")
    if isinstance(value, list | tuple | Mapping) and _size(value) > OUTPUT_MAX:
        raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
    return value


@jinja2.pass_context
def _counted(_: Any, things: Iterable[Any]) -> Iterator[Any]:
    """What a `{% for %}` goes through, until the rendering has no more steps."""
    left = _left.get()
    for thing in things:
        left[0] -= 1
        if left[0] < 0:
            raise exceptions.SecurityError(f"its loops go round more than {STEPS_MAX} times")
        yield thing


def _together(parts: list[Any]) -> str:
    """`~`, refused where the result would be longer than `OUTPUT_MAX`."""
    texts, length = [], 0
    for part in parts:
        texts.append(str(_no_secret(part)))
        length += len(texts[-1])
        if length > OUTPUT_MAX:
            raise exceptions.SecurityError(f"the result would be longer than {OUTPUT_MAX}")
    return "".join(texts)


class _Bounds(visitor.NodeTransformer):
    """Puts the bounds into a template that no filter of its own has: round loops, and where texts are joined."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's way
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _EACH, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes, lineno=node.lineno), _JOIN, [], [], None, None, lineno=node.lineno)


_EACH: Final = "for each"
_JOIN: Final = "~"
"""Names that no template can write."""
_STATEMENTS: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Macro: "macro", nodes.CallBlock: "call", nodes.FilterBlock: "filter", nodes.AssignBlock: "set without =",
}  # fmt: skip


def _bounded_tree(tree: nodes.Template) -> nodes.Template:
    """The template with its bounds. TemplateSyntaxError for a statement that could go on without any."""
    kinds: tuple[type[nodes.Node], ...] = (*_STATEMENTS, nodes.For)
    for node in tree.find_all(kinds):
        word = _STATEMENTS.get(type(node), "for … recursive" if isinstance(node, nodes.For) and node.recursive else "")
        if word:
            raise jinja2.TemplateSyntaxError(f"{{% {word} %}} is not available", node.lineno)
    return _Bounds().visit(tree)  # type: ignore[no-any-return]


def _environment(finalize: Callable[[Any], Any]) -> _Environment:
    made = _Environment(undefined=jinja2.StrictUndefined, autoescape=False, cache_size=0, finalize=finalize)
    for name in _REMOVED_FILTERS:
        made.filters.pop(name, None)
    made.filters |= {
        "replace": _bounded_replace,
        **{name: _bounded(name, wide) for name, wide in BOUNDED.items()},
        **filters.FILTERS,
        _EACH: _counted,
        _JOIN: _together,
    }
    made.globals.pop("lipsum", None)
    return made


_ENVIRONMENT: Final = _environment(_no_secret)
_OF_WORDS: Final = _environment(_word)
GLOBALS: Final = frozenset(_ENVIRONMENT.globals)
"""Names that every template has."""


def is_template(text: str) -> bool:
    """Whether the text is one for Jinja, as upstream has it: one with an expression in it. `{% %}` alone stays text."""
    return "{{" in text and "}}" in text


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
    _left.set([STEPS_MAX])
    try:
        return _compiled(source, words)(variables)
    except errors.TemplateError:
        raise
    except RecursionError:
        raise errors.TemplateError(template=_shown(source), reason="it goes too deep") from None
    except Exception as error:  # whatever an expression raises is a mistake in the template
        raise errors.TemplateError(template=_shown(source), reason=str(error) or type(error).__name__) from None


def check(source: str) -> bool:
    """Whether it gives a text whatever its expressions are: where it is none alone. Raises `errors.TemplateError` if the text is no
    template (its syntax is wrong, or it uses what is not there)."""
    try:
        return _compiled(source, False).func is _string
    except (jinja2.TemplateError, RecursionError, ValueError) as error:
        raise errors.TemplateError(template=_shown(source), reason=str(error)) from None


@functools.lru_cache(maxsize=4096)
def _compiled(source: str, words: bool) -> functools.partial[Any]:
    if len(source) > SOURCE_MAX:
        raise errors.TemplateError(template=_shown(source), reason=f"it is longer than {SOURCE_MAX} characters")
    environment = _OF_WORDS if words else _ENVIRONMENT
    tree = environment.parse(source)
    expression = None if words else _single_expression(tree, source)
    made = environment.from_string(_bounded_tree(tree))
    if expression is not None:
        return functools.partial(_value, _as_expression(environment, expression), source)
    return functools.partial(_string, made, source)


def _as_expression(environment: _Environment, source: str) -> Any:
    """As Jinja's `compile_expression` has it, with the bounds."""
    parser = jinja2.parser.Parser(environment, source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise jinja2.TemplateSyntaxError("chunk after expression", parser.stream.current.lineno)
    expression.set_environment(environment)
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)]
    made = environment.from_string(_bounded_tree(nodes.Template(body, lineno=1)))
    return environment_.TemplateExpression(made, False)


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
