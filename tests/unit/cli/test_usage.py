"""Wrong use of every command: one code, what was got, what was wanted, what to do, and nothing of it steers a terminal."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator

import click
import pytest

from healer import cli
from healer.cli import usage

HOSTILE = "\x1b[2J\u202e\r\nerror[x]: y"
SHOWN = r"\x1b[2J\u202e\r\nerror[x]: y"
SHAPE = re.compile(r"error\[(usage|unreadable)\]: [^\n]+\n  try  [^\n]+\n")


def tree() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that name it, and those below a group."""
    for name in cli.COMMANDS:
        found = cli.cli.get_command(click.Context(cli.cli), name)
        assert found is not None
        yield from below((name,), found)


def below(words: tuple[str, ...], found: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and, where it is a group, what is in it."""
    yield words, found
    for name, command in found.commands.items() if isinstance(found, click.Group) else ():
        yield from below((*words, name), command)


TREE = [pytest.param(words, command, id=" ".join(words)) for words, command in tree()]
VALUES = [
    pytest.param(words, option, id=f"{' '.join(words)} {option.opts[0]}")
    for words, command in tree()
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag and "--watch" not in option.opts
]
CHOSEN = [one for one in VALUES if isinstance(one.values[1].type, click.Choice | click.IntRange | click.FloatRange)]
FULL = {
    ("init",): ["."], ("completion",): ["bash"], ("run",): [], ("serve",): [], ("reload",): [], ("status",): [], ("alerts",): [], ("runs", "list"): [],
    ("runs", "show"): ["r-7"], ("runs", "cancel"): ["r-7"], ("runs", "resolve"): ["r-7", "--as", "failed", "--reason", "x"],
    ("locks", "list"): [], ("locks", "release"): ["web1", "--reason", "x"], ("audit", "list"): [], ("audit", "verify"): [], ("version",): [], ("explain",): ["e-1"],
    ("simulate",): ["e-1"], ("runs", "start"): ["r-7", "--break-glass", "--reason", "x"],
    ("validate",): ["."], ("replay",): ["file", "--steps", "file"], ("schema",): ["rulebook"], ("keys", "create"): ["ci", "--role", "ci"],
    ("events", "list"): [], ("events", "show"): ["e-1"], ("events", "resend"): ["e-1"], ("events", "quarantine", "list"): [],
    ("events", "quarantine", "release"): ["e-1"], ("events", "quarantine", "drop"): ["e-1"],
    ("keys", "list"): [], ("keys", "revoke"): ["x"], ("send",): ["file"], ("pause",): [], ("resume",): [], ("policy", "show"): ["."],
    ("test",): [],
    ("notify", "outbox", "list"): [], ("notify", "outbox", "retry"): ["n-1"], ("notify", "outbox", "drop"): ["n-1"],
    ("notify", "answer"): ["n-1"], ("notify", "test"): ["ops"], ("notify", "check"): ["ops"],
    ("silence", "add"): ["a=b", "--for", "2h", "--comment", "x"], ("silence", "list"): [], ("silence", "end"): ["s-1"],
    ("approvals", "list"): [], ("approvals", "show"): ["a-1"], ("approvals", "approve"): ["a-1"], ("approvals", "reject"): ["a-1"],
    ("actions", "list"): [], ("actions", "show"): ["clean"], ("actions", "run"): ["clean"], ("controllers", "list"): [],
    ("controllers", "show"): ["here"], ("controllers", "check"): ["here"], ("sources", "list"): [], ("sources", "show"): ["am"],
    ("breakers", "list"): [], ("breakers", "close"): ["clean", "--controller", "here", "--reason", "x"],
}  # fmt: skip
"""Every command with all the arguments that it takes."""
TAKES_MANY = (
    ("validate",),
    ("events", "resend"),
    ("runs", "cancel"),
    ("silence", "add"),
    ("approvals", "approve"),
    ("approvals", "reject"),
    ("test",),
)
MAY_STAND_ALONE = (("explain",), ("schema",), ("simulate",), ("controllers", "check"), ("notify", "check"))
"""Of those with arguments."""


def said(done: click.testing.Result) -> str:
    """What was said, of the one shape, harmless, and without output beside it."""
    assert (done.exit_code, done.stdout) == (2, "")
    assert SHAPE.fullmatch(done.stderr), done.stderr
    assert not {"\x1b", "\u202e", "\r"} & set(done.stderr)
    return done.stderr


@pytest.fixture
def files(healer):
    """A file and a folder in the folder that commands run in."""
    pathlib.Path("file").write_text("{}")
    pathlib.Path("folder").mkdir()
    return healer


@pytest.mark.parametrize(("words", "command"), TREE)
def test_every_command_says_wrong_use_in_this_way(words, command):
    assert isinstance(command, usage.Command | usage.Group)
    assert isinstance(command, usage.Group) or words in FULL


@pytest.mark.parametrize(("words", "command"), TREE)
def test_an_option_that_no_command_has(healer, words, command):
    assert "has no option '--nonsense'\n" in said(healer(*words, "--nonsense=5"))
    assert f"has no option '--{SHOWN}'\n" in said(healer(*words, f"--{HOSTILE}"))
    assert f"has no option '-{SHOWN}'\n" in said(healer(*words, f"-{HOSTILE}"))


@pytest.mark.parametrize("words", [words for words in FULL if words not in TAKES_MANY])
def test_arguments_that_no_command_takes(files, words):
    assert f"got '{SHOWN}', 'two'\n" in said(files(*words, *FULL[words], HOSTILE, "two"))


@pytest.mark.parametrize(("words", "option"), VALUES)
def test_an_option_without_its_value(healer, words, option):
    assert re.match(
        rf"error\[usage\]: {option.opts[0]}: .+ is wanted, none was given\n", said(healer(*words, option.opts[0]))
    )


@pytest.mark.parametrize(("words", "option"), CHOSEN)
def test_a_value_of_another_kind(healer, words, option):
    told = said(healer(*words, option.opts[0], HOSTILE))
    assert told.startswith(f"error[usage]: {option.opts[0]}: ")
    assert f" is wanted, got '{SHOWN}'\n" in told


@pytest.mark.parametrize(
    "words", [words for words, full in FULL.items() if full and full != ["."] and words not in MAY_STAND_ALONE]
)
def test_a_command_without_what_it_wants(healer, words):
    told = said(healer(*words))
    assert told.startswith(f"error[usage]: healer {' '.join(words)} wants ")
    assert f"\n  try  healer {' '.join(words)} " in told


@pytest.mark.parametrize(
    ("args", "detail", "try_"),
    [
        (["nonsense"], "healer has no command 'nonsense'", "healer --help"),
        (["statsu"], "healer has no command 'statsu'", "did you mean 'status'?"),
        (["-"], "healer has no command '-'", "healer --help"),
        (["--verison"], "healer has no option '--verison'", "did you mean '--version'?"),
        (["--version=1"], "--version takes no value, got one", "healer --help"),
        (["validate", ""], "PATH: a file or folder is wanted, got ''", "healer validate --help"),
        (["init", ""], "DIR: a folder is wanted, got ''", "healer init --help"),
        (["send", ""], "FILE: a file is wanted, got ''", "healer send --help"),
        (["status", "--data-dir", ""], "--data-dir: a folder is wanted, got ''", "healer status --help"),
        (["runs", "--project="], "--project: a folder is wanted, got ''", "healer runs list --help"),
        (["run", "--data-dir", ""], "--data-dir: a folder is wanted, got ''", "healer run --help"),
        (["audit", "verify", "--db", ""], "--db: a file is wanted, got ''", "healer audit verify --help"),
        (["replay", "file", "--steps", ""], "--steps: a file is wanted, got ''", "healer replay --help"),
        (["--json", "status"], "healer has no option '--json'", "options stand behind the command:  healer COMMAND --help"),
        (["--", "-x"], "healer has no command '-x'", "healer --help"),
        (["audit"], "healer audit wants a command, none was given", "healer audit list or healer audit verify"),
        (["audit", "--"], "healer audit wants a command, none was given", "healer audit list or healer audit verify"),
        (["audit", "--json"], "healer audit has no option '--json'", "healer audit list --json or healer audit verify --json"),
        (["runs", "r-7"], "healer runs has no command 'r-7'", "healer runs list or healer runs show ID or healer runs cancel RUN… or healer runs start RUN --break-glass"
         " --reason TEXT or healer runs resolve RUN"
         " --as succeeded|failed|queued --reason TEXT"),
        (["runs", "shw"], "healer runs has no command 'shw'", "did you mean 'show'?"),
        (["runs", "show"], "healer runs show wants ID, none was given", "healer runs show ID"),
        (["runs", "--output"], "healer runs list has no option '--output'", "healer runs show ID --output"),
        (["runs", "show", "r", "--limit", "5"], "healer runs show has no option '--limit'", "healer runs list --limit LIMIT"),
        (["keys", "--role", "ci"], "healer keys list has no option '--role'", "healer keys create NAME --role ROLE"),
        (["keys", "create", "--role", "admin", "--project", "s t"], "healer keys create wants NAME, none was given",
         "healer keys create NAME --project 's t'"),
        (["replay", "--vars", "file"], "healer replay wants RULEBOOK, none was given", "healer replay RULEBOOK --steps FILE"),
        (["keys", "create", "ci"],
         "healer keys create wants --role ROLE or --principal WHO, none was given",
         "healer keys create ci --role ROLE"),
        (["run", "--prot", "80"], "healer run has no option '--prot'", "did you mean '--port'?"),
        (["run", "-port=80"], "healer run has no option '-port'", "did you mean '--port'?"),
        (["run", "--port", "99999"], "--port: a whole number from 0 to 65535 is wanted, got '99999'", "healer run --help"),
        (["serve", "--port="], "--port: a whole number from 0 to 65535 is wanted, got ''", "healer serve --help"),
        (["run", "--mode", "obsrve"], "--mode: active or observe is wanted, got 'obsrve'", "did you mean 'observe'?"),
        (["run", "--log-level", "x"], "--log-level: DEBUG, INFO, WARNING or ERROR is wanted, got 'x'", "healer run --help"),
        (["run", "--standby=1"], "--standby takes no value, got one", "healer run --help"),
        (["run", "x" * 200], f"healer run takes no arguments, got '{'x' * 78}…",
         "quotes around a value with spaces, or healer run --help"),
        (["runs", "--rule", "a/b/c", "is", "full"], "healer runs list takes no arguments, got 'is', 'full'",
         "quotes around a value with spaces, or healer runs list --help"),
        (["version", *"abcdef"], "healer version takes no arguments, got 'a', 'b', 'c', 'd', 'e', …", "healer version --help"),
        (["explain", "e-1", "e-2"], "healer explain takes no argument but ID, got 'e-2'",
         "quotes around a value with spaces, or healer explain --help"),
        (["explain"], "the ID of an event or a run, or --latest is wanted, none was given",
         "healer explain e-12 or healer explain --latest"),
        (["explain", "e-1", "--latest"], "the ID of an event or a run, or --latest is wanted, got both",
         "healer explain e-12 or healer explain --latest"),
        (["runs", "--limit", "0"], "--limit: a whole number from 1 to 100000 is wanted, got '0'", "healer runs list --help"),
        (["runs", "show", "r", "--attempt", "0"], "--attempt: a whole number from 1 on is wanted, got '0'", "healer runs show --help"),
        (["runs", "--state", "queued,faild"], "--state: no state is named 'faild'", "did you mean 'failed'?"),
        (["runs", "--since", "yesterday"], "--since: a span back from now or a time is wanted, got 'yesterday'",
         "--since 2h or --since 2026-03-01T03:07"),
        (["audit", "list", "--from", HOSTILE], f"--from: a span back from now or a time is wanted, got '{SHOWN}'",
         "--from 2h or --from 2026-03-01T03:07"),
        (["runs", "--failed", "--unknown"], "one of --state, --failed and --unknown is wanted, got --failed and --unknown",
         "--state failed,timed_out,unknown"),
        (["runs", "show", "r", "--json", "--output"],
         "--json shows the run, --output and --follow what it printed as it is: one of them is wanted", "healer runs show --help"),
        (["runs", "show", "r", "--attempt", "2"],
         "--stderr and --attempt choose what --output and --follow print, and neither stands here", "healer runs show --help"),
        (["status", "--watch", "nan"], "--watch: a number from 0.2 to 3600 is wanted, got 'nan'", "healer status --help"),
        (["replay", "file"], "healer replay wants --steps FILE (A JSON object a line: event, fact, retract or advance_s), none was given",
         "healer replay file --steps FILE"),
        (["send", "folder"], "FILE: a file is wanted, got the folder 'folder'", "healer send --help"),
        (["status", "--data-dir", "file"], "--data-dir: a folder is wanted, got the file 'file'", "healer status --help"),
    ],
)  # fmt: skip
def test_what_is_said(files, args, detail, try_):
    assert said(files(*args)) == f"error[usage]: {detail}\n  try  {try_}\n"


def test_no_state_of_this_name_names_all(healer):
    assert re.search(r"\n  try  one of: planned, deferred, .+, simulated\n\Z", said(healer("runs", "--state", "foo")))


@pytest.mark.parametrize(
    ("args", "detail", "try_"),
    [
        (["replay", "nope.yml", "--steps", "file"], "RULEBOOK: there is no file 'nope.yml'", "healer replay --help"),
        (["replay", "file", "--steps", "flie"], "--steps: there is no file 'flie'", "did you mean 'file'?"),
        (["replay", "file", "--steps", "folder/x"], "--steps: there is no file 'folder/x'", "healer replay --help"),
        (["send", "file/x"], "FILE: there is no file 'file/x'", "healer send --help"),
        (["send", "nowhere/x"], "FILE: there is no file 'nowhere/x'", "healer send --help"),
        (["send", HOSTILE], f"FILE: there is no file '{SHOWN}'", "healer send --help"),
        (["send", "\udcff"], "FILE: there is no file '\\udcff'", "healer send --help"),
        (["validate", "floder"], "PATH: there is no file or folder 'floder'", "did you mean 'folder'?"),
        (["run", "--project", "nope"], "--project: there is no folder 'nope'", "healer run --help"),
        (["send", "x" * 300], f"FILE: '{'x' * 78}… cannot be read: File name too long", "healer send --help"),
    ],
)
def test_what_is_to_be_read_and_is_not_there(files, args, detail, try_):
    assert said(files(*args)) == f"error[unreadable]: {detail}\n  try  {try_}\n"


def test_what_may_not_be_read(files, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert said(files("send", "file")) == (
        "error[unreadable]: FILE: 'file' cannot be read: this user may not\n  try  healer send --help\n"
    )


def test_names_of_files_that_could_steer_a_terminal_are_not_proposed(files):
    pathlib.Path("event\x1b[2J.json").write_text("")
    assert said(files("send", "event.json")).endswith("\n  try  healer send --help\n")


@pytest.mark.parametrize(("given", "try_"), [
    ("nothere.yml", "healer validate --help"), ("b.yml", "healer validate --help"), ("heeler.yml", "did you mean 'healer.yaml'?"),
    ("healer.yml", "did you mean 'healer.yaml'?"), ("a.yaml", "did you mean 'a.yml'?"), ("a.json", "healer validate --help"),
])  # fmt: skip
def test_an_ending_alone_makes_no_two_files_alike(files, given, try_):
    for name in ("healer.yaml", "a.yml"):
        pathlib.Path(name).write_text("")
    assert said(files("validate", given)).endswith(f"\n  try  {try_}\n")


@pytest.mark.parametrize("args", [[], ["--"]])
def test_no_command_shows_the_help_once(healer, args):
    done = healer(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("Usage:") == 1
    assert done.stderr.endswith("\n\nerror[usage]: a command is wanted, none was given\n  try  one of those above\n")


def test_whatever_else_click_says_has_the_shape_too(healer, monkeypatch):
    @click.command()
    @click.option("--day", type=click.DateTime())
    def command(day: object) -> None:
        raise click.UsageError(f"Odd\n{HOSTILE}.")

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: command)
    assert said(healer("version")) == "error[usage]: odd \\u202e error[x]: y\n  try  healer version --help\n"
    assert said(healer("version", "--day", "x")).startswith(
        "error[usage]: invalid value for '--day': 'x' does not match"
    )


@pytest.mark.parametrize("words", ["healer nonsense x", "healer runs shw", "healer audit"])
def test_completion_takes_unfinished_lines(healer, words):
    done = healer(env={"_HEALER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()))})
    assert (done.exit_code, done.stderr) == (0, "")
