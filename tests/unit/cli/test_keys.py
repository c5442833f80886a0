"""`healer keys`: through the daemon, and into the store where none runs."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import sqlite3
import types

import pytest

from healer import errors, store
from healer.cli import client, keys
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
    assert ask("keys", "revoke", "--yes", "7f3k2m").stdout == "revoked 7f3k2m\n"
    assert ask("keys", "revoke", "--yes", "nothere").exit_code == 1


def test_a_key_that_was_revoked_before(ask, daemon):
    daemon["DELETE /api/v1/keys/7f3k2m"] = {"id": "7f3k2m", "revoked": False}
    assert ask("keys", "revoke", "--yes", "7f3k2m").stdout == "revoked 7f3k2m before; nothing changed\n"


@pytest.mark.parametrize(
    ("args", "route", "answer"),
    [
        (["list"], "GET /api/v1/keys", {"items": [{"id": None, "name": "admin", "role": "admin", "created": None,
                                                   "created_by": "file", "revoked": None}], "next": None}),
        (["create", "ci", "--role", "ci"], "POST /api/v1/keys", {"id": "7f3k2m", "key": KEY, "name": "ci", "role": "ci"}),
        (["revoke", "7f3k2m", "--yes"], "DELETE /api/v1/keys/7f3k2m", {"id": "7f3k2m", "revoked": False}),
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
    assert alone("keys", "revoke", "--yes", key_id).exit_code == 0
    listed = json.loads(alone("keys", "--json").stdout)
    assert (len(listed["items"]), listed["next"]) == (1, None)
    assert listed["items"][0].keys() == {"id", "name", "role", "principal", "created", "created_by", "revoked"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", listed["items"][0]["revoked"])
    assert json.loads(alone("keys", "revoke", "--yes", key_id, "--json").stdout) == {"id": key_id, "revoked": False}
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
    [(["create", "ci", "--role", "odd"], 2), (["create", "a b", "--role", "ci"], 2), (["revoke", "x", "--yes"], 1)],
)
def test_refused_without_a_daemon(alone, args, code):
    done = alone("keys", *args)
    assert done.exit_code == code
    assert done.stderr.startswith("error[")
    assert done.stdout == ""


# --- a daemon that begins or ends -------------------------------------------------------------------------------------------


@pytest.fixture
def naps(monkeypatch):
    """What is done in the place of each nap, the last of it over and over; time passes by naps alone."""
    now, does = [0.0], [lambda: None]

    def nap(seconds):
        now[0] += seconds
        (does.pop(0) if len(does) > 1 else does[0])()

    monkeypatch.setattr(keys, "time", types.SimpleNamespace(monotonic=lambda: now[0], sleep=nap))
    return does


@pytest.fixture
def owner(tmp_path):
    """The lock of the data directory `own`, as a daemon has it from the first moment of its start on."""
    (tmp_path / "own").mkdir(exist_ok=True)
    made = ownership.Ownership(tmp_path / "own")
    made.take()
    yield made
    made.release()


def test_never_beside_a_process_that_owns_the_directory(alone, owner, naps, tmp_path):
    for args in (["create", "ci", "--role", "ci"], ["revoke", "7f3k2m", "--yes"]):
        done = alone("keys", *args)
        assert (done.exit_code, done.stdout) == (3, "")
        waits, wrong, advice = done.stderr.splitlines()
        assert waits == f"a daemon that does not answer yet owns {tmp_path / 'own'}: waiting for it"
        assert re.fullmatch(
            rf"error\[not-ready\]: the daemon that owns {tmp_path / 'own'} \(pid {os.getpid()}, since \d{{4}}-.*\) does not answer: "
            r"it starts, or stops",
            wrong,
        )
        assert advice == "  try  again once its log says ready"
    assert not (tmp_path / "own" / store.DATABASE).exists()


def test_a_daemon_that_starts_is_waited_for(ask, daemon, naps):
    owner = ownership.Ownership(daemon.data_dir)
    owner.take()
    there, away = daemon.data_dir / "control.sock", daemon.data_dir / "not yet"
    there.rename(away)
    naps[:] = [lambda: None, lambda: away.rename(there)]
    daemon["POST /api/v1/keys"] = {"id": "7f3k2m", "key": KEY, "name": "ci", "role": "ci"}
    done = ask("keys", "create", "ci", "--role", "ci")
    owner.release()
    assert (done.exit_code, done.stdout) == (0, KEY + "\n"), done.stderr
    assert "written into" not in done.stderr
    assert len(daemon.requests) == 1


def test_a_daemon_that_ends_is_waited_for(alone, owner, naps):
    naps[:] = [lambda: None, owner.release]
    made = alone("keys", "create", "ci", "--role", "ci")
    assert (made.exit_code, made.stdout[:4]) == (0, "hlr_"), made.stderr
    assert "no daemon runs; written into" in made.stderr


def test_a_daemon_that_was_asked_and_does_not_answer_is_not_asked_twice(ask, daemon, naps, monkeypatch):
    """It may have made the key."""
    asked = []

    def hangs(self, method, path, **more):
        asked.append(path)
        raise errors.NotRunning(where="there within 30 s") from TimeoutError()

    monkeypatch.setattr(client.Client, "ask", hangs)
    done = ask("keys", "create", "ci", "--role", "ci")
    assert (done.exit_code, done.stderr) == (3, "error[not-running]: no daemon answers at there within 30 s\n")
    assert len(asked) == 1
    assert not (daemon.data_dir / store.DATABASE).exists()


def test_a_directory_that_cannot_be_made(healer, tmp_path):
    (tmp_path / "file").write_text("")
    assert healer("keys", "create", "ci", "--role", "ci", "--project", tmp_path / "file").exit_code == 2


def test_a_daemon_elsewhere_is_not_replaced_by_a_store_here(healer, tmp_path):
    done = healer("keys", "create", "ci", "--role", "ci", "--url", "http://nowhere.invalid")
    assert done.exit_code == 3
    assert list(pathlib.Path().iterdir()) == []


def test_in_a_folder_that_is_no_project_none_is_made(healer, tmp_path):
    for args in (["create", "ci", "--role", "ci"], ["revoke", "7f3k2m", "--yes"]):
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
