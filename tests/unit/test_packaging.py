"""The package as pip sees it: what is in the sdist and the wheel, and that each way of installing works elsewhere.

Everything is built from a copy, offline, with the setuptools that is installed.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PACKAGED = ("healer", "sources", "checks", "controllers")
ALONGSIDE = ("pyproject.toml", "README.md", "LICENSE")
LOOK = """
import healer, healer.checks, healer.cli, healer.controllers, healer.formats, healer.sources
print(healer.__file__, *healer.controllers.__path__, sep=chr(10))
"""


def settings() -> dict[str, object]:
    """pyproject.toml's `tool.setuptools`."""
    table: dict[str, object] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    return table


def installed_as(relative: pathlib.PurePath) -> pathlib.PurePath:
    """Where a file or folder of the repository comes to lie in an installation, by `package-dir`."""
    mapping = settings()["package-dir"]
    assert isinstance(mapping, dict)
    for package, folder in sorted(mapping.items(), key=lambda pair: -len(pair[1])):
        if relative.is_relative_to(folder):
            return pathlib.PurePath(*package.split(".")) / relative.relative_to(folder)
    return relative


def run(*command: str | pathlib.Path, cwd: pathlib.Path) -> str:
    """Runs a command that must succeed; its output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A clean copy of what is packaged, in a folder whose name has a space."""
    root = tmp_path_factory.mktemp("clean") / "auto healer"
    for folder in PACKAGED:
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ALONGSIDE:
        shutil.copy(REPOSITORY / file, root / file)
    return root


@pytest.fixture(scope="module")
def dist(copy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder with the sdist and with the wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, copy, cwd=folder)
    return folder


def environment(folder: pathlib.Path) -> pathlib.Path:
    """A virtual environment without pip that sees this one's libraries, though not its editable installs."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    scheme = {"base": str(folder), "platbase": str(folder)}
    site = pathlib.Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def install(folder: pathlib.Path, *what: str | pathlib.Path) -> None:
    """`pip install` into `folder`, offline."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python", "install")
    run(*pip, "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed", *what, cwd=folder)


def works(folder: pathlib.Path, elsewhere: pathlib.Path) -> list[pathlib.Path]:
    """Uses the installed package from another directory; where `healer` and its controllers lie."""
    version = run(folder / "bin/healer", "version", cwd=elsewhere)
    assert "0." in version
    assert run(folder / "bin/python", "-m", "healer", "version", cwd=elsewhere) == version
    places = run(folder / "bin/python", "-W", "error", "-c", LOOK, cwd=elsewhere).splitlines()
    return [pathlib.Path(place) for place in places]


def test_list_of_packages_is_the_list_of_folders() -> None:
    found = set()
    for top in PACKAGED:
        for folder in {path.parent for path in (REPOSITORY / top).rglob("*.py")}:
            found.add(".".join(installed_as(folder.relative_to(REPOSITORY)).parts))
    listed = settings()["packages"]
    assert isinstance(listed, list)
    assert len(listed) == len(set(listed))
    assert set(listed) == found, "tool.setuptools.packages of pyproject.toml must list every folder with Python in it"


def test_wheel_has_everything(dist: pathlib.Path, copy: pathlib.Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {"healer/py.typed"}
    for path in [*copy.rglob("*.py"), *copy.rglob("*.sql")]:
        expected.add(installed_as(path.relative_to(copy)).as_posix())
    assert expected - names == set()
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert {name.split("/")[0] for name in names} == {"healer", wheel.name.split("-py3")[0] + ".dist-info"}


def test_sdist_has_everything(dist: pathlib.Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {*ALONGSIDE, "healer/errors.py", "healer/py.typed"} <= names
    assert {f"sources/{path.name}" for path in (REPOSITORY / "sources").glob("*.py")} <= names


def test_wheel_works_from_another_directory(dist: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (wheel,) = dist.glob("*.whl")
    folder = environment(tmp_path / "venv")
    install(folder, wheel)
    for place in works(folder, tmp_path):
        assert place.is_relative_to(folder)


def test_sdist_works(dist: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    folder = environment(tmp_path / "venv")
    install(folder, sdist)
    for place in works(folder, tmp_path):
        assert place.is_relative_to(folder)


def test_editable_works(copy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = environment(tmp_path / "venv")
    install(folder, "--editable", copy)
    package, controllers = works(folder, tmp_path)
    assert package.is_relative_to(copy)
    assert controllers == copy / "controllers"
