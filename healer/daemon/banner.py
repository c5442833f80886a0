"""What a person sees when the daemon has started."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

import healer
from healer import project
from healer.daemon.options import StartOptions

DEMONSTRATION: Final = "HEALER_PROJECT_DEMONSTRATION"
"""Set by what starts the daemon on demonstration hosts: the folder that they lie in. It changes these lines and nothing else."""

EXAMPLE: Final = "examples/disk_full.json"


def lines(
    revision: project.Revision, base: pathlib.Path, host: str, port: int, mode: str, environ: Mapping[str, str],
    options: StartOptions,
) -> Iterator[str]:  # fmt: skip
    """The banner of product.md, line by line. Its commands name the daemon as `options` do."""
    demonstration = environ.get(DEMONSTRATION, "")
    shown = "OBSERVE (decides and reports, touches nothing)"
    if mode != "observe":
        shown = f"ACTIVE{_scope(revision, demonstration)}"
    own = [activation for activation in revision.activations if not activation.hidden]
    files = len({activation.file for activation in own})
    rules = sum(len(ruleset.rules) for activation in own for ruleset in activation.rulesets)
    controllers = ", ".join(sorted(revision.controllers))
    clean = "no git" if revision.git is None else "clean" if revision.git.clean else "changed since the commit"
    yield f"healer {healer.__version__} · project {base} · mode {shown}"
    yield (
        f"  {_count(files, 'rulebook')}, {_count(rules, 'rule')} · {_count(len(revision.catalog.entries), 'action')} · "
        f"{_count(len(revision.controllers), 'controller')} ({controllers}) · revision {revision.short} ({clean})"
    )
    which = options.which()
    local = host in ("127.0.0.1", "::1", "localhost")
    reach = "this machine only; --host 0.0.0.0 to let others send" if local else "reachable by others"
    yield f"  listening on http://{f'[{host}]' if ':' in host else host}:{port} · {reach}"
    yield f"  shell commands on this host need no key. For others:  healer keys create ci --role operator{which}"
    yield ""
    if demonstration:
        yield "  try:   make demo"
    else:
        example = shlex.quote(str(options.project / EXAMPLE)) if (base / EXAMPLE).is_file() else "FILE"
        yield f"  try:   {f'healer send {example}{which}':<43}  an event"
        yield f"         {f'healer alerts{which}':<43}  what it made of it"
        yield f"         {f'healer explain --latest{which}':<43}  why"
    if mode == "observe":
        again = "; what is sent again then acts" if not demonstration else ""
        how = f"set  mode: active  in healer.yaml, and  healer reload{which}"
        if set_by := options.mode_from(environ):
            how = f"start it without {set_by}, which goes before healer.yaml, and with  mode: active  there"
        yield f"  then:  {how}{again}"


def _scope(revision: project.Revision, demonstration: str) -> str:
    """What an active daemon acts on, where that is little enough to be worth saying."""
    if revision.beyond_local():
        return ""
    return f" on the demonstration hosts in {demonstration} only" if demonstration else " on this machine only"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
