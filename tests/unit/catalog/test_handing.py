"""Parameters of `verify` and `escalate` with templates in them: told where no run could make them right, and never else."""

from __future__ import annotations

import pytest

from healer import catalog, config, errors, templates

NOTHING = "nothing is named %r here: these templates know parameters alone"
TEXT = """\
go:
  command: [x]
  parameters: {n: {type: integer}, s: {type: string}, o: {type: string}, service: {type: string}, d: {type: string, default: x}}
  required: [n, s]
  %s
chk:
  command: [x]
  parameters: {n: {type: integer}, l: {type: array, maxItems: 1}, t: {}}
  required: [n]
"""


def told(line):
    return [(one.code, one.message, one.place.column) for one in read(line).diagnostics]


def read(line):
    document = config.read_text(TEXT % line, "actions.yaml")
    catalog.build(
        [catalog.Written(name, document, document.value[name], document.value.keys_at[name]) for name in document.value]
    )
    return document


@pytest.mark.parametrize(
    "line", ["verify: {action: chk, within: 1m, parameters: {%s}}", "escalate: [{action: chk, parameters: {%s}}]"]
)
@pytest.mark.parametrize(
    ("given", "at", "code", "message"),
    [
        ('n: "{{ parameters.n }}0"', '"{{', "parameters", "chk: n: a whole number is wanted, got '{{ parameters.n }}0'"),
        ('n: "{{ parameters.n }}", q: 1', "1}", "parameters", "chk: q: is not declared"),
        ('n: x, l: ["{{ parameters.n }}"]', "x,", "parameters", "chk: n: a whole number is wanted, got 'x'"),
        ('n: 1, l: ["{{ parameters.n }}", 2]', '["', "parameters", "chk: l: a list of at most 1 item is wanted, got 2"),
        ('l: ["{{ parameters.n }}"]', "{l:", "parameters", "chk: n: is required"),
        ('n: "{{ parameters.m }}"', '"{{', "unknown-parameter", "the parameter 'm' is not declared"),
        ('n: "{{ event.n }}"', '"{{', "template", "nothing is named 'event' here: these templates know parameters alone"),
    ],
)  # fmt: skip
def test_what_no_run_could_make_right_is_told(line, given, at, code, message):
    written = line % given
    column = 3 + written.index(at, written.index("parameters: "))
    assert told(written) == [(code, f"{written.partition(':')[0]}: {message}", column)]


@pytest.mark.parametrize(
    "given",
    [
        'n: "{{ parameters.n }}"',
        "n: \"{{ parameters.get('m') }}\"",
        'n: "{{ event.n if event is defined else 1 }}"',
        'n: "{{ range(3) | list | length }}"',
        'n: 1, l: ["{{ parameters.s }}"]',
    ],
)
def test_what_a_run_may_make_right_is_not(given):
    assert told(f"verify: {{action: chk, within: 1m, parameters: {{{given}}}}}") == []


@pytest.mark.parametrize(
    "text",
    [
        "{{ parameters.o }}",
        "a {{ parameters.o | upper }}",
        "{{ parameters['o'] }}",
        "{{ parameters.n }}{{ parameters.o }}{{ parameters.d }}",
        "{{ parameters.o ~ (parameters.d | default('x')) }}",
        "{{ [parameters.s, parameters.o] | join }}",
        "{{ parameters.o or 'x' }}",
        "{{ parameters.o and 'x' }}",
        "{% if parameters.o %}{{ parameters.o }}{% endif %}x",
        "{{ 'x' if parameters.o else 'y' }}",
        "{{ 'x' if not parameters.o else 'y' }}",
        "{{ 'x' if parameters.o == 'y' else 'z' }}",
        "{{ 'x' if 1 == parameters.o else 'z' }}",
        "{{ 'x' if 'x' in parameters.o else 'z' }}",
        "{{ parameters.o.x | default('o') }}",
        "{{ parameters.o['x'] | default('o') }}",
        "{{ parameters.o[0:1] | default('o') }}",
        "{{ parameters.o.strip() | default('o') }}",
        "{{ parameters.o | string | default('s') }}",
        "{{ (parameters.o | default('')) ~ parameters.o }}",
        "{% set x = parameters.o | upper %}{{ parameters.s }}",
        "{% for one in parameters.o | map('upper') %}{{ one }}{% endfor %}x",
        "{{ parameters.o | map('upper') | list }}",
        "{{ parameters.s }}{% if parameters.s %}x{% endif %}{{ parameters.o }}",
        "{{ not parameters.o }}x",
        "{{ parameters.o is eq 'x' }}x",
        "{{ 'x' | replace('x', parameters.o ~ '') }}",
        "{{ parameters.s.replace('x', parameters.o | upper) if false else 'x' }}{{ parameters.o }}",
    ],
)
@pytest.mark.parametrize(
    "line", ["verify: {action: chk, within: 1m, parameters: {%s}}", "escalate: [{action: chk, parameters: {%s}}]"]
)
def test_what_may_be_missing_when_it_runs_is_told(line, text):
    written = line % f'n: 1, t: ["{text}"]'
    document = read(written)
    (found,) = document.diagnostics
    key = written.partition(":")[0]
    assert (found.code, found.severity) == ("template", "warning")
    assert found.message == f"{key}: the parameter 'o' may be missing, and is used here"
    assert found.try_ == "list it in required, give it a default, or write parameters.o | default(…)"
    assert found.place.column == 3 + written.index(f'"{text}')
    with pytest.raises(errors.TemplateError):
        templates.render(text, {"parameters": {"n": 1, "s": "x", "d": "x"}})
    assert templates.render(text, {"parameters": {"n": 1, "s": "x", "d": "x", "o": "y"}})


