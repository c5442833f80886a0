"""Every code of a diagnostic: how serious it is, what it means, what to do about it. Stable words, for configuration and for machines.

`docs/diagnostics.md` is this table; a test holds them and the source together. The texts are the help of SARIF's rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from healer import errors
from healer.lint import codes_of_files, codes_of_rules


class Code(NamedTuple):
    """`severity`: as it is told where nothing says otherwise; `also`: what else it may be. `area`: the heading that it stands below."""

    name: str
    severity: errors.Severity
    what: str
    do: str
    area: str
    also: str = ""


_FOUND: Final = """
ansible-syntax | error, or warning, or hint
  `ansible-playbook --syntax-check` refuses a playbook; a collection is missing here (warning); it cannot be judged here (hint)
  as the message says
unknown-path | warning
  a path that no event of the sources can have, a name that no template of the rule has: such a test never holds, such a template fails
  the field as the source has it; `healer sources show NAME` lists them
unreachable | warning
  a condition, or a test in it, that never holds: it is false whatever comes, two tests exclude each other, or no such value comes
  mend it, or take the rule out
unreachable-value | warning
  a value that a field never has, in a test that holds all the same: of others in its list, or always, by `!=`, `not in` or `not`
  a value that the field has, or leave it out
shadowed | warning, of an action hint
  a rule that never gets an event, since those before it take them all (an event fires one rule); an action hidden by another of its name
  put the narrower rule first, or `match_multiple_rules: true`
duplicate-condition | warning
  two rules of a ruleset with `match_multiple_rules` have the same condition, and both act
  join their actions in one rule
missing-verify | hint, of a high impact warning
  an action with an effect, and nothing looks whether it helped
  `verify:` in its entry: an action, a `check`, or `resolved_within`
missing-safety | warning
  one event may touch many targets, and neither an approval nor a blast radius holds it back
  `policy: {approval: …}` or `{blast_radius: …}` on the rule, or a policy of healer.yaml
shared-consumer | warning
  two sources read one queue or consumer group, so that each gets only a part of the events
  share one source in healer.yaml, or give each a group of its own
policy | error
  an action lacks what a check of `validate.checks` wants of it
  what the check requires, or change the check
ignored-error | error
  a comment `healer: ignore[…]` names a code that is an error there: errors cannot be ignored
  mend the mistake
unused-ignore | hint
  a comment `healer: ignore[…]` that nothing is told for
  take it out
unknown-code | warning
  a code that there is not, in a comment or in `validate.severity`
  a code of the page docs/diagnostics.md
project-code | hint
  something needs code of the project, which was not run (`--no-project-plugins`)
  validate a project that you trust without it
"""

_TRAPS: Final = """
trap-absence | warning
  a condition that is only about absence fires once, at the start, with an empty match
  join it with another test
trap-absence-join | warning
  `is not defined` alone as one of several conditions of `all`: such a rule hardly ever fires
  join it with another test of that event
trap-binding | warning
  only comparisons look into an earlier event; here it is a field of the event at hand
  compare it: `events.name.field == …`
trap-boolean | hint
  `yes`, `no`, `on`, `off`, `TRUE`, `FALSE` are texts in a condition
  `true`, `false`, or quotes around the text
trap-consumed | warning
  an event that one condition of an `all` or `not_all` waits for fires another rule, which uses it up
  `match_multiple_rules: true`
trap-contains | hint, of a mapping warning
  `contains` looks for an element of a list, not for a part of a text
  `is search("…")`
trap-double-not | warning
  a double `not` counts once
  leave out both
trap-events | warning
  `events.NAME` where no earlier condition has that name: it is the field NAME of the event itself
  `event.…`, or bind the name with `<<` before
trap-fact-unused | warning
  a fact that no condition of its ruleset looks at is not stored, and cannot be retracted
  use one of its fields in a condition
trap-facts | warning
  `facts.…` is nothing in a condition, and such a test never holds
  `fact.…` or `event.…`
trap-group-attribute | warning
  a group attribute that is no path: such events are never throttled
  `event.name.name`
trap-index | hint
  an index in quotes is a key of a mapping, never a place in a list
  without quotes, for a list
trap-literal | warning
  a text alone never holds
  compare it with a field
trap-match | warning
  of the alternatives of `match` only the first has to be at the start
  parentheses around them
trap-missing-sum | warning
  a test with a sum that holds where a field of it is missing: what is missing or null counts as nothing in `+` and `-`
  `… is defined and …`
trap-name-twice | warning
  two conditions of `all` have one name; such a rule never fires
  give each its own
trap-none | warning
  `None`, `none`, `Null`, `NULL` are texts in a condition
  `null`, or quotes around the text
trap-not-all-alone | warning
  `not_all` of one condition never fires: what it waits for is what starts it
  two conditions, or `once_after`
trap-not-defined | warning
  `not (… is defined)` never holds
  `… is not defined`
trap-not-field | warning, of a field of which the kind is not known hint
  `not` before a field alone holds of all that is there and is not `true`, a text as well, and never where the field is missing
  `… is not defined`, or compare it
trap-not-select | hint
  `is not select(…)` holds if some element does not satisfy, not if none does
  `not (… is select(…))`
trap-precedence | warning
  `and` and `or` have one precedence, from left to right
  put parentheses where they are meant
trap-select-match | warning
  `match` in `select` looks anywhere in the text, not at its start
  `^` before the pattern
trap-self-match | warning
  an event meets all conditions of an `all` by itself, and is used up: such a rule never fires, or only where it comes last
  a test that tells the two events apart
trap-substring | warning
  `in` looks for an element of a list, not for a part of a text
  `is search("…")`
trap-template-text | warning
  a template in a text of a condition compares with a text, also where its value is a number
  `vars.name` without quotes
trap-text-order | warning
  a number in quotes compares as a text: "9" is more than "10"
  without quotes
trap-threshold | warning
  a threshold of 1 fires for each event
  2 or more, or no throttle
trap-ttl | warning
  events are forgotten (`default_events_ttl`) before the `timeout` of a rule is over
  a longer `default_events_ttl`
trap-zero-window | warning
  a window of no time holds nothing back, and joins nothing
  a longer one
"""


def _read(text: str, area: str) -> dict[str, Code]:
    made = {}
    lines = text.strip().splitlines()
    for head, what, do in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, severity = head.split(" | ")
        first, _, also = severity.partition(", ")
        made[name] = Code(name, cast(errors.Severity, first), what.strip(), do.strip(), area, also)
    return made


TABLE: Final[Mapping[str, Code]] = {
    **_read(_FOUND, "What looking across files finds"), **_read(_TRAPS, "Traps of the rulebook language"),
    **_read(codes_of_rules.TEXT, "Rulebooks"), **_read(codes_of_files.TEXT, "The other files of a project"),
    **_read(codes_of_files.TESTS, "Tests of rulebooks"), **_read(codes_of_files.DAEMON, "Told by the daemon"),
}  # fmt: skip
