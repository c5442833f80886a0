"""`oc` of a real daemon with a real kubectl at a fake cluster: a rule restarts what an alert names, and nothing beyond its namespaces.

So does the sample of this repository, `examples/cluster`, as it stands there.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import json
import pathlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

_spec = importlib.util.spec_from_file_location(
    "fake_kube_of_acceptance", pathlib.Path(__file__).parents[1] / "controllers" / "fake_kube.py"
)
assert _spec is not None
assert _spec.loader is not None
fake_kube = sys.modules["fake_kube_of_acceptance"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake_kube)

BOOK: Final = """\
- name: cluster
  hosts: all
  sources: [{healer.api: {}}]
  rules:
    - name: down
      condition: event.deployment is defined
      action: {run_action: {name: restart, target: "{{ event.namespace }}/deployment/{{ event.deployment }}"}}
    - name: busy
      condition: event.replicas is defined
      action: {run_action: {name: scale, target: shop/deploy/cart, parameters: {replicas: "{{ event.replicas }}"}}}
"""
ACTIONS: Final = """\
  restart: {oc: {verb: rollout restart}, controller: cluster, impact: low, cooldown: 0 seconds}
  scale:
    oc: {verb: scale, replicas: "{{ parameters.replicas }}"}
    controller: cluster
    parameters: {replicas: {type: integer, minimum: 1, maximum: 9}}
    required: [replicas]
    impact: low
    cooldown: 0 seconds
"""


@contextlib.contextmanager
def serving(fake: Any, folder: pathlib.Path) -> Iterator[None]:
    """The fake on a loop of its own, in a thread."""
    loop = asyncio.new_event_loop()
    up, down = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with fake.serving(folder):
            up.set()
            await down.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join()
        loop.close()


def test_a_rule_heals_in_a_cluster(daemon: Any, wait_for: Callable[..., None], tmp_path: pathlib.Path) -> None:
    fake = fake_kube.Fake()
    fake.put("Namespace", "shop")
    fake.put("Deployment", "cart", spec={"replicas": 1, "template": {"metadata": {}}})
    with serving(fake, tmp_path):
        daemon.write("files/ca.pem", (tmp_path / "ca.pem").read_text())
        options = (
            f'type: oc, server: "{fake.url}", token: {{secret: "env:KUBE_TOKEN"}}, ca: files/ca.pem, namespaces: [shop]'
        )
        listed = (daemon.project / "controllers.yaml").read_text()
        daemon.write("controllers.yaml", listed.replace("default:", f"  cluster: {{{options}}}\ndefault:"))
        daemon.write("actions.yaml", (daemon.project / "actions.yaml").read_text() + ACTIONS)
        daemon.write("rulebooks/healing.yml", BOOK)
        daemon.variables |= {"KUBE_TOKEN": fake_kube.TOKEN, "HOME": str(tmp_path)}
        daemon.start("--mode", "active")
        daemon.ready().event({"namespace": "shop", "deployment": "cart"})
        wait_for(lambda: daemon.states() == ["succeeded"])
        (run,) = daemon.runs()
        daemon.event({"replicas": 4})
        daemon.event({"namespace": "kube-system", "deployment": "cart"})
        daemon.event({"namespace": "shop", "deployment": "cart; rm -rf /"})
        wait_for(lambda: sorted(daemon.states()) == ["refused", "refused", "succeeded", "succeeded"])
    assert run["targets"] == ["k8s:cluster/shop/deployment/cart"]
    restarted, scaled = fake.changes()
    assert restarted.json()["metadata"]["labels"] == {"auto-healer/run": f"{run['id']}-1"}
    assert scaled.json()["spec"] == {"replicas": 4}
    reasons = {one["reason"] for one in daemon.runs() if one["state"] == "refused"}
    assert reasons == {"unknown_target"}
    daemon.stop()
    kept = [
        path
        for path in (daemon.log, *daemon.data.rglob("*"))
        if path.is_file() and fake_kube.TOKEN.encode() in path.read_bytes()
    ]
    assert kept == []
    daemon.verified()


def kubeconfig(fake: Any, folder: pathlib.Path) -> str:
    """As `kubectl config view --flatten --minify --raw` prints it."""
    authority = base64.b64encode((folder / "ca.pem").read_bytes()).decode()
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "a", "cluster": {"server": fake.url, "certificate-authority-data": authority}}],
        "users": [{"name": "heal", "user": {"token": fake_kube.TOKEN}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "heal"}}],
    })  # fmt: skip


def test_the_sample_restarts_a_deployment_once_it_may(
    daemon: Any, wait_for: Callable[..., None], tmp_path: pathlib.Path, repository: pathlib.Path
) -> None:
    fake = fake_kube.Fake()
    fake.put("Namespace", "shop")
    for name in ("cart", "web"):
        fake.put("Deployment", name, spec={"replicas": 1, "template": {"metadata": {}}})
    shutil.rmtree(daemon.project)
    shutil.copytree(repository / "examples/cluster", daemon.project)
    daemon.variables |= {"HOME": str(tmp_path)}
    with serving(fake, tmp_path):
        daemon.write(".healer/kubeconfig", kubeconfig(fake, tmp_path))
        daemon.start()
        daemon.ready()
        checked = daemon.healer("controllers", "check")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert (
            daemon.post("/webhook", json.loads((daemon.project / "deployment_down_webhook.json").read_text()))[0] == 202
        )
        wait_for(
            lambda: (
                daemon.states() == ["simulated"]
                and daemon.get(f"/runs/{daemon.runs()[0]['id']}")[1]["plan"]["state"] == "made"
            )
        )
        assert any(one.dry for one in fake.asked("PATCH")), "the plan asked the cluster"
        assert fake.changes() == []
        daemon.stop()

        daemon.start("--mode", "active")
        daemon.ready()
        sent = daemon.healer("send", str(daemon.project / "deployment_down.json"), "--yes")
        assert sent.returncode == 0, sent.stdout + sent.stderr
        wait_for(lambda: daemon.states() == ["simulated", "verifying"])
        example = json.loads((daemon.project / "deployment_down.json").read_text())
        daemon.event({"alert": {**example["alert"], "status": "resolved"}})
        daemon.post("/webhook", {"event_type": "deployment_down", "target": "shop/deployment/web"})
        daemon.post("/webhook", {"event_type": "deployment_down", "target": "pay/deployment/cart"})
        wait_for(lambda: daemon.states() == ["refused", "simulated", "succeeded", "succeeded"])
    restarted = [one.path.rpartition("/")[2] for one in fake.changes()]
    assert sorted(restarted) == ["cart", "web"]
    daemon.verified()
