"""kill -9 while an effect is in flight: nothing accepted is lost, nothing acts twice, the effect ends `succeeded`."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Callable

PROCESS = pathlib.Path(__file__).with_name("thread_process.py")
SCRIPT = """#!/bin/sh
echo "$HEALER_TARGET" >> {effects}
while [ ! -e {go} ]; do sleep 0.05; done
"""


def start(data: pathlib.Path, project: pathlib.Path, events: int) -> subprocess.Popen[str]:
    argv = [sys.executable, str(PROCESS), str(data), str(project), str(events)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_kill_in_the_effect_loses_nothing_and_repeats_nothing(
    tmp_path: pathlib.Path, wait_for: Callable[..., object]
) -> None:
    data, project, effects, go = tmp_path / "data", tmp_path / "project", tmp_path / "effects", tmp_path / "go"
    (data / "work").mkdir(parents=True)
    script = project / "scripts" / "clean.sh"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT.format(effects=effects, go=go))
    script.chmod(0o755)
    with start(data, project, 2) as first:
        wait_for(lambda: effects.exists() and len(effects.read_text().split()) == 2, 60, "both effects have begun")
        first.kill()
    go.touch()
    with start(data, project, 0) as second:
        told, errors = second.communicate(timeout=60)
    assert "ended ['succeeded', 'succeeded']" in told, errors
    assert sorted(effects.read_text().split()) == ["web0", "web1"]
    verify = [sys.executable, "-m", "healer", "audit", "verify", "--data-dir", str(data)]
    verified = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout
