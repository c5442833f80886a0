"""An example of each key of a project's files, for `healer schema`: editors show it, and propose it where nothing stands yet.

Caller: `published`. A name is `PARENT.KEY` or `KEY`, as in `captions`; `KIND/PARENT.KEY` of one kind of file. Keys with a default, or with
few values, need none. A test holds that each example is valid for its key, that none is missing, and that nothing here is left over.
"""

from __future__ import annotations

from typing import Any, Final

_TOKEN: Final = {"secret": "env:AM_TOKEN"}
_ASKED: Final = {"any": [{"name": "on call", "roles": ["oncall"], "approve": 1, "reject": 1}], "expires": "30 minutes"}
_DAY: Final = {"days": "mon-fri", "hours": "07:00-19:00", "timezone": "Europe/Vienna"}
_CLEAN: Final = {"run_action": {"name": "clean_disk"}}
_DISK: Final = {"path": "/var", "used_percent_max": 90}
_MAPPING: Final = {
    "fields": {"name": "alert.title", "target": "alert.host", "status": "alert.state"}, "statuses": {"ALARM": "firing", "OK": "resolved"},
}  # fmt: skip

_GATES: Final[dict[str, Any]] = {
    "cooldown": "10 minutes", "max_age": "15 minutes", "defer_for": "2 hours", "settle": "60 seconds", "attempts": 3,
    "rate_limit": "5 per hour", "breaker": {"failures": 3, "within": "30 minutes", "retry_after": "30 minutes"},
    "blast_radius": {"targets": "20%", "at_least": 1, "of": "group:web", "within": "1 hour"},
    "flapping": {"cycles": 4, "within": "1 hour"}, "windows": {"allow": [_DAY], "block": [{"dates": "2026-12-24..2026-12-31"}]},
    "approval": _ASKED, "concurrency": 2, "timeout": "10 minutes", "RunAction.concurrency": {"daemon": 20, "controller": 10},
    "Upstream.concurrency": {"daemon": 20}, "approval_exclude": ["requester", "author"], "allow": [_DAY],
    "block": [{"dates": "2026-12-24..2026-12-31"}], "days": "mon-fri", "dates": "2026-12-24..2026-12-31", "Approval.any": _ASKED["any"],
    "expires": "30 minutes", "Approval.then": "page_secondary", "Approval.exclude": ["requester"], "Threshold.name": "on call",
    "Threshold.roles": ["oncall"], "Blast.targets": "20%", "of": "group:web", "within": "30 minutes", "failures": 3,
    "retry_after": "30 minutes", "cycles": 4,
}  # fmt: skip

