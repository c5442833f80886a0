"""The tree against the certificate-transparency reference leaves."""

from __future__ import annotations

import pytest

from healer.audit import tree

LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_rfc_6962(size: int) -> None:
    frontier = tree.Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(tree.leaf_hash(bytes.fromhex(leaf)))
    assert frontier.root().hex() == ROOTS[size]
    assert tree.Frontier.from_bytes(size, frontier.to_bytes()).root().hex() == ROOTS[size]


@pytest.mark.parametrize("size", range(8))
def test_a_tree_grows_on_from_its_edge(size: int) -> None:
    whole = tree.Frontier()
    for leaf in LEAVES[:size]:
        whole.append(tree.leaf_hash(bytes.fromhex(leaf)))
    again = tree.Frontier.from_bytes(size, whole.to_bytes())
    again.append(tree.leaf_hash(bytes.fromhex(LEAVES[size])))
    assert (again.size, again.root().hex()) == (size + 1, ROOTS[size + 1])


def test_an_edge_of_another_size_is_no_edge() -> None:
    with pytest.raises(ValueError, match="3 leaves has 2 hashes, got 32 bytes"):
        tree.Frontier.from_bytes(3, bytes(32))
