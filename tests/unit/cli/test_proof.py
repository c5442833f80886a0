"""`healer send` to a webhook: it proves itself as the hook's own sender would, with what the project's files say and can be read here."""

from __future__ import annotations

import base64
import os
import pathlib
import time

import multidict
import pytest
import yaml

from healer import model
from healer.cli import client, proof
from healer.sources import _proof
from healer.web import proving

ACCEPTED = 202, {"accepted": 1, "duplicates": 0, "ids": ["e-12"]}
REF = "{secret: 'env:HOOK_SECRET'}"
WHSEC = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
KINDS = {
    "bearer": REF, "basic": f"{{user: am, password: {REF}}}", "header": f"{{name: X-Token, token: {REF}}}", "url_token": REF, "github": REF,
    "hmac": f"{{header: X-Sig, key: {REF}, prefix: 'v=', algorithm: sha512, encoding: base64, timestamp: X-Time, separator: '|'}}",
    "gitlab": REF, "slack": REF, "standard_webhooks": REF, "sentry": REF, "pagerduty": REF, "grafana": f"{{key: {REF}, timestamp: X-Time}}",
    "stripe": REF,
}  # fmt: skip


@pytest.fixture
def deliver(healer, daemon, tmp_path):
    """`deliver(auth, …)`: sends an event to the hook `x/y` of a project whose source has that `auth`, and what came there."""
    (tmp_path / "event.json").write_text('{"a": "ä"}')

    def run(auth, *args, env=None, more="", stdin=None, answer=ACCEPTED):
        (tmp_path / "healer.yaml").write_text(
            f"sources:\n  x:\n    healer.webhook: {{path: x/y, auth: {auth}}}\n{more}"
        )
        daemon["POST /hooks/x/y"], daemon["POST /hooks/x/y/s3cret"] = answer, answer
        file = "-" if stdin else tmp_path / "event.json"
        there = ("--project", tmp_path, "--data-dir", daemon.data_dir)
        return healer("send", file, "--hook", "x/y", "--yes", *there, *args, env=env, stdin=stdin)

    return run


def is_proved(auth, secret, request):
    """Whether the daemon would take it."""
    token = request.path.removeprefix("/hooks/x/y").removeprefix("/")
    given = proving.Given(request.body, multidict.CIMultiDict(request.headers), token or None)
    proving.verify(_proof.Auth.model_validate(auth), given, [model.Secret("env:HOOK_SECRET", secret)], time.time())
    return True


def secret_for(kind):
    return WHSEC if kind == "standard_webhooks" else "s3cret"


def as_read(kind):
    return {kind: yaml.safe_load(KINDS[kind])}


