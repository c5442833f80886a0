"""The rule about skipped tests in tests/conftest.py, shown on a pytest of its own."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

CONFTEST = pathlib.Path(__file__).resolve().parents[1] / "conftest.py"
SKIPPED = "import pytest\n\ndef test_x():\n    pytest.skip('no reason')\n"
FILE_SKIPPED = "import pytest\npytest.skip('no reason', allow_module_level=True)\n"
EXPECTED_FAILURE = "import pytest\n\n@pytest.mark.xfail\ndef test_x():\n    assert False\n"
WANTS_SHARED = "def test_x(shared):\n    assert shared.is_dir()\n"


def outcome(folder: pathlib.Path, test: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of pytest over one test file, in a folder that has our conftest."""
    inner = folder / "repository" / "tests"
    inner.mkdir(parents=True)
    shutil.copy(CONFTEST, inner)
    (inner / "test_one.py").write_text(test)
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "HEALER_SHARED")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        "-c",
        os.devnull,
        str(inner),
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env=inherited | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("test", [SKIPPED, FILE_SKIPPED], ids=["test", "file"])
def test_a_skip_fails_in_ci(test: str, tmp_path: pathlib.Path) -> None:
    code, output = outcome(tmp_path, test, CI="true")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "not on the list" in output
    assert "no reason" in output
    assert "1 skipped" in output.splitlines()[-1]


def test_a_skip_passes_elsewhere(tmp_path: pathlib.Path) -> None:
    assert outcome(tmp_path, SKIPPED)[0] == pytest.ExitCode.OK


def test_an_expected_failure_is_no_skip(tmp_path: pathlib.Path) -> None:
    assert outcome(tmp_path, EXPECTED_FAILURE, CI="true")[0] == pytest.ExitCode.OK


def test_shared_left_out_on_purpose_is_no_hole(tmp_path: pathlib.Path) -> None:
    assert outcome(tmp_path, WANTS_SHARED, CI="true", HEALER_SHARED="")[0] == pytest.ExitCode.OK


def test_shared_that_is_missing_fails(tmp_path: pathlib.Path) -> None:
    code, output = outcome(tmp_path, WANTS_SHARED, HEALER_SHARED=str(tmp_path / "nowhere"))
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "set HEALER_SHARED" in output


def test_without_shared_what_wants_it_is_skipped(tmp_path: pathlib.Path) -> None:
    code, output = outcome(tmp_path, WANTS_SHARED)
    assert code == pytest.ExitCode.OK
    assert "1 skipped" in output


def test_shared_is_beside_the_repository(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shared").mkdir()
    assert outcome(tmp_path, WANTS_SHARED, CI="true")[0] == pytest.ExitCode.OK


def test_each_kind_of_tests_is_run_by_its_target_and_both_by_ci(repository: pathlib.Path) -> None:
    spec = importlib.util.spec_from_file_location("conftest_of_all", CONFTEST)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    assert [one for one in module.LONG if not (repository / "tests" / one).is_file()] == []
    made = (repository / "Makefile").read_text()
    assert "--kind short" in made.partition("\ntest:")[2].partition("\n\n")[0]
    assert "--kind long" in made.partition("\ntest-long:")[2].partition("\n\n")[0]
    by_ci = (repository / ".ci" / "run").read_text()
    assert all(f'make PYTHON="$PYTHON" {target} ||' in by_ci for target in ("test", "test-long"))
