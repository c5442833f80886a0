"""How a sender proves itself, as it is written: what is taken, every mistake in its place, no secret in a message, the schema."""

from __future__ import annotations

from typing import Any

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

from healer import config, plugins
from healer.sources import _proof, webhook

REF = {"secret": "env:A"}
TWO = [{"secret": "env:NEW"}, {"secret": "file:secrets/old"}]
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
GOOD: dict[str, dict[str, Any]] = {
    "bearer": {"bearer": REF},
    "bearers": {"bearer": TWO},
    "eight": {"bearer": [REF] * 8},
    "basic": {"basic": {"user": "am", "password": TWO}},
    "header": {"header": {"name": "X-Token", "token": REF}},
    "hmac": {"hmac": {"header": "X-Signature", "key": TWO}},
    "hmac, all": {
        "hmac": {
            "header": "X-Signature", "key": REF, "algorithm": "sha1", "prefix": "HMAC ", "encoding": "base64", "key_encoding": "base64",
            "timestamp": "X-Time", "separator": "", "tolerance": "1 hour",
        },
    },
    **{kind: {kind: TWO} for kind in ("github", "gitlab", "slack", "standard_webhooks", "sentry", "pagerduty", "stripe", "url_token")},
    "grafana": {"grafana": {"key": REF}},
    "grafana, all": {"grafana": {"key": TWO, "header": "X-Sig", "timestamp": "X-Time"}},
    "sns": {"sns": {"topics": [TOPIC]}},
    "sns, all": {"sns": {"topics": [TOPIC, "arn:aws-cn:sns:cn-north-1:123456789012:a_B-1"] * 50, "confirm": True}},
    "none": {"none": True},
}  # fmt: skip
HMAC = {"header": "X-S", "key": REF}
KINDS_SAID = ", ".join(f"'{kind}'" for kind in _proof.KINDS[:-1]) + " and 'none'"
ONE = 'a reference like {secret: "env:NAME"} is wanted'