_RULEBOOK: Final[dict[str, Any]] = {
    "ruleset.hosts": "all", "ruleset.sources": [{"healer.api": {}}], "match_multiple_rules": True, "default_events_ttl": "2 hours",
    "ruleset.rules": [{"name": "disk is full", "condition": "event.alert.name == 'DiskFull'", "action": _CLEAN}],
    "ruleset.name": "web tier", "gather_facts": False, "policy": {"cooldown": "15 minutes"}, "rule.name": "disk is full",
    "enabled": False, "rule.condition": "event.alert.name == 'DiskFull' and event.alert.status == 'firing'",
    "rule.action": {"run_action": {"name": "clean_disk"}},
    "rule.actions": [{"run_action": {"name": "clean_disk"}}, {"post_event": {"event": {"cleaned": True}}}],
    "throttle": {"once_within": "5 minutes", "group_by_attributes": ["event.alert.target"]}, "once_within": "5 minutes",
    "once_after": "1 minute", "accumulate_within": "10 minutes", "threshold": 3, "group_by_attributes": ["event.alert.target"],
    "all": ["event.a == 1", "event.b == 2"], "condition.any": ["event.a == 1", "event.b == 2"],
    "not_all": ["event.a == 1", "event.b == 2"], "condition.timeout": "5 minutes", "source.name": "the disk of this machine",
    "filters": [{"eda.builtin.insert_hosts_to_meta": {"host_path": "host"}}], "source.check": {"disk": _DISK},
    "healer.check": {"disk": _DISK}, "healer.api": {}, "healer.source": {"name": "alertmanager"},
    "healer.webhook": {"path": "alertmanager", "format": "alertmanager", "auth": {"bearer": _TOKEN}},
    "SourceOptions.name": "alertmanager",
    "action.run_action": {"name": "clean_disk", "target": "{{ event.alert.target }}", "parameters": {"keep_days": 7}},
    "action.run_playbook": {"name": "restart_service.yml", "extra_vars": {"service": "nginx"}}, "action.none": {},
    "debug": {"msg": "seen: {{ event }}"},
    "action.run_module": {"name": "ansible.builtin.service", "module_args": {"name": "nginx", "state": "restarted"}},
    "action.run_job_template": {"name": "Restart", "organization": "Default"},
    "action.run_workflow_template": {"name": "Heal", "organization": "Default"},
    "action.post_event": {"event": {"cleaned": "{{ event.alert.target }}"}}, "action.set_fact": {"fact": {"maintenance": True}},
    "action.retract_fact": {"fact": {"maintenance": True}}, "action.print_event": {"pretty": True}, "shutdown": {"message": "done"},
    "run_action.name": "clean_disk", "run_action.target": "{{ event.alert.target }}", "run_action.parameters": {"keep_days": 7},
    "run_action.controller": "web", "run_action.dry_run": True, "lock": "database", "run_playbook.name": "restart_service.yml",
    "run_module.name": "ansible.builtin.service", "run_job_template.name": "Restart", "run_workflow_template.name": "Heal",
    "post_events": True, "set_facts": True, "verbosity": 1, "var_root": "event.payload", "json_mode": True,
    "extra_vars": {"service": "nginx"}, "retry": True, "retries": 2, "delay": 30, "copy_files": True, "ruleset": "web tier",
    "module_args": {"name": "nginx", "state": "restarted"}, "organization": "Default", "job_args": {"limit": "web01"},
    "include_events": True, "run_job_template.labels": ["healer"], "run_workflow_template.labels": ["healer"],
    "add_event_uuid_label": True, "post_event.event": {"cleaned": True}, "fact": {"maintenance": True}, "partial": False, "pretty": True,
    "msg": "seen: {{ event }}", "debug.var": "event.alert", "shutdown.message": "done",
}  # fmt: skip

_SOURCES: Final[dict[str, Any]] = {
    "WebhookOptions.path": "alertmanager", "WebhookOptions.auth": {"bearer": _TOKEN}, "WebhookOptions.mapping": _MAPPING,
    "max_quiet": "10 minutes", "alert_ttl": "1 hour", "delivery_id": "X-Delivery", "reconcile": {"url": "http://alertmanager:9093"},
    "WebhookOptions.rate_limit": "100 per second", "allow_from": ["10.0.0.0/8"], "redact": ["user.email"],
    "origins": ["events.example.org"], "bearer": _TOKEN, "basic": {"user": "am", "password": _TOKEN},
    "Auth.header": {"name": "X-Token", "token": _TOKEN}, "hmac": {"header": "X-Signature", "key": _TOKEN, "prefix": "sha256="},
    "github": _TOKEN, "gitlab": _TOKEN, "Auth.slack": _TOKEN, "standard_webhooks": _TOKEN, "sentry": _TOKEN, "pagerduty": _TOKEN,
    "grafana": {"key": _TOKEN}, "stripe": _TOKEN, "sns": {"topics": ["arn:aws:sns:eu-west-1:123456789012:alarms"]}, "url_token": _TOKEN,
    "Auth.none": True, "Basic.user": "am", "password": _TOKEN, "Header.name": "X-Token", "token": _TOKEN, "Hmac.header": "X-Signature",
    "Hmac.key": _TOKEN, "prefix": "sha256=", "Hmac.timestamp": "X-Timestamp", "Grafana.key": _TOKEN, "Grafana.timestamp": "X-Timestamp",
    "topics": ["arn:aws:sns:eu-west-1:123456789012:alarms"], "secret": "env:AM_TOKEN", "Reconcile.url": "http://alertmanager:9093",
    "ca": "files/ca.pem", "receivers": ["healer"], "CheckOptions.disk": _DISK,
    "CheckOptions.http": {"url": "http://localhost:8080/health"}, "CheckOptions.process": {"name": "nginx"},
    "CheckOptions.name": "DiskFull", "CheckOptions.target": "web01", "CheckOptions.labels": {"team": "web"}, "check.disk": _DISK,
    "check.http": {"url": "http://localhost:8080/health"}, "check.process": {"name": "nginx"}, "disk.path": "/var",
    "DiskOptions.path": "/var", "used_percent_max": 90, "max_bytes": "10 GB", "clear_percent": 80,
    "HttpOptions.url": "http://localhost:8080/health", "http.url": "http://localhost:8080/health", "HttpOptions.status": 204,
    "http.status": 204, "HttpOptions.contains": "ok", "http.contains": "ok", "http.timeout": "10 seconds", "ProcessOptions.name": "nginx",
    "process.name": "nginx", "pidfile": "/run/nginx.pid",
}  # fmt: skip

