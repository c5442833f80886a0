"""The controller `oc` in controllers.yaml and the catalog, its ways into a cluster, and what its check says."""

from __future__ import annotations

import base64
import json
import pathlib
from typing import Any

import pytest

from healer import config, model, plugins, project
from healer.child import jobs
from healer.controllers import _oc_access, _oc_asking, oc
from healer.testing import contracts

KUBECONFIG = {"secret": "file:/run/secrets/kubeconfig"}
TOKEN = {"secret": "env:KUBE_TOKEN"}
FILES = {
    "controllers.yaml": """\
controllers:
  here: {type: local}
  cluster-a:
    type: oc
    kubeconfig: {secret: "file:/run/secrets/kubeconfig"}
    context: a
    namespaces: [shop, pay]
    concurrency: 5
default: here
""",
    "actions.yaml": """\
actions:
  restart:
    oc: {verb: rollout restart}
    controller: cluster-a
    impact: low
  scale:
    oc: {verb: scale, replicas: "{{ parameters.replicas }}"}
    controller: cluster-a
    parameters: {replicas: {type: integer, minimum: 0, maximum: 20}}
    required: [replicas]
    impact: low
  cart:
    oc: {verb: apply, manifest: cart.yaml}
    controller: cluster-a
    impact: low
""",
    "manifests/cart.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cart}\n",
    "rulebooks/web.yml": """\
- name: web
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: down
      condition: event.alert.name == "Down"
      throttle: {once_within: 5 minutes, group_by_attributes: [event.alert.labels.deployment]}
      actions:
        - run_action: {name: restart, target: "{{ event.alert.labels.namespace }}/deployment/{{ event.alert.labels.deployment }}"}
        - run_action: {name: scale, target: shop/deployment/cart, parameters: {replicas: 3}}
""",
}


