"""The faults of `docs/faults.md` that a job folder answers: each holds, and with its protection taken away it does not."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from healer.child import folder, jobs, shim

ROOT: Final = pathlib.Path(shim.__file__).resolve().parents[2]
SHIM: Final = """
import os, sys
sys.path.append(sys.argv[1])
from healer.child import folder, shim
exec(sys.argv[2])
os._exit(shim.main(sys.argv[3]))
"""
NOTHING_TAKEN_AWAY: Final = "pass"


class Broken(Exception):
    """What had to hold does not."""


def hold(condition: object, what: object) -> None:
    """As `assert`, and not to be taken for another failure."""
    if not condition:
        raise Broken(what)


class Scene:
    """A job that leaves a file in `effects` each time it takes place. `away`: what the shims are to do without, as Python."""

    def __init__(self, base: pathlib.Path) -> None:
        self.folder = base / "j"
        self.effects = base / "effects"
        self.effects.mkdir()
        self.away = NOTHING_TAKEN_AWAY
        program = f"import tempfile; tempfile.mkstemp(dir={str(self.effects)!r})"
        jobs.make(self.folder)
        jobs.write(self.folder, jobs.Spec([sys.executable, "-c", program], {"PATH": "/usr/bin:/bin"}, "/", 60.0))

    def shim(self) -> subprocess.Popen[bytes]:
        """A shim that comes."""
        argv = [sys.executable, "-I", "-S", "-c", SHIM, str(ROOT), self.away, str(self.folder)]
        return subprocess.Popen(argv, env={}, start_new_session=True)

    def count(self) -> int:
        """How often it took place."""
        return len(list(self.effects.iterdir()))


ASKED_TO_END: Final = """
import signal
plain = folder.claim
def claim(content):
    claimed = plain(content)
    os.kill(os.getpid(), signal.SIGTERM)
    return claimed
folder.claim = claim
"""


def test_an_end_that_is_asked_for_as_soon_as_there_is_a_claim_is_heard(tmp_path: pathlib.Path) -> None:
    scene = Scene(tmp_path)
    scene.away = ASKED_TO_END
    assert scene.shim().wait(60) == 0
    status = jobs.look(scene.folder)
    assert isinstance(status, jobs.Status)
    assert status.cancelled
    assert scene.count() == 0


def late_shim(scene: Scene) -> None:
    """Killed between T3 and the effect: what a start called `absent` stays so, also when its shim comes after all."""
    hold(jobs.look(scene.folder) == "absent", "it was never started")
    scene.shim().wait(60)
    hold(scene.count() == 0, "what was called absent took effect")


def two_shims(scene: Scene) -> None:
    """One token begun twice: one effect."""
    shims = [scene.shim() for _ in range(3)]
    for process in shims:
        process.wait(60)
    hold(scene.count() == 1, "two effects of one token")


def pid_of_another(scene: Scene) -> None:
    """The shim is gone, and its number is another process's by now: unknown, and nobody else's process is taken for it."""
    own = shim.Process(os.getpid())
    claim = {"pid": own.pid, "started": own.started - 1, "boot_id": shim.boot_id()}
    (scene.folder / "started").write_text(json.dumps(claim))
    hold(jobs.look(scene.folder) == "unknown", "a stranger is followed")


def any_pid(patch: pytest.MonkeyPatch, _: Scene) -> None:
    """A process of that number is the shim."""
    patch.setattr(jobs.Claim, "alive", lambda self: shim.Process(self.pid).state not in "ZX")


def full_at_the_end(scene: Scene) -> None:
    """The disk is full when the child ends: how it ended is written all the same, in space that was taken before."""
    here = pathlib.Path.cwd()
    os.chdir(scene.folder)
    descriptor = folder.reserve_status()
    before = os.fstat(descriptor).st_blocks
    folder.write_status(descriptor, {"error": "", "exit_code": 3})
    after = os.fstat(descriptor).st_blocks
    os.close(descriptor)
    os.chdir(here)
    hold(after == before > 0, "it takes space when there may be none")


def nothing_reserved(patch: pytest.MonkeyPatch, _: Scene) -> None:
    """No space is taken beforehand."""
    patch.setattr(os, "posix_fallocate", lambda *_: None)


def no_tombstone(patch: pytest.MonkeyPatch, _: Scene) -> None:
    """Who is called absent is not kept from coming."""
    patch.setattr(jobs, "place_tombstone", lambda _: True)


def no_claim(_: pytest.MonkeyPatch, scene: Scene) -> None:
    """Each shim takes the folder for its own, and leaves the job there for the others."""
    scene.away = "folder.claim, folder.scrub = lambda content: True, lambda job: None"


CASES: Final[Mapping[str, tuple[Callable[[Scene], None], Callable[[Any, Scene], None]]]] = {
    "1 a shim that comes late": (late_shim, no_tombstone),
    "1 a token begun twice": (two_shims, no_claim),
    "3 full when the child ends": (full_at_the_end, nothing_reserved),
    "8 a number that is another's": (pid_of_another, any_pid),
}


@pytest.mark.parametrize("name", CASES)
def test_it_holds(name: str, tmp_path: pathlib.Path) -> None:
    scene, _ = CASES[name]
    scene(Scene(tmp_path))


@pytest.mark.parametrize("name", CASES)
def test_it_does_not_hold_without_its_protection(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, take_away = CASES[name]
    made = Scene(tmp_path)
    take_away(monkeypatch, made)
    with pytest.raises(Broken):
        scene(made)