_MAPPINGS: Final[dict[str, Any]] = {
    "each": "alerts", "fields": _MAPPING["fields"], "resolved": {"summary": "alert.recovery"}, "statuses": _MAPPING["statuses"],
    "severities": {"P1": "critical"}, "Mapping.defaults": {"severity": "warning"}, "delivery": "id", "delivery_ids": ["X-Delivery"],
    "media": ["application/vnd.example+json"], "marks": ["alert.title"], "Mapping.auth": ["bearer", "url_token"],
    "setup": "in its settings, under webhooks", "MappedFields.name": "alert.title",
    "MappedFields.target": ["alert.host", "alert.instance"], "MappedFields.severity": "alert.level", "MappedFields.key": "alert.id",
    "MappedFields.status": "alert.state", "started_at": "alert.since", "summary": "alert.text", "link": "alert.url",
    "MappedFields.labels": "alert.tags", "MappedEnd.name": "alert.title", "MappedEnd.target": "alert.host",
    "MappedEnd.severity": "alert.level", "MappedEnd.key": "alert.id", "MappedEnd.labels": "alert.tags", "MappedDefaults.name": "Outage",
    "MappedDefaults.target": "web01", "MappedDefaults.status": "firing", "MappedDefaults.severity": "warning",
}  # fmt: skip

_ACTIONS: Final[dict[str, Any]] = {
    "actions.actions": {"show_disk": {"command": ["df", "-P", "/"], "target": "none", "timeout": "30 seconds", "impact": "low"}},
    "playbook": "restart_service.yml", "script": "clean_disk.sh", "module": "ansible.builtin.service", "role": "nginx",
    "action.command": ["df", "-P", "/"], "metadata.command": ["df", "-P", "/"], "oc": {"verb": "rollout restart"},
    "action.http": {"method": "POST", "url": "/restart"}, "metadata.http": {"method": "POST", "url": "/restart"},
    "check": {"http": {"url": "http://localhost:8080/health"}}, "description": "Restart a service", "controller": "web",
    "parameters": {"service": {"type": "string", "pattern": "^[a-z0-9-]+$"}}, "required": ["service"], "payload_parameters": ["service"],
    "impact": "medium", "tags": ["web"], "events": ["restart_service"],
    "verify": {"check": {"http": {"url": "http://localhost:8080/health"}}, "within": "2 minutes"}, "escalate": [{"action": "reboot"}],
    "action.retries": {"times": 2}, "metadata.retries": {"times": 2}, "ramp": {"first": 1, "limit": 10}, "Verify.action": "check_health",
    "Verify.parameters": {"service": "{{ parameters.service }}"}, "resolved_within": "15 minutes", "Escalate.action": "reboot",
    "Escalate.parameters": {"reason": "{{ parameters.service }}"}, "times": 2, "replicas": 3, "grace": "30 seconds",
    "ClusterShape.timeout": "5 minutes", "ignore_daemonsets": True, "delete_emptydir_data": True, "force": True,
    "ClusterShape.command": ["nginx", "-s", "reload"], "container": "web", "manifest": "web.yml", "ClusterShape.type": "merge",
    "patch": {"spec": {"replicas": 3}}, "RequestShape.url": "/restart", "query": {"force": "true"}, "headers": {"X-Team": "web"},
    "RequestShape.json": {"service": "{{ parameters.service }}"}, "form": {"service": "nginx"}, "body": "{{ parameters.text }}",
    "success": {"status": [200, "2xx"]}, "idempotency_key": "Idempotency-Key", "Success.status": [200, "2xx"],
    "Success.json": {"state": "done"},
}  # fmt: skip

