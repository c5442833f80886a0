"""Any JSON object as one event: the body under `payload`, and an alert made of the names that senders usually take.

Used by `healer.webhook` without a `format`. The names are looked for at the top of the body (and before that in its own
`alert` object, if it has one), in the order of the table, without regard to case, `_` and `-`. A body that has no word
of a lifecycle gets the status `event`, so that nothing is opened that nobody would close.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from healer import plugins
from healer.formats import _words

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("alertname", "name", "title", "check", "checkname", "rule", "rulename", "service", "eventtype", "type"),
    "target": ("target", *_words.TARGET_LABELS, "resource"),
    "status": ("status", "state", "alertstatus", "alertstate"),
    "severity": ("severity", "level", "priority", "urgency"),
    "key": ("key", "fingerprint", "dedupkey", "incidentkey", "incidentid", "alertid", "id"),
    "started_at": ("startedat", "startsat", "starttime", "timestamp", "time", "createdat", "date"),
    "summary": ("summary", "message", "description", "text", "title"),
    "link": ("link", "url", "htmlurl", "generatorurl"),
}


def read(body: Any, _headers: Mapping[str, str] = plugins.NO_HEADERS) -> list[plugins.Element | plugins.Wrong]:
    """One element. Raises `errors.InvalidField` for a name, target, status or key that cannot be one (too long)."""
    body = _words.an_object("body", body)
    own = body.get("alert")
    own = own if isinstance(own, Mapping) else {}
    found = _found({**_words.plainly(body), **_words.plainly(own)}, body)
    return [plugins.Element({"payload": body, "alert": _words.fill("alert", own, found)})]


def _found(values: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    word = {name: _words.first(values, names) for name, names in NAMES.items()}
    for name in ("name", "target", "status"):
        _words.text(name, word[name])
    raw = word["severity"] or word["status"]
    return {
        "name": word["name"],
        "target": word["target"],
        "status": _words.status(word["status"]),
        "severity": _words.severity(raw),
        "severity_raw": raw,
        "key": _key(word, body),
        "started_at": word["started_at"],
        "summary": word["summary"],
        "link": word["link"],
        "labels": _words.flat(values.get("labels")),
    }


def _key(word: Mapping[str, str], body: Mapping[str, Any]) -> str:
    if word["key"]:
        return str(_words.key(word["key"]))
    if word["name"]:  # a target alone would make one alert of all that is wrong with it
        return str(_words.key(word["target"], word["name"]))
    return str(_words.digest(body))


FORMAT = plugins.Format(
    "generic", resolves=False, read=read, fields=("payload.*",), auth=("bearer", "basic", "hmac", "header", "url_token")
)
