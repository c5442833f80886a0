"""What a Kubernetes API says without knowing an object: its discovery, errors, certificate, and how its messages are written.

Of `fake_kube`, which loads it.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import pathlib
import re
import ssl
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PROTOBUF = b"k8s\0"
KINDS = {
    "": {"pods": ("Pod", True), "services": ("Service", True), "configmaps": ("ConfigMap", True), "nodes": ("Node", False),
         "namespaces": ("Namespace", False)},
    "apps": {"deployments": ("Deployment", True), "statefulsets": ("StatefulSet", True), "daemonsets": ("DaemonSet", True),
             "replicasets": ("ReplicaSet", True)},
    "policy": {"poddisruptionbudgets": ("PodDisruptionBudget", True)},
    "cert-manager.io": {"certificates": ("Certificate", True)},
    "rbac.authorization.k8s.io": {"clusterroles": ("ClusterRole", False)},
    "authorization.k8s.io": {"selfsubjectaccessreviews": ("SelfSubjectAccessReview", False)},
}  # fmt: skip
GROUPS_OF_KINDS = {kind: (group, plural) for group, of in KINDS.items() for plural, (kind, _) in of.items()}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def kind_of(group: str, plural: str) -> tuple[str, bool]:
    return KINDS[group][plural]


def fields(raw: bytes) -> dict[int, bytes]:
    """The parts of a message in protobuf that have a length (https://protobuf.dev/programming-guides/encoding), by number."""
    found, at = {}, 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = raw[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(raw):
        tag = varint()
        size = varint()
        if tag & 7 == 2:
            found[tag >> 3] = raw[at : at + size]
            at += size
    return found


def merged(before: Any, change: Any) -> Any:
    """RFC 7396; of a strategic patch what differs is about lists, which no test patches."""
    if not isinstance(change, dict):
        return change
    made = dict(before) if isinstance(before, dict) else {}
    for key, value in change.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def _part(number: int, inner: bytes | str) -> bytes:
    """A field of a message that has a length."""
    raw, size = inner.encode() if isinstance(inner, str) else inner, b""
    left = len(raw)
    while left > 127:
        size, left = size + bytes([left & 127 | 128]), left >> 7
    return bytes([number << 3 | 2]) + size + bytes([left]) + raw


def _openapi() -> bytes:
    """That all kinds can be patched dry (gnostic's openapi_v2.Document): kubectl before 1.27 looks for that there."""
    made = b""
    for group, of in KINDS.items():
        for plural, (kind, _) in of.items():
            about = f"group: {json.dumps(group)}\nkind: {kind}\nversion: v1\n"
            extension = _part(13, _part(1, "x-kubernetes-group-version-kind") + _part(2, _part(2, about)))
            parameter = _part(8, _part(1, _part(2, _part(3, _part(4, "dryRun")))))
            made += _part(2, _part(1, f"/{group}/{plural}") + _part(2, _part(8, parameter + extension)))
    return _part(8, made)


OPENAPI = _openapi()


def failure(code: int, reason: str, message: str) -> web.Response:
    """A Status as the API answers with."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return web.json_response(body, status=code)


def discovery(path: str) -> dict[str, Any] | None:
    """What the API says that it has."""
    if path == "/version":
        return {"major": "1", "minor": "33", "gitVersion": "v1.33.1", "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        groups = [
            {"name": name, "versions": [one], "preferredVersion": one}
            for name in KINDS if name and (one := {"groupVersion": f"{name}/v1", "version": "v1"})
        ]  # fmt: skip
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    found = re.fullmatch(r"/(?:api|apis/([^/]+))/v1", path)
    if found is None or (found[1] or "") not in KINDS:
        return None
    group = found[1] or ""
    listed: list[dict[str, Any]] = [
        {"name": plural, "singularName": kind.lower(), "namespaced": scoped, "kind": kind, "verbs": VERBS}
        for plural, (kind, scoped) in KINDS[group].items()
    ]
    if not group:
        listed += [
            {"name": "pods/exec", "namespaced": True, "kind": "PodExecOptions", "verbs": ["create", "get"]},
            {
                "name": "pods/eviction",
                "namespaced": True,
                "kind": "Eviction",
                "group": "policy",
                "version": "v1",
                "verbs": ["create"],
            },
        ]
    return {"kind": "APIResourceList", "groupVersion": f"{group}/v1" if group else "v1", "resources": listed}


def tls(folder: pathlib.Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake cluster")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=8))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(plain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context
