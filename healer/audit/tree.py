"""The hash tree of RFC 6962 (section 2.1) over audit records, grown one leaf at a time, and the plain chain beside it.

A leaf is SHA-256(0x00 ‖ bytes), a node SHA-256(0x01 ‖ left ‖ right): the prefixes keep a node from passing as a leaf. Only the
right edge (at most 64 hashes) is needed to grow the tree and to give its root. The chain names the first bad record cheaply.
"""

from __future__ import annotations

import hashlib
from typing import Final

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
CHAIN_START: Final = bytes(32)


def leaf_hash(data: bytes) -> bytes:
    """The leaf hash of a record's canonical bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def chain_hash(before: bytes, leaf: bytes) -> bytes:
    """The next link of the chain."""
    return hashlib.sha256(before + leaf).digest()


class Frontier:
    """The right edge of a tree of `size` leaves: the roots of its full subtrees, largest first."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: list[bytes] | None = None) -> None:
        self.size = size
        self.hashes = hashes if hashes is not None else []

    @classmethod
    def from_bytes(cls, size: int, packed: bytes) -> Frontier:
        """Unpack what `to_bytes` packed; ValueError if it does not fit the size."""
        if len(packed) != 32 * size.bit_count():
            raise ValueError(f"a frontier of {size} leaves has {size.bit_count()} hashes, got {len(packed)} bytes")
        return cls(size, [packed[at : at + 32] for at in range(0, len(packed), 32)])

    def to_bytes(self) -> bytes:
        """The hashes, 32 bytes each."""
        return b"".join(self.hashes)

    def append(self, leaf: bytes) -> None:
        """Grow by one leaf hash."""
        size = self.size
        while size & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            size >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root
