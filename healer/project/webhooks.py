"""What is told of a webhook that is no mistake, and that its operator should know. Caller: `sources`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import config, plugins
from healer.project.settings import Settings

UNNAMED: Final = "auto"
"""The format of a sender of which it is not said yet."""
PRODUCTION: Final = re.compile(r"(.*[-_.])?prod(uction)?([-_.].*)?", re.IGNORECASE)
"""Words for `environment` behind which nobody only tries something."""
ANYBODYS: Final = (UNNAMED, "generic", "cloudevents")
"""Formats that anybody may send: nothing is known of what they can do."""
EVERYBODYS: Final = frozenset({"none", "url_token"})
"""Whoever sends to a URL can do these."""
ALSO: Final[Mapping[str, frozenset[str]]] = {
    "bearer": frozenset({"header"}), "header": frozenset({"bearer", "basic"}),
    **dict.fromkeys(("github", "grafana", "pagerduty", "sentry"), frozenset({"hmac"})),
}  # fmt: skip
"""Who can do the one can do these too, or does the same by another name: a doubt is in favour of what is written."""
UNSAID: Final = ("bearer",)
"""What a format has that says nothing of it."""


def tell(
    document: config.Document, args: Any, options: Any, at: config.Mark | None, settings: Settings | None, *, resolves: bool,
    form: object = None,
) -> None:  # fmt: skip
    """The warnings and hints of one: `args` as written, `options` as read. `resolves`: whether its sender says when an alert is over;
    `form`: the format that it names, where that is one."""
    marks = args.values_at if isinstance(args, config.Map) else {}
    if options.format == UNNAMED and settings is not None and PRODUCTION.fullmatch(settings.environment):
        message = "format: auto is for finding out who sends: bodies are read as generic reads them"
        likely = "name the sender's format; healer sources show NAME says a likely one"
        document.warning("format-auto", message, marks.get("format"), likely)
    if options.auth.none and not options.allow_from and settings is not None and _is_open(settings.server.host):
        message = f"anybody who reaches {settings.server.host} may deliver here, and rules act on it"
        document.warning("open-hook", message, marks.get("auth", at), "auth: {bearer: {secret: …}}, or allow_from: […]")
    if known := _mismatch(options, form):
        whose = f"the format {options.format}" if options.mapping is None else "the format of this mapping"
        theirs, ours = " or ".join(known), options.auth.kind
        message = (
            f"who sends in {whose} is known to prove itself by {theirs}, and not by {ours}: what cannot is refused"
        )
        likely = f"auth: {{{known[0]}: …}}; healer sources show NAME says what is entered at its side"
        document.warning("auth-mismatch", message, marks.get("auth", at), likely)
    if not resolves and options.alert_ttl is None:
        name = options.format if options.mapping is None else "this mapping"
        message = f"nobody says when an alert of {name} is over: one is closed 24 hours after it was last heard of"
        document.diagnostic("hint", "never-resolved", message, marks.get("format", at), "alert_ttl: 1 hour")


def _mismatch(options: Any, form: object) -> Sequence[str]:
    """How the senders of a format prove themselves, where they are not known to do it as the source wants it; else nothing."""
    if options.mapping is not None:
        known: Sequence[str] = options.mapping.auth if "auth" in options.mapping.model_fields_set else ()
    else:
        said = form.auth if isinstance(form, plugins.Format) and options.format not in ANYBODYS else UNSAID
        known = () if tuple(said) == UNSAID else said
    able = EVERYBODYS.union(known, *(ALSO.get(kind, ()) for kind in known))
    return known if known and options.auth.kind not in able else ()


def _is_open(host: str) -> bool:
    """Whether others than this machine reach an address."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
