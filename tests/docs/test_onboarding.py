"""`docs/onboarding-actions.md`: its files make its project, its commands are typed there in their order, and print what is shown.

Ids, times and numbers are any; `…` stands for what is left out. `/tmp/healer-onboarding` is a folder of the test.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

PLACE = "/tmp/healer-onboarding"
PATIENCE_S = 120
SERVE = "healer run"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(repository: pathlib.Path, tmp_path: pathlib.Path) -> str:
    """The page, with the folder of the test in the place of its own."""
    folder = tmp_path / "onboarding"
    text = (repository / "docs" / "onboarding-actions.md").read_text("utf-8")
    within = str(folder).removeprefix("/").replace(".", "[.]")
    return text.replace(PLACE.removeprefix("/") + ")(/", f"{within})(/").replace(PLACE, str(folder))


@pytest.fixture
def environment(tmp_path: pathlib.Path) -> dict[str, str]:
    """That of a person with the virtual environment on the path."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}


def steps(page: str) -> Iterator[tuple[str, str, list[str]]]:
    """In the order of the page: ("file", its path, [its text]) and ("command", as it is typed, what it shows)."""
    for kind, block in BLOCK.findall(page):
        if kind != "console":
            name, _, text = block.partition("\n")
            yield "file", name.removeprefix("# "), [text]
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            yield "command", command, shown


def plain(line: str) -> str:
    """The line without what differs from day to day."""
    line = re.sub(r"\br-[0-9a-z]{6,}", "r-…", line)
    return re.sub(r"\s+", " ", line).strip()


def missing(shown: list[str], printed: str) -> list[str]:
    """The shown lines that were not printed."""
    lines = [plain(line) for line in printed.splitlines()]

    def there(line: str) -> bool:
        pattern = r".*".join(re.escape(plain(part)) for part in line.split("…"))
        return any(re.fullmatch(pattern, one) for one in lines)

    return [line for line in shown if line.strip() and not there(line.replace("…", " … "))]


def write(folder: pathlib.Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_each_step_does_what_the_page_says(
    page: str, tmp_path: pathlib.Path, environment: dict[str, str], wait_for: Callable[..., None]
) -> None:
    folder, log = tmp_path / "project", tmp_path / "daemon.log"
    daemon: subprocess.Popen[bytes] | None = None
    wrong: dict[str, list[str]] = {}
    told = ""
    try:
        for kind, name, lines in steps(page):
            if kind == "file":
                write(folder, name, lines[0])
            elif name == SERVE:
                with log.open("w") as out:
                    daemon = subprocess.Popen(
                        [*SERVE.split(), "--port", "0"],
                        cwd=folder,
                        env=environment,
                        stdout=out,
                        stderr=subprocess.STDOUT,
                    )
                wait_for(lambda: "ready on port" in log.read_text(), PATIENCE_S, "the daemon is ready")
            else:
                done = subprocess.run(
                    ["bash", "-c", name],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=PATIENCE_S,
                )
                told += f"$ {name}\n{done.stdout}{done.stderr}"
                lost = missing(lines, done.stdout + done.stderr)
                if done.returncode or lost:
                    wrong[name] = [f"exit code {done.returncode}", *lost]
    finally:
        if daemon is not None:
            daemon.terminate()
            daemon.wait(PATIENCE_S)
    assert wrong == {}, told
    assert daemon is not None


def test_each_sample_is_there_under_its_names(page: str, repository: pathlib.Path) -> None:
    rows = [line.split("|")[1:-1] for line in page.split("\n## Samples\n")[1].splitlines() if line.startswith("| `")]
    assert len(rows) == 5
    for action, files, event_type, rule, event in ([re.findall(r"`([^`]+)`", cell)[0] for cell in row] for row in rows):
        text = (repository / files).with_suffix(".meta.yml" if not files.endswith(".yaml") else ".yaml").read_text()
        assert f"events: [{event_type}]" in text, action
        assert f"name: {action}\n" in (repository / rule).read_text()
        assert (repository / event).is_file()


def test_the_steps_are_found(page: str) -> None:
    found = list(steps(page))
    assert [name for kind, name, _ in found if kind == "file"][-1] == "rulebooks/cache.yml"
    assert sum(kind == "command" for kind, _, _ in found) > 15


def test_a_line_that_is_not_printed_is_found() -> None:
    printed = "r-7f3k2m  succeeded on host:web01 by here: so it is\n"
    assert missing(["r-…  succeeded on host:web01 by here…", "r-…  failed …"], printed) == ["r-…  failed …"]
