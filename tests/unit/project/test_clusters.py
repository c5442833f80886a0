"""What a text means by an object of a cluster."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from healer import inventory, model
from healer.project import clusters, controllers, targets


def cluster(**options: object) -> controllers.Controller:
    given = {"namespaces": ["shop", "pay"], "nodes": True, "kinds": ["certificate.cert-manager.io"], **options}
    return controllers.Controller("a", "oc", frozenset({"oc"}), frozenset({"k8s"}), given)


@pytest.mark.parametrize(("text", "target"), [
    ("shop/deployment/cart", "shop/deployment/cart"), ("k8s:a/shop/deployment/cart", "shop/deployment/cart"),
    ("a/shop/deployment/cart", "shop/deployment/cart"), ("shop/Deployment/cart", "shop/deployment/cart"), ("shop/deploy/cart", "shop/deployment/cart"),
    ("shop/deployments/cart", "shop/deployment/cart"), ("pay/po/till-0", "pay/pod/till-0"), ("shop/sts/db", "shop/statefulset/db"),
    ("shop/certificate.cert-manager.io/web", "shop/certificate.cert-manager.io/web"), ("shop/cm/a.b-c", "shop/configmap/a.b-c"),
    ("node/n1.example.org", "node/n1.example.org"), ("nodes/n1", "node/n1"), ("k8s:a/node/n1", "node/n1"), ("a/no/n1", "node/n1"),
])  # fmt: skip
def test_one_object_has_one_name(text: str, target: str) -> None:
    found = targets.resolve(cluster(), targets.EMPTY, "box", text)
    assert isinstance(found, model.Target), found
    assert (str(found), found.local) == (f"k8s:a/{target}", False)
    for again in (str(found), found.name):
        assert targets.resolve(cluster(), targets.EMPTY, "box", again) == found


@pytest.mark.parametrize(("text", "reason"), [
    ("", "a target is NAMESPACE/KIND/NAME"), ("a b/pod/x", "a target is NAMESPACE/KIND/NAME"), ("shop/pod/x\n", "a target is NAMESPACE/KIND/NAME"),
    ("shop/pod/" + "x" * 600, "and more"), ("web01", "NAMESPACE/KIND/NAME is wanted, or node/NAME"), ("host:web01", "reaches objects of a cluster alone"),
    ("group:web", "reaches objects of a cluster alone"), ("k8s:b/shop/pod/x", "is no k8s target of a"), ("k8s:shop/pod/x", "is no k8s target of a"),
    ("k8s:a/pod/x", "is no k8s target of a"), ("b/shop/pod/x", "NAMESPACE/KIND/NAME is wanted"), ("shop/pod", "NAMESPACE/KIND/NAME is wanted"),
    ("shop/pod/x/y", "NAMESPACE/KIND/NAME is wanted"), ("shop/pod/", "'' is no name of a pod"), ("shop/pod/X", "'X' is no name of a pod"),
    ("shop/pod/-o=json", "is no name of a pod"), ("shop/pod/--all", "is no name of a pod"), ("shop/pod/x;rm", "is no name of a pod"),
    ("shop/pod/$(id)", "is no name of a pod"), ("shop/pod/" + "x" * 254, "is no name of a pod"), ("shop/pod/a..b", "is no name of a pod"),
    ("shop/pod/xё", "is no name of a pod"), ("-n/pod/x", "'-n' is no name of a namespace"), ("shop.x/pod/x", "is no name of a namespace"),
    ("shop/clusterrole/x", "no kind 'clusterrole' is known"), ("shop/secret/x", "no kind 'secret' is known"), ("shop/*/x", "no kind '*' is known"),
    ("shop/\u212Anode/x", "no kind"), ("shop/node/n1", "a node lies in no namespace"), ("node/N1", "is no name of a node"), ("*", "is wanted"),
    ("kube-system/pod/x", "a reaches no namespace 'kube-system'; it reaches shop, pay"),
])  # fmt: skip
def test_what_is_no_object_is_refused_with_a_step(text: str, reason: str) -> None:
    found = targets.resolve(cluster(), targets.EMPTY, "box", text)
    assert isinstance(found, inventory.Refusal)
    assert reason in found.reason
    assert found.step


def test_what_may_have_been_meant_is_said() -> None:
    near = clusters.resolve(cluster(), "shopp/pod/x")
    assert isinstance(near, inventory.Refusal)
    assert (near.nearest, "controllers.yaml" in near.step) == ("did you mean 'shop'?", True)
    near = clusters.resolve(cluster(), "shop/deploymnt/x")
    assert isinstance(near, inventory.Refusal)
    assert near.nearest == "did you mean 'deployment'?"


def test_nodes_and_kinds_have_to_be_allowed() -> None:
    plain = cluster(nodes=False, kinds=[])
    for text in ("node/n1", "k8s:a/node/n1", "shop/certificate.cert-manager.io/web"):
        assert isinstance(clusters.resolve(plain, text), inventory.Refusal)
    assert isinstance(clusters.resolve(cluster(namespaces=[]), "shop/pod/x"), inventory.Refusal)


def test_a_controller_may_be_bound_to_objects_in_any_spelling() -> None:
    spec = controllers.Controller(
        "a", "oc", frozenset({"oc"}), frozenset({"k8s"}), {"namespaces": ["shop"]}, targets=("shop/deploy/cart",)
    )
    cart, other = clusters.resolve(spec, "shop/deployment/cart"), clusters.resolve(spec, "shop/deployment/other")
    assert isinstance(cart, model.Target)
    assert isinstance(other, model.Target)
    assert targets.forbidden(spec, "x", "oc", [cart]) == []
    assert [one.code for one in targets.forbidden(spec, "x", "oc", [other])] == ["controller_forbidden"]


def test_a_controller_of_a_stranger_means_what_it_likes_by_k8s() -> None:
    spec = controllers.Controller("b", "own", frozenset({"command"}), frozenset({"k8s"}))
    assert str(targets.resolve(spec, targets.EMPTY, "box", "k8s:anything/else")) == "k8s:anything/else"


def test_no_kind_has_the_name_of_another() -> None:
    names = [name for kind, others in clusters.KINDS.items() for name in (kind, *others)]
    assert len(names) == len({*names})


@hypothesis.given(
    st.text(max_size=40) | st.from_regex(r"(k8s:)?(a/)?(shop|node|x)/(pod|node|po)/[a-z.-]{0,9}", fullmatch=True)
)
def test_any_text_is_an_object_within_reach_or_refused(text: str) -> None:
    found = clusters.resolve(cluster(), text)
    if isinstance(found, model.Target):
        head, *rest = found.name.split("/")
        assert (head, found.name.startswith(("a/shop/", "a/pay/", "a/node/"))) == ("a", True)
        assert not any(part.startswith("-") for part in rest)
