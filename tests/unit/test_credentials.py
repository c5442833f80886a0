"""Which keys call their value a secret, also misspelt, and which are ordinary ones."""

from __future__ import annotations

import pytest

from healer import config, credentials

SECRET = (
    "password PASSWORD db.password ansible_ssh_pass pasword passwrod passowrd paswrd passwort pwd token tokne toekn tkn access_token accessToken "
    "X-Auth-Token secret secert sercet client_secret secrets api-key apikey apiKey API_KEY apikye apkey X-Api-Key authorization Authorisation "
    "Proxy-Authorization cookie Set-Cookie bearer credentials credntials passphrase key_passphrase kubeconfig private_key privat_key secretkey "
    "Ocp-Apim-Subscription-Key X-Functions-Key AccountKey token2 password_text vault_password auth"
)
ORDINARY = (
    "path port host key name user username url inventory default known_hosts target keys tokens_of password_file secret_name token_id taken "
    "secure section sector server select header passed passport bypass basis idempotency_key group_key dedup_key routing_key host_key task "
    "author authors method mode script bucket ticket broken last_word keyword order border certificate"
)


@pytest.mark.parametrize("key", SECRET.split())
def test_what_looks_like_a_credential(key: str) -> None:
    assert credentials.called(key)


@pytest.mark.parametrize("key", ORDINARY.split())
def test_what_does_not(key: str) -> None:
    assert not credentials.called(key)


@pytest.mark.parametrize(("key", "text", "itself"), [
    ("token", "abc", True), ("token", "env:T", False), ("token", "file:/run/t", False), ("token", "{{ t }}", False), ("token", "null", False),
    ("token", "nullable", True), ("auth", "none", False), ("auth", "basic", False), ("auth", "basics", True), ("password", "basic", True),
])  # fmt: skip
def test_what_is_a_secret_itself(key: str, text: str, itself: bool) -> None:
    assert credentials.is_literal(key, text) is itself


@pytest.mark.parametrize("count", [1, credentials.TEXTS_MAX + 1])
def test_a_sentence_is_rid_of_them_however_many_there_are(count: int) -> None:
    listed = config.read_text(
        "\n".join(f"- {{password: secret{number}, port: port5}}" for number in range(count)), "f.yml"
    )
    written = credentials.Written(listed.value)
    assert len(written.marks) == count
    assert written.left_out(f"no 'secret{count - 1}', no 'port5'", None, "***") == "no '***', no 'port5'"
