"""Starts that must not happen: one clear message with a code and a way out, the exit code that says why, and nothing changed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

RULESET: Final = """\
- name: healing
  hosts: all
  sources: [{{healer.api: {{}}}}]
  rules:
    - name: broken
      condition: {condition}
      action: {action}
"""
FINE: Final = "event.heal is defined"
HEAL: Final = '{run_action: {name: heal, target: "{{ event.heal }}"}}'


def book(condition: str = FINE, action: str = HEAL) -> str:
    """A rulebook of one rule."""
    return RULESET.format(condition=condition, action=action)


BOOK: Final = "rulebooks/healing.yml"
MISTAKES: Final[dict[str, tuple[str, str, str, str]]] = {
    "no YAML": (BOOK, "- name: [healing\n", "yaml", ""),
    "no list": (BOOK, "name: healing\n", "", "list"),
    "one key twice": ("healer.yaml", "mode: active\nmode: observe\n", "duplicate-key", "mode"),
    "a ruleset without rules": (BOOK, "- name: healing\n  hosts: all\n  sources: [{healer.api: {}}]\n", "", "rules"),
    "a ruleset without sources": (BOOK, f"- name: healing\n  hosts: all\n  rules: [{{name: r, condition: {FINE}, action: {{none: {{}}}}}}]\n", "", "sources"),
    "an unknown key": (BOOK, book() + "      acton: {none: {}}\n", "", "acton"),
    "a condition that is none": (BOOK, book("event.heal ==="), "condition-syntax", ""),
    "an operator that is none": (BOOK, book('event.heal ~~ "x"'), "condition-syntax", "'~'"),
    "an unknown source": (BOOK, book().replace("healer.api", "healer.apo"), "", "healer.apo"),
    "an unknown action of a rule": (BOOK, book(action="{run_acton: {name: heal}}"), "", "run_acton"),
    "an unknown action of the catalog": (BOOK, book(action="{run_action: {name: haal, target: h1}}"), "unknown_action", "haal"),
    "a parameter that is missing": (BOOK, book(action="{run_action: {name: level, target: h1}}"), "invalid_parameters", "level"),
    "a parameter that is wrong": (BOOK, book(action="{run_action: {name: level, target: h1, parameters: {level: 9}}}"), "invalid_parameters", "9"),
    "an unknown controller": (BOOK, book(action="{run_action: {name: heal, target: h1, controller: hera}}"), "unknown_controller", "hera"),
    "an unknown target": (BOOK, book(action="{run_action: {name: heal, target: nohost}}"), "unknown_target", "nohost"),
    "a throttle that is none": (BOOK, book() + "      throttle: {once_within: soon, group_by_attributes: [event.heal]}\n", "", "soon"),
    "two rules of one name": (BOOK, book() + f"    - {{name: broken, condition: {FINE}, action: {{none: {{}}}}}}\n", "", "broken"),
    "a template that is none": (BOOK, book(action='{run_action: {name: heal, target: "{{ event.heal + }}"}}'), "", "template"),
    "an unknown setting": ("healer.yaml", "enviroment: prod\n", "", "enviroment"),
    "a setting of the wrong kind": ("healer.yaml", "server: {port: high}\n", "", "port"),
    "an unknown type of controller": ("controllers.yaml", "controllers: {here: {type: locl}}\n", "", "locl"),
    "a default that is none": ("controllers.yaml", "controllers: {here: {type: local}}\ndefault: hera\n", "", "hera"),
    "an action without a file": ("actions.yaml", "actions: {heal: {script: none.sh}}\n", "", "none.sh"),
    "an action of no kind": ("actions.yaml", "actions: {heal: {description: heals}}\n", "", "heal"),
    "controllers in the wrong folder": ("controllers/web.yaml", "type: local\n", "wrong-folder", "controllers.yaml"),
    "a plugin among rulebooks": ("rulebooks/source.py", "x = 1\n", "wrong-folder", "sources/"),
    "an inventory that is none": ("inventory/hosts.yml", "- h1\n", "", "hosts.yml"),
}  # fmt: skip
"""What is wrong → (file, its text, the code if it is fixed, a word of the message)."""


def refused(daemon: Any, *flags: str, code: str, exit_code: int) -> str:
    """Start it in vain; what it said."""
    before = len(daemon.said())
    daemon.start(*flags)
    assert not daemon.came_up()
    assert daemon.ended() == exit_code, daemon.said()
    said = str(daemon.said()[before:])
    assert said.count(f"error[{code}]: ") == 1, said
    assert "Traceback" not in said
    assert "error[internal]" not in said
    return said


# --- the machine ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """A port that this process holds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def healed(daemon: Any) -> Any:
    """One that ran, and was stopped."""
    daemon.start()
    daemon.ready()
    daemon.stop()
    return daemon


