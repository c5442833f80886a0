"""What is entered at a sender's side: the address of a hook, how its sender proves itself, and the block of its format.

Used by `sources`. No secret is ever looked up here: where one belongs it is said which reference it is.
"""

from __future__ import annotations

import re
import socket
from typing import Any, Final

from healer import plugins
from healer.web.services import Services

PLAIN: Final = "POST a body (Content-Type: application/json) to  HOOK_URL\n"
"""Of a format that says nothing of its sender's side."""
TOKEN: Final = "<token>"  # noqa: S105 - a word that stands for one
_ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not listened on
_WORDS: Final = re.compile(r"(?<![\w$])(?:HOOK_URL(?:/TOKEN)?|TOKEN_FILE|TOKEN|SECRET)(?!\w)")
_OPEN: Final = "<nothing, since the hook asks for none>"
_PATHS: Final = {"healer.webhook": "/hooks/", "healer.api": "/events", "healer.events": "/webhook"}
_PROOFS: Final = {
    "bearer": "the header  Authorization: Bearer {value}",
    "basic": "HTTP Basic: the user {user}, the password {value}",
    "header": "the header  {name}: {value}",
    "hmac": "the header  {header}: {prefix}HMAC-{algorithm} ({encoding}){timed}, of the key {value}",
    "gitlab": "the secret token, or a signature of the signing token: {value}",
    "grafana": "an HMAC signature in the header {header}{timed}, of the secret {value}",
    "sns": "the signature of Amazon SNS, for the topics of the source",
    "url_token": "the end of the URL: {token} is {value}",
    "none": "nothing: whoever reaches the port may send",
}
_SIGNED: Final = "a signature, of the secret {value}"
"""Of all others: where it stands is the sender's own."""


def base(services: Services) -> tuple[str, bool]:
    """What senders reach the daemon by, without a slash at its end; and whether `server.public_url` says so."""
    public = services.revision().settings.server.public_url
    if public:
        return public.rstrip("/"), True
    host, port = services.listens()
    host = socket.gethostname() if host in _ANY else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}", False


def url(at: str, kind: str, options: Any) -> str | None:
    """The address of a source of this type; None for one that nobody delivers to. A token that belongs there is a word."""
    path = _PATHS.get(kind)
    if path is None or (kind == "healer.webhook" and options is None):
        return None
    if kind != "healer.webhook":
        return at + path
    return f"{at}{path}{options.path}" + (f"/{TOKEN}" if options.auth.kind == "url_token" else "")


def proof(auth: Any) -> str:
    """How a sender proves itself, in a line for who sets it up; `auth`: that of a webhook's options."""
    said = getattr(auth, auth.kind)
    of = {name: getattr(said, name, "") for name in ("user", "name", "header", "prefix", "algorithm", "encoding")}
    return _PROOFS.get(auth.kind, _SIGNED).format(value=_value(auth), token=TOKEN, timed=_timed(auth.kind, said), **of)


def _timed(kind: str, said: Any) -> str:
    """What is signed beside the body, and where it stands."""
    header = getattr(said, "timestamp", None)
    if kind == "hmac" and header:
        return f" of the time (seconds since 1970, in the header {header}), {said.separator!r} and the body"
    return f", with the time in the header {header} (Timestamp header of the contact point)" if header else ""


def setup(form: plugins.Format, address: str, auth: Any) -> str:
    """The block of a format for this hook, in the words of the sender's own side."""
    value = _value(auth)
    words = {"TOKEN": value, "SECRET": value, "TOKEN_FILE": f"<a file with {value.strip('<>')}>"}
    if auth.kind in ("none", "sns"):
        words["TOKEN_FILE"] = value
    return _WORDS.sub(lambda found: words.get(found[0], address), form.setup or PLAIN)


def _value(auth: Any) -> str:
    """Where the secret has to be entered: which one it is."""
    named = " or ".join(one.secret for one in auth.secrets)
    return f"<the value of {named}>" if named else _OPEN
