"""Whether a delivery comes from the sender of its hook: `auth` of `healer.webhook`, done. Pure apart from the secrets it is handed.

`hooks` opens the secrets (`opened`), reads the body where it is needed (`needs_body`) and asks `verify`. Amazon SNS, whose certificate
has to be fetched, is proved by `sns`. Rules of all schemes: over the bytes as they came; in constant time; a header that is missing, there
twice, empty, not ASCII or of a wrong form is refused; every secret is tried; an empty one refuses everybody.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import multidict

from healer import errors, model
from healer.web import evidence, signing
from healer.web.evidence import Given, Headers, Unproved

__all__ = ["Given", "Headers", "Unproved", "needs_body", "opened", "proof_headers", "signed_id", "verify"]

AUTHORIZATION: Final = multidict.istr("Authorization")
GITLAB: Final = "X-Gitlab-Token"
BODILESS: Final = frozenset({"none", "bearer", "basic", "header", "url_token"})
AS_THEY_ARE: Final = BODILESS - {"none"} | {"gitlab"}
NO_MATCH: Final = "the token does not match"
_TOKEN: Final = re.compile(rb"[!-~]{1,512}")
_IN_HEADER: Final = re.compile(rb"[!-~](?:[ -~]{0,1022}[!-~])?")
_IN_URL: Final = re.compile(rb"[A-Za-z0-9._~-]{1,512}")
"""What stands in a URL as it is (RFC 3986, 2.3), so that nobody escapes it in another way."""

Secrets = Sequence[model.Secret]
Scheme = Callable[[Any, Given, Secrets, float], None]


def verify(auth: Any, given: Given, secrets: Secrets, now_s: float) -> None:
    """Raise `Unproved` unless the delivery is proved. `secrets`: of `opened`; `now_s`: seconds since 1970."""
    kind = auth.kind
    if kind == "none":
        return
    if kind not in _SCHEMES:
        raise Unproved(f"{kind} is not proved by headers")
    if not secrets:
        raise Unproved("there is no secret to prove it with")
    if not (isinstance(secrets, Opened) and secrets.none_empty):
        for secret in secrets:
            evidence.raw(secret)  # one that is empty refuses everybody, whichever would be right
    _SCHEMES[kind](getattr(auth, kind), given, secrets, now_s)


class Opened(tuple[model.Secret, ...]):
    """Secrets that were opened together. `hashed`: what tokens are compared with, made at the first use, by their form."""

    none_empty: bool
    hashed: dict[re.Pattern[bytes], list[bytes]]

    def __new__(cls, secrets: Iterable[model.Secret]) -> Opened:
        """Of these."""
        made = super().__new__(cls, secrets)
        made.none_empty = all(one.reveal() for one in made)
        made.hashed = {}
        return made


def opened(auth: Any, resolve: Callable[[str], model.Secret]) -> Opened:
    """The secrets of `auth`. Raises `Unproved` where one cannot be read: a delivery that is refused comes again, a forged one must not."""
    try:
        return Opened(resolve(one.secret) for one in auth.secrets)
    except errors.SecretUnavailable as error:
        raise Unproved(error.message) from error


def needs_body(auth: Any) -> bool:
    """Whether the body is a part of the proof. Else `verify` can be asked before it is read, with an empty one."""
    return auth.kind not in BODILESS


def sent(auth: Any, secrets: Secrets) -> tuple[str, ...]:
    """The secrets that a proof has in it as they are: nothing that repeats one is to be kept."""
    return tuple([one.reveal() for one in secrets]) if auth.kind in AS_THEY_ARE else ()


def proof_headers(auth: Any) -> frozenset[str]:
    """Headers, in lower case, that hold a proof because the options name them: nothing of them is to be kept."""
    said = getattr(auth, auth.kind)
    names = (getattr(said, key, None) for key in ("name", "header"))
    return frozenset(name.lower() for name in names if isinstance(name, str))


def signed_id(auth: Any, given: Given, secrets: Secrets) -> str:
    """Of a delivery that is proved: the header that names it and is signed, '' for none. No other one may name it: whoever repeats a
    delivery that was overheard can add a header, but cannot change this one."""
    signed = auth.kind == "gitlab" and _is_signed_by_gitlab(given) and any(_gitlab_secrets(secrets)[0])
    return f"{signing.standard_family(given)}-id" if signed or auth.kind == "standard_webhooks" else ""


# --- tokens ---------------------------------------------------------------------------------------------------------------


def _bearer(_said: Any, given: Given, secrets: Secrets, _now_s: float) -> None:
    _compare_tokens(_credentials(given, "Bearer"), secrets, _TOKEN)


def _basic(said: Any, given: Given, secrets: Secrets, _now_s: float) -> None:
    """The text that the sender's side makes is made here too (RFC 7617, in UTF-8): nothing is decoded."""
    user = said.user.encode("utf-8", "surrogateescape") + b":"
    wanted = [base64.b64encode(user + evidence.raw(secret)) for secret in secrets]
    _compare(_credentials(given, "Basic"), wanted, "the user or the password does not match")


def _header(said: Any, given: Given, secrets: Secrets, _now_s: float) -> None:
    _compare_tokens(evidence.header(given, said.name), secrets, _IN_HEADER)


