"""What is asked for, of which header, with which secrets; and that nothing a sender writes can do more than be refused."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import hypothesis
import multidict
import pytest
from hypothesis import strategies as st

from healer import errors, model
from healer.sources import _proof
from healer.web import proving

NOW_S = 1_790_000_000
TIME = str(NOW_S)
BODY = b'{"a": 1}'
REF = {"secret": "env:A"}
RAW_KEY = bytes(range(32))
WHSEC = f"whsec_{base64.b64encode(RAW_KEY).decode()}"
OTHER = f"whsec_{base64.b64encode(bytes(32)).decode()}"


def auth(**said: Any) -> Any:
    return _proof.Auth.model_validate(said)


def ask(
    wanted: Any, secrets: list[str], *headers: tuple[str, str], body: bytes = BODY, token: str | None = None
) -> str:
    """'' where it is proved, else why not."""
    known = [model.Secret(f"env:{'ABCDEFGH'[at]}", value) for at, value in enumerate(secrets)]
    try:
        proving.verify(wanted, proving.Given(body, multidict.CIMultiDict(headers), token), known, NOW_S)
    except proving.Unproved as error:
        return error.reason
    return ""


def standard(key: bytes = RAW_KEY, family: str = "webhook", named: str = "msg_1") -> list[tuple[str, str]]:
    made = base64.b64encode(hmac.digest(key, f"{named}.{TIME}.".encode() + BODY, "sha256")).decode()
    return [(f"{family}-id", named), (f"{family}-timestamp", TIME), (f"{family}-signature", f"v1,{made}")]


def hub(algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.digest(b'k', BODY, algorithm).hex()}"


# --- each kind -------------------------------------------------------------------------------------------------------------


def test_an_open_door_asks_for_nothing() -> None:
    assert ask(auth(none=True), []) == ask(auth(none=True), ["x"], ("Authorization", "ä")) == ""


def test_amazon_is_proved_elsewhere_and_never_here() -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:alerts"
    assert ask(auth(sns={"topics": [topic]}), ["x"]) == "sns is not proved by headers"


@pytest.mark.parametrize(("given", "why"), [
    ("Bearer right", ""),
    ("bearer right", ""),
    ("BEARER right", ""),
    ("Basic right", "Authorization is not of the kind Bearer"),
    ("right", "Authorization is not of the kind Bearer"),
    ("Bearer", "the token does not match"),
    ("Bearer  right", "the token does not match"),
    ("Bearer right ", "the token does not match"),
    ("Bearer Right", "the token does not match"),
    ("Bearer right, Bearer right", "the token does not match"),
])  # fmt: skip
def test_a_bearers_token(given: str, why: str) -> None:
    assert ask(auth(bearer=REF), ["right"], ("Authorization", given)) == why


def test_a_user_and_a_password() -> None:
    wanted = auth(basic={"user": "am", "password": REF})

    def given(text: bytes) -> tuple[str, str]:
        return "Authorization", f"basic {base64.b64encode(text).decode()}"

    assert ask(wanted, ["a:b"], given(b"am:a:b")) == ""
    for wrong in (
        b"am:a",
        b"am",
        b"",
        b"am:",
        b"Am:a:b",
        b"am:a:b\0",
        b"am:a:b\n",
        b"ama::b",
        "am:ä".encode("latin-1"),
    ):
        assert ask(wanted, ["a:b"], given(wrong)) == "the user or the password does not match"
    assert ask(wanted, ["ä"], given("am:ä".encode())) == ""
    name, text = given(b"am:pass")  # which has padding
    assert ask(wanted, ["pass"], (name, text)) == ""
    assert ask(wanted, ["pass"], (name, text.rstrip("="))) == "the user or the password does not match"


@pytest.mark.parametrize(("said", "secret", "given"), [
    ({"bearer": REF}, "with space", {"Authorization": "Bearer with space"}),
    ({"bearer": REF}, "wörd", {"Authorization": "Bearer word"}),
    ({"bearer": REF}, "x" * 513, {"Authorization": "Bearer " + "x" * 513}),
    ({"header": {"name": "X-Token", "token": REF}}, " outer", {"X-Token": "outer"}),
    ({"header": {"name": "X-Token", "token": REF}}, "line\nline", {"X-Token": "line"}),
    ({"gitlab": REF}, "wörd", {"X-Gitlab-Token": "word"}),
    ({"url_token": REF}, "a/b", {}),
    ({"url_token": REF}, "a%20b", {}),
])  # fmt: skip
def test_a_secret_that_nobody_can_send_is_told(said: dict[str, Any], secret: str, given: dict[str, str]) -> None:
    why = "the secret env:A has a character that nobody can send there, or too many"
    assert ask(auth(**said), [secret], *given.items(), token=secret) == why


def test_a_url_token_is_of_no_header() -> None:
    assert ask(auth(url_token=REF), ["right"], token="right") == ""
    assert ask(auth(url_token=REF), ["right"], ("Authorization", "Bearer right")) == "the URL has no token"
    assert ask(auth(url_token=REF), ["right"], token="Right") == "the token does not match"


def test_the_algorithm_is_that_of_the_scheme_and_the_elder_header_is_not_looked_at() -> None:
    github = auth(github=REF)
    assert ask(github, ["k"], ("X-Hub-Signature-256", hub()), ("X-Hub-Signature", "sha1=0")) == ""
    assert ask(github, ["k"], ("X-Hub-Signature", hub("sha1"))) == "X-Hub-Signature-256 is missing"
    assert (
        ask(github, ["k"], ("X-Hub-Signature-256", hub("sha1"))) == "X-Hub-Signature-256 does not begin with 'sha256='"
    )
    assert ask(github, ["k"], ("X-Hub-Signature-256", "sha256=" + hub("sha1")[5:])) == (
        "X-Hub-Signature-256 has 40 characters behind 'sha256=', a signature by sha256 has 64"
    )
    wanted = auth(hmac={"header": "X-S", "key": REF, "algorithm": "sha512"})
    assert ask(wanted, ["k"], ("X-S", hub("sha512")[7:])) == ""
    assert ask(wanted, ["k"], ("X-S", hub()[7:])) == "X-S has 64 characters, a signature by sha512 has 128"


def test_without_secrets_nobody_is_proved() -> None:
    assert ask(auth(bearer=REF), [], ("Authorization", "Bearer ")) == "there is no secret to prove it with"


def test_a_signature_says_which_kind_it_is() -> None:
    bare = hub().removeprefix("sha256=")
    assert ask(auth(pagerduty=REF), ["k"], ("X-PagerDuty-Signature", f"v1=0,v1={bare}")) == ""
    assert ask(auth(pagerduty=REF), ["k"], ("X-PagerDuty-Signature", f"v1=0,{bare}")) == "the signature does not match"
    assert (
        ask(auth(pagerduty=REF), ["k"], ("X-PagerDuty-Signature", bare))
        == "X-PagerDuty-Signature has no signature of the kind v1="
    )


def test_a_stripe_signature_has_one_time_and_one_of_the_kind_at_least() -> None:
    made = hmac.digest(b"k", f"{TIME}.".encode() + BODY, "sha256").hex()

    def given(text: str) -> str:
        return ask(auth(stripe=REF), ["k"], ("Stripe-Signature", text))

    assert given(f"t={TIME},v1={made},v0=x,more") == given(f"v1={made},t={TIME}") == ""
    assert given(f"v1={made}") == "Stripe-Signature has no time (t=)"
    assert given(f"t={TIME},t={TIME},v1={made}") == "Stripe-Signature has several times (t=)"
    assert given(f"t={TIME},v0={made}") == "Stripe-Signature has no signature of the kind v1="
    assert given(f"t={TIME}, v1={made}") == "Stripe-Signature has no signature of the kind v1="


def test_a_signature_in_another_alphabet() -> None:
    github = auth(github=REF)
    assert (
        ask(github, ["k"], ("X-Hub-Signature-256", hub()[:-1] + "g"))
        == "X-Hub-Signature-256 has a character that is none of hex"
    )
    assert "none of hex" in ask(github, ["k"], ("X-Hub-Signature-256", "sha256=" + hub()[7:].upper()))
    wanted = auth(hmac={"header": "X-S", "key": REF, "encoding": "base64"})
    url_safe = base64.urlsafe_b64encode(b"\xff" * 32).decode()
    assert ask(wanted, ["k"], ("X-S", url_safe)) == "X-S has a character that is none of base64"
    assert ask(wanted, ["k"], ("X-S", "=" * 44)) == "the signature does not match"


def test_the_tolerance_that_is_said() -> None:
    wanted = auth(hmac={"header": "X-S", "key": REF, "timestamp": "X-T", "separator": "", "tolerance": "10 seconds"})

    def given(away_s: int) -> list[tuple[str, str]]:
        time = str(NOW_S - away_s)
        return [("X-T", time), ("X-S", hmac.digest(b"k", time.encode() + BODY, "sha256").hex())]

    assert ask(wanted, ["k"], *given(10)) == ask(wanted, ["k"], *given(-10)) == ""
    assert ask(wanted, ["k"], *given(11)) == "the time is 11 s away, 10 s are allowed"


# --- Standard Webhooks and GitLab ----------------------------------------------------------------------------------------------


def test_one_of_several_keys() -> None:
    wanted = auth(standard_webhooks=[REF, REF])
    assert ask(wanted, [OTHER, WHSEC], *standard()) == ask(wanted, [WHSEC, OTHER], *standard()) == ""
    assert ask(wanted, [OTHER], *standard()) == "the signature does not match"


def test_a_public_key_is_no_key_of_hmac() -> None:
    """Whoever knows it, and everybody may, could sign with it."""
    public = f"whpk_{base64.b64encode(RAW_KEY).decode()}"
    assert ask(auth(standard_webhooks=REF), [public], *standard()) == "the signature does not match"
    v1a = [(name, value.replace("v1,", "v1a,")) for name, value in standard()]
    assert ask(auth(standard_webhooks=REF), [WHSEC], *v1a) == "the signature does not match"


def test_both_families_of_headers() -> None:
    """The id is what a second delivery is known by: it cannot be another one than is signed."""
    wanted = auth(standard_webhooks=REF)
    assert ask(wanted, [WHSEC], *standard(), *standard(family="svix")) == ""
    assert ask(wanted, [WHSEC], *standard(), ("svix-id", "msg_2")) == "webhook-id and svix-id are not the same"
    assert (
        ask(wanted, [WHSEC], *standard(family="svix"), ("webhook-id", "msg_2"))
        == "webhook-id and svix-id are not the same"
    )
    assert ask(wanted, [WHSEC], *standard(named="x" * 257)) == "webhook-id has 257 characters, 256 are allowed"
    mixed = [standard()[0], standard()[1], standard(family="svix")[2]]
    assert ask(wanted, [WHSEC], *mixed) == "svix-timestamp is missing"


def gitlab(secrets: list[str], *headers: tuple[str, str]) -> str:
    return ask(auth(gitlab=[REF] * len(secrets)), secrets, *headers)


def test_gitlab_is_asked_for_what_is_configured() -> None:
    token, forged = ("X-Gitlab-Token", "classic"), [(name, value) for name, value in standard(bytes(32))]
    assert gitlab(["classic"], token) == gitlab(["classic"], token, *forged) == ""
    assert gitlab(["classic"], *standard()) == "X-Gitlab-Token is missing"
    assert gitlab([WHSEC], *standard()) == gitlab([WHSEC], *standard(), ("X-Gitlab-Token", "any")) == ""
    assert gitlab([WHSEC], ("X-Gitlab-Token", WHSEC)) == "webhook-signature is missing"
    assert gitlab([WHSEC], *standard(family="svix")) == "webhook-signature is missing"
    both = ["classic", WHSEC]
    assert gitlab(both, token) == gitlab(both, *standard()) == ""
    assert gitlab(both, token, *forged) == "the signature does not match"
    assert gitlab(both, ("X-Gitlab-Token", WHSEC)) == "the token does not match"


# --- what the room asks beside -------------------------------------------------------------------------------------------------


def test_which_kinds_need_the_body() -> None:
    kinds = {
        "bearer": REF,
        "basic": {"user": "u", "password": REF},
        "header": {"name": "X", "token": REF},
        "url_token": REF,
        "none": True,
    }
    assert [kind for kind, said in kinds.items() if proving.needs_body(auth(**{kind: said}))] == []
    for kind in {*_proof.KINDS} - {*kinds} - {"hmac", "grafana", "sns"}:
        assert proving.needs_body(auth(**{kind: REF}))
    assert proving.needs_body(auth(sns={"topics": ["arn:aws:sns:eu-west-1:123456789012:alerts"]}))


def test_headers_that_hold_a_proof() -> None:
    assert proving.proof_headers(auth(header={"name": "X-Mine", "token": REF})) == {"x-mine"}
    assert proving.proof_headers(auth(hmac={"header": "X-Sum", "key": REF, "timestamp": "X-At"})) == {"x-sum"}
    assert proving.proof_headers(auth(grafana={"key": REF})) == {"x-grafana-alerting-signature"}
    assert proving.proof_headers(auth(bearer=[REF])) == proving.proof_headers(auth(none=True)) == set()


def test_the_header_that_names_a_delivery_and_is_signed() -> None:
    def named(wanted: Any, secret: str, *headers: tuple[str, str]) -> str:
        return proving.signed_id(
            wanted, proving.Given(b"", multidict.CIMultiDict(headers)), [model.Secret("env:A", secret)]
        )

    assert named(auth(standard_webhooks=REF), WHSEC, *standard()) == "webhook-id"
    assert named(auth(standard_webhooks=REF), WHSEC, *standard(family="svix")) == "svix-id"
    assert named(auth(gitlab=REF), WHSEC, *standard()) == "webhook-id"
    assert named(auth(gitlab=REF), "classic", *standard()) == ""
    assert named(auth(gitlab=REF), WHSEC, ("X-Gitlab-Token", "x")) == named(auth(github=REF), "k", *standard()) == ""


def test_secrets_are_opened_in_their_order_and_one_that_cannot_be_read_refuses() -> None:
    known = {"env:A": model.Secret("env:A", "a"), "env:B": model.Secret("env:B", "b")}

    def resolve(reference: str) -> model.Secret:
        if reference not in known:
            raise errors.SecretUnavailable(reference=reference, reason="the variable is not set")
        return known[reference]

    assert [one.reveal() for one in proving.opened(auth(bearer=[{"secret": "env:B"}, REF]), resolve)] == ["b", "a"]
    assert proving.opened(auth(none=True), resolve) == ()
    with pytest.raises(proving.Unproved) as raised:
        proving.opened(auth(bearer=[REF, {"secret": "env:GONE"}]), resolve)
    assert raised.value.reason == "the secret env:GONE cannot be read: the variable is not set"
    assert isinstance(raised.value.__cause__, errors.SecretUnavailable)


# --- hostile headers -------------------------------------------------------------------------------------------------------------

NAMES = sorted({
    "Authorization", "X-Token", "X-S", "X-T", "X-Hub-Signature-256", "X-Gitlab-Token", "X-Slack-Signature", "X-Slack-Request-Timestamp",
    "Sentry-Hook-Signature", "X-PagerDuty-Signature", "X-Grafana-Alerting-Signature", "Stripe-Signature",
    *(f"{family}-{part}" for family in ("webhook", "svix") for part in ("id", "timestamp", "signature")),
})  # fmt: skip
PIECES = [
    "v1=",
    "v1,",
    "v1a,",
    "v0=",
    "t=",
    TIME,
    "sha256=",
    "Bearer ",
    "Basic ",
    "HMAC ",
    ",",
    " ",
    "=",
    "0" * 64,
    hub()[7:],
    "A" * 88,
    "\udcff",
    "é",
    "\0",
]
VALUES = st.text() | st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
KINDS = [
    {"bearer": REF}, {"basic": {"user": "u", "password": REF}}, {"header": {"name": "X-Token", "token": REF}}, {"url_token": REF},
    {"hmac": {"header": "X-S", "key": REF, "encoding": "base64", "timestamp": "X-T"}}, {"github": REF}, {"gitlab": REF}, {"slack": REF},
    {"standard_webhooks": REF}, {"sentry": REF}, {"pagerduty": REF}, {"grafana": {"key": REF, "timestamp": "X-T"}}, {"stripe": REF},
]  # fmt: skip


@hypothesis.settings(max_examples=300)
@hypothesis.given(
    st.sampled_from(KINDS), st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8), st.binary(max_size=64),
    st.none() | st.text(), st.lists(st.sampled_from(["s", WHSEC, OTHER, "whpk_" + WHSEC[6:], "", "é"]), max_size=3),
)  # fmt: skip
def test_whatever_comes_is_refused_and_nothing_else(
    said: dict[str, Any], headers: list[tuple[str, str]], body: bytes, token: str | None, secrets: list[str]
) -> None:
    why = ask(auth(**said), secrets, *headers, body=body, token=token)
    if not why:  # a secret of one letter may be guessed, a signature not
        assert {*said} & {"bearer", "basic", "header", "gitlab", "url_token"}
    assert why.isprintable()
    assert len(why) < 200
