"""Large texts on a pipe: all of it is written, and a reader that leaves amid it ends the command as the signal would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command", ["schema rulebook", "validate --format gitlab", "validate --format sarif", "validate"]
)
def test_a_reader_that_goes_away_amid_one_large_text_ends_it_so_too(tmp_path, command, unbuffered):
    """Without a buffer Python would take the part that a pipe has room for as the whole."""
    (tmp_path / "healer.yaml").write_text("".join(f"wrong_{'x' * 400}_{number}: 1\n" for number in range(400)))
    argv = [sys.executable, "-m", "healer", *command.split()]
    environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environ, bufsize=0
    ) as running:
        assert running.stdout is not None
        assert running.stdout.read(1)
        running.stdout.close()
        running.stdout = None
        _, told = running.communicate(timeout=60)
    assert (told, running.returncode) == (b"", 141)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_printed_is_whole_and_there_at_once(tmp_path, unbuffered):
    code = (
        "import click; from healer import cli\n@click.command()\ndef one():\n    print('a' * 300_000)\n    print('b', flush=True)\n"
        "    input()\ncli.Commands.get_command = lambda *_: one\nimport sys; sys.argv = ['healer', 'version']; cli.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert len(running.stdout.readline()) == 300_001
        assert running.stdout.readline() == "b\n"
        running.communicate("\n", timeout=60)
    assert running.returncode == 0
