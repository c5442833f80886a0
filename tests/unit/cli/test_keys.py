"""`healer keys`: through the daemon, and into the store where none runs."""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
import sqlite3

import pytest

from healer import store
from healer.store import ownership

KEY = "hlr_7f3k2m_" + "a" * 40


def test_create_prints_the_key_alone(ask, daemon):
    daemon["POST /api/v1/keys"] = {"id": "7f3k2m", "key": KEY, "name": "ci", "role": "ci"}
    done = ask("keys", "create", "ci", "--role", "ci")
    assert done.stdout == KEY + "\n"
    assert "7f3k2m" in done.stderr
    assert KEY not in done.stderr
    assert json.loads(daemon.requests[0].body) == {"name": "ci", "role": "ci"}


def test_create_wants_a_role_or_a_person(ask):
    done = ask("keys", "create", "ci")
    assert done.exit_code == 2
    assert "healer keys create wants --role ROLE or --principal WHO, none was given" in done.stderr
    assert "healer keys create ci --role ROLE" in done.stderr


@pytest.mark.parametrize(("args", "asked", "said"), [
    (["--principal", "ana"], {"principal": "ana"}, "key 7f3k2m for laptop, with the roles of ana"),
    (["--role", "approver", "--principal", "ana"], {"role": "approver", "principal": "ana"}, "key 7f3k2m for laptop (ana's), role approver"),
])  # fmt: skip
def test_create_a_key_of_somebody(ask, daemon, args, asked, said):
    daemon["POST /api/v1/keys"] = {"id": "7f3k2m", "key": KEY}
    done = ask("keys", "create", "laptop", *args)
    assert (done.exit_code, done.stdout) == (0, KEY + "\n")
    assert said in done.stderr
    assert json.loads(daemon.requests[0].body) == {"name": "laptop", **asked}


def test_an_answer_without_a_key(ask, daemon):
    daemon["POST /api/v1/keys"] = {"id": "7f3k2m"}
    assert ask("keys", "create", "ci", "--role", "ci").exit_code == 1


def test_list(ask, daemon):
    key = {"created": "2026-03-01T02:07:12Z", "created_by": "os:root", "revoked": None}
    daemon["GET /api/v1/keys"] = {"next": None, "items": [
        {"id": "7f3k2m", "name": "ci", "role": "ci", "principal": None, **key}, {"id": "9abcde", "name": "pc", "role": None, "principal": "ana", **key},
        {"id": "old234", "name": "x", "role": "ci", **key},
    ]}  # fmt: skip
    for args in (["keys"], ["keys", "list"]):
        assert ask(*args).stdout.splitlines() == [
            "id      name  role    whose  made                        by       revoked",
            "7f3k2m  ci    ci             2026-03-01 03:07:12 +01:00  os:root",
            "9abcde  pc    theirs  ana    2026-03-01 03:07:12 +01:00  os:root",
            "old234  x     ci             2026-03-01 03:07:12 +01:00  os:root",
        ]


def test_revoke(ask, daemon):
    daemon["DELETE /api/v1/keys/7f3k2m"] = {}
    assert ask("keys", "revoke", "7f3k2m").stdout == "revoked 7f3k2m\n"
    assert ask("keys", "revoke", "nothere").exit_code == 1


def test_a_key_that_was_revoked_before(ask, daemon):
    daemon["DELETE /api/v1/keys/7f3k2m"] = {"id": "7f3k2m", "revoked": False}
    assert ask("keys", "revoke", "7f3k2m").stdout == "revoked 7f3k2m before; nothing changed\n"


@pytest.mark.parametrize(
    ("args", "route", "answer"),
    [
        (["list"], "GET /api/v1/keys", {"items": [{"id": None, "name": "admin", "role": "admin", "created": None,
                                                   "created_by": "file", "revoked": None}], "next": None}),
        (["create", "ci", "--role", "ci"], "POST /api/v1/keys", {"id": "7f3k2m", "key": KEY, "name": "ci", "role": "ci"}),
        (["revoke", "7f3k2m"], "DELETE /api/v1/keys/7f3k2m", {"id": "7f3k2m", "revoked": False}),
    ],
)  # fmt: skip
def test_json_is_the_answer_of_the_api(ask, daemon, args, route, answer):
    daemon[route] = answer
    assert json.loads(ask("keys", *args, "--json").stdout) == answer


# --- no daemon --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(healer, tmp_path):
    """A command on a data directory that no daemon owns."""

    def run(*args, **more):
        return healer(*args, "--data-dir", tmp_path / "own", **more)

    return run