def load(folder: pathlib.Path, **changed: tuple[str, str]) -> project.Loaded:
    """The project with a text in a file (`actions` …) replaced by another."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        old, new = changed.get(pathlib.Path(name).stem, ("", ""))
        assert old in text
        (folder / name).write_text(text.replace(old, new) if old else text)
    return project.load(folder, {})


def test_a_project_with_it_loads_without_a_word(tmp_path: pathlib.Path) -> None:
    loaded = load(tmp_path)
    assert [str(one) for one in loaded.diagnostics if one.severity != "hint"] == []
    assert loaded.revision is not None
    spec = loaded.revision.controllers["cluster-a"]
    assert (spec.kinds, spec.target_kinds, spec.concurrency) == ({"oc"}, {"k8s"}, 5)
    assert loaded.revision.beyond_local() == ["cluster-a"]
    assert "manifests/cart.yaml" in loaded.revision.files
    assert loaded.revision.catalog.entries["cart"].subject == {"verb": "apply", "manifest": "manifests/cart.yaml"}
    found = loaded.revision.resolve_target("cluster-a", "pay/deploy/till")
    assert str(found) == "k8s:cluster-a/pay/deployment/till"


@pytest.mark.parametrize(("changed", "code", "line", "says"), [
    ({"actions": ("manifest: cart.yaml", "manifest: card.yaml")}, "no-file", 13, "there is no file manifests/card.yaml"),
    ({"actions": ("controller: cluster-a\n    impact: low\n  scale", "controller: here\n    impact: low\n  scale")}, "controller_forbidden", 4,
     "cannot run actions of the kind oc"),
    ({"web": ("target: shop/deployment/cart", "target: shopp/deployment/cart")}, "unknown_target", 10, "cluster-a reaches no namespace 'shopp'"),
    *(({"actions": ("verb: rollout restart", f"verb: {verb}")}, "controller_forbidden", 3, f"'{verb}' is done on nodes, and cluster-a reaches none")
      for verb in ("cordon", "uncordon", "drain")),
    ({"web": ("target: shop/deployment/cart", "target: web01")}, "unknown_target", 10, "NAMESPACE/KIND/NAME is wanted"),
    ({"web": ("target: shop/deployment/cart", "target: node/n1")}, "unknown_target", 10, "cluster-a reaches no nodes"),
    ({"controllers": ("namespaces: [shop, pay]", "nodes: true")}, "options", 3, "'namespaces' is missing"),
    ({"controllers": ("namespaces: [shop, pay]", "namespaces: []")}, "options", 7, "at least 1"),
    ({"controllers": ("namespaces: [shop, pay]", "namespaces: ['*']")}, "options", 7, "a namespace (a-z, 0-9 and -, at most 63) is wanted"),
    ({"controllers": ("kubeconfig: {secret: \"file:/run/secrets/kubeconfig\"}\n    context: a", "server: https://a.example.org\n    token: {secret: \"env:T\"}\n    ca: files/nope.pem")},
     "no-file", 7, "there is no file 'files/nope.pem', which ca of the controller 'cluster-a' names"),
    *(({"controllers": ("concurrency: 5", f"kinds: [certificate.cert-manager.io, {kind}]")}, "options", 8, f"kinds.1: a kind whose objects lie in a namespace is wanted, got '{kind}'")
      for kind in ("node", "nodes", "namespace", "ns", "clusterrole.rbac.authorization.k8s.io", "clusterroles", "crd", "validatingadmissionpolicies.admissionregistration.k8s.io",
                   "storageclasses.storage.k8s.io", "project.project.openshift.io", "priorityclass.scheduling.k8s.io", "oauth.config.openshift.io")),
    ({"controllers": ("concurrency: 5", "targets: [shop/deployment/cart, prod/pod/x]")}, "unknown_target", 8, "reaches no namespace 'prod'"),
])  # fmt: skip
def test_mistakes_stand_where_they_were_made(
    tmp_path: pathlib.Path, changed: Any, code: str, line: int, says: str
) -> None:
    told = [one for one in load(tmp_path, **changed).diagnostics if one.severity == "error"]
    assert [(one.code, one.place.line) for one in told] == [(code, line)], [str(one) for one in told]
    assert says in told[0].message


@pytest.mark.parametrize(
    "kind",
    [
        "certificate.cert-manager.io",
        "cronjob.batch",
        "ingress.networking.k8s.io",
        "role.rbac.authorization.k8s.io",
        "project.argoproj.io",
        "lease",
    ],
)
def test_kinds_that_lie_in_a_namespace_may_be_added(tmp_path: pathlib.Path, kind: str) -> None:
    assert load(tmp_path, controllers=("concurrency: 5", f"kinds: [{kind}]")).revision is not None


@pytest.mark.parametrize(("given", "says"), [
    ({}, "one of 'kubeconfig', both 'server' and 'token', or 'in_cluster'"), ({"kubeconfig": KUBECONFIG, "in_cluster": True}, "one of 'kubeconfig'"),
    ({"server": "https://x"}, "both 'server' and 'token'"), ({"kubeconfig": KUBECONFIG, "token": TOKEN}, "both 'server' and 'token'"),
    ({"server": "http://x", "token": TOKEN}, "an URL like https://api.example.org:6443"),
    ({"server": "https://u:p@x", "token": TOKEN}, "an URL like https://api.example.org:6443"),
    ({"in_cluster": True, "context": "a"}, "'context' is of a kubeconfig"), ({"in_cluster": True, "ca": "x"}, "'ca' is for 'server'"),
    ({"kubeconfig": "apiVersion: v1"}, 'a reference like {secret: "env:NAME"}'), ({"in_cluster": True, "kinds": ["Pod"]}, "a kind with its group"),
    ({"in_cluster": True, "request_timeout": "1"}, "1"), ({"kubeconfig": KUBECONFIG, "context": "a\nb"}, "without control characters"),
    ({"in_cluster": True, "namespaces": ["a" * 64]}, "a namespace"), ({"in_cluster": True, "namespaces": ["a\n"]}, "a namespace"),
])  # fmt: skip
def test_wrong_options_are_told(given: dict[str, Any], says: str) -> None:
    document = config.read_text("", "x.yml")
    given = {"namespaces": ["shop"], **given}
    assert plugins.check_options(document, oc.OcOptions, given, None, "cluster-a") is None
    assert says in document.diagnostics[0].message


# --- ways into a cluster --------------------------------------------------------------------------------------------------------


def kubeconfig(cluster: Any) -> dict[str, Any]:
    ca = base64.b64encode((cluster.folder / "ca.pem").read_bytes()).decode()
    contexts = [
        {"name": name, "context": {"cluster": "c", "user": name, "namespace": "elsewhere"}} for name in ("good", "bad")
    ]
    users = [
        {"name": "good", "user": {"token": cluster.secrets["env:KUBE_TOKEN"]}}, {"name": "bad", "user": {"token": "wrong"}}
    ]  # fmt: skip
    clusters = [{"name": "c", "cluster": {"server": cluster.fake.url, "certificate-authority-data": ca}}]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bad",
        "clusters": clusters,
        "users": users,
        "contexts": contexts,
    }


async def test_a_kubeconfig_and_its_context(cluster: Any) -> None:
    cluster.secrets["file:k"] = json.dumps(kubeconfig(cluster))
    cluster.controller = cluster.made(kubeconfig={"secret": "file:k"}, context="good")
    assert (await cluster.run("rollout restart")).state == "succeeded"
    assert [one.path for one in cluster.fake.changes()] == ["/apis/apps/v1/namespaces/shop/deployments/cart"]
    cluster.controller = cluster.made(kubeconfig={"secret": "file:k"})
    assert "(401)" in (await cluster.run("rollout restart")).summary
    cluster.controller = cluster.made(kubeconfig={"secret": "file:k"}, context="none")
    assert "the kubeconfig cannot be used" in (await cluster.run("rollout restart")).summary


async def test_the_account_of_a_pod(cluster: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "account"
    account.mkdir()
    monkeypatch.setattr(_oc_access, "IN_CLUSTER", account)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    cluster.controller = cluster.made(in_cluster=True)
    assert "the daemon runs in no pod" in (await cluster.run("rollout restart")).summary
    (account / "token").write_text(cluster.secrets["env:KUBE_TOKEN"])
    (account / "ca.crt").write_bytes((tmp_path / "ca.pem").read_bytes())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", cluster.fake.url.rpartition(":")[2])
    assert (await cluster.run("rollout restart")).state == "succeeded"


async def test_variables_of_the_daemon_lead_nowhere_else(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    job = cluster.job("rollout restart", environment={"KUBECONFIG": "/nonexistent"})
    outcome = await cluster.controller.run(job, cluster.hear)
    assert outcome.state == "succeeded", outcome
    assert (await cluster.controller.check()).ok


def test_nodes_are_under_adm_with_oc(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "oc"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    options = oc.OcOptions.model_validate({"namespaces": ["shop"], "in_cluster": True, "binary": str(program)})
    access = _oc_access.Access(options, plugins.ControllerContext("a", lambda _: model.Secret("", ""), lambda *_: None))
    assert access.command("drain", bounded=False) == [str(program), "adm", "drain"]
    assert access.command("patch", namespace="shop") == [
        str(program),
        "patch",
        "--namespace=shop",
        "--request-timeout=30s",
    ]


# --- check ------------------------------------------------------------------------------------------------------------------------


SUBJECTS = (
    {"verb": "rollout restart"},
    {"verb": "restart-owner"},
    {"verb": "drain"},
    {"verb": "exec"},
    ("a", "command"),
    {"verb": "patch"},
)


async def test_a_cluster_that_is_usable(cluster: Any) -> None:
    health = await cluster.made().check()
    assert health.ok
    assert health.detail.endswith("the API is v1.33.1")
    health = await cluster.made(*SUBJECTS).check()
    assert (health.ok, "; 11 rights that actions need are given" in health.detail) == (True, True), health.detail


async def test_rights_that_are_missing_are_named(cluster: Any) -> None:
    cluster.fake.denied |= {
        ("patch", "deployments", "pay"),
        ("create", "pods/eviction", ""),
        ("create", "pods/exec", "shop"),
    }
    health = await cluster.made(*SUBJECTS).check()
    assert not health.ok
    assert health.detail.endswith(
        "the account lacks rights that actions need: patch deployments.apps in pay, create pods/eviction, create pods/exec in shop"
    )


async def test_so_many_questions_are_asked_and_no_more(cluster: Any) -> None:
    namespaces = [f"n{number}" for number in range(30)]
    cluster.fake.denied |= {("patch", "deployments", one) for one in namespaces}
    health = await cluster.made({"verb": "scale"}, namespaces=namespaces).check()
    assert health.detail.endswith("patch deployments.apps in n4 and 15 more (10 more were not asked)")
    assert len(cluster.fake.asked("POST", ".*/selfsubjectaccessreviews")) == 21


@pytest.mark.parametrize(("given", "says"), [
    ({"server": "https://127.0.0.1:1"}, "the API cannot be reached"), ({"binary": "no-such-kubectl"}, "no-such-kubectl is not there; install it"),
    ({"binary": "/bin/false"}, "/bin/false does not run"), ({"ca": "missing.pem"}, "missing.pem"),
])  # fmt: skip
async def test_a_cluster_that_is_not_usable(cluster: Any, given: Any, says: str) -> None:
    health = await cluster.made(**given).check()
    assert (health.ok, says in health.detail) == (False, True), health.detail
    cluster.controller = cluster.made(**given)
    assert (await cluster.run("rollout restart")).state == "failed"


async def test_credentials_that_are_not_taken_are_told(cluster: Any) -> None:
    cluster.secrets["env:KUBE_TOKEN"] = "wrong-one"
    health = await cluster.controller.check()
    assert (health.ok, "the credentials are not taken (401)" in health.detail) == (False, True)
    assert "wrong-one" not in health.detail


async def test_an_api_that_does_not_answer_is_not_waited_for(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_oc_asking, "ASK_S", 1.0)
    cluster.fake.fault("POST", ".*", way="hang")
    health = await cluster.controller.check()
    assert (health.ok, "no answer within 1 s" in health.detail) == (False, True)


async def test_it_keeps_the_contract_of_controllers(cluster: Any, wait_for_async: Any) -> None:
    cluster.fake.lingering.clear()
    token = cluster.secrets["env:KUBE_TOKEN"]
    endless = cluster.job("delete pod", "shop/pod/cart-1-a")
    cluster.number += 10  # the contract makes a token of its own by a digit more

    async def gone() -> None:
        await wait_for_async(lambda: not jobs.pids_with("HEALER_TOKEN", endless.token))

    case = contracts.Case(
        options=f'{{type: oc, server: "{cluster.fake.url}", token: {{secret: "env:KUBE_TOKEN"}}, ca: ca.pem, namespaces: [shop]}}',
        job=cluster.job("rollout restart"), endless=endless, effects=lambda: len(cluster.fake.changes()),
        began=lambda: wait_for_async(lambda: [one for one in cluster.fake.changes() if one.method == "DELETE"]), gone=gone, project_dir=cluster.folder,
        secrets={"env:KUBE_TOKEN": token}, stops_within_s=60, holds_loop_s=60,  # the fake cluster is on the same loop
    )  # fmt: skip
    assert await contracts.controller(oc.Oc, case) == []
