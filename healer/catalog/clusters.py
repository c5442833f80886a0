"""What `oc:` of an action says: one verb on objects of a Kubernetes cluster, and its arguments. Caller: `building`.

A verb has arguments of its own and no flags: what is not here cannot be asked of `kubectl`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import pydantic

from healer import config, plugins

MANIFESTS: Final = "manifests"
"""The folder of what `apply` applies."""
REPLICAS_MAX: Final = 10_000

Verb = Literal[
    "rollout restart", "restart-owner", "scale", "delete pod", "cordon", "uncordon", "drain", "exec", "apply", "patch"
]
TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "rollout restart": (), "restart-owner": (), "scale": ("replicas",), "delete pod": ("grace",), "cordon": (), "uncordon": (),
    "drain": ("grace", "timeout", "ignore_daemonsets", "delete_emptydir_data", "force"), "exec": ("command", "container"),
    "apply": ("manifest",), "patch": ("patch", "type"),
}  # fmt: skip
"""Verb → its arguments."""
KIND: Final = "k8s"
NODE: Final = "node"
OF_NODES: Final = ("cordon", "uncordon", "drain")
"""Verbs that are done on nodes alone."""
ON: Final[Mapping[str, tuple[str, ...]]] = {
    "rollout restart": ("deployment", "statefulset", "daemonset"), "restart-owner": ("pod",),
    "scale": ("deployment", "statefulset", "replicaset", "deploymentconfig"), "delete pod": ("pod",), "exec": ("pod",),
    **dict.fromkeys(OF_NODES, (NODE,)),
}  # fmt: skip
"""Verb → the kinds of objects that it is for; one that is not here is for all that lie in a namespace."""
NEEDS: Final[Mapping[str, str]] = {"scale": "replicas", "exec": "command", "apply": "manifest", "patch": "patch"}
"""Verb → the argument without which it says nothing."""

Text = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=8000, pattern=r"^[^\x00]+$"),
    plugins.Wanted("a text without NUL"),
]


def _replicas(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= REPLICAS_MAX
    if whole or (isinstance(value, str) and "{{" in value):
        return value
    raise ValueError(
        f"a whole number up to {REPLICAS_MAX} or {{{{ parameters.NAME }}}} is wanted, got {config.shown(value)}"
    )


def _patch(value: object) -> object:
    if isinstance(value, Mapping | list) and value:
        return value
    raise ValueError(f"a mapping is wanted (of the type json: a list), got {config.shown(value)}")


class ClusterShape(plugins.Options):
    """What is done on each target of an action, as it is written."""

    verb: Verb = pydantic.Field(description="what is done")
    replicas: (
        Annotated[
            str | int,
            pydantic.BeforeValidator(_replicas, json_schema_input_type=str | Annotated[int, pydantic.Field(ge=0)]),
        ]
        | None
    ) = pydantic.Field(None, description="of `scale`: so many, or {{ parameters.NAME }}")
    grace: Annotated[plugins.Duration, pydantic.Field(ge=1, le=86_400)] | None = pydantic.Field(
        None, description="of `delete pod` and `drain`: how long a pod may take to end; else as it says itself"
    )
    timeout: Annotated[plugins.Duration, pydantic.Field(gt=0, le=86_400)] | None = pydantic.Field(
        None, description="of `drain`: so long it waits for the pods to go; else as long as the action may take"
    )
    ignore_daemonsets: bool | None = pydantic.Field(None, description="of `drain`: pods of daemonsets stay")
    delete_emptydir_data: bool | None = pydantic.Field(
        None, description="of `drain`: what pods keep in emptyDir is lost"
    )
    force: bool | None = pydantic.Field(None, description="of `drain`: also pods that nothing makes anew")
    command: list[Text] | None = pydantic.Field(
        None, description="of `exec`: a program and its arguments; no shell", min_length=1, max_length=1000
    )
    container: Text | None = pydantic.Field(None, description="of `exec`: which of the pod's; else its first")
    manifest: (
        Annotated[
            str,
            pydantic.StringConstraints(pattern=r"^[^/\x00][^\x00]*$", max_length=1000),
            plugins.Wanted("a file below manifests/"),
        ]
        | None
    ) = pydantic.Field(None, description="of `apply`: a file below manifests/")
    type: Literal["strategic", "merge", "json"] | None = pydantic.Field(
        None, description="of `patch`: how it is read; absent: strategic"
    )
    patch: Annotated[Any, pydantic.BeforeValidator(_patch, json_schema_input_type=dict[str, Any] | list[Any])] = (
        pydantic.Field(None, description="of `patch`: what is changed")
    )

    @classmethod
    def _between(cls, given: Mapping[str, Any]) -> Iterator[str]:
        verb, patch, kind = given.get("verb"), given.get("patch"), given.get("type")
        if not isinstance(verb, str) or verb not in TAKES:
            return
        for key in cls.model_fields:
            if key != "verb" and given.get(key) is not None and key not in TAKES[verb]:
                yield f"{verb!r} takes no {key!r}: it takes {', '.join(TAKES[verb]) or 'nothing'}"
        if verb in NEEDS and given.get(NEEDS[verb]) is None:
            yield f"{verb!r} needs {NEEDS[verb]!r}"
        if verb == "patch" and isinstance(patch, Mapping | list) and isinstance(patch, list) != (kind == "json"):
            yield f"a patch of the type {kind or 'strategic'} is {'a list' if kind == 'json' else 'a mapping'}"

    def plain(self) -> dict[str, Any]:
        """As the controller gets it: what is given alone, a manifest with its folder."""
        made = {key: value for key in type(self).model_fields if (value := getattr(self, key)) is not None}
        if (manifest := made.get("manifest")) is not None and not manifest.startswith(f"{MANIFESTS}/"):
            made["manifest"] = f"{MANIFESTS}/{manifest}"
        return made


def is_count(value: object) -> bool:
    """Whether a value, of a parameter too, is a number of replicas."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= REPLICAS_MAX


def manifest(written: object) -> str:
    """The file that what is written as `oc:` applies; '' where it is of another verb."""
    found = written.get("manifest") if isinstance(written, Mapping) else None
    if not isinstance(found, str) or not found:
        return ""
    return found if found.startswith(f"{MANIFESTS}/") else f"{MANIFESTS}/{found}"
