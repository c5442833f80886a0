"""What a text means by an object of a Kubernetes cluster, for a controller that reaches one. Callers: `targets` and `reaching`.

`k8s:CONTROLLER/NAMESPACE/KIND/NAME`, or without what the controller says already: `NAMESPACE/KIND/NAME`. A node lies in no namespace:
`k8s:CONTROLLER/node/NAME`, `node/NAME`. Nobody is asked whether the object is there. One object has one spelling, since locks are on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from healer import config, errors, inventory, model, quoting
from healer.catalog import clusters as catalog
from healer.project.controllers import Controller

KIND: Final = catalog.KIND
NODE: Final = catalog.NODE
TEXT_MAX: Final = 512
FORM: Final = "NAMESPACE/KIND/NAME"
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "pod": ("pods", "po"), "deployment": ("deployments", "deploy"), "statefulset": ("statefulsets", "sts"),
    "daemonset": ("daemonsets", "ds"), "replicaset": ("replicasets", "rs"), "job": ("jobs",), "cronjob": ("cronjobs", "cj"),
    "service": ("services", "svc"), "configmap": ("configmaps", "cm"), "persistentvolumeclaim": ("persistentvolumeclaims", "pvc"),
    "horizontalpodautoscaler": ("horizontalpodautoscalers", "hpa"), "ingress": ("ingresses", "ing"),
    "poddisruptionbudget": ("poddisruptionbudgets", "pdb"), "deploymentconfig": ("deploymentconfigs", "dc"), "route": ("routes",),
    NODE: ("nodes", "no"),
}  # fmt: skip
"""Kind → what else it is called. Each but a node lies in a namespace; a controller may add some that do too (`kinds`)."""
_BY_NAME: Final = {other: kind for kind, others in KINDS.items() for other in (kind, *others)}
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_LOWER: Final = str.maketrans({chr(one): chr(one + 32) for one in range(ord("A"), ord("Z") + 1)})
_MEND: Final = "mend the alert's target"


def reaches(spec: Controller) -> bool:
    """Whether the targets of a controller are objects of namespaces that it lists; one of a stranger may mean others by `k8s:`."""
    return KIND in spec.target_kinds and "namespaces" in spec.options


def beyond(spec: Controller, written: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why what is written as `oc:` can have no target of the controller, and what may be meant; None: it can."""
    verb = written.get("verb")
    if not isinstance(verb, str) or verb not in catalog.OF_NODES or not reaches(spec) or _has_nodes(spec):
        return None
    return (
        f"{verb!r} is done on nodes, and {spec.name} reaches none",
        f"give {spec.name} nodes: true in controllers.yaml",
    )


def _has_nodes(spec: Controller) -> bool:
    return spec.options.get("nodes") is True


def resolve(spec: Controller, text: str) -> model.Target | inventory.Refusal:
    """The object that a text means for a controller with targets of the kind `k8s`."""
    if not text or len(text) > TEXT_MAX or not text.isprintable() or " " in text:
        got = f"{quoting.without_secrets(text)[:100]!r}{' and more' if text[100:] else ''}"
        return _no(f"a target is {FORM} without spaces and control characters, at most {TEXT_MAX} long, got {got}")
    kind, colon, rest = text.partition(":")
    if colon and kind != KIND:
        return _no(f"{text!r}: {spec.name} reaches objects of a cluster alone ({KIND}:{spec.name}/{FORM})")
    parts = (rest if colon else text).split("/")
    if parts[0] == spec.name and (len(parts) == 4 or (len(parts) == 3 and _BY_NAME.get(_lower(parts[1])) == NODE)):
        parts = parts[1:]
    elif colon:
        return _no(f"{text!r} is no {KIND} target of {spec.name}: {KIND}:{spec.name}/{FORM} is wanted")
    if len(parts) == 2 and _BY_NAME.get(_lower(parts[0])) == NODE:
        return _node(spec, text, parts[1])
    if len(parts) != 3:
        return _no(f"{text!r}: {FORM} is wanted, or {NODE}/NAME")
    return _object(spec, text, *parts)


def _object(spec: Controller, text: str, namespace: str, kind: str, name: str) -> model.Target | inventory.Refusal:
    own = [str(one) for one in spec.options.get("kinds") or ()]
    known = _lower(kind) if _lower(kind) in own else _BY_NAME.get(_lower(kind))
    if known is None:
        near = errors.nearest(_lower(kind), [*_BY_NAME, *own]) if len(kind) <= 100 else ""
        return _no(f"{text!r}: no kind {config.shown(kind)} is known", near)
    if known == NODE:
        return _no(f"{text!r}: a node lies in no namespace; {NODE}/NAME is wanted")
    for part, form, what in ((namespace, _LABEL, "namespace"), (name, _NAME, known)):
        if not form.fullmatch(part):
            return _no(f"{text!r}: {config.shown(part)} is no name of a {what} (RFC 1123: a-z, 0-9, - and .)")
    namespaces = [str(one) for one in spec.options.get("namespaces") or ()]
    if namespace not in namespaces:
        reason = f"{spec.name} reaches no namespace {namespace!r}; it reaches {', '.join(namespaces[:10]) or 'none'}"
        step = f"mend the alert's target, or list the namespace with {spec.name} in controllers.yaml"
        return inventory.Refusal(reason, errors.nearest(namespace, namespaces), step=step)
    return model.Target(KIND, f"{spec.name}/{namespace}/{known}/{name}")


def _node(spec: Controller, text: str, name: str) -> model.Target | inventory.Refusal:
    if not _NAME.fullmatch(name):
        return _no(f"{text!r}: {config.shown(name)} is no name of a node (RFC 1123: a-z, 0-9, - and .)")
    if not _has_nodes(spec):
        step = f"mend the alert's target, or give {spec.name} nodes: true in controllers.yaml"
        return inventory.Refusal(f"{spec.name} reaches no nodes", step=step)
    return model.Target(KIND, f"{spec.name}/{NODE}/{name}")


def _lower(text: str) -> str:
    return text.translate(_LOWER)


def _no(reason: str, nearest: str = "") -> inventory.Refusal:
    return inventory.Refusal(reason, nearest, step=_MEND)
