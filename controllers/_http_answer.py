"""What an answer means to `http`: whether it is the success that the catalog describes, and what of it the run is told. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from healer import model
from healer.controllers import _http_door, _http_record, _http_request, _shimmed

TEXT_MAX: Final = 4_000
PASSING: Final = frozenset({429, 502, 503, 504})
BETWEEN: Final = frozenset({502, 504})
"""Told by what stands between, which does not know what became of the request."""
RETRY_AFTER_MAX_S: Final = 300.0
HEADERS: Final = ("content-type", "location", "retry-after", "etag", "x-request-id", "request-id")
_HEADER_MAX: Final = 300
_MISSING: Final = object()


def judged(
    request: _http_request.Request, shown: str, wanted: Mapping[str, Any], answer: _http_door.Answer
) -> _http_record.End:
    """How a request ended that was answered. `shown`: what it is called; `wanted`: `success` of the catalog."""
    named = _is_named(answer.status, wanted["status"])
    made = _made(answer) if named and wanted["json"] else None
    why = "" if not named else _unmet(answer, wanted["json"], made) if wanted["json"] else ""
    said = _shimmed.one_line(f"{answer.status} {answer.reason}")
    state: model.EndState = "succeeded" if named and not why else "failed"
    if not named:
        why = _refused(answer)
        if answer.status in BETWEEN and not request.safe:
            state, why = "unknown", f"{why + '; ' if why else ''}whether it was done is not known"
    summary = _shimmed.one_line(f"{shown}: {said}" + (f": {why}" if why else ""))
    return _http_record.End(state, summary, _result(answer), truncated=answer.truncated)


def retry_after_s(answer: _http_door.Answer) -> float:
    """Seconds of a Retry-After that is a number (RFC 9110, 10.2.3); 0 for none."""
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text[:9]), RETRY_AFTER_MAX_S) if text.isascii() and text.isdecimal() else 0.0


def passes(answer: _http_door.Answer, wanted: Mapping[str, Any]) -> bool:
    """Whether it may be another one a little later."""
    return answer.status in PASSING and not _is_named(answer.status, wanted["status"])


def _is_named(status: int, wanted: list[Any]) -> bool:
    return status in wanted or f"{status // 100}xx" in wanted


def _refused(answer: _http_door.Answer) -> str:
    if 300 <= answer.status < 400:
        to = answer.headers.get("location", "").partition("?")[0]
        return f"a redirect to {to[:200]!r}, which is not followed"
    if "html" in answer.headers.get("content-type", ""):
        return ""
    said: str = _shimmed.one_line(answer.body[:TEXT_MAX].decode("utf-8", "replace"))
    return said


def _made(answer: _http_door.Answer) -> Any:
    """The body as JSON; `_MISSING` where it is none."""
    if answer.truncated or _encoded(answer):
        return _MISSING
    try:
        made = json.loads(answer.body)
        return _MISSING if _shimmed.is_deep(made) else made
    except (ValueError, RecursionError):
        return _MISSING


def _unmet(answer: _http_door.Answer, wanted: Mapping[str, Any], made: Any) -> str:
    """Which field of the answer has not the value that is wanted."""
    if made is _MISSING:
        why = f"it has more than {_http_door.BODY_BYTES_MAX >> 20} MiB" if answer.truncated else "it is no JSON"
        return f"its fields cannot be looked at: {why}"
    for path, value in wanted.items():
        got = _field(made, path)
        if got is _MISSING:
            return f"it has no field {path}"
        if _canonical(got) != _canonical(value):
            return f"{path} is {_short(got)}, and {_short(_shimmed.hide(value))} is wanted"
    return ""


def _field(value: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdecimal() and int(part[:9]) < len(value):
            value = value[int(part[:9])]
        else:
            return _MISSING
    return value


def _canonical(value: Any) -> str:
    """Equal for what is equal in JSON: 1 is not true, 1.0 is 1."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(_shimmed.reveal(value), sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _result(answer: _http_door.Answer) -> dict[str, Any]:
    headers = {
        name: _shimmed.one_line(answer.headers[name][:_HEADER_MAX]) for name in HEADERS if name in answer.headers
    }
    found: dict[str, Any] = {"status": answer.status, "headers": headers}
    if not answer.body:
        return found
    whole = len(answer.body) <= _shimmed.RESULT_BYTES_MAX and not answer.truncated and not _encoded(answer)
    made = _shimmed.sound_json(answer.body) if whole else None
    if made is not None or answer.body.strip() == b"null":
        return {**found, "json": made}
    if _encoded(answer):
        return {**found, "text": f"({len(answer.body)} bytes that are compressed, which was not asked for)"}
    return {**found, "text": answer.body[:TEXT_MAX].decode("utf-8", "replace").replace("\0", "\ufffd")}


def _encoded(answer: _http_door.Answer) -> bool:
    return answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
