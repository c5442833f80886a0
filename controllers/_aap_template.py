"""What `aap` launches: the template found by its name and organization, and the JSON that it is launched with.

Names, limits and events go as parameters and JSON, as they are. What a launch carries beside what the rulebook gave is the attempt's token:
by it the job is found again where the answer to the launch was lost.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from healer import model
from healer.controllers import _aap_api, _shimmed

OWN_VARIABLE: Final = "healer_token"
BODY_BYTES_MAX: Final = 2 << 20
LABEL_CHARACTERS_MAX: Final = 512

_TYPES: Final = {
    "job_template": ("job_template", "job_templates", "jobs"),
    "workflow_template": ("workflow_job_template", "workflow_job_templates", "workflow_jobs"),
}
"""A job's kind → the API's type, the path of its templates, the path of what they become."""

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """A template as the API has it. `path`: where it is; `lists`: what lists the jobs made of it; `asks`: what it prompts for."""

    id: int
    path: str
    lists: tuple[str, ...]
    asks: frozenset[str]

    @property
    def mark(self) -> str:
        """What carries the token of an attempt: `variables`, else a label, else nothing."""
        return next((one for one in ("variables", "labels") if one in self.asks), "")


async def find(api: Any, job: model.Job) -> Template:
    """The template that a job names. Raises `RefusedJob` where there is none, `ApiError`."""
    type_, path, jobs = _TYPES[job.kind]
    organization = job.extra.get("organization")
    async for found in api.pages("unified_job_templates/", {"name": str(job.subject)}):
        of = _at(found, "summary_fields", "organization", "name")
        if found.get("type") == type_ and found.get("name") == job.subject and of in (None, organization):
            number = _aap_api.id_of(found, api.base + "unified_job_templates/")
            asks = {
                key[4:-10]
                for key in found
                if key.startswith("ask_") and key.endswith("_on_launch") and found[key] is True
            }
            slices = found.get("job_slice_count")
            sliced = "job_slice_count" in asks or (isinstance(slices, int) and slices > 1)
            below = f"{path}/{number}/"
            lists = (*((f"{below}slice_workflow_jobs/",) if sliced else ()), f"{below}{jobs}/")
            return Template(number, below, lists, frozenset(asks))
    what = "workflow template" if job.kind == "workflow_template" else "job template"
    shown = f"{str(job.subject)!r} in the organization {organization!r}"
    raise _shimmed.RefusedJob(reason=f"the account sees no {what} {shown}")


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


# --- labels -----------------------------------------------------------------------------------------------------------


def label_names(job: model.Job) -> list[str]:
    """The labels that the rulebook asks for, each once."""
    given = job.extra.get("labels")
    names = [one for one in given if isinstance(one, str) and one] if isinstance(given, list | tuple) else []
    if job.extra.get("add_event_uuid_label") and (uuid := job.extra.get("event_uuid")):
        names.append(f"eda-event-uuid-{uuid}")
    return list(dict.fromkeys(names))


def token_of(job: model.Job) -> str:
    """What a job carries to be known again: the attempt's token, and whose it is, since another daemon counts its attempts alike."""
    instance = job.extra.get("instance")
    return f"{job.token}-{instance}" if instance else job.token


def token_label(job: model.Job) -> str:
    """The label that stands for an attempt where variables cannot."""
    return f"healer-token-{token_of(job)}"


async def label_ids(
    api: Any, job: model.Job, template: Template, say: Say, *, make: bool = True
) -> tuple[list[int], bool]:
    """The ids of the labels to launch with, made where they are not there yet, and whether that of the token is among them.

    A label that cannot be had is left out and said, as ansible-rulebook does. Raises `ApiError` for what passes.
    """
    names = label_names(job)
    if "labels" not in template.asks:
        if names:
            say("the template does not prompt for labels: none is put on the job")
        return [], False
    own = token_label(job) if template.mark == "labels" else ""
    names += [own] if own else []
    organization = await _one(api, "organizations/", {"name": str(job.extra.get("organization"))}) if names else None
    if names and organization is None:
        say(f"the account sees no organization {job.extra.get('organization')!r}: no label is put on the job")
        return [], False
    had = {name: await _label(api, name, organization, say, make) for name in names}
    return [number for number in had.values() if number is not None], had.get(own) is not None