_PARAMETER: Final[dict[str, Any]] = {
    "type": "string", "description": "which service is restarted", "title": "service", "format": "hostname",
    "pattern": "^[a-z0-9-]{1,64}$", "minimum": 1, "maximum": 100, "exclusiveMinimum": 0, "exclusiveMaximum": 100, "minLength": 1,
    "maxLength": 64, "minItems": 1, "maxItems": 10, "minProperties": 1, "maxProperties": 10, "additionalProperties": False,
    "items": {"type": "string"}, "contains": {"const": "web"}, "not": {"const": "root"}, "if": {"type": "integer"},
    "then": {"minimum": 1}, "else": {"minLength": 1}, "propertyNames": {"pattern": "^[a-z]+$"}, "contentSchema": {"type": "object"},
    "allOf": [{"minLength": 1}], "anyOf": [{"type": "string"}, {"type": "integer"}], "oneOf": [{"type": "string"}, {"type": "integer"}],
    "prefixItems": [{"type": "string"}], "properties": {"name": {"type": "string"}},
    "patternProperties": {"^[a-z]+$": {"type": "string"}}, "$defs": {"name": {"type": "string"}},
    "definitions": {"name": {"type": "string"}}, "dependentSchemas": {"to": {"required": ["from"]}}, "default": "nginx",
    "enum": ["nginx", "postgresql"], "required": ["name"], "uniqueItems": True,
}  # fmt: skip

_CONTROLLERS: Final[dict[str, Any]] = {
    "controllers.controllers": {"local": {"type": "local", "inventory": "inventory/"}}, "controllers.default": "local",
    "controller.type": "local", "targets": ["group:web"], "controller.actions": ["restart_service"], "inventory": "inventory/",
    "Allowed.url": "https://api.example.org/v1", "username": "healer", "Header.value": {"secret": "env:API_TOKEN"}, "memory": "512 MB",
    "cpu": "1 minute", "processes": 200, "open_files": 1024, "file_size": "100 MB", "controller_aap.url": "https://aap.example.org",
    "vault_password": {"secret": "file:/run/secrets/vault"}, "forks": 10, "collections": "collections", "run_on": "web-ssh:bastion",
    "controller_http.allow": ["https://api.example.org/v1"], "controller_http.auth": {"bearer": {"secret": "env:API_TOKEN"}},
    "certificate": "files/client.pem", "key": {"secret": "file:/run/secrets/key"},
    "controllers/Auth.basic": {"username": "healer", "password": {"secret": "env:API_PASSWORD"}},
    "controllers/Auth.header": {"name": "X-Token", "value": {"secret": "env:API_TOKEN"}}, "cwd": "scripts",
    "controller_local.user": "healer", "limits": {"memory": "512 MB", "cpu": "1 minute"}, "namespaces": ["shop"],
    "kinds": ["certificate"], "kubeconfig": {"secret": "file:/run/secrets/kubeconfig"}, "context": "prod",
    "controller_oc.server": "https://api.example.org:6443", "binary": "kubectl", "controller_ssh.user": "healer", "port": 22,
    "key_passphrase": {"secret": "env:KEY_PASSPHRASE"}, "known_hosts": "files/known_hosts", "jump": "healer@bastion:22",
    "config": "files/ssh_config", "interpreters": {".py": "/usr/bin/python3"},
    **{f"controller_{name}.actions": ["restart_service"] for name in ("aap", "ansible", "http", "local", "oc", "ssh")},
}  # fmt: skip

