"""Parameters of `verify` and `escalate` with templates in them: told where no run could make them right, and never else."""

from __future__ import annotations

import pytest

from healer import catalog, config

TEXT = """\
go:
  command: [x]
  parameters: {n: {type: integer}, s: {type: string}}
  %s
chk:
  command: [x]
  parameters: {n: {type: integer}, l: {type: array, maxItems: 1}}
  required: [n]
"""


def told(line):
    document = config.read_text(TEXT % line, "actions.yaml")
    catalog.build(
        [catalog.Written(name, document, document.value[name], document.value.keys_at[name]) for name in document.value]
    )
    return [(one.code, one.message, one.place.column) for one in document.diagnostics]


@pytest.mark.parametrize(
    "line", ["verify: {action: chk, within: 1m, parameters: {%s}}", "escalate: [{action: chk, parameters: {%s}}]"]
)
@pytest.mark.parametrize(
    ("given", "at", "code", "message"),
    [
        ('n: "{{ parameters.n }}0"', '"{{', "parameters", "chk: n: a whole number is wanted, got '{{ parameters.n }}0'"),
        ('n: "{{ parameters.n }}", q: 1', "1}", "parameters", "chk: q: is not declared"),
        ('n: x, l: ["{{ parameters.n }}"]', "x,", "parameters", "chk: n: a whole number is wanted, got 'x'"),
        ('n: 1, l: ["{{ parameters.n }}", 2]', '["', "parameters", "chk: l: a list of at most 1 item is wanted, got a list"),
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
        'n: "{{ parameters.m | default(1) }}"',
        'n: "{{ 1 if true else parameters.m }}"',
        'n: "{{ event.n if event is defined else 1 }}"',
        'n: "{{ range(3) | list | length }}"',
        'n: 1, l: ["{{ parameters.s }}"]',
    ],
)
def test_what_a_run_may_make_right_is_not(given):
    assert told(f"verify: {{action: chk, within: 1m, parameters: {{{given}}}}}") == []
