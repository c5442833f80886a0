"""Whether the code of a project is to be run while it is looked at: not of a pull request of strangers, whose machine is not theirs.

A source, check or controller of a project's own is imported to know its options. `--no-project-plugins` leaves that out, so does a variable
and what CI says of the change, that it comes from another repository. Where CI's word cannot be read, it is taken as such a one.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from healer import errors, plugins

VARIABLE: Final = "HEALER_NO_PROJECT_PLUGINS"
_NO: Final = frozenset({"", "0", "false", "no", "off"})
_EVENTS: Final = frozenset(
    {"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"}
)
_FOLLOWING: Final = {
    "workflow_run": "a workflow that follows on another repository's",
    "issue_comment": "a comment on a pull request",
}
"""Events of which the files that lie there may be those of a fork."""
EVENT_BYTES_MAX: Final = 32 << 20


def reason(environ: Mapping[str, str], asked: bool) -> str:
    """Why no code of the project may run; '' where it may."""
    if asked:
        return "--no-project-plugins"
    if environ.get(VARIABLE, "").lower() not in _NO:
        return VARIABLE
    if environ.get("GITHUB_EVENT_NAME") in _EVENTS and _is_of_a_fork(environ.get("GITHUB_EVENT_PATH", "")):
        return "a pull request of another repository"
    following = environ.get("GITHUB_EVENT_NAME", "")
    if following in _FOLLOWING and _follows_a_fork(following, environ.get("GITHUB_EVENT_PATH", "")):
        return _FOLLOWING[following]
    return _merged(
        *(environ.get(f"CI_MERGE_REQUEST_{name}", "") for name in ("IID", "PROJECT_ID", "SOURCE_PROJECT_ID"))
    )


def _merged(number: str, target: str, source: str) -> str:
    """Of a merge request of GitLab; each is '' where it is not told."""
    if source and target:
        return "a merge request of another project" if source != target else ""
    return "a merge request of a project that is not told" if number or source or target else ""


def _event(path: str) -> Any:
    with pathlib.Path(path).open("rb") as file:
        return json.loads(file.read(EVENT_BYTES_MAX))


def _follows_a_fork(name: str, path: str) -> bool:
    """Of a workflow its run says whose change it was; of a comment nothing says it, only whether it is on a pull request at all."""
    try:
        event = _event(path)
        if name == "issue_comment":
            return bool(event["issue"].get("pull_request"))
        run = event["workflow_run"]
        head = run["head_repository"]
        return head is None or str(head["full_name"]).lower() != str(event["repository"]["full_name"]).lower()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return True


def _is_of_a_fork(path: str) -> bool:
    try:
        request = _event(path)["pull_request"]
        head, base = _repository(request["head"]), _repository(request["base"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return True
    return head != base


def _repository(side: Mapping[str, Any]) -> str:
    """Of a fork that was deleted there is none: then it is no name."""
    repository = side["repo"]
    return str(repository["full_name"]).lower() if repository is not None else ""


def once(told: Iterable[errors.Diagnostic], why: str) -> list[errors.Diagnostic]:
    """All that needs code of the project as one hint, at the first place of it."""
    told = list(told)
    needing = [one for one in told if one.code == plugins.ProjectCode.code]
    left = [one for one in told if one.code != plugins.ProjectCode.code]
    if not needing:
        return left
    first = needing[0]
    others = [one for one in dict.fromkeys(str(one.place) for one in needing) if one != str(first.place)]
    named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    message = f"code of the project was not run ({why}), so what needs it was not checked" + (
        f", also at {named}" if others else ""
    )
    hint = errors.Diagnostic(first.code, message, first.place, "hint", first.text, first.width, moved=first.moved)
    return [*left, hint]
