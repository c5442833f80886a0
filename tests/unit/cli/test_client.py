"""Asking a daemon: over the control socket and over TCP, and what its refusals and its absence become."""

from __future__ import annotations

import os
import pathlib
import socket
import threading

import pytest

from healer import errors
from healer.cli import client, location, usage


def over(where: location.Where, **more: float) -> client.Client:
    return client.Client(where, **more)


@pytest.fixture
def asked(daemon):
    return over(location.Where(daemon.data_dir))


def test_control_socket(daemon, asked):
    daemon["GET /x"] = {"a": 1}
    assert asked.get("/x", {"q": "a b/ü", "none": None, "n": 3}) == {"a": 1}
    assert daemon.requests[0].query == {"q": "a b/ü", "n": "3"}
    assert "authorization" not in daemon.requests[0].headers


def test_path_of_the_socket_may_be_long(daemon, tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.parent.mkdir()
    deep.symlink_to(daemon.data_dir)
    daemon["GET /x"] = 1
    assert over(location.Where(deep)).get("/x") == 1


def test_a_link_in_the_data_directory_leads_to_the_socket(daemon, tmp_path):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/control.sock").symlink_to(daemon.data_dir / "control.sock")
    daemon["GET /x"] = 1
    assert over(location.Where(tmp_path / "linked")).get("/x") == 1


def test_the_socket_that_a_setting_names_stands_for_a_data_directory_that_has_none(daemon, tmp_path):
    daemon["GET /x"] = 1
    assert over(location.Where(tmp_path / "none", socket=daemon.data_dir / "control.sock")).get("/x") == 1
    with pytest.raises(errors.NotRunning, match=r"no daemon answers at .*/run/c\.sock"):
        over(location.Where(tmp_path / "none", socket=tmp_path / "run/c.sock")).get("/x")


def test_commands_reach_a_daemon_whose_socket_lies_elsewhere(healer, daemon, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/healer.yaml").write_text("control: {socket: ../data/control.sock}\n")
    daemon["GET /api/v1/alerts"] = {"items": [], "next": None}
    assert healer("alerts", "--project", tmp_path / "project").exit_code == 0


@pytest.mark.parametrize(("args", "env"), [([], {"HEALER_KEY": "hlr_a_b"}), (["--key", "hlr_a_b"], {})])
def test_a_key_counts_over_the_control_socket_too(ask, daemon, args, env):
    daemon["POST /api/v1/approvals/q1/approve"] = {"run": "r-1", "state": "approved"}
    assert ask("approvals", "approve", "q1", *args, env=env).exit_code == 0
    assert [one.headers.get("authorization") for one in daemon.requests] == ["Bearer hlr_a_b"]


def test_a_key_of_another_url_stays_away_from_the_control_socket(ask, daemon):
    daemon["GET /api/v1/alerts"] = {"items": [], "next": None}
    env = {"HEALER_URL": "https://elsewhere.example.org", "HEALER_KEY": "hlr_a_b"}
    assert ask("alerts", env=env).exit_code == 0
    assert "authorization" not in daemon.requests[0].headers


def test_a_key_is_not_shown_to_a_stranger_in_a_folder_that_nobody_named(healer, daemon, monkeypatch):
    """Somebody may have put a control socket of their own into the folder that a person happens to be in."""
    monkeypatch.chdir(daemon.data_dir.parent)
    daemon.data_dir.parent.joinpath(".healer").symlink_to("data")
    daemon["GET /api/v1/alerts"] = {"items": [], "next": None}
    assert healer("alerts", env={"HEALER_KEY": "hlr_a_b"}).exit_code == 0
    monkeypatch.setattr(client, "_user_of", lambda _: 4711)
    assert healer("alerts").exit_code == 0
    done = healer("alerts", env={"HEALER_KEY": "hlr_a_b"})
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr == (
        "error[forbidden]: .healer/control.sock is the user 4711's, in a folder that nobody named: no key or secret is sent there\n"
        "  try  name the daemon, if it is the right one:  --project . (or --data-dir DIR)\n"
    )
    assert len(daemon.requests) == 2
    assert healer("alerts", "--project", ".", env={"HEALER_KEY": "hlr_a_b"}).exit_code == 0
    assert [one.headers.get("authorization") for one in daemon.requests] == ["Bearer hlr_a_b", None, "Bearer hlr_a_b"]


def test_a_key_that_the_daemon_of_this_host_does_not_know(ask, daemon):
    daemon["GET /api/v1/runs"] = 401, {"code": "unauthorized", "detail": "a key is needed", "try": "healer keys list"}
    done = ask("runs", env={"HEALER_KEY": "hlr_a_b"})
    assert done.exit_code == 4
    assert done.stderr.endswith(
        "  try  a key that this daemon knows in HEALER_KEY; without HEALER_KEY and --key the user of this host counts\n"
    )


def test_tcp_with_a_key_and_a_prefix(daemon):
    daemon["GET /behind/proxy/x"] = 1
    assert over(location.Where(pathlib.Path(), daemon.url + "/behind/proxy/", "hlr_a_b")).get("/x") == 1
    assert daemon.requests[0].headers["authorization"] == "Bearer hlr_a_b"


def test_the_environment_names_daemon_and_key(healer, daemon):
    daemon["GET /api/v1/alerts"] = {"items": [], "next": None}
    assert healer("alerts", env={"HEALER_URL": daemon.url, "HEALER_KEY": "hlr_a_b"}).exit_code == 0
    assert daemon.requests[0].headers["authorization"] == "Bearer hlr_a_b"


@pytest.mark.parametrize("url", ["ftp://h", "h:80", "http://", "http://h:x", "http://[::1", "file:///etc"])
def test_a_url_that_is_none(healer, url):
    done = healer("status", "--url", url)
    assert done.exit_code == 2
    assert done.stderr == (
        f"error[usage]: --url or HEALER_URL: a URL like https://healer.example.org:8080 is wanted, got {url!r}\n  try  healer status --help\n"
    )


@pytest.mark.parametrize(
    "url",
    ["http://user:hunter2@h", "https://hunter2@h:8080", "http://:hunter2@h", "ftp://u:hunter2@h", "user:hunter2@h", "http://u:hunter2@h:x",
     "http://u:hunter2@[::1", "http://u:8/hunter2@h"],
)  # fmt: skip
@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_url_with_a_password_is_refused_and_not_repeated(healer, url, by):
    done = healer("status", "--url", url) if by == "option" else healer("status", env={"HEALER_URL": url})
    assert (done.exit_code, done.output) == (
        2,
        "error[usage]: --url or HEALER_URL: a URL without user and password is wanted, got one with '@'\n"
        "  try  https://HOST:PORT, and the key in HEALER_KEY\n",
    )


@pytest.mark.parametrize("key", ["a\nb", "ü", "a\x00"])
def test_a_key_that_is_none(daemon, key):
    with pytest.raises(usage.WrongUse, match="the key has characters that no key has"):
        over(location.Where(pathlib.Path(), daemon.url, key)).get("/x")


def no_folder(folder: pathlib.Path) -> pathlib.Path:
    return folder / "nothing"


def no_socket(folder: pathlib.Path) -> pathlib.Path:
    return folder


def stale_socket(folder: pathlib.Path) -> pathlib.Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "control.sock"))
    return folder


