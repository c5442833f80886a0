"""Wrong use of a command, said as every other error is: what was got, what was wanted, what to do.

click finds the mistakes and would print them in a form of its own. The commands are `Command`s and `Group`s of this module,
which say them as `WrongUse`; what a command finds itself it raises as that too. What stood on the command line is shown as
`repr` writes it, so that nothing in it steers a terminal or looks like a line of ours.
"""

from __future__ import annotations

import difflib
import itertools
import math
import os
import pathlib
import shlex
import stat
import types
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from healer import errors

SHOWN_MAX: Final = 80
ARGUMENTS_SHOWN: Final = 5
NEAR_FILES_MAX: Final = 1_000
HELP: Final = "--help"
EXAMPLE_COLUMNS: Final = 72
REPEATED: Final = ("project", "data_dir", "url")
"""Options that say which daemon is meant: a command that is advised has them too. Never `key`."""


NOTHING: Final[Mapping[str, object]] = types.MappingProxyType({})


class WrongUse(errors.HealerError):
    """{detail}

    Where nothing better is known to do, the help of the command that runs is named.
    """

    code = "usage"
    exit_code = errors.EXIT_USAGE

    def __init__(self, try_: str = "", **fields: object) -> None:
        super().__init__(try_ or _help(click.get_current_context(silent=True)), **fields)


class Unreadable(WrongUse):
    """{detail}

    A file or folder that a command is to read, and that is not there or may not be read.
    """

    code = "unreadable"


class Real(click.FloatRange):
    """A number in a range; NaN, which no range leaves out, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does."""
        made = super().convert(value, param, ctx)
        if math.isnan(made):
            self.fail("it is no number", param, ctx)
        return made


