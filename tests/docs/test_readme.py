"""README.md tells the truth: its commands are typed here, in its order, and what it shows is what they print.

Times, ids and numbers are any; `…` stands for what is left out. What sets a machine up is only looked for.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import healer

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()
PROJECT = (
    "healer.yaml",
    "actions.yaml",
    "controllers.yaml",
    "inventory",
    "rulebooks",
    "playbooks",
    "scripts",
    "examples",
)
SERVE = "healer run"
PATIENCE_S = 120
MARK = "=== command"
SETTLED = """
settled=
for _ in $(seq 600); do
    decided=$(healer status --json | grep -c '"backlog": 0,') || continue
    under_way=$(healer runs --state queued,running --json) || { echo 'FAILED to look'; break; }
    case $under_way in *'"items": []'*) settled=yes; break ;; esac
done
[ "$settled" ] || echo 'FAILED to settle'
"""
"""What a person does by reading on: waits until nothing runs any more."""


def commands(section: str) -> list[tuple[str, list[str]]]:
    """(command, lines shown of what it prints) of the console blocks of a section, in order."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((re.sub(r"\s+# .*", "", line[2:]), []))
            else:
                found[-1][1].append(line)
    return found


def plain(line: str) -> str:
    """The line without what differs from day to day."""
    line = re.sub(r"\b(r-[0-9a-z]{6,}|[0-9a-f]{7}\b|key [0-9a-z]{8}\b)", "X", line)
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "T", line)
    line = re.sub(r"\b\d+ (s|min)\b", "1 s", line)  # how long it is up depends on the machine
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)*", "N", line)).strip()


def missing(shown: list[str], printed: str) -> list[str]:
    """The shown lines that were not printed."""
    lines = [plain(line) for line in printed.splitlines()]

    def there(line: str) -> bool:
        parts = [re.escape(plain(part)) for part in line.split("…")]
        return any(re.fullmatch(r"\s*.*".join(parts), one) for one in lines)

    return [line for line in shown if line.strip() and not there(line)]


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """The project, copied."""
    made = tmp_path / "project"
    made.mkdir()
    for name in PROJECT:
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, made / name)
    return made


@pytest.fixture
def environment(tmp_path: pathlib.Path) -> dict[str, str]:
    """That of a person with the virtual environment on the path."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}


@contextlib.contextmanager
def serving(
    folder: pathlib.Path, environment: dict[str, str], wait_for: Callable[..., None]
) -> Iterator[Callable[[], str]]:
    """The daemon on a free port; gives what it printed so far."""
    log = folder.parent / "daemon.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*SERVE.split(), "--port", "0"], cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for(
            lambda: "ready on port" in log.read_text() or process.poll() is not None, PATIENCE_S, "the daemon is ready"
        )
        yield log.read_text
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_use_is_as_shown(folder: pathlib.Path, environment: dict[str, str], wait_for: Callable[..., None]) -> None:
    steps = commands("Use")
    assert len(steps) > 8
    with serving(folder, environment, wait_for) as log:
        found = re.search(r"ready on port (\d+)", log())
        assert found is not None, log()
        script = "exec 2>&1\n"
        for number, (command, _) in enumerate(steps):
            typed = "true" if command == SERVE else command.replace(":8080", f":{found[1]}")
            script += f"echo '{MARK} {number}'\n{typed} || echo 'FAILED {number}'\n{SETTLED}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=5 * PATIENCE_S,
            check=False,
        )
        service = [sys.executable, "playbooks/files/demonstration_service.py", "stop"]
        for one in folder.glob(".healer/demo/hosts/*/services/*"):
            subprocess.run([*service, one], cwd=folder, check=False, timeout=60, stdout=subprocess.DEVNULL)
        printed = dict(re.findall(rf"{MARK} (\d+)\n(.*?)(?={MARK}|\Z)", done.stdout, re.DOTALL))
        assert "FAILED" not in done.stdout, done.stdout
        wrong = {
            command: missing(shown, log() if command == SERVE else printed[str(number)])
            for number, (command, shown) in enumerate(steps)
        }
    assert {command: lines for command, lines in wrong.items() if lines} == {}, done.stdout


def test_a_line_that_is_not_printed_is_found() -> None:
    printed = "run      state\nr-4c7e10  succeeded  2026-03-01 03:07:14 +01:00  3 ms\n"
    assert missing(["run state", "r-aaaaaa  succeeded  2027-01-01 00:00:00 +00:00  4 ms", "r-aaaaaa …"], printed) == []
    assert missing(["r-aaaaaa  failed …", "run"], printed) == ["r-aaaaaa  failed …", "run"]


def test_every_target_of_make_exists() -> None:
    named = {word for section in ("First steps", "Set-up") for command, _ in commands(section)
             for word in re.findall(r"^make ([a-z]+)", command)}  # fmt: skip
    named |= set(re.findall(r"`make ([a-z]+)`", README))
    assert {"run", "test", "demo", "build"} <= named
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_the_wheel_is_named_as_it_will_be() -> None:
    assert set(re.findall(r"auto_healer-([0-9.]+)-py3", README)) == {healer.__version__}


def test_every_folder_of_the_picture_exists() -> None:
    picture = README.split("```\nauto-healer/")[1].split("```")[0]
    top, inner = "", []
    for line in picture.splitlines():
        if found := re.match(r"(│   )?[├└]── (\S+)", line):
            top, path = (top, top + found[2]) if found[1] else (found[2], found[2])
            inner.append(path)
    assert [path for path in inner if not (REPOSITORY / path).exists()] == []
    rooms = {f"healer/{path.name}/" for path in (REPOSITORY / "healer").iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(inner), "a room that the picture does not show"


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
