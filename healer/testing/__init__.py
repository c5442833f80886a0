"""The public test kit: what a rulebook fires for given steps, on a virtual clock, with no action and no gate.

For tests of rulebooks, and for `healer replay`.
"""

from healer.testing.loading import load
from healer.testing.replaying import Firing, replay

__all__ = ["Firing", "load", "replay"]
