"""`oc`: verbs on objects of a Kubernetes or OpenShift cluster, by a real kubectl or oc under the shim.

`_oc_objects` knows what targets mean, `_oc_verbs` makes the commands, `_oc_access` writes the kubeconfig and asks short questions,
`_oc_steps` is the child that runs one command after the other, `_oc_words` says what came of them, `_oc_asking` asks whether all is well.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import pydantic

from healer import model, plugins
from healer.child import jobs
from healer.controllers import _oc_access, _oc_asking, _oc_objects, _oc_steps, _oc_verbs, _oc_words, _shimmed, _tied

SECRET_FILES: Final = (_oc_access.KUBECONFIG, _oc_verbs.PATCH)


def _in_namespaces(kind: str) -> str:
    if _oc_objects.is_cluster_wide(kind):
        raise ValueError("a kind whose objects lie in a namespace is wanted")
    return kind


Text = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[^\x00-\x1f]+$", max_length=1024),
    plugins.Wanted("a text without control characters"),
]
Namespace = Annotated[
    str,
    pydantic.StringConstraints(pattern=rf"^{_oc_objects.LABEL.pattern}$"),
    plugins.Wanted("a namespace (a-z, 0-9 and -, at most 63)"),
]
OwnKind = Annotated[
    str,
    pydantic.StringConstraints(pattern=rf"^{_oc_objects.OWN_KIND.pattern}$", max_length=253),
    pydantic.AfterValidator(_in_namespaces),
    plugins.Wanted("a kind with its group, like certificate.cert-manager.io"),
]
Server = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^https://[^\s/?#@\\]+(/[^\s?#@\\]*)?$", max_length=1024),
    plugins.Wanted("an URL like https://api.example.org:6443"),
]


class OcOptions(plugins.Options):
    """Which cluster, as whom, and what of it may be touched."""

    namespaces: Annotated[list[Namespace], pydantic.Field(min_length=1, max_length=1000)] = pydantic.Field(
        description="what it may touch lies in these, and nowhere else"
    )
    nodes: bool = pydantic.Field(False, description="whether it may touch nodes too")
    kinds: Annotated[list[OwnKind], pydantic.Field(max_length=100)] = pydantic.Field(
        [], description="kinds beside the usual ones whose objects lie in a namespace: certificate.cert-manager.io"
    )
    kubeconfig: plugins.SecretRef | None = pydantic.Field(None, description="the text of a kubeconfig")
    context: Text | None = pydantic.Field(None, description="of the kubeconfig; else its current one")
    server: Server | None = pydantic.Field(
        None, description="in place of a kubeconfig: the API's address, with `token`"
    )
    token: plugins.SecretRef | None = pydantic.Field(None, description="of an account, for `server`")
    ca: Text | None = pydantic.Field(None, description="a file of certificates to trust (PEM), as files/ca.pem")
    in_cluster: bool = pydantic.Field(False, description="the account of the pod that the daemon runs in")
    binary: Text | None = pydantic.Field(None, description="kubectl or oc, a name or a path; else whichever is there")
    request_timeout: Annotated[plugins.Duration, pydantic.Field(ge=1, le=3600)] = pydantic.Field(
        30.0, description="how long one request may take"
    )

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        config, server, token, context, ca = (
            given.get(key) is not None for key in ("kubeconfig", "server", "token", "context", "ca")
        )
        ways = config + server + (given.get("in_cluster") is True)
        if ways != 1 or server != token:
            yield "one of 'kubeconfig', both 'server' and 'token', or 'in_cluster' is wanted"
        if context and ways and not config:
            yield "'context' is of a kubeconfig, and none is given"
        if ca and ways and not server:
            yield "'ca' is for 'server', and none is given: a kubeconfig has its own"


class Oc(plugins.Controller):
    """Runs verbs of the catalog (`oc:`) on objects of one cluster."""

    Options = OcOptions
    kinds = frozenset({"oc"})
    target_kinds = frozenset({"k8s"})
    files = ("ca",)

    def __init__(self, options: OcOptions, context: plugins.ControllerContext) -> None:
        super().__init__(options, context)
        self.access = _oc_access.Access(options, context)
        self.verbs = _oc_verbs.Verbs(options, self.access)
        self.children = _shimmed.Children(self.prepare, self.judge, secret_files=SECRET_FILES)

    async def check(self) -> model.Health:
        """Whether kubectl is there, the API takes the credentials, and allows what the catalog asks of this controller."""
        found: model.Health = await _oc_asking.health(self.access)
        return found

    async def plan(self, job: model.Job) -> model.Plan:
        """What the API says that would come of it (`--dry-run=server`); of `exec` the command alone."""
        targets = tuple(str(target) for target in job.targets)
        change = _oc_verbs.patch(job)
        note = [f"patch: {json.dumps(_shimmed.hide(change), ensure_ascii=False)}"] if change is not None else []
        if _oc_verbs.said(job)["verb"] == "exec":
            steps = self.verbs.steps(job, pathlib.Path(job.work_dir), dry=False)
            return model.Plan(targets, (*(shlex.join(step["argv"]) for step in steps), "exec is not run dry"))
        pathlib.Path(job.work_dir).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        base = pathlib.Path(tempfile.mkdtemp(prefix="plan-", dir=pathlib.Path(job.work_dir).parent))
        try:
            ends = await self._dry(job, base / "dry")
            commands = [_for_people(step, base / "dry", job.revision_dir) for step in ends.steps]
        finally:
            await asyncio.to_thread(shutil.rmtree, base, ignore_errors=True)
        said = [
            f"dry run of {target}: {ends.said.get(target, ('', ends.summary))[1] or 'the API takes it'}"
            for target in targets
        ]
        exact = all(target in ends.said and ends.said[target][0] == "succeeded" for target in targets)
        fails = dict.fromkeys(why for target, (end, why) in ends.said.items() if end == "failed" and target in targets)
        return model.Plan(targets, (*commands, *note, *said), exact=exact, fails="; ".join(fails))

    async def run(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Run it and follow it; cancelling the task ends kubectl."""
        outcome: model.Outcome = await _oc_asking.settled(self.verbs, job, await self.children.run(job, output))
        return outcome

    async def find(self, job: model.Job) -> model.Found:
        """What became of it after a crash; where the shim cannot say, the mark on the targets may."""
        found: model.Found = await self.children.find(job)
        if found.state == "ended" and found.outcome is not None:
            return model.Found("ended", await _oc_asking.settled(self.verbs, job, found.outcome), found.detail)
        if found.state == "unknown":
            outcome: model.Outcome = await _oc_asking.settled(self.verbs, job, model.Outcome("unknown", found.detail))
            return model.Found("ended", outcome) if outcome.state == "succeeded" else found
        return found

    async def withhold(self, job: model.Job) -> bool:
        """Keep it from starting where it has not."""
        never: bool = await self.children.withhold(job)
        return never

    async def follow(self, job: model.Job, output: plugins.Output) -> model.Outcome:
        """Take up a child that still runs."""
        outcome: model.Outcome = await _oc_asking.settled(self.verbs, job, await self.children.follow(job, output))
        return outcome

    def prepare(self, job: model.Job, folder: pathlib.Path) -> jobs.Spec:
        """The child with its steps and a kubeconfig of its own."""
        return self._spec(job, folder, self.verbs.steps(job, folder, dry=job.dry_run))

    def judge(self, job: model.Job, folder: pathlib.Path, ended: _shimmed.Ended) -> model.Outcome:
        """The end of each target. What `exec` printed as its last line is the result where that is JSON."""
        state, summary, per_target, result = _oc_words.outcome(job, folder, ended)
        if _oc_verbs.said(job)["verb"] == "exec":
            result = _shimmed.result_of(folder / "stdout")
        status = ended.status
        return model.Outcome(state, summary, status.exit_code, result, per_target, status.truncated, status.seconds)

    def _spec(self, job: model.Job, folder: pathlib.Path, steps: list[_oc_verbs.Step]) -> jobs.Spec:
        env = {**_shimmed.environment(job), **self.access.write(folder)}
        jobs.write_private(folder / _oc_verbs.STEPS, json.dumps(steps).encode("utf-8", "surrogateescape"))
        argv = [sys.executable, "-I", "-S", str(pathlib.Path(_oc_steps.__file__)), str(folder)]
        return jobs.Spec(argv, env, job.revision_dir, job.deadline_s, remove=SECRET_FILES)

    async def _dry(self, job: model.Job, folder: pathlib.Path) -> _Dry:
        """The steps as the API would do them. They end with the daemon."""
        steps: list[_oc_verbs.Step] = []

        def prepare() -> jobs.Spec:
            steps.extend(self.verbs.steps(job, folder, dry=True))
            return self._spec(job, folder, steps)

        _, status = await _tied.run(folder, prepare, lambda _stream, _piece: None)
        said = {target: (state, words) for target, (state, words, _) in _oc_words.ends(folder).items()}
        return _Dry(steps, said, _shimmed.ended(status, folder).summary)


@dataclasses.dataclass(frozen=True, slots=True)
class _Dry:
    """A run that changed nothing: its steps, what the API said of each target, the end of the child."""

    steps: list[_oc_verbs.Step]
    said: dict[str, tuple[str, str]]
    summary: str


def _for_people(step: dict[str, Any], folder: pathlib.Path, revision_dir: str) -> str:
    """The command with paths as in the project, as it would run."""
    root = pathlib.Path(revision_dir).resolve()
    argv = step["argv"] if "argv" in step else [*step["patch"], "--", f"(the owner of {step['owner']})"]
    shown = [one for one in argv if one != "--dry-run=server"]
    return shlex.join([one.replace(f"{folder}/", "").replace(f"{root}/", "") for one in shown])


CONTROLLER = Oc
