"""The codes that reading the other files of a project tells, and those of the daemon, as `codes` reads them."""

from __future__ import annotations

from typing import Final

TEXT: Final = """
action-kind | error
  an action names more or fewer than one thing that it runs
  one of `playbook`, `script`, `module`, `role`, `command`, `oc`, `http`, `check`
alias | warning
  a name of the inventory means several hosts, or none
  another name
ambiguous-file | error
  metadata that may be of several files
  name the file in it
another-file | error
  metadata names another file than the one beside it
  leave it out, or describe that action in actions.yaml
async-task | hint
  a task with `async` goes on behind ssh after its run was cancelled or timed out, up to that time
  a `timeout` of the action, and no `async`
auth-mismatch | warning
  who sends in this format is not known to prove itself so
  the `auth` that the message names
bad-name | error
  the name of a file that cannot be one
  rename it
both-endings | error
  a file is there as .yml and as .yaml
  one of them has to go
broken-plugin | error
  a plugin that cannot be loaded
  as the message says
built-in-role | error
  a role of your own has the name of a built-in one
  another name
control-socket | error
  the control socket lies where the project is read from
  leave it out
controller_forbidden | error
  a controller that cannot do it, or may not
  another controller, or its `actions` and `targets`
data-dir | error
  the data directory lies where the project is read from
  a folder of its own
dry-run | error
  an action that is only simulated can verify nothing and heal nothing
  leave out `dry_run`, or name another action
duplicate-event-type | error
  two actions take one event type
  one of them
duplicate-identity | error
  two people have one identity
  give it to one of them
duplicate-key | error, in rulebooks warning
  a key stands twice in a mapping
  one of them has to go
duplicate-name | error
  a name is there twice
  another name
duplicate-path | error
  two webhooks have one path
  another path
dynamic-inventory | hint
  an inventory whose hosts Ansible lists itself: targets are not checked here
  nothing; the daemon has it listed
empty-project | warning
  there is no rule and no action
  write a rulebook, or `healer init`
encrypted-variables | hint
  variables that are vaulted are not looked at
  nothing
forbidden-address | error
  an address that the controller does not allow
  `allow:` of the controller
forbidden-header | error
  a header that an action may not set
  give it to the controller
format-auto | warning
  `format: auto` in production
  the name of the format
grants-nothing | error
  a role has a permission that its scope makes void
  leave out one of them
invalid_parameters | error
  parameters that the action does not take, or lacks
  as its entry declares them
inventory | error, or warning
  an inventory that cannot be read as Ansible does
  as the message says
itself | error
  an action verifies or escalates with itself
  another action
log-dir | error
  the folder of the logs lies where the project is read from
  a folder of its own
manifest | error
  a manifest that is none
  as the message says
missing-extra | error, or warning
  a package is not installed
  the command that the message names
missing-key | error
  a key is missing
  add it
module | error
  the name of a module that is none
  NAMESPACE.COLLECTION.MODULE
more | error, warning or hint
  there are more than are shown
  mend those that are shown
name | error
  a name that cannot be one
  letters, digits, _ . -
never-resolved | hint
  nobody says when an alert of this source is over
  `alert_ttl`
no-action-file | error
  metadata without a file beside it
  the file, or another name
no-file | error, of a role warning
  a file that is not there
  the name as it is
no-impact | hint
  an action does not say its impact, so it counts as high
  `impact: low`, `medium` or `high`
no-inventory | error
  an inventory that is not there
  its path
no-metadata | hint
  no action runs this playbook or script
  describe it if rules should run it
no-project | error
  there is no such folder
  another one
not-a-file | error
  neither a file nor a folder, or the one where the other is wanted
  move it
not-activated | warning
  a rulebook that no activation names is off
  name it in `activations:`, or remove it
not-rendered | warning
  a template where none is filled, or a text that looks like one and is none
  as the message says
not-yet | error, or warning
  planned, and not there yet
  leave it out
open-hook | warning
  anybody who reaches the host may deliver to a hook
  `auth`, or `allow_from`
options | error
  a key or value of a section, source, controller or check is wrong
  as the message says
parameters | error
  parameters that `verify` or `escalate` gives to an action do not fit
  as its entry declares them
path-escapes | error
  a path leads out of the project
  a file in the project
path-loops | error
  a folder leads back to itself
  take the link out
playbook | error
  a playbook that is none
  as the message says
plugin-shadows | error
  a plugin of the project has the name of a built-in one
  another name
reserved-name | error
  a name that is used here already
  another name
role | error, or warning
  a role that is none, or where Ansible alone can find it
  as the message says
schema | error
  the JSON Schema of a parameter is wrong
  as the message says
secret-unavailable | hint
  a secret cannot be read here; the start warns of it
  nothing, where the project is only checked
selects-nothing | warning
  a policy or role names what is not there
  the name as it is
target | error
  the target of an action is declared wrongly
  `required` or `none`
template | error, of what a run of `verify` or `escalate` may lack, or may never compute, warning
  a template that cannot be read, or not be filled
  as the message says
then-needs-parameters | error
  an action that is tried where nobody decides an approval is given no parameters, and needs some
  give them a default, or name another action
too-deep | error
  folders are too deep
  flatter ones
too-few-approvers | warning
  fewer people can approve than have to
  give more people such a role
too-large | error
  the project has too much
  move what is not needed out
too-many | error
  more of something than is taken
  fewer
unknown-action | error
  an action names one that is not there
  the name as it is
unknown-author | hint
  it is not known who changed a rulebook last, so nobody is excluded
  commit it
unknown-channel | error
  a channel of notifications that is not there
  one that is known
unknown-check | error
  a check that is not there
  one of `checks/`
unknown-controller-type | error
  a type of controller that is not there
  one that is known
unknown-format | error
  a format of webhooks that is not there
  one that is known, or a `mapping`
unknown-key | error
  a key that is not known there
  the near name
unknown-keyword | warning
  a key that Ansible does not know there
  the near name
unknown-machine | error
  a machine that no controller reaches
  the name as the inventory has it
unknown-parameter | error, in a template of `verify` or `escalate` where it may never be computed warning
  a parameter that the action does not declare
  one that it declares
unknown-permission | error
  a permission that is not there
  one that is known
unknown-plugin | error
  a plugin that is not there
  the name as it is
unknown-receiver | error
  a receiver of notifications that is not there
  one that is known
unknown-role | error
  a role that is not there
  one that is known
unknown-variable | warning
  a variable of the environment that is nearly a setting
  the near name
unknown_action | error
  an action that the catalog does not have
  the name as it is
unknown_controller | error
  a controller that is not there
  the name as it is
unknown_target | error
  a target that the inventory does not have, or none where one is needed
  the name as it is
unreadable | error
  a file that cannot be read
  its permissions, or its encoding (UTF-8)
vault | error
  what is vaulted is not, or cannot be opened
  what `ansible-vault encrypt_string` prints; its password
wrong-folder | error, of one that looks meant warning
  a file lies where it is never read
  where the message says
wrong-type | error
  a value of another type than is wanted
  as the message says
yaml | error
  a file that is no YAML
  as the message says
"""
DAEMON: Final = """
admin-key | error
  the file of the first key cannot be used
  as the message says
changed-meanwhile | error
  a file changed while it was copied
  reload again
hosts-not-listed | warning
  Ansible did not list the hosts of an inventory
  as the message says
idle-key | warning
  a key grants nothing, as its role or person is gone
  revoke it
keys-file | error
  the file of keys cannot be used
  as the message says
last-revision | warning
  the files are wrong at a start, so the daemon goes on with the copy that held last
  mend them, and reload
load-failed | error
  the process that reads the project ended before it was done
  as the message says
needs-restart | error
  a setting that a reload cannot change
  restart the daemon
receiver-gone | warning
  messages wait for a receiver that a reload took away
  nothing, or name it again; `healer notify outbox` has them
resumed | warning
  pauses ended because a rule changed
  nothing
revision-tampered | error
  the copy of a revision is not what was published
  remove it, and reload
"""

TESTS: Final = """
matcher | error
  a matcher of a silence that cannot be read
  `target=web1`, as `healer silence add` takes them
no-fixture | error
  a file of an event or body that cannot be read, is no JSON, or lies outside of the project
  a JSON file of the project, by its path from the test's file
no-rulebook | error
  the rulebook under test is not there, or no activation switches it on
  its path from the test's file; leave it out for the whole project
twice | error
  two keys say the same
  one of them
unknown-principal | error
  a person that healer.yaml does not have
  one of `principals:`
unknown-reason | error
  a reason code that there is not
  one of docs/gates.md
unknown-rule | error
  a rule that the rulebooks under test do not have
  the name as it is, or activation/ruleset/rule
unknown-word | error
  an outcome of decisions, or a state of approvals, that there is not
  one of those that are listed
wrong-order | error
  a step comes before the one above it, or a span ends before it begins
  in the order of time
"""
"""What `healer test` tells of a file of tests beside those above, and `healer validate` too."""
