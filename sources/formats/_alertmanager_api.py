"""Alertmanager's API, version 2: which alerts fire there, and since when it runs.

Used by the format beside it. Shape: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (`gettableAlerts`,
`alertmanagerStatus`). Alerts that have ended are not in its answer. Its times have milliseconds, those of its webhook nanoseconds.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from healer import errors, model
from healer.formats import _words

ALERTS: Final = "/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true"
STATUS: Final = "/api/v2/status"
STATES: Final = ("active", "suppressed", "unprocessed")
READY: Final = ("ready", "disabled")
"""States of its cluster: in any other it may not know all alerts yet. `disabled`: it is alone."""
COPIED: Final = ("labels", "annotations", "startsAt", "generatorURL", "fingerprint")
"""What an alert has both here and in a delivery."""

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MS: Final = datetime.timedelta(milliseconds=1)


@functools.lru_cache(1_000)
def moment(text: str) -> str:
    """A time as both the webhook and the API would write it: UTC, milliseconds, the rest cut off. What is no time stays as it is."""
    at = _at(text)
    try:
        return text if at is None else at.astimezone(datetime.UTC).isoformat(timespec="milliseconds")[:23] + "Z"
    except OverflowError:  # the year 0
        return text


def read(answer: Any) -> Iterator[model.Fires]:
    """The alerts that fire, one by one. Raises `errors.InvalidField`: one that is broken makes the whole answer so."""
    if not isinstance(answer, list):
        raise errors.InvalidField(field="the answer", detail=f"a list of alerts is wanted, got {_words.kind(answer)}")
    for index, alert in enumerate(answer):
        yield _fires(f"[{index}]", alert)


def _fires(field: str, alert: Any) -> model.Fires:
    if not isinstance(alert, Mapping):
        raise errors.InvalidField(field=field, detail=f"an object is wanted, got {_words.kind(alert)}")
    labels = _words.texts(f"{field}.labels", alert.get("labels"))
    status, key = alert.get("status"), _words.text(f"{field}.fingerprint", alert.get("fingerprint"))
    state = status.get("state") if isinstance(status, Mapping) else None
    if state not in STATES:
        raise errors.InvalidField(field=f"{field}.status.state", detail=f"one of {', '.join(STATES)} is wanted")
    if not key or not labels:
        raise errors.InvalidField(field=field, detail="a fingerprint and labels are wanted")
    receivers = alert.get("receivers")
    names = [one.get("name") for one in receivers if isinstance(one, Mapping)] if isinstance(receivers, list) else []
    since = _at(_words.text(f"{field}.startsAt", alert.get("startsAt")))
    return model.Fires(
        keys=(key, _words.digest(labels)), told=state == "active",
        receivers=tuple(name for name in names if isinstance(name, str)),
        since_us=None if since is None else (since - _EPOCH) // _MS * 1000,
        alert={name: alert[name] for name in COPIED if name in alert},
    )  # fmt: skip


def up_since_us(answer: Any) -> int | None:
    """When it started. None while its cluster settles. Raises `errors.InvalidField`."""
    if not isinstance(answer, Mapping):
        raise errors.InvalidField(field="the answer", detail=f"an object is wanted, got {_words.kind(answer)}")
    cluster, told = answer.get("cluster"), answer.get("uptime")
    at = _at(told) if isinstance(told, str) else None
    if at is None or not isinstance(cluster, Mapping):
        raise errors.InvalidField(
            field="uptime", detail="the time of its start and the state of its cluster are wanted"
        )
    return (at - _EPOCH) // _MS * 1000 if cluster.get("status") in READY else None


def _at(text: str) -> datetime.datetime | None:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
