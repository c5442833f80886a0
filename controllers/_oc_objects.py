"""Objects of a cluster as `oc` names them: what a target means to kubectl, and which verbs are for which kinds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from healer import model
from healer.controllers import _shimmed

NODE: Final = "node"
RESOURCES: Final[Mapping[str, str]] = {
    "pod": "pods", "deployment": "deployments.apps", "statefulset": "statefulsets.apps", "daemonset": "daemonsets.apps",
    "replicaset": "replicasets.apps", "job": "jobs.batch", "cronjob": "cronjobs.batch", "service": "services",
    "configmap": "configmaps", "persistentvolumeclaim": "persistentvolumeclaims",
    "horizontalpodautoscaler": "horizontalpodautoscalers.autoscaling", "ingress": "ingresses.networking.k8s.io",
    "poddisruptionbudget": "poddisruptionbudgets.policy", "deploymentconfig": "deploymentconfigs.apps.openshift.io",
    "route": "routes.route.openshift.io", NODE: "nodes",
}  # fmt: skip
"""Kind → resource with its group, so that a custom resource of the same name is never meant."""
RESTARTED: Final = ("deployment", "statefulset", "daemonset")
ON: Final[Mapping[str, tuple[str, ...]]] = {
    "rollout restart": RESTARTED, "restart-owner": ("pod",), "scale": ("deployment", "statefulset", "replicaset", "deploymentconfig"),
    "delete pod": ("pod",), "exec": ("pod",), "cordon": (NODE,), "uncordon": (NODE,), "drain": (NODE,),
}  # fmt: skip
"""Verb → the kinds that it is for; one that is not here is for all that lie in a namespace."""

LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
OWN_KIND: Final = re.compile(r"[a-z][a-z0-9]{0,62}(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
"""A kind that an operator adds: `certificate.cert-manager.io`."""


_CLUSTER_WIDE: Final[Mapping[str, str]] = {
    "": "namespace ns node no persistentvolume pv componentstatus cs", "authentication.k8s.io": "tokenreview selfsubjectreview",
    "authorization.k8s.io": "selfsubjectaccessreview selfsubjectrulesreview subjectaccessreview",
    "certificates.k8s.io": "certificatesigningrequest csr clustertrustbundle", "networking.k8s.io": "ingressclass ipaddress servicecidr",
    "rbac.authorization.k8s.io": "clusterrole clusterrolebinding", "resource.k8s.io": "deviceclass resourceslice",
    "storage.k8s.io": "csidriver csinode storageclass sc volumeattachment volumeattributesclass",
    "authorization.openshift.io": "clusterrole clusterrolebinding", "project.openshift.io": "project projectrequest",
    "quota.openshift.io": "clusterresourcequota", "security.openshift.io": "securitycontextconstraint scc",
    "apiextensions.k8s.io": "customresourcedefinition crd", "scheduling.k8s.io": "priorityclass pc", "apiregistration.k8s.io": "apiservice",
}  # fmt: skip
_GROUPS_CLUSTER_WIDE: Final = (
    "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "config.openshift.io", "flowcontrol.apiserver.k8s.io",
    "machineconfiguration.openshift.io", "node.k8s.io", "oauth.openshift.io", "scheduling.k8s.io", "user.openshift.io",
)  # fmt: skip
"""Groups of which nothing lies in a namespace, and of others the kinds (`kubectl api-resources --namespaced=false`; Kubernetes API
reference 1.33, OpenShift API reference 4.18)."""


def is_cluster_wide(kind: str) -> bool:
    """Whether a kind is known to lie in no namespace, however it is written: singular, plural, without its group too."""
    name, _, group = kind.partition(".")
    names = {name, name.removesuffix("s"), name.removesuffix("es"), f"{name.removesuffix('ies')}y"}
    known = [_CLUSTER_WIDE.get(group, "")] if group else _CLUSTER_WIDE.values()
    return group in _GROUPS_CLUSTER_WIDE or any(not names.isdisjoint(one.split()) for one in known)


@dataclasses.dataclass(frozen=True, slots=True)
class Object:
    """One object, of names that were checked: none of them can be an option. `namespace` is '' of a node."""

    target: str
    namespace: str
    kind: str
    name: str

    @property
    def resource(self) -> str:
        """As an argument of kubectl."""
        return f"{RESOURCES.get(self.kind, self.kind)}/{self.name}"


def of(target: model.Target, namespaces: Collection[str], kinds: Collection[str], *, nodes: bool) -> Object:
    """The object of a target. Raises `RefusedJob` for whatever the controller does not reach, as the rules were told before."""
    _, *parts = target.name.split("/")
    if target.kind != "k8s" or len(parts) not in (2, 3):
        raise _shimmed.RefusedJob(reason=f"{str(target)!r} is no object of a cluster")
    namespace, kind, name = parts if len(parts) == 3 else ("", *parts)
    known = kind in RESOURCES or kind in kinds
    if not known or (kind == NODE) != (not namespace) or not NAME.fullmatch(name):
        raise _shimmed.RefusedJob(reason=f"{str(target)!r} is no object of a cluster")
    if (namespace and namespace not in namespaces) or (kind == NODE and not nodes):
        raise _shimmed.RefusedJob(reason=f"{str(target)!r} is out of this controller's reach (namespaces, nodes)")
    return Object(str(target), namespace, kind, name)


def check_verb(verb: str, found: Object) -> None:
    """Raises `RefusedJob` where a verb is not for such an object."""
    wanted = ON.get(verb)
    if (wanted is not None and found.kind not in wanted) or (wanted is None and found.kind == NODE):
        only = " or ".join(wanted) if wanted else "what lies in a namespace"
        raise _shimmed.RefusedJob(reason=f"{verb!r} is for {only}, and {found.target!r} is a {found.kind}")


def kind_of(document: Mapping[str, Any], kinds: Collection[str]) -> str:
    """The kind of an object of a manifest as targets have it; '' for one of which it is not known that it lies in a namespace."""
    kind, version = document.get("kind"), document.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        return ""
    group = version.rpartition("/")[0]
    plain, full = kind.lower(), f"{kind.lower()}.{group}" if group else kind.lower()
    if plain != NODE and plain in RESOURCES and RESOURCES[plain].partition(".")[2] == group:
        return plain
    return full if full in kinds else ""
