"""What a sender is told to enter: addresses, blocks and proofs, with a word in the place of each secret."""

from __future__ import annotations

import socket
import types
from typing import Any

import pytest

from healer import plugins, project
from healer.web import senders

WEBHOOK = plugins.find("sources", "webhook").SOURCE.Options
VALUE = "<the value of env:A>"
SECRET = {"secret": "env:A"}


def options(**auth: Any) -> Any:
    return WEBHOOK.model_validate({"path": "eu/am", "auth": auth})


def services(host: str = "127.0.0.1", port: int = 8080, **server: Any) -> Any:
    revision = types.SimpleNamespace(settings=project.Settings.model_validate({"server": server}))
    return types.SimpleNamespace(revision=lambda: revision, listens=lambda: (host, port))


def form(setup: str) -> plugins.Format:
    return plugins.Format("x", False, lambda _body, _headers: [], setup=setup)


@pytest.mark.parametrize(("listens", "server", "wanted"), [
    (("127.0.0.1", 8080), {}, ("http://127.0.0.1:8080", False)),
    (("::1", 9), {}, ("http://[::1]:9", False)),
    (("healer.lan", 9), {"public_url": "https://healer.example.org"}, ("https://healer.example.org", True)),
    (("0.0.0.0", 9), {"public_url": "https://example.org/healer/"}, ("https://example.org/healer", True)),
    (("0.0.0.0", 9), {}, ("http://box:9", False)),
    (("::", 9), {}, ("http://box:9", False)),
])  # fmt: skip
def test_where_the_daemon_is_reached(
    monkeypatch: pytest.MonkeyPatch, listens: Any, server: dict[str, Any], wanted: tuple[str, bool]
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    assert senders.base(services(*listens, **server)) == wanted


@pytest.mark.parametrize(("kind", "given", "wanted"), [
    ("healer.webhook", options(bearer=SECRET), "http://h/hooks/eu/am"),
    ("healer.webhook", options(url_token=SECRET), "http://h/hooks/eu/am/<token>"),
    ("healer.webhook", None, None),
    ("healer.api", None, "http://h/events"),
    ("healer.events", None, "http://h/webhook"),
    ("healer.actions", None, None),
    ("ansible.eda.webhook", None, None),
])  # fmt: skip
def test_the_address_of_a_source(kind: str, given: Any, wanted: str | None) -> None:
    assert senders.url("http://h", kind, given) == wanted


@pytest.mark.parametrize(("auth", "wanted"), [
    ({"bearer": SECRET}, f"the header  Authorization: Bearer {VALUE}"),
    ({"bearer": [SECRET, {"secret": "file:/b"}]}, "the header  Authorization: Bearer <the value of env:A or file:/b>"),
    ({"basic": {"user": "ana", "password": SECRET}}, f"HTTP Basic: the user ana, the password {VALUE}"),
    ({"header": {"name": "X-T", "token": SECRET}}, f"the header  X-T: {VALUE}"),
    ({"hmac": {"header": "X-S", "key": SECRET, "prefix": "v1={", "encoding": "base64"}},
     f"the header  X-S: v1={{HMAC-sha256 (base64), of the key {VALUE}"),
    ({"hmac": {"header": "X-S", "key": SECRET, "timestamp": "X-Ts", "separator": "."}},
     f"the header  X-S: HMAC-sha256 (hex) of the time (seconds since 1970, in the header X-Ts), '.' and the body, of the key {VALUE}"),
    ({"grafana": {"key": SECRET, "timestamp": "X-Ts"}},
     f"an HMAC signature in the header X-Grafana-Alerting-Signature, with the time in the header X-Ts (Timestamp header of the contact point), of the secret {VALUE}"),
    ({"grafana": {"key": SECRET}}, f"an HMAC signature in the header X-Grafana-Alerting-Signature, of the secret {VALUE}"),
    ({"github": SECRET}, f"a signature, of the secret {VALUE}"),
    ({"gitlab": SECRET}, f"the secret token, or a signature of the signing token: {VALUE}"),
    ({"url_token": SECRET}, f"the end of the URL: <token> is {VALUE}"),
    ({"sns": {"topics": ["arn:aws:sns:eu-west-1:123456789012:a"]}}, "the signature of Amazon SNS, for the topics of the source"),
    ({"none": True}, "nothing: whoever reaches the port may send"),
])  # fmt: skip
def test_how_a_sender_proves_itself(auth: dict[str, Any], wanted: str) -> None:
    assert senders.proof(options(**auth).auth) == wanted


def test_each_kind_has_its_line() -> None:
    shapes: dict[str, Any] = {
        "basic": {"user": "u", "password": SECRET}, "header": {"name": "X", "token": SECRET}, "hmac": {"header": "X", "key": SECRET},
        "grafana": {"key": SECRET}, "sns": {"topics": ["arn:aws:sns:eu-west-1:123456789012:a"]}, "none": True,
    }  # fmt: skip
    for kind in type(options(none=True).auth).model_fields:
        line = senders.proof(options(**{kind: shapes.get(kind, SECRET)}).auth)
        assert line
        assert (VALUE in line) == (kind not in ("sns", "none")), kind


@pytest.mark.parametrize(("auth", "text", "wanted"), [
    ({"bearer": SECRET}, "url: HOOK_URL\nkey: TOKEN\nfile: TOKEN_FILE\n", f"url: U\nkey: {VALUE}\nfile: <a file with the value of env:A>\n"),
    ({"github": SECRET}, "it is SECRET, or `SECRET`", f"it is {VALUE}, or `{VALUE}`"),
    ({"url_token": SECRET}, "URL HOOK_URL/TOKEN", "URL U"),
    ({"bearer": SECRET}, 'URL HOOK_URL/TOKEN "HOOK_URL"', 'URL U "U"'),
    ({"bearer": SECRET}, "MY_TOKEN $TOKEN TOKENS SECRETS token HOOK_URLS", "MY_TOKEN $TOKEN TOKENS SECRETS token HOOK_URLS"),
    ({"none": True}, "TOKEN TOKEN_FILE", "<nothing, since the hook asks for none> <nothing, since the hook asks for none>"),
    ({"bearer": {"secret": r"file:/a\1 HOOK_URL TOKEN"}}, "TOKEN", r"<the value of file:/a\1 HOOK_URL TOKEN>"),
    ({"bearer": SECRET}, "", "POST a body (Content-Type: application/json) to  U\n"),
])  # fmt: skip
def test_the_words_of_a_block(auth: dict[str, Any], text: str, wanted: str) -> None:
    assert senders.setup(form(text), "U", options(**auth).auth) == wanted


@pytest.mark.parametrize("name", plugins.builtin_names("formats"))
def test_no_block_that_ships_keeps_a_word_that_stands_for_something(name: str) -> None:
    told = senders.setup(plugins.find("formats", name).FORMAT, "https://h/hooks/x", options(bearer=SECRET).auth)
    assert "https://h/hooks/x" in told
    assert not {"HOOK_URL", "TOKEN", "TOKEN_FILE", "SECRET"} & {*told.replace("=", " ").replace('"', " ").split()}
