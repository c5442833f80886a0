"""What may be shown of the options of plugins: all but what is secret, or could be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from healer import model
from healer.web import hiding


@pytest.mark.parametrize(("given", "shown"), [
    ({"key": {"secret": "file:/run/secrets/id"}}, {"key": {"secret": "file:/run/secrets/id"}}),
    ({"password": "s3cret"}, {"password": "***"}),
    ({"db_password": ["s3cret"]}, {"db_password": ["***"]}),
    ({"api_token": "s3cret", "tokens_max": 5}, {"api_token": "***", "tokens_max": 5}),
    ({"secret": "s3cret"}, {"secret": "***"}),
    ({"x": {"secret": "s3cret"}}, {"x": {"secret": "***"}}),
    ({"url": "https://ana:s3cret@aap.example.org/x@y"}, {"url": "https://***@aap.example.org/x@y"}),
    ({"x": "$ANSIBLE_VAULT;1.1;AES256\n6162"}, {"x": {"secret": "ansible-vault"}}),
    ({"x": [model.Reference("ansible-vault:6162")]}, {"x": [{"secret": "ansible-vault"}]}),
    ({"pin_password": 123456, "passwords_max": 3, "secret": True}, {"pin_password": "***", "passwords_max": 3, "secret": True}),
    ({"headers": {"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Cookie": "s3cret"}}, {"headers": {"Authorization": "***", "X-Api-Key": "***", "Cookie": "***"}}),
    ({"conn_str": "Endpoint=x;SharedAccessKey=s3cret", "dsn": "host=h password=s3cret", "secret_key": "s3cret", "account_key": "s3cret"},
     {"conn_str": "***", "dsn": "***", "secret_key": "***", "account_key": "***"}),
    ({"known_hosts": "known_hosts", "port": 22, "agent": None}, {"known_hosts": "known_hosts", "port": 22, "agent": None}),
])  # fmt: skip
def test_no_option_shows_a_secret(given: Any, shown: Any) -> None:
    assert hiding.hidden(given) == shown
    assert "s3cret" not in json.dumps(hiding.hidden(given))
