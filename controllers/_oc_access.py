"""How `oc` gets at its cluster: the program, the kubeconfig that a job has for itself, and short questions.

A kubeconfig lies in a private folder for as long as it is needed. No secret stands among arguments.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

from healer import errors, plugins
from healer.child import jobs
from healer.controllers import _shimmed

PROGRAMS: Final = ("kubectl", "oc")
KUBECONFIG: Final = "kubeconfig"
IN_CLUSTER: Final = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its account (Kubernetes: "Accessing the Kubernetes API from a Pod")."""
SAID_MAX: Final = 4 << 20


class NoProgram(errors.HealerError):
    """{what} is not there"""

    code = "no-program"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What kubectl answered a question."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        """Its output as a JSON object; empty where it is none."""
        with contextlib.suppress(ValueError):
            read = json.loads(self.stdout)
            return read if isinstance(read, dict) else {}
        return {}


class Access:
    """The cluster of one controller. `options` are `oc.OcOptions`."""

    def __init__(self, options: Any, context: plugins.ControllerContext) -> None:
        self.options = options
        self.context = context

    def program(self) -> str:
        """The path of kubectl or oc. Raises `NoProgram`."""
        names = (self.options.binary,) if self.options.binary else PROGRAMS
        found = next((path for name in names if (path := shutil.which(name))), None)
        if found is None:
            raise NoProgram("install it, or name it with binary:", what=" or ".join(names))
        return found

    def command(self, *verb: str, namespace: str = "", bounded: bool = True) -> list[str]:
        """The beginning of a command. `bounded`: each of its requests ends within `request_timeout`."""
        program = self.program()
        of_nodes = verb[0] == "drain" and pathlib.PurePath(program).name.startswith("oc")
        made = [program, *(["adm"] if of_nodes else []), *verb]
        made += [f"--context={self.options.context}"] if self.options.context else []
        made += [f"--namespace={namespace}"] if namespace else []
        return made + ([f"--request-timeout={self.options.request_timeout:g}s"] if bounded else [])

    def write(self, folder: pathlib.Path) -> dict[str, str]:
        """Put the kubeconfig into a folder; the variables that name it. Raises `RefusedJob`, OSError, `SecretUnavailable`."""
        jobs.write_private(folder / KUBECONFIG, self._kubeconfig().encode())
        return {"KUBECONFIG": str(folder / KUBECONFIG), "KUBECTL_KUBERC": "false", "KUBERC": "off"}

    async def ask(self, argv: Sequence[str], limit_s: float) -> Answer:
        """The answer to a question that changes nothing. Raises `NoProgram`, OSError, `SecretUnavailable`."""
        with tempfile.TemporaryDirectory(prefix="healer-oc-") as name:
            taken = {one: os.environ[one] for one in _shimmed.ENVIRONMENT_TAKEN if one in os.environ}
            env = {"PATH": _shimmed.PATH_DEFAULT, **taken, **await asyncio.to_thread(self.write, pathlib.Path(name))}
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=env, limit=SAID_MAX,
            )  # fmt: skip
            try:
                async with asyncio.timeout(limit_s):
                    out, err = await process.communicate()
            except TimeoutError:
                return Answer(-1, "", f"no answer within {limit_s:g} s")
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        said = out[:SAID_MAX].decode("utf-8", "replace"), err[-4096:].decode("utf-8", "replace")
        return Answer(process.returncode or 0, *said)

    def _kubeconfig(self) -> str:
        given = self.options
        if given.kubeconfig is not None:
            return str(self.context.resolve(given.kubeconfig).reveal())
        if given.in_cluster:
            return _of_pod(os.environ)
        cluster: dict[str, Any] = {"server": given.server}
        if given.ca is not None:
            try:
                text = (self.context.project_dir / given.ca).read_bytes()
            except OSError as error:
                reason = f"ca: {given.ca!r} cannot be read ({error.strerror}); it has to lie where actions read, as files/ca.pem"
                raise _shimmed.RefusedJob(reason=reason) from error
            cluster["certificate-authority-data"] = base64.b64encode(text).decode()
        return _document(cluster, {"token": self.context.resolve(given.token).reveal().strip()})


def _of_pod(environ: Mapping[str, str]) -> str:
    """Of the pod that the daemon runs in; its token is read anew from the file by kubectl, since it is replaced every hour."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (IN_CLUSTER / "token").is_file():
        reason = "in_cluster: the daemon runs in no pod with an account (KUBERNETES_SERVICE_HOST, its token)"
        raise _shimmed.RefusedJob(reason=reason)
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return _document(
        {"server": server, "certificate-authority": str(IN_CLUSTER / "ca.crt")},
        {"tokenFile": str(IN_CLUSTER / "token")},
    )


def _document(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> str:
    """A kubeconfig, which may be JSON, since that is YAML."""
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "healer",
        "clusters": [{"name": "healer", "cluster": cluster}], "users": [{"name": "healer", "user": user}],
        "contexts": [{"name": "healer", "context": {"cluster": "healer", "user": "healer"}}],
    })  # fmt: skip