def test_without_a_daemon_keys_are_written_into_the_store(alone, tmp_path):
    made = alone("keys", "create", "ci", "--role", "operator")
    assert made.exit_code == 0, made.stderr
    key = made.stdout.strip()
    key_id = re.fullmatch(r"hlr_([a-z2-7]{6,10})_[a-z2-7]{32,}", key)[1]
    with sqlite3.connect(tmp_path / "own" / store.DATABASE) as opened:
        (row,) = opened.execute("SELECT id, hash, name, role, revoked_us FROM api_key").fetchall()
    opened.close()
    assert row == (key_id, hashlib.sha256(key.encode()).hexdigest(), "ci", "operator", None)
    listed = alone("keys", "list").stdout
    assert key_id in listed
    assert key not in listed
    assert row[1] not in listed + alone("keys", "--json").stdout
    assert alone("keys", "revoke", key_id).exit_code == 0
    listed = json.loads(alone("keys", "--json").stdout)
    assert (len(listed["items"]), listed["next"]) == (1, None)
    assert listed["items"][0].keys() == {"id", "name", "role", "principal", "created", "created_by", "revoked"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", listed["items"][0]["revoked"])
    assert json.loads(alone("keys", "revoke", key_id, "--json").stdout) == {"id": key_id, "revoked": False}
    assert alone("audit", "verify").exit_code == 0


def test_a_key_made_without_a_daemon_is_told_as_the_api_tells_it(alone):
    made = json.loads(alone("keys", "create", "ci", "--role", "ci", "--json").stdout)
    assert made.keys() == {"id", "name", "role", "principal", "created", "created_by", "revoked", "key"}
    assert (made["name"], made["role"], made["revoked"]) == ("ci", "ci", None)


def test_listing_makes_nothing(alone, tmp_path):
    done = alone("keys", "list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no keys" in done.stderr
    assert not (tmp_path / "own").exists()


def test_it_says_where_a_key_was_written(alone, tmp_path):
    assert f"no daemon runs; written into {tmp_path / 'own'}" in alone("keys", "create", "ci", "--role", "ci").stderr


def test_its_audit_says_who(alone, tmp_path):
    alone("keys", "create", "ci", "--role", "ci", env={"LOGNAME": "mallory", "USER": "mallory"})
    with sqlite3.connect(tmp_path / "own" / store.DATABASE) as opened:
        records = [json.loads(text) for (text,) in opened.execute("SELECT record FROM audit")]
    opened.close()
    (record,) = [record for record in records if record["kind"] == "key_created"]
    assert record["actor"].startswith("os:")
    assert "mallory" not in record["actor"]


@pytest.mark.parametrize(
    ("args", "code"),
    [(["create", "ci", "--role", "odd"], 2), (["create", "a b", "--role", "ci"], 2), (["revoke", "x"], 1)],
)
def test_refused_without_a_daemon(alone, args, code):
    done = alone("keys", *args)
    assert done.exit_code == code
    assert done.stderr.startswith("error[")
    assert done.stdout == ""


def test_never_beside_a_process_that_owns_the_directory(alone, tmp_path):
    (tmp_path / "own").mkdir()
    owner = ownership.Ownership(tmp_path / "own")
    owner.take()
    done = alone("keys", "create", "ci", "--role", "ci")
    owner.release()
    assert done.exit_code == 2
    assert "error[already-running]" in done.stderr
    assert not (tmp_path / "own" / store.DATABASE).exists()


def test_a_directory_that_cannot_be_made(healer, tmp_path):
    (tmp_path / "file").write_text("")
    assert healer("keys", "create", "ci", "--role", "ci", "--project", tmp_path / "file").exit_code == 2


def test_a_daemon_elsewhere_is_not_replaced_by_a_store_here(healer, tmp_path):
    done = healer("keys", "create", "ci", "--role", "ci", "--url", "http://nowhere.invalid")
    assert done.exit_code == 3
    assert list(pathlib.Path().iterdir()) == []


def test_in_a_folder_that_is_no_project_none_is_made(healer, tmp_path):
    for args in (["create", "ci", "--role", "ci"], ["revoke", "7f3k2m"]):
        done = healer("keys", *args)
        assert (done.exit_code, done.stdout) == (3, "")
        assert done.stderr == (
            "error[not-running]: no daemon answers at .healer/control.sock, and this folder is no project\n"
            "  try  --project DIR or --data-dir DIR, or go to the folder of the project\n"
        )
    assert not (tmp_path / "here/.healer").exists()


@pytest.mark.parametrize("name", ["healer.yaml", "rulebooks", "controllers.yaml"])
def test_in_a_project_that_was_never_started_one_is_made(healer, tmp_path, name):
    (tmp_path / "here" / name).mkdir()
    assert healer("keys", "create", "ci", "--role", "ci").exit_code == 0


def test_where_the_environment_names_the_data_directory_one_is_made(healer, tmp_path):
    done = healer("keys", "create", "ci", "--role", "ci", env={"HEALER_DATA_DIR": str(tmp_path / "own")})
    assert done.exit_code == 0, done.stderr


WHO = "roles: {oncall: {permissions: [approvals.decide]}}\nprincipals: {ana: {roles: [oncall]}}\n"


@pytest.mark.parametrize(("args", "role", "principal"), [
    (["--role", "oncall"], "oncall", None), (["--principal", "ana"], None, "ana"), (["--role", "ci", "--principal", "ana"], "ci", "ana"),
])  # fmt: skip
def test_without_a_daemon_the_project_says_which_roles_and_people_there_are(healer, tmp_path, args, role, principal):
    (tmp_path / "healer.yaml").write_text(WHO + "mode: nonsense\n")
    made = json.loads(healer("keys", "create", "x", *args, "--json", "--project", tmp_path).stdout)
    assert (made["role"], made["principal"]) == (role, principal)


@pytest.mark.parametrize(("args", "said"), [
    (["--role", "oncal"], "did you mean 'oncall'?"), (["--principal", "anna"], "did you mean 'ana'?"), (["--principal", "zoe"], "principals: {zoe: "),
])  # fmt: skip
def test_without_a_daemon_nobody_gets_a_key_who_is_not_there(healer, tmp_path, args, said):
    (tmp_path / "healer.yaml").write_text(WHO)
    done = healer("keys", "create", "x", *args, "--project", tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_data_directory_alone_says_nothing_of_people(alone, tmp_path):
    (tmp_path / "healer.yaml").write_text(WHO)
    assert alone("keys", "create", "x", "--role", "oncall").exit_code == 2
