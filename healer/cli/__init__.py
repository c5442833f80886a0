"""The command line. One file a command; `healer/cli/<name>.py` is imported only when its command is named.

Why lazily: `healer version` must be quick, and a command that only asks the daemon needs none of the daemon's libraries.
What goes wrong is turned into text and an exit code here, in one place, so that no traceback reaches a user.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import os
import sys
import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

import healer
from healer import errors
from healer.cli import usage

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_INTERRUPTED: Final = 130
EXIT_UNREAD: Final = 141
"""128 and the number of SIGPIPE: what a shell says of a program that this signal ends."""
EXIT_CODES: Final = {
    errors.EXIT_OK: "fine",
    errors.EXIT_FOUND: "something was found, refused, or failed",
    errors.EXIT_USAGE: "wrong use, or input that cannot be read",
    errors.EXIT_UNREACHABLE: "no daemon answers",
    errors.EXIT_FORBIDDEN: "not allowed",
    EXIT_INTERRUPTED: "interrupted (Ctrl-C)",
    EXIT_UNREAD: "the reader went away",
}
DEBUG_VARIABLE: Final = "HEALER_DEBUG"
ELSEWHERE_MAX: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A command as the help lists it; it lives in the file of its name, or in `file`."""

    group: str
    summary: str
    acts: str = "no"
    file: str = ""
    hidden: bool = False


GROUPS: Final = {
    "start": "Start",
    "look": "Look",
    "ask": "Ask",
    "check": "Check",
    "decide": "Decide",
    "access": "Access",
    "act": "Act",
}

EVENTS_ACT: Final = "no, but for resend and quarantine release: they ask as send does"

ACTIONS_ACT: Final = "run: YES; asks when the mode is active, --yes else"

RUNS_ACT: Final = "no; cancel and resolve change what may act, start acts (break-glass)"

COMMANDS: Final = {
    "init": Entry("start", "write a small working project"),
    "run": Entry("start", "run the daemon on a project directory"),
    "serve": Entry("start", "the same", file="run"),
    "reload": Entry("start", "take the files of the project again: all of them, or none"),
    "completion": Entry("start", "print the script that has bash, zsh or fish complete commands and names"),
    "status": Entry("look", "how the daemon is and what it did lately"),
    "alerts": Entry("look", "what fires, and what was resolved"),
    "runs": Entry("look", "the actions that ran, wait, or were refused; end, resolve or force one", acts=RUNS_ACT),
    "locks": Entry("look", "what runs have locked; let go of it", acts="no; release changes what may act"),
    "events": Entry("look", "what came in; send it once more; what no rule could digest", acts=EVENTS_ACT),
    "audit": Entry("look", "the record of who did what; verify it offline"),
    "approvals": Entry(
        "look", "what waits for a person's word; approve or reject it", acts="approve and reject change what may act"
    ),
    "actions": Entry("look", "what the catalog has; start one of it by hand", acts=ACTIONS_ACT),
    "controllers": Entry("look", "how targets are reached, and whether that works"),
    "sources": Entry("look", "what delivers events, and what is entered at a sender's side"),
    "breakers": Entry("look", "actions that failed so often that they are stopped", acts="close changes what may act"),
    "notify": Entry("look", "what people were told; have it tried again, answer it", acts="no; test sends a message"),
    "version": Entry("look", "print the version"),
    "explain": Entry("ask", "why something that happened did, or did not, lead to an action"),
    "simulate": Entry("ask", "what an event would lead to if it came now"),
    "validate": Entry("check", "every mistake in a project, with file:line:column"),
    "test": Entry("check", "run the tests of rulebooks: controllers faked, time virtual"),
    "policy": Entry("check", "which values of the gates hold for a run, and where each comes from"),
    "schema": Entry("check", "the JSON Schema of a project's files, for editors"),
    "replay": Entry("check", "evaluate a rulebook alone, offline, on a virtual clock", hidden=True),
    "pause": Entry("decide", "stop that anything new takes effect", acts="changes what may act"),
    "resume": Entry("decide", "let what is paused go on", acts="changes what may act"),
    "silence": Entry("decide", "leave alerts or runs alone for a time", acts="changes what may act"),
    "keys": Entry("access", "make, list and revoke API keys", acts="changes who may act"),
    "send": Entry("act", "send events as a source would", acts="YES; asks when the mode is active, --yes else"),
}


class Unread(Exception):
    """Nobody reads what is printed (any more). No `OSError`: click would make an exit code of 1 of it, as if something were found."""


@contextlib.contextmanager
def _read() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise Unread from error