def a_file(folder: pathlib.Path) -> pathlib.Path:
    (folder / "file").write_text("")
    return folder / "file"


@pytest.mark.parametrize("make", [no_folder, no_socket, stale_socket, a_file])
def test_no_daemon(healer, tmp_path, make):
    folder = tmp_path / "data"
    folder.mkdir()
    done = (
        healer("runs", "--project", tmp_path / "none") if make is a_file else healer("runs", "--data-dir", make(folder))
    )
    assert done.exit_code == 3
    assert "error[not-running]: no daemon answers at" in done.stderr
    assert "healer run" in done.stderr


@pytest.mark.parametrize(
    "command", [["status"], ["keys"], ["keys", "create", "ci", "--role", "ci"], ["keys", "revoke", "x", "--yes"]]
)
def test_no_daemon_at_a_url_is_not_to_be_started_here(healer, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = healer(*command, "--url", url)
    assert (done.exit_code, done.stderr) == (
        3,
        f"error[not-running]: no daemon answers at {url}\n  try  {client.ELSEWHERE}\n",
    )


def test_name_that_does_not_resolve(healer):
    done = healer("status", "--url", "http://nowhere.invalid")
    assert done.exit_code == 3
    assert done.stderr.startswith("error[not-running]: no daemon answers at http://nowhere.invalid (")
    assert done.stderr.endswith(f")\n  try  {client.ELSEWHERE}\n")


def test_socket_of_another_user(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(client.NotAllowed) as caught:
        over(location.Where(tmp_path)).get("/x")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_answer_that_takes_too_long(daemon, elsewhere):
    go_on = threading.Event()
    daemon["GET /x"] = lambda _: (go_on.wait(30), {})[1]
    where = location.Where(daemon.data_dir, daemon.url if elsewhere else "")
    with pytest.raises(errors.NotRunning, match=r"within 0\.2 s") as caught:
        over(where, timeout_s=0.2).get("/x")
    assert caught.value.try_ == (client.ELSEWHERE if elsewhere else "")
    go_on.set()


def test_a_connection_that_is_closed_without_an_answer(tmp_path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "control.sock"))
        made.listen()

        def hang_up() -> None:
            taken, _ = made.accept()
            taken.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(errors.NotRunning):
            over(location.Where(tmp_path)).get("/x")
        thread.join()


PROBLEMS = [
    (400, "not-json", 2), (401, "unauthorized", 4), (403, "forbidden", 4), (404, "not-found", 1), (405, "method-not-allowed", 2),
    (409, "ambiguous", 1), (413, "too-large", 2), (415, "content-type", 2), (422, "configuration", 1), (429, "too-many", 1),
    (500, "internal", 1), (503, "backlog_full", 1),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "exit_code"), PROBLEMS)
