"""`oc` where something is wrong: an API that refuses, is slow or is gone, a cancelled run, a crash; and what is said of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
from typing import Any

import pytest

from healer.child import jobs
from healer.controllers import _oc_words
from tests import processes

DEPLOYMENT = ".*/deployments/cart"


@pytest.mark.parametrize(("status", "reason", "state", "says"), [
    (403, "Forbidden", "failed", "the account may not do this (403): because; give it the right"),
    (409, "Conflict", "failed", "somebody changed it at the same time (409)"), (422, "Invalid", "failed", "the API refuses it (422)"),
    (500, "InternalError", "unknown", "the API failed (500): because; it may have been done all the same"),
    (504, "Timeout", "unknown", "the API was too slow (504): because; it may have been done all the same"),
    (503, "ServiceUnavailable", "failed", "the API is not available (503)"), (418, "Teapot", "failed", "because"),
])  # fmt: skip
async def test_what_the_api_answers_is_told_in_words(
    cluster: Any, status: int, reason: str, state: str, says: str
) -> None:
    cluster.fake.fault("PATCH", DEPLOYMENT, status, reason)
    outcome = await cluster.run("rollout restart")
    assert (outcome.state, says in outcome.summary) == (state, True), outcome.summary
    assert outcome.per_target == {"k8s:a/shop/deployment/cart": state}


async def test_credentials_that_are_not_taken(cluster: Any) -> None:
    cluster.secrets["env:KUBE_TOKEN"] = "another"
    outcome = await cluster.run("rollout restart")
    assert outcome.state == "failed"
    assert "the credentials are not taken (401)" in outcome.summary
    assert "another" not in outcome.summary


async def test_an_api_that_is_not_trusted(cluster: Any) -> None:
    kubeconfig = _kubeconfig(cluster.fake.url, "t")
    cluster.secrets["file:k"] = json.dumps(kubeconfig)
    cluster.controller = cluster.made(kubeconfig={"secret": "file:k"})
    outcome = await cluster.run("rollout restart")
    assert (outcome.state, "certificate is not trusted" in outcome.summary) == ("failed", True)
    assert cluster.fake.requests == []


async def test_an_api_that_is_not_there(cluster: Any) -> None:
    cluster.controller = cluster.made(server="https://127.0.0.1:1")
    outcome = await cluster.run("rollout restart")
    assert (outcome.state, "the API cannot be reached" in outcome.summary) == ("failed", True)


async def test_credentials_that_their_program_cannot_get_have_sent_nothing(cluster: Any) -> None:
    kubeconfig = _kubeconfig(cluster.fake.url, "t")
    program = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "no-such-program",
        "interactiveMode": "Never",
    }
    kubeconfig["users"] = [{"name": "u", "user": {"exec": program}}]
    cluster.secrets["file:k"] = json.dumps(kubeconfig)
    cluster.controller = cluster.made(kubeconfig={"secret": "file:k"})
    plan = await cluster.controller.plan(cluster.job("rollout restart"))
    outcome = await cluster.run("rollout restart")
    assert outcome.state == "failed", outcome.summary
    assert "no credentials could be got, so nothing was sent" in outcome.summary
    assert "executable no-such-program not found" in outcome.summary
    assert plan.fails == outcome.summary
    assert cluster.fake.requests == []


async def test_a_change_whose_answer_is_lost_is_known_by_its_mark(cluster: Any) -> None:
    cluster.fake.fault("PATCH", DEPLOYMENT, way="late", times=1)
    outcome = await cluster.run("rollout restart")
    assert outcome.state == "succeeded", outcome.summary
    assert "its mark" in outcome.summary
    assert outcome.per_target == {"k8s:a/shop/deployment/cart": "succeeded"}
    assert len(cluster.fake.changes()) == 1


@pytest.mark.parametrize(("verb", "target", "given"), [
    ("scale", "shop/deployment/cart", {"replicas": 1}), ("patch", "shop/deployment/cart", {"patch": [{"op": "add"}], "type": "json"}),
    ("delete pod", "shop/pod/cart-1-a", {}), ("cordon", "node/n1", {}),
])  # fmt: skip
async def test_a_change_that_is_cut_off_is_unknown(cluster: Any, verb: str, target: str, given: Any) -> None:
    for method in ("PATCH", "DELETE"):
        cluster.fake.fault(method, ".*", way="cut")
    outcome = await cluster.run(verb, target, **given)
    assert outcome.state == "unknown", outcome.summary
    assert "it may have been done all the same" in outcome.summary


async def test_reading_that_fails_has_done_nothing(cluster: Any) -> None:
    cluster.fake.fault("GET", ".*/pods/cart-1-a", 504, "Timeout")
    outcome = await cluster.run("restart-owner", "shop/pod/cart-1-a")
    assert (outcome.state, outcome.summary) == ("failed", "the API was too slow (504): because")


async def test_an_api_that_never_answers_is_not_waited_for(cluster: Any) -> None:
    cluster.controller = cluster.made(request_timeout="3 seconds")
    cluster.fake.fault("PATCH", DEPLOYMENT, way="hang")
    outcome = await cluster.run("rollout restart")
    assert (outcome.state, "the API did not answer" in outcome.summary) == ("unknown", True), outcome.summary


async def test_a_deadline_ends_kubectl(cluster: Any) -> None:
    cluster.fake.fault("PATCH", DEPLOYMENT, way="hang")
    job = cluster.job("rollout restart", deadline_s=0.5)
    outcome = await cluster.controller.run(job, cluster.hear)
    assert outcome.state == "timed_out"
    assert outcome.per_target == {"k8s:a/shop/deployment/cart": "timed_out"}
    assert jobs.pids_with("HEALER_TOKEN", job.token) == []


async def test_a_node_that_is_closed_and_not_emptied_in_time_is_not_drained(cluster: Any) -> None:
    cluster.pod("on-node", spec={"nodeName": "n1"}, owner=("ReplicaSet", "cart-1"))
    cluster.fake.fault("POST", ".*/eviction", way="hang")
    outcome = await cluster.run("drain", "node/n1", deadline_s=10.0, force=True)
    assert outcome.state in ("timed_out", "failed"), outcome.summary
    assert outcome.per_target == {"k8s:a/node/n1": outcome.state}
    assert cluster.fake.object("Node", "n1")["spec"]["unschedulable"] is True


async def test_a_node_that_cannot_be_closed_is_not_emptied(cluster: Any) -> None:
    cluster.pod("on-node", spec={"nodeName": "n1"}, owner=("ReplicaSet", "cart-1"))
    cluster.fake.fault("PATCH", ".*/nodes/n1", 403, "Forbidden")
    outcome = await cluster.run("drain", "node/n1", force=True)
    assert (outcome.state, "(403)" in outcome.summary, cluster.fake.asked("POST")) == ("failed", True, [])


async def test_a_child_that_is_killed_leaves_its_targets_unknown(cluster: Any, wait_for_async: Any) -> None:
    cluster.fake.fault("DELETE", ".*", way="hang")
    job = cluster.job("delete pod", "shop/pod/cart-1-a", "shop/pod/cart-1-b")
    running = asyncio.create_task(cluster.controller.run(job, cluster.hear))
    await wait_for_async(cluster.fake.hung.is_set)
    shim = jobs.read_claim(pathlib.Path(job.work_dir)).pid
    for pid in jobs.pids_with("HEALER_TOKEN", job.token):
        if pid != shim:
            with contextlib.suppress(ProcessLookupError):  # the shim ends what it leaves
                os.kill(pid, signal.SIGKILL)
    outcome = await running
    assert (outcome.state, {*outcome.per_target.values()}) == ("unknown", {"unknown"})


async def test_a_cancelled_run_ends_kubectl_and_leaves_no_secret(cluster: Any, wait_for_async: Any) -> None:
    cluster.fake.fault("PATCH", DEPLOYMENT, way="hang")
    job = cluster.job("rollout restart")
    running = asyncio.create_task(cluster.controller.run(job, cluster.hear))
    await wait_for_async(cluster.fake.hung.is_set)
    told = [
        processes.read(pid, what)
        for pid in jobs.pids_with("HEALER_TOKEN", job.token)
        for what in ("cmdline", "environ")
    ]
    assert len(told) >= 4
    token = cluster.secrets["env:KUBE_TOKEN"].encode()
    assert not any(token in one for one in told)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert jobs.pids_with("HEALER_TOKEN", job.token) == []
    assert [
        path for path in (cluster.folder / "work").rglob("*") if path.is_file() and token in path.read_bytes()
    ] == []
    assert (await cluster.controller.find(job)).outcome.state == "cancelled"


# --- after a crash ----------------------------------------------------------------------------------------------------------------


async def test_a_job_is_done_once(cluster: Any) -> None:
    job = cluster.job("rollout restart")
    await cluster.controller.run(job, cluster.hear)
    found = await cluster.made().find(job)
    assert (found.state, found.outcome.state, found.outcome.summary) == (
        "ended",
        "succeeded",
        "deployment.apps/cart patched",
    )
    with pytest.raises(Exception, match="a token is good for one"):
        await cluster.controller.run(job, cluster.hear)
    assert len(cluster.fake.changes()) == 1


async def test_a_job_that_never_began_never_will(cluster: Any) -> None:
    job = cluster.job("rollout restart")
    assert (await cluster.controller.find(job)).state == "absent"
    with pytest.raises(Exception, match="a token is good for one"):
        await cluster.controller.run(job, cluster.hear)
    assert await cluster.controller.withhold(cluster.job("rollout restart"))
    assert cluster.fake.requests == []


async def test_a_job_that_runs_is_taken_up(cluster: Any, wait_for_async: Any) -> None:
    cluster.fake.lingering.clear()
    job = cluster.job("delete pod", "shop/pod/cart-1-a")
    first = asyncio.create_task(cluster.controller.run(job, cluster.hear))
    await wait_for_async(lambda: cluster.fake.asked("DELETE"))
    other = cluster.made()
    assert (await other.find(job)).state == "running"
    following = asyncio.create_task(other.follow(job, cluster.hear))
    cluster.fake.lingering.set()
    assert (await following).state == "succeeded"
    assert (await first).state == "succeeded"


@pytest.mark.parametrize(("done", "state"), [(True, "ended"), (False, "unknown")])
async def test_where_the_shim_is_gone_the_mark_says_it(
    cluster: Any, wait_for_async: Any, done: bool, state: str
) -> None:
    cluster.fake.fault("PATCH", DEPLOYMENT, way="hang", times=1)
    job = cluster.job("scale", replicas=1)
    running = asyncio.create_task(cluster.controller.run(job, cluster.hear))
    await wait_for_async(cluster.fake.hung.is_set)
    shim = jobs.read_claim(pathlib.Path(job.work_dir)).pid
    running.cancel()  # only so that nobody follows it any more: the shim and what it runs are killed at once
    for pid in [shim, *jobs.pids_with("HEALER_TOKEN", job.token)]:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(asyncio.CancelledError):
        await running
    if done:
        cluster.fake.object("Deployment", "cart")["metadata"]["labels"]["auto-healer/run"] = job.token
    found = await cluster.controller.find(job)
    assert found.state == state
    assert found.outcome is None if not done else found.outcome.state == "succeeded"
    assert not (pathlib.Path(job.work_dir) / "kubeconfig").exists()


async def test_marks_that_cannot_be_asked_say_nothing(cluster: Any) -> None:
    cluster.fake.fault("PATCH", DEPLOYMENT, way="late", times=1)
    cluster.fake.fault("GET", DEPLOYMENT, 403, "Forbidden", times=9)
    cluster.fake.faults[1].times = 0
    running = cluster.job("patch", patch={"metadata": {"labels": None}})
    outcome = await cluster.controller.run(running, cluster.hear)
    assert outcome.state == "unknown"  # there was no place for a mark


NOISE = (
    'E1127 18:02:11.1 77 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group list: Get \\"https://127.0.0.1:9/api?timeout=30s\\": getting credentials: exec"\n'
)  # fmt: skip

# --- words ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "state", "words"), [
    ("", "failed", "exit 3"), ("error: no such thing\n", "failed", "exit 3: no such thing"),
    ("Warning: old\nError from server (NotFound): pods \"x\" not found\n", "failed", 'it is not there (404): pods "x" not found'),
    ("Error from server (AlreadyExists): x\n", "failed", "it is there already (409): x"),
    ("Error from server (TooManyRequests): budget\n", "failed", "the API is too busy, or a disruption budget forbids it (429): budget"),
    ("Error from server (Gone): old\n", "failed", "the API refuses it (Gone): old"),
    ("error: You must be logged in to the server (Unauthorized)\n", "failed",
     "the credentials are not taken (401): You must be logged in to the server (Unauthorized); renew the token or kubeconfig of the controller"),
    ("The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n", "failed",
     "the API cannot be reached: The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?"),
    ("Unable to connect to the server: EOF\n", "unknown", "the API did not answer: Unable to connect to the server: EOF"),
    ("error: context \"x\" does not exist\n", "failed", 'the kubeconfig cannot be used: context "x" does not exist'),
    ("Unable to connect to the server: net/http: TLS handshake timeout\n", "unknown",
     "the API did not answer: Unable to connect to the server: net/http: TLS handshake timeout"),
    ("connection timed out\ncommand terminated with exit code 7\n", "failed", "exit 7: connection timed out"),
    ("command terminated with exit code 1\nEOF\n", "unknown", "the API did not answer: EOF"),
    ("error: \x1b[31mred\x00\n", "failed", "exit 3: \\x1b[31mred\\x00"),
    (f"{NOISE}Unable to connect to the server: getting credentials: exec: executable aws not found\n\nIt looks like you are trying to use a client-go credential plugin\n", "failed",
     "no credentials could be got, so nothing was sent: Unable to connect to the server: getting credentials: exec: executable aws not found; look at the kubeconfig's user"),
    ("error: exec plugin: invalid apiVersion \"v1\"\n", "failed", "no credentials could be got, so nothing was sent: exec plugin: invalid apiVersion \"v1\"; look at the kubeconfig's user"),
    ("error: Get \"https://a:9/api?timeout=30s\": no way\n", "failed", 'exit 3: Get "https://a:9/api?timeout=30s": no way'),
    ('error: deployments "timeout" has no such field\n', "failed", 'exit 3: deployments "timeout" has no such field'),
    ("Unable to connect to the server: dial tcp 10.0.0.9:443: i/o timeout\n", "failed", "the API cannot be reached: Unable to connect to the server: dial tcp 10.0.0.9:443: i/o timeout"),
    (f'{NOISE.replace("getting credentials: exec", "dial tcp 127.0.0.1:9: connect: connection refused")}error: Patch "https://a/x?timeout=30s": unexpected EOF\n', "unknown",
     'the API did not answer: Patch "https://a/x?timeout=30s": unexpected EOF'),
    ('error: Patch "https://a/apis/cert-manager.io/v1/namespaces/shop/certificates/x?timeout=30s": read tcp 1.2.3.4:5: connection reset by peer\n', "unknown",
     'the API did not answer: Patch "https://a/apis/cert-manager.io/v1/namespaces/shop/certificates/x?timeout=30s": read tcp 1.2.3.4:5: connection reset by peer'),
    ('error: Patch "https://a/x": local error: tls: bad record MAC\n', "unknown", 'the API did not answer: Patch "https://a/x": local error: tls: bad record MAC'),
    ("error: http2: server sent GOAWAY and closed the connection\n", "unknown", "the API did not answer: http2: server sent GOAWAY and closed the connection"),
    ("Error from server: etcdserver: leader changed\n", "unknown", "the API did not answer: etcdserver: leader changed"),
    ("error: unable to read client-cert /x for u due to open /x: no such file\n", "failed",
     "the kubeconfig cannot be used: unable to read client-cert /x for u due to open /x: no such file"),
    (f"{NOISE}It looks like you are trying\n", "failed", "no credentials could be got, so nothing was sent: It looks like you are trying; look at the kubeconfig's user"),
])  # fmt: skip
def test_words_of_kubectl(said: str, state: str, words: str) -> None:
    assert _oc_words.told(said, 3) == (state, words)


def test_a_line_of_an_end_that_was_cut_off_is_none(tmp_path: pathlib.Path) -> None:
    assert _oc_words.ends(tmp_path) == {}
    whole = json.dumps({"target": "a", "code": 0, "said": "done", "effect": True})
    (tmp_path / "ends.json").write_text(f'{whole}\n[5]\n{{"target": 3}}\n{{"target": "b", "co')
    assert _oc_words.ends(tmp_path) == {"a": ("succeeded", "done", True)}


def _kubeconfig(server: str, token: str, **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "one", "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": {"token": token}}], "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
