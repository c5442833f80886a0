"""The verbs of `oc` as steps: for each target the command of kubectl, in which nothing that came with an event can be an option.

What changes an object by a patch marks it in the same request with a label of the attempt, so that it can be said of the object alone
whether that attempt was at it. Why `rollout restart`, `scale` and `cordon` are patches: kubectl's own commands cannot mark, a restart
cannot be tried dry, and `kubectl cordon` ends with 0 where it failed.
"""

from __future__ import annotations

import datetime
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from healer import model
from healer.child import jobs
from healer.controllers import _oc_access, _oc_manifest, _oc_objects, _shimmed

MARK: Final = "auto-healer/run"
"""The label that says which attempt changed an object last."""
RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
ARGUMENT_MAX: Final = (128 << 10) - 1
"""What Linux takes as one argument (MAX_ARG_STRLEN)."""
PATCH: Final = "patch.json"
STEPS: Final = "steps.json"
REPLICAS_MAX: Final = 10_000

Step = dict[str, Any]


class Verbs:
    """Makes the steps of jobs of one controller; `options` are `oc.OcOptions`."""

    def __init__(self, options: Any, access: _oc_access.Access) -> None:
        self.options = options
        self.access = access
        self._by_verb: dict[str, Callable[[Mapping[str, Any], model.Job, pathlib.Path, bool, _oc_objects.Object], list[Step]]] = {
            "rollout restart": self._patched, "scale": self._patched, "patch": self._patched, "restart-owner": self._owner,
            "delete pod": self._delete, "cordon": self._patched, "uncordon": self._patched, "drain": self._drain,
            "exec": self._exec, "apply": self._apply,
        }  # fmt: skip

    def objects(self, job: model.Job) -> list[_oc_objects.Object]:
        """The targets of a job. Raises `RefusedJob`."""
        if not job.targets:
            raise _shimmed.RefusedJob(reason="oc needs a target: NAMESPACE/KIND/NAME")
        given = self.options
        found = [_oc_objects.of(one, given.namespaces, given.kinds, nodes=given.nodes) for one in job.targets]
        for one in found:
            _oc_objects.check_verb(said(job)["verb"], one)
        return found

    def steps(self, job: model.Job, folder: pathlib.Path, *, dry: bool) -> list[Step]:
        """The steps of a job; what they read is put into the folder. `dry`: as the API would do them. Raises `RefusedJob`."""
        subject = said(job)
        objects = self.objects(job)
        if dry and subject["verb"] == "exec":
            raise _shimmed.RefusedJob(reason="exec cannot be run dry: what the program would do nobody knows")
        if (change := patch(job)) is not None:
            jobs.write_private(folder / PATCH, json.dumps(_shimmed.reveal(change), ensure_ascii=False).encode())
        made = [step for one in objects for step in self._by_verb[subject["verb"]](subject, job, folder, dry, one)]
        for argument in (text for step in made for part in step.values() if isinstance(part, list) for text in part):
            if "\0" in argument or len(argument.encode("utf-8", "surrogateescape")) > ARGUMENT_MAX:
                raise _shimmed.RefusedJob(reason=f"an argument has a NUL, or more than {ARGUMENT_MAX} bytes")
        return made

    def _command(self, *verb: str, dry: bool, namespace: str = "", bounded: bool = True) -> list[str]:
        made: list[str] = self.access.command(*verb, namespace=namespace, bounded=bounded)
        return made + (["--dry-run=server"] if dry else [])

    def _patched(
        self, subject: Mapping[str, Any], _job: model.Job, folder: pathlib.Path, dry: bool, one: _oc_objects.Object
    ) -> list[Step]:
        kind = subject.get("type", "merge" if one.kind in self.options.kinds else "strategic")
        made = self._command("patch", dry=dry, namespace=one.namespace)
        return [
            {
                "target": one.target,
                "argv": [*made, f"--type={kind}", f"--patch-file={folder / PATCH}", "--", one.resource],
            }
        ]

    def _owner(
        self, _subject: Mapping[str, Any], _job: model.Job, folder: pathlib.Path, dry: bool, one: _oc_objects.Object
    ) -> list[Step]:
        get = [*self._command("get", dry=False, namespace=one.namespace), "--output=json"]
        change = [
            *self._command("patch", dry=dry, namespace=one.namespace), "--type=strategic", f"--patch-file={folder / PATCH}"
        ]  # fmt: skip
        return [{"target": one.target, "owner": one.name, "get": get, "patch": change}]

    def _delete(
        self, subject: Mapping[str, Any], job: model.Job, _folder: pathlib.Path, dry: bool, one: _oc_objects.Object
    ) -> list[Step]:
        made = self._command("delete", dry=dry, namespace=one.namespace, bounded=False)
        made += [] if dry else ["--wait=true", f"--timeout={_seconds(job.deadline_s)}s"]
        return [{"target": one.target, "argv": [*made, *_grace(subject), "--", one.resource]}]

    def _drain(
        self, subject: Mapping[str, Any], job: model.Job, folder: pathlib.Path, dry: bool, one: _oc_objects.Object
    ) -> list[Step]:
        made = self._command("drain", dry=dry, bounded=False)
        for key, flag in (
            ("ignore_daemonsets", "ignore-daemonsets"), ("delete_emptydir_data", "delete-emptydir-data"), ("force", "force"),
        ):  # fmt: skip
            made += [f"--{flag}=true"] if subject.get(key) is True else []
        limit_s = min(float(subject.get("timeout", job.deadline_s)), job.deadline_s)
        made += [*_grace(subject), f"--timeout={_seconds(limit_s)}s"]
        first = self._patched({}, job, folder, dry, one)  # since drain goes on where it cannot close the node
        return [*first, {"target": one.target, "argv": [*made, "--", one.name]}]

    def _exec(
        self, subject: Mapping[str, Any], _job: model.Job, _folder: pathlib.Path, _dry: bool, one: _oc_objects.Object
    ) -> list[Step]:
        command = subject.get("command")
        if not isinstance(command, list) or not command or not all(isinstance(text, str) for text in command):
            raise _shimmed.RefusedJob(reason=_shimmed.one_line(f"each argument of exec is a text, got {command!r}"))
        container = subject.get("container")
        if container is not None and not (isinstance(container, str) and _oc_objects.LABEL.fullmatch(container)):
            raise _shimmed.RefusedJob(reason=_shimmed.one_line(f"{container!r} is no name of a container"))
        made = self._command("exec", dry=False, namespace=one.namespace, bounded=False)
        made += [f"--container={container}"] if container is not None else []
        return [{"target": one.target, "argv": [*made, one.resource, "--", *command]}]

    def _apply(
        self, subject: Mapping[str, Any], job: model.Job, _folder: pathlib.Path, dry: bool, one: _oc_objects.Object
    ) -> list[Step]:
        path = _shimmed.inside(job.revision_dir, str(subject.get("manifest")), ["manifests"])
        _oc_manifest.check(path, one, self.options.kinds)
        made = [*self._command("apply", dry=dry, namespace=one.namespace), f"--filename={path}"]
        if dry:
            return [{"target": one.target, "argv": made}]
        mark = [*self._command("label", dry=False, namespace=one.namespace), "--overwrite=true", f"--filename={path}"]
        return [
            {"target": one.target, "argv": made},
            {"target": one.target, "argv": [*mark, "--", f"{MARK}={job.token}"], "after": True},
        ]