def _url_token(_said: Any, given: Given, secrets: Secrets, _now_s: float) -> None:
    if not given.token:
        raise Unproved("the URL has no token")
    if not given.token.isascii():
        raise Unproved("the token in the URL has a character that is not ASCII")
    _compare_tokens(given.token, secrets, _IN_URL)


def _credentials(given: Given, kind: str) -> str:
    """What stands behind the scheme of `Authorization`, whose case does not count (RFC 9110, 11.1)."""
    scheme, _, credentials = evidence.header(given, AUTHORIZATION).partition(" ")
    if scheme != kind and scheme.lower() != kind.lower():
        raise Unproved(f"{AUTHORIZATION} is not of the kind {kind}")
    return credentials


def _tokens(secrets: Secrets, form: re.Pattern[bytes]) -> list[bytes]:
    """Secrets as tokens. One that can be sent by nobody is a mistake of its file, which is told instead of a riddle."""
    values = []
    for secret in secrets:
        value = evidence.raw(secret)
        if not form.fullmatch(value):
            raise Unproved(f"the secret {secret.reference} has a character that nobody can send there, or too many")
        values.append(value)
    return values


def _compare_tokens(given: str, secrets: Secrets, form: re.Pattern[bytes]) -> None:
    known = secrets.hashed.get(form) if isinstance(secrets, Opened) else None
    if known is None:
        known = [evidence.hashed(one) for one in _tokens(secrets, form)]
        if isinstance(secrets, Opened):
            secrets.hashed[form] = known
    if not evidence.any_same((evidence.hashed_text(given),), known):
        raise Unproved(NO_MATCH)


def _compare(given: str, wanted: Sequence[bytes], why: str = NO_MATCH) -> None:
    if not evidence.any_same_token(given, wanted):
        raise Unproved(why)


# --- signatures -----------------------------------------------------------------------------------------------------------


def _signed(form: signing.Form) -> Scheme:
    def scheme(_said: Any, given: Given, secrets: Secrets, now_s: float) -> None:
        signing.by_form(form, given, signing.keys_of(secrets), now_s)

    return scheme


def hmac_form(said: Any) -> signing.Form:
    """What `hmac` says."""
    return signing.Form(
        said.header, said.prefix, said.algorithm, said.encoding, capitals=True, timestamp=said.timestamp or "",
        separator=said.separator, tolerance_s=said.tolerance,
    )  # fmt: skip


def grafana_form(said: Any) -> signing.Form:
    """What `grafana` says."""
    return signing.Form(said.header, timestamp=said.timestamp or "")


def _hmac(said: Any, given: Given, secrets: Secrets, now_s: float) -> None:
    signing.by_form(hmac_form(said), given, signing.keys_of(secrets, said.key_encoding), now_s)


def _grafana(said: Any, given: Given, secrets: Secrets, now_s: float) -> None:
    signing.by_form(grafana_form(said), given, signing.keys_of(secrets), now_s)


def _stripe(_said: Any, given: Given, secrets: Secrets, now_s: float) -> None:
    signing.stripe(given, signing.keys_of(secrets), now_s)


def _standard_webhooks(_said: Any, given: Given, secrets: Secrets, now_s: float) -> None:
    signing.standard_webhooks(given, signing.standard_keys(secrets), now_s)


def _gitlab(_said: Any, given: Given, secrets: Secrets, now_s: float) -> None:
    """A signing token (`whsec_…`) proves by signature alone, any other secret by `X-Gitlab-Token` alone: what was configured is what is
    asked for. A delivery that is signed is judged by its signature wherever a signing token is configured, also beside a right token.
    """
    signing_tokens, tokens = _gitlab_secrets(secrets)
    if not signing_tokens or (tokens and not _is_signed_by_gitlab(given)):
        _compare_tokens(evidence.header(given, GITLAB), tokens, _IN_HEADER)
        return
    if not _is_signed_by_gitlab(given):
        raise Unproved("webhook-signature is missing")
    signing.standard_webhooks(given, signing.standard_keys(signing_tokens), now_s)


def _gitlab_secrets(secrets: Secrets) -> tuple[list[model.Secret], list[model.Secret]]:
    """Signing tokens, and secret tokens: GitLab stores the first with the prefix of Standard Webhooks."""
    signs = [one for one in secrets if one.reveal().startswith(signing.SYMMETRIC)]
    return signs, [one for one in secrets if not one.reveal().startswith(signing.SYMMETRIC)]


def _is_signed_by_gitlab(given: Given) -> bool:
    return bool(given.headers.getall("webhook-signature", ()))


_SCHEMES: Final[Mapping[str, Scheme]] = {
    "bearer": _bearer,
    "basic": _basic,
    "header": _header,
    "url_token": _url_token,
    "hmac": _hmac,
    "grafana": _grafana,
    "github": _signed(signing.GITHUB),
    "slack": _signed(signing.SLACK),
    "sentry": _signed(signing.SENTRY),
    "pagerduty": _signed(signing.PAGERDUTY),
    "gitlab": _gitlab,
    "standard_webhooks": _standard_webhooks,
    "stripe": _stripe,
}
