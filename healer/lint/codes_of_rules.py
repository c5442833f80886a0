"""The codes that reading a rulebook tells, as `codes` reads them."""

from __future__ import annotations

from typing import Final

TEXT: Final = """
action-keyword | error
  an action that rulebooks do not have
  one of the actions that are known; `run_action` for one of the catalog
action-shape | error
  an action is a mapping of one name to its arguments
  `action: {name: {…}}`, or a list below `actions:`
action-twice | error
  a rule has `action:` and `actions:`
  one of them
condition-binding | error
  `<<` or an earlier event stands where it cannot
  at the beginning of a condition; one earlier event in a comparison
condition-call | error
  what stands in the parentheses of `match`, `search`, `select` … is not what it takes
  as the message says
condition-chain | error
  a comparison is compared again
  join two comparisons with `and`
condition-is | error
  after `is` stands something that it does not have
  `defined`, `match(…)`, `search(…)`, `select(…)`, `selectattr(…)`
condition-kind | error
  a condition has more or fewer than one of `all`, `any`, `not_all`
  one of them
condition-list | error
  a list in a condition holds something else than literals
  put quotes around it
condition-operator | error
  an operator that conditions, or `select`, do not have
  one of those that are known
condition-path | error
  a path that names no field
  `event.name`
condition-size | error
  a condition is too long, too deep, or has too many tests
  several rules
condition-syntax | error
  something stands where it does not belong
  as the message says
condition-timeout | error
  `any:` has a timeout
  leave it out
empty-name | error
  a name without a visible character
  give it one
module-args | error
  the text of `module_args` cannot be taken apart
  write a mapping
no-brake | warning
  each event that matches acts: no source tells when an alert is over, and no throttle holds it
  a throttle with `once_within`
no-hosts | warning
  `hosts:` of a ruleset names what no inventory of its controllers has
  the name as the inventory has it
regex-bad | error
  a text that is no regular expression
  mend it
regex-operand | error
  a pattern that is neither a text nor a variable
  write it as a text
regex-option | error
  an option of a pattern that there is not, or of another type
  `ignorecase=true`, `multiline=true`
regex-unsupported | error
  a regular expression that Java has and that cannot be used here
  another one, as the message says
throttle-condition | error
  a throttle on a condition of several events
  a condition on a single event
throttle-kind | error
  a throttle has more or fewer than one kind
  `once_within`, `once_after`, or `accumulate_within` with `threshold`
throttle-unused | warning
  a key of a throttle does nothing beside another
  leave it out
ungated-action | warning
  an action of ansible-rulebook passes hardly any gate
  `run_action`, or a `policy:` on the rule
unknown-ruleset | error
  a ruleset that its file does not have
  a name of the same file
vars-key | error
  a variable that is written wrongly
  `vars.name`
vars-missing | error
  a variable that nobody gives
  `vars:` of its activation
vars-type | error
  a variable that cannot be compared
  a text, a number, true, false, null or a list of these
gather-facts | warning
  `gather_facts` does nothing, since no controller of the type ansible has hosts
  a controller with an inventory
window-too-long | error
  a window is longer than the journal is kept, so that a restart could not rebuild it
  a longer `retention.journal`
source-type | error
  a source has more or fewer than one type
  one list item for each source
unknown-source | error
  a source that is not there
  `healer sources` and healer.yaml list them
unknown-filter | error
  a filter that is not there
  a file of `filters/`, or one of a collection
filters | error
  filters stand at a source that takes none
  leave them out, or put them at the shared source
inline-secret | error, in arguments of a source warning
  a secret is named where it must not be
  share the source in healer.yaml; secrets of actions belong to controllers.yaml
port-shared | error
  two sources listen on one port and are not the same
  another port, or one shared source
"""
