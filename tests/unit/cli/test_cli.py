"""The command line as a whole: its help, lazy loading, exit codes, and that no traceback is seen."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import click
import pytest

from healer import cli, errors

HEAVY = (
    "aiohttp",
    "aiosqlite",
    "pydantic",
    "ansible",
    "ansible_rulebook",
    "ansible_runner",
    "asyncssh",
    "cryptography",
    "uvloop",
    "orjson",
    "jinja2",
    "jsonschema",
    "loguru",
    "rich",
    "yaml",
    "sqlite3",
    "asyncio",
    "healer.config",
    "healer.engine",
    "healer.policy",
    "re2",
    "healer.project",
    "healer.store",
)
SHOWN = [name for name, entry in cli.COMMANDS.items() if not entry.hidden]


def python(
    *args: str, env: dict[str, str] | None = None, cwd: pathlib.Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


def test_help_lists_every_command_in_its_group_with_whether_it_acts(healer):
    shown = healer("--help").stdout
    assert "acts on the world" in shown
    lines = shown.splitlines()
    for group, title in cli.GROUPS.items():
        below = lines[lines.index(title) + 1 :]
        block = below[: below.index("")] if "" in below else below
        wanted = [name for name, entry in cli.COMMANDS.items() if entry.group == group and not entry.hidden]
        assert [line.split()[0] for line in block] == wanted
        for line in block:
            assert line.endswith(cli.COMMANDS[line.split()[0]].acts)
    assert not any(line.strip().startswith("replay") for line in lines)


def test_only_what_acts_says_so():
    assert [name for name, entry in cli.COMMANDS.items() if entry.acts.startswith("YES")] == ["send"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_every_command_names_its_group(healer, name):
    done = healer(name, "--help")
    assert done.exit_code == 0
    assert f"Group: {cli.COMMANDS[name].group}. Acts on the world: {cli.COMMANDS[name].acts}." in " ".join(
        done.stdout.split()
    )


def test_every_group_has_a_title():
    assert {entry.group for entry in cli.COMMANDS.values()} == set(cli.GROUPS)


@pytest.mark.parametrize("args", [["version"], ["--version"], ["--help"]])
def test_version_and_help_import_nothing_heavy(args):
    code = f"import sys; from healer import cli\ntry:\n    cli.cli.main({args!r})\nexcept SystemExit:\n    pass\n"
    done = python("-W", "error", "-c", code + f"print('heavy:', *[name for name in {HEAVY!r} if name in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy:"


HELP_OF_ALL = f"""
import contextlib, io, sys
from healer import cli

seen = set()
for name in cli.COMMANDS:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        cli.cli.main([name, "--help"])
    for heavy in {{one for one in {HEAVY!r} if one in sys.modules}} - seen:
        seen.add(heavy)
        print(name, "imports", heavy)
