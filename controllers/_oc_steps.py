"""The child of `oc`: one kubectl after the other, each for one target, and what became of each. A program of its own.

Under the shim, with the standard library alone (`python -I -S`): `_oc_steps.py FOLDER`. FOLDER/steps.json has the steps; a line of
FOLDER/ends.json for each tells how it ended. A step that fails does not stop the others: they are for other targets.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import selectors
import subprocess
import sys
from typing import Any

KEPT = 8192
READ_MAX = 8 << 20
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
OWNERS = {
    ("apps", "Deployment"): "deployments.apps",
    ("apps", "StatefulSet"): "statefulsets.apps",
    ("apps", "DaemonSet"): "daemonsets.apps",
}


class Failed(Exception):
    """a step cannot go on: (exit code, what was said)"""


def main(folder: pathlib.Path) -> int:
    """All steps; 0 where each went well."""
    steps = json.loads((folder / "steps.json").read_bytes())
    last = {step["target"]: number for number, step in enumerate(steps) if not step.get("after")}
    failed: set[str] = set()
    restarted: set[str] = set()
    with (folder / "ends.json").open("a") as ends:
        for number, step in enumerate(steps):
            target = step["target"]
            if target in failed:
                continue
            if step.get("after"):  # a mark on what is done: it is done without one too
                run(step["argv"], shown=True)
                continue
            begun, code = {"effect": False}, 0
            try:
                said = restart_owner(step, restarted, begun) if "owner" in step else plain(step, begun)
            except Failed as error:
                code, said = error.args
                failed.add(target)
            if code or number == last[target]:
                ends.write(json.dumps({"target": target, "code": code, "said": said, **begun}) + "\n")
                ends.flush()
    return int(bool(failed))


def plain(step: dict[str, Any], begun: dict[str, bool]) -> str:
    """Run it, its output going on; the last line of it."""
    begun["effect"] = True
    code, out, err = run(step["argv"], shown=True)
    if code:
        raise Failed(code, err or out)
    return (out.strip().splitlines() or [""])[-1]


def run(argv: list[str], *, shown: bool) -> tuple[int, str, str]:
    """Exit code, standard output and the end of standard error. `shown`: output goes on, and only its end is kept."""
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
    except OSError as error:
        return 126, "", f"it cannot be started: {error}"
    kept = {"out": b"", "err": b""}
    with process, selectors.DefaultSelector() as waiting:
        for pipe, data in ((process.stdout, ("out", 1)), (process.stderr, ("err", 2))):
            if pipe is not None:
                waiting.register(pipe, selectors.EVENT_READ, data)
        while waiting.get_map():
            for key, _ in waiting.select():
                name, number = key.data
                piece = os.read(key.fd, 65536)
                if not piece:
                    waiting.unregister(key.fileobj)
                elif shown or name == "err":
                    write(number, piece)
                    kept[name] = (kept[name] + piece)[-KEPT:]
                else:
                    kept[name] = (kept[name] + piece)[: READ_MAX + 1]
    return process.returncode, kept["out"].decode("utf-8", "replace"), kept["err"].decode("utf-8", "replace")


def write(number: int, piece: bytes) -> None:
    """All of it."""
    while piece:
        piece = piece[os.write(number, piece) :]


# --- the owner of a pod -------------------------------------------------------------------------------------------------


def restart_owner(step: dict[str, Any], restarted: set[str], begun: dict[str, bool]) -> str:
    """Restart what makes a pod anew, once; nothing where it was restarted after the pod began."""
    pod = get(step, f"pods/{step['owner']}")
    resource, owner = owner_of(step, pod)
    since = str(about(pod).get("creationTimestamp") or "")
    template = part(part(part(part(owner, "spec"), "template"), "metadata"), "annotations")
    at = str(template.get(RESTARTED_AT) or "")
    if resource in restarted:
        return f"{resource} is restarted already, for another pod of it"
    if since and at > since:  # both are UTC to the second, so texts are in the order of times
        return f"{resource} was restarted at {at}, after {step['owner']} began: nothing is to be done"
    restarted.add(resource)
    return plain({"argv": [*step["patch"], "--", resource]}, begun)


def owner_of(step: dict[str, Any], pod: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(resource, object) of what makes a pod anew: what its controller references lead to."""
    at, pods = controller(pod), f"the pod {step['owner']}"
    if at is not None and at[0] == ("apps", "ReplicaSet"):
        name = at[1]
        at, pods = controller(get(step, f"replicasets.apps/{name}")), f"the replicaset {name}"
    if at is None:
        raise Failed(1, f"{pods} has no owner: nothing would make it anew")
    kind, name = at
    if kind not in OWNERS:
        raise Failed(1, f"{pods} belongs to a {kind[1]} of {kind[0] or 'v1'}, which cannot be restarted")
    resource = f"{OWNERS[kind]}/{name}"
    return resource, get(step, resource)


def controller(found: dict[str, Any]) -> tuple[tuple[str, str], str] | None:
    """((group, kind), name) of the owner that controls an object."""
    for one in about(found).get("ownerReferences") or ():
        if isinstance(one, dict) and one.get("controller") is True:
            name = str(one.get("name"))
            if not NAME.fullmatch(name):
                raise Failed(1, f"an owner has a name that is none: {name[:100]!r}")
            return (str(one.get("apiVersion")).rpartition("/")[0], str(one.get("kind"))), name
    return None


def get(step: dict[str, Any], resource: str) -> dict[str, Any]:
    """An object as the API has it."""
    code, out, err = run([*step["get"], "--", resource], shown=False)
    if code:
        raise Failed(code, err)
    try:
        found = json.loads(out)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Failed(1, f"what the API gives as {resource} is no object")
    return found


def about(found: dict[str, Any]) -> dict[str, Any]:
    """Its metadata."""
    return part(found, "metadata")


def part(found: dict[str, Any], key: str) -> dict[str, Any]:
    """A mapping below a key; an empty one where there is none."""
    value = found.get(key)
    return value if isinstance(value, dict) else {}


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