class Commands(usage.Group):
    """Finds commands by name, lists them by group, and turns what goes wrong into text and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None for a name that is not known."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = importlib.import_module(f"{__name__}.{entry.file or cmd_name}").command
        found.epilog = f"Group: {entry.group}. Acts on the world: {entry.acts}."
        if not getattr(ctx, "resilient_parsing", False):
            return found
        from healer.cli import completing

        return completing.attach(cmd_name, found)

    def elsewhere(self, ctx: click.Context, name: str) -> str:
        """The commands that have one of this name below them: `healer approve` is `healer approvals approve`."""
        groups = [one for one in COMMANDS if name in getattr(self.get_command(ctx, one), "commands", ())]
        return " or ".join(f"healer {one} {name}" for one in groups) if len(groups) <= ELSEWHERE_MAX else ""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The names of the commands, none of which is imported for it; the options of `healer` itself."""
        from click.shell_completion import CompletionItem

        shown = {name: entry.summary for name, entry in COMMANDS.items() if not entry.hidden}
        found = [CompletionItem(name, help=about) for name, about in shown.items() if name.startswith(incomplete)]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As every group, with the help for whoever names no command. Raises `usage.WrongUse`."""
        if set(args) <= {"--"} and not ctx.resilient_parsing:
            click.echo(ctx.get_help() + "\n", err=True)
            raise usage.WrongUse("one of those above", detail="a command is wanted, none was given")
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The groups, with the column whether a command acts on the world."""
        shown = {name: entry for name, entry in COMMANDS.items() if not entry.hidden}
        names = max(len(name) for name in shown)
        texts = max(len(entry.summary) for entry in shown.values())
        formatter.write(f"\n{'Commands:':<{names + texts + 4}}  acts on the world\n")
        for group, title in GROUPS.items():
            formatter.write(f"\n{title}\n")
            for name, entry in shown.items():
                if entry.group == group:
                    formatter.write(f"  {name:<{names}}  {entry.summary:<{texts}}  {entry.acts}\n")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What an exit code says, and where more stands."""
        codes = " · ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
        for text in (f"Exit codes: {codes}", "healer COMMAND --help has the options of a command, with examples."):
            formatter.write_paragraph()
            formatter.write_text(text)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """As every command, which may print its help here. Raises `Unread`."""
        with _read():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """As every group. Raises `Unread`."""
        with _read():
            return super().invoke(ctx)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit, with one of `EXIT_CODES`."""
        try:
            code = self._ended(*args, **extra)
        except (Unread, BrokenPipeError):
            # What is still to be written is dropped: Python would try once more at its end, and complain.
            sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the process ends
            code = EXIT_UNREAD
        sys.exit(code)

    def _ended(self, *args: Any, **extra: Any) -> int:
        """Run a command; its exit code. Raises `Unread`; `BrokenPipeError` where nobody reads what went wrong."""
        try:
            code = super().main(*args, **{"prog_name": "healer", **extra, "standalone_mode": False})
        except Unread:
            raise
        except Exception as error:
            from healer import interruption

            ended = EXIT_INTERRUPTED if interruption.behind(error) else _failed(error)
            if ended is None:
                raise
            return ended
        return code if isinstance(code, int) else errors.EXIT_OK


class Lists(usage.Group):
    """A command with subcommands whose `list` may be left out: `healer runs --failed`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` where no subcommand stands."""
        if ctx.resilient_parsing and not args:
            return super().parse_args(ctx, args)  # for a shell, which completes a subcommand or an option of `list`
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The names of the subcommands; options are those of `list`."""
        if not incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        listing = self.commands["list"]
        return listing.shell_complete(click.Context(listing, parent=ctx, info_name="list"), incomplete)


def _failed(error: Exception) -> int | None:
    """Say what went wrong; the exit code. None of what nobody foresaw."""
    if isinstance(error, click.Abort):
        return errors.EXIT_FOUND
    if isinstance(error, click.ClickException):
        wrong = usage.of(error)
        _complain(str(wrong))
        return wrong.exit_code
    if isinstance(error, errors.AlreadyRunning):
        from healer.cli import terminal

        _complain(terminal.local_times(str(error)))
        return error.exit_code
    if isinstance(error, errors.HealerError):
        _complain(str(error))
        return error.exit_code
    if isinstance(error, OSError):
        from healer.cli import terminal

        where = (
            f"unreadable]: {terminal.clean(error.filename)}"
            if error.filename
            else "not-written]: what was to be printed"
        )
        _complain(f"error[{where}: {error.strerror or error}")
        return errors.EXIT_USAGE
    return None


def _complain(text: str) -> None:
    from healer.cli import terminal

    for line in text.splitlines():
        click.echo(terminal.clean(line), err=True)


def _unexpected(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    """What nobody foresaw: one line, and how to see more."""
    if issubclass(kind, KeyboardInterrupt):
        return  # so early that no command has begun; Python ends by the signal, as shells expect
    if os.environ.get(DEBUG_VARIABLE) or not issubclass(kind, Exception):
        sys.__excepthook__(kind, error, trace)
        return
    _complain(f"error[internal]: {kind.__name__}: {' '.join(str(error).split())[:300]}")
    _complain(
        f"  try  {DEBUG_VARIABLE}=1 healer …  shows where it happened; this is a mistake of healer, please report it"
    )


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """The callback of `--version`."""
    if wanted and not ctx.resilient_parsing:
        click.echo(f"healer {healer.__version__}")
        ctx.exit()


@click.group("healer", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 140})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """auto-healer: takes alerts, finds the rule, runs the action, and proves what it did."""


def main() -> None:
    """The entry point `healer`."""
    sys.excepthook = _unexpected
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started it: nothing can be said there
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for as long as the process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(io.UnsupportedOperation):
                stream.reconfigure(errors="backslashreplace")  # a terminal of another encoding shows \xb7 for ·
            if isinstance(stream.buffer, io.RawIOBase):
                from healer.cli import writing

                setattr(sys, name, writing.whole(stream))
    cli.main(prog_name="healer")


def environment() -> Mapping[str, str]:
    """The environment, named so that tests see where commands read it."""
    return os.environ
