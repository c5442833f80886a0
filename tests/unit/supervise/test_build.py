"""From a source of the revision to something that runs."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from healer import secrets, supervise
from healer.supervise import build


def quiet(level: str, message: str) -> None:
    """A log that nobody reads."""


def builder(folder: pathlib.Path) -> supervise.Builder:
    return supervise.Builder(lambda: folder, folder, secrets.Secrets(folder, {}), {}, quiet)


def test_native_source_gets_its_options(tmp_path: pathlib.Path) -> None:
    spec = supervise.Running("a/b/c", "check", {"disk": {"path": "/"}, "interval": "5m"})
    made: Any = builder(tmp_path).build(spec)
    assert (made.options.interval, made.context.name) == (300.0, "a/b/c")


def test_eda_source_gets_its_filters(tmp_path: pathlib.Path) -> None:
    spec = supervise.Running("a/b/c", "range", {"limit": 1}, (("eda.builtin.noop", None),))
    assert isinstance(builder(tmp_path).build(spec), supervise.EdaSource)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (supervise.Running("k", "check", {"disk": {}}), "are wrong: the key 'path' is missing$"),
        (
            supervise.Running("k", "check", {"disk": "/", "failures": "x"}),
            "disk: a mapping with path .* got '/'; failures: a whole number is",
        ),
        (supervise.Running("k", "check"), "exactly one of"),
        (supervise.Running("k", "healer.api"), "has no task"),
        (supervise.Running("k", "check", {"disk": {"path": "/"}}, (("noop", None),)), "filters are for"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: pathlib.Path, spec: supervise.Running, says: str) -> None:
    with pytest.raises(build.WrongOptions, match=says):
        builder(tmp_path).build(spec)


def test_a_plugin_comes_from_the_revision_and_gets_secrets_and_its_environment(tmp_path: pathlib.Path) -> None:
    files, base = tmp_path / "revision", tmp_path / "project"
    for folder, text in ((files, "held"), (base, "edited")):
        (folder / "sources").mkdir(parents=True)
        (folder / "sources/mine.py").write_text(f"async def main(queue, args):\n    {text!r}\n")
    known = secrets.Secrets(base, {"TOKEN": "t0ken", "PATH": "/bin"})
    made: Any = supervise.Builder(lambda: files, base, known, {"PATH": "/bin", "OTHER": "x"}, quiet).build(
        supervise.Running(
            "a/b/c", "mine", {"auth": {"token": {"secret": "env:TOKEN"}}}, env={"A": "1", "B": {"secret": "env:TOKEN"}}
        )
    )
    assert made._start["source"] == str(files / "sources/mine.py")
    assert made._start["args"] == {"auth": {"token": "t0ken"}}
    assert made._env == {"PATH": "/bin", "A": "1", "B": "t0ken"}
    assert made._project_dir == base