class _Checked(click.Command):
    """Says what click refuses in what stands behind a command's name; its help has examples."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does, below the examples."""
        from healer.cli import examples

        if shown := examples.of(ctx.command_path.partition(" ")[2]):
            with formatter.section("Examples"):
                formatter.write_dl(shown, col_max=EXAMPLE_COLUMNS)
        super().format_epilog(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does. Raises `WrongUse`."""
        given = list(args)
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _said(error, ctx, given) from error
        _refuse_empty_paths(ctx, given)
        return rest


class Command(_Checked):
    """A command that does something."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does. Raises `WrongUse`, also for arguments that nobody takes."""
        ctx.allow_extra_args = True  # click would print them as they are
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            taken = " ".join(_name(one) for one in self.params if isinstance(one, click.Argument))
            wanted = f"no argument but {taken}" if taken else "no arguments"
            more = ", ".join(map(got, rest[:ARGUMENTS_SHOWN])) + (", …" if len(rest) > ARGUMENTS_SHOWN else "")
            texts = any(isinstance(one, click.Option) and one.type is click.STRING for one in self.params)
            raise WrongUse(f"quotes around a value with spaces, or {_help(ctx)}" if texts else "",
                           detail=f"{ctx.command_path} takes {wanted}, got {more}")  # fmt: skip
        return rest


class Group(_Checked, click.Group):
    """A command with commands below it."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does. Raises `WrongUse`, also where no command stands."""
        if set(args) <= {"--"} and not ctx.resilient_parsing:
            raise WrongUse(_forms(ctx), detail=f"{ctx.command_path} wants a command, none was given")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does. Raises `WrongUse` with the nearest name for one that is not known."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            near = self.elsewhere(ctx, args[0]) or errors.nearest(args[0], self.list_commands(ctx))
            raise WrongUse(near or _forms(ctx), detail=f"{ctx.command_path} has no command {got(args[0])}")
        return super().resolve_command(ctx, args)

    def elsewhere(self, _ctx: click.Context, _name: str) -> str:
        """Where a name that no command here has is one; '' where that is not known."""
        return ""


def got(text: object) -> str:
    """What stood on the command line: in quotes, escaped, cut."""
    whole = repr(text)
    return whole if len(whole) <= SHOWN_MAX else whole[: SHOWN_MAX - 1] + "…"


def of(error: click.ClickException) -> WrongUse:
    """Whatever else click says."""
    said = " ".join(error.format_message().split()).rstrip(".")
    return WrongUse(_help(getattr(error, "ctx", None)), detail=said[:1].lower() + said[1:])


def _refuse_empty_paths(ctx: click.Context, given: Sequence[str]) -> None:
    """What a variable that is not set leaves: as a `Path` it would be the current folder. Raises `WrongUse`."""
    paths = [(param, param.type) for param in ctx.command.params if isinstance(param.type, click.Path)]
    if not paths or ctx.resilient_parsing:
        return
    values = ctx.command.make_parser(ctx).parse_args(args=list(given))[0]
    for param, kind in paths:
        value = values.get(param.name or "")
        if value == "" or (isinstance(value, tuple) and "" in value):
            raise _path(kind, _name(param), "")


def _said(error: click.UsageError, ctx: click.Context, given: Sequence[str]) -> WrongUse:
    if isinstance(error, click.NoSuchOption):
        return _no_option(error.option_name, ctx, given)
    if isinstance(error, click.BadOptionUsage):
        return _without_value(error.option_name, ctx)
    param = error.param if isinstance(error, click.BadParameter) else None
    if param is None:
        return of(error)
    if isinstance(error, click.MissingParameter):
        values = ctx.command.make_parser(ctx).parse_args(args=list(given))[0]
        form, what = (
            _form(ctx.command_path, ctx.command, given=values),
            f" ({help_})" if (help_ := getattr(param, "help", "")) else "",
        )
        return WrongUse(form, detail=f"{ctx.command_path} wants {_filled(param)}{what}, none was given")
    value = ctx.command.make_parser(ctx).parse_args(args=list(given))[0].get(param.name or "")
    if isinstance(value, tuple) and isinstance(param.type, click.Path):  # several: the first that is not there
        value = next((one for one in value if not os.access(one, os.R_OK)), None)
    if not isinstance(value, str):
        return of(error)
    return _path(param.type, _name(param), value) if isinstance(param.type, click.Path) else _value(param, value)


def _value(param: click.Parameter, value: str) -> WrongUse:
    near = errors.nearest(value, map(str, param.type.choices)) if isinstance(param.type, click.Choice) else ""
    return WrongUse(near, detail=f"{_name(param)}: {_wanted(param)} is wanted, got {got(value)}")


def _path(kind: click.Path, name: str, path: str) -> WrongUse:
    """What is wrong with a path, as far as can be found now."""
    what = "folder" if not kind.file_okay else "file" if not kind.dir_okay else "file or folder"
    if not path:
        return WrongUse(detail=f"{name}: a {what} is wanted, got ''")
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - as the text that it is
    except (FileNotFoundError, NotADirectoryError):
        return Unreadable(_near_file(path), detail=f"{name}: there is no {what} {got(path)}")
    except (OSError, ValueError) as error:
        return Unreadable(detail=f"{name}: {got(path)} cannot be read: {getattr(error, 'strerror', None) or error}")
    if not (kind.dir_okay if is_folder else kind.file_okay):
        return WrongUse(detail=f"{name}: a {what} is wanted, got the {'folder' if is_folder else 'file'} {got(path)}")
    return Unreadable(detail=f"{name}: {got(path)} cannot be read: this user may not")


def _near_file(path: str) -> str:
    folder, name = os.path.split(path)
    try:
        with os.scandir(folder or os.curdir) as found:
            names = [one.name for one in itertools.islice(found, NEAR_FILES_MAX) if one.name.isprintable()]
    except OSError:
        return ""
    return errors.nearest(name, _alike(name, names))


def _alike(name: str, names: Sequence[str]) -> list[str]:
    """Those that are near without their endings: `.yml` makes no two alike."""
    stems = {one: pathlib.PurePath(one).stem for one in names}
    near = set(difflib.get_close_matches(pathlib.PurePath(name).stem, set(stems.values()), n=NEAR_FILES_MAX))
    return [one for one in names if stems[one] in near]


def _no_option(name: str, ctx: click.Context, given: Sequence[str]) -> WrongUse:
    """An option that is not known here: the command beside or below that knows it, else the nearest one."""
    if not name.startswith("--"):  # of -port click names only -p
        name = next((one.partition("=")[0] for one in given if one.startswith(name)), name)
    group = ctx.command if isinstance(ctx.command, click.Group) else ctx.parent.command if ctx.parent else None
    others = group.commands.items() if isinstance(group, click.Group) else ()
    path = ctx.command_path if group is ctx.command else ctx.parent.command_path if ctx.parent else ""
    knowing = [_form(f"{path} {other}", command, name) for other, command in others if name in _options(command.params)]
    near = " or ".join(knowing) or _nearest_option(name, _options(ctx.command.get_params(ctx)))
    if not near and isinstance(ctx.command, click.Group):
        near = errors.nearest(name.strip("-"), ctx.command.list_commands(ctx))
        near = near or f"options stand behind the command:  {ctx.command_path} COMMAND {HELP}"
    return WrongUse(near, detail=f"{ctx.command_path} has no option {got(name)}")


def _nearest_option(name: str, known: Sequence[str]) -> str:
    """As `errors.nearest`; the dashes that all have make none alike."""
    whole = {one.lstrip("-"): one for one in known}
    found = difflib.get_close_matches(name.lstrip("-"), whole, n=1)
    return f"did you mean '{whole[found[0]]}'?" if found else ""


def _without_value(name: str, ctx: click.Context) -> WrongUse:
    """An option without the value that it wants, or a flag with one."""
    for param in ctx.command.get_params(ctx):
        if name in param.opts and not getattr(param, "is_flag", False):
            return WrongUse(detail=f"{_name(param)}: {_wanted(param)} is wanted, none was given")
    return WrongUse(detail=f"{name} takes no value, got one")


def _wanted(param: click.Parameter) -> str:
    kind = param.type
    if isinstance(kind, click.Choice):
        *most, last = map(str, kind.choices)
        return f"{', '.join(most)} or {last}" if most else last
    if isinstance(kind, click.IntRange | click.FloatRange):
        ends = (f" from {kind.min}" if kind.min is not None else "", f" to {kind.max}" if kind.max is not None else "")
        on = " on" if kind.max is None else ""
        return f"a{' whole' if isinstance(kind, click.IntRange) else ''} number{''.join(ends)}{on}"
    if isinstance(kind, click.Path):
        return "a folder" if not kind.file_okay else "a file"
    return param.metavar or "a value"


def _name(param: click.Parameter) -> str:
    """`--port`, `RULEBOOK`."""
    if isinstance(param, click.Argument):
        return param.human_readable_name.rstrip(".").strip("[]")
    return max(param.opts, key=len)


def _filled(param: click.Parameter) -> str:
    """`--steps FILE`, `RULEBOOK`."""
    if isinstance(param, click.Argument):
        return _name(param)
    if getattr(param, "is_flag", False):
        return _name(param)
    return f"{_name(param)} {param.metavar or (param.name or '').upper()}"


def _form(path: str, command: click.Command, option: str = "", given: Mapping[str, object] = NOTHING) -> str:
    """A command with what it cannot do without: `healer replay RULEBOOK --steps FILE`; and with one more option.

    `given`: values of it that are known; those that say which daemon is meant are repeated.
    """
    found = [path]
    for one in command.params:
        value = given.get(one.name or "")
        written = shlex.quote(value) if isinstance(value, str) and value.isprintable() else ""
        if written and (one.required or one.name in REPEATED):
            found.append(written if isinstance(one, click.Argument) else f"{_name(one)} {written}")
        elif one.required or option in one.opts:
            found.append(_filled(one))
    return " ".join(found)


def _forms(ctx: click.Context) -> str:
    commands: dict[str, click.Command] = getattr(ctx.command, "commands", {})
    forms = [_form(f"{ctx.command_path} {name}", command) for name, command in commands.items()]
    return " or ".join(forms) or _help(ctx)


def _options(params: Sequence[click.Parameter]) -> list[str]:
    return [name for param in params if isinstance(param, click.Option) for name in param.opts]


def _help(ctx: click.Context | None) -> str:
    return f"{ctx.command_path if ctx else 'healer'} {HELP}"