def test_a_port_in_use_names_who_has_it_and_another(daemon: Any) -> None:
    with listening() as port:
        said = refused(daemon, "--port", str(port), code="port-in-use", exit_code=2)
        comm = pathlib.Path("/proc/self/comm").read_text().strip()
        assert f"error[port-in-use]: 127.0.0.1:{port} is taken by {comm} (pid {os.getpid()})" in said
        which = f"--project {daemon.project} --data-dir {daemon.data}"
        assert f"try  healer run {which} --port {port + 1 if port < 65535 else port - 1}, or" in said
    daemon.start()
    daemon.ready()  # and what it had opened before is in order


def test_a_data_directory_that_another_owns(daemon: Any, another: Callable[[str], Any]) -> None:
    owner = daemon.start()
    daemon.ready()
    second = another("second")
    second.data = daemon.data
    said = refused(second, code="already-running", exit_code=2)
    assert re.search(
        rf"\(pid {owner.pid}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d\)", said
    )  # local time, as people read it
    which = f"--project {second.project} --data-dir {second.data}"
    assert f"healer status {which} " in said
    assert f"healer run {which} --port 0 --standby" in said
    assert daemon.get("/readyz")[0] == 200
    daemon.event({"all": "well"})


def test_a_data_directory_that_cannot_be_made(daemon: Any) -> None:
    daemon.data = pathlib.Path("/proc/healer")
    assert "--data-dir" in refused(daemon, code="start", exit_code=2)


def test_a_data_directory_below_a_file(daemon: Any) -> None:
    daemon.data = daemon.write("file", "") / "data"
    assert "--data-dir" in refused(daemon, code="start", exit_code=2)


def test_a_data_directory_that_cannot_be_written_to(daemon: Any) -> None:
    daemon.data = pathlib.Path("/proc/self")  # not even root may create a file there
    said = refused(daemon, code="start", exit_code=2)
    assert "/proc/self" in said or "/proc/" in said


def test_a_schema_from_the_future(daemon: Any) -> None:
    daemon.data.mkdir()
    with contextlib.closing(sqlite3.connect(daemon.data / "healer.db")) as writing:
        writing.execute("PRAGMA user_version = 999")
    assert "schema 999" in refused(daemon, code="newer-schema", exit_code=2)


@pytest.mark.parametrize("name", ["work", "blobs", "revisions"])
def test_a_folder_of_the_data_directory_that_is_a_link(daemon: Any, name: str) -> None:
    """What the daemon writes and deletes there would be somebody else's."""
    elsewhere = daemon.base / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep/kept").write_text("x")
    daemon.data.mkdir()
    (daemon.data / name).symlink_to(elsewhere)
    assert "is a link" in refused(daemon, code="start", exit_code=2)
    assert (elsewhere / "deep/kept").exists()


@pytest.mark.parametrize("left", [None, b"", b"x"])
def test_a_database_that_has_gone(healed: Any, left: bytes | None) -> None:
    for path in healed.data.glob("healer.db*"):
        path.unlink()
    if left is not None:
        (healed.data / "healer.db").write_bytes(left)
    said = refused(healed, "--mode", "active", code="database-missing", exit_code=2)
    assert "not there, empty or no database" in said
    assert "copy" in said


def test_a_database_that_is_older_than_what_was_done(healed: Any, wait_for: Callable[..., None]) -> None:
    """As what took effect since would take effect again."""
    copy = (healed.data / "healer.db").read_bytes()
    healed.start()
    healed.ready()
    healed.event({"heal": "h1"})
    wait_for(lambda: healed.states() == ["succeeded"], 60, "it to heal")
    healed.stop()
    (healed.data / "healer.db").write_bytes(copy)
    said = refused(healed, code="store-older", exit_code=2)
    witness = healed.data / "witness"
    assert f"whose effects may then happen again: rm {witness}\n" in said
    witness.unlink()
    healed.start()
    healed.ready()
    assert healed.states() == []


