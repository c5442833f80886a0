"""The controller `oc`: each verb by a real kubectl against a fake API over TLS, and what reaches that API."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from healer import model
from healer.controllers import _oc_verbs, _shimmed

PATCHED = "/apis/apps/v1/namespaces/shop/deployments/cart"
POD = "shop/pod/cart-1-a"
HOSTILE = [
    "; rm -rf /",
    "$(id)",
    "`id`",
    "-o=json",
    "--kubeconfig=/etc/passwd",
    "a\nb\r\n",
    "'\"\\",
    "{{ 7*7 }}",
    "\N{PILE OF POO}",
]


# --- what is changed by a patch -------------------------------------------------------------------------------------------


async def test_rollout_restart_is_one_request_with_its_mark(cluster: Any) -> None:
    job = cluster.job("rollout restart")
    outcome = await cluster.controller.run(job, cluster.hear)
    assert (outcome.state, outcome.summary) == ("succeeded", "deployment.apps/cart patched")
    assert outcome.per_target == {"k8s:a/shop/deployment/cart": "succeeded"}
    (asked,) = cluster.fake.changes()
    assert (asked.method, asked.path) == ("PATCH", PATCHED)
    assert asked.json()["metadata"] == {"labels": {"auto-healer/run": job.token}}
    (stamp,) = asked.json()["spec"]["template"]["metadata"]["annotations"].items()
    assert stamp[0] == "kubectl.kubernetes.io/restartedAt"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp[1])


@pytest.mark.parametrize(("given", "wanted"), [(0, 0), (7, 7), ("3", 3)])
async def test_scale(cluster: Any, given: Any, wanted: int) -> None:
    assert (await cluster.run("scale", replicas=given)).state == "succeeded"
    assert cluster.fake.object("Deployment", "cart")["spec"]["replicas"] == wanted


@pytest.mark.parametrize("given", [-1, True, 1.5, "-1", "1e3", "٣", "", None, 10_001, "999999999999", [1]])
async def test_what_is_no_number_of_replicas_is_refused(cluster: Any, given: Any) -> None:
    outcome = await cluster.run("scale", replicas=given)
    assert (outcome.state, cluster.fake.requests) == ("failed", [])
    assert "replicas is a whole number" in outcome.summary


@pytest.mark.parametrize("kind", ["strategic", "merge", None])
async def test_a_patch_arrives_as_it_is_with_the_mark(cluster: Any, kind: str | None) -> None:
    change = {"metadata": {"annotations": {f"word-{n}": word for n, word in enumerate(HOSTILE)}}}
    job = cluster.job("patch", patch=change, **({"type": kind} if kind else {}))
    assert (await cluster.controller.run(job, cluster.hear)).state == "succeeded"
    (asked,) = cluster.fake.changes()
    assert (
        asked.content_type
        == f"application/{kind or 'strategic'}{'-' + 'merge-patch' if kind != 'merge' else '-patch'}+json"
    )
    assert asked.json() == {"metadata": {**change["metadata"], "labels": {"auto-healer/run": job.token}}}
    assert job.subject["patch"] == change


async def test_a_json_patch_is_a_list_and_has_no_mark(cluster: Any) -> None:
    change = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    assert (await cluster.run("patch", type="json", patch=change)).state == "succeeded"
    assert [one.json() for one in cluster.fake.changes()] == [change]


async def test_a_mebibyte_arrives_in_a_patch(cluster: Any) -> None:
    word = "\N{PILE OF POO}$(id) " * (1 << 17)
    assert (await cluster.run("patch", patch={"metadata": {"annotations": {"word": word}}})).state == "succeeded"
    assert cluster.fake.object("Deployment", "cart")["metadata"]["annotations"] == {"word": word}


async def test_a_secret_reaches_a_patch_and_no_file_that_stays(cluster: Any) -> None:
    change = {"metadata": {"annotations": {"word": model.Secret("env:X", "s3cret-word")}}}
    job = cluster.job("patch", patch=change)
    assert (await cluster.controller.run(job, cluster.hear)).state == "succeeded"
    assert cluster.fake.object("Deployment", "cart")["metadata"]["annotations"] == {"word": "s3cret-word"}
    plan = await cluster.controller.plan(cluster.job("patch", patch=change))
    assert "s3cret-word" not in str(plan)
    _nothing_holds(cluster.folder / "work", b"s3cret-word")


# --- the owner of a pod -----------------------------------------------------------------------------------------------------


async def test_two_pods_of_one_owner_restart_it_once(cluster: Any) -> None:
    outcome = await cluster.run("restart-owner", POD, "shop/pod/cart-1-b")
    assert outcome.per_target == {"k8s:a/shop/pod/cart-1-a": "succeeded", "k8s:a/shop/pod/cart-1-b": "succeeded"}
    assert [one.path for one in cluster.fake.changes()] == [PATCHED]
    assert "is restarted already" in outcome.result["targets"]["k8s:a/shop/pod/cart-1-b"]["said"]


async def test_an_owner_that_was_restarted_after_the_pod_began_is_left_alone(cluster: Any) -> None:
    assert (await cluster.run("restart-owner", POD)).state == "succeeded"
    again = await cluster.run("restart-owner", POD)
    assert (again.state, len(cluster.fake.changes())) == ("succeeded", 1)
    assert "nothing is to be done" in again.summary
    cluster.pod("cart-1-c", created="2999-01-01T00:00:00Z", owner=("ReplicaSet", "cart-1"))
    assert (await cluster.run("restart-owner", "shop/pod/cart-1-c")).state == "succeeded"
    assert len(cluster.fake.changes()) == 2


@pytest.mark.parametrize(("kind", "plural"), [("StatefulSet", "statefulsets"), ("DaemonSet", "daemonsets")])
async def test_an_owner_may_hold_its_pods_itself(cluster: Any, kind: str, plural: str) -> None:
    cluster.fake.put(kind, "db")
    cluster.pod("db-0", owner=(kind, "db"))
    assert (await cluster.run("restart-owner", "shop/pod/db-0")).state == "succeeded"
    assert [one.path for one in cluster.fake.changes()] == [f"/apis/apps/v1/namespaces/shop/{plural}/db"]


@pytest.mark.parametrize(("owner", "says"), [
    (None, "the pod x has no owner: nothing would make it anew"),
    (("Job", "once"), "the pod x belongs to a Job of batch, which cannot be restarted"),
    (("ReplicaSet", "bare"), "the replicaset bare has no owner"), (("StatefulSet", "../x"), "an owner has a name that is none: '../x'"),
    (("StatefulSet", "gone"), "it is not there (404)"),
])  # fmt: skip
async def test_a_pod_that_nothing_would_make_anew_is_told(cluster: Any, owner: Any, says: str) -> None:
    cluster.fake.put("ReplicaSet", "bare")
    cluster.pod("x", **({"owner": owner} if owner else {}))
    outcome = await cluster.run("restart-owner", "shop/pod/x")
    assert (outcome.state, cluster.fake.changes()) == ("failed", [])
    assert says in outcome.summary


# --- pods and nodes -----------------------------------------------------------------------------------------------------------


async def test_a_deleted_pod_is_waited_for(cluster: Any, wait_for_async: Any) -> None:
    cluster.fake.lingering.clear()
    running = asyncio.create_task(cluster.run("delete pod", POD, grace=5.0))
    await wait_for_async(lambda: any(("watch", "true") in one.query for one in cluster.fake.requests))
    assert not running.done()
    cluster.fake.lingering.set()
    outcome = await running
    assert (outcome.state, outcome.summary[:13]) == ("succeeded", 'pod "cart-1-a')
    (asked,) = cluster.fake.changes()
    assert (asked.method, asked.json()["gracePeriodSeconds"]) == ("DELETE", 5)


async def test_a_node_is_closed_emptied_and_opened(cluster: Any) -> None:
    cluster.pod("on-node", spec={"nodeName": "n1"}, owner=("ReplicaSet", "cart-1"))
    cluster.fake.put("DaemonSet", "agent")
    cluster.pod("agent-x", spec={"nodeName": "n1"}, owner=("DaemonSet", "agent"))
    assert (await cluster.run("cordon", "node/n1")).summary == "node/n1 patched"
    assert cluster.fake.object("Node", "n1")["spec"]["unschedulable"] is True
    refused = await cluster.run("drain", "node/n1", timeout=30.0)
    assert (refused.state, "DaemonSet" in refused.summary) == ("failed", True)
    done = await cluster.run("drain", "node/n1", timeout=30.0, grace=3.0, ignore_daemonsets=True, force=True)
    assert (done.state, done.summary) in (("succeeded", "node/n1 drained"), ("succeeded", "node/n1 evicted"))
    assert [one.path.rpartition("/pods/")[2] for one in cluster.fake.asked("POST", ".*/eviction")] == [
        "on-node/eviction"
    ]
    assert (await cluster.run("uncordon", "node/n1")).state == "succeeded"
    assert not cluster.fake.object("Node", "n1")["spec"].get("unschedulable")


async def test_exec_gets_its_arguments_as_they_are(cluster: Any) -> None:
    outcome = await cluster.run("exec", POD, command=["prog", *HOSTILE], container="side")
    (asked,) = [one for one in cluster.fake.requests if one.path.endswith("/exec")][-1:]
    assert [value for key, value in asked.query if key == "command"] == ["prog", *HOSTILE]
    assert ("container", "side") in asked.query
    if asked.method == "GET":  # kubectl before 1.31 speaks SPDY alone, and the fake does not
        assert (outcome.state, outcome.summary, cluster.heard["stdout"]) == ("succeeded", "it is done", b"it is done\n")
    else:
        assert (outcome.state, "WebSocket" in outcome.summary) == ("failed", True)


async def test_exec_tells_what_the_program_said(cluster: Any) -> None:
    cluster.fake.printed, cluster.fake.exit_code = b'{"left": 3}\n', 4
    outcome = await cluster.run("exec", POD, command=["prog"])
    assert outcome.state == "failed"
    if cluster.fake.asked("GET", ".*/exec"):
        assert (outcome.summary, outcome.result) == ("exit 4", {"left": 3})


@pytest.mark.parametrize(("given", "says"), [
    ({"command": ["x", "y" * (1 << 20)]}, "more than 131071 bytes"), ({"command": ["x", "a\0b"]}, "has a NUL"), ({"command": []}, "is a text"),
    ({"command": ["x", 5]}, "is a text"), ({"command": ["x", model.Secret("env:X", "s3cret")]}, "is a text"), ({"command": "x y"}, "is a text"),
    ({"command": ["x"], "container": "--all"}, "no name of a container"), ({"command": ["x"], "container": 5}, "no name of a container"),
])  # fmt: skip
async def test_arguments_that_cannot_be_passed_on_are_refused(cluster: Any, given: Any, says: str) -> None:
    outcome = await cluster.run("exec", POD, **given)
    assert (outcome.state, cluster.fake.requests) == ("failed", [])
    assert says in outcome.summary
    assert "s3cret" not in outcome.summary


# --- manifests ------------------------------------------------------------------------------------------------------------------

CART = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart}\nspec: {replicas: 5}\n"
MAP = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {a: b}\n"


async def test_a_manifest_is_applied_and_marked(cluster: Any) -> None:
    job = cluster.job("apply", manifest=cluster.manifest(CART + MAP))
    outcome = await cluster.controller.run(job, cluster.hear)
    assert (outcome.state, outcome.summary) == ("succeeded", "configmap/settings created")
    assert cluster.fake.object("Deployment", "cart")["spec"]["replicas"] == 5
    for kind, name in (("Deployment", "cart"), ("ConfigMap", "settings")):
        assert cluster.fake.object(kind, name)["metadata"]["labels"]["auto-healer/run"] == job.token


async def test_what_is_applied_is_done_without_its_mark_too(cluster: Any) -> None:
    cluster.fake.fault("PATCH", ".*/configmaps/settings", 403, "Forbidden")
    outcome = await cluster.run("apply", manifest=cluster.manifest(CART + MAP))
    assert (outcome.state, outcome.summary) == ("succeeded", "configmap/settings created")
    assert b"Forbidden" in cluster.heard["stderr"]


@pytest.mark.parametrize(("text", "says"), [
    ("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\n", "not known that a ClusterRole of rbac"),
    ("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n", "not known that a Namespace of v1"),
    ("apiVersion: v1\nkind: Node\nmetadata: {name: cart}\n", "not known that a Node of v1"),
    ("apiVersion: evil.example/v1\nkind: Deployment\nmetadata: {name: cart}\n", "not known that a Deployment of evil.example/v1"),
    (CART.replace("{name: cart}", "{name: cart, namespace: kube-system}"), "lies in 'kube-system', and the target in 'shop'"),
    (CART.replace("{name: cart}", "{name: cart, namespace: }"), "lies in None"),
    (CART.replace("cart", "other"), "has no deployment cart, which is the target"), ("", "has 0 objects"), ("- 5\n", "no object with a name"),
    (CART + "kind: Pod\n", "a key stands twice in line 1"), ("a: [", "cannot be read"), (CART + "---\n5\n", "no object with a name"),
    ("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Node, metadata: {name: x}}]\n", "not known that a Node"),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {a: b}}\n", "no object with a name"), ("!!python/name:os.system\n", "cannot be read"),
    ("x" * ((1 << 20) + 1), "larger than 1048576 bytes"), (MAP * 101, "has 101 objects"),
])  # fmt: skip
async def test_a_manifest_that_reaches_further_is_refused(cluster: Any, text: str, says: str) -> None:
    outcome = await cluster.run("apply", manifest=cluster.manifest(text))
    assert (outcome.state, cluster.fake.requests) == ("failed", [])
    assert says in outcome.summary


async def test_a_kind_of_the_operator_is_applied(cluster: Any) -> None:
    text = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web}\nspec: {}\n"
    given = {"manifest": cluster.manifest(text)}
    assert (await cluster.run("apply", "shop/certificate.cert-manager.io/web", **given)).state == "failed"
    cluster.controller = cluster.made(kinds=["certificate.cert-manager.io"])
    assert (await cluster.run("apply", "shop/certificate.cert-manager.io/web", **given)).state == "succeeded"
    assert (
        await cluster.run("patch", "shop/certificate.cert-manager.io/web", patch={"spec": {"x": 1}})
    ).state == "succeeded"
    assert cluster.fake.object("Certificate", "web")["spec"] == {"x": 1}


@pytest.mark.parametrize(
    "subject", ["manifests/../secret.yaml", "../secret.yaml", "manifests/link.yaml", "secret.yaml", "manifests"]
)
async def test_manifests_lie_in_their_folder(cluster: Any, subject: str) -> None:
    (cluster.revision / "secret.yaml").write_text(CART)
    (cluster.revision / "manifests" / "link.yaml").symlink_to(cluster.revision / "secret.yaml")
    outcome = await cluster.run("apply", manifest=subject)
    assert (outcome.state, cluster.fake.requests) == ("failed", [])


# --- what a job may be about -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "target"), [
    ("rollout restart", "kube-system/deployment/cart"), ("rollout restart", "shop/deployment/--all"), ("rollout restart", "shop/deployment/a b"),
    ("rollout restart", "shop/deployment/cart/x"), ("rollout restart", "shop/deployment/CART"), ("rollout restart", "shop/-o/cart"),
    ("rollout restart", "shop/deployment/" + "a" * 254), ("rollout restart", "shop/deployment/a\nb"), ("rollout restart", "shop/deployment/cart\n"),
    ("rollout restart", "shop/pod/cart-1-a"), ("rollout restart", "shop/clusterrole/x"), ("rollout restart", "node/n1"), ("cordon", "shop/pod/x"),
    ("cordon", "shop/node/n1"), ("cordon", "node/--all"), ("patch", "node/n1"), ("apply", "node/n1"), ("exec", CART),
])  # fmt: skip
async def test_a_target_out_of_reach_is_refused_before_anything_is_asked(cluster: Any, verb: str, target: str) -> None:
    more = {"patch": {"a": 1}, "manifest": cluster.manifest(CART), "command": ["x"]}
    outcome = await cluster.run(verb, target, **more)
    assert (outcome.state, cluster.fake.requests) == ("failed", [])
    with pytest.raises(_shimmed.RefusedJob):
        await cluster.controller.plan(cluster.job(verb, target, **more))


async def test_nodes_have_to_be_allowed(cluster: Any) -> None:
    cluster.controller = cluster.made(nodes=False)
    assert "out of this controller's reach" in (await cluster.run("cordon", "node/n1")).summary


@pytest.mark.parametrize(("kind", "subject"), [
    ("oc", "text"), ("oc", ("a",)), ("oc", {}), ("oc", {"verb": "get"}), ("oc", {"verb": ["scale"]}), ("command", {"verb": "cordon"}),
    ("oc", {"verb": "patch", "patch": [], "type": "merge"}), ("oc", {"verb": "patch"}), ("oc", {"verb": "patch", "patch": {}, "type": "json"}),
])  # fmt: skip
async def test_what_is_no_verb_is_refused(cluster: Any, kind: Any, subject: Any) -> None:
    outcome = await cluster.run("x", kind=kind, subject=subject)
    assert (outcome.state, cluster.fake.requests) == ("failed", [])
    assert (await cluster.run("rollout restart", targets=())).state == "failed"


# --- several targets ----------------------------------------------------------------------------------------------------------------


async def test_each_target_ends_for_itself(cluster: Any) -> None:
    cluster.deployment("till", "pay")
    outcome = await cluster.run("scale", CART_TARGET, "shop/deployment/none", "pay/deployment/till", replicas=1)
    assert outcome.per_target == {
        "k8s:a/shop/deployment/cart": "succeeded", "k8s:a/shop/deployment/none": "failed", "k8s:a/pay/deployment/till": "succeeded",
    }  # fmt: skip
    assert (outcome.state, outcome.exit_code) == ("failed", 1)
    assert outcome.summary == '1 of 3 targets: it is not there (404): deployments.apps "none" not found'
    assert [one.path.split("/")[5] for one in cluster.fake.changes()] == ["shop", "pay"]


CART_TARGET = "shop/deployment/cart"


# --- plans ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "target", "given"), [
    ("rollout restart", CART_TARGET, {}), ("scale", CART_TARGET, {"replicas": 9}), ("patch", CART_TARGET, {"patch": {"spec": {"a": 1}}}),
    ("restart-owner", POD, {}), ("delete pod", POD, {}), ("cordon", "node/n1", {}), ("drain", "node/n1", {"force": True}),
    ("apply", CART_TARGET, {"manifest": "manifests/cart.yaml"}),
])  # fmt: skip
async def test_a_plan_asks_the_api_and_changes_nothing(cluster: Any, verb: str, target: str, given: Any) -> None:
    cluster.manifest(CART)
    before = json.dumps([*cluster.fake.objects.values()])
    plan = await cluster.controller.plan(cluster.job(verb, target, **given))
    assert (plan.exact, plan.fails) == (True, "")
    assert plan.targets == (f"k8s:a/{target}",)
    assert "--dry-run" not in plan.steps[0]
    assert plan.steps[-1].startswith(f"dry run of k8s:a/{target}: ")
    assert str(cluster.folder) not in " ".join(plan.steps)
    assert cluster.fake.changes() == []
    assert json.dumps([*cluster.fake.objects.values()]) == before
    assert [*(cluster.folder / "work").iterdir()] == []


async def test_a_plan_says_why_it_would_fail(cluster: Any) -> None:
    plan = await cluster.controller.plan(cluster.job("scale", "shop/deployment/none", replicas=1))
    assert not plan.exact
    assert plan.fails == 'it is not there (404): deployments.apps "none" not found'
    assert plan.steps[-1].endswith(plan.fails)


async def test_a_plan_of_exec_is_its_command(cluster: Any) -> None:
    plan = await cluster.controller.plan(cluster.job("exec", POD, command=["sh", "-c", "$(id)"]))
    assert plan.steps[0].endswith(" exec --namespace=shop pods/cart-1-a -- sh -c '$(id)'")
    assert cluster.fake.requests == []


async def test_a_dry_run_changes_nothing(cluster: Any) -> None:
    assert (await cluster.run("scale", replicas=9, dry_run=True)).state == "succeeded"
    assert cluster.fake.changes() == []
    assert "cannot be run dry" in (await cluster.run("exec", POD, command=["x"], dry_run=True)).summary


def _nothing_holds(folder: Any, word: bytes) -> None:
    found = [path for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()]
    assert found == []


def test_every_verb_is_made() -> None:
    assert {*_oc_verbs.VERBS} == {*_oc_verbs.Verbs(None, None)._by_verb}  # type: ignore[arg-type]