def said(job: model.Job) -> Mapping[str, Any]:
    """What a job is to do. Raises `RefusedJob` where that is no verb of ours."""
    verb = job.subject.get("verb") if isinstance(job.subject, Mapping) else None
    if job.kind != "oc" or not isinstance(job.subject, Mapping) or not isinstance(verb, str) or verb not in VERBS:
        raise _shimmed.RefusedJob(reason=_shimmed.one_line(f"the controller oc cannot do {job.kind} {job.subject!r}"))
    return job.subject


VERBS: Final = (*_oc_objects.ON, "apply", "patch")


def patch(job: model.Job) -> Any:
    """What is changed of each target, with the mark where there is a place for it; None of a verb that patches nothing."""
    subject = said(job)
    if subject["verb"] in ("rollout restart", "restart-owner"):
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        change: Any = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}}
    elif subject["verb"] == "scale":
        change = {"spec": {"replicas": _replicas(subject.get("replicas"))}}
    elif subject["verb"] in ("cordon", "uncordon", "drain"):
        change = {"spec": {"unschedulable": subject["verb"] != "uncordon"}}
    elif subject["verb"] == "patch":
        change = _copied(subject.get("patch"))
        if isinstance(change, list) != (subject.get("type") == "json") or not isinstance(change, list | dict):
            raise _shimmed.RefusedJob(reason="a patch is a mapping, or of the type json a list")
    else:
        return None
    if isinstance(change, dict):
        labels = change.setdefault("metadata", {})
        labels = labels.setdefault("labels", {}) if isinstance(labels, dict) else None
        if isinstance(labels, dict):
            labels[MARK] = job.token
    return change


def _copied(value: Any) -> Any:
    """A copy of JSON; the secrets in it stay what they are."""
    if isinstance(value, Mapping):
        return {str(key): _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list | tuple) else value


def is_marked(job: model.Job) -> bool:
    """Whether its effect and its mark are one request, or the mark comes after the effect, on the target itself."""
    subject = job.subject if isinstance(job.subject, Mapping) else {}
    if subject.get("verb") == "patch":
        return subject.get("type") != "json"
    return subject.get("verb") in ("rollout restart", "scale", "cordon", "uncordon", "apply")


def _replicas(value: Any) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9 else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= REPLICAS_MAX:
        raise _shimmed.RefusedJob(
            reason=_shimmed.one_line(f"replicas is a whole number up to {REPLICAS_MAX}, got {value!r}")
        )
    return number


def _grace(subject: Mapping[str, Any]) -> Sequence[str]:
    return [f"--grace-period={_seconds(float(subject['grace']))}"] if "grace" in subject else []


def _seconds(span_s: float) -> int:
    return max(1, int(span_s))