DAMAGES: Final = {
    "a table has gone": ("DROP TABLE delivery", "the table delivery is missing"),
    "a guard has gone": ("DROP TRIGGER audit_no_delete", "the trigger audit_no_delete is missing"),
    "a guard is another": (
        "DROP TRIGGER audit_no_update; CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT 1; END", "is not as the schema",
    ),
    "no head": ("DELETE FROM audit_head", "no head"),
    "no position": ("DELETE FROM position", "no position"),
    "no owner": ("DELETE FROM instance", "whose it is"),
    "another edge": ("UPDATE audit_head SET frontier = zeroblob(length(frontier))", "right edge"),
    "an edge cut": ("UPDATE audit_head SET frontier = x'00'", "hashes"),
    "a head cut": ("UPDATE audit_head SET size = 0, root = x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', frontier = x''", "ends elsewhere"),
    "another chain": ("UPDATE audit_head SET chain = zeroblob(32)", "ends elsewhere"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGES)
def test_a_database_that_is_damaged(healed: Any, case: str) -> None:
    statements, says = DAMAGES[case]
    with contextlib.closing(sqlite3.connect(healed.data / "healer.db")) as writing:
        writing.executescript(statements)
    said = refused(healed, code="store-damaged", exit_code=2)
    assert says in said
    assert "healer audit verify" in said


@pytest.mark.parametrize("version", [0, -1])
def test_a_schema_without_a_number(healed: Any, version: int) -> None:
    with contextlib.closing(sqlite3.connect(healed.data / "healer.db")) as writing:
        writing.execute(f"PRAGMA user_version = {version}")
    assert f"the number {version}" in refused(healed, code="store", exit_code=1)


def test_a_lock_that_is_no_file(daemon: Any) -> None:
    daemon.data.mkdir()
    os.mkfifo(daemon.data / "lock")
    assert "the lock" in refused(daemon, code="start", exit_code=2)


def test_a_database_that_is_no_file(daemon: Any) -> None:
    (daemon.data / "healer.db").mkdir(parents=True)
    assert "is no file" in refused(daemon, code="store", exit_code=1)


def test_a_data_directory_behind_links_that_go_round(daemon: Any) -> None:
    daemon.data = daemon.base / "round"
    daemon.data.symlink_to(daemon.data)
    assert "--data-dir" in refused(daemon, code="start", exit_code=2)


def test_a_store_that_is_none(daemon: Any) -> None:
    daemon.data.mkdir()
    (daemon.data / "healer.db").write_bytes(b"not a database, but rather long" * 400)
    refused(daemon, code="store", exit_code=1)
    assert (daemon.data / "healer.db").read_bytes().startswith(b"not a database")


def test_an_address_that_is_not_ours(daemon: Any) -> None:
    assert "192.0.2.1" in refused(daemon, "--host", "192.0.2.1", code="start", exit_code=2)


# --- the first start -----------------------------------------------------------------------------------------------------


@pytest.fixture
def far(daemon: Any) -> Any:
    """One whose inventory reaches beyond this machine, on a new data directory."""
    daemon.write("inventory/hosts.yml", "all: {hosts: {web1: {ansible_host: 192.0.2.7}}}\n")
    daemon.write("controllers.yaml", "controllers: {site: {type: ansible, inventory: inventory/}}\ndefault: site\n")
    daemon.write("actions.yaml", "actions: {ping: {module: ansible.builtin.ping}}\n")
    daemon.write(BOOK, book(action='{run_action: {name: ping, target: "{{ event.heal }}"}}'))
    daemon.data = daemon.base / "new"
    return daemon


def test_a_first_start_that_would_act_on_others(far: Any) -> None:
    said = refused(far, code="first-start-active", exit_code=2)
    assert "and site reaches beyond this machine" in said
    assert "--mode observe" in said
    assert "--mode active" in said
    assert not (far.data / "healer.db").exists()
    refused(far, code="first-start-active", exit_code=2)  # asking twice is no way out


def test_several_controllers_reach(far: Any) -> None:
    controllers = (
        "controllers: {site: {type: ansible, inventory: inventory/}, more: {type: ansible, inventory: inventory/}}\n"
    )
    far.write("controllers.yaml", controllers + "default: site\n")
    said = refused(far, code="first-start-active", exit_code=2)
    assert "and more, site reach beyond this machine" in said


@pytest.mark.parametrize("mode", ["observe", "active"])
def test_the_ways_out(far: Any, mode: str) -> None:
    far.start("--mode", mode)
    assert far.came_up(), far.said()
    assert far.stop() == 0
    far.start()
    assert far.came_up(), far.said()  # its second start is no first one


def test_the_environment_is_a_way_out_too(far: Any) -> None:
    far.variables["HEALER_MODE"] = "active"
    far.start()
    assert far.came_up(), far.said()


# --- the project ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_the_project(daemon: Any, case: str) -> None:
    file, text, code, word = MISTAKES[case]
    daemon.write(file, text)
    said = refused(daemon, code="configuration", exit_code=1)
    mistake = next(line for line in said.splitlines() if line.startswith(file) and ": error[" in line)
    assert f"error[{code}" in mistake
    assert word in said
    assert not (daemon.project / ".healer").exists()


def test_all_mistakes_are_told_at_once(daemon: Any) -> None:
    daemon.write("healer.yaml", "enviroment: prod\nserver: {port: high}\n")
    daemon.write(BOOK, book("event.heal ===", action="{run_action: {name: haal, target: h1}}"))
    said = refused(daemon, code="configuration", exit_code=1)
    assert "4 errors in the files of the project" in said
    for word in ("enviroment", "port", "condition", "haal"):
        assert word in said


@pytest.fixture
def healing(shared_daemon: Any) -> Iterator[Any]:
    """The daemon that runs, its project put right again at the end."""
    before = {path: path.read_text() for path in shared_daemon.project.rglob("*") if path.is_file()}
    yield shared_daemon
    for path in shared_daemon.project.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, text in before.items():
        path.write_text(text)
    status, answer = shared_daemon.post("/api/v1/reload", b"")
    assert status == 200, answer


RELOADED: Final = (
    "no YAML", "a condition that is none", "an unknown action of the catalog", "an unknown setting", "controllers in the wrong folder",
)  # fmt: skip
"""One of each file; that all kinds are found is tested at the start, which reads the project in the same way."""


@pytest.mark.parametrize("case", RELOADED)
def test_a_reload_with_a_mistake_changes_nothing(healing: Any, case: str, wait_for: Callable[..., None]) -> None:
    file, text, code, word = MISTAKES[case]
    revision = healing.status()["revision"]
    healing.write(file, text)
    status, answer = healing.post("/api/v1/reload", b"")
    assert (status, answer["code"]) == (422, "configuration")
    found = [mistake for mistake in answer["errors"] if mistake["severity"] == "error"]
    assert any(mistake["file"] == file and mistake["code"].startswith(code) for mistake in found)
    assert any(word in str(mistake) for mistake in found)
    assert healing.status()["revision"] == revision
    event = healing.event({"heal": "h7"})
    wait_for(lambda: healing.get(f"/events/{event}")[1]["decided"], 60, "the old rules to decide")
    (decision,) = healing.get(f"/events/{event}")[1]["decisions"]
    assert (decision["rule"], decision["outcome"]) == ("healing/healing/asked", "queued")


def test_the_command_tells_the_mistakes_too(healing: Any) -> None:
    healing.write(BOOK, book("event.heal ==="))
    done = healing.healer("reload")
    assert done.returncode == 1
    assert f"{BOOK}:6:" in done.stderr
    assert "error[configuration]: 1 error in the files of the project" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_reload_cannot_change_is_told(daemon: Any) -> None:
    daemon.start()
    daemon.ready()
    daemon.write("healer.yaml", "environment: test\nmode: active\nbacklog_max: 500\nretention: {journal: 2 days}\n")
    told = daemon.healer("reload")
    assert told.returncode == 0
    assert "needs-restart" in told.stdout + told.stderr
    assert "retention, backlog_max" in told.stdout + told.stderr


SHARED = 'sources: {am: {healer.webhook: {path: am, auth: {bearer: {secret: "env:AMT"}}}}}\n'


def test_a_secret_that_is_missing_is_told_at_a_start_at_a_reload_and_when_somebody_is_refused(daemon: Any) -> None:
    missing = "warning[secret-unavailable]: the source am: the secret env:AMT cannot be read: the variable is not set"
    settings = (daemon.project / "healer.yaml").read_text()
    daemon.write("healer.yaml", settings + SHARED)
    daemon.start()
    daemon.ready()
    assert missing in daemon.said()
    assert missing in daemon.healer("reload").stdout
    assert daemon.ask("POST", "/hooks/am", {}, key="x")[0] == 401
    assert "am nothing yet, refused" in daemon.healer("status").stdout
    (am,) = [one for one in daemon.status()["sources"] if one["name"] == "am"]
    assert am["refused"]["why"] == "the secret env:AMT cannot be read: the variable is not set"