def test_every_kind_with_a_secret_is_here():
    assert {*KINDS} == {*_proof.KINDS} - {"none", "sns"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_option", [False, True])
def test_every_kind_is_proved_with_the_secret_of_the_project_or_a_token(deliver, daemon, kind, by_option):
    secret = secret_for(kind)
    given = {"args": ("--token", secret)} if by_option else {"env": {"HOOK_SECRET": secret, "HEALER_KEY": "hlr_a_b"}}
    done = deliver(
        f"{{{kind}: {KINDS[kind]}}}",
        *given.get("args", ()),
        env=given.get("env"),
        stdin=b'[{"a": 1}, {"b": "\xc3\xa4"}]',
    )
    assert done.exit_code == 0, done.stderr
    assert [is_proved(as_read(kind), secret, one) for one in daemon.requests] == [True, True]
    assert all("hlr_a_b" not in str(one.headers) for one in daemon.requests)  # the key is another's affair
    if kind == "standard_webhooks":
        assert len({one.headers["webhook-id"] for one in daemon.requests}) == 2


def test_a_signing_token_of_gitlab_signs(deliver, daemon):
    assert deliver(f"{{gitlab: {REF}}}", env={"HOOK_SECRET": WHSEC}).exit_code == 0
    assert is_proved({"gitlab": {"secret": "env:HOOK_SECRET"}}, WHSEC, daemon.requests[0])
    assert "x-gitlab-token" not in daemon.requests[0].headers


def test_an_open_hook_gets_no_proof(deliver, daemon):
    assert deliver("none").exit_code == 0
    assert "authorization" not in daemon.requests[0].headers


def test_the_first_of_several_secrets_that_can_be_read_is_taken(deliver, daemon, tmp_path):
    (tmp_path / "old").write_text("s3cret\n")
    assert deliver(f"{{bearer: [{REF}, {{secret: 'file:old'}}]}}").exit_code == 0
    assert daemon.requests[0].headers["authorization"] == "Bearer s3cret"


def test_a_public_key_beside_a_secret_one_is_passed_over(deliver, daemon, tmp_path):
    (tmp_path / "public").write_text(f"whpk_{base64.b64encode(bytes(32)).decode()}")
    assert (
        deliver(f"{{standard_webhooks: [{{secret: 'file:public'}}, {REF}]}}", env={"HOOK_SECRET": WHSEC}).exit_code == 0
    )
    assert is_proved({"standard_webhooks": {"secret": "env:HOOK_SECRET"}}, WHSEC, daemon.requests[0])


def test_a_source_of_a_rulebook_by_name(healer, daemon, tmp_path):
    (tmp_path / "rulebooks").mkdir()
    (tmp_path / "rulebooks" / "none.yml").write_text("- name: other\n")
    book = f"- name: rs\n  hosts: all\n  sources: [{{name: ci, healer.webhook: {{path: ci, auth: {{github: {REF}}}}}}}]\n  rules: []\n"
    (tmp_path / "rulebooks" / "ci.yml").write_text(book)
    status = {"mode": "observe", "sources": [{"name": "ci/rs/ci", "type": "healer.webhook", "path": "ci"}]}
    daemon["GET /api/v1/status"], daemon["POST /hooks/ci"] = status, ACCEPTED
    there = ("--project", tmp_path, "--data-dir", daemon.data_dir)
    done = healer("send", "-", "--source", "ci/rs/ci", *there, stdin=b"{}", env={"HOOK_SECRET": "k"})
    assert done.exit_code == 0, done.stderr
    assert daemon.requests[-1].headers["x-hub-signature-256"].startswith("sha256=")


# --- what cannot be done --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("auth", "env", "reason", "try_"), [
    (f"{{github: {REF}}}", {}, "github, and that cannot be given here: the secret env:HOOK_SECRET cannot be read: the variable is not set",
     "HOOK_SECRET=… in the environment of this shell, or --token TOKEN, or HEALER_HOOK_TOKEN"),
    ("{bearer: {secret: 'file:away'}}", {}, "bearer, and that cannot be given here: the secret file:away cannot be read: No such file or directory",
     "as a user who may read it, or --token TOKEN, or HEALER_HOOK_TOKEN"),
    ("{sns: {topics: ['arn:aws:sns:eu-west-1:123456789012:a']}}", {}, "sns, and that cannot be given here: only Amazon signs in the name of SNS",
     "healer simulate FILE shows what it would lead to; a source of its own with auth: {bearer: …} takes it from you"),
    (f"{{standard_webhooks: {REF}}}", {"HOOK_SECRET": f"whpk_{base64.b64encode(bytes(32)).decode()}"},
     "standard_webhooks, and that cannot be given here: the secret env:HOOK_SECRET is a public key: only who has its other half can sign",
     "healer simulate FILE shows what it would lead to; a source of its own with auth: {bearer: …} takes it from you"),
])  # fmt: skip
def test_what_cannot_be_proved_is_said_and_nothing_is_sent(deliver, daemon, auth, env, reason, try_):
    done = deliver(auth, env=env)
    assert done.exit_code == 4
    assert done.stderr == f"error[cannot-prove]: the hook x/y wants {reason}\n  try  {try_}\n"
    assert daemon.requests == []


def test_a_token_that_cannot_be_one_is_said_and_not_shown(deliver, daemon):
    done = deliver(f"{{url_token: {REF}}}", "--token", "a/b§")
    assert done.exit_code == 4
    assert (
        "the token in the URL has a character that is not ASCII\n  try  the secret as its sender has it\n"
        in done.stderr
    )
    assert "a/b" not in done.output


@pytest.mark.parametrize("auth", ["none", None])
def test_a_token_that_no_header_carries_is_said_and_not_shown(deliver, healer, daemon, auth):
    if auth:
        done = deliver(auth, "--token", "tö")
    else:
        done = healer(
            "send", "-", "--hook", "x/y", "--yes", "--data-dir", daemon.data_dir, "--token", "tö", stdin=b"{}"
        )
    assert done.exit_code == 2
    wanted = (
        "error[usage]: --token: it would go in a header, where printable ASCII is allowed alone\n  try  --project DIR"
    )
    assert wanted in done.stderr
    assert "tö" not in done.output
    assert daemon.requests == []


