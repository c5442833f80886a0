"""The files of a new project: small, valid, working, and without effect until its owner says so (`mode: observe`).

Caller: `healer init`. They are texts in a module, not data files, so that they are in every installation.
"""

from __future__ import annotations

from typing import Final

EXECUTABLE: Final = frozenset({"scripts/clean_disk.sh"})

FILES: Final[dict[str, str]] = {
    "healer.yaml": """\
environment: dev        # a label on decisions, notifications and the audit
mode: observe           # decides and reports, touches nothing; `mode: active` and `healer reload` let it act
""",
    "actions.yaml": """\
# What may be done. A rule names an action here; what is not declared here cannot be asked for.
# scripts/clean_disk.meta.yml declares one more, beside its script.
actions:
  show_disk:
    command: [df, -P, /]
    description: Show how full the root file system is
    target: none
    timeout: 30 seconds
    idempotent: true
    impact: low
    events: [show_disk]          # POST /webhook {"event_type": "show_disk"} starts it, no rule needed
""",
    "controllers.yaml": """\
# How targets are reached.
controllers:
  local: {type: local, inventory: inventory/}
default: local
""",
    "inventory/hosts.yml": """\
# What may be healed. An event's target that is not here is refused.
all:
  hosts:
    localhost: {ansible_connection: local}
""",
    "rulebooks/disk.yml": """\
- name: disk
  hosts: all
  sources:
    - healer.api: {}             # the events of POST /events and `healer send`
  rules:
    - name: disk is full
      # An alert with a key acts once for each time that it fires, however often it is told; `status: resolved` ends that.
      condition: event.alert.name == "DiskFull" and event.alert.key is defined and event.alert.status == "firing"
      action:
        run_action:
          name: clean_disk
          target: "{{ event.alert.target }}"
          parameters: {keep_days: 7}
""",
    "rulebooks/disk_test.yml": """\
# Tests of disk.yml:  healer test   (controllers are faked and time is virtual: nothing is touched)
rulebook: disk.yml
tests:
  - name: a full disk is cleaned once while it fires
    steps:
      - {at: 0s, event: {$file: ../examples/disk_full.json}}
      - {at: 60s, event: {$file: ../examples/disk_full.json}, times: 10, every: 5s}
    expect:
      - {at: 0s, runs: [{rule: disk is full, action: clean_disk, target: localhost, parameters: {keep_days: 7}, status: succeeded}]}
      - {at: 1m, until: 5m, runs: []}                                  # nothing may run
      - {at: 5m, decisions: [{rule: disk is full, reason: duplicate, count: 10}]}

  - name: other alerts, and what is over, are left alone
    steps:
      - {event: {alert: {name: LogFull, target: localhost, key: k1, status: firing}}}
      - {event: {alert: {name: DiskFull, target: localhost, key: k2, status: resolved}}}
      - {event: {alert: {name: DiskFull, target: localhost, status: firing}}}
    expect:
      - {at: 1m, fired: []}
""",
    "scripts/clean_disk.sh": """\
#!/bin/sh
# Removes files that have not changed for some days from one folder. Parameters: see clean_disk.meta.yml.
set -eu
folder=$HEALER_PARAM_FOLDER
days=$HEALER_PARAM_KEEP_DAYS

if [ ! -d "$folder" ]; then
    echo "$folder is not there: nothing to remove"
    echo '{"removed": 0}'
    exit 0
fi
count=$(find "$folder" -xdev -type f -mtime "+$days" -print | wc -l)
if [ "${HEALER_DRY_RUN:-0}" = 1 ]; then
    echo "would remove $count files from $folder"
else
    find "$folder" -xdev -type f -mtime "+$days" -delete
    echo "removed $count files from $folder"
fi
echo "{\\"removed\\": $count}"
""",
    "scripts/clean_disk.meta.yml": """\
description: Remove files that have not changed for some days from one folder
parameters:                      # JSON Schema of each
  folder: {type: string, pattern: "^/var/tmp/[a-z0-9_-]{1,64}$", default: /var/tmp/healer-example}
  keep_days: {type: integer, minimum: 1, maximum: 3650, default: 7}
payload_parameters: [keep_days]  # what an event may set
target: required
timeout: 1 minute
idempotent: true                 # may be run again when it is unknown how it ended
impact: low
tags: [disk]
""",
    "examples/disk_full.json": """\
{
  "alert": {
    "name": "DiskFull",
    "target": "localhost",
    "key": "example-disk-full",
    "status": "firing",
    "severity": "warning",
    "summary": "/ is 96 % full"
  }
}
""",
    ".gitignore": """\
.healer/
logs/
""",
}