@pytest.mark.parametrize(
    "text",
    [
        "{{ parameters.s }}{{ parameters.d }}",
        "{{ parameters.o | default('x') }}",
        "{{ parameters['o'] | d('x') | upper }}",
        "{{ (parameters.o | default('x')) ~ parameters.s }}",
        "{{ parameters.o if parameters.o is defined else 'x' }}",
        "{% if parameters.o is defined %}{{ parameters.o }}{% endif %}",
        "{{ parameters.o is defined and parameters.o == 'x' }}",
        "{{ parameters.o is none }}",
        "{{ parameters.get('o', 'x') }}",
        "{{ parameters.get('o') or 'x' }}",
        "{{ [parameters.o] | select('defined') | list | length }}",
        "{% for one in [] %}{{ parameters.o }}{% endfor %}x",
        "{% set parameters = {'o': 1} %}{{ parameters.o }}",
        "{{ 'x' or parameters.o }}",
        "{{ parameters.o is string and parameters.o }}",
        "{{ parameters.s if 1 else parameters.o }}",
        "{{ 1 < 0 < parameters.o }}",
        "{{ parameters.o in [] }}",
        "{{ [parameters.o] | length }}",
        "{{ parameters.o | map('upper') }}",
        "{{ parameters.o | default(parameters.o) | default('x') }}",
        "{% set x = parameters.o %}{{ parameters.s }}",
        "{{ parameters.s }}{% for one in [] %}{{ parameters.o | upper }}{% else %}x{% endfor %}",
    ],
)
def test_what_is_asked_for_may_be_missing(text):
    assert told(f'verify: {{action: chk, within: 1m, parameters: {{n: 1, t: "{text}"}}}}') == []
    templates.render(text, {"parameters": {"n": 1, "s": "x", "d": "x"}})


@pytest.mark.parametrize(
    ("text", "code", "severity", "message", "try_"),
    [
        ("{{ parameters.mm or 'x' }}", "unknown-parameter", "error", "the parameter 'mm' is not declared", "declare it in parameters: of this action"),
        ("{{ 'x' ~ parameters.srvice }}", "unknown-parameter", "error", "the parameter 'srvice' is not declared", "did you mean 'service'?"),
        ("{% if not parameters.s %}{{ parameters.srvice }}{% endif %}", "unknown-parameter", "warning", "the parameter 'srvice' is not declared", "did you mean 'service'?"),
        ("{{ parameters.srvice | default('x') }}", "unknown-parameter", "warning", "the parameter 'srvice' is not declared", "did you mean 'service'?"),
        ("{{ parameters.s or parameters.srvice }}", "unknown-parameter", "warning", "the parameter 'srvice' is not declared", "did you mean 'service'?"),
        ("{% for one in [] %}{{ parameters['srvice'] }}{% endfor %}x", "unknown-parameter", "warning", "the parameter 'srvice' is not declared", "did you mean 'service'?"),
        ("{{ event.x | default('x') }}", "template", "error", NOTHING % "event", "{{ parameters.NAME }}"),
        ("{{ evnt or 'x' }}", "template", "error", NOTHING % "evnt", "{{ parameters.NAME }}"),
        ("{{ evnt | default('x') }}", "template", "warning", NOTHING % "evnt", "{{ parameters.NAME }}"),
        ("{{ parameters.s or event.x }}", "template", "warning", NOTHING % "event", "{{ parameters.NAME }}"),
        ("{% if not parameters.s %}{{ paramters.s }}{% endif %}", "template", "warning", NOTHING % "paramters", "did you mean 'parameters'?"),
        ("{{ paramters.s if paramters is defined else 'x' }}", "template", "warning", NOTHING % "paramters", "did you mean 'parameters'?"),
    ],
)  # fmt: skip
def test_what_is_never_there_is_told_wherever_it_stands(text, code, severity, message, try_):
    """An error where no run could fill it; else a warning, since it may never be computed."""
    (found,) = read(f'verify: {{action: chk, within: 1m, parameters: {{n: 1, t: "{text}"}}}}').diagnostics
    assert (found.code, found.severity, found.message, found.try_) == (code, severity, f"verify: {message}", try_)
    given = {"parameters": {"n": 1, "s": "x", "d": "x", "o": "y", "service": "z"}}
    if severity == "error":
        with pytest.raises(errors.TemplateError):
            templates.render(text, given)
    else:
        templates.render(text, given)


@pytest.mark.parametrize(
    "text",
    [
        "{% if parameters.s %}{% set x = 1 %}{% endif %}{{ x }}",
        "{% for one in [1] %}{{ loop.index }}{{ one }}{% endfor %}{{ parameters.s }}",
        "{% with a = parameters.s %}{{ a }}{% endwith %}",
        "{{ 'x' if event is defined and event.x else 'y' }}",
    ],
)
def test_a_name_of_the_template_itself_is_known(text):
    assert told(f'verify: {{action: chk, within: 1m, parameters: {{n: 1, t: "{text}"}}}}') == []
    templates.render(text, {"parameters": {"n": 1, "s": "x", "d": "x"}})
