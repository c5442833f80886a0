"""What the end of a playbook means: made once of what the callback left (`_events`), then kept in its place.

`ansible` asks. Once it is kept the callback's files are removed, as they hold what tasks returned; where the disk is full they
stay, and a second asking reads them again.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
from typing import Any, Final

from healer import model
from healer.child import jobs
from healer.controllers import _events, _playbook, _shimmed

RETURNED_BYTES_MAX: Final = 64 << 10
OTHERS_MAX: Final = 1000
SHOWN: Final = 5
FACTS_BYTES_MAX: Final = 1 << 20
"""Of one host: `setup` on a large machine finds some hundred KiB."""
KEPT: Final = "outcome.json"
EXIT_OTHERS: Final = 86
NOTHING: Final = "nothing was begun: "
ENDED: Final = "it was ended: "
"""How `_display.healer_alone` ends what is no longer for its targets alone, and how what it says then begins."""
_NO_HOSTS: Final = "leaves us with no hosts to target"
"""What Ansible itself says where `--limit` matches nothing, before it loads a callback."""
_OF_HOSTS: Final = (2, 8)
"""Ansible's exit codes where tasks have failed; 4 is also that of what cannot be parsed."""
_SILENT: Final = (
    "Ansible ended before it began anything, without a word: a callback or plugin of the project may have ended it"
)
ERRORS: Final = ("ERROR", "[ERROR]")
"""How what Ansible itself breaks off with begins."""
EVENTS: Final = "ansible/artifacts/run/job_events"


def of(job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended) -> dict[str, Any]:
    """State, summary, result, the end of each target, and what rules get of it where they ask."""
    made = _kept(folder / KEPT)
    if made is None:
        made = _made(job, folder, ended)
        if not _keep(folder / KEPT, made):
            return made
    shutil.rmtree(folder / "ansible", ignore_errors=True)
    return made


def _kept(path: pathlib.Path) -> dict[str, Any] | None:
    """What an earlier asking made of it; None where there was none, or a power cut left nothing whole."""
    try:
        read = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return read if isinstance(read, dict) else None


def _keep(path: pathlib.Path, made: dict[str, Any]) -> bool:
    """Write it whole; False where that cannot be done."""
    temporary = path.with_suffix(".tmp")
    try:
        temporary.unlink(missing_ok=True)
        jobs.write_private(temporary, json.dumps(made).encode())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        return False
    return True


def _made(job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended) -> dict[str, Any]:
    succeeded = ended.state == "succeeded"
    wanted = "facts" in job.extra
    report = _events.read(
        folder / EVENTS, failures=ended.status.exit_code != 0, returned=job.kind == "module", artifacts=wanted
    )
    acted = set(report.stats) if report.stats is not None else _events.begun(folder / EVENTS)
    held = _held(job, folder, ended) if not acted else ""
    others = sorted(acted - _meant(job)) if job.targets else []
    state: model.EndState
    if held:
        state, summary = "failed", held
    elif succeeded and report.stats is None:
        state, summary = _without_report(job, folder, ended, acted)
    elif succeeded:
        state, summary = _in_numbers(job, report.stats or {})
    else:
        state, summary = ended.state, _why(report, folder, ended)
    hosts = report.stats or {}
    ignored = any(counts["ignored"] for counts in hosts.values()) and not _of_upstream(job)
    unreached = _events.unreached(folder / EVENTS) if ignored else set()
    failed = report.failed_hosts() | unreached
    per_target = {}
    for target in job.targets:
        name = _name(target)
        if name in failed or (name not in hosts and not _of_upstream(job)):
            per_target[str(target)] = "failed" if report.stats is not None else state
        else:
            per_target[str(target)] = "succeeded" if name in hosts else state
    missed = sorted(target for target, end in per_target.items() if end == "failed")
    if state == "succeeded" and missed and not _of_upstream(job):
        counted = [str(target) for target in job.targets if _name(target) in failed]
        state, summary = "failed", f"the {job.kind} did nothing on {', '.join(missed[:SHOWN])}"
        if counted:
            how = "failed on" if report.failed_hosts() & failed else "did not reach"
            summary = f"the {job.kind} {how} {', '.join(counted[:SHOWN])}, though Ansible ended with 0"
    if others:
        state, summary = _beyond(others, state, "" if succeeded and report.stats is not None else summary)
    result: dict[str, Any] = {"stats": report.stats, "data": _sound(report.data)}
    if report.returned:
        result["returned"] = _sound(report.returned)
    if others:
        result["others"] = others[:OTHERS_MAX]
    made = {"state": state, "summary": _shimmed.one_line(summary), "result": result, "per_target": per_target}
    made |= {"refused": True} if held else {}
    if held or _ended(folder, ended) or any(counts["unreachable"] for counts in hosts.values()) or unreached:
        made["lost"] = True
    return made | ({"facts": _facts(job, report)} if wanted and ended.status.exit_code == 0 else {})


def _why(report: _events.Report, folder: pathlib.Path, ended: _shimmed.Ended) -> str:
    """What ended one that did not go well. What failed on a host before that is told behind it, where it was not for that."""
    if cut := _ended(folder, ended):
        return cut
    failure, code = report.first_failure(), ended.status.exit_code
    if ended.state != "failed" or code is None:
        return f"{ended.summary}; {failure}" if failure else ended.summary
    if report.stats is None and code not in _OF_HOSTS and (broke := _error(_lines(folder, "stderr")[::-1])):
        return f"{broke}; {failure}" if failure else broke
    return failure or _unsaid(report, ended) or _said(folder) or ended.summary


