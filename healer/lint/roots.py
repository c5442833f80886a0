"""Names that a template of an action cannot have when its rule fires (`unknown-path`): such a template fails with each event.

A root that is none, `event` where there are several, `events.NAME` of no condition; whatever the sources send.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import config, engine, errors, project, templates
from healer.lint import texts
from healer.lint.scope import Scope, Told, strings

_SINGLE: Final = ("event", "fact")
_SEVERAL: Final = ("events", "facts")
LISTED_MAX: Final = 8

CLOSE: Final = "close it with }}"
TRY: Final = "a template has {{ and }}: write {{ 'a' if event.x else 'b' }}"
_STATEMENT: Final = re.compile(r"\{%[-+]?\s*(?:if|for|set|else|endif|endfor|elif|with)\b[^%]{0,500}%\}")
_OPENED: Final = re.compile(r"\{\{[-+]?\s*([A-Za-z_]\w*)(?!\w)")

Found = tuple[str, str, str]
"""(what of the template, why it fails, what to write instead)"""


def check(scope: Scope, told: Told, *, known: bool) -> None:
    """Tell of each such name in the arguments of a ruleset's actions. `known`: whether all variables could be read."""
    for rule in scope.ruleset.rules:
        names = _names(rule)
        for action, args, at in scope.actions(rule):
            more = _of_var_root(action.args.get("var_root"))
            aside = {
                mark for _, mark in strings(args.get("target"), args.values_at.get("target"))
            }  # told where it is no target
            for text, mark in strings(args, at):
                if mark not in aside and (word := _unrendered(text, scope.activation.variables)):
                    message = f"{word}, so this is no template: it stays as it stands"
                    try_ = CLOSE if "{{" in text else TRY
                    told.tell(scope.document, "not-rendered", message, mark, try_, severity="warning")
                for shown, why, try_ in _wrong(text, rule, names, more, scope.activation.variables, known=known):
                    told.tell(
                        scope.document, "unknown-path", f"`{shown}`: {why}", within(scope.document, mark, shown), try_
                    )


def known(draft: project.Draft) -> bool:
    """Whether all variables could be read: what is wrong in a rulebook hides none of them."""
    books = {one.file for one in draft.revision.activations}
    return not any(one.severity == "error" and one.place.file not in books for one in draft.diagnostics)


def within(document: config.Document, mark: config.Mark | None, shown: str) -> config.Mark | None:
    """A piece of a text, where it is on the line that the text begins on; else the text."""
    if mark is None or not 0 < mark[0] <= len(document.lines):
        return mark
    at = document.lines[mark[0] - 1].find(shown, mark[1] - 1)
    return (mark[0], at + 1, len(shown)) if at >= 0 else mark


def _unrendered(text: str, variables: Mapping[str, Any]) -> str:
    """Why a text that looks like a template is none; '' where it does not, or is one."""
    if "{" not in text or templates.is_template(text):
        return ""
    if "{{" in text:
        roots = {*_SINGLE, *_SEVERAL, "vars", *variables}
        return "{{ is never closed" if any(one in roots for one in _OPENED.findall(text)) else ""
    return "nothing but {% … %} stands in it" if _STATEMENT.search(text) else ""


def _names(rule: engine.Rule) -> tuple[str, ...] | None:
    """What the events of a match may be called; None where that is known when it fires."""
    if rule.throttle is not None and rule.throttle.kind == "once_after":
        return None
    return tuple(dict.fromkeys(pattern.name for pattern in rule.condition.patterns))


def _of_var_root(value: Any) -> tuple[str, ...]:
    """The names that `var_root` gives."""
    if isinstance(value, Mapping):
        return tuple(str(one) for one in value.values())
    return (value,) if isinstance(value, str) else ()


def _wrong(
    text: str, rule: engine.Rule, names: tuple[str, ...] | None, more: tuple[str, ...], variables: Mapping[str, Any], *, known: bool
) -> Iterator[Found]:  # fmt: skip
    several = names is not None and rule.condition.kind == "all" and len(rule.condition.patterns) > 1
    for name in texts.names_of_template(text):
        if name in variables or name in _SEVERAL or name in templates.GLOBALS:
            continue
        if name in _SINGLE:
            if several and names:
                yield name, f"the rule {rule.name!r} fires for several events", f"one of: {_listed(names, name + 's')}"
            continue
        roots = (*_SINGLE, *_SEVERAL)
        near = errors.nearest(name, (*roots, *variables))
        if name == "vars":
            yield name, "templates have no such name", _of_vars(text, variables)
        elif known or errors.nearest(name, roots):
            why = "nothing has this name: it is no variable of the activation"
            yield name, why, near or f"vars: {{{name}: …}} in the activation, or event.…"
    for read in texts.of_template(text):
        if names is None or not read.name or read.name in (*names, *more):
            continue
        near = errors.nearest(read.name, names) or f"there are: {_listed(names, read.root)}"
        yield f"{read.root}.{read.name}", f"no condition of the rule {rule.name!r} has this name", near


def _of_vars(text: str, variables: Mapping[str, Any]) -> str:
    after = text.partition("vars.")[2]
    name = next((one for one in variables if after.startswith(one)), "")
    return (
        f"{{{{ {name} }}}}: the variables stand alone"
        if name
        else "the variables of the activation stand alone: {{ name }}"
    )


def _listed(names: tuple[str, ...], root: str) -> str:
    shown = ", ".join(f"{root}.{one}" for one in names[:LISTED_MAX])
    return f"{shown} …" if len(names) > LISTED_MAX else shown
