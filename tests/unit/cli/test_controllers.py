"""`healer controllers`: the list, one in full, and asking whether they work."""

from __future__ import annotations

import json

import pytest

OK = {"ok": True, "detail": "Python 3.11", "try": "", "at": "2026-03-01T02:00:00Z", "seconds": 0.1}
BROKEN = {
    "ok": False,
    "detail": "no \x1b[2Jansible-playbook",
    "try": "pip install x",
    "at": "2026-03-01T02:00:00Z",
    "seconds": 0.1,
}
HERE = {
    "name": "here", "type": "local", "default": True, "place": "controllers.yaml:2", "tags": [], "kinds": ["command", "script"],
    "target_kinds": ["host"], "inventory": None, "hosts": 0, "hosts_partial": False, "bound_to": {"targets": [], "actions": []},
    "concurrency": 10, "running": 2, "health": OK,
}  # fmt: skip
SITE = {
    "name": "site", "type": "ansible", "default": False, "place": "controllers.yaml:3", "tags": ["prod"], "kinds": ["playbook"],
    "target_kinds": ["host"], "inventory": "inventory", "hosts": 1, "hosts_partial": True,
    "bound_to": {"targets": [{"target": "group:web", "hosts": 2}, {"target": "db1", "hosts": None}], "actions": ["restart"]},
    "concurrency": 3, "running": 0, "health": None, "options": {"vault_password": {"secret": "env:VAULT"}},
}  # fmt: skip


@pytest.fixture
def listed(daemon):
    daemon["GET /api/v1/controllers"] = {"items": [HERE, SITE], "next": None}
    return daemon


def answer(name, health):
    return {"name": name, "type": "x", "health": health}


@pytest.mark.parametrize("args", [["controllers"], ["controllers", "list"]])
def test_table(ask, listed, args):
    done = ask(*args)
    assert done.stdout.splitlines() == [
        "controller      type     kinds           inventory                                 runs     tags  last check",
        "here (default)  local    command script  none                                      2 of 10        ok",
        "site            ansible  playbook        inventory: 1 host and what Ansible finds  0 of 3   prod  not asked yet",
    ]
    assert done.stderr == f"  whether they work:  healer controllers check --data-dir {listed.data_dir}\n"


def test_for_programs(ask, listed):
    assert json.loads(ask("controllers", "--json").stdout) == {"items": [HERE, SITE], "next": None}
    listed["GET /api/v1/controllers/site"] = SITE
    assert json.loads(ask("controllers", "show", "site", "--json").stdout) == SITE
    listed["POST /api/v1/controllers/site/check"] = answer("site", OK)
    assert json.loads(ask("controllers", "check", "site", "--json").stdout) == {"items": [answer("site", OK)]}


def test_one_in_full(ask, daemon):
    daemon["GET /api/v1/controllers/site"] = SITE
    assert ask("controllers", "show", "site").stdout.splitlines() == [
        "site  ansible",
        "  where       controllers.yaml:3",
        "  tags        prod",
        "  runs        playbook",
        "  reaches     host",
        "  inventory   inventory: 1 host and what Ansible finds",
        "  targets     group:web (2 hosts), db1",
        "  actions     restart",
        "  at work     0 of 3",
        '  option      vault_password: {"secret": "env:VAULT"}',
        "  check       not asked yet",
    ]


def test_hosts_that_ansible_lists(ask, daemon):
    listed = {
        "asked": "2026-03-01T02:05:00Z",
        "heard": "2026-03-01T02:00:00Z",
        "left_out": ["the host 'a b' is left out"],
        "error": "no \x1b[2J",
    }
    daemon["GET /api/v1/controllers/site"] = SITE | {"hosts_listed": listed}
    assert ask("controllers", "show", "site").stdout.splitlines()[5:9] == [
        "  inventory   inventory: 1 host, as Ansible lists them",
        "              Ansible listed them 2026-03-01 03:00:00 +01:00",
        "              Ansible could not list them: no ",
        "              the host 'a b' is left out",
    ]


def test_a_list_that_has_nothing_beside_files_any_more_is_shown_and_told_by_the_check(ask, daemon, listed):
    dried = {"heard": "2026-03-01T02:00:00Z", "dried": {"from": 2, "at": "2026-03-01T02:00:00Z"}}
    says = "Ansible lists no host any more but those of files, since 2026-03-01 03:00:00 +01:00; 2 beside them before"
    daemon["GET /api/v1/controllers/site"] = SITE | {"hosts_listed": dried}
    assert ask("controllers", "show", "site").stdout.splitlines()[7] == f"              {says}"
    listed["POST /api/v1/controllers/here/check"] = answer("here", OK) | {"hosts_listed": None}
    listed["POST /api/v1/controllers/site/check"] = answer("site", OK) | {"hosts_listed": dried | {"error": "no cloud"}}
    done = ask("controllers", "check")
    assert (done.exit_code, done.stdout.splitlines()[1:]) == (
        0,
        [
            "site        ok 2026-03-01 03:00:00 +01:00: Python 3.11",
            "            Ansible could not list its hosts: no cloud",
            f"            {says}",
        ],
    )


def test_what_is_wrong_is_said_with_what_to_do(ask, daemon):
    daemon["GET /api/v1/controllers/site"] = SITE | {"health": BROKEN}
    assert ask("controllers", "show", "site").stdout.splitlines()[-2:] == [
        "  check       not usable 2026-03-01 03:00:00 +01:00: no ansible-playbook",
        "              try  pip install x",
    ]


def test_all_are_asked_and_one_that_is_not_usable_is_found(ask, listed):
    listed["POST /api/v1/controllers/here/check"] = answer("here", OK)
    listed["POST /api/v1/controllers/site/check"] = answer("site", BROKEN)
    done = ask("controllers", "check")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "here        ok 2026-03-01 03:00:00 +01:00: Python 3.11",
        "site        not usable 2026-03-01 03:00:00 +01:00: no ansible-playbook",
        "            try  pip install x",
    ]
    assert ask("controllers", "check", "here").exit_code == 0


def test_an_answer_without_health_is_no_health(ask, daemon):
    daemon["POST /api/v1/controllers/here/check"] = {"name": "here"}
    assert ask("controllers", "check", "here").exit_code == 1


def test_one_that_is_not_there(ask, daemon):
    problem = {"code": "not-found", "detail": "the controller 'x' is not known", "try": "healer controllers"}
    daemon["POST /api/v1/controllers/x/check"] = (404, problem)
    done = ask("controllers", "check", "x")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        1,
        f"  try  healer controllers --data-dir {daemon.data_dir}",
    )


def test_not_allowed_and_not_reachable(ask, healer, daemon, tmp_path):
    daemon["POST /api/v1/controllers/a/check"] = (403, {"code": "forbidden", "detail": "no"})
    assert ask("controllers", "check", "a").exit_code == 4
    assert healer("controllers", "check", "--data-dir", tmp_path / "none").exit_code == 3
