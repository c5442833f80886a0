"""Every way to prove a sender, with what the senders publish and with signatures made here: the right one alone is taken."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import pathlib
from typing import Any

import multidict
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from healer import model
from healer.sources import _proof
from healer.web import attesting, evidence, proving

NOW_S = 1_790_000_000
TIME = str(NOW_S)
BODY = b'{"alert": "DiskFull", "host": "web1"}'
KEY = "k3y-of-the-sender"
RAW_KEY = bytes(range(32))
WHSEC = f"whsec_{base64.b64encode(RAW_KEY).decode()}"
PAIR = ed25519.Ed25519PrivateKey.from_private_bytes(RAW_KEY)
WHPK = f"whpk_{base64.b64encode(PAIR.public_key().public_bytes_raw()).decode()}"


@dataclasses.dataclass(frozen=True)
class Case:
    """A delivery that is proved. `proof`: the header that holds the proof ('' for the URL), which begins at `start` in it."""

    auth: dict[str, Any]
    secret: str
    headers: dict[str, str]
    proof: str
    start: int = 0
    body: bytes = BODY
    now_s: float = NOW_S
    token: str | None = None


def mac(key: bytes | str, signed: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key.encode() if isinstance(key, str) else key, signed, algorithm).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def generic(**more: Any) -> dict[str, Any]:
    return {"hmac": {"header": "X-Signature", "key": {"secret": "env:A"}, **more}}


REF = {"secret": "env:A"}
TIMED = TIME.encode() + b":" + BODY
STANDARD = f"msg_1.{TIME}.".encode() + BODY
OF_STANDARD = {"webhook-id": "msg_1", "webhook-timestamp": TIME}
# fmt: off
MADE = {
    "bearer": Case({"bearer": REF}, KEY, {"Authorization": f"Bearer {KEY}"}, "Authorization", 7),
    "basic": Case({"basic": {"user": "am", "password": REF}}, "pä:ss", {"Authorization": f"Basic {b64('am:pä:ss'.encode())}"}, "Authorization", 6),
    "header": Case({"header": {"name": "X-Token", "token": REF}}, f"Key {KEY}", {"X-Token": f"Key {KEY}"}, "X-Token"),
    "url_token": Case({"url_token": REF}, KEY, {}, "", token=KEY),
    "hmac": Case(generic(), KEY, {"X-Signature": mac(KEY, BODY).hex()}, "X-Signature"),
    "hmac in capitals": Case(generic(), KEY, {"X-Signature": mac(KEY, BODY).hex().upper()}, "X-Signature"),
    "hmac sha1": Case(generic(algorithm="sha1"), KEY, {"X-Signature": mac(KEY, BODY, "sha1").hex()}, "X-Signature"),
    "hmac sha384": Case(generic(algorithm="sha384", encoding="base64"), KEY, {"X-Signature": b64(mac(KEY, BODY, "sha384"))}, "X-Signature"),
    "hmac sha512": Case(generic(algorithm="sha512", prefix="sha512="), KEY, {"X-Signature": f"sha512={mac(KEY, BODY, 'sha512').hex()}"}, "X-Signature"),
    "hmac with a time": Case(generic(timestamp="X-Time", separator="|"), KEY,
        {"X-Signature": mac(KEY, TIME.encode() + b"|" + BODY).hex(), "X-Time": TIME}, "X-Signature"),
    "teams": Case({"hmac": {"header": "Authorization", "key": REF, "prefix": "HMAC ", "encoding": "base64", "key_encoding": "base64"}},
        b64(RAW_KEY), {"Authorization": f"HMAC {b64(mac(RAW_KEY, BODY))}"}, "Authorization"),
    "github": Case({"github": REF}, KEY, {"X-Hub-Signature-256": f"sha256={mac(KEY, BODY).hex()}"}, "X-Hub-Signature-256"),
    "gitlab": Case({"gitlab": REF}, KEY, {"X-Gitlab-Token": KEY}, "X-Gitlab-Token"),
    "gitlab, signed": Case({"gitlab": REF}, WHSEC, {**OF_STANDARD, "webhook-signature": f"v1,{b64(mac(RAW_KEY, STANDARD))}"}, "webhook-signature"),
    "slack": Case({"slack": REF}, KEY,
        {"X-Slack-Signature": f"v0={mac(KEY, b'v0:' + TIMED).hex()}", "X-Slack-Request-Timestamp": TIME}, "X-Slack-Signature"),
    "standard": Case({"standard_webhooks": REF}, WHSEC, {**OF_STANDARD, "webhook-signature": f"v1,{b64(mac(RAW_KEY, STANDARD))}"}, "webhook-signature"),
    "standard, ed25519": Case({"standard_webhooks": REF}, WHPK, {**OF_STANDARD, "webhook-signature": f"v1a,{b64(PAIR.sign(STANDARD))}"}, "webhook-signature"),
    "svix": Case({"standard_webhooks": REF}, WHSEC,
        {"svix-id": "msg_1", "svix-timestamp": TIME, "svix-signature": f"v1,{b64(mac(RAW_KEY, STANDARD))}"}, "svix-signature"),
    "sentry": Case({"sentry": REF}, KEY, {"Sentry-Hook-Signature": mac(KEY, BODY).hex()}, "Sentry-Hook-Signature"),
    "pagerduty": Case({"pagerduty": REF}, KEY, {"X-PagerDuty-Signature": f"v1={mac(KEY, BODY).hex()}"}, "X-PagerDuty-Signature"),
    "grafana": Case({"grafana": {"key": REF}}, KEY, {"X-Grafana-Alerting-Signature": mac(KEY, BODY).hex()}, "X-Grafana-Alerting-Signature"),
    "grafana with a time": Case({"grafana": {"key": REF, "header": "X-Sig", "timestamp": "X-Time"}}, KEY,
        {"X-Sig": mac(KEY, TIMED).hex(), "X-Time": TIME}, "X-Sig"),
    "stripe": Case({"stripe": REF}, WHSEC,
        {"Stripe-Signature": f"t={TIME},v1={mac(WHSEC, TIME.encode() + b'.' + BODY).hex()}"}, "Stripe-Signature"),
}
# fmt: on
TIMED_ONES = {name: case for name, case in MADE.items() if TIME in "".join(case.headers.values())}
SIGNED_ONES = [name for name, case in MADE.items() if not {*case.auth} & {"bearer", "basic", "header", "url_token"} and name != "gitlab"]  # fmt: skip
every = pytest.mark.parametrize("case", MADE.values(), ids=MADE)


def ask(
    case: Case, *more: tuple[str, str], secrets: tuple[str, ...] = (), now_s: float | None = None, **changed: Any
) -> None:
    """Verify a case. `changed`: headers by name (None: left out), `body`, `token`; `more`: headers beside them."""
    body, token = changed.pop("body", case.body), changed.pop("token", case.token)
    headers = multidict.CIMultiDict(
        {key: value for key, value in {**case.headers, **changed}.items() if value is not None}
    )
    headers.extend(more)
    given = proving.Given(body, headers, token)
    known = [model.Secret(f"env:{'ABCDEFGHI'[at]}", value) for at, value in enumerate(secrets or (case.secret,))]
    proving.verify(_proof.Auth.model_validate(case.auth), given, known, case.now_s if now_s is None else now_s)


def refused(case: Case, *more: tuple[str, str], **changed: Any) -> str:
    """The reason for the operator."""
    with pytest.raises(proving.Unproved) as raised:
        ask(case, *more, **changed)
    assert raised.value.message == "this delivery does not prove that it comes from the sender of this hook"
    assert (raised.value.status, raised.value.code, raised.value.try_) == (401, "unauthorized", "")
    return raised.value.reason


def proof_of(case: Case) -> str:
    """What proves it, without what stands before."""
    return case.headers[case.proof][case.start :] if case.proof else str(case.token)


def with_proof(case: Case, text: str) -> dict[str, str]:
    """The case with another proof."""
    return {case.proof: case.headers[case.proof][: case.start] + text} if case.proof else {"token": text}


# --- the matrix -----------------------------------------------------------------------------------------------------------


def test_every_kind_is_in_the_matrix() -> None:
    assert {next(iter(case.auth)) for case in MADE.values()} == {*_proof.KINDS} - {"none", "sns"}


@every
def test_the_right_one_is_taken(case: Case) -> None:
    ask(case)


@every
def test_one_bit_of_the_proof(case: Case) -> None:
    text = proof_of(case)
    for at in range(len(text)):
        for bit in range(8):
            refused(case, **with_proof(case, text[:at] + chr(ord(text[at]) ^ (1 << bit)) + text[at + 1 :]))


@pytest.mark.parametrize("name", SIGNED_ONES)
def test_one_bit_of_the_body(name: str) -> None:
    case = MADE[name]
    for at in range(len(case.body)):
        body = bytearray(case.body)
        body[at] ^= 1
        assert refused(case, body=bytes(body)) == "the signature does not match"
    assert refused(case, body=b"") == refused(case, body=case.body + b"\n") == "the signature does not match"


@every
def test_a_proof_that_is_cut_at_every_length_or_goes_on(case: Case) -> None:
    text = proof_of(case)
    for end in range(len(text)):
        refused(case, **with_proof(case, text[:end]))
    several = {"pagerduty", "standard_webhooks", "gitlab"} & {*case.auth}
    for more in ("0", "=", *([] if several else [" "]), "\n", "\0", "ä", "\udcff", "x" * 9000):
        refused(case, **with_proof(case, text + more))
        refused(case, **with_proof(case, more + text))


@every
def test_a_header_that_is_missing_empty_there_twice_or_not_ascii(case: Case) -> None:
    for name, value in case.headers.items():
        assert refused(case, **{name: None}).endswith("is missing")
        assert refused(case, **{name: ""}) == f"{name} is empty"
        assert refused(case, (name, value)) == refused(case, (name.lower(), "x")) == f"{name} is there twice"
        assert refused(case, (name.upper(), ""), (name, "")) == f"{name} is there 3 times"
        for bad in ("ä", "\udcff", "\ud800", "a\tb", "a\0b", "\x7f", "١٧٩٠٠٠٠٠٠٠", "x" * 9000):
            assert refused(case, **{name: bad}).startswith(name)


def test_a_url_without_a_token() -> None:
    case = MADE["url_token"]
    for token, reason in ((None, "has no token"), ("", "has no token"), ("ä", "not ASCII"), ("\ud800", "not ASCII")):
        assert reason in refused(case, token=token)


def foreign(case: Case) -> str:
    """Another secret of the same form, which nobody has signed with."""
    other = bytes(reversed(RAW_KEY))
    if case.secret == WHPK:
        public = ed25519.Ed25519PrivateKey.from_private_bytes(other).public_key()
        return f"whpk_{b64(public.public_bytes_raw())}"
    return {WHSEC: f"whsec_{b64(other)}", b64(RAW_KEY): b64(other)}.get(case.secret, "an0ther-key")


@every
def test_a_foreign_secret_and_several(case: Case) -> None:
    other = foreign(case)
    assert "not match" in refused(case, secrets=(other,))
    ask(case, secrets=(other, case.secret))
    ask(case, secrets=(case.secret, other))
    ask(case, secrets=(other,) * 7 + (case.secret,))
    refused(case, secrets=(other,) * 8)


@every
def test_an_empty_secret_refuses_everybody_and_is_named(case: Case) -> None:
    for secrets in (("",), (case.secret, ""), ("", case.secret)):
        name = "ABCDEFGHI"[secrets.index("")]
        assert refused(case, secrets=secrets) == f"the secret env:{name} is empty: everything is refused"
    with pytest.raises(proving.Unproved):
        proving.verify(
            _proof.Auth.model_validate(case.auth), proving.Given(b"", multidict.CIMultiDict(case.headers)), (), 0
        )


@pytest.mark.parametrize("case", TIMED_ONES.values(), ids=TIMED_ONES)
def test_a_time_that_is_away(case: Case) -> None:
    for away_s in (-300, -1, 0.5, 300):
        ask(case, now_s=NOW_S + away_s)
    for away_s in (-301, 301, 412):
        assert refused(case, now_s=NOW_S + away_s) == f"the time is {abs(away_s)} s away, 300 s are allowed"
    assert refused(case, now_s=NOW_S + 300.5) == "the time is 301 s away, 300 s are allowed"
    for time in (
        "-1",
        "+1790000000",
        "1.79e9",
        "1790000000.0",
        "0x6ab13b80",
        "9" * 5000,
        "1790000000 ",
        "1_790_000_000",
    ):
        changed = {name: value.replace(TIME, time) for name, value in case.headers.items() if TIME in value}
        assert refused(case, **changed)


@every
def test_nothing_of_a_delivery_is_printed(case: Case) -> None:
    given = proving.Given(case.body, multidict.CIMultiDict(case.headers), case.token)
    assert repr(given) == "Given()"


@every
def test_a_secret_that_is_no_key_of_its_kind(case: Case) -> None:
    if case.secret in (WHSEC, WHPK) and "stripe" not in case.auth and "gitlab" not in case.auth:
        for bad in (
            "plain",
            "whsec_",
            "whsec_%%",
            f"whsec_{b64(bytes(23))}",
            f"whsec_{b64(RAW_KEY)[:-1]}",
            f"whpk_{b64(bytes(31))}",
            "whsk_AAAA",
        ):
            assert "the secret env:A " in refused(case, secrets=(bad,))
    if "key_encoding" in next(iter(case.auth.values())):
        for bad in ("plain!", b64(RAW_KEY)[:-1], " "):
            assert refused(case, secrets=(bad,)).startswith("the secret env:A is not written in base64")


# --- several signatures in one header -----------------------------------------------------------------------------------------

SEVERAL = {
    "pagerduty": (", ", "v1=" + "0" * 64),
    "standard": (" ", f"v1,{b64(bytes(32))}"),
    "stripe": (",", "v1=" + "0" * 64),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_the_right_one_of_several_is_found_among_the_first_sixteen(name: str) -> None:
    case, (between, wrong) = MADE[name], SEVERAL[name]
    time, right = (case.headers[case.proof].split(",", 1)) if name == "stripe" else ("", case.headers[case.proof])

    def of(*signatures: str) -> dict[str, str]:
        return {case.proof: between.join([*([time] if time else []), *signatures])}

    ask(case, **of(wrong, right))
    ask(case, **of(right, wrong, "v0=1", "v2,x", "nonsense"))
    ask(case, **of(*[wrong] * (evidence.SIGNATURES_MAX - 1), right))
    refused(case, **of(*[wrong] * evidence.SIGNATURES_MAX, right))
    refused(case, **of(*[wrong] * evidence.SIGNATURES_MAX))
    other_kind = right.replace("v1", "v0", 1)
    refused(case, **of(other_kind))


# --- the other side -------------------------------------------------------------------------------------------------------


THEIRS = ("hmac in capitals", "standard, ed25519", "svix")
"""Cases that a sender may make so, and we do not."""


@pytest.mark.parametrize("name", [name for name in MADE if name not in THEIRS])
def test_what_is_made_as_a_sender_makes_it_is_what_it_makes(name: str) -> None:
    case = MADE[name]
    auth, secret = _proof.Auth.model_validate(case.auth), model.Secret("env:A", case.secret)
    proof = attesting.attest(auth, secret, attesting.Delivery(case.body, TIME, "msg_1"))
    assert (proof.headers, proof.token or None) == (case.headers, case.token)


# --- what the senders publish ---------------------------------------------------------------------------------------------


def published(shared: pathlib.Path) -> dict[str, Case]:
    """The vectors whose body is published, as deliveries."""
    folder = shared / "payloads"
    said = {one["name"]: one for one in json.loads((folder / "_vectors/signatures.json").read_text())}

    def case(name: str, auth: dict[str, Any], body: bytes | str = "", now_s: float = 0, **headers: str) -> Case:
        one = said[name]
        raw = body if isinstance(body, bytes) else (body or one["signed_content"]).encode()
        return Case(auth, one["key"], {**{key.replace("_", "-"): value for key, value in headers.items()}, one["header"]: one["value"]}, one["header"], 0, raw, now_s)  # fmt: skip

    of_slack = (folder / "slack/slash_command_published_vector.txt").read_bytes()
    of_pagerduty = (folder / "pagerduty/v3_incident_priority_updated.json").read_bytes()
    named, at, of_standard = said["standard-webhooks"]["signed_content"].split(".", 2)
    timed = (
        "ac18a483a582b60a883e974541afe25aa1026136163e94665649743324183ef1"  # beside the vector: its clock stands at 0
    )
    grafana = case("grafana", {"grafana": {"key": REF}})
    return {
        "github": case("github", {"github": REF}),
        "jira": case("jira", {"hmac": {"header": "X-Hub-Signature", "key": REF, "prefix": "sha256="}}),
        "slack": case("slack", {"slack": REF}, of_slack, 1531420618 + 299, X_Slack_Request_Timestamp="1531420618"),
        "standard-webhooks": case(
            "standard-webhooks", {"standard_webhooks": REF}, of_standard, int(at), webhook_id=named, webhook_timestamp=at
        ),
        "pagerduty-v3": case("pagerduty-v3", {"pagerduty": REF}, of_pagerduty),
        "grafana": grafana,
        "grafana, timed": Case(
            {"grafana": {"key": REF, "timestamp": "X-Time"}}, grafana.secret, {"X-Time": "0", grafana.proof: timed}, grafana.proof, 0, grafana.body, 0
        ),
    }  # fmt: skip


PUBLISHED = ["github", "jira", "slack", "standard-webhooks", "pagerduty-v3", "grafana", "grafana, timed"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_vector_is_proved_and_nothing_beside_it(name: str, shared: pathlib.Path) -> None:
    case = published(shared)[name]
    ask(case)
    text = case.headers[case.proof]
    for at in range(len(text)):
        refused(case, **{case.proof: text[:at]})
        for bit in (1, 4, 32):
            refused(case, **{case.proof: text[:at] + chr(ord(text[at]) ^ bit) + text[at + 1 :]})
    for at in range(0, len(case.body), 1 + len(case.body) // 50):
        assert refused(case, body=case.body[:at] + bytes([case.body[at] ^ 1]) + case.body[at + 1 :]) == "the signature does not match"  # fmt: skip
    refused(case, (case.proof, text))
    refused(case, secrets=(case.secret.swapcase(),))
    refused(case, secrets=("",))


def test_all_published_vectors_are_looked_at(shared: pathlib.Path) -> None:
    """Two have no body or no key: their algorithms are in the matrix."""
    names = {one["name"] for one in json.loads((shared / "payloads/_vectors/signatures.json").read_text())}
    assert names - {*published(shared)} == {"aws-sns-string-to-sign", "msteams-outgoing"}
    assert [*published(shared)] == PUBLISHED


def test_a_signature_that_is_published_as_wrong_is_refused(shared: pathlib.Path) -> None:
    said = json.loads((shared / "payloads/_vectors/signatures.json").read_text())
    wrong = next(one["negative"] for one in said if one["name"] == "pagerduty-v3").partition(" ")[0]
    assert (
        refused(published(shared)["pagerduty-v3"], **{"X-PagerDuty-Signature": wrong}) == "the signature does not match"
    )


def test_what_they_sign_with_is_what_is_said() -> None:
    """The matrix is made with the standard library alone, apart from the module."""
    assert mac("k", b"x") == hmac.digest(b"k", b"x", hashlib.sha256)
