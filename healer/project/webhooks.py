"""What is told of a webhook that is no mistake, and that its operator should know. Caller: `sources`."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final

from healer import config
from healer.project.settings import Settings

UNNAMED: Final = "auto"
"""The format of a sender of which it is not said yet."""
PRODUCTION: Final = re.compile(r"(.*[-_.])?prod(uction)?([-_.].*)?", re.IGNORECASE)
"""Words for `environment` behind which nobody only tries something."""


def tell(
    document: config.Document, args: Any, options: Any, at: config.Mark | None, settings: Settings | None, *, resolves: bool
) -> None:  # fmt: skip
    """The warnings and hints of one: `args` as written, `options` as read. `resolves`: whether its sender says when an alert is over."""
    marks = args.values_at if isinstance(args, config.Map) else {}
    if options.format == UNNAMED and settings is not None and PRODUCTION.fullmatch(settings.environment):
        message = "format: auto is for finding out who sends: bodies are read as generic reads them"
        likely = "name the sender's format; healer sources show NAME says a likely one"
        document.warning("format-auto", message, marks.get("format"), likely)
    if options.auth.none and not options.allow_from and settings is not None and _is_open(settings.server.host):
        message = f"anybody who reaches {settings.server.host} may deliver here, and rules act on it"
        document.warning("open-hook", message, marks.get("auth", at), "auth: {bearer: {secret: …}}, or allow_from: […]")
    if not resolves and options.alert_ttl is None:
        name = options.format if options.mapping is None else "this mapping"
        message = f"nobody says when an alert of {name} is over: one is closed 24 hours after it was last heard of"
        document.diagnostic("hint", "never-resolved", message, marks.get("format", at), "alert_ttl: 1 hour")


def _is_open(host: str) -> bool:
    """Whether others than this machine reach an address."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
