"""What a person sees when the daemon has started."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import healer
from healer import project


def lines(revision: project.Revision, base: pathlib.Path, host: str, port: int, mode: str, scope: str) -> Iterator[str]:
    """The banner of product.md. `scope` says what an active daemon acts on where that is worth saying."""
    shown = "OBSERVE (decides and reports, touches nothing)" if mode == "observe" else f"ACTIVE{scope}"
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
    local = host in ("127.0.0.1", "::1", "localhost")
    reach = "this machine only; --host 0.0.0.0 to let others send" if local else "reachable by others"
    yield f"  listening on http://{host}:{port} · {reach}"
    yield "  shell commands on this host need no key. For others:  healer keys create ci --role operator"
    yield ""
    yield "  try:   healer send FILE                 an event"
    yield "         healer alerts                    what it made of it"
    yield "         healer explain --latest          why"
    if mode == "observe":
        yield "  then:  set  mode: active  in healer.yaml, and  healer reload"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
