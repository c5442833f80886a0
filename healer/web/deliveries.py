"""What a delivery says of itself in its headers: its id (so that a second one starts nothing), and what may be journaled of the rest.

Used by `ingest` and `hooks`. No header that holds a credential or proves one reaches the journal.
"""

from __future__ import annotations

import functools
import re
import urllib.parse
from collections.abc import Collection
from typing import Final

import multidict
from aiohttp import web

from healer import errors, intake

ID_MAX: Final = 256
HEADERS_MAX: Final = 50
VALUE_MAX: Final = 1024
ALL_MAX: Final = 8 << 10
KEY_HEADER: Final = "Idempotency-Key"
SENDERS_HEADERS: Final = tuple(map(multidict.istr, (
    KEY_HEADER, "X-GitHub-Delivery", "X-Gitlab-Event-UUID", "webhook-id", "svix-id", "X-Amz-Sns-Message-Id",
)))  # fmt: skip
_CLOUDEVENTS_ID: Final = multidict.istr("ce-id")
_ID: Final = re.compile(rf"[ -~]{{1,{ID_MAX}}}")
_SECRET: Final = re.compile(
    r"auth|cookie|signature|token|secret|pass|credential|security|session|api-?key|access-?key|jwt|hmac|x-hub|dpop|-key$"
)


class KeyReused(errors.RequestError):
    """the Idempotency-Key {key!r} came before with another body, as {first}"""

    code = "idempotency-key-reused"
    status = 409


def of_caller(request: web.BaseRequest, actor: str) -> str:
    """The id of a request to the API by its `Idempotency-Key`: each caller has keys of its own. '' for none."""
    if request.headers.get(KEY_HEADER) == "":
        raise errors.InvalidField(
            field=KEY_HEADER, detail=f"1 to {ID_MAX} printable ASCII characters are wanted, got none"
        )
    key = named_by(request, KEY_HEADER)
    return f"{actor}\x1f{key}" if key else ""


def checked(taken: intake.Accepted, delivery: str) -> None:
    """Raise `KeyReused` where a request came under the id of another one: nothing of it was taken."""
    if taken.conflict:
        key = delivery.partition("\x1f")[2]
        raise KeyReused("a new request needs a new key", key=key, first=taken.ids[0])


def named_by(request: web.BaseRequest, wanted: str | None, own: tuple[str, ...] = ()) -> str:
    """The delivery's id: of the header `wanted`, else of the first known one (those of the sender's format, `own`, before all), else a
    CloudEvents source and id; '' for none.

    Raises `errors.InvalidField` for one that cannot be kept.
    """
    headers = request.headers
    for name in (wanted,) if wanted else (*own, *SENDERS_HEADERS):
        if name not in headers:
            continue
        values = headers.getall(name)
        if len(values) > 1:
            raise errors.InvalidField(field=name, detail="the header is there twice")
        if values[0]:
            if not _ID.fullmatch(values[0]):
                raise errors.InvalidField(field=name, detail=f"1 to {ID_MAX} printable ASCII characters are wanted")
            return values[0]
    if not wanted and _CLOUDEVENTS_ID in headers:
        made = f"{headers.get('ce-source', '')}#{headers[_CLOUDEVENTS_ID]}"
        return made if _ID.fullmatch(made) else ""
    return ""


@functools.lru_cache(1_000)
def _plain_name(name: str) -> str:
    """In lower case; '' where what it holds may be a credential."""
    lower = name.lower()
    return "" if _SECRET.search(lower) else lower


def headers_of(
    request: web.BaseRequest, without: frozenset[str] = frozenset(), secrets: Collection[str] = ()
) -> dict[str, str]:
    """The headers that a rule may see: lower case, without credentials and those of `without`, as many and as long as can be kept.

    `secrets`: what proved the delivery; proxies repeat that in headers of many names, which are left out.
    """
    kept: dict[str, str] = {}
    room = ALL_MAX
    first, *more = secrets or ("",)
    for name, value in request.headers.items():
        lower = _plain_name(name)
        if not lower or lower in without or lower in kept:
            continue
        if (first and first in value) or (more and any(map(value.__contains__, more))):
            continue
        if first and "%" in value and any(map(urllib.parse.unquote(value).__contains__, secrets)):
            continue  # a sender may escape what need not be
        text = value[:VALUE_MAX]
        if not text.isascii() or "\0" in text:
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "")
        room -= len(lower) + len(text)
        if room < 0 or len(kept) >= HEADERS_MAX:
            break
        kept[lower] = text
    return kept
