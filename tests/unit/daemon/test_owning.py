"""Who owns the data directory, and with which project a standby takes over."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Callable

import pytest

from healer import daemon, errors, project, store
from healer.daemon import owning
from healer.store import deciding, ownership

OBSERVE = "mode: observe\n"
ACTIVE = "mode: active\n"
WRONG = "mode: [\n"


@pytest.fixture
def options(tmp_path: pathlib.Path) -> daemon.StartOptions:
    """A standby of a project that is active when it begins to wait; its data directory is `data`."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/healer.yaml").write_text(ACTIVE)
    (tmp_path / "data").mkdir()
    return daemon.StartOptions(tmp_path / "project", tmp_path / "data", standby=True)


@pytest.fixture
def first(options: daemon.StartOptions) -> project.Revision:
    """The project as the standby read it first."""
    return loaded(options)


def loaded(options: daemon.StartOptions) -> project.Revision:
    found = project.load(options.project, {}, options.overrides())
    assert found.revision is not None, found.diagnostics
    return found.revision


@pytest.fixture
def reload(options: daemon.StartOptions) -> Callable[[str], project.Revision]:
    """`reload(text)`: what the other daemon does with another healer.yaml; the revision."""

    def hold(text: str) -> project.Revision:
        (options.project / "healer.yaml").write_text(text)
        revision = loaded(options)
        assert options.data_dir is not None
        opened = store.Store.open(options.data_dir, lambda: 1, loop=None)
        project.publish(revision, options.data_dir)
        opened.writer.now(deciding.UseRevision(revision.id, "", "d", {}))
        opened.writer.close()
        return revision

    return hold


def taken_over(options: daemon.StartOptions, first: project.Revision) -> project.Revision:
    assert options.data_dir is not None
    return owning.taken_over(first, options.project, options.data_dir, options)


def write(options: daemon.StartOptions, text: str) -> None:
    (options.project / "healer.yaml").write_text(text)


def test_it_takes_over_with_the_project_as_it_is_then(
    options: daemon.StartOptions, first: project.Revision, capsys: pytest.CaptureFixture[str]
) -> None:
    write(options, OBSERVE)
    found = taken_over(options, first)
    assert (first.settings.mode, found.settings.mode, found.project_dir) == ("active", "observe", options.project)
    assert capsys.readouterr().err == "".join(f"{one}\n" for one in found.diagnostics if one.severity == "warning")


def test_what_was_told_when_it_began_to_wait_is_not_told_again(
    options: daemon.StartOptions, first: project.Revision, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [one for one in first.diagnostics if one.severity == "warning"]
    assert taken_over(options, first).id == first.id
    assert capsys.readouterr().err == ""


def test_where_the_files_are_wrong_the_revision_goes_on_that_held_last(
    options: daemon.StartOptions, first: project.Revision, reload: Callable[[str], project.Revision],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    reload(ACTIVE)
    last = reload(OBSERVE)
    write(options, WRONG)
    found = taken_over(options, first)
    assert (found.id, found.settings.mode) == (last.id, "observe")
    assert options.data_dir is not None
    assert found.project_dir == options.data_dir / "revisions" / last.id
    said = capsys.readouterr().err
    assert "healer.yaml:" in said
    assert "error[configuration]: 1 error in the files of the project" in said
    assert f"warning[last-revision]: its files are wrong, so the revision {last.short} goes on, which held last" in said
    assert f"healer reload{options.which()}\n" in said
    assert "--data-dir" in options.which()


def test_flags_hold_for_the_revision_that_held_last_too(
    options: daemon.StartOptions, first: project.Revision, reload: Callable[[str], project.Revision]
) -> None:
    reload(ACTIVE)
    write(options, WRONG)
    with_mode = daemon.StartOptions(options.project, options.data_dir, mode="observe", standby=True)
    assert taken_over(with_mode, first).settings.mode == "observe"


def test_a_project_that_has_gone_is_wrong_too(
    options: daemon.StartOptions, first: project.Revision, reload: Callable[[str], project.Revision]
) -> None:
    last = reload(OBSERVE)
    shutil.rmtree(options.project)
    found = taken_over(options, first)
    assert found.id == last.id


def test_without_a_revision_that_held_it_says_what_is_wrong_and_ends(
    options: daemon.StartOptions, first: project.Revision, reload: Callable[[str], project.Revision], tmp_path: pathlib.Path
) -> None:  # fmt: skip
    write(options, WRONG)
    with pytest.raises(errors.ConfigurationError):
        taken_over(options, first)
    store.Store.open(tmp_path / "data", lambda: 1, loop=None).writer.close()
    with pytest.raises(errors.ConfigurationError):
        taken_over(options, first)
    last = reload(OBSERVE)
    (tmp_path / "data/revisions" / last.id).rename(tmp_path / "moved")
    write(options, WRONG)
    with pytest.raises(errors.ConfigurationError):
        taken_over(options, first)


def test_a_revision_that_was_tampered_with_does_not_go_on(
    options: daemon.StartOptions, first: project.Revision, reload: Callable[[str], project.Revision], tmp_path: pathlib.Path
) -> None:  # fmt: skip
    file = tmp_path / "data/revisions" / reload(OBSERVE).id / "healer.yaml"
    file.chmod(0o600)
    file.write_text(ACTIVE)
    write(options, WRONG)
    with pytest.raises(project.Tampered):
        taken_over(options, first)


def test_a_store_that_cannot_be_read_is_told(
    options: daemon.StartOptions, first: project.Revision, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "data/healer.db").write_bytes(b"not a database, but rather long" * 400)
    write(options, WRONG)
    with pytest.raises(errors.StoreError):
        taken_over(options, first)


def test_another_data_directory_holds_from_the_next_start_on(
    options: daemon.StartOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    without = daemon.StartOptions(options.project, standby=True)
    first = loaded(without)
    write(options, "data_dir: elsewhere\n")
    owning.taken_over(first, options.project, options.project / ".healer", without)
    assert "warning[needs-restart]: data_dir: " in capsys.readouterr().err


# --- the lock -------------------------------------------------------------------------------------------------------------


def test_the_advice_names_the_daemon_that_was_asked_for(tmp_path: pathlib.Path) -> None:
    owned = ownership.Ownership(tmp_path)
    owned.take()
    options = daemon.StartOptions(pathlib.Path("/ops"), tmp_path, port=8081)
    with pytest.raises(errors.AlreadyRunning) as caught, owning.held(tmp_path, options):
        pass
    which = f"--project /ops --data-dir {tmp_path}"
    assert caught.value.try_ == (
        f"to look at it: healer status {which}     to list runs: healer runs {which}     "
        f"to run an action: healer actions run NAME {which}     "
        f"to stand by for it: healer run {which} --port 8081 --standby"
    )
    owned.release()


def test_it_lets_go_however_it_ends(tmp_path: pathlib.Path) -> None:
    with contextlib.suppress(ValueError), owning.held(tmp_path / "data", daemon.StartOptions(tmp_path)) as owned:
        assert owned.held
        raise ValueError("x")
    assert not owned.held


def test_a_standby_waits_and_says_so_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ownership.Ownership(tmp_path)
    other.take()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            other.release()

    monkeypatch.setattr(owning.time, "sleep", sleep)
    with owning.held(tmp_path, daemon.StartOptions(tmp_path, standby=True)) as owned:
        assert owned.held
    assert slept == [owning.STANDBY_S] * 3
    assert capsys.readouterr().err == f"standing by: {tmp_path} is owned by another daemon\n"
