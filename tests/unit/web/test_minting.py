"""API keys as texts, and how the API shows them."""

from __future__ import annotations

import hashlib

import hypothesis
from hypothesis import strategies as st

from healer.web import minting


def test_a_key_looks_like_one_and_is_kept_as_its_hash() -> None:
    key_id, key = minting.make_key()
    assert minting._KEY.fullmatch(key)
    assert minting.key_id_of(key) == key_id
    assert len(key.split("_")[2]) >= 32
    assert minting.digest(key) == hashlib.sha256(key.encode()).hexdigest()
    assert minting.key_id_of("hunter2") == ""


def test_two_keys_are_two() -> None:
    assert len({minting.make_key() for _ in range(100)}) == 100


@hypothesis.given(st.text(), st.text())
def test_secrets_are_the_same_when_they_are_equal(given: str, wanted: str) -> None:
    assert minting.same(given, wanted) == (given == wanted)
    assert minting.same(given, given)


def test_a_key_is_shown_without_its_hash() -> None:
    row = {
        "id": "a", "hash": "h", "name": "n", "role": "ci", "principal": "", "created_us": 1, "created_by": "x", "revoked_us": None,
    }  # fmt: skip
    assert (minting.shown(row)["role"], minting.shown(row)["principal"]) == ("ci", None)
    assert minting.shown(row | {"role": "", "principal": "ana"}).items() >= {"role": None, "principal": "ana"}.items()
    assert "hash" not in minting.shown(row)
    assert "h" not in minting.shown(row).values()
