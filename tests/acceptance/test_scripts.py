"""The scripts of the samples by themselves, as the controller calls them: `clean_disk`, `check_health`."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def clean(
    cwd: pathlib.Path, folder: str, target: str = "localhost", *, dry: bool = False, **more: int
) -> subprocess.CompletedProcess[str]:
    """scripts/clean_disk.py as the controller calls it, with a limit of 1 MiB."""
    environment = {"PATH": os.environ["PATH"], "HEALER_TARGET": target, **({"HEALER_DRY_RUN": "1"} if dry else {})}
    given = json.dumps({"folder": folder, "limit_mib": 1, "keep_files": 1, "keep_minutes": 10} | more)
    script = [REPOSITORY / "scripts/clean_disk.py"]
    return subprocess.run(
        script, cwd=cwd, env=environment, input=given, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def full(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with three files of 600 KiB; the oldest has a hostile name."""
    folder = tmp_path / "full"
    folder.mkdir()
    for age, name in enumerate(["new", "older", "-rf oldest\n$(date)"]):
        path = folder / name
        path.write_bytes(bytes(600 << 10))
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    return folder


def test_clean_disk_removes_the_oldest_until_it_fits(full: pathlib.Path, tmp_path: pathlib.Path) -> None:
    done = clean(tmp_path, str(full))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in full.iterdir()] == ["new"]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "removed": 2,
        "before_bytes": 3 * (600 << 10),
        "left_bytes": 600 << 10,
    }


def test_clean_disk_makes_no_folder_in_a_dry_run(tmp_path: pathlib.Path) -> None:
    here = tmp_path / "a" / "b" / "c"
    here.mkdir(parents=True)
    assert clean(here, "disk", "web01", dry=True).returncode == 1
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert clean(here, "disk", "web01").returncode == 0
    assert (tmp_path / "a" / "hosts" / "web01" / "disk").is_dir()


def test_clean_disk_removes_nothing_in_a_dry_run(full: pathlib.Path, tmp_path: pathlib.Path) -> None:
    done = clean(tmp_path, str(full), dry=True)
    assert done.returncode == 0
    assert done.stdout.count("would remove") == 2
    assert len(list(full.iterdir())) == 3


@pytest.mark.parametrize("floor", [{"keep_files": 2}, {"keep_minutes": 10_000_000}])
def test_clean_disk_leaves_the_newest_and_the_latest_however_full_it_is(
    full: pathlib.Path, tmp_path: pathlib.Path, floor: dict[str, int]
) -> None:
    age_s = 0 if "keep_files" in floor else 10_000_000 * 60 - 3600
    now_s = time.time()
    for name in ("new", "older"):
        os.utime(full / name, (now_s - age_s, now_s - age_s))
    os.utime(full / "-rf oldest\n$(date)", (now_s - 10_000_001 * 60,) * 2)
    done = clean(tmp_path, str(full), **floor)
    assert done.returncode == 1
    assert "is still over its limit" in done.stderr
    assert {path.name for path in full.iterdir()} == {"new", "older"}
    assert json.loads(done.stdout.splitlines()[-1])["removed"] == 1


def test_clean_disk_is_not_led_elsewhere_by_a_link_that_comes_between(
    full: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("clean_disk", REPOSITORY / "scripts/clean_disk.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "clean_disk", module)
    spec.loader.exec_module(module)
    (full / "sub").mkdir()
    (full / "sub" / "passwd").write_bytes(b"x")
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    (elsewhere / "passwd").write_bytes(b"x")
    with module.opened(full.parts[1:]) as root:
        (seen,) = [one for one in module.files(root, full.stat().st_dev) if one.name == "passwd"]
        (full / "sub").rename(tmp_path / "away")
        (full / "sub").symlink_to(elsewhere)
        os.utime(elsewhere / "passwd", (seen.changed, seen.changed))
        assert not module.remove(root, seen)
        assert not [one for one in module.files(root, full.stat().st_dev) if one.name == "passwd"]
        (full / "sub").unlink()
        (tmp_path / "away").rename(full / "sub")
        (full / "sub" / "passwd").write_bytes(b"another")
        assert not module.remove(root, seen)
    assert (elsewhere / "passwd").exists()


def test_clean_disk_takes_no_name_for_another(full: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (full / "older").rename(full / "new ")
    assert clean(tmp_path, str(full)).returncode == 0
    assert [path.name for path in full.iterdir()] == ["new"]


def test_clean_disk_follows_no_link(full: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to(full)
    done = clean(tmp_path, str(tmp_path / "link"))
    assert done.returncode == 1
    assert "nothing is removed" in done.stderr
    assert len(list(full.iterdir())) == 3


@pytest.mark.parametrize("target", ["web01", "localhost,web01"])
def test_clean_disk_never_takes_this_machine_for_another(
    full: pathlib.Path, tmp_path: pathlib.Path, target: str
) -> None:
    done = clean(tmp_path, str(full), target)
    assert done.returncode == 1
    assert "nothing is removed" in done.stderr
    assert len(list(full.iterdir())) == 3


@pytest.mark.parametrize("answer", [None, b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n"])
def test_check_health_fails_for_what_does_not_answer_as_a_service_does(
    tmp_path: pathlib.Path, answer: bytes | None
) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))  # held to the end of the test, so that nobody else can listen there
    parameters = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}/", "timeout_s": 5}
    if answer is not None:
        listener.listen()

        def serve() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.recv(1000)
                taken.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
    command = [sys.executable, REPOSITORY / "scripts/check_health.py"]
    done = subprocess.run(
        command, cwd=tmp_path, input=json.dumps(parameters), capture_output=True, text=True, timeout=60, check=False
    )
    listener.close()
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["healthy"] is False
