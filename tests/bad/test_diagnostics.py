"""Bad files and what `healer validate` says of each, word for word: `NAME.yml` → `NAME.txt`, or a folder `NAME/` with a file `expect`.

The first lines of a bad file say by hand what has to be told, and what the file is of (see `Case`). Around it a sound project is put, of
which nothing is told (`base/`). What is printed stands in `NAME.txt`; `BAD_REWRITE=1` writes that again, and never what is expected.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
import pathlib
import re
import shutil
import socket

import click.testing
import pytest

from healer import cli
from healer.lint import codes
from healer.lint.syntax import asking

HERE = pathlib.Path(__file__).parent
BASES = HERE / "base"
EXPECT = "expect"
REWRITE = "BAD_REWRITE"
TOKEN = "ALERTMANAGER_TOKEN"
CI = (
    "CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_PROJECT_ID", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "EDA_CONTROLLER_URL", "EDA_VAULT_PASSWORD_FILE",
    "GITHUB_EVENT_NAME",
)  # fmt: skip
"""Variables by which another machine would have something else told."""

NOT_TOLD = {
    "admin-key": "the file of the first key: read at the daemon's start",
    "changed-meanwhile": "a file that changes while a reload copies it",
    "hosts-not-listed": "Ansible lists the hosts of an inventory for the daemon alone",
    "idle-key": "keys are in the daemon's store",
    "keys-file": "the file of keys: read at the daemon's start",
    "last-revision": "a start with the copy that held last",
    "load-failed": "the daemon reads a project in another process",
    "needs-restart": "a reload of what only a start can change",
    "no-project": "the command line refuses a folder that is not there before anything is read",
    "receiver-gone": "messages that wait are in the store of the daemon",
    "resumed": "a reload that ends pauses",
    "revision-tampered": "the copies of revisions are in the daemon's data directory",
    "unknown-plugin": "told as what it is: unknown-source, unknown-check, unknown-controller-type, unknown-format",
}
"""Codes of the table that `healer validate` cannot tell, with the reason."""

WITHOUT_ADVICE: dict[str, str] = {
    "more": "it counts what is not shown",
    "project-code": "the message names the option that was asked for",
}
"""Codes for which the table has something to do and some message says none, with the reason."""

_HEADER = re.compile(r"(?:# )?(expect|file|with|given|asked|limit|lacks|link|made|ansible): (.+)")
_EXPECTED = re.compile(r"([a-z_-]+)(?: (\S*?))??(?: ?:?(\d+:\d+))?")
_TOLD = re.compile(r"(?P<place>\S[^|]*?): (?P<severity>error|warning|hint)\[(?P<code>[a-z_-]+)\]: .+")
_CARET = re.compile(r" +\| [ \t]*\^+(?P<advice> .+)?")


@dataclasses.dataclass
class Case:
    """One bad file or folder. In its header each line is one of these, `# ` before it where it stands in the file:

    `expect: CODE [FILE][:LINE:COLUMN]` what is told and where (in a bad file: of this file); `file: PATH` where it lies in its project;
    `with: NAME` the project around it; `given: NAME=VALUE` a variable of the environment; `asked: --OPTION` of the command line;
    `limit: MODULE:NAME = NUMBER` a bound that is lower, so that the file can be small; `lacks: PACKAGE` one that is not installed;
    `ansible: PATH` in its project is the ansible-playbook that is found, without it none is;
    `link: PATH -> TARGET` and `made: PATH` (with escapes), what is no file that a repository holds.
    """

    name: str
    header: list[tuple[str, str]]
    folder: bool

    @property
    def file(self) -> str:
        """Where the bad file lies in its project."""
        return next(iter(self.all("file")), "rulebooks/bad.yml")

    def all(self, word: str) -> list[str]:
        """What the header says with a word."""
        return [said for one, said in self.header if one == word]

    @property
    def expected(self) -> list[tuple[str, str]]:
        """(code, place) of what has to be told."""
        made = []
        for said in self.all("expect"):
            found = _EXPECTED.fullmatch(said)
            assert found, f"{self.name}: {said!r} is not CODE [FILE][:LINE:COLUMN]"
            code, file, at = found.groups()
            made.append((code, ":".join(filter(None, (file or self.file, at)))))
        return made


@dataclasses.dataclass
class Told:
    """One diagnostic as printed."""

    place: str
    severity: str
    code: str
    lines: list[str]

    @property
    def advice(self) -> str:
        """What to do, as it stands behind the caret or after `try`."""
        for line in self.lines[1:]:
            if line.startswith("  try  "):
                return line.removeprefix("  try  ")
            if found := _CARET.fullmatch(line):
                return (found["advice"] or "").strip()
        return ""


def cases() -> dict[str, Case]:
    made = {}
    for path in sorted(HERE.iterdir()):
        if path.is_dir() and path != BASES and path.name != "__pycache__":
            made[path.name] = Case(path.name, _header(path / EXPECT), folder=True)
        elif path.suffix == ".yml":
            made[path.stem] = Case(path.stem, _header(path), folder=False)
    return made


def _header(path: pathlib.Path) -> list[tuple[str, str]]:
    made = []
    for line in path.read_text("utf-8", "replace").splitlines():
        found = _HEADER.fullmatch(line)
        if found is None:
            break
        made.append((found[1], found[2]))
    return made


CASES = cases()


def _build(case: Case, root: pathlib.Path) -> None:
    """The project of a case."""
    for base in case.all("with") or ["sound"]:
        if base != "nothing":
            shutil.copytree(BASES / base, root, dirs_exist_ok=True)
    root.mkdir(exist_ok=True)
    if case.folder:
        shutil.copytree(
            HERE / case.name,
            root,
            dirs_exist_ok=True,
            ignore=lambda at, _: [EXPECT] if at == str(HERE / case.name) else [],
        )
    else:
        (root / case.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / f"{case.name}.yml", root / case.file)
    for said in case.all("link"):
        path, _, target = said.partition(" -> ")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    for said in case.all("made"):
        path = said.encode().decode("unicode_escape")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("", encoding="utf-8")


def _around(case: Case, monkeypatch: pytest.MonkeyPatch, root: pathlib.Path) -> None:
    """The machine of a case."""
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    given = dict(said.split("=", 1) for said in case.all("given"))
    for name, value in {TOKEN: "x", "HOME": str(root.parent / "home"), **given}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "gethostname", lambda: "healer-host")
    found = next((root / said for said in case.all("ansible")), None)
    monkeypatch.setattr(asking, "program", lambda _: found)
    for said in case.all("limit"):
        place, _, number = said.partition(" = ")
        module, _, name = place.partition(":")
        monkeypatch.setattr(importlib.import_module(module), name, int(number))
    if lacking := case.all("lacks"):
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *args: None if name in lacking else find(name, *args)
        )
    monkeypatch.chdir(root)


@pytest.fixture
def printed(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `healer validate` prints of a case: its paths relative, no time."""
    case = CASES[request.param]
    root = tmp_path / "project"
    _build(case, root)
    _around(case, monkeypatch, root)
    done = click.testing.CliRunner().invoke(cli.cli, ["validate", *case.all("asked")])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in (0, 1), done.output
    text = (done.stdout + done.stderr).replace(f"{root}/", "").replace(str(root), "PROJECT")
    return re.sub(r"\(\d+\.\d s\)", "(0.1 s)", text)