# What is written, what is said of it.
BAD: list[tuple[Any, str]] = [
    ("nobody", "auth: none or {bearer: {secret: …}} is wanted"),
    (5, "auth: none or {bearer: {secret: …}} is wanted"),
    (None, "auth: none or {bearer: {secret: …}} is wanted"),
    ({}, f"auth: exactly one of {KINDS_SAID} is wanted"),
    ({"bearer": None}, f"auth: exactly one of {KINDS_SAID} is wanted"),
    ({"bearer": REF, "none": True}, f"auth: exactly one of {KINDS_SAID} is wanted"),
    ({"github": REF, "slack": REF}, f"auth: exactly one of {KINDS_SAID} is wanted"),
    ({"githb": REF}, "the key 'githb' is not known here"),
    ({"none": False}, "auth.none: true is wanted, got false"),
    ({"bearer": "hunter2"}, f"auth.bearer: {ONE}"),
    ({"bearer": 5}, f"auth.bearer: {ONE}"),
    ({"bearer": {"secret": "hunter2"}}, "auth.bearer.secret: env:NAME or file:PATH is wanted"),
    ({"bearer": {"secret": "hunter2:x"}}, "auth.bearer.secret: env:NAME or file:PATH is wanted"),
    ({"bearer": {"secret": {"hunter2": 1}}}, f"auth.bearer: {ONE}"),
    ({"bearer": {"secret": ["hunter2"]}}, "auth.bearer.secret: env:NAME or file:PATH is wanted"),
    ({"bearer": [{"secret": {"hunter2": 1}}]}, "auth.bearer.0.secret: env:NAME or file:PATH is wanted"),
    ({"bearer": {"secrets": "env:A"}}, "the key 'secrets' is not known here"),
    ({"bearer": []}, "auth.bearer: a list of at least 1 item is wanted"),
    ({"bearer": [REF] * 9}, "auth.bearer: a list of at most 8 items is wanted"),
    ({"bearer": ["hunter2"]}, f"auth.bearer.0: {ONE}"),
    ({"bearer": [REF, {"secret": "hunter2"}]}, "auth.bearer.1.secret: env:NAME or file:PATH is wanted"),
    ({"bearer": [REF, [REF]]}, f"auth.bearer.1: {ONE}"),
    ({"basic": REF}, "the key 'secret' is not known here"),
    ({"basic": {"user": "am"}}, "the key 'password' is missing"),
    ({"basic": {"user": "a:m", "password": REF}}, "auth.basic.user: a name without a colon (at most 256 characters) is wanted, got 'a:m'"),
    ({"basic": {"user": "", "password": REF}}, "auth.basic.user: a name without a colon"),
    ({"basic": {"user": "a\n", "password": REF}}, "auth.basic.user: a name without a colon"),
    ({"basic": {"user": "am", "password": "hunter2"}}, f"auth.basic.password: {ONE}"),
    ({"header": {"name": "X Token", "token": REF}}, "auth.header.name: the name of a header, of letters, digits and - (at most 64) is wanted, got 'X Token'"),
    ({"header": {"name": "X-Token", "secret": "env:A"}}, "the key 'secret' is not known here"),
    ({"header": {"name": "X-Token"}}, "the key 'token' is missing"),
    ({"hmac": {"key": REF}}, "the key 'header' is missing"),
    ({"hmac": {"header": "X-S"}}, "the key 'key' is missing"),
    ({"hmac": {**HMAC, "algorithm": "md5"}}, "auth.hmac.algorithm: 'sha256', 'sha384', 'sha512' or 'sha1' is wanted, got 'md5'"),
    ({"hmac": {**HMAC, "encoding": "hexa"}}, "auth.hmac.encoding: 'hex' or 'base64' is wanted, got 'hexa'"),
    ({"hmac": {**HMAC, "key_encoding": "hex"}}, "auth.hmac.key_encoding: 'text' or 'base64' is wanted, got 'hex'"),
    ({"hmac": {**HMAC, "prefix": " x"}}, "auth.hmac.prefix: at most 32 printable ASCII characters, at first no space is wanted, got ' x'"),
    ({"hmac": {**HMAC, "prefix": "ä"}}, "auth.hmac.prefix: at most 32 printable ASCII characters"),
    ({"hmac": {**HMAC, "timestamp": "X T"}}, "auth.hmac.timestamp: the name of a header"),
    ({"hmac": {**HMAC, "timestamp": "X-T", "separator": "\n"}}, "auth.hmac.separator: at most 8 printable ASCII characters is wanted"),
    ({"hmac": {**HMAC, "timestamp": "X-T", "tolerance": "2 hours"}}, "auth.hmac.tolerance: at most 1 hour is wanted, got '2 hours'"),
    ({"hmac": {**HMAC, "timestamp": "X-T", "tolerance": "0s"}}, "auth.hmac.tolerance: at least 1 second is wanted, got '0s'"),
    ({"hmac": {**HMAC, "tolerance": "1m"}}, "auth.hmac: 'tolerance' says something of a signed time: name its header in 'timestamp'"),
    ({"hmac": {**HMAC, "separator": ".", "tolerance": "1m"}}, "auth.hmac: 'separator' and 'tolerance' say something of a signed time"),
    ({"hmac": {**HMAC, "timestamp": "x-s"}}, "auth.hmac: the time and the signature cannot be in one header"),
    ({"grafana": REF}, "the key 'secret' is not known here"),
    ({"grafana": {"key": REF, "header": "X-T", "timestamp": "X-T"}}, "auth.grafana: the time and the signature cannot be in one header"),
    ({"github": {"key": REF}}, "the key 'key' is not known here"),
    ({"sns": {}}, "the key 'topics' is missing"),
    ({"sns": {"topics": []}}, "auth.sns.topics: a list of at least 1 item is wanted"),
    ({"sns": {"topics": [TOPIC] * 101}}, "auth.sns.topics: a list of at most 100 items is wanted"),
    ({"sns": {"topics": TOPIC}}, "auth.sns.topics: a list is wanted"),
    ({"sns": {"topics": ["alerts"]}}, "auth.sns.topics.0: a topic like arn:aws:sns:eu-west-1:123456789012:alerts is wanted, got 'alerts'"),
    ({"sns": {"topics": [TOPIC + ":6590056b"]}}, "auth.sns.topics.0: a topic like"),
    ({"sns": {"topics": [TOPIC.replace("sns", "sqs")]}}, "auth.sns.topics.0: a topic like"),
    ({"sns": {"topics": [TOPIC + "\n"]}}, "auth.sns.topics.0: a topic like"),
    ({"sns": {"topics": [TOPIC], "confirm": "yes"}}, "auth.sns.confirm: true or false is wanted, got 'yes'"),
    ({"url_token": "hunter2"}, f"auth.url_token: {ONE}"),
]  # fmt: skip
NO_SCHEMA_SAYS = ("cannot be in one header", "auth.hmac.tolerance: at ")