def test_a_header_that_is_the_proof_is_not_given_beside_it(deliver, daemon):
    done = deliver(f"{{github: {REF}}}", "--header", "x-hub-signature-256: sha256=00", env={"HOOK_SECRET": "k"})
    assert done.exit_code == 2
    assert "error[usage]: --header: x-hub-signature-256 proves the delivery, and is made from the secret" in done.stderr
    assert daemon.requests == []


NO = 401, {"code": "unauthorized", "detail": "this delivery does not prove that it comes from the sender of this hook"}


@pytest.mark.parametrize(("args", "says"), [
    ((), "it was proved by header with env:HOOK_SECRET, as healer.yaml says: does the daemon run that revision, and has it the same secret?"),
    (("--token", "t"), "it was proved by header with --token, as healer.yaml says: does the daemon run that revision, and has it the same secret?"),
])  # fmt: skip
def test_a_proof_that_is_refused_says_what_it_was(deliver, args, says):
    done = deliver(f"{{header: {{name: X-T, token: {REF}}}}}", *args, env={"HOOK_SECRET": "s3cret"}, answer=NO)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (4, f"  try  {says}")
    assert "s3cret" not in done.output


@pytest.mark.parametrize(("text", "why"), [
    ("sources: {}\n", "no source of {root} has this path"), (None, "{root} is no project"), (": [", "no source of {root} has this path"),
    ("sources:\n  x: {healer.webhook: {path: x/y, auth: {bearer: 5}}}\n", "what healer.yaml says of it is wrong (healer validate)"),
])  # fmt: skip
@pytest.mark.parametrize("token", [True, False])
def test_where_nobody_says_how_a_token_is_a_bearers(healer, daemon, tmp_path, text, why, token):
    daemon["POST /hooks/x/y"] = NO
    if text is not None:
        (tmp_path / "healer.yaml").write_text(text)
    there = ("--project", tmp_path, "--data-dir", daemon.data_dir, *(("--token", "t0k") if token else ()))
    done = healer("send", "-", "--hook", "x/y", "--yes", *there, stdin=b"{}")
    why = why.format(root=tmp_path)
    told = (
        f"--token went as Authorization: Bearer, and perhaps it wants another proof: {why}"
        if token
        else f"--token TOKEN, or HEALER_HOOK_TOKEN; {why}"
    )
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (4, f"  try  {told}")
    assert daemon.requests[0].headers.get("authorization") == ("Bearer t0k" if token else None)


def test_no_secret_goes_to_a_stranger_in_a_folder_that_nobody_named(healer, daemon, tmp_path, monkeypatch):
    """Somebody may have put a project and a control socket of their own into the folder that a person happens to be in."""
    monkeypatch.chdir(tmp_path)
    pathlib.Path(".healer").symlink_to("data")
    pathlib.Path("healer.yaml").write_text(
        "sources: {x: {healer.webhook: {path: x, auth: {url_token: {secret: 'file:own'}}}}}\n"
    )
    pathlib.Path("own").write_text("s3cret")
    daemon["POST /hooks/x/s3cret"] = ACCEPTED
    assert healer("send", "-", "--hook", "x", "--yes", stdin=b"{}").exit_code == 0
    monkeypatch.setattr(client, "_user_of", lambda _: os.geteuid() + 4711)
    done = healer("send", "-", "--hook", "x", "--yes", stdin=b"{}")
    assert (done.exit_code, len(daemon.requests)) == (4, 1)
    assert "in a folder that nobody named" in done.stderr


def test_nothing_of_the_project_is_run(deliver, daemon, tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mine.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    assert deliver(f"{{bearer: {REF}}}", env={"HOOK_SECRET": "s3cret"}, more="  y: {mine: {}}\n").exit_code == 0
    assert not pathlib.Path("ran").exists()


def test_nothing_of_a_prover_is_printed(tmp_path):
    assert "s3cret" not in repr(proof.Prover("x", None, "", model.Secret("env:A", "s3cret")))