def told(text: str) -> list[Told]:
    """The diagnostics in a printed text."""
    made: list[Told] = []
    for line in text.splitlines():
        if found := _TOLD.fullmatch(line):
            made.append(Told(found["place"], found["severity"], found["code"], [line]))
        elif made and not line.startswith(("ok: ", "error[")):
            made[-1].lines.append(line)
    return made


@pytest.mark.parametrize(("printed", "name"), [(name, name) for name in CASES], ids=CASES, indirect=["printed"])
def test_bad_file(printed: str, name: str) -> None:
    case, found = CASES[name], told(printed)
    kept = HERE / f"{name}.txt"
    if os.environ.get(REWRITE):
        kept.write_text(printed, encoding="utf-8")
    places = [(one.code, one.place) for one in found]
    assert [one for one in case.expected if one not in places] == [], f"is not told:\n{printed}"
    unexpected = [(code, place) for (code, place), one in zip(places, found, strict=True) if one.severity == "error"]
    assert [one for one in unexpected if one not in case.expected] == [], f"is told beside:\n{printed}"
    assert "Traceback" not in printed
    for one in found:
        assert one.code in codes.TABLE, printed
        assert one.advice or not _promised(one.code), f"{one.code}: nothing to do about it:\n{printed}"
    assert printed == kept.read_text("utf-8"), f"another text; {REWRITE}=1 takes it, then read it"


def _promised(code: str) -> bool:
    """Whether the table has something to do about a code that its message does not say."""
    do = codes.TABLE[code].do
    return code not in WITHOUT_ADVICE and "as the message says" not in do and not do.startswith("nothing")


def test_each_code_has_a_bad_file() -> None:
    shown = {code for case in CASES.values() for code, _ in case.expected}
    assert sorted(set(codes.TABLE) - shown - set(NOT_TOLD)) == [], "write tests/bad/CODE.yml"
    assert sorted(shown & set(NOT_TOLD)) == [], "it is told: take it out of NOT_TOLD"
    assert sorted((shown | set(NOT_TOLD) | set(WITHOUT_ADVICE)) - set(codes.TABLE)) == [], "there is no such code"


def test_each_bad_file_expects_something() -> None:
    assert [name for name, case in CASES.items() if not case.expected] == []


def test_no_text_without_a_bad_file() -> None:
    assert sorted(path.stem for path in HERE.glob("*.txt")) == sorted(CASES)
    doubled = [path.stem for path in HERE.glob("*.yml") if (HERE / path.stem).is_dir()]
    assert doubled == [], "a file and a folder of one name share a text"


def test_nothing_is_told_of_the_projects_around(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for base in sorted(BASES.iterdir()):
        root = tmp_path / base.name
        case = Case(base.name, [("with", base.name)], folder=True)
        shutil.copytree(base, root)
        _around(case, monkeypatch, root)
        done = click.testing.CliRunner().invoke(cli.cli, ["validate"])
        assert done.stdout.startswith("ok: "), done.output