def _held(job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended) -> str:
    """What kept it from beginning, as Ansible did not list its targets by then; '' where that is not so, or is not known."""
    if (said := _ended(folder, ended)).startswith(NOTHING):
        return said
    if ended.status.exit_code == 1 and job.targets and any(_NO_HOSTS in line for line in _lines(folder, "stderr")):
        names = sorted(map(_name, job.targets))
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"{NOTHING}Ansible lists none of its targets now ({', '.join(names[:SHOWN])}{more})"
    return ""


def _ended(folder: pathlib.Path, ended: _shimmed.Ended) -> str:
    """What `_display.healer_alone` said as it ended it."""
    says = (line for line in _lines(folder) if line.startswith((NOTHING, ENDED)))
    return next(says, "") if ended.status.exit_code == EXIT_OTHERS else ""


def _meant(job: model.Job) -> set[str]:
    """What its targets are called where Ansible says on which hosts it acted. This machine has one name there, whichever was asked for."""
    names = {_name(target) for target in job.targets}
    return names | ({*_playbook.THIS_MACHINE} if names & _playbook.THIS_MACHINE else set())


def _beyond(others: list[str], state: model.EndState, summary: str) -> tuple[model.EndState, str]:
    """The end of one that has touched hosts that were no targets: the worst that can be said of it."""
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    verb = "are" if len(others) > 1 else "is"
    said = f"it acted on {', '.join(others[:SHOWN])}{more}, which {verb} none of its targets"
    return "failed" if state == "succeeded" else state, f"{said}; {summary}" if summary else said


def _facts(job: model.Job, report: _events.Report) -> dict[str, Any] | None:
    """What rules get: of a module what it returned on the last host, of a playbook what its last `set_fact` or `set_stats` set."""
    if job.extra["facts"].get("by_host"):
        return {host: _facts_of(one) for host, one in report.returned.items()}
    found = _sound(next(reversed(report.returned.values()), None) if job.kind == "module" else report.artifacts)
    return found if isinstance(found, dict) else None


def _facts_of(returned: Any) -> Any:
    """What `setup` found on a host; None where that is nothing, or too much to keep."""
    facts = returned.get("ansible_facts") if isinstance(returned, dict) else None
    return _sound(facts, FACTS_BYTES_MAX)


def _of_upstream(job: model.Job) -> bool:
    """Whether a rulebook's `run_playbook` or `run_module` asks: it has succeeded when Ansible says so, whatever hosts it matched."""
    return "ansible_eda" in job.extra


def _in_numbers(job: model.Job, hosts: dict[str, dict[str, int]]) -> tuple[model.EndState, str]:
    """The end of a playbook that says of itself that all went well."""
    changed = sum(1 for counts in hosts.values() if counts["changed"])
    if hosts or _of_upstream(job):
        return "succeeded", f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}, {changed} changed"
    why = (
        ""
        if _playbook.limit_of(job)
        else "; without a target it gets no inventory, and only `hosts: localhost` matches"
    )
    return "failed", f"the {job.kind} matched no host, so nothing was done{why}"


def _without_report(
    job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended, begun: set[str]
) -> tuple[model.EndState, str]:
    """The end of one whose report is missing: the disk was full. That it ended with 0 says that nothing failed on any host; whether it
    reached each that it was for is known where something had begun there. One that has not said which play begins has begun none."""
    silent = (folder / "stdout").is_file() and not _lines(folder, "stdout") and not ended.status.truncated
    if silent and not begun:
        return "failed", _SILENT
    missed = sorted({_name(target) for target in job.targets} - begun)
    if begun and not missed:
        return "succeeded", f"{ended.summary}; its report is missing (too large, or the disk was full)"
    where = ", ".join(missed[:5]) or "any host"
    return (
        "unknown",
        f"{ended.summary}, but its report is missing (too large, or the disk was full): whether it reached {where} cannot be said",
    )


def _unsaid(report: _events.Report, ended: _shimmed.Ended) -> str:
    """For one that failed, where neither the event that says why nor the output found space."""
    failed = ", ".join(sorted(report.failed_hosts())[:5])
    return f"{failed}: failed, and why is missing, as on a full disk" if failed and ended.status.truncated else ""


def _name(target: model.Target) -> str:
    return target.inventory_name or target.name


def _sound(value: Any, most: int = RETURNED_BYTES_MAX) -> Any:
    raw = json.dumps(value).encode()
    return _shimmed.sound_json(raw) if len(raw) <= most else None


def _said(folder: pathlib.Path) -> str:
    """Ansible's own first error, else the last thing it said."""
    lines = _lines(folder)
    return _error(lines) or (lines[-1] if lines else "")


def _error(lines: list[str]) -> str:
    """The first that tells of an error."""
    return next((line for line in lines if line.startswith(ERRORS)), "")


def _lines(folder: pathlib.Path, *streams: str) -> list[str]:
    """The last that it said, what it said of mistakes first."""
    return [
        line.strip()
        for name in streams or ("stderr", "stdout")
        for line in _events.unmarked(_shimmed.tail(folder / name, 64 << 10)).decode("utf-8", "replace").splitlines()
        if line.strip()
    ]