def test_problems(ask, daemon, status, code, exit_code):
    daemon["GET /api/v1/runs"] = status, {"status": status, "code": code, "detail": "it is so", "try": "this"}
    done = ask("runs")
    assert done.exit_code == exit_code
    assert done.stderr == f"error[{code}]: it is so\n  try  this\n"


def test_retry_after_is_shown(ask, daemon):
    daemon["GET /api/v1/runs"] = 503, {"code": "backlog_full", "detail": "not now"}
    assert "try  again in 7 s" in ask("runs").stderr


def test_mistakes_of_a_body_are_told_once(ask, daemon):
    detail = "the key 'role' is missing; name: a text of at least 1 character is wanted, got ''"
    fields = [{"field": "role", "detail": "the key 'role' is missing"}, {"field": "name", "detail": "a text of …"}]
    daemon["POST /api/v1/keys"] = 400, {"code": "invalid-field", "detail": detail, "errors": fields}
    assert ask("keys", "create", "", "--role", "ci").stderr == f"error[invalid-field]: {detail}\n"


def test_near_names_and_candidates_are_shown(ask, daemon):
    daemon["GET /api/v1/runs/r-7"] = 409, {"code": "ambiguous", "detail": "two", "near": ["r-7a", "r-7b"]}
    assert "near r-7a, r-7b" in ask("runs", "show", "r-7").stderr


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b"[" * 100_000, b'"x"', b"\xff"])
@pytest.mark.parametrize("status", [404, 502])
def test_a_refusal_that_is_no_problem_document(ask, daemon, status, body):
    daemon["GET /api/v1/runs"] = status, body
    done = ask("runs")
    assert done.exit_code == 1
    assert f"answered {status}" in done.stderr


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b"\xff\xfe"])
def test_an_answer_that_is_no_json(ask, daemon, body):
    daemon["GET /api/v1/status"] = 200, body
    done = ask("status")
    assert done.exit_code == 1
    assert "error[answer]" in done.stderr


def test_a_redirect_is_not_followed(ask, daemon):
    daemon["GET /api/v1/status"] = 302, b""
    assert ask("status").exit_code == 1


def test_an_answer_is_bounded(ask, daemon, monkeypatch):
    monkeypatch.setattr(client, "ANSWER_BYTES_MAX", 10)
    daemon["GET /api/v1/status"] = {"x": "y" * 100}
    assert "larger than 10 bytes" in ask("status").stderr


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        1,
        "x",
        {"items": None},
        {"items": [1, None, []]},
        {"items": [{}]},
        [{}],
        {"rules": [{}], "event": 5},
    ],
)
@pytest.mark.parametrize("command", [["status"], ["alerts"], ["runs"], ["audit", "list"], ["explain", "--latest"], ["runs", "show", "x"],
                                     ["keys"], ["reload"]])  # fmt: skip
def test_an_answer_of_another_shape_raises_nothing(ask, daemon, command, body):
    for route in ("GET /api/v1/status", "GET /api/v1/alerts", "GET /api/v1/runs", "GET /api/v1/audit", "GET /api/v1/explain/latest",
                  "GET /api/v1/runs/x", "GET /api/v1/keys", "POST /api/v1/reload"):  # fmt: skip
        daemon[route] = body
    assert ask(*command).exit_code == 0


def test_pages_are_followed_up_to_the_limit(daemon, asked):
    def page(request: object) -> object:
        query = daemon.requests[-1].query
        start = int(query.get("after", "0"))
        upto = min(start + int(query["limit"]), 1200)
        return {"items": [{"n": n} for n in range(start, upto)], "next": str(upto) if upto < 1200 else None}

    daemon["GET /list"] = page
    assert asked.pages("/list", {}, 700) == {"items": [{"n": n} for n in range(700)], "next": "700"}
    assert [request.query["limit"] for request in daemon.requests] == ["500", "200"]
    assert asked.pages("/list", {}, 5000) == {"items": [{"n": n} for n in range(1200)], "next": None}


def test_a_cursor_that_leads_nowhere_ends(daemon, asked):
    daemon["GET /list"] = {"items": [], "next": "again"}
    assert asked.pages("/list", {}, 10) == {"items": [], "next": "again"}


def test_segment():
    assert client.segment("a/../b?c") == "a%2F..%2Fb%3Fc"
    with pytest.raises(usage.WrongUse, match="an id is wanted"):
        client.segment("")


def test_without_a_key_it_is_said_where_one_is_made(healer, daemon):
    problem = {"code": "unauthorized", "detail": "a key is needed", "try": "healer keys create NAME --role ROLE"}
    daemon["GET /api/v1/runs"] = 401, problem
    done = healer("runs", "--url", daemon.url)
    assert done.exit_code == 4
    assert done.stderr == (
        "error[unauthorized]: a key is needed\n"
        "  try  HEALER_KEY=hlr_…, a key made on the daemon's host:  healer keys create NAME --role ROLE\n"
    )
