"""`healer completion`: the scripts, and that a shell takes them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from healer.cli import completion


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_asks_healer_itself(healer, shell):
    done = healer("completion", shell)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"{completion.VARIABLE}={shell}_complete" in done.stdout


def test_bash_takes_it_and_completes_by_it(healer, tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    script = tmp_path / "healer.bash"
    script.write_text(healer("completion", "bash").stdout)
    asked = "COMP_WORDS=(healer stat); COMP_CWORD=1; _healer_completion healer; echo ${COMPREPLY[@]}"
    stand_in = "healer() { :; }; env() { shift 3; echo plain,status; };"
    done = subprocess.run(
        [bash, "-c", f"{stand_in} . {script} && {asked}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "status\n"), done.stderr


def test_a_shell_that_is_not_known(healer):
    done = healer("completion", "bas")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "SHELL: bash, zsh or fish is wanted, got 'bas'\n  try  did you mean 'bash'?" in done.stderr
