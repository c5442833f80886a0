"""Nagios's notifications, as a notification command posts its macros: one event each, about a service or a host.

Used by `healer.webhook: {format: nagios}`, also of Naemon and Icinga 1. Nagios has no webhook of its own, so the names in the body are
the operator's: the macros (`HOSTNAME`, `NAGIOS_HOSTNAME`) or what well-known scripts make of them, without regard to case, `_`, `-`, `.`
and blanks. Macros: https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _part, _words

PREFIX: Final = "nagios"
"""Of its environment macros."""
HOST: Final = "Host"
"""The name of the alert where a host itself is meant and no service of it."""
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "target": ("hostname", "host"),
    "name": ("servicedesc", "servicedescription", "servicename", "service"),
    "type": ("notificationtype", "type"),
    "title": ("title", "subject"),
    "state": ("servicestate", "hoststate", "state", "status"),
    "summary": ("serviceoutput", "hostoutput", "output", "additionalinfo", "info", "message"),
    "link": ("serviceactionurl", "hostactionurl", "servicenotesurl", "hostnotesurl", "url", "link"),
}
TIMES: Final = ("timet", "longdatetime", "shortdatetime", "datetime", "timestamp", "time", "notification", "date")
TOLD: Final = {"PROBLEM": "firing", "RECOVERY": "resolved"}
"""`NOTIFICATIONTYPE` and what it means; the others are events: acknowledgements, flapping, downtimes, what people write."""
EVENTS: Final = (
    "ACKNOWLEDGEMENT", "FLAPPINGSTART", "FLAPPINGSTOP", "FLAPPINGDISABLED", "DOWNTIMESTART", "DOWNTIMEEND", "DOWNTIMECANCELLED", "CUSTOM",
)  # fmt: skip
UNSURE: Final = ("unknown", "unreachable")
"""States of which Nagios itself says that nothing is known: the check could not look, or what lies before the host is down."""
LABELS: Final = ("hostaddress", "ip", "hostalias", "hostgroupname", "servicegroupname", "contactname")

_SEVERITIES: Final = {"up": "info", "down": "critical"}


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`."""
    plain = _words.plainly(_part.whole(body).values)
    values = _part.Part("", {name.removeprefix(PREFIX): value for name, value in plain.items()})
    word = {name: values.line(*names) for name, names in NAMES.items()}
    if not word["target"]:
        raise errors.InvalidField(field="HOSTNAME", detail="the name of a host is wanted, got nothing")
    state = word["state"].strip().lower()
    alert = _part.alert(
        _words.key(word["target"], word["name"]),
        name=word["name"] or HOST,
        target=word["target"],
        status=_status(word["type"], word["title"], state),
        severity=_SEVERITIES.get(state) or _words.severity(state),
        severity_raw=word["state"],
        started_at=values.when(*TIMES),
        summary=word["summary"] or word["title"],
        link=word["link"],
        labels=values.flat(*LABELS),
    )
    return [plugins.Element({"payload": body, "alert": alert})]


def _status(kind: str, title: str, state: str) -> str:
    """By the type of the notification, which may stand in the title alone; without one by the state."""
    said = [word for word in (kind.upper() or title).split() if word in TOLD or word in EVENTS][:1]
    if said and said[0] in EVENTS:
        return "event"
    status = TOLD[said[0]] if said else _words.status(state)
    return "unknown" if state in UNSURE and status == "firing" else status


FIELDS = ("payload.*",)
SETUP = r"""/usr/local/bin/notify-healer (no text of a check ever is a part of a command that way; it needs jq):
  #!/bin/sh
  jq -n 'env | with_entries(select(.key | test("^NAGIOS_(NOTIFICATIONTYPE|TIMET|(HOST|SERVICE)(NAME|DESC|STATE|OUTPUT))$")))' |
    curl -fsS --retry 8 --retry-connrefused -H "Authorization: Bearer $(cat TOKEN_FILE)" -H 'Content-Type: application/json' \
      --data-binary @- HOOK_URL
nagios.cfg: enable_environment_macros=1
define command {
  command_name  notify-healer      # a contact's service_notification_commands and host_notification_commands
  command_line  /usr/local/bin/notify-healer
}
Recoveries have to be told too: `r` in the notification_options of the contact, the hosts and the services.
"""
FORMAT = plugins.Format(
    "nagios", resolves=True, read=read, fields=FIELDS, setup=SETUP, auth=("bearer", "basic", "header", "hmac", "url_token"),
    marks=("NAGIOS_HOSTNAME", "NAGIOS_NOTIFICATIONTYPE"),
)  # fmt: skip
