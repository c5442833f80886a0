"""The public test kit: what a rulebook fires for given steps, on a virtual clock, with no action and no gate.

For tests of rulebooks, and for `healer replay`. `contracts` tries plugins against what they have to keep.
"""

from healer.testing import contracts
from healer.testing.loading import load
from healer.testing.replaying import Firing, replay

__all__ = ["Firing", "contracts", "load", "replay"]