print(len(cli.COMMANDS))
"""


def test_no_command_imports_anything_heavy_before_it_begins():
    """All in one process: what one of them imports is told of the first that does."""
    done = python("-W", "error", "-c", HELP_OF_ALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(cli.COMMANDS)}\n"


@pytest.mark.parametrize("name", ["status", "alerts", "runs", "explain", "reload", "send", "keys", "audit"])
def test_a_command_that_asks_a_daemon_imports_none_of_its_libraries(name, tmp_path):
    """But for YAML, where `healer.yaml` has to be read for where the daemon is."""
    heavy = [name for name in HEAVY if name not in ("asyncio", "yaml", "healer.config")]
    (tmp_path / "healer.yaml").write_text("data_dir: data\n")
    code = f"import sys; from healer import cli; cli.cli.get_command(None, {name!r})\n"
    code += "from healer.cli import client, location\nprint(location.data_dir_of(None, None, {}))\n"
    done = python("-c", code + f"print('heavy:', *[name for name in {heavy!r} if name in sys.modules])", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["data", "heavy:"]


def test_everything_that_prints_for_people_does_so_for_programs():
    """But for the daemon, whose log is JSON already, and a script for a shell."""
    without = set()
    todo = [(name, cli.cli.get_command(click.Context(cli.cli), name)) for name in cli.COMMANDS]
    for words, command in todo:
        below = getattr(command, "commands", {})
        todo += [(f"{words} {name}", one) for name, one in below.items()]
        if not below and not any("--json" in param.opts for param in command.params):
            without.add(words)
    assert without == {"run", "serve", "completion"}


def test_unknown_command_names_the_nearest(healer):
    done = healer("statsu")
    assert done.exit_code == 2
    assert "did you mean 'status'?" in done.stderr


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("cancel", "healer runs cancel"),
        ("release", "healer locks release"),
        ("approv", "did you mean 'approvals'?"),
        ("show", "healer --help"),
    ],
)
def test_a_subcommand_without_its_group_is_found(healer, word, advice):
    done = healer(word, "x")
    assert (done.exit_code, done.stderr) == (2, f"error[usage]: healer has no command '{word}'\n  try  {advice}\n")


def test_the_help_says_what_exit_codes_mean_as_the_docs_do(healer, repository):
    shown = " ".join(healer("--help").stdout.split())
    text = (repository / "docs/commands.md").read_text("utf-8")
    for code, meaning in cli.EXIT_CODES.items():
        assert f"{code} {meaning}" in shown
        assert f"| {code} | {meaning} |" in text


def test_unknown_option_is_wrong_use(healer):
    assert healer("version", "--nope").exit_code == 2


def test_no_command_is_wrong_use_and_shows_the_help(healer):
    done = healer()
    assert done.exit_code == 2
    assert "acts on the world" in done.output


def raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (errors.UnknownAction(action="x"), 1, "error[unknown_action]"),
        (errors.PortInUse(host="h", port=1, by=""), 2, "error[port-in-use]"),
        (errors.NotRunning("healer run", where="there"), 3, "try  healer run"),
        (errors.Forbidden(actor="a", permission="p"), 4, "error[forbidden]"),
        (PermissionError(13, "Permission denied", "f"), 2, "error[unreadable]: f: Permission denied"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 1, ""),
    ],
)
def test_what_goes_wrong_becomes_text_and_a_code(healer, monkeypatch, error, code, text):
    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: raising(error))
    done = healer("version")
    assert done.exit_code == code
    assert text in done.stderr
    assert "Traceback" not in done.output


def after(error: BaseException, cause: BaseException, context: BaseException | None = None) -> BaseException:
    error.__cause__, error.__context__ = cause, context
    return error


@pytest.mark.parametrize(
    "error",
    [
        after(RuntimeError("Error calling __set_name__"), KeyboardInterrupt()),
        after(TypeError("schema"), after(ValueError("inner"), KeyboardInterrupt())),
        after(ValueError("x"), OSError("gone"), KeyboardInterrupt()),
        after(OSError("gone"), after(click.UsageError("x"), KeyboardInterrupt())),
        after(click.UsageError("x"), KeyboardInterrupt()),
        after(click.Abort(), after(RuntimeError("x"), KeyboardInterrupt())),
    ],
)
def test_what_an_interruption_caused_is_one(healer, monkeypatch, error):
    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: raising(error))
    done = healer("version")
    assert (done.exit_code, done.output.strip()) == (130, "")


def test_a_ring_of_causes_ends(healer, monkeypatch):
    first, second = OSError(2, "No such file or directory"), ValueError("x")
    first.__cause__, second.__context__ = second, first
    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: raising(first))
    assert healer("version").exit_code == 2


@pytest.mark.parametrize("made", ["raise RuntimeError('x') from e", "raise RuntimeError('x')"])
def test_what_is_interrupted_within_an_import_is_no_mistake_of_healer(made):
    code = "import sys; from healer import cli\ndef gone(*_):\n    try:\n        raise KeyboardInterrupt\n    except BaseException as e:\n"
    code += f"        {made}\ncli.Commands.get_command = gone\nsys.argv = ['healer', 'version']; cli.main()"
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (130, "")


def test_text_of_an_error_steers_no_terminal(healer, monkeypatch):
    monkeypatch.setattr(
        cli.Commands, "get_command", lambda *_: raising(errors.UnknownAction(action="\x1b[2J\u202egone"))
    )
    assert not {"\x1b", "\u202e"} & set(healer("version").stderr)


BROKEN = "import sys; from healer import cli; cli.Commands.get_command = lambda *_: 1 / 0; sys.argv = ['healer', 'version']; cli.main()"


def test_the_unforeseen_is_one_line_with_a_hint():
    done = python("-c", BROKEN)
    assert done.returncode == 1
    assert done.stderr.startswith("error[internal]: ZeroDivisionError: division by zero\n  try  HEALER_DEBUG=1")
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback():
    assert "Traceback" in python("-c", BROKEN, env={"HEALER_DEBUG": "1"}).stderr


@pytest.mark.parametrize("also", ["", " 2>&1"])
@pytest.mark.parametrize(
    "command", ["--help", "--version", "version", "validate", "validate --json", "schema rulebook", "test --help"]
)
def test_a_reader_that_goes_away_ends_it_as_the_signal_would(tmp_path, command, also):
    (tmp_path / "healer.yaml").write_text("{}\n")
    told, code = without_reader(f"{command}{also}", tmp_path)
    assert (told, code) == ("", 141)


def test_a_reader_of_errors_that_goes_away_ends_it_so_too(tmp_path):
    assert without_reader("nosuch 2>&1", tmp_path) == ("", 141)
    assert without_reader("version 2>&1 >/dev/null", tmp_path) == ("", 0)  # nothing was to be said there
    told, code = without_reader("nosuch", tmp_path)
    assert told.startswith("error[usage]")
    assert code == 2


def test_what_is_behind_a_mistake_of_its_own_stays_one(tmp_path):
    code = (
        "from healer import cli, errors\nimport click\n"
        "@click.command()\ndef one():\n    try:\n        raise BrokenPipeError(32, 'x')\n"
        "    except OSError as error:\n        raise errors.HealerError('it is gone') from error\n"
        "cli.Commands.get_command = lambda *_: one\nimport sys; sys.argv = ['healer', 'version']; cli.main()"
    )
    done = python("-c", code)
    assert done.returncode == errors.HealerError.exit_code
    assert "it is gone" in done.stderr


def without_reader(command, folder):
    """(what is told on standard error, exit code) of a command whose output nobody reads."""
    read, write = os.pipe()
    os.close(read)
    argv = ["/bin/sh", "-c", f"exec {sys.executable} -m healer {command}"]
    with subprocess.Popen(argv, stdout=write, stderr=subprocess.PIPE, text=True, cwd=folder) as done:
        os.close(write)
        _, told = done.communicate(timeout=60)
    return told, done.returncode


def test_interrupted_is_130(tmp_path, wait_for):
    code = (
        "import sys, signal, click; from healer import cli\n"
        "@click.command()\ndef wait():\n    print('here', flush=True)\n    signal.pause()\n"
        "cli.Commands.get_command = lambda *_: wait\nsys.argv = ['healer', 'version']; cli.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "here\n"
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in told


def test_interrupted_before_any_command_has_begun_no_traceback_is_seen():
    code = "import signal, sys; from healer import cli; sys.argv = ['healer', 'version']\n"
    code += "cli.Commands.main = lambda *_, **__: signal.raise_signal(signal.SIGINT)\ncli.main()"
    done = python("-c", code)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("command", ["schema rulebook", "policy show --defaults", "completion zsh"])
def test_a_reader_that_goes_away_in_the_middle_is_no_error(command):
    code = f"import sys; from healer import cli; sys.argv = ['healer', *{command.split()!r}]; cli.main()"
    read, write = os.pipe()
    with subprocess.Popen([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True) as done:
        os.close(write)
        os.read(read, 1)
        os.close(read)
        _, told = done.communicate(timeout=60)
    assert told == ""


def test_another_encoding_is_no_error():
    done = python("-m", "healer", "--help", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0


def test_every_command_has_its_heading_in_the_docs(repository):
    lines = (repository / "docs/commands.md").read_text("utf-8").splitlines()
    headings = {line.removeprefix("## ") for line in lines if line.startswith("## ")}
    assert [name for name in cli.COMMANDS if name != "serve" and f"healer {name}" not in headings] == []


def test_every_option_stands_in_the_docs(repository):
    text = (repository / "docs/commands.md").read_text("utf-8")
    missing = []
    for name in cli.COMMANDS:
        command = cli.cli.get_command(None, name)
        inner = [command]
        for one in inner:
            inner += one.commands.values() if isinstance(one, click.Group) else ()
            for param in one.params:
                missing += [f"{name} {opt}" for opt in param.opts if opt.startswith("--") and f"`{opt}" not in text]
    assert missing == []


def test_whoever_closes_its_output_is_told_by_the_exit_code_alone(tmp_path):
    (tmp_path / "healer.yaml").write_text("environment: [\n")
    for command, code in (("version", 0), (f"validate {tmp_path}", 1)):
        argv = f"{sys.executable} -m healer {command} >&- 2>&- <&-"
        assert subprocess.run(["/bin/sh", "-c", argv], check=False, timeout=60).returncode == code


def test_what_cannot_be_printed_is_told():
    with pathlib.Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "healer", "schema", "rulebook"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2,
        "error[not-written]: what was to be printed: No space left on device\n",
    )