def mistakes(auth: Any) -> list[str]:
    document = config.read_text("", "x.yml")
    plugins.check_options(document, webhook.WebhookOptions, {"path": "a", "auth": auth}, None, "healer.webhook")
    return [found.message.removeprefix("healer.webhook: ") for found in document.diagnostics]


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    [made], defs = plugins.schemas([_proof.Auth])
    jsonschema.Draft202012Validator.check_schema({**made, "$defs": defs})
    return jsonschema.Draft202012Validator({**made, "$defs": defs})


@pytest.mark.parametrize("name", GOOD)
def test_what_is_taken(name: str, schema: jsonschema.Draft202012Validator) -> None:
    assert mistakes(GOOD[name]) == []
    schema.validate(GOOD[name])


def test_none_may_be_a_word(schema: jsonschema.Draft202012Validator) -> None:
    assert _proof.Auth.model_validate("none") == _proof.Auth.model_validate({"none": True})
    schema.validate("none")


@pytest.mark.parametrize(("auth", "says"), BAD)
def test_what_is_wrong_is_told_once_where_it_stands(
    auth: Any, says: str, schema: jsonschema.Draft202012Validator
) -> None:
    found = mistakes(auth)
    assert sum(says in one for one in found) == 1, found
    assert all(one == found[0] or "key" in one for one in found), "a second one is about a key that is missing"
    assert "hunter2" not in " ".join(found)
    assert schema.is_valid(auth) is any(one in says for one in NO_SCHEMA_SAYS) or "\\n" in repr(auth)


def test_every_kind_is_a_key_and_every_key_a_kind() -> None:
    assert {*_proof.KINDS} == {*_proof.Auth.model_fields}
    assert {next(iter(one)) for one in GOOD.values()} == {*_proof.KINDS}


@pytest.mark.parametrize("name", GOOD)
def test_the_kind_and_all_secrets_of_it_in_their_order(name: str) -> None:
    made = _proof.Auth.model_validate(GOOD[name])
    assert made.kind == next(iter(GOOD[name]))
    text = str(GOOD[name])
    wanted = ["env:NEW", "file:secrets/old"] if "NEW" in text else ["env:A"] * text.count("env:A")
    assert [one.secret for one in made.secrets] == wanted


def test_defaults() -> None:
    hmac = _proof.Auth.model_validate({"hmac": HMAC}).hmac
    assert hmac is not None
    assert (hmac.algorithm, hmac.prefix, hmac.encoding, hmac.key_encoding) == ("sha256", "", "hex", "text")
    assert (hmac.timestamp, hmac.separator, hmac.tolerance) == (None, ":", 300)
    grafana = _proof.Auth.model_validate(GOOD["grafana"]).grafana
    assert grafana is not None
    assert (grafana.header, grafana.timestamp) == ("X-Grafana-Alerting-Signature", None)
    sns = _proof.Auth.model_validate(GOOD["sns"]).sns
    assert sns is not None
    assert sns.confirm is False


def test_the_schema_says_what_each_is_for() -> None:
    _, defs = plugins.schemas([_proof.Auth])
    [whole, word] = defs["Auth"]["anyOf"]
    assert word == {"const": "none"}
    assert all(whole["properties"][kind]["description"] for kind in _proof.KINDS)
    assert defs["Hmac"]["properties"]["tolerance"]["default"] == "5 minutes"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["env:A", "X-S", TOPIC]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["secret", "key", "header", "timestamp", "token", "name", "topics"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@hypothesis.given(st.dictionaries(st.sampled_from([*_proof.KINDS, "x"]), VALUES, max_size=2))
def test_whatever_is_written_is_taken_or_told(auth: dict[str, Any]) -> None:
    found = mistakes(auth)
    if not found:
        made = _proof.Auth.model_validate(auth)
        assert getattr(made, made.kind) is not None
        assert made.kind in {"none", "sns"} or made.secrets
