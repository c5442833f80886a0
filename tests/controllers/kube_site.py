"""A fake cluster and a controller `oc` that reaches it with the real kubectl. The tests' conftest loads it."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from healer import model, plugins
from healer.controllers import oc

CART = "shop/deployment/cart"


class Site:
    """A project with manifests, and what jobs said. `fake` is a `fake_kube.Fake` that is being served."""

    def __init__(self, fake: Any, folder: pathlib.Path, token: str) -> None:
        self.fake = fake
        self.folder = folder
        self.revision = folder / "revision"
        (self.revision / "manifests").mkdir(parents=True)
        self.secrets = {"env:KUBE_TOKEN": token}
        self.heard = {"stdout": b"", "stderr": b""}
        self.number = 0
        self.controller = self.made()

    def made(self, *subjects: Any, **given: Any) -> oc.Oc:
        """A controller with other options, or of a catalog with these subjects."""
        way = {} if {"kubeconfig", "in_cluster"} & {*given} else {
            "server": self.fake.url, "token": {"secret": "env:KUBE_TOKEN"}, "ca": "ca.pem"
        }  # fmt: skip
        options = {"namespaces": ["shop", "pay"], "nodes": True, "request_timeout": "20 seconds", **way, **given}
        context = plugins.ControllerContext("a", self.resolve, self.log, self.folder, subjects)
        return oc.Oc(oc.OcOptions.model_validate(options), context)

    def resolve(self, reference: plugins.SecretRef) -> model.Secret:
        return model.Secret(reference.secret, self.secrets[reference.secret])

    def log(self, level: str, message: str) -> None:
        raise AssertionError(message)

    def job(self, verb: str, *targets: str, **given: Any) -> model.Job:
        """A job of its own token. `extra keys` of the subject and fields of the job are told apart by name."""
        self.number += 1
        token = f"r-{model.short_hash(str(self.folder))}-{self.number}"  # tests run at the same time, and look for processes by it
        fields = {one.name for one in dataclasses.fields(model.Job)}
        subject = {"verb": verb, **{key: value for key, value in given.items() if key not in fields}}
        job = model.Job(
            token=token, run_id=token[:-2], action="act", kind="oc", subject=subject, parameters={},
            targets=tuple(model.Target("k8s", f"a/{one}") for one in targets or (CART,)), deadline_s=60.0,
            revision_dir=str(self.revision), work_dir=str(self.folder / "work" / token),
        )  # fmt: skip
        return dataclasses.replace(job, **{key: value for key, value in given.items() if key in fields})

    def hear(self, stream: str, piece: bytes) -> None:
        self.heard[stream] += piece

    async def run(self, verb: str, *targets: str, **given: Any) -> model.Outcome:
        return await self.controller.run(self.job(verb, *targets, **given), self.hear)

    def deployment(self, name: str = "cart", namespace: str = "shop") -> None:
        """One with a pod `NAME-1-a` and a pod `NAME-1-b`."""
        template = {"metadata": {"labels": {"app": name}}}
        self.fake.put("Deployment", name, namespace, spec={"replicas": 2, "template": template})
        self.fake.put("ReplicaSet", f"{name}-1", namespace, owner=("Deployment", name))
        for pod in ("a", "b"):
            self.pod(f"{name}-1-{pod}", namespace, owner=("ReplicaSet", f"{name}-1"))

    def pod(self, name: str, namespace: str = "shop", **more: Any) -> None:
        spec = {"containers": [{"name": "app"}, {"name": "side"}], **more.pop("spec", {})}
        self.fake.put("Pod", name, namespace, spec=spec, status={"phase": "Running"}, **more)

    def manifest(self, text: str, name: str = "cart.yaml") -> str:
        (self.revision / "manifests" / name).write_text(text)
        return f"manifests/{name}"
