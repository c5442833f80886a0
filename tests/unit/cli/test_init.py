"""`healer init`: what it writes is a working project, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import subprocess

import pytest
import yaml

from healer import testing
from healer.cli import editing, starter
from healer.store import cycles


@pytest.fixture
def made(healer, tmp_path) -> pathlib.Path:
    done = healer("init", tmp_path / "heal")
    assert done.exit_code == 0
    return tmp_path / "heal"


def files_of(folder: pathlib.Path) -> dict[str, str]:
    """What stands in a folder, without the schemas for editors."""
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if not name.startswith(editing.FOLDER)}


WRITTEN = {name: editing.modeline(name) + text for name, text in starter.FILES.items()}


def test_everything_is_written_and_named(healer, tmp_path):
    done = healer("init", tmp_path / "heal")
    assert files_of(tmp_path / "heal") == WRITTEN
    for name in starter.FILES:
        assert name in done.stdout
    assert f"cd {tmp_path / 'heal'} && healer validate && healer run" in done.stderr


def test_what_comes_next_can_be_typed_whatever_the_folder_is_called(healer, tmp_path):
    told = healer("init", tmp_path / "my heal$(x)").stderr
    assert told.count(f"cd '{tmp_path / 'my heal$(x)'}' && healer ") == 2


def test_in_the_folder_itself(healer):
    done = healer("init")
    assert files_of(pathlib.Path()) == WRITTEN
    assert "next:  healer validate" in done.stderr


def test_nothing_is_overwritten(healer, made):
    (made / "healer.yaml").write_text("mine")
    (made / "scripts/clean_disk.sh").unlink()
    done = healer("init", made)
    assert done.exit_code == 0
    assert (made / "healer.yaml").read_text() == "mine"
    assert done.stdout == "wrote scripts/clean_disk.sh, and schemas for editors in .healer-schemas/\n"
    assert "left as they are: healer.yaml, actions.yaml" in done.stderr
    assert healer("init", made).stdout == "nothing written\n"


def test_the_other_ending_counts_as_there(healer, tmp_path):
    (tmp_path / "heal").mkdir()
    (tmp_path / "heal/healer.yml").write_text("mine")
    done = healer("init", tmp_path / "heal")
    assert not (tmp_path / "heal/healer.yaml").exists()
    assert "healer.yml" in done.stderr


def test_no_link_is_followed(healer, tmp_path):
    (tmp_path / "heal").mkdir()
    (tmp_path / "heal/actions.yaml").symlink_to(tmp_path / "outside")
    assert healer("init", tmp_path / "heal").exit_code == 0
    assert not (tmp_path / "outside").exists()


def test_a_place_that_is_no_folder(healer, tmp_path):
    (tmp_path / "file").write_text("")
    done = healer("init", tmp_path / "file" / "below")
    assert done.exit_code == 2
    assert "error[init-folder]" in done.stderr
    assert (tmp_path / "file").read_text() == ""


def test_it_observes_and_offers_nothing_that_is_not_there(healer, made):
    text = (made / "healer.yaml").read_text()
    assert yaml.safe_load(text) == {"environment": "dev", "mode": "observe"}
    commented = [
        line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ") and "$schema" not in line
    ]
    (made / "healer.yaml").write_text("\n".join([text, *commented]))
    done = healer("validate", made)
    assert done.exit_code == 0, done.output


def test_it_is_valid(healer, made):
    done = healer("validate", made, "--strict")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("ok: 1 rulebook, 1 rule, 2 actions, 1 controller, 1 tests' file (")


def test_its_rule_fires_for_its_example(made):
    event = json.loads((made / "examples/disk_full.json").read_text())
    (firing,) = testing.replay(made / "rulebooks/disk.yml", [{"event": event}])
    assert (firing.step, firing.rule) == (0, "disk is full")
    assert cycles.lifecycle(event["alert"]) == ("example-disk-full", True)  # so that it acts once, without a throttle


@pytest.mark.parametrize(("dry", "left"), [("1", {"old", "new"}), ("", {"new"})])
def test_its_script_works(made, tmp_path, dry, left):
    assert stat.S_IMODE((made / "scripts/clean_disk.sh").stat().st_mode) & 0o111
    folder = tmp_path / "full"
    folder.mkdir()
    for name in ("old", "new"):
        (folder / name).write_text("x")
    os.utime(folder / "old", (0, 0))
    env = {
        "PATH": os.environ["PATH"],
        "HEALER_PARAM_FOLDER": str(folder),
        "HEALER_PARAM_KEEP_DAYS": "7",
        "HEALER_DRY_RUN": dry,
    }
    done = subprocess.run([made / "scripts/clean_disk.sh"], env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {"removed": 1}
    assert {path.name for path in folder.iterdir()} == left


def test_its_script_without_the_folder(made, tmp_path):
    env = {"PATH": os.environ["PATH"], "HEALER_PARAM_FOLDER": str(tmp_path / "none"), "HEALER_PARAM_KEEP_DAYS": "7"}
    done = subprocess.run([made / "scripts/clean_disk.sh"], env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {"removed": 0}


def test_for_programs(healer):
    done = healer("init", "new", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"folder": "new", "written": list(starter.FILES), "there": []}
    pathlib.Path("new/healer.yaml").unlink()
    again = json.loads(healer("init", "new", "--json").stdout)
    assert (again["written"], again["there"]) == (
        ["healer.yaml"],
        [name for name in starter.FILES if name != "healer.yaml"],
    )