_SLACK: Final = {
    "team": "T02AB",
    "bot_token": {"secret": "env:SLACK_BOT_TOKEN"},
    "app_token": {"secret": "env:SLACK_APP_TOKEN"},
}
_HEALER: Final[dict[str, Any]] = {
    "healer.server": {"host": "127.0.0.1", "port": 8080}, "log": {"level": "INFO", "rotation": "100 MB", "retention": "30 days"},
    "retention": {"journal": "30 days", "runs": "400 days"}, "keys": {"file": "/run/secrets/healer-keys"}, "control": {"group": "oncall"},
    "healer.sources": {"alertmanager": {"healer.webhook": {"path": "alertmanager", "format": "alertmanager", "auth": {"bearer": _TOKEN}}}},
    "activations": [{"name": "web-prod", "rulebook": "web.yml", "vars": {"limit": 3}}],
    "healer.roles": {"oncall": {"permissions": ["runs.read", "pause"], "rulesets": ["web/*"], "targets": ["web01"]}},
    "principals": {"ana": {"roles": ["oncall"], "slack": "T02AB/U7XYZ", "os": "ana", "git": "ana@example.org"}},
    "healer.defaults": {"run_action": {"settle": "60 seconds", "cooldown": "10 minutes"}},
    "policies": [{"name": "production needs a person", "select": {"environment": ["prod"], "impact": ["high"]}, "approval": _ASKED}],
    "inhibit": [{"source": {"alertname": "NodeDown"}, "target": {"alertname": "ServiceDown"}, "equal": ["instance"]}],
    "storm": {"matches": "200 per minute", "calm": "5 minutes"}, "heartbeat": {"url": "https://hc.example.org/ping", "every": "1 minute"},
    "validate": {"checks": [{"name": "who is asked", "select": {"impact": ["high"]}, "require": ["approval", "verify"]}]},
    "Keys.file": "/run/secrets/healer-keys", "socket": "/run/healer/control.sock", "group": "oncall",
    "healer.notifications": {"receivers": {"ops": {"slack": {"channel": "C0123456789"}}}}, "Notifications.channels": {"slack": _SLACK},
    "Notifications.receivers": {"ops": {"slack": {"channel": "C0123456789"}}},
    "Notifications.escalate": {"to": ["boss"], "after": "15 minutes"},
    "at_once": ["needs_approval", "failed"], "grouped": {"succeeded": "5 minutes"}, "Escalation.to": ["boss"], "news": ["needs_approval"],
    "channels.slack": _SLACK, "slack": {"channel": "C0123456789"}, "bot_token": {"secret": "env:SLACK_BOT_TOKEN"}, "team": "T02AB",
    "app_token": {"secret": "env:SLACK_APP_TOKEN"}, "signing_secret": {"secret": "env:SLACK_SIGNING_SECRET"}, "principal": "ana",
    "api_url": "https://slack-proxy.example.org/api/", "channel": "C0123456789",
    "public_url": "https://healer.example.org", "connections_per_address": 256, "Heartbeat.url": "https://hc.example.org/ping",
    "matches": "200 per minute", "reference": "vault:healer/token",
    "Defaults.run_action": {"settle": "60 seconds", "cooldown": "10 minutes"}, "upstream": {"chain_depth": 10},
    "Inhibit.source": {"alertname": "NodeDown"}, "Inhibit.target": {"alertname": "ServiceDown"}, "equal": ["instance"],
    "permissions": ["runs.read", "approvals.decide"], "rulesets": ["web/*"], "Role.actions": ["restart_service"],
    "Person.roles": ["oncall"], "Person.slack": "T02AB/U7XYZ", "Person.slack_group": "T02AB/S0123ABC",
    "os": "ana", "git": "ana@example.org", "email": "ana@example.org",
    "Policy.name": "production needs a person", "Policy.select": {"environment": ["prod"], "impact": ["high"]},
    "Select.environment": ["prod"], "Select.impact": ["medium", "high"], "Select.actions": ["restart_service"],
    "Select.rules": ["web/restart"], "Select.sources": ["alertmanager"], "Select.severity": ["critical"],
    "Select.labels": {"team": "web"}, "Check.name": "who is asked", "Check.select": {"impact": ["high"]},
    "require": ["approval", "verify"], "Check.message": "what is risky is asked about", "Validation.severity": {"no-brake": "error"},
    "ignore_paths": ["rulebooks/old/*"], "checks": [{"name": "who is asked", "require": ["approval"]}], "activation.name": "web-prod",
    "rulebook": "web.yml", "vars": {"limit": 3}, "vars_files": ["vars/prod.yml"], "env": {"HTTPS_PROXY": "http://proxy:3128"},
    "activation.inventory": "inventory/prod", "activation.mode": "observe", "activation.sources": {"alerts": "alertmanager"},
    "compat": "upstream",
}  # fmt: skip

_STEPS: Final = [{"event": {"alert": {"name": "DiskFull", "target": "web01", "key": "k1", "status": "firing"}}}]
_EXPECTED: Final = [{"at": "0s", "runs": [{"action": "clean_disk", "target": "web01", "status": "succeeded"}]}]
_TESTS: Final[dict[str, Any]] = {
    "tests": [{"name": "a full disk is cleaned", "steps": _STEPS, "expect": _EXPECTED}], "steps": _STEPS, "expect": _EXPECTED,
    "Step.approve": {"by": "ana"}, "Step.reject": {"by": "ana"}, "Step.silence": {"matchers": ["target=web01"], "for": "2h"},
    "Step.pause": {"scope": "all"}, "Step.resume": {"scope": "all"}, "Step.outcome": {"action": "clean_disk", "status": "failed"},
}  # fmt: skip

EXAMPLES: Final[dict[str, Any]] = {
    **_GATES, **_RULEBOOK, **_SOURCES, **_MAPPINGS, **_ACTIONS, **_CONTROLLERS, **_HEALER, **_TESTS,
    **{f"parameter.{key}": value for key, value in _PARAMETER.items()},
}  # fmt: skip
