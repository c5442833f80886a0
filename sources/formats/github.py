"""GitHub's webhooks of repositories and organisations: which event it is says the header X-GitHub-Event. One event a delivery.

Used by `healer.webhook: {format: github}`. Shapes: https://docs.github.com/en/webhooks/webhook-events-and-payloads. What runs again and
again under one name (a workflow on a branch, a check, a deployment to an environment) fires when it fails and is over when it next
succeeds; alerts of code scanning, Dependabot and secrets fire until they are fixed or dismissed. Anything else is an event. How these are
read stands in `_github_events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import errors, plugins
from healer.formats import _github_events, _part, _words

HEADER: Final = "x-github-event"
PING: Final = "ping"

_KNOWN_BY: Final = {
    **dict.fromkeys(("workflow_run", "workflow_job", "check_run", "check_suite", "deployment_status"), ""),
    "zen": PING, "pusher": "push", "context": "status",
}  # fmt: skip
"""A field by which a body without the header is known -> the event; '' for the field's own name."""


def read(body: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element with the whole body as `event.payload`. Raises `errors.InvalidField`, which names the path."""
    whole = _part.whole(body)
    event = _event(whole.values, headers)
    if not event:
        raise errors.InvalidField(
            field=HEADER, detail="the header is wanted: the body is none of those that are known without"
        )
    repository, action = whole.part("repository"), whole.text("action")
    place = repository.text("full_name") or whole.part("organization").text("login")
    found = _github_events.read(event, whole, place)
    labels = {"event": event, "action": action, **found.pop("labels", {})}
    found["labels"] = {name: value for name, value in labels.items() if value}
    alert = _part.alert(**{"name": f"{event}.{action}" if action else event, "target": place} | found)
    return [plugins.Element({"payload": body, "alert": alert})]


def greeting(body: Any, headers: Mapping[str, str] = plugins.NO_HEADERS) -> plugins.Greeting | None:
    """The ping after a webhook was made."""
    if not isinstance(body, Mapping) or _event(body, headers) != PING:
        return None
    number = _words.first(body, ("hook_id",))
    return plugins.Greeting(f"GitHub's ping of webhook {number}" if number.isdecimal() else "GitHub's ping")


def _event(body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    said = headers.get(HEADER, "")
    return said or next((event or name for name, event in _KNOWN_BY.items() if body.get(name)), "")


SETUP = """The repository or organisation -> Settings -> Webhooks -> Add webhook:
  Payload URL: HOOK_URL
  Content type: application/json            (the other one is no JSON)
  Secret: SECRET                            (for `auth: {github: …}`)
  Which events: Workflow runs, Deployment statuses … those that rules are about
"""
FORMAT = plugins.Format(
    "github", resolves=True, read=read, fields=("payload.*",), greeting=greeting, setup=SETUP, auth=("github", "url_token"),
    marks=("header:x-github-event",),
)  # fmt: skip
