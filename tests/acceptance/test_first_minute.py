"""The first minute: `healer init`, `healer run`, and then whatever the banner says. It has to end in an action that ran."""

from __future__ import annotations

import pathlib
import re
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

PATIENCE_S = 120.0


def banner(daemon: Any) -> str:
    """What the daemon prints when it has started."""
    process = daemon.start()
    shown = ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while "then:" not in shown or not shown.endswith("\n"):
            assert selector.select(PATIENCE_S), daemon.said()
            piece = process.stdout.read1(1 << 16)
            assert piece, daemon.said()
            shown += piece.decode()
    return shown


def test_the_banner_leads_to_an_action_that_ran(daemon: Any, wait_for: Callable[..., None]) -> None:
    def typed(line: str) -> str:
        """A command as the banner shows it, typed in the project's folder."""
        done = subprocess.run(
            [sys.executable, "-m", "healer", *line.split()[1:], "--data-dir", str(daemon.data)], cwd=daemon.project,
            capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=daemon.environment(),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shutil.rmtree(daemon.project)
    subprocess.run([sys.executable, "-m", "healer", "init", daemon.project], check=True, env=daemon.environment())
    shown = banner(daemon)
    send, alerts, explain = re.findall(r"healer (?:send \S+|alerts|explain --latest)", shown)

    typed(send)
    assert "it has not been decided yet" not in typed(explain)  # right after it, when the store has not heard of it yet
    wait_for(lambda: "simulated" in typed(alerts), PATIENCE_S, "the alert has its run")
    assert "Would have run; nothing was touched (mode observe)." in typed(explain)

    setting, reload = re.findall(r"mode: active|healer reload", shown)
    settings = pathlib.Path(daemon.project, "healer.yaml")
    settings.write_text(settings.read_text().replace("mode: observe", setting, 1))
    typed(reload)
    typed(f"{send} --yes")
    wait_for(lambda: "succeeded" in typed("healer runs"), PATIENCE_S, "the run of what was sent again")

    typed(f"{send} --yes")
    wait_for(lambda: "Already being healed" in typed(explain), PATIENCE_S, "a third time is a repeat")
    assert len(typed("healer runs").splitlines()) == 2  # the head, and the one run