async def _label(api: Any, name: str, organization: int | None, say: Say, make: bool) -> int | None:
    wanted = {"name": name, "organization": str(organization)}
    if len(name) > LABEL_CHARACTERS_MAX:
        say(f"a label has at most {LABEL_CHARACTERS_MAX} characters: {name[:40]!r}… is left out")
        return None
    found = await _one(api, "labels/", wanted)
    if found is not None or not make:
        if found is None:
            say(f"the label {name!r} would be made")
        return found
    try:
        made = await api.post("labels/", {"name": name, "organization": organization})
        return int(_aap_api.id_of(made, api.base + "labels/"))
    except _aap_api.Refused as error:
        if error.passing:
            raise
        found = await _one(api, "labels/", wanted)  # another made it meanwhile
        if found is None:
            say(f"the label {name!r} is left out: {error.message}")
        return found


async def _one(api: Any, path: str, params: Mapping[str, str]) -> int | None:
    async for found in api.pages(path, params):
        if found.get("name") == params["name"]:
            return int(_aap_api.id_of(found, api.base + path))
    return None


# --- what it is launched with -----------------------------------------------------------------------------------------


def body(job: model.Job, template: Template, labels: list[int], say: Say) -> dict[str, Any]:
    """The JSON of the launch. Raises `RefusedJob` for what cannot be launched so."""
    given = _shimmed.reveal(job.extra.get("job_args") or {})
    variables = given.get("extra_vars") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(variables, Mapping | None):
        raise _shimmed.RefusedJob(reason="job_args and its extra_vars have to be mappings")
    made = {str(key): value for key, value in given.items() if key != "extra_vars"}
    variables = dict(variables or {})
    if job.extra.get("include_events", True) and job.extra.get("ansible_eda") is not None:
        variables["ansible_eda"] = job.extra["ansible_eda"]
    if template.mark == "variables":
        variables[OWN_VARIABLE] = token_of(job)
    if variables:
        made["extra_vars"] = variables
    if labels:
        made["labels"] = labels
    if not made.get("limit"):
        made.pop("limit", None)  # an empty one would take the template's own limit away
    elif "limit" not in template.asks and job.kind == "workflow_template":
        say(f"the workflow template does not prompt for a limit: {made.pop('limit')!r} is left out")
    if job.dry_run:
        made |= _dry(template)
    _check_size(made)
    return made


def _dry(template: Template) -> dict[str, Any]:
    if "job_type" not in template.asks:
        raise _shimmed.RefusedJob(reason="it cannot be run dry: the template does not prompt for the job type")
    return {"job_type": "check"}


def _check_size(made: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(made, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _shimmed.RefusedJob(reason=f"what it is to be launched with is no JSON: {error}") from error
    if size > BODY_BYTES_MAX:
        limit = f"{BODY_BYTES_MAX >> 20} MiB are the most"
        raise _shimmed.RefusedJob(reason=f"it is to be launched with {size} bytes; {limit} (include_events: false?)")


def ignored(answer: Mapping[str, Any]) -> list[str]:
    """What the API says that it ignored of a launch; of variables their names."""
    fields = answer.get("ignored_fields")
    if not isinstance(fields, Mapping):
        return []
    return [
        f"extra_vars ({', '.join(map(str, value))})"
        if key == "extra_vars" and isinstance(value, Mapping) and value
        else str(key)
        for key, value in sorted(fields.items())
    ]


def carries(found: Mapping[str, Any], token: str) -> bool:
    """Whether a job was launched with the token among its own variables; what an event in them says does not count."""
    variables = found.get("extra_vars")
    if isinstance(variables, str):
        try:
            variables = json.loads(variables)
        except (ValueError, RecursionError):
            return False
    return isinstance(variables, Mapping) and variables.get(OWN_VARIABLE) == token
